"""A stretch of work of one thread: it wakes up, runs whenever it holds a core, and sleeps when it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import Timeout

from socsim.devices.cpu import Cores
from socsim.devices.threads import Thread

__all__ = ["Burst"]


def _nobody() -> None:
    """Nobody wants to be told."""


class Burst:
    """Run `work` s on a thread that sleeps, then call `done`.

    Parameters
    ----------
    env
        The SimPy clock.
    cores, thread
        Who runs it; nothing else may use the thread until it is done.
    work
        Time in s alone on the thread's reference core; with 0 it only has to get a core once.
    done
        Called when it has ended and the thread sleeps; before the constructor returns, if there was nothing to wait
        for.
    tell
        Called whenever the thread gets or loses a core meanwhile.
    """

    def __init__(
        self, env: simpy.Environment, cores: Cores, thread: Thread, work: float, done: Callable[[], None],
        tell: Callable[[], None] = _nobody,
    ) -> None:  # fmt: skip
        self._env, self._cores, self._thread, self._done, self._tell = env, cores, thread, done, tell
        self._left, self._speed, self._since = work, 0.0, env.now
        self._timer: Any = None
        thread.on_change = self._changed
        self._waking = True
        cores.wake(thread)
        self._waking = False
        self._speed = thread.speed
        if self._speed > 0.0 and work <= 0.0:
            self._end()
        else:
            self._arm()
            tell()

    def _changed(self) -> None:
        if self._waking:
            return
        now = self._env.now
        self._left -= self._speed * (now - self._since)
        self._since, self._speed = now, self._thread.speed
        self._arm()
        self._tell()

    def _arm(self) -> None:
        self._timer = None
        if self._speed > 0.0:
            self._timer = timer = Timeout(self._env, max(0.0, self._left) / self._speed)
            timer.callbacks.append(self._finish)

    def _finish(self, event: Any) -> None:
        if event is self._timer:
            self._end()

    def _end(self) -> None:
        self._timer = None
        self._cores.sleep(self._thread)
        self._tell()
        self._done()
