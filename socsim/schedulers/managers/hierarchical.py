"""A manager of three layers: device-wide mapping and budgets, a level for each application, clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from socsim.errors import UsageError, nearest
from socsim.schedulers.managers.budgets import accuracy, admissible, budget, by_accuracy, step_of
from socsim.schedulers.managers.clockplan import Key, Plan, Planner
from socsim.schedulers.managers.device import AppState, DeviceManager, DeviceState, Range, Setting
from socsim.schedulers.managers.mapping import Alternatives, Mapper
from socsim.schedulers.managers.outlook import Demand, Table, foresee
from socsim.schedulers.managers.spaces import Clocks, Space, pinned, space_of
from socsim.schedulers.managers.sublevels import Sublevels
from socsim.schedulers.managers.watch import Watch
from socsim.schedulers.options import Options

__all__ = ["KNOBS", "Hierarchical", "check_rail"]

KNOBS = ("levels", "places", "clocks")
"""What a manager of a whole device may turn."""

_ROUNDING = 1e-9
"""Times in s that are the same."""

_DRIFT = 0.05
"""Relative steps of measured over foreseen times after which everything is looked at again."""

_WORTH = 0.01
"""Share of power beyond the idle device's at its lowest clocks that others must save: nothing foreseen is surer."""


def check_rail(owner: str, rail: str, known: Sequence[str]) -> str:
    """A rail or meter of the device, ``"total"`` included.

    Raises
    ------
    UsageError
        The device has no such rail.
    """
    if rail in known:
        return rail
    near = next((name for name in known if rail and name.startswith(rail)), None) or nearest(rail, known)
    hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
    raise UsageError(f"manager {owner!r}: rail must be a rail or meter of the device, got {rail!r}; {hint}")


