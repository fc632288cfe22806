"""Managers of a whole device on the Xavier NX: how fast they simulate, and how far from the oracle they are.

    python benchmarks/manager.py [--json] [--duration S] [--repeat N] [--effort N]

Two applications for a minute under governors, tick by tick, and under the hierarchical manager: simulated time per
wall time. Then each scenario of the experiments nx-one-model and nx-two-models: energy per inference on VDD_CPU_GPU_CV
under the manager over the oracle's, and the wall time of both. Takes some minutes; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import socsim
from socsim.sweeps import load_sweep

BOARD = "jetson-xavier-nx"
RAIL = "vdd_cpu_gpu_cv"
PLACED = {"both on the GPU": ("gpu", "100 ms"), "one on the CPU": ("cpu", "2 s")}
GOVERNED = {
    "schedutil_l4t + nvhost_podgov": {"cpu": "schedutil_l4t", "gpu": "nvhost_podgov"},
    "schedutil + nvhost_podgov": {"cpu": "schedutil", "gpu": "nvhost_podgov"},
    "ondemand + simple_ondemand": {"cpu": "ondemand", "gpu": "simple_ondemand", "dram": "simple_ondemand"},
    "conservative + nvhost_podgov": {"cpu": "conservative", "gpu": "nvhost_podgov"},
    "interactive + nvhost_podgov": {"cpu": "interactive", "gpu": "nvhost_podgov"},
}
MANAGERS = (None, "hierarchical(rail=vdd_cpu_gpu_cv)")
SWEPT = {"nx-one-model": ("mode", "next"), "nx-two-models": ("placed",)}


def applications(scheduler: str, period: str) -> list[socsim.Inference]:
    """A network every 100 ms on the GPU, and a second one."""
    limit = "90 ms" if scheduler == "gpu" else period
    common: dict[str, Any] = {"library": "pytorch_eager", "level": 4}
    return [
        socsim.Inference(
            "dynamic_ofa",
            "gpu",
            name="camera",
            period="100 ms",
            targets={"latency": "90 ms", "top1": 76},
            **common,
        ),
        socsim.Inference(
            "dynamic_ofa",
            scheduler,
            name="other",
            period=period,
            targets={"latency": limit, "top1": 76},
            **common,
        ),
    ]


def times_real_time(
    placed: str, governors: dict[str, str], manager: str | None, duration: float, repeat: int
) -> float:
    """Simulated time per wall time, loading of files and planning included; a median."""
    walls = []
    for _ in range(repeat):
        apps = applications(*PLACED[placed])
        begin = time.perf_counter()
        socsim.simulate(BOARD, apps, duration=duration, governors=governors, manager=manager)
        walls.append(time.perf_counter() - begin)
    return duration / statistics.median(walls)


def speeds(duration: float, repeat: int) -> dict[str, dict[str, dict[str, float]]]:
    """Times faster than real time by placement, governors, and who manages."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for placed in PLACED:
        for name, governors in GOVERNED.items():
            progress(f"speed: {placed}, {name}")
            for manager in MANAGERS:
                speed = times_real_time(placed, governors, manager, duration, repeat)
                found.setdefault(placed, {}).setdefault(name, {})[manager or "alone"] = speed
    return found


def distances(effort: int) -> list[dict[str, Any]]:
    """Manager and oracle in each scenario of the experiments."""
    rows = []
    for name, axes in SWEPT.items():
        swept = [axis.written for axis in load_sweep(name).axes if axis.name in axes]
        for scenario in product(*swept):
            progress(f"distance: {name}, {', '.join(scenario)}")
            chosen = [f"{axis}={value}" for axis, value in zip(axes, scenario, strict=True)]
            rows.append(
                {"experiment": name, "scenario": ", ".join(scenario), **distance(name, chosen, effort)}
            )
    return rows


def distance(name: str, chosen: list[str], effort: int) -> dict[str, Any]:
    """Energy per inference in mJ and wall time in s of governors, manager and oracle, and what the oracle proved."""
    found: dict[str, Any] = {}
    for who in ("governors", "all", "oracle"):
        experiment = load_sweep(name, [*chosen, f"decides={who}"]).experiment(0)
        if who == "oracle":
            experiment = replace(experiment, manager=f"oracle(rail=vdd_cpu_gpu_cv, effort={effort})")
        begin = time.perf_counter()
        result = experiment.run()
        found[f"{who}_s"] = time.perf_counter() - begin
        found[f"{who}_mj"] = result.rows()[0]["rails_mj"][RAIL]
    (phase,) = result.report
    found["above_oracle"] = found["all_mj"] / found["oracle_mj"] - 1.0
    return {**found, **{key: phase[key] for key in ("gap", "complete", "feasible", "rehearsals")}}


def progress(what: str) -> None:
    """Say on standard error what is being measured."""
    print(what, file=sys.stderr, flush=True)


def show(report: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"two applications on {BOARD} for {report['duration_s']:g} s, times faster than real time:")
    for placed, rows in report["times_real_time"].items():
        for governors, row in rows.items():
            speeds_of = ", ".join(f"{who} {speed:.1f}" for who, speed in row.items())
            print(f"  {placed:16} {governors:30} {speeds_of}")
    print("energy per inference on VDD_CPU_GPU_CV in mJ:")
    for row in report["distances"]:
        print(
            f"  {row['experiment']:14} {row['scenario']:26} governors {row['governors_mj']:6.1f}, manager"
            f" {row['all_mj']:6.1f} ({row['above_oracle']:+.1%} against the oracle), oracle {row['oracle_mj']:6.1f} in"
            f" {row['oracle_s']:.1f} s, {row['rehearsals']} rehearsals, at most {row['gap']:.1%} above the best"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--duration", type=float, default=60.0, help="of the runs that are timed, in s")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--effort", type=int, default=12, help="the oracle's rehearsals")
    options = parser.parse_args()
    report = {
        "duration_s": options.duration,
        "times_real_time": speeds(options.duration, options.repeat),
        "distances": distances(options.effort),
    }
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


if __name__ == "__main__":
    main()
