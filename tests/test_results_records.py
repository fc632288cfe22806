"""Tables and rows recomputed from made-up records by other means: by hand, and with pandas and numpy."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results_samples import app_record, kernel, many_inferences, mixed_outcome

from socsim.results import frames
from socsim.results.attribution import energy_by_app
from socsim.results.metrics import METRICS, metrics, transforms_of
from socsim.results.result import Result
from socsim.results.reuse import REUSE, reuse
from socsim.results.service import service
from socsim.results.shown import SHOWN, shown
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.inferencelog import STATUSES, InferenceRecord
from socsim.simulation.processlog import BurstRecord, ProcessRecord
from socsim.simulation.records import (
    ClockRecord,
    EnergyRecord,
    IdleRecord,
    Outcome,
    PredictionRecord,
    ReuseRecord,
    TemperatureRecord,
)

NAN = pytest.approx(np.nan, nan_ok=True)
FEW = settings(max_examples=40)


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Cells of a table, None for what does not exist."""
    kept = frame.astype(object)
    return [tuple(row) for row in kept.where(kept.notna(), None).itertuples(index=False)]


def about(values: tuple[object, ...]) -> tuple[object, ...]:
    """The same, floats within rounding."""
    return tuple(pytest.approx(value) if isinstance(value, float) else value for value in values)


# --- tables, cell by cell ---------------------------------------------------------------------------------------


def test_frames_of_all_kinds() -> None:
    """One composed at the very start is composed."""
    records = (
        FrameRecord("ui", 0, 0.0, 0.016, 0.0, "presented"),
        FrameRecord("ui", 1, 0.016, 0.032, 0.040, "late"),
        FrameRecord("ui", 2, 0.032, 0.048, -1.0, "dropped"),
        FrameRecord("ui", 3, 0.048, 0.064, -1.0, "pending"),
    )
    assert rows(frames.frames_frame(mixed_outcome(frames=records))) == [
        about(("ui", 0, 0.0, 16.0, 0.0, "presented", 0.0)),
        about(("ui", 1, 16.0, 32.0, 40.0, "late", 24.0)),
        about(("ui", 2, 32.0, 48.0, None, "dropped", None)),
        about(("ui", 3, 48.0, 64.0, None, "pending", None)),
    ]


def test_idle_states_by_core_and_by_cluster() -> None:
    """Of two cores in 10 ms there were 20 ms; of their cluster 10."""
    states = (
        IdleRecord("big", "retention", "core", 2, 0.006, 5),
        IdleRecord("big", "off", "cluster", 1, 0.004, 1),
    )
    found = rows(frames.idle_frame(mixed_outcome(idle=states)))
    assert found == [
        about(("big", "retention", "core", 6.0, 0.3, 5)),
        about(("big", "off", "cluster", 4.0, 0.4, 1)),
    ]
    timeless = frames.idle_frame(mixed_outcome(idle=states, duration_s=0.0))
    assert timeless["share"].isna().all()


def test_clocks_temperatures_and_processes() -> None:
    outcome = mixed_outcome(
        clocks=(ClockRecord(0.0, "gpu", 585e6), ClockRecord(0.0025, "cpu.gold", 710.4e6)),
        temperatures=(TemperatureRecord(0.25, "skin", 31.5),),
        processes=(ProcessRecord("busy", "competitor", "busy.1", "cpu", 0.0035),),
    )
    assert rows(frames.clocks_frame(outcome)) == [
        about((0.0, "gpu", 585.0)),
        about((2.5, "cpu.gold", 710.4)),
    ]
    assert rows(frames.temperatures_frame(outcome)) == [(250.0, "skin", 31.5)]
    assert rows(frames.processes_frame(outcome)) == [about(("busy", "competitor", "busy.1", "cpu", 3.5))]


def test_energy_by_component_rail_and_meter() -> None:
    outcome = mixed_outcome(
        energy_j={"gpu": 0.02, "board": 0.01}, rails_j={"soc": 0.03}, meters_j={"in": 0.025}
    )
    expected = [
        ("component", "gpu", 20.0, 2.0),
        ("component", "board", 10.0, 1.0),
        ("rail", "soc", 30.0, 3.0),
        ("meter", "in", 25.0, 2.5),
    ]
    assert rows(frames.energy_frame(outcome)) == [about(row) for row in expected]
    assert frames.energy_frame(replace(outcome, duration_s=0.0))["power_w"].isna().all()


