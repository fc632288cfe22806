"""A stretch of a run in which nothing changes: what is wanted in it, and how well a rehearsal does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import NamedTuple

from socsim.schedulers.managers.budgets import budget
from socsim.schedulers.managers.device import AppState, DeviceState, Rehearsal

__all__ = ["Goal", "Phase", "Score", "phases", "score"]

_SLACK = 1e-9
"""Relative and in s: what rounding may make of a time."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What one application does in a phase, and what is wanted of it.

    Parameters
    ----------
    app
        Its name.
    limit
        Longest latency in s; infinite where nothing is wanted.
    rank
        Its priority.
    closed
        Whether each inference arrives when the one before has finished, so that how many there are is up to the clocks.
    count
        Inferences at the highest clocks: that arrive in the phase, or, where closed, that finish in it.
    sure
        Of them, those that are finished within the phase by any run that is in time.
    last
        Arrival in s of the last one.
    """

    app: str
    limit: float
    rank: float
    closed: bool
    count: int
    sure: int
    last: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a run.

    Parameters
    ----------
    begin
        In s.
    until
        Its end in s, where a rehearsal of it may stop; None for the end of the run.
    end
        The same, at the highest clocks for the end of the run.
    open_ended
        Whether the run ends when all is done, so that its length depends on how fast that is.
    goals
        Of the applications that are active.
    """

    begin: float
    until: float | None
    end: float
    open_ended: bool
    goals: tuple[Goal, ...]


class Score(NamedTuple):
    """How well a rehearsal does a phase; smaller is better.

    Parameters
    ----------
    over
        Mean power above the cap, relative to it.
    late
        Times above limits, by priority from the highest on.
    joules
        Energy in J of the phase over the work done in it, relative to that at the highest clocks.
    """

    over: float
    late: tuple[float, ...]
    joules: float

    @property
    def feasible(self) -> bool:
        """Whether all limits are kept."""
        return self.over <= 0.0 and not any(self.late)


def phases(state: DeviceState, fastest: Rehearsal, *, certain: bool) -> list[Phase]:
    """A run's phases, as far as a rehearsal at the highest clocks tells.

    Parameters
    ----------
    certain
        Whether an inference in time is certain to be finished within its limit.
    """
    begins = [0.0, *sorted(t for t in {*state.events} if 0.0 < t < fastest.duration_s - _SLACK)]
    ends: list[float | None] = [*begins[1:], None]
    return [_phase(state, fastest, b, e, certain) for b, e in zip(begins, ends, strict=True)]


def _phase(state: DeviceState, fastest: Rehearsal, begin: float, until: float | None, certain: bool) -> Phase:
    end = fastest.duration_s if until is None else until
    goals = [_goal(app, fastest, begin, end, certain) for app in state.apps.values()]
    ended = max((a + t for n in state.apps for a, t in _pairs(fastest, n)), default=0.0)
    done = not any(fastest.unfinished.values()) and abs(ended - fastest.duration_s) <= _SLACK
    return Phase(begin, until, end, until is None and done, tuple(g for g in goals if g is not None))


def _goal(app: AppState, fastest: Rehearsal, begin: float, end: float, certain: bool) -> Goal | None:
    pairs = _pairs(fastest, app.name)
    inside = [a for a, _ in pairs if begin - _SLACK <= a < end - _SLACK]
    if not inside:
        return None
    limit = budget(app, app.targets.at(begin))
    closed = app.period is None and _closed(pairs)
    finished = sum(begin < a + t <= end + _SLACK for a, t in pairs)
    surely = sum(a + limit <= end + _SLACK for a in inside) if certain else len(inside) - 1
    return Goal(
        app.name, limit, app.priority, closed, finished if closed else len(inside), surely, inside[-1]
    )


def _closed(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether every inference arrives as the one before finishes."""
    finishes = [a + t for a, t in pairs]
    gaps = [abs(after[0] - finish) for finish, after in zip(finishes, pairs[1:], strict=False)]
    return bool(gaps) and max(gaps) <= _SLACK


def _pairs(run: Rehearsal, app: str) -> list[tuple[float, float]]:
    return [*zip(run.arrivals_s[app], run.latencies_s[app], strict=True)]


def score(
    phase: Phase, run: Rehearsal, rail: str, before: float, cap: float, settle: float, in_time: float | None
) -> Score:
    """How well a rehearsal does a phase.

    Parameters
    ----------
    rail, before
        Whose energy counts, and that of what came before the phase, in J.
    cap
        Most mean power in W.
    settle
        Time in s at the beginning of the phase whose arrivals need not be in time, if there are later ones.
    in_time
        Share of inferences that must be; None where their mean must be.
    """
    end = run.duration_s if phase.until is None else phase.until
    energy = run.energy_j[rail] - before
    power = energy / (end - phase.begin) if end > phase.begin else 0.0
    late: dict[float, float] = {}
    for goal in phase.goals:
        late[goal.rank] = late.get(goal.rank, 0.0) + _lateness(phase, goal, run, end, settle, in_time)
    over = power / cap - 1.0
    return Score(
        over if over > _SLACK else 0.0,
        tuple(late[rank] for rank in sorted(late, reverse=True)),
        energy / max(_work(phase, run, end), _SLACK),
    )


def _work(phase: Phase, run: Rehearsal, end: float) -> float:
    """Inferences relative to those at the highest clocks; those that arrive anyway are none more for being fast."""
    if not phase.goals:
        return 1.0
    shares = [
        sum(phase.begin < a + t <= end + _SLACK for a, t in _pairs(run, g.app)) / max(1, g.count)
        if g.closed
        else 1.0
        for g in phase.goals
    ]
    return sum(shares) / len(shares)


def _lateness(
    phase: Phase, goal: Goal, run: Rehearsal, end: float, settle: float, in_time: float | None
) -> float:
    """How far an application is from its limit, relative to it; 0 where it keeps it."""
    pairs = [(a, t) for a, t in _pairs(run, goal.app) if phase.begin - _SLACK <= a < end - _SLACK]
    times = [t for a, t in pairs if a >= phase.begin + settle - _SLACK] or [t for _, t in pairs]
    missing = max(0, goal.count - len(pairs) - 1) if not goal.closed else 0
    if goal.limit == inf:
        return float(missing)
    if not times:
        return float(goal.count)
    above = _mean(times, goal.limit) if in_time is None else _beyond(times, goal.limit, in_time)
    return missing + above


def _mean(times: Sequence[float], limit: float) -> float:
    return max(0.0, sum(times) / len(times) / limit - 1.0 - _SLACK)


def _beyond(times: Sequence[float], limit: float, in_time: float) -> float:
    """How much above the limit the slowest is that must be in time."""
    needed = ceil(in_time * len(times) - _SLACK)
    return max(0.0, sorted(times)[max(0, needed - 1)] / limit - 1.0 - _SLACK)
