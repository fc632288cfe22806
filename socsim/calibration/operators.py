"""Times of single kernels on an accelerator, operator by operator: they tell rates that whole networks blur.

The table has the columns :data:`COLUMNS`. Of an operator on the GPU it gives TensorFlow Lite's type in lower case and
its sizes, as :class:`socsim.measurements.MeasuredOperator` describes them; rows of types that are none of
:data:`TYPES`, and of other processors, are counted and left out.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import IO, Literal, cast

import numpy as np

from socsim.calibration.families import families_of
from socsim.calibration.features import FloatArray, Kernels, KernelsBuilder
from socsim.errors import Fault, FileError, ModelError, UsageError
from socsim.words import counted
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import Library

__all__ = [
    "COLUMNS",
    "NONE",
    "TYPES",
    "MeasuredKernel",
    "OperatorTimes",
    "operator_kernels",
    "read_operators",
]

SIZES = ("in_size", "in_channels", "out_size", "stride", "kernel", "filters", "groups")
COLUMNS = ("device", "library", "precision", "model", "operator", *SIZES, "latency_ms")
"""Columns that a table of operators must have."""
TYPES = (
    "conv_2d", "conv_2d_group", "depthwise_conv_2d", "fully_connected", "mean", "average_pool_2d", "max_pool_2d",
    "concatenation",
)  # fmt: skip
"""Operators that are understood."""


@dataclass(frozen=True, slots=True, order=True)
class MeasuredKernel:
    """Operators of one shape in the networks of one family.

    Parameters
    ----------
    family
        Of the networks: what cross-validation keeps together.
    operator
        One of :data:`TYPES`.
    sizes
        As of :data:`SIZES`; 0 where an operator has none.
    """

    family: str
    operator: str
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        """All of it in one word."""
        return "-".join(map(str, (self.family, self.operator, *self.sizes)))


@dataclass(frozen=True)
class OperatorTimes:
    """Measured kernels of one device.

    Parameters
    ----------
    times
        (library, precision) -> kernel -> geometric mean of its times in s.
    rows
        Rows that were used.
    warnings
        What was left out, counted.
    """

    times: Mapping[tuple[str, str], Mapping[MeasuredKernel, float]]
    rows: int = 0
    warnings: tuple[str, ...] = ()


NONE = OperatorTimes(MappingProxyType({}))
"""No measured kernels."""


def read_operators(
    path: str | Path, device: str, families: Mapping[str, str] = MappingProxyType({})
) -> OperatorTimes:
    """Read the kernels of one device from a CSV file, which may be compressed (``.gz``).

    Parameters
    ----------
    device
        What rows call the device.
    families
        Network -> family where something else tells it: no family is in both a fit and what is predicted with it, so
        kernels must be of the family that their network has in the table of latencies.

    Raises
    ------
    FileError
        The file cannot be read, lacks columns, or has sizes or times that are no numbers.
    UsageError
        No row is of the device.
    """
    lines = _lines(path)
    named = {row["model"] for _, row in lines}
    return _gathered(str(path), lines, device, {**families_of(named), **families})


def _lines(path: str | Path) -> list[tuple[int, dict[str, str]]]:
    """Rows with their lines; a cell that is not there is empty."""
    try:
        opener = gzip.open if Path(path).suffix == ".gz" else open
        with cast("IO[str]", opener(path, "rt", encoding="utf-8-sig", newline="")) as stream:
            reader = csv.DictReader(stream, restval="")
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                message = f"a table of operators needs the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}"
                raise FileError(str(path), [Fault(1, 1, "", message)])
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error) as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: str | Path, why: str) -> FileError:
    return FileError(str(path), [Fault(0, 0, "", f"cannot be read: {why}")])


def _gathered(
    path: str, lines: Sequence[tuple[int, dict[str, str]]], device: str, families: Mapping[str, str]
) -> OperatorTimes:
    found: dict[tuple[str, str], dict[MeasuredKernel, list[float]]] = defaultdict(lambda: defaultdict(list))
    faults, unknown, others, rows = list[Fault](), Counter[str](), Counter[str](), 0
    for line, row in lines:
        if row["device"] != device:
            others[row["device"]] += 1
        elif row.get("processor", "") not in ("", "gpu"):
            unknown[f"the {row['processor']}"] += 1
        elif row["operator"] not in TYPES:
            unknown[f"type {row['operator']!r}"] += 1
        elif own := list(_faults(line, row)):
            faults += own
        else:
            sizes = tuple(int(row[size] or 0) for size in SIZES)
            kernel = MeasuredKernel(families[row["model"]], row["operator"], sizes)
            found[row["library"], row["precision"]][kernel].append(float(row["latency_ms"]) * 1e-3)
            rows += 1
    if faults:
        raise FileError(path, faults)
    if not rows and not unknown:
        raise UsageError(
            f"{path}: no operator is of device {device!r}; it has {', '.join(sorted(others)) or 'no rows'}"
        )
    warnings = [f"{counted(n, 'operator')} of {name}: left out" for name, n in sorted(unknown.items())]
    if others:
        warnings.append(f"{counted(sum(others.values()), 'operator')} of other devices: left out")
    return OperatorTimes({key: _means(own) for key, own in found.items()}, rows, tuple(warnings))


def _faults(line: int, row: Mapping[str, str]) -> Iterator[Fault]:
    """What of a row is no size or no time."""
    for size in SIZES:
        if not (row[size] or "0").isdecimal():
            yield Fault(line, 1, size, f"must be a whole number, or empty, got {row[size]!r}")
    try:
        time = float(row["latency_ms"])
    except ValueError:
        time = 0.0
    if not 0.0 < time < inf:
        yield Fault(line, 1, "latency_ms", f"must be a positive number, got {row['latency_ms']!r}")


def _means(times: Mapping[MeasuredKernel, list[float]]) -> Mapping[MeasuredKernel, float]:
    return {kernel: exp(fmean(log(t) for t in own)) for kernel, own in sorted(times.items())}


def operator_kernels(
    library: Library,
    key: tuple[str, str, str, str],
    times: Mapping[MeasuredKernel, float],
    classes: Sequence[str],
) -> tuple[Kernels, FloatArray, Mapping[str, str]]:
    """Measured kernels, each as a network of its own, their times in s, and their families.

    Parameters
    ----------
    key
        Library, processor, dtype, layout.
    classes
        Kernel classes that are fitted; kernels of others are passed over.
    """
    builder = KernelsBuilder(key[:3], classes)
    seconds, families = list[float](), dict[str, str]()
    for kernel, time in times.items():
        graph = _graph(kernel)
        if graph is None:
            continue
        op = next(iter(graph))
        kernel_class = library.kernel_class(op, graph, key[1], key[3])
        if kernel_class in classes:
            builder.open(kernel.name)
            builder.add(graph, op, kernel_class)
            seconds.append(time)
            families[kernel.name] = kernel.family
    return builder.build(), np.array(seconds), families


def _graph(kernel: MeasuredKernel) -> ModelGraph | None:
    """A network of one operator; None if its sizes make none."""
    size, channels, out, stride, width, filters, groups = (max(1, n) for n in kernel.sizes)
    builder = GraphBuilder(kernel.operator)
    try:
        if kernel.operator == "fully_connected":
            return builder.build(builder.dense(builder.input(1, channels), filters))
        x = builder.input(1, channels, size, size)
        if kernel.operator == "mean":
            return builder.build(builder.global_avg_pool(x))
        if kernel.operator == "concatenation":
            half = builder.input(1, filters - channels, size, size, name="other")
            return builder.build(builder.concat(x, half))
        padding: Literal["valid", "same"] = "valid" if (size - width) // stride + 1 == out else "same"
        if kernel.operator.endswith("pool_2d"):
            pool = builder.max_pool if kernel.operator.startswith("max") else builder.avg_pool
            return builder.build(pool(x, width, stride, padding=padding))
        depthwise = kernel.operator.startswith("depthwise")
        many = channels * filters if depthwise else filters
        own = channels if depthwise else groups
        return builder.build(builder.conv(x, many, width, stride, padding=padding, groups=own))
    except ModelError:
        return None
