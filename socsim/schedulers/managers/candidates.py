"""What an oracle may settle for a phase, each with what it takes at least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from socsim.schedulers.managers.device import Setting
from socsim.schedulers.managers.outlook import Row, Table
from socsim.schedulers.managers.phases import Goal, Phase
from socsim.schedulers.managers.spaces import Clocks, Group, Space, pinned

__all__ = ["Assignment", "Candidate", "bound", "candidates", "corners", "undominated", "unused_low"]

Assignment = tuple[tuple[str, int, str], ...]
"""(Application, level, place) of those that are active."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Levels, places and clocks.

    Parameters
    ----------
    what
        Levels and places.
    clocks
        Pinned clocks.
    bound
        Energy in J over work that the phase takes at least.
    alone
        Latency in s of an inference of each application on the idle device.
    """

    what: Assignment
    clocks: Clocks
    bound: float
    alone: tuple[float, ...]

    @property
    def setting(self) -> Setting:
        """What a manager says for it."""
        return Setting(
            {app: level for app, level, _ in self.what},
            {app: place for app, _, place in self.what},
            dict(pinned(self.clocks)),
        )


def candidates(
    table: Table, phase: Phase, what: Assignment, spaces: Sequence[Space], *, lenient: bool = False
) -> Iterator[Candidate]:
    """All clocks of `spaces` at which no application is too slow already when alone; `lenient` ones even if it is."""
    seen: set[Clocks] = set()
    for space in spaces:
        for point in product(*map(range, space.sizes)):
            clocks = space.clocks(point)
            if clocks in seen:
                continue
            seen.add(clocks)
            rows = [table.row(*one, clocks) for one in what]
            if lenient or all(row.latency <= goal.limit for row, goal in zip(rows, phase.goals, strict=True)):
                yield Candidate(
                    what, clocks, bound(table, phase, rows, clocks), tuple(r.latency for r in rows)
                )


def bound(table: Table, phase: Phase, rows: Sequence[Row], clocks: Clocks) -> float:
    """Energy in J over work that a phase takes at least, if sharing the device never takes less energy or time.

    What arrives anyway costs what its rows say; how often an application runs that waits for nothing is bounded by its
    latency alone, and of the rates within that the most favourable is taken.
    """
    pairs = [*zip(phase.goals, rows, strict=True)]
    idle, length = table.idle(clocks), phase.end - phase.begin
    if phase.open_ended:
        longest = max((_least(phase, goal, row) for goal, row in pairs), default=length)
        return idle * longest + sum(goal.count * row.energy for goal, row in pairs)
    fixed = idle * length + sum(goal.sure * row.energy for goal, row in pairs if not goal.closed)
    closed = [pair for pair in pairs if pair[0].closed]
    under_way = 1.0 if phase.begin > 0.0 else 0.0
    ends = [(0.0, length / row.latency) for _, row in closed]
    rates = [counts for counts in product(*ends) if any(counts) or len(closed) < len(pairs)]
    return min(_per_work(fixed, pairs, closed, counts, under_way) for counts in rates)


def _least(phase: Phase, goal: Goal, row: Row) -> float:
    """How long an application takes at least, in s from the beginning of the phase."""
    return goal.count * row.latency if goal.closed else goal.last - phase.begin + row.latency


def _per_work(
    fixed: float,
    pairs: Sequence[tuple[Goal, Row]],
    closed: Sequence[tuple[Goal, Row]],
    counts: Sequence[float],
    under_way: float,
) -> float:
    """At given rates; what was under way before the phase may finish in it at no cost."""
    energy = fixed + sum(n * row.energy for n, (_, row) in zip(counts, closed, strict=True))
    done = sum((n + under_way) / max(1, goal.count) for n, (goal, _) in zip(counts, closed, strict=True))
    return energy * len(pairs) / (done + len(pairs) - len(closed)) if pairs else energy


def corners(space: Space) -> list[Clocks]:
    """Clocks at all ends of a space at once."""
    return [space.clocks(point) for point in product(*({0, size - 1} for size in space.sizes))]


def undominated(
    table: Table,
    app: str,
    pairs: Sequence[tuple[int, str]],
    clocks: Sequence[Clocks],
    accuracy: Mapping[int, float],
) -> list[tuple[int, str]]:
    """Levels and places of which no other of the same place takes no more time, energy and busy time at any corner.

    Of those that take the same, the most accurate is kept.
    """
    needs = {pair: [_needs(table.row(app, *pair, c)) for c in clocks] for pair in pairs}
    kept: list[tuple[int, str]] = []
    for pair in sorted(pairs, key=lambda p: (-accuracy[p[0]], p[1])):
        rivals = [other for other in pairs if other[1] == pair[1] and other != pair]
        if not any(_beats(needs[o], needs[pair], accuracy[o[0]] > accuracy[pair[0]]) for o in rivals):
            kept.append(pair)
    return kept


def _needs(row: Row) -> Mapping[str, float]:
    return {"": row.energy, " ": row.latency, **row.busy}


def _beats(one: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]], tie: bool) -> bool:
    if one == other:
        return tie
    return all(a.get(k, 0.0) <= b.get(k, 0.0) for a, b in zip(one, other, strict=True) for k in {*a, *b})


def unused_low(space: Space, table: Table, what: Assignment) -> Space | None:
    """The space in which CPU policies that no inference of an assignment uses stay at their lowest clock.

    None where there are none, or where nothing would be left in a group.
    """
    top = space.clocks(space.top)
    used = {d for one in what for d, busy in table.row(*one, top).busy.items() if busy > 0.0}
    groups: list[Group] = []
    for group in space.groups:
        idle = tuple(d for d in group.domains if table.kinds[d] == "cpu" and d not in used)
        busy = tuple(d for d in group.domains if d not in idle)
        groups += [Group(busy, group.points)] if busy else []
        groups += [Group(idle, group.points[:1])] if idle else []
    return Space(groups) if sorted(map(repr, groups)) != sorted(map(repr, space.groups)) else None
