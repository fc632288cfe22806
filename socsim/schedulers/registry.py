"""Schedulers by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from socsim.errors import SocsimError, UnknownNameError, UsageError, nearest
from socsim.schedulers import modules
from socsim.schedulers.base import Scheduler
from socsim.schedulers.guard import check_decision_time
from socsim.schedulers.predictors import predictor_names

__all__ = [
    "GROUP",
    "broken_schedulers",
    "describe_scheduler",
    "locate_scheduler",
    "make_scheduler",
    "scheduler_file",
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
    "heft": "socsim.schedulers.heft:HEFT",
    "peft": "socsim.schedulers.heft:PEFT",
    "mosaic": "socsim.schedulers.mosaic:Mosaic",
    "greedy": "socsim.schedulers.greedy:Greedy",
    "optimal": "socsim.schedulers.optimal:Optimal",
}

_COMMON = ("decision_time", "predictor")
"""Attributes of every scheduler that may be given as options."""

_SPEC = re.compile(r"\s*(?P<name>(?:/.*/)?[^()\s]+)\s*(?:\((?P<options>.*)\))?\s*", re.DOTALL)
_WORDS = {"true": True, "false": False, "none": None, "null": None}

Spec = Scheduler | type[Scheduler] | str | Mapping[str, Any]


def scheduler_names() -> tuple[str, ...]:
    """Names of the schedulers that come with socsim, then of those that installed packages offer."""
    return (*_BUILT_IN, *sorted(_offered().keys() - _BUILT_IN.keys()))


def make_scheduler(spec: Spec) -> Scheduler:
    """A scheduler from whatever names one.

    Parameters
    ----------
    spec
        A scheduler (returned); a class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in
        the working directory too; ``"file.py:Class"``; or a mapping with ``name`` and options, beside it or under
        ``options``. Every scheduler takes ``predictor`` and ``decision_time`` (s) as options. One with options is
        titled as it was written.

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
        name, options = _parsed(spec)
    elif isinstance(spec, Mapping):
        name, options = _unpacked(spec)
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
    """How tables call what names a scheduler: as it was written, modules without their folders.

    An object is written as its class with the options that differ from their defaults, as far as it has attributes
    of their names.
    """
    if isinstance(spec, str):
        name = _parsed(spec)[0]
        return spec.strip().replace(name, _short(name), 1)
    if isinstance(spec, Mapping):
        name, options = _unpacked(spec)
        return _short(name) + _listed(options)
    if isinstance(spec, type):
        return spec.__name__
    return spec.written or spec.title + _listed(_differing(spec))


def describe_scheduler(spec: Spec) -> Any:
    """What names a scheduler, as an experiment file has it; an object becomes its class with its options."""
    if isinstance(spec, (str, Mapping)):
        return spec
    cls = spec if isinstance(spec, type) else type(spec)
    name = f"{cls.__module__}:{cls.__qualname__}"
    options = _differing(spec) if isinstance(spec, Scheduler) else {}
    return {"name": name, **options} if options else name


def locate_scheduler(spec: Any, folder: Path) -> Any:
    """The same, with the path of the file where the class is in a module in `folder`; all else as it is."""
    if isinstance(spec, Mapping) and isinstance(spec.get("name"), str):
        return {**spec, "name": locate_scheduler(spec["name"], folder)}
    file = _file(spec, folder) if isinstance(spec, str) else None
    if file is None:
        return spec
    name = _parsed(spec)[0]
    return spec.strip().replace(name, f"{file}:{name.rpartition(':')[2]}", 1)


def scheduler_file(spec: Any) -> Path | None:
    """The file that a scheduler's class comes from, where `spec` tells its path."""
    name = spec.get("name") if isinstance(spec, Mapping) else spec
    return _file(name, Path.cwd()) if isinstance(name, str) and name.strip().startswith("/") else None


def _file(spec: str, folder: Path) -> Path | None:
    match = _SPEC.fullmatch(spec)
    module, colon, _ = match["name"].rpartition(":") if match else ("", "", "")
    return modules.module_file(module, folder) if colon else None


def _short(name: str) -> str:
    """``/folder/mine.py:Class`` as ``mine:Class``."""
    module, colon, cls = name.rpartition(":")
    return f"{Path(module).stem}:{cls}" if colon and module.endswith(".py") else name


