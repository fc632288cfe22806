"""What was profiled offline is not what happens."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import busy_processes, by_seed, half_width, play, spread

__all__ = ["CLAIM", "missed", "prediction_error"]

STATES: dict[str, dict[str, Any]] = {
    "idle": {},
    "competitors": {"processes": 3},
    "clocks": {"governors": {"cpu": "schedutil", "gpu": "adreno_tz"}},
    "heat": {"heat": "60 C"},
}
PREDICTORS = ("profile", "online")
DECIDERS = ("profile", "exact", "online", "blind", "none (cpu)", "none (gpu)")


def prediction_error(state: str, predictor: str, seed: int, duration: str) -> dict[str, float]:
    """Mean of |predicted - actual| / actual over the kernels of MobileNet v2 on the CPU, and its latency in ms."""
    import socsim

    options = dict(STATES[state])
    apps = [
        socsim.Inference(
            "mobilenet_v2",
            f"band_fixed(worker=cpu,predictor={predictor})",
            name="net",
            period="33 ms",
            queue="latest",
        ),
        *busy_processes(options.pop("processes", 0)),
    ]
    row = socsim.simulate("xiaomi-9", apps, duration=duration, seed=seed, noise=True, **options).metrics(
        "net"
    )
    return {"error": row["prediction_mape"], "latency_ms": row["latency_ms_mean"]}


def missed(predictor: str, filters: int, seed: int, duration: str) -> float:
    """Share of deadlines missed where load comes and goes on the CPU, and on the GPU too with `filters`."""
    result = play(
        "offline-against-online",
        f"sweep.predictor=['{predictor}']",
        f"apps.filter.count={filters}",
        f"seed={seed}",
        f"duration={duration}",
    )
    return float(result.metrics("net")["deadline_miss_share"])


def jobs(effort: Effort) -> dict[str, Job]:
    """Errors in each state; misses by what the scheduler believes."""
    found = {}
    for seed in range(effort.seeds):
        for state in STATES:
            for p in PREDICTORS:
                key = f"{state} {p} {seed}"
                found[key] = Job(prediction_error, (state, p, seed, effort.seconds(2, least=0.5)))
        for d in DECIDERS:
            found[f"missed {d} {seed}"] = Job(missed, (d, 0, seed, effort.seconds(12)))
        for d in ("profile", "online"):
            found[f"missed both {d} {seed}"] = Job(missed, (d, 4, seed, effort.seconds(12)))
    return found


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Growth of the offline profile's error over that of the idle phone, and what learning is worth."""
    n = effort.seeds
    error = {
        (s, p): [row["error"] for row in by_seed(found, s, p, seeds=n)] for s in STATES for p in PREDICTORS
    }
    latency = {s: [row["latency_ms"] for row in by_seed(found, s, "profile", seeds=n)] for s in STATES}
    misses = {d: by_seed(found, "missed", d, seeds=n) for d in DECIDERS}
    both = {d: by_seed(found, "missed", "both", d, seeds=n) for d in ("profile", "online")}

    def growth(state: str) -> list[float]:
        pairs = zip(error[state, "profile"], error["idle", "profile"], strict=True)
        return [busy - idle for busy, idle in pairs]

    told = {(s, p): f"{fmean(error[s, p]):.0%}".replace("%", " %") for s in STATES for p in PREDICTORS}
    gain = [a - b for a, b in zip(misses["profile"], misses["online"], strict=True)]
    return Finding(
        values={**{s: growth(s) for s in STATES if s != "idle"}, "cost": gain},
        chart=Bars(
            list(STATES),
            [
                Series(
                    f"{name} profile",
                    [100 * fmean(error[s, p]) for s in STATES],
                    errors=[100 * half_width(error[s, p]) for s in STATES],
                )
                for p, name in zip(PREDICTORS, ("offline", "learning"), strict=True)
            ],
            "mean error of predicted kernel times [% of the actual time]",
        ),
        caption="The state of the phone while MobileNet v2 runs on its CPU.",
        ablation=Table(
            "deadlines missed by what the scheduler believes, while three processes come and go on the CPU",
            ("", "missed"),
            (
                *((d, spread([100 * x for x in own], ".1f") + " %") for d, own in misses.items()),
                *(
                    (f"{d}, GPU busy by turns too", spread([100 * x for x in own], ".1f") + " %")
                    for d, own in both.items()
                ),
            ),
        ),
        tables=(
            Table(
                "Predicted against actual, MobileNet v2 on the CPU",
                ("", "error, offline", "error, learning", "latency [ms]"),
                tuple(
                    (s, *(f"{fmean(error[s, p]):.1%}" for p in PREDICTORS), spread(latency[s], ".1f"))
                    for s in STATES
                ),
            ),
        ),
        notes=(
            f"Beside three processes an inference takes {fmean(latency['competitors']):.0f} ms, where the profile says "
            f"{fmean(latency['idle']):.0f}. The mean error of its kernels is {told['competitors', 'profile']} of their "
            "actual time: most kernels are undisturbed, few take tens of times as long, and what is "
            "predicted too short is wrong by 100 % at most.",
            f"Learning does not make predictions better there: its error is {told['competitors', 'online']}. A kernel "
            "that once lost its core raises what is predicted of the next ones. What it gets right is that "
            "the CPU is slow now, and that is what decides.",
        ),
    )


CLAIM = Claim(
    name="offline-profiling-gap",
    title="profiles taken offline do not tell run-time latency",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports="Profiling latency at run time matters: what was profiled offline, on an idle phone, misleads schedulers.",
    measures=(
        *(
            Measure(
                state,
                f"error of offline profile, {told}, beyond that on the idle phone",
                None,
                0.0,
                None,
                "share",
                "direction",
            )
            for state, told in (
                ("competitors", "beside three processes"),
                ("clocks", "under governors"),
                ("heat", "on a hot phone"),
            )
        ),
        Measure(
            "cost",
            "deadlines missed with the offline profile, beyond those with a learning one",
            None,
            0.0,
            None,
            "share",
            "direction",
        ),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "An offline profile holds what an operator takes at the highest clocks with nobody else on the "
        "phone. Competitors take cores away and make barriers wait, governors choose lower clocks for a "
        "load that pauses between inferences, and heat caps clocks: times grow, the profile does not. A "
        "scheduler that believes it keeps sending a network to a CPU that is taken, and misses the "
        "deadlines of that time; one that corrects its profile by what it observes leaves for the GPU "
        "after few inferences. An exact oracle of the idle phone is no better than the profile: what is "
        "missing is not precision but the present. Learning is no cure where load moves on to the "
        "processor that was fled to, for nothing is observed of one that nothing runs on."
    ),
    assumptions=(
        "Numbers of the gap are not published; states are ours: three processes of four threads, schedutil and "
        "adreno_tz, a phone that begins at 60 C (thermal parameters of the phone are estimates).",
        "MobileNet v2, 30 times per second on the CPU for the errors; the experiment "
        "'offline-against-online' for the deadlines. Run-to-run spread is drawn.",
    ),
)
