"""Classification networks against published graphs, layer by layer, and against published totals."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.errors import ModelError, UnknownNameError, UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.operators import MAC_TYPES
from socsim.workloads.zoo import build_model
from socsim.workloads.zoo.efficientnet import efficientnet_b0
from socsim.workloads.zoo.inception import _branch
from socsim.workloads.zoo.mobilenet import InvertedResidual, inverted_residuals, mobilenet_v1, scaled_channels

LAYERS = Path(__file__).parent / "data" / "model_layers.csv"

NCNN_NAMES = {
    "alexnet": "alexnet",
    "efficientnet_b0": "efficientnet_b0",
    "googlenet": "googlenet",
    "mnasnet": "mnasnet",
    "mobilenet_v1": "mobilenet",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3": "mobilenet_v3",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "shufflenet_v2": "shufflenet_v2",
    "squeezenet_1.1": "squeezenet",
    "vgg16": "vgg16",
}
"""Network of the zoo -> its graph in ``model_layers.csv``."""

CLASSIFIERS = (
    *NCNN_NAMES,
    "densenet121",
    "efficientnet_lite0",
    "inception_v3",
    "inception_v4",
    "resnet34",
    "resnet50_v2",
    "resnet101",
    "squeezenet_1.0",
    "vgg19",
)

NCNN_MAC_TYPES = {
    "Convolution": {"conv2d"},
    "ConvolutionDepthWise": {"depthwise_conv2d", "grouped_conv2d"},
    "InnerProduct": {"fully_connected", "conv2d"},
}
"""ncnn turns the 1x1 convolutions of a pooled vector, as in squeeze-and-excite, into inner products."""


def layers(name: str) -> list[dict[str, str]]:
    with LAYERS.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["model"] == NCNN_NAMES[name]]


def mac_layers(name: str) -> list[dict[str, str]]:
    return [row for row in layers(name) if row["type"] in NCNN_MAC_TYPES]


def mac_operators(graph: ModelGraph) -> list[Operator]:
    return [op for op in graph if op.type in MAC_TYPES]


def census(graph: ModelGraph) -> Counter[str]:
    return Counter(op.type for op in graph)


def of_type(graph: ModelGraph, *types: str) -> list[Operator]:
    return [op for op in graph if op.type in types]


def heights(graph: ModelGraph) -> list[int]:
    """Heights of the image as it shrinks, each once."""
    return list(dict.fromkeys(graph.output_shape(op)[2] for op in graph if len(graph.output_shape(op)) == 4))


# --- layer by layer -----------------------------------------------------------------------------------------


def test_reference_table_has_the_published_totals() -> None:
    totals = {n: sum(int(row["macs"]) for row in layers(n)) for n in ("vgg16", "resnet50", "mobilenet_v1")}
    assert totals == {"vgg16": 15_470_264_320, "resnet50": 3_857_973_248, "mobilenet_v1": 568_740_352}


@pytest.mark.parametrize("name", NCNN_NAMES)
def test_macs_weights_and_activations_of_every_layer_in_order(name: str) -> None:
    graph = build_model(name)
    columns = ("macs", "w_elems", "in_elems", "out_elems")
    want = [tuple(int(row[c]) for c in columns) for row in mac_layers(name)]
    ops = mac_operators(graph)
    assert [(op.macs, op.weights, graph.input_elements(op), graph.output_elements(op)) for op in ops] == want


@pytest.mark.parametrize("name", NCNN_NAMES)
def test_kinds_of_every_layer_in_order(name: str) -> None:
    graph = build_model(name)
    for op, row in zip(mac_operators(graph), mac_layers(name), strict=True):
        assert op.type in NCNN_MAC_TYPES[row["type"]], row["layer"]
        if row["type"] == "InnerProduct" and op.type == "conv2d":
            assert graph.input_shapes(op)[0][2:] == (1, 1)


@pytest.mark.parametrize("name", NCNN_NAMES)
def test_as_many_operators_without_macs(name: str) -> None:
    graph, ncnn = build_model(name), Counter(row["type"] for row in layers(name))
    have = census(graph)
    assert have["max_pool"] + have["avg_pool"] + have["reduce"] == ncnn["Pooling"]
    assert have["concat"] == ncnn["Concat"]
    assert have["split"] == ncnn["Slice"]
    assert have["channel_shuffle"] == ncnn["ShuffleChannel"]
    assert have["lrn"] == ncnn["LRN"]
    assert have["softmax"] == ncnn["Softmax"] == 1
    # One product of MobileNetV3 is the hard swish of its first layer, here fused.
    assert have["eltwise"] == ncnn["Eltwise"] + ncnn["BinaryOp"] - (name == "mobilenet_v3")


@pytest.mark.parametrize("name", NCNN_NAMES)
def test_pooling_work(name: str) -> None:
    """Pooled windows: the reference counts the elements each output reads, global pooling its input."""
    graph = build_model(name)
    pools = of_type(graph, "max_pool", "avg_pool", "reduce")
    rows = [row for row in layers(name) if row["type"] == "Pooling"]
    assert [graph.input_elements(op) for op in pools] == [int(row["in_elems"]) for row in rows]
    assert [graph.output_elements(op) for op in pools] == [int(row["out_elems"]) for row in rows]


# --- published totals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "gmac"),
    [
        ("vgg16", {}, 15.47),
        ("vgg19", {}, 19.63),
        ("alexnet", {}, 0.724),
        ("resnet18", {"project_first": False}, 1.814),
        ("resnet34", {}, 3.664),
        ("resnet50", {}, 3.858),
        ("resnet50", {"stride_in": "3x3"}, 4.089),
        ("resnet101", {}, 7.801),
        ("resnet101", {"stride_in": "1x1"}, 7.570),
        ("mobilenet_v1", {}, 0.569),
        ("mobilenet_v2", {}, 0.3136),
        ("mobilenet_v2", {"expand_first": False}, 0.3008),
        ("mnasnet", {}, 0.3144),
        ("efficientnet_b0", {}, 0.386),
        ("efficientnet_lite0", {}, 0.385),
        ("squeezenet_1.0", {}, 0.819),
        ("squeezenet_1.1", {"resolution": 224, "border": 0}, 0.349),
        ("googlenet", {}, 1.583),
        ("inception_v3", {}, 5.713),
        ("inception_v4", {}, 12.27),
        ("densenet121", {}, 2.834),
        ("shufflenet_v2", {}, 0.145),
    ],
)
def test_published_macs(name: str, options: dict[str, int], gmac: float) -> None:
    assert build_model(name, **options).macs / 1e9 == pytest.approx(gmac, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "options", "published"),
    [
        ("resnet18", {"project_first": False}, 11_689_512),
        ("resnet34", {}, 21_797_672),
        ("resnet50", {}, 25_557_032),
        ("resnet101", {}, 44_549_160),
        ("mobilenet_v1", {}, 4_231_976),
        ("mobilenet_v2", {"expand_first": False}, 3_504_872),
        ("mnasnet", {}, 4_383_312),
        ("efficientnet_b0", {}, 5_288_548),
        ("efficientnet_lite0", {}, 4_652_008),
        ("shufflenet_v2", {}, 2_278_604),
        ("inception_v3", {}, 23_834_568),
        ("inception_v4", {}, 42_679_816),
    ],
)
def test_published_trainable_parameters(name: str, options: dict[str, bool], published: int) -> None:
    """Torchvision, timm and Keras count two numbers a channel of a batch norm; folding leaves the bias."""
    graph = build_model(name, **options)
    folded = sum(
        graph.output_shape(op)[1]
        for op in of_type(graph, "conv2d", "depthwise_conv2d")
        if graph.input_shapes(op)[0][2:] != (1, 1)
    )
    assert graph.parameters + folded == published


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("alexnet", 60_965_224),
        ("squeezenet_1.0", 1_248_424),
        ("squeezenet_1.1", 1_235_496),
    ],
)
def test_published_parameters_without_batch_norm(name: str, published: int) -> None:
    assert build_model(name).parameters == published


@pytest.mark.parametrize(
    ("width", "resolution", "mmac", "millions"),
    [
        (1.0, 224, 569, 4.24),
        (1.0, 192, 418, 4.24),
        (1.0, 160, 291, 4.24),
        (1.0, 128, 186, 4.24),
        (0.75, 224, 317, 2.59),
        (0.5, 224, 150, 1.34),
        (0.5, 160, 77, 1.34),
        (0.25, 224, 41, 0.47),
        (0.25, 128, 14, 0.47),
    ],
)
def test_mobilenet_v1_sizes(width: float, resolution: int, mmac: float, millions: float) -> None:
    """The table of the TF-slim release; it gives whole millions, of 0.75 at 224 2.6 % too few."""
    graph = build_model(f"mobilenet_v1_{width}_{resolution}", classes=1001)
    assert graph.macs / 1e6 == pytest.approx(mmac, rel=0.03, abs=1)
    assert graph.parameters / 1e6 == pytest.approx(millions, abs=0.02)


@pytest.mark.parametrize(
    ("width", "resolution", "mmac", "millions"),
    [
        (1.4, 224, 582, 6.06),
        (1.3, 224, 509, 5.34),
        (1.0, 224, 300, 3.47),
        (1.0, 192, 221, 3.47),
        (1.0, 128, 99, 3.47),
        (1.0, 96, 56, 3.47),
        (0.75, 224, 209, 2.61),
        (0.5, 224, 97, 1.95),
        (0.35, 224, 59, 1.66),
        (0.35, 96, 11, 1.66),
    ],
)
def test_mobilenet_v2_sizes(width: float, resolution: int, mmac: float, millions: float) -> None:
    """The table of the TF-slim release, whose first block has no expansion."""
    graph = build_model("mobilenet_v2", width=width, resolution=resolution, expand_first=False)
    assert graph.macs / 1e6 == pytest.approx(mmac, rel=0.03, abs=1)
    assert graph.parameters / 1e6 == pytest.approx(millions, abs=0.04)


# --- ResNet-50 version 2, as TF-slim's ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def slim() -> ModelGraph:
    return build_model("resnet50_v2")


def test_resnet50_v2_census(slim: ModelGraph) -> None:
    assert census(slim) == {
        "conv2d": 54,
        "max_pool": 4,
        "softmax": 1,
        "reshape": 1,
        "batch_norm": 17,
        "activation": 17,
        "eltwise": 16,
        "pad": 4,
        "reduce": 1,
        "squeeze": 1,
    }
    assert len(slim) == 116


def test_resnet50_v2_parameters(slim: ModelGraph) -> None:
    """Keras' ResNet50V2 trains 25,568,360 parameters; folding drops 7,552, a 1001st class adds 2,049."""
    assert slim.parameters == 25_568_360 - 7_552 + 2_049


