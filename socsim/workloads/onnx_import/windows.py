"""Convolutions and poolings."""

from __future__ import annotations

from typing import Any

from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.shaped import Draft, Shaped

__all__ = ["avg_pool", "conv", "conv_transpose", "max_pool"]

Pair = tuple[int, int]
Shape = tuple[int, ...]


def conv(node: Node, shaped: Shaped) -> Draft:
    """``Conv`` of one or two spatial dimensions."""
    x, w = shaped.activation(node), node.input(1)
    channels, kernel = shaped.shape(x)[1], shaped.shape(w)
    groups = _groups(node, channels)
    if kernel[1] * groups != channels:
        raise node.fail(
            f"filters read {kernel[1]} channels in each of {groups} groups, but the input has {channels}"
        )
    type_ = "conv2d" if groups == 1 else "depthwise_conv2d" if groups == channels else "grouped_conv2d"
    attributes = _window(node, shaped, kernel[2:]) | {"groups": groups}
    return Draft(type_, shaped.activations(node), attributes, shaped.weights(node.inputs))


def conv_transpose(node: Node, shaped: Shaped) -> Draft:
    """``ConvTranspose`` of one or two spatial dimensions."""
    x, w = shaped.activation(node), node.input(1)
    channels, kernel = shaped.shape(x)[1], shaped.shape(w)
    if kernel[0] != channels:
        raise node.fail(f"filters read {kernel[0]} channels, but the input has {channels}")
    attributes = _window(node, shaped, kernel[2:]) | {"groups": _groups(node, channels)}
    return Draft("deconv2d", shaped.activations(node), attributes, shaped.weights(node.inputs))


def max_pool(node: Node, shaped: Shaped) -> Draft:
    """``MaxPool``."""
    return _pool("max_pool", node, shaped)


def avg_pool(node: Node, shaped: Shaped) -> Draft:
    """``AveragePool``, and ``LpPool``, which differs in a power."""
    return _pool("avg_pool", node, shaped)


def _pool(type_: str, node: Node, shaped: Shaped) -> Draft:
    attributes = _window(node, shaped, node.get("kernel_shape"))
    if attributes["dilation"] == (1, 1):
        del attributes["dilation"]
    return Draft(type_, (shaped.activation(node),), attributes)


def _groups(node: Node, channels: int) -> int:
    groups: int = node.get("group", 1)
    if groups < 1 or channels % groups:
        raise node.fail(f"{channels} input channels do not divide into {groups} groups")
    return groups


def _window(node: Node, shaped: Shaped, kernel: Shape) -> dict[str, Any]:
    """``kernel``, ``stride``, ``dilation``: (height, width); ``padding``: (top, left, bottom, right)."""
    rank = len(kernel)
    if rank not in (1, 2):
        raise node.fail(f"windows over one or two dimensions are supported, got {rank}")
    stride, dilation = node.get("strides", (1,) * rank), node.get("dilations", (1,) * rank)
    pads = _pads(node, shaped, kernel, stride, dilation)
    before, after = _pair(pads[:rank], 0), _pair(pads[rank:], 0)
    return {
        "kernel": _pair(kernel, 1),
        "stride": _pair(stride, 1),
        "dilation": _pair(dilation, 1),
        "padding": (*before, *after),
    }


def _pair(sizes: Shape, absent: int) -> Pair:
    """Height and width; a single dimension is the width."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (absent, sizes[0])


def _pads(node: Node, shaped: Shaped, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
    """Padding in ONNX's order: at the beginning of each axis, then at the end of each."""
    rank, mode = len(kernel), node.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return tuple(node.get("pads", (0,) * 2 * rank))
    if mode == "VALID":
        return (0,) * 2 * rank
    long, short = shaped.shape(node.inputs[0])[2:], shaped.shape(node.outputs[0])[2:]
    if node.op == "ConvTranspose":
        long, short = short, long
    spans = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(short, stride, kernel, dilation, strict=True)
    ]
    totals = [max(0, span - n) for span, n in zip(spans, long, strict=True)]
    lower, upper = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    return lower + upper if mode == "SAME_UPPER" else upper + lower
