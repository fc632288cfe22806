"""Heat in a run: temperatures follow the power, and thermal governors cap clocks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from corekit import CPU, LIBRARY, SHARING, Fixed
from test_clocks import ONE, phone
from test_clocks import OPPS as POINTS

import socsim
from socsim.devices.device import Device
from socsim.devices.thermal import Temperatures, ThermalModel, ThermalNode, ThermalZone, Trip
from socsim.errors import UsageError
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference


def warm_phone(limit: float = 1e6, governor: str = "step_wise", **options) -> Device:
    """The toy phone whose big cores heat one node: 10 J/K, 2 K/W to air of 20 C."""
    node = ThermalNode("chip", 10.0, 2.0, {"cpu.big": 1.0})
    zone = ThermalZone(
        "chip", "chip", (Trip("passive", limit, 0.0, ("cpu.big",)),), governor, period=1.0, passive_period=1.0
    )
    return replace(phone(**options), thermal=ThermalModel(20.0, (node,), (), (zone,)))


def simulated(device: Device, count: int = 1, **options) -> Simulation:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=count)
    simulation = Simulation(device, [app], mechanisms=SHARING, heat=20.0, **options)
    simulation.run()
    simulation.validate()
    return simulation


def test_temperatures_follow_the_power_exactly() -> None:
    """One core computes at 3 W, the other idles at 0.5 W: 8 s of 3.5 W, then 1 W."""
    done = simulated(warm_phone(), duration=12.0).run()
    expected = Temperatures(warm_phone().thermal, {"chip": 20.0})
    readings = []
    for second in range(1, 12):
        expected.advance(1.0, {"cpu.big": 3.5 if second <= 8 else 1.0})
        readings.append((float(second), "chip", pytest.approx(expected.of("chip"), abs=1e-9)))
    assert [tuple(r) for r in done.temperatures if 0.0 < r.time_s < 12.0] == readings


def test_a_hot_zone_lowers_the_clock_step_by_step_and_lets_it_rise_again() -> None:
    """A reading above 24 C allows one point less; the next, below and cooling, gives it back."""
    done = simulated(warm_phone(limit=24.0), count=5).run()
    clock = [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == "cpu.big"]
    readings = {r.time_s: r.temperature_c for r in done.temperatures}
    first = next(time for time, temperature in readings.items() if temperature >= 24.0)
    assert clock[:3] == [(0.0, 1.0), (first, 0.5), (first + 1.0, 1.0)]
    frequencies = [point.frequency for point in POINTS]
    assert {abs(frequencies.index(b) - frequencies.index(a)) for (_, a), (_, b) in pairwise(clock)} == {1}
    assert max(readings.values()) < 24.5
    assert done.inferences[-1].finish_s > 40.0


def test_without_heat_nothing_is_read() -> None:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    assert Simulation(warm_phone(limit=0.0), [app]).run().temperatures == ()


def test_heat_that_never_throttles_changes_nothing_else() -> None:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=4)
    cold = Simulation(warm_phone(), [app], mechanisms=SHARING).run()
    warm = simulated(warm_phone(), count=4).run()
    assert warm.inferences == cold.inferences
    assert warm.energy_j == pytest.approx(cold.energy_j, rel=1e-12)


def test_by_default_it_begins_as_warm_as_the_idle_device() -> None:
    device = socsim.load_device("xiaomi-9")
    app = socsim.Inference("mobilenet_v1", "cpu", count=1)
    result = socsim.simulate(device, [app], heat=True)
    first = result.temperatures.set_index("zone")["temperature_c"]
    idle = {name: p.idle_w for name, p in result.outcome.power.items()}
    settled = device.thermal.steady(idle)
    assert first["skin"] == pytest.approx(settled["case"])
    assert first["cpu"] == pytest.approx(settled["cpu"])


def test_a_device_without_a_network_is_refused() -> None:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    with pytest.raises(UsageError, match="has no thermal network; give its file a block 'thermal'"):
        Simulation(phone(), [app], heat=True)


def test_sustained_load_throttles_the_phone() -> None:
    """What it draws in the end is what its skin can pass on: the budget, and the board's power."""
    result = socsim.load_experiment("sustained-load").run()
    inferences = result.inferences.dropna(subset=["finish_ms"])
    before = inferences["service_ms"].iloc[:10].mean()
    after = inferences["service_ms"].iloc[-50:].mean()
    skin = result.temperatures.query("zone == 'skin'")["temperature_c"]
    assert after > 1.3 * before
    assert skin.max() < 46.0
    assert skin.iloc[-1] > 44.0


def test_experiment_files_say_heat(tmp_path: Path) -> None:
    app = {"kind": "inference", "model": "mobilenet_v1", "scheduler": "cpu", "count": 2}
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump({"device": "xiaomi-9", "heat": "30 C", "apps": [app]}))
    result = socsim.load_experiment(file).run()
    assert set(result.temperatures.query("time_ms == 0")["temperature_c"]) == {30.0}
    result.save(tmp_path / "out")
    again = socsim.load_experiment(tmp_path / "out" / "experiment.yaml").run()
    assert again.temperatures.equals(result.temperatures)


def test_heat_in_python_is_kept_for_another_run(tmp_path: Path) -> None:
    result = socsim.simulate("xiaomi-9", [socsim.Inference("mobilenet_v1", "cpu", count=2)], heat="30 C")
    assert result.config["heat"] == "30.0 C"
    plain = socsim.simulate("xiaomi-9", [socsim.Inference("mobilenet_v1", "cpu", count=2)])
    assert "heat" not in plain.config
