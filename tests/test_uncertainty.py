"""How far off latencies may be, and when two cannot be told apart."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.calibration.features import with_calibration
from socsim.devices.device import CalibrationError, Device
from socsim.devices.profile import load_device
from socsim.results.uncertainty import ALIKE, Timed, difference_error, latency_interval, needs_less
from socsim.simulation.basis import added
from socsim.simulation.records import Basis


def basis(low: float | None, high: float | None, **operators: float) -> Basis:
    return Basis(sum(operators.values()), low, high, operators)


SURE = basis(0.9, 1.1, conv=1.0)
UNKNOWN = basis(None, None, conv=1.0)
HALF = log(1.1 / 0.9) / 2.0
MIDDLE = log(1.1 * 0.9) / 2.0


def alone(*operators: str, half: float = HALF) -> dict[str, Basis]:
    """A second for each of some operators on one set whose interval is as wide either way."""
    return {"cpu": basis(exp(-half), exp(half), **dict.fromkeys(operators, 1.0))}


# --- one latency ----------------------------------------------------------------------------------------------


def test_one_set_errs_as_it_does() -> None:
    assert latency_interval({"cpu": SURE}) == (pytest.approx(0.9), pytest.approx(1.1))


def test_a_set_may_be_biased() -> None:
    """All that was measured took longer than predicted."""
    assert latency_interval({"cpu": basis(1.1, 1.4, conv=3.0)}) == (pytest.approx(1.1), pytest.approx(1.4))


def test_two_sets_err_independently() -> None:
    """Half of the time each: biases add up, the rest is sqrt(1/2) of either's."""
    low, high = latency_interval({"cpu": SURE, "gpu": SURE}) or (0.0, 0.0)
    assert low == pytest.approx(exp(MIDDLE - HALF * sqrt(0.5)))
    assert high == pytest.approx(exp(MIDDLE + HALF * sqrt(0.5)))


def test_what_nobody_compared_is_not_known() -> None:
    assert latency_interval({"cpu": UNKNOWN}) is None
    assert latency_interval({}) is None
    assert latency_interval({"cpu": SURE, "gpu": UNKNOWN._replace(seconds=0.04)}) is not None
    assert latency_interval({"cpu": SURE, "gpu": UNKNOWN._replace(seconds=0.2)}) is None
    assert difference_error({"cpu": SURE}, {"gpu": UNKNOWN}) is None
    assert difference_error({"gpu": UNKNOWN}, {"cpu": SURE}) is None


# --- the ratio of two -----------------------------------------------------------------------------------------


def test_kernels_that_both_run_alike_cancel() -> None:
    one = {"cpu": SURE, "gpu": SURE}
    assert difference_error(one, one) == 1.0


def test_different_processors_do_not_cancel() -> None:
    found = difference_error(alone("conv"), {"gpu": alone("conv")["cpu"]})
    assert found == pytest.approx(exp(HALF * sqrt(2.0)))
    biased = difference_error({"cpu": basis(1.1, 1.1, conv=1.0)}, {"gpu": basis(0.9, 0.9, conv=1.0)})
    assert biased == pytest.approx(1.1 / 0.9)


def test_other_kernels_of_a_set_cancel_by_half() -> None:
    """Of operators that the other does not run, and of the same ones on other threads."""
    expected = pytest.approx(exp(HALF * sqrt(2.0 * (1.0 - ALIKE))))
    assert difference_error(alone("conv"), alone("pool")) == expected
    threads = {"cpu": alone("conv")["cpu"]._replace(seconds=0.3, operators={"conv": 0.3})}
    assert difference_error(alone("conv"), threads) == expected


def test_a_part_that_both_run_alike() -> None:
    """Half of the one's time is all of the other's: x = 1 - 1/2, b = 1/2, and the set's own share cancels."""
    found = difference_error(alone("conv"), alone("conv", "pool"))
    assert found == pytest.approx(exp(HALF * sqrt((1.0 - ALIKE) * 0.5)))


