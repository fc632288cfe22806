"""Utilisation in closed form: how fast it rises and fades, what is remembered of a thread."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.pelt import CAPACITY, HALF_LIFE, ThreadLoad, decayed, remembered, time_until

MS = 1e-3
UTILISATIONS = st.floats(0.0, 1024.0)
TIMES = st.floats(0.0, 1.0)


# --- rising and fading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ms", "share"), [(0, 0.0), (32, 0.5), (64, 0.75), (74.3, 0.8), (138.3, 0.95)])
def test_a_thread_that_always_runs(ms: float, share: float) -> None:
    """Half of the capacity after 32 ms, 80 % after 74, 95 % after 138."""
    assert decayed(0.0, ms * MS, CAPACITY) == pytest.approx(share * 1024, abs=0.2)


@pytest.mark.parametrize(("ms", "left"), [(0, 1.0), (32, 0.5), (64, 0.25), (320, 2**-10)])
def test_a_thread_that_sleeps(ms: float, left: float) -> None:
    assert decayed(800.0, ms * MS) == pytest.approx(800.0 * left)


def test_a_slow_core_s_threads_tend_to_its_capacity() -> None:
    """Contributions are scaled by capacity: half of 307 after 32 ms, never more than 307."""
    assert decayed(0.0, 32 * MS, 307.0) == pytest.approx(153.5)
    assert decayed(0.0, 10.0, 307.0) == pytest.approx(307.0)
    assert decayed(1024.0, 32 * MS, 307.0) == pytest.approx(665.5)


def test_a_periodic_thread_swings_between_two_levels() -> None:
    """50 ms of 100: from 0.25 to 0.75, as known of PELT."""
    x = 2 ** (-50 / 32)
    low = high = 0.0
    for _ in range(40):
        high = decayed(low, 50 * MS, CAPACITY)
        low = decayed(high, 50 * MS)
    assert high == pytest.approx(1024 / (1 + x))
    assert low == pytest.approx(1024 * x / (1 + x))
    assert (round(low / 1024, 2), round(high / 1024, 2)) == (0.25, 0.75)


@given(UTILISATIONS, TIMES, TIMES, UTILISATIONS)
def test_two_steps_are_one(utilisation: float, first: float, second: float, running: float) -> None:
    there = decayed(decayed(utilisation, first, running), second, running)
    assert there == pytest.approx(decayed(utilisation, first + second, running), abs=1e-6)


@given(UTILISATIONS, TIMES, UTILISATIONS)
def test_utilisation_stays_between_where_it_is_and_where_it_goes(
    utilisation: float, elapsed: float, running: float
) -> None:
    low, high = sorted((utilisation, running))
    assert low - 1e-9 <= decayed(utilisation, elapsed, running) <= high + 1e-9


# --- when a limit is reached ----------------------------------------------------------------------------------


def test_80_percent_take_74_ms() -> None:
    assert time_until(0.0, 0.8 * 1024, 1024.0) == pytest.approx(74.3 * MS, abs=0.01 * MS)
    assert time_until(512.0, 0.8 * 1024, 1024.0) == pytest.approx((74.3 - 32.0) * MS, abs=0.01 * MS)


def test_what_is_reached_already_or_never() -> None:
    assert time_until(900.0, 819.2, 1024.0) == 0.0
    assert time_until(300.0, 400.0, 350.0) == inf
    assert time_until(300.0, 400.0, 400.0) == inf


@given(st.floats(0.0, 300.0), st.floats(301.0, 500.0), st.floats(501.0, 1024.0))
def test_at_that_time_it_is_there(utilisation: float, limit: float, running: float) -> None:
    elapsed = time_until(utilisation, limit, running)
    assert decayed(utilisation, elapsed, running) == pytest.approx(limit)


# --- memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "sample", "after"),
    [
        (0.0, 400.0, 400.0),
        (400.0, 800.0, 800.0),
        (800.0, 400.0, 700.0),
        (400.0, 391.0, 400.0),
        (8.0, 0.0, 8.0),
    ],
)
def test_memory_rises_at_once_and_falls_by_a_quarter(memory: float, sample: float, after: float) -> None:
    """Differences of 1 % of 1024 and less are none."""
    assert remembered(memory, sample) == after


def test_a_thread_s_account() -> None:
    """It sleeps for 32 ms, runs for 32 on a core of 512, sleeps again."""
    load = ThreadLoad(400.0, 1.0)
    assert load.at(1.0) == 400.0
    load.ran(1.0 + HALF_LIFE, 1.0 + 2 * HALF_LIFE, 512.0)
    assert load.at(1.0 + 2 * HALF_LIFE) == pytest.approx(356.0)
    assert load.estimate == 0.0
    load.sleeps(1.0 + 2 * HALF_LIFE)
    assert load.at(1.0 + 3 * HALF_LIFE) == pytest.approx(178.0)
    assert load.estimate == pytest.approx(356.0)


def test_asking_changes_nothing() -> None:
    load = ThreadLoad(400.0, 0.0)
    assert load.at(0.064, 512.0) == pytest.approx(484.0)
    assert load.at(0.064) == pytest.approx(100.0)


def test_what_is_expected_is_the_last_run_or_more() -> None:
    """After runs that end at 800 and 400: 700 are remembered."""
    load = ThreadLoad(800.0, 0.0)
    load.sleeps(0.0)
    load.sleeps(HALF_LIFE)
    assert load.estimate == pytest.approx(700.0)
