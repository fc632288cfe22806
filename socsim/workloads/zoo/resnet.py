"""Residual networks, versions 1 and 2."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["resnet18", "resnet34", "resnet50", "resnet50_v2", "resnet50_v15", "resnet101"]

_WIDTHS = (64, 128, 256, 512)


def resnet18(*, resolution: int = 224, classes: int = 1000, project_first: bool = True) -> ModelGraph:
    """ResNet-18 (He et al., "Deep Residual Learning for Image Recognition", 2015).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    project_first
        Put a 1x1 convolution on the first shortcut too, as the Caffe and ncnn graphs do (default). The
        paper's own shortcut is the identity there.
    """
    return _basic("resnet18", (2, 2, 2, 2), resolution, classes, project_first)


def resnet34(*, resolution: int = 224, classes: int = 1000, project_first: bool = False) -> ModelGraph:
    """ResNet-34 (He et al., 2015); options as of :func:`resnet18`, with the paper's shortcuts by default."""
    return _basic("resnet34", (3, 4, 6, 3), resolution, classes, project_first)


def resnet50(*, resolution: int = 224, classes: int = 1000, stride_in: str = "1x1") -> ModelGraph:
    """ResNet-50 version 1 (He et al., "Deep Residual Learning for Image Recognition", 2015).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    stride_in
        Which convolution of a down-sampling bottleneck has the stride: ``"1x1"``, the first, as in the paper
        and the Caffe and ncnn graphs (default), or ``"3x3"``, known as version 1.5.

    Raises
    ------
    UsageError
        `stride_in` is neither.
    """
    return _bottleneck("resnet50", (3, 4, 6, 3), resolution, classes, stride_in)


def resnet50_v15(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ResNet-50 version 1.5, with strides in the 3x3 convolutions (4.09 GMAC); options as of :func:`resnet50`."""
    return _bottleneck("resnet50_v1.5", (3, 4, 6, 3), resolution, classes, "3x3")


def resnet101(*, resolution: int = 224, classes: int = 1000, stride_in: str = "3x3") -> ModelGraph:
    """ResNet-101 (He et al., 2015); options as of :func:`resnet50`, but version 1.5 by default (7.8 GMAC)."""
    return _bottleneck("resnet101", (3, 4, 23, 3), resolution, classes, stride_in)


def resnet50_v2(*, resolution: int = 299, classes: int = 1001) -> ModelGraph:
    """ResNet-50 version 2 (He et al., "Identity Mappings in Deep Residual Networks", 2016), as in TF-slim.

    The stride sits in the last unit of a block. The batch norms and ReLUs in front of the units cannot be
    folded into a convolution and stand alone; explicit pads come before the convolutions that have a stride.
    The converted graph has 116 operators.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output, background included.
    """
    b = GraphBuilder("resnet50_v2")
    x = _padded_conv(b, b.input(1, 3, resolution, resolution), 64, 7, 2, None)
    x = b.max_pool(x, 3, 2, padding="same")
    for width, units, stride in zip(_WIDTHS, (3, 4, 6, 3), (2, 2, 2, 1), strict=True):
        for unit in range(units):
            x = _preactivated_unit(b, x, width, stride if unit == units - 1 else 1)
    x = b.activation(b.batch_norm(x), "relu")
    x = b.conv(b.global_avg_pool(x), classes)
    x = b.add("squeeze", [x], (1, classes), axes=(2, 3))
    return b.build(b.softmax(b.reshape(x, -1, classes)))


def _stem(b: GraphBuilder, resolution: int) -> str:
    x = b.conv(b.input(1, 3, resolution, resolution), 64, 7, 2, padding=3, activation="relu")
    return b.max_pool(x, 3, 2, padding="same")


def _head(b: GraphBuilder, x: str, classes: int) -> ModelGraph:
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))


def _basic(
    name: str, repeats: tuple[int, ...], resolution: int, classes: int, project_first: bool
) -> ModelGraph:
    b = GraphBuilder(name)
    x = _stem(b, resolution)
    for stage, (width, units) in enumerate(zip(_WIDTHS, repeats, strict=True)):
        for unit in range(units):
            first = unit == 0
            stride = 2 if first and stage > 0 else 1
            shortcut = b.conv(x, width, 1, stride) if first and (stage > 0 or project_first) else x
            y = b.conv(x, width, 3, stride, padding=1, activation="relu")
            x = b.add_(shortcut, b.conv(y, width, 3), activation="relu")
    return _head(b, x, classes)


def _bottleneck(
    name: str, repeats: tuple[int, ...], resolution: int, classes: int, stride_in: str
) -> ModelGraph:
    if stride_in not in ("1x1", "3x3"):
        raise UsageError(f"stride_in of {name} must be '1x1' or '3x3', got {stride_in!r}")
    b = GraphBuilder(name)
    x = _stem(b, resolution)
    for stage, (width, units) in enumerate(zip(_WIDTHS, repeats, strict=True)):
        for unit in range(units):
            stride = 2 if unit == 0 and stage > 0 else 1
            strides = (stride, 1) if stride_in == "1x1" else (1, stride)
            shortcut = b.conv(x, 4 * width, 1, stride) if unit == 0 else x
            y = b.conv(x, width, 1, strides[0], activation="relu")
            y = b.conv(y, width, 3, strides[1], padding=1, activation="relu")
            x = b.add_(shortcut, b.conv(y, 4 * width), activation="relu")
    return _head(b, x, classes)


def _preactivated_unit(b: GraphBuilder, x: str, width: int, stride: int) -> str:
    active = b.activation(b.batch_norm(x), "relu")
    if b.channels(x) != 4 * width:
        shortcut = b.conv(active, 4 * width, 1, stride)
    else:
        shortcut = x if stride == 1 else b.max_pool(x, 1, stride)
    y = b.conv(active, width, activation="relu")
    y = _padded_conv(b, y, width, 3, stride, "relu")
    return b.add_(shortcut, b.conv(y, 4 * width))


def _padded_conv(
    b: GraphBuilder, x: str, channels: int, kernel: int, stride: int, activation: str | None
) -> str:
    """Convolution that pads by the kernel alone, whatever the image's size (``conv2d_same`` in TF-slim)."""
    if stride == 1:
        return b.conv(x, channels, kernel, activation=activation)
    return b.conv(b.pad(x, kernel // 2), channels, kernel, stride, padding="valid", activation=activation)
