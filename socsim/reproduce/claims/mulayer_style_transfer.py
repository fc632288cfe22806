"""Two processors slower than one: uLayer on style transfer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import calibrated
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["CLAIM", "Divisions", "broken_down"]

NETWORK = "fast_style_transfer"
ADRENO = calibrated(("xiaomi-9", "redmi-k30-pro", "mi-11-pro"))
MALI = "honor-v30-pro"
MEASURED = {"xiaomi-9": 2.57, MALI: 0.77}
"""What CoDL's authors measured on two of the phones."""

PARTS = ("the GPU alone", "ideal division", "layout", "imbalance", "sharing")


class Divisions:
    """Predicted times of operators of a network on an idle phone, divided between CPU and GPU.

    Parameters
    ----------
    device
        Name of the phone.
    graph
        The network.
    """

    def __init__(self, device: str, graph: ModelGraph) -> None:
        import socsim
        from socsim.schedulers.predictors import ExactPredictor
        from socsim.workloads.pricing import Pricer

        pricer = Pricer(socsim.load_device(device), socsim.load_library("mace"), graph, "", "")
        self._graph, self._view = graph, View(pricer, ExactPredictor(pricer))

    def ideal(self) -> float:
        """Time in s where each operator is divided best, in the GPU's better layout."""
        layouts = self._view.layouts("gpu")
        return sum(min(self._best(op, layout, ("H", "OC")) for layout in layouts) for op in self._graph)

    def in_buffers(self) -> float:
        """The same in buffers, which are divided by output channels."""
        return sum(self._best(op, "buffer", ("OC",)) for op in self._graph)

    def shared(self, gpu_share: Mapping[str, float]) -> float:
        """The same where the GPU has these shares of operators, and nothing of the others."""
        return sum(self._slower_half(op, "buffer", "OC", gpu_share.get(op.name, 0.0)) for op in self._graph)

    def _slower_half(self, op: Operator, layout: str, dimension: str, share: float) -> float:
        predict = partial(self._view.predict, op, dimension=dimension)
        gpu = predict("gpu", layout=layout, share=share) if share > 0 else 0.0
        cpu = predict("cpu", share=round(1 - share, 9)) if share < 1 else 0.0
        return max(cpu, gpu)

    def _best(self, op: Operator, layout: str, dimensions: tuple[str, ...]) -> float:
        own = [d for d in dimensions if d in self._view.splits(op, layout)]
        shares = [round(0.1 * i, 9) for i in range(11)]
        whole = [self._slower_half(op, layout, "H", s) for s in (0.0, 1.0)]
        return min(whole + [self._slower_half(op, layout, d, s) for d, s in product(own, shares)])


def broken_down(device: str) -> dict[str, float]:
    """Times in ms of the GPU alone, of an ideal division, and of what separates uLayer from it.

    The ideal divides each operator best, with the GPU's better layout, and shares data at no cost; then in buffers;
    then in uLayer's shares; then it pays for sharing, which is uLayer.
    """
    import socsim

    graph = socsim.load_model(NETWORK)
    alone = socsim.simulate(device, [socsim.Inference(graph, "gpu", count=1)])
    shared = socsim.simulate(device, [socsim.Inference(graph, "mulayer", count=1)], kernels=True)
    gpu_share = {
        r.operator: r.share for r in shared.outcome.kernels if r.kind == "kernel" and r.processor == "gpu"
    }
    divisions, latency = Divisions(device, graph), shared.metrics()["latency_ms_mean"]
    ideal, buffers, unbalanced = divisions.ideal(), divisions.in_buffers(), divisions.shared(gpu_share)
    return {
        "the GPU alone": alone.metrics()["latency_ms_mean"],
        "ideal division": 1e3 * ideal,
        "layout": 1e3 * (buffers - ideal),
        "imbalance": 1e3 * (unbalanced - buffers),
        "sharing": latency - 1e3 * unbalanced,
        "uLayer": latency,
    }


def jobs(effort: Effort) -> dict[str, Job]:
    """Every phone."""
    return {device: Job(broken_down, (device,)) for device in (*ADRENO, MALI)}


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """uLayer's time over that of the GPU alone, and what it is made of."""
    return Finding(
        values={device: [row["uLayer"] / row["the GPU alone"]] for device, row in found.items()},
        chart=_chart(found),
        caption="What uLayer's latency is made of, beside that of the GPU alone.",
        ablation=_causes(found),
        notes=(_note(found[ADRENO[0]]),),
    )


def _chart(found: Mapping[str, Any]) -> Bars:
    """Two bars a phone: the GPU alone, and the parts of uLayer."""
    series = []
    for part in PARTS:
        alone = part == "the GPU alone"
        pairs = ((row[part], 0.0) if alone else (0.0, row[part]) for row in found.values())
        series.append(Series(part, [ms for pair in pairs for ms in pair]))
    labels = [f"{device}: {what}" for device in found for what in ("GPU", "uLayer")]
    return Bars(labels, series, "latency [ms]", stacked=True)


def _causes(found: Mapping[str, Any]) -> Table:
    header = (
        "GPU alone",
        "ideal division",
        "+ buffers instead of images",
        "+ uLayer's shares",
        "+ sharing = uLayer",
    )
    return Table(
        "uLayer without what slows it down: what each cause adds to an ideal division [ms]",
        ("", *header),
        tuple(
            (
                device,
                f"{row['the GPU alone']:.0f}",
                f"{row['ideal division']:.0f}",
                f"{row['layout']:+.0f}",
                f"{row['imbalance']:+.0f}",
                f"{row['sharing']:+.0f} = {row['uLayer']:.0f}",
            )
            for device, row in found.items()
        ),
    )


def _note(first: Mapping[str, float]) -> str:
    excess = first["uLayer"] - first["ideal division"]
    layout, imbalance, sharing = (first[part] / excess for part in ("layout", "imbalance", "sharing"))
    return (
        f"On {ADRENO[0]} the layout is {layout:.0%} of what uLayer takes longer than an "
        f"ideal division, unequal halves are {imbalance:.0%}, sharing {sharing:.0%}."
    )


CLAIM = Claim(
    name="mulayer-style-transfer",
    title="two processors slower than one",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports=(
        "uLayer on CPU and GPU is 1.9 to 3.1 times slower than the GPU alone on Fast Style Transfer. "
        "CoDL's authors measured 2.57 on the Xiaomi 9 and, on a phone with a Mali GPU, 0.77: there it is "
        "faster."
    ),
    measures=(
        *(Measure(d, f"uLayer / GPU, {d}", MEASURED.get(d), 1.9, 3.1) for d in ADRENO),
        Measure(MALI, f"uLayer / GPU, {MALI}", MEASURED[MALI], None, 1.0, kind="direction"),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "Three causes. uLayer shares buffers, which Adreno reads without its texture cache, so that "
        "convolutions are several times slower than with images; a Mali has no such difference, and its "
        "GPU alone runs in buffers anyway, so there the second processor helps. Each division pays for "
        "mapping, layout changes and a synchronisation at every operator. And the shares come from a "
        "predictor that is linear in the number of operations, so that halves end at different times."
    ),
    assumptions=(
        "Which phones gave 1.9 to 3.1 is not told; those are taken on which CoDL's authors worked, with "
        "MACE and fp32.",
        "uLayer is the one of CoDL's comparison: output channels only, shares in steps of a tenth, no "
        "8-bit CPU half.",
        "Fast Style Transfer is the one of CoDL's code: 14 convolutions at 480x640 pixels.",
    ),
    random=False,
)
