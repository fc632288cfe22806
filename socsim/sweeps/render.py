"""The table of a sweep, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from socsim.results.result import flat_row
from socsim.sweeps.means import Mean, grouped, mean
from socsim.sweeps.plan import Sweep
from socsim.sweeps.tables import column_names
from socsim.words import counted

__all__ = ["render_sweep"]

Row = Mapping[str, Any]

_ENERGY = ("energy\nmJ/inf", "energy_mj", ".1f")

_COLUMNS = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
    ("slow-\ndown", "slowdown", ".2f"),
    ("over-\nloaded", "overloaded", ""),
    ("queue\ndrops %", "drop_share", ".1%"),
    ("missed\n%", "deadline_miss_share", ".1%"),
    ("drops\n%", "frame_drop_share", ".1%"),
    ("late or\ndropped %", "missed_share", ".1%"),
    ("shown\nfps", "fps_shown", ".2f"),
    ("top-1\n%", "top1_mean", ".2f"),
    ("top-1\ndrop", "top1_drop", ".2f"),
    _ENERGY,
    ("power\nW", "power_w", ".2f"),
    ("com-\nputed %", "computed_share_mean", ".1%"),
    ("stale\n%", "stale_share_mean", ".2%"),
    ("age\nms", "age_ms_mean", ".2f"),
    ("memory\nMB", "peak_memory_mb", ".1f"),
    ("predicted\noff by", "prediction_mape", ".1%"),
)
"""(header, key, format)."""

_ONLY_WITH = {"frame_drop_share": "frames", "peak_memory_mb": "computed_share_mean"}
"""Columns that are shown only where others have a value."""

_SEED, _NARROW, _RAIL = "seed", 24, "rails_mj_"


def render_sweep(plan: Sweep, rows: Sequence[Row]) -> Group:
    """A row per point and application; of repetitions that differ in their seed, means and 95 % intervals.

    Parameters
    ----------
    plan
        What was swept.
    rows
        As of :func:`socsim.sweeps.running.run_points`, all with the same keys.
    """
    names = column_names([axis.name for axis in plan.axes])
    shown = [name for name in names if name != _SEED]
    rows = [flat_row(row) for row in rows]
    columns = _with_rails(rows)
    several = len({row["app"] for row in rows}) > 1
    labels = [*shown, *(["app"] if several else [])]
    groups = grouped(rows, [*shown, "app"])
    cells = [[_cell(group, key, form) for _, key, form in columns] for group in groups]
    kept = [i for i in range(len(columns)) if any(row[i] not in ("-", "0.0%", "0.00%") for row in cells)]
    kept = [i for i in kept if any(r.get(_ONLY_WITH.get(columns[i][1], "app")) is not None for r in rows)]
    if not any(row.get("top1_drop") for row in rows):
        kept = [i for i in kept if columns[i][1] != "top1_drop"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for label in labels:
        table.add_column(
            "application" if label == "app" else label, overflow="fold", no_wrap=_narrow(rows, label)
        )
    for i in kept:
        table.add_column(columns[i][0], justify="right")
    for group, row in zip(groups, cells, strict=True):
        table.add_row(*(Text(str(group[0].get(label))) for label in labels), *(row[i] for i in kept))
    return Group(_title(plan, names), table)


def _with_rails(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """The columns, with those of rails and meters that see only a part of the device in some run."""
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith(_RAIL))
    partial = [key for key in keys if any(_differs(row.get(key), row.get("energy_mj")) for row in rows)]
    own = [(f"{key.removeprefix(_RAIL)}\nmJ/inf", key, ".1f") for key in partial]
    after = _COLUMNS.index(_ENERGY) + 1
    return [*_COLUMNS[:after], *own, *_COLUMNS[after:]]


def _differs(part: float | None, whole: float | None) -> bool:
    return part is not None and whole is not None and abs(part - whole) > 1e-9 * abs(whole)


def _narrow(rows: Sequence[Row], label: str) -> bool:
    """Whether a column of labels shall keep its width whatever the others need."""
    return max((len(str(row.get(label))) for row in rows), default=0) <= _NARROW


def _title(plan: Sweep, names: Sequence[str]) -> Text:
    title = f"{plan.name} on {plan.base['device']}, {counted(len(plan), 'run')}"
    if _SEED in names:
        seeds = plan.axes[list(names).index(_SEED)].labels
        several = f"means over {len(seeds)} seeds, ± 95 % confidence"
        title += f"; {several}" if len(seeds) > 1 else f"; seed {seeds[0]}"
    return Text(title, "bold")


def _cell(group: Sequence[Row], key: str, form: str) -> str:
    """Mean of a column over repetitions; its interval where it does not round to nothing."""
    frames = group[0].get("frames") is not None
    if key == "frame_drop_share" and not frames:
        return "-"
    values = [row[key] for row in group if row.get(key) is not None]
    if not values:
        return "-"
    if key == "overloaded":
        return _often([bool(value) for value in values])
    found: Mean = mean(values)
    text = _number(found.value, form)
    width = None if found.half_width is None else _number(found.half_width, form)
    return text if width is None or not width.strip("0.,%") else f"{text} ±{width}"


def _often(values: Sequence[bool]) -> str:
    """In how many repetitions something was so: ``-`` for never, ``yes`` for always."""
    share = f"{sum(values)} of {len(values)}"
    return "-" if not any(values) else "yes" if all(values) else share


def _number(value: float, form: str) -> str:
    wide = form.endswith("f") and abs(value) >= 10_000
    return format(value, ",.0f" if wide else form)
