"""A device small enough to compute by hand, and kernel graphs built without networks."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from socsim.devices.device import (
    Accelerator,
    Cluster,
    Device,
    Memory,
    MemoryOpp,
    Opp,
    PowerModel,
    Sharing,
    SyncTime,
)
from socsim.simulation.context import Context
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.kernelgraph import Entry, KernelGraph, Step, compress
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms

GB = 1e9
SHARING = Mechanisms(cpu="processor_sharing")
"""Threads of one core run at once: what happens is easy to work out by hand."""


def device(bandwidth: float = 10 * GB) -> Device:
    """Two big cores, two little ones of half their speed, a GPU and a DSP; `bandwidth` of DRAM for all."""
    opp = (Opp(1e9, 1.0),)
    power = PowerModel(1e-9, leakage=0.0, idle=0.1)
    big = Cluster("big", "big", 2, opp, {"fp32": 8.0}, 1024.0, 10 * GB, power)
    little = Cluster("little", "little", 2, opp, {"fp32": 4.0}, 512.0, 5 * GB, power)
    accelerators = {
        name: Accelerator(name, name, opp, {"fp32": 100.0}, 10 * GB, power) for name in ("gpu", "dsp")
    }
    sharing = {name: Sharing(0.0, 0.0, SyncTime(1.0)) for name in accelerators}
    memory = Memory((MemoryOpp(1e9, bandwidth),), 1.0, 1e-9, 0.5)
    rails = {"battery": ("cpu.big", "cpu.little", "gpu", "dsp", "dram", "board")}
    return Device("toy", "Toy", "toy", (big, little), accelerators, memory, sharing, 10 * GB, 2.0, rails, {})


def kernel(
    name: str,
    time: float,
    *,
    on: str = "gpu",
    overhead: float = 0.0,
    traffic: float = 0.0,
    reach: float = 10 * GB,
    dispatch: float = 0.0,
    waits: bool = False,
) -> Entry:
    """A kernel of `time` s of computing."""
    return Entry(
        "kernel",
        name,
        on,
        "any",
        overhead=overhead,
        compute=time,
        bytes=traffic,
        reach=reach,
        dispatch=dispatch,
        waits=waits,
    )


def step(entry: Entry, deps: set[int] | None = None, team: tuple[int, ...] = ()) -> Step:
    """A step on the entry's own processor; CPU kernels run on `team`."""
    weights = (1.0,) * len(team)
    return Step(entry.target, (entry,), deps or set(), team, weights)


def delay(time: float, deps: set[int] | None = None) -> Step:
    """A step that only takes time."""
    return Step("", (Entry("sync", "d", "cpu", overhead=time),), deps or set())


class Bench:
    """Runs kernel graphs and keeps a trace of (what, start, end)."""

    def __init__(
        self, target: Device | None = None, *, stepwise: bool = False, mechanisms: Mechanisms = SHARING
    ) -> None:
        self.env = simpy.Environment()
        self.trace: list[tuple[str, float, float]] = []
        self.executor = Executor(
            self.env, target or device(), stepwise=stepwise, on_run=self._note, mechanisms=mechanisms
        )
        self.done: list[tuple[str, float]] = []

    def _note(self, run) -> None:
        for entry, (start, end) in zip(run.segment.entries, run.spans(), strict=True):
            self.trace.append((f"{run.fragment.app}.{entry.operator}", start, end))

    def launch(
        self, graph: KernelGraph | list[Step], app: str = "a", *, at: float = 0.0, host: int = 0, context=None
    ) -> None:
        graph = graph if isinstance(graph, KernelGraph) else compress(graph)

        def process():
            yield self.env.timeout(at)
            fragment = Fragment(
                graph,
                app,
                0,
                context or Context(self.executor, app, host, host_cores=(host,)),
                lambda f: self.done.append((f.app, self.env.now)),
            )
            self.executor.launch(fragment)

        self.env.process(process())

    def run(self, until: float | None = None) -> list[tuple[str, float, float]]:
        self.env.run(until=until)
        return sorted(self.trace, key=lambda row: (row[1], row[2], row[0]))


MS = 1e-3


class Busy(Bench):
    """A bench under CFS (ticks of 10 ms) with threads that compute all the time; traces in ms."""

    def __init__(
        self,
        target: Device | None = None,
        *,
        stepwise: bool = False,
        mechanisms: Mechanisms = ALL_MECHANISMS,
    ) -> None:
        super().__init__(target, stepwise=stepwise, mechanisms=mechanisms)

    def loop(self, *cores: int, at: float = 1e-6, until: float | None = None) -> None:
        """A thread that computes all the time on some cores, from an instant in ms on."""
        thread = self.executor.cores.thread(f"loop{cores}", "other", cores)
        self.at(at, lambda: self.executor.cores.wake(thread))
        if until is not None:
            self.at(until, lambda: self.executor.cores.sleep(thread))

    def team(
        self, *works: float, team: tuple[int, ...] = (0, 1), at: float = 0.0, spin: float = 0.0, tiles: int = 1,
        name: str = "net", **options: float,
    ) -> None:  # fmt: skip
        """Operators one after the other, each of so many ms on every worker; waits of `spin` ms."""
        entries = [kernel(f"op{i}", work * MS, on="cpu", **options) for i, work in enumerate(works)]
        steps = [step(entry, {i - 1} if i else set(), team) for i, entry in enumerate(entries)]
        context = Context(self.executor, name, 3, spin=spin * MS, tiles=tiles)
        self.launch(compress(steps), name, at=at * MS, context=context)

    def gpu(
        self, *works: float, name: str = "gpu", at: float = 0.0, priority: float = 0, **options: float
    ) -> None:
        """Kernels on the GPU one after the other, dispatched from core 3."""
        entries = [kernel(f"k{i}", work * MS, **options) for i, work in enumerate(works)]
        steps = [step(entry, {i - 1} if i else set()) for i, entry in enumerate(entries)]
        context = Context(self.executor, name, 3, host_cores=(3,), priority=priority)
        self.launch(compress(steps), name, at=at * MS, context=context)

    def at(self, ms: float, action: Callable[[], None]) -> None:
        """Do something at an instant in ms."""
        self.env.timeout(ms * MS).callbacks.append(lambda _: action())

    def ms(self, until: float = 1000.0) -> list[tuple[str, float, float]]:
        """Run until an instant in ms, and give the trace in ms."""
        rows = self.run(until * MS)
        return [(name, round(start / MS, 6), round(end / MS, 6)) for name, start, end in rows]
