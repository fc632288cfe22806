"""Every claim: its jobs, and what is concluded from them, at a fraction of their length."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from socsim.errors import UnknownNameError
from socsim.experiments.files import experiment_names
from socsim.reproduce import CLAIMS, Effort, Report, load_claim, load_claims, reproduce
from socsim.reproduce.chart import Bars, Grid, Lines, Points

SHORT = Effort(seeds=2, share=0.1)

NAMES = [
    "unsupported-operators", "mulayer-style-transfer", "competing-processes", "frame-drops", "granularity",
    "offline-profiling-gap", "utilisation-is-not-the-goal", "cross-level", "data-reuse", "dynamic-supernet",
    "manager-single", "manager-dual", "runtime-trade-off", "codl", "band",
]  # fmt: skip


@cache
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


@pytest.mark.parametrize("name", NAMES)
def test_bars_and_cells_have_labels(name: str) -> None:
    chart = short(name).finding.chart
    if isinstance(chart, Bars):
        assert all(len(series.ys) == len(chart.labels) for series in chart.series)
        assert len(chart.published) in (0, len(chart.labels)) and len(chart.bands) in (0, len(chart.labels))
    elif isinstance(chart, Grid):
        assert all(len(row) == len(chart.columns) for row in (*chart.categories, *chart.texts))
    elif isinstance(chart, Points):
        assert [len(names) for names in chart.names] == [len(series.ys) for series in chart.series]
    else:
        assert all(len(series.xs) == len(series.ys) > 0 for series in chart.series)


def test_experiments_named_in_assumptions_are_there() -> None:
    named = set()
    for claim in load_claims():
        text = " ".join(claim.assumptions)
        named |= set(re.findall(r"experiment '([a-z-]+)'", text))
    assert named and named <= set(experiment_names())


# --- what has nothing random in it, at full length -----------------------------------------------------------


def value(name: str, measure: str) -> float:
    return next(one.mean.value for one in short(name).judged if one.measure.name == measure)


def holds(name: str) -> dict[str, bool]:
    return {one.measure.name: one.holds for one in short(name).judged}


def test_unsupported_operators() -> None:
    assert value("unsupported-operators", "unsupported") == 56 / 116
    assert holds("unsupported-operators") == {"unsupported": True}


def test_style_transfer_is_slower_on_adreno_and_faster_on_mali() -> None:
    assert all(holds("mulayer-style-transfer").values())
    assert value("mulayer-style-transfer", "xiaomi-9") == pytest.approx(2.0, abs=0.1)
    rows = short("mulayer-style-transfer").finding.ablation.rows
    assert [row[0] for row in rows][0] == "xiaomi-9" and rows[-1][0] == "honor-v30-pro"


def test_both_levels_together_beat_either() -> None:
    assert all(holds("cross-level").values())


def test_the_super_network() -> None:
    assert all(holds("dynamic-supernet").values())


def test_codl_has_its_order_of_power_and_saves_sharing() -> None:
    found = holds("codl")
    assert found["power-order"] and found["sharing"]


def test_what_does_not_hold_says_why() -> None:
    """With two seeds and a tenth of the length others may not hold, which is nobody's fault."""
    for name in ("competing-processes", "manager-single", "codl"):
        for one in short(name).judged:
            if not one.holds and one.measure.kind == "band" and one.measure.name != "cpu":
                assert one.measure.otherwise, (name, one.measure.name)
