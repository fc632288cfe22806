"""Rows and columns of what a sweep found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from socsim.results.result import flat_row
from socsim.sweeps.plan import Sweep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evened", "frame", "point_title"]

Row = dict[str, Any]


def point_title(plan: Sweep, number: int) -> str:
    """``"scheduler=gpu, seed=3"``."""
    pairs = zip(plan.columns, plan.grid[number].labels, strict=True)
    return ", ".join(f"{name}={label}" for name, label in pairs)


def evened(rows: Sequence[Row]) -> list[Row]:
    """The same rows, each with the columns of all; a value that does not exist is None."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{**keys, **row} for row in rows]


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a table; ``utilization_<processor>`` is a column each."""
    import pandas as pd

    return pd.DataFrame([flat_row(row) for row in rows])
