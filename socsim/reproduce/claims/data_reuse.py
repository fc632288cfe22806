"""What a frame has in common with the one before need not be computed again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, half_width, play

__all__ = ["CLAIM", "reused"]

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


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Times without reuse over times with it, and memory."""
    cases = [f"{n} {p}" for n, p in product(NETWORKS, PROCESSORS)]

    def column(case: str, way: str, key: str) -> list[float]:
        return [float(row[key]) for row in by_seed(found, case, way, seeds=effort.seeds)]

    def ratio(over: str, under: str, key: str) -> list[float]:
        """The least of all cases, seed by seed."""
        rows = [zip(column(c, over, key), column(c, under, key), strict=True) for c in cases]
        return [min(a / b for a, b in pairs) for pairs in zip(*rows, strict=True)]

    return Finding(
        values={
            "frame": ratio("none", "frame", "latency_ms_mean"),
            "layer": ratio("none", "layer", "latency_ms_mean"),
            "energy-frame": ratio("none", "frame", "energy_mj"),
            "energy-layer": ratio("none", "layer", "energy_mj"),
            "release": ratio("none, held", "none", "peak_memory_mb"),
            "layer-memory": ratio("layer", "none", "peak_memory_mb"),
        },
        chart=Bars(
            cases,
            [
                Series(
                    way,
                    [fmean(column(c, way, "latency_ms_mean")) for c in cases],
                    errors=[half_width(column(c, way, "latency_ms_mean")) for c in cases],
                )
                for way in WAYS
                if way != "none, held"
            ],
            "mean latency [ms]",
        ),
        caption="What is reused, by network and processor.",
        ablation=Table(
            f"what reuse changes, {MAIN}, mean of the seeds",
            ("", *KEYS.values()),
            tuple((way, *(_told(fmean(column(MAIN, way, key)), key) for key in KEYS)) for way in WAYS),
        ),
        tables=tuple(
            Table(
                f"The same, {case}",
                ("", *KEYS.values()),
                tuple((way, *(_told(fmean(column(case, way, key)), key) for key in KEYS)) for way in WAYS),
            )
            for case in cases
            if case != MAIN
        ),
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
