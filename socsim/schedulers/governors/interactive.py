"""Android's interactive governor, which phones had before schedutil."""

from __future__ import annotations

from dataclasses import dataclass

from socsim.schedulers.governors.base import Governor, resolve
from socsim.schedulers.governors.cpufreq import percent
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["Interactive"]

_BESIDE = 1e-6
"""A frequency that is off another one by this part of it is surely below or above it."""
_ROUNDING = 1e-9


@dataclass(slots=True)
class _Cpu:
    """What is remembered of one CPU: frequencies in Hz, instants in s."""

    target: float
    floor: float
    floor_at: float
    hispeed_at: float


class Interactive(Governor):
    """Jumps to a high clock under load, else the lowest clock that keeps each CPU below a target load.

    Above the high clock it is raised only after a delay, and it is lowered only after it has been kept for a while.
    Every CPU of a domain has a target; the highest counts.

    Parameters
    ----------
    target_load
        Load in percent that the clock is chosen for; default 90.
    go_hispeed_load
        Load in percent from which it jumps to `hispeed_freq`; default 99.
    hispeed_freq
        ``"1.2 GHz"``, or a number in Hz; 0 (default) for the highest that is allowed as the run begins.
    above_hispeed_delay
        Time before it is raised above `hispeed_freq`; default 20 ms.
    min_sample_time
        Time before it is lowered; default 30 ms. Older kernels take 80 ms.
    period
        Sampling period; default 20 ms.

    Raises
    ------
    UsageError
        An option outside its range.

    Notes
    -----
    Samples come by the timer alone, and of all CPUs at once; the kernel's timers are each CPU's own, and one that
    runs out on an idle CPU is served when that wakes up, 80 ms later at most.

    References
    ----------
    .. [1] Android common kernel 4.9, drivers/cpufreq/cpufreq_interactive.c (`cpufreq_interactive_timer`,
       `choose_freq`, `cpufreq_interactive_adjust_cpu`).
    """

    name = "interactive"
    kinds = ("cpu",)
    period = "20 ms"
    relation = "at_most"

    def __init__(
        self,
        target_load: float = 90,
        go_hispeed_load: float = 99,
        hispeed_freq: str | float = 0.0,
        above_hispeed_delay: str | float = "20 ms",
        min_sample_time: str | float = "30 ms",
    ) -> None:
        own = Options("governor", self.name)
        self.target_load = own.percent("target_load", target_load, above=True)
        self.go_hispeed_load = own.percent("go_hispeed_load", go_hispeed_load, above=True)
        self.hispeed_freq = own.hertz("hispeed_freq", hispeed_freq)
        self.above_hispeed_delay = own.seconds("above_hispeed_delay", above_hispeed_delay, zero=True)
        self.min_sample_time = own.seconds("min_sample_time", min_sample_time, zero=True)
        self._cpus: list[_Cpu] = []
        self._floor_at = self._hispeed_at = self._highest = 0.0

    def start(self, domain: DomainView) -> None:
        """All CPUs keep the present clock as from now."""
        clock, now = domain.frequency, domain.now
        self._cpus = [_Cpu(clock, clock, now, now) for _ in domain.loads]
        self._floor_at = self._hispeed_at = now
        self._highest = domain.maximum

    def next_frequency(self, domain: DomainView) -> float | None:
        """The highest of the CPUs' targets, or None if none of them has changed."""
        changed = [
            self._sampled(cpu, load, domain) for cpu, load in zip(self._cpus, domain.loads, strict=True)
        ]
        if not any(changed):
            return None
        self._floor_at = max(cpu.floor_at for cpu in self._cpus)
        wanted = max(cpu.target for cpu in self._cpus)
        if wanted != domain.frequency:
            self._hispeed_at = min(cpu.hispeed_at for cpu in self._cpus if cpu.target == wanted)
        return wanted

    def _sampled(self, cpu: _Cpu, load: float, domain: DomainView) -> bool:
        """Move a CPU's target; whether the domain's clock is to be looked at."""
        clock, now = domain.frequency, domain.now + _ROUNDING
        wanted = self._wanted(load, domain)
        if (
            clock >= self._hispeed(domain)
            and wanted > clock
            and now - self._hispeed_at < self.above_hispeed_delay
        ):
            return False
        cpu.hispeed_at = domain.now
        validated = max(self._floor_at, cpu.floor_at)
        if wanted < cpu.floor and cpu.target >= clock and now - validated < self.min_sample_time:
            return False
        cpu.floor = wanted
        if cpu.target >= clock or wanted >= clock:
            cpu.floor_at = domain.now
        if cpu.target == wanted and wanted <= clock:
            return False
        cpu.target = wanted
        return True

    def _hispeed(self, domain: DomainView) -> float:
        return self.hispeed_freq or self._highest or domain.maximum

    def _wanted(self, load: float, domain: DomainView) -> float:
        """What a load asks for, before delays."""
        clock, hispeed = domain.frequency, self._hispeed(domain)
        if percent(load) < self.go_hispeed_load:
            chosen = self._chosen(load * clock, domain)
            return resolve(domain, min(chosen, hispeed) if clock < hispeed else chosen)
        if clock < hispeed:
            return resolve(domain, hispeed)
        return resolve(domain, max(self._chosen(load * clock, domain), hispeed))

    def _chosen(self, work: float, domain: DomainView) -> float:
        """The lowest operating point that does so many cycles a second at no more than the target load.

        References
        ----------
        .. [1] As above, `choose_freq`: with one target load for all clocks its search ends in its first step.
        """
        return resolve(domain, 100.0 * work / self.target_load)
