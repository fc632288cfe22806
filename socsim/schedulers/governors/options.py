"""Options of governors, checked."""

from __future__ import annotations

import math

from socsim import units
from socsim.errors import UnitError, UsageError

__all__ = ["choice", "count", "hertz", "number", "seconds"]


def number(
    owner: str, setting: str, value: object, low: float = 0.0, high: float = math.inf, above: bool = False
) -> float:
    """A number between two, both included.

    Parameters
    ----------
    owner, setting
        Whose option, for messages: the governor and the option.
    above
        Whether `low` itself is excluded.

    Raises
    ------
    UsageError
        It is no number, not finite, or outside.
    """
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    got = float(value) if isinstance(value, (int, float)) else math.nan
    if not plain or not math.isfinite(got) or got > high or got < low or (above and got == low):
        raise UsageError(f"governor {owner!r}: {setting} must be {_range(low, high, above)}, got {value!r}")
    return got


def _range(low: float, high: float, above: bool) -> str:
    least = f"above {low:g}" if above else f"at least {low:g}"
    return f"a number {least}" + (f" and at most {high:g}" if math.isfinite(high) else "")


def count(owner: str, setting: str, value: object, low: int = 0) -> int:
    """A whole number, at least `low`; raises as :func:`number`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise UsageError(
            f"governor {owner!r}: {setting} must be a whole number, at least {low}, got {value!r}"
        )
    return value


def seconds(owner: str, setting: str, value: object, zero: bool = False) -> float:
    """A time in s, from a number of seconds or a text with a unit; above 0, or also 0 if `zero`.

    Raises
    ------
    UsageError
        It is neither, negative, or not finite.
    """
    return _quantity(owner, setting, value, "time", zero)


def hertz(owner: str, setting: str, value: object, zero: bool = False) -> float:
    """A frequency in Hz, from a number or a text with a unit; raises as :func:`seconds`."""
    return _quantity(owner, setting, value, "frequency", zero)


def _quantity(owner: str, setting: str, value: object, dimension: str, zero: bool) -> float:
    parsed = value
    if isinstance(value, str):
        try:
            parsed = units.parse(value, dimension)
        except UnitError as error:
            raise UsageError(f"governor {owner!r}: {setting}: {error}") from error
    return number(owner, f"{setting} ({dimension})", parsed, 0.0, above=not zero)


def choice(owner: str, setting: str, value: object, known: tuple[str, ...]) -> str:
    """One of some words.

    Raises
    ------
    UsageError
        It is none of them.
    """
    if value not in known:
        raise UsageError(f"governor {owner!r}: {setting} must be one of {', '.join(known)}, got {value!r}")
    return str(value)
