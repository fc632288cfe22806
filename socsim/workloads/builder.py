"""Writing a network layer by layer: shapes, weights and MACs follow from the layers' attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

from socsim.errors import ModelError, UnknownNameError, UsageError
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.operators import OPERATOR_TYPES, operator_macs, operator_ops
from socsim.workloads.shapes import (
    Padding,
    Pair,
    axis_of,
    broadcast,
    check_groups,
    cut,
    joined,
    matrix_product,
    pads,
    permuted,
    reshaped,
    slide,
    windows,
)

__all__ = ["GraphBuilder"]


class GraphBuilder:
    """Builds a :class:`ModelGraph`; every method adds one operator and returns its output tensor's name.

    Parameters
    ----------
    name
        Name of the network.

    Examples
    --------
    >>> b = GraphBuilder("tiny")
    >>> x = b.input(1, 3, 32, 32)
    >>> x = b.conv(x, 16, 3, stride=2, activation="relu")
    >>> b.build(b.softmax(b.dense(b.global_avg_pool(x), 10)))
    ModelGraph('tiny', 4 operators, 0.1 MMAC)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._operators: list[Operator] = []
        self._tensors: dict[str, Tensor] = {}
        self._inputs: list[str] = []
        self._counts: Counter[str] = Counter()

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of a tensor made so far; UnknownNameError for any other."""
        if tensor not in self._tensors:
            raise UnknownNameError("tensor", str(tensor), self._tensors, f"(network {self.name!r})")
        return self._tensors[tensor].shape

    def channels(self, tensor: str) -> int:
        """Channels (axis 1) of a tensor made so far."""
        shape = self.shape(tensor)
        return shape[axis_of(self.name, 1, shape)]

    def input(self, *shape: int, name: str = "input") -> str:
        """Declare an input of the network."""
        self._declare(name, shape)
        self._inputs.append(name)
        return name

    def image(self, height: int, width: int, *, multiple: int = 1, channels: int = 3) -> str:
        """Declare the image ``input``; UsageError unless both sides are positive multiples of `multiple`."""
        for size in (height, width):
            if size <= 0 or size % multiple:
                raise UsageError(
                    f"network {self.name!r}: height and width must be positive multiples of {multiple} "
                    f"pixels, got {size}; the nearest is {max(1, round(size / multiple)) * multiple}"
                )
        return self.input(1, channels, height, width)

    def build(self, *outputs: str) -> ModelGraph:
        """The finished network, whose results are `outputs`."""
        return ModelGraph(self.name, self._operators, self._tensors.values(), self._inputs, outputs)

    def add(
        self,
        type_: str,
        inputs: Sequence[str],
        output: tuple[int, ...] | Sequence[tuple[int, ...]],
        *,
        weights: int = 0,
        name: str | None = None,
        after: str | None = None,
        **attributes: Any,
    ) -> str:
        """Add one operator of any type with known output shape(s); return the (first) output's name.

        Several output shapes name the outputs ``op:0``, ``op:1``, ...
        With `after`, the operator also waits for that tensor's producer, whose data it does not read: the
        producer gets a second output of one element, which the operator reads last.
        """
        if type_ not in OPERATOR_TYPES:
            raise ModelError(f"network {self.name!r}: unknown operator type {type_!r}")
        if name is None:
            self._counts[type_] += 1
            name = f"{type_}_{self._counts[type_]}"
        many = bool(output) and isinstance(output[0], tuple)
        shapes: list[tuple[int, ...]] = list(output) if many else [output]  # type: ignore[arg-type, list-item]
        outputs = [f"{name}:{i}" for i in range(len(shapes))] if many else [name]
        if after is not None:
            inputs = [*inputs, self._signal(after)]
        read = [self.shape(t) for t in inputs]
        for tensor, shape in zip(outputs, shapes, strict=True):
            self._declare(tensor, tuple(shape))
        kernel, groups = attributes.get("kernel", (1, 1)), attributes.get("groups", 1)
        macs = operator_macs(type_, read, shapes[0], kernel, groups)
        ops = operator_ops(type_, read, shapes[0], kernel)
        stated = {k: v for k, v in attributes.items() if v is not None}
        self._operators.append(
            Operator(name, type_, tuple(inputs), tuple(outputs), stated, weights, macs, ops)
        )
        return outputs[0]

    def _declare(self, name: str, shape: tuple[int, ...]) -> None:
        if name in self._tensors:
            raise ModelError(f"network {self.name!r}: two tensors are named {name!r}")
        self._tensors[name] = Tensor(name, shape)

    def _signal(self, tensor: str) -> str:
        """One element that the producer of `tensor` gives beside it."""
        signal = f"{tensor}:done"
        for i, op in enumerate(self._operators):
            if tensor in op.outputs and signal not in op.outputs:
                self._operators[i] = replace(op, outputs=(*op.outputs, signal))
                self._tensors[signal] = Tensor(signal, (1, 1, 1, 1))
        if signal not in self._tensors:
            raise ModelError(f"network {self.name!r}: nothing comes after {tensor!r}: nothing produces it")
        return signal

    # --- convolutions -----------------------------------------------------------------------------------------

    def conv(
        self,
        x: str,
        channels: int,
        kernel: Pair = 1,
        stride: Pair = 1,
        *,
        padding: Padding = "same",
        groups: int = 1,
        dilation: Pair = 1,
        activation: str | None = None,
        bias: bool = True,
        name: str | None = None,
        after: str | None = None,
    ) -> str:
        """Convolution, with bias and activation fused where given.

        The type follows from `groups`: ``conv2d``, ``grouped_conv2d``, or ``depthwise_conv2d`` (one each channel).

        Parameters
        ----------
        padding
            ``"same"``, ``"valid"``, one number for all sides, (height, width) each side, or (top, left, bottom, right).
        activation
            Fused function (``"relu"``, ``"relu6"``, ``"hswish"``, ``"swish"``, ``"leaky_relu"``, ...).
        after
            A tensor whose producer must have finished before, as of :meth:`add`.
        """
        n, c, h, w = self._image(x)
        check_groups(self.name, groups, c, channels)
        (kh, kw), steps, spread = windows(self.name, kernel=kernel, stride=stride, dilation=dilation)
        border, size = slide((h, w), (kh, kw), steps, padding, spread)
        type_ = "conv2d" if groups == 1 else "depthwise_conv2d" if groups == c else "grouped_conv2d"
        weights = channels * (c // groups) * kh * kw + (channels if bias else 0)
        return self.add(
            type_, [x], (n, channels, *size), weights=weights, name=name, after=after, kernel=(kh, kw), stride=steps,
            dilation=spread, padding=border, groups=groups, activation=activation,
        )  # fmt: skip

    def depthwise(
        self, x: str, kernel: Pair = 3, stride: Pair = 1, *, multiplier: int = 1, **options: Any
    ) -> str:
        """Depth-wise convolution; options as of :meth:`conv`."""
        c = self.channels(x)
        return self.conv(x, c * multiplier, kernel, stride, groups=c, **options)

    def deconv(
        self,
        x: str,
        channels: int,
        kernel: Pair = 2,
        stride: Pair = 2,
        *,
        activation: str | None = None,
        groups: int = 1,
        bias: bool = True,
        name: str | None = None,
    ) -> str:
        """Transposed convolution whose output is `stride` times as high and wide."""
        n, c, h, w = self._image(x)
        check_groups(self.name, groups, c, channels)
        (kh, kw), (sh, sw) = windows(self.name, kernel=kernel, stride=stride)
        weights = c * (channels // groups) * kh * kw + (channels if bias else 0)
        return self.add(
            "deconv2d", [x], (n, channels, h * sh, w * sw), weights=weights, name=name, kernel=(kh, kw),
            stride=(sh, sw), groups=groups, activation=activation,
        )  # fmt: skip

    # --- matrix products --------------------------------------------------------------------------------------

    def dense(self, x: str, features: int, **options: Any) -> str:
        """Fully connected layer: flattens all but the batch axis, gives (batch, features).

        Options ``activation``, ``bias`` (default True), ``name``.
        """
        shape = self.shape(x)
        return self._product("fully_connected", x, prod(shape[1:]), (shape[0], features), **options)

    def linear(self, x: str, features: int, **options: Any) -> str:
        """Product of (..., tokens, k) with a constant (k, features) matrix; options as of :meth:`dense`."""
        shape = self.shape(x)
        return self._product("matmul", x, shape[-1], (*shape[:-1], features), **options)

    def _product(
        self, type_: str, x: str, fan_in: int, out: tuple[int, ...], *, activation: str | None = None,
        bias: bool = True, name: str | None = None,
    ) -> str:  # fmt: skip
        weights = (fan_in + bias) * out[-1]
        return self.add(type_, [x], out, weights=weights, name=name, activation=activation)

    def matmul(self, a: str, b: str, *, transpose_b: bool = False, name: str | None = None) -> str:
        """Product of two activations, (..., m, k) x (..., k, n), or x (..., n, k) with `transpose_b`."""
        out = matrix_product(self.name, self.shape(a), self.shape(b), transposed=transpose_b)
        return self.add("matmul", [a, b], out, name=name, transpose_b=transpose_b or None)

    # --- pooling and reduction --------------------------------------------------------------------------------

    def max_pool(self, x: str, kernel: Pair = 2, stride: Pair = 2, **options: Any) -> str:
        """Max pooling; options ``padding`` (default ``"valid"``), ``ceil``, ``name``."""
        return self._pool("max_pool", x, kernel, stride, **options)

    def avg_pool(self, x: str, kernel: Pair = 2, stride: Pair = 2, **options: Any) -> str:
        """Average pooling; options ``padding`` (default ``"valid"``), ``ceil``, ``name``."""
        return self._pool("avg_pool", x, kernel, stride, **options)

    def avg_pool_all(self, x: str, *, name: str | None = None) -> str:
        """Average pooling whose window is the whole image, as Caffe and TF-slim write their global pooling."""
        return self.avg_pool(x, self._image(x)[2:], 1, name=name)

    def _pool(
        self, type_: str, x: str, kernel: Pair, stride: Pair, *, padding: Padding = "valid", ceil: bool = False,
        name: str | None = None,
    ) -> str:  # fmt: skip
        n, c, h, w = self._image(x)
        window, steps = windows(self.name, kernel=kernel, stride=stride)
        border, size = slide((h, w), window, steps, padding, ceil=ceil)
        return self.add(type_, [x], (n, c, *size), name=name, kernel=window, stride=steps, padding=border)

    def global_avg_pool(
        self, x: str, *, keepdims: bool = True, function: str = "mean", name: str | None = None
    ) -> str:
        """Mean over height and width."""
        n, c = self._image(x)[:2]
        out = (n, c, 1, 1) if keepdims else (n, c)
        return self.add("reduce", [x], out, name=name, function=function, axes=(2, 3), keepdims=keepdims)

    # --- element-wise -----------------------------------------------------------------------------------------

    def activation(self, x: str, function: str, *, name: str | None = None) -> str:
        """Stand-alone activation function."""
        return self.add("activation", [x], self.shape(x), name=name, function=function)

    def eltwise(
        self, function: str, *inputs: str, activation: str | None = None, name: str | None = None
    ) -> str:
        """Element-wise function of activations, with broadcasting; of one and a constant where only one is given."""
        out = broadcast(self.name, [self.shape(t) for t in inputs])
        return self.add("eltwise", inputs, out, name=name, function=function, activation=activation)

    def add_(self, *inputs: str, activation: str | None = None, name: str | None = None) -> str:
        """Element-wise sum."""
        return self.eltwise("add", *inputs, activation=activation, name=name)

    def mul(self, *inputs: str, name: str | None = None) -> str:
        """Element-wise product."""
        return self.eltwise("mul", *inputs, name=name)

    def batch_norm(self, x: str, *, activation: str | None = None, name: str | None = None) -> str:
        """Stand-alone batch normalisation (one that follows no convolution it could be folded into)."""
        return self.add(
            "batch_norm", [x], self.shape(x), weights=2 * self.channels(x), name=name, activation=activation
        )

    def norm(self, type_: str, x: str, *, groups: int | None = None, name: str | None = None) -> str:
        """``layer_norm``, ``instance_norm``, ``group_norm`` or ``lrn`` over `x`."""
        shape = self.shape(x)
        scale = 0 if type_ == "lrn" else shape[-1] if type_ == "layer_norm" else self.channels(x)
        return self.add(type_, [x], shape, weights=2 * scale, name=name, groups=groups)

    def softmax(self, x: str, *, axis: int = -1, name: str | None = None) -> str:
        """Softmax over one axis."""
        shape = self.shape(x)
        return self.add("softmax", [x], shape, name=name, axis=axis_of(self.name, axis, shape))

    # --- data movement ----------------------------------------------------------------------------------------

    def concat(self, *inputs: str, axis: int = 1, name: str | None = None) -> str:
        """Join along one axis."""
        if not inputs:
            raise ModelError(f"network {self.name!r}: concat needs at least one input, got none")
        shapes = [self.shape(t) for t in inputs]
        axis = axis_of(self.name, axis, shapes[0])
        return self.add("concat", inputs, joined(self.name, shapes, axis), name=name, axis=axis)

    def split(
        self, x: str, parts: int | Sequence[int], *, axis: int = 1, name: str | None = None
    ) -> list[str]:
        """Cut along one axis into equal parts, or parts of the given sizes; returns every output's name."""
        shape = self.shape(x)
        axis = axis_of(self.name, axis, shape)
        outputs = cut(self.name, shape, parts, axis)
        first = self.add("split", [x], outputs, name=name, axis=axis)
        stem = first.removesuffix(":0")
        return [f"{stem}:{i}" for i in range(len(outputs))]

    def pad(self, x: str, padding: Padding, *, name: str | None = None) -> str:
        """Explicit border around an image, in numbers as of :meth:`conv`."""
        n, c, h, w = self._image(x)
        if padding == "same":
            raise ModelError(
                f"network {self.name!r}: pad has no window, so its padding must be numbers, got 'same'"
            )
        top, left, bottom, right = pads(padding, (h, w), (1, 1), (1, 1), (1, 1))
        return self.add("pad", [x], (n, c, h + top + bottom, w + left + right), name=name)

    def reshape(self, x: str, *shape: int, name: str | None = None) -> str:
        """The same elements in another shape; one -1 is worked out."""
        return self.add("reshape", [x], reshaped(self.name, self.shape(x), shape), name=name)

    def flatten(self, x: str, *, name: str | None = None) -> str:
        """Reshape to (batch, everything else)."""
        return self.reshape(x, self.shape(x)[0], -1, name=name)

    def transpose(self, x: str, axes: Sequence[int], *, name: str | None = None) -> str:
        """Permute axes."""
        out = permuted(self.name, self.shape(x), axes)
        return self.add("transpose", [x], out, name=name, axes=tuple(axes))

    def resize(self, x: str, scale: int = 2, *, mode: str = "nearest", name: str | None = None) -> str:
        """Up-sample by a whole factor, ``nearest`` or ``bilinear``."""
        n, c, h, w = self._image(x)
        return self.add("resize", [x], (n, c, h * scale, w * scale), name=name, mode=mode)

    def channel_shuffle(self, x: str, groups: int, *, name: str | None = None) -> str:
        """Interleave groups of channels."""
        check_groups(self.name, groups, self.channels(x))
        return self.add("channel_shuffle", [x], self.shape(x), name=name, groups=groups)

    def space_to_depth(self, x: str, block: int = 2, *, name: str | None = None) -> str:
        """Move blocks of pixels into channels."""
        n, c, h, w = self._image(x)
        if block < 1 or h % block or w % block:
            raise ModelError(f"network {self.name!r}: {h}x{w} pixels do not divide into blocks of {block!r}")
        return self.add(
            "space_to_depth", [x], (n, c * block * block, h // block, w // block), name=name, block=block
        )

    def embedding(self, x: str, rows: int, features: int, *, name: str | None = None) -> str:
        """Look `features`-wide rows up in a constant table of `rows`."""
        return self.add("gather", [x], (*self.shape(x), features), weights=rows * features, name=name)

    def _image(self, x: str) -> tuple[int, int, int, int]:
        shape = self.shape(x)
        if len(shape) != 4:
            raise ModelError(f"network {self.name!r}: {x!r} must be an NCHW image, got shape {list(shape)}")
        return shape
