"""The base class of governors: who sets the clock of a domain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, get_args

from socsim.schedulers.governors.opps import Relation
from socsim.schedulers.governors.view import KINDS, DomainView
from socsim.schedulers.options import Options

__all__ = ["TRIGGERS", "Governor", "Trigger", "resolve"]

Trigger = Literal["timer", "scheduler", "busy", "limits"]
"""When a governor is asked: after its interval; whenever what runs on its CPUs changes, and at each tick; at each start
and end of work of its unit; or only when its limits change."""

TRIGGERS: tuple[str, ...] = get_args(Trigger)


class Governor(ABC):
    """Decides the clock of one domain.

    Each domain of each run has an object of its own, so that what a governor remembers may be in attributes. It sees
    its domain and nothing else; it has no clock, and no random numbers. :meth:`start` is called first, and once.
    """

    name: ClassVar[str] = ""
    """What tables call it; the class name where empty."""

    trigger: ClassVar[Trigger] = "timer"
    """When it is asked. It is also asked when the limits of its domain change if the trigger is ``"limits"``; others
    learn that at their next call, and the clock is kept within limits meanwhile."""

    deferrable: ClassVar[bool] = False
    """Whether its timer waits while the whole domain is idle, and runs out as soon as something runs again."""

    kinds: ClassVar[tuple[str, ...]] = KINDS
    """Kinds of domains that it is for."""

    period: str | float = 0.0
    """Time between calls of one that is asked by the timer: ``"10 ms"``, or a number in s."""

    relation: Relation = "at_least"
    """Which operating point is meant by a frequency between two; may be set anew in every call."""

    asked_suspended: bool = False
    """Whether the timer asks once more when the unit has been powered down; it asks no more until that is on again."""

    skip_inefficient: bool = False
    """Whether it passes over operating points that a faster one beats in energy for the same work."""

    written: str = ""
    """How it was asked for, where that says more than its name: ``"ondemand(up_threshold=80)"``."""

    @property
    def title(self) -> str:
        """Name for tables: as it was asked for where it has options, else its name."""
        return self.written or self.name or type(self).__name__

    def interval(self, domain: DomainView) -> float:
        """Time in s from now to the next call; by default `period`.

        Asked of those with the trigger ``"timer"``, after :meth:`start` and after each call.
        """
        return Options("governor", self.title).seconds("period", self.period)

    def start(self, domain: DomainView) -> float | None:
        """A run begins: the first frequency wanted in Hz, or None (default) to keep the present one."""
        return None

    @abstractmethod
    def next_frequency(self, domain: DomainView) -> float | None:
        """The frequency wanted in Hz, or None to ask for nothing: the clock stays as long as it is allowed.

        Any finite number is fine: it is brought within the domain's limits, and to an operating point by `relation`.
        """


def resolve(
    domain: DomainView, frequency: float, relation: Relation = "at_least", *, efficient: bool = False
) -> float:
    """The operating point in Hz that a domain runs at if a frequency is wanted of it.

    Parameters
    ----------
    domain, frequency, relation
        Of what, how much in Hz, and which point around it is meant.
    efficient
        Pass over inefficient points, unless what is left of the table is outside the limits (Linux 6.1,
        `cpufreq_frequency_table_target` with ``CPUFREQ_RELATION_E``).
    """
    if efficient:
        point = domain.efficient.pick(min(max(frequency, domain.minimum), domain.maximum), relation)
        if domain.minimum <= point <= domain.maximum:
            return point
    return domain.opps.pick(frequency, relation, domain.minimum, domain.maximum)
