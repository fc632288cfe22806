"""Quantities as people write them: ``"2.84 GHz"`` in, SI floats out, and back again.

Own table, because general unit packages read ``60 fps`` as feet per second and cannot tell GB/s from Hz.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from socsim.errors import UnitError, UsageError, nearest

__all__ = ["DIMENSIONS", "exact_seconds", "format", "is_quantity", "parse"]

# dimension: units by factor to SI; units before the bar are the ones to show values in
_TABLE = {
    "time": "s=1 ms=1e-3 us=1e-6 ns=1e-9 | ps=1e-12 min=60 h=3600",
    "frequency": "GHz=1e9 MHz=1e6 kHz=1e3 Hz=1",
    "voltage": "V=1 mV=1e-3 | uV=1e-6",
    "power": "W=1 mW=1e-3 uW=1e-6 | kW=1e3",
    "energy": "J=1 mJ=1e-3 uJ=1e-6 nJ=1e-9 pJ=1e-12 | kJ=1e3 Wh=3600 mWh=3.6",
    "size": "GB=1e9 MB=1e6 kB=1e3 B=1 | KiB=1024 MiB=1048576 GiB=1073741824",
    "bandwidth": "GB/s=1e9 MB/s=1e6 kB/s=1e3 B/s=1 | KiB/s=1024 MiB/s=1048576 GiB/s=1073741824",
    "throughput": "TFLOP/s=1e12 GFLOP/s=1e9 MFLOP/s=1e6 FLOP/s=1 | kFLOP/s=1e3 "
    "TOP/s=1e12 GOP/s=1e9 MOP/s=1e6 OP/s=1 TMAC/s=2e12 GMAC/s=2e9 MMAC/s=2e6 MAC/s=2",
    "work": "GMAC=1e9 MMAC=1e6 kMAC=1e3 MAC=1 | Gop=1e9 Mop=1e6 kop=1e3 op=1",
    "energy per byte": "nJ/B=1e-9 pJ/B=1e-12 | J/B=1 pJ/bit=8e-12 nJ/bit=8e-9",
    "temperature": "C=1 | degC=1 °C=1",
    "temperature difference": "K=1",
    "thermal resistance": "K/W=1",
    "thermal conductance": "W/K=1 mW/K=1e-3",
    "heat capacity": "J/K=1",
    "rate": "fps=1 | /s=1 1/s=1",
    "ratio": "=1 | %=1e-2 x=1",
    "leakage": "W/V=1 mW/V=1e-3 | uW/V=1e-6",
    "dynamic power": "uW/MHz/V^2=1e-12 | mW/MHz/V^2=1e-9 nW/MHz/V^2=1e-15 W/Hz/V^2=1",
    "time per byte": "us/MB=1e-12 | s/B=1 ms/B=1e-3 us/B=1e-6 ns/B=1e-9 ps/B=1e-12 "
    "us/kB=1e-9 ms/MB=1e-9 s/GB=1e-9",
}


def _units(text: str) -> Mapping[str, Decimal]:
    pairs = (item.rpartition("=") for item in text.replace("|", "").split())
    return MappingProxyType({unit: Decimal(factor) for unit, _, factor in pairs})


_UNITS: Mapping[str, Mapping[str, Decimal]] = MappingProxyType({d: _units(t) for d, t in _TABLE.items()})
_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(.*?)\s*", re.DOTALL)

DIMENSIONS = tuple(_TABLE)
"""The dimensions that :func:`parse` knows."""


def parse(text: str | float, dimension: str) -> float:
    """Read a quantity.

    Parameters
    ----------
    text
        A number and a unit (``"2.84 GHz"``, ``"4pJ/bit"``); a ratio may also be a plain number or ``"12 %"``.
    dimension
        One of :data:`DIMENSIONS`.

    Returns
    -------
    float
        In SI units, correctly rounded: s, Hz, V, W, J, B, B/s, J/B, W/V, W/(Hz V^2), s/B, 1/s. Temperatures
        are in degrees Celsius; work in operations (a MAC is one); throughput in FLOP/s (a MAC is two).

    Raises
    ------
    UnitError
        No number, no unit, an unknown unit, a unit of another dimension, or a number beyond a float.
    UsageError
        An unknown dimension.
    """
    factors = _factors(dimension)
    match = _QUANTITY.fullmatch(str(text)) if not isinstance(text, bool) else None
    if match is None:
        raise UnitError(f"{_shown(text)} is no {dimension}; expected a number{_and_unit(dimension)}")
    number, unit = match.groups()
    if unit not in factors:
        raise UnitError(_complaint(text, unit, dimension))
    value = float(Decimal(number) * factors[unit])
    if not math.isfinite(value):
        raise UnitError(f"{_shown(text)} is too large for {_a(dimension)}")
    return value


def format(value: float, dimension: str) -> str:  # noqa: A001 - reads well as units.format
    """Write a value in SI units with the unit that suits its size, to five significant digits.

    Raises
    ------
    UsageError
        An unknown dimension.
    """
    _factors(dimension)
    shown = _units(_TABLE[dimension].partition("|")[0])
    fitting = [unit for unit, factor in shown.items() if abs(value) >= float(factor) * (1 - 1e-9)]
    unit = fitting[0] if fitting else list(shown)[-1 if value else 0]
    return f"{value / float(shown[unit]):.5g} {unit}".rstrip()


def exact_seconds(value: float) -> str:
    """Write a time in s so that :func:`parse` reads the same float back: ``"0.016666666666666666 s"``."""
    return f"{float(value)!r} s".replace(".0 s", " s")


def is_quantity(value: object) -> bool:
    """Whether a value of a file states a number: a number itself, or text that is one with a known unit."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return True
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    return match is not None and any(match[2] in units for units in _UNITS.values())


def _factors(dimension: str) -> Mapping[str, Decimal]:
    if dimension not in _UNITS:
        raise UsageError(f"unknown dimension {dimension!r}; known: {', '.join(DIMENSIONS)}")
    return _UNITS[dimension]


def _shown(text: object) -> str:
    return repr(text) if isinstance(text, str) else f"the value {text}"


def _a(dimension: str) -> str:
    return f"{'an' if dimension[0] in 'aeiou' else 'a'} {dimension}"


def _and_unit(dimension: str) -> str:
    return "" if dimension == "ratio" else f" and a unit ({_known(dimension)})"


def _known(dimension: str) -> str:
    return ", ".join(filter(None, _UNITS[dimension]))


def _complaint(text: str | float, unit: str, dimension: str) -> str:
    """Why a unit does not fit a dimension."""
    if not unit:
        return f"{_shown(text)} has no unit; {_a(dimension)} needs one of {_known(dimension)}"
    others = [name for name, units in _UNITS.items() if unit in units]
    if others:
        return f"{_shown(text)} is {_a(others[0])}, expected {_a(dimension)} ({_known(dimension)})"
    guess = nearest(unit, _UNITS[dimension]) or nearest(unit, (u for units in _UNITS.values() for u in units))
    tail = f"did you mean {guess!r}?" if guess else f"{_a(dimension)} is in one of {_known(dimension)}"
    return f"unknown unit {unit!r}, {tail}"
