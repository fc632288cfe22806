"""Inferences of a run, kept column by column: long runs have millions."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import eq
from typing import NamedTuple, overload

import numpy as np

__all__ = ["STATUSES", "InferenceLog", "InferenceRecord", "Inferences"]

STATUSES = ("finished", "running", "queued", "dropped")
"""What an inference may be at the end of a run."""

_CODES = {status: code for code, status in enumerate(STATUSES)}


class InferenceRecord(NamedTuple):
    """One inference. `start_s` is -1 if it did not start, `finish_s` if it did not end."""

    app: str
    number: int
    arrival_s: float
    start_s: float
    finish_s: float
    """When it finished or was dropped."""
    status: str
    """``finished``, ``running``, ``queued`` or ``dropped`` at the end of the run."""
    origin_s: float = -1.0
    """Arrival of the first stage of the chain that led to it; -1 where it is itself the first."""
    level: int = 0
    """Level of its network in its family; 0 where there is none, or it has not begun."""
    place: str = ""
    """Scheduler that a manager of the device chose for it; ``""`` where there is none, or it has not begun."""

    @property
    def chain_start_s(self) -> float:
        """Arrival of the first stage, its own where it is the first."""
        return self.arrival_s if self.origin_s < 0.0 else self.origin_s


@dataclass(frozen=True)
class Inferences:
    """Records of inferences as arrays, one item each; times in s, -1 where there is none."""

    arrival: np.ndarray
    start: np.ndarray
    finish: np.ndarray
    origin: np.ndarray
    status: np.ndarray
    """Index into :data:`STATUSES`."""
    level: np.ndarray
    """Level of the network in its family, 0 for none."""

    def are(self, status: str) -> np.ndarray:
        """Which ones have a status."""
        chosen: np.ndarray = self.status == STATUSES.index(status)
        return chosen


class InferenceLog(Sequence[InferenceRecord]):
    """Records of inferences in flat columns, so that a million of them cost what a million numbers cost.

    A sequence of :class:`InferenceRecord`, in order of :meth:`add`.
    """

    def __init__(self, records: Iterable[InferenceRecord] = ()) -> None:
        self._apps: dict[str, int] = {}
        self._of_app, self._numbers, self._statuses = array("H"), array("q"), array("B")
        self._arrivals, self._starts, self._finishes = array("d"), array("d"), array("d")
        self._origins, self._levels = array("d"), array("H")
        self._places: dict[str, int] = {"": 0}
        self._of_place = array("H")
        """Shorter than the others where the last ones have no place."""
        self._names: list[str] = []
        self._place_names: list[str] = []
        self.extend(records)

    def add(
        self,
        app: str,
        number: int,
        arrival: float,
        start: float,
        finish: float,
        status: str = "finished",
        origin: float = -1.0,
        level: int = 0,
        place: str = "",
    ) -> None:
        """Append an inference; fields as of :class:`InferenceRecord`."""
        self._of_app.append(self._apps.setdefault(app, len(self._apps)))
        self._numbers.append(number)
        self._arrivals.append(arrival)
        self._starts.append(start)
        self._finishes.append(finish)
        self._statuses.append(_CODES[status])
        self._origins.append(origin)
        self._levels.append(level)
        if place:
            self._of_place.extend([0] * (len(self._numbers) - 1 - len(self._of_place)))
            self._of_place.append(self._places.setdefault(place, len(self._places)))

    def extend(self, records: Iterable[InferenceRecord]) -> None:
        """Append records."""
        for record in records:
            self.add(*record)

    def of(self, app: str) -> Inferences:
        """An application's inferences as arrays, in order of :meth:`add`."""
        chosen = np.array(self._of_app) == self._apps.get(app, -1)
        columns = (self._arrivals, self._starts, self._finishes, self._origins, self._statuses, self._levels)
        return Inferences(*(np.array(column)[chosen] for column in columns))

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
            self._name(self._of_app[i]),
            self._numbers[i],
            self._arrivals[i],
            self._starts[i],
            self._finishes[i],
            STATUSES[self._statuses[i]],
            self._origins[i],
            self._levels[i],
            self._place(i),
        )

    def _name(self, index: int) -> str:
        if len(self._apps) != len(self._names):
            self._names = list(self._apps)
        return self._names[index]

    def _place(self, number: int) -> str:
        index = self._of_place[number] if number < len(self._of_place) else 0
        if len(self._places) != len(self._place_names):
            self._place_names = list(self._places)
        return self._place_names[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InferenceLog):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]
