"""Clocks that a manager chooses among: groups of domains, each with its points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from socsim.schedulers.managers.device import DeviceState, DomainState, Range
from socsim.schedulers.managers.lattice import Point

__all__ = ["Clocks", "Group", "Space", "pinned", "space_of", "thinned"]

Clocks = tuple[tuple[str, float], ...]
"""(Clock domain, frequency in Hz) by name: a mapping that can be a key."""

_SLACK = 1e-9
"""A limit so little off a point, relative to it, is the point: computing it has rounded."""


@dataclass(frozen=True, slots=True)
class Group:
    """Domains that have the same clock.

    Parameters
    ----------
    domains
        Their names.
    points
        Frequencies in Hz that all of them may have, ascending.
    """

    domains: tuple[str, ...]
    points: tuple[float, ...]


class Space:
    """All combinations of points of groups.

    Parameters
    ----------
    groups
        Axes.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)
        self.sizes = tuple(len(g.points) for g in groups)
        """Points of each group."""
        self.top: Point = tuple(size - 1 for size in self.sizes)
        """The highest clocks."""
        self._clocks: dict[Point, Clocks] = {}

    @property
    def combinations(self) -> int:
        """How many points there are."""
        return prod(self.sizes)

    def clocks(self, point: Point) -> Clocks:
        """Clocks at a point, by name of the domain."""
        known = self._clocks.get(point)
        if known is None:
            pairs = zip(self.groups, point, strict=True)
            known = tuple(sorted((d, g.points[i]) for g, i in pairs for d in g.domains))
            self._clocks[point] = known
        return known

    def nearest(self, clocks: Mapping[str, float]) -> Point:
        """The point closest to clocks from below; the lowest one where there is none, the top of unknown domains."""
        return tuple(self._index(g, clocks.get(g.domains[0], g.points[-1])) for g in self.groups)

    def _index(self, group: Group, frequency: float) -> int:
        below = [i for i, f in enumerate(group.points) if f <= frequency * (1.0 + _SLACK)]
        return below[-1] if below else 0


def space_of(state: DeviceState, *, apart: bool = False, only: Iterable[str] | None = None) -> Space:
    """What the user, the power mode and the heat leave to choose from.

    Parameters
    ----------
    apart
        Let every CPU policy have its own clock; else those with the same points and limits have one.
    only
        Domains to choose clocks of; None for all.
    """
    wanted = sorted(state.domains) if only is None else sorted(only)
    together: dict[object, list[str]] = {}
    for name in wanted:
        domain = state.domains[name]
        alike = domain.kind == "cpu" and not apart
        together.setdefault((_points(domain),) if alike else name, []).append(name)
    return Space([Group(tuple(names), _points(state.domains[names[0]])) for names in together.values()])


def _points(domain: DomainState) -> tuple[float, ...]:
    low, high = domain.allowed
    inside = tuple(f for f in domain.opps if low * (1.0 - _SLACK) <= f <= high * (1.0 + _SLACK))
    return inside or (domain.opps.pick(high, "at_most", low, high),)


def pinned(clocks: Clocks) -> dict[str, Range]:
    """Domains held at these clocks."""
    return {name: Range(f, f) for name, f in clocks}


def thinned(space: Space, stride: int, around: Clocks | None = None) -> Space:
    """Every so manieth point of each group from the highest down, and the lowest.

    Parameters
    ----------
    around
        Clocks that stay, of which only two steps to either side are kept; of a group they do not name, all.
    """
    known = dict(around or ())
    return Space([Group(g.domains, _every(g, stride, known.get(g.domains[0]))) for g in space.groups])


def _every(group: Group, stride: int, center: float | None) -> tuple[float, ...]:
    points = group.points
    if center is None or center not in points:
        return tuple(sorted({points[0], *points[::-1][::stride]}))
    middle = points.index(center)
    steps = range(middle - 2 * stride, middle + 2 * stride + 1, stride)
    return tuple(points[i] for i in steps if 0 <= i < len(points))
