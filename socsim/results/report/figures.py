"""Figures of a report: latencies, powers, clocks and temperatures over time, shares, and swept metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from socsim.results.palette import series_colours
from socsim.results.report.bins import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Latencies",
    "Series",
    "bars_figure",
    "latency_figure",
    "overlaid_figure",
    "series_figure",
    "stacked_figure",
    "steps_figure",
]

Floats = NDArray[np.float64]

_WIDTH = 9.2
_DOTS = 2000
"""So many inferences at most are drawn one by one; of more, spans of time."""
_SPANS, _STEPS = 200, 401


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of one application, in the order of arrival.

    Parameters
    ----------
    arrival_s, latency_ms
        Of what finished.
    dropped_s
        When what was dropped had been asked for.
    deadline_ms
        None (default) where there is none.
    """

    arrival_s: Floats
    latency_ms: Floats
    dropped_s: Floats = field(default_factory=lambda: np.zeros(0))
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name, with the half-widths of their intervals (NaN for none)."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    errors: Sequence[float] = ()


def latency_figure(panels: Mapping[str, Latencies]) -> Figure:
    """A row for each application: every inference at its arrival, and beside it what share takes how long at most."""
    figure, grid = _rows(len(panels), 1.75, columns=2, sharey="row", width_ratios=(3.2, 1))
    for (over, share), (name, own) in zip(grid, panels.items(), strict=True):
        _over_time(over, own)
        _distribution(share, own)
        over.set_title(_plain(name), fontsize=9, loc="left")
        over.set_ylabel("latency [ms]")
        _clean(over, share)
    grid[-1][0].set_xlabel("time of arrival [s]")
    grid[-1][1].set_xlabel("share of inferences [%]")
    return figure


