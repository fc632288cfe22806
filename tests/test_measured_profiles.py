"""Rates that come with socsim: made from the tables as the benchmarks say, and used as they say."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import yaml

import socsim
from benchmarks import calibrate_profiles, priors, unseen_device
from socsim.calibration.features import accelerator_kernels, host_rate, with_calibration
from socsim.calibration.model import AcceleratorModel
from socsim.calibration.space import accelerator_space
from socsim.calibration.tables import Row
from socsim.calibration.validation import Compared, validate
from socsim.devices.device import Calibration, KernelRate
from socsim.devices.profile import device_names, load_device
from socsim.workloads.kernels import part_bytes
from socsim.workloads.library import load_library
from socsim.workloads.zoo.catalogue import build_model

NPU = ("qnn", "npu", "fp16", "buffer")


# --- generated files ----------------------------------------------------------------------------------------


def test_a_file_is_what_the_tables_give() -> None:
    """The measured part, number for number; what other devices lend comes after it."""
    target = calibrate_profiles.TARGETS["kirin-980"]
    outcomes, seconds = calibrate_profiles.measured(target)
    assert seconds < 30.0
    made = yaml.safe_load(calibrate_profiles.text("kirin-980", outcomes, {}))["calibration"]
    path = calibrate_profiles.PROFILES / "kernels" / "kirin-980.yaml"
    shipped = yaml.safe_load(path.read_text(encoding="utf-8"))["calibration"]
    assert made["paddlelite"]["cpu"] == {
        k: shipped["paddlelite"]["cpu"][k] for k in made["paddlelite"]["cpu"]
    }
    assert made["paddlelite"]["gpu"]["fp16"]["buffer"] == shipped["paddlelite"]["gpu"]["fp16"]["buffer"]


def test_every_generated_file_is_used() -> None:
    used = set()
    for name in device_names():
        blocks = yaml.safe_load((calibrate_profiles.PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))
        used |= {base.removeprefix("kernels/") for base in blocks["extends"]}
    assert set(calibrate_profiles.TARGETS) <= used


def test_hardware_alone_has_no_generated_rates() -> None:
    assert not calibrate_profiles.load_bare("galaxy-s10").calibrations
    libraries = {key[0] for key in calibrate_profiles.load_bare("pixel-4").calibrations}
    assert "mace" in libraries and "paddlelite" not in libraries  # what is written by hand stays


@pytest.mark.parametrize("name", ["galaxy-s10", "raspberry-pi-4", "snapdragon-8-gen-2-phone"])
def test_measured_sets_tell_their_error_and_rows(name) -> None:
    found = [c for c in load_device(name).calibrations.values() if c.source.startswith("calibrated:")]
    assert found
    for one in found:
        assert one.grade in "BC"
        assert f"; {name} in " in one.source and one.source.endswith(".csv")
        assert one.error is not None and one.error.low < one.error.high
        assert one.grade == "C" or (one.error.mape is not None and one.error.mape <= 0.1)


def test_lent_sets_tell_their_factor() -> None:
    for one in load_device("hikey960").calibrations.values():
        assert one.grade == "D" and one.source.startswith("family:")
        assert one.error is not None and one.error.low * one.error.high == pytest.approx(1.0, rel=1e-3)


# --- memory of an accelerator's own ---------------------------------------------------------------------------


def test_activations_that_fit_stay_out_of_the_dram() -> None:
    graph = build_model("mobilenet_v1")
    op = next(op for op in graph if op.weights and graph.input_elements(op) > 1000)
    activations = 2.0 * (graph.input_elements(op) + graph.output_elements(op))
    weights = 2.0 * op.weights
    assert part_bytes(graph, op, "fp16") == activations + weights
    assert part_bytes(graph, op, "fp16", local_memory=1e9) == weights
    assert part_bytes(graph, op, "fp16", local_memory=1000.0) == activations + weights - 1000.0


def test_the_closed_form_knows_that_memory() -> None:
    """With it as without, the law of calibration is that of the simulation."""
    phone = replace(load_device("snapdragon-8-gen-2-phone"), calibrations={})
    library, names = load_library("qnn"), ("mobilenet_v1", "resnet18")
    times = []
    for size in (0.0, 8e6):
        unit = replace(phone.accelerators["npu"], local_memory=size)
        device = replace(phone, accelerators={**phone.accelerators, "npu": unit})
        own = with_calibration(device, Calibration(*NPU, kernels={"other": KernelRate(1.0)}))
        kernels = accelerator_kernels(own, library, NPU, {name: build_model(name) for name in names})
        rate = host_rate(own, library, build_model(names[0]))
        model = AcceleratorModel(kernels, unit, "fp16", device.memory.bandwidth, rate)
        space = accelerator_space("qnn", unit, "fp16", kernels.classes)
        values = space.values(space.start)
        times.append(model.latencies(values))
        ready = with_calibration(device, values.calibration(NPU))
        for name, expected in zip(names, times[-1], strict=True):
            app = socsim.Inference(name, scheduler="npu", library="qnn", dtype="fp16", count=1)
            latency = socsim.simulate(ready, [app]).metrics()["latency_ms_mean"]
            assert latency == pytest.approx(1e3 * expected, rel=1e-9)
    assert (times[1] < times[0]).all()


# --- benchmarks -----------------------------------------------------------------------------------------------


def compared(processor: str, cores: str, measured: float, predicted: float) -> Compared:
    row = Row(2, "tflite", processor, cores, "fp32", "net", measured)
    return Compared(
        "t.csv", "d", row, predicted, None, Calibration("tflite", processor, "fp32", "", {}), False
    )


def test_weak_cores_slow_a_team_down_where_they_did() -> None:
    """ncnn with all eight cores of an RK3588 beside its four strong ones, 20 networks."""
    found = validate(["ncnn"], load_device("rk3588"))
    times = {
        (c.row.precision, c.row.model, c.row.cores): c for c in found.compared if c.row.processor == "cpu"
    }
    strong = "big1:2+big0:2"
    mixed = {key: c for key, c in times.items() if key[2] == f"{strong}+little:4"}
    assert len(mixed) == 20
    for (precision, model, _), all_eight in mixed.items():
        four = times[precision, model, strong]
        assert all_eight.row.latency > four.row.latency
        assert all_eight.latency > four.latency
    errors = [abs(c.latency / c.row.latency - 1) for c in mixed.values()]
    assert fmean(errors) < 0.18


def test_the_winner_is_that_of_the_fastest_cores() -> None:
    """Measured 2 on the CPU against 3; predicted 5 against 4."""
    rows = [compared("cpu", "a:1", 9.0, 5.0), compared("cpu", "b:1", 2.0, 6.0), compared("gpu", "", 3.0, 4.0)]
    assert unseen_device.winners(rows) == [(False, True)]
    assert unseen_device.winners(rows[:2]) == []
    assert unseen_device.errors(rows) == pytest.approx([4 / 9, 2.0, 1 / 3])


def test_a_device_is_predicted_by_others() -> None:
    made = unseen_device.unseen("p30")
    assert {c.name: c.count for c in made.clusters} == {"little": 4, "middle": 2, "big": 2}
    assert not any("p30" in c.source for c in made.calibrations.values())
    row = unseen_device.row_of("p30")
    assert row["n"] == 19 and row["median_error"] < 0.4


def test_kin_is_left_out() -> None:
    for one in unseen_device.unseen("oneplus-7t").calibrations.values():
        assert one.source.split()[1].strip(",") not in {"pixel-4", "xiaomi-9", "oneplus-7t", "honor-v30-pro"}


def test_expectations_from_other_devices() -> None:
    """What others came to, in place of what the library's own kernels are expected to do."""
    case = priors.Case("ncnn", "ncnn", "fp32", "jetson-nano")
    names = [p.name for p in case.plain.parameters]
    shipped = {p.name: p.median for p in case.space.parameters}
    plain = {p.name: p.median for p in case.plain.parameters}
    assert plain["efficiency.grouped"] == 0.2 and shipped["efficiency.grouped"] == 0.8
    assert plain["efficiency.winograd43"] == shipped["efficiency.winograd43"] == 0.65
    found = case.fitted()
    same = priors._from_others(case, [(case, found)])
    at = names.index("efficiency.winograd43")
    assert np.log(same.parameters[at].median) == pytest.approx(found.vector[at])
    gemm = names.index("efficiency.gemm")
    assert same.parameters[gemm].median == plain["efficiency.gemm"]
