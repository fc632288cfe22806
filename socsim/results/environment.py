"""What a run depends on beside its input: versions, and the state of a checkout."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from socsim._version import __version__

__all__ = ["commit", "versions"]

_PACKAGES = ("numpy", "simpy", "pandas")


def versions(*, onnx: bool = False, pyarrow: bool = False) -> dict[str, str]:
    """Versions of socsim, Python, the platform and the packages that results depend on.

    Parameters
    ----------
    onnx, pyarrow
        Whether those were used too.
    """
    packages = [*_PACKAGES, *(["onnx"] if onnx else []), *(["pyarrow"] if pyarrow else [])]
    return {
        "socsim": __version__,
        **{package: _version(package) for package in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str | None:
    """The git commit that socsim runs from, with ``-dirty`` where files have changed; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not ((root / ".git").exists() and (root / "pyproject.toml").is_file()):
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
