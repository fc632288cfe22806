"""A sweep with all its options, for Python and for the command line alike."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from socsim.errors import MissingExtraError, UsageError, nearest
from socsim.schedulers.base import Scheduler
from socsim.schedulers.contenders import describe_decider
from socsim.schedulers.managers import DeviceManager, Manager
from socsim.schedulers.specs import options_of
from socsim.sweeps.conducting import conduct
from socsim.sweeps.directory import JOURNAL, claimed
from socsim.sweeps.engines import Engine, HereEngine, PoolEngine
from socsim.sweeps.identity import identity_of
from socsim.sweeps.limits import Limits
from socsim.sweeps.progress import Progress
from socsim.sweeps.saving import publish
from socsim.sweeps.task import TABLES, Outcome, Task
from socsim.units import parse

__all__ = [
    "ENGINES",
    "Finished",
    "check_not_worker",
    "described",
    "finished",
    "make_engine",
    "make_limits",
    "make_tables",
]

ENGINES = ("local", "dask")
"""Who may run a sweep."""


@dataclass(frozen=True)
class Finished:
    """A sweep that has come to its end.

    Parameters
    ----------
    folder
        Of its journal.
    directory
        Where its tables are; None where they were not asked for.
    progress
        How it ended.
    """

    folder: Path
    directory: Path | None
    progress: Progress


@contextmanager
def finished(
    task: Task,
    engine: Engine,
    output: str | Path | None = None,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    stop_at_failure: bool = False,
    overrides: Iterable[str] = (),
    report: Callable[[Progress, list[Outcome]], None] = lambda progress, outcomes: None,
) -> Iterator[Finished]:
    """Run all points that have not been run; in the block its journal can be read.

    Parameters
    ----------
    task, engine
        What is run, and by whom.
    output
        A new or empty directory, or with `resume` one that holds runs of the same sweep; None keeps nothing.
    resume, retry_failed, stop_at_failure, report
        As for :func:`socsim.sweeps.conducting.conduct`.
    overrides
        Kept in the manifest.

    Raises
    ------
    UsageError
        `output` may not be written.
    SweepError, SimulationError
        As :func:`socsim.sweeps.conducting.conduct`.
    """
    options: dict[str, Any] = {
        "retry_failed": retry_failed,
        "stop_at_failure": stop_at_failure,
        "report": report,
    }
    if output is None:
        with tempfile.TemporaryDirectory(prefix="socsim-sweep-") as folder:
            yield Finished(Path(folder), None, conduct(task, engine, Path(folder), **options))
        return
    directory = Path(output).resolve()
    with claimed(output, identity_of(task), resume=resume) as own:
        progress = conduct(task, engine, own, **options)
        publish(task, directory, progress, overrides)
        yield Finished(directory / JOURNAL, directory, progress)


def make_engine(
    name: str, *, jobs: int = 1, retries: int = 2, scheduler: str = "", here: bool = False
) -> Engine:
    """Who runs a sweep.

    Parameters
    ----------
    name
        One of :data:`ENGINES`.
    jobs
        Processes of the engine ``"local"``.
    retries
        How often a run whose process died is tried again.
    scheduler
        Address of the scheduler of the engine ``"dask"``.
    here
        Whether one job of the engine ``"local"`` may be this process.

    Raises
    ------
    UsageError
        No such engine, or options that do not go together.
    MissingExtraError
        The engine needs packages that are not installed.
    """
    if name not in ENGINES:
        guess = nearest(name, ENGINES)
        raise UsageError(
            f"unknown engine {name!r}; {f'did you mean {guess!r}?' if guess else 'known: local, dask'}"
        )
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UsageError(f"jobs must be a whole number from 1, got {jobs!r}")
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise UsageError(f"retries must be a whole number from 0, got {retries!r}")
    if name == "dask":
        if find_spec("distributed") is None:
            raise MissingExtraError("a sweep on a cluster", "dask")
        from socsim.sweeps.cluster import DaskEngine

        return DaskEngine(scheduler, retries)
    if scheduler:
        raise UsageError(f"a scheduler's address, {scheduler!r}, is for engine 'dask'")
    return HereEngine() if here and jobs == 1 else PoolEngine(jobs, retries)


def make_limits(time_limit: float | str | None, memory_limit: float | str | None) -> Limits:
    """Limits of each run, in s and B or with units.

    Raises
    ------
    UnitError
        No time, or no size.
    UsageError
        Not positive, or not to be kept on this platform.
    """
    limits = Limits(
        parse(time_limit, "time") if isinstance(time_limit, str) else time_limit,
        parse(memory_limit, "size") if isinstance(memory_limit, str) else memory_limit,
    )
    limits.check()
    return limits


def make_tables(names: Iterable[str]) -> tuple[str, ...]:
    """Names of tables, checked and each once.

    Raises
    ------
    UsageError
        One that does not exist.
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if name not in TABLES:
            guess = nearest(name, TABLES)
            tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(TABLES)}"
            raise UsageError(f"a sweep keeps no table {name!r} of every run; {tail}")
    return tuple(name for name in TABLES if name in found)


