"""A network that gives up accuracy to stay in time when another application arrives."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Lines, Series, Table
from socsim.reproduce.claim import DYNAMIC_OFA, Claim, Effort, Finding, Job, Measure, band
from socsim.reproduce.helpers import by_seed, differences, half_width, play, spread
from socsim.workloads.dynamic import load_family

__all__ = ["CLAIM", "Runs", "trace"]

TARGET_MS, CONTENTION_S, LAST_S = 60.0, 2.5, 3.0
DURATION_S, BIN_S = 12.0, 0.5
ALONE_MS = {"published": 46.0, "simulated": 52.0}
"""Time of level 4 before the second application."""

EASIER_MS = TARGET_MS * ALONE_MS["simulated"] / ALONE_MS["published"]
"""A target as far above level 4 alone here as 60 ms was in the demonstration."""

FIXED = "stays at level 4"
EASIER = f"target of {EASIER_MS:.0f} ms"
ABLATIONS: dict[str, tuple[str, ...]] = {
    "manager": (),
    FIXED: ("apps.net.manager=fixed",),
    "no second application": ("apps.training.start=100 s", "apps.loading.start=100 s"),
    "GPU contention only": ("apps.loading.start=100 s",),
    "CPU contention only": ("apps.training.start=100 s",),
    EASIER: (f"apps.net.targets=[{{latency: {EASIER_MS:.3f} ms, top1: 74}}]",),
}
PUBLISHED = {3: 5.6, 2: 8.6}
"""When, in s, the demonstration began which level."""

Run = list[tuple[float, float, int]]
"""Start in s, time in ms and level of each inference."""


def trace(ablation: str, seed: int, duration: str) -> Run:
    """Start in s, time in ms and level of each inference."""
    result = play("target-and-contention", f"seed={seed}", f"duration={duration}", *ABLATIONS[ablation])
    own = [r for r in result.outcome.inferences if r.app == "net" and r.status == "finished"]
    return [(r.start_s, 1e3 * (r.finish_s - r.start_s), r.level) for r in own]


def jobs(effort: Effort) -> dict[str, Job]:
    """The demonstration, and what becomes of it without one thing or the other."""
    duration = effort.seconds(DURATION_S, least=4)
    return {
        f"{name} {seed}": Job(trace, (name, seed, duration))
        for name in ABLATIONS
        for seed in range(effort.seeds)
    }


class Runs:
    """What :func:`jobs` found: inferences of each ablation, seed by seed."""

    top1: Mapping[int, float]
    """Accuracy of each level in %."""

    def __init__(self, found: Mapping[str, Any], effort: Effort) -> None:
        self.top1 = {m.level: m.top1 for m in load_family("dynamic_ofa").levels}
        self.of: dict[str, list[Run]] = {name: by_seed(found, name, seeds=effort.seeds) for name in ABLATIONS}
        self.main, self.end = self.of["manager"], max(4.0, effort.share * DURATION_S)
        self.last = [_last(run, self.end) for run in self.main]
        self.before = [self.accuracy(_alone(run)) for run in self.main]
        self.settled = [self.accuracy(run) for run in self.last]

    def accuracy(self, run: Run) -> float:
        """Mean Top-1 in % of inferences."""
        return fmean(self.top1[level] for _, _, level in run)


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Accuracy before and after the second application, and whether time is kept."""
    runs = Runs(found, effort)
    return Finding(
        values={
            "before": runs.before,
            "traded": differences(runs.before, runs.settled),
            "time": [_time(run) for run in runs.last],
        },
        chart=_courses(runs),
        ablation=_without(runs),
        tables=(_levels(runs),),
        notes=(
            f"At the end {fmean(runs.settled):.1f} % are left of {fmean(runs.before):.1f}; published are 74.97 of "
            "77.54.",
        ),
        caption=f"Means over {BIN_S:g} s and all seeds; single inferences vary more, see the table.",
        numbers=_numbers(runs),
    )


def _numbers(runs: Runs) -> dict[str, str]:
    alone = fmean(ms for run in runs.main for _, ms, _ in _alone(run))
    at_2 = [ms for run in runs.main for _, ms, level in run if level == 2]
    at_4 = [ms for run in runs.of[FIXED] for start, ms, _ in run if start >= CONTENTION_S]
    return {
        "alone": f"{alone:.0f}",
        "level_2": f"{fmean(at_2):.0f}" if at_2 else "-",
        "slow_down": f"{fmean(at_4) / alone:.2f}",
        "easier": f"{EASIER_MS:.0f}",
        "easier_level": f"{fmean(run[-1][2] for run in runs.of[EASIER]):.1f}",
    }


