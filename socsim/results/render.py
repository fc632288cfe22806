"""Comparisons, and applications of a run, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from socsim import units
from socsim.results.attribution import energy_by_app
from socsim.results.columns import (
    AFTER,
    DROP,
    ENERGY,
    LATENCY,
    MISSED,
    PLACED,
    REUSED,
    SERVED,
    SHOWN,
    SPEEDUP,
    TOP1,
    Columns,
)  # fmt: skip
from socsim.results.metrics import device_row, transforms_of
from socsim.results.notes import comparison_notes, load_notes, network_notes
from socsim.results.shown import frame_apps
from socsim.words import counted
from socsim.workloads.transforms import split_transforms

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison
    from socsim.results.result import Result
    from socsim.simulation.records import Outcome

__all__ = ["render_applications", "render_comparison"]


def render_comparison(comparison: Comparison) -> Group:
    """A row per result, right-aligned with units in the header, and notes below."""
    labelled = zip(comparison.rows, comparison.labels, strict=True)
    rows = [{**row, "label": label} for row, label in labelled]
    several = len({row["model"] for row in rows}) > 1
    names = {**({"transforms": "transforms"} if several else {}), "scheduler": "label"}
    names |= {"governors": "governors"} if len({*comparison.governors}) > 1 else {}
    rows = [{**row, "transforms": transforms_of(row["model"])} for row in rows]
    accurate = () if all(row["top1_mean"] is None for row in rows) else TOP1
    accurate += DROP if several else ()
    after = PLACED if comparison.governors or len(names) > 1 or accurate else AFTER
    table = _table(Text(_title(comparison), "bold"), names, rows, (*SPEEDUP, *accurate), after)
    return Group(table, *map(Text, comparison_notes(comparison)))


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
    others = ((REUSED, reused), (SHOWN, shown))
    tables = [*_inferring(title, rows), *(_columns_with(columns, own) for columns, own in others if own)]
    lines = [
        f"{app.app}: {app.model}, scheduler {app.scheduler}, {app.library}, {app.dtype}"
        for app in o.apps.values()
    ]
    notes = (*_energies(o), *load_notes(result), *lines, *network_notes(result))
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
    missed = () if all(row["deadline_miss_share"] is None for row in rows) else MISSED
    return [_table(title, {"application": "app"}, rows, missed), _columns_with(SERVED, rows)]


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


def _table(
    title: Text, names: Mapping[str, str], rows: list[dict[str, Any]], extra: Columns, after: Columns = AFTER
) -> Table:
    """Names (header -> key) to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    processors = list(dict.fromkeys(p for row in rows for p in row["utilization"]))
    before = (*LATENCY, *extra, *ENERGY)
    for header in names:
        table.add_column(header, overflow="fold")
    for text in (*(c[0] for c in before), *(f"{p}\nbusy" for p in processors), *(c[0] for c in after)):
        table.add_column(text, justify="right")
    for row in rows:
        busy = [_number(row["utilization"].get(p, 0.0), ".0%") for p in processors]
        cells = [[_number(row[key], form) for _, key, form in columns] for columns in (before, after)]
        table.add_row(*(Text(str(row[key])) for key in names.values()), *cells[0], *busy, *cells[1])
    return table


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
