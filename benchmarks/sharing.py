"""A network on CPU and GPU at once: how much each slows the other, and what a hand-over costs, beside measurements.

    python benchmarks/sharing.py [--json]

Measured by DAG-Scheduler with MNN (OpenCL, fp32), each operator waited for: the time to hand a tensor over, as a
constant and a slope; and how much longer the operators of one network take that is divided between both processors than
where one of them has all of it. An operator's time on the GPU runs from when its thread turns to it until it is seen to
be done, copies of its tensors from and to the CPU included: operators on the CPU that join tensors of the GPU take no
longer in the tables of a Kirin 990 than alone, the last ones on the GPU before them do.
Simulated: the same for Inception-v3 and -v4, at the highest clocks and under governors; and by how much parts that they
contend for are used: DRAM, and the power of the whole phone. How often tensors are copied is up to the plan, of which
none is known: HEFT's and PEFT's stand for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import socsim
from socsim.devices.sharing import handover_time, sharing_of
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library

TRANSFERS = {"xiaomi-9": ((0.8, 0.9), (0.58, 0.60)), "honor-v30-pro": ((0.08, 0.12), (0.24, 0.27))}
"""Measured constant in ms and slope in ms/MB: lowest and highest."""
CO_RUN = {
    "xiaomi-9": {"cpu": (0.96, 1.00, 1.18, 1.00), "gpu": (1.35, 1.47, 2.06, 1.45)},
    "honor-v30-pro": {"cpu": (1.05, 1.11, 1.36, 1.12), "gpu": (1.02, 1.29, 1.61, 1.17)},
}
"""Measured median, mean and 90th percentile of the factor, operators above 50 us; and that of their sum (above 300 us,
mean of both networks)."""
CORES = {"xiaomi-9": "prime:1+gold:1", "honor-v30-pro": "big:2"}
NETWORKS = ("inception_v3", "inception_v4")
GPU_GOVERNOR = {"xiaomi-9": "adreno_tz", "honor-v30-pro": "simple_ondemand"}
SHORTEST_MS = 0.05


def hand_over(device: str, library: str, source: str, target: str) -> tuple[float, float]:
    """Constant in ms and slope in ms/MB of a tensor's way, with its change of layout."""
    links = sharing_of(socsim.load_device(device).sharing, copies=load_library(library).copies)
    sizes = np.linspace(0.0, 10.6e6, 11)
    times = np.array([handover_time(links, size, source, target, image=True) for size in sizes])
    slope, constant = np.polyfit(sizes / 1e6, 1e3 * times, 1)
    return float(constant), float(slope)


def run(device: str, network: str, scheduler: str, governors: Mapping[str, str]) -> socsim.Result:
    """Inferences one after the other, each operator on the GPU waited for."""
    app = socsim.Inference(
        network, scheduler=scheduler, library="mnn", cores=CORES[device], blocking=True, count=8
    )
    return socsim.simulate(device, [app], governors=governors, kernels=True)


def operator_times(device: str, result: socsim.Result, graph: ModelGraph) -> dict[str, tuple[str, float]]:
    """Processor and time in ms of each operator of the last inference."""
    links = sharing_of(socsim.load_device(device).sharing, copies=True)
    kernels = result.kernels[result.kernels.inference == result.kernels.inference.max()]
    rows = kernels[kernels.kind == "kernel"]
    where = dict(zip(rows.operator, rows.processor, strict=True))
    times = dict(zip(rows.operator, rows.end_ms - rows.start_ms, strict=True))
    makers = {tensor: op.name for op in graph for tensor in op.outputs}
    for name, processor in where.items():
        times[name] += 1e3 * links["gpu"].sync.mean if processor == "gpu" else 0.0
    crossed = {
        (tensor, where[name])
        for name in where
        for tensor in graph[name].inputs
        if where.get(makers.get(tensor, ""), where[name]) != where[name]
    }
    for tensor, target in crossed:
        source = "cpu" if target == "gpu" else "gpu"
        readers = [name for name in where if tensor in graph[name].inputs and where[name] == target]
        copying = makers[tensor] if source == "gpu" else readers[0]
        times[copying] += 1e3 * handover_time(links, 4.0 * graph.tensors[tensor].elements, source, target)
    return {name: (processor, times[name]) for name, processor in where.items()}


