"""YAML files whose every fault is told with its place: ``file.yaml:9:16: clusters.0.opps.1.freq: ...``.

:func:`read` keeps the position of every value and refuses what YAML 1.1 would silently misread;
:func:`validate` runs a pydantic model over the result and reports all of its faults in one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from socsim import yamlkeys
from socsim.errors import Fault, FileError, UsageError, nearest

__all__ = [
    "Document",
    "FileFault",
    "Loc",
    "Node",
    "Place",
    "RelativeFaults",
    "dotted",
    "fail",
    "fault_at",
    "read",
    "sentence",
    "validate",
    "value_of",
]

Loc = tuple[str | int, ...]
"""Where a value is in a document: keys and list indices from the top."""

Model = TypeVar("Model", bound=BaseModel)
_Loader = yaml.constructor.SafeConstructor
_LIMIT = 200_000
_OTHER_BASE = "YAML reads {text!r} as {value}; write the number in plain decimal digits, or quote it"


@dataclass(frozen=True, slots=True)
class Place:
    """A file, and a line and column in it that count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place.

    Parameters
    ----------
    value
        A mapping of nodes, a list of nodes, or a scalar.
    place, key_place
        Where the value starts, and where the key that leads to it does.
    origin
        Whatever a reader wants to carry along; not part of the data.
    """

    value: Any
    place: Place
    key_place: Place | None = None
    origin: Any = None

    def child(self, part: str | int) -> Node | None:
        """The node under a key or index, if there is one."""
        if isinstance(self.value, dict):
            return self.value.get(part)
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            found: Node = self.value[part]
            return found
        return None

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class FileFault(Fault):
    """A fault that knows its file, for documents merged from several."""

    file: str = ""

    def render(self, file: str) -> str:
        """As :meth:`Fault.render`, naming the fault's own file where it has one."""
        return Fault.render(self, self.file or file)


def in_file(fault: Fault, file: str) -> FileFault:
    """A fault that knows its file."""
    if isinstance(fault, FileFault) and fault.file:
        return fault
    return FileFault(fault.line, fault.column, fault.path, fault.message, file)


