"""Throttling by one step at each reading."""

from __future__ import annotations

from collections.abc import Mapping

from socsim.schedulers.governors.thermal.base import ActorView, StateGovernor, ZoneView

__all__ = ["StepWise"]


class StepWise(StateGovernor):
    """Linux' `step_wise`: one clock lower at each reading above a trip that still rises, one higher at each that falls.

    Above a trip while the temperature falls, and below it while it rises, nothing changes. Steps start from the state
    of the domain, whoever has set it.

    References
    ----------
    .. [1] Linux 6.1, drivers/thermal/gov_step_wise.c
    """

    def caps(self, view: ZoneView) -> Mapping[str, float]:
        """A step at most for each domain at each trip; readings are frequent until one after every state is 0 again."""
        caps = super().caps(view)
        self.passive = any(self.held(i) for i, trip in enumerate(view.trips) if trip.kind == "passive")
        return caps

    def next_state(self, view: ZoneView, trip: int, actor: ActorView, held: int | None) -> int | None:
        """A step up, down or none."""
        present = max(self.state(actor.name), actor.other_state)
        hot = view.temperature >= view.trips[trip].temperature
        if hot and (view.trend == "raising" or not self.seen(trip, actor.name)):
            return min(present + 1, actor.max_state)
        if not hot and view.trend == "dropping":
            return present - 1 if present > 0 else None
        return held
