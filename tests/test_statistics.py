"""Statistics of ours against those of scipy and pandas, which are written by others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from socsim.calibration.crossval import family_folds
from socsim.calibration.metrics import accuracy, interval, ranks, unusual
from socsim.errors import UsageError
from socsim.results.means import Mean, mean, t_quantile
from socsim.results.pairs import compare_pairs
from socsim.results.repeated import _average, _averaged, _compared
from socsim.sweeps.statistics import paired, summarise

FEW = settings(max_examples=40)
TIMES = st.integers(1, 10**6).map(lambda n: n / 1e3)
SERIES = st.lists(TIMES, min_size=1, max_size=12)
PAIRS = st.lists(st.tuples(TIMES, TIMES), min_size=2, max_size=12)


def near(value: float) -> object:
    """Within rounding."""
    return pytest.approx(value, rel=1e-6, abs=1e-9)


# --- means and pairs --------------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.floats(0.55, 0.999))
def test_quantiles_of_student_s_t(degrees: int, probability: float) -> None:
    assert t_quantile(degrees, probability) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-7)


@FEW
@given(st.lists(TIMES, min_size=2, max_size=12))
def test_intervals_of_means(values: list[float]) -> None:
    found = mean(values)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if np.ptp(values) else 0.0
    assert found.value == near(np.mean(values))
    assert found.half_width == near(half)


@FEW
@given(PAIRS)
def test_paired_differences_are_those_of_a_paired_t_test(pairs: list[tuple[float, float]]) -> None:
    base, values = map(list, zip(*pairs, strict=True))
    differences = np.array(values) - np.array(base)
    assume(np.ptp(differences) > 1e-6)
    found, tested = compare_pairs(base, values), stats.ttest_rel(values, base)
    low, high = tested.confidence_interval(0.95)
    centre, half = found.difference
    assert half is not None
    assert (centre - half, centre + half) == (near(low), near(high))
    assume(abs(tested.pvalue - 0.05) > 1e-9)
    assert found.differs is bool(tested.pvalue < 0.05)
    assert found.below == int((differences < 0).sum()) and found.pairs == len(pairs)


@FEW
@given(PAIRS)
def test_speed_ups_are_geometric_means_with_the_interval_of_their_logarithms(
    pairs: list[tuple[float, float]],
) -> None:
    base, values = map(list, zip(*pairs, strict=True))
    logs = np.log(base) - np.log(values)
    assume(np.ptp(logs) > 1e-9)
    ratio = compare_pairs(base, values).ratio
    low, high = stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))
    assert ratio is not None
    assert ratio.value == near(stats.gmean(np.array(base) / np.array(values)))
    assert (ratio.low, ratio.high) == (near(math.exp(low)), near(math.exp(high)))


def test_a_single_pair_has_no_interval() -> None:
    found = compare_pairs([6.0], [4.0])
    assert (found.pairs, found.difference, found.ratio, found.below) == (
        1,
        Mean(-2.0, None),
        (1.5, None, None),
        1,
    )
    assert found.differs is None


def test_what_is_equal_everywhere_does_not_differ() -> None:
    found = compare_pairs([2.0, 3.0], [2.0, 3.0])
    assert (found.difference, found.ratio, found.below, found.differs) == (
        Mean(0.0, 0.0),
        (1.0, 1.0, 1.0),
        0,
        False,
    )


@pytest.mark.parametrize("values", [[0.0, 1.0], [-1.0, 1.0]])
def test_ratios_of_what_is_not_positive_do_not_exist(values: list[float]) -> None:
    assert compare_pairs([1.0, 1.0], values).ratio is None
    assert compare_pairs(values, [1.0, 1.0]).ratio is None


@pytest.mark.parametrize(("base", "values"), [([], []), ([1.0], []), ([1.0, 2.0], [1.0])])
def test_pairs_need_partners(base: list[float], values: list[float]) -> None:
    message = f"as many values as bases, got {len(values)} and {len(base)}"
    with pytest.raises(UsageError, match=message):
        compare_pairs(base, values)


# --- rows averaged over seeds -----------------------------------------------------------------------------------


def test_rows_are_averaged_value_by_value() -> None:
    """Numbers that are there; mappings by their keys; what is no number, or the same everywhere, as it is."""
    rows = [
        {"name": "x", "n": 3, "ms": 1.0, "some": None, "flag": True, "busy": {"cpu": 0.5, "gpu": None}, "none": None},
        {"name": "y", "n": 3, "ms": 4.0, "some": 6.0, "flag": False, "busy": {"cpu": 0.1, "gpu": 0.5}, "none": None},
        {"name": "z", "n": 3, "ms": 4.0, "some": 8.0, "flag": False, "busy": None, "none": None},
    ]  # fmt: skip
    assert _averaged(rows) == {
        "name": "x", "n": 3, "ms": 3.0, "some": 7.0, "flag": True,
        "busy": {"cpu": pytest.approx(0.3), "gpu": 0.5}, "none": None,
    }  # fmt: skip
    assert isinstance(_averaged(rows)["n"], int)
    assert _average([None, 2, 3]) == 2.5


def test_seeds_without_a_value_on_either_side_make_no_pair() -> None:
    base = [{"ms": 10.0}, {"ms": None}, {"ms": 30.0}, {"ms": 8.0}]
    rows = [{"ms": 5.0}, {"ms": 1.0}, {"ms": 15.0}, {"ms": None}]
    found = _compared(base, rows, "ms")
    assert found is not None
    assert (found["difference"], found["ratio"]) == (-10.0, near(2.0))
    assert (found["ratio_low"], found["ratio_high"]) == (near(2.0), near(2.0))
    assert found["ci95"] == near(stats.t.ppf(0.975, 1) * 5.0) and found["differs"] is False
    assert _compared(base[1:2], rows[1:2], "ms") is None


# --- tables of sweeps -------------------------------------------------------------------------------------------


@st.composite
def runs(draw: st.DrawFn) -> pd.DataFrame:
    """A table of a sweep over schedulers, clocks and seeds, with two applications; some values are missing."""
    value = st.one_of(st.none(), TIMES)
    rows = []
    for scheduler in ("cpu", "gpu", "band"):
        for clock in (1, 2):
            for seed in range(draw(st.integers(1, 4))):
                for app in ("a", "b"):
                    rows.append((len(rows), scheduler, clock, seed, app, draw(value), draw(TIMES)))
    names = ["run", "scheduler", "clock", "seed", "app", "latency_ms_mean", "power_w"]
    return pd.DataFrame(rows, columns=names).astype({"latency_ms_mean": float})


@settings(max_examples=15)
@given(runs())
def test_summaries_are_those_of_pandas(table: pd.DataFrame) -> None:
    found = summarise(table, ["latency_ms_mean", "power_w"])
    keys = ["scheduler", "clock", "app", "metric"]
    assert list(found.columns) == [*keys, "n", "mean", "low", "high"]
    long = table.melt(keys[:3], ["latency_ms_mean", "power_w"], "metric", "value").dropna()
    expected = long.groupby(keys)["value"].agg(["count", "mean", "sem"])
    told = found.set_index(keys).sort_index()
    assert told.index.tolist() == expected.index.tolist()
    half = stats.t.ppf(0.975, np.maximum(1, expected["count"] - 1)) * expected["sem"]
    assert told["n"].tolist() == expected["count"].tolist()
    for name, ends in (("mean", 0.0), ("low", -half), ("high", half)):
        assert told[name].tolist() == pytest.approx(
            (expected["mean"] + ends).tolist(), rel=1e-5, abs=1e-6, nan_ok=True
        )


@settings(max_examples=15)
@given(runs(), st.sampled_from(["cpu", "band"]))
def test_pairs_are_rows_merged_on_all_else(table: pd.DataFrame, base: str) -> None:
    found = paired(table, "scheduler", base=base)
    keys = ["clock", "app", "seed"]
    kept = table.dropna(subset=["latency_ms_mean"])
    both = kept[kept["scheduler"] != base].merge(
        kept[kept["scheduler"] == base], on=keys, suffixes=("", "_base")
    )
    groups = both.groupby(["clock", "app", "scheduler"])
    assert len(found) == len(groups)
    for _, row in found.iterrows():
        own = groups.get_group((row["clock"], row["app"], row["scheduler"]))
        difference = own["latency_ms_mean"] - own["latency_ms_mean_base"]
        assert (row["pairs"], row["difference"]) == (len(own), near(difference.mean()))
        assert row["ratio"] == near(stats.gmean(own["latency_ms_mean_base"] / own["latency_ms_mean"]))
        assert row["below"] == int((difference < 0).sum())
        assert math.isnan(row["low"]) == math.isnan(row["ratio_high"]) == (len(own) == 1)


# --- errors of predictions --------------------------------------------------------------------------------------


@FEW
@given(SERIES, st.data())
def test_accuracy(measured: list[float], data: st.DataObject) -> None:
    predicted = data.draw(st.lists(TIMES, min_size=len(measured), max_size=len(measured)))
    found = accuracy(np.array(measured), np.array(predicted))
    errors = [abs(p - m) / m for m, p in zip(measured, predicted, strict=True)]
    assert (found.n, found.mape) == (len(errors), near(np.mean(errors)))
    varies = len(set(measured)) > 1 and len(set(predicted)) > 1
    expected = stats.spearmanr(measured, predicted).statistic if varies else math.nan
    assert found.spearman == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert list(ranks(np.array(measured))) == list(stats.rankdata(measured))


def test_within_ten_percent_is_of_what_was_measured() -> None:
    """0.9 and 1.1 of it are within; 1 / 1.11 of a prediction is not the same."""
    measured = np.array([100.0, 100.0, 100.0, 100.0])
    assert accuracy(measured, np.array([90.5, 109.5, 89.0, 111.0])).within_10 == 0.5
    assert set(accuracy(measured, measured).as_dict()) == {"n", "mape", "within_10", "spearman"}


@FEW
@given(
    st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=9),
    st.integers(1, 40),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_intervals_of_predictions(pairs: list[tuple[float, float]], networks: int, share: float) -> None:
    """A prediction interval about 0 for one more network, by Student's t."""
    measured, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    scatter = math.sqrt(float(np.mean((np.log(measured) - np.log(predicted)) ** 2)))
    half = stats.t.ppf(0.5 + share / 2.0, networks) * math.sqrt(1.0 + 1.0 / networks) * scatter
    assume(half < 500.0)
    low, high = interval(measured, predicted, networks, share)
    assert (math.log(low), math.log(high)) == (near(-half), near(half))


