"""Utilisation of threads and cores as Linux' per-entity load tracking (PELT) has it, in closed form.

Utilisation is an average of capacity used, in which time `HALF_LIFE` ago weighs half of the present: between two
changes of what runs it moves exponentially from where it is to the capacity that is used now. The strongest core's
capacity is 1024; a thread that always runs on a core of capacity c tends to c, so that a slow core's threads never look
busier than the core is strong.

References
----------
.. [1] Linux 4.14, kernel/sched/fair.c (`accumulate_sum`): contributions are scaled by the core's capacity and clock, in
   segments of 1024 us; here they are continuous. From Linux 5.1 on (kernel/sched/pelt.c) time is scaled instead.
.. [2] Linux 5.5, kernel/sched/fair.c (`util_est_update`): what is remembered of a thread that sleeps.
"""

from __future__ import annotations

from math import exp2, inf, log2

__all__ = ["CAPACITY", "HALF_LIFE", "ThreadLoad", "decayed", "remembered", "time_until"]

CAPACITY = 1024.0
"""Capacity of the strongest core at its highest clock."""
HALF_LIFE = 32e-3
"""Time in s after which a contribution counts half."""
_RISE = 0.25
"""Weight of a new sample in the memory of a thread."""
_SAME = 0.01 * CAPACITY
"""A sample as near as this changes no memory."""


def decayed(utilisation: float, elapsed: float, running: float = 0.0) -> float:
    """Utilisation after some time.

    Parameters
    ----------
    utilisation
        At the beginning.
    elapsed
        Time in s.
    running
        Capacity used all the while; 0 for a thread that sleeps or waits.
    """
    return running + (utilisation - running) * exp2(-elapsed / HALF_LIFE)


def time_until(utilisation: float, limit: float, running: float) -> float:
    """Time in s of running on `running` of capacity until utilisation has risen to `limit`; infinity for never.

    It is 0 where it is there already, and infinity where it only tends to the limit.
    """
    if utilisation >= limit:
        return 0.0
    if running <= limit:
        return inf
    return HALF_LIFE * log2((running - utilisation) / (running - limit))


def remembered(memory: float, utilisation: float) -> float:
    """What is remembered of a thread that goes to sleep with some utilisation: a rise at once, a fall slowly."""
    if utilisation >= memory:
        return utilisation
    if memory - utilisation <= _SAME:
        return memory
    return memory + _RISE * (utilisation - memory)


class ThreadLoad:
    """Utilisation of one thread, brought up to date when it is asked for.

    Parameters
    ----------
    utilisation
        At the beginning.
    now
        The present instant in s.
    """

    __slots__ = ("_at", "_last", "_memory", "_utilisation", "where")

    def __init__(self, utilisation: float, now: float) -> None:
        self._utilisation, self._at = utilisation, now
        self._memory = self._last = 0.0
        self.where: object = None
        """The queue that its utilisation counts in."""

    def at(self, now: float, running: float = 0.0) -> float:
        """Utilisation at an instant, if it has used `running` of capacity since the last account."""
        return decayed(self._utilisation, now - self._at, running)

    def ran(self, since: float, now: float, running: float) -> None:
        """Account for running on `running` of capacity from `since` to `now`, and for nothing before that."""
        self._utilisation = decayed(self.at(since), now - since, running)
        self._at = now

    def sleeps(self, now: float) -> None:
        """It goes to sleep: what it used is remembered."""
        self._last = self.at(now)
        self._memory = remembered(self._memory, self._last)

    @property
    def estimate(self) -> float:
        """What it used when it last ran, or usually: does not fade while it sleeps."""
        return max(self._memory, self._last)
