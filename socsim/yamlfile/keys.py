"""Keys and values of YAML files: which ones pydantic knows, and what it says of wrong ones, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from socsim.errors import nearest

__all__ = ["TYPE_ERRORS", "known_keys", "literals", "unknown_key", "words"]

TYPE_ERRORS = {"string_type", "dict_type", "model_type", "list_type"}
"""Errors of pydantic for a value of a wrong type."""

_OURS = {
    r"a valid dictionary( or instance of \w+)?": "a mapping",
    r"a valid boolean(, unable to interpret input)?": "true or false",
    r", unable to (parse|interpret) \w+( as \w+ \w+)?": "",
    r"should have at least 1 item after validation, not 0": "needs at least one entry",
    r"should have at least (\d+) items after validation, not (\d+)": r"needs at least \1 entries, got \2",
}
"""Patterns of pydantic's messages, and what users of YAML files call it."""

_USUAL = {"cores": "count", "number": "count", "frequency": "freq", "clock": "freq", "network": "model"}
"""What keys are often called, and what they are called here."""


def known_keys(model: type[BaseModel], loc: Iterable[str | int]) -> set[str]:
    """The keys that `model` allows in the mapping at `loc`."""
    return _keys(_models_at(model, loc))


def literals(detail: ErrorDetails) -> list[str]:
    """The strings that a ``Literal`` allows, from the error of one that it does not."""
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))


def words(detail: ErrorDetails) -> str:
    """What a value should be."""
    message = detail["msg"].removeprefix("Input ").replace("Value error, ", "")
    for theirs, ours in _OURS.items():
        message = re.sub(theirs, ours, message)
    return message[:1].lower() + message[1:]


def unknown_key(model: type[BaseModel], loc: Sequence[str | int], woven: Sequence[str | int] = ()) -> str:
    """What to say of a key that `model` does not allow, with the nearest right one.

    Parameters
    ----------
    model, loc
        Class of the whole file, and the place of the key.
    woven
        The place as pydantic gives it, with the kind of the mapping that has the key, if it is one of several.
    """
    models = _models_at(model, loc[:-1])
    kind = woven[-2] if len(woven) > len(loc) else None
    chosen = [found for found in models if kind in _kinds(found)]
    known, whose = _keys(chosen or models), f" of kind {kind!r}" if chosen else ""
    usual = _USUAL.get(str(loc[-1]), "")
    guess = usual if usual in known else nearest(str(loc[-1]), known)
    tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(sorted(known))}"
    return f"unknown key {loc[-1]!r}{whose}, {tail}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The model classes that a value of an annotation may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) not in (list, tuple, dict):
        for argument in get_args(annotation):
            yield from _models(argument)


def _models_at(model: type[BaseModel], loc: Iterable[str | int]) -> list[type[BaseModel]]:
    """The models that the mapping at `loc` may be of."""
    types: list[Any] = [model]
    for part in loc:
        types = [inner for outer in types for inner in _inside(outer, part)]
    return [found for one in types for found in _models(one)]


def _keys(models: Iterable[type[BaseModel]]) -> set[str]:
    return {info.alias or name for found in models for name, info in found.model_fields.items()}


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of the key ``kind`` by which a model is chosen among several; none where it has no such key."""
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


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
