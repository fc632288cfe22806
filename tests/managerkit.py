"""A device of a few lines for managers: costs in closed form, and a run of one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf, nan
from typing import Any

from socsim.schedulers.governors.opps import OppView
from socsim.schedulers.managers.device import Cost, DeviceManager, Range, Rehearsal, Setting
from socsim.workloads.targets import NO_TARGETS, Target, Targets, make_targets

GHZ = 1e9

ALL = Range(0.0, inf)


@dataclass
class Domain:
    """A clock: what a busy unit draws at 1 GHz (with its cube), and what it draws idle (with its first power)."""

    name: str
    kind: str
    opps: OppView
    busy_w: float = 1.0
    idle_w: float = 0.1
    allowed: Range = ALL
    frequency: float = 0.0
    units: int = 1

    def held(self, setting: Range | None) -> float:
        """The clock that a setting leads to; without a governor the highest."""
        wanted = self.allowed.high if setting is None else min(setting.high, self.allowed.high)
        return self.opps.pick(wanted, "at_most", self.allowed.low)


@dataclass
class App:
    """An application: cycles by place and level and domain, one after the other."""

    name: str
    work: Mapping[str, Mapping[int, Mapping[str, float]]]
    accuracies: Mapping[int, float] = field(default_factory=dict)
    level: int = 1
    goals: Any = NO_TARGETS
    priority: float = 0.0
    period: float | None = None
    switch_s: float = 0.0
    begin: float = 0.0
    end: float = inf
    place: str = ""
    active: bool = True
    waiting: int = 0
    latencies: list[float] = field(default_factory=list)
    services: list[float] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0

    def __post_init__(self) -> None:
        self.place = self.place or next(iter(self.work))
        self.goals = make_targets(self.goals)

    @property
    def top1(self) -> Mapping[int, float]:
        levels = next(iter(self.work.values()))
        return {level: self.accuracies.get(level, nan) for level in levels}

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(self.work)

    @property
    def targets(self) -> Targets:
        return self.goals

    @property
    def target(self) -> Target:
        return self.goals.at(self.clock())


def domain(name: str, kind: str, *ghz: float, busy: float = 1.0, idle: float = 0.1) -> Domain:
    """A domain with points in GHz."""
    return Domain(name, kind, OppView(f * GHZ for f in ghz), busy, idle)


def network(name: str, levels: Mapping[int, Mapping[str, float]], **more: Any) -> App:
    """An application on the GPU: level -> domain -> 10^9 cycles; accuracies are 70 + level unless given."""
    work = {"gpu": {k: {d: c * GHZ for d, c in row.items()} for k, row in levels.items()}}
    more.setdefault("accuracies", {k: 70.0 + k for k in levels})
    return App(name, work, **more)


@dataclass
class World:
    """A device state in closed form, and what a simulation would do with it.

    ``slow(time, app)`` makes inferences that begin then slower; so does each other one under way, by `contention`.
    """

    domains: dict[str, Domain]
    apps: dict[str, App]
    base_w: float = 1.0
    slow: Callable[[float, str], float] = lambda time, app: 1.0
    contention: float = 0.0
    duration: float = 10.0
    now: float = 0.0
    rails: tuple[str, ...] = ("total", "core")
    asked: int = 0
    rehearsed: int = 0

    def __post_init__(self) -> None:
        for one in self.domains.values():
            one.frequency = one.held(None)
        for app in self.apps.values():
            app.clock = lambda: self.now
        self._begun = {n: App(**vars(a)) for n, a in self.apps.items()}

    @property
    def events(self) -> tuple[float, ...]:
        at = {app.begin for app in self.apps.values()} | {app.end for app in self.apps.values()}
        at |= {row.at for app in self.apps.values() for row in app.goals.rows}
        return tuple(sorted(t for t in at if 0.0 < t < self.duration))

    def idle_w(self, clocks: Mapping[str, float]) -> Mapping[str, float]:
        core = sum(d.idle_w * self._ghz(d, clocks, d.frequency) for d in self.domains.values())
        return {"core": core, "total": core + self.base_w}

    def cost(self, app: str, level: int, place: str, clocks: Mapping[str, float]) -> Cost:
        self.asked += 1
        cycles = self.apps[app].work[place][level]
        ghz = {n: self._ghz(self.domains[n], clocks, self.domains[n].opps.highest) for n in cycles}
        busy = {n: c / (ghz[n] * GHZ) for n, c in cycles.items()}
        energy = sum(busy[n] * self.domains[n].busy_w * ghz[n] ** 3 for n in cycles)
        return Cost(sum(busy.values()), busy, {"core": energy, "total": energy})

    def _ghz(self, one: Domain, clocks: Mapping[str, float], otherwise: float) -> float:
        wanted = clocks.get(one.name, otherwise)
        return one.opps.pick(wanted, "at_most") / GHZ

    def rehearse(self, settings: Sequence[tuple[float, Setting]], until: float | None = None) -> Rehearsal:
        self.rehearsed += 1
        return Run(self.copy(until), Replay(settings)).through()

    def copy(self, until: float | None = None) -> World:
        """The same before any run of it."""
        apps = {n: App(**{**vars(a), "latencies": [], "services": []}) for n, a in self._begun.items()}
        domains = {n: Domain(**vars(d)) for n, d in self.domains.items()}
        end = self.duration if until is None else until
        return World(domains, apps, self.base_w, self.slow, self.contention, end)


class Replay(DeviceManager):
    """Settings at their instants."""

    period = 0.001

    def __init__(self, settings: Sequence[tuple[float, Setting]]) -> None:
        self.left = list(settings)

    def start(self, state: Any) -> Setting:
        return self.left.pop(0)[1]

    def tick(self, state: Any) -> Setting | None:
        return self.left.pop(0)[1] if self.left and self.left[0][0] <= state.now + 1e-9 else None


class Run:
    """A run of a world under a manager: arrivals, finishes and ticks in order of time."""

    def __init__(self, world: World, manager: DeviceManager) -> None:
        self.world, self.manager = world, manager
        self.levels: dict[str, list[int]] = {n: [] for n in world.apps}
        self.arrivals: dict[str, list[float]] = {n: [] for n in world.apps}
        self.settings: list[tuple[float, Setting]] = []
        self.clocks: list[tuple[float, dict[str, float]]] = []
        self.energy = {"core": 0.0, "total": 0.0}
        self._next = {n: (a.level, a.place) for n, a in world.apps.items()}
        self._queues: dict[str, list[float]] = {n: [] for n in world.apps}
        self._running: dict[str, tuple[float, float, int]] = {}
        self._events: list[tuple[float, int, str, str]] = []

    def through(self) -> Rehearsal:
        """The whole run."""
        world = self.world
        for app in world.apps.values():
            app.active = app.begin <= 0.0
            app.waiting = 0
            self._push(app.begin, "arrival", app.name)
        self._take(self.manager.start(world))
        if isinstance(self.manager.period, (int, float, str)):
            self._push(_seconds(self.manager.period), "tick", "")
        last = 0.0
        while self._events and self._events[0][0] <= world.duration + 1e-12:
            now, _, kind, name = heappop(self._events)
            self._pass(now - last)
            last = world.now = now
            getattr(self, f"_{kind}")(name)
        self._pass(world.duration - last)
        world.now = world.duration
        open_ = {n: len(q) + (n in self._running) for n, q in self._queues.items()}
        latencies = {n: list(a.latencies) for n, a in world.apps.items()}
        return Rehearsal(world.duration, self.energy, latencies, self.arrivals, self.levels, open_)

    def _push(self, at: float, kind: str, name: str) -> None:
        order = {"finish": 0, "arrival": 1, "tick": 2}[kind]
        heappush(self._events, (at, order, kind, name))

    def _pass(self, time: float) -> None:
        for rail, power in self.world.idle_w({}).items():
            self.energy[rail] += power * time

    def _arrival(self, name: str) -> None:
        app = self.world.apps[name]
        if self.world.now >= app.end:
            return
        app.active = True
        self._queues[name].append(self.world.now)
        app.waiting = len(self._queues[name])
        if app.period is not None:
            self._push(self.world.now + app.period, "arrival", name)
        self._begin(name)

    def _begin(self, name: str) -> None:
        if name in self._running or not self._queues[name]:
            return
        world, app = self.world, self.world.apps[name]
        level, place = self._next[name]
        switch = app.switch_s if self.levels[name] and (level, place) != (app.level, app.place) else 0.0
        app.level, app.place = level, place
        arrived = self._queues[name].pop(0)
        app.waiting = len(self._queues[name])
        cost = world.cost(name, level, place, {n: d.frequency for n, d in world.domains.items()})
        others = sum(world.apps[o].place == place for o in self._running)
        service = cost.latency_s * world.slow(world.now, name) * (1.0 + world.contention * others)
        for rail in self.energy:
            self.energy[rail] += cost.energy_j[rail]
        self._running[name] = (arrived, service, level)
        self._push(world.now + switch + service, "finish", name)

    def _finish(self, name: str) -> None:
        world, app = self.world, self.world.apps[name]
        arrived, service, level = self._running.pop(name)
        app.latencies.append(world.now - arrived)
        app.services.append(service)
        self.levels[name].append(level)
        self.arrivals[name].append(arrived)
        if app.period is None and world.now < app.end:
            self._push(world.now, "arrival", name)
        app.active = world.now < app.end
        self._take(self.manager.finished(world, name))
        self._begin(name)

    def _tick(self, name: str) -> None:
        for app in self.world.apps.values():
            app.active = app.begin <= self.world.now and (
                self.world.now < app.end or app.name in self._running
            )
        self._take(self.manager.tick(self.world))
        if self.manager.period is not None:
            self._push(self.world.now + _seconds(self.manager.period), "tick", "")

    def _take(self, setting: Setting | None) -> None:
        if setting is None:
            return
        self.settings.append((self.world.now, setting))
        for name in {*setting.levels, *setting.places}:
            level, place = self._next[name]
            self._next[name] = (setting.levels.get(name, level), setting.places.get(name, place))
        for name, held in setting.clocks.items():
            one = self.world.domains[name]
            one.frequency = one.held(held)
        self.clocks.append((self.world.now, {n: d.frequency / GHZ for n, d in self.world.domains.items()}))


def _seconds(period: float | str) -> float:
    from socsim.units import parse

    return parse(period, "time") if isinstance(period, str) else float(period)


def world(*apps: App, domains: Sequence[Domain] = (), **more: Any) -> World:
    """A device of a CPU and a GPU with those applications."""
    given = domains or (
        domain("cpu", "cpu", 0.5, 1.0, 1.5, 2.0),
        domain("gpu", "gpu", 0.25, 0.5, 0.75, 1.0, busy=4.0),
    )
    return World({d.name: d for d in given}, {a.name: a for a in apps}, **more)


def play(state: World, manager: DeviceManager) -> Run:
    """A run of a manager, through."""
    run = Run(state, manager)
    run.through()
    return run
