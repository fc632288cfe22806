"""What was profiled offline is not what happens."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from statistics import fmean
from typing import Any

from socsim.reproduce.chart import Bars, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import busy_processes, by_seed, differences, means, play, spread

__all__ = ["CLAIM", "Runs", "missed", "prediction_error"]

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
        for d in PREDICTORS:
            found[f"missed both {d} {seed}"] = Job(missed, (d, 4, seed, effort.seconds(12)))
    return found


class Runs:
    """What :func:`jobs` found, by what it is, seed by seed."""

    def __init__(self, found: Mapping[str, Any], seeds: int) -> None:
        rows = {(s, p): by_seed(found, s, p, seeds=seeds) for s, p in product(STATES, PREDICTORS)}
        self.error = {pair: [float(row["error"]) for row in own] for pair, own in rows.items()}
        self.latency = {s: [float(row["latency_ms"]) for row in rows[s, "profile"]] for s in STATES}
        self.misses = {d: by_seed(found, "missed", d, seeds=seeds) for d in DECIDERS}
        self.both = {d: by_seed(found, "missed", "both", d, seeds=seeds) for d in PREDICTORS}

    def growth(self, state: str) -> list[float]:
        """By how much the offline profile is more wrong than on the idle phone."""
        return differences(self.error[state, "profile"], self.error["idle", "profile"])


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Growth of the offline profile's error over that of the idle phone, and what learning is worth."""
    runs = Runs(found, effort.seeds)
    gain = differences(runs.misses["profile"], runs.misses["online"])
    return Finding(
        values={**{s: runs.growth(s) for s in STATES if s != "idle"}, "cost": gain},
        chart=_errors(runs),
        caption="The state of the phone while MobileNet v2 runs on its CPU.",
        ablation=_missed(runs),
        tables=(_predicted(runs),),
        notes=_notes(runs),
    )


def _errors(runs: Runs) -> Bars:
    names = zip(PREDICTORS, ("offline", "learning"), strict=True)
    return Bars(
        list(STATES),
        [means(f"{name} profile", (runs.error[s, p] for s in STATES), 100) for p, name in names],
        "mean error of predicted kernel times [% of the actual time]",
    )


def _missed(runs: Runs) -> Table:
    cases = runs.misses | {f"{d}, GPU busy by turns too": own for d, own in runs.both.items()}
    return Table(
        "deadlines missed by what the scheduler believes, while three processes come and go on the CPU",
        ("", "missed"),
        tuple((name, spread([100 * x for x in own], ".1f") + " %") for name, own in cases.items()),
    )


def _predicted(runs: Runs) -> Table:
    return Table(
        "Predicted against actual, MobileNet v2 on the CPU",
        ("", "error, offline", "error, learning", "latency [ms]"),
        tuple(
            (s, *(f"{fmean(runs.error[s, p]):.1%}" for p in PREDICTORS), spread(runs.latency[s], ".1f"))
            for s in STATES
        ),
    )


def _notes(runs: Runs) -> tuple[str, ...]:
    offline, learning = (f"{100 * fmean(runs.error['competitors', p]):.0f} %" for p in PREDICTORS)
    return (
        f"Beside three processes an inference takes {fmean(runs.latency['competitors']):.0f} ms, where the profile "
        f"says {fmean(runs.latency['idle']):.0f}. The mean error of its kernels is {offline} of their "
        "actual time: most kernels are undisturbed, few take tens of times as long, and what is "
        "predicted too short is wrong by 100 % at most.",
        f"Learning does not make predictions better there: its error is {learning}. A kernel "
        "that once lost its core raises what is predicted of the next ones. What it gets right is that "
        "the CPU is slow now, and that is what decides.",
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
