"""Least squares: what comes out is what went in, and what cannot be told stays as expected."""

from __future__ import annotations

import numpy as np
import pytest
from calibkit import MASKS, NETWORKS, kernels, latencies, space, team, truth

from socsim.calibration.crossval import family_folds, held_out
from socsim.calibration.fit import Series, fit
from socsim.calibration.model import CpuModel

FAMILIES = {name: name.partition("_")[0].rstrip("0123456789") for name in NETWORKS}


def series(factors=None) -> list[Series]:
    """Latencies of the true parameter set, with errors if some are given."""
    errors = np.ones(len(NETWORKS)) if factors is None else factors
    return [Series(CpuModel(kernels(), team(mask), "fp32"), latencies(mask) * errors) for mask in MASKS]


def misses(found, part: Series) -> np.ndarray:
    return part.model.latencies(found.values) / part.seconds - 1.0


def test_measurements_without_error_are_met() -> None:
    found = fit(space(), series())
    assert max(np.abs(misses(found, part)).max() for part in series()) < 0.03


def test_rates_that_are_shown_are_found() -> None:
    """The products that most of the time goes to."""
    found = fit(space(), series())
    at = {p.name: i for i, p in enumerate(space().parameters)}
    assert found.learned[at["efficiency.gemm"]] > 0.9
    fitted, true = found.values["efficiency"], truth()["efficiency"]
    gemm = kernels().classes.index("gemm")
    assert fitted[gemm] == pytest.approx(true[gemm], rel=0.15)


def test_rates_that_nothing_shows_stay_as_expected() -> None:
    found = fit(space(), series())
    at = {p.name: i for i, p in enumerate(space().parameters)}
    silent = at["efficiency.softmax"]
    assert found.learned[silent] < 0.2
    assert found.vector[silent] == pytest.approx(space().start[silent], abs=0.3)
    assert found.deviations[silent] == pytest.approx(space().spreads[silent], rel=0.2)


def test_more_measurements_tell_more() -> None:
    few, many = fit(space(), series()[:1]), fit(space(), series())
    assert few.learned.sum() < many.learned.sum()
    assert (many.deviations <= space().spreads + 1e-9).all()


def test_one_wrong_network_does_not_spoil_the_others() -> None:
    wrong = NETWORKS.index("mobilenet_v1_0.5_160")
    factors = np.ones(len(NETWORKS))
    factors[wrong] = 3.0
    found = fit(space(), series(factors))
    for part in series(factors):
        assert np.abs(np.delete(misses(found, part), wrong)).mean() < 0.1
        assert misses(found, part)[wrong] < -0.5


def test_the_same_measurements_give_the_same_numbers() -> None:
    assert np.array_equal(fit(space(), series()).vector, fit(space(), series()).vector)


def test_bounds_hold() -> None:
    """However fast the measurements are."""
    fast = [Series(part.model, part.seconds * 0.02) for part in series()]
    found = fit(space(), fast)
    low, high = space().bounds
    assert (found.vector >= low).all() and (found.vector <= high).all()
    assert found.values.scalar("bandwidth_share") <= 1.0


# --- families -------------------------------------------------------------------------------------------------


def test_folds_hold_all_families_once() -> None:
    families = ["a"] * 5 + ["b"] * 3 + ["c"] * 3 + ["d"] * 1 + ["e"] + ["f"] * 2
    folds = family_folds(families, 3)
    assert sorted(name for fold in folds for name in fold) == list("abcdef")
    sizes = [sum(families.count(name) for name in fold) for fold in folds]
    assert sizes == [5, 5, 5]


def test_no_more_folds_than_families() -> None:
    assert family_folds(["a", "a", "b"]) == (frozenset("a"), frozenset("b"))


def test_held_out_predictions_come_from_other_families() -> None:
    """A network that is wrong does not disturb its own prediction, which is of the others alone."""
    right, wrong = series(), series(np.where(np.array(NETWORKS) == "resnet18", 5.0, 1.0))
    steps: list[int] = []
    at = NETWORKS.index("resnet18")
    one = held_out(right, FAMILIES, lambda some: fit(space(), some), done=lambda: steps.append(1))
    other = held_out(wrong, FAMILIES, lambda some: fit(space(), some))
    assert len(steps) == len(set(FAMILIES.values())) == 5
    for a, b in zip(one, other, strict=True):
        assert a[at] == pytest.approx(b[at], rel=1e-9)
        assert not np.isnan(a).any()


def test_one_family_has_nothing_to_be_held_out_from() -> None:
    predicted = held_out(series(), dict.fromkeys(NETWORKS, "same"), lambda some: fit(space(), some))
    assert all(np.isnan(array).all() for array in predicted)
