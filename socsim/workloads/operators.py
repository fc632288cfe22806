"""The operator vocabulary, and what one operator costs in multiply-accumulates and elementary operations."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType

from socsim.errors import ModelError

__all__ = ["MAC_TYPES", "OPERATOR_TYPES", "conv_output_size", "operator_macs", "operator_ops"]

Shape = tuple[int, ...]

OPERATOR_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "conv2d": "convolution over all input channels",
        "grouped_conv2d": "convolution in 1 < groups < channels groups",
        "depthwise_conv2d": "one filter per channel (or a few, by a channel multiplier)",
        "deconv2d": "transposed convolution",
        "fully_connected": "matrix-vector product with constant weights",
        "matmul": "product of matrices; with constant weights where `weights` > 0, else of two activations",
        "max_pool": "maximum over windows",
        "avg_pool": "mean over windows",
        "reduce": "mean, max or sum over whole axes (global pooling, squeeze of squeeze-and-excite)",
        "activation": "element-wise function of one activation (attribute `function`)",
        "eltwise": "element-wise function of several activations or of one and a constant (attribute `function`)",
        "batch_norm": "scale and shift per channel",
        "layer_norm": "normalisation over the features",
        "instance_norm": "normalisation over each channel's plane",
        "group_norm": "normalisation over groups of channels",
        "lrn": "local response normalisation",
        "softmax": "normalised exponentials over one axis",
        "concat": "joins activations along one axis",
        "split": "cuts an activation along one axis into several",
        "slice": "takes a part of an activation",
        "pad": "adds a border",
        "reshape": "the same elements in another shape",
        "squeeze": "drops axes of size 1",
        "transpose": "permutes axes",
        "channel_shuffle": "interleaves groups of channels",
        "depth_to_space": "moves channels to pixels",
        "space_to_depth": "moves pixels to channels (reorganisation)",
        "resize": "nearest or bilinear up- or down-sampling",
        "gather": "looks rows up (embedding)",
        "cast": "changes the data type",
        "detection_output": "decodes boxes and suppresses non-maxima",
        "prior_box": "lays out anchor boxes",
        "task": "abstract work without tensors, for scheduling studies",
    }
)
"""Operator types with what they do."""

MAC_TYPES = frozenset(
    {"conv2d", "grouped_conv2d", "depthwise_conv2d", "deconv2d", "fully_connected", "matmul", "task"}
)
"""Types whose work is counted in multiply-accumulates; all others count elementary operations."""

_OPS_PER_OUTPUT = {
    "activation": 1,
    "eltwise": 1,
    "batch_norm": 2,
    "layer_norm": 6,
    "instance_norm": 6,
    "group_norm": 6,
    "lrn": 8,
    "softmax": 5,
    "resize": 4,
    "detection_output": 20,
    "prior_box": 4,
}


def conv_output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False
) -> int:
    """Output length of a window of `kernel` moved by `stride` over `size` + `padding` elements.

    Parameters
    ----------
    padding
        Both sides together.
    ceil
        Let a last, incomplete window count (Caffe's pooling).
    """
    span = size + padding - dilation * (kernel - 1) - 1
    if span < 0:
        raise ModelError(
            f"a window of {kernel} (dilation {dilation}) does not fit into {size} + {padding} elements"
        )
    return (-(-span // stride) if ceil else span // stride) + 1


def operator_macs(
    type_: str, inputs: list[Shape], output: Shape, kernel: tuple[int, int] = (1, 1), groups: int = 1
) -> int:
    """Multiply-accumulates of one operator; 0 for types that have none.

    Parameters
    ----------
    type_
        A key of :data:`OPERATOR_TYPES`.
    inputs
        Shapes of the activations read. For ``matmul``, (..., m, k) and, with two activations, (..., k, n).
    output
        Shape of the output; NCHW for convolutions.
    kernel
        Height and width of the filter.
    groups
        Channel groups of a convolution.
    """
    if type_ in ("conv2d", "grouped_conv2d", "depthwise_conv2d"):
        return prod(output) * (inputs[0][1] // groups) * kernel[0] * kernel[1]
    if type_ == "deconv2d":
        return prod(inputs[0]) * (output[1] // groups) * kernel[0] * kernel[1]
    if type_ == "fully_connected":
        return prod(output) * (prod(inputs[0]) // inputs[0][0])
    if type_ == "matmul":
        return prod(output) * inputs[0][-1]
    return 0


def operator_ops(type_: str, inputs: list[Shape], output: Shape, kernel: tuple[int, int] = (1, 1)) -> int:
    """Elementary operations of one operator beside its MACs."""
    if type_ in ("max_pool", "avg_pool"):
        return prod(output) * kernel[0] * kernel[1]
    if type_ == "reduce":
        return sum(prod(shape) for shape in inputs)
    if type_ == "eltwise":
        return prod(output) * max(1, len(inputs) - 1)
    return _OPS_PER_OUTPUT.get(type_, 0) * prod(output)
