"""A latency predictor that only counts operations: linear in FLOPs, as Neurosurgeon, uLayer and others assume."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from statistics import linear_regression

from socsim.errors import PlanError
from socsim.schedulers.plan import Placement
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import Part, part_work
from socsim.workloads.pricing import Pricer

__all__ = ["FlopsPredictor", "operator_kind", "profile_network"]

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


class FlopsPredictor:
    """Believes that time is linear in the operations, for each processor and kind of operator.

    For each processor, layout and kind (:func:`operator_kind`) a line ``a + b * operations`` is fitted by least squares
    to the times, alone on the idle phone, of the layers of :func:`profile_network`. Predictions are at least 0, and a
    share of an operator takes that share of its time. Kernel algorithms, small sizes and memory traffic are beyond it:
    CoDL's authors find 7 to 10.5 % of operators within 10 % of the truth.

    References
    ----------
    .. [1] F. Jia et al., "CoDL: Efficient CPU-GPU co-execution for deep learning inference on mobile devices",
       MobiSys 2022, section 2.2 and table 6.
    """

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer
        self._profile = Pricer(pricer.device, pricer.library, profile_network(), pricer.dtype)
        self._profile.cores = pricer.cores
        self._lines: dict[tuple[str, Placement], tuple[float, float]] = {}

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """Predicted time in s of a part of an operator.

        Raises
        ------
        PlanError
            The library cannot run it there.
        """
        where = (placement.processor, placement.layout, placement.dtype)
        obstacle = self._pricer.obstacle(op, *where)
        if obstacle:
            raise PlanError(f"operator {op.name!r} ({op.type}) cannot run on {placement.processor!r}: {obstacle}")
        intercept, slope = self._line(operator_kind(op), placement)
        return part.share * max(0.0, intercept + slope * part_work(self._pricer.graph, op))

    def _line(self, kind: str, placement: Placement) -> tuple[float, float]:
        if (kind, placement) not in self._lines:
            self._lines[kind, placement] = self._fit(kind, placement)
        return self._lines[kind, placement]

    def _fit(self, kind: str, placement: Placement) -> tuple[float, float]:
        """Intercept and slope; those of ``other`` for a kind of which the processor runs no profiled layer."""
        profile, where = self._profile, (placement.processor, placement.layout, placement.dtype)
        layers = [op for op in profile.graph if operator_kind(op) == kind and not profile.obstacle(op, *where)]
        if not layers:
            return self._line("other", placement) if kind != "other" else (0.0, 0.0)
        costs = [profile.cost(op, *where, placement.cores) for op in layers]
        times = [max(cost.time, cost.dispatch) for cost in costs]
        line = linear_regression([part_work(profile.graph, op) for op in layers], times)
        return line.intercept, line.slope


def operator_kind(op: Operator) -> str:
    """``"conv"``, ``"pool"``, ``"fc"`` or ``"other"``."""
    return _KINDS.get(op.type, "other")


@lru_cache(maxsize=1)
def profile_network() -> ModelGraph:
    """The layers that a profile times: independent, over a grid of shapes.

    Convolutions: square maps of 13, 26, 52, 104 and 208 pixels, 16 to 1024 channels in powers of 4 (at most 2**22
    elements) to as many or twice as many, kernels of 1, 3 and 5, strides of 1 and 2. Max pooling of windows of 2 and 3
    over the same maps. Fully connected layers from 256, 1024, 4096 and 25088 to 10, 1000 and 4096 features. Rectifiers
    over the same maps.
    """
    builder = GraphBuilder("profile")
    outputs: list[str] = []
    for size, channels in product((13, 26, 52, 104, 208), (16, 64, 256, 1024)):
        if size * size * channels > 2**22:
            continue
        x = builder.input(1, channels, size, size, name=f"map_{size}_{channels}")
        for wider, kernel, stride in product((1, 2), (1, 3, 5), (1, 2)):
            outputs.append(builder.conv(x, wider * channels, kernel, stride))
        outputs += [builder.max_pool(x, 2), builder.max_pool(x, 3), builder.activation(x, "relu")]
    for width, features in product((256, 1024, 4096, 25088), (10, 1000, 4096)):
        vector = f"vector_{width}_{features}"
        outputs.append(builder.dense(builder.input(1, width, name=vector), features))
    return builder.build(*outputs)
