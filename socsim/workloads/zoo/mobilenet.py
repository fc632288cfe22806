"""Networks of depth-wise separable convolutions: MobileNet 1 to 3 and MnasNet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = [
    "InvertedResidual",
    "inverted_residuals",
    "mnasnet",
    "mobilenet_v1",
    "mobilenet_v1b",
    "mobilenet_v2",
    "mobilenet_v2_tf",
    "mobilenet_v2_unrounded",
    "mobilenet_v3",
    "mobilenet_v3_large",
    "scaled_channels",
    "separable_maps",
    "v2_blocks",
]


def scaled_channels(channels: float, width: float) -> int:
    """`channels` x `width`, rounded to a multiple of 8 that is not more than 10 % less, at least 8.

    Raises
    ------
    UsageError
        `width` is not positive.
    """
    if width <= 0:
        raise UsageError(f"width must be positive, got {width}; 1.0 is the full network")
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels * width else rounded + 8


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """One block: expand, filter each channel, squeeze and excite, project; a shortcut where shapes allow.

    Parameters
    ----------
    channels
        Channels of the output.
    expanded
        Channels in between; None leaves the expansion out.
    kernel, stride
        Of the depth-wise convolution.
    activation
        Of the first two convolutions; the projection has none.
    squeezed
        Channels between the two convolutions of squeeze-and-excite; None leaves it out.
    gate
        Functions of these two convolutions.
    late_activation
        Apply the function of the depth-wise convolution after the gate, by an operator of its own.
    """

    channels: int
    expanded: int | None
    kernel: int = 3
    stride: int = 1
    activation: str = "relu6"
    squeezed: int | None = None
    gate: tuple[str, str] = ("relu", "hsigmoid")
    late_activation: bool = False

    def add_to(self, b: GraphBuilder, x: str) -> str:
        """Add the block behind tensor `x`; returns its output."""
        y = x if self.expanded is None else b.conv(x, self.expanded, activation=self.activation)
        fused = None if self.late_activation else self.activation
        y = b.depthwise(y, self.kernel, self.stride, activation=fused)
        if self.squeezed is not None:
            y = self._excite(b, y, self.squeezed)
        if self.late_activation:
            y = b.activation(y, self.activation)
        y = b.conv(y, self.channels)
        return b.add_(x, y) if b.shape(x) == b.shape(y) else y

    def _excite(self, b: GraphBuilder, x: str, squeezed: int) -> str:
        gate = b.conv(b.global_avg_pool(x), squeezed, activation=self.gate[0])
        return b.mul(x, b.conv(gate, b.channels(x), activation=self.gate[1]))


def inverted_residuals(b: GraphBuilder, x: str, blocks: Iterable[InvertedResidual]) -> str:
    """Add `blocks` one behind the other; returns the last one's output."""
    for block in blocks:
        x = block.add_to(b, x)
    return x


_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)) + ((512, 1),) * 5 + ((1024, 2), (1024, 1))
"""Output channels of each separable convolution, and the stride of its depth-wise part."""

_V2 = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 32, 3, 3, 2),
    (6, 64, 3, 4, 2),
    (6, 96, 3, 3, 1),
    (6, 160, 3, 3, 2),
    (6, 320, 3, 1, 1),
)
_MNASNET = (
    (1, 16, 3, 1, 1),
    (3, 24, 3, 3, 2),
    (3, 40, 5, 3, 2),
    (6, 80, 5, 3, 2),
    (6, 96, 3, 2, 1),
    (6, 192, 5, 4, 2),
    (6, 320, 3, 1, 1),
)
"""Expansion, output channels, kernel, repeats, stride of the first block."""


def mobilenet_v1(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MobileNet (Howard et al., "MobileNets: Efficient Convolutional Neural Networks ...", 2017).

    Parameters
    ----------
    width
        Multiplier of all channels, such as 0.25, 0.5 or 0.75.
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b, x = _stem("mobilenet_v1", 32, width, resolution, "relu6")
    x = _separable(b, x, width, "relu6", "relu6")
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))


