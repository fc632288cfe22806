"""Settings of all tests."""

import os

from hypothesis import settings

# The same cases every time, so that a change is judged by what it changes; `explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
