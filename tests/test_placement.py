"""Which core a waking thread is put on, and which waiting threads move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.placement import balance_moves, choose_core, least_loaded, pull_source
from socsim.devices.threads import Thread

PACE = (1.0, 1.0, 0.5, 0.5)


def thread(*allowed: int, home: int | None = None, last: int = -1, name: str = "t") -> Thread:
    made = Thread(name, "kernel", allowed or (0, 1, 2, 3), home=home)
    made.core = last
    return made


# --- waking up ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("home", "last", "runnable", "core"),
    [
        (2, 0, (0, 0, 0, 0), 2),  # home is idle
        (2, 1, (0, 0, 1, 0), 1),  # home is busy, the last one idle
        (2, 3, (0, 0, 1, 1), 0),  # both busy: the fastest idle one, the first of equals
        (None, -1, (1, 0, 0, 0), 1),
        (None, -1, (1, 1, 1, 0), 3),
        (None, 3, (1, 1, 1, 2), 3),  # no idle core: where it ran last, however full
        (2, 1, (1, 1, 1, 1), 1),
        (2, -1, (1, 1, 3, 1), 2),  # new: its home
        (None, -1, (2, 1, 0, 0), 2),
    ],
)
def test_where_a_thread_wakes_up(home, last, runnable, core) -> None:
    assert choose_core(thread(home=home, last=last), runnable, PACE) == core


def test_only_allowed_cores_count() -> None:
    assert choose_core(thread(2, 3), (0, 0, 1, 0), PACE) == 3
    assert choose_core(thread(2, 3), (0, 0, 1, 2), PACE) == 2


def test_a_new_thread_without_a_home_goes_where_least_is_to_do() -> None:
    """(n + 1) / pace: 3, 2, 4, 4."""
    assert choose_core(thread(), (2, 1, 1, 1), PACE) == 1


@pytest.mark.parametrize(
    ("cores", "runnable", "core"),
    [
        ((0, 1, 2, 3), (0, 0, 0, 0), 0),
        ((2, 3), (9, 9, 1, 0), 3),
        ((0, 2), (1, 0, 0, 0), 0),  # 2 / 1 = 1 / 0.5: the faster one
        ((1, 0), (1, 1, 0, 0), 0),
        ((0, 2), (2, 0, 0, 0), 2),
    ],
)
def test_the_least_loaded_core(cores, runnable, core) -> None:
    assert least_loaded(cores, runnable, PACE) == core


def test_a_thread_stays_on_the_slow_first_core_where_it_ran_last() -> None:
    slow_first = (0.25, 1.0, 1.0, 0.5)
    assert choose_core(thread(last=0), (0, 0, 0, 0), slow_first) == 0
    assert choose_core(thread(last=0), (1, 0, 0, 0), slow_first) == 1
    assert choose_core(thread(), (0, 0, 0, 0), slow_first) == 1


# --- pulling --------------------------------------------------------------------------------------------------


def test_an_idle_core_takes_the_next_of_the_longest_queue() -> None:
    a, b, c = (thread(name=name) for name in "abc")
    assert pull_source(3, [[a], [b, c], [], []]) is b
    assert pull_source(3, [[], [], [], []]) is None


def test_threads_that_may_not_move_are_passed_over() -> None:
    pinned, free, other = thread(1), thread(), thread()
    assert pull_source(3, [[other], [pinned, free], [], []]) is free
    assert pull_source(3, [[other], [pinned, pinned], [], []]) is other
    assert pull_source(3, [[], [pinned], [], []]) is None


def test_of_equal_queues_the_first_gives() -> None:
    a, b = thread(), thread()
    assert pull_source(3, [[a], [b], [], []]) is a


# --- balancing ------------------------------------------------------------------------------------------------


def test_nothing_moves_while_no_core_has_two_more() -> None:
    assert balance_moves([[thread()], [], [], []], (2, 1, 1, 1)) == []


def test_the_last_of_the_fullest_queue_moves_to_the_emptiest_core() -> None:
    a, b = thread(name="a"), thread(name="b")
    assert balance_moves([[a, b], [], [], []], (3, 1, 1, 1)) == [(b, 1)]


def test_moves_go_on_until_all_is_level() -> None:
    a, b, c, d = (thread(name=name) for name in "abcd")
    moves = balance_moves([[a, b, c, d], [], [], []], (5, 1, 1, 1))
    assert [(moved.name, core) for moved, core in moves] == [("d", 1), ("c", 2), ("b", 3)]


def test_a_thread_moves_once_to_where_it_ends_up() -> None:
    """Core 1 gives two threads to core 0; the one that waits there goes to core 2, and on to core 3 when 2 is full."""
    wanderer = thread(0, 2, 3, last=0, name="w")
    others = [thread(*mask, last=1) for mask in ((0, 1), (0, 1), (0, 1, 2), (0, 1), (0, 1))]
    moves = balance_moves([[wanderer], others, [], []], (2, 6, 1, 1))
    assert [core for moved, core in moves if moved is wanderer] == [3]


def test_the_fullest_queue_gives_first() -> None:
    """Core 0 has two more than core 2 has, core 1 three more: after one move from there nothing has to move."""
    a, b, c = (thread(name=name) for name in "abc")
    assert balance_moves([[a], [b, c], [], []], (3, 4, 1, 3)) == [(c, 2)]


def test_of_cores_as_full_the_first_gives_and_the_first_takes() -> None:
    a, b = thread(name="a"), thread(name="b")
    assert balance_moves([[], [a], [b], []], (1, 3, 3, 1)) == [(a, 0), (b, 3)]


def test_pinned_threads_stay() -> None:
    assert balance_moves([[thread(0), thread(0)], [], [], []], (3, 0, 0, 0)) == []
    mixed = thread(0, 1)
    assert balance_moves([[mixed, thread(0)], [], [], []], (3, 1, 0, 0)) == [(mixed, 1)]


@given(st.lists(st.lists(st.sets(st.integers(0, 3), min_size=1), max_size=5), min_size=4, max_size=4))
def test_balancing_loses_nobody_and_levels_what_it_can(masks) -> None:
    """Each core runs one thread that stays, and the queues wait; a thread may always stay where it is."""
    queues = [[thread(*sorted(mask | {core}), last=core) for mask in own] for core, own in enumerate(masks)]
    counts = [len(queue) + 1 for queue in queues]
    moves = balance_moves(queues, counts)
    where = {id(t): core for core, queue in enumerate(queues) for t in queue}
    assert len({id(moved) for moved, _ in moves}) == len(moves)
    for moved, target in moves:
        assert target in moved.allowed and target != moved.core
        counts[where[id(moved)]] -= 1
        counts[target] += 1
        where[id(moved)] = target
    for t in (t for queue in queues for t in queue):
        assert counts[where[id(t)]] - min(counts[core] for core in t.allowed) < 2
    assert sum(counts) == sum(len(queue) + 1 for queue in queues)
