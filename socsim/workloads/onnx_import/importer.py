"""From an ONNX message to a network."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from socsim.errors import ModelError
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.onnx_import.inference import infer_shapes
from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.pins import pin
from socsim.workloads.onnx_import.shaped import Draft, Shaped
from socsim.workloads.onnx_import.source import Source, read_source
from socsim.workloads.onnx_import.table import check_supported, converters
from socsim.workloads.operators import operator_macs, operator_ops

__all__ = ["build_graph"]

Shape = tuple[int, ...]


def build_graph(name: str, proto: Any, pins: Mapping[str, Shape], folder: Path) -> ModelGraph:
    """Turn a ``ModelProto`` into a network.

    Parameters
    ----------
    name
        Name of the network.
    pins
        Shapes of inputs with dynamic dimensions.
    folder
        Where external data lies, if it is there at all.

    Raises
    ------
    ModelError, UnknownNameError
        See :func:`socsim.workloads.onnx.load_onnx`.
    """
    source = read_source(proto, folder)
    known = converters(source.opsets[""])
    check_supported(source.active, known)
    inputs = pin(source.inputs, pins)
    tensors = infer_shapes(source, inputs)
    shaped = Shaped(tensors.shapes, source.constant, tensors.values)
    drafts: dict[str, tuple[Node, Draft]] = {}
    aliases: dict[str, str] = {}
    for node in source.active:
        draft = known[node.op](node, shaped)
        if draft is None:
            aliases[node.outputs[0]] = shaped.activations(node)[0]
        else:
            drafts[node.name] = node, draft
    return _assemble(name, source, shaped, drafts, aliases)


def _assemble(
    name: str,
    source: Source,
    shaped: Shaped,
    drafts: Mapping[str, tuple[Node, Draft]],
    aliases: Mapping[str, str],
) -> ModelGraph:
    outputs = [tensor for tensor in source.outputs if tensor not in source.constant]
    if not drafts or not outputs:
        raise ModelError("no operators are left after folding constants")
    renamed = _Renaming(source, aliases, outputs)
    read = {*source.outputs, *(tensor for node in source.active for tensor in node.inputs)}
    operators = [
        _operator(node, draft, _outputs(node, read), shaped, renamed) for node, draft in drafts.values()
    ]
    entering = [renamed[tensor] for tensor in source.inputs]
    leaving = dict.fromkeys(renamed[tensor] for tensor in outputs)
    used = dict.fromkeys([*entering, *(tensor for op in operators for tensor in (*op.inputs, *op.outputs))])
    tensors = [Tensor(tensor, shaped.shape(renamed.original(tensor))) for tensor in used]
    return ModelGraph(name, operators, tensors, entering, leaving)


class _Renaming:
    """Final names of tensors: those of removed nodes merge with what the nodes read.

    An output of the network keeps its name: what a removed node would have passed on to it is produced under
    that name, unless it is itself an input or another output.
    """

    def __init__(self, source: Source, aliases: Mapping[str, str], outputs: list[str]) -> None:
        self._aliases = aliases
        self._final: dict[str, str] = {}
        fixed = {*source.inputs, *outputs}
        for output in outputs:
            root = self._root(output)
            if root not in fixed:
                self._final.setdefault(root, output)
        self._original = {new: old for old, new in self._final.items()}

    def _root(self, tensor: str) -> str:
        while tensor in self._aliases:
            tensor = self._aliases[tensor]
        return tensor

    def __getitem__(self, tensor: str) -> str:
        root = self._root(tensor)
        return self._final.get(root, root)

    def original(self, tensor: str) -> str:
        """The ONNX tensor that got a final name."""
        return self._original.get(tensor, tensor)


def _operator(node: Node, draft: Draft, outputs: list[str], shaped: Shaped, renamed: _Renaming) -> Operator:
    read = [shaped.shape(tensor) for tensor in draft.inputs]
    shape = shaped.shape(outputs[0])
    kernel, groups = draft.attributes.get("kernel", (1, 1)), draft.attributes.get("groups", 1)
    macs = operator_macs(draft.type, read, shape, kernel, groups) if draft.macs is None else draft.macs
    return Operator(
        node.name,
        draft.type,
        tuple(renamed[tensor] for tensor in draft.inputs),
        tuple(renamed[tensor] for tensor in outputs),
        {key: value for key, value in draft.attributes.items() if value is not None},
        draft.weights,
        macs,
        operator_ops(draft.type, read, shape, kernel),
    )


def _outputs(node: Node, read: Set[str]) -> list[str]:
    """All parts of a split, for its sake; of other nodes those outputs that somebody reads."""
    produced = [tensor for tensor in node.outputs if tensor]
    return produced if node.op == "Split" else [t for t in produced if t in read]