def co_run(device: str, governors: Mapping[str, str], scheduler: str = "heft") -> dict[str, Any]:
    """Factors by processor over the operators of both networks, and what the runs together used."""
    spec = socsim.load_device(device)
    factors: dict[str, list[float]] = {"cpu": [], "gpu": []}
    together, before = dict.fromkeys(factors, 0.0), dict.fromkeys(factors, 0.0)
    traffic, watts = [], []
    for network in NETWORKS:
        graph = socsim.load_model(network)
        alone = {p: operator_times(device, run(device, network, p, governors), graph) for p in factors}
        result = run(device, network, scheduler, governors)
        for name, (p, time) in operator_times(device, result, graph).items():
            there, own = alone[p][name]
            if there == p and own > SHORTEST_MS:
                factors[p].append(time / own)
                together[p], before[p] = together[p] + time, before[p] + own
        outcome = result.outcome
        traffic.append(result.kernels.dram_bytes.sum() / outcome.duration_s / spec.memory.bandwidth)
        watts.append(sum(outcome.energy_j.values()) / outcome.duration_s)
    told = {
        p: (median(found), fmean(found), quantiles(found, n=10)[-1], together[p] / before[p])
        for p, found in factors.items()
    }
    return {**told, "dram": fmean(traffic), "power_w": fmean(watts)}


def transfer_rows() -> list[dict[str, Any]]:
    """Hand-overs either way, of a library that copies and of one that maps."""
    return [
        {"device": device, "library": library, "way": f"{source} to {target}", "constant_ms": own[0],
         "slope_ms_per_mb": own[1], "measured_constant_ms": constant if library == "mnn" else None,
         "measured_slope_ms_per_mb": slope if library == "mnn" else None}
        for device, (constant, slope) in TRANSFERS.items()
        for library in ("mnn", "mace")
        for source, target in (("gpu", "cpu"), ("cpu", "gpu"))
        for own in [hand_over(device, library, source, target)]
    ]  # fmt: skip


def co_run_rows() -> list[dict[str, Any]]:
    """Factors beside measured ones."""
    found = []
    for device, measured in CO_RUN.items():
        gpu = GPU_GOVERNOR[device]
        for scheduler, title, governors in (
            ("heft", "highest clocks", {}),
            ("peft", "highest clocks", {}),
            ("heft", gpu, {"gpu": gpu}),
            ("heft", f"{gpu}, schedutil", {"gpu": gpu, "cpu": "schedutil"}),
        ):
            own = co_run(device, governors, scheduler)
            used = {"dram_share": own["dram"], "power_w": own["power_w"]}
            for p in measured:
                row = {"device": device, "scheduler": scheduler, "clocks": title, "processor": p}
                found.append({**row, "simulated": own[p], "measured": measured[p], **used})
    return found


def rows() -> dict[str, list[dict[str, Any]]]:
    """Simulated beside measured."""
    return {"transfers": transfer_rows(), "co_run": co_run_rows()}


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
        own = f"{row['constant_ms']:.2f} ms + {row['slope_ms_per_mb']:.2f} ms/MB"
        told = "not measured"
        if row["measured_constant_ms"]:
            (low, high), (less, more) = row["measured_constant_ms"], row["measured_slope_ms_per_mb"]
            told = f"measured {low} to {high} + {less} to {more}"
        print(f"{row['device']:14} {row['library']:5} {row['way']}: {own}, {told}")
    for row in found["co_run"]:
        own, told = (" / ".join(f"{x:.2f}" for x in row[kind]) for kind in ("simulated", "measured"))
        used = f"DRAM {row['dram_share']:.0%} used, {row['power_w']:.1f} W"
        where = f"{row['device']:14} {row['scheduler']} {row['clocks']:26} {row['processor']}"
        print(f"{where} {own}, measured {told}; {used}")


if __name__ == "__main__":
    main()
