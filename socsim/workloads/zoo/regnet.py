"""RegNets: stages of one width, whose bottlenecks filter in groups of one size."""

from __future__ import annotations

from typing import NamedTuple

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["regnet_x", "regnet_y"]


class _Design(NamedTuple):
    units: tuple[int, ...]
    channels: tuple[int, ...]
    group: int
    """Channels of one group."""


_X = {
    "200mf": _Design((1, 1, 4, 7), (24, 56, 152, 368), 8),
    "400mf": _Design((1, 2, 7, 12), (32, 64, 160, 384), 16),
    "600mf": _Design((1, 3, 5, 7), (48, 96, 240, 528), 24),
    "800mf": _Design((1, 3, 7, 5), (64, 128, 288, 672), 16),
    "1.6gf": _Design((2, 4, 10, 2), (72, 168, 408, 912), 24),
    "3.2gf": _Design((2, 6, 15, 2), (96, 192, 432, 1008), 48),
}
_Y = {"400mf": _Design((1, 3, 6, 6), (48, 104, 208, 440), 8)}
"""Size in multiply-accumulates -> design."""


def regnet_x(member: str, *, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """RegNetX (Radosavovic et al., "Designing Network Design Spaces", 2020); the outputs are scores.

    Parameters
    ----------
    member
        ``"200mf"`` to ``"3.2gf"``: millions (m) or thousand millions (g) of multiply-accumulates.
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    return _regnet(f"regnet_x_{member}", _X[member], resolution, classes, excite=False)


def regnet_y(member: str, *, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """RegNetY (Radosavovic et al., 2020): with squeeze-and-excite; options as of :func:`regnet_x`."""
    return _regnet(f"regnet_y_{member}", _Y[member], resolution, classes, excite=True)


def _regnet(name: str, design: _Design, resolution: int, classes: int, *, excite: bool) -> ModelGraph:
    b = GraphBuilder(name)
    x = b.conv(b.input(1, 3, resolution, resolution), 32, 3, 2, padding=1, activation="relu")
    for units, channels in zip(design.units, design.channels, strict=True):
        for i in range(units):
            x = _unit(b, x, channels, design.group, 1 if i else 2, excite)
    return b.build(b.dense(b.global_avg_pool(x, keepdims=False), classes))


def _unit(b: GraphBuilder, x: str, channels: int, group: int, stride: int, excite: bool) -> str:
    y = b.conv(x, channels, activation="relu")
    y = b.conv(y, channels, 3, stride, padding=1, groups=channels // group, activation="relu")
    if excite:
        gate = b.conv(b.global_avg_pool(y), b.channels(x) // 4, activation="relu")
        y = b.mul(y, b.conv(gate, channels, activation="sigmoid"))
    y = b.conv(y, channels)
    same = b.channels(x) == channels and stride == 1
    return b.add_(y, x if same else b.conv(x, channels, 1, stride), activation="relu")
