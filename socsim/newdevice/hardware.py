"""A specification as the blocks of a device file: what it does not tell is taken from the nearest known hardware."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from socsim import units
from socsim.devices.device import Accelerator, Cluster, Copying, Device, Opp, Sharing
from socsim.devices.profile import device_names
from socsim.errors import UsageError
from socsim.newdevice.cores import distance
from socsim.newdevice.donors import FAMILY, core_of, gpu_maker, whole
from socsim.newdevice.gpus import Family, family_of, model_title
from socsim.newdevice.specification import MEMORIES, CoreGroup, Gpu, Specification

__all__ = ["Taken", "hardware"]

Block = dict[str, Any]

_BOARD = "1 W"
_EFFICIENCY = 0.85
"""Share of the DRAM's peak that can be reached: an Adreno 640 reaches 0.89 (microsoft/ArchProbe), others less."""

_CPU_SHARE = 0.55
"""Share of it that the CPU reaches, by judgement, as the profiles that ship have it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A part of the hardware, and where what is not told of it is from."""

    part: str
    origin: str
    model: str


def hardware(spec: Specification, exclude: Collection[str] = ()) -> tuple[Block, list[Taken]]:
    """Blocks of a device file, and what they were taken from.

    Parameters
    ----------
    spec
        What is told.
    exclude
        Names of devices from which nothing is taken.
    """
    devices = [whole(name) for name in device_names() if name not in exclude]
    if not devices or (spec.gpu is not None and not any("gpu" in d.accelerators for d in devices)):
        what = "the GPU" if devices else "the cores"
        raise UsageError(
            f"nothing is left that what is not told of {what} could be taken from; exclude fewer devices"
        )
    notes: list[Taken] = []
    blocks: Block = {"title": spec.title, "soc": spec.soc, "sources": _sources()}
    blocks["clusters"] = [_cluster(spec, name, group, devices, notes) for name, group in spec.named]
    blocks["cpu_bandwidth"] = _estimate(_rate(spec.memory.bandwidth * _CPU_SHARE), "share of the DRAM's peak")
    if spec.gpu is not None:
        model, device = _nearest_gpu(spec.gpu, devices)
        notes.append(Taken("gpu", device.name, model.model))
        blocks["accelerators"] = {"gpu": _gpu(spec, spec.gpu, model, device.name)}
        blocks["sharing"] = {"gpu": _sharing(device.sharing[model.name], device.name)}
    blocks["memory"] = _memory(spec)
    blocks["board_power"] = _estimate(_BOARD, "a phone with its screen on, or a board")
    blocks["os"] = _os(sum(group.count for group in spec.cpu))
    parts = [*(f"cpu.{name}" for name, _ in spec.named), *(["gpu"] if spec.gpu else []), "dram", "board"]
    blocks["rails"] = {"battery": parts}
    return blocks, notes


def _sources() -> Block:
    return {
        "specification": "public specifications, as they were given",
        FAMILY: "socsim new-device: as on the nearest device whose profile ships with socsim",
        "estimate": "judgement, not verified",
    }


def _told(value: str | float) -> Block:
    return {"value": value, "grade": "A", "source": "specification"}


def _estimate(value: str | float, why: str) -> Block:
    return {"value": value, "grade": "D", "source": f"estimate: {why}"}


def _rate(value: float) -> str:
    return units.format(value, "bandwidth")


def _clusters(devices: list[Device]) -> Iterator[tuple[Device, Cluster]]:
    for device in devices:
        for cluster in device.clusters:
            yield device, cluster


def _cluster(
    spec: Specification, name: str, group: CoreGroup, devices: list[Device], notes: list[Taken]
) -> Block:
    core = group.type
    maker = family_of(spec.gpu.model).maker if spec.gpu else ""

    def apart(pair: tuple[Device, Cluster]) -> tuple[float, bool, float, str]:
        device, cluster = pair
        clocks = abs(cluster.max_opp.frequency / group.clock - 1)
        return distance(core, core_of(cluster)), gpu_maker(device) != maker, clocks, device.name

    device, near = min(_clusters(devices), key=apart)
    notes.append(Taken(f"cpu.{name}", f"{device.name}, {near.name}", near.core))
    fastest = max(g.type.coremark * g.clock for g in spec.cpu)
    bandwidth = min(near.bandwidth * group.clock / near.max_opp.frequency, spec.memory.bandwidth * _CPU_SHARE)
    return {
        "name": name,
        "core": group.core,
        "grade": "D",
        "source": f"{FAMILY}: {near.core} of {device.name}",
        "count": _told(group.count),
        "capacity": _estimate(
            max(round(1024 * core.coremark * group.clock / fastest), 1), "CoreMark by type x clock"
        ),
        "macs_per_cycle": {"grade": "D", "source": "estimate: as known of the type", **core.macs_per_cycle},
        "bandwidth": _rate(bandwidth),
        "transition_latency": units.format(near.transition_latency, "time"),
        "power": _power(near),
        **_idle(near),
        "opps": _opps(near.opps, group.clock),
    }


