"""DRAM bandwidth shared max-min fairly among those who use it now."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["max_min_shares"]


def max_min_shares(demands: Sequence[float], capacity: float) -> list[float]:
    """Divide `capacity` so that nobody gets more than it demands and no smaller share could be raised.

    Parameters
    ----------
    demands
        Bandwidth in B/s that each user could use.
    capacity
        Bandwidth in B/s to divide.

    Returns
    -------
    Shares in B/s, in the order of `demands`; the demands themselves where they fit.
    """
    if sum(demands) <= capacity:
        return list(demands)
    shares = [0.0] * len(demands)
    left, users = capacity, len(demands)
    for i in sorted(range(len(demands)), key=demands.__getitem__):
        shares[i] = min(demands[i], left / users)
        left -= shares[i]
        users -= 1
    return shares
