"""Tracks of a trace: which record is shown where, in lanes on which nothing overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from socsim.results.lanes import assign_lanes
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.records import KernelRecord, Outcome, SwitchRecord

__all__ = ["SHARING_KINDS", "Slice", "Track", "is_sharing", "nanoseconds", "tracks"]

SHARING_KINDS = ("map", "sync", "call")
"""Records that are steps of sharing data, not work of a processor."""


class Slice(NamedTuple):
    """A named span on a track, in ns. `record` is the kernel record of a leaf, None for other spans."""

    name: str
    category: str
    start: int
    end: int
    record: KernelRecord | None = None
    args: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """One line of the trace: slices in order of start, each before those it encloses."""

    group: str
    name: str
    slices: tuple[Slice, ...]


def is_sharing(record: KernelRecord) -> bool:
    """Whether a record is a step of sharing data (or a wait for the host), not work of a processor."""
    return record.kind in SHARING_KINDS or (record.kind == "dispatch" and not record.cores)


def nanoseconds(seconds: float) -> int:
    """Whole nanoseconds: rounding keeps the order, so what did not overlap still does not."""
    return round(seconds * 1e9)


def tracks(outcome: Outcome) -> list[Track]:
    """All tracks: applications, CPU cores, accelerators, then sharing."""
    homes = _homes(outcome.kernels)
    found = [*_application_tracks(outcome), *_frame_tracks(outcome)]
    cores = sorted({core for kind, core in homes if kind == "cpu"}, key=int)
    kinds = {r.process: r.kind for r in outcome.processes}
    others = _others(outcome, kinds)
    for core in sorted({*cores, *others}, key=int):
        cluster = outcome.core_names[int(core)] if int(core) < len(outcome.core_names) else ""
        label = f"core {core} ({cluster})" if cluster else f"core {core}"
        found.extend(_work_tracks("cpu", label, homes.get(("cpu", core), []), kinds))
        for lane, members in _lanes(others.get(core, [])):
            found.append(Track("cpu", _lane_name(f"{label}, others", lane), tuple(members)))
    for group in ("accelerators", "sharing"):
        for kind, name in sorted(homes):
            if kind == group:
                found.extend(_work_tracks(group, name, homes[kind, name], kinds))
    return found


def _others(outcome: Outcome, kinds: Mapping[str, str]) -> dict[str, list[Slice]]:
    """Core -> when processes that are no inferences had it, in order of start."""
    found: dict[str, list[Slice]] = {}
    for s in outcome.spans:
        args = (("process", s.process), ("thread", s.thread), ("share", s.share))
        span = nanoseconds(s.start_s), nanoseconds(s.end_s)
        found.setdefault(str(s.core), []).append(Slice(s.process, kinds[s.process], *span, args=args))
    return found


def _homes(records: Iterable[KernelRecord]) -> dict[tuple[str, str], list[KernelRecord]]:
    """(group, track) -> records, in order of start."""
    homes: dict[tuple[str, str], list[KernelRecord]] = {}
    for record in sorted(records, key=lambda r: (r.start_s, r.end_s)):
        for home in _home(record):
            homes.setdefault(home, []).append(record)
    return homes


def _home(record: KernelRecord) -> list[tuple[str, str]]:
    if is_sharing(record):
        return [("sharing", "sharing")]
    if record.cores:
        return [("cpu", str(core)) for core in record.cores]
    return [("accelerators", record.processor)]


def _application_tracks(outcome: Outcome) -> Iterator[Track]:
    """Inferences of each application; those that overlap are put on further lines."""
    apps = dict.fromkeys(r.app for r in outcome.inferences)
    for app in apps:
        slices = sorted(_inference_slices(outcome, app), key=lambda s: (s.start, s.end))
        for lane, members in _lanes(slices):
            yield Track("applications", _lane_name(app, lane), tuple(members))


def _frame_tracks(outcome: Outcome) -> Iterator[Track]:
    """Frames of each application; those under way together, and dropped ones, are put on further lines."""
    for app in dict.fromkeys(r.app for r in outcome.frames):
        slices = [_frame_slice(r, outcome.duration_s) for r in outcome.frames if r.app == app]
        for lane, members in _lanes([s for s in slices if s.end > s.start]):
            yield Track("applications", _lane_name(app, lane), tuple(members))


def _frame_slice(r: FrameRecord, end: float) -> Slice:
    """From its vsync to its composition; of a dropped frame to the vsync that it missed."""
    until = r.composed_s if r.composed_s >= 0.0 else min(r.due_s, end) if r.status == "dropped" else end
    name = f"{r.app} #{r.number}" if r.status == "presented" else f"{r.app} #{r.number} {r.status}"
    args = (("status", r.status), ("due_ms", r.due_s * 1e3))
    return Slice(name, "frame", nanoseconds(r.begin_s), nanoseconds(until), args=args)


def _inference_slices(outcome: Outcome, app: str) -> Iterator[Slice]:
    for r in outcome.inferences:
        if r.app == app and r.start_s >= 0:
            end = r.finish_s if r.finish_s >= 0 else outcome.duration_s
            args = (("wait_ms", (r.start_s - r.arrival_s) * 1e3), ("status", r.status))
            span = nanoseconds(r.start_s), nanoseconds(end)
            yield Slice(f"{app} #{r.number}", "inference", *span, args=(*args, *_network(r.level, r.place)))
    for s in outcome.switches:
        if s.app == app:
            span = nanoseconds(s.start_s), nanoseconds(min(s.end_s, outcome.duration_s))
            yield Slice(f"switch to {_named(s)}", "switch", *span, args=_network(s.level, s.place))


def _network(level: int, place: str) -> tuple[tuple[str, object], ...]:
    """What an inference runs and where, as far as somebody chose that."""
    pairs = (("level", level), ("place", place))
    return tuple(pair for pair in pairs if pair[1])


def _named(switch: SwitchRecord) -> str:
    return f"level {switch.level}" + (f" on {switch.place}" if switch.place else "")


def _work_tracks(
    group: str, name: str, records: list[KernelRecord], kinds: Mapping[str, str]
) -> Iterator[Track]:
    for lane, members in _lanes([_leaf(record) for record in records]):
        yield Track(group, _lane_name(name, lane), tuple(_nest(members, kinds)))


def _leaf(record: KernelRecord) -> Slice:
    name = record.operator if record.kind == "kernel" else f"{record.kind} {record.operator}"
    category = record.kernel_class or record.kind
    return Slice(name, category, nanoseconds(record.start_s), nanoseconds(record.end_s), record)


def _lanes(slices: list[Slice]) -> Iterator[tuple[int, list[Slice]]]:
    lanes = assign_lanes([(s.start, s.end) for s in slices])
    for lane in range(max(lanes, default=-1) + 1):
        yield lane, [s for s, own in zip(slices, lanes, strict=True) if own == lane]


def _lane_name(name: str, lane: int) -> str:
    return name if lane == 0 else f"{name} ({lane + 1})"


def _nest(leaves: list[Slice], kinds: Mapping[str, str]) -> Iterator[Slice]:
    """Enclose neighbouring leaves of one inference, and of one operator where it has several, by a slice.

    Kernels of other processes are enclosed as well, by one that has their kind.
    """
    for (app, index), inference in groupby(leaves, key=lambda s: _record(s)[:2]):
        members = list(inference)
        yield _enclose(f"{app} #{index}", kinds.get(app, "inference"), members)
        for operator, steps in groupby(members, key=lambda s: _record(s).operator):
            own = list(steps)
            if len(own) > 1:
                yield _enclose(operator, "operator", own)
            yield from own


def _record(leaf: Slice) -> KernelRecord:
    if leaf.record is None:
        raise TypeError(f"slice {leaf.name!r} has no record")
    return leaf.record


def _enclose(name: str, category: str, members: list[Slice]) -> Slice:
    return Slice(name, category, members[0].start, max(s.end for s in members))
