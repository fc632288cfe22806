"""How libraries compute what a kernel class stands for, where that is not one multiplication after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from socsim.devices.device import Cluster

__all__ = ["DIRECT", "TILED", "Algorithm", "algorithm", "has_dot_product"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What a kernel class does.

    Parameters
    ----------
    tile, weights
        As of :class:`socsim.devices.device.KernelRate`.
    lanes
        Products at a time, as a share of those that the peak rate of the data type stands for.
    """

    tile: int = 0
    weights: float = 1.0
    lanes: float = 1.0


DIRECT = Algorithm()
"""Every product on its own, weights as they are stored."""

_WINOGRAD = {
    "winograd63": Algorithm(6, weights=64 / 9),
    "winograd43": Algorithm(4, weights=36 / 9),
    "winograd23": Algorithm(2, weights=16 / 9),
}
"""A filter of 3 x 3 becomes one of (tile + 2) squared, which is what is read."""
TILED = frozenset(_WINOGRAD)
"""Classes of Winograd kernels whose products are counted, not those of the convolution."""

_WIDE = dict.fromkeys(("winograd63", "winograd43"), Algorithm(4, weights=2 * 36 / 9, lanes=0.5))
"""Of int8 values, whose transforms need 16 bits: half as many at a time, weights of two bytes."""
_HALVED = {"fc": Algorithm(weights=0.5)}
"""Weights are stored in fp16 and calculated with in fp32."""

_ALGORITHMS: Mapping[tuple[str, str, str], Mapping[str, Algorithm]] = MappingProxyType(
    {
        ("ncnn", "cpu", "fp32"): {**_WINOGRAD, **_HALVED},
        ("ncnn", "cpu", "fp16"): _WINOGRAD,
        ("ncnn", "cpu", "int8"): _WIDE,
        ("ncnn", "gpu", "fp16"): _WINOGRAD,
    }
)
"""ncnn, src/layer/arm/convolution_arm.cpp, innerproduct_arm.cpp and src/layer/vulkan/convolution_vulkan.cpp."""


def has_dot_product(core: Cluster) -> bool:
    """Whether a core multiplies four int8 values a lane: its peak rate is then four times that of fp32."""
    return core.macs_per_cycle.get("int8", 0.0) >= 4.0 * core.macs_per_cycle["fp32"]


def algorithm(
    library: str, processor: str, dtype: str, kernel_class: str, core: Cluster | None = None
) -> Algorithm:
    """What a library's kernels of a class do.

    Parameters
    ----------
    core
        The fastest of the CPU: ncnn has no Winograd kernels in int8 where there are dot products.
    """
    if core and dtype == "int8" and has_dot_product(core):
        return DIRECT
    return _ALGORITHMS.get((library, processor, dtype), {}).get(kernel_class, DIRECT)
