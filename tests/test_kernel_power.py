"""What a library's kernels draw: by hand on the toy phone, read from a profile, and told by measured energies.

A busy core or accelerator of the toy phone takes 2.5 W more than an idle one at 1 Hz and 1 V.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibkit import COLUMNS, MASKS, kernels, latencies, rows, team, truth, write
from corekit import BUFFER, CPU, DSP, net, outcome, pricer, simulation, toy
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.calibration.calibrate import calibrate
from socsim.calibration.model import CpuModel
from socsim.calibration.tables import read_table
from socsim.cli.main import main
from socsim.devices.device import Device, KernelPower
from socsim.devices.profile import load_device
from socsim.errors import FileError
from socsim.newdevice.transfer import Transferred
from socsim.newdevice.writing import calibration_block
from socsim.results.attribution import energy_by_app
from socsim.results.timeline import power_steps
from socsim.simulation.kernelgraph import Entry, Step, compress

CHAIN = net("a:16 x; b:8 a")
HALF = KernelPower(0.5, 0.5)
LAZY = KernelPower(computing=1.0, waiting=0.25)


# --- by hand --------------------------------------------------------------------------------------------------


def test_a_mean_over_times() -> None:
    assert LAZY.mean(3.0, 1.0) == (3.0 + 0.25) / 4.0
    assert LAZY.mean(0.0, 2.0) == 0.25
    assert LAZY.mean(0.0, 0.0) == 1.0
    assert KernelPower() == KernelPower(1.0, 1.0, None)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1e-6, 1e3), st.floats(0, 1e3))
def test_a_mean_lies_between(computing: float, waiting: float, body: float, fixed: float) -> None:
    mean = KernelPower(computing, waiting).mean(body, fixed)
    assert min(computing, waiting) - 1e-9 <= mean <= max(computing, waiting) + 1e-9


def test_cores_that_draw_half() -> None:
    """12 s of one big core."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"power": HALF}))
    assert done.energy_j["cpu.big"] == 12 * 1.0 + 12 * 0.5 * 2.5
    assert done.busy_s["cpu"] == 12 / 4


def test_cores_that_wait() -> None:
    """Each kernel starts for 4 s, then computes for 8 and 4: 8 s at a quarter, 12 s at all of it."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"kernel_overhead": 4.0, "power": LAZY}))
    assert done.duration_s == 20.0
    assert done.energy_j["cpu.big"] == pytest.approx(20 * 1.0 + (8 * 0.25 + 12) * 2.5, rel=1e-12)


def test_the_fixed_cost_of_an_inference_is_waiting() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"inference_overhead": 4.0, "power": LAZY}))
    assert done.energy_j["cpu.big"] == pytest.approx(16 * 1.0 + (4 * 0.25 + 12) * 2.5, rel=1e-12)


def test_all_threads_of_a_team_draw_alike() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"power": HALF}), cores="big")
    assert done.energy_j["cpu.big"] == 6 * 1.0 + 2 * 6 * 0.5 * 2.5


def test_an_accelerator_that_draws_half() -> None:
    """It computes for 3 of 4.875 s; the CPU's own draw is not touched."""
    done = outcome(CHAIN, {"a": BUFFER, "b": BUFFER}, toy(gpu={"power": HALF}))
    assert done.energy_j["gpu"] == 4.875 * 0.5 + 3 * 0.5 * 2.5
    assert done.energy_j["cpu.big"] == 4.875 * 1.0


def test_who_dispatches_draws_as_ever() -> None:
    """Two dispatches of 6 s keep a core busy, whatever the kernels of the DSP draw."""
    done = outcome(CHAIN, {"a": DSP, "b": DSP}, toy(dsp={"dispatch": 6.0, "power": HALF}))
    assert done.energy_j["cpu.big"] == 15.875 * 1.0 + 12 * 2.5


def test_a_run_cut_short() -> None:
    done = simulation(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"power": HALF}), count=None, duration=5.0).run()
    assert done.energy_j["cpu.big"] == pytest.approx(5 * 1.0 + 5 * 0.5 * 2.5)


