"""What a device file may say, block by block, and the rules that hold inside a block.

Rules between blocks are in :mod:`socsim.devices.crosscheck`, grades and sources in
:mod:`socsim.devices.provenance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from socsim import units
from socsim.devices.cfs import CfsParameters, PlacementPolicy
from socsim.devices.library_spec import LibrarySpec
from socsim.devices.spec_fields import (
    AcceleratorName,
    Bandwidth,
    Count,
    DType,
    DynamicPower,
    EnergyPerByte,
    Floor,
    Frequency,
    Interval,
    Leakage,
    Name,
    Positive,
    PositiveShare,
    Power,
    Share,
    Size,
    Text,
    Time,
    TimePerByte,
    Voltage,
    quantity,
)
from socsim.devices.thermal_spec import ThermalSpec
from socsim.yamlfile import Loc, RelativeFaults

__all__ = [
    "AcceleratorSpec",
    "ClusterSpec",
    "CopyingSpec",
    "DeviceSpec",
    "IdleStateSpec",
    "MemoryOppSpec",
    "MemorySpec",
    "OppSpec",
    "OsSpec",
    "PowerModeSpec",
    "PowerModesSpec",
    "PowerSpec",
    "SharingSpec",
    "SyncSpec",
]


_VOLTAGE_SLIP = 0.0101
"""Share by which a voltage may be below a slower point's: the device tree of an Exynos 5422 has 1250 mV at 1.7 GHz and
1237.5 mV at 1.8 GHz."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OppSpec(_Block):
    """An operating point of a core cluster or an accelerator."""

    freq: Frequency
    voltage: Voltage | None = None
    dram_floor: Floor = 0.0
    l3_floor: Floor = 0.0


class PowerSpec(_Block):
    """``P = coefficient f V^2 activity + leakage V`` busy, ``idle V / idle_voltage`` otherwise."""

    coefficient: DynamicPower
    leakage: Leakage = 0.0
    idle: Power = 0.0
    activity: Positive = 1.0
    idle_voltage: Voltage | None = None


class IdleStateSpec(_Block):
    """An idle state of a core or its cluster."""

    name: Text
    entry: Time
    exit: Time
    min_residency: Time
    scope: Literal["core", "cluster"] = "core"
    share: Share | None = None
    power: Power | None = None

    @model_validator(mode="after")
    def _once(self) -> IdleStateSpec:
        if self.share is not None and self.power is not None:
            raise ValueError("expected power or share of the idle power, not both")
        return self

    def share_of(self, idle: float) -> float | None:
        """Share of the `idle` W of clock-gated cores that is drawn in it; None where the file does not tell."""
        if self.power is None:
            return self.share
        if not idle:
            return inf if self.power else 0.0
        return self.power / idle


class _Unit(_Block):
    """What clusters and accelerators have in common."""

    opps: Annotated[list[OppSpec], Field(min_length=1)]
    macs_per_cycle: Annotated[dict[DType, Positive], Field(min_length=1)]
    bandwidth: Bandwidth
    power: PowerSpec
    transition_latency: Time = 0.0
    transition_stall: Time = 0.0

    @model_validator(mode="after")
    def _opps(self) -> _Unit:
        _refuse(
            *_not_rising(self.opps, "freq"),
            *_falling_voltage(self.opps),
            *_no_voltage(self.opps, self.power),
            *_long_stall(self),
        )
        return self


class ClusterSpec(_Unit):
    """CPU cores that share a clock."""

    name: Name
    core: Text
    count: Count
    capacity: Annotated[float, quantity("ratio"), Field(gt=0, le=1024)]
    idle_states: list[IdleStateSpec] = []

    @model_validator(mode="after")
    def _fp32(self) -> ClusterSpec:
        if "fp32" not in self.macs_per_cycle:
            raise RelativeFaults([(("macs_per_cycle", "fp32"), "is required for CPU cores")])
        return self

    @model_validator(mode="after")
    def _idle_powers(self) -> ClusterSpec:
        _refuse(*_not_falling(self))
        return self

    def idle_shares(self) -> list[float]:
        """What is drawn in each idle state of what clock-gated cores draw; where untold, as in the state before it."""
        found = [1.0] * len(self.idle_states)
        share = 1.0
        for index in self.deeper_and_deeper():
            state = self.idle_states[index]
            told = state.share_of(self.power.idle * (self.count if state.scope == "cluster" else 1))
            found[index] = share = share if told is None else told
        return found

    def deeper_and_deeper(self) -> list[int]:
        """Indices of the idle states: those of cores, then those of the cluster, by least residency."""
        states = self.idle_states
        return sorted(
            range(len(states)), key=lambda i: (states[i].scope == "cluster", states[i].min_residency)
        )


