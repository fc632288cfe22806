"""Runs kernel graphs on a device: segments start on their queues, share cores and DRAM, and finish.

The cost grows with interactions: a segment takes one event as long as nothing that its rate depends on changes.
A change settles it at that instant and lays the rest out again. While DRAM is oversubscribed, segments advance entry
by entry, because every entry changes the others' shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Protocol

import simpy

from socsim.devices.accelerator import CommandQueue, Server
from socsim.devices.cpu import Cores
from socsim.devices.device import Device
from socsim.devices.memory import max_min_shares
from socsim.devices.runqueue import RunQueue
from socsim.simulation.callrun import CallRun
from socsim.simulation.context import Context
from socsim.simulation.delay import Delay
from socsim.simulation.kernelgraph import Entry, KernelGraph, Segment
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.run import Run
from socsim.simulation.teamrun import TeamRun

__all__ = ["Account", "Executor", "Fragment", "MemoryUser"]


_STALLED = 1e-12
"""Share of DRAM's bandwidth that is left while its clock is switched: next to nothing moves, and rates stay above 0."""


class MemoryUser(Protocol):
    """Who takes part in the sharing of DRAM."""

    share: float
    """Bandwidth in B/s that it has."""

    @property
    def peak_demand(self) -> float:
        """Bandwidth in B/s that it uses at most."""

    @property
    def demand(self) -> float:
        """Bandwidth in B/s that it can use now."""

    @property
    def moves_bytes(self) -> bool:
        """Whether it uses DRAM now."""

    def bytes_until_now(self) -> float:
        """Traffic in B that is not in the executor's account yet; nothing changes."""

    def settle(self) -> None:
        """Bring its progress up to now."""

    def plan(self) -> None:
        """Work out anew how it goes on."""

    def give(self, share: float) -> None:
        """Go on with a share in B/s."""


@dataclass(slots=True)
class Account:
    """What a process has used.

    Parameters
    ----------
    busy
        Time in s by accelerator.
    drawn
        The same times, each by the activity of what ran.
    moved
        DRAM traffic in B.
    """

    busy: dict[str, float]
    drawn: dict[str, float]
    moved: float = 0.0


