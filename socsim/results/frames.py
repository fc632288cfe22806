"""Records as data frames: a row per inference, kernel, power step or component; units in column names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from socsim.results.attribution import energy_rows
from socsim.results.timeline import metered_steps
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.records import KernelRecord, Outcome, ReuseRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "TABLES",
    "TRACE_COLUMNS",
    "app_energy_frame",
    "apps_frame",
    "clocks_frame",
    "energy_frame",
    "fallback_ops_frame",
    "frames_frame",
    "idle_frame",
    "inferences_frame",
    "kernels_frame",
    "power_frame",
    "prediction_error_frame",
    "process_trace_frame",
    "processes_frame",
    "rates_frame",
    "temperatures_frame",
]

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "inferences": {
        "app": "application",
        "inference": "number of the inference in its application, from 0",
        "origin_ms": "arrival of the first stage of the chain that led to it; its own where it is the first",
        "arrival_ms": "when it was asked for",
        "start_ms": "when its first operator was placed; empty if it never started",
        "finish_ms": "when its last output was there; empty if it never finished",
        "drop_ms": "when it was dropped; empty if it was not",
        "wait_ms": "start - arrival",
        "service_ms": "finish - start",
        "latency_ms": "finish - arrival",
        "chain_ms": "finish - origin",
        "status": "finished, running, queued or dropped at the end of the run",
        "level": "level of its network in its family; empty where there is none, and for those that did not begin",
        "top1": "published Top-1 accuracy of that network in %; empty likewise",
        "place": "scheduler that a manager of the whole device chose for it; empty likewise",
        "changed_share": "share of its frame that differs from the one computed last; empty without a scene",
        "reused": "none, frame (the last result given again) or layer (only what changed recomputed); empty likewise",
        "computed_share": "share of its network's multiply-accumulates that was computed; empty likewise",
        "stale_share": "share of its frame that had changed and was not computed; empty likewise",
        "age_ms": "finish - arrival of the frame that its result is of; empty likewise",
    },
    "kernels": {
        "app": "application",
        "inference": "number of the inference",
        "operator": "operator that is computed, or for whose input data are shared",
        "kind": "kernel, transform, map, sync, dispatch or call",
        "kernel_class": "class of the kernel, empty for the other kinds",
        "processor": "where it runs; for map, sync and call who receives the data",
        "source": "for transform, map and sync where the data come from",
        "cores": "numbers of CPU cores that its threads prefer, joined by +; on a busy phone they may run elsewhere",
        "start_ms": "start",
        "end_ms": "end",
        "duration_ms": "end - start",
        "dram_bytes": "DRAM traffic of a kernel; bytes handed over by a map",
        "share": "share of the operator's output",
    },
    "frames": {
        "app": "application that shows frames",
        "number": "number of the frame, from 0",
        "begin_ms": "its vsync, at which it began",
        "due_ms": "the next vsync, by which it should have been composed",
        "composed_ms": "when it was composed; empty if it never was",
        "status": "presented, late, dropped or pending at the end of the run",
        "latency_ms": "composed - begin",
    },
    "power": {
        "meter": "component or rail, either kind sums to the whole device; or meter, where one sees several rails",
        "component": "cpu.<cluster>, accelerator, dram or board; or the rail or meter as the device names it",
        "start_ms": "start of a span of constant power",
        "end_ms": "its end",
        "power_w": "power in it; without kernel records one span per component, its mean",
    },
    "energy": {
        "meter": "component or rail, either kind sums to the whole device; or meter, where one sees several rails",
        "name": "component, or rail or meter as the device names it",
        "energy_mj": "energy over the run",
        "power_w": "mean power over the run",
    },
    "app_energy": {
        "app": "application; idle for what nobody caused",
        "kind": "inference, competitor, video, ui or replay; idle for what nobody caused",
        "component": "cpu.<cluster>, accelerator, dram or board",
        "energy_mj": "what its work made the component draw beyond the idle power, over the run",
        "shared_mj": "the same with its part of the idle row, in proportion to busy time; of that row, what is left",
        "busy_ms": "time for which it had the component; of a cluster, the cores in sum",
    },
    "idle": {
        "cluster": "CPU cluster",
        "state": "idle state, as the device names it; busy and clock-gated times are in none",
        "scope": "core, or cluster where all its cores have to be idle",
        "time_ms": "time in it; of the scope core, in sum over the cores",
        "share": "of the time that there was",
        "entries": "how often a core, or the cluster, was in it; the first time since before the run",
    },
    "apps": {
        "app": "application",
        "model": "network",
        "library": "inference library",
        "scheduler": "who placed the operators",
        "dtype": "data type that was run",
        "operators": "operators of the network",
        "unsupported": "operators that cannot run where the scheduler wanted them",
        "fallback_ops": "operators that fell back to the CPU",
        "kernels": "kernels per inference",
        "transfer_mb": "megabytes handed over between processors, per inference",
        "sync_ms": "time in synchronisation, per inference",
        "peak_memory_mb": "weights and the most activations alive at once",
        "macs": "multiply-accumulates per inference",
    },
    "fallback_ops": {
        "app": "application",
        "operator": "operator that fell back to the CPU",
        "reason": "why",
    },
    "rates": {
        "app": "application",
        "rates": "set of rates of kernels: processor/data type, and memory layout where it has several",
        "grade": "confidence in the set; D is an estimate that no measurement of the device supports",
        "share": "share of the application's time in kernels that rests on it",
        "low": "factor of a predicted latency below which one in twenty measured ones is expected; empty if not known",
        "high": "factor above which one in twenty is; empty likewise",
    },
    "processes": {
        "app": "application",
        "kind": "inference, competitor, video, ui or replay",
        "process": "process of the application; the application itself where it is one",
        "processor": "where it ran",
        "busy_ms": "time for which it kept the processor busy; on the CPU the sum over its threads",
    },
    "clocks": {
        "start_ms": "from when on",
        "domain": "cpu.<cluster>, an accelerator, or dram",
        "frequency_mhz": "its clock; the first rows are the clocks at the beginning",
    },
    "temperatures": {
        "time_ms": "when the zone was read",
        "zone": "thermal zone of the device",
        "temperature_c": "its temperature in degrees Celsius",
    },
    "prediction_error": {
        "app": "application",
        "predictor": "latency predictor that its scheduler decided by",
        "processor": "where the kernels ran",
        "kernel_class": "their class",
        "n": "kernels compared",
        "mape": "mean of |predicted - actual| / actual, as a share (0.1 is 10 %)",
        "bias": "mean of (predicted - actual) / actual: above 0 too pessimistic, below 0 too optimistic",
        "within_10": "share of them whose error is at most 10 %",
    },
}
"""Columns of each table and what they mean."""

TRACE_COLUMNS: Mapping[str, str] = {
    "process": "process",
    "thread": "its thread on the CPU, empty elsewhere",
    "start_s": "when it asked for the processor: on the CPU when the thread woke up, elsewhere when the kernel began",
    "processor": "cpu, or an accelerator",
    "demand_s": "what it did: time of the fastest core, or of the accelerator, alone at the highest clock",
    "nice": "nice value of the thread",
    "affinity": "cores that the thread may use; empty on accelerators",
    "traffic_gb_s": "DRAM traffic while it had the processor",
    "app": "application",
    "kind": "of the application",
}
"""Columns of a trace of processes; times are in s, so that none is rounded."""

TABLES = tuple(COLUMNS)
"""Names of the tables."""


def inferences_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per inference."""
    top1 = {app: record.top1 for app, record in outcome.apps.items()}
    reuse = {(r.app, r.number): r for r in outcome.reuse}
    return _frame(
        "inferences",
        [
            (*_inference_row(r, top1.get(r.app, {})), *_reuse_cells(r, reuse.get((r.app, r.number))))
            for r in outcome.inferences
        ],
    )


