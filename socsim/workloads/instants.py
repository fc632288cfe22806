"""Changes in the course of a run, as files write them: a list of entries, each with the instant from which it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Any, Protocol

from socsim.errors import UsageError, nearest
from socsim.workloads.arrival_spec import quantity

__all__ = ["Timed", "check_ascending", "instant_of"]


class Timed(Protocol):
    """What holds from an instant on."""

    @property
    def at(self) -> float:
        """The instant in s."""


def instant_of(row: Any, where: str, number: int, keys: Sequence[str], *, units: bool) -> float:
    """The instant in s from which an entry holds; 0 where the first one does not say.

    Parameters
    ----------
    row, where, number
        The entry, the list's key, and which of the list it is, counted from 0.
    keys
        All that it may have, ``at`` first.
    units
        Refuse times without a unit.

    Raises
    ------
    UsageError
        No mapping, a key that does not exist, no instant, or a negative one.
    UnitError
        A text that is no time.
    """
    place = f"{where}.{number}"
    if not isinstance(row, Mapping):
        listed = f"{', '.join(keys[:-1])} and {keys[-1]}"
        raise UsageError(f"{place} must be a mapping of {listed}, got {row!r}")
    for key in row:
        if key not in keys:
            guess = nearest(str(key), keys)
            hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(keys)}"
            raise UsageError(f"{place} has no {key!r}; {hint}")
    if "at" not in row:
        if number:
            raise UsageError(f"{place} needs the instant 'at' from which it holds, such as 5 s")
        return 0.0
    at = quantity(row["at"], f"{place}.at", units=units)
    if not 0.0 <= at < inf:
        raise UsageError(f"{place}.at must not be negative, got {row['at']!r}")
    return at


def check_ascending(rows: Sequence[Timed], where: str) -> None:
    """Entries come in order of time.

    Raises
    ------
    UsageError
        One that does not.
    """
    for number, (before, after) in enumerate(pairwise(rows), 1):
        if after.at <= before.at:
            raise UsageError(
                f"{where}.{number}.at must be later than the one before, {before.at:g} s, got {after.at:g} s"
            )
