"""Things named by text or mapping: ``name``, ``name(option=value, ...)``, ``module:Class``, a name with options."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from socsim import units
from socsim.errors import SocsimError, UnitError, UnknownNameError, UsageError, nearest
from socsim.schedulers import modules

__all__ = [
    "check_options",
    "check_units",
    "clear_failure",
    "import_class",
    "options_of",
    "parse_spec",
    "respelled",
    "short_name",
    "unpack_spec",
    "with_units",
]

_SPEC = re.compile(r"\s*(?P<name>(?:/.*/)?[^()\s]+)\s*(?:\((?P<options>.*)\))?\s*", re.DOTALL)
_SCHEDULER_NAMES, _PREDICTOR_NAMES = ("predictor",), ("base", "path")
"""Options of a scheduler and of a predictor that name predictors or, ``path``, a file."""

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def parse_spec(kind: str, spec: str) -> tuple[str, dict[str, Any]]:
    """Name and options of ``"name(option=value, ...)"``; values may have options in parentheses themselves.

    Parameters
    ----------
    kind
        What is named, for messages: ``"scheduler"``.

    Raises
    ------
    UsageError
        A text of another form.
    """
    match = _SPEC.fullmatch(spec)
    if not match:
        raise UsageError(f"a {kind} is written 'name' or 'name(option=value, ...)', got {spec!r}")
    options: dict[str, Any] = {}
    for item in _items(match["options"] or ""):
        key, equals, value = item.partition("=")
        if equals:
            options[key.strip()] = _value(value.strip())
        elif item.strip():
            raise UsageError(f"{kind} {spec!r}: options are written option=value, got {item.strip()!r}")
    return match["name"], options


def _items(text: str) -> Iterator[str]:
    """What is between the commas before ``option=`` that are in no parentheses."""
    begin = 0
    for match in re.finditer(r",\s*(?=\w+\s*=)", text):
        before = text[begin : match.start()]
        if before.count("(") == before.count(")"):
            yield before
            begin = match.end()
    yield text[begin:]


def _value(text: str) -> Any:
    """A Python literal, a word such as ``true``, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return _WORDS.get(text.lower(), text)


