"""Tables of the page of a comparison with measurements, as plain text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from socsim.calibration.metrics import accuracy
from socsim.calibration.validation_report import Group, basis

__all__ = ["AIMS", "Table", "aim_of", "by_basis", "expected", "furthest", "of_groups"]

AIMS = (
    ("mlperf.csv", "", "", 0.15),
    ("", "tflite", "gpu", 0.18),
    ("", "tflite", "fp32", 0.10),
    ("", "tflite", "int8", 0.14),
    ("", "ncnn", "", 0.25),
    ("", "", "npu", 0.30),
)
"""(table, library, precision or processor, mean error on unseen families that the model should keep), the first that
fits."""


@dataclass(frozen=True)
class Table:
    """Rows below their columns.

    Parameters
    ----------
    columns
        Headers; those that begin with ``>`` are numbers.
    rows
        Cells.
    grades
        Of each row; empty where rows have none.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    grades: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Many:
    """Measurements of several groups at once."""

    groups: Sequence[Group]

    @property
    def cells(self) -> tuple[str, ...]:
        """How many, mean and median error, and shares within 10 % and within their intervals."""
        measured = np.concatenate([group.measured for group in self.groups])
        predicted = np.concatenate([group.predicted for group in self.groups])
        found = accuracy(measured, predicted)
        inside = [own for group in self.groups if (own := group.inside) is not None]
        held = _percent(float(np.concatenate(inside).mean()), 0) if inside else "-"
        median = float(np.median(np.abs(predicted / measured - 1.0)))
        return (str(found.n), _percent(found.mape), _percent(median), _percent(found.within_10, 0), held)


_ERRORS = (">n", ">mean error", ">median", ">within 10 %", ">in interval")


def by_basis(shown: Sequence[Group]) -> Table:
    """Errors by what predictions rest on: rows that were fitted to, others, and none of the device."""
    found: dict[str, list[Group]] = defaultdict(list)
    for group in shown:
        found[basis(group).partition(", ")[0] if group.seen else basis(group)].append(group)
    rows = [(name, *_Many(own).cells) for name, own in found.items()]
    return Table(("rates", *_ERRORS), (*rows, *([("all", *_Many(shown).cells)] if len(rows) > 1 else [])))


def expected(shown: Sequence[Group]) -> Table:
    """Of each parameter set that was fitted to these rows: what to expect of networks of other families."""
    sets: dict[tuple[str, ...], Group] = {}
    for group in shown:
        if group.held_out is not None:
            sets.setdefault((group.device, group.library, group.processor, group.precision), group)
    rows, grades = [], []
    for (device, library, processor, precision), group in sets.items():
        aim, error = aim_of(group), group.held_out or 0.0
        met = "-" if aim is None else "yes" if error <= aim else "no"
        rows.append(
            (device, library, f"{processor} {precision}", _percent(error), "-" if aim is None else _percent(aim, 0),
             met, _factors(group), group.calibration.grade)
        )  # fmt: skip
        grades.append(group.calibration.grade)
    columns = ("device", "library", "on", ">unseen", ">aim", "met", ">90 % interval", "grade")
    return Table(columns, tuple(rows), tuple(grades))


def aim_of(group: Group) -> float | None:
    """The mean error on unseen families that the model should keep; None where there is no aim."""
    for table, library, kind, aim in AIMS:
        own = {one.table for one in group.compared}
        fits = not kind or kind in (group.precision, group.processor)
        if (not table or own == {table}) and library in ("", group.library) and fits:
            return aim
    return None


def of_groups(shown: Sequence[Group]) -> Table:
    """A row for each group."""
    columns = ("library", "on", "cores", *_ERRORS, ">Spearman", ">unseen", "grade", "rates")
    rows = []
    for group in shown:
        rho, unseen = group.accuracy.spearman, group.held_out if group.quantity == "latency" else None
        rows.append(
            (group.library, f"{group.processor} {group.precision}", group.cores or "-", *_Many([group]).cells,
             "-" if np.isnan(rho) or len(group.compared) < 3 else f"{rho:.3f}",
             "-" if unseen is None else _percent(unseen), group.calibration.grade, basis(group))
        )  # fmt: skip
    return Table(columns, tuple(rows), tuple(group.calibration.grade for group in shown))


def furthest(shown: Sequence[Group], unit: str, count: int = 15) -> Table:
    """Measurements that are furthest off, either way, the furthest first."""
    found = []
    for group in shown:
        for i in range(len(group.compared)):
            found.append((group, i, float(group.predicted[i] / group.measured[i])))
    found.sort(key=lambda one: -abs(np.log(one[2])))
    rows = tuple(
        (group.device, f"{group.library} {group.processor} {group.precision}", group.cores or "-",
         group.compared[i].row.model, f"{group.measured[i]:.4g}", f"{group.predicted[i]:.4g}", f"{ratio - 1.0:+.0%}",
         f"{group.compared[i].table}:{group.compared[i].row.line}")
        for group, i, ratio in found[:count]
    )  # fmt: skip
    columns = (
        "device",
        "what",
        "cores",
        "network",
        f">measured {unit}",
        f">simulated {unit}",
        ">error",
        "row",
    )
    return Table(columns, rows, tuple(group.calibration.grade for group, _, _ in found[:count]))


def _factors(group: Group) -> str:
    error = group.calibration.error
    return f"{error.low - 1.0:+.0%} to {error.high - 1.0:+.0%}" if error else "-"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"
