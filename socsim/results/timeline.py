"""What was going on at each time, as step functions worked out from kernel records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socsim.devices.idle import Rest
from socsim.devices.idle import Steps as IdleSteps
from socsim.results.lanes import merge_intervals
from socsim.simulation.records import ComponentPower, Outcome

__all__ = ["Steps", "add", "dram_traffic", "metered_steps", "power_steps"]

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

    A component that does nothing draws its idle power, which follows its clock's voltage, and falls as its cores enter
    idle states. What its energy leaves beyond that is spread over time in proportion to what the units (cores, the
    accelerator) that kernels, dispatching and other processes keep busy draw more, and for DRAM in proportion to
    traffic; so power over time always adds up to the component's energy. Without kernel records every component has
    one step, its mean power.
    """
    return (
        {name: _component_steps(outcome, name) for name in outcome.energy_j} if outcome.duration_s > 0 else {}
    )


def metered_steps(outcome: Outcome) -> dict[str, dict[str, Steps]]:
    """Power in W over time of each ``component``, ``rail`` and ``meter``; rails that feed nothing are left out."""
    components = power_steps(outcome)
    rails = {
        name: add([components[part] for part in parts])
        for name, parts in outcome.rails.items()
        if parts and components
    }
    meters = {
        name: add([rails[rail] for rail in seen if rail in rails])
        for name, seen in outcome.meters.items()
        if components
    }
    return {"component": components, "rail": rails, "meter": meters}


def add(parts: Sequence[Steps]) -> Steps:
    """The sum of step functions."""
    times = np.unique(np.concatenate([np.zeros(1), *(part.times for part in parts)]))
    return Steps(times, sum((_at(part, times) for part in parts), np.zeros(len(times))))


def _at(steps: Steps, times: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = steps.values[np.searchsorted(steps.times, times, side="right") - 1]
    return values


def _integral(steps: Steps, end: float) -> float:
    ends = np.append(steps.times[1:], end)
    return float(np.sum(steps.values * np.maximum(0.0, ends - steps.times)))


def _component_steps(outcome: Outcome, name: str) -> Steps:
    end, energy = outcome.duration_s, outcome.energy_j[name]
    computing = [merge_intervals(unit) for unit in _busy_units(outcome, name)]
    dispatching = _dispatching_cores(outcome, name)
    units = [merge_intervals([*one, *other]) for one, other in zip(computing, dispatching, strict=True)]
    power = outcome.power.get(name, ComponentPower(0.0, 0.0))
    activity = dram_traffic(outcome) if name == "dram" else _pulses_of(computing)
    activity = _times(activity, _by_clock(outcome, name, power.busy_w_at))
    if any(dispatching):
        draws = _by_clock(outcome, name, power.dispatch_w_at or power.busy_w_at)
        activity = add([activity, _times(_pulses_of(dispatching), draws)])
    idle, total = _idle_power(outcome, name, power, units), _integral(activity, end)
    excess = energy - _integral(idle, end)
    if total > 0.0:
        return add([idle, Steps(activity.times, activity.values * (excess / total))])
    mean = Steps(np.zeros(1), np.full(1, energy / end))
    return idle if abs(excess) <= 1e-9 * energy else mean


def _times(one: Steps, other: Steps) -> Steps:
    times = np.union1d(one.times, other.times)
    return Steps(times, _at(one, times) * _at(other, times))


def _by_clock(outcome: Outcome, name: str, watts: Mapping[float, float]) -> Steps:
    """What one unit draws at the clock of the time; 1 where there are no clocks."""
    clocks = [(r.start_s, watts[r.frequency_hz]) for r in outcome.clocks if r.domain == name and watts]
    times, draws = zip(*clocks or [(0.0, watts[max(watts)] if watts else 1.0)], strict=True)
    return Steps(np.array(times), np.array(draws))


def _idle_power(
    outcome: Outcome, name: str, power: ComponentPower, units: Sequence[Sequence[Interval]]
) -> Steps:
    """What a component would draw if its busy units were clock-gated."""
    if not power.gated_w_at:
        return Steps(np.zeros(1), np.full(1, power.idle_w))
    rest, end = power.rest or Rest(1), outcome.duration_s
    alone = [gap for unit in units for gap in _gaps(unit, end)]
    together = _gaps(merge_intervals(interval for unit in units for interval in unit), end)
    falls = [*_falls(alone, rest.cores, 1.0), *_falls(together, rest.cluster, float(rest.count))]
    fallen = _sum_of_pulses([span for span, _ in falls], [-height for _, height in falls])
    within = fallen.times < end
    count = Steps(fallen.times[within], fallen.values[within] + rest.count)
    return _times(count, _by_clock(outcome, name, power.gated_w_at))


def _gaps(busy: Sequence[Interval], end: float) -> list[Interval]:
    """Times between disjoint intervals; before a run everything has been idle for long."""
    edges = [-inf, *(edge for interval in busy for edge in interval), end]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > max(a, 0.0)]


def _falls(gaps: Iterable[Interval], steps: IdleSteps, units: float) -> Iterator[tuple[Interval, float]]:
    """When less than the clock-gated power is drawn, and by how many units less."""
    for start, end in gaps:
        for residency, drop in steps:
            if drop and end > start + residency:
                yield (max(0.0, start + residency), end), drop * units


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


def _dispatching_cores(outcome: Outcome, name: str) -> list[list[Interval]]:
    """When each core of a cluster dispatches or maps; an accelerator never does."""
    cluster = name.removeprefix("cpu.")
    if cluster == name:
        return [[]]
    cores: dict[int, list[Interval]] = {
        core: [] for core, owner in enumerate(outcome.core_names) if owner == cluster
    }
    for s in outcome.dispatches:
        if s.core in cores:
            cores[s.core].append((s.start_s, s.end_s))
    return list(cores.values())


def _pulses_of(units: Iterable[Iterable[Interval]]) -> Steps:
    """How many of some units are busy."""
    busy = [interval for unit in units for interval in unit]
    return _sum_of_pulses(busy, [1.0] * len(busy))


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