@pytest.mark.parametrize("networks", [2, 5, 20])
def test_intervals_hold_the_share_that_they_promise(networks: int) -> None:
    """Of 4000 more networks whose errors are normal nine in ten lie within, and of few networks some more."""
    random = np.random.default_rng(networks)
    inside = []
    for errors in 0.2 * random.standard_normal((400, networks)):
        low, high = interval(np.exp(errors), np.ones(networks), networks)
        more = np.exp(0.2 * random.standard_normal(10))
        inside.append(np.mean((low <= more) & (more <= high)))
    assert 0.885 <= np.mean(inside) <= {2: 0.95, 5: 0.93, 20: 0.915}[networks]


def test_rows_are_unusual_beyond_both_bounds() -> None:
    """Far from the others, and from the prediction: three robust deviations, and 10 %. The furthest is first."""
    measured = np.full(9, 10.0)
    calm = np.array([10.0, 10.1, 9.9, 10.1, 9.9, 10.0, 10.9, 6.0, 15.0])
    assert list(unusual(measured, calm)) == [7, 8]
    biased = np.array([13.0, 13.1, 12.9, 13.1, 12.9, 13.0, 13.0, 10.0, 13.0])
    assert list(unusual(measured, biased)) == []  # all others are off, and it is right
    wild = np.array([5.0, 20.0, 5.0, 20.0, 10.0, 5.0, 20.0, 5.0, 20.0])
    assert list(unusual(measured, wild)) == []  # nobody stands out


@FEW
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), st.integers(1, 6))
def test_folds_are_even_as_far_as_families_allow(families: list[str], count: int) -> None:
    folds = family_folds(families, count)
    assert len(folds) == min(count, len(set(families)))
    assert sorted(name for fold in folds for name in fold) == sorted(set(families))
    sizes = [sum(map(families.count, fold)) for fold in folds]
    # taken largest first, a fold is never ahead of the smallest by more than its last family
    for fold, size in zip(folds, sizes, strict=True):
        assert size - min(map(families.count, fold)) <= min(sizes)
    assert folds == family_folds(sorted(families), count)
