"""What a run can record beside its inferences: nothing is paid for what nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator

from socsim.simulation.delay import Delay
from socsim.simulation.kernelgraph import DELAY, Segment
from socsim.simulation.records import KernelRecord
from socsim.simulation.run import Run

__all__ = ["KernelRecorder"]


class KernelRecorder:
    """Keeps the spans of every finished segment, and makes records of them at the end."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, int, Segment, list[tuple[float, float]]]] = []

    def record(self, run: Run | Delay) -> None:
        """Note a finished run."""
        self._runs.append((run.fragment.app, run.fragment.inference, run.segment, run.spans()))

    def records(self) -> Iterator[KernelRecord]:
        """Records of all entries, segment by segment in order of finishing."""
        for app, inference, segment, spans in self._runs:
            for entry, (start, end) in zip(segment.entries, spans, strict=True):
                if segment.queue == DELAY and end <= start:
                    continue
                traffic = entry.bytes or entry.moved
                yield KernelRecord(
                    app, inference, entry.operator, entry.kind, entry.kernel_class, entry.target, entry.source,
                    segment.team, start, end, traffic, entry.share,
                )  # fmt: skip
