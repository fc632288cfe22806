"""What the shipped experiments on governors say in their comments."""

from __future__ import annotations

import pytest

import socsim


@pytest.fixture(scope="module")
def phone():
    """Rows by scheduler and set of governors."""
    return socsim.sweep("phone-governors").set_index(["net.scheduler", "governor"])


@pytest.fixture(scope="module")
def board():
    """Rows by when the next inference begins and the GPU's clock."""
    return socsim.sweep("race-to-idle").set_index(["next", "gpu"])


def test_codl_is_faster_than_the_gpu_only_at_fixed_clocks(phone) -> None:
    latency = phone["latency_ms_mean"].unstack()
    ratio = latency.loc["codl"] / latency.loc["gpu"]
    fixed = ["performance", "powersave"]
    assert (ratio[fixed] < 1.0).all()
    assert (ratio.drop(fixed) > 1.05).all()


def test_governors_that_keep_up_save_little(phone) -> None:
    rows = phone[~phone["overloaded"]]
    energy = rows["energy_mj"].unstack()
    assert energy.div(energy["performance"], axis=0).min().min() == pytest.approx(0.878, abs=0.005)
    assert phone["overloaded"].sum() == 1
    assert phone.loc[("cpu", "powersave"), "overloaded"]


def test_the_lowest_clocks_miss_every_deadline(phone) -> None:
    missed = phone["deadline_miss_share"].unstack()
    assert (missed["powersave"] == 1.0).all()
    assert (missed["performance"] == 0.0).all()


def test_with_a_fixed_period_racing_wins_on_neither_meter(board) -> None:
    pinned = board.loc["after 500 ms"].drop("nvhost_podgov")
    assert (pinned["finished"] == 20).all()
    for meter in ("rails_mj_vdd_cpu_gpu_cv", "rails_mj_vdd_in"):
        assert pinned[meter].is_monotonic_increasing
    rest = pinned["rails_mj_vdd_in"] - pinned["rails_mj_vdd_cpu_gpu_cv"]
    assert rest.max() == pytest.approx(rest.min(), rel=1e-3)


def test_racing_wins_where_the_rest_of_the_board_is_billed_for_the_inference_only(board) -> None:
    pinned = board.loc["at once"].drop("nvhost_podgov")
    assert pinned["rails_mj_vdd_cpu_gpu_cv"].idxmin() == "510 MHz"
    assert pinned["rails_mj_vdd_in"].idxmin() == "905 MHz"


def test_podgov_is_slower_and_dearer_than_a_pinned_clock(board) -> None:
    own, pinned = board.loc[("after 500 ms", "nvhost_podgov")], board.loc[("after 500 ms", "510 MHz")]
    assert own["latency_ms_mean"] > pinned["latency_ms_mean"]
    assert own["rails_mj_vdd_in"] > pinned["rails_mj_vdd_in"]
