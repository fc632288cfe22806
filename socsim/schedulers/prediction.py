"""What a latency predictor is, and what it may be given to learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from socsim.errors import PlanError
from socsim.schedulers.plan import Placement
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer

__all__ = ["Bench", "Meter", "Predictor", "check_supported", "settle"]


class Predictor(ABC):
    """Predicts times of operators alone on their processor.

    Your own is a class that is called with a :class:`Pricer`, and with the options that a user gives.
    """

    constant: bool = True
    """Whether the same question always has the same answer; if not, :meth:`observe` is called."""

    sharing: bool = True
    """Whether it knows what handing tensors over and invoking a processor costs; if not, both are free."""

    @abstractmethod
    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """Predicted time in s of a part of an operator.

        Raises
        ------
        PlanError
            The library cannot run it there.
        """

    def observe(self, op: Operator, placement: Placement, part: Part, seconds: float) -> None:
        """Be told what a part of an operator took in the running system; ignored here.

        Parameters
        ----------
        seconds
            From its start on the processor to its end, slowed by whatever else ran; without the fixed cost of
            an invocation.
        """
        return


class Meter(Protocol):
    """Measures parts of operators on an idle phone."""

    def __call__(self, op: Operator, placement: Placement, part: Part) -> float:
        """Mean time in s over the meter's repetitions."""


class Bench(Protocol):
    """An idle phone to measure on: what profiling needs, and what only the simulator has."""

    def __call__(self, pricer: Pricer, *, repetitions: int = 1, noise: bool = False, seed: int = 0) -> Meter:
        """A meter for one network under one library on one device.

        Parameters
        ----------
        repetitions
            How often each part is run.
        noise, seed
            Whether run-to-run spread is drawn, and from which seed.
        """


def check_supported(pricer: Pricer, op: Operator, placement: Placement) -> None:
    """Refuse what the library cannot run.

    Raises
    ------
    PlanError
        Why it cannot.
    """
    obstacle = pricer.obstacle(op, placement.processor, placement.layout, placement.dtype)
    if obstacle:
        raise PlanError(f"operator {op.name!r} ({op.type}) cannot run on {placement.processor!r}: {obstacle}")


def settle(pricer: Pricer, placement: Placement) -> Placement:
    """A placement with everything told: layout, data type and, on the CPU, cores."""
    p = placement
    calibration = pricer.calibration(p.processor, p.layout, p.dtype)
    cores = pricer.device.core_names(pricer.team(p.cores)) if p.processor == "cpu" else ""
    return Placement(p.processor, calibration.layout, calibration.dtype, cores)
