"""Energy from busy times: exact, because power is constant between changes of state."""

from __future__ import annotations

from collections.abc import Mapping

from socsim.devices.device import Accelerator, Cluster, Device
from socsim.simulation.clocks import Clocks
from socsim.simulation.executor import Executor
from socsim.simulation.records import ComponentPower

__all__ = ["EnergyMeter", "component_power", "rail_energy"]


def component_power(device: Device) -> dict[str, ComponentPower]:
    """Power of every component; a CPU cluster's `idle_w` is of all its cores."""
    power = {}
    for cluster in device.clusters:
        power[f"cpu.{cluster.name}"] = _power(cluster, cluster.count)
    for name, accelerator in device.accelerators.items():
        power[name] = _power(accelerator, 1)
    power["dram"] = ComponentPower(device.memory.background_power, 0.0)
    power["board"] = ComponentPower(device.board_power, 0.0)
    return power


def _power(unit: Cluster | Accelerator, count: int) -> ComponentPower:
    idle = unit.power.idle
    busy = {opp.frequency: unit.power.busy(opp) - idle for opp in unit.opps}
    return ComponentPower(idle * count, busy[unit.max_opp.frequency], busy)


class EnergyMeter:
    """Adds up the energy of every component, clock by clock.

    Parameters
    ----------
    executor, clocks
        What runs, and at which clocks.
    """

    def __init__(self, executor: Executor, clocks: Clocks) -> None:
        self._executor, self._clocks = executor, clocks
        device = executor.device
        self._units: dict[str, Cluster | Accelerator] = {f"cpu.{c.name}": c for c in device.clusters}
        self._units |= device.accelerators
        self._busy = dict.fromkeys(self._units, 0.0)
        self._seen = dict.fromkeys(self._units, (0.0, 0.0))
        """Busy and dispatching times in s that are already in the energies."""
        clocks.before_change = self.settle

    def settle(self, name: str) -> None:
        """Bring a domain's busy energy up to now: its clock is about to change."""
        unit = self._units.get(name)
        if unit is None:
            return
        computing, dispatching = self._executor.busy_times(name)
        before = self._seen[name]
        point, idle = unit.opps[self._clocks.domains[name].index], unit.power.idle
        self._busy[name] += (unit.power.busy(point) - idle) * (computing - before[0])
        self._busy[name] += (unit.power.busy(point, kernels=False) - idle) * (dispatching - before[1])
        self._seen[name] = computing, dispatching

    def idle_power(self) -> dict[str, float]:
        """Power in W of every component of the idle device."""
        return {name: p.idle_w for name, p in component_power(self._executor.device).items()}

    def energy(self) -> dict[str, float]:
        """Energy in J of every component from the beginning of the run until now."""
        executor, now = self._executor, float(self._executor.env.now)
        for name in self._units:
            self.settle(name)
        energy = {name: p.idle_w * now for name, p in component_power(executor.device).items()}
        for name, busy in self._busy.items():
            energy[name] += busy
        energy["dram"] += executor.dram_bytes * executor.device.memory.energy_per_byte
        return energy


def rail_energy(device: Device, energy: Mapping[str, float]) -> dict[str, float]:
    """Energy in J as the board's meters see it: sums of components by rail."""
    return {rail: sum(energy[c] for c in components) for rail, components in device.rails.items()}
