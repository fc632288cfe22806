"""Rows of ``socsim list devices``: what each device is, and what of it was calibrated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socsim.devices.summary import CalibrationSummary, DeviceSummary

__all__ = ["HEADERS", "NOTE", "device_cells", "device_rows", "measured_rows"]

Row = dict[str, Any]

HEADERS = ("name", "SoC", "processors", "calibrated", "estimated (grade D)")
NOTE = (
    "In brackets: rows of the measurement tables that are of the device. What was calibrated without such rows rests\n"
    "on other published measurements, of the device or of one like it: socsim show device NAME tells which."
)


def device_rows() -> list[Row]:
    """A row for each device that comes with socsim."""
    from socsim.devices.summary import summaries
    from socsim.measurements import row_counts

    counts = row_counts()
    return [_row(device, counts) for device in summaries()]


def measured_rows(counts: Mapping[tuple[str, str, str, str], int], device: str, key: Iterable[str]) -> int:
    """Rows of the tables that are of a device (in whatever power mode) and a parameter set of it."""
    library, processor, dtype, _ = key
    return counts.get((device.partition("(")[0], library, processor, dtype), 0)


def _row(device: DeviceSummary, counts: Mapping[tuple[str, str, str, str], int]) -> Row:
    cores = "+".join(str(count) for count in device.cores.values())
    accelerators = [f"{name} {model}" for name, model in device.accelerators.items()]
    sets = [_set(device.name, found, counts) for found in device.calibrations]
    row = {"name": device.name, "title": device.title, "soc": device.soc}
    return {**row, "processors": [f"cpu {cores}", *accelerators], "calibrations": sets}


def _set(device: str, found: CalibrationSummary, counts: Mapping[tuple[str, str, str, str], int]) -> Row:
    key = (found.library, found.processor, found.dtype, found.layout)
    told = dict(zip(("library", "processor", "dtype", "layout"), key, strict=True))
    return {**told, "grade": found.grade, "rows": measured_rows(counts, device, key)}


def device_cells(row: Row) -> tuple[str, ...]:
    """A row as cells of a table."""
    measured = _sets(row["calibrations"], estimated=False) or "nothing"
    estimated = _sets(row["calibrations"], estimated=True) or "-"
    return (row["name"], row["soc"], ", ".join(row["processors"]), measured, estimated)


def _sets(sets: list[Row], *, estimated: bool) -> str:
    """Parameter sets of one kind: ``tflite cpu (470), gpu (47); ncnn cpu``."""
    wanted = [own for own in sets if (own["grade"] == "D") == estimated]
    libraries = dict.fromkeys(own["library"] for own in wanted)
    found = []
    for library in libraries:
        own = [one for one in wanted if one["library"] == library]
        other = [one for one in sets if one["library"] == library and one not in own]
        found.append(f"{library} {', '.join(_processors(own, other))}")
    return "; ".join(found)


def _processors(own: list[Row], other: list[Row]) -> Iterator[str]:
    """Processors of a library's sets, with data types where those of the other kind are on the same processor."""
    for processor in dict.fromkeys(one["processor"] for one in own):
        here = [one for one in own if one["processor"] == processor]
        mixed = any(one["processor"] == processor for one in other)
        dtypes = dict.fromkeys(one["dtype"] for one in here)
        rows = sum({one["dtype"]: one["rows"] for one in here}.values())
        yield " ".join([processor, *(dtypes if mixed else ()), *([f"({rows})"] if rows else [])])