def test_resnet50_v2_image_sizes(slim: ModelGraph) -> None:
    sizes = [slim.output_shape(op)[2] for op in of_type(slim, "eltwise")]
    assert slim.tensors["input"].shape == (1, 3, 299, 299)
    assert sizes == [75] * 2 + [38] * 4 + [19] * 6 + [10] * 4


def test_resnet50_v2_strides_in_the_last_unit_of_a_block(slim: ModelGraph) -> None:
    strided = [op for op in of_type(slim, "conv2d") if op.get("stride") == (2, 2)]
    assert [op.get("kernel") for op in strided] == [(7, 7), (3, 3), (3, 3), (3, 3)]
    assert [slim.output_shape(op)[1] for op in strided] == [64, 64, 128, 256]
    assert all([p.type for p in slim.predecessors(op)] in (["pad"], []) for op in strided)
    assert [slim.output_shape(op)[2] for op in of_type(slim, "pad")] == [305, 77, 40, 21]


def test_resnet50_v2_shortcuts(slim: ModelGraph) -> None:
    pools = of_type(slim, "max_pool")
    assert [op.get("kernel") for op in pools] == [(3, 3), (1, 1), (1, 1), (1, 1)]
    assert {op.get("stride") for op in pools} == {(2, 2)}
    assert [[s.type for s in slim.successors(op)] for op in pools[1:]] == [["eltwise"]] * 3
    shortcut_kinds = Counter(slim.predecessors(op)[0].type for op in of_type(slim, "eltwise"))
    assert shortcut_kinds == {"conv2d": 4, "eltwise": 9, "max_pool": 3}


