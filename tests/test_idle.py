"""Idle states: what idle cores draw as time goes on, by hand, against theory, and in runs.

The toy phone's cores take 3 W busy and 0.5 W clock-gated (2 W/(Hz V^2), 1 W leakage at 1 Hz and 1 V).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
import simpy
from corekit import BUFFER, CPU, DSP, LIBRARY, SHARING, Fixed, net, outcome, placed, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_device_profiles import TINY, complaints, write

import socsim
from socsim.devices.device import Device, IdleState, Opp, PowerModel
from socsim.devices.idle import IdleTimes, Rest, rest_of, saved, share_after
from socsim.devices.profile import load_device, provenance
from socsim.schedulers.governors import Governor
from socsim.simulation.energy import component_power
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

NAP = IdleState("nap", 0.1, 0.2, 1.0, share=0.5)
OFF = IdleState("off", 0.5, 1.0, 4.0, share=0.125)
ALL_OFF = IdleState("all-off", 1.0, 2.0, 8.0, "cluster", share=0.0)
STATES = (NAP, OFF, ALL_OFF)
CHAIN = net("a:16 x; b:8 a")
"""12 s on a big core: 8 s and 4 s."""


def sleepy(states: Sequence[IdleState] = STATES, device: Device | None = None) -> Device:
    """The toy phone whose clusters have idle states."""
    made = device or toy()
    return replace(made, clusters=tuple(replace(c, idle_states=tuple(states)) for c in made.clusters))


# --- one idle time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idle", "core_seconds", "share"),
    [(0.0, 0.0, 1.0), (1.0, 0.0, 0.5), (3.0, 1.0, 0.5), (4.0, 1.5, 0.125), (10.0, 4.5 + 2.25, 0.125)],
)
def test_what_an_idle_time_saves(idle: float, core_seconds: float, share: float) -> None:
    """Half from 1 s on, three eighths more from 4 s on."""
    steps = rest_of(sleepy().clusters[0]).cores
    assert steps == ((1.0, 0.5), (4.0, 0.375))
    assert saved(steps, idle) == core_seconds
    assert share_after(steps, idle) == share


def test_the_order_of_states_does_not_matter() -> None:
    cluster = sleepy((ALL_OFF, OFF, NAP)).clusters[0]
    assert rest_of(cluster) == rest_of(sleepy().clusters[0])
    assert rest_of(cluster) == Rest(2, ((1.0, 0.5), (4.0, 0.375)), ((8.0, 0.125),))


def test_a_cluster_that_has_been_idle_for_long() -> None:
    rest = rest_of(sleepy().clusters[0])
    assert (rest.share, rest.longest) == (0.0, 8.0)
    assert rest_of(toy().clusters[0]) == Rest(2) and Rest(2).share == 1.0 and Rest(2).longest == 0.0


def test_states_that_draw_as_much_save_nothing() -> None:
    steps = rest_of(sleepy((replace(NAP, share=1.0), replace(OFF, share=1.0))).clusters[0]).cores
    assert saved(steps, 100.0) == 0.0 and share_after(steps, inf) == 1.0


states = st.lists(
    st.tuples(st.floats(0.01, 10.0), st.floats(0.0, 1.0)), min_size=1, max_size=4, unique_by=lambda s: s[0]
)


@given(states, st.floats(0.0, 40.0))
def test_it_is_the_least_that_any_one_state_could_have_cost(found, idle: float) -> None:
    """A state's energy is a line over time: as high at its least residency as that of the state before it."""
    residencies = sorted(residency for residency, _ in found)
    shares = sorted((share for _, share in found), reverse=True)
    steps = rest_of(
        sleepy(
            [IdleState(str(r), 0.0, 0.0, r, share=s) for r, s in zip(residencies, shares, strict=True)]
        ).clusters[0]
    ).cores
    lines, entry, before = [(0.0, 1.0)], 0.0, 1.0
    for residency, share in zip(residencies, shares, strict=True):
        entry += (before - share) * residency
        lines.append((entry, share))
        before = share
    assert idle - saved(steps, idle) == pytest.approx(min(e + s * idle for e, s in lines), abs=1e-9)


