"""The search for one phase: which candidates there are, in which order, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from socsim.schedulers.managers.candidates import (
    Assignment,
    Candidate,
    candidates,
    corners,
    undominated,
    unused_low,
)
from socsim.schedulers.managers.device import Setting
from socsim.schedulers.managers.outlook import Table
from socsim.schedulers.managers.phases import Phase
from socsim.schedulers.managers.search import Search
from socsim.schedulers.managers.spaces import Group, Space, thinned

__all__ = ["Offline", "PhaseReport", "at_rest"]

_COARSE = 0.6
"""Share of rehearsals for clocks that are thinned out, where there are too many."""


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """What the search for one phase came to.

    Parameters
    ----------
    begin_s, end_s
        Of the phase, in s; the end at the highest clocks.
    setting
        What is settled.
    feasible
        Whether it keeps all limits; if not, it is the one that misses them least of those that were rehearsed.
    energy_j
        Energy in J over the work done, relative to that at the highest clocks.
    bound_j
        No candidate that was searched takes less.
    gap
        Energy above the bound, relative to it; 0 where it is proved best.
    complete
        Whether candidates were all clocks there are, so that the bound holds for all of them; else they were thinned
        out, and the bound is only that of those looked at.
    candidates, rehearsals
        How many were bounded, and how many simulated.
    broken
        Rehearsals that kept all limits with less energy than their bound: where there are any, it is none here.
    """

    begin_s: float
    end_s: float
    setting: Setting
    feasible: bool
    energy_j: float
    bound_j: float
    gap: float
    complete: bool
    candidates: int
    rehearsals: int
    broken: int

    def describe(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def at_rest(phase: Phase, space: Space) -> PhaseReport:
    """A phase in which no managed application is active: clocks are left to their governors."""
    free = {name: None for group in space.groups for name in group.domains}
    setting = Setting(clocks=free)
    return PhaseReport(phase.begin, phase.end, setting, True, 0.0, 0.0, 0.0, False, 0, 0, 0)


class Offline:
    """All candidates of a phase, bounded and searched.

    Parameters
    ----------
    table
        What inferences cost.
    phase
        What is searched for.
    search
        Rehearses candidates; its best is what is found.
    rows
        Most candidates to bound at once.
    bounded
        Whether clocks are pinned, so that rows bound what is drawn.
    """

    def __init__(
        self, table: Table, phase: Phase, search: Search, rows: int, *, bounded: bool = True
    ) -> None:
        self._table, self._phase, self._search = table, phase, search
        self._rows, self._bounded = rows, bounded
        self._bounds: list[float] = []

    def through(
        self,
        space: Space,
        pairs: Mapping[str, Sequence[tuple[int, str]]],
        accuracies: Mapping[str, Mapping[int, float]],
    ) -> PhaseReport:
        """Search, and tell what came of it.

        Parameters
        ----------
        space
            Clocks to choose from.
        pairs
            Application -> levels and places to choose from.
        accuracies
            Application -> level -> Top-1 in %.
        """
        spaces = {what: self._spaces(space, what) for what in self._assignments(space, pairs, accuracies)}
        total = sum(s.combinations for some in spaces.values() for s in some)
        if total <= self._rows:
            pool = self._pool(spaces)
            self._search.through(
                pool or self._pool({w: [_top(s[0])] for w, s in spaces.items()}, lenient=True)
            )
        else:
            self._coarse_to_fine(spaces, total)
        return self._reported(complete=total <= self._rows and self._bounded)

    def _assignments(
        self,
        space: Space,
        pairs: Mapping[str, Sequence[tuple[int, str]]],
        accuracies: Mapping[str, Mapping[int, float]],
    ) -> list[Assignment]:
        """All combinations of what may be in time and is beaten by nothing; the fastest where nothing may be."""
        ends, top = corners(space), space.clocks(space.top)
        kept = []
        for goal in self._phase.goals:
            app, given = goal.app, pairs[goal.app]
            time = {pair: self._table.row(app, *pair, top).latency for pair in given}
            quick = [pair for pair in given if time[pair] <= goal.limit] or [min(given, key=time.__getitem__)]
            useful = undominated(self._table, app, quick, ends, accuracies[app])
            kept.append([(app, *pair) for pair in useful])
        return [*product(*kept)]

    def _spaces(self, space: Space, what: Assignment) -> list[Space]:
        """All clocks, and those with unused policies at their lowest."""
        low = unused_low(space, self._table, what)
        return [space] if low is None else [low, space]

    def _pool(
        self, spaces: Mapping[Assignment, Sequence[Space]], *, lenient: bool = False
    ) -> list[Candidate]:
        pool = [
            c
            for what, some in spaces.items()
            for c in candidates(self._table, self._phase, what, some, lenient=lenient)
        ]
        if not self._bounded:
            pool = [replace(c, bound=0.0) for c in pool]
        self._bounds += [c.bound for c in pool]
        return pool

    def _coarse_to_fine(self, spaces: Mapping[Assignment, Sequence[Space]], total: int) -> None:
        """Clocks thinned out until there are few enough; then those around the best, at half the distance."""
        search, effort, stride = self._search, self._search.effort, 2
        thin = {what: [thinned(s, stride) for s in some] for what, some in spaces.items()}
        while sum(s.combinations for some in thin.values() for s in some) > self._rows and stride < total:
            stride *= 2
            thin = {what: [thinned(s, stride) for s in some] for what, some in spaces.items()}
        search.effort = max(1, int(effort * _COARSE))
        pool = self._pool(thin)
        search.through(pool or self._pool({w: [_top(s[0])] for w, s in spaces.items()}, lenient=True))
        while stride > 1 and search.best is not None:
            stride //= 2
            search.effort = effort if stride == 1 else (search.rehearsals + effort) // 2
            best = search.best.candidate
            near = [thinned(s, stride, best.clocks) for s in spaces[best.what]]
            search.through(self._pool({best.what: near}))

    def _reported(self, *, complete: bool) -> PhaseReport:
        phase, found, all_bounds = self._phase, self._search.best, self._bounds
        if found is None:
            return PhaseReport(
                phase.begin, phase.end, Setting(), False, 0.0, 0.0, 0.0, False, len(all_bounds), 0, 0
            )
        joules, feasible = found.score.joules, found.score.feasible
        bound = found.bound if complete and feasible else min(joules, *all_bounds)
        gap = joules / bound - 1.0 if bound > 0.0 else float("inf")
        return PhaseReport(
            phase.begin, phase.end, found.candidate.setting, feasible, joules, bound, gap, complete, len(all_bounds),
            found.rehearsals, found.broken,
        )  # fmt: skip


def _top(space: Space) -> Space:
    """The highest clocks alone."""
    return Space([Group(g.domains, g.points[-1:]) for g in space.groups])
