"""What a scheduler should place: networks, subgraphs, operators, or parts of operators."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean
from typing import Any

from socsim.devices.parts import SyncTime
from socsim.reproduce.chart import Grid, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, calibrated, half_width, play, quoted, ratios, times_ms

__all__ = ["CLAIM", "Cell", "Map", "free_handovers_ms", "latency_ms"]

PHONES = calibrated(("xiaomi-9", "honor-v30-pro"))
MODELS = ("resnet50", "mobilenet_v2")
PROCESSES = (0, 1, 2, 3)
PLACED = {
    "network": ("network (cpu)", "network (gpu)"),
    "subgraph": ("subgraph (band)",),
    "operator": ("operator (greedy)", "operator (heft)"),
    "part": ("part (mulayer)", "part (codl)"),
}
SCHEDULERS = tuple(scheduler for own in PLACED.values() for scheduler in own)
CLOSE = 1.02
"""Granularities that may be within 2 % of the best share a cell of the map."""

NO_BARRIERS = "mechanisms={barriers: false}"

Cell = tuple[str, str, int]
"""Phone, network, and number of competing processes."""


def latency_ms(
    phone: str, model: str, processes: int, placed: str, seed: int, count: int, *overrides: str
) -> float:
    """Mean service time in ms, the first inference aside."""
    result = play(
        "granularity",
        f"device={phone}",
        f"apps.net.model={model}",
        f"sweep.placed=['{placed}']",
        f"apps.busy.count={processes}",
        f"seed={seed}",
        f"apps.net.count={count}",
        *overrides,
    )
    return fmean(times_ms(result, "net", warm_up=1))


def free_handovers_ms(model: str, scheduler: str) -> float:
    """Time in ms of an inference on the idle phone where what one processor writes another one has at once."""
    import socsim

    phone = socsim.load_device(PHONES[0])
    free = {
        name: replace(
            own, transform_per_byte=0.0, map_per_byte=0.0, copy_per_byte=0.0, unmap=0.0, post_sync=0.0,
            sync=SyncTime(0.0),
        )
        for name, own in phone.sharing.items()
    }  # fmt: skip
    app = socsim.Inference(model, scheduler, library="mace", count=2)
    return times_ms(socsim.simulate(replace(phone, sharing=free), [app]), warm_up=1)[0]


def jobs(effort: Effort) -> dict[str, Job]:
    """Each network under each scheduler beside none to three processes, and without what decides."""
    count = effort.count(8)
    found = {}
    for phone, model, n, placed in product(PHONES, MODELS, PROCESSES, SCHEDULERS):
        for seed in range(effort.seeds if n else 1):  # nothing is random on the idle phone
            job = Job(latency_ms, (phone, model, n, placed, seed, count))
            found[f"{phone} {model} {n} {placed} {seed}"] = job
    for model, placed in product(MODELS, SCHEDULERS):
        for seed in range(effort.seeds):
            job = Job(latency_ms, (PHONES[0], model, 3, placed, seed, count, NO_BARRIERS))
            found[f"no barriers {model} {placed} {seed}"] = job
        scheduler = placed.split("(")[1].rstrip(")")
        found[f"free {model} {placed}"] = Job(free_handovers_ms, (model, scheduler))
    return found


@dataclass(frozen=True, slots=True)
class Map:
    """Times in ms of each scheduler in each cell, seed by seed."""

    times: Mapping[tuple[str, Cell], list[float]]
    cells: tuple[Cell, ...]
    seeds: int

    def chosen(self, granularity: str, cell: Cell, seeds: Collection[int]) -> list[float]:
        """Times of the scheduler of a granularity that is the better one over `seeds`."""
        own = (self.times[scheduler, cell] for scheduler in PLACED[granularity])
        return min(own, key=lambda times: fmean(times[seed] for seed in seeds))

    def losses(self, granularity: str, seeds: Collection[int]) -> dict[Cell, float]:
        """How many times as long as the best a granularity takes in each cell, over `seeds`."""
        return {
            cell: self._mean(granularity, cell, seeds) / self._mean(self.best(cell, seeds), cell, seeds)
            for cell in self.cells
        }

    def sure_losses(self, granularity: str, seeds: Collection[int]) -> dict[Cell, float]:
        """The lower ends of their confidence intervals: where few seeds are slow, a mean alone tells little."""
        found = {}
        for cell in self.cells:
            own, best = (self.chosen(g, cell, seeds) for g in (granularity, self.best(cell, seeds)))
            over = [own[seed] / best[seed] for seed in seeds]
            found[cell] = fmean(over) - half_width(over)
        return found

    def kept(self, seeds: Collection[int]) -> tuple[str, Cell, float]:
        """The granularity that surely loses least at its worst over `seeds`, where, and how much on the mean."""
        worst = ((g, *_most(self.sure_losses(g, seeds))) for g in PLACED)
        granularity, cell, _ = min(worst, key=lambda found: found[2])
        return granularity, cell, self.losses(granularity, seeds)[cell]

    def regret(self, seed: int) -> float:
        """What the granularity that surely loses least at its worst loses there, for a seed.

        Granularity, cell and rival are chosen by the other seeds, so that chance alone gives a geometric mean of 1.
        """
        others = [other for other in range(self.seeds) if other != seed]
        kept, cell, _ = self.kept(others)
        rival = self.best(cell, others)
        return self.chosen(kept, cell, others)[seed] / self.chosen(rival, cell, others)[seed]

    def best(self, cell: Cell, seeds: Collection[int]) -> str:
        """The granularity with the least mean."""
        return min(PLACED, key=lambda g: self._mean(g, cell, seeds))

    def winners(self, cell: Cell) -> tuple[str, ...]:
        """The best granularity, and those whose ratio to it may be below `CLOSE`, seed for seed."""
        seeds = range(self.seeds)
        best = self.chosen(self.best(cell, seeds), cell, seeds)
        over = {g: ratios(self.chosen(g, cell, seeds), best) for g in PLACED}
        return tuple(g for g, own in over.items() if fmean(own) - half_width(own) <= CLOSE)

    def _mean(self, granularity: str, cell: Cell, seeds: Collection[int]) -> float:
        own = self.chosen(granularity, cell, seeds)
        return fmean(own[seed] for seed in seeds)


def _most(losses: Mapping[Cell, float]) -> tuple[Cell, float]:
    return max(losses.items(), key=lambda item: item[1])


def measured(found: Mapping[str, Any], seeds: int) -> Map:
    """The map of all phones, networks and loads."""
    cells = tuple(product(PHONES, MODELS, PROCESSES))
    times = {}
    for (phone, model, n), scheduler in product(cells, SCHEDULERS):
        own = by_seed(found, phone, model, str(n), scheduler, seeds=seeds if n else 1)
        times[scheduler, (phone, model, n)] = own if n else own * seeds
    return Map(times, cells, seeds)


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """How much the best single granularity loses where another one is better."""
    whole, seeds = measured(found, effort.seeds), range(effort.seeds)
    worst = {g: _most(whole.losses(g, seeds)) for g in PLACED}
    kept, cell, loss = whole.kept(seeds)
    winning = {name for own in whole.cells for name in whole.winners(own)}
    return Finding(
        values={"regret": [whole.regret(seed) for seed in seeds]},
        chart=_chart(whole),
        ablation=_ablation(found, whole, effort.seeds),
        tables=(
            _table(whole),
            Table(
                "The most that keeping to one granularity loses against the best, over the map",
                ("", "times as long", "where"),
                tuple((g, f"{most:.2f}", _told(where)) for g, (where, most) in worst.items()),
            ),
        ),
        notes=(
            f"{quoted(sorted(winning))} win or share a cell. Who keeps to one granularity loses least at the worst "
            f"with '{kept}': {loss:.2f} times as long as the best with {_told(cell)}.",
        ),
        caption=(
            "Latency of the best granularity; several in a cell are within 2 % of it, or may be by their "
            "confidence interval."
        ),
    )


def _told(cell: Cell) -> str:
    phone, model, n = cell
    return f"{model} on {phone}, {f'{n} busy' if n else 'idle'}"


def _chart(whole: Map) -> Grid:
    rows = list(product(PHONES, MODELS))
    winners = [[whole.winners((*row, n)) for n in PROCESSES] for row in rows]
    seeds = range(whole.seeds)
    least = [
        [fmean(whole.chosen(whole.best((*row, n), seeds), (*row, n), seeds)) for n in PROCESSES]
        for row in rows
    ]
    return Grid(
        [f"{model}\n{phone}" for phone, model in rows],
        ["idle", *(f"{n} busy" for n in PROCESSES[1:])],
        [[", ".join(own) for own in row] for row in winners],
        [
            ["\n".join((*own, f"{ms:.1f} ms")) for own, ms in zip(*row, strict=True)]
            for row in zip(winners, least, strict=True)
        ],
        "competing processes",
        "",
    )


def _table(whole: Map) -> Table:
    seeds = range(whole.seeds)
    return Table(
        "Latency [ms] by what is placed (the better of its schedulers), ± half of the 95 % confidence interval",
        ("", *PLACED),
        tuple(
            (_told(cell), *(_interval(whole.chosen(g, cell, seeds)) for g in PLACED)) for cell in whole.cells
        ),
    )


def _ablation(found: Mapping[str, Any], whole: Map, seeds: int) -> Table:
    """The cells that decide, with and without what decides there."""

    def row(times: Mapping[str, list[float]]) -> tuple[str, ...]:
        return tuple(_interval(min((times[s] for s in own), key=fmean)) for own in PLACED.values())

    rows = []
    for model in MODELS:
        idle, busy = (PHONES[0], model, 0), (PHONES[0], model, 3)
        free = {s: [found[f"free {model} {s}"]] for s in SCHEDULERS}
        loose = {s: by_seed(found, "no barriers", model, s, seeds=seeds) for s in SCHEDULERS}
        rows += [
            (f"{model}, idle", *row({s: whole.times[s, idle] for s in SCHEDULERS})),
            (f"{model}, idle, hand-overs for nothing", *row(free)),
            (f"{model}, 3 busy", *row({s: whole.times[s, busy] for s in SCHEDULERS})),
            (f"{model}, 3 busy, no barriers between threads", *row(loose)),
        ]
    return Table(f"latency [ms] on {PHONES[0]} without what decides", ("", *PLACED), tuple(rows))


def _interval(values: list[float]) -> str:
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
            "times as long as the best, where it loses most surely, of the granularity that loses least",
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
        "together compute more than a division costs; for a network of small ones, every hand-over costs "
        "more than it gains, and a whole network on one processor is as good or better. Beside processes "
        "that take the CPU's cores, an operator there ends when the last of its threads has got its turn, "
        "so whatever has operators or parts there waits at each of them, while a whole network on the GPU "
        "does not. None of these schedulers sees the load: all plan for an idle phone. The ablation takes "
        "away the one or the other: where hand-overs cost nothing, smaller pieces lose less on the idle "
        "phone; where threads do not wait for each other, operators and parts come close to the whole "
        "network on the GPU, or pass it."
    ),
    assumptions=(
        "Which granularities, networks and loads were compared is not told in numbers; those of the experiment "
        "'granularity' are taken, with MACE, on a phone with an Adreno GPU and one with a Mali.",
        "A granularity is given the better of its two schedulers in each cell, which flatters it. For the "
        "measure, scheduler, cell and rival are chosen by the other seeds than the one that is measured, so "
        "that chance alone would give a geometric mean of 1; the cell is the one with the highest lower end of a "
        "95 % confidence interval.",
        "Energy is not looked at; the experiment's comment is.",
    ),
)
