"""What one application holds on the device: command queues, worker threads, and threads that dispatch and map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from socsim.devices.accelerator import CommandQueue
from socsim.devices.threads import Thread
from socsim.workloads.uclamp import NO_CLAMP, Clamp

if TYPE_CHECKING:
    from socsim.simulation.executor import Executor

__all__ = ["Context"]


class Context:
    """An application on a running device.

    Parameters
    ----------
    executor
        The device.
    name
        Of the application.
    host
        Core that its main thread prefers.
    host_cores
        Cores that the threads beside the workers may use: all by default.
    nice
        Of all its threads, from -20 to 19.
    spin
        Time in s that a worker waits busily at a barrier before it sleeps.
    tiles
        Parts per worker of every operator; with more than one, workers that are done take over others' parts.
    priority
        Of its commands on accelerators: higher first.
    uclamp
        Least and highest utilisation that its threads count with.
    calls
        Whether its main thread waits for accelerators that are called (DSPs), as that of an inference library does.
    """

    def __init__(
        self, executor: Executor, name: str, host: int, *, host_cores: Sequence[int] = (), nice: int = 0,
        spin: float = 0.0, tiles: int = 1, priority: float = 0, calls: bool = False, uclamp: Clamp = NO_CLAMP,
    ) -> None:  # fmt: skip
        self.name, self.host, self.nice, self.spin, self.tiles = name, host, nice, spin, tiles
        self.calls, self._uclamp = calls, uclamp
        self.account = executor.account_of(name)
        self._cores = executor.cores
        self._host_cores = tuple(host_cores) or tuple(range(len(executor.device.cores)))
        self.queues: dict[str, CommandQueue] = executor.new_queues(priority)
        self._teams: dict[tuple[int, ...], tuple[Thread, ...]] = {}
        self._idle_helpers: list[Thread] = []
        self._helpers: list[Thread] = []

    def team(self, cores: tuple[int, ...]) -> tuple[Thread, ...]:
        """Worker threads with these home cores, any of which each may use; made once."""
        if cores not in self._teams:
            self._teams[cores] = tuple(
                self._cores.thread(
                    f"{self.name}.worker{i}", "kernel", cores, home=core, nice=self.nice, uclamp=self._uclamp
                )
                for i, core in enumerate(cores)
            )
        return self._teams[cores]

    def borrow_helper(self) -> Thread:
        """A sleeping thread to dispatch or map with, until :meth:`give_back`."""
        if self._idle_helpers:
            return self._idle_helpers.pop()
        helper = self._cores.thread(
            f"{self.name}.host{len(self._helpers) + 1}", "host", self._host_cores, home=self.host, nice=self.nice,
            absolute=True, uclamp=self._uclamp,
        )  # fmt: skip
        self._helpers.append(helper)
        return helper

    def give_back(self, thread: Thread) -> None:
        """Return a helper, asleep."""
        self._idle_helpers.append(thread)

    @property
    def runnable(self) -> int:
        """Number of its threads that run or wait for a core."""
        workers = {thread for team in self._teams.values() for thread in team}
        return sum(thread.runnable for thread in (*workers, *self._helpers))

    def idle_core(self) -> bool:
        """Whether a core that its helpers may use has nothing to do."""
        return self._cores.any_idle(self._host_cores)
