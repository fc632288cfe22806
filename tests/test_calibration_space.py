"""What a fit may move, and what is expected of it beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibkit import KEY, phone, space, team

from socsim.calibration.features import accelerator_kernels, with_calibration
from socsim.calibration.fit import Series, fit
from socsim.calibration.model import AcceleratorModel
from socsim.calibration.priors import meeting_prior
from socsim.calibration.space import accelerator_space, cpu_space
from socsim.calibration.values import BY_CLASS, SCALARS, Values
from socsim.devices.device import Calibration, KernelRate
from socsim.devices.profile import load_device
from socsim.workloads.library import load_library
from socsim.workloads.zoo.catalogue import build_model

NETWORKS = ("mobilenet_v2", "squeezenet_1.1", "resnet18", "resnet50_v1.5", "mnasnet", "shufflenet_v2")


def names(found) -> list[str]:
    return [p.name for p in found.parameters]


@pytest.mark.parametrize(("processor", "enqueued"), [("gpu", True), ("dsp", False)])
def test_only_kernels_that_a_host_enqueues_cost_it_time(processor: str, enqueued: bool) -> None:
    accelerator = phone().accelerators[processor]
    assert bool(accelerator.call_latency) is not enqueued
    dtype = next(iter(accelerator.macs_per_cycle))
    found = accelerator_space("tflite", accelerator, dtype, ["conv", "depthwise"])
    assert ("dispatch" in names(found)) is enqueued
    assert found.fixed.scalar("dispatch") == 0.0
    assert {"kernel_overhead", "inference_overhead", "bandwidth_share"} <= set(names(found))


def test_it_is_the_call_that_tells() -> None:
    """Not what the processor is named."""
    called = replace(phone().accelerators["gpu"], call_latency=1e-4)
    assert "dispatch" not in names(accelerator_space("tflite", called, "fp16", ["conv"]))
    enqueued = replace(phone().accelerators["dsp"], call_latency=0.0)
    assert "dispatch" in names(accelerator_space("tflite", enqueued, "int8", ["conv"]))


def npu():
    """Networks on an NPU that is called: model and space."""
    key = ("qnn", "npu", "int8", "buffer")
    bare = replace(load_device("snapdragon-8-gen-2-phone"), calibrations={})
    device = with_calibration(bare, Calibration("qnn", *KEY[1:], kernels={"other": KernelRate(0.1)}))
    found = accelerator_kernels(
        device, load_library("qnn"), key, {name: build_model(name) for name in NETWORKS}
    )
    accelerator = device.accelerators["npu"]
    model = AcceleratorModel(found, accelerator, "int8", device.memory.bandwidth)
    return model, accelerator_space("qnn", accelerator, "int8", found.classes)


def test_the_short_kernels_of_a_called_processor_are_found() -> None:
    """Of 0.2 us each, when a host needs some 3 us to enqueue one."""
    model, some = npu()
    values = some.values(some.start)
    for name, value in (("kernel_overhead", 2e-7), ("inference_overhead", 5e-5)):
        values = values.replaced(name, np.array([value]))
    seconds = model.latencies(values)
    found = fit(some, [Series(model, seconds)])
    assert np.abs(model.latencies(found.values) / seconds - 1.0).max() < 0.05
    assert found.values.scalar("kernel_overhead") < 2e-6
    assert found.values.calibration(("qnn", "npu", "int8", "buffer")).dispatch == 0.0


def test_threads_that_wait_busily_meet_sooner() -> None:
    busy, asleep = meeting_prior("tflite"), meeting_prior("armnn")
    assert busy[0] < 1e-6 < meeting_prior("not known")[0] < asleep[0]
    assert busy[1] > asleep[1]
    pair = [team("gold:2").cores]
    for library, (median, spread) in (("tflite", busy), ("armnn", asleep)):
        own = {p.name: p for p in cpu_space(library, "fp32", ["gemm"], pair).parameters}["fork_join"]
        assert (own.median, own.spread) == (median, spread)


def test_one_thread_meets_nobody() -> None:
    assert "fork_join" not in names(cpu_space("tflite", "fp32", ["gemm"], [team("prime:1").cores]))
    assert "fork_join" in names(space())


# --- parameter sets as arrays -----------------------------------------------------------------------------------


def numbered() -> Values:
    """All quantities of two classes and two clusters, no two alike."""
    neutral, values = Values.neutral(["gemm", "fc"], ["gold", "silver"]), iter(range(1, 100))
    arrays = {
        name: np.array([float(next(values)) for _ in array.flat]).reshape(array.shape)
        for name, array in neutral.arrays.items()
    }
    return Values(neutral.classes, neutral.clusters, arrays)


def test_a_parameter_set_has_every_number_in_its_place() -> None:
    values = numbered()
    made = values.calibration(("mace", "cpu", "fp32", ""))
    assert made.key == ("mace", "cpu", "fp32", "")
    for i, name in enumerate(("gemm", "fc")):
        assert [getattr(made.kernels[name], q) for q in BY_CLASS] == [values[q][i] for q in BY_CLASS]
    assert [getattr(made, q) for q in SCALARS] == [values.scalar(q) for q in SCALARS]
    for i, cluster in enumerate(("gold", "silver")):
        factors = made.clusters[cluster]
        assert dict(factors.kernels) == {"gemm": values["speed"][i][0], "fc": values["speed"][i][1]}
        assert factors.overhead == values["overhead"][i]


def test_kernels_that_are_not_listed_have_the_rate_of_the_last_class() -> None:
    made = numbered().calibration(("mace", "cpu", "fp32", ""))
    assert list(made.kernels) == ["gemm", "fc", "other"]
    assert made.kernels["other"] == made.kernels["fc"] != made.kernels["gemm"]
    own = Values.neutral(["other", "fc"]).replaced("efficiency", np.array([0.5, 0.25]))
    assert own.calibration(KEY).kernels["other"].efficiency == 0.5


def test_a_neutral_set_costs_nothing_but_the_work() -> None:
    made = Values.neutral(["gemm"], ["gold"]).calibration(KEY)
    rate = made.kernels["gemm"]
    assert (rate.efficiency, made.bandwidth_share, made.clusters["gold"].overhead) == (1.0, 1.0, 1.0)
    assert dict(made.clusters["gold"].kernels) == {"gemm": 1.0}
    assert {getattr(rate, q) for q in BY_CLASS if q != "efficiency"} == {0.0}
    assert {getattr(made, q) for q in SCALARS if q != "bandwidth_share"} == {0.0}


def test_replacing_an_array_leaves_the_others() -> None:
    values = numbered()
    other = values.replaced("half_work", np.array([7.0, 8.0]))
    assert list(other["half_work"]) == [7.0, 8.0] and list(values["half_work"]) != [7.0, 8.0]
    assert all(other[name] is array for name, array in values.arrays.items() if name != "half_work")
