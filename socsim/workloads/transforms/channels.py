"""Which channels of a network's activations belong together, so that they can only be removed together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["FIXED", "Axis", "ChannelMap", "Rule"]

FIXED = 0
"""The channel that all those are tied to which must stay."""


class Axis(NamedTuple):
    """The channels of an activation.

    Parameters
    ----------
    place
        Which axis they lie along.
    ids
        Number of the channel at each index of that axis; a channel that is flattened with its pixels stands there
        several times.
    """

    place: int
    ids: list[int]


Rule = Callable[["ChannelMap", Operator], None]
"""What an operator of a type says of the channels that it reads and gives."""


class ChannelMap:
    """The channels of all activations; those that are tied live and die together.

    Parameters
    ----------
    graph
        Whose channels.
    rules
        Rule of each type of operator; what has none keeps all that it reads and gives.
    """

    def __init__(self, graph: ModelGraph, rules: dict[str, Rule]) -> None:
        self.graph = graph
        self.axes: dict[str, Axis] = {}
        """Activation -> its channels; what is missing keeps its shape."""
        self.makers = [""]
        """Operator that made each channel."""
        self._above = [FIXED]
        for op in graph:
            rules.get(op.type, ChannelMap.keep)(self, op)
        self.fix(graph.outputs)

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of an activation."""
        return self.graph.tensors[tensor].shape

    def made(self, op: Operator, place: int) -> list[int]:
        """New channels of the first output of an operator, along an axis."""
        count = self.shape(op.outputs[0])[place]
        ids = list(range(len(self._above), len(self._above) + count))
        self._above += ids
        self.makers += [op.name] * count
        self.axes[op.outputs[0]] = Axis(place, ids)
        return ids

    def root(self, channel: int) -> int:
        """The channel that stands for all that are tied to this one."""
        above = self._above
        while above[channel] != channel:
            above[channel] = above[above[channel]]
            channel = above[channel]
        return channel

    def tie(self, some: Iterable[int], others: Iterable[int]) -> None:
        """Tie channels pair by pair."""
        for one, other in zip(some, others, strict=True):
            first, last = sorted((self.root(one), self.root(other)))
            self._above[last] = first

    def tie_groups(self, ids: Sequence[int], groups: int) -> None:
        """Tie what is at the same place in every group, so that all groups stay equally large."""
        size = len(ids) // groups
        for group in range(1, groups):
            self.tie(ids[:size], ids[group * size : (group + 1) * size])

    def fix(self, tensors: Iterable[str]) -> None:
        """Keep all channels of some activations."""
        for tensor in tensors:
            if tensor in self.axes:
                for channel in self.axes[tensor].ids:
                    self.tie([channel], [FIXED])

    def keep(self, op: Operator) -> None:
        """The rule of operators of which nothing is known: what they read and give stays."""
        self.fix(op.inputs)
