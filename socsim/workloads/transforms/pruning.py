"""Structured pruning: whole channels go, everywhere at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from math import floor, lcm

from socsim.errors import UsageError
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.transforms.channel_rules import channel_map
from socsim.workloads.transforms.channels import FIXED, ChannelMap
from socsim.workloads.transforms.resizing import resized
from socsim.workloads.transforms.steps import next_step, share_of, whole

__all__ = ["prune"]


def prune(graph: ModelGraph, share: float, *, multiple: int = 8, joined: bool = True) -> ModelGraph:
    """Remove a share of the channels that every convolution and fully connected layer gives.

    Channels that belong together (residual sums, gates, concatenations, depth-wise and grouped convolutions, shuffles)
    go together; inputs and outputs of the network keep their shapes. Which channels of a set of equal ones go does not
    matter to cost, and weights are not looked at: the first ones stay. What that costs in accuracy after training on is
    for a table to say.

    Parameters
    ----------
    graph
        Any network.
    share
        Share of the channels of each set that goes, above 0 and below 1.
    multiple
        Channels that are left are a multiple of this, as fast kernels want them; sets that have fewer stay whole.
        Default 8; 1 for any number.
    joined
        Whether channels go that several operators give together, as in a residual sum; False prunes inside of blocks
        only, and leaves the sums as wide as they were (Luo et al., "ThiNet", ICCV 2017; Li et al., "Pruning filters
        for efficient ConvNets", ICLR 2017).

    Raises
    ------
    UsageError
        A share outside (0, 1), or a multiple below 1.
    """
    share_of("prune", "share", share, below=1.0)
    whole("prune", "multiple", multiple)
    if not isinstance(joined, bool):
        raise UsageError(f"prune: joined must be true or false, got {joined!r}")
    channels = channel_map(graph)
    kept = _kept(channels, share, multiple, joined)
    sizes = {name: _pruned_shape(channels, tensor, kept) for name, tensor in graph.tensors.items()}
    operators = [_pruned(channels, op, sizes, kept) for op in graph]
    lineage = next_step(graph, "prune", (share,), multiple=(multiple, 8), joined=(joined, True))
    return graph.changed(operators, [Tensor(n, shape) for n, shape in sizes.items()], lineage=lineage)


def _kept(channels: ChannelMap, share: float, multiple: int, joined: bool) -> list[bool]:
    """Whether each channel stays."""
    stays = [True] * len(channels.makers)
    roots = [channels.root(channel) for channel in range(len(stays))]
    members: dict[int, list[int]] = defaultdict(list)
    for channel, root in enumerate(roots):
        members[root].append(channel)
    for equals in _equal_classes(channels, roots):
        makers = {channels.makers[channel] for channel in members[equals[0]]}
        if not joined and len(makers) > 1:
            continue
        width = len(members[equals[0]]) // len(makers)
        for root in equals[_left(len(equals), width, share, multiple) :]:
            for channel in members[root]:
                stays[channel] = False
    return stays


def _equal_classes(channels: ChannelMap, roots: list[int]) -> Iterator[list[int]]:
    """Sets of tied channels that are in the same activations equally often, and may therefore replace each other."""
    places: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for tensor, axis in channels.axes.items():
        for root, count in Counter(roots[channel] for channel in axis.ids).items():
            if root != FIXED:
                places[root].append((tensor, count))
    equal: dict[tuple[tuple[str, int], ...], list[int]] = defaultdict(list)
    for root in sorted(places):
        equal[tuple(places[root])].append(root)
    yield from equal.values()


def _left(count: int, width: int, share: float, multiple: int) -> int:
    """How many of `count` sets stay, of which each has `width` channels of an operator."""
    step = lcm(multiple, width)
    wanted = floor(count * width * (1.0 - share) / step + 0.5) * step
    return min(count, max(step, wanted) // width)


def _pruned_shape(channels: ChannelMap, tensor: Tensor, kept: list[bool]) -> tuple[int, ...]:
    axis = channels.axes.get(tensor.name)
    if axis is None:
        return tensor.shape
    size = sum(kept[channel] for channel in axis.ids)
    return (*tensor.shape[: axis.place], size, *tensor.shape[axis.place + 1 :])


def _pruned(
    channels: ChannelMap, op: Operator, sizes: dict[str, tuple[int, ...]], kept: list[bool]
) -> Operator:
    """An operator between activations that have lost channels."""
    if not op.inputs or not op.outputs:
        return op
    first = op.outputs[0]
    axis, read = channels.axes.get(first), channels.axes.get(op.inputs[0])
    before = ([channels.shape(t) for t in op.inputs], channels.shape(first))
    after = ([sizes[t] for t in op.inputs], sizes[first])
    if before == after:
        return op
    if op.type == "slice" and read and read.place == op.get("axis") and isinstance(op.get("start"), int):
        start = sum(kept[channel] for channel in read.ids[: op.get("start")])
        op = replace(op, attributes={**op.attributes, "start": start})
    return resized(op, before, after, axis.place if axis else min(1, len(after[1]) - 1))
