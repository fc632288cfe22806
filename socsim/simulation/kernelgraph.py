"""The kernel graph: what a plan becomes once library and device have had their say.

Steps are kernels and hand-overs with their dependencies. Steps that follow each other on one in-order queue, with
nothing from outside between them, form a segment; the simulation advances segment by segment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from socsim.schedulers.plan import Placement
from socsim.simulation.timeline import Timeline
from socsim.workloads.kernels import WHOLE, Part

__all__ = ["Entry", "KernelGraph", "Segment", "Step", "compress"]

DELAY = ""
"""Queue of steps that only take time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A kernel, or a step of a hand-over, alone at the highest clocks.

    Parameters
    ----------
    kind, operator, kernel_class, source, target, share
        As in :class:`socsim.simulation.records.KernelRecord`; `target` is its ``processor``.
    overhead, compute
        Times in s; both grow as the processor slows down (of a delay, `overhead` is all and is fixed).
    bytes, reach
        DRAM traffic in B, and the bandwidth in B/s that it can use at most.
    dispatch
        CPU time in s of the host to enqueue it.
    spread
        Standard deviation, lower and upper bound in s of a delay that is a distribution.
    placement, part
        What of its operator a kernel computes, and where, as a latency predictor is asked.
    fixed
        The part of a kernel's `overhead` that is the fixed cost of an invocation.
    host
        The part of its `dispatch` that is.
    """

    kind: str
    operator: str
    target: str
    kernel_class: str = ""
    source: str = ""
    share: float = 1.0
    overhead: float = 0.0
    compute: float = 0.0
    bytes: float = 0.0
    reach: float = 1.0
    dispatch: float = 0.0
    spread: tuple[float, float, float] | None = None
    moved: float = 0.0
    """Bytes that change processor or layout."""
    activity: float = 1.0
    """What its processor draws beyond idle, as a share of a busy one's: the mean over its time alone."""
    waits: bool = False
    """Whether the host enqueues it only when all before it have finished."""
    placement: Placement | None = None
    part: Part = WHOLE
    fixed: float = 0.0
    host: float = 0.0

    @property
    def alone(self) -> float:
        """Time in s that it takes when nothing else runs."""
        return self.overhead + max(self.compute, self.bytes / self.reach)

    @property
    def demand(self) -> float:
        """DRAM bandwidth in B/s that it uses when nothing else does."""
        if not self.bytes:
            return 0.0
        return min(self.reach, self.bytes / self.compute) if self.compute else self.reach


@dataclass(slots=True)
class Step:
    """Entries that belong together, with their queue, cores and dependencies (indices of earlier steps)."""

    queue: str
    entries: tuple[Entry, ...]
    deps: set[int]
    team: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


@dataclass(slots=True)
class Segment:
    """Entries that run one after the other on one queue.

    Parameters
    ----------
    queue
        Processor; ``""`` for a delay.
    entries
        In order.
    team, weights
        CPU cores, and how long each core's part takes relative to the slowest core's; empty on accelerators.
    needs
        Number of segments of other queues that must finish first.
    successors
        Segments that wait for this one.
    demand
        Highest DRAM bandwidth in B/s that an entry uses.
    dram_bytes, dispatch, overhead
        Sums over the entries: DRAM traffic in B, CPU time in s of dispatching, fixed cost in s.
    activity
        Mean over the entries' times alone.
    """

    queue: str
    entries: tuple[Entry, ...]
    team: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    needs: int = 0
    successors: tuple[int, ...] = ()
    demand: float = 0.0
    dram_bytes: float = 0.0
    dispatch: float = 0.0
    overhead: float = 0.0
    activity: float = 1.0
    timelines: dict[tuple[float, float, float], Timeline] = field(default_factory=dict)
    """Timelines by (rate, host rate, DRAM bandwidth): worked out once, replayed for every inference."""

    dispatches: tuple[float, ...] = field(init=False, repr=False)
    """CPU time in s that the host spends on all entries before each, and on all."""
    waits: tuple[int, ...] = field(init=False, repr=False)
    """Indices of entries that the host enqueues only when all before them have finished."""

    def __post_init__(self) -> None:
        self.dispatches = tuple(accumulate((entry.dispatch for entry in self.entries), initial=0.0))
        self.waits = tuple(i for i, entry in enumerate(self.entries) if entry.waits)


