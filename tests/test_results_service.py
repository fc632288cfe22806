"""How applications were served: counts, times, overload, slow-down, and the text that says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corekit import CPU, LIBRARY, SHARING, Fixed, net, toy
from hypothesis import given
from hypothesis import strategies as st
from results_samples import app_record, mixed_outcome, strict_json
from rich.console import Console

import socsim
from socsim.errors import UnknownNameError, UsageError
from socsim.results.render import render_applications
from socsim.results.result import Result
from socsim.results.service import SERVICE, outrun, service
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.records import Outcome
from socsim.workloads.apps import Inference


def outcome(*records: InferenceRecord, duration: float = 10.0) -> Outcome:
    return replace(mixed_outcome(inferences=records), duration_s=duration)


def record(
    number: int, arrival: float, start: float, end: float, status: str = "finished", origin: float = -1.0
):
    return InferenceRecord("app", number, arrival, start, end, status, origin)


MIXED = (
    record(0, 0.0, 0.0, 2.0),
    record(1, 1.0, 2.0, 5.0),
    record(2, 2.0, -1.0, 3.0, "dropped"),
    record(3, 4.0, 7.0, -1.0, "running"),
    record(4, 6.0, -1.0, -1.0, "queued"),
)


def test_all_values_of_a_small_run() -> None:
    row = service(outcome(*MIXED))
    assert list(row) == list(SERVICE)
    assert strict_json(row) == row
    assert row == {
        "arrived": 5, "finished": 2, "dropped": 1, "running": 1, "queued": 1, "drop_share": 0.2,
        "wait_ms_mean": pytest.approx(4000 / 3),
        "wait_ms_p95": pytest.approx(2800.0),
        "service_ms_mean": pytest.approx(2500.0),
        "service_ms_p95": pytest.approx(2950.0),
        "chain_ms_mean": None, "chain_ms_p95": None,
        "throughput_per_s": pytest.approx(0.2),
        "backlog": 2,
        "backlog_growth_per_s": pytest.approx((2 - 1) / 5.0),
        "overloaded": False,
    }  # fmt: skip


def test_the_chain_counts_from_its_first_stage() -> None:
    row = service(outcome(record(0, 2.0, 2.5, 3.0, origin=1.0), record(1, 3.0, 3.0, 4.0, origin=0.0)))
    assert row["chain_ms_mean"] == pytest.approx(3000.0)
    assert row["chain_ms_p95"] == pytest.approx(3900.0)


def test_what_does_not_exist_is_none() -> None:
    row = service(outcome())
    assert row["arrived"] == 0 and row["throughput_per_s"] == 0.0
    assert {k for k, v in row.items() if v is None} == {
        "drop_share", "wait_ms_mean", "wait_ms_p95", "service_ms_mean", "service_ms_p95", "chain_ms_mean",
        "chain_ms_p95",
    }  # fmt: skip
    assert service(outcome(duration=0.0))["backlog_growth_per_s"] is None


def test_unknown_applications_are_told() -> None:
    with pytest.raises(UnknownNameError, match="unknown application 'ap'; did you mean 'app'"):
        service(outcome(), "ap")


# --- overload -------------------------------------------------------------------------------------------------


def served(period: float, service_time: float, duration: float) -> Outcome:
    """First come, first served, by hand."""
    records, free = [], 0.0
    for number, arrival in enumerate(np.arange(0.0, duration, period)):
        start = max(free, arrival)
        free = start + service_time
        if start >= duration:
            records.append(record(number, arrival, -1.0, -1.0, "queued"))
        elif free >= duration:
            records.append(record(number, arrival, start, -1.0, "running"))
        else:
            records.append(record(number, arrival, start, free))
    return outcome(*records, duration=duration)


@pytest.mark.parametrize(
    ("period", "service_time", "overloaded"),
    [(1.0, 2.0, True), (1.0, 1.2, True), (1.0, 1.0, False), (1.0, 0.9, False), (1.0, 0.1, False)],
)
def test_overload_is_seen(period: float, service_time: float, overloaded: bool) -> None:
    done = served(period, service_time, 40.0)
    assert outrun(done.inferences_of("app"), 40.0) is overloaded
    assert service(done)["overloaded"] is overloaded


def test_growth_is_arrivals_less_completions() -> None:
    row = service(served(1.0, 2.0, 400.0))
    assert row["backlog"] == pytest.approx(200, abs=1)
    assert row["backlog_growth_per_s"] == pytest.approx(0.5, abs=0.01)


def test_one_slow_inference_is_no_overload() -> None:
    """Nobody waits; the only one runs beyond the end."""
    assert not outrun(outcome(record(0, 0.0, 0.0, -1.0, "running")).inferences_of("app"), 10.0)


def test_a_burst_that_is_worked_off_is_no_overload() -> None:
    burst = [record(i, 0.0, float(i), i + 1.0) for i in range(8)]
    waiting = [record(8, 9.0, 9.0, -1.0, "running"), record(9, 9.5, -1.0, -1.0, "queued")]
    assert not outrun(outcome(*burst, *waiting).inferences_of("app"), 10.0)


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3), st.sampled_from(["finished", "dropped", "queued"])))
)
def test_counts_add_up_whatever_happened(lives) -> None:
    records = [
        record(i, at, at if status == "finished" else -1.0, at + more if status != "queued" else -1.0, status)
        for i, (at, more, status) in enumerate(lives)
    ]
    row = service(outcome(*records, duration=20.0))
    assert row["arrived"] == row["finished"] + row["dropped"] + row["running"] + row["queued"]
    assert row["backlog"] == row["running"] + row["queued"]


# --- deadlines ------------------------------------------------------------------------------------------------


def test_late_dropped_and_overdue_ones_miss_their_deadline() -> None:
    """Within 3 s: the first in time, the second late, the third dropped, the others overdue at 10 s."""
    assert Result(outcome(*MIXED), deadlines_s={"app": 3.0}).metrics()["deadline_miss_share"] == 0.8
    assert Result(outcome(*MIXED), deadlines_s={"app": 5.0}).metrics()["deadline_miss_share"] == 0.5


# --- slow-down ------------------------------------------------------------------------------------------------


def application(name: str, **options) -> Inference:
    return Inference(net("a:8 x"), Fixed({"a": CPU}), library=LIBRARY, name=name, **options)


def test_slowdown_is_against_the_application_alone() -> None:
    """4 s each alone; together 8 s, then the second's second inference has the core for itself."""
    both = socsim.simulate(
        toy(), [application("one", count=1), application("two", count=2)], mechanisms=SHARING
    )
    assert both.slowdown() == {"one": 2.0, "two": pytest.approx((8.0 + 4.0) / 2 / 4.0)}


