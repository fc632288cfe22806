"""Thermal governors: what each decides from small tables of readings."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.thermal import Temperatures, ThermalModel, ThermalNode, ThermalZone, Trip
from socsim.devices.thermal_spec import GovernorSpec
from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.governors.thermal import (
    THERMAL_GOVERNORS,
    ActorView,
    BangBang,
    FairShare,
    PowerAllocator,
    StepWise,
    ThermalGovernor,
    ZoneView,
    divide,
    make_thermal_governor,
)

OPPS = ((1e9, 0.25), (1.5e9, 0.5), (2e9, 1.0))
"""States 0, 1, 2 allow 2, 1.5 and 1 GHz."""
BIG = ActorView("cpu.big", OPPS, frequency=2e9, load=2.0, units=2)
GPU = ActorView("gpu", ((3e8, 0.5), (6e8, 2.0)), frequency=6e8, load=1.0)


def zone(*trips: Trip, **options) -> ThermalZone:
    return ThermalZone("soc", "soc", trips, period=1.0, passive_period=0.1, **options)


def replay(governor: ThermalGovernor, where: ThermalZone, readings, *actors: ActorView):
    """Caps in GHz at each of a row of readings, by domain."""
    seen, caps = -inf, []
    for i, temperature in enumerate(readings):
        view = ZoneView(where, 0.1 * i, temperature, {a.name: a for a in actors}, previous=seen)
        caps.append({name: cap / 1e9 for name, cap in governor.caps(view).items()})
        seen = temperature
    return caps


# --- views --------------------------------------------------------------------------------------------------------


def test_trends():
    view = ZoneView(zone(), 0.0, 50.0, {}, previous=49.0)
    trends = [replace(view, temperature=t).trend for t in (50.0, 49.0, 48.9)]
    assert trends == ["raising", "stable", "dropping"]
    assert ZoneView(zone(), 0.0, 20.0, {}).trend == "raising"
    assert view.period == 0.1


def test_states_are_numbers_of_clocks_taken_away():
    assert [BIG.clock(state) for state in range(3)] == [2e9, 1.5e9, 1e9]
    assert [BIG.power(state) for state in range(3)] == [2.0, 1.0, 0.5]
    caps = (inf, 2e9, 1.9e9, 1.5e9, 1e9, 1e8)
    assert [replace(BIG, cap=cap).other_state for cap in caps] == [0, 0, 1, 1, 2, 2]


def test_requested_power_is_that_of_the_present_clock_and_load():
    assert BIG.requested == 2.0
    assert replace(BIG, frequency=1.2e9, load=0.5).requested == 0.25
    assert replace(BIG, frequency=9e9).requested == 2.0


# --- step_wise ----------------------------------------------------------------------------------------------------

PASSIVE = zone(Trip("passive", 90.0, 2.0, ("cpu.big",)), Trip("hot", 92.0), Trip("critical", 110.0))


def test_step_wise_goes_down_while_it_warms_up_and_back_while_it_cools_down():
    readings = [80, 90, 91, 91, 92, 91, 93, 89, 88, 88, 87, 86]
    expected = [2, 1.5, 1, 1, 1, 1, 1, 1.5, 2, 2, 2, 2]
    got = replay(StepWise(), PASSIVE, readings, BIG)
    assert [caps.get("cpu.big", 2.0) for caps in got] == expected


def test_step_wise_holds_below_the_trip_while_it_warms_up():
    got = replay(StepWise(), PASSIVE, [91, 88, 89, 89, 88], BIG)
    assert [caps.get("cpu.big", 2.0) for caps in got] == [1.5, 2.0, 2.0, 2.0, 2.0]
    got = replay(StepWise(), PASSIVE, [91, 92, 88, 89, 89, 88], BIG)
    assert [caps.get("cpu.big", 2.0) for caps in got] == [1.5, 1.0, 1.5, 1.5, 1.5, 2.0]


def test_step_wise_first_reading_above_a_trip_throttles_whatever_the_trend():
    view = ZoneView(PASSIVE, 0.0, 95.0, {"cpu.big": BIG}, previous=99.0)
    assert StepWise().caps(view) == {"cpu.big": 1.5e9}


def test_step_wise_reads_often_until_it_has_let_go():
    """After the step to state 0 the trip is held for one more reading that falls."""
    governor, periods = StepWise(), []
    for temperature, before in ((80, -inf), (90, 80), (89, 90), (89, 89), (88, 89)):
        governor.caps(ZoneView(PASSIVE, 0.0, temperature, {"cpu.big": BIG}, previous=before))
        periods.append(governor.next_period(PASSIVE))
    assert periods == [1.0, 0.1, 0.1, 0.1, 1.0]


def test_step_wise_takes_a_step_for_each_trip():
    """And the second sees the first one's: two at 96 C. At 94 C the trip of 90 C holds its one."""
    two = zone(
        Trip("passive", 90.0, throttles=("cpu.big",)), Trip("passive", 95.0, throttles=("cpu.big", "gpu"))
    )
    got = replay(StepWise(), two, [96, 94, 93], BIG, GPU)
    assert got == [{"cpu.big": 1.0, "gpu": 0.3}, {"cpu.big": 1.5}, {"cpu.big": 1.5}]


