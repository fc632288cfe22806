"""Power from energies: the idle device, and what busy cores and accelerators draw beside what their profile says.

Energy of an inference is taken as power times latency, as a meter of the whole device sees it: all that is idle, the
processor that works, and the traffic to DRAM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from socsim.calibration.tables import Row
from socsim.devices.device import Accelerator, Cluster, Device
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import part_bytes

__all__ = ["PowerFit", "ProcessorPower", "fit_power"]

FEWEST = 3
"""Rows with energies below which a processor's power is not fitted."""
_LEAST_BOARD = 0.01
"""Power in W of the board that is left at least."""


@dataclass(frozen=True, slots=True)
class ProcessorPower:
    """Power of a processor while it computes.

    Parameters
    ----------
    processor
        ``"cpu"`` or an accelerator.
    factor
        By what the profile's dynamic power is to be multiplied.
    n
        Rows with energies.
    mape
        Mean absolute error of the energies at the measured latencies, as a share.
    """

    processor: str
    factor: float
    n: int
    mape: float


@dataclass(frozen=True, slots=True)
class PowerFit:
    """Powers that the energies of a table tell.

    Parameters
    ----------
    board
        Power in W of everything that is not modelled by itself; None where no row tells the idle power.
    idle_rows
        Rows with an idle power.
    processors
        Those that have energies.
    """

    board: float | None
    idle_rows: int
    processors: tuple[ProcessorPower, ...]


def fit_power(
    device: Device, rows: Sequence[Row], network: Callable[[Row], ModelGraph | None]
) -> PowerFit | None:
    """Fit powers; None if no processor has rows with energies enough.

    Parameters
    ----------
    device
        With the powers of its profile.
    rows
        Measurements, with energies or powers where they were taken.
    network
        The network of a row, if there is one.
    """
    idle = [row.idle_power for row in rows if row.idle_power is not None]
    board = max(_LEAST_BOARD, median(idle) - _idle(device)) if idle else None
    base = _idle(device) + (device.board_power if board is None else board)
    by_processor: dict[str, list[Row]] = {}
    for row in rows:
        if _power(row) is not None and network(row) is not None:
            by_processor.setdefault(row.processor, []).append(row)
    found = [
        _processor(device, processor, own, base, network)
        for processor, own in sorted(by_processor.items())
        if len(own) >= FEWEST
    ]
    return PowerFit(board, len(idle), tuple(p for p in found if p)) if found or idle else None


def _power(row: Row) -> float | None:
    return row.power if row.energy is None else row.energy / row.latency


def _idle(device: Device) -> float:
    """Power in W of the idle device without its board."""
    clusters = sum(c.power.idle * c.count for c in device.clusters)
    return clusters + sum(a.power.idle for a in device.accelerators.values()) + device.memory.background_power


def _processor(
    device: Device,
    processor: str,
    rows: Sequence[Row],
    base: float,
    network: Callable[[Row], ModelGraph | None],
) -> ProcessorPower | None:
    parts = [
        (_power(row) or 0.0, base + _traffic(device, row, network(row)) + fixed, dynamic)
        for row in rows
        for fixed, dynamic in [_busy(device, processor, row.cores)]
    ]
    if not all(dynamic for _, _, dynamic in parts):
        return None
    factor = max(0.05, median((power - rest) / dynamic for power, rest, dynamic in parts))
    errors = [abs((rest + factor * dynamic) / power - 1.0) for power, rest, dynamic in parts]
    return ProcessorPower(processor, factor, len(rows), fmean(errors))


def _traffic(device: Device, row: Row, graph: ModelGraph | None) -> float:
    """Power in W of DRAM traffic at the measured latency."""
    if graph is None:
        return 0.0
    moved = sum(part_bytes(graph, op, row.precision) for op in graph)
    return moved * device.memory.energy_per_byte / row.latency


def _busy(device: Device, processor: str, cores: str) -> tuple[float, float]:
    """What a busy processor draws beyond idle in W: leakage less idle, and dynamic power."""
    units: list[Cluster | Accelerator]
    if processor == "cpu":
        units = [device.cores[i] for i in device.parse_cores(cores or "all")]
    else:
        units = [device.accelerators[processor]]
    leaking = sum(u.power.leakage * u.max_opp.voltage - u.power.idle for u in units)
    busy = sum(u.power.busy(u.max_opp) - u.power.idle for u in units)
    return leaking, busy - leaking
