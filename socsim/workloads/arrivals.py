"""When inferences arrive: periodically, at random, at given times, or at the times of a trace file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from socsim.errors import UsageError
from socsim.units import exact_seconds
from socsim.workloads.arrival_trace import read_trace

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Arrivals", "At", "Periodic", "Poisson", "TraceFile"]

_BLOCK = 256


class Arrivals(ABC):
    """Instants at which inferences arrive; subclass it for a process of your own."""

    endless = True
    """Whether the times go on for ever, so that a run needs a duration or a count."""

    @abstractmethod
    def times(self, rng: np.random.Generator) -> Iterator[float]:
        """Arrival times in s after the start of the run, never decreasing.

        Parameters
        ----------
        rng
            Where every random draw comes from.
        """

    def describe(self) -> Any:
        """How an experiment file says it; a class of the user's own by its name."""
        return {"kind": f"{type(self).__module__}:{type(self).__qualname__}"}


@dataclass(frozen=True)
class Periodic(Arrivals):
    """One arrival every `period` s from `offset` on, each late by up to `jitter` s, drawn uniformly.

    Raises
    ------
    UsageError
        A period that is not positive, a negative offset, or a jitter longer than the period, which could
        change the order of arrivals.
    """

    period: float
    offset: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        _positive("period", self.period)
        _not_negative("offset", self.offset)
        _not_negative("jitter", self.jitter)
        if self.jitter > self.period:
            raise UsageError(f"jitter must be at most the period {self.period:g} s, got {self.jitter:g} s")

    def times(self, rng: np.random.Generator) -> Iterator[float]:
        """Multiples of the period, so that rounding does not add up."""
        number = 0
        while True:
            late = float(rng.uniform(0.0, self.jitter)) if self.jitter else 0.0
            yield self.offset + number * self.period + late
            number += 1

    def describe(self) -> Any:
        """Period, and what else is not 0."""
        extra = {"offset": self.offset, "jitter": self.jitter}
        times = {"period": self.period, **{key: value for key, value in extra.items() if value}}
        return {"kind": "periodic", **{key: exact_seconds(value) for key, value in times.items()}}


@dataclass(frozen=True)
class Poisson(Arrivals):
    """Arrivals independent of each other, `period` s apart on average, from `offset` on.

    The first one comes an exponential time after `offset`, as all others do after the one before.

    Raises
    ------
    UsageError
        A period that is not positive, or a negative offset.
    """

    period: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        _positive("period", self.period)
        _not_negative("offset", self.offset)

    def times(self, rng: np.random.Generator) -> Iterator[float]:
        """Sums of exponential gaps."""
        now = self.offset
        while True:
            for gap in rng.exponential(self.period, _BLOCK).tolist():
                now += gap
                yield now

    def describe(self) -> Any:
        """Mean period, and the offset if there is one."""
        offset = {"offset": exact_seconds(self.offset)} if self.offset else {}
        return {"kind": "poisson", "period": exact_seconds(self.period), **offset}


@dataclass(frozen=True)
class At(Arrivals):
    """Arrivals at given times in s.

    Raises
    ------
    UsageError
        No times, a time that is negative or not finite, or one before its predecessor.
    """

    at: Sequence[float] = field(repr=False)
    endless = False

    def __post_init__(self) -> None:
        if not len(self.at):
            raise UsageError("a list of arrival times needs at least one time, got none")
        before = 0.0
        for number, time in enumerate(self.at):
            if not isfinite(time) or time < before:
                rule = "be finite and not negative" if not isfinite(time) or time < 0.0 else "not decrease"
                raise UsageError(f"arrival times must {rule}, got {time:g} s at position {number}")
            before = time

    def times(self, rng: np.random.Generator) -> Iterator[float]:
        """The given times."""
        return iter(self.at)

    def describe(self) -> Any:
        """The times as a list."""
        return [f"{time!r} s" for time in map(float, self.at)]


@dataclass(frozen=True)
class TraceFile(Arrivals):
    """Arrivals at the times of a CSV file, which is read when the run starts.

    The file is as :func:`~socsim.workloads.arrival_trace.read_trace` wants it.
    """

    file: str
    endless = False

    def times(self, rng: np.random.Generator) -> Iterator[float]:
        """The file's times."""
        return iter(read_trace(self.file))

    def describe(self) -> Any:
        """The file's path."""
        return {"kind": "trace", "file": self.file}


def _positive(what: str, value: float) -> None:
    if not 0.0 < value < inf:
        raise UsageError(f"{what} must be positive, got {value:g} s")


def _not_negative(what: str, value: float) -> None:
    if not 0.0 <= value < inf:
        raise UsageError(f"{what} must not be negative, got {value:g} s")
