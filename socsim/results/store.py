"""Output directories that are complete or not there, and what they need to be run again."""

from __future__ import annotations

import glob
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import UsageError
from socsim.results.environment import commit, versions
from socsim.results.inputs import input_hashes
from socsim.results.plain import plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EXPERIMENT",
    "MANIFEST",
    "REPORT",
    "check_output",
    "output_directory",
    "read_manifest",
    "write_about",
    "write_table",
]

MANIFEST = "manifest.json"
"""Written last: a directory without it is not a finished output."""

EXPERIMENT = "experiment.yaml"
"""The resolved experiment, in the outputs of one; ``socsim run`` reads it."""

REPORT = "report.html"
"""The page that ``socsim report`` makes of an output, where it stays beside it."""


@contextmanager
def output_directory(target: str | Path, about: Mapping[str, Any]) -> Iterator[Path]:
    """Fill a directory that appears under its name only when everything is written.

    Parameters
    ----------
    target
        Where it shall be. A directory that socsim wrote before is replaced, with everything in it.
    about
        ``experiment``: the resolved experiment, if the output is of one; ``command``, ``overrides``, ``seed`` and
        more, for the manifest.

    Yields
    ------
    A temporary directory beside `target`; it is renamed at the end, or deleted after an exception.

    Raises
    ------
    UsageError
        `target` is a file, the current directory, holds files that socsim did not write, or cannot be
        written.
    """
    final = check_output(target)
    _sweep(final)
    partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot write into output directory {str(target)!r}: {error.strerror}") from None
    try:
        yield partial
        write_about(partial, about)
        _replace(final, partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _sweep(final: Path) -> None:
    """Delete what processes that no longer run have left half-written beside an output directory."""
    for left in final.parent.glob(f".{glob.escape(final.name)}.*.partial"):
        pid = left.name.removeprefix(f".{final.name}.").removesuffix(".partial")
        if pid.isdecimal() and left.is_dir() and not _runs(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def check_output(target: str | Path) -> Path:
    """Return the absolute path of an output directory, if one may be written there.

    Raises
    ------
    UsageError
        It may not; see :func:`output_directory`.
    """
    path = Path(target).resolve()
    if path.exists() and not path.is_dir():
        raise UsageError(f"output directory {str(target)!r} is a file; name a directory")
    if Path.cwd().is_relative_to(path):
        raise UsageError(
            f"output directory {str(target)!r} is where you are; name one below it, such as 'out'"
        )
    above = next(parent for parent in path.parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"output directory {str(target)!r} cannot be made: {str(above)!r} is a file")
    foreign = _foreign_file(path)
    if foreign:
        raise UsageError(
            f"output directory {str(target)!r} holds {foreign!r}, which socsim did not write; "
            "name a new directory, an empty one or one that socsim wrote"
        )
    return path


def _foreign_file(path: Path) -> str:
    """A file in a directory that its manifest does not list, or ``""``."""
    if not path.is_dir():
        return ""
    files = _files(path)
    own = {MANIFEST, REPORT, *read_manifest(path).get("files", ())} if MANIFEST in files else set()
    return next((file for file in files if file not in own), "")


def _files(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if not p.is_dir())


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of an output directory; empty if there is none that socsim could have written."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    own = isinstance(manifest, dict) and isinstance(manifest.get("files"), list) and "socsim" in manifest
    return manifest if own else {}


def write_about(directory: Path, about: Mapping[str, Any]) -> None:
    """Write the resolved experiment, if there is one, and then the manifest, into a directory that is complete.

    Parameters
    ----------
    directory
        All files in it are the output's.
    about
        As for :func:`output_directory`.
    """
    import yaml

    experiment = plain(about.get("experiment", {}))
    if experiment:
        text = yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True, width=110)
        (directory / EXPERIMENT).write_text(text, encoding="utf-8")
    files, inputs = _files(directory), input_hashes(experiment)
    found = versions(
        onnx=any(name.endswith(".onnx") for name in inputs), pyarrow=any(map(_is_parquet, files))
    )
    manifest = {
        "socsim": found["socsim"],
        "commit": commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(sys.argv),
        "overrides": [],
        **plain(about),
        **({"experiment": experiment} if experiment else {}),
        "inputs": inputs,
        "versions": found,
        "files": files,
    }
    partial = directory / f".{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(directory / MANIFEST)


def _is_parquet(file: str) -> bool:
    return file.endswith(".parquet")


def _replace(final: Path, partial: Path) -> None:
    """Put `partial` in the place of `final`; whoever looks meanwhile finds the old, nothing or the new."""
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    replaced = final.exists()
    if replaced:
        final.rename(old)
    try:
        partial.rename(final)
    except OSError:
        if replaced:
            old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_table(frame: pd.DataFrame, directory: Path, name: str) -> Path:
    """Write a table as Parquet, or as CSV where pyarrow is not installed.

    Returns
    -------
    The file written: `name` with ``.parquet`` or ``.csv``.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        path = directory / f"{name}.csv"
        frame.to_csv(path, index=False)
    else:
        path = directory / f"{name}.parquet"
        frame.to_parquet(path, engine="pyarrow", index=False)
    return path
