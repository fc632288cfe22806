"""Options of governors, managers and policies of reuse, checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import NoReturn

from socsim import units
from socsim.errors import UnitError, UsageError, nearest

__all__ = ["Options"]

_EXAMPLES = {"time": "60 ms", "frequency": "1.2 GHz", "power": "5 W"}


@dataclass(frozen=True, slots=True)
class Options:
    """Checks of what one of them is given; all return the value checked.

    Parameters
    ----------
    kind, name
        Whose options: ``"governor"``, ``"manager"`` or ``"reuse policy"``, and which.

    Raises
    ------
    UsageError
        From every check: a value outside its rule; the sentence names kind, name, option, rule and value.
    """

    kind: str
    name: str

    def number(
        self,
        setting: str,
        value: object,
        low: float = 0.0,
        high: float = inf,
        *,
        above: bool = False,
        below: bool = False,
        unit: str = "",
    ) -> float:
        """A finite number from `low` to `high`; `above` and `below` leave out the ends, `unit` is for the message."""
        got = _plain(value)
        inside = low < got if above else low <= got
        if not (inside and isfinite(got) and (got < high if below else got <= high)):
            self._refuse(
                setting, f"a number {_range(low, high, above, below)}{unit and f', in {unit}'}", value
            )
        return got

    def percent(self, setting: str, value: object, *, above: bool = False) -> float:
        """A number from 0 to 100, or above 0."""
        return self.number(setting, value, 0.0, 100.0, above=above, unit="%")

    def ratio(self, setting: str, value: object, high: float = inf) -> float:
        """A finite number from 0 to `high`, or a text of one such as ``"5 %"``."""
        got = self._parsed(setting, value, "ratio")
        if not 0.0 <= got <= high or got == inf:
            self._refuse(setting, f"a number {_range(0.0, high, False, False)}", value)
        return got

    def count(self, setting: str, value: object, low: int = 0) -> int:
        """A whole number from `low`."""
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            self._refuse(setting, f"a whole number from {low}", value)
        return value

    def seconds(self, setting: str, value: object, *, zero: bool = False, endless: bool = False) -> float:
        """A time in s above 0 (`zero`: or 0), finite unless `endless`, from a number of seconds or text with a unit."""
        return self._quantity(setting, value, "time", zero, endless)

    def hertz(self, setting: str, value: object) -> float:
        """A frequency in Hz from 0, from a number or a text with a unit."""
        return self._quantity(setting, value, "frequency", True, False)

    def watts(self, setting: str, value: object) -> float:
        """A power in W above 0, from a number or a text with a unit; None is no limit, infinite."""
        return inf if value is None else self._quantity(setting, value, "power", False, True)

    def one_of(self, setting: str, value: object, known: Collection[str]) -> str:
        """One of the words in `known`."""
        if not isinstance(value, str) or value not in known:
            near = nearest(str(value), known)
            self._refuse(
                setting, f"one of {', '.join(known)}", value, f"; did you mean {near!r}?" if near else ""
            )
        return str(value)

    def some_of(self, setting: str, value: object, known: Collection[str]) -> frozenset[str]:
        """Any of the words in `known`, from ``"one+other"`` or a sequence of them; at least one."""
        words = value.replace(",", "+").split("+") if isinstance(value, str) else value
        if not isinstance(words, Collection) or not words:
            self._refuse(setting, f"some of {', '.join(known)}, such as {'+'.join([*known][:2])}", value)
        return frozenset(self.one_of(setting, w.strip() if isinstance(w, str) else w, known) for w in words)

    def _quantity(self, setting: str, value: object, dimension: str, zero: bool, endless: bool) -> float:
        got = self._parsed(setting, value, dimension)
        if not (got > 0.0 or (zero and got == 0.0)) or (got == inf and not endless):
            kind = dimension if endless else f"finite {dimension}"
            least = "from" if zero else "above"
            self._refuse(setting, f"a {kind} {least} 0, such as {_EXAMPLES[dimension]}", value)
        return got

    def _parsed(self, setting: str, value: object, dimension: str) -> float:
        if not isinstance(value, str):
            return _plain(value)
        try:
            return units.parse(value, dimension)
        except UnitError as error:
            raise UsageError(f"{self.kind} {self.name!r}: {setting}: {error}") from error

    def _refuse(self, setting: str, rule: str, value: object, hint: str = "") -> NoReturn:
        raise UsageError(f"{self.kind} {self.name!r}: {setting} must be {rule}, got {value!r}{hint}")


def _plain(value: object) -> float:
    """A number as a float; NaN, which is within no range, for what is none."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else nan


def _range(low: float, high: float, above: bool, below: bool) -> str:
    least = f"{'above' if above else 'from'} {low:g}"
    if high == inf:
        return least
    if above:
        return f"{least} and {'below' if below else 'at most'} {high:g}"
    return f"{least} to {'below ' if below else ''}{high:g}"