def test_resnet50_v2_activations(slim: ModelGraph) -> None:
    """Batch norm and ReLU ahead of a unit stand alone; inside a unit both went into the convolution."""
    for norm in of_type(slim, "batch_norm"):
        assert [s.type for s in slim.successors(norm)] == ["activation"]
        assert norm.get("activation") is None
    assert {op.get("function") for op in of_type(slim, "activation")} == {"relu"}
    assert Counter(op.get("activation") for op in of_type(slim, "conv2d")) == {"relu": 32, None: 22}
    assert all(op.get("activation") is None for op in of_type(slim, "eltwise"))


def test_resnet50_v2_ends_in_a_convolution(slim: ModelGraph) -> None:
    tail = list(slim)[-5:]
    assert [op.type for op in tail] == ["reduce", "conv2d", "squeeze", "reshape", "softmax"]
    assert [slim.output_shape(op) for op in tail] == [(1, 2048, 1, 1), (1, 1001, 1, 1), *[(1, 1001)] * 3]


# --- structure of the others --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_image_in_one_vector_of_classes_out(name: str) -> None:
    graph = build_model(name)
    classes = 1001 if name == "resnet50_v2" else 1000
    assert graph.name == name
    assert [graph.tensors[t].shape[:2] for t in graph.inputs] == [(1, 3)]
    pooled_last = name.startswith("squeezenet")
    assert [graph.tensors[t].shape for t in graph.outputs] == [
        (1, classes, 1, 1) if pooled_last else (1, classes)
    ]
    assert [op.type for op in graph][-1] == "softmax"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_nothing_is_computed_in_vain(name: str) -> None:
    graph = build_model(name)
    read = {t for op in graph for t in op.inputs}
    assert set(graph.tensors) - read == set(graph.outputs)
    assert all(op.macs > 0 and op.weights > 0 for op in mac_operators(graph))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_inference_form(name: str) -> None:
    """No batch norm behind a convolution, no activation alone that could be fused into one."""
    graph = build_model(name)
    for op in of_type(graph, "batch_norm"):
        before = [p.type for p in graph.predecessors(op)]
        assert before in (["concat"], ["max_pool"], ["avg_pool"], ["eltwise"])
    for op in of_type(graph, "activation"):
        assert [p.type for p in graph.predecessors(op)] in (["batch_norm"], ["eltwise"], ["reduce"])


