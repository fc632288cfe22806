"""Tables of a run."""

from __future__ import annotations

import numpy as np
import pytest
from results_samples import app_record, kernel, many_inferences, mixed_outcome

from socsim.results import frames
from socsim.results.result import Result
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.processlog import ProcessRecord
from socsim.simulation.records import Basis, ClockRecord, TemperatureRecord

TABLES = frames.TABLES


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_the_documented_ones(table):
    record = FrameRecord("video", 0, 0.0, 0.04, 0.03, "presented")
    used = ProcessRecord("app", "inference", "app", "gpu", 0.005)
    clock, read = ClockRecord(0.0, "gpu", 1e9), TemperatureRecord(0.0, "cpu", 40.0)
    apps = {"app": app_record(bases={"gpu/fp16/image": Basis(0.01, 0.8, 1.3, {"conv": 0.01}, "B")})}
    more = {"frames": (record,), "processes": (used,), "clocks": (clock,), "temperatures": (read,)}
    frame = getattr(Result(mixed_outcome(apps=apps, **more)), table)
    assert list(frame.columns) == list(frames.COLUMNS[table])
    assert len(frame)


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_keeps_its_columns(table):
    outcome = mixed_outcome(
        clocks=(), inferences=(), kernels=(), apps={}, energy_j={}, rails_j={}, power={}, predictions=(), used=(),
        idle=(),
    )  # fmt: skip
    frame = getattr(Result(outcome), table)
    assert list(frame.columns) == list(frames.COLUMNS[table])
    assert frame.empty


def test_prediction_errors_are_means_over_kernels():
    rows = frames.prediction_error_frame(mixed_outcome()).to_dict("records")
    common = {"app": "app", "predictor": "flops"}
    softmax = {"processor": "cpu", "kernel_class": "softmax", "n": 1}
    winograd = {"processor": "gpu", "kernel_class": "winograd", "n": 3}
    assert rows == [
        {**common, **softmax, "mape": 0.05, "bias": -0.05, "within_10": 1.0},
        {**common, **winograd, "mape": 0.25, "bias": pytest.approx(0.05), "within_10": 0.0},
    ]


def test_inferences():
    records = (InferenceRecord("app", 4, 0.001, 0.003, 0.008, "finished"),)
    row = frames.inferences_frame(mixed_outcome(inferences=records)).iloc[0]
    assert row.to_dict() == {
        "app": "app",
        "inference": 4,
        "origin_ms": pytest.approx(1.0),
        "arrival_ms": pytest.approx(1.0),
        "start_ms": pytest.approx(3.0),
        "finish_ms": pytest.approx(8.0),
        "drop_ms": pytest.approx(np.nan, nan_ok=True),
        "wait_ms": pytest.approx(2.0),
        "service_ms": pytest.approx(5.0),
        "latency_ms": pytest.approx(7.0),
        "chain_ms": pytest.approx(7.0),
        "status": "finished",
        "level": pytest.approx(np.nan, nan_ok=True),
        "top1": pytest.approx(np.nan, nan_ok=True),
        "place": "",
        "changed_share": pytest.approx(np.nan, nan_ok=True),
        "reused": "",
        "computed_share": pytest.approx(np.nan, nan_ok=True),
        "stale_share": pytest.approx(np.nan, nan_ok=True),
        "age_ms": pytest.approx(np.nan, nan_ok=True),
    }


@pytest.mark.parametrize(
    ("status", "start", "known"),
    [("running", 0.002, {"start_ms", "wait_ms"}), ("queued", -1.0, set()), ("dropped", -1.0, set())],
)
def test_what_did_not_happen_has_no_time(status, start, known):
    records = (InferenceRecord("app", 0, 0.001, start, -1.0, status),)
    row = frames.inferences_frame(mixed_outcome(inferences=records)).iloc[0]
    times = ("start_ms", "finish_ms", "wait_ms", "latency_ms")
    assert {name for name in times if not np.isnan(row[name])} == known


def test_a_dropped_inference_has_the_time_of_its_drop():
    records = (InferenceRecord("app", 0, 0.001, -1.0, 0.004, "dropped"),)
    row = frames.inferences_frame(mixed_outcome(inferences=records)).iloc[0]
    assert (row["drop_ms"], row["status"]) == (pytest.approx(4.0), "dropped")
    assert np.isnan(row["finish_ms"]) and np.isnan(row["latency_ms"])


def test_a_stage_counts_from_the_first_one_s_arrival():
    records = (InferenceRecord("app", 0, 0.004, 0.004, 0.006, "finished", 0.001),)
    row = frames.inferences_frame(mixed_outcome(inferences=records)).iloc[0]
    assert (row["origin_ms"], row["chain_ms"]) == (pytest.approx(1.0), pytest.approx(5.0))


