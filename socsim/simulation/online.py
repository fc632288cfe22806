"""Inferences whose scheduler decides while they run: jobs become ready, are assigned, and hand their tensors on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import Any

from socsim.errors import SimulationError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.view import Job, Load, View
from socsim.simulation.dispatcher import Dispatcher
from socsim.simulation.executor import Fragment
from socsim.simulation.handovers import CPU, Place
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.lowering import lower_job
from socsim.simulation.records import AppRecord
from socsim.simulation.stream import Stream, pacing_of
from socsim.workloads.units import Unit, join

__all__ = ["OnlineStream"]


@dataclass(slots=True)
class _State:
    """One inference under way."""

    arrival: float
    waits: list[int]
    left: int
    slowness: dict[str, float]
    done: list[bool]
    taken: list[bool]
    under_way: int = 0
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
    dispatcher
        Who asks the scheduler.
    """

    usual_concurrency = None

    def __init__(
        self, *args: Any, units: Sequence[Unit], predictor: Predictor, dispatcher: Dispatcher
    ) -> None:
        super().__init__(*args)
        self.units, self.predictor, self._dispatcher = units, predictor, dispatcher
        self._inferences: dict[int, _State] = {}
        self._lowered: dict[tuple[object, ...], _Lowered] = {}
        self._handovers: dict[tuple[str, str, str], float] = {}
        self._merged: dict[tuple[int, int], Unit] = {}
        self._totals = [0, 0.0, 0.0]
        self._invocations = dispatcher.scheduler.granularity != "operator"
        load = Load(
            dispatcher.now,
            dispatcher.ready,
            dispatcher.wait,
            self._data_ready,
            self._invocations,
            dispatcher.pending,
            dispatcher.others,
        )
        self.view = View(self.pricer, predictor, load)
        dispatcher.join(self.name, self)

    # --- what the scheduler sees ------------------------------------------------------------------------------

    def _now(self) -> float:
        return float(self.executor.env.now)

    def _data_ready(self, job: Job, processor: str) -> float:
        state, now = self._inferences[job.inference], self.executor.env.now
        latest = now
        for tensor in self._unit(job).inputs:
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
            time = self.view.transfer(self.pricer.graph.tensors[tensor].elements, source, target)
            self._handovers[key] = time
        return time

    # --- life of an inference ---------------------------------------------------------------------------------

    def accept(self, index: int, arrival: float) -> None:
        """Make its first jobs ready."""
        count = len(self.units)
        state = _State(
            arrival,
            [len(u.needs) for u in self.units],
            count,
            self.slowness(),
            [False] * count,
            [False] * count,
        )
        for tensor in self.pricer.graph.inputs:
            state.places[tensor], state.ready_at[tensor] = CPU, arrival
        self._inferences[index] = state
        for unit in self.units:
            if not unit.needs:
                self._make_ready(index, unit)
        self._dispatcher.decide()

    def _make_ready(self, index: int, unit: Unit) -> None:
        arrival = self._inferences[index].arrival
        self._dispatcher.offer(
            Job(
                index, self.pricer.graph, unit.operators, unit.processors, arrival, unit.number, self.name,
                arrival + self._patience,
            )
        )  # fmt: skip

    @cached_property
    def _patience(self) -> float:
        """Time in s from arrival to deadline."""
        return inf if self.app.deadline_s is None else self.app.deadline_s

    def merged(self, job: Job, count: int) -> Job:
        """A job and the following ones of its network as one.

        Raises
        ------
        SimulationError
            There are not so many, or one of them waits for something else.
        """
        if count == 1:
            return job
        unit = self._joined(job.unit, count)
        state = self._inferences[job.inference]
        done = state.done
        missing = [n for n in unit.needs if not done[n]]
        taken = [n for n in range(job.unit, job.unit + count) if state.taken[n]]
        if taken:
            raise SimulationError(
                f"scheduler {self.scheduler.title!r} took {count} jobs from {job.unit} of {job.graph.name!r} on "
                f"together, of which job {taken[0]} has been assigned"
            )
        if missing:
            raise SimulationError(
                f"scheduler {self.scheduler.title!r} took {count} jobs from {job.unit} of {job.graph.name!r} on "
                f"together, which wait for job {missing[0]}"
            )
        return replace(job, operators=unit.operators, processors=unit.processors, count=count)

    def _unit(self, job: Job) -> Unit:
        return self.units[job.unit] if job.count == 1 else self._joined(job.unit, job.count)

    def _joined(self, first: int, count: int) -> Unit:
        if (first, count) not in self._merged:
            units = self.units[first : first + count]
            if len(units) < count or count < 1:
                raise SimulationError(
                    f"scheduler {self.scheduler.title!r} took {count} jobs from {first} on together; "
                    f"{self.pricer.graph.name!r} has {len(self.units)}"
                )
            self._merged[first, count] = join(self.pricer.graph, units)
        return self._merged[first, count]

    def abandon(self, job: Job) -> None:
        """Drop an inference none of whose jobs is under way.

        Raises
        ------
        SimulationError
            One is.
        """
        state = self._inferences[job.inference]
        if state.under_way:
            raise SimulationError(
                f"scheduler {self.scheduler.title!r} dropped inference {job.inference} of {self.name!r}, "
                f"of which a job is under way"
            )
        self._dispatcher.withdraw_inference(self.name, job.inference)
        del self._inferences[job.inference]
        self.give_up(job.inference, state.arrival, state.start)

    def perform(self, job: Job, placement: Placement) -> None:
        """Run a job on a processor."""
        state, free_at = self._inferences[job.inference], self._dispatcher.free_at
        if state.start < 0.0:
            state.start = self._now()
        for number in range(job.unit, job.unit + job.count):
            state.taken[number] = True
            self._dispatcher.withdraw(self.name, job.inference, number)
        lowered = self._lower(job, placement, state)
        self._expect(job, placement)
        since = {root: max(state.ready_at[t] for t in tensors) for root, tensors in lowered.roots.items()}
        self._totals[0] += lowered.graph.kernels
        self._totals[1] += lowered.graph.transfer_bytes
        self._totals[2] += lowered.graph.sync_s
        expected = free_at[placement.processor]
        state.under_way += 1
        assigned = self._dispatcher.assigned
        assigned[placement.processor] += 1

        def done(fragment: Fragment) -> None:
            assigned[placement.processor] -= 1
            free_at[placement.processor] += self._now() - expected
            self._job_done(job, lowered)

        self.launch(lowered.graph, job.inference, done, state.slowness, since)

    def _expect(self, job: Job, placement: Placement) -> None:
        """Move the processor's expected idle time behind the job."""
        p, now = placement.processor, self._now()
        free_at = self._dispatcher.free_at
        begin = max(free_at.get(p, 0.0), now, now + self._data_ready(job, p))
        free_at[p] = begin + self.view.predict(job, p, layout=placement.layout)

    def _lower(self, job: Job, placement: Placement, state: _State) -> _Lowered:
        unit = self._unit(job)
        inputs = {tensor: state.places[tensor] for tensor in unit.inputs}
        opened = placement.processor in state.opened
        key = (job.unit, job.count, placement, opened, *inputs.values())
        lowered = self._lowered.get(key)
        if lowered is None:
            lowered = _Lowered(
                *lower_job(
                    self.pricer,
                    unit.operators,
                    placement,
                    inputs,
                    unit.results,
                    opened=opened,
                    pacing=pacing_of(self.app, self.scheduler),
                )
            )
            self._lowered[key] = lowered
        if not self._invocations:
            state.opened |= {placement.processor}
        return lowered

    def _job_done(self, job: Job, lowered: _Lowered) -> None:
        state, now = self._inferences[job.inference], self._now()
        for tensor, place in lowered.produced.items():
            state.places[tensor], state.ready_at[tensor] = place, now
        state.under_way -= 1
        numbers = range(job.unit, job.unit + job.count)
        for number in numbers:
            state.done[number] = True
        for number in numbers:
            for reader in self.units[number].readers:
                state.waits[reader] -= 1
                if not state.waits[reader] and not state.taken[reader]:
                    self._make_ready(job.inference, self.units[reader])
        state.left -= job.count
        if not state.left:
            del self._inferences[job.inference]
            self.finish(job.inference, state.arrival, state.start)
        self._dispatcher.decide()

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
            peak_memory_bytes=self.lifetimes.peak_bytes(network, self.pricer.dtype),
            macs=network.macs,
            top1_drop=network.top1_drop,
            drop_source=network.lineage.source if network.lineage else "",
        )
