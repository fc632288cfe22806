"""Changing the network and scheduling it are worth more together than either alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import play, quoted
from socsim.schedulers.heft import HEFT
from socsim.schedulers.plan import Plan
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph

__all__ = ["CLAIM", "Carried", "latency", "partitions"]

NETWORKS = ("resnet50", "mobilenet_v1", "retinaface")
FRONTS = ("nothing", "cleaned", "pruned", "low rank", "pruned, low rank", "quantised")
BACKS = ("cpu", "gpu", "codl", "heft")
DEFAULT = "gpu"
"""Where networks run that nobody schedules: the faster single processor for most of them."""

SINGLE = ("cpu", "gpu")
KINDS = ("neither", "back end alone", "front end alone", "both")


class Carried(HEFT):
    """HEFT's partition of the first network that it sees, for that and for what is left of it later."""

    kept: Plan | None = None

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        """The first partition, without operators that are gone."""
        self.kept = self.kept or super().plan(graph, view)
        left = [name for name in self.kept.order if name in graph.operators]
        return Plan({name: self.kept.decisions[name] for name in left}, order=tuple(left))


def latency(network: str, front: str, back: str) -> dict[str, Any]:
    """Mean latency in ms, energy of the phone in mJ, and the published accuracy cost in points (None where unknown)."""
    result = play(
        "cross-level", f"apps.net.model={network}+unfuse", f"sweep.front=['{front}']", f"sweep.back=[{back}]"
    )
    row = result.metrics("net")
    return {
        "ms": row["latency_ms_mean"],
        "mj": row["energy_mj"],
        "drop": row["top1_drop"],
        "dtype": row["dtype"],
    }


def partitions(network: str) -> dict[str, float]:
    """Latency in ms of a network and of what `simplify` leaves, with its old partition and with a new one."""
    import socsim

    rows = socsim.compare(
        "xiaomi-9", network, [Carried(), "heft"], transforms=["none", "simplify"], inferences=1
    ).rows
    whole, _, old, new = (row["latency_ms_mean"] for row in rows)
    before, after = _partition(network, []), _partition(network, ["simplify"])
    common = [name for name in after if name in before]
    moved = sum(after[name] != before[name] for name in common)
    return {"whole": whole, "old": old, "new": new, "moved": moved, "left": len(common)}


def _partition(network: str, transforms: list[str]) -> Mapping[str, Any]:
    """Where HEFT places the operators of a network after transforms."""
    import socsim
    from socsim.schedulers.predictors import ExactPredictor
    from socsim.workloads.pricing import Pricer

    graph = socsim.load_model(network, transforms=transforms)
    pricer = Pricer(socsim.load_device("xiaomi-9"), socsim.load_library("mace"), graph, "", "")
    return HEFT().plan(graph, View(pricer, ExactPredictor(pricer))).decisions


def jobs(effort: Effort) -> dict[str, Job]:
    """Every network after every front end under every back end; partitions of one with redundant branches."""
    triples = product(NETWORKS, FRONTS, BACKS)
    found = {f"{n}; {f}; {b}": Job(latency, (n, f, b)) for n, f, b in triples}
    return found | {"partitions": Job(partitions, ("retinaface",))}


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """The better of front and back end alone over both together."""
    best = {n: _best(found, n, FRONTS) for n in NETWORKS}
    in_fp32 = {n: _best(found, n, FRONTS[:-1]) for n in NETWORKS}
    part = found["partitions"]
    return Finding(
        values={
            **{n: [_gain(row)] for n, row in best.items()},
            "partition": [part["old"] / part["new"]],
        },
        chart=Bars(
            [f"{n} ({row['neither']:.0f} ms)" for n, row in best.items()],
            [Series(kind, [100 * row[kind] / row["neither"] for row in best.values()]) for kind in KINDS],
            "best latency [% of that with neither]",
        ),
        caption="In brackets: the latency that is 100 %.",
        ablation=_alone(best, in_fp32),
        tables=tuple(_latencies(found, n) for n in NETWORKS),
        notes=(
            "Without quantisation, which opens the DSP, both together gain "
            + quoted([f"{_gain(row):.2f} ({n})" for n, row in in_fp32.items()])
            + " over the better of the two alone: 1.00 is nothing.",
            f"RetinaFace's operators that nobody reads: {part['whole']:.0f} ms with them, "
            f"{part['old']:.0f} ms without them in the partition made before, {part['new']:.0f} ms in one "
            f"made after, in which {part['moved']:.0f} of {part['left']:.0f} operators are elsewhere.",
        ),
    )