@given(st.floats(0.0, 20.0), st.floats(0.0, 20.0))
def test_more_time_costs_more_and_saves_more(one: float, other: float) -> None:
    steps, (short, long) = rest_of(sleepy().clusters[0]).cores, sorted((one, other))
    assert 0.0 <= saved(steps, long) - saved(steps, short) <= (long - short) * (1 + 1e-12)


# --- accounts of cores ----------------------------------------------------------------------------------------


class Cores:
    """Two clusters of two cores, whose threads come and go by hand."""

    def __init__(self, states: Sequence[IdleState] = STATES) -> None:
        self.env = simpy.Environment()
        self.runnable = [0, 0, 0, 0]
        self.times = IdleTimes(self.env, sleepy(states).clusters, self.runnable)
        self.begun = [self.times.saved(slot) for slot in (0, 1)]

    def at(self, now: float) -> Cores:
        self.env.run(until=now) if now > self.env.now else None
        return self

    def wake(self, core: int) -> None:
        self.runnable[core] += 1
        idle = self.env.now - self.times.since[core]
        if idle > self.times.patience[core]:
            self.times.woke(core, idle)

    def sleep(self, core: int) -> None:
        self.runnable[core] -= 1
        self.times.since[core] = self.env.now

    def saved(self, slot: int = 0) -> float:
        return self.times.saved(slot) - self.begun[slot]


def test_before_a_run_cores_have_been_idle_for_long() -> None:
    """Everything is saved from the first instant on: 2 cores for 3 s."""
    assert Cores().at(3.0).saved() == pytest.approx(6.0)
    assert Cores(()).at(3.0).saved() == 0.0


def test_a_core_alone_and_all_together() -> None:
    """Core 0 works for 1 s, core 1 for 2 s; from 2 s on both are idle, until 14 s."""
    cores = Cores()
    cores.wake(0), cores.wake(1)
    cores.at(1.0).sleep(0)
    cores.at(2.0).sleep(1)
    assert cores.saved() == pytest.approx(0.0)  # 1 s is the least residency
    cores.at(14.0)
    alone = saved(((1.0, 0.5), (4.0, 0.375)), 13.0) + saved(((1.0, 0.5), (4.0, 0.375)), 12.0)
    assert cores.saved() == pytest.approx(alone + 2 * 0.125 * (12.0 - 8.0))
    before = cores.saved()
    cores.wake(1)
    assert cores.saved() == pytest.approx(before)  # who wakes up changes nothing that was
    cores.at(20.0)
    assert cores.saved() == pytest.approx(before + 6.0 * 0.875)  # the other core's own state


def test_the_cluster_s_idle_time_ends_once() -> None:
    cores = Cores((ALL_OFF,))
    for core in (0, 1):
        cores.wake(core)
        cores.sleep(core)
    cores.at(18.0)
    cores.wake(0), cores.wake(1)
    cores.at(30.0)
    assert cores.saved() == pytest.approx(2 * 10.0)
    ((state, time, entries),) = cores.times.spent(0)
    assert (state, time, entries) == (ALL_OFF, pytest.approx(18.0), 2)


def test_time_in_states() -> None:
    """Core 0: 2 s of nap, then 5 s off; core 1: all 12 s off, the cluster's state for the first 3 s only."""
    cores = Cores()
    cores.at(3.0).wake(0)
    cores.sleep(0)
    cores.at(5.0).wake(0)
    cores.at(7.0).sleep(0)
    cores.at(12.0)
    found = {state.name: (time, entries) for state, time, entries in cores.times.spent(0)}
    assert found == {
        "nap": (pytest.approx(2.0), 1),
        "off": (pytest.approx(3.0 + 5.0 + 12.0), 3),
        "all-off": (pytest.approx(3.0), 1),
    }
    assert cores.times.spent(0) == cores.times.spent(0)  # asking changes nothing


