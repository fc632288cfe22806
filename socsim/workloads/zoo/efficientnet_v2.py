"""EfficientNetV2: inverted residuals, in the early stages with one 3x3 convolution for expansion and filter."""

from __future__ import annotations

from typing import NamedTuple

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import InvertedResidual

__all__ = ["efficientnet_v2_b0", "efficientnet_v2_s"]


class _Stage(NamedTuple):
    expansion: int
    channels: int
    blocks: int
    stride: int
    fused: bool = False


_B0 = (
    _Stage(1, 16, 1, 1, fused=True),
    _Stage(4, 32, 2, 2, fused=True),
    _Stage(4, 48, 2, 2, fused=True),
    _Stage(4, 96, 3, 2),
    _Stage(6, 112, 5, 1),
    _Stage(6, 192, 8, 2),
)
_S = (
    _Stage(1, 24, 2, 1, fused=True),
    _Stage(4, 48, 4, 2, fused=True),
    _Stage(4, 64, 4, 2, fused=True),
    _Stage(4, 128, 6, 2),
    _Stage(6, 160, 9, 1),
    _Stage(6, 256, 15, 2),
)


def efficientnet_v2_b0(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """EfficientNetV2-B0 (Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", 2021).

    The outputs are scores, not probabilities.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    return _network("efficientnet_v2_b0", 32, _B0, resolution, classes)


def efficientnet_v2_s(*, resolution: int = 384, classes: int = 1000) -> ModelGraph:
    """EfficientNetV2-S (Tan and Le, 2021), 8.4 GMAC; options as of :func:`efficientnet_v2_b0`."""
    return _network("efficientnet_v2_s", 24, _S, resolution, classes)


def _network(name: str, stem: int, stages: tuple[_Stage, ...], resolution: int, classes: int) -> ModelGraph:
    b = GraphBuilder(name)
    x = b.conv(b.input(1, 3, resolution, resolution), stem, 3, 2, activation="swish")
    for stage in stages:
        for i in range(stage.blocks):
            x = _block(b, x, stage, 1 if i else stage.stride)
    x = b.conv(x, 1280, activation="swish")
    return b.build(b.dense(b.avg_pool_all(x), classes))


def _block(b: GraphBuilder, x: str, stage: _Stage, stride: int) -> str:
    channels = b.channels(x)
    if stage.fused:
        return _fused(b, x, stage, stride)
    return InvertedResidual(
        stage.channels, channels * stage.expansion, 3, stride, "swish",
        squeezed=channels // 4, gate=("swish", "sigmoid"),
    ).add_to(b, x)  # fmt: skip


def _fused(b: GraphBuilder, x: str, stage: _Stage, stride: int) -> str:
    if stage.expansion == 1:
        y = b.conv(x, stage.channels, 3, stride, activation="swish")
    else:
        wide = b.conv(x, b.channels(x) * stage.expansion, 3, stride, activation="swish")
        y = b.conv(wide, stage.channels)
    return b.add_(x, y) if b.shape(x) == b.shape(y) else y
