"""The run-time description of a device: frozen, in SI units, with nothing left to parse.

Profiles (:mod:`socsim.devices.profile`) are read into these; schedulers and the simulation read nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from socsim.devices.calibration import Calibration, CalibrationError, ClusterFactors, KernelPower, KernelRate
from socsim.devices.cfs import CfsParameters
from socsim.devices.modes import PowerMode, cut, mode_named
from socsim.devices.opp import IdleState, Opp, PowerModel
from socsim.devices.parts import Accelerator, Clocked, Cluster, Copying, Memory, MemoryOpp, Sharing, SyncTime
from socsim.devices.thermal import ThermalModel
from socsim.errors import UnknownNameError, UsageError
from socsim.words import counted

__all__ = [
    "Accelerator",
    "Calibration",
    "CalibrationError",
    "CfsParameters",
    "Clocked",
    "Cluster",
    "ClusterFactors",
    "Copying",
    "Device",
    "IdleState",
    "KernelPower",
    "KernelRate",
    "Memory",
    "MemoryOpp",
    "Opp",
    "PowerMode",
    "PowerModel",
    "Sharing",
    "SyncTime",
]


@dataclass(frozen=True)
class Device:
    """A phone or board.

    Parameters
    ----------
    name, title, soc
        ``"xiaomi-9"``, ``"Xiaomi 9"``, ``"Snapdragon 855"``.
    clusters
        CPU clusters; core numbers run through them in this order.
    accelerators
        By name.
    memory
        DRAM.
    sharing
        By accelerator name.
    cpu_bandwidth
        DRAM bandwidth that all CPU cores together reach, B/s.
    board_power
        Everything else (display, rails, radios), W.
    rails
        Meter rail -> component names (``cpu.<cluster>``, ``gpu``, ``dsp``, ``dram``, ``board``).
    calibrations
        By (library, processor, dtype, layout).
    grades
        How many numbers of the profile have each confidence grade.
    thermal
        How it warms up and throttles; None where its file does not tell.
    os
        How its kernel shares a core among threads.
    cpusets
        Cores that groups of applications may use, by name (``"background"``).
    meters
        Meter -> rails that it sees together (``vdd_in``: all of a board's).
    modes, default_mode, mode
        Power modes by name; which holds unless told otherwise; the one that this device is in, ``""`` for none: all
        cores and clocks that the hardware has.
    whole
        The hardware that a device in a mode is a part of.

    Attributes
    ----------
    source
        Absolute path of the file that it was read from; ``""`` for devices that come with socsim, that were made in
        code, or that ``dataclasses.replace`` has changed.
    """

    name: str
    title: str
    soc: str
    clusters: tuple[Cluster, ...]
    accelerators: Mapping[str, Accelerator]
    memory: Memory
    sharing: Mapping[str, Sharing]
    cpu_bandwidth: float
    board_power: float
    rails: Mapping[str, tuple[str, ...]]
    calibrations: Mapping[tuple[str, str, str, str], Calibration]
    grades: Mapping[str, int] = field(default_factory=dict)
    thermal: ThermalModel | None = None
    os: CfsParameters = field(default_factory=CfsParameters)
    cpusets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    meters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    modes: Mapping[str, PowerMode] = field(default_factory=dict)
    default_mode: str = ""
    mode: str = ""
    whole: Device | None = field(default=None, compare=False, repr=False)
    source: str = field(default="", init=False, compare=False)

    @property
    def processors(self) -> tuple[str, ...]:
        """``"cpu"`` and the accelerators' names."""
        return ("cpu", *self.accelerators)

    @cached_property
    def cores(self) -> tuple[Cluster, ...]:
        """The cluster of every core, by core number."""
        return tuple(cluster for cluster in self.clusters for _ in range(cluster.count))

    @cached_property
    def fastest_core(self) -> int:
        """Number of the core with the highest peak rate."""
        return max(range(len(self.cores)), key=lambda i: (self.cores[i].peak("fp32"), -i))

    def in_mode(self, name: str) -> Device:
        """The device in one of its power modes, whichever it is in now; ``""`` is the whole hardware.

        Raises
        ------
        UsageError
            It has no power modes.
        UnknownNameError
            No mode of that name.
        """
        whole = self.whole or self
        return cut(whole, mode_named(whole, name)) if name else whole

    def metered(self, rails: Mapping[str, float]) -> dict[str, float]:
        """Sums by meter of what its rails have, power or energy."""
        return {meter: sum(rails[name] for name in seen) for meter, seen in self.meters.items()}

    def cluster_cores(self, name: str) -> range:
        """Core numbers of a cluster.

        Raises
        ------
        UnknownNameError
            No cluster of that name.
        """
        first = 0
        for cluster in self.clusters:
            if cluster.name == name:
                return range(first, first + cluster.count)
            first += cluster.count
        raise UnknownNameError("cluster", name, [c.name for c in self.clusters])

    def check_processor(self, name: str) -> None:
        """Pass if the device has a processor.

        Raises
        ------
        UnknownNameError
            It has none of that name; says which it has.
        """
        if name not in self.processors:
            has = f"({self.name} has {', '.join(self.processors)})"
            raise UnknownNameError("processor", name, self.processors, has)

    def parse_cores(self, text: str) -> tuple[int, ...]:
        """Core numbers, fastest first, from a mask.

        Parameters
        ----------
        text
            ``"all"``, ``"big"`` (every cluster but the weakest ones; all where they are alike), ``"little"`` (the
            weakest ones), or counts by cluster: ``"prime:1+gold:3"``; a bare cluster name means all of its cores.

        Raises
        ------
        UnknownNameError
            An unknown cluster.
        UsageError
            A count outside the cluster's.
        """
        ranked = sorted(self.clusters, key=lambda cluster: cluster.peak("fp32"), reverse=True)
        if text == "all":
            return tuple(i for c in ranked for i in self.cluster_cores(c.name))
        if text in ("big", "little"):
            weakest = [c for c in ranked if c.peak("fp32") == ranked[-1].peak("fp32")]
            chosen_clusters = (
                weakest if text == "little" else [c for c in ranked if c not in weakest] or ranked
            )
            return tuple(i for c in chosen_clusters for i in self.cluster_cores(c.name))
        parts = text.split("+")
        nested = len(parts) > 1 or ":" in text
        chosen = tuple(i for part in parts for i in self._parse_part(part.strip(), nested=nested))
        if len(set(chosen)) != len(chosen):
            raise UsageError(f"cores {text!r} name a cluster twice")
        return tuple(sorted(chosen, key=lambda i: (-self.cores[i].peak("fp32"), i)))

    def _parse_part(self, part: str, *, nested: bool) -> tuple[int, ...]:
        name, _, count = part.partition(":")
        names = [cluster.name for cluster in self.clusters]
        if name not in names:
            raise UnknownNameError("cluster", name, {*names, *(() if nested else ("all", "big", "little"))})
        ids = tuple(self.cluster_cores(name))
        if not count:
            return ids
        if not (count.isascii() and count.isdecimal()) or not 1 <= int(count) <= len(ids):
            raise UsageError(
                f"cores {part!r}: cluster {name!r} has {counted(len(ids), 'core')}, got {count!r}"
            )
        return ids[: int(count)]

    def allowed_cores(self, mask: str, cpuset: str = "") -> tuple[int, ...]:
        """Core numbers, fastest first, that threads with a mask may use in a cpuset.

        Parameters
        ----------
        mask, cpuset
            As of :meth:`parse_cores`; name of one of the device's, ``""`` for none.

        Raises
        ------
        UnknownNameError
            An unknown cluster or cpuset.
        UsageError
            Mask and cpuset have no core in common. Linux would refuse the mask and keep the cpuset.
        """
        cores = self.parse_cores(mask)
        if not cpuset:
            return cores
        if cpuset not in self.cpusets:
            raise UnknownNameError(f"cpuset of {self.name!r}:", cpuset, self.cpusets)
        inside = self.cpusets[cpuset]
        allowed = tuple(core for core in cores if core in inside)
        if not allowed:
            raise UsageError(
                f"cores {mask!r} and cpuset {cpuset!r} ({self.core_names(inside)}) have no core in common; "
                f"choose cores such as {self.core_names(inside)!r}"
            )
        return allowed

    def core_names(self, cores: Iterable[int]) -> str:
        """The mask that :meth:`parse_cores` reads back: ``"prime:1+gold:3"``."""
        wanted = set(cores)
        ids = {c.name: self.cluster_cores(c.name) for c in reversed(self.clusters)}
        counts = {name: len(wanted.intersection(numbers)) for name, numbers in ids.items()}
        return "+".join(f"{name}:{n}" for name, n in counts.items() if n)

    def calibration(self, library: str, processor: str, dtype: str, layout: str = "") -> Calibration:
        """The parameter set of a library on a processor.

        Raises
        ------
        UnknownNameError
            The profile has none.
        """
        try:
            return self.calibrations[library, processor, dtype, layout]
        except KeyError:
            key = "/".join(filter(None, (library, processor, dtype, layout)))
            known = ["/".join(filter(None, k)) for k in self.calibrations]
            raise UnknownNameError(f"calibration of device {self.name!r} for", key, known) from None

    def layouts(self, library: str, processor: str, dtype: str) -> tuple[str, ...]:
        """Layouts that a library is calibrated for on a processor (``("",)`` on the CPU), best first."""
        has = {k[3] for k in self.calibrations if k[:3] == (library, processor, dtype)}
        if processor == "cpu":
            return ("",) if has else ()
        return tuple(layout for layout in self.accelerators[processor].layouts if layout in has)
