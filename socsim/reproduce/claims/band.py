"""Several networks at once: Band against a runtime that uses one processor."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import by_seed, half_width, spread

__all__ = ["CLAIM", "periodic", "streams"]

NETWORKS = {
    "detector": "mobilenet_v2_1.0_640",
    "recogniser (small)": "mobilenet_v2_1.0_112",
    "recogniser (large)": "resnet50",
    "classifier": "squeezenet_1.1",
}
SINGLE = ("cpu", "gpu", "dsp")
FAST, SURE = ("band_sel", "band_heft"), ("band_sel", "band_lst")
"""Band's schedulers for throughput, and for inferences in time."""

BATCH, PERIOD_S = 5, 0.1


def streams(scheduler: str, seed: int, duration: str) -> list[float]:
    """Inferences per s of each network, all back to back."""
    import socsim

    apps = [
        socsim.Inference(model, scheduler, library="tflite", dtype="int8", name=name)
        for name, model in NETWORKS.items()
    ]
    result = socsim.simulate("xiaomi-9", apps, duration=duration, seed=seed, noise=True)
    return [row["throughput_per_s"] for row in result.rows()]


def periodic(scheduler: str, seed: int, duration: str) -> float:
    """Share of inferences that end within the period, five of each network asked for every 100 ms."""
    import socsim

    seconds = float(duration.split()[0])
    times = [PERIOD_S * k for k in range(int(seconds / PERIOD_S)) for _ in range(BATCH)]
    apps = [
        socsim.Inference(
            model, scheduler, library="tflite", dtype="int8", name=name, arrivals=times, deadline=PERIOD_S
        )
        for name, model in NETWORKS.items()
    ]
    result = socsim.simulate("xiaomi-9", apps, duration=duration, seed=seed, noise=True)
    return fmean(1 - row["deadline_miss_share"] for row in result.rows())


def jobs(effort: Effort) -> dict[str, Job]:
    """Single processors and Band's schedulers."""
    seeds = range(effort.seeds)
    fast = {
        f"streams {s} {seed}": Job(streams, (s, seed, effort.seconds(0.6)))
        for s, seed in product((*SINGLE, *FAST), seeds)
    }
    sure = {
        f"periodic {s} {seed}": Job(periodic, (s, seed, effort.seconds(0.5)))
        for s, seed in product((*SINGLE, *SURE), seeds)
    }
    return fast | sure


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Factors of Band's best scheduler for each goal over the CPU, TensorFlow Lite's default."""
    n = effort.seeds
    rates = {s: [sum(row) for row in by_seed(found, "streams", s, seeds=n)] for s in (*SINGLE, *FAST)}
    met = {s: by_seed(found, "periodic", s, seeds=n) for s in (*SINGLE, *SURE)}
    fastest = max(FAST, key=lambda s: fmean(rates[s]))
    surest = max(SURE, key=lambda s: fmean(met[s]))
    names = [*SINGLE, *FAST]
    base = {s: fmean(rates[s]) for s in SINGLE}
    return Finding(
        values={
            "throughput": [a / b for a, b in zip(rates[fastest], rates["cpu"], strict=True)],
            "slo": [a / b for a, b in zip(met[surest], met["cpu"], strict=True)],
        },
        chart=Bars(
            names,
            [
                Series(
                    "inferences per second of four networks",
                    [fmean(rates[s]) for s in names],
                    errors=[half_width(rates[s]) for s in names],
                )
            ],
            "inferences per second, all back to back",
        ),
        ablation=Table(
            "One processor for all networks, and Band's schedulers: mean of the seeds (least to most)",
            ("", "inferences per s", "over CPU alone", "over GPU alone", "over DSP alone"),
            tuple(
                (
                    s,
                    spread(rates[s], ".0f"),
                    *(f"{fmean(rates[s]) / base[b]:.2f}" for b in SINGLE),
                )
                for s in names
            ),
        ),
        tables=(
            Table(
                "Inferences within 100 ms, five of each network asked for every 100 ms [%]",
                ("", "in time"),
                tuple((s, spread([100 * x for x in own], ".0f")) for s, own in met.items()),
            ),
            Table(
                "Inferences per s by network",
                ("", *NETWORKS),
                tuple(
                    (
                        s,
                        *(
                            f"{fmean(x):.0f}"
                            for x in zip(*by_seed(found, "streams", s, seeds=n), strict=True)
                        ),
                    )
                    for s in names
                ),
            ),
        ),
        notes=(f"Most throughput with {fastest}, most inferences in time with {surest}.",),
    )


CLAIM = Claim(
    name="band",
    title="several networks on all processors",
    paper="Jeong et al. 2022, MobiSys (Band)",
    section="abstract; workload from the published benchmark configuration",
    reports=(
        "Band has up to 5.04 times the throughput of TensorFlow Lite with several networks of one "
        "application, and up to 3.76 times its share of inferences in time with several applications."
    ),
    measures=(
        Measure(
            "throughput", "throughput over TensorFlow Lite on the CPU", 5.04, 1.0, None, kind="direction"
        ),
        Measure(
            "slo", "inferences in time over TensorFlow Lite on the CPU", 3.76, 1.0, None, kind="direction"
        ),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "A runtime that puts every network on one processor leaves the others idle, and lets the networks "
        "compete for the same cores. Band keeps a queue of units per processor and sends each where it "
        "should end first, so that CPU, GPU and DSP work at once, and large networks go to the processor "
        "that is far faster for them. No processor alone comes near (see the table): "
        "it takes both, each network where it suits, and all three at work."
    ),
    assumptions=(
        "The published benchmark has RetinaFace and ArcFace with MobileNet v2, ArcFace with ResNet-50, "
        "and a classifier, quantised; none of them is at hand. Taken are MobileNet v2 for 640x640 and for "
        "112x112 pixels, ResNet-50, and SqueezeNet 1.1, with TensorFlow Lite in 8 bits on xiaomi-9 (GPU "
        "kernels in half precision).",
        "Streams: each network back to back. In time: five inferences of each network every 100 ms, due "
        "within them.",
        "The runtime compared with is TensorFlow Lite on the CPU's big cores, its default; over the GPU "
        "and the DSP alone, see the table. The published factors are the most over several workloads, "
        "which are not those here: only their direction is held against ours.",
        "The share in time of what is overloaded depends on how long it is: requests are never dropped, "
        "so that on one processor nearly all are late in the end, and the factor grows beyond any.",
        "Run-to-run spread is drawn, a seed each.",
    ),
)
