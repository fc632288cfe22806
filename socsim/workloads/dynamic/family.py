"""Dynamic DNNs: families of sub-networks of one network, of which one is chosen for each inference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

from socsim.devices.provenance import Provenance
from socsim.errors import UnknownNameError, UsageError
from socsim.workloads.dynamic.front import Point, pareto
from socsim.workloads.dynamic.networks import Recipe
from socsim.workloads.graph import ModelGraph
from socsim.workloads.transforms import fuse

__all__ = ["DynamicFamily", "SubNetwork", "SwitchCost"]


@dataclass(frozen=True)
class SubNetwork:
    """One member of a family; its graph is built when it is first asked for.

    Parameters
    ----------
    name
        ``"dynamic_ofa@4"``, as applications name it.
    level
        Its number in the family, from 1 on, in the order of accuracy.
    top1
        Top-1 accuracy on ImageNet in %, as published.
    recipe
        How to build it.
    grade, source
        Confidence in its configuration, and where that comes from. ``"D"`` is a reconstruction: a network of the same
        kind and size, not the published one.
    published_macs, published_parameters
        What its authors say of it, for comparison; None where nothing is known.
    latencies
        Set-up of a measurement -> published time in s. For reference only: no simulation reads them.
    """

    name: str
    level: int
    top1: float
    recipe: Recipe
    grade: str
    source: str
    published_macs: float | None
    published_parameters: float | None
    latencies: Mapping[str, float]

    @cached_property
    def graph(self) -> ModelGraph:
        """The network operator by operator, as PyTorch runs it."""
        return self.recipe.build(self.name)

    @cached_property
    def fused(self) -> ModelGraph:
        """The network as inference libraries convert it."""
        return fuse(self.graph)


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """Time that it takes to go from one sub-network to another.

    Parameters
    ----------
    seconds
        For each switch, whichever levels it is between.
    grade, source
        Confidence, and where the number comes from.
    """

    seconds: float
    grade: str
    source: str

    def between(self, before: int | None, after: int) -> float:
        """Time in s ahead of an inference at level `after`: 0 where `before` is the same, or None (the first)."""
        return 0.0 if before is None or before == after else self.seconds


@dataclass(frozen=True, eq=False)
class DynamicFamily:
    """Sub-networks that share weights, from the least to the most accurate.

    Two families are equal if they are the same object, as :func:`~socsim.workloads.dynamic.load_family` gives them.

    Parameters
    ----------
    name, title
        ``"dynamic_ofa"``, and what it is.
    levels
        Its members; the one at position 0 is level 1.
    switch
        Cost of changing from one to another.
    setups
        Set-up of a measurement -> what was measured where.
    points
        Set-up -> published points whose configuration is not known. For reference only.
    provenance
        Every number of its file.
    """

    name: str
    title: str
    levels: tuple[SubNetwork, ...]
    switch: SwitchCost
    setups: Mapping[str, str]
    points: Mapping[str, tuple[Point, ...]]
    provenance: tuple[Provenance, ...]

    def __len__(self) -> int:
        return len(self.levels)

    def __repr__(self) -> str:
        return f"DynamicFamily({self.name!r}, {len(self)} levels)"

    def __getitem__(self, level: int | str) -> SubNetwork:
        """The member at a level; UsageError with the nearest one where there is none."""
        number = int(level) if isinstance(level, str) and level.isdecimal() else level
        if not isinstance(number, Integral) or isinstance(number, bool):
            raise UsageError(
                f"a level of family {self.name!r} is a whole number from 1 to {len(self)}, got {level!r}; "
                f"write {self.name}@{len(self)} for the most accurate"
            )
        if not 1 <= number <= len(self):
            close = min(max(number, 1), len(self))
            raise UsageError(
                f"family {self.name!r} has levels 1 to {len(self)}, got {level}; the nearest is {self.name}@{close}"
            )
        return self.levels[int(number) - 1]

    def graph(self, level: int, *, fused: bool = False) -> ModelGraph:
        """The network of a level, the same object each time.

        Parameters
        ----------
        level
            From 1 on.
        fused
            As inference libraries convert it, instead of operator by operator.
        """
        member = self[level]
        return member.fused if fused else member.graph

    def pareto(self, latencies: Mapping[int, float]) -> tuple[Point, ...]:
        """The front of accuracy and latency: levels that no other one beats.

        Parameters
        ----------
        latencies
            Level -> time of one inference in s, measured or simulated; levels that are left out do not count.

        Raises
        ------
        UsageError
            A level that the family does not have, or a time that is not positive.
        """
        for level, seconds in latencies.items():
            if not 0 < seconds < math.inf:
                raise UsageError(f"{self[level].name}: a latency must be positive, got {seconds!r} s")
        return pareto(Point(self[level].top1, time, level) for level, time in latencies.items())

    def reference(self, setup: str) -> tuple[Point, ...]:
        """Published points of one set-up, known configurations and others, from the fastest on.

        Raises
        ------
        UnknownNameError
            The family's file has no such set-up.
        """
        if setup not in self.setups:
            raise UnknownNameError(f"set-up of family {self.name!r}", setup, self.setups)
        own = [Point(m.top1, m.latencies[setup], m.level) for m in self.levels if setup in m.latencies]
        return tuple(sorted([*own, *self.points.get(setup, ())], key=lambda point: point.latency_s))
