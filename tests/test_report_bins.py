"""Histories as means over spans of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.results.report.bins import bin_means, held

SPANS = st.lists(st.tuples(st.floats(0.01, 5.0), st.floats(0.0, 9.0)), min_size=1, max_size=20)


def test_means_between_edges() -> None:
    """2 W for 1 s, nothing for 1 s, 4 W for 2 s: over two spans of 2 s these are 1 and 4 W."""
    curve = bin_means([0.0, 2.0], [1.0, 4.0], [2.0, 4.0], np.array([0.0, 2.0, 4.0]))
    assert curve.values.tolist() == [1.0, 4.0]


def test_edges_within_spans_cut_them() -> None:
    curve = bin_means([0.0, 1.0], [1.0, 2.0], [3.0, 5.0], np.array([0.5, 1.5]))
    assert curve.values.tolist() == [4.0]


def test_where_nothing_is_known_there_is_nothing() -> None:
    assert bin_means([], [], [], np.array([0.0, 1.0])).values.tolist() == [0.0]
    assert bin_means([1.0], [2.0], [6.0], np.array([0.0, 1.0, 2.0, 5.0])).values.tolist() == [0.0, 6.0, 0.0]


def test_a_value_holds_until_the_next_one_and_ahead_of_the_first() -> None:
    curve = held([1.0, 3.0], [10.0, 20.0], np.array([0.0, 2.0, 4.0]))
    assert curve.values.tolist() == [10.0, 15.0]
    assert held([0.0], [7.0], np.array([0.0, 9.0])).values.tolist() == [7.0]


@given(SPANS, st.integers(1, 30))
def test_whatever_the_spans_the_integral_stays(spans: list[tuple[float, float]], bins: int) -> None:
    ends = np.cumsum([length for length, _ in spans])
    starts = np.concatenate([[0.0], ends[:-1]])
    edges = np.linspace(0.0, ends[-1], bins + 1)
    curve = bin_means(starts, ends, [watts for _, watts in spans], edges)
    assert np.sum(curve.values * np.diff(edges)) == pytest.approx(sum(a * b for a, b in spans), abs=1e-9)
    assert np.all(curve.values <= max(watts for _, watts in spans) + 1e-9)
