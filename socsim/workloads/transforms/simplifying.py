"""Removal of redundancy: what changes nothing, what is computed twice, and what nobody reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.transforms.steps import next_step

__all__ = ["simplify"]

_SAME_WHERE_SHAPE_IS = frozenset(
    {"reshape", "squeeze", "slice", "pad", "resize", "concat", "split", "depth_to_space", "space_to_depth"}
)
"""Types that change nothing where the shape stays."""

_IDEMPOTENT = frozenset({"relu", "relu6"})

_TOLD_BY_SHAPES = frozenset(
    {
        "max_pool",
        "avg_pool",
        "softmax",
        "concat",
        "split",
        "reshape",
        "squeeze",
        "transpose",
        "channel_shuffle",
    }
    | {"depth_to_space", "space_to_depth", "resize", "reduce", "matmul"}
    | {"batch_norm", "layer_norm", "instance_norm", "group_norm"}
)
"""Types of which two with the same inputs, attributes and shapes, and without weights, compute the same."""

_WITHOUT_PARAMETERS = frozenset(
    {"abs", "ceil", "cos", "erf", "exp", "floor", "hswish", "log", "mish", "neg", "not", "reciprocal", "relu"}
    | {"relu6", "round", "sigmoid", "sign", "sin", "softplus", "softsign", "sqrt", "swish", "tanh"}
)
"""Functions of an activation that their name tells; others have a slope or a bound, which a graph does not know."""

_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "max", "min"})


def simplify(graph: ModelGraph) -> ModelGraph:
    """Remove redundant operators; the network computes the same.

    - What changes nothing goes: reshapes, paddings, slices, resizes, concatenations and splits to the shape that was,
      transpositions and shuffles that leave all in place, 1x1 pooling without stride, reductions over axes of size 1,
      sums with 0 and products with 1, identities, and a ReLU of what a ReLU gives.
    - What is computed twice is computed once: operators without weights of one type with the same attributes, inputs
      and shapes, one after another, and so whole branches. Operators with weights are never taken for the same, because
      only shapes are known; nor are others of which a graph does not tell all that they do: slices and look-ups from
      nobody knows where, paddings, arithmetic with constants of unknown value, functions with a slope or a bound.
    - What leads to no output of the network goes.

    Parameters
    ----------
    graph
        Any network; one that is simple already comes back with the same operators.

    Returns
    -------
    ModelGraph
        Same inputs and outputs (names and shapes).
    """
    stands_for: dict[str, str] = {}
    known: dict[tuple[Any, ...], Operator] = {}
    makers: dict[str, Operator] = {}
    left: list[Operator] = []
    for old in graph:
        op = replace(old, inputs=tuple(stands_for.get(t, t) for t in old.inputs))
        leaves = any(t in graph.outputs for t in op.outputs)
        key = _key(graph, op)
        twin = known.get(key) if _is_told(op) else None
        if not leaves and _is_identity(graph, op, makers):
            stands_for[op.outputs[0]] = op.inputs[0]
        elif not leaves and twin:
            stands_for.update(zip(op.outputs, twin.outputs, strict=True))
        else:
            known[key] = op
            makers.update(dict.fromkeys(op.outputs, op))
            left.append(op)
    alive = _alive(left, graph.outputs)
    used = {*graph.inputs, *(t for op in alive for t in (*op.inputs, *op.outputs)), *graph.outputs}
    tensors = [tensor for name, tensor in graph.tensors.items() if name in used]
    return graph.changed(alive, tensors, lineage=next_step(graph, "simplify", free=True))


def _key(graph: ModelGraph, op: Operator) -> tuple[Any, ...]:
    shapes = tuple(graph.tensors[t].shape for t in op.outputs)
    return op.type, op.inputs, shapes, tuple(sorted(op.attributes.items(), key=lambda item: item[0]))


def _is_told(op: Operator) -> bool:
    """Whether type, inputs, attributes and shapes tell all that an operator computes."""
    if op.weights or not op.inputs:
        return False
    if op.get("activation") not in (None, *_WITHOUT_PARAMETERS):
        return False
    if op.type == "activation":
        return op.get("function") in _WITHOUT_PARAMETERS
    if op.type == "eltwise":
        return op.get("function") in _ARITHMETIC and (len(op.inputs) > 1 or op.get("value") is not None)
    if op.type == "slice":
        return isinstance(op.get("start"), int)
    return op.type in _TOLD_BY_SHAPES


def _alive(operators: list[Operator], outputs: Iterable[str]) -> list[Operator]:
    """Operators that lead to the outputs."""
    needed, alive = set(outputs), list[Operator]()
    for op in reversed(operators):
        if needed.intersection(op.outputs):
            alive.append(op)
            needed.update(op.inputs)
    return alive[::-1]


def _is_identity(graph: ModelGraph, op: Operator, makers: dict[str, Operator]) -> bool:
    """Whether an operator gives what it reads."""
    if len(op.inputs) != 1 or len(op.outputs) != 1 or op.get("activation"):
        return False
    before, after = graph.tensors[op.inputs[0]].shape, graph.output_shape(op)
    if before != after:
        return False
    if op.type == "activation":
        function = op.get("function")
        return function in ("identity", "linear") or _repeats(function, makers.get(op.inputs[0]))
    if op.type == "transpose":
        return _in_place(op.get("axes"), before)
    if op.type == "channel_shuffle":
        return bool(op.get("groups") in (1, before[1]))
    if op.type in ("max_pool", "avg_pool"):
        return bool(op.get("kernel") == (1, 1))
    if op.type == "reduce":
        return op.get("function") in ("mean", "max", "sum") and bool(op.get("axes"))
    if op.type == "eltwise":
        return _is_neutral(op)
    return op.type in _SAME_WHERE_SHAPE_IS


def _repeats(function: str | None, maker: Operator | None) -> bool:
    """Whether a function has been applied to the same already."""
    if function not in _IDEMPOTENT or maker is None:
        return False
    done = maker.get("activation") or (maker.get("function") if maker.type == "activation" else None)
    return done == function


def _in_place(axes: Any, shape: tuple[int, ...]) -> bool:
    """Whether all axes that are longer than 1 stay in order."""
    wide = [axis for axis in axes or () if shape[axis] > 1]
    return bool(axes) and wide == sorted(wide)


def _is_neutral(op: Operator) -> bool:
    """Whether an operator adds 0 or multiplies by 1."""
    if op.get("constant") != "scalar" or op.get("reversed"):
        return False
    neutral = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0}.get(op.get("function", ""))
    return neutral is not None and op.get("value") == neutral
