"""All cores of a device, and the threads that share them: waking, sleeping, moving between cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Literal, cast

import simpy
from simpy.events import Timeout

from socsim.devices.cfs import CfsParameters, nice_weight
from socsim.devices.device import Device
from socsim.devices.eas import is_asymmetric
from socsim.devices.energyaware import EnergyAware
from socsim.devices.idle import IdleTimes
from socsim.devices.placement import balance_moves, choose_core, pull_source
from socsim.devices.runqueue import FairQueue, RunQueue, SharedQueue
from socsim.devices.threads import Thread
from socsim.devices.tracked import TrackedFairQueue, TrackedQueue, TrackedSharedQueue

__all__ = ["CPU_POLICIES", "Cores", "CpuPolicy"]

CpuPolicy = Literal["cfs", "processor_sharing"]
CPU_POLICIES = ("cfs", "processor_sharing")
"""How threads share a core: in turns, as Linux has it, or all at once."""


class Cores:
    """The cores of a device under an operating system.

    Parameters
    ----------
    env
        The SimPy clock.
    device
        Whose cores.
    policy
        ``"cfs"`` (default) or ``"processor_sharing"``.
    rules
        Settings of CFS; the device's by default.
    tracked
        Keep account of utilisation even where placement does not need it.
    """

    def __init__(
        self, env: simpy.Environment, device: Device, *, policy: CpuPolicy = "cfs",
        rules: CfsParameters | None = None, tracked: bool = False,
    ) -> None:  # fmt: skip
        self._env, self.policy = env, policy
        self.rules = rules or device.os
        peak = device.cores[device.fastest_core]
        fastest = peak.macs_per_cycle["fp32"] * peak.max_opp.frequency
        self.top_pace = [c.macs_per_cycle["fp32"] * c.max_opp.frequency / fastest for c in device.cores]
        """Speed of each core at its highest clock; the fastest core's is 1."""
        sequence: Callable[[], int] = count(1).__next__
        energy_aware = self.rules.placement == "eas" and is_asymmetric(device)
        self._tracked = energy_aware or tracked
        fair, shared = (TrackedFairQueue, TrackedSharedQueue) if self._tracked else (FairQueue, SharedQueue)
        self.queues: list[RunQueue] = [
            fair(env, core, pace, self.rules, sequence) if policy == "cfs" else shared(env, core, pace)
            for core, pace in enumerate(self.top_pace)
        ]
        self.new_thread: Callable[..., Thread] = Thread
        """Makes threads; who wants to watch them puts its own in the place."""
        self.threads: list[Thread] = []
        """All threads that were made here."""
        self._groups = len(device.clusters)
        for queue, cluster in zip(self.queues, device.cores, strict=True):
            queue.group = device.clusters.index(cluster)
            if isinstance(queue, TrackedQueue):
                queue.rate(cluster.capacity)
        self.waited = [0] * len(self.queues)
        """How often a thread that had waited for input or output has woken up, by core."""
        self._watchers: dict[int, Callable[[int], None]] = {}
        self._runnable = [0] * len(self.queues)
        self._waiting = 0
        self.idle = IdleTimes(env, device.clusters, self._runnable)
        """How long cores were idle, and what that saves."""
        self._idle_since, self._patience = self.idle.since, self.idle.patience
        self._balance_timer: Any = None
        self._eas = (
            EnergyAware(env, device, self.queues, self.rules, self._move, self._pull)
            if energy_aware
            else None
        )

    def thread(
        self, name: str, kind: str, allowed: Sequence[int], *, home: int | None = None, nice: int = 0,
        absolute: bool = False, uclamp: tuple[float, float] = (0.0, 1024.0),
    ) -> Thread:  # fmt: skip
        """A new thread, asleep.

        Parameters
        ----------
        name
            Its process, a dot, and which of that's threads it is.
        kind
            ``"kernel"``, ``"host"`` or ``"other"``.
        allowed
            Cores that it may run on.
        home
            Core that it prefers.
        nice
            From -20 to 19.
        absolute
            Count its work in time of the device's fastest core (default: of its home, or its first core).
        uclamp
            As of :class:`socsim.devices.threads.Thread`.
        """
        best = home if home is not None else allowed[0]
        thread = self.new_thread(
            name, kind, allowed, home=home, weight=nice_weight(nice),
            reference=1.0 if absolute else self.top_pace[best], uclamp=uclamp,
        )  # fmt: skip
        thread.ran, thread.drew = [0.0] * self._groups, [0.0] * self._groups
        self.threads.append(thread)
        return thread

    def wake(self, thread: Thread) -> None:
        """Make a sleeping thread runnable, on the core that suits it."""
        runnable, last, home, eas = self._runnable, thread.core, thread.home, self._eas
        if eas is not None:
            core = eas.core_for(thread, runnable, self.top_pace)
        elif home is not None and not runnable[home]:
            core = home
        else:
            core = choose_core(thread, runnable, self.top_pace)
        if last != core and last >= 0 and self.policy == "cfs":
            self._carry_vruntime(thread, last, core)
        thread.core, thread.runnable = core, True
        if thread.iowait:
            self.waited[core] += 1
        runnable[core] += 1
        queue = self.queues[core]
        if not self._tracked and runnable[core] == 1 and last >= 0:
            queue.resume(thread)
        else:
            queue.add(thread, fresh=last < 0)
        if runnable[core] > 1:
            self._waiting += 1
            self._watch_balance()
        else:
            idle = queue.since - self._idle_since[core]
            if idle > self._patience[core]:
                self.idle.woke(core, idle)
        if eas is not None:
            eas.watch(core)
        if self._watchers:
            self._tell(core)

    def watch(self, cores: Iterable[int], told: Callable[[int], None]) -> None:
        """Tell whenever a thread wakes up or goes to sleep on one of some cores, comes to it or leaves it."""
        self._watchers |= dict.fromkeys(cores, told)

    def _tell(self, *cores: int) -> None:
        for core in cores:
            if core in self._watchers:
                self._watchers[core](core)

    def sleep(self, thread: Thread) -> None:
        """A thread has nothing to do; its core runs another, or takes one that waits elsewhere."""
        core = thread.core
        thread.runnable = False
        self._runnable[core] -= 1
        queue = self.queues[core]
        queue.remove(thread)
        if self._runnable[core]:
            self._waiting -= 1
        else:
            self._idle_since[core] = queue.since
            if self._waiting or self._eas is not None:
                self._pull(core)
        if self._watchers:
            self._tell(core)

    def set_speed(self, cores: Iterable[int], speed: float) -> None:
        """Some cores run at another share of their highest clock."""
        for core in cores:
            self.queues[core].set_pace(self.top_pace[core] * speed)

    @property
    def runnable(self) -> int:
        """Number of threads that run or wait."""
        return sum(self._runnable)

    def any_idle(self, cores: Sequence[int]) -> bool:
        """Whether one of some cores has nothing to run."""
        runnable = self._runnable
        return 0 in [runnable[core] for core in cores]

    def idle_time(self, core: int) -> float:
        """Time in s for which a core has had nothing to run; 0 if it has."""
        return 0.0 if self._runnable[core] else self._env.now - self._idle_since[core]

    def busy(self, kind: str) -> list[float]:
        """Time in s that each core has worked for one kind of thread; call :meth:`close` before."""
        return [queue.busy[kind] for queue in self.queues]

    def close(self) -> None:
        """Bring the accounts up to now."""
        for queue in self.queues:
            queue.settle()

    def _pull(self, core: int) -> None:
        if self._eas is not None and (self.runnable == 0 or not self._eas.lets_pull()):
            return
        thread = pull_source(core, [queue.waiting for queue in self.queues])
        if thread is not None:
            self._move(thread, core)

    def _move(self, thread: Thread, core: int) -> None:
        last = thread.core
        self.queues[last].remove(thread)
        if self.policy == "cfs":
            self._carry_vruntime(thread, last, core)
        self._runnable[last] -= 1
        self._runnable[core] += 1
        if not self._runnable[last]:
            self._idle_since[last] = self._env.now
        idle = self._env.now - self._idle_since[core]
        if self._runnable[core] == 1 and idle > self._patience[core]:
            self.idle.woke(core, idle)
        self._waiting += (self._runnable[core] > 1) - (self._runnable[last] > 0)
        thread.core = core
        self.queues[core].add(thread, fresh=False)
        if self._eas is not None:
            self._eas.watch(core)
        self._tell(last, core)

    def _carry_vruntime(self, thread: Thread, source: int, target: int) -> None:
        """Keep a thread's lead over the others when it changes core: only differences mean anything."""
        old, new = cast(FairQueue, self.queues[source]), cast(FairQueue, self.queues[target])
        old.settle()
        new.settle()
        thread.vruntime += new.least_vruntime - old.least_vruntime

    def _watch_balance(self) -> None:
        if self._balance_timer is None:
            self._balance_timer = Timeout(self._env, self.rules.balance_period)
            self._balance_timer.callbacks.append(self._balance)

    def _balance(self, event: Any) -> None:
        self._balance_timer = None
        if self._eas is None or self._eas.overutilised():
            waiting = [queue.waiting for queue in self.queues]
            for thread, core in balance_moves(waiting, self._runnable):
                self._move(thread, core)
        if any(count > 1 for count in self._runnable):
            self._watch_balance()
