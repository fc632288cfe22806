"""A clock domain as its governor sees it, worked out when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import inf
from typing import cast

from socsim.devices.device import Accelerator, Cluster, Device
from socsim.devices.domain import ClockDomain
from socsim.devices.tracked import TrackedQueue
from socsim.schedulers.governors.opps import OppView
from socsim.simulation.executor import Executor

__all__ = ["DomainState"]

_ROUNDING = 1e-9
"""Share of a window below which idle time is rounding."""


class DomainState:
    """What :class:`socsim.schedulers.governors.DomainView` says, of a running device.

    Parameters
    ----------
    executor
        What runs.
    domain
        Which domain.
    """

    def __init__(self, executor: Executor, domain: ClockDomain) -> None:
        self._executor, self._domain = executor, domain
        self.name, self.kind = domain.name, domain.name.split(".")[0]
        self.opps = OppView(_table(executor.device, self.name) or domain.frequencies)
        self.efficient = OppView(_efficient(executor.device, self.name)) if self.kind == "cpu" else self.opps
        self.transition_latency, self.tick = domain.latency, executor.cores.rules.tick
        self.limits_changed = False
        self._cores: Sequence[int] = ()
        self.capacity, self._scale = 1024.0, 1.0
        if self.kind == "cpu":
            self._cores = executor.device.cluster_cores(self.name.removeprefix("cpu."))
            self.capacity, self._scale = _capacity(executor.device, self.name.removeprefix("cpu."))
        self._looked = dict.fromkeys(self._cores, False)
        self._since = 0.0
        self._before, self._waited, self._slept = self._times(), self._waits(), self._asleep()

    def begin_window(self) -> None:
        """The governor has been told everything: from now on count anew."""
        self._since, self._before, self.limits_changed = self.now, self._times(), False
        self._waited, self._slept = self._waits(), self._asleep()
        self._looked = dict.fromkeys(self._cores, False)

    def look(self, core: int) -> None:
        """The scheduler looks at a core; below 0 at all that run something, as at a tick."""
        if core >= 0:
            self._looked[core] = True
            return
        idle = self._executor.cores.any_idle
        self._looked = {core: seen or not idle((core,)) for core, seen in self._looked.items()}

    @property
    def frequency(self) -> float:
        """The present clock in Hz."""
        return self._domain.frequency

    @property
    def minimum(self) -> float:
        """The least clock in Hz that is allowed now."""
        return self._domain.minimum

    @property
    def maximum(self) -> float:
        """The highest clock in Hz that is allowed now."""
        return self._domain.maximum

    @property
    def now(self) -> float:
        """The present instant in s."""
        return float(self._executor.env.now)

    @property
    def elapsed(self) -> float:
        """Time in s since the window began."""
        return self.now - self._since

    @property
    def loads(self) -> Sequence[float]:
        """Busy share of the window, by CPU."""
        elapsed = self.elapsed
        if elapsed <= 0.0:
            return tuple(0.0 for _ in self._before)
        pairs = zip(self._times(), self._before, strict=True)
        return tuple(min(1.0, max(0.0, (now - before) / elapsed)) for now, before in pairs)

    @property
    def utilisation(self) -> float:
        """The highest load."""
        return max(self.loads)

    @property
    def utils(self) -> Sequence[float]:
        """PELT utilisation of each CPU."""
        return tuple([self._scale * queue.average() for queue in self._queues])

    @property
    def estimates(self) -> Sequence[float]:
        """Sum of util_est over each CPU's runnable threads."""
        return tuple(self._scale * queue.usage().expected for queue in self._queues)

    @property
    def uclamps(self) -> Sequence[tuple[float, float]]:
        """Least and highest utilisation asked for on each CPU."""
        return tuple(queue.clamp() for queue in self._queues)

    @property
    def iowaits(self) -> Sequence[bool]:
        """Whether a thread that had waited for input or output has woken up on each CPU in the window."""
        return tuple(now > before for now, before in zip(self._waits(), self._waited, strict=True))

    @property
    def updated(self) -> Sequence[bool]:
        """Whether the scheduler has looked at each CPU in the window."""
        return tuple(self._looked.values())

    @property
    def was_idle(self) -> Sequence[bool]:
        """Whether each CPU had nothing to run at some time in the window."""
        return tuple(load < 1.0 - _ROUNDING for load in self.loads)

    @property
    def busy_s(self) -> float:
        """Time in s that the unit was busy in the window."""
        return max(now - before for now, before in zip(self._times(), self._before, strict=True))

    @property
    def total_s(self) -> float:
        """Time in s that it was powered in the window."""
        return max(0.0, self.elapsed - (self._asleep() - self._slept))

    @property
    def suspended(self) -> bool:
        """Whether it was powered down at some time in the window."""
        return self._asleep() > self._slept

    @property
    def busy(self) -> bool:
        """Whether something runs in the domain now."""
        cores = self._executor.cores
        return not all(cores.any_idle((core,)) for core in self._cores)

    @cached_property
    def _queues(self) -> list[TrackedQueue]:
        return [cast(TrackedQueue, self._executor.cores.queues[core]) for core in self._cores]

    @property
    def asleep(self) -> bool:
        """Whether it is powered down now."""
        server = self._executor.servers.get(self.name)
        return server is not None and server.is_suspended(self.now)

    def _waits(self) -> tuple[int, ...]:
        waited = self._executor.cores.waited
        return tuple([waited[core] for core in self._cores])

    def _asleep(self) -> float:
        """Time in s since the beginning for which it was powered down."""
        server = self._executor.servers.get(self.name)
        return server.suspended_s(self.now) if server else 0.0

    def _times(self) -> tuple[float, ...]:
        """Busy time in s since the beginning, by CPU; for DRAM the time that its traffic takes alone."""
        executor = self._executor
        if self.kind == "cpu":
            queues = executor.cores.queues
            return tuple([queues[core].busy_until_now() for core in self._cores])
        if self.kind == "dram":
            return (executor.dram_busy_s(),)
        return (executor.busy_times(self.name)[0],)


def _table(device: Device, name: str) -> tuple[float, ...]:
    """Clocks in Hz that the hardware has, whatever the power mode leaves of them."""
    whole = device.whole or device
    if name == "dram":
        return tuple(opp.frequency for opp in whole.memory.opps)
    units: dict[str, Cluster | Accelerator] = {f"cpu.{c.name}": c for c in whole.clusters}
    return tuple(opp.frequency for opp in (units | dict(whole.accelerators))[name].opps)


def _efficient(device: Device, name: str) -> list[float]:
    """Clocks in Hz of a cluster that no faster one beats: energy for the same work goes with the voltage squared."""
    whole = device.whole or device
    opps = next(c.opps for c in whole.clusters if f"cpu.{c.name}" == name)
    lowest, found = inf, list[float]()
    for opp in reversed(opps):
        if opp.voltage < lowest or not opp.voltage:
            lowest = opp.voltage or lowest
            found.append(opp.frequency)
    return found


def _capacity(device: Device, name: str) -> tuple[float, float]:
    """Capacity of a cluster's core at the hardware's highest clock, and by how much to scale utilisation for that.

    A device in a power mode counts in units of the strongest core that the mode leaves, at the clock that it allows.
    """
    whole, left = (next(c for c in d.clusters if c.name == name) for d in (device.whole or device, device))
    limited = whole.capacity * left.max_opp.frequency / whole.max_opp.frequency
    return whole.capacity, limited / left.capacity
