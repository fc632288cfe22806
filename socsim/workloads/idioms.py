"""Operations that frameworks spell out in several operators, and what they are."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

from socsim.workloads.editor import GraphEditor
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["recognised"]


def recognised(graph: ModelGraph) -> ModelGraph:
    """Put one operator in the place of several that spell it out.

    - ``relu6(x + 3) / 6`` becomes the ``activation`` function ``hsigmoid``, and ``x * relu6(x + 3) / 6`` becomes
      ``hswish`` (Howard et al., "Searching for MobileNetV3", 2019);
    - ``reduce`` by the same function over one axis after another, each kept with size 1, becomes one over all
      of them.

    Constants are known where the operator has them in its attribute ``value``. Results that others read, or that
    leave the network, stay as they are.

    Parameters
    ----------
    graph
        Any network; one without such operators comes back as it is.
    """
    editor = GraphEditor(graph)
    found = [op for op in graph if _hard_gate(editor, op) or _joint_reduce(editor, op)]
    return editor.build() if found else graph


def _hard_gate(editor: GraphEditor, op: Operator) -> bool:
    """Merge a quotient by 6 with what is ahead of it."""
    if not _is_scalar(op, "div", 6.0):
        return False
    host = editor.source(op.inputs[0], op)
    if host is None:
        return False
    if _is_product(host):
        for x, gated in (host.inputs, host.inputs[::-1]):
            clipped = _clipped_sum(editor, gated, host)
            if clipped and clipped[0].inputs == (x,):
                return _replace(editor, [*clipped, host], op, "hswish")
    clipped = _clipped_sum(editor, op.inputs[0], op)
    return clipped is not None and _replace(editor, [*clipped], op, "hsigmoid")


def _clipped_sum(editor: GraphEditor, tensor: str, reader: Operator) -> tuple[Operator, Operator] | None:
    """The two operators of ``relu6(x + 3)``, if they give `tensor` and only `reader` needs it."""
    relu = editor.source(tensor, reader)
    if relu is None or relu.type != "activation" or relu.get("function") != "relu6":
        return None
    added = editor.source(relu.inputs[0], relu)
    return (added, relu) if added and _is_scalar(added, "add", 3.0) else None


def _is_scalar(op: Operator, function: str, value: float) -> bool:
    """Whether an operator is a function of one activation and a known number."""
    return (
        op.type == "eltwise"
        and (op.get("function"), op.get("constant")) == (function, "scalar")
        and isclose(op.get("value", float("nan")), value)
        and not op.get("reversed")
        and op.get("activation") is None
    )


def _is_product(op: Operator) -> bool:
    plain = op.type == "eltwise" and op.get("activation") is None
    return plain and op.get("function") == "mul" and len(op.inputs) == 2


def _replace(editor: GraphEditor, chain: list[Operator], last: Operator, function: str) -> bool:
    """Take a chain of operators out and let `last` be the function of what the chain's first one read."""
    read = chain[0].inputs
    for gone, kept in zip(chain, [*chain[1:], last], strict=True):
        editor.merge(gone, replace(kept, inputs=read))
    attributes = {"function": function}
    editor.change(replace(last, type="activation", inputs=read, attributes=attributes))
    return True


def _joint_reduce(editor: GraphEditor, op: Operator) -> bool:
    """Merge a reduction with the one ahead of it."""
    if op.type != "reduce" or not op.get("keepdims") or len(op.inputs) != 1:
        return False
    host = editor.source(op.inputs[0], op)
    if host is None or host.type != "reduce" or not host.get("keepdims"):
        return False
    if host.get("function") not in ("mean", "max", "sum") or host.get("function") != op.get("function"):
        return False
    if not host.get("axes") or not op.get("axes"):
        return False
    rank = len(editor.shape(op.outputs[0]))
    axes = tuple(sorted({axis % rank for axis in (*host.get("axes"), *op.get("axes"))}))
    editor.merge(op, replace(host, outputs=op.outputs, attributes={**host.attributes, "axes": axes}))
    return True
