"""When each entry of a segment starts and ends while nothing that its rate depends on changes: pure arithmetic.

An entry first waits for its dispatch by the host, then takes its overhead, then progresses at the slower of computing
and moving bytes: ``dx/dt = min(compute rate / work, bandwidth share / bytes)``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socsim.simulation.kernelgraph import Entry, Segment

__all__ = ["START", "Progress", "Timeline", "advance", "body_time", "count_enqueued", "lay_out"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a segment has come.

    Parameters
    ----------
    index
        Entry that runs or comes next.
    overhead
        Share of its overhead that is left, 1 before it starts.
    body
        Share of its work that is left.
    dispatched
        CPU time in s that the host has spent on the segment's dispatches.
    """

    index: int = 0
    overhead: float = 1.0
    body: float = 1.0
    dispatched: float = 0.0


START = Progress()


@dataclass(frozen=True, slots=True)
class Timeline:
    """Times in s from the instant it was laid out.

    Parameters
    ----------
    first
        Index of the first entry.
    starts, ends
        Of that entry and all after it; an entry under way starts at 0.
    busy
        Time during which an entry runs; waits for dispatches are left out.
    """

    first: int
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    busy: float


_CLOCK = 1e-11
"""Time in s that the simulated clock may round away in hours: what lacks no more has been dispatched."""


def body_time(entry: Entry, rate: float, bandwidth: float) -> float:
    """Time in s of an entry's whole work at a compute rate (1 = alone, highest clock) and a DRAM bandwidth in B/s."""
    compute = entry.compute / rate
    if not entry.bytes:
        return compute
    moving = entry.bytes / (entry.reach if entry.reach < bandwidth else bandwidth)
    return moving if moving > compute else compute


def lay_out(
    entries: Sequence[Entry],
    rate: float,
    host_rate: float,
    bandwidth: float,
    progress: Progress = START,
    until: int | None = None,
    before: float | None = None,
) -> Timeline:
    """Lay the rest of a segment out in time, or what of it comes before an index.

    Parameters
    ----------
    entries
        All entries of the segment.
    rate, host_rate
        Speed of the processor and of the host thread, relative to alone at the highest clock; the host's is 0 while it
        has no core.
    bandwidth
        DRAM bandwidth in B/s that the segment may use.
    progress
        Where it stands.
    until
        Index of the entry, after the present one, before which to stop; None for the end.
    before
        CPU time in s of dispatching all entries before the present one; None to add it up.
    """
    starts, ends = [], []
    time = 0.0
    if before is None:
        before = sum(entry.dispatch for entry in entries[: progress.index])
    enqueued = before - progress.dispatched
    overhead, body = progress.overhead, progress.body
    for entry in entries[progress.index : until]:
        enqueued += entry.dispatch
        if enqueued > 0.0:
            ready = enqueued / host_rate if host_rate else inf
            time = ready if ready > time else time
        starts.append(time)
        time += overhead * entry.overhead / rate + body * body_time(entry, rate, bandwidth)
        ends.append(time)
        overhead = body = 1.0
    return Timeline(progress.index, tuple(starts), tuple(ends), sum(ends) - sum(starts))


def advance(
    entries: Sequence[Entry], timeline: Timeline, elapsed: float, rate: float, host_rate: float, bandwidth: float,
    progress: Progress,
) -> Progress:  # fmt: skip
    """Where a segment stands `elapsed` s into a timeline that was laid out from `progress` with the same rates."""
    index = timeline.first
    while (
        index - timeline.first < len(timeline.ends) - 1 and timeline.ends[index - timeline.first] <= elapsed
    ):
        index += 1
    dispatched = progress.dispatched + elapsed * host_rate
    entry, start = entries[index], timeline.starts[index - timeline.first]
    overhead, body = (progress.overhead, progress.body) if index == timeline.first else (1.0, 1.0)
    left = elapsed - start
    if left <= 0.0:
        return Progress(index, overhead, body, dispatched)
    preface = overhead * entry.overhead / rate
    if left < preface:
        return Progress(index, overhead - left * rate / entry.overhead, body, dispatched)
    work = body_time(entry, rate, bandwidth)
    done = (left - preface) / work if work else 1.0
    return Progress(index, 0.0, max(0.0, body - done), dispatched)


def count_enqueued(segment: Segment, progress: Progress) -> int:
    """Number of entries that the host has enqueued by its dispatching so far."""
    left = progress.dispatched * (1.0 + 1e-12) + _CLOCK
    enqueued = bisect_right(segment.dispatches, left) - 1
    if not segment.waits:
        return enqueued
    held = bisect_right(segment.waits, progress.index)
    return min((enqueued, *segment.waits[held : held + 1]))
