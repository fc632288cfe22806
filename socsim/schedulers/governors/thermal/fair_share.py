"""Throttling in proportion to weights."""

from __future__ import annotations

from socsim.schedulers.governors.thermal.base import ActorView, StateGovernor, ZoneView

__all__ = ["FairShare"]


class FairShare(StateGovernor):
    """Linux' `fair_share`: the more trips are passed, the more states are taken away, divided by the domains' weights.

    Of its highest state a domain is given the share of passed trips (the zone's hot and critical ones count) times its
    share of weight among the domains of the trip. It never polls faster.

    References
    ----------
    .. [1] Linux 6.1, drivers/thermal/gov_fair_share.c: percentages and states are whole numbers, rounded down.
    """

    def next_state(self, view: ZoneView, trip: int, actor: ActorView, held: int | None) -> int | None:
        """The domain's part of what the passed trips demand."""
        passed = next(
            (i for i, t in enumerate(view.trips) if view.temperature < t.temperature), len(view.trips)
        )
        names, weights = view.trips[trip].throttles, view.zone.weights
        total = sum(weights.get(name, 0.0) for name in names)
        percent = int(weights.get(actor.name, 0.0) * 100 / total) if total else 100 // len(names)
        return percent * passed * actor.max_state // (100 * len(view.trips))
