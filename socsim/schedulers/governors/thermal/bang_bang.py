"""Throttling that is on or off."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.schedulers.governors.thermal.base import ActorView, StateGovernor, ZoneView

__all__ = ["BangBang"]


class BangBang(StateGovernor):
    """Linux' `bang_bang`: on at the trip, off at its hysteresis below. Made for fans; it never polls faster.

    Parameters
    ----------
    state
        How many of the fastest operating points are taken away while it is on. Linux has 1.

    References
    ----------
    .. [1] Linux 6.1, drivers/thermal/gov_bang_bang.c
    """

    def __init__(self, state: int = 1) -> None:
        if state < 1:
            raise UsageError(f"bang_bang takes away 1 operating point or more, got {state}")
        super().__init__()
        self._on = state

    def next_state(self, view: ZoneView, trip: int, actor: ActorView, held: int | None) -> int | None:
        """On, off, or as it was in between."""
        limit = view.trips[trip]
        if not held:
            return min(self._on, actor.max_state) if view.temperature >= limit.temperature else 0
        return 0 if view.temperature <= limit.temperature - limit.hysteresis else held
