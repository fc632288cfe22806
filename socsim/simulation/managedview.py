"""What a manager of a device sees of a run; as of :mod:`socsim.schedulers.managers.device`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from socsim.devices.domain import ClockDomain
from socsim.errors import UnknownNameError, UsageError, nearest
from socsim.schedulers.governors.opps import OppView
from socsim.schedulers.managers.device import Cost, Range, Rehearsal, Setting
from socsim.schedulers.managers.view import Served
from socsim.simulation.clocks import Clocks
from socsim.simulation.costing import CostTable, Work
from socsim.simulation.levels import Choice, LevelStream
from socsim.workloads.arrivals import Periodic
from socsim.workloads.targets import Target, Targets

__all__ = ["MANAGER", "AppView", "DeviceView", "DomainView"]

MANAGER = "manager"
"""Whose limits of clocks a manager's ranges are."""


class AppView(Served):
    """A managed application.

    Parameters
    ----------
    stream
        Its inferences.
    places
        Where they may run.
    work
        One inference of a level at a place.
    """

    def __init__(self, stream: LevelStream, places: tuple[str, ...], work: Callable[[Choice], Work]) -> None:
        super().__init__()
        self.stream, self.places, self.work = stream, places, work
        self.name = stream.name
        self.top1: Mapping[int, float] = MappingProxyType(stream.levels.top1)
        self.priority = float(stream.app.priority)
        source = stream.app.source
        self.period = source.period if isinstance(source, Periodic) else None
        self.targets: Targets = stream.app.wanted
        self.switch_s = stream.levels.family.switch.seconds
        self.ending = 0
        """Inferences that have finished and are still on the stream's books: 1 while the manager is told of one."""

    @property
    def level(self) -> int:
        """Level of the inference that has just finished; before the first, the one to begin with."""
        return (self.stream.last or self.stream.wanted).level

    @property
    def place(self) -> str:
        """Where that ran, or will run."""
        return (self.stream.last or self.stream.wanted).place

    @property
    def target(self) -> Target:
        """What it wants now."""
        return self.targets.at(self._now)

    @property
    def active(self) -> bool:
        """Whether it has begun by now and more may arrive, or an inference of it waits or runs."""
        stream, app, now = self.stream, self.stream.app, self._now
        if stream.unended > self.ending:
            return True
        begun = stream.arrived > 0 or (app.stage is None and app.begins_s <= now)
        return begun and not stream.closed and now < app.stop_s

    @property
    def waiting(self) -> int:
        """Inferences that have arrived and not begun."""
        return len(self.stream.admission.waiting)

    @property
    def _now(self) -> float:
        return float(self.stream.executor.env.now)


class DomainView:
    """A clock domain.

    Parameters
    ----------
    domain
        In motion.
    units
        How many run at its clock: cores of a CPU policy.
    """

    def __init__(self, domain: ClockDomain, units: int = 1) -> None:
        self._domain, self.units = domain, units
        self.name, self.kind = domain.name, domain.name.split(".")[0]
        self.opps = OppView(domain.frequencies)

    @property
    def frequency(self) -> float:
        """The present clock in Hz."""
        return self._domain.frequency

    @property
    def allowed(self) -> Range:
        """Clocks in Hz that everyone but the manager allows now."""
        high = self.opps.at_most(self._domain.cap_but(MANAGER))
        return Range(min(self.opps.at_least(self._domain.floor_of("user")), high), high)


class DeviceView:
    """The device and its managed applications.

    Parameters
    ----------
    apps
        Managed applications.
    clocks
        The clocks of the device, which is in its power mode.
    table
        What single inferences cost.
    events
        Instants in s at which something is known to change.
    again
        Repeats the run.
    """

    def __init__(
        self,
        apps: Sequence[AppView],
        clocks: Clocks,
        table: CostTable,
        events: tuple[float, ...],
        again: Callable[[Sequence[tuple[float, Setting]], float | None], Rehearsal],
    ) -> None:
        self._clocks, self._table, self._again, self.events = clocks, table, again, events
        self._apps = {app.name: app for app in apps}
        self.apps: Mapping[str, AppView] = MappingProxyType(self._apps)
        cores = {f"cpu.{cluster.name}": cluster.count for cluster in clocks.device.clusters}
        self.domains: Mapping[str, DomainView] = MappingProxyType(
            {name: DomainView(d, cores.get(name, 1)) for name, d in clocks.domains.items()}
        )
        self.rails = table.rails

    @property
    def now(self) -> float:
        """Time in s."""
        return float(self._clocks.env.now)

    def idle_w(self, clocks: Mapping[str, float]) -> Mapping[str, float]:
        """Rail or meter -> power in W of the idle device; domains not in `clocks` are at their present ones."""
        self._check_domains(clocks)
        present = {name: domain.frequency for name, domain in self.domains.items()}
        return self._table.idle_w({**present, **clocks})

    def cost(self, app: str, level: int, place: str, clocks: Mapping[str, float]) -> Cost:
        """One inference alone on the idle device; domains left out are at their highest clocks.

        Raises
        ------
        UnknownNameError
            No such application, or clock domain.
        UsageError
            No such level or place.
        """
        if app not in self._apps:
            raise UnknownNameError("managed application", app, self._apps)
        self._check_domains(clocks)
        own = self._apps[app]
        if level not in own.top1:
            raise UsageError(f"{app!r} has the levels {', '.join(map(str, own.top1))}, got {level!r}")
        if place not in own.places:
            guess = nearest(str(place), own.places)
            tail = f"did you mean {guess!r}?" if guess else f"it may run on {', '.join(own.places)}"
            raise UsageError(f"{app!r} cannot run on {place!r}; {tail}")
        choice = Choice(level, place)
        return self._table.cost((app, choice), own.work(choice), clocks)

    def rehearse(self, settings: Sequence[tuple[float, Setting]], until: float | None = None) -> Rehearsal:
        """The run with settings that hold from their instants in s on, simulated from its beginning.

        Raises
        ------
        UsageError
            Settings that do not begin at 0 or do not ascend, or an end that is not positive.
        """
        if not settings or settings[0][0] != 0.0:
            raise UsageError("a rehearsal needs settings of which the first is at 0 s")
        if until is not None and not until > 0.0:
            raise UsageError(f"a rehearsal must end after 0 s, got {until!r}")
        return self._again(settings, until)

    def _check_domains(self, clocks: Mapping[str, float]) -> None:
        for name in clocks:
            if name not in self.domains:
                raise UnknownNameError("clock domain", name, self.domains)
