"""How ncnn computes convolutions: which class a shape takes, what it multiplies and reads, and that fits recover it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.calibration.algorithms import DIRECT, Algorithm, algorithm, has_dot_product
from socsim.calibration.complete import complete
from socsim.calibration.features import Team, accelerator_kernels, cpu_kernels
from socsim.calibration.fit import Series, fit
from socsim.calibration.model import CpuModel
from socsim.calibration.priors import HALVES, WINOGRAD_HALVES, Queue, queue
from socsim.calibration.space import Parameter, Space, accelerator_space, cpu_space, kinds
from socsim.calibration.values import Values
from socsim.devices.device import Calibration, KernelRate
from socsim.devices.profile import load_device
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.kernels import (
    accelerator_cost,
    cpu_cost,
    kernel_work,
    part_bytes,
    part_work,
    winograd_share,
)
from socsim.workloads.library import load_library
from socsim.workloads.zoo.catalogue import build_model


def conv(channels, size, out, kernel=3, stride=1, groups=1):
    """A convolution alone, and its network; sizes are kept."""
    builder = GraphBuilder("one")
    x = builder.input(1, channels, size, size)
    graph = builder.build(builder.conv(x, out, kernel, stride, padding="same", groups=groups))
    return graph, next(iter(graph))


# --- which class a shape takes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "cpu", "gpu"),
    [
        ((64, 56, 64), "winograd63", "winograd43"),
        ((128, 28, 128), "winograd63", "winograd43"),
        ((128, 28, 256), "winograd43", "winograd43"),
        ((256, 14, 128), "winograd43", "winograd43"),
        ((512, 7, 512), "winograd43", "winograd23"),
        ((64, 10, 64), "winograd63", "winograd23"),
        ((64, 11, 64), "winograd63", "winograd43"),
        ((8, 56, 8), "winograd63", "sgemm"),
        ((16, 56, 16), "winograd63", "winograd43"),
        ((8, 56, 7), "sgemm", "sgemm"),
        ((3, 224, 64), "conv_shallow", "conv_shallow"),
        ((64, 56, 64, 1), "gemm", "gemm"),
        ((64, 56, 64, 3, 2), "sgemm", "sgemm"),
        ((64, 56, 64, 5), "sgemm", "sgemm"),
        ((384, 13, 384, 3, 1, 2), "winograd43", "grouped"),
        ((96, 27, 256, 5, 1, 2), "sgemm", "grouped"),
        ((96, 27, 256, 3, 2, 2), "sgemm", "grouped"),
        ((240, 28, 240, 1, 1, 3), "grouped", "grouped"),
        ((64, 56, 64, 3, 1, 64), "depthwise", "depthwise"),
    ],
)
def test_classes(shape, cpu, gpu) -> None:
    graph, op = conv(*shape)
    library = load_library("ncnn")
    assert (library.kernel_class(op, graph, "cpu"), library.kernel_class(op, graph, "gpu")) == (cpu, gpu)


def test_a_mean_that_keeps_its_dimensions_leaves_vulkan() -> None:
    library = load_library("ncnn")
    means = [
        (g, op)
        for g in map(build_model, ("efficientnet_v2_b0", "mnasnet"))
        for op in g
        if op.type == "reduce"
    ]
    told = [(op.get("keepdims"), library.reason(op, g, "gpu", "buffer", "fp16")) for g, op in means]
    assert told.count((True, "reduce needs keepdims false")) == 16
    assert told.count((False, None)) == len(told) - 16 == 1


# --- what it multiplies and reads ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "tile", "share"),
    [
        (12, 6, 64 / 324),
        (12, 4, 36 / 144),
        (12, 2, 16 / 36),
        (7, 4, 36 * 4 / (9 * 49)),
        (7, 6, 64 * 4 / (9 * 49)),
        (14, 4, 36 * 16 / (9 * 196)),
        (12, 0, 1.0),
    ],
)
def test_products_of_tiles(size, tile, share) -> None:
    graph, op = conv(16, size, 16)
    assert winograd_share(graph, op, tile) == pytest.approx(share, rel=1e-12)
    rate = KernelRate(1.0, tile=tile, group_work=100.0)
    assert kernel_work(graph, op, rate) == pytest.approx(share * op.macs, rel=1e-12)


def test_groups_cost_beside_tiles() -> None:
    graph, op = conv(64, 12, 64, groups=2)
    rate = KernelRate(1.0, tile=4, group_work=100.0)
    assert kernel_work(graph, op, rate) == pytest.approx(op.macs / 4 + 200.0)


def test_what_is_no_image_has_no_tiles() -> None:
    builder = GraphBuilder("one")
    graph = builder.build(builder.dense(builder.input(1, 8), 4))
    assert winograd_share(graph, next(iter(graph)), 4) == 1.0


@given(st.integers(1, 60), st.sampled_from([2, 4, 6]))
def test_tiles_are_whole(size, tile) -> None:
    """Padding to whole tiles costs what whole tiles cost, never less than tiles without padding."""
    graph, op = conv(8, size, 8)
    whole, other = conv(8, -(-size // tile) * tile, 8)
    products = part_work(graph, op) * winograd_share(graph, op, tile)
    assert products == pytest.approx(part_work(whole, other) * winograd_share(whole, other, tile))
    assert winograd_share(graph, op, tile) >= ((tile + 2) / (3 * tile)) ** 2 * (1 - 1e-12)


def test_weights_are_read_transformed() -> None:
    graph, op = conv(512, 7, 512)
    assert part_bytes(graph, op, "fp16") == 2 * (2 * 512 * 49 + op.weights)
    assert part_bytes(graph, op, "fp16", weights_share=4.0) == 2 * (2 * 512 * 49 + 4 * op.weights)


def test_both_processors_charge_them() -> None:
    graph, op = conv(512, 7, 512)
    device = load_device("oneplus-7t")
    rate = KernelRate(0.5, tile=4, weights=4.0)
    plain, own = (
        Calibration("ncnn", "cpu", "fp16", "", kernels={"other": r}) for r in (KernelRate(0.5), rate)
    )
    prime = [device.cores[device.fastest_core]]
    direct, tiled = (cpu_cost(graph, op, "other", c, prime, bandwidth=1e9) for c in (plain, own))
    assert tiled.compute / direct.compute == pytest.approx(36 * 4 / (9 * 49))
    assert tiled.bytes - direct.bytes == 2 * 3 * op.weights
    gpu = device.accelerators["gpu"]
    direct, tiled = (
        accelerator_cost(graph, op, "other", replace(c, processor="gpu"), gpu) for c in (plain, own)
    )
    assert tiled.compute / direct.compute == pytest.approx(36 * 4 / (9 * 49))
    assert tiled.bytes - direct.bytes == 2 * 3 * op.weights


# --- which algorithm a class is -----------------------------------------------------------------------------


def fastest(device: str):
    found = load_device(device)
    return found.cores[found.fastest_core]


@pytest.mark.parametrize(
    ("device", "dot"),
    [("rk3588", True), ("oneplus-7t", True), ("raspberry-pi-4", False), ("jetson-agx-xavier", False)],
)
def test_dot_products(device, dot) -> None:
    """Cortex-A76 has them; A72 and Carmel do not."""
    assert has_dot_product(fastest(device)) is dot


def test_algorithms_of_ncnn() -> None:
    pi, rk = fastest("raspberry-pi-4"), fastest("rk3588")
    assert algorithm("ncnn", "cpu", "fp32", "winograd63", pi) == Algorithm(6, 64 / 9)
    assert algorithm("ncnn", "cpu", "fp16", "winograd43", rk) == Algorithm(4, 4.0)
    assert algorithm("ncnn", "gpu", "fp16", "winograd23") == Algorithm(2, 16 / 9)
    assert algorithm("ncnn", "cpu", "int8", "winograd63", pi) == Algorithm(4, 8.0, 0.5)
    assert algorithm("ncnn", "cpu", "int8", "winograd63", rk) == DIRECT
    assert algorithm("ncnn", "cpu", "fp32", "fc", pi) == Algorithm(weights=0.5)
    assert (
        algorithm("ncnn", "cpu", "fp16", "fc", rk) == algorithm("tflite", "cpu", "fp32", "fc", pi) == DIRECT
    )


def test_parameter_sets_have_them() -> None:
    core, library = fastest("raspberry-pi-4"), load_library("ncnn")
    found = complete(
        library, ("ncnn", "cpu", "fp32", ""), Values.neutral(["winograd43"], ["a72"]), core
    ).kernels
    assert (found["winograd43"].tile, found["winograd43"].weights) == (4, 4.0)
    assert (found["winograd63"].tile, found["fc"].weights, found["gemm"].tile) == (6, 0.5, 0)
    wide = complete(library, ("ncnn", "cpu", "int8", ""), Values.neutral(["gemm"], ["a72"]), core).kernels
    assert wide["winograd43"].efficiency == pytest.approx(0.65 / 2) and wide["winograd43"].weights == 8.0


def test_the_kernels_that_are_fitted() -> None:
    """A 7 x 7 layer of ResNet-18 does 36 x 4 products for 49 outputs."""
    graph = build_model("resnet18")
    library = load_library("ncnn")
    for dtype, device, share, stored in (("fp32", "raspberry-pi-4", 4.0, 4), ("int8", "rk3588", 1.0, 1)):
        kernels = cpu_kernels(library, dtype, {"resnet18": graph}, fastest(device))
        last = max(i for i, op in enumerate(graph) if op.type == "conv2d")
        op = list(graph)[last]
        expected = op.macs * (36 * 4 / (9 * 49) if share > 1 else 1.0)
        assert kernels.work[last] == pytest.approx(expected)
        assert kernels.bytes[last] == pytest.approx(stored * (2 * 512 * 49 + share * op.weights))


def test_kernels_on_vulkan() -> None:
    device, key = load_device("oneplus-7t"), ("ncnn", "gpu", "fp16", "buffer")
    kernels = accelerator_kernels(device, load_library("ncnn"), key, {"resnet18": build_model("resnet18")})
    tiles = kernels.kind == kernels.classes.index("winograd23")
    assert tiles.sum() == 3
    assert kernels.work[tiles] == pytest.approx(512 * 512 * 16 * 16)


# --- expectations -------------------------------------------------------------------------------------------


def test_tiled_classes_are_one_kind() -> None:
    assert list(kinds(["gemm", "winograd43", "winograd63"])) == [("gemm", 0), ("winograd43", (1, 2))]
    assert list(kinds(["winograd63"])) == [("winograd63", 0)]
    assert list(kinds(["gemm", "winograd"])) == [("gemm", 0), ("winograd", 1)]


def names(space: Space) -> dict[str, Parameter]:
    return {p.name: p for p in space.parameters}


def test_one_rate_for_all_tiles() -> None:
    core = fastest("raspberry-pi-4")
    found = names(cpu_space("ncnn", "fp32", ["gemm", "winograd43", "winograd63"], [[core]]))
    rate = found["efficiency.winograd43"]
    assert "efficiency.winograd63" not in found
    assert (rate.members, rate.row, rate.median, found["efficiency.gemm"].members) == ([1, 2], 1, 0.65, [0])
    assert found["half_depth.winograd43"].median == WINOGRAD_HALVES["half_depth"][0] == 60.0
    assert found["half_depth.gemm"].median == HALVES["half_depth"][0]
    wide = names(cpu_space("ncnn", "int8", ["winograd43", "winograd63"], [[core]]))
    assert (wide["efficiency.winograd43"].median, wide["half_channels.winograd43"].median) == (0.325, 4.0)
    dot = names(cpu_space("ncnn", "int8", ["winograd43"], [[fastest("rk3588")]]))
    assert (dot["efficiency.winograd43"].median, dot["half_depth.winograd43"].median) == (0.65, 5.0)
    vector = cpu_space("ncnn", "fp32", ["gemm", "winograd43", "winograd63"], [[core]])
    values = vector.values(vector.start)
    assert values["efficiency"].tolist() == pytest.approx([0.7, 0.65, 0.65])


def test_rates_on_vulkan_have_a_part_in_common() -> None:
    gpu = load_device("oneplus-7t").accelerators["gpu"]
    space = accelerator_space("ncnn", gpu, "fp16", ["gemm", "pool", "sgemm"])
    found = names(space)
    assert [found[f"efficiency.{c}"].common for c in ("gemm", "pool", "sgemm")] == [0.8, 0.0, 0.8]
    assert found["kernel_overhead"].median == queue("ncnn").overhead == 30e-6
    assert found["half_outputs.gemm"].spread == 0.7
    other = accelerator_space("tflite", gpu, "fp16", ["conv"])
    assert not any(p.common for p in other.parameters) and queue("tflite") == Queue()
    assert names(other)["kernel_overhead"].median == 8e-6
    covariance = np.linalg.inv(space.whitening.T @ space.whitening)
    at = [i for i, p in enumerate(space.parameters) if p.name in ("efficiency.gemm", "efficiency.sgemm")]
    assert covariance[np.ix_(at, at)] == pytest.approx(np.array([[0.89, 0.64], [0.64, 0.89]]))
    assert np.sqrt(np.diag(covariance)) == pytest.approx(space.spreads)
    assert other.whitening == pytest.approx(np.diag(1.0 / other.spreads))


# --- recovery -----------------------------------------------------------------------------------------------

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "squeezenet_1.1", "mnasnet", "vgg16", "resnet34")


def made(dtype: str, device: str, seed: int):
    """A space, the model of :data:`NETWORKS` and of ResNet-18, and a parameter set near what is expected."""
    own = load_device(device)
    library, graphs = load_library("ncnn"), {n: build_model(n) for n in (*NETWORKS, "resnet18")}
    kernels = cpu_kernels(library, dtype, graphs, fastest(device))
    team = Team.of(own, library, f"{fastest(device).name}:1")
    space = cpu_space("ncnn", dtype, kernels.classes, [team.cores])
    offset = 0.5 * space.spreads * np.random.default_rng(seed).standard_normal(len(space.start))
    low, high = space.bounds
    truth = space.values(np.clip(space.start + offset, low, high))
    return space, kernels, team, truth


@pytest.mark.parametrize(
    ("dtype", "device"), [("fp32", "raspberry-pi-4"), ("int8", "raspberry-pi-4"), ("fp16", "rk3588")]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fit_recovers_and_predicts_another_network(dtype, device, seed) -> None:
    space, kernels, team, truth = made(dtype, device, seed)
    seen = CpuModel(kernels.select(NETWORKS), team, dtype)
    found = fit(space, [Series(seen, seen.latencies(truth))]).values
    assert seen.latencies(found) == pytest.approx(seen.latencies(truth), rel=0.03)
    tiles = [i for i, name in enumerate(kernels.classes) if name.startswith("winograd")]
    assert len(set(found["efficiency"][tiles])) == 1
    unseen = CpuModel(kernels.select(["resnet18"]), team, dtype)
    assert unseen.latencies(found) == pytest.approx(unseen.latencies(truth), rel=0.12)


def test_slopes_of_what_classes_have_in_common() -> None:
    from socsim.calibration.fit import _columns, _jacobian

    space, kernels, team, _ = made("fp16", "rk3588", 1)
    model, values = CpuModel(kernels, team, "fp16"), space.values(space.start)
    slopes = _jacobian(model, space, values, _columns(space))
    for column, parameter in enumerate(space.parameters):
        if parameter.name in ("efficiency.winograd43", "half_depth.winograd43", "efficiency.gemm"):
            moved = space.start.copy()
            moved[column] += 1e-4
            change = np.log(model.latencies(space.values(moved))) - np.log(model.latencies(values))
            assert slopes[:, column] == pytest.approx(change / 1e-4, abs=2e-4)
