"""Governors by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from socsim.errors import UsageError
from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.governors.base import TRIGGERS, Governor
from socsim.schedulers.governors.opps import RELATIONS
from socsim.schedulers.governors.options import choice, seconds
from socsim.schedulers.specs import check_units, options_of, with_units
from socsim.schedulers.spelling import describe_spec, located, module_files, write_spec

__all__ = [
    "GROUP",
    "Spec",
    "broken_governors",
    "common_options",
    "describe_governor",
    "governor_class",
    "governor_files",
    "governor_names",
    "locate_governor",
    "make_governor",
    "write_governor",
]

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
_CATALOGUE = Catalogue("governor", Governor, GROUP, _BUILT_IN)

Spec = Governor | type[Governor] | str | Mapping[str, Any]


def governor_names() -> tuple[str, ...]:
    """Names of the governors that come with socsim, then of those that installed packages offer."""
    return _CATALOGUE.names()


def broken_governors() -> dict[str, str]:
    """Governors that installed packages offer but that cannot be loaded, with what is wrong."""
    return _CATALOGUE.broken()


def governor_class(name: str) -> type[Governor]:
    """The class that a name, or ``module:Class``, stands for; raises as :func:`make_governor`."""
    cls, _ = _CATALOGUE.find(name)
    _CATALOGUE.check(cls, name)
    return cast(type[Governor], cls)


def common_options(cls: type[Governor]) -> tuple[str, ...]:
    """Options that a class takes because it is a governor of its kind: `period`, if it is asked by the timer."""
    return ("period",) if cls.trigger == "timer" else ()


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
    governor = _made(spec)
    _check(governor)
    if kind and kind not in governor.kinds:
        fitting = ", ".join(governor.kinds)
        raise UsageError(f"governor {governor.title!r} is for domains of kind {fitting}, got {kind!r}")
    return governor


def _made(spec: Spec) -> Governor:
    if isinstance(spec, Governor):
        return copy.deepcopy(spec)
    if isinstance(spec, type):
        return cast(Governor, _CATALOGUE.make(spec, {}, spec.__name__))
    name, options = _CATALOGUE.unpack(spec)
    cls, given = _CATALOGUE.find(name)
    _CATALOGUE.check(cls, name)
    common = common_options(cast(type[Governor], cls))
    check_units(f"governor {name!r}", given | options, options_of(cls), common)
    governor = cast(Governor, _CATALOGUE.make(cls, given | options, name, common))
    if options:
        governor.written = write_governor(spec)
    return governor


def _check(governor: Governor) -> None:
    """Check what a class or an option has set."""
    choice(governor.title, "trigger", governor.trigger, TRIGGERS)
    choice(governor.title, "relation", governor.relation, RELATIONS)
    own_interval = type(governor).interval is not Governor.interval
    if governor.trigger == "timer":
        seconds(governor.title, "period", governor.period, zero=own_interval)


# --- specs as texts -----------------------------------------------------------------------------------------


def write_governor(spec: Spec) -> str:
    """How tables call what names a governor: as it was written, modules and files without their folders.

    An object is written as its class with the options that differ from their defaults, as far as it has attributes
    of their names.
    """
    return write_spec("governor", Governor, spec, _differing)


def describe_governor(spec: Spec) -> Any:
    """What names a governor, as an experiment file has it; an object becomes its class with its options."""
    return describe_spec(Governor, spec, _differing)


def _differing(governor: Governor) -> dict[str, Any]:
    """Options of an object that can be written and are not what its class has without them."""
    cls = type(governor)
    defaults = {name: p.default for name, p in options_of(cls).items()}
    needed = any(p.default is p.empty for p in options_of(cls).values())
    plain = None if needed else cls()
    defaults |= {name: getattr(cls, name) for name in common_options(cls)}
    values = {name: getattr(governor, name, default) for name, default in defaults.items()}
    usual = {name: getattr(plain, name, default) for name, default in defaults.items()}
    writable = (bool, int, float, str)
    own = {
        name: value
        for name, value in values.items()
        if isinstance(value, writable) and value not in (defaults[name], usual[name])
    }
    return with_units(own, options_of(cls), common_options(cls))


def locate_governor(spec: Any, folder: Path) -> Any:
    """The same, with the absolute path of the file in `folder` that its class is in."""
    return located(spec, folder)


def governor_files(spec: Any) -> list[Path]:
    """The files that a governor comes from, where `spec` tells their paths."""
    return module_files(spec)
