"""SqueezeNet."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["fire", "squeezenet_10", "squeezenet_11", "squeezenet_11_torch"]

_FIRES = (16, 16, 32, 32, 48, 48, 64, 64)
"""Squeezed channels of each fire module; each of the two expansions has four times as many."""


def squeezenet_10(*, resolution: int = 224, classes: int = 1000, border: int = 0) -> ModelGraph:
    """SqueezeNet 1.0 (Iandola et al., "SqueezeNet: AlexNet-level Accuracy with 50x Fewer ...", 2016).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels. The authors' Caffe graph takes 227.
    classes
        Size of the output.
    border
        Pixels of padding around the last, 1x1 convolution: 0 as in PyTorch (default), 1 as in Caffe.
    """
    return _squeezenet("squeezenet_1.0", resolution, classes, border, (96, 7), pools=(3, 7))


def squeezenet_11(*, resolution: int = 227, classes: int = 1000, border: int = 1) -> ModelGraph:
    """SqueezeNet 1.1, its authors' cheaper revision, by default as the Caffe and ncnn graphs have it.

    Options as of :func:`squeezenet_10`.
    """
    return _squeezenet("squeezenet_1.1", resolution, classes, border, (64, 3), pools=(2, 4))


def squeezenet_11_torch(*, resolution: int = 224, classes: int = 1000, border: int = 0) -> ModelGraph:
    """SqueezeNet 1.1 as PyTorch has it; options as of :func:`squeezenet_10`."""
    return _squeezenet("squeezenet_1.1_torch", resolution, classes, border, (64, 3), pools=(2, 4))


def _squeezenet(
    name: str, resolution: int, classes: int, border: int, stem: tuple[int, int], pools: tuple[int, int]
) -> ModelGraph:
    """`stem`: channels and kernel of the first layer; `pools`: fire modules, from 0, with a pooling ahead."""
    b = GraphBuilder(name)
    channels, kernel = stem
    x = b.conv(b.input(1, 3, resolution, resolution), channels, kernel, 2, padding="valid", activation="relu")
    x = b.max_pool(x, 3, 2, ceil=True)
    for i, squeezed in enumerate(_FIRES):
        if i in pools:
            x = b.max_pool(x, 3, 2, ceil=True)
        x = fire(b, x, squeezed)
    x = b.conv(x, classes, padding=border, activation="relu")
    return b.build(b.softmax(b.avg_pool_all(x)))


def fire(b: GraphBuilder, x: str, squeezed: int) -> str:
    """Add a fire module behind `x`: squeeze to `squeezed` channels, expand to eight times as many."""
    x = b.conv(x, squeezed, activation="relu")
    return b.concat(*(b.conv(x, 4 * squeezed, kernel, activation="relu") for kernel in (1, 3)))
