"""The tables of measurements beside this file, row by row. ``ATTRIBUTION.md`` says where each comes from."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple, cast

from socsim.errors import UnknownNameError, UsageError

__all__ = [
    "TABLES",
    "MeasuredDevice",
    "MeasuredNetwork",
    "MeasuredOperator",
    "Measurement",
    "measured_devices",
    "measured_networks",
    "measured_operators",
    "measurements",
    "parse_cores",
    "row_counts",
    "table_path",
]

_FOLDER = Path(__file__).resolve().parent

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "qed": "47 classifiers on three phones, TensorFlow Lite: single cores, pairs of cores, GPU",
        "ncnn": "15 networks on phones and boards, ncnn: threads, core sets, Vulkan",
        "mlperf": "MobileNet grids and ResNet-50 on boards, MLPerf: latency, and energy at the wall",
        "tensorflow": "TensorFlow's documentation: Pixel phones on CPU, GPU and NNAPI, XNNPACK",
        "paddlelite": "MobileNets, SqueezeNet and ResNet-50 on phones and a board, Paddle-Lite",
        "aihub": "Qualcomm AI Hub: NPU of the Snapdragon 8 Gen 2, with layers by processor",
    }
)
"""Name of a table -> what is in it."""


class Measurement(NamedTuple):
    """One row: how long one inference of one network took, batch 1.

    Numbers that the source does not give are None, texts empty.
    """

    table: str
    """Which of :data:`TABLES` it is from."""
    line: int
    """Line in the file, the header being 1."""
    device: str
    """Device in the spelling of profiles; :func:`measured_devices` says what it is."""
    library: str
    """Inference library, in snake_case."""
    processor: str
    """``cpu``, ``gpu``, ``dsp`` or ``npu``."""
    cores: str
    """Cores that the CPU's threads ran on, one thread each (``prime:1+gold:3``); empty for other processors."""
    precision: str
    """``fp32``, ``fp16`` or ``int8``; another only in rows left out."""
    model: str
    """Network of the zoo; the source's own name in rows left out for want of one."""
    latency_ms: float
    """Mean latency in milliseconds."""
    energy_mj: float | None
    """Energy of one inference in millijoules, the whole board's."""
    threads: int | None
    """Threads, where the source tells them."""
    latency_std_ms: float | None
    """Standard deviation of the latency in milliseconds."""
    power_w: float | None
    """Mean power while inferring in watts, the whole board's."""
    idle_power_w: float | None
    """Least power ahead of the run in watts, the whole board's."""
    layers_npu: int | None
    """Layers on the NPU."""
    layers_gpu: int | None
    """Layers on the GPU."""
    layers_cpu: int | None
    """Layers on the CPU."""
    library_version: str
    """Version of the library."""
    measured_on: str
    """The device as the source names it."""
    source_id: str
    """Source, a key of the table in ``ATTRIBUTION.md``, then what in it."""
    date: str
    """Date or round of the measurement."""
    excluded: str
    """Why the row is left out by default; empty if it is not."""
    notes: str
    """What else the source tells, and what was taken for granted."""


class MeasuredDevice(NamedTuple):
    """A device that rows name."""

    device: str
    title: str
    soc: str
    cores: Mapping[str, int]
    """Cluster -> number of its cores."""
    processors: frozenset[str]
    """``cpu`` and the others that were measured."""


class MeasuredNetwork(NamedTuple):
    """A network of the zoo, as one table has it."""

    model: str
    """Its name in the zoo."""
    family: str
    """Networks of one design; what cross-validation keeps together."""
    table: str
    source_model: str
    """Its name in the source."""
    macs: float | None
    """Multiply-accumulates as the source counts them."""
    parameters: float | None
    """Parameters as the source counts them."""


class MeasuredOperator(NamedTuple):
    """How long the GPU took for one operator of a network. Sizes are None where the source gives none."""

    device: str
    library: str
    precision: str
    model: str
    place: int
    """Place in the order of execution, from 0."""
    operator: str
    """TensorFlow Lite's type in lower case: ``conv_2d``, ``mean``, ..."""
    in_size: int | None
    """Height and width of the input, an explicit border included."""
    in_channels: int | None
    out_size: int | None
    """Height and width of the output; channels where the operator is ``mean``."""
    stride: int | None
    kernel: int | None
    filters: int | None
    """Output channels; 1 for depth-wise convolutions."""
    groups: int | None
    flops: int | None
    """Floating-point operations, two for a multiply-accumulate."""
    latency_ms: float
    """Milliseconds on the GPU."""
    kernel_name: str
    """Operators of the file that the kernel has fused."""


