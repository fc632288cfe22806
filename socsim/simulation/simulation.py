"""Wires applications to a device and runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import simpy
from simpy.core import EmptySchedule
from simpy.events import AllOf

from socsim.devices.device import Device
from socsim.errors import PlanError, SimulationError, UsageError
from socsim.schedulers.base import OnlineScheduler, Scheduler, StaticScheduler
from socsim.schedulers.guard import blamed, check_times
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.predictors import make_predictor, predictor_title
from socsim.schedulers.registry import make_scheduler
from socsim.schedulers.view import View
from socsim.simulation.accuracy import PredictionLog
from socsim.simulation.delay import Delay
from socsim.simulation.dispatcher import Dispatcher
from socsim.simulation.display import Display
from socsim.simulation.energy import component_energy, component_power, rail_energy
from socsim.simulation.executor import Executor
from socsim.simulation.feeds import Feed, LoopFeed, StageFeed, TimedFeed
from socsim.simulation.foreign import foreign_load
from socsim.simulation.instruments import KernelRecorder
from socsim.simulation.invariants import (
    check_busy,
    check_energy,
    check_frames,
    check_inferences,
    check_processes,
    check_spans,
)
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.online import OnlineStream
from socsim.simulation.planning import Planner
from socsim.simulation.processlog import ProcessLog
from socsim.simulation.profiling import bench
from socsim.simulation.records import InferenceLog, Outcome
from socsim.simulation.replayer import Replayer
from socsim.simulation.rival import start_competitor
from socsim.simulation.run import Run
from socsim.simulation.stream import Noise, StaticStream, Stream, pacing_of
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import FrameApp
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.replays import Replay
from socsim.workloads.stages import application_names, check_stages
from socsim.workloads.units import cut

__all__ = ["Simulation"]

_ARRIVALS, _COMPETITORS = 1, 2
"""Tell an application's generators from that of its noise."""

Application = Inference | FrameApp | Competitor | Replay
"""What a simulation runs."""


