"""Predicted against actual: the way back from a running simulation to latency predictors, and their errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.simulation.delay import Delay
from socsim.simulation.kernelgraph import Entry, Segment
from socsim.simulation.profiling import service_time
from socsim.simulation.records import PredictionRecord
from socsim.simulation.run import Run
from socsim.simulation.timeline import START, Timeline
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer

__all__ = ["LevelLogs", "PredictionLog"]

CLOSE = 0.1 + 1e-12
"""Largest error that counts as close; the tolerance is for the sum of floats."""

BATCH = 64
"""Executions of a segment that are compared at once."""

Execution = tuple[Sequence[float], Sequence[float], int]
"""(starts, ends, how often) of a segment's entries, in s."""


@dataclass(slots=True)
class _Errors:
    """Sums over kernels of one class on one processor."""

    kernels: int = 0
    absolute: float = 0.0
    signed: float = 0.0
    close: int = 0

    def add(self, error: float) -> None:
        """Count one kernel."""
        self.kernels += 1
        self.absolute += abs(error)
        self.signed += error
        self.close += abs(error) <= CLOSE


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
    """

    index: int
    question: tuple[Operator, Placement, Part]
    fixed: float
    least: float
    errors: _Errors


class _Account:
    """Executions of one segment, compared with a constant prediction in batches."""

    def __init__(self, kernels: Sequence[_Kernel], predictor: Predictor) -> None:
        self._kernels = kernels
        self._index = [k.index for k in kernels]
        self._least = np.array([k.least for k in kernels])
        self._predicted = np.array([predictor.time(*k.question) + k.fixed for k in kernels])
        self._waiting: list[Execution] = []

    def add(self, execution: Execution) -> None:
        """Compare an execution, now or later."""
        self._waiting.append(execution)
        if len(self._waiting) == BATCH:
            self.settle()

    def settle(self) -> None:
        """Compare what is waiting."""
        if not self._waiting or not self._kernels:
            return
        starts, ends, times = (np.array(column) for column in zip(*self._waiting, strict=True))
        actual = np.maximum((ends - starts)[:, self._index], self._least)
        weights = np.where(actual > 0.0, times[:, None], 0)
        errors = (self._predicted - actual) / np.where(actual > 0.0, actual, 1.0)
        sizes = np.abs(errors)
        sums = [(weights * x).sum(axis=0).tolist() for x in (1, sizes, errors, sizes <= CLOSE)]
        for kernel, number, absolute, signed, close in zip(self._kernels, *sums, strict=True):
            own = kernel.errors
            own.kernels += number
            own.absolute += absolute
            own.signed += signed
            own.close += close
        self._waiting.clear()


@dataclass(slots=True)
class _Replay:
    """A segment that ran undisturbed, and how often it did.

    Its timeline is shared by all that fare alike, and kept, so that its identity tells them.
    """

    segment: Segment
    timeline: Timeline
    times: int


class PredictionLog:
    """Compares what one application's predictor says of each kernel with what the kernel took.

    The actual time goes from the kernel's start on its processor to its end, slowed by whatever else runs; its
    dispatch counts where that is longer. The first kernel of an invocation carries the invocation's fixed cost,
    actual and predicted. Predictors that learn are asked just before they are told.

    A segment that nothing disturbs takes the same time whenever it runs, so it is only counted while the simulation
    runs; its kernels are compared in the end. Other executions are compared in batches.

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
        self._accounts: dict[int, _Account] = {}

    def record(self, run: Run | Delay) -> None:
        """Note a finished run of kernels."""
        timeline = run.timeline if isinstance(run, Run) else None
        replay = self._replays.get(id(timeline))
        if replay is not None:
            replay.times += 1
        elif not self._constant:
            self._learn(run.segment, run.spans())
        elif timeline is None or _disturbed(run):
            starts, ends = zip(*run.spans(), strict=True)
            self._account(run.segment).add((starts, ends, 1))
        elif run.fragment.slowness:
            self._account(run.segment).add((timeline.starts, timeline.ends, 1))
        else:
            self._replays[id(timeline)] = _Replay(run.segment, timeline, 1)

    def records(self) -> Iterator[PredictionRecord]:
        """Errors by processor and kernel class."""
        for replay in self._replays.values():
            self._account(replay.segment).add((replay.timeline.starts, replay.timeline.ends, replay.times))
        self._replays.clear()
        for account in self._accounts.values():
            account.settle()
        for (processor, kernel_class), e in sorted(self._errors.items(), key=lambda item: item[0]):
            if e.kernels:
                yield PredictionRecord(
                    self.app, self.title, processor, kernel_class, e.kernels, e.absolute, e.signed, e.close
                )

    def _account(self, segment: Segment) -> _Account:
        account = self._accounts.get(id(segment))
        if account is None:
            account = self._accounts[id(segment)] = _Account(self._kernels(segment), self._predictor)
        return account

    def _learn(self, segment: Segment, spans: Sequence[tuple[float, float]]) -> None:
        predictor = self._predictor
        for kernel in self._kernels(segment):
            start, end = spans[kernel.index]
            actual = service_time(end - start, kernel.least)
            if actual <= 0.0:
                continue
            alone = predictor.time(*kernel.question)
            predicted = alone + kernel.fixed
            kernel.errors.add((predicted - actual) / actual)
            # The fixed cost is taken to be slowed as much as the kernel itself: nobody sees where one ends.
            predictor.observe(*kernel.question, actual * alone / predicted if predicted > 0.0 else actual)

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
        invocation = entry.fixed + entry.host
        fixed = invocation if self._predictor.sharing else 0.0
        errors = self._errors.setdefault((entry.target, entry.kernel_class), _Errors())
        return _Kernel(index, (op, placement, part), fixed, invocation + dispatch, errors)


class LevelLogs(PredictionLog):
    """The same for an application of a family: each level's kernels have a log, errors are added up.

    Parameters
    ----------
    app, title
        As of :class:`PredictionLog`.
    """

    def __init__(self, app: str, title: str) -> None:
        self.app, self.title = app, title
        self._logs: list[PredictionLog] = []
        self.current: PredictionLog | None = None
        """The log of the level that runs."""

    def add(self, log: PredictionLog) -> None:
        """There is one more level."""
        self._logs.append(log)

    def record(self, run: Run | Delay) -> None:
        """Note a finished run of kernels of the present level."""
        if self.current is not None:
            self.current.record(run)

    def records(self) -> Iterator[PredictionRecord]:
        """Errors by processor and kernel class, all levels together."""
        sums: dict[tuple[str, str], _Errors] = {}
        for record in (r for log in self._logs for r in log.records()):
            total = sums.setdefault((record.processor, record.kernel_class), _Errors())
            total.kernels += record.kernels
            total.absolute += record.absolute
            total.signed += record.signed
            total.close += record.close
        for (processor, kernel_class), e in sorted(sums.items()):
            yield PredictionRecord(
                self.app, self.title, processor, kernel_class, e.kernels, e.absolute, e.signed, e.close
            )


def _disturbed(run: Run | Delay) -> bool:
    """Whether something came between a run's start and its end, so that its last timeline does not tell all."""
    return not isinstance(run, Run) or run.progress is not START or bool(run.marks)
