"""Energy from busy and idle times: exact, because power is constant between changes of state.

A component's energy has two parts: what it draws while idle, all the time, less what its idle states save; and what it
draws beyond that while it is busy, which somebody has caused. Both are added up clock by clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from socsim.devices.device import Accelerator, Cluster, Device
from socsim.devices.idle import rest_of
from socsim.simulation.clocks import Clocks
from socsim.simulation.executor import Executor
from socsim.simulation.records import ComponentPower, EnergyRecord

__all__ = ["EnergyMeter", "component_power", "rail_energy"]

Unit = Cluster | Accelerator


def component_power(device: Device) -> dict[str, ComponentPower]:
    """Power of every component; a CPU cluster's `idle_w` is of all its cores."""
    power = {}
    for cluster in device.clusters:
        power[f"cpu.{cluster.name}"] = _power(cluster)
    for name, accelerator in device.accelerators.items():
        power[name] = _power(accelerator)
    power["dram"] = ComponentPower(device.memory.background_power, 0.0)
    power["board"] = ComponentPower(device.board_power, 0.0)
    return power


def _power(unit: Unit) -> ComponentPower:
    model, rest = unit.power, rest_of(unit) if isinstance(unit, Cluster) else None
    gated = {opp.frequency: model.idle_at(opp) for opp in unit.opps}
    busy = {opp.frequency: model.busy(opp) - gated[opp.frequency] for opp in unit.opps}
    top = unit.max_opp.frequency
    idle = gated[top] * (rest.count * rest.share if rest else 1.0)
    hosting = (
        {o.frequency: model.busy(o, kernels=False) - gated[o.frequency] for o in unit.opps} if rest else {}
    )
    return ComponentPower(idle, busy[top], busy, gated, rest, hosting)


class _UnitMeter:
    """What a cluster or an accelerator has drawn.

    Parameters
    ----------
    executor, clocks
        What runs, and at which clocks.
    name, unit
        Of the component.
    slot
        Index of a cluster; -1 for accelerators.
    """

    def __init__(self, executor: Executor, clocks: Clocks, name: str, unit: Unit, slot: int) -> None:
        self._executor, self._domain = executor, clocks.domains[name]
        self._name, self._unit, self._slot = name, unit, slot
        self._count = unit.count if isinstance(unit, Cluster) else 1
        self.idle = self.busy = 0.0
        """Energies in J: of the idle unit, and beyond that while it is busy."""
        self.used: dict[str, float] = {}
        """The latter by process."""
        self.ran: dict[str, float] = {}
        """Time in s for which each process has had the unit; of a cluster, its cores in sum."""
        self._drew: dict[str, float] = {}
        self._seen = (0.0, 0.0)
        self._since, self._saved = 0.0, self._saved_until_now()

    def settle(self) -> None:
        """Bring the energies up to now, at the present clock."""
        now, saved = float(self._executor.env.now), self._saved_until_now()
        opp, model = self._unit.opps[self._domain.index], self._unit.power
        gated = model.idle_at(opp)
        watts = {True: model.busy(opp) - gated, False: model.busy(opp, kernels=False) - gated}
        computing, dispatching = self._executor.drawn_times(self._name)
        # what a cluster that saves everything still draws is rounding
        self.idle += gated * max(0.0, self._count * (now - self._since) - (saved - self._saved))
        self.busy += watts[True] * (computing - self._seen[0]) + watts[False] * (dispatching - self._seen[1])
        self._since, self._saved, self._seen = now, saved, (computing, dispatching)
        for process, time, drawn, kernels in self._used_since():
            self.used[process] = self.used.get(process, 0.0) + watts[kernels] * drawn
            self.ran[process] = self.ran.get(process, 0.0) + time

    def _saved_until_now(self) -> float:
        return self._executor.cores.idle.saved(self._slot) if self._slot >= 0 else 0.0

    def _used_since(self) -> Iterator[tuple[str, float, float, bool]]:
        """Who has had the unit since the last time, for how long in s, the same by activity, and whether to compute."""
        if self._slot < 0:
            for process, (busy, drawn) in self._executor.busy_by_process(self._name).items():
                yield process, busy - self.ran.get(process, 0.0), drawn - self._drew.get(process, 0.0), True
                self._drew[process] = drawn
            return
        for thread in self._executor.cores.threads:
            time = thread.ran[self._slot]
            if time:
                drawn, thread.ran[self._slot], thread.drew[self._slot] = thread.drew[self._slot], 0.0, 0.0
                yield thread.process, time, drawn, thread.kind != "host"


