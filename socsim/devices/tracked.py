"""Run queues that keep account of the utilisation of their core and its threads."""

from __future__ import annotations

from typing import cast

from socsim.devices.eas import Usage, clamped
from socsim.devices.pelt import ThreadLoad, decayed
from socsim.devices.runqueue import FairQueue, RunQueue, SharedQueue
from socsim.devices.threads import Thread

__all__ = ["TrackedFairQueue", "TrackedQueue", "TrackedSharedQueue", "load_of"]

_NO_CLAMP = (0.0, 1024.0)


def load_of(thread: Thread) -> ThreadLoad:
    """The account of a thread that has been on a tracked queue."""
    assert thread.load is not None
    return thread.load


class TrackedQueue(RunQueue):
    """What both kinds of queue have in common; nothing here changes who runs when.

    Utilisation is brought up to date when the queue settles, which it does before anything changes.
    """

    full_capacity = 1024.0
    """Capacity of the core at its highest clock."""
    full_pace = 1.0
    """Pace of the core at its highest clock."""
    _average = 0.0
    _expected = 0.0
    _clamps = False
    """Whether it has ever had a thread with a clamp."""
    _last_clamp = 1024.0

    def rate(self, capacity: float) -> None:
        """Say what the core's capacity is at the pace that it has now."""
        self.full_capacity, self.full_pace = capacity, self.pace

    @property
    def capacity(self) -> float:
        """Capacity of the core at its present clock."""
        return self.full_capacity * self.pace / self.full_pace

    def average(self) -> float:
        """Utilisation of the core now; changes nothing."""
        share = sum([thread.share for thread in self._running()])
        return decayed(self._average, self.env.now - self.since, share * self.capacity)

    def usage(self) -> Usage:
        """How much of the core is used now; changes nothing."""
        return Usage(self.average(), max(0.0, self._expected), self.clamp(), not self.runnable)

    def clamp(self) -> tuple[float, float]:
        """Least and highest utilisation that the core counts with: the largest of its runnable threads' each.

        An idle core keeps the highest of who ran last, so that what that used does not speed it up while it fades
        (Linux 6.1, `uclamp_idle_value`).
        """
        if not self._clamps:
            return _NO_CLAMP
        clamps = [thread.uclamp for thread in self.threads]
        if not clamps:
            return 0.0, self._last_clamp
        return max(least for least, _ in clamps), max(most for _, most in clamps)

    def thread_loads(self) -> list[tuple[Thread, float]]:
        """Threads that hold the core, with what they use of it now or are expected to, within their clamps."""
        now, found = self.env.now, list[tuple[Thread, float]]()
        for thread in self._running():
            load = load_of(thread)
            ran = decayed(load.at(self.since), now - self.since, thread.share * self.capacity)
            found.append((thread, clamped(max(ran, load.estimate), thread.uclamp)))
        return found

    def settle(self) -> None:
        """Bring the accounts up to now."""
        now, since = self.env.now, self.since
        if now > since:
            running, capacity = self._running(), self.capacity
            for thread in running:
                load_of(thread).ran(since, now, thread.share * capacity)
            share = sum([thread.share for thread in running])
            self._average = decayed(self._average, now - since, share * capacity)
        super().settle()  # type: ignore[safe-super]

    def add(self, thread: Thread, *, fresh: bool) -> None:
        """A thread has become runnable here: what it uses counts here from now on."""
        self.settle()
        if thread.load is None:
            # Linux' `post_init_entity_util_avg`: half of what the core can spare
            first = 0.5 * max(0.0, self.full_capacity - self._average)
            thread.load = ThreadLoad(first, self.env.now)
            self._average += first
        elif thread.load.where is not self:
            self._take_over(thread.load)
        thread.load.where = self
        self._expected += thread.load.estimate
        self._clamps = self._clamps or thread.uclamp != _NO_CLAMP
        super().add(thread, fresh=fresh)  # type: ignore[safe-super]

    def remove(self, thread: Thread) -> None:
        """A thread is no longer runnable here; asleep, its share of the utilisation fades here."""
        self.settle()
        load = load_of(thread)
        self._expected -= load.estimate
        self._last_clamp = thread.uclamp[1]
        if not thread.runnable:
            load.sleeps(self.env.now)
        super().remove(thread)  # type: ignore[safe-super]

    def _take_over(self, load: ThreadLoad) -> None:
        """What a thread that comes from another core has used counts here, and no more there."""
        source = cast(TrackedQueue, load.where)
        source.settle()
        moved = load.at(self.env.now)
        source._average = max(0.0, source._average - moved)
        self._average += moved


class TrackedFairQueue(TrackedQueue, FairQueue):
    """:class:`socsim.devices.runqueue.FairQueue` with accounts of utilisation."""


class TrackedSharedQueue(TrackedQueue, SharedQueue):
    """:class:`socsim.devices.runqueue.SharedQueue` with accounts of utilisation."""
