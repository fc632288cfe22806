"""Schedulers by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from socsim.schedulers.base import Scheduler, StaticScheduler
from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.guard import check_time
from socsim.schedulers.predictors import check_predictor
from socsim.schedulers.specs import options_of, respelled
from socsim.schedulers.spelling import describe_spec, described, located, module_files, shortened, write_spec

__all__ = [
    "GROUP",
    "broken_schedulers",
    "common_options",
    "describe_scheduler",
    "locate_scheduler",
    "make_scheduler",
    "scheduler_files",
    "scheduler_names",
    "write_scheduler",
]

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

_BASES = "StaticScheduler or OnlineScheduler"
_CATALOGUE = Catalogue("scheduler", Scheduler, GROUP, _BUILT_IN, _BASES)

Spec = Scheduler | type[Scheduler] | str | Mapping[str, Any]


def scheduler_names() -> tuple[str, ...]:
    """Names of the schedulers that come with socsim, then of those that installed packages offer."""
    return _CATALOGUE.names()


def common_options(cls: type[Scheduler]) -> tuple[str, ...]:
    """Options that a class takes because it is a scheduler of its kind."""
    return (*_COMMON, *(_STATIC if issubclass(cls, StaticScheduler) else ()))


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
    if isinstance(spec, Scheduler):
        return spec
    if isinstance(spec, type):
        return _instance(spec, {}, spec.__name__)
    name, options = _CATALOGUE.unpack(spec)
    cls, given = _CATALOGUE.find(name)
    scheduler = _instance(cls, given | options, name)
    if options:
        scheduler.written = write_scheduler(spec)
    return scheduler


def broken_schedulers() -> dict[str, str]:
    """Schedulers that installed packages offer but that cannot be loaded, with what is wrong."""
    return _CATALOGUE.broken()


# --- specs as texts -----------------------------------------------------------------------------------------


def write_scheduler(spec: Spec) -> str:
    """How tables call what names a scheduler: as it was written, modules and files without their folders.

    An object is written as its class with the options that differ from their defaults, as far as it has attributes
    of their names.
    """
    return write_spec("scheduler", Scheduler, spec, lambda own: respelled(_differing(own), shortened))


def describe_scheduler(spec: Spec) -> Any:
    """What names a scheduler, as an experiment file has it; an object becomes its class with its options."""
    return describe_spec(Scheduler, spec, _differing)


def _differing(scheduler: Scheduler) -> dict[str, Any]:
    """Options of an object that can be written and are not its class's defaults."""
    cls = type(scheduler)
    parameters = {name: p.default for name, p in options_of(cls).items()}
    defaults = parameters | {n: getattr(cls, n) for n in common_options(cls) if n not in parameters}
    values = {name: getattr(scheduler, name, default) for name, default in defaults.items()}
    values["predictor"] = respelled(scheduler.predictor, described)
    plain = (bool, int, float, str)
    return {
        name: value
        for name, value in values.items()
        if (isinstance(value, plain) or name == "predictor") and value != defaults[name]
    }


def locate_scheduler(spec: Any, folder: Path) -> Any:
    """The same, with absolute paths of the files in `folder` that it names: modules of classes, and profiles."""
    return located(spec, folder)


def scheduler_files(spec: Any) -> list[Path]:
    """The files that a scheduler and its predictor come from, where `spec` tells their paths."""
    return module_files(spec)


# --- instances ----------------------------------------------------------------------------------------------


def _instance(cls: type, options: Mapping[str, Any], name: str) -> Scheduler:
    _CATALOGUE.check(cls, name)

    def check(attributes: Mapping[str, Any]) -> None:
        if "predictor" in attributes:
            check_predictor(attributes["predictor"])
        for setting in attributes.keys() - {"predictor"}:
            check_time(name, setting, attributes[setting])

    return cast(Scheduler, _CATALOGUE.make(cls, options, name, common_options(cls), check))
