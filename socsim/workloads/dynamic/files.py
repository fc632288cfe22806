"""Families as YAML files: found by name or path, read, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path

from socsim import yamlfile
from socsim.devices import provenance as origins
from socsim.devices.provenance import Origin, Provenance
from socsim.errors import FileError, UsageError, nearest
from socsim.resources import named_file
from socsim.workloads.dynamic.family import DynamicFamily, SubNetwork, SwitchCost
from socsim.workloads.dynamic.front import Point
from socsim.workloads.dynamic.spec import SPECS, FamilySpec, LevelSpec
from socsim.workloads.zoo.catalogue import CATALOGUE
from socsim.yamlfile import Document, Loc

__all__ = ["family_names", "is_family", "is_member", "load_family", "load_member", "split_level"]

_WEAKEST = "DFCBA"
"""Grades, the least reliable first."""


def family_names() -> list[str]:
    """Names of the families that come with socsim."""
    return sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))


def is_member(model: str) -> bool:
    """Whether a model's name is meant for a family: it has a level, or is the name of one that comes with socsim."""
    return not model.endswith(".onnx") and (split_level(model)[1] is not None or model in family_names())


def is_family(model: str) -> bool:
    """Whether a model's name is that of a whole family: one that comes with socsim, or a file, without a level."""
    return split_level(model)[1] is None and (model in family_names() or model.endswith((".yaml", ".yml")))


def load_family(name: str | os.PathLike[str]) -> DynamicFamily:
    """Load a family by name, or from a file's path.

    Raises
    ------
    UnknownNameError
        Neither a name nor a file.
    FileError
        The file breaks its rules; all faults are told at once, with their places.
    """
    path = named_file("family", name, family_names(), _folder())
    return _load(path, path.stat().st_mtime_ns)


def load_member(name: str) -> SubNetwork:
    """The sub-network that ``FAMILY@LEVEL`` names; the family is a name or a path.

    Raises
    ------
    UnknownNameError, FileError
        As :func:`load_family`.
    UsageError
        The name is that of a single network, no level is given, or the family does not have it.
    """
    base, level = split_level(name)
    if base in CATALOGUE:
        raise UsageError(f"{base!r} is one network, not a family; write {base!r} without a level")
    family = load_family(base)
    if level is None:
        raise UsageError(
            f"{base!r} is a family of {len(family)} networks; name one of them, {base}@1 to {base}@{len(family)}"
        )
    return family[level]


def split_level(name: str) -> tuple[str, str | None]:
    """``("dynamic_ofa", "4")`` of ``"dynamic_ofa@4"``; a name without a level comes back with None."""
    base, at, level = name.rpartition("@")
    return (base, level) if at and "/" not in level else (name, None)


def _folder() -> Path:
    return Path(str(resources.files(__package__))) / "families"


@lru_cache(maxsize=64)
def _load(path: Path, changed: int) -> DynamicFamily:
    document, spec = _read(path)
    return _family(path.name.removesuffix(path.suffix), document, spec)


def _read(path: Path) -> tuple[Document, FamilySpec]:
    """A family's file without its statements of provenance, which its nodes carry; and what it says."""
    raw = yamlfile.read(path)
    kind = raw.data.get("kind")
    if kind not in SPECS:
        guess = nearest(kind, SPECS) if isinstance(kind, str) else None
        tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(SPECS)}"
        words = "is required" if kind is None else f"unknown kind {kind!r}"
        raise FileError(str(path), [raw.fault(("kind",), f"{words}; {tail}")])
    stripped = origins.strip(raw)
    document = Document(raw.path, stripped.root)
    table = raw.data.get("sources")
    known = set(table) if isinstance(table, Mapping) else set()
    faults = [*stripped.faults, *origins.unknown_sources(stripped, known)]
    return document, yamlfile.validate(document, SPECS[str(kind)], faults)


def _family(name: str, document: Document, spec: FamilySpec) -> DynamicFamily:
    switch = _origin(document, ("switch", "cost"))
    return DynamicFamily(
        name,
        spec.title,
        tuple(_member(name, document, spec, i, level) for i, level in enumerate(spec.members())),
        SwitchCost(spec.switch.cost, switch.grade, switch.source),
        spec.setups,
        {setup: tuple(Point(p.top1, p.latency) for p in points) for setup, points in spec.points.items()},
        tuple(origins.rows(document.root)),
    )


def _member(name: str, document: Document, spec: FamilySpec, index: int, level: LevelSpec) -> SubNetwork:
    weakest = _weakest(document, ("levels", index, "network"))
    published = level.published
    return SubNetwork(
        f"{name}@{index + 1}",
        index + 1,
        level.top1,
        spec.recipe(index),
        weakest.grade,
        weakest.source,
        _millions(published.mmac),
        _millions(published.mparameters),
        level.latencies,
    )


def _millions(number: float | None) -> float | None:
    return None if number is None else number * 1e6


def _origin(document: Document, loc: Loc) -> Origin:
    origin = document.node(loc).origin
    return origin if isinstance(origin, Origin) else Origin()


def _weakest(document: Document, loc: Loc) -> Provenance:
    """The least reliable number of a block."""
    return min(origins.rows(document.node(loc)), key=lambda row: _WEAKEST.index(row.grade))
