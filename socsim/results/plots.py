"""Bar plots that compare runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.results.palette import processor_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["save_utilisation", "utilisation_figure"]

Row = Mapping[str, Any]


def utilisation_figure(rows: Sequence[Row]) -> Figure:
    """Latency and busy share of every processor, a group of bars per scheduler.

    Parameters
    ----------
    rows
        Rows of :func:`socsim.results.metrics.metrics`, one per scheduler.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.6 + 0.55 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = _names(rows)
    _latency_bars(left, rows)
    _utilisation_bars(right, rows)
    left.set_yticks(range(len(rows)), names)
    left.set_ylim(len(rows) - 0.4, -0.6)
    for axes in (left, right):
        _clean(axes)
    if rows:
        title = f"{rows[0]['model']} on {rows[0]['device']} ({rows[0]['library']})"
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def save_utilisation(rows: Sequence[Row], path: str | Path) -> None:
    """Write :func:`utilisation_figure` as a PNG."""
    utilisation_figure(rows).savefig(path, dpi=130, metadata={"Software": None})


def _names(rows: Sequence[Row]) -> list[str]:
    several = len({row["model"] for row in rows}) > 1
    return [f"{row['model']} {row['scheduler']}" if several else str(row["scheduler"]) for row in rows]


def _latency_bars(axes: Axes, rows: Sequence[Row]) -> None:
    values = [row["latency_ms_mean"] or 0.0 for row in rows]
    bars = axes.barh(range(len(rows)), values, height=0.7, color="#7f7f7f")
    texts = [
        "none finished" if row["latency_ms_mean"] is None else f"{row['latency_ms_mean']:.1f}" for row in rows
    ]
    axes.bar_label(bars, texts, padding=3, fontsize=9)
    axes.margins(x=0.15)
    axes.set_xlabel("mean latency [ms]")


def _utilisation_bars(axes: Axes, rows: Sequence[Row]) -> None:
    processors = list(dict.fromkeys(p for row in rows for p in row["utilization"]))
    height = 0.8 / max(1, len(processors))
    for number, processor in enumerate(processors):
        at = [i - 0.4 + (number + 0.5) * height for i in range(len(rows))]
        shares = [100.0 * row["utilization"].get(processor, 0.0) for row in rows]
        axes.barh(at, shares, height=height * 0.92, color=processor_colour(processor), label=processor)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("busy [% of the run; CPU: mean over all cores]")
    if processors:
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _clean(axes: Axes) -> None:
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
