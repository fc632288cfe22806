"""One execution of a segment: its progress, and the next instant at which something happens to it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from simpy.events import Timeout

from socsim.devices.threads import Thread
from socsim.simulation.kernelgraph import Segment
from socsim.simulation.runstate import RunState
from socsim.simulation.timeline import START, Progress, Timeline, count_enqueued, lay_out

if TYPE_CHECKING:
    from socsim.simulation.executor import Executor, Fragment

__all__ = ["Run"]

_NEVER = 1 << 60

_AHEAD, _PAUSED_AHEAD = 64, 4
"""Entries laid out at once where another plan is likely before the segment's end; after a pause, when it is sure."""


class Run(RunState):
    """A segment on its queue; parameters as of :class:`socsim.simulation.runstate.RunState`."""

    share = 0.0
    in_body = False
    _holds = True
    _stop_at = _NEVER
    _ahead = _AHEAD
    _host: Thread | None = None
    _host_timer: Any = None

    def __init__(self, executor: Executor, fragment: Fragment, segment: Segment) -> None:
        super().__init__(executor, fragment, segment)
        self.left = segment.needs

    # --- life -------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether all segments of other queues that it needs have finished."""
        return self.left == 0

    def release(self) -> None:
        """One of the segments that it needs has finished."""
        self.left -= 1
        if not self.left:
            self.fragment.context.queues[self.segment.queue].poke()

    def prepare(self) -> None:
        """Its turn in its queue has come: the host begins to dispatch."""
        self.executor.active[id(self)] = self
        self._holds, self._laid_out = False, self.executor.env.now
        if self.segment.dispatch:
            self._take_host()
            if not self.fragment.context.queues[self.segment.queue].free:
                self._refresh_rates()

    def start(self) -> None:
        """Begin or go on: take cores and DRAM, and plan the end."""
        self._settle_dispatching()
        self._holds = True
        self._take_processor()
        if self.segment.demand:
            self.executor.join_memory(self)
        self.plan()

    def _finish(self, event: Any) -> None:
        if event is not self._timer:
            return
        timeline = self.timeline
        assert timeline is not None
        laid_out = timeline.first + len(timeline.ends)
        if self._stop_at <= laid_out and self._stops_early:
            self._reach(self._stop_at)
            self._pause()
        elif laid_out < len(self.segment.entries):
            self._reach(laid_out)
            self._ahead *= 4
            self.plan()
        else:
            self._end()

    def _end(self) -> None:
        executor, segment = self.executor, self.segment
        self._timer = None
        executor.account(self, self._busy(), segment.dram_bytes)
        del executor.active[id(self)]
        self._leave_processor()
        if self._host is not None:
            self._leave_host(self._host_timer)
        if segment.demand:
            executor.leave_memory(self)
        if executor.on_run is not None:
            executor.on_run(self)
        self._hand_on()

    def _hand_on(self) -> None:
        """Who waited for it goes on."""
        self._release()
        self.fragment.context.queues[self.segment.queue].finished()
        self.fragment.finish_one()

    def _release(self) -> None:
        for successor in self.segment.successors:
            self.fragment.runs[successor].release()

    def _take_processor(self) -> None:
        """An accelerator has been taken by its queue."""

    def _leave_processor(self) -> None:
        """An accelerator is left by its queue."""

    def _wake(self, delay: float, action: Any) -> None:
        self._timer = timer = Timeout(self.executor.env, delay)
        timer.callbacks.append(action)

    def _wake_in(self, delay: float, action: Any) -> None:
        """As :meth:`_wake`; without a timer while something that it waits for stands still."""
        self._timer = None
        if delay < inf:
            self._wake(delay, action)

    # --- planning ---------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """Lay the rest out with the present speeds, and set the next timer."""
        executor = self.executor
        self._refresh_rates()
        self._laid_out = executor.env.now
        self.in_body, self.share = False, 0.0
        if self.rate <= 0.0:
            self._timer = self.timeline = None
            return
        if executor.contended and (self.segment.demand or executor.stepwise):
            self._plan_entry()
            return
        self.bandwidth = executor.dram_bandwidth
        self.timeline = timeline = self._whole_timeline()
        last = self._stop_at - timeline.first if self._stop_at < _NEVER else 0
        self._wake_in(timeline.ends[min(last, len(timeline.ends)) - 1], self._finish)

    def replan(self) -> None:
        """A speed has changed: settle what is done, plan the rest."""
        if not self._holds:
            self._settle_dispatching()
            self._refresh_rates()
            self.seek_later()
            return
        self.settle()
        self.plan()

    def _refresh_rates(self) -> None:
        self.rate = self._processor_rate() / self._slowness()
        host = self._host
        if host is None:
            return
        self.host_rate = host.speed
        self._host_timer = None
        if host.speed > 0.0:
            left = max(0.0, self.segment.dispatch - self.progress.dispatched)
            self._host_timer = timer = Timeout(self.executor.env, left / host.speed)
            timer.callbacks.append(self._leave_host)

    def _processor_rate(self) -> float:
        return self.executor.speed[self.segment.queue]

    def _slowness(self) -> float:
        slowness = self.fragment.slowness
        return slowness.get(self.segment.queue, 1.0) if slowness else 1.0

    def _take_host(self) -> None:
        """A host thread dispatches everything, whenever it holds a core."""
        host = self.fragment.context.borrow_helper()
        host.on_change = self._ignore
        self.executor.cores.wake(host)
        host.on_change = self.replan
        self._host, self.host_rate = host, host.speed

    def _ignore(self) -> None:
        """Nothing is planned yet."""

    def _leave_host(self, event: Any) -> None:
        """The host thread has dispatched everything."""
        host = self._host
        if host is not None and event is self._host_timer:
            self._settle_dispatching()
            self._host = None
            self.executor.cores.sleep(host)
            self.fragment.context.give_back(host)

    def _whole_timeline(self) -> Timeline:
        segment = self.segment
        if self.progress is not START:
            return self._part(min(self._stop_at, self.progress.index + self._ahead), self.bandwidth)
        key = (self.rate, self.host_rate, self.bandwidth)
        timeline = segment.timelines.get(key)
        if timeline is None:
            timeline = lay_out(segment.entries, *key)
            if not self.fragment.slowness:
                segment.timelines[key] = timeline
        return timeline

    def _part(self, until: int, bandwidth: float) -> Timeline:
        """From where it stands up to the entry before an index."""
        segment, progress = self.segment, self.progress
        before = segment.dispatches[progress.index]
        return lay_out(segment.entries, self.rate, self.host_rate, bandwidth, progress, until, before)

    # --- turns with other contexts ----------------------------------------------------------------------------

    @property
    def _stops_early(self) -> bool:
        return self._stop_at < len(self.segment.entries)

    @property
    def enqueued(self) -> bool:
        """Whether the next kernel has been enqueued by the host."""
        return count_enqueued(self.segment, self.progress) > self.progress.index

    def contend(self, priority: float) -> None:
        """Another context waits: stop before the first kernel that comes after its own.

        With a higher priority that is the next one; with the same, the first that the host had not enqueued.
        """
        queue = self.fragment.context.queues[self.segment.queue]
        if priority < queue.priority:
            return
        self.settle()
        index = self.progress.index
        begun = 0.0 <= self._begun < self.executor.env.now
        due = index if priority > queue.priority else count_enqueued(self.segment, self.progress)
        self._stop_at = min(self._stop_at, max(due, index + begun))
        if self._stop_at <= index:
            self._pause()
        else:
            self.plan()

    def _reach(self, index: int) -> None:
        """The timeline has come to the end of the entry before `index`."""
        self._mark(index)
        self.progress = Progress(index, 1.0, 1.0, self._dispatched())
        self._laid_out = self.executor.env.now

    def _pause(self) -> None:
        """Give the accelerator up between two kernels, and seek it again."""
        self._timer = self.timeline = None
        self._stop_at, self._holds, self._laid_out = _NEVER, False, self.executor.env.now
        self.in_body, self.share, self._begun, self._ahead = False, 0.0, -1.0, _PAUSED_AHEAD
        if self.segment.demand:
            self.executor.leave_memory(self)
        queue = self.fragment.context.queues[self.segment.queue]
        queue.give_up()
        queue.seek()

    def _settle_dispatching(self) -> None:
        """The host goes on dispatching while the run waits for the accelerator."""
        now = self.executor.env.now
        if self._holds:
            return
        if self._host is not None and now > self._laid_out:
            p = self.progress
            self.progress = Progress(p.index, p.overhead, p.body, self._dispatched())
        self._laid_out = now

    def seek_later(self) -> None:
        """Seek the accelerator when the next kernel will have been enqueued, if it has not been yet."""
        if self._holds or self.enqueued or self.host_rate <= 0.0 or self._host is None:
            return
        due = self.segment.dispatches[self.progress.index + 1]
        self._wake((due - self.progress.dispatched) / self.host_rate, self._seek_now)

    def _seek_now(self, event: Any) -> None:
        if event is self._timer and not self._holds:
            self._settle_dispatching()
            self.fragment.context.queues[self.segment.queue].seek()

    # --- entry by entry, while DRAM is oversubscribed ---------------------------------------------------------

    @property
    def peak_demand(self) -> float:
        """DRAM bandwidth in B/s that the segment uses at most; more than alone where noise makes it faster."""
        slowness = self.fragment.slowness
        demand = self.segment.demand
        return demand / min(1.0, slowness[self.segment.queue]) if slowness else demand

    @property
    def moves_bytes(self) -> bool:
        """Whether the present entry uses DRAM now."""
        return self.in_body and self.entry.bytes > 0.0

    @property
    def demand(self) -> float:
        """DRAM bandwidth in B/s that the present entry can use at the present speed."""
        entry = self.entry
        compute = entry.compute / self.rate
        return min(entry.reach, entry.bytes / compute) if compute else entry.reach

    def _plan_entry(self) -> None:
        self._lay_entry(self.executor.dram_bandwidth)
        assert self.timeline is not None
        preface = self.timeline.starts[0] + self.progress.overhead * self.entry.overhead / self.rate
        if preface > 0.0:
            self._wake_in(preface, self._preface_over)
        else:
            self._enter_body()

    def _lay_entry(self, bandwidth: float) -> None:
        self.bandwidth = bandwidth
        self.timeline = self._part(self.progress.index + 1, bandwidth)

    def _preface_over(self, event: Any) -> None:
        if event is not self._timer:
            return
        assert self.timeline is not None
        now, progress = self.executor.env.now, self.progress
        if self._begun < 0.0:
            self._begun = self._laid_out + self.timeline.starts[0]
        self.progress = Progress(progress.index, 0.0, progress.body, self._dispatched())
        self._laid_out = now
        self._enter_body()

    def _enter_body(self) -> None:
        if self._begun < 0.0:
            self._begun = self.executor.env.now
        self.in_body = True
        if self.entry.bytes:
            self.timeline = None
            self.executor.share_memory()
        else:
            self._time_body(self.executor.dram_bandwidth)

    def give(self, share: float) -> None:
        """Go on with another share of DRAM, in B/s."""
        self.settle()
        self.share = share
        self._time_body(share)

    def _time_body(self, bandwidth: float) -> None:
        self._laid_out = self.executor.env.now
        self._lay_entry(bandwidth)
        assert self.timeline is not None
        self._wake(self.timeline.ends[0], self._entry_over)

    def _entry_over(self, event: Any) -> None:
        if event is not self._timer:
            return
        progress, now = self.progress, self.executor.env.now
        self._mark(progress.index + 1)
        dispatched = self._dispatched()
        self.timeline, self.in_body, self.share = None, False, 0.0
        if progress.index + 1 == len(self.segment.entries):
            self._end()
            return
        self.progress = Progress(progress.index + 1, 1.0, 1.0, dispatched)
        self._laid_out = now
        if self.progress.index >= self._stop_at:
            self._pause()
            return
        moved = self.segment.entries[progress.index].bytes
        self._plan_entry()
        if moved and not self.in_body:
            self.executor.share_memory()