@pytest.mark.parametrize("device", [toy(cpu={"power": HALF}), toy(gpu={"power": HALF}, cpu={"power": LAZY})])
def test_who_caused_it(device: Device) -> None:
    """What applications used and what nobody did is what was drawn, by component; `outcome` checks the sums."""
    done = outcome(CHAIN, {"a": CPU, "b": BUFFER}, device)
    own = {r.component: r.energy_j for r in done.used if r.app == "net"}
    draws = {"cpu.big": device.calibrations["toy", "cpu", "fp32", ""].power.computing}
    draws["gpu"] = device.calibrations["toy", "gpu", "fp32", "buffer"].power.computing
    for component, share in draws.items():
        time = next(r.busy_s for r in done.used if (r.app, r.component) == ("net", component))
        assert own[component] == pytest.approx(share * 2.5 * time)


def test_the_course_of_power_holds_what_was_drawn() -> None:
    """2 cores idle at 0.5 W each, and one busy at half of 2.5 W beyond that."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"power": HALF}))
    steps = power_steps(done)["cpu.big"]
    assert list(steps.values[steps.times < 12.0]) == pytest.approx([1.0 + 0.5 * 2.5])
    assert energy_by_app(done)["net"] == pytest.approx(12 * 0.5 * 2.5 + 256 / 1024)


def test_segments_take_the_mean_of_their_kernels() -> None:
    """By the times that they take alone: 3 s at 1 and 1 s at 0.2."""
    one = Entry("kernel", "a", "cpu", compute=2.0, overhead=1.0)
    other = Entry("kernel", "b", "cpu", bytes=8.0, reach=8.0, activity=0.2)
    assert (one.alone, other.alone) == (3.0, 1.0)
    (segment,) = compress([Step("cpu", (one, other), set(), (0,), (1.0,))]).segments
    assert segment.activity == pytest.approx(0.8)
    (usual,) = compress([Step("cpu", (one, replace(other, activity=1.0)), set(), (0,), (1.0,))]).segments
    assert usual.activity == 1.0


def test_every_kernel_has_its_own_mean() -> None:
    from socsim.schedulers.plan import Plan
    from socsim.schedulers.validation import resolve
    from socsim.simulation.lowering import lower_plan

    own = pricer(CHAIN, toy(cpu={"kernel_overhead": 4.0, "power": LAZY}))
    graph = lower_plan(own, resolve(Plan({"a": CPU, "b": CPU}), own))
    found = [entry.activity for segment in graph.segments for entry in segment.entries]
    assert found == [(8 + 4 * 0.25) / 12, (4 + 4 * 0.25) / 8]


# --- in files -------------------------------------------------------------------------------------------------


def profile(folder: Path, power: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(
        "extends: xiaomi-9\nsources: {mine: measured}\ncalibration:\n  tflite:\n    cpu:\n      fp32:\n"
        f'        grade: B\n        source: "mine"\n        power: {power}\n'
        "        kernels: {other: {efficiency: 0.2}}\n",
        encoding="utf-8",
    )
    return path


def test_a_profile_tells_it(tmp_path: Path) -> None:
    path = profile(tmp_path, "{computing: 0.4, waiting: 0.1, mape: 0.12}")
    found = load_device(path).calibrations["tflite", "cpu", "fp32", ""]
    assert found.power == KernelPower(0.4, 0.1, 0.12)
    others = [c.power for key, c in load_device("xiaomi-9").calibrations.items() if key[0] == "mace"]
    assert set(others) == {KernelPower()}


def test_shares_below_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"power\.waiting"):
        load_device(profile(tmp_path, "{waiting: -0.1}"))


def test_a_transferred_set_draws_as_its_donor() -> None:
    """But its error is not that of another device."""
    donor = toy(cpu={"power": KernelPower(0.4, 0.1, 0.12)}).calibrations["toy", "cpu", "fp32", ""]
    block = calibration_block([Transferred(donor, "toy", "nothing nearer", 1.0, 2.0)])
    assert block["toy"]["cpu"]["fp32"]["power"] == {"computing": 0.4, "waiting": 0.1}
    plain = replace(donor, power=KernelPower())
    assert (
        "power" not in calibration_block([Transferred(plain, "toy", "same", 1.0, 2.0)])["toy"]["cpu"]["fp32"]
    )


# --- told by energies -----------------------------------------------------------------------------------------

IDLE, DRAM = 1.5, 0.0
TRUE = {"tflite": (2.0, 1.6), "armnn": (0.8, 0.0)}
"""What one core draws beyond idle in W, by library: computing, and waiting."""


def measured(tmp_path: Path, noise: float = 0.0):
    """What calibration makes of energies as of :data:`TRUE`, of two libraries whose kernels all start for 0.3 ms."""
    slow = latencies("prime:1", truth().replaced("kernel_overhead", np.array([3e-4])))
    bare = [{**line, "latency_ms": 1e3 * own} for line, own in zip(rows(("prime:1",)), slow, strict=True)]
    lines = [{**line, "library": library} for library in TRUE for line in bare]
    path = write(tmp_path / "latencies.csv", lines)
    device = replace(load_device("xiaomi-9"), calibrations={})
    device = replace(device, memory=replace(device.memory, energy_per_byte=DRAM))
    first = calibrate(device, read_table(path, device, "xiaomi-9"))
    random = np.random.default_rng(1)
    for found in first.calibrated:
        (part,) = found.parts
        share = part.model.computing(found.fit.values)
        for row, own in zip(part.rows, share, strict=True):
            computing, waiting = TRUE[found.key[0]]
            watts = IDLE + computing * own + waiting * (1.0 - own)
            line = next(x for x in lines if (x["library"], x["model"]) == (found.key[0], row.model))
            line |= {"energy_mj": watts * float(str(line["latency_ms"])) * np.exp(noise * random.normal())}
            line |= {"idle_power_w": IDLE}
    path = write(tmp_path / "energies.csv", lines, (*COLUMNS, "energy_mj", "idle_power_w"))
    return calibrate(device, read_table(path, device, "xiaomi-9"))


def test_each_library_s_own_power_is_found(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert found.power is not None
    (cpu,) = found.power.processors
    assert (cpu.processor, cpu.n) == ("cpu", 16)
    assert cpu.mape < 0.01
    hungry, lazy = (found.power.sets[name, "cpu", "fp32", ""] for name in ("tflite", "armnn"))
    assert hungry.power.computing == pytest.approx(1.0)
    assert lazy.power.computing == pytest.approx(0.8 / 2.0, rel=0.06)
    assert lazy.power.waiting < 0.1 < hungry.power.waiting
    assert hungry.power.mape is not None
    assert lazy.power.mape is not None
    for one in found.calibrated:
        told = found.power.sets[one.key]
        assert one.calibration.power == told.power == found.device.calibrations[one.key].power
        assert told.n == 8


def test_noise_costs_its_own_size(tmp_path: Path) -> None:
    found = measured(tmp_path, noise=0.1)
    assert found.power is not None
    for own in found.power.sets.values():
        assert 0.02 < own.mape < 0.2


def test_the_written_device_draws_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One library at 4 W and one at 2.5 W, 1.5 W idle."""
    watts = {"tflite": 4.0, "armnn": 2.5}
    lines = [
        {**line, "library": library, "energy_mj": own * float(str(line["latency_ms"])), "idle_power_w": 1.5}
        for library, own in watts.items()
        for line in rows(("prime:1",))
    ]
    table = write(tmp_path / "t.csv", lines, (*COLUMNS, "energy_mj", "idle_power_w"))
    with pytest.raises(SystemExit) as done:
        main(["calibrate", str(table), "-d", "xiaomi-9", "-o", str(tmp_path / "own.yaml"), "--json"])
    assert done.value.code == 0
    document = json.loads(capsys.readouterr().out)
    for one in document["power"]["sets"]:
        assert one["energy_mape"] < 0.05
        assert one["rows"] == 8
    device = load_device(tmp_path / "own.yaml")
    for library, own in watts.items():
        app = socsim.Inference(
            "mobilenet_v2", scheduler="cpu", library=library, dtype="fp32", cores="prime:1", count=1
        )
        drawn = socsim.simulate(device, [app]).summary()["power_w"].iloc[0]
        assert drawn == pytest.approx(own, rel=0.06)


def test_without_energies_nothing_is_told(tmp_path: Path) -> None:
    device = replace(load_device("xiaomi-9"), calibrations={})
    found = calibrate(device, read_table(write(tmp_path / "t.csv", rows(MASKS)), device, "xiaomi-9"))
    assert found.power is None
    assert all(one.calibration.power == KernelPower() for one in found.calibrated)


def test_shares_of_computing() -> None:
    """Of latencies that the model itself predicts: 1 without fixed times, and less the longer they are."""
    model = CpuModel(kernels(), team("gold:2"), "fp32")
    values = truth()
    none = values
    for name in ("kernel_overhead", "inference_overhead", "fork_join"):
        none = none.replaced(name, np.zeros(1))
    assert model.computing(none) == pytest.approx(np.ones(len(kernels().networks)))
    usual = model.computing(values)
    slow = model.computing(values.replaced("fork_join", np.array([1e-3])))
    assert ((usual < 1.0) & (slow < usual) & (slow > 0.0)).all()
