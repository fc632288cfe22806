"""Running a sweep on a cluster, with dask.

Runs are done by a process beside each thread of a worker of dask, under the same supervision as on one machine: a run
that never ends, takes too much memory or takes its process with it costs dask's worker nothing.
"""

from __future__ import annotations

import logging
import pickle
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any
from uuid import uuid4

from distributed import Client, Future, KilledWorker, Reschedule, WorkerPlugin, get_worker

from socsim.errors import SweepError, UsageError
from socsim.sweeps.limits import Limits
from socsim.sweeps.supervisor import Supervisor
from socsim.sweeps.task import Outcome, Task, failure

__all__ = ["DaskEngine", "SweepPlugin"]

_AHEAD = 4
"""Runs given out for each thread of the cluster."""

_BATCH_S = 0.05
"""Time in s for which outcomes are gathered to be fetched together."""

_LOOK_S = 2.0
"""Time in s between two looks at the workers."""

_TELL_S = 10.0
"""Time in s that workers have to answer."""


class SweepPlugin(WorkerPlugin):  # type: ignore[misc]
    """What a worker of dask keeps for a sweep: processes that do its runs.

    Parameters
    ----------
    name
        Of the sweep, unlike any other.
    task
        Pickled.
    limits, retries
        As of :class:`~socsim.sweeps.supervisor.Supervisor`.
    """

    def __init__(self, name: str, task: bytes, limits: Limits, retries: int) -> None:
        self.name, self._task, self._limits, self._retries = name, task, limits, retries
        self._idle: list[Supervisor] = []
        self._all: list[Supervisor] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """For workers: without processes and locks."""
        return type(self), (self.name, self._task, self._limits, self._retries)

    def teardown(self, worker: Any) -> None:
        """The worker leaves, or the sweep is over."""
        with self._lock:
            everyone, self._all, self._idle = self._all, [], []
        for supervisor in everyone:
            supervisor.stop()

    def run(self, number: int) -> Outcome:
        """Do a run, in whatever thread.

        Raises
        ------
        Reschedule
            The worker is leaving.
        """
        with self._lock:
            supervisor = self._idle.pop() if self._idle else None
            if supervisor is None:
                supervisor = Supervisor(self._task, self._limits, self._retries)
                self._all.append(supervisor)
        source = iter([number])
        outcomes = list(supervisor.outcomes(lambda: next(source, None)))
        if not outcomes:
            raise Reschedule
        with self._lock:
            self._idle.append(supervisor)
        return outcomes[0]


def _run(name: str, number: int) -> tuple[int, bool, bytes, bytes]:
    """A run, on a worker; one that has not been told of the sweep yet leaves it to others."""
    plugin = get_worker().plugins.get(name)
    if plugin is None:
        time.sleep(0.1)
        raise Reschedule
    run, ok, payload, tables = plugin.run(number)
    return run, ok, payload, tables


class DaskEngine:
    """Runs points on the workers of a scheduler of dask, those that join late among them.

    Parameters
    ----------
    address
        Of the scheduler: ``"tcp://host:port"``.
    retries
        How often a run whose process died is tried again; that of one whose worker died is dask's to say.
    hang_s
        Time in s without a sign of life after which a worker is given up and its runs are done by others.
    connect_s
        How long to wait for the scheduler, in s.

    Raises
    ------
    UsageError
        No address.
    """

    def __init__(
        self, address: str, retries: int = 2, *, hang_s: float = 30.0, connect_s: float = 10.0
    ) -> None:
        if not address:
            raise UsageError(
                "engine 'dask' needs the address of its scheduler, such as --scheduler tcp://host:8786"
            )
        self._address, self._retries, self._hang_s, self._connect_s = address, retries, hang_s, connect_s

    def outcomes(self, task: Task, numbers: Iterable[int]) -> Iterator[list[Outcome]]:
        """Outcomes as they arrive."""
        name = f"socsim-{uuid4().hex}"
        plugin = SweepPlugin(name, pickle.dumps(task), task.limits, self._retries)
        with _connected(self._address, self._connect_s) as client:
            try:
                _tell(lambda: client.register_plugin(plugin, name=name))
                yield from _Runs(client, name, iter(numbers), self._hang_s).outcomes()
            except (OSError, TimeoutError) as error:
                raise SweepError(
                    f"the scheduler of dask at {self._address} is gone ({_first_line(error)}); start it again and go "
                    "on with --resume"
                ) from None
            finally:
                _forget(client, name)


