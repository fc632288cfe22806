"""Band: a network as subgraphs that workers take whole, planned for one inference on an idle phone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from socsim.errors import UsageError
from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.single import preferred_layouts
from socsim.schedulers.subgraphs import (
    Subgraph,
    effective_support,
    merge_units,
    shortest_route,
    unit_subgraphs,
)
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["Band", "expected_time"]


class Band(StaticScheduler):
    """The chain of subgraphs with the shortest expected latency, each a piece of its own on one processor.

    Expected times are what profiling each subgraph alone would give: its operators and the fixed cost of
    handing it to the worker, without moving tensors between workers. As the plan is for an idle phone, no
    worker has to be waited for; with waits, :func:`socsim.schedulers.subgraphs.shortest_route` is what Band
    asks whenever a job is scheduled.

    Parameters
    ----------
    minimum_subgraph_size
        Fewest operators worth handing to an accelerator; default 7, as Band's.

    Raises
    ------
    UsageError
        A size below 1.

    References
    ----------
    .. [1] J. S. Jeong et al., "Band: Coordinated multi-DNN inference on heterogeneous mobile processors",
       MobiSys 2022.
    """

    name = "band"
    repeatable = True

    def __init__(self, minimum_subgraph_size: int = 7) -> None:
        if minimum_subgraph_size < 1:
            raise UsageError(
                f"minimum_subgraph_size must be at least 1, got {minimum_subgraph_size!r}; Band's is 7"
            )
        self.minimum_subgraph_size = minimum_subgraph_size

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        """Every subgraph of the shortest route as one group on its worker."""
        layouts = preferred_layouts(graph, view)

        def supports(worker: str, op: Operator) -> bool:
            return view.supports(worker, op, layouts[worker])

        support = effective_support(graph, view.processors, supports, self.minimum_subgraph_size)
        units = unit_subgraphs(graph, support)
        expected = partial(expected_time, graph=graph, view=view, layouts=layouts)
        chosen = shortest_route(len(units), merge_units(graph, units), expected, {}).subgraphs
        workers = {name: subgraph.worker for subgraph in chosen for name in subgraph.operators}
        return Plan(
            {op.name: Placement(workers[op.name], layouts[workers[op.name]]) for op in graph},
            groups=tuple(subgraph.operators for subgraph in chosen),
            order=tuple(name for subgraph in chosen for name in subgraph.operators),
        )


def expected_time(subgraph: Subgraph, graph: ModelGraph, view: View, layouts: Mapping[str, str]) -> float:
    """Time in s of a subgraph alone on its worker, with the fixed cost of the call."""
    layout = layouts[subgraph.worker]
    times = (view.predict(graph[name], subgraph.worker, layout=layout) for name in subgraph.operators)
    return view.fixed_cost(subgraph.worker, layout) + sum(times)
