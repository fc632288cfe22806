"""Power from energies: the idle device, and what busy cores and accelerators draw beside what their profile says.

Energy of an inference is taken as power times latency, as a meter of the whole device sees it: all that is idle, the
processor that works, and the traffic to DRAM. What the processor draws is told of each parameter set by itself, while
its kernels compute and while they start and end: threads of one library wait busily, those of another sleep.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from socsim.calibration.features import FloatArray
from socsim.calibration.tables import Row
from socsim.devices.device import Accelerator, Cluster, Device, KernelPower
from socsim.words import counted
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import part_bytes

if TYPE_CHECKING:
    from socsim.calibration.calibrate import Calibrated, Part
    from socsim.calibration.values import Values

__all__ = ["PowerFit", "ProcessorPower", "SetPower", "fit_power", "known"]

FEWEST = 3
"""Rows with energies below which the power of a parameter set is not fitted."""
_POOR = 0.3
"""Error of energies beyond which a power is not taken for known: what the profile says of it stays."""
_LEAST_BOARD = 0.01
"""Power in W of the board that is left at least."""
_SCATTER = 0.05
"""What a good law misses powers by, as a share; what is drawn while waiting is expected to be what is drawn while
computing, give or take all of it."""
_USUAL = 2.0
"""How many times :data:`_SCATTER` a row may be off before it counts for less."""
_ROUNDS = 20
"""How often rows are weighed anew by how far off they are, so that single wrong ones do not move the fit."""
_TOO_LOW = "less than what is modelled by itself draws when idle; nothing is left for the board"

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class SetPower:
    """Power of a processor while it runs the kernels of one parameter set.

    Parameters
    ----------
    power
        As shares of what the busy processor draws beyond idle with :attr:`ProcessorPower.factor`; with the error of
        energies on families that were not fitted, at latencies that were predicted without them.
    n
        Rows with energies.
    mape
        Mean absolute error of the energies at the measured latencies, as a share.
    """

    power: KernelPower
    n: int
    mape: float


@dataclass(frozen=True, slots=True)
class ProcessorPower:
    """Power of a processor while it computes.

    Parameters
    ----------
    processor
        ``"cpu"`` or an accelerator.
    factor
        By what the profile's dynamic power is to be multiplied: the highest that a parameter set shows.
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
    sets
        Parameter sets that have, by key.
    warnings
        What could not be told.
    """

    board: float | None
    idle_rows: int
    processors: tuple[ProcessorPower, ...]
    sets: Mapping[Key, SetPower]
    warnings: tuple[str, ...] = ()


def known(power: ProcessorPower | SetPower) -> bool:
    """Whether energies tell a power: if not, what the profile says of it stays."""
    return power.mape <= _POOR


@dataclass(frozen=True)
class _Energies:
    """Measured powers on one set of cores, or on an accelerator, beside what is known of them.

    Parameters
    ----------
    part, kept
        Measurements, and the indices of those that have energies.
    watts, base, traffic
        Of each: power in W, the part of it that does not depend on the processor, and energy in J of DRAM traffic.
    full, fixed
        What the busy processor draws beyond idle by its profile, in W: all of it, and leakage less idle.
    """

    part: Part
    kept: list[int]
    watts: FloatArray
    base: float
    traffic: FloatArray
    full: float
    fixed: float

    @property
    def seconds(self) -> FloatArray:
        """Measured latencies."""
        return self.part.measured[self.kept]

    def busy(self, values: Values) -> FloatArray:
        """Shares of the latencies that kernels compute."""
        return self.part.model.computing(values)[self.kept]

    def design(self, values: Values) -> FloatArray:
        """What is drawn beyond idle, in W, for each of: a share 1 while computing, and while waiting."""
        share = self.busy(values)
        return self.full * np.stack([share, 1.0 - share], axis=1)

    def drawn(self) -> FloatArray:
        """What the processor drew beyond idle, in W."""
        return self.watts - self.base - self.traffic / self.seconds


def fit_power(
    device: Device,
    found: Sequence[Calibrated],
    rows: Sequence[Row],
    network: Callable[[Row], ModelGraph | None],
) -> PowerFit | None:
    """Fit powers; None where no row has an energy, a power or an idle power.

    Parameters
    ----------
    device
        With the powers of its profile.
    found
        Parameter sets, with their measurements.
    rows
        All rows of the table, which tell idle powers.
    network
        The network of a row, if there is one.
    """
    idle = [row.idle_power for row in rows if row.idle_power is not None]
    left = median(idle) - _idle(device) if idle else None
    board = left if left is None else max(_LEAST_BOARD, left)
    base = _idle(device) + (device.board_power if board is None else board)
    warnings = [f"idle power: {_TOO_LOW}"] if left is not None and left < _LEAST_BOARD else []
    by_processor: dict[str, dict[Key, tuple[Calibrated, list[_Energies]]]] = {}
    told = 0
    for one in found:
        own = _energies(device, one, base, network)
        number = sum(len(e.kept) for e in own)
        doubt = _doubt(number, own) if number else ""
        told += number
        if doubt:
            warnings.append(f"{_title(one.key, number)}: {doubt}; left out")
        elif number:
            by_processor.setdefault(one.key[1], {})[one.key] = (one, own)
    if not told and not idle:
        return None
    processors, sets = list[ProcessorPower](), dict[Key, SetPower]()
    for name, own_sets in sorted(by_processor.items()):
        processor, shares = _processor(name, own_sets)
        processors.append(processor)
        sets.update(shares)
    warnings += [f"{_title(key, own.n)}: {_missed(own)}" for key, own in sets.items() if not known(own)]
    return PowerFit(board, len(idle), tuple(processors), sets, tuple(warnings))


def _title(key: Key, rows: int) -> str:
    return f"power of {'/'.join(filter(None, key))}, {counted(rows, 'row')} with energies"


def _doubt(rows: int, energies: Iterable[_Energies]) -> str:
    """Why energies cannot tell a power; empty if they can."""
    if rows < FEWEST:
        return f"at least {FEWEST} are needed"
    if not all(own.full > own.fixed for own in energies):
        return "the profile tells no dynamic power that could be adjusted"
    return ""


def _missed(power: SetPower) -> str:
    return (
        f"the best fit misses them by {100 * power.mape:.0f} % on average, so that the profile's stays; "
        "energy_mj must be in millijoules, of the whole device"
    )


def _energies(
    device: Device, found: Calibrated, base: float, network: Callable[[Row], ModelGraph | None]
) -> list[_Energies]:
    kept = []
    for part in found.parts:
        at = [i for i, row in enumerate(part.rows) if _power(row) is not None]
        if at:
            own = [part.rows[i] for i in at]
            watts = np.array([_power(row) or 0.0 for row in own])
            traffic = np.array([_traffic(device, row, network(row)) for row in own])
            fixed, full = _busy(device, found.key[1], part.cores)
            kept.append(_Energies(part, at, watts, base, traffic, full, fixed))
    return kept


def _power(row: Row) -> float | None:
    return row.power if row.energy is None else row.energy / row.latency


def _idle(device: Device) -> float:
    """Power in W of the idle device without its board."""
    clusters = sum(c.power.idle * c.count for c in device.clusters)
    return clusters + sum(a.power.idle for a in device.accelerators.values()) + device.memory.background_power


def _traffic(device: Device, row: Row, graph: ModelGraph | None) -> float:
    """Energy in J of an inference's DRAM traffic."""
    if graph is None:
        return 0.0
    return sum(part_bytes(graph, op, row.precision) for op in graph) * device.memory.energy_per_byte