def _listed(options: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{key}={value}' for key, value in options.items())})" if options else ""


def _differing(scheduler: Scheduler) -> dict[str, Any]:
    """Options of an object that are plain values and not its class's defaults."""
    parameters = {n: p.default for n, p in inspect.signature(type(scheduler)).parameters.items()}
    defaults = parameters | {
        name: getattr(type(scheduler), name) for name in _COMMON if name not in parameters
    }
    values = {name: getattr(scheduler, name, default) for name, default in defaults.items()}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, (bool, int, float, str)) and value != defaults[name]
    }


# --- specs --------------------------------------------------------------------------------------------------


def _parsed(spec: str) -> tuple[str, dict[str, Any]]:
    match = _SPEC.fullmatch(spec)
    if not match:
        raise UsageError(f"a scheduler is written 'name' or 'name(option=value, ...)', got {spec!r}")
    options: dict[str, Any] = {}
    for item in re.split(r",\s*(?=\w+\s*=)", match["options"] or ""):
        key, equals, value = item.partition("=")
        if equals:
            options[key.strip()] = _value(value.strip())
        elif item.strip():
            raise UsageError(f"scheduler {spec!r}: options are written option=value, got {item.strip()!r}")
    return match["name"], options


def _value(text: str) -> Any:
    """A Python literal, a word such as ``true``, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return _WORDS.get(text.lower(), text)


def _unpacked(spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if not isinstance(spec.get("name"), str):
        raise UsageError(
            f"a scheduler's mapping needs a name, got the keys {', '.join(map(str, spec)) or 'none'}"
        )
    name, options = _parsed(spec["name"])
    nested = spec.get("options") or {}
    if not isinstance(nested, Mapping):
        raise UsageError(f"scheduler {name!r}: options must be a mapping, got {nested!r}")
    beside = {key: value for key, value in spec.items() if key not in ("name", "options")}
    return name, options | dict(nested) | beside


# --- classes ------------------------------------------------------------------------------------------------


def _class(name: str) -> tuple[type, dict[str, Any]]:
    """The class that a name stands for, and the options that the name implies."""
    target, options = _parsed(_BUILT_IN.get(name, name))
    if ":" in target:
        return _imported(target), options
    offered = _offered()
    if name not in offered:
        hint = "Your own is written 'module:Class'."
        raise UnknownNameError("scheduler", name, {*_BUILT_IN, *offered}, hint)
    with _clear_failure(f"scheduler {name!r}: loading {offered[name].value!r} failed"):
        loaded: type = offered[name].load()
    return loaded, {}


def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _imported(target: str) -> type:
    module_name, _, class_name = target.rpartition(":")
    with _clear_failure(f"scheduler {target!r}: importing module {module_name!r} failed"):
        module = modules.import_module(module_name)
    found = getattr(module, class_name, None)
    if isinstance(found, type):
        return found
    classes = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Scheduler)]
    raise UnknownNameError(f"scheduler class of module {module_name!r}:", class_name, classes)


@contextmanager
def _clear_failure(what: str) -> Iterator[None]:
    """Say in one sentence what failed in code that is not ours, and where."""
    try:
        yield
    except SocsimError:
        raise
    except Exception as error:
        raise UsageError(f"{what}: {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: Exception) -> str:
    """The last place outside Python's own machinery."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and file not in (__file__, modules.__file__, importlib.__file__):
            place = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


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
    with _clear_failure(f"scheduler {name!r}: making {cls.__name__} failed"):
        scheduler = cls(**own)
    for attribute, value in common.items():
        setattr(scheduler, attribute, value)
    return scheduler


def _sorted_options(
    cls: type, options: Mapping[str, Any], name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for the constructor, and attributes to set."""
    parameters = inspect.signature(cls).parameters
    known = {n: p for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    anything = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    for option in options:
        if option not in known and option not in _COMMON and not anything:
            guess = nearest(str(option), [*known, *_COMMON])
            hint = f"did you mean {guess!r}?" if guess else f"it takes {', '.join([*known, *_COMMON])}"
            raise UsageError(f"scheduler {name!r} has no option {option!r}; {hint}")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in options]
    if missing:
        raise UsageError(f"scheduler {name!r} needs the option {missing[0]!r}")
    common = {key: value for key, value in options.items() if key in _COMMON and key not in known}
    _check_common(common, name)
    return {key: value for key, value in options.items() if key not in common}, common


def _check_common(options: Mapping[str, Any], name: str) -> None:
    predictor = options.get("predictor", "exact")
    if predictor not in predictor_names():
        raise UnknownNameError("predictor", str(predictor), predictor_names())
    check_decision_time(name, options.get("decision_time", 0.0))
