"""Which parameter sets an inference's kernels rest on, for how long, and how far off these are known to be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from socsim.devices.device import Calibration
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.records import Basis
from socsim.workloads.pricing import Pricer

__all__ = ["added", "bases"]


def bases(graph: KernelGraph, pricer: Pricer) -> dict[str, Basis]:
    """Parameter set (``"gpu/fp16/image"``) -> what of a lowered plan rests on it."""
    times: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    sets: dict[str, Calibration] = {}
    for segment in graph.segments:
        for entry in segment.entries:
            place = entry.placement
            if entry.kind != "kernel" or place is None:
                continue
            own = pricer.calibration(place.processor, place.layout, place.dtype)
            key = "/".join(filter(None, own.key[1:]))
            sets[key] = own
            times[key][entry.operator] += entry.overhead + max(entry.compute, entry.bytes / entry.reach)
    return {key: _basis(sets[key], dict(found)) for key, found in times.items()}


def _basis(rates: Calibration, times: Mapping[str, float]) -> Basis:
    low, high = (rates.error.low, rates.error.high) if rates.error else (None, None)
    return Basis(sum(times.values()), low, high, times, rates.grade)


def added(parts: Iterable[tuple[float, Mapping[str, Basis]]]) -> dict[str, Basis]:
    """Bases of several plans, each with its weight."""
    times: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    ones: dict[str, Basis] = {}
    for weight, own in parts:
        for key, one in own.items():
            ones[key] = one
            for operator, seconds in one.operators.items():
                times[key][operator] += weight * seconds
    return {
        key: one._replace(seconds=sum(times[key].values()), operators=dict(times[key]))
        for key, one in ones.items()
    }
