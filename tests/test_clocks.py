"""Clocks in motion: what runs goes on at the new speed from the exact instant on; times of the toy phone in s."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corekit import CPU, LIBRARY, SHARING, Fixed, net, toy
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.device import Device, MemoryOpp
from socsim.devices.domain import ClockDomain
from socsim.devices.opp import Opp, PowerModel
from socsim.schedulers.plan import Placement
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

OPPS = tuple(Opp(f, v) for f, v in ((0.25, 0.5), (0.5, 0.75), (1.0, 1.0)))
GPU = Placement("gpu", "buffer")
ONE = net("a:16 x")
"""8 s on a big core at its highest clock; 2 s on the GPU, after hand-overs."""


def phone(latency: float = 0.0, **options) -> Device:
    """The toy phone with three operating points for its big cores and its GPU."""
    made = toy(**options)
    power = PowerModel(2.0, leakage=1.0, idle=0.5)
    big, little = made.clusters
    big = replace(big, opps=OPPS, transition_latency=latency, power=power)
    gpu = replace(made.accelerators["gpu"], opps=OPPS, transition_latency=latency)
    return replace(made, clusters=(big, little), accelerators={**made.accelerators, "gpu": gpu})


def run(
    *changes: tuple[float, str, float],
    where: Placement = CPU,
    device: Device | None = None,
    graph=ONE,
    **options,
) -> Simulation:
    """One inference; (when, domain, clock in Hz) are asked for."""
    app = Inference(graph, Fixed(dict.fromkeys(graph.operators, where)), library=LIBRARY, count=1)
    simulation = Simulation(device or phone(), [app], mechanisms=SHARING, **options)
    for when, name, frequency in changes:
        timer = simulation.env.timeout(when)
        timer.callbacks.append(lambda _, n=name, f=frequency: simulation.clocks.request(n, f))
    simulation.run()
    return simulation


def finish(*changes: tuple[float, str, float], **options) -> float:
    return run(*changes, **options).run().inferences[0].finish_s


# --- domains --------------------------------------------------------------------------------------------------


def domain() -> ClockDomain:
    return ClockDomain("gpu", [Opp(f) for f in (100.0, 200.0, 300.0, 400.0)])


@pytest.mark.parametrize(
    ("wanted", "clock"), [(0.0, 100.0), (100.0, 100.0), (101.0, 200.0), (400.0, 400.0), (999.0, 400.0)]
)
def test_the_lowest_point_that_suffices(wanted: float, clock: float) -> None:
    it = domain()
    assert it.frequencies[it.pick(wanted)] == clock


def test_limits_of_several_sides() -> None:
    it = domain()
    assert (it.minimum, it.maximum) == (100.0, 400.0)
    it.cap("heat", 350.0)
    it.cap("user", 250.0)
    it.floor("user", 150.0)
    assert (it.minimum, it.maximum) == (200.0, 200.0)
    it.cap("user", None)
    assert (it.minimum, it.maximum) == (200.0, 300.0)
    it.cap("heat", None)
    it.floor("user", None)
    assert (it.minimum, it.maximum) == (100.0, 400.0)


def test_a_cap_counts_more_than_a_floor() -> None:
    it = domain()
    it.floor("mode", 300.0)
    it.cap("heat", 200.0)
    assert (it.minimum, it.maximum) == (200.0, 200.0)
    it.cap("heat", 50.0)
    assert it.frequencies[it.pick(400.0)] == 100.0


@given(st.floats(0, 500), st.floats(0, 500), st.floats(0, 500))
def test_what_is_picked_is_allowed(wanted: float, cap: float, floor: float) -> None:
    it = domain()
    it.cap("a", cap)
    it.floor("b", floor)
    assert it.minimum <= it.frequencies[it.pick(wanted)] <= it.maximum


# --- what runs ------------------------------------------------------------------------------------------------


def test_without_requests_clocks_are_the_highest() -> None:
    done = run().run()
    assert done.inferences[0].finish_s == 8.0
    assert {(r.start_s, r.domain): r.frequency_hz for r in done.clocks} == {
        (0.0, "cpu.big"): 1.0, (0.0, "cpu.little"): 1.0, (0.0, "gpu"): 1.0, (0.0, "dsp"): 1.0, (0.0, "dram"): 1.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "finished"),
    [
        ([(0.0, "cpu.big", 0.5)], 16.0),
        ([(2.0, "cpu.big", 0.5)], 2.0 + 6.0 * 2),
        ([(2.0, "cpu.big", 0.5), (6.0, "cpu.big", 1.0)], 2.0 + 4.0 + 4.0),
        ([(2.0, "cpu.big", 0.1), (4.0, "cpu.big", 0.3)], 2.0 + 2.0 + 5.5 * 2),
        ([(2.0, "cpu.little", 0.1), (2.0, "gpu", 0.5), (9.0, "cpu.big", 0.5)], 8.0),
    ],
)
def test_a_kernel_goes_on_at_the_new_speed(changes: list[tuple[float, str, float]], finished: float) -> None:
    assert finish(*changes) == pytest.approx(finished)
    assert finish(*changes, stepwise=True) == pytest.approx(finished)


def test_kernels_of_an_accelerator() -> None:
    """The kernel's 2 s begin at 0.375: half at full speed, then half at half."""
    alone = finish(where=GPU)
    assert finish((1.375, "gpu", 0.5), where=GPU) == pytest.approx(alone + 1.0)
    assert finish((0.0, "gpu", 0.5), where=GPU) == pytest.approx(alone + 2.0)


