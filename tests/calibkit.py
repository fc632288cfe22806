"""Measurements made up from a known parameter set, for tests of calibration."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np

from socsim.calibration.features import Kernels, Team, cpu_kernels, with_calibration
from socsim.calibration.model import CpuModel
from socsim.calibration.space import Space, cpu_space
from socsim.calibration.tables import COLUMNS
from socsim.calibration.values import Values
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.workloads.library import load_library
from socsim.workloads.zoo.catalogue import build_model

NETWORKS = (
    "mobilenet_v1", "mobilenet_v1_0.5_160", "mobilenet_v2", "squeezenet_1.0", "squeezenet_1.1", "resnet18", "mnasnet",
    "shufflenet_v2",
)  # fmt: skip
"""Networks of six families."""
MASKS = ("prime:1", "gold:2", "silver:1")
KEY = ("tflite", "cpu", "fp32", "")


@cache
def phone() -> Device:
    """A Snapdragon 855 without any calibration."""
    from dataclasses import replace

    return replace(load_device("xiaomi-9"), calibrations={})


@cache
def kernels() -> Kernels:
    """Kernels of :data:`NETWORKS`."""
    return cpu_kernels(
        load_library("tflite"),
        "fp32",
        {name: build_model(name) for name in NETWORKS},
        phone().cores[phone().fastest_core],
    )


def team(mask: str) -> Team:
    """A team of :func:`phone`."""
    return Team.of(phone(), load_library("tflite"), mask)


@cache
def space() -> Space:
    """What can be fitted of :data:`MASKS`."""
    return cpu_space("tflite", "fp32", kernels().classes, [team(mask).cores for mask in MASKS])


@cache
def truth(seed: int = 1) -> Values:
    """A parameter set near what is expected."""
    vector = space().start + 0.3 * space().spreads * np.random.default_rng(seed).standard_normal(
        len(space().start)
    )
    low, high = space().bounds
    return space().values(np.clip(vector, low, high))


def latencies(mask: str, values: Values | None = None) -> np.ndarray:
    """Latencies in s of :data:`NETWORKS` on a mask."""
    return CpuModel(kernels(), team(mask), "fp32").latencies(values or truth())


def rows(masks: tuple[str, ...] = MASKS) -> list[dict[str, object]]:
    """Rows of a table, without any error of measurement."""
    return [
        dict(zip(COLUMNS, ("xiaomi-9", "tflite", "cpu", mask, "fp32", name, 1e3 * time), strict=True))
        for mask in masks
        for name, time in zip(NETWORKS, latencies(mask), strict=True)
    ]


def write(path: Path, lines: list[dict[str, object]], columns: tuple[str, ...] = COLUMNS) -> Path:
    """A table as a file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return path


def calibrated(values: Values, key: tuple[str, str, str, str] = KEY) -> Device:
    """The phone with a parameter set."""
    return with_calibration(phone(), values.calibration(key))
