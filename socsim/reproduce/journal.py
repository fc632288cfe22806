"""What an unfinished reproduction has done already, so that the next one need not do it again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from socsim.reproduce.claim import Job
from socsim.resources import data_dir
from socsim.results.environment import versions

__all__ = ["Journal", "cache_directory", "fingerprint"]

_SUFFIXES = {".py", ".yaml", ".csv", ".json"}


class Journal:
    """A directory with a file for each finished job; entries of other versions are never found.

    Parameters
    ----------
    directory
        Of all journals; the one of this version, these profiles and these experiments is a directory in it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory / fingerprint()[:20]

    def find(self, key: str, job: Job) -> tuple[Any] | None:
        """The result of a job, in a tuple of one; None where it is not there or not whole."""
        try:
            entry = json.loads(self._file(key, job).read_text(encoding="utf-8"))
            return (entry["result"],)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, job: Job, result: Any) -> None:
        """Write a result; complete or not at all. A place that cannot be written costs nothing but the resumption."""
        file = self._file(key, job)
        partial = file.with_suffix(f".{os.getpid()}.partial")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"key": key, "result": result}), encoding="utf-8")
            partial.replace(file)
        except OSError:
            if self.directory.is_dir():
                partial.unlink(missing_ok=True)

    def forget(self, key: str, job: Job) -> None:
        """Drop an entry."""
        with suppress(OSError):
            self._file(key, job).unlink()

    def clear(self) -> None:
        """Forget everything of this version."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def tidy(self) -> None:
        """Remove the directory where nothing in it is left to be resumed, and halves that a killed process left."""
        if not self.directory.is_dir() or any(self.directory.glob("*.json")):
            return
        self.clear()

    def _file(self, key: str, job: Job) -> Path:
        function = f"{job.function.__module__}.{job.function.__qualname__}"
        told = json.dumps([key, function, job.arguments])
        return self.directory / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"


def cache_directory() -> Path:
    """Where journals are: below ``$XDG_CACHE_HOME``, or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "socsim" / "reproduce"


@cache
def fingerprint() -> str:
    """A digest of all that results depend on: versions, code, profiles, libraries, networks, experiments."""
    digest = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    folders = (Path(__file__).resolve().parents[1], data_dir("device_profiles"), data_dir("experiments"))
    for number, folder in enumerate(folders):
        for file in sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES):
            digest.update(f"{number}/{file.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
