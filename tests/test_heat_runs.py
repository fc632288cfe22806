"""Heat in runs of the toy phone: zones and their governors against closed forms, and what does not depend on readings.

One node of 10 J/K and 2 K/W to air of 20 C has a time constant of 20 s; it is warmed by the big cores, of which one
computes without end at 3, 1.3125 or 0.625 W (1, 0.5 and 0.25 Hz) while the other idles at 0.5 W.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import exp, inf

import pytest
from corekit import BUFFER, CPU, LIBRARY, SHARING, Fixed, net
from hypothesis import given, settings
from hypothesis import strategies as st
from test_clocks import OPPS, phone

from socsim.devices.device import Device
from socsim.devices.thermal import Coupling, ThermalModel, ThermalNode, ThermalZone, Trip
from socsim.schedulers.governors import Governor
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

WATTS = {1.0: 3.5, 0.5: 1.8125, 0.25: 1.125}
"""Clock of the big cores in Hz -> power in W with one of them busy: 2 f V^2 + V, and 0.5 for the other."""
CLOCKS = (1.0, 0.5, 0.25)
"""By state: how many of the fastest operating points are taken away."""
ENDLESS = net("a:100000 x")


def trip(temperature: float, hysteresis: float = 0.0, *domains: str, kind: str = "passive") -> Trip:
    return Trip(kind, temperature, hysteresis, domains or ("cpu.big",))


def zone(name: str, governor: str, *trips: Trip, node: str = "chip", **options) -> ThermalZone:
    return ThermalZone(name, node, trips, governor, **{"period": 1.0, "passive_period": 1.0, **options})


def warm(
    *zones: ThermalZone, nodes: Sequence[ThermalNode] = (), couplings: Sequence[Coupling] = ()
) -> Device:
    nodes = tuple(nodes) or (ThermalNode("chip", 10.0, 2.0, {"cpu.big": 1.0}),)
    return replace(phone(), thermal=ThermalModel(20.0, nodes, tuple(couplings), zones))


def simulated(device: Device, until: float, apps: Sequence = (), **options) -> Outcome:
    app = Inference(ENDLESS, Fixed({"a": CPU}), library=LIBRARY, count=1)
    simulation = Simulation(
        device, apps or [app], duration=until, **{"mechanisms": SHARING, "heat": 20.0, **options}
    )
    done = simulation.run()
    simulation.validate()
    return done


def clocks(done: Outcome, name: str = "cpu.big") -> list[tuple[float, float]]:
    return [(round(r.start_s, 9), r.frequency_hz) for r in done.clocks if r.domain == name]


def temperatures(done: Outcome, name: str) -> dict[float, float]:
    return {round(r.time_s, 9): r.temperature_c for r in done.temperatures if r.zone == name}


def follow(
    decide: Callable[[float], float], until: float, period: float = 1.0
) -> tuple[list[tuple[float, float]], dict[float, float]]:
    """Clocks and readings of one zone by the closed form; `decide`: temperature -> clock that is allowed."""
    temperature, clock = 20.0, 1.0
    found, readings = [(0.0, 1.0)], {0.0: 20.0}
    for number in range(1, int(until / period) + 1):
        settled = 20.0 + 2.0 * WATTS[clock]
        temperature = settled + (temperature - settled) * exp(-period / 20.0)
        now = number * period
        if now >= until:
            break
        readings[now] = temperature
        wanted = decide(temperature)
        if wanted != clock:
            clock = wanted
            found.append((now, clock))
    return found, readings


def assert_follows(done: Outcome, name: str, expected) -> None:
    found, readings = expected
    assert clocks(done) == found
    assert temperatures(done, name) == pytest.approx(readings, abs=1e-9)


# --- governors of zones ---------------------------------------------------------------------------------------


class OnOff:
    """bang_bang as its text says: on at the trip, off at its hysteresis below."""

    def __init__(self, limit: float, hysteresis: float, clock: float) -> None:
        self.limit, self.low, self.clock, self.on = limit, limit - hysteresis, clock, False

    def __call__(self, temperature: float) -> float:
        if temperature >= self.limit:
            self.on = True
        elif temperature <= self.low:
            self.on = False
        return self.clock if self.on else 1.0


@pytest.mark.parametrize(
    ("limit", "hysteresis", "state"), [(24.0, 0.25, 1), (24.0, 1.0, 2), (22.0, 0.5, 2), (26.0, 0.0, 1)]
)
def test_bang_bang_against_the_closed_form(limit: float, hysteresis: float, state: int) -> None:
    device = warm(zone("chip", "bang_bang", trip(limit, hysteresis), options={"state": state}))
    expected = follow(OnOff(limit, hysteresis, CLOCKS[state]), 200.0)
    done = simulated(device, 200.0)
    assert len(clocks(done)) >= 2
    assert_follows(done, "chip", expected)


def test_bang_bang_by_hand() -> None:
    """27 C - 7 K e^(-t/20) is 24 after 16.95 s: on at 17. At 0.5 Hz it settles at 23.625, above 23: it stays on."""
    done = simulated(warm(zone("chip", "bang_bang", trip(24.0, 1.0))), 300.0)
    assert clocks(done) == [(0.0, 1.0), (17.0, 0.5)]
    assert temperatures(done, "chip")[299.0] == pytest.approx(23.625, abs=1e-5)


def test_fair_share_by_hand() -> None:
    """Of two trips one is passed after 11.19 s, where 27 C - 7 K e^(-t/20) is 23: one of two states.

    At 0.5 Hz it settles at 23.625, so that it passes neither 25 C nor 23 C again.
    """
    device = warm(zone("chip", "fair_share", trip(23.0), trip(25.0)))
    done = simulated(device, 100.0)
    assert clocks(done) == [(0.0, 1.0), (12.0, 0.5)]


@pytest.mark.parametrize("limits", [(22.0, 23.0), (23.0, 23.5), (21.0, 22.0, 23.0, 24.0)])
def test_fair_share_against_the_closed_form(limits: tuple[float, ...]) -> None:
    """Of two states the share of trips that are passed, rounded down."""

    def decide(temperature: float) -> float:
        passed = sum(temperature >= limit for limit in limits)
        return CLOCKS[2 * passed // len(limits)]

    device = warm(zone("chip", "fair_share", *(trip(limit) for limit in limits)))
    assert_follows(simulated(device, 150.0), "chip", follow(decide, 150.0))


def test_a_hot_trip_counts_for_fair_share_but_throttles_nobody_itself() -> None:
    """One of two trips passed is one state, two are two; the second is only told of."""

    def decide(temperature: float) -> float:
        return CLOCKS[(temperature >= 22.0) + (temperature >= 23.0)]

    told = Trip("hot", 23.0)
    device = warm(zone("chip", "fair_share", trip(22.0), told))
    assert_follows(simulated(device, 120.0), "chip", follow(decide, 120.0))


def test_step_wise_against_the_closed_form() -> None:
    """One state more above the trip while it warms up, one less below while it cools."""
    state, previous = 0, -inf

    def decide(temperature: float) -> float:
        nonlocal state, previous
        hot, rising = temperature >= 23.0, temperature > previous
        if hot and rising:
            state = min(state + 1, 2)
        elif not hot and temperature < previous and state:
            state -= 1
        previous = temperature
        return CLOCKS[state]

    done = simulated(warm(zone("chip", "step_wise", trip(23.0))), 150.0)
    assert len(clocks(done)) > 6
    assert_follows(done, "chip", follow(decide, 150.0))


@pytest.mark.parametrize("period", [0.25, 0.5, 2.0, 4.0])
def test_a_zone_acts_when_it_is_read(period: float) -> None:
    device = warm(zone("chip", "bang_bang", trip(23.0, 0.5), options={"state": 2}, period=period))
    expected = follow(OnOff(23.0, 0.5, 0.25), 120.0, period)
    assert_follows(simulated(device, 120.0), "chip", expected)


# --- several zones --------------------------------------------------------------------------------------------


def test_of_two_zones_the_lower_cap_counts() -> None:
    mild, hard = OnOff(22.0, 1.0, 0.5), OnOff(23.0, 1.0, 0.25)
    device = warm(
        zone("mild", "bang_bang", trip(22.0, 1.0)),
        zone("hard", "bang_bang", trip(23.0, 1.0), options={"state": 2}),
    )
    expected = follow(lambda t: min(mild(t), hard(t)), 200.0)
    done = simulated(device, 200.0)
    assert_follows(done, "mild", expected)
    assert temperatures(done, "hard") == temperatures(done, "mild")
    assert {0.25, 0.5} <= {clock for _, clock in clocks(done)}


def test_a_zone_that_lets_go_does_not_lift_another_one_s_cap() -> None:
    """Both act at 12 s. The first lets go below 23.5, soon; the other one holds until 21."""
    quick = zone("quick", "bang_bang", trip(23.0, 0.1), options={"state": 2})
    slow = zone("slow", "bang_bang", trip(23.0, 2.5))
    done = simulated(warm(quick, slow), 40.0)
    assert clocks(done)[:3] == [(0.0, 1.0), (12.0, 0.25), (clocks(done)[2][0], 0.5)]
    assert max(clock for when, clock in clocks(done) if when >= 12.0) == 0.5


def test_step_wise_begins_where_another_zone_has_left_the_clock() -> None:
    """One zone takes a state at 12 s; 23.625 C - 0.467 K e^(-t/20) is 23.3 after 7.2 s more: the other adds one."""
    device = warm(zone("first", "bang_bang", trip(23.0, 9.0)), zone("second", "step_wise", trip(23.3)))
    assert clocks(simulated(device, 60.0))[:3] == [(0.0, 1.0), (12.0, 0.5), (20.0, 0.25)]


def test_zones_of_different_nodes_and_domains() -> None:
    """The GPU's node is warmed by the GPU, the board's by what comes from both; each zone caps its own domains."""
    nodes = [
        ThermalNode("chip", 5.0, inf, {"cpu.big": 1.0}),
        ThermalNode("gpu", 5.0, inf, {"gpu": 1.0}),
        ThermalNode("case", 50.0, 2.0, {"board": 1.0}),
    ]
    couplings = [Coupling("chip", "case", 1.0), Coupling("gpu", "case", 1.0)]
    zones = [
        zone("chip", "bang_bang", trip(24.0, 0.5)),
        zone("gpu", "bang_bang", trip(24.0, 0.5, "gpu"), node="gpu"),
        zone("skin", "bang_bang", trip(26.0, 9.0, "cpu.big", "gpu"), node="case", options={"state": 2}),
    ]
    device = warm(*zones, nodes=nodes, couplings=couplings)
    rival = Competitor(processor="gpu", kernel=0.5)
    app = Inference(ENDLESS, Fixed({"a": CPU}), library=LIBRARY, count=1)
    done = simulated(device, 400.0, [app, rival])
    skin = temperatures(done, "skin")
    hot_since = next(when for when, temperature in skin.items() if temperature >= 26.0)
    for name, own in (("cpu.big", "chip"), ("gpu", "gpu")):
        readings = temperatures(done, own)
        first = next(when for when, temperature in readings.items() if temperature >= 24.0)
        found = clocks(done, name)
        assert found[1] == (first, 0.5)
        assert {clock for when, clock in found if when >= hot_since} == {0.25}
    assert clocks(done, "dsp") == [(0.0, 1.0)]


def test_heat_and_the_user_cap_the_same_domain() -> None:
    """The user allows 0.5 Hz: it never gets as warm as the trip; with the trip lower, heat counts."""
    cool = simulated(warm(zone("c", "bang_bang", trip(24.0))), 100.0, limits={"cpu.big": {"max": 0.5}})
    assert clocks(cool) == [(0.0, 1.0), (0.0, 0.5)]
    options = {"state": 2}
    device = warm(zone("c", "bang_bang", trip(22.0, 9.0), options=options))
    hot = simulated(device, 100.0, limits={"cpu.big": {"max": 0.5}})
    # 23.625 - 3.625 e^(-t/20) is 22 after 16.05 s
    assert clocks(hot)[1:] == [(0.0, 0.5), (17.0, 0.25)]


def test_heat_counts_more_than_the_user_s_floor() -> None:
    device = warm(zone("c", "bang_bang", trip(22.0, 9.0), options={"state": 2}))
    done = simulated(device, 60.0, limits={"cpu.big": {"min": 0.5}})
    assert clocks(done)[-1][1] == 0.25


class Top(Governor):
    """Always the highest clock, whatever is allowed."""

    period = 0.3

    def next_frequency(self, domain):
        return domain.opps.highest


class Half(Top):
    """Half of the highest."""

    def next_frequency(self, domain):
        return domain.opps.highest / 2


def test_performance_is_throttled_as_no_governor_at_all() -> None:
    """It is asked at each change of a limit."""
    device = warm(zone("chip", "bang_bang", trip(24.0, 0.25), options={"state": 2}))
    alone = clocks(simulated(device, 200.0))
    assert len(alone) > 4
    assert clocks(simulated(device, 200.0, governors={"cpu.big": "performance"})) == alone


def test_a_governor_raises_the_clock_at_its_next_call_after_heat_lets_go() -> None:
    """Falls are at readings, every second; rises at calls, every 0.3 s."""
    device = warm(zone("chip", "bang_bang", trip(24.0, 0.25), options={"state": 2}))
    done = clocks(simulated(device, 200.0, governors={"cpu.big": Top()}))
    assert done[1] == (17.0, 0.25)
    for (_, before), (when, after) in pairwise(done):
        call = when / (0.3 if after > before else 1.0)
        assert call == pytest.approx(round(call), abs=1e-6)
        assert {before, after} == {1.0, 0.25}
    assert len(done) > 4


def test_a_governor_that_wants_little_is_never_throttled() -> None:
    """At half the clock 23.625 C is the most that there can be."""
    done = simulated(warm(zone("c", "bang_bang", trip(24.0))), 200.0, governors={"cpu.big": Half()})
    assert clocks(done)[1:] == [(0.3, 0.5)]


# --- what does not depend on readings -------------------------------------------------------------------------


@settings(max_examples=20)
@given(
    st.sampled_from([0.125, 0.25, 0.5]), st.floats(20.5, 26.5), st.sampled_from(["bang_bang", "step_wise"])
)
def test_more_readings_change_no_temperature_and_no_clock(period, limit, governor) -> None:
    """A second zone that only looks, more often; between readings of the first the power is constant."""
    acts = zone("chip", governor, trip(limit, 0.5))
    looks = zone("looks", "step_wise", Trip("hot", 99.0), period=period)
    alone, watched = simulated(warm(acts), 60.0), simulated(warm(acts, looks), 60.0)
    assert clocks(watched) == clocks(alone)
    assert watched.inferences == alone.inferences
    assert temperatures(watched, "chip") == pytest.approx(temperatures(alone, "chip"), abs=1e-9)
    assert watched.energy_j == pytest.approx(alone.energy_j, rel=1e-12)
    fine = temperatures(watched, "looks")
    assert {t: fine[t] for t in temperatures(watched, "chip")} == pytest.approx(
        temperatures(watched, "chip"), abs=1e-12
    )


class Wild(Governor):
    """Another clock each time, always in the same order."""

    period = 0.7

    def __init__(self, order: Sequence[float] = CLOCKS) -> None:
        self.order, self.number = list(order), 0

    def next_frequency(self, domain):
        self.number += 1
        return self.order[self.number % len(self.order)]


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(CLOCKS), min_size=1, max_size=6),
    st.lists(st.sampled_from(CLOCKS), min_size=1, max_size=6),
    st.integers(3, 20),
)
def test_what_is_drawn_is_stored(cpu, gpu, until) -> None:
    """Nearly no heat is lost to the air: all that was drawn until a reading is in its temperature, 1 K for 10 J."""
    heats = {"cpu.big": 1.0, "gpu": 1.0}
    node = ThermalNode("chip", 10.0, 1e7, heats)
    device = warm(zone("chip", "step_wise", Trip("hot", 999.0)), nodes=[node])
    graph = net("a:9 x; b:11 a; c:5 b; d:30 c")
    plan = {"a": CPU, "b": BUFFER, "c": CPU, "d": BUFFER}
    app = Inference(graph, Fixed(plan), library=LIBRARY)
    governors = {"cpu.big": Wild(cpu), "gpu": Wild(gpu)}
    energy = simulated(device, float(until), [app], governors=governors).energy_j
    reading = temperatures(simulated(device, until + 0.5, [app], governors=governors), "chip")[until]
    stored = 10.0 * (reading - 20.0)
    assert stored == pytest.approx(energy["cpu.big"] + energy["gpu"], rel=1e-4)


@settings(max_examples=15)
@given(st.floats(20.5, 26.5), st.sampled_from(["step_wise", "bang_bang", "fair_share", "power_allocator"]))
def test_no_clock_is_above_the_cap_and_no_reading_above_the_free_one(limit, governor) -> None:
    """A throttled chip is never warmer than one that is left alone, and does not get more work done."""
    options = {"power_allocator": {"sustainable_power": 2.0}}.get(governor, {})
    trips = [trip(limit - 0.25), trip(limit)] if governor == "power_allocator" else [trip(limit)]
    app = Inference(net("a:40 x"), Fixed({"a": CPU}), library=LIBRARY)
    acts = simulated(warm(zone("chip", governor, *trips, options=options)), 100.0, [app])
    free = simulated(warm(zone("chip", "step_wise", Trip("hot", 999.0))), 100.0, [app])
    there, here = temperatures(free, "chip"), temperatures(acts, "chip")
    assert all(here[when] <= there[when] + 1e-9 for when in here)
    finished = [sum(r.status == "finished" for r in done.inferences) for done in (acts, free)]
    assert finished[0] <= finished[1]
    assert acts.energy_j["cpu.big"] <= free.energy_j["cpu.big"] + 1e-9
    assert {clock for _, clock in clocks(acts)} <= {opp.frequency for opp in OPPS}


@pytest.mark.parametrize("start", [20.0, 25.0, 40.0])
def test_a_run_begins_where_it_is_told_and_cools_down_to_the_air(start: float) -> None:
    """Idle cores draw 1 W: 22 C is where it ends."""
    device = warm(zone("chip", "step_wise", Trip("hot", 999.0)))
    app = Inference(net("a:1 x"), Fixed({"a": BUFFER}), library=LIBRARY, count=1)
    readings = temperatures(simulated(device, 101.0, [app], heat=start), "chip")
    assert readings[0.0] == start
    assert readings[100.0] == pytest.approx(22.0 + (start - 22.0) * exp(-5.0), abs=0.05)


# --- the same again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernels", [False, True])
def test_the_same_seed_gives_the_same_bits(kernels: bool) -> None:
    spread = replace(
        warm(zone("chip", "step_wise", trip(22.0))),
        calibrations={
            key: replace(c, noise=0.1) for key, c in warm(zone("c", "step_wise")).calibrations.items()
        },
    )
    rival = Competitor(duty=0.5, period=3.0, affinity="big")
    app = Inference(net("a:16 x; b:8 a"), Fixed({"a": CPU, "b": BUFFER}), library=LIBRARY, period=11.0)
    options = {"noise": True, "seed": 7, "governors": {"gpu": Wild(), "cpu.big": "ondemand"}}
    one, two = (simulated(spread, 80.0, [app, rival], kernels=kernels, **options) for _ in range(2))
    bare = simulated(spread, 80.0, [app, rival], kernels=False, **options)
    other = simulated(spread, 80.0, [app, rival], kernels=kernels, **{**options, "seed": 8})
    for name in ("inferences", "kernels", "clocks", "temperatures", "energy_j", "spans", "bursts"):
        assert getattr(one, name) == getattr(two, name)
    for name in ("inferences", "clocks"):
        assert getattr(one, name) == getattr(bare, name)
    assert [r.temperature_c for r in one.temperatures] == pytest.approx(
        [r.temperature_c for r in bare.temperatures], abs=1e-9
    )
    assert other.inferences != one.inferences
