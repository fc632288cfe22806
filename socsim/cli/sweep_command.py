"""``socsim sweep``."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from socsim.cli.comparing import saved
from socsim.cli.output import emit, emit_json, json_option
from socsim.words import counted

if TYPE_CHECKING:
    from socsim.sweeps.plan import Sweep
    from socsim.sweeps.progress import Progress
    from socsim.sweeps.session import Finished
    from socsim.sweeps.task import Outcome, Task

__all__ = ["sweep"]

_EVERY_S = 5.0
"""Time between two lines about how far it is, where they are not shown in one place."""

_FAILURES = 5
"""How many failed runs are told."""

_GROUPS = 60
"""The most rows of a table that are printed."""


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command(short_help="Run an experiment at every point of a grid, on several processes or a cluster.")
@click.argument("experiment", metavar="EXPERIMENT")
@click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE,...",
    help="Sweep over values between commas or a range such as 0..9; a single value is set.",
)
@click.option(
    "-x",
    "--exclude",
    multiple=True,
    metavar="KEY=VALUE,...",
    help='Leave out points where all of these hold, such as "scheduler=gpu,count=> 3".',
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes. [default: one for each processor]")
@click.option(
    "-o", "--output", metavar="DIR", help="Write runs as they finish, tables and a manifest to DIR."
)
@click.option("--resume", is_flag=True, help="Go on with the sweep that DIR holds, if it holds one.")
@click.option("--retry-failed", is_flag=True, help="With --resume, run points that failed again.")
@click.option(
    "-t",
    "--tables",
    metavar="NAME,...",
    default="",
    help="Also keep these tables of every run: inferences, kernels, power.",
)
@click.option("--run-time", metavar="TIME", help='What a run may take, such as "10 s". [default: no limit]')
@click.option(
    "--run-memory",
    metavar="SIZE",
    help='What a run may take, such as "2 GB"; Linux only. [default: no limit]',
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How often a run whose process died is tried again.",
)
@click.option("--engine", default="local", show_default=True, help="local, or dask for a cluster.")
@click.option("--scheduler", default="", metavar="ADDRESS", help="Of dask's scheduler: tcp://host:port.")
@click.option("--slowdown", is_flag=True, help="Also simulate each application alone on the idle phone.")
@click.option("--dry-run", is_flag=True, help="Check everything, list the runs, and run nothing.")
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Say what each run is as it finishes.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors (and JSON).")
def sweep(
    experiment: str,
    overrides: tuple[str, ...],
    exclude: tuple[str, ...],
    jobs: int | None,
    output: str | None,
    resume: bool,
    retry_failed: bool,
    tables: str,
    run_time: str | None,
    run_memory: str | None,
    retries: int,
    engine: str,
    scheduler: str,
    slowdown: bool,
    dry_run: bool,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> int | None:
    """Run an experiment at every point of a grid: that of the file, and that of -s.

    Runs are kept in DIR as they finish; whatever ends the sweep, the same command with --resume goes on with it.
    """
    from socsim.sweeps.checking import check_sweep
    from socsim.sweeps.session import check_not_worker, finished, make_engine, make_limits, make_tables
    from socsim.sweeps.task import Task

    check_not_worker()
    _check_together(output, resume, retry_failed, tables)
    plan = _plan(experiment, overrides, exclude)
    names = make_tables([name.strip() for name in tables.split(",") if name.strip()])
    task = Task(plan, slowdown, names, make_limits(run_time, run_memory))
    chosen = make_engine(
        engine, jobs=min(jobs or _cpus(), max(1, len(plan))), retries=retries, scheduler=scheduler
    )
    check_sweep(plan)
    if dry_run:
        _list_points(plan)
        return None
    display = _Display(task, output, quiet=quiet, verbose=verbose)
    try:
        with finished(
            task, chosen, output, resume=resume, retry_failed=retry_failed, overrides=overrides,
            report=display.report,
        ) as done:  # fmt: skip
            display.end()
            _show(task, done, as_json=as_json, quiet=quiet)
    except BaseException:
        display.interrupted()
        raise
    if output:
        saved(done.directory, as_json or quiet)
    return _say_failures(task, display)


def _check_together(output: str | None, resume: bool, retry_failed: bool, tables: str) -> None:
    from socsim.errors import UsageError

    for option, given in (("--resume", resume), ("--tables", tables)):
        if given and not output:
            raise UsageError(f"{option} needs the directory that runs are kept in: -o DIR")
    if retry_failed and not resume:
        raise UsageError("--retry-failed goes with --resume")


def _plan(experiment: str, overrides: tuple[str, ...], exclude: tuple[str, ...]) -> Sweep:
    from socsim.overrides import override_value, split_override
    from socsim.sweeps.plan import load_sweep
    from socsim.sweeps.shorthand import split_values, swept_values

    single, several = swept_values(overrides)
    if exclude:
        several["exclude"] = [
            {key: override_value(value) for key, value in map(split_override, split_values(text))}
            for text in exclude
        ]
    return load_sweep(experiment, single, several)


def _list_points(plan: Sweep) -> None:
    from socsim.sweeps.tables import point_title

    click.echo(f"{counted(len(plan), 'run')} of {plan.name}")
    for number in range(len(plan)):
        click.echo(f"{number}: {point_title(plan, number)}")


def _show(task: Task, done: Finished, *, as_json: bool, quiet: bool) -> None:
    """Print what came out: all rows as JSON, or a table of means that fits a terminal."""
    from socsim.sweeps.publishing import finished_rows
    from socsim.sweeps.render import render_sweep, table_rows
    from socsim.sweeps.tables import evened

    rows = (row for content in finished_rows(done.folder) for row in content["rows"])
    if as_json:
        emit_json(evened(list(rows)))
    elif not quiet:
        kept = table_rows(task.plan, rows, _GROUPS)
        if kept is None:
            where = f"; all of them are in {done.directory}" if done.directory else ""
            click.echo(f"more than {_GROUPS} rows to show{where}")
        elif kept:
            emit(render_sweep(task.plan, evened(kept)))


def _say_failures(task: Task, display: _Display) -> int | None:
    """Say on standard error which runs failed; the exit code."""
    from socsim.cli.main import FAILED

    if not display.failed:
        return None
    for text in display.failures:
        click.echo(f"socsim: {text}", err=True)
    total = len(task.plan)
    click.echo(f"socsim: {display.failed} of {counted(total, 'run')} failed", err=True)
    return FAILED


class _Display:
    """Says on standard error how far a sweep is: in one place on a terminal, else now and then."""

    def __init__(self, task: Task, output: str | None, *, quiet: bool, verbose: bool) -> None:
        self._task, self._output, self._quiet, self._verbose = task, output, quiet, verbose
        self._terminal = sys.stderr.isatty()
        self._shown, self._width = time.monotonic(), 0
        self._progress: Progress | None = None
        self.failed, self.failures = 0, list[str]()

    def report(self, progress: Progress, outcomes: list[Outcome]) -> None:
        """Something has happened, or nothing for a while."""
        from socsim.sweeps.conducting import failure_text
        from socsim.sweeps.tables import point_title

        if self._progress is None:
            self._begin(progress)
        self._progress, self.failed = progress, progress.failed
        for outcome in outcomes:
            if not outcome.ok and len(self.failures) < _FAILURES:
                self.failures.append(failure_text(self._task, outcome))
            if self._verbose:
                state = "done" if outcome.ok else "failed"
                self._line(f"run {outcome.run + 1} {state}: {point_title(self._task.plan, outcome.run)}")
        self._tell(progress.line(), due=time.monotonic() - self._shown > _EVERY_S)

    def _begin(self, progress: Progress) -> None:
        before = f", {progress.done} of them finished before" if progress.done else ""
        self._line(f"{counted(progress.total, 'run')} of {self._task.plan.name}{before}")

    def end(self) -> None:
        """All have run."""
        if self._terminal and self._width:
            self._say("\r" + " " * self._width + "\r")

    def interrupted(self) -> None:
        """Something ended it before."""
        progress = self._progress
        if progress is None or progress.done == progress.total:
            return
        self.end()
        if self._output and progress.done:
            kept = f"{progress.done} of {counted(progress.total, 'run')} are kept in {self._output}"
            self._line(f"{kept}; go on with --resume")

    def _tell(self, line: str, *, due: bool) -> None:
        if self._terminal:
            text = f"socsim: {line}"
            self._say("\r" + text.ljust(self._width))
            self._width = len(text)
        elif due:
            self._shown = time.monotonic()
            self._line(line)

    def _line(self, text: str) -> None:
        if self._terminal:
            self.end()
        self._say(f"socsim: {text}\n")

    def _say(self, text: str) -> None:
        if not self._quiet:
            click.echo(text, err=True, nl=False)