def test_clusters_keep_accounts_of_their_own() -> None:
    cores = Cores()
    cores.wake(2)
    cores.at(5.0)
    assert cores.saved(0) == pytest.approx(10.0)
    assert cores.saved(1) == pytest.approx(5.0 * 0.875)


@given(st.lists(st.tuples(st.floats(0.0, 6.0), st.integers(0, 3)), min_size=1, max_size=40))
def test_saved_time_is_that_of_all_idle_times(steps) -> None:
    """Toggling cores at random, against sums over the idle times of each core and of both."""
    cores, now = Cores(), 0.0
    begun = {**dict.fromkeys(range(4), -1e3), "01": -1e3, "23": -1e3}
    expected = [0.0, 0.0]

    def end(key, slot: int, falls) -> None:
        since = begun.pop(key)
        expected[slot] += saved(falls, now - since) - (saved(falls, -since) if since < 0 else 0.0)

    rest = rest_of(sleepy().clusters[0])
    both = tuple((residency, 2 * drop) for residency, drop in rest.cluster)
    for pause, core in steps:
        now += pause
        slot, pair = core // 2, "01" if core < 2 else "23"
        cores.at(now)
        if cores.runnable[core]:
            cores.sleep(core)
            begun[core] = now
            if core ^ 1 in begun:
                begun[pair] = now
        else:
            if pair in begun:
                end(pair, slot, both)
            end(core, slot, rest.cores)
            cores.wake(core)
    for key in list(begun):
        slot = (key in (2, 3, "23")) * 1
        end(key, slot, both if isinstance(key, str) else rest.cores)
    assert [cores.saved(slot) for slot in (0, 1)] == pytest.approx(expected, abs=1e-9)


# --- runs -----------------------------------------------------------------------------------------------------


def test_a_core_that_works_wakes_its_cluster() -> None:
    """12 s of one big core; the other, and the little ones, are off and all off from the beginning."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, sleepy())
    assert done.energy_j["cpu.big"] == pytest.approx(12 * 3.0 + 12 * 0.5 * 0.125)
    assert done.energy_j["cpu.little"] == pytest.approx(0.0, abs=1e-12)
    assert done.energy_j["gpu"] == 12 * 0.5


def test_power_of_a_device_that_sleeps() -> None:
    power = component_power(sleepy((NAP, OFF)))["cpu.big"]
    assert (power.idle_w, power.busy_w, power.gated_w_at) == (2 * 0.5 * 0.125, 2.5, {1.0: 0.5})
    assert power.rest == Rest(2, ((1.0, 0.5), (4.0, 0.375)))


def test_a_periodic_run_by_hand() -> None:
    """12 s of work every 20 s, 3 times: two idle times of 8 s of core 0 between them, and one of 8 s at the end."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, sleepy((NAP, OFF)), count=3, period=20.0, duration=60.0)
    pause = 8.0 - (0.5 * 7.0 + 0.375 * 4.0)
    assert done.energy_j["cpu.big"] == pytest.approx(3 * (12 * 3.0 + pause * 0.5) + 60 * 0.5 * 0.125)
    idle = {r.state: r for r in done.idle if r.cluster == "big"}
    assert idle["off"].time_s == pytest.approx(60.0 + 3 * 8.0) and idle["off"].units == 2
    assert idle["nap"].time_s == 0.0


