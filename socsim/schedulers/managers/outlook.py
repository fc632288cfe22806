"""What several applications on one device at given clocks come to, from offline rows of each alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from socsim.schedulers.managers.device import DeviceState
from socsim.schedulers.managers.spaces import Clocks

__all__ = ["Demand", "Forecast", "Row", "Table", "foresee", "intervals", "latencies"]


class Row(NamedTuple):
    """An inference alone at fixed clocks: latency in s, energy in J on the chosen rail, busy time in s by domain."""

    latency: float
    energy: float
    busy: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Demand:
    """What an application would run, and what it needs.

    Parameters
    ----------
    app, level, place
        Which network of which application, and where.
    period
        Time in s between arrivals; None where it is not known.
    gap
        Time in s between a finish and the next arrival, where the period is not known.
    scale
        Measured over foreseen time.
    limit
        Longest time in s that an inference may take; infinite where nothing is wanted.
    rank
        Priority; where not all limits can be kept, those of higher ones are.
    """

    app: str
    level: int
    place: str
    period: float | None = None
    gap: float = 0.0
    scale: float = 1.0
    limit: float = inf
    rank: float = 0.0


class Forecast(NamedTuple):
    """What demands come to at some clocks.

    Parameters
    ----------
    latencies
        Of each demand, in s: while the others run as well.
    intervals
        Of each demand, in s from one inference to the next.
    power
        Mean power in W on the chosen rail, the idle device's included.
    """

    latencies: tuple[float, ...]
    intervals: tuple[float, ...]
    power: float


class Table:
    """Offline rows and idle powers on one rail, each asked for once.

    Parameters
    ----------
    state
        Where they come from.
    rail
        Rail or meter.
    """

    def __init__(self, state: DeviceState, rail: str) -> None:
        self.state, self.rail = state, rail
        self.kinds = {name: domain.kind for name, domain in state.domains.items()}
        """Clock domain -> kind."""
        self.pools = _pools(state)
        """CPU policies with the same operating points, among which threads move, and how many cores they have."""
        self._rows: dict[tuple[str, int, str, Clocks], Row] = {}
        self._idle: dict[Clocks, float] = {}

    @property
    def rows(self) -> int:
        """How many rows were asked for."""
        return len(self._rows)

    def row(self, app: str, level: int, place: str, clocks: Clocks) -> Row:
        """One inference alone."""
        key = (app, level, place, clocks)
        row = self._rows.get(key)
        if row is None:
            cost = self.state.cost(app, level, place, dict(clocks))
            row = self._rows[key] = Row(cost.latency_s, cost.energy_j[self.rail], cost.busy_s)
        return row

    def idle(self, clocks: Clocks) -> float:
        """Power of the idle device in W."""
        power = self._idle.get(clocks)
        if power is None:
            power = self._idle[clocks] = self.state.idle_w(dict(clocks))[self.rail]
        return power


def _pools(state: DeviceState) -> list[tuple[tuple[str, ...], int]]:
    alike: dict[object, list[str]] = {}
    for name, domain in state.domains.items():
        if domain.kind == "cpu":
            alike.setdefault(tuple(domain.opps), []).append(name)
    return [(tuple(names), sum(state.domains[n].units for n in names)) for names in alike.values()]


def foresee(table: Table, demands: Sequence[Demand], clocks: Clocks) -> Forecast:
    """Latencies, intervals and power of demands that share a device."""
    rows = [table.row(d.app, d.level, d.place, clocks) for d in demands]
    times = tuple(d.scale * t for d, t in zip(demands, latencies(table, rows), strict=True))
    every = tuple(intervals(demands, times))
    drawn = sum(row.energy / interval for row, interval in zip(rows, every, strict=True))
    return Forecast(times, every, table.idle(clocks) + drawn)


def intervals(demands: Sequence[Demand], times: Sequence[float]) -> list[float]:
    """From one inference to the next in s: no application has two under way."""
    pairs = zip(demands, times, strict=True)
    return [t + d.gap if d.period is None else max(d.period, t) for d, t in pairs]


def latencies(table: Table, rows: Sequence[Row]) -> list[float]:
    """Times in s of inferences that run at the same time.

    Each waits at a unit for the share of its own busy time that the others keep that unit busy; on CPUs only as far as
    they need more cores than there are. What else they share (memory, caches) is left to what is measured.
    """
    if len(rows) == 1:
        return [rows[0].latency]
    return [
        row.latency + sum(_waits(table, row, o) for j, o in enumerate(rows) if j != i)
        for i, row in enumerate(rows)
    ]


def _waits(table: Table, row: Row, other: Row) -> float:
    """How much longer one takes beside another, in s."""
    if row.latency <= 0.0 or other.latency <= 0.0:
        return 0.0
    cores = max((_crowd(row, other, *pool) for pool in table.pools), default=0.0)
    shared = sum(
        busy * min(1.0, other.busy.get(domain, 0.0) / other.latency)
        for domain, busy in row.busy.items()
        if table.kinds.get(domain) not in ("cpu", "dram")
    )
    return row.latency * cores + shared


def _crowd(row: Row, other: Row, policies: Sequence[str], cores: int) -> float:
    """Cores that both need beyond those there are, relative to them."""
    mine, theirs = (sum(r.busy.get(p, 0.0) for p in policies) / r.latency for r in (row, other))
    return max(0.0, (mine + theirs) / cores - 1.0) if mine > 0.0 else 0.0
