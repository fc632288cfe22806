"""Settings of all tests."""

import os

import pytest
from clikit import Cli, calling
from hypothesis import settings

# The same cases every time, so that a change is judged by what it changes; `explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the command; returns (exit code, standard output, standard error)."""
    return calling(capsys)
