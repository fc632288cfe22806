"""Latency predictors: what a scheduler believes an operator will cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from socsim.errors import UnknownNameError
from socsim.schedulers.flops import FlopsPredictor
from socsim.schedulers.plan import Placement
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer

__all__ = ["ExactPredictor", "Predictor", "make_predictor", "predictor_names"]


class Predictor(Protocol):
    """Predicts times of operators alone on their processor."""

    constant: bool
    """Whether the same question always has the same answer."""

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """Predicted time in s of a part of an operator."""


class ExactPredictor:
    """Knows the device's own cost law: an oracle for the idle phone at its highest clocks."""

    constant = True

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """The kernel's time alone; its dispatch where that is longer."""
        p = placement
        cost = self._pricer.cost(op, p.processor, p.layout, p.dtype, p.cores, part)
        return max(cost.time, cost.dispatch)


def make_predictor(name: str, pricer: Pricer) -> Predictor:
    """A predictor by name.

    Raises
    ------
    UnknownNameError
        No predictor of that name.
    """
    if name not in _PREDICTORS:
        raise UnknownNameError("predictor", name, _PREDICTORS)
    return _PREDICTORS[name](pricer)


def predictor_names() -> tuple[str, ...]:
    """Names that :func:`make_predictor` knows."""
    return tuple(_PREDICTORS)


_PREDICTORS: dict[str, Callable[[Pricer], Predictor]] = {"exact": ExactPredictor, "flops": FlopsPredictor}
