"""Comparisons as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from socsim.words import counted

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison
    from socsim.results.result import Result

__all__ = ["render_applications", "render_comparison"]

Columns = tuple[tuple[str, str, str], ...]
"""(header, key, format) of columns."""

_LATENCY: Columns = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p50\nms", "latency_ms_p50", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
)
_SPEEDUP: Columns = (("speed-\nup", "speedup", ".2f"),)
_MISSED: Columns = (("missed\n%", "deadline_miss_share", ".1%"),)
_ENERGY: Columns = (("energy\nmJ/inf", "energy_mj", ".1f"), ("power\nW", "power_w", ".2f"))
_AFTER: Columns = (
    ("moved\nMB/inf", "transfer_mb", ".2f"),
    ("sync\nms/inf", "sync_ms", ".2f"),
    ("unsup-\nported", "unsupported_share", ".1%"),
    ("fall-\nbacks", "fallback_ops", "d"),
)


def render_comparison(comparison: Comparison) -> Group:
    """A row per scheduler, right-aligned with units in the header, and notes below."""
    table = _table(Text(_title(comparison), "bold"), "scheduler", comparison.rows, "scheduler", _SPEEDUP)
    wanted = _wanted_dtype(comparison)
    return Group(table, *(Text(note) for result in comparison.results for note in _notes(result, wanted)))


def render_applications(result: Result) -> Group:
    """A row per application of one run, and notes below."""
    rows = [{"app": app, **result.metrics(app)} for app in result.outcome.apps]
    o = result.outcome
    title = Text(f"{o.device}, {o.duration_s * 1e3:,.1f} ms simulated", "bold")
    missed = () if all(row["deadline_miss_share"] is None for row in rows) else _MISSED
    table = _table(title, "application", rows, "app", missed)
    lines = [f"{app.app}: {app.model}, scheduler {app.scheduler}, {app.library}" for app in o.apps.values()]
    return Group(table, *(Text(line) for line in (*lines, *_notes(result, None))))


def _table(title: Text, header: str, rows: list[dict[str, Any]], name: str, extra: Columns) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    processors = list(dict.fromkeys(p for row in rows for p in row["utilization"]))
    before = (*_LATENCY, *extra, *_ENERGY)
    table.add_column(header, overflow="fold")
    for text in (*(c[0] for c in before), *(f"{p}\nbusy" for p in processors), *(c[0] for c in _AFTER)):
        table.add_column(text, justify="right")
    for row in rows:
        busy = [_number(row["utilization"].get(p, 0.0), ".0%") for p in processors]
        cells = [[_number(row[key], form) for _, key, form in columns] for columns in (before, _AFTER)]
        table.add_row(Text(str(row[name])), *cells[0], *busy, *cells[1])
    return table


def _title(comparison: Comparison) -> str:
    row = comparison.rows[0]
    count = sum(r.status == "finished" for r in comparison.results[0].outcome.inferences)
    done = f"{_wanted_dtype(comparison)}, {counted(count, 'inference')} each"
    return f"{row['model']} on {row['device']} with {row['library']}, {done}"


def _wanted_dtype(comparison: Comparison) -> str:
    """The data type asked for, or, where the comparison does not say, that of the first run."""
    first = next(iter(comparison.results[0].outcome.apps.values()))
    return str(comparison.config.get("dtype") or first.dtype)


def _number(value: Any, form: str) -> str:
    if value is None:
        return "-"
    wide = form.endswith("f") and abs(value) >= 10_000
    return format(value, ",.0f" if wide else form)


def _notes(result: Result, wanted: str | None) -> Iterator[str]:
    """What to know of a run: a data type other than `wanted` (None for any), operators not supported."""
    for app in result.outcome.apps.values():
        if wanted and app.dtype != wanted:
            quantised = " (quantised)" if app.dtype == "int8" else ""
            what = f"runs in {app.dtype}{quantised}, not {wanted}"
            yield f"{app.scheduler}: {what}; accuracy is not simulated"
        if app.unsupported or app.fallbacks:
            count = max(app.unsupported, len(app.fallbacks))
            what = f"{count} of {app.operators} operators not supported"
            yield f"{app.scheduler}: {what}{_reasons(app.fallbacks)}"


def _reasons(fallbacks: Mapping[str, str]) -> str:
    """The commonest reasons of fallback, with how many operators each concerns."""
    reasons = Counter(fallbacks.values()).most_common(2)
    listed = "; ".join(f"{why} ({count})" for why, count in reasons)
    return f", run on the CPU instead: {listed}" if listed else ""
