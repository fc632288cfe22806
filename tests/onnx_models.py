"""ONNX models for tests, held as text and written to files without any weight data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from socsim.workloads.graph import ModelGraph
from socsim.workloads.onnx import load_onnx

Shape = tuple[int, ...]


def model(
    body: str,
    weights: Mapping[str, Shape] | None = None,
    *,
    inputs: str = "float[1,3,8,8] x",
    outputs: str = "float y",
    constants: str = "",
    opset: int = 17,
) -> Any:
    """A ``ModelProto`` from the nodes' text.

    `weights` become initializers whose data lies in a file that does not exist, so tests cannot use it;
    `constants` are initializers with values in onnx's text syntax, such as ``int64[2] s = {1, -1}``.
    """
    head = f'<ir_version: 8, opset_import: ["": {opset}]>'
    listed = f"<{constants}>" if constants else ""
    proto = onnx.parser.parse_model(f"{head}\ng ({inputs}) => ({outputs}) {listed} {{ {body} }}")
    proto.graph.initializer.extend(missing_weight(name, shape) for name, shape in (weights or {}).items())
    return proto


def missing_weight(name: str, shape: Shape) -> Any:
    """An initializer whose external data is not there."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="not-there.bin")
    return tensor


def save(proto: Any, folder: Path, name: str = "net") -> Path:
    """Write a model; return its path."""
    path = folder / f"{name}.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def load(folder: Path, body: str, weights: Mapping[str, Shape] | None = None, **options: Any) -> ModelGraph:
    """Import a model given as text; `shapes` goes to :func:`load_onnx`, the rest to :func:`model`."""
    shapes = options.pop("shapes", None)
    return load_onnx(save(model(body, weights, **options), folder), shapes=shapes)


def node_model(op: str, inputs: list[str], opset: int = 17, domain: str = "", **attributes: Any) -> Any:
    """A model of one node, for operators that onnx's text syntax or schemas refuse; ``x`` is its input."""
    node = helper.make_node(op, inputs, ["y"], name="n", domain=domain, **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph([node], "g", [x], [onnx.ValueInfoProto(name="y")])
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)
