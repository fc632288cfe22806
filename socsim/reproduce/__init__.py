"""What the two studies report, simulated: ``socsim reproduce``.

A claim (:mod:`~socsim.reproduce.claim`) is a module of :mod:`~socsim.reproduce.claims` and consists of
independent jobs; :mod:`~socsim.reproduce.runner` runs them, :mod:`~socsim.reproduce.verdict` holds what comes out
against the claim's bands, and :mod:`~socsim.reproduce.page` writes it down.
"""

from socsim.reproduce.catalogue import CLAIMS, load_claim, load_claims
from socsim.reproduce.claim import Claim, Effort, Finding, Job, Measure
from socsim.reproduce.runner import reproduce
from socsim.reproduce.verdict import Report

__all__ = [
    "CLAIMS", "Claim", "Effort", "Finding", "Job", "Measure", "Report", "load_claim", "load_claims", "reproduce",
]  # fmt: skip