@pytest.mark.parametrize(
    ("name", "alone"),
    [("resnet50_v2", 17), ("densenet121", 62), ("mobilenet_v3", 9), ("resnet50", 0), ("efficientnet_b0", 0)],
)
def test_activations_that_stand_alone(name: str, alone: int) -> None:
    assert census(build_model(name))["activation"] == alone


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_residual_sums_fuse_the_relu(name: str) -> None:
    graph = build_model(name)
    sums = of_type(graph, "eltwise")
    assert [(op.get("function"), op.get("activation")) for op in sums] == [("add", "relu")] * len(sums)
    for op in sums:
        assert [p.get("activation") for p in graph.predecessors(op) if p.type == "conv2d"][-1] is None


@pytest.mark.parametrize(
    ("name", "units"), [("resnet18", 8), ("resnet34", 16), ("resnet50", 16), ("resnet101", 33)]
)
def test_residual_units(name: str, units: int) -> None:
    graph = build_model(name)
    assert census(graph)["eltwise"] == units
    assert heights(graph) == [112, 56, 28, 14, 7, 1]


def test_stride_moves_between_the_convolutions_of_a_bottleneck() -> None:
    def strided(stride_in: str) -> Counter[tuple[int, int]]:
        graph = build_model("resnet50", stride_in=stride_in)
        return Counter(op.get("kernel") for op in of_type(graph, "conv2d") if op.get("stride") == (2, 2))

    assert strided("1x1") == {(7, 7): 1, (1, 1): 6}
    assert strided("3x3") == {(7, 7): 1, (1, 1): 3, (3, 3): 3}


