"""Comparisons as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison

__all__ = ["render_comparison"]

_BEFORE = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
    ("speed-\nup", "speedup", ".2f"),
    ("energy\nmJ/inf", "energy_mj", ".1f"),
    ("power\nW", "power_w", ".2f"),
)
_AFTER = (
    ("moved\nMB/inf", "transfer_mb", ".2f"),
    ("sync\nms/inf", "sync_ms", ".2f"),
    ("fall-\nbacks", "fallback_ops", "d"),
    ("memory\nMB", "peak_memory_mb", ".1f"),
)


def render_comparison(comparison: Comparison) -> Group:
    """A right-aligned table with units in its header, and notes under it."""
    table = Table(
        title=_title(comparison), title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    processors = list(dict.fromkeys(p for row in comparison.rows for p in row["utilization"]))
    table.add_column("scheduler", overflow="fold")
    for header, _, _ in _BEFORE:
        table.add_column(header, justify="right")
    for processor in processors:
        table.add_column(f"{processor}\nbusy %", justify="right")
    for header, _, _ in _AFTER:
        table.add_column(header, justify="right")
    for row in comparison.rows:
        busy = [_number(100.0 * row["utilization"].get(p, 0.0), ".0f") for p in processors]
        values = [_number(row[key], form) for _, key, form in _BEFORE]
        more = [_number(row[key], form) for _, key, form in _AFTER]
        table.add_row(Text(str(row["scheduler"])), *values, *busy, *more)
    return Group(table, *(Text(note) for note in _notes(comparison)))


def _title(comparison: Comparison) -> Text:
    row = comparison.rows[0]
    count = sum(r.status == "finished" for r in comparison.results[0].outcome.inferences)
    done = f"{_wanted_dtype(comparison)}, {count} inference{'s' * (count != 1)} each"
    return Text(f"{row['model']} on {row['device']} with {row['library']}, {done}", "bold")


def _wanted_dtype(comparison: Comparison) -> str:
    """The data type asked for, or, where the comparison does not say, that of the first run."""
    first = next(iter(comparison.results[0].outcome.apps.values()))
    return str(comparison.config.get("dtype") or first.dtype)


def _number(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)


def _notes(comparison: Comparison) -> Iterator[str]:
    wanted = _wanted_dtype(comparison)
    for result in comparison.results:
        for app in result.outcome.apps.values():
            if app.dtype != wanted:
                quantised = " (quantised)" if app.dtype == "int8" else ""
                what = f"runs in {app.dtype}{quantised}, not {wanted}"
                yield f"{app.scheduler}: {what}; accuracy is not simulated"
            if app.unsupported or app.fallbacks:
                count = max(app.unsupported, len(app.fallbacks))
                what = f"{count} of {app.operators} operators not supported"
                yield f"{app.scheduler}: {what}{_reasons(app.fallbacks)}"


def _reasons(fallbacks: Any) -> str:
    """The commonest reasons of fallback, with how many operators each concerns."""
    reasons = Counter(fallbacks.values()).most_common(2)
    listed = "; ".join(f"{why} ({count})" for why, count in reasons)
    return f", run on the CPU instead: {listed}" if listed else ""
