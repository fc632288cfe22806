"""Energy-aware decisions, worked out by hand: two big cores of 1024 and 4 W, two little ones of 512 and 1 W."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.eas import (
    EnergyDomain,
    Usage,
    Waking,
    efficient_core,
    energy_domains,
    fits,
    is_asymmetric,
    misfit_moves,
    overutilised,
)
from socsim.devices.profile import load_device

CAPACITIES = (1024.0, 1024.0, 512.0, 512.0)
ALL = (0, 1, 2, 3)


def domains(little: float = 1.0) -> tuple[EnergyDomain, ...]:
    return EnergyDomain((0, 1), ((1024.0, 4.0),)), EnergyDomain((2, 3), ((512.0, little),))


def usage(*averages: float, expected: tuple[float, ...] = (0.0,) * 4) -> list[Usage]:
    return [Usage(a, e) for a, e in zip(averages or (0.0,) * 4, expected, strict=True)]


def choose(
    utilisation: float, last: int, *averages: float, allowed=ALL, little=1.0, average: float | None = None, **options
) -> int:  # fmt: skip
    """Where a thread wakes up; its last core's average holds its own."""
    own = utilisation if average is None else average
    used = usage(*averages, **options)
    used[last] = replace(used[last], average=used[last].average + own)
    return efficient_core(Waking(own, utilisation, last, tuple(allowed)), used, domains(little))


# --- capacity -------------------------------------------------------------------------------------------------


def test_a_fifth_of_the_capacity_stays_free() -> None:
    assert fits(819.2, 1024.0) and not fits(819.3, 1024.0)
    assert not overutilised((819.0, 0.0, 409.0, 0.0), CAPACITIES)
    assert overutilised((819.0, 0.0, 410.0, 0.0), CAPACITIES)


# --- the energy model -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("utilisations", "power"),
    [
        ((0.0, 0.0), 0.0),
        ((100.0, 200.0), 1.0 * 300 / 256),  # 250 of capacity wanted
        ((100.0, 210.0), 3.0 * 310 / 512),  # 262.5: the next point
        ((600.0, 0.0), 3.0 * 600 / 512),  # none serves it: the highest
    ],
)
def test_the_core_used_most_decides_on_the_clock(utilisations: tuple[float, float], power: float) -> None:
    domain = EnergyDomain((0, 1), ((256.0, 1.0), (512.0, 3.0)))
    assert domain.power(utilisations) == pytest.approx(power)


def test_the_energy_model_of_a_phone() -> None:
    """Capacity by clock, and coefficient x f x V^2 of the device's file: 72.5 mW of an A55 at its highest clock."""
    phone = load_device("xiaomi-9")
    silver, gold, prime = energy_domains(phone)
    assert (silver.cores, gold.cores, prime.cores) == ((0, 1, 2, 3), (4, 5, 6), (7,))
    assert (silver.capacity, gold.capacity, prime.capacity) == (307.0, 872.0, 1024.0)
    assert silver.points[0] == pytest.approx((307 * 300 / 1785.6, 61e-6 * 300 * 0.36))
    assert silver.points[-1][1] == pytest.approx(61e-6 * 1785.6 * 0.816**2)
    assert gold.points[-1][1] == pytest.approx(318.3e-6 * 2419.2)
    assert is_asymmetric(phone)
    assert not is_asymmetric(replace(phone, clusters=phone.clusters[:1]))


@pytest.mark.parametrize("name", ["xiaomi-9", "honor-v30-pro"])
@pytest.mark.parametrize("utilisation", [10.0, 50.0])
def test_little_work_costs_least_on_the_phones_little_cores(name: str, utilisation: float) -> None:
    little, *others = energy_domains(load_device(name))
    least = little.power([utilisation])
    assert all(least < other.power([utilisation]) for other in others)


# --- waking up ------------------------------------------------------------------------------------------------


def test_a_light_thread_leaves_a_big_core() -> None:
    """100 of 512 at 1 W cost 0.195 W, 100 of 1024 at 4 W 0.39 W."""
    assert choose(100.0, 0) == 2


def test_a_light_thread_stays_on_its_little_core() -> None:
    assert choose(100.0, 3) == 3


@pytest.mark.parametrize(("little", "core"), [(1.8, 2), (1.87, 2), (1.88, 0), (1.9, 0), (2.0, 0), (3.0, 0)])
def test_a_move_has_to_save_a_sixteenth(little: float, core: int) -> None:
    """Equal at 2 W; a 16th less is 1.875 W."""
    assert choose(100.0, 0, little=little) == core


def test_the_sixteenth_is_one_of_all_energy() -> None:
    """Core 1 uses 3.125 W: 0.195 W saved are less than a 16th of 3.5 W; with 2.5 W they are more."""
    assert choose(100.0, 0, 0.0, 800.0, 0.0, 0.0) == 0
    assert choose(100.0, 0, 0.0, 640.0, 0.0, 0.0) == 2