def test_applications_cell_by_cell() -> None:
    (row,) = rows(frames.apps_frame(mixed_outcome()))
    assert row == ("app", "tiny", "mace", "gpu", "fp32", 4, 1, 1, 4.0, 2.0, 0.5, 3.0, 10**6)


def test_a_trace_of_processes_has_those_of_the_kinds_asked_for() -> None:
    """Cores by their cluster, in the order of the mask; traffic in GB/s; bursts of inferences are left out."""
    outcome = mixed_outcome(
        processes=(
            ProcessRecord("busy", "competitor", "busy", "cpu", 0.003),
            ProcessRecord("app", "inference", "app", "cpu", 0.003),
            ProcessRecord("film", "video", "film", "gpu", 0.001),
        ),
        bursts=(
            BurstRecord("busy", "0", "cpu", 0.001, 0.002, -5, (2, 0, 1), 1.5e9),
            BurstRecord("app", "0", "cpu", 0.001, 0.002, 0, (3,), 0.0),
            BurstRecord("film", "", "gpu", 0.004, 0.001, 0, (), 0.25e9),
        ),
    )
    assert rows(frames.process_trace_frame(outcome, ("competitor", "video"))) == [
        ("busy", "0", 0.001, "cpu", 0.002, -5, "gold:1+silver:2", 1.5, "busy", "competitor"),
        ("film", "", 0.004, "gpu", 0.001, 0, "", 0.25, "film", "video"),
    ]
    assert frames.process_trace_frame(outcome, ("ui",)).columns.tolist() == list(frames.TRACE_COLUMNS)


def test_levels_places_and_reuse_of_inferences() -> None:
    """Reuse goes by application and number; an age is that of a result that was given."""
    outcome = mixed_outcome(
        inferences=(
            InferenceRecord("app", 0, 0.001, 0.002, 0.005, "finished", -1.0, 2, "gpu"),
            InferenceRecord("app", 1, 0.004, 0.006, -1.0, "running", -1.0, 3, "cpu"),
            InferenceRecord("other", 0, 0.004, 0.006, 0.009, "finished"),
        ),
        apps={"app": app_record(top1={2: 71.5}), "other": app_record(app="other")},
        reuse=(
            ReuseRecord("app", 0, 0.25, "layer", 0.4, 0.125, 0.0005),
            ReuseRecord("app", 1, 1.0, "none", 1.0, 0.0, 0.004),
        ),
    )
    found = frames.inferences_frame(outcome).drop(columns=["origin_ms", "arrival_ms", "start_ms"]).iloc[:, 9:]
    assert rows(found) == [
        about((2, 71.5, "gpu", 0.25, "layer", 0.4, 0.125, 4.5)),
        about((3, None, "cpu", 1.0, "none", 1.0, 0.0, None)),
        about((None, None, "", None, "", None, None, None)),
    ]


@pytest.mark.parametrize("table", frames.TABLES)
def test_tables_come_back_from_parquet_as_they_were(table: str) -> None:
    outcome = mixed_outcome(
        frames=(
            FrameRecord("v", 0, 0.0, 0.04, 0.03, "presented"),
            FrameRecord("v", 1, 0.04, 0.08, -1.0, "dropped"),
        ),
        processes=(ProcessRecord("app", "inference", "app", "gpu", 0.005),),
        temperatures=(TemperatureRecord(0.0, "cpu", 40.0),),
    )
    frame = getattr(Result(outcome), table)
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    pd.testing.assert_frame_equal(pd.read_parquet(BytesIO(buffer.getvalue())), frame)


# --- random inferences ------------------------------------------------------------------------------------------

MS = st.integers(0, 400).map(lambda n: n / 1e3)