def test_first_projection_of_resnet18() -> None:
    with_, without = (build_model("resnet18", project_first=p) for p in (True, False))
    assert with_.macs - without.macs == 56 * 56 * 64 * 64
    assert with_.parameters - without.parameters == 64 * 64 + 64


def test_alexnet_groups() -> None:
    graph = build_model("alexnet")
    assert [op.get("groups") for op in of_type(graph, "conv2d", "grouped_conv2d")] == [1, 2, 1, 2, 2]
    assert heights(graph) == [55, 27, 13, 6]


def test_vgg_widths() -> None:
    graph = build_model("vgg19")
    channels = [graph.output_shape(op)[1] for op in of_type(graph, "conv2d")]
    assert channels == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
    assert heights(graph) == [224, 112, 56, 28, 14, 7]


def test_squeezenet_pools_later_in_version_1_0() -> None:
    def fires_at(name: str) -> list[int]:
        graph = build_model(name, resolution=224, border=0)
        return [graph.output_shape(op)[2] for op in of_type(graph, "concat")]

    assert fires_at("squeezenet_1.0") == [54] * 3 + [27] * 4 + [13]
    assert fires_at("squeezenet_1.1") == [55] * 2 + [27] * 2 + [13] * 4


def test_squeezenet_border_widens_the_last_image() -> None:
    graph = build_model("squeezenet_1.1")
    last = of_type(graph, "conv2d")[-1]
    assert (graph.input_shapes(last)[0], graph.output_shape(last)) == ((1, 512, 14, 14), (1, 1000, 16, 16))


def test_googlenet_modules() -> None:
    graph = build_model("googlenet")
    shapes = [graph.output_shape(op)[1:3] for op in of_type(graph, "concat")]
    assert shapes == [
        (256, 28), (480, 28), (512, 14), (512, 14), (512, 14), (528, 14), (832, 14), (832, 7), (1024, 7),
    ]  # fmt: skip


def test_inception_v3_modules() -> None:
    graph = build_model("inception_v3")
    shapes = [graph.output_shape(op)[1:3] for op in of_type(graph, "concat")]
    reduced = [(768, 17)] * 5
    assert shapes == [(256, 35), (288, 35), (288, 35), *reduced, (1280, 8), (2048, 8), (2048, 8)]
    assert sum(op.get("kernel") in ((1, 7), (7, 1)) for op in of_type(graph, "conv2d")) == 26


def test_inception_v4_modules() -> None:
    graph = build_model("inception_v4")
    shapes = [graph.output_shape(op)[1:3] for op in of_type(graph, "concat")]
    stem = [(160, 73), (192, 71), (384, 35)]
    assert shapes == stem + [(384, 35)] * 4 + [(1024, 17)] * 8 + [(1536, 8)] * 4
    assert census(graph)["conv2d"] == 149


def test_inception_step_that_cannot_be_read() -> None:
    b = GraphBuilder("net")
    x = b.input(1, 3, 8, 8)
    with pytest.raises(ModelError, match=r"network 'net': a step must look like .* got '64x3'"):
        _branch(b, x, "8@1x1 64x3")


