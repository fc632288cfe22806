"""Modules of the user's own, by name or by file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from socsim.errors import UsageError

__all__ = ["import_module", "module_file"]


def import_module(name: str) -> ModuleType:
    """Import a module that is installed or in the working directory, or that is the file of a path.

    Parameters
    ----------
    name
        ``"package.module"``, or the path of a file that ends in ``.py``.

    Raises
    ------
    UsageError
        No such file.
    Exception
        Whatever importing it raises.
    """
    importlib.invalidate_caches()
    if name.endswith(".py"):
        return _from_file(Path(name).absolute())
    with _first(Path.cwd()):
        return importlib.import_module(name)


def module_file(name: str, folder: Path) -> Path | None:
    """The absolute path of the file in `folder` that a module's name or relative path stands for, if there is one."""
    if name.endswith(".py"):
        return (folder / name).absolute()
    stem = folder.absolute().joinpath(*name.split("."))
    return next((file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()), None)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    program = sys.modules.get("__main__")
    if program is not None and _is_file(program, path):
        return program
    root, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    name = ".".join(parts)
    if name not in sys.modules:
        with _first(root):
            importlib.import_module(name)
    module = sys.modules[name]
    return module if _is_file(module, path) else _beside(path, f"{name} of {root}")


def _is_file(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path.resolve()


def _beside(path: Path, name: str) -> ModuleType:
    """Import a file whose module's name another one has already."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise UsageError(f"{path}: not a module of Python")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            with _first(path.parent):
                spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


@contextmanager
def _first(folder: Path) -> Iterator[None]:
    """Modules of a folder can be imported, as in a script there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
