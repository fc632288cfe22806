"""What names a scheduler or a governor, as tables and files write it, and the files that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from socsim.schedulers import modules
from socsim.schedulers.specs import respelled, short_name, unpack_spec

__all__ = [
    "class_path",
    "describe_spec",
    "described",
    "listed",
    "located",
    "module_files",
    "shortened",
    "spec_text",
    "write_spec",
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


def write_spec(
    kind: str, base: type | tuple[type, ...], spec: Any, differing: Callable[[Any], Mapping[str, Any]]
) -> str:
    """How tables call what names a scheduler, a governor or a manager.

    Parameters
    ----------
    kind, base
        Which of them, and its base class.
    spec
        An object, written as it was asked for, or as its class with the options that differ from their defaults; or a
        name, a class or a mapping, written as they are, modules and files without their folders.
    differing
        Options of an object that are not their defaults.
    """
    if isinstance(spec, base):
        own: Any = spec
        return str(own.written or own.title + listed(kind, differing(own)))
    return spec_text(kind, respelled(spec, shortened))


def describe_spec(
    base: type | tuple[type, ...], spec: Any, differing: Callable[[Any], Mapping[str, Any]]
) -> Any:
    """The same as an experiment file has it; an object becomes its class with its options."""
    if not isinstance(spec, base):
        return respelled(spec, described)
    options = differing(spec)
    return {"name": class_path(spec), **options} if options else class_path(spec)


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
