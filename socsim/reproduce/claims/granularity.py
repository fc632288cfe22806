"""What a scheduler should place: networks, subgraphs, operators, or parts of operators."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Grid, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, half_width, play, times_ms

__all__ = ["CLAIM", "latency_ms"]

MODELS = ("resnet50", "mobilenet_v2")
PROCESSES = (0, 1, 2, 3)
PLACED = {
    "network": ("network (cpu)", "network (gpu)"),
    "subgraph": ("subgraph (band)",),
    "operator": ("operator (greedy)", "operator (heft)"),
    "part": ("part (mulayer)", "part (codl)"),
}
CLOSE = 1.02
"""Granularities within 2 % of the best share a cell of the map."""


def latency_ms(model: str, placed: str, processes: int, seed: int, count: int) -> float:
    """Mean service time in ms, the first inference aside."""
    result = play(
        "granularity",
        f"apps.net.model={model}",
        f"sweep.placed=['{placed}']",
        f"apps.busy.count={processes}",
        f"seed={seed}",
        f"apps.net.count={count}",
    )
    return fmean(times_ms(result, "net", warm_up=1))


def jobs(effort: Effort) -> dict[str, Job]:
    """Each network under each scheduler beside none to three processes."""
    schedulers = [s for own in PLACED.values() for s in own]
    count = effort.count(8)
    found = {}
    for model, placed, n in product(MODELS, schedulers, PROCESSES):
        for seed in range(effort.seeds):
            found[f"{model} {placed} {n} {seed}"] = Job(latency_ms, (model, placed, n, seed, count))
    return found


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """How much the best single granularity loses where another one is better."""
    cells = list(product(MODELS, PROCESSES))
    times = {
        (granularity, cell): [
            min(row)
            for row in zip(
                *(by_seed(found, cell[0], s, str(cell[1]), seeds=effort.seeds) for s in PLACED[granularity]),
                strict=True,
            )
        ]
        for granularity, cell in product(PLACED, cells)
    }
    least = {
        cell: [min(row) for row in zip(*(times[g, cell] for g in PLACED), strict=True)] for cell in cells
    }
    worst = {
        g: [max(times[g, c][s] / least[c][s] for c in cells) for s in range(effort.seeds)] for g in PLACED
    }
    regret = [min(worst[g][s] for g in PLACED) for s in range(effort.seeds)]
    means = {key: fmean(own) for key, own in times.items()}
    winners = {cell: _winners({g: means[g, cell] for g in PLACED}) for cell in cells}
    return Finding(
        values={"regret": regret},
        chart=Grid(
            list(MODELS),
            ["idle", *(f"{n} busy" for n in PROCESSES[1:])],
            [[winners[m, n] for n in PROCESSES] for m in MODELS],
            [
                [winners[m, n].replace(" = ", "\n") + f"\n{fmean(least[m, n]):.1f} ms" for n in PROCESSES]
                for m in MODELS
            ],
            "competing processes",
            "",
        ),
        ablation=Table(
            "Latency in ms by what is placed (the better of its schedulers), ± half of the 95 % "
            "confidence interval",
            ("", *(f"{m}, {n} busy" for m, n in cells)),
            tuple((g, *(_told(times[g, c]) for c in cells)) for g in PLACED),
        ),
        tables=(
            Table(
                "The most that keeping to one granularity loses against the best, over the map",
                ("", "times as long"),
                tuple((g, f"{fmean(own):.2f}") for g, own in worst.items()),
            ),
        ),
        notes=(
            f"{len(set(winners.values()))} different granularities, or ties of some, win somewhere on the map.",
        ),
    )


def _winners(means: Mapping[str, float]) -> str:
    best = min(means.values())
    return " = ".join(g for g, ms in means.items() if ms <= best * CLOSE)


def _told(values: list[float]) -> str:
    half = half_width(values)
    return f"{fmean(values):.1f} ± {half:.1f}" if half >= 0.05 else f"{fmean(values):.1f}"


CLAIM = Claim(
    name="granularity",
    title="no granularity wins everywhere",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports="No single strategy fits all networks, phones and loads; placing less at a time is not always better.",
    measures=(
        Measure(
            "regret",
            "times as long as the best where another is better, for the granularity for which that is least",
            None,
            1.0,
            None,
            kind="direction",
        ),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "Parts of operators win for a network of large operators on an idle phone, where CPU and GPU "
        "together compute more than a division costs. For a network of small ones, every hand-over costs "
        "more than it gains, and a whole network on one processor wins. Beside processes that take the "
        "CPU's cores, whatever has operators or parts there waits at each of them, while a whole network "
        "on the GPU does not; all of these plan for an idle phone. Moving the load (columns of the map) "
        "and the network (rows) moves the winner."
    ),
    assumptions=(
        "Which granularities, networks and loads were compared is not told in numbers; those of the experiment "
        "'granularity' are taken, with MACE on xiaomi-9.",
        "A granularity is given the better of its two schedulers in each cell, by hindsight, which "
        "flatters it.",
        "Energy is not looked at; the experiment's comment is.",
    ),
)
