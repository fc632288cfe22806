"""What a frame has in common with the one before need not be computed again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Bars, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, means, play, ratios

__all__ = ["CLAIM", "Runs", "reused"]

NETWORKS = ("mobilenet_v1", "resnet50")
PROCESSORS = ("cpu", "gpu")
WAYS = ("none", "none, held", "frame", "layer", "layer, copied")
KEYS = {
    "latency_ms_mean": "latency [ms]",
    "energy_mj": "energy of the phone [mJ]",
    "computed_share_mean": "computed [share of the work]",
    "stale_share_mean": "left out of results [share of the frame]",
    "age_ms_mean": "age of results [ms]",
    "drop_share": "frames dropped by the queue [share]",
    "peak_memory_mb": "memory [MB]",
}
MAIN = "mobilenet_v1 cpu"


def reused(network: str, processor: str, way: str, seed: int, duration: str) -> dict[str, float]:
    """Means of a run over a scene that stands still and moves by turns."""
    result = play(
        "data-reuse",
        f"apps.net.model={network}",
        f"apps.net.scheduler={processor}",
        f"sweep.reused=['{way}']",
        f"seed={seed}",
        f"duration={duration}",
    )
    (row,) = result.rows()
    return {key: float(row[key]) for key in KEYS}


def jobs(effort: Effort) -> dict[str, Job]:
    """Both networks on both processors, with every way to reuse."""
    duration = effort.seconds(30)
    return {
        f"{n} {p} {way} {seed}": Job(reused, (n, p, way, seed, duration))
        for n, p, way, seed in product(NETWORKS, PROCESSORS, WAYS, range(effort.seeds))
    }


class Runs:
    """What :func:`jobs` found, by what it is, seed by seed."""

    cases = tuple(f"{n} {p}" for n, p in product(NETWORKS, PROCESSORS))

    def __init__(self, found: Mapping[str, Any], seeds: int) -> None:
        self._found, self._seeds = found, seeds

    def column(self, case: str, way: str, key: str) -> list[float]:
        """A number of :func:`reused`."""
        return [float(row[key]) for row in by_seed(self._found, case, way, seeds=self._seeds)]

    def ratio(self, over: str, under: str, key: str) -> list[float]:
        """What one way is of another, the least of all cases."""
        rows = [ratios(self.column(c, over, key), self.column(c, under, key)) for c in self.cases]
        return [min(own) for own in zip(*rows, strict=True)]


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Times without reuse over times with it, and memory."""
    runs = Runs(found, effort.seeds)
    return Finding(
        values={
            "frame": runs.ratio("none", "frame", "latency_ms_mean"),
            "layer": runs.ratio("none", "layer", "latency_ms_mean"),
            "energy-frame": runs.ratio("none", "frame", "energy_mj"),
            "energy-layer": runs.ratio("none", "layer", "energy_mj"),
            "release": runs.ratio("none, held", "none", "peak_memory_mb"),
            "layer-memory": runs.ratio("layer", "none", "peak_memory_mb"),
        },
        chart=Bars(
            runs.cases,
            [
                means(way, (runs.column(c, way, "latency_ms_mean") for c in runs.cases))
                for way in WAYS
                if way != "none, held"
            ],
            "mean latency [ms]",
        ),
        caption="What is reused, by network and processor.",
        ablation=_table(runs, MAIN, "what reuse changes, {}, mean of the seeds"),
        tables=tuple(_table(runs, case, "The same, {}") for case in runs.cases if case != MAIN),
    )


def _table(runs: Runs, case: str, title: str) -> Table:
    return Table(
        title.format(case),
        ("", *KEYS.values()),
        tuple((way, *(_told(fmean(runs.column(case, way, key)), key) for key in KEYS)) for way in WAYS),
    )


def _told(value: float, key: str) -> str:
    return f"{value:.1%}" if "share" in key else f"{value:.1f}"


CLAIM = Claim(
    name="data-reuse",
    title="reusing what has not changed since the frame before",
    paper=PARALLEL,
    section="abstract; its text was not at hand, and no number is published",
    reports="Back ends should be designed for data reuse, across frames and within an inference.",
    measures=(
        Measure(
            "frame",
            "latency without reuse / with whole frames skipped, least case",
            None,
            1.0,
            None,
            kind="direction",
        ),
        Measure(
            "layer",
            "latency without reuse / with layers reused, least case",
            None,
            1.0,
            None,
            kind="direction",
        ),
        Measure(
            "energy-frame",
            "energy without reuse / with whole frames skipped, least case",
            None,
            1.0,
            None,
            kind="direction",
        ),
        Measure(
            "energy-layer",
            "energy without reuse / with layers reused, least case",
            None,
            1.0,
            None,
            kind="direction",
        ),
        Measure(
            "release",
            "memory with tensors held / released after their last use, least case",
            None,
            1.0,
            None,
            kind="direction",
        ),
        Measure(
            "layer-memory",
            "memory with layers reused / without reuse, least case",
            None,
            1.0,
            None,
            kind="direction",
        ),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "Most of a camera's frame is as it was in the one before. Skipping frames that have hardly "
        "changed computes nothing for them; results are then older, and leave out what has changed. "
        "Recomputing layer by layer leaves nothing out, and saves less: the region that a change reaches "
        "grows with every kernel wider than one pixel, until deep layers are computed nearly whole, and "
        "small kernels are slow for their size. What is to be reused has to be kept: layer-level reuse "
        "needs all feature maps of a frame, where releasing each after its last use needs few."
    ),
    assumptions=(
        "No scene, network or number is published. The scene is an assumption: 30 frames per second, "
        "three seconds in which 1 % changes from frame to frame, one in which 20 % does, a cut every 200 "
        "frames.",
        "Frames are skipped where less than 5 % has changed. The accuracy proxy is the share of the frame "
        "that a result leaves out, and its age; accuracy itself is not simulated.",
        "ResNet-50 is too slow for every frame; the queue drops what it cannot serve.",
    ),
)
