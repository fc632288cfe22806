"""A network that gives up accuracy to stay in time when another application arrives."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Lines, Series, Table
from socsim.reproduce.claim import DYNAMIC_OFA, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, play, spread
from socsim.workloads.dynamic import load_family

__all__ = ["CLAIM", "trace"]

TARGET_MS, CONTENTION_S, LAST_S = 60.0, 2.5, 3.0
ABLATIONS: dict[str, tuple[str, ...]] = {
    "manager": (),
    "stays at level 4": ("apps.net.manager=fixed",),
    "no second application": ("apps.training.start=100 s", "apps.loading.start=100 s"),
    "GPU contention only": ("apps.loading.start=100 s",),
    "CPU contention only": ("apps.training.start=100 s",),
}
PUBLISHED = {3: 5.6, 2: 8.6}
"""When, in s, the demonstration began which level."""


def trace(ablation: str, seed: int, duration: str) -> list[tuple[float, float, int]]:
    """Start in s, time in ms and level of each inference."""
    result = play("target-and-contention", f"seed={seed}", f"duration={duration}", *ABLATIONS[ablation])
    own = [r for r in result.outcome.inferences if r.app == "net" and r.status == "finished"]
    return [(r.start_s, 1e3 * (r.finish_s - r.start_s), r.level) for r in own]


def jobs(effort: Effort) -> dict[str, Job]:
    """The demonstration, and what becomes of it without one thing or the other."""
    duration = effort.seconds(12, least=4)
    return {
        f"{name} {seed}": Job(trace, (name, seed, duration))
        for name in ABLATIONS
        for seed in range(effort.seeds)
    }


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Accuracy before and after the second application, and whether time is kept."""
    top1 = {m.level: m.top1 for m in load_family("dynamic_ofa").levels}
    runs = {name: by_seed(found, name, seeds=effort.seeds) for name in ABLATIONS}
    main, end = runs["manager"], max(4.0, effort.share * 12.0)

    def after(run: Any) -> list[Any]:
        late = [row for row in run if row[0] >= max(end - LAST_S, CONTENTION_S)]
        return late or run[-1:]

    before = [fmean(top1[level] for start, _, level in run if start < CONTENTION_S) for run in main]
    settled = [fmean(top1[level] for _, _, level in after(run)) for run in main]
    kept = [fmean(ms for _, ms, _ in after(run)) for run in main]
    first = main[0]
    return Finding(
        values={"before": before, "after": settled, "time": kept},
        chart=Lines(
            [
                _curve("with the manager, seed 0", first),
                _curve("stays at level 4, seed 0", runs["stays at level 4"][0]),
            ],
            "time [s]",
            "time of an inference [ms]",
            levels=[("target", TARGET_MS)],
        ),
        ablation=Table(
            f"The last {LAST_S:g} s: mean of the seeds (least to most)",
            ("", "time of an inference [ms]", "above 60 ms", "Top-1 [%]", "level at the end"),
            tuple(
                (
                    name,
                    spread([fmean(r[1] for r in after(run)) for run in own], ".1f"),
                    f"{fmean(fmean(r[1] > TARGET_MS for r in after(run)) for run in own):.0%}",
                    spread([fmean(top1[r[2]] for r in after(run)) for run in own], ".1f"),
                    spread([float(run[-1][2]) for run in own], ".1f"),
                )
                for name, own in runs.items()
            ),
        ),
        tables=(
            Table(
                "When which level begins: mean of the seeds (least to most)",
                ("level", "Top-1 [%]", "published [s]", "simulated [s]", "reached at"),
                tuple(_begins(level, top1[level], main) for level in (3, 2, 1)),
            ),
        ),
        notes=(
            "It comes to the published levels sooner than published, and goes one level further: level 2 "
            "takes 58 to 60 ms here beside the contender, not 53.",
        ),
    )


def _curve(name: str, run: Any) -> Series:
    return Series(name, [row[1] for row in run], [row[0] for row in run])


def _begins(level: int, top1: float, runs: list[Any]) -> tuple[str, ...]:
    starts = [next((row[0] for row in run if row[2] == level), None) for run in runs]
    reached = [start for start in starts if start is not None]
    told = spread(reached, ".1f") if reached else "-"
    published = f"{PUBLISHED[level]:.1f}" if level in PUBLISHED else "-"
    return (str(level), f"{top1:.1f}", published, told, f"{len(reached)} of {len(runs)} seeds")


CLAIM = Claim(
    name="runtime-trade-off",
    title="accuracy for time when a contender arrives",
    paper=DYNAMIC_OFA,
    section="published figure of the demonstration and its code; also arXiv 2401.08965",
    reports=(
        "With a target of 60 ms, level 4 (77.5 % Top-1) runs until a second application arrives at 2.5 s; "
        "level 3 from 5.6 s and level 2 (74.9 %) from 8.6 s on keep the target: 2.6 points are traded."
    ),
    measures=(
        Measure("before", "Top-1 before the contender", 77.54, 77.0, 78.0, "%"),
        Measure("after", "Top-1 at the end, beside it", 74.968, 74.202, 76.134, "%"),
        Measure("time", "time of an inference at the end", 53.0, None, TARGET_MS, "ms"),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "PyTorch waits for its host, so threads of the second application that take the CPU slow the "
        "network down; its kernels on the GPU hardly do (see the table). The manager is the published "
        "one: when the mean of the last 20 inferences is above the target it goes down a level, where "
        "fewer operators are to be issued. Each switch costs 244 ms. It settles where the mean of the "
        "window keeps the target; single inferences exceed it still."
    ),
    assumptions=(
        "What the second application did is told as 'training': taken are kernels of 2 ms on the GPU for "
        "80 % of the time, and twelve threads that compute half of it, chosen so that level 4 slows down "
        "as published, by 1.36. This one thing is fitted to the demonstration, to its start; what follows "
        "is not.",
        "The board is at the clocks of its profile's default mode; level 4 alone takes 52 ms there "
        "(published: 46).",
        "The band of the accuracy at the end is one level to both sides of the published one.",
    ),
)
