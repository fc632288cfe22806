"""ConvNeXt."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["convnext_base", "convnext_tiny"]


def convnext_tiny(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ConvNeXt-T (Liu et al., "A ConvNet for the 2020s", 2022), 4.5 GMAC, 28.6 M parameters.

    Layers are normalised over their channels in place; the outputs are scores, not probabilities.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 32.
    classes
        Size of the output.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 32.
    """
    return _network("convnext_tiny", 96, (3, 3, 9, 3), resolution, classes)


def convnext_base(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ConvNeXt-B (Liu et al., 2022), 15.4 GMAC, 88.6 M parameters; options as of :func:`convnext_tiny`."""
    return _network("convnext_base", 128, (3, 3, 27, 3), resolution, classes)


def _network(name: str, channels: int, blocks: tuple[int, ...], resolution: int, classes: int) -> ModelGraph:
    b = GraphBuilder(name)
    x = b.image(resolution, resolution, multiple=32)
    x = _normed(b, b.conv(x, channels, 4, 4, padding="valid"))
    for stage, repeats in enumerate(blocks):
        if stage:
            x = b.conv(_normed(b, x), channels << stage, 2, 2, padding="valid")
        for _ in range(repeats):
            x = _block(b, x)
    return b.build(b.dense(_normed(b, b.global_avg_pool(x)), classes))


def _block(b: GraphBuilder, x: str) -> str:
    channels = b.channels(x)
    y = _normed(b, b.depthwise(x, 7))
    y = b.conv(b.activation(b.conv(y, 4 * channels), "gelu"), channels)
    return b.add_(x, b.add("eltwise", [y], b.shape(y), weights=channels, function="mul"))


def _normed(b: GraphBuilder, x: str) -> str:
    return b.add("layer_norm", [x], b.shape(x), weights=2 * b.channels(x))
