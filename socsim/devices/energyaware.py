"""Energy-aware placement at work: what the pure rules of :mod:`socsim.devices.eas` are told, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, cast

import simpy
from simpy.events import Timeout

from socsim.devices.cfs import CfsParameters
from socsim.devices.device import Device
from socsim.devices.eas import MARGIN, Usage, Waking, efficient_core, energy_domains, fits, misfit_moves
from socsim.devices.pelt import time_until
from socsim.devices.placement import choose_core
from socsim.devices.runqueue import RunQueue
from socsim.devices.threads import Thread
from socsim.devices.tracked import TrackedQueue

__all__ = ["EnergyAware"]


class EnergyAware:
    """Finds cores for threads that wake up, and larger cores for threads that have outgrown theirs.

    A running thread that needs more than 80 % of its core is moved at a tick. Linux looks at every tick; here there is
    no event before the first tick at which it can be so, unless somebody waits, and none while no core is idle.

    Parameters
    ----------
    env
        The SimPy clock.
    device
        Whose cores.
    queues
        Of each core; they have to be tracked ones.
    rules
        Settings of the scheduler.
    move
        Puts a runnable thread on another core.
    pull
        Lets an idle core take over who waits elsewhere.
    """

    def __init__(
        self,
        env: simpy.Environment,
        device: Device,
        queues: Sequence[RunQueue],
        rules: CfsParameters,
        move: Callable[[Thread, int], None],
        pull: Callable[[int], None],
    ) -> None:
        self._env, self._rules, self._move, self._pull = env, rules, move, pull
        self._queues = [cast(TrackedQueue, queue) for queue in queues]
        self._domains = energy_domains(device)
        self._capacities = [cluster.capacity for cluster in device.cores]
        self._timer: Any = None
        self._due = inf
        self._resting = False

    def overutilised(self) -> bool:
        """Whether a core is used beyond 80 % of its capacity, so that load counts instead of energy."""
        return any(not fits(queue.usage().total, queue.full_capacity) for queue in self._queues)

    def core_for(self, thread: Thread, runnable: Sequence[int], pace: Sequence[float]) -> int:
        """Core for a thread that wakes up; arguments as of :func:`socsim.devices.placement.choose_core`.

        A new thread goes where there is the least to do.
        """
        if thread.load is None:
            return choose_core(thread, runnable, pace)
        usage, load = list[Usage](), thread.load
        for queue in self._queues:
            used = queue.usage()
            if not fits(used.total, queue.full_capacity):
                return choose_core(thread, runnable, pace)
            usage.append(used)
        waking = Waking(load.at(self._env.now), load.estimate, thread.core, thread.allowed, thread.uclamp)
        return efficient_core(waking, usage, self._domains)

    # --- threads that have outgrown their cores ---------------------------------------------------------------

    def lets_pull(self) -> bool:
        """A core has become idle: whether it may take over who waits elsewhere."""
        if self._resting:
            self._resting = False
            self._look_at(self._env.now)
        return self.overutilised()

    def watch(self, core: int) -> None:
        """A thread has come to a core: look again when it can have outgrown it."""
        if all(queue.runnable for queue in self._queues):
            self._resting = True
        else:
            self._look_at(self._outgrown(core))

    def _look_at(self, instant: float) -> None:
        """Look at the first tick after an instant, unless that is done earlier anyway."""
        if instant == inf:
            return
        tick = self._rules.next_tick(instant)
        if tick < self._due:
            self._due = tick
            self._timer = timer = Timeout(self._env, tick - self._env.now)
            timer.callbacks.append(self._look)

    def _outgrown(self, core: int) -> float:
        """Earliest instant at which a thread of a core may have to move.

        That is now if somebody waits, else when one that may have a larger core will need more than 80 % of this one.
        """
        queue, now = self._queues[core], self._env.now
        if queue.waiting:
            return now
        capacity, left = queue.full_capacity, inf
        for thread, used in queue.thread_loads():
            if self._may_grow(thread, capacity) and thread.uclamp[1] > capacity / MARGIN:
                left = min(left, time_until(used, capacity / MARGIN, queue.capacity))
        return now + left

    def _may_grow(self, thread: Thread, capacity: float) -> bool:
        return any(self._capacities[core] > capacity for core in thread.allowed)

    def _spread(self) -> None:
        """Let idle cores take over who waits, as they do at ticks once energy counts no more."""
        for core, queue in enumerate(self._queues):
            if not queue.runnable:
                self._pull(core)

    def _look(self, event: Any) -> None:
        if event is not self._timer:
            return
        self._timer, self._due = None, inf
        self._spread()
        held = [(core, *held) for core, queue in enumerate(self._queues) for held in queue.thread_loads()]
        idle = [core for core, queue in enumerate(self._queues) if not queue.runnable]
        running = [(core, used, thread.allowed) for core, thread, used in held]
        for index, target in misfit_moves(running, idle, self._capacities):
            left = held[index][0]
            self._move(held[index][1], target)
            if not self._queues[left].runnable:
                self._pull(left)
        for core in range(len(self._queues)):
            self.watch(core)
