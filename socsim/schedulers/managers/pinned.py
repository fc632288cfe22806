"""A manager of a device that keeps to settings given beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, isfinite
from typing import Any

from socsim import units
from socsim.errors import UnitError, UsageError, nearest
from socsim.schedulers.managers.device import DeviceManager, DeviceState, Range, Setting

__all__ = ["Pinned"]

_KEYS = ("levels", "places", "clocks")
_RANGE = ("min", "max")


class Pinned(DeviceManager):
    """Keep levels, places and clocks that are given beforehand, for the whole run or from instants on.

    What is not told stays as the applications, the governors and the limits have it.

    Parameters
    ----------
    levels
        Application -> level.
    places
        Application -> where it runs (``"gpu"``).
    clocks
        Clock domain, or ``"cpu"`` for all CPU policies, -> clock (``"510 MHz"``, or a number in Hz), a range of it
        (``{"min": "204 MHz", "max": "510 MHz"}``, or one end of it), or None for no limit.
    settings
        The same at instants, ascending: ``[{"at": "2 s", "levels": {...}, "clocks": {...}}, ...]``, or pairs of an
        instant in s and a :class:`~socsim.schedulers.managers.device.Setting`.

    Raises
    ------
    UsageError
        A value outside its rule, or instants that do not ascend.
    """

    name = "pinned"

    def __init__(
        self,
        levels: Mapping[str, int] | None = None,
        places: Mapping[str, str] | None = None,
        clocks: Mapping[str, Any] | None = None,
        settings: Sequence[Any] = (),
    ) -> None:
        self.levels, self.places, self.clocks, self.settings = levels, places, clocks, settings
        self._first = _setting(self.name, {"levels": levels, "places": places, "clocks": clocks})
        if isinstance(settings, (str, Mapping)) or not isinstance(settings, Sequence):
            raise UsageError(f"manager {self.name!r}: settings are a list, got {settings!r}")
        self._due = [_due(self.name, number, row) for number, row in enumerate(settings)]
        for (before, _), (after, _) in pairwise(self._due):
            if not before < after:
                raise UsageError(
                    f"manager {self.name!r}: instants of settings must ascend, got {after:g} s after {before:g} s"
                )
        self.instants = tuple(at for at, _ in self._due if at > 0.0)

    def start(self, state: DeviceState) -> Setting:
        """What is told of the whole run, then what is told of its beginning."""
        begin = [self._first, *(setting for at, setting in self._due if at <= 0.0)]
        return Setting(*({k: v for own in begin for k, v in getattr(own, key).items()} for key in _KEYS))

    def foreseen(self, state: DeviceState) -> Iterator[Setting]:
        """All that is told beforehand."""
        yield self._first
        yield from (setting for _, setting in self._due)

    def tick(self, state: DeviceState) -> Setting | None:
        """What is told of this instant."""
        return next((setting for at, setting in self._due if at > 0.0 and abs(at - state.now) <= 1e-9), None)


def _due(owner: str, number: int, row: Any) -> tuple[float, Setting]:
    """An instant in s and what holds from it on."""
    place = f"manager {owner!r}: settings.{number}"
    if isinstance(row, Mapping):
        if "at" not in row:
            raise UsageError(f"{place} needs the instant 'at' from which it holds, such as 5 s")
        at, rest = row["at"], {key: value for key, value in row.items() if key != "at"}
        return _instant(place, at), _setting(f"{owner}: settings.{number}", rest)
    if isinstance(row, Sequence) and len(row) == 2 and isinstance(row[1], Setting):
        return _instant(place, row[0]), row[1]
    raise UsageError(f"{place} must be a mapping with 'at', or an instant and a Setting, got {row!r}")


def _instant(place: str, value: Any) -> float:
    at = _quantity(f"{place}.at", value, "time")
    if at < 0.0:
        raise UsageError(f"{place}.at must not be negative, got {value!r}")
    return at


def _setting(owner: str, given: Mapping[str, Any]) -> Setting:
    """A setting from what a file says; levels, places and domains are checked against the run later."""
    for key in given:
        if key not in _KEYS:
            guess = nearest(str(key), _KEYS)
            hint = f"did you mean {guess!r}?" if guess else f"it takes {', '.join(_KEYS)}"
            raise UsageError(f"manager {owner!r} has no {key!r}; {hint}")
        if not isinstance(given[key] or {}, Mapping):
            raise UsageError(f"manager {owner!r}: {key} must be a mapping, got {given[key]!r}")
    clocks = {name: _range(owner, name, value) for name, value in (given.get("clocks") or {}).items()}
    return Setting(dict(given.get("levels") or {}), dict(given.get("places") or {}), clocks)


def _range(owner: str, domain: str, value: Any) -> Range | None:
    """A range of clocks in Hz; whether the domain has them is checked later."""
    place = f"manager {owner!r}: clocks.{domain}"
    if value is None:
        return None
    if isinstance(value, Mapping):
        if not value or not set(value) <= set(_RANGE):
            got = ", ".join(map(str, value)) or "none"
            raise UsageError(f"{place} has the keys min and max, or one of them, got {got}")
        ends = {key: _quantity(f"{place}.{key}", value[key], "frequency") for key in value}
        return Range(ends.get("min", 0.0), ends.get("max", inf))
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return Range(*(_quantity(place, one, "frequency") for one in value))
    clock = _quantity(place, value, "frequency")
    return Range(clock, clock)


def _quantity(place: str, value: Any, dimension: str) -> float:
    if isinstance(value, str):
        try:
            return units.parse(value, dimension)
        except UnitError as error:
            raise UsageError(f"{place}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise UsageError(f"{place} must be a {dimension}, got {value!r}")
    return float(value)
