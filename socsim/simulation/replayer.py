"""A recorded trace of processes on a running device."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from itertools import count
from typing import Any

from socsim.simulation.burst import Burst
from socsim.simulation.context import Context
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.kernelgraph import Entry, KernelGraph, Step, compress
from socsim.simulation.threadtraffic import ThreadTraffic
from socsim.workloads.process_trace import ProcessBurst
from socsim.workloads.replays import Replay
from socsim.workloads.uclamp import make_uclamp

__all__ = ["Replayer"]


class Replayer:
    """Asks for processors as a trace says.

    Parameters
    ----------
    executor
        The device.
    replay
        What it plays.

    Attributes
    ----------
    processes
        Names of its processes, in order of appearance.

    Raises
    ------
    SocsimError
        The trace cannot be read, or the device lacks what it needs.
    """

    def __init__(self, executor: Executor, replay: Replay) -> None:
        self.executor, self.replay = executor, replay
        self._bursts = replay.bursts(executor.device)
        self._period = replay.period_s(self._bursts)
        self.processes = list(dict.fromkeys(burst.process for burst in self._bursts))

    def start(self, names: Mapping[str, str]) -> None:
        """Play from now on; `names`: process of the trace -> its unique name in this run."""
        players: dict[tuple[str, str, str], _ThreadPlayer | _KernelPlayer] = {}
        asked: list[tuple[ProcessBurst, _ThreadPlayer | _KernelPlayer]] = []
        for burst in self._bursts:
            thread = burst.thread if burst.processor == "cpu" else ""
            key = (burst.process, burst.processor, thread)
            if key not in players:
                players[key] = self._player(burst, names[burst.process])
            asked.append((burst, players[key]))
        self.executor.env.process(self._play(asked))

    def _player(self, burst: ProcessBurst, name: str) -> _ThreadPlayer | _KernelPlayer:
        if burst.processor == "cpu":
            return _ThreadPlayer(self.executor, name, burst, self.replay)
        return _KernelPlayer(self.executor, name, burst, self.replay)

    def _play(
        self, asked: list[tuple[ProcessBurst, _ThreadPlayer | _KernelPlayer]]
    ) -> Generator[Any, Any, None]:
        env = self.executor.env
        for number in count():
            begin = self.replay.start_s + number * (self._period or 0.0)
            for burst, player in asked:
                due = begin + burst.start
                if due > env.now:
                    yield env.timeout(due - env.now)
                player.ask(burst)
            if self._period is None:
                return


class _ThreadPlayer:
    """A thread of the trace: one burst after the other."""

    def __init__(self, executor: Executor, name: str, first: ProcessBurst, replay: Replay) -> None:
        self._executor = executor
        cores = executor.device.parse_cores(first.affinity)
        # What follows the last dot is the thread, for the records.
        part = first.thread.replace(".", "_") or "main"
        self._thread = executor.cores.thread(
            f"{name}.{part}", "other", cores, nice=first.nice or 0, absolute=True,
            uclamp=make_uclamp(replay.uclamp),
        )  # fmt: skip
        self._memory = ThreadTraffic(executor, [self._thread])
        self._waiting: deque[ProcessBurst] = deque()
        self._busy = False

    def ask(self, burst: ProcessBurst) -> None:
        """Begin a burst, or let it wait for the one under way."""
        self._waiting.append(burst)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            burst, executor = self._waiting.popleft(), self._executor
            self._thread.traffic, self._thread.iowait = burst.traffic, burst.iowait
            self._memory.join()
            Burst(
                executor.env, executor.cores, self._thread, burst.demand, self._done, self._memory.changed
            )  # fmt: skip

    def _done(self) -> None:
        self._memory.leave()
        self._next()


class _KernelPlayer:
    """A context of the trace on an accelerator: one kernel after the other."""

    def __init__(self, executor: Executor, name: str, first: ProcessBurst, replay: Replay) -> None:
        self._executor, self._name = executor, name
        cores = executor.device.parse_cores(first.affinity)
        self._context = Context(
            executor, name, cores[0], host_cores=cores, nice=first.nice or 0, priority=replay.priority,
            uclamp=make_uclamp(replay.uclamp),
        )  # fmt: skip
        self._graphs: dict[tuple[float, float], KernelGraph] = {}
        self._sent = 0

    def ask(self, burst: ProcessBurst) -> None:
        """Send a kernel."""
        key = (burst.demand, burst.traffic)
        if key not in self._graphs:
            self._graphs[key] = self._graph(burst)
        self._sent += 1
        self._executor.launch(
            Fragment(self._graphs[key], self._name, self._sent - 1, self._context, self._done)
        )

    def _graph(self, burst: ProcessBurst) -> KernelGraph:
        entry = Entry(
            "kernel", self._name, burst.processor, "other", compute=burst.demand,
            bytes=burst.demand * burst.traffic, reach=max(1.0, burst.traffic),
        )  # fmt: skip
        return compress([Step(burst.processor, (entry,), set())])

    def _done(self, fragment: Fragment) -> None:
        """Nobody waits for it."""
