"""Rows of tables of accuracy costs, each value with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from socsim import yamlfile
from socsim.errors import Fault, FileError, SocsimError, nearest
from socsim.workloads.csvfile import csv_rows
from socsim.workloads.transforms.catalogue import canonical, lossy

__all__ = ["COLUMNS", "Drop", "Row", "drop_of", "rows_of"]

COLUMNS: Mapping[str, str] = {
    "model": "name of the network before any transform; that of an ONNX file without its ending",
    "transform": "name of a transform, or several joined by + with their parameters",
    "parameter": "what stands in its parentheses; empty for none",
    "top1_drop": "points of Top-1 accuracy that it costs",
    "grade": "confidence: A, B, C, D or F as of a device's numbers; empty (default) for none",
    "source": "where the figure is from; empty by default",
}
"""Columns of a table; the first four are required."""

_REQUIRED = tuple(COLUMNS)[:4]
_GRADES = "ABCDF"


@dataclass(frozen=True, slots=True)
class Drop:
    """What some transforms of a network cost.

    Parameters
    ----------
    model, steps
        Name of the network, and its transforms without those that cost nothing.
    top1_drop
        Points of Top-1 accuracy; below 0 for a gain.
    grade, source
        How sure that is, and where it is from.
    """

    model: str
    steps: tuple[str, ...]
    top1_drop: float
    grade: str = ""
    source: str = ""

    @property
    def origin(self) -> str:
        """Grade and source in one phrase."""
        return ": ".join(part for part in (self.grade, self.source) if part)


class Row(NamedTuple):
    """A row of a file: its place, its values, and the columns of the text at which they begin."""

    line: int
    column: int
    values: Mapping[str, Any]
    places: Mapping[str, tuple[int, int]]

    def text(self, name: str) -> str:
        """A value as text, empty where there is none."""
        value = self.values.get(name)
        return "" if value is None else str(value).strip()

    def fault(self, name: str, message: str) -> Fault:
        """What is wrong with a value, at its place."""
        return Fault(*self.places.get(name, (self.line, self.column)), "", message)


def rows_of(path: Path) -> Iterator[Row]:
    """All rows of a CSV or a YAML file.

    Raises
    ------
    FileError
        The file cannot be read, or its columns are not :data:`COLUMNS`.
    """
    return _yaml_rows(path) if path.suffix in (".yaml", ".yml") else _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[Row]:
    rows = csv_rows(path)
    if not rows:
        raise FileError(str(path), [Fault(1, 1, "", f"needs the columns {', '.join(_REQUIRED)}")])
    (line, header), *body = rows
    names = [name.strip() for name in header]
    _check_names(path, Row(line, 1, {}, {}), names)
    for number, cells in body:
        if len(cells) > len(names):
            said = f"a row must have at most {len(names)} cells, as its header has, got {len(cells)}"
            raise FileError(str(path), [Fault(number, 1, "", said)])
        yield Row(number, 1, dict(zip(names, cells, strict=False)), {})


def _yaml_rows(path: Path) -> Iterator[Row]:
    document = yamlfile.read(path)
    keys = document.data if isinstance(document.data, dict) else {}
    drops = document.root.child("drops")
    if drops is None or not isinstance(drops.value, list) or set(keys) != {"drops"}:
        got = f"got {', '.join(map(repr, keys)) or 'none'}" if set(keys) != {"drops"} else "it is no list"
        raise FileError(
            str(path), [Fault(1, 1, "", f"expected one key, 'drops', with a list of rows; {got}")]
        )
    for node in drops.value:
        values, (line, column) = node.plain(), (node.place.line, node.place.column)
        if not isinstance(values, dict):
            raise FileError(str(path), [Fault(line, column, "", f"expected a row, got {values!r}")])
        places = {key: (child.place.line, child.place.column) for key, child in node.value.items()}
        keyed = {key: (c.key_place.line, c.key_place.column) for key, c in node.value.items() if c.key_place}
        _check_names(
            path, Row(line, column, {}, keyed), list(values), needed=("model", "transform", "top1_drop")
        )
        yield Row(line, column, values, places)


def _check_names(path: Path, row: Row, names: list[str], needed: Iterable[str] = _REQUIRED) -> None:
    unknown = next((name for name in names if name not in COLUMNS), None)
    missing = next((name for name in needed if name not in names), None)
    if unknown is not None:
        guess = nearest(str(unknown), COLUMNS)
        hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(COLUMNS)}"
        raise FileError(str(path), [row.fault(unknown, f"unknown column {unknown!r}; {hint}")])
    if missing is not None:
        raise FileError(str(path), [row.fault("", f"the column {missing!r} is missing")])


def drop_of(row: Row) -> tuple[Drop | None, list[Fault]]:
    """What a row says, or all that is wrong with it."""
    faults: list[Fault] = []
    if not row.text("model"):
        faults.append(row.fault("model", "a row needs a model and a transform"))
    steps = _steps(row, faults)
    cost = _points(row.values.get("top1_drop"))
    if cost is None:
        got = row.values.get("top1_drop")
        said = f"got {got!r}" if got not in (None, "") else "got nothing"
        faults.append(row.fault("top1_drop", f"top1_drop must be points of accuracy, -100 to 100, {said}"))
    grade = row.text("grade")
    if grade and grade not in tuple(_GRADES):
        rule = f"grade must be {', '.join(_GRADES[:-1])} or {_GRADES[-1]}, or empty, got {grade!r}"
        faults.append(row.fault("grade", rule))
    if faults or cost is None:
        return None, faults
    return Drop(row.text("model"), steps, cost, grade, row.text("source")), []


def _steps(row: Row, faults: list[Fault]) -> tuple[str, ...]:
    """Transforms of a row as lineages write them."""
    transform, parameter = row.text("transform"), row.text("parameter")
    if not transform:
        faults.append(row.fault("transform", "a row needs a model and a transform"))
        return ()
    if parameter and ("(" in transform or "+" in transform):
        said = f"parameter {parameter!r} must stand in the parentheses of its transform, got {transform!r}"
        faults.append(row.fault("parameter", said))
        return ()
    try:
        steps = lossy(canonical([f"{transform}({parameter})"] if parameter else transform.split("+")))
    except SocsimError as error:
        faults.append(row.fault("transform", str(error)))
        return ()
    if not steps:
        faults.append(row.fault("transform", f"{transform!r} computes the same and costs nothing"))
    return steps


def _points(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        points = float(value)
    except (TypeError, ValueError):
        return None
    return points if isfinite(points) and abs(points) <= 100.0 else None
