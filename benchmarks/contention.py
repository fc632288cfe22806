"""What competing processes and a busy GPU do: slow-downs by processor, what each mechanism has to do with it, frames.

    python benchmarks/contention.py [--json]

A competing process has four threads that may run on any core. Each computes for 45 ms, pauses for a random time of 5 ms
on average, and so on; together they move 6 GB/s while they run. One definition for all rows. Liu et al. 2024 measured
10.2, 2.1 and 1.8 for three of them on the CPU, the GPU and the DSP; which processes those were is not published. VGG-16
beside a video is run for the frames.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import socsim
from socsim.devices.device import Device
from socsim.simulation.mechanisms import Mechanisms
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Video

DEVICE, MODEL, SEEDS = "xiaomi-9", "resnet50", range(10)
COUNTS = {"cpu": 12, "gpu": 20, "dsp": 60}
MEASURED = {"cpu": 10.2, "gpu": 2.1, "dsp": 1.8}
ABLATIONS = {
    "all mechanisms": Mechanisms(),
    "ideal processor sharing": Mechanisms(cpu="processor_sharing"),
    "without barriers": Mechanisms(barriers=False),
    "without DRAM contention": Mechanisms(dram=False),
    "energy-aware placement": Mechanisms(placement="eas"),
}
MITIGATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "kernels of 1 ms": {"kernel_limit": "1 ms"},
    "queue window 16": {"queue_window": 16},
    "low priority": {"priority": -1},
    "kernels of 1 ms, queue window 16": {"kernel_limit": "1 ms", "queue_window": 16},
    "kernels of 1 ms, low priority": {"kernel_limit": "1 ms", "priority": -1},
}


def processes(count: int) -> list[Competitor]:
    """So many competing processes."""
    if not count:
        return []
    return [Competitor(count=count, threads=4, duty=0.9, period="50 ms", traffic="6 GB/s")]


def phone(*, poll: bool = False) -> Device:
    """The phone; with `poll`, a thread that has called the DSP waits busily."""
    device = socsim.load_device(DEVICE)
    dsp = replace(device.accelerators["dsp"], poll=poll)
    return replace(device, accelerators={**device.accelerators, "dsp": dsp})


def service_ms(processor: str, count: int, seed: int, mechanisms: Mechanisms, *, poll: bool = False) -> float:
    """Mean service time of an inference back to back, without the first."""
    app = socsim.Inference(MODEL, processor, count=COUNTS[processor])
    result = socsim.simulate(phone(poll=poll), [app, *processes(count)], seed=seed, mechanisms=mechanisms)
    times = [r.finish_s - r.start_s for r in result.outcome.inferences]
    return 1e3 * statistics.fmean(times[1:])


def slowdowns(
    processor: str, count: int, mechanisms: Mechanisms = ABLATIONS["all mechanisms"], *, poll: bool = False
) -> list[float]:
    """Slow-down against the idle phone, seed by seed."""
    idle = service_ms(processor, 0, 0, mechanisms, poll=poll)
    return [service_ms(processor, count, seed, mechanisms, poll=poll) / idle for seed in SEEDS]


def frames(layout: str, options: dict[str, Any]) -> dict[str, float]:
    """VGG-16 on the GPU back to back beside a video of 30 fps for 30 s."""
    app = socsim.Inference("vgg16", f"gpu(layout={layout})", **options)
    result = socsim.simulate(DEVICE, [app, Video()], duration="30 s")
    statuses = [frame.status for frame in result.outcome.frames]
    times = [r.finish_s - r.start_s for r in result.outcome.inferences if r.status == "finished"]
    shares = {s: statuses.count(s) / len(statuses) for s in ("dropped", "late", "presented")}
    return {**shares, "latency_ms": 1e3 * statistics.fmean(times)}


def measure() -> dict[str, Any]:
    """Everything."""
    by_seed = {p: slowdowns(p, 3) for p in COUNTS}
    ordered = [a > b > c for a, b, c in zip(by_seed["cpu"], by_seed["gpu"], by_seed["dsp"], strict=True)]
    return {
        "competitors": {
            p: [statistics.fmean(slowdowns(p, n)) if n else 1.0 for n in range(6)] for p in COUNTS
        },
        "three": by_seed,
        "dsp_polling": slowdowns("dsp", 3, poll=True),
        "measured": MEASURED,
        "order_holds": sum(ordered),
        "ablations": {
            name: {p: statistics.fmean(slowdowns(p, 3, mechanisms)) for p in COUNTS}
            for name, mechanisms in ABLATIONS.items()
        },
        "frames": {
            layout: {name: frames(layout, options) for name, options in MITIGATIONS.items()}
            for layout in ("buffer", "image")
        },
    }


def show(found: dict[str, Any]) -> None:
    """Print it."""
    print(f"{MODEL} on {DEVICE} with mace: slow-down by number of competing processes, mean of ten seeds")
    print(f"{'':4}" + "".join(f"{n:8d}" for n in range(6)) + "   three, by seed: least, most   measured")
    for p, row in found["competitors"].items():
        three = found["three"][p]
        low, high = min(three), max(three)
        print(f"{p:4}" + "".join(f"{x:8.2f}" for x in row) + f"{low:22.2f} {high:8.2f} {MEASURED[p]:10.1f}")
    polling = found["dsp_polling"]
    low, high = min(polling), max(polling)
    print(f"dsp whose host polls, beside three: {statistics.fmean(polling):.2f} ({low:.2f} to {high:.2f})")
    print(f"order CPU > GPU > DSP at {found['order_holds']} of {len(SEEDS)} seeds\n")
    for name, row in found["ablations"].items():
        print(f"{name:26}" + "".join(f"  {p} {x:5.2f}" for p, x in row.items()))
    for layout, rows in found["frames"].items():
        print(
            f"\nVGG-16 on the GPU ({layout}) beside a video of 30 fps: frames dropped, late, in time; latency"
        )
        for name, row in rows.items():
            shares = "".join(f"{row[s]:8.1%}" for s in ("dropped", "late", "presented"))
            print(f"{name:34}{shares}{row['latency_ms']:9.1f} ms")


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure()
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