def unpack_spec(kind: str, spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options of a mapping: ``name``, and options beside it or under ``options``.

    Raises
    ------
    UsageError
        A mapping without a name, or options that are no mapping.
    """
    if not isinstance(spec.get("name"), str):
        raise UsageError(
            f"a {kind}'s mapping needs a name, got the keys {', '.join(map(str, spec)) or 'none'}"
        )
    name, options = parse_spec(kind, spec["name"])
    nested = spec.get("options") or {}
    if not isinstance(nested, Mapping):
        raise UsageError(f"{kind} {name!r}: options must be a mapping, got {nested!r}")
    beside = {key: value for key, value in spec.items() if key not in ("name", "options")}
    return name, options | dict(nested) | beside


# --- spelling -----------------------------------------------------------------------------------------------


def short_name(name: str) -> str:
    """``/folder/mine.py:Class`` as ``mine:Class``; other names as they are."""
    module, colon, cls = name.rpartition(":")
    return f"{Path(module).stem}:{cls}" if colon and module.endswith(".py") else name


def respelled(spec: Any, change: Callable[[Any], Any], naming: tuple[str, ...] = _SCHEDULER_NAMES) -> Any:
    """What names a scheduler, with all that it is made of put in other words; its form and other options stay.

    Parameters
    ----------
    change
        Called with each name (without options), with each file as a path, and with each class or object; returns
        what shall stand in its place.
    naming
        Options that name predictors or files; those of a scheduler.
    """
    if isinstance(spec, Mapping):
        return {key: _respelled_option(key, value, change, naming) for key, value in spec.items()}
    if not isinstance(spec, str):
        return change(spec)
    if spec.endswith(".csv"):
        return str(change(Path(spec)))
    match = _SPEC.fullmatch(spec)
    if not match:
        return spec
    options = match["options"] or ""
    for item in _items(options):
        options = options.replace(item, _respelled_item(item, change, naming), 1)
    return f"{change(match['name'])}{'' if match['options'] is None else f'({options})'}"


def _respelled_option(key: str, value: Any, change: Callable[[Any], Any], naming: tuple[str, ...]) -> Any:
    if key == "name" or (key == "options" and isinstance(value, Mapping)):
        return respelled(value, change, naming)
    if key not in naming:
        return value
    if key != "path":
        return respelled(value, change, _PREDICTOR_NAMES)
    return str(change(Path(value))) if value and isinstance(value, (str, Path)) else value


def _respelled_item(item: str, change: Callable[[Any], Any], naming: tuple[str, ...]) -> str:
    key, equals, value = item.partition("=")
    old = value.strip().strip("'\"")
    new = _respelled_option(key.strip(), old, change, naming)
    return f"{key}{equals}{value.replace(old, new, 1)}" if old else item


# --- options ------------------------------------------------------------------------------------------------


def options_of(made: type, skip: int = 0) -> dict[str, inspect.Parameter]:
    """Parameters of a class's constructor, without the first `skip`; ``**`` ones too."""
    return dict(list(inspect.signature(made).parameters.items())[skip:])


def check_options(
    subject: str,
    options: Iterable[str],
    parameters: Mapping[str, inspect.Parameter],
    more: Iterable[str] = (),
) -> None:
    """Check that options are known, and that all that are needed are there.

    Parameters
    ----------
    subject
        For messages: ``"scheduler 'codl'"``.
    more
        Options that it takes beside its parameters.

    Raises
    ------
    UsageError
        The first option that is unknown or missing.
    """
    given = list(options)
    named = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    anything = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    known = [*named, *more]
    for option in given:
        if option not in known and not anything:
            guess = nearest(str(option), known)
            hint = f"did you mean {guess!r}?" if guess else f"it takes {', '.join(known) or 'none'}"
            raise UsageError(f"{subject} has no option {option!r}; {hint}")
    missing = [n for n in named if parameters[n].default is inspect.Parameter.empty and n not in given]
    if missing:
        raise UsageError(f"{subject} needs the option {missing[0]!r}")


def check_units(
    subject: str,
    options: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    times: Iterable[str],
) -> None:
    """Refuse bare numbers, in a text or a file, for options that are times: ``period=50`` may mean 50 s or 50 ms.

    Parameters
    ----------
    subject
        For messages: ``"manager 'hierarchical'"``.
    options
        What was written.
    parameters
        Those of the class; one whose default is a time with a unit is a time.
    times
        Options that are times whatever their defaults.

    Raises
    ------
    UsageError
        The first such number; 0 and infinity are the same in every unit.
    """
    for name, value in options.items():
        if _is_time(name, parameters, times) and _is_bare(value):
            try:
                units.parse(value, "time")
            except UnitError as error:
                raise UsageError(f"{subject}: {name}: {error}, such as {value} ms") from None


def with_units(
    options: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter], times: Iterable[str]
) -> dict[str, Any]:
    """Options of an object as a file has them: times that are numbers, in s, with their unit."""
    return {
        name: f"{value!r} s" if _is_time(name, parameters, times) and _is_bare(value) else value
        for name, value in options.items()
    }


def _is_time(name: str, parameters: Mapping[str, inspect.Parameter], times: Iterable[str]) -> bool:
    if name in times:
        return True
    default = parameters[name].default if name in parameters else None
    if not isinstance(default, str):
        return False
    try:
        units.parse(default, "time")
    except UnitError:
        return False
    return True


def _is_bare(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and isfinite(value) and value > 0


# --- classes of modules -------------------------------------------------------------------------------------


def import_class(kind: str, target: str, base: type | tuple[type, ...] = object) -> type:
    """The class that ``"module:Class"`` or ``"file.py:Class"`` names; modules of the working directory are found too.

    Parameters
    ----------
    base
        What classes to suggest are derived from; by default every class of the module is suggested.

    Raises
    ------
    UnknownNameError
        The module has no such class.
    UsageError
        The module cannot be imported.
    """
    module_name, _, class_name = target.rpartition(":")
    with clear_failure(f"{kind} {target!r}: importing module {module_name!r} failed"):
        module = modules.import_module(module_name)
    found = getattr(module, class_name, None)
    if isinstance(found, type):
        return found
    classes = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, base)]
    raise UnknownNameError(f"{kind} class of module {module_name!r}:", class_name, classes)


@contextmanager
def clear_failure(what: str) -> Iterator[None]:
    """Say in one sentence what failed in code that is not ours, and where."""
    try:
        yield
    except SocsimError:
        raise
    except Exception as error:
        raise UsageError(f"{what}: {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: Exception) -> str:
    """The last place outside Python's own machinery and this package's naming of things."""
    place = ""
    own = (__file__, modules.__file__, importlib.__file__, str(Path(__file__).with_name("catalogue.py")))
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and file not in own:
            place = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place
