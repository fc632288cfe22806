"""How fast socsim simulates: kernels per second, memory per inference, and the common task.

    python benchmarks/throughput.py [--json] [--repeat N] [--inferences N]

It takes about five minutes with the defaults; progress goes to standard error. Every figure is a median over the
repetitions. The ratio to SimPy is to bare timeouts measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import simpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import socsim
from benchmarks import common_task
from socsim.results.result import Result
from socsim.workloads.graph import ModelGraph

SCHEDULERS = ("cpu", "gpu", "mulayer", "codl", "band", "heft", "greedy")


def simpy_timeouts_per_s(count: int = 200_000) -> float:
    """Bare timeouts of one SimPy process per second."""

    def ticks(env: simpy.Environment) -> Any:
        for _ in range(count):
            yield env.timeout(1.0)

    env = simpy.Environment()
    env.process(ticks(env))
    begin = time.perf_counter()
    env.run()
    return count / (time.perf_counter() - begin)


def stream(graph: ModelGraph, scheduler: str, inferences: int, *, kernels: bool = False) -> Result:
    """A back-to-back stream on the Xiaomi 9."""
    app = socsim.Inference(graph, scheduler, count=inferences)
    return socsim.simulate("xiaomi-9", [app], kernels=kernels)


def kernels_of(result: Result) -> float:
    """Kernels that a result's inferences ran."""
    outcome = result.outcome
    return sum(app.kernels for app in outcome.apps.values()) * len(outcome.inferences)


def seconds(action: Callable[[], Result]) -> tuple[float, Result]:
    """Wall time of a simulation, and its result."""
    begin = time.perf_counter()
    result = action()
    return time.perf_counter() - begin, result


def throughput(graph: ModelGraph, scheduler: str, inferences: int, repeat: int) -> dict[str, float]:
    """Kernels per second, planning included, without and with a record of every kernel, and how cost grows.

    The cost of ten times the inferences is compared without the planning, which both pay once.
    """
    stream(graph, scheduler, 1)
    walls: dict[str, list[float]] = {"set_up": [], "plain": [], "traced": [], "long": []}
    kernels = 0.0
    for _ in range(repeat):
        walls["set_up"].append(seconds(lambda: stream(graph, scheduler, 1))[0])
        wall, result = seconds(lambda: stream(graph, scheduler, inferences))
        kernels = kernels_of(result)
        walls["plain"].append(wall)
        walls["traced"].append(seconds(lambda: stream(graph, scheduler, inferences, kernels=True))[0])
        walls["long"].append(seconds(lambda: stream(graph, scheduler, 10 * inferences))[0])
    median = {name: statistics.median(values) for name, values in walls.items()}
    return {
        "kernels_per_inference": kernels / inferences,
        "kernels_per_s": kernels / median["plain"],
        "kernels_per_s_traced": kernels / median["traced"],
        "us_per_inference": 1e6 * median["plain"] / inferences,
        "plan_ms": 1e3 * median["set_up"],
        "cost_ratio_10x": (median["long"] - median["set_up"]) / (median["plain"] - median["set_up"]) / 10.0,
    }


def bytes_per_inference(graph: ModelGraph, scheduler: str, inferences: int) -> float:
    """Memory that each further inference adds to the peak, in B."""
    peaks = []
    for count in (inferences, 2 * inferences):
        tracemalloc.start()
        result = stream(graph, scheduler, count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        del result
    return (peaks[1] - peaks[0]) / inferences


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, in MB; 0 where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def command_seconds(*arguments: str, repeat: int) -> float:
    """Median wall time of a command line."""
    walls = []
    for _ in range(repeat):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "socsim", *arguments], check=True, capture_output=True)
        walls.append(time.perf_counter() - begin)
    return statistics.median(walls)


