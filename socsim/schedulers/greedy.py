"""Earliest finish, decided operator by operator while the simulation runs."""

from __future__ import annotations

from collections.abc import Iterable

from socsim.schedulers.base import Assignment, OnlineScheduler
from socsim.schedulers.view import Job, View

__all__ = ["Greedy", "earliest_finish"]


class Greedy(OnlineScheduler):
    """Each ready operator where it should finish first: processor free, inputs there, predicted time.

    It looks neither ahead (an operator moves although all that follows must come back) nor at other jobs.

    Parameters
    ----------
    granularity
        What is placed at once: ``"operator"`` (default), ``"subgraph"`` or ``"model"``.

    References
    ----------
    .. [1] O. H. Ibarra, C. E. Kim, "Heuristic algorithms for scheduling independent tasks on nonidentical
       processors", JACM 24(2), 1977.
    """

    name = "greedy"

    def __init__(self, granularity: str = "operator") -> None:
        self.granularity = granularity

    def decide(self, view: View) -> Iterable[Assignment]:
        """Assign every ready job, first come first served."""
        for job in view.ready:
            yield job.on(earliest_finish(job, view))


def earliest_finish(job: Job, view: View) -> str:
    """The processor where a job should finish first; ties go to the least time, then to the first."""

    def finish(processor: str) -> tuple[float, float]:
        time = view.predict(job, processor)
        return max(view.wait(processor), view.data_ready(job, processor)) + time, time

    return min(job.processors, key=finish)
