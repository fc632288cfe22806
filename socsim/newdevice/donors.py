"""Devices that come with socsim and were calibrated: what rates of others are taken from."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from socsim.devices.device import Accelerator, Calibration, Cluster, Device
from socsim.devices.profile import device_names, load_device
from socsim.newdevice.cores import CORES, Core, distance
from socsim.newdevice.gpus import Family, family_of

__all__ = [
    "FAMILY",
    "Donor",
    "Match",
    "calibrated_devices",
    "core_of",
    "fastest",
    "gpu_maker",
    "nearest_accelerator",
    "nearest_cpu",
    "whole",
]

FAMILY = "family"
"""Source of numbers that were taken from another device; they are not handed on to a third."""

_GRADES: Mapping[str, float] = MappingProxyType({"C": 0.2, "F": 0.2, "D": 3.0})
"""Distance by which numbers are farther away than measured ones, by their grade."""

_PLATFORM = 0.2
"""Distance to a device whose GPU is of another maker: its memory and software differ, too."""

_ALONE = "nvidia"
"""Its libraries and those of other makers' GPUs have nothing in common."""

_FACTORS: Mapping[str, float] = MappingProxyType({"same": 2.2, "alike": 2.9, "other": 3.0})
_GPU_FACTORS: Mapping[str, float] = MappingProxyType({"same": 1.5, "alike": 2.0, "other": 3.3})
"""Factors either way within which nine of ten latencies are expected, by how near the donor is.

As found when 11 devices of the measurement tables were predicted from the rates of the Snapdragon 855, the Kirin 990
and the Xavier NX alone: 325 rows of TensorFlow Lite, ncnn and TensorRT, ten at most of each library, processor and
data type. The median factor was 1.35 with the same core, 1.55 with one that issues alike, 2.1 with others; 1.1 with a
GPU of the same generation, 2.4 with one of another maker. Few rows stand behind "other" (two sets, one) and behind GPUs
that are alike (two rows), whose factors are rounded up.
"""

_OF_ESTIMATE = 1.5
"""How much farther off it may be if the donor's own rates were estimated; by judgement."""


@dataclass(frozen=True, slots=True)
class Donor:
    """A parameter set of a device."""

    device: Device
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Match:
    """A donor, and how near it is.

    Parameters
    ----------
    near
        ``"same"`` core or generation of a GPU, ``"alike"`` (issues alike, same maker) or ``"other"``.
    factor
        Factor either way within which latencies are expected.
    """

    donor: Donor
    near: str
    factor: float


def core_of(cluster: Cluster) -> Core:
    """What is known of a cluster's cores; by their capacity for types that are not in the table."""
    known = CORES.get(cluster.core)
    if known is not None:
        return known
    rates = cluster.macs_per_cycle
    coremark = 8.0 * cluster.capacity / 1024
    return Core(cluster.core, "own", 0, coremark, rates["fp32"], rates.get("fp16", 0), rates.get("int8", 0))


def fastest(device: Device) -> Cluster:
    """The cluster with the strongest cores."""
    return max(device.clusters, key=lambda c: (c.capacity, c.max_opp.frequency))


def calibrated_devices(exclude: Collection[str] = ()) -> list[Device]:
    """Devices that come with socsim of which something was measured.

    Parameters
    ----------
    exclude
        Names of devices to pass over, such as the one that is being predicted.
    """
    found = (whole(name) for name in device_names() if name not in exclude)
    return [d for d in found if any(c.grade != "D" for c in d.calibrations.values())]


def whole(name: str) -> Device:
    """A device with all cores and clocks, whatever mode it is usually in."""
    device = load_device(name)
    return device.in_mode("") if device.mode else device


