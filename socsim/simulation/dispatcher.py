"""Asks a scheduler that decides at run time: about the jobs of one application, or of all that share the scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import simpy

from socsim.errors import SimulationError
from socsim.schedulers.base import Assignment, OnlineScheduler
from socsim.schedulers.guard import blamed
from socsim.schedulers.plan import Placement
from socsim.schedulers.view import Job, SharedView, View

__all__ = ["Dispatcher", "Member"]


class Member(Protocol):
    """An application whose jobs a dispatcher has assigned."""

    view: View

    def merged(self, job: Job, count: int) -> Job:
        """A job and those that follow it, as one."""

    def perform(self, job: Job, placement: Placement) -> None:
        """Run a job."""

    def abandon(self, job: Job) -> None:
        """Drop the inference that a job belongs to."""


class Dispatcher:
    """One scheduler and the jobs that wait for it.

    Parameters
    ----------
    env
        The SimPy clock.
    scheduler
        Who decides.
    others
        How busy other programs keep a processor.
    """

    def __init__(
        self, env: simpy.Environment, scheduler: OnlineScheduler, others: Callable[[str], float]
    ) -> None:
        self._env, self.scheduler, self.others = env, scheduler, others
        self.free_at: dict[str, float] = {}
        """Processor -> when everything assigned to it should have finished, in s."""
        self.assigned: Counter[str] = Counter()
        """Processor -> jobs assigned to it that have not finished."""
        self._members: dict[str, Member] = {}
        self._ready: dict[tuple[str, int, int], Job] = {}
        self._deciding = False
        self._shared: SharedView | None = None

    def start(self) -> None:
        """The run begins."""
        self.scheduler.start()

    def join(self, name: str, member: Member) -> None:
        """An application lets its jobs be assigned here."""
        self._members[name] = member

    @property
    def view(self) -> View:
        """What the scheduler sees."""
        if len(self._members) == 1:
            return next(iter(self._members.values())).view
        if self._shared is None:
            self._shared = SharedView({name: member.view for name, member in self._members.items()})
        return self._shared

    def now(self) -> float:
        """Simulated time in s."""
        return float(self._env.now)

    def ready(self) -> tuple[Job, ...]:
        """Jobs to assign, in the order in which they became ready."""
        return tuple(self._ready.values())

    def wait(self, processor: str) -> float:
        """Time in s until a processor should have finished everything assigned to it."""
        return max(0.0, self.free_at.get(processor, 0.0) - self.now())

    def pending(self, processor: str) -> int:
        """Number of jobs assigned to a processor that have not finished."""
        return self.assigned[processor]

    def offer(self, job: Job) -> None:
        """A job has become ready."""
        self._ready[job.app, job.inference, job.unit] = job

    def withdraw(self, app: str, inference: int, unit: int) -> None:
        """A job is not to be assigned any more."""
        self._ready.pop((app, inference, unit), None)

    def withdraw_inference(self, app: str, inference: int) -> None:
        """None of an inference's jobs is to be assigned any more."""
        for key in [key for key in self._ready if key[:2] == (app, inference)]:
            del self._ready[key]

    def decide(self) -> None:
        """Ask the scheduler, once it has had its time to think."""
        if self._deciding or not self._ready:
            return
        self._deciding = True
        if self.scheduler.decision_time:
            timer = self._env.timeout(self.scheduler.decision_time)
            timer.callbacks.append(lambda _: self._ask())
        else:
            self._ask()

    def _ask(self) -> None:
        for assignment in self._decisions():
            if not isinstance(assignment, Assignment):
                raise SimulationError(
                    f"scheduler {self.scheduler.title!r} must yield job.on(processor) for each job, got {assignment!r}"
                )
            self._assign(assignment)
        self._deciding = False

    def _decisions(self) -> Iterator[object]:
        scheduler, end = self.scheduler, object()
        networks = ", ".join(dict.fromkeys(job.graph.name for job in self._ready.values()))
        guard = blamed(scheduler, "decide", networks)
        with guard:
            decided: object = scheduler.decide(self.view)
        if not isinstance(decided, Iterable):
            raise SimulationError(
                f"scheduler {scheduler.title!r} must return or yield assignments from decide(), got {decided!r}"
            )
        remaining = iter(decided)
        while True:
            with guard:
                assignment = next(remaining, end)
            if assignment is end:
                return
            yield assignment

    def _assign(self, assignment: Assignment) -> None:
        job, placement = assignment.job, assignment.placement
        title = self.scheduler.title
        if self._ready.pop((job.app, job.inference, job.unit), None) is None:
            raise SimulationError(
                f"scheduler {title!r} assigned job {job.unit} of inference {job.inference}, not ready"
            )
        member = self._members[job.app]
        if placement is None:
            member.abandon(job)
            return
        whole = member.merged(job, assignment.units)
        if placement.processor not in whole.processors:
            raise SimulationError(
                f"scheduler {title!r} assigned job {job.unit} of {job.graph.name!r} to {placement.processor!r}, "
                f"which does not support it; supported: {', '.join(whole.processors)}"
            )
        member.perform(whole, placement)
