"""Shapes of all tensors, node by node, by onnx's inference and the folding of small constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from socsim.errors import ModelError
from socsim.workloads.onnx_import.files import first_line
from socsim.workloads.onnx_import.folding import evaluate
from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.source import SMALL, Source

__all__ = ["Known", "infer_shapes"]

Shape = tuple[int, ...]

_SHAPE_OF_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators that onnx defines by a function body, which inference of one node does not look into."""


class Known:
    """Shapes of activations and constants, and values of small constants.

    Parameters
    ----------
    source
        The graph; its stored weights and values are known from the start.
    inputs
        Pinned shapes of the inputs.
    """

    def __init__(self, source: Source, inputs: Mapping[str, Shape]) -> None:
        self.shapes: dict[str, Shape] = {**source.weights, **inputs}
        self.values: dict[str, np.ndarray[Any, Any]] = dict(source.values)
        self._types = dict(source.types)

    def set_value(self, tensor: str, value: np.ndarray[Any, Any]) -> None:
        """Learn a constant."""
        import onnx.helper

        self.values[tensor] = value
        self.set_shape(tensor, value.shape, onnx.helper.np_dtype_to_tensor_dtype(value.dtype))

    def set_shape(self, tensor: str, shape: Shape, type_: int) -> None:
        """Learn a shape, with the element type's number."""
        self.shapes[tensor], self._types[tensor] = shape, type_

    def type_of(self, tensor: str) -> Any:
        """``TypeProto`` of a tensor whose shape is known."""
        import onnx.helper

        return onnx.helper.make_tensor_type_proto(self._types[tensor], self.shapes[tensor])


def infer_shapes(source: Source, inputs: Mapping[str, Shape]) -> Known:
    """Work out shapes and small constants, in one pass over the sorted nodes.

    Parameters
    ----------
    inputs
        Pinned shapes of the inputs.

    Raises
    ------
    ModelError
        Shapes contradict each other, an activation would be empty, or activations have no shape; all such are
        listed.
    """
    known = Known(source, inputs)
    for node in source.nodes:
        value = evaluate(node, known.values, known.shapes) if node.outputs[0] in source.constant else None
        if value is not None and value.size <= SMALL:
            known.set_value(node.outputs[0], value)
        elif all(tensor in known.shapes for tensor in node.inputs if tensor):
            _infer(node, known, source)
    missing = [tensor for tensor in _activations(source) if tensor not in known.shapes]
    if missing:
        raise ModelError(_unshaped(missing))
    return known


def _activations(source: Source) -> Iterable[str]:
    """Activations that somebody reads, in order of production."""
    read = {*source.outputs, *(tensor for node in source.active for tensor in node.inputs)}
    return [tensor for node in source.active for tensor in node.outputs if tensor in read and tensor]


def _unshaped(missing: list[str]) -> str:
    listed = ", ".join(map(repr, missing[:8])) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
    return f"onnx infers no shape for {listed}, so no cost is known; simplify the model first"


def _infer(node: Node, known: Known, source: Source) -> None:
    """Learn the shapes of a node's outputs, as far as they are static."""
    for tensor, type_ in _output_types(node, known, source).items():
        shape = _static(type_)
        if shape is None:
            continue
        if any(size < (tensor not in source.constant) for size in shape):
            raise node.fail(f"its output {tensor!r} would have the empty shape {list(shape)}")
        known.set_shape(tensor, shape, type_.tensor_type.elem_type)


def _output_types(node: Node, known: Known, source: Source) -> dict[str, Any]:
    import onnx

    if node.op in _SHAPE_OF_INPUT:
        return {node.outputs[0]: known.type_of(node.inputs[0])}
    domain, read = node.proto.domain, set(filter(None, node.inputs))
    empty_slice = node.op == "Slice" and 0 in known.shapes[node.inputs[0]]  # may abort inside onnx
    if empty_slice or not onnx.defs.has(node.proto.op_type, domain):
        return {}
    try:
        types: dict[str, Any] = onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(node.proto.op_type, source.opsets[domain], domain),
            node.proto,
            {tensor: known.type_of(tensor) for tensor in read},
            {tensor: _message(known.values[tensor]) for tensor in read if _is_number(tensor, known)},
            opset_imports=source.opset_imports,
        )
    except Exception as error:  # InferenceError and RuntimeError, which share no base but Exception
        raise node.fail(f"shapes contradict each other: {_readable(error)}") from None
    return types


def _is_number(tensor: str, known: Known) -> bool:
    return tensor in known.values and known.values[tensor].dtype.kind in "biuf"


def _message(value: np.ndarray[Any, Any]) -> Any:
    import onnx.numpy_helper

    return onnx.numpy_helper.from_array(value)


def _static(type_: Any) -> Shape | None:
    tensor = type_.tensor_type
    if not type_.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    if any(not d.HasField("dim_value") for d in tensor.shape.dim):
        return None
    return tuple(d.dim_value for d in tensor.shape.dim)


def _readable(error: Exception) -> str:
    return first_line(error).replace("[ShapeInferenceError] ", "").rstrip(".")
