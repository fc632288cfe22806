"""One application's inferences in time: they arrive, wait or are dropped, run and finish."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from math import exp
from typing import Any

import numpy as np

from socsim.schedulers.base import Scheduler
from socsim.simulation.admission import Admission, Ticket
from socsim.simulation.context import Context
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.feeds import Feed, StageFeed
from socsim.simulation.inferencelog import InferenceLog, InferenceRecord
from socsim.simulation.kernelgraph import Entry, KernelGraph
from socsim.simulation.pacing import Pacing
from socsim.simulation.partial import Changed
from socsim.simulation.planning import Planner
from socsim.simulation.records import AppRecord
from socsim.simulation.reusing import Reusing
from socsim.workloads.apps import Inference
from socsim.workloads.lifetimes import RELEASED
from socsim.workloads.pricing import Pricer
from socsim.workloads.uclamp import NO_CLAMP, Clamp, make_uclamp

__all__ = ["Noise", "StaticStream", "Stream", "own_context", "pacing_of"]


class Noise:
    """Run-to-run spread: a lognormal factor per inference and processor, and synchronisation times as measured.

    Parameters
    ----------
    rng
        The application's own generator.
    pricer
        Whose calibrations give the spreads.
    delays
        The generator of synchronisation times, of which schedulers make more and fewer: apart from the other, it leaves
        the factors of a seed the same under all of them. Default the same.
    """

    def __init__(
        self, rng: np.random.Generator, pricer: Pricer, delays: np.random.Generator | None = None
    ) -> None:
        self._rng, self._delays = rng, rng if delays is None else delays
        self._spreads = {p: pricer.calibration(p).noise for p in pricer.processors}

    def slowness(self) -> dict[str, float]:
        """Factors on the times of one inference, by processor; their mean is 1."""
        return {p: exp(self._rng.normal(-0.5 * s * s, s)) for p, s in self._spreads.items()}

    def delay(self, entry: Entry) -> float:
        """Length in s of a delay."""
        if entry.spread is None:
            return entry.overhead
        sd, low, high = entry.spread
        return float(min(high, max(low, self._delays.normal(entry.overhead, sd))))


def pacing_of(app: Inference, scheduler: Scheduler) -> Pacing:
    """How an application's library feeds the GPU."""
    return Pacing(app.kernel_limit_s or scheduler.kernel_limit, app.queue_window, app.blocking)


