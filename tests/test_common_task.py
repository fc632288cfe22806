"""The common task, on which four other engines agree."""

from __future__ import annotations

import pytest

from benchmarks.common_task import GOLDEN_LATENCY_US, graph, run


@pytest.mark.parametrize(("kind", "golden"), [("chain", 3311.0), ("layered", 2467.0)])
def test_golden_latencies(kind: str, golden: float) -> None:
    """A transfer starts as its producer finishes; every job takes exactly as long as every other."""
    result = run(kind, 200)
    latencies = [(r.finish_s - r.arrival_s) * 1e6 for r in result.outcome.inferences]
    assert len(latencies) == 200
    assert latencies == pytest.approx([golden] * 200, abs=1e-6)
    assert GOLDEN_LATENCY_US[kind] == golden


@pytest.mark.parametrize("kind", ["chain", "layered"])
def test_the_tasks(kind: str) -> None:
    tasks = graph(kind)
    assert len(tasks) == 50
    if kind == "chain":
        assert all(len(tasks.predecessors(op)) == (op.name != "t0") for op in tasks)


def test_a_job_cannot_be_faster_than_its_longest_path_on_the_fastest_processor() -> None:
    """Rates of 1, 4 and 2 units per microsecond."""
    chain = graph("chain")
    assert GOLDEN_LATENCY_US["chain"] >= sum(op.macs for op in chain) / 4
