"""Schedulers by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socsim.schedulers.base import Scheduler, StaticScheduler
from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.guard import check_time
from socsim.schedulers.predictors import check_predictor

__all__ = ["GROUP", "SCHEDULERS", "Spec", "make_scheduler"]

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
    "band_fixed": "socsim.schedulers.band_online:BandFixed",
    "band_rr": "socsim.schedulers.band_online:BandRoundRobin",
    "band_sel": "socsim.schedulers.band_online:BandShortest",
    "band_lst": "socsim.schedulers.band_online:BandLeastSlack",
    "band_heft": "socsim.schedulers.band_online:BandHeft",
    "heft": "socsim.schedulers.heft:HEFT",
    "peft": "socsim.schedulers.heft:PEFT",
    "mosaic": "socsim.schedulers.mosaic:Mosaic",
    "greedy": "socsim.schedulers.greedy:Greedy",
    "aware": "socsim.schedulers.aware:Aware",
    "optimal": "socsim.schedulers.optimal:Optimal",
}

_COMMON = ("decision_time", "predictor")
"""Attributes of every scheduler that may be given as options."""

_STATIC = ("replan_period",)
"""Attributes of every scheduler that plans."""

Spec = Scheduler | type[Scheduler] | str | Mapping[str, Any]


def _common(cls: type) -> tuple[str, ...]:
    """Options that a class takes because it is a scheduler of its kind."""
    return (*_COMMON, *(_STATIC if issubclass(cls, StaticScheduler) else ()))


def _check(name: str, options: Mapping[str, Any]) -> None:
    if "predictor" in options:
        check_predictor(options["predictor"])
    for setting in options.keys() - {"predictor"}:
        check_time(name, setting, options[setting])


SCHEDULERS: Catalogue[Scheduler] = Catalogue(
    "scheduler",
    Scheduler,
    GROUP,
    _BUILT_IN,
    bases="StaticScheduler or OnlineScheduler",
    common=_common,
    check=_check,
)
"""All that have names."""


def make_scheduler(spec: Spec) -> Scheduler:
    """A scheduler from whatever names one.

    Parameters
    ----------
    spec
        A scheduler (returned); a class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in
        the working directory too; ``"file.py:Class"``; or a mapping with ``name`` and options, beside it or under
        ``options``. Every scheduler takes ``predictor`` (see
        :func:`socsim.schedulers.predictors.make_predictor`) and ``decision_time`` (s) as options; one that plans
        takes ``replan_period`` (s) too. One with options is titled as it was written.

    Raises
    ------
    UnknownNameError
        No such scheduler, module, class or predictor.
    UsageError
        An unknown or missing option, or something that is no scheduler.
    """
    return spec if isinstance(spec, Scheduler) else SCHEDULERS.make(spec)
