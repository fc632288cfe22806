"""One worker process and whoever looks after it: it is started again when it dies, and killed when it hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from select import select
from typing import Any

from socsim.errors import SweepError
from socsim.sweeps.limits import Limits
from socsim.sweeps.task import Outcome, failure
from socsim.sweeps.worker import split_message, write_message

__all__ = ["Supervisor"]

_AHEAD_S = 0.05
"""Runs that a worker is given in advance take about this long together."""

_MOST_AHEAD = 16

_CHUNK = 1 << 18
"""Bytes that are read at a time."""

_MOST_STARTS = 3
"""How many workers in a row may end before they are ready."""


class _Child:
    """A worker process.

    Parameters
    ----------
    task
        Pickled.
    """

    def __init__(self, task: bytes) -> None:
        boot = f"import sys; sys.path[:] = {sys.path!r}; from socsim.sweeps.worker import main; main()"
        environment = {**os.environ, "SOCSIM_WORKER": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", boot], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._buffer = bytearray()
        self.send(task)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Send a message; that it is not there any more is told by what it answers."""
        stream = self._process.stdin
        if stream is not None:
            with suppress(OSError, ValueError):
                write_message(stream, message)

    def receive(self, timeout: float | None) -> Any:
        """Its next message; None where there will be no more.

        Raises
        ------
        TimeoutError
            There is none in that many seconds.
        """
        stream, due = self._process.stdout, None if timeout is None else time.monotonic() + timeout
        while stream is not None:
            found = split_message(self._buffer)
            if found is not None:
                return found[0]
            try:
                if due is not None and not select([stream], (), (), max(0.0, due - time.monotonic()))[0]:
                    raise TimeoutError
                data = os.read(stream.fileno(), _CHUNK)
            except (OSError, ValueError) as error:
                if isinstance(error, TimeoutError):
                    raise
                data = b""
            if not data:
                return None
            self._buffer += data
        return None

    def kill(self) -> None:
        """End it, from whatever thread."""
        self._process.kill()

    def end(self) -> int:
        """Kill it if it still runs, and return its exit code; only by who receives its messages."""
        self._process.kill()
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        return code


class Supervisor:
    """Has runs done by a process of its own, one after the other.

    Parameters
    ----------
    task
        What they have in common, pickled.
    limits
        Of each run.
    retries
        How often a run whose process died is tried again.
    """

    def __init__(self, task: bytes, limits: Limits, retries: int = 2) -> None:
        self._task, self._limits, self._retries = task, limits, retries
        self._child: _Child | None = None
        self._ready, self._starts = False, 0
        self._hung: tuple[int, int] | None = None
        self._flying: deque[tuple[int, int]] = deque()
        self._again: deque[tuple[int, int]] = deque()
        self._since, self._usual = 0.0, 1.0
        self._stopped, self._working = threading.Event(), threading.Lock()

    @property
    def pid(self) -> int | None:
        """Number of its process, if there is one."""
        child = self._child
        return child.pid if child else None

    def outcomes(self, take: Callable[[], int | None]) -> Iterator[Outcome]:
        """Run what `take` returns until that is None.

        Raises
        ------
        SweepError
            Workers cannot start.
        """
        with self._working:
            while not self._stopped.is_set():
                self._fill(take)
                if not self._flying:
                    return
                yield from self._next()

    def stop(self) -> None:
        """End the process, from whatever thread."""
        self._stopped.set()
        child = self._child
        if child is not None:
            child.kill()
        with self._working:
            if self._child is not None:
                self._child.end()
                self._child = None

    # --- giving out -------------------------------------------------------------------------------------------

    def _fill(self, take: Callable[[], int | None]) -> None:
        ahead = 1 + min(_MOST_AHEAD, int(_AHEAD_S / self._usual))
        while len(self._flying) < ahead:
            if self._again:
                item = self._again.popleft()
            elif (number := take()) is not None:
                item = (number, 1)
            else:
                return
            self._give(item)

    def _give(self, item: tuple[int, int]) -> None:
        if self._child is None:
            self._child, self._ready, self._hung = _Child(self._task), False, None
            if self._stopped.is_set():
                self._child.kill()
        if not self._flying:
            self._since = time.monotonic()
        self._flying.append(item)
        self._child.send(item)

    # --- taking in --------------------------------------------------------------------------------------------

    def _next(self) -> Iterator[Outcome]:
        child = self._child
        if child is None:
            return
        try:
            message = child.receive(self._time_left())
        except TimeoutError:
            self._hung = self._flying[0]
            child.end()
            return
        if message is None:
            yield from self._died(child.end())
            return
        kind, value = message
        if kind == "ready":
            self._ready, self._starts, self._since = True, 0, time.monotonic()
        elif kind == "refused":
            child.end()
            raise SweepError(f"a worker cannot take part in the sweep: {value}")
        elif kind == "done":
            yield self._done(value)

    def _time_left(self) -> float | None:
        patience = self._limits.patience_s
        if patience is None or not self._ready or self._hung:
            return None
        return max(0.0, self._since + patience - time.monotonic())

    def _done(self, outcome: Outcome) -> Outcome:
        now = time.monotonic()
        self._usual = max(1e-4, 0.5 * self._usual + 0.5 * (now - self._since)) if self._ready else self._usual
        self._since = now
        self._flying.popleft()
        return outcome

    def _died(self, code: int) -> Iterator[Outcome]:
        """The process has ended: the run that it was at is tried again, or given up; the others were not begun."""
        flying, self._child = list(self._flying), None
        self._flying.clear()
        if self._stopped.is_set():
            return
        if not self._ready:
            self._starts += 1
            if self._starts >= _MOST_STARTS:
                raise SweepError(
                    f"worker processes end before they are ready ({_ending(code)}); see above for why"
                )
            self._again.extendleft(reversed(flying))
            return
        if not flying:
            return
        (number, attempt), *others = flying
        self._again.extendleft(reversed(others))
        elapsed = time.monotonic() - self._since
        if self._hung == (number, attempt):
            message = f"took longer than the {self._limits.time_s:g} s that a run may take, and did not stop"
            yield failure(number, attempt, "time", message, seconds=elapsed)
        elif code == 0:
            self._again.appendleft((number, attempt))
        elif attempt <= self._retries:
            self._again.appendleft((number, attempt + 1))
        else:
            message = f"its worker process died {attempt} times, last by {_ending(code)}"
            yield failure(number, attempt, "died", message, seconds=elapsed)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
