"""What a manager sees: its application and nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from socsim.workloads.targets import NO_TARGETS, Target, Targets

__all__ = ["ManagerView", "Served"]


class Served:
    """How long the finished inferences of an application took."""

    def __init__(self) -> None:
        self._latencies, self._services = array("d"), array("d")

    @property
    def latencies(self) -> Sequence[float]:
        """Times in s from arrival to finish of all finished inferences: waiting and switching included."""
        return self._latencies

    @property
    def services(self) -> Sequence[float]:
        """Times in s from first operator to finish of the same."""
        return self._services

    def finished(self, latency: float, service: float) -> None:
        """An inference has finished; times in s. The simulation calls this, managers do not."""
        self._latencies.append(latency)
        self._services.append(service)


class ManagerView(Served):
    """An application of a family as its manager sees it.

    Parameters
    ----------
    top1
        Level -> Top-1 accuracy in %.
    level
        Of the first inference.
    targets
        What is wanted, and when.
    clock
        Tells the time in s.
    """

    def __init__(
        self,
        top1: Mapping[int, float],
        level: int,
        targets: Targets = NO_TARGETS,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__()
        self.top1: Mapping[int, float] = MappingProxyType(dict(top1))
        """Level -> Top-1 accuracy in %, from the least accurate to the most."""
        self.level = level
        """Level of the inference that has just finished; before the first, the one to begin with."""
        self._targets, self._clock = targets, clock
        self._levels = array("H")

    @property
    def now(self) -> float:
        """Time in s."""
        return self._clock()

    @property
    def target(self) -> Target:
        """What the application wants now; its fields are None where it does not say."""
        return self._targets.at(self.now)

    @property
    def lowest(self) -> int:
        """The least accurate level."""
        return min(self.top1)

    @property
    def highest(self) -> int:
        """The most accurate level."""
        return max(self.top1)

    @property
    def levels(self) -> Sequence[int]:
        """Levels of the finished inferences."""
        return self._levels

    def finished(self, latency: float, service: float) -> None:
        """An inference of the present level has finished; times in s. The simulation calls this, managers do not."""
        super().finished(latency, service)
        self._levels.append(self.level)
