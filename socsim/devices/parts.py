"""The parts of a device: clusters of cores, accelerators, DRAM, what sharing between them costs, trip points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from socsim.devices.opp import IdleState, Opp, PowerModel

__all__ = ["Accelerator", "Clocked", "Cluster", "Copying", "Memory", "MemoryOpp", "Sharing", "SyncTime"]


class Clocked:
    """What clusters and accelerators have in common: a clock, and work that follows it."""

    __slots__ = ()

    opps: tuple[Opp, ...]
    macs_per_cycle: Mapping[str, float]

    @property
    def max_opp(self) -> Opp:
        """The fastest operating point."""
        return self.opps[-1]

    def peak(self, dtype: str) -> float:
        """Peak multiply-accumulates per second (of one core) at the fastest operating point."""
        return self.macs_per_cycle[dtype] * self.max_opp.frequency


@dataclass(frozen=True, slots=True)
class Cluster(Clocked):
    """CPU cores that share a clock.

    Parameters
    ----------
    name
        As the profile calls it: ``"prime"``, ``"gold"``, ``"silver"``, ...
    core
        Core type (``"cortex-a76"``).
    count
        Number of cores.
    opps
        Operating points, ascending.
    macs_per_cycle
        Peak multiply-accumulates of one core per cycle, by data type.
    capacity
        Capacity of one core as Linux counts it (the strongest is 1024).
    bandwidth
        DRAM bandwidth that one core reaches alone, in B/s.
    power
        Of one core.
    idle_states
        Of its cores, and of the cluster as a whole.
    transition_latency
        Time in s that a change of the clock takes.
    transition_stall
        The last part of it in s, in which nothing runs.
    """

    name: str
    core: str
    count: int
    opps: tuple[Opp, ...]
    macs_per_cycle: Mapping[str, float]
    capacity: float
    bandwidth: float
    power: PowerModel
    idle_states: tuple[IdleState, ...] = ()
    transition_latency: float = 0.0
    transition_stall: float = 0.0


@dataclass(frozen=True, slots=True)
class Accelerator(Clocked):
    """A GPU, DSP or NPU: a command queue and a clock.

    Parameters
    ----------
    name
        ``"gpu"``, ``"dsp"`` or ``"npu"``.
    model
        Product name (``"Adreno 640"``).
    opps
        Operating points, ascending.
    macs_per_cycle
        Peak multiply-accumulates per cycle, by data type.
    bandwidth
        DRAM bandwidth that it reaches alone, in B/s.
    power
        Of all of it.
    layouts
        Memory types of its tensors, such as ``("image", "buffer")``; ``("buffer",)`` where it has no choice.
    call_latency
        Fixed time in s of handing it a subgraph (FastRPC round trip for a DSP), beside the kernels' dispatch. Where it
        is not 0, a host thread calls and waits for the end, and its core may have become idle by then.
    transition_latency
        Time in s that a change of the clock takes.
    poll
        Whether that thread waits busily instead.
    transition_stall
        The last part of `transition_latency` in s, in which nothing runs.
    suspend_after
        Time in s without work after which it is powered down; 0 if it never is. Governors do not count that time; what
        it saves and what waking up takes is not simulated.
    local_memory
        Size in B of a memory of its own: kernels whose activations fit cause traffic to DRAM for their weights alone.
    """

    name: str
    model: str
    opps: tuple[Opp, ...]
    macs_per_cycle: Mapping[str, float]
    bandwidth: float
    power: PowerModel
    layouts: tuple[str, ...] = ("buffer",)
    call_latency: float = 0.0
    transition_latency: float = 0.0
    poll: bool = False
    transition_stall: float = 0.0
    suspend_after: float = 0.0
    local_memory: float = 0.0


@dataclass(frozen=True, slots=True)
class MemoryOpp:
    """A DRAM clock in Hz and the peak bandwidth in B/s that it gives."""

    frequency: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Memory:
    """DRAM shared by all processors.

    Parameters
    ----------
    opps
        Operating points, ascending.
    efficiency
        Share of the peak bandwidth that kernels can reach together.
    energy_per_byte
        Access energy in J/B.
    background_power
        Power in W at the highest clock without traffic.
    capacity
        Size in B.
    transition_latency, transition_stall
        Time in s that a change of the clock takes, and the last part of it, in which nobody can read or write.
    """

    opps: tuple[MemoryOpp, ...]
    efficiency: float
    energy_per_byte: float
    background_power: float = 0.0
    capacity: float = 0.0
    transition_latency: float = 0.0
    transition_stall: float = 0.0

    @property
    def bandwidth(self) -> float:
        """Usable bandwidth at the highest clock, in B/s."""
        return self.opps[-1].bandwidth * self.efficiency


@dataclass(frozen=True, slots=True)
class SyncTime:
    """Time until one processor sees that another has finished, in s: independent of size, a distribution."""

    mean: float
    sd: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Copying:
    """What it costs a library to copy a tensor from one side to the other, its change of layout included.

    Parameters
    ----------
    fixed
        Time in s of the driver's calls and of waiting for them.
    per_byte
        Copying and changing the layout, s/B.
    """

    fixed: float
    per_byte: float


@dataclass(frozen=True, slots=True)
class Sharing:
    """What it costs the CPU and one accelerator to share a tensor.

    Parameters
    ----------
    map_per_byte
        Mapping a buffer for the CPU (cache maintenance), s/B; 0 where memory is coherent.
    transform_per_byte
        Changing the layout between buffer and image on the accelerator, s/B.
    copy_per_byte
        Copying where memory is not shared, s/B; 0 where it is.
    sync
        Waiting until the CPU sees the accelerator's completion (before the CPU may read).
    post_sync, unmap
        Handing a buffer back to the accelerator, s.
    copied
        What libraries pay that copy tensors where they could map them, in place of all that; None where nobody knows,
        and they pay what the others do.
    """

    map_per_byte: float
    transform_per_byte: float
    sync: SyncTime
    post_sync: float = 0.0
    unmap: float = 0.0
    copy_per_byte: float = 0.0
    copied: Copying | None = None
