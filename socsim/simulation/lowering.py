"""From a plan to kernels: every operator becomes kernels on queues, every change of processor a hand-over.

Lowering is pure: the same network, plan, library and device give the same kernel graph, which is replayed for every
inference. A library's interpreter runs operators of one processor in the plan's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from socsim.devices.sharing import from_accelerator, to_accelerator
from socsim.schedulers.chains import chain_parts
from socsim.schedulers.plan import Decision, Placement, Plan, Split
from socsim.simulation.handovers import CPU, NOTHING, Handovers, Place
from socsim.simulation.kernelgraph import Entry, KernelGraph, Step, compress
from socsim.simulation.pacing import UNPACED, Pacer, Pacing
from socsim.simulation.partial import PartialKernel, Recomputed
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import WHOLE, Part, input_share, output_share
from socsim.workloads.pricing import Pricer

__all__ = ["lower_job", "lower_kernel", "lower_plan"]


def lower_plan(
    pricer: Pricer,
    plan: Plan,
    *,
    decision_time: float = 0.0,
    pacing: Pacing = UNPACED,
    recomputed: Recomputed | None = None,
) -> KernelGraph:
    """Lower a whole network.

    Parameters
    ----------
    pricer
        The network under its library on its device.
    plan
        A resolved plan: every operator placed where it can run.
    decision_time
        Time in s that the scheduler takes first.
    pacing
        How kernels are sent to the GPU.
    recomputed
        What is computed where the rest is reused; None for all of it.
    """
    graph = pricer.graph
    lowering = _Lowering(pricer, dict.fromkeys(graph.inputs, CPU), decision_time, pacing)
    if recomputed is not None:
        lowering.partial, lowering.moved = recomputed.kernels, recomputed.moved
    names = plan.order or tuple(graph.operators)
    group_of = {name: i for i, group in enumerate(plan.groups) for name in group}
    chain_of = {name: chain for chain in plan.chains if len(chain) > 1 for name in chain}
    for name in names:
        lowering.enter_group(group_of.get(name, -1))
        chain = chain_of.get(name)
        if chain is None:
            lowering.operator(graph[name], plan.decisions[name])
        elif chain[0] == name:
            lowering.chain([graph[n] for n in chain], plan.decisions[name])
    lowering.require(graph.outputs, CPU, "output")
    return compress(lowering.steps)


def lower_job(
    pricer: Pricer,
    names: Sequence[str],
    placement: Placement,
    inputs: Mapping[str, Place],
    outputs: Iterable[str],
    *,
    opened: bool = False,
    pacing: Pacing = UNPACED,
) -> tuple[KernelGraph, dict[int, tuple[str, ...]], dict[str, Place]]:
    """Lower some operators on one processor.

    Parameters
    ----------
    pricer
        The network under its library on its device.
    names
        Operators in order.
    placement
        Where they run.
    inputs
        Where each tensor that they read from outside lies.
    outputs
        Tensors that the CPU must be able to read in the end (the network's own outputs among theirs).
    opened
        Whether the processor's fixed cost has been paid.
    pacing
        How kernels are sent to the GPU.

    Returns
    -------
    The kernel graph; for each root segment that only waits, the tensors whose producers it waits for; and where each
    tensor produced lies.
    """
    lowering = _Lowering(pricer, dict(inputs), pacing=pacing)
    if opened:
        lowering.opened.add(placement.processor)
    for name in names:
        lowering.operator(pricer.graph[name], placement)
    lowering.require(tuple(outputs), CPU, "output")
    produced = {t: next(iter(places)) for t, places in lowering.places.items() if t not in inputs}
    kernel_graph = compress(lowering.steps)
    return kernel_graph, lowering.root_tensors(kernel_graph), produced


def lower_kernel(pricer: Pricer, op: Operator, placement: Placement, part: Part = WHOLE) -> KernelGraph:
    """Lower one part of an operator alone: its kernel, with its dispatch but no fixed cost of an invocation."""
    lowering = _Lowering(pricer, {})
    lowering.opened.add(placement.processor)
    lowering.kernel(op, placement, part, set())
    return compress(lowering.steps)


class _Lowering(Handovers):
    """Emits the kernels of operators, and what has to be handed over between them."""

    def __init__(
        self,
        pricer: Pricer,
        inputs: Mapping[str, Place],
        decision_time: float = 0.0,
        pacing: Pacing = UNPACED,
    ) -> None:
        super().__init__(pricer, inputs, decision_time)
        self.opened: set[str] = set()
        """Processors whose fixed cost has been paid."""
        self.partial: Mapping[str, PartialKernel] = {}
        """Operators of which only some rows are computed."""
        self._group: int = -1
        self._blocking, self._waited = pacing.blocking, dict[str, set[int]]()
        self._pacer = None
        if (pacing.kernel_limit or pacing.window) and "gpu" in self.pricer.sharing:
            self._pacer = Pacer(pacing, self.pricer.sharing["gpu"].sync.mean)

    def enter_group(self, group: int) -> None:
        """A new group is a new invocation: fixed costs are due again."""
        if group != self._group:
            self._group = group
            self.opened.clear()

    def operator(self, op: Operator, decision: Decision) -> None:
        """Lower one operator, whole or split."""
        if isinstance(decision, Split):
            self.chain([op], decision)
            return
        place = self._place(decision)
        # a library whose accelerators have host threads of their own lets the others go on meanwhile
        host = place.processor if self.pricer.library.host == "own" else ""
        deps = self.require(op.inputs, place, op.name) | self._waited.get(host, set())
        rows = self.partial.get(op.name)
        step = self._rows(op, decision, rows, deps) if rows else self.kernel(op, decision, WHOLE, deps)
        if self._blocking and place != CPU:
            wait = self.pricer.sharing[place.processor].sync.mean
            entry = Entry("sync", op.name, "cpu", source=place.processor, overhead=wait)
            self._waited[host] = {self.delay([entry], {step})}
        for tensor in op.outputs:
            self.places[tensor] = {place: step}

    def _rows(self, op: Operator, placement: Placement, partial: PartialKernel, deps: set[int]) -> int:
        """Some rows of an operator, beside those that are reused; nobody predicts what that takes."""
        index = self.kernel(op, placement, partial.part, deps)
        step = self.steps[index]
        first, *rest = (replace(entry, placement=None) for entry in step.entries)
        moved = first.bytes + partial.copied_bytes
        if placement.processor == "cpu":
            first = replace(first, bytes=moved, overhead=first.overhead + partial.boundary)
        else:
            first = replace(first, bytes=moved, dispatch=first.dispatch + partial.boundary)
        step.entries = (first, *rest)
        return index

    def chain(self, ops: Sequence[Operator], decision: Decision) -> None:
        """Lower operators that are split alike: hand-overs only before the first and after the last."""
        if not isinstance(decision, Split):
            raise TypeError("a chain is made of splits")
        shares = [(placement, share) for placement, share in decision.shares if share > 0.0]
        own = {p: chain_parts(self.graph, ops, s, p.processor, decision.dimension) for p, s in shares}
        parts = [{p: own[p][i] for p, _ in shares} for i in range(len(ops))]
        accelerator = next((p for p, _ in shares if p.processor != "cpu"), shares[0][0])
        ends = self._enter_split(ops[0], parts[0], accelerator)
        for i, op in enumerate(ops):
            if i:
                self._read_beside(op, ops[i - 1], accelerator, ends)
            for placement, _ in shares:
                ends[placement] = {
                    self.kernel(op, placement, parts[i][placement], ends[placement], dispatched=not i)
                }
        self._leave_split(ops[-1], parts[-1], accelerator, ends)

    def _enter_split(
        self, op: Operator, parts: Mapping[Placement, Part], accelerator: Placement
    ) -> dict[Placement, set[int]]:
        """Make the input readable on both sides; the host enqueues the accelerator's half before it runs its own.

        The CPU maps its slices of input and output, and waits for the accelerator, unless it has the input already.
        """
        place = self._place(accelerator)
        cpu = next((p for p in parts if p.processor == "cpu"), None)
        there = all(CPU in self.places[t] for t in op.inputs)
        here = {self.places[t][CPU] for t in op.inputs} - {NOTHING} if there else set()
        deps = self.require(op.inputs, place, op.name)
        if cpu is None:
            return {p: set(deps) for p in parts}
        entries, before = [], here
        if not there:
            size = self._bytes(self.graph.input_elements(op), place.processor) * input_share(
                self.graph, op, parts[cpu]
            )
            handover = from_accelerator(
                self.pricer.sharing[place.processor], size, image=place.layout == "image"
            )
            entries = self._to_cpu(handover, op.name, place.processor, size)
            before = self._transform(handover, op.name, place, size, deps)
        written = self._bytes(self.graph.output_elements(op), place.processor) * output_share(
            self.graph, op, parts[cpu]
        )
        mapping = self.pricer.sharing[place.processor].map_per_byte * written
        entries.append(self._map_entry(mapping, op.name, place.processor, "cpu", written))
        entries.append(self._dispatch_entry(op, accelerator))
        ready = {self.delay(entries, before)}
        return {p: set(ready) if p == cpu or not there else deps | ready for p in parts}

    def _read_beside(
        self, op: Operator, previous: Operator, accelerator: Placement, ends: dict[Placement, set[int]]
    ) -> None:
        """Other inputs of an operator inside a chain (a residual) must be readable on both sides too."""
        beside = [t for t in op.inputs if t not in previous.outputs]
        if not beside:
            return
        there = self.require(beside, self._place(accelerator), op.name)
        here = self.require(beside, CPU, op.name)
        for placement in ends:
            ends[placement] |= here if placement.processor == "cpu" else there

    def _leave_split(
        self,
        op: Operator,
        parts: Mapping[Placement, Part],
        accelerator: Placement,
        ends: dict[Placement, set[int]],
    ) -> None:
        """Join the halves in the accelerator's memory."""
        place = self._place(accelerator)
        joined = {d for deps in ends.values() for d in deps}
        cpu = next((p for p in parts if p.processor == "cpu"), None)
        if cpu is not None and place != CPU:
            own = Part(parts[cpu].share, parts[cpu].dimension)
            size = self._bytes(self.graph.output_elements(op), place.processor) * output_share(
                self.graph, op, own
            )
            handover = to_accelerator(
                self.pricer.sharing[place.processor], size, image=place.layout == "image"
            )
            back = {self.delay(self._from_cpu(handover, op.name, place.processor, 0.0), joined)}
            joined = self._transform(handover, op.name, place, size, back)
        step = next(iter(joined)) if len(joined) == 1 else self.delay([], joined)
        for tensor in op.outputs:
            self.places[tensor] = {place: step}

    def kernel(
        self, op: Operator, placement: Placement, part: Part, deps: set[int], *, dispatched: bool = False
    ) -> int:
        """A part of an operator on one processor."""
        processor = placement.processor
        cost = self.pricer.cost(op, processor, placement.layout, placement.dtype, placement.cores, part)
        fixed, host = self._fixed(placement)
        power = self.pricer.calibration(processor, placement.layout, placement.dtype).power
        body = max(cost.compute, cost.bytes / cost.bandwidth)
        entry = Entry(
            "kernel",
            op.name,
            processor,
            cost.kernel_class,
            share=part.share,
            overhead=cost.overhead + fixed,
            compute=cost.compute,
            bytes=cost.bytes,
            reach=cost.bandwidth,
            dispatch=host + (0.0 if dispatched and part.share < 1.0 else cost.dispatch),
            placement=placement,
            part=part,
            fixed=fixed,
            host=host,
            activity=power.mean(body, cost.overhead + fixed),
        )
        team = self.pricer.team(placement.cores) if processor == "cpu" else ()
        entries: tuple[Entry, ...] = (entry,)
        if self._pacer is not None and processor == "gpu":
            entries = self._pacer.commands(entry, cost.overhead)
        return self._emit(Step(processor, entries, deps, team, self.weights(team, placement.dtype)))

    def _fixed(self, placement: Placement) -> tuple[float, float]:
        """The fixed costs of an invocation on its processor and its host, due at the first kernel of a processor."""
        if placement.processor in self.opened:
            return 0.0, 0.0
        self.opened.add(placement.processor)
        found = self.pricer.calibration(placement.processor, placement.layout, placement.dtype)
        accelerator = self.device.accelerators.get(placement.processor)
        if accelerator is None:
            return found.inference_overhead, 0.0
        return found.inference_overhead + accelerator.call_latency, found.host_overhead

    def _dispatch_entry(self, op: Operator, accelerator: Placement) -> Entry:
        p = accelerator
        cost = self.pricer.cost(op, p.processor, p.layout, p.dtype, p.cores, WHOLE)
        return Entry("dispatch", op.name, p.processor, source="cpu", overhead=cost.dispatch)
