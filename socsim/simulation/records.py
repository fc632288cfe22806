"""Flat records of a run: what happened, when, in seconds. Tables, traces and plots are made of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from socsim.devices.idle import Rest
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.inferencelog import InferenceLog, InferenceRecord, Inferences
from socsim.simulation.processlog import BurstRecord, ProcessRecord, SpanRecord

__all__ = [
    "AppRecord",
    "Basis",
    "ClockRecord",
    "ComponentPower",
    "EnergyRecord",
    "IdleRecord",
    "KernelRecord",
    "Outcome",
    "PredictionRecord",
    "ReuseRecord",
    "SwitchRecord",
    "TemperatureRecord",
]


class SwitchRecord(NamedTuple):
    """An application goes to another level or place, ahead of an inference."""

    app: str
    number: int
    """The inference that waits for it."""
    start_s: float
    end_s: float
    level: int
    """The one it goes to."""
    place: str
    """Where it goes; ``""`` where there is no manager of the device."""


class ReuseRecord(NamedTuple):
    """What became of one frame of an application with a scene."""

    app: str
    number: int
    changed: float
    """Share of the frame that differs from the one computed last; 1 for the first."""
    reused: str
    """``none``, ``frame`` (the last result was given again) or ``layer`` (only what has changed was recomputed)."""
    computed: float
    """Share of the network's multiply-accumulates that was computed."""
    stale: float
    """Share of the frame that had changed and was not computed: so much of its result is old."""
    shown_s: float
    """Arrival of the frame whose result was given."""


class KernelRecord(NamedTuple):
    """One kernel, or one step of sharing data between processors."""

    app: str
    inference: int
    operator: str
    """The operator that it computes, or for whose input data are shared."""
    kind: str
    """``kernel``, ``transform`` (layout change on an accelerator), ``map``, ``sync``, ``dispatch``, ``call``."""
    kernel_class: str
    """Kernel class of a kernel, else ``""``."""
    processor: str
    """Where it runs; for ``map``, ``sync`` and ``call`` the processor that receives the data."""
    source: str
    """For ``transform``, ``map`` and ``sync`` the processor that the data come from, else ``""``."""
    cores: tuple[int, ...]
    """CPU cores that it keeps busy; ``()`` elsewhere."""
    start_s: float
    end_s: float
    dram_bytes: float
    """DRAM traffic of a kernel; bytes handed over for ``map``; 0 for ``sync``."""
    share: float
    """Share of the operator's output, 1 for a whole one."""


class PredictionRecord(NamedTuple):
    """How far a scheduler's latency predictor was from what kernels of one class took on one processor.

    An error is (predicted - actual) / actual.
    """

    app: str
    predictor: str
    processor: str
    kernel_class: str
    kernels: int
    """How many were compared."""
    absolute: float
    """Sum of the sizes of their errors."""
    signed: float
    """Sum of their errors."""
    close: int
    """How many of their errors are at most 0.1."""


class Basis(NamedTuple):
    """Kernels that rest on one parameter set.

    Parameters
    ----------
    seconds
        Their time alone at the highest clocks, per inference.
    low, high
        Factors of a prediction between which nine in ten measurements are expected; None where nobody compared.
    operators
        How much of that time is whose.
    grade
        Confidence in the set, A to D; ``""`` where it is not known.
    """

    seconds: float
    low: float | None
    high: float | None
    operators: Mapping[str, float]
    grade: str = ""


@dataclass(frozen=True, slots=True)
class AppRecord:
    """What one application ran, and what its plan costs whatever the timing.

    Numbers are per inference; for schedulers that decide at run time they are means.
    """

    app: str
    model: str
    library: str
    scheduler: str
    dtype: str
    operators: int
    unsupported: int
    """Operators that cannot run where the scheduler wanted them."""
    fallbacks: Mapping[str, str]
    """Operator -> why it fell back to the CPU."""
    kernels: float
    transfer_bytes: float
    """Bytes mapped, copied or transformed to change processor."""
    sync_s: float
    peak_memory_bytes: float
    macs: int
    top1: Mapping[int, float] = field(default_factory=dict)
    """Level -> Top-1 accuracy in % of the networks of a family; empty where there is none."""
    top1_drop: float = 0.0
    """Points of Top-1 accuracy that transforms of the network cost; nan where that is not known."""
    drop_source: str = ""
    """Grade and source of that."""
    bases: Mapping[str, Basis] = field(default_factory=dict)
    """Parameter set (``"gpu/fp16/image"``) -> kernels that rest on it, and how far off it is known to be."""


