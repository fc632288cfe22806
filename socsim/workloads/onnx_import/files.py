"""Reading an ONNX file into its protobuf message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from socsim.errors import ModelError

__all__ = ["read_model"]


def read_model(path: Path) -> Any:
    """Return the ``ModelProto`` in a file, without its external data and with its local functions inlined.

    Raises
    ------
    ModelError
        No such file, not an ONNX model, cut short, or of an operator set newer than the onnx package.
    """
    proto = _parse(_read_bytes(path))
    if not proto.HasField("graph"):
        raise ModelError("not an ONNX model: it holds no graph")
    _check_text(proto.graph)
    if not proto.graph.node:
        raise ModelError("the graph is empty: it has no nodes")
    _check_opsets(proto)
    return _inline(proto) if proto.functions else proto


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError("no such file") from None
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}") from None
    if not data:
        raise ModelError("the file is empty")
    return data


def _parse(data: bytes) -> Any:
    import onnx

    try:
        return onnx.load_model_from_string(data)
    except Exception:  # protobuf's DecodeError has no base of its own but Exception
        raise ModelError("not an ONNX model, or cut short: its protobuf message does not parse") from None


def _check_text(graph: Any) -> None:
    """Names that are not UTF-8 come out of protobuf as bytes, or fail when they are read."""
    values = (*graph.input, *graph.output, *graph.initializer)
    try:
        names = [text for n in graph.node for text in (n.name, n.op_type, n.domain, *n.input, *n.output)]
        names += [value.name for value in values]
        names += [attribute.name for node in graph.node for attribute in node.attribute]
        readable = all(isinstance(name, str) for name in names)
    except UnicodeDecodeError:
        readable = False
    if not readable:
        raise ModelError("not an ONNX model, or damaged: it holds names that are not UTF-8 text")


def _check_opsets(proto: Any) -> None:
    import onnx

    versions = {entry.domain or "ai.onnx": entry.version for entry in proto.opset_import}
    if "ai.onnx" not in versions:
        raise ModelError("not an ONNX model, or cut short: it names no version of the ai.onnx operator set")
    newest = onnx.defs.onnx_opset_version()
    if not 1 <= versions["ai.onnx"] <= newest:
        raise ModelError(
            f"operator set {versions['ai.onnx']} is unknown; onnx {onnx.__version__} knows 1 to {newest}"
        )


def _inline(proto: Any) -> Any:
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(proto)
    except Exception as error:  # the C++ inliner raises RuntimeError subclasses of its own
        raise ModelError(f"its local functions cannot be inlined: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
