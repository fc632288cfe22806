"""Comparisons, and applications of a run, as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from socsim import units
from socsim.results.attribution import energy_by_app
from socsim.results.metrics import device_row, transforms_of
from socsim.results.shown import frame_apps
from socsim.results.uncertainty import Timed, difference_error, needs_less
from socsim.words import counted
from socsim.workloads.transforms import split_transforms

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison
    from socsim.results.result import Result
    from socsim.simulation.records import Outcome

__all__ = ["render_applications", "render_comparison"]

Columns = tuple[tuple[str, str, str], ...]
"""(header, key, format) of columns."""

_LATENCY: Columns = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p50\nms", "latency_ms_p50", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
)
_SPEEDUP: Columns = (("speed-\nup", "speedup", ".2f"),)
_TOP1: Columns = (("top-1\n%", "top1_mean", ".2f"),)
_DROP: Columns = (("top-1\ndrop", "top1_drop", ".2f"),)
_MISSED: Columns = (("missed\n%", "deadline_miss_share", ".1%"),)
_SERVED: Columns = (
    ("arrived", "arrived", "d"),
    ("fin-\nished", "finished", "d"),
    ("drop-\nped", "dropped", "d"),
    ("run-\nning", "running", "d"),
    ("queued", "queued", "d"),
    ("waits\nms", "wait_ms_mean", ".2f"),
    ("p95\nms", "wait_ms_p95", ".2f"),
    ("takes\nms", "service_ms_mean", ".2f"),
    ("p95\nms", "service_ms_p95", ".2f"),
    ("chain\nms", "chain_ms_mean", ".2f"),
    ("p95\nms", "chain_ms_p95", ".2f"),
    ("through-\nput /s", "throughput_per_s", ".2f"),
    ("slow-\ndown", "slowdown", ".2f"),
    ("own\nmJ/inf", "app_energy_mj", ".1f"),
    *_TOP1,
)
_REUSED: Columns = (
    ("changed\n%", "changed_share_mean", ".1%"),
    ("frame\nreuse %", "frame_reuse_share", ".1%"),
    ("layer\nreuse %", "layer_reuse_share", ".1%"),
    ("com-\nputed %", "computed_share_mean", ".1%"),
    ("stale\n%", "stale_share_mean", ".1%"),
    ("age\nms", "age_ms_mean", ".2f"),
    ("p95\nms", "age_ms_p95", ".2f"),
    ("memory\nMB", "peak_memory_mb", ".1f"),
)
_SHOWN: Columns = (
    ("frames", "frames", "d"),
    ("presen-\nted", "presented", "d"),
    ("late", "late", "d"),
    ("drop-\nped", "dropped", "d"),
    ("pend-\ning", "pending", "d"),
    ("drops\n%", "frame_drop_share", ".1%"),
    ("missed\n%", "missed_share", ".1%"),
    ("takes\nms", "latency_ms_mean", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
    ("janks", "jank_count", "d"),
    ("longest\nfreeze ms", "longest_freeze_ms", ".1f"),
    ("shown\nfps", "fps_shown", ".2f"),
    ("own\nmJ/frame", "app_energy_mj", ".1f"),
)
_ENERGY: Columns = (("energy\nmJ/inf", "energy_mj", ".1f"), ("power\nW", "power_w", ".2f"))
_PLACED: Columns = (("moved\nMB/inf", "transfer_mb", ".2f"), ("sync\nms/inf", "sync_ms", ".2f"))
_AFTER: Columns = (
    *_PLACED,
    ("unsup-\nported", "unsupported_share", ".1%"),
    ("fall-\nbacks", "fallback_ops", "d"),
)


def render_comparison(comparison: Comparison) -> Group:
    """A row per result, right-aligned with units in the header, and notes below."""
    labelled = zip(comparison.rows, comparison.labels, strict=True)
    rows = [{**row, "label": label} for row, label in labelled]
    several = len({row["model"] for row in rows}) > 1
    names = {**({"transforms": "transforms"} if several else {}), "scheduler": "label"}
    names |= {"governors": "governors"} if len({*comparison.governors}) > 1 else {}
    rows = [{**row, "transforms": transforms_of(row["model"])} for row in rows]
    accurate = () if all(row["top1_mean"] is None for row in rows) else _TOP1
    accurate += _DROP if several else ()
    after = _PLACED if comparison.governors or len(names) > 1 or accurate else _AFTER
    table = _table(Text(_title(comparison), "bold"), names, rows, (*_SPEEDUP, *accurate), after)
    wanted = comparison.wanted_dtype
    notes = dict.fromkeys(note for result in comparison.results for note in _notes(result, wanted))
    return Group(table, *map(Text, [*_queues(comparison, rows), *_close(comparison), *notes]))


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


def render_applications(result: Result, *, slowdown: bool = False) -> Group:
    """Tables with a row per application of one run and notes below.

    What each that infers cost and how it was served, what each with a scene reused, and what each that shows frames
    showed.
    """
    o = result.outcome
    title = Text(f"{o.device}, {o.duration_s * 1e3:,.1f} ms simulated", "bold")
    rows = [row for row in result.rows(slowdown=slowdown) if row["app"] in o.apps]
    shown = [{"app": app, **result.shown(app)} for app in frame_apps(o)]
    reused = [row for row in rows if row.get("computed_share_mean") is not None]
    others = ((_REUSED, reused), (_SHOWN, shown))
    tables = [*_inferring(title, rows), *(_columns_with(columns, own) for columns, own in others if own)]
    lines = [
        f"{app.app}: {app.model}, scheduler {app.scheduler}, {app.library}, {app.dtype}"
        for app in o.apps.values()
    ]
    notes = (*_energies(o), *_loads(result), *lines, *_notes(result, None))
    spaced = [part for table in tables for part in (Text(), table)][1:]
    return Group(
        *([] if rows else [title, Text(_device(device_row(o)))]), *spaced, *(Text(line) for line in notes)
    )


def _device(row: Mapping[str, Any]) -> str:
    """Mean power and busy shares, where no table of applications has them."""
    busy = ", ".join(f"{processor} {share:.0%}" for processor, share in row["utilization"].items())
    return f"{_number(row['power_w'], '.2f')} W; busy: {busy}"


def _energies(outcome: Outcome) -> Iterator[str]:
    """Who caused how much of the device's energy."""
    joules = energy_by_app(outcome)
    total = sum(joules.values())
    if total > 0.0:
        parts = (f"{name} {_number(own * 1e3, '.1f')} mJ ({own / total:.0%})" for name, own in joules.items())
        yield f"energy: {', '.join(parts)}"


