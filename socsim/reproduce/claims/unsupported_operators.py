"""About half of ResNet-50's operators cannot run where CPU and GPU share an inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import handovers_ms

__all__ = ["CLAIM", "fallen_back"]

DEVICE, NETWORK = "xiaomi-9", "resnet50_v2"
LIBRARIES = {
    "mace": ("gpu(layout=image)", "gpu(layout=buffer)", "mulayer"),
    "tflite": ("gpu", "mulayer"),
    "ncnn": ("gpu", "mulayer"),
}
OTHERS = ("resnet50", "densenet121", "shufflenet_v2", "yolov4_tiny")
"""Other networks; the first is ResNet-50 as another converter leaves it, with batch normalisation folded."""


def fallen_back(network: str, library: str, scheduler: str) -> dict[str, Any]:
    """What falls back to the CPU in one inference on the idle phone, and what it costs."""
    import socsim

    graph = socsim.load_model(network)
    app = socsim.Inference(graph, scheduler, library=library, count=1)
    result = socsim.simulate(DEVICE, [app], kernels=True)
    row, fallen = result.metrics(), result.fallbacks
    on_cpu = [r for r in result.outcome.kernels if r.kind == "kernel" and r.operator in fallen]
    return {
        "share": row["unsupported_share"],
        "operators": len(graph),
        "fallen": row["fallback_ops"],
        "types": dict(Counter(graph.operators[name].type for name in sorted(fallen))),
        "latency_ms": row["latency_ms_mean"],
        "cpu_ms": 1e3 * sum(r.end_s - r.start_s for r in on_cpu),
        "handover_ms": handovers_ms(result),
    }


def jobs(effort: Effort) -> dict[str, Job]:
    """Every library's ways to use the GPU; other networks under uLayer on MACE."""
    own = {f"{lib} {s}": Job(fallen_back, (NETWORK, lib, s)) for lib, all_ in LIBRARIES.items() for s in all_}
    return own | {name: Job(fallen_back, (name, "mace", "mulayer")) for name in OTHERS}


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Share of operators under uLayer on MACE; costs by library."""
    own = {key: row for key, row in found.items() if key not in OTHERS}
    return Finding(
        values={"unsupported": [found["mace mulayer"]["share"]]},
        chart=_chart(own),
        ablation=_table("other memory, other libraries: what falls back, and what it costs", own),
        tables=(_table("Other networks under uLayer on MACE", {name: found[name] for name in OTHERS}),),
        notes=_notes(found["mace mulayer"], found["mace gpu(layout=image)"]),
    )


def _chart(own: Mapping[str, Any]) -> Bars:
    rows = own.values()
    rest = [row["latency_ms"] - row["cpu_ms"] - row["handover_ms"] for row in rows]
    return Bars(
        list(own),
        [
            Series("rest of the inference", rest),
            Series("operators that fell back", [row["cpu_ms"] for row in rows]),
            Series("hand-overs", [row["handover_ms"] for row in rows]),
        ],
        f"latency of {NETWORK} on {DEVICE} [ms]",
        stacked=True,
    )


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    header = ("cannot run", "operators", "fell back", "latency", "of them on the CPU", "hand-overs")
    return Table(title, ("", *header), tuple(_line(name, row) for name, row in rows.items()))


def _line(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    times = (f"{row[key]:.1f} ms" for key in ("latency_ms", "cpu_ms", "handover_ms"))
    return (name, f"{row['share']:.1%}", str(row["operators"]), str(row["fallen"]), *times)


def _notes(main: Mapping[str, Any], in_images: Mapping[str, Any]) -> tuple[str, ...]:
    types = ", ".join(f"{n} {kind}" for kind, n in sorted(main["types"].items(), key=lambda x: -x[1]))
    return (
        f"{main['fallen']} of {main['operators']} operators fall back under uLayer on MACE: {types}.",
        f"Falling back costs {main['cpu_ms'] + main['handover_ms']:.0f} of {main['latency_ms']:.0f} ms, on the CPU "
        f"and in hand-overs. The rest is longer than the whole inference with images "
        f"({in_images['latency_ms']:.0f} ms) because convolutions are slow in buffers.",
    )


CLAIM = Claim(
    name="unsupported-operators",
    title="operators that parallel inference cannot run",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports="48 % of ResNet-50's operators are not supported by parallel inference on CPU and GPU on a Xiaomi 9.",
    measures=(Measure("unsupported", "unsupported operators / all", 0.48, 0.46, 0.50, "share"),),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "CPU and GPU can share a tensor only where both can address it, in a buffer. MACE has few kernels "
        "for buffers on the GPU: convolutions, pooling, softmax and reshaping. ResNet-50 v2 has its "
        "normalisations and activations in front of the convolutions, where a converter cannot fold them, "
        "and all of these, the sums, paddings and the mean fall back to the CPU, each with hand-overs on "
        "both sides. With images nothing falls back (see the table), but images cannot be shared."
    ),
    assumptions=(
        "A reconstruction: which graph of ResNet-50, which framework and which way of counting gave 48 % "
        "is not told. Taken is the one that MACE's own collection has, TensorFlow-Slim's ResNet-50 v2 for "
        "299x299 pixels, operator by operator, and MACE's table of kernels for GPU buffers.",
        "Other combinations of graph and table give 37 to 54 %, so that the number agrees is weak "
        "evidence; that half of the operators fall back is not.",
        "The band, two points to both sides, is ours.",
    ),
    random=False,
)