def _busy(device: Device, processor: str, cores: str) -> tuple[float, float]:
    """What a busy processor draws beyond idle in W: leakage less idle, and all of it."""
    units: list[Cluster | Accelerator]
    if processor == "cpu":
        units = [device.cores[i] for i in device.parse_cores(cores or "all")]
    else:
        units = [device.accelerators[processor]]
    leaking = sum(u.power.leakage * u.max_opp.voltage - u.power.idle for u in units)
    return leaking, sum(u.power.busy(u.max_opp) - u.power.idle for u in units)


def _processor(
    name: str, found: Mapping[Key, tuple[Calibrated, list[_Energies]]]
) -> tuple[ProcessorPower, dict[Key, SetPower]]:
    """The processor's power, and what of it each parameter set draws."""
    shares = {key: _shares(own, one.fit.values) for key, (one, own) in found.items()}
    errors = {key: _errors(own, shares[key], one.fit.values) for key, (one, own) in found.items()}
    told = [key for key in found if fmean(errors[key]) <= _POOR] or list(found)
    highest = max(float(max(shares[key])) for key in told)
    widest = max((e for _, own in found.values() for e in own), key=lambda e: e.full)
    factor = max(0.05, (highest * widest.full - widest.fixed) / (widest.full - widest.fixed))
    scale = (widest.fixed + factor * (widest.full - widest.fixed)) / widest.full
    sets = {}
    for key, (one, own) in found.items():
        computing, waiting = (float(share) / scale for share in shares[key])
        power = KernelPower(computing, waiting, _held_out(one, own))
        sets[key] = SetPower(power, len(errors[key]), fmean(errors[key]))
    every = [error for own in errors.values() for error in own]
    return ProcessorPower(name, factor, len(every), fmean(every)), sets


