"""Traces in the Chrome trace format, which https://ui.perfetto.dev opens."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from socsim.results.timeline import Steps, dram_traffic, metered_steps
from socsim.results.tracks import Slice, Track, is_sharing, nanoseconds, tracks
from socsim.simulation.records import KernelRecord, Outcome

__all__ = ["trace_document", "write_trace"]

Event = dict[str, Any]

_GROUPS = ("device", "applications", "cpu", "accelerators", "sharing")
_FIRST_TRACK = 100
"""Track numbers start here: 0 and the numbers of processes have a meaning of their own to viewers."""


class _Placed(NamedTuple):
    """A leaf slice and where the trace shows it."""

    slice: Slice
    pid: int
    tid: int


def trace_document(outcome: Outcome) -> dict[str, Any]:
    """A run as a Chrome trace: slices by core and accelerator, hand-overs as flows, counters.

    Returns
    -------
    A JSON-able mapping whose ``traceEvents`` have times in us. Inferences are on their application's track;
    work is nested as inference > operator > kernel on the track of each core or accelerator that it keeps
    busy.
    """
    found = tracks(outcome)
    events = [*_names(found)]
    placed: list[_Placed] = []
    for tid, track in enumerate(found, start=_FIRST_TRACK):
        pid = _pid(track.group)
        events.extend(_slice_event(s, pid, tid) for s in track.slices)
        placed.extend(_Placed(s, pid, tid) for s in track.slices if s.record is not None)
    events.extend(_flows(placed))
    events.extend(_counters(outcome))
    about = {"device": outcome.device, "seed": outcome.seed, "duration_ms": outcome.duration_s * 1e3}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}


def write_trace(outcome: Outcome, path: str | Path) -> None:
    """Write a trace; gzipped where the name ends in ``.gz``. The same run gives the same bytes.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    data = json.dumps(trace_document(outcome), separators=(",", ":")).encode()
    if str(path).endswith(".gz"):
        data = gzip.compress(data, compresslevel=6, mtime=0)
    Path(path).write_bytes(data)


def _pid(group: str) -> int:
    return _GROUPS.index(group) + 1


def _us(ns: int) -> float:
    return ns / 1e3


def _names(found: list[Track]) -> Iterator[Event]:
    for group in _GROUPS:
        pid = _pid(group)
        yield _metadata("process_name", pid, 0, {"name": group})
        yield _metadata("process_sort_index", pid, 0, {"sort_index": pid})
    for tid, track in enumerate(found, start=_FIRST_TRACK):
        yield _metadata("thread_name", _pid(track.group), tid, {"name": track.name})
        yield _metadata("thread_sort_index", _pid(track.group), tid, {"sort_index": tid})


def _metadata(name: str, pid: int, tid: int, args: dict[str, object]) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args}


def _slice_event(s: Slice, pid: int, tid: int) -> Event:
    start, end = _us(s.start), _us(s.end)
    args = _record_args(s.record) if s.record is not None else dict(s.args)
    times = {"ts": start, "dur": round(end - start, 3)}
    return {"ph": "X", "name": s.name, "cat": s.category, "pid": pid, "tid": tid, **times, "args": args}


def _record_args(r: KernelRecord) -> dict[str, object]:
    args: dict[str, object] = {"app": r.app, "inference": r.inference, "operator": r.operator, "kind": r.kind}
    if r.kernel_class:
        args["kernel_class"] = r.kernel_class
    if r.source:
        args["from"], args["to"] = r.source, r.processor
    if r.dram_bytes:
        args["bytes"] = r.dram_bytes
    if r.share != 1.0:
        args["share"] = r.share
    return args


def _flows(placed: list[_Placed]) -> Iterator[Event]:
    """An arrow per hand-over: last kernel of the source before it, sharing steps, first kernel that reads."""
    kernels = _kernels_by_inference(placed)
    number = 0
    for steps in _handovers(placed):
        first, last = steps[0].slice, steps[-1].slice
        record = first.record
        if record is None:
            continue
        own = kernels.get((record.app, record.inference), [])
        source = [p for p in own if _on(p, record.source) and p.slice.end <= first.start]
        target = _readers(own, record, last)
        if not source or not target:
            continue
        number += 1
        start = max(source, key=lambda p: (p.slice.end, -p.tid))
        yield _flow_event("s", number, start, max(start.slice.start, start.slice.end - 1))
        for step in steps:
            if step.slice.record is not None and is_sharing(step.slice.record):
                yield _flow_event("t", number, step, step.slice.start)
        end = min(target, key=lambda p: (p.slice.start, p.tid))
        yield _flow_event("f", number, end, end.slice.start)


def _handovers(placed: Iterable[_Placed]) -> list[list[_Placed]]:
    """Steps with a source, by who reads what from whom, in order of start."""
    groups: dict[tuple[object, ...], list[_Placed]] = {}
    for p in sorted(placed, key=lambda p: (p.slice.start, p.slice.end, p.tid)):
        r = p.slice.record
        if r is not None and r.kind != "dispatch" and r.source not in ("", r.processor):
            groups.setdefault((r.app, r.inference, r.operator, r.source, r.processor), []).append(p)
    return list(groups.values())


def _kernels_by_inference(placed: Iterable[_Placed]) -> dict[tuple[str, int], list[_Placed]]:
    found: dict[tuple[str, int], list[_Placed]] = {}
    for p in placed:
        if p.slice.record is not None and p.slice.record.kind == "kernel":
            found.setdefault((p.slice.record.app, p.slice.record.inference), []).append(p)
    return found


def _on(p: _Placed, processor: str) -> bool:
    return p.slice.record is not None and p.slice.record.processor == processor


def _readers(kernels: list[_Placed], step: KernelRecord, last: Slice) -> list[_Placed]:
    """Kernels on the target after a hand-over: the operator's own, or (where halves of it are joined) any."""
    after = [p for p in kernels if _on(p, step.processor) and p.slice.start >= last.end]
    own = [p for p in after if p.slice.record is not None and p.slice.record.operator == step.operator]
    return own or after


def _flow_event(phase: str, number: int, at: _Placed, ns: int) -> Event:
    event = {
        "ph": phase,
        "name": "hand-over",
        "cat": "sharing",
        "id": number,
        "pid": at.pid,
        "tid": at.tid,
        "ts": _us(ns),
    }
    return event if phase == "s" else {**event, "bp": "e"}


def _counters(outcome: Outcome) -> Iterator[Event]:
    for kind, named in metered_steps(outcome).items():
        for name, steps in named.items():
            yield from _counter(f"power {name if kind == 'component' else f'{kind} {name}'} [W]", steps)
    if outcome.kernels:
        traffic = dram_traffic(outcome)
        yield from _counter("DRAM traffic [GB/s]", Steps(traffic.times, traffic.values / 1e9))
    for reading in outcome.temperatures:
        name = f"temperature {reading.zone} [C]"
        yield _counter_event(name, nanoseconds(reading.time_s), reading.temperature_c)
    for record in outcome.clocks:
        name = f"clock {record.domain} [MHz]"
        yield _counter_event(name, nanoseconds(record.start_s), record.frequency_hz / 1e6)


def _counter(name: str, steps: Steps) -> Iterator[Event]:
    last = None
    for time, value in zip(steps.times.tolist(), steps.values.tolist(), strict=True):
        if value != last:
            yield _counter_event(name, nanoseconds(time), value)
        last = value


def _counter_event(name: str, ns: int, value: float) -> Event:
    return {"ph": "C", "name": name, "pid": _pid("device"), "ts": _us(ns), "args": {"value": value}}
