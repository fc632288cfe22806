"""Who runs on one core: in turns as CFS has it, or all at once at a share of the speed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import Timeout

from socsim.devices.cfs import CfsParameters
from socsim.devices.threads import Thread

__all__ = ["FairQueue", "RunQueue", "SharedQueue"]


class RunQueue(ABC):
    """The runnable threads of one core.

    Parameters
    ----------
    env
        The SimPy clock.
    core
        Its number.
    pace
        Gives the core's present speed; the fastest core's at its highest clock is 1.
    """

    def __init__(self, env: simpy.Environment, core: int, pace: float) -> None:
        self.env, self.core, self.pace = env, core, pace
        self.busy = {"kernel": 0.0, "host": 0.0, "other": 0.0}
        """Time in s that the core worked, by kind of thread."""
        self.drawn = {"kernel": 0.0, "host": 0.0, "other": 0.0}
        """The same times, each by the activity of what ran."""
        self.since = 0.0
        """Until when the accounts are kept."""
        self.group = 0
        """Index of the group of cores under which a thread's time counts here."""

    @property
    @abstractmethod
    def waiting(self) -> list[Thread]:
        """Runnable threads that do not hold the core, the next one first."""

    @property
    @abstractmethod
    def runnable(self) -> int:
        """Number of threads that run or wait."""

    @property
    @abstractmethod
    def threads(self) -> list[Thread]:
        """Threads that run or wait."""

    @abstractmethod
    def add(self, thread: Thread, *, fresh: bool) -> None:
        """A thread has become runnable here; `fresh` if it never ran."""

    @abstractmethod
    def resume(self, thread: Thread) -> None:
        """A thread that ran before wakes up on this idle core; it is not told that it runs."""

    @abstractmethod
    def remove(self, thread: Thread) -> None:
        """A thread is no longer runnable here."""

    @abstractmethod
    def settle(self) -> None:
        """Bring the accounts up to now."""

    def busy_until_now(self) -> float:
        """Time in s that the core has worked; nothing changes."""
        under_way = self.env.now - self.since if self._running() else 0.0
        return sum(self.busy.values()) + under_way

    def set_pace(self, pace: float) -> None:
        """The core's clock has changed."""
        self.settle()
        self.pace = pace
        for thread in self._running():
            self._give(thread, thread.share)
            thread.on_change()

    @abstractmethod
    def _running(self) -> list[Thread]:
        """Threads that hold the core."""

    def _book(self, thread: Thread, time: float) -> None:
        drawn = time * thread.activity
        self.busy[thread.kind] += time
        self.drawn[thread.kind] += drawn
        thread.ran[self.group] += time
        thread.drew[self.group] += drawn

    def _give(self, thread: Thread, share: float) -> None:
        thread.share = share
        thread.speed = share * (self.pace / thread.reference)


class SharedQueue(RunQueue):
    """Ideal processor sharing: every runnable thread has its share at every instant, as its weight says."""

    def __init__(self, env: simpy.Environment, core: int, pace: float) -> None:
        super().__init__(env, core, pace)
        self._threads: list[Thread] = []

    @property
    def waiting(self) -> list[Thread]:
        """All but one: an idle core could run them faster."""
        return self._threads[1:]

    @property
    def runnable(self) -> int:
        """Number of threads."""
        return len(self._threads)

    @property
    def threads(self) -> list[Thread]:
        """All threads, in order of coming."""
        return list(self._threads)

    def add(self, thread: Thread, *, fresh: bool) -> None:
        """Share the core with one more."""
        self.settle()
        self._threads.append(thread)
        self._share_out()

    def resume(self, thread: Thread) -> None:
        """Have the core alone."""
        self.since = self.env.now
        self._threads.append(thread)
        self._give(thread, 1.0)

    def remove(self, thread: Thread) -> None:
        """Share the core with one less."""
        self.settle()
        self._threads.remove(thread)
        self._give(thread, 0.0)
        self._share_out()

    def _share_out(self) -> None:
        total = sum(thread.weight for thread in self._threads)
        changed = [thread for thread in self._threads if thread.share != thread.weight / total]
        for thread in changed:
            self._give(thread, thread.weight / total)
        for thread in changed:
            thread.on_change()

    def settle(self) -> None:
        """Book every thread's share of the time."""
        now = self.env.now
        for thread in self._threads:
            time = thread.share * (now - self.since)
            self._book(thread, time)
        self.since = now

    def _running(self) -> list[Thread]:
        return list(self._threads)


