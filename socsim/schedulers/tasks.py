"""A network as classical list scheduling sees it: tasks with a time on each processor, edges with delays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.single import change_time, times_by_processor
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph

__all__ = ["SINK", "SOURCE", "Slot", "TaskGraph", "earliest_gap"]

SOURCE, SINK = "<input>", "<output>"
"""Tasks that take no time and stand for the CPU giving the network's input and reading its output."""


class Slot(NamedTuple):
    """Where and when a task runs; times in s."""

    processor: str
    start: float
    finish: float


@dataclass(frozen=True)
class TaskGraph:
    """Tasks, in topological order, and what they wait for.

    Parameters
    ----------
    times
        Task -> processor that can run it -> time in s.
    delays
        (task, later task) -> (processor of the one, another processor of the other) -> hand-over time in s.
    fixed
        Processor -> time in s that its first task takes beside its own.
    layouts
        Processor -> layout to place operators with.
    """

    times: Mapping[str, Mapping[str, float]]
    delays: Mapping[tuple[str, str], Mapping[tuple[str, str], float]]
    fixed: Mapping[str, float] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: ModelGraph, view: View, layouts: Mapping[str, str]) -> TaskGraph:
        """The operators of a network on its processors, between a source and a sink on the CPU."""
        times: dict[str, Mapping[str, float]] = {SOURCE: {"cpu": 0.0}}
        for op in graph:
            times[op.name] = times_by_processor(op, view, layouts)
        times[SINK] = {"cpu": 0.0}
        delays = {
            edge: _delays(size, times[edge[0]], times[edge[1]], view, layouts)
            for edge, size in _edges(graph).items()
        }
        fixed = {p: view.fixed_cost(p, layouts[p]) for p in view.processors}
        return cls(times, delays, fixed, layouts)

    @cached_property
    def predecessors(self) -> Mapping[str, tuple[str, ...]]:
        """Task -> tasks that it waits for."""
        return _neighbours(self.times, ((v, u) for u, v in self.delays))

    @cached_property
    def successors(self) -> Mapping[str, tuple[str, ...]]:
        """Task -> tasks that wait for it."""
        return _neighbours(self.times, self.delays)

    @cached_property
    def mean_time(self) -> Mapping[str, float]:
        """Task -> mean time in s over the processors that can run it."""
        return {task: sum(own.values()) / len(own) for task, own in self.times.items()}

    @cached_property
    def mean_delay(self) -> Mapping[tuple[str, str], float]:
        """Edge -> mean hand-over time in s over its pairs of different processors."""
        return {edge: sum(own.values()) / max(1, len(own)) for edge, own in self.delays.items()}

    def delay(self, task: str, source: str, reader: str, target: str) -> float:
        """Hand-over time in s of an edge between two processors, 0 within one."""
        return 0.0 if source == target else self.delays[task, reader][source, target]

    def ready(self, task: str, processor: str, slots: Mapping[str, Slot]) -> float:
        """Time in s from which all that a task waits for, already placed, is readable on a processor."""
        before = self.predecessors[task]
        arrivals = (slots[u].finish + self.delay(u, slots[u].processor, task, processor) for u in before)
        return max(arrivals, default=0.0)

    def plan(self, slots: Mapping[str, Slot], gap: float | None = None) -> Plan:
        """A plan that runs operators in the order in which they start."""
        tasks = [t for t in self.times if t not in (SOURCE, SINK)]
        chosen = {t: slots[t].processor for t in tasks}
        decisions = {t: Placement(p, self.layouts.get(p, "")) for t, p in chosen.items()}
        return Plan(decisions, order=tuple(sorted(tasks, key=lambda t: slots[t].start)), gap=gap)


def earliest_gap(busy: list[tuple[float, float]], ready: float, time: float) -> float:
    """Earliest start in s, not before `ready`, of a task between sorted busy intervals of one processor."""
    start = ready
    for begin, end in busy:
        if start + time <= begin:
            break
        start = max(start, end)
    return start


def _neighbours(tasks: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {task: [] for task in tasks}
    for task, other in pairs:
        found[task].append(other)
    return {task: tuple(others) for task, others in found.items()}


def _edges(graph: ModelGraph) -> dict[tuple[str, str], int]:
    """(producer, reader) -> elements that go along, source and sink included."""
    sizes: dict[tuple[str, str], int] = {}
    for op in graph:
        for tensor in dict.fromkeys(op.inputs):
            edge = (graph.producer.get(tensor, SOURCE), op.name)
            sizes[edge] = sizes.get(edge, 0) + graph.tensors[tensor].elements
    for tensor in graph.outputs:
        edge = (graph.producer.get(tensor, SOURCE), SINK)
        sizes[edge] = sizes.get(edge, 0) + graph.tensors[tensor].elements
    return sizes


def _delays(
    size: int,
    sources: Mapping[str, float],
    targets: Mapping[str, float],
    view: View,
    layouts: Mapping[str, str],
) -> dict[tuple[str, str], float]:
    return {(p, q): change_time(view, size, p, q, layouts) for p in sources for q in targets if p != q}
