"""Tables of measured latencies that a device is calibrated by, row by row, with all faults told at once.

A table is a CSV file with the columns :data:`COLUMNS`; ``energy_mj``, ``power_w``, ``idle_power_w`` and
``latency_std_ms`` (from run to run) are read where they are there, ``family`` says which networks cross-validation
keeps together, and rows with a text in ``excluded`` are left out. Columns of other names are the user's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, log
from pathlib import Path
from statistics import fmean

from socsim.devices.device import Device
from socsim.devices.modes import split_mode
from socsim.errors import Fault, FileError, SocsimError, UnknownNameError, UsageError, nearest
from socsim.measurements import TABLES, table_path
from socsim.words import counted
from socsim.workloads.csvfile import csv_rows
from socsim.workloads.library import library_names

__all__ = ["COLUMNS", "Row", "Table", "find_table", "read_table", "table_lines"]

COLUMNS = ("device", "library", "processor", "cores", "precision", "model", "latency_ms")
"""Columns that a table must have."""
_NUMBERS = ("energy_mj", "power_w", "idle_power_w")
_PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Parameters
    ----------
    line
        Where it stands.
    library, processor, cores, precision, model
        What ran where; `cores` is empty off the CPU.
    latency
        Of one inference in s.
    energy, power, idle_power
        Of one inference in J, and mean and idle power in W, of the whole device; None where the table does not tell.
    family
        As the table says; empty if it does not.
    noise
        Standard deviation of the latency between runs, as a share of it; None where the table does not tell.
    """

    line: int
    library: str
    processor: str
    cores: str
    precision: str
    model: str
    latency: float
    energy: float | None = None
    power: float | None = None
    idle_power: float | None = None
    family: str = ""
    noise: float | None = None

    @property
    def what(self) -> tuple[str, str, str, str, str]:
        """What two rows have in common that measured the same."""
        return (self.library, self.processor, self.cores, self.precision, self.model)


@dataclass(frozen=True, slots=True)
class Table:
    """What of a file can be used.

    Parameters
    ----------
    path
        The file.
    rows
        Measurements of the device, each of something else.
    warnings
        What was left out or merged, each kind counted.
    name
        What the rows call the device.
    """

    path: str
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    name: str = ""


def find_table(name: str | Path) -> Path:
    """The file of a table: a path, or the name of one that comes with socsim.

    Raises
    ------
    UnknownNameError
        Neither.
    FileError
        A directory, or the path of a CSV file that is not there.
    """
    path = Path(name)
    if str(name) in TABLES and not path.is_file():
        return table_path(str(name))
    if str(name) and path.is_dir():
        raise FileError(
            str(name), [Fault(0, 0, "", f"is a directory; give a .csv file, or one of {', '.join(TABLES)}")]
        )
    if path.is_file():
        return path
    if path.suffix.lower() == ".csv":
        raise FileError(str(name), [Fault(0, 0, "", "there is no such file")])
    raise UnknownNameError("table of measurements", str(name), TABLES, "(or give the path of a .csv file)")


def read_table(path: str | Path, device: Device, name: str = "", *, lenient: bool = False) -> Table:
    """Read the measurements of one device.

    Parameters
    ----------
    path
        A CSV file.
    device
        Whose cores and processors the rows name.
    name
        What rows call the device; its own name by default, without the power mode where no row has it.
    lenient
        Whether rows of processors that the device does not have are left out; by default they are faults.

    Raises
    ------
    FileError
        Columns that are missing, and rows that cannot be read: unknown cores, processors or precisions, and latencies
        or energies that are no positive numbers; all with their lines.
    UsageError
        No row of the device.
    """
    header, lines = table_lines(path)
    reader = _Reader(device, name or _called(device, header, lines), header, lenient)
    for line, cells in lines:
        reader.read(line, cells)
    if reader.faults:
        raise FileError(str(path), reader.faults)
    if not reader.rows:
        raise UsageError(f"{path}: {_no_rows(reader)}")
    rows, merged = _merged(reader.rows)
    return Table(str(path), tuple(rows), (*reader.warnings(), *_torn(reader.rows), *merged), reader.name)


