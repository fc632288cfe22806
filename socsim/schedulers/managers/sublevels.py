"""The level of one application: what measured times say about it, with hysteresis."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Drift", "Sublevels"]

_RISE, _FALL = 0.5, 0.05
"""How much of a new ratio counts: too slow matters at once, too fast only where it lasts."""

_LEAST, _MOST = 0.25, 16.0
"""Ratios outside tell of something else than of load."""


_SURE = 0.01
"""Share of a limit that is kept free however sure what is foreseen has turned out to be."""

_LESS = 0.9
"""Share of the load under which a level was too slow, below which it may not be."""


class Drift:
    """Measured over foreseen times, averaged: up by half of what is new, down by a twentieth.

    Attributes
    ----------
    scale : float
        The average; 1 before anything is measured.
    excess : float
        By how much of what the average foresaw it has been exceeded at most, which fades by a twentieth each time.
    count : int
        How often it was measured.
    """

    def __init__(self) -> None:
        self.scale = 1.0
        self.excess = 0.0
        self.count = 0

    def free(self, margin: float, enough: int) -> float:
        """Share of a limit to keep free: `margin` before `enough` are measured, then the excess, at most `margin`."""
        return margin if self.count < enough else min(margin, max(_SURE, self.excess))

    def note(self, measured: float, foreseen: float) -> None:
        """An inference that took `measured` s, foreseen without this scale as `foreseen` s."""
        if foreseen > 0.0:
            ratio = min(max(measured / foreseen, _LEAST), _MOST)
            self.count += 1
            self.excess = max(ratio / self.scale - 1.0, (1.0 - _FALL) * self.excess)
            self.scale += (ratio - self.scale) * (_RISE if ratio > self.scale else _FALL)


class Sublevels:
    """When an application goes down a level, and when up.

    Times are averaged over windows of finished inferences, begun anew with each change. It goes down where a full
    window's mean is above the budget, and up where the time foreseen for the next level has stayed below a share of the
    budget for several windows in a row. A level that was too slow is not tried again before :meth:`forget`, or before
    the load, measured over foreseen times, is well below that of the first window at the level below.

    Parameters
    ----------
    window
        Inferences in a window.
    patience
        Windows in a row that speak for going up.
    share
        Of the budget, which the time foreseen for the next level must stay below.
    """

    def __init__(self, window: int = 5, patience: int = 3, share: float = 0.9) -> None:
        self.window, self.patience, self.share = window, patience, share
        self.slow: set[int] = set()
        """Levels that were too slow under the present conditions."""
        self._times: list[float] = []
        self._loads: list[float] = []
        self._load: float | None = None
        self._fit = 0

    def forget(self) -> None:
        """Conditions have changed: levels that were too slow need not be now."""
        self.slow.clear()
        self._load = None
        self.restart()

    def restart(self) -> None:
        """Clocks or the level have changed: what was measured before does not count."""
        self._times.clear()
        self._loads.clear()
        self._fit = 0

    def moved(
        self,
        time: float,
        budget: float,
        level: int,
        levels: Sequence[int],
        foreseen: float,
        load: float = 1.0,
    ) -> int:
        """Level of the next inference.

        Parameters
        ----------
        time
            What the one that has just finished took, in s.
        budget
            What it should take at most, in s.
        level
            The present level.
        levels
            Those that may run, in order, the present one among them; none is skipped.
        foreseen
            Time in s of the next level above.
        load
            What the one that has just finished took over what was foreseen.
        """
        self._times.append(time)
        self._loads.append(load)
        if len(self._times) < self.window:
            return level
        mean, loaded = sum(self._times) / self.window, sum(self._loads) / self.window
        self._times.clear()
        self._loads.clear()
        self._relent(loaded)
        if mean > budget:
            return self._down(level, levels)
        place = levels.index(level)
        above = levels[place + 1 : place + 2]
        if not above or above[0] in self.slow or foreseen >= self.share * budget:
            self._fit = 0
            return level
        self._fit += 1
        return self._gone(above[0]) if self._fit >= self.patience else level

    def _relent(self, load: float) -> None:
        """Try again what was too slow if there is less load than there was then."""
        if self.slow and self._load is None:
            self._load = load
        elif self.slow and load < _LESS * (self._load or 0.0):
            self.slow.clear()

    def _down(self, level: int, levels: Sequence[int]) -> int:
        place = levels.index(level)
        self._fit = 0
        if not place:
            return level
        self.slow.add(level)
        self._load = None
        return self._gone(levels[place - 1])

    def _gone(self, level: int) -> int:
        self.restart()
        return level