def _reuse_cells(inference: InferenceRecord, reuse: ReuseRecord | None) -> tuple[object, ...]:
    if reuse is None:
        return (np.nan, "", np.nan, np.nan, np.nan)
    age = (inference.finish_s - reuse.shown_s) * 1e3 if inference.status == "finished" else np.nan
    return (reuse.changed, reuse.reused, reuse.computed, reuse.stale, age)


def _inference_row(r: InferenceRecord, top1: Mapping[int, float]) -> tuple[object, ...]:
    start = r.start_s * 1e3 if r.start_s >= 0 else np.nan
    finish = r.finish_s * 1e3 if r.status == "finished" else np.nan
    drop = r.finish_s * 1e3 if r.status == "dropped" else np.nan
    origin, arrival = r.chain_start_s * 1e3, r.arrival_s * 1e3
    spans = (start - arrival, finish - start, finish - arrival, finish - origin)
    network = (r.level or np.nan, top1.get(r.level, np.nan), r.place)
    return (r.app, r.number, origin, arrival, start, finish, drop, *spans, r.status, *network)


def kernels_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per kernel and sharing step; empty unless the run was asked to record them."""
    return _frame("kernels", [_kernel_row(r) for r in outcome.kernels])


def _kernel_row(r: KernelRecord) -> tuple[object, ...]:
    start, end = r.start_s * 1e3, r.end_s * 1e3
    cores = "+".join(map(str, r.cores))
    names = (r.app, r.inference, r.operator, r.kind, r.kernel_class, r.processor, r.source, cores)
    return (*names, start, end, end - start, r.dram_bytes, r.share)


def frames_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per frame of a video or a user interface.

    What does not exist is ``pandas.NA`` in columns of the type ``Float64``; what became of a frame is in ``status``.
    """
    frame = _frame("frames", [_frame_row(r) for r in outcome.frames])
    return frame.astype({"composed_ms": "Float64", "latency_ms": "Float64"})


