"""Find, read and merge device files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from socsim import resources, yamlfile
from socsim.devices import crosscheck, modecheck
from socsim.devices import provenance as origins
from socsim.devices.build import build
from socsim.devices.device import Device
from socsim.devices.modes import split_mode
from socsim.devices.provenance import Provenance
from socsim.devices.spec import DeviceSpec
from socsim.errors import FileError, UnknownNameError
from socsim.yamlfile import Document, FileFault, Node, fault_at

__all__ = ["device_names", "load_device", "profile_files", "provenance", "read_profile"]


def device_names() -> list[str]:
    """Names of the devices that come with socsim."""
    return sorted(path.stem for path in resources.data_dir("device_profiles").glob("*.yaml"))


def load_device(name: str | os.PathLike[str]) -> Device:
    """Load a device.

    Parameters
    ----------
    name
        One of :func:`device_names`, or the path of a file. A file is read again when it has changed; a change
        only to a file that it extends goes unnoticed within one process. ``"name(mode=10W_2CORE)"`` is the device in
        a power mode; without one it is in the default of those that it has.

    Raises
    ------
    UnknownNameError
        Neither a name nor a file, or no such mode.
    UsageError
        Options of another form, or a device without power modes.
    FileError
        The file breaks its rules; all faults are told at once, with their places.
    """
    path, mode = _named_mode(name)
    return _in_mode(path, path.resolve(), path.stat().st_mtime_ns, mode)


def provenance(name: str | os.PathLike[str]) -> list[Provenance]:
    """Every number of a device's profile with its place, value as written, grade and source.

    Raises
    ------
    UnknownNameError, FileError
        As :func:`load_device`.
    """
    return origins.rows(read_profile(_named_mode(name)[0])[1].root)


def profile_files(name: str | os.PathLike[str]) -> list[Path]:
    """The file of a device and the ones that it extends, without those that come with socsim.

    Raises
    ------
    UnknownNameError, FileError
        As :func:`load_device`.
    """
    gathered = _Gathered()
    gathered.merged(_named_mode(name)[0], ())
    files = (Path(stripped.root.place.file) for stripped in gathered.files)
    return [file for file in files if not _shipped(file.resolve())]


def read_profile(path: str | Path) -> tuple[DeviceSpec, Document]:
    """Read a device file and what it extends: its specification, and the merged document.

    Raises
    ------
    FileError
        A file cannot be read or breaks its rules.
    """
    gathered = _Gathered()
    root = gathered.merged(Path(path), ())
    if not gathered.complete:
        # without a base, most else that is missing would be its consequence
        raise FileError(str(path), gathered.faults)
    document = Document(str(path), root)
    table = root.child("sources")
    known = set(table.value) if table and isinstance(table.value, dict) else set()
    faults = list(gathered.faults)
    for stripped in gathered.files:
        faults += _named(origins.unknown_sources(stripped, known), stripped.root)
    return _validated(document, faults), document


def _validated(document: Document, others: list[FileFault]) -> DeviceSpec:
    """The specification; rules between blocks are only looked at when the blocks themselves are sound."""
    try:
        spec = yamlfile.validate(document, DeviceSpec)
    except FileError as error:
        own = _named((f for f in error.faults if isinstance(f, FileFault)), document.root)
        misplaced = [f.path for f in own if f.message.startswith(("unknown key", "should be a "))]
        kept = [f for f in others if not (" has no " in f.message and _is_under(f.path, misplaced))]
        raise FileError(document.path, [*kept, *own]) from None
    found = [*crosscheck.faults(document), *modecheck.faults(spec, document)]
    faults = [*others, *_named(found, document.root)]
    if faults:
        raise FileError(document.path, faults)
    return spec


def _named(faults: Iterable[FileFault], root: Node) -> list[FileFault]:
    return [replace(fault, path=_path(fault.path, root)) for fault in faults]


def _path(path: str, root: Node) -> str:
    """A dotted path with the names of list items in the place of their numbers: ``clusters.gold.opps.0``."""
    node: Node | None = root
    parts = []
    for part in path.split("."):
        names = [_name(item) for item in node.value] if node and isinstance(node.value, list) else []
        index = int(part) if part.isdigit() and int(part) < len(names) else None
        node = node.child(part if index is None else index) if node else None
        name = "" if index is None else names[index]
        parts.append(name if name and names.count(name) == 1 else part)
    return ".".join(parts)


def _name(item: Node) -> str:
    name = item.child("name")
    return name.value if name and isinstance(name.value, str) else ""


def _is_under(path: str, others: list[str]) -> bool:
    """Whether a number stands below a key that has no business there or is no number at all."""
    return any(path == other or path.startswith(f"{other}.") for other in others)


@lru_cache(maxsize=256)
def _load(path: Path, resolved: Path, changed: int) -> Device:
    """Load a file; `resolved` and `changed` tell apart what one name stands for from time to time."""
    spec, document = read_profile(path)
    device = build(path.stem, spec, document)
    if not _shipped(resolved):
        object.__setattr__(device, "source", str(path.absolute()))
    return device.in_mode(device.default_mode) if device.default_mode else device


def _shipped(path: Path) -> bool:
    return path.is_relative_to(resources.data_dir("device_profiles").resolve())


@lru_cache(maxsize=256)
def _in_mode(path: Path, resolved: Path, changed: int, mode: str | None) -> Device:
    device = _load(path, resolved, changed)
    return device if mode in (None, device.mode) else device.in_mode(str(mode))


def _named_mode(name: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The file that a device's name or path means, and the power mode that it asks for."""
    if not Path(name).is_file():
        plain, mode = split_mode(os.fspath(name))
        return _find(plain), mode
    return _find(name), None