@dataclass(slots=True)
class Fragment:
    """One execution of a kernel graph.

    Parameters
    ----------
    graph
        What to run.
    app, inference
        Whose it is.
    context
        The application's queues and threads.
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
    context: Context
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
    mechanisms
        Which mechanisms of contention it has; all by default.
    tracked
        Keep account of the cores' utilisation, for governors that want to know it.
    """

    def __init__(
        self,
        env: simpy.Environment,
        device: Device,
        *,
        stepwise: bool = False,
        on_run: Callable[[Run | Delay], None] | None = None,
        mechanisms: Mechanisms = ALL_MECHANISMS,
        tracked: bool = False,
    ) -> None:
        self.env, self.device, self.stepwise, self.on_run = env, device, stepwise, on_run
        self.mechanisms = mechanisms
        rules = device.os
        if mechanisms.placement is not None:
            rules = replace(rules, placement=mechanisms.placement)
        self.cores = Cores(env, device, policy=mechanisms.cpu, rules=rules, tracked=tracked)
        self.speed = dict.fromkeys(device.accelerators, 1.0)
        self.dram_bandwidth = self.dram_clocked = device.memory.bandwidth
        self._dram_busy = self._dram_seen = 0.0
        self.accounts: dict[str, Account] = {}
        """What each process has used of accelerators and DRAM."""
        self._called = {name for name, a in device.accelerators.items() if a.call_latency > 0.0}
        self.servers = {name: Server(self._now) for name in device.accelerators}
        """What the contexts of each accelerator share."""
        self._moving: dict[int, MemoryUser] = {}
        self.active: dict[int, Run] = {}
        """Runs that have started on a processor and not finished."""
        self.contended = stepwise
        self._closed = False

    def new_queues(self, priority: float = 0) -> dict[str, CommandQueue]:
        """One command queue per processor, for one application of some priority."""
        return {
            "cpu": CommandQueue(),
            **{name: CommandQueue(server, priority) for name, server in self.servers.items()},
        }

    def launch(self, fragment: Fragment) -> None:
        """Submit every segment of a fragment to its queue, in order."""
        graph = fragment.graph
        fragment.left = len(graph.segments)
        fragment.runs = [self._run(fragment, s) for s in graph.segments]
        for run in fragment.runs:
            if isinstance(run, Run):
                fragment.context.queues[run.segment.queue].submit(run)
        now = self.env.now
        for root in graph.roots:
            first = fragment.runs[root]
            if isinstance(first, Delay):
                first.start(fragment.since.get(root, now))

    def _run(self, fragment: Fragment, segment: Segment) -> Run | Delay:
        if not segment.queue:
            return Delay(self, fragment, segment)
        if segment.team:
            return TeamRun(self, fragment, segment)
        return (CallRun if segment.queue in self._called else Run)(self, fragment, segment)

    def _now(self) -> float:
        return float(self.env.now)

    # --- clocks -----------------------------------------------------------------------------------------------

    def set_speed(self, name: str, speed: float) -> None:
        """An accelerator runs at another share of its highest clock."""
        self.speed[name] = speed
        for run in [run for run in self.active.values() if run.segment.queue == name]:
            run.replan()

    def watch(self, name: str, told: Callable[[int], None]) -> None:
        """Tell whenever what runs in a clock domain changes: on which core of a CPU policy; -1 for an accelerator."""
        if name in self.servers:
            self.servers[name].watch = lambda: told(-1)
        elif name != "dram":
            self.cores.watch(self.device.cluster_cores(name.removeprefix("cpu.")), told)

    def set_dram_bandwidth(self, bandwidth: float, *, stalled: bool = False) -> None:
        """DRAM gives another bandwidth in B/s to all together; `stalled`: next to nothing of it, for now."""
        self._dram_busy, self._dram_seen = self.dram_busy_s(), self.dram_moved()
        users = list(self._moving.values())
        for user in users:
            user.settle()
        self.dram_clocked = bandwidth
        self.dram_bandwidth = bandwidth * _STALLED if stalled else bandwidth
        self.contended = self.stepwise or (self.mechanisms.dram and self._demand() > self.dram_bandwidth)
        for user in users:
            user.plan()
        if self.contended:
            self.share_memory()

    def dram_moved(self) -> float:
        """DRAM traffic in B until now, of what runs too; nothing that runs is cut for it."""
        running = () if self._closed else self._moving.values()
        return self.dram_bytes + sum(user.bytes_until_now() for user in running)

    def dram_busy_s(self) -> float:
        """Time in s that the traffic until now took at the bandwidth of its instant."""
        return self._dram_busy + (self.dram_moved() - self._dram_seen) / self.dram_clocked

    # --- accounts ---------------------------------------------------------------------------------------------

    def account_of(self, process: str) -> Account:
        """The account of a process, opened if it has none."""
        if process not in self.accounts:
            nothing = dict.fromkeys(self.device.accelerators, 0.0)
            self.accounts[process] = Account(nothing, dict(nothing))
        return self.accounts[process]

    def account(self, run: Run, busy: float, moved: float) -> None:
        """Book `busy` s of a run's accelerator (cores keep their own accounts) and `moved` B of DRAM traffic."""
        account, segment = run.fragment.context.account, run.segment
        if not segment.team:
            account.busy[segment.queue] += busy
            account.drawn[segment.queue] += busy * segment.activity
        account.moved += moved

    @property
    def dram_bytes(self) -> float:
        """DRAM traffic in B of all that has ended or been settled."""
        return sum(account.moved for account in self.accounts.values())

    def busy_by_process(self, name: str) -> dict[str, tuple[float, float]]:
        """Time in s until now for which each process has had an accelerator, and the same by the activity of what ran.

        Nothing that runs is cut for it.
        """
        found = {process: (a.busy[name], a.drawn[name]) for process, a in self.accounts.items()}
        for run in self._running(name):
            busy, drawn = found[run.fragment.context.name]
            now = run.busy_until_now()
            found[run.fragment.context.name] = busy + now, drawn + now * run.segment.activity
        return found

    def _running(self, name: str) -> list[Run]:
        """What runs on an accelerator and is in no account yet."""
        return [run for run in (() if self._closed else self.active.values()) if run.segment.queue == name]

    @property
    def busy(self) -> dict[str, float]:
        """Time in s during which an accelerator, or the cores of a cluster in sum, ran kernels or other programs."""
        computing = [a + b for a, b in zip(self.cores.busy("kernel"), self.cores.busy("other"), strict=True)]
        return self._by_cluster(computing) | {name: self._booked(name) for name in self.servers}

    def _booked(self, name: str) -> float:
        """Time in s for which an accelerator ran what has ended."""
        return sum(account.busy[name] for account in self.accounts.values())

    def busy_times(self, name: str) -> tuple[float, float]:
        """Times in s until now during which a clock domain computed and (CPU clusters, cores in sum) only dispatched.

        Nothing that runs is cut for it.
        """
        if name in self.servers:
            return self._booked(name) + sum(run.busy_until_now() for run in self._running(name)), 0.0
        computing = dispatching = 0.0
        for queue in self._settled(name):
            computing += queue.busy["kernel"] + queue.busy["other"]
            dispatching += queue.busy["host"]
        return computing, dispatching

    def drawn_times(self, name: str) -> tuple[float, float]:
        """As :meth:`busy_times`, each time by the activity of what ran."""
        if name in self.servers:
            under_way = sum(run.busy_until_now() * run.segment.activity for run in self._running(name))
            return sum(account.drawn[name] for account in self.accounts.values()) + under_way, 0.0
        computing = dispatching = 0.0
        for queue in self._settled(name):
            computing += queue.drawn["kernel"] + queue.drawn["other"]
            dispatching += queue.drawn["host"]
        return computing, dispatching

    def _settled(self, name: str) -> list[RunQueue]:
        """Queues of a cluster's cores, with their accounts brought up to now."""
        queues = [self.cores.queues[i] for i in self.device.cluster_cores(name.removeprefix("cpu."))]
        for queue in queues:
            queue.settle()
        return queues

    @property
    def dispatching(self) -> dict[str, float]:
        """Time in s during which the cores of a cluster in sum dispatched or mapped, and ran no kernels."""
        return self._by_cluster(self.cores.busy("host"))

    def _by_cluster(self, times: list[float]) -> dict[str, float]:
        sums = {f"cpu.{c.name}": 0.0 for c in self.device.clusters}
        for core, time in enumerate(times):
            sums[f"cpu.{self.device.cores[core].name}"] += time
        return sums

    def close(self) -> None:
        """Book what runs still under way at the end of the simulation have used so far."""
        for run in list(self.active.values()):
            run.settle()
            self.account(run, run.busy_so_far(), run.bytes_so_far())
        self._closed = True
        for user in self._moving.values():
            user.settle()
        self.cores.close()

    # --- DRAM -------------------------------------------------------------------------------------------------

    def join_memory(self, run: MemoryUser) -> None:
        """Count a run among the users of DRAM; from too many on, everyone goes on entry by entry."""
        self._moving[id(run)] = run
        if not self.contended and self.mechanisms.dram and self._demand() > self.dram_bandwidth:
            self._switch(run, contended=True)

    def leave_memory(self, run: MemoryUser) -> None:
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

    def _switch(self, cause: MemoryUser, *, contended: bool) -> None:
        others = [run for run in self._moving.values() if run is not cause]
        for run in others:
            run.settle()
        self.contended = contended
        for run in others:
            run.plan()

    def share_memory(self) -> None:
        """Divide DRAM among the entries that move bytes now; retime those whose share changes."""
        runs = [run for run in self._moving.values() if run.moves_bytes]
        capacity = self.dram_bandwidth if self.mechanisms.dram else inf
        shares = max_min_shares([run.demand for run in runs], capacity)
        for run, share in zip(runs, shares, strict=True):
            if share != run.share:
                run.give(share)
