"""Where the data folders are: beside the package in a checkout, inside it when installed from a wheel."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from socsim.errors import SocsimError, UnknownNameError

__all__ = ["data_dir", "named_file"]


def data_dir(name: str) -> Path:
    """Return a data folder of the project, whatever the current directory.

    Parameters
    ----------
    name
        ``"device_profiles"`` or ``"experiments"``.

    Raises
    ------
    SocsimError
        There is no such folder.
    """
    package = Path(__file__).resolve().parent
    installed, checkout = package / "_data" / name, package.parent / name
    if installed.is_dir():
        return installed
    if checkout.is_dir() and (package.parent / "pyproject.toml").is_file():
        return checkout
    raise SocsimError(f"data folder {name!r} is missing; looked at {installed} and {checkout}")


def named_file(kind: str, name: str | os.PathLike[str], known: Collection[str], folder: Path) -> Path:
    """The YAML file that a name stands for, or that a path leads to.

    Parameters
    ----------
    kind
        What it describes, for messages.
    known, folder
        Names of what comes with socsim, and where their files are.

    Raises
    ------
    UnknownNameError
        Neither a name nor a file.
    """
    if isinstance(name, str) and name in known:
        return folder / f"{name}.yaml"
    path = Path(name)
    if not path.is_file():
        raise UnknownNameError(kind, str(name), known, "(or give the path of a .yaml file)")
    return path
