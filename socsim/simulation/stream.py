"""One application's inferences in time: arrivals, the queue before the interpreter, and completion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator
from math import exp
from typing import Any

import numpy as np

from socsim.schedulers.base import Scheduler
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.kernelgraph import Entry, KernelGraph
from socsim.simulation.planning import Planner
from socsim.simulation.records import AppRecord, InferenceLog, InferenceRecord
from socsim.workloads.apps import Inference
from socsim.workloads.pricing import Pricer

__all__ = ["Noise", "Stream", "host_core"]


class Noise:
    """Run-to-run spread: a lognormal factor per inference and processor, and synchronisation times as measured.

    Parameters
    ----------
    rng
        The application's own generator.
    pricer
        Whose calibrations give the spreads.
    """

    def __init__(self, rng: np.random.Generator, pricer: Pricer) -> None:
        self._rng = rng
        self._spreads = {p: pricer.calibration(p).noise for p in pricer.processors}

    def slowness(self) -> dict[str, float]:
        """Factors on the times of one inference, by processor; their mean is 1."""
        return {p: exp(self._rng.normal(-0.5 * s * s, s)) for p, s in self._spreads.items()}

    def delay(self, entry: Entry) -> float:
        """Length in s of a delay."""
        if entry.spread is None:
            return entry.overhead
        sd, low, high = entry.spread
        return float(min(high, max(low, self._rng.normal(entry.overhead, sd))))


def host_core(pricer: Pricer) -> int:
    """Core of the thread that dispatches accelerator kernels.

    The first worker's core where the library's main thread does both, else the fastest core without a worker.
    """
    team = pricer.team()
    if pricer.library.host == "shared":
        return team[0]
    free = [i for i in pricer.device.parse_cores("all") if i not in team]
    return free[0] if free else team[-1]


class Stream(ABC):
    """Inferences of one application on a running device.

    Parameters
    ----------
    executor
        The device.
    app, name
        What runs, and its unique name.
    pricer, scheduler
        Its network under its library, and who decides.
    noise
        None for a deterministic run.
    """

    def __init__(
        self,
        executor: Executor,
        app: Inference,
        name: str,
        pricer: Pricer,
        scheduler: Scheduler,
        noise: Noise | None,
    ) -> None:
        self.executor, self.app, self.name, self.pricer, self.scheduler = (
            executor,
            app,
            name,
            pricer,
            scheduler,
        )
        self.queues = executor.queues()
        self.host = host_core(pricer)
        self.noise = noise
        self.log = InferenceLog()
        self.arrived = 0
        self.complete = executor.env.event()
        """Happens when the last counted inference has finished."""

    def start(self) -> None:
        """Let inferences arrive."""
        if self.app.period_s is None:
            self._arrive_next()
        else:
            self.executor.env.process(self._periodic(self.app.period_s))

    def _periodic(self, period: float) -> Generator[Any, Any, None]:
        env = self.executor.env
        while self._more():
            self._arrive()
            yield env.timeout(max(0.0, self.arrived * period - env.now))

    def _more(self) -> bool:
        return self.app.count is None or self.arrived < self.app.count

    def _arrive(self) -> None:
        self.arrived += 1
        self.accept(self.arrived - 1, self.executor.env.now)

    def _arrive_next(self) -> None:
        if self._more():
            self._arrive()

    def finish(self, index: int, arrival: float, start: float) -> None:
        """Record a finished inference; back to back, the next one arrives."""
        self.log.add(self.name, index, arrival, start, self.executor.env.now)
        if len(self.log) == self.app.count:
            self.complete.succeed()
        elif self.app.period_s is None:
            self._arrive_next()

    def slowness(self) -> dict[str, float]:
        """Factors on the times of one inference, by processor; empty for none."""
        return self.noise.slowness() if self.noise else {}

    def launch(
        self,
        graph: KernelGraph,
        index: int,
        on_done: Callable[[Fragment], None],
        slowness: dict[str, float],
        since: dict[int, float] | None = None,
    ) -> None:
        """Run a kernel graph for an inference."""
        delay_of = self.noise.delay if self.noise else None
        self.executor.launch(
            Fragment(
                graph, self.name, index, self.queues, self.host, on_done, slowness, delay_of, since or {}
            )
        )

    @abstractmethod
    def accept(self, index: int, arrival: float) -> None:
        """An inference has arrived."""

    @abstractmethod
    def unfinished(self) -> list[InferenceRecord]:
        """Records of what is running or queued at the end."""

    @abstractmethod
    def record(self) -> AppRecord:
        """What was run, and what it costs whatever the timing."""


class StaticStream(Stream):
    """Inferences that follow a planned kernel graph, one at a time, as a library's interpreter runs them.

    Parameters
    ----------
    planner
        What each inference follows.
    """

    def __init__(self, *args: Any, planner: Planner) -> None:
        super().__init__(*args)
        self.planner = planner
        self._queue: deque[tuple[int, float]] = deque()
        self._running: tuple[int, float, float] | None = None

    def accept(self, index: int, arrival: float) -> None:
        """Start it, or queue it behind the one that runs."""
        self._queue.append((index, arrival))
        if self._running is None:
            self._begin()

    def _begin(self) -> None:
        index, arrival = self._queue.popleft()
        self._running = (index, arrival, self.executor.env.now)
        self.launch(self.planner.next_graph(), index, self._done, self.slowness())

    def _done(self, fragment: Fragment) -> None:
        assert self._running is not None
        done, self._running = self._running, None
        self.finish(*done)
        if self._running is None and self._queue:
            self._begin()

    def unfinished(self) -> list[InferenceRecord]:
        """The running one, then the queue."""
        running = [self._running] if self._running else []
        return [InferenceRecord(self.name, i, a, s, -1.0, "running") for i, a, s in running] + [
            InferenceRecord(self.name, i, a, -1.0, -1.0, "queued") for i, a in self._queue
        ]

    def record(self) -> AppRecord:
        """The costs of the plans that were followed."""
        return self.planner.record(self.name)
