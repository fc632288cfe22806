"""What Linux' governors of CPUs have in common."""

from __future__ import annotations

from socsim.schedulers.governors.base import Governor
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["SampledGovernor", "percent", "transition_delay"]

_LONGEST_DELAY = 10e-3
_ROUNDING = 1e-9


def transition_delay(domain: DomainView) -> float:
    """Least time in s between changes of a CPU clock: 1000 times its latency, 10 ms at most; 1 ms if that is unknown.

    Latencies count in whole microseconds.

    References
    ----------
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq.c (`cpufreq_policy_transition_delay_us`).
    """
    latency = int(domain.transition_latency * 1e6 + _ROUNDING)
    return min(latency * 1e-3, _LONGEST_DELAY) if latency else 1e-3


def percent(share: float) -> int:
    """A share in whole percent, rounded down as Linux does."""
    return int(100.0 * share + _ROUNDING)


class SampledGovernor(Governor):
    """Decides by the CPUs' load since the last sample.

    Samples are taken as CPUs run: an idle domain takes none, and the first one after a long idle time tells little. A
    CPU that was idle for more than two sampling periods is therefore taken to have the load that it had before, once.

    Parameters
    ----------
    up_threshold
        Load in percent above which the clock is raised.
    sampling_down_factor
        Of this governor's rule.
    tick
        Time between ticks of the kernel; 0 for the device's.

    References
    ----------
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq_governor.c (`dbs_update`, `dbs_update_util_handler`).
    """

    kinds = ("cpu",)
    deferrable = True

    def __init__(self, up_threshold: float, sampling_down_factor: int, tick: str | float) -> None:
        own = Options("governor", self.name)
        self.up_threshold = own.percent("up_threshold", up_threshold, above=True)
        self.sampling_down_factor = own.count("sampling_down_factor", sampling_down_factor, 1)
        self.tick = own.seconds("tick", tick, zero=True)
        self._multiplier = 1
        self._before: list[int] = []

    def interval(self, domain: DomainView) -> float:
        """`period` if it is set, else two ticks or the least time between changes, the longer; often a multiple."""
        least = max(2.0 * (self.tick or domain.tick), transition_delay(domain))
        rate = super().interval(domain) if self.period else least
        return rate * self._multiplier

    def sample(self, domain: DomainView) -> tuple[int, int]:
        """The highest load in whole percent, and how many periods CPUs that were idle for more than two have missed.

        The least of them where there are several, and 0 without any.
        """
        self._before = self._before or [0] * len(domain.loads)
        period = self.interval(domain)
        idle = [domain.elapsed * (1.0 - load) for load in domain.loads]
        loads = [self._load(cpu, domain, time > 2.0 * period) for cpu, time in enumerate(idle)]
        missed = [int(time / period + _ROUNDING) for time in idle if time > 2.0 * period]
        return max(loads), min(missed, default=0)

    def _load(self, cpu: int, domain: DomainView, slept: bool) -> int:
        """A CPU's load; the one before it where that is not known, or tells nothing."""
        before = self._before[cpu]
        if domain.elapsed <= 0.0:
            return before
        if slept and before:
            self._before[cpu] = 0
            return before
        self._before[cpu] = percent(domain.loads[cpu])
        return self._before[cpu]