class AcceleratorSpec(_Unit):
    """A GPU, DSP or NPU."""

    model: Text
    layouts: Annotated[list[Literal["image", "buffer"]], Field(min_length=1)] = ["buffer"]
    call_latency: Time = 0.0
    poll: bool = False
    suspend_after: Interval | None = None
    local_memory: Size | None = None

    @model_validator(mode="after")
    def _layouts(self) -> AcceleratorSpec:
        _refuse(*_repeated(self.layouts, "layouts"))
        return self


class MemoryOppSpec(_Block):
    """A DRAM clock and the peak bandwidth that it gives."""

    freq: Frequency
    bandwidth: Bandwidth


class MemorySpec(_Block):
    """DRAM."""

    opps: Annotated[list[MemoryOppSpec], Field(min_length=1)]
    efficiency: PositiveShare
    energy_per_byte: EnergyPerByte
    background_power: Power = 0.0
    capacity: Size | None = None
    transition_latency: Time = 0.0
    transition_stall: Time = 0.0

    @model_validator(mode="after")
    def _opps(self) -> MemorySpec:
        _refuse(
            *_not_rising(self.opps, "freq"),
            *_not_rising(self.opps, "bandwidth"),
            *_long_stall(self),
        )
        return self


class SyncSpec(_Block):
    """Distribution of the time until one processor sees that another has finished."""

    mean: Time
    sd: Time = 0.0
    low: Time | None = None
    high: Time | None = None

    @model_validator(mode="after")
    def _order(self) -> SyncSpec:
        if self.sd and (self.low is None or self.high is None):
            raise ValueError("a sync time with an sd needs low and high")
        low, high = self.bounds
        if not low <= self.mean <= high:
            shown = [units.format(value, "time") for value in (low, self.mean, high)]
            raise ValueError(f"expected low <= mean <= high, got {', '.join(shown)}")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest time; the mean where the file does not tell."""
        return (
            self.mean if self.low is None else self.low,
            self.mean if self.high is None else self.high,
        )


class CopyingSpec(_Block):
    """What a library pays that copies tensors, their change of layout included: ``fixed + per_byte x size``."""

    fixed: Time
    per_byte: TimePerByte


class SharingSpec(_Block):
    """What the CPU and one accelerator pay to share a tensor."""

    map_per_byte: TimePerByte
    transform_per_byte: TimePerByte
    sync: SyncSpec
    post_sync: Time = 0.0
    unmap: Time = 0.0
    copy_per_byte: TimePerByte = 0.0
    copied: CopyingSpec | None = None


class OsSpec(_Block):
    """Settings of the kernel's scheduler; fields as of :class:`socsim.devices.cfs.CfsParameters`.

    `cpusets` are named sets of cores in the notation of :meth:`socsim.devices.device.Device.parse_cores`.
    """

    latency: Interval = CfsParameters().latency
    min_granularity: Interval = CfsParameters().min_granularity
    wakeup_granularity: Time = CfsParameters().wakeup_granularity
    tick: Interval = CfsParameters().tick
    balance_period: Interval = CfsParameters().balance_period
    placement: PlacementPolicy = CfsParameters().placement
    cpusets: dict[Text, Text] = {}


class PowerModeSpec(_Block):
    """Cores that are online, by cluster, and bounds of clocks: ``cpu``, clusters, accelerators, ``dram``."""

    cores: Annotated[dict[Name, Count], Field(min_length=1)]
    caps: dict[Name, Frequency] = {}
    floors: dict[Name, Frequency] = {}


class PowerModesSpec(_Block):
    """Settings among which the board's software chooses, and the one that holds unless told otherwise."""

    default: Text
    modes: Annotated[dict[Text, PowerModeSpec], Field(min_length=1)]


