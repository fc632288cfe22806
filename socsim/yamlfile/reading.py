"""Reading YAML with places, refusing what YAML 1.1 would silently misread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from socsim.errors import FileError, UsageError
from socsim.yamlfile.document import Document, FileFault, Loc, Node, Place, dotted, fail, kind_of

__all__ = ["read", "value_of"]

_Loader = yaml.constructor.SafeConstructor
_LIMIT = 200_000
_OTHER_BASE = "YAML reads {text!r} as {value}; write the number in plain decimal digits, or quote it"


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
        raise fail(name, f"expected a mapping at the top, got {kind_of(root.value if root else None)}")
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
        if kind in ("int", "float") and not _is_decimal(text):
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


def _is_decimal(text: str) -> bool:
    """Whether a number is written in plain decimal, without a leading zero that means octal."""
    digits = text.lstrip("+-").lower()
    if any(sign in digits for sign in ":_xb") or "inf" in digits or "nan" in digits:
        return False
    return not (digits.startswith("0") and digits.isdigit() and len(digits) > 1)
