"""Policies of reuse by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.reuse.base import ReusePolicy
from socsim.schedulers.reuse.policies import LayerReuse

__all__ = ["GROUP", "REUSE", "Spec", "make_reuse"]

GROUP = "socsim.reuse"
"""Entry point group in which packages offer policies: ``name = "module:Class"``."""

_BUILT_IN = {
    "none": "socsim.schedulers.reuse.policies:NoReuse",
    "frame": "socsim.schedulers.reuse.policies:FrameReuse",
    "layer": "socsim.schedulers.reuse.policies:LayerReuse",
}


def _times(cls: type) -> tuple[str, ...]:
    """Options that are times, which a class of the user's own reads as it likes."""
    return ("boundary",) if issubclass(cls, LayerReuse) else ()


REUSE: Catalogue[ReusePolicy] = Catalogue("reuse policy", ReusePolicy, GROUP, _BUILT_IN, times=_times)
"""All that have names."""

Spec = ReusePolicy | type[ReusePolicy] | str | Mapping[str, Any]


def make_reuse(spec: Spec) -> ReusePolicy:
    """A policy that has decided nothing yet, from whatever names one.

    Parameters
    ----------
    spec
        A class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in the working directory too;
        ``"file.py:Class"``; a mapping with ``name`` and options, beside it or under ``options``; or an object, of which
        a copy is made.

    Raises
    ------
    UnknownNameError
        No such policy, module or class.
    UsageError
        An unknown or missing option, or something that is no policy.
    """
    return REUSE.make(spec)
