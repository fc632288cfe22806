"""Every claim: its jobs, and what is concluded from them, at a fraction of their length."""

from __future__ import annotations

import json
import math
import random
import re

import pytest

from socsim.errors import UnknownNameError
from socsim.experiments.files import experiment_names
from socsim.reproduce import CLAIMS, Effort, Report, load_claim, load_claims, reproduce
from socsim.reproduce.chart import Bars, Chart, Grid, Lines, Points
from socsim.reproduce.claims import band as band_claim
from socsim.reproduce.claims import competing_processes, granularity
from socsim.workloads.dynamic import load_family

SHORT = Effort(seeds=2, share=0.1)

NAMES = [
    "unsupported-operators", "mulayer-style-transfer", "competing-processes", "frame-drops", "granularity",
    "offline-profiling-gap", "utilisation-is-not-the-goal", "cross-level", "data-reuse", "dynamic-supernet",
    "manager-single", "manager-dual", "runtime-trade-off", "codl", "band",
]  # fmt: skip


def short(name: str) -> Report:
    (report,) = reproduce([load_claim(name)], SHORT)
    return report


def test_the_claims_and_their_order() -> None:
    assert list(CLAIMS) == NAMES
    assert [claim.name for claim in load_claims()] == NAMES
    assert [claim.name for claim in load_claims(["codl", "granularity", "codl"])] == ["granularity", "codl"]


def test_an_unknown_claim() -> None:
    with pytest.raises(UnknownNameError, match="unknown claim 'granularty'; did you mean 'granularity'"):
        load_claims(["granularty"])


@pytest.mark.parametrize("name", NAMES)
def test_what_a_claim_says_of_itself(name: str) -> None:
    claim = load_claim(name)
    texts = (claim.title, claim.paper, claim.section, claim.reports, claim.mechanism, *claim.assumptions)
    assert all(texts) and claim.assumptions
    assert len({m.name for m in claim.measures}) == len(claim.measures) > 0
    for m in claim.measures:
        assert m.low is not None or m.high is not None
        assert m.low is None or m.high is None or m.low <= m.high
    assert claim.command(Effort()) == f"socsim reproduce {name}"
    assert claim.command(SHORT) == f"socsim reproduce {name} --seeds 2"


@pytest.mark.parametrize("name", NAMES)
def test_jobs_are_what_processes_and_files_can_hold(name: str) -> None:
    for job in load_claim(name).jobs(SHORT).values():
        assert json.loads(json.dumps(job.arguments)) == list(job.arguments)
        assert job.function.__qualname__ == job.function.__name__  # found by name in its module


HOLDING = {
    "unsupported-operators": {"unsupported"},
    "mulayer-style-transfer": {"xiaomi-9", "honor-v30-pro"},
    "cross-level": {"resnet50", "mobilenet_v1", "retinaface", "partition"},
    "dynamic-supernet": {"gpu-speed-up", "gpu-accuracy", "cpu-speed-up", "cpu-accuracy"},
    "codl": {"power-order", "sharing"},
    "frame-drops": {"dropped"},
}
"""What has nothing random in it and holds however short the run is."""


@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str) -> None:
    report = short(name)
    claim, finding = report.claim, report.finding
    assert [one.measure for one in report.judged] == list(claim.measures)
    assert set(finding.values) == {m.name for m in claim.measures}
    lengths = {len(values) for values in finding.values.values()}
    assert lengths <= ({1, SHORT.seeds} if claim.random else {1})
    assert isinstance(finding.chart, Bars | Lines | Points | Grid)
    for table in (finding.ablation, *finding.tables):
        assert table.rows and all(len(row) == len(table.header) for row in table.rows), table.title
    assert len(finding.ablation.rows) > 1
    own = (claim.mechanism, *claim.assumptions, *(m.otherwise for m in claim.measures))
    assert not re.search("[{}]|nan", " ".join([*map(report.filled, own), *finding.notes, finding.caption]))
    assert set(finding.numbers) == set(re.findall(r"{(\w+)}", " ".join(own)))
    _check_chart(finding.chart)
    held = {one.measure.name for one in report.judged if one.holds}
    assert HOLDING.get(name, set()) <= held
    if name == "unsupported-operators":
        assert finding.values["unsupported"] == [56 / 116]
    if name == "codl":
        assert all(one.measure.otherwise for one in report.judged if not one.holds)


