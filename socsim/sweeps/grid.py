"""The points of a grid, numbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import prod
from typing import overload

from socsim.sweeps.axes import Axis, Label, Setting
from socsim.sweeps.exclusion import Exclusion

__all__ = ["Grid", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a grid.

    Parameters
    ----------
    number
        From 0.
    labels
        What tables call its value in each column of the axes.
    settings
        What it changes, in the axes' order.
    """

    number: int
    labels: tuple[Label, ...]
    settings: tuple[Setting, ...]


class Grid(Sequence[Point]):
    """All combinations of what axes hold, the last axis turning fastest; points are made when they are asked for.

    Without axes it has one point, which changes nothing. Points that are left out have no number.

    Parameters
    ----------
    axes
        Dimensions, none of them empty.
    exclusions
        Points for which one of these conditions holds are left out.
    """

    def __init__(self, axes: Sequence[Axis], exclusions: Sequence[Exclusion] = ()) -> None:
        self.axes, self._exclusions = tuple(axes), tuple(exclusions)

    @cached_property
    def _kept(self) -> Sequence[int]:
        """The places in the whole grid of those that are left."""
        whole = range(prod(len(axis) for axis in self.axes))
        if not self._exclusions:
            return whole
        return [i for i in whole if not self._excluded(self._labels(self._indices(i)))]

    def _excluded(self, labels: tuple[Label, ...]) -> bool:
        return any(exclusion.holds(labels) for exclusion in self._exclusions)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, number: int) -> Point: ...
    @overload
    def __getitem__(self, number: slice) -> list[Point]: ...
    def __getitem__(self, number: int | slice) -> Point | list[Point]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        at = self._indices(self._kept[number])
        settings = chain.from_iterable(axis.settings(i) for axis, i in zip(self.axes, at, strict=True))
        return Point(number, self._labels(at), tuple(settings))

    def _labels(self, at: Sequence[int]) -> tuple[Label, ...]:
        rows = (axis.row(i) for axis, i in zip(self.axes, at, strict=True))
        return tuple(chain.from_iterable(rows))

    def _indices(self, number: int) -> list[int]:
        found: list[int] = []
        for axis in reversed(self.axes):
            number, index = divmod(number, len(axis))
            found.append(index)
        return found[::-1]
