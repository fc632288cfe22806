"""One processor for everything; what it does not support falls back as the library does."""

from __future__ import annotations

from collections.abc import Mapping

from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.estimate import estimate
from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator

__all__ = [
    "SingleProcessor",
    "best_layout",
    "change_time",
    "preferred_layouts",
    "times_by_processor",
    "with_fallback",
]


class SingleProcessor(StaticScheduler):
    """Everything on one processor, in one layout.

    Parameters
    ----------
    processor
        ``"cpu"``, ``"gpu"``, ``"dsp"`` or ``"npu"``.
    layout
        Memory type of its tensors; default the one with which the whole network should finish first,
        operators that fall back included (images on Adreno, buffers on Mali under MACE).
    cores
        CPU mask such as ``"prime:1+gold:3"``; default the run's.
    """

    repeatable = True

    def __init__(self, processor: str, layout: str = "", cores: str = "") -> None:
        self.processor, self.layout, self.cores = processor, layout, cores

    @property
    def title(self) -> str:
        """The processor, and the layout where one was asked for."""
        return self.written or (f"{self.processor}-{self.layout}" if self.layout else self.processor)

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        """Want every operator on the processor."""
        known = self.processor in view.all_processors
        layout = self.layout or (best_layout(graph, view, self.processor) if known else "")
        cores = self.cores if self.processor == "cpu" else ""
        return Plan(dict.fromkeys(graph.operators, Placement(self.processor, layout, cores=cores)))


def with_fallback(graph: ModelGraph, view: View, processor: str, layout: str) -> Plan:
    """Every operator on a processor, those that it does not support on the CPU."""
    return Plan(
        {
            op.name: Placement(processor, layout)
            if view.supports(processor, op, layout)
            else Placement("cpu")
            for op in graph
        }
    )


def best_layout(graph: ModelGraph, view: View, processor: str) -> str:
    """The layout of a processor with which a whole network should finish first; ties go to the first."""
    layouts = view.layouts(processor)
    if len(layouts) == 1:
        return layouts[0]
    return min(
        layouts, key=lambda x: estimate(with_fallback(graph, view, processor, x), graph, view).makespan
    )


def preferred_layouts(graph: ModelGraph, view: View) -> dict[str, str]:
    """Processor -> :func:`best_layout`, of those that can share the network."""
    return {p: best_layout(graph, view, p) for p in view.processors}


def times_by_processor(op: Operator, view: View, layouts: Mapping[str, str]) -> dict[str, float]:
    """Processor -> predicted time in s of an operator, of those that support it, each with its layout of `layouts`."""
    able = (p for p in view.processors if view.supports(p, op, layouts[p]))
    return {p: view.predict(op, p, layout=layouts[p]) for p in able}


def change_time(view: View, elements: float, source: str, target: str, layouts: Mapping[str, str]) -> float:
    """Predicted time in s to hand a tensor from one processor to another, each with its layout of `layouts`."""
    layout = layouts[target if source == "cpu" else source]
    return view.transfer(elements, source, target, layout=layout, target_layout=layouts[target])
