"""The row of numbers of a run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_samples import app_record, many_inferences, mixed_outcome, strict_json

from socsim.errors import UnknownNameError, UsageError
from socsim.results.metrics import METRICS, device_row, latencies_ms, metrics
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.records import PredictionRecord


def test_all_values_of_a_small_run():
    assert metrics(mixed_outcome()) == {
        "device": "toy",
        "model": "tiny",
        "library": "mace",
        "scheduler": "gpu",
        "dtype": "fp32",
        "latency_ms_mean": pytest.approx(8.0),
        "latency_ms_p50": pytest.approx(8.0),
        "latency_ms_p95": pytest.approx(8.0),
        "energy_mj": pytest.approx(33.0),
        "app_energy_mj": pytest.approx(10.0),
        "power_w": pytest.approx(3.3),
        "rails_mj": {"soc": pytest.approx(23.0), "board": pytest.approx(10.0)},
        "unsupported_share": 0.25,
        "fallback_ops": 1,
        "transfer_mb": 2.0,
        "sync_ms": 0.5,
        "utilization": {"cpu": pytest.approx(0.1), "gpu": pytest.approx(0.5)},
        "frame_drop_share": None,
        "deadline_miss_share": None,
        "peak_memory_mb": 3.0,
        "prediction_mape": pytest.approx(0.2),
        "top1_drop": 0.0,
        "top1_mean": None,
        "latency_ms_low": None,
        "latency_ms_high": None,
    }


def test_keys_are_the_documented_ones_in_their_order():
    assert list(metrics(mixed_outcome())) == list(METRICS)


def test_a_row_is_plain_json():
    row = metrics(mixed_outcome(), deadline_s=0.005)
    assert strict_json(row) == row


def test_latency_counts_from_arrival_so_that_queueing_is_in_it():
    waited = (InferenceRecord("app", 0, 0.001, 0.003, 0.008, "finished"),)
    assert metrics(mixed_outcome(inferences=waited))["latency_ms_mean"] == pytest.approx(7.0)


def test_percentiles_are_interpolated():
    row = metrics(mixed_outcome(inferences=many_inferences([10, 20, 30, 40]), duration_s=1.0))
    assert row["latency_ms_mean"] == pytest.approx(25.0)
    assert row["latency_ms_p50"] == pytest.approx(25.0)
    assert row["latency_ms_p95"] == pytest.approx(38.5)


@given(st.lists(st.floats(0.1, 90.0), min_size=1, max_size=30))
def test_percentiles_lie_between_the_extremes(values):
    row = metrics(mixed_outcome(inferences=many_inferences(values), duration_s=10.0))
    tolerance = 1e-6
    assert min(values) - tolerance <= row["latency_ms_p50"] <= row["latency_ms_p95"] + tolerance
    assert row["latency_ms_p95"] <= max(values) + tolerance


def test_only_finished_inferences_have_a_latency():
    records = (
        *many_inferences([10, 30]),
        InferenceRecord("app", 2, 0.2, 0.2, -1, "running"),
        InferenceRecord("app", 3, 0.3, -1, -1, "queued"),
        InferenceRecord("app", 4, 0.4, -1, -1, "dropped"),
    )
    outcome = mixed_outcome(inferences=records, duration_s=1.0)
    assert latencies_ms(outcome, "app") == pytest.approx([10, 30])
    assert metrics(outcome)["latency_ms_mean"] == pytest.approx(20)


def test_energy_is_the_whole_devices_per_finished_inference_of_any_application():
    records = (*many_inferences([1, 1]), *many_inferences([1], app="other"))
    row = metrics(mixed_outcome(inferences=records))
    assert row["energy_mj"] == pytest.approx(33.0 / 3)


def test_values_that_do_not_exist_are_none():
    running = (InferenceRecord("app", 0, 0, 0, -1, "running"),)
    row = metrics(mixed_outcome(inferences=running, predictions=()))
    missing = {key for key, value in row.items() if value is None}
    latencies = {"latency_ms_mean", "latency_ms_p50", "latency_ms_p95"}
    latencies |= {"latency_ms_low", "latency_ms_high"}
    others = {
        "energy_mj",
        "app_energy_mj",
        "frame_drop_share",
        "deadline_miss_share",
        "prediction_mape",
        "top1_mean",
    }
    assert missing == latencies | others


def test_prediction_errors_are_of_the_application_asked_for():
    other = PredictionRecord("other", "exact", "cpu", "fc", 5, 50.0, 50.0, 0)
    outcome = mixed_outcome()
    row = metrics(mixed_outcome(predictions=(*outcome.predictions, other)))
    assert row["prediction_mape"] == pytest.approx((0.05 + 0.75) / 4)


def test_a_run_without_time_has_no_power():
    row = metrics(mixed_outcome(duration_s=0.0))
    assert row["power_w"] is None
    assert row["utilization"] == {"cpu": 0.0, "gpu": 0.0}


def test_a_network_without_operators_has_nothing_unsupported():
    assert (
        metrics(mixed_outcome(apps={"app": app_record(operators=0, unsupported=0)}))["unsupported_share"]
        == 0.0
    )


# --- deadlines ------------------------------------------------------------------------------------


def test_late_and_dropped_inferences_miss_their_deadline():
    records = (*many_inferences([10, 40, 33]), InferenceRecord("app", 3, 0.3, -1, -1, "dropped"))
    row = metrics(mixed_outcome(inferences=records, duration_s=1.0), deadline_s=0.033)
    assert row["deadline_miss_share"] == pytest.approx(0.5)


def test_finishing_at_the_deadline_is_in_time():
    row = metrics(
        mixed_outcome(inferences=many_inferences([33.0] * 7, period_ms=0.1), duration_s=1.0), deadline_s=0.033
    )
    assert row["deadline_miss_share"] == 0.0


@pytest.mark.parametrize(("arrival", "share"), [(0.96, 1.0), (0.98, 0.0)])
def test_an_unfinished_inference_counts_once_its_deadline_has_passed(arrival, share):
    records = (
        InferenceRecord("app", 0, arrival, arrival, -1, "running"),
        *many_inferences([10], period_ms=1),
    )
    row = metrics(mixed_outcome(inferences=records, duration_s=1.0), deadline_s=0.033)
    assert row["deadline_miss_share"] == pytest.approx(share / (1 + share))


def test_no_inference_due_gives_no_share():
    records = (InferenceRecord("app", 0, 0.99, 0.99, -1, "running"),)
    assert (
        metrics(mixed_outcome(inferences=records, duration_s=1.0), deadline_s=0.5)["deadline_miss_share"]
        is None
    )


# --- applications ---------------------------------------------------------------------------------


def test_applications_are_told_apart_by_name():
    apps = {"app": app_record(), "other": app_record(app="other", model="big")}
    records = (*many_inferences([10]), *many_inferences([50], app="other"))
    outcome = mixed_outcome(apps=apps, inferences=records)
    assert metrics(outcome)["model"] == "tiny"
    assert metrics(outcome, "other")["model"] == "big"
    assert metrics(outcome, "other")["latency_ms_mean"] == pytest.approx(50)


def test_unknown_application_is_refused_with_a_guess():
    with pytest.raises(UnknownNameError, match=r"unknown application 'ap'; did you mean 'app'\?"):
        metrics(mixed_outcome(), "ap")


def test_a_run_without_applications_has_no_row():
    with pytest.raises(UsageError, match="no application that infers"):
        metrics(mixed_outcome(apps={}))


def test_rows_need_no_pandas():
    code = "import sys, socsim.results.metrics, socsim.results.result; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rails_and_meters_share_the_energy_per_inference():
    outcome = mixed_outcome(
        rails_j={"soc": 0.024, "board": 0.01}, meters_j={"in": 0.034}, inferences=many_inferences([8, 8])
    )
    assert metrics(outcome)["rails_mj"] == pytest.approx({"soc": 12.0, "board": 5.0, "in": 17.0})
    nothing = mixed_outcome(inferences=())
    assert metrics(nothing)["rails_mj"] == {"soc": None, "board": None}
    assert device_row(nothing)["rails_mj"] == {"soc": None, "board": None}
