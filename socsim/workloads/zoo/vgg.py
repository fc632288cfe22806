"""Plain chains of convolutions and fully connected layers: AlexNet and VGG."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["alexnet", "vgg16", "vgg19"]


def vgg16(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """VGG-16, configuration D (Simonyan and Zisserman, "Very Deep Convolutional Networks ...", 2014).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels, at least 32.
    classes
        Size of the output.
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), resolution, classes)


def vgg19(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """VGG-19, configuration E (Simonyan and Zisserman, 2014); options as of :func:`vgg16`."""
    return _vgg("vgg19", (2, 2, 4, 4, 4), resolution, classes)


def alexnet(*, resolution: int = 227, classes: int = 1000) -> ModelGraph:
    """AlexNet (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012).

    The Caffe graph: convolutions 2, 4 and 5 in two groups, response normalisation ahead of the pooling.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b = GraphBuilder("alexnet")
    x = b.conv(b.input(1, 3, resolution, resolution), 96, 11, 4, padding="valid", activation="relu")
    x = b.max_pool(b.norm("lrn", x), 3, 2)
    x = b.conv(x, 256, 5, groups=2, activation="relu")
    x = b.max_pool(b.norm("lrn", x), 3, 2)
    x = b.conv(x, 384, 3, activation="relu")
    x = b.conv(x, 384, 3, groups=2, activation="relu")
    x = b.max_pool(b.conv(x, 256, 3, groups=2, activation="relu"), 3, 2)
    return _classifier(b, x, classes)


def _vgg(name: str, repeats: tuple[int, ...], resolution: int, classes: int) -> ModelGraph:
    b = GraphBuilder(name)
    x = b.input(1, 3, resolution, resolution)
    for channels, layers in zip((64, 128, 256, 512, 512), repeats, strict=True):
        for _ in range(layers):
            x = b.conv(x, channels, 3, activation="relu")
        x = b.max_pool(x)
    return _classifier(b, x, classes)


def _classifier(b: GraphBuilder, x: str, classes: int) -> ModelGraph:
    for _ in range(2):
        x = b.dense(x, 4096, activation="relu")
    return b.build(b.softmax(b.dense(x, classes)))
