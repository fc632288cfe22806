"""Fast style transfer."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["fast_style_transfer"]

_RESIDUAL_BLOCKS = 5


def fast_style_transfer(*, image_height: int = 480, image_width: int = 640, full: bool = False) -> ModelGraph:
    """Fast style transfer (Johnson et al., "Perceptual Losses for Real-Time Style Transfer ...", 2016).

    By default these are the 14 convolutions, 35.92 GMAC, that CoDL (Jia et al., MobiSys 2022) measured
    under this name, one after the other: instance normalisation, activations, residual additions and the
    two up-sampling layers are left out. Between the 13th (128 channels at a quarter of the size) and the
    last (32 channels at full size) no shape fits, so the last reads a second input of the network,
    ``upsampled``; it still waits for the 13th.

    Parameters
    ----------
    image_height, image_width
        Size of the image in pixels, multiples of 4.
    full
        Build the whole network instead: 38.75 GMAC, 1.68 M parameters.

    Raises
    ------
    UsageError
        A size that is not a multiple of 4.
    """
    b = GraphBuilder("fast_style_transfer")
    x = b.image(image_height, image_width, multiple=4)
    return _whole(b, x) if full else _convolutions(b, x)


def _convolutions(b: GraphBuilder, x: str) -> ModelGraph:
    height, width = b.shape(x)[2:]
    x = b.conv(b.conv(b.conv(x, 32, 9), 64, 3, 2), 128, 3, 2)
    for _ in range(2 * _RESIDUAL_BLOCKS):
        x = b.conv(x, 128, 3)
    upsampled = b.input(1, 32, height, width, name="upsampled")
    return b.build(b.conv(upsampled, 3, 9, after=x))


def _whole(b: GraphBuilder, x: str) -> ModelGraph:
    for channels, kernel, stride in ((32, 9, 1), (64, 3, 2), (128, 3, 2)):
        x = _normalised(b, b.conv(x, channels, kernel, stride))
    for _ in range(_RESIDUAL_BLOCKS):
        inner = _normalised(b, b.conv(x, 128, 3))
        x = b.add_(b.norm("instance_norm", b.conv(inner, 128, 3)), x)
    for channels in (64, 32):
        x = _normalised(b, b.deconv(x, channels, 3, 2))
    return b.build(b.activation(b.conv(x, 3, 9), "tanh"))


def _normalised(b: GraphBuilder, x: str) -> str:
    return b.activation(b.norm("instance_norm", x), "relu")
