"""One row of numbers per run, without pandas."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

import numpy as np

from socsim.errors import UnknownNameError, UsageError
from socsim.results.attribution import caused_j
from socsim.results.shown import frame_drop_share
from socsim.simulation.records import AppRecord, Outcome
from socsim.workloads.transforms import split_transforms

__all__ = ["METRICS", "device_row", "latencies_ms", "metrics", "transforms_of"]

Row = dict[str, Any]

METRICS: Mapping[str, str] = {
    "device": "device name",
    "model": "network",
    "library": "inference library",
    "scheduler": "who placed the operators, with its options",
    "dtype": "data type that was run; int8 is quantised",
    "latency_ms_mean": "mean time from arrival to finish, queueing included, over finished inferences",
    "latency_ms_p50": "median of the same",
    "latency_ms_p95": "95th percentile of the same, interpolated linearly",
    "energy_mj": "energy of the whole device over the run, idle and board included, per finished inference",
    "app_energy_mj": "what the application's own work added to the idle device, per inference that it finished",
    "power_w": "mean power of the whole device over the run",
    "rails_mj": "the share of energy_mj that each rail and each meter of the board sees",
    "unsupported_share": "operators that cannot run where the scheduler wanted them / all operators",
    "fallback_ops": "number of operators that fell back to the CPU",
    "transfer_mb": "megabytes (10^6) mapped, copied or transformed to change processor, per inference",
    "sync_ms": "time spent on seeing that another processor has finished, per inference",
    "utilization": "busy share of each processor over the run (CPU: mean over its cores)",
    "frame_drop_share": "frames dropped / frames due, of all applications that show some; null where none does",
    "deadline_miss_share": "inferences dropped or late / all whose deadline passed; null without a deadline",
    "peak_memory_mb": "weights and the most activations alive at once, megabytes (10^6)",
    "prediction_mape": "mean of |predicted - actual| / actual over kernels, as a share (0.1 is 10 %)",
    "top1_drop": "points of Top-1 accuracy that transforms of the network cost; 0 without any, null where unknown",
    "top1_mean": "mean published Top-1 accuracy in % of a family's finished inferences; null for one network",
}
"""What each key of a row means, in the order of the columns."""


def metrics(outcome: Outcome, app: str | None = None, deadline_s: float | None = None) -> Row:
    """Summarise an application of a run.

    Parameters
    ----------
    outcome
        What the run recorded.
    app
        Application; default the first one.
    deadline_s
        Deadline of its inferences after their arrival, in s; None for no deadline.

    Returns
    -------
    A row with the keys of :data:`METRICS`. A value is None where it does not exist: times and energy per
    inference when none finished, ``prediction_mape`` when no kernel did, ``deadline_miss_share`` without a
    deadline, ``frame_drop_share`` without frames, ``top1_drop`` where
    nobody has said what transforms cost, ``top1_mean`` without a family.

    Raises
    ------
    UnknownNameError
        No application of that name.
    UsageError
        The run had no application that infers.
    """
    record = _app(outcome, app)
    latency = latencies_ms(outcome, record.app)
    row: Row = {
        "device": outcome.device,
        "model": record.model,
        "library": record.library,
        "scheduler": record.scheduler,
        "dtype": record.dtype,
        **_latency(latency),
        **_energy(outcome),
        "app_energy_mj": _own_energy(outcome, record.app),
        **_plan_costs(record),
        "utilization": _utilization(outcome),
        "frame_drop_share": frame_drop_share(outcome),
        "deadline_miss_share": _deadline_miss_share(outcome, record.app, deadline_s),
        "peak_memory_mb": record.peak_memory_bytes / 1e6,
        "prediction_mape": _prediction_mape(outcome, record.app),
        "top1_drop": None if isnan(record.top1_drop) else record.top1_drop,
        "top1_mean": _top1_mean(outcome, record),
    }
    return {key: row[key] for key in METRICS}


def device_row(outcome: Outcome) -> Row:
    """What a row says of the device whatever the application: its name, mean power, and how busy it was.

    Energy per inference by rail is None: nothing is inferred.
    """
    energy = _energy(outcome)
    rails = dict.fromkeys(energy["rails_mj"])
    return {
        "device": outcome.device,
        "power_w": energy["power_w"],
        "rails_mj": rails,
        "utilization": _utilization(outcome),
    }


def latencies_ms(outcome: Outcome, app: str) -> list[float]:
    """Times in ms from arrival to finish of an application's finished inferences, in order of finishing."""
    own = outcome.inferences_of(app)
    finished = own.are("finished")
    latencies: list[float] = ((own.finish - own.arrival)[finished] * 1e3).tolist()
    return latencies


