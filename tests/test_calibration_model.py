"""The closed form equals the simulation of one inference on the idle device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibkit import KEY, MASKS, NETWORKS, calibrated, kernels, latencies, phone, space, team, truth

import socsim
from socsim.calibration.complete import complete
from socsim.calibration.features import Team, accelerator_kernels, cpu_kernels, host_rate, with_calibration
from socsim.calibration.fit import Series, _columns, _jacobian
from socsim.calibration.model import AcceleratorModel, CpuModel, OperatorModel
from socsim.calibration.space import accelerator_space
from socsim.devices.device import Calibration, KernelRate
from socsim.workloads.library import load_library
from socsim.workloads.zoo.catalogue import build_model

EXACT = 1e-9


def simulated(device, name, **options) -> float:
    """Latency in s of one inference."""
    result = socsim.simulate(device, [socsim.Inference(name, count=1, **options)])
    return float(result.inferences["latency_ms"].iloc[0]) * 1e-3


@pytest.mark.parametrize("mask", [*MASKS, "prime:1+gold:3", "silver:4", "prime:1+silver:2"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_cpu(mask: str, seed: int) -> None:
    values = truth(seed).replaced("crossing", np.array([0.2]))
    predicted = latencies(mask, values)
    for name in ("mobilenet_v2", "squeezenet_1.1"):
        time = simulated(calibrated(values), name, scheduler="cpu", library="tflite", cores=mask)
        assert time == pytest.approx(predicted[NETWORKS.index(name)], rel=EXACT)


def test_static_chunks() -> None:
    """Under ncnn the slowest core decides."""
    library = load_library("ncnn")
    names = ("mobilenet_v1", "resnet18")
    graphs = {name: build_model(name) for name in names}
    own = cpu_kernels(library, "fp16", graphs, phone().cores[phone().fastest_core])
    crew = Team.of(phone(), library, "prime:1+gold:1+silver:2")
    from socsim.calibration.space import cpu_space

    some = cpu_space("ncnn", "fp16", own.classes, [crew.cores])
    values = some.values(some.start)
    fastest = phone().cores[phone().fastest_core]
    device = with_calibration(phone(), complete(library, ("ncnn", "cpu", "fp16", ""), values, fastest))
    for name, expected in zip(names, CpuModel(own, crew, "fp16").latencies(values), strict=True):
        time = simulated(device, name, scheduler="cpu", library="ncnn", cores="prime:1+gold:1+silver:2")
        assert time == pytest.approx(expected, rel=EXACT)


def gpu(names: tuple[str, ...], key=("tflite", "gpu", "fp16", "image"), **scalars: float):
    """Networks on the GPU: device, model and values."""
    device = with_calibration(phone(), Calibration(*KEY, kernels={"other": KernelRate(0.1)}))
    library = load_library(key[0])
    found = accelerator_kernels(device, library, key, {name: build_model(name) for name in names})
    accelerator = device.accelerators[key[1]]
    own = with_calibration(device, Calibration(*key, kernels={"other": KernelRate(1.0)}))
    rate = host_rate(own, library, build_model(names[0]))
    model = AcceleratorModel(found, accelerator, key[2], device.memory.bandwidth, rate)
    some = accelerator_space(key[0], accelerator, key[2], found.classes, timed="host_overhead" in scalars)
    values = some.values(some.start)
    for name, value in scalars.items():
        values = values.replaced(name, np.array([value]))
    return with_calibration(device, values.calibration(key)), model, some, values


@pytest.mark.parametrize("dispatch", [0.0, 1e-5, 2e-4, 5e-3])
@pytest.mark.parametrize("overhead", [0.0, 3e-3])
def test_the_gpu_waits_for_its_host(dispatch: float, overhead: float) -> None:
    """Hidden behind kernels, in part, or all that counts."""
    names = ("mobilenet_v1", "squeezenet_1.1")
    device, model, _, values = gpu(names, dispatch=dispatch, inference_overhead=overhead)
    for name, expected in zip(names, model.latencies(values), strict=True):
        time = simulated(device, name, scheduler="gpu", library="tflite", dtype="fp16")
        assert time == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("hosted", [1e-4, 2e-3])
@pytest.mark.parametrize("dispatch", [0.0, 2e-4])
def test_the_host_works_before_the_first_kernel(dispatch: float, hosted: float) -> None:
    names = ("mobilenet_v1", "squeezenet_1.1")
    device, model, _, values = gpu(names, dispatch=dispatch, host_overhead=hosted, inference_overhead=0.0)
    without = model.latencies(values.replaced("host_overhead", np.zeros(1)))
    assert model.host_rate < 1.0
    assert model.latencies(values) == pytest.approx(without + hosted / model.host_rate, rel=0.02)
    for name, expected in zip(names, model.latencies(values), strict=True):
        time = simulated(device, name, scheduler="gpu", library="tflite", dtype="fp16")
        assert time == pytest.approx(expected, rel=EXACT)


def test_the_host_works_once_where_operators_fall_back() -> None:
    device, model, _, values = gpu(("shufflenet_v2",), host_overhead=2e-3, inference_overhead=0.0)
    assert len(set(model.kernels.segment)) > 1
    without = model.latencies(values.replaced("host_overhead", np.zeros(1)))
    assert model.latencies(values)[0] <= without[0] + 2e-3 / model.host_rate
    time = simulated(device, "shufflenet_v2", scheduler="gpu", library="tflite", dtype="fp16")
    assert time == pytest.approx(model.latencies(values)[0], rel=0.03)


def test_a_called_processor() -> None:
    """The DSP's call costs time before its first kernel."""
    names = ("mobilenet_v1",)
    device, model, _, values = gpu(names, ("tflite", "dsp", "int8", "buffer"), dispatch=2e-6)
    assert model.accelerator.call_latency > 0.0
    device = replace(device, clusters=tuple(replace(c, idle_states=()) for c in device.clusters))
    time = simulated(device, "mobilenet_v1", scheduler="dsp", library="tflite", dtype="int8")
    assert time == pytest.approx(model.latencies(values)[0], rel=EXACT)


