"""What a thermal governor sees of its zone, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from socsim.devices.thermal import ThermalZone, Trip

__all__ = ["ActorView", "StateGovernor", "ThermalGovernor", "ZoneView"]

Trend = Literal["raising", "stable", "dropping"]


@dataclass(frozen=True, slots=True)
class ActorView:
    """A clock domain that a zone throttles, as a governor sees it.

    In Linux' words it is a cooling device: its *state* n allows all operating points but the n fastest.

    Parameters
    ----------
    name
        ``"cpu.gold"``, ``"gpu"``, ...
    opps
        Clocks in Hz, ascending, with the power in W that the energy model gives one busy unit at each.
    frequency
        Present clock in Hz.
    load
        Busy share since the last reading, summed over the domain's units: 4.0 for four busy cores.
    units
        Cores of a cluster; 1 for an accelerator.
    cap
        Highest clock in Hz that the *other* zones allow at present; infinite for no limit.
    """

    name: str
    opps: tuple[tuple[float, float], ...]
    frequency: float = inf
    load: float = 0.0
    units: int = 1
    cap: float = inf

    @property
    def max_state(self) -> int:
        """The state that leaves the slowest operating point alone."""
        return len(self.opps) - 1

    @property
    def other_state(self) -> int:
        """The state that the other zones ask for."""
        allowed = bisect_right(self.opps, self.cap, key=lambda opp: opp[0])
        return min(len(self.opps) - allowed, self.max_state)

    def clock(self, state: int) -> float:
        """Highest clock in Hz that a state allows."""
        return self.opps[self.max_state - state][0]

    def power(self, state: int) -> float:
        """Power in W of all units, busy at the highest clock that a state allows."""
        return self.opps[self.max_state - state][1] * self.units

    @property
    def requested(self) -> float:
        """Power in W that the domain uses at its present clock and load."""
        index = bisect_left(self.opps, self.frequency, key=lambda opp: opp[0])
        return self.opps[min(index, self.max_state)][1] * self.load


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A reading of a zone.

    Parameters
    ----------
    zone
        What the device file says of it: trips, weights, periods.
    now
        The present instant in s.
    temperature, previous
        This reading and the one before, in degrees Celsius; without one before, the zone counts as warming up, as in
        Linux.
    actors
        Clock domains that the zone's trips throttle, by name.
    """

    zone: ThermalZone
    now: float
    temperature: float
    actors: Mapping[str, ActorView]
    previous: float = -inf

    @property
    def trend(self) -> Trend:
        """Whether the temperature rises or falls from reading to reading."""
        if self.temperature == self.previous:
            return "stable"
        return "raising" if self.temperature > self.previous else "dropping"

    @property
    def trips(self) -> tuple[Trip, ...]:
        """Trips of the zone, from the mildest to the most severe."""
        return self.zone.trips

    @property
    def period(self) -> float:
        """Time in s between readings while a governor throttles."""
        return self.zone.passive_period


class ThermalGovernor(ABC):
    """Decides, reading by reading, which clocks a zone's temperature allows. One governor serves one zone.

    A governor of your own implements :meth:`caps`.
    """

    passive: bool = False
    """Whether it throttles at present, so that the zone is read at its shorter period."""

    @abstractmethod
    def caps(self, view: ZoneView) -> Mapping[str, float]:
        """Highest clocks in Hz that a reading allows, by clock domain; domains that are free are left out."""

    def next_period(self, zone: ThermalZone) -> float:
        """Time in s until the next reading."""
        return zone.passive_period if self.passive else zone.period


class StateGovernor(ThermalGovernor):
    """A governor that holds a state for each domain at each trip; the highest one of a domain counts.

    Trips are looked at in their order, and a later one sees what an earlier one has just set.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[int, str], int | None] = {}

    @abstractmethod
    def next_state(self, view: ZoneView, trip: int, actor: ActorView, held: int | None) -> int | None:
        """State to hold for a domain because of a trip.

        Parameters
        ----------
        view, trip, actor
            The reading, the trip by its number, and the domain.
        held
            The state held until now; None for none.

        Returns
        -------
        int or None
            None to ask for nothing.
        """

    def caps(self, view: ZoneView) -> Mapping[str, float]:
        for i, trip in enumerate(view.trips):
            if trip.kind in ("active", "passive"):
                for name in trip.throttles:
                    held = self._states.get((i, name))
                    self._states[i, name] = self.next_state(view, i, view.actors[name], held)
        states = {name: self.state(name) for name in view.zone.domains}
        return {name: view.actors[name].clock(state) for name, state in states.items() if state}

    def state(self, name: str) -> int:
        """The state that this zone asks for."""
        return max((state or 0 for (_, domain), state in self._states.items() if domain == name), default=0)

    def seen(self, trip: int, name: str) -> bool:
        """Whether there has been a reading before."""
        return (trip, name) in self._states

    def held(self, trip: int) -> bool:
        """Whether any domain holds a state, be it 0, because of a trip."""
        return any(i == trip and state is not None for (i, _), state in self._states.items())
