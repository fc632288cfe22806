"""The points of a grid, numbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import overload

from socsim.sweeps.axes import Axis, Label, Setting

__all__ = ["Grid", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a grid.

    Parameters
    ----------
    number
        From 0.
    labels
        What tables call its value on each axis.
    settings
        What it changes, in the axes' order.
    """

    number: int
    labels: tuple[Label, ...]
    settings: tuple[Setting, ...]


class Grid(Sequence[Point]):
    """All combinations of what axes hold, the last axis turning fastest; points are made when they are asked for.

    Without axes it has one point, which changes nothing.

    Parameters
    ----------
    axes
        Dimensions, none of them empty.
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = tuple(axes)

    def __len__(self) -> int:
        return prod(len(axis) for axis in self.axes)

    @overload
    def __getitem__(self, number: int) -> Point: ...
    @overload
    def __getitem__(self, number: slice) -> list[Point]: ...
    def __getitem__(self, number: int | slice) -> Point | list[Point]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        at = self._indices(number)
        labels = tuple(axis.labels[i] for axis, i in zip(self.axes, at, strict=True))
        settings = chain.from_iterable(axis.settings(i) for axis, i in zip(self.axes, at, strict=True))
        return Point(number, labels, tuple(settings))

    def _indices(self, number: int) -> list[int]:
        found: list[int] = []
        for axis in reversed(self.axes):
            number, index = divmod(number, len(axis))
            found.append(index)
        return found[::-1]