def test_inception_steps() -> None:
    b = GraphBuilder("net")
    ends = _branch(b, b.input(1, 3, 9, 9), "8@3x3/2 8@3x3v max 16@1x1 4@1x3|6@3x1")
    assert [b.shape(end) for end in ends] == [(1, 4, 2, 2), (1, 6, 2, 2)]
    graph = b.build(*ends)
    assert [graph.output_shape(op)[1:] for op in graph][:4] == [(8, 4, 4), (8, 2, 2), (8, 2, 2), (16, 2, 2)]


def test_densenet_grows_by_32_channels() -> None:
    graph = build_model("densenet121")
    joined = [graph.output_shape(op)[1] for op in of_type(graph, "concat")]
    assert joined[:6] == [96, 128, 160, 192, 224, 256]
    assert [joined[i] for i in (5, 17, 41, 57)] == [256, 512, 1024, 1024]
    assert census(graph)["batch_norm"] == 58 + 3 + 1


def test_densenet_parameters() -> None:
    """Torchvision counts 7,978,856; only the stem's and the 1x1 convolutions' batch norms were folded."""
    graph = build_model("densenet121")
    folded = sum(graph.output_shape(op)[1] for op in of_type(graph, "conv2d") if op.get("activation"))
    assert graph.parameters + folded == 7_978_856


def test_shufflenet_halves_go_separate_ways() -> None:
    graph = build_model("shufflenet_v2")
    for cut in of_type(graph, "split"):
        assert graph.tensors[cut.outputs[0]].elements == graph.tensors[cut.outputs[1]].elements
        assert [op.type for op in graph.successors(cut)] == ["conv2d", "concat"]
    assert [op.get("groups") for op in of_type(graph, "channel_shuffle")] == [2] * 16


def test_mobilenet_v3_gates() -> None:
    graph = build_model("mobilenet_v3")
    gates = [op for op in of_type(graph, "conv2d") if op.get("activation") == "hsigmoid"]
    assert [graph.output_shape(op)[1] for op in gates] == [72, 120, 120, 480, 672, 672, 672, 960]
    assert [graph.successors(op)[0].get("function") for op in gates] == ["mul"] * 8


def test_efficientnet_gates_are_a_quarter_of_the_block_input() -> None:
    graph = efficientnet_b0()
    pooled = of_type(graph, "reduce")[:-1]
    squeezed = [graph.output_shape(s)[1] for op in pooled for s in graph.successors(op)]
    assert squeezed == [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]


def test_efficientnet_lite_has_neither_gates_nor_swish() -> None:
    graph = build_model("efficientnet_lite0")
    assert census(graph)["reduce"] == 1
    assert {op.get("activation") for op in of_type(graph, "conv2d", "depthwise_conv2d")} == {"relu6", None}
    assert {op.get("function") for op in of_type(graph, "eltwise")} == {"add"}


# --- the inverted residual ----------------------------------------------------------------------------------


def block_types(block: InvertedResidual, channels: int = 8) -> list[str]:
    b = GraphBuilder("block")
    graph = b.build(block.add_to(b, b.input(1, channels, 4, 4)))
    return [op.get("function", op.type) for op in graph]


@pytest.mark.parametrize(
    ("block", "types"),
    [
        (InvertedResidual(8, 16), ["conv2d", "depthwise_conv2d", "conv2d", "add"]),
        (InvertedResidual(8, None), ["depthwise_conv2d", "conv2d", "add"]),
        (InvertedResidual(16, 16), ["conv2d", "depthwise_conv2d", "conv2d"]),
        (InvertedResidual(8, 16, stride=2), ["conv2d", "depthwise_conv2d", "conv2d"]),
        (
            InvertedResidual(16, None, squeezed=2),
            ["depthwise_conv2d", "mean", "conv2d", "conv2d", "mul", "conv2d"],
        ),
        (
            InvertedResidual(16, None, squeezed=2, activation="hswish", late_activation=True),
            ["depthwise_conv2d", "mean", "conv2d", "conv2d", "mul", "hswish", "conv2d"],
        ),
    ],
)
def test_operators_of_an_inverted_residual(block: InvertedResidual, types: list[str]) -> None:
    assert block_types(block) == types


