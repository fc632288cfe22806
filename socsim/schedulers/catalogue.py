"""Classes by name: those that come with socsim, those of installed packages, and those of the user's own modules."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from socsim.errors import SocsimError, UnknownNameError, UsageError
from socsim.schedulers.specs import (
    check_options,
    check_units,
    clear_failure,
    import_class,
    options_of,
    parse_spec,
    respelled,
    unpack_spec,
    with_units,
)
from socsim.schedulers.spelling import class_path, described, listed, shortened, spec_text

__all__ = ["Catalogue"]

Made = TypeVar("Made")


class Catalogue(Generic[Made]):
    """One kind of things that are made from classes by name.

    What names one ("spec") is a class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in the working
    directory too; ``"file.py:Class"``; a mapping with ``name`` and options, beside it or under ``options``; or an
    object.

    Parameters
    ----------
    kind
        What they are, for messages: ``"scheduler"``.
    base
        What their classes are derived from: a class, or one of several.
    group
        Entry point group in which packages offer them: ``name = "module:Class"``.
    built_in
        Those that come with socsim: names, and ``"module:Class"`` or ``"module:Class(option=value)"``.
    bases
        Names of the classes to derive from, for messages; those of `base` by default.
    common
        Attributes that may be given as options of a class beside its constructor's parameters; none by default.
    check
        Called with a name and those of them that are given, before anything is made.
    times
        Options of a class that are times whatever their defaults, so that a text or a mapping needs a unit; so do
        parameters whose default has one. None (default): bare numbers are s.
    """

    def __init__(
        self,
        kind: str,
        base: type | tuple[type, ...],
        group: str,
        built_in: Mapping[str, str],
        *,
        bases: str = "",
        common: Callable[[type], tuple[str, ...]] = lambda cls: (),
        check: Callable[[str, Mapping[str, Any]], None] = lambda name, options: None,
        times: Callable[[type], tuple[str, ...]] | None = None,
    ) -> None:
        self.kind, self.group, self.common = kind, group, common
        own = base if isinstance(base, tuple) else (base,)
        self._base, self._built_in, self._check_common, self._times = own, built_in, check, times
        self._bases = bases or " or ".join(cls.__name__ for cls in own)

    def names(self) -> tuple[str, ...]:
        """Names of those that come with socsim, then of those that installed packages offer."""
        return (*self._built_in, *sorted(self._offered().keys() - self._built_in.keys()))

    def broken(self) -> dict[str, str]:
        """Those that installed packages offer but that cannot be loaded, with what is wrong."""
        faults: dict[str, str] = {}
        for name in self._offered().keys() - self._built_in.keys():
            try:
                self.find(name)
            except SocsimError as error:
                faults[name] = str(error)
        return faults

    def find(self, name: str) -> tuple[type, dict[str, Any]]:
        """The class that a name stands for, and the options that the name implies.

        Raises
        ------
        UnknownNameError
            No such name, module or class.
        UsageError
            It cannot be loaded.
        """
        target, options = parse_spec(self.kind, self._built_in.get(name, name))
        if ":" in target:
            return import_class(self.kind, target, self._base), options
        offered = self._offered()
        if name not in offered:
            hint = "Your own is written 'module:Class'."
            raise UnknownNameError(self.kind, name, {*self._built_in, *offered}, hint)
        with clear_failure(f"{self.kind} {name!r}: loading {offered[name].value!r} failed"):
            loaded: type = offered[name].load()
        return loaded, {}

    def _offered(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def class_of(self, name: str) -> type[Made]:
        """The class that a name, or ``module:Class``, stands for; raises as :meth:`make`."""
        cls, _ = self.find(name)
        self._check_class(cls, name)
        return cls

    # --- making ---------------------------------------------------------------------------------------------

    def make(self, spec: object) -> Made:
        """One of whatever names it; of an object, a copy. One with options is titled as it was written.

        Raises
        ------
        UnknownNameError
            No such name, module or class.
        UsageError
            An unknown or missing option, a constructor that fails, or something of another kind.
        """
        if isinstance(spec, self._base):
            return cast(Made, copy.deepcopy(spec))
        if isinstance(spec, type):
            return self._instance(spec, {}, spec.__name__)
        name, options = self._unpacked(spec)
        cls, implied = self.find(name)
        if self._times:
            check_units(f"{self.kind} {name!r}", implied | options, options_of(cls), self._times(cls))
        made = self._instance(cls, implied | options, name)
        if options:
            cast(Any, made).written = self.write(spec)
        return made

    def _unpacked(self, spec: object) -> tuple[str, dict[str, Any]]:
        if isinstance(spec, str):
            return parse_spec(self.kind, spec)
        if isinstance(spec, Mapping):
            return unpack_spec(self.kind, spec)
        got = f"{type(spec).__name__}: {spec!r}"
        raise UsageError(f"a {self.kind} is a name, a class, an object or a mapping, got {got}")

    def _check_class(self, cls: type, name: str) -> None:
        if not issubclass(cls, self._base):
            raise UsageError(f"{self.kind} {name!r}: {cls.__name__} must be a subclass of {self._bases}")
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
            raise UsageError(f"{self.kind} {name!r}: {cls.__name__} lacks {missing}()")

    def _instance(self, cls: type, options: Mapping[str, Any], name: str) -> Made:
        self._check_class(cls, name)
        parameters, common = options_of(cls), self.common(cls)
        check_options(f"{self.kind} {name!r}", options, parameters, common)
        attributes = {key: value for key, value in options.items() if key in common and key not in parameters}
        self._check_common(name, attributes)
        with clear_failure(f"{self.kind} {name!r}: making {cls.__name__} failed"):
            made = cls(**{key: value for key, value in options.items() if key not in attributes})
        for attribute, value in attributes.items():
            setattr(made, attribute, value)
        return cast(Made, made)

    # --- spelling -------------------------------------------------------------------------------------------

    def write(self, spec: object) -> str:
        """How tables and messages call it: as it was written, modules and files without their folders.

        An object is written as its class with the options that differ from their defaults, as far as it has attributes
        of their names.
        """
        if not isinstance(spec, self._base):
            return spec_text(self.kind, respelled(spec, shortened))
        own = cast(Any, spec)
        return str(own.written or own.title + listed(self.kind, respelled(self._differing(own), shortened)))

    def describe(self, spec: object) -> Any:
        """What names it, as an experiment file has it; an object becomes its class with its options."""
        if not isinstance(spec, self._base):
            return respelled(spec, described)
        options = self._differing(spec)
        return {"name": class_path(spec), **options} if options else class_path(spec)

    def _differing(self, made: object) -> dict[str, Any]:
        """Options of an object that can be written and are not what its class has without them."""
        cls = type(made)
        parameters = {name: p.default for name, p in options_of(cls).items()}
        defaults = parameters | {n: getattr(cls, n) for n in self.common(cls) if n not in parameters}
        values = {name: getattr(made, name, default) for name, default in defaults.items()}
        if "predictor" in values:
            values["predictor"] = respelled(values["predictor"], described)
        changed = {n: v for n, v in values.items() if _is_plain(v) and v != defaults[n]}
        if changed and not any(default is inspect.Parameter.empty for default in parameters.values()):
            usual = cls()  # options may be kept in another form than they are given
            changed = {name: value for name, value in changed.items() if value != getattr(usual, name, None)}
        return with_units(changed, options_of(cls), self._times(cls)) if self._times else changed


def _is_plain(value: object) -> bool:
    """Whether a file can have a value as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(_is_plain, cast(list[object], value)))
    return value is None or isinstance(value, (bool, int, float, str))