def test_step_wise_starts_from_what_other_zones_have_set():
    assert replay(StepWise(), PASSIVE, [90], replace(BIG, cap=1.5e9)) == [{"cpu.big": 1.0}]
    assert replay(StepWise(), PASSIVE, [80, 79], replace(BIG, cap=1e9)) == [{}, {"cpu.big": 1.5}]


def test_nothing_is_throttled_without_a_passive_trip():
    bare = zone(Trip("hot", 90.0), Trip("critical", 110.0))
    for name in THERMAL_GOVERNORS:
        assert replay(make_thermal_governor(name), bare, [100, 120], BIG) == [{}, {}]


# --- bang_bang and fair_share -------------------------------------------------------------------------------------


def test_bang_bang_is_on_from_the_trip_to_its_hysteresis_below():
    readings = [89, 90, 95, 89, 88.1, 88, 89.9, 90]
    got = replay(BangBang(), PASSIVE, readings, BIG)
    assert [caps.get("cpu.big", 2.0) for caps in got] == [2, 1.5, 1.5, 1.5, 1.5, 2, 2, 1.5]
    assert replay(BangBang(state=5), PASSIVE, [90], BIG) == [{"cpu.big": 1.0}]


def test_bang_bang_never_reads_more_often():
    governor = BangBang()
    replay(governor, PASSIVE, [95], BIG)
    assert governor.next_period(PASSIVE) == 1.0


def test_fair_share_takes_states_by_trips_passed_and_weights():
    """Nine clocks, states 0 to 8; four trips. At two of them, half of the states; of these, by weight, 75 and 25 %."""
    opps = tuple((f * 1e8, f * 0.1) for f in range(1, 10))
    both = ("cpu.big", "gpu")
    actors = ActorView("cpu.big", opps), ActorView("gpu", opps)
    trips = (*(Trip("passive", t, throttles=both) for t in (70.0, 80.0, 90.0)), Trip("critical", 110.0))
    weighted = zone(*trips, weights={"cpu.big": 3.0, "gpu": 1.0})
    # 75 % of 8 by quarters: 1.5, 3, 4.5; 25 %: 0.5, 1, 1.5
    assert replay(FairShare(), weighted, [69, 70, 80, 90], *actors) == [
        {},
        {"cpu.big": 0.8},
        {"cpu.big": 0.6, "gpu": 0.8},
        {"cpu.big": 0.5, "gpu": 0.8},
    ]
    assert replay(FairShare(), zone(*trips), [90, 85, 60], *actors) == [
        {"cpu.big": 0.6, "gpu": 0.6},
        {"cpu.big": 0.7, "gpu": 0.7},
        {},
    ]


# --- power_allocator ----------------------------------------------------------------------------------------------

IPA = zone(
    Trip("passive", 70.0), Trip("passive", 80.0, throttles=("cpu.big", "gpu")), Trip("critical", 110.0)
)
HUNGRY = (
    ActorView("cpu.big", ((1e9, 1.0), (2e9, 10.0)), frequency=2e9, load=4.0, units=4),
    ActorView("gpu", ((3e8, 0.5), (6e8, 40.0)), frequency=6e8, load=1.0),
)
"""Each asks for 40 W, and may have it."""


def budgets(governor: PowerAllocator, readings, *actors: ActorView) -> list[float]:
    found = []
    for temperature in readings:
        view = ZoneView(IPA, 0.0, temperature, {a.name: a for a in actors})
        governor.caps(view)
        found.append(governor.budget)
    return found


def test_the_budget_is_three_times_the_sustainable_power_at_first_and_itself_at_the_trip():
    """Slope 2 S over 10 K: 3 S at 70 C, 2 S at 75 C, S at 80 C."""
    assert budgets(PowerAllocator(2.0), [69.9, 70, 75, 80], *HUNGRY) == [inf, 6.0, 4.0, 2.0]


def test_above_the_trip_the_other_gain_and_the_integral_hold():
    """k_po 0.2 W/K, k_i 0.04 W/K: at 82 C 2 - 0.4 - 0.08, then again with 0.16; at 80 C and below the sum stays."""
    got = budgets(PowerAllocator(2.0), [82, 82, 80, 79], *HUNGRY)
    assert got == pytest.approx([1.52, 1.44, 1.84, 2.0 + 0.4 - 0.16])


