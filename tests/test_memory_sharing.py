"""Dividing DRAM, and what it costs processors to share a tensor."""

from __future__ import annotations

import pytest
from corekit import MAP, POST, SYNC, TRANSFORM, UNMAP, toy
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.device import Sharing, SyncTime
from socsim.devices.memory import max_min_shares
from socsim.devices.sharing import Handover, from_accelerator, handover_time, to_accelerator

# --- DRAM -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("demands", "capacity", "expected"),
    [
        ([], 10.0, []),
        ([4.0], 10.0, [4.0]),
        ([40.0], 10.0, [10.0]),
        ([4.0, 6.0], 10.0, [4.0, 6.0]),
        ([8.0, 8.0], 10.0, [5.0, 5.0]),
        ([8.0, 2.0], 8.0, [6.0, 2.0]),
        ([8.0, 1.0, 8.0, 2.0], 9.0, [3.0, 1.0, 3.0, 2.0]),
        ([0.0, 8.0], 4.0, [0.0, 4.0]),
    ],
)
def test_shares(demands, capacity, expected) -> None:
    assert max_min_shares(demands, capacity) == expected


demands = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=8)


@given(demands, st.floats(0.1, 200.0))
def test_shares_are_max_min_fair(wanted, capacity) -> None:
    """Nobody gets more than wanted, nothing is left over, and who gets less than wanted gets the most of all."""
    shares = max_min_shares(wanted, capacity)
    assert all(s <= w for s, w in zip(shares, wanted, strict=True))
    assert sum(shares) == pytest.approx(min(sum(wanted), capacity))
    for share, want in zip(shares, wanted, strict=True):
        assert share == want or share >= max(shares) * (1 - 1e-9)


@given(demands, st.floats(0.1, 200.0), st.floats(1.0, 4.0))
def test_more_capacity_takes_from_nobody(wanted, capacity, factor) -> None:
    before, after = max_min_shares(wanted, capacity), max_min_shares(wanted, capacity * factor)
    assert all(a >= b * (1 - 1e-9) for a, b in zip(after, before, strict=True))


@given(demands, st.floats(0.1, 200.0), st.randoms())
def test_shares_do_not_depend_on_the_order(wanted, capacity, random) -> None:
    order = list(range(len(wanted)))
    random.shuffle(order)
    shares = max_min_shares(wanted, capacity)
    shuffled = max_min_shares([wanted[i] for i in order], capacity)
    assert shuffled == pytest.approx([shares[i] for i in order])


# --- sharing a tensor -----------------------------------------------------------------------------------------

SHARING = Sharing(
    map_per_byte=0.25, transform_per_byte=2.0, sync=SyncTime(5.0), post_sync=7.0, unmap=3.0, copy_per_byte=0.5
)


def test_reading_what_an_accelerator_wrote() -> None:
    """4 B: transformed if an image, mapped (and copied, where memory is not shared), seen after the sync."""
    assert from_accelerator(SHARING, 4.0, image=True) == Handover(8.0, 3.0, 5.0)
    assert from_accelerator(SHARING, 4.0, image=False) == Handover(0.0, 3.0, 5.0)


def test_giving_a_buffer_back() -> None:
    """Unmapping does not grow with the size; copying does."""
    assert to_accelerator(SHARING, 4.0, image=True) == Handover(8.0, 5.0, 7.0)
    assert to_accelerator(SHARING, 8.0, image=False) == Handover(0.0, 7.0, 7.0)


def test_the_time_of_a_handover_is_the_sum_of_its_steps() -> None:
    assert Handover(1.0, 2.0, 4.0).time == 7.0


def test_synchronisation_does_not_depend_on_the_size() -> None:
    assert from_accelerator(SHARING, 0.0, image=True) == Handover(0.0, 0.0, 5.0)


@pytest.mark.parametrize(
    ("source", "target", "image", "expected"),
    [
        ("cpu", "cpu", False, 0.0),
        ("gpu", "gpu", True, 0.0),
        ("gpu", "cpu", False, MAP + SYNC),
        ("gpu", "cpu", True, TRANSFORM + MAP + SYNC),
        ("cpu", "gpu", False, UNMAP + POST),
        ("cpu", "gpu", True, UNMAP + POST + TRANSFORM),
        ("dsp", "gpu", False, MAP + SYNC + UNMAP + POST),
    ],
)
def test_between_processors(source, target, image, expected) -> None:
    assert handover_time(toy().sharing, 64, source, target, image) == expected
