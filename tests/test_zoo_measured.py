"""Networks that measurements are of: against the measured files, graphs of ncnn, and published totals."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from socsim.errors import UnknownNameError, UsageError
from socsim.measurements import MeasuredOperator, measured_networks, measured_operators
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.operators import MAC_TYPES
from socsim.workloads.zoo import build_model, describe_model, model_names
from socsim.workloads.zoo.mobilenet import v2_blocks

DATA = Path(__file__).parent / "data" / "model_layers_measured.csv"

TFLITE_TYPES = {
    "conv_2d": {"conv2d", "fully_connected"},
    "conv_2d_group": {"grouped_conv2d"},
    "depthwise_conv_2d": {"depthwise_conv2d"},
    "fully_connected": {"fully_connected"},
}
"""The GPU delegate runs a product with a vector as a 1x1 convolution where the vector is an image."""

MEASURED_BY_QED = sorted({n.model for n in measured_networks() if n.table == "qed"})
MEASURED = sorted({n.model for n in measured_networks()})
EXCITED = tuple(f"seresnet{units}" for units in (10, 12, 14, 16, 18))

NCNN = (
    *(
        "blazeface",
        "efficientnet_v2_b0",
        "fastestdet",
        "mobilenet_ssd",
        "mobilenet_v2_yolov3",
        "mobilenet_yolo",
    ),
    *("nanodet_m", "proxylessnas", "regnet_y_400mf", "shufflenet_v1", "squeezenet_ssd"),
    *("yolo_fastest", "yolo_fastest_v2"),
)
OTHER_ORDER = {"fastestdet", "regnet_y_400mf"}
"""Graphs that list parallel branches in another order."""
EXPLICIT_PADS = {"blazeface"}
"""Graphs that pad ahead of a convolution, whose input is larger by that."""
SEPARATE_BIASES = {"efficientnet_v2_b0"}
"""Graphs that add some convolutions' biases behind the shortcut."""


@cache
def on_a_gpu() -> dict[str, list[MeasuredOperator]]:
    ops = defaultdict(list)
    for op in measured_operators():
        if op.device == "pixel-4":
            ops[op.model].append(op)
    return ops


@cache
def ncnn_layers() -> dict[str, list[dict[str, str]]]:
    rows = defaultdict(list)
    with DATA.open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row["model"]].append(row)
    return rows


def macs_of(graph: ModelGraph) -> list[Operator]:
    return [op for op in graph if op.type in MAC_TYPES]


def layer(graph: ModelGraph, op: Operator) -> tuple[int, ...]:
    """Multiply-accumulates, channels in and out, size out, kernel, stride, groups."""
    (shape, out) = graph.input_shapes(op)[0], graph.output_shape(op)
    if op.type == "fully_connected":
        return (op.macs, shape[1], out[1], 1, 1, 1, 1)
    return (op.macs, shape[1], out[1], out[2], op.get("kernel")[0], op.get("stride")[0], op.get("groups"))


def measured_layer(op: MeasuredOperator) -> tuple[int | None, ...]:
    assert op.flops is not None
    macs, groups = op.flops // 2, op.groups
    filters = op.filters
    if op.operator == "depthwise_conv_2d":
        filters = groups = op.in_channels
    return (macs, op.in_channels, filters, op.out_size or 1, op.kernel or 1, op.stride or 1, groups or 1)


# --- the files that were measured with TensorFlow Lite ----------------------------------------------------------


def test_the_table_has_all_networks_that_its_graphs_are_held_against() -> None:
    assert len(MEASURED_BY_QED) == 47
    assert set(on_a_gpu()) == set(MEASURED_BY_QED)


@pytest.mark.parametrize("name", MEASURED_BY_QED)
def test_every_measured_convolution_and_product_in_order(name: str) -> None:
    graph = build_model(name)
    rows = [op for op in on_a_gpu()[name] if op.operator in TFLITE_TYPES]
    want = [measured_layer(op) for op in rows]
    have = [layer(graph, op) for op in macs_of(graph)]
    assert (sorted(have), sorted(want)) == (sorted(want), sorted(have))
    if name not in EXCITED:  # whose shortcuts the GPU computed ahead of the gates
        assert have == want
        kinds = [(op.type, row.operator) for op, row in zip(macs_of(graph), rows, strict=True)]
        assert [have for have, want in kinds if have not in TFLITE_TYPES[want]] == []


@pytest.mark.parametrize("name", MEASURED_BY_QED)
def test_as_many_poolings_and_joins_as_measured(name: str) -> None:
    have, want = Counter(op.type for op in build_model(name)), Counter(op.operator for op in on_a_gpu()[name])
    assert have["max_pool"] == want["max_pool_2d"]
    assert have["avg_pool"] + have["reduce"] == want["average_pool_2d"] + want["mean"]
    assert have["concat"] == want["concatenation"]