def test_operators_that_fall_back() -> None:
    """What the GPU cannot run splits a network into pieces between which tensors are handed over."""
    device, model, _, values = gpu(("shufflenet_v2",))
    assert len(set(model.kernels.segment)) > 1
    time = simulated(device, "shufflenet_v2", scheduler="gpu", library="tflite", dtype="fp16")
    assert time == pytest.approx(model.latencies(values)[0], rel=0.03)  # branches overlap a little


def test_operators_alone_have_no_overhead() -> None:
    _, model, _, values = gpu(("mobilenet_v1",), kernel_overhead=1e-4)
    alone = OperatorModel(model.kernels, model.accelerator, model.dtype, model.memory)
    with_overhead = alone.durations(values)
    without = alone.durations(values.replaced("kernel_overhead", np.zeros(1)))
    assert alone.latencies(values) == pytest.approx(without)
    assert with_overhead == pytest.approx(without + 1e-4)
    assert alone.weights(values) is None


# --- slopes ---------------------------------------------------------------------------------------------------


def slopes(model, some, vector) -> tuple[np.ndarray, np.ndarray]:
    """Slopes as the fit takes them, and by central differences, one parameter at a time."""
    quick = _jacobian(model, some, some.values(vector), _columns(some))
    columns = []
    for i in range(len(vector)):
        step = np.zeros(len(vector))
        step[i] = 1e-6
        up, down = (np.log(model.latencies(some.values(vector + s))) for s in (step, -step))
        columns.append((up - down) / 2e-6)
    return quick, np.array(columns).T


@pytest.mark.parametrize("mask", MASKS)
def test_slopes_on_the_cpu(mask: str) -> None:
    quick, slow = slopes(CpuModel(kernels(), team(mask), "fp32"), space(), space().start)
    assert quick == pytest.approx(slow, abs=2e-5)


@pytest.mark.parametrize("hosted", [{}, {"host_overhead": 1e-3}])
@pytest.mark.parametrize("dispatch", [1e-5, 1.3e-4])
def test_slopes_on_the_gpu(dispatch: float, hosted: dict[str, float]) -> None:
    _, model, some, _ = gpu(("mobilenet_v1", "squeezenet_1.1"), **hosted)
    fitted = [p.name for p in some.parameters if p.name in ("host_overhead", "inference_overhead")]
    assert fitted == (["host_overhead"] if hosted else ["inference_overhead"])
    vector = some.start.copy()
    vector[[p.name for p in some.parameters].index("dispatch")] = np.log(dispatch)
    quick, slow = slopes(model, some, vector)
    assert quick == pytest.approx(slow, abs=2e-5)


def test_some_of_the_networks() -> None:
    """A selection predicts what all of them together do, in its own order."""
    names = ("resnet18", "mobilenet_v1")
    model = CpuModel(kernels().select(names), team("prime:1"), "fp32")
    whole = dict(zip(NETWORKS, latencies("prime:1"), strict=True))
    assert model.latencies(truth()) == pytest.approx([whole[name] for name in names], rel=1e-12)
    series = Series(model, np.array([1.0, 2.0]))
    part = series.only(np.array([False, True]))
    assert part is not None and part.model.kernels.networks == ("mobilenet_v1",)
    assert list(part.seconds) == [2.0]
    assert series.only(np.array([False, False])) is None


def test_some_of_the_networks_of_a_gpu() -> None:
    _, model, _, values = gpu(("mobilenet_v1", "shufflenet_v2", "squeezenet_1.1"))
    whole = model.latencies(values)
    part = replace(model, kernels=model.kernels.select(("squeezenet_1.1", "shufflenet_v2")))
    assert part.latencies(values) == pytest.approx(whole[[2, 1]], rel=1e-12)
