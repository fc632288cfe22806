"""What each type of operator says of the channels that it reads and gives."""

from __future__ import annotations

from math import prod

from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.transforms.channels import FIXED, Axis, ChannelMap, Rule
from socsim.workloads.transforms.resizing import matrix_size

__all__ = ["channel_map"]


def channel_map(graph: ModelGraph) -> ChannelMap:
    """The channels of a network, operator by operator.

    Convolutions, fully connected layers and products with constant matrices make channels; sums and products of
    activations tie those at the same place; grouped convolutions and shuffles tie those at the same place of every
    group; depth-wise convolutions, pooling and normalisation hand them on; concatenations, splits and flattening keep
    count of where they are. What enters and leaves the network stays, and so does whatever goes through an operator
    for which there is no rule: tables that are looked up, products of two activations and what is reshaped into
    attention heads.
    """
    return ChannelMap(graph, _RULES)


def _filters(channels: ChannelMap, op: Operator) -> None:
    """Convolutions: new channels, in as many groups as those read."""
    groups = op.get("groups", 1)
    if _computed(channels, op):
        channels.keep(op)
        return
    read = channels.axes.get(op.inputs[0])
    if read and groups > 1:
        channels.tie_groups(read.ids, groups)
    made = channels.made(op, 1)
    if groups > 1:
        channels.tie_groups(made, groups)
        if read is None:
            channels.fix(op.outputs)


def _computed(channels: ChannelMap, op: Operator) -> bool:
    """Whether filters or a matrix are computed, or are of a form that is not known."""
    extra = any(prod(channels.shape(t)) > 1 for t in op.inputs[1:])
    bias = op.weights - matrix_size(op, channels.shape(op.inputs[0]), channels.shape(op.outputs[0]))
    return extra or bias < 0 or bool(op.get("constant_left"))


def _depthwise(channels: ChannelMap, op: Operator) -> None:
    """Each channel read becomes one, or a few that stay or go with it."""
    read = channels.axes.get(op.inputs[0])
    if read is None:
        return
    if _computed(channels, op):
        channels.keep(op)
        return
    multiplier = channels.shape(op.outputs[0])[1] // len(read.ids)
    channels.axes[op.outputs[0]] = Axis(1, [c for c in read.ids for _ in range(multiplier)])


def _product(channels: ChannelMap, op: Operator) -> None:
    """Products with a constant matrix: new features along the last axis."""
    last = len(channels.shape(op.inputs[0])) - 1
    read = channels.axes.get(op.inputs[0])
    if _computed(channels, op):
        channels.keep(op)
        return
    if read and op.type == "matmul" and read.place != last:
        channels.fix(op.inputs)
    channels.made(op, len(channels.shape(op.outputs[0])) - 1)


def _same(channels: ChannelMap, op: Operator) -> None:
    """Channels are handed on as they are."""
    read = channels.axes.get(op.inputs[0])
    if read is None:
        return
    before, after = channels.shape(op.inputs[0]), channels.shape(op.outputs[0])
    if len(before) != len(after) or before[read.place] != after[read.place]:
        channels.keep(op)
        return
    channels.axes[op.outputs[0]] = read


def _softmax(channels: ChannelMap, op: Operator) -> None:
    """Shares of a whole stay whole."""
    read = channels.axes.get(op.inputs[0])
    if read and op.get("axis", -1) % len(channels.shape(op.inputs[0])) == read.place:
        channels.keep(op)
    else:
        _same(channels, op)


def _group_norm(channels: ChannelMap, op: Operator) -> None:
    read = channels.axes.get(op.inputs[0])
    if read:
        channels.tie_groups(read.ids, op.get("groups") or 1)
    _same(channels, op)


def _elementwise(channels: ChannelMap, op: Operator) -> None:
    """Channels at the same place become one; what is broadcast along them is left alone."""
    out = channels.shape(op.outputs[0])
    read = [channels.axes.get(t) for t in op.inputs]
    aligned = [
        len(out) - len(channels.shape(t)) + axis.place if axis and len(axis.ids) > 1 else None
        for t, axis in zip(op.inputs, read, strict=True)
    ]
    places = {own for own in aligned if own is not None}
    if len(places) != 1:
        channels.keep(op)
        return
    place = places.pop()
    wide = [
        axis if own == place else None
        for t, axis, own in zip(op.inputs, read, aligned, strict=True)
        if _size(channels, t, place, out) > 1
    ]
    first, *others = [axis.ids for axis in wide if axis]
    for ids in others:
        channels.tie(first, ids)
    if None in wide:
        channels.tie(first, [FIXED] * len(first))
    channels.axes[op.outputs[0]] = Axis(place, first)


def _size(channels: ChannelMap, tensor: str, place: int, out: tuple[int, ...]) -> int:
    """Size of an activation along an axis of what it is broadcast to."""
    shape = channels.shape(tensor)
    own = place - (len(out) - len(shape))
    return shape[own] if own >= 0 else 1


