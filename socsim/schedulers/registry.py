"""Schedulers by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.base import Scheduler, StaticScheduler
from socsim.schedulers.predictors import check_predictor
from socsim.schedulers.specs import (
    check_options,
    clear_failure,
    import_class,
    options_of,
    parse_spec,
    unpack_spec,
)

__all__ = ["GROUP", "common_options", "make_scheduler", "scheduler_names"]

GROUP = "socsim.schedulers"
"""Entry point group in which packages offer schedulers: ``name = "module:Class"``."""

_BUILT_IN = {
    "cpu": "socsim.schedulers.single:SingleProcessor(processor='cpu')",
    "gpu": "socsim.schedulers.single:SingleProcessor(processor='gpu')",
    "dsp": "socsim.schedulers.single:SingleProcessor(processor='dsp')",
    "npu": "socsim.schedulers.single:SingleProcessor(processor='npu')",
    "mulayer": "socsim.schedulers.mulayer:MuLayer",
    "codl": "socsim.schedulers.codl:CoDL",
    "band": "socsim.schedulers.band:Band",
    "heft": "socsim.schedulers.heft:HEFT",
    "peft": "socsim.schedulers.heft:PEFT",
    "mosaic": "socsim.schedulers.mosaic:Mosaic",
    "greedy": "socsim.schedulers.greedy:Greedy",
    "optimal": "socsim.schedulers.optimal:Optimal",
}

_COMMON = ("decision_time", "predictor")
"""Attributes of every scheduler that may be given as options."""

_STATIC = ("replan_period",)
"""Attributes of every scheduler that plans."""

Spec = Scheduler | type[Scheduler] | str | Mapping[str, Any]


def scheduler_names() -> tuple[str, ...]:
    """Names of the schedulers that come with socsim, then of those that installed packages offer."""
    return (*_BUILT_IN, *sorted(_offered().keys() - _BUILT_IN.keys()))


def common_options(cls: type[Scheduler]) -> tuple[str, ...]:
    """Options that a class takes because it is a scheduler of its kind."""
    return (*_COMMON, *(_STATIC if issubclass(cls, StaticScheduler) else ()))


def make_scheduler(spec: Spec) -> Scheduler:
    """A scheduler from whatever names one.

    Parameters
    ----------
    spec
        A scheduler (returned); a class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in
        the working directory too; or a mapping with ``name`` and options, beside it or under ``options``.
        Every scheduler takes ``predictor`` (see :func:`socsim.schedulers.predictors.make_predictor`) and
        ``decision_time`` (s) as options; one that plans takes ``replan_period`` (s) too.

    Raises
    ------
    UnknownNameError
        No such scheduler, module, class or predictor.
    UsageError
        An unknown or missing option, or something that is no scheduler.
    """
    if isinstance(spec, Scheduler):
        return spec
    if isinstance(spec, type):
        return _instance(spec, {}, spec.__name__)
    if isinstance(spec, str):
        name, options = parse_spec("scheduler", spec)
    elif isinstance(spec, Mapping):
        name, options = unpack_spec("scheduler", spec)
    else:
        raise UsageError(
            f"a scheduler is a name, a class, an object or a mapping, got {type(spec).__name__}: {spec!r}"
        )
    cls, given = _class(name)
    return _instance(cls, given | options, name)


# --- classes ------------------------------------------------------------------------------------------------


def _class(name: str) -> tuple[type, dict[str, Any]]:
    """The class that a name stands for, and the options that the name implies."""
    target, options = parse_spec("scheduler", _BUILT_IN.get(name, name))
    if ":" in target:
        return import_class("scheduler", target, Scheduler), options
    offered = _offered()
    if name not in offered:
        hint = "Your own is written 'module:Class'."
        raise UnknownNameError("scheduler", name, {*_BUILT_IN, *offered}, hint)
    with clear_failure(f"scheduler {name!r}: loading {offered[name].value!r} failed"):
        loaded: type = offered[name].load()
    return loaded, {}


def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


# --- instances ----------------------------------------------------------------------------------------------


def _instance(cls: type, options: Mapping[str, Any], name: str) -> Scheduler:
    if not issubclass(cls, Scheduler):
        raise UsageError(
            f"scheduler {name!r}: {cls.__name__} must be a subclass of StaticScheduler or OnlineScheduler"
        )
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise UsageError(f"scheduler {name!r}: {cls.__name__} lacks {missing}()")
    own, common = _sorted_options(cls, options, name)
    with clear_failure(f"scheduler {name!r}: making {cls.__name__} failed"):
        scheduler = cls(**own)
    for attribute, value in common.items():
        setattr(scheduler, attribute, value)
    return scheduler


def _sorted_options(
    cls: type[Scheduler], options: Mapping[str, Any], name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for the constructor, and attributes to set."""
    parameters, common = options_of(cls), common_options(cls)
    check_options(f"scheduler {name!r}", options, parameters, common)
    attributes = {key: value for key, value in options.items() if key in common and key not in parameters}
    _check_common(attributes, name)
    return {key: value for key, value in options.items() if key not in attributes}, attributes


def _check_common(options: Mapping[str, Any], name: str) -> None:
    if "predictor" in options:
        check_predictor(options["predictor"])
    for key in ("decision_time", "replan_period"):
        time = options.get(key, 0.0)
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not time >= 0.0:
            raise UsageError(f"scheduler {name!r}: {key} must be at least 0 seconds, got {time!r}")
