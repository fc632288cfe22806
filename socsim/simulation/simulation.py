"""Wires applications to a device and runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf, isclose

import numpy as np
import simpy
from simpy.events import AllOf

from socsim.devices.device import Device
from socsim.errors import PlanError, SimulationError, UsageError
from socsim.schedulers.base import OnlineScheduler, StaticScheduler
from socsim.schedulers.guard import blamed, check_decision_time
from socsim.schedulers.predictors import make_predictor
from socsim.schedulers.registry import make_scheduler
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View
from socsim.simulation.energy import component_energy, component_power, rail_energy
from socsim.simulation.executor import Executor
from socsim.simulation.instruments import KernelRecorder
from socsim.simulation.lowering import lower_plan
from socsim.simulation.online import OnlineStream
from socsim.simulation.records import InferenceLog, Outcome
from socsim.simulation.stream import Noise, StaticStream, Stream
from socsim.workloads.apps import Inference
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.units import cut

__all__ = ["Simulation"]


class Simulation:
    """One run of some applications on one device.

    Parameters
    ----------
    device
        What they run on.
    apps
        Applications whose ``model`` is a network.
    duration
        Simulated time in s; None runs until every inference has finished, which needs a ``count`` in each application.
    seed
        Seed of all random draws; only used with `noise`.
    noise
        Draw run-to-run spread and synchronisation times instead of their means.
    kernels
        Keep a record of every kernel.
    stepwise
        One event per kernel, for checking: same results, slower.

    Raises
    ------
    UsageError
        No applications, no end, or a duration that is not positive.
    """

    def __init__(
        self,
        device: Device,
        apps: Sequence[Inference],
        *,
        duration: float | None = None,
        seed: int = 0,
        noise: bool = False,
        kernels: bool = False,
        stepwise: bool = False,
    ) -> None:
        _check(apps, duration, seed)
        self.device, self.duration, self.seed, self.noise = device, duration, seed, noise
        self.env = simpy.Environment()
        self._recorder = KernelRecorder() if kernels else None
        on_run = self._recorder.record if self._recorder else None
        self.executor = Executor(self.env, device, stepwise=stepwise, on_run=on_run)
        names = _names(apps)
        self.streams = [
            self._stream(app, name, i) for i, (app, name) in enumerate(zip(apps, names, strict=True))
        ]
        self._outcome: Outcome | None = None

    def run(self) -> Outcome:
        """Run to the end, once; later calls return the same outcome."""
        if self._outcome is None:
            for stream in self.streams:
                stream.start()
            self._pass_time()
            self.executor.close()
            self._outcome = self._conclude()
        return self._outcome

    def validate(self) -> None:
        """Check the invariants of a finished run.

        Raises
        ------
        SimulationError
            Inferences lost, a processor busier than time allows, negative times, or energies that do not add up.
        """
        outcome = self.run()
        arrived = sum(stream.arrived for stream in self.streams)
        if arrived != len(outcome.inferences):
            raise SimulationError(
                f"{arrived} inferences arrived but {len(outcome.inferences)} are accounted for"
            )
        for record in outcome.inferences:
            if record.status == "finished" and not record.arrival_s <= record.start_s <= record.finish_s:
                raise SimulationError(f"inference out of order in time: {record}")
        for name, busy in outcome.busy_s.items():
            if not -1e-9 <= busy <= outcome.duration_s * (1 + 1e-9) + 1e-12:
                raise SimulationError(f"{name!r} was busy {busy} s of {outcome.duration_s} s")
        total, rails = sum(outcome.energy_j.values()), sum(outcome.rails_j.values())
        if min(outcome.energy_j.values()) < 0.0 or not isclose(total, rails, rel_tol=1e-9, abs_tol=1e-12):
            raise SimulationError(f"components use {total} J but rails meter {rails} J")

    def _stream(self, app: Inference, name: str, number: int) -> Stream:
        if not isinstance(app.model, ModelGraph):
            raise UsageError(f"application {name!r}: load the network first, got {app.model!r}")
        pricer = Pricer(self.device, load_library(app.library), app.model, app.dtype, app.cores)
        scheduler = make_scheduler(app.scheduler)
        check_decision_time(scheduler.title, scheduler.decision_time)
        noise = Noise(np.random.default_rng([self.seed, number]), pricer) if self.noise else None
        if isinstance(scheduler, OnlineScheduler):
            return self._online(app, name, pricer, scheduler, noise)
        if isinstance(scheduler, StaticScheduler):
            return self._static(app, name, pricer, scheduler, noise)
        raise UsageError(
            f"a scheduler must be a StaticScheduler or an OnlineScheduler, got {type(scheduler).__name__}"
        )

    def _static(
        self, app: Inference, name: str, pricer: Pricer, scheduler: StaticScheduler, noise: Noise | None
    ) -> Stream:
        view = View(pricer, make_predictor(scheduler.predictor, pricer))
        with blamed(scheduler, "plan", pricer.graph.name):
            raw = scheduler.plan(pricer.graph, view)
        plan = resolve(raw, pricer)
        graph = lower_plan(pricer, plan, decision_time=scheduler.decision_time)
        return StaticStream(
            self.executor,
            app,
            name,
            pricer,
            scheduler,
            noise,
            graph=graph,
            fallbacks=dict(plan.fallbacks),
            processors=plan.processors(),
        )

    def _online(
        self, app: Inference, name: str, pricer: Pricer, scheduler: OnlineScheduler, noise: Noise | None
    ) -> Stream:
        def support(op: Operator) -> tuple[str, ...]:
            return tuple(p for p in pricer.peers if pricer.obstacle(op, p) is None)

        units = cut(pricer.graph, scheduler.granularity, support)
        homeless = next((unit for unit in units if not unit.processors), None)
        if homeless:
            raise PlanError(
                f"no processor supports all of a job of {name!r}: {', '.join(map(repr, homeless.operators))}"
            )
        predictor = make_predictor(scheduler.predictor, pricer)
        return OnlineStream(
            self.executor, app, name, pricer, scheduler, noise, units=units, predictor=predictor
        )

    def _pass_time(self) -> None:
        """Run until the limit, or until the last inference has finished."""
        if self.duration is not None:
            self.env.run(until=self.duration)
            return
        complete = AllOf(self.env, [stream.complete for stream in self.streams])
        while not complete.triggered:
            if self.env.peek() == inf:
                stuck = next(stream for stream in self.streams if not stream.complete.triggered)
                left = len(stuck.unfinished())
                raise SimulationError(
                    f"scheduler {stuck.scheduler.title!r} left {left} inference{'s' * (left != 1)} of "
                    f"{stuck.name!r} unfinished: it never assigned all ready jobs"
                )
            self.env.step()

    def _log(self) -> InferenceLog:
        """All inferences: application by application, finished ones first."""
        log = self.streams[0].log
        log.extend(self.streams[0].unfinished())
        for stream in self.streams[1:]:
            log.extend(stream.log)
            log.extend(stream.unfinished())
        return log

    def _conclude(self) -> Outcome:
        executor, now = self.executor, float(self.env.now)
        energy = component_energy(executor, now)
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
            rails_j=rail_energy(self.device, energy),
            power=component_power(self.device),
            frequencies=domains | {"dram": self.device.memory.opps[-1].frequency},
            core_names=tuple(c.name for c in self.device.cores),
        )


def _check(apps: Sequence[Inference], duration: float | None, seed: int) -> None:
    if not apps:
        raise UsageError("a simulation needs at least one application")
    if duration is not None and not 0 < duration < inf:
        raise UsageError(f"duration must be positive, and finite, got {duration!r}")
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed must be a whole number from 0, got {seed!r}")
    endless = [app for app in apps if app.count is None]
    if duration is None and endless:
        raise UsageError("a simulation needs a duration, or a count in every application")


def _names(apps: Sequence[Inference]) -> list[str]:
    """Unique names: the given ones, else the networks' with a number where needed."""
    given = Counter(app.name for app in apps if app.name)
    twice = next((name for name, count in given.items() if count > 1), None)
    if twice:
        raise UsageError(f"{given[twice]} applications are named {twice!r}; give each a name of its own")
    wanted = [app.name or getattr(app.model, "name", str(app.model)) for app in apps]
    counts, names = Counter(wanted), list[str]()
    for name in wanted:
        unique, number = name, 1
        while counts[name] > 1 and (unique in counts or unique in names):
            unique, number = f"{name}-{number}", number + 1
        names.append(unique)
    return names


def _busy(executor: Executor) -> dict[str, float]:
    """Busy time by processor; the CPU's is the mean over its cores, dispatching included."""
    device = executor.device
    busy, dispatching = executor.busy, executor.dispatching
    cores = sum(busy[name] + time for name, time in dispatching.items())
    return {"cpu": cores / len(device.cores)} | {name: busy[name] for name in device.accelerators}
