"""Linux' schedutil governor: the clock follows the scheduler's own account of utilisation."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from socsim.schedulers.governors.base import Governor, resolve
from socsim.schedulers.governors.cpufreq import transition_delay
from socsim.schedulers.governors.iowait import IowaitBoost, JumpingBoost
from socsim.schedulers.governors.view import CAPACITY, DomainView
from socsim.schedulers.options import Options

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
        Time between ticks of the kernel; 0 (default) for the device's.
    skip_inefficient
        Whether to pass over operating points that a faster one beats in energy for the same work, as kernels from 5.16
        on do where the driver has registered an energy model; default false.

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

    def __init__(
        self,
        rate_limit: str | float = "0 s",
        util_est: bool = True,
        margin: float = 1.25,
        invariant: bool = True,
        tick: str | float = 0.0,
        skip_inefficient: bool = False,
    ) -> None:
        own = Options("governor", self.name)
        self.rate_limit = own.seconds("rate_limit", rate_limit, zero=True)
        self.margin = own.number("margin", margin, above=True)
        self.tick = own.seconds("tick", tick, zero=True)
        self.util_est, self.invariant = bool(util_est), bool(invariant)
        self.skip_inefficient = bool(skip_inefficient)
        self._boosts: list[IowaitBoost] = []
        self._wanted, self._changed_at = 0.0, -inf
        self._idled, self._limits_changed = False, False

    def next_frequency(self, domain: DomainView) -> float | None:
        """The operating point for the present utilisation, or None within the rate limit or where it is the same."""
        self._idled = self._idled or any(domain.was_idle)
        self._limits_changed = self._limits_changed or domain.limits_changed
        self._boosts = self._boosts or [IowaitBoost(self.tick or domain.tick) for _ in domain.utils]
        for cpu, boost in enumerate(self._boosts):
            if domain.updated[cpu]:
                boost.note(domain.now, domain.iowaits[cpu])
        delay = self.rate_limit or transition_delay(domain)
        limited, self._limits_changed = self._limits_changed, False
        if not limited and domain.now - self._changed_at + _ROUNDING < delay:
            return None
        wanted = self._frequency(domain, limited)
        if wanted == self._wanted:
            # What limits have cut may be asked for anew; it is no change that the rate limit counts from.
            return wanted if limited else None
        self._wanted, self._changed_at = wanted, domain.now
        return wanted

    def _frequency(self, domain: DomainView, limited: bool) -> float:
        used = [self._cpu(cpu, boost, domain) for cpu, boost in enumerate(self._boosts)]
        reference = domain.opps.highest if self.invariant else domain.frequency
        wanted = self._point(self.margin * max(used) / domain.capacity * reference, domain)
        if len(used) > 1 or self._is_capped(domain):
            return wanted
        idled, self._idled = self._idled, False
        return wanted if idled or limited else max(wanted, self._point(self._wanted, domain))

    def _point(self, frequency: float, domain: DomainView) -> float:
        return resolve(domain, frequency, efficient=self.skip_inefficient)

    def _is_capped(self, domain: DomainView) -> bool:
        """Whether a clamp takes something from the use of a CPU that has a clock of its own."""
        most = domain.uclamps[0][1]
        return most < CAPACITY and self._plain(0, domain) >= most

    def _plain(self, cpu: int, domain: DomainView) -> float:
        """What a CPU uses, or its tasks usually do."""
        used = domain.utils[cpu]
        return max(used, domain.estimates[cpu]) if self.util_est and domain.estimates else used

    def _cpu(self, cpu: int, boost: IowaitBoost, domain: DomainView) -> float:
        """What a CPU counts as using, up to its capacity."""
        boosted, clamp = boost.take(domain.now) * domain.capacity, domain.uclamps[cpu]
        used = min(_clamped(self._plain(cpu, domain), clamp), domain.capacity)
        return max(used, _clamped(boosted, clamp)) if boosted else used


def _clamped(used: float, clamp: tuple[float, float]) -> float:
    """Within the tasks' clamps; of two that contradict each other the least counts."""
    least, most = clamp
    return max(min(used, most), least)


