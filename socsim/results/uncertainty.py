"""How far off a simulated latency may be, from the errors of the parameter sets that it rests on.

Of each parameter set a profile tells between which factors of a prediction nine in ten measurements are expected: a
middle ``m`` and a half-width ``h`` in logarithms. Sets err independently, so an inference whose kernels take shares
``w`` of their time on sets is off by ``sum w m`` and ``sqrt(sum (w h)^2)``. What is no kernel (hand-overs, waiting)
has no error of its own, and is scaled along.

Two inferences of the same network are compared kernel by kernel. What both compute alike (the same operator, as long,
in the same set) errs alike. Other kernels of a set err alike by half: of the variance, :data:`ALIKE` is the set's and
the rest their own. So with shares of the time in kernels ``x`` (alike in both: the one's less the other's), ``a`` (in
one only) and ``b`` (in the other only), the logarithm of the ratio is off by the root of
``sum h^2 (ALIKE (x + a - b)^2 + (1 - ALIKE) (x^2 + a^2 + b^2))`` over the sets, and by ``|sum m (x + a - b)|``.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, isclose, log, sqrt
from typing import NamedTuple

from socsim.simulation.records import Basis

__all__ = ["ALIKE", "Timed", "difference_error", "latency_interval", "needs_less"]

Bases = Mapping[str, Basis]

ALIKE = 0.5
"""Correlation of the errors of two different lots of kernels of one set, for one network.

Between sets of cores it is 0.52 over the tables that come with socsim (0.13 to 0.98 by device and library); between
convolutions and all else of the GPU kernels of ``qed`` -0.01 to 0.18, between random halves of these -0.3 to 0.9.
"""
_MINOR = 0.05
"""Share of the time in kernels that may rest on sets of unknown error."""


class Timed(NamedTuple):
    """A simulated latency and what it rests on.

    Parameters
    ----------
    seconds
        Mean latency of one inference.
    bases
        Parameter sets of its kernels.
    """

    seconds: float
    bases: Bases


class _Shares(NamedTuple):
    """Of the time in kernels on one set, as shares of all in kernels: alike, in one only, in the other only."""

    alike: float
    one: float
    other: float


def latency_interval(bases: Bases) -> tuple[float, float] | None:
    """Factors of a simulated latency between which nine in ten real ones are expected; None where it is not known."""
    total = _known(bases)
    if total is None:
        return None
    middle = variance = 0.0
    for basis in bases.values():
        m, h = _logarithms(basis)
        middle += basis.seconds / total * m
        variance += (basis.seconds / total * h) ** 2
    return exp(middle - sqrt(variance)), exp(middle + sqrt(variance))


def difference_error(one: Bases, other: Bases) -> float | None:
    """Factor by which the ratio of two simulated latencies may be off in nine of ten cases; None where not known."""
    totals = _known(one), _known(other)
    if totals[0] is None or totals[1] is None:
        return None
    bias = variance = 0.0
    for key in one.keys() | other.keys():
        x, a, b = _compared(one.get(key), other.get(key), totals[0], totals[1])
        m, h = _logarithms(one[key] if key in one else other[key])
        bias += m * (x + a - b)
        variance += h**2 * (ALIKE * (x + a - b) ** 2 + (1.0 - ALIKE) * (x**2 + a**2 + b**2))
    return exp(abs(bias) + sqrt(variance))


def needs_less(one: Timed, other: Timed) -> bool:
    """Whether one is faster however far off the rates are.

    So it is if the other runs the same kernels and more, one after the other, and spends no less on all else.
    """
    rounding = 1e-9 * other.seconds
    own, others = (x.seconds - sum(basis.seconds for basis in x.bases.values()) for x in (one, other))
    if others < -rounding or own > others + rounding or one.seconds >= other.seconds:
        return False
    return all(
        key in other.bases and len(_alike(basis, other.bases[key])) == len(basis.operators)
        for key, basis in one.bases.items()
    )


def _known(bases: Bases) -> float | None:
    """Time in kernels; None if too much of it rests on sets of unknown error, or there is none."""
    total = sum(one.seconds for one in bases.values())
    unknown = sum(one.seconds for one in bases.values() if one.low is None)
    return total if total and unknown <= _MINOR * total else None


def _logarithms(basis: Basis) -> tuple[float, float]:
    """Middle and half-width of a set's interval; none of a set whose error is not known."""
    if basis.low is None or basis.high is None:
        return 0.0, 0.0
    low, high = log(basis.low), log(basis.high)
    return (low + high) / 2.0, (high - low) / 2.0


def _compared(one: Basis | None, other: Basis | None, first: float, second: float) -> _Shares:
    """What two inferences, with these times in kernels, compute on one set."""
    both = sum(_alike(one, other).values()) if one and other else 0.0
    own, others = (one.seconds - both if one else 0.0), (other.seconds - both if other else 0.0)
    return _Shares(both / first - both / second, own / first, others / second)


def _alike(one: Basis, other: Basis) -> dict[str, float]:
    """Operators that take as long in both, with their times in s."""
    return {
        op: seconds
        for op, seconds in one.operators.items()
        if isclose(seconds, other.operators.get(op, 0.0), rel_tol=1e-9)
    }
