"""List scheduling of whole operators: HEFT and PEFT."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping

from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.plan import Plan
from socsim.schedulers.single import preferred_layouts
from socsim.schedulers.tasks import Slot, TaskGraph, earliest_gap
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph

__all__ = ["HEFT", "PEFT", "heft_slots", "optimistic_costs", "peft_slots", "upward_ranks"]


class _ListScheduler(StaticScheduler):
    """Places tasks one after the other."""

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        """Place every operator on one processor, in the order in which they start."""
        tasks = TaskGraph.of(graph, view, preferred_layouts(graph, view))
        return tasks.plan(self.slots(tasks))

    @abstractmethod
    def slots(self, tasks: TaskGraph) -> dict[str, Slot]:
        """Place every task."""


class HEFT(_ListScheduler):
    """Heterogeneous Earliest Finish Time: by falling upward rank, each where it finishes first, gaps used.

    Ranks take mean times and mean hand-overs; the fixed cost of an invocation is not in the model.

    References
    ----------
    .. [1] H. Topcuoglu, S. Hariri, M.-Y. Wu, "Performance-effective and low-complexity task scheduling for
       heterogeneous computing", IEEE TPDS 13(3), 2002.
    """

    name = "heft"
    repeatable = True

    def slots(self, tasks: TaskGraph) -> dict[str, Slot]:
        """Place every task."""
        return heft_slots(tasks)


class PEFT(_ListScheduler):
    """Predict Earliest Finish Time: HEFT that looks ahead by a table of optimistic costs to the end.

    References
    ----------
    .. [1] H. Arabnejad, J. G. Barbosa, "List scheduling algorithm for heterogeneous systems by an optimistic
       cost table", IEEE TPDS 25(3), 2014.
    """

    name = "peft"
    repeatable = True

    def slots(self, tasks: TaskGraph) -> dict[str, Slot]:
        """Place every task."""
        return peft_slots(tasks)


def upward_ranks(tasks: TaskGraph) -> dict[str, float]:
    """Mean length in s of the longest path from each task's start to the end."""
    ranks: dict[str, float] = {}
    for task in reversed(tuple(tasks.times)):
        tails = (tasks.mean_delay[task, s] + ranks[s] for s in tasks.successors[task])
        ranks[task] = tasks.mean_time[task] + max(tails, default=0.0)
    return ranks


def heft_slots(tasks: TaskGraph) -> dict[str, Slot]:
    """Place tasks as HEFT does; ties go to the earlier task and the earlier processor."""
    ranks = upward_ranks(tasks)
    placing = _Placing(tasks)
    for task in sorted(tasks.times, key=lambda t: -ranks[t]):
        placing.place(task, {})
    return placing.slots


def optimistic_costs(tasks: TaskGraph) -> dict[str, dict[str, float]]:
    """Task -> processor -> least time in s from its end there to the end, every processor free."""
    table: dict[str, dict[str, float]] = {}
    for task in reversed(tuple(tasks.times)):
        table[task] = {
            p: max((_best_child(tasks, table, task, p, s) for s in tasks.successors[task]), default=0.0)
            for p in tasks.times[task]
        }
    return table


def _best_child(
    tasks: TaskGraph, table: Mapping[str, Mapping[str, float]], task: str, processor: str, child: str
) -> float:
    moved = tasks.mean_delay[task, child]
    return min(
        table[child][q] + t + (moved if q != processor else 0.0) for q, t in tasks.times[child].items()
    )


def peft_slots(tasks: TaskGraph) -> dict[str, Slot]:
    """Place tasks as PEFT does; ties go to the earlier task and the earlier processor."""
    table = optimistic_costs(tasks)
    rank = {task: sum(own.values()) / len(own) for task, own in table.items()}
    position = {task: i for i, task in enumerate(tasks.times)}
    waiting = {task: len(tasks.predecessors[task]) for task in tasks.times}
    ready = [task for task, left in waiting.items() if not left]
    placing = _Placing(tasks)
    while ready:
        task = min(ready, key=lambda t: (-rank[t], position[t]))
        ready.remove(task)
        placing.place(task, table[task])
        ready += _released(tasks.successors[task], waiting)
    return placing.slots


def _released(readers: Iterable[str], waiting: dict[str, int]) -> list[str]:
    freed = []
    for reader in readers:
        waiting[reader] -= 1
        if not waiting[reader]:
            freed.append(reader)
    return freed


class _Placing:
    """Tasks placed so far."""

    def __init__(self, tasks: TaskGraph) -> None:
        self.tasks, self.slots = tasks, dict[str, Slot]()
        self._busy: dict[str, list[tuple[float, float]]] = {}

    def place(self, task: str, beyond: Mapping[str, float]) -> None:
        """Take the processor of the earliest finish, plus `beyond` there."""
        options = [self._slot(task, p) for p in self.tasks.times[task]]
        slot = min(options, key=lambda s: s.finish + beyond.get(s.processor, 0.0))
        self.slots[task] = slot
        busy = self._busy.setdefault(slot.processor, [])
        busy.append((slot.start, slot.finish))
        busy.sort()

    def _slot(self, task: str, processor: str) -> Slot:
        time = self.tasks.times[task][processor]
        ready = self.tasks.ready(task, processor, self.slots)
        start = earliest_gap(self._busy.get(processor, []), ready, time)
        return Slot(processor, start, start + time)
