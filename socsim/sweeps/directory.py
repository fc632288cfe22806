"""The output directory of a sweep, from its first run to its tables.

``journal/sweep.json`` says which sweep it is, ``journal/runs.jsonl`` what is finished; tables and ``manifest.json``
appear when all is, the manifest last.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from socsim.errors import UsageError
from socsim.results.store import MANIFEST, read_manifest
from socsim.sweeps.identity import differences
from socsim.words import counted

__all__ = ["JOURNAL", "claimed", "read_identity", "write_durably"]

JOURNAL = "journal"
"""Folder of the journal in the output directory."""

_IDENTITY, _LOCK = "sweep.json", "lock"


@contextmanager
def claimed(target: str | Path, identity: Mapping[str, Any], *, resume: bool) -> Iterator[Path]:
    """Hold an output directory for one sweep and this process.

    Parameters
    ----------
    target
        A new or empty directory; with `resume` also one with runs of the same sweep.
    identity
        What tells the sweep from others.
    resume
        Go on with what is there.

    Yields
    ------
    The folder of its journal.

    Raises
    ------
    UsageError
        It holds something else, another process holds it, or it cannot be written.
    """
    path = Path(target).resolve()
    _check_place(path, target)
    _check_content(path, target, identity, resume)
    folder = path / JOURNAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"cannot write into output directory {str(target)!r}: {error.strerror}") from None
    try:
        _lock(lock, target)
        _check_content(path, target, identity, resume)
        if read_identity(path) is None:
            write_durably(folder / _IDENTITY, json.dumps(identity, indent=1).encode())
            _sync_folder(path)
        yield folder
    finally:
        os.close(lock)


def read_identity(path: Path) -> dict[str, Any] | None:
    """What tells the sweep in a directory from others; None where there is none."""
    try:
        found = json.loads((path / JOURNAL / _IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that is complete or not there, whatever happens."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """See that names in a folder are on the disk, where the platform can."""
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(folder)
    except OSError:
        pass
    finally:
        os.close(folder)


def _check_place(path: Path, target: str | Path) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"output directory {str(target)!r} is a file; name a directory")
    if Path.cwd().is_relative_to(path):
        raise UsageError(
            f"output directory {str(target)!r} is where you are; name one below it, such as 'out'"
        )


def _check_content(path: Path, target: str | Path, identity: Mapping[str, Any], resume: bool) -> None:
    there = read_identity(path)
    if there is None:
        strange = _strange(path)
        if strange:
            what = "the results of something else" if read_manifest(path) else f"{strange!r}"
            raise UsageError(
                f"output directory {str(target)!r} holds {what}; a sweep needs a new or empty directory"
            )
        return
    different = differences(there, identity)
    if different:
        raise UsageError(
            f"output directory {str(target)!r} holds another sweep, or this one before it was changed: it differs in "
            f"{different}; name another directory"
        )
    if not resume:
        state = "is finished" if (path / MANIFEST).is_file() else "is not finished"
        raise UsageError(
            f"output directory {str(target)!r} holds this sweep of {counted(there['runs'], 'run')}, which {state}; "
            "--resume goes on with it"
        )


def _strange(path: Path) -> str:
    """A file that is not what a sweep that was only just begun leaves."""
    if not path.is_dir():
        return ""
    own = {f"{JOURNAL}/{_LOCK}", f"{JOURNAL}/.{_IDENTITY}.partial"}
    files = sorted(str(p.relative_to(path)) for p in path.rglob("*") if not p.is_dir())
    return next((name for name in files if name not in own), "")


def _lock(file: int, target: str | Path) -> None:
    """Hold a file until it is closed or the process ends, where the platform can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UsageError(
            f"another process is running the sweep in {str(target)!r}; wait for it, or end it"
        ) from None