def table_path(name: str) -> Path:
    """The CSV file of a table.

    Raises
    ------
    UnknownNameError
        No such table.
    """
    if name not in TABLES:
        raise UnknownNameError("table of measurements", name, TABLES)
    return _FOLDER / f"{name}.csv"


def measurements(*tables: str, excluded: bool = False) -> list[Measurement]:
    """Rows of some tables, in their order; of all tables by default.

    Parameters
    ----------
    excluded
        Also rows that are left out for a reason (``Measurement.excluded``): of networks that the zoo does not
        have, repeated with a later version, run nobody knows where, and the like.

    Raises
    ------
    UnknownNameError
        No such table.
    """
    rows = (row for name in tables or TABLES for row in _rows(name))
    return [row for row in rows if excluded or not row.excluded]


def row_counts() -> Counter[tuple[str, str, str, str]]:
    """Number of rows by device, library, processor and precision; those that are left out do not count."""
    found = Counter[tuple[str, str, str, str]]()
    for name in TABLES:
        for _, row in _table(f"{name}.csv"):
            if not row["excluded"]:
                found[row["device"], row["library"], row["processor"], row["precision"]] += 1
    return found


def measured_devices() -> dict[str, MeasuredDevice]:
    """Every device that rows name, by name."""
    return {
        row["device"]: MeasuredDevice(
            row["device"],
            row["title"],
            row["soc"],
            parse_cores(row["clusters"]),
            frozenset(["cpu", *filter(None, row["processors"].split("+"))]),
        )
        for _, row in _table("devices.csv")
    }


def measured_networks() -> list[MeasuredNetwork]:
    """Every network that rows name, once for each name that a table has for it."""
    return [
        MeasuredNetwork(
            row["model"], row["family"], row["table"], row["source_model"],
            _millions(row["macs_m"]), _millions(row["params_m"]),
        )
        for _, row in _table("networks.csv")
    ]  # fmt: skip


def measured_operators() -> list[MeasuredOperator]:
    """GPU times of every operator of the networks of table ``qed``, on its three phones."""
    return [_operator(row) for _, row in _table("qed_gpu_operators.csv.gz")]


def parse_cores(text: str) -> dict[str, int]:
    """Cluster -> number of cores, of ``prime:1+gold:3``; nothing of an empty text.

    Raises
    ------
    UsageError
        Another spelling, no core of a cluster, or a cluster twice.
    """
    cores: dict[str, int] = {}
    for part in text.split("+") if text else ():
        cluster, _, number = part.partition(":")
        if not cluster or cluster in cores or not number.isdecimal() or int(number) < 1:
            raise UsageError(f"cores must look like 'prime:1+gold:3', each cluster once, got {text!r}")
        cores[cluster] = int(number)
    return cores


_SIZES = ("in_size", "in_channels", "out_size", "stride", "kernel", "filters", "groups", "flops")
_NUMBERS = ("energy_mj", "latency_std_ms", "power_w", "idle_power_w")
_COUNTS = ("threads", "layers_npu", "layers_gpu", "layers_cpu")


def _rows(name: str) -> Iterator[Measurement]:
    table_path(name)
    for line, row in _table(f"{name}.csv"):
        values: dict[str, object] = {field: row.get(field, "") for field in Measurement._fields}
        values |= {field: _number(row.get(field, "")) for field in _NUMBERS}
        values |= {field: _integer(row.get(field, "")) for field in _COUNTS}
        values |= {"table": name, "line": line, "latency_ms": float(row["latency_ms"])}
        yield Measurement(**values)  # type: ignore[arg-type]


def _operator(row: Mapping[str, str]) -> MeasuredOperator:
    number = {key: _integer(row[key]) for key in _SIZES}
    return MeasuredOperator(
        row["device"], row["library"], row["precision"], row["model"], int(row["place"]), row["operator"],
        number["in_size"], number["in_channels"], number["out_size"], number["stride"], number["kernel"],
        number["filters"], number["groups"], number["flops"], float(row["latency_ms"]), row["kernel_name"],
    )  # fmt: skip


def _table(file: str) -> Iterator[tuple[int, dict[str, str]]]:
    path = _FOLDER / file
    with cast(
        "IO[str]", (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8")
    ) as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            yield reader.line_num, row


def _number(text: str) -> float | None:
    return float(text) if text else None


def _integer(text: str) -> int | None:
    return int(text) if text else None


def _millions(text: str) -> float | None:
    return float(text) * 1e6 if text else None