@st.composite
def inferences(draw: st.DrawFn) -> tuple[InferenceRecord, ...]:
    """Inferences of two applications as a run of 1 s may leave them."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        app, status = draw(st.sampled_from(["app", "other"])), draw(st.sampled_from(STATUSES))
        arrival = draw(MS)
        start = -1.0 if status in ("queued", "dropped") else arrival + draw(MS)
        end = (
            start + draw(MS) if status == "finished" else arrival + draw(MS) if status == "dropped" else -1.0
        )
        origin = draw(st.sampled_from([-1.0, arrival / 2]))
        found.append(InferenceRecord(app, number, arrival, start, end, status, origin))
    return tuple(found)


def two_apps(records: tuple[InferenceRecord, ...]) -> Outcome:
    """An outcome with these inferences, of 1 s."""
    apps = {"app": app_record(), "other": app_record(app="other")}
    return mixed_outcome(inferences=records, duration_s=1.0, apps=apps)


def mean_or_none(values: pd.Series) -> object:
    """A mean, within rounding; None over nothing."""
    return None if values.empty else pytest.approx(values.mean(), abs=1e-9)


def p95_or_none(values: pd.Series) -> object:
    """A 95th percentile likewise."""
    return None if values.empty else pytest.approx(values.quantile(0.95), abs=1e-9)


@FEW
@given(inferences())
def test_service_is_what_the_table_of_inferences_says(records: tuple[InferenceRecord, ...]) -> None:
    outcome = two_apps(records)
    table = frames.inferences_frame(outcome)
    for app in ("app", "other"):
        row, own = service(outcome, app), table[table["app"] == app]
        counts = own["status"].value_counts()
        assert {status: row[status] for status in STATUSES} == {s: counts.get(s, 0) for s in STATUSES}
        assert row["arrived"] == len(own)
        assert row["backlog"] == int(own["status"].isin(["running", "queued"]).sum())
        done = own[own["status"] == "finished"]
        stages = {r.number for r in records if r.origin_s >= 0.0}
        chains = done[done["inference"].isin(stages)]["chain_ms"]
        waits = own["wait_ms"].dropna()
        assert (row["wait_ms_mean"], row["wait_ms_p95"]) == (mean_or_none(waits), p95_or_none(waits))
        assert row["service_ms_mean"] == mean_or_none(done["service_ms"])
        assert row["service_ms_p95"] == p95_or_none(done["service_ms"])
        assert (row["chain_ms_mean"], row["chain_ms_p95"]) == (mean_or_none(chains), p95_or_none(chains))
        assert row["throughput_per_s"] == len(done)
        assert row["drop_share"] == (pytest.approx(counts.get("dropped", 0) / len(own)) if len(own) else None)


@FEW
@given(inferences(), st.integers(1, 500).map(lambda n: n / 1e3 + 1e-5))
def test_deadlines_and_latencies_are_those_of_the_table(
    records: tuple[InferenceRecord, ...], deadline: float
) -> None:
    """An inference that has not ended is due when its deadline lies in the run."""
    outcome = two_apps(records)
    table = frames.inferences_frame(outcome)
    row, own = metrics(outcome, "app", deadline_s=deadline), table[table["app"] == "app"]
    late = own["latency_ms"] > 1e3 * deadline
    ended = own["status"].isin(["finished", "dropped"])
    overdue = ~ended & (own["arrival_ms"] + 1e3 * deadline <= 1e3)
    missed = int((late | (own["status"] == "dropped") | overdue).sum())
    due = int((ended | overdue).sum())
    assert row["deadline_miss_share"] == (pytest.approx(missed / due) if due else None)
    done = own["latency_ms"].dropna()
    assert row["latency_ms_mean"] == mean_or_none(done)
    assert row["latency_ms_p50"] == (pytest.approx(done.median(), abs=1e-9) if len(done) else None)
    assert row["latency_ms_p95"] == p95_or_none(done)
    everyone = int((table["status"] == "finished").sum())
    assert row["energy_mj"] == (pytest.approx(33.0 / everyone) if everyone else None)
    assert row["app_energy_mj"] == (pytest.approx(10.0 / len(done)) if len(done) else None)


def test_a_deadline_at_the_very_end_of_the_run_has_passed() -> None:
    waiting = (InferenceRecord("app", 0, 0.5, -1.0, -1.0, "queued"),)
    outcome = mixed_outcome(inferences=waiting, duration_s=1.0)
    assert metrics(outcome, deadline_s=0.5)["deadline_miss_share"] == 1.0
    assert metrics(outcome, deadline_s=0.5625)["deadline_miss_share"] is None


def test_a_mean_is_no_median() -> None:
    row = metrics(mixed_outcome(inferences=many_inferences([10.0, 10.0, 70.0])))
    assert (row["latency_ms_mean"], row["latency_ms_p50"]) == (pytest.approx(30.0), pytest.approx(10.0))


def test_accuracy_is_that_of_the_levels_that_finished() -> None:
    """Two at 60 %, one at 72 %; the running one and another application's do not count."""
    records = tuple(
        InferenceRecord(app, number, 0.0, 0.0, end, status, -1.0, level)
        for number, (app, status, end, level) in enumerate(
            [("app", "finished", 0.1, 1), ("app", "finished", 0.2, 1), ("app", "finished", 0.3, 2),
             ("app", "running", -1.0, 3), ("other", "finished", 0.1, 3)]
        )
    )  # fmt: skip
    top1 = {1: 60.0, 2: 72.0, 3: 99.0}
    apps = {"app": app_record(top1=top1), "other": app_record(app="other", top1=top1)}
    outcome = mixed_outcome(inferences=records, apps=apps)
    assert metrics(outcome)["top1_mean"] == pytest.approx(64.0)
    assert metrics(outcome, "other")["top1_mean"] == pytest.approx(99.0)
    nobody = mixed_outcome(apps={"app": app_record(top1=top1)}, inferences=())
    assert metrics(nobody)["top1_mean"] is None


