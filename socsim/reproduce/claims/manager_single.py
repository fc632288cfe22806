"""A manager that knows the network against governors that know load: one dynamic network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import RUNTIME, Claim, Effort, Finding, Job, band
from socsim.reproduce.helpers import play

__all__ = [
    "CLAIM",
    "DECIDES",
    "GAINED",
    "MAIN",
    "RAILS",
    "Gains",
    "bars",
    "by_knob",
    "managed",
    "saved",
    "told",
]

RAILS = {"vdd_cpu_gpu_cv": "VDD_CPU_GPU_CV", "vdd_in": "VDD_IN"}
MAIN = "vdd_cpu_gpu_cv"
"""The rail whose energy the measures are of."""

DECIDES = ("governors", "clocks", "levels", "places", "all", "all for VDD_IN", "oracle")
OTHERS = ("levels", "places")
"""Knobs other than clocks."""

MODES = ("15W_6CORE", "15W_2CORE")
NEXT = ("at once", "after 66 ms", "after 100 ms")
GAINED = "saved against governors alone [%]"

Gains = Mapping[tuple[str, str], Mapping[str, float]]
"""Case and what decides -> what :func:`saved` gives."""


def managed(experiment: str, duration: str, *variants: str) -> dict[str, Any]:
    """Energy in mJ by rail for an inference; latency in ms, Top-1 in %, late share and rate of each application."""
    result = play(experiment, f"duration={duration}", *variants)
    rows = result.rows()
    return {
        **{rail: rows[0]["rails_mj"][rail] for rail in RAILS},
        "latency_ms": [row["latency_ms_mean"] for row in rows],
        "top1": [row["top1_mean"] for row in rows],
        "late": [row["deadline_miss_share"] for row in rows],
        "done": [row["throughput_per_s"] for row in rows],
    }


def saved(found: Mapping[str, Any], case: str, decides: str) -> dict[str, float]:
    """Shares of energy by rail, and of latency (mean of the applications), saved against governors alone."""
    base, own = found[f"{case}; governors"], found[f"{case}; {decides}"]
    latency = [1 - a / b for a, b in zip(own["latency_ms"], base["latency_ms"], strict=True)]
    return {
        **{rail: 1 - own[rail] / base[rail] for rail in RAILS},
        "latency": sum(latency) / len(latency),
    }


def jobs(effort: Effort) -> dict[str, Job]:
    """Each mode and period, with each that decides."""
    found = {}
    for mode, after, decides in product(MODES, NEXT, DECIDES):
        variants = (f"sweep.mode=[{mode}]", f"sweep.next=['{after}']", f"sweep.decides=['{decides}']")
        job = Job(managed, ("nx-one-model", effort.seconds(4, least=1), *variants))
        found[f"{mode}, {after}; {decides}"] = job
    return found


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Most energy saved on VDD_CPU_GPU_CV where inferences do not become slower, and latency saved there."""
    cases = [f"{mode}, {after}" for mode, after in product(MODES, NEXT)]
    gains = {(c, d): saved(found, c, d) for c in cases for d in DECIDES[1:]}
    not_slower = [c for c in cases if gains[c, "all"]["latency"] >= 0] or cases
    best, most = (max(some, key=lambda c: gains[c, "all"][MAIN]) for some in (not_slower, cases))
    return Finding(
        values={"energy": [gains[best, "all"][MAIN]], "latency": [gains[best, "all"]["latency"]]},
        chart=_chart(gains, cases),
        ablation=by_knob(gains, cases, "latency"),
        tables=(_governed(found, cases),),
        caption="With all knobs; negative is lost. Below: what an oracle saves that searches all settings that hold.",
        numbers={
            "others": f"{100 * max(gains[c, d][MAIN] for c, d in product(cases, OTHERS)):.0f}",
            "oracle": told(gains[best, "oracle"]),
        },
        notes=(
            f"Without becoming slower, most energy is saved with {best}. Regardless of latency it is "
            f"{gains[most, 'all'][MAIN]:.0%}, with {most}, where inferences take "
            f"{-gains[most, 'all']['latency']:.0%} longer, up to the target.",
        ),
    )


