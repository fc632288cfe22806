"""Recorded traces of processes: which process asked when for how much of which processor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from socsim.devices.cfs import nice_weight
from socsim.errors import Fault, FileError, SocsimError, UsageError, nearest
from socsim.workloads.csvfile import csv_rows

__all__ = ["ProcessBurst", "process_bursts", "read_process_trace"]

_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_PROCESSORS = ("cpu", "gpu", "dsp", "npu")
_TEXTS = ("process", "processor")
_TIMES = ("start", "demand")
_OPTIONAL = ("thread", "nice", "affinity", "traffic_gb_s", "iowait")


class ProcessBurst(NamedTuple):
    """A process asks for a stretch of time of a processor."""

    process: str
    start: float
    """When it asks, in s after the start of the trace."""
    processor: str
    """``cpu``, ``gpu``, ``dsp`` or ``npu``."""
    demand: float
    """Time in s: of the fastest core on the CPU, of the accelerator elsewhere, alone and at the highest clock."""
    thread: str = ""
    """CPU thread of the process; elsewhere without meaning."""
    nice: int | None = None
    """Of the thread; None for the application's."""
    affinity: str = ""
    """CPU mask of the thread; ``""`` for the application's."""
    traffic: float = 0.0
    """DRAM traffic in B/s while it has the processor."""
    iowait: bool = False
    """Whether its thread has waited for input or output before."""
    line: int = 0
    """Where it is in the file (from 1) or among the rows (from 0)."""

    def describe(self) -> dict[str, Any]:
        """A row of an experiment file, with what is not the default."""
        row: dict[str, Any] = {
            "process": self.process, "start_s": self.start, "processor": self.processor, "demand_s": self.demand
        }  # fmt: skip
        more = {"thread": self.thread, "affinity": self.affinity, "traffic_gb_s": self.traffic / 1e9}
        row |= {key: value for key, value in more.items() if value}
        if self.iowait:
            row["iowait"] = 1
        return row if self.nice is None else {**row, "nice": self.nice}


def read_process_trace(path: str | Path) -> tuple[ProcessBurst, ...]:
    """Read a trace of processes from a CSV file.

    Parameters
    ----------
    path
        A file with a header and one burst in each row: ``process``, ``processor``, and ``start`` and ``demand`` with
        their unit, such as ``start_ms`` (s, ms, us or ns). Optional are ``thread``, ``nice``, ``affinity``,
        ``traffic_gb_s`` and ``iowait`` (1 where the thread has waited for input or output before); other columns are
        left alone. Rows may be in any order.

    Returns
    -------
    Bursts in order of their starts, those of one start as in the file; without those that demand nothing.

    Raises
    ------
    FileError
        The file cannot be read, lacks a column or has no rows, or has a value outside its rule; all bad rows in one
        pass, each with its line.
    """
    rows = csv_rows(path)
    line, header = rows[0] if rows else (0, [])
    names = [name.strip() for name in header]
    try:
        columns = _Columns(names)
    except UsageError as error:
        raise FileError(str(path), [Fault(line, 1 if line else 0, "", str(error))]) from None
    cells = [(line, dict(zip(names, row, strict=False))) for line, row in rows[1:]]
    bursts, faults = _collect(columns, cells)
    if not cells:
        faults = [Fault(0, 0, "", "has no bursts below its header")]
    if faults:
        raise FileError(str(path), faults)
    return bursts


def process_bursts(rows: Any) -> tuple[ProcessBurst, ...]:
    """A trace from rows: bursts, mappings with the columns of :func:`read_process_trace`, or a pandas DataFrame.

    Raises
    ------
    UsageError
        A column that is missing, or a value outside its rule; the sentence names the row, counted from 0.
    """
    records = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
    if isinstance(records, (str, Mapping)) or not isinstance(records, Iterable):
        raise UsageError(f"rows must be a list of bursts, got {type(rows).__name__}")
    plain = [row.describe() if isinstance(row, ProcessBurst) else row for row in records]
    if not plain or not all(isinstance(row, Mapping) for row in plain):
        raise UsageError("rows need at least one burst, and each must be a mapping of columns")
    bursts, faults = list[ProcessBurst](), list[Fault]()
    for number, row in enumerate(plain):
        text = {str(key): _text(value) for key, value in row.items()}
        try:
            found, wrong = _collect(_Columns(list(text)), [(number, text)])
        except UsageError as error:
            raise UsageError(f"row {number}: {error}") from None
        bursts += found
        faults += wrong
    faults += _unlike(bursts, [0] * len(bursts))
    if faults:
        raise UsageError("; ".join(f"row {fault.line}: {fault.message}" for fault in sorted(faults)))
    return tuple(sorted(bursts, key=lambda burst: burst.start))


