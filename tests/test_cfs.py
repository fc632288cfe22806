"""Arithmetic of Linux' CFS: weights, slices, placing, preemption, ticks."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.cfs import NICE_0_WEIGHT, CfsParameters, nice_weight
from socsim.errors import UsageError

MS = 1e-3
RULES = CfsParameters()
FINE = replace(RULES, tick=1 * MS)
WEIGHT_INVERSES = (
    *(48388, 59856, 76040, 92818, 118348, 147320, 184698, 229616, 287308, 360437),
    *(449829, 563644, 704093, 875809, 1099582, 1376151, 1717300, 2157191, 2708050, 3363326),
    *(4194304, 5237765, 6557202, 8165337, 10153587, 12820798, 15790321, 19976592, 24970740, 31350126),
    *(
        39045157,
        49367440,
        61356676,
        76695844,
        95443717,
        119304647,
        148102320,
        186737708,
        238609294,
        286331153,
    ),
)
"""By nice value from -20 on."""


# --- weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nice", "weight"),
    [(-20, 88761), (-10, 9548), (-1, 1277), (0, 1024), (1, 820), (5, 335), (10, 110), (19, 15)],
)
def test_weights_are_linux_s(nice: int, weight: int) -> None:
    assert nice_weight(nice) == weight


def test_weights_are_the_inverses_that_linux_lists_beside_them() -> None:
    """`sched_prio_to_wmult` in kernel/sched/core.c: 2^32 over each weight."""
    assert [2**32 / nice_weight(n) for n in range(-20, 20)] == pytest.approx(WEIGHT_INVERSES, abs=1)


def test_a_step_of_nice_is_worth_a_quarter() -> None:
    ratios = [nice_weight(n) / nice_weight(n + 1) for n in range(-20, 19)]
    assert all(1.13 < ratio < 1.34 for ratio in ratios)
    assert sum(ratios) / len(ratios) == pytest.approx(1.25, abs=0.01)


@pytest.mark.parametrize("nice", [-21, 20, 1.0, True, "0", None])
def test_what_is_no_nice_value_is_refused(nice) -> None:
    with pytest.raises(UsageError, match="nice must be a whole number from -20"):
        nice_weight(nice)


# --- slices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("runnable", "period"), [(1, 10), (2, 10), (3, 10), (4, 10), (5, 15), (8, 24)])
def test_many_threads_stretch_the_period(runnable: int, period: float) -> None:
    """Up to ceil(10 / 3) = 4 threads share the latency; five and more get the minimum granularity each."""
    assert RULES.period(runnable) == pytest.approx(period * MS)


def test_a_latency_that_is_a_multiple_of_the_granularity() -> None:
    rules = replace(RULES, latency=6 * MS, min_granularity=0.75 * MS)
    assert rules.period(8) == 6 * MS
    assert rules.period(9) == pytest.approx(6.75 * MS)


def test_slices_follow_the_weights() -> None:
    assert RULES.slice(2, 1024, 2048) == pytest.approx(5 * MS)
    assert RULES.slice(2, 3072, 4096) == pytest.approx(7.5 * MS)
    assert RULES.slice(5, 1024, 5 * 1024) == pytest.approx(3 * MS)


@given(st.lists(st.integers(-20, 19), min_size=1, max_size=9))
def test_slices_add_up_to_the_period(nices: list[int]) -> None:
    weights = [nice_weight(n) for n in nices]
    total = sum(RULES.slice(len(weights), w, sum(weights)) for w in weights)
    assert total == pytest.approx(RULES.period(len(weights)))


# --- where threads are placed ---------------------------------------------------------------------------------


def test_a_sleeper_is_forgiven_half_a_period() -> None:
    assert RULES.placed(0.0, 1.0) == pytest.approx(0.995)
    assert RULES.placed(0.999, 1.0) == 0.999


def test_a_new_thread_begins_a_turn_behind() -> None:
    """One of two equal ones: 5 ms; of weight 335 beside 1024: its slice of 10 ms x 335/1359, slowed by 1024/335."""
    assert RULES.debited(2, 1024, 2048, 1.0) == pytest.approx(1.005)
    assert RULES.debited(2, 335, 1359, 0.0) == pytest.approx(10 * MS * 1024 / 1359)


@pytest.mark.parametrize(
    ("behind", "weight", "preempts"),
    [
        (2.1, 1024, True),
        (2.0, 1024, False),
        (0.0, 1024, False),
        (-1.0, 1024, False),
        (1.1, 2048, True),
        (5.0, 335, False),
        (6.2, 335, True),
    ],
)
def test_who_preempts_at_waking_up(behind: float, weight: int, preempts: bool) -> None:
    """It has to be behind by more than 2 ms of its own virtual time."""
    assert RULES.preempts(0.0, weight, behind * MS) is preempts


# --- ticks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "tick"), [(0.0, 10), (0.1, 10), (9.999, 10), (10.0, 20), (10.0000001, 20), (123.0, 130)]
)
def test_the_next_tick(after: float, tick: float) -> None:
    assert RULES.next_tick(after * MS) == pytest.approx(tick * MS)


def test_rounding_does_not_repeat_a_tick() -> None:
    """3 x 0.1 is more than 0.3, 7 x 0.01 less than 0.07 may be: a tick is never its own successor."""
    now = 0.0
    for number in range(1, 2000):
        now = RULES.next_tick(now)
        assert now == pytest.approx(number * 10 * MS, rel=1e-12)


def turn_ends(
    rules=FINE, *, now=0.0, ran=0.0, turn=5.0, ahead=0.0, weight=NICE_0_WEIGHT, others=True
) -> float:
    return rules.turn_ends(now * MS, ran * MS, turn * MS, weight, ahead * MS, others=others) / MS


def test_alone_a_turn_does_not_end() -> None:
    assert turn_ends(others=False) == inf


def test_a_turn_ends_at_the_tick_after_its_slice() -> None:
    assert turn_ends(ahead=-5.0) == pytest.approx(6.0)
    assert turn_ends(RULES, ahead=-5.0) == pytest.approx(10.0)
    assert turn_ends(now=2.5, ran=2.5, ahead=-5.0) == pytest.approx(6.0)


def test_who_is_far_ahead_ends_early_but_not_before_the_granularity() -> None:
    """9 ms ahead with a slice of 10: after 1 ms it would be 10 ahead, but it may run for 3 ms."""
    assert turn_ends(turn=10.0, ahead=9.0) == pytest.approx(4.0)
    assert turn_ends(turn=10.0, ahead=5.0) == pytest.approx(6.0)


def test_a_light_thread_gets_ahead_faster() -> None:
    """Its vruntime grows by 2 in 1: from 2 ahead it is 10 ahead after 4 ms."""
    assert turn_ends(turn=10.0, ahead=2.0, weight=512) == pytest.approx(5.0)


def test_an_overdue_turn_ends_at_the_next_tick() -> None:
    assert turn_ends(now=7.3, ran=20.0, ahead=30.0) == pytest.approx(8.0)


@given(
    st.floats(0, 100),
    st.floats(0, 20),
    st.floats(0.1, 20),
    st.floats(-50, 50),
    st.sampled_from([15, 335, 1024, 88761]),
)
def test_a_turn_ends_on_a_tick_in_the_future(now, ran, turn, ahead, weight) -> None:
    end = turn_ends(now=now, ran=ran, turn=turn, ahead=ahead, weight=weight)
    assert end > now
    assert end == pytest.approx(round(end), abs=1e-6)
    assert end <= now + max(0.0, turn - ran) + 1.0 + 1e-6
