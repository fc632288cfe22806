"""The calibrations of kernels against what was measured on phones: networks, layers, shares of CPU and GPU.

Costs of kernels alone are added up here, without sharing or waiting; the measured numbers are published ones.
"""

from dataclasses import replace
from functools import cache
from math import log
from statistics import mean

import pytest

from socsim.calibration.features import host_rate
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.kernels import WHOLE, Part, accelerator_cost, cpu_cost
from socsim.workloads.library import load_library
from socsim.workloads.zoo.catalogue import build_model

TOLERANCE = 0.25
DEVICES = ["xiaomi-9", "honor-v30-pro"]
model = cache(build_model)


def cpu_time(device, library, graph, op, dtype="fp32", cores=None, part=WHOLE):
    """Time of an operator on the CPU, s."""
    lib = load_library(library)
    chosen = device.parse_cores(cores or lib.cores)[: lib.threads]
    return cpu_cost(
        graph,
        op,
        lib.kernel_class(op, graph, "cpu"),
        device.calibration(library, "cpu", dtype),
        [device.cores[i] for i in chosen],
        bandwidth=device.cpu_bandwidth,
        chunking=lib.chunking,
        part=part,
    ).time


def accelerator_time(device, library, graph, op, where, part=WHOLE):
    """Time of an operator on an accelerator, s; `where` is (processor, dtype, layout)."""
    processor, dtype, layout = where
    lib = load_library(library)
    calibration = device.calibration(library, processor, dtype, layout)
    kernel = lib.kernel_class(op, graph, processor, layout)
    return accelerator_cost(graph, op, kernel, calibration, device.accelerators[processor], part=part).time


def network_on_cpu(device, library, name, dtype="fp32", cores=None):
    """Latency of a network on the CPU, ms."""
    graph = model(name)
    overhead = device.calibration(library, "cpu", dtype).inference_overhead
    return 1e3 * (overhead + sum(cpu_time(device, library, graph, op, dtype, cores) for op in graph))


def network_on(device, library, name, where):
    """Latency of a network on an accelerator, ms, with the CPU running what it has no kernels for."""
    processor, dtype, layout = where
    graph, lib = model(name), load_library(library)
    found = device.calibration(library, *where)
    hosted = found.host_overhead / host_rate(device, lib, graph)
    time = hosted + found.inference_overhead + device.accelerators[processor].call_latency
    for op in graph:
        if lib.supports(op, graph, processor, layout, dtype):
            time += accelerator_time(device, library, graph, op, where)
        else:
            time += cpu_time(device, library, graph, op, lib.dtypes("cpu")[0])
    return 1e3 * time


def close(simulated, measured, tolerance=TOLERANCE):
    return simulated == pytest.approx(measured, rel=tolerance)


# --- networks under MACE: CoDL, figures 15 and 16 (RetinaFace's operators are counted in several ways there)

