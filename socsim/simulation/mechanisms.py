"""Which mechanisms of contention a simulation has: all of them, unless somebody wants to see what one of them does."""

from __future__ import annotations

from dataclasses import dataclass

from socsim.devices.cfs import PLACEMENTS, PlacementPolicy
from socsim.devices.cpu import CPU_POLICIES, CpuPolicy
from socsim.errors import UnknownNameError

__all__ = ["ALL_MECHANISMS", "Mechanisms"]


@dataclass(frozen=True, slots=True)
class Mechanisms:
    """Switches for ablations.

    Parameters
    ----------
    cpu
        ``"cfs"`` (default): threads share a core in turns, as Linux has it; ``"processor_sharing"``: all at once, each
        at its share of the speed.
    barriers
        Whether the workers of an operator wait for the slowest (default); without, its work flows to whoever has a
        core.
    dram
        Whether processors share DRAM bandwidth (default); without, each has all of it.

    placement
        How a core is found for a thread that wakes up: ``"balance"`` or ``"eas"``, whatever the device's file says;
        None (default) does as the file says.

    Raises
    ------
    UnknownNameError
        No CPU policy or placement of that name.
    """

    cpu: CpuPolicy = "cfs"
    barriers: bool = True
    dram: bool = True
    placement: PlacementPolicy | None = None

    def __post_init__(self) -> None:
        if self.cpu not in CPU_POLICIES:
            raise UnknownNameError("cpu policy", self.cpu, CPU_POLICIES)
        if self.placement is not None and self.placement not in PLACEMENTS:
            raise UnknownNameError("placement", str(self.placement), PLACEMENTS)


ALL_MECHANISMS = Mechanisms()
