"""Power from energies: the idle device, and what busy cores and accelerators draw beside what their profile says.

Energy of an inference is taken as power times latency, as a meter of the whole device sees it: all that is idle, the
processor that works, and the traffic to DRAM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from socsim.calibration.tables import Row
from socsim.devices.device import Accelerator, Cluster, Device
from socsim.words import counted
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import part_bytes

__all__ = ["PowerFit", "ProcessorPower", "fit_power", "known"]

FEWEST = 3
"""Rows with energies below which a processor's power is not fitted."""
_LEAST_BOARD, _LEAST_FACTOR = 0.01, 0.05
"""Power in W of the board that is left at least, and of a processor, as a share of its profile's."""
_POOR = 0.3
"""Error of energies beyond which a processor's power is not taken for known: what its profile says of it stays."""


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
    warnings
        What could not be told.
    """

    board: float | None
    idle_rows: int
    processors: tuple[ProcessorPower, ...]
    warnings: tuple[str, ...] = ()


def known(power: ProcessorPower) -> bool:
    """Whether energies tell a processor's power: if not, what its profile says of it stays."""
    return power.mape <= _POOR


def fit_power(
    device: Device, rows: Sequence[Row], network: Callable[[Row], ModelGraph | None]
) -> PowerFit | None:
    """Fit powers; None where no row has an energy, a power or an idle power.

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
    left = median(idle) - _idle(device) if idle else None
    board = left if left is None else max(_LEAST_BOARD, left)
    base = _idle(device) + (device.board_power if board is None else board)
    by_processor: dict[str, list[Row]] = {}
    for row in rows:
        if _power(row) is not None and network(row) is not None:
            by_processor.setdefault(row.processor, []).append(row)
    if not by_processor and not idle:
        return None
    warnings = [f"idle power: {_TOO_LOW}"] if left is not None and left < _LEAST_BOARD else []
    found = list[ProcessorPower]()
    for processor, own in sorted(by_processor.items()):
        power = _processor(device, processor, own, base, network) if len(own) >= FEWEST else None
        found += [power] if power else []
        warnings += _doubts(processor, len(own), power)
    return PowerFit(board, len(idle), tuple(found), tuple(warnings))


_TOO_LOW = "less than what is modelled by itself draws when idle; nothing is left for the board"


def _doubts(processor: str, rows: int, power: ProcessorPower | None) -> Iterable[str]:
    """Why energies do not tell a processor's power."""
    title = f"power of the {processor}, {counted(rows, 'row')} with energies"
    if rows < FEWEST:
        yield f"{title}: at least {FEWEST} are needed; left out"
    elif power is None:
        yield f"{title}: its profile tells no dynamic power that could be adjusted; left out"
    elif not known(power):
        yield (
            f"{title}: the best fit, {power.factor:.3g} times the profile's, misses them by {100 * power.mape:.0f} % "
            "on average, so that the profile's stays; energy_mj must be in millijoules, of the whole device"
        )


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
    factor = max(_LEAST_FACTOR, median((power - rest) / dynamic for power, rest, dynamic in parts))
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
