"""Long histories as few points: exact means over equal spans of time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Curve", "bin_means", "held"]

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """A step function: `values[i]` from `edges[i]` to `edges[i + 1]`."""

    edges: Floats
    values: Floats


def bin_means(starts: ArrayLike, ends: ArrayLike, values: ArrayLike, edges: Floats) -> Curve:
    """Means of a step function between edges; where nothing is known it is 0.

    The integral over any bins is that of the function, so energies stay what they are.

    Parameters
    ----------
    starts, ends, values
        Spans in order of time that do not overlap, with their values.
    edges
        Ascending.
    """
    begin, end, height = (np.asarray(part, dtype=float) for part in (starts, ends, values))
    times = np.column_stack([begin, end]).ravel()
    areas = np.column_stack([np.zeros(len(begin)), (end - begin) * height]).ravel()
    integral = np.interp(edges, times, np.cumsum(areas)) if len(times) else np.zeros(len(edges))
    return Curve(edges, np.diff(integral) / np.diff(edges))


def held(starts: ArrayLike, values: ArrayLike, edges: Floats) -> Curve:
    """Means of something that holds until it changes, between edges; before its first value it has that one."""
    begin, height = np.asarray(starts, dtype=float), np.asarray(values, dtype=float)
    begin = np.concatenate([[min(edges[0], begin[0])], begin[1:]])
    return bin_means(begin, np.append(begin[1:], max(edges[-1], begin[-1])), height, edges)
