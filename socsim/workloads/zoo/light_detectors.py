"""Detectors on ShuffleNetV2's units: FastestDet, Yolo-FastestV2 and NanoDet-m."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.shufflenet import halved, shuffle_branch, shuffle_stage

__all__ = ["fastestdet", "nanodet_m", "yolo_fastest_v2"]


def fastestdet(*, resolution: int = 352, classes: int = 80) -> ModelGraph:
    """FastestDet (dog-qiuqiu, 2022): one map at 1/16 of the size, without anchors.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 32.
    classes
        Kinds of objects: 80 (COCO) by default.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 32.
    """
    b = GraphBuilder("fastestdet")
    fine, middle, coarse = _tiny_backbone(b, resolution)
    x = b.concat(b.avg_pool(fine, 3, 2, padding=1), middle, b.resize(coarse))
    x = _pyramid(b, b.conv(x, 96, activation="relu"))
    x = b.conv(x, 96, activation="relu")
    scores = b.softmax(_wide(b, x, classes), axis=1)
    boxes = _wide(b, x, 4)
    objects = b.conv(b.depthwise(x, 5, activation="relu"), 1, activation="sigmoid")
    return b.build(b.concat(objects, boxes, scores))


def _pyramid(b: GraphBuilder, x: str) -> str:
    """Three branches of one to three 5x5 filters, joined and added to `x`."""
    branches = []
    for depth in (1, 2, 3):
        y = x
        for _ in range(depth):
            y = b.depthwise(y, 5, activation="relu")
        branches.append(y)
    return b.add_(x, b.conv(b.concat(*branches), b.channels(x)), activation="relu")


def _wide(b: GraphBuilder, x: str, channels: int) -> str:
    return b.conv(b.depthwise(x, 5, activation="relu"), channels)


def yolo_fastest_v2(*, resolution: int = 352, classes: int = 80) -> ModelGraph:
    """Yolo-FastestV2 (dog-qiuqiu, 2021): maps at 1/16 and 1/32, three anchors each.

    Options as of :func:`fastestdet`.
    """
    b = GraphBuilder("yolo_fastest_v2")
    _, fine, coarse = _tiny_backbone(b, resolution)
    low = b.conv(coarse, 72, activation="relu")
    low_heads = _decoupled(b, low), _decoupled(b, low)
    high = b.conv(b.concat(b.resize(coarse), fine), 72, activation="relu")
    high_heads = _decoupled(b, high), _decoupled(b, high)
    return b.build(_yolo_map(b, *high_heads, classes), _yolo_map(b, *low_heads, classes))


def _decoupled(b: GraphBuilder, x: str) -> str:
    for _ in range(2):
        x = b.conv(b.depthwise(x, 5, activation="relu"), b.channels(x))
    return x


def _yolo_map(b: GraphBuilder, kinds: str, places: str, classes: int) -> str:
    boxes, objects = b.conv(places, 12, activation="sigmoid"), b.conv(kinds, 3, activation="sigmoid")
    scores = b.softmax(b.transpose(b.conv(kinds, classes), (0, 2, 3, 1)))
    joined = b.concat(boxes, objects, b.transpose(scores, (0, 3, 1, 2)))
    return b.transpose(joined, (0, 2, 3, 1))


def _tiny_backbone(b: GraphBuilder, resolution: int) -> list[str]:
    """ShuffleNetV2 of 48, 96 and 192 channels, shuffled ahead of a unit; maps at 1/8, 1/16 and 1/32."""
    x = b.conv(b.image(resolution, resolution, multiple=32), 24, 3, 2, padding=1, activation="relu")
    x = b.max_pool(x, 3, 2, padding="same")
    maps = []
    for channels, units in ((48, 4), (96, 8), (192, 4)):
        x = b.concat(*halved(b, x, channels))
        for _ in range(units - 1):
            kept, y = b.split(b.channel_shuffle(x, 2), 2)
            x = b.concat(kept, shuffle_branch(b, y, b.channels(y), 1))
        maps.append(x)
    return maps


def nanodet_m(*, resolution: int = 320, classes: int = 80) -> ModelGraph:
    """NanoDet-m (RangiLyu, 2020): ShuffleNetV2, path aggregation, heads at 1/8, 1/16 and 1/32 of the size.

    Options as of :func:`fastestdet`.
    """
    b = GraphBuilder("nanodet_m")
    x = b.conv(b.image(resolution, resolution, multiple=32), 24, 3, 2, padding=1, activation="leaky_relu")
    x = b.max_pool(x, 3, 2, padding="same")
    maps = []
    for channels, units in ((116, 4), (232, 8), (464, 4)):
        x = shuffle_stage(b, x, channels, units, "leaky_relu")
        maps.append(x)
    heads = [_nano_head(b, level, classes) for level in _aggregated(b, [b.conv(x, 96) for x in maps])]
    return b.build(*(output for head in heads for output in head))


def _aggregated(b: GraphBuilder, maps: list[str]) -> list[str]:
    """Add coarse maps to finer ones, then fine maps to coarser ones."""
    fine, middle, coarse = maps
    middle = b.add_(middle, b.resize(coarse, mode="bilinear"))
    fine = b.add_(fine, b.resize(middle, mode="bilinear"))
    middle = b.add_(middle, _shrunk(b, fine))
    return [fine, middle, b.add_(coarse, _shrunk(b, middle))]


def _shrunk(b: GraphBuilder, x: str) -> str:
    n, c, h, w = b.shape(x)
    return b.add("resize", [x], (n, c, h // 2, w // 2), mode="bilinear")


def _nano_head(b: GraphBuilder, x: str, classes: int) -> tuple[str, str]:
    for _ in range(2):
        x = b.conv(b.depthwise(x, activation="leaky_relu"), 96, activation="leaky_relu")
    scores, boxes = b.split(b.conv(x, classes + 32), (classes, 32))
    return _points(b, b.activation(scores, "sigmoid")), _points(b, boxes)


def _points(b: GraphBuilder, x: str) -> str:
    """A map as (1, places, values)."""
    n, c, _, _ = b.shape(x)
    return b.transpose(b.reshape(x, n, c, -1), (0, 2, 1))
