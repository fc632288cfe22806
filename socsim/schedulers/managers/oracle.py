"""A manager that knows the future and has all the time in the world: how good any could be."""

from __future__ import annotations

from collections.abc import Sequence

from socsim.schedulers.managers.budgets import accuracy, admissible
from socsim.schedulers.managers.candidates import Candidate
from socsim.schedulers.managers.device import AppState, DeviceManager, DeviceState, Rehearsal, Setting
from socsim.schedulers.managers.hierarchical import KNOBS, check_rail
from socsim.schedulers.managers.offline import Offline, PhaseReport, at_rest
from socsim.schedulers.managers.outlook import Table
from socsim.schedulers.managers.phases import Phase, Score, phases, score
from socsim.schedulers.managers.search import Found, Search
from socsim.schedulers.managers.spaces import Clocks, Space, pinned, space_of
from socsim.schedulers.options import Options

__all__ = ["Oracle", "PhaseReport"]

_ROUNDING = 1e-9
"""Times in s that are the same."""


class Oracle(DeviceManager):
    """Search all levels, places and clocks offline, by simulating the whole run with each: the least energy there is.

    A run is cut where applications begin or end and targets change; phases are searched one after the other, with what
    was found for earlier ones. In a phase nothing changes: one level and place for each application, one clock for each
    domain. Of all combinations that are accurate enough, those whose offline rows, alone on the device, are in time are
    put in order of a lower bound, idle power and rows without any contention, and simulated from the lowest on until no
    bound is below the best that kept all limits. :attr:`report` says for each phase how far it came.

    Parameters
    ----------
    rail
        Rail or meter whose energy counts; ``"total"`` is all of it.
    power
        Most mean power on that rail in each phase, in W or with a unit; None for no cap.
    knobs
        What it may turn, such as ``"levels+clocks"``; the others stay as they are.
    judge
        ``"share"``: as many inferences as `in_time` says must be within the limit, which is the latency target or the
        period, whichever is shorter; ``"mean"``: their mean must.
    in_time
        Share of inferences, above 0 up to 1.
    settle
        Time at the beginning of each phase, in s or with a unit, whose arrivals need not be in time.
    effort
        Most simulations, shared among phases.
    rows
        Most combinations in a phase; beyond, clocks are thinned out, and those around the best are searched again.

    Attributes
    ----------
    report : tuple of PhaseReport
        Of each phase, after the start of a run.

    Raises
    ------
    UsageError
        An option outside its rule; at the start of a run, a rail that the device does not have.

    Notes
    -----
    CPU policies with the same operating points have one clock; or those that no inference uses alone have their lowest.
    Bounds hold where inferences that share the device take no less energy and time than alone, and clocks nowhere
    higher make nothing faster; rehearsals below their bound are counted. What changes within a phase could still
    take less energy: the oracle is a yardstick for settings that hold, not for all that could be done.
    """

    name = "oracle"

    def __init__(
        self,
        rail: str = "total",
        power: float | str | None = None,
        knobs: str | Sequence[str] = "levels+places+clocks",
        judge: str = "share",
        in_time: float = 1.0,
        settle: float | str = "1 s",
        effort: int = 200,
        rows: int = 4000,
    ) -> None:
        own = Options("manager", self.name)
        self.rail, self.power, self.knobs, self.settle = rail, power, knobs, settle
        self.judge = own.one_of("judge", judge, ("share", "mean"))
        self.in_time = own.number("in_time", in_time, 0.0, 1.0)
        self.effort, self.rows = own.count("effort", effort, 1), own.count("rows", rows, 1)
        self._cap, self._knobs = own.watts("power", power), own.some_of("knobs", knobs, KNOBS)
        self._settle = own.seconds("settle", settle, endless=True)
        self._plan: list[tuple[float, Setting]] = []
        self.report: Sequence[PhaseReport] = ()

    def foreseen(self, state: DeviceState) -> tuple[Setting, ...]:
        """Nothing but the rail is told beforehand."""
        check_rail(self.name, self.rail, state.rails)
        return ()

    def start(self, state: DeviceState) -> Setting:
        """Search everything."""
        self._table = Table(state, check_rail(self.name, self.rail, state.rails))
        known = phases(state, state.rehearse([(0.0, self._fastest(state))]), certain=self._certain)
        plan, before, reports = list[tuple[float, Setting]](), 0.0, list[PhaseReport]()
        for phase in known:
            found, report = self._searched(state, phase, plan, before, max(1, self.effort // len(known)))
            plan.append((phase.begin, report.setting))
            reports.append(report)
            if phase.until is not None:
                run = state.rehearse(plan, phase.until) if found is None else found.run
                before = run.energy_j[self.rail]
        self.report, self._plan, self.instants = tuple(reports), plan, [at for at, _ in plan[1:]]
        return self._plan.pop(0)[1]

    def tick(self, state: DeviceState) -> Setting | None:
        """What was found for the phase that begins now."""
        if self._plan and self._plan[0][0] <= state.now + _ROUNDING:
            return self._plan.pop(0)[1]
        return None

    def finished(self, state: DeviceState, app: str) -> Setting | None:
        """Nothing: what is settled holds."""
        return None

    @property
    def _certain(self) -> bool:
        """Whether every inference must be in time, those at the beginnings of phases too."""
        return self._share == 1.0

    @property
    def _share(self) -> float | None:
        return None if self.judge == "mean" else self.in_time

    def _space(self, state: DeviceState) -> Space:
        return space_of(state, only=None if "clocks" in self._knobs else ())

    def _fastest(self, state: DeviceState) -> Setting:
        """The highest clocks, and for each application what takes the least time at them."""
        space = self._space(state)
        top = space.clocks(space.top)
        chosen = {app.name: self._quickest(app, top) for app in state.apps.values()}
        levels = {name: level for name, (level, _) in chosen.items()}
        return Setting(levels, {name: place for name, (_, place) in chosen.items()}, dict(pinned(top)))

    def _quickest(self, app: AppState, clocks: Clocks) -> tuple[int, str]:
        """Level and place of the least time, of those that are accurate enough at first."""
        return min(
            self._pairs(app, 0.0),
            key=lambda pair: self._table.row(app.name, pair[0], pair[1], clocks).latency,
        )

    def _pairs(self, app: AppState, now: float) -> list[tuple[int, str]]:
        """Levels that are accurate enough from an instant in s on, and places."""
        levels = admissible(app, app.level, app.targets.at(now)) if "levels" in self._knobs else [app.level]
        places = app.places if "places" in self._knobs else (app.place,)
        return [(level, place) for level in levels for place in places]

    def _searched(
        self,
        state: DeviceState,
        phase: Phase,
        plan: Sequence[tuple[float, Setting]],
        before: float,
        effort: int,
    ) -> tuple[Found | None, PhaseReport]:
        """What is found for a phase, after what was found for earlier ones."""
        space = self._space(state)
        if not phase.goals:
            return None, at_rest(phase, space)

        def trial(candidate: Candidate) -> tuple[Score, Rehearsal]:
            run = state.rehearse([*plan, (phase.begin, candidate.setting)], phase.until)
            return score(phase, run, self.rail, before, self._cap, self._settle, self._share), run

        search = Search(phase, trial, effort, self._settle)
        offline = Offline(self._table, phase, search, self.rows, bounded="clocks" in self._knobs)
        apps = {goal.app: state.apps[goal.app] for goal in phase.goals}
        pairs = {name: self._pairs(app, phase.begin) for name, app in apps.items()}
        accuracies = {name: {level: accuracy(app, level) for level in app.top1} for name, app in apps.items()}
        report = offline.through(space, pairs, accuracies)
        return search.best, report
