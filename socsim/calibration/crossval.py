"""How well a parameter set predicts networks of families that it was not fitted to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from socsim.calibration.features import FloatArray
from socsim.calibration.fit import Fit, Series
from socsim.calibration.values import Values

__all__ = ["Fold", "family_folds", "fold_values", "held_out", "predictions"]

Fold = tuple[frozenset[str], Values]
"""Families, and the parameter set of a fit to the others."""


def family_folds(families: Sequence[str], count: int = 5) -> tuple[frozenset[str], ...]:
    """Families divided into folds of about as many networks each.

    Parameters
    ----------
    families
        Of every network.
    count
        Folds; fewer where there are fewer families.
    """
    sizes = Counter(families)
    folds: list[list[str]] = [[] for _ in range(min(count, len(sizes)))]
    for family in sorted(sizes, key=lambda name: (-sizes[name], name)):
        min(folds, key=lambda fold: sum(sizes[name] for name in fold)).append(family)
    return tuple(frozenset(fold) for fold in folds)


def held_out(
    series: Sequence[Series],
    families: Mapping[str, str],
    fit: Callable[[Sequence[Series]], Fit],
    *,
    count: int = 5,
    done: Callable[[], None] = lambda: None,
) -> list[FloatArray]:
    """Latencies in s predicted for every network by a fit to other families; as many arrays as series.

    Parameters are as of :func:`fold_values`, what is returned as of :func:`predictions`.
    """
    return predictions(series, families, fold_values(series, families, fit, count=count, done=done))


def fold_values(
    series: Sequence[Series],
    families: Mapping[str, str],
    fit: Callable[[Sequence[Series]], Fit],
    *,
    count: int = 5,
    done: Callable[[], None] = lambda: None,
) -> tuple[Fold, ...]:
    """Folds of families, each with a fit to all others; none where there is one family only.

    Parameters
    ----------
    series
        Measurements.
    families
        Family of every network; no family is in both a fit and what is predicted with it.
    fit
        Fits a parameter set.
    count
        Folds.
    done
        Called after each fold.
    """
    folds = family_folds(
        [families[name] for name in sorted({n for s in series for n in s.model.kernels.networks})], count
    )
    found = []
    for fold in folds if len(folds) > 1 else ():
        others = [s.only(np.logical_not(_inside(s, families, fold))) for s in series]
        found.append((fold, fit([part for part in others if part]).values))
        done()
    return tuple(found)


def predictions(
    series: Sequence[Series], families: Mapping[str, str], folds: Sequence[Fold]
) -> list[FloatArray]:
    """Latencies in s of every network by the parameter set of its fold.

    Returns
    -------
    In the order of each series' networks; NaN everywhere where there is no fold.
    """
    predicted = [np.full(len(s.seconds), np.nan) for s in series]
    for fold, values in folds:
        for s, target in zip(series, predicted, strict=True):
            inside = _inside(s, families, fold)
            part = s.only(inside)
            if part:
                target[inside] = part.model.latencies(values)
    return predicted


def _inside(
    series: Series, families: Mapping[str, str], fold: frozenset[str]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([families[name] in fold for name in series.model.kernels.networks])
