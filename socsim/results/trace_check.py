"""Checks of a Chrome trace: what a viewer would draw wrongly or drop."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["read_trace", "trace_faults"]

Event = Mapping[str, Any]


def read_trace(path: str | Path) -> dict[str, Any]:
    """Read a trace, gzipped or not."""
    data = Path(path).read_bytes()
    document: dict[str, Any] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return document


def trace_faults(document: Mapping[str, Any]) -> list[str]:
    """Sentences on what is wrong with a trace; empty for a sound one.

    Checked are: times and durations are not negative; slices of a track nest; every flow starts once and ends
    once, in order, inside a slice at each step; times of a counter never go back; every track has a name.
    """
    events = document["traceEvents"]
    slices: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            slices[event["pid"], event["tid"]].append(event)
    checks = (
        _times(events),
        _nesting(slices),
        _flow_faults(events, slices),
        _counters(events),
        _named(events, slices),
    )
    return [fault for check in checks for fault in check]


def _times(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if event["ph"] != "M" and (event["ts"] < 0 or event.get("dur", 0) < 0):
            yield f"{event['name']!r} has a negative time: ts {event['ts']}, dur {event.get('dur', 0)}"


def _span(event: Event) -> tuple[int, int]:
    """Start and end in whole ns, so that sums of decimal us compare exactly."""
    start = round(event["ts"] * 1e3)
    return start, start + round(event["dur"] * 1e3)


def _nesting(slices: Mapping[tuple[int, int], list[Event]]) -> Iterator[str]:
    for track, members in slices.items():
        stack: list[tuple[int, str]] = []
        ordered = sorted(members, key=lambda e: (_span(e)[0], -_span(e)[1]))
        for event in ordered:
            start, end = _span(event)
            while stack and stack[-1][0] <= start:
                stack.pop()
            if stack and end > stack[-1][0]:
                yield f"track {track}: {event['name']!r} overlaps {stack[-1][1]!r} without nesting"
            stack.append((end, event["name"]))


def _flow_faults(events: Iterable[Event], slices: Mapping[tuple[int, int], list[Event]]) -> Iterator[str]:
    flows: dict[object, list[Event]] = defaultdict(list)
    for event in events:
        if event["ph"] in "stf":
            flows[event["id"]].append(event)
    for number, steps in flows.items():
        phases = "".join(sorted((e["ph"] for e in steps), key="stf".index))
        if phases.count("s") != 1 or phases.count("f") != 1:
            yield f"flow {number}: needs one start and one end, has {phases!r}"
        times = [e["ts"] for phase in "stf" for e in steps if e["ph"] == phase]
        if times != sorted(times):
            yield f"flow {number}: goes back in time"
        for event in steps:
            if not _inside(round(event["ts"] * 1e3), slices.get((event["pid"], event["tid"]), [])):
                yield f"flow {number}: its {event['ph']!r} is outside every slice of its track"


def _inside(ns: int, members: Iterable[Event]) -> bool:
    return any(start <= ns <= end for start, end in map(_span, members))


def _counters(events: Iterable[Event]) -> Iterator[str]:
    last: dict[tuple[int, str], float] = {}
    for event in events:
        if event["ph"] == "C":
            key = (event["pid"], event["name"])
            if event["ts"] < last.get(key, 0.0):
                yield f"counter {event['name']!r} goes back from {last[key]} to {event['ts']}"
            last[key] = event["ts"]


def _named(events: Iterable[Event], slices: Mapping[tuple[int, int], list[Event]]) -> Iterator[str]:
    named = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    for track in slices:
        if track not in named:
            yield f"track {track} has no name"
