"""Operators that move data without computing."""

from __future__ import annotations

from math import prod
from typing import Any

from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.shaped import Converter, Draft, Shaped

__all__ = [
    "block",
    "concat",
    "copy",
    "gather",
    "pad",
    "repeat",
    "reshape",
    "resize",
    "skip",
    "slice_",
    "split",
    "transpose",
]


def skip(node: Node, shaped: Shaped) -> None:
    """A node that passes its input on."""


def copy(type_: str) -> Converter:
    """A converter to an operator of one activation without attributes."""
    return lambda node, shaped: Draft(type_, (shaped.activation(node),))


def reshape(node: Node, shaped: Shaped) -> Draft:
    """``Reshape``, ``Flatten`` and ``Unsqueeze``."""
    x = shaped.activation(node)
    before, after = shaped.shape(x), shaped.shape(node.outputs[0])
    if prod(before) != prod(after):
        raise node.fail(
            f"{list(before)} cannot become {list(after)}; was the model exported for another input size?"
        )
    return Draft("reshape", (x,))


def transpose(node: Node, shaped: Shaped) -> Draft:
    """``Transpose``, by default of all axes."""
    x = shaped.activation(node)
    rank = len(shaped.shape(x))
    return Draft("transpose", (x,), {"axes": tuple(node.get("perm", range(rank)[::-1]))})


def concat(node: Node, shaped: Shaped) -> Draft | None:
    """``Concat``; constant parts are weights."""
    if len(node.inputs) == 1:
        return None
    axis = node.get("axis", 1) % len(shaped.shape(node.outputs[0]))
    return Draft("concat", shaped.activations(node), {"axis": axis}, shaped.weights(node.inputs))


def split(node: Node, shaped: Shaped) -> Draft | None:
    """``Split``."""
    if len(node.outputs) == 1:
        return None
    x = shaped.activation(node)
    return Draft("split", (x,), {"axis": node.get("axis", 0) % len(shaped.shape(x))})


def slice_(node: Node, shaped: Shaped) -> Draft:
    """``Slice``; ``axis`` is the first axis that it shortens."""
    x = shaped.activation(node)
    return Draft("slice", (x,), {"axis": _changed(shaped.shape(x), shaped.shape(node.outputs[0]))})


def gather(node: Node, shaped: Shaped) -> Draft:
    """``Gather`` and its like: rows of a table, or of an activation; at one constant place it is a slice."""
    data, indices = node.inputs[:2]
    axis = node.get("axis", 0) % max(1, len(shaped.shape(data)))
    if node.op == "Gather" and shaped.is_constant(indices) and prod(shaped.shape(indices)) == 1:
        return Draft("slice", shaped.activations(node), {"axis": axis})
    return Draft("gather", shaped.activations(node), {"axis": axis}, shaped.weights([data]))


def pad(node: Node, shaped: Shaped) -> Draft:
    """``Pad``; ``padding`` is given for images whose border is known and only spatial."""
    x = shaped.activation(node)
    pads = shaped.numbers(node, "pads", 1)
    attributes: dict[str, Any] = {"mode": node.get("mode", "constant")}
    if pads and len(pads) == 8 and not any(pads[i] for i in (0, 1, 4, 5)):
        attributes["padding"] = (pads[2], pads[3], pads[6], pads[7])
    return Draft("pad", (x,), attributes)


def resize(node: Node, shaped: Shaped) -> Draft:
    """``Resize`` and ``Upsample``: ``nearest``, ``bilinear`` or ``cubic``."""
    mode = node.get("mode", "nearest")
    return Draft("resize", (shaped.activation(node),), {"mode": {"linear": "bilinear"}.get(mode, mode)})


def block(type_: str) -> Converter:
    """A converter to ``depth_to_space`` or ``space_to_depth``."""
    return lambda node, shaped: Draft(type_, (shaped.activation(node),), {"block": node.get("blocksize")})


def repeat(node: Node, shaped: Shaped) -> Draft | None:
    """``Expand`` and ``Tile``: a concatenation of an activation with itself, none where the shape stays."""
    x = shaped.activation(node)
    before, after = shaped.shape(x), shaped.shape(node.outputs[0])
    if before == after:
        return None
    return Draft("concat", (x,), {"axis": _changed(before, after), "function": "tile"})


def _changed(before: tuple[int, ...], after: tuple[int, ...]) -> int | None:
    """First axis of `after` whose size differs, None where none does."""
    padded = (1,) * (len(after) - len(before)) + before
    return next((axis for axis, (a, b) in enumerate(zip(padded, after, strict=True)) if a != b), None)
