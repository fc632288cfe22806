"""How schedutil helps tasks that wait for input and output: their CPU looks busier than it is, for some updates."""

from __future__ import annotations

from socsim.schedulers.governors.view import CAPACITY, DomainView

__all__ = ["IowaitBoost", "JumpingBoost"]

_LEAST = CAPACITY / 8
_ROUNDING = 1e-9


class IowaitBoost:
    """A boost that doubles with each update in which a task woke up from waiting, and halves in others.

    Parameters
    ----------
    tick
        Time in s between ticks of the kernel; a domain without updates for longer has been idle, and its boost is lost.

    References
    ----------
    .. [1] Linux 6.1, kernel/sched/cpufreq_schedutil.c (`sugov_iowait_boost`, `sugov_iowait_apply`).
    """

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._boost, self._pending = 0.0, False
        self._last: float | None = None

    def note(self, domain: DomainView) -> None:
        """The governor is called: take notice of tasks that woke up."""
        stale = self._last is not None and domain.now - self._last > self._tick + _ROUNDING
        self._last = domain.now
        if self._boost and stale:
            self._boost, self._pending = (_LEAST, True) if domain.iowait else (0.0, False)
        elif domain.iowait and not self._pending:
            self._boost = min(2.0 * self._boost, CAPACITY) if self._boost else _LEAST
            self._pending = True

    def take(self) -> float:
        """The share of a CPU's capacity that it is to look used at least, 0 to 1; to be asked once in each update."""
        if not self._pending:
            self._boost = 0.5 * self._boost if self._boost >= 2.0 * _LEAST else 0.0
        self._pending = False
        return self._boost / CAPACITY


class JumpingBoost(IowaitBoost):
    """A boost that jumps to the highest clock with each task that woke up from waiting, and halves with each update.

    References
    ----------
    .. [1] Linux 4.9, kernel/sched/cpufreq_schedutil.c (`sugov_set_iowait_boost`, `sugov_iowait_boost`).
    """

    def note(self, domain: DomainView) -> None:
        """The governor is called: take notice of tasks that woke up."""
        stale = self._last is not None and domain.now - self._last > self._tick + _ROUNDING
        self._last = domain.now
        if domain.iowait:
            self._boost = CAPACITY
        elif stale:
            self._boost = 0.0

    def take(self) -> float:
        """The share of the highest clock that is wanted at least, 0 to 1; to be asked once in each update."""
        boost, self._boost = self._boost, 0.5 * self._boost
        return boost / CAPACITY