@dataclass(frozen=True, slots=True)
class ComponentPower:
    """Power of a component in W.

    Parameters
    ----------
    idle_w
        Of all of it once it has been idle for long, at the highest clock.
    busy_w
        What a core, or the accelerator, draws at the highest clock beyond what it draws clock-gated.
    busy_w_at
        The same by clock in Hz; empty where there are no clocks.
    gated_w_at
        What a core, or the accelerator, draws clock-gated, by clock in Hz.
    rest
        What idle states save of that; None for components without.
    dispatch_w_at
        As `busy_w_at`, of a core that dispatches or maps; empty where that draws as much.
    """

    idle_w: float
    busy_w: float
    busy_w_at: Mapping[float, float] = field(default_factory=dict)
    gated_w_at: Mapping[float, float] = field(default_factory=dict)
    rest: Rest | None = None
    dispatch_w_at: Mapping[float, float] = field(default_factory=dict)

    def idle_at(self, frequency: float | None) -> float:
        """Power in W of all of it once it has been idle for long, at a clock in Hz; None for the highest."""
        if frequency is None or frequency not in self.gated_w_at:
            return self.idle_w
        return self.gated_w_at[frequency] * (self.rest.count * self.rest.share if self.rest else 1.0)


class EnergyRecord(NamedTuple):
    """What an application has made a component draw beyond its idle power."""

    app: str
    """``idle`` for what nobody has caused."""
    kind: str
    """``inference``, ``competitor``, ``video``, ``ui`` or ``replay``; ``idle`` for what nobody has caused."""
    component: str
    energy_j: float
    busy_s: float
    """Time for which it had the component; of a cluster, the cores in sum."""


class IdleRecord(NamedTuple):
    """How long the cores of a cluster, or all of it, were in an idle state."""

    cluster: str
    state: str
    scope: str
    """``core`` or ``cluster``."""
    units: int
    """How many there are of that: cores of the cluster, or 1."""
    time_s: float
    """In sum over the units."""
    entries: int
    """How often one was in it; also those under way when the run began or ended."""


class TemperatureRecord(NamedTuple):
    """A thermal zone was read."""

    time_s: float
    zone: str
    temperature_c: float


class ClockRecord(NamedTuple):
    """A clock domain runs at a clock in Hz from an instant on."""

    start_s: float
    domain: str
    frequency_hz: float


@dataclass(frozen=True)
class Outcome:
    """Everything that a run recorded.

    Parameters
    ----------
    device, seed
        Device name and seed of the run.
    duration_s
        Simulated time.
    inferences, kernels
        Records, `inferences` by application in order of ending, then those under way, then those that wait; `kernels`
        is empty unless they were asked for.
    frames
        Frames of videos and user interfaces, application by application.
    apps
        By application name.
    busy_s
        Busy time by processor (``cpu``: mean over its cores; accelerators: while a kernel runs).
    energy_j
        By component: ``cpu.<cluster>``, accelerator names, ``dram``, ``board``. Sums to the whole device's.
    rails_j
        By meter rail; sums to the same.
    meters_j
        By meter that sees several rails.
    used
        What each application made each component draw beyond its idle power, and what nobody caused; sums to
        `energy_j`.
    idle
        How long cores and clusters were in idle states.
    rails, meters
        Components of each rail, and rails of each meter.
    power
        By component, to draw power over time from kernel records.
    frequencies
        Clock by domain (``cpu.<cluster>``, accelerators, ``dram``), Hz, at the end of the run.
    core_names
        Cluster name of each core.
    predictions
        Predicted against actual times by application, processor and kernel class.
    clocks
        Every change of a clock, and the clocks at the beginning, in order of time.
    temperatures
        Readings of the thermal zones, in order of time; empty without heat.
    switches
        Every change of level or place, in order of applications and time.
    reuse
        What became of each frame, of applications with a scene.
    processes, spans, dispatches, bursts
        Where kernels were asked for: busy times by process and processor, times on cores of processes that are no
        inferences, and of threads that dispatch or map for inferences, and what every process asked for and when.
    """

    device: str
    seed: int
    duration_s: float
    inferences: Sequence[InferenceRecord]
    kernels: tuple[KernelRecord, ...]
    apps: Mapping[str, AppRecord]
    busy_s: Mapping[str, float]
    energy_j: Mapping[str, float]
    rails_j: Mapping[str, float]
    meters_j: Mapping[str, float] = field(default_factory=dict)
    power: Mapping[str, ComponentPower] = field(default_factory=dict)
    frequencies: Mapping[str, float] = field(default_factory=dict)
    core_names: tuple[str, ...] = ()
    frames: Sequence[FrameRecord] = ()
    predictions: tuple[PredictionRecord, ...] = ()
    processes: tuple[ProcessRecord, ...] = ()
    spans: tuple[SpanRecord, ...] = ()
    dispatches: tuple[SpanRecord, ...] = ()
    bursts: tuple[BurstRecord, ...] = ()
    clocks: tuple[ClockRecord, ...] = ()
    temperatures: tuple[TemperatureRecord, ...] = ()
    switches: tuple[SwitchRecord, ...] = ()
    used: tuple[EnergyRecord, ...] = ()
    idle: tuple[IdleRecord, ...] = ()
    rails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    meters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reuse: tuple[ReuseRecord, ...] = ()

    def inferences_of(self, app: str) -> Inferences:
        """An application's inferences as arrays."""
        log = self.inferences
        return (log if isinstance(log, InferenceLog) else InferenceLog(log)).of(app)
