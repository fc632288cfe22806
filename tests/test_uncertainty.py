"""How far off latencies may be, and when two cannot be told apart."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import pytest

import socsim
from socsim.calibration.features import with_calibration
from socsim.devices.device import CalibrationError, Device
from socsim.devices.profile import load_device
from socsim.results.uncertainty import difference_error, latency_interval
from socsim.simulation.basis import added
from socsim.simulation.records import Basis

SURE = Basis(1.0, 0.9, 1.1)
UNKNOWN = Basis(1.0, None, None)


def test_one_set_errs_as_it_does() -> None:
    assert latency_interval({"cpu": SURE}) == (pytest.approx(0.9), pytest.approx(1.1))


def test_two_sets_err_independently() -> None:
    """Half of the time each: less than either, sqrt(1/2) of it."""
    low, high = latency_interval({"cpu": SURE, "gpu": SURE})
    assert low == pytest.approx(exp(log(0.9) * sqrt(0.5)))
    assert high == pytest.approx(exp(log(1.1) * sqrt(0.5)))


def test_what_nobody_compared_is_not_known() -> None:
    assert latency_interval({"cpu": UNKNOWN}) is None
    assert latency_interval({}) is None
    assert latency_interval({"cpu": SURE, "gpu": UNKNOWN._replace(seconds=0.04)}) is not None
    assert latency_interval({"cpu": SURE, "gpu": UNKNOWN._replace(seconds=0.2)}) is None
    assert difference_error({"cpu": SURE}, {"gpu": UNKNOWN}) is None


def test_common_error_cancels() -> None:
    """The same shares on the same sets, however long: no error of the ratio."""
    one = {"cpu": SURE, "gpu": SURE}
    assert difference_error(one, one) == 1.0
    assert difference_error(one, {key: basis._replace(seconds=5.0) for key, basis in one.items()}) == 1.0


def test_different_processors_do_not_cancel() -> None:
    half = log(1.1 / 0.9) / 2.0
    assert difference_error({"cpu": SURE}, {"gpu": SURE}) == pytest.approx(exp(half * sqrt(2.0)))
    partly = difference_error({"cpu": SURE}, {"cpu": SURE, "gpu": SURE})
    assert partly == pytest.approx(exp(half * sqrt(0.5)))


def test_plans_are_added_by_their_weight() -> None:
    found = added([(0.25, {"cpu": SURE}), (0.75, {"cpu": SURE, "gpu": UNKNOWN})])
    assert found == {"cpu": SURE, "gpu": UNKNOWN._replace(seconds=0.75)}


def phone(low: float, high: float) -> Device:
    """A Xiaomi 9 with one error for every parameter set."""
    device = load_device("xiaomi-9")
    sets = (replace(c, error=CalibrationError(low, high)) for c in device.calibrations.values())
    return with_calibration(device, *sets)


@pytest.mark.parametrize("scheduler", ["cpu", "gpu", "aware"])
def test_a_run_tells_its_interval(scheduler) -> None:
    (row,) = socsim.compare(phone(0.8, 1.3), "squeezenet_1.1", [scheduler], inferences=2).rows
    assert row["latency_ms_low"] >= 0.8 * row["latency_ms_mean"] * (1 - 1e-9)
    assert row["latency_ms_high"] <= 1.3 * row["latency_ms_mean"] * (1 + 1e-9)
    assert row["latency_ms_low"] < row["latency_ms_mean"] < row["latency_ms_high"]


def test_shares_of_a_run_add_up_to_its_kernels() -> None:
    comparison = socsim.compare(phone(0.8, 1.3), "squeezenet_1.1", ["cpu"], library="tflite", inferences=1)
    (app,) = comparison.results[0].outcome.apps.values()
    (basis,) = app.bases.values()
    assert list(app.bases) == ["cpu/fp32"]
    assert 1e3 * basis.seconds == pytest.approx(comparison.rows[0]["latency_ms_mean"], rel=1e-6)


def test_without_errors_there_is_no_interval() -> None:
    device = load_device("xiaomi-9")
    bare = with_calibration(device, *(replace(c, error=None) for c in device.calibrations.values()))
    (row,) = socsim.compare(bare, "squeezenet_1.1", ["cpu"], inferences=1).rows
    assert row["latency_ms_low"] is None and row["latency_ms_high"] is None


def test_comparisons_say_what_they_cannot_tell() -> None:
    """CPU and GPU are 1.3 times apart: more than an error of 1 %, less than one of 50 %."""
    sentence = "less than the model's own error"
    assert sentence not in str(socsim.compare(phone(0.99, 1.01), "resnet50", ["cpu", "gpu"], inferences=1))
    text = " ".join(str(socsim.compare(phone(0.5, 1.5), "resnet50", ["cpu", "gpu"], inferences=1)).split())
    assert "gpu is 30% faster than cpu, " + sentence in text
