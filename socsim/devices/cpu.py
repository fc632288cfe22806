"""CPU cores shared by threads: ideal processor sharing, at the clock of each core's cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Protocol

import simpy

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
    env
        The SimPy clock.
    device
        Whose cores.
    """

    def __init__(self, env: simpy.Environment, device: Device) -> None:
        self._env = env
        self.speed = [1.0] * len(device.cores)
        """Clock of each core relative to its highest."""
        peak = device.cores[device.fastest_core]
        reference = peak.macs_per_cycle["fp32"] * peak.max_opp.frequency
        self._host_speed = [c.macs_per_cycle["fp32"] * c.max_opp.frequency / reference for c in device.cores]
        self._threads: list[list[Thread]] = [[] for _ in device.cores]
        self._kernels = [0] * len(device.cores)
        self._since = [0.0] * len(device.cores)
        self.kernel_overlap = [0.0] * len(device.cores)
        self.host_overlap = [0.0] * len(device.cores)
        """Time in s that threads of each kind shared each core with others: counted more than once by their sums.

        Where both kinds share a core, it runs kernels."""

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

    def enter(self, thread: Thread, team: Iterable[int], *, kernel: bool = True) -> None:
        """Put a thread on each core of a team, to run kernels or (``kernel=False``) to dispatch them.

        Those that share a core are replanned.
        """
        neighbours: dict[int, Thread] = {}
        for core in team:
            threads = self._threads[core]
            if threads:
                self._settle(core)
                neighbours.update((id(other), other) for other in threads if other is not thread)
            threads.append(thread)
            self._kernels[core] += kernel
        for other in neighbours.values():
            other.replan()

    def leave(self, thread: Thread, team: Iterable[int], *, kernel: bool = True) -> None:
        """Take a thread off each core of a team; those that shared a core are replanned."""
        neighbours: dict[int, Thread] = {}
        for core in team:
            threads = self._threads[core]
            if len(threads) > 1:
                self._settle(core)
            threads.remove(thread)
            self._kernels[core] -= kernel
            if threads:
                neighbours.update((id(other), other) for other in threads if other is not thread)
        for other in neighbours.values():
            other.replan()

    def close(self) -> None:
        """Bring the overlaps up to now."""
        for core in range(len(self._threads)):
            self._settle(core)

    def _settle(self, core: int) -> None:
        now, threads, kernels = self._env.now, len(self._threads[core]), self._kernels[core]
        if threads > 1:
            time = now - self._since[core]
            self.kernel_overlap[core] += time * max(0, kernels - 1)
            self.host_overlap[core] += time * (threads - max(1, kernels))
        self._since[core] = now