def _find(name: str | os.PathLike[str]) -> Path:
    text = os.fspath(name)
    if text in (names := device_names()):
        return resources.data_dir("device_profiles") / f"{text}.yaml"
    path = Path(text)
    if path.is_file():
        return path
    if text and path.is_dir():
        raise yamlfile.fail(text, "is a directory; name a file")
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise yamlfile.fail(text, "no such file")
    raise UnknownNameError("device", text, names, "Or give the path of a device file.")


@dataclass
class _Gathered:
    """The files of one profile, and the faults found before they are merged."""

    faults: list[FileFault] = field(default_factory=list)
    files: list[origins.Stripped] = field(default_factory=list)
    complete: bool = True

    def merged(self, path: Path, above: tuple[Path, ...]) -> Node:
        """A file on top of what it extends."""
        stripped = origins.strip(yamlfile.read(path))
        if not any(stripped.root.place.file == known.root.place.file for known in self.files):
            self.files.append(stripped)
            self.faults += _named(stripped.faults, stripped.root)
        root: Node | None = None
        for node, base in self._bases(stripped.root, path):
            if base.resolve() in (path.resolve(), *above):
                self._incomplete(node, f"{node.value!r} leads back to itself")
                continue
            below = self.merged(base, (path.resolve(), *above))
            root = _merge(root, below) if root else below
        return _merge(root, stripped.root) if root else stripped.root

    def _incomplete(self, node: Node, message: str) -> None:
        self.complete = False
        self.faults.append(fault_at(node, ("extends",), message))

    def _bases(self, root: Node, path: Path) -> Iterator[tuple[Node, Path]]:
        """The files that a file extends, with the nodes that name them."""
        extends = root.child("extends")
        if extends is None:
            return
        for node in extends.value if isinstance(extends.value, list) else [extends]:
            if not isinstance(node.value, str):
                self._incomplete(node, "expected the name of a device file, or a list of names")
                continue
            found = _base(node.value, path)
            if found is None:
                message = f"no file {_file_name(node.value)!r} beside this one or among socsim's profiles"
                self._incomplete(node, message)
            else:
                yield node, found


def _file_name(name: str) -> str:
    return name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"


def _base(name: str, path: Path) -> Path | None:
    """The file that `extends` means: beside the file that says so, else one that comes with socsim."""
    folders = (path.parent, resources.data_dir("device_profiles"))
    return next((p for folder in folders if (p := folder / _file_name(name)).is_file()), None)


def _merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`: mappings by key, lists of named mappings by name, all else replaced.

    A mapping that says ``whole: true`` takes nothing over.
    """
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        whole = over.value.get("whole")
        if whole is not None and whole.value is True:
            return over
        return replace(over, value=_merge_items(base.value, over.value))
    if _all_named(base) and _all_named(over):
        by_name = [{item.value["name"].value: item for item in node.value} for node in (base, over)]
        return replace(over, value=list(_merge_items(*by_name).values()))
    return over


def _merge_items(base: dict[str, Node], over: dict[str, Node]) -> dict[str, Node]:
    return base | {key: _merge(base[key], node) if key in base else node for key, node in over.items()}


def _all_named(node: Node) -> bool:
    """Whether a node is a list of mappings with names of their own."""
    if not isinstance(node.value, list) or not node.value:
        return False
    names = [
        item.value["name"].value
        for item in node.value
        if isinstance(item.value, dict) and "name" in item.value
    ]
    texts = {name for name in names if isinstance(name, str)}
    return len(names) == len(node.value) == len(texts)
