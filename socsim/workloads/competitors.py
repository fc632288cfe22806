"""Processes that compete with inference for a processor and for DRAM."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import Any

from socsim.devices.cfs import nice_weight
from socsim.errors import UsageError
from socsim.units import exact_seconds, parse
from socsim.workloads.uclamp import make_uclamp

__all__ = ["Competitor"]


@dataclass(frozen=True)
class Competitor:
    """Processes that keep a processor busy, and nothing more is known of them.

    Parameters
    ----------
    count
        Number of such processes; 0 for none.
    processor
        ``"cpu"`` (default), or an accelerator that they send kernels to.
    threads
        CPU threads of each process.
    affinity
        CPU mask of its threads (``"all"``, ``"big"``, ``"little"``, ``"prime:1+gold:3"``).
    cpuset
        Name of the device's cpuset that they are in (``"background"``); ``""`` for none.
    nice
        Of its threads, from -20 to 19.
    duty
        Share of the time that each of its threads computes if the phone is idle: 1 without a pause.
    period
        Mean time on the idle phone from one pause to the next, in s or with a unit: a thread computes for ``duty *
        period`` of the fastest core's time, then pauses for a random time (exponential) of ``(1 - duty) * period`` on
        average.
    traffic
        DRAM traffic of each process while all its threads compute, in B/s or with a unit.
    kernel
        Length of its kernels on an accelerator, in s or with a unit.
    start, stop
        When it begins and ends, in s or with a unit.
    on, off
        Lengths of the times for which it computes and rests by turns, in s or with a unit; `off` = 0 for no rests.
    uclamp
        Least and highest utilisation that its threads count with where clocks and cores are chosen,
        ``{"min": 0.2, "max": "80 %"}``; see :func:`~socsim.workloads.uclamp.make_uclamp`. None for what they use.
    iowait
        Whether its threads wait for input or output in the pauses of `duty`, so that governors help them when they wake
        up; default false.
    priority
        Of its kernels on an accelerator: higher first.
    name
        Of the application.

    Raises
    ------
    UsageError
        A number outside its range.
    UnitError
        A quantity without its unit.
    """

    count: int = 1
    processor: str = "cpu"
    threads: int = 1
    affinity: str = "all"
    nice: int = 0
    duty: float = 1.0
    period: float | str = 0.02
    traffic: float | str = 0.0
    kernel: float | str = 0.005
    start: float | str = 0.0
    stop: float | str = inf
    on: float | str = 1.0
    off: float | str = 0.0
    priority: int = 0
    name: str = "competitor"
    cpuset: str = ""
    uclamp: Any = None
    iowait: bool = False

    def __post_init__(self) -> None:
        nice_weight(self.nice)
        try:
            make_uclamp(self.uclamp)
        except UsageError as error:
            raise UsageError(f"{self.name!r}: {error}") from None
        if self.iowait and self.duty == 1.0:
            raise UsageError(f"{self.name!r}: iowait is of pauses, and there are none; give a duty below 1")
        for what, least in (("count", 0), ("threads", 1)):
            value = getattr(self, what)
            if not isinstance(value, int) or value < least:
                raise UsageError(f"{self.name!r}: {what} must be a whole number from {least}, got {value!r}")
        if not 0.0 < self.duty <= 1.0:
            raise UsageError(f"{self.name!r}: duty must be above 0 and at most 1, got {self.duty!r}")
        for what in ("period", "kernel", "on"):
            if not self.seconds(what) > 0.0:
                raise UsageError(f"{self.name!r}: {what} must be positive, got {getattr(self, what)!r}")
        for what in ("traffic", "start", "off"):
            if self.number(what) < 0.0:
                raise UsageError(f"{self.name!r}: {what} must not be negative, got {getattr(self, what)!r}")
        if not self.seconds("stop") > self.seconds("start"):
            raise UsageError(f"{self.name!r}: it must stop later than it starts, got {self.stop!r}")

    @property
    def processes(self) -> list[str]:
        """Names of its processes."""
        if self.count == 1:
            return [self.name]
        return [f"{self.name}{number}" for number in range(self.count)]

    def describe(self) -> dict[str, Any]:
        """What an experiment file says of it: its kind, and whatever is not the default."""
        described: dict[str, Any] = {"kind": "competitor"}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                described[field.name] = self._written(field.name, value)
        return described

    def _written(self, name: str, value: Any) -> Any:
        if name == "traffic":
            return f"{self.number(name)!r} B/s"
        return exact_seconds(self.seconds(name)) if name in _TIMES else value

    def seconds(self, what: str) -> float:
        """A time of the parameters, in s."""
        return _number(getattr(self, what), "time")

    def number(self, what: str) -> float:
        """A quantity of the parameters, in SI units."""
        return _number(getattr(self, what), "bandwidth" if what == "traffic" else "time")


_TIMES = ("period", "kernel", "start", "stop", "on", "off")


def _number(value: Any, dimension: str) -> float:
    return parse(value, dimension) if isinstance(value, str) else float(value)
