"""What to know of a run or a comparison beside its numbers, a sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from socsim import units
from socsim.results.uncertainty import Timed, difference_error, needs_less

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison
    from socsim.results.result import Result

__all__ = ["comparison_notes", "load_notes", "network_notes", "run_notes"]


def run_notes(result: Result) -> list[str]:
    """Of a run: applications that could not keep up, what transforms cost, operators not supported."""
    return [*load_notes(result), *network_notes(result)]


def comparison_notes(comparison: Comparison) -> list[str]:
    """Of a comparison: rows that could not keep up, rows too close to tell apart, and of each run the like."""
    wanted = comparison.wanted_dtype
    notes = dict.fromkeys(note for result in comparison.results for note in network_notes(result, wanted))
    return [*_queues(comparison), *_close(comparison), *notes]


def _close(comparison: Comparison) -> Iterator[str]:
    """Which rows are as fast as the fastest, as far as the model can tell."""
    timed = [
        (_who(row, label), Timed(row["latency_ms_mean"] * 1e-3, next(iter(own.outcome.apps.values())).bases))
        for row, label, own in zip(comparison.rows, comparison.labels, comparison.results, strict=True)
        if row["latency_ms_mean"]
    ]
    if not timed:
        return
    first, best = min(timed, key=lambda one: one[1].seconds)
    for who, other in timed:
        error = difference_error(best.bases, other.bases)
        if error is None or not best.seconds < other.seconds < error * best.seconds:
            continue
        if not needs_less(best, other):
            apart = f"{first} is {other.seconds / best.seconds - 1.0:.0%} faster than {who}"
            yield f"{apart}, less than the model's own error for the two ({error - 1.0:.0%})"


def _who(row: Mapping[str, Any], label: str) -> str:
    """A row's scheduler, and its governors where those are compared."""
    return f"{label}, {row['governors']}" if "governors" in row else label


def load_notes(result: Result) -> Iterator[str]:
    """Which applications could not keep up with their arrivals."""
    for app in result.outcome.apps:
        row, seconds = result.service(app), result.outcome.duration_s
        if row["overloaded"]:
            backlog, growth = row["backlog"], row["backlog_growth_per_s"]
            yield (
                f"{app}: arrivals outrun service: backlog {backlog} after {seconds:g} s, growing by {growth:.3g} per s"
            )
        if row["dropped"]:
            yield f"{app}: {row['dropped']} of {row['arrived']} arrivals dropped ({row['drop_share']:.1%})"


def _queues(comparison: Comparison) -> Iterator[str]:
    """Which rows could not keep up with their period: the last inference waited longer than that."""
    period = comparison.config.get("period")
    if not period:
        return
    seconds = units.parse(period, "time")
    for result, row, label in zip(comparison.results, comparison.rows, comparison.labels, strict=True):
        started = [r for r in result.outcome.inferences if r.status == "finished"]
        waited = max(started, key=lambda r: r.arrival_s, default=None)
        if waited and waited.start_s - waited.arrival_s > seconds:
            slow = "arrivals outrun service; latencies are those of a queue that grows as long as the run"
            yield f"{_who(row, label)}: {slow}"


def network_notes(result: Result, wanted: str | None = None) -> Iterator[str]:
    """What to know of a run: a data type other than `wanted` (default any), operators not supported."""
    for app in result.outcome.apps.values():
        if wanted and app.dtype != wanted:
            quantised = " (quantised)" if app.dtype == "int8" else ""
            what = f"runs in {app.dtype}{quantised}, not {wanted}"
            yield f"{app.scheduler}: {what}; accuracy is not simulated"
        if app.top1_drop != 0.0:
            known = f"costs {app.top1_drop:g} points of Top-1 ({app.drop_source})"
            yield f"{app.model}: {'what it costs in accuracy is not known' if isnan(app.top1_drop) else known}"
        if app.unsupported or app.fallbacks:
            count = max(app.unsupported, len(app.fallbacks))
            what = f"{count} of {app.operators} operators not supported"
            yield f"{app.scheduler}: {what}{_reasons(app.fallbacks)}"


def _reasons(fallbacks: Mapping[str, str]) -> str:
    """The commonest reasons of fallback, with how many operators each concerns."""
    reasons = Counter(fallbacks.values()).most_common(2)
    listed = "; ".join(f"{why} ({count})" for why, count in reasons)
    return f", run on the CPU instead: {listed}" if listed else ""
