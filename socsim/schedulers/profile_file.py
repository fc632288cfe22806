"""Profiles as files: one row for each part of an operator that was timed, as comma-separated values."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from socsim.errors import Fault, FileError, UsageError, nearest

__all__ = ["COLUMNS", "ProfileRow", "check_profile_target", "read_profile", "write_profile"]


class ProfileRow(NamedTuple):
    """What one part of an operator took; the fields are the columns of the file."""

    device: str
    library: str
    model: str
    processor: str
    layout: str
    """Memory type of its tensors; empty on the CPU."""
    dtype: str
    cores: str
    """Worker threads' cores, such as ``prime:1+gold:3``; empty on accelerators."""
    operator: str
    kernel_class: str
    share: float
    """Share of the operator's output, 1 for all of it."""
    dimension: str
    """``OC`` or ``H``; empty for a whole operator."""
    halo_rows: int
    """Output rows computed beside the share's own."""
    latency_ms: float
    """Mean time over the repetitions, without the fixed cost of an invocation."""
    sd_ms: float
    """Standard deviation over the repetitions; 0 for one."""
    repetitions: int
    clocks: str
    """Clocks that it was measured at, such as ``prime:2.84 GHz+gold:2.42 GHz``."""

    @property
    def part(self) -> tuple[object, ...]:
        """What was timed: everything but the results."""
        return (*self[:8], self.share, self.dimension, self.halo_rows)


COLUMNS: tuple[str, ...] = ProfileRow._fields
"""Columns of a file, in this order."""

_MOST_FAULTS = 10


def write_profile(rows: Iterable[ProfileRow], path: str | Path) -> Path:
    """Write a profile; a file appears under its name only when it is complete.

    Parameters
    ----------
    rows
        What was timed.
    path
        A new file, or a profile, which is then replaced.

    Returns
    -------
    The absolute path.

    Raises
    ------
    UsageError
        The file cannot be written, or is there and no profile.
    """
    file = check_profile_target(path)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
        partial.rename(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"cannot write profile {str(path)!r}: {error.strerror}") from None
    return file.resolve()


def check_profile_target(path: str | Path) -> Path:
    """Check that a profile may be written to a path.

    Raises
    ------
    UsageError
        Its directory does not exist, or it is there and no profile.
    """
    file = Path(path)
    if file.exists() and not _is_profile(file):
        raise UsageError(f"file {str(path)!r} is there already and is no profile; give another name")
    if not file.parent.is_dir():
        raise UsageError(f"cannot write profile {str(path)!r}: there is no directory {str(file.parent)!r}")
    return file


def _is_profile(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().rstrip("\n") == ",".join(COLUMNS)


def read_profile(path: str | Path) -> tuple[ProfileRow, ...]:
    """Read a profile.

    Raises
    ------
    FileError
        Faults of the file with their lines; the first ten of them.
    UsageError
        There is no such file, or it cannot be read.
    """
    file = Path(path)
    try:
        changed = file.stat()
        return _read(str(path), changed.st_mtime_ns, changed.st_size)
    except OSError as error:
        raise UsageError(
            f"cannot read profile {str(path)!r}: {error.strerror}; 'socsim profile' writes one"
        ) from None


@lru_cache(maxsize=8)
def _read(path: str, changed: int, size: int) -> tuple[ProfileRow, ...]:
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            _check_header(path, header)
            return _rows(path, reader)
    except UnicodeDecodeError as error:
        raise FileError(path, [Fault(0, 0, "", f"a profile is UTF-8 text; {error.reason}")]) from None


def _check_header(path: str, header: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    if missing:
        guess = nearest(missing[0], unknown)
        hint = f"did you mean it by {guess!r}?" if guess else f"columns are {', '.join(COLUMNS)}"
        raise FileError(path, [Fault(1, 1, "", f"a profile needs the column {missing[0]!r}; {hint}")])
    if list(header) != list(COLUMNS):
        raise FileError(
            path, [Fault(1, 1, "", f"a profile's columns are {', '.join(COLUMNS)}, in this order")]
        )


def _rows(path: str, reader: Any) -> tuple[ProfileRow, ...]:
    """All rows, or all faults."""
    rows: list[ProfileRow] = []
    faults: list[Fault] = []
    seen: dict[tuple[object, ...], int] = {}
    for line, cells in _lines(reader, faults):
        try:
            row = _row(cells)
        except ValueError as error:
            faults.append(Fault(line, 1, "", str(error)))
        else:
            first = seen.setdefault(row.part, line)
            if first != line:
                faults.append(Fault(line, 1, "", f"times the same part of {row.operator!r} as line {first}"))
            rows.append(row)
        if len(faults) == _MOST_FAULTS:
            break
    if not rows and not faults:
        faults.append(Fault(1, 1, "", "a profile has a row for each part that was timed, got none"))
    if faults:
        raise FileError(path, faults)
    return tuple(rows)


def _lines(reader: Any, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not empty; broken quoting is a fault and the end."""
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        faults.append(Fault(reader.line_num, 1, "", f"broken quoting: {error}"))


def _row(cells: Sequence[str]) -> ProfileRow:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"a row has {len(COLUMNS)} values, got {len(cells)}")
    values = [_value(name, text) for name, text in zip(COLUMNS, cells, strict=True)]
    row = ProfileRow(*values)
    if row.dimension not in (("",) if row.share == 1.0 else ("OC", "H")):
        rule = "OC or H for a part of an operator" if row.share < 1.0 else "empty for a whole operator"
        raise ValueError(f"dimension must be {rule}, got {row.dimension!r}")
    return row


def _value(name: str, text: str) -> Any:
    rule = _RULES.get(name)
    if rule is None:
        if not text and name in _NEEDED:
            raise ValueError(f"{name} must not be empty")
        return text
    kind, holds, wanted = rule
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{name} must be {wanted}, got {text!r}") from None
    if not isfinite(value) or not holds(value):
        raise ValueError(f"{name} must be {wanted}, got {text!r}")
    return value


_NEEDED = ("device", "library", "model", "processor", "dtype", "operator")
_RULES: dict[str, tuple[Callable[[str], Any], Callable[[Any], bool], str]] = {
    "share": (float, lambda x: 0.0 < x <= 1.0, "a number above 0 and at most 1"),
    "halo_rows": (int, lambda x: x >= 0, "a whole number from 0"),
    "latency_ms": (float, lambda x: x >= 0.0, "a number from 0"),
    "sd_ms": (float, lambda x: x >= 0.0, "a number from 0"),
    "repetitions": (int, lambda x: x >= 1, "a whole number from 1"),
}
