"""What applications with a scene reused from frame to frame, and how far their results were out of date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from socsim.errors import UnknownNameError
from socsim.simulation.records import Outcome, ReuseRecord

__all__ = ["REUSE", "reuse", "reuse_apps"]

Row = dict[str, Any]

REUSE: Mapping[str, str] = {
    "changed_share_mean": "mean share of a frame that differs from the one computed last, over finished inferences",
    "frame_reuse_share": "finished inferences that gave the last result again / finished",
    "layer_reuse_share": "finished inferences that recomputed only what had changed / finished",
    "computed_share_mean": "mean share of the network's multiply-accumulates that was computed",
    "stale_share_mean": "mean share of a frame that had changed and was not computed: so much of its result is old",
    "age_ms_mean": "mean time from the arrival of the frame that a result is of until the result was given",
    "age_ms_p95": "95th percentile of the same",
}
"""What each key of a row of an application with a scene means."""


def reuse_apps(outcome: Outcome) -> list[str]:
    """Applications with a scene of which an inference began, in order."""
    return list(dict.fromkeys(record.app for record in outcome.reuse))


def reuse(outcome: Outcome, app: str | None = None) -> Row:
    """Summarise what an application reused.

    How accurate a network is on frames that it has not seen is not simulated; what is told is how much of what was
    seen its results leave out, and how old they are.

    Parameters
    ----------
    outcome
        What the run recorded.
    app
        Application; default the first with a scene.

    Returns
    -------
    A row with the keys of :data:`REUSE`; all None where no inference finished.

    Raises
    ------
    UnknownNameError
        No application with a scene has that name.
    """
    apps = reuse_apps(outcome)
    name = next(iter(apps), "") if app is None else app
    if name not in apps:
        raise UnknownNameError("application", name, apps, "(with a scene)")
    finish = {r.number: r.finish_s for r in outcome.inferences if r.app == name and r.status == "finished"}
    finished = [r for r in outcome.reuse if r.app == name and r.number in finish]
    return _means(finished, finish) if finished else dict.fromkeys(REUSE)


def _means(finished: list[ReuseRecord], finish: Mapping[int, float]) -> Row:
    ages = [(finish[r.number] - r.shown_s) * 1e3 for r in finished]
    return {
        "changed_share_mean": float(np.mean([r.changed for r in finished])),
        "frame_reuse_share": float(np.mean([not r.computed for r in finished])),
        "layer_reuse_share": float(np.mean([r.reused == "layer" and r.computed > 0.0 for r in finished])),
        "computed_share_mean": float(np.mean([r.computed for r in finished])),
        "stale_share_mean": float(np.mean([r.stale for r in finished])),
        "age_ms_mean": float(np.mean(ages)),
        "age_ms_p95": float(np.percentile(ages, 95)),
    }
