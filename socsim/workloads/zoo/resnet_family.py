"""Residual networks of 10 to 18 layers and thin bottleneck ones: plain, pre-activated, squeeze-and-excite.

As the collection pytorchcv (Semery, 2018) has them. Shortcuts are the identity where shapes allow, strides sit
in the 3x3 convolutions, the last unit has full width whatever the multiplier, and the outputs are scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["preresnet", "resnet", "seresnet"]

_CHANNELS = (64, 128, 256, 512)
_UNITS = {
    "10": (1, 1, 1, 1),
    "12": (2, 1, 1, 1),
    "14": (2, 2, 1, 1),
    "16": (2, 2, 2, 1),
    "18": (2, 2, 2, 2),
    "bc14b": (1, 1, 1, 1),
    "bc26b": (2, 2, 2, 2),
}
"""Member -> units of each stage."""

_Unit = Callable[[GraphBuilder, str, int, int, bool], str]
"""Adds a unit: builder, input, channels, stride, whether it is a bottleneck."""


def resnet(member: str, *, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ResNet (He et al., "Deep Residual Learning for Image Recognition", 2015) with few or thin units.

    Parameters
    ----------
    member
        ``"10"`` to ``"16"``, ``"18_torch"``, or ``"bc14b"`` and ``"bc26b"``, of bottlenecks.
    width
        Multiplier of all channels but the last unit's.
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.

    Raises
    ------
    UsageError
        `width` is not positive.
    """
    return _network("resnet", member, _plain_unit, width, resolution, classes)


def seresnet(member: str, *, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ResNet with squeeze-and-excite (Hu et al., 2018); options as of :func:`resnet`."""
    return _network("seresnet", member, _excited_unit, width, resolution, classes)


def preresnet(member: str, *, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """Pre-activated ResNet (He et al., "Identity Mappings in Deep Residual Networks", 2016).

    The batch norms ahead of the units cannot be folded into a convolution and stand alone. Options as of
    :func:`resnet`.
    """
    return _network("preresnet", member, _preactivated_unit, width, resolution, classes)


def _network(kind: str, member: str, unit: _Unit, width: float, resolution: int, classes: int) -> ModelGraph:
    name = f"{kind}_{member}" if member.startswith("bc") else f"{kind}{member}"
    if width <= 0:
        raise UsageError(f"network {name!r}: width must be positive, got {width}; 1.0 is the full network")
    sized = (width, resolution) != (1.0, 224)
    b = GraphBuilder(f"{name}_{float(width)}_{resolution}" if sized else name)
    x = b.input(1, 3, resolution, resolution)
    x = b.conv(x, max(1, int(_CHANNELS[0] * width)), 7, 2, padding=3, activation="relu")
    x = b.max_pool(x, 3, 2, padding="same")
    thin = member.startswith("bc")
    for channels, stride in _units(_UNITS[member.removesuffix("_torch")], width, 4 if thin else 1):
        x = unit(b, x, channels, stride, thin)
    if unit is _preactivated_unit:
        x = b.batch_norm(x, activation="relu")
    return b.build(b.dense(b.global_avg_pool(x, keepdims=False), classes))


def _units(repeats: tuple[int, ...], width: float, expansion: int) -> Iterator[tuple[int, int]]:
    """Channels and stride of every unit."""
    for stage, (channels, units) in enumerate(zip(_CHANNELS, repeats, strict=True)):
        for i in range(units):
            last = stage == len(repeats) - 1 and i == units - 1
            wide = channels if last else max(1, int(channels * width))
            yield wide * expansion, 2 if stage and not i else 1


def _plain_unit(b: GraphBuilder, x: str, channels: int, stride: int, thin: bool) -> str:
    y = _body(b, x, channels, stride, thin)
    return b.add_(y, _shortcut(b, x, x, channels, stride), activation="relu")


def _excited_unit(b: GraphBuilder, x: str, channels: int, stride: int, thin: bool) -> str:
    y = _body(b, x, channels, stride, thin)
    gate = b.conv(b.global_avg_pool(y), max(1, channels // 16), activation="relu")
    y = b.mul(y, b.conv(gate, channels, activation="sigmoid"))
    return b.add_(y, _shortcut(b, x, x, channels, stride), activation="relu")


def _preactivated_unit(b: GraphBuilder, x: str, channels: int, stride: int, thin: bool) -> str:
    active = b.batch_norm(x, activation="relu")
    y = _body(b, active, channels, stride, thin)
    return b.add_(y, _shortcut(b, x, active, channels, stride))


def _body(b: GraphBuilder, x: str, channels: int, stride: int, thin: bool) -> str:
    if not thin:
        return b.conv(b.conv(x, channels, 3, stride, padding=1, activation="relu"), channels, 3)
    y = b.conv(x, channels // 4, activation="relu")
    return b.conv(b.conv(y, channels // 4, 3, stride, padding=1, activation="relu"), channels)


def _shortcut(b: GraphBuilder, x: str, projected: str, channels: int, stride: int) -> str:
    """`x` itself where shapes allow, else a projection of `projected`."""
    if stride == 1 and b.channels(x) == channels:
        return x
    return b.conv(projected, channels, 1, stride)
