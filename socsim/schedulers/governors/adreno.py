"""A stand-in for the governor of Qualcomm's GPUs."""

from __future__ import annotations

from socsim.schedulers.governors.base import Governor
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["AdrenoTz"]


class AdrenoTz(Governor):
    """One level up after a busy window, one down after some others; the highest clock after a long busy one.

    The driver sums up the GPU's busy time over its starts and ends of work until the window is long and busy enough,
    and takes the highest clock if the GPU was busy for very long. Else Qualcomm's closed firmware decides. In its
    place stands the open algorithm of after-market kernels: it is a guess at what a phone does. A GPU that has been
    powered down begins a window anew, at the clock that it had.

    Parameters
    ----------
    floor, min_busy
        Least length of a window and busy time in it before anything is decided; defaults 5 ms and 1 ms.
    ceiling
        Busy time of a window above which the highest clock is taken at once; default 50 ms.
    ramp_up
        Busy time of a window above which the clock is raised by a level; default 3 ms. Above `floor` it would lower
        the clock of a GPU that is always busy with short work.
    laziness
        How many windows with less are let pass after the clock was lowered by a level; default 4.

    Raises
    ------
    UsageError
        An option outside its range.

    References
    ----------
    .. [1] Android kernel for SM8250, drivers/devfreq/governor_msm_adreno_tz.c (`tz_get_target_freq`).
    .. [2] P. Reioux, "Simple GPU algorithm", drivers/gpu/msm/simple_gpu_algorithm.c (`simple_gpu_algorithm`).
    """

    name = "adreno_tz"
    trigger = "busy"
    kinds = ("gpu",)

    def __init__(
        self,
        floor: str | float = "5 ms",
        min_busy: str | float = "1 ms",
        ceiling: str | float = "50 ms",
        ramp_up: str | float = "3 ms",
        laziness: int = 4,
    ) -> None:
        own = Options("governor", self.name)
        self.floor = own.seconds("floor", floor, zero=True)
        self.min_busy = own.seconds("min_busy", min_busy, zero=True)
        self.ceiling = own.seconds("ceiling", ceiling)
        self.ramp_up = own.seconds("ramp_up", ramp_up, zero=True)
        self.laziness = own.count("laziness", laziness)
        self._busy = self._total = 0.0
        self._patience = 0

    def next_frequency(self, domain: DomainView) -> float | None:
        """The clock of the next level, or None where it stays."""
        if domain.suspended:
            self._busy = self._total = 0.0
            return None
        self._busy, self._total = self._busy + domain.busy_s, self._total + domain.total_s
        rounding = 1e-9
        if (
            domain.total_s <= 0.0
            or self._total + rounding < self.floor
            or self._busy + rounding < self.min_busy
        ):
            return None
        busy, self._busy, self._total = self._busy, 0.0, 0.0
        if busy > self.ceiling + rounding:
            return domain.opps.highest
        level = domain.opps.index(domain.opps.closest(domain.frequency))
        if busy > self.ramp_up + rounding:
            return domain.opps[min(level + 1, len(domain.opps) - 1)]
        return self._lower(level, domain)

    def _lower(self, level: int, domain: DomainView) -> float | None:
        if level == 0:
            return None
        if self._patience:
            self._patience -= 1
            return None
        self._patience = self.laziness
        return domain.opps[level - 1]
