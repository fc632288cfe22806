"""Least squares: what comes out is what went in, and what cannot be told stays as expected."""

from __future__ import annotations

import numpy as np
import pytest
from calibkit import MASKS, NETWORKS, kernels, latencies, space, team, truth
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.calibration.crossval import family_folds, held_out
from socsim.calibration.fit import Series, _deviations, fit
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


# --- how sure ------------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_what_tables_were_made_of_is_found_within_the_errors_told(seed: int) -> None:
    """Measurements without error of any parameter set near what is expected."""
    values = truth(seed)
    exact = [Series(CpuModel(kernels(), team(m), "fp32"), latencies(m, values)) for m in MASKS]
    found = fit(space(), exact)
    true = np.log([values[p.quantity][p.index] for p in space().parameters])
    told = found.learned > 0.5
    assert told.any()
    assert (np.abs(found.vector - true) <= 3.0 * found.deviations).all()
    assert max(np.abs(misses(found, part)).max() for part in exact) < 0.05


def line(residuals: np.ndarray, spread: float = 1e3) -> float:
    """Standard deviation of one parameter that all measurements show alike."""
    jacobian = np.append(np.ones(len(residuals)), 1.0 / spread)[:, None]
    return float(_deviations(jacobian, np.append(residuals, 0.0), np.full(len(residuals), 0.05))[0])


def test_standard_errors_in_closed_form() -> None:
    """Residuals of 1 everywhere: influence r / sqrt(1 + r^2) has the square 1/2 and the slope 2^-1.5."""
    n = 11
    assert line(np.ones(n)) == pytest.approx(np.sqrt(n * 0.5 / (n - 1)) / (2**-1.5 * np.sqrt(n)), rel=1e-4)
    assert line(np.zeros(n)) == pytest.approx(1.0 / np.sqrt(n), rel=1e-4)
    assert line(np.zeros(n), spread=0.01) == pytest.approx(0.01, rel=1e-3)


def test_standard_errors_follow_the_scatter() -> None:
    """A mean of normal errors is as sure as theory says, within the few percent that robustness costs."""
    errors = np.random.default_rng(1).standard_normal(4000)
    for scatter in (2.0, 4.0, 8.0):
        assert line(scatter * errors) == pytest.approx(scatter / np.sqrt(4000), rel=0.2)
    assert line(0.1 * errors) == pytest.approx(1.0 / np.sqrt(4000), rel=0.02)


def test_standard_errors_forgive_outliers() -> None:
    errors = np.random.default_rng(2).standard_normal(500)
    wild = errors.copy()
    wild[::25] = 1e3
    assert line(wild) < 1.5 * line(errors)


def test_kinds_of_measurements_scatter_by_themselves() -> None:
    """Kernels that scatter do not make networks less sure."""
    jacobian = np.vstack([np.repeat(np.eye(2), 50, axis=0), np.eye(2) * 1e-3])
    residuals = np.concatenate([np.zeros(50), np.tile([5.0, -5.0], 25), np.zeros(2)])
    sure, unsure = _deviations(jacobian, residuals, np.repeat([0.05, 0.2], 50))
    assert sure == pytest.approx(1.0 / np.sqrt(50), rel=1e-4)
    assert unsure > 5.0 * sure


def test_measurements_that_scatter_leave_parameters_less_sure() -> None:
    errors = np.exp(0.2 * np.random.default_rng(3).standard_normal(len(NETWORKS)))
    exact, loose = fit(space(), series()), fit(space(), series(errors))
    assert loose.learned.sum() < 0.8 * exact.learned.sum()


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
