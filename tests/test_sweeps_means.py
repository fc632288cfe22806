"""Means, confidence intervals, and the names of columns."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.results.means import Mean, grouped, mean, t_quantile
from socsim.sweeps.columns import column_names
from socsim.sweeps.tables import evened, frame


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [
        (1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (9, 2.2622), (10, 2.2281), (30, 2.0423),
        (120, 1.9799), (1000, 1.9623),
    ],
)  # fmt: skip
def test_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert t_quantile(degrees) == pytest.approx(quantile, abs=5e-5)


def test_other_probabilities() -> None:
    assert t_quantile(1, 0.75) == pytest.approx(1.0)
    assert t_quantile(2, 0.95) == pytest.approx(2.9200, abs=5e-5)
    assert t_quantile(7, 0.995) == pytest.approx(3.4995, abs=5e-5)


def test_a_mean_with_its_interval() -> None:
    assert mean([4.0]) == Mean(4.0, None)
    found = mean([1.0, 2.0, 3.0])
    assert found.value == 2.0
    assert found.half_width == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    assert mean([5.0, 5.0]) == Mean(5.0, 0.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8), st.floats(-1e3, 1e3))
def test_an_interval_does_not_move_with_the_mean(values: list[float], offset: float) -> None:
    moved = mean([value + offset for value in values])
    assert moved.half_width == pytest.approx(mean(values).half_width, rel=1e-6, abs=1e-6)


def test_groups_keep_the_order_of_their_first_rows() -> None:
    rows = [{"s": "b", "seed": 0}, {"s": "a", "seed": 0}, {"s": "b", "seed": 1}]
    assert grouped(rows, ["s"]) == [[rows[0], rows[2]], [rows[1]]]
    assert grouped(rows, []) == [rows]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ([], []),
        (["seed", "apps.busy.count"], ["seed", "count"]),
        (["apps.net.scheduler"], ["net.scheduler"]),
        (["apps.net.scheduler.name"], ["name"]),
        (["apps.a.period", "apps.b.period"], ["a.period", "b.period"]),
        (["x.a.period", "y.a.period", "b.period"], ["x.a.period", "y.a.period", "b.period"]),
        (["period", "apps.a.period"], ["period", "a.period"]),
        (["device"], ["device"]),
        (["mechanisms.cpu", "mitigation"], ["cpu", "mitigation"]),
    ],
)
def test_columns_go_by_the_shortest_ends_that_are_unambiguous(keys: list[str], names: list[str]) -> None:
    assert column_names(keys) == names


@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join), unique=True, max_size=6)
)
def test_no_two_columns_have_one_name(keys: list[str]) -> None:
    names = column_names(keys, taken=())
    assert len(set(names)) == len(names)
    assert all(key == name or key.endswith(f".{name}") for key, name in zip(keys, names, strict=True))


def test_rows_get_the_columns_of_all() -> None:
    rows = evened([{"run": 0, "a": 1}, {"run": 1, "b": {"cpu": 0.5}}])
    assert rows == [{"run": 0, "a": 1, "b": None}, {"run": 1, "a": None, "b": {"cpu": 0.5}}]
    assert list(frame(rows[1:]).columns) == ["run", "a", "b_cpu"]
