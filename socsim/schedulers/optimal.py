"""The best placement of whole operators, by constraint programming, to measure heuristics against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from socsim.errors import MissingExtraError, UsageError
from socsim.schedulers.band import Band
from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.estimate import estimate
from socsim.schedulers.heft import heft_slots, peft_slots
from socsim.schedulers.mosaic import Mosaic
from socsim.schedulers.plan import Plan
from socsim.schedulers.single import preferred_layouts, with_fallback
from socsim.schedulers.tasks import Slot, TaskGraph
from socsim.schedulers.view import View
from socsim.words import counted
from socsim.workloads.graph import ModelGraph

__all__ = ["Optimal", "relative_gap", "replay", "solve"]

RESOLUTION = 2e-6
"""Times are whole multiples of this share of a known solution's makespan."""

ROUNDING = 1e-4
"""Gaps up to this are put down to the rounding of times."""


class Optimal(StaticScheduler):
    """Least predicted makespan of whole operators on one processor each, proven or with the gap that is left.

    The solver's model: each processor runs one operator at a time in any order that the network allows; a
    hand-over is a delay; the first operator of a processor takes the fixed cost of an invocation more; input
    comes from the CPU and results go back to it. That layout changes keep an accelerator busy is not in the
    model, so its bound is true but may be out of reach, and the solver's plan competes with the heuristics'.
    The plan's ``gap`` is (predicted time - bound) / predicted time: 0 if the plan is optimal. Splits of
    operators are not searched, so a plan of CoDL may be faster.

    Parameters
    ----------
    limit
        Search time in deterministic seconds of the solver, some real ones each; default 0.5. The same limit
        gives the same plan on every machine.
    most_operators
        Larger networks are refused; default 200.
    seed
        Of the solver; default 0.

    Raises
    ------
    UsageError
        A limit that is not positive; while planning, a network of more operators.
    MissingExtraError
        While planning, if OR-Tools is not installed.

    References
    ----------
    .. [1] L. Perron, F. Didier, S. Gay, "The CP-SAT-LP solver", CP 2023.
    """

    name = "optimal"
    repeatable = True

    def __init__(self, limit: float = 0.5, most_operators: int = 200, seed: int = 0) -> None:
        if limit <= 0.0:
            raise UsageError(f"limit must be positive seconds of search, got {limit!r}; the default is 0.5")
        self.limit, self.most_operators, self.seed = limit, most_operators, seed

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        """The best of the solver's plan and the heuristics', as a whole plan is estimated."""
        if len(graph) > self.most_operators:
            raise UsageError(
                f"the optimal scheduler takes networks of at most {counted(self.most_operators, 'operator')}, "
                f"{graph.name!r} has {len(graph)}; raise most_operators and limit, or take 'heft'"
            )
        layouts = preferred_layouts(graph, view)
        tasks = TaskGraph.of(graph, view, layouts)
        slots, bound = solve(tasks, self.limit, self.seed)
        plans = [tasks.plan(own) for own in (slots, heft_slots(tasks), peft_slots(tasks))]
        plans += [replace(plan, order=()) for plan in plans]
        plans += [with_fallback(graph, view, p, layout) for p, layout in layouts.items()]
        plans += [Plan.of(Mosaic().plan(graph, view), graph), Band().plan(graph, view)]
        times = [estimate(plan, graph, view).makespan for plan in plans]
        return replace(plans[times.index(min(times))], gap=relative_gap(min(times), bound))


def solve(tasks: TaskGraph, limit: float, seed: int = 0) -> tuple[dict[str, Slot], float]:
    """Slots of every task, and a time in s that no other solution can beat.

    Parameters
    ----------
    tasks
        Tasks in topological order.
    limit
        Deterministic seconds of search.
    seed
        Of the solver.

    Raises
    ------
    MissingExtraError
        OR-Tools is not installed.
    """
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise MissingExtraError("the optimal scheduler", "optimal") from None
    start = _known_solution(tasks)
    makespan = _makespan(start)
    if makespan <= 0.0:
        return start, 0.0
    model = _Model(cp_model.CpModel(), tasks, makespan * RESOLUTION, makespan)
    model.hint(start)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = limit
    status = solver.solve(model.model)
    bound = solver.best_objective_bound * model.tick
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return start, bound
    return min(replay(tasks, *model.reading(solver)), start, key=_makespan), bound


def relative_gap(makespan: float, bound: float) -> float:
    """(makespan - bound) / makespan; 0 where only the rounding to ticks is between them."""
    gap = (makespan - bound) / makespan if makespan else 0.0
    return gap if gap > ROUNDING else 0.0


def _makespan(slots: Mapping[str, Slot]) -> float:
    return max(slot.finish for slot in slots.values())


def replay(tasks: TaskGraph, processors: Mapping[str, str], order: list[str]) -> dict[str, Slot]:
    """Slots of tasks that run on given processors, each as early as it can, in a given order on each
    processor.

    Parameters
    ----------
    processors
        Task -> processor.
    order
        All tasks, in an order that no edge breaks.
    """
    slots: dict[str, Slot] = {}
    free: dict[str, float] = {}
    for task in order:
        p = processors[task]
        start = max(tasks.ready(task, p, slots), free.get(p, 0.0))
        first = tasks.fixed.get(p, 0.0) if p not in free and tasks.times[task][p] > 0.0 else 0.0
        slots[task] = Slot(p, start, start + first + tasks.times[task][p])
        if p in free or tasks.times[task][p] > 0.0:
            free[p] = slots[task].finish
    return slots


