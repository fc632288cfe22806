"""Band's schedulers of several networks at once: which job goes next, and which subgraph of it to which worker.

Every job is an inference or what is left of it. A scheduler asks for the route through its remaining subgraphs that
should end first, given how long each worker is busy, and sends the first subgraph of that route to its worker; the
rest comes back as a job. Times are those of the scheduler's predictor; Band profiles at registration and corrects by
a moving average (the predictor ``online``).

References
----------
.. [1] J. S. Jeong et al., "Band: Coordinated multi-DNN inference on heterogeneous mobile processors", MobiSys 2022, and
   its code (github.com/mrsnu/band): scheduler/*.cc.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from socsim.errors import UsageError
from socsim.schedulers.band import expected_time
from socsim.schedulers.base import Assignment, OnlineScheduler
from socsim.schedulers.single import preferred_layouts
from socsim.schedulers.subgraphs import (
    Route,
    Subgraph,
    effective_support,
    merge_units,
    shortest_route,
    unit_subgraphs,
)
from socsim.schedulers.view import Job, View
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["BandFixed", "BandHeft", "BandLeastSlack", "BandRoundRobin", "BandShortest"]


class _Model(NamedTuple):
    """What is known of an application's network once it is registered."""

    layouts: Mapping[str, str]
    units: int
    subgraphs: Sequence[Subgraph]


class _BandScheduler(OnlineScheduler):
    """What Band's schedulers share.

    Parameters
    ----------
    window
        How many waiting jobs are looked at; 0 (default, as Band's) for all.
    minimum_subgraph_size
        Fewest operators worth handing to an accelerator; default 7, as Band's.
    """

    shared = True
    granularity = "subgraph"
    predictor = "online"

    def __init__(self, window: int = 0, minimum_subgraph_size: int = 7) -> None:
        if window < 0:
            raise UsageError(f"window must be a whole number from 0, got {window!r}")
        if minimum_subgraph_size < 1:
            raise UsageError(
                f"minimum_subgraph_size must be at least 1, got {minimum_subgraph_size!r}; Band's is 7"
            )
        self.window, self.minimum_subgraph_size = window, minimum_subgraph_size
        self._models: dict[str, _Model] = {}
        self._next: dict[tuple[str, int], int] = {}

    def start(self) -> None:
        """A run begins: no network is registered."""
        self._models.clear()
        self._next.clear()

    def support(self, graph: ModelGraph, view: View) -> Mapping[str, tuple[str, ...]]:
        """Processors of each operator, without those that support too little around it."""
        layouts = preferred_layouts(graph, view)

        def supports(worker: str, op: Operator) -> bool:
            return view.supports(worker, op, layouts[worker])

        return effective_support(graph, view.processors, supports, self.minimum_subgraph_size)

    @abstractmethod
    def decide(self, view: View) -> Iterable[Assignment]:
        """Assign some of the waiting jobs."""

    def waiting(self, view: View) -> list[Job]:
        """The jobs in the window: of each inference, what comes next."""
        jobs = [job for job in view.ready if job.unit == self._next.get((job.app, job.inference), 0)]
        return jobs[: self.window] if self.window else jobs

    def route(self, job: Job, view: View, waits: Mapping[str, float]) -> Route:
        """The way through what is left of a job that should end first."""
        model = self.model(job, view)
        expected = partial(expected_time, graph=job.graph, view=view.of(job), layouts=model.layouts)
        return shortest_route(model.units, model.subgraphs, expected, waits, job.unit)

    def routes(self, jobs: Sequence[Job], view: View, waits: Mapping[str, float]) -> list[Route]:
        """The routes of several jobs; those that have the same left of the same network share one."""
        found: dict[tuple[str, int], Route] = {}
        for job in jobs:
            if (job.app, job.unit) not in found:
                found[job.app, job.unit] = self.route(job, view, waits)
        return [found[job.app, job.unit] for job in jobs]

    def model(self, job: Job, view: View) -> _Model:
        """A job's network, registered when it is met first."""
        if job.app not in self._models:
            own = view.of(job)
            units = unit_subgraphs(job.graph, self.support(job.graph, own))
            self._models[job.app] = _Model(
                preferred_layouts(job.graph, own), len(units), merge_units(job.graph, units)
            )
        return self._models[job.app]

    def send(self, job: Job, subgraph: Subgraph, view: View) -> Assignment:
        """Give the first subgraph of a job's route to its worker."""
        model, key = self.model(job, view), (job.app, job.inference)
        self._next[key] = subgraph.last + 1
        if subgraph.last + 1 == model.units:
            del self._next[key]
        count = subgraph.last - subgraph.first + 1
        return job.on(subgraph.worker, layout=model.layouts[subgraph.worker], units=count)

    def waits(self, view: View) -> dict[str, float]:
        """Worker -> time in s until it is free."""
        return {worker: view.wait(worker) for worker in view.processors}


class BandShortest(_BandScheduler):
    """Shortest expected latency: of the waiting jobs the longest first, each where it should end first.

    Workers have queues: a job may be given to a busy one. Parameters as in Band: `window`, `minimum_subgraph_size`.
    """

    name = "band_sel"

    def decide(self, view: View) -> Iterator[Assignment]:
        """Assign every job in the window."""
        jobs = self.waiting(view)
        while jobs:
            routes = self.routes(jobs, view, self.waits(view))
            longest = max(range(len(jobs)), key=lambda i: routes[i].latency)
            yield self.send(jobs.pop(longest), routes[longest].subgraphs[0], view)