class EnergyMeter:
    """Adds up the energy of every component, clock by clock.

    Parameters
    ----------
    executor, clocks
        What runs, and at which clocks.
    """

    def __init__(self, executor: Executor, clocks: Clocks) -> None:
        self._executor, device = executor, executor.device
        units: dict[str, Unit] = {f"cpu.{c.name}": c for c in device.clusters} | dict(device.accelerators)
        slots = {f"cpu.{c.name}": slot for slot, c in enumerate(device.clusters)}
        self._meters = {
            name: _UnitMeter(executor, clocks, name, unit, slots.get(name, -1))
            for name, unit in units.items()
        }
        clocks.before_change = self.settle

    def settle(self, name: str) -> None:
        """Bring a domain's energies up to now: its clock is about to change."""
        if name in self._meters:
            self._meters[name].settle()

    def idle_power(self) -> dict[str, float]:
        """Power in W of every component of a device that has been idle for long, at the highest clocks."""
        return {name: p.idle_w for name, p in component_power(self._executor.device).items()}

    def energy(self) -> dict[str, float]:
        """Energy in J of every component from the beginning of the run until now."""
        executor, memory = self._executor, self._executor.device.memory
        energy = self.idle_energy()
        for name, meter in self._meters.items():
            energy[name] += meter.busy
        energy["dram"] += executor.dram_bytes * memory.energy_per_byte
        return energy

    def idle_energy(self) -> dict[str, float]:
        """The part of it that nobody caused: of idle units, the DRAM's background, and the board."""
        now, device = float(self._executor.env.now), self._executor.device
        for meter in self._meters.values():
            meter.settle()
        idle = {name: meter.idle for name, meter in self._meters.items()}
        return {**idle, "dram": device.memory.background_power * now, "board": device.board_power * now}

    def used(self, processes: Mapping[str, tuple[str, str]]) -> Iterator[EnergyRecord]:
        """What each application has caused until now, by component, and at last what nobody has.

        Parameters
        ----------
        processes
            Process -> its application and the kind of that.
        """
        idle, memory = self.idle_energy(), self._executor.device.memory
        found: dict[tuple[str, str, str], list[float]] = {}
        for process, (app, kind) in processes.items():
            for name, meter in self._meters.items():
                if meter.ran.get(process, 0.0):
                    self._add(found, (app, kind, name), meter.used[process], meter.ran[process])
            account = self._executor.accounts.get(process)
            if account is not None and account.moved:
                self._add(found, (app, kind, "dram"), account.moved * memory.energy_per_byte, 0.0)
        for key, (joules, seconds) in found.items():
            yield EnergyRecord(*key, joules, seconds)
        for name, joules in idle.items():
            yield EnergyRecord("idle", "idle", name, joules, 0.0)

    @staticmethod
    def _add(
        found: dict[tuple[str, str, str], list[float]], key: tuple[str, str, str], joules: float, busy: float
    ) -> None:
        account = found.setdefault(key, [0.0, 0.0])
        account[0] += joules
        account[1] += busy


def rail_energy(device: Device, energy: Mapping[str, float]) -> dict[str, float]:
    """Energy in J as the board's meters see it: sums of components by rail."""
    return {rail: sum(energy[c] for c in components) for rail, components in device.rails.items()}
