"""Figures and tables as data, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Bars", "Chart", "Grid", "Lines", "Points", "Series", "Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Values that belong together.

    Parameters
    ----------
    name
        For the legend.
    ys
        Values; NaN for none.
    xs
        Where they are; for bars, the positions of the labels.
    errors
        Half-widths of confidence intervals; none where empty.
    """

    name: str
    ys: Sequence[float]
    xs: Sequence[float] = ()
    errors: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """A group of horizontal bars per label, with what is published as a mark and the band behind.

    Parameters
    ----------
    labels
        One per group.
    series
        A bar of each per group.
    x
        What the axis shows.
    published
        What the paper reports per label; None for nothing.
    bands
        Lower and upper end per label; None for none.
    stacked
        One bar per label, of all series end to end.
    """

    labels: Sequence[str]
    series: Sequence[Series]
    x: str
    published: Sequence[float | None] = ()
    bands: Sequence[tuple[float | None, float | None]] = ()
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Curves with their confidence intervals; dashed ones are published."""

    series: Sequence[Series]
    x: str
    y: str
    published: Sequence[Series] = ()
    levels: Sequence[tuple[str, float]] = ()
    log_x: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """Points with names, and the front of those that no other beats in both."""

    series: Sequence[Series]
    names: Sequence[Sequence[str]]
    x: str
    y: str
    front: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """A map of cells, coloured by category, with a text in each."""

    rows: Sequence[str]
    columns: Sequence[str]
    categories: Sequence[Sequence[str]]
    texts: Sequence[Sequence[str]]
    x: str
    y: str


Chart = Bars | Lines | Points | Grid
