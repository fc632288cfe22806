"""An operator over activations of other sizes: its weights, multiply-accumulates and operations follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from socsim.workloads.graph import Operator
from socsim.workloads.operators import operator_macs, operator_ops

__all__ = ["matrix_size", "resized"]

Shape = tuple[int, ...]

_MADE_OF_FILTERS = frozenset({"conv2d", "grouped_conv2d", "depthwise_conv2d", "deconv2d"})


def matrix_size(op: Operator, read: Shape, given: Shape) -> int:
    """Weights of an operator without its bias: those of its filters or its matrix; 0 of types that have neither.

    Parameters
    ----------
    read, given
        Shapes of its first input and output.
    """
    if op.type in _MADE_OF_FILTERS:
        kernel: tuple[int, int] = op.get("kernel", (1, 1))
        groups: int = op.get("groups", 1)
        return read[1] * given[1] * prod(kernel) // groups
    if op.type == "fully_connected":
        return prod(read) // read[0] * given[-1]
    return read[-1] * given[-1] if op.type == "matmul" else 0


def resized(
    op: Operator, before: tuple[list[Shape], Shape], after: tuple[list[Shape], Shape], channels: int
) -> Operator:
    """The operator over other activations of the same ranks.

    Parameters
    ----------
    before, after
        Shapes of its inputs and of its first output as they were, and as they are to be.
    channels
        Axis of the output along which a bias, a scale or a slope varies.
    """
    attributes = _regrouped(op, after)
    made = replace(op, attributes=attributes)
    matrix, new_matrix = matrix_size(op, before[0][0], before[1]), matrix_size(made, after[0][0], after[1])
    kept = (before[1][channels], after[1][channels])
    return replace(
        made,
        type="depthwise_conv2d" if _is_depthwise(made, after) else op.type,
        weights=new_matrix + _share(op.weights - matrix, *kept),
        macs=_follows(op.macs, _macs(op, before), _macs(made, after)),
        ops=_follows(op.ops, _ops(op, before), _ops(made, after)),
    )


def _regrouped(op: Operator, after: tuple[list[Shape], Shape]) -> Mapping[str, Any]:
    """Attributes with as many groups as a depth-wise convolution reads channels."""
    if op.type != "depthwise_conv2d":
        return op.attributes
    return {**op.attributes, "groups": after[0][0][1]}


def _is_depthwise(op: Operator, after: tuple[list[Shape], Shape]) -> bool:
    return op.type == "grouped_conv2d" and op.get("groups") == after[0][0][1]


def _share(weights: int, old: int, new: int) -> int:
    """Weights of which every channel has as many as every other; others stay as they are."""
    return weights // old * new if weights > 0 and weights % old == 0 else weights


def _follows(counted: int, old: int, new: int) -> int:
    """A count after a change: that of the formula, or in proportion where the formula does not give it."""
    if counted == old:
        return new
    return round(counted * new / old) if old else counted


def _macs(op: Operator, shapes: tuple[list[Shape], Shape]) -> int:
    return operator_macs(op.type, shapes[0], shapes[1], op.get("kernel", (1, 1)), op.get("groups", 1))


def _ops(op: Operator, shapes: tuple[list[Shape], Shape]) -> int:
    return operator_ops(op.type, shapes[0], shapes[1], op.get("kernel", (1, 1)))