class SchedutilL4t(Governor):
    """schedutil of the 4.9 kernel of NVIDIA's Linux for Tegra: one rate limit up, another one down, and no util_est.

    A task that woke up from waiting for input or output asks for the highest clock at once. Of a CPU what it used when
    the scheduler looked at it last counts, and nothing if that was more than a tick before the last change. There are
    no clamps of tasks. New limits make it forget what it wanted: it answers them before its rate limit, but lowers the
    clock no earlier than the limit for that, and a busy CPU with a clock of its own keeps what limits have left it
    until it has been idle.

    Parameters
    ----------
    up_rate_limit, down_rate_limit
        Least time after a change before a raise and before a fall; defaults 500 us and 2 ms.
    margin
        Clock wanted over clock needed; default 1.25, a `capacity_margin` of 256 in 1024.
    invariant
        As in :class:`Schedutil`.
    tick
        Time between ticks of the kernel; 0 (default) for the device's.

    Raises
    ------
    UsageError
        An option outside its range.

    Notes
    -----
    The second, faster average that this kernel keeps beside PELT's is left out, and so is the time until its thread has
    set a clock, in which it decides nothing.

    References
    ----------
    .. [1] NVIDIA Linux for Tegra, kernel 4.9, kernel/sched/cpufreq_schedutil.c (`sugov_should_update_freq`,
       `sugov_next_freq_shared`, `sugov_update_commit`).
    """

    name = "schedutil_l4t"
    trigger = "scheduler"
    kinds = ("cpu",)

    def __init__(
        self,
        up_rate_limit: str | float = "500 us",
        down_rate_limit: str | float = "2 ms",
        margin: float = 1.25,
        invariant: bool = True,
        tick: str | float = 0.0,
    ) -> None:
        own = Options("governor", self.name)
        self.up_rate_limit = own.seconds("up_rate_limit", up_rate_limit, zero=True)
        self.down_rate_limit = own.seconds("down_rate_limit", down_rate_limit, zero=True)
        self.margin = own.number("margin", margin, above=True)
        self.tick = own.seconds("tick", tick, zero=True)
        self.invariant = bool(invariant)
        self._cpus: list[_Cpu] = []
        self._wanted, self._changed_at = 0.0, -inf
        self._idled = False

    def next_frequency(self, domain: DomainView) -> float | None:
        """As schedutil, with the two rate limits."""
        self._idled = self._idled or any(domain.was_idle)
        self._cpus = self._cpus or [_Cpu(JumpingBoost(self.tick or domain.tick)) for _ in domain.utils]
        if any(domain.updated):
            self._look(domain)
        since = domain.now - self._changed_at + _ROUNDING
        if domain.limits_changed:
            self._wanted = inf
        elif since < min(self.up_rate_limit, self.down_rate_limit):
            return None
        wanted = self._frequency(domain)
        limit = self.up_rate_limit if wanted > self._wanted else self.down_rate_limit
        if wanted == self._wanted or since < limit:
            return None
        self._wanted, self._changed_at = wanted, domain.now
        return wanted

    def _look(self, domain: DomainView) -> None:
        """Note what the CPUs use that the scheduler has looked at."""
        now, seen = domain.now, zip(self._cpus, domain.updated, domain.utils, domain.iowaits, strict=True)
        for cpu, updated, used, iowait in seen:
            if updated:
                cpu.used, cpu.looked_at = min(used, domain.capacity), now
                cpu.boost.note(now, iowait)

    def _frequency(self, domain: DomainView) -> float:
        used = max(self._share(cpu, domain) for cpu in self._cpus)
        reference = domain.opps.highest if self.invariant else domain.frequency
        wanted = resolve(domain, self.margin * used * reference)
        if len(self._cpus) > 1:
            return wanted
        idled, self._idled = self._idled, False
        return wanted if idled else max(wanted, self._wanted)

    def _share(self, cpu: _Cpu, domain: DomainView) -> float:
        """The share of its capacity that a CPU uses, boost included."""
        if len(self._cpus) > 1 and self._changed_at - cpu.looked_at > (self.tick or domain.tick) + _ROUNDING:
            cpu.boost.clear()
            return 0.0
        return max(cpu.used / domain.capacity, cpu.boost.take(domain.now))


@dataclass(slots=True)
class _Cpu:
    """What is remembered of one CPU: its boost, what it used and when that was, in s."""

    boost: JumpingBoost
    used: float = 0.0
    looked_at: float = -inf
