"""Energy against P x t worked out by hand, and busy times against the clock.

A busy core or accelerator of the toy phone takes 3 W (2 W/(Hz V^2) at 1 Hz and 1 V, 1 W leakage), an idle one 0.5 W;
DRAM 0.25 W and 2^-10 J/B, the board 1 W.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from corekit import BUFFER, CPU, DSP, LIBRARY, Fixed, net, outcome, placed, simulation, toy
from hypothesis import given, settings

from socsim.devices.idle import Rest
from socsim.simulation.energy import component_power, rail_energy
from socsim.simulation.records import ComponentPower
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference

CHAIN = net("a:16 x; b:8 a")


def test_power_of_components() -> None:
    assert component_power(toy()) == {
        "cpu.big": ComponentPower(1.0, 2.5, {1.0: 2.5}, {1.0: 0.5}, Rest(2), {1.0: 2.5}),
        "cpu.little": ComponentPower(1.0, 2.5, {1.0: 2.5}, {1.0: 0.5}, Rest(2), {1.0: 2.5}),
        "gpu": ComponentPower(0.5, 2.5, {1.0: 2.5}, {1.0: 0.5}),
        "dsp": ComponentPower(0.5, 2.5, {1.0: 2.5}, {1.0: 0.5}),
        "dram": ComponentPower(0.25, 0.0),
        "board": ComponentPower(1.0, 0.0),
    }


def test_energy_of_a_run_on_the_cpu() -> None:
    """12 s of one big core; two kernels read and write 64 B each."""
    assert outcome(CHAIN, {"a": CPU, "b": CPU}).energy_j == {
        "cpu.big": 12 * 1.0 + 12 * 2.5,
        "cpu.little": 12 * 1.0,
        "gpu": 12 * 0.5,
        "dsp": 12 * 0.5,
        "dram": 12 * 0.25 + 256 / 1024,
        "board": 12 * 1.0,
    }


def test_energy_of_a_run_on_an_accelerator() -> None:
    """0.375 + 2 + 1 + 1.5 s, of which the GPU computes for 3; copies by the CPU are delays that no core pays for."""
    energy = outcome(CHAIN, {"a": BUFFER, "b": BUFFER}).energy_j
    assert energy["gpu"] == 4.875 * 0.5 + 3 * 2.5
    assert energy["cpu.big"] == 4.875 * 1.0
    assert energy["dram"] == 4.875 * 0.25 + 256 / 1024


def test_a_team_of_cores_is_busy_together() -> None:
    """On both big cores 24 operations take 6 s."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, cores="big")
    assert done.energy_j["cpu.big"] == 6 * 1.0 + 2 * 6 * 2.5
    assert done.busy_s["cpu"] == 2 * 6 / 4


def test_a_cluster_pays_for_its_own_cores() -> None:
    """a big and a little core, equal parts: the barrier is at 8 + 4 s."""
    energy = outcome(CHAIN, {"a": CPU, "b": CPU}, cores="big:1+little:1").energy_j
    assert energy["cpu.big"] == energy["cpu.little"] == 12 * 1.0 + 12 * 2.5


def test_dispatching_keeps_the_host_s_core_busy() -> None:
    """Two dispatches of 6 s, and kernels that use twice the power of other code."""
    device = toy(dsp={"dispatch": 6.0})
    hungry = replace(device.clusters[0], power=replace(device.clusters[0].power, activity=2.0))
    done = outcome(CHAIN, {"a": DSP, "b": DSP}, replace(device, clusters=(hungry, device.clusters[1])))
    assert done.duration_s == 15.875
    assert done.energy_j["cpu.big"] == 15.875 * 1.0 + 12 * 2.5
    assert done.power["cpu.big"].busy_w == 4.5
    assert done.busy_s["cpu"] == 12 / 4


def test_rails_are_sums_of_components() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU})
    assert done.rails_j == {"soc": 42.0 + 12.0 + 6.0 + 6.0, "rest": 3.25 + 12.0}
    assert rail_energy(toy(), dict.fromkeys(done.energy_j, 1.0)) == {"soc": 4.0, "rest": 2.0}


def test_busy_shares() -> None:
    """One core of four, all the time; every 16 s, 12 s long: three quarters of that."""
    back_to_back = outcome(CHAIN, {"a": CPU, "b": CPU}, count=None, duration=120.0)
    assert back_to_back.busy_s["cpu"] / back_to_back.duration_s == 0.25
    periodic = outcome(CHAIN, {"a": CPU, "b": CPU}, count=None, period=16.0, duration=160.0)
    assert periodic.busy_s["cpu"] / periodic.duration_s == 0.25 * 12 / 16


