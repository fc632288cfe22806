"""Running a pydantic model over a document, all of its faults told in one pass and in our words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from socsim.errors import FileError, nearest
from socsim.yamlfile import keys
from socsim.yamlfile.document import Document, FileFault, Loc, RelativeFaults, kind_of

__all__ = ["first_fault", "sentence", "validate"]

Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model], more: Iterable[FileFault] = ()) -> Model:
    """Run a pydantic model over a document.

    Parameters
    ----------
    document
        What :func:`read` returned, or a document merged from several.
    model
        The class to instantiate.
    more
        Faults already found by other means, to be told together with the model's.

    Raises
    ------
    FileError
        With every fault, each with the place of the value it is about.
    """
    faults = list(more)
    try:
        result = model.model_validate(document.data)
    except ValidationError as error:
        for detail in _joined(document, error.errors(include_url=False)):
            faults += _faults(document, model, detail)
    if faults:
        raise FileError(document.path, faults)
    return result


def _joined(document: Document, details: Iterable[ErrorDetails]) -> list[ErrorDetails]:
    """Errors of pydantic, with one for a value that is of none of several types."""
    return [detail for _, detail in _told(details, lambda detail: _clean(document, detail))]


def _told(
    details: Iterable[ErrorDetails], place: Callable[[ErrorDetails], Loc]
) -> list[tuple[Loc, ErrorDetails]]:
    joined: list[tuple[Loc, ErrorDetails]] = []
    for detail in details:
        loc = place(detail)
        own, before = joined[-1] if joined else (None, detail)
        if loc == own and {before["type"], detail["type"]} <= keys.TYPE_ERRORS:
            before["msg"] = f"{before['msg']} or {keys.words(detail).removeprefix('should be ')}"
        else:
            joined.append((loc, detail))
    return joined


def _faults(document: Document, model: type[BaseModel], detail: ErrorDetails) -> list[FileFault]:
    """The faults that one error of pydantic stands for."""
    loc, kind = _clean(document, detail), detail["type"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, RelativeFaults):
        return [document.fault((*loc, *inner), message) for inner, message in cause.faults]
    if kind == "extra_forbidden":
        return [document.fault(loc, keys.unknown_key(model, loc, detail["loc"]), key=True)]
    if kind == "missing":
        return [document.fault(loc, "is required")]
    if kind == "union_tag_not_found":
        return [document.fault((*loc, _tag(detail)), "is required")]
    if kind == "union_tag_invalid":
        return [document.fault((*loc, _tag(detail)), sentence(detail, None))]
    if detail["loc"][-1] == "[key]":
        return [document.fault(loc, sentence(detail, loc[-1]), key=True)]
    return [document.fault(loc, sentence(detail, document.node(loc).plain()))]


def _tag(detail: ErrorDetails) -> str:
    """The key that tells which member of a union a mapping is."""
    return str(detail["ctx"]["discriminator"]).strip("'")


def first_fault(data: Any, error: ValidationError) -> tuple[Loc, ErrorDetails]:
    """The first thing that is wrong with plain data, and where, without the names of union members."""
    return _told(error.errors(include_url=False), lambda detail: _plain_loc(data, detail))[0]


def _plain_loc(data: Any, detail: ErrorDetails) -> Loc:
    kept: list[str | int] = []
    for part in detail["loc"]:
        if isinstance(data, Mapping) and part == data.get("kind"):
            continue
        if _is_step(data, part):
            data = data[part]
            kept.append(part)
    if detail["type"] == "missing":
        kept.append(detail["loc"][-1])
    if detail["type"].startswith("union_tag"):
        kept.append(_tag(detail))
    return tuple(kept)


def _is_step(data: Any, part: str | int) -> bool:
    """Whether a part of a location leads into plain data."""
    if isinstance(data, Sequence) and not isinstance(data, str):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, Mapping) and part in data


def _clean(document: Document, detail: ErrorDetails) -> Loc:
    """An error's location without the names of union members that pydantic weaves in."""
    node, kept = document.root, list[str | int]()
    for part in detail["loc"]:
        child = node.child(part)
        if child is not None:
            node = child
            kept.append(part)
    if detail["type"] == "missing":
        kept.append(detail["loc"][-1])
    return tuple(kept)


def sentence(detail: ErrorDetails, value: Any) -> str:
    """What pydantic says of a value, in our words."""
    ctx = detail.get("ctx", {})
    if ctx.get("error"):
        return str(ctx["error"])
    if detail["type"] == "union_tag_not_found":
        return "is required"
    if detail["type"] == "union_tag_invalid":
        return _one_of(ctx["tag"], [tag.strip("' ") for tag in ctx["expected_tags"].split(",")])
    message = keys.words(detail)
    if detail["type"] == "too_short":
        return message
    got = kind_of(value).removeprefix("the value ")
    tail = f", got {got}"
    if detail["type"] == "literal_error":
        known = keys.literals(detail)
        guess = nearest(value, known) if isinstance(value, str) else None
        tail += f"; did you mean {guess!r}?" if guess else ""
    return message + tail


def _one_of(value: str, known: Sequence[str]) -> str:
    guess = nearest(value, known)
    listed = ", ".join(map(repr, known[:-1])) + " or " * (len(known) > 1) + repr(known[-1])
    return f"should be {listed}, got {value!r}" + (f"; did you mean {guess!r}?" if guess else "")
