"""Where a profile's numbers come from: every one has a confidence grade and a source, and settings may have them.

A block of a file may state ``grade`` and ``source`` for all numbers in it, and ``except: {voltage: {grade:
.., source: ..}}`` for those of its numbers that stand under a certain key; a number with its own is written
``{value: 756 mV, grade: B, source: freqbench}``. The nearest statement holds. A source is ``"id: detail"``
or ``"id, id: detail"``, where the ids stand in the table ``sources`` of the file or of one that it extends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from socsim import units
from socsim.errors import nearest
from socsim.yamlfile import Document, FileFault, Loc, Node, dotted, fault_at

__all__ = ["GRADES", "Origin", "Provenance", "Stripped", "rows", "strip", "unknown_sources"]

GRADES: Mapping[str, str] = MappingProxyType(
    {
        "A": "verbatim from a device tree, firmware, vendor kernel or data sheet",
        "B": "measured, by a named party",
        "C": "derived from A and B",
        "D": "estimate",
        "F": "read off a figure (+-5 to 10 %)",
    }
)
"""Confidence grades."""

_OWN = frozenset({"grade", "source", "except"})
_TEXT = frozenset({"title", "soc", "name", "core", "model", "extends", "sources"})


class Provenance(NamedTuple):
    """One number or setting of a profile: its place in the profile, its value as written, its grade and its source."""

    path: str
    value: str
    grade: str
    source: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Grade and source that hold for a node, and for certain keys below it."""

    grade: str = ""
    source: str = ""
    exceptions: Mapping[str, Origin] = field(default_factory=dict)

    def under(self, key: str) -> Origin:
        """What holds below a key."""
        other = self.exceptions.get(key)
        return (
            replace(self, grade=other.grade or self.grade, source=other.source or self.source)
            if other
            else self
        )


@dataclass
class Stripped:
    """A file without its statements of provenance, which its nodes carry as their origin instead."""

    root: Node
    faults: list[FileFault] = field(default_factory=list)
    uses: list[tuple[Node, Loc, str]] = field(default_factory=list)


def strip(document: Document) -> Stripped:
    """Take the provenance out of a file and attach it to the numbers; each must have a grade and a source."""
    result = Stripped(document.root)
    result.root = _Stripper(result).node(document.root, (), Origin())
    return result


class _Stripper:
    def __init__(self, result: Stripped) -> None:
        self.result = result

    def node(self, node: Node, loc: Loc, origin: Origin) -> Node:
        if isinstance(node.value, dict):
            return self._mapping(node, loc, origin)
        if isinstance(node.value, list):
            items = [self.node(item, (*loc, i), origin) for i, item in enumerate(node.value)]
            return replace(node, value=items, origin=origin)
        if units.is_quantity(node.value):
            self._require(node, loc, origin)
            return replace(node, origin=origin)
        return node

    def _mapping(self, node: Node, loc: Loc, origin: Origin) -> Node:
        origin = self._stated(node, loc, origin)
        if "value" in node.value:
            return self._wrapped(node, loc, origin)
        items: dict[str, Node] = {}
        for key, child in node.value.items():
            # in the block of heat, keys are names of its own: a node may be called "soc"
            if key in _TEXT and loc[:1] != ("thermal",):
                items[key] = child
            elif key not in _OWN:
                items[key] = self.node(child, (*loc, key), origin.under(key))
        return replace(node, value=items, origin=origin)

    def _wrapped(self, node: Node, loc: Loc, origin: Origin) -> Node:
        for key, child in node.value.items():
            if key != "value" and key not in _OWN:
                self._fault(child, (*loc, key), f"unknown key {key!r} beside 'value'", key=True)
        inner = self.node(node.value["value"], loc, origin)
        if isinstance(inner.value, str) and inner.origin is None:
            self._require(inner, loc, origin)
            inner = replace(inner, origin=origin)
        return replace(inner, key_place=node.key_place)

    def _stated(self, node: Node, loc: Loc, outer: Origin) -> Origin:
        """The origin that a mapping states, else that of the block around it."""
        grade, source = self._text(node, loc, "grade"), self._text(node, loc, "source")
        if grade and grade not in GRADES:
            known = ", ".join(f"{letter} ({meaning})" for letter, meaning in GRADES.items())
            self._fault(node.value["grade"], (*loc, "grade"), f"unknown grade {grade!r}; one of {known}")
        if source:
            self.result.uses.append((node.value["source"], (*loc, "source"), source))
        if not grade and not source and "except" not in node.value:
            return outer
        exceptions = self._exceptions(node, loc)
        if not grade and not source:
            exceptions = {**outer.exceptions, **exceptions}
        return Origin(grade or outer.grade, source or outer.source, exceptions)

    def _exceptions(self, node: Node, loc: Loc) -> dict[str, Origin]:
        stated = node.value.get("except")
        if stated is None:
            return {}
        if not isinstance(stated.value, dict) or not all(
            isinstance(n.value, dict) for n in stated.value.values()
        ):
            self._fault(
                stated, (*loc, "except"), "expected a mapping such as {voltage: {grade: B, source: id}}"
            )
            return {}
        return {key: self._exception(child, (*loc, "except", key)) for key, child in stated.value.items()}

    def _exception(self, node: Node, loc: Loc) -> Origin:
        for key, child in node.value.items():
            if key not in ("grade", "source"):
                self._fault(
                    child,
                    (*loc, key),
                    f"unknown key {key!r}; an exception has 'grade' and 'source'",
                    key=True,
                )
        return self._stated(node, loc, Origin())

    def _text(self, node: Node, loc: Loc, key: str) -> str:
        child = node.value.get(key)
        if child is None:
            return ""
        if not isinstance(child.value, str) or not child.value.strip():
            self._fault(child, (*loc, key), f"{key} must be a text")
            return ""
        return " ".join(child.value.split())

    def _require(self, node: Node, loc: Loc, origin: Origin) -> None:
        missing = [name for name in ("grade", "source") if not getattr(origin, name)]
        if missing:
            where = "here ({value: .., grade: .., source: ..}) or in a block around it"
            self._fault(node, loc, f"{node.value} has no {' and no '.join(missing)}; state it {where}")

    def _fault(self, node: Node, loc: Loc, message: str, *, key: bool = False) -> None:
        self.result.faults.append(fault_at(node, loc, message, key=key))


def unknown_sources(stripped: Stripped, known: set[str]) -> Iterator[FileFault]:
    """A fault for each source of a file whose ids are not in the table."""
    for node, loc, source in stripped.uses:
        for name in (part.strip() for part in source.partition(":")[0].split(",")):
            if name not in known:
                guess = nearest(name, known)
                tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(sorted(known)) or 'none'}"
                yield fault_at(node, loc, f"source {name!r} is not in the table of sources; {tail}")


def rows(root: Node) -> list[Provenance]:
    """Every number below a node with its provenance, in the order of the file."""
    return list(_rows(root, ()))


def _rows(node: Node, loc: Loc) -> Iterator[Provenance]:
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from _rows(child, (*loc, key))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from _rows(child, (*loc, index))
    elif isinstance(node.origin, Origin):
        yield Provenance(dotted(loc), str(node.value), node.origin.grade, node.origin.source)
