"""Single-shot detectors on the features of MobileNet and SqueezeNet."""

from __future__ import annotations

from collections.abc import Sequence

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import separable_maps
from socsim.workloads.zoo.squeezenet import fire

__all__ = ["mobilenet_ssd", "squeezenet_ssd", "ssd_mobilenet_v1"]

_EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Channels of the 1x1 and of the 3x3 convolution at stride 2 of each further map."""


def mobilenet_ssd(*, resolution: int = 300, classes: int = 21) -> ModelGraph:
    """SSD on MobileNet as in Caffe (Liu et al., "SSD: Single Shot MultiBox Detector", 2016), Pascal VOC.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels.
    classes
        Kinds of objects, background included.
    """
    return _on_mobilenet("mobilenet_ssd", resolution, classes)


def ssd_mobilenet_v1(*, resolution: int = 300, classes: int = 91) -> ModelGraph:
    """SSD on MobileNet for COCO, as in TensorFlow's detection API and MLPerf, 1.24 GMAC.

    Options as of :func:`mobilenet_ssd`.
    """
    return _on_mobilenet("ssd_mobilenet_v1", resolution, classes)


def squeezenet_ssd(*, resolution: int = 300, classes: int = 21) -> ModelGraph:
    """SSD on SqueezeNet 1.1 as in ncnn's benchmark, Pascal VOC; options as of :func:`mobilenet_ssd`."""
    b = GraphBuilder("squeezenet_ssd")
    x = b.conv(b.image(resolution, resolution), 64, 3, 2, padding="valid", activation="relu")
    maps = []
    for fires in ((16, 16), (32, 32), (48, 48, 64, 64), (96,), (96,)):
        x = b.max_pool(x, 3, 2, ceil=True)
        for squeezed in fires:
            x = fire(b, x, squeezed)
        maps.append(x)
    _, fine, *coarse = maps
    return b.build(
        detections(b, [b.batch_norm(fine), *coarse, *_further(b, x, ((128, 256), (64, 128)))],
                   (4, 6, 6, 6, 6, 4), classes, kernel=3)
    )  # fmt: skip


def _on_mobilenet(name: str, resolution: int, classes: int) -> ModelGraph:
    b = GraphBuilder(name)
    x = b.conv(b.image(resolution, resolution), 32, 3, 2, activation="relu")
    fine, x = separable_maps(b, x)
    maps = [fine, x, *_further(b, x, _EXTRA)]
    return b.build(detections(b, maps, (3, 6, 6, 6, 6, 6), classes))


def _further(b: GraphBuilder, x: str, sizes: Sequence[tuple[int, int]]) -> list[str]:
    maps = []
    for inner, channels in sizes:
        x = b.conv(b.conv(x, inner, activation="relu"), channels, 3, 2, activation="relu")
        maps.append(x)
    return maps


def detections(
    b: GraphBuilder, maps: Sequence[str], anchors: Sequence[int], classes: int, kernel: int = 1
) -> str:
    """Boxes and probabilities of every map's anchors, gathered and decoded to the 100 best."""
    boxes, scores = [], []
    for x, count in zip(maps, anchors, strict=True):
        boxes.append(_rows(b, b.conv(x, 4 * count, kernel), 4))
        scores.append(_rows(b, b.conv(x, classes * count, kernel), classes))
    likely = b.softmax(b.concat(*scores))
    return b.add("detection_output", [b.concat(*boxes), likely], (1, 100, 6))


def _rows(b: GraphBuilder, x: str, values: int) -> str:
    """A head's result as (1, anchors, values)."""
    return b.reshape(b.transpose(x, (0, 2, 3, 1)), 1, -1, values)