def _connected(address: str, seconds: float) -> Client:
    try:
        return Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SweepError(
            f"no scheduler of dask answers at {address} ({_first_line(error)}); start one with 'dask scheduler'"
        ) from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _forget(client: Client, name: str) -> None:
    """End the processes of a sweep, if there is still someone to tell."""
    if client.status == "running":
        with suppress(Exception):
            _tell(lambda: client.unregister_worker_plugin(name))


def _tell(call: Callable[[], object]) -> None:
    """Tell all workers something, and do not wait for long for one that hangs."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_TELL_S)
    if failures:
        raise failures[0]


class _Runs:
    """The runs of one sweep on a cluster: some are given out, others follow as they come back."""

    def __init__(self, client: Client, name: str, numbers: Iterator[int], hang_s: float) -> None:
        self._client, self._name, self._numbers = client, name, numbers
        self._inbox: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._flying: dict[Future, int] = {}
        self._workers = _Workers(client, hang_s)

    def outcomes(self) -> Iterator[list[Outcome]]:
        """Outcomes as they arrive; an empty list now and then where none does."""
        try:
            while True:
                self._workers.look()
                self._fill()
                if not self._flying:
                    return
                yield self._taken(self._arrived())
        finally:
            with suppress(Exception):
                self._client.cancel(list(self._flying), force=True)

    def _fill(self) -> None:
        """Give runs out, some at a time, as each call is a message."""
        wanted = _AHEAD * self._workers.threads - len(self._flying)
        if self._flying and wanted < self._workers.threads:
            return
        numbers = list(islice(self._numbers, wanted))
        if numbers:
            futures = self._client.map(_run, [self._name] * len(numbers), numbers, pure=False)
            for future, number in zip(futures, numbers, strict=True):
                self._flying[future] = number
                future.add_done_callback(self._inbox.put)

    def _arrived(self) -> list[Future]:
        """Futures that are done, after waiting a little for the first and for others after it."""
        found: list[Future] = []
        due = time.monotonic() + _LOOK_S / 2
        while (left := due - time.monotonic()) > 0:
            try:
                found.append(self._inbox.get(timeout=left))
            except queue.Empty:
                break
            due = min(due, time.monotonic() + _BATCH_S)
        return found

    def _taken(self, futures: list[Future]) -> list[Outcome]:
        finished = [future for future in futures if future.status == "finished"]
        outcomes = [Outcome(*found) for found in self._client.gather(finished)] if finished else []
        for future in futures:
            number = self._flying.pop(future)
            if future.status == "error":
                outcomes.append(_failed(number, future.exception()))
            elif future.status != "finished":
                raise OSError("its runs were called off")
        return outcomes


def _failed(number: int, error: BaseException | None) -> Outcome:
    """The outcome of a run that dask gave up."""
    if isinstance(error, KilledWorker):
        return failure(number, 1, "died", f"the workers of dask that tried it died: {_first_line(error)}")
    if isinstance(error, SweepError):
        raise error
    raise SweepError(f"a worker of dask failed: {type(error).__name__}: {error}") from error


class _Workers:
    """The workers of a cluster: how many there are, and which of them hang."""

    def __init__(self, client: Client, hang_s: float) -> None:
        self._client, self._hang_s = client, hang_s
        self._looked, self._told = 0.0, False
        self._seen: dict[str, tuple[float, float]] = {}
        self.threads = 1
        """Runs that they can do at the same time."""

    def look(self) -> None:
        """Look at them, if the last look was a while ago."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S and self._looked:
            return
        self._looked = now
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self.threads = max(1, sum(worker["nthreads"] for worker in workers.values()))
        if not workers and not self._told:
            logging.getLogger(__name__).warning("the scheduler of dask has no workers yet; waiting for some")
        self._told = not workers
        for address, worker in workers.items():
            self._watch(address, float(worker["last_seen"]), now)

    def _watch(self, address: str, sign: float, now: float) -> None:
        """Give a worker up whose last sign of life has not changed for too long."""
        last, since = self._seen.get(address, (sign, now))
        self._seen[address] = (sign, now if sign != last else since)
        if sign == last and now - since > self._hang_s:
            del self._seen[address]
            logging.getLogger(__name__).warning("worker %s hangs; others do its runs", address)
            _tell(lambda: self._client.run_on_scheduler(_remover(), address=address))


def _remover() -> Any:
    """A function for the scheduler, made here so that it travels as code."""

    async def remove(dask_scheduler: Any, address: str) -> None:
        await dask_scheduler.remove_worker(address, stimulus_id="socsim-hang")

    return remove
