"""A clock domain in motion: its operating points, its limits, and where it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf

from socsim.devices.device import MemoryOpp
from socsim.devices.opp import Opp

__all__ = ["ClockDomain"]


class ClockDomain:
    """Clocks that change together: a CPU policy, an accelerator, or DRAM.

    Limits come from several sides at once (the user, a power mode, heat), each known by its name: the lowest cap and
    the highest floor count, and where they cross, the cap.

    Parameters
    ----------
    name
        ``"cpu.<cluster>"``, an accelerator's name, or ``"dram"``.
    points
        Operating points, ascending. It begins at the highest.
    latency
        Time in s from a request until the new clock is effective.
    stall
        Time in s, the last of `latency`, in which nothing runs.
    """

    def __init__(
        self, name: str, points: Sequence[Opp] | Sequence[MemoryOpp], latency: float = 0.0, stall: float = 0.0
    ) -> None:
        self.name, self.latency, self.stall = name, latency, stall
        self.points: tuple[Opp | MemoryOpp, ...] = tuple(points)
        self.frequencies = tuple(point.frequency for point in points)
        self.index = len(self.points) - 1
        """Where it is now."""
        self._caps: dict[str, float] = {}
        self._floors: dict[str, float] = {}

    @property
    def point(self) -> Opp | MemoryOpp:
        """The present operating point."""
        return self.points[self.index]

    @property
    def frequency(self) -> float:
        """The present clock in Hz."""
        return self.frequencies[self.index]

    @property
    def speed(self) -> float:
        """The present clock as a share of the highest."""
        return self.frequency / self.frequencies[-1]

    @property
    def maximum(self) -> float:
        """Highest clock in Hz that is allowed now."""
        return self.frequencies[self._bounds()[1]]

    @property
    def minimum(self) -> float:
        """Lowest clock in Hz that is allowed now."""
        return self.frequencies[self._bounds()[0]]

    def cap(self, who: str, frequency: float | None) -> None:
        """Let `who` allow no more than a clock in Hz; None for no limit any more."""
        _set(self._caps, who, frequency)

    def cap_but(self, who: str) -> float:
        """Highest clock in Hz that all but `who` allow; infinite for no limit."""
        return min((cap for other, cap in self._caps.items() if other != who), default=inf)

    def floor(self, who: str, frequency: float | None) -> None:
        """Let `who` want at least a clock in Hz; None for no limit any more."""
        _set(self._floors, who, frequency)

    def floor_of(self, who: str) -> float:
        """Least clock in Hz that `who` wants; 0 for no limit."""
        return self._floors.get(who, 0.0)

    def pick(self, frequency: float) -> int:
        """Index of the lowest allowed operating point of at least a clock in Hz, else of the highest allowed one."""
        low, high = self._bounds()
        wanted = bisect_left(self.frequencies, frequency * (1.0 - 1e-9))
        return min(max(wanted, low), high)

    def highest_within(self, cap: float) -> int:
        """Index of the highest operating point within a clock in Hz, whatever is allowed; else of the lowest."""
        return max(0, bisect_right(self.frequencies, cap * (1.0 + 1e-9)) - 1)

    def _bounds(self) -> tuple[int, int]:
        """Indices of the lowest and the highest allowed operating points."""
        highest = len(self.points) - 1
        high = low = highest
        if self._caps:
            high = self.highest_within(min(self._caps.values()))
        if self._floors:
            low = min(highest, bisect_left(self.frequencies, max(self._floors.values()) * (1.0 - 1e-9)))
        else:
            low = 0
        return min(low, high), high


def _set(limits: dict[str, float], who: str, frequency: float | None) -> None:
    if frequency is None:
        limits.pop(who, None)
    else:
        limits[who] = frequency
