"""Plots of predictions against measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["Points", "scatter_figure"]

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_BANDS = ((0.25, "#f2f2f2"), (0.1, "#dcdcdc"))
"""Errors whose bands are drawn, and their greys."""
_LONG = 18
"""Letters of a legend's entry above which entries do not stand side by side."""


@dataclass(frozen=True, slots=True)
class Points:
    """Measured and predicted values of one kind.

    Parameters
    ----------
    name
        For the legend; those of one name have one colour.
    measured, predicted
        Values in the same unit.
    cores
        For the legend, too; those of the same cores have one mark.
    """

    name: str
    measured: Sequence[float]
    predicted: Sequence[float]
    cores: str = ""


def scatter_figure(panels: Mapping[str, Sequence[Points]], unit: str, title: str) -> Figure:
    """Measured against predicted values on logarithmic axes, a panel for each processor.

    The line is where both are equal, the bands where predictions are within 10 and 25 % of what was measured.

    Parameters
    ----------
    panels
        Processor -> kinds of points, at least one each.
    unit
        Of all values, such as ``"ms"``.
    title
        Above all panels.
    """
    from matplotlib.figure import Figure

    columns = max(1, min(3, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    below = max((_lines(kinds) for kinds in panels.values()), default=0)
    size = (4.2 * columns, 0.4 + (4.1 + 0.17 * below) * rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (processor, kinds) in zip(grid, panels.items(), strict=False):
        _panel(axes, kinds, unit)
        axes.set_title(processor, fontsize=10)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _panel(axes: Axes, kinds: Sequence[Points], unit: str) -> None:
    colours, marks = _styles(kinds)
    for kind in kinds:
        axes.scatter(
            kind.measured, kind.predicted, s=18, c=colours[kind.name], marker=marks[kind.cores], alpha=0.8,
            linewidths=0.3, edgecolors="white",
        )  # fmt: skip
    values = [v for kind in kinds for v in (*kind.measured, *kind.predicted)]
    low, high = min(values) / 1.3, max(values) * 1.3
    ends = [low, high]
    axes.plot(ends, ends, color="#444444", linewidth=0.8, zorder=0.5)
    for share, grey in _BANDS:
        lower, upper = ([factor * end for end in ends] for factor in (1.0 - share, 1.0 + share))
        axes.fill_between(ends, lower, upper, color=grey, linewidth=0.0, zorder=0.1)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        _ticks(axis, log10(high / low))
    axes.set_xlabel(f"measured [{unit}]")
    axes.set_ylabel(f"simulated [{unit}]")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _legend(axes, kinds)


def _ticks(axis: Axis, decades: float) -> None:
    """Plain numbers, few enough not to touch each other."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    subs = (
        (1.0,) if decades > 2.5 else (1.0, 2.0, 5.0) if decades > 0.7 else (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
    )
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(labelsize=8)


def _styles(kinds: Sequence[Points]) -> tuple[dict[str, str], dict[str, str]]:
    """Colour of each name, and mark of each set of cores."""
    names, cores = (dict.fromkeys(own) for own in ([k.name for k in kinds], [k.cores for k in kinds]))
    return (
        {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)},
        {mask: _MARKS[i % len(_MARKS)] for i, mask in enumerate(cores)},
    )


def _entries(kinds: Sequence[Points]) -> list[str]:
    names, cores = dict.fromkeys(k.name for k in kinds), dict.fromkeys(k.cores for k in kinds if k.cores)
    return [*names, *cores]


def _columns(kinds: Sequence[Points]) -> int:
    return 1 if any(len(entry) > _LONG for entry in _entries(kinds)) else 2


def _lines(kinds: Sequence[Points]) -> int:
    """Lines of the legend."""
    return -(-len(_entries(kinds)) // _columns(kinds))


def _legend(axes: Axes, kinds: Sequence[Points]) -> None:
    """Below the panel, where no point is: colours, then marks."""
    axes.legend(
        handles=list(_handles(kinds)), frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.13),
        ncols=_columns(kinds), handletextpad=0.3,
    )  # fmt: skip


def _handles(kinds: Sequence[Points]) -> Iterator[Artist]:
    from matplotlib.lines import Line2D

    colours, marks = _styles(kinds)
    for name, colour in colours.items():
        alone = next(iter(marks.values())) if len(marks) == 1 else "o"
        yield Line2D([], [], linestyle="", marker=alone, color=colour, markersize=5, label=name)
    for mask, mark in marks.items():
        if mask:
            yield Line2D([], [], linestyle="", marker=mark, color="#555555", markersize=4, label=mask)
