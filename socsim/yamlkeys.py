"""Which keys a pydantic model knows at a place, to answer an unknown one with the nearest right one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

__all__ = ["known_keys", "literals"]


def known_keys(model: type[BaseModel], loc: Iterable[str | int]) -> set[str]:
    """The keys that `model` allows in the mapping at `loc`."""
    types: list[Any] = [model]
    for part in loc:
        types = [inner for outer in types for inner in _inside(outer, part)]
    models = [found for one in types for found in _models(one)]
    return {info.alias or name for found in models for name, info in found.model_fields.items()}


def literals(detail: ErrorDetails) -> list[str]:
    """The strings that a ``Literal`` allows, from the error of one that it does not."""
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The model classes that a value of an annotation may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) not in (list, tuple, dict):
        for argument in get_args(annotation):
            yield from _models(argument)


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    """The annotations that the item `part` of a value may have."""
    for model in _models(annotation):
        for name, info in model.model_fields.items():
            if part == (info.alias or name):
                yield info.annotation
    yield from _items(annotation)


def _items(annotation: Any) -> Iterator[Any]:
    """What a list, tuple or dict holds, looked for through unions and annotations."""
    arguments = get_args(annotation)
    if get_origin(annotation) in (list, tuple):
        yield arguments[0]
    elif get_origin(annotation) is dict:
        yield arguments[1]
    else:
        for argument in arguments:
            yield from _items(argument)
