"""Plots of predictions against measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Points", "scatter_figure"]

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


@dataclass(frozen=True, slots=True)
class Points:
    """Measured and predicted values of one kind.

    Parameters
    ----------
    name
        For the legend.
    measured, predicted
        Values in the same unit.
    """

    name: str
    measured: Sequence[float]
    predicted: Sequence[float]


def scatter_figure(panels: Mapping[str, Sequence[Points]], unit: str, title: str) -> Figure:
    """Measured against predicted values on logarithmic axes, a panel for each processor.

    The line is where both are equal, the band where they are within 10 %.

    Parameters
    ----------
    panels
        Processor -> kinds of points, each with a colour and a mark of its own.
    unit
        Of all values, such as ``"ms"``.
    title
        Above all panels.
    """
    from matplotlib.figure import Figure

    columns = max(1, min(3, len(panels)))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(1.0 + 4.2 * columns, 0.6 + 4.0 * max(1, rows)), layout="constrained")
    grid = figure.subplots(max(1, rows), columns, squeeze=False).ravel()
    for axes, (processor, kinds) in zip(grid, panels.items(), strict=False):
        _panel(axes, kinds, unit)
        axes.set_title(processor, fontsize=10)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _panel(axes: Axes, kinds: Sequence[Points], unit: str) -> None:
    for i, kind in enumerate(kinds):
        colour, mark = _COLOURS[i % len(_COLOURS)], _MARKS[i % len(_MARKS)]
        axes.scatter(
            kind.measured,
            kind.predicted,
            s=14,
            c=colour,
            marker=mark,
            linewidths=0,
            alpha=0.75,
            label=kind.name,
        )
    values = [v for kind in kinds for v in (*kind.measured, *kind.predicted)]
    low, high = min(values) / 1.3, max(values) * 1.3
    axes.plot([low, high], [low, high], color="#444444", linewidth=0.8, zorder=0)
    axes.fill_between(
        [low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color="#eeeeee", zorder=-1
    )
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axes.set_xlabel(f"measured [{unit}]")
    axes.set_ylabel(f"simulated [{unit}]")
    axes.legend(frameon=False, fontsize=7, loc="upper left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