@pytest.mark.parametrize("name", MEASURED_BY_QED)
def test_totals_as_the_source_counts_them(name: str) -> None:
    """Half of one operation for each element that a pooling or mean reads beside; a file is 4 bytes a parameter.

    Products with a gate, sigmoids and joins are not among the measured kernels and explain what is left.
    """
    graph = build_model(name)
    (network,) = (n for n in measured_networks() if (n.table, n.model) == ("qed", name))
    assert network.macs is not None
    assert network.parameters is not None
    pooled = sum(
        op.flops or 0 for op in on_a_gpu()[name] if op.operator in ("mean", "average_pool_2d", "max_pool_2d")
    )
    rest = 4e-3 if name.startswith("squeezenet") else 1e-3 if name in (*EXCITED, "mnasnet_a1") else 1e-5
    assert graph.macs + pooled / 2 == pytest.approx(network.macs, rel=rest, abs=1000)
    assert graph.parameters == pytest.approx(network.parameters, rel=0.002, abs=17_000)


def test_only_pre_activated_networks_keep_batch_norms() -> None:
    for name in MEASURED_BY_QED:
        norms = [op for op in build_model(name) if op.type == "batch_norm"]
        assert bool(norms) == name.startswith("preresnet")
        assert all(op.get("activation") == "relu" for op in norms)


# --- ncnn's graphs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NCNN)
def test_every_layer_of_the_benchmark_in_order(name: str) -> None:
    graph = build_model(name)
    rows = [row for row in ncnn_layers()[name] if row["type"] != "Pooling"]
    columns = ["macs", *(["w_elems"] if name not in SEPARATE_BIASES else [])]
    columns += ["in_elems"] if name not in EXPLICIT_PADS else []
    want = [tuple(int(row[c]) for c in columns) for row in rows]
    have = [
        tuple(
            {"macs": op.macs, "w_elems": op.weights, "in_elems": graph.input_elements(op)}[c] for c in columns
        )
        for op in macs_of(graph)
    ]
    if name in OTHER_ORDER:
        want, have = sorted(want), sorted(have)
    assert have == want


@pytest.mark.parametrize("name", NCNN)
def test_as_many_poolings_as_in_the_benchmark(name: str) -> None:
    graph = build_model(name)
    pools = [op for op in graph if op.type in ("max_pool", "avg_pool") or op.type == "reduce"]
    reductions = (
        16 if name == "efficientnet_v2_b0" else 0
    )  # gates' means, which that graph spells as reductions
    assert len(pools) == sum(row["type"] == "Pooling" for row in ncnn_layers()[name]) + reductions


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        ("efficientnet_v2_b0", 718_086_176, 7_109_400),
        ("fastestdet", 121_491_744, 240_301),
        ("mobilenet_ssd", 1_148_479_168, 5_783_417),
        ("mobilenet_v2_yolov3", 1_182_555_264, 3_720_822),
        ("yolo_fastest", 125_437_600, 326_166),
        ("nanodet_m", 342_223_200, 941_818),
    ],
)
def test_totals_of_the_benchmark(name: str, macs: int, parameters: int) -> None:
    graph = build_model(name)
    assert (graph.macs, graph.parameters) == (macs, parameters)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("mobilenet_ssd", [(1, 100, 6)]),
        ("ssd_mobilenet_v1", [(1, 100, 6)]),
        ("yolo_fastest", [(1, 100, 6)]),
        ("fastestdet", [(1, 85, 22, 22)]),
        ("yolo_fastest_v2", [(1, 22, 22, 95), (1, 11, 11, 95)]),
        ("nanodet_m", [(1, n, c) for n in (1600, 400, 100) for c in (80, 32)]),
        ("blazeface", [(1, 96, 8, 8)]),
    ],
)
def test_what_detectors_give(name: str, shapes: list[tuple[int, ...]]) -> None:
    graph = build_model(name)
    assert [graph.tensors[t].shape for t in graph.outputs] == shapes


def test_detectors_have_the_anchors_of_their_maps() -> None:
    """The 19 x 19 map has three anchors a place and smaller ones six: 1917 in all."""
    for name, classes in (("mobilenet_ssd", 21), ("ssd_mobilenet_v1", 91)):
        graph = build_model(name)
        (softmax,) = (op for op in graph if op.type == "softmax")
        assert graph.output_shape(softmax) == (1, 1917, classes)


# --- published totals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "gmac", "trainable"),
    [
        ("convnext_base", 15.36, 88_591_464),
        ("convnext_tiny", 4.456, 28_589_128),
        ("efficientnet_lite2", 0.86, 6_092_072),
        ("efficientnet_v2_s", 8.366, 21_458_488),
        ("googlenet_torch", 1.498, 6_624_904),
        ("mnasnet_0.5_224", 0.104, 2_218_512),
        ("mobilenet_v2_tf", 0.301, 3_504_872),
        ("mobilenet_v3_large", 0.217, 5_483_032),
        ("regnet_x_3.2gf", 3.177, 15_296_552),
        ("regnet_y_400mf", 0.402, 4_344_144),
        ("resnet18_torch", 1.814, 11_689_512),
        ("resnet50_v1.5", 4.089, 25_557_032),
        ("resnext101", 16.41, 88_791_336),
        ("resnext50", 4.23, 25_028_904),
        ("shufflenet_v2_0.5_224", 0.04, 1_366_792),
        ("wide_resnet50", 11.4, 68_883_240),
    ],
)
def test_published_macs_and_parameters(name: str, gmac: float, trainable: int) -> None:
    """PyTorch counts two numbers a channel of a batch norm, of which folding leaves the bias."""
    graph = build_model(name)
    normed = 0 if name.startswith("convnext") else 1
    folded = normed * sum(
        graph.output_shape(op)[1]
        for op in macs_of(graph)
        if op.type != "fully_connected" and graph.input_shapes(op)[0][2:] != (1, 1)
    )
    assert graph.macs / 1e9 == pytest.approx(gmac, rel=0.012)
    assert graph.parameters + folded == trainable


