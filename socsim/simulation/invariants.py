"""What must hold of every finished run, whatever it ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isclose

import numpy as np

from socsim.errors import SimulationError
from socsim.simulation.display import Display
from socsim.simulation.framelog import FRAME_STATUSES, FrameRecord
from socsim.simulation.inferencelog import STATUSES
from socsim.simulation.processlog import ProcessRecord, SpanRecord
from socsim.simulation.records import Outcome
from socsim.simulation.stream import Stream

__all__ = [
    "check_busy",
    "check_energy",
    "check_frames",
    "check_inferences",
    "check_processes",
    "check_spans",
]


def check_inferences(stream: Stream, outcome: Outcome) -> None:
    """Every arrival is accounted for, once, and its times are in order.

    Raises
    ------
    SimulationError
        Something does not hold; so of all checks here.
    """
    own = outcome.inferences_of(stream.name)
    counts = {status: int(own.are(status).sum()) for status in STATUSES}
    if stream.arrived != sum(counts.values()):
        raise SimulationError(
            f"{stream.arrived} inferences of {stream.name!r} arrived but {_accounted(counts)}"
        )
    started, ended = ~own.are("queued") & ~own.are("dropped"), own.are("finished") | own.are("dropped")
    begin = np.where(started, own.start, own.arrival)
    end = np.where(ended, own.finish, outcome.duration_s)
    ordered = (
        (own.origin <= own.arrival) & (own.arrival <= begin) & (begin <= end) & (end <= outcome.duration_s)
    )
    if not ordered.all():
        record = [r for r in outcome.inferences if r.app == stream.name][int(np.argmin(ordered))]
        raise SimulationError(f"inference out of order in time: {record}")


def _accounted(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{sum(counts.values())} are accounted for: {told}"


def check_frames(display: Display, frames: Sequence[FrameRecord], duration: float) -> None:
    """A frame began at every vsync, is accounted for once, and was composed after its vsync and not before."""
    own = [r for r in frames if r.app == display.name]
    counts = {status: sum(r.status == status for r in own) for status in FRAME_STATUSES}
    least, most = display.vsyncs(duration)
    if not least <= len(own) <= most:
        raise SimulationError(f"{least} frames of {display.name!r} began but {_accounted(counts)}")
    open_ = sum(r.composed_s < 0.0 and r.status != "dropped" for r in own)
    if open_ != display.under_way:
        raise SimulationError(
            f"{open_} frames of {display.name!r} are neither composed nor dropped but {display.under_way} are under way"
        )
    for r in own:
        wrong = r.composed_s >= 0.0 and not r.begin_s <= r.composed_s <= duration
        if wrong or not r.begin_s < r.due_s or (r.status == "presented" and r.composed_s < 0.0):
            raise SimulationError(f"frame out of order in time: {r}")


def check_busy(outcome: Outcome, cores: Sequence[float]) -> None:
    """No processor, and none of the cores, was busy for longer than the run; `cores`: busy time in s of each."""
    busy = dict(outcome.busy_s) | {f"core {number}": time for number, time in enumerate(cores)}
    for name, time in busy.items():
        if not -1e-9 <= time <= outcome.duration_s * (1 + 1e-9) + 1e-12:
            raise SimulationError(f"{name!r} was busy {time} s of {outcome.duration_s} s")


def check_energy(outcome: Outcome) -> None:
    """Energies are not negative, and rails, and applications with what nobody caused, sum to the components'."""
    total, rails = sum(outcome.energy_j.values()), sum(outcome.rails_j.values())
    if min(outcome.energy_j.values()) < 0.0 or not isclose(total, rails, rel_tol=1e-9, abs_tol=1e-12):
        raise SimulationError(f"components use {total} J but rails meter {rails} J")
    for component, joules in outcome.energy_j.items():
        parts = sum(r.energy_j for r in outcome.used if r.component == component)
        if not isclose(parts, joules, rel_tol=1e-9, abs_tol=1e-12):
            raise SimulationError(f"{component!r} uses {joules} J but {parts} J are attributed")


def check_processes(processes: Iterable[ProcessRecord], busy: Mapping[str, float]) -> None:
    """What processes used of each processor is what it was busy for; `busy`: in s, of the CPU the sum over cores."""
    used = dict.fromkeys(busy, 0.0)
    for record in processes:
        used[record.processor] += record.busy_s
    for processor, time in busy.items():
        if not isclose(used[processor], time, rel_tol=1e-6, abs_tol=1e-9):
            raise SimulationError(
                f"processes kept {processor!r} busy for {used[processor]} s but it was for {time} s"
            )


def check_spans(spans: Iterable[SpanRecord]) -> None:
    """Under CFS a core has one thread at a time; `spans`: in order of start."""
    by_core: dict[int, list[SpanRecord]] = {}
    for span in spans:
        by_core.setdefault(span.core, []).append(span)
    for own in by_core.values():
        for before, after in pairwise(own):
            if after.start_s < before.end_s - 1e-12:
                raise SimulationError(f"two threads on a core at once: {before} and {after}")