def test_dram_of_half_the_bandwidth() -> None:
    """128 B at 8 B/s are 16 s; after 4 s, 96 B at 4 B/s are 24 more."""
    memory = (MemoryOpp(0.5, 4.0), MemoryOpp(1.0, 8.0))
    slow = phone(bandwidth=8.0)
    slow = replace(slow, memory=replace(slow.memory, opps=memory))
    assert finish(device=slow) == pytest.approx(16.0)
    assert finish((4.0, "dram", 0.5), device=slow) == pytest.approx(28.0)
    assert finish((4.0, "dram", 0.5), device=slow, stepwise=True) == pytest.approx(28.0)


def test_a_transition_takes_its_time() -> None:
    """Asked for at 2, effective at 3."""
    done = run((2.0, "cpu.big", 0.5), device=phone(latency=1.0)).run()
    assert done.inferences[0].finish_s == pytest.approx(3.0 + 5.0 * 2)
    assert [r for r in done.clocks if r.start_s] == [(3.0, "cpu.big", 0.5)]


def test_the_last_request_during_a_transition_counts() -> None:
    changes = [(2.0, "cpu.big", 0.25), (2.25, "cpu.big", 1.0), (2.5, "cpu.big", 0.5)]
    done = run(*changes, device=phone(latency=1.0)).run()
    assert [r for r in done.clocks if r.start_s] == [(3.0, "cpu.big", 0.5)]


def test_a_request_taken_back_during_a_transition_changes_nothing() -> None:
    done = run((2.0, "cpu.big", 0.5), (2.5, "cpu.big", 1.0), device=phone(latency=1.0)).run()
    assert [r for r in done.clocks if r.start_s] == []
    assert done.inferences[0].finish_s == 8.0


def test_nothing_runs_in_a_stall() -> None:
    """Of the second's transition the last quarter."""
    simulation = Simulation(
        phone(latency=1.0),
        [Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)],
        mechanisms=SHARING,
    )
    simulation.clocks.domains["cpu.big"].stall = 0.25
    simulation.env.timeout(2.0).callbacks.append(lambda _: simulation.clocks.request("cpu.big", 0.5))
    assert simulation.run().inferences[0].finish_s == pytest.approx(2.75 + 0.25 + (8.0 - 2.75) * 2)


