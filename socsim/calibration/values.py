"""What is fitted of a parameter set, as arrays; and its way to and from a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from socsim.calibration.features import FloatArray
from socsim.devices.device import Calibration, ClusterFactors, KernelRate

__all__ = ["BY_CLASS", "BY_CLUSTER", "SCALARS", "Values"]

BY_CLASS = (
    "efficiency", "half_work", "half_depth", "half_channels", "half_pixels", "half_outputs", "serial_share",
)  # fmt: skip
"""Quantities of every kernel class, as of :class:`socsim.devices.device.KernelRate`."""
BY_CLUSTER = ("overhead",)
"""Quantities of every CPU cluster."""
SCALARS = (
    "kernel_overhead", "inference_overhead", "dispatch", "host_overhead", "fork_join", "bandwidth_share", "crossing",
)  # fmt: skip
"""Single quantities, as of :class:`socsim.devices.device.Calibration`."""


@dataclass(frozen=True)
class Values:
    """One parameter set.

    Parameters
    ----------
    classes, clusters
        Names that the arrays run over.
    arrays
        Quantity -> array: over classes those of :data:`BY_CLASS`; over clusters ``overhead``; over clusters, then
        classes ``speed``; of one element those of :data:`SCALARS`.
    """

    classes: tuple[str, ...]
    clusters: tuple[str, ...]
    arrays: Mapping[str, FloatArray]

    def __getitem__(self, quantity: str) -> FloatArray:
        return self.arrays[quantity]

    def scalar(self, quantity: str) -> float:
        """One of :data:`SCALARS`."""
        return float(self.arrays[quantity][0])

    def replaced(self, quantity: str, array: FloatArray) -> Values:
        """These with another array."""
        return Values(self.classes, self.clusters, {**self.arrays, quantity: array})

    @classmethod
    def neutral(cls, classes: Sequence[str], clusters: Sequence[str] = ()) -> Values:
        """Kernels at their peak, without any fixed cost."""
        n, m = len(classes), len(clusters)
        arrays = {name: np.zeros(n) for name in BY_CLASS} | {name: np.zeros(1) for name in SCALARS}
        arrays |= {"efficiency": np.ones(n), "bandwidth_share": np.ones(1)}
        arrays |= {"overhead": np.ones(m), "speed": np.ones((m, n))}
        return cls(tuple(classes), tuple(clusters), arrays)

    def calibration(self, key: tuple[str, str, str, str]) -> Calibration:
        """The parameter set as the simulator takes it; the last class is that of kernels that are not listed.

        Parameters
        ----------
        key
            Library, processor, dtype, layout.
        """
        rates = {
            name: KernelRate(**dict[str, Any]({q: float(self[q][i]) for q in BY_CLASS}))
            for i, name in enumerate(self.classes)
        }
        rates.setdefault("other", rates[self.classes[-1]])
        factors = {
            cluster: ClusterFactors(
                kernels=dict(zip(self.classes, map(float, self["speed"][i]), strict=True)),
                overhead=float(self["overhead"][i]),
            )
            for i, cluster in enumerate(self.clusters)
        }
        scalars: dict[str, Any] = {name: self.scalar(name) for name in SCALARS}
        return Calibration(*key, kernels=rates, clusters=factors, **scalars)