def _known_solution(tasks: TaskGraph) -> dict[str, Slot]:
    """The best of HEFT, PEFT and one processor wherever possible."""
    placements = []
    for slots in (heft_slots(tasks), peft_slots(tasks)):
        order = sorted(tasks.times, key=lambda t, s=slots: s[t].start)  # type: ignore[misc]
        placements.append(({task: slot.processor for task, slot in slots.items()}, order))
    for p in dict.fromkeys(p for own in tasks.times.values() for p in own):
        single = {task: p if p in own else next(iter(own)) for task, own in tasks.times.items()}
        placements.append((single, list(tasks.times)))
    solutions = [replay(tasks, processors, order) for processors, order in placements]
    return min(solutions, key=_makespan)


class _Model:
    """The constraint model; times in ticks."""

    def __init__(self, model: Any, tasks: TaskGraph, tick: float, makespan: float) -> None:
        self.model, self.tasks, self.tick = model, tasks, tick
        # Rounding may make the known solution longer: each task and each hand-over by half a tick at most.
        self._horizon = round(makespan / tick) + 1 + len(tasks.times) + len(tasks.delays)
        places = [(task, p) for task, own in tasks.times.items() for p in own]
        self.start = {task: self._time(f"start {task}") for task in tasks.times}
        self.on = {(t, p): model.new_bool_var(f"{t} on {p}") for t, p in places}
        self._first = {(t, p): model.new_bool_var(f"{t} opens {p}") for t, p in places if self._opens(t, p)}
        self._end = {t: self.start[t] + sum(self._load(t, p) for p in own) for t, own in tasks.times.items()}
        self._makespan = self._time("makespan")
        for task, own in tasks.times.items():
            model.add_exactly_one(self.on[task, p] for p in own)
            model.add(self._makespan >= self._end[task])
        for processor in dict.fromkeys(p for _, p in self.on):
            self._processor(processor)
        for edge in tasks.delays:
            self._edge(*edge)
        model.minimize(self._makespan)

    def _time(self, name: str) -> Any:
        return self.model.new_int_var(0, self._horizon, name)

    def _ticks(self, time: float) -> int:
        return round(time / self.tick)

    def _opens(self, task: str, processor: str) -> bool:
        """Whether a task pays a fixed cost if it is the first on a processor."""
        return (
            self.tasks.times[task][processor] > 0.0 and self._ticks(self.tasks.fixed.get(processor, 0.0)) > 0
        )

    def _load(self, task: str, processor: str) -> Any:
        """Ticks that a task keeps a processor busy, 0 if it is elsewhere."""
        key = (task, processor)
        own = self._ticks(self.tasks.times[task][processor]) * self.on[key]
        return (
            own + self._ticks(self.tasks.fixed[processor]) * self._first[key] if key in self._first else own
        )

    def _processor(self, processor: str) -> None:
        tasks = [t for t, p in self.on if p == processor]
        self.model.add_no_overlap(self._interval(t, processor) for t in tasks)
        # Implied by the intervals, but it makes the bound far better.
        self.model.add(self._makespan >= sum(self._load(t, processor) for t in tasks))
        self._open(processor)

    def _interval(self, task: str, processor: str) -> Any:
        key = (task, processor)
        size = self._ticks(self.tasks.times[task][processor])
        if key in self._first:
            size += self._ticks(self.tasks.fixed[processor]) * self._first[key]
        end = self._time(f"end {task} on {processor}")
        return self.model.new_optional_interval_var(
            self.start[task], size, end, self.on[key], f"{task}/{processor}"
        )

    def _open(self, processor: str) -> None:
        """One task of a processor in use is its first, and no other starts earlier."""
        firsts = [(t, var) for (t, p), var in self._first.items() if p == processor]
        opening = self._time(f"opening {processor}")
        self.model.add_at_most_one(var for _, var in firsts)
        used = sum(var for _, var in firsts)
        for task, var in firsts:
            self.model.add_implication(var, self.on[task, processor])
            self.model.add(used >= self.on[task, processor])
            self.model.add(self.start[task] == opening).only_enforce_if(var)
            self.model.add(self.start[task] >= opening).only_enforce_if(self.on[task, processor])

    def _edge(self, task: str, reader: str) -> None:
        self.model.add(self.start[reader] >= self._end[task])
        for (p, q), delay in self.tasks.delays[task, reader].items():
            ticks = self._ticks(delay)
            if ticks:
                both = [self.on[task, p], self.on[reader, q]]
                self.model.add(self.start[reader] >= self._end[task] + ticks).only_enforce_if(both)

    def hint(self, slots: Mapping[str, Slot]) -> None:
        """Start the search from a known solution."""
        for task, slot in slots.items():
            self.model.add_hint(self.start[task], self._ticks(slot.start))
            for p in self.tasks.times[task]:
                self.model.add_hint(self.on[task, p], p == slot.processor)

    def reading(self, solver: Any) -> tuple[dict[str, str], list[str]]:
        """Processors, and the order of start, of the solution found."""
        processors = {task: p for (task, p), var in self.on.items() if solver.value(var)}
        return processors, sorted(self.tasks.times, key=lambda t: solver.value(self.start[t]))
