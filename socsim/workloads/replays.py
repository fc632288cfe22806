"""Processes that are replayed as they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from socsim.devices.cfs import nice_weight
from socsim.devices.device import Device
from socsim.errors import Fault, FileError, SocsimError, UsageError
from socsim.units import exact_seconds, parse
from socsim.workloads.process_trace import ProcessBurst, process_bursts, read_process_trace
from socsim.workloads.uclamp import make_uclamp

__all__ = ["Replay"]


@dataclass(frozen=True)
class Replay:
    """A recorded trace of processes: each of its bursts asks for a processor when the trace says so.

    On the CPU a burst is work of a thread, which wakes up for it; one whose thread is still busy waits its turn. On an
    accelerator it is a kernel on the process's context, and kernels run in order.

    Parameters
    ----------
    file
        Path of a CSV file, see :func:`~socsim.workloads.process_trace.read_process_trace`.
    rows
        Bursts instead of a file: mappings with the file's columns, or a DataFrame such as
        :meth:`socsim.results.result.Result.process_trace` gives.
    affinity, nice
        CPU mask and nice value of threads for which the trace does not tell.
    priority
        Of its kernels on accelerators: higher first.
    uclamp
        Least and highest utilisation that its CPU threads count with where clocks and cores are chosen,
        ``{"min": 0.2, "max": "80 %"}``; see :func:`~socsim.workloads.uclamp.make_uclamp`. None for what they use.
    repeat
        Whether the trace begins anew when it is over, which is when its last burst would have ended alone; or after
        which time it does, in s or with a unit.
    start
        When it begins, in s or with a unit.
    name
        Of the application; its processes have the names of the trace.

    Raises
    ------
    UsageError
        Neither or both of `file` and `rows`, or a value outside its rule.
    UnitError
        A time without its unit.
    """

    file: str | Path = ""
    rows: Any = None
    affinity: str = "all"
    nice: int = 0
    priority: float = 0.0
    repeat: bool | float | str = False
    start: float | str = 0.0
    name: str = "replay"
    uclamp: Any = None

    def __post_init__(self) -> None:
        try:
            self._check()
        except UsageError as error:
            raise UsageError(f"{self.name!r}: {error}") from None

    def _check(self) -> None:
        if bool(str(self.file)) == (self.rows is not None):
            raise UsageError("a replay needs a file or rows, and not both")
        if self.rows is not None:
            object.__setattr__(self, "rows", process_bursts(self.rows))
        nice_weight(self.nice)
        make_uclamp(self.uclamp)
        if not 0.0 <= self.start_s < inf:
            raise UsageError(f"start must not be negative, got {self.start!r}")
        if not isinstance(self.repeat, bool) and not 0.0 < _seconds(self.repeat) < inf:
            raise UsageError(f"repeat must be true, false or a positive time, got {self.repeat!r}")

    @property
    def start_s(self) -> float:
        """When it begins, in s."""
        return _seconds(self.start)

    def period_s(self, bursts: tuple[ProcessBurst, ...]) -> float | None:
        """Time in s after which the trace begins anew; None if it does not.

        Raises
        ------
        UsageError
            It would begin anew before its last burst has begun.
        """
        if self.repeat is False or not bursts:
            return None
        if self.repeat is True:
            return max(burst.start + burst.demand for burst in bursts)
        period = _seconds(self.repeat)
        if period < bursts[-1].start:
            last = f"the last burst begins at {bursts[-1].start:g} s"
            raise UsageError(f"{self.name!r}: it repeats after {period:g} s but {last}")
        return period

    def bursts(self, device: Device) -> tuple[ProcessBurst, ...]:
        """The trace, in order of starts, each burst with its nice value and its mask.

        Raises
        ------
        FileError
            Faults of the file, or a burst on a processor or on cores that the device lacks; all of these with lines.
        UsageError
            The same of rows.
        """
        read = self.rows if self.rows is not None else read_process_trace(self.file)
        bursts = tuple(
            b._replace(nice=self.nice if b.nice is None else b.nice, affinity=b.affinity or self.affinity)
            for b in read
        )
        device.parse_cores(self.affinity)
        faults = [Fault(b.line, 1, "", why) for b in bursts if (why := _obstacle(b, device))]
        if faults and self.rows is not None:
            raise UsageError(f"{self.name!r}: " + "; ".join(f"row {f.line}: {f.message}" for f in faults))
        if faults:
            raise FileError(str(self.file), faults)
        self.period_s(bursts)
        return bursts

    def describe(self) -> dict[str, Any]:
        """What an experiment file says of it: its kind, and whatever is not the default."""
        described: dict[str, Any] = {"kind": "replay"}
        if self.rows is None:
            described["file"] = str(self.file)
        else:
            described["rows"] = [burst.describe() for burst in self.rows]
        more = {"name": "replay", "affinity": "all", "nice": 0, "priority": 0.0, "uclamp": None}
        described |= {key: getattr(self, key) for key, usual in more.items() if getattr(self, key) != usual}
        if self.repeat is not False:
            described["repeat"] = True if self.repeat is True else exact_seconds(_seconds(self.repeat))
        return described | ({"start": exact_seconds(self.start_s)} if self.start_s else {})


def _obstacle(burst: ProcessBurst, device: Device) -> str:
    """Why a device cannot run a burst; ``""`` if it can."""
    try:
        device.check_processor(burst.processor)
        device.parse_cores(burst.affinity)
    except SocsimError as error:
        return f"{device.name} cannot run it: {error}"
    return ""


def _seconds(value: float | str) -> float:
    return parse(value, "time") if isinstance(value, str) else float(value)
