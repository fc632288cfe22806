"""Options of managers, checked."""

from __future__ import annotations

from math import inf
from typing import TypeGuard

from socsim import units
from socsim.errors import UnitError, UsageError

__all__ = ["count", "percent", "seconds"]


def seconds(owner: str, setting: str, value: object) -> float:
    """A time in s above 0, from a number of seconds or a text with a unit; infinite is fine.

    Raises
    ------
    UsageError
        It is neither; the sentence names the manager and the option. So of all checks here.
    """
    parsed = value
    if isinstance(value, str):
        try:
            parsed = units.parse(value, "time")
        except UnitError as error:
            raise UsageError(f"manager {owner!r}: {setting}: {error}") from error
    if not _number(parsed) or not 0.0 < parsed <= inf:
        raise UsageError(f"manager {owner!r}: {setting} must be a time above 0, such as 60 ms, got {value!r}")
    return parsed


def percent(owner: str, setting: str, value: object) -> float:
    """A number from 0 to 100."""
    if not _number(value) or not 0.0 <= value <= 100.0:
        raise UsageError(f"manager {owner!r}: {setting} must be a number from 0 to 100, in %, got {value!r}")
    return value


def count(owner: str, setting: str, value: object, low: int) -> int:
    """A whole number, at least `low`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise UsageError(f"manager {owner!r}: {setting} must be a whole number from {low}, got {value!r}")
    return value


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
