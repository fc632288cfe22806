"""Which quantities of a parameter set are fitted, within which bounds, and what is expected of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot, inf, log

import numpy as np

from socsim.calibration.algorithms import TILED, algorithm
from socsim.calibration.features import FloatArray
from socsim.calibration.priors import (
    HALVES,
    OWN_SPREAD,
    PRODUCTS,
    WINOGRAD_HALVES,
    class_rate,
    crossing_prior,
    meeting_prior,
    queue,
    serial_prior,
)
from socsim.calibration.values import Values
from socsim.devices.device import Accelerator, Cluster

__all__ = ["Parameter", "Space", "accelerator_space", "cpu_space"]

_SHAPED = frozenset(
    {
        "gemm", "igemm", "sgemm", "direct", "winograd", "winograd_small", "winograd_thin", *TILED, "depthwise", "conv",
        "conv_1x1", "conv_small", "conv_1x1_small",
    }
)  # fmt: skip
"""Classes whose rate follows their shape: products over many channels."""


_PEAK = 0.999
"""Highest efficiency on a CPU, whose peak is known."""
_MOST = 8.0
"""Highest efficiency where products are saved, or where the peak may be told wrongly."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A quantity that is fitted, by its logarithm.

    Parameters
    ----------
    quantity, index
        Array of :class:`socsim.calibration.values.Values`, and the element: of arrays over classes with several of
        them where those have it in common.
    name
        As reports call it: ``"efficiency.gemm"``.
    median, spread
        What is expected: median, and standard deviation of the logarithm.
    low, high
        Bounds.
    common
        Standard deviation of what it has in common with others that have some, beside `spread` of its own.
    """

    quantity: str
    index: tuple[int | tuple[int, ...], ...]
    name: str
    median: float
    spread: float
    low: float = 0.0
    high: float = inf
    common: float = 0.0

    @property
    def row(self) -> int:
        """The first of the index's numbers."""
        return self.index[0] if isinstance(self.index[0], int) else self.index[0][0]

    @property
    def members(self) -> list[int]:
        """The last number of the index, or all of them: classes, where the array is over classes."""
        last = self.index[-1]
        return [last] if isinstance(last, int) else list(last)


@dataclass(frozen=True)
class Space:
    """The parameters of a fit, and the values of everything else."""

    fixed: Values
    parameters: tuple[Parameter, ...]

    @property
    def start(self) -> FloatArray:
        """Logarithms of the medians."""
        return np.log([p.median for p in self.parameters])

    @property
    def spreads(self) -> FloatArray:
        """Standard deviations of the logarithms."""
        return np.array([hypot(p.spread, p.common) for p in self.parameters])

    @property
    def whitening(self) -> FloatArray:
        """Matrix that makes of deviations from the medians independent ones of standard deviation 1."""
        common = np.array([p.common for p in self.parameters])
        own = np.array([p.spread for p in self.parameters])
        covariance = np.diag(own**2) + np.outer(common, common)
        matrix: FloatArray = (
            np.linalg.inv(np.linalg.cholesky(covariance)) if common.any() else np.diag(1.0 / own)
        )
        return matrix

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Logarithms of the bounds."""
        low = [log(p.low) if p.low else -inf for p in self.parameters]
        return np.array(low), np.array([log(p.high) for p in self.parameters])

    def values(self, vector: FloatArray) -> Values:
        """The parameter set at a point."""
        arrays = {name: array.copy() for name, array in self.fixed.arrays.items()}
        for parameter, logarithm in zip(self.parameters, vector, strict=True):
            arrays[parameter.quantity][parameter.index] = np.exp(logarithm)
        return Values(self.fixed.classes, self.fixed.clusters, arrays)


def cpu_space(library: str, dtype: str, classes: Sequence[str], teams: Sequence[Sequence[Cluster]]) -> Space:
    """What can be fitted of the CPU.

    Parameters
    ----------
    classes
        Kernel classes of the networks.
    teams
        Cores of the worker threads of each set of measurements; the fastest cluster is the one that all rates are
        told of.
    """
    clusters = sorted(
        {c.name: c for team in teams for c in team}.values(), key=lambda c: (-c.peak("fp32"), c.name)
    )
    fixed = Values.neutral(classes, [c.name for c in clusters])
    threaded = any(len(team) > 1 for team in teams)
    found = [*_rates(library, "cpu", dtype, classes, clusters[0])]
    found += _speeds(library, dtype, classes, clusters)
    if threaded:
        found += _serial(library, dtype, classes)
        found.append(_scalar("fork_join", *meeting_prior(library), 1e-8, 1e-3))
    crossing = crossing_prior(c.core for c in clusters)
    if any(len({c.name for c in team}) > 1 for team in teams):
        found.append(_scalar("crossing", crossing, 0.7, 1e-3, 0.95))
    elif len(clusters) > 1:
        fixed = fixed.replaced("crossing", np.array([crossing]))
    found += [
        _scalar("kernel_overhead", 8e-6, 0.8, 1e-8, 1e-2),
        _scalar("inference_overhead", 1e-4, 0.8, 1e-8, 1.0),
        _scalar("bandwidth_share", 0.8, 0.4, 0.02, 1.0),
    ]
    return Space(fixed, tuple(found))


def accelerator_space(
    library: str, accelerator: Accelerator, dtype: str, classes: Sequence[str], *, timed: bool = False
) -> Space:
    """What can be fitted of an accelerator.

    One that is called gets a whole network, compiled beforehand, and runs its kernels by itself: nobody enqueues them.

    Parameters
    ----------
    timed
        Whether its kernels were timed one by one. What an inference takes beside them and beside hand-overs is then
        known to be no work of the accelerator: its host's, which takes a CPU. Else nobody can tell whose it is.
    """
    lanes = accelerator.macs_per_cycle[dtype]
    known = queue(library)
    found = [*_rates(library, accelerator.name, dtype, classes, None)]
    for name, i in kinds(classes):
        if name in _SHAPED and name != "depthwise":
            found.append(
                Parameter("half_outputs", (i,), f"half_outputs.{name}", 20.0 * lanes, known.filling, 1.0, 1e9)
            )
    found += [
        _scalar("kernel_overhead", known.overhead, 1.0, 1e-8, 1e-2),
        _scalar("host_overhead" if timed else "inference_overhead", 1e-3, 1.2, 1e-8, 1.0),
        _scalar("bandwidth_share", 0.7, 0.4, 0.02, 1.0),
    ]
    if not accelerator.call_latency:
        found.append(_scalar("dispatch", 3e-6, 1.0, 1e-8, 1e-2))
    return Space(Values.neutral(classes), tuple(found))


def kinds(classes: Sequence[str]) -> Iterable[tuple[str, int | tuple[int, ...]]]:
    """Classes with their index; those in tiles as one, by the first one's name, as their products are the same code."""
    tiled = [i for i, name in enumerate(classes) if name in TILED]
    for i, name in enumerate(classes):
        if i not in tiled:
            yield name, i
        elif i == tiled[0]:
            yield name, tuple(tiled) if len(tiled) > 1 else i