@pytest.mark.parametrize("network", measured_networks(), ids=lambda n: f"{n.table}-{n.source_model}")
def test_sizes_are_those_that_the_source_states(network) -> None:
    """Sources round; of 0.25 at 192 pixels TF-slim's table says 34 MMAC, and of the Lite ones 5 % more."""
    if "mobilenet_v1_0.25_192" in network.model:
        assert (network.macs, build_model(network.model).macs) == (34e6, 30_212_608)
        return
    graph = build_model(network.model)
    if network.macs is not None:
        loose = 0.06 if "lite" in network.model or network.model == "squeezenet_1.0" else 0.01
        assert graph.macs == pytest.approx(network.macs, rel=loose, abs=1e6)
    if network.parameters is not None:
        assert graph.parameters == pytest.approx(network.parameters, rel=0.02)


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEASURED)
def test_every_measured_network_is_built_and_named(name: str) -> None:
    graph = build_model(name)
    assert len(graph) > 5
    assert graph.name == name or name.startswith(graph.name)
    assert set(graph.inputs) == {"input"}


@pytest.mark.parametrize("name", model_names())
def test_every_network_says_what_it_is(name: str) -> None:
    title, sizes = describe_model(name)
    assert title
    assert "`" not in title
    assert set(sizes) <= {"width", "resolution"}


def test_an_unknown_network_has_no_description() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'resnet50'"):
        describe_model("resnet5")


@pytest.mark.parametrize(
    ("name", "same", "options"),
    [
        ("inception_v3_224", "inception_v3", {"resolution": 224}),
        ("squeezenet_1.0_160", "squeezenet_1.0", {"resolution": 160}),
        ("resnet18_torch_0.5", "resnet18_torch", {"width": 0.5}),
        ("mobilenet_v2_tf_0.35_96", "mobilenet_v2_tf", {"width": 0.35, "resolution": 96}),
        ("regnet_x_1.6gf_160", "regnet_x_1.6gf", {"resolution": 160}),
    ],
)
def test_sizes_follow_the_name(name: str, same: str, options: dict[str, float]) -> None:
    assert [(op.name, op.macs) for op in build_model(name)] == [
        (op.name, op.macs) for op in build_model(same, **options)
    ]


@pytest.mark.parametrize("name", ["resnet50_v3", "foo_224", "mobilenet_v1_0.5_160_3", "mobilenet_v1_5"])
def test_other_names_are_unknown(name: str) -> None:
    with pytest.raises(UnknownNameError):
        build_model(name)


@pytest.mark.parametrize("name", ["resnet10", "preresnet18", "seresnet12", "mobilenet_v2_unrounded"])
def test_half_the_width_is_a_quarter_of_the_work_or_more(name: str) -> None:
    full, half = build_model(name), build_model(name, width=0.5)
    assert full.macs / 4 < half.macs < full.macs / 2
    assert [op.type for op in half] == [op.type for op in full] or name != "mobilenet_v2_unrounded"


@pytest.mark.parametrize("name", ["resnet10", "preresnet_bc14b", "seresnet18"])
@pytest.mark.parametrize("width", [0.0, -1.0])
def test_a_width_must_be_positive(name: str, width: float) -> None:
    with pytest.raises(UsageError, match=f"network '{name}': width must be positive, got {width}"):
        build_model(name, width=width)


def test_widths_of_shufflenet_are_the_papers() -> None:
    with pytest.raises(UsageError, match=r"one of 0.5, 1.0, 1.5, 2.0, got 0.75"):
        build_model("shufflenet_v2", width=0.75)


@pytest.mark.parametrize("name", ["blazeface", "convnext_tiny", "fastestdet", "nanodet_m", "yolo_fastest"])
def test_images_must_divide(name: str) -> None:
    with pytest.raises(UsageError, match="positive multiples of"):
        build_model(name, resolution=321)


def test_blocks_of_mobilenet_v2() -> None:
    blocks = v2_blocks()
    assert len(blocks) == 17
    assert [(i, b.channels) for i, b in enumerate(blocks) if b.stride == 2] == [
        (1, 24),
        (3, 32),
        (6, 64),
        (13, 160),
    ]
    assert blocks[0].expanded is None
