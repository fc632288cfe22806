"""What a comparison with measurements came to, group by group, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from socsim.calibration.features import FloatArray
from socsim.calibration.metrics import Accuracy, accuracy
from socsim.calibration.validation import CALIBRATED, Compared, Validation
from socsim.devices.device import Calibration
from socsim.words import counted

__all__ = ["COLUMNS", "Group", "Quantity", "basis", "groups", "json_rows", "left_out_lines", "summary"]

Quantity = Literal["latency", "energy"]
_UNITS = {"latency": "ms", "energy": "mj"}


@dataclass(frozen=True)
class Group:
    """Measurements of networks on the same cores, by the same library in the same precision.

    Parameters
    ----------
    device, processor, cores, library, precision
        What they have in common; `cores` is empty off the CPU.
    compared
        The measurements.
    quantity
        What is compared.
    """

    device: str
    processor: str
    cores: str
    library: str
    precision: str
    compared: tuple[Compared, ...]
    quantity: Quantity

    @property
    def measured(self) -> FloatArray:
        """In ms or mJ."""
        return 1e3 * np.array([float(getattr(one.row, self.quantity)) for one in self.compared])

    @property
    def predicted(self) -> FloatArray:
        """In ms or mJ."""
        return 1e3 * np.array([float(getattr(one, self.quantity)) for one in self.compared])

    @property
    def accuracy(self) -> Accuracy:
        """Errors of the predictions."""
        return accuracy(self.measured, self.predicted)

    @property
    def calibration(self) -> Calibration:
        """The parameter set of the predictions."""
        return self.compared[0].calibration

    @property
    def seen(self) -> int:
        """Measurements that the parameter set was fitted to."""
        return sum(one.seen for one in self.compared)

    @property
    def inside(self) -> npt.NDArray[np.bool_] | None:
        """Which measurements the set's 90 % interval holds; None where there is none, and of energies."""
        error = self.calibration.error
        if error is None or self.quantity != "latency":
            return None
        ratios = self.measured / self.predicted
        return (error.low <= ratios) & (ratios <= error.high)

    @property
    def held_out(self) -> float | None:
        """Mean error of the set on families of networks that were left out of a fit, as a share; None if not known."""
        error = self.calibration.error
        if self.quantity == "energy":
            return self.calibration.power.mape if self.seen else None
        return error.mape if self.seen and error else None


def groups(found: Validation | Iterable[Compared], quantity: Quantity = "latency") -> list[Group]:
    """Groups, sorted by what they are of; of energies, only those that have some."""
    rows = found.compared if isinstance(found, Validation) else found
    by: dict[tuple[str, str, str, str, str], list[Compared]] = defaultdict(list)
    for one in rows:
        if quantity == "latency" or one.energy is not None:
            row = one.row
            by[one.device, row.processor, row.cores, row.library, row.precision].append(one)
    return [Group(*key, tuple(own), quantity) for key, own in sorted(by.items(), key=lambda item: item[0])]


def json_rows(found: Sequence[Group], *, per_model: bool = False) -> list[dict[str, Any]]:
    """One row for each group.

    Parameters
    ----------
    per_model
        Whether each row also has ``models``: networks with what was measured and predicted.
    """
    return [_row(group) | ({"models": _models(group)} if per_model else {}) for group in found]


def _row(group: Group) -> dict[str, Any]:
    found = group.accuracy
    return {
        "device": group.device,
        "processor": group.processor,
        "cores": group.cores,
        "library": group.library,
        "precision": group.precision,
        "n": found.n,
        "mape": found.mape,
        "spearman": found.spearman,
        "within_10": found.within_10,
    }


def _models(group: Group) -> list[dict[str, Any]]:
    unit = _UNITS[group.quantity]
    return [
        {
            "model": one.row.model,
            f"measured_{unit}": float(measured),
            f"predicted_{unit}": float(predicted),
            "error": float(predicted / measured - 1.0),
            "table": one.table,
            "line": one.row.line,
        }
        for one, measured, predicted in zip(group.compared, group.measured, group.predicted, strict=True)
    ]


def basis(group: Group) -> str:
    """What a group's predictions rest on, in a few words."""
    if group.seen:
        share = "" if group.seen == len(group.compared) else f", {group.seen} of these rows"
        return f"fitted{share}"
    if group.calibration.source.startswith(f"{CALIBRATED}:"):
        return "fitted, other rows"
    return "another device" if group.calibration.source.startswith("family:") else "by hand"


COLUMNS = (
    "device", "library", "on", "cores", ">n", ">error", ">unseen", ">Spearman", ">within 10 %", "grade", "rates",
)  # fmt: skip
"""Of :func:`summary`; those that begin with ``>`` are numbers."""


def summary(found: Sequence[Group]) -> list[tuple[str, ...]]:
    """Rows of a table with the columns :data:`COLUMNS`.

    ``unseen`` is the error on families of networks that were left out of a fit, of the whole parameter set.
    """
    return [
        (
            group.device, group.library, f"{group.processor} {group.precision}", group.cores or "-", str(error.n),
            f"{100 * error.mape:.1f} %", f"{100 * unseen:.1f} %" if unseen is not None else "-",
            "-" if error.n < 3 or np.isnan(error.spearman) else f"{error.spearman:.3f}",
            f"{100 * error.within_10:.0f} %", group.calibration.grade, basis(group),
        )
        for group in found
        for error, unseen in [(group.accuracy, group.held_out)]
    ]  # fmt: skip


def left_out_lines(found: Validation) -> list[str]:
    """How many rows there were, and why some were not compared."""
    rows = len(found.compared)
    lines = [f"{counted(found.total, 'row')}: {rows} compared"]
    if found.merged:
        lines[0] += f", {found.merged} merged with others that measure the same"
    lines[0] += f", {sum(found.left_out.values())} left out"
    return lines + [f"  {number:5d}  {why}{_place(found, why)}" for why, number in found.left_out.items()]


def _place(found: Validation, why: str) -> str:
    """Where the rows that were left out for a reason begin."""
    place = found.places.get(why)
    if place is None:
        return ""
    return f" ({place})" if found.left_out[why] == 1 else f" ({place} and others)"
