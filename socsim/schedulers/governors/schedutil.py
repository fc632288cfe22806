"""Linux' schedutil governor: the clock follows the scheduler's own account of utilisation."""

from __future__ import annotations

from math import inf
from typing import ClassVar

from socsim.schedulers.governors.base import Governor, resolve
from socsim.schedulers.governors.cpufreq import transition_delay
from socsim.schedulers.governors.iowait import IowaitBoost, JumpingBoost
from socsim.schedulers.governors.options import number, seconds
from socsim.schedulers.governors.view import CAPACITY, DomainView

__all__ = ["Schedutil", "SchedutilL4t"]

_ROUNDING = 1e-9


class Schedutil(Governor):
    """A quarter more clock than the busiest CPU's utilisation needs.

    Utilisation is that of PELT, or what the runnable tasks usually use (util_est) where that is more, within the tasks'
    clamps, and at least the boost for tasks that waited for input or output. After a change the clock is kept for the
    rate limit. A CPU that has a clock of its own does not slow down before it has been idle.

    Parameters
    ----------
    rate_limit
        Least time between changes; 0 (default) for the least that the driver states: 1000 times its latency, 10 ms
        at most.
    util_est
        Whether what tasks usually use counts; default true.
    margin
        Clock wanted over clock needed; default 1.25.
    invariant
        Whether utilisation is on the scale of the highest clock, as on all recent phones (default), or of the present.
    tick
        Time between ticks of the kernel; default 4 ms.

    Raises
    ------
    UsageError
        An option outside its range.

    References
    ----------
    .. [1] Linux 6.1, kernel/sched/cpufreq_schedutil.c (`sugov_update_single_freq`, `sugov_update_shared`,
       `get_next_freq`), include/linux/sched/cpufreq.h (`map_util_perf`), kernel/sched/core.c (`effective_cpu_util`).
    """

    name = "schedutil"
    trigger = "scheduler"
    kinds = ("cpu",)
    boost: ClassVar[type[IowaitBoost]] = IowaitBoost

    def __init__(
        self,
        rate_limit: str | float = 0.0,
        util_est: bool = True,
        margin: float = 1.25,
        invariant: bool = True,
        tick: str | float = "4 ms",
    ) -> None:
        self.rate_limit = seconds(self.name, "rate_limit", rate_limit, zero=True)
        self.margin = number(self.name, "margin", margin, 0.0, above=True)
        self.tick = seconds(self.name, "tick", tick)
        self.util_est, self.invariant = bool(util_est), bool(invariant)
        self._boost = self.boost(self.tick)
        self._wanted, self._changed_at = 0.0, -inf
        self._idled, self._limits_changed = False, False

    def next_frequency(self, domain: DomainView) -> float | None:
        """The operating point for the present utilisation, or None within the rate limit or where it is the same."""
        self._idled = self._idled or any(domain.was_idle)
        self._limits_changed = self._limits_changed or domain.limits_changed
        self._boost.note(domain)
        since = domain.now - self._changed_at + _ROUNDING
        if since < self._least_delay(domain) and not self._limits_changed:
            return None
        wanted = self._frequency(domain)
        if not self._limits_changed and (wanted == self._wanted or self._too_soon(since, wanted)):
            return None
        self._wanted, self._changed_at, self._limits_changed = wanted, domain.now, False
        return wanted

    def _least_delay(self, domain: DomainView) -> float:
        """Time in s after a change in which nothing is decided."""
        return self.rate_limit or transition_delay(domain)

    def _too_soon(self, since: float, wanted: float) -> bool:
        """Whether a change comes too soon after the last one although it may be decided."""
        return False

    def _frequency(self, domain: DomainView) -> float:
        used, clamped = self._used(domain), domain.uclamp[1] < CAPACITY
        reference = domain.opps.highest if self.invariant else domain.frequency
        wanted = resolve(domain, self.margin * used * reference)
        if len(domain.utils) > 1 or (clamped and max(domain.utils) >= domain.uclamp[1]):
            return wanted
        idled, self._idled = self._idled, False
        return wanted if idled else max(wanted, resolve(domain, self._wanted))

    def _used(self, domain: DomainView) -> float:
        """The share of its capacity that the busiest CPU uses, boost included."""
        boost = self._boost.take()
        return max(self._cpu(cpu, boost, domain) for cpu in range(len(domain.utils))) / domain.capacity

    def _cpu(self, cpu: int, boost: float, domain: DomainView) -> float:
        """What a CPU uses, up to its capacity."""
        used = domain.utils[cpu]
        if self.util_est and domain.estimates:
            used = max(used, domain.estimates[cpu])
        boosted = boost * domain.capacity
        return max(min(_clamped(used, domain), domain.capacity), _clamped(boosted, domain) if boost else 0.0)


