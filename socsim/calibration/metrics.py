"""How far predictions are from measurements."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import exp, sqrt

import numpy as np

from socsim.calibration.features import FloatArray, IntArray
from socsim.results.means import t_quantile

__all__ = ["Accuracy", "accuracy", "interval", "ranks", "unusual"]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of predicted latencies.

    Parameters
    ----------
    n
        Measurements.
    mape
        Mean absolute error, as a share of what was measured.
    within_10
        Share of predictions within 10 %.
    spearman
        Rank correlation; NaN of fewer than two.
    """

    n: int
    mape: float
    within_10: float
    spearman: float

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def accuracy(measured: FloatArray, predicted: FloatArray) -> Accuracy:
    """Errors of predictions; NaN everywhere if there are none."""
    errors = np.abs(predicted / measured - 1.0)
    a, b = ranks(measured), ranks(predicted)
    varies = len(a) > 1 and np.ptp(a) > 0.0 and np.ptp(b) > 0.0
    rho = float(np.corrcoef(a, b)[0, 1]) if varies else float("nan")
    return Accuracy(len(measured), float(errors.mean()), float((errors <= 0.1).mean()), rho)


def ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1; equal values share their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: FloatArray = (ends - (counts - 1) / 2.0)[inverse]
    return means


def interval(
    measured: FloatArray, predicted: FloatArray, networks: int, share: float = 0.9
) -> tuple[float, float]:
    """Factors of a prediction between which a share of the measurements of other networks are expected.

    The logarithms of the errors are taken for normal about 0, so the interval is as wide either way:
    ``t sqrt(1 + 1 / networks)`` times their root mean square, with Student's t of as many degrees of freedom. Few
    networks make it wide; the span of what was seen would not hold the next one.

    Parameters
    ----------
    networks
        How many there are, at least one: rows of one network on several sets of cores err alike.
    """
    scatter = float(np.sqrt(np.mean(np.log(measured / predicted) ** 2)))
    half = t_quantile(networks, (1.0 + share) / 2.0) * sqrt(1.0 + 1.0 / networks) * scatter
    return exp(-half), exp(half)


def unusual(measured: FloatArray, predicted: FloatArray) -> IntArray:
    """Indices of measurements more than 10 % and three robust standard deviations off, the furthest first."""
    errors = np.log(predicted / measured)
    middle = np.median(errors)
    deviation = 1.4826 * np.median(np.abs(errors - middle))
    far = np.flatnonzero((np.abs(errors) > 0.1) & (np.abs(errors - middle) > 3.0 * deviation))
    return far[np.argsort(-np.abs(errors[far]), kind="stable")]
