"""What an application that shows frames showed: frames in time, late and dropped, stutter, and the rate seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from socsim.errors import UnknownNameError
from socsim.results.attribution import caused_j
from socsim.simulation.framelog import FRAME_STATUSES, FrameRecord
from socsim.simulation.records import Outcome

__all__ = ["SHOWN", "frame_apps", "frame_drop_share", "shown"]

Row = dict[str, Any]

SHOWN: Mapping[str, str] = {
    "frames": "frames that began in the run, one per vsync",
    "presented": "those composed by the next vsync",
    "late": "those composed after it, or not yet composed at the end of the run though it had passed",
    "dropped": "those that found no free buffer when they should have begun",
    "pending": "those under way at the end of the run, before their vsync",
    "frame_drop_share": "dropped / due; due are all frames but the pending ones",
    "missed_share": "(late + dropped) / due",
    "latency_ms_mean": "mean time from a frame's vsync to its composition, over composed frames",
    "latency_ms_p50": "median of the same",
    "latency_ms_p95": "95th percentile of the same",
    "jank_count": "runs of consecutive vsyncs without a new frame, each counted once however long",
    "longest_freeze_ms": "longest time for which the picture stood still though a new one was due; 0 for never",
    "fps_shown": "vsyncs with a new frame per second, of those within the run",
    "app_energy_mj": "what its work added to the idle device, per frame that it composed",
}
"""What each key of a row of an application that shows frames means."""

_TOLERANCE = 1e-12
"""Composing a frame at its vsync is in time, whatever the sum of floats says."""


def frame_apps(outcome: Outcome) -> list[str]:
    """Applications that began a frame, in order."""
    return list(dict.fromkeys(record.app for record in outcome.frames))


def shown(outcome: Outcome, app: str | None = None) -> Row:
    """Summarise the frames of an application.

    A composed frame is seen from the first vsync after its composition on. Of several that are composed between two
    vsyncs only the newest is seen.

    Parameters
    ----------
    outcome
        What the run recorded.
    app
        Application; default the first that shows frames.

    Returns
    -------
    A row with the keys of :data:`SHOWN`; a value is None where it does not exist: shares without a frame that was due,
    latencies without one that was composed, what was seen without a vsync within the run.

    Raises
    ------
    UnknownNameError
        No application that shows frames has that name.
    """
    known = frame_apps(outcome)
    name = next(iter(known), "") if app is None else app
    if name not in known:
        raise UnknownNameError("application with frames", name, known)
    frames = [record for record in outcome.frames if record.app == name]
    row: Row = {
        "frames": len(frames),
        **_counts(frames),
        **_shares(frames),
        **_latencies(frames),
        **_seen(frames, outcome.duration_s),
        "app_energy_mj": _own_energy(outcome, name, frames),
    }
    return {key: row[key] for key in SHOWN}


def frame_drop_share(outcome: Outcome) -> float | None:
    """Dropped frames / due ones over all applications of a run; None where no frame was due."""
    share: float | None = _shares(outcome.frames)["frame_drop_share"]
    return share


def _counts(frames: Sequence[FrameRecord]) -> dict[str, int]:
    statuses = [record.status for record in frames]
    return {status: statuses.count(status) for status in FRAME_STATUSES}


def _shares(frames: Sequence[FrameRecord]) -> Row:
    counts = _counts(frames)
    due = len(frames) - counts["pending"]
    missed = counts["late"] + counts["dropped"]
    return {
        "frame_drop_share": counts["dropped"] / due if due else None,
        "missed_share": missed / due if due else None,
    }


def _latencies(frames: Sequence[FrameRecord]) -> Row:
    took = [(record.composed_s - record.begin_s) * 1e3 for record in frames if record.composed_s >= 0.0]
    if not took:
        return {"latency_ms_mean": None, "latency_ms_p50": None, "latency_ms_p95": None}
    p50, p95 = np.percentile(took, [50, 95])
    return {
        "latency_ms_mean": float(np.mean(took)),
        "latency_ms_p50": float(p50),
        "latency_ms_p95": float(p95),
    }


def _own_energy(outcome: Outcome, app: str, frames: Sequence[FrameRecord]) -> float | None:
    composed = sum(record.composed_s >= 0.0 for record in frames)
    return caused_j(outcome, app) / composed * 1e3 if composed else None


def _seen(frames: Sequence[FrameRecord], end: float) -> Row:
    """What the display showed at every vsync at which a frame was due within the run."""
    vsyncs = np.array([record.due_s for record in frames if record.due_s <= end * (1.0 + _TOLERANCE)])
    if not len(vsyncs):
        return {"jank_count": None, "longest_freeze_ms": None, "fps_shown": None}
    composed = np.array([record.composed_s for record in frames if record.composed_s >= 0.0])
    at = np.searchsorted(vsyncs * (1.0 + _TOLERANCE), composed)
    renewed = np.isin(np.arange(len(vsyncs)), at)
    still = [len(list(run)) for new, run in groupby(renewed.tolist()) if not new]
    period = frames[0].due_s - frames[0].begin_s
    return {
        "jank_count": len(still),
        "longest_freeze_ms": max(still, default=0) * period * 1e3,
        "fps_shown": int(renewed.sum()) / (len(vsyncs) * period),
    }
