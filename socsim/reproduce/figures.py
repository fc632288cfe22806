"""Draws charts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from math import isnan
from textwrap import fill
from typing import TYPE_CHECKING, Any

from socsim.reproduce.chart import Bars, Chart, Grid, Lines, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "picture"]

COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_BAND = "#dfe8f2"
_WIDTH = 8.4
_LABEL = 40


def picture(chart: Chart, form: str = "svg") -> bytes:
    """A chart as a picture, ``"svg"`` or ``"png"``; the same bytes for the same chart."""
    buffer = io.BytesIO()
    with _settings():
        figure = draw(chart)
        figure.savefig(
            buffer, format=form, dpi=130, metadata={"Date": None} if form == "svg" else {"Software": None}
        )
    return buffer.getvalue()


def draw(chart: Chart) -> Figure:
    """A chart as a figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _height(chart)), layout="constrained")
    axes = figure.subplots()
    drawers: dict[type, Callable[[Axes, Any], None]] = {
        Bars: _bars,
        Lines: _lines,
        Points: _points,
        Grid: _grid,
    }
    drawers[type(chart)](axes, chart)
    axes.set_xlabel(_lines_of(chart.x, 60))
    axes.set_ylabel("" if isinstance(chart, Bars) else _lines_of(chart.y))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


@contextmanager
def _settings() -> Iterator[None]:
    from matplotlib import rc_context

    settings: dict[Any, Any] = {"font.size": 9, "axes.axisbelow": True}
    with rc_context(settings | {"svg.hashsalt": "socsim", "text.parse_math": False}):
        yield


def _height(chart: Chart) -> float:
    if isinstance(chart, Bars):
        each = 1 if chart.stacked else len(chart.series)
        return 1.1 + 0.22 * len(chart.labels) * (each + 0.9)
    return 1.2 + 0.85 * len(chart.rows) if isinstance(chart, Grid) else 3.8


def _bars(axes: Axes, chart: Bars) -> None:
    each = 1 if chart.stacked else len(chart.series)
    height = 0.8 / each
    left = [0.0] * len(chart.labels)
    for number, (series, colour) in enumerate(zip(chart.series, cycle(COLOURS), strict=False)):
        row = 0 if chart.stacked else number
        at = [i - 0.4 + (row + 0.5) * height for i in range(len(chart.labels))]
        axes.barh(
            at, series.ys, height=height * 0.9, left=left if chart.stacked else None, color=colour,
            label=series.name, xerr=list(series.errors) or None, error_kw={"lw": 1.0, "capsize": 2},
        )  # fmt: skip
        if chart.stacked:
            left = [a + b for a, b in zip(left, series.ys, strict=True)]
    _bands(axes, chart)
    _published(axes, chart)
    axes.set_yticks(range(len(chart.labels)), [_lines_of(label) for label in chart.labels])
    axes.set_ylim(len(chart.labels) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    if len(chart.series) > 1 or any(p is not None for p in chart.published):
        _legend(axes)


def _bands(axes: Axes, chart: Bars) -> None:
    ends = axes.get_xlim()
    for i, (low, high) in enumerate(chart.bands):
        if low is not None or high is not None:
            left, right = (low if low is not None else ends[0]), (high if high is not None else ends[1])
            axes.fill_betweenx([i - 0.46, i + 0.46], left, right, color=_BAND, zorder=0, lw=0)


def _published(axes: Axes, chart: Bars) -> None:
    marks = [(x, i) for i, x in enumerate(chart.published) if x is not None]
    for number, (x, i) in enumerate(marks):
        axes.plot([x, x], [i - 0.44, i + 0.44], color="black", lw=1.6, label="" if number else "published")


def _lines(axes: Axes, chart: Lines) -> None:
    colours = dict(zip([s.name for s in chart.series], cycle(COLOURS), strict=False))
    for series in chart.series:
        axes.plot(
            series.xs, series.ys, color=colours[series.name], label=series.name, marker="o", ms=3.0, lw=1.2
        )
        if series.errors:
            low = [y - e for y, e in zip(series.ys, series.errors, strict=True)]
            high = [y + e for y, e in zip(series.ys, series.errors, strict=True)]
            axes.fill_between(series.xs, low, high, color=colours[series.name], alpha=0.18, lw=0)
    for series in chart.published:
        colour = colours.get(series.name, "black")
        axes.plot(series.xs, series.ys, color=colour, ls="--", lw=1.2, label=f"{series.name}, published")
    for name, level in chart.levels:
        axes.axhline(level, color="#777777", lw=0.9, ls=":")
        axes.annotate(
            name, (0.005, level), xycoords=("axes fraction", "data"), ha="left", va="bottom", color="#555555"
        )
    if chart.log_x:
        _log(axes)
    axes.grid(color="#e3e3e3", linewidth=0.6)
    _legend(axes)


def _log(axes: Axes) -> None:
    """A logarithmic axis with numbers as people write them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _points(axes: Axes, chart: Points) -> None:
    names = list(dict.fromkeys(name for own in chart.names for name in own))
    markers = dict(zip(names, cycle(MARKERS), strict=False))
    for series, own, colour in zip(chart.series, chart.names, cycle(COLOURS), strict=False):
        for x, y, name in zip(series.xs, series.ys, own, strict=True):
            if not (isnan(x) or isnan(y)):
                axes.plot(x, y, markers[name], ms=7, color=colour, alpha=0.8, mec="white", mew=0.5)
        axes.plot([], [], "s", color=colour, label=series.name)
    for name in names:
        axes.plot([], [], markers[name], color="#444444", label=name)
    if chart.front:
        xs, ys = zip(*chart.front, strict=True)
        axes.plot(xs, ys, color="#555555", lw=1.0, ls="--", zorder=0, label="Pareto front")
    axes.margins(x=0.05, y=0.08)
    axes.grid(color="#e3e3e3", linewidth=0.6)
    _legend(axes)


def _grid(axes: Axes, chart: Grid) -> None:
    names = list(dict.fromkeys(name for row in chart.categories for name in row))
    colours = dict(zip(names, cycle(COLOURS), strict=False))
    for i, (row, texts) in enumerate(zip(chart.categories, chart.texts, strict=True)):
        for j, (name, text) in enumerate(zip(row, texts, strict=True)):
            axes.add_patch(_cell(j, i, colours[name]))
            axes.text(j, i, text, ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(chart.columns)), list(chart.columns))
    axes.set_yticks(range(len(chart.rows)), [_lines_of(row) for row in chart.rows])
    axes.set_xlim(-0.5, len(chart.columns) - 0.5)
    axes.set_ylim(len(chart.rows) - 0.5, -0.5)
    axes.tick_params(length=0)
    for name, colour in colours.items():
        axes.add_patch(_cell(-9, -9, colour, label=name))
    _legend(axes)


def _cell(x: float, y: float, colour: str, label: str = "") -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, alpha=0.55, lw=0, label=label or None
    )


def _lines_of(text: str, width: int = _LABEL) -> str:
    """A text in lines of so many characters at most, so that it leaves room for the rest of the picture."""
    return "\n".join(fill(line, width) for line in text.split("\n"))


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles, [_lines_of(name) for name in names], frameon=False, fontsize=8, loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip
