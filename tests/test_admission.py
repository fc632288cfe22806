"""Who starts, who waits, who is dropped: decisions without a clock."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.simulation.admission import Admission, Ticket, Waiting


def ticket(number: int) -> Ticket:
    return Ticket(number, float(number), -1.0)


def play(admission: Admission, moves: str) -> tuple[str, list[int]]:
    """Arrivals ``a`` and ends ``e``: who starts and is dropped in order (``+0 -1``), and who waits at the end."""
    told, number = [], 0
    for move in moves:
        if move == "a":
            if admission.enter():
                told.append(f"+{number}")
            elif (dropped := admission.arrive(ticket(number))) is not None:
                told.append(f"-{dropped.number}")
            number += 1
        elif admission.under_way:
            admission.leave()
        while (begun := admission.next()) is not None:
            told.append(f"+{begun.number}")
    return " ".join(told), [t.number for t in admission.waiting]


@pytest.mark.parametrize(
    ("admission", "moves", "told", "waiting"),
    [
        (Admission("queue"), "aaaaee", "+0 +1 +2", [3]),
        (Admission("queue", limit=1), "aaaaeeaa", "+0 -2 -3 +1 +4", [5]),
        (Admission("queue", limit=2), "aaaaeeaa", "+0 -3 +1 +2", [4, 5]),
        (Admission("latest"), "aaaaeeaa", "+0 -1 -2 +3 +4", [5]),
        (Admission("skip"), "aaaeaae", "+0 -1 -2 +3 -4", []),
        (Admission("queue", concurrency=2), "aaaaee", "+0 +1 +2 +3", []),
        (Admission("latest", concurrency=2), "aaaaeea", "+0 +1 -2 +3 +4", []),
        (Admission("skip", concurrency=2), "aaaeaa", "+0 +1 -2 +3 -4", []),
        (Admission("queue", concurrency=None), "aaaa", "+0 +1 +2 +3", []),
    ],
)
def test_decisions(admission: Admission, moves: str, told: str, waiting: list[int]) -> None:
    assert play(admission, moves) == (told, waiting)


@given(
    st.sampled_from(["queue", "latest", "skip"]),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.text("ae", max_size=60),
)
def test_whatever_happens_nobody_is_lost(
    policy: str, limit: int | None, concurrency: int | None, moves: str
) -> None:
    admission = Admission(policy, limit if policy == "queue" else None, concurrency)
    told, waiting = play(admission, moves)
    started = [int(item[1:]) for item in told.split() if item[0] == "+"]
    dropped = [int(item[1:]) for item in told.split() if item[0] == "-"]
    assert sorted(started + dropped + waiting) == list(range(moves.count("a")))
    assert started == sorted(started) and waiting == sorted(waiting)
    assert concurrency is None or admission.under_way <= concurrency
    assert len(waiting) <= {"queue": limit or len(moves), "latest": 1, "skip": 0}[policy]
    assert not (waiting and admission.free)


@given(st.lists(st.booleans(), max_size=600))
def test_waiting_is_a_fifo(pushes: list[bool]) -> None:
    waiting, model, number = Waiting(), list[int](), 0
    for push in pushes:
        if push or not model:
            waiting.push(Ticket(number, number + 0.5, -1.0 if number % 2 else 0.25))
            model.append(number)
            number += 1
        else:
            assert waiting.pop().number == model.pop(0)
        assert len(waiting) == len(model)
    expected = [Ticket(n, n + 0.5, -1.0 if n % 2 else 0.25) for n in model]
    assert list(waiting) == expected


def test_one_that_waits_costs_three_numbers() -> None:
    waiting = Waiting()
    tracemalloc.start()
    for number in range(50_000):
        waiting.push(ticket(number))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 24 <= size / 50_000 < 32


def test_what_left_the_queue_is_forgotten() -> None:
    waiting = Waiting()
    tracemalloc.start()
    for number in range(50_000):
        waiting.push(ticket(number))
        if number >= 10:
            waiting.pop()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(waiting) == 10 and size < 20_000
