"""What a governor is told of its clock domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from socsim.schedulers.governors.opps import OppView

__all__ = ["CAPACITY", "KINDS", "DomainSample", "DomainView"]

KINDS = ("cpu", "gpu", "dsp", "npu", "dram")
"""Kinds of clock domains."""

CAPACITY = 1024.0
"""Capacity of the biggest core at its highest clock; utilisation is on this scale."""


class DomainView(Protocol):
    """A clock domain at one call of its governor: frequencies in Hz, times in s.

    "Since the last call" is since the last call of :meth:`Governor.next_frequency`, whatever that returned.
    """

    @property
    def name(self) -> str:
        """``"cpu.gold"``, ``"gpu"``, ``"dram"``."""

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""

    @property
    def opps(self) -> OppView:
        """All frequencies that the hardware has."""

    @property
    def efficient(self) -> OppView:
        """Those of them that no faster one beats: at a higher frequency every one needs more energy for the same work.
        All of them where voltages are not known."""

    @property
    def frequency(self) -> float:
        """The present clock."""

    @property
    def minimum(self) -> float:
        """The least clock that is allowed now."""

    @property
    def maximum(self) -> float:
        """The highest clock that is allowed now, by the user, the power mode and the heat."""

    @property
    def now(self) -> float:
        """The present instant."""

    @property
    def elapsed(self) -> float:
        """Time since the last call: the window that loads are measured in."""

    @property
    def loads(self) -> Sequence[float]:
        """Busy share of that window, 0 to 1, of each CPU of the domain; one entry for other kinds."""

    @property
    def utilisation(self) -> float:
        """The highest load."""

    @property
    def transition_latency(self) -> float:
        """Time that a change of the clock takes; 0 if not known."""

    @property
    def tick(self) -> float:
        """Time between ticks of the kernel."""

    @property
    def utils(self) -> Sequence[float]:
        """PELT utilisation of each CPU, 0 to 1024 on the scale of the biggest core; empty for other kinds."""

    @property
    def estimates(self) -> Sequence[float]:
        """Sum over each CPU's runnable tasks of what they usually use (util_est); empty for other kinds."""

    @property
    def capacity(self) -> float:
        """Capacity of a CPU of the domain at its highest clock; 1024 is the biggest core."""

    @property
    def was_idle(self) -> Sequence[bool]:
        """Whether each CPU had nothing to run at some time since the last call."""

    @property
    def uclamps(self) -> Sequence[tuple[float, float]]:
        """Least and highest utilisation asked for on each CPU, each the maximum over its runnable tasks; (0, 1024) if
        unset. An idle CPU keeps the highest of the task that ran last. Empty for other kinds."""

    @property
    def iowaits(self) -> Sequence[bool]:
        """Whether a task has woken up from waiting for input or output on each CPU since the last call."""

    @property
    def updated(self) -> Sequence[bool]:
        """Whether the scheduler has looked at each CPU since the last call: what runs there has changed, or the tick
        came while something ran."""

    @property
    def limits_changed(self) -> bool:
        """Whether `minimum` or `maximum` have changed since the last call."""

    @property
    def busy_s(self) -> float:
        """Time that the unit was busy since the last call."""

    @property
    def total_s(self) -> float:
        """Time that it was powered since the last call; 0 if it was not at all."""

    @property
    def suspended(self) -> bool:
        """Whether the unit has been powered down since the last call, for a while or until now."""


@dataclass(frozen=True, slots=True)
class DomainSample:
    """A :class:`DomainView` of plain values, to try governors on; best made by :meth:`of`."""

    name: str
    kind: str
    opps: OppView
    frequency: float
    minimum: float
    maximum: float
    now: float
    elapsed: float
    loads: tuple[float, ...]
    utils: tuple[float, ...]
    estimates: tuple[float, ...]
    was_idle: tuple[bool, ...]
    busy_s: float
    total_s: float
    efficient: OppView
    transition_latency: float = 0.0
    capacity: float = CAPACITY
    uclamps: tuple[tuple[float, float], ...] = ()
    iowaits: tuple[bool, ...] = ()
    updated: tuple[bool, ...] = ()
    limits_changed: bool = False
    suspended: bool = False
    tick: float = 4e-3

    @property
    def utilisation(self) -> float:
        """The highest load."""
        return max(self.loads)

    @classmethod
    def of(
        cls,
        opps: Iterable[float],
        frequency: float = 0.0,
        *loads: float,
        kind: str = "cpu",
        elapsed: float = 0.0,
        **more: Any,
    ) -> DomainSample:
        """A sample of which only what matters is said.

        Parameters
        ----------
        opps
            Frequencies in Hz.
        frequency
            The present one; 0 for the lowest.
        loads
            Busy shares of the CPUs, or of the unit; an idle one if none is given.
        kind, elapsed
            As in :class:`DomainView`.
        more
            Other fields. By default all of the table is allowed, utilisation is the load at the present clock,
            the scheduler has looked at every CPU, and the unit was powered all the time. `uclamp` and `iowait` stand
            for `uclamps` and `iowaits` that are the same on every CPU.
        """
        table = opps if isinstance(opps, OppView) else OppView(opps)
        shares = loads or (0.0,)
        clock = frequency or table.lowest
        cpus = len(shares) if kind == "cpu" else 0
        clamp, waited = more.pop("uclamp", (0.0, CAPACITY)), more.pop("iowait", False)
        scale = float(more.get("capacity", CAPACITY)) * clock / table.highest
        fields: dict[str, Any] = {
            "name": kind,
            "efficient": table,
            "minimum": table.lowest,
            "maximum": table.highest,
            "now": elapsed,
            "utils": tuple(scale * share for share in shares) if kind == "cpu" else (),
            "estimates": (0.0,) * cpus,
            "uclamps": (clamp,) * cpus,
            "iowaits": (waited,) * cpus,
            "updated": (True,) * cpus,
            "was_idle": tuple(share < 1.0 for share in shares),
            "busy_s": max(shares) * elapsed,
            "total_s": elapsed,
        }
        return cls(kind=kind, opps=table, frequency=clock, elapsed=elapsed, loads=shares, **(fields | more))