def test_activations_of_an_inverted_residual() -> None:
    b = GraphBuilder("block")
    block = InvertedResidual(16, 32, squeezed=4, activation="swish", gate=("swish", "sigmoid"))
    graph = b.build(inverted_residuals(b, b.input(1, 8, 4, 4), [block]))
    convs = [op.get("activation") for op in of_type(graph, "conv2d", "depthwise_conv2d")]
    assert convs == ["swish", "swish", "swish", "sigmoid", None]


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "width", "rounded"),
    [
        (32, 1.0, 32),
        (32, 0.75, 24),
        (24, 0.75, 24),
        (32, 0.35, 16),
        (16, 0.35, 8),
        (24, 1.4, 32),
        (8, 0.01, 8),
    ],
)
def test_scaled_channels(channels: int, width: float, rounded: int) -> None:
    assert scaled_channels(channels, width) == rounded


@given(st.integers(1, 2000), st.floats(0.05, 4))
def test_scaled_channels_are_near_and_of_eights(channels: int, width: float) -> None:
    got = scaled_channels(channels, width)
    assert got % 8 == 0
    assert 0.9 * channels * width <= got <= max(8, channels * width + 8)


@pytest.mark.parametrize("width", [0, -0.5])
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "mnasnet"])
def test_width_must_be_positive(name: str, width: float) -> None:
    with pytest.raises(UsageError, match=rf"width must be positive, got {width}"):
        build_model(name, width=width)


def test_stride_in_must_name_a_convolution() -> None:
    with pytest.raises(UsageError, match="stride_in of resnet50 must be '1x1' or '3x3', got '5x5'"):
        build_model("resnet50", stride_in="5x5")


@pytest.mark.parametrize("name", ["inception_v3", "inception_v4", "alexnet", "squeezenet_1.0", "vgg16"])
def test_image_too_small(name: str) -> None:
    with pytest.raises(ModelError, match=r"does not fit into|every dimension must be positive"):
        build_model(name, resolution=5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_image_without_pixels(name: str) -> None:
    with pytest.raises(ModelError, match=r"tensor 'input': every dimension must be positive"):
        build_model(name, resolution=0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_change_the_last_layer_alone(name: str) -> None:
    few, many = (mac_operators(build_model(name, classes=c)) for c in (10, 20))
    assert [op.macs for op in few[:-1]] == [op.macs for op in many[:-1]]
    assert 2 * few[-1].macs == many[-1].macs
    assert 2 * few[-1].weights == many[-1].weights


def test_resolution_scales_convolutions_exactly() -> None:
    """Twice the resolution is four times the work of every convolution, and the same of the classifier."""
    small, large = (mac_operators(build_model("mobilenet_v2", resolution=r)) for r in (96, 192))
    assert [4 * op.macs for op in small[:-1]] == [op.macs for op in large[:-1]]
    assert small[-1].macs == large[-1].macs


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["mobilenet_v2", "mnasnet", "mobilenet_v3"]), st.floats(0.25, 1.5), st.integers(32, 256)
)
def test_wider_or_larger_is_never_less_work(name: str, width: float, resolution: int) -> None:
    base = build_model(name, width=width, resolution=resolution)
    assert build_model(name, width=width + 0.25, resolution=resolution).macs > base.macs
    assert build_model(name, width=width, resolution=resolution + 32).macs > base.macs
    assert build_model(name, width=width, resolution=resolution + 32).parameters == base.parameters


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["resnet18", "resnet50_v2", "googlenet", "shufflenet_v2", "densenet121"]),
    st.integers(64, 300),
)
def test_any_resolution_builds_with_the_same_operators(name: str, resolution: int) -> None:
    graph = build_model(name, resolution=resolution)
    assert census(graph) == census(build_model(name))
    assert graph.parameters == build_model(name).parameters


