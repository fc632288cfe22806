"""Power modes that a board's software sets in the course of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socsim.errors import UsageError
from socsim.units import exact_seconds
from socsim.workloads.instants import check_ascending, instant_of

__all__ = ["ModeChange", "make_mode_schedule"]

_KEYS = ("at", "mode")


@dataclass(frozen=True, slots=True)
class ModeChange:
    """A power mode that is set at an instant in s."""

    at: float
    mode: str

    def describe(self) -> dict[str, Any]:
        """How an experiment file says it."""
        return {"at": exact_seconds(self.at), "mode": self.mode}


def make_mode_schedule(spec: Any, *, units: bool = False) -> tuple[ModeChange, ...]:
    """Power modes in order of time, from what a user writes.

    Parameters
    ----------
    spec
        None; the name of a mode, which holds from the beginning; or a list of mappings ``{"at": time, "mode": name}``
        (0 s where `at` is missing in the first). Until the first one the device is in its own mode.
    units
        Refuse times without a unit, as files must have them; else numbers are in s.

    Raises
    ------
    UsageError
        A key that does not exist, a value outside its rule, or instants that do not ascend; the sentence says in which
        entry, counted from 0.
    UnitError
        A text that is no time.
    """
    given = [] if spec is None else [{"mode": spec}] if isinstance(spec, str) else spec
    if isinstance(given, Mapping) or not isinstance(given, Sequence):
        raise UsageError(f"power_mode is a mode or a list of {{at, mode}}, got {spec!r}")
    rows = tuple(_change(i, row, units) for i, row in enumerate(given))
    check_ascending(rows, "power_mode")
    return rows


def _change(number: int, row: Any, units: bool) -> ModeChange:
    if isinstance(row, ModeChange):
        return row
    at = instant_of(row, "power_mode", number, _KEYS, units=units)
    mode = row.get("mode")
    if not isinstance(mode, str) or not mode:
        raise UsageError(f"power_mode.{number}.mode must be the name of a power mode, got {mode!r}")
    return ModeChange(at, mode)
