"""A sweep: a row for each point, and metrics against what was swept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from socsim.results.columns import SWEPT
from socsim.results.html import Head, drawn, image, paragraph, table
from socsim.results.means import grouped, mean
from socsim.results.report.cells import Row, heading, number, records, titled
from socsim.results.report.figures import Series, series_figure
from socsim.results.report.saved import Saved

__all__ = ["failures", "figure", "points"]

_SEED = "seed"
_ROWS, _SERIES, _PANELS, _PLACES = 400, 8, 6, 60
"""Rows of the table, series of a panel, panels, and places of an axis that has no numbers, at most."""
_METRICS = ("latency_ms_mean", "latency_ms_p95", "deadline_miss_share", "frame_drop_share", "energy_mj")


class _Swept(NamedTuple):
    rows: list[Row]
    axes: list[str]
    """Columns that tell points apart, without seeds; the last is the application where there are several."""
    seeds: int


def _swept(saved: Saved) -> _Swept:
    rows: list[Row] = list(records(saved.table("runs", ("run", "app"))))
    keys = list(rows[0]) if rows else []
    axes = [key for key in keys[1 : keys.index("app")] if key != _SEED] if "app" in keys else []
    several = len({row["app"] for row in rows}) > 1
    return _Swept(rows, [*axes, *(["app"] if several else [])], len({row.get(_SEED) for row in rows}))


def points(saved: Saved) -> Iterator[str]:
    """The table: means over seeds, with the half-widths of their 95 % confidence intervals."""
    own = _swept(saved)
    groups = grouped(own.rows, [*own.axes, "app"])
    if own.seeds > 1:
        yield paragraph(f"Means over {own.seeds} seeds, ± the half-width of their 95 % confidence interval.")
    if len(groups) > _ROWS:
        yield paragraph(f"The first {_ROWS} of {len(groups)} points; runs.parquet has them all.", "small")
    columns = [(key, form) for _, key, form in SWEPT if any(row.get(key) is not None for row in own.rows)]
    varying = [(key, form) for key, form in columns if any(row.get(key) for row in own.rows)]
    heads = [
        *(Head("application" if axis == "app" else axis) for axis in own.axes),
        *(heading(k) for k, _ in varying),
    ]
    lines = [
        [
            *(number(group[0].get(axis), "") for axis in own.axes),
            *(_mean(group, *column) for column in varying),
        ]
        for group in groups[:_ROWS]
    ]
    yield table(heads, lines)


def _mean(group: Sequence[Row], key: str, form: str) -> str:
    values = [row[key] for row in group if row.get(key) is not None]
    if values and isinstance(values[0], bool):
        often = sum(values)
        return "yes" if often == len(values) else f"{often} of {len(values)}" if often else "-"
    if not values:
        return "-"
    found = mean([float(value) for value in values])
    width = "" if found.half_width is None else number(found.half_width, form)
    return number(found.value, form) + (f" ±{width}" if width.strip("0.,%") else "")


def figure(saved: Saved) -> Iterator[str]:
    """Metrics against the axis with the most numbers, a line for each value of another."""
    own = _swept(saved)
    metrics = [key for key in _METRICS if len({row.get(key) for row in own.rows} - {None}) > 1][:3]
    axis = _horizontal(own)
    if not axis or not metrics:
        return
    places = list(dict.fromkeys(row[axis] for row in own.rows))
    numeric = all(_is_number(place) for place in places)
    if not numeric and len(places) > _PLACES:
        return
    told, apart, left = _shared_out(own, axis)
    groups = grouped(own.rows, apart)
    metrics = metrics[: max(1, _PANELS // len(groups))]
    at = {place: float(place) if numeric else float(i) for i, place in enumerate(places)}
    panels, ys = dict[str, list[Series]](), list[str]()
    for key in metrics:
        for group in groups:
            title = ", ".join([titled(key), *(f"{name} {number(group[0][name], '')}" for name in apart)])
            panels[title] = _series(group, key, axis, told, at, intervals=not left)
            ys.append(titled(key))
    text = [f"Lines: {' and '.join(told)}." if told else "", f"Means over {', '.join(left)}." if left else ""]
    if own.seeds > 1 and not left:
        text.append("Whiskers: 95 % confidence interval of the mean over seeds.")
    labels = [] if numeric else [number(place, "") for place in places]
    drawing = series_figure(panels, axis, ys, labels)
    yield image(drawn(drawing), f"metrics against {axis}", " ".join(filter(None, text)))


def _horizontal(own: _Swept) -> str:
    """The axis with the most different numbers; without any, that with the most values."""

    def rank(axis: str) -> tuple[bool, int]:
        values = {row[axis] for row in own.rows}
        return len(values) > 1 and all(map(_is_number, values)), len(values)

    return max((axis for axis in own.axes if axis != "app"), key=rank, default="")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shared_out(own: _Swept, axis: str) -> tuple[list[str], list[str], list[str]]:
    """The other axes: told apart by lines, by panels, and not, for which there are too many values.

    The application comes first, then the axes with the most values.
    """
    counts = {name: len({row[name] for row in own.rows}) for name in own.axes if name != axis}
    told, apart, left = list[str](), list[str](), list[str]()
    lines = panels = 1
    for name in sorted(counts, key=lambda name: (name != "app", -counts[name])):
        if lines * counts[name] <= _SERIES:
            told.append(name)
            lines *= counts[name]
        elif panels * counts[name] <= _PANELS:
            apart.append(name)
            panels *= counts[name]
        else:
            left.append(name)
    return told, apart, left


def _series(
    rows: Sequence[Row], key: str, axis: str, told: Sequence[str], at: dict[object, float], *, intervals: bool
) -> list[Series]:
    """A series for each set of values of the axes that are told apart."""
    found = []
    for group in grouped([row for row in rows if row.get(key) is not None], told):
        means = {part[0][axis]: mean([float(row[key]) for row in part]) for part in grouped(group, [axis])}
        order = sorted(means, key=lambda place: at[place])
        errors = [means[place].half_width for place in order]
        name = ", ".join(number(group[0][part], "") for part in told)
        known = [float("nan") if error is None else error for error in errors]
        drawn_errors = known if intervals and any(errors) else []
        found.append(
            Series(name, [at[place] for place in order], [means[p].value for p in order], drawn_errors)
        )
    return found


def failures(saved: Saved) -> Iterator[str]:
    """Runs that failed, and why."""
    rows = records(saved.table("failures", ("run", "kind", "error")))
    if len(rows) > _ROWS:
        yield paragraph(f"The first {_ROWS} of {len(rows)}; failures.parquet has them all.", "small")
    hidden = ("trace", "attempts")
    keys = [key for key in (rows[0] if rows else {}) if key not in hidden]
    yield table([Head(key) for key in keys], [[number(row[key], "") for key in keys] for row in rows[:_ROWS]])
