"""U-Net."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["unet"]

_LEVELS = 4


def unet(*, resolution: int = 256, base: int = 64, channels: int = 3, classes: int = 2) -> ModelGraph:
    """U-Net (Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015).

    Padded convolutions, so that the map of scores is as large as the image (the paper's shrink it);
    scores are returned as they are, without a softmax.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 16.
    base
        Channels of the first level; each of the four levels below has twice as many as the one above.
    channels
        Channels of the image: 3 by default, 1 in the paper.
    classes
        Scores of each pixel.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 16.
    """
    b = GraphBuilder("unet")
    x = b.image(resolution, resolution, multiple=2**_LEVELS, channels=channels)
    skips = []
    for level in range(_LEVELS):
        skips.append(_twice(b, x, base << level))
        x = b.max_pool(skips[-1])
    x = _twice(b, x, base << _LEVELS)
    for level in reversed(range(_LEVELS)):
        x = _twice(b, b.concat(skips[level], b.deconv(x, base << level)), base << level)
    return b.build(b.conv(x, classes))


def _twice(b: GraphBuilder, x: str, channels: int) -> str:
    for _ in range(2):
        x = b.conv(x, channels, 3, activation="relu")
    return x
