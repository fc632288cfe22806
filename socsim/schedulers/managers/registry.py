"""Managers by name, from objects and classes, from the user's own modules, and from installed packages.

There are two kinds: managers of one application (:class:`Manager`) pick its level, managers of a whole device
(:class:`DeviceManager`) settle levels, places and clocks. Both have names of one catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socsim.errors import UsageError
from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.managers.base import Manager
from socsim.schedulers.managers.device import DeviceManager
from socsim.schedulers.options import Options

__all__ = [
    "GROUP",
    "MANAGERS",
    "AnyManager",
    "Spec",
    "is_manager_class",
    "make_app_manager",
    "make_device_manager",
    "make_manager",
    "managed",
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

AnyManager = Manager | DeviceManager
Spec = AnyManager | type[AnyManager] | str | Mapping[str, Any]


def _common(cls: type) -> tuple[str, ...]:
    """Options that a class takes because it is a manager of its kind."""
    return ("period",) if issubclass(cls, DeviceManager) else ()


def _check(name: str, options: Mapping[str, Any]) -> None:
    for setting, value in options.items():
        if value is not None:
            Options("manager", name).seconds(setting, value, endless=True)


MANAGERS: Catalogue[AnyManager] = Catalogue(
    "manager", _BASES, GROUP, _BUILT_IN, common=_common, check=_check, times=_common
)
"""All that have names."""


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
    return MANAGERS.make(spec)


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
