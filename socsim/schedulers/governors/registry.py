"""Governors by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socsim.errors import UsageError
from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.governors.base import TRIGGERS, Governor
from socsim.schedulers.governors.opps import RELATIONS
from socsim.schedulers.options import Options

__all__ = ["GOVERNORS", "GROUP", "Spec", "make_governor"]

GROUP = "socsim.governors"
"""Entry point group in which packages offer governors: ``name = "module:Class"``."""

_HOME = "socsim.schedulers.governors"
_BUILT_IN = {
    "performance": f"{_HOME}.fixed:Performance",
    "powersave": f"{_HOME}.fixed:Powersave",
    "userspace": f"{_HOME}.fixed:Userspace",
    "ondemand": f"{_HOME}.ondemand:Ondemand",
    "conservative": f"{_HOME}.conservative:Conservative",
    "interactive": f"{_HOME}.interactive:Interactive",
    "schedutil": f"{_HOME}.schedutil:Schedutil",
    "schedutil_l4t": f"{_HOME}.schedutil:SchedutilL4t",
    "simple_ondemand": f"{_HOME}.simple_ondemand:SimpleOndemand",
    "adreno_tz": f"{_HOME}.adreno:AdrenoTz",
    "nvhost_podgov": f"{_HOME}.podgov:NvhostPodgov",
}
Spec = Governor | type[Governor] | str | Mapping[str, Any]


def _common(cls: type) -> tuple[str, ...]:
    """Options that a class takes because it is a governor of its kind: `period`, if it is asked by the timer."""
    return ("period",) if issubclass(cls, Governor) and cls.trigger == "timer" else ()


GOVERNORS: Catalogue[Governor] = Catalogue(
    "governor", Governor, GROUP, _BUILT_IN, common=_common, times=_common
)
"""All that have names."""


def make_governor(spec: Spec, kind: str = "") -> Governor:
    """A governor that has decided nothing yet, from whatever names one.

    Parameters
    ----------
    spec
        A class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in the working directory too;
        ``"file.py:Class"``; a mapping with ``name`` and options, beside it or under ``options``; or an object, of which
        a copy is made: every domain of every run has its own. One that is asked by the timer takes ``period`` as an
        option. One with options is titled as it was written.
    kind
        The kind of domain that it is for, ``"cpu"`` or ``"gpu"``, say; empty (default) for any.

    Raises
    ------
    UnknownNameError
        No such governor, module or class.
    UsageError
        An unknown or missing option, something that is no governor, or one for other kinds of domains.
    """
    governor = GOVERNORS.make(spec)
    _check(governor)
    if kind and kind not in governor.kinds:
        fitting = ", ".join(governor.kinds)
        raise UsageError(f"governor {governor.title!r} is for domains of kind {fitting}, got {kind!r}")
    return governor


def _check(governor: Governor) -> None:
    """Check what a class or an option has set."""
    own = Options("governor", governor.title)
    own.one_of("trigger", governor.trigger, TRIGGERS)
    own.one_of("relation", governor.relation, RELATIONS)
    own_interval = type(governor).interval is not Governor.interval
    if governor.trigger == "timer":
        own.seconds("period", governor.period, zero=own_interval)