def test_votes_for_dram() -> None:
    """DRAM runs at the highest clock that a domain votes for."""
    device = phone()
    big, little = device.clusters
    voting = tuple(replace(o, dram_floor=floor) for o, floor in zip(OPPS, (0.0, 0.5, 1.0), strict=True))
    gpu = replace(device.accelerators["gpu"], opps=tuple(replace(o, dram_floor=0.25) for o in OPPS))
    memory = replace(device.memory, opps=tuple(MemoryOpp(f, 8 * f) for f in (0.1, 0.25, 0.5, 1.0)))
    device = replace(
        device,
        clusters=(replace(big, opps=voting), little),
        memory=memory,
        accelerators={**device.accelerators, "gpu": gpu},
    )
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    simulation = Simulation(device, [app])
    simulation.clocks.follow_votes()
    for when, clock in ((1.0, 0.5), (2.0, 0.25), (3.0, 1.0)):
        simulation.env.timeout(when).callbacks.append(
            lambda _, f=clock: simulation.clocks.request("cpu.big", f)
        )
    found = [(r.start_s, r.frequency_hz) for r in simulation.run().clocks if r.domain == "dram"]
    assert found == [(0.0, 1.0), (1.0, 0.5), (2.0, 0.25), (3.0, 1.0)]


def test_a_limit_moves_a_clock_at_once_and_back() -> None:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    simulation = Simulation(phone(), [app], mechanisms=SHARING)
    limit = simulation.clocks.limit
    simulation.env.timeout(2.0).callbacks.append(lambda _: limit("cpu.big", "heat", cap=0.6))
    simulation.env.timeout(4.0).callbacks.append(lambda _: limit("cpu.big", "heat"))
    assert simulation.run().inferences[0].finish_s == pytest.approx(2.0 + 2.0 + 5.0)


# --- energy ---------------------------------------------------------------------------------------------------


def test_energy_is_power_times_time_clock_by_clock() -> None:
    """2 s at 1 Hz and 1 V: 2 + 1 W; 12 s at 0.5 Hz and 0.75 V: 0.5625 + 0.75 W; the other core idles at 0.5 W."""
    done = run((2.0, "cpu.big", 0.5)).run()
    assert done.energy_j["cpu.big"] == pytest.approx(2 * 3.0 + 12 * 1.3125 + 14 * 0.5)


def test_energy_of_an_accelerator() -> None:
    """1 s at 3 W, 2 s at 1.3125 W, idle at 0.5 W else."""
    done = run((1.375, "gpu", 0.5), where=GPU).run()
    assert done.energy_j["gpu"] == pytest.approx(3.0 + 2 * 1.3125 + (done.duration_s - 3.0) * 0.5)


@given(
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["cpu.big", "gpu"]), st.floats(0, 1)), max_size=6)
)
def test_rails_meter_what_components_use(changes) -> None:
    done = run(*sorted(changes), where=GPU, graph=net("a:16 x; b:8:softmax a")).run()
    assert sum(done.energy_j.values()) == pytest.approx(sum(done.rails_j.values()), rel=1e-9)


@given(st.lists(st.floats(0, 7.9), max_size=5))
def test_asking_for_the_present_clock_changes_nothing(times) -> None:
    undisturbed, asked = run().run(), run(*((t, "cpu.big", 1.0) for t in times)).run()
    assert (asked.inferences, asked.energy_j) == (undisturbed.inferences, undisturbed.energy_j)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1)), max_size=6), st.booleans())
def test_work_is_conserved(changes, gpu: bool) -> None:
    """The integral of the speed over the kernel's time is its work."""
    where, name = (GPU, "gpu") if gpu else (CPU, "cpu.big")
    done = run(*((t, name, f) for t, f in sorted(changes)), where=where, kernels=True).run()
    (kernel,) = [r for r in done.kernels if r.kind == "kernel"]
    steps = [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == name]
    ends = [start for start, _ in steps[1:]] + [done.duration_s]
    work = 0.0
    for (start, speed), end in zip(steps, ends, strict=True):
        work += speed * max(0.0, min(end, kernel.end_s) - max(start, kernel.start_s))
    assert work == pytest.approx(2.0 if gpu else 8.0)


