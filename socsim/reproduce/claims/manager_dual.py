"""A manager that knows the networks against governors that know load: two dynamic networks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from socsim.reproduce.chart import Bars, Table
from socsim.reproduce.claim import RUNTIME, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.claims.manager_single import DECIDES, GAINED, MAIN, Gains, bars, by_knob, managed, saved
from socsim.reproduce.helpers import differences

__all__ = ["CLAIM"]

PLACED = ("both on the GPU", "one on the CPU", "at once, one on the CPU")


def jobs(effort: Effort) -> dict[str, Job]:
    """Each scenario, with each that decides."""
    found = {}
    for placed, decides in product(PLACED, DECIDES):
        variants = (f"sweep.placed=['{placed}']", f"sweep.decides=['{decides}']")
        found[f"{placed}; {decides}"] = Job(
            managed, ("nx-two-models", effort.seconds(4, least=3.5), *variants)
        )
    return found


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Energy and latency saved in the scenario where most energy is."""
    gains = {(p, d): saved(found, p, d) for p in PLACED for d in DECIDES[1:]}
    best = max(PLACED, key=lambda p: gains[p, "all"][MAIN])
    main = gains[best, "all"]
    lost = differences(found[f"{best}; governors"]["top1"], found[f"{best}; all"]["top1"])
    return Finding(
        values={
            "energy": [main[MAIN]],
            "latency": [main["latency"]],
            "energy-in": [main["vdd_in"]],
        },
        chart=_chart(gains),
        caption="Where the networks are to begin with, and which knobs the manager turns; negative is lost.",
        ablation=by_knob(gains, PLACED, "latency, mean of both applications"),
        tables=(
            Table(
                "Latency of the first and the second application [ms], and their Top-1 [%]",
                ("", *DECIDES),
                tuple((p, *(_latencies(found[f"{p}; {d}"]) for d in DECIDES)) for p in PLACED),
            ),
        ),
        notes=(
            f"Most is saved with '{best}', for {max(lost):.1f} points of Top-1 at most. Where both "
            "networks are on the GPU from the beginning it is "
            f"{gains[PLACED[0], 'all'][MAIN]:.0%} of the energy, and "
            f"{gains[PLACED[0], 'all']['latency']:+.0%} of the latency.",
        ),
        numbers=_numbers(found, gains, best),
    )


def _chart(gains: Gains) -> Bars:
    shown = list(product(PLACED, DECIDES[1:5]))
    return Bars([f"{p}: {d}" for p, d in shown], bars(gains, shown), GAINED)


def _numbers(found: Mapping[str, Any], gains: Gains, best: str) -> dict[str, str]:
    without = max(gains[p, d][MAIN] for p, d in product(PLACED, ("clocks", "levels")))
    before, after = found[f"{best}; governors"], found[f"{best}; places"]
    return {
        "without": f"{100 * without:.0f}",
        "places": f"{100 * gains[best, 'places'][MAIN]:.0f}",
        "on_cpu": f"{before['latency_ms'][1]:.0f}",
        "on_gpu": f"{after['latency_ms'][1]:.0f}",
        "more": f"{found[f'{best}; all']['done'][1] / before['done'][1]:.0f}",
    }


def _latencies(row: Mapping[str, Any]) -> str:
    return " and ".join(
        f"{ms:.0f} ({top1:.1f})" for ms, top1 in zip(row["latency_ms"], row["top1"], strict=True)
    )


CLAIM = Claim(
    name="manager-dual",
    title="a hierarchical manager against schedutil, two networks",
    paper=RUNTIME,
    section="abstract; its text was not at hand",
    reports="Against schedutil, energy falls by up to 89 % and latency by up to 23 % with two dynamic networks.",
    measures=(
        Measure("energy", "energy saved on VDD_CPU_GPU_CV, best scenario", 0.89, 0.60, 0.92, "share"),
        Measure("latency", "latency saved there, mean of both", 0.23, 0.10, 0.60, "share"),
        Measure("energy-in", "energy saved there on VDD_IN", None, 0.0, None, "share", "direction"),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "Clocks or levels alone save {without} % of the energy at most. A reduction like the published one "
        "needs the third knob, which alone saves {places} %: a network that its developer has put on the "
        "CPU, so as not to disturb the other one, keeps six cores busy for {on_cpu} ms; moved to the GPU, "
        "which has time to spare, it takes {on_gpu} ms, and the other one's host thread has its core back. "
        "On VDD_IN, what is always on dilutes the same saving."
    ),
    assumptions=(
        "Workloads, targets, rail and power mode are not published, and 7 times less power cannot come "
        "from clocks on VDD_IN at all: scenarios are those of the experiment 'nx-two-models', chosen to "
        "show each knob.",
        "The bands, 60 to 92 % of energy and 10 to 60 % of latency, were set by what is feasible on the "
        "board's rails, before anything was simulated. They are wide, and 'up to' is taken as the best of "
        "three scenarios.",
        "Back to back, the second application does {more} times as many inferences; energies are for an "
        "inference of either.",
    ),
    random=False,
)
