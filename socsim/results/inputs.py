"""The files that a run reads: where they are, and what was in them.

An experiment names devices, networks, inference libraries and schedulers; each may be a file instead of something that
comes with socsim. Traces of arrivals and of processes are always files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from socsim.devices.modes import split_mode
from socsim.devices.profile import device_names, profile_files
from socsim.errors import SocsimError, UsageError
from socsim.schedulers import spelling
from socsim.schedulers.governors.sets import locate_governors, set_files
from socsim.workloads.dynamic import split_level
from socsim.workloads.library import library_names
from socsim.workloads.scene_spec import scene_file
from socsim.workloads.transforms import split_transforms

__all__ = ["changed_inputs", "input_hashes", "located"]


def located(config: Mapping[str, Any], folder: str | Path) -> dict[str, Any]:
    """An experiment or a comparison whose relative paths are absolute, so that it means the same everywhere.

    Parameters
    ----------
    config
        Its content; names of what comes with socsim, and whatever is of a wrong type, stay as they are.
    folder
        What paths are relative to.
    """
    base = Path(folder)
    found = _with_paths(config, base)
    if isinstance(found.get("apps"), list):
        found["apps"] = [_with_paths(app, base) if isinstance(app, Mapping) else app for app in found["apps"]]
    if isinstance(found.get("sweep"), Mapping):
        found["sweep"] = {axis: _swept_paths(axis, block, base) for axis, block in found["sweep"].items()}
    return found


def _swept_paths(axis: str, block: Any, folder: Path) -> Any:
    """What a sweep says of an axis: values of a key, or variants that are mappings of keys and values."""
    if axis == "zip":
        if isinstance(block, list):
            return [_swept_paths(axis, one, folder) for one in block]
        return _lists_with_paths(block, folder)
    if axis == "sample":
        if not isinstance(block, Mapping) or "over" not in block:
            return block
        return {**block, "over": _lists_with_paths(block["over"], folder)}
    if axis == "exclude":
        return block
    if isinstance(block, list):
        return [_setting_with_paths(axis, value, folder) for value in block]
    if not isinstance(block, Mapping):
        return block
    return {
        name: {key: _setting_with_paths(key, value, folder) for key, value in variant.items()}
        if isinstance(variant, Mapping)
        else variant
        for name, variant in block.items()
    }


def _lists_with_paths(block: Any, folder: Path) -> Any:
    """Keys and lists of their values."""
    if not isinstance(block, Mapping):
        return block
    return {
        key: _swept_paths(key, own, folder) if isinstance(own, list) else own for key, own in block.items()
    }


def _setting_with_paths(key: str, value: Any, folder: Path) -> Any:
    path = _tail(key)
    found = _with_paths(_as_block(path, value), folder)
    for part in path:
        found = found[part]
    return found


def _as_block(path: Sequence[str], value: Any) -> dict[str, Any]:
    """A setting as the block of an experiment that it is a part of: ``{scheduler: {name: ..., predictor: value}}``."""
    first, *rest = path
    if not rest:
        return {first: value}
    inner = _as_block(rest, value)
    return {
        first: {"name": "", **inner} if first in ("scheduler", "predictor", "manager", "reuse") else inner
    }


def _tail(key: str) -> list[str]:
    """What a dotted path says from the key on whose values may be paths; its last part where there is none."""
    parts = key.split(".")
    if parts[0] == "governors":  # a clock domain may have a dot in its name
        return [parts[0], *filter(None, [".".join(parts[1:])])]
    with_paths = ("device", "library", "model", "accuracy", "scheduler", "manager", "reuse", "scene")
    named = [i for i, part in enumerate(parts) if part in with_paths]
    return parts[named[-1] :] if named else parts[-1:]


def _with_paths(block: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    found = dict(block)
    if isinstance(found.get("device"), str):
        found["device"] = _absolute_device(found["device"], folder)
    if isinstance(found.get("library"), str):
        found["library"] = _absolute(found["library"], folder, library_names(), ".yaml", ".yml")
    if isinstance(found.get("model"), str) and _is_network_file(split_transforms(found["model"])[0]):
        found["model"] = _joined(folder, found["model"])
    if isinstance(found.get("accuracy"), str) and found["accuracy"]:
        found["accuracy"] = _joined(folder, found["accuracy"])
    if found.get("kind") == "replay" and found.get("file"):
        found["file"] = _joined(folder, str(found["file"]))
    if (trace := _arrival_file(found.get("arrivals"))) is not None:
        spec = found["arrivals"]
        spec = dict(spec) if isinstance(spec, Mapping) else {"kind": "trace"}
        found["arrivals"] = {**spec, "file": _joined(folder, trace)}
    if (trace := scene_file(found.get("scene"))) is not None:
        found["scene"] = {"kind": "trace", "file": _joined(folder, trace)}
    if "reuse" in found:
        found["reuse"] = spelling.located(found["reuse"], folder)
    if "scheduler" in found:
        found["scheduler"] = spelling.located(found["scheduler"], folder)
    if isinstance(found.get("places"), list):
        found["places"] = [spelling.located(spec, folder) for spec in found["places"]]
    if "manager" in found:
        found["manager"] = spelling.located(found["manager"], folder)
    if "governors" in found:
        found["governors"] = locate_governors(found["governors"], folder)
    if isinstance(found.get("schedulers"), list):
        found["schedulers"] = [spelling.located(spec, folder) for spec in found["schedulers"]]
    return found


def _arrival_file(arrivals: Any) -> str | None:
    """The file that arrivals are read from, if they are."""
    if isinstance(arrivals, Mapping):
        file = arrivals.get("file") if arrivals.get("kind") == "trace" else None
        return file if isinstance(file, str) else None
    return arrivals if isinstance(arrivals, str) and _is_path(arrivals, ".csv") else None


def _absolute_device(spec: str, folder: Path) -> str:
    """A device's name or file with its power mode, if it has one: ``/folder/board.yaml(mode=eco)``."""
    try:
        name = spec if (folder / spec).is_file() else split_mode(spec)[0]
    except UsageError:  # told with its place where the experiment is checked
        return spec
    return _absolute(name, folder, device_names(), ".yaml", ".yml") + spec[len(name) :]


