"""Managers by name, from objects and classes, from the user's own modules, and from installed packages.

There are two kinds: managers of one application (:class:`Manager`) pick its level, managers of a whole device
(:class:`DeviceManager`) settle levels, places and clocks. Both have names of one catalogue.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from socsim.errors import UsageError
from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.managers.base import Manager
from socsim.schedulers.managers.device import DeviceManager
from socsim.schedulers.managers.options import seconds
from socsim.schedulers.specs import check_units, options_of, with_units
from socsim.schedulers.spelling import describe_spec, located, module_files, write_spec

__all__ = [
    "GROUP",
    "AnyManager",
    "Spec",
    "broken_managers",
    "describe_manager",
    "is_manager_class",
    "locate_manager",
    "make_app_manager",
    "make_device_manager",
    "make_manager",
    "managed",
    "manager_class",
    "manager_files",
    "manager_names",
    "write_manager",
]

GROUP = "socsim.managers"
"""Entry point group in which packages offer managers: ``name = "module:Class"``."""

_BUILT_IN = {
    "fixed": "socsim.schedulers.managers.fixed:Fixed",
    "hierarchical": "socsim.schedulers.managers.hierarchical:Hierarchical",
    "latency_window": "socsim.schedulers.managers.window:LatencyWindow",
    "oracle": "socsim.schedulers.managers.oracle:Oracle",
    "pinned": "socsim.schedulers.managers.pinned:Pinned",
}
_BASES = (Manager, DeviceManager)
_CATALOGUE = Catalogue("manager", _BASES, GROUP, _BUILT_IN)

_DEVICE = ("period",)
"""Attributes of every manager of a device that may be given as options."""

AnyManager = Manager | DeviceManager
Spec = AnyManager | type[AnyManager] | str | Mapping[str, Any]


def manager_names() -> tuple[str, ...]:
    """Names of the managers that come with socsim, then of those that installed packages offer."""
    return _CATALOGUE.names()


def broken_managers() -> dict[str, str]:
    """Managers that installed packages offer but that cannot be loaded, with what is wrong."""
    return _CATALOGUE.broken()


def manager_class(name: str) -> type[AnyManager]:
    """The class that a name, or ``module:Class``, stands for; raises as :func:`make_manager`."""
    cls, _ = _CATALOGUE.find(name)
    _CATALOGUE.check(cls, name)
    return cast(type[AnyManager], cls)


def managed(cls: type) -> str:
    """What managers of a class manage, in words."""
    return "a whole device" if issubclass(cls, DeviceManager) else "one application"


def is_manager_class(cls: object) -> bool:
    """Whether something is a class of managers, of either kind."""
    return isinstance(cls, type) and issubclass(cls, _BASES)


def make_manager(spec: Spec) -> AnyManager:
    """A manager that has decided nothing yet, from whatever names one; its class tells of which kind it is.

    Parameters
    ----------
    spec
        A class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in the working directory too;
        ``"file.py:Class"``; a mapping with ``name`` and options, beside it or under ``options``; or an object, of which
        a copy is made: every application, or device, of every run has its own. Every manager of a device takes
        ``period`` as an option. One with options is titled as it was written.

    Raises
    ------
    UnknownNameError
        No such manager, module or class.
    UsageError
        An unknown or missing option, or something that is no manager.
    """
    if isinstance(spec, _BASES):
        return copy.deepcopy(spec)
    if isinstance(spec, type):
        return _instance(spec, {}, spec.__name__)
    name, options = _CATALOGUE.unpack(spec)
    cls, given = _CATALOGUE.find(name)
    told = given | options
    check_units(f"manager {name!r}", told, options_of(cls), _DEVICE if issubclass(cls, DeviceManager) else ())
    manager = _instance(cls, told, name)
    if options:
        manager.written = write_manager(spec)
    return manager


def make_app_manager(spec: Spec) -> Manager:
    """The same, which must be of one application."""
    manager = make_manager(spec)
    if not isinstance(manager, Manager):
        wrong = "is for a whole device; give it to simulate(manager=...), or write it beside 'apps'"
        raise UsageError(f"manager {manager.title!r} {wrong}")
    return manager


def make_device_manager(spec: Spec) -> DeviceManager:
    """The same, which must be of a whole device."""
    manager = make_manager(spec)
    if not isinstance(manager, DeviceManager):
        wrong = "picks the levels of one application; give it to that as its manager"
        raise UsageError(f"manager {manager.title!r} {wrong}")
    return manager


def _instance(cls: type, options: Mapping[str, Any], name: str) -> AnyManager:
    common = _DEVICE if issubclass(cls, DeviceManager) else ()

    def check(attributes: Mapping[str, Any]) -> None:
        for setting in attributes:
            if attributes[setting] is not None:
                seconds(name, setting, attributes[setting])

    return cast(AnyManager, _CATALOGUE.make(cls, options, name, common, check))


# --- specs as texts -----------------------------------------------------------------------------------------


def write_manager(spec: Spec) -> str:
    """How messages call what names a manager: as it was written, modules and files without their folders.

    An object is written as its class with the options that differ from their defaults, as far as it has attributes
    of their names.
    """
    return write_spec("manager", _BASES, spec, _differing)


def describe_manager(spec: Spec) -> Any:
    """What names a manager, as an experiment file has it; an object becomes its class with its options."""
    return describe_spec(_BASES, spec, _differing)


def _differing(manager: AnyManager) -> dict[str, Any]:
    """Options of an object that can be written and are not its class's defaults."""
    cls = type(manager)
    defaults = {name: p.default for name, p in options_of(cls).items()}
    if isinstance(manager, DeviceManager):
        defaults = {name: getattr(cls, name) for name in _DEVICE} | defaults
    values = {name: getattr(manager, name, default) for name, default in defaults.items()}
    own = {name: v for name, v in values.items() if _plain(v) and v != defaults[name]}
    return with_units(own, options_of(cls), _DEVICE if isinstance(manager, DeviceManager) else ())


def _plain(value: object) -> bool:
    """Whether a file can have a value as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) for key in value) and all(map(_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(_plain, cast(list[object], value)))
    return value is None or isinstance(value, (bool, int, float, str))


def locate_manager(spec: Any, folder: Path) -> Any:
    """The same, with the absolute path of the file in `folder` that its class is in."""
    return located(spec, folder)


def manager_files(spec: Any) -> list[Path]:
    """The files that a manager comes from, where `spec` tells their paths."""
    return module_files(spec)