def overlaid_figure(several: Mapping[str, Latencies]) -> Figure:
    """The same for several runs in one row, in colours; beside it their distributions."""
    figure, ((over, share),) = _rows(1, 2.6, columns=2, sharey="row", width_ratios=(2, 1))
    colours = series_colours(list(several))
    for name, own in several.items():
        step = -(-len(own.arrival_s) // _DOTS) or 1
        over.plot(own.arrival_s[::step], own.latency_ms[::step], ".", ms=3.5, color=colours[name])
        share.step(*_shares(own), where="pre", color=colours[name], lw=1.3)
    over.set_ylim(0.0, 1.08 * max(float(np.max(own.latency_ms)) for own in several.values()))
    over.set_ylabel("latency [ms]")
    over.set_xlabel("time of arrival [s]")
    share.set_xlabel("share of inferences [%]")
    share.set_xlim(0.0, 102.0)
    _clean(over, share)
    _legend(figure, colours)
    return figure


def _shares(own: Latencies) -> tuple[Floats, Floats]:
    """Shares of the inferences in %, and how long so many take at most."""
    ordered = np.sort(own.latency_ms)
    if len(ordered) > _STEPS:
        ordered = np.percentile(ordered, np.linspace(0.0, 100.0, _STEPS))
    shares = 100.0 * np.arange(1, len(ordered) + 1) / max(1, len(ordered))
    return np.append(0.0, shares), np.append(ordered[:1], ordered)


def _over_time(axes: Axes, own: Latencies) -> None:
    if len(own.arrival_s) <= _DOTS:
        size = 9.0 if len(own.arrival_s) < 150 else 4.0
        axes.scatter(own.arrival_s, own.latency_ms, s=size, color=_BLUE, linewidths=0)
    else:
        _spans(axes, own)
    axes.set_ylim(0.0, 1.08 * max([*own.latency_ms, own.deadline_ms or 0.0, 1e-9]))
    if len(own.dropped_s):
        axes.plot(
            own.dropped_s, np.zeros(len(own.dropped_s)), "|", color=_RED, ms=7, clip_on=False, label="dropped"
        )
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    if own.deadline_ms is not None:
        axes.axhline(own.deadline_ms, color=_RED, lw=0.9, ls="--")
        axes.annotate(
            "deadline",
            (0.004, own.deadline_ms),
            xycoords=("axes fraction", "data"),
            va="bottom",
            color=_RED,
            fontsize=8,
        )


def _spans(axes: Axes, own: Latencies) -> None:
    """Median and the range from the 5th to the 95th percentile of equal spans of time."""
    edges = np.linspace(own.arrival_s[0], own.arrival_s[-1], _SPANS + 1)
    places = np.clip(np.searchsorted(edges, own.arrival_s, side="right") - 1, 0, _SPANS - 1)
    filled = [i for i in range(_SPANS) if np.any(places == i)]
    told = np.array([np.percentile(own.latency_ms[places == i], [5, 50, 95]) for i in filled])
    middles = (edges[:-1] + edges[1:])[filled] / 2.0
    axes.fill_between(middles, told[:, 0], told[:, 2], color=_BLUE, alpha=0.25, lw=0)
    axes.plot(middles, told[:, 1], color=_BLUE, lw=1.2)


def _distribution(axes: Axes, own: Latencies) -> None:
    axes.step(*_shares(own), where="pre", color=_BLUE, lw=1.3)
    for share, value in zip((50, 95), np.percentile(own.latency_ms, [50, 95]), strict=False):
        axes.plot([share], [value], "o", color="black", ms=3.5)
        axes.annotate(
            f"p{share} {value:.4g}",
            (share, value),
            xytext=(-4, 5),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
    if own.deadline_ms is not None:
        axes.axhline(own.deadline_ms, color=_RED, lw=0.9, ls="--")
    axes.set_xlim(0.0, 102.0)


def stacked_figure(panels: Mapping[str, Mapping[str, Curve]], y: str) -> Figure:
    """Step functions on top of each other over time in s, a panel for each group of them, all to one scale."""
    figure, grid = _rows(len(panels), 1.9 if len(panels) == 1 else 1.2, sharex=True, sharey=True)
    end = max(float(curve.edges[-1]) for parts in panels.values() for curve in parts.values())
    names = list(dict.fromkeys(name for parts in panels.values() for name in parts))
    colours = series_colours(names)
    for (axes,), (title, parts) in zip(grid, panels.items(), strict=True):
        floor = np.zeros(len(next(iter(parts.values())).edges))
        for name, curve in parts.items():
            if not curve.values.any():
                continue
            top = floor + _to_the_end(curve)
            axes.fill_between(curve.edges, floor, top, step="post", color=colours[name], lw=0)
            floor = top
        axes.set_ylim(bottom=0.0)
        axes.set_title(_plain(title), fontsize=9, loc="left")
        axes.set_ylabel(y)
        axes.set_xlim(0.0, end)
        _clean(axes)
    grid[-1][0].set_xlabel("time [s]")
    drawn = {name for parts in panels.values() for name, curve in parts.items() if curve.values.any()}
    _legend(figure, {name: colour for name, colour in colours.items() if name in drawn} or colours)
    return figure


def steps_figure(panels: Mapping[str, Mapping[str, Curve]], y: str, *, zero: bool = True) -> Figure:
    """Step functions over time in s as lines, a panel for each group of them.

    Parameters
    ----------
    zero
        Whether axes begin at 0 (default).
    """
    end = max(float(curve.edges[-1]) for parts in panels.values() for curve in parts.values())
    figure, grid = _rows(len(panels), 1.35 if len(panels) > 1 else 2.4, sharex=True)
    colours = series_colours(list(dict.fromkeys(name for parts in panels.values() for name in parts)))
    for (axes,), (title, parts) in zip(grid, panels.items(), strict=True):
        for name, curve in parts.items():
            axes.step(curve.edges, _to_the_end(curve), where="post", color=colours[name], lw=1.2)
        axes.set_xlim(0.0, end)
        if zero:
            axes.set_ylim(0.0, 1.1 * max([1e-9, *(float(np.max(curve.values)) for curve in parts.values())]))
        axes.set_title(_plain(title), fontsize=9, loc="left")
        axes.set_ylabel(y)
        _clean(axes)
    grid[-1][0].set_xlabel("time [s]")
    if len(colours) > 1:
        _legend(figure, colours)
    return figure


def _to_the_end(curve: Curve) -> Floats:
    """Values at the edges, the last one twice."""
    return np.append(curve.values, curve.values[-1:])


def bars_figure(bars: Mapping[str, Mapping[str, float]], x: str, *, most: float | None = None) -> Figure:
    """A horizontal bar for each name, of parts end to end.

    Parameters
    ----------
    most
        Where the axis ends; default behind the longest bar.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, 1.0 + 0.32 * len(bars)), layout="constrained")
    axes = figure.subplots()
    colours = series_colours(list(dict.fromkeys(name for parts in bars.values() for name in parts)))
    for row, parts in enumerate(bars.values()):
        left = 0.0
        for name, value in parts.items():
            axes.barh(row, value, left=left, height=0.72, color=colours[name])
            left += value
        axes.annotate(
            f"{left:.4g}", (left, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(bars)), [_plain(name) for name in bars])
    axes.set_ylim(len(bars) - 0.45, -0.55)
    axes.set_xlabel(x)
    if most is not None:
        axes.set_xlim(0.0, most)
    else:
        axes.margins(x=0.08)
    _clean(axes)
    drawn = {name for parts in bars.values() for name, value in parts.items() if value}
    _legend(figure, {name: colour for name, colour in colours.items() if name in drawn} or colours)
    return figure


def series_figure(
    panels: Mapping[str, Sequence[Series]], x: str, ys: Sequence[str], labels: Sequence[str] = ()
) -> Figure:
    """A metric against what was swept, a panel below the other.

    Parameters
    ----------
    panels
        Title -> series; those of one name have one colour.
    x, ys
        What the axes show; `ys` of each panel.
    labels
        Names of the places 0, 1, ... where these are no numbers; series are then bars side by side.
    """
    figure, grid = _rows(len(panels), 2.5, sharex=True)
    names = list(dict.fromkeys(series.name for own in panels.values() for series in own))
    colours = series_colours(names)
    for (axes,), (title, own), y in zip(grid, panels.items(), ys, strict=True):
        for series in own:
            draw = _bars if labels else _line
            draw(axes, series, colours[series.name], names.index(series.name), len(names))
        if all(value >= 0.0 for series in own for value in series.ys):
            axes.set_ylim(bottom=0.0)
        axes.set_title(_plain(title), fontsize=9, loc="left")
        axes.set_ylabel(y)
        _clean(axes)
    bottom = grid[-1][0]
    bottom.set_xlabel(_plain(x))
    if not labels and all(
        float(place).is_integer() for own in panels.values() for s in own for place in s.xs
    ):
        bottom.locator_params(axis="x", integer=True)
    if labels:
        slanted = sum(map(len, labels)) > 90
        bottom.set_xticks(range(len(labels)), [_plain(label) for label in labels])
        bottom.tick_params(axis="x", rotation=25 if slanted else 0)
    if len(names) > 1:
        _legend(figure, colours)
    return figure


def _line(axes: Axes, series: Series, colour: str, number: int, count: int) -> None:
    axes.plot(series.xs, series.ys, color=colour, lw=1.3, marker="osD^vPX*"[number % 8], ms=4)
    if series.errors:
        _whiskers(axes, series.xs, series, colour)


def _bars(axes: Axes, series: Series, colour: str, number: int, count: int) -> None:
    width = 0.8 / count
    at = [x - 0.4 + (number + 0.5) * width for x in series.xs]
    axes.bar(at, series.ys, width=width * 0.92, color=colour)
    if series.errors:
        _whiskers(axes, at, series, "black")


def _whiskers(axes: Axes, xs: Sequence[float], series: Series, colour: str) -> None:
    axes.errorbar(
        xs, series.ys, yerr=list(series.errors), fmt="none", ecolor=colour, elinewidth=1.0, capsize=2
    )


_BLUE, _RED = "#4c78a8", "#b3261e"


def _rows(count: int, height: float, columns: int = 1, **more: Any) -> tuple[Figure, list[list[Axes]]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, 0.8 + height * count), layout="constrained")
    grid = figure.subplots(count, columns, squeeze=False, **more)
    return figure, [list(row) for row in grid]


def _clean(*several: Axes) -> None:
    for axes in several:
        axes.grid(color="#e3e3e3", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)


def _legend(figure: Figure, colours: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, label=_plain(name)) for name, colour in colours.items()]
    longest = max(len(name) for name in colours)
    figure.legend(
        handles=handles, loc="outside lower left", ncols=max(1, min(len(handles), 100 // (longest + 6))),
        frameon=False, fontsize=8,
    )  # fmt: skip


def _plain(name: str) -> str:
    """A name that is no formula, and that a legend does not leave out for its first letter."""
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")
