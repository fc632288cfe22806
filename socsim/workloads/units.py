"""A network cut into jobs for schedulers that decide at run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from socsim.errors import UsageError, nearest
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["GRANULARITIES", "Unit", "cut", "join"]

GRANULARITIES = ("operator", "subgraph", "model")
"""How large a job is."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A job of a network.

    Parameters
    ----------
    number
        Its position among the network's jobs, which is a topological order.
    operators
        Names, in order of execution.
    processors
        Processors that support all of them; may be none.
    inputs, results
        Tensors that it reads from outside, and those of its outputs that leave the network.
    needs, readers
        Numbers of the jobs that it waits for, and of those that wait for it.
    """

    number: int
    operators: tuple[str, ...]
    processors: tuple[str, ...]
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    needs: tuple[int, ...]
    readers: tuple[int, ...]


def cut(graph: ModelGraph, granularity: str, support: Callable[[Operator], tuple[str, ...]]) -> list[Unit]:
    """Cut a network into jobs.

    Parameters
    ----------
    granularity
        ``"operator"``; ``"subgraph"``: resolved operators that the same processors support are taken together
        (Band, MobiSys'22, unit subgraphs); ``"model"``: everything.
    support
        Processors that support an operator, in a fixed order.

    Raises
    ------
    UsageError
        An unknown granularity.
    """
    if granularity == "operator":
        groups = [[op] for op in graph]
    elif granularity == "model":
        groups = [list(graph)]
    elif granularity == "subgraph":
        groups = _alike(graph, support)
    else:
        guess = nearest(granularity, GRANULARITIES) or ", ".join(GRANULARITIES)
        raise UsageError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, got {granularity!r}; try {guess!r}"
        )
    return _units(graph, groups, support)


def _alike(graph: ModelGraph, support: Callable[[Operator], tuple[str, ...]]) -> list[list[Operator]]:
    """Repeatedly take all operators whose inputs are resolved and that are supported where the first of them is."""
    left = list(graph)
    resolved = set(graph.inputs)
    groups = []
    while left:
        wanted: tuple[str, ...] | None = None
        group, rest = [], []
        for op in left:
            if all(t in resolved for t in op.inputs) and (wanted is None or support(op) == wanted):
                wanted = support(op)
                group.append(op)
                resolved.update(op.outputs)
            else:
                rest.append(op)
        groups.append(group)
        left = rest
    return groups


def _units(
    graph: ModelGraph, groups: Sequence[Sequence[Operator]], support: Callable[[Operator], tuple[str, ...]]
) -> list[Unit]:
    home = {op.name: i for i, group in enumerate(groups) for op in group}
    units = []
    for number, group in enumerate(groups):
        own = {t for op in group for t in op.outputs}
        inputs = tuple(dict.fromkeys(t for op in group for t in op.inputs if t not in own))
        needs = {home[graph.producer[t]] for t in inputs if t in graph.producer}
        readers = {home[r.name] for op in group for r in graph.successors(op)} - {number}
        common = set.intersection(*(set(support(op)) for op in group))
        processors = tuple(p for p in support(group[0]) if p in common)
        results = tuple(t for t in graph.outputs if t in own)
        names = tuple(op.name for op in group)
        units.append(
            Unit(number, names, processors, inputs, results, tuple(sorted(needs)), tuple(sorted(readers)))
        )
    return units


def join(graph: ModelGraph, units: Sequence[Unit]) -> Unit:
    """Jobs of a network that follow each other, as one.

    Parameters
    ----------
    units
        In order, without gaps; at least one.
    """
    numbers = {unit.number for unit in units}
    own = {t for unit in units for name in unit.operators for t in graph[name].outputs}
    common = set.intersection(*(set(unit.processors) for unit in units))
    return Unit(
        units[0].number,
        tuple(name for unit in units for name in unit.operators),
        tuple(p for p in units[0].processors if p in common),
        tuple(dict.fromkeys(t for unit in units for t in unit.inputs if t not in own)),
        tuple(t for unit in units for t in unit.results),
        tuple(sorted({n for unit in units for n in unit.needs} - numbers)),
        tuple(sorted({n for unit in units for n in unit.readers} - numbers)),
    )
