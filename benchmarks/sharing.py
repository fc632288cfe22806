"""A network on CPU and GPU at once: how much each slows the other, and what a hand-over costs, beside measurements.

    python benchmarks/sharing.py [--json]

Measured by DAG-Scheduler with MNN (OpenCL, fp32): time to hand a tensor over as a constant and a slope, layout change
included; how much longer operators take while the other processor computes, median and mean.
Simulated: a hand-over of 0 to 10 MB under MACE, which maps memory in place of copying it; and two inferences of the
same network, one on each processor, over and over, against each alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import socsim
from socsim.devices.sharing import from_accelerator

TRANSFERS = {"xiaomi-9": ((0.8, 0.9), (0.58, 0.60)), "honor-v30-pro": ((0.08, 0.12), (0.24, 0.27))}
"""Measured constant in ms and slope in ms/MB: lowest and highest."""
CO_RUN = {
    "xiaomi-9": {"cpu": (0.96, 1.00), "gpu": (1.35, 1.47)},
    "honor-v30-pro": {"cpu": (1.05, 1.11), "gpu": (1.02, 1.29)},
}
"""Measured median and mean factor."""
NETWORKS = ("mobilenet_v1", "resnet50", "vgg16", "squeezenet_1.1")
LIBRARIES = ("mace", "tflite")


def hand_over(device: str) -> tuple[float, float]:
    """Constant in ms and slope in ms/MB of a tensor's way from the GPU to the CPU, with its change of layout."""
    link = socsim.load_device(device).sharing["gpu"]
    sizes = np.linspace(0.0, 10e6, 11)
    times = np.array([from_accelerator(link, size, image=True).time for size in sizes])
    slope, constant = np.polyfit(sizes / 1e6, 1e3 * times, 1)
    return float(constant), float(slope)


def co_run(device: str, library: str) -> dict[str, float]:
    """Mean factor by which inferences on CPU and GPU take longer while the other processor computes."""
    found: dict[str, list[float]] = {"cpu": [], "gpu": []}
    for network in NETWORKS:
        apps = {
            p: socsim.Inference(
                network, scheduler=p, library=library, name=p, dtype="fp32" if library == "mace" else ""
            )
            for p in found
        }
        together = socsim.simulate(device, list(apps.values()), duration="2 s")
        for processor, app in apps.items():
            alone = socsim.simulate(device, [app], duration="2 s").metrics()["latency_ms_mean"]
            found[processor].append(together.metrics(processor)["latency_ms_mean"] / alone)
    return {processor: fmean(factors) for processor, factors in found.items()}


def rows() -> dict[str, list[dict[str, Any]]]:
    """Simulated beside measured."""
    transfers = []
    for device, (constant, slope) in TRANSFERS.items():
        own = hand_over(device)
        row = {"device": device, "constant_ms": own[0], "slope_ms_per_mb": own[1]}
        transfers.append({**row, "measured_constant_ms": constant, "measured_slope_ms_per_mb": slope})
    shared = [
        {"device": device, "library": library, "processor": p, "simulated": factor,
         "measured_median": CO_RUN[device][p][0], "measured_mean": CO_RUN[device][p][1]}
        for device in CO_RUN
        for library in LIBRARIES
        for p, factor in co_run(device, library).items()
    ]  # fmt: skip
    return {"transfers": transfers, "co_run": shared}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    found = rows()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for row in found["transfers"]:
        (low, high), (less, more) = row["measured_constant_ms"], row["measured_slope_ms_per_mb"]
        own = f"{row['constant_ms']:.2f} ms + {row['slope_ms_per_mb']:.2f} ms/MB"
        print(f"{row['device']:14} hand-over {own}, measured {low} to {high} + {less} to {more}")
    for row in found["co_run"]:
        measured = f"measured {row['measured_median']:.2f} (median), {row['measured_mean']:.2f} (mean)"
        print(
            f"{row['device']:14} {row['library']:7} {row['processor']} {row['simulated']:.2f} times slower, {measured}"
        )


if __name__ == "__main__":
    main()