def test_unknown_costs_of_transforms_are_null() -> None:
    assert metrics(mixed_outcome(apps={"app": app_record(top1_drop=float("nan"))}))["top1_drop"] is None
    assert metrics(mixed_outcome(apps={"app": app_record(top1_drop=1.5)}))["top1_drop"] == 1.5


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("resnet50", "none"),
        ("net+prune(0.5)", "prune(0.5)"),
        ("n+prune(0.5)+quantise", "prune(0.5)+quantise"),
    ],
)
def test_transforms_are_told_apart_from_the_network(model: str, told: str) -> None:
    assert transforms_of(model) == told


# --- what rows have in common -----------------------------------------------------------------------------------


def test_keys_of_rows_stay() -> None:
    """Scripts read them; a change of a name or of the order is a change for users, to be told in the changelog."""
    assert list(METRICS) == [
        "device", "model", "library", "scheduler", "dtype", "latency_ms_mean", "latency_ms_p50", "latency_ms_p95",
        "energy_mj", "app_energy_mj", "power_w", "rails_mj", "unsupported_share", "fallback_ops", "transfer_mb",
        "sync_ms", "utilization", "frame_drop_share", "deadline_miss_share", "peak_memory_mb", "prediction_mape",
        "top1_drop", "top1_mean", "latency_ms_low", "latency_ms_high",
    ]  # fmt: skip
    assert list(SHOWN) == [
        "frames", "presented", "late", "dropped", "pending", "frame_drop_share", "missed_share", "latency_ms_mean",
        "latency_ms_p50", "latency_ms_p95", "jank_count", "longest_freeze_ms", "fps_shown", "app_energy_mj",
    ]  # fmt: skip


# --- reuse ------------------------------------------------------------------------------------------------------