def _power(unit: Cluster | Accelerator) -> Block:
    power = unit.power
    return {
        "coefficient": units.format(power.coefficient, "dynamic power"),
        "leakage": units.format(power.leakage, "leakage"),
        "idle": units.format(power.idle, "power"),
        "activity": power.activity,
    }


def _idle(near: Cluster) -> Block:
    states = [
        {
            "name": state.name,
            "scope": state.scope,
            "entry": units.format(state.entry, "time"),
            "exit": units.format(state.exit, "time"),
            "min_residency": units.format(state.min_residency, "time"),
        }
        for state in near.idle_states
    ]
    return {"idle_states": states} if states else {}


def _opps(opps: tuple[Opp, ...], clock: float) -> list[Block]:
    """Another unit's operating points, its clocks stretched up to one's own highest."""
    stretch = clock / opps[-1].frequency
    found = []
    for opp in opps[:-1]:
        found.append({"freq": _clock(opp.frequency * stretch), **_voltage(opp)})
    return [*found, {"freq": _told(_clock(clock)), **_voltage(opps[-1])}]


def _clock(value: float) -> str:
    return units.format(value, "frequency")


def _voltage(opp: Opp) -> Block:
    return {"voltage": units.format(opp.voltage, "voltage")} if opp.voltage else {}


def _nearest_gpu(gpu: Gpu, devices: list[Device]) -> tuple[Accelerator, Device]:
    own = family_of(gpu.model)
    peak = gpu.lanes * gpu.clock

    def apart(pair: tuple[Accelerator, Device]) -> tuple[int, float, str]:
        unit, device = pair
        return _apart(own, family_of(unit.model)), abs(unit.peak("fp32") / peak - 1), device.name

    return min(((d.accelerators["gpu"], d) for d in devices if "gpu" in d.accelerators), key=apart)


def _apart(one: Family, other: Family) -> int:
    return 0 if one == other else 1 if one.maker == other.maker else 2


def _gpu(spec: Specification, gpu: Gpu, near: Accelerator, device: str) -> Block:
    lanes = near.macs_per_cycle["fp32"]
    rates = {dtype: round(rate / lanes * gpu.lanes, 3) for dtype, rate in near.macs_per_cycle.items()}
    reached = min(near.bandwidth, spec.memory.bandwidth * _EFFICIENCY)
    scale = gpu.lanes / lanes
    return {
        "model": model_title(gpu.model),
        "grade": "D",
        "source": f"{FAMILY}: {near.model} of {device}",
        "layouts": list(near.layouts),
        "bandwidth": _rate(reached),
        "macs_per_cycle": rates,
        "transition_latency": units.format(near.transition_latency, "time"),
        "power": {
            **_power(near),
            "coefficient": units.format(near.power.coefficient * scale, "dynamic power"),
            "leakage": units.format(near.power.leakage * scale, "leakage"),
        },
        "opps": _opps(near.opps, gpu.clock),
    }


def _sharing(sharing: Sharing, device: str) -> Block:
    sync = sharing.sync
    return {
        "grade": "D",
        "source": f"{FAMILY}: {device}",
        "map_per_byte": units.format(sharing.map_per_byte, "time per byte"),
        "transform_per_byte": units.format(sharing.transform_per_byte, "time per byte"),
        "copy_per_byte": units.format(sharing.copy_per_byte, "time per byte"),
        "sync": {name: units.format(getattr(sync, name), "time") for name in ("mean", "sd", "low", "high")},
        "post_sync": units.format(sharing.post_sync, "time"),
        "unmap": units.format(sharing.unmap, "time"),
        **_copied(sharing.copied),
    }


def _copied(copied: Copying | None) -> Block:
    if copied is None:
        return {}
    times = {
        "fixed": units.format(copied.fixed, "time"),
        "per_byte": units.format(copied.per_byte, "time per byte"),
    }
    return {"copied": times}


def _memory(spec: Specification) -> Block:
    """DRAM at a quarter, half and all of its clock; the clock is as of a bus of 64 bit."""
    bandwidth = spec.memory.bandwidth
    clocks = [(bandwidth * share, bandwidth * share / 16) for share in (0.25, 0.5, 1.0)]
    return {
        "grade": "D",
        "source": "estimate: the highest bandwidth is told; clocks as of 64 bit",
        "efficiency": _EFFICIENCY,
        "energy_per_byte": units.format(MEMORIES[spec.memory.kind], "energy per byte"),
        "background_power": "100 mW",
        "opps": [{"freq": _clock(clock), "bandwidth": _rate(rate)} for rate, clock in clocks],
    }


def _os(cores: int) -> Block:
    """Linux' defaults: times grow with the logarithm of the number of cores."""
    factor = cores.bit_length()
    times = {"latency": 6e-3, "min_granularity": 0.75e-3, "wakeup_granularity": 1e-3}
    scaled = {name: units.format(value * factor, "time") for name, value in times.items()}
    return {
        "grade": "D",
        "source": f"estimate: Linux' defaults for {cores} cores",
        **scaled,
        "tick": "4 ms",
        "balance_period": "128 ms",
        "placement": {"value": "balance", "grade": "D", "source": "estimate: no energy model is told"},
    }
