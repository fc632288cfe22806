"""Power modes: which cores of a board are online, and between which bounds its clocks move."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from socsim.devices.calibration import KernelRate
from socsim.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from socsim.devices.device import Accelerator, Calibration, Cluster, Device, MemoryOpp, Opp

    Point = TypeVar("Point", Opp, MemoryOpp)

__all__ = ["MODE", "PowerMode", "clock_bounds", "cut", "mode_named", "of_whole", "spanned", "split_mode"]

MODE = "mode"
"""The option of a device's name that chooses a power mode."""

_SPEC = re.compile(r"(?P<name>.*[^\s(])\s*\((?P<options>[^()]*)\)\s*")
_SLACK = 1e-3


@dataclass(frozen=True, slots=True)
class PowerMode:
    """A setting of a board's software.

    Parameters
    ----------
    name
        ``"15W_6CORE"``.
    cores
        Cluster -> number of its cores that are online; clusters that are not named are off.
    caps, floors
        Domain -> highest and lowest clock in Hz. Domains are ``"cpu"`` (every cluster without a bound of its own),
        clusters, accelerators and ``"dram"``.
    """

    name: str
    cores: Mapping[str, int]
    caps: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)

    def bounds(self, domain: str, *, cpu: bool = False) -> tuple[float, float]:
        """Lowest and highest clock of a domain in Hz; `cpu`: it is a cluster."""
        general = "cpu" if cpu else domain
        low = self.floors.get(domain, self.floors.get(general, 0.0))
        return low, self.caps.get(domain, self.caps.get(general, float("inf")))


