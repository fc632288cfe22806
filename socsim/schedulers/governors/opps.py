"""Frequencies of a clock domain, and which of them a wanted one means."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal, get_args, overload

from socsim.errors import UsageError

__all__ = ["RELATIONS", "OppView", "Relation"]

Relation = Literal["at_least", "at_most", "closest"]
"""Which point a wanted frequency means: the lowest not below it, the highest not above it, or the closest."""

RELATIONS: tuple[str, ...] = get_args(Relation)

_SLACK = 1e-9
"""A frequency so little off a point, relative to it, is the point: computing it has rounded."""


class OppView(Sequence[float]):
    """The frequencies of a clock domain's operating points in Hz, ascending.

    Parameters
    ----------
    frequencies
        In any order; doubles are dropped.

    Raises
    ------
    UsageError
        No frequencies, or one that is not finite and above 0.

    References
    ----------
    .. [1] Linux 6.1, include/linux/cpufreq.h (`cpufreq_table_find_index_l`, `_h`, `_c`).
    """

    __slots__ = ("_points",)

    def __init__(self, frequencies: Iterable[float]) -> None:
        self._points = tuple(sorted({float(f) for f in frequencies}))
        if not self._points:
            raise UsageError("a clock domain needs at least one frequency, got none")
        for point in self._points:
            if not 0.0 < point < math.inf:
                raise UsageError(f"a clock domain's frequencies must be above 0 Hz and finite, got {point}")

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        """By number, 0 for the lowest."""
        return self._points[index]

    def __len__(self) -> int:
        return len(self._points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OppView) and self._points == other._points

    def __hash__(self) -> int:
        return hash(self._points)

    def __repr__(self) -> str:
        return f"OppView({list(self._points)})"

    @property
    def lowest(self) -> float:
        """The lowest frequency in Hz."""
        return self._points[0]

    @property
    def highest(self) -> float:
        """The highest frequency in Hz."""
        return self._points[-1]

    def at_least(self, frequency: float) -> float:
        """The lowest point not below a frequency, else the highest of all (Linux' ``RELATION_L``)."""
        return self.pick(frequency, "at_least")

    def at_most(self, frequency: float) -> float:
        """The highest point not above a frequency, else the lowest of all (``RELATION_H``)."""
        return self.pick(frequency, "at_most")

    def closest(self, frequency: float) -> float:
        """The point closest to a frequency, the lower one of two (``RELATION_C``)."""
        return self.pick(frequency, "closest")

    def pick(
        self,
        frequency: float,
        relation: Relation = "at_least",
        minimum: float = 0.0,
        maximum: float = math.inf,
    ) -> float:
        """The point that a wanted frequency means within limits.

        Parameters
        ----------
        frequency
            Any, in Hz.
        relation
            Which of the points around it.
        minimum, maximum
            Limits in Hz. Where no point is between them, it is the next above, or the highest of all.
        """
        points = self._points
        first = bisect_left(points, minimum * (1.0 - _SLACK))
        last = bisect_right(points, maximum * (1.0 + _SLACK)) - 1
        if last < first:
            return points[min(first, len(points) - 1)]
        above = min(max(bisect_left(points, frequency * (1.0 - _SLACK)), first), last)
        if relation == "at_least":
            return points[above]
        below = min(max(bisect_right(points, frequency * (1.0 + _SLACK)) - 1, first), last)
        if relation == "at_most":
            return points[below]
        return points[above if points[above] - frequency < frequency - points[below] else below]
