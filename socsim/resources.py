"""Where the data folders are: beside the package in a checkout, inside it when installed from a wheel."""

from __future__ import annotations

from pathlib import Path

from socsim.errors import SocsimError

__all__ = ["data_dir"]


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
