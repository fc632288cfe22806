"""What is compared: schedulers, and managers, which need a scheduler to run on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from socsim.errors import UnknownNameError, UsageError, nearest
from socsim.schedulers.base import Scheduler
from socsim.schedulers.managers import DeviceManager, Manager
from socsim.schedulers.managers.registry import MANAGERS, is_manager_class, make_manager
from socsim.schedulers.registry import SCHEDULERS, make_scheduler
from socsim.schedulers.specs import import_class, parse_spec, unpack_spec

__all__ = ["Contender", "contenders", "describe_decider", "make_decider"]

_KIND = "scheduler or manager"
_BASES = (Scheduler, Manager, DeviceManager)

Decider = Scheduler | Manager | DeviceManager


@dataclass(frozen=True)
class Contender:
    """One row of a comparison.

    Parameters
    ----------
    title
        What tables call it.
    scheduler
        What the application runs on.
    manager
        Who picks its levels; None for nobody.
    device_manager
        Who settles levels, places and clocks; None for nobody.
    described
        The same as keys of an application, and of an experiment.
    """

    title: str
    scheduler: Any
    manager: Manager | None = None
    device_manager: DeviceManager | None = None
    described: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    @property
    def manages(self) -> bool:
        """Whether it is a manager, of either kind."""
        return self.manager is not None or self.device_manager is not None


def contenders(specs: Sequence[Any], accelerator: str) -> list[Contender]:
    """Rows whose titles differ where what names them does.

    Parameters
    ----------
    specs
        What names schedulers and managers.
    accelerator
        Scheduler that managers run on which do not say it themselves.
    """
    made = [make_decider(spec) for spec in specs]
    titles = Counter(decider.title for decider in made)
    return [
        _contender(spec, decider, accelerator, alone=titles[decider.title] == 1)
        for spec, decider in zip(specs, made, strict=True)
    ]


def _contender(spec: Any, decider: Decider, accelerator: str, *, alone: bool) -> Contender:
    if isinstance(decider, Scheduler):
        own = decider if alone else _titled(decider, SCHEDULERS.write(spec))
        return Contender(own.title, own, described=({"scheduler": SCHEDULERS.describe(spec)}, {}))
    title = decider.title if alone else MANAGERS.write(spec)
    place, manager = decider.runs_on or accelerator, {"manager": MANAGERS.describe(spec)}
    if isinstance(decider, Manager):
        return Contender(title, place, decider, described=({"scheduler": place, **manager}, {}))
    return Contender(title, place, device_manager=decider, described=({"scheduler": place}, manager))


def _titled(scheduler: Scheduler, title: str) -> Scheduler:
    titled = copy(scheduler)
    titled.written = title
    return titled


def make_decider(spec: Any) -> Decider:
    """A scheduler or a manager of either kind, from whatever names one.

    Raises
    ------
    UnknownNameError
        Nothing of that name in either catalogue.
    UsageError
        An unknown or missing option, or something that is neither.
    """
    if isinstance(spec, (Manager, DeviceManager)) or is_manager_class(spec):
        return make_manager(spec)
    if isinstance(spec, (Scheduler, type)) or not _named(spec):
        return make_scheduler(spec)
    name = (parse_spec(_KIND, spec) if isinstance(spec, str) else unpack_spec(_KIND, spec))[0]
    return make_manager(spec) if _is_manager(name) else make_scheduler(spec)


def _named(spec: Any) -> bool:
    return isinstance(spec, str) or hasattr(spec, "keys")


def _is_manager(name: str) -> bool:
    """Whether a name is a manager's; of the same name a scheduler comes first."""
    if ":" in name:
        cls = import_class(_KIND, name, _BASES)
        if not issubclass(cls, _BASES):
            bases = ", ".join(base.__name__ for base in _BASES[1:])
            raise UsageError(
                f"{_KIND} {name!r}: {cls.__name__} must be a subclass of StaticScheduler, OnlineScheduler, {bases}"
            )
        return is_manager_class(cls)
    schedulers, managers = SCHEDULERS.names(), MANAGERS.names()
    if name in schedulers or name in managers:
        return name not in schedulers
    guess = nearest(name, {*schedulers, *managers})
    if guess in schedulers:
        return False
    raise UnknownNameError(_KIND, name, {*schedulers, *managers}, "Your own is written 'module:Class'.")


def describe_decider(spec: Any) -> Any:
    """What names a scheduler or a manager, as a comparison file has it."""
    return (
        MANAGERS.describe(spec) if isinstance(spec, (Manager, DeviceManager)) else SCHEDULERS.describe(spec)
    )