def _inferring(title: Text, rows: list[dict[str, Any]]) -> list[Table]:
    if not rows:
        return []
    missed = () if all(row["deadline_miss_share"] is None for row in rows) else _MISSED
    return [_table(title, {"application": "app"}, rows, missed), _columns_with(_SERVED, rows)]


def _columns_with(columns: Columns, rows: list[dict[str, Any]]) -> Table:
    """A row per application; columns that none of them has are left out."""
    columns = tuple(column for column in columns if any(row.get(column[1]) is not None for row in rows))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("application", overflow="fold")
    for header, _, _ in columns:
        table.add_column(header, justify="right")
    for row in rows:
        table.add_row(Text(str(row["app"])), *(_number(row.get(key), form) for _, key, form in columns))
    return table


def _loads(result: Result) -> Iterator[str]:
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


def _table(
    title: Text, names: Mapping[str, str], rows: list[dict[str, Any]], extra: Columns, after: Columns = _AFTER
) -> Table:
    """Names (header -> key) to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    processors = list(dict.fromkeys(p for row in rows for p in row["utilization"]))
    before = (*_LATENCY, *extra, *_ENERGY)
    for header in names:
        table.add_column(header, overflow="fold")
    for text in (*(c[0] for c in before), *(f"{p}\nbusy" for p in processors), *(c[0] for c in after)):
        table.add_column(text, justify="right")
    for row in rows:
        busy = [_number(row["utilization"].get(p, 0.0), ".0%") for p in processors]
        cells = [[_number(row[key], form) for _, key, form in columns] for columns in (before, after)]
        table.add_row(*(Text(str(row[key])) for key in names.values()), *cells[0], *busy, *cells[1])
    return table


def _queues(comparison: Comparison, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Which rows could not keep up with their period: the last inference waited longer than that."""
    period = comparison.config.get("period")
    if not period:
        return
    seconds = units.parse(period, "time")
    for result, row in zip(comparison.results, rows, strict=True):
        started = [r for r in result.outcome.inferences if r.status == "finished"]
        waited = max(started, key=lambda r: r.arrival_s, default=None)
        if waited and waited.start_s - waited.arrival_s > seconds:
            who = ", ".join(str(row[key]) for key in ("label", "governors") if key in row)
            yield f"{who}: arrivals outrun service; latencies are those of a queue that grows as long as the run"


def _title(comparison: Comparison) -> str:
    row = comparison.rows[0]
    count = sum(r.status == "finished" for r in comparison.results[0].outcome.inferences)
    done = f"{comparison.wanted_dtype}, {counted(count, 'inference')}{' each' * (len(comparison.rows) > 1)}"
    period = comparison.config.get("period")
    often = f", one every {units.format(units.parse(period, 'time'), 'time')}" if period else ""
    network = (
        row["model"] if len({r["model"] for r in comparison.rows}) < 2 else split_transforms(row["model"])[0]
    )
    sets = {*comparison.governors}
    governed = f", {comparison.governors[0]}" if len(sets) == 1 else ""
    return f"{network} on {row['device']} with {row['library']}, {done}{often}{governed}"


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
