"""Flat records of a run: what happened, when, in seconds. Tables, traces and plots are made of these."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

__all__ = [
    "AppRecord",
    "ComponentPower",
    "InferenceLog",
    "InferenceRecord",
    "KernelRecord",
    "Outcome",
    "PredictionRecord",
]


class InferenceRecord(NamedTuple):
    """One inference. `start_s` and `finish_s` are -1 until it started or finished."""

    app: str
    number: int
    arrival_s: float
    start_s: float
    finish_s: float
    status: str
    """``finished``, ``running``, ``queued`` or ``dropped`` at the end of the run."""


class InferenceLog(Sequence[InferenceRecord]):
    """Records of inferences in flat columns, so that a million of them cost what a million numbers cost.

    A sequence of :class:`InferenceRecord`, in order of :meth:`add`.
    """

    def __init__(self) -> None:
        self._apps: list[str] = []
        self._of_app, self._numbers = array("l"), array("q")
        self._arrivals, self._starts, self._finishes = array("d"), array("d"), array("d")
        self._unfinished: dict[int, str] = {}

    def add(self, app: str, number: int, arrival: float, start: float, finish: float) -> None:
        """Append a finished inference; times in s."""
        if not self._apps or self._apps[-1] != app:
            self._apps.append(app)
        self._of_app.append(len(self._apps) - 1)
        self._numbers.append(number)
        self._arrivals.append(arrival)
        self._starts.append(start)
        self._finishes.append(finish)

    def extend(self, records: Iterable[InferenceRecord]) -> None:
        """Append records of any status."""
        for record in records:
            if record.status != "finished":
                self._unfinished[len(self)] = record.status
            self.add(*record[:5])

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> InferenceRecord: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[InferenceRecord]: ...
    def __getitem__(self, key: int | slice) -> InferenceRecord | Sequence[InferenceRecord]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        i = range(len(self))[key]
        return InferenceRecord(
            self._apps[self._of_app[i]],
            self._numbers[i],
            self._arrivals[i],
            self._starts[i],
            self._finishes[i],
            self._unfinished.get(i, "finished"),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InferenceLog):
            return NotImplemented
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class KernelRecord(NamedTuple):
    """One kernel, or one step of sharing data between processors."""

    app: str
    inference: int
    operator: str
    """The operator that it computes, or for whose input data are shared."""
    kind: str
    """``kernel``, ``transform`` (layout change on an accelerator), ``map``, ``sync``, ``dispatch``, ``call``."""
    kernel_class: str
    """Kernel class of a kernel, else ``""``."""
    processor: str
    """Where it runs; for ``map``, ``sync`` and ``call`` the processor that receives the data."""
    source: str
    """For ``transform``, ``map`` and ``sync`` the processor that the data come from, else ``""``."""
    cores: tuple[int, ...]
    """CPU cores that it keeps busy; ``()`` elsewhere."""
    start_s: float
    end_s: float
    dram_bytes: float
    """DRAM traffic of a kernel; bytes handed over for ``map``; 0 for ``sync``."""
    share: float
    """Share of the operator's output, 1 for a whole one."""


class PredictionRecord(NamedTuple):
    """How far a scheduler's latency predictor was from what kernels of one class took on one processor.

    An error is (predicted - actual) / actual.
    """

    app: str
    predictor: str
    processor: str
    kernel_class: str
    kernels: int
    """How many were compared."""
    absolute: float
    """Sum of the sizes of their errors."""
    signed: float
    """Sum of their errors."""
    close: int
    """How many of their errors are at most 0.1."""


@dataclass(frozen=True, slots=True)
class AppRecord:
    """What one application ran, and what its plan costs whatever the timing.

    Numbers are per inference; for schedulers that decide at run time they are means.
    """

    app: str
    model: str
    library: str
    scheduler: str
    dtype: str
    operators: int
    unsupported: int
    """Operators that cannot run where the scheduler wanted them."""
    fallbacks: Mapping[str, str]
    """Operator -> why it fell back to the CPU."""
    kernels: float
    transfer_bytes: float
    """Bytes mapped, copied or transformed to change processor."""
    sync_s: float
    peak_memory_bytes: float
    macs: int


@dataclass(frozen=True, slots=True)
class ComponentPower:
    """Power of a component in W: `idle_w` all the time, `busy_w` more for each unit that is busy."""

    idle_w: float
    busy_w: float


@dataclass(frozen=True)
class Outcome:
    """Everything that a run recorded.

    Parameters
    ----------
    device, seed
        Device name and seed of the run.
    duration_s
        Simulated time.
    inferences, kernels
        Records in order of finishing; `kernels` is empty unless they were asked for.
    apps
        By application name.
    busy_s
        Busy time by processor (``cpu``: mean over its cores; accelerators: while a kernel runs).
    energy_j
        By component: ``cpu.<cluster>``, accelerator names, ``dram``, ``board``. Sums to the whole device's.
    rails_j
        By meter rail; sums to the same.
    power
        By component, to draw power over time from kernel records.
    frequencies
        Clock by domain (``cpu.<cluster>``, accelerators, ``dram``), Hz, at the end of the run.
    core_names
        Cluster name of each core.
    predictions
        Predicted against actual times by application, processor and kernel class.
    """

    device: str
    seed: int
    duration_s: float
    inferences: Sequence[InferenceRecord]
    kernels: tuple[KernelRecord, ...]
    apps: Mapping[str, AppRecord]
    busy_s: Mapping[str, float]
    energy_j: Mapping[str, float]
    rails_j: Mapping[str, float]
    power: Mapping[str, ComponentPower] = field(default_factory=dict)
    frequencies: Mapping[str, float] = field(default_factory=dict)
    core_names: tuple[str, ...] = ()
    predictions: tuple[PredictionRecord, ...] = ()