NETWORKS = ("yolov2", "vgg16", "posenet", "fast_style_transfer", "retinaface")
MACE_CPU = {"xiaomi-9": (238, 222, 448, 1023, 1126), "honor-v30-pro": (219, 180, 414, 916, 1126)}
MACE_GPU = {"xiaomi-9": (214, 218, 345, 415, 995), "honor-v30-pro": (349, 473, 647, 1123, 1911)}
GPU_LAYOUT = {"xiaomi-9": ("gpu", "fp32", "image"), "honor-v30-pro": ("gpu", "fp32", "buffer")}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("index", range(5), ids=NETWORKS)
def test_mace_on_the_cpu(device, index):
    simulated = network_on_cpu(load_device(device), "mace", NETWORKS[index])
    assert close(simulated, MACE_CPU[device][index], 0.10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("index", range(5), ids=NETWORKS)
def test_mace_on_the_gpu(device, index):
    """VGG-16 on the Kirin's buffers is 23 % too fast: its fully connected layers fall back to the CPU here,
    while CoDL added a slow kernel for them to the GPU."""
    simulated = network_on(load_device(device), "mace", NETWORKS[index], GPU_LAYOUT[device])
    tolerance = TOLERANCE if (device, NETWORKS[index]) == ("honor-v30-pro", "vgg16") else 0.10
    assert close(simulated, MACE_GPU[device][index], tolerance)


def test_images_win_on_adreno_and_buffers_on_mali():
    for device, best, worst, low, high in (
        ("xiaomi-9", "image", "buffer", 2.5, 4.0),
        ("honor-v30-pro", "buffer", "image", 2.0, 3.0),
    ):
        slow, fast = (
            network_on(load_device(device), "mace", "fast_style_transfer", ("gpu", "fp32", layout))
            for layout in (worst, best)
        )
        assert low < slow / fast < high


# --- single layers under MACE -------------------------------------------------------------------------------


def layer(height, width, inputs, outputs, kernel, stride=1):
    b = GraphBuilder("layer")
    name = b.conv(b.input(1, inputs, height, width), outputs, kernel, stride)
    graph = b.build(name)
    return graph, graph[name]


def layer_times(shape, share=1.0, dimension="H", layout="image"):
    """(CPU's, GPU's) ms on a Xiaomi 9: the GPU does a share, the CPU the rest; at share 1, each does all."""
    device, (graph, op) = load_device("xiaomi-9"), layer(*shape)
    rest = Part(1.0 - share, dimension) if share < 1.0 else WHOLE
    gpu = accelerator_time(device, "mace", graph, op, ("gpu", "fp32", layout), Part(share, dimension))
    return 1e3 * cpu_time(device, "mace", graph, op, part=rest), 1e3 * gpu


@pytest.mark.parametrize(
    ("size", "image", "buffer"), [(256, 21.3, 85.6), (128, 5.6, 21.5), (64, 1.7, 4.6)], ids=str
)
def test_convolutions_on_images_and_buffers(size, image, buffer):
    """CoDL, figure 2: 3x3, 64 to 64 channels."""
    assert close(layer_times((size, size, 64, 64, 3))[1], image)
    assert close(layer_times((size, size, 64, 64, 3), layout="buffer")[1], buffer)


def test_pointwise_convolution():
    cpu, gpu = layer_times((52, 52, 256, 128, 1))
    assert close(cpu, 1.505)
    assert close(gpu, 1.126)


def test_halves_of_a_small_convolution():
    """CoDL, figure 3; the GPU's half is 30 % too fast here."""
    cpu, gpu = layer_times((112, 112, 32, 64, 3), 0.5)
    assert close(cpu, 1.95)
    assert close(gpu, 1.89, 0.35)


def test_a_strided_convolution_belongs_on_the_gpu():
    """CoDL: 15.5 ms at 90 % on the GPU, the best; 58.0 ms at the 60 % of a FLOPs-based predictor."""
    shape = (240, 320, 64, 128, 3, 2)
    times = {tenths: max(layer_times(shape, tenths / 10)) for tenths in range(1, 10)}
    assert min(times, key=times.__getitem__) == 9
    assert close(times[9], 15.5)
    assert close(times[6], 58.0)


# --- the GPU's share in the best plans: CoDL's repository, nn_model_builder.cc (1: not divided) -

PLANS = {
    "xiaomi-9": {
        "yolov2": "1 1 .7 1 .6 1 .7 1 .5 1 .5 1 .6 1 .6 1 .5 1 .5 1 .5 1 .5 .5 .5 .5 1",
        "vgg16": "1 .6 1 .7 .5 1 .6 .5 .5 1 .5 .5 .5 1 .5 .5 .5 1",
        "posenet": "1 .6 1 .6 .5 1 .5 .4 .4 .4 1 .5 .5 .5 .6 .6 .6 "
        "1 1 1 .6 .7 .8 .7 .6 1 1 .6 .7 .7 .7 .8 1 1",
        "fast_style_transfer": ".6 .9 .9 .5 .5 .5 .5 .5 .5 .5 .5 .5 .5 .8",
    },
    "honor-v30-pro": {
        "yolov2": ".5 1 1 1 1 .5 .4 1 .3 .5 .3 1 .3 .4 .3 .4 .3 1 .3 .4 .3 .4 .3 .3 .3 .3 .3",
        "vgg16": ".4 .4 1 .4 .3 1 .3 .3 .3 1 .3 .3 .3 1 .3 .3 1 1",
        "posenet": ".7 .5 1 1 .4 1 .4 .3 .3 .3 1 .3 .3 .3 .3 .3 .3 "
        ".3 .5 .5 .4 .4 .4 .4 .4 .7 .6 .4 .4 .4 .4 .4 .7 .7",
    },
}


def share_errors(name):
    """How far the GPU's best share of each divided convolution is from the published one."""
    device, where = load_device(name), GPU_LAYOUT[name]
    for network, plan in PLANS[name].items():
        graph = model(network)
        for op, share in zip(graph, map(float, plan.split()), strict=False):
            if op.type == "conv2d" and share < 1:
                cpu = cpu_time(device, "mace", graph, op)
                yield abs(cpu / (cpu + accelerator_time(device, "mace", graph, op, where)) - share)


@pytest.mark.parametrize(
    ("device", "average", "within"), [("xiaomi-9", 0.05, 0.8), ("honor-v30-pro", 0.07, 0.75)]
)
def test_the_best_share_of_each_operator(device, average, within):
    """Within 0.1 (plans are in steps of 0.1) for most operators."""
    errors = list(share_errors(device))
    assert len(errors) > 50
    assert mean(errors) < average
    assert mean(error < 0.1001 for error in errors) > within


# --- TensorFlow Lite: qed-usc/mobile-ml-benchmark, Google Pixel 4, version 2.10 -----------------------------

QED = {  # (prime:1 fp32, gold:2 fp32, prime:1 int8, gold:2 int8, gpu fp16), ms
    "mobilenet_v1": (39.72, 25.09, 16.77, 13.27, 6.00),
    "mobilenet_v1_0.5": (12.25, 8.27, 6.79, 5.85, 2.71),
    "mobilenet_v2": (28.52, 18.45, 16.04, 13.22, 5.86),
    "mnasnet": (29.32, 19.49, 18.06, 14.56, 6.15),
    "resnet18": (122.48, 79.81, 31.65, 20.79, 20.02),
    "squeezenet_1.0": (55.82, 38.78, 19.63, 15.58, 10.26),
    "squeezenet_1.1": (25.85, 19.07, 10.51, 8.90, 5.57),
}


@pytest.mark.parametrize("name", QED)
def test_tflite(name):
    device = load_device("xiaomi-9")
    simulated = [
        network_on_cpu(device, "tflite", name, "fp32", "prime:1"),
        network_on_cpu(device, "tflite", name, "fp32", "gold:2"),
        network_on_cpu(device, "tflite", name, "int8", "prime:1"),
        network_on_cpu(device, "tflite", name, "int8", "gold:2"),
        network_on(device, "tflite", name, ("gpu", "fp16", "image")),
    ]
    for got, measured in zip(simulated, QED[name], strict=True):
        assert close(got, measured)


def test_tflite_on_more_cores():
    """Three middle cores as measured there; four big cores and the GPU as in TensorFlow's documentation."""
    device = load_device("xiaomi-9")
    assert close(network_on_cpu(device, "tflite", "mobilenet_v1", cores="gold:3"), 18.1)
    assert close(network_on_cpu(device, "tflite", "mobilenet_v1"), 14.0)
    assert close(network_on_cpu(device, "tflite", "inception_v4"), 324.1)
    assert close(network_on_cpu(device, "tflite", "efficientnet_lite0"), 12.0)
    assert close(network_on(device, "tflite", "inception_v4", ("gpu", "fp16", "image")), 97.6)
    assert close(network_on(device, "tflite", "efficientnet_lite0", ("gpu", "fp32", "image")), 9.0)
    assert close(network_on(device, "tflite", "efficientnet_lite0", ("gpu", "fp16", "image")), 6.0)


# --- ncnn: its benchmark, OnePlus 7T (Snapdragon 855+: prime core at 2.96 GHz, GPU at 675 MHz) --------------

NCNN = {  # (one thread, four threads, Vulkan), ms; ResNet-50 is no part of the fit
    "squeezenet_1.1": (8.31, 3.64, 9.09),
    "mobilenet_v1": (14.45, 5.38, 13.22),
    "mobilenet_v2": (9.84, 4.68, 10.85),
    "resnet18": (22.12, 10.35, 24.82),
    "alexnet": (24.92, 11.91, 28.01),
    "vgg16": (129.78, 60.19, 106.3),
    "resnet50": (65.9, 26.2, 55.7),
}


@cache
def oneplus_7t() -> Device:
    device = load_device("xiaomi-9")

    def faster(unit, factor):
        return replace(unit, opps=tuple(replace(o, frequency=o.frequency * factor) for o in unit.opps))

    clusters = tuple(faster(c, 2.9568 / 2.8416) if c.name == "prime" else c for c in device.clusters)
    gpu = faster(device.accelerators["gpu"], 675 / 585)
    return replace(device, clusters=clusters, accelerators={"gpu": gpu})


@pytest.mark.parametrize("name", NCNN)
def test_ncnn(name):
    one, four, vulkan = NCNN[name]
    assert close(network_on_cpu(oneplus_7t(), "ncnn", name, "fp16", "prime:1"), one)
    assert close(network_on_cpu(oneplus_7t(), "ncnn", name, "fp16"), four)
    assert close(network_on(oneplus_7t(), "ncnn", name, ("gpu", "fp16", "buffer")), vulkan, 0.3)


# --- DSP: MLPerf v0.5, Qualcomm SDM855 ----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "measured"), [("mobilenet_v1", 2.958), ("resnet50", 8.886)])
def test_dsp(name, measured):
    """Both were used to choose the set."""
    assert close(network_on(load_device("xiaomi-9"), "mace", name, ("dsp", "int8", "buffer")), measured, 0.05)


# --- the sets themselves ------------------------------------------------------------------------------------


def sets(device):
    return load_device(device).calibrations.values()


@pytest.mark.parametrize("device", DEVICES)
def test_every_set_belongs_to_a_library_and_has_its_classes(device):
    for found in sets(device):
        library = load_library(found.library)
        assert found.layout in library.layouts(found.processor)
        assert found.dtype in library.dtypes(found.processor)
        types = set(library.backends[found.processor].tables[found.layout])
        named = {
            rule.result[0]
            for rule in library.classes
            if rule.types & types and (not rule.processors or found.processor in rule.processors)
        }
        assert len(named) > 8
        assert named <= set(found.kernels)


@pytest.mark.parametrize("device", DEVICES)
def test_every_set_tells_its_grade_and_source(device):
    for found in sets(device):
        assert found.grade in "ABCDF"
        assert len(found.source) > 20
        assert 0.003 <= found.noise <= 0.1


@pytest.mark.parametrize("device", DEVICES)
def test_rates_are_those_of_real_kernels(device):
    """Above the peak only where Winograd saves work: at most 4 (6x6 tiles: 5.06) times."""
    for found in sets(device):
        for name, rate in found.kernels.items():
            assert rate.efficiency < (4.0 if name.startswith("winograd") else 1.0), (found.key, name)


@pytest.mark.parametrize("library", ["mace", "tflite", "ncnn"])
@pytest.mark.parametrize("device", DEVICES)
def test_more_cores_are_faster_but_not_linearly(device, library):
    phone = load_device(device)
    dtype = load_library(library).dtypes("cpu")[0]
    fast = phone.core_names([phone.fastest_core])
    ratio = network_on_cpu(phone, library, "resnet50", dtype, fast) / network_on_cpu(
        phone, library, "resnet50", dtype
    )
    assert 1.5 < ratio < 3.5
    assert log(ratio) > 0.4
