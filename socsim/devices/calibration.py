"""How fast an inference library's kernels run on one processor: what calibration fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Calibration", "CalibrationError", "ClusterFactors", "KernelPower", "KernelRate"]


@dataclass(frozen=True, slots=True)
class KernelRate:
    """How fast one kernel class is.

    Parameters
    ----------
    efficiency
        Operations per second, as a share of the processor's peak multiply-accumulates per second for the
        data type. Above 1 for algorithms that do less than the direct count (Winograd), far below 1 for
        element-wise code.
    half_work
        Operations (per thread) at which a kernel reaches half of `efficiency`.
    group_work
        Operations that each channel group of a convolution costs beside its own: those of libraries that compute
        one group after the other.
    dispatch
        As :attr:`Calibration.dispatch`, for this class; None for that of all.
    half_depth
        Operations per output value (input channels of a group times the filter's size) at which it does: what each
        output value costs beside them, as the width of small reductions.
    half_channels
        Output channels (of a group) at which it does: what each input value costs, as gathering and packing.
    half_pixels
        Output positions at which it does: what each weight costs, as reading it.
    half_outputs
        Output values at which it does: below, a wide processor has too little to do at once.
    serial_share
        Share of the work that one thread does while the others wait; None takes the calibration's.
    tile
        Winograd kernels compute squares of so many outputs a side, whole ones only, and do no more products for each
        than a filter as large as the square and itself overlapping; 0 for kernels that do all. Efficiency is then told
        of what they do.
    weights
        Bytes of weights that are read, as a share of those stored: more for transformed ones.
    """

    efficiency: float
    half_work: float = 0.0
    group_work: float = 0.0
    dispatch: float | None = None
    half_depth: float = 0.0
    half_channels: float = 0.0
    half_pixels: float = 0.0
    half_outputs: float = 0.0
    serial_share: float | None = None
    tile: int = 0
    weights: float = 1.0

    @property
    def shaped(self) -> bool:
        """Whether the rate depends on more than the amount of work."""
        return bool(self.half_depth or self.half_channels or self.half_pixels or self.half_outputs)


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """How far a parameter set's predictions are from measurements.

    Parameters
    ----------
    low, high
        Factors of a predicted latency between which nine in ten measurements lay.
    mape
        Mean absolute error on networks of families that were not fitted, as a share; None if there were none.
    """

    low: float
    high: float
    mape: float | None = None


@dataclass(frozen=True, slots=True)
class KernelPower:
    """What a processor draws beyond idle while it runs kernels, as a share of what it draws when it is busy.

    Parameters
    ----------
    computing
        While they compute.
    waiting
        While they start and end: little where a library's threads sleep until they are needed.
    mape
        Mean absolute error of energies on networks of families that were not fitted, as a share; None if there were
        none.
    """

    computing: float = 1.0
    waiting: float = 1.0
    mape: float | None = None

    def mean(self, computing: float, waiting: float) -> float:
        """Over times in s of both."""
        total = computing + waiting
        return (self.computing * computing + self.waiting * waiting) / total if total else self.computing


@dataclass(frozen=True, slots=True)
class ClusterFactors:
    """How a cluster's cores differ from what their peak rate says, beside the others'.

    Parameters
    ----------
    speed
        Factor of the rate of every class.
    kernels
        Factor by class, in place of `speed`.
    overhead
        Factor of the fixed times where the first worker thread is on the cluster.
    """

    speed: float = 1.0
    kernels: Mapping[str, float] = field(default_factory=dict)
    overhead: float = 1.0

    def of(self, kernel_class: str) -> float:
        """Factor of a class's rate."""
        return self.kernels.get(kernel_class, self.speed)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one inference library's kernels run on one processor with one data type and layout.

    Parameters
    ----------
    library, processor, dtype, layout
        What it holds for; `layout` is ``""`` on the CPU.
    kernels
        Rate by kernel class.
    bandwidth_share
        Share of the processor's bandwidth that these kernels reach.
    kernel_overhead
        Fixed time of every kernel on the processor, s.
    inference_overhead
        Fixed time of every inference (or of every subgraph handed over), s.
    dispatch
        CPU time in s, on the device's fastest core at its highest clock, that the host needs to enqueue a
        kernel of a class that has no time of its own.
    serial_share
        Share of a kernel's work that one thread does while the others wait.
    fork_join
        Time per kernel and additional thread for starting and joining them, s.
    noise
        Standard deviation of the logarithm of an inference's time.
    grade, source
        Confidence and origin.
    host_overhead
        CPU time as of `dispatch`, for every inference (or subgraph handed over) before its first kernel: an
        interpreter's own work.
    clusters
        Factors by CPU cluster; 1 for those that are not named.
    crossing
        Share of their speed that worker threads lose on other clusters than the first one's.
    error
        How far its predictions are from measurements; None where nobody compared.
    power
        What the processor draws meanwhile.
    """

    library: str
    processor: str
    dtype: str
    layout: str
    kernels: Mapping[str, KernelRate]
    bandwidth_share: float = 1.0
    kernel_overhead: float = 0.0
    inference_overhead: float = 0.0
    dispatch: float = 0.0
    serial_share: float = 0.0
    fork_join: float = 0.0
    noise: float = 0.0
    grade: str = "D"
    source: str = ""
    host_overhead: float = 0.0
    clusters: Mapping[str, ClusterFactors] = field(default_factory=dict)
    crossing: float = 0.0
    error: CalibrationError | None = None
    power: KernelPower = KernelPower()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """(library, processor, dtype, layout)."""
        return (self.library, self.processor, self.dtype, self.layout)

    def rate(self, kernel_class: str) -> KernelRate:
        """The class's own rate, else that of ``other``, which every calibration has."""
        return self.kernels.get(kernel_class) or self.kernels["other"]

    def factors(self, cluster: str) -> ClusterFactors:
        """Factors of a CPU cluster."""
        return self.clusters.get(cluster, _ALIKE)


_ALIKE = ClusterFactors()
