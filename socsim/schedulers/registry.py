"""Schedulers by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from socsim.errors import SocsimError, UnknownNameError, UsageError
from socsim.schedulers import modules
from socsim.schedulers.base import Scheduler, StaticScheduler
from socsim.schedulers.guard import check_time
from socsim.schedulers.predictors import check_predictor
from socsim.schedulers.specs import (
    check_options,
    clear_failure,
    import_class,
    options_of,
    parse_spec,
    respelled,
    short_name,
    unpack_spec,
)

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
    if isinstance(spec, str):
        name, options = parse_spec("scheduler", spec)
    elif isinstance(spec, Mapping):
        name, options = unpack_spec("scheduler", spec)
    else:
        raise UsageError(
            f"a scheduler is a name, a class, an object or a mapping, got {type(spec).__name__}: {spec!r}"
        )
    cls, given = _class(name)
    scheduler = _instance(cls, given | options, name)
    if options:
        scheduler.written = write_scheduler(spec)
    return scheduler


def broken_schedulers() -> dict[str, str]:
    """Schedulers that installed packages offer but that cannot be loaded, with what is wrong."""
    faults: dict[str, str] = {}
    for name in _offered().keys() - _BUILT_IN.keys():
        try:
            _class(name)
        except SocsimError as error:
            faults[name] = str(error)
    return faults


# --- specs as texts -----------------------------------------------------------------------------------------


def write_scheduler(spec: Spec) -> str:
    """How tables call what names a scheduler: as it was written, modules and files without their folders.

    An object is written as its class with the options that differ from their defaults, as far as it has attributes
    of their names.
    """
    if isinstance(spec, Scheduler):
        return spec.written or spec.title + _listed(respelled(_differing(spec), _shortened))
    return _text(respelled(spec, _shortened))


def _shortened(part: Any) -> Any:
    if isinstance(part, Path):
        return part.name
    if isinstance(part, str):
        return short_name(part)
    return part.__name__ if isinstance(part, type) else type(part).__name__


def _text(spec: Any) -> str:
    """A mapping as ``name(option=value, ...)``; in it, those that are options too."""
    if not isinstance(spec, Mapping) or "name" not in spec:
        return str(spec)
    name, options = unpack_spec("scheduler", spec)
    return name + _listed(options)


def _listed(options: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{key}={_text(value)}' for key, value in options.items())})" if options else ""


def describe_scheduler(spec: Spec) -> Any:
    """What names a scheduler, as an experiment file has it; an object becomes its class with its options."""
    if not isinstance(spec, Scheduler):
        return respelled(spec, _described)
    options = _differing(spec)
    return {"name": _class_path(spec), **options} if options else _class_path(spec)


def _described(part: Any) -> str:
    return str(part) if isinstance(part, (str, Path)) else _class_path(part)


def _class_path(made: object) -> str:
    cls = made if isinstance(made, type) else type(made)
    return f"{cls.__module__}:{cls.__qualname__}"


def _differing(scheduler: Scheduler) -> dict[str, Any]:
    """Options of an object that can be written and are not its class's defaults."""
    cls = type(scheduler)
    parameters = {name: p.default for name, p in options_of(cls).items()}
    defaults = parameters | {n: getattr(cls, n) for n in common_options(cls) if n not in parameters}
    values = {name: getattr(scheduler, name, default) for name, default in defaults.items()}
    values["predictor"] = respelled(scheduler.predictor, _described)
    plain = (bool, int, float, str)
    return {
        name: value
        for name, value in values.items()
        if (isinstance(value, plain) or name == "predictor") and value != defaults[name]
    }


def locate_scheduler(spec: Any, folder: Path) -> Any:
    """The same, with absolute paths of the files in `folder` that it names: modules of classes, and profiles."""

    def located(part: Any) -> Any:
        if isinstance(part, Path):
            return str((folder / part).absolute())
        file = _module_file(part, folder)
        return f"{file}:{part.rpartition(':')[2]}" if file else part

    return respelled(spec, located)


def scheduler_files(spec: Any) -> list[Path]:
    """The files that a scheduler and its predictor come from, where `spec` tells their paths."""
    files: list[Path] = []

    def note(part: Any) -> Any:
        file = part if isinstance(part, Path) else _module_file(part, Path.cwd())
        if file and str(part).startswith("/"):
            files.append(file)
        return part

    respelled(spec, note)
    return files


def _module_file(part: Any, folder: Path) -> Path | None:
    module, colon, _ = part.rpartition(":") if isinstance(part, str) else ("", "", "")
    return modules.module_file(module, folder) if colon else None


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
    for setting in options.keys() - {"predictor"}:
        check_time(name, setting, options[setting])
