"""Arithmetic on small constants, such as the targets of reshapes that exporters compute from shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.source import SMALL

__all__ = ["evaluate"]

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


def evaluate(node: Node, values: Mapping[str, Array], shapes: Mapping[str, Shape]) -> Array | None:
    """The value of a node's only output.

    Parameters
    ----------
    values
        Constants known so far.
    shapes
        Shapes known so far, for ``Shape`` and ``Size``.

    Returns
    -------
    numpy.ndarray or None
        None where an input is unknown, or the operator is none that exporters compute shapes with.
    """
    if node.op in ("Shape", "Size"):
        return _measure(node, shapes[node.inputs[0]]) if node.inputs[0] in shapes else None
    if node.op not in _RULES or any(name and name not in values for name in node.inputs):
        return None
    inputs = [values[name] for name in node.inputs if name]
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(_RULES[node.op](node, inputs))
    except (ArithmeticError, IndexError, KeyError, TypeError, ValueError):
        return None  # an ill-formed constant stays unknown, and inference then says what is wrong with it
    return value.astype(inputs[0].dtype) if node.op in _KEEP_TYPE else value


def _measure(node: Node, shape: Shape) -> Array:
    if node.op == "Size":
        return np.array(np.prod(shape, dtype=np.int64))
    return np.array(shape[node.get("start", 0) : node.get("end", len(shape))], dtype=np.int64)


def _axes(node: Node, inputs: list[Array]) -> tuple[int, ...] | None:
    """Axes from the attribute (older operator sets) or the second input."""
    if len(inputs) > 1:
        return tuple(int(a) for a in inputs[1].ravel())
    return node.get("axes")  # type: ignore[no-any-return]


def _reshape(node: Node, inputs: list[Array]) -> Array:
    target = [int(n) for n in inputs[1]]
    if not node.get("allowzero", 0):
        target = [inputs[0].shape[i] if n == 0 else n for i, n in enumerate(target)]
    return inputs[0].reshape(target)


def _unsqueeze(node: Node, inputs: list[Array]) -> Array:
    axes = _axes(node, inputs) or ()
    return np.expand_dims(inputs[0], axes)


def _slice(node: Node, inputs: list[Array]) -> Array:
    if "starts" in node.attributes:
        starts, ends, axes = node.get("starts"), node.get("ends"), node.get("axes")
        steps = None
    else:
        given = iter(inputs)
        arrays = [next(given) if name else None for name in node.inputs][1:]
        rest = [None if a is None else tuple(int(n) for n in a.ravel()) for a in arrays]
        starts, ends, axes, steps = (*rest, None, None)[:4]
    index = [slice(None)] * inputs[0].ndim
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        step = steps[i] if steps else 1
        # An end below every index means "to the very start" of a backward slice.
        index[axes[i] if axes else i] = slice(start, None if end < -SMALL else end, step)
    return inputs[0][tuple(index)]


def _divide(node: Node, inputs: list[Array]) -> Array:
    a, b = inputs
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not b.all():
        raise ZeroDivisionError
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _range(node: Node, inputs: list[Array]) -> Array:
    start, limit, delta = (array.item() for array in inputs)
    if (limit - start) / delta > SMALL:
        raise ValueError("too long")
    return np.arange(start, limit, delta, dtype=inputs[0].dtype)


def _filled(node: Node, inputs: list[Array]) -> Array:
    import onnx.numpy_helper

    shape = [int(n) for n in inputs[0]]
    if np.prod(shape, dtype=float) > SMALL:
        raise ValueError("too large")
    value = node.get("value")
    fill = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    return np.full(shape, fill.ravel()[0], dtype=fill.dtype)


def _expand(node: Node, inputs: list[Array]) -> Array:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(int(n) for n in inputs[1]))
    if np.prod(shape, dtype=float) > SMALL:
        raise ValueError("too large")
    return np.broadcast_to(inputs[0], shape)


def _cast(node: Node, inputs: list[Array]) -> Array:
    import onnx.helper

    return inputs[0].astype(onnx.helper.tensor_dtype_to_np_dtype(node.get("to")))


def _reducer(function: Callable[..., Any]) -> Callable[[Node, list[Array]], Array]:
    def reduce(node: Node, inputs: list[Array]) -> Array:
        axes = _axes(node, inputs) or None
        if axes is None and node.get("noop_with_empty_axes", 0):
            return inputs[0]
        return np.asarray(function(inputs[0], axis=axes, keepdims=bool(node.get("keepdims", 1))))

    return reduce


def _plain(function: Callable[..., Any]) -> Callable[[Node, list[Array]], Array]:
    return lambda node, inputs: function(*inputs)


_KEEP_TYPE = frozenset({"Add", "Sub", "Mul", "Div", "Min", "Max", "Mod", "Pow", "ReduceProd", "ReduceSum"})
"""numpy may widen these; ONNX keeps the type of the first input."""

_RULES: Mapping[str, Callable[[Node, list[Array]], Array]] = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "And": _plain(np.logical_and),
    "Cast": _cast,
    "Ceil": _plain(np.ceil),
    "Concat": lambda node, inputs: np.concatenate(inputs, axis=node.get("axis", 1)),
    "ConstantOfShape": _filled,
    "Div": _divide,
    "Equal": _plain(np.equal),
    "Expand": _expand,
    "Floor": _plain(np.floor),
    "Gather": lambda node, inputs: np.take(inputs[0], inputs[1], axis=node.get("axis", 0)),
    "Greater": _plain(np.greater),
    "Identity": lambda node, inputs: inputs[0],
    "Less": _plain(np.less),
    "Max": lambda node, inputs: np.maximum.reduce(np.broadcast_arrays(*inputs)),
    "Min": lambda node, inputs: np.minimum.reduce(np.broadcast_arrays(*inputs)),
    "Mod": lambda node, inputs: (np.fmod if node.get("fmod", 0) else np.mod)(*inputs),
    "Mul": _plain(np.multiply),
    "Neg": _plain(np.negative),
    "Not": _plain(np.logical_not),
    "Or": _plain(np.logical_or),
    "Pow": _plain(np.power),
    "Range": _range,
    "ReduceMax": _reducer(np.max),
    "ReduceMin": _reducer(np.min),
    "ReduceProd": _reducer(np.prod),
    "ReduceSum": _reducer(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Sqrt": _plain(np.sqrt),
    "Squeeze": lambda node, inputs: np.squeeze(inputs[0], axis=_axes(node, inputs)),
    "Sub": _plain(np.subtract),
    "Transpose": lambda node, inputs: np.transpose(inputs[0], node.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(np.where),
}