def mobilenet_v1b(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MobileNet without functions between the depth-wise and the 1x1 convolutions, as in pytorchcv (2018).

    Options as of :func:`mobilenet_v1`; the outputs are scores, not probabilities.
    """
    b, x = _stem("mobilenet_v1b", 32, width, resolution, "relu")
    x = _separable(b, x, width, None, "relu")
    return b.build(b.dense(b.global_avg_pool(x, keepdims=False), classes))


def _separable(b: GraphBuilder, x: str, width: float, inner: str | None, outer: str) -> str:
    """Add all separable convolutions, with function `inner` between their parts and `outer` behind."""
    for channels, stride in _V1:
        x = b.depthwise(x, 3, stride, activation=inner)
        x = b.conv(x, scaled_channels(channels, width), activation=outer)
    return x


def separable_maps(b: GraphBuilder, x: str) -> tuple[str, str]:
    """Add the separable convolutions of MobileNet behind `x`, its first convolution.

    Returns the maps at 1/16 and 1/32 of the image's size, of 512 and 1024 channels.
    """
    maps = []
    for channels, stride in _V1:
        if stride == 2:
            maps.append(x)
        x = b.conv(b.depthwise(x, 3, stride, activation="relu"), channels, activation="relu")
    return maps[-1], x


def mobilenet_v2(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, expand_first: bool = True
) -> ModelGraph:
    """MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018).

    Parameters
    ----------
    width
        Multiplier of all channels; the last convolution has at least 1280.
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    expand_first
        Keep the first block's expansion, 32 to 32 channels, as the Caffe and ncnn graphs do (default,
        314 MMAC at full size). TensorFlow and PyTorch leave it out (301 MMAC).
    """
    b, x = _stem("mobilenet_v2", 32, width, resolution, "relu6")
    x = inverted_residuals(b, x, _blocks(_V2, b.channels(x), width, "relu6", expand_first))
    return _head(b, x, width, "relu6", classes)


def mobilenet_v2_tf(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MobileNetV2 as TensorFlow and PyTorch have it, the first block without expansion (301 MMAC).

    Options as of :func:`mobilenet_v2`.
    """
    b, x = _stem("mobilenet_v2_tf", 32, width, resolution, "relu6")
    x = inverted_residuals(b, x, _blocks(_V2, b.channels(x), width, "relu6", expand_first=False))
    return _head(b, x, width, "relu6", classes)


def v2_blocks() -> list[InvertedResidual]:
    """The blocks of MobileNetV2 at full width, the first without expansion."""
    return list(_blocks(_V2, 32, 1.0, "relu6", expand_first=False))


