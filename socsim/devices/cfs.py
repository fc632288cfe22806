"""The rules of Linux' completely fair scheduler (CFS) as pure arithmetic.

Times in s. A thread's virtual run time (vruntime) advances as it runs, slower the higher its weight; the thread with
the least vruntime runs next. A core looks at its clock tick whether somebody else should run; a thread that wakes up
preempts at once if it is far enough behind.

References
----------
.. [1] Linux 4.14, kernel/sched/fair.c and kernel/sched/core.c (`sched_prio_to_weight`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Literal, get_args

from socsim.errors import UnknownNameError, UsageError

__all__ = ["NICE_0_WEIGHT", "PLACEMENTS", "CfsParameters", "PlacementPolicy", "nice_weight"]

PlacementPolicy = Literal["balance", "eas"]
PLACEMENTS: tuple[str, ...] = get_args(PlacementPolicy)
"""How cores are found for threads: by load alone, or energy-aware where no core is short of capacity."""

NICE_0_WEIGHT = 1024
_WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
    9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
    1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
    110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
)  # fmt: skip


def nice_weight(nice: int) -> int:
    """Weight of a thread by its nice value, 1024 at 0; each step is worth about 1.25 times the CPU time.

    Raises
    ------
    UsageError
        Not a whole number from -20 to 19.
    """
    if not isinstance(nice, int) or isinstance(nice, bool) or not -20 <= nice <= 19:
        raise UsageError(f"nice must be a whole number from -20 (most) to 19 (least), got {nice!r}")
    return _WEIGHTS[nice + 20]


@dataclass(frozen=True, slots=True)
class CfsParameters:
    """What a kernel is built and set up with; the defaults are those of an Android phone of eight cores.

    Parameters
    ----------
    latency
        Period in s in which every runnable thread of a core should run once (``sched_latency_ns``).
    min_granularity
        Least slice in s (``sched_min_granularity_ns``); many threads stretch the period.
    wakeup_granularity
        How far in s a waking thread must be behind to preempt (``sched_wakeup_granularity_ns``).
    tick
        Period in s of the timer interrupt (``1 / CONFIG_HZ``): slices end on ticks.
    balance_period
        Time in s between two looks at the run queues of all cores, while somebody waits.
    placement
        How a core is found for a thread that wakes up: ``"balance"`` or ``"eas"`` (see :mod:`socsim.devices.eas`).

    Raises
    ------
    UnknownNameError
        No placement of that name.
    """

    latency: float = 10e-3
    min_granularity: float = 3e-3
    wakeup_granularity: float = 2e-3
    tick: float = 10e-3
    balance_period: float = 128e-3
    placement: PlacementPolicy = "balance"

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise UnknownNameError("placement", self.placement, PLACEMENTS)

    def period(self, runnable: int) -> float:
        """Time in s in which each of `runnable` threads should have a turn: longer where they are too many for it."""
        fitting = ceil(self.latency / self.min_granularity - 1e-9)
        return self.latency if runnable <= fitting else runnable * self.min_granularity

    def slice(self, runnable: int, weight: float, total_weight: float) -> float:
        """Turn in s of a thread of some weight."""
        return self.period(runnable) * weight / total_weight

    @property
    def sleeper_credit(self) -> float:
        """Virtual time in s that a thread which has slept may be behind everybody."""
        return 0.5 * self.latency

    def placed(self, vruntime: float, least: float) -> float:
        """vruntime of a thread that wakes up: it is forgiven at most half a period behind the least of the core."""
        return max(vruntime, least - self.sleeper_credit)

    def debited(self, runnable: int, weight: float, total_weight: float, least: float) -> float:
        """vruntime of a new thread: behind everybody by one turn; counts include it."""
        return least + self.slice(runnable, weight, total_weight) * NICE_0_WEIGHT / weight

    def preempts(self, waking_vruntime: float, waking_weight: float, running_vruntime: float) -> bool:
        """Whether a waking thread takes the core at once."""
        granularity = self.wakeup_granularity * NICE_0_WEIGHT / waking_weight
        return running_vruntime - waking_vruntime > granularity

    def turn_ends(
        self, now: float, ran: float, turn: float, weight: float, ahead: float, *, others: bool
    ) -> float:
        """Instant in s of the tick at which the running thread has to go; infinity while nobody waits.

        Parameters
        ----------
        now
            The present instant.
        ran
            How long it has run since it was picked.
        turn
            Its slice.
        weight
            Its weight.
        ahead
            Its vruntime less the least of those waiting.
        others
            Whether anybody waits.
        """
        if not others:
            return inf
        by_time = turn - ran
        by_fairness = max(self.min_granularity - ran, (turn - ahead) * weight / NICE_0_WEIGHT)
        return self.next_tick(now + max(0.0, min(by_time, by_fairness)))

    def next_tick(self, after: float) -> float:
        """The first tick later than an instant."""
        return (floor(after / self.tick + 1e-9) + 1) * self.tick