def _frame_row(r: FrameRecord) -> tuple[object, ...]:
    composed = r.composed_s * 1e3 if r.composed_s >= 0.0 else None
    latency = (r.composed_s - r.begin_s) * 1e3 if composed is not None else None
    return (r.app, r.number, r.begin_s * 1e3, r.due_s * 1e3, composed, r.status, latency)


def power_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per component, rail or meter, and span of constant power."""
    rows = []
    named = ((kind, *item) for kind, own in metered_steps(outcome).items() for item in own.items())
    for meter, name, steps in named:
        ends = np.append(steps.times[1:], outcome.duration_s)
        for start, end, watts in zip(steps.times, ends, steps.values, strict=True):
            if end > start:
                rows.append((meter, name, float(start) * 1e3, float(end) * 1e3, float(watts)))
    return _frame("power", rows)


def energy_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per component, one per rail, and one per meter of several rails."""
    duration = outcome.duration_s
    kinds = {"component": outcome.energy_j, "rail": outcome.rails_j, "meter": outcome.meters_j}
    rows = [
        (meter, name, joules * 1e3, joules / duration if duration > 0 else np.nan)
        for meter, readings in kinds.items()
        for name, joules in readings.items()
    ]
    return _frame("energy", rows)


def app_energy_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per application and component that it used, then what nobody caused of each component."""
    return _frame("app_energy", energy_rows(outcome))


def idle_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per CPU cluster and idle state."""
    rows = [
        (*r[:3], r.time_s * 1e3, r.time_s / (r.units * outcome.duration_s or np.nan), r.entries)
        for r in outcome.idle
    ]
    return _frame("idle", rows)


def clocks_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per change of a clock, after the clocks at the beginning."""
    return _frame("clocks", [(r.start_s * 1e3, r.domain, r.frequency_hz / 1e6) for r in outcome.clocks])


def temperatures_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per reading of a thermal zone; empty unless simulated with heat."""
    rows = [(r.time_s * 1e3, r.zone, r.temperature_c) for r in outcome.temperatures]
    return _frame("temperatures", rows)


def apps_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per application that infers."""
    rows = [
        (
            *(a.app, a.model, a.library, a.scheduler, a.dtype, a.operators, a.unsupported, len(a.fallbacks)),
            *(a.kernels, a.transfer_bytes / 1e6, a.sync_s * 1e3, a.peak_memory_bytes / 1e6, a.macs),
        )
        for a in outcome.apps.values()
    ]
    return _frame("apps", rows)


def fallback_ops_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per application and operator that fell back to the CPU."""
    rows = [(a.app, op, why) for a in outcome.apps.values() for op, why in a.fallbacks.items()]
    return _frame("fallback_ops", rows)


def rates_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per application and set of rates that its kernels rest on."""
    rows = []
    for a in outcome.apps.values():
        total = sum(basis.seconds for basis in a.bases.values())
        for name, basis in a.bases.items():
            ends = [np.nan if end is None else end for end in (basis.low, basis.high)]
            rows.append((a.app, name, basis.grade, basis.seconds / total if total else np.nan, *ends))
    return _frame("rates", rows)


def processes_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per process and processor that it used; empty unless the run was asked to record kernels."""
    return _frame("processes", [(*r[:4], r.busy_s * 1e3) for r in outcome.processes])


def process_trace_frame(outcome: Outcome, kinds: Collection[str]) -> pd.DataFrame:
    """One row per burst of the processes of some kinds of applications, in order of start."""
    import pandas as pd

    apps = {r.process: (r.app, r.kind) for r in outcome.processes if r.kind in kinds}
    rows = [
        (
            *(b.process, b.thread, b.start_s, b.processor, b.demand_s, b.nice),
            *(_mask(outcome.core_names, b.cores), b.traffic / 1e9, *apps[b.process]),
        )
        for b in outcome.bursts
        if b.process in apps
    ]
    return pd.DataFrame.from_records(rows, columns=list(TRACE_COLUMNS))


def _mask(names: Sequence[str], cores: Sequence[int]) -> str:
    """A mask such as ``prime:1+gold:3``."""
    return "+".join(f"{name}:{count}" for name, count in Counter(names[core] for core in cores).items())


def prediction_error_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per application, processor and kernel class."""
    rows = [
        (*r[:5], r.absolute / r.kernels, r.signed / r.kernels, r.close / r.kernels)
        for r in outcome.predictions
    ]
    return _frame("prediction_error", rows)


def _frame(table: str, rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame.from_records(list(rows), columns=list(COLUMNS[table]))
