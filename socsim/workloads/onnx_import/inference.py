"""Shapes of all tensors, by onnx's strict inference and the folding of small constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from socsim.errors import ModelError
from socsim.workloads.onnx_import.files import first_line
from socsim.workloads.onnx_import.folding import Constants
from socsim.workloads.onnx_import.source import Source

__all__ = ["infer_shapes"]

Shape = tuple[int, ...]


def infer_shapes(source: Source, inputs: Mapping[str, Shape], constants: Constants) -> dict[str, Shape]:
    """Shapes of all tensors that inference can tell.

    Constants are folded, and inference repeated, for as long as that shapes more tensors.

    Parameters
    ----------
    inputs
        Pinned shapes of the inputs.
    constants
        Known values; gains those that are found.

    Raises
    ------
    ModelError
        Shapes contradict each other, or an activation has none; all such are listed.
    """
    while True:
        shapes = _infer(source, inputs, constants)
        missing = [tensor for tensor in _activations(source) if tensor not in shapes]
        if not missing:
            return shapes
        if not constants.fold(shapes):
            raise ModelError(_unshaped(missing))


def _unshaped(missing: list[str]) -> str:
    listed = ", ".join(map(repr, missing[:8])) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
    return f"onnx infers no shape for {listed}, which so has no cost; simplify the model first"


def _activations(source: Source) -> Iterable[str]:
    """Activations that somebody reads, in order of production."""
    read = {*source.outputs, *(tensor for node in source.active for tensor in node.inputs)}
    return [tensor for node in source.active for tensor in node.outputs if tensor in read and tensor]


def _infer(source: Source, inputs: Mapping[str, Shape], constants: Constants) -> dict[str, Shape]:
    import onnx

    model = _skeleton(source, inputs, constants)
    try:
        graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except Exception as error:  # InferenceError and RuntimeError, which share no base but Exception
        raise ModelError(f"shapes contradict each other: {_readable(error)}") from None
    shapes = {**source.weights, **inputs, **{name: value.shape for name, value in constants.values.items()}}
    for value in (*graph.value_info, *graph.output):
        shape = _static(value)
        if shape is not None:
            shapes[value.name] = shape
    return shapes


def _skeleton(source: Source, inputs: Mapping[str, Shape], constants: Constants) -> Any:
    """The model without large weights, whose shapes enter as inputs: inference reads no weights."""
    import onnx
    from onnx import helper, numpy_helper

    known = constants.values
    shaped = {name: shape for name, shape in {**source.weights, **inputs}.items() if name not in known}
    folded = [node for node in source.nodes if not any(tensor in known for tensor in node.outputs)]
    graph = helper.make_graph(
        [node.proto for node in folded],
        "skeleton",
        [helper.make_tensor_value_info(name, source.types[name], shape) for name, shape in shaped.items()],
        [onnx.ValueInfoProto(name=name) for name in source.outputs if name not in {*shaped, *known}],
        [numpy_helper.from_array(value, name) for name, value in known.items()],
    )
    return helper.make_model(graph, opset_imports=source.proto.opset_import, ir_version=_FREE_INITIALIZERS)


_FREE_INITIALIZERS = 8
"""An IR version that does not ask for initializers among the inputs, as those below 4 do."""


def _static(value: Any) -> Shape | None:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    if any(not d.HasField("dim_value") for d in tensor.shape.dim):
        return None
    return tuple(d.dim_value for d in tensor.shape.dim)


def _readable(error: Exception) -> str:
    return first_line(error).replace("[ShapeInferenceError] ", "").replace("Inference error(s): ", "")
