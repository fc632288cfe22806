"""What a manager remembers of one application."""

from __future__ import annotations

from collections.abc import Sequence

from socsim.schedulers.managers.budgets import budget, left, step_of
from socsim.schedulers.managers.device import AppState
from socsim.schedulers.managers.outlook import Demand
from socsim.schedulers.managers.sublevels import Drift, Sublevels

__all__ = ["Watch"]

_SCALE_GRID, _LIMIT_GRID, _GAP_GRID = 0.005, 0.005, 0.1
"""Relative steps in which plans tell scales, limits and gaps apart."""

_GAP_SHARE, _NO_GAP = 0.2, 1e-6
"""How much of a new gap counts; gaps in s that are rounding."""


class Watch:
    """Level and place that hold, and what was measured.

    Parameters
    ----------
    app
        The application as it begins.
    levels
        Hysteresis of its level.
    """

    def __init__(self, app: AppState, levels: Sublevels) -> None:
        self.name, self.begun = app.name, app.level
        self.level, self.place = app.level, app.place
        self.wanted = app.level
        """Where the level is to go as times allow."""
        self.levels = levels
        self._drifts: dict[str, Drift] = {}
        self._finish: float | None = None
        self._gap = 0.0

    @property
    def drift(self) -> Drift:
        """Measured over foreseen at the present place."""
        return self._drifts.setdefault(self.place, Drift())

    def scale(self, place: str) -> float:
        """Measured over foreseen time at a place; 1 where it has not run."""
        known = self._drifts.get(place)
        return 1.0 if known is None else known.scale

    def passed(self, app: AppState, now: float) -> None:
        """An inference has finished: how long had it been since the one before?"""
        if self._finish is not None:
            gap = max(0.0, now - app.latencies[-1] - self._finish)
            self._gap += _GAP_SHARE * (gap - self._gap)
        self._finish = now

    def demand(self, app: AppState, margin: float, *, waiting: bool = False) -> Demand:
        """What the application would run and needs, in steps that plans tell apart.

        Parameters
        ----------
        margin
            Share of the budget that is kept free at most.
        waiting
            Whether a backlog counts: it makes the next inference more urgent, not all of them.
        """
        whole = budget(app)
        margin = self.free(margin)
        limit = (left(app, whole) if waiting else whole) * (1.0 - margin)
        gap = step_of(self._gap, _GAP_GRID, up=False) if self._gap > _NO_GAP else 0.0
        return Demand(
            app=self.name,
            level=self.level,
            place=self.place,
            period=app.period,
            gap=gap if app.period is None else 0.0,
            scale=self.stepped(self.place),
            limit=step_of(limit, _LIMIT_GRID, up=False),
            rank=app.priority,
        )

    def free(self, margin: float) -> float:
        """Share of the budget that is kept free at the present place: `margin` until a window has been measured."""
        return self.drift.free(margin, self.levels.window)

    def stepped(self, place: str) -> float:
        """The scale at a place, up to the next step."""
        return step_of(self.scale(place), _SCALE_GRID, up=True)

    def note(self, measured: float, foreseen: float) -> None:
        """An inference under unchanged conditions took `measured` s, foreseen as `foreseen` s."""
        self.drift.note(measured, foreseen)

    def go(self, level: int, place: str) -> None:
        """From the next inference on."""
        if (level, place) != (self.level, self.place):
            self.levels.restart()
        self.level, self.place = level, place

    def ladder(self, levels: Sequence[int]) -> list[int]:
        """Levels up to the one wanted that may run, the present one among them whether it may or not."""
        top = max(levels.index(x) for x in (self.wanted, self.level) if x in levels) if levels else -1
        return [*levels[: top + 1]]