def _text(value: Any) -> str:
    """A value as a file has it; what a table lacks is NaN there."""
    return "" if value is None or value != value else str(value)


class _Columns:
    """Which column holds what.

    Raises
    ------
    UsageError
        One is missing, or a time is there in several units.
    """

    def __init__(self, names: Sequence[str]) -> None:
        got = f"the columns are {', '.join(map(repr, names))}" if names else "the file is empty"
        for name in _TEXTS:
            if name not in names:
                raise UsageError(f"needs a column {name!r}; {got}")
        self.names = list(names)
        self.times: dict[str, tuple[str, float]] = {}
        for what in _TIMES:
            found = [(f"{what}_{unit}", scale) for unit, scale in _UNITS.items() if f"{what}_{unit}" in names]
            if len(found) != 1:
                known = ", ".join(f"{what}_{unit}" for unit in _UNITS)
                raise UsageError(f"needs one column {known}; {got}")
            self.times[what] = found[0]

    def place(self, name: str) -> int:
        """Position of a column, from 1."""
        return self.names.index(self.times[name][0] if name in self.times else name) + 1


def _collect(
    columns: _Columns, rows: Iterable[tuple[int, Mapping[str, str]]]
) -> tuple[tuple[ProcessBurst, ...], list[Fault]]:
    bursts, faults = list[ProcessBurst](), list[Fault]()
    for line, cells in rows:
        values: dict[str, Any] = {}
        for name in (*_TEXTS, *_TIMES, *(o for o in _OPTIONAL if o in columns.names)):
            column, scale = columns.times.get(name, (name, 1.0))
            try:
                values[name] = _value(name, cells.get(column, "").strip(), scale)
            except SocsimError as error:
                faults.append(Fault(line, columns.place(name), "", str(error)))
        if len(values) == len(_TEXTS) + len(_TIMES) + sum(o in columns.names for o in _OPTIONAL):
            values["traffic"] = values.pop("traffic_gb_s", 0.0)
            bursts.append(ProcessBurst(**values, line=line))
    faults += _unlike(bursts, [columns.place("process")] * len(bursts))
    return tuple(sorted((b for b in bursts if b.demand), key=lambda burst: burst.start)), faults


def _value(name: str, text: str, scale: float) -> Any:
    """A cell's value in SI units."""
    if name in ("process", "thread", "affinity"):
        if not text and name == "process":
            raise UsageError("a burst needs a process, got ''")
        return text
    if name == "processor":
        return _processor(text)
    if name == "nice":
        return _nice(text) if text else None
    if name == "iowait":
        return _switch(text)
    what = {"start": "a start", "demand": "a demand"}.get(name, "traffic")
    number = _number(text or "0" if name == "traffic_gb_s" else text, what)
    return number * 1e9 if name == "traffic_gb_s" else number / scale


def _processor(text: str) -> str:
    if text in _PROCESSORS:
        return text
    guess = nearest(text, _PROCESSORS)
    tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(_PROCESSORS)}"
    raise UsageError(f"unknown processor {text!r}; {tail}")


def _nice(text: str) -> int:
    number = _number(text, "nice", least=-20.0)
    if number != int(number):
        raise UsageError(f"nice must be a whole number, got {text!r}")
    nice_weight(int(number))
    return int(number)


def _switch(text: str) -> bool:
    """Whether a cell says 1, 0 or nothing."""
    known = {"": False, "0": False, "1": True, "false": False, "true": True}
    if text.lower() not in known:
        raise UsageError(f"iowait must be 0 or 1, got {text!r}")
    return known[text.lower()]


def _number(text: str, what: str, least: float = 0.0) -> float:
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{what} must be a number, got {text!r}") from None
    if not isfinite(number) or number < least:
        rule = "not negative" if least == 0.0 else f"at least {least:g}"
        raise UsageError(f"{what} must be finite and {rule}, got {text!r}")
    return number


def _unlike(bursts: Sequence[ProcessBurst], columns: Sequence[int]) -> Iterator[Fault]:
    """Bursts of a thread whose nice value or mask is not that of its first."""
    first: dict[tuple[str, str], ProcessBurst] = {}
    for burst, column in zip(bursts, columns, strict=True):
        if burst.processor != "cpu":
            continue
        known = first.setdefault((burst.process, burst.thread), burst)
        if (known.nice, known.affinity) != (burst.nice, burst.affinity):
            here, first_told = (f"nice {b.nice} and affinity {b.affinity!r}" for b in (burst, known))
            whose = f"thread {burst.thread!r} of {burst.process!r}"
            message = (
                f"{whose} has {here}, but {first_told} in its first burst ({known.line}); neither can change"
            )
            yield Fault(burst.line, column, "", message)
