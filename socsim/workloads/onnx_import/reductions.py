"""Reductions over whole axes, normalisations and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.shaped import Converter, Draft, Shaped

__all__ = [
    "REDUCTIONS",
    "arg_reduce",
    "batch_norm",
    "global_pool",
    "group_norm",
    "layer_norm",
    "normalise",
    "reduce",
    "softmax",
    "top_k",
]

REDUCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "ReduceL1": "l1",
        "ReduceL2": "l2",
        "ReduceLogSum": "log_sum",
        "ReduceLogSumExp": "log_sum_exp",
        "ReduceMax": "max",
        "ReduceMean": "mean",
        "ReduceMin": "min",
        "ReduceProd": "prod",
        "ReduceSum": "sum",
        "ReduceSumSquare": "sum_square",
    }
)
"""Reductions: ONNX's name -> attribute ``function``."""


def reduce(function: str) -> Converter:
    """A converter to a ``reduce`` over the axes that a node names, by default all."""

    def convert(node: Node, shaped: Shaped) -> Draft | None:
        x = shaped.activation(node)
        rank = len(shaped.shape(x))
        axes = shaped.numbers(node, "axes", 1)
        if not axes and node.get("noop_with_empty_axes", 0):
            return None
        reduced = tuple(sorted(a % rank for a in axes)) if axes else tuple(range(rank))
        keepdims = bool(node.get("keepdims", 1))
        return Draft("reduce", (x,), {"function": function, "axes": reduced, "keepdims": keepdims})

    return convert


def global_pool(function: str) -> Converter:
    """A converter to a ``reduce`` over all spatial axes."""

    def convert(node: Node, shaped: Shaped) -> Draft:
        x = shaped.activation(node)
        axes = tuple(range(2, len(shaped.shape(x))))
        return Draft("reduce", (x,), {"function": function, "axes": axes, "keepdims": True})

    return convert


def arg_reduce(function: str) -> Converter:
    """A converter to a ``reduce`` that finds a position along one axis."""

    def convert(node: Node, shaped: Shaped) -> Draft:
        x = shaped.activation(node)
        axis = _axis(node, shaped, 0)
        return Draft(
            "reduce", (x,), {"function": function, "axes": (axis,), "keepdims": bool(node.get("keepdims", 1))}
        )

    return convert


def top_k(node: Node, shaped: Shaped) -> Draft:
    """``TopK``: one pass over its input, as a reduction (a heap's further work is left out)."""
    axis = _axis(node, shaped, -1)
    return Draft(
        "reduce", (shaped.activation(node),), {"function": "top_k", "axes": (axis,), "keepdims": True}
    )


def batch_norm(node: Node, shaped: Shaped) -> Draft:
    """``BatchNormalization``: mean and variance fold into a scale and a shift per channel."""
    x = shaped.activation(node)
    return Draft("batch_norm", (x,), weights=2 * shaped.shape(x)[1])


def normalise(type_: str) -> Converter:
    """A converter to a normalisation without attributes."""
    return lambda node, shaped: Draft(type_, (shaped.activation(node),), {}, shaped.weights(node.inputs[1:]))


def layer_norm(node: Node, shaped: Shaped) -> Draft:
    """``LayerNormalization`` and its like over the axes from ``axis`` on."""
    axis = _axis(node, shaped, -1)
    return Draft("layer_norm", (shaped.activation(node),), {"axis": axis}, shaped.weights(node.inputs[1:]))


def group_norm(node: Node, shaped: Shaped) -> Draft:
    """``GroupNormalization``."""
    groups = {"groups": node.get("num_groups")}
    return Draft("group_norm", (shaped.activation(node),), groups, shaped.weights(node.inputs[1:]))


def softmax(default_axis: int) -> Converter:
    """A converter to ``softmax``; the default axis depends on the operator set."""
    return lambda node, shaped: Draft(
        "softmax", (shaped.activation(node),), {"axis": _axis(node, shaped, default_axis)}
    )


def _axis(node: Node, shaped: Shaped, default: int) -> int:
    rank = len(shaped.shape(node.inputs[0]))
    axis: int = node.get("axis", default)
    if not -rank <= axis < rank:
        raise node.fail(f"axis {axis} is outside the {rank} dimensions of {node.inputs[0]!r}")
    return axis % rank