def _check_chart(chart: Chart) -> None:
    if isinstance(chart, Bars):
        assert all(len(series.ys) == len(chart.labels) for series in chart.series)
        assert len(chart.published) in (0, len(chart.labels)) and len(chart.bands) in (0, len(chart.labels))
    elif isinstance(chart, Grid):
        assert all(len(row) == len(chart.columns) for row in (*chart.categories, *chart.texts))
    elif isinstance(chart, Points):
        assert [len(names) for names in chart.names] == [len(series.ys) for series in chart.series]
    else:
        assert all(len(series.xs) == len(series.ys) > 0 for series in chart.series)


def a_map(**times: list[float]) -> granularity.Map:
    """One cell, where all but the schedulers given take 10 ms."""
    cell = ("xiaomi-9", "resnet50", 3)
    words = {"cpu": "network (cpu)", "gpu": "network (gpu)", "codl": "part (codl)", "heft": "operator (heft)"}
    given = {words[name]: own for name, own in times.items()}
    seeds = len(next(iter(times.values())))
    both = (cell, ("xiaomi-9", "mobilenet_v2", 3))
    flat = {(s, c): given.get(s, [10.0] * seeds) for s in granularity.SCHEDULERS for c in both}
    return granularity.Map(flat, both, seeds)


def test_a_granularity_that_wins_everywhere_has_no_regret() -> None:
    best = a_map(codl=[5.0, 5.0, 5.0])
    assert [best.regret(seed) for seed in range(3)] == [1.0, 1.0, 1.0]
    assert best.winners(best.cells[0]) == ("part",)


def test_chance_alone_gives_no_regret() -> None:
    rng = random.Random(7)
    drawn = [
        a_map(**{name: [rng.lognormvariate(1.0, 0.3) for _ in range(10)] for name in ("gpu", "codl", "heft")})
        for _ in range(30)
    ]
    logs = [math.log(one.regret(seed)) for one in drawn for seed in range(10)]
    assert sum(logs) / len(logs) == pytest.approx(0.0, abs=0.06)


def test_close_calls_share_a_cell() -> None:
    near = a_map(codl=[5.0, 5.0], gpu=[5.09, 5.09], heft=[5.2, 5.2])
    assert near.winners(near.cells[0]) == ("network", "part")
    unsure = a_map(codl=[5.0, 5.0], heft=[5.0, 6.0])
    assert unsure.winners(unsure.cells[0]) == ("operator", "part")


def test_what_is_given_up_can_be_too_much_or_too_little() -> None:
    (measure,) = (m for m in load_claim("runtime-trade-off").measures if m.name == "traded")
    top1 = {m.level: m.top1 for m in load_family("dynamic_ofa").levels}
    within = [level for level in (4, 3, 2, 1) if measure.low <= top1[4] - top1[level] <= measure.high]
    assert within == [2]


def test_free_handovers_make_parts_cheaper_and_a_whole_network_hardly() -> None:
    parts, whole = (granularity.free_handovers_ms("resnet50", s) for s in ("codl", "gpu"))
    count, cell = 2, ("xiaomi-9", "resnet50", 0)
    assert parts < 0.8 * granularity.latency_ms(*cell, "part (codl)", 0, count)
    assert 0.95 < whole / granularity.latency_ms(*cell, "network (gpu)", 0, count) <= 1.0


def test_threads_that_sleep_lose_less_beside_others() -> None:
    spinning, calm = (
        [times(processes) for processes in (0, 3)]
        for times in (
            lambda n: competing_processes.service_ms("cpu", n, 0, 4, "all mechanisms"),
            lambda n: competing_processes.calm(n, 0, 4),
        )
    )
    assert calm[0] == pytest.approx(spinning[0], rel=0.02)
    assert calm[1] < 0.7 * spinning[1]


def test_half_of_one_network_weighs_as_much_as_twice_another() -> None:
    assert band_claim._geometric([2.0, 5.0], [4.0, 2.5]) == pytest.approx(1.0)
    assert band_claim._geometric([0.0, 100.0], [1.0, 1.0]) < 1.0  # one starves


def test_ranks() -> None:
    from socsim.reproduce.claims.utilisation_is_not_the_goal import _ranks

    assert _ranks([0.3, 0.1, 0.1, 0.9]) == [2.0, 0.5, 0.5, 3.0]


def test_experiments_named_in_assumptions_are_there() -> None:
    named = set()
    for claim in load_claims():
        text = " ".join(claim.assumptions)
        named |= set(re.findall(r"experiment '([a-z-]+)'", text))
    assert named and named <= set(experiment_names())
