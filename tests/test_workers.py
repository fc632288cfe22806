"""Worker threads at one operator: exact states by hand, tiles taken over, waiting busily, work conserved."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.simulation.workers import Workers


def team(
    *parts: float, tiles: int = 1, pace=None, done: float = 0.0, spin: float = 0.0, speeds=None
) -> Workers:
    workers = Workers(parts, tiles, pace or [1.0] * len(parts), done, spin)
    workers.start_all(0.0)
    workers.speeds = list(speeds or [1.0] * len(parts))
    return workers


def story(workers: Workers, most: int = 100) -> list[tuple[float, tuple[float, ...]]]:
    """(instant, work left of every tile) at every change until all is done."""
    now, told = 0.0, [(0.0, tuple(workers.left))]
    while not workers.all_done and len(told) < most:
        step = workers.next_change(now)
        if step == inf:
            break
        now += step
        workers.advance(step, now)
        for i in workers.tired(now):
            workers.speeds[i] = 0.0
        told.append((round(now, 9), tuple(round(left, 9) for left in workers.left)))
    return told


# --- parts ----------------------------------------------------------------------------------------------------


def test_equal_parts_end_together() -> None:
    assert story(team(2.0, 2.0)) == [(0.0, (2.0, 2.0)), (2.0, (0.0, 0.0))]


def test_the_slowest_decides() -> None:
    workers = team(2.0, 2.0, speeds=[1.0, 0.5], spin=10.0)
    assert story(workers) == [(0.0, (2.0, 2.0)), (2.0, (0.0, 1.0)), (4.0, (0.0, 0.0))]


def test_a_thread_without_a_core_stands_still() -> None:
    workers = team(2.0, 2.0, speeds=[1.0, 0.0], spin=1.0)
    assert story(workers) == [(0.0, (2.0, 2.0)), (2.0, (0.0, 2.0)), (3.0, (0.0, 2.0))]
    assert workers.asleep == [True, False]
    assert not workers.all_done and workers.left == [0.0, 2.0]


def test_what_is_done_before_is_taken_off_every_part() -> None:
    workers = team(2.0, 4.0, done=0.75)
    assert workers.left == [0.5, 1.0]
    assert workers.share_left == 0.25


def test_nothing_to_do() -> None:
    workers = team(0.0, 0.0)
    assert workers.all_done
    assert (workers.flow, workers.share_left) == (0.0, 0.0)


def test_all_done_before() -> None:
    workers = team(2.0, 2.0, done=1.0)
    assert workers.all_done and workers.share_left == 0.0


# --- flow -----------------------------------------------------------------------------------------------------


def test_flow_is_the_share_of_the_work_per_second() -> None:
    workers = team(2.0, 2.0)
    assert workers.flow == 0.5
    workers.speeds = [1.0, 0.0]
    assert workers.flow == 0.25
    workers.advance(2.0, 2.0)
    assert (workers.flow, workers.share_left) == (0.0, 0.5)


def test_paces_weigh_parts() -> None:
    """3 s on a core of pace 1 and 3 s on one of 1/2: two thirds of the work are the first one's."""
    workers = team(3.0, 3.0, pace=[1.0, 0.5], speeds=[1.0, 0.0])
    workers.advance(3.0, 3.0)
    assert workers.share_left == pytest.approx(1 / 3)


# --- tiles ----------------------------------------------------------------------------------------------------


def test_a_part_is_worked_off_tile_by_tile() -> None:
    told = story(team(4.0, tiles=4))
    assert told == [(0.0, (1.0,)), (1.0, (1.0,)), (2.0, (1.0,)), (3.0, (1.0,)), (4.0, (0.0,))]


def test_tiles_done_before() -> None:
    """2.5 of 4 tiles are left: half of one under way, two untouched."""
    workers = team(4.0, tiles=4, done=0.375)
    assert workers.left == [0.5]
    assert workers.share_left == 0.625
    assert [when for when, _ in story(workers)] == [0.0, 0.5, 1.5, 2.5]


def test_whole_tiles_done_before() -> None:
    workers = team(4.0, tiles=4, done=0.5)
    assert workers.left == [1.0]
    assert [when for when, _ in story(workers)] == [0.0, 1.0, 2.0]


def test_who_is_done_takes_over_untouched_tiles() -> None:
    """Thread 1 has no core: thread 0 does its two tiles, then the untouched one of 1; the one begun stays there."""
    workers = team(2.0, 2.0, tiles=2, speeds=[1.0, 0.0], spin=5.0)
    assert story(workers)[:4] == [(0.0, (1.0, 1.0)), (1.0, (1.0, 1.0)), (2.0, (1.0, 1.0)), (3.0, (0.0, 1.0))]
    assert workers.share_left == 0.25


