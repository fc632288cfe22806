"""Subgraphs as Band cuts them: by what each processor supports, merged again for fewer hand-overs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.units import Unit, cut

__all__ = ["Route", "Subgraph", "effective_support", "merge_units", "shortest_route", "unit_subgraphs"]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Consecutive unit subgraphs as one piece on one worker.

    Parameters
    ----------
    worker
        Processor.
    first, last
        Numbers of the first and the last unit subgraph.
    operators
        Names in order of execution.
    """

    worker: str
    first: int
    last: int
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Subgraphs that make up what is left of a network, and when they should end, in s."""

    latency: float
    subgraphs: tuple[Subgraph, ...]


def effective_support(
    graph: ModelGraph, workers: Sequence[str], supports: Callable[[str, Operator], bool], minimum: int
) -> dict[str, tuple[str, ...]]:
    """Workers of each operator, without those that support too little around it.

    For each accelerator the network is cut into alternating supported and unsupported parts; parts of fewer
    than `minimum` operators count as unsupported. The CPU supports everything.

    Parameters
    ----------
    workers
        Processors, ``"cpu"`` among them.
    supports
        Whether a worker runs an operator.
    minimum
        Fewest operators worth handing to an accelerator.
    """
    accepted: dict[str, set[str]] = {"cpu": set(graph.operators)}
    for worker in workers:
        if worker != "cpu":
            able = {op.name: (worker,) if supports(worker, op) else () for op in graph}
            parts = [part for part in unit_subgraphs(graph, able) if part.processors]
            large = [part for part in parts if len(part.operators) >= minimum]
            accepted[worker] = {name for part in large for name in part.operators}
    return {name: tuple(w for w in workers if name in accepted[w]) for name in graph.operators}


def unit_subgraphs(graph: ModelGraph, support: Mapping[str, tuple[str, ...]]) -> list[Unit]:
    """Cut a network into the largest pieces that the same workers support, in topological order.

    Parameters
    ----------
    support
        Operator name -> workers.
    """
    return cut(graph, "subgraph", lambda op: support[op.name])


def merge_units(graph: ModelGraph, units: Sequence[Unit]) -> list[Subgraph]:
    """All pieces that a worker may be given: its units, and unions of neighbours that it supports.

    Two pieces join if the later reads nothing but what the earlier produces, until no more do.
    """
    workers = dict.fromkeys(worker for unit in units for worker in unit.processors)
    closed = [not set(unit.inputs).intersection(graph.inputs) for unit in units]
    return [
        Subgraph(worker, i, j, tuple(name for unit in units[i : j + 1] for name in unit.operators))
        for worker in workers
        for i, j in sorted(_ranges(units, closed, worker))
    ]


def _ranges(units: Sequence[Unit], closed: Sequence[bool], worker: str) -> set[tuple[int, int]]:
    found = {(unit.number, unit.number) for unit in units if worker in unit.processors}
    for length in range(2, len(units) + 1):
        for i in range(len(units) - length + 1):
            j = i + length - 1
            if any(
                (i, k) in found and (k + 1, j) in found and _joins(units, closed, i, k, j)
                for k in range(i, j)
            ):
                found.add((i, j))
    return found


def _joins(units: Sequence[Unit], closed: Sequence[bool], i: int, k: int, j: int) -> bool:
    """Whether units k+1..j read from outside only what units i..k produce, thus no input of the network."""
    return all(closed[n] and min(units[n].needs, default=i) >= i for n in range(k + 1, j + 1))


def shortest_route(
    count: int,
    subgraphs: Iterable[Subgraph],
    expected: Callable[[Subgraph], float],
    waits: Mapping[str, float],
    first: int = 0,
) -> Route:
    """The subgraphs that finish the rest of a network first, by dynamic programming over its units.

    A subgraph starts when the one before it has ended and its worker is free; hand-overs between workers are
    not counted. Ties go to the later subgraph in the list.

    Parameters
    ----------
    count
        Number of unit subgraphs.
    subgraphs
        What may be given to a worker.
    expected
        Expected time in s of a subgraph.
    waits
        Worker -> time in s until it is free; 0 where missing.
    first
        First unit that has not been run.
    """
    ending: dict[int, list[Subgraph]] = {}
    for subgraph in subgraphs:
        ending.setdefault(subgraph.last, []).append(subgraph)
    best = {first - 1: Route(0.0, ())}
    for unit in range(first, count):
        options = [
            Route(
                expected(s) + max(waits.get(s.worker, 0.0), best[s.first - 1].latency),
                (*best[s.first - 1].subgraphs, s),
            )
            for s in ending.get(unit, ())
            if s.first - 1 in best
        ]
        if options:
            best[unit] = min(reversed(options), key=lambda route: route.latency)
    return best[count - 1]