def test_a_run_cut_short_pays_for_what_was_done() -> None:
    """At 5 s, a has run for 5 of its 8 s, and moved 5/8 of its 128 B."""
    energy = outcome(CHAIN, {"a": CPU, "b": CPU}, count=None, duration=5.0).energy_j
    assert energy["cpu.big"] == pytest.approx(5 * 1.0 + 5 * 2.5)
    assert energy["dram"] == pytest.approx(5 * 0.25 + 80 / 1024)


def test_a_run_cut_short_while_dispatching_pays_for_that_too() -> None:
    """Of the 12 s of dispatching from 0.375 on, 4.625 are done at 5."""
    running = simulation(CHAIN, {"a": DSP, "b": DSP}, toy(dsp={"dispatch": 6.0}), count=None, duration=5.0)
    done = running.run()
    assert done.busy_s["cpu"] == pytest.approx(4.625 / 4)
    assert done.energy_j["cpu.big"] == pytest.approx(5 * 1.0 + 4.625 * 2.5)


def test_a_run_without_work_still_idles() -> None:
    """The only inference of a network that takes 12 s, cut off at 1 s, before anything else."""
    energy = outcome(CHAIN, {"a": CPU, "b": CPU}, period=50.0, duration=100.0, count=None).energy_j
    assert energy["gpu"] == 100 * 0.5
    assert energy["board"] == 100 * 1.0


def test_cores_shared_by_applications_are_busy_once() -> None:
    """Three applications of 12 s each on one core: it is busy for 36 s, and a quarter of the CPU for that time."""
    plan = Fixed({"a": CPU, "b": CPU})
    apps = [Inference(CHAIN, plan, library=LIBRARY, count=1) for _ in range(3)]
    running = Simulation(toy(), apps)
    running.validate()
    done = running.run()
    assert done.duration_s == pytest.approx(36.0)
    assert done.busy_s["cpu"] == pytest.approx(36 / 4)
    assert done.energy_j["cpu.big"] == pytest.approx(36 * 1.0 + 36 * 2.5)


def test_a_core_that_computes_and_dispatches_is_busy_once() -> None:
    """b has core 0 from 0 to 14.125, shared with a's map and dispatch for a while; the run ends at 18."""
    graph = net("a:16 x; b:16 x", outputs="a b")
    done = outcome(graph, {"a": DSP, "b": CPU}, toy(dsp={"dispatch": 6.0}), cores="big:1")
    assert done.busy_s["cpu"] == pytest.approx(14.125 / 4)
    assert done.energy_j["cpu.big"] == pytest.approx(18.0 * 1.0 + 14.125 * 2.5)


def test_a_little_host_is_busy_for_as_long_as_it_takes() -> None:
    """On a core of half the speed two dispatches of 6 s keep it busy for 24 s."""
    done = outcome(CHAIN, {"a": DSP, "b": DSP}, toy(dsp={"dispatch": 6.0}), cores="little:1")
    assert done.busy_s["cpu"] == pytest.approx(24 / 4)
    assert done.energy_j["cpu.little"] == pytest.approx(done.duration_s * 1.0 + 24 * 2.5)


def test_two_hosts_on_one_core_are_busy_once() -> None:
    """Both dispatch 12 s on core 0 from 0.375 on: together until 24.375."""
    plan = Fixed({"a": DSP, "b": DSP})
    apps = [Inference(CHAIN, plan, library=LIBRARY, count=1)]
    apps.append(Inference(CHAIN, Fixed({"a": BUFFER, "b": BUFFER}), library=LIBRARY, count=1))
    running = Simulation(toy(dsp={"dispatch": 6.0}, gpu={"dispatch": 6.0}), apps)
    running.validate()
    assert running.run().busy_s["cpu"] == pytest.approx(24 / 4)


@settings(max_examples=40, deadline=None)
@given(placed())
def test_energy_is_idle_power_all_the_time_and_busy_power_while_busy(case) -> None:
    graph, plan = case
    done = outcome(graph, plan, kernels=True)
    busy = {"cpu.big": 4 * done.busy_s["cpu"], "gpu": done.busy_s["gpu"], "dsp": done.busy_s["dsp"]}
    for name, power in done.power.items():
        if name != "dram":
            expected = power.idle_w * done.duration_s + power.busy_w * busy.get(name, 0.0)
            assert done.energy_j[name] == pytest.approx(expected)
    moved = sum(r.dram_bytes for r in done.kernels if r.kind in ("kernel", "transform"))
    assert done.energy_j["dram"] == pytest.approx(0.25 * done.duration_s + moved / 1024)
    assert sum(done.energy_j.values()) == pytest.approx(sum(done.rails_j.values()))
