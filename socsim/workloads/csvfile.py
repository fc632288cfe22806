"""CSV files of traces: their rows with line numbers."""

from __future__ import annotations

import csv
from pathlib import Path

from socsim.errors import Fault, FileError

__all__ = ["csv_rows"]


def csv_rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """All rows that are not empty, the header first, each with the line that it ends on.

    Raises
    ------
    FileError
        The file cannot be read, or is no CSV file.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            return [(reader.line_num, row) for reader in [csv.reader(stream)] for row in reader if row]
    except OSError as error:
        raise FileError(str(path), [Fault(0, 0, "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise FileError(str(path), [_not_text(Path(path).read_bytes())]) from None
    except csv.Error as error:
        raise FileError(str(path), [Fault(0, 0, "", f"is no CSV file: {error}")]) from None


def _not_text(data: bytes) -> Fault:
    """Where a file stops being UTF-8."""
    for line, text in enumerate(data.split(b"\n"), 1):
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            column = len(text[: error.start].decode("utf-8")) + 1
            return Fault(line, column, "", f"is no CSV file in UTF-8: byte 0x{text[error.start]:02x}")
    return Fault(0, 0, "", "is no CSV file in UTF-8")
