"""Rows of a profile taken offline: one inference alone at fixed clocks, by hand on the toy phone.

Big cores run at 0.25, 0.5 and 1 Hz with 0.5, 0.75 and 1 V; busy they draw 2 W/(Hz V^2) and 1 W/V of leakage, and idle
0.5 W.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import simpy
from corekit import BUFFER, CPU, DSP, net, resolved, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_clocks import phone

from socsim.devices.device import Device
from socsim.schedulers.managers.device import Cost
from socsim.simulation.clocks import Clocks
from socsim.simulation.costing import CostTable, Work, by_meter
from socsim.simulation.energy import component_power
from socsim.simulation.executor import Executor
from socsim.simulation.lowering import lower_plan
from socsim.simulation.mechanisms import ALL_MECHANISMS

GRAPH = net("a:16 x; b:8 a")


def table(device: Device) -> CostTable:
    return CostTable(device, ALL_MECHANISMS, Clocks(Executor(simpy.Environment(), device)))


def work(device: Device, where=CPU) -> Work:
    pricer, plan = resolved(GRAPH, {"a": where, "b": where}, device)
    return Work(pricer, lower_plan(pricer, plan))


def cost(device: Device, where=CPU, clocks: Mapping[str, float] | None = None) -> Cost:
    return table(device).cost("row", work(device, where), clocks or {})


def test_what_components_have_as_meters_see_it() -> None:
    """Meters are rails in sum beside these, and no part of the total."""
    device = replace(toy(), meters={"battery": ("soc", "rest")})
    parts = {"cpu.big": 1.0, "cpu.little": 2.0, "gpu": 4.0, "dsp": 8.0, "dram": 16.0, "board": 32.0}
    assert by_meter(device, parts) == {"soc": 15.0, "rest": 48.0, "battery": 63.0, "total": 63.0}
    assert table(device).rails == ("soc", "rest", "battery", "total")


def leaky() -> Device:
    """What idles draws as much less as its voltage is lower."""
    device = phone()
    big, little = device.clusters
    gpu = device.accelerators["gpu"]
    big, gpu = (replace(unit, power=replace(unit.power, idle_voltage=1.0)) for unit in (big, gpu))
    return replace(device, clusters=(big, little), accelerators={**device.accelerators, "gpu": gpu})


def test_idle_power_follows_the_clocks() -> None:
    """Two clusters of two cores, a GPU and a DSP at 0.5 W each; of the big ones and the GPU that is at 1 V."""
    made = table(leaky())
    assert made.idle_w({}) == {"soc": 3.0, "rest": 1.25, "total": 4.25}
    assert made.idle_w({"gpu": 0.25}) == {"soc": 2.75, "rest": 1.25, "total": 4.0}
    assert made.idle_w({"gpu": 0.25, "cpu.big": 0.5}) == {"soc": 2.5, "rest": 1.25, "total": 3.75}
    assert made.idle_w({"cpu.little": 1.0, "dram": 1.0}) == made.idle_w({})


def test_what_an_idle_device_draws_at_these_clocks_is_no_part_of_a_row() -> None:
    """At 0.5 Hz and 0.75 V a core takes 24 s at 2 x 0.5 x 0.75^2 + 0.75 W; idle it would draw 0.375 W."""
    found = cost(leaky(), CPU, {"cpu.big": 0.5})
    assert found.latency_s == 24.0
    assert found.energy_j["soc"] == pytest.approx(24.0 * (0.5625 + 0.75 - 0.375))


def test_an_inference_on_the_cpu() -> None:
    """12 s of a core that draws 2.5 W beyond idle, and 256 B."""
    found = cost(toy())
    assert found.latency_s == 12.0
    assert found.busy_s == {"cpu.big": 12.0, "cpu.little": 0.0, "gpu": 0.0, "dsp": 0.0, "dram": 256e-9}
    assert found.energy_j == pytest.approx({"soc": 30.0, "rest": 0.25, "total": 30.25})


def test_an_inference_on_an_accelerator_keeps_its_host_busy() -> None:
    """2 s of dispatching on core 0 for each kernel of 4 and 2 s: 0.375 + 2 + 4 + 2 + 1.5."""
    found = cost(toy(dsp={"dispatch": 2.0}), DSP)
    assert found.latency_s == 9.875
    assert (found.busy_s["dsp"], found.busy_s["cpu.big"]) == (6.0, 4.0)
    assert found.energy_j["soc"] == pytest.approx((6.0 + 4.0) * 2.5)


def test_a_slower_clock_is_taken_from_the_beginning_on() -> None:
    """Half the GPU's clock: kernels of 2 and 1 s take 4 and 2, between hand-overs of 0.375 and 1.5 s."""
    fast, slow = (cost(phone(), BUFFER, {"gpu": clock}) for clock in (1.0, 0.5))
    assert (fast.latency_s, slow.latency_s) == (4.875, 7.875)
    assert (fast.busy_s["gpu"], slow.busy_s["gpu"]) == (3.0, 6.0)


