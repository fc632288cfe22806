"""Managers by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.managers.base import Manager
from socsim.schedulers.specs import options_of
from socsim.schedulers.spelling import describe_spec, located, module_files, write_spec

__all__ = [
    "GROUP",
    "Spec",
    "broken_managers",
    "describe_manager",
    "locate_manager",
    "make_manager",
    "manager_class",
    "manager_files",
    "manager_names",
    "write_manager",
]

GROUP = "socsim.managers"
"""Entry point group in which packages offer managers: ``name = "module:Class"``."""

_BUILT_IN = {
    "fixed": "socsim.schedulers.managers.fixed:Fixed",
    "latency_window": "socsim.schedulers.managers.window:LatencyWindow",
}
_CATALOGUE = Catalogue("manager", Manager, GROUP, _BUILT_IN)

Spec = Manager | type[Manager] | str | Mapping[str, Any]


def manager_names() -> tuple[str, ...]:
    """Names of the managers that come with socsim, then of those that installed packages offer."""
    return _CATALOGUE.names()


def broken_managers() -> dict[str, str]:
    """Managers that installed packages offer but that cannot be loaded, with what is wrong."""
    return _CATALOGUE.broken()


def manager_class(name: str) -> type[Manager]:
    """The class that a name, or ``module:Class``, stands for; raises as :func:`make_manager`."""
    cls, _ = _CATALOGUE.find(name)
    _CATALOGUE.check(cls, name)
    return cast(type[Manager], cls)


def make_manager(spec: Spec) -> Manager:
    """A manager that has decided nothing yet, from whatever names one.

    Parameters
    ----------
    spec
        A class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in the working directory too;
        ``"file.py:Class"``; a mapping with ``name`` and options, beside it or under ``options``; or an object, of which
        a copy is made: every application of every run has its own. One with options is titled as it was written.

    Raises
    ------
    UnknownNameError
        No such manager, module or class.
    UsageError
        An unknown or missing option, or something that is no manager.
    """
    if isinstance(spec, Manager):
        return copy.deepcopy(spec)
    if isinstance(spec, type):
        return cast(Manager, _CATALOGUE.make(spec, {}, spec.__name__))
    name, options = _CATALOGUE.unpack(spec)
    cls, given = _CATALOGUE.find(name)
    manager = cast(Manager, _CATALOGUE.make(cls, given | options, name))
    if options:
        manager.written = write_manager(spec)
    return manager


# --- specs as texts -----------------------------------------------------------------------------------------


def write_manager(spec: Spec) -> str:
    """How messages call what names a manager: as it was written, modules and files without their folders.

    An object is written as its class with the options that differ from their defaults, as far as it has attributes
    of their names.
    """
    return write_spec("manager", Manager, spec, _differing)


def describe_manager(spec: Spec) -> Any:
    """What names a manager, as an experiment file has it; an object becomes its class with its options."""
    return describe_spec(Manager, spec, _differing)


def _differing(manager: Manager) -> dict[str, Any]:
    """Options of an object that can be written and are not its class's defaults."""
    defaults = {name: p.default for name, p in options_of(type(manager)).items()}
    values = {name: getattr(manager, name, default) for name, default in defaults.items()}
    plain = (bool, int, float, str)
    return {name: v for name, v in values.items() if isinstance(v, plain) and v != defaults[name]}


def locate_manager(spec: Any, folder: Path) -> Any:
    """The same, with the absolute path of the file in `folder` that its class is in."""
    return located(spec, folder)


def manager_files(spec: Any) -> list[Path]:
    """The files that a manager comes from, where `spec` tells their paths."""
    return module_files(spec)
