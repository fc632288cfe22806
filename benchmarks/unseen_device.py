"""How well a device is predicted of which nothing was measured.

    python benchmarks/unseen_device.py [--json] [DEVICE ...]

Each device that the tables measure is described by its public specifications alone (cores, clocks, GPU, memory), made
into a profile as `socsim new-device` does, with rates of the other devices only, and held against its measurements.
Devices with the same silicon are left out together, and so are those whose rates were taken over from it. Told are the
median of absolute errors, and for how many networks the faster one of CPU (its fastest set of cores) and GPU is named
rightly.
errors, and for how many networks the faster one of CPU (its fastest set of cores) and GPU is named rightly.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from socsim.calibration.validation import Compared, validate
from socsim.devices.device import Device
from socsim.devices.profile import device_names, load_device
from socsim.errors import UsageError
from socsim.measurements import TABLES, measurements
from socsim.newdevice import Specification, new_device

KIN = (
    {"pixel-4", "xiaomi-9", "oneplus-7t", "honor-v30-pro"},
    {"galaxy-s10", "honor-v30-pro"},
    {"jetson-agx-xavier", "jetson-xavier-nx"},
)
"""Devices of the same silicon, and with some whose rates (of TensorFlow Lite and ncnn) were taken over from them."""


def measured_devices() -> list[str]:
    """Devices that have a profile and rows."""
    named = {row.device for row in measurements()}
    return [name for name in device_names() if name in named]


def described(device: Device) -> Specification:
    """What is publicly told of a device."""
    whole = device.in_mode("") if device.mode else device
    cpu = [
        {"core": c.core, "clock": f"{c.max_opp.frequency / 1e6:g} MHz", "count": c.count, "name": c.name}
        for c in device.clusters
    ]
    data: dict[str, Any] = {"title": whole.title, "soc": whole.soc, "cpu": cpu}
    peak = whole.memory.opps[-1].bandwidth
    data["memory"] = {"kind": "lpddr4x", "bandwidth": f"{peak / 1e9:g} GB/s"}
    if "gpu" in whole.accelerators:
        gpu = whole.accelerators["gpu"]
        data["gpu"] = {
            "model": gpu.model, "clock": f"{gpu.max_opp.frequency / 1e6:g} MHz",
            "macs_per_cycle": gpu.macs_per_cycle["fp32"],
        }  # fmt: skip
    return Specification.model_validate(data)


def unseen(name: str) -> Device:
    """A device as it is expected to be from its specifications and from the other devices."""
    kin = {name}.union(*(group for group in KIN if name in group))
    made = new_device(described(load_device(name)), exclude=kin)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(made.text, encoding="utf-8")
        return load_device(path)


def predicted(name: str) -> tuple[list[Compared], Mapping[str, int]]:
    """Measurements of a device beside predictions, and rows without a prediction by reason."""
    device = unseen(name)
    found: list[Compared] = []
    left_out: dict[str, int] = defaultdict(int)
    for table in TABLES:
        if any(row.device == name for row in measurements(table)):
            try:
                own = validate([table], device, name=name)
            except UsageError:
                left_out["no rates for any row of a table"] += sum(
                    r.device == name for r in measurements(table)
                )
                continue
            found += own.compared
            for why, number in own.left_out.items():
                if not why.startswith("excluded"):
                    left_out[why] += number
    return found, left_out


def errors(rows: Iterable[Compared]) -> list[float]:
    """Absolute errors as shares of what was measured."""
    return [abs(one.latency / one.row.latency - 1.0) for one in rows]


def winners(rows: Iterable[Compared]) -> list[tuple[bool, bool]]:
    """For each network and library on both: whether the GPU is faster, as measured and as predicted."""
    best: dict[tuple[str, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    for one in rows:
        if one.row.processor in ("cpu", "gpu") and one.row.precision != "int8":
            own = best[one.row.library, one.row.model]
            now = own.get(one.row.processor, (float("inf"), float("inf")))
            own[one.row.processor] = (min(now[0], one.row.latency), min(now[1], one.latency))
    pairs = (own for own in best.values() if len(own) == 2)
    return [(own["gpu"][0] < own["cpu"][0], own["gpu"][1] < own["cpu"][1]) for own in pairs]


def row_of(name: str) -> dict[str, Any]:
    """Errors of a device."""
    rows, left_out = predicted(name)
    by: dict[str, list[Compared]] = defaultdict(list)
    for one in rows:
        by[f"{one.row.library} {one.row.processor} {one.row.precision}"].append(one)
    right = [measured == told for measured, told in winners(rows)]
    return {
        "device": name,
        "n": len(rows),
        "median_error": statistics.median(errors(rows)) if rows else None,
        "sets": {what: _median(own) for what, own in sorted(by.items())},
        "winner_networks": len(right),
        "winner_right": sum(right),
        "gpu_faster": sum(measured for measured, _ in winners(rows)),
        "left_out": dict(left_out),
    }  # fmt: skip


def _median(rows: list[Compared]) -> dict[str, Any]:
    return {"n": len(rows), "median_error": statistics.median(errors(rows))}


def report(names: Iterable[str]) -> dict[str, Any]:
    """Rows of devices, and figures over all of them."""
    rows = [row_of(name) for name in names]
    medians = [row["median_error"] for row in rows if row["n"]]
    sets = [own["median_error"] for row in rows for own in row["sets"].values()]
    networks = sum(row["winner_networks"] for row in rows)
    return {
        "devices": rows,
        "median_of_devices": statistics.median(medians),
        "median_of_sets": statistics.median(sets),
        "winner_networks": networks,
        "winner_right": sum(row["winner_right"] for row in rows) / networks if networks else None,
        "gpu_faster": sum(row["gpu_faster"] for row in rows) / networks if networks else None,
    }


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("devices", nargs="*", metavar="DEVICE", help="default all that the tables measure")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    found = report(arguments.devices or measured_devices())
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for row in found["devices"]:
        median = "nothing" if row["median_error"] is None else f"{row['median_error']:4.0%}"
        print(
            f"{row['device']:26} {row['n']:4} rows  median error {median}  "
            f"winner {row['winner_right']}/{row['winner_networks']}"
        )
        for what, own in row["sets"].items():
            print(f"    {what:24} {own['n']:4}  {own['median_error']:4.0%}")
    print(
        f"median of devices {found['median_of_devices']:.0%}, of parameter sets {found['median_of_sets']:.0%}"
    )
    if found["winner_networks"]:
        print(
            f"CPU or GPU: right for {found['winner_right']:.0%} of {found['winner_networks']} networks "
            f"(the GPU is faster for {found['gpu_faster']:.0%})"
        )


if __name__ == "__main__":
    main()
