"""What the shipped experiments on managers of a whole device say in their comments."""

from __future__ import annotations

import pandas as pd
import pytest

import socsim
from socsim.sweeps import load_sweep

CORE, ALL = "rails_mj_vdd_cpu_gpu_cv", "rails_mj_vdd_in"
DECIDERS = ["governors", "clocks", "levels", "places", "all", "all for VDD_IN", "oracle"]


@pytest.fixture(scope="module")
def one() -> pd.DataFrame:
    """Rows of one model by when the next inference begins and who decides, in the mode that the board ships with."""
    return socsim.sweep("nx-one-model", overrides=["mode=15W_6CORE"]).set_index(["next", "decides"])


@pytest.fixture(scope="module")
def two() -> pd.DataFrame:
    """Rows of two models with a period, by placement, who decides, and application."""
    chosen = [
        "sweep.placed=[both on the GPU, one on the CPU]",
        "sweep.decides=[governors, clocks, levels, places, all]",
    ]
    return socsim.sweep("nx-two-models", overrides=chosen).set_index(["placed", "decides", "app"])


@pytest.mark.parametrize("name", ["nx-one-model", "nx-two-models"])
def test_all_points_can_be_run(name: str) -> None:
    sweep = load_sweep(name)
    assert [name for axis in sweep.axes if axis.name == "decides" for name in axis.written] == DECIDERS
    assert len(sweep) in (42, 21)


def test_one_model_loses_no_accuracy_and_is_always_in_time_where_managed(one: pd.DataFrame) -> None:
    assert one["top1_mean"].round(2).unique().tolist() == [77.54]
    managed = one[one.index.isin(["clocks", "all", "all for VDD_IN", "oracle"], level="decides")]
    assert (managed["deadline_miss_share"] == 0.0).all()
    assert one.loc[("after 100 ms", "governors"), "deadline_miss_share"] > 0.9


def test_one_model_takes_no_more_than_under_governors_on_the_rail_that_counts(one: pd.DataFrame) -> None:
    for rail, who in ((CORE, "all"), (CORE, "clocks"), (ALL, "all for VDD_IN")):
        energy = one[rail].unstack()
        assert (energy[who] < energy["governors"]).all()


def test_with_one_model_all_of_it_is_due_to_clocks(one: pd.DataFrame) -> None:
    energy = one[CORE].unstack()
    for same in (("levels", "governors"), ("places", "governors"), ("all", "clocks")):
        assert energy[same[0]].tolist() == energy[same[1]].tolist()


def test_the_manager_of_one_model_is_close_to_the_oracle(one: pd.DataFrame) -> None:
    energy = one[CORE].unstack()
    assert (energy["oracle"] <= energy["all"]).all()
    assert (energy["all"] / energy["oracle"]).max() < 1.025


def test_each_knob_helps_two_models_on_the_gpu_but_the_place(two: pd.DataFrame) -> None:
    energy = two.loc["both on the GPU"].xs("camera", level="app")[CORE]
    assert energy["places"] == energy["governors"]
    assert energy["all"] < energy["clocks"] < energy["levels"] < energy["governors"]
    assert 1.0 - energy["all"] / energy["governors"] == pytest.approx(0.155, abs=0.01)


def test_moving_a_model_from_the_cpu_to_the_gpu_saves_most(two: pd.DataFrame) -> None:
    energy = two.loc["one on the CPU"].xs("camera", level="app")
    saved = 1.0 - energy[CORE] / energy.loc["governors", CORE]
    assert saved["all"] > saved["places"] > 0.6 > 0.15 > saved["levels"] > saved["clocks"] > 0.0
    assert saved["all"] == pytest.approx(0.72, abs=0.01)
    assert 1.0 - energy.loc["all", ALL] / energy.loc["governors", ALL] == pytest.approx(0.36, abs=0.01)


def test_both_models_are_quicker_where_one_is_moved(two: pd.DataFrame) -> None:
    latency = two.loc["one on the CPU"]["latency_ms_mean"].unstack()
    change = latency.loc["all"] / latency.loc["governors"] - 1.0
    assert change["other"] < -0.9 and change["camera"] < -0.04


def test_two_models_keep_their_floors(two: pd.DataFrame) -> None:
    accuracy = two["top1_mean"].unstack("decides")
    assert (accuracy >= 76.0).all(axis=None)
    assert accuracy["all"].round(2).unique().tolist() == [76.13]
    assert accuracy["places"].round(2).unique().tolist() == [77.54]
