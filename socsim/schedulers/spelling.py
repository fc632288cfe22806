"""What names a scheduler, a governor, a manager or a policy of reuse, as tables and files write it, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from socsim.schedulers import modules
from socsim.schedulers.specs import respelled, short_name, unpack_spec

__all__ = [
    "class_path",
    "described",
    "listed",
    "located",
    "module_files",
    "shortened",
    "spec_text",
]


def shortened(part: Any) -> Any:
    """Modules and files without their folders, classes and objects by their class's name."""
    if isinstance(part, Path):
        return part.name
    if isinstance(part, str):
        return short_name(part)
    return part.__name__ if isinstance(part, type) else type(part).__name__


def described(part: Any) -> str:
    """Names and files as they are, classes and objects as ``module:Class``."""
    return str(part) if isinstance(part, (str, Path)) else class_path(part)


def class_path(made: object) -> str:
    """``module:Class`` of a class or an object."""
    cls = made if isinstance(made, type) else type(made)
    return f"{cls.__module__}:{cls.__qualname__}"


def spec_text(kind: str, spec: Any) -> str:
    """A mapping as ``name(option=value, ...)``; in it, those that are options too."""
    if not isinstance(spec, Mapping) or "name" not in spec:
        return str(spec)
    name, options = unpack_spec(kind, spec)
    return name + listed(kind, options)


def listed(kind: str, options: Mapping[str, Any]) -> str:
    """``(option=value, ...)``; nothing where there are none."""
    inside = ", ".join(f"{key}={spec_text(kind, value)}" for key, value in options.items())
    return f"({inside})" if options else ""


def located(spec: Any, folder: Path) -> Any:
    """The same, with absolute paths of the files in `folder` that it names: modules of classes, and profiles."""

    def found(part: Any) -> Any:
        if isinstance(part, Path):
            return str((folder / part).absolute())
        file = _module_file(part, folder)
        return f"{file}:{part.rpartition(':')[2]}" if file else part

    return respelled(spec, found)


def module_files(spec: Any) -> list[Path]:
    """The files that something comes from, where `spec` tells their paths: its class's module, and profiles."""
    files: list[Path] = []

    def note(part: Any) -> Any:
        file = part if isinstance(part, Path) else _module_file(part, Path.cwd())
        if file and str(part).startswith("/"):
            files.append(file)
        return part

    respelled(spec, note)
    return files


def _module_file(part: Any, folder: Path) -> Path | None:
    module, colon, _ = part.rpartition(":") if isinstance(part, str) else ("", "", "")
    return modules.module_file(module, folder) if colon else None
