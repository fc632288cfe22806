"""A check that a governor is sound."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import product

from socsim.errors import SimulationError
from socsim.schedulers.governors.base import Governor, resolve
from socsim.schedulers.governors.opps import RELATIONS, OppView
from socsim.schedulers.governors.registry import Spec, make_governor
from socsim.schedulers.governors.view import CAPACITY, DomainSample
from socsim.schedulers.guard import blamed

__all__ = ["check_governor"]

_TABLES = (
    OppView([1e9]),
    OppView([300e6, 700e6]),
    OppView([576e6, 768e6, 1017.6e6, 1286.4e6, 1612.8e6, 2016e6, 2419.2e6]),
)
"""A fixed clock, a choice of two, and the table of a phone."""
_CALLS = 200
_CLAMPS = ((0.0, CAPACITY), (512.0, CAPACITY), (0.0, 128.0))
_HOLDS = (0.0, 0.2, 0.9, 1.0)
"""How often loads are as before: none, some, most and all of the time."""


def check_governor(governor: Spec) -> str:
    """Prove a governor sound on random loads of every kind of domain that it is for.

    Whenever it is asked it must answer with a finite frequency or None, name an operating point by a relation that
    exists, and ask to be called again after a positive finite time. Two objects that see the same must answer the
    same, whatever a third one sees in between.

    Parameters
    ----------
    governor
        An object, a class, or anything else that names one; see
        :func:`socsim.schedulers.governors.registry.make_governor`.

    Returns
    -------
    One phrase that says what was checked.

    Raises
    ------
    SimulationError
        What it did wrong, on which domain, and in which call.
    UsageError, UnknownNameError
        It cannot be made.
    """
    title, kinds = make_governor(governor).title, make_governor(governor).kinds
    cases = list(product(kinds, _TABLES, _HOLDS))
    for seed, (kind, table, hold) in enumerate(cases):
        first = _Domain(kind, table, hold, seed).answers(make_governor(governor, kind))
        second = _Domain(kind, table, hold, seed).answers(make_governor(governor, kind))
        other = _Domain(kind, table, hold, seed + len(cases)).answers(make_governor(governor, kind))
        expected = list(first)
        for call, (got, _) in enumerate(zip(second, other, strict=True)):
            if got != expected[call]:
                raise SimulationError(
                    f"governor {title!r} on a {kind} domain, call {call}: one object wants {_shown(got)}, another one "
                    f"that saw the same wants {_shown(expected[call])}"
                )
    return f"{title}: sound on {len(cases)} domains"


def _shown(frequency: float | None) -> str:
    return "no change" if frequency is None else f"{frequency:g} Hz"


class _Domain:
    """A domain with random loads and limits, whose clock follows its governor."""

    def __init__(self, kind: str, table: OppView, hold: float, seed: int) -> None:
        self._kind, self._table, self._hold = kind, table, hold
        self._draw = random.Random(seed)
        self._now, self._clock = 0.0, table.highest
        self._limits = table.lowest, table.highest
        self._loads = (0.0,) * (self._draw.choice((1, 2, 4)) if kind == "cpu" else 1)
        self._call = -1

    def answers(self, governor: Governor) -> Iterator[float | None]:
        """What a governor wants at its start and in each call after."""
        sample = self._sample(0.0, False)
        yield self._asked(governor, "start", sample)
        for self._call in range(_CALLS):
            elapsed = self._interval(governor, sample)
            self._now += elapsed
            sample = self._sample(elapsed, self._changed())
            yield self._asked(governor, "next_frequency", sample)

    def _interval(self, governor: Governor, sample: DomainSample) -> float:
        if governor.trigger != "timer":
            return self._draw.choice((0.0, 1e-4, 4e-3, 30e-3))
        with blamed(governor, "interval", sample.name, "governor"):
            interval = governor.interval(sample)
        if not _is_number(interval) or interval <= 0.0:
            self._complain(governor, f"interval() must return seconds above 0 and finite, got {interval!r}")
        return interval * self._draw.choice((1, 1, 1, 7))

    def _asked(self, governor: Governor, method: str, sample: DomainSample) -> float | None:
        with blamed(governor, method, sample.name, "governor"):
            wanted: float | None = getattr(governor, method)(sample)
        if wanted is None:
            return None
        if not _is_number(wanted):
            self._complain(
                governor, f"{method}() must return a finite frequency in Hz or None, got {wanted!r}"
            )
        if governor.relation not in RELATIONS:
            self._complain(
                governor, f"relation must be one of {', '.join(RELATIONS)}, got {governor.relation!r}"
            )
        self._clock = resolve(sample, wanted, governor.relation)
        return self._clock

    def _complain(self, governor: Governor, complaint: str) -> None:
        where = f"on a {self._kind} domain, " + (f"call {self._call}" if self._call >= 0 else "at its start")
        raise SimulationError(f"governor {governor.title!r} {where}: {complaint}")

    def _changed(self) -> bool:
        """Change the limits, now and then."""
        if self._draw.random() > 0.05:
            return False
        low, high = sorted(self._draw.choices(self._table, k=2))
        self._limits = low, high
        self._clock = self._table.pick(self._clock, "at_most", low, high)
        return True

    def _sample(self, elapsed: float, changed: bool) -> DomainSample:
        draw = self._draw
        if draw.random() >= self._hold:
            self._loads = tuple(draw.choice((0.0, draw.random(), 1.0)) for _ in self._loads)
        more = {
            "estimates": tuple(draw.uniform(0.0, CAPACITY) for _ in self._loads),
            "uclamps": tuple(draw.choice(_CLAMPS) for _ in self._loads),
            "iowaits": tuple(draw.random() < 0.1 for _ in self._loads),
            "updated": tuple(draw.random() < 0.7 for _ in self._loads),
            "transition_latency": 1e-4,
        }
        low, high = self._limits
        suspended = self._kind != "cpu" and elapsed > 0.0 and draw.random() < 0.1
        if suspended:
            self._loads = (0.0,)
            more = {"suspended": True, "total_s": draw.choice((0.0, 0.5 * elapsed))}
        limits = {"now": self._now, "minimum": low, "maximum": high, "limits_changed": changed}
        cpu = more if self._kind == "cpu" or suspended else {}
        return DomainSample.of(
            self._table, self._clock, *self._loads, kind=self._kind, elapsed=elapsed, **limits, **cpu
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
