"""How well a parameter set predicts networks of families that it was not fitted to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from socsim.calibration.features import FloatArray
from socsim.calibration.fit import Fit, Series

__all__ = ["family_folds", "held_out"]


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

    Returns
    -------
    In the order of each series' networks; NaN everywhere where there is one family only.
    """
    folds = family_folds(
        [families[name] for name in sorted({n for s in series for n in s.model.kernels.networks})], count
    )
    predicted = [np.full(len(s.seconds), np.nan) for s in series]
    if len(folds) < 2:
        return predicted
    for fold in folds:
        inside = [[families[n] in fold for n in s.model.kernels.networks] for s in series]
        values = fit(
            [part for s, own in zip(series, inside, strict=True) if (part := s.only(np.logical_not(own)))]
        ).values
        for s, own, target in zip(series, inside, predicted, strict=True):
            part = s.only(np.array(own))
            if part:
                target[np.flatnonzero(own)] = part.model.latencies(values)
        done()
    return predicted
