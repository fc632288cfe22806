"""From a table of measurements to parameter sets: one for each library, processor and data type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from socsim.calibration.complete import complete
from socsim.calibration.crossval import Fold, fold_values, predictions
from socsim.calibration.doubts import doubts
from socsim.calibration.families import row_families
from socsim.calibration.features import (
    FloatArray,
    Team,
    accelerator_kernels,
    cpu_kernels,
    host_rate,
    with_calibration,
)
from socsim.calibration.fit import Fit, Series, fit
from socsim.calibration.model import AcceleratorModel, CpuModel, OperatorModel
from socsim.calibration.networks import Networks
from socsim.calibration.operators import NONE, OperatorTimes, operator_kernels
from socsim.calibration.power import PowerFit, fit_power, known
from socsim.calibration.priors import queue
from socsim.calibration.space import Space, accelerator_space, cpu_space
from socsim.calibration.tables import Row, Table
from socsim.devices.device import Calibration, Device, KernelRate
from socsim.errors import SocsimError, UnknownNameError, UsageError, nearest
from socsim.words import counted
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import Library, load_library

__all__ = ["Calibrated", "Outcome", "Part", "calibrate"]

FEWEST = 3
"""Networks below which a parameter set is not fitted."""
OPERATOR_SCATTER = 0.2
"""What the law misses single kernels by."""
ENOUGH = 8
"""Networks below which it is, with a warning."""

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Part:
    """Measurements on one set of cores, or on an accelerator, beside predictions.

    Parameters
    ----------
    cores
        The mask; empty off the CPU.
    rows
        Measurements.
    measured, fitted, predicted
        Latencies in s: measured, of the fit to all rows, and of fits to other families (NaN with one family only).
    model
        What predicts them, of the same networks in the same order.
    """

    cores: str
    rows: tuple[Row, ...]
    measured: FloatArray
    fitted: FloatArray
    predicted: FloatArray
    model: CpuModel | AcceleratorModel


@dataclass(frozen=True)
class Calibrated:
    """A parameter set and how good it is.

    Parameters
    ----------
    key
        Library, processor, dtype, layout.
    fit
        Where least squares ended.
    calibration
        As the simulator takes it, with kernel classes that no network shows.
    shown
        Kernel classes that networks show.
    parts
        Measurements by cores.
    families
        Family of every network.
    folds
        Of the cross-validation.
    """

    key: Key
    fit: Fit
    calibration: Calibration
    shown: tuple[str, ...]
    parts: tuple[Part, ...]
    families: Mapping[str, str]
    folds: tuple[Fold, ...]


@dataclass(frozen=True)
class Outcome:
    """All that a table told of a device.

    Parameters
    ----------
    device
        With the parameter sets.
    table
        What was read.
    calibrated
        Parameter sets.
    power
        Powers; None without energies.
    warnings
        What was left out, beside the table's own.
    """

    device: Device
    table: Table
    calibrated: tuple[Calibrated, ...]
    power: PowerFit | None
    warnings: tuple[str, ...]


def calibrate(
    device: Device,
    table: Table,
    *,
    operators: OperatorTimes = NONE,
    models: str | Path | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Outcome:
    """Fit all parameter sets that a table has measurements for.

    Parameters
    ----------
    device
        Hardware facts; parameter sets that it has already are no part of what is expected.
    table
        Measurements of it.
    operators
        Measured kernels of its accelerators.
    models
        Folder of networks ``NAME.onnx``, which go before the zoo's.
    progress
        Called as fits are done: what is fitted, fits done and all fits of it.

    Raises
    ------
    UsageError
        No library, processor and precision has rows of enough networks.
    """
    return _Calibrator(device, table, operators, models, progress).outcome()


class _Calibrator:
    """Fits group after group: the CPU's first, as accelerators leave to it what they cannot run."""

    def __init__(
        self,
        device: Device,
        table: Table,
        operators: OperatorTimes,
        models: str | Path | None,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._device, self._table, self._operators, self._progress = device, table, operators, progress
        self._zoo = Networks(models)
        self._families = dict(row_families(table.rows))
        self._warnings = list(operators.warnings)
        self._fastest = device.cores[device.fastest_core]

    def outcome(self) -> Outcome:
        groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in self._table.rows:
            groups[row.library, row.processor, row.precision].append(row)
        done: list[Calibrated] = []
        for group in sorted(groups, key=lambda g: (g[1] != "cpu", g)):
            rows = self._usable(group, groups[group])
            if rows:
                done.append(self._group(group, rows))
                self._device = with_calibration(self._device, done[-1].calibration)
        if not done:
            why = "; ".join((*self._table.warnings, *self._warnings))
            raise UsageError(f"{self._table.path}: nothing can be calibrated: {why}")
        self._unused(done)
        power = fit_power(self._device, done, self._table.rows, self._zoo.loaded)
        self._warnings += power.warnings if power else ()
        done = [_powered(one, power) for one in done]
        self._device = with_calibration(self._device, *(one.calibration for one in done))
        return Outcome(self._device, self._table, tuple(done), power, tuple(self._warnings))

    def _unused(self, done: Iterable[Calibrated]) -> None:
        """Tell of measured kernels that are of no library and precision whose networks were fitted on the GPU."""
        used = {(found.key[0], found.key[2]) for found in done if found.key[1] == "gpu"}
        for key, times in sorted(self._operators.times.items()):
            if key not in used:
                self._warnings.append(
                    f"{counted(len(times), 'measured kernel')} of {'/'.join(key)}: the table has no networks on "
                    "the gpu that could be fitted with them: left out"
                )

    def _usable(self, group: tuple[str, str, str], rows: Sequence[Row]) -> list[Row]:
        """Rows of networks that there are, and that the library runs; none if too few."""
        library, (_, processor, dtype) = load_library(group[0]), group
        title = "/".join(group)
        if dtype not in library.dtypes(processor):
            self._warn(f"{title}: {library.title} has no {dtype} kernels on the {processor}", len(rows))
            return []
        lacking = self._without_peak(processor, dtype)
        if lacking:
            self._warn(f"{title}: the profile does not tell what the {lacking} does in {dtype}", len(rows))
            return []
        kept = self._loaded(title, library, rows)
        networks = len({row.model for row in kept})
        if not kept:
            return []
        if networks < FEWEST:
            needed = f"{counted(networks, 'network')}, at least {FEWEST} are needed"
            self._warn(f"{title}: rows of {needed}", len(kept))
            return []
        if networks < ENOUGH:
            self._warnings.append(f"{title}: only {networks} networks; {ENOUGH} to 12 are enough as a rule")
        return kept

    def _loaded(self, title: str, library: Library, rows: Sequence[Row]) -> list[Row]:
        """Rows of networks that can be loaded."""
        kept, lost = list[Row](), defaultdict[str, list[Row]](list)
        for row in rows:
            try:
                self._zoo.load(row.model, library)
                kept.append(row)
            except UnknownNameError as error:
                guess = nearest(row.model, error.known)
                lost[f"unknown network {row.model!r}" + (f" (is it {guess!r}?)" if guess else "")].append(row)
            except SocsimError as error:
                lost[f"network {row.model!r} cannot be used: {error}"].append(row)
        for why, own in lost.items():
            self._warn(f"{title}: {why}, line {own[0].line}", len(own))
        return kept

    def _without_peak(self, processor: str, dtype: str) -> str:
        """A cluster or accelerator whose peak rate in a data type is not known; empty if all are."""
        units = self._device.clusters if processor == "cpu" else [self._device.accelerators[processor]]
        return next((unit.name for unit in units if dtype not in unit.macs_per_cycle), "")

    def _warn(self, what: str, rows: int) -> None:
        self._warnings.append(f"{what}: {counted(rows, 'row')} left out")

    def _group(self, group: tuple[str, str, str], rows: Sequence[Row]) -> Calibrated:
        library = load_library(group[0])
        graphs = {name: self._zoo.load(name, library) for name in sorted({row.model for row in rows})}
        if group[1] == "cpu":
            key: Key = (*group, "")
            space, series, taken = self._cpu(library, key, rows, graphs)
        else:
            key = (*group, self._layout(library, group[1]))
            space, series, taken = self._accelerator(library, key, rows, graphs)
        return self._fitted(key, library, space, series, taken)

    def _layout(self, library: Library, processor: str) -> str:
        own = self._device.accelerators[processor].layouts
        return next((layout for layout in own if layout in library.layouts(processor)), own[0])

    def _cpu(
        self, library: Library, key: Key, rows: Sequence[Row], graphs: Mapping[str, ModelGraph]
    ) -> tuple[Space, list[Series], list[list[Row]]]:
        kernels = cpu_kernels(library, key[2], graphs, self._fastest)
        masks = sorted({row.cores for row in rows}, key=lambda mask: (mask.count("+"), mask))
        teams = {mask: Team.of(self._device, library, mask) for mask in masks}
        taken = [sorted((r for r in rows if r.cores == mask), key=lambda r: r.model) for mask in masks]
        series = [
            Series(
                CpuModel(kernels.select([r.model for r in own]), teams[mask], key[2]),
                np.array([r.latency for r in own]),
            )
            for mask, own in zip(masks, taken, strict=True)
        ]
        return cpu_space(key[0], key[2], kernels.classes, [t.cores for t in teams.values()]), series, taken

    def _accelerator(
        self, library: Library, key: Key, rows: Sequence[Row], graphs: Mapping[str, ModelGraph]
    ) -> tuple[Space, list[Series], list[list[Row]]]:
        device = self._with_cpu(library)
        accelerator = device.accelerators[key[1]]
        kernels = accelerator_kernels(device, library, key, graphs)
        taken = sorted(rows, key=lambda r: r.model)
        model = AcceleratorModel(
            kernels.select([r.model for r in taken]),
            accelerator,
            key[2],
            device.memory.bandwidth,
            self._host_rate(device, library, key, graphs),
        )
        scatter = queue(library.name).scatter
        series = [
            Series(model, np.array([r.latency for r in taken]), scatter),
            *self._kernels(library, key, model),
        ]
        space = accelerator_space(key[0], accelerator, key[2], kernels.classes, timed=len(series) > 1)
        return space, series, [taken]

    def _host_rate(
        self, device: Device, library: Library, key: Key, graphs: Mapping[str, ModelGraph]
    ) -> float:
        own = with_calibration(device, Calibration(*key, kernels={"other": KernelRate(1.0)}))
        return host_rate(own, library, next(iter(graphs.values())))

    def _kernels(self, library: Library, key: Key, model: AcceleratorModel) -> Iterable[Series]:
        """Measured kernels of an accelerator, if there are some."""
        times = self._operators.times.get((key[0], key[2])) if key[1] == "gpu" else None
        if times:
            kernels, seconds, families = operator_kernels(library, key, times, model.kernels.classes)
            self._families.update(families)
            if len(seconds) < len(times):
                number = counted(len(times) - len(seconds), "measured kernel")
                self._warnings.append(f"{number} of classes that no network shows, or of odd sizes: left out")
            if len(seconds):
                alone = OperatorModel(kernels, model.accelerator, key[2], model.memory)
                yield Series(alone, seconds, OPERATOR_SCATTER)

    def _with_cpu(self, library: Library) -> Device:
        """The device with some calibration of its CPU, for operators that fall back."""
        has = set.intersection(*(set(c.macs_per_cycle) for c in self._device.clusters))
        dtype = next((d for d in library.dtypes("cpu") if d in has), None)
        if dtype is None or any(known[:2] == (library.name, "cpu") for known in self._device.calibrations):
            return self._device
        space = cpu_space(library.name, dtype, ["other"], [[self._fastest]])
        values = space.values(space.start)
        return with_calibration(
            self._device, complete(library, (library.name, "cpu", dtype, ""), values, self._fastest)
        )

    def _fitted(
        self, key: Key, library: Library, space: Space, series: list[Series], taken: list[list[Row]]
    ) -> Calibrated:
        families = {row.model: self._families[row.model] for own in taken for row in own}
        names = {name for s in series for name in s.model.kernels.networks}
        title = " ".join(filter(None, key))
        total = 1 + min(5, len(set(families.values())))
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self._progress(title, done, total)

        found = fit(space, series)
        step()
        whole = series[: len(taken)]
        self._warnings += [
            f"{'/'.join(key[:3])}: {doubt}" for doubt in doubts(self._device, key[1], found, whole)
        ]
        families_of = {n: self._families[n] for n in names}
        folds = fold_values(series, families_of, lambda some: fit(space, some), done=step)
        predicted = predictions(series, families_of, folds)
        parts = [
            Part(own[0].cores, tuple(own), s.seconds, s.model.latencies(found.values), p, s.model)
            for own, s, p in zip(taken, series, predicted, strict=False)
        ]
        calibration = complete(library, key, found.values, self._fastest)
        return Calibrated(key, found, calibration, space.fixed.classes, tuple(parts), families, folds)


def _powered(found: Calibrated, power: PowerFit | None) -> Calibrated:
    """With what energies tell of its power."""
    told = power.sets.get(found.key) if power else None
    if told is None or not known(told):
        return found
    return replace(found, calibration=replace(found.calibration, power=told.power))
