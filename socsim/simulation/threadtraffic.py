"""DRAM traffic of threads that are no part of an inference."""

from __future__ import annotations

from collections.abc import Sequence

from socsim.devices.threads import Thread
from socsim.simulation.executor import Executor

__all__ = ["ThreadTraffic"]


class ThreadTraffic:
    """Threads that move bytes while they have a core: a user of DRAM as a :class:`socsim.simulation.run.Run` is.

    Parameters
    ----------
    executor
        The device.
    threads
        Of one process. Each moves as many bytes as its ``traffic`` says.
    """

    share = 0.0
    peak_demand = 0.0
    """DRAM bandwidth in B/s that they use at most, since they last joined."""

    def __init__(self, executor: Executor, threads: Sequence[Thread]) -> None:
        self.executor, self._threads = executor, threads
        self._account = executor.account_of(threads[0].process)
        self._settled, self._flow = 0.0, 0.0

    def join(self) -> None:
        """Take part in the sharing of DRAM from now on."""
        self.peak_demand = sum(thread.traffic for thread in self._threads)
        if self.peak_demand:
            self.executor.join_memory(self)

    def leave(self) -> None:
        """Take part no longer."""
        if self.peak_demand:
            self.settle()
            self._flow = 0.0
            self.executor.leave_memory(self)

    def changed(self) -> None:
        """A thread has got or lost a core."""
        if not self.peak_demand:
            return
        if not self.executor.contended or not self.moves_bytes:
            self.give(self.demand)
        if self.executor.contended:
            self.executor.share_memory()

    @property
    def demand(self) -> float:
        """DRAM bandwidth in B/s that they use now."""
        return sum(thread.traffic * thread.share for thread in self._threads)

    @property
    def moves_bytes(self) -> bool:
        """Whether they use DRAM now."""
        return self.demand > 0.0

    def bytes_until_now(self) -> float:
        """Traffic in B since it was booked last."""
        return self._flow * (float(self.executor.env.now) - self._settled)

    def settle(self) -> None:
        """Book the traffic up to now."""
        self._account.moved += self.bytes_until_now()
        self._settled = float(self.executor.env.now)

    def plan(self) -> None:
        """Go on with all that they can use."""
        self.give(self.demand)

    def give(self, share: float) -> None:
        """Go on with a share of DRAM, in B/s."""
        self.settle()
        self.share = self._flow = min(share, self.demand)
