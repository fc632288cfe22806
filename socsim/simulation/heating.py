"""Heat in a run: temperatures follow the power, zones are read, and their governors cap clocks."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import simpy
from simpy.events import Timeout

from socsim.devices.device import Accelerator, Cluster, Device
from socsim.devices.thermal import Temperatures, ThermalModel, ThermalZone
from socsim.errors import UsageError
from socsim.schedulers.governors.thermal import ActorView, ThermalGovernor, ZoneView, make_thermal_governor
from socsim.simulation.clocks import Clocks
from socsim.simulation.energy import EnergyMeter
from socsim.simulation.executor import Executor
from socsim.simulation.records import TemperatureRecord

__all__ = ["Heating", "thermal_model"]


def thermal_model(device: Device) -> ThermalModel:
    """A device's thermal network.

    Raises
    ------
    UsageError
        It has none.
    """
    if device.thermal is None:
        raise UsageError(f"device {device.name!r} has no thermal network; give its file a block 'thermal'")
    return device.thermal


class Heating:
    """Warms a device up by the power that it draws, and lets its thermal governors act.

    Temperatures are worked out when a zone is read, from the mean power since the reading before.

    Parameters
    ----------
    executor, clocks, meter
        The running device.
    start
        Temperature in degrees Celsius of all nodes at the beginning; None for what they settle at on the idle device.
    """

    def __init__(
        self, executor: Executor, clocks: Clocks, meter: EnergyMeter, start: float | None = None
    ) -> None:
        self._env: simpy.Environment = executor.env
        self._meter, model = meter, thermal_model(executor.device)
        warm = model.steady(meter.idle_power()) if start is None else dict.fromkeys(model.index, start)
        self.temperatures = Temperatures(model, warm)
        self.records = [TemperatureRecord(0.0, zone.name, warm[zone.node]) for zone in model.zones]
        """Every reading of every zone, in order of time."""
        self._since, self._energy = 0.0, meter.energy()
        self._zones = [_Zone(self, executor, clocks, zone) for zone in model.zones]

    def start(self) -> None:
        """Set the first readings."""
        for zone in self._zones:
            zone.wait(zone.spec.period)

    def advance(self) -> None:
        """Bring the temperatures up to now."""
        now = float(self._env.now)
        elapsed = now - self._since
        if elapsed <= 0.0:
            return
        energy = self._meter.energy()
        power = {name: (joules - self._energy[name]) / elapsed for name, joules in energy.items()}
        self.temperatures.advance(elapsed, power)
        self._since, self._energy = now, energy


class _Zone:
    """A thermal zone of a running device, with its governor."""

    def __init__(self, heating: Heating, executor: Executor, clocks: Clocks, spec: ThermalZone) -> None:
        self._heating, self._executor, self._clocks, self.spec = heating, executor, clocks, spec
        self._env: simpy.Environment = executor.env
        self._governor: ThermalGovernor = make_thermal_governor(spec.governor, spec.options)
        self._who = f"heat of {spec.name}"
        device = executor.device
        known: dict[str, Cluster | Accelerator] = {f"cpu.{c.name}": c for c in device.clusters}
        known |= device.accelerators
        self._units = {name: known[name] for name in spec.domains if name in known}
        self._busy = {name: sum(executor.busy_times(name)) for name in self._units}
        self._read_at = 0.0
        self._previous = -inf

    def wait(self, seconds: float) -> None:
        """Read the zone after a while."""
        Timeout(self._env, seconds).callbacks.append(self._read)

    def _read(self, event: Any) -> None:
        self._heating.advance()
        now, temperature = float(self._env.now), self._heating.temperatures.of(self.spec.node)
        self._heating.records.append(TemperatureRecord(now, self.spec.name, temperature))
        caps = self._governor.caps(ZoneView(self.spec, now, temperature, self._actors(now), self._previous))
        for name in self._units:
            self._clocks.limit(name, self._who, cap=caps.get(name))
        self._previous, self._read_at = temperature, now
        self.wait(self._governor.next_period(self.spec))

    def _actors(self, now: float) -> Mapping[str, ActorView]:
        return {name: self._actor(name, unit, now) for name, unit in self._units.items()}

    def _actor(self, name: str, unit: Cluster | Accelerator, now: float) -> ActorView:
        busy, domain = sum(self._executor.busy_times(name)), self._clocks.domains[name]
        load = (busy - self._busy[name]) / (now - self._read_at)
        self._busy[name] = busy
        opps = tuple((opp.frequency, unit.power.busy(opp)) for opp in unit.opps)
        count = unit.count if isinstance(unit, Cluster) else 1
        return ActorView(name, opps, domain.frequency, load, count, domain.cap_but(self._who))
