"""A manager of a device at work: when it is asked, what it is told, and its settings carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from math import inf
from typing import Any

from simpy.events import Timeout

from socsim.errors import SocsimError, UsageError
from socsim.schedulers.guard import blamed
from socsim.schedulers.managers.device import DeviceManager, Range, Setting
from socsim.schedulers.options import Options
from socsim.simulation.answers import checked_setting
from socsim.simulation.clocks import Clocks
from socsim.simulation.levels import Choice
from socsim.simulation.managedview import MANAGER, DeviceView
from socsim.units import parse
from socsim.workloads.apps import Inference
from socsim.workloads.arrivals import At

__all__ = ["Managing", "known_events"]


class Managing:
    """Asks the manager of a device, and does what it wants.

    Levels and places hold for the next inference of each application; ranges are limits of the clocks, within which
    their governors, if any, go on.

    Parameters
    ----------
    manager
        Whom to ask.
    view
        What it is told.
    clocks
        What it limits.

    Raises
    ------
    UsageError
        A period or instants that are none.
    """

    def __init__(self, manager: DeviceManager, view: DeviceView, clocks: Clocks) -> None:
        self._manager, self._view, self._clocks = manager, view, clocks
        own = Options("manager", manager.title)
        self._period = inf if manager.period is None else own.seconds("period", manager.period, endless=True)
        self._ticks = 0
        self._ranges: dict[str, Range | None] = {}
        self._streams = {name: app.stream for name, app in view.apps.items()}
        self._places = {name: app.places for name, app in view.apps.items()}

    def start(self) -> None:
        """Check what the manager was told, ask for what holds at once, and set timers for the rest."""
        self._check()
        self._ask("start", at_once=True)
        for name, stream in self._streams.items():
            stream.on_finish = partial(self._finished, name)
        if self._period < inf:
            self._wait()
        for at in _checked_instants(self._manager):
            self._call_at(at, self._instant)

    def _check(self) -> None:
        """Refuse what the manager was told beforehand where the run does not have it."""
        manager = self._manager
        with blamed(manager, "foreseen", self._clocks.device.name, "manager"):
            told = list(manager.foreseen(self._view))
        for setting in told:
            try:
                checked_setting(setting, self._streams, self._places, self._clocks.domains)
            except SocsimError as error:
                raise UsageError(f"manager {manager.title!r}: {error}") from None

    def _finished(self, name: str, latency: float, service: float) -> None:
        app = self._view.apps[name]
        app.finished(latency, service)
        app.ending = 1
        self._ask("finished", name)
        app.ending = 0

    def _wait(self) -> None:
        self._ticks += 1
        self._call_at(self._ticks * self._period, self._tick)

    def _call_at(self, at: float, action: Any) -> None:
        env = self._clocks.env
        timer = Timeout(env, max(0.0, at - env.now))
        timer.callbacks.append(action)

    def _tick(self, event: Any) -> None:
        self._ask("tick")
        self._wait()

    def _instant(self, event: Any) -> None:
        self._ask("tick")

    def _ask(self, method: str, *args: str, at_once: bool = False) -> None:
        manager = self._manager
        with blamed(manager, method, self._clocks.device.name, "manager"):
            wanted = getattr(manager, method)(self._view, *args)
        if wanted is None and method != "start":
            return
        try:
            setting = checked_setting(wanted, self._streams, self._places, self._clocks.domains)
        except SocsimError as error:
            raise UsageError(f"manager {manager.title!r}, {method}(): {error}") from None
        self._apply(setting, at_once=at_once)

    def _apply(self, setting: Setting, *, at_once: bool) -> None:
        for name, level in setting.levels.items():
            stream = self._streams[name]
            stream.wanted = Choice(level, stream.wanted.place)
        for name, place in setting.places.items():
            stream = self._streams[name]
            stream.wanted = Choice(stream.wanted.level, place)
        for name, wanted in setting.clocks.items():
            if self._ranges.get(name) != wanted:
                self._ranges[name] = wanted
                self._limit(name, wanted, at_once=at_once)

    def _limit(self, name: str, wanted: Range | None, *, at_once: bool) -> None:
        """Limit a domain's clock; what the user wants at least counts for more."""
        domain = self._clocks.domains[name]
        low, high = wanted or (None, None)
        if high is not None:
            high = max(high, domain.floor_of("user"))
        self._clocks.limit(name, MANAGER, cap=high, floor=low, at_once=at_once)


def _checked_instants(manager: DeviceManager) -> list[float]:
    instants = list(manager.instants)
    for at in instants:
        if isinstance(at, bool) or not isinstance(at, (int, float)) or not 0.0 <= at < inf:
            raise UsageError(f"manager {manager.title!r}: instants must be times in s from 0 on, got {at!r}")
    return instants


def known_events(apps: Iterable[Any], end: float | None, further: Iterable[float] = ()) -> tuple[float, ...]:
    """Instants in s after 0 at which applications begin or end or targets change, as far as they say.

    Parameters
    ----------
    apps
        Inference applications and all others.
    end
        Of the run in s; None where it is not known.
    further
        Other instants at which something changes: of power modes.
    """
    found = {at for app in apps for at in _instants(app)} | set(further)
    return tuple(sorted(at for at in found if 0.0 < at < (inf if end is None else end)))


def _instants(app: Any) -> Iterable[float]:
    if isinstance(app, Inference):
        last = [app.start_s + app.source.at[-1]] if isinstance(app.source, At) else []
        return [app.begins_s, app.stop_s, *last, *(target.at for target in app.wanted.rows)]
    read: Mapping[str, Any] = {what: getattr(app, what, None) for what in ("start", "stop")}
    return [_time(value) for value in read.values() if value is not None]


def _time(value: float | str) -> float:
    return parse(value, "time") if isinstance(value, str) else float(value)