@dataclass(frozen=True)
class KernelGraph:
    """An immutable lowering, replayed for every inference that follows it.

    Parameters
    ----------
    segments
        In an order in which each queue runs its own.
    roots
        Segments that need no other.
    kernels
        Number of entries that are kernels.
    transfer_bytes, sync_s
        Bytes that change processor or layout, and mean time of synchronisation.
    """

    segments: tuple[Segment, ...]
    roots: tuple[int, ...]
    kernels: int
    transfer_bytes: float
    sync_s: float


def compress(steps: Sequence[Step]) -> KernelGraph:
    """Join steps into segments; steps of one queue run in the order given.

    A segment begins at a step that needs another queue and ends at one that another queue needs.
    """
    deps = _reduce(steps)
    readers = Counter(d for own in deps for d in own)
    groups: list[list[int]] = []
    group_of: list[int] = []
    open_group: dict[str, int] = {}
    for i, step in enumerate(steps):
        group = (
            _delay_group(i, steps, deps, readers, group_of)
            if step.queue == DELAY
            else open_group.get(step.queue)
        )
        if group is None or (step.queue != DELAY and (deps[i] or steps[groups[group][-1]].team != step.team)):
            group = len(groups)
            groups.append([])
        groups[group].append(i)
        group_of.append(group)
        open_group[step.queue] = group
        if readers[i] and step.queue != DELAY:
            del open_group[step.queue]
    return _assemble(steps, deps, groups, group_of)


def _delay_group(
    i: int, steps: Sequence[Step], deps: list[set[int]], readers: Counter[int], group_of: list[int]
) -> int | None:
    """Group of the one delay that step `i` continues, if nothing else waits for it."""
    if len(deps[i]) != 1:
        return None
    (d,) = deps[i]
    return group_of[d] if steps[d].queue == DELAY and readers[d] == 1 else None


def _reduce(steps: Sequence[Step]) -> list[set[int]]:
    """Each step's dependencies on other queues, without those that others imply."""
    closure: list[int] = []
    last: dict[str, int] = {}
    reduced: list[set[int]] = []
    for i, step in enumerate(steps):
        previous = last.get(step.queue, -1) if step.queue != DELAY else -1
        known = (closure[previous] | 1 << previous) if previous >= 0 else 0
        kept: set[int] = set()
        for d in sorted(step.deps, reverse=True):
            if not known >> d & 1:
                kept.add(d)
                known |= closure[d] | 1 << d
        closure.append(known)
        reduced.append(kept)
        last[step.queue] = i
    return reduced


def _assemble(
    steps: Sequence[Step], deps: list[set[int]], groups: list[list[int]], group_of: list[int]
) -> KernelGraph:
    needs = [{group_of[d] for i in group for d in deps[i]} - {g} for g, group in enumerate(groups)]
    successors: list[list[int]] = [[] for _ in groups]
    for g, own in enumerate(needs):
        for d in sorted(own):
            successors[d].append(g)
    segments = tuple(
        _segment([steps[i] for i in group], len(needs[g]), successors[g]) for g, group in enumerate(groups)
    )
    entries = [entry for step in steps for entry in step.entries]
    return KernelGraph(
        segments,
        tuple(g for g, segment in enumerate(segments) if not segment.needs),
        sum(e.kind == "kernel" for e in entries),
        sum(e.moved for e in entries),
        sum(e.overhead for e in entries if e.kind == "sync"),
    )


def _segment(steps: Sequence[Step], needs: int, successors: list[int]) -> Segment:
    entries = tuple(entry for step in steps for entry in step.entries)
    return Segment(
        steps[0].queue,
        entries,
        steps[0].team,
        steps[0].weights,
        needs,
        tuple(successors),
        max(e.demand for e in entries),
        sum(e.bytes for e in entries),
        sum(e.dispatch for e in entries),
        sum(e.overhead for e in entries),
        _activity(entries),
    )


def _activity(entries: Sequence[Entry]) -> float:
    if all(entry.activity == 1.0 for entry in entries):
        return 1.0
    total = sum(entry.alone for entry in entries)
    return sum(entry.alone * entry.activity for entry in entries) / total if total else 1.0
