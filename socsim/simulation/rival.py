"""Competing processes on a running device."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from math import inf
from typing import Any

import numpy as np
from simpy.events import Timeout

from socsim.devices.threads import Thread
from socsim.simulation.burst import Burst
from socsim.simulation.context import Context
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.kernelgraph import Entry, KernelGraph, Step, compress
from socsim.simulation.threadtraffic import ThreadTraffic
from socsim.workloads.competitors import Competitor
from socsim.workloads.uclamp import make_uclamp

__all__ = ["AcceleratorRival", "CpuRival", "start_competitor"]


def start_competitor(
    executor: Executor, competitor: Competitor, rng: np.random.Generator, names: Sequence[str] = ()
) -> None:
    """Let all processes of a competitor begin.

    Its threads know nothing of each other: where in its period each begins is drawn.

    Parameters
    ----------
    executor, competitor, rng
        The device, what begins, and what draws where in a period each process begins.
    names
        Of its processes; by default as it says itself.

    Raises
    ------
    UnknownNameError
        The device has no such processor.
    """
    executor.device.check_processor(competitor.processor)
    kind = CpuRival if competitor.processor == "cpu" else AcceleratorRival
    for name in names or competitor.processes:
        kind(executor, competitor, name, rng)


def _active_times(competitor: Competitor) -> Generator[tuple[float, float], None, None]:
    """(start, end) in s of the times for which it computes."""
    on, off = competitor.seconds("on"), competitor.seconds("off")
    start, stop = competitor.seconds("start"), competitor.seconds("stop")
    if not off:
        yield start, stop
        return
    while start < stop:
        yield start, min(stop, start + on)
        start += on + off


class _Rival:
    """What both kinds have: times of activity."""

    def __init__(self, executor: Executor, competitor: Competitor) -> None:
        self.executor, self.competitor = executor, competitor
        self.until = 0.0
        executor.env.process(self._live())

    def _live(self) -> Generator[Any, Any, None]:
        env = self.executor.env
        for start, end in _active_times(self.competitor):
            if start > env.now:
                yield env.timeout(start - env.now)
            self.until = end
            self.begin()
            if end == inf:
                return
            yield env.timeout(end - env.now)
            self.end()

    def begin(self) -> None:
        """Compute from now on."""

    def end(self) -> None:
        """Compute no more."""


class CpuRival(_Rival):
    """A process whose threads compute all the time or with pauses, and move bytes while they do.

    Parameters
    ----------
    executor, competitor, name, rng
        The device, what it is, its name, and what draws where in a period it begins.
    """

    def __init__(
        self, executor: Executor, competitor: Competitor, name: str, rng: np.random.Generator
    ) -> None:
        super().__init__(executor, competitor)
        cores = executor.device.allowed_cores(competitor.affinity, competitor.cpuset)
        uclamp = make_uclamp(competitor.uclamp)
        self._threads = [
            executor.cores.thread(
                f"{name}.{i}", "other", cores, nice=competitor.nice, absolute=True, uclamp=uclamp
            )
            for i in range(competitor.threads)
        ]
        for thread in self._threads:
            thread.iowait = competitor.iowait
            thread.traffic = competitor.number("traffic") / competitor.threads
        self._memory, self._moving = ThreadTraffic(executor, self._threads), False
        self._duty, self._period = competitor.duty, competitor.seconds("period")
        self._rng = rng
        self._offsets = [float(rng.uniform(0.0, self._period)) for _ in self._threads]
        self._going: set[Thread] = set()
        """Threads whose periods go on."""

    def begin(self) -> None:
        """Wake all threads."""
        if not self._moving:
            self._moving = True
            self._memory.join()
        for thread, offset in zip(self._threads, self._offsets, strict=True):
            if thread not in self._going:
                self._going.add(thread)
                timer = Timeout(self.executor.env, offset)
                timer.callbacks.append(partial(self._once if self._duty < 1.0 else self._forever, thread))
        if self._duty == 1.0:
            self._offsets = [0.0] * len(self._threads)

    def end(self) -> None:
        """Send the threads that compute without a pause to sleep; others finish what is under way."""
        for thread in self._threads:
            if self._duty == 1.0 and thread.runnable:
                thread.on_change = self._ignore
                self.executor.cores.sleep(thread)
        if self._duty == 1.0:
            self._leave()

    def _leave(self) -> None:
        """Move no more bytes."""
        if self._moving:
            self._moving = False
            self._memory.leave()

    def _forever(self, thread: Thread, event: Any) -> None:
        """Let a thread compute without a pause."""
        self._going.discard(thread)
        if thread.runnable or self.executor.env.now >= self.until:
            return
        thread.on_change = self._memory.changed
        self.executor.cores.wake(thread)

    def _ignore(self) -> None:
        """A thread that ends tells nobody."""

    def _once(self, thread: Thread, event: Any) -> None:
        """One period of a thread: compute, then pause until the next."""
        executor = self.executor
        if executor.env.now >= self.until:
            self._going.discard(thread)
            if not self._going:
                self._leave()
            return

        def done() -> None:
            pause = float(self._rng.exponential((1.0 - self._duty) * self._period))
            timer = Timeout(executor.env, pause)
            timer.callbacks.append(partial(self._once, thread))

        Burst(
            executor.env, executor.cores, thread, self._duty * self._period, done, tell=self._memory.changed
        )


class AcceleratorRival(_Rival):
    """A process that sends one kernel after the other to an accelerator.

    Parameters
    ----------
    executor, competitor, name, rng
        The device, what it is, its name, and what draws where in a period it begins.
    """

    def __init__(
        self, executor: Executor, competitor: Competitor, name: str, rng: np.random.Generator
    ) -> None:
        super().__init__(executor, competitor)
        cores = executor.device.allowed_cores(competitor.affinity, competitor.cpuset)
        self._context = Context(
            executor, name, cores[0], host_cores=cores, nice=competitor.nice, priority=competitor.priority,
            uclamp=make_uclamp(competitor.uclamp),
        )  # fmt: skip
        self.name = name
        self._kernel = competitor.seconds("kernel")
        self._offset = float(rng.uniform(0.0, self._kernel / competitor.duty))
        entry = Entry(
            "kernel", name, competitor.processor, "other", compute=self._kernel,
            bytes=self._kernel * competitor.number("traffic"), reach=max(1.0, competitor.number("traffic")),
        )  # fmt: skip
        self._graph: KernelGraph = compress([Step(competitor.processor, (entry,), set())])
        self._sent, self._going = 0, False

    def begin(self) -> None:
        """Send the first kernel, unless one is still under way."""
        if self._going:
            return
        self._going = True
        Timeout(self.executor.env, self._offset).callbacks.append(self._send)

    def _send(self, event: Any = None) -> None:
        self._going = self.executor.env.now < self.until
        if self._going:
            self._sent += 1
            self.executor.launch(Fragment(self._graph, self.name, self._sent, self._context, self._done))

    def _done(self, fragment: Fragment) -> None:
        pause = self._kernel * (1.0 / self.competitor.duty - 1.0)
        if pause:
            Timeout(self.executor.env, pause).callbacks.append(self._send)
        else:
            self._send()
