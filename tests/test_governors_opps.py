"""Operating points: which one a wanted frequency means."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.schedulers.governors import DomainSample, OppView, resolve

TABLE = OppView([300e6, 600e6, 900e6])
FREQUENCIES = st.lists(st.integers(1, 3000), min_size=1, max_size=20).map(
    lambda mhz: OppView(f * 1e6 for f in mhz)
)
WANTED = st.floats(-1e9, 5e9, allow_nan=False)


@pytest.mark.parametrize(
    ("wanted", "at_least", "at_most", "closest"),
    [
        (0.0, 300e6, 300e6, 300e6),
        (300e6, 300e6, 300e6, 300e6),
        (301e6, 600e6, 300e6, 300e6),
        (450e6, 600e6, 300e6, 300e6),
        (451e6, 600e6, 300e6, 600e6),
        (900e6, 900e6, 900e6, 900e6),
        (2e9, 900e6, 900e6, 900e6),
        (math.inf, 900e6, 900e6, 900e6),
    ],
)
def test_relations(wanted, at_least, at_most, closest):
    """Halfway between two points the lower one is the closest."""
    assert (TABLE.at_least(wanted), TABLE.at_most(wanted), TABLE.closest(wanted)) == (
        at_least,
        at_most,
        closest,
    )


def test_rounding_costs_no_step():
    assert TABLE.at_least(600e6 * (1 + 2e-16)) == 600e6
    assert TABLE.at_most(600e6 * (1 - 2e-16)) == 600e6
    assert TABLE.at_least(600e6 * (1 + 1e-6)) == 900e6


@pytest.mark.parametrize(
    ("relation", "minimum", "maximum", "wanted", "point"),
    [
        ("at_least", 0.0, 600e6, 700e6, 600e6),
        ("at_least", 600e6, 900e6, 1e6, 600e6),
        ("at_most", 600e6, 900e6, 1e6, 600e6),
        ("at_most", 0.0, 650e6, 1e9, 600e6),
        ("at_least", 0.0, 650e6, 610e6, 600e6),
        ("closest", 0.0, 650e6, 800e6, 600e6),
        ("at_least", 400e6, 500e6, 450e6, 600e6),
        ("at_most", 1e9, 2e9, 0.0, 900e6),
        ("closest", 0.0, 100e6, 900e6, 300e6),
    ],
)
def test_limits(relation, minimum, maximum, wanted, point):
    """Limits with no point between them mean the next above, or the highest."""
    assert TABLE.pick(wanted, relation, minimum, maximum) == point
    domain = DomainSample.of(TABLE, 300e6, minimum=minimum, maximum=maximum)
    assert resolve(domain, wanted, relation) == point


def test_a_table_is_a_sequence():
    table = OppView([9e8, 3e8, 9e8])
    assert (len(table), list(table), table[0], table[-1]) == (2, [3e8, 9e8], 3e8, 9e8)
    assert table[:1] == (3e8,)
    assert table.index(9e8) == 1
    assert (table.lowest, table.highest) == (3e8, 9e8)
    assert table == OppView([3e8, 9e8]) != OppView([3e8])
    assert hash(table) == hash(OppView([3e8, 9e8]))
    assert repr(table) == "OppView([300000000.0, 900000000.0])"
    assert 3e8 in table and 5e8 not in table


@pytest.mark.parametrize("bad", [[], [0.0], [-1e9], [math.nan], [1e9, math.inf]])
def test_bad_tables(bad):
    with pytest.raises(UsageError, match="frequenc"):
        OppView(bad)


@given(FREQUENCIES, WANTED)
def test_relations_by_definition(table, wanted):
    above = [f for f in table if f >= wanted * (1 - 1e-9)]
    below = [f for f in table if f <= wanted * (1 + 1e-9)]
    assert table.at_least(wanted) == (min(above) if above else table.highest)
    assert table.at_most(wanted) == (max(below) if below else table.lowest)
    assert abs(table.closest(wanted) - wanted) == min(abs(f - wanted) for f in table)


@given(FREQUENCIES, WANTED, WANTED, WANTED, st.sampled_from(["at_least", "at_most", "closest"]))
def test_results_are_points_within_limits_where_there_is_one(table, wanted, a, b, relation):
    low, high = sorted((a, b))
    point = table.pick(wanted, relation, low, high)
    assert point in table
    if any(low <= f <= high for f in table):
        assert low * (1 - 1e-9) <= point <= high * (1 + 1e-9) or low < 0


@given(FREQUENCIES, st.integers(0, 19), st.sampled_from(["at_least", "at_most", "closest"]))
def test_points_mean_themselves(table, number, relation):
    point = table[number % len(table)]
    assert table.pick(point, relation) == point


def test_a_sample_fills_in_what_is_not_said():
    sample = DomainSample.of([1e9, 2e9], 1e9, 0.5, 1.0, elapsed=0.01, capacity=512.0)
    assert (sample.minimum, sample.maximum, sample.now, sample.utilisation) == (1e9, 2e9, 0.01, 1.0)
    assert (sample.utils, sample.estimates, sample.was_idle) == ((128.0, 256.0), (0.0, 0.0), (True, False))
    assert (sample.busy_s, sample.total_s, sample.suspended) == (0.01, 0.01, False)
    assert sample.uclamps == ((0.0, 1024.0),) * len(sample.loads)
    assert sample.updated == (True,) * len(sample.loads)
    assert sample.iowaits == (False,) * len(sample.loads)
    idle = DomainSample.of(TABLE, kind="gpu")
    assert (idle.frequency, idle.loads, idle.utils, idle.opps) == (300e6, (0.0,), (), TABLE)