class FairQueue(RunQueue):
    """Linux' CFS: one thread at a time, in order of vruntime, for slices that end on ticks.

    Parameters
    ----------
    rules
        The scheduler's settings.
    sequence
        Gives ever larger numbers, to break ties by order of queueing.
    """

    def __init__(
        self,
        env: simpy.Environment,
        core: int,
        pace: float,
        rules: CfsParameters,
        sequence: Callable[[], int],
    ) -> None:
        super().__init__(env, core, pace)
        self.rules, self._sequence, self._credit = rules, sequence, rules.sleeper_credit
        self.current: Thread | None = None
        self.least_vruntime = 0.0
        """Never falls; where threads are placed that come from elsewhere."""
        self._queue: list[Thread] = []
        self._weight = 0
        self._ran = 0.0
        self._timer: Any = None

    @property
    def waiting(self) -> list[Thread]:
        """Runnable threads that do not hold the core, by vruntime."""
        return self._queue

    @property
    def runnable(self) -> int:
        """Number of threads that run or wait."""
        return len(self._queue) + (self.current is not None)

    @property
    def threads(self) -> list[Thread]:
        """Threads that run or wait, who runs first."""
        return [*self._running(), *self._queue]

    def add(self, thread: Thread, *, fresh: bool) -> None:
        """Let it run if the core is idle or it may preempt; else it waits."""
        self.settle()
        self._weight += thread.weight
        if fresh:
            count = self.runnable + 1
            thread.vruntime = self.rules.debited(count, thread.weight, self._weight, self.least_vruntime)
        else:
            thread.vruntime = self.rules.placed(thread.vruntime, self.least_vruntime)
        running = self.current
        if running is None:
            self._run(thread)
        elif self.rules.preempts(thread.vruntime, thread.weight, running.vruntime):
            self._stop(running)
            self._run(thread)
            running.on_change()
        else:
            self._insert(thread)
            self._arm()
            return
        self._arm()
        thread.on_change()

    def resume(self, thread: Thread) -> None:
        """Run it at once."""
        self.since, self._ran = self.env.now, 0.0
        self._weight = thread.weight
        forgiven = self.least_vruntime - self._credit
        if thread.vruntime < forgiven:
            thread.vruntime = forgiven
        self.current = thread
        thread.share, thread.speed = 1.0, self.pace / thread.reference

    def remove(self, thread: Thread) -> None:
        """It sleeps or moves away: the next one runs."""
        self.settle()
        self._weight -= thread.weight
        if thread is self.current and not self._queue:
            self.current = self._timer = None
            thread.share = thread.speed = 0.0
            return
        if thread is not self.current:
            self._queue.remove(thread)
            self._arm()
            return
        self.current = None
        self._give(thread, 0.0)
        self._run_next()

    def settle(self) -> None:
        """Advance the running thread's vruntime, and the core's least."""
        now, running = self.env.now, self.current
        if running is not None:
            elapsed = now - self.since
            if elapsed > 0.0:
                running.vruntime += elapsed * 1024 / running.weight
                self._ran += elapsed
                self._book(running, elapsed)
            least = running.vruntime
            if self._queue and self._queue[0].vruntime < least:
                least = self._queue[0].vruntime
            if least > self.least_vruntime:
                self.least_vruntime = least
        elif self._queue:
            self.least_vruntime = max(self.least_vruntime, self._queue[0].vruntime)
        self.since = now

    def _running(self) -> list[Thread]:
        return [self.current] if self.current is not None else []

    def _insert(self, thread: Thread) -> None:
        thread.order = self._sequence()
        insort(self._queue, thread, key=lambda other: (other.vruntime, other.order))

    def _stop(self, thread: Thread) -> None:
        self.current = None
        self._give(thread, 0.0)
        self._insert(thread)

    def _run(self, thread: Thread) -> None:
        self.current, self._ran = thread, 0.0
        self._give(thread, 1.0)

    def _run_next(self) -> None:
        if not self._queue:
            self._timer = None
            return
        thread = self._queue.pop(0)
        self._run(thread)
        self._arm()
        thread.on_change()

    def _arm(self) -> None:
        """Set the timer for the tick at which the running thread has to go."""
        running = self.current
        if running is None or not self._queue:
            self._timer = None
            return
        rules, now = self.rules, self.env.now
        turn = rules.slice(len(self._queue) + 1, running.weight, self._weight)
        ahead = running.vruntime - self._queue[0].vruntime
        end = rules.turn_ends(now, self._ran, turn, running.weight, ahead, others=True)
        self._timer = timer = Timeout(self.env, end - now)
        timer.callbacks.append(self._tick)

    def _tick(self, event: Any) -> None:
        if event is not self._timer:
            return
        self.settle()
        running = self.current
        assert running is not None
        if self._queue[0].vruntime > running.vruntime:
            self._ran = 0.0
            self._arm()
            return
        following = self._queue.pop(0)
        self._stop(running)
        self._run(following)
        self._arm()
        running.on_change()
        following.on_change()