def test_kernels():
    frame = frames.kernels_frame(mixed_outcome())
    assert frame["operator"].tolist() == ["conv1", "conv2", "softmax", "softmax", "softmax"]
    assert frame["duration_ms"].tolist() == pytest.approx([2.0, 3.0, 0.5, 0.5, 2.0])
    assert frame["cores"].tolist() == ["", "", "", "", "2+3"]
    assert frame.iloc[2][["kind", "source", "processor"]].tolist() == ["map", "gpu", "cpu"]


def test_kernels_keep_shares_and_bytes():
    frame = frames.kernels_frame(mixed_outcome(kernels=(kernel("a", 0, 1, share=0.4, dram_bytes=123.0),)))
    assert frame.iloc[0][["share", "dram_bytes"]].tolist() == [0.4, 123.0]


def test_power_spans_cover_the_run_without_gaps():
    for _, own in frames.power_frame(mixed_outcome()).groupby("component"):
        assert own["start_ms"].iloc[0] == 0.0
        assert own["end_ms"].iloc[-1] == pytest.approx(10.0)
        assert own["start_ms"].tolist()[1:] == own["end_ms"].tolist()[:-1]


def test_power_adds_up_to_energy():
    outcome = mixed_outcome()
    power = frames.power_frame(outcome)
    spent = (power["power_w"] * (power["end_ms"] - power["start_ms"])).groupby(power["component"]).sum()
    assert spent.to_dict() == pytest.approx({name: j * 1e3 for name, j in outcome.energy_j.items()})


def test_energy_by_component_equals_energy_by_rail():
    by_meter = frames.energy_frame(mixed_outcome()).groupby("meter")[["energy_mj", "power_w"]].sum()
    assert by_meter.loc["component"].tolist() == pytest.approx([33.0, 3.3])
    assert by_meter.loc["rail"].tolist() == pytest.approx([33.0, 3.3])


def test_apps():
    row = frames.apps_frame(mixed_outcome(apps={"app": app_record(dtype="int8")})).iloc[0]
    assert row[["scheduler", "dtype", "fallback_ops", "transfer_mb", "sync_ms"]].tolist() == [
        "gpu",
        "int8",
        1,
        2.0,
        0.5,
    ]


def test_tables_are_built_once():
    result = Result(mixed_outcome())
    assert all(getattr(result, table) is getattr(result, table) for table in TABLES)


def test_summary_has_one_row_per_application():
    apps = {"app": app_record(), "other": app_record(app="other", model="big")}
    records = (*many_inferences([10]), *many_inferences([50], app="other"))
    summary = Result(mixed_outcome(apps=apps, inferences=records), deadlines_s={"other": 0.02}).summary()
    assert summary["app"].tolist() == ["app", "other"]
    assert summary["latency_ms_mean"].tolist() == pytest.approx([10, 50])
    assert summary["deadline_miss_share"].tolist()[1] == 1.0
    assert {"utilization_cpu", "utilization_gpu"} <= set(summary.columns)


def test_summary_of_one_application_is_one_row():
    assert len(Result(mixed_outcome()).summary()) == 1


def test_repr_says_what_it_is():
    assert repr(Result(mixed_outcome())) == "Result('toy', 1 inference in 10.0 ms)"


def test_fallbacks_are_those_of_all_applications():
    apps = {"app": app_record(), "other": app_record(app="other", fallbacks={"pad": "too wide"})}
    assert Result(mixed_outcome(apps=apps)).fallbacks == {"softmax": "no kernel", "pad": "too wide"}


def test_rates_tell_their_grade_share_and_error():
    bases = {
        "cpu/fp32": Basis(0.03, 0.8, 1.3, {"fc": 0.03}, "B"),
        "gpu/fp16/image": Basis(0.01, None, None, {"conv": 0.01}, "D"),
    }
    rows = frames.rates_frame(mixed_outcome(apps={"app": app_record(bases=bases)})).to_dict("records")
    assert rows[0] == {
        "app": "app",
        "rates": "cpu/fp32",
        "grade": "B",
        "share": 0.75,
        "low": 0.8,
        "high": 1.3,
    }
    assert (rows[1]["grade"], rows[1]["share"]) == ("D", 0.25) and np.isnan(rows[1]["low"])


def test_fallbacks_tell_why():
    rows = frames.fallback_ops_frame(mixed_outcome()).to_dict("records")
    assert rows == [{"app": "app", "operator": "softmax", "reason": "no kernel"}]