def own_context(
    executor: Executor, name: str, pricer: Pricer, *, nice: int = 0, priority: float = 0.0,
    uclamp: Clamp = NO_CLAMP,
) -> Context:  # fmt: skip
    """What a network under its library holds on a device; `nice`, `priority` and `uclamp` are the application's."""
    library = pricer.library
    anywhere = pricer.device.allowed_cores("all", pricer.cpuset)
    return Context(
        executor, name, pricer.host_core, host_cores=pricer.mask if library.host == "shared" else anywhere,
        spin=library.spin, tiles=library.tiles, nice=nice, priority=priority, calls=True, uclamp=uclamp,
    )  # fmt: skip


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

    usual_concurrency: int | None = 1
    """How many inferences may be under way where the application does not say; None for any number."""

    def __init__(
        self,
        executor: Executor,
        app: Inference,
        name: str,
        pricer: Pricer,
        scheduler: Scheduler,
        noise: Noise | None,
    ) -> None:
        self.executor, self.app, self.name = executor, app, name
        self.pricer, self.scheduler = pricer, scheduler
        self.context = own_context(
            executor, name, pricer, nice=app.nice, priority=app.priority + scheduler.priority,
            uclamp=make_uclamp(app.uclamp),
        )  # fmt: skip
        self.noise = noise
        self.log = InferenceLog()
        self.admission = Admission(app.queue, app.queue_limit, self._concurrency())
        self.feed: Feed | None = None
        """What makes inferences arrive."""
        self.followers: list[StageFeed] = []
        """Stages that the inferences that finish here make arrivals for."""
        self.arrived = self.begun = 0
        self.closed = False
        """Whether no more will arrive."""
        self.complete = executor.env.event()
        """Happens when no more will arrive and all that did have finished or been dropped."""
        self._under_way: dict[int, Ticket] = {}
        self.reusing: Reusing | None = None
        """What happens to frames before they are computed; None where there is no scene."""
        self.lifetimes = RELEASED
        """When memory is given back."""

    def _concurrency(self) -> int | None:
        if self.app.concurrency is not None:
            return self.app.concurrency
        if self.app.reuse is not None:
            return 1
        return self.usual_concurrency if self.app.queue == "queue" else 1

    # --- arrivals ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let inferences arrive."""
        if self.feed is not None:
            self.feed.start()

    def arrive(self, origin: float = -1.0) -> None:
        """One arrives now; `origin` is the arrival in s of the first stage that led to it, -1 for a first stage."""
        ticket = Ticket(self.arrived, float(self.executor.env.now), origin)
        self.arrived += 1
        if self.admission.enter():
            self._begin(ticket)
            return
        dropped = self.admission.arrive(ticket)
        if dropped is not None:
            self._drop(dropped)
        self._admit()

    def close(self) -> None:
        """No more will arrive."""
        self.closed = True
        self._complete_if_over()

    def _admit(self) -> None:
        """Begin whatever may begin."""
        while (ticket := self.admission.next()) is not None:
            self._begin(ticket)

    def _begin(self, ticket: Ticket) -> None:
        self._under_way[ticket.number] = ticket
        self.begun += 1
        if self.reusing is None:
            self.accept(ticket.number, ticket.arrival_s)
        else:
            self.reusing.begin(ticket.number, ticket.arrival_s)

    def _drop(self, ticket: Ticket) -> None:
        now = self.executor.env.now
        self.log.add(self.name, ticket.number, ticket.arrival_s, -1.0, now, "dropped", ticket.origin_s)
        self._complete_if_over()

    def finish(self, index: int, arrival: float, start: float) -> None:
        """Record a finished inference; the stages after it, then who waits, may go on."""
        if self.reusing is not None:
            start = self.reusing.ended(index, start)
        origin = self._under_way.pop(index).origin_s
        self.log.add(
            self.name, index, arrival, start, self.executor.env.now, "finished", origin, *self.running(index)
        )
        for follower in self.followers:
            follower.trigger(arrival if origin < 0.0 else origin)
        self._leave()

    def repeat(self, index: int, arrival: float) -> None:
        """An inference has begun and gives the last result again."""
        self.begun -= 1
        Stream.finish(self, index, arrival, arrival)

    def give_up(self, index: int, arrival: float, start: float) -> None:
        """Record an inference that the scheduler has dropped; who waits may go on."""
        if self.reusing is not None:
            start = self.reusing.gave_up(index, start)
        origin = self._under_way.pop(index).origin_s
        self.log.add(self.name, index, arrival, start, self.executor.env.now, "dropped", origin)
        self._leave()

    def _leave(self) -> None:
        self.admission.leave()
        if self.feed is not None:
            self.feed.ended()
        self._admit()
        self._complete_if_over()

    def _complete_if_over(self) -> None:
        if self.closed and not self.unended and not self.complete.triggered:
            self.complete.succeed()

    @property
    def unended(self) -> int:
        """How many wait or run."""
        return self.arrived - len(self.log)

    def unfinished(self) -> Iterator[InferenceRecord]:
        """Records of what is running or queued at the end."""
        for number, arrival, origin in self._under_way.values():
            start = self.started(number) if self.reusing is None else self.reusing.started(number)
            status = "queued" if start < 0.0 else "running"
            level, place = (0, "") if start < 0.0 else self.running(number)
            yield InferenceRecord(self.name, number, arrival, start, -1.0, status, origin, level, place)
        for number, arrival, origin in self.admission.waiting:
            yield InferenceRecord(self.name, number, arrival, -1.0, -1.0, "queued", origin)

    def running(self, index: int) -> tuple[int, str]:
        """Level in its family and place of the network of an inference under way; 0 and ``""`` where there is none."""
        return 0, ""

    # --- execution --------------------------------------------------------------------------------------------

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
            Fragment(graph, self.name, index, self.context, on_done, slowness, delay_of, since or {})
        )

    @abstractmethod
    def accept(self, index: int, arrival: float) -> None:
        """Begin an inference."""

    def accept_part(self, index: int, arrival: float, changed: Changed | None) -> float:
        """Begin an inference of a frame of which only a part may have changed.

        Returns
        -------
        The share of its multiply-accumulates that is computed.
        """
        self.accept(index, arrival)
        return 1.0

    @abstractmethod
    def started(self, index: int) -> float:
        """When the first operator of an inference under way was placed, in s; -1 before that."""

    @abstractmethod
    def record(self) -> AppRecord:
        """What was run, and what it costs whatever the timing."""


class StaticStream(Stream):
    """Inferences that follow a planned kernel graph, as a library's interpreter runs them: by default one at a time.

    Parameters
    ----------
    planner
        What each inference follows.
    """

    def __init__(self, *args: Any, planner: Planner) -> None:
        super().__init__(*args)
        self.planner = planner
        self._starts: dict[int, float] = {}
        self._changed: Changed | None = None

    def accept_part(self, index: int, arrival: float, changed: Changed | None) -> float:
        """Launch the kernel graph of what has changed."""
        self._changed = changed
        self.accept(index, arrival)
        return self.planner.computed

    def accept(self, index: int, arrival: float) -> None:
        """Launch its kernel graph."""
        start = float(self.executor.env.now)
        self._starts[index] = start

        def done(fragment: Fragment) -> None:
            del self._starts[index]
            self.finish(index, arrival, start)

        self.launch(self.planner.next_graph(self._changed), index, done, self.slowness())

    def started(self, index: int) -> float:
        """When it was launched."""
        return self._starts[index]

    def record(self) -> AppRecord:
        """The costs of the plans that were followed."""
        return self.planner.record(self.name)
