"""Inference libraries: which operators they run where, with which kernels, on which threads.

A library is a YAML file; what it says is checked into frozen objects, so that a new library needs no code.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import resources
from pathlib import Path

from socsim import yamlfile
from socsim.resources import named_file
from socsim.workloads.library_rules import Backend, Library, Rule
from socsim.workloads.library_spec import LibrarySpec

__all__ = ["Backend", "Library", "Rule", "library_names", "load_library"]


def library_names() -> list[str]:
    """Names of the libraries that come with socsim."""
    return sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))


def load_library(name: str | os.PathLike[str]) -> Library:
    """Load a library by name, or from a file's path.

    Raises
    ------
    UnknownNameError
        Neither a name nor a file.
    FileError
        The file breaks its rules; all faults are told at once, with their places.
    """
    path = named_file("library", name, library_names(), _folder())
    return _load(path, path.stat().st_mtime_ns)


def _folder() -> Path:
    return Path(str(resources.files(__package__))) / "libraries"


@lru_cache(maxsize=64)
def _load(path: Path, changed: int) -> Library:
    return yamlfile.validate(yamlfile.read(path), LibrarySpec).build()
