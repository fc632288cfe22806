"""What a run, or each run of a comparison, did over time, as figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from socsim.results.html import drawn, image, paragraph
from socsim.results.report.bins import Curve, bin_means, held
from socsim.results.report.figures import (
    Latencies,
    latency_figure,
    overlaid_figure,
    stacked_figure,
    steps_figure,
)
from socsim.results.report.saved import Saved

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clocks", "frames", "gantts", "latency", "power", "rails", "temperatures"]

Floats = NDArray[np.float64]
Panels = dict[str, dict[str, Curve]]

_BINS = 240
_MOST = 12
"""Panels of a figure, at most."""


def latency(saved: Saved, deadlines_ms: Mapping[str, float]) -> Iterator[str]:
    """Of each application, or each run, its inferences at their arrivals, and how they are distributed."""
    found = saved.table("inferences", ("app", "arrival_ms", "latency_ms", "status"))
    panels = {}
    for title, own in _parts(found):
        finished = own[own["status"] == "finished"].sort_values(["arrival_ms", "inference"])
        dropped = own[own["status"] == "dropped"]
        if len(finished):
            panels[title] = Latencies(
                _floats(finished["arrival_ms"]) / 1e3, _floats(finished["latency_ms"]),
                _floats(dropped["arrival_ms"]) / 1e3, deadlines_ms.get(str(own["app"].iloc[0])),
            )  # fmt: skip
    if not panels:
        return
    if found is not None and "run" in found.columns:
        caption = "From arrival to finish. Right: the share of inferences that take at most so long."
        yield image(drawn(overlaid_figure(panels)), "latency over time and its distribution", caption)
        return
    yield from _told_apart(panels, "applications")
    shown = dict(list(panels.items())[:_MOST])
    many = any(len(own.arrival_s) > 2000 for own in shown.values())
    lines = "Line: median of a span of time; shade: 5th to 95th percentile. " if many else ""
    caption = f"From arrival to finish. {lines}Right: the share of inferences that take at most so long."
    yield image(drawn(latency_figure(shown)), "latency over time and its distribution", caption)


def gantts(saved: Saved) -> Iterator[str]:
    """The pictures of who computed what when that were saved."""
    names = sorted(name for name in saved.files if name.rpartition("/")[2].startswith("gantt"))
    order = {title: i for i, (title, _) in enumerate(_parts(saved.table("apps", ("app",)), "run"))}
    for name in sorted(names, key=lambda name: order.get(name.rpartition("/")[0], len(order))):
        data = saved.picture(name)
        if data:
            yield image(data, f"who computed what when, {name}", name.rpartition("/")[0], form="png")


def power(saved: Saved) -> Iterator[str]:
    """Power by component, on top of each other."""
    panels, span = _powers(saved, "component")
    if panels:
        caption = (
            f"The area under the curves is the energy; {span}. {_LEFT if _running(saved) else ''}".rstrip()
        )
        yield image(drawn(stacked_figure(panels, "power [W]")), "power over time, by component", caption)


_LEFT = (
    "What is under way at the end of the run has left no records of when: its energy is spread over the rest."
)


def _running(saved: Saved) -> bool:
    """Whether an inference is under way at the end."""
    found = saved.table("inferences", ("status",))
    return found is not None and bool((found["status"] == "running").any())


def rails(saved: Saved) -> Iterator[str]:
    """Power as the board's meters see it, where there is more than one rail."""
    (rails, span), (meters, _) = _powers(saved, "rail"), _powers(saved, "meter")
    panels = {title: {**own, **meters.get(title, {})} for title, own in rails.items()}
    if any(len(own) > 1 for own in panels.values()):
        yield image(
            drawn(steps_figure(panels, "power [W]")),
            "power over time, by rail",
            f"By rail and meter; {span}.",
        )


def _powers(saved: Saved, meter: str) -> tuple[Panels, str]:
    """Panels of power over time, and what a point of theirs is."""
    found = saved.table("power", ("meter", "component", "start_ms", "end_ms", "power_w"))
    panels, spans = Panels(), list[float]()
    for title, own in _parts(found[found["meter"] == meter] if found is not None else None, "run"):
        edges, span = _edges(own["start_ms"], float(own["end_ms"].max()) / 1e3)
        spans.append(span)
        panels[title] = {
            str(name): bin_means(part["start_ms"] / 1e3, part["end_ms"] / 1e3, part["power_w"], edges)
            for name, part in own.groupby("component", sort=False)
        }
    return dict(list(panels.items())[:_MOST]), _span_text(spans)