def test_without_tiles_nobody_takes_over() -> None:
    assert team(2.0, 2.0, speeds=[1.0, 0.0]).share_left == 1.0
    workers = team(2.0, 2.0, speeds=[1.0, 0.0])
    workers.advance(2.0, 2.0)
    assert workers.left == [0.0, 2.0]


def test_a_tile_taken_over_takes_longer_on_a_slower_core() -> None:
    """A tile of 1 s on a core of pace 1 is 2 s of a thread of pace 1/2."""
    workers = team(2.0, 2.0, tiles=2, pace=[1.0, 0.5], speeds=[0.0, 1.0], spin=5.0)
    told = story(workers)
    assert told[:4] == [(0.0, (1.0, 1.0)), (1.0, (1.0, 1.0)), (2.0, (1.0, 2.0)), (4.0, (1.0, 0.0))]


def test_the_next_thread_is_asked_first() -> None:
    """Threads 0 and 2 have untouched tiles: 1, done, takes from 2, then from 0."""
    workers = team(2.0, 1.0, 2.0, tiles=2, speeds=[0.0, 1.0, 0.0], spin=9.0)
    assert workers.left == [1.0, 0.5, 1.0]
    workers.advance(0.5, 0.5)
    workers.advance(0.5, 1.0)
    assert workers.left[1] == 1.0 and workers.share_left == pytest.approx(4.0 / 5.0)
    workers.advance(1.0, 2.0)
    workers.advance(1.0, 3.0)
    assert workers.left == [1.0, 0.0, 1.0]


def test_two_that_are_done_do_not_take_the_same_tile() -> None:
    workers = team(1.0, 1.0, 3.0, tiles=3, speeds=[3.0, 3.0, 0.0], spin=9.0)
    for i in range(3):
        workers.advance(1 / 9, (i + 1) / 9)
    assert workers.left == [1.0, 1.0, 1.0]
    assert workers.share_left == pytest.approx(3.0 / 5.0)
    workers.advance(1 / 3, 2 / 3)
    assert workers.left == [0.0, 0.0, 1.0]


# --- waiting --------------------------------------------------------------------------------------------------


def test_who_waits_busily_gets_tired() -> None:
    workers = team(1.0, 4.0, spin=2.0)
    workers.advance(1.0, 1.0)
    assert workers.next_change(1.0) == 2.0
    assert workers.tired(2.9) == []
    assert workers.tired(3.0) == [0]
    assert workers.asleep == [True, False]
    assert workers.tired(3.5) == []
    workers.advance(2.0, 3.0)
    assert workers.next_change(3.0) == 1.0


def test_without_spinning_it_sleeps_at_once() -> None:
    workers = team(1.0, 4.0)
    workers.advance(1.0, 1.0)
    assert workers.next_change(1.0) == 0.0
    assert workers.tired(1.0) == [0]


def test_who_has_no_core_does_not_get_tired() -> None:
    """It is not running, so it cannot go to sleep; on its return it does at once."""
    workers = team(1.0, 4.0, spin=2.0)
    workers.advance(1.0, 1.0)
    workers.speeds = [0.0, 0.0]
    assert (workers.tired(9.0), workers.next_change(9.0)) == ([], inf)
    workers.speeds = [1.0, 0.0]
    assert workers.next_change(9.0) == 0.0
    assert workers.tired(9.0) == [0]


def test_who_has_nothing_to_do_from_the_start_waits_from_the_start() -> None:
    workers = team(0.0, 3.0, spin=2.0)
    assert workers.next_change(0.0) == 2.0
    assert workers.tired(2.0) == [0]


# --- whatever happens -----------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=4),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.25, 0.6]),
    st.data(),
)
def test_work_is_conserved(parts, tiles, done, data) -> None:
    """Speed x pace, summed over the time for which threads work, is the work; no tile is lost or done twice."""
    pace = data.draw(st.lists(st.sampled_from([0.5, 1.0]), min_size=len(parts), max_size=len(parts)))
    workers = team(*parts, tiles=tiles, pace=pace, done=done, spin=1.0)
    now = worked = 0.0
    for _ in range(200):
        workers.speeds = [data.draw(st.sampled_from([0.0, 0.5, 1.0])) for _ in parts]
        if not any(workers.speeds):
            workers.speeds[0] = 1.0
        if workers.all_done:
            break
        step = min(workers.next_change(now), 0.7)
        before = workers.share_left
        worked += workers.flow * step
        now += step
        workers.advance(step, now)
        assert workers.share_left <= before + 1e-9
        workers.tired(now)
    assert worked + workers.share_left == pytest.approx(1.0 - done, abs=1e-6)