def check_not_worker() -> None:
    """Refuse a sweep inside a sweep, which is what a script without a guard makes of itself.

    Raises
    ------
    UsageError
        This is a worker process.
    """
    if os.environ.get("SOCSIM_WORKER"):
        raise UsageError(
            "a worker of a sweep has imported a script that starts a sweep itself; put what shall happen once under "
            "if __name__ == '__main__':"
        )


# --- schedulers and managers that are objects -------------------------------------------------------------------


def described(block: Any, *, elsewhere: bool = False) -> Any:
    """What a file would say: schedulers and managers that are objects or classes by where they are found.

    Parameters
    ----------
    block
        What to sweep over.
    elsewhere
        Whether other processes must find them.

    Raises
    ------
    UsageError
        One that cannot be told so.
    """
    if isinstance(block, Scheduler | Manager | DeviceManager | type):
        _check_told(block, elsewhere)
        return _from_program(describe_decider(block))
    if isinstance(block, Mapping):
        return {key: described(value, elsewhere=elsewhere) for key, value in block.items()}
    if isinstance(block, list | tuple):
        return [described(value, elsewhere=elsewhere) for value in block]
    return block


def _check_told(spec: Scheduler | Manager | DeviceManager | type, elsewhere: bool) -> None:
    cls = spec if isinstance(spec, type) else type(spec)
    kind = "scheduler" if issubclass(cls, Scheduler) else "manager"
    if "<locals>" in cls.__qualname__:
        raise UsageError(
            f"{kind} {cls.__name__} is defined inside a function, where neither other processes nor a result's file "
            "can find it; define it at the top of a module"
        )
    if elsewhere and cls.__module__ == "__main__" and _program() is None:
        raise UsageError(
            f"{kind} {cls.__name__} is defined in an interactive session, where other processes cannot find it; "
            "put it into a module, or run with jobs=1"
        )
    for name, parameter in options_of(cls).items() if not isinstance(spec, type) else ():
        value = getattr(spec, name, parameter.default)
        if name != "predictor" and not _plain(value) and value != parameter.default:
            raise UsageError(
                f"{kind} {cls.__name__}: option {name} is a {type(value).__name__}, which cannot be told to another "
                f"process or written to a file; options of {kind}s that are swept over are numbers, texts and truth "
                "values, alone or in lists and mappings"
            )


def _plain(value: object) -> bool:
    """Whether a file can have a value as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _plain(own) for key, own in value.items())
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return isinstance(value, bool | int | float | str | None)


def _from_program(spec: Any) -> Any:
    """Classes of the running script by its file, as other processes find them."""
    file = _program()
    if file is None:
        return spec
    if isinstance(spec, Mapping):
        return {key: _from_program(value) if key == "name" else value for key, value in spec.items()}
    return spec.replace("__main__:", f"{file}:", 1) if str(spec).startswith("__main__:") else spec


def _program() -> Path | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).absolute() if file and file.endswith(".py") else None