def _edges(times_ms: pd.Series[float], end_s: float) -> tuple[Floats, float]:
    """All instants, if they are few, else equal spans and how long these are in s."""
    exact = np.unique(np.append(_floats(times_ms) / 1e3, [0.0, end_s]))
    if len(exact) <= _BINS:
        return exact, 0.0
    return np.linspace(0.0, end_s, _BINS + 1), end_s / _BINS


def _span_text(spans: list[float]) -> str:
    longest = max(spans, default=0.0)
    return f"means over {longest * 1e3:.4g} ms each" if longest else "every change is shown"


def clocks(saved: Saved) -> Iterator[str]:
    """Clocks that change, and a sentence of those that do not."""
    found, end = saved.table("clocks", ("start_ms", "domain", "frequency_mhz")), _end_s(saved)
    panels, still, spans = Panels(), dict[str, list[float]](), list[float]()
    for title, own in _parts(found, "run"):
        for domain, part in own.groupby("domain", sort=False):
            if len(part) == 1:
                still.setdefault(str(domain), []).append(float(part["frequency_mhz"].iloc[0]))
                continue
            last = max(end.get(title, 0.0), float(part["start_ms"].max()) / 1e3)
            edges, span = _edges(part["start_ms"], last)
            spans.append(span)
            curve = held(part["start_ms"] / 1e3, part["frequency_mhz"], edges)
            panels.setdefault(str(domain), {})[title or "clock"] = curve
    if panels:
        caption = f"Clocks; {_span_text(spans)}."
        yield image(drawn(steps_figure(panels, "MHz")), "clocks over time", caption)
    told = [f"{name} {', '.join(f'{x:,.0f}' for x in dict.fromkeys(own))}" for name, own in still.items()]
    if told:
        yield paragraph(
            f"{'The others do' if panels else 'Clocks do'} not change [MHz]: {'; '.join(told)}.", "small"
        )


def temperatures(saved: Saved) -> Iterator[str]:
    """Readings of the thermal zones."""
    found = saved.table("temperatures", ("time_ms", "zone", "temperature_c"))
    panels, spans = Panels(), list[float]()
    for title, own in _parts(found, "run"):
        edges, span = _edges(own["time_ms"], float(own["time_ms"].max()) / 1e3)
        if len(edges) < 2:
            continue
        spans.append(span)
        panels[title] = {
            str(zone): held(part["time_ms"] / 1e3, part["temperature_c"], edges)
            for zone, part in own.groupby("zone", sort=False)
        }
    if panels:
        figure = steps_figure(panels, "temperature [°C]", zero=False)
        yield image(drawn(figure), "temperatures over time", f"Thermal zones; {_span_text(spans)}.")


def frames(saved: Saved) -> Iterator[str]:
    """What became of frames, by the second in which they began."""
    found = saved.table("frames", ("app", "begin_ms", "due_ms", "status"))
    panels, wide = Panels(), list[float]()
    for title, own in _parts(found):
        begin, end = _floats(own["begin_ms"]) / 1e3, float(own["due_ms"].max()) / 1e3
        edges = np.linspace(0.0, end, min(60, max(1, len(own) // 10)) + 1)
        wide.append(float(edges[1]))
        panels[title] = {
            status: Curve(edges, np.histogram(begin[own["status"] == status], edges)[0] / np.diff(edges))
            for status in ("presented", "late", "dropped", "pending")
            if (own["status"] == status).any()
        }
    if panels:
        caption = f"Frames per second by what became of them, in spans of {max(wide):.3g} s at most."
        yield image(drawn(stacked_figure(panels, "frames/s")), "frames over time", caption)


def _end_s(saved: Saved) -> dict[str, float]:
    """When each run ended; ``""`` for the only one."""
    found = saved.table("power", ("end_ms",))
    return {title: float(own["end_ms"].max()) / 1e3 for title, own in _parts(found, "run")}


def _parts(frame: pd.DataFrame | None, key: str = "") -> Iterator[tuple[str, pd.DataFrame]]:
    """A table by run, or by application where it is of one; by `key` alone, if it is given."""
    if frame is None or not len(frame):
        return
    column = key or ("run" if "run" in frame.columns else "app")
    if column not in frame.columns:
        yield "", frame
        return
    for name, part in frame.groupby(column, sort=False):
        yield str(name), part


def _told_apart(panels: Mapping[str, object], what: str) -> Iterator[str]:
    if len(panels) > _MOST:
        yield paragraph(f"The first {_MOST} of {len(panels)} {what}.", "small")


def _floats(column: pd.Series[float]) -> Floats:
    return np.asarray(column, dtype=np.float64)
