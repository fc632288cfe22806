"""How far one execution of a segment has come, and when its entries ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from socsim.simulation.kernelgraph import Entry, Segment
from socsim.simulation.timeline import START, Progress, Timeline, advance

if TYPE_CHECKING:
    from socsim.simulation.executor import Executor, Fragment

__all__ = ["RunState"]


class RunState:
    """Progress of a segment by the timeline that holds, which others lay out.

    Parameters
    ----------
    executor, fragment
        Where it runs, and what it is part of.
    segment
        What it executes.
    """

    progress = START
    timeline: Timeline | None = None
    rate = host_rate = 1.0
    bandwidth = 0.0
    _laid_out = 0.0
    _begun = -1.0
    _timer: Any = None
    """What happens next by the timeline."""

    def __init__(self, executor: Executor, fragment: Fragment, segment: Segment) -> None:
        self.executor, self.fragment, self.segment = executor, fragment, segment
        self.marks: list[tuple[float, float]] = []
        """(start, end) in s of every entry that ended before the present timeline."""

    @property
    def entry(self) -> Entry:
        """The entry that runs or comes next."""
        return self.segment.entries[self.progress.index]

    def _dispatched(self) -> float:
        """CPU time in s that the host has spent on dispatching by now."""
        now: float = self.executor.env.now
        return self.progress.dispatched + (now - self._laid_out) * self.host_rate

    def settle(self) -> None:
        """Bring the progress up to now, by the timeline that has held so far."""
        timeline, now = self.timeline, self.executor.env.now
        if timeline is None:
            return
        before = self.progress
        after = advance(
            self.segment.entries,
            timeline,
            now - self._laid_out,
            self.rate,
            self.host_rate,
            self.bandwidth,
            before,
        )
        self._mark(after.index)
        if self._begun < 0.0 and now - self._laid_out >= timeline.starts[after.index - timeline.first]:
            self._begun = self._laid_out + timeline.starts[after.index - timeline.first]
        self.progress, self._laid_out = after, now
        self._timer = self.timeline = None

    def _mark(self, until: int) -> None:
        """Note start and end of the timeline's entries before `until`."""
        timeline, at = self.timeline, self._laid_out
        assert timeline is not None
        for i in range(until - timeline.first):
            begun = self._begun if self._begun >= 0.0 else at + timeline.starts[i]
            self.marks.append((begun, at + timeline.ends[i]))
            self._begun = -1.0

    def spans(self) -> list[tuple[float, float]]:
        """(start, end) in s of every entry of a finished run."""
        if self.timeline is not None:
            self._mark(len(self.segment.entries))
            self.timeline = None
        return self.marks

    def _busy(self) -> float:
        if self.timeline is not None and not self.marks and self._begun < 0.0:
            return self.timeline.busy
        return sum(end - start for start, end in self.spans())

    def spans_so_far(self) -> list[tuple[float, float]]:
        """(start, end) in s of the entries of a settled run that have begun; of the last one up to now."""
        under_way = [(self._begun, float(self.executor.env.now))] if self._begun >= 0.0 else []
        return self.marks + under_way

    def busy_so_far(self) -> float:
        """Time in s that a settled run has kept its processor busy."""
        return sum(end - start for start, end in self.spans_so_far())

    def busy_until_now(self) -> float:
        """The same of a run that has not been settled."""
        timeline, now = self.timeline, float(self.executor.env.now)
        if timeline is None:
            return self.busy_so_far()
        done = sum(end - start for start, end in self.marks)
        begun = self._begun
        for start, end in zip(timeline.starts, timeline.ends, strict=True):
            begin = begun if begun >= 0.0 else self._laid_out + start
            if begin >= now:
                break
            done += min(self._laid_out + end, now) - begin
            begun = -1.0
        return done

    def bytes_so_far(self) -> float:
        """DRAM traffic in B of a settled run."""
        return self._bytes(self.progress)

    def bytes_until_now(self) -> float:
        """The same of a run that has not been settled."""
        timeline, elapsed = self.timeline, float(self.executor.env.now) - self._laid_out
        if timeline is None:
            return self.bytes_so_far()
        rates = self.rate, self.host_rate, self.bandwidth
        return self._bytes(advance(self.segment.entries, timeline, elapsed, *rates, self.progress))

    def _bytes(self, progress: Progress) -> float:
        done = sum(entry.bytes for entry in self.segment.entries[: progress.index])
        return done + (1.0 - progress.body) * self.segment.entries[progress.index].bytes