def _chart(gains: Gains, cases: Sequence[str]) -> Bars:
    oracle = Series("energy, VDD_CPU_GPU_CV, oracle", [100 * gains[c, "oracle"][MAIN] for c in cases])
    return Bars(cases, [*bars(gains, [(c, "all") for c in cases]), oracle], GAINED)


def bars(gains: Gains, shown: Sequence[tuple[str, str]]) -> list[Series]:
    """Percentages saved of energy by rail, and of latency, by case and what decides."""
    return [
        *(
            Series(f"energy, {name}", [100 * gains[pair][rail] for pair in shown])
            for rail, name in RAILS.items()
        ),
        Series("latency", [100 * gains[pair]["latency"] for pair in shown]),
    ]


def by_knob(gains: Gains, cases: Sequence[str], latency: str) -> Table:
    """What each that decides saves in each case; `latency` says whose."""
    return Table(
        f"saved by each knob alone: energy on VDD_CPU_GPU_CV / on VDD_IN / {latency} [%]",
        ("", *DECIDES[1:]),
        tuple((c, *(told(gains[c, d]) for d in DECIDES[1:])) for c in cases),
    )


def _governed(found: Mapping[str, Any], cases: Sequence[str]) -> Table:
    rows = {c: found[f"{c}; governors"] for c in cases}
    return Table(
        "What governors alone need: energy of an inference, latency, late ones",
        ("", *RAILS.values(), "latency", "above 60 ms"),
        tuple(
            (
                c,
                *(f"{row[rail]:.0f} mJ" for rail in RAILS),
                f"{row['latency_ms'][0]:.1f} ms",
                f"{row['late'][0]:.0%}",
            )
            for c, row in rows.items()
        ),
    )


def told(gain: Mapping[str, float]) -> str:
    """Percentages saved: the two rails, and latency."""
    return " / ".join(f"{100 * gain[key]:+.0f}" for key in (*RAILS, "latency"))


_WHY = (
    "Where governors run faster than the target asks, a manager trades time for energy; where they are too "
    "slow, it spends energy on time. Both at once need a setting that is faster and draws less than what "
    "governors pick, and the oracle, which searches all settings that hold, has none that comes near "
    "({oracle} % of the two rails' energy and of latency where the measures are taken): the network waits "
    "for its host, so latency is the CPU's clock, and that clock is what costs energy. The published "
    "percentages are 'up to', their workload, deadline and rail are not told, and each may be of another "
    "scenario."
)

CLAIM = Claim(
    name="manager-single",
    title="a hierarchical manager against schedutil, one network",
    paper=RUNTIME,
    section="abstract; its text was not at hand",
    reports="Against schedutil, energy falls by up to 19 % and latency by up to 9 % with a single dynamic network.",
    measures=(
        band(
            "energy",
            "energy saved on VDD_CPU_GPU_CV, best scenario that is not slower",
            0.19,
            "share",
            otherwise=_WHY,
        ),
        band("latency", "latency saved there", 0.09, "share", otherwise=_WHY),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "schedutil sees utilisation, not progress: PyTorch's host thread is busy issuing operators, "
        "whatever the clock is worth. A manager that knows how long each level takes at each clock picks "
        "the lowest clocks within the target. All of its gain here comes from clocks: a lower level is less "
        "accurate than the target allows, and the CPU is far too slow, so that levels and places save "
        "{others} % at most. What is to be won depends on the rail: on VDD_IN what is always on is paid for "
        "the longer time too."
    ),
    assumptions=(
        "Workload, target, rail, power mode and control period are not published. Scenarios are those of "
        "the experiment 'nx-one-model': Dynamic-OFA's level 4 within 60 ms at its accuracy, back to back "
        "or every 66 or 100 ms, governors as the board ships (schedutil of its kernel, nvhost_podgov).",
        "Voltages of the board are fitted. The bands, 20 % to both sides, are ours.",
    ),
    random=False,
)
