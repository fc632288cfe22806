"""How fast an inference library's kernels run on one processor: what calibration fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Calibration", "KernelRate"]


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
    """

    efficiency: float
    half_work: float = 0.0
    group_work: float = 0.0
    dispatch: float | None = None


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

    @property
    def key(self) -> tuple[str, str, str, str]:
        """(library, processor, dtype, layout)."""
        return (self.library, self.processor, self.dtype, self.layout)
