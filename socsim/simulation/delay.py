"""A hand-over that no queue runs: mapping by the host, and waiting until one processor sees what another has done."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from simpy.events import Timeout

from socsim.devices.threads import Thread
from socsim.simulation.burst import Burst
from socsim.simulation.kernelgraph import Segment

if TYPE_CHECKING:
    from socsim.simulation.executor import Executor, Fragment

__all__ = ["Delay"]


class Delay:
    """A segment that only takes time, on no queue.

    While a core that the application may use is idle, the host's part takes its time there. On a busy phone the host
    has to get a core for it: to map, and to wake up after it has waited for an accelerator.

    Parameters
    ----------
    executor, fragment, segment
        As of :class:`socsim.simulation.run.Run`.
    """

    def __init__(self, executor: Executor, fragment: Fragment, segment: Segment) -> None:
        self.executor, self.fragment, self.segment = executor, fragment, segment
        self.left = segment.needs
        self._lengths: list[float] = []
        self._started = 0.0
        self._ends: list[float] = []
        self._helper: Thread | None = None

    def release(self) -> None:
        """One of the segments that it needs has finished."""
        self.left -= 1
        if not self.left:
            self.start(self.executor.env.now)

    def start(self, since: float) -> None:
        """Begin, as if at an instant that may already be past."""
        env, draw = self.executor.env, self.fragment.delay_of
        if draw is not None:
            self._lengths = [draw(entry) for entry in self.segment.entries]
        self._started = since
        if since < env.now or self.fragment.context.idle_core():
            length = sum(self._lengths) if self._lengths else self.segment.overhead
            left = since + length - env.now
            timer = Timeout(env, left if left > 0.0 else 0.0)
            timer.callbacks.append(self._finish)
        else:
            self._lengths = self._lengths or self._means()
            self._helper = self.fragment.context.borrow_helper()
            self._next()

    def spans(self) -> list[tuple[float, float]]:
        """(start, end) in s of every entry."""
        ends = self._ends or list(accumulate(self._lengths or self._means(), initial=self._started))[1:]
        return list(pairwise([self._started, *ends]))

    def _means(self) -> list[float]:
        return [entry.overhead for entry in self.segment.entries]

    def _next(self) -> None:
        """Begin the next step of a hand-over on a busy phone."""
        step = len(self._ends)
        if step == len(self._lengths):
            assert self._helper is not None
            self.fragment.context.give_back(self._helper)
            self._finish(None)
        elif self.segment.entries[step].kind == "sync":
            timer = Timeout(self.executor.env, self._lengths[step])
            timer.callbacks.append(self._waited)
        else:
            self._compute(self._lengths[step])

    def _waited(self, event: Any) -> None:
        if self.segment.entries[len(self._ends)].target == "cpu":
            self._compute(0.0)
        else:
            self._step_done()

    def _compute(self, work: float) -> None:
        assert self._helper is not None
        executor = self.executor
        Burst(executor.env, executor.cores, self._helper, work, self._step_done)

    def _step_done(self) -> None:
        self._ends.append(self.executor.env.now)
        self._next()

    def _finish(self, event: Any) -> None:
        executor, fragment = self.executor, self.fragment
        if executor.on_run is not None:
            executor.on_run(self)
        for successor in self.segment.successors:
            fragment.runs[successor].release()
        fragment.finish_one()