def nearest_cpu(device: Device, key: tuple[str, str], devices: Iterable[Device]) -> Match | None:
    """The parameter set of a library and data type on the CPU whose cores are nearest; None if there is none."""
    library, dtype = key
    donors = _donors(devices, lambda c: c.processor == "cpu" and (c.library, c.dtype) == (library, dtype))
    target = core_of(fastest(device))
    best = min(donors, key=lambda d: (_cpu_distance(device, d), d.device.name), default=None)
    if best is None:
        return None
    apart = distance(target, core_of(fastest(best.device)))
    return _match(best, "same" if not apart else "alike" if apart < 5 else "other", _FACTORS)


def nearest_accelerator(
    unit: Accelerator, key: tuple[str, str, str], devices: Iterable[Device]
) -> Match | None:
    """The parameter set of a library, data type and layout on the nearest accelerator; None if there is none.

    One of another maker is only taken for GPUs, and from a library that runs on two makers' at least.
    """
    own = family_of(unit.model)
    library, dtype, layout = key
    wanted = (library, unit.name, dtype, layout)
    donors = _of_maker(unit, own, _donors(devices, lambda c: c.key == wanted))
    best = min(donors, key=lambda d: (_gpu_distance(unit, d), d.device.name), default=None)
    if best is None:
        return None
    theirs = _family(best)
    near = "same" if theirs == own else "alike" if theirs.maker == own.maker else "other"
    return _match(best, near, _GPU_FACTORS)


def _of_maker(unit: Accelerator, own: Family, donors: Iterable[Donor]) -> list[Donor]:
    """Donors of the same maker; all GPUs where there is none, if the library is shown to run on several makers'."""
    found = list(donors)
    makers = {_family(donor).maker for donor in found}
    if own.maker in makers:
        return [donor for donor in found if _family(donor).maker == own.maker]
    others = makers - {_ALONE}
    portable = unit.name == "gpu" and own.maker != _ALONE and len(others) > 1
    return [d for d in found if portable and _family(d).maker in others]


def _match(donor: Donor, near: str, factors: Mapping[str, float]) -> Match:
    return Match(donor, near, factors[near] * (_OF_ESTIMATE if donor.calibration.grade == "D" else 1.0))


def _donors(devices: Iterable[Device], wanted: Callable[[Calibration], bool]) -> Iterator[Donor]:
    for device in devices:
        for calibration in device.calibrations.values():
            taken = calibration.source.partition(":")[0] == FAMILY
            if not taken and wanted(calibration):
                yield Donor(device, calibration)


def _unit(donor: Donor) -> Accelerator:
    return donor.device.accelerators[donor.calibration.processor]


def _family(donor: Donor) -> Family:
    return family_of(_unit(donor).model)


def _uncertain(donor: Donor) -> float:
    return _GRADES.get(donor.calibration.grade, 0.0)


def _cpu_distance(device: Device, donor: Donor) -> float:
    """Fastest cores count most; then the slowest, the clock, and whether anything was measured."""
    one, other = fastest(device), fastest(donor.device)
    slow = (min(d.clusters, key=lambda c: c.capacity) for d in (device, donor.device))
    apart = distance(core_of(one), core_of(other)) + 0.2 * distance(*map(core_of, slow))
    apart += _PLATFORM * (gpu_maker(device) != gpu_maker(donor.device))
    return apart + 0.2 * _octaves(one.max_opp.frequency, other.max_opp.frequency) + _uncertain(donor)


def gpu_maker(device: Device) -> str:
    """Maker of a device's GPU, empty without one."""
    return family_of(device.accelerators["gpu"].model).maker if "gpu" in device.accelerators else ""


def _gpu_distance(unit: Accelerator, donor: Donor) -> float:
    theirs, own = _family(donor), family_of(unit.model)
    apart = 0.0 if theirs == own else 2.0 if theirs.maker == own.maker else 5.0
    dtype = donor.calibration.dtype
    return apart + 0.2 * _octaves(unit.peak(dtype), _unit(donor).peak(dtype)) + _uncertain(donor)


def _octaves(one: float, other: float) -> float:
    return abs(math.log2(one / other))
