"""A latency predictor that only counts operations, as uLayer and its successors assume."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np

from socsim.errors import UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor, check_supported
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import WHOLE, Part, part_work
from socsim.workloads.pricing import Pricer

__all__ = ["FlopsPredictor", "fitted_line", "operations", "operator_kind", "profile_network"]

_KINDS = {
    "conv2d": "conv",
    "grouped_conv2d": "conv",
    "depthwise_conv2d": "conv",
    "deconv2d": "conv",
    "max_pool": "pool",
    "avg_pool": "pool",
    "fully_connected": "fc",
    "matmul": "fc",
}


class FlopsPredictor(Predictor):
    """Believes that time is linear in the number of operations, for each processor and kind of operator.

    For each processor, layout and kind (:func:`operator_kind`), ``a + b * operations`` with ``a`` and ``b`` of at
    least 0 is fitted to the times, alone on the idle phone, of the layers of :func:`profile_network`. Kernel
    algorithms, small sizes and memory traffic are beyond it: CoDL's authors find 7 to 10.5 % of operators within 10 %
    of the truth.

    Parameters
    ----------
    errors
        ``"absolute"`` (default): ordinary least squares, as CoDL's authors fit it for uLayer, by which a few large
        layers decide; ``"relative"``: small layers count as much as large ones.

    Raises
    ------
    UsageError
        Other errors.

    References
    ----------
    .. [1] F. Jia et al., "CoDL: Efficient CPU-GPU co-execution for deep learning inference on mobile
       devices", MobiSys 2022.
    .. [2] Y. Kang et al., "Neurosurgeon: Collaborative intelligence between the cloud and mobile edge",
       ASPLOS 2017.
    """

    def __init__(self, pricer: Pricer, errors: str = "absolute") -> None:
        if errors not in ("absolute", "relative"):
            raise UsageError(f"errors must be 'absolute' or 'relative', got {errors!r}")
        self._pricer, self._relative = pricer, errors == "relative"
        self._profile = Pricer(pricer.device, pricer.library, profile_network(), pricer.dtype)
        self._profile.cores = pricer.cores
        self._models: dict[tuple[str, Placement], tuple[float, float]] = {}

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """Predicted time in s of a part of an operator.

        Raises
        ------
        PlanError
            The library cannot run it there.
        """
        check_supported(self._pricer, op, placement)
        intercept, slope = self._model(operator_kind(op), placement)
        return intercept + slope * operations(self._pricer.graph, op, part)

    def _model(self, kind: str, placement: Placement) -> tuple[float, float]:
        if (kind, placement) not in self._models:
            self._models[kind, placement] = self._fit(kind, placement)
        return self._models[kind, placement]

    def _fit(self, kind: str, placement: Placement) -> tuple[float, float]:
        """Coefficients; those of all profiled layers for a kind of which the processor runs none."""
        profile, dtype = self._profile, placement.dtype or self._pricer.dtype_on(placement.processor)
        where = (placement.processor, placement.layout, dtype)
        layers = [op for op in profile.graph if not profile.obstacle(op, *where)]
        alike = [op for op in layers if operator_kind(op) == kind] or layers
        costs = [profile.cost(op, *where, placement.cores) for op in alike]
        times = [max(cost.time, cost.dispatch) for cost in costs]
        work = [operations(profile.graph, op, WHOLE) for op in alike]
        pairs = [(x, time) for x, time in zip(work, times, strict=True) if time > 0.0]
        return fitted_line([x for x, _ in pairs], [time for _, time in pairs], relative=self._relative)


def fitted_line(work: Sequence[float], times: Sequence[float], *, relative: bool) -> tuple[float, float]:
    """Intercept and slope, neither below 0, with the least sum of squared errors.

    Parameters
    ----------
    work, times
        Abscissae of at least 0 and positive times in s, one pair for each sample. Samples of one abscissa only are
        told by a slope alone; without any sample both coefficients are 0.
    relative
        Whether errors are taken relative to the times.

    Notes
    -----
    The error is ``sum((w (a + b x - t))^2)`` with ``w`` of 1 or ``1 / t``. It is convex, so if its minimum has a
    negative coefficient, the minimum under the bounds lies where that one is 0.
    """
    x, time = np.asarray(work, dtype=float), np.asarray(times, dtype=float)
    if not len(x):
        return 0.0, 0.0
    weight = 1.0 / time**2 if relative else np.ones_like(time)
    sums = [float(np.sum(weight * x**power)) for power in range(3)]
    right = float(np.sum(weight * time)), float(np.sum(weight * time * x))
    determinant = sums[0] * sums[2] - sums[1] ** 2
    if not sums[2]:
        return right[0] / sums[0], 0.0
    if determinant <= 1e-12 * sums[0] * sums[2]:
        return 0.0, right[1] / sums[2]
    intercept = (right[0] * sums[2] - right[1] * sums[1]) / determinant
    slope = (right[1] * sums[0] - right[0] * sums[1]) / determinant
    if intercept < 0.0:
        return 0.0, right[1] / sums[2]
    return (intercept, slope) if slope >= 0.0 else (right[0] / sums[0], 0.0)


def operator_kind(op: Operator) -> str:
    """``"conv"``, ``"pool"``, ``"fc"`` or ``"other"``."""
    return _KINDS.get(op.type, "other")


def operations(graph: ModelGraph, op: Operator, part: Part) -> float:
    """Operations of a part of an operator; a share of it, of either dimension, is a share of them."""
    return part_work(graph, op) * part.share


@lru_cache(maxsize=1)
def profile_network() -> ModelGraph:
    """The layers that a profile times: independent, over a grid of shapes.

    They follow the pyramids of image networks: maps of 208, 104, 52, 26 and 13 pixels with 32 channels on the
    largest and twice as many on each smaller one, and with twice and four times as many as that. Over each of
    these 15 maps: convolutions to as many and to half as many channels, pointwise, 3x3, and 3x3 with stride
    2; max pooling over 2x2 and 3x3 with stride 2; a rectifier. Fully connected layers from 256, 1024, 4096
    and 25088 to 10, 1000 and 4096 features.
    """
    builder = GraphBuilder("profile")
    outputs: list[str] = []
    for level, factor in product(range(5), (1, 2, 4)):
        size, channels = 208 >> level, (32 << level) * factor
        x = builder.input(1, channels, size, size, name=f"map_{size}_{channels}")
        for wide, (kernel, stride) in product((channels, channels // 2), ((1, 1), (3, 1), (3, 2))):
            outputs.append(builder.conv(x, wide, kernel, stride))
        outputs += [builder.max_pool(x, 2), builder.max_pool(x, 3), builder.activation(x, "relu")]
    for width, features in product((256, 1024, 4096, 25088), (10, 1000, 4096)):
        vector = f"vector_{width}_{features}"
        outputs.append(builder.dense(builder.input(1, width, name=vector), features))
    return builder.build(*outputs)
