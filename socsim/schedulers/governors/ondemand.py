"""Linux' ondemand governor."""

from __future__ import annotations

from socsim.schedulers.governors.cpufreq import SampledGovernor
from socsim.schedulers.governors.view import DomainView

__all__ = ["Ondemand"]


class Ondemand(SampledGovernor):
    """Highest clock above a load, in proportion to the load below it.

    Parameters
    ----------
    up_threshold
        Load in percent above which the highest clock is wanted; default 95, which kernels take where idle time is
        measured exactly; 80 elsewhere.
    sampling_down_factor
        By how much the sampling period is longer while the highest clock holds; default 1.
    period
        Sampling period; 0 (default) for the longer of two ticks and the least time between changes.
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
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq_ondemand.c (`od_update`).
    """

    name = "ondemand"
    relation = "closest"

    def __init__(
        self,
        up_threshold: float = 95,
        sampling_down_factor: int = 1,
        tick: str | float = 0.0,
        skip_inefficient: bool = False,
    ) -> None:
        super().__init__(up_threshold, sampling_down_factor, tick)
        self.skip_inefficient = bool(skip_inefficient)

    def next_frequency(self, domain: DomainView) -> float:
        """The upper limit, or the share of the clock's range that the load is of the time."""
        load, _ = self.sample(domain)
        if load > self.up_threshold:
            if domain.frequency < domain.maximum:
                self._multiplier = self.sampling_down_factor
            return domain.maximum
        self._multiplier = 1
        lowest, highest = domain.opps.lowest, domain.opps.highest
        return lowest + load * (highest - lowest) / 100.0
