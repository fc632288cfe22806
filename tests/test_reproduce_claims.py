"""Every claim: its jobs, and what is concluded from them, at a fraction of their length."""

from __future__ import annotations

import json
import re

import pytest

from socsim.errors import UnknownNameError
from socsim.experiments.files import experiment_names
from socsim.reproduce import CLAIMS, Effort, Report, load_claim, load_claims, reproduce
from socsim.reproduce.chart import Bars, Chart, Grid, Lines, Points

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


def test_experiments_named_in_assumptions_are_there() -> None:
    named = set()
    for claim in load_claims():
        text = " ".join(claim.assumptions)
        named |= set(re.findall(r"experiment '([a-z-]+)'", text))
    assert named and named <= set(experiment_names())
