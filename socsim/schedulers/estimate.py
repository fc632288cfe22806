"""How long a whole plan should take on an idle phone: what schedulers compare their candidates by.

The rules are those of the simulation (each processor runs its operators in the plan's order, every change of
processor is a hand-over, an invocation has a fixed cost), but with predicted times and without contention: a
scheduler may know no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from socsim.schedulers.chains import chain_parts
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import Part, input_share, output_share

__all__ = ["Estimate", "estimate"]


Place = tuple[str, str]
CPU: Place = ("cpu", "")


class Estimate(NamedTuple):
    """When each operator of a plan has finished, and when the CPU can read the results, in s."""

    finish: Mapping[str, float]
    makespan: float


def estimate(plan: Plan, graph: ModelGraph, view: View) -> Estimate:
    """Predict a plan.

    Parameters
    ----------
    plan
        Places every operator where it is supported.
    graph, view
        The network, and what the scheduler sees of the phone.

    Raises
    ------
    PlanError
        An operator placed where the library cannot run it.
    """
    clock = _Clock(graph, view)
    group_of = {name: i for i, group in enumerate(plan.groups) for name in group}
    chain_of = {name: chain for chain in plan.chains for name in chain}
    for name in plan.order or graph.operators:
        clock.enter_group(group_of.get(name, -1))
        decision = plan.decisions[name]
        if isinstance(decision, Placement):
            clock.whole(graph[name], decision)
        elif chain_of.get(name, (name,))[0] == name:
            clock.chain([graph[n] for n in chain_of.get(name, (name,))], decision)
    return Estimate(clock.finish, clock.read(graph.outputs, "cpu", ""))


class _Clock:
    """When each processor is free, and since when each tensor is readable where."""

    def __init__(self, graph: ModelGraph, view: View) -> None:
        self.graph, self.view = graph, view
        self.free: dict[str, float] = {}
        self.finish: dict[str, float] = {}
        self._readable: dict[str, dict[Place, float]] = {t: {CPU: 0.0} for t in graph.inputs}
        self._open: set[str] = set()
        self._group = -1

    def enter_group(self, group: int) -> None:
        """A new subgraph is a new invocation."""
        if group != self._group:
            self._group = group
            self._open.clear()

    def whole(self, op: Operator, placement: Placement) -> None:
        """Run an operator on one processor."""
        where = self._place(placement)
        time = self.view.predict(op, placement.processor, layout=placement.layout, dtype=placement.dtype)
        self._produce(op, where, self._run(where, time, self.read(op.inputs, *where)))

    def chain(self, ops: list[Operator], split: Split) -> None:
        """Run operators that are split alike; the halves meet only before the first and after the last."""
        home = self._place(next((p for p, _ in split.shares if p.processor != "cpu"), split.shares[0][0]))
        parts = {
            p: chain_parts(self.graph, ops, share, p.processor, split.dimension) for p, share in split.shares
        }
        cpu = next((own for p, own in parts.items() if p.processor == "cpu"), None)
        here = [self._readable[t].get(CPU) for t in ops[0].inputs]
        ready = own_ready = self.read(ops[0].inputs, *home)
        if cpu is not None and home[0] != "cpu":
            own_ready = self._lend(ops[0], cpu[0], home, ready, here)
            ready = max(ready, own_ready)
        ends = [
            self._half(ops, p, own, own_ready if p.processor == "cpu" else ready) for p, own in parts.items()
        ]
        end = max(ends)
        if cpu is not None and home[0] != "cpu":
            share = output_share(self.graph, ops[-1], Part(cpu[-1].share, split.dimension))
            size = self.graph.output_elements(ops[-1]) * share
            end = self._hand_over(size, CPU, home, end)
        for op in ops:
            self._produce(op, home, end)

    def _half(self, ops: list[Operator], placement: Placement, parts: list[Part], ready: float) -> float:
        where = self._place(placement)
        for i, (op, part) in enumerate(zip(ops, parts, strict=True)):
            beside = [t for t in op.inputs if i and t not in ops[i - 1].outputs]
            ready = max(ready, self.read(beside, *where)) if beside else ready
            time = self.view.predict(
                op, where[0], layout=placement.layout, dtype=placement.dtype, share=part.share,
                dimension=part.dimension, halo_rows=part.halo_rows, halo_columns=part.halo_columns,
            )  # fmt: skip
            ready = self._run(where, time, ready)
        return ready

    def _lend(
        self, op: Operator, part: Part, home: Place, ready: float, here: Sequence[float | None]
    ) -> float:
        """Make the CPU's slices of input and output accessible to it; `here`: since when it has the inputs."""
        size = self.graph.input_elements(op) * input_share(self.graph, op, part)
        written = self.graph.output_elements(op) * output_share(self.graph, op, part)
        view, p = self.view, home[0]
        mapping = view.transfer(written, p, "cpu", layout="buffer") - view.transfer(
            0.0, p, "cpu", layout="buffer"
        )
        have = [time for time in here if time is not None]
        if len(have) == len(here):
            return max(have, default=0.0) + mapping
        return self._hand_over(size, home, CPU, ready) + mapping

    def read(self, tensors: Iterable[str], processor: str, layout: str) -> float:
        """Time in s from which tensors are readable on a processor, handing them over where they are not."""
        where, ready = (processor, layout), 0.0
        away: dict[Place, list[str]] = {}
        for tensor in dict.fromkeys(tensors):
            places = self._readable[tensor]
            if where in places:
                ready = max(ready, places[where])
            else:
                away.setdefault(_nearest(places, processor), []).append(tensor)
        for source, group in away.items():
            if "cpu" not in (source[0], processor) and source[0] != processor:
                self.read(group, *CPU)
                source = CPU
            size = sum(self.graph.tensors[t].elements for t in group)
            since = max(self._readable[t][source] for t in group)
            turning = () if source[0] == processor else group
            if source == CPU:
                since = self._turn(turning, processor, since)
            done = self._hand_over(size, source, where, since)
            if where == CPU:
                done = self._turn(turning, source[0], done)
            ready = max(ready, done)
            for tensor in group:
                self._readable[tensor][where] = done
        return ready

    def _turn(self, tensors: Iterable[str], accelerator: str, ready: float) -> float:
        """The CPU transposes what goes over, if accelerator and CPU differ in the order of dimensions."""
        time = sum(self.view.transposition(t, accelerator) for t in tensors)
        return self._occupy("cpu", time, ready) if time else ready

    def _hand_over(self, size: float, source: Place, target: Place, ready: float) -> float:
        """Layout changes keep the accelerator busy; the rest is waiting."""
        owner, layout = source if source[0] != "cpu" else target
        wait = self.view.transfer(size, source[0], target[0], layout="buffer")
        if source[0] == target[0]:
            return self._occupy(owner, self._transform(size, owner), ready)
        if layout != "image":
            return ready + wait
        transform = self._transform(size, owner)
        if target[0] == "cpu":
            return self._occupy(owner, transform, ready) + wait
        return self._occupy(owner, transform, ready + wait)

    def _transform(self, size: float, owner: str) -> float:
        image = self.view.transfer(size, owner, "cpu", layout="image")
        return image - self.view.transfer(size, owner, "cpu", layout="buffer")

    def _run(self, where: Place, time: float, ready: float) -> float:
        if where[0] not in self._open:
            self._open.add(where[0])
            time += self.view.fixed_cost(*where)
        return self._occupy(where[0], time, ready)

    def _occupy(self, processor: str, time: float, ready: float) -> float:
        end = max(ready, self.free.get(processor, 0.0)) + time
        self.free[processor] = end
        return end

    def _produce(self, op: Operator, where: Place, at: float) -> None:
        self.finish[op.name] = at
        for tensor in op.outputs:
            self._readable[tensor] = {where: at}

    def _place(self, placement: Placement) -> Place:
        if placement.processor == "cpu":
            return CPU
        return (placement.processor, placement.layout or self.view.layouts(placement.processor)[0])


def _nearest(places: Mapping[Place, float], processor: str) -> Place:
    """The copy to start from: of the same processor, else the CPU's, else the first."""
    same = [p for p in places if p[0] == processor]
    return same[0] if same else CPU if CPU in places else next(iter(places))
