"""The base class of managers of a whole device, and what they see and settle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from socsim.schedulers.governors.opps import OppView
from socsim.workloads.targets import Target, Targets

__all__ = [
    "AppState",
    "Cost",
    "DeviceManager",
    "DeviceState",
    "DomainState",
    "Range",
    "Rehearsal",
    "Setting",
]


class Range(NamedTuple):
    """Clocks in Hz that a manager lets a domain have; both the same pins it.

    0 and infinity are the domain's own ends.
    """

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What a manager wants from now on; whatever it leaves out stays as it is.

    Parameters
    ----------
    levels
        Application -> level of its next inference.
    places
        Application -> where its next inference runs, one of :attr:`AppState.places`.
    clocks
        Clock domain -> range of its clock, within which its governor, if it has one, goes on deciding; without one it
        runs at the highest clock of the range. None gives the domain back.
    """

    levels: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, Range | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """One inference alone on the otherwise idle device at fixed clocks: a row of a profile taken offline.

    Parameters
    ----------
    latency_s
        From first operator to finish.
    busy_s
        Clock domain -> time in s that its unit is busy (of a CPU policy: core seconds).
    energy_j
        Rail or meter -> energy in J above what the idle device draws at these clocks; ``"total"`` is all of it.
    """

    latency_s: float
    busy_s: Mapping[str, float]
    energy_j: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a setting would have led to: the run, repeated from its beginning with everything else the same.

    Parameters
    ----------
    duration_s
        Simulated time.
    energy_j
        Rail or meter -> energy in J of the whole device; ``"total"`` is all of it.
    latencies_s
        Application -> latencies of its finished inferences, in order of arrival.
    arrivals_s
        Application -> arrivals of the same.
    levels
        Application -> levels of the same.
    unfinished
        Application -> inferences that arrived and did not finish.
    """

    duration_s: float
    energy_j: Mapping[str, float]
    latencies_s: Mapping[str, Sequence[float]]
    arrivals_s: Mapping[str, Sequence[float]]
    levels: Mapping[str, Sequence[int]]
    unfinished: Mapping[str, int]


class AppState(Protocol):
    """A managed application: a family of networks, or one network as a family of one."""

    @property
    def name(self) -> str:
        """Of the application."""

    @property
    def top1(self) -> Mapping[int, float]:
        """Level -> Top-1 accuracy in %, from the least accurate to the most; nan where it is not known."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where it may run: schedulers as written (``"gpu"``, ``"cpu"``), its own first."""

    @property
    def level(self) -> int:
        """Level of the inference that has just finished; before the first, the one to begin with."""

    @property
    def place(self) -> str:
        """Where that ran, or will run."""

    @property
    def target(self) -> Target:
        """What it wants now; its fields are None where it does not say."""

    @property
    def targets(self) -> Targets:
        """What it wants over the whole run. Managers that do not know the future ask for `target` only."""

    @property
    def priority(self) -> float:
        """Its rank; higher goes first."""

    @property
    def period(self) -> float | None:
        """Time in s between arrivals where they are periodic; None where it is not known."""

    @property
    def active(self) -> bool:
        """Whether it has begun by now and more may arrive, or an inference of it waits or runs."""

    @property
    def waiting(self) -> int:
        """Inferences that have arrived and not begun."""

    @property
    def latencies(self) -> Sequence[float]:
        """Times in s from arrival to finish of all finished inferences: waiting and switching included."""

    @property
    def services(self) -> Sequence[float]:
        """Times in s from first operator to finish of the same."""

    @property
    def switch_s(self) -> float:
        """Time in s that a change of level or place costs ahead of an inference."""


