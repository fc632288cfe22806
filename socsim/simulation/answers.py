"""Settings that managers of a device want, checked against what there is."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from socsim.devices.domain import ClockDomain
from socsim.errors import UnknownNameError, UsageError, nearest
from socsim.schedulers.managers.device import Range, Setting
from socsim.simulation.levels import LevelStream

__all__ = ["checked_setting"]


def checked_setting(
    wanted: object,
    streams: Mapping[str, LevelStream],
    places: Mapping[str, tuple[str, ...]],
    domains: Mapping[str, ClockDomain],
) -> Setting:
    """A setting whose applications, levels, places and clock domains exist, ``"cpu"`` told of every CPU policy.

    Parameters
    ----------
    wanted
        What a manager returned.
    streams, places
        Managed applications by name, and where each may run.
    domains
        Clock domains by name.

    Raises
    ------
    UsageError
        What does not exist, or is outside its range, with the nearest that is right.
    """
    if not isinstance(wanted, Setting):
        raise UsageError(f"it must return a Setting, got {wanted!r}")
    for what in ("levels", "places", "clocks"):
        if not isinstance(getattr(wanted, what), Mapping):
            raise UsageError(f"{what} must be a mapping, got {getattr(wanted, what)!r}")
    levels = {app: _level(_known(streams, app), level) for app, level in wanted.levels.items()}
    there = {app: _place(app, places[_known(streams, app).name], p) for app, p in wanted.places.items()}
    clocks = {
        name: _range(name, domains[name], value)
        for given, value in wanted.clocks.items()
        for name in _domains(domains, given)
        if given == name or name not in wanted.clocks
    }
    return Setting(levels, there, clocks)


def _known(streams: Mapping[str, LevelStream], app: Any) -> LevelStream:
    if app not in streams:
        raise _unknown("managed application", app, tuple(streams))
    return streams[app]


def _unknown(kind: str, name: Any, known: tuple[str, ...]) -> UsageError:
    return UsageError(str(UnknownNameError(kind, str(name), known)))


def _level(stream: LevelStream, level: Any) -> int:
    family = stream.levels.family
    if len(family) == 1 and (isinstance(level, bool) or level != 1):
        raise UsageError(f"{stream.name!r} has one network, whose level is 1, got {level!r}")
    return family[level].level


def _place(app: str, places: tuple[str, ...], place: Any) -> str:
    if not isinstance(place, str) or place not in places:
        guess = nearest(str(place), places)
        tail = f"did you mean {guess!r}?" if guess else f"it may run on {', '.join(places)}"
        raise UsageError(f"{app!r} cannot run on {place!r}; {tail}")
    return place


def _domains(domains: Mapping[str, ClockDomain], name: Any) -> list[str]:
    """The domain of a name; ``"cpu"`` is all CPU policies."""
    policies = [domain for domain in domains if domain.startswith("cpu.")]
    if name == "cpu":
        return policies
    if name not in domains:
        raise _unknown("clock domain", name, ("cpu", *domains))
    return [name]


def _range(name: str, domain: ClockDomain, value: Any) -> Range | None:
    if value is None:
        return None
    if not _is_range(value):
        raise UsageError(f"clocks of {name!r} must be Range(low, high) in Hz, or None, got {value!r}")
    lowest, highest = domain.frequencies[0], domain.frequencies[-1]
    low, high = float(value[0]) or lowest, highest if value[1] == inf else float(value[1])
    for clock in (low, high):
        if not lowest * (1 - 1e-9) <= clock <= highest * (1 + 1e-9):
            close = lowest if clock < lowest else highest
            raise UsageError(
                f"clocks of {name!r} must be from {_mhz(lowest)} to {_mhz(highest)}, got {_mhz(clock)}; the nearest is "
                f"{_mhz(close)}"
            )
    if low > high:
        raise UsageError(
            f"clocks of {name!r}: low must not be above high, got {_mhz(low)} and {_mhz(high)}; the nearest is "
            f"Range({high:g}, {low:g})"
        )
    return Range(low, high)


def _is_range(value: Any) -> bool:
    numbers = isinstance(value, (tuple, list)) and len(value) == 2
    return numbers and all(
        isinstance(x, (int, float)) and not isinstance(x, bool) and x == x and x != -inf for x in value
    )


def _mhz(frequency: float) -> str:
    return f"{frequency / 1e6:g} MHz"