def test_reuse_by_hand() -> None:
    """Of four frames one was computed, one given again, one patched, one "patched" with nothing to do; one runs."""
    outcome = mixed_outcome(
        inferences=(
            InferenceRecord("app", 0, 0.000, 0.000, 0.010, "finished"),
            InferenceRecord("app", 1, 0.100, 0.100, 0.101, "finished"),
            InferenceRecord("app", 2, 0.200, 0.200, 0.206, "finished"),
            InferenceRecord("app", 3, 0.300, 0.300, 0.301, "finished"),
            InferenceRecord("app", 4, 0.400, 0.400, -1.0, "running"),
            InferenceRecord("other", 4, 0.000, 0.000, 0.900, "finished"),
        ),
        reuse=(
            ReuseRecord("app", 0, 1.0, "none", 1.0, 0.0, 0.0),
            ReuseRecord("app", 1, 0.1, "frame", 0.0, 0.1, 0.0),
            ReuseRecord("app", 2, 0.4, "layer", 0.5, 0.02, 0.2),
            ReuseRecord("app", 3, 0.1, "layer", 0.0, 0.0, 0.3),
            ReuseRecord("app", 4, 0.9, "none", 1.0, 0.9, 0.4),
            ReuseRecord("other", 4, 0.5, "layer", 0.25, 0.5, 0.0),
        ),
    )  # fmt: skip
    assert reuse(outcome) == {
        "changed_share_mean": pytest.approx(0.4),
        "frame_reuse_share": 0.5,
        "layer_reuse_share": 0.25,
        "computed_share_mean": pytest.approx(0.375),
        "stale_share_mean": pytest.approx(0.03),
        "age_ms_mean": pytest.approx((10 + 101 + 6 + 1) / 4),
        "age_ms_p95": pytest.approx(10 + 0.85 * 91),
    }
    assert list(reuse(outcome)) == list(REUSE)
    assert reuse(outcome, "other")["age_ms_mean"] == pytest.approx(900.0)
    with pytest.raises(Exception, match=r"unknown application 'none'"):
        reuse(outcome, "none")


def test_reuse_of_what_did_not_finish_is_null() -> None:
    outcome = mixed_outcome(
        inferences=(InferenceRecord("app", 0, 0.0, 0.0, -1.0, "running"),),
        reuse=(ReuseRecord("app", 0, 1.0, "none", 1.0, 0.0, 0.0),),
    )
    assert reuse(outcome) == dict.fromkeys(REUSE)


# --- energy and predictions -------------------------------------------------------------------------------------

JOULES = st.floats(0.0, 10.0)