def _courses(runs: Runs) -> Lines:
    shown = {"with the manager": runs.main, FIXED: runs.of[FIXED]}
    return Lines(
        [_course(name, own, runs.end) for name, own in shown.items()],
        "time [s]",
        "time of an inference [ms]",
        levels=[("target", TARGET_MS)],
    )


def _without(runs: Runs) -> Table:
    return Table(
        f"the last {LAST_S:g} s without one thing or the other, mean of the seeds (least to most)",
        ("", "time of an inference [ms]", "above 60 ms", "Top-1 [%]", "level at the end"),
        tuple(_row(name, [_last(run, runs.end) for run in own], runs) for name, own in runs.of.items()),
    )


def _row(name: str, last: list[Run], runs: Runs) -> tuple[str, ...]:
    return (
        name,
        spread([_time(run) for run in last], ".1f"),
        f"{fmean(fmean(ms > TARGET_MS for _, ms, _ in run) for run in last):.0%}",
        spread([runs.accuracy(run) for run in last], ".1f"),
        spread([float(run[-1][2]) for run in last], ".1f"),
    )


def _levels(runs: Runs) -> Table:
    return Table(
        "When which level begins: mean of the seeds (least to most)",
        ("level", "Top-1 [%]", "published [s]", "simulated [s]", "reached at"),
        tuple(_begins(level, runs.top1[level], runs.main) for level in (3, 2, 1)),
    )


def _time(run: Run) -> float:
    """Mean time in ms of inferences."""
    return fmean(ms for _, ms, _ in run)


def _alone(run: Run) -> Run:
    """What begins before the second application."""
    return [row for row in run if row[0] < CONTENTION_S]


def _last(run: Run, end: float) -> Run:
    """What begins in the last seconds, beside the second application; the last one where nothing does."""
    return [row for row in run if row[0] >= max(end - LAST_S, CONTENTION_S)] or run[-1:]


def _course(name: str, runs: list[Run], end: float) -> Series:
    """Mean times of inferences that begin within each piece of time, with their confidence over the seeds."""
    xs, ys, errors = [], [], []
    for k in range(round(end / BIN_S)):
        own = [[ms for start, ms, _ in run if k * BIN_S <= start < (k + 1) * BIN_S] for run in runs]
        if means := [fmean(times) for times in own if times]:
            xs.append((k + 0.5) * BIN_S)
            ys.append(fmean(means))
            errors.append(half_width(means))
    return Series(name, ys, xs, errors)


def _begins(level: int, top1: float, runs: list[Run]) -> tuple[str, ...]:
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
        band(
            "traded",
            "Top-1 given up at the end, beside it",
            2.572,
            "points",
            otherwise=(
                "Too much is given up, for the manager goes on to level 1: beside the contender level 2 "
                "takes {level_2} ms on average here, too close to the target for a window of 20 inferences, "
                "where 53 ms were published. All levels take longer here than in that trace, to begin with: "
                "level 4 alone {alone} ms instead of 46 (the authors' own tables have 51 and 62). With a "
                "target that is as far above level 4 alone as theirs was, {easier} ms, the level at the end "
                "is {easier_level} on average."
            ),
        ),
        Measure(
            "time", "time of an inference at the end, mean", 53.0, None, TARGET_MS, "ms", kind="direction"
        ),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "PyTorch waits for its host, so threads of the second application that take the CPU slow the "
        "network down, {slow_down} times at level 4; its kernels on the GPU hardly do (see the ablation). "
        "The manager is the published one: when the mean of the last 20 inferences is above the target it "
        "goes down a level, where fewer operators are to be issued. Each switch costs 244 ms. It settles "
        "where the mean of the window keeps the target; single inferences exceed it still."
    ),
    assumptions=(
        "What the second application did is told as 'training': taken are kernels of 2 ms on the GPU for "
        "80 % of the time, and twelve threads that compute half of it, chosen so that level 4 slows down "
        "as published, by 1.36. This one thing is fitted to the demonstration, to its start; what follows "
        "is not.",
        "The board is at the clocks of its profile's default mode; level 4 alone takes {alone} ms there "
        "(published: 46).",
        "The band of what is given up is 20 % to both sides of the published 2.57 points; levels are 0.8 to "
        "1.4 points apart, so that only who settles at the published level is within it. The time has to be "
        "below the target with its whole interval.",
    ),
)
