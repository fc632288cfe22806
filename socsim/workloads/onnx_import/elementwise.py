"""Element-wise operators: activation functions, and arithmetic of several operands."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any

from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.shaped import Converter, Draft, Shaped

__all__ = ["ACTIVATIONS", "ARITHMETIC", "activation", "arithmetic", "clip", "prelu"]

Shape = tuple[int, ...]

ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "Abs": "abs",
        "Ceil": "ceil",
        "Celu": "celu",
        "Cos": "cos",
        "Elu": "elu",
        "Erf": "erf",
        "Exp": "exp",
        "Floor": "floor",
        "Gelu": "gelu",
        "HardSigmoid": "hsigmoid",
        "HardSwish": "hswish",
        "IsNaN": "isnan",
        "LeakyRelu": "leaky_relu",
        "Log": "log",
        "Mish": "mish",
        "Neg": "neg",
        "Not": "not",
        "Reciprocal": "reciprocal",
        "Relu": "relu",
        "Round": "round",
        "Selu": "selu",
        "Sigmoid": "sigmoid",
        "Sign": "sign",
        "Sin": "sin",
        "Softplus": "softplus",
        "Softsign": "softsign",
        "Sqrt": "sqrt",
        "Swish": "swish",
        "Tanh": "tanh",
        "ThresholdedRelu": "thresholded_relu",
    }
)
"""Operators of one activation: ONNX's name -> attribute ``function``."""

ARITHMETIC: Mapping[str, str] = MappingProxyType(
    {
        "Add": "add",
        "And": "and",
        "Div": "div",
        "Equal": "equal",
        "Greater": "greater",
        "GreaterOrEqual": "greater_equal",
        "Less": "less",
        "LessOrEqual": "less_equal",
        "Max": "max",
        "Mean": "mean",
        "Min": "min",
        "Mod": "mod",
        "Mul": "mul",
        "Or": "or",
        "Pow": "pow",
        "Sub": "sub",
        "Sum": "add",
        "Where": "where",
        "Xor": "xor",
    }
)
"""Operators of several operands: ONNX's name -> attribute ``function``."""

_ONE_SIDED = frozenset({"sub", "div", "pow"})


def activation(function: str) -> Converter:
    """A converter to an ``activation`` of one function."""
    return lambda node, shaped: Draft("activation", (shaped.activation(node),), {"function": function})


def clip(node: Node, shaped: Shaped) -> Draft | None:
    """``Clip``: ``relu6`` between 0 and 6, ``relu`` above 0, else ``clip``."""
    low, high = shaped.number(node, "min", 1), shaped.number(node, "max", 2)
    # Operator sets up to 10 spell "no bound" as the largest float.
    open_above = not node.input(2) and (high is None or high > 3e38)
    function = "relu6" if (low, high) == (0.0, 6.0) else "relu" if low == 0.0 and open_above else "clip"
    return Draft("activation", (shaped.activation(node),), {"function": function})


def prelu(node: Node, shaped: Shaped) -> Draft:
    """``PRelu``, whose slopes are weights."""
    if not shaped.is_constant(node.input(1)):
        return Draft("eltwise", shaped.activations(node), {"function": "prelu"})
    return Draft(
        "activation", (shaped.activation(node),), {"function": "prelu"}, shaped.weights(node.inputs[1:])
    )


def arithmetic(function: str) -> Converter:
    """A converter to an ``eltwise`` of one function; one of a single operand passes it on."""

    def convert(node: Node, shaped: Shaped) -> Draft | None:
        operands = [name for name in node.inputs if name]
        if len(operands) == 1:
            return None
        read = shaped.activations(node)
        constants = [shaped.shape(name) for name in operands if shaped.is_constant(name)]
        weights = sum(prod(shape) for shape in constants if prod(shape) > 1)
        attributes: dict[str, Any] = {"function": function}
        if len(read) == 1:
            out = shaped.shape(node.outputs[0])
            attributes |= _constant(constants, shaped.shape(read[0]), out)
            if function in _ONE_SIDED and shaped.is_constant(node.inputs[0]):
                attributes["reversed"] = True
        return Draft("eltwise", read, attributes, weights)

    return convert


def _constant(constants: list[Shape], x: Shape, out: Shape) -> dict[str, Any]:
    """How the constants vary: not at all, along one axis, or otherwise."""
    wide = [
        {axis for axis, size in enumerate(shape, len(out) - len(shape)) if size > 1} for shape in constants
    ]
    axes = set[int]().union(*wide)
    if x == out and not axes:
        return {"constant": "scalar"}
    if x == out and len(axes) == 1:
        return {"constant": "channel", "constant_rank": 1, "axis": axes.pop()}
    return {"constant": "tensor", "constant_rank": max(map(len, constants))}
