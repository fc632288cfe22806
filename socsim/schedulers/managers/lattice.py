"""Search among combinations of steps: few questions, no gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Point", "along", "settle"]

Point = tuple[int, ...]
"""One number for each axis, from 0."""

_SHIFTS = (-1, 1, -2, 2)
"""How far one axis is moved while the others are settled anew."""


def settle(sizes: Sequence[int], key: Callable[[Point], Any], start: Point) -> Point:
    """A point that no move along an axis betters, and no move of one axis that the others then answer.

    Parameters
    ----------
    sizes
        Steps of each axis.
    key
        What to make small; it is asked for a point more than once, so it should remember.
    start
        Where to begin; the outcome is never worse.

    Notes
    -----
    A move of one axis alone is stuck where a bound is met exactly: two clocks that may trade time for energy then need
    to be moved against each other, which the second kind of move does.
    """
    point = start
    for axis, size in enumerate(sizes):
        point = along(key, point, axis, size, max(1, size // 2))
    while (better := _exchanged(sizes, key, point)) is not None:
        point = better
    return point


def along(key: Callable[[Point], Any], point: Point, axis: int, size: int, step: int = 1) -> Point:
    """The best point on a line, where the key falls and then rises on it; else one that its neighbours do not better.

    Parameters
    ----------
    step
        How far the first move goes; moves that help are doubled, others halved.
    """
    best = key(point)
    while step:
        moved = False
        for place in (point[axis] - step, point[axis] + step):
            if 0 <= place < size:
                trial = _at(point, axis, place)
                value = key(trial)
                if value < best:
                    point, best, moved = trial, value, True
                    break
        step = step * 2 if moved else step // 2
    return point


def _exchanged(sizes: Sequence[int], key: Callable[[Point], Any], point: Point) -> Point | None:
    best = key(point)
    for axis, size in enumerate(sizes):
        for shift in _SHIFTS:
            if not 0 <= point[axis] + shift < size:
                continue
            trial = _at(point, axis, point[axis] + shift)
            for other in range(len(sizes)):
                if other != axis:
                    trial = along(key, trial, other, sizes[other])
            if key(trial) < best:
                return trial
    return None


def _at(point: Point, axis: int, place: int) -> Point:
    return (*point[:axis], place, *point[axis + 1 :])
