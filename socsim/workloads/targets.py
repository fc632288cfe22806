"""What an application of a family wants of its inferences, and when that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from socsim.errors import UsageError
from socsim.units import exact_seconds
from socsim.workloads.arrival_spec import quantity
from socsim.workloads.instants import check_ascending, instant_of

__all__ = ["NO_TARGETS", "Target", "Targets", "make_targets"]

_KEYS = ("at", "latency", "top1")


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted from an instant on.

    Parameters
    ----------
    at
        The instant in s.
    latency
        Longest time in s that an inference should take; None where nothing is said.
    top1
        Least Top-1 accuracy in %; None where nothing is said.
    """

    at: float = 0.0
    latency: float | None = None
    top1: float | None = None

    def describe(self) -> dict[str, Any]:
        """How an experiment file says it."""
        said: dict[str, Any] = {"at": exact_seconds(self.at)}
        if self.latency is not None:
            said["latency"] = exact_seconds(self.latency)
        return said if self.top1 is None else {**said, "top1": self.top1}


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets in order of time; what a later one does not say stays as it was."""

    rows: tuple[Target, ...] = ()

    def at(self, now: float) -> Target:
        """What holds at an instant in s, and since when."""
        current = Target()
        for row in self.rows:
            if row.at > now:
                break
            latency = current.latency if row.latency is None else row.latency
            current = Target(row.at, latency, current.top1 if row.top1 is None else row.top1)
        return current


NO_TARGETS = Targets()
"""Nothing is wanted."""


def make_targets(spec: Any, *, units: bool = False) -> Targets:
    """Targets from what a user writes.

    Parameters
    ----------
    spec
        None, a mapping ``{"latency": time, "top1": percent}``, a list of such mappings each with ``at`` (0 s where it
        is missing in the first), or :class:`Targets`.
    units
        Refuse times without a unit, as files must have them; else numbers are in s.

    Raises
    ------
    UsageError
        A key that does not exist, a value outside its rule, or instants that do not ascend; the sentence says in which
        target, counted from 0.
    UnitError
        A text that is no time.
    """
    if isinstance(spec, Targets):
        return spec
    given = [] if spec is None else [spec] if isinstance(spec, Mapping) else spec
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise UsageError(f"targets are a list of {{at, latency, top1}}, got {spec!r}")
    rows = tuple(_target(i, row, units) for i, row in enumerate(given))
    check_ascending(rows, "targets")
    return Targets(rows)


def _target(number: int, row: Any, units: bool) -> Target:
    place = f"targets.{number}"
    at = instant_of(row, "targets", number, _KEYS, units=units)
    if "latency" not in row and "top1" not in row:
        raise UsageError(f"{place} says nothing; give it a latency, a top1 or both")
    return Target(at, _latency(place, row, units), _top1(place, row))


def _latency(place: str, row: Mapping[str, Any], units: bool) -> float | None:
    if "latency" not in row:
        return None
    latency = quantity(row["latency"], f"{place}.latency", units=units)
    if not 0.0 < latency < inf:
        raise UsageError(f"{place}.latency must be positive, got {row['latency']!r}")
    return latency


def _top1(place: str, row: Mapping[str, Any]) -> float | None:
    if "top1" not in row:
        return None
    top1 = row["top1"]
    if isinstance(top1, bool) or not isinstance(top1, (int, float)) or not 0 <= top1 <= 100:
        raise UsageError(f"{place}.top1 must be a number from 0 to 100, in %, got {top1!r}")
    return float(top1)
