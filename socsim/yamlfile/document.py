"""The content of a YAML file with the place of every value, and faults that are told with their places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from socsim.errors import Fault, FileError

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
    "in_file",
    "kind_of",
]

Loc = tuple[str | int, ...]
"""Where a value is in a document: keys and list indices from the top."""


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


def kind_of(value: object) -> str:
    """What a value is, in the words of messages."""
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), f"the value {value!r}")
