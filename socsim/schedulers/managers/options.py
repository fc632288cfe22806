"""Options of managers, checked."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import TypeGuard

from socsim import units
from socsim.errors import UnitError, UsageError, nearest

__all__ = ["count", "fraction", "one_of", "percent", "seconds", "some_of", "watts"]


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


def fraction(owner: str, setting: str, value: object) -> float:
    """A number from 0 to below 1."""
    if not _number(value) or not 0.0 <= value < 1.0:
        raise UsageError(f"manager {owner!r}: {setting} must be a number from 0 to below 1, got {value!r}")
    return value


def watts(owner: str, setting: str, value: object) -> float:
    """A power in W above 0, from a number of watts or a text with a unit; None is no limit, infinite."""
    parsed = inf if value is None else value
    if isinstance(value, str):
        try:
            parsed = units.parse(value, "power")
        except UnitError as error:
            raise UsageError(f"manager {owner!r}: {setting}: {error}") from error
    if not _number(parsed) or not 0.0 < parsed <= inf:
        raise UsageError(f"manager {owner!r}: {setting} must be a power above 0, such as 5 W, got {value!r}")
    return parsed


def one_of(owner: str, setting: str, value: object, known: Collection[str]) -> str:
    """One of the words in `known`."""
    if not isinstance(value, str) or value not in known:
        near = nearest(str(value), known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(
            f"manager {owner!r}: {setting} must be one of {', '.join(known)}, got {value!r}{hint}"
        )
    return value


def some_of(owner: str, setting: str, value: object, known: Collection[str]) -> frozenset[str]:
    """Any of the words in `known`, from ``"one+other"`` or a sequence of them; at least one."""
    words = value.replace(",", "+").split("+") if isinstance(value, str) else value
    if not isinstance(words, Collection) or not words:
        raise UsageError(
            f"manager {owner!r}: {setting} must be some of {', '.join(known)}, such as"
            f" {'+'.join([*known][:2])}, got {value!r}"
        )
    return frozenset(one_of(owner, setting, w.strip() if isinstance(w, str) else w, known) for w in words)