def split_mode(text: str) -> tuple[str, str | None]:
    """The device and the mode of ``"name(mode=15W_2CORE)"``; None without one.

    Raises
    ------
    UsageError
        Options of another form, or other options.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        return text, None
    option, equals, mode = (part.strip() for part in match["options"].partition("="))
    if not equals or not mode:
        raise UsageError(f"a device with a mode is written 'name({MODE}=MODE)', got {text!r}")
    if option != MODE:
        raise UsageError(f"device {match['name']!r} has no option {option!r}; it takes {MODE!r}")
    return match["name"], mode.strip("'\"")


def mode_named(device: Device, name: str) -> PowerMode:
    """A mode of a device.

    Raises
    ------
    UsageError
        The device has no modes.
    UnknownNameError
        It has others.
    """
    if not device.modes:
        raise UsageError(f"device {device.name!r} has no power modes, got {MODE} {name!r}")
    if name not in device.modes:
        raise UnknownNameError(f"{MODE} of {device.name!r}:", name, device.modes)
    return device.modes[name]


def cut(device: Device, mode: PowerMode) -> Device:
    """A device with the cores and operating points that a mode leaves it.

    Costs that a calibration gives as times at the highest clock are those at the highest clock that is left.

    Parameters
    ----------
    device
        The whole hardware.
    """
    clusters = tuple(
        _cluster(c, mode.cores[c.name], mode.bounds(c.name, cpu=True))
        for c in device.clusters
        if mode.cores.get(c.name)
    )
    memory = replace(device.memory, opps=_between(device.memory.opps, mode.bounds("dram")))
    accelerators = {
        name: replace(a, opps=_between(a.opps, mode.bounds(name))) for name, a in device.accelerators.items()
    }
    top = memory.opps[-1].frequency
    left = replace(
        device,
        clusters=_ranked(tuple(_voting(c, top) for c in clusters)),
        accelerators=MappingProxyType({name: _voting(a, top) for name, a in accelerators.items()}),
        memory=memory,
        cpusets=_online(device, mode),
        rails=_fed(device, [c.name for c in clusters]),
    )
    found = replace(left, calibrations=_slowed(device, left), mode=mode.name, whole=device)
    if mode.name and mode.name != device.default_mode:
        found = replace(found, name=_spelled(device.name, mode))
    if device.source:
        object.__setattr__(found, "source", _spelled(device.source, mode))
    return found


def _any_mode(device: Device, name: str) -> PowerMode:
    """A mode by name; ``""`` is that of the whole hardware, which bounds nothing."""
    return mode_named(device, name) if name else PowerMode("", {c.name: c.count for c in device.clusters})


def clock_bounds(device: Device, name: str) -> dict[str, tuple[float, float]]:
    """Lowest and highest clock in Hz that a mode allows, by clock domain of a device; raises as :func:`mode_named`."""
    mode = _any_mode(device.whole or device, name)
    cpu = {f"cpu.{c.name}": mode.bounds(c.name, cpu=True) for c in device.clusters}
    return cpu | {name: mode.bounds(name) for name in (*device.accelerators, "dram")}


def spanned(device: Device, names: Sequence[str]) -> Device:
    """A device with all operating points that its present mode or any of some others allow.

    Parameters
    ----------
    device
        In the mode that comes first.
    names
        Of the others.

    Raises
    ------
    UsageError
        It has no modes; or modes differ in the cores that are online, which do not go on and off in a run.
    UnknownNameError
        No such mode.
    """
    whole = device.whole or device
    modes = [_any_mode(whole, name) for name in (device.mode, *names)]
    first = modes[0]
    for other in modes:
        if dict(other.cores) != dict(first.cores):
            raise UsageError(_other_cores(whole, first, other))
    caps, floors = dict[str, float](), dict[str, float]()
    for domain in (*(c.name for c in device.clusters), *whole.accelerators, "dram"):
        bounds = [mode.bounds(domain, cpu=domain in first.cores) for mode in modes]
        floors[domain], caps[domain] = min(low for low, _ in bounds), max(high for _, high in bounds)
    return cut(whole, PowerMode(device.mode, first.cores, caps, floors))


def _other_cores(device: Device, first: PowerMode, other: PowerMode) -> str:
    """Why two modes cannot follow each other."""
    shown = [" + ".join(f"{count} {name}" for name, count in mode.cores.items()) for mode in (first, other)]
    alike = [name for name, mode in device.modes.items() if dict(mode.cores) == dict(first.cores)]
    others = [name for name in alike if name != first.name]
    tail = f"choose among {', '.join(others)}" if others else "no other mode has the same"
    return (
        f"{MODE} {other.name!r} of {device.name!r} has other cores online ({shown[1]}) than {first.name!r} "
        f"({shown[0]}), and cores do not go on and off in a run; {tail}"
    )


def _spelled(name: str, mode: PowerMode) -> str:
    return f"{name}({MODE}={mode.name})"


def _between(points: tuple[Point, ...], bounds: tuple[float, float]) -> tuple[Point, ...]:
    low, high = bounds
    return tuple(p for p in points if low * (1 - _SLACK) <= p.frequency <= high * (1 + _SLACK))


def _cluster(cluster: Cluster, count: int, bounds: tuple[float, float]) -> Cluster:
    """A cluster with fewer cores and points; its capacity is that at the highest clock left."""
    opps = _between(cluster.opps, bounds)
    share = opps[-1].frequency / cluster.max_opp.frequency
    return replace(cluster, count=count, opps=opps, capacity=cluster.capacity * share)


def _ranked(clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
    """The strongest core has capacity 1024, as Linux counts it."""
    strongest = max(c.capacity for c in clusters)
    return tuple(replace(c, capacity=1024.0 * (c.capacity / strongest)) for c in clusters)


Voter = TypeVar("Voter", "Cluster", "Accelerator")


def _voting(unit: Voter, top: float) -> Voter:
    """Votes for DRAM clocks go no higher than the highest that is left."""
    return replace(unit, opps=tuple(replace(o, dram_floor=min(o.dram_floor, top)) for o in unit.opps))


def _online(device: Device, mode: PowerMode) -> Mapping[str, tuple[int, ...]]:
    """Cpusets without the cores that are off, in new numbers; those that lose all cores are gone."""
    online = [
        core for c in device.clusters for core in device.cluster_cores(c.name)[: mode.cores.get(c.name, 0)]
    ]
    number = {core: index for index, core in enumerate(online)}
    kept = {name: tuple(number[i] for i in cores if i in number) for name, cores in device.cpusets.items()}
    return MappingProxyType({name: cores for name, cores in kept.items() if cores})


def _fed(device: Device, clusters: list[str]) -> Mapping[str, tuple[str, ...]]:
    """Rails without the clusters that are off."""
    off = {f"cpu.{c.name}" for c in device.clusters if c.name not in clusters}
    return MappingProxyType(
        {rail: tuple(name for name in parts if name not in off) for rail, parts in device.rails.items()}
    )


def of_whole(device: Device, calibration: Calibration) -> Calibration:
    """A parameter set of a device in a mode as the device's file tells it: at the highest clocks of the hardware."""
    whole = device.whole or device
    host = _fastest(device) / _fastest(whole)
    return _slower(calibration, host, _slowness(calibration.processor, device, whole, host))


def _slowed(device: Device, left: Device) -> Mapping[tuple[str, str, str, str], Calibration]:
    host = _fastest(device) / _fastest(left)
    return MappingProxyType(
        {
            key: _slower(c, host, _slowness(c.processor, device, left, host))
            for key, c in device.calibrations.items()
        }
    )


def _slowness(processor: str, device: Device, left: Device, host: float) -> float:
    """How much longer a fixed time of a processor is at the highest clock left."""
    if processor == "cpu":
        return host
    old, new = (d.accelerators[processor].max_opp.frequency for d in (device, left))
    return old / new


def _slower(c: Calibration, host: float, own: float) -> Calibration:
    return replace(
        c,
        kernels=MappingProxyType({name: _dispatched(rate, host) for name, rate in c.kernels.items()}),
        kernel_overhead=c.kernel_overhead * own,
        inference_overhead=c.inference_overhead * own,
        fork_join=c.fork_join * own,
        dispatch=c.dispatch * host,
        host_overhead=c.host_overhead * host,
    )


def _dispatched(rate: KernelRate, host: float) -> KernelRate:
    return rate if rate.dispatch is None else replace(rate, dispatch=rate.dispatch * host)


def _fastest(device: Device) -> float:
    return device.cores[device.fastest_core].peak("fp32")
