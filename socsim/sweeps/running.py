"""Running the points of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import SimulationError, UsageError
from socsim.experiments import Experiment
from socsim.simulation.setups import Setups
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.plan import Sweep, load_sweep
from socsim.sweeps.publishing import finished_rows
from socsim.sweeps.rows import Row, labelled
from socsim.sweeps.session import check_not_worker, described, finished, make_engine, make_limits, make_tables
from socsim.sweeps.tables import evened, frame, point_title
from socsim.sweeps.task import Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_point", "run_points", "sweep"]


def sweep(
    experiment: str | Path | Experiment,
    over: Mapping[str, Any] | None = None,
    *,
    overrides: Iterable[str] = (),
    slowdown: bool = False,
    jobs: int = 1,
    output: str | Path | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    failures: str = "raise",
    time_limit: float | str | None = None,
    memory_limit: float | str | None = None,
    retries: int = 2,
    tables: Iterable[str] = (),
    engine: str = "local",
    scheduler: str = "",
) -> pd.DataFrame:
    """Run an experiment at every point of a grid.

    Parameters
    ----------
    experiment
        The path of a file, the name of an experiment that comes with socsim, or an experiment.
    over
        What to sweep over, in the order of the grid, beside what the file says or instead of it: dotted path -> list of
        values, or range (``"0..9"``, ``"10 ms..50 ms by 10 ms"``, ``range(10)``); a name of your own -> variants, each
        a mapping of dotted paths and values; ``zip``, ``sample`` and ``exclude`` as in a file. Schedulers and
        managers may be objects and classes of modules.
    overrides
        ``key=value`` settings of the experiment; of a swept key, it is no longer swept.
    slowdown
        Also simulate each application alone on the idle phone, for the column ``slowdown``.
    jobs
        Processes; 1 (default) runs in this one, unless runs have limits.
    output
        A directory for the journal, the tables and the manifest; None (default) keeps nothing but what is returned.
    resume
        Go on with the sweep that `output` holds, if it holds one.
    retry_failed
        With `resume`, run points that failed again.
    failures
        ``"raise"`` (default) ends with the first run that fails; ``"keep"`` goes on, and leaves failed runs out of the
        table: they are in ``attrs["failures"]`` of the table and in `output`.
    time_limit, memory_limit
        What a run may take, in s and B or with units (``"10 s"``, ``"2 GB"``); by default there is no limit.
    retries
        How often a run whose process died is tried again.
    tables
        Tables of every run to keep in `output`: ``"inferences"``, ``"kernels"``, ``"power"``.
    engine
        ``"local"`` (default) or ``"dask"``.
    scheduler
        Address of dask's scheduler, ``"tcp://host:port"``.

    Returns
    -------
    A row per point and application: ``run`` (number of the point from 0), a column for each axis, named by the shortest
    end of its path that is unambiguous, ``app``, and the columns of :meth:`socsim.results.result.Result.rows`. However
    it is run, it is the same to the last bit.

    Raises
    ------
    FileError
        Faults of the file or of the sweep; nothing has run then.
    UsageError
        A wrong override or option, or an `output` that holds something else.
    SimulationError
        A point that failed; the sentence says which.
    SweepError
        The sweep cannot go on; what is finished is in `output`.
    """
    check_not_worker()
    if failures not in ("raise", "keep"):
        raise UsageError(f"failures should be 'raise' or 'keep', got {failures!r}")
    limits, names = make_limits(time_limit, memory_limit), make_tables(tables)
    here = engine == "local" and jobs == 1 and limits.time_s is None and limits.memory_bytes is None
    if names and output is None:
        raise UsageError("tables of every run are kept in a directory; name an output")
    plan = load_sweep(experiment, overrides, described(over, elsewhere=not here))
    chosen = make_engine(engine, jobs=jobs, retries=retries, scheduler=scheduler, here=here)
    check_sweep(plan)
    if here and output is None and failures == "raise":
        return frame(evened([row for rows in run_points(plan, slowdown=slowdown) for row in rows]))
    task = Task(plan, slowdown, names, limits)
    with finished(
        task, chosen, output, resume=resume, retry_failed=retry_failed, stop_at_failure=failures == "raise",
        overrides=overrides,
    ) as done:  # fmt: skip
        table = frame(evened([row for content in finished_rows(done.folder) for row in content["rows"]]))
        if done.progress.failed:
            table.attrs["failures"] = list(finished_rows(done.folder, ok=False))
    return table


def run_points(plan: Sweep, *, slowdown: bool = False) -> Iterator[list[Row]]:
    """The rows of each point, in the grid's order; raises as :func:`run_point` does."""
    setups = Setups()
    for number in range(len(plan)):
        yield run_point(plan, number, slowdown=slowdown, setups=setups)


def run_point(plan: Sweep, number: int, *, slowdown: bool = False, setups: Setups | None = None) -> list[Row]:
    """Run one point; it depends on nothing else.

    Parameters
    ----------
    setups
        Where what earlier points have worked out is found.

    Returns
    -------
    A row per application, as of :func:`sweep`; columns that none of them has are left out.

    Raises
    ------
    SimulationError
        The run failed.
    """
    try:
        rows = plan.experiment(number).run(setups=setups).rows(slowdown=slowdown)
    except SimulationError as error:
        title = f"run {number + 1} of {len(plan)} ({point_title(plan, number)}): {error}"
        raise SimulationError(title) from error.__cause__
    return labelled(plan, number, rows)
