"""Sub-networks as data: what distinguishes one from its siblings, and the graph that follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from socsim.workloads.dynamic.eager import EagerBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import scaled_channels

__all__ = ["ChannelRecipe", "OfaRecipe", "OfaStage", "Recipe", "WidthRecipe"]


class Recipe(Protocol):
    """How to write a sub-network."""

    @property
    def resolution(self) -> int:
        """Height and width of the input in pixels."""

    @property
    def blocks(self) -> int:
        """Blocks between the first convolution and the last layers."""

    def build(self, name: str) -> ModelGraph:
        """The network, unfused."""


@dataclass(frozen=True, slots=True)
class OfaStage:
    """Blocks of one width of a once-for-all network.

    Parameters
    ----------
    channels, stride, activation
        Output channels; stride of the first block; activation of all.
    excite
        Whether its blocks squeeze and excite.
    kernels, expansions
        Of the depth-wise convolutions, and of the channels between; one for each block.
    """

    channels: int
    stride: int
    activation: str
    excite: bool
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OfaRecipe:
    """A sub-network of a once-for-all MobileNetV3 (Cai et al., "Once-for-All", ICLR 2020).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    stem
        Channels of the first convolution and of the block behind it, which is the same in all sub-networks.
    stages
        The blocks that differ.
    head
        Channels ahead of and behind global pooling.
    """

    resolution: int
    stem: int
    stages: tuple[OfaStage, ...]
    head: tuple[int, int]

    @property
    def blocks(self) -> int:
        """Blocks of the stages; the one behind the first convolution does not count."""
        return sum(len(stage.kernels) for stage in self.stages)

    def build(self, name: str) -> ModelGraph:
        """The network, unfused."""
        e = EagerBuilder(name, self.resolution)
        x = e.conv(e.input, self.stem, 3, 2, activation="hswish")
        x = e.inverted_residual(x, self.stem, self.stem, 3, 1, activation="relu")
        for stage, stride, kernel, expansion in self._steps():
            expanded = expansion * e.graph.channels(x)
            x = e.inverted_residual(
                x, stage.channels, expanded, kernel, stride, activation=stage.activation, excite=stage.excite
            )
        x = e.mean(e.conv(x, self.head[0], activation="hswish"))
        return e.classify(e.conv(x, self.head[1], activation="hswish", norm=False))

    def _steps(self) -> Iterator[tuple[OfaStage, int, int, int]]:
        for stage in self.stages:
            pairs = zip(stage.kernels, stage.expansions, strict=True)
            for i, (kernel, expansion) in enumerate(pairs):
                yield stage, stage.stride if i == 0 else 1, kernel, expansion


@dataclass(frozen=True, slots=True)
class ChannelRecipe:
    """Inverted residuals whose every number of channels is given.

    Parameters
    ----------
    resolution, activation
        Height and width of the input in pixels; activation of all layers.
    stem, head
        Channels of the first and of the last convolution.
    windows
        (kernel, stride) of each block's depth-wise convolution.
    channels
        (expanded, output) channels of each block; one that expands to as many as it reads does not expand.
    """

    resolution: int
    activation: str
    stem: int
    windows: tuple[tuple[int, int], ...]
    channels: tuple[tuple[int, int], ...]
    head: int

    @property
    def blocks(self) -> int:
        """Inverted residuals."""
        return len(self.windows)

    def build(self, name: str) -> ModelGraph:
        """The network, unfused."""
        e = EagerBuilder(name, self.resolution)
        x = e.conv(e.input, self.stem, 3, 2, activation=self.activation)
        for (kernel, stride), (expanded, out) in zip(self.windows, self.channels, strict=True):
            x = e.inverted_residual(x, out, expanded, kernel, stride, activation=self.activation)
        x = e.conv(x, self.head, activation=self.activation)
        return e.classify(e.graph.avg_pool_all(x))


@dataclass(frozen=True, slots=True)
class WidthRecipe:
    """Depth-wise separable convolutions of one width multiplier, as in MobileNet.

    Parameters
    ----------
    resolution, activation
        Height and width of the input in pixels; activation of all layers.
    stem
        Channels of the first convolution at full width.
    steps
        (channels at full width, stride) of each separable convolution.
    width
        Multiplier of all channels, which are rounded to multiples of 8.
    """

    resolution: int
    activation: str
    stem: int
    steps: tuple[tuple[int, int], ...]
    width: float

    @property
    def blocks(self) -> int:
        """Separable convolutions."""
        return len(self.steps)

    def build(self, name: str) -> ModelGraph:
        """The network, unfused."""
        e = EagerBuilder(name, self.resolution)
        x = e.conv(e.input, scaled_channels(self.stem, self.width), 3, 2, activation=self.activation)
        for channels, stride in self.steps:
            x = e.depthwise(x, 3, stride, activation=self.activation)
            x = e.conv(x, scaled_channels(channels, self.width), activation=self.activation)
        return e.classify(e.graph.avg_pool_all(x))