def mobilenet_v2_unrounded(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MobileNetV2 narrowed as in pytorchcv (2018): channels are cut to whole numbers, not to multiples of 8.

    Options as of :func:`mobilenet_v2`. The classifier is a 1x1 convolution without bias; the outputs are
    scores, not probabilities.
    """
    b, x = _stem("mobilenet_v2_unrounded", 32, width, resolution, "relu6", int)
    x = inverted_residuals(b, x, _blocks(_V2, b.channels(x), width, "relu6", expand_first=True, whole=int))
    x = b.conv(x, int(1280 * max(1.0, width)), activation="relu6")
    return b.build(b.flatten(b.conv(b.avg_pool_all(x), classes, bias=False)))


def mnasnet(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MnasNet-B1 (Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", 2018).

    Options as of :func:`mobilenet_v1`; the last convolution has at least 1280 channels.
    """
    b, x = _stem("mnasnet", 32, width, resolution, "relu")
    x = inverted_residuals(b, x, _blocks(_MNASNET, b.channels(x), width, "relu", expand_first=False))
    return _head(b, x, width, "relu", classes)


_V3_LARGE = (
    (3, None, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hswish", 2),
    (3, 200, 80, False, "hswish", 1),
    (3, 184, 80, False, "hswish", 1),
    (3, 184, 80, False, "hswish", 1),
    (3, 480, 112, True, "hswish", 1),
    (3, 672, 112, True, "hswish", 1),
    (5, 672, 160, True, "hswish", 1),
    (5, 672, 160, True, "hswish", 2),
    (5, 960, 160, True, "hswish", 1),
)
"""Kernel, expanded channels (None: no expansion), output channels, squeeze-and-excite, activation, stride."""


def mobilenet_v3(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MobileNetV3-Large (Howard et al., "Searching for MobileNetV3", 2019), as the ncnn graph has it.

    That graph follows the paper's first version: a 160-channel block at stride 1 ahead of the last
    down-sampling one (246 MMAC against the final version's 219), squeezed channels a quarter of the expanded
    ones without rounding, the gate ahead of the activation, and a second hard swish behind global pooling.

    Options as of :func:`mobilenet_v1`; the layer ahead of the classifier has at least 1280 features.
    """
    b, x = _stem("mobilenet_v3", 16, width, resolution, "hswish")
    x = inverted_residuals(b, x, (_v3_block(width, *row) for row in _V3_LARGE))
    x = b.conv(x, scaled_channels(960, width), activation="hswish")
    x = b.activation(b.global_avg_pool(x, keepdims=False), "hswish")
    x = b.dense(x, scaled_channels(1280, max(1.0, width)), activation="hswish")
    return b.build(b.softmax(b.dense(x, classes)))


_V3_FINAL = (*_V3_LARGE[:12], (5, 672, 160, True, "hswish", 2), *[_V3_LARGE[14]] * 2)
"""As ``_V3_LARGE``, of the paper's final version."""


def mobilenet_v3_large(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """MobileNetV3-Large in the paper's final version, as PyTorch has it (217 MMAC, 5.5 M parameters).

    Squeezed channels are a quarter of the expanded ones, rounded to a multiple of 8; the gate comes after the
    activation. Options as of :func:`mobilenet_v3`.
    """
    b, x = _stem("mobilenet_v3_large", 16, width, resolution, "hswish")
    for kernel, expanded, channels, excite, activation, stride in _V3_FINAL:
        wide = None if expanded is None else scaled_channels(expanded, width)
        squeezed = scaled_channels(wide / 4, 1.0) if excite and wide else None
        block = InvertedResidual(
            scaled_channels(channels, width), wide, kernel, stride, activation, squeezed=squeezed
        )
        x = block.add_to(b, x)
    x = b.conv(x, scaled_channels(960, width), activation="hswish")
    x = b.dense(
        b.global_avg_pool(x, keepdims=False), scaled_channels(1280, max(1.0, width)), activation="hswish"
    )
    return b.build(b.dense(x, classes))


def _v3_block(
    width: float, kernel: int, expanded: int | None, channels: int, excite: bool, activation: str, stride: int
) -> InvertedResidual:
    wide = None if expanded is None else scaled_channels(expanded, width)
    return InvertedResidual(
        scaled_channels(channels, width), wide, kernel, stride, activation,
        squeezed=wide // 4 if excite and wide else None, late_activation=excite,
    )  # fmt: skip


def _blocks(
    stages: tuple[tuple[int, ...], ...], channels: int, width: float, activation: str, expand_first: bool,
    whole: Callable[[float], int] | None = None,
) -> Iterable[InvertedResidual]:  # fmt: skip
    """Blocks of all stages behind a stem of `channels`; `whole` rounds channels, by default to multiples of 8."""
    for expansion, out, kernel, repeats, stride in stages:
        for i in range(repeats):
            expanded = channels * expansion if expansion > 1 or expand_first else None
            channels = whole(out * width) if whole else scaled_channels(out, width)
            yield InvertedResidual(channels, expanded, kernel, stride if i == 0 else 1, activation)


def _stem(
    name: str, channels: int, width: float, resolution: int, activation: str,
    whole: Callable[[float], int] | None = None,
) -> tuple[GraphBuilder, str]:  # fmt: skip
    default = (width, resolution) == (1.0, 224)
    b = GraphBuilder(name if default else f"{name}_{float(width)}_{resolution}")
    x = b.input(1, 3, resolution, resolution)
    wide = whole(channels * width) if whole else scaled_channels(channels, width)
    return b, b.conv(x, wide, 3, 2, activation=activation)


def _head(b: GraphBuilder, x: str, width: float, activation: str, classes: int) -> ModelGraph:
    x = b.conv(x, scaled_channels(1280, max(1.0, width)), activation=activation)
    return b.build(b.softmax(b.dense(b.global_avg_pool(x, keepdims=False), classes)))
