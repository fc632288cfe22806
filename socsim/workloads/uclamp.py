"""Clamps of utilisation: how busy the scheduler is to take threads for at least and at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socsim import units
from socsim.errors import UnitError, UsageError, nearest

__all__ = ["NO_CLAMP", "Clamp", "describe_uclamp", "make_uclamp"]

Clamp = tuple[float, float]
NO_CLAMP: Clamp = (0.0, 1024.0)
"""Utilisation as it is."""

_KEYS = ("min", "max")
_SCALE = 1024.0


def make_uclamp(spec: Any) -> Clamp:
    """Least and highest utilisation, from 0 to 1024, from what a user writes.

    Parameters
    ----------
    spec
        None for no clamp, or a mapping with ``min``, ``max`` or both: a share from 0 to 1 (``"20 %"``), or a number
        above 1, up to 1024. 1024 is the biggest core at its highest clock.

    Raises
    ------
    UsageError
        A key that does not exist, a value outside its range, or a least one above the highest.
    """
    if spec is None:
        return NO_CLAMP
    if not isinstance(spec, Mapping) or not spec:
        raise UsageError(f"uclamp must be a mapping of min, max or both, got {spec!r}")
    for key in spec:
        if key not in _KEYS:
            guess = nearest(str(key), _KEYS)
            raise UsageError(
                f"uclamp has no {key!r}; " + (f"did you mean {guess!r}?" if guess else "min and max")
            )
    least, most = (
        _value(key, spec[key]) if key in spec else usual for key, usual in zip(_KEYS, NO_CLAMP, strict=True)
    )
    if least > most:
        raise UsageError(
            f"uclamp: min must not be above max, got {spec['min']!r} and {spec.get('max', 1024)!r}"
        )
    return least, most


def _value(key: str, written: Any) -> float:
    value = written
    if isinstance(written, str):
        try:
            value = units.parse(written, "ratio")
        except UnitError as error:
            raise UsageError(f"uclamp.{key}: {error}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= _SCALE:
        raise UsageError(f"uclamp.{key} must be a share from 0 to 1, or a number up to 1024, got {written!r}")
    return float(value * _SCALE if value <= 1.0 else value)


def describe_uclamp(spec: Any) -> dict[str, float]:
    """A clamp as an experiment file has it: shares."""
    values = zip(_KEYS, make_uclamp(spec), NO_CLAMP, strict=True)
    return {key: value / _SCALE for key, value, usual in values if value != usual}
