"""Ranges of numbers and quantities: ``0..9``, ``10 ms..50 ms by 10 ms``, ``1 ms..1 s in 7 log``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from socsim import units

__all__ = ["MOST_VALUES", "Range", "read_range"]

MOST_VALUES = 1_000_000
"""Values that a range may list: a slip of the finger fills no memory."""

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_UNIT = r"(?!(?:by|in|log)\b)[^\s.0-9][^\s]*?"
_RANGE = re.compile(
    rf"\s*(?P<low>{_NUMBER})\s*(?P<low_unit>{_UNIT})?\s*\.\.\s*(?P<high>{_NUMBER})\s*(?P<high_unit>{_UNIT})?"
    rf"(?:\s+by\s+(?P<step>{_NUMBER})\s*(?P<step_unit>{_UNIT})?)?(?:\s+in\s+(?P<count>[0-9]+))?"
    r"(?P<log>\s+log)?\s*"
)
_DIGITS = 6
"""Significant digits of values between the ends."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from one to another, both included.

    Parameters
    ----------
    low, high
        The ends.
    unit
        What they are in; empty for plain numbers.
    step
        Between two values; None where there is none.
    count
        How many values there are, evenly apart; None where that is not said.
    log
        Whether equal steps are equal factors.
    """

    low: Decimal
    high: Decimal
    unit: str = ""
    step: Decimal | None = None
    count: int | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is one of whole numbers, and written so."""
        return not self.unit and all(int(n.as_tuple().exponent) >= 0 for n in (self.low, self.high))

    @property
    def size(self) -> int:
        """How many values a range has that says its steps, or is one of whole numbers."""
        return self.count or int((self.high - self.low) / (self.step or Decimal(1))) + 1

    def check_size(self) -> None:
        """Refuse to list all values of a range where that would fill the memory.

        Raises
        ------
        ValueError
            They are more than :data:`MOST_VALUES`.
        """
        if self.size > MOST_VALUES:
            raise ValueError(f"the range has {self.size} values; at most {MOST_VALUES} are taken")

    def numbers(self) -> list[int] | list[float]:
        """All values of a range that says its steps, or is one of whole numbers, as numbers in its unit."""
        if self.count is None:
            step = self.step or Decimal(1)
            found = [self.low + i * step for i in range(self.size)]
        else:
            parts = max(1, self.count - 1)
            found = [self._between(Decimal(i) / parts) for i in range(self.count)]
        return (
            [int(v) for v in found]
            if all(map(_whole, found)) and not self.unit
            else [float(v) for v in found]
        )

    def at(self, share: float) -> int | float:
        """The number at a share of the way, from 0 to below 1; of whole numbers each is as likely."""
        if self.whole and not self.log:
            return int(self.low) + int(share * (int(self.high) - int(self.low) + 1))
        found = self._between(Decimal(share))
        return int(found.to_integral_value()) if self.whole else float(found)

    def _between(self, share: Decimal) -> Decimal:
        if share in (0, 1):
            return self.high if share else self.low
        if not self.log:
            return _rounded(float(self.low + share * (self.high - self.low)))
        return _rounded(float(self.low) * (float(self.high) / float(self.low)) ** float(share))

    def written(self, number: float) -> Any:
        """A number as an experiment file has it: with the unit."""
        return f"{number:.15g} {self.unit}" if self.unit else number

    def column(self, key: str) -> str:
        """The name of a column of its numbers: the key, and the unit."""
        return f"{key}_{self.unit.lower().replace('/', '_').replace('%', 'percent')}" if self.unit else key


def read_range(text: str) -> Range | None:
    """The range that a text is; None where it is none.

    Raises
    ------
    ValueError
        One that runs backwards, has no unit or two of them, or steps that do not lead from one end to the other.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    found = match.groupdict()
    given = dict.fromkeys(filter(None, (found["low_unit"], found["high_unit"], found["step_unit"])))
    if len(given) > 1:
        raise ValueError(f"the range {text!r} is in {' and '.join(given)}; write all of it in one unit")
    unit = next(iter(given), "")
    if unit and not units.is_quantity(f"1 {unit}"):
        raise ValueError(f"the range {text!r} has an unknown unit {unit!r}")
    low, high = Decimal(found["low"]), Decimal(found["high"])
    if low > high:
        raise ValueError(f"the range {_shown(low, unit)}..{_shown(high, unit)} runs backwards; write "
                         f"{_shown(high, unit)}..{_shown(low, unit)}")  # fmt: skip
    step = None if found["step"] is None else Decimal(found["step"])
    count = None if found["count"] is None else int(found["count"])
    _check(text, low, step, count, found["log"] is not None)
    made = Range(low, high, unit, step, count, found["log"] is not None)
    if step is not None or count is not None:
        made.check_size()
    return made


def _check(text: str, low: Decimal, step: Decimal | None, count: int | None, log: bool) -> None:
    if step is not None and (step <= 0 or count is not None or log):
        raise ValueError(
            f"the range {text!r}: a step is above 0, and with 'by' there is neither 'in' nor 'log'"
        )
    if count is not None and count < 1:
        raise ValueError(f"the range {text!r} has {count} values; write at least 1")
    if log and low <= 0:
        raise ValueError(f"the range {text!r}: equal factors need a lower end above 0")


def _whole(number: Decimal) -> bool:
    return number == number.to_integral_value()


def _rounded(number: float) -> Decimal:
    if not number or not math.isfinite(number):
        return Decimal(0)
    return Decimal(f"{number:.{_DIGITS}g}")


def _shown(number: Decimal, unit: str) -> str:
    return f"{number} {unit}".rstrip()
