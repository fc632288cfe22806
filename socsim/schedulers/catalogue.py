"""Classes by name: those that come with socsim, those of installed packages, and those of the user's own modules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from socsim.errors import SocsimError, UnknownNameError, UsageError
from socsim.schedulers.specs import (
    check_options,
    clear_failure,
    import_class,
    options_of,
    parse_spec,
    unpack_spec,
)

__all__ = ["Catalogue"]


class Catalogue:
    """One kind of things that are made from classes by name.

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
    """

    def __init__(
        self,
        kind: str,
        base: type | tuple[type, ...],
        group: str,
        built_in: Mapping[str, str],
        bases: str = "",
    ) -> None:
        self.kind, self.group = kind, group
        own = base if isinstance(base, tuple) else (base,)
        self._base, self._built_in = own, built_in
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

    def unpack(self, spec: object) -> tuple[str, dict[str, Any]]:
        """Name and options of a text or a mapping.

        Raises
        ------
        UsageError
            It is neither, or has another form.
        """
        if isinstance(spec, str):
            return parse_spec(self.kind, spec)
        if isinstance(spec, Mapping):
            return unpack_spec(self.kind, spec)
        got = f"{type(spec).__name__}: {spec!r}"
        raise UsageError(f"a {self.kind} is a name, a class, an object or a mapping, got {got}")

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

    def check(self, cls: type, name: str) -> None:
        """Check that objects of a class can be made and are of this kind.

        Raises
        ------
        UsageError
            They are not, or a method lacks.
        """
        if not issubclass(cls, self._base):
            raise UsageError(f"{self.kind} {name!r}: {cls.__name__} must be a subclass of {self._bases}")
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
            raise UsageError(f"{self.kind} {name!r}: {cls.__name__} lacks {missing}()")

    def make(
        self,
        cls: type,
        options: Mapping[str, Any],
        name: str,
        common: Collection[str] = (),
        check: Callable[[Mapping[str, Any]], None] = lambda options: None,
    ) -> Any:
        """An object of a class with options.

        Parameters
        ----------
        common
            Attributes that may be given as options beside the constructor's parameters.
        check
            Called with those of them that are given, before anything is made.

        Raises
        ------
        UsageError
            An unknown or missing option, or a constructor that fails.
        """
        self.check(cls, name)
        parameters = options_of(cls)
        check_options(f"{self.kind} {name!r}", options, parameters, common)
        attributes = {key: value for key, value in options.items() if key in common and key not in parameters}
        check(attributes)
        with clear_failure(f"{self.kind} {name!r}: making {cls.__name__} failed"):
            made = cls(**{key: value for key, value in options.items() if key not in attributes})
        for attribute, value in attributes.items():
            setattr(made, attribute, value)
        return made
