"""Rows of a point: what it is, and what came out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from socsim.sweeps.plan import Sweep

__all__ = ["Row", "labelled"]

Row = dict[str, Any]


def labelled(plan: Sweep, number: int, rows: Iterable[Row]) -> list[Row]:
    """Rows of a run, with its number and what tables call its point in front."""
    labels = dict(zip(plan.columns, plan.grid[number].labels, strict=True))
    return [{"run": number, **labels, **{k: v for k, v in row.items() if k not in labels}} for row in rows]
