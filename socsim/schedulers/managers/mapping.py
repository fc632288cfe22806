"""Which level of each application runs where: alternatives compared with all applications at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from socsim.schedulers.managers.clockplan import Plan, Planner
from socsim.schedulers.managers.outlook import Demand
from socsim.schedulers.managers.spaces import Clocks, Space

__all__ = ["Alternatives", "Mapper"]

_ROUNDS = 3
"""How often each application is looked at again after others have changed."""

Rating = tuple[float, ...]
"""How bad an assignment is; smaller is better."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What one application may run.

    Parameters
    ----------
    accurate
        (Level, place) of those that are accurate enough.
    others
        Of those that are not, the most accurate first; only tried where limits cannot be kept otherwise.
    accuracy
        Level -> Top-1 in %, below 0 where it is not known.
    scales
        Place -> measured over foreseen time.
    too_slow
        Whether times measured at accurate levels were too long; else the others are only tried where even alone, at the
        highest clocks, no accurate one would be in time: what is foreseen of sharing is not sure enough to give up
        accuracy for.
    """

    accurate: Sequence[tuple[int, str]]
    others: Sequence[tuple[int, str]]
    accuracy: Mapping[int, float]
    scales: Mapping[str, float]
    too_slow: bool = False

    def shortfall(self, level: int) -> float:
        """Points of accuracy below the least of those that are enough."""
        return max(0.0, min(self.accuracy[lv] for lv, _ in self.accurate) - self.accuracy[level])


class Mapper:
    """Finds levels and places.

    Parameters
    ----------
    planner
        Finds clocks for them.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def best(
        self,
        space: Space,
        demands: Sequence[Demand],
        choices: Mapping[str, Alternatives],
        near: Clocks | None = None,
    ) -> tuple[list[Demand], Plan]:
        """Demands with the best levels and places found, and clocks for them.

        One application is changed at a time, that of the highest priority first, until nothing betters.

        Parameters
        ----------
        choices
            Of the applications that may change; others stay as they are.
        near
            Clocks to try first.
        """
        found = list(demands)
        order = sorted(range(len(found)), key=lambda i: (-found[i].rank, found[i].app))
        for _ in range(_ROUNDS):
            before = list(found)
            for i in order:
                if found[i].app in choices:
                    self._one(space, found, i, choices, near)
            if found == before:
                break
        return found, self._planner.best(space, found, near)

    def _one(
        self,
        space: Space,
        found: list[Demand],
        i: int,
        choices: Mapping[str, Alternatives],
        near: Clocks | None,
    ) -> None:
        """Put the best alternative of one application in its place."""
        own = choices[found[i].app]

        def rating(demand: Demand) -> Rating:
            trial = [*found[:i], demand, *found[i + 1 :]]
            plan = self._planner.best(space, trial, near)
            short = own.shortfall(demand.level)
            return (*plan.key[:-1], short, float(f"{plan.cost:.9g}"), -own.accuracy[demand.level])

        accurate = self._worth(space, [_with(found[i], own, *pair) for pair in own.accurate], own)
        best = min((found[i], *accurate) if self._fits(found[i], own) else accurate, key=rating)
        for pair in own.others if own.too_slow or self._late_alone(space, accurate) else ():
            if not any(rating(best)[:-3]):
                break
            best = min(best, _with(found[i], own, *pair), key=rating)
        found[i] = best

    def _fits(self, demand: Demand, own: Alternatives) -> bool:
        return (demand.level, demand.place) in own.accurate

    def _late_alone(self, space: Space, demands: Sequence[Demand]) -> bool:
        """Whether none would be in time alone at the highest clocks."""
        top = space.clocks(space.top)
        return all(self._planner.table.row(d.app, d.level, d.place, top).latency > d.limit for d in demands)

    def _worth(self, space: Space, demands: Sequence[Demand], own: Alternatives) -> list[Demand]:
        """Those that no other beats at the highest and at the lowest clocks, and that can be in time if any can."""
        ends = (space.clocks(space.top), space.clocks((0,) * len(space.sizes)))
        rows = {d: [self._planner.table.row(d.app, d.level, d.place, c) for c in ends] for d in demands}
        needs = {d: tuple(x for r in rows[d] for x in (d.scale * r.latency, r.energy)) for d in demands}
        quick = [d for d in demands if needs[d][0] <= d.limit]
        if not quick:
            return [min(demands, key=lambda d: (needs[d], -own.accuracy[d.level]))]
        return [d for d in quick if not any(_beats(o, d, needs, own) for o in quick)]


def _with(demand: Demand, own: Alternatives, level: int, place: str) -> Demand:
    return replace(demand, level=level, place=place, scale=own.scales.get(place, 1.0))


def _beats(one: Demand, other: Demand, needs: Mapping[Demand, tuple[float, ...]], own: Alternatives) -> bool:
    """Whether one needs no more time and energy than the other, and is more accurate where both need the same."""
    if one.place != other.place or any(a > b for a, b in zip(needs[one], needs[other], strict=True)):
        return False
    return needs[one] != needs[other] or own.accuracy[one.level] > own.accuracy[other.level]
