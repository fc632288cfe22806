"""Runs the jobs of claims, in this process or in several, and goes on where an interrupted run has ended."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from socsim.errors import SimulationError
from socsim.reproduce.claim import Claim, Effort, Job
from socsim.reproduce.journal import Journal
from socsim.reproduce.verdict import Report, judge

__all__ = ["Progress", "forget", "reproduce"]

Progress = Callable[[int, int], None]
"""Called with the number of jobs that are done, and of all."""


class _Task(NamedTuple):
    claim: int
    key: str
    job: Job
    name: str
    """Of the claim and the job, for the journal."""


def reproduce(
    claims: Sequence[Claim],
    effort: Effort | None = None,
    *,
    workers: int = 1,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> Iterator[Report]:
    """Simulate claims and hold them against their bands.

    Parameters
    ----------
    claims
        In the order in which they are reported.
    effort
        How much is simulated; default ten seeds at full length.
    workers
        Number of processes; results do not depend on it.
    journal
        Where results of jobs are kept, and found if they are there already; default nowhere. They stay until
        :func:`forget`, so that nothing is lost before it is reported.
    progress
        Called after each job.

    Yields
    ------
    A report per claim, as soon as it and all claims before it are done.

    Raises
    ------
    SocsimError
        A job failed; what is done by then stays in the journal.
    """
    effort = effort or Effort()
    tasks = _tasks(claims, effort)
    found: list[dict[str, Any]] = [{} for _ in claims]
    left = [sum(task.claim == number for task in tasks) for number in range(len(claims))]
    reported = 0
    for done, (task, result) in enumerate(_results(tasks, workers, journal), start=1):
        found[task.claim][task.key] = result
        left[task.claim] -= 1
        if progress:
            progress(done, len(tasks))
        while reported < len(claims) and not left[reported]:
            yield _report(claims[reported], found[reported], effort)
            reported += 1


def forget(claims: Sequence[Claim], effort: Effort, journal: Journal) -> None:
    """Drop what a journal has of a reproduction that is reported."""
    for task in _tasks(claims, effort):
        journal.forget(task.name, task.job)
    journal.tidy()


def _tasks(claims: Sequence[Claim], effort: Effort) -> list[_Task]:
    return [
        _Task(number, key, job, f"{claim.name}: {key}")
        for number, claim in enumerate(claims)
        for key, job in claim.jobs(effort).items()
    ]


def _report(claim: Claim, found: dict[str, Any], effort: Effort) -> Report:
    ordered = {key: found[key] for key in claim.jobs(effort)}
    return judge(claim, claim.conclude(ordered, effort), effort)


def _results(tasks: Sequence[_Task], workers: int, journal: Journal | None) -> Iterator[tuple[_Task, Any]]:
    """Results, those that a journal has first."""
    missing = []
    for task in tasks:
        kept = journal.find(task.name, task.job) if journal else None
        if kept is None:
            missing.append(task)
        else:
            yield task, kept[0]
    run = _here if workers <= 1 or len(missing) <= 1 else _pooled
    for task, text in run(missing, workers):
        # Through JSON, so that a resumed reproduction has the same bits.
        result = json.loads(text)
        if journal:
            journal.keep(task.name, task.job, result)
        yield task, result


def _here(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[_Task, str]]:
    for task in tasks:
        yield task, _perform(task.job)


def _pooled(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[_Task, str]]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        futures = {pool.submit(_perform, task.job): task for task in tasks}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    except BrokenProcessPool as error:
        raise SimulationError(
            "a process that simulated for the claims died, for want of memory, say; what is done is kept: "
            "run the same command again to go on"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _perform(job: Job) -> str:
    return json.dumps(job.run())


def _begin() -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the one that started the others, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
