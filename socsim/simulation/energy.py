"""Energy from busy times: exact, because power is constant between changes of state."""

from __future__ import annotations

from collections.abc import Mapping

from socsim.devices.device import Device
from socsim.simulation.executor import Executor
from socsim.simulation.records import ComponentPower

__all__ = ["component_energy", "component_power", "rail_energy"]


def component_power(device: Device) -> dict[str, ComponentPower]:
    """Power of every component at the highest clocks; a CPU cluster's `idle_w` is of all its cores."""
    power = {}
    for cluster in device.clusters:
        idle = cluster.power.idle
        busy = cluster.power.busy(cluster.max_opp) - idle
        power[f"cpu.{cluster.name}"] = ComponentPower(idle * cluster.count, busy)
    for name, accelerator in device.accelerators.items():
        idle = accelerator.power.idle
        power[name] = ComponentPower(idle, accelerator.power.busy(accelerator.max_opp) - idle)
    power["dram"] = ComponentPower(device.memory.background_power, 0.0)
    power["board"] = ComponentPower(device.board_power, 0.0)
    return power


def component_energy(executor: Executor, duration: float) -> dict[str, float]:
    """Energy in J of every component over a run of `duration` s."""
    device = executor.device
    power = component_power(device)
    energy = {name: p.idle_w * duration for name, p in power.items()}
    for name, busy in executor.busy.items():
        energy[name] += power[name].busy_w * busy
    for cluster in device.clusters:
        over_idle = cluster.power.busy(cluster.max_opp, kernels=False) - cluster.power.idle
        energy[f"cpu.{cluster.name}"] += over_idle * executor.dispatching[f"cpu.{cluster.name}"]
    energy["dram"] += executor.dram_bytes * device.memory.energy_per_byte
    return energy


def rail_energy(device: Device, energy: Mapping[str, float]) -> dict[str, float]:
    """Energy in J as the board's meters see it: sums of components by rail."""
    return {rail: sum(energy[c] for c in components) for rail, components in device.rails.items()}
