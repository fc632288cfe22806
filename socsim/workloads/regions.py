"""Which rows of every tensor change when some rows of the input do: regions that grow by the receptive field.

A changed region is a band of rows over the full width, in the middle of the frame: kernels are divided by rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, floor
from typing import NamedTuple

from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["NOTHING", "Rows", "changed_rows", "changed_share", "local_in_rows", "middle_rows"]


class Rows(NamedTuple):
    """Rows from `first` up to but without `end`."""

    first: int
    end: int

    @property
    def size(self) -> int:
        """How many."""
        return max(0, self.end - self.first)


NOTHING = Rows(0, 0)
"""No rows."""


def middle_rows(share: float, height: int) -> Rows:
    """A share of `height` rows, rounded up, in their middle; a larger share contains a smaller one."""
    count = min(height, ceil(share * height - 1e-9))
    first = (height - count) // 2
    return Rows(first, first + count) if count else NOTHING


def changed_rows(graph: ModelGraph, share: float) -> dict[str, Rows]:
    """The rows of every tensor that may differ when a share of every input's rows does.

    Parameters
    ----------
    graph
        The network.
    share
        Share of the rows of its images; inputs that are no images have changed altogether, unless it is 0.

    Returns
    -------
    Tensor -> rows; tensors that are no images have one row.
    """
    rows = {tensor: middle_rows(share, _height(graph, tensor)) for tensor in graph.inputs}
    for op in graph:
        found = _propagated(graph, op, rows)
        for tensor in op.outputs:
            rows[tensor] = _clipped(found, _height(graph, tensor)) if found else _whole(graph, tensor)
    return rows


def changed_share(graph: ModelGraph, rows: Mapping[str, Rows], tensor: str) -> float:
    """Share of a tensor's rows that may differ."""
    return rows[tensor].size / _height(graph, tensor)


def local_in_rows(graph: ModelGraph, op: Operator) -> bool:
    """Whether some rows of an operator's output can be computed from some rows of its input."""
    return _is_image(graph, op.outputs[0]) and _rule(graph, op) is not None


def _propagated(graph: ModelGraph, op: Operator, rows: Mapping[str, Rows]) -> Rows | None:
    """Rows of the output that changed rows of the inputs reach, not clipped; None for all."""
    changed = [t for t in op.inputs if rows[t].size]
    if not changed:
        return NOTHING
    rule = _rule(graph, op) if _is_image(graph, op.outputs[0]) else None
    if rule is None:
        return None
    if op.type not in _SEVERAL_INPUTS:
        # Whatever else it reads is a signal without data, which only says that another operator has finished.
        return rule(rows[op.inputs[0]])
    if any(_height(graph, t) != _height(graph, op.outputs[0]) for t in changed):
        return None
    return rule(Rows(min(rows[t].first for t in changed), max(rows[t].end for t in changed)))


def _is_image(graph: ModelGraph, tensor: str) -> bool:
    return len(graph.tensors[tensor].shape) == 4


def _height(graph: ModelGraph, tensor: str) -> int:
    shape = graph.tensors[tensor].shape
    return shape[2] if len(shape) == 4 else 1


def _whole(graph: ModelGraph, tensor: str) -> Rows:
    return Rows(0, _height(graph, tensor))


def _clipped(rows: Rows, height: int) -> Rows:
    first, end = max(0, rows.first), min(height, rows.end)
    return Rows(first, end) if end > first else NOTHING


# --- rules of operators: changed rows of the input -> changed rows of the output --------------------------------

_Rule = Callable[[Rows], Rows]

_POINTWISE = frozenset({"activation", "eltwise", "batch_norm", "lrn", "cast", "channel_shuffle"})
"""Types whose every row depends on the same row only."""

_SEVERAL_INPUTS = frozenset({"eltwise", "concat"})

_WINDOWS = frozenset({"conv2d", "grouped_conv2d", "depthwise_conv2d", "max_pool", "avg_pool"})

_ALONG_AN_AXIS = frozenset({"concat", "split", "softmax"})


def _rule(graph: ModelGraph, op: Operator) -> _Rule | None:
    """How rows of an operator's input reach its output; None where every row reaches all of it."""
    if not op.inputs or not _is_image(graph, op.inputs[0]):
        return None
    if op.type in _POINTWISE or (op.type in _ALONG_AN_AXIS and op.get("axis") in (1, 3)):
        return lambda rows: rows
    if op.type == "reduce":
        return (lambda rows: rows) if op.get("keepdims") and not _over_rows(op) else None
    if op.type in _WINDOWS:
        return _window(op)
    return _resampling(graph, op)


def _over_rows(op: Operator) -> bool:
    axes = op.get("axes", (2,))
    return 2 in axes or -2 in axes


def _window(op: Operator) -> _Rule:
    """Output row o reads the rows from o * stride - padding on, as many as the (dilated) window is high."""
    kernel, stride, spread = (int(op.get(key, (1, 1))[0]) for key in ("kernel", "stride", "dilation"))
    top, reach = int(op.get("padding", (0, 0, 0, 0))[0]), spread * (kernel - 1)
    return lambda rows: Rows(ceil((rows.first + top - reach) / stride), (rows.end - 1 + top) // stride + 1)


def _resampling(graph: ModelGraph, op: Operator) -> _Rule | None:
    """Operators that change the number of rows; where paddings are not known, with the widest that there may be."""
    before, after = _height(graph, op.inputs[0]), _height(graph, op.outputs[0])
    if op.type == "deconv2d":
        kernel, stride = int(op.get("kernel", (1, 1))[0]), int(op.get("stride", (1, 1))[0])
        return lambda rows: Rows(rows.first * stride - kernel + 1, (rows.end - 1) * stride + kernel)
    if op.type == "slice" and before == after:
        return lambda rows: rows
    if op.type == "pad":
        return lambda rows: Rows(rows.first, rows.end + after - before)
    if op.type == "resize":
        # Bilinear interpolation reads the rows on both sides.
        return lambda rows: Rows(
            floor((rows.first - 1) * after / before), ceil((rows.end + 1) * after / before)
        )
    if op.type in ("depth_to_space", "space_to_depth"):
        return lambda rows: Rows(floor(rows.first * after / before), ceil(rows.end * after / before))
    return None
