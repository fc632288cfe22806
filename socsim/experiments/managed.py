"""Whether what a manager of the device is told fits the device and the applications of an experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from socsim.errors import SocsimError
from socsim.experiments.experiment import Experiment
from socsim.schedulers.managers import DeviceManager, make_device_manager
from socsim.schedulers.managers.device import DeviceState, Setting

__all__ = ["check_manager"]

_AN_INSTANT = 1e-9


class _Told(DeviceManager):
    """What a manager was told, without anything that it decides itself."""

    def __init__(self, manager: DeviceManager) -> None:
        self._manager = manager
        self.written = manager.title

    def foreseen(self, state: DeviceState) -> Iterable[Setting]:
        return self._manager.foreseen(state)

    def start(self, state: DeviceState) -> Setting:
        return Setting()


def check_manager(experiment: Experiment, spec: Any) -> None:
    """Refuse a manager whose own settings the device and the applications do not have.

    The experiment is run for an instant under a manager that was told the same and decides nothing. What else is wrong
    with the experiment is told by whoever loads that.

    Raises
    ------
    SocsimError
        No such manager, options against its rules, or settings of applications, levels, places or clocks that there
        are not.
    """
    manager = make_device_manager(spec)
    told = _Told(manager)
    try:
        replace(experiment, manager=told, duration_s=_AN_INSTANT, config={}).run()
    except SocsimError as error:
        if str(error).startswith((f"manager {told.title!r}", f"manager {manager.name!r}")):
            raise
