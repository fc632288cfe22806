"""BlazeFace: the features of a face detector."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["blazeface"]

_BLOCKS = (
    *((24, 1), (28, 1), (32, 2), (36, 1), (42, 1), (48, 2), (56, 1), (64, 1), (72, 1), (80, 1), (88, 1)),
    *((96, 2), (96, 1), (96, 1), (96, 1), (96, 1)),
)
"""Output channels and stride."""


def blazeface(*, resolution: int = 128) -> ModelGraph:
    """BlazeFace (Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection ...", 2019).

    As ncnn's benchmark has it: the feature extractor with single blocks, without the heads.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 16.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 16.
    """
    b = GraphBuilder("blazeface")
    x = b.conv(b.image(resolution, resolution, multiple=16), 24, 5, 2, activation="relu")
    for channels, stride in _BLOCKS:
        x = _block(b, x, channels, stride)
    return b.build(x)


def _block(b: GraphBuilder, x: str, channels: int, stride: int) -> str:
    y = b.conv(b.depthwise(x, 3, stride), channels)
    return b.add_(y, _widened(b, b.max_pool(x) if stride > 1 else x, channels), activation="relu")


def _widened(b: GraphBuilder, x: str, channels: int) -> str:
    """`x` with channels of zeros behind its own."""
    n, c, h, w = b.shape(x)
    return x if c == channels else b.add("pad", [x], (n, channels, h, w), axis=1, padding=(0, channels - c))
