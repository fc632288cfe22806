"""The governor of the GPUs of NVIDIA's Jetson boards."""

from __future__ import annotations

from collections import deque

from socsim.schedulers.governors.base import Governor, resolve
from socsim.schedulers.governors.view import DomainView
from socsim.schedulers.options import Options

__all__ = ["NvhostPodgov"]

_MHZ = 1e6
_UNDAMPED = 10
VERSIONS = ("4.9", "newer")


class NvhostPodgov(Governor):
    """A third of the highest clock up under full load, else in proportion to how far a slow average is off its target.

    It changes the clock at most once in `block_window`. Loads are in thousandths.

    Parameters
    ----------
    version
        ``"4.9"`` (default): the average is that of idle time; ``"newer"``: that of cycles, so that it is known at
        which clock they were needed.
    load_max
        Load above which it takes the big step; default 900.
    load_target
        Load that it aims at; default 700.
    bias
        Step in percent of what is missing; default 80.
    smooth
        Weight of the past in the averages, against 1 of the present; default 10.
    damp
        Weight of the new clock against the average of those wanted, in tenths; default 7.
    block_window
        Least time between changes; default 50 ms.
    history
        With ``"newer"``: the highest of so many loads counts instead of the average; default 0 for the average.
    period
        Time between polls; default 25 ms.

    Raises
    ------
    UsageError
        An option outside its range.

    Notes
    -----
    As in the drivers, clocks are computed in whole MHz. A GPU that has been suspended is not looked at by version 4.9;
    the newer one puts it to its lowest clock, and forgets its history and the clocks that it wanted. It is told so at
    the next poll, the driver at once.

    References
    ----------
    .. [1] NVIDIA Linux for Tegra, kernel 4.9, drivers/devfreq/governor_pod_scaling.c (`scaling_state_check`).
    .. [2] The same of later releases (nvidia tree), with cycle history.
    """

    name = "nvhost_podgov"
    kinds = ("gpu",)
    period = "25 ms"

    def __init__(
        self,
        version: str | float = "4.9",
        load_max: int = 900,
        load_target: int = 700,
        bias: int = 80,
        smooth: int = 10,
        damp: int = 7,
        block_window: str | float = "50 ms",
        history: int = 0,
    ) -> None:
        own = Options("governor", self.name)
        self.version = own.one_of("version", str(version), VERSIONS)
        self.asked_suspended = self.version == "newer"
        self.load_max = own.number("load_max", load_max, 0, 1000)
        self.load_target = own.number("load_target", load_target, 0, 1000, above=True)
        self.bias = own.number("bias", bias)
        self.smooth = own.count("smooth", smooth)
        self.damp = own.number("damp", damp, 0, 10)
        self.block_window = own.seconds("block_window", block_window, zero=True)
        self.history = own.count("history", history)
        self._scaled_at = 0.0
        self._idle = 0
        self._cycles, self._wanted = 0.0, 0
        self._recent: deque[float] = deque(maxlen=self.history)

    def start(self, domain: DomainView) -> None:
        """The first change may come one window from now."""
        self._scaled_at = domain.now

    def next_frequency(self, domain: DomainView) -> float | None:
        """The next clock, or None within the window, or where it would be the same."""
        if domain.suspended and self.asked_suspended and domain.busy_s <= 0.0:
            return self._suspend(domain)
        if domain.total_s <= 0.0:
            return None
        self._average(domain)
        if domain.now - self._scaled_at + 1e-9 < self.block_window:
            return None
        chosen = resolve(domain, self._scaled(domain) * _MHZ)
        if chosen == domain.frequency:
            return None
        self._scaled_at = domain.now
        return chosen

    def _suspend(self, domain: DomainView) -> float:
        """The lowest clock; cycles are still on average what they were."""
        self._recent.clear()
        self._wanted, self._scaled_at = 0, domain.now
        return domain.minimum

    def _average(self, domain: DomainView) -> None:
        share = domain.busy_s / domain.total_s
        self._idle = int((self._idle * self.smooth + _thousandths(1.0 - share)) / (self.smooth + 1))
        used = domain.frequency * share
        self._cycles = (self._cycles * self.smooth + used) / (self.smooth + 1)
        self._recent.append(used)

    def _load(self, share: float) -> int:
        """Load in thousandths: what is not idle, or what is busy, either rounded down."""
        return 1000 - _thousandths(1.0 - share) if self.version == "4.9" else _thousandths(share)

    def _busyness(self, domain: DomainView) -> int:
        if self.version == "4.9":
            return 1000 - self._idle
        return _thousandths((max(self._recent) if self._recent else self._cycles) / domain.frequency)

    def _scaled(self, domain: DomainView) -> int:
        """The clock in MHz before it is brought to an operating point."""
        clock, step, damp = int(domain.frequency / _MHZ), int(domain.maximum / 3 / _MHZ), self.damp
        if self._load(domain.busy_s / domain.total_s) > self.load_max:
            boost, damp = step, _UNDAMPED
        else:
            off = self._busyness(domain) - self.load_target
            boost = min(int(off * self.bias * clock / (100 * self.load_target)), step)
        wanted = clock + boost
        self._wanted = int((self._wanted * self.smooth + wanted) / (self.smooth + 1))
        return int((damp * wanted + (_UNDAMPED - damp) * self._wanted) / _UNDAMPED)


def _thousandths(share: float) -> int:
    return int(1000.0 * share + 1e-6)
