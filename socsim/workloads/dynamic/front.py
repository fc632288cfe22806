"""What accuracy costs: points of Top-1 accuracy and latency, their Pareto front, and what lies between its points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from socsim import units
from socsim.errors import UsageError

__all__ = ["Point", "best", "interpolate", "pareto"]


class Point(NamedTuple):
    """One network on one processor.

    Parameters
    ----------
    top1
        Top-1 accuracy on ImageNet in %.
    latency_s
        Time of one inference in s.
    level
        Level of its family; 0 where its configuration is not known.
    """

    top1: float
    latency_s: float
    level: int = 0


def pareto(points: Iterable[Point]) -> tuple[Point, ...]:
    """Points that no other beats or equals in accuracy and latency, from the fastest to the most accurate.

    Of several with equal accuracy and latency, the one with the lowest level stays.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.latency_s, -p.top1, p.level)):
        if not front or point.top1 > front[-1].top1:
            front.append(point)
    return tuple(front)


def interpolate(front: Sequence[Point], *, top1: float | None = None, latency: float | None = None) -> float:
    """Read a front between its points, along straight lines: the latency in s at a Top-1, or the other way round.

    Parameters
    ----------
    front
        What :func:`pareto` gives.
    top1
        Accuracy in %; returns a latency in s.
    latency
        Time in s; returns an accuracy in %.

    Raises
    ------
    UsageError
        Both or neither are given, the front is empty, or the value lies beyond its ends.
    """
    if top1 is not None and latency is None:
        return _between([(p.top1, p.latency_s) for p in front], top1, _percent)
    if latency is not None and top1 is None:
        return _between([(p.latency_s, p.top1) for p in front], latency, _time)
    raise UsageError("interpolate takes either top1 or latency, got " + ("none" if top1 is None else "both"))


def _percent(value: float) -> str:
    return f"{value:.5g} %"


def _time(value: float) -> str:
    return units.format(value, "time")


def _between(knots: Sequence[tuple[float, float]], x: float, shown: Callable[[float], str]) -> float:
    if not knots:
        raise UsageError("a front without points has nothing in between")
    low, high = knots[0][0], knots[-1][0]
    if not low <= x <= high:
        close = shown(low if x < low else high)
        raise UsageError(
            f"the front goes from {shown(low)} to {shown(high)}, got {shown(x)}; the nearest is {close}"
        )
    for (x0, y0), (x1, y1) in pairwise(knots):
        if x <= x1:
            share = (x - x0) / (x1 - x0)
            return y0 * (1 - share) + y1 * share
    return knots[-1][1]


def best(front: Sequence[Point], latency: float, *, tolerance: float = 0.0) -> Point | None:
    """The most accurate point that needs at most `latency` s; None where even the fastest needs more.

    Parameters
    ----------
    front
        Any points.
    latency
        Time in s.
    tolerance
        How much longer it may take, as a share of `latency`; published comparisons "at similar latency" allow 3 %.
    """
    limit = latency * (1 + tolerance)
    fitting = (point for point in front if point.latency_s <= limit)
    return max(fitting, key=lambda p: (p.top1, -p.latency_s, -p.level), default=None)
