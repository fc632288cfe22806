"""Linux' conservative governor."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.schedulers.governors.cpufreq import SampledGovernor
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["Conservative"]


class Conservative(SampledGovernor):
    """Step by step up above a load, and down below another one.

    Parameters
    ----------
    up_threshold, down_threshold
        Loads in percent above and below which the clock is changed; defaults 80 and 20.
    freq_step
        A step in percent of the highest clock that is allowed; default 5; 0 for no change at all.
    sampling_down_factor
        How many samples in a row allow one step down; default 1.
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
        An option outside its range, or thresholds that are not one below the other.

    References
    ----------
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq_conservative.c (`cs_dbs_update`).
    """

    name = "conservative"

    def __init__(
        self,
        up_threshold: float = 80,
        down_threshold: float = 20,
        freq_step: float = 5,
        sampling_down_factor: int = 1,
        tick: str | float = 0.0,
        skip_inefficient: bool = False,
    ) -> None:
        super().__init__(up_threshold, sampling_down_factor, tick)
        self.skip_inefficient = bool(skip_inefficient)
        own = Options("governor", self.name)
        self.down_threshold = own.percent("down_threshold", down_threshold)
        if self.down_threshold >= self.up_threshold:
            raise UsageError(
                f"governor {self.name!r}: down_threshold must be below up_threshold ({self.up_threshold:g}), "
                f"got {down_threshold!r}"
            )
        self.freq_step = own.percent("freq_step", freq_step)
        self._requested = 0.0
        self._skipped = 0

    def start(self, domain: DomainView) -> None:
        """Steps begin at the present clock."""
        self._requested = domain.frequency

    def next_frequency(self, domain: DomainView) -> float | None:
        """One step from what was requested last, or None."""
        load, missed = self.sample(domain)
        if not self.freq_step:
            return None
        step = domain.maximum * self.freq_step / 100.0
        requested = self._last_request(domain)
        if missed:
            requested = max(requested - missed * step, domain.minimum)
        if load > self.up_threshold:
            return self._up(requested, step, domain)
        self._skipped += 1
        if self._skipped < self.sampling_down_factor:
            return None
        self._skipped = 0
        return self._down(requested, step, domain) if load < self.down_threshold else None

    def _last_request(self, domain: DomainView) -> float:
        """What was requested; the present clock where limits have changed since."""
        if not domain.minimum <= self._requested <= domain.maximum:
            self._requested = domain.frequency
        return self._requested

    def _up(self, requested: float, step: float, domain: DomainView) -> float | None:
        self._skipped = 0
        if requested == domain.maximum:
            return None
        self._requested = min(requested + step, domain.maximum)
        self.relation = "at_most"
        return self._requested

    def _down(self, requested: float, step: float, domain: DomainView) -> float | None:
        if requested == domain.minimum:
            return None
        self._requested = max(requested - step, domain.minimum)
        self.relation = "at_least"
        return self._requested