class Hierarchical(DeviceManager):
    """Tune level, place and clocks together, at three paces, for least energy within latency and accuracy targets.

    **The device as a whole** is looked at every `review` where measured times have drifted, and whenever an application
    begins or ends, a target changes or other clocks are allowed: each application gets a place, a level to go to and a
    budget, its latency target or its period, whichever is shorter. Alternatives are compared by offline rows of each
    inference alone, stretched for what others use of the same units. A change of level or place must pay for its switch
    within `horizon`, unless limits cannot be kept without it.

    **An application's level** is looked at with each of its inferences: down where the mean of a full window exceeds
    the budget, up towards the level to go to where the time foreseen for the next one has been below 0.9 of the budget
    for `patience` windows. A level that was too slow is not tried again under the same conditions.

    **Clocks** are looked at with each inference and each `period`: of those at which foreseen times, scaled by measured
    ones, stay within the budgets less what is kept free of them, the ones that take the least energy over the whole
    interval, idle time included. Where nothing keeps the budgets, those of higher priority come first, and what is too
    late is least late, to within 2 %: clocks that would bring less are not worth their energy. A backlog shortens the
    budget of the next inference.

    Without a latency target nor a period, energy per inference decides alone. Without an accuracy target an application
    stays at the level it begins with. While no managed application is active, clocks are left to their governors.

    Parameters
    ----------
    rail
        Rail or meter whose energy counts; ``"total"`` is all of it.
    power
        Most mean power on that rail, in W or with a unit; goes before latency. None for no cap.
    knobs
        What it may turn, such as ``"levels+clocks"``; the others stay as they are.
    policies
        ``"together"``: CPU policies with the same operating points have one clock, for a thread may run on any of them;
        ``"apart"``: each its own.
    yields
        What gives way where a latency target cannot be met: ``"latency"``, or ``"accuracy"``, down to any level.
    margin
        Share of each budget that clocks keep free at most: all of it until `window` inferences have been measured, then
        as much as measured times have exceeded what was foreseen of late, and never less than 1 % (or `margin`).
    window, patience
        Inferences in a window, and windows that speak for going up.
    period, review
        Time between looks at clocks, and at the device as a whole, in s or with a unit.
    horizon
        Time in s, or with a unit, within which a switch of level or place must have paid for itself.

    Raises
    ------
    UsageError
        An option outside its rule; at the start of a run, a rail that the device does not have.

    Notes
    -----
    Of the published manager only the abstract [1]_ is known here: that it is hierarchical, and tunes dynamic networks
    and clocks at run time under targets and constraints that change. How many layers it has, their periods and its
    optimiser are not; those here are assumptions of this project. Which load it does not manage it sees only in the
    ratio of measured to foreseen times.

    References
    ----------
    .. [1] Xun, Hare and Merrett, "Dynamic DNNs and Runtime Management for Efficient Inference on Mobile/Embedded
       Devices", arXiv:2401.08965, 2024.
    """

    name = "hierarchical"

    def __init__(
        self,
        rail: str = "total",
        power: float | str | None = None,
        knobs: str | Sequence[str] = "levels+places+clocks",
        policies: str = "together",
        yields: str = "latency",
        margin: float = 0.05,
        window: int = 5,
        patience: int = 3,
        period: float | str = "50 ms",
        review: float | str = "1 s",
        horizon: float | str = "10 s",
    ) -> None:
        own = Options("manager", self.name)
        self.rail, self.power, self.knobs = rail, power, knobs
        self.period, self.review, self.horizon = period, review, horizon
        self.policies = own.one_of("policies", policies, ("together", "apart"))
        self.yields = own.one_of("yields", yields, ("latency", "accuracy"))
        self.margin = own.number("margin", margin, 0.0, 1.0, below=True)
        self.window, self.patience = own.count("window", window, 1), own.count("patience", patience, 1)
        self._cap, self._knobs = own.watts("power", power), own.some_of("knobs", knobs, KNOBS)
        self._review, self._horizon = (
            own.seconds("review", review, endless=True),
            own.seconds("horizon", horizon, endless=True),
        )
        own.seconds("period", period, endless=True)
        self._watches: dict[str, Watch] = {}
        self._clocks: Clocks | None = None
        self._told = Setting()
        self._since = self._reviewed = 0.0
        self._conditions: Any = None
        self._drifts: Any = None

    # --- when it is asked -----------------------------------------------------------------------------------

    def foreseen(self, state: DeviceState) -> tuple[Setting, ...]:
        """Nothing but the rail is told beforehand."""
        check_rail(self.name, self.rail, state.rails)
        return ()

    def start(self, state: DeviceState) -> Setting:
        """Levels, places and clocks of all applications: those that are active first, then those to come."""
        table = Table(state, check_rail(self.name, self.rail, state.rails))
        self._planner = Planner(table, self._cap)
        self._mapper = Mapper(self._planner)
        for name, app in state.apps.items():
            self._watches[name] = Watch(app, Sublevels(self.window, self.patience))
        self._conditions = self._look(state)
        self._space = self._choices(state)
        active = self._active(state) or [*state.apps]
        self._map(state, active, active, free=True)
        later = [name for name in state.apps if name not in active]
        if later:
            self._map(state, [*state.apps], later, free=True)
        self._clock(state, active)
        return self._changes() or Setting()

    def tick(self, state: DeviceState) -> Setting | None:
        """Look at what has changed, at the clocks, and from time to time at everything."""
        self._global(state)
        if any(app.waiting for app in state.apps.values()):
            self._clock(state, self._active(state))
        return self._changes()

    def finished(self, state: DeviceState, app: str) -> Setting | None:
        """Compare with what was foreseen; then level and clocks."""
        watch, seen = self._watches[app], state.apps[app]
        watch.passed(seen, state.now)
        load = self._measure(state, watch, seen)
        if not self._global(state):
            self._level(state, watch, seen, load)
            self._clock(state, self._active(state))
        return self._changes()

    # --- the device as a whole ------------------------------------------------------------------------------

    def _global(self, state: DeviceState) -> bool:
        """Whether everything was looked at anew."""
        conditions = self._look(state)
        event = conditions != self._conditions
        drifts = tuple(
            (step_of(w.drift.scale, _DRIFT, up=True), round(w.free(self.margin), 2))
            for w in self._watches.values()
        )
        due = state.now - self._reviewed >= self._review - _ROUNDING and drifts != self._drifts
        if not event and not due:
            return False
        self._conditions, self._drifts, self._reviewed = conditions, drifts, state.now
        if event:
            self._space = self._choices(state)
            self._since = state.now
            for watch in self._watches.values():
                watch.levels.forget()
        active = self._active(state)
        if active:
            self._map(state, active, active, free=False, event=event)
        self._clock(state, active)
        return True

    def _look(self, state: DeviceState) -> Any:
        """Conditions under which what was found holds."""
        apps = tuple((a.active, a.target.latency, a.target.top1) for a in state.apps.values())
        return apps, tuple(d.allowed for d in state.domains.values())

    def _choices(self, state: DeviceState) -> Space:
        only = None if "clocks" in self._knobs else ()
        return space_of(state, apart=self.policies == "apart", only=only)

    def _active(self, state: DeviceState) -> list[str]:
        return [name for name, app in state.apps.items() if app.active]

    def _map(
        self, state: DeviceState, names: list[str], movable: list[str], *, free: bool, event: bool = True
    ) -> None:
        """Levels and places of `movable` applications beside all of `names`; `free` where no switch is due."""
        demands = [self._watches[n].demand(state.apps[n], self.margin) for n in names]
        choices = {n: self._alternatives(state.apps[n], self._watches[n]) for n in movable}
        found, plan = self._mapper.best(self._space, demands, choices, self._clocks)
        if not free and not self._pays(state, demands, found, plan, choices):
            return
        for demand in found:
            watch, order = self._watches[demand.app], by_accuracy(state.apps[demand.app])
            watch.wanted = demand.level
            climbs = order.index(demand.level) > order.index(watch.level)
            if free or event or demand.place != watch.place or not climbs:
                watch.go(demand.level, demand.place)

    def _alternatives(self, app: AppState, watch: Watch) -> Alternatives:
        levels, places = self._levels(app, watch), app.places if "places" in self._knobs else (watch.place,)
        enough = [level for level in levels if level not in watch.levels.slow] or levels[:1]
        others = [level for level in reversed(by_accuracy(app)) if level not in levels]
        below = others if self.yields == "accuracy" and "levels" in self._knobs else []
        return Alternatives(
            accurate=[(level, place) for level in enough for place in places],
            others=[(level, place) for level in below for place in places],
            accuracy={level: accuracy(app, level) for level in app.top1},
            scales={place: watch.stepped(place) for place in app.places},
            too_slow=bool(watch.levels.slow),
        )

    def _levels(self, app: AppState, watch: Watch) -> list[int]:
        """Levels that are accurate enough."""
        return admissible(app, watch.begun) if "levels" in self._knobs else [watch.level]

    def _pays(
        self,
        state: DeviceState,
        now: Sequence[Demand],
        found: Sequence[Demand],
        plan: Plan,
        choices: Mapping[str, Alternatives],
    ) -> bool:
        """Whether what is found keeps targets better, or saves more within the horizon than switching takes."""
        before = self._planner.best(self._space, now, self._clocks)
        misses, missed = self._misses(found, plan, choices), self._misses(now, before, choices)
        if misses != missed:
            return misses < missed
        moved = [
            d.app for d, old in zip(found, now, strict=True) if (d.level, d.place) != (old.level, old.place)
        ]
        switching = sum(state.apps[name].switch_s for name in moved) * before.forecast.power
        return bool(moved) and (before.cost - plan.cost) * self._horizon > switching

    def _misses(self, demands: Sequence[Demand], plan: Plan, choices: Mapping[str, Alternatives]) -> Key:
        """How far targets are missed, what yields last."""
        short = sum(choices[d.app].shortfall(d.level) for d in demands)
        return (short, *plan.key[:-1]) if self.yields == "latency" else (*plan.key[:-1], short)

    # --- the level of one application -----------------------------------------------------------------------

    def _measure(self, state: DeviceState, watch: Watch, app: AppState) -> float:
        """Measured over foreseen time of an inference that ran under the present conditions; else the average."""
        service = app.services[-1]
        moved = (app.level, app.place) != (watch.level, watch.place)
        if moved or self._since > state.now - service + _ROUNDING:
            return watch.drift.scale
        active = self._active(state)
        names = active if watch.name in active else [*active, watch.name]
        demands = [replace(self._watches[n].demand(state.apps[n], self.margin), scale=1.0) for n in names]
        seen = foresee(self._planner.table, demands, self._clocks or ())
        foreseen = seen.latencies[names.index(watch.name)]
        watch.note(service, foreseen)
        return service / foreseen if foreseen > 0.0 else 1.0

    def _level(self, state: DeviceState, watch: Watch, app: AppState, load: float) -> None:
        if (app.level, app.place) != (watch.level, watch.place) or "levels" not in self._knobs:
            return
        allowed = by_accuracy(app) if self.yields == "accuracy" else self._levels(app, watch)
        ladder = watch.ladder(allowed)
        if watch.level not in ladder:
            return
        above = ladder[ladder.index(watch.level) + 1 :]
        foreseen = self._quickest(state, watch, above[0]) if above else 0.0
        level = watch.levels.moved(app.services[-1], budget(app), watch.level, ladder, foreseen, load)
        watch.go(level, watch.place)

    def _quickest(self, state: DeviceState, watch: Watch, level: int) -> float:
        """Time in s foreseen for a level at the highest clocks."""
        names = self._active(state)
        if watch.name not in names:
            names.append(watch.name)
        demands = [self._watches[n].demand(state.apps[n], self.margin) for n in names]
        i = names.index(watch.name)
        demands[i] = replace(demands[i], level=level)
        return foresee(self._planner.table, demands, self._space.clocks(self._space.top)).latencies[i]

    # --- clocks ---------------------------------------------------------------------------------------------

    def _clock(self, state: DeviceState, names: Sequence[str]) -> None:
        """The clocks for what runs; the present ones where others would hardly save anything."""
        if "clocks" not in self._knobs:
            return
        if not names:
            self._clocks = None
            return
        demands = [self._watches[n].demand(state.apps[n], self.margin, waiting=True) for n in names]
        plan = self._planner.best(self._space, demands, self._clocks)
        if plan.clocks == self._clocks or self._keeps(plan, demands):
            return
        self._clocks, self._since = plan.clocks, state.now
        for watch in self._watches.values():
            watch.levels.restart()

    def _keeps(self, plan: Plan, demands: list[Demand]) -> bool:
        """Whether the present clocks do as well."""
        if (
            self._clocks is None
            or self._space.clocks(self._space.nearest(dict(self._clocks))) != self._clocks
        ):
            return False
        present = self._planner.at(self._space, demands, self._clocks)
        lowest = self._space.clocks((0,) * len(self._space.sizes))
        own = max(0.0, 1.0 - self._planner.table.idle(lowest) / present.forecast.power)
        return present.key[:-1] <= plan.key[:-1] and present.cost * (1.0 - _WORTH * own) <= plan.cost

    # --- what it says ---------------------------------------------------------------------------------------

    def _changes(self) -> Setting | None:
        """What differs from what was said before."""
        watches = self._watches.values()
        levels = {w.name: w.level for w in watches} if "levels" in self._knobs else {}
        places = {w.name: w.place for w in watches} if "places" in self._knobs else {}
        clocks: dict[str, Range | None] = dict(pinned(self._clocks)) if self._clocks else {}
        for name in self._told.clocks:
            clocks.setdefault(name, None)
        now = Setting(levels, places, clocks)
        before, self._told = self._told, now
        fresh = Setting(
            {k: v for k, v in levels.items() if before.levels.get(k) != v},
            {k: v for k, v in places.items() if before.places.get(k) != v},
            {k: v for k, v in clocks.items() if k not in before.clocks or before.clocks[k] != v},
        )
        return fresh if fresh.levels or fresh.places or fresh.clocks else None
