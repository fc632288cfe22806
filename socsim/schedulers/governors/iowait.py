"""How schedutil helps tasks that wait for input and output: their CPU looks busier than it is, for some updates."""

from __future__ import annotations

from socsim.schedulers.governors.view import CAPACITY

__all__ = ["IowaitBoost", "JumpingBoost"]

_LEAST = CAPACITY / 8
_ROUNDING = 1e-9


class IowaitBoost:
    """A boost of one CPU that doubles with each update in which a task woke up from waiting, and halves in others.

    Parameters
    ----------
    tick
        Time in s between ticks of the kernel; a CPU without updates for longer has been idle, and its boost is lost.

    References
    ----------
    .. [1] Linux 6.1, kernel/sched/cpufreq_schedutil.c (`sugov_iowait_boost`, `sugov_iowait_apply`).
    """

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._boost, self._pending = 0.0, False
        self._last: float | None = None

    def note(self, now: float, iowait: bool) -> None:
        """The scheduler has looked at the CPU, where a task woke up from waiting (`iowait`) or not."""
        stale, self._last = self._stale(now), now
        if self._boost and stale:
            self._boost, self._pending = (_LEAST, True) if iowait else (0.0, False)
        elif iowait and not self._pending:
            self._boost = min(2.0 * self._boost, CAPACITY) if self._boost else _LEAST
            self._pending = True

    def take(self, now: float) -> float:
        """The share of its capacity that the CPU is to look used at least, 0 to 1; to be asked once in each update."""
        if self._stale(now):
            self._boost, self._pending = 0.0, False
        if not self._pending:
            self._boost = 0.5 * self._boost if self._boost >= 2.0 * _LEAST else 0.0
        self._pending = False
        return self._boost / CAPACITY

    def _stale(self, now: float) -> bool:
        """Whether the scheduler has not looked at the CPU for more than a tick."""
        return self._last is not None and now - self._last > self._tick + _ROUNDING


class JumpingBoost(IowaitBoost):
    """A boost that jumps to the highest clock with each task that woke up from waiting, and halves with each update.

    References
    ----------
    .. [1] Linux 4.9, kernel/sched/cpufreq_schedutil.c (`sugov_set_iowait_boost`, `sugov_iowait_boost`).
    """

    def note(self, now: float, iowait: bool) -> None:
        """The scheduler has looked at the CPU, where a task woke up from waiting (`iowait`) or not."""
        stale, self._last = self._stale(now), now
        if iowait:
            self._boost = CAPACITY
        elif stale:
            self._boost = 0.0

    def take(self, now: float) -> float:
        """The share of the highest clock that is wanted at least, 0 to 1; to be asked once in each update."""
        boost, self._boost = self._boost, 0.5 * self._boost
        return boost / CAPACITY

    def clear(self) -> None:
        """The CPU has been idle for long."""
        self._boost = 0.0
