"""Object detectors of the YOLO family."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["yolov2", "yolov4_tiny"]

_DARKNET19 = (
    (32,),
    (64,),
    (128, 64, 128),
    (256, 128, 256),
    (512, 256, 512, 256, 512),
    (1024, 512, 1024, 512, 1024),
)
"""Output channels of the convolutions between the poolings; kernels are 3, 1, 3, ... in each group."""


def yolov2(*, resolution: int = 416, classes: int = 20, full: bool = False) -> ModelGraph:
    """YOLOv2 (Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2017), five anchors.

    By default these are the 22 convolutions and 5 poolings, 15.06 GMAC, that CoDL (Jia et al., MobiSys
    2022) lists under this name, one after the other. The layer after the join of the two branches has
    1536 input channels there and the join itself is left out, so that layer reads a second input of the
    network, ``joined``; it still waits for the convolution before. (CoDL's runner has input and output
    channels of the last two layers the other way round, and a 3x3 kernel in the last: 1.2 % more work.)

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 32.
    classes
        Kinds of objects: 20 (Pascal VOC) by default, 80 for COCO.
    full
        Build the published network instead, with the 64-channel passthrough branch, reorganisation and join.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 32.
    """
    b = GraphBuilder("yolov2")
    fine, x = _darknet19(b, b.image(resolution, resolution, multiple=32))
    for _ in range(2):
        x = b.conv(x, 1024, 3, activation="leaky_relu")
    if full:
        branch = b.space_to_depth(b.conv(fine, 64, activation="leaky_relu"))
        x = b.conv(b.concat(branch, x), 1024, 3, activation="leaky_relu")
    else:
        joined = b.input(1, 1536, resolution // 32, resolution // 32, name="joined")
        x = b.conv(joined, 1024, 3, activation="leaky_relu", after=x)
    return b.build(b.conv(x, 5 * (5 + classes)))


def _darknet19(b: GraphBuilder, x: str) -> tuple[str, str]:
    """Maps at 1/16 and 1/32 of the image's size."""
    fine = x
    for i, group in enumerate(_DARKNET19):
        if i:
            fine, x = x, b.max_pool(x)
        for j, channels in enumerate(group):
            x = b.conv(x, channels, 1 if j % 2 else 3, activation="leaky_relu")
    return fine, x


def yolov4_tiny(*, resolution: int = 416, classes: int = 80, decode: bool = False) -> ModelGraph:
    """YOLOv4-tiny (Wang et al., "Scaled-YOLOv4: Scaling Cross Stage Partial Network", 2021).

    Maps at two scales, three anchors each.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 32.
    classes
        Kinds of objects: 80 (COCO) by default.
    decode
        Return the 100 best boxes, as ncnn's graph does, instead of the raw maps at 1/32 and 1/16 of the size.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 32.
    """
    b = GraphBuilder("yolov4_tiny")
    x = b.image(resolution, resolution, multiple=32)
    for channels in (32, 64):
        x = _leaky(b, x, channels, 3, 2)
    for channels in (64, 128, 256):
        joined, fine = _partial_stage(b, x, channels)
        x = b.max_pool(joined)
    x = _leaky(b, _leaky(b, x, 512, 3), 256, 1)
    outputs = 3 * (5 + classes)
    coarse_map = b.conv(_leaky(b, x, 512, 3), outputs)
    x = b.concat(b.resize(_leaky(b, x, 128, 1)), fine)
    maps = coarse_map, b.conv(_leaky(b, x, 256, 3), outputs)
    return b.build(b.add("detection_output", maps, (1, 100, 6))) if decode else b.build(*maps)


def _partial_stage(b: GraphBuilder, x: str, channels: int) -> tuple[str, str]:
    """Cross-stage partial block: its joined output (2 x `channels`) and its inner one (`channels`)."""
    whole = _leaky(b, x, channels, 3)
    n, _, h, w = b.shape(whole)
    half = b.add("slice", [whole], (n, channels // 2, h, w), axis=1, start=channels // 2)
    first = _leaky(b, half, channels // 2, 3)
    second = _leaky(b, first, channels // 2, 3)
    inner = _leaky(b, b.concat(second, first), channels, 1)
    return b.concat(whole, inner), inner


def _leaky(b: GraphBuilder, x: str, channels: int, kernel: int, stride: int = 1) -> str:
    return b.conv(x, channels, kernel, stride, activation="leaky_relu")
