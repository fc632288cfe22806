"""Parameter sets and hardware as text of a device file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from socsim import units
from socsim.devices.device import Calibration, ClusterFactors, KernelPower, KernelRate
from socsim.newdevice.donors import FAMILY
from socsim.newdevice.transfer import Transferred

__all__ = ["calibration_block", "device_text", "kernels_text"]

_TIMES = frozenset({"kernel_overhead", "inference_overhead", "dispatch", "host_overhead", "fork_join"})
_FAMILY = (
    "socsim new-device: rates of the nearest device that was calibrated; nothing was measured on this one"
)
_WIDTH = 118


def calibration_block(sets: Iterable[Transferred]) -> dict[str, Any]:
    """Block `calibration` of a device file."""
    block: dict[str, Any] = {}
    for found in sets:
        library, processor, dtype, layout = found.calibration.key
        place = block.setdefault(library, {}).setdefault(processor, {})
        if layout:
            place.setdefault(dtype, {})[layout] = _set(found)
        else:
            place[dtype] = _set(found)
    return block


def kernels_text(comment: str, sets: Iterable[Transferred]) -> str:
    """A file of kernels alone, for a device file to extend."""
    blocks = {"sources": {FAMILY: _FAMILY}, "calibration": calibration_block(sets)}
    return _text(comment, blocks)


def device_text(comment: str, blocks: dict[str, Any], sets: Iterable[Transferred]) -> str:
    """A device file: other blocks, then the parameter sets."""
    sources = {FAMILY: _FAMILY, **blocks.get("sources", {})}
    return _text(comment, {**blocks, "sources": sources, "calibration": calibration_block(sets)})


def _text(comment: str, blocks: dict[str, Any]) -> str:
    import yaml

    head = "".join(f"# {line}\n" for line in comment.splitlines())
    body = yaml.safe_dump(blocks, sort_keys=False, default_flow_style=None, width=_WIDTH, allow_unicode=True)
    return head + body


def _set(found: Transferred) -> dict[str, Any]:
    calibration = found.calibration
    told = f"{FAMILY}: {found.origin}, {found.reason}, nine of ten latencies within a factor of {found.factor:.2g}"
    block = {"grade": "D", "source": told, **_scalars(calibration)}
    if calibration.error:
        block["error"] = {"low": _rounded(calibration.error.low), "high": _rounded(calibration.error.high)}
    if calibration.power != KernelPower():
        own = calibration.power
        block["power"] = {"computing": _rounded(own.computing), "waiting": _rounded(own.waiting)}
    if calibration.clusters:
        block["clusters"] = {name: _factors(own) for name, own in calibration.clusters.items()}
    return {**block, "kernels": _kernels(calibration)}


def _scalars(calibration: Calibration) -> dict[str, Any]:
    """Numbers that differ from what holds where nothing is said."""
    found: dict[str, Any] = {}
    for field in fields(calibration):
        value = getattr(calibration, field.name)
        if isinstance(value, float) and value != field.default:
            found[field.name] = (
                units.format(_rounded(value), "time") if field.name in _TIMES else _rounded(value)
            )
    return found


def _factors(own: ClusterFactors) -> dict[str, Any]:
    kernels = {name: _rounded(value) for name, value in own.kernels.items()}
    return {"overhead": _rounded(own.overhead), "speed": _rounded(own.speed), "kernels": kernels}


def _kernels(calibration: Calibration) -> dict[str, Any]:
    return {name: _rate(rate) for name, rate in calibration.kernels.items()}


_RATE_UNITS = {"half_work": "work", "group_work": "work", "dispatch": "time"}
"""Kinds of the fields of a kernel class that have a unit."""


def _rate(rate: KernelRate) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(rate):
        value = getattr(rate, field.name)
        if isinstance(value, int) and value != field.default:
            found[field.name] = value
        elif isinstance(value, float) and value != field.default:
            kind = _RATE_UNITS.get(field.name)
            found[field.name] = units.format(_rounded(value), kind) if kind else _rounded(value)
    return found


def _rounded(value: float) -> float:
    """Four significant digits: more than any of the numbers is sure of."""
    return float(f"{value:.4g}")
