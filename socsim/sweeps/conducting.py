"""A sweep from its first run to its last: what is left to do is run, and what is done is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from socsim.errors import SimulationError
from socsim.sweeps.engines import Engine
from socsim.sweeps.journal import Journal
from socsim.sweeps.progress import Progress
from socsim.sweeps.tables import point_title
from socsim.sweeps.task import Outcome, Task

__all__ = ["conduct"]


def conduct(
    task: Task,
    engine: Engine,
    folder: Path,
    *,
    report: Callable[[Progress, list[Outcome]], None] = lambda progress, outcomes: None,
    retry_failed: bool = False,
    stop_at_failure: bool = False,
) -> Progress:
    """Run the points that a journal has not, and write their outcomes there as they arrive.

    Parameters
    ----------
    task, engine
        What is run, and by whom.
    folder
        Of the journal.
    report
        Called with the progress and what has been kept since the last call: at the beginning, after each batch, and
        now and then while nothing happens.
    retry_failed
        Run points that have failed before again.
    stop_at_failure
        End with the first run that fails.

    Returns
    -------
    The final progress.

    Raises
    ------
    SweepError
        It cannot go on: the disk is full, workers do not start, or a cluster is gone. What is finished is kept.
    SimulationError
        A run failed, with `stop_at_failure`.
    """
    with Journal(folder) as journal:
        if retry_failed:
            journal.drop_failures()
        before = dict(journal.finished)
        total = len(task.plan)
        progress = Progress(total, len(before), sum(not ok for ok in before.values()))
        report(progress, [])
        left = (number for number in range(total) if number not in before)
        if len(before) == total:
            return progress
        with closing(cast(Any, engine.outcomes(task, left))) as batches:
            for batch in batches:
                kept = journal.append(batch)
                progress.add(kept)
                report(progress, kept)
                failed = next((outcome for outcome in kept if not outcome.ok), None)
                if failed and stop_at_failure:
                    raise SimulationError(failure_text(task, failed))
    return progress


def failure_text(task: Task, outcome: Outcome) -> str:
    """``"run 3 of 100 (scheduler=gpu): what happened"``."""
    total, title = len(task.plan), point_title(task.plan, outcome.run)
    where = f"run {outcome.run + 1} of {total}" + (f" ({title})" if title else "")
    return f"{where}: {outcome.content['error']}"
