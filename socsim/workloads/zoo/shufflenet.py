"""ShuffleNet version 2."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["shufflenet_v2"]


def shufflenet_v2(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ShuffleNetV2 1.0x (Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN ...", 2018).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b = GraphBuilder("shufflenet_v2")
    x = b.conv(b.input(1, 3, resolution, resolution), 24, 3, 2, padding=1, activation="relu")
    x = b.max_pool(x, 3, 2, padding="same")
    for channels, units in ((116, 4), (232, 8), (464, 4)):
        x = _halving_unit(b, x, channels // 2)
        for _ in range(units - 1):
            x = _unit(b, x)
    x = b.conv(x, 1024, activation="relu")
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))


def _unit(b: GraphBuilder, x: str) -> str:
    kept, y = b.split(x, 2)
    return _joined(b, kept, _branch(b, y, b.channels(y), 1))


def _halving_unit(b: GraphBuilder, x: str, channels: int) -> str:
    left = b.conv(b.depthwise(x, 3, 2, padding=1), channels, activation="relu")
    return _joined(b, left, _branch(b, x, channels, 2))


def _branch(b: GraphBuilder, x: str, channels: int, stride: int) -> str:
    y = b.depthwise(b.conv(x, channels, activation="relu"), 3, stride, padding=1)
    return b.conv(y, channels, activation="relu")


def _joined(b: GraphBuilder, left: str, right: str) -> str:
    return b.channel_shuffle(b.concat(left, right), 2)
