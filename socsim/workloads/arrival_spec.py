"""Arrivals as users write them: a period, a kind, a list of times, a file, or a mapping of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from socsim.errors import UnitError, UsageError, nearest
from socsim.units import parse
from socsim.workloads.arrivals import Arrivals, At, Periodic, Poisson, TraceFile

__all__ = ["make_arrivals", "quantity"]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "periodic": ("period", "rate", "offset", "jitter"),
    "poisson": ("period", "rate", "offset"),
    "trace": ("file",),
    "times": ("at",),
    "back_to_back": (),
}


def make_arrivals(spec: Any, period: float | None = None, *, units: bool = False) -> Arrivals | None:
    """Arrivals from what a user writes.

    Parameters
    ----------
    spec
        None (periodic where there is a `period`, else back to back), an
        :class:`~socsim.workloads.arrivals.Arrivals` object, a kind (``"poisson"``), a list of times, the path of a
        ``.csv`` file, or a mapping: ``{"kind": "periodic", "period" or "rate": ..., "offset": ..., "jitter": ...}``,
        ``{"kind": "poisson", "period" or "rate": ..., "offset": ...}``, ``{"kind": "trace", "file": ...}``,
        ``{"kind": "times", "at": [...]}``, ``{"kind": "back_to_back"}``; without a kind it is periodic.
    period
        The (mean) period in s, where `spec` does not say it itself.
    units
        Refuse times without a unit, as files must have them; else numbers are in s.

    Returns
    -------
    None for back to back.

    Raises
    ------
    UsageError
        A kind or key that does not exist, a value outside its rule, or a period that is missing or given twice.
    UnitError
        A text that is no time or rate.
    """
    if isinstance(spec, Arrivals):
        _refuse_period(period, "arrivals of your own")
        return spec
    if spec is None and period is None:
        return None
    kind, options = _kind_and_options(spec)
    _check_keys(kind, options)
    if kind in ("periodic", "poisson"):
        return _timed(kind, options, period, units)
    _refuse_period(period, f"arrivals of kind {kind!r}")
    if kind == "trace":
        if not isinstance(options.get("file"), (str, Path)):
            raise UsageError(f"arrivals of kind 'trace' need a file, got {options.get('file')!r}")
        return TraceFile(str(options["file"]))
    return At(_times(options.get("at"), units)) if kind == "times" else None


def quantity(value: Any, what: str, dimension: str = "time", *, units: bool = False) -> float:
    """A quantity in SI units from a number or a text with its unit; ``units=True`` refuses plain numbers.

    Raises
    ------
    UnitError
        A text that is no such quantity, or a number where a unit is wanted.
    UsageError
        Neither a number nor a text.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(value, str) or (units and number):
        try:
            return parse(value, dimension)
        except UnitError as error:
            raise UnitError(f"{what}: {error}") from None
    if not number:
        raise UsageError(f"{what} must be a {dimension}, got {value!r}")
    return float(value)


def _kind_and_options(spec: Any) -> tuple[str, dict[str, Any]]:
    """What a user's words stand for as a kind and its options."""
    if isinstance(spec, Path) or (isinstance(spec, str) and (spec.endswith(".csv") or "/" in spec)):
        return "trace", {"file": str(spec)}
    if spec is None or isinstance(spec, Mapping):
        options = dict(spec or {})
        return _kind(options.pop("kind", "periodic")), options
    if isinstance(spec, str):
        return _kind(spec), {}
    return "times", {"at": spec}


def _kind(kind: Any) -> str:
    if isinstance(kind, str) and kind in _KEYS:
        return kind
    guess = nearest(str(kind), _KEYS)
    known = f"did you mean {guess!r}?" if guess else f"known: {', '.join(_KEYS)}, or the path of a .csv file"
    raise UsageError(f"unknown kind of arrivals {kind!r}; {known}")


def _check_keys(kind: str, options: Mapping[str, Any]) -> None:
    unknown = next((key for key in options if key not in _KEYS[kind]), None)
    if unknown is not None:
        guess = nearest(str(unknown), _KEYS[kind])
        known = f"did you mean {guess!r}?" if guess else f"known: {', '.join(_KEYS[kind]) or 'none'}"
        raise UsageError(f"arrivals of kind {kind!r} have no {unknown!r}; {known}")


def _refuse_period(period: float | None, what: str) -> None:
    if period is not None:
        raise UsageError(f"{what} have their own times; leave the period out, got {period:g} s")


def _timed(kind: str, options: dict[str, Any], period: float | None, units: bool) -> Arrivals:
    given = [
        *([] if period is None else [period]),
        *([quantity(options.pop("period"), "period", units=units)] if "period" in options else []),
        *([_period_of(options.pop("rate"), units)] if "rate" in options else []),
    ]
    if len(given) != 1:
        got = "none" if not given else "more than one"
        raise UsageError(f"arrivals of kind {kind!r} need one period or one rate, such as '33 ms', got {got}")
    more = {key: quantity(value, key, units=units) for key, value in options.items()}
    return Periodic(given[0], **more) if kind == "periodic" else Poisson(given[0], **more)


def _period_of(rate: Any, units: bool) -> float:
    per_second = quantity(rate, "rate", "rate", units=units)
    if not 0.0 < per_second < float("inf"):
        raise UsageError(f"rate must be positive, got {per_second:g} /s")
    return 1.0 / per_second


def _times(at: Any, units: bool) -> tuple[float, ...]:
    if isinstance(at, str) or not isinstance(at, Iterable):
        raise UsageError(f"arrival times must be a list, got {at!r}")
    return tuple(quantity(time, "arrival time", units=units) for time in at)
