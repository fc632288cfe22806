"""Clock domains of a running device: requests take effect after a while, and what runs goes on at the new speed."""

from __future__ import annotations

from collections.abc import Callable

from simpy.events import Timeout

from socsim.devices.domain import ClockDomain
from socsim.devices.opp import Opp
from socsim.simulation.executor import Executor
from socsim.simulation.records import ClockRecord

__all__ = ["Clocks"]


class Clocks:
    """The clock domains of a device: CPU policies (one per cluster), accelerators, and DRAM.

    All begin at their highest clocks and stay there unless somebody asks for something else. A request takes effect
    after the domain's transition latency; requests meanwhile wait, and the last of them is taken up then. DRAM follows
    the votes of the other domains' operating points as long as :meth:`follow_votes` says so.

    Parameters
    ----------
    executor
        What runs on them.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.env = self._env = executor.env
        self.device = device = executor.device
        self.domains = {
            f"cpu.{c.name}": ClockDomain(f"cpu.{c.name}", c.opps, c.transition_latency)
            for c in device.clusters
        }
        for name, unit in device.accelerators.items():
            self.domains[name] = ClockDomain(name, unit.opps, unit.transition_latency)
        self._dram = ClockDomain("dram", device.memory.opps)
        self.domains["dram"] = self._dram
        self.records = [ClockRecord(0.0, name, domain.frequency) for name, domain in self.domains.items()]
        """Every clock from when on, in order of time."""
        self.before_change: Callable[[str], None] = _nobody
        """Called with a domain's name just before its clock changes, when its accounts still hold."""
        self._told: dict[str, Callable[[], None]] = {}
        self._wanted: dict[str, float] = {}
        self._moving: set[str] = set()
        self._votes = False

    def follow_votes(self) -> None:
        """Let DRAM run at the lowest clock that satisfies the votes of all other domains."""
        self._votes = True
        for name in self.domains:
            self._vote(name)
        self.request("dram", 0.0)

    def request(self, name: str, frequency: float) -> None:
        """Ask for the lowest allowed operating point of at least a clock in Hz."""
        self._wanted[name] = frequency
        domain = self.domains[name]
        if name not in self._moving and domain.pick(frequency) != domain.index:
            self._begin(domain)

    def on_limits(self, name: str, told: Callable[[], None]) -> None:
        """Tell whenever the limits of a domain may have changed."""
        self._told[name] = told

    def limit(
        self,
        name: str,
        who: str,
        *,
        cap: float | None = None,
        floor: float | None = None,
        at_once: bool = False,
    ) -> None:
        """Change what `who` allows; a clock outside the new limits moves at once.

        A clock without a governor comes back when it may. With one it stays until the governor asks for more, as in
        Linux (`cpufreq_policy_apply_limits`).

        Parameters
        ----------
        cap, floor
            In Hz; None for no limit.
        at_once
            Without a transition: it has been so since before the run.
        """
        domain = self.domains[name]
        domain.cap(who, cap)
        domain.floor(who, floor)
        wanted, told = self._wanted.get(name, domain.frequencies[-1]), self._told.get(name)
        if at_once:
            self._wanted[name] = wanted
            self._switch(domain)
            return
        if told is None:
            self.request(name, wanted)
            return
        self.request(name, domain.frequencies[domain.pick(wanted)])
        told()

    def _begin(self, domain: ClockDomain) -> None:
        if domain.latency <= 0.0:
            self._switch(domain)
            return
        self._moving.add(domain.name)
        if domain.stall > 0.0:
            stop = Timeout(self._env, max(0.0, domain.latency - domain.stall))
            stop.callbacks.append(lambda _: self._run_at(domain, 0.0))
        timer = Timeout(self._env, domain.latency)
        timer.callbacks.append(lambda _: self._arrive(domain))

    def _arrive(self, domain: ClockDomain) -> None:
        self._moving.discard(domain.name)
        self._switch(domain)

    def _switch(self, domain: ClockDomain) -> None:
        """Go to what is wanted now."""
        index = domain.pick(self._wanted[domain.name])
        if index == domain.index:
            if domain.stall > 0.0:
                self._run_at(domain, domain.speed)
            return
        self.before_change(domain.name)
        domain.index = index
        self.records.append(ClockRecord(float(self._env.now), domain.name, domain.frequency))
        self._run_at(domain, domain.speed)
        self._vote(domain.name)

    def _vote(self, name: str) -> None:
        if not self._votes or name == "dram":
            return
        point = self.domains[name].point
        floor = point.dram_floor if isinstance(point, Opp) else 0.0
        self.limit("dram", f"vote of {name}", floor=floor or None)

    def _run_at(self, domain: ClockDomain, speed: float) -> None:
        """Let everything go on at a share of the domain's highest clock."""
        executor, name = self._executor, domain.name
        if name == "dram":
            memory = executor.device.memory
            executor.set_dram_bandwidth(memory.opps[domain.index].bandwidth * memory.efficiency)
        elif name in executor.speed:
            executor.set_speed(name, speed)
        else:
            executor.cores.set_speed(executor.device.cluster_cores(name.removeprefix("cpu.")), speed)


def _nobody(name: str) -> None:
    """Nobody wants to know."""
