"""A picture of one inference: what each processor did when, and what sharing data cost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from socsim.errors import UsageError
from socsim.results.lanes import assign_lanes, merge_intervals
from socsim.results.palette import KIND_COLOURS, class_colours
from socsim.results.tracks import is_sharing
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.processlog import SpanRecord
from socsim.simulation.records import KernelRecord, Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["gantt_figure", "save_gantt", "typical_inference"]

_LANE_HEIGHT = 0.8
_CROWDED = 60
"""From so many bars on, outlines would hide them."""
_LEGEND_COLUMNS = 8
_OTHERS = "cpu, others"


@dataclass(frozen=True, slots=True)
class _Bar:
    row: int
    start_ms: float
    end_ms: float
    colour: str
    low: float
    height: float


def typical_inference(outcome: Outcome, app: str) -> InferenceRecord:
    """The finished inference whose latency is nearest to the median; the first of equals.

    Raises
    ------
    UsageError
        None finished, or the run did not record kernels.
    """
    finished = [r for r in outcome.inferences if r.app == app and r.status == "finished"]
    if not finished:
        raise UsageError(f"application {app!r} finished no inference that could be drawn")
    if not outcome.kernels:
        raise UsageError("the run recorded no kernels to draw; simulate with kernels=True")
    latencies = sorted(r.finish_s - r.arrival_s for r in finished)
    median = latencies[(len(latencies) - 1) // 2]
    # Rounded to ns, so that equal latencies tie whatever the sum of floats says.
    return min(finished, key=lambda r: (round(abs(r.finish_s - r.arrival_s - median) * 1e9), r.number))


def gantt_figure(outcome: Outcome, app: str | None = None) -> Figure:
    """Draw the typical inference of an application.

    Parameters
    ----------
    outcome
        A run with kernel records.
    app
        Application; default the first.

    Returns
    -------
    A figure with a row per processor, one for dispatching kernels and one for sharing data, time in ms from
    the inference's start; other inferences that run meanwhile are grey. Beside the rows, what their time sums
    up to, by kernel class, and in their labels the share of the inference during which they are busy.

    Raises
    ------
    UsageError
        None finished, or the run did not record kernels.
    """
    from matplotlib.figure import Figure

    name = next(iter(outcome.apps)) if app is None else app
    inference = typical_inference(outcome, name)
    records = _within(outcome.kernels, inference)
    spans = [s for s in outcome.spans if s.end_s > inference.start_s and s.start_s < inference.finish_s]
    rows = _rows(outcome, records, others=bool(spans))
    figure = Figure(figsize=(12, 1.7 + 0.62 * len(rows)), layout="constrained")
    axes, totals = figure.subplots(1, 2, sharey=True, width_ratios=(6, 1))
    own = [r for r in records if (r.app, r.inference) == (name, inference.number)]
    colours = class_colours(_classes_by_time(own))
    processes = {r.process for r in outcome.processes if r.kind != "inference"}
    bars = _bars(records, rows, colours, inference, processes) + _other_bars(spans, rows, inference)
    _draw(axes, bars)
    _draw_totals(totals, rows, own, colours)
    _label_rows(axes, rows, own, inference, len(outcome.core_names))
    axes.set_title(_title(outcome, name, inference), loc="left", fontsize=11)
    _legend(figure, own, colours, _others(records, own, processes, spans))
    return figure


def save_gantt(outcome: Outcome, path: str | Path, app: str | None = None) -> None:
    """Write :func:`gantt_figure` as a PNG."""
    gantt_figure(outcome, app).savefig(path, dpi=130, metadata={"Software": None})


def _within(records: Sequence[KernelRecord], inference: InferenceRecord) -> list[KernelRecord]:
    found = [r for r in records if r.end_s > inference.start_s and r.start_s < inference.finish_s]
    return sorted(found, key=lambda r: (r.start_s, r.end_s))


def _row(record: KernelRecord) -> str:
    if is_sharing(record):
        return "sharing"
    return "dispatch" if record.kind == "dispatch" else record.processor


def _rows(outcome: Outcome, records: Sequence[KernelRecord], *, others: bool) -> list[str]:
    """Rows from the top: all processors, used or not, then dispatch and sharing where there is any.

    What other processes do on the CPU is beneath it.
    """
    used = {_row(r) for r in records}
    extra = [row for row in ("dispatch", "sharing") if row in used]
    processors = list(dict.fromkeys([*outcome.busy_s, *sorted(used.difference(extra))]))
    if others:
        processors.insert(processors.index("cpu") + 1, _OTHERS)
    return [*processors, *extra]


def _others(
    records: Sequence[KernelRecord],
    own: Sequence[KernelRecord],
    processes: Collection[str],
    spans: Sequence[SpanRecord],
) -> set[str]:
    """What the legend has to say of what is not the inference."""
    foreign = {r.app in processes for r in records if r not in own}
    found = {"other processes" if process else "other inferences" for process in foreign}
    return found | ({"other processes"} if spans else set())


def _other_bars(spans: Sequence[SpanRecord], rows: list[str], inference: InferenceRecord) -> list[_Bar]:
    """A lane per core that other processes used."""
    lanes = {core: lane for lane, core in enumerate(sorted({s.core for s in spans}))}
    bars = []
    for s in spans:
        number, height = rows.index(_OTHERS), _LANE_HEIGHT / len(lanes)
        start = max(0.0, s.start_s - inference.start_s) * 1e3
        end = (min(s.end_s, inference.finish_s) - inference.start_s) * 1e3
        low = number - _LANE_HEIGHT / 2 + lanes[s.core] * height
        bars.append(_Bar(number, start, end, KIND_COLOURS["other processes"], low, height))
    return bars


def _classes_by_time(records: Sequence[KernelRecord]) -> list[str]:
    time = _time_by_name([r for r in records if r.kind == "kernel"])
    return sorted(time, key=lambda c: (-time[c], c))


def _bars(
    records: Sequence[KernelRecord],
    rows: list[str],
    colours: dict[str, str],
    inference: InferenceRecord,
    processes: Collection[str],
) -> list[_Bar]:
    bars = []
    for number, row in enumerate(rows):
        own = [r for r in records if _row(r) == row]
        lanes = assign_lanes([(round(r.start_s * 1e9), round(r.end_s * 1e9)) for r in own])
        height = _LANE_HEIGHT / (max(lanes, default=0) + 1)
        for record, lane in zip(own, lanes, strict=True):
            start = max(0.0, record.start_s - inference.start_s) * 1e3
            end = (min(record.end_s, inference.finish_s) - inference.start_s) * 1e3
            low = number - _LANE_HEIGHT / 2 + lane * height
            bars.append(_Bar(number, start, end, _colour(record, colours, inference, processes), low, height))
    return bars


def _colour(
    record: KernelRecord, colours: dict[str, str], inference: InferenceRecord, processes: Collection[str]
) -> str:
    if record.app in processes:
        return KIND_COLOURS["other processes"]
    if (record.app, record.inference) != (inference.app, inference.number):
        return KIND_COLOURS["other inferences"]
    return colours[record.kernel_class] if record.kind == "kernel" else KIND_COLOURS[record.kind]


def _draw(axes: Axes, bars: Sequence[_Bar]) -> None:
    from matplotlib.collections import PolyCollection

    corners = [
        [(b.start_ms, b.low), (b.end_ms, b.low), (b.end_ms, b.low + b.height), (b.start_ms, b.low + b.height)]
        for b in bars
    ]
    crowded = len(bars) > _CROWDED
    # An edge of its own colour keeps a bar narrower than a pixel visible.
    edges = [b.colour for b in bars] if crowded else "white"
    faces = [b.colour for b in bars]
    axes.add_collection(
        PolyCollection(corners, facecolors=faces, edgecolors=edges, linewidths=0.3 if crowded else 0.8)
    )
    axes.set_xlim(0.0, max((b.end_ms for b in bars), default=1.0))


def _draw_totals(axes: Axes, rows: list[str], own: Sequence[KernelRecord], colours: dict[str, str]) -> None:
    """Stacked time by kernel class or kind: readable where single bars no longer are."""
    for number, row in enumerate(rows):
        left = 0.0
        times = _time_by_name([r for r in own if _row(r) == row])
        for name in (*colours, *KIND_COLOURS):
            if name in times:
                colour = colours.get(name) or KIND_COLOURS[name]
                axes.barh(number, times[name], left=left, height=_LANE_HEIGHT, color=colour)
                left += times[name]
    axes.set_xlabel("sum [ms]")
    axes.margins(x=0.02)
    _clean(axes)


def _time_by_name(records: Sequence[KernelRecord]) -> dict[str, float]:
    """Time in ms by kernel class, or by kind for what is no kernel."""
    times: dict[str, float] = {}
    for r in records:
        name = r.kernel_class if r.kind == "kernel" else r.kind
        times[name] = times.get(name, 0.0) + (r.end_s - r.start_s) * 1e3
    return times


def _label_rows(
    axes: Axes, rows: list[str], own: Sequence[KernelRecord], inference: InferenceRecord, cores: int
) -> None:
    span = inference.finish_s - inference.start_s
    labels = []
    used = {core for r in own for core in r.cores}
    for row in rows:
        busy = sum(e - s for s, e in merge_intervals((r.start_s, r.end_s) for r in own if _row(r) == row))
        note = f" ({len(used)} of {cores} cores)" if row == "cpu" and used else ""
        share = f"  {busy / span:4.0%}" if span > 0 and row != _OTHERS else ""
        labels.append(f"{row}{note}{share}")
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlabel("time since the start of the inference [ms]")
    _clean(axes)


def _clean(axes: Axes) -> None:
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _title(outcome: Outcome, app: str, inference: InferenceRecord) -> str:
    record = outcome.apps[app]
    took = (inference.finish_s - inference.start_s) * 1e3
    waited = (inference.start_s - inference.arrival_s) * 1e3
    after = f" after waiting {waited:.2f} ms" if round(waited, 2) else ""
    who = f"scheduler {inference.place or record.scheduler} ({record.library}, {record.dtype})"
    model = f"{record.model}@{inference.level}" if record.top1 and inference.level else record.model
    return f"{model} on {outcome.device}, {who}: {took:.2f} ms{after}"


def _legend(figure: Figure, own: Sequence[KernelRecord], colours: dict[str, str], others: set[str]) -> None:
    from matplotlib.patches import Patch

    kinds = {r.kind for r in own} | others
    entries = {**colours, **{kind: colour for kind, colour in KIND_COLOURS.items() if kind in kinds}}
    handles = [Patch(facecolor=colour, label=name) for name, colour in entries.items()]
    columns = min(len(handles), _LEGEND_COLUMNS) or 1
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=9)