def _absolute(name: str, folder: Path, known: list[str] | tuple[str, ...], *suffixes: str) -> str:
    is_file = name not in known and ((folder / name).is_file() or _is_path(name, *suffixes))
    return _joined(folder, name) if is_file else name


def _is_path(name: str, *suffixes: str) -> bool:
    return name.endswith(suffixes) or "/" in name


def _is_network_file(model: str) -> bool:
    """Whether a model is a file: an ONNX one, or a family's, with or without a level."""
    base, level = split_level(model)
    return _is_path(model, ".onnx", ".yaml", ".yml") or (
        level is not None and _is_path(base, ".yaml", ".yml")
    )


def _joined(folder: Path, name: str) -> str:
    return str((folder / name).absolute())


def input_hashes(config: Mapping[str, Any]) -> dict[str, str]:
    """Absolute path -> SHA-256 of each file that a :func:`located` experiment names and that does not come with socsim.

    A device's file brings those that it extends. Files that are no longer there are left out.
    """
    apps = (app for app in config.get("apps") or () if isinstance(app, Mapping))
    blocks = [config, *apps, *_swept_blocks(config.get("sweep") or {})]
    files = dict.fromkeys(file for block in blocks for file in _files(block))
    return {str(file): _hash(file) for file in files if file.is_file()}


def _swept_blocks(sweep: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for axis, block in sweep.items():
        if axis == "zip":
            for one in block if isinstance(block, list) else [block]:
                yield from _swept_blocks(one)
        elif axis == "sample":
            yield from _swept_blocks(block.get("over", {}))
        elif axis == "exclude":
            continue
        elif isinstance(block, list):
            yield from (_as_block(_tail(axis), value) for value in block)
        elif isinstance(block, Mapping):
            settings = (item for variant in block.values() for item in variant.items())
            yield from (_as_block(_tail(key), value) for key, value in settings)


def _files(block: Mapping[str, Any]) -> Iterator[Path]:
    if _is_absolute(block.get("device")):
        yield from _device_files(block["device"])
    yield from (Path(block[key]) for key in ("library", "file", "accuracy") if _is_absolute(block.get(key)))
    if _is_absolute(named := block.get("model")):
        model = split_transforms(str(named))[0]
        yield Path(str(model) if str(model).endswith(".onnx") else split_level(str(model))[0])
    if _is_absolute(trace := _arrival_file(block.get("arrivals"))):
        yield Path(str(trace))
    if _is_absolute(trace := scene_file(block.get("scene"))):
        yield Path(str(trace))
    listed = [spec for key in ("schedulers", "places") for spec in block.get(key) or ()]
    for spec in (block.get("scheduler"), *listed):
        yield from spelling.module_files(spec)
    yield from set_files(block.get("governors"))
    yield from spelling.module_files(block.get("manager"))
    yield from spelling.module_files(block.get("reuse"))


def _device_files(name: str) -> list[Path]:
    try:
        return profile_files(name)
    except SocsimError:
        return [Path(name)]


def _is_absolute(name: object) -> bool:
    return isinstance(name, str) and Path(name).is_absolute()


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def changed_inputs(manifest: Mapping[str, Any]) -> list[str]:
    """Files that an output's manifest lists and that hold something else now, or are gone."""
    inputs = manifest.get("inputs")
    known = inputs if isinstance(inputs, Mapping) else {}
    return [name for name, old in known.items() if not Path(name).is_file() or _hash(Path(name)) != old]
