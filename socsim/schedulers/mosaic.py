"""Dynamic programming over the operators in a row, as MOSAIC does for chains of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.plan import Placement
from socsim.schedulers.single import change_time, preferred_layouts, times_by_processor
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph

__all__ = ["Mosaic", "cheapest_path"]

Switch = Callable[[int, str, str], float]


class Mosaic(StaticScheduler):
    """Cuts the list of operators into segments, each on one processor, for the least sum of times and
    hand-overs.

    ``best[l, d] = T_d(l) + min(best[l-1, d], min_e best[l-1, e] + handover_ed(l))``, where the hand-over is
    that of all that operator `l` reads. Exact for chains. Of networks with branches it sees the topological
    order only: branches run one after the other, and what they read is handed over where a segment begins.

    References
    ----------
    .. [1] M. Han, J. Hyun, S. Park, J. Park, W. Baek, "MOSAIC: Heterogeneity-, communication-, and
       constraint-aware model slicing and execution for accurate and efficient inference", PACT 2019.
    """

    name = "mosaic"
    repeatable = True

    def plan(self, graph: ModelGraph, view: View) -> dict[str, Placement]:
        """Place every operator on one processor."""
        layouts = preferred_layouts(graph, view)
        operators = list(graph)
        times = [times_by_processor(op, view, layouts) for op in operators]
        reads = [graph.input_elements(op) for op in operators]

        def switch(row: int, source: str, target: str) -> float:
            size = reads[row] if row < len(reads) else sum(graph.tensors[t].elements for t in graph.outputs)
            return change_time(view, size, source, target, layouts)

        path = cheapest_path(times, switch)
        return {op.name: Placement(p, layouts[p]) for op, p in zip(operators, path, strict=True)}


def cheapest_path(times: Sequence[Mapping[str, float]], switch: Switch) -> tuple[str, ...]:
    """The processors of a row of operators with the least sum of times and switches.

    Parameters
    ----------
    times
        Processor -> time in s, of each operator.
    switch
        ``switch(row, source, target)``: time in s to change processor before an operator. Input comes from
        the CPU (row 0), and results go back to it (row ``len(times)``).
    """
    best: dict[str, tuple[float, tuple[str, ...]]] = {"cpu": (0.0, ())}
    for row, own in enumerate(times):
        best = {p: _step(best, switch, row, p, time) for p, time in own.items()}
    return _step(best, switch, len(times), "cpu", 0.0)[1][:-1]


def _step(
    best: Mapping[str, tuple[float, tuple[str, ...]]], switch: Switch, row: int, target: str, time: float
) -> tuple[float, tuple[str, ...]]:
    """Least cost that ends on `target` after an operator, and its path."""
    costs = {p: cost + (switch(row, p, target) if p != target else 0.0) for p, (cost, _) in best.items()}
    source = min(costs, key=costs.__getitem__)
    return costs[source] + time, (*best[source][1], target)
