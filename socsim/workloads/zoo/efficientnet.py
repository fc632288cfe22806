"""EfficientNet-B0 and its variant for mobile accelerators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import InvertedResidual, inverted_residuals, scaled_channels

__all__ = ["efficientnet_b0", "efficientnet_lite0", "efficientnet_lite2"]

_Stages = Sequence[tuple[int, int, int, int, int]]
_STAGES: _Stages = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 5, 3, 1),
    (6, 192, 5, 4, 2),
    (6, 320, 3, 1, 1),
)
"""Expansion, channels, kernel, repeats, stride."""


def efficientnet_b0(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """EfficientNet-B0 (Tan and Le, "EfficientNet: Rethinking Model Scaling for CNNs", 2019).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    return _efficientnet("efficientnet_b0", resolution, classes, "swish", excite=True)


def efficientnet_lite0(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """EfficientNet-Lite0 (TensorFlow, 2020, after Tan and Le, 2019): no squeeze-and-excite, ReLU6 for swish.

    Options as of :func:`efficientnet_b0`.
    """
    return _efficientnet("efficientnet_lite0", resolution, classes, "relu6", excite=False)


def efficientnet_lite2(*, resolution: int = 260, classes: int = 1000) -> ModelGraph:
    """EfficientNet-Lite2 (TensorFlow, 2020): 1.1 times as wide and 1.2 times as deep as Lite0.

    Options as of :func:`efficientnet_b0`.
    """
    stages = [
        (t, scaled_channels(c, 1.1), kernel, n if n == 1 else ceil(1.2 * n), stride)
        for t, c, kernel, n, stride in _STAGES
    ]
    return _efficientnet("efficientnet_lite2", resolution, classes, "relu6", excite=False, stages=stages)


def _efficientnet(
    name: str, resolution: int, classes: int, activation: str, *, excite: bool, stages: _Stages = _STAGES
) -> ModelGraph:
    b = GraphBuilder(name)
    x = b.conv(b.input(1, 3, resolution, resolution), 32, 3, 2, activation=activation)
    x = inverted_residuals(b, x, _blocks(stages, 32, activation, excite))
    x = b.conv(x, 1280, activation=activation)
    return b.build(b.softmax(b.dense(b.global_avg_pool(x, keepdims=False), classes)))


def _blocks(stages: _Stages, channels: int, activation: str, excite: bool) -> Iterable[InvertedResidual]:
    for expansion, out, kernel, repeats, stride in stages:
        for i in range(repeats):
            expanded = channels * expansion if expansion > 1 else None
            yield InvertedResidual(
                out, expanded, kernel, stride if i == 0 else 1, activation,
                squeezed=channels // 4 if excite else None, gate=(activation, "sigmoid"),
            )  # fmt: skip
            channels = out
