"""From a device file's specification to the frozen description that everything else reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from socsim.devices.cfs import CfsParameters
from socsim.devices.device import (
    Accelerator,
    Calibration,
    CalibrationError,
    Cluster,
    ClusterFactors,
    Copying,
    Device,
    IdleState,
    KernelPower,
    KernelRate,
    Memory,
    MemoryOpp,
    Opp,
    PowerModel,
    Sharing,
    SyncTime,
)
from socsim.devices.library_spec import CalibrationSpec
from socsim.devices.modes import PowerMode
from socsim.devices.provenance import GRADES, Origin, rows
from socsim.devices.spec import (
    AcceleratorSpec,
    ClusterSpec,
    DeviceSpec,
    MemorySpec,
    OppSpec,
    PowerModesSpec,
    SharingSpec,
)
from socsim.devices.thermal_spec import build_thermal
from socsim.errors import FileError, SocsimError
from socsim.yamlfile import Document, FileFault, Loc

__all__ = ["build"]


def build(name: str, spec: DeviceSpec, document: Document) -> Device:
    """Build the description of a device.

    Parameters
    ----------
    name
        What it will be called.
    spec
        What its file says.
    document
        The file, for the grades and sources of its numbers.
    """
    clocks = [opp.freq for opp in spec.memory.opps]
    counts = Counter(row.grade for row in rows(document.root))
    device = Device(
        name=name,
        title=spec.title,
        soc=spec.soc,
        clusters=tuple(_cluster(cluster, clocks) for cluster in spec.clusters),
        accelerators=MappingProxyType({n: _accelerator(n, a, clocks) for n, a in spec.accelerators.items()}),
        memory=_memory(spec.memory),
        sharing=MappingProxyType({n: _sharing(s) for n, s in spec.sharing.items()}),
        cpu_bandwidth=spec.cpu_bandwidth,
        board_power=spec.board_power,
        rails=MappingProxyType({rail: tuple(names) for rail, names in spec.rails.items()}),
        calibrations=MappingProxyType({c.key: c for c in _calibrations(spec, document)}),
        grades=MappingProxyType({grade: counts[grade] for grade in GRADES if counts[grade]}),
        thermal=build_thermal(spec.thermal) if spec.thermal else None,
        os=CfsParameters(**spec.os.model_dump(exclude={"cpusets"})),
        meters=MappingProxyType({meter: tuple(names) for meter, names in spec.meters.items()}),
        modes=MappingProxyType(_modes(spec.power_modes)),
        default_mode=spec.power_modes.default if spec.power_modes else "",
    )
    return replace(device, cpusets=MappingProxyType(_cpusets(device, spec, document)))


def _modes(spec: PowerModesSpec | None) -> dict[str, PowerMode]:
    return {
        name: PowerMode(
            name, MappingProxyType(mode.cores), MappingProxyType(mode.caps), MappingProxyType(mode.floors)
        )
        for name, mode in (spec.modes if spec else {}).items()
    }


def _cpusets(device: Device, spec: DeviceSpec, document: Document) -> dict[str, tuple[int, ...]]:
    """Core numbers of each cpuset.

    Raises
    ------
    FileError
        Masks that the device does not have.
    """
    found, faults = dict[str, tuple[int, ...]](), list[FileFault]()
    for name, mask in spec.os.cpusets.items():
        try:
            found[name] = device.parse_cores(mask)
        except SocsimError as error:
            faults.append(document.fault(("os", "cpusets", name), str(error)))
    if faults:
        raise FileError(document.path, faults)
    return found


def _opps(opps: Iterable[OppSpec], clocks: list[float]) -> tuple[Opp, ...]:
    return tuple(Opp(o.freq, o.voltage or 0.0, _snapped(o.dram_floor, clocks), o.l3_floor) for o in opps)


def _snapped(floor: float, clocks: list[float]) -> float:
    """The DRAM clock that a vote is for; sources round clocks differently."""
    return min(clocks, key=lambda clock: abs(clock - floor)) if floor else 0.0


def _power(spec: ClusterSpec | AcceleratorSpec) -> PowerModel:
    """Where leakage is told, idle power follows the supply: it holds at the highest one unless the file says where."""
    top = (spec.opps[-1].voltage or 0.0) if spec.power.leakage else 0.0
    return PowerModel(**{**dict(spec.power), "idle_voltage": spec.power.idle_voltage or top})


def _idle_states(spec: ClusterSpec) -> tuple[IdleState, ...]:
    return tuple(
        IdleState(state.name, state.entry, state.exit, state.min_residency, state.scope, share)
        for state, share in zip(spec.idle_states, spec.idle_shares(), strict=True)
    )


def _cluster(spec: ClusterSpec, clocks: list[float]) -> Cluster:
    return Cluster(
        spec.name,
        spec.core,
        spec.count,
        _opps(spec.opps, clocks),
        MappingProxyType({str(dtype): rate for dtype, rate in spec.macs_per_cycle.items()}),
        spec.capacity,
        spec.bandwidth,
        _power(spec),
        _idle_states(spec),
        spec.transition_latency,
        spec.transition_stall,
    )


def _accelerator(name: str, spec: AcceleratorSpec, clocks: list[float]) -> Accelerator:
    return Accelerator(
        name,
        spec.model,
        _opps(spec.opps, clocks),
        MappingProxyType({str(dtype): rate for dtype, rate in spec.macs_per_cycle.items()}),
        spec.bandwidth,
        _power(spec),
        tuple(spec.layouts),
        spec.call_latency,
        spec.transition_latency,
        spec.poll,
        spec.transition_stall,
        spec.suspend_after or 0.0,
        spec.local_memory or 0.0,
    )


def _memory(spec: MemorySpec) -> Memory:
    return Memory(
        tuple(MemoryOpp(opp.freq, opp.bandwidth) for opp in spec.opps),
        spec.efficiency,
        spec.energy_per_byte,
        spec.background_power,
        spec.capacity or 0.0,
        spec.transition_latency,
        spec.transition_stall,
    )


def _sharing(spec: SharingSpec) -> Sharing:
    sync = SyncTime(spec.sync.mean, spec.sync.sd, *spec.sync.bounds)
    copied = Copying(spec.copied.fixed, spec.copied.per_byte) if spec.copied else None
    return Sharing(
        spec.map_per_byte,
        spec.transform_per_byte,
        sync,
        spec.post_sync,
        spec.unmap,
        spec.copy_per_byte,
        copied,
    )


def _calibrations(spec: DeviceSpec, document: Document) -> Iterator[Calibration]:
    for library, processors in spec.calibration.items():
        for dtype, found in processors.cpu.items():
            yield _calibration((library, "cpu", dtype, ""), found, document)
        for processor in ("gpu", "dsp", "npu"):
            by_dtype: Mapping[str, Mapping[str, CalibrationSpec]] = getattr(processors, processor)
            for name, layouts in by_dtype.items():
                for layout, found in layouts.items():
                    yield _calibration((library, processor, name, layout), found, document)


def _calibration(key: tuple[str, str, str, str], spec: CalibrationSpec, document: Document) -> Calibration:
    grade, source = _provenance(("calibration", *filter(None, key)), document)
    values = dict(spec)
    del values["whole"]
    kernels = {name: KernelRate(**dict(rate)) for name, rate in values.pop("kernels").items()}
    clusters = {name: ClusterFactors(**dict(own)) for name, own in values.pop("clusters").items()}
    error = CalibrationError(**dict(spec.error)) if spec.error else None
    power = KernelPower(**dict(spec.power)) if spec.power else KernelPower()
    return Calibration(
        *key, MappingProxyType(kernels), **{**values, "error": error, "power": power}, grade=grade, source=source,
        clusters=MappingProxyType(clusters),
    )  # fmt: skip


def _provenance(loc: Loc, document: Document) -> tuple[str, str]:
    """Grade and source of a block: as stated for it, else those of its least certain number."""
    node = document.node(loc)
    if isinstance(node.origin, Origin) and node.origin.grade and node.origin.source:
        return node.origin.grade, node.origin.source
    worst = max(rows(node), key=lambda row: "ABCFD".index(row.grade))
    return worst.grade, worst.source