def test_the_integral_grows_below_the_trip_only_within_its_cutoff():
    """With 5 K, an error of 6 K is left out and one of 4 K counts: 0.04 x 4 W."""
    got = budgets(PowerAllocator(2.0, integral_cutoff=5.0), [74, 76, 76], *HUNGRY)
    assert got == pytest.approx([2 + 2.4, 2 + 1.6 + 0.16, 2 + 1.6 + 0.32])


def test_the_integral_stops_at_the_highest_power():
    small = ActorView("gpu", ((3e8, 0.01), (6e8, 0.1)), frequency=6e8, load=1.0)
    governor = PowerAllocator(0.1, k_po=0.0, k_pu=0.0, k_i=0.03)
    where = zone(Trip("passive", 70.0), Trip("passive", 80.0, throttles=("gpu",)))
    got = []
    for temperature in (81, 81, 81, 81, 80):
        governor.caps(ZoneView(where, 0.0, temperature, {"gpu": small}))
        got.append(governor.budget)
    assert got == pytest.approx([0.07, 0.04, 0.01, 0.01, 0.01])


def test_the_derivative_acts_over_a_period():
    """0.1 W s/K; errors 5, 4, 4 K: 5 W at first, as the error before is taken as 0, then -1 W, then none."""
    governor = PowerAllocator(2.0, k_pu=0.0, k_d=0.1)
    assert budgets(governor, [75, 76, 76], *HUNGRY) == pytest.approx([7.0, 1.0, 2.0])


def test_below_the_first_trip_everything_is_forgotten():
    governor = PowerAllocator(2.0)
    assert budgets(governor, [85, 69, 80], *HUNGRY)[1:] == [inf, 2.0]
    assert governor.passive
    budgets(governor, [60], *HUNGRY)
    assert (governor.passive, governor.granted) == (False, {})
    assert governor.next_period(IPA) == 1.0


def test_budgets_stay_between_nothing_and_all():
    assert budgets(PowerAllocator(2.0), [70], BIG, GPU) == [4.0]
    assert budgets(PowerAllocator(2.0, k_po=1.0), [90], *HUNGRY) == [0.0]


def test_without_a_sustainable_power_it_is_the_least_that_the_domains_draw():
    """Two cores at 0.25 W and a GPU at 0.5 W."""
    assert budgets(PowerAllocator(), [80], BIG, GPU) == [1.0]


def test_one_passive_trip_is_always_controlled():
    """The slope is then over the trip's temperature in degrees Celsius: 2 + 2 x 2/80 x 40 W at 40 C."""
    where = zone(Trip("passive", 80.0, throttles=("cpu.big",)))
    governor = PowerAllocator(2.0)
    governor.caps(ZoneView(where, 0.0, 40.0, {"cpu.big": HUNGRY[0]}))
    assert governor.budget == pytest.approx(4.0)


def test_grants_become_the_fastest_clocks_that_fit():
    """At 80 C 2 W for requests of 2 and 2 W: 1 W each. Two busy cores at 0.5 W: 1.5 GHz; a GPU of 1 W: its slowest."""
    governor = PowerAllocator(2.0)
    caps = governor.caps(ZoneView(IPA, 0.0, 80.0, {"cpu.big": BIG, "gpu": GPU}))
    assert governor.granted == {"cpu.big": 1.0, "gpu": 1.0}
    assert caps == {"cpu.big": 1.5e9, "gpu": 3e8}


def test_a_domain_that_is_half_idle_may_run_faster_on_the_same_power():
    half = replace(BIG, load=1.0)
    caps = PowerAllocator(2.0).caps(
        ZoneView(IPA, 0.0, 80.0, {"cpu.big": half, "gpu": replace(GPU, load=0.5)})
    )
    assert caps == {}


def test_an_idle_domain_gets_its_slowest_clock():
    caps = PowerAllocator(2.0).caps(ZoneView(IPA, 0.0, 80.0, {"cpu.big": replace(BIG, load=0.0), "gpu": GPU}))
    assert caps == {"cpu.big": 1e9}


def test_weights_shift_power():
    """3 : 1 of 2 W; the big cores' 1.5 W fit 0.75 W each, so 1.5 GHz."""
    governor = PowerAllocator(2.0)
    weighted = replace(IPA, weights={"cpu.big": 3.0, "gpu": 1.0})
    governor.caps(ZoneView(weighted, 0.0, 80.0, {"cpu.big": BIG, "gpu": GPU}))
    assert governor.granted == {"cpu.big": 1.5, "gpu": 0.5}