def _scalar(name: str, median: float, spread: float, low: float, high: float) -> Parameter:
    return Parameter(name, (0,), name, median, spread, low, high)


def _rates(
    library: str, processor: str, dtype: str, classes: Sequence[str], core: Cluster | None
) -> Iterable[Parameter]:
    """Rates by class, and what halves them."""
    for name, i in kinds(classes):
        prior = class_rate(library, processor, dtype, name)
        share = prior.share
        if core:
            share = prior.efficiency(core, dtype) * algorithm(library, processor, dtype, name, core).lanes
        high = _MOST if core is None or "winograd" in name else _PEAK
        common = queue(library).common if core is None and name in PRODUCTS else 0.0
        spread = OWN_SPREAD if common else prior.spread
        yield Parameter("efficiency", (i,), f"efficiency.{name}", share, spread, 1e-6, high, common)
        for half in _halves(name, core):
            median, spread = _half(library, processor, dtype, name, half, core)
            yield Parameter(half, (i,), f"{half}.{name}", median, spread, 1e-3, 1e10)


def _half(
    library: str, processor: str, dtype: str, name: str, half: str, core: Cluster | None
) -> tuple[float, float]:
    """Median and spread of what halves a rate; beside products at fewer lanes, transforms at all of them weigh less."""
    way = algorithm(library, processor, dtype, name, core)
    if not way.tile:
        return HALVES[half]
    median, spread = WINOGRAD_HALVES[half]
    return median * way.lanes, spread


def _halves(kernel_class: str, core: Cluster | None) -> Iterable[str]:
    """What halves a class's rate."""
    if kernel_class in _SHAPED:
        return HALVES
    if core is None:
        return ("half_work",)
    return ("half_depth",) if kernel_class == "grouped" else ()


def _speeds(
    library: str, dtype: str, classes: Sequence[str], clusters: Sequence[Cluster]
) -> Iterable[Parameter]:
    """How the other clusters differ from the first, by class."""
    first = clusters[0]
    for j, cluster in enumerate(clusters[1:], start=1):
        alike = cluster.core == first.core
        for name, i in kinds(classes):
            prior = class_rate(library, "cpu", dtype, name)
            median = prior.efficiency(cluster, dtype) / prior.efficiency(first, dtype)
            spread = 0.05 if alike else 0.4
            yield Parameter("speed", (j, i), f"speed.{cluster.name}.{name}", median, spread, 1e-3, 100.0)
        yield Parameter(
            "overhead",
            (j,),
            f"overhead.{cluster.name}",
            first.peak("fp32") / cluster.peak("fp32"),
            0.7,
            0.1,
            100.0,
        )


def _serial(library: str, dtype: str, classes: Sequence[str]) -> Iterable[Parameter]:
    for name, i in kinds(classes):
        alone = serial_prior(library, dtype, name)
        yield Parameter(
            "serial_share",
            (i,),
            f"serial_share.{name}",
            0.95 if alone else 0.1,
            0.1 if alone else 0.5,
            1e-4,
            1.0,
        )