def test_waiting_is_no_slowdown() -> None:
    alone = socsim.simulate(toy(), [application("a", period=1.0, count=5)])
    assert alone.slowdown() == {"a": 1.0}
    assert alone.metrics()["latency_ms_mean"] > 4000.0


def test_stages_and_policies_do_not_matter_for_the_idle_phone() -> None:
    apps = [application("a", count=2, queue="latest"), application("b", after="a", queue="skip")]
    assert socsim.simulate(toy(), apps, mechanisms=SHARING).slowdown()["b"] == pytest.approx(1.5)


def test_nothing_finished_has_no_slowdown() -> None:
    assert socsim.simulate(toy(), [application("a")], duration=1.0).slowdown() == {"a": None}


def test_who_does_not_ask_does_not_pay() -> None:
    asked = []

    def alone():
        asked.append(1)
        return {"app": 2.0}

    result = Result(outcome(*MIXED), idle_service_s=alone)
    assert "slowdown" not in result.summary().columns and not asked
    assert result.summary(slowdown=True)["slowdown"].tolist() == [pytest.approx(1.25)]
    assert result.slowdown() == {"app": pytest.approx(1.25)} and asked == [1]


def test_a_result_without_applications_cannot_tell() -> None:
    with pytest.raises(UsageError, match="a slow-down needs the applications"):
        Result(outcome(*MIXED)).slowdown()


# --- tables and text ------------------------------------------------------------------------------------------


def test_a_row_has_costs_and_service() -> None:
    (row,) = Result(outcome(*MIXED)).rows()
    assert row["app"] == "app" and row["model"] == "tiny" and row["dropped"] == 1
    assert "speedup" not in row and "slowdown" not in row


def text(result: Result, **options) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(render_applications(result, **options))
    return capture.get()


def test_overload_and_drops_are_said() -> None:
    assert "app: arrivals outrun service: backlog 21 after 40 s, growing by 0.5 per s\n" in text(
        Result(served(1.0, 2.0, 40.0))
    )
    shown = text(Result(outcome(*MIXED)))
    assert "app: 1 of 5 arrivals dropped (20.0%)\n" in shown and "outrun" not in shown


def test_columns_that_nobody_has_are_left_out() -> None:
    shown = text(Result(outcome(*MIXED)))
    assert "waits" in shown and "chain" not in shown and "slow-" not in shown
    staged = text(
        Result(outcome(record(0, 1.0, 1.0, 2.0, origin=0.5)), idle_service_s=lambda: {"app": 1.0}),
        slowdown=True,
    )
    assert "chain" in staged and "slow-" in staged


def test_applications_without_an_inference_have_dashes() -> None:
    idle = outcome(*MIXED)
    idle = replace(idle, apps={**idle.apps, "other": app_record(app="other")})
    line = next(line for line in text(Result(idle)).splitlines()[5:] if line.startswith("other "))
    assert line.split() == ["other", "0", "0", "0", "0", "0", "-", "-", "-", "-", "0.00", "-"]


def test_every_column_is_documented() -> None:
    from pathlib import Path

    guide = (Path(__file__).parent.parent / "docs" / "output.md").read_text()
    assert [
        f"| `{column}` | {meaning} |"
        for column, meaning in SERVICE.items()
        if f"| `{column}` | {meaning} |" not in guide
    ] == []
