"""Base classes of schedulers: the loops are here, the decisions in the subclasses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from socsim.schedulers.plan import Decision, Placement, Plan, RawPlan
from socsim.schedulers.predictors import Spec
from socsim.schedulers.view import Job, View
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["Assignment", "OnlineScheduler", "Scheduler", "SplitScheduler", "StaticScheduler"]


class Scheduler:
    """What every scheduler has.

    Subclass :class:`StaticScheduler`, :class:`OnlineScheduler` or :class:`SplitScheduler` instead of this class.
    """

    name: ClassVar[str] = ""
    """What tables and traces call it; the class name where empty."""

    decision_time: float = 0.0
    """Time in s that one decision takes before anything starts: a plan's once in each inference; default 0."""

    predictor: Spec = "exact"
    """Which latency predictor its view uses; see :func:`socsim.schedulers.predictors.make_predictor`."""

    written: str = ""
    """How it was asked for, where that says more than its name: ``"heft(predictor=flops)"``."""

    priority: float = 0.0
    """Added to the priority of an application's commands on accelerators."""

    kernel_limit: float = 0.0
    """Time in s above which GPU kernels are split where the application does not say; 0 for no limit."""

    @property
    def title(self) -> str:
        """Name for tables: as it was asked for where it has options, else its name."""
        return self.written or self.name or type(self).__name__


class StaticScheduler(Scheduler, ABC):
    """Plans a whole network; every inference follows the plan.

    It plans once, or, where its predictor learns, anew as an inference starts.

    A class that itself says ``repeatable = True`` promises that its plans depend on nothing but the network, its
    options and what it asks its view for; runs of a sweep then share a plan for which neither loads nor the time were
    asked.
    Subclasses do not inherit the promise.
    """

    replan_period: float = 0.1
    """Least time in s between plans where the predictor learns; 0 plans anew for every inference; default 0.1."""

    @abstractmethod
    def plan(self, graph: ModelGraph, view: View) -> Plan | RawPlan:
        """Decide for every operator.

        Parameters
        ----------
        graph
            The network; iterate over it for its operators in topological order.
        view
            What may be known: support, predicted costs, loads.

        Returns
        -------
        A :class:`Plan`, or a mapping from operators (or their names) to processor names, placements or splits.
        An operator placed where the library cannot run it falls back as the library does.
        """


class SplitScheduler(StaticScheduler):
    """Decides operator by operator, each of which it may split between processors."""

    @abstractmethod
    def split(self, op: Operator, view: View) -> str | Decision:
        """Decide for one operator: a processor's name, a :class:`Placement`, or a :class:`Split`."""

    def plan(self, graph: ModelGraph, view: View) -> Plan | RawPlan:
        """Ask :meth:`split` for every operator."""
        return {op: self.split(op, view) for op in graph}


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job and where it shall run.

    Parameters
    ----------
    job
        One of the view's ready jobs.
    placement
        None to drop the inference that the job belongs to.
    units
        How many jobs of its network run there as one: this and the following ones.
    """

    job: Job
    placement: Placement | None
    units: int = 1


class OnlineScheduler(Scheduler, ABC):
    """Decides while the simulation runs: whenever a job becomes ready or a processor idle."""

    shared: bool = False
    """Whether applications that name it alike, or are given the same object, share one scheduler, as a service of the
    system, which decides about all their jobs."""

    granularity: str = "subgraph"
    """What a job is: ``"operator"``, ``"subgraph"`` (operators that the same processors support) or ``"model"``."""

    @abstractmethod
    def decide(self, view: View) -> Iterable[Assignment]:
        """Assign some of ``view.ready``; jobs left out stay ready.

        Yield ``job.on(processor)`` for each, or ``job.drop()``. Later assignments of one call see the waits that
        earlier ones caused.
        It must come to an end: a job can be assigned once only, but a loop that assigns nothing and never ends cannot
        be told from one that takes long, and holds the simulation until it is interrupted.
        """

    def start(self) -> None:
        """A run begins: forget what was learnt in earlier ones."""

    def support(self, graph: ModelGraph, view: View) -> Mapping[str, tuple[str, ...]]:
        """Processors of each operator, by which a network is cut into subgraphs: those with a kernel for it."""
        return {op.name: tuple(p for p in view.processors if view.supports(p, op)) for op in graph}
