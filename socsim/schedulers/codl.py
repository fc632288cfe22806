"""CoDL: operators divided between CPU and GPU by rows or channels, in chains, minding what sharing costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf

from socsim.errors import UsageError
from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.chains import chain_parts, follower
from socsim.schedulers.estimate import estimate
from socsim.schedulers.plan import Decision, Placement, Plan, Split
from socsim.schedulers.single import with_fallback
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import Part, input_share, output_share

__all__ = ["Choice", "CoDL", "Costs", "find_chain", "operator_choice"]

PAPER_SYNC = 1e-3
"""What CoDL's predictor takes for a synchronisation, in s: the upper bound of what its authors measured."""


class CoDL(StaticScheduler):
    """Hybrid-dimension partitioning and operator chains, by a predictor that knows what sharing costs.

    Tensors live in the GPU's memory. For each operator and dimension (rows ``H``; output channels ``OC``
    where the library can) the GPU's share runs over a grid; the CPU's part costs the layout change, mapping
    and synchronisation of its input slice and the way back of its output slice. Chains of operators divided
    alike by rows pay these once, for rows computed twice: from each operator not yet in a chain, for shares
    around its own, operators are appended while that gains, and the share of the greatest gain stays. Chains
    of operators that are all on the CPU are found in the same way. Of the plans for each of the GPU's
    layouts, for the GPU alone and for the CPU alone, the one that should finish first is returned.

    Parameters
    ----------
    layout
        Of the GPU's tensors; default the better one (images on Adreno, buffers on Mali under MACE).
    step
        Grid of the GPU's share; default 0.1.
    delta
        How far a chain's share may be from its head's own; default 0.3.
    longest
        Most operators of a chain; default 30, and 1 is CoDL without chains.
    sync
        What a synchronisation is taken to cost: ``"mean"`` (default) of the device, or ``"paper"``: 1 ms.

    Raises
    ------
    UsageError
        A parameter outside its range.

    References
    ----------
    .. [1] F. Jia et al., "CoDL: Efficient CPU-GPU co-execution for deep learning inference on mobile
       devices", MobiSys 2022.
    """

    name = "codl"
    repeatable = True

    def __init__(
        self, layout: str = "", step: float = 0.1, delta: float = 0.3, longest: int = 30, sync: str = "mean"
    ) -> None:
        if not 0.0 < step <= 1.0:
            raise UsageError(
                f"step of the share must be above 0 and at most 1, got {step!r}; the default is 0.1"
            )
        if longest < 1:
            raise UsageError(
                f"the longest chain must have at least 1 operator, got {longest!r}; the default is 30"
            )
        if sync not in ("mean", "paper"):
            raise UsageError(f"sync must be 'mean' or 'paper', got {sync!r}; the default is 'mean'")
        self.layout, self.step, self.delta, self.longest, self.sync = layout, step, delta, longest, sync

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        """The best plan of all layouts."""
        if "gpu" not in view.processors:
            return with_fallback(graph, view, "cpu", "")
        layouts = (self.layout,) if self.layout else view.layouts("gpu")
        plans = [self.co_execution(graph, view, layout) for layout in layouts]
        plans += [with_fallback(graph, view, "gpu", layout) for layout in layouts]
        plans.append(with_fallback(graph, view, "cpu", ""))
        return min(plans, key=lambda plan: estimate(plan, graph, view).makespan)

    def co_execution(self, graph: ModelGraph, view: View, layout: str) -> Plan:
        """Operators divided between CPU and GPU where that should pay, with one layout."""
        costs = Costs(graph, view, layout, self.step, PAPER_SYNC if self.sync == "paper" else None)
        own = {op.name: operator_choice(op, costs) for op in graph}
        decisions: dict[str, Decision] = {}
        chains: list[tuple[str, ...]] = []
        for op in graph:
            if op.name in decisions:
                continue
            share, chain = find_chain(op, own, costs, self.delta, self.longest)
            choice = Choice("H", share, 0.0) if len(chain) > 1 else own[op.name]
            decisions |= {member.name: choice.decision(layout) for member in chain}
            if len(chain) > 1 and 0.0 < share < 1.0:
                chains.append(tuple(member.name for member in chain))
        return Plan({op.name: decisions[op.name] for op in graph}, chains=tuple(chains))


@dataclass(frozen=True, slots=True)
class Choice:
    """How an operator is divided, alone.

    Parameters
    ----------
    dimension
        ``"H"`` or ``"OC"``.
    share
        The GPU's, 0 to 1.
    time
        Predicted time in s, sharing included.
    """

    dimension: str
    share: float
    time: float

    def decision(self, layout: str) -> Decision:
        """As a plan has it."""
        gpu = Placement("gpu", layout)
        if self.share in (0.0, 1.0):
            return gpu if self.share else Placement("cpu")
        return Split(self.dimension, ((Placement("cpu"), round(1.0 - self.share, 9)), (gpu, self.share)))


