"""Output directories of sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from socsim.results.store import output_directory, write_table
from socsim.sweeps.plan import Sweep
from socsim.sweeps.tables import frame

__all__ = ["save_sweep"]


def save_sweep(
    plan: Sweep, rows: Sequence[dict[str, Any]], directory: str | Path, overrides: Iterable[str] = ()
) -> Path:
    """Write every run's rows (``runs.parquet``), the resolved experiment with its sweep, and a manifest.

    Parameters
    ----------
    plan, rows
        What was swept and what came out.
    directory
        A new or empty directory, or one that socsim wrote before, which is then replaced.
    overrides
        ``key=value`` settings that changed the experiment; kept in the manifest.

    Returns
    -------
    The absolute path of the directory.

    Raises
    ------
    UsageError
        The directory may not be written.
    """
    about = {
        "experiment": plan.config,
        "device": plan.base["device"],
        "runs": len(plan),
        "overrides": list(overrides),
    }
    with output_directory(directory, about) as partial:
        write_table(frame(rows), partial, "runs")
    return Path(directory).resolve()
