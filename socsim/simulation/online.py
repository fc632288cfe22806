"""Inferences whose scheduler decides while they run: jobs become ready, are assigned, and hand their tensors on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from socsim.errors import SimulationError
from socsim.schedulers.base import Assignment, OnlineScheduler
from socsim.schedulers.guard import blamed
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.view import Job, Load, View
from socsim.simulation.executor import Fragment
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.lowering import CPU, Place, lower_job
from socsim.simulation.records import AppRecord
from socsim.simulation.stream import Stream
from socsim.workloads.units import Unit

__all__ = ["OnlineStream"]


@dataclass(slots=True)
class _State:
    """One inference under way."""

    arrival: float
    waits: list[int]
    left: int
    slowness: dict[str, float]
    start: float = -1.0
    opened: frozenset[str] = frozenset()
    places: dict[str, Place] = field(default_factory=dict)
    ready_at: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Lowered:
    graph: KernelGraph
    roots: dict[int, tuple[str, ...]]
    produced: dict[str, Place]


class OnlineStream(Stream):
    """Runs an :class:`OnlineScheduler`.

    An assigned job keeps its place in its processor's queue while its inputs are on their way; a hand-over that only
    takes time begins when the producer finishes, whoever reads it. A subgraph or a whole network is an invocation of
    its own and pays the library's fixed cost; single operators pay it once for each inference and processor.

    Parameters
    ----------
    units
        The network cut into jobs.
    predictor
        What the scheduler's view predicts with.
    """

    usual_concurrency = None

    def __init__(self, *args: Any, units: Sequence[Unit], predictor: Predictor) -> None:
        super().__init__(*args)
        self.units, self.predictor = units, predictor
        self._inferences: dict[int, _State] = {}
        self._ready: dict[tuple[int, int], Job] = {}
        self._free_at: dict[str, float] = dict.fromkeys(self.pricer.processors, 0.0)
        self._lowered: dict[tuple[object, ...], _Lowered] = {}
        self._handovers: dict[tuple[str, str, str], float] = {}
        self._totals = [0, 0.0, 0.0]
        self._deciding = False
        self._invocations = (
            isinstance(self.scheduler, OnlineScheduler) and self.scheduler.granularity != "operator"
        )
        load = Load(self._now, self._ready_jobs, self._wait, self._data_ready, self._invocations)
        self._view = View(self.pricer, predictor, load)

    # --- what the scheduler sees ------------------------------------------------------------------------------

    def _now(self) -> float:
        return float(self.executor.env.now)

    def _ready_jobs(self) -> tuple[Job, ...]:
        return tuple(self._ready.values())

    def _wait(self, processor: str) -> float:
        return max(0.0, self._free_at[processor] - self._now())

    def _data_ready(self, job: Job, processor: str) -> float:
        state, now = self._inferences[job.inference], self.executor.env.now
        latest = now
        for tensor in self.units[job.unit].inputs:
            source = state.places[tensor].processor
            if source != processor:
                at = state.ready_at[tensor] + self._handover(tensor, source, processor)
                if at > latest:
                    latest = at
        return float(latest - now)

    def _handover(self, tensor: str, source: str, target: str) -> float:
        key = (tensor, source, target)
        time = self._handovers.get(key)
        if time is None:
            time = self._view.transfer(self.pricer.graph.tensors[tensor].elements, source, target)
            self._handovers[key] = time
        return time

    # --- life of an inference ---------------------------------------------------------------------------------

    def accept(self, index: int, arrival: float) -> None:
        """Make its first jobs ready."""
        state = _State(arrival, [len(u.needs) for u in self.units], len(self.units), self.slowness())
        for tensor in self.pricer.graph.inputs:
            state.places[tensor], state.ready_at[tensor] = CPU, arrival
        self._inferences[index] = state
        for unit in self.units:
            if not unit.needs:
                self._make_ready(index, unit)
        self._decide()

    def _make_ready(self, index: int, unit: Unit) -> None:
        arrival = self._inferences[index].arrival
        self._ready[index, unit.number] = Job(
            index, self.pricer.graph, unit.operators, unit.processors, arrival, unit.number
        )

    def _decide(self) -> None:
        """Ask the scheduler, once it has had its time to think."""
        if self._deciding or not self._ready:
            return
        self._deciding = True
        if self.scheduler.decision_time:
            timer = self.executor.env.timeout(self.scheduler.decision_time)
            timer.callbacks.append(lambda _: self._ask())
        else:
            self._ask()

    def _ask(self) -> None:
        scheduler = self.scheduler
        assert isinstance(scheduler, OnlineScheduler)
        for assignment in self._decisions(scheduler):
            if not isinstance(assignment, Assignment):
                raise SimulationError(
                    f"scheduler {scheduler.title!r} must yield job.on(processor) for each job, got {assignment!r}"
                )
            self._assign(assignment)
        self._deciding = False

    def _decisions(self, scheduler: OnlineScheduler) -> Iterator[object]:
        network, end = self.pricer.graph.name, object()
        with blamed(scheduler, "decide", network):
            decided: object = scheduler.decide(self._view)
        if not isinstance(decided, Iterable):
            raise SimulationError(
                f"scheduler {scheduler.title!r} must return or yield assignments from decide(), got {decided!r}"
            )
        remaining = iter(decided)
        while True:
            with blamed(scheduler, "decide", network):
                assignment = next(remaining, end)
            if assignment is end:
                return
            yield assignment

    def _assign(self, assignment: Assignment) -> None:
        job, placement = assignment.job, assignment.placement
        if self._ready.pop((job.inference, job.unit), None) is None:
            raise SimulationError(
                f"scheduler {self.scheduler.title!r} assigned job {job.unit} of inference {job.inference}, not ready"
            )
        if placement.processor not in job.processors:
            raise SimulationError(
                f"scheduler {self.scheduler.title!r} assigned job {job.unit} of {job.graph.name!r} to "
                f"{placement.processor!r}, which does not support it; supported: {', '.join(job.processors)}"
            )
        state = self._inferences[job.inference]
        if state.start < 0.0:
            state.start = self._now()
        lowered = self._lower(job, placement, state)
        self._expect(job, placement)
        since = {root: max(state.ready_at[t] for t in tensors) for root, tensors in lowered.roots.items()}
        self._totals[0] += lowered.graph.kernels
        self._totals[1] += lowered.graph.transfer_bytes
        self._totals[2] += lowered.graph.sync_s
        expected = self._free_at[placement.processor]

        def done(fragment: Fragment) -> None:
            self._free_at[placement.processor] += self._now() - expected
            self._job_done(job, lowered)

        self.launch(lowered.graph, job.inference, done, state.slowness, since)

    def _expect(self, job: Job, placement: Placement) -> None:
        """Move the processor's expected idle time behind the job."""
        p, now = placement.processor, self._now()
        begin = max(self._free_at[p], now, now + self._data_ready(job, p))
        self._free_at[p] = begin + self._view.predict(job, p, layout=placement.layout)

    def _lower(self, job: Job, placement: Placement, state: _State) -> _Lowered:
        unit = self.units[job.unit]
        inputs = {tensor: state.places[tensor] for tensor in unit.inputs}
        opened = placement.processor in state.opened
        key = (job.unit, placement, opened, *inputs.values())
        lowered = self._lowered.get(key)
        if lowered is None:
            lowered = _Lowered(
                *lower_job(self.pricer, unit.operators, placement, inputs, unit.results, opened=opened)
            )
            self._lowered[key] = lowered
        if not self._invocations:
            state.opened |= {placement.processor}
        return lowered

    def _job_done(self, job: Job, lowered: _Lowered) -> None:
        state, now = self._inferences[job.inference], self._now()
        for tensor, place in lowered.produced.items():
            state.places[tensor], state.ready_at[tensor] = place, now
        for reader in self.units[job.unit].readers:
            state.waits[reader] -= 1
            if not state.waits[reader]:
                self._make_ready(job.inference, self.units[reader])
        state.left -= 1
        if not state.left:
            del self._inferences[job.inference]
            self.finish(job.inference, state.arrival, state.start)
        self._decide()

    def started(self, index: int) -> float:
        """When its first job was assigned."""
        return self._inferences[index].start

    def record(self) -> AppRecord:
        """Means over the inferences that began."""
        network, n = self.pricer.graph, max(1, self.begun)
        kernels, moved, sync = self._totals
        return AppRecord(
            app=self.name,
            model=network.name,
            library=self.pricer.library.name,
            scheduler=self.scheduler.title,
            dtype=self.pricer.dtype,
            operators=len(network),
            unsupported=0,
            fallbacks={},
            kernels=kernels / n,
            transfer_bytes=moved / n,
            sync_s=sync / n,
            peak_memory_bytes=network.peak_memory_bytes(self.pricer.dtype),
            macs=network.macs,
        )
