"""Predicted against actual: the way back from a running simulation to latency predictors, and their errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.simulation.kernelgraph import Entry, Segment
from socsim.simulation.profiling import service_time
from socsim.simulation.records import PredictionRecord
from socsim.simulation.run import Delay, Run
from socsim.simulation.timeline import START, Timeline
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer

__all__ = ["PredictionLog"]

CLOSE = 0.1 + 1e-12
"""Largest error that counts as close; the tolerance is for the sum of floats."""


@dataclass(slots=True)
class _Errors:
    """Sums over kernels of one class on one processor."""

    kernels: int = 0
    absolute: float = 0.0
    signed: float = 0.0
    close: int = 0

    def add(self, predicted: float, actual: float, times: int) -> None:
        error = (predicted - actual) / actual
        self.kernels += times
        self.absolute += times * abs(error)
        self.signed += times * error
        self.close += times * (abs(error) <= CLOSE)


@dataclass(frozen=True, slots=True)
class _Kernel:
    """What does not change from one execution of an entry to the next.

    Parameters
    ----------
    index
        Its place in its segment.
    question
        What the predictor is asked.
    fixed
        What is added to the answer, in s: the fixed cost of the invocation, where the predictor knows it.
    least
        What it takes at least, in s: that cost and its dispatch.
    errors
        Where its errors are added up.
    alone
        The answer in s of a predictor that does not learn.
    """

    index: int
    question: tuple[Operator, Placement, Part]
    fixed: float
    least: float
    errors: _Errors
    alone: float


@dataclass(slots=True)
class _Replay:
    """A segment that ran undisturbed, and how often it did."""

    segment: Segment
    timeline: Timeline
    times: int = 0


class PredictionLog:
    """Compares what one application's predictor says of each kernel with what the kernel took.

    The actual time goes from the kernel's start on its processor to its end, slowed by whatever else runs; its
    dispatch counts where that is longer. The first kernel of an invocation carries the invocation's fixed cost,
    actual and predicted. Predictors that learn are asked just before they are told.

    A segment that nothing disturbs takes the same time whenever it runs, so it is only counted while the simulation
    runs; its kernels are compared in the end.

    Parameters
    ----------
    app
        Name of the application.
    pricer, predictor
        Its network, and what its scheduler believes.
    title
        Name of the predictor.
    """

    def __init__(self, app: str, pricer: Pricer, predictor: Predictor, title: str) -> None:
        self.app, self.title = app, title
        self._pricer, self._predictor, self._constant = pricer, predictor, predictor.constant
        self._replays: dict[int, _Replay] = {}
        self._errors: dict[tuple[str, str], _Errors] = {}
        self._known: dict[int, tuple[Segment, list[_Kernel]]] = {}

    def record(self, run: Run | Delay) -> None:
        """Note a finished run."""
        if not run.segment.queue:
            return
        timeline = _undisturbed(run) if self._constant else None
        if timeline is None:
            self._compare(run.segment, run.spans(), 1)
            return
        replay = self._replays.get(id(timeline))
        if replay is None:
            replay = self._replays[id(timeline)] = _Replay(run.segment, timeline)
        replay.times += 1

    def records(self) -> Iterator[PredictionRecord]:
        """Errors by processor and kernel class."""
        for replay in self._replays.values():
            timeline = replay.timeline
            spans = list(zip(timeline.starts, timeline.ends, strict=True))
            self._compare(replay.segment, spans, replay.times)
        self._replays.clear()
        for (processor, kernel_class), e in sorted(self._errors.items(), key=lambda item: item[0]):
            if not e.kernels:
                continue
            yield PredictionRecord(
                self.app, self.title, processor, kernel_class, e.kernels, e.absolute, e.signed, e.close
            )

    def _compare(self, segment: Segment, spans: Sequence[tuple[float, float]], times: int) -> None:
        for kernel in self._kernels(segment):
            start, end = spans[kernel.index]
            actual = service_time(end - start, kernel.least)
            if actual <= 0.0:
                continue
            if self._constant:
                kernel.errors.add(kernel.alone + kernel.fixed, actual, times)
            else:
                self._learn(kernel, actual)

    def _learn(self, kernel: _Kernel, actual: float) -> None:
        op, placement, part = kernel.question
        alone = self._predictor.time(op, placement, part)
        predicted = alone + kernel.fixed
        kernel.errors.add(predicted, actual, 1)
        # The fixed cost is taken to be slowed as much as the kernel itself: nobody sees where one ends.
        self._predictor.observe(op, placement, part, actual * alone / predicted if predicted else actual)

    def _kernels(self, segment: Segment) -> list[_Kernel]:
        known = self._known.get(id(segment))
        if known is None:
            kernels = [
                self._kernel(i, entry, entry.placement)
                for i, entry in enumerate(segment.entries)
                if entry.placement is not None
            ]
            known = self._known[id(segment)] = (segment, kernels)
        return known[1]

    def _kernel(self, index: int, entry: Entry, placement: Placement) -> _Kernel:
        op, p, part = self._pricer.graph[entry.operator], placement, entry.part
        dispatch = self._pricer.cost(op, p.processor, p.layout, p.dtype, p.cores, part).dispatch
        return _Kernel(
            index,
            (op, placement, part),
            entry.fixed if self._predictor.sharing else 0.0,
            entry.fixed + dispatch,
            self._errors.setdefault((entry.target, entry.kernel_class), _Errors()),
            self._predictor.time(op, placement, part) if self._constant else 0.0,
        )


def _undisturbed(run: Run | Delay) -> Timeline | None:
    """The timeline that a run followed from its start to its end, if it is shared by all that fare alike."""
    if not isinstance(run, Run) or run.progress is not START or run.marks or run.fragment.slowness:
        return None
    return run.timeline