class DomainState(Protocol):
    """A clock domain as a manager sees it."""

    @property
    def name(self) -> str:
        """``"cpu.gold"``, ``"gpu"``, ``"dram"``."""

    @property
    def kind(self) -> str:
        """``"cpu"``, ``"gpu"``, ``"dsp"``, ``"npu"``, ``"dram"``."""

    @property
    def units(self) -> int:
        """How many run at this clock: the cores of a CPU policy; 1 of anything else."""

    @property
    def opps(self) -> OppView:
        """All frequencies that the hardware has."""

    @property
    def frequency(self) -> float:
        """The present clock in Hz."""

    @property
    def allowed(self) -> Range:
        """Clocks in Hz that the user, the power mode and the heat allow now: everyone but the manager."""


class DeviceState(Protocol):
    """The device and its managed applications as a manager sees them."""

    @property
    def now(self) -> float:
        """Time in s."""

    @property
    def apps(self) -> Mapping[str, AppState]:
        """Managed applications by name."""

    @property
    def domains(self) -> Mapping[str, DomainState]:
        """Clock domains by name."""

    @property
    def rails(self) -> tuple[str, ...]:
        """Rails and meters that energies are told of, and ``"total"``."""

    @property
    def events(self) -> tuple[float, ...]:
        """Instants in s at which applications begin or end or targets change, as far as the scenario says.

        Managers that do not know the future do not ask.
        """

    def idle_w(self, clocks: Mapping[str, float]) -> Mapping[str, float]:
        """Rail or meter -> power in W of the idle device; domains not in `clocks` are at their present ones."""

    def cost(self, app: str, level: int, place: str, clocks: Mapping[str, float]) -> Cost:
        """One inference alone on the idle device, from a profile taken offline; domains left out are at their highest.

        Clocks between two operating points are taken at the one that the domain would run at. Rows are kept: asking
        again costs nothing.
        """

    def rehearse(self, settings: Sequence[tuple[float, Setting]], until: float | None = None) -> Rehearsal:
        """The run with settings that hold from their instants in s on, simulated from its beginning.

        Only for managers that search offline: nobody can do this at run time.

        Parameters
        ----------
        settings
            (instant, setting), ascending, the first at 0.
        until
            Where to stop, in s; None for the end of the run.
        """


class DeviceManager(ABC):
    """Settles which sub-networks applications run, where, and how fast clocks go, for a whole device.

    Each run has an object of its own, so that what a manager remembers may be in attributes. Being asked takes no
    simulated time; what it settles does: clocks take their transition latencies, a change of level or place its switch
    cost, before the next inference of the application.
    """

    name: ClassVar[str] = ""
    """What tables call it; the class name where empty."""

    period: float | str | None = None
    """Time between calls of :meth:`tick`: ``"50 ms"``, or a number in s; None (default) for no such calls."""

    instants: Sequence[float] = ()
    """Further instants in s, ascending, at which :meth:`tick` is called."""

    runs_on: ClassVar[str] = ""
    """Scheduler that applications have where only a manager is named, as in comparisons; the first accelerator of the
    library where empty."""

    report: Sequence[Any] = ()
    """What it has to say about its decisions after a run, one dataclass or mapping for each; of results,
    ``result.report``."""

    written: str = ""
    """How it was asked for, where that says more than its name: ``"hierarchical(rail=vdd_in)"``."""

    @property
    def title(self) -> str:
        """Name for tables: as it was asked for where it has options, else its name."""
        return self.written or self.name or type(self).__name__

    @abstractmethod
    def start(self, state: DeviceState) -> Setting:
        """A run begins: what holds for the first inferences."""

    def foreseen(self, state: DeviceState) -> Iterable[Setting]:
        """Settings that it was told beforehand; by default none.

        They are checked against the run before it begins, and by ``socsim check``. UsageErrors for options that do not
        fit the device or its applications are raised here too.
        """
        return ()

    def tick(self, state: DeviceState) -> Setting | None:
        """A period has passed, or one of the instants has come; None changes nothing."""
        return None

    def finished(self, state: DeviceState, app: str) -> Setting | None:
        """An inference of `app` has finished; None changes nothing."""
        return None
