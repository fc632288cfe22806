"""The clocks at which demands take the least energy, among those that keep their limits."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from socsim.schedulers.managers.lattice import Point, settle
from socsim.schedulers.managers.outlook import Demand, Forecast, Table, foresee
from socsim.schedulers.managers.spaces import Clocks, Space

__all__ = ["Key", "Plan", "Planner"]

_AS_QUICK = 0.02
"""Share of time by which something late may be later than at the highest clocks and still count as late as there."""

Key = tuple[float, ...]
"""How bad something is: power above the cap, time above limits from the highest priority on, energy."""


class Plan(NamedTuple):
    """Clocks for demands.

    Parameters
    ----------
    clocks
        Of all domains that were chosen.
    key
        How bad it is: the last number is the power in W over the work that is done in that time.
    forecast
        What comes of it.
    """

    clocks: Clocks
    key: Key
    forecast: Forecast

    @property
    def met(self) -> bool:
        """Whether all limits are kept."""
        return not any(self.key[:-1])

    @property
    def cost(self) -> float:
        """Power in W over work."""
        return self.key[-1]


class Planner:
    """Finds clocks; remembers what it found.

    Parameters
    ----------
    table
        What inferences cost.
    cap
        Most power in W on the table's rail, on average; infinite for none.

    Notes
    -----
    Racing to idle and going slowly are told apart by the numbers alone: the power is that over a whole interval, idle
    time included. Work is the rate of inferences relative to that at the highest clocks, averaged over applications,
    so that for applications that start anew as soon as they are done it is energy per inference that counts.

    A limit that the highest clocks do not keep either is no reason to have them: what then takes at most 2 % longer
    than at those counts as no later, and energy decides.
    """

    def __init__(self, table: Table, cap: float = inf) -> None:
        self.table, self.cap = table, cap
        self._known: dict[tuple[Space, tuple[Demand, ...]], Plan] = {}

    def best(self, space: Space, demands: Sequence[Demand], near: Clocks | None = None) -> Plan:
        """The least bad clocks found: where the highest ones keep all limits, so do these.

        Parameters
        ----------
        near
            Clocks to try first; the outcome is never worse.
        """
        known = (space, tuple(demands))
        plan = self._known.get(known)
        if plan is None:
            plan = self._known[known] = self._search(space, demands, near)
        return plan

    def at(self, space: Space, demands: Sequence[Demand], clocks: Clocks) -> Plan:
        """What given clocks come to."""
        return self._rated(demands, clocks, self._fastest(space, demands))

    def _search(self, space: Space, demands: Sequence[Demand], near: Clocks | None) -> Plan:
        fastest, plans = self._fastest(space, demands), dict[Point, Plan]()

        def key(point: Point) -> Key:
            if point not in plans:
                plans[point] = self._rated(demands, space.clocks(point), fastest)
            return plans[point].key

        point = settle(space.sizes, key, space.nearest(dict(near)) if near else space.top)
        if near and not plans[point].met:
            point = min(point, settle(space.sizes, key, space.top), key=key)
        return plans[point]

    def _fastest(self, space: Space, demands: Sequence[Demand]) -> Forecast:
        return foresee(self.table, demands, space.clocks(space.top))

    def _rated(self, demands: Sequence[Demand], clocks: Clocks, fastest: Forecast) -> Plan:
        seen = foresee(self.table, demands, clocks)
        pairs = zip(fastest.intervals, seen.intervals, strict=True)
        work = sum(quick / real for quick, real in pairs) / len(demands)
        over = max(0.0, seen.power / self.cap - 1.0)
        late = _late(demands, seen.latencies, fastest.latencies)
        return Plan(clocks, (over, *late, seen.power / work), seen)


def _late(demands: Sequence[Demand], times: Sequence[float], quickest: Sequence[float]) -> list[float]:
    """Times above limits, relative to them, added up by priority from the highest on."""
    late: dict[float, float] = {}
    for demand, time, quick in zip(demands, times, quickest, strict=True):
        counted = quick if demand.limit < quick and time <= quick * (1.0 + _AS_QUICK) else time
        over = max(0.0, counted / demand.limit - 1.0)
        late[demand.rank] = late.get(demand.rank, 0.0) + over
    return [late[rank] for rank in sorted(late, reverse=True)]
