"""What is expected of a parameter set before any measurement: from the hardware, and from how libraries compute.

A prior is a median and a spread: the standard deviation of the logarithm. Rates of products are shares of the peak
rate; everything else runs as plain code, so many operations a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from socsim.devices.device import Cluster

__all__ = [
    "HALVES",
    "IN_ORDER",
    "OWN_SPREAD",
    "PRODUCTS",
    "WINOGRAD_HALVES",
    "Queue",
    "Rate",
    "class_rate",
    "crossing_prior",
    "meeting_prior",
    "queue",
    "serial_prior",
]

IN_ORDER = frozenset({"cortex-a7", "cortex-a53", "cortex-a55", "cortex-a510", "cortex-a520"})
"""Core types that issue in order: plain code runs three to five times slower on them than on others at their clock."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Prior of a class's rate.

    Parameters
    ----------
    share
        Of the processor's peak; 0 where the rate is told by cycle.
    cycle, in_order
        Operations per cycle of cores that issue out of order, and in order.
    spread
        Standard deviation of the logarithm.
    """

    share: float = 0.0
    cycle: float = 0.0
    in_order: float = 0.0
    spread: float = 0.7

    def efficiency(self, core: Cluster, dtype: str) -> float:
        """Share of a core's peak."""
        if self.share:
            return self.share
        cycle = self.in_order if core.core in IN_ORDER else self.cycle
        return cycle / core.macs_per_cycle[dtype]


_PRODUCTS: Mapping[str, Rate] = MappingProxyType(
    {
        "gemm": Rate(0.7, spread=0.5),
        "igemm": Rate(0.65, spread=0.5),
        "sgemm": Rate(0.65, spread=0.5),
        "direct": Rate(0.5, spread=0.5),
        "general": Rate(0.3),
        "conv_shallow": Rate(0.5, spread=0.6),
        "conv_stem": Rate(0.5, spread=0.6),
        "winograd": Rate(1.3, spread=0.5),
        "winograd_small": Rate(0.9, spread=0.5),
        "winograd_thin": Rate(0.8, spread=0.5),
        "winograd23": Rate(0.65, spread=0.3),
        "winograd43": Rate(0.65, spread=0.3),
        "winograd63": Rate(0.65, spread=0.3),
        "grouped": Rate(0.2, spread=0.8),
        "deconv": Rate(0.3, spread=0.8),
        "depthwise": Rate(0.12, spread=0.6),
        "fc": Rate(0.15),
        "matmul": Rate(0.4),
    }
)
"""Products on a CPU."""

PRODUCTS = frozenset(_PRODUCTS)
"""Classes that multiply and add."""

_PLAIN = Rate(cycle=0.8, in_order=0.4)
"""Vector code over elements."""

_BUILT_IN = Rate(cycle=0.2, in_order=0.09, spread=0.7)
"""Code over quantised elements, each of which is scaled anew."""

_NCNN: Mapping[str, Rate] = MappingProxyType(
    {
        "grouped": Rate(0.8, spread=0.5),
        "depthwise": Rate(0.25, spread=0.6),
        "conv_shallow": Rate(0.7, spread=0.5),
    }
)
"""Group convolutions run as as many plain ones."""

_LIBRARIES: Mapping[tuple[str, str], Mapping[str, Rate]] = MappingProxyType(
    {
        ("ncnn", "fp32"): _NCNN,
        ("ncnn", "fp16"): _NCNN,
        ("tflite", "fp32"): {"grouped": Rate(cycle=0.43, in_order=0.09, spread=0.3)},
        ("tflite", "int8"): {
            "grouped": Rate(cycle=0.5, in_order=0.17, spread=0.3),
            "depthwise": Rate(0.04, spread=0.6),
            **dict.fromkeys(("eltwise", "norm", "activation", "softmax", "resize"), _BUILT_IN),
        },
    }
)
"""What is known of a library's kernels: TensorFlow Lite's group convolutions are its reference loops."""

_SERIAL: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("tflite", "fp32"): frozenset({"grouped"}),
        ("tflite", "int8"): frozenset(
            {
                "grouped", "eltwise", "norm", "activation", "softmax", "resize", "pool", "reduce", "movement", "other",
            }
        ),
    }
)  # fmt: skip
"""Classes that run on one thread: what neither XNNPACK nor ruy computes."""

