"""Means over repetitions, and how sure they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["Mean", "grouped", "mean", "t_quantile"]

Row = Mapping[str, Any]


class Mean(NamedTuple):
    """A mean, and the half-width of its 95 % confidence interval; the latter is None for a single value."""

    value: float
    half_width: float | None


def mean(values: Sequence[float]) -> Mean:
    """Mean of independent values, at least one, with a confidence interval by Student's t distribution."""
    centre = statistics.fmean(values)
    n = len(values)
    if n < 2:
        return Mean(centre, None)
    return Mean(centre, t_quantile(n - 1) * statistics.stdev(values) / math.sqrt(n))


def grouped(rows: Sequence[Row], keys: Collection[str]) -> list[list[Row]]:
    """Rows that agree in `keys`, groups in the order of their first rows."""
    groups: dict[tuple[Hashable, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return list(groups.values())


@lru_cache(maxsize=256)
def t_quantile(degrees: int, probability: float = 0.975) -> float:
    """Quantile of Student's t distribution.

    Parameters
    ----------
    degrees
        Degrees of freedom, from 1.
    probability
        Between 0.5 and 1; default that of a 95 % confidence interval.
    """
    low, high = 0.0, 1.0
    while _t_cdf(high, degrees) < probability:
        high *= 2.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _t_cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2.0


def _t_cdf(t: float, degrees: int) -> float:
    """P(T <= t) for t >= 0 in closed form (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, degrees, 2):
        total += term
        term *= math.cos(angle) ** 2 * k / (k + 1)
    if not odd:
        return 0.5 + math.sin(angle) * total / 2.0
    return 0.5 + (angle + math.sin(angle) * total) / math.pi