def test_transitions_are_no_part_of_a_row() -> None:
    assert cost(phone(latency=2.0), CPU, {"cpu.big": 0.5}) == cost(phone(), CPU, {"cpu.big": 0.5})


def test_a_row_is_worked_out_once_for_its_key_and_its_points() -> None:
    """Clocks between two points are the lower; clocks of others than asked for are the highest."""
    made, own = table(phone()), work(phone())
    row = made.cost("row", own, {"cpu.big": 0.5})
    assert made.cost("row", own, {"cpu.big": 0.75}) is row
    assert made.cost("row", own, {"cpu.big": 0.5, "gpu": 1.0}) is row
    others = [
        made.cost("other", own, {"cpu.big": 0.5}),
        made.cost("row", own, {}),
        made.cost("row", own, {"gpu": 0.5}),
    ]
    assert all(other is not row for other in others)
    assert others[0] == row


@settings(max_examples=20)
@given(st.sampled_from([CPU, BUFFER]), st.sampled_from([0.25, 0.5, 1.0]), st.sampled_from([0.25, 0.5, 1.0]))
def test_rows_are_work_at_clocks(where, big: float, gpu: float) -> None:
    """Time computed goes with 1 / clock; what is drawn beyond idle with the time and the point's power."""
    found, full = cost(phone(), where, {"cpu.big": big, "gpu": gpu}), cost(phone(), where)
    name, clock = ("cpu.big", big) if where == CPU else ("gpu", gpu)
    assert found.busy_s[name] == pytest.approx(full.busy_s[name] / clock)
    assert found.latency_s - found.busy_s[name] == pytest.approx(full.latency_s - full.busy_s[name])
    watts = component_power(phone())[name].busy_w_at[clock]
    assert found.energy_j["soc"] == pytest.approx(watts * found.busy_s[name])
    assert found.energy_j["rest"] == pytest.approx(0.25)


def test_dispatching_draws_what_no_kernel_does() -> None:
    """Kernels that switch twice as much draw 4 W at 1 V beside leakage, other code 2; gated it is 0.5 W."""
    device = phone()
    big = device.clusters[0]
    hungry = replace(big, power=replace(big.power, activity=2.0))
    power = component_power(replace(device, clusters=(hungry, device.clusters[1])))["cpu.big"]
    assert (power.busy_w_at[1.0], power.dispatch_w_at[1.0]) == (4.5, 2.5)
    assert power.busy_w_at[0.5] == pytest.approx(4.0 * 0.5 * 0.75**2 + 0.75 - power.gated_w_at[0.5])
    assert power.dispatch_w_at[0.5] == pytest.approx(2.0 * 0.5 * 0.75**2 + 0.75 - power.gated_w_at[0.5])
    assert component_power(device)["gpu"].dispatch_w_at == {}