def _concat(channels: ChannelMap, op: Operator) -> None:
    """Channels one after the other; those joined along another axis become one."""
    read = [channels.axes.get(t) for t in op.inputs]
    places = {axis.place for axis in read if axis}
    if len(places) != 1:
        channels.keep(op)
        return
    place = places.pop()
    if place != op.get("axis"):
        if any(axis is None for axis in read):
            channels.keep(op)
            return
        first, *others = [axis.ids for axis in read if axis]
        for ids in others:
            channels.tie(first, ids)
        channels.axes[op.outputs[0]] = Axis(place, first)
        return
    joined: list[int] = []
    for tensor, axis in zip(op.inputs, read, strict=True):
        joined += axis.ids if axis else [FIXED] * channels.shape(tensor)[place]
    if len(joined) != channels.shape(op.outputs[0])[place]:  # a constant is joined too
        channels.keep(op)
        return
    channels.axes[op.outputs[0]] = Axis(place, joined)


def _split(channels: ChannelMap, op: Operator) -> None:
    """Each output has its run of the channels."""
    read = channels.axes.get(op.inputs[0])
    if read is None:
        return
    start = 0
    for tensor in op.outputs:
        stop = start + channels.shape(tensor)[read.place]
        along = read.place == op.get("axis")
        channels.axes[tensor] = Axis(read.place, read.ids[start:stop] if along else read.ids)
        start = stop if along else 0


def _slice(channels: ChannelMap, op: Operator) -> None:
    """A run of the channels, where it is known which; all of them where another axis is cut."""
    read = channels.axes.get(op.inputs[0])
    start = op.get("start")
    if read is None:
        return
    if read.place != op.get("axis"):
        _same(channels, op)
    elif isinstance(start, int):
        size = channels.shape(op.outputs[0])[read.place]
        channels.axes[op.outputs[0]] = Axis(read.place, read.ids[start : start + size])
    else:
        channels.keep(op)


def _reduce(channels: ChannelMap, op: Operator) -> None:
    """Channels move up where axes ahead of them are dropped."""
    read = channels.axes.get(op.inputs[0])
    if read is None:
        return
    rank, axes = len(channels.shape(op.inputs[0])), op.get("axes")
    gone = {axis % rank for axis in axes or ()}
    if not gone or read.place in gone:
        channels.keep(op)
        return
    ahead = 0 if op.get("keepdims") else sum(axis < read.place for axis in gone)
    channels.axes[op.outputs[0]] = Axis(read.place - ahead, read.ids)


def _reshape(channels: ChannelMap, op: Operator) -> None:
    """Channels keep an axis of their own, or are flattened together with all that is behind them."""
    read = channels.axes.get(op.inputs[0])
    if read is None:
        return
    before, after = channels.shape(op.inputs[0]), channels.shape(op.outputs[0])
    ahead, behind, count = prod(before[: read.place]), prod(before[read.place + 1 :]), before[read.place]
    for place, size in enumerate(after):
        repeat = size // count
        whole = repeat >= 1 and size == repeat * count
        if whole and prod(after[:place]) == ahead and prod(after[place + 1 :]) * repeat == behind:
            channels.axes[op.outputs[0]] = Axis(place, [c for c in read.ids for _ in range(repeat)])
            return
    channels.keep(op)


def _transpose(channels: ChannelMap, op: Operator) -> None:
    read, axes = channels.axes.get(op.inputs[0]), op.get("axes")
    if read is None:
        return
    if not axes:
        channels.keep(op)
        return
    channels.axes[op.outputs[0]] = Axis(tuple(axes).index(read.place), read.ids)


def _shuffle(channels: ChannelMap, op: Operator) -> None:
    """Channels of all groups by turns; groups stay equally large."""
    read = channels.axes.get(op.inputs[0])
    if read is None:
        return
    groups = op.get("groups")
    if not groups:
        channels.keep(op)
        return
    channels.tie_groups(read.ids, groups)
    size = len(read.ids) // groups
    mixed = [read.ids[group * size + i] for i in range(size) for group in range(groups)]
    channels.axes[op.outputs[0]] = Axis(read.place, mixed)


def _to_depth(channels: ChannelMap, op: Operator) -> None:
    """All channels of one pixel of a block, then those of the next."""
    read = channels.axes.get(op.inputs[0])
    if read is None or read.place != 1:
        channels.keep(op)
        return
    blocks = channels.shape(op.outputs[0])[1] // len(read.ids)
    channels.axes[op.outputs[0]] = Axis(1, read.ids * blocks)


def _to_space(channels: ChannelMap, op: Operator) -> None:
    read = channels.axes.get(op.inputs[0])
    if read is None or read.place != 1:
        channels.keep(op)
        return
    count = channels.shape(op.outputs[0])[1]
    channels.tie_groups(read.ids, len(read.ids) // count)
    channels.axes[op.outputs[0]] = Axis(1, read.ids[:count])


_RULES: dict[str, Rule] = {
    "conv2d": _filters,
    "grouped_conv2d": _filters,
    "deconv2d": _filters,
    "depthwise_conv2d": _depthwise,
    "fully_connected": _product,
    "matmul": _product,
    **dict.fromkeys(
        ("activation", "batch_norm", "instance_norm", "layer_norm", "lrn", "max_pool", "avg_pool"), _same
    ),
    **dict.fromkeys(("cast", "pad", "resize"), _same),
    "group_norm": _group_norm,
    "softmax": _softmax,
    "eltwise": _elementwise,
    "concat": _concat,
    "split": _split,
    "slice": _slice,
    "reduce": _reduce,
    "reshape": _reshape,
    "squeeze": _reshape,
    "transpose": _transpose,
    "channel_shuffle": _shuffle,
    "space_to_depth": _to_depth,
    "depth_to_space": _to_space,
}
