"""What was going on at each time, as step functions worked out from kernel records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socsim.results.lanes import merge_intervals
from socsim.simulation.records import Outcome

__all__ = ["Steps", "dram_traffic", "power_steps"]

Interval = tuple[float, float]


class Steps(NamedTuple):
    """A step function: `values[i]` holds from `times[i]` on, the last until the end of the run."""

    times: NDArray[np.float64]
    """Seconds, ascending, from 0."""
    values: NDArray[np.float64]


def dram_traffic(outcome: Outcome) -> Steps:
    """DRAM traffic of kernels in B/s, each kernel's bytes spread evenly over its time."""
    moving = [
        r for r in outcome.kernels if r.dram_bytes > 0 and r.end_s > r.start_s and r.kind in _MOVES_BYTES
    ]
    rates = [r.dram_bytes / (r.end_s - r.start_s) for r in moving]
    return _sum_of_pulses([(r.start_s, r.end_s) for r in moving], rates)


_MOVES_BYTES = ("kernel", "transform")


def power_steps(outcome: Outcome) -> dict[str, Steps]:
    """Power in W over time, by component.

    A component draws its idle power all the time. What its energy leaves beyond that is spread over time in
    proportion to the units (cores, the accelerator) that kernels and other processes keep busy, and for DRAM
    in proportion to traffic; so power over time always adds up to the component's energy. Without kernel records every
    component has one step, its mean power.
    """
    return (
        {name: _component_steps(outcome, name) for name in outcome.energy_j} if outcome.duration_s > 0 else {}
    )


def _component_steps(outcome: Outcome, name: str) -> Steps:
    idle = outcome.power[name].idle_w if name in outcome.power else 0.0
    excess = outcome.energy_j[name] - idle * outcome.duration_s
    activity = dram_traffic(outcome) if name == "dram" else _busy_power(outcome, name)
    ends = np.append(activity.times[1:], outcome.duration_s)
    total = float(np.sum(activity.values * np.maximum(0.0, ends - activity.times)))
    if total <= 0.0:
        return Steps(np.zeros(1), np.full(1, outcome.energy_j[name] / outcome.duration_s))
    return Steps(activity.times, idle + activity.values * (excess / total))


def _busy_power(outcome: Outcome, name: str) -> Steps:
    """Number of busy units, each weighted by what it draws at the clock of the time."""
    count = _busy_count(outcome, name)
    watts = outcome.power[name].busy_w_at if name in outcome.power else {}
    clock = [record for record in outcome.clocks if record.domain == name]
    if len(clock) < 2 or not watts:
        return count
    changes = np.array([record.start_s for record in clock])
    draws = np.array([watts[record.frequency_hz] for record in clock])
    times = np.union1d(count.times, changes)
    busy = count.values[np.searchsorted(count.times, times, side="right") - 1]
    return Steps(times, busy * draws[np.searchsorted(changes, times, side="right") - 1])


def _busy_count(outcome: Outcome, name: str) -> Steps:
    busy = [interval for unit in _busy_units(outcome, name) for interval in merge_intervals(unit)]
    return _sum_of_pulses(busy, [1.0] * len(busy))


def _busy_units(outcome: Outcome, name: str) -> Iterable[list[Interval]]:
    """Busy intervals of each core of a cluster, or of one accelerator."""
    cluster = name.removeprefix("cpu.")
    if cluster == name:
        yield [
            (r.start_s, r.end_s) for r in outcome.kernels if r.processor == name and r.kind in _MOVES_BYTES
        ]
        return
    for core, owner in enumerate(outcome.core_names):
        if owner == cluster:
            own = [(r.start_s, r.end_s) for r in outcome.kernels if core in r.cores]
            yield own + [(s.start_s, s.end_s) for s in outcome.spans if s.core == core]


def _sum_of_pulses(intervals: list[Interval], heights: list[float]) -> Steps:
    """The sum of rectangles as steps, starting at time 0."""
    edges = np.array([(0.0, 0.0)] + [(s, h) for (s, _), h in zip(intervals, heights, strict=True)])
    falls = np.array([(e, -h) for (_, e), h in zip(intervals, heights, strict=True)]).reshape(-1, 2)
    times, inverse = np.unique(np.concatenate([edges[:, 0], falls[:, 0]]), return_inverse=True)
    deltas = np.zeros(len(times))
    np.add.at(deltas, inverse, np.concatenate([edges[:, 1], falls[:, 1]]))
    values = np.cumsum(deltas)
    values[np.abs(values) < 1e-9 * max(1.0, float(np.max(np.abs(values), initial=0.0)))] = 0.0
    return Steps(times, values)
