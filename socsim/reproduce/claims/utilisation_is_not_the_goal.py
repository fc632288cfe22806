"""Busy processors are not what a phone is for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import correlation, fmean
from typing import Any

from socsim.reproduce.chart import Points, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, differences, play

__all__ = ["CLAIM", "Runs", "served"]

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


Row = Mapping[str, float]
"""What :func:`served` gives, or its mean over the seeds."""


class Runs:
    """What :func:`jobs` found, by what it is."""

    def __init__(self, found: Mapping[str, Any], seeds: int) -> None:
        self.names = [f"{p}; {f}" for p, f in product(PLACED, FRAMES)]
        self._rows = {name: by_seed(found, name, seeds=seeds) for name in self.names}
        self.mean: dict[str, Row] = {
            name: {key: fmean(row[key] for row in own) for key in ("utilisation", "latency_ms", "missed")}
            for name, own in self._rows.items()
        }
        self.busiest = max(self.names, key=lambda name: self.mean[name]["utilisation"])
        self.gentle = min(self.names, key=self._harm)
        self.front = _front(self.mean)

    def missed(self, name: str) -> list[float]:
        """Share of frames missed, seed by seed."""
        return [float(row["missed"]) for row in self._rows[name]]

    def _harm(self, name: str) -> tuple[float, float]:
        """Frames missed to a thousandth, then the latency that is paid for it."""
        return round(self.mean[name]["missed"], 3), self.mean[name]["latency_ms"]


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Frames missed at the highest utilisation, beyond those at the fewest for which latency is paid."""
    runs = Runs(found, effort.seeds)
    for_frames = [name for name in runs.names if not name.endswith(FRAMES[0])]
    return Finding(
        values={
            "harm": differences(runs.missed(runs.busiest), runs.missed(runs.gentle)),
            "front": [float(len(runs.front))],
        },
        chart=_chart(runs),
        ablation=_ablation(runs),
        caption="Shapes: where ResNet-50 runs; colours: what is done for the frames.",
        numbers={
            "rank": f"{_rank_correlation(runs.mean, runs.names):.2f}",
            "rank_gentle": f"{_rank_correlation(runs.mean, for_frames):.2f}",
        },
        notes=(_note(runs),),
    )


def _chart(runs: Runs) -> Points:
    def column(key: str, frames: str, scale: float = 1.0) -> list[float]:
        return [scale * runs.mean[f"{p}; {frames}"][key] for p in PLACED]

    return Points(
        [Series(f, column("latency_ms", f), column("missed", f, 100)) for f in FRAMES],
        [PLACED] * len(FRAMES),
        "frames not composed by their vsync [%]",
        "mean latency of ResNet-50 [ms]",
        [(100 * runs.mean[name]["missed"], runs.mean[name]["latency_ms"]) for name in runs.front],
    )


def _ablation(runs: Runs) -> Table:
    return Table(
        "by placement and by what leaves frames their turn, busiest first",
        ("", "CPU and GPU busy with the network", "latency", "frames missed", "on the Pareto front"),
        tuple(
            (
                name,
                f"{row['utilisation']:.1%}",
                f"{row['latency_ms']:.1f} ms",
                f"{row['missed']:.1%}",
                "yes" if name in runs.front else "",
            )
            for name, row in sorted(runs.mean.items(), key=lambda item: -item[1]["utilisation"])
        ),
    )


def _note(runs: Runs) -> str:
    most, least = runs.mean[runs.busiest], runs.mean[runs.gentle]
    return (
        f"The network keeps CPU and GPU busiest ({most['utilisation']:.0%} of them) with "
        f"'{runs.busiest}': {most['missed']:.0%} of the frames are missed. '{runs.gentle}' misses "
        f"{least['missed']:.1%} for {least['latency_ms'] / most['latency_ms']:.2f} times the latency, at a "
        f"utilisation of {least['utilisation']:.0%}."
    )


def _front(mean: Mapping[str, Row]) -> list[str]:
    """Those that no other beats in both latency and frames, from the fewest frames missed on."""
    front: list[str] = []
    for name, row in sorted(mean.items(), key=lambda item: (item[1]["missed"], item[1]["latency_ms"])):
        if not front or row["latency_ms"] < mean[front[-1]]["latency_ms"]:
            front.append(name)
    return front


def _rank_correlation(mean: Mapping[str, Row], names: list[str]) -> float:
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
