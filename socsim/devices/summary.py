"""What device files are about, read without checking every number: enough to list many of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from socsim import resources

__all__ = ["CalibrationSummary", "DeviceSummary", "summaries", "summary"]


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """For what a parameter set holds, and how sure it is."""

    library: str
    processor: str
    dtype: str
    layout: str
    grade: str


@dataclass(frozen=True, slots=True)
class DeviceSummary:
    """A device in few words.

    Parameters
    ----------
    cores
        Cores by cluster.
    accelerators
        Model by name.
    """

    name: str
    title: str
    soc: str
    cores: Mapping[str, int]
    accelerators: Mapping[str, str]
    calibrations: tuple[CalibrationSummary, ...]


def summaries() -> list[DeviceSummary]:
    """All devices that come with socsim."""
    folder = resources.data_dir("device_profiles")
    bases = cache(_skimmed)
    return [_of_file(path, folder, bases) for path in sorted(folder.glob("*.yaml"), key=lambda p: p.stem)]


def summary(name: str) -> DeviceSummary:
    """A device by name or file, from its whole profile.

    Raises
    ------
    UnknownNameError, FileError
        As :func:`socsim.devices.profile.load_device`.
    """
    from socsim.devices.profile import load_device

    device = load_device(name)
    return DeviceSummary(
        device.name,
        device.title,
        device.soc,
        {cluster.name: cluster.count for cluster in device.clusters},
        {accelerator.name: accelerator.model for accelerator in device.accelerators.values()},
        tuple(CalibrationSummary(*c.key, c.grade) for c in device.calibrations.values()),
    )


def _of_file(path: Path, folder: Path, bases: Callable[[Path], Any]) -> DeviceSummary:
    """From a glance at a file; from all of it where that does not suffice."""
    try:
        return _told(path.stem, _merged(path, folder, bases))
    except (_Unclear, KeyError, TypeError, AttributeError):
        return summary(path.stem)


class _Unclear(Exception):
    """A file does not tell at a glance what it is about."""


_NUMBERS = (
    "kernels", "opps", "idle_states", "sources", "thermal", "memory", "sharing", "os", "power", "power_modes",
    "macs_per_cycle", "except", "source", "rails", "meters", "error",
)  # fmt: skip
"""Blocks that say nothing about what a device is."""

_KEY = re.compile(rf"^( *)((?:- )?)(?:{'|'.join(_NUMBERS)}):(?: |$)")


def _skimmed(path: Path) -> Any:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = "\n".join(_kept(path.read_text(encoding="utf-8").splitlines()))
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        raise _Unclear from None


def _kept(lines: list[str]) -> Iterator[str]:
    """The lines of a file without those of the blocks that do not matter."""
    depth = -1
    for line in lines:
        inner = len(line) - len(line.lstrip())
        listed = inner == depth and line[inner:].startswith(("- ", "#"))
        if depth >= 0 and (inner > depth or listed or not line.strip()):
            continue
        found = _KEY.match(line)
        depth = len(found[1]) + len(found[2]) if found else -1
        if not found:
            yield line
        elif found[2]:
            raise _Unclear


def _merged(path: Path, folder: Path, bases: Callable[[Path], Any]) -> Any:
    """A file on top of those that it extends; bases that are not found, or lead back, are of no use here."""
    own = bases(path)
    extends = own.get("extends") or []
    found: Any = {}
    for name in [extends] if isinstance(extends, str) else extends:
        places = (p for p in (path.parent / f"{name}.yaml", folder / f"{name}.yaml") if p.is_file())
        base = next(places, None)
        if base is None or base == path:
            raise _Unclear
        found = _over(found, _merged(base, folder, bases))
    return _over(found, own)


def _over(base: Any, over: Any) -> Any:
    """One on top of the other, as profiles are merged; a block of which nothing was kept changes nothing."""
    if over is None:
        return base
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _over(base[key], value) if key in base else value for key, value in over.items()}
    if _named(base) and _named(over):
        merged = _over(*({item["name"]: item for item in items} for items in (base, over)))
        return list(merged.values())
    return over


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and "name" in v for v in value)


def _told(name: str, found: Mapping[str, Any]) -> DeviceSummary:
    return DeviceSummary(
        name,
        found["title"],
        found["soc"],
        {cluster["name"]: int(_plain(cluster["count"])) for cluster in found["clusters"]},
        {key: unit["model"] for key, unit in (found.get("accelerators") or {}).items()},
        tuple(_calibrations(found.get("calibration") or {})),
    )


def _plain(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) else value


def _calibrations(found: Mapping[str, Any]) -> Iterator[CalibrationSummary]:
    for library, processors in found.items():
        for processor in ("cpu", "gpu", "dsp", "npu"):
            for dtype, sets in (processors.get(processor) or {}).items():
                layouts = {"": sets} if processor == "cpu" else sets
                for layout, own in layouts.items():
                    yield CalibrationSummary(library, processor, dtype, layout, own["grade"])