class DeviceSpec(_Block):
    """A whole device."""

    title: Text
    soc: Text
    clusters: Annotated[list[ClusterSpec], Field(min_length=1)]
    memory: MemorySpec
    cpu_bandwidth: Bandwidth
    board_power: Power
    rails: dict[Name, list[Text]]
    meters: dict[Name, list[Text]] = {}
    power_modes: PowerModesSpec | None = None
    accelerators: dict[AcceleratorName, AcceleratorSpec] = {}
    sharing: dict[AcceleratorName, SharingSpec] = {}
    thermal: ThermalSpec | None = None
    os: OsSpec = OsSpec()
    calibration: dict[Name, LibrarySpec] = {}
    sources: dict[Text, Text] = {}
    extends: Any = None


def _refuse(*faults: tuple[Loc, str]) -> None:
    if faults:
        raise RelativeFaults(faults)


def _not_rising(opps: Sequence[Any], name: str) -> Iterable[tuple[Loc, str]]:
    """A fault for each operating point whose `name` is not above that of the one before."""
    dimension = "frequency" if name == "freq" else name
    for index, (before, after) in enumerate(pairwise(getattr(opp, name) for opp in opps), start=1):
        if after <= before:
            got = f"{units.format(after, dimension)} after {units.format(before, dimension)}"
            yield ("opps", index, name), f"must rise from point to point, got {got}"


def _falling_voltage(opps: Sequence[OppSpec]) -> Iterable[tuple[Loc, str]]:
    """A fault for each operating point with clearly less voltage than a slower one."""
    highest = 0.0
    for index, voltage in enumerate(opp.voltage for opp in opps):
        if voltage is None:
            continue
        if voltage < highest * (1.0 - _VOLTAGE_SLIP):
            got = f"{units.format(voltage, 'voltage')} after {units.format(highest, 'voltage')}"
            yield ("opps", index, "voltage"), f"must not fall as the frequency rises, got {got}"
        highest = max(highest, voltage)


def _not_falling(cluster: ClusterSpec) -> Iterable[tuple[Loc, str]]:
    """A fault for each idle state that draws more than clock-gated cores, or than a state that is less deep."""
    shares, before = cluster.idle_shares(), 1.0
    for index in cluster.deeper_and_deeper():
        share, state = shares[index], cluster.idle_states[index]
        if share > before * (1 + 1e-9):
            key = "share" if state.power is None else "power"
            idle = cluster.power.idle * (cluster.count if state.scope == "cluster" else 1)
            limit = units.format(before * idle, "power")
            got = units.format(share * idle if state.power is None else state.power, "power")
            message = f"must not be more than what is drawn before the state is entered, {limit}; got {got}"
            yield ("idle_states", index, key), message
        before = min(before, share)


def _no_voltage(opps: Sequence[OppSpec], power: PowerSpec) -> Iterable[tuple[Loc, str]]:
    """A fault for each point without a voltage where the power model needs one."""
    if power.coefficient or power.leakage or power.idle_voltage:
        for index, opp in enumerate(opps):
            if opp.voltage is None:
                yield ("opps", index, "voltage"), "is required by the power model"


def _long_stall(unit: _Unit | MemorySpec) -> Iterable[tuple[Loc, str]]:
    """A fault where nothing runs for longer than a change of the clock takes."""
    if unit.transition_stall > unit.transition_latency:
        stall, latency = (units.format(t, "time") for t in (unit.transition_stall, unit.transition_latency))
        message = f"is the last part of transition_latency, so {latency} at most, got {stall}"
        yield ("transition_stall",), message


def _repeated(items: Sequence[str], name: str) -> Iterable[tuple[Loc, str]]:
    for index, item in enumerate(items):
        if item in items[:index]:
            yield (name, index), f"{item!r} is listed twice"
