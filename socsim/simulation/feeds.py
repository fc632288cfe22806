"""What makes inferences arrive: instants known beforehand, the end of the one before, or another application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import simpy
from simpy.events import Event, EventPriority

from socsim.errors import SimulationError
from socsim.workloads.arrivals import Arrivals

if TYPE_CHECKING:
    import numpy as np

    from socsim.simulation.stream import Stream
    from socsim.workloads.stages import After

__all__ = ["Feed", "LoopFeed", "StageFeed", "TimedFeed"]

_LAST = EventPriority(2)
"""SimPy's events at one instant happen in order of this number; its own are 0 and 1."""


class _Arrival(Event):
    """Happens after everything else at its instant, so that what finishes then makes room first."""

    def __init__(self, env: simpy.Environment, delay: float) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, _LAST, max(0.0, delay))


class Feed(ABC):
    """Makes inferences arrive at a stream, as many as its application counts.

    Parameters
    ----------
    stream
        Where they arrive.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream, self.count = stream, stream.app.count

    @abstractmethod
    def start(self) -> None:
        """The run begins."""

    def ended(self) -> None:  # noqa: B027 - most feeds do not care
        """An inference of the stream has finished."""

    def arrive(self, origin: float = -1.0) -> bool:
        """Let one arrive, unless all have; tells whether more may come."""
        stream = self.stream
        if not stream.closed:
            last = self.count is not None and stream.arrived + 1 >= self.count
            stream.closed = last
            stream.arrive(origin)
        return not stream.closed


class LoopFeed(Feed):
    """Back to back: one arrives when one finishes, and as many as may be under way at the start."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._stop = stream.app.stop_s

    def start(self) -> None:
        """The first ones arrive at once, or when the application begins."""
        begin = self.stream.app.start_s
        if begin > 0.0:
            timer = _Arrival(self.stream.executor.env, begin)
            timer.callbacks.append(self._begin)
        else:
            self._begin()

    def _begin(self, event: Event | None = None) -> None:
        for _ in range(self.stream.admission.concurrency or 1):
            self.arrive()

    def ended(self) -> None:
        """The next one arrives."""
        if self.stream.executor.env.now >= self._stop:
            self.stream.closed = True
        self.arrive()


class TimedFeed(Feed):
    """Arrivals at instants that do not depend on the run.

    Parameters
    ----------
    stream
        Where they arrive.
    arrivals, rng
        When, counted from the application's start, and where the draws come from.
    """

    def __init__(self, stream: Stream, arrivals: Arrivals, rng: np.random.Generator) -> None:
        super().__init__(stream)
        self.arrivals, self.rng = arrivals, rng
        self._start, self._stop = stream.app.start_s, stream.app.stop_s
        self._times: Iterator[float] = iter(())
        self._next: float | None = None

    def start(self) -> None:
        """Wait for the first one."""
        self._times = iter(self.arrivals.times(self.rng))
        self._await_next()

    def _await_next(self) -> None:
        due = next(self._times, None)
        self._next = None if due is None else self._start + due
        self._wait()

    def _wait(self) -> None:
        env, at = self.stream.executor.env, self._next
        if at is None or at >= self._stop:
            self.stream.close()
            return
        if not at >= env.now - 1e-9:
            raise SimulationError(
                f"arrivals of {self.stream.name!r} must not decrease from 0 on, got {at} s at {env.now} s"
            )
        timer = _Arrival(env, at - env.now)
        timer.callbacks.append(self._arrive)

    def _arrive(self, event: Event) -> None:
        if self.arrive():
            self._await_next()


class StageFeed(Feed):
    """Each finished inference of another stream makes arrivals.

    Parameters
    ----------
    stream
        Where they arrive.
    before, after
        The other stream, and how it is followed.
    rng
        Where the draws come from.
    """

    def __init__(self, stream: Stream, before: Stream, after: After, rng: np.random.Generator) -> None:
        super().__init__(stream)
        self.after, self.rng = after, rng
        self._coming = 0
        self._over = False
        before.followers.append(self)
        before.complete.callbacks.append(self._before_is_over)

    def start(self) -> None:
        """Nothing arrives before something has finished."""

    def trigger(self, origin: float) -> None:
        """An inference of the stage before, whose chain began at `origin` s, has finished."""
        for _ in range(self.after.draw(self.rng)):
            if not self.after.delay:
                self.arrive(origin)
                continue
            self._coming += 1
            timer = _Arrival(self.stream.executor.env, self.after.delay)
            timer.callbacks.append(lambda _: self._arrive_late(origin))

    def _arrive_late(self, origin: float) -> None:
        self._coming -= 1
        self.arrive(origin)
        self._close_after_the_last()

    def _before_is_over(self, event: Event) -> None:
        self._over = True
        self._close_after_the_last()

    def _close_after_the_last(self) -> None:
        if self._over and not self._coming:
            self.stream.close()