class Costs:
    """CoDL's cost of operators and chains whose inputs and outputs lie in the GPU's memory; all in s.

    Parameters
    ----------
    graph, view
        What to predict for.
    layout
        Of the GPU's tensors.
    step
        Grid of the GPU's share.
    sync
        Time in s of a synchronisation instead of the device's mean.
    """

    def __init__(
        self, graph: ModelGraph, view: View, layout: str, step: float, sync: float | None = None
    ) -> None:
        self.graph, self.view, self.layout, self.step = graph, view, layout, step
        self.shares = [round(1.0 - i * step, 9) for i in range(ceil(1.0 / step - 1e-9))] + [0.0]
        self._splits: dict[str, tuple[str, ...]] = {}
        self._resync = 0.0 if sync is None else sync - view.transfer(0.0, "gpu", "cpu", layout="buffer")

    def shares_of(self, op: Operator, dimension: str) -> list[float]:
        """GPU's shares that an operator may have along a dimension, the largest first."""
        if op.name not in self._splits:
            self._splits[op.name] = self.view.splits(op, self.layout)
        if not self.view.supports("gpu", op, self.layout):
            return [0.0]
        return self.shares if dimension in self._splits[op.name] else [1.0, 0.0]

    def alone(self, op: Operator, dimension: str, share: float) -> float:
        """An operator between its own hand-overs."""
        return self.sharing(op, dimension, share) + self.halves(op, dimension, share)

    def sharing(self, op: Operator, dimension: str, share: float) -> float:
        """The hand-overs of an operator alone."""
        part = Part(round(1.0 - share, 9), dimension)
        return self.enter(op, part) + self.leave(op, part)

    def chain(self, ops: list[Operator], share: float) -> float:
        """Operators divided alike by rows, with hand-overs before the first and after the last only."""
        cpu = chain_parts(self.graph, ops, round(1.0 - share, 9), "cpu")
        gpu = chain_parts(self.graph, ops, share, "gpu")
        body = sum(self.compute(op, own, other) for op, own, other in zip(ops, cpu, gpu, strict=True))
        return self.enter(ops[0], cpu[0]) + body + self.leave(ops[-1], cpu[-1])

    def halves(self, op: Operator, dimension: str, share: float) -> float:
        """The slower half of an operator alone."""
        return self.compute(op, Part(round(1.0 - share, 9), dimension), Part(share, dimension))

    def compute(self, op: Operator, cpu: Part, gpu: Part) -> float:
        """The slower of what CPU and GPU compute."""
        return max(self._time(op, "cpu", "", cpu), self._time(op, "gpu", self.layout, gpu))

    def _time(self, op: Operator, processor: str, layout: str, part: Part) -> float:
        if part.share <= 0.0:
            return 0.0
        return self.view.predict(
            op, processor, layout=layout, share=part.share, dimension=part.dimension,
            halo_rows=part.halo_rows, halo_columns=part.halo_columns,
        )  # fmt: skip

    def enter(self, op: Operator, part: Part) -> float:
        """Layout change, mapping and wait for the CPU's input slice, mapping of its output slice."""
        if part.share <= 0.0:
            return 0.0
        size = self.graph.input_elements(op) * input_share(self.graph, op, part)
        there = self.view.transfer(size, "gpu", "cpu", layout=self.layout) + self._resync
        if part.share >= 1.0:
            return there
        written = self.graph.output_elements(op) * output_share(self.graph, op, part)
        mapped = self.view.transfer(written, "gpu", "cpu", layout="buffer")
        return there + mapped - self.view.transfer(0.0, "gpu", "cpu", layout="buffer")

    def leave(self, op: Operator, part: Part) -> float:
        """The way back of the CPU's output slice."""
        if part.share <= 0.0:
            return 0.0
        size = self.graph.output_elements(op) * part.share
        return self.view.transfer(size, "cpu", "gpu", layout=self.layout)


def operator_choice(op: Operator, costs: Costs) -> Choice:
    """The dimension and share of least predicted time of an operator alone; ties go to rows and more GPU."""
    best = Choice("H", 1.0, inf)
    for dimension in ("H", "OC"):
        for share in costs.shares_of(op, dimension):
            # Sharing alone often takes longer than the GPU: then the halves need not be predicted.
            sharing = costs.sharing(op, dimension, share)
            if sharing < best.time:
                time = sharing + costs.halves(op, dimension, share)
                best = Choice(dimension, share, time) if time < best.time else best
    return best


def find_chain(
    head: Operator, own: dict[str, Choice], costs: Costs, delta: float, longest: int
) -> tuple[float, list[Operator]]:
    """The chain from `head` that gains most over its operators alone.

    Parameters
    ----------
    own
        Operator name -> its choice alone.
    delta
        How far the chain's share may be from the head's own.
    longest
        Most operators.

    Returns
    -------
    The GPU's share, and the operators; the head alone where no chain gains.
    """
    share, chain, most = own[head.name].share, [head], 0.0
    for candidate in costs.shares_of(head, "H"):
        if abs(candidate - own[head.name].share) > delta + 1e-9:
            continue
        for ops, gain in _grow(head, candidate, own, costs, longest):
            if gain > most + 1e-12:
                share, chain, most = candidate, ops, gain
    return share, chain


def _grow(
    head: Operator, share: float, own: dict[str, Choice], costs: Costs, longest: int
) -> Iterator[tuple[list[Operator], float]]:
    """Longer and longer chains with what each gains in s, until one more operator loses."""
    ops, apart = [head], own[head.name].time
    together = costs.alone(head, "H", share)
    while len(ops) < longest:
        after = follower(costs.graph, ops[-1])
        if (
            after is None
            or share not in costs.shares_of(after, "H")
            or len(costs.graph.predecessors(after)) > 1
        ):
            return
        ops, apart = [*ops, after], apart + own[after.name].time
        longer = costs.chain(ops, share)
        if longer > together + own[after.name].time:
            return
        together = longer
        yield ops, apart - together
