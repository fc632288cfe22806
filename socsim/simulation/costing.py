"""What one inference alone costs at fixed clocks: rows of a profile taken offline, simulated when first asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import simpy

from socsim.devices.device import Device
from socsim.devices.domain import ClockDomain
from socsim.schedulers.managers.device import Cost
from socsim.simulation.clocks import Clocks
from socsim.simulation.energy import EnergyMeter, component_power, rail_energy
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.stream import own_context
from socsim.workloads.pricing import Pricer

__all__ = ["CostTable", "Work", "by_meter"]


@dataclass(frozen=True, slots=True)
class Work:
    """One inference.

    Parameters
    ----------
    pricer, graph
        The network under its library, and what it follows.
    nice
        Of its threads.
    """

    pricer: Pricer
    graph: KernelGraph
    nice: int = 0


def by_meter(device: Device, components: Mapping[str, float]) -> dict[str, float]:
    """What components have, power or energy, as rails and meters see it, and ``"total"``."""
    rails = rail_energy(device, components)
    return {**rails, **device.metered(rails), "total": sum(components.values())}


class CostTable:
    """Costs of single inferences on the otherwise idle device, each worked out once.

    Parameters
    ----------
    device, mechanisms
        What is simulated.
    clocks
        Its clock domains.
    """

    def __init__(self, device: Device, mechanisms: Mechanisms, clocks: Clocks) -> None:
        self._device, self._mechanisms = device, mechanisms
        self._domains = clocks.domains
        self._rows: dict[tuple[Hashable, tuple[int, ...]], Cost] = {}
        self._power = component_power(device)
        self.rails = tuple(by_meter(device, dict.fromkeys(self._power, 0.0)))
        """Rails and meters of the device, and ``"total"``."""

    def idle_w(self, clocks: Mapping[str, float]) -> dict[str, float]:
        """Rail or meter -> power in W of a device that has been idle for long.

        Parameters
        ----------
        clocks
            Clock domain -> clock in Hz; others run at their highest.
        """
        return by_meter(self._device, self._idle_at(self._points(clocks)))

    def _points(self, clocks: Mapping[str, float]) -> tuple[int, ...]:
        return tuple(_point(domain, clocks.get(name)) for name, domain in self._domains.items())

    def _idle_at(self, points: tuple[int, ...]) -> dict[str, float]:
        """Component -> power in W of the idle device at operating points, domain by domain."""
        clocks = {
            name: domain.frequencies[point]
            for (name, domain), point in zip(self._domains.items(), points, strict=True)
        }
        return {name: power.idle_at(clocks.get(name)) for name, power in self._power.items()}

    def cost(self, key: Hashable, work: Work, clocks: Mapping[str, float]) -> Cost:
        """A row.

        Parameters
        ----------
        key
            Names the work.
        work
            One inference.
        clocks
            Clock domain -> clock in Hz; others run at their highest.
        """
        points = self._points(clocks)
        row = self._rows.get((key, points))
        if row is None:
            row = self._rows[key, points] = self._simulated(work, points)
        return row

    def _simulated(self, work: Work, points: tuple[int, ...]) -> Cost:
        env = simpy.Environment()
        executor = Executor(env, self._device, mechanisms=self._mechanisms)
        clocks = Clocks(executor)
        meter = EnergyMeter(executor, clocks)
        for (name, domain), point in zip(clocks.domains.items(), points, strict=True):
            clock = domain.frequencies[point]
            clocks.limit(name, "profile", cap=clock, floor=clock, at_once=True)
        done: list[Fragment] = []
        context = own_context(executor, "profile", work.pricer, nice=work.nice)
        executor.launch(Fragment(work.graph, "profile", 0, context, done.append))
        while not done:
            env.step()
        latency = float(env.now)
        idle = self._idle_at(points)
        energy = {name: joules - idle[name] * latency for name, joules in meter.energy().items()}
        busy = {name: sum(executor.busy_times(name)) for name in clocks.domains if name != "dram"}
        busy["dram"] = executor.dram_busy_s()
        return Cost(latency, busy, by_meter(self._device, energy))


def _point(domain: ClockDomain, clock: float | None) -> int:
    """Index of the operating point that a domain pinned to a clock in Hz runs at."""
    if clock is None:
        return len(domain.points) - 1
    return domain.highest_within(clock)
