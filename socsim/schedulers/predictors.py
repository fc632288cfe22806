"""Latency predictors by name: what a scheduler believes an operator will cost."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Bench, Predictor
from socsim.schedulers.specs import (
    check_options,
    clear_failure,
    import_class,
    options_of,
    parse_spec,
    short_name,
    unpack_spec,
)
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer

__all__ = [
    "BlindPredictor",
    "ExactPredictor",
    "Predictor",
    "Spec",
    "check_predictor",
    "make_predictor",
    "predictor_class",
    "predictor_names",
    "predictor_title",
]

Spec = str | Mapping[str, Any] | type[Predictor] | Predictor

BLIND_TIME = 1e-3
"""What the blind predictor takes every operator for, in s."""


class ExactPredictor(Predictor):
    """Knows the device's own cost law: an oracle for the idle phone at its highest clocks."""

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """The kernel's time alone; its dispatch where that is longer."""
        p = placement
        cost = self._pricer.cost(op, p.processor, p.layout, p.dtype, p.cores, part)
        return max(cost.time, cost.dispatch)


class BlindPredictor(Predictor):
    """Knows nothing about times: every operator takes 1 ms on every processor, a part of one its share of that.

    Handing tensors over and invoking a processor are free to it: who has timed nothing has not timed these
    either. What it schedules by is the network's shape, what each processor supports, and how much is queued.
    """

    sharing = False

    def __init__(self, pricer: Pricer) -> None:
        pass

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """1 ms times the share, in s."""
        return BLIND_TIME * min(1.0, part.share)


_BUILT_IN = {
    "exact": "socsim.schedulers.predictors:ExactPredictor",
    "profile": "socsim.schedulers.profile:ProfilePredictor",
    "flops": "socsim.schedulers.flops:FlopsPredictor",
    "online": "socsim.schedulers.learning:OnlinePredictor",
    "blind": "socsim.schedulers.predictors:BlindPredictor",
}


def predictor_names() -> tuple[str, ...]:
    """Names that :func:`make_predictor` knows."""
    return tuple(_BUILT_IN)


def make_predictor(spec: Spec, pricer: Pricer, bench: Bench | None = None) -> Predictor:
    """A predictor from whatever names one.

    Parameters
    ----------
    spec
        A name; ``"name(option=value, ...)"``; a mapping with ``name`` and options; the path of a profile
        (``.csv``); ``"module:Class"``, ``"file.py:Class"`` or a class, which is called with the pricer and the
        options; or a predictor (returned).
    pricer
        The network under its library on its device.
    bench
        An idle phone to measure on, for classes with a parameter ``bench``; None where there is none.

    Raises
    ------
    UnknownNameError
        No such predictor, module or class.
    UsageError
        An unknown or missing option, or something that is no predictor.
    FileError
        A profile that breaks its rules.
    """
    if isinstance(spec, Predictor):
        return spec
    cls, options = _resolved(spec)
    given = {**options, "bench": bench} if "bench" in inspect.signature(cls).parameters else options
    making: Any = cls
    with clear_failure(f"predictor {predictor_title(spec)!r}: making {cls.__name__} failed"):
        made: Predictor = making(pricer, **given)
    return made


def check_predictor(spec: Spec) -> None:
    """Check a predictor's name and options, and files that they name, before there is anything to predict for.

    Raises the errors of :func:`make_predictor`.
    """
    if isinstance(spec, Predictor):
        return
    cls, options = _resolved(spec)
    verify = getattr(cls, "verify", None)
    if verify is not None:
        verify(**options)


def predictor_class(spec: Spec) -> type[Predictor]:
    """The class behind a name, mapping or predictor.

    Raises
    ------
    UnknownNameError
        No such predictor, module or class.
    UsageError
        Something that is no predictor.
    """
    return type(spec) if isinstance(spec, Predictor) else _resolved(spec)[0]


def predictor_title(spec: Spec) -> str:
    """Name for tables, without options."""
    if isinstance(spec, (str, Mapping)):
        return short_name(_unpacked(spec)[0])
    return spec.__name__ if isinstance(spec, type) else type(spec).__name__


def _resolved(spec: object) -> tuple[type[Predictor], dict[str, Any]]:
    """Class and checked options."""
    if isinstance(spec, type):
        cls, options, name = spec, dict[str, Any](), spec.__name__
    elif isinstance(spec, (str, Mapping)):
        name, options = _unpacked(spec)
        cls = _class(name)
    else:
        raise UsageError(
            f"a predictor is a name, a class or a mapping with a name, got {type(spec).__name__}: {spec!r}; "
            f"names are {', '.join(_BUILT_IN)}"
        )
    if not issubclass(cls, Predictor) or inspect.isabstract(cls):
        raise UsageError(
            f"predictor {name!r}: {cls.__name__} must be a subclass of "
            "socsim.schedulers.prediction.Predictor with a method time()"
        )
    parameters = {key: p for key, p in options_of(cls, skip=1).items() if key != "bench"}
    check_options(f"predictor {name!r}", options, parameters)
    return cls, options


def _unpacked(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(spec, Mapping):
        return unpack_spec("predictor", spec)
    if spec.endswith(".csv"):
        return "profile", {"path": spec}
    return parse_spec("predictor", spec)


def _class(name: str) -> type:
    target = _BUILT_IN.get(name, name)
    if ":" not in target:
        hint = "(or the path of a profile .csv, or your own module:Class)"
        raise UnknownNameError("predictor", name, _BUILT_IN, hint)
    return import_class("predictor", target, Predictor)
