"""Networks found by search, of inverted residuals whose kernels and expansions differ from block to block."""

from __future__ import annotations

from collections.abc import Iterable

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import InvertedResidual, inverted_residuals

__all__ = ["fbnet_cb", "mnasnet_a1", "proxylessnas"]

_FBNET_CB = (
    *((16, 3, 1, 1),),
    *((24, 3, 6, 2), (24, 3, 1, 1), (24, 3, 1, 1)),
    *((32, 5, 6, 2), (32, 5, 3, 1), (32, 5, 6, 1), (32, 3, 6, 1)),
    *((64, 5, 6, 2), (64, 5, 3, 1), (64, 5, 6, 1), (64, 5, 6, 1)),
    *((112, 5, 6, 1), (112, 5, 6, 1), (112, 5, 6, 1), (112, 5, 3, 1)),
    *((184, 5, 6, 2), (184, 5, 6, 1), (184, 5, 6, 1), (184, 5, 6, 1)),
    *((352, 3, 6, 1),),
)
"""Output channels, kernel, expansion, stride."""

_MNASNET_A1 = (
    *[(24, 3, 6, 2, False), (24, 3, 6, 1, False)],
    *[(40, 5, 3, 2, True), *[(40, 5, 3, 1, True)] * 2],
    *[(80, 3, 6, 2, False), *[(80, 3, 6, 1, False)] * 3],
    *[(112, 3, 6, 1, True)] * 2,
    *[(160, 5, 6, 2, True), *[(160, 5, 6, 1, True)] * 2],
    *[(320, 3, 6, 1, False)],
)
"""The same, and squeeze-and-excite."""

_PROXYLESSNAS = (
    *((32, 5, 48, 2), (32, 3, 96, 1)),
    *((40, 7, 96, 2), (40, 3, 120, 1), (40, 5, 120, 1), (40, 5, 120, 1)),
    *((80, 7, 240, 2), *[(80, 5, 240, 1)] * 3),
    *((96, 5, 480, 1), *[(96, 5, 288, 1)] * 3),
    *((192, 7, 576, 2), (192, 7, 1152, 1), *[(192, 7, 576, 1)] * 2),
    *((320, 7, 1152, 1),),
)
"""Output channels, kernel, expanded channels, stride."""


def fbnet_cb(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """FBNet-C, variant b of pytorchcv (Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design ...", 2019).

    The outputs are scores, not probabilities.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b = GraphBuilder("fbnet_cb")
    x = b.conv(b.input(1, 3, resolution, resolution), 16, 3, 2, activation="relu")
    x = inverted_residuals(b, x, _fbnet_blocks(16))
    return _scores(b, b.conv(x, 1984, activation="relu"), classes)


def _fbnet_blocks(channels: int) -> Iterable[InvertedResidual]:
    for out, kernel, expansion, stride in _FBNET_CB:
        yield InvertedResidual(out, channels * expansion, kernel, stride, "relu")
        channels = out


def mnasnet_a1(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MnasNet-A1 (Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", 2018).

    Options and outputs as of :func:`fbnet_cb`.
    """
    b = GraphBuilder("mnasnet_a1")
    x = b.conv(b.input(1, 3, resolution, resolution), 32, 3, 2, activation="relu")
    x = b.conv(b.depthwise(x, activation="relu"), 16)
    x = inverted_residuals(b, x, _mnasnet_blocks(16))
    return _scores(b, b.conv(x, 1280, activation="relu"), classes)


def _mnasnet_blocks(channels: int) -> Iterable[InvertedResidual]:
    for out, kernel, expansion, stride, excite in _MNASNET_A1:
        yield InvertedResidual(
            out, channels * expansion, kernel, stride, "relu",
            squeezed=channels // 4 if excite else None, gate=("relu", "sigmoid"),
        )  # fmt: skip
        channels = out


def proxylessnas(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ProxylessNAS for phones' CPUs (Cai et al., "ProxylessNAS: Direct Neural Architecture Search ...", 2019).

    As ncnn's benchmark has it. Options as of :func:`fbnet_cb`.
    """
    b = GraphBuilder("proxylessnas")
    x = b.conv(b.input(1, 3, resolution, resolution), 32, 3, 2, activation="relu6")
    x = b.conv(b.depthwise(x, activation="relu6"), 32)
    blocks = (InvertedResidual(out, wide, kernel, stride) for out, kernel, wide, stride in _PROXYLESSNAS)
    x = b.conv(inverted_residuals(b, x, blocks), 1280, activation="relu6")
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))


def _scores(b: GraphBuilder, x: str, classes: int) -> ModelGraph:
    return b.build(b.dense(b.global_avg_pool(x, keepdims=False), classes))
