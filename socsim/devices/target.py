"""Where a device file may be written, and writing it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from socsim.errors import UsageError

__all__ = ["check_device_target", "write_device"]


def check_device_target(path: str | os.PathLike[str], sources: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Check that a device file may be written to a path, before anything long begins.

    Parameters
    ----------
    sources
        Files that it is made of, which it must not replace.

    Raises
    ------
    UsageError
        Not a name of a device file, a directory, no directory for it, or one of its sources.
    """
    file, shown = Path(path), os.fspath(path)
    if file.suffix not in (".yaml", ".yml"):
        raise UsageError(f"a device file ends in .yaml, got {shown!r}")
    if not file.resolve().parent.is_dir():
        raise UsageError(f"there is no folder {str(file.parent)!r} to write {file.name!r} into")
    if file.is_dir():
        raise UsageError(f"cannot write {shown!r}: it is a directory")
    if any(file.exists() and Path(s).exists() and file.samefile(s) for s in sources):
        raise UsageError(f"{shown!r} is what the device would be made of; write to another file")


def write_device(path: str | os.PathLike[str], text: str) -> Path:
    """Write a device file, which appears under its name only when it is complete.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    file = Path(path)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    finally:
        _dropped(partial)
    return file


def _dropped(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except OSError:  # its folder takes no files: there is none
        return
