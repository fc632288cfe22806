"""Measured latencies and energies beside those of the simulator: one inference alone on the idle device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from socsim import api
from socsim.calibration.networks import Networks
from socsim.calibration.tables import Row, find_table, read_table, table_lines
from socsim.devices.device import Calibration, Device
from socsim.devices.profile import device_names, load_device
from socsim.errors import Fault, FileError, SocsimError, UnknownNameError, UsageError, nearest
from socsim.measurements import TABLES, table_path
from socsim.results.metrics import metrics
from socsim.words import counted
from socsim.workloads.apps import Inference
from socsim.workloads.library import library_names, load_library

__all__ = ["Compared", "Validation", "validate"]

CALIBRATED = "calibrated"
"""Source of numbers that ``socsim calibrate`` found."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A measurement beside its prediction.

    Parameters
    ----------
    table
        File of the table.
    device
        Name of the device.
    row
        What was measured.
    latency, energy
        Simulated, in s and J of the whole device; energy is None where none was measured.
    calibration
        The parameter set that the prediction rests on.
    seen
        Whether the set was fitted to rows of this device in this table.
    """

    table: str
    device: str
    row: Row
    latency: float
    energy: float | None
    calibration: Calibration
    seen: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """All that was compared, and how many rows were not.

    Parameters
    ----------
    total
        Rows of the tables, of the device that was asked for if there was one.
    compared
        Measurements with predictions; rows that measure the same are one, with their mean.
    left_out
        Reason -> rows.
    merged
        Rows that went into another that measures the same.
    places
        Reason -> file and line of its first row; not for tables that come with socsim, nor for reasons of the table's.
    """

    total: int
    compared: tuple[Compared, ...]
    left_out: Mapping[str, int]
    merged: int
    places: Mapping[str, str] = field(default_factory=dict)


def validate(
    tables: Sequence[str | Path] = (),
    device: Device | None = None,
    *,
    name: str = "",
    models: str | Path | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Validation:
    """Simulate every row of some tables.

    Parameters
    ----------
    tables
        Files, or names of tables that come with socsim; default all of these.
    device
        Default every device that the tables name and socsim has.
    name
        What the tables call the device; its own name by default.
    models
        Folder of networks ``NAME.onnx``, which go before the zoo's.
    progress
        Called as rows are done: of which device, rows done and all rows.

    Raises
    ------
    UnknownNameError, FileError
        No such table; rows that cannot be read, with their lines.
    UsageError
        No row is left to compare; the reasons are told.
    """
    run = _Validator(device, name, Networks(models))
    for table in tables or TABLES:
        run.read(find_table(table))
    found = run.validation(progress)
    if not found.compared:
        raise UsageError(f"no row can be compared: {run.why_none(found)}")
    return found


class _Validator:
    """Reads tables, then simulates what can be."""

    def __init__(self, device: Device | None, name: str, networks: Networks) -> None:
        self._only, self._networks = device, networks
        self._name = name or (device.name if device else "")
        self._rows: list[tuple[Path, Device, str, Row]] = []
        self._left_out: Counter[str] = Counter()
        self._places: dict[str, str] = {}
        self._others: set[str] = set()
        self._total = self._merged = 0

    def read(self, path: Path) -> None:
        """Take the rows of a table in, and count those that cannot be compared."""
        usable: Counter[str] = Counter()
        for line, row in _cells(path):
            if self._only and row["device"] != self._name:
                self._others.add(row["device"])
                continue
            self._total += 1
            why = self._reason(row, guess=not _ships(path))
            if why:
                self._leave_out(why, "" if row.get("excluded") or _ships(path) else f"{path.name}:{line}")
            else:
                usable[row["device"]] += 1
        for name, number in usable.items():
            device = self._only or load_device(name)
            rows = read_table(path, device, name, lenient=True).rows
            self._merged += number - len(rows)
            self._rows += [(path, device, name, row) for row in rows]

    def _leave_out(self, why: str, place: str) -> None:
        self._left_out[why] += 1
        if place:
            self._places.setdefault(why, place)

    def _reason(self, row: Mapping[str, str], *, guess: bool) -> str:
        """Why a row cannot be compared, as far as the table tells; with a guess at what is meant, if wanted."""
        if row.get("excluded"):
            return f"excluded by the table: {row['excluded'].partition(':')[0]}"
        if row["library"] not in library_names():
            return _lacking("no library", row["library"], library_names() if guess else ())
        if not self._only and row["device"] not in device_names():
            return _lacking("no profile of", row["device"], device_names() if guess else ())
        device = self._only or load_device(row["device"])
        if row["processor"] not in device.processors:
            has = f"; it has {', '.join(device.processors)}" if guess else ""
            return f"{device.name} has no processor {row['processor']!r}{has}"
        return ""

    def why_none(self, found: Validation) -> str:
        """Why no row was compared."""
        if found.left_out:
            return "; ".join(f"{counted(n, 'row')}: {why}" for why, n in found.left_out.items())
        if not self._others:
            return "the tables have none"
        guess = nearest(self._name, self._others)
        told = f"did you mean {guess!r}?" if guess else f"they have {', '.join(sorted(self._others))}"
        return f"the tables have none of {self._name!r}; {told}"

    def validation(self, progress: Callable[[str, int, int], None]) -> Validation:
        """Everything compared."""
        found: list[Compared] = []
        for i, (path, device, name, row) in enumerate(self._rows):
            try:
                found.append(self._compared(path.name, device, name, row))
            except SocsimError as error:
                self._leave_out(_first_line(error), "" if _ships(path) else f"{path.name}:{row.line}")
            progress(name, i + 1, len(self._rows))
        reasons = dict(sorted(self._left_out.items(), key=lambda item: (-item[1], item[0])))
        return Validation(self._total, tuple(found), reasons, self._merged, self._places)

    def _compared(self, table: str, device: Device, name: str, row: Row) -> Compared:
        library = load_library(row.library)
        calibration = _calibration(
            device, row, library.layouts(row.processor) if row.processor != "cpu" else [""]
        )
        graph = self._networks.load(row.model, library)
        app = Inference(
            graph, scheduler=row.processor, library=row.library, dtype=row.precision, cores=row.cores, count=1
        )
        found = metrics(api.simulate(device, [app]).outcome)
        energy = None if row.energy is None else found["energy_mj"] * 1e-3
        seen = calibration.source.startswith(f"{CALIBRATED}:") and f"{name} in {table}" in calibration.source
        return Compared(table, device.name, row, found["latency_ms_mean"] * 1e-3, energy, calibration, seen)


def _calibration(device: Device, row: Row, layouts: Sequence[str]) -> Calibration:
    """The parameter set that a row's processor runs by; of several layouts the one that the device prefers."""
    keys = [(row.library, row.processor, row.precision, layout) for layout in layouts]
    found = [device.calibrations[key] for key in keys if key in device.calibrations]
    if not found:
        told = f"{row.library} on the {row.processor} in {row.precision}"
        raise UsageError(f"{device.name} has no rates for {told}")
    own = ("",) if row.processor == "cpu" else device.accelerators[row.processor].layouts
    return min(found, key=lambda c: own.index(c.layout))


def _cells(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table by column, each with its line."""
    header, lines = table_lines(path)
    for line, cells in lines:
        if len(cells) != len(header):
            wrong = f"has {counted(len(cells), 'cell')}, the header {len(header)}"
            raise FileError(str(path), [Fault(line, 1, "", wrong)])
        yield line, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _ships(path: Path) -> bool:
    return path.stem in TABLES and path == table_path(path.stem)


def _lacking(what: str, name: str, known: Iterable[str]) -> str:
    guess = nearest(name, known)
    return f"{what} {name!r}" + (f"; did you mean {guess!r}?" if guess else "")


def _first_line(error: SocsimError) -> str:
    """What is wrong with one row, without the many names that there are."""
    if isinstance(error, UnknownNameError):
        return _lacking(f"unknown {error.kind}", error.name, error.known)
    return str(error).partition("\n")[0]