def transforms_of(model: str) -> str:
    """Transforms in the name of a network, ``"prune(0.5)+quantise(int8)"``; ``"none"`` where there are none."""
    return "+".join(split_transforms(model)[1]) or "none"


def _app(outcome: Outcome, app: str | None) -> AppRecord:
    if not outcome.apps:
        raise UsageError("the run has no application that infers, so there is nothing to summarise")
    name = next(iter(outcome.apps)) if app is None else app
    if name not in outcome.apps:
        raise UnknownNameError("application", name, outcome.apps)
    return outcome.apps[name]


def _latency(latency: list[float]) -> Row:
    if not latency:
        return {"latency_ms_mean": None, "latency_ms_p50": None, "latency_ms_p95": None}
    p50, p95 = np.percentile(latency, [50, 95])
    return {
        "latency_ms_mean": float(np.mean(latency)),
        "latency_ms_p50": float(p50),
        "latency_ms_p95": float(p95),
    }


def _energy(outcome: Outcome) -> Row:
    joules = sum(outcome.energy_j.values())
    finished = sum(r.status == "finished" for r in outcome.inferences)
    return {
        "energy_mj": joules / finished * 1e3 if finished else None,
        "power_w": joules / outcome.duration_s if outcome.duration_s > 0 else None,
        "rails_mj": {
            name: seen / finished * 1e3 if finished else None
            for name, seen in {**outcome.rails_j, **outcome.meters_j}.items()
        },
    }


def _own_energy(outcome: Outcome, app: str) -> float | None:
    finished = int(outcome.inferences_of(app).are("finished").sum())
    return caused_j(outcome, app) / finished * 1e3 if finished else None


def _plan_costs(record: AppRecord) -> Row:
    return {
        "unsupported_share": record.unsupported / record.operators if record.operators else 0.0,
        "fallback_ops": len(record.fallbacks),
        "transfer_mb": record.transfer_bytes / 1e6,
        "sync_ms": record.sync_s * 1e3,
    }


def _utilization(outcome: Outcome) -> dict[str, float]:
    duration = outcome.duration_s
    return {processor: busy / duration if duration > 0 else 0.0 for processor, busy in outcome.busy_s.items()}


def _prediction_mape(outcome: Outcome, app: str) -> float | None:
    own = [r for r in outcome.predictions if r.app == app]
    kernels = sum(r.kernels for r in own)
    return sum(r.absolute for r in own) / kernels if kernels else None


def _top1_mean(outcome: Outcome, record: AppRecord) -> float | None:
    own = outcome.inferences_of(record.app)
    levels = own.level[own.are("finished")].tolist() if record.top1 else []
    return float(np.mean([record.top1[level] for level in levels])) if levels else None


def _deadline_miss_share(outcome: Outcome, app: str, deadline_s: float | None) -> float | None:
    """Inferences whose deadline passed within the run, and how many of them missed it."""
    if deadline_s is None:
        return None
    own = outcome.inferences_of(app)
    finished = own.are("finished")
    due = int((finished | own.are("dropped") | (own.arrival + deadline_s <= outcome.duration_s)).sum())
    # A nanosecond of tolerance: finishing at the deadline is in time, whatever the sum of floats says.
    met = int((finished & (own.finish - own.arrival <= deadline_s + 1e-9)).sum())
    return 1.0 - met / due if due else None