class BandHeft(_BandScheduler):
    """Heterogeneous earliest finish time: as :class:`BandShortest`, but a job waits for its best worker to be idle.

    Parameters
    ----------
    window, minimum_subgraph_size
        As in Band.
    reserve
        Keep the worker of a begun job's next subgraph for it: others count its time as a wait; default False.
    """

    name = "band_heft"

    def __init__(self, window: int = 0, minimum_subgraph_size: int = 7, reserve: bool = False) -> None:
        super().__init__(window, minimum_subgraph_size)
        self.reserve = reserve
        self._reserved: dict[tuple[str, int], tuple[str, float]] = {}

    def start(self) -> None:
        """A run begins: nothing is reserved."""
        super().start()
        self._reserved.clear()

    def decide(self, view: View) -> Iterator[Assignment]:
        """Assign jobs to idle workers; who should wait for a busy one keeps it busy for the others."""
        jobs, promised = self.waiting(view), dict.fromkeys(view.processors, 0.0)
        while jobs:
            waits = self.waits(view)
            routes = self._routes(jobs, view, {w: wait + promised[w] for w, wait in waits.items()})
            longest = max(range(len(jobs)), key=lambda i: routes[i].latency)
            job, first = jobs.pop(longest), routes[longest].subgraphs[0]
            if waits[first.worker] > 0.0 or promised[first.worker] > 0.0:
                promised[first.worker] += self._time(job, first, view)
                continue
            self._reserve(job, routes[longest], view)
            yield self.send(job, first, view)

    def _routes(self, jobs: Sequence[Job], view: View, waits: Mapping[str, float]) -> list[Route]:
        """Routes of jobs; what is reserved for one is a wait for the others."""
        total = dict(waits)
        for worker, time in self._reserved.values():
            total[worker] += time
        routes = self.routes(jobs, view, total)
        for i, job in enumerate(jobs):
            if (job.app, job.inference) in self._reserved:
                worker, time = self._reserved[job.app, job.inference]
                routes[i] = self.route(job, view, {**total, worker: total[worker] - time})
        return routes

    def _reserve(self, job: Job, route: Route, view: View) -> None:
        key = (job.app, job.inference)
        self._reserved.pop(key, None)
        if self.reserve and len(route.subgraphs) > 1:
            following = route.subgraphs[1]
            self._reserved[key] = (following.worker, self._time(job, following, view))

    def _time(self, job: Job, subgraph: Subgraph, view: View) -> float:
        return expected_time(subgraph, job.graph, view.of(job), self.model(job, view).layouts)


class BandLeastSlack(_BandScheduler):
    """Least slack first: by deadline less the time that is still needed; jobs that cannot meet theirs are dropped.

    Jobs without a deadline come last. A job waits until the worker of its next subgraph is idle. Parameters as in Band:
    `window`, `minimum_subgraph_size`.
    """

    name = "band_lst"

    def decide(self, view: View) -> Iterator[Assignment]:
        """Assign or drop jobs in order of their slack."""
        jobs = self.waiting(view)
        routes = dict(zip(jobs, self.routes(jobs, view, self.waits(view)), strict=True))
        for job in sorted(routes, key=lambda job: job.deadline - view.now - routes[job].latency):
            route = self.route(job, view, self.waits(view))
            if view.now + route.latency > job.deadline and job.unit == 0:
                yield job.drop()
            elif view.wait(route.subgraphs[0].worker) <= 0.0:
                yield self.send(job, route.subgraphs[0], view)


class BandRoundRobin(_BandScheduler):
    """Each idle worker takes the first waiting job whose whole network it supports.

    Parameters as in Band: `window`, `minimum_subgraph_size`.
    """

    name = "band_rr"

    def decide(self, view: View) -> Iterator[Assignment]:
        """Give every idle worker a job."""
        jobs = self.waiting(view)
        for worker in view.processors:
            taken = next((job for job in jobs if self._whole(job, worker, view)), None)
            if taken is not None and view.wait(worker) <= 0.0:
                jobs.remove(taken)
                whole = self._whole(taken, worker, view)
                assert whole is not None
                yield self.send(taken, whole, view)

    def _whole(self, job: Job, worker: str, view: View) -> Subgraph | None:
        model = self.model(job, view)
        return next(
            (s for s in model.subgraphs if (s.worker, s.first, s.last) == (worker, 0, model.units - 1)), None
        )


class BandFixed(_BandScheduler):
    """Each application on a worker of its own choice, with what that does not support on the CPU.

    Parameters
    ----------
    worker
        Of applications that `workers` does not name; default ``"gpu"``.
    workers
        Application -> worker.
    minimum_subgraph_size
        As in Band.
    """

    name = "band_fixed"

    def __init__(
        self, worker: str = "gpu", workers: Mapping[str, str] | None = None, minimum_subgraph_size: int = 7
    ) -> None:
        super().__init__(0, minimum_subgraph_size)
        self.worker, self.workers = worker, dict(workers or {})

    def decide(self, view: View) -> Iterator[Assignment]:
        """Send every job on, the largest subgraph that its worker supports at a time."""
        for job in self.waiting(view):
            worker = self.workers.get(job.app, self.worker)
            own = [s for s in self.model(job, view).subgraphs if s.first == job.unit]
            fitting = [s for s in own if s.worker == worker] or [s for s in own if s.worker == "cpu"]
            yield self.send(job, max(fitting or own, key=lambda s: s.last), view)
