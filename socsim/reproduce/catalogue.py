"""The claims of the two studies, in their order."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from socsim.errors import UnknownNameError
from socsim.reproduce.claim import Claim

__all__ = ["CLAIMS", "load_claim", "load_claims"]

CLAIMS = (
    "unsupported-operators",
    "mulayer-style-transfer",
    "competing-processes",
    "frame-drops",
    "granularity",
    "offline-profiling-gap",
    "utilisation-is-not-the-goal",
    "cross-level",
    "data-reuse",
    "dynamic-supernet",
    "manager-single",
    "manager-dual",
    "runtime-trade-off",
    "codl",
    "band",
)
"""Their names; each is a module of :mod:`socsim.reproduce.claims`."""


def load_claim(name: str) -> Claim:
    """A claim by name.

    Raises
    ------
    UnknownNameError
        There is none of that name.
    """
    if name not in CLAIMS:
        raise UnknownNameError("claim", name, CLAIMS)
    module = importlib.import_module(f"socsim.reproduce.claims.{name.replace('-', '_')}")
    claim: Claim = module.CLAIM
    return claim


def load_claims(names: Iterable[str] = ()) -> list[Claim]:
    """Claims by name, each once, in the order of the studies; all without names."""
    wanted = list(names) or list(CLAIMS)
    unknown = [name for name in wanted if name not in CLAIMS]
    if unknown:
        raise UnknownNameError("claim", unknown[0], CLAIMS)
    return [load_claim(name) for name in CLAIMS if name in wanted]
