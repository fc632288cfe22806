"""How an application was served: what arrived, waited, was dropped and finished, and whether it kept up."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from socsim.errors import UnknownNameError
from socsim.simulation.inferencelog import STATUSES, Inferences
from socsim.simulation.records import Outcome

__all__ = ["SERVICE", "backlog_growth_per_s", "outrun", "service"]

Row = dict[str, Any]

SERVICE: Mapping[str, str] = {
    "arrived": "inferences that were asked for",
    "finished": "those that finished",
    "dropped": "those that its queue dropped",
    "running": "those under way at the end of the run",
    "queued": "those that waited at the end of the run",
    "drop_share": "dropped / arrived",
    "wait_ms_mean": "mean time from arrival to start, over all that started",
    "wait_ms_p95": "95th percentile of the same",
    "service_ms_mean": "mean time from start to finish, over finished inferences",
    "service_ms_p95": "95th percentile of the same",
    "chain_ms_mean": "mean time from the first stage's arrival to the finish; null for a first stage",
    "chain_ms_p95": "95th percentile of the same",
    "throughput_per_s": "finished inferences per second of the run",
    "backlog": "inferences that had arrived and not ended at the end of the run: running and queued",
    "backlog_growth_per_s": "what the backlog grew by in the second half of the run, per second",
    "overloaded": "whether arrivals outran service; latencies are then those of a queue that grows as long as the run",
}
"""What each key of a row means, in the order of the columns."""


def service(outcome: Outcome, app: str | None = None) -> Row:
    """Say how an application of a run was served.

    Parameters
    ----------
    outcome
        What the run recorded.
    app
        Application; default the first one.

    Returns
    -------
    A row with the keys of :data:`SERVICE`; a value is None where it does not exist, such as a mean over nothing.

    Raises
    ------
    UnknownNameError
        No application of that name.
    """
    name = next(iter(outcome.apps), "") if app is None else app
    if name not in outcome.apps:
        raise UnknownNameError("application", name, outcome.apps)
    own = outcome.inferences_of(name)
    counts = {status: int(own.are(status).sum()) for status in STATUSES}
    arrived, duration = len(own.status), outcome.duration_s
    row: Row = {
        "arrived": arrived,
        **counts,
        "drop_share": counts["dropped"] / arrived if arrived else None,
        **_times(own),
        "throughput_per_s": counts["finished"] / duration if duration > 0 else None,
        "backlog": counts["running"] + counts["queued"],
        "backlog_growth_per_s": backlog_growth_per_s(own, duration) if duration > 0 else None,
        "overloaded": outrun(own, duration) if duration > 0 else None,
    }
    return {key: row[key] for key in SERVICE}


def _times(own: Inferences) -> Row:
    finished, started = own.are("finished"), own.start >= 0.0
    staged = finished & (own.origin >= 0.0)
    return {
        **_mean_and_p95("wait_ms", (own.start - own.arrival)[started]),
        **_mean_and_p95("service_ms", (own.finish - own.start)[finished]),
        **_mean_and_p95("chain_ms", (own.finish - own.origin)[staged]),
    }


def _mean_and_p95(name: str, seconds: np.ndarray) -> Row:
    if not len(seconds):
        return {f"{name}_mean": None, f"{name}_p95": None}
    return {
        f"{name}_mean": float(seconds.mean()) * 1e3,
        f"{name}_p95": float(np.percentile(seconds, 95)) * 1e3,
    }


def backlog_growth_per_s(own: Inferences, duration_s: float) -> float:
    """What the number of inferences that have arrived and not ended grew by in the second half of a run, per second."""
    half = duration_s / 2
    return (_backlog(own, duration_s) - _backlog(own, half)) / half


def _backlog(own: Inferences, at: float) -> int:
    ends = own.finish[own.are("finished") | own.are("dropped")]
    return int((own.arrival <= at).sum() - (ends <= at).sum())


def outrun(own: Inferences, duration_s: float) -> bool:
    """Whether arrivals outran service: the backlog grew from quarter to quarter, by two or more, and somebody waits."""
    quarters = [_backlog(own, duration_s * i / 4) for i in (1, 2, 3, 4)]
    growing = all(a <= b for a, b in pairwise(quarters))
    return (
        growing
        and quarters[3] - quarters[1] >= 2
        and quarters[3] > quarters[0]
        and bool(own.are("queued").any())
    )
