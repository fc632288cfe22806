"""A run on CPU cores: worker threads that meet at a barrier after every operator.

While all of them hold their cores, the run advances as one, with a single event. When one loses its core, the operator
under way goes on thread by thread until its barrier.
"""

from __future__ import annotations

from math import inf
from typing import Any

from socsim.devices.threads import Thread
from socsim.simulation.run import Run
from socsim.simulation.timeline import Progress, body_time
from socsim.simulation.workers import Workers

__all__ = ["TeamRun"]


def _nobody() -> None:
    """The threads of a finished run tell nobody."""


class TeamRun(Run):
    """A segment on a team of worker threads; parameters as of :class:`socsim.simulation.run.Run`."""

    _workers: Workers | None = None
    _settled = 0.0
    _factor = 1.0
    _silent = False
    _threads: tuple[Thread, ...] = ()

    # --- life -------------------------------------------------------------------------------------------------

    def _take_processor(self) -> None:
        self._threads = self.fragment.context.team(self.segment.team)
        self._silent = True
        for thread in self._threads:
            thread.on_change, thread.activity = self._retime, self.segment.activity
            self.executor.cores.wake(thread)
        self._silent = False

    def _leave_processor(self) -> None:
        self._silent = True
        for thread in self._threads:
            thread.on_change = _nobody
        for thread in self._threads:
            if thread.runnable:
                self.executor.cores.sleep(thread)

    def _retime(self) -> None:
        if not self._silent:
            self.replan()

    # --- planning ---------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """Go on together if all threads hold a core, else thread by thread."""
        if self._workers is not None or self._apart():
            self._plan_workers()
        else:
            super().plan()

    def settle(self) -> None:
        """Bring the progress up to now."""
        if self._workers is None:
            super().settle()
            return
        now = self.executor.env.now
        self._workers.advance(now - self._settled, now)
        self._settled, self._timer = now, None

    def _apart(self) -> bool:
        """Whether a thread has lost its core, so that the barrier waits for it."""
        executor = self.executor
        if executor.cores.policy != "cfs" or not executor.mechanisms.barriers:
            return False
        return 0.0 in [thread.speed for thread in self._threads]

    def _processor_rate(self) -> float:
        weights = self.segment.weights
        pairs = zip(self._threads, weights, strict=True)
        if self.executor.mechanisms.barriers:
            return min([thread.speed / weight for thread, weight in pairs])
        return sum(thread.speed * weight for thread, weight in pairs) / sum(weights)

    # --- thread by thread -------------------------------------------------------------------------------------

    def _plan_workers(self) -> None:
        executor, now = self.executor, self.executor.env.now
        if self._workers is None:
            self._part_ways(now)
        workers = self._workers
        assert workers is not None
        slowness = self._slowness()
        workers.speeds = [thread.speed / slowness for thread in self._threads]
        self._settled, self._factor = now, 1.0
        if executor.contended and self.moves_bytes:
            self.share = -1.0
            executor.share_memory()
        else:
            self._arm_workers()

    def _part_ways(self, now: float) -> None:
        """From common progress to what each thread has left of the operator under way."""
        entry, progress, weights = self.entry, self.progress, self.segment.weights
        body = body_time(entry, 1.0, self.executor.dram_clocked)
        alone = entry.overhead + body
        left = progress.overhead * entry.overhead + progress.body * body
        done = 1.0 - left / alone if alone else 1.0
        pace = [thread.reference for thread in self._threads]
        parts = [weight * alone for weight in weights]
        context = self.fragment.context
        tiles = context.tiles if len(parts) > 1 else 1
        self._workers = Workers(parts, tiles, pace, done, context.spin)
        self._workers.start_all(now)
        self.in_body = True
        if self._begun < 0.0:
            self._begun = now
        self._laid_out = now

    def _arm_workers(self) -> None:
        workers, executor = self._workers, self.executor
        assert workers is not None
        left = workers.next_change(executor.env.now)
        if workers.all_done and self._threads[0].speed > 0.0:
            left = 0.0
        self._timer = None
        if left < inf:
            self._wake(left, self._worker_event)

    def _worker_event(self, event: Any) -> None:
        if event is not self._timer:
            return
        self.settle()
        workers, now, cores = self._workers, self.executor.env.now, self.executor.cores
        assert workers is not None
        if workers.all_done and self._main_runs():
            self._meet()
            return
        self._silent = True
        for i in workers.tired(now):
            cores.sleep(self._threads[i])
        self._silent = False
        self._plan_workers()

    def _main_runs(self) -> bool:
        """Whether the main thread, woken up if it slept, has a core to go on with."""
        main = self._threads[0]
        if not main.runnable:
            self._silent = True
            self.executor.cores.wake(main)
            self._silent = False
        return main.speed > 0.0

    def _meet(self) -> None:
        """All parts are done: the main thread begins the next operator and wakes who sleeps."""
        cores = self.executor.cores
        self._workers = None
        self.in_body = False
        if self.progress.index + 1 < len(self.segment.entries):
            self._silent = True
            for thread in self._threads:
                if not thread.runnable:
                    cores.wake(thread)
            self._silent = False
        self._operator_done()

    def _operator_done(self) -> None:
        now, index = self.executor.env.now, self.progress.index
        self.marks.append((self._begun, now))
        self._begun, self.share = -1.0, 0.0
        if index + 1 == len(self.segment.entries):
            self._end()
            return
        moved = self.segment.entries[index].bytes
        self.progress = Progress(index + 1, 1.0, 1.0, 0.0)
        self._laid_out = now
        self.plan()
        if moved and not self.in_body and self.executor.contended:
            self.executor.share_memory()

    # --- DRAM -------------------------------------------------------------------------------------------------

    @property
    def demand(self) -> float:
        """DRAM bandwidth in B/s that the operator can use with the threads that run."""
        if self._workers is None:
            return super().demand
        return self.entry.bytes * self._workers.flow / self._factor

    def give(self, share: float) -> None:
        """Go on with another share of DRAM, in B/s."""
        workers = self._workers
        if workers is None:
            super().give(share)
            return
        demand = self.demand
        self.settle()
        factor = min(1.0, share / demand) if demand > 0.0 else 1.0
        workers.speeds = [speed / self._factor * factor for speed in workers.speeds]
        self._factor, self.share = factor, share
        self._arm_workers()

    def bytes_until_now(self) -> float:
        """DRAM traffic in B of a run that has not been settled."""
        if self._workers is None:
            return super().bytes_until_now()
        since = float(self.executor.env.now) - self._settled
        return self.bytes_so_far() + self._workers.flow * since * self.entry.bytes

    def bytes_so_far(self) -> float:
        """DRAM traffic in B of a settled run."""
        if self._workers is None:
            return super().bytes_so_far()
        done = sum(entry.bytes for entry in self.segment.entries[: self.progress.index])
        return done + (1.0 - self._workers.share_left) * self.entry.bytes
