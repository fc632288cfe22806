"""Rates of one device's kernels, carried over to another's hardware."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from socsim.devices.device import (
    Accelerator,
    Calibration,
    CalibrationError,
    ClusterFactors,
    Device,
    KernelRate,
)
from socsim.newdevice.cores import distance
from socsim.newdevice.donors import (
    Match,
    calibrated_devices,
    core_of,
    fastest,
    nearest_accelerator,
    nearest_cpu,
)

__all__ = ["Transferred", "transferred"]


@dataclass(frozen=True, slots=True)
class Transferred:
    """A parameter set for a device, and where it is from.

    Parameters
    ----------
    calibration
        Rates as shares of the device's own peak, times as its host takes them.
    origin
        Name of the device that was measured.
    reason
        What of both is alike (``"cortex-a76 for cortex-a77"``).
    near
        ``"same"``, ``"alike"`` or ``"other"``, as of :class:`socsim.newdevice.donors.Match`.
    factor
        Factor either way within which nine of ten latencies are expected, as when other devices were predicted so.
    """

    calibration: Calibration
    origin: str
    reason: str
    near: str
    factor: float


def transferred(
    device: Device, exclude: Collection[str] = (), donors: Iterable[Device] | None = None
) -> list[Transferred]:
    """Parameter sets for a device's hardware, each from the nearest device of which something was measured.

    Parameters
    ----------
    device
        What is looked at is its hardware alone: cores, clocks, accelerators and their peaks.
    exclude
        Names of devices from which nothing is taken.
    donors
        Devices to take from; default those that come with socsim.
    """
    devices = calibrated_devices(exclude) if donors is None else [d for d in donors if d.name not in exclude]
    keys = dict.fromkeys(key for d in devices for key in d.calibrations)
    return [*_on_cpu(device, keys, devices), *_on_accelerators(device, keys, devices)]


def _on_cpu(
    device: Device, keys: Collection[tuple[str, str, str, str]], devices: list[Device]
) -> Iterator[Transferred]:
    for library, dtype in dict.fromkeys((key[0], key[2]) for key in keys if key[1] == "cpu"):
        if all(dtype in cluster.macs_per_cycle for cluster in device.clusters):
            match = nearest_cpu(device, (library, dtype), devices)
            if match is not None:
                yield _cpu_set(device, match)


def _on_accelerators(
    device: Device, keys: Collection[tuple[str, str, str, str]], devices: list[Device]
) -> Iterator[Transferred]:
    for unit in device.accelerators.values():
        for library, dtype, layout in dict.fromkeys((k[0], k[2], k[3]) for k in keys if k[1] != "cpu"):
            if dtype in unit.macs_per_cycle and layout in unit.layouts:
                match = nearest_accelerator(unit, (library, dtype, layout), devices)
                if match is not None:
                    yield _unit_set(device, unit, match)


def _cpu_set(device: Device, match: Match) -> Transferred:
    donor, old = match.donor.device, match.donor.calibration
    own, theirs = fastest(device), fastest(donor)
    lanes = own.macs_per_cycle[old.dtype] / theirs.macs_per_cycle[old.dtype]
    slower = _slowness(device, donor)
    found = replace(
        old,
        kernels=_rates(old.kernels, lanes),
        kernel_overhead=old.kernel_overhead * slower,
        inference_overhead=old.inference_overhead * slower,
        fork_join=old.fork_join * slower,
        clusters=_clusters(device, donor, old),
        error=CalibrationError(1.0 / match.factor, match.factor),
        grade="D",
    )
    return Transferred(found, donor.name, _reason(theirs.core, own.core), match.near, match.factor)


def _unit_set(device: Device, unit: Accelerator, match: Match) -> Transferred:
    donor, old = match.donor.device, match.donor.calibration
    theirs = donor.accelerators[old.processor]
    lanes = unit.macs_per_cycle[old.dtype] / theirs.macs_per_cycle[old.dtype]
    slower = _slowness(device, donor)
    found = replace(
        old,
        processor=unit.name,
        kernels=_rates(old.kernels, lanes, slower),
        kernel_overhead=old.kernel_overhead * theirs.max_opp.frequency / unit.max_opp.frequency,
        inference_overhead=old.inference_overhead * slower,
        dispatch=old.dispatch * slower,
        host_overhead=old.host_overhead * slower,
        error=CalibrationError(1.0 / match.factor, match.factor),
        grade="D",
    )
    return Transferred(found, donor.name, _reason(theirs.model, unit.model), match.near, match.factor)


def _rates(kernels: Mapping[str, KernelRate], lanes: float, slower: float = 1.0) -> dict[str, KernelRate]:
    """The same shares of the peak; what is lost at a kernel's or a group's start grows with the width."""
    return {
        name: replace(
            rate,
            half_work=rate.half_work * lanes,
            half_outputs=rate.half_outputs * lanes,
            group_work=rate.group_work * lanes,
            dispatch=None if rate.dispatch is None else rate.dispatch * slower,
        )
        for name, rate in kernels.items()
    }


def _clusters(device: Device, donor: Device, old: Calibration) -> dict[str, ClusterFactors]:
    """How each cluster differs from the fastest: as that of the donor whose cores are nearest to its own."""
    if not old.clusters:
        return {}
    others = [c for c in donor.clusters if c.name in old.clusters]
    first = fastest(device)
    near = {
        c.name: min(others, key=lambda o: (distance(core_of(c), core_of(o)), o.name))
        for c in device.clusters
        if c.name != first.name
    }
    return {name: old.clusters[theirs.name] for name, theirs in near.items()}


def _slowness(device: Device, donor: Device) -> float:
    """How much longer plain code takes on a device's fastest core than on the donor's."""
    one, other = fastest(device), fastest(donor)
    own = core_of(one).coremark * one.max_opp.frequency
    return core_of(other).coremark * other.max_opp.frequency / own


def _reason(theirs: str, own: str) -> str:
    return own if theirs == own else f"{theirs} for {own}"
