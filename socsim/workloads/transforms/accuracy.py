"""What transforms cost in accuracy: tables of published figures, or of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any

from socsim import yamlfile
from socsim.errors import Fault, FileError, SocsimError, nearest
from socsim.workloads.csvfile import csv_rows

__all__ = ["COLUMNS", "Drop", "DropTable", "load_drops", "published_drops"]

Canonical = Callable[[Iterable[str]], tuple[str, ...]]
"""How transforms are brought into the one form in which they are looked up."""

COLUMNS: Mapping[str, str] = {
    "model": "name of the network before any transform",
    "transform": "name of a transform, or several joined by + with their parameters",
    "parameter": "what stands in its parentheses; empty for none",
    "top1_drop": "points of Top-1 accuracy that it costs",
    "grade": "confidence: A to F as of a device's numbers; empty (default) for none",
    "source": "where the figure is from; empty by default",
}
"""Columns of a table; the first four are required."""

_REQUIRED = tuple(COLUMNS)[:4]


@dataclass(frozen=True, slots=True)
class Drop:
    """What some transforms of a network cost.

    Parameters
    ----------
    model, steps
        Name of the network, and its transforms.
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


class DropTable:
    """Accuracy costs by network and transforms.

    A chain of transforms has the cost of its own row, never the sum of others': costs do not add up.
    """

    def __init__(self, drops: Iterable[Drop]) -> None:
        self.rows = tuple(drops)
        self._found = {(drop.model, drop.steps): drop for drop in self.rows}

    def find(self, model: str, steps: tuple[str, ...]) -> Drop | None:
        """The row of a network and its transforms, or None."""
        return self._found.get((model, steps))


def published_drops(canonical: Canonical) -> DropTable:
    """The table that comes with socsim: published figures, each with its source."""
    return load_drops(Path(str(resources.files(__package__))) / "published_accuracy.csv", canonical)


def load_drops(path: str | Path, canonical: Canonical) -> DropTable:
    """Read a table: a CSV file with the columns :data:`COLUMNS`, or a YAML file with a list of such rows as ``drops``.

    Raises
    ------
    FileError
        The file cannot be read, lacks a column, has one more, or says something impossible; all faults at once.
    """
    file = Path(path)
    return _load(file, file.stat().st_mtime_ns if file.is_file() else 0, canonical)


@lru_cache(maxsize=32)
def _load(path: Path, changed: int, canonical: Canonical) -> DropTable:
    rows = _yaml_rows(path) if path.suffix in (".yaml", ".yml") else _csv_rows(path)
    drops: list[Drop] = []
    faults: list[Fault] = []
    for line, row in rows:
        try:
            drops.append(_drop(row, canonical))
        except (SocsimError, ValueError) as error:
            faults.append(Fault(line, 1, "", str(error)))
    if faults:
        raise FileError(str(path), faults)
    return DropTable(drops)


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv_rows(path)
    if not rows:
        raise FileError(str(path), [Fault(1, 1, "", f"needs the columns {', '.join(_REQUIRED)}")])
    (line, header), *body = rows
    names = [name.strip() for name in header]
    _check_names(path, line, names)
    for number, cells in body:
        yield number, dict(zip(names, (cell.strip() for cell in cells), strict=False))


def _yaml_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    document = yamlfile.read(path)
    drops = document.root.child("drops")
    if drops is None or not isinstance(drops.value, list) or set(document.data) != {"drops"}:
        raise FileError(str(path), [Fault(1, 1, "", "expected one key, 'drops', with a list of rows")])
    for node in drops.value:
        row = node.plain()
        if not isinstance(row, dict):
            raise FileError(
                str(path), [Fault(node.place.line, node.place.column, "", f"expected a row, got {row!r}")]
            )
        _check_names(path, node.place.line, list(row), needed=("model", "transform", "top1_drop"))
        yield node.place.line, row


def _check_names(path: Path, line: int, names: list[str], needed: Iterable[str] = _REQUIRED) -> None:
    missing = [name for name in needed if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing:
        raise FileError(str(path), [Fault(line, 1, "", f"the column {missing[0]!r} is missing")])
    if unknown:
        guess = nearest(unknown[0], COLUMNS)
        hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(COLUMNS)}"
        raise FileError(str(path), [Fault(line, 1, "", f"unknown column {unknown[0]!r}; {hint}")])


def _drop(row: Mapping[str, Any], canonical: Canonical) -> Drop:
    model, transform = str(row.get("model") or ""), str(row.get("transform") or "")
    if not model or not transform:
        raise ValueError("a row needs a model and a transform")
    parameter = row.get("parameter")
    given = "" if parameter is None else str(parameter)
    steps = [f"{transform}({given})"] if given else transform.split("+")
    try:
        drop = float(row.get("top1_drop") or "nan") if row.get("top1_drop") != 0 else 0.0
    except (TypeError, ValueError):
        drop = float("nan")
    if not isfinite(drop) or abs(drop) > 100.0:
        raise ValueError(f"top1_drop must be points of accuracy, -100 to 100, got {row.get('top1_drop')!r}")
    return Drop(model, canonical(steps), drop, str(row.get("grade") or ""), str(row.get("source") or ""))
