"""Who runs the points of a sweep: this process, or processes of this machine."""

from __future__ import annotations

import pickle
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from socsim.simulation.setups import Setups
from socsim.sweeps.supervisor import Supervisor
from socsim.sweeps.task import Outcome, Task, perform

__all__ = ["Engine", "HereEngine", "PoolEngine", "batches"]

_BATCH_S = 0.05
"""Least time in s between two batches."""

_TICK_S = 0.5
"""Longest time in s between two batches, empty ones among them."""


class Engine(Protocol):
    """Runs points."""

    def outcomes(self, task: Task, numbers: Iterable[int]) -> Iterator[list[Outcome]]:
        """Outcomes in the order in which they arrive; an empty list now and then where none does.

        Closing the iterator ends what is under way.

        Raises
        ------
        SweepError
            It cannot go on.
        """


class HereEngine:
    """Runs points in this process, one after the other."""

    def outcomes(self, task: Task, numbers: Iterable[int]) -> Iterator[list[Outcome]]:
        """Outcomes one by one."""
        setups = Setups()
        for number in numbers:
            yield [perform(task, number, 1, setups)]


class PoolEngine:
    """Runs points in processes of this machine, each of which is a fresh interpreter.

    Parameters
    ----------
    jobs
        How many processes.
    retries
        How often a run whose process died is tried again.
    """

    def __init__(self, jobs: int, retries: int = 2) -> None:
        self._jobs, self._retries = jobs, retries
        self.supervisors: list[Supervisor] = []

    def outcomes(self, task: Task, numbers: Iterable[int]) -> Iterator[list[Outcome]]:
        """Outcomes as they arrive."""
        source, lock = iter(numbers), threading.Lock()
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def take() -> int | None:
            with lock:
                return next(source, None)

        def look_after(supervisor: Supervisor) -> None:
            try:
                for outcome in supervisor.outcomes(take):
                    inbox.put(outcome)
                inbox.put(None)
            except BaseException as error:
                inbox.put(error)

        data = pickle.dumps(task)
        self.supervisors = [Supervisor(data, task.limits, self._retries) for _ in range(self._jobs)]
        with _stopping(self.supervisors):
            for supervisor in self.supervisors:
                threading.Thread(target=look_after, args=(supervisor,), daemon=True).start()
            yield from batches(inbox, self._jobs)


@contextmanager
def _stopping(supervisors: Iterable[Supervisor]) -> Iterator[None]:
    try:
        yield
    finally:
        for supervisor in supervisors:
            supervisor.stop()


def batches(inbox: queue.SimpleQueue[Any], sources: int) -> Iterator[list[Outcome]]:
    """What arrives in an inbox, a little at a time.

    Parameters
    ----------
    inbox
        Of outcomes, of None from a source that has no more, and of exceptions, which are raised.
    sources
        How many there are.
    """
    batch: list[Outcome] = []
    due = time.monotonic() + _BATCH_S
    while sources:
        try:
            message = inbox.get(timeout=max(0.0, due - time.monotonic()) if batch else _TICK_S)
        except queue.Empty:
            message = ()
        if isinstance(message, Outcome):
            batch.append(message)
        elif message is None:
            sources -= 1
        elif isinstance(message, BaseException):
            if batch:
                yield batch
            raise message
        if message == () or not sources or time.monotonic() >= due:
            yield batch
            batch, due = [], time.monotonic() + _BATCH_S
