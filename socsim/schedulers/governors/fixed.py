"""Governors that hold one clock."""

from __future__ import annotations

from socsim.schedulers.governors.base import Governor
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["Performance", "Powersave", "Userspace"]


class _Fixed(Governor):
    """Wants the same at every call: it need only be asked when its limits change."""

    trigger = "limits"

    def start(self, domain: DomainView) -> float | None:
        """What it always wants."""
        return self.next_frequency(domain)


class Performance(_Fixed):
    """The highest clock that is allowed.

    References
    ----------
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq_performance.c; drivers/devfreq/governor_performance.c.
    """

    name = "performance"
    relation = "at_most"

    def next_frequency(self, domain: DomainView) -> float:
        """The upper limit."""
        return domain.maximum


class Powersave(_Fixed):
    """The lowest clock that is allowed.

    References
    ----------
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq_powersave.c; drivers/devfreq/governor_powersave.c.
    """

    name = "powersave"

    def next_frequency(self, domain: DomainView) -> float:
        """The lower limit."""
        return domain.minimum


class Userspace(_Fixed):
    """The clock that the user has set, as far as limits allow it.

    Parameters
    ----------
    frequency
        ``"1.2 GHz"``, or a number in Hz; 0 (default) for the one that the domain has as the run begins.

    Raises
    ------
    UsageError
        No frequency.

    References
    ----------
    .. [1] Linux 6.1, drivers/cpufreq/cpufreq_userspace.c; drivers/devfreq/governor_userspace.c.
    """

    name = "userspace"

    def __init__(self, frequency: str | float = 0.0) -> None:
        own = Options("governor", self.name)
        self.frequency = own.hertz("frequency", frequency)
        self._first = 0.0

    def next_frequency(self, domain: DomainView) -> float:
        """What is set."""
        return self.frequency or self._first

    def start(self, domain: DomainView) -> float:
        """What is set, or the clock that the domain has."""
        self._first = domain.frequency
        return self.next_frequency(domain)
