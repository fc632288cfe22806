"""How far a sweep is: its rate, its failures, and the time that it still takes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from socsim.sweeps.task import Outcome
from socsim.words import counted

__all__ = ["Progress"]

_WINDOW_S = 30.0
"""The rate is that of the last seconds."""


class Progress:
    """Counts runs.

    Parameters
    ----------
    total
        Runs of the sweep.
    before
        Those that had been finished when it went on.
    failed
        Those among them that had failed.
    now
        A clock in s.
    """

    def __init__(
        self, total: int, before: int = 0, failed: int = 0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.total, self.done, self.failed = total, before, failed
        self.before = before
        self._now = now
        self._begin = now()
        self._recent: deque[tuple[float, int]] = deque([(self._begin, before)])

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Runs have finished."""
        for outcome in outcomes:
            self.done += 1
            self.failed += not outcome.ok
        now = self._now()
        self._recent.append((now, self.done))
        while len(self._recent) > 2 and self._recent[1][0] < now - _WINDOW_S:
            self._recent.popleft()

    @property
    def elapsed_s(self) -> float:
        """Time in s since the beginning."""
        return self._now() - self._begin

    @property
    def rate(self) -> float:
        """Runs per s, of late."""
        (since, before), now = self._recent[0], self._now()
        return (self.done - before) / (now - since) if now > since else 0.0

    @property
    def left_s(self) -> float | None:
        """Time in s that the rest should take; None where nothing has finished yet."""
        rate = self.rate
        return (self.total - self.done) / rate if rate else None

    def line(self) -> str:
        """All of it in one line."""
        parts = [f"{self.done} of {counted(self.total, 'run')}"]
        if self.done > self.before:
            parts.append(f"{self.rate:.3g} runs/s")
        parts += [f"{self.failed} failed"] * bool(self.failed)
        left = self.left_s
        if left is not None and self.done < self.total:
            parts.append(f"{_span(left)} left")
        return ", ".join(parts)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
