"""Which parameter sets an inference's kernels rest on, for how long, and how far off these are known to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.records import Basis
from socsim.workloads.pricing import Pricer

__all__ = ["added", "bases"]


def bases(graph: KernelGraph, pricer: Pricer) -> dict[str, Basis]:
    """Parameter set (``"gpu/fp16/image"``) -> what of a lowered plan rests on it."""
    found: dict[str, Basis] = {}
    for segment in graph.segments:
        for entry in segment.entries:
            place = entry.placement
            if entry.kind != "kernel" or place is None:
                continue
            own = pricer.calibration(place.processor, place.layout, place.dtype)
            key = "/".join(filter(None, own.key[1:]))
            time = entry.overhead + max(entry.compute, entry.bytes / entry.reach)
            before = found[key].seconds if key in found else 0.0
            error = own.error
            found[key] = Basis(before + time, error.low if error else None, error.high if error else None)
    return found


def added(parts: Iterable[tuple[float, Mapping[str, Basis]]]) -> dict[str, Basis]:
    """Bases of several plans, each with its weight."""
    total: dict[str, Basis] = {}
    for weight, own in parts:
        for key, one in own.items():
            before = total[key].seconds if key in total else 0.0
            total[key] = one._replace(seconds=before + weight * one.seconds)
    return total
