"""What a finished sweep leaves in its output directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from socsim.errors import SweepError
from socsim.results.store import output_directory, write_about, write_table
from socsim.sweeps.directory import JOURNAL
from socsim.sweeps.plan import Sweep
from socsim.sweeps.progress import Progress
from socsim.sweeps.publishing import write_failures, write_rows, write_tables
from socsim.sweeps.rows import Row
from socsim.sweeps.tables import frame
from socsim.sweeps.task import TABLES, Task

__all__ = ["publish", "save_sweep"]


def save_sweep(
    plan: Sweep, rows: list[dict[str, Any]], directory: str | Path, overrides: Iterable[str] = ()
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
    with output_directory(directory, _about(plan, overrides)) as partial:
        write_table(frame(rows), partial, "runs")
    return Path(directory).resolve()


def publish(task: Task, directory: Path, progress: Progress, overrides: Iterable[str] = ()) -> None:
    """Make the tables and the manifest of a sweep that has come to its end from its journal.

    Parameters
    ----------
    task
        What was run.
    directory
        That holds the journal.
    progress
        How it ended.
    overrides
        ``key=value`` settings that changed the experiment; kept in the manifest.

    Raises
    ------
    SweepError
        They cannot be written; the journal stays as it is.
    """
    folder = directory / JOURNAL
    try:
        write_rows(folder, directory / "runs.parquet")
        for name in TABLES:
            if name in task.tables:
                write_tables(folder, name, directory / f"{name}.parquet")
        failures = directory / "failures.parquet"
        if progress.failed:
            write_failures(folder, failures, lambda run: labels_of(task.plan, run))
        else:
            failures.unlink(missing_ok=True)
        write_about(directory, _about(task.plan, overrides, failed=progress.failed, tables=list(task.tables)))
    except OSError as error:
        raise SweepError(
            f"cannot write the tables in {directory}: {error.strerror or error}; all {progress.done} runs are kept "
            "there, and --resume writes them"
        ) from None


def labels_of(plan: Sweep, number: int) -> Row:
    """What a point is, column by column."""
    return dict(zip(plan.columns, plan.grid[number].labels, strict=True))


def _about(plan: Sweep, overrides: Iterable[str], **more: Any) -> dict[str, Any]:
    return {
        "experiment": plan.config,
        "device": plan.base["device"],
        "runs": len(plan),
        **more,
        "seeds": plan.seeds,
        "overrides": list(overrides),
    }
