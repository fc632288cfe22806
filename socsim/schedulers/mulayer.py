"""uLayer: every layer on CPU and GPU at once, by output channels, in memory that both can address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import ceil, inf

import networkx as nx
from networkx.utils import UnionFind

from socsim.errors import UsageError
from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.plan import Decision, Placement, Split
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["MuLayer", "best_share", "branch_groups", "distribute"]

Time = Callable[[float], float]

MOST_BRANCHES = 8
"""Groups with more branches are not distributed: all assignments are tried."""


class MuLayer(StaticScheduler):
    """Channel splitting between CPU and GPU by a linear predictor that knows no sharing costs.

    It wants every operator on CPU and GPU, in buffers: those that can be divided by output channels in the
    ratio that minimises the slower half's predicted time, all others on the GPU. What the library's buffer
    kernels do not support is wanted all the same, and falls back. Where the network forks, whole branches go
    to the CPU or the GPU if that should be faster than splitting their operators; all of them must be
    supported on both.

    Parameters
    ----------
    step
        Grid of the GPU's share, 0 to 1; default 0.1 as in CoDL's comparison, 0.25 in the paper.
    quantise
        Processor-friendly quantisation: int8 on the CPU and fp16 on the GPU, where the library is calibrated
        for them. Default off: both in the run's data type.
    branches
        Distribute branches; default on.

    Raises
    ------
    UsageError
        A step that is not in (0, 1].

    References
    ----------
    .. [1] Y. Kim, J. Kim, D. Chae, D. Kim, J. Kim, "uLayer: Low latency on-device inference using cooperative
       single-layer acceleration and processor-friendly quantization", EuroSys 2019.
    """

    name = "mulayer"
    repeatable = True
    predictor = "flops"

    def __init__(self, step: float = 0.1, quantise: bool = False, branches: bool = True) -> None:
        if not 0.0 < step <= 1.0:
            raise UsageError(
                f"step of the share must be above 0 and at most 1, got {step!r}; the default is 0.1"
            )
        self.step, self.quantise, self.branches = step, quantise, branches

    def plan(self, graph: ModelGraph, view: View) -> dict[str, Decision]:
        """Decide operator by operator, then branch by branch."""
        if "gpu" not in view.processors:
            return dict.fromkeys(graph.operators, Placement("cpu"))
        layouts = view.layouts("gpu")
        pair = _Pair(view, "buffer" if "buffer" in layouts else layouts[0], self.quantise)
        chosen = {op.name: pair.decide(op, self.step) for op in graph}
        plan = {name: decision for name, (decision, _) in chosen.items()}
        if self.branches:
            layerwise = {name: time for name, (_, time) in chosen.items()}
            plan |= _distributed(graph, pair, layerwise)
        return plan


class _Pair:
    """The CPU and the GPU as uLayer sees them."""

    def __init__(self, view: View, layout: str, quantise: bool) -> None:
        self.view = view
        cpu_dtype = "int8" if quantise and view.layouts("cpu", "int8") else ""
        gpu_dtype = "fp16" if quantise and layout in view.layouts("gpu", "fp16") else ""
        self.placements = {
            "cpu": Placement("cpu", dtype=cpu_dtype),
            "gpu": Placement("gpu", layout, dtype=gpu_dtype),
        }

    def decide(self, op: Operator, step: float) -> tuple[Decision, float]:
        """Decision and predicted time in s of one operator."""
        cpu, gpu = self.placements["cpu"], self.placements["gpu"]
        times = self.times(op)
        if times is None:
            return gpu, inf
        if "OC" not in self.view.splits(op, gpu.layout):
            return gpu, times["gpu"]
        share, time = best_share(lambda s: self._part(op, cpu, s), lambda s: self._part(op, gpu, s), step)
        if share in (0.0, 1.0):
            return (gpu if share else cpu), time
        return Split("OC", ((cpu, round(1.0 - share, 9)), (gpu, share))), time

    def _part(self, op: Operator, where: Placement, share: float) -> float:
        if share <= 0.0:
            return 0.0
        return self.view.predict(op, where.processor, layout=where.layout, dtype=where.dtype, share=share)

    def times(self, op: Operator) -> dict[str, float] | None:
        """Predicted times in s of a whole operator by processor; None if one of them does not support it."""
        placed = self.placements.values()
        if not all(self.view.supports(p.processor, op, p.layout, p.dtype) for p in placed):
            return None
        return {
            p.processor: self.view.predict(op, p.processor, layout=p.layout, dtype=p.dtype) for p in placed
        }


def best_share(cpu: Time, gpu: Time, step: float) -> tuple[float, float]:
    """The GPU's share on a grid that minimises the slower half's time, and that time in s; ties go to more
    GPU.

    Parameters
    ----------
    cpu, gpu
        Share of the operator -> time in s.
    step
        Of the grid; 0 and 1 always belong to it.
    """
    shares = [round(1.0 - i * step, 9) for i in range(ceil(1.0 / step - 1e-9))] + [0.0]
    times = [max(cpu(round(1.0 - share, 9)), gpu(share)) for share in shares]
    return shares[times.index(min(times))], min(times)


# --- branches -----------------------------------------------------------------------------------------------


def branch_groups(graph: ModelGraph) -> Iterator[list[list[str]]]:
    """Forks whose branches join again, outer ones before inner ones: for each the branches' operators.

    A branch is a connected part of what lies between a fork and the first operator in which all its paths
    meet again; a fork counts if at least two of its branches have operators.
    """
    exit_, order = "", {name: i for i, name in enumerate(graph.operators)}
    backwards: nx.DiGraph[str] = nx.DiGraph((reader, name) for name, reader in graph.dag.edges)
    backwards.add_edges_from((exit_, name) for name in graph.operators if not graph.dag.out_degree(name))
    joins = nx.immediate_dominators(backwards, exit_)
    for fork in graph.operators:
        join = joins[fork]
        if graph.dag.out_degree(fork) < 2 or not join:
            continue
        below: set[str] = nx.descendants(graph.dag, fork)
        above: set[str] = nx.ancestors(graph.dag, join)
        inner = below & above
        parts = UnionFind(inner)
        for before, after in graph.dag.subgraph(inner).edges:
            parts.union(before, after)
        branches = [sorted(part, key=order.__getitem__) for part in parts.to_sets()]
        if len(branches) > 1:
            yield sorted(branches, key=lambda branch: order[branch[0]])


def distribute(times: Sequence[Mapping[str, float]]) -> tuple[float, tuple[str, ...]]:
    """Assign whole branches to CPU and GPU for the least time of the busier one.

    Parameters
    ----------
    times
        Processor -> time in s of a branch, for each branch.

    Returns
    -------
    That time in s, and each branch's processor; ties go to the GPU for earlier branches.
    """

    def load(choice: Sequence[str]) -> float:
        pairs = list(zip(times, choice, strict=True))
        return max(sum(own[p] for own, p in pairs if p == q) for q in ("cpu", "gpu"))

    best = min(product(("gpu", "cpu"), repeat=len(times)), key=load)
    return load(best), best


def _distributed(graph: ModelGraph, pair: _Pair, layerwise: Mapping[str, float]) -> dict[str, Placement]:
    """Placements of whole branches, where that should be faster than their operators one by one."""
    placed: dict[str, Placement] = {}
    for group in branch_groups(graph):
        names = [name for branch in group for name in branch]
        sums = [_branch_times(branch, graph, pair) for branch in group]
        if len(group) > MOST_BRANCHES or any(name in placed for name in names) or not all(sums):
            continue
        time, choice = distribute(sums)
        if time < sum(layerwise[name] for name in names):
            placed |= {n: pair.placements[p] for branch, p in zip(group, choice, strict=True) for n in branch}
    return placed


def _branch_times(branch: Sequence[str], graph: ModelGraph, pair: _Pair) -> dict[str, float]:
    """Processor -> time in s of a branch; empty if one of its operators is not supported on both."""
    sums = {"cpu": 0.0, "gpu": 0.0}
    for name in branch:
        times = pair.times(graph[name])
        if times is None:
            return {}
        sums = {p: sums[p] + times[p] for p in sums}
    return sums
