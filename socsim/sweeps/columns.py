"""Names of the columns that say what a point is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from socsim.results.metrics import METRICS
from socsim.results.reuse import REUSE
from socsim.results.service import SERVICE
from socsim.results.shown import SHOWN

__all__ = ["COLUMNS", "column_names"]

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