_GPU: Mapping[str, Rate] = MappingProxyType(
    {
        "depthwise": Rate(0.03),
        "fc": Rate(0.015, spread=1.0),
        "grouped": Rate(0.1, spread=0.8),
        "deconv": Rate(0.1, spread=0.8),
        "matmul": Rate(0.05, spread=0.8),
        "winograd": Rate(0.25),
        **dict.fromkeys(("gemm", "sgemm", "winograd23", "winograd43"), Rate(0.15, spread=0.8)),
    }
)
"""Products on an accelerator, where they are not as convolutions."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What is expected of an accelerator under a library, beside rates.

    Parameters
    ----------
    overhead
        Median of the fixed time of a kernel in s.
    filling
        Spread of the output values that fill it.
    common
        Standard deviation of the logarithm of what the rates of all products have in common, as the peak is told by a
        data sheet; 0 where they are told one by one.
    scatter
        What a good model misses latencies by (standard deviation of the logarithm).
    """

    overhead: float = 8e-6
    filling: float = 1.2
    common: float = 0.0
    scatter: float = 0.05


_QUEUES: Mapping[str, Queue] = MappingProxyType({"ncnn": Queue(30e-6, 0.7, 0.8, 0.1)})
"""Vulkan under ncnn.

A layer is one to five dispatches with a barrier after each; one in TensorFlow Lite costs 26 us on a Mali-G76 and 79 us
on a PowerVR. Two runs of 14 networks on one Jetson Nano scatter by 0.085.
"""
OWN_SPREAD = 0.5
"""Spread of each product's rate beside what all have in common."""


def queue(library: str) -> Queue:
    """What is expected of an accelerator under a library."""
    return _QUEUES.get(library, Queue())


HALVES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "half_work": (3e4, 1.5),
        "half_depth": (5.0, 1.0),
        "half_channels": (3.0, 1.0),
        "half_pixels": (4.0, 1.0),
    }
)
"""Median and spread of what halves a rate."""


WINOGRAD_HALVES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {**HALVES, "half_depth": (60.0, 0.7), "half_channels": (8.0, 0.7)}
)
"""Of kernels in tiles: transforms.

One of 8 x 8 inputs takes about 420 sums and products and 130 loads and stores beside its 64 products for each output
channel, one of 6 x 6 outputs about 310 and 100 beside 64 for each input channel: as much as 8 and 6 channels.
"""


def class_rate(library: str, processor: str, dtype: str, kernel_class: str) -> Rate:
    """Prior of a class's rate."""
    if processor != "cpu":
        plain = Rate(0.03, spread=1.0)
        return _GPU.get(kernel_class, Rate(0.15, spread=0.8) if "conv" in kernel_class else plain)
    own = _LIBRARIES.get((library, dtype), {}).get(kernel_class)
    return own or _PRODUCTS.get(kernel_class, _PLAIN)


def serial_prior(library: str, dtype: str, kernel_class: str) -> bool:
    """Whether a class is known to run on one thread."""
    return kernel_class in _SERIAL.get((library, dtype), frozenset())


_BEFORE_DYNAMIQ = frozenset(f"cortex-a{n}" for n in (5, 7, 8, 9, 12, 15, 17, 35, 53, 57, 72, 73))
"""Cortex cores whose clusters have a cache each."""


def crossing_prior(cores: Iterable[str]) -> float:
    """What threads lose off the first one's cluster, as a share of their speed.

    Little where all cores share a cache: one prime and one gold core of a Snapdragon 855 run 1.07 times as fast as
    two gold ones. Most of it where they do not: one big and two middle cores of an Exynos 9820, with a cache each, run
    0.76 times as fast as two big ones (medians of 102 networks in TensorFlow Lite, qed-usc/mobile-ml-benchmark).

    Parameters
    ----------
    cores
        Core types of all clusters.
    """
    return 0.55 if any(map(_own_cache, cores)) else 0.1


_MEETING: Mapping[str, tuple[float, float]] = MappingProxyType({"tflite": (5e-7, 1.5), "armnn": (1e-5, 1.0)})
"""Libraries of which it is known how threads wait between kernels, with what each thread more costs a kernel in s.

TensorFlow Lite's wait busily, and see a line of cache change: pthreadpool, whose threads XNNPACK uses, looks a million
times before it sleeps; and at the wall it draws nearly the same for small networks as for large ones. Those of the
Compute Library, which Arm NN uses, sleep on a condition variable each and are woken up one after the other.
"""


def meeting_prior(library: str) -> tuple[float, float]:
    """What is expected of the time in s that a kernel takes for each thread more: median and spread."""
    return _MEETING.get(library, (4e-6, 1.0))


def _own_cache(core: str) -> bool:
    return core in _BEFORE_DYNAMIQ or core.startswith(("exynos-", "mongoose", "kryo", "denver"))