class RelativeFaults(ValueError):
    """Raised by a model's validator for faults inside what it validates: ``[(loc, message), ...]``."""

    def __init__(self, faults: Iterable[tuple[Loc, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(message for _, message in self.faults))


@dataclass(frozen=True)
class Document:
    """A YAML file as read.

    Parameters
    ----------
    path
        The file, as messages name it.
    root
        Its content with places.
    """

    path: str
    root: Node

    @cached_property
    def data(self) -> dict[str, Any]:
        """The content as plain dicts, lists and scalars."""
        plain: dict[str, Any] = self.root.plain()
        return plain

    def node(self, loc: Sequence[str | int]) -> Node:
        """The node at a location, or the nearest one above it that exists."""
        node = self.root
        for part in loc:
            child = node.child(part)
            if child is None:
                break
            node = child
        return node

    def place(self, loc: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the value at a location, or of the nearest value above it that exists."""
        place = self.node(loc).place
        return place.line, place.column

    def fault(self, loc: Sequence[str | int], message: str, *, key: bool = False) -> FileFault:
        """A fault at a location's value, or (``key=True``) at the key that leads to it."""
        return fault_at(self.node(loc), loc, message, key=key)


def dotted(loc: Sequence[str | int]) -> str:
    """``("clusters", 0, "name")`` as ``clusters.0.name``."""
    return ".".join(str(part) for part in loc)


def fault_at(node: Node, loc: Sequence[str | int], message: str, *, key: bool = False) -> FileFault:
    """A fault at a node, or (``key=True``) at the key that leads to it."""
    place = node.key_place if key and node.key_place else node.place
    return FileFault(place.line, place.column, dotted(loc), message, place.file)


def fail(path: str | Path, message: str, line: int = 0, column: int = 0) -> FileError:
    """A :class:`~socsim.errors.FileError` with one fault: about a file as a whole, or a place in it."""
    return FileError(str(path), [FileFault(line, column, "", message, str(path))])


def read(path: str | Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises
    ------
    FileError
        The file cannot be read, is not UTF-8 or not YAML, repeats a key, has a key that is no string (``on`` and
        ``off`` are strings there), or a value that YAML 1.1 reads as something else than it looks (``on``, ``010``,
        ``1:30``); all of these in one pass.
    """
    text, name = _text(Path(path)), str(path)
    try:
        loader, tree = _parsed(text)
        walker = _Walker(name, loader)
        root = walker.node(tree, ()) if tree is not None else None
    except yaml.MarkedYAMLError as error:
        raise _syntax_fault(name, error) from None
    except yaml.reader.ReaderError as error:
        line, column = _line_column(text[: error.position])
        raise fail(name, f"character {error.character!r} is not allowed in YAML", line, column) from None
    except RecursionError:
        raise fail(name, "the file is nested too deep") from None
    if walker.faults:
        raise FileError(name, walker.faults)
    if root is None or not isinstance(root.value, dict):
        raise fail(name, f"expected a mapping at the top, got {_kind(root.value if root else None)}")
    return Document(name, root)


def value_of(text: str) -> Any:
    """What a text in YAML's own notation stands for, by the rules of :func:`read`.

    Raises
    ------
    UsageError
        It is no YAML, or a file could not have it either.
    """
    try:
        loader, tree = _parsed(text)
        walker = _Walker("", loader)
        value = walker.node(tree, ()).plain() if tree is not None else None
    except yaml.YAMLError as error:
        raise UsageError(f"the value {text!r} is not YAML: {str(error).splitlines()[0]}") from None
    if walker.faults:
        raise UsageError(f"the value {text!r}: {walker.faults[0].message}")
    return value


def _parsed(text: str) -> tuple[_Loader, yaml.Node | None]:
    """The loader and its tree; by libyaml where there is one, whose messages are poorer, so faults are found again."""
    fast = getattr(yaml, "CSafeLoader", None)
    if fast is not None:
        try:
            loader = fast(text)
            return loader, loader.get_single_node()
        except (yaml.YAMLError, RecursionError):
            pass
    slow = yaml.SafeLoader(text)
    return slow, slow.get_single_node()


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise fail(path, "no such file") from None
    except IsADirectoryError:
        raise fail(path, "is a directory; name a file") from None
    except OSError as error:
        raise fail(path, f"cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_column(raw[: error.start].decode("utf-8", "replace"))
        raise fail(path, f"not UTF-8: byte 0x{raw[error.start]:02x}", line, column) from None


def _line_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _syntax_fault(name: str, error: yaml.MarkedYAMLError) -> FileError:
    mark = error.problem_mark or error.context_mark
    message = "not YAML: " + ", ".join(filter(None, (error.context, error.problem)))
    return fail(name, message, mark.line + 1, mark.column + 1) if mark else fail(name, message)


def _kind(value: object) -> str:
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), f"the value {value!r}")


class _Walker:
    """Turns PyYAML's node tree into ours, collecting faults."""

    def __init__(self, file: str, loader: _Loader) -> None:
        self.file, self.loader = file, loader
        self.faults: list[FileFault] = []
        self._above: set[int] = set()
        self._count = 0

    def node(self, tree: yaml.Node, loc: Loc, key_place: Place | None = None) -> Node:
        self._count += 1
        if self._count > _LIMIT:
            raise fail(self.file, f"the file expands to more than {_LIMIT} values")
        if id(tree) in self._above:
            self._fault(tree, loc, "an alias inside the value that it stands for")
            return Node(None, self._place(tree), key_place)
        self._above.add(id(tree))
        value = self._value(tree, loc)
        self._above.discard(id(tree))
        return Node(value, self._place(tree), key_place)

    def _value(self, tree: yaml.Node, loc: Loc) -> Any:
        if isinstance(tree, yaml.MappingNode):
            return self._mapping(tree, loc)
        if isinstance(tree, yaml.SequenceNode):
            return [self.node(item, (*loc, index)) for index, item in enumerate(tree.value)]
        return self._scalar(tree, loc)

    def _mapping(self, tree: yaml.MappingNode, loc: Loc) -> dict[str, Node]:
        items: dict[str, Node] = {}
        for key_tree, value_tree in tree.value:
            place = self._place(key_tree)
            if not _is_text(key_tree):
                self._fault(key_tree, loc, _key_message(key_tree))
                continue
            key = key_tree.value
            if key in items:
                self._fault(key_tree, (*loc, key), f"key {key!r} repeats the one on line {_line(items[key])}")
                continue
            items[key] = self.node(value_tree, (*loc, key), place)
        return items

    def _scalar(self, tree: yaml.Node, loc: Loc) -> Any:
        kind, text = tree.tag.rpartition(":")[2], str(tree.value)
        if kind in ("str", "timestamp"):
            return text
        if kind not in ("int", "float", "bool", "null"):
            self._fault(tree, loc, f"tag {tree.tag!r} is not supported")
            return None
        if kind == "bool" and text.lower() not in ("true", "false"):
            self._fault(tree, loc, f"YAML reads {text!r} as a truth value; write true or false, or quote it")
        value = self.loader.construct_object(tree)
        if kind in ("int", "float") and not yamlkeys.is_decimal(text):
            self._fault(tree, loc, _OTHER_BASE.format(text=text, value=value))
        return value

    def _place(self, tree: yaml.Node) -> Place:
        return Place(self.file, tree.start_mark.line + 1, tree.start_mark.column + 1)

    def _fault(self, tree: yaml.Node, loc: Loc, message: str) -> None:
        place = self._place(tree)
        self.faults.append(FileFault(place.line, place.column, dotted(loc), message, self.file))


def _line(node: Node) -> int:
    return (node.key_place or node.place).line


def _is_text(key: yaml.Node) -> bool:
    """Whether a key is a string: ``on``, ``off``, ``yes`` and ``no`` are, as in YAML 1.2, but not in 1.1."""
    truth = key.tag == "tag:yaml.org,2002:bool" and key.value.lower() not in ("true", "false")
    return bool(truth or key.tag == "tag:yaml.org,2002:str")


def _key_message(key: yaml.Node) -> str:
    if not isinstance(key, yaml.ScalarNode):
        return "a key must be a string"
    if key.tag.endswith(":merge"):
        return "merge keys (<<) are not supported"
    return f"key {key.value!r} is not a string to YAML; quote it: '{key.value}'"


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
    joined: list[ErrorDetails] = []
    for detail in details:
        before = joined[-1] if joined else None
        same = before and _clean(document, before) == _clean(document, detail)
        if before and same and {before["type"], detail["type"]} <= yamlkeys.TYPE_ERRORS:
            before["msg"] = f"{before['msg']} or {yamlkeys.words(detail).removeprefix('should be ')}"
        else:
            joined.append(detail)
    return joined


def _faults(document: Document, model: type[BaseModel], detail: ErrorDetails) -> list[FileFault]:
    """The faults that one error of pydantic stands for."""
    loc, kind = _clean(document, detail), detail["type"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, RelativeFaults):
        return [document.fault((*loc, *inner), message) for inner, message in cause.faults]
    if kind == "extra_forbidden":
        return [document.fault(loc, yamlkeys.unknown_key(model, loc, detail["loc"]), key=True)]
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


def plain_loc(data: Any, detail: ErrorDetails) -> Loc:
    """An error's location in plain data, without the names of union members that pydantic weaves in."""
    kept: list[str | int] = []
    for part in detail["loc"]:
        if isinstance(data, Mapping) and part == data.get("kind"):
            continue
        kept.append(part)
        inside = isinstance(data, list) or (isinstance(data, Mapping) and part in data)
        data = data[part] if inside else None
    if detail["type"].startswith("union_tag"):
        kept.append(_tag(detail))
    return tuple(kept)


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
    message = yamlkeys.words(detail)
    if detail["type"] == "too_short":
        return message
    got = _kind(value).removeprefix("the value ")
    tail = f", got {got}"
    if detail["type"] == "literal_error":
        known = yamlkeys.literals(detail)
        guess = nearest(value, known) if isinstance(value, str) else None
        tail += f"; did you mean {guess!r}?" if guess else ""
    return message + tail


def _one_of(value: str, known: Sequence[str]) -> str:
    guess = nearest(value, known)
    listed = ", ".join(map(repr, known[:-1])) + " or " * (len(known) > 1) + repr(known[-1])
    return f"should be {listed}, got {value!r}" + (f"; did you mean {guess!r}?" if guess else "")
