"""Running the points of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import SimulationError
from socsim.experiments import Experiment
from socsim.schedulers.base import Scheduler
from socsim.schedulers.registry import describe_scheduler
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.plan import Sweep, load_sweep
from socsim.sweeps.tables import evened, frame, point_title

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_point", "run_points", "sweep"]

Row = dict[str, Any]


def sweep(
    experiment: str | Path | Experiment,
    over: Mapping[str, Any] | None = None,
    *,
    overrides: Iterable[str] = (),
    slowdown: bool = False,
) -> pd.DataFrame:
    """Run an experiment at every point of a grid, one after the other.

    Parameters
    ----------
    experiment
        The path of a file, the name of an experiment that comes with socsim, or an experiment.
    over
        What to sweep over, in the order of the grid, beside what the file says or instead of it: dotted path -> list of
        values, or range (``"0..9"``, ``range(10)``); or a name of your own -> variants, each a mapping of dotted paths
        and values. Schedulers may be objects and classes of modules.
    overrides
        ``key=value`` settings of the experiment; of a swept key, it is no longer swept.
    slowdown
        Also simulate each application alone on the idle phone, for the column ``slowdown``.

    Returns
    -------
    A row per point and application: ``run`` (number of the point from 0), a column for each axis, named by the shortest
    end of its path that is unambiguous, ``app``, and the columns of :meth:`socsim.results.result.Result.rows`.

    Raises
    ------
    FileError
        Faults of the file or of the sweep; nothing has run then.
    UsageError
        A wrong override.
    SimulationError
        A point that failed; the sentence says which.
    """
    plan = load_sweep(experiment, overrides, _described(over))
    check_sweep(plan)
    return frame(evened([row for rows in run_points(plan, slowdown=slowdown) for row in rows]))


def run_points(plan: Sweep, *, slowdown: bool = False) -> Iterator[list[Row]]:
    """The rows of each point, in the grid's order; raises as :func:`run_point` does."""
    for number in range(len(plan)):
        yield run_point(plan, number, slowdown=slowdown)


def run_point(plan: Sweep, number: int, *, slowdown: bool = False) -> list[Row]:
    """Run one point; it depends on nothing else.

    Returns
    -------
    A row per application, as of :func:`sweep`; columns that none of them has are left out.

    Raises
    ------
    SimulationError
        The run failed.
    """
    labels = dict(zip(plan.columns, plan.grid[number].labels, strict=True))
    try:
        rows = plan.experiment(number).run().rows(slowdown=slowdown)
    except SimulationError as error:
        title = f"run {number + 1} of {len(plan)} ({point_title(plan, number)}): {error}"
        raise SimulationError(title) from error.__cause__
    return [{"run": number, **labels, **{k: v for k, v in row.items() if k not in labels}} for row in rows]


def _described(block: Any) -> Any:
    """What a file would say: schedulers that are objects or classes by where they are found."""
    if isinstance(block, Scheduler | type):
        return describe_scheduler(block)
    if isinstance(block, Mapping):
        return {key: _described(value) for key, value in block.items()}
    return [_described(value) for value in block] if isinstance(block, list | tuple) else block
