"""The simulator's latency of one inference alone on an idle device, in closed form, for many networks at once.

It is the law of :mod:`socsim.workloads.kernels`, summed as :mod:`socsim.simulation.timeline` lays kernels out: fixed
costs, then the slower of computing and moving bytes, kernel after kernel; an accelerator's kernels also wait for
their dispatch by the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from socsim.calibration.features import FloatArray, Kernels, Team
from socsim.calibration.values import Values
from socsim.devices.device import Accelerator

__all__ = ["AcceleratorModel", "CpuModel", "LatencyModel", "OperatorModel"]


class LatencyModel(Protocol):
    """Latencies of networks as a function of a parameter set."""

    kernels: Kernels

    def durations(self, values: Values) -> FloatArray:
        """Time in s of every kernel alone."""
        ...

    def latencies(self, values: Values) -> FloatArray:
        """Latency in s of every network."""
        ...

    def weights(self, values: Values) -> FloatArray | None:
        """By how much its network's latency grows with each kernel's time; None for 1."""
        ...

    def computing(self, values: Values) -> FloatArray:
        """Share of every network's latency that its kernels compute, and do not just start or end."""
        ...


@dataclass(frozen=True)
class CpuModel:
    """Networks on a team of CPU cores.

    Parameters
    ----------
    kernels
        Of the networks.
    team
        Cores of the worker threads.
    dtype
        Data type that the cores compute in.
    """

    kernels: Kernels
    team: Team
    dtype: str

    def durations(self, values: Values) -> FloatArray:
        """Time in s of every kernel."""
        k, threads = self.kernels, len(self.team.cores)
        speeds = self._speeds(values)
        serial = values["serial_share"] if threads > 1 else np.zeros(len(values.classes))
        together = speeds.sum(axis=0) if self.team.chunking == "capacity" else threads * speeds.min(axis=0)
        per_work = (serial / speeds[0] + (1.0 - serial) / together) / values["efficiency"]
        compute = k.work * per_work[k.kind] * _saturation(k, values, threads)
        reach = min(self.team.bandwidth * values.scalar("bandwidth_share"), self.team.memory)
        times: FloatArray = self._fixed(values) + np.maximum(compute, k.bytes / reach)
        return times

    def _fixed(self, values: Values) -> float:
        """Time in s of a kernel's start and end."""
        fixed = values.scalar("kernel_overhead") + values.scalar("fork_join") * (len(self.team.cores) - 1)
        return fixed * float(values["overhead"][values.clusters.index(self.team.cores[0].name)])

    def _speeds(self, values: Values) -> FloatArray:
        """Operations per second by thread and class."""
        first = self.team.cores[0].name
        kept = 1.0 - values.scalar("crossing")
        rows = [
            core.peak(self.dtype)
            * (1.0 if core.name == first else kept)
            * values["speed"][values.clusters.index(core.name)]
            for core in self.team.cores
        ]
        return np.array(rows)

    def latencies(self, values: Values) -> FloatArray:
        """Latency in s of every network."""
        k = self.kernels
        total = np.bincount(k.network, self.durations(values), len(k.networks))
        return total + k.constant + values.scalar("inference_overhead")

    def weights(self, values: Values) -> FloatArray | None:
        """All kernels count."""
        return None

    def computing(self, values: Values) -> FloatArray:
        """Share of every network's latency that its kernels compute."""
        k = self.kernels
        busy = np.bincount(k.network, self.durations(values) - self._fixed(values), len(k.networks))
        share: FloatArray = busy / self.latencies(values)
        return share


@dataclass(frozen=True)
class AcceleratorModel:
    """Networks on a GPU, DSP or NPU.

    Parameters
    ----------
    kernels
        Of the networks, with what the CPU does for them.
    accelerator
        The processor.
    dtype
        Data type that it computes in.
    memory
        DRAM bandwidth in B/s.
    host_rate
        Speed of the core that the host thread is on, as a share of the fastest one's.
    """

    kernels: Kernels
    accelerator: Accelerator
    dtype: str
    memory: float
    host_rate: float = 1.0

    def durations(self, values: Values) -> FloatArray:
        """Time in s of every kernel."""
        k = self.kernels
        rate = self.accelerator.peak(self.dtype) * values["efficiency"]
        compute = k.work / rate[k.kind] * _saturation(k, values, 1)
        reach = min(self.accelerator.bandwidth * values.scalar("bandwidth_share"), self.memory)
        return values.scalar("kernel_overhead") + np.maximum(compute, k.bytes / reach)

    def latencies(self, values: Values) -> FloatArray:
        """Latency in s of every network: segments one after the other."""
        k = self.kernels
        ends, everything = self._ends(values)
        ends = np.maximum(np.maximum.reduceat(ends, self._starts), everything)
        total = np.bincount(k.network[self._starts], ends, len(k.networks))
        return total + k.constant

    def weights(self, values: Values) -> FloatArray | None:
        """1 for the kernels from their segment's last wait for the host on, or for all if it never waits."""
        ends, everything = self._ends(values)
        highest = np.maximum(np.maximum.reduceat(ends, self._starts), everything)
        at = np.arange(len(ends))
        waits = np.where(ends >= highest[self.kernels.segment] * (1.0 - 1e-12), at, len(ends))
        last = np.minimum.reduceat(waits, self._starts)
        last = np.where(last == len(ends), self._starts, last)
        return (at >= last[self.kernels.segment]).astype(float)

    def computing(self, values: Values) -> FloatArray:
        """All of it: what an accelerator draws while its kernels start is not told from the rest."""
        return np.ones(len(self.kernels.networks))

    @property
    def _starts(self) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """Index of every segment's first kernel."""
        return np.flatnonzero(np.diff(self.kernels.segment, prepend=-1))

    def _ends(self, values: Values) -> tuple[FloatArray, FloatArray]:
        """When segments would end, in s.

        If the wait for this kernel's dispatch were their last, by kernel; and without any wait, by segment.
        """
        starts, segment = self._starts, self.kernels.segment
        times = self.durations(values)
        first = np.diff(self.kernels.network[starts], prepend=-1) != 0
        opening = starts[first]
        times[opening] += values.scalar("inference_overhead") + self.accelerator.call_latency
        times += self.kernels.ahead
        before = np.cumsum(times) - times
        total = np.add.reduceat(times, starts)
        rest = (before[starts] + total)[segment] - before - self.kernels.ahead
        place = np.arange(1, len(times) + 1) - starts[segment]
        hosted = values.scalar("dispatch") * place + (values.scalar("host_overhead") * first)[segment]
        return hosted / self.host_rate + rest, total


@dataclass(frozen=True)
class OperatorModel(AcceleratorModel):
    """Kernels of an accelerator as a profiler on it sees them: their work alone."""

    def latencies(self, values: Values) -> FloatArray:
        """Time in s of every kernel, each of which is a network of its own."""
        return self.durations(values) - values.scalar("kernel_overhead")

    def weights(self, values: Values) -> FloatArray | None:
        """All kernels count."""
        return None


def _saturation(k: Kernels, values: Values, threads: int) -> FloatArray:
    """How many times slower each kernel is than at its class's full efficiency."""
    factor = 1.0 + (values["half_work"] * threads)[k.kind] / k.work
    for half, extent in (
        ("half_depth", k.depth), ("half_channels", k.channels), ("half_pixels", k.pixels), ("half_outputs", k.outputs),
    ):  # fmt: skip
        if values[half].any():
            factor = factor + values[half][k.kind] / extent
    return factor