@FEW
@given(st.lists(st.tuples(JOULES, JOULES), min_size=2, max_size=2), st.dictionaries(
    st.sampled_from([("a", "inference"), ("b", "competitor"), ("c", "video")]),
    st.dictionaries(st.sampled_from(["gpu", "board"]), st.tuples(JOULES, st.floats(0.0, 5.0)), min_size=1),
    max_size=3,
))  # fmt: skip
def test_shared_energy_is_all_energy_and_follows_busy_time(idle, apps) -> None:
    """Each application pays a part of the idle row in proportion to its busy time; nothing is lost."""
    used = [EnergyRecord(a, k, c, j, s) for (a, k), own in apps.items() for c, (j, s) in own.items()]
    used += [
        EnergyRecord("idle", "idle", c, sum(pair), 0.0)
        for c, pair in zip(("gpu", "board"), idle, strict=True)
    ]
    outcome = mixed_outcome(used=tuple(used))
    table = frames.app_energy_frame(outcome)
    assert table["energy_mj"].sum() == pytest.approx(1e3 * sum(r.energy_j for r in used))
    assert table["shared_mj"].sum() == pytest.approx(table["energy_mj"].sum())
    busy = table[table["kind"] != "idle"].groupby("app")["busy_ms"].sum()
    rest = table[table["kind"] == "idle"]["energy_mj"].sum()
    own = table[table["kind"] != "idle"].groupby("app")[["energy_mj", "shared_mj"]].sum()
    if busy.sum() > 0:
        expected = own["energy_mj"] + rest * busy / busy.sum()
        assert own["shared_mj"].to_numpy() == pytest.approx(expected.to_numpy())
        assert table[table["kind"] == "idle"]["shared_mj"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    else:
        assert own["shared_mj"].tolist() == pytest.approx(own["energy_mj"].tolist())
    by_app = energy_by_app(outcome)
    assert list(by_app)[-1] == "idle"
    assert {a: 1e3 * j for a, j in by_app.items() if a != "idle"} == pytest.approx(own["energy_mj"].to_dict())


@FEW
@given(
    st.lists(st.tuples(st.sampled_from(["app", "other"]), st.integers(1, 9), st.floats(0.0, 9.0)), max_size=6)
)
def test_prediction_error_is_the_mean_over_all_kernels(drawn: list[tuple[str, int, float]]) -> None:
    records = tuple(
        PredictionRecord(app, "flops", "cpu", f"class{i}", n, error, -error, n // 2)
        for i, (app, n, error) in enumerate(drawn)
    )
    outcome = mixed_outcome(predictions=records)
    table = frames.prediction_error_frame(outcome)
    own = table[table["app"] == "app"]
    expected = float(np.average(own["mape"], weights=own["n"])) if len(own) else None
    assert metrics(outcome)["prediction_mape"] == (None if expected is None else pytest.approx(expected))
    assert table["bias"].tolist() == pytest.approx((-table["mape"]).tolist())
    assert table["within_10"].tolist() == pytest.approx([n // 2 / n for _, n, _ in drawn])


# --- random frames ----------------------------------------------------------------------------------------------


@FEW
@given(st.lists(st.one_of(st.just(-2.0), st.just(-1.0), st.floats(0.001, 0.15)), min_size=1, max_size=15))
def test_frames_shown_are_what_a_viewer_of_the_display_counts(lengths: list[float]) -> None:
    """A frame each 40 ms. At each vsync one looks whether anything was composed since the one before."""
    period, end = 0.04, 0.04 * len(lengths)
    records = []
    for number, length in enumerate(lengths):
        begin, due = number * period, (number + 1) * period
        at = begin + length if length > 0.0 else -1.0
        at = at if at <= end else -1.0
        status = "dropped" if length == -2.0 else "late" if at < 0.0 or at > due else "presented"
        records.append(FrameRecord("film", number, begin, due, at, status))
    row = shown(mixed_outcome(frames=tuple(records), duration_s=end))
    composed = [r.composed_s for r in records if r.composed_s >= 0.0]
    new = [any(k * period < at <= (k + 1) * period for at in composed) for k in range(len(lengths))]
    still = "".join(" " if one else "x" for one in new).split()
    assert row["fps_shown"] == pytest.approx(sum(new) / end)
    assert row["jank_count"] == len(still)
    assert row["longest_freeze_ms"] == pytest.approx(40.0 * max(map(len, still), default=0))
    assert row["missed_share"] == pytest.approx(fmean(r.status != "presented" for r in records))
    assert row["frame_drop_share"] == pytest.approx(lengths.count(-2.0) / len(lengths))
    energy = mixed_outcome(frames=tuple(records), used=(EnergyRecord("film", "video", "gpu", 0.3, 0.1),))
    expected = pytest.approx(300.0 / len(composed)) if composed else None
    assert shown(energy)["app_energy_mj"] == expected


# --- overload ---------------------------------------------------------------------------------------------------


def queueing(ends: list[float], waiting: int) -> Outcome:
    """An inference arrives each 100 ms from 10 ms on; `waiting` more at the end of the run of 1 s."""
    records = [
        InferenceRecord("app", i, i * 0.1 + 0.01, i * 0.1 + 0.01, end, "finished")
        for i, end in enumerate(ends)
    ]
    records += [InferenceRecord("app", 90 + i, 0.99, -1.0, -1.0, "queued") for i in range(waiting)]
    return mixed_outcome(inferences=tuple(records), duration_s=1.0)


def test_a_burst_at_the_end_is_no_overload_unless_the_queue_grew_all_along() -> None:
    """Backlogs at the quarters 0, 0, 0 and 3 grow; 2, 0, 0 and 3 do not."""
    steady = [i * 0.1 + 0.03 for i in range(9)]
    assert service(queueing(steady, 3))["overloaded"] is True
    shrunk = service(queueing([0.26, 0.27, *steady[2:]], 3))
    assert shrunk["overloaded"] is False
    assert shrunk["backlog_growth_per_s"] == pytest.approx(6.0)
    assert service(queueing(steady, 1))["overloaded"] is False


def test_work_under_way_alone_is_no_overload() -> None:
    """Three that began late run at the end, and nobody waits."""
    running = tuple(InferenceRecord("app", i, 0.9, 0.9, -1.0, "running") for i in range(3))
    assert service(mixed_outcome(inferences=running, duration_s=1.0))["overloaded"] is False


def test_kernels_keep_whose_they_are() -> None:
    one = kernel("a", 0, 1, app="x", inference=7, kernel_class="fc", source="gpu", kind="transform")
    (row,) = rows(frames.kernels_frame(mixed_outcome(kernels=(one,))))
    assert row == about(("x", 7, "a", "transform", "fc", "gpu", "gpu", "", 0.0, 1.0, 1.0, 1e6, 1.0))
