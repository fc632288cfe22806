"""Kernels that recompute a part of a network: which operators, which rows, and what that costs beside the kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.reuse.base import ReusePolicy
from socsim.workloads.graph import DTYPE_BYTES, ModelGraph, Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer
from socsim.workloads.regions import Rows, changed_rows, changed_share, local_in_rows

__all__ = ["Changed", "PartialKernel", "Recomputed", "input_share_in_blocks", "recomputed"]


class Changed(NamedTuple):
    """What of a frame has changed, and how that is recomputed."""

    share: float
    policy: ReusePolicy


@dataclass(frozen=True, slots=True)
class PartialKernel:
    """Some rows of an operator.

    Parameters
    ----------
    part
        Which share of its rows.
    boundary
        Time in s of the CPU to work out the region and to start there.
    copied_bytes
        Bytes read and written to copy the rows that are reused.
    """

    part: Part
    boundary: float = 0.0
    copied_bytes: float = 0.0


@dataclass(frozen=True)
class Recomputed:
    """What a plan computes when a part of its input has changed.

    Parameters
    ----------
    kernels
        Operator -> what is computed of it; operators that are not here are computed whole.
    moved
        Tensor -> the share of it that has changed, and has to be handed over between processors.
    share
        Share of the network's multiply-accumulates that is computed; of its operators where it has none.
    """

    kernels: Mapping[str, PartialKernel]
    moved: Mapping[str, float]
    share: float


def input_share_in_blocks(graph: ModelGraph, share: float, block: int) -> float:
    """A changed share of the network's first image, rounded up to whole blocks of rows; 1 where it has no image."""
    heights = [s[2] for s in (graph.tensors[t].shape for t in graph.inputs) if len(s) == 4]
    if not heights:
        return 1.0
    return min(1.0, ceil(share * heights[0] / block - 1e-9) * block / heights[0])


def recomputed(pricer: Pricer, plan: Plan, share: float, policy: ReusePolicy) -> Recomputed:
    """What a plan computes of a frame of which a share has changed.

    Parameters
    ----------
    pricer, plan
        The network under its library, and where its operators run.
    share
        Changed share of the input, above 0.
    policy
        What partial kernels cost beside their rows.
    """
    graph = pricer.graph
    rows = changed_rows(graph, share)
    kernels = {}
    for op in graph:
        found = _partial(pricer, op, plan, rows[op.outputs[0]], policy)
        if found is not None:
            kernels[op.name] = found
    moved = {tensor: changed_share(graph, rows, tensor) for tensor in graph.tensors}
    return Recomputed(kernels, moved, _computed_share(graph, kernels))


def _partial(
    pricer: Pricer, op: Operator, plan: Plan, rows: Rows, policy: ReusePolicy
) -> PartialKernel | None:
    """An operator in part, where that can be done and is faster than all of it.

    At least one row is computed: a kernel that is launched does something.
    """
    placement, graph = plan.decisions[op.name], pricer.graph
    if not isinstance(placement, Placement) or not local_in_rows(graph, op):
        return None
    height, count = graph.output_shape(op)[2], max(1, rows.size)
    if count >= height or not _divides(pricer, op, placement):
        return None
    part = Part(count / height, "H")
    copied = (
        2.0
        * (1.0 - part.share)
        * graph.output_elements(op)
        * DTYPE_BYTES[pricer.dtype_on(placement.processor)]
    )
    kernel = PartialKernel(part, policy.boundary, copied if policy.copies else 0.0)
    return kernel if _time(pricer, op, placement, kernel) < _time(pricer, op, placement) else None


def _divides(pricer: Pricer, op: Operator, placement: Placement) -> bool:
    """Whether there are kernels for some rows: on the CPU a loop over fewer, elsewhere as the library says."""
    if placement.processor == "cpu":
        return True
    return "H" in pricer.library.split_dimensions(op, pricer.graph, placement.layout)


def _time(pricer: Pricer, op: Operator, at: Placement, kernel: PartialKernel | None = None) -> float:
    """Time in s of an operator alone, or of a part of it."""
    if kernel is None:
        return pricer.cost(op, at.processor, at.layout, at.dtype, at.cores).time
    cost = pricer.cost(op, at.processor, at.layout, at.dtype, at.cores, kernel.part)
    moving = (cost.bytes + kernel.copied_bytes) / cost.bandwidth
    return kernel.boundary + cost.overhead + max(cost.compute, moving)


def _computed_share(graph: ModelGraph, kernels: Mapping[str, PartialKernel]) -> float:
    weights = {op.name: op.macs if graph.macs else 1 for op in graph}
    done = sum(w * (kernels[name].part.share if name in kernels else 1.0) for name, w in weights.items())
    return done / sum(weights.values())