SECONDS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 10.0), min_size=1)
WIDTHS = st.floats(0.01, 1.0)


@given(SECONDS, SECONDS, SECONDS, WIDTHS, WIDTHS)
def test_the_error_of_a_ratio_is_that_of_its_inverse_and_bounded(one, two, gpu, h1, h2) -> None:
    """At most both are off by all that each is, in opposite directions."""
    first = {"cpu": basis(exp(-h1), exp(h1), **one)}
    second = {"cpu": basis(exp(-h1), exp(h1), **two), "gpu": basis(exp(-h2), exp(h2), **gpu)}
    found = difference_error(first, second)
    assert found == pytest.approx(difference_error(second, first) or 0.0)
    assert found is not None and 1.0 <= found <= exp(h1 + max(h1, h2)) * (1.0 + 1e-9)


@given(SECONDS, st.floats(0.01, 10.0), st.floats(0.01, 0.99))
def test_doing_more_of_the_same_is_never_called_equal_below_a_factor_of_e(times, more, half) -> None:
    """The same kernels and one more: the lead is larger than the error."""
    one = {"cpu": basis(exp(-half), exp(half), **times)}
    other = {"cpu": basis(exp(-half), exp(half), **times, more=more)}
    error = difference_error(one, other)
    assert error is not None and error < other["cpu"].seconds / one["cpu"].seconds


# --- one that wins whatever the rates -------------------------------------------------------------------------


def test_the_same_kernels_and_more_take_longer_whatever_the_rates() -> None:
    one, other = alone("conv"), alone("conv", "pool")
    assert needs_less(Timed(1.1, one), Timed(2.2, other))
    assert not needs_less(Timed(2.2, other), Timed(1.1, one))
    assert not needs_less(Timed(1.1, one), Timed(2.05, other))  # it saves elsewhere
    assert not needs_less(Timed(1.1, one), Timed(1.7, other))  # some of its kernels run at once
    assert not needs_less(Timed(1.1, alone("pool")), Timed(1.2, one))  # other kernels
    assert not needs_less(Timed(1.1, {"gpu": one["cpu"]}), Timed(2.2, other))  # elsewhere
    assert not needs_less(Timed(1.0, one), Timed(1.0, one))


def test_other_hand_overs_alone_are_told_apart() -> None:
    one = alone("conv")
    assert needs_less(Timed(1.0, one), Timed(1.001, one))
    assert difference_error(one, one) == 1.0


# --- runs -----------------------------------------------------------------------------------------------------


def test_plans_are_added_by_their_weight() -> None:
    one, two = {"cpu": SURE}, {"cpu": basis(0.9, 1.1, conv=1.0, pool=2.0), "gpu": UNKNOWN}
    found = added([(0.25, one), (0.75, two)])
    assert found == {
        "cpu": Basis(2.5, 0.9, 1.1, {"conv": 1.0, "pool": 1.5}),
        "gpu": Basis(0.75, None, None, {"conv": 0.75}),
    }


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
    (own,) = app.bases.values()
    assert list(app.bases) == ["cpu/fp32"]
    assert 1e3 * own.seconds == pytest.approx(comparison.rows[0]["latency_ms_mean"], rel=1e-6)
    assert own.seconds == pytest.approx(sum(own.operators.values())) and len(own.operators) == app.operators


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


def test_one_thread_and_four_are_not_told_apart_by_a_poor_model() -> None:
    """Both run in the same parameter set; how threads scale is a part of its error."""
    device = phone(0.4, 2.5)
    one, four = (
        socsim.simulate(
            device, [socsim.Inference("resnet50", cores=cores, library="tflite", count=1)]
        ).outcome
        for cores in ("gold:1", "gold:2")
    )
    (first,), (second,) = one.apps.values(), four.apps.values()
    assert first.bases.keys() == second.bases.keys() == {"cpu/fp32"}
    error = difference_error(first.bases, second.bases)
    assert error == pytest.approx(exp(log(2.5 / 0.4) / 2.0 * sqrt(2.0 * (1.0 - ALIKE))), rel=0.02)