def measure(inferences: int, repeat: int) -> dict[str, Any]:
    """All figures."""
    graph = socsim.load_model("resnet50")
    timeouts = statistics.median(simpy_timeouts_per_s() for _ in range(repeat))
    report: dict[str, Any] = {"simpy_timeouts_per_s": timeouts, "inferences": inferences, "streams": {}}
    for number, scheduler in enumerate(SCHEDULERS, start=1):
        progress(f"{number} of {len(SCHEDULERS)} streams: {scheduler}")
        row = throughput(graph, scheduler, inferences, repeat)
        row["kernels_per_simpy_timeout"] = row["kernels_per_s"] / timeouts
        row["bytes_per_inference"] = bytes_per_inference(graph, scheduler, inferences)
        report["streams"][scheduler] = row
    progress("common task and command lines")
    report["common_task"] = {kind: common(kind, repeat) for kind in common_task.GOLDEN_LATENCY_US}
    report["busy_phone_x_real_time"] = busy_phone(graph, repeat)
    report["list_s"] = command_seconds("list", "devices", repeat=repeat)
    report["compare_s"] = command_seconds(
        "compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "cpu,gpu,mulayer,codl,band,heft", repeat=repeat
    )
    report["peak_memory_mb"] = peak_memory_mb()
    return report


def busy_phone(graph: ModelGraph, repeat: int, duration: float = 20.0) -> float:
    """Simulated time per wall time of a camera at 30 fps on four threads beside three competitors of four threads."""
    camera = socsim.Inference(graph, "cpu", period="33.333 ms", queue="latest")
    rivals = socsim.Competitor(count=3, threads=4)
    walls = [
        seconds(lambda: socsim.simulate("xiaomi-9", [camera, rivals], duration=duration))[0]
        for _ in range(repeat)
    ]
    return duration / statistics.median(walls)


def progress(what: str) -> None:
    """Say on standard error what is being measured."""
    print(what, file=sys.stderr, flush=True)


def common(kind: str, repeat: int) -> dict[str, float]:
    """Tasks per second and mean job latency of the common task."""
    walls = []
    for _ in range(repeat):
        wall, result = seconds(lambda: common_task.run(kind))
        walls.append(wall)
    latencies = [1e6 * (r.finish_s - r.arrival_s) for r in result.outcome.inferences]
    return {
        "tasks_per_s": 50.0 * len(latencies) / statistics.median(walls),
        "latency_us": statistics.mean(latencies),
        "golden_latency_us": common_task.GOLDEN_LATENCY_US[kind],
    }


def show(report: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"bare SimPy: {report['simpy_timeouts_per_s']:,.0f} timeouts/s")
    print(f"{report['inferences']:,} inferences of ResNet-50 on xiaomi-9, back to back:")
    for name, row in report["streams"].items():
        print(
            f"  {name:8} {row['kernels_per_s']:12,.0f} kernels/s ({row['kernels_per_simpy_timeout']:.2f} a SimPy"
            f" timeout), {row['kernels_per_s_traced']:12,.0f} traced, {row['us_per_inference']:7.0f} us and"
            f" {row['bytes_per_inference']:5.0f} B an inference, planned in {row['plan_ms']:.0f} ms,"
            f" 10x the stream costs {row['cost_ratio_10x']:.2f} x 10"
        )
    for kind, row in report["common_task"].items():
        print(
            f"common task, {kind}: {row['tasks_per_s']:,.0f} tasks/s, mean latency {row['latency_us']:.1f} us"
            f" (golden {row['golden_latency_us']:.0f})"
        )
    print(f"camera beside three busy processes: {report['busy_phone_x_real_time']:.0f} times real time")
    print(f"socsim list {report['list_s']:.2f} s, socsim compare {report['compare_s']:.2f} s")
    print(f"peak memory {report['peak_memory_mb']:.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--inferences", type=int, default=1000)
    arguments = parser.parse_args()
    report = measure(arguments.inferences, arguments.repeat)
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


if __name__ == "__main__":
    main()