class Simulation:
    """One run of some applications on one device.

    Parameters
    ----------
    device
        What they run on.
    apps
        Inference applications, whose ``model`` is a network, what shows frames, and what competes with them.
    duration
        Simulated time in s; None runs until every inference has finished, which needs a ``count`` in each application.
    seed
        Seed of all random draws: of arrivals, of how many a stage makes, and with `noise` of the spread.
    noise
        Draw run-to-run spread and synchronisation times instead of their means.
    kernels
        Keep a record of every kernel, and of what all processes do.
    stepwise
        One event per kernel, for checking: same results, slower.
    mechanisms
        Which mechanisms of contention it has; all by default.

    Raises
    ------
    UsageError
        No applications, no end, a duration that is not positive, or applications that follow each other in a circle.
    UnknownNameError
        An application after one that does not exist.
    """

    def __init__(
        self,
        device: Device,
        apps: Sequence[Application],
        *,
        duration: float | None = None,
        seed: int = 0,
        noise: bool = False,
        kernels: bool = False,
        stepwise: bool = False,
        mechanisms: Mechanisms = ALL_MECHANISMS,
    ) -> None:
        inferences = [app for app in apps if isinstance(app, Inference)]
        _check(apps, inferences, duration, seed)
        self.device, self.duration, self.seed, self.noise = device, duration, seed, noise
        self.env = simpy.Environment()
        self._recorder = KernelRecorder() if kernels else None
        self._predictions: dict[str, PredictionLog] = {}
        self.executor = Executor(
            self.env, device, stepwise=stepwise, on_run=self._note, mechanisms=mechanisms
        )
        self._processes: dict[str, tuple[str, str]] = {}
        """Process -> its application and the kind of that."""
        self._watch = ProcessLog(self.env) if kernels else None
        if self._watch is not None:
            self.executor.cores.new_thread = self._watch.thread
        self._services: dict[Any, Scheduler] = {}
        self._dispatchers: dict[int | str, Dispatcher] = {}
        names = application_names(inferences)
        check_stages(names, [app.stage for app in inferences])
        self.streams: list[Stream] = []
        self.streams = [
            self._stream(app, name, i) for i, (app, name) in enumerate(zip(inferences, names, strict=True))
        ]
        shown = [app for app in apps if isinstance(app, FrameApp)]
        self._processes |= {name: (name, "inference") for name in names}
        self._displays = [
            Display(self.executor, app, self._name(app.title, app.title, app.kind)) for app in shown
        ]
        self._competitors = [
            (app, [self._name(process, app.name, "competitor") for process in app.processes])
            for app in apps
            if isinstance(app, Competitor)
        ]
        self._replays = [Replayer(self.executor, app) for app in apps if isinstance(app, Replay)]
        for number, stream in enumerate(self.streams):
            stream.feed = self._feed(stream, number)
        self._outcome: Outcome | None = None

    def run(self) -> Outcome:
        """Run to the end, once; later calls return the same outcome."""
        if self._outcome is None:
            for number, (competitor, names) in enumerate(self._competitors):
                rng = np.random.default_rng([self.seed, number, _COMPETITORS])
                start_competitor(self.executor, competitor, rng, names)
            for replayer in self._replays:
                title = replayer.replay.name
                replayer.start({p: self._name(p, title, "replay") for p in replayer.processes})
            for dispatcher in self._dispatchers.values():
                dispatcher.start()
            for display in self._displays:
                display.start()
            for stream in self.streams:
                stream.start()
            self._pass_time()
            self.executor.close()
            if self._watch is not None:
                self._watch.close(self.executor)
            self._outcome = self._conclude()
        return self._outcome

    def validate(self) -> None:
        """Check the invariants of a finished run.

        Raises
        ------
        SimulationError
            Inferences or frames lost, a processor busier than time allows or than processes kept it, negative times, or
            energies that do not add up.
        """
        outcome, cores = self.run(), self.executor.cores
        for stream in self.streams:
            check_inferences(stream, outcome)
        for display in self._displays:
            check_frames(display, outcome.frames, outcome.duration_s)
        busy = [sum(times) for times in zip(*map(cores.busy, ("kernel", "host", "other")), strict=True)]
        check_busy(outcome, busy)
        check_energy(outcome)
        if self._watch is not None:
            check_processes(outcome.processes, {**outcome.busy_s, "cpu": sum(busy)})
            if cores.policy == "cfs":
                check_spans(outcome.spans)

    def _stream(self, app: Inference, name: str, number: int) -> Stream:
        if not isinstance(app.model, ModelGraph):
            raise UsageError(f"application {name!r}: load the network first, got {app.model!r}")
        pricer = Pricer(self.device, load_library(app.library), app.model, app.dtype, app.cores, app.cpuset)
        scheduler = self._scheduler(app.scheduler)
        check_times(scheduler)
        noise = Noise(np.random.default_rng([self.seed, number]), pricer) if self.noise else None
        if isinstance(scheduler, OnlineScheduler):
            return self._online(app, name, pricer, scheduler, noise)
        if isinstance(scheduler, StaticScheduler):
            return self._static(app, name, pricer, scheduler, noise)
        raise UsageError(
            f"a scheduler must be a StaticScheduler or an OnlineScheduler, got {type(scheduler).__name__}"
        )

    def _scheduler(self, spec: Any) -> Scheduler:
        """A scheduler of an application's own, or the one that it shares with others."""
        scheduler = make_scheduler(spec)
        if not (isinstance(scheduler, OnlineScheduler) and scheduler.shared):
            return scheduler
        key = repr(spec) if isinstance(spec, (str, Mapping)) else spec
        return self._services.setdefault(key, scheduler)

    def _feed(self, stream: Stream, number: int) -> Feed:
        """What makes a stream's inferences arrive, with a generator of its own."""
        rng, app = np.random.default_rng([self.seed, number, _ARRIVALS]), stream.app
        if app.stage is not None:
            before = next(s for s in self.streams if s.name == app.stage.app)
            return StageFeed(stream, before, app.stage, rng)
        return LoopFeed(stream) if app.source is None else TimedFeed(stream, app.source, rng)

    def _static(
        self, app: Inference, name: str, pricer: Pricer, scheduler: StaticScheduler, noise: Noise | None
    ) -> Stream:
        predictor = self._predictor(name, pricer, scheduler)
        planner = Planner(
            pricer, scheduler, predictor, lambda: float(self.env.now), pacing=pacing_of(app, scheduler),
            others=self._others(scheduler),
        )  # fmt: skip
        return StaticStream(self.executor, app, name, pricer, scheduler, noise, planner=planner)

    def _online(
        self, app: Inference, name: str, pricer: Pricer, scheduler: OnlineScheduler, noise: Noise | None
    ) -> Stream:
        predictor = self._predictor(name, pricer, scheduler)
        view = View(pricer, predictor)
        with blamed(scheduler, "support", pricer.graph.name):
            support = scheduler.support(pricer.graph, view)
        units = cut(pricer.graph, scheduler.granularity, lambda op: support[op.name])
        homeless = next((unit for unit in units if not unit.processors), None)
        if homeless:
            raise PlanError(
                f"no processor supports all of a job of {name!r}: {', '.join(map(repr, homeless.operators))}"
            )
        key = id(scheduler) if scheduler.shared else name
        dispatcher = self._dispatchers.setdefault(
            key, Dispatcher(self.env, scheduler, self._others(scheduler))
        )
        return OnlineStream(
            self.executor, app, name, pricer, scheduler, noise, units=units, predictor=predictor,
            dispatcher=dispatcher,
        )  # fmt: skip

    def _others(self, scheduler: Scheduler) -> Callable[[str], float]:
        """How busy programs that a scheduler has nothing to do with keep a processor."""

        def load(processor: str) -> float:
            own = [stream.context for stream in self.streams if stream.scheduler is scheduler]
            return foreign_load(self.executor, own, processor)

        return load

    def _predictor(self, name: str, pricer: Pricer, scheduler: Scheduler) -> Predictor:
        """The application's predictor, whose errors are kept and which is told what it predicted took."""
        predictor = make_predictor(scheduler.predictor, pricer, bench)
        title = predictor_title(scheduler.predictor)
        self._predictions[name] = PredictionLog(name, pricer, predictor, title)
        return predictor

    def _note(self, run: Run | Delay) -> None:
        """A segment has finished."""
        if run.segment.queue:
            log = self._predictions.get(run.fragment.app)
            if log is not None:
                log.record(run)
        if self._recorder is not None:
            self._recorder.record(run)
        if self._watch is not None and isinstance(run, Run) and not run.segment.team:
            self._watch.run(run)

    def _name(self, wanted: str, app: str, kind: str) -> str:
        """A name for a process of an application that no other process of the run has."""
        name, number = wanted, 1
        while name in self._processes:
            number += 1
            name = f"{wanted}-{number}"
        shows = kind not in ("competitor", "replay")
        self._processes[name] = (name if shows else app, kind)
        return name

    def _pass_time(self) -> None:
        """Run until the limit, or until the last inference has finished."""
        if self.duration is not None:
            self.env.run(until=self.duration)
            return
        complete = AllOf(self.env, [stream.complete for stream in self.streams])
        step = self.env.step
        try:
            while not complete.triggered:
                step()
        except EmptySchedule:
            stuck = max(self.streams, key=lambda stream: stream.unended)
            left = stuck.unended
            raise SimulationError(
                f"scheduler {stuck.scheduler.title!r} left {left} inference{'s' * (left != 1)} of "
                f"{stuck.name!r} unfinished: it never assigned all ready jobs"
            ) from None

    def _log(self) -> InferenceLog:
        """All inferences: application by application, ended ones first."""
        if not self.streams:
            return InferenceLog()
        log = self.streams[0].log
        log.extend(self.streams[0].unfinished())
        for stream in self.streams[1:]:
            log.extend(stream.log)
            log.extend(stream.unfinished())
        return log

    def _conclude(self) -> Outcome:
        executor, now = self.executor, float(self.env.now)
        energy = component_energy(executor, now)
        rails = rail_energy(self.device, energy)
        domains = {f"cpu.{c.name}": c.max_opp.frequency for c in self.device.clusters}
        domains |= {a.name: a.max_opp.frequency for a in self.device.accelerators.values()}
        return Outcome(
            device=self.device.name,
            seed=self.seed,
            duration_s=now,
            inferences=self._log(),
            kernels=tuple(self._recorder.records()) if self._recorder else (),
            apps={s.name: s.record() for s in self.streams},
            busy_s=_busy(executor),
            energy_j=energy,
            rails_j=rails,
            meters_j=self.device.metered(rails),
            power=component_power(self.device),
            frequencies=domains | {"dram": self.device.memory.opps[-1].frequency},
            core_names=tuple(c.name for c in self.device.cores),
            frames=tuple(record for d in self._displays for record in d.log.records(now)),
            predictions=tuple(r for log in self._predictions.values() for r in log.records()),
            processes=tuple(self._watch.processes(self._processes)) if self._watch else (),
            spans=tuple(self._watch.spans()) if self._watch else (),
            bursts=tuple(self._watch.bursts(self.device.memory.bandwidth)) if self._watch else (),
        )


def _check(
    apps: Sequence[Application], inferences: Sequence[Inference], duration: float | None, seed: int
) -> None:
    if not apps:
        raise UsageError("a simulation needs at least one application")
    if duration is not None and not 0 < duration < inf:
        raise UsageError(f"duration must be positive, and finite, got {duration!r}")
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed must be a whole number from 0, got {seed!r}")
    if duration is None and (not inferences or any(app.endless for app in inferences)):
        raise UsageError("a simulation needs a duration, or a count in every application")


def _busy(executor: Executor) -> dict[str, float]:
    """Busy time by processor; the CPU's is the mean over its cores, dispatching included."""
    device = executor.device
    busy, dispatching = executor.busy, executor.dispatching
    cores = sum(busy[name] + time for name, time in dispatching.items())
    return {"cpu": cores / len(device.cores)} | {name: busy[name] for name in device.accelerators}
