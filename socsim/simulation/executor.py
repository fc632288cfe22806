"""Runs kernel graphs on a device: segments start on their queues, share cores and DRAM, and finish.

The cost grows with interactions: a segment takes one event as long as nothing that its rate depends on changes.
A change settles it at that instant and lays the rest out again. While DRAM is oversubscribed, segments advance entry
by entry, because every entry changes the others' shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import simpy

from socsim.devices.accelerator import CommandQueue, Server
from socsim.devices.cpu import Cores
from socsim.devices.device import Device
from socsim.devices.memory import max_min_shares
from socsim.simulation.kernelgraph import Entry, KernelGraph, Segment
from socsim.simulation.run import Delay, Run

__all__ = ["Executor", "Fragment"]


@dataclass(slots=True)
class Fragment:
    """One execution of a kernel graph.

    Parameters
    ----------
    graph
        What to run.
    app, inference
        Whose it is.
    queues
        The application's command queue by processor.
    host
        Core of the thread that dispatches accelerator kernels.
    on_done
        Called when everything has finished.
    slowness
        Factor on every time by processor (noise); empty for none.
    delay_of
        Draws the length of a delay; None takes the mean.
    """

    graph: KernelGraph
    app: str
    inference: int
    queues: dict[str, CommandQueue]
    host: int
    on_done: Callable[[Fragment], None]
    slowness: dict[str, float] = field(default_factory=dict)
    delay_of: Callable[[Entry], float] | None = None
    since: dict[int, float] = field(default_factory=dict)
    """Root delay -> the earlier instant in s at which it began."""
    left: int = 0
    runs: list[Run | Delay] = field(default_factory=list)

    def finish_one(self) -> None:
        """One of its segments has finished."""
        self.left -= 1
        if not self.left:
            # Runs and fragment refer to each other; left alone, every one of them would wait for the collector.
            self.runs = []
            self.on_done(self)


class Executor:
    """Everything that runs on one device.

    Parameters
    ----------
    env
        The SimPy clock.
    device
        What it runs on.
    stepwise
        Take one event per entry even where nothing interferes; the result is the same, only slower.
    on_run
        Called with every finished :class:`Run` (a hand-over included); None for no records.
    """

    def __init__(
        self,
        env: simpy.Environment,
        device: Device,
        *,
        stepwise: bool = False,
        on_run: Callable[[Run | Delay], None] | None = None,
    ) -> None:
        self.env, self.device, self.stepwise, self.on_run = env, device, stepwise, on_run
        self.cores = Cores(env, device)
        self.speed = dict.fromkeys(device.accelerators, 1.0)
        self.dram_bandwidth = device.memory.bandwidth
        self.dram_bytes = 0.0
        self._busy: dict[str | tuple[int, ...], float] = {}
        self.host_busy = [0.0] * len(device.cores)
        """Time in s that each core spent on dispatching, shared or not."""
        self._servers = {name: Server() for name in device.accelerators}
        self._moving: dict[int, Run] = {}
        self.active: dict[int, Run] = {}
        """Runs that have started on a processor and not finished."""
        self.contended = stepwise

    def queues(self) -> dict[str, CommandQueue]:
        """A new context: one command queue per processor, for one application."""
        return {
            "cpu": CommandQueue(),
            **{name: CommandQueue(server) for name, server in self._servers.items()},
        }

    def launch(self, fragment: Fragment) -> None:
        """Submit every segment of a fragment to its queue, in order."""
        graph = fragment.graph
        fragment.left = len(graph.segments)
        fragment.runs = [(Run if s.queue else Delay)(self, fragment, s) for s in graph.segments]
        for run in fragment.runs:
            if isinstance(run, Run):
                fragment.queues[run.segment.queue].submit(run)
        now = self.env.now
        for root in graph.roots:
            first = fragment.runs[root]
            if isinstance(first, Delay):
                first.start(fragment.since.get(root, now))

    # --- accounts ---------------------------------------------------------------------------------------------

    def account(self, segment: Segment, busy: float, moved: float) -> None:
        """Book `busy` s of a segment's processor and `moved` B of DRAM traffic."""
        user = segment.team or segment.queue
        self._busy[user] = self._busy.get(user, 0.0) + busy
        self.dram_bytes += moved

    @property
    def busy(self) -> dict[str, float]:
        """Time in s during which an accelerator, or the cores of a cluster in sum, ran kernels."""
        times = dict.fromkeys(
            (*(f"cpu.{c.name}" for c in self.device.clusters), *self.device.accelerators), 0.0
        )
        for user, time in self._busy.items():
            for name in [user] if isinstance(user, str) else [self._component(core) for core in user]:
                times[name] += time
        return self._without(times, self.cores.kernel_overlap)

    @property
    def dispatching(self) -> dict[str, float]:
        """Time in s during which the cores of a cluster in sum dispatched, and ran no kernels."""
        times = {f"cpu.{c.name}": 0.0 for c in self.device.clusters}
        for core, time in enumerate(self.host_busy):
            times[self._component(core)] += time
        return self._without(times, self.cores.host_overlap)

    def _component(self, core: int) -> str:
        return f"cpu.{self.device.cores[core].name}"

    def _without(self, times: dict[str, float], overlap: list[float]) -> dict[str, float]:
        for core, time in enumerate(overlap):
            times[self._component(core)] -= time
        return times

    def close(self) -> None:
        """Book what runs still under way at the end of the simulation have used so far."""
        for run in list(self.active.values()):
            run.settle()
            self.account(run.segment, run.busy_so_far(), run.bytes_so_far())
            if run.on_host:
                self.host_busy[run.fragment.host] += self.env.now - run.host_since
        self.cores.close()

    # --- DRAM -------------------------------------------------------------------------------------------------

    def join_memory(self, run: Run) -> None:
        """Count a run among the users of DRAM; from too many on, everyone goes on entry by entry."""
        self._moving[id(run)] = run
        if not self.contended and self._demand() > self.dram_bandwidth:
            self._switch(run, contended=True)

    def leave_memory(self, run: Run) -> None:
        """Take a run off the users of DRAM."""
        del self._moving[id(run)]
        if not self.contended:
            return
        if not self.stepwise and self._demand() <= self.dram_bandwidth:
            self._switch(run, contended=False)
        else:
            self.share_memory()

    def _demand(self) -> float:
        total = 0.0
        for run in self._moving.values():
            total += run.peak_demand
        return total

    def _switch(self, cause: Run, *, contended: bool) -> None:
        others = [run for run in self._moving.values() if run is not cause]
        for run in others:
            run.settle()
        self.contended = contended
        for run in others:
            run.plan()

    def share_memory(self) -> None:
        """Divide DRAM among the entries that move bytes now; retime those whose share changes."""
        runs = [run for run in self._moving.values() if run.moves_bytes]
        shares = max_min_shares([run.demand for run in runs], self.dram_bandwidth)
        for run, share in zip(runs, shares, strict=True):
            if share != run.share:
                run.give(share)
