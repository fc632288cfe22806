"""What transforms cost in accuracy: tables of published figures, or of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from socsim.errors import Fault, FileError, UsageError
from socsim.workloads.graph import Lineage, ModelGraph
from socsim.workloads.transforms.accuracy_rows import Drop, drop_of, rows_of
from socsim.workloads.transforms.catalogue import Transform, check_steps, lossy, parse_transform

__all__ = ["DropTable", "load_drops", "published_drops", "transformed"]


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


def published_drops() -> DropTable:
    """The table that comes with socsim: published figures, each with its source."""
    return load_drops(Path(str(resources.files(__package__))) / "published_accuracy.csv")


def load_drops(path: str | Path) -> DropTable:
    """Read a table of accuracy costs.

    Parameters
    ----------
    path
        A CSV file with the columns :data:`~socsim.workloads.transforms.accuracy_rows.COLUMNS`, or a YAML file with a
        list of such rows as ``drops``.

    Raises
    ------
    FileError
        The file cannot be read, lacks a column, has one more, or says something impossible or twice; all faults of its
        rows at once.
    """
    file = Path(path)
    return _load(file, file.stat().st_mtime_ns if file.is_file() else 0)


@lru_cache(maxsize=32)
def _load(path: Path, changed: int) -> DropTable:
    drops: list[Drop] = []
    faults: list[Fault] = []
    lines: dict[tuple[str, tuple[str, ...]], int] = {}
    for row in rows_of(path):
        drop, found = drop_of(row)
        faults += found
        if drop is None:
            continue
        earlier = lines.setdefault((drop.model, drop.steps), row.line)
        if earlier != row.line:
            said = f"{drop.model} with {'+'.join(drop.steps)} has a row already, in line {earlier}"
            faults.append(Fault(row.line, row.column, "", said))
        drops.append(drop)
    if faults:
        raise FileError(str(path), faults)
    return DropTable(drops)


def transformed(
    graph: ModelGraph,
    steps: Sequence[str | Transform | Callable[[ModelGraph], ModelGraph]],
    accuracy: str | Path = "",
) -> ModelGraph:
    """A network after some transforms, with what they cost in accuracy where a table says so.

    Parameters
    ----------
    graph
        Any network.
    steps
        Transforms in order: texts, objects, or functions of a network.
    accuracy
        The path of a table (see :func:`load_drops`), which goes before the one that comes with socsim; ``""``
        (default) for that alone.
    """
    own = [load_drops(accuracy)] if accuracy else []
    check_steps(steps)
    for step in steps:
        made = parse_transform(step)(graph) if isinstance(step, str) else step(graph)
        if not isinstance(made, ModelGraph):
            raise UsageError(f"transform {_named(step)} must return a network, got {made!r}")
        graph = made
    if graph.lineage is None:
        return graph
    return graph.changed(lineage=_priced(graph.lineage, [*own, published_drops()]))


def _named(step: Any) -> str:
    return repr(getattr(step, "__name__", type(step).__name__))


def _priced(lineage: Lineage, tables: Sequence[DropTable]) -> Lineage:
    """A lineage with what its steps cost, as far as the first table that knows says so."""
    costly = lossy(lineage.steps)
    if not costly:
        return replace(lineage, top1_drop=0.0, source="")
    for table in tables:
        if (found := table.find(lineage.base, costly)) is not None:
            return replace(lineage, top1_drop=found.top1_drop, source=found.origin)
    return lineage
