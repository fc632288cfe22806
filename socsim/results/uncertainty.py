"""How far a simulated latency may be off, from the errors of the parameter sets that it rests on.

Of each parameter set a profile tells between which factors of a prediction nine in ten measurements lay. Sets err
independently; all kernels of one set err alike. So an inference whose kernels take shares ``w`` of its time on sets
with half-widths ``h`` (of the logarithm) is off by ``sqrt(sum (w h)^2)``, and two inferences differ by what their
shares do: ``sqrt(sum ((w1 - w2) h)^2)``. What both compute alike cancels. Time without kernels has no error here.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, hypot, log

from socsim.simulation.records import Basis

__all__ = ["difference_error", "latency_interval"]

_MINOR = 0.05
"""Share of the time in kernels that may rest on sets of unknown error."""


def latency_interval(bases: Mapping[str, Basis]) -> tuple[float, float] | None:
    """Factors of a simulated latency between which nine in ten real ones are expected; None where it is not known."""
    shares = _shares(bases)
    if shares is None:
        return None
    low = hypot(*(w * log(b.low) for w, b in shares.values() if b.low is not None))
    high = hypot(*(w * log(b.high) for w, b in shares.values() if b.high is not None))
    return exp(-low), exp(high)


def difference_error(one: Mapping[str, Basis], other: Mapping[str, Basis]) -> float | None:
    """Factor by which the ratio of two simulated latencies may be off in nine of ten cases; None where not known."""
    first, second = _shares(one), _shares(other)
    if first is None or second is None:
        return None
    widths = []
    for key in first.keys() | second.keys():
        w1, basis = first.get(key) or (0.0, second[key][1])
        w2 = second[key][0] if key in second else 0.0
        if basis.low is not None and basis.high is not None:
            widths.append((w1 - w2) * log(basis.high / basis.low) / 2.0)
    return exp(hypot(*widths))


def _shares(bases: Mapping[str, Basis]) -> dict[str, tuple[float, Basis]] | None:
    """Share of the time in kernels by set; None if too much of it rests on sets of unknown error, or there is none."""
    total = sum(one.seconds for one in bases.values())
    unknown = sum(one.seconds for one in bases.values() if one.low is None)
    if not total or unknown > _MINOR * total:
        return None
    return {key: (one.seconds / total, one) for key, one in bases.items()}
