"""What every process did on the processors: kept where a run is asked for details, else nothing is paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import simpy

from socsim.devices.cfs import nice_weight
from socsim.devices.threads import Thread
from socsim.simulation.timeline import body_time

if TYPE_CHECKING:
    from socsim.simulation.executor import Executor
    from socsim.simulation.kernelgraph import Segment
    from socsim.simulation.run import Run

__all__ = ["BurstRecord", "ProcessLog", "ProcessRecord", "SpanRecord"]

_NICE = {nice_weight(nice): nice for nice in range(-20, 20)}


class ProcessRecord(NamedTuple):
    """Time for which a process kept a processor busy."""

    app: str
    kind: str
    """Of the application: ``inference``, ``competitor``, ``video``, ``ui`` or ``replay``."""
    process: str
    processor: str
    busy_s: float
    """On the CPU the sum over its threads, dispatching and mapping included."""


class SpanRecord(NamedTuple):
    """A time for which a thread had a core; of processes other than inferences."""

    process: str
    thread: str
    core: int
    start_s: float
    end_s: float
    share: float
    """Share of the core, 1 under CFS."""


class BurstRecord(NamedTuple):
    """A process asked for a processor; times as of :class:`socsim.workloads.process_trace.ProcessBurst`."""

    process: str
    thread: str
    """``""`` on accelerators."""
    processor: str
    start_s: float
    demand_s: float
    nice: int
    cores: tuple[int, ...]
    """That the thread may use; () on accelerators."""
    traffic: float


class _WatchedThread(Thread):
    """A thread that notes every time on a core, and every stretch from waking up to sleeping.

    Its fields are properties here, so that it sees every change whoever makes it.
    """

    def __init__(self, log: ProcessLog, *args: Any, **options: Any) -> None:
        self._log = log
        self._since = self._work = self._woken = 0.0
        self._share = self._speed = 0.0
        self._runnable = False
        super().__init__(*args, **options)
        self.process, _, self.part = self.name.rpartition(".")

    @property
    def share(self) -> float:
        """As of :class:`Thread`."""
        return self._share

    @share.setter
    def share(self, value: float) -> None:
        self._settle()
        self._share = value

    @property
    def speed(self) -> float:
        """As of :class:`Thread`."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._settle()
        self._speed = value

    @property
    def runnable(self) -> bool:
        """As of :class:`Thread`."""
        return self._runnable

    @runnable.setter
    def runnable(self, value: bool) -> None:
        self._settle()
        if value and not self._runnable:
            self._woken, self._work = self._since, 0.0
        elif self._runnable and not value:
            self._log.burst(self, self._woken, self._work)
        self._runnable = value

    def close(self) -> None:
        """Note what is under way."""
        self._settle()
        if self._runnable:
            self._log.burst(self, self._woken, self._work)

    def _settle(self) -> None:
        now = self._log.now()
        if self._share > 0.0 and now > self._since:
            self._log.span(self, self._since, now, self._share)
            self._work += self._speed * self.reference * (now - self._since)
        self._since = now


class ProcessLog:
    """Notes what threads and accelerators do.

    Parameters
    ----------
    env
        The SimPy clock.
    """

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._threads: list[_WatchedThread] = []
        self._spans: dict[str, list[list[Any]]] = {"other": [], "host": []}
        self._last: dict[_WatchedThread, list[Any]] = {}
        self._bursts: list[BurstRecord] = []
        self._runs: list[tuple[str, Segment, Sequence[tuple[float, float]], float]] = []
        self._busy: dict[tuple[str, str], float] = {}

    def now(self) -> float:
        """Simulated time in s."""
        return float(self._env.now)

    def thread(self, *args: Any, **options: Any) -> Thread:
        """A thread that is watched."""
        thread = _WatchedThread(self, *args, **options)
        self._threads.append(thread)
        return thread

    def span(self, thread: _WatchedThread, start: float, end: float, share: float) -> None:
        """A thread has had a core; what goes on without a change is one span."""
        key = (thread.process, "cpu")
        self._busy[key] = self._busy.get(key, 0.0) + (end - start) * share
        if thread.kind not in self._spans:
            return
        last = self._last.get(thread)
        if last is not None and last[2] == thread.core and last[4] == start and last[5] == share:
            last[4] = end
            return
        self._last[thread] = fresh = [thread.process, thread.part, thread.core, start, end, share]
        self._spans[thread.kind].append(fresh)

    def burst(self, thread: _WatchedThread, start: float, work: float) -> None:
        """A thread that woke up at `start` sleeps again, and has done `work` s of the fastest core."""
        if work > 0.0:
            self._bursts.append(
                BurstRecord(
                    thread.process, thread.part, "cpu", start, work, _NICE[thread.weight], thread.allowed,
                    thread.traffic,
                )
            )  # fmt: skip

    def run(self, run: Run) -> None:
        """A run on an accelerator has finished."""
        self._note(run, run.spans())

    def _note(self, run: Run, spans: Sequence[tuple[float, float]]) -> None:
        fragment, segment = run.fragment, run.segment
        key = (fragment.app, segment.queue)
        self._busy[key] = self._busy.get(key, 0.0) + sum(end - start for start, end in spans)
        slowness = fragment.slowness.get(segment.queue, 1.0)
        self._runs.append((fragment.app, segment, spans, slowness))

    def close(self, executor: Executor) -> None:
        """Note what is under way at the end; after the executor's own accounts are closed."""
        for thread in self._threads:
            thread.close()
        for run in executor.active.values():
            if not run.segment.team:
                self._note(run, run.spans_so_far())

    def processes(self, kinds: Mapping[str, tuple[str, str]]) -> Iterator[ProcessRecord]:
        """Busy time of every process on every processor; `kinds`: process -> application and its kind."""
        for name, (app, kind) in kinds.items():
            for (process, processor), busy in self._busy.items():
                if process == name and busy > 0.0:
                    yield ProcessRecord(app, kind, process, processor, busy)

    def spans(self, kind: str = "other") -> Iterator[SpanRecord]:
        """Times on cores of threads that are no part of an inference, or (``"host"``) dispatch, in order of start."""
        yield from sorted(
            (SpanRecord(*span) for span in self._spans[kind]), key=lambda s: (s.start_s, s.core)
        )

    def bursts(self, bandwidth: float) -> list[BurstRecord]:
        """What was asked for, in order of start; `bandwidth`: of DRAM, in B/s."""
        kernels = [burst for run in self._runs for burst in _kernel_bursts(*run, bandwidth)]
        return sorted([*self._bursts, *kernels], key=lambda burst: burst.start_s)


def _kernel_bursts(
    app: str, segment: Segment, spans: Sequence[tuple[float, float]], slowness: float, bandwidth: float
) -> Iterator[BurstRecord]:
    """Kernels of a run: they ask when they begin, and for the time that they take alone."""
    for entry, (start, _) in zip(segment.entries, spans, strict=False):
        alone = (entry.overhead + body_time(entry, 1.0, bandwidth)) * slowness
        if alone > 0.0:
            yield BurstRecord(app, "", segment.queue, start, alone, 0, (), entry.bytes / alone)
