"""A scheduler for a busy phone: it learns how long things take now, keeps queues short, and lets frames go first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from socsim.errors import UsageError
from socsim.schedulers.base import Assignment, OnlineScheduler
from socsim.schedulers.view import Job, View

__all__ = ["Aware"]


class Aware(OnlineScheduler):
    """Each job where it should finish first as things are now, one at a time on each processor, urgent ones first.

    It moves work: while other programs crowd the CPU, it leaves the CPU to jobs that no other processor supports, and
    what it believes of every processor is corrected by what was observed there (the predictor ``online``, half of
    whose belief is the last observation); of a job that is overdue it believes that it takes as long again. It
    serialises work: a job waits for the processor where it should finish first instead of queueing behind another, so
    that what has begun, and then the most urgent, is next. It shrinks work on the GPU: kernels are cut into short
    blocks of a low priority, and a frame's draw waits for one block at most; a program that never leaves the GPU
    starves it there.

    Parameters
    ----------
    crowd
        Runnable threads of other programs per core from which on the CPU is crowded; default 0.5.
    retry
        Time in s after which an application's job is sent to a processor that it has not used meanwhile, to see how
        long it takes there now; default 5.
    caution
        How many times as long a job may be expected to take there as at best for such a try; default 20.

    Raises
    ------
    UsageError
        Not positive.
    """

    name = "aware"
    shared = True
    predictor = "online(alpha=0.5)"
    granularity = "subgraph"
    priority = -1.0
    kernel_limit = 1e-3

    def __init__(self, crowd: float = 0.5, retry: float = 5.0, caution: float = 20.0) -> None:
        for what, value in (("crowd", crowd), ("retry", retry), ("caution", caution)):
            if not 0.0 < value < inf:
                raise UsageError(f"{what} must be positive, got {value!r}")
        self.crowd, self.retry, self.caution = crowd, retry, caution
        self._used: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        """A run begins: nothing has been used."""
        self._used.clear()

    def decide(self, view: View) -> Iterator[Assignment]:
        """Assign jobs to idle processors: what has begun first, then those with the earliest deadline."""
        crowded = view.load("cpu") > self.crowd
        for job in sorted(view.ready, key=lambda job: (job.unit == 0, job.deadline, job.arrival)):
            if job.processors == ("cpu",):
                yield job.on("cpu")  # cores take turns: it need not wait for another to end
                continue
            processor = self._choose(job, [p for p in job.processors if p != "cpu" or not crowded], view)
            if not view.pending(processor):
                self._used[job.app, processor] = view.now
                yield job.on(processor)

    def _choose(self, job: Job, places: Sequence[str], view: View) -> str:
        times = {p: view.predict(job, p) for p in places}

        def finish(p: str) -> float:
            overdue = view.pending(p) > 0 and view.wait(p) <= 0.0
            return (times[p] if overdue else view.wait(p)) + view.data_ready(job, p) + times[p]

        best = min(times, key=finish)
        for processor, time in times.items():
            since = view.now - self._used.setdefault((job.app, processor), view.now)
            stale = processor != best and since > self.retry and not view.pending(processor)
            if stale and time < self.caution * times[best]:
                return processor
        return best
