"""Transforms by name: ``prune(0.5)``, ``low_rank(0.25, form=spatial)``; networks with them: ``resnet50+prune(0.5)``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from socsim.errors import UnknownNameError, UsageError, nearest
from socsim.workloads.graph import Lineage, ModelGraph
from socsim.workloads.transforms.accuracy import DropTable, load_drops, published_drops
from socsim.workloads.transforms.fusing import fuse
from socsim.workloads.transforms.lowrank import low_rank
from socsim.workloads.transforms.pruning import prune
from socsim.workloads.transforms.quantising import quantise
from socsim.workloads.transforms.simplifying import simplify
from socsim.workloads.transforms.steps import next_step, spelled
from socsim.workloads.transforms.unfusing import unfuse

__all__ = [
    "FREE",
    "TRANSFORMS",
    "Transform",
    "canonical",
    "parse_transform",
    "split_transforms",
    "transform_set",
    "transformed",
]

TRANSFORMS: Mapping[str, Callable[..., ModelGraph]] = MappingProxyType(
    {
        "simplify": simplify,
        "fuse": fuse,
        "prune": prune,
        "low_rank": low_rank,
        "quantise": quantise,
        "unfuse": unfuse,
    }
)
"""Name -> function of a network and options."""

FREE = frozenset({"simplify", "fuse", "unfuse"})
"""Names of those that compute the same function, and cost no accuracy."""

_STEP = r"\+\s*[A-Za-z_]\w*\s*(?:\([^()]*\))?\s*"
_SPEC = re.compile(rf"(?P<base>.+?)(?P<steps>(?:{_STEP})+)", re.DOTALL)
_CALL = re.compile(r"\s*(?P<name>[^()\s,=]+)\s*(?:\((?P<options>[^()]*)\))?\s*")


@dataclass(frozen=True)
class Transform:
    """A transform with its options.

    Parameters
    ----------
    name
        A key of :data:`TRANSFORMS`.
    options
        By name; those that are missing have their defaults.
    """

    name: str
    options: Mapping[str, Any]

    def __call__(self, graph: ModelGraph) -> ModelGraph:
        """What it makes of a network."""
        made = TRANSFORMS[self.name](graph, **self.options)
        if self.name == "fuse":  # which libraries do unasked, under the old name
            made = made.changed(lineage=next_step(graph, "fuse", free=True))
        return made

    @cached_property
    def written(self) -> str:
        """As :attr:`socsim.workloads.graph.Lineage.steps` have it."""
        parameters = list(inspect.signature(TRANSFORMS[self.name]).parameters.values())[1:]
        plain = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
        values = tuple(self.options.get(p.name, p.default) for p in plain)
        named = {
            p.name: (self.options.get(p.name, p.default), p.default) for p in parameters if p not in plain
        }
        return spelled(self.name, values, **named)


def parse_transform(text: str) -> Transform:
    """A transform from ``name(value, option=value, ...)``.

    Raises
    ------
    UnknownNameError
        No such transform.
    UsageError
        A text of another form; an option that it does not have, has twice, or needs.
    """
    match = _CALL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise UsageError(f"a transform is written 'name' or 'name(value, option=value)', got {text!r}")
    name = match["name"]
    if name not in TRANSFORMS:
        raise UnknownNameError("transform", name, TRANSFORMS)
    parameters = dict(list(inspect.signature(TRANSFORMS[name]).parameters.items())[1:])
    options: dict[str, Any] = {}
    plain = [p.name for p in parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    for item in filter(None, (part.strip() for part in (match["options"] or "").split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            unset = [option for option in plain if option not in options]
            if not unset:
                raise UsageError(f"transform {text!r}: write {item!r} with the name of its option")
            key, value = unset[0], item
        _check_option(name, key, parameters, options)
        options[key] = _value(value)
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in options:
            raise UsageError(f"transform {name!r} needs its {key}, such as {name}(0.5)")
    return Transform(name, options)


def _check_option(name: str, key: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if key in given:
        raise UsageError(f"transform {name!r} has its {key} twice")
    if key not in known:
        guess = nearest(key, known)
        hint = f"did you mean {guess!r}?" if guess else f"it takes {', '.join(known) or 'none'}"
        raise UsageError(f"transform {name!r} has no option {key!r}; {hint}")


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def split_transforms(model: str) -> tuple[str, tuple[str, ...]]:
    """``("resnet50", ("prune(0.5)", "quantise"))`` of ``"resnet50+prune(0.5)+quantise"``.

    A name without transforms comes back alone, and so does the path of a file that exists.
    """
    match = _SPEC.fullmatch(model)
    if match is None or Path(model).is_file():
        return model, ()
    return match["base"].strip(), tuple(step.strip() for step in match["steps"].split("+")[1:])


def transform_set(text: str) -> tuple[str, ...]:
    """``("prune(0.5)", "quantise")`` of ``"prune(0.5)+quantise"``; ``"none"`` and ``""`` are the empty set."""
    return () if text.strip() in ("", "none") else tuple(step.strip() for step in text.split("+"))


def canonical(steps: Iterable[str]) -> tuple[str, ...]:
    """Transforms in the one way in which lineages write them: ``prune(share=.50)`` as ``prune(0.5)``."""
    return tuple(parse_transform(step).written for step in steps)


def transformed(
    graph: ModelGraph,
    steps: Iterable[str | Transform | Callable[[ModelGraph], ModelGraph]],
    accuracy: str | Path = "",
) -> ModelGraph:
    """A network after some transforms, with what they cost in accuracy where a table says so.

    Parameters
    ----------
    graph
        Any network.
    steps
        Transforms in order: texts, objects, or functions of a network.
    accuracy
        The path of a table (see :func:`~socsim.workloads.transforms.accuracy.load_drops`), which goes before the one
        that comes with socsim; ``""`` (default) for that alone.
    """
    for step in steps:
        transform = parse_transform(step) if isinstance(step, str) else step
        graph = transform(graph)
    if graph.lineage is None:
        return graph
    tables = ([load_drops(accuracy, canonical)] if accuracy else []) + [published_drops(canonical)]
    return graph.changed(lineage=_priced(graph.lineage, tables))


def _priced(lineage: Lineage, tables: list[DropTable]) -> Lineage:
    """A lineage with what its steps cost, as far as the first table that knows says so."""
    lossy = tuple(step for step in lineage.steps if step.partition("(")[0] not in FREE)
    if not lossy:
        return replace(lineage, top1_drop=0.0, source="")
    for table in tables:
        if (found := table.find(lineage.base, lossy)) is not None:
            return replace(lineage, top1_drop=found.top1_drop, source=found.origin)
    return lineage