def _clamped(used: float, domain: DomainView) -> float:
    """Within the tasks' clamps; of two that contradict each other the least counts."""
    least, most = domain.uclamp
    return max(min(used, most), least)


class SchedutilL4t(Schedutil):
    """schedutil of the 4.9 kernel of NVIDIA's Linux for Tegra: one rate limit up, another one down, and no util_est.

    A task that woke up from waiting for input or output asks for the highest clock at once. CPUs of a shared clock
    that have run nothing for longer than a tick are ignored. There are no clamps of tasks, and a CPU that has not been
    idle may slow down.

    Parameters
    ----------
    up_rate_limit, down_rate_limit
        Least time after a change before a raise and before a fall; defaults 500 us and 2 ms.
    margin
        Clock wanted over clock needed; default 1.25, a `capacity_margin` of 256 in 1024.
    invariant
        As in :class:`Schedutil`.
    tick
        Time between ticks of the kernel; default 4 ms.

    Raises
    ------
    UsageError
        An option outside its range.

    References
    ----------
    .. [1] NVIDIA Linux for Tegra, kernel 4.9, kernel/sched/cpufreq_schedutil.c.
    """

    name = "schedutil_l4t"
    boost = JumpingBoost

    def __init__(
        self,
        up_rate_limit: str | float = "500 us",
        down_rate_limit: str | float = "2 ms",
        margin: float = 1.25,
        invariant: bool = True,
        tick: str | float = "4 ms",
    ) -> None:
        super().__init__(util_est=False, margin=margin, invariant=invariant, tick=tick)
        self.up_rate_limit = seconds(self.name, "up_rate_limit", up_rate_limit, zero=True)
        self.down_rate_limit = seconds(self.name, "down_rate_limit", down_rate_limit, zero=True)
        self._ran_at: list[float] = []

    def next_frequency(self, domain: DomainView) -> float | None:
        """As schedutil, with the two rate limits."""
        self._ran_at = self._ran_at or [-inf] * len(domain.utils)
        for cpu, load in enumerate(domain.loads):
            if load > 0.0 or (domain.estimates and domain.estimates[cpu] > 0.0):
                self._ran_at[cpu] = domain.now
        return super().next_frequency(domain)

    def _least_delay(self, domain: DomainView) -> float:
        return min(self.up_rate_limit, self.down_rate_limit)

    def _too_soon(self, since: float, wanted: float) -> bool:
        return since < (self.up_rate_limit if wanted > self._wanted else self.down_rate_limit)

    def _frequency(self, domain: DomainView) -> float:
        reference = domain.opps.highest if self.invariant else domain.frequency
        return resolve(domain, self.margin * self._used(domain) * reference)

    def _cpu(self, cpu: int, boost: float, domain: DomainView) -> float:
        if len(domain.utils) > 1 and domain.now - self._ran_at[cpu] > self.tick + _ROUNDING:
            return 0.0
        return max(min(domain.utils[cpu], domain.capacity), boost * domain.capacity)
