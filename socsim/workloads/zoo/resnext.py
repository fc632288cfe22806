"""ResNeXt and wide ResNet: bottlenecks with grouped or wider 3x3 convolutions."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["resnext50", "resnext101", "wide_resnet50"]


def resnext50(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ResNeXt-50 32x4d (Xie et al., "Aggregated Residual Transformations for Deep Neural Networks", 2017).

    As PyTorch has it; the outputs are scores.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    return _network("resnext50", (3, 4, 6, 3), 128, 32, resolution, classes)


def resnext101(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ResNeXt-101 32x8d (Xie et al., 2017); options as of :func:`resnext50`."""
    return _network("resnext101", (3, 4, 23, 3), 256, 32, resolution, classes)


def wide_resnet50(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """Wide ResNet-50-2 (Zagoruyko and Komodakis, "Wide Residual Networks", 2016).

    Options as of :func:`resnext50`.
    """
    return _network("wide_resnet50", (3, 4, 6, 3), 128, 1, resolution, classes)


def _network(
    name: str, repeats: tuple[int, ...], inner: int, groups: int, resolution: int, classes: int
) -> ModelGraph:
    """`inner`: channels of the 3x3 convolutions in the first stage."""
    b = GraphBuilder(name)
    x = b.conv(b.input(1, 3, resolution, resolution), 64, 7, 2, padding=3, activation="relu")
    x = b.max_pool(x, 3, 2, padding="same")
    for stage, units in enumerate(repeats):
        for unit in range(units):
            stride = 2 if stage and not unit else 1
            x = _bottleneck(b, x, inner << stage, 256 << stage, groups, stride)
    return b.build(b.dense(b.global_avg_pool(x, keepdims=False), classes))


def _bottleneck(b: GraphBuilder, x: str, inner: int, channels: int, groups: int, stride: int) -> str:
    y = b.conv(x, inner, activation="relu")
    y = b.conv(y, inner, 3, stride, padding=1, groups=groups, activation="relu")
    y = b.conv(y, channels)
    shortcut = x if b.channels(x) == channels else b.conv(x, channels, 1, stride)
    return b.add_(y, shortcut, activation="relu")
