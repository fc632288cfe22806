"""Paired comparison: runs that had the same random numbers, one by one, and what differs between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from socsim.errors import UsageError
from socsim.results.means import Mean, mean

__all__ = ["Paired", "Ratio", "compare_pairs"]


class Ratio(NamedTuple):
    """A geometric mean of ratios with its 95 % confidence interval; ends are None for a single pair."""

    value: float
    low: float | None
    high: float | None


class Paired(NamedTuple):
    """How values differ from those that they are paired with.

    Parameters
    ----------
    pairs
        How many there are.
    difference
        Mean of value - base.
    ratio
        Geometric mean of base / value, which of times is a speed-up; None where a value is not positive.
    below
        In how many pairs the value is below the base; above 0 and below `pairs`, who is better depends on the seed.
    """

    pairs: int
    difference: Mean
    ratio: Ratio | None
    below: int

    @property
    def differs(self) -> bool | None:
        """Whether the interval of the difference leaves 0 out; None for a single pair."""
        centre, half = self.difference
        return None if half is None else abs(centre) > half


def compare_pairs(base: Sequence[float], values: Sequence[float]) -> Paired:
    """Compare values pairwise, by Student's t distribution of their differences and of the logarithms of their ratios.

    Parameters
    ----------
    base, values
        At least one pair.

    Raises
    ------
    UsageError
        No pairs, or not as many of the one as of the other.
    """
    if not base or len(base) != len(values):
        raise UsageError(
            f"a paired comparison needs as many values as bases, got {len(values)} and {len(base)}"
        )
    pairs = list(zip(base, values, strict=True))
    return Paired(len(pairs), mean([v - b for b, v in pairs]), _ratio(pairs), sum(v < b for b, v in pairs))


def _ratio(pairs: Sequence[tuple[float, float]]) -> Ratio | None:
    if any(b <= 0.0 or v <= 0.0 for b, v in pairs):
        return None
    centre, half = mean([math.log(b / v) for b, v in pairs])
    if half is None:
        return Ratio(pairs[0][0] / pairs[0][1], None, None)
    return Ratio(math.exp(centre), math.exp(centre - half), math.exp(centre + half))