def test_the_end_of_a_run_cuts_an_idle_time() -> None:
    """A pause of 2 s: 1 s clock-gated, 1 s of nap."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, sleepy((NAP,)), period=100.0, duration=14.0, count=None)
    assert done.energy_j["cpu.big"] == pytest.approx(12 * 3.0 + 0.5 * (1.0 + 0.5) + 14 * 0.25)


@settings(max_examples=40, deadline=None)
@given(placed())
def test_idle_states_cost_no_time_and_no_energy(case) -> None:
    """But for calls of a DSP, which there are none of: the same records, and no component draws more."""
    graph, plan = case
    awake, asleep = outcome(graph, plan, kernels=True), outcome(graph, plan, sleepy(), kernels=True)
    assert awake.kernels == asleep.kernels
    for name, joules in asleep.energy_j.items():
        assert joules <= awake.energy_j[name] * (1 + 1e-12)
    assert sum(asleep.rails_j.values()) == pytest.approx(sum(asleep.energy_j.values()), rel=1e-9)


def test_idle_cores_that_take_threads_over_are_awake() -> None:
    """Three threads of 10 s on two cores: whoever waits is taken over, and all idle time is seen."""
    rivals = Competitor(threads=3, affinity="big", start=0.0, stop=10.0)
    running = Simulation(sleepy((NAP, OFF)), [rivals], duration=30.0)
    running.validate()
    done = running.run()
    busy = 4 * done.busy_s["cpu"]
    assert busy == pytest.approx(20.0, abs=0.2)
    # each of the two cores rests once, from the end on, but for what the threads' begin left at the start
    off = 2 * saved(((1.0, 0.5), (4.0, 0.375)), 20.0)
    assert done.energy_j["cpu.big"] == pytest.approx(busy * 3.0 + (60.0 - busy - off) * 0.5, rel=0.01)


# --- supply voltage -------------------------------------------------------------------------------------------


OPPS = (Opp(0.5, 0.5), Opp(1.0, 1.0))


def leaky(idle_voltage: float = 1.0, states: Sequence[IdleState] = ()) -> Device:
    """The toy phone with clocks of 0.5 and 1 Hz at 0.5 and 1 V, whose idle power follows the supply."""
    power = PowerModel(2.0, leakage=1.0, idle=0.5, idle_voltage=idle_voltage)
    made = sleepy(states)
    clusters = tuple(replace(c, opps=OPPS, power=power) for c in made.clusters)
    units = {name: replace(a, opps=OPPS, power=power) for name, a in made.accelerators.items()}
    return replace(made, clusters=clusters, accelerators=units)


def test_idle_power_follows_the_supply() -> None:
    power = PowerModel(2.0, leakage=1.0, idle=0.5, idle_voltage=0.8)
    assert [power.idle_at(opp) for opp in OPPS] == [pytest.approx(0.3125), pytest.approx(0.625)]
    assert [PowerModel(2.0, idle=0.5).idle_at(opp) for opp in OPPS] == [0.5, 0.5]
    assert component_power(leaky())["gpu"].gated_w_at == {0.5: 0.25, 1.0: 0.5}


class Switch(Governor):
    """From the highest clock to the lowest after 6 s."""

    kinds = ("cpu", "gpu")
    trigger = "timer"

    def __init__(self, period: float = 6.0) -> None:
        self.period = period

    def interval(self, state) -> float:
        return self.period

    def next_frequency(self, state) -> float | None:
        return 0.5 if state.now >= 6.0 - 1e-9 else 1.0


def test_an_idle_time_across_a_change_of_clock() -> None:
    """Nothing runs on little cores or the GPU: 6 s at 1 V, 4 s at 0.5 V."""
    rival = Competitor(affinity="big")
    device = leaky(states=(NAP, OFF))
    done = Simulation(
        device, [rival], duration=10.0, governors={"cpu.little": Switch(), "gpu": Switch()}
    ).run()
    assert done.energy_j["gpu"] == pytest.approx(6 * 0.5 + 4 * 0.25)
    assert done.energy_j["cpu.little"] == pytest.approx(2 * 0.125 * (6 * 0.5 + 4 * 0.25))


@pytest.mark.parametrize("period", [3.0, 1.0, 0.1, 0.01])
def test_finer_ticks_change_no_energy(period: float) -> None:
    """Busy and idle cores with idle states; governors that ask for the same more often."""

    def energy(step: float) -> dict[str, float]:
        app = Inference(CHAIN, Fixed({"a": CPU, "b": BUFFER}), library=LIBRARY, count=2, period=13.0)
        governors = {"cpu": Switch(step), "gpu": Switch(step)}
        running = Simulation(
            leaky(states=STATES), [app], duration=60.0, mechanisms=SHARING, governors=governors
        )
        running.validate()
        return dict(running.run().energy_j)

    assert energy(period) == pytest.approx(energy(6.0), rel=1e-9)


def test_readings_in_between_change_nothing() -> None:
    """An idle time read every now and then, against one read once at its end."""
    app = Inference(CHAIN, Fixed({"a": CPU, "b": CPU}), library=LIBRARY, count=1)
    energies = []
    for reads in (0, 1, 97):
        running = Simulation(sleepy(), [app], duration=50.0, mechanisms=SHARING)
        for i in range(reads):
            timer = running.env.timeout(49.0 * (i + 1) / reads)
            timer.callbacks.append(lambda _, meter=running._meter: meter.energy())
        energies.append(running.run().energy_j)
    assert energies[1] == pytest.approx(energies[0], rel=1e-12)
    assert energies[2] == pytest.approx(energies[0], rel=1e-9)


def test_a_constant_load_takes_power_times_time() -> None:
    """Both big cores are busy from when their threads have begun, which is in the first 20 ms; little ones sleep."""
    done = Simulation(sleepy(), [Competitor(threads=2, affinity="big")], duration=7.0).run()
    busy = 4 * done.busy_s["cpu"]
    assert 13.96 < busy < 14.0
    assert done.energy_j["cpu.big"] <= 3.0 * busy + 0.5 * (14.0 - busy)
    assert done.energy_j["cpu.big"] >= 3.0 * busy
    assert done.energy_j["cpu.little"] == pytest.approx(0.0, abs=1e-12)
    awake = Simulation(toy(), [Competitor(threads=2, affinity="big")], duration=7.0).run()
    assert awake.energy_j["cpu.big"] == pytest.approx(2.5 * 4 * awake.busy_s["cpu"] + 7.0 * 1.0, rel=1e-12)


@pytest.mark.parametrize(("states", "wake"), [((), 0.0), ((OFF,), 0.0), ((NAP,), 0.2)])
def test_only_calls_of_a_dsp_end_later(states: tuple[IdleState, ...], wake: float) -> None:
    """A call of 3 s, in which its host naps, but is not off."""
    done = outcome(net("a:4 x"), {"a": DSP}, sleepy(states, toy(call_latency=2.0)))
    plain = outcome(net("a:4 x"), {"a": DSP}, toy(call_latency=2.0))
    assert done.duration_s - plain.duration_s == pytest.approx(wake)


# --- device files ---------------------------------------------------------------------------------------------


def tiny_with(folder: Path, states: str, idle: str = "idle: 5 mW") -> Path:
    old = "[{name: nap, entry: 10 us, exit: 20 us, min_residency: 300 us}]"
    assert old in TINY
    return write(folder, TINY.replace(old, states).replace("idle: 5 mW", idle))


def nap(**more: str) -> str:
    fields = {"name": "nap", "entry": "10 us", "exit": "20 us", "min_residency": "300 us", **more}
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ([nap()], [1.0]),
        ([nap(share="20 %")], [0.2]),
        ([nap(power="1 mW")], [0.2]),
        ([nap(share="20 %"), nap(name="deep", min_residency="1 ms")], [0.2, 0.2]),
        ([nap(name="deep", min_residency="1 ms", share="0"), nap(share="0.5")], [0.0, 0.5]),
        ([nap(share="0.5"), nap(name="all", scope="cluster", power="1 mW")], [0.5, 0.1]),
        ([nap(name="all", scope="cluster", min_residency="1 us"), nap(share="0.5")], [0.5, 0.5]),
    ],
)
def test_shares_of_files(tmp_path: Path, given: list[str], shares: list[float]) -> None:
    """Powers are of a core of 5 mW, or of the cluster of two; what is not told is as before."""
    states = load_device(tiny_with(tmp_path, f"[{', '.join(given)}]")).clusters[0].idle_states
    assert [state.share for state in states] == pytest.approx(shares)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (nap(share="110 %"), "less than or equal to 1"),
        (nap(share="0.5", power="1 mW"), "expected power or share of the idle power, not both"),
        (
            nap(power="6 mW"),
            "must not be more than what is drawn before the state is entered, 5 mW; got 6 mW",
        ),
        (
            f"{nap(share='0.2')}, {nap(name='deep', min_residency='1 ms', share='0.4')}",
            "must not be more than what is drawn before the state is entered, 1 mW; got 2 mW",
        ),
        (
            f"{nap(share='0.2')}, {nap(name='all', scope='cluster', power='3 mW')}",
            "must not be more than what is drawn before the state is entered, 2 mW; got 3 mW",
        ),
    ],
)
def test_powers_that_states_cannot_have(tmp_path: Path, states: str, message: str) -> None:
    (told,) = complaints(tiny_with(tmp_path, f"[{states}]"))
    assert "idle_states" in told and message in told
    assert told.startswith("tiny.yaml:")


def test_a_core_without_idle_power_has_none_in_its_states(tmp_path: Path) -> None:
    states = load_device(tiny_with(tmp_path, f"[{nap(power='0 W')}]", "idle: 0 W")).clusters[0].idle_states
    assert states[0].share == 0.0
    (told,) = complaints(tiny_with(tmp_path, f"[{nap(power='1 mW')}]", "idle: 0 W"))
    assert "must not be more than what is drawn before the state is entered, 0 W; got 1 mW" in told


@pytest.mark.parametrize(
    ("power", "volts"),
    [("", 0.9), (", idle_voltage: 700 mV", 0.7)],
)
def test_the_supply_of_an_idle_power(tmp_path: Path, power: str, volts: float) -> None:
    device = load_device(write(tmp_path, TINY.replace("idle: 5 mW", f"idle: 5 mW{power}")))
    assert device.clusters[0].power.idle_voltage == volts
    assert device.accelerators["gpu"].power.idle_voltage == 0.0  # tells no leakage


def test_powers_of_states_have_grades() -> None:
    for name in ("xiaomi-9", "honor-v30-pro", "jetson-xavier-nx"):
        rows = [row for row in provenance(name) if row.path.endswith(".share") and "idle_states" in row.path]
        states = sum(len(c.idle_states) for c in load_device(name).in_mode("").clusters)
        assert len(rows) == states and {row.grade for row in rows} <= {"C", "D"}
    assert all(
        "power collapse" in r.source for r in provenance("xiaomi-9") if r.path.endswith("states.0.share")
    )


def test_idle_states_of_the_nx_keep_its_readings() -> None:
    """C6 saves nothing, because the readings cannot tell it from a stopped clock; the voltage matters."""
    nx = load_device("jetson-xavier-nx")
    power = component_power(nx)
    assert [power[f"cpu.{c.name}"].rest.share for c in nx.clusters] == [1.0] * 3
    assert sum(p.idle_w for name, p in power.items() if name not in ("dram", "board")) == pytest.approx(0.62)
    fast = load_device("jetson-xavier-nx(mode=15W_2CORE)")
    assert component_power(fast)["cpu.carmel0"].idle_w == pytest.approx(2 * 72e-3 / 0.75)
    slow = load_device("jetson-xavier-nx(mode=10W_DESKTOP)")
    assert component_power(slow)["gpu"].idle_w == pytest.approx(188e-3 * 0.62 / 0.95)


def test_an_idle_phone_sleeps() -> None:
    app = socsim.Inference("mobilenet_v2", "gpu", period="200 ms", count=5)
    result = socsim.simulate("xiaomi-9", [app], duration="1 s")
    idle = result.idle.set_index(["cluster", "state"])
    assert idle.loc[("silver", "cluster-off"), "share"] == pytest.approx(1.0)
    assert 0.9 < idle.loc[("prime", "core-off"), "share"] < 1.0
    assert idle.loc[("prime", "core-off"), "entries"] >= 6
    assert result.outcome.energy_j["cpu.silver"] == pytest.approx(4 * 3e-3 * 0.02)
    assert list(result.idle["time_ms"]) == [r.time_s * 1e3 for r in result.outcome.idle]