def _shares(energies: Iterable[_Energies], values: Values, unseen: Container[str] = ()) -> FloatArray:
    """Shares of the profile's busy power while computing and while waiting, by robust least squares in relative power.

    Parameters
    ----------
    unseen
        Networks that are left out.
    """
    from scipy.optimize import nnls

    rows, right = [], []
    for own in energies:
        taken = [own.part.rows[i].model not in unseen for i in own.kept]
        rows.append((own.design(values) / own.watts[:, None] / _SCATTER)[taken])
        right.append((own.drawn() / own.watts / _SCATTER)[taken])
    matrix, target = np.concatenate(rows), np.concatenate(right)
    usual = float(matrix.sum(axis=1) @ target / np.sum(matrix.sum(axis=1) ** 2)) if len(target) else 1.0
    alike = np.array([[-1.0, 1.0]]) / max(usual, 1e-6)
    weights = np.ones(len(target))
    shares = np.array([usual, usual])
    for _ in range(_ROUNDS):
        weighed = np.concatenate([matrix * weights[:, None], alike])
        shares = np.array(nnls(weighed, np.append(target * weights, 0.0))[0])
        weights = 1.0 / np.sqrt(1.0 + ((matrix @ shares - target) / _USUAL) ** 2)
    return shares


def _errors(energies: Iterable[_Energies], shares: FloatArray, values: Values) -> list[float]:
    """Absolute errors of powers at the measured latencies, as shares."""
    return [
        float(error)
        for own in energies
        for error in np.abs((own.design(values) @ shares - own.drawn()) / own.watts)
    ]


def _held_out(found: Calibrated, energies: Sequence[_Energies]) -> float | None:
    """Mean error of energies by fits, of latencies and powers, to other families; None with one family only."""
    errors: list[float] = []
    for fold, values in found.folds:
        unseen = {model for model, family in found.families.items() if family in fold}
        shares = _shares(energies, values, unseen)
        for own in energies:
            latency = own.part.model.latencies(values)[own.kept]
            predicted = (own.base + own.design(values) @ shares) * latency + own.traffic
            wrong = np.abs(predicted / (own.watts * own.seconds) - 1.0)
            models = [own.part.rows[i].model for i in own.kept]
            errors += [float(error) for error, model in zip(wrong, models, strict=True) if model in unseen]
    return fmean(errors) if errors else None
