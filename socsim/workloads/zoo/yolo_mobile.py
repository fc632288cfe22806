"""YOLO heads on mobile backbones: MobileNet-YOLO, MobileNetV2-YOLOv3 and Yolo-Fastest."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import InvertedResidual, inverted_residuals, separable_maps, v2_blocks

__all__ = ["mobilenet_v2_yolov3", "mobilenet_yolo", "yolo_fastest"]


_LAST_HALVING = 13
"""Number of the block of MobileNetV2 that goes from 1/16 to 1/32 of the size."""

_FASTEST = (
    *(
        (4, 8, 1, 2),
        (8, 24, 2, 1),
        (8, 32, 1, 2),
        (8, 32, 2, 1),
        (8, 48, 1, 2),
        (16, 48, 1, 1),
        (16, 96, 1, 4),
    ),
    *((24, 96, 2, 1), (24, 136, 1, 4), (48, 136, 2, 1), (48, 224, 1, 5)),
)
"""Channels, expanded channels, stride of the first block, blocks."""


def mobilenet_yolo(*, resolution: int = 416, classes: int = 20) -> ModelGraph:
    """MobileNet with heads of YOLO at 1/32 and 1/16 of the size (eric612, "MobileNet-YOLO", 2018).

    As in ncnn's benchmark, with five anchors each.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 32.
    classes
        Kinds of objects: 20 (Pascal VOC) by default.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 32.
    """
    b = GraphBuilder("mobilenet_yolo")
    x = b.conv(b.image(resolution, resolution, multiple=32), 32, 3, 2, activation="relu")
    fine, x = separable_maps(b, x)
    coarse = _separable(b, x, 1024)
    grown = b.deconv(coarse, 512, 4, 2, groups=512, bias=False)
    fine = _separable(b, b.add_(grown, fine), 1024)
    outputs = 5 * (5 + classes)
    return b.build(_decoded(b, b.conv(coarse, outputs), b.conv(fine, outputs)))


def mobilenet_v2_yolov3(*, resolution: int = 352, classes: int = 20) -> ModelGraph:
    """MobileNetV2 with heads of YOLOv3 at 1/32 and 1/16 of the size (eric612, "MobileNet-YOLO", 2018).

    As in ncnn's benchmark, with three anchors each; its up-sampling is a deconvolution and a pooling. Options
    as of :func:`mobilenet_yolo`.
    """
    b = GraphBuilder("mobilenet_v2_yolov3")
    x = b.conv(b.image(resolution, resolution, multiple=32), 32, 3, 2, activation="relu6")
    blocks = v2_blocks()
    x = inverted_residuals(b, x, blocks[:_LAST_HALVING])
    fine = b.conv(x, 6 * b.channels(x), activation="relu6")
    x = b.conv(b.depthwise(fine, 3, 2, activation="relu6"), blocks[_LAST_HALVING].channels)
    x = inverted_residuals(b, x, blocks[_LAST_HALVING + 1 :])
    coarse = _separable(b, b.conv(x, 1280, activation="relu6"), 576)
    grown = b.max_pool(b.deconv(coarse, 576, 1, 2, groups=576, bias=False), 2, 1, padding="same")
    fine = _separable(b, b.add_(grown, _separable(b, fine, 576)), 576)
    outputs = 3 * (5 + classes)
    return b.build(_decoded(b, b.conv(coarse, outputs), b.conv(fine, outputs)))


def yolo_fastest(*, resolution: int = 320, classes: int = 80) -> ModelGraph:
    """Yolo-Fastest 1.1 (dog-qiuqiu, 2020): maps at 1/32 and 1/16 of the size, three anchors each.

    Options as of :func:`mobilenet_yolo`, for COCO by default.
    """
    b = GraphBuilder("yolo_fastest")
    x = b.conv(b.image(resolution, resolution, multiple=32), 8, 3, 2, activation="leaky_relu")
    fine = x
    for channels, expanded, stride, times in _FASTEST:
        fine = fine if stride == 1 else x
        for i in range(times):
            block = InvertedResidual(channels, expanded, 3, 1 if i else stride, "leaky_relu")
            x = block.add_to(b, x)
    pools = [b.max_pool(x, size, 1, padding="same") for size in (3, 5, 9)]
    x = b.conv(b.concat(*pools, x), 96, activation="leaky_relu")
    outputs = 3 * (5 + classes)
    coarse_map = b.conv(_filtered(b, x), outputs)
    fine_map = b.conv(_filtered(b, b.concat(b.resize(x), fine)), outputs)
    return b.build(_decoded(b, coarse_map, fine_map))


def _filtered(b: GraphBuilder, x: str) -> str:
    for _ in range(2):
        x = b.conv(b.depthwise(x, 5, activation="leaky_relu"), b.channels(x))
    return x


def _separable(b: GraphBuilder, x: str, channels: int) -> str:
    return b.conv(b.depthwise(x, activation="relu"), channels, activation="relu")


def _decoded(b: GraphBuilder, *maps: str) -> str:
    return b.add("detection_output", maps, (1, 100, 6))
