"""Governors at work: when each is asked, what it is told, and its answer as a request to the clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any

import simpy
from simpy.events import Timeout

from socsim.devices.device import Accelerator, Cluster, Device
from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.governors import Governor, make_governor, resolve
from socsim.schedulers.governors.sets import GovernorSet, as_sets, make_set
from socsim.simulation.clocks import Clocks
from socsim.simulation.domainstate import DomainState
from socsim.simulation.executor import Executor

__all__ = [
    "NO_GOVERNORS",
    "Governed",
    "check_limits",
    "governor_sets",
    "governors_by_domain",
    "set_limits",
    "start_governors",
    "wants_utilisation",
]

NO_GOVERNORS: Mapping[str, Any] = MappingProxyType({})
"""Every clock stays as it is."""


def wants_utilisation(governor: Governor) -> bool:
    """Whether a governor may ask for the cores' utilisation, which costs: schedulers' hooks, and users' classes."""
    return "cpu" in governor.kinds and (
        governor.trigger == "scheduler" or not type(governor).__module__.startswith("socsim.")
    )


def governors_by_domain(device: Device, specs: Mapping[str, Any]) -> dict[str, Governor]:
    """A governor of its own for each clock domain that is named.

    Parameters
    ----------
    specs
        Clock domain (``"cpu.gold"``, ``"gpu"``, ``"dram"``, or ``"cpu"`` for all CPU policies that are not named
        themselves) -> what :func:`socsim.schedulers.governors.make_governor` takes.

    Raises
    ------
    UnknownNameError
        No such domain or governor.
    UsageError
        A governor for other kinds of domains.
    """
    given = _by_domain(device, specs)
    return {name: make_governor(spec, name.split(".")[0]) for name, spec in given.items()}


def governor_sets(device: Device, given: Any) -> list[GovernorSet]:
    """Sets of governors to compare, each checked for a device.

    Parameters
    ----------
    given
        A set, or a list of them: clock domain -> governor, as of :func:`governors_by_domain`, or names joined by
        ``+``, each of which goes to the domains that it is for.

    Raises
    ------
    UnknownNameError
        No such domain or governor.
    UsageError
        Two governors for the same domain, or one for none; something that is no set, or no set at all.
    """
    sets = [make_set(one, _domains(device)) for one in as_sets(given)]
    for one in sets:
        governors_by_domain(device, one.governors)
    return sets


def set_limits(clocks: Clocks, limits: Mapping[str, Mapping[str, float]]) -> None:
    """Keep clocks within what a user allows, from the beginning; arguments and errors as of :func:`check_limits`."""
    for name, given in check_limits(clocks.device, limits).items():
        clocks.limit(name, "user", cap=given.get("max"), floor=given.get("min"), at_once=True)


def check_limits(
    device: Device, limits: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Mapping[str, float]]:
    """Limits by clock domain.

    Parameters
    ----------
    limits
        Clock domain (``"cpu"`` for all CPU policies) -> ``{"min": Hz, "max": Hz}``.

    Raises
    ------
    UnknownNameError
        No such domain, or something else than ``min`` and ``max``.
    UsageError
        A limit outside the domain's table, or a least clock above the highest.
    """
    found = _by_domain(device, limits)
    for name, given in found.items():
        unknown = next((key for key in given if key not in ("min", "max")), None)
        if unknown is not None:
            raise UnknownNameError(f"limit of {name!r}", unknown, ("min", "max"))
        lowest, highest = _range(device, name)
        for key, clock in given.items():
            if not lowest * (1 - 1e-9) <= clock <= highest * (1 + 1e-9):
                table = f"from {_mhz(lowest)} to {_mhz(highest)}" + " in its power mode" * bool(device.whole)
                raise UsageError(f"limit {key} of {name!r} must be {table}, got {_mhz(clock)}")
        if given.get("min", lowest) > given.get("max", highest):
            told = f"{_mhz(given['min'])} and {_mhz(given['max'])}"
            raise UsageError(f"limits of {name!r}: min must not be above max, got {told}")
    return found


def _range(device: Device, name: str) -> tuple[float, float]:
    """Lowest and highest clock of a domain."""
    if name == "dram":
        return device.memory.opps[0].frequency, device.memory.opps[-1].frequency
    unit: Cluster | Accelerator = (
        device.accelerators[name]
        if name in device.accelerators
        else next(c for c in device.clusters if f"cpu.{c.name}" == name)
    )
    return unit.opps[0].frequency, unit.opps[-1].frequency


