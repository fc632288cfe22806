"""Robust least squares in the logarithm of latency, with what is expected of each parameter as a residual more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from socsim.calibration.features import FloatArray
from socsim.calibration.model import AcceleratorModel, CpuModel
from socsim.calibration.space import Parameter, Space
from socsim.calibration.values import BY_CLASS, Values

__all__ = ["Fit", "Series", "fit"]

SCATTER = 0.05
"""What a good model misses latencies by (standard deviation of the logarithm): beyond it, a row counts as unusual."""
_STEP = 1e-5
"""Step of the logarithm in differences."""


@dataclass(frozen=True)
class Series:
    """Measured latencies of networks on one set of cores or one accelerator.

    Parameters
    ----------
    model
        Predicts them.
    seconds
        Measured latencies in s, in the order of the model's networks.
    scatter
        What a good model misses them by (standard deviation of the logarithm).
    """

    model: CpuModel | AcceleratorModel
    seconds: FloatArray
    scatter: float = SCATTER

    def only(self, wanted: npt.NDArray[np.bool_]) -> Series | None:
        """The measurements of some of the networks; None if there are none."""
        kept = np.flatnonzero(wanted)
        if not len(kept):
            return None
        names = [self.model.kernels.networks[i] for i in kept]
        model = replace(self.model, kernels=self.model.kernels.select(names))
        return Series(model, self.seconds[kept], self.scatter)


@dataclass(frozen=True)
class Fit:
    """Where the least squares ended.

    Parameters
    ----------
    space, vector
        What was fitted, and the logarithms found.
    deviations
        Standard deviation of each logarithm after the measurements: from the curvature at the end, outliers counting
        less, and the larger the more rows miss the fit by than :data:`SCATTER`.
    """

    space: Space
    vector: FloatArray
    deviations: FloatArray

    @property
    def values(self) -> Values:
        """The parameter set."""
        return self.space.values(self.vector)

    @property
    def learned(self) -> FloatArray:
        """How much of each parameter's expected variance the measurements removed, 0 to 1."""
        return np.clip(1.0 - (self.deviations / self.space.spreads) ** 2, 0.0, 1.0)


def fit(space: Space, series: Sequence[Series]) -> Fit:
    """Fit a parameter set.

    Parameters
    ----------
    space
        Parameters with what is expected of them.
    series
        Measurements.
    """
    from scipy.optimize import least_squares
    from threadpoolctl import threadpool_limits

    columns, expected = _columns(space), space.whitening

    def residuals(vector: FloatArray) -> FloatArray:
        values = space.values(vector)
        parts = [(np.log(s.model.latencies(values)) - np.log(s.seconds)) / s.scatter for s in series]
        return np.concatenate([*parts, expected @ (vector - space.start)])

    def slopes(vector: FloatArray) -> FloatArray:
        values = space.values(vector)
        parts = [_jacobian(s.model, space, values, columns) / s.scatter for s in series]
        return np.concatenate([*parts, expected])

    low, high = space.bounds
    # one thread: matrices are small, waiting threads cost a hundred times what they do, and sums keep their order
    with threadpool_limits(1, "blas"):
        found = least_squares(
            residuals, np.clip(space.start, low, high), jac=slopes, bounds=(low, high), loss="soft_l1", x_scale=1.0,
            max_nfev=80, ftol=1e-7, xtol=1e-7, gtol=1e-7,
        )  # fmt: skip
        kinds = np.repeat([s.scatter for s in series], [len(s.seconds) for s in series])
        return Fit(space, found.x, _deviations(slopes(found.x), residuals(found.x), kinds))


def _deviations(jacobian: FloatArray, residuals: FloatArray, kinds: FloatArray) -> FloatArray:
    """Standard deviations of an M-estimate (Huber and Ronchetti, Robust Statistics, section 7.6).

    Errors of a network on several sets of cores count as independent, and parameters as acting in proportion: where
    measurements scatter widely, deviations are somewhat too small.

    Parameters
    ----------
    jacobian, residuals
        Of the measurements, then of what is expected of each parameter.
    kinds
        Of every measurement; residuals of one kind share what they scatter by, which is never taken for less than 1.
    """
    n = len(kinds)
    rows, missed, expected = jacobian[:n], residuals[:n], jacobian[n:].T @ jacobian[n:]
    slopes, squares = (1.0 + missed**2) ** -1.5, missed**2 / (1.0 + missed**2)  # of the loss's influence
    slope, square = np.ones(n), np.ones(n)
    for kind in np.unique(kinds):
        slope[kinds == kind] = slopes[kinds == kind].mean()
    bread = np.linalg.inv((rows.T * slope) @ rows + expected)
    used = slope * np.einsum("ij,jk,ik->i", rows, bread, rows)
    for kind in np.unique(kinds):
        own = kinds == kind
        free = max(1.0, float(own.sum() - used[own].sum()))
        square[own] = max(slope[own][0] ** 2, float(squares[own].sum()) / free)
    filling = (rows.T * square) @ rows + expected
    return np.asarray(np.sqrt(np.diag(bread @ filling @ bread)))


def _columns(space: Space) -> Mapping[tuple[str, int], list[tuple[int, Parameter]]]:
    """Parameters that can be moved at once, as each acts on kernels of its own classes: by group, with columns."""
    groups: dict[tuple[str, int], list[tuple[int, Parameter]]] = {}
    for column, p in enumerate(space.parameters):
        by_class = p.quantity in BY_CLASS or p.quantity == "speed"
        group = (p.quantity, -1 if by_class and p.quantity != "speed" else p.row)
        groups.setdefault(group, []).append((column, p))
    return groups


def _jacobian(
    model: CpuModel | AcceleratorModel,
    space: Space,
    values: Values,
    columns: Mapping[tuple[str, int], list[tuple[int, Parameter]]],
) -> FloatArray:
    """Slopes of the logarithms of latencies by the logarithms of parameters."""
    k = model.kernels
    base, latencies, weights = model.durations(values), model.latencies(values), model.weights(values)
    networks, classes = len(k.networks), len(values.classes)
    cell = k.network * classes + k.kind
    slopes = np.zeros((networks, len(space.parameters)))
    for (quantity, _), members in columns.items():
        array = values[quantity].copy()
        for _, parameter in members:
            array[parameter.index] *= np.exp(_STEP)
        moved = values.replaced(quantity, array)
        if quantity in BY_CLASS or quantity == "speed":
            change = (model.durations(moved) - base) / _STEP
            change = change if weights is None else change * weights
            table = np.bincount(cell, change, networks * classes).reshape(networks, classes)
            for column, parameter in members:
                slopes[:, column] = table[:, parameter.members].sum(axis=1) / latencies
        else:
            change = (model.latencies(moved) - latencies) / _STEP
            for column, _ in members:
                slopes[:, column] = change / latencies
    return slopes
