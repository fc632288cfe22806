"""Transforms by name: ``prune(0.5)``, ``low_rank(0.25, form=spatial)``; networks with them: ``resnet50+prune(0.5)``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from socsim import units
from socsim.errors import UnitError, UnknownNameError, UsageError, nearest
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
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
    "check_steps",
    "lossy",
    "parse_transform",
    "split_transforms",
    "transform_set",
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
_NAMED = re.compile(r"\+\s*(?P<name>\w+)")
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
        A text of another form; an option that it does not have, has twice, or needs, or whose value it refuses.
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
    transform = Transform(name, options)
    transform(_probe())  # which refuses options outside their rules
    return transform


@cache
def _probe() -> ModelGraph:
    """A network of one operator."""
    builder = GraphBuilder("probe")
    return builder.build(builder.dense(builder.input(1, 1), 1))


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
        return units.parse(text, "ratio") if text.endswith("%") else ast.literal_eval(text)
    except (ValueError, SyntaxError, UnitError):
        return text


def split_transforms(model: str) -> tuple[str, tuple[str, ...]]:
    """``("resnet50", ("prune(0.5)", "quantise"))`` of ``"resnet50+prune(0.5)+quantise"``.

    A name without transforms comes back alone, and so does the path of a file that exists.

    Raises
    ------
    UsageError
        Something like a transform in no form that one has.
    """
    match = _SPEC.fullmatch(model)
    if Path(model).is_file():
        return model, ()
    if match is None:
        if any(found["name"] in TRANSFORMS for found in _NAMED.finditer(model, 1)):
            raise UsageError(
                f"{model!r}: transforms are written 'name' or 'name(value, option=value)' after a network's name, "
                "each after a +, such as 'resnet50+prune(0.5)+quantise'"
            )
        return model, ()
    return match["base"].strip(), tuple(step.strip() for step in match["steps"].split("+")[1:])


def transform_set(text: str) -> tuple[str, ...]:
    """``("prune(0.5)", "quantise")`` of ``"prune(0.5)+quantise"``; ``"none"`` and ``""`` are the empty set."""
    return () if text.strip() in ("", "none") else tuple(step.strip() for step in text.split("+"))


def check_steps(steps: Any) -> None:
    """UsageError unless transforms are a list of texts and functions."""
    if isinstance(steps, str) or not isinstance(steps, Sequence):
        raise UsageError(f"transforms are a list, such as ['prune(0.5)'], got {steps!r}")
    for step in steps:
        if not (isinstance(step, str) or callable(step)):
            raise UsageError(f"a transform is a text, such as 'prune(0.5)', or a function, got {step!r}")


def canonical(steps: Iterable[str]) -> tuple[str, ...]:
    """Transforms in the one way in which lineages write them: ``prune(share=.50)`` as ``prune(0.5)``."""
    return tuple(parse_transform(step).written for step in steps)


def lossy(steps: Iterable[str]) -> tuple[str, ...]:
    """Those of some transforms that may cost accuracy."""
    return tuple(step for step in steps if step.partition("(")[0] not in FREE)
