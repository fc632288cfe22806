"""Named predicates on operators, which the files of inference libraries combine into their tables.

A condition is a name and a value, such as ``rank: [2, 4]``; all conditions of a table entry must hold.
``any`` takes a list of alternatives. Where a value may be one or a list, one of the list must match.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

from socsim.errors import UnknownNameError, UsageError
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["CONDITIONS", "Condition", "Conditions", "check", "failure"]

Shape = tuple[int, ...]
_AXES: Mapping[str, int] = MappingProxyType({"batch": 0, "channel": 1, "last": -1})
Conditions = Mapping[str, Any]
"""Condition name -> value, as a file writes them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One predicate.

    Parameters
    ----------
    kind
        What the value must be: ``"number"``, ``"numbers"`` (one or a list), ``"pairs"`` (height and width, or
        a list of those), ``"lists"`` (of numbers), ``"flag"``, ``"names"`` (one or a list) or ``"axis"``.
    test
        Whether the operator meets it.
    phrase
        What an operator that fails it is missing, with ``{}`` for the value.
    """

    kind: str
    test: Callable[[Operator, ModelGraph, Any], bool]
    phrase: str


def failure(op: Operator, graph: ModelGraph, conditions: Conditions) -> str | None:
    """The first condition that an operator fails, in words; None if it meets all of them."""
    for name, value in conditions.items():
        if name == "any":
            reasons = [failure(op, graph, alternative) for alternative in value]
            if all(reasons):
                return " or ".join(str(reason) for reason in reasons)
        elif not CONDITIONS[name].test(op, graph, value):
            return CONDITIONS[name].phrase.format(_shown(value, CONDITIONS[name].kind))
    return None


def check(conditions: Conditions) -> None:
    """Refuse conditions that do not exist or have a value of the wrong kind.

    Raises
    ------
    UnknownNameError
        No condition of that name.
    UsageError
        A value of another kind than the condition takes.
    """
    for name, value in conditions.items():
        if name == "any":
            _check_alternatives(value)
        elif name not in CONDITIONS:
            raise UnknownNameError("condition", name, [*CONDITIONS, "any"])
        elif not _KINDS[CONDITIONS[name].kind][0](value):
            wanted = _KINDS[CONDITIONS[name].kind][1]
            raise UsageError(f"condition {name!r} takes {wanted}, got {value!r}")


def _check_alternatives(value: Any) -> None:
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise UsageError(f"condition 'any' takes a list of mappings of conditions, got {value!r}")
    for alternative in value:
        check(alternative)


# --- kinds of values ------------------------------------------------------------------------------------


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _list_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(test, value))


def _either(one: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: one(value) or _list_of(one)(value)


def _pair(value: Any) -> bool:
    return _list_of(_number)(value) and len(value) == 2


def _name(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "number": (_number, "a whole number"),
        "numbers": (_either(_number), "a whole number or a list of them"),
        "pairs": (_either(_pair), "two whole numbers, [height, width], or a list of such pairs"),
        "lists": (_list_of(_list_of(_number)), "a list of lists of whole numbers"),
        "axis": (lambda value: value in _AXES, "channel, last or batch"),
        "names": (_either(_name), "a name or a list of names"),
        "flag": (_flag, "true or false"),
    }
)


def _shown(value: Any, kind: str) -> str:
    """A value in words: alternatives with "or", a pair as 3x3, a list of axes as [2, 3]."""
    if kind == "pairs":
        return " or ".join(f"{height}x{width}" for height, width in ([value] if _pair(value) else value))
    if isinstance(value, list):
        return " or ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- what operators are like ----------------------------------------------------------------------------


def _rank(op: Operator, graph: ModelGraph) -> int:
    return len(_input(op, graph))


def _input(op: Operator, graph: ModelGraph) -> Shape:
    shapes = graph.input_shapes(op)
    return shapes[0] if shapes else graph.output_shape(op)


def _channels(shape: Shape) -> int:
    return shape[1] if len(shape) > 1 else shape[-1]


def _axis(op: Operator, graph: ModelGraph, wanted: str) -> bool:
    rank = _rank(op, graph)
    return bool(op.get("axis", 1) % rank == min(_AXES[wanted], rank - 1) % rank)


def _height(op: Operator, graph: ModelGraph) -> int:
    shape = graph.output_shape(op)
    return shape[2] if len(shape) == 4 else 1


def _one_of(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def _pair_of(value: Any, wanted: Any) -> bool:
    pairs = [wanted] if _pair(wanted) else wanted
    return list(value) in pairs


def _broadcasts(op: Operator, graph: ModelGraph) -> bool:
    return len({prod(shape) for shape in graph.input_shapes(op)}) > 1


CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        "rank": Condition("numbers", lambda o, g, v: _one_of(_rank(o, g), v), "needs {} dimensions"),
        "max_rank": Condition(
            "number",
            lambda o, g, v: all(len(s) <= v for s in [*g.input_shapes(o), g.output_shape(o)]),
            "takes at most {} dimensions",
        ),
        "batch": Condition("number", lambda o, g, v: _input(o, g)[0] == v, "needs a batch of {}"),
        "axis": Condition("axis", _axis, "needs the {} axis"),
        "axes": Condition(
            "lists", lambda o, g, v: list(o.get("axes", ())) in v, "reduces only over the axes {}"
        ),
        "keepdims": Condition(
            "flag", lambda o, g, v: bool(o.get("keepdims", True)) == v, "needs keepdims {}"
        ),
        "inputs": Condition("numbers", lambda o, g, v: _one_of(len(o.inputs), v), "needs {} inputs"),
        "max_inputs": Condition("number", lambda o, g, v: len(o.inputs) <= v, "takes at most {} inputs"),
        "broadcast": Condition("flag", lambda o, g, v: _broadcasts(o, g) == v, "needs broadcasting to be {}"),
        "constant_rank": Condition(
            "numbers",
            lambda o, g, v: o.get("constant_rank") is None or _one_of(o.get("constant_rank"), v),
            "needs a constant of {} dimensions",
        ),
        "channels_multiple_of": Condition(
            "number",
            lambda o, g, v: all(_channels(s) % v == 0 for s in g.input_shapes(o)),
            "needs input channels in multiples of {}",
        ),
        "parts_multiple_of": Condition(
            "number",
            lambda o, g, v: all(_channels(g.tensors[t].shape) % v == 0 for t in o.outputs),
            "needs output channels in multiples of {}",
        ),
        "min_in_channels": Condition(
            "number", lambda o, g, v: _channels(_input(o, g)) >= v, "needs at least {} input channels"
        ),
        "max_in_channels": Condition(
            "number", lambda o, g, v: _channels(_input(o, g)) <= v, "takes at most {} input channels"
        ),
        "min_out_channels": Condition(
            "number", lambda o, g, v: _channels(g.output_shape(o)) >= v, "needs at least {} output channels"
        ),
        "max_out_channels": Condition(
            "number", lambda o, g, v: _channels(g.output_shape(o)) <= v, "takes at most {} output channels"
        ),
        "min_out_height": Condition(
            "number", lambda o, g, v: _height(o, g) >= v, "needs at least {} output rows"
        ),
        "max_out_height": Condition(
            "number", lambda o, g, v: _height(o, g) <= v, "takes at most {} output rows"
        ),
        "kernel": Condition(
            "pairs", lambda o, g, v: _pair_of(o.get("kernel", (1, 1)), v), "needs a kernel of {}"
        ),
        "max_kernel": Condition(
            "number", lambda o, g, v: max(o.get("kernel", (1, 1))) <= v, "takes kernels up to {}"
        ),
        "kernel_width": Condition(
            "numbers", lambda o, g, v: _one_of(o.get("kernel", (1, 1))[1], v), "needs a kernel width of {}"
        ),
        "stride": Condition(
            "pairs", lambda o, g, v: _pair_of(o.get("stride", (1, 1)), v), "needs a stride of {}"
        ),
        "max_stride": Condition(
            "number", lambda o, g, v: max(o.get("stride", (1, 1))) <= v, "takes strides up to {}"
        ),
        "dilation": Condition(
            "pairs", lambda o, g, v: _pair_of(o.get("dilation", (1, 1)), v), "needs a dilation of {}"
        ),
        "multiplier": Condition(
            "number",
            lambda o, g, v: _channels(g.output_shape(o)) == v * _channels(_input(o, g)),
            "needs a channel multiplier of {}",
        ),
        "function": Condition("names", lambda o, g, v: _one_of(o.get("function"), v), "computes only {}"),
        "fused": Condition(
            "names",
            lambda o, g, v: o.get("activation") is None or _one_of(o.get("activation"), v),
            "fuses only the activation {}",
        ),
        "mode": Condition("names", lambda o, g, v: _one_of(o.get("mode"), v), "needs the mode {}"),
        "weights": Condition(
            "flag", lambda o, g, v: (o.weights > 0) == v, "needs a constant operand to be {}"
        ),
    }
)
"""All conditions but ``any``, by name."""