def table_lines(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of a table's columns, and its rows as they stand, each with its line.

    Raises
    ------
    FileError
        The file cannot be read, or columns are missing or stand twice.
    """
    lines = csv_rows(path)
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise FileError(str(path), [Fault(lines[0][0] if lines else 1, 1, "", _missing(missing, header))])
    twice = [i for i, column in enumerate(header) if column and column in header[:i]]
    if twice:
        faults = [Fault(lines[0][0], i + 1, "", f"column {header[i]!r} stands twice") for i in twice]
        raise FileError(str(path), faults)
    return header, lines[1:]


def _called(device: Device, header: Sequence[str], lines: Iterable[tuple[int, Sequence[str]]]) -> str:
    """What rows call a device that may be in a power mode."""
    place = header.index("device")
    found = {cells[place].strip() for _, cells in lines if place < len(cells)}
    return device.name if device.name in found else split_mode(device.name)[0]


def _missing(missing: Sequence[str], header: Sequence[str]) -> str:
    if not any(header):
        return f"the file is empty; a table of measurements needs the columns {', '.join(COLUMNS)}"
    other = next((sign for sign in (";", "\t", "|") if len(header) == 1 and sign in header[0]), "")
    if other:
        return f"cells are divided by {other!r}; a table of measurements divides them by ','"
    guesses = [f"{column!r} (is it {guess!r}?)" for column in missing if (guess := nearest(column, header))]
    named = [repr(column) for column in missing if not nearest(column, header)]
    return f"a table of measurements needs the columns {', '.join(COLUMNS)}; missing: {', '.join([*named, *guesses])}"


def _no_rows(reader: _Reader) -> str:
    if reader.left_out:
        return f"no row of {reader.name!r} can be used: " + "; ".join(reader.warnings())
    guess = nearest(reader.name, reader.others)
    tail = f"did you mean {guess!r}?" if guess else f"it has {', '.join(sorted(reader.others)) or 'no rows'}"
    return f"no row is of device {reader.name!r}; {tail}"


class _Reader:
    """Checks rows one by one; the places of its faults are line and cell."""

    def __init__(self, device: Device, name: str, header: Sequence[str], lenient: bool) -> None:
        self.device, self.name, self._header, self._lenient = device, name, list(header), lenient
        self.rows: list[Row] = []
        self.faults: list[Fault] = []
        self.others: Counter[str] = Counter()
        self.left_out: dict[str, list[int]] = defaultdict(list)
        self.ignored: dict[str, list[int]] = defaultdict(list)
        self._libraries = library_names()
        self._masks: dict[str, str] = {}

    def read(self, line: int, cells: Sequence[str]) -> None:
        """Take one row in."""
        if len(cells) != len(self._header):
            wrong = f"has {counted(len(cells), 'cell')}, the header {len(self._header)}"
            self.faults.append(Fault(line, 1, "", wrong))
            return
        row = dict(zip(self._header, (cell.strip() for cell in cells), strict=True))
        if row["device"] != self.name:
            self.others[row["device"]] += 1
        elif row.get("excluded"):
            self.left_out["marked as excluded"].append(line)
        elif row["library"] not in self._libraries:
            self.left_out[f"of library {row['library']!r}, {self._not_had(row['library'])}"].append(line)
        elif self._lenient and row["processor"] not in self.device.processors:
            self.left_out[f"of processor {row['processor']!r}, which the device does not have"].append(line)
        else:
            self._take(line, row)

    def _not_had(self, library: str) -> str:
        guess = nearest(library, self._libraries)
        tail = f"did you mean {guess!r}?" if guess else f"it has {', '.join(self._libraries)}"
        return f"which socsim does not have ({tail})"

    def _take(self, line: int, row: Mapping[str, str]) -> None:
        found = len(self.faults)
        cores = self._cores(line, row)
        if row["precision"] not in _PRECISIONS:
            self._fault(
                line, "precision", f"must be one of {', '.join(_PRECISIONS)}, got {row['precision']!r}"
            )
        if not row["model"]:
            self._fault(line, "model", "names no network")
        latency = self._number(line, "latency_ms", row["latency_ms"])
        numbers = [self._number(line, key, row[key]) if row.get(key) else None for key in _NUMBERS]
        noise = self._noise(line, row.get("latency_std_ms", ""), latency)
        if len(self.faults) > found or latency is None:
            return
        energy, power, idle_power = numbers
        self.rows.append(
            Row(
                line, row["library"], row["processor"], cores, row["precision"], row["model"], latency * 1e-3,
                None if energy is None else energy * 1e-3, power, idle_power, row.get("family", ""),
                noise,
            )
        )  # fmt: skip

    def _cores(self, line: int, row: Mapping[str, str]) -> str:
        """The mask in the device's own spelling."""
        if row["processor"] not in self.device.processors:
            has = ", ".join(self.device.processors)
            self._fault(line, "processor", f"{self.device.name} has {has}, got {row['processor']!r}")
            return ""
        text = row["cores"]
        if row["processor"] != "cpu":
            if text:
                self.ignored[
                    f"with cores, which the {row['processor']} does not run on: they are not looked at"
                ].append(line)
            return ""
        if not text:
            return ""
        if text not in self._masks:
            try:
                self._masks[text] = self.device.core_names(self.device.parse_cores(text))
            except SocsimError as error:
                self._fault(line, "cores", str(error))
                return ""
        return self._masks[text]

    def _number(self, line: int, column: str, text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if isfinite(value) and value > 0.0:
            return value
        self._fault(line, column, f"must be a positive number, got {text!r}")
        return None

    def _noise(self, line: int, text: str, latency: float | None) -> float | None:
        """Standard deviation as a share of the latency; None of 0, which a clock too coarse for it told."""
        if not text or latency is None or text.strip("0.") == "":
            return None
        deviation = self._number(line, "latency_std_ms", text)
        if deviation is None or deviation < latency:
            return deviation and deviation / latency
        self.ignored["with a latency_std_ms above the latency: it is not looked at"].append(line)
        return None

    def _fault(self, line: int, column: str, message: str) -> None:
        self.faults.append(Fault(line, self._header.index(column) + 1, column, message))

    def warnings(self) -> list[str]:
        """What was left out, kind by kind."""
        found = [f"{_rows(lines)} {why}: left out" for why, lines in self.left_out.items()]
        found += [f"{_rows(lines)} {why}" for why, lines in self.ignored.items()]
        if self.others:
            number = sum(self.others.values())
            found.append(f"{counted(number, 'row')} of other devices ({_listed(self.others)}): left out")
        return found


def _rows(lines: Sequence[int]) -> str:
    """How many rows, and where: ``"3 rows (lines 2, 4, 9)"``."""
    places = ", ".join(map(str, lines)) if len(lines) <= 5 else f"{lines[0]} to {lines[-1]}"
    return f"{counted(len(lines), 'row')} (line{'s' * (len(lines) > 1)} {places})"


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    return ", ".join(ordered[:5]) + (f" and {len(ordered) - 5} more" if len(ordered) > 5 else "")


def _merged(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Rows of the same made one, with the geometric mean of their latencies."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.what].append(row)
    doubled = [own for own in groups.values() if len(own) > 1]
    if not doubled:
        return list(rows), []
    number = sum(len(own) for own in doubled)
    shown = [" and ".join(str(r.line) for r in own) for own in doubled[:5]]
    places = f"lines {', '.join(shown)}" + (f" and {len(doubled) - 5} more" if len(doubled) > 5 else "")
    warning = (
        f"{counted(number, 'row')} measure the same as another ({places}): "
        f"merged into {len(doubled)} by their geometric mean"
    )
    return [_mean(own) for own in groups.values()], [warning]


def _mean(rows: Sequence[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    return replace(
        rows[0],
        latency=exp(fmean(log(row.latency) for row in rows)),
        energy=_mean_of(row.energy for row in rows),
        power=_mean_of(row.power for row in rows),
        idle_power=_mean_of(row.idle_power for row in rows),
        noise=_mean_of(row.noise for row in rows),
        family=next((row.family for row in rows if row.family), ""),
    )


def _mean_of(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return fmean(told) if told else None


def _torn(rows: Iterable[Row]) -> list[str]:
    """Networks that rows count to several families."""
    families: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        families[row.model] |= {row.family} - {""}
    return [
        f"network {model!r} is of several families, {', '.join(sorted(own))}: the first row's is taken"
        for model, own in sorted(families.items())
        if len(own) > 1
    ]
