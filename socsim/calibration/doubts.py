"""What a parameter set should not be trusted for, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log
from statistics import median

import numpy as np

from socsim.calibration.fit import Fit, Series
from socsim.calibration.metrics import accuracy
from socsim.devices.device import Device

__all__ = ["doubts"]

_FAR = 30.0
"""Factor either way from what hardware facts suggest beyond which a unit was mistaken, rather than a library slow."""
_MISSED = 0.5
"""Mean error of a fit on its own rows beyond which they are not what they are taken for."""


def doubts(device: Device, processor: str, found: Fit, series: Sequence[Series]) -> Iterable[str]:
    """Sentences about a parameter set; none where all is as it should be.

    Parameters
    ----------
    series
        Measurements of whole networks.
    """
    yield from _scale(found, series)
    error = _error(found, series)
    if error > _MISSED:
        yield (
            f"the best fit misses its own rows by {100 * error:.0f} % on average; are they of what their columns say "
            "(cores, precision, model)?"
        )
    if processor == "cpu":
        yield from _unseen(device, found)


def _scale(found: Fit, series: Sequence[Series]) -> Iterable[str]:
    expected = found.space.values(found.space.start)
    ratios = np.concatenate([s.seconds / s.model.latencies(expected) for s in series])
    ratio = exp(median(log(r) for r in ratios))
    if not 1.0 / _FAR < ratio < _FAR:
        times = f"{ratio:.3g} times" if ratio > 1.0 else f"1/{1.0 / ratio:.3g} of"
        yield f"latencies are {times} what the hardware suggests; is latency_ms in milliseconds?"


def _error(found: Fit, series: Sequence[Series]) -> float:
    fitted = [s.model.latencies(found.values) for s in series]
    return accuracy(np.concatenate([s.seconds for s in series]), np.concatenate(fitted)).mape


def _unseen(device: Device, found: Fit) -> Iterable[str]:
    """Clusters that no row ran on: nothing tells how their cores differ from the others."""
    shown = found.values.clusters
    unseen = [c.name for c in device.clusters if c.name not in shown]
    if unseen:
        yield (
            f"no row ran on {' or '.join(unseen)}, which {'is' if len(unseen) == 1 else 'are'} taken to reach the same "
            f"shares of the peak as {shown[0]}"
        )
