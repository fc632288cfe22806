"""Policies of reuse by name, from objects and classes, from the user's own modules, and from installed packages."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from socsim.schedulers.catalogue import Catalogue
from socsim.schedulers.reuse.base import ReusePolicy
from socsim.schedulers.reuse.policies import LayerReuse
from socsim.schedulers.specs import check_units, options_of, with_units
from socsim.schedulers.spelling import describe_spec, located, module_files, write_spec

__all__ = [
    "GROUP",
    "broken_reuse",
    "describe_reuse",
    "locate_reuse",
    "make_reuse",
    "reuse_files",
    "reuse_names",
]

GROUP = "socsim.reuse"
"""Entry point group in which packages offer policies: ``name = "module:Class"``."""

_KIND = "reuse policy"
_BUILT_IN = {
    "none": "socsim.schedulers.reuse.policies:NoReuse",
    "frame": "socsim.schedulers.reuse.policies:FrameReuse",
    "layer": "socsim.schedulers.reuse.policies:LayerReuse",
}
_CATALOGUE = Catalogue(_KIND, ReusePolicy, GROUP, _BUILT_IN)

Spec = ReusePolicy | type[ReusePolicy] | str | Mapping[str, Any]


def reuse_names() -> tuple[str, ...]:
    """Names of the policies that come with socsim, then of those that installed packages offer."""
    return _CATALOGUE.names()


def broken_reuse() -> dict[str, str]:
    """Policies that installed packages offer but that cannot be loaded, with what is wrong."""
    return _CATALOGUE.broken()


def make_reuse(spec: Spec) -> ReusePolicy:
    """A policy that has decided nothing yet, from whatever names one.

    Parameters
    ----------
    spec
        A class; a name; ``"name(option=value, ...)"``; ``"module:Class"``, found in the working directory too;
        ``"file.py:Class"``; a mapping with ``name`` and options, beside it or under ``options``; or an object, of which
        a copy is made.

    Raises
    ------
    UnknownNameError
        No such policy, module or class.
    UsageError
        An unknown or missing option, or something that is no policy.
    """
    if isinstance(spec, ReusePolicy):
        return copy.deepcopy(spec)
    if isinstance(spec, type):
        return cast(ReusePolicy, _CATALOGUE.make(spec, {}, spec.__name__))
    name, options = _CATALOGUE.unpack(spec)
    cls, given = _CATALOGUE.find(name)
    check_units(f"{_KIND} {name!r}", given | options, {}, _times(cls))
    policy = cast(ReusePolicy, _CATALOGUE.make(cls, given | options, name))
    if options:
        policy.written = write_spec(_KIND, ReusePolicy, spec, _differing)
    return policy


def describe_reuse(spec: Spec) -> Any:
    """What names a policy, as an experiment file has it; an object becomes its class with its options."""
    return describe_spec(ReusePolicy, spec, _differing)


def _differing(policy: ReusePolicy) -> dict[str, Any]:
    """Options of an object that can be written and are not its class's defaults."""
    defaults = {name: p.default for name, p in options_of(type(policy)).items()}
    values = {name: getattr(policy, name, default) for name, default in defaults.items()}
    plain = (bool, int, float, str)
    own = {name: v for name, v in values.items() if isinstance(v, plain) and v != defaults[name]}
    return with_units(own, {}, _times(type(policy)))


def _times(cls: type) -> tuple[str, ...]:
    """Options that are times, which a class of the user's own reads as it likes."""
    return ("boundary",) if issubclass(cls, LayerReuse) else ()


def locate_reuse(spec: Any, folder: Path) -> Any:
    """The same, with the absolute path of the file in `folder` that its class is in."""
    return located(spec, folder)


def reuse_files(spec: Any) -> list[Path]:
    """The files that a policy comes from, where `spec` tells their paths."""
    return module_files(spec)
