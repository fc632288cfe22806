"""CPU cores shared by threads: ideal processor sharing, at the clock of each core's cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Protocol

from socsim.devices.device import Device

__all__ = ["Cores", "Thread"]


class Thread(Protocol):
    """Whatever runs on cores and must be told when its speed changes."""

    def replan(self) -> None:
        """Work the rest out again with the present speeds."""


class Cores:
    """Who runs on which core, and how fast that makes everyone.

    Parameters
    ----------
    device
        Whose cores.
    """

    def __init__(self, device: Device) -> None:
        self.speed = [1.0] * len(device.cores)
        """Clock of each core relative to its highest."""
        peak = device.cores[device.fastest_core]
        reference = peak.macs_per_cycle["fp32"] * peak.max_opp.frequency
        self._host_speed = [c.macs_per_cycle["fp32"] * c.max_opp.frequency / reference for c in device.cores]
        self._threads: list[list[Thread]] = [[] for _ in device.cores]

    def rate(self, team: Sequence[int], weights: Sequence[float]) -> float:
        """Speed of a team that meets at a barrier: its slowest thread's, 1 for everyone alone at the highest clock."""
        slowest = inf
        for core, weight in zip(team, weights, strict=True):
            rate = self.speed[core] / (len(self._threads[core]) * weight)
            if rate < slowest:
                slowest = rate
        return slowest

    def host_rate(self, core: int) -> float:
        """Speed of a host thread on a core, relative to alone on the fastest core at its highest clock."""
        return self._host_speed[core] * self.speed[core] / len(self._threads[core])

    def enter(self, thread: Thread, team: Iterable[int]) -> None:
        """Put a thread on each core of a team; those that share a core are replanned."""
        neighbours: dict[int, Thread] = {}
        for core in team:
            threads = self._threads[core]
            if threads:
                neighbours.update((id(other), other) for other in threads if other is not thread)
            threads.append(thread)
        for other in neighbours.values():
            other.replan()

    def leave(self, thread: Thread, team: Iterable[int]) -> None:
        """Take a thread off each core of a team; those that shared a core are replanned."""
        neighbours: dict[int, Thread] = {}
        for core in team:
            threads = self._threads[core]
            threads.remove(thread)
            if threads:
                neighbours.update((id(other), other) for other in threads if other is not thread)
        for other in neighbours.values():
            other.replan()
