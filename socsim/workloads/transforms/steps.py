"""How transforms are written down, and what their arguments may be."""

from __future__ import annotations

from math import nan
from numbers import Integral, Real
from typing import Any

from socsim.errors import UsageError
from socsim.workloads.graph import Lineage, ModelGraph

__all__ = ["fresh", "next_step", "share_of", "spelled", "whole"]


def spelled(name: str, values: tuple[Any, ...] = (), **options: tuple[Any, Any]) -> str:
    """``"prune(0.5, multiple=4)"``.

    Parameters
    ----------
    values
        Arguments that are written without their names.
    options
        Value and default of the others; those that are their defaults are left out.
    """
    parts = [_word(value) for value in values]
    parts += [f"{key}={_word(value)}" for key, (value, default) in options.items() if value != default]
    return f"{name}({', '.join(parts)})" if parts else name


def _word(value: Any) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else repr(value).removesuffix(".0")  # to the last digit, so that a name makes the same network again
        if isinstance(value, float)
        else str(value)
    )


def next_step(
    graph: ModelGraph,
    name: str,
    values: tuple[Any, ...] = (),
    *,
    free: bool = False,
    **options: tuple[Any, Any],
) -> Lineage:
    """The lineage of what a transform makes of a network; arguments as of :func:`spelled`.

    Parameters
    ----------
    free
        Whether the transform computes the same function, so that accuracy is what it was; False (default) leaves it
        unknown.
    """
    old = graph.lineage or Lineage(graph.name, (), 0.0)
    step = spelled(name, values, **options)
    if free:
        return Lineage(old.base, (*old.steps, step), old.top1_drop, old.source)
    return Lineage(old.base, (*old.steps, step), nan)


def fresh(name: str, taken: set[str]) -> str:
    """A name like `name` that is not taken; it is from now on."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def share_of(transform: str, name: str, value: Any, *, below: float) -> None:
    """UsageError unless a share is above 0 and below a limit, or at most 1 where that is above it."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0.0 < value <= 1.0 or not value < below:
        most = "below 1" if below <= 1.0 else "at most 1"
        raise UsageError(f"{transform}: {name} must be a number above 0 and {most}, got {value!r}")


def whole(transform: str, name: str, value: Any) -> None:
    """UsageError unless a value is a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise UsageError(f"{transform}: {name} must be a whole number from 1, got {value!r}")
