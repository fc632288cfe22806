"""An ONNX graph taken apart: inputs, weights, constants and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from socsim.errors import ModelError
from socsim.workloads.onnx_import.nodes import Node, live_nodes, read_nodes, sort_nodes
from socsim.workloads.onnx_import.pins import Dims

__all__ = ["SMALL", "Source", "read_source"]

SMALL = 4096
"""Most elements of a constant whose values are kept: targets of reshapes, starts of slices, ..."""

_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """What an ONNX file says, before any shape is known.

    Parameters
    ----------
    nodes
        Nodes that the outputs depend on, sorted, without ``Constant``.
    inputs
        Activations that enter, with their dimensions; initializers listed as inputs are none.
    outputs
        Tensors that leave.
    weights
        Shape of each stored constant.
    values
        Values of those of at most :data:`SMALL` elements that are stored in the file or beside it.
    constant
        Tensors that do not depend on the values of inputs.
    types
        Element type (ONNX's number) of inputs and weights.
    opset_imports
        The model's ``OperatorSetIdProto`` messages.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, Dims]
    outputs: tuple[str, ...]
    weights: Mapping[str, tuple[int, ...]]
    values: Mapping[str, np.ndarray[Any, Any]]
    constant: frozenset[str]
    types: Mapping[str, int]
    opset_imports: list[Any]

    @property
    def opsets(self) -> dict[str, int]:
        """Domain -> version of its operator set; the default domain under both of its names."""
        versions = {entry.domain: int(entry.version) for entry in self.opset_imports}
        default = versions.get("", versions.get("ai.onnx", 0))
        return {**versions, "": default, "ai.onnx": default}

    @property
    def active(self) -> list[Node]:
        """Nodes that are left after folding constants."""
        return [node for node in self.nodes if not self.constant.issuperset(filter(None, node.outputs))]


def read_source(proto: Any, folder: Path) -> Source:
    """Take a ``ModelProto`` apart.

    Parameters
    ----------
    folder
        Where external data lies, if it is there at all.

    Raises
    ------
    ModelError
        The graph has no outputs, cycles or subgraphs, an input is no tensor, or a node breaks its schema.
    """
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    shapes = {name: tuple(tensor.dims) for name, tensor in tensors.items()}
    types = {name: tensor.data_type for name, tensor in tensors.items()}
    for sparse in proto.graph.sparse_initializer:
        shapes[sparse.values.name], types[sparse.values.name] = tuple(sparse.dims), sparse.values.data_type
    values = _values(tensors, folder)
    inputs = _inputs(proto, shapes, types)
    nodes = sort_nodes(read_nodes(proto), [*inputs, *shapes])
    outputs = _outputs(proto, nodes, [*inputs, *shapes])
    for node in nodes:
        if node.op == "Constant":
            shapes[node.outputs[0]], types[node.outputs[0]], value = _constant(node, folder)
            if value is not None:
                values[node.outputs[0]] = value
    _check_sizes(shapes)
    kept = tuple(node for node in live_nodes(nodes, outputs) if node.op != "Constant")
    return Source(
        kept, inputs, outputs, shapes, values, _constants(kept, shapes), types, list(proto.opset_import)
    )


def _inputs(proto: Any, weights: Mapping[str, Any], types: dict[str, int]) -> dict[str, Dims]:
    inputs: dict[str, Dims] = {}
    for value in proto.graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
            raise ModelError(f"input {value.name!r} must be a tensor with a known number of dimensions")
        inputs[value.name] = tuple(
            d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim
        )
        types[value.name] = tensor.elem_type
    return inputs


def _outputs(proto: Any, nodes: list[Node], known: list[str]) -> tuple[str, ...]:
    outputs = tuple(dict.fromkeys(value.name for value in proto.graph.output))
    if not outputs:
        raise ModelError("the graph has no outputs")
    produced = {*known, *(tensor for node in nodes for tensor in node.outputs)}
    for name in outputs:
        if name not in produced:
            raise ModelError(f"nothing produces output {name!r}")
    return outputs


def _check_sizes(weights: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in weights.items():
        if any(size < 0 for size in shape):
            raise ModelError(f"weight {name!r}: every size must be positive, got {list(shape)}")


def _constants(nodes: tuple[Node, ...], weights: Mapping[str, Any]) -> frozenset[str]:
    """Weights, shapes, and all that is computed from them alone."""
    constant = set(weights)
    for node in nodes:
        read = [tensor for tensor in node.inputs if tensor]
        derived = bool(read) and constant.issuperset(read) and node.op not in _RANDOM
        if derived or node.op in ("Shape", "Size"):
            constant.update(filter(None, node.outputs))
    return frozenset(constant)


def _values(tensors: Mapping[str, Any], folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    read = {name: _array(tensor, folder) for name, tensor in tensors.items() if prod(tensor.dims) <= SMALL}
    return {name: value for name, value in read.items() if value is not None}


def _array(tensor: Any, folder: Path) -> np.ndarray[Any, Any] | None:
    """Values of a small tensor, or None where they are not stored or not there."""
    import onnx.numpy_helper

    try:
        value: np.ndarray[Any, Any] = onnx.numpy_helper.to_array(tensor, str(folder))
    except Exception:  # missing external data, cut raw data, unknown types: each raises its own kind
        return None
    return value if value.shape == tuple(tensor.dims) else None


def _constant(node: Node, folder: Path) -> tuple[tuple[int, ...], int, np.ndarray[Any, Any] | None]:
    """Shape, type and, if small, value of a ``Constant`` node, whichever of its attributes holds it."""
    import onnx

    name, value = next(iter(node.attributes.items()), ("", None))
    if name == "value" and value is not None:
        shape = tuple(value.dims)
        return shape, value.data_type, _array(value, folder) if prod(shape) <= SMALL else None
    if name == "sparse_value" and value is not None:
        return tuple(value.dims), value.values.data_type, None
    kinds: dict[str, tuple[int, type[np.generic]]] = {
        "value_int": (onnx.TensorProto.INT64, np.int64),
        "value_float": (onnx.TensorProto.FLOAT, np.float32),
        "value_string": (onnx.TensorProto.STRING, np.object_),
    }
    if name.removesuffix("s") not in kinds or value is None:
        raise node.fail("holds no value")
    code, dtype = kinds[name.removesuffix("s")]
    array = np.array(value, dtype=dtype)
    return array.shape, code, array if array.size <= SMALL else None
