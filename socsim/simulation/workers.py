"""Worker threads at one operator while they do not all have their cores: parts, taking over parts, waiting busily.

Pure: times come in, states and the next instant come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

__all__ = ["Workers"]

_NOTHING_LEFT = 1e-12
"""Share of a part below which rounding alone is left of it."""
_INSTANT = 1e-12
"""Time in s that is too short to be told from now on the clock of a simulation."""


class Workers:
    """Threads that work off the parts of an operator and meet at a barrier.

    Parameters
    ----------
    parts
        Work of each thread, in s of its reference pace.
    tiles
        Number of equal tiles that a thread's part consists of; with more than one, a thread that has done its own
        takes the last untouched tile of the next thread that has one.
    pace
        Reference pace of each thread: a tile taken over takes longer on a slower one.
    done
        Share of every part that is done already.
    spin
        Time in s that a thread waits busily before it sleeps.
    """

    def __init__(
        self, parts: Sequence[float], tiles: int, pace: Sequence[float], done: float, spin: float
    ) -> None:
        count = len(parts)
        self._tile = [part / tiles for part in parts]
        self._pace, self._spin, self._stealing = pace, spin, tiles > 1
        self._total = sum(part * p for part, p in zip(parts, pace, strict=True))
        self.left = [0.0] * count
        """Work left of the tile that each thread is at."""
        self._untouched = [0] * count
        self.speeds = [0.0] * count
        """Present speed of each thread, in work per s."""
        self.asleep = [False] * count
        self._waits_since = [inf] * count
        for i, part in enumerate(parts):
            left = part * (1.0 - done)
            whole = int(left / self._tile[i] + _NOTHING_LEFT) if self._tile[i] else 0
            self.left[i] = left - whole * self._tile[i]
            self._untouched[i] = whole
            if self.left[i] <= _NOTHING_LEFT * part and whole:
                self.left[i], self._untouched[i] = self._tile[i], whole - 1

    @property
    def all_done(self) -> bool:
        """Whether the barrier may open."""
        return not any(self.left)

    @property
    def flow(self) -> float:
        """Share of the operator's work that is done per s at the present speeds."""
        if not self._total:
            return 0.0
        rates = zip(self.left, self.speeds, self._pace, strict=True)
        return sum([speed * pace for left, speed, pace in rates if left > 0.0]) / self._total

    @property
    def share_left(self) -> float:
        """Share of the operator's work that is left."""
        if not self._total:
            return 0.0
        rest = zip(self.left, self._untouched, self._tile, self._pace, strict=True)
        return sum((left + n * tile) * pace for left, n, tile, pace in rest) / self._total

    def advance(self, elapsed: float, now: float) -> None:
        """Work for `elapsed` s at the present speeds, up to `now`; threads that are done take more or begin to wait."""
        for i, speed in enumerate(self.speeds):
            if self.left[i] > 0.0 and speed > 0.0:
                self.left[i] -= speed * elapsed
                if self.left[i] <= speed * _INSTANT:
                    self.left[i] = 0.0
                    self._take(i, now)

    def start_all(self, now: float) -> None:
        """Threads without anything to do begin to wait."""
        for i, left in enumerate(self.left):
            if left <= 0.0:
                self._take(i, now)

    def next_change(self, now: float) -> float:
        """Time in s until a thread is done with its tile or tired of waiting; infinity for never."""
        soonest = inf
        for i, speed in enumerate(self.speeds):
            if speed <= 0.0:
                continue
            if self.left[i] > 0.0:
                soonest = min(soonest, self.left[i] / speed)
            elif not self.asleep[i]:
                soonest = min(soonest, max(0.0, self._waits_since[i] + self._spin - now))
        return soonest

    def tired(self, now: float) -> list[int]:
        """Threads that hold a core and have waited busily long enough; they count as asleep from now on."""
        tired = [
            i
            for i, speed in enumerate(self.speeds)
            if speed > 0.0
            and self.left[i] <= 0.0
            and not self.asleep[i]
            and now >= self._waits_since[i] + self._spin - _INSTANT
        ]
        for i in tired:
            self.asleep[i] = True
        return tired

    def _take(self, i: int, now: float) -> None:
        if self._untouched[i]:
            self._untouched[i] -= 1
            self.left[i] = self._tile[i]
            return
        count = len(self.left)
        for j in ((i + k) % count for k in range(1, count)) if self._stealing else ():
            if self._untouched[j]:
                self._untouched[j] -= 1
                self.left[i] = self._tile[j] * self._pace[j] / self._pace[i]
                return
        self._waits_since[i] = now