def test_division():
    assert divide(6.0, [1.0, 2.0], [10.0, 10.0]) == [2.0, 4.0]
    # 4.5 W for one that can use 3: its 1.5 W go to those with room for 2 and 1 W
    assert divide(9.0, [2.0, 1.0, 1.0], [3.0, 4.25, 3.25]) == pytest.approx([3.0, 3.25, 2.75])
    assert divide(9.0, [1.0, 1.0], [2.0, 3.0]) == [2.0, 3.0]
    assert divide(9.0, [0.0, 0.0], [2.0, 3.0]) == [0.0, 0.0]
    assert divide(0.0, [1.0, 1.0], [2.0, 3.0]) == [0.0, 0.0]


@given(
    st.floats(0.0, 50.0),
    st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.01, 10.0)), min_size=1, max_size=5),
)
def test_division_grants_no_more_than_there_is_and_wastes_nothing(budget, actors):
    requests, highest = [a for a, _ in actors], [b for _, b in actors]
    parts = divide(budget, requests, highest)
    assert all(-1e-9 <= part <= most + 1e-9 for part, most in zip(parts, highest, strict=True))
    expected = min(budget, sum(highest)) if sum(requests) else 0.0
    assert sum(parts) == pytest.approx(expected, abs=1e-6)


# --- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", THERMAL_GOVERNORS)
def test_caps_are_clocks_of_the_domains(name):
    where = zone(Trip("passive", 70.0), Trip("passive", 80.0, 2.0, ("cpu.big", "gpu")))
    for caps in replay(make_thermal_governor(name), where, [60, 75, 85, 95, 85, 75, 65, 60], BIG, GPU):
        assert caps.get("cpu.big", 2.0) * 1e9 in {f for f, _ in OPPS}
        assert caps.get("gpu", 0.6) * 1e9 in {3e8, 6e8}


@pytest.mark.parametrize("name", ["step_wise", "bang_bang", "power_allocator"])
def test_a_loop_with_the_network_keeps_near_the_trip(name):
    """Two cores of 1 W each would warm the node to 105 C; at 1.5 GHz it tends to 65, at 1 GHz to 45 C."""
    model = ThermalModel(25.0, (ThermalNode("soc", 0.05, 40.0, {"cpu.big": 1.0}),))
    where = zone(Trip("passive", 70.0), Trip("passive", 80.0, 2.0, ("cpu.big",)))
    options = {"sustainable_power": 1.375} if name == "power_allocator" else {}
    governor, present = make_thermal_governor(name, options), Temperatures(model)
    clock, before, warm = 2e9, -inf, []
    for i in range(400):
        temperature = present.of("soc")
        actor = replace(BIG, frequency=clock)
        caps = governor.caps(ZoneView(where, 0.1 * i, temperature, {"cpu.big": actor}, previous=before))
        clock, before = caps.get("cpu.big", 2e9), temperature
        present.advance(0.1, {"cpu.big": 2 * dict(OPPS)[clock]})
        warm.append(present.of("soc"))
    assert max(warm) < 85
    assert min(warm[100:]) > 60


def test_governors_by_name():
    assert isinstance(make_thermal_governor("step_wise"), StepWise)
    assert make_thermal_governor("step_wise") is not make_thermal_governor("step_wise")
    with pytest.raises(
        UnknownNameError, match="unknown thermal governor 'stepwise'; did you mean 'step_wise'"
    ):
        make_thermal_governor("stepwise")
    with pytest.raises(
        UsageError, match="thermal governor 'bang_bang': got an unexpected keyword argument 'k_i'"
    ):
        make_thermal_governor("bang_bang", {"k_i": 1.0})
    with pytest.raises(UsageError, match="bang_bang takes away 1 operating point or more, got 0"):
        BangBang(state=0)


def test_device_files_know_the_same_governors_and_parameters():
    assert set(get_args(GovernorSpec.model_fields["name"].annotation)) == set(THERMAL_GOVERNORS)
    gains = {"sustainable_power": "2 W", "k_po": "1 W/K", "k_pu": "1 W/K", "k_i": "1 W/K", "k_d": "1 J/K"}
    for name, options in (
        ("bang_bang", {"state": 2}),
        ("power_allocator", {**gains, "integral_cutoff": "1 K"}),
    ):
        make_thermal_governor(name, GovernorSpec(name=name, **options).options)


def test_a_governor_of_ones_own():
    class Half(ThermalGovernor):
        def caps(self, view):
            return {
                name: actor.clock(actor.max_state)
                for name, actor in view.actors.items()
                if view.temperature > 60
            }

    assert replay(Half(), PASSIVE, [50, 61], BIG) == [{}, {"cpu.big": 1.0}]
    assert Half().next_period(PASSIVE) == 1.0
