"""Rows and columns of what a sweep found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from socsim.results.metrics import METRICS
from socsim.results.result import flat_row
from socsim.results.reuse import REUSE
from socsim.results.service import SERVICE
from socsim.results.shown import SHOWN
from socsim.sweeps.plan import Sweep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "column_names", "evened", "frame", "point_title"]

Row = dict[str, Any]

COLUMNS = ("run", "app", *METRICS, *SERVICE, *REUSE, "slowdown", *SHOWN)
"""Columns that are no axes."""


def column_names(keys: Sequence[str], taken: Collection[str] = COLUMNS) -> list[str]:
    """Short names of dotted paths: of each the shortest end that no other path ends in and that is not `taken`.

    A path that is taken as a whole stays as it is.

    >>> column_names(["apps.net.scheduler", "apps.busy.count", "apps.video.count"])
    ['net.scheduler', 'busy.count', 'video.count']
    """
    paths = [key.split(".") for key in keys]
    return [_short(path, [other for other in paths if other != path], taken) for path in paths]


def _short(path: list[str], others: Iterable[list[str]], taken: Collection[str]) -> str:
    others = list(others)
    for length in range(1, len(path) + 1):
        name = ".".join(path[-length:])
        if name not in taken and all(other[-length:] != path[-length:] for other in others):
            return name
    return ".".join(path)


def point_title(plan: Sweep, number: int) -> str:
    """``"scheduler=gpu, seed=3"``."""
    names = column_names([axis.name for axis in plan.axes])
    labels = plan.grid[number].labels
    return ", ".join(f"{name}={label}" for name, label in zip(names, labels, strict=True))


def evened(rows: Sequence[Row]) -> list[Row]:
    """The same rows, each with the columns of all; a value that does not exist is None."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{**keys, **row} for row in rows]


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a table; ``utilization_<processor>`` is a column each."""
    import pandas as pd

    return pd.DataFrame([flat_row(row) for row in rows])
