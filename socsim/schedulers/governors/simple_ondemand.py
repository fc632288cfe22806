"""Linux' simple_ondemand governor of GPUs, memories and other devices."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from socsim.errors import UsageError
from socsim.schedulers.governors.base import Governor
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["DRIVERS", "SimpleOndemand"]


_ROUNDED = 1.0 - 1e-9
"""So that a load that is computed a little too high is not above a threshold."""


class _Driver(NamedTuple):
    upthreshold: int
    downdifferential: int


DRIVERS = MappingProxyType({"": _Driver(90, 5), "msm": _Driver(50, 10), "panfrost": _Driver(45, 5)})
"""Thresholds in percent by driver: the governor's own, those of Adreno's and of Mali's open drivers."""


class SimpleOndemand(Governor):
    """Highest clock above a load, the same in a band below it, and under it the clock for a load in the band.

    Parameters
    ----------
    upthreshold
        Load in percent above which the highest clock is wanted; default 90.
    downdifferential
        Width of the band in percent; default 5.
    driver
        Whose thresholds are the defaults instead: ``"msm"`` (50 and 10) or ``"panfrost"`` (45 and 5).
    period
        Time between polls; default 50 ms, that of both drivers.

    Raises
    ------
    UsageError
        An option outside its range, or a band wider than the threshold is high.

    Notes
    -----
    The msm driver also drops an idle GPU to the lowest clock and brings it back as work arrives; here its clock
    changes at polls alone.

    References
    ----------
    .. [1] Linux 6.1, drivers/devfreq/governor_simpleondemand.c (`devfreq_simple_ondemand_func`).
    .. [2] Linux 6.1, drivers/gpu/drm/msm/msm_gpu_devfreq.c; drivers/gpu/drm/panfrost/panfrost_devfreq.c.
    """

    name = "simple_ondemand"
    kinds = ("gpu", "dsp", "npu", "dram")
    period = "50 ms"

    def __init__(
        self, upthreshold: float | None = None, downdifferential: float | None = None, driver: str = ""
    ) -> None:
        own = Options("governor", self.name)
        self.driver = own.one_of("driver", driver, tuple(filter(None, DRIVERS))) if driver else ""
        up, down = DRIVERS[self.driver]
        self.upthreshold = own.percent("upthreshold", up if upthreshold is None else upthreshold, above=True)
        self.downdifferential = own.percent(
            "downdifferential", down if downdifferential is None else downdifferential
        )
        if self.downdifferential > self.upthreshold:
            raise UsageError(
                f"governor {self.name!r}: downdifferential must be at most upthreshold ({self.upthreshold:g}), "
                f"got {self.downdifferential:g}"
            )

    def next_frequency(self, domain: DomainView) -> float | None:
        """Highest, the same, or in proportion to the load."""
        busy, total = 100.0 * domain.busy_s * _ROUNDED, domain.total_s
        if total <= 0.0 or busy > total * self.upthreshold:
            return domain.maximum
        if busy > total * (self.upthreshold - self.downdifferential):
            return domain.frequency
        return domain.frequency * busy / total / (self.upthreshold - self.downdifferential // 2)