def _ms(found: Mapping[str, Any], network: str, front: str, back: str) -> float:
    return float(found[f"{network}; {front}; {back}"]["ms"])


def _best(found: Mapping[str, Any], network: str, fronts: tuple[str, ...]) -> dict[str, float]:
    """The least latency in ms with neither, either and both."""

    def least(fronts: tuple[str, ...], backs: tuple[str, ...]) -> float:
        return min(_ms(found, network, f, b) for f, b in product(fronts, backs))

    choices = ((FRONTS[:1], (DEFAULT,)), (FRONTS[:1], BACKS), (fronts, SINGLE), (fronts, BACKS))
    return {kind: least(*choice) for kind, choice in zip(KINDS, choices, strict=True)}


def _gain(row: Mapping[str, float]) -> float:
    return min(row["back end alone"], row["front end alone"]) / row["both"]


def _alone(best: Mapping[str, Mapping[str, float]], in_fp32: Mapping[str, Mapping[str, float]]) -> Table:
    return Table(
        "one without the other: best latency [ms], and what both gain over the better of the two alone",
        ("", *KINDS, "gain", "gain without quantisation"),
        tuple(
            (n, *(f"{row[k]:.1f}" for k in KINDS), f"{_gain(row):.2f}", f"{_gain(in_fp32[n]):.2f}")
            for n, row in best.items()
        ),
    )


def _latencies(found: Mapping[str, Any], network: str) -> Table:
    return Table(
        f"{network}: latency [ms] and, where published, points of Top-1 that it costs",
        ("", *BACKS, "Top-1"),
        tuple(
            (
                f,
                *(f"{_ms(found, network, f, b):.1f}" for b in BACKS),
                _points(found[f"{network}; {f}; {DEFAULT}"]["drop"]),
            )
            for f in FRONTS
        ),
    )


def _points(drop: float | None) -> str:
    return "unknown" if drop is None else f"{-drop:+.2f}" if drop else "0"


CLAIM = Claim(
    name="cross-level",
    title="front-end and back-end optimisation together",
    paper=PARALLEL,
    section="abstract and published summary; its text was not at hand",
    reports="Substantial gains come only from optimising across levels: the network, and how it is scheduled.",
    measures=(
        *(
            Measure(
                n, f"better of network and scheduling alone / both, {n}", None, 1.0, None, kind="direction"
            )
            for n in NETWORKS
        ),
        Measure(
            "partition",
            "partition made before redundancy is removed / after, retinaface",
            None,
            1.0,
            None,
            kind="direction",
        ),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "A smaller network is faster on the processor where it runs; another processor may be better for "
        "it now: what is half as wide suits the CPU, and what is quantised the DSP, where only a "
        "scheduler that may use it brings it. The partition depends on what the network is: operators "
        "that nobody reads take their processor's time like any others, and once they are gone, another "
        "division of the rest is better. Where layers get so small that dividing them no longer pays, "
        "scheduling adds nothing to pruning."
    ),
    assumptions=(
        "Which transforms, networks and phones gave the gain is not told: those of the experiment "
        "'cross-level', with MACE on xiaomi-9. Alone, a front end runs on the better of CPU and GPU, and a "
        "back end gets the network as a framework leaves it.",
        "The best of each is taken by hindsight and whatever it costs in accuracy; costs are published ones "
        "and shown where known. Both together include either alone and can never be slower: the claim is "
        "that they are faster. Only a scheduler may use the DSP, for what is quantised; without it, see the "
        "last column of the ablation.",
    ),
    random=False,
)