def _by_domain(device: Device, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given for each clock domain, what stands for all CPU policies given to each of them."""
    domains = _domains(device)
    unknown = next((name for name in given if name not in ("cpu", *domains)), None)
    if unknown is not None:
        raise UnknownNameError("clock domain", unknown, ("cpu", *domains))
    policies = [name for name in domains if name.startswith("cpu.")]
    found = {name: given["cpu"] for name in policies if "cpu" in given} | dict(given)
    return {name: found[name] for name in domains if name in found}


def _domains(device: Device) -> list[str]:
    """All clock domains."""
    return [*(f"cpu.{cluster.name}" for cluster in device.clusters), *device.accelerators, "dram"]


def _mhz(frequency: float) -> str:
    return f"{frequency / 1e6:g} MHz"


def start_governors(
    env: simpy.Environment, executor: Executor, clocks: Clocks, governors: Mapping[str, Governor]
) -> None:
    """Let governors set the clocks of their domains; DRAM without one follows the others' votes, if there are any.

    Raises
    ------
    UsageError
        A governor that wants something that is no frequency.
    """
    for name, governor in governors.items():
        if name in executor.servers:
            executor.servers[name].patience = clocks.device.accelerators[name].suspend_after or inf
        Governed(env, executor, clocks, name, governor).start()
    if governors and "dram" not in governors and _votes(clocks.device):
        clocks.follow_votes()


def _votes(device: Device) -> bool:
    """Whether any operating point votes for a DRAM clock."""
    units: list[Cluster | Accelerator] = [*device.clusters, *device.accelerators.values()]
    return any(opp.dram_floor for unit in units for opp in unit.opps)


class Governed:
    """A clock domain with its governor.

    Parameters
    ----------
    env, executor, clocks
        The running device.
    name
        Of the domain.
    governor
        Whom to ask.
    """

    def __init__(
        self, env: simpy.Environment, executor: Executor, clocks: Clocks, name: str, governor: Governor
    ) -> None:
        self._env, self._clocks, self._governor, self._name = env, clocks, governor, name
        self.state = DomainState(executor, clocks.domains[name])
        self._timer: Any = None
        self._asking = False
        self._watch = executor.watch
        self._tick = executor.cores.rules.tick

    def start(self) -> None:
        """Ask for the first frequency, and set what makes it ask for the next."""
        governor = self._governor
        self._request(governor.start(self.state))
        self.state.begin_window()
        self._clocks.on_limits(self._name, self._limits_changed)
        if governor.trigger == "timer":
            self._set_timer(governor.interval(self.state), self._timed)
        elif governor.trigger in ("scheduler", "busy"):
            self._watch(self._name, self._changed)

    def _ask(self) -> None:
        if self._asking:  # its own request changes speeds, of which it is told again
            return
        self._asking = True
        wanted = self._governor.next_frequency(self.state)
        self.state.begin_window()
        self._request(wanted)
        self._asking = False

    def _request(self, wanted: float | None) -> None:
        if wanted is None:
            return
        governor = self._governor
        if isinstance(wanted, bool) or not isinstance(wanted, (int, float)) or not abs(wanted) < float("inf"):
            raise UsageError(
                f"governor {governor.title!r} must want a frequency in Hz or None, got {wanted!r}"
            )
        self._clocks.request(
            self._name, resolve(self.state, wanted, governor.relation, efficient=governor.skip_inefficient)
        )

    def _limits_changed(self) -> None:
        self.state.limits_changed = True
        if self._governor.trigger == "limits":
            self._ask()

    def _set_timer(self, delay: float, action: Callable[[Any], None]) -> None:
        self._timer = timer = Timeout(self._env, delay)
        timer.callbacks.append(action)

    def _timed(self, event: Any) -> None:
        governor = self._governor
        if self.state.asleep:
            self._sleep()
        # A deferrable timer waits while nothing runs; what runs next is seen at the next interval.
        elif not governor.deferrable or self.state.utilisation > 0.0:
            self._ask()
        self._set_timer(governor.interval(self.state), self._timed)

    def _sleep(self) -> None:
        """The unit is powered down: nobody looks at it until it is on again, but for those who want to be told."""
        if self._governor.asked_suspended and self.state.total_s > 0.0:
            self._ask()
        else:
            self.state.begin_window()

    def _changed(self, core: int) -> None:
        """What runs in the domain has changed: at once, and at ticks while something runs, if it wants that."""
        self.state.look(core)
        self._ask()
        if self._governor.trigger == "scheduler" and self._timer is None:
            now = self._env.now
            ticks = int(now / self._tick + 1e-9) + 1
            self._set_timer(ticks * self._tick - now, self._ticked)

    def _ticked(self, event: Any) -> None:
        self._timer = None
        if self.state.busy:
            self._changed(-1)
