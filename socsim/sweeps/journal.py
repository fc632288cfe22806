"""What a sweep has finished, run by run: files that are only ever appended to, so that whatever ends a sweep ends the
last line at worst.

A line of ``runs.jsonl`` is a checksum, the place of the run's tables in ``tables.bin``, and the payload of an
:class:`~socsim.sweeps.task.Outcome`. A run is finished when its line is intact; its tables are on the disk before the
line is written, and lines are on the disk before anyone is told.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from socsim.errors import SweepError
from socsim.sweeps.task import Outcome

__all__ = ["LINES", "TABLES", "Journal", "Line", "read_lines"]

LINES, TABLES = "runs.jsonl", "tables.bin"
"""Names of the files."""


class Line(NamedTuple):
    """A finished run in the journal.

    Parameters
    ----------
    run, ok
        Its number, and whether it came to its end.
    at
        Where its line begins.
    place
        Where its tables begin in their file.
    payload
        JSON.
    """

    run: int
    ok: bool
    at: int
    place: int
    payload: bytes

    @property
    def content(self) -> dict[str, Any]:
        """The payload."""
        return Outcome(self.run, self.ok, self.payload).content


def read_lines(folder: Path) -> Iterator[Line]:
    """All intact lines of a journal, as they were written; one that is torn or damaged is left out."""
    try:
        stream = (folder / LINES).open("rb")
    except FileNotFoundError:
        return
    with stream:
        at = 0
        for line in stream:
            found = _parsed(line, at)
            if found is not None:
                yield found
            at += len(line)


def _parsed(line: bytes, at: int) -> Line | None:
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    body = line[9:-1]
    try:
        if int(line[:8], 16) != zlib.crc32(body):
            return None
        place, _, payload = body.partition(b" ")
        head = payload[: payload.index(b",")]
        run = int(head.removeprefix(b'{"run":'))
        return Line(run, b'"rows":' in payload, at, int(place), payload)
    except ValueError:
        return None


class Journal:
    """A journal that is written to; use it in a ``with`` block.

    Parameters
    ----------
    folder
        Where its files are; made if there are none. A torn end is cut off.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines = _Appended(folder / LINES)
        self._tables = _Appended(folder / TABLES)
        self._lines.cut(_end_of_lines(folder / LINES))
        self.finished: dict[int, bool] = {line.run: line.ok for line in read_lines(folder)}
        """Number of each run -> whether it came to its end."""

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._tables.close()

    def append(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Keep outcomes for good, those of runs that have finished before aside; returns those kept.

        Raises
        ------
        SweepError
            The disk is full, or fails; what was kept before is as it was.
        """
        fresh = {o.run: o for o in outcomes if not self.finished.get(o.run, False)}
        if not fresh:
            return []
        place = self._tables.size
        blobs, lines = [], []
        for outcome in fresh.values():
            lines.append(_line(outcome, place))
            blobs.append(outcome.tables)
            place += len(outcome.tables)
        try:
            self._tables.append(b"".join(blobs))
            self._lines.append(b"".join(lines))
        except OSError as error:
            raise SweepError(
                f"cannot write to {self.folder}: {error.strerror or error}; {len(self.finished)} finished runs are "
                "kept there, and --resume goes on with them"
            ) from None
        self.finished.update((o.run, o.ok) for o in fresh.values())
        return list(fresh.values())

    def drop_failures(self) -> None:
        """Take runs that failed for not finished."""
        self.finished = {run: ok for run, ok in self.finished.items() if ok}


def _line(outcome: Outcome, place: int) -> bytes:
    body = b"%d %s" % (place, outcome.payload)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _end_of_lines(path: Path) -> int:
    """Where the last line that has an end ends."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        while size > 0:
            start = max(0, size - (1 << 16))
            stream.seek(start)
            end = stream.read(size - start).rfind(b"\n")
            if end >= 0:
                return start + end + 1
            size = start
    return 0


class _Appended:
    """A file that grows, and is on the disk when it has grown."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.size = os.fstat(self._file).st_size

    def cut(self, size: int) -> None:
        """Leave out what comes after."""
        if size < self.size:
            os.ftruncate(self._file, size)
            self.size = size

    def append(self, data: bytes) -> None:
        """Write all or nothing."""
        if not data:
            return
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)


def table_bytes(folder: Path, line: Line, names: Mapping[str, list[int]]) -> dict[str, bytes]:
    """The tables of a run, by name.

    Raises
    ------
    SweepError
        They are damaged.
    """
    found: dict[str, bytes] = {}
    with (folder / TABLES).open("rb") as stream:
        for name, (at, length, checksum) in names.items():
            stream.seek(line.place + at)
            data = stream.read(length)
            if zlib.crc32(data) != checksum:
                raise SweepError(f"{folder / TABLES}: table {name!r} of run {line.run} is damaged")
            found[name] = data
    return found
