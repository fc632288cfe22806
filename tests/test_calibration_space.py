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
