"""Wires applications to a device and runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

import numpy as np
import simpy
from simpy.core import EmptySchedule
from simpy.events import AllOf

from socsim.devices.device import Device
from socsim.errors import SimulationError, UsageError
from socsim.schedulers.managers import make_device_manager
from socsim.schedulers.managers.device import Rehearsal, Setting
from socsim.schedulers.managers.pinned import Pinned
from socsim.simulation.clocks import Clocks
from socsim.simulation.costing import CostTable
from socsim.simulation.delay import Delay
from socsim.simulation.display import Display
from socsim.simulation.energy import EnergyMeter, component_power, rail_energy
from socsim.simulation.executor import Executor
from socsim.simulation.governing import (
    NO_GOVERNORS,
    governors_by_domain,
    set_limits,
    start_governors,
    wants_utilisation,
)
from socsim.simulation.heating import Heating
from socsim.simulation.inferencelog import InferenceLog
from socsim.simulation.instruments import KernelRecorder
from socsim.simulation.invariants import (
    check_busy,
    check_energy,
    check_frames,
    check_inferences,
    check_processes,
    check_spans,
)
from socsim.simulation.levels import LevelStream
from socsim.simulation.managedview import DeviceView
from socsim.simulation.managing import Managing, known_events
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.mode_changes import device_for, start_modes
from socsim.simulation.processlog import ProcessLog
from socsim.simulation.processnames import ProcessNames
from socsim.simulation.records import IdleRecord, Outcome
from socsim.simulation.rehearsing import copied, rehearsal_of
from socsim.simulation.replayer import Replayer
from socsim.simulation.reusing import reuse_records
from socsim.simulation.rival import start_competitor
from socsim.simulation.run import Run
from socsim.simulation.setups import Setups
from socsim.simulation.streammaker import StreamMaker
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import FrameApp
from socsim.workloads.mode_schedule import ModeChange
from socsim.workloads.replays import Replay
from socsim.workloads.stages import application_names, check_stages

__all__ = ["Simulation"]

_COMPETITORS = 2
"""Tells generators of competitors from those of streams."""

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
    governors
        Who sets the clock of which domain, as in :func:`socsim.simulation.governing.governors_by_domain`; clocks of
        other domains are the highest allowed, and DRAM follows their votes if there are any governors.
    limits
        Clock domain -> ``{"min": Hz, "max": Hz}``, either of which may be missing.
    heat
        Whether the device warms up and its thermal governors act (default: not); a number is the temperature in
        degrees Celsius of all of it at the beginning, which by default is that of the idle device.
    power_modes
        Power modes that are set in the course of the run, in order of time; see
        :func:`socsim.workloads.mode_schedule.make_mode_schedule`.
    manager
        Who settles levels, places and clocks for the whole device, as in
        :func:`socsim.schedulers.managers.make_device_manager`; None for nobody. It has to do with all inference
        applications whose schedulers plan and that have no manager of their own.
    setups
        What it shares with other runs of the process; default nothing.

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
        governors: Mapping[str, Any] = NO_GOVERNORS,
        limits: Mapping[str, Mapping[str, float]] = NO_GOVERNORS,
        heat: bool | float = False,
        power_modes: Sequence[ModeChange] = (),
        manager: Any = None,
        setups: Setups | None = None,
    ) -> None:
        inferences = [app for app in apps if isinstance(app, Inference)]
        _check(apps, inferences, duration, seed)
        device = device_for(device, power_modes)
        self.device, self.duration, self.seed = device, duration, seed
        self.env = simpy.Environment()
        self._recorder = KernelRecorder() if kernels else None
        self._watch = ProcessLog(self.env) if kernels else None
        self.governors = governors_by_domain(device, governors)
        """Who sets the clock of which domain."""
        self.executor = Executor(
            self.env, device, stepwise=stepwise, on_run=self._note, mechanisms=mechanisms,
            tracked=any(wants_utilisation(governor) for governor in self.governors.values()),
        )  # fmt: skip
        self.clocks = Clocks(self.executor)
        self._meter = EnergyMeter(self.executor, self.clocks)
        if self._watch is not None:
            self.executor.cores.new_thread = self._watch.thread
        names = application_names(inferences)
        check_stages(names, [app.stage for app in inferences])
        self.manager = None if manager is None else make_device_manager(manager)
        """Who settles levels, places and clocks."""
        maker = StreamMaker(self.executor, seed=seed, noise=noise, managed=manager is not None, setups=setups)
        self._predictions, self._dispatchers = maker.predictions, maker.dispatchers
        self.streams = maker.make(inferences, names)
        self._names = ProcessNames(names)
        self._add_others(apps)
        start_modes(self.clocks, power_modes)
        set_limits(self.clocks, limits)
        if self.manager is not None:
            again = partial(
                _rehearsed, device, apps, duration, seed=seed, noise=noise, stepwise=stepwise, mechanisms=mechanisms,
                governors=governors, limits=limits, heat=heat, power_modes=power_modes,
                setups=setups,
            )  # fmt: skip
            table = CostTable(device, mechanisms, self.clocks)
            events = known_events(apps, duration, (change.at for change in power_modes))
            view = DeviceView(maker.managed, self.clocks, table, events, again)
            Managing(self.manager, view, self.clocks).start()
        start_governors(self.env, self.executor, self.clocks, self.governors)
        self._heating = None
        if heat is not False:
            self._heating = Heating(self.executor, self.clocks, self._meter, None if heat is True else heat)
            self._heating.start()
        self._outcome: Outcome | None = None

    def _add_others(self, apps: Sequence[Application]) -> None:
        """Make all that runs beside inferences."""
        self._displays = [
            Display(self.executor, app, self._names.add(app.title, app.title, app.kind))
            for app in apps
            if isinstance(app, FrameApp)
        ]
        self._competitors = [
            (app, [self._names.add(process, app.name, "competitor") for process in app.processes])
            for app in apps
            if isinstance(app, Competitor)
        ]
        self._replays = [Replayer(self.executor, app) for app in apps if isinstance(app, Replay)]

    def run(self) -> Outcome:
        """Run to the end, once; later calls return the same outcome."""
        if self._outcome is None:
            self._start()
            self._pass_time()
            self.executor.close()
            if self._watch is not None:
                self._watch.close(self.executor)
            self._outcome = self._conclude()
        return self._outcome

    def _start(self) -> None:
        """Everything begins, in the order in which simultaneous events come."""
        for number, (competitor, names) in enumerate(self._competitors):
            rng = np.random.default_rng([self.seed, number, _COMPETITORS])
            start_competitor(self.executor, competitor, rng, names)
        for replayer in self._replays:
            title = replayer.replay.name
            replayer.start({p: self._names.add(p, title, "replay") for p in replayer.processes})
        for dispatcher in self._dispatchers.values():
            dispatcher.start()
        for display in self._displays:
            display.start()
        for stream in self.streams:
            stream.start()

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
        energy = self._meter.energy()
        rails = rail_energy(self.device, energy)
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
            used=tuple(self._meter.used(self._names.processes)),
            idle=_idle(executor),
            rails=dict(self.device.rails),
            meters=dict(self.device.meters),
            power=component_power(self.device),
            frequencies={name: domain.frequency for name, domain in self.clocks.domains.items()},
            clocks=tuple(self.clocks.records),
            temperatures=tuple(self._heating.records) if self._heating else (),
            core_names=tuple(c.name for c in self.device.cores),
            frames=tuple(record for d in self._displays for record in d.log.records(now)),
            predictions=tuple(r for log in self._predictions.values() for r in log.records()),
            processes=tuple(self._watch.processes(self._names.processes)) if self._watch else (),
            spans=tuple(self._watch.spans()) if self._watch else (),
            dispatches=tuple(self._watch.spans("host")) if self._watch else (),
            switches=tuple(r for s in self.streams if isinstance(s, LevelStream) for r in s.switches),
            reuse=reuse_records([s.reusing for s in self.streams]),
            bursts=tuple(self._watch.bursts(self.device.memory.bandwidth)) if self._watch else (),
        )


def _rehearsed(
    device: Device,
    apps: Sequence[Application],
    duration: float | None,
    settings: Sequence[tuple[float, Setting]],
    until: float | None,
    **options: Any,
) -> Rehearsal:
    """The same run under other settings, until an instant in s or its own end."""
    ends = [end for end in (duration, until) if end is not None]
    manager = Pinned(settings=settings)
    run = Simulation(device, copied(apps), duration=min(ends, default=None), manager=manager, **options)
    return rehearsal_of(run.run())


def _check(
    apps: Sequence[Application], inferences: Sequence[Inference], duration: float | None, seed: int
) -> None:
    if not apps:
        raise UsageError("a simulation needs at least one application")
    if any(app.transforms for app in inferences):
        raise UsageError("a simulation takes networks after their transforms; socsim.load_model applies them")
    if duration is not None and not 0 < duration < inf:
        raise UsageError(f"duration must be positive, and finite, got {duration!r}")
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed must be a whole number from 0, got {seed!r}")
    if duration is None and (not inferences or any(app.endless for app in inferences)):
        raise UsageError("a simulation needs a duration, or a count in every application")


def _idle(executor: Executor) -> tuple[IdleRecord, ...]:
    """How long cores and clusters were in each of their idle states."""
    return tuple(
        IdleRecord(c.name, state.name, state.scope, c.count if state.scope == "core" else 1, time, entries)
        for slot, c in enumerate(executor.device.clusters)
        for state, time, entries in executor.cores.idle.spent(slot)
    )


def _busy(executor: Executor) -> dict[str, float]:
    """Busy time by processor; the CPU's is the mean over its cores, dispatching included."""
    device = executor.device
    busy, dispatching = executor.busy, executor.dispatching
    cores = sum(busy[name] + time for name, time in dispatching.items())
    return {"cpu": cores / len(device.cores)} | {name: busy[name] for name in device.accelerators}