@pytest.mark.parametrize(("utilisation", "core"), [(409.0, 2), (410.0, 0)])
def test_what_does_not_fit_a_little_core_stays_big(utilisation: float, core: int) -> None:
    assert choose(utilisation, 0) == core


def test_what_others_use_counts() -> None:
    """Of the little cores the emptier one; none if both are too full."""
    assert choose(100.0, 0, 0.0, 0.0, 200.0, 100.0) == 3
    assert choose(100.0, 0, 0.0, 0.0, 320.0, 330.0) == 0


def test_threads_expected_to_run_count_as_well() -> None:
    assert choose(100.0, 0, expected=(0.0, 0.0, 200.0, 0.0)) == 3


def test_what_is_remembered_of_a_thread_decides_where_it_fits() -> None:
    """It has slept long, but usually needs 500."""
    assert choose(500.0, 0, average=1.0) == 0
    assert choose(500.0, 2, average=1.0) == 0


def test_a_last_core_that_is_too_full_is_left_whatever_it_costs() -> None:
    """With 700 of others on core 0, a thread of 200 does not fit there."""
    assert choose(200.0, 0, 700.0, 0.0, 0.0, 0.0, allowed=(0, 1)) == 1


def test_what_fits_nowhere_stays() -> None:
    assert choose(900.0, 0) == 0
    assert choose(900.0, 2) == 2


def test_affinity_holds() -> None:
    assert choose(100.0, 0, allowed=(0, 1)) == 0
    assert choose(100.0, 0, allowed=(0, 3)) == 3


def test_next_to_nothing_stays() -> None:
    assert choose(0.99, 0) == 0
    assert choose(1.01, 0) == 2


def test_of_equal_cores_the_first() -> None:
    assert choose(100.0, 0) == 2
    assert choose(300.0, 2, allowed=(0, 1)) == 0


def test_a_crowded_clock_domain_costs_more() -> None:
    """Joining core 0 at 200 raises the clock for both; core 1 has room at the low point."""
    domain = EnergyDomain((0, 1), ((256.0, 1.0), (512.0, 3.0)))
    waking = Waking(100.0, 100.0, 0, (0, 1))
    assert efficient_core(waking, [Usage(300.0), Usage(0.0)], [domain]) == 1
    assert efficient_core(waking, [Usage(200.0), Usage(0.0)], [domain]) == 0


@given(
    st.lists(st.floats(0.0, 1024.0), min_size=4, max_size=4),
    st.floats(0.0, 1024.0),
    st.floats(0.0, 1024.0),
    st.sets(st.integers(0, 3), min_size=1).flatmap(
        lambda allowed: st.tuples(st.just(tuple(sorted(allowed))), st.sampled_from(sorted(allowed)))
    ),
)
def test_a_choice_is_allowed_and_fits_or_is_the_last_core(averages, average, expected, where) -> None:
    allowed, last = where
    used = usage(*averages)
    core = efficient_core(Waking(average, expected, last, allowed), used, domains())
    assert core in allowed
    if core != last:
        assert fits(max(used[core].average + average, used[core].expected + expected), CAPACITIES[core])


# --- outgrown cores -------------------------------------------------------------------------------------------


def test_who_has_outgrown_its_core_moves_to_an_idle_larger_one() -> None:
    assert misfit_moves([(2, 450.0, ALL)], [0, 1, 3], CAPACITIES) == [(0, 0)]
    assert misfit_moves([(2, 450.0, ALL)], [1, 3], CAPACITIES) == [(0, 1)]


def test_who_fits_or_has_nowhere_to_go_stays() -> None:
    assert misfit_moves([(2, 400.0, ALL)], [0, 1, 3], CAPACITIES) == []
    assert misfit_moves([(2, 450.0, ALL)], [3], CAPACITIES) == []
    assert misfit_moves([(2, 450.0, (2, 3))], [0, 1], CAPACITIES) == []
    assert misfit_moves([(0, 1000.0, ALL)], [1, 2, 3], CAPACITIES) == []


def test_the_largest_goes_first_and_each_core_is_taken_once() -> None:
    rows = [(2, 450.0, ALL), (3, 500.0, ALL)]
    assert misfit_moves(rows, [0, 1], CAPACITIES) == [(1, 0), (0, 1)]
    assert misfit_moves(rows, [1], CAPACITIES) == [(1, 1)]
    assert misfit_moves([(2, 450.0, ALL), (3, 450.0, ALL)], [0], CAPACITIES) == [(0, 0)]


def test_the_largest_core_is_taken() -> None:
    capacities = (1024.0, 872.0, 307.0)
    assert misfit_moves([(2, 300.0, (0, 1, 2))], [0, 1], capacities) == [(0, 0)]
    assert misfit_moves([(1, 800.0, (0, 1, 2))], [0, 2], capacities) == [(0, 0)]
