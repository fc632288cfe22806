"""Intelligent power allocation: a controller sets a budget of power, and the domains share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from socsim.devices.thermal import Trip
from socsim.schedulers.governors.thermal.base import ActorView, ThermalGovernor, ZoneView

__all__ = ["PowerAllocator", "divide"]

_LEAST_LOAD = 0.01
"""Load that an idle domain counts with when a clock is chosen for what it was granted."""
_ROUNDING = 1e-9
"""Relative slack when powers are compared."""


class PowerAllocator(ThermalGovernor):
    """Linux' `power_allocator`: a PID controller holds the last passive trip by a budget for what the domains draw.

    Below the first passive trip everything is free. Above it the budget is `sustainable_power` plus a proportional,
    an integral and a derivative term of the distance to the last passive trip; each domain that this trip throttles
    gets a part in proportion to what it requests (its energy model's power at the present clock and load), and the
    fastest clock whose power fits. A zone with one passive trip is always controlled. What nobody uses is lent to
    nobody: a domain that is idle at a reading is granted nothing, and gets its slowest clock until the next.

    Parameters
    ----------
    sustainable_power
        Power in W that the domains may draw for ever; the sum of their least powers if None.
    k_po, k_pu
        Proportional gains in W/K above and below the trip; None for `sustainable_power`, and twice that, over the
        distance of the two trips (over the trip's temperature where there is one).
    k_i
        Integral gain in W/K at each reading; a tenth of `k_pu` if None.
    k_d
        Derivative gain in W s/K.
    integral_cutoff
        The integral grows only while the temperature is nearer to the trip than this, in K; from above it always is.

    Attributes
    ----------
    budget, granted
        Of the last reading, in W, and by domain; infinite and empty while all is free.

    References
    ----------
    .. [1] Linux 6.1, drivers/thermal/gov_power_allocator.c, cpufreq_cooling.c and devfreq_cooling.c; powers are whole
       mW there.
    """

    def __init__(
        self,
        sustainable_power: float | None = None,
        k_po: float | None = None,
        k_pu: float | None = None,
        k_i: float | None = None,
        k_d: float = 0.0,
        integral_cutoff: float = 0.0,
    ) -> None:
        self._sustainable = sustainable_power
        self._k_po, self._k_pu, self._k_i, self._k_d = k_po, k_pu, k_i, k_d
        self._cutoff = integral_cutoff
        self._reset()

    def _reset(self) -> None:
        self._integral = self._error = 0.0
        self.passive = False
        self.budget: float = float("inf")
        self.granted: Mapping[str, float] = {}

    def caps(self, view: ZoneView) -> Mapping[str, float]:
        switch_on, control = _trips(view)
        if control is None or not control.throttles:
            return {}
        if switch_on and view.temperature < switch_on.temperature:
            self._reset()
            return {}
        self.passive = True
        actors = [view.actors[name] for name in control.throttles]
        reach = control.temperature - (switch_on.temperature if switch_on else 0.0)
        self.budget = self._control(view, control.temperature - view.temperature, reach, actors)
        weights = [view.zone.weights.get(a.name, 0.0) if view.zone.weights else 1.0 for a in actors]
        requests = [weight * actor.requested for weight, actor in zip(weights, actors, strict=True)]
        parts = divide(self.budget, requests, [actor.power(0) for actor in actors])
        self.granted = {actor.name: part for actor, part in zip(actors, parts, strict=True)}
        states = [(actor, _state(actor, part)) for actor, part in zip(actors, parts, strict=True)]
        return {actor.name: actor.clock(state) for actor, state in states if state}

    def _control(self, view: ZoneView, error: float, reach: float, actors: Sequence[ActorView]) -> float:
        """Budget in W for an error in K: the PID controller."""
        highest = sum(actor.power(0) for actor in actors)
        least = sum(actor.power(actor.max_state) for actor in actors)
        sustainable = least if self._sustainable is None else self._sustainable
        k_po, k_pu, k_i = self._gains(sustainable / reach if reach else 0.0)
        proportional = (k_po if error < 0 else k_pu) * error
        integral = k_i * self._integral
        grown = integral + k_i * error
        if error < self._cutoff and abs(grown) < highest:
            integral = grown
            self._integral += error
        derivative = self._k_d * (error - self._error) / view.period
        self._error = error
        return min(max(sustainable + proportional + integral + derivative, 0.0), highest)

    def _gains(self, slope: float) -> tuple[float, float, float]:
        """The proportional gains and the integral one, with defaults from sustainable power over reach."""
        k_po = slope if self._k_po is None else self._k_po
        k_pu = 2 * slope if self._k_pu is None else self._k_pu
        return k_po, k_pu, k_pu / 10 if self._k_i is None else self._k_i


def divide(budget: float, requests: Sequence[float], highest: Sequence[float]) -> list[float]:
    """Divide power in proportion to requests.

    Parameters
    ----------
    budget
        In W.
    requests
        What each asks for, weighted; the unit does not matter.
    highest
        The most that each can use, in W. What the shares of some exceed it by goes to the others, once, in proportion
        to what they could use beyond their own.

    Returns
    -------
    list of float
        Power in W for each; nothing for all where nobody asks.
    """
    total = sum(requests)
    shares = [budget * request / total if total else 0.0 for request in requests]
    parts = [min(share, most) for share, most in zip(shares, highest, strict=True)]
    rooms = [most - part for part, most in zip(parts, highest, strict=True)]
    surplus, room = min(sum(shares) - sum(parts), sum(rooms)), sum(rooms)
    if surplus <= 0:
        return parts
    return [part + surplus * own / room for part, own in zip(parts, rooms, strict=True)]


def _trips(view: ZoneView) -> tuple[Trip | None, Trip | None]:
    """The trip at which control begins (None: always on), and the one that is held (None: there is none)."""
    passive = [trip for trip in view.trips if trip.kind == "passive"]
    active = [trip for trip in view.trips if trip.kind == "active"]
    if len(passive) > 1:
        return passive[0], passive[-1]
    held = passive or active[-1:]
    return None, held[0] if held else None


def _state(actor: ActorView, granted: float) -> int:
    """The state of the fastest clock whose power fits what was granted, at the present load; else the slowest's."""
    unit = granted / max(actor.load, _LEAST_LOAD) * (1 + _ROUNDING)
    fitting = [i for i, (_, power) in enumerate(actor.opps) if power <= unit]
    return actor.max_state - (fitting[-1] if fitting else 0)
