"""Arrival times from a CSV file."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from socsim.errors import Fault, FileError
from socsim.workloads.csvfile import csv_rows

__all__ = ["read_trace"]

_UNITS = {"arrival_s": 1.0, "arrival_ms": 1e3, "arrival_us": 1e6, "arrival_ns": 1e9}


def read_trace(path: str | Path) -> tuple[float, ...]:
    """Read arrival times in s from a CSV file.

    Parameters
    ----------
    path
        A file with a header and one arrival in each row, in the column ``arrival_s``, ``arrival_ms``,
        ``arrival_us`` or ``arrival_ns``; other columns are left alone. Times count from the start of the run.

    Raises
    ------
    FileError
        The file cannot be read, has no or several such columns or no rows, or a time that is no number, negative
        or before the one above it; all bad rows in one pass, each with its line.
    """
    rows = csv_rows(path)
    column, per_second = _column(str(path), rows)
    times, faults = list[float](), list[Fault]()
    for line, row in rows[1:]:
        text = row[column].strip() if column < len(row) else ""
        time, fault = _row_time(text, per_second, times[-1] if times else 0.0)
        if fault:
            faults.append(Fault(line, column + 1, "", fault))
        else:
            times.append(time)
    if faults or not times:
        raise FileError(str(path), faults or [Fault(0, 0, "", "has no arrivals below its header")])
    return tuple(times)


def _column(path: str, rows: list[tuple[int, list[str]]]) -> tuple[int, float]:
    """Where the times are, and how many of their unit are a second."""
    line, header = rows[0] if rows else (0, [])
    names = [name.strip() for name in header]
    found = [name for name in names if name in _UNITS]
    if len(found) != 1:
        got = f"the columns are {', '.join(map(repr, names))}" if names else "the file is empty"
        message = f"needs one column {', '.join(_UNITS)} with the times; {got}"
        raise FileError(path, [Fault(line, 1 if line else 0, "", message)])
    return names.index(found[0]), _UNITS[found[0]]


def _row_time(text: str, per_second: float, before: float) -> tuple[float, str]:
    """A row's time in s, and what is wrong with it."""
    try:
        time = float(text) / per_second
    except ValueError:
        return 0.0, f"an arrival time must be a number, got {text!r}"
    if not isfinite(time) or time < 0.0:
        return 0.0, f"an arrival time must be finite and not negative, got {text!r}"
    if time < before:
        return 0.0, f"arrival times must not decrease, got {text!r} after {before * per_second:g}"
    return time, ""
