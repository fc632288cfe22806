"""How long an inference of an application may take, and which of its levels it may run."""

from __future__ import annotations

import math
from math import inf, isnan

from socsim.schedulers.managers.device import AppState
from socsim.workloads.targets import Target

__all__ = ["accuracy", "admissible", "budget", "by_accuracy", "left", "step_of"]

_LEAST = 0.05
"""Share of a budget that is left however long an inference has waited: nothing is ever due at once."""

_UNKNOWN = -1.0
"""Accuracy in % of levels whose accuracy is not known."""

_SLACK = 1e-9
"""Points of accuracy by which a level may miss a floor: what was written and what is known have been rounded."""


def budget(app: AppState, target: Target | None = None) -> float:
    """Longest time in s: the target's, and never more than there is between arrivals; infinite where neither is known.

    Parameters
    ----------
    target
        What is wanted; by default what is wanted now.
    """
    wanted = app.target if target is None else target
    latency = inf if wanted.latency is None else wanted.latency
    return latency if app.period is None else min(latency, app.period)


def left(app: AppState, whole: float) -> float:
    """What a backlog leaves of a budget in s: the next inference has waited already.

    With known periods it arrived one after the last that has finished; else it is taken to have waited as long as that.
    """
    if not app.waiting or not app.latencies:
        return whole
    last = app.latencies[-1]
    waited = last - (app.services[-1] if app.period is None else app.period)
    return max(_LEAST * whole, whole - max(0.0, waited))


def accuracy(app: AppState, level: int) -> float:
    """Top-1 in %; below all others where it is not known."""
    top1 = app.top1[level]
    return _UNKNOWN if isnan(top1) else top1


def by_accuracy(app: AppState) -> list[int]:
    """Levels from the least accurate to the most."""
    return sorted(app.top1, key=lambda level: accuracy(app, level))


def admissible(app: AppState, begun: int, target: Target | None = None) -> list[int]:
    """Levels that are accurate enough, the least accurate first.

    Parameters
    ----------
    begun
        The level that the application begins with: the only one where no accuracy is asked for.
    target
        What is wanted; by default what is wanted now.

    Returns
    -------
    list of int
        Never empty: the most accurate one where none is accurate enough.
    """
    floor = (app.target if target is None else target).top1
    if floor is None:
        return [begun]
    levels = by_accuracy(app)
    return [level for level in levels if accuracy(app, level) >= floor - _SLACK] or levels[-1:]


def step_of(value: float, grid: float, *, up: bool) -> float:
    """The next step of a geometric grid, so that plans for almost the same are the same plan.

    Parameters
    ----------
    grid
        Relative distance of steps.
    up
        Whether the step is not below the value; else it is not above.
    """
    if not 0.0 < value < inf:
        return value
    exponent = math.log(value) / math.log1p(grid)
    return float((1.0 + grid) ** (math.ceil(exponent - _SLACK) if up else math.floor(exponent + _SLACK)))
