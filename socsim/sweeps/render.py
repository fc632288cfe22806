"""The table of a sweep, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from socsim.results.columns import ENERGY, SWEPT
from socsim.results.means import Mean, grouped, mean
from socsim.results.result import flat_row
from socsim.sweeps.plan import Sweep
from socsim.words import counted

__all__ = ["render_sweep", "table_rows"]

Row = Mapping[str, Any]

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
    names = plan.columns
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


def table_rows(plan: Sweep, rows: Iterable[Row], most: int) -> list[dict[str, Any]] | None:
    """What :func:`render_sweep` needs of rows, or None where its table would have more than `most`."""
    shown = [name for name in plan.columns if name != _SEED]
    wanted = {*plan.columns, "app", "frames", *(key for _, key, _ in SWEPT)}
    kept, groups = list[dict[str, Any]](), set[tuple[Any, ...]]()
    for row in rows:
        groups.add(tuple(row.get(name) for name in (*shown, "app")))
        if len(groups) > most:
            return None
        flat = flat_row(row)
        kept.append({k: v for k, v in flat.items() if k in wanted or k.startswith(_RAIL)})
    return kept


def _with_rails(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """The columns, with those of rails and meters that see only a part of the device in some run."""
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith(_RAIL))
    partial = [key for key in keys if any(_differs(row.get(key), row.get("energy_mj")) for row in rows)]
    own = [(f"{key.removeprefix(_RAIL)}\nmJ/inf", key, ".1f") for key in partial]
    after = SWEPT.index(ENERGY[0]) + 1
    return [*SWEPT[:after], *own, *SWEPT[after:]]


def _differs(part: float | None, whole: float | None) -> bool:
    return part is not None and whole is not None and abs(part - whole) > 1e-9 * abs(whole)


def _narrow(rows: Sequence[Row], label: str) -> bool:
    """Whether a column of labels shall keep its width whatever the others need."""
    return max((len(str(row.get(label))) for row in rows), default=0) <= _NARROW


def _title(plan: Sweep, names: Sequence[str]) -> Text:
    title = f"{plan.name} on {plan.base['device']}, {counted(len(plan), 'run')}"
    if _SEED in names:
        seeds = _values(plan, names.index(_SEED))
        several = f"means over {len(seeds)} seeds, ± 95 % confidence"
        title += f"; {several}" if len(seeds) > 1 else f"; seed {seeds[0]}"
    return Text(title, "bold")


def _values(plan: Sweep, column: int) -> list[Any]:
    """The different values of a column."""
    for axis in plan.axes:
        if column < len(axis.columns):
            return list(dict.fromkeys(axis.row(i)[column] for i in range(len(axis))))
        column -= len(axis.columns)
    return []


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