def test_names_say_the_size() -> None:
    assert mobilenet_v1().name == "mobilenet_v1"
    assert mobilenet_v1(width=1, resolution=160).name == "mobilenet_v1_1.0_160"
    sized = build_model("mobilenet_v1_0.5_160")
    assert sized.name == "mobilenet_v1_0.5_160"
    assert sized.signature == mobilenet_v1(width=0.5, resolution=160).signature


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_same_network_every_time(name: str) -> None:
    assert build_model(name).signature == build_model(name).signature


# --- names and options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "option", "value", "sentence"),
    [
        ("mobilenet_v1", "width", "x", "must be a finite number, got 'x'; its default is 1.0"),
        ("mobilenet_v1", "width", True, "must be a finite number, got True; its default is 1.0"),
        ("mobilenet_v1", "width", float("nan"), "must be a finite number, got nan; its default is 1.0"),
        ("mobilenet_v1", "width", float("inf"), "must be a finite number, got inf; its default is 1.0"),
        ("resnet50", "resolution", 224.0, "must be a whole number, got 224.0; its default is 224"),
        ("resnet50", "classes", "10", "must be a whole number, got '10'; its default is 1000"),
        ("resnet18", "project_first", 1, "must be true or false, got 1; its default is True"),
        ("resnet50", "stride_in", 3, "must be a text, got 3; its default is '1x1'"),
    ],
)
def test_options_of_another_kind(name: str, option: str, value, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_model(name, **{option: value})
    assert str(caught.value) == f"model {name!r}: option {option!r} {sentence}"


def test_numbers_of_numpy_are_numbers() -> None:
    assert build_model("mobilenet_v1", width=np.float32(0.5), resolution=np.int64(160)).macs > 0
    assert build_model("mobilenet_v1", width=1).signature == build_model("mobilenet_v1").signature


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (
            "resnet50",
            {"size": 3},
            "model 'resnet50' has no option 'size'; it has: resolution, classes, stride_in",
        ),
        (
            "mobilenet_v1_0.5",
            {"widht": 1.0},
            "model 'mobilenet_v1' has no option 'widht'; it has: width, resolution, classes",
        ),
        ("vgg16_0.5", {}, "model 'vgg16' has no option 'width'; it has: resolution, classes"),
        (
            "mobilenet_v1",
            {"z": 1, "a": 2},
            "model 'mobilenet_v1' has no option 'a'; it has: width, resolution",
        ),
    ],
)
def test_options_that_a_network_does_not_have(name, options, sentence):
    with pytest.raises(UsageError) as caught:
        build_model(name, **options)
    assert str(caught.value).startswith(sentence)


def test_a_name_may_tell_width_and_resolution():
    by_name, by_option = (
        build_model("mobilenet_v1_0.5_160"),
        build_model("mobilenet_v1", width=0.5, resolution=160),
    )
    assert by_name.signature == by_option.signature
    assert by_name.tensors["input"].shape == (1, 3, 160, 160)
    assert build_model("mobilenet_v1_0.5").macs == build_model("mobilenet_v1", width=0.5).macs
    assert build_model("mobilenet_v1_0.5_160", resolution=192).tensors["input"].shape[2] == 192


@pytest.mark.parametrize(
    "name", ["mobilenet_v1_", "mobilenet_v1_0", "mobilenet_v1_0.5_x", "nonet_0.5", "_0.5"]
)
def test_names_that_only_look_sized(name):
    with pytest.raises(UnknownNameError, match=rf"^unknown model '{name}'"):
        build_model(name)