# --- DRAM in transition, and stalls that a device states --------------------------------------------------------


def dram_phone(latency: float, stall: float) -> Device:
    """128 B of one kernel at 8 B/s, or at 4 B/s after `latency`, the last `stall` of which nothing is moved."""
    slow = phone(bandwidth=8.0)
    memory = replace(slow.memory, opps=(MemoryOpp(0.5, 4.0), MemoryOpp(1.0, 8.0)))
    return replace(slow, memory=replace(memory, transition_latency=latency, transition_stall=stall))


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_change_of_dram_takes_its_time_and_stalls_who_moves_bytes(stepwise: bool) -> None:
    """Asked for at 4; 40 B are moved by 5 (36 if it stalls from 4.5 on), and the rest at 4 B/s."""
    asked = (4.0, "dram", 0.5)
    assert finish(asked, device=dram_phone(1.0, 0.0), stepwise=stepwise) == pytest.approx(5.0 + 88 / 4)
    assert finish(asked, device=dram_phone(1.0, 0.5), stepwise=stepwise) == pytest.approx(5.0 + 92 / 4)


def test_a_dram_stall_that_leads_back_only_costs_its_time() -> None:
    changes = [(4.0, "dram", 0.5), (4.25, "dram", 1.0)]
    done = run(*changes, device=dram_phone(1.0, 0.5)).run()
    assert done.inferences[0].finish_s == pytest.approx(16.5)
    assert [r for r in done.clocks if r.domain == "dram" and r.start_s] == []


def test_stalls_of_a_device_s_file_hold() -> None:
    """Of each transition of 1 s nothing runs in the last quarter."""
    made = phone(latency=1.0)
    big, little = made.clusters
    gpu = replace(made.accelerators["gpu"], transition_stall=0.25)
    device = replace(
        made,
        clusters=(replace(big, transition_stall=0.25), little),
        accelerators={**made.accelerators, "gpu": gpu},
    )
    assert finish((2.0, "cpu.big", 0.5), device=device) == pytest.approx(3.0 + (8.0 - 2.75) * 2)
    alone = finish(where=GPU, device=device)
    assert finish((0.375, "gpu", 0.5), where=GPU, device=device) == pytest.approx(alone + 0.25 + 1.25)


def test_a_team_that_loses_a_core_while_dram_stands_still_works_on() -> None:
    """What is left of an operator is counted at DRAM's clock, not at what a stall leaves of it."""
    device = dram_phone(1.0, 0.5)
    rival = Competitor(start=4.75, stop=5.75, affinity="big")
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    simulation = Simulation(device, [app, rival])
    simulation.env.timeout(4.0).callbacks.append(lambda _: simulation.clocks.request("dram", 0.5))
    assert simulation.run().inferences[0].finish_s < 40.0


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from([0.5, 1.0])), max_size=6), st.floats(0, 1))
def test_dram_is_busy_for_as_long_as_its_bytes_take_at_their_clocks(changes, look: float) -> None:
    """All of the time that the kernel runs, but for stalls, whenever one asks and however often clocks change."""
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    simulation = Simulation(dram_phone(1.0, 0.25), [app], mechanisms=SHARING)
    executor, seen = simulation.executor, []
    for when, clock in changes:
        simulation.env.timeout(when).callbacks.append(lambda _, f=clock: simulation.clocks.request("dram", f))
    simulation.env.timeout(12.0 * look).callbacks.append(lambda _: seen.append(executor.dram_busy_s()))
    done = simulation.run()
    stalled = [r for r in done.clocks if r.domain == "dram" and r.start_s]
    total = executor.dram_busy_s()
    assert total <= done.inferences[0].finish_s + 1e-6
    if not changes:
        assert seen[0] == pytest.approx(12.0 * look)
        assert total == pytest.approx(16.0)
    assert executor.dram_moved() == pytest.approx(128.0)
    assert total >= done.inferences[0].finish_s - 0.25 * (len(changes) + len(stalled)) - 1e-6
