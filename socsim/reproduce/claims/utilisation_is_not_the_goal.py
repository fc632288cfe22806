"""Busy processors are not what a phone is for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import correlation, fmean
from typing import Any

from socsim.reproduce.chart import Points, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, play

__all__ = ["CLAIM", "served"]

PLACED = ("cpu", "gpu", "mulayer", "codl", "heft", "two cores")
FRAMES = ("as they come", "short kernels, window", "short kernels, low priority")


def served(placed: str, frames: str, seed: int, duration: str) -> dict[str, float]:
    """How busy the network keeps CPU and GPU, its latency in ms, and frames not composed by their vsync."""
    result = play(
        "utilisation-and-frames",
        f"sweep.placed=['{placed}']",
        f"sweep.frames=['{frames}']",
        f"seed={seed}",
        f"duration={duration}",
        "noise=true",
    )
    o = result.outcome
    cores = sum(cluster.count for cluster in _clusters(o.device))
    busy = {
        part: sum(r.busy_s for r in o.used if r.app == "net" and r.component.startswith(part))
        for part in ("cpu", "gpu")
    }
    due = [frame.status for frame in o.frames if frame.status != "pending"]
    return {
        "utilisation": (busy["cpu"] / cores + busy["gpu"]) / 2 / o.duration_s,
        "latency_ms": result.metrics("net")["latency_ms_mean"],
        "missed": 1 - due.count("presented") / len(due),
    }


def _clusters(device: str) -> Any:
    import socsim

    return socsim.load_device(device).clusters


def jobs(effort: Effort) -> dict[str, Job]:
    """Every way to place the network."""
    return {
        f"{p}; {f} {seed}": Job(served, (p, f, seed, effort.seconds(4)))
        for p, f, seed in product(PLACED, FRAMES, range(effort.seeds))
    }


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Frames missed at the highest utilisation, beyond those at the fewest for which latency is paid."""
    names = [f"{p}; {f}" for p, f in product(PLACED, FRAMES)]
    runs = {name: by_seed(found, name, seeds=effort.seeds) for name in names}
    mean = {
        name: {key: fmean(row[key] for row in own) for key in ("utilisation", "latency_ms", "missed")}
        for name, own in runs.items()
    }
    busiest = max(names, key=lambda name: mean[name]["utilisation"])
    gentle = min(names, key=lambda name: (round(mean[name]["missed"], 3), mean[name]["latency_ms"]))
    harm = [a["missed"] - b["missed"] for a, b in zip(runs[busiest], runs[gentle], strict=True)]
    front = _front(mean)
    rank = _rank_correlation(mean, names)
    rank_gentle = _rank_correlation(mean, [name for name in names if not name.endswith(FRAMES[0])])
    price = mean[gentle]["latency_ms"] / mean[busiest]["latency_ms"]
    return Finding(
        values={"harm": harm, "front": [float(len(front))]},
        chart=Points(
            [
                Series(
                    f,
                    [mean[f"{p}; {f}"]["latency_ms"] for p in PLACED],
                    [100 * mean[f"{p}; {f}"]["missed"] for p in PLACED],
                )
                for f in FRAMES
            ],
            [PLACED] * len(FRAMES),
            "frames not composed by their vsync [%]",
            "mean latency of ResNet-50 [ms]",
            [(100 * mean[name]["missed"], mean[name]["latency_ms"]) for name in front],
        ),
        ablation=Table(
            "by placement and by what leaves frames their turn, busiest first",
            ("", "CPU and GPU busy with the network", "latency", "frames missed", "on the Pareto front"),
            tuple(
                (
                    name,
                    f"{row['utilisation']:.1%}",
                    f"{row['latency_ms']:.1f} ms",
                    f"{row['missed']:.1%}",
                    "yes" if name in front else "",
                )
                for name, row in sorted(mean.items(), key=lambda item: -item[1]["utilisation"])
            ),
        ),
        caption="Shapes: where ResNet-50 runs; colours: what is done for the frames.",
        numbers={"rank": f"{rank:.2f}", "rank_gentle": f"{rank_gentle:.2f}"},
        notes=(
            f"The network keeps CPU and GPU busiest ({mean[busiest]['utilisation']:.0%} of them) with "
            f"'{busiest}': {mean[busiest]['missed']:.0%} of the frames are missed. '{gentle}' misses "
            f"{mean[gentle]['missed']:.1%} for {price:.2f} times the latency, at a utilisation of "
            f"{mean[gentle]['utilisation']:.0%}.",
        ),
    )


def _front(mean: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Those that no other beats in both latency and frames, from the fewest frames missed on."""
    front: list[str] = []
    for name, row in sorted(mean.items(), key=lambda item: (item[1]["missed"], item[1]["latency_ms"])):
        if not front or row["latency_ms"] < mean[front[-1]]["latency_ms"]:
            front.append(name)
    return front


def _rank_correlation(mean: Mapping[str, Mapping[str, float]], names: list[str]) -> float:
    """Spearman's, of utilisation and frames missed; 1 where one always grows with the other."""
    busy, missed = (_ranks([mean[name][key] for name in names]) for key in ("utilisation", "missed"))
    return correlation(busy, missed)


def _ranks(values: list[float]) -> list[float]:
    """Ranks from the least on; equal values (to a thousandth) share their mean rank."""
    rounded = [round(value, 3) for value in values]
    return [sum(b < a for b in rounded) + (rounded.count(a) - 1) / 2 for a in rounded]


CLAIM = Claim(
    name="utilisation-is-not-the-goal",
    title="maximal utilisation harms the rest of the phone",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports="Maximising how busy a network keeps the processors must not be the goal: the rest of the phone suffers.",
    measures=(
        Measure(
            "harm",
            "frames missed at the highest utilisation, beyond the placement that misses fewest",
            None,
            0.0,
            None,
            "share",
            "direction",
        ),
        Measure("front", "points on the Pareto front of latency and frames missed", None, 2.0, None, ""),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "The GPU does not interrupt a kernel, and serves commands in the order in which they came: a "
        "frame's drawing command waits until the network's commands ahead of it are done, the longer the "
        "more of them are enqueued. Enqueueing as much as possible is what keeps the GPU busiest and the "
        "network fastest, and it is what misses most frames. What leaves frames their turn (short kernels, "
        "and a short queue or a lower priority) costs the network time, in which the GPU is less busy; so "
        "does the CPU, whose network hardly meets the frames. Latency and frames are two goals with a front "
        "between them. Utilisation is neither: its maximum misses most, yet points of nearly equal "
        "utilisation differ in frames by tens of per cent, according to who waits for whom (rank "
        "correlation of utilisation and frames missed: {rank} over all points, {rank_gentle} over those "
        "that do something for the frames)."
    ),
    assumptions=(
        "No numbers are published. ResNet-50 back to back with MACE on xiaomi-9 beside a user interface "
        "of 60 frames per second (4 ms of rendering, 3 ms of composition).",
        "Utilisation is the mean of the shares of time in which the network keeps the CPU's cores and the "
        "GPU busy.",
    ),
)
