"""Whether claims hold: means over seeds, their confidence, and rows of tables."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from typing import Any

from socsim.reproduce.claim import Claim, Effort, Finding, Measure
from socsim.results.means import Mean, mean

__all__ = ["Judged", "Report", "format_value", "judge"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A measure with what was simulated."""

    measure: Measure
    values: tuple[float, ...]
    mean: Mean
    holds: bool

    @property
    def interval(self) -> tuple[float, float] | None:
        """Ends of the 95 % confidence interval; None for a single value."""
        half = self.mean.half_width
        return None if half is None else (self.mean.value - half, self.mean.value + half)

    @property
    def digits(self) -> int:
        """So many digits, from 3 to 9, that what decides does not look like an end of the band unless it is one."""
        m = self.measure
        decisive = (m.kind == "direction" and self.interval) or (self.mean.value,)
        pairs = [(x, end) for x in decisive for end in (m.low, m.high) if end is not None and x != end]

        def alike(digits: int) -> bool:
            return any(
                format_value(x, m.unit, digits) == format_value(end, m.unit, digits) for x, end in pairs
            )

        return next((digits for digits in range(3, 9) if not alike(digits)), 9)


@dataclass(frozen=True, slots=True)
class Report:
    """A claim with what was found."""

    claim: Claim
    finding: Finding
    judged: tuple[Judged, ...]
    effort: Effort

    @property
    def holds(self) -> bool:
        """Whether all of its measures hold."""
        return all(one.holds for one in self.judged)

    def filled(self, text: str) -> str:
        """What the claim says of itself, with the numbers of this run."""
        return text.format_map(self.finding.numbers)

    @property
    def shortfalls(self) -> list[str]:
        """Why measures that do not hold do not, each sentence once."""
        why = (o.measure.otherwise for o in self.judged if not o.holds and o.measure.otherwise)
        return [self.filled(text) for text in dict.fromkeys(why)]

    def rows(self) -> list[dict[str, Any]]:
        """A row per measure.

        Keys are ``claim``, ``measure``, ``unit``, ``kind``, ``paper``, ``simulated``, ``simulated_low`` and
        ``simulated_high`` (the 95 % confidence interval; None where nothing is random), ``low``, ``high``, ``holds``.
        """
        return [_row(self.claim.name, one) for one in self.judged]


def _row(claim: str, one: Judged) -> dict[str, Any]:
    m, interval = one.measure, one.interval or (None, None)
    return {
        "claim": claim,
        "measure": m.name,
        "unit": m.unit,
        "kind": m.kind,
        "paper": m.paper,
        "simulated": one.mean.value,
        "simulated_low": interval[0],
        "simulated_high": interval[1],
        "low": m.low,
        "high": m.high,
        "holds": one.holds,
    }


def judge(claim: Claim, finding: Finding, effort: Effort) -> Report:
    """Hold what was found against the claim's bands."""
    return Report(claim, finding, tuple(_judged(m, finding) for m in claim.measures), effort)


def _judged(measure: Measure, finding: Finding) -> Judged:
    values = tuple(finding.values[measure.name])
    found = Mean(nan, None) if any(map(isnan, values)) else mean(values)
    half = (found.half_width or 0.0) if measure.kind == "direction" else 0.0
    return Judged(measure, values, found, _within(measure, found.value - half, found.value + half))


def _within(measure: Measure, least: float, most: float) -> bool:
    """A band includes its ends; a direction without an effect is none."""
    if measure.kind == "direction":
        above = measure.low is None or least > measure.low
        return above and (measure.high is None or most < measure.high)
    return (measure.low is None or least >= measure.low) and (measure.high is None or most <= measure.high)


def format_value(value: float | None, unit: str, digits: int = 3) -> str:
    """A number with its unit for people, of so many digits (those of percentages are counted from 100 on).

    ``-`` is none, and nothing that could be computed.
    """
    if value is None or isnan(value):
        return "-"
    if unit == "share":
        return f"{100 * value:.{digits - 2}f} %"
    if unit == "%":
        return f"{value:.{digits - 1}f} %"
    return f"{value:.{digits}g}{'x' if unit == 'x' else f' {unit}' if unit else ''}"
