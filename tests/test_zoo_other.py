"""Style transfer, segmentation, detectors, pose estimation and transformers of the zoo."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.errors import ModelError, UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.zoo import build_model

DATA = Path(__file__).parent / "data" / "model_layers_other.csv"

Row = tuple[int, ...]
"""Height and width of the output, input and output channels, kernel, stride."""


def square(size: int, *layers: tuple[int, ...], times: int = 1) -> list[Row]:
    """Rows of layers (input channels, output channels, kernel[, stride]) with square maps."""
    return [(size, size, *layer, *(1,) * (4 - len(layer))) for layer in layers] * times


# Layer shapes as CoDL's operator tables list them (dataset_conv2d_large_cnn.csv of github.com/csu-eis/CoDL).
CODL_STYLE: list[Row] = [
    (480, 640, 3, 32, 9, 1),
    (240, 320, 32, 64, 3, 2),
    (120, 160, 64, 128, 3, 2),
    *[(120, 160, 128, 128, 3, 1)] * 10,
    (480, 640, 32, 3, 9, 1),
]
CODL_YOLO = [
    *square(416, (3, 32, 3)),
    *square(208, (32, 64, 3)),
    *square(104, (64, 128, 3), (128, 64, 1), (64, 128, 3)),
    *square(52, (128, 256, 3), (256, 128, 1), (128, 256, 3)),
    *square(26, (256, 512, 3), (512, 256, 1), (256, 512, 3), (512, 256, 1), (256, 512, 3)),
    *square(13, (512, 1024, 3), (1024, 512, 1), (512, 1024, 3), (1024, 512, 1), (512, 1024, 3)),
    *square(13, (1024, 1024, 3), (1024, 1024, 3), (1536, 1024, 3), (1024, 125, 1)),
]
CODL_POSE = [
    *square(256, (3, 64, 3), (64, 64, 3)),
    *square(128, (64, 128, 3), (128, 128, 3)),
    *square(64, (128, 256, 3), (256, 256, 3), (256, 256, 3), (256, 256, 3)),
    *square(32, (256, 512, 3), (512, 512, 3), (512, 256, 3), (256, 256, 3), (256, 256, 3), (256, 256, 3)),
    *square(32, (256, 128, 3), (128, 512, 1), (512, 21, 1)),
    *square(32, (149, 128, 7), *[(128, 128, 7)] * 4, (128, 128, 1), (128, 21, 1), times=2),
]
CODL_FACE_BACKBONE = [
    *square(320, (3, 64, 7, 2)),
    *square(160, (64, 256, 1), (64, 64, 1), (64, 64, 3), (64, 256, 1)),
    *square(160, (256, 64, 1), (64, 64, 3), (64, 256, 1), (256, 64, 1)),
    *square(80, (64, 64, 3, 2), (64, 256, 1)),
    *square(80, (256, 512, 1), (256, 128, 1), (128, 128, 3), (128, 512, 1)),
    *square(80, (512, 128, 1), (128, 128, 3), (128, 512, 1), times=2),
    *square(80, (512, 128, 1)),
    *square(40, (128, 128, 3, 2), (128, 512, 1)),
    *square(40, (512, 1024, 1), (512, 256, 1), (256, 256, 3), (256, 1024, 1)),
    *square(40, (1024, 256, 1), (256, 256, 3), (256, 1024, 1), times=4),
    *square(40, (1024, 256, 1)),
    *square(20, (256, 256, 3, 2), (256, 1024, 1)),
    *square(20, (1024, 2048, 1), (1024, 512, 1), (512, 512, 3), (512, 2048, 1)),
    *square(20, (2048, 512, 1), (512, 512, 3), (512, 2048, 1), times=2),
]
CODL_FACE_PYRAMID = [
    *square(20, (2048, 256, 1)),
    *square(40, (512, 256, 1), (256, 256, 3)),
    *square(80, (256, 256, 1), (256, 256, 3)),
    *square(160, (256, 256, 1), (256, 256, 3)),
    *square(10, (256, 256, 3, 2)),
]
CODL_FACE_HEAD = ((256, 128, 3), (256, 64, 3), (256, 64, 3), (256, 256, 3), (256, 12, 3), (256, 6, 3))


def convolutions(graph: ModelGraph) -> list[Operator]:
    return [op for op in graph if op.type == "conv2d"]


def layer_rows(graph: ModelGraph) -> list[Row]:
    rows: list[Row] = []
    for op in convolutions(graph):
        _, channels, height, width = graph.output_shape(op)
        into = graph.input_shapes(op)[0][1]
        rows.append((height, width, into, channels, op.get("kernel")[0], op.get("stride")[0]))
    return rows


def types(graph: ModelGraph) -> Counter[str]:
    return Counter(op.type for op in graph)


def output_shapes(graph: ModelGraph) -> list[tuple[int, ...]]:
    return [graph.tensors[t].shape for t in graph.outputs]


def input_shapes(graph: ModelGraph) -> dict[str, tuple[int, ...]]:
    return {t: graph.tensors[t].shape for t in graph.inputs}


def golden(model: str) -> list[dict[str, str]]:
    with DATA.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["model"] == model]


def in_sequence(graph: ModelGraph) -> bool:
    """Every operator waits for the one before."""
    ops = list(graph)
    return all(graph.dag.has_edge(a.name, b.name) for a, b in pairwise(ops))


# --- the builder's additions ----------------------------------------------------------------------


def test_an_operator_can_wait_for_one_whose_result_it_does_not_read() -> None:
    b = GraphBuilder("gap")
    x = b.conv(b.input(1, 3, 8, 8), 4, 3)
    graph = b.build(b.conv(b.input(1, 2, 16, 16, name="other"), 5, 3, after=x))
    first, second = graph
    assert graph.predecessors(second) == [first]
    assert first.outputs == ("conv2d_1", "conv2d_1:done")
    assert second.inputs == ("other", "conv2d_1:done")
    assert graph.tensors["conv2d_1:done"].elements == 1
    assert second.macs == 16 * 16 * 2 * 5 * 9


def test_several_operators_can_wait_for_the_same_one() -> None:
    b = GraphBuilder("gap")
    x = b.conv(b.input(1, 3, 8, 8), 4, 3)
    other = b.input(1, 2, 16, 16, name="other")
    graph = b.build(*(b.conv(other, 5, 3, after=x) for _ in range(2)))
    assert len(graph.successors(graph["conv2d_1"])) == 2
    assert len(graph["conv2d_1"].outputs) == 2


def test_waiting_for_an_input_is_refused() -> None:
    b = GraphBuilder("gap")
    x = b.input(1, 3, 8, 8)
    with pytest.raises(ModelError, match="nothing comes after 'input': nothing produces it"):
        b.conv(x, 4, 3, after=x)


def test_an_image_has_three_channels_and_any_size_by_default() -> None:
    b = GraphBuilder("net")
    assert b.shape(b.image(7, 9)) == (1, 3, 7, 9)
    assert GraphBuilder("net").image(8, 16, multiple=8, channels=1) == "input"


@pytest.mark.parametrize(("height", "width", "got", "near"), [(100, 64, 100, 96), (64, 0, 0, 32)])
def test_an_image_of_a_wrong_size_names_the_nearest(height: int, width: int, got: int, near: int) -> None:
    with pytest.raises(UsageError, match=rf"'net'.* of 32 pixels, got {got}; the nearest is {near}"):
        GraphBuilder("net").image(height, width, multiple=32)


@pytest.mark.parametrize(
    ("name", "options", "multiple"),
    [
        ("fast_style_transfer", {"image_width": 642}, 4),
        ("fast_style_transfer", {"image_height": 481}, 4),
        ("unet", {"resolution": 250}, 16),
        ("yolov2", {"resolution": 400}, 32),
        ("yolov4_tiny", {"resolution": 400}, 32),
        ("posenet", {"resolution": 250}, 8),
        ("retinaface", {"resolution": 500}, 32),
        ("vit_b16", {"resolution": 225}, 16),
        ("vit_b16", {"resolution": 240, "patch": 32}, 32),
    ],
)
def test_networks_refuse_sizes_that_do_not_fit(name: str, options: dict[str, int], multiple: int) -> None:
    with pytest.raises(UsageError, match=f"multiples of {multiple} pixels"):
        build_model(name, **options)


# --- networks as CoDL measured them ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows"), [("fast_style_transfer", CODL_STYLE), ("yolov2", CODL_YOLO), ("posenet", CODL_POSE)]
)
def test_the_convolutions_are_those_that_codl_lists_in_its_order(name: str, rows: list[Row]) -> None:
    assert layer_rows(build_model(name)) == rows


@pytest.mark.parametrize("full", [False, True])
def test_retinaface_has_the_convolutions_that_codl_lists(full: bool) -> None:
    heads = [row for size in (160, 80, 40, 20, 10) for row in square(size, *CODL_FACE_HEAD)]
    rows = layer_rows(build_model("retinaface", full=full))
    assert rows[:53] == CODL_FACE_BACKBONE
    assert Counter(rows[53:]) == Counter(CODL_FACE_PYRAMID + heads)


@pytest.mark.parametrize(
    ("name", "census", "gmacs", "melems"),
    [
        ("fast_style_transfer", {"conv2d": 14}, 35.92, 50.1),
        ("yolov2", {"conv2d": 22, "max_pool": 5}, 15.06, 8.7),
        ("posenet", {"conv2d": 31, "max_pool": 3}, 30.16, 16.1),
        ("retinaface", {"conv2d": 91, "max_pool": 4}, 92.4, 134.0),
    ],
)
def test_work_and_input_sizes_are_those_of_codl(
    name: str, census: dict[str, int], gmacs: float, melems: float
) -> None:
    graph = build_model(name)
    assert types(graph) == census
    assert graph.macs / 1e9 == pytest.approx(gmacs, rel=1e-3)
    read = sum(graph.input_elements(op) for op in convolutions(graph))
    assert read / 1e6 == pytest.approx(melems, rel=6e-3)


@pytest.mark.parametrize(("name", "gaps"), [("fast_style_transfer", 1), ("yolov2", 1), ("posenet", 2)])
def test_gaps_are_inputs_and_the_operators_still_run_one_after_the_other(name: str, gaps: int) -> None:
    graph = build_model(name)
    assert len(graph.inputs) == 1 + gaps
    assert in_sequence(graph)
    assert sum(t.endswith(":done") for t in graph.tensors) == gaps


def test_poolings_of_yolov2_stand_where_codls_plans_have_them() -> None:
    assert [i for i, op in enumerate(build_model("yolov2")) if op.type == "max_pool"] == [1, 3, 7, 11, 17]


def test_poolings_of_posenet_stand_where_codls_plans_have_them() -> None:
    assert [i for i, op in enumerate(build_model("posenet")) if op.type == "max_pool"] == [2, 5, 10]


# --- fast style transfer --------------------------------------------------------------------------


def test_style_transfer_reads_the_upsampled_map_as_an_input() -> None:
    graph = build_model("fast_style_transfer")
    assert input_shapes(graph) == {"input": (1, 3, 480, 640), "upsampled": (1, 32, 480, 640)}
    assert output_shapes(graph) == [(1, 3, 480, 640)]
    assert all(op.get("activation") is None for op in graph)


def test_whole_style_transfer_has_all_operators_and_weights() -> None:
    graph = build_model("fast_style_transfer", full=True)
    assert input_shapes(graph) == {"input": (1, 3, 480, 640)}
    assert output_shapes(graph) == [(1, 3, 480, 640)]
    assert types(graph) == {"conv2d": 14, "deconv2d": 2, "instance_norm": 15, "activation": 11, "eltwise": 5}
    assert layer_rows(graph) == CODL_STYLE
    assert graph.parameters == 1_679_235  # the transformer network of PyTorch's example


def test_whole_style_transfer_adds_the_two_deconvolutions() -> None:
    part, whole = build_model("fast_style_transfer"), build_model("fast_style_transfer", full=True)
    assert whole.macs - part.macs == 120 * 160 * 128 * 64 * 9 + 240 * 320 * 64 * 32 * 9


@pytest.mark.parametrize("full", [False, True])
def test_style_transfer_scales_with_the_image(full: bool) -> None:
    small = build_model("fast_style_transfer", image_height=240, image_width=320, full=full)
    assert 4 * small.macs == build_model("fast_style_transfer", full=full).macs


# --- U-Net ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "classes", "parameters"), [(1, 1, 31_030_593), (3, 1, 31_031_745)])
def test_unet_has_the_weights_of_common_implementations(channels: int, classes: int, parameters: int) -> None:
    assert build_model("unet", channels=channels, classes=classes).parameters == parameters


def test_unet_gives_two_scores_for_each_pixel() -> None:
    graph = build_model("unet")
    assert input_shapes(graph) == {"input": (1, 3, 256, 256)}
    assert output_shapes(graph) == [(1, 2, 256, 256)]
    assert types(graph) == {"conv2d": 19, "max_pool": 4, "deconv2d": 4, "concat": 4}


def test_unet_joins_maps_of_the_same_level() -> None:
    graph = build_model("unet")
    joins = [graph.input_shapes(op) for op in graph if op.type == "concat"]
    assert joins == [[(1, 64 << level, 256 >> level, 256 >> level)] * 2 for level in (3, 2, 1, 0)]


def test_half_the_channels_are_about_a_quarter_of_the_work() -> None:
    assert build_model("unet").macs / build_model("unet", base=32).macs == pytest.approx(4, rel=0.02)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12))
def test_unet_work_is_proportional_to_its_pixels(sixteenths: int) -> None:
    unit = build_model("unet", resolution=16, base=4)
    graph = build_model("unet", resolution=16 * sixteenths, base=4)
    assert graph.macs == unit.macs * sixteenths**2
    assert graph.parameters == unit.parameters


# --- YOLO -----------------------------------------------------------------------------------------


def test_yolov2_reads_the_joined_map_as_an_input() -> None:
    graph = build_model("yolov2")
    assert input_shapes(graph) == {"input": (1, 3, 416, 416), "joined": (1, 1536, 13, 13)}
    assert output_shapes(graph) == [(1, 125, 13, 13)]


def test_whole_yolov2_has_the_weights_of_darknets_file() -> None:
    """203 934 260 bytes, 16 of them a header; unfolded batch norm has 3 numbers more a channel."""
    graph = build_model("yolov2", full=True, classes=80)
    normalised = sum(graph.output_shape(op)[1] for op in convolutions(graph)[:-1])
    assert graph.parameters + 3 * normalised == (203_934_260 - 16) // 4


def test_whole_yolov2_joins_the_reorganised_passthrough_branch() -> None:
    graph = build_model("yolov2", full=True)
    (join,) = (op for op in graph if op.type == "concat")
    assert graph.input_shapes(join) == [(1, 256, 13, 13), (1, 1024, 13, 13)]
    (reorganisation,) = (op for op in graph if op.type == "space_to_depth")
    assert graph.input_shapes(reorganisation) == [(1, 64, 26, 26)]
    assert types(graph) == {"conv2d": 23, "max_pool": 5, "space_to_depth": 1, "concat": 1}


def test_whole_yolov2_for_coco_does_the_published_work() -> None:
    graph = build_model("yolov2", full=True, classes=80)
    assert 2 * graph.macs / 1e9 == pytest.approx(29.47, rel=1e-3)  # BFLOPs as Darknet prints them
    assert output_shapes(graph) == [(1, 425, 13, 13)]


@pytest.mark.parametrize("full", [False, True])
def test_yolov2_at_another_resolution(full: bool) -> None:
    assert output_shapes(build_model("yolov2", resolution=608, full=full)) == [(1, 125, 19, 19)]


def test_yolov4_tiny_equals_ncnns_graph_layer_by_layer() -> None:
    rows = [row for row in golden("yolov4-tiny") if row["type"] == "Convolution"]
    graph = build_model("yolov4_tiny")
    figures = [
        (op.macs, op.weights, graph.input_elements(op), graph.output_elements(op))
        for op in convolutions(graph)
    ]
    columns = ("macs", "w_elems", "in_elems", "out_elems")
    assert figures == [tuple(int(row[column]) for column in columns) for row in rows]


def test_yolov4_tiny_equals_ncnns_graph_beside_the_convolutions() -> None:
    names = {"max_pool": "Pooling", "slice": "Crop", "concat": "Concat", "resize": "Interp"}
    graph = build_model("yolov4_tiny")
    ours = [(names[op.type], graph.output_elements(op)) for op in graph if op.type in names]
    theirs = [(r["type"], int(r["out_elems"])) for r in golden("yolov4-tiny") if r["type"] in names.values()]
    assert Counter(ours) == Counter(theirs)
    assert len(ours) == 3 + 3 + 7 + 1


def test_yolov4_tiny_gives_two_maps_of_three_anchors() -> None:
    graph = build_model("yolov4_tiny")
    assert output_shapes(graph) == [(1, 255, 13, 13), (1, 255, 26, 26)]
    assert graph.parameters == pytest.approx(6.05e6, rel=1e-3)
    small = build_model("yolov4_tiny", classes=1, resolution=320)
    assert output_shapes(small) == [(1, 18, 10, 10), (1, 18, 20, 20)]


def test_yolov4_tiny_decodes_boxes_on_demand() -> None:
    graph = build_model("yolov4_tiny", decode=True)
    (decoder,) = (op for op in graph if op.type == "detection_output")
    assert graph.input_shapes(decoder) == [(1, 255, 13, 13), (1, 255, 26, 26)]
    assert graph.output_elements(decoder) == int(golden("yolov4-tiny")[-1]["out_elems"])
    assert graph.outputs == decoder.outputs


# --- PoseNet --------------------------------------------------------------------------------------


def test_posenet_reads_joined_maps_as_inputs() -> None:
    joined = (1, 149, 32, 32)
    graph = build_model("posenet")
    assert input_shapes(graph) == {"input": (1, 3, 256, 256), "joined_1": joined, "joined_2": joined}
    assert output_shapes(graph) == [(1, 21, 32, 32)]


def test_whole_posenet_joins_features_and_beliefs() -> None:
    graph = build_model("posenet", full=True)
    assert graph.inputs == ("input",)
    joins = [op for op in graph if op.type == "concat"]
    assert [graph.input_shapes(op) for op in joins] == [[(1, 128, 32, 32), (1, 21, 32, 32)]] * 2
    assert joins[0].inputs[0] == joins[1].inputs[0]
    assert joins[0].inputs[1] != joins[1].inputs[1]


def test_whole_posenet_does_the_same_work() -> None:
    part, whole = build_model("posenet"), build_model("posenet", full=True)
    assert (whole.macs, whole.parameters) == (part.macs, part.parameters)
    assert layer_rows(whole) == CODL_POSE


@pytest.mark.parametrize("full", [False, True])
def test_posenet_for_other_images_and_points(full: bool) -> None:
    graph = build_model("posenet", resolution=128, keypoints=14, full=full)
    assert output_shapes(graph) == [(1, 14, 16, 16)]
    assert [row[2] for row in layer_rows(graph)].count(142) == 2


# --- RetinaFace -----------------------------------------------------------------------------------


def test_retinaface_pools_where_codl_lists_it() -> None:
    graph = build_model("retinaface")
    pools = [graph.input_shapes(op)[0] for op in graph if op.type == "max_pool"]
    assert pools == [(1, 64, 320, 320), (1, 256, 160, 160), (1, 512, 80, 80), (1, 1024, 40, 40)]


def test_retinaface_gives_boxes_then_scores_of_five_levels() -> None:
    graph = build_model("retinaface")
    assert output_shapes(graph) == [(1, c, s, s) for c in (12, 6) for s in (160, 80, 40, 20, 10)]


def test_only_listed_side_branches_of_retinaface_are_read_by_nobody() -> None:
    graph = build_model("retinaface")
    read = {t for op in graph for t in op.inputs} | set(graph.outputs)
    unread = Counter(graph.output_shape(op)[1] for op in graph if op.outputs[0] not in read)
    context, shortcuts, poolings = {128: 5, 64: 10}, (256, 512, 1024, 2048), (256, 512, 1024)
    assert unread == Counter(context) + Counter(shortcuts) + Counter(poolings)


def test_whole_retinaface_adds_short_cuts_and_coarser_levels() -> None:
    graph = build_model("retinaface", full=True)
    assert types(graph)["eltwise"] == 16 + 3  # one a unit of the backbone, one a lateral connection
    assert types(graph)["resize"] == 3


def test_whole_retinaface_gathers_three_anchors_a_cell() -> None:
    anchors = 3 * sum(size**2 for size in (160, 80, 40, 20, 10))
    assert output_shapes(build_model("retinaface", full=True)) == [(1, anchors, 4), (1, anchors, 2)]


def test_whole_retinaface_does_the_same_multiplications() -> None:
    part, whole = build_model("retinaface"), build_model("retinaface", full=True)
    assert (whole.macs, whole.parameters) == (part.macs, part.parameters)


def test_retinaface_at_half_the_resolution_has_a_last_level_of_five_cells() -> None:
    graph = build_model("retinaface", resolution=320)
    assert output_shapes(graph)[4] == (1, 12, 5, 5)
    assert graph.macs == pytest.approx(build_model("retinaface").macs / 4, rel=1e-6)


# --- transformers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("bert_tiny", 4_385_920),
        ("vit_b16", 86_567_656),
        # with a head of 1026, and less 24 x 512 scales and shifts folded into the bottlenecks' products
        ("mobilebert", 24_581_888 + 1026 - 24 * 512),
    ],
)
def test_transformers_have_the_published_number_of_weights(name: str, parameters: int) -> None:
    assert build_model(name).parameters == parameters


def test_vit_b32_at_384_pixels_has_the_published_number_of_weights() -> None:
    assert build_model("vit_b16", resolution=384, patch=32).parameters == 88_297_192


def vit_groups(graph: ModelGraph, layer: int) -> list[tuple[int, int]]:
    """MACs and weights of attention and of both feed-forward products of a layer."""
    keys = ("attention", "ffn.in", "ffn.out")
    found = [[op for op in graph if op.name.startswith(f"layer_{layer}.{key}")] for key in keys]
    return [(sum(op.macs for op in group), sum(op.weights for op in group)) for group in found]


def test_vit_equals_ncnns_graph_layer_by_layer() -> None:
    graph = build_model("vit_b16", resolution=384, patch=32)
    rows = [(int(r["macs"]), int(r["w_elems"])) for r in golden("vision_transformer") if int(r["macs"])]
    groups = [pair for layer in range(12) for pair in vit_groups(graph, layer)]
    stem, head = graph["conv2d_1"], graph["head"]
    assert [(stem.macs, stem.weights), *groups, (head.macs, head.weights)] == rows
    assert graph.macs == sum(macs for macs, _ in rows)


def test_vit_reads_patches_and_a_class_token() -> None:
    graph = build_model("vit_b16")
    assert input_shapes(graph) == {"input": (1, 3, 224, 224)}
    assert output_shapes(graph) == [(1, 1000)]
    (join,) = (op for op in graph if op.type == "concat")
    assert graph.output_shape(join) == (1, 197, 768)
    assert graph.output_shape(graph["layer_0.attention.scores"]) == (1, 12, 197, 197)
    assert graph.macs / 1e9 == pytest.approx(17.56, rel=1e-3)


def test_vit_for_other_images_and_classes() -> None:
    graph = build_model("vit_b16", resolution=384, classes=10)
    assert output_shapes(graph) == [(1, 10)]
    assert graph.output_shape(graph["layer_11.ffn.in"]) == (1, 577, 3072)
    assert (graph.name, build_model("vit_b16", patch=32).name) == ("vit_b16", "vit_b32")


def test_a_patch_without_pixels_is_refused() -> None:
    with pytest.raises(UsageError, match="patch must be at least 1 pixel, got 0"):
        build_model("vit_b16", patch=0)


@pytest.mark.parametrize(("name", "tokens"), [("bert_tiny", 128), ("mobilebert", 384)])
def test_language_models_read_words_segments_and_a_mask(name: str, tokens: int) -> None:
    inputs = input_shapes(build_model(name))
    assert inputs == {"tokens": (1, tokens), "segments": (1, tokens), "mask": (1, 1, 1, tokens)}


def test_bert_tiny_gives_features_and_the_pooled_token() -> None:
    graph = build_model("bert_tiny", tokens=64)
    assert output_shapes(graph) == [(1, 64, 128), (1, 128)]
    assert types(graph)["layer_norm"] == 5
    assert graph.output_shape(graph["layer_1.attention.scores"]) == (1, 2, 64, 64)


def test_bert_tiny_work_in_closed_form() -> None:
    tokens, hidden, layers = 128, 128, 2
    products = 4 * hidden * hidden + 2 * hidden * 4 * hidden
    attention = 2 * tokens * tokens * hidden
    assert build_model("bert_tiny").macs == layers * (tokens * products + attention) + hidden * hidden


def test_mobilebert_scores_start_and_end_at_each_token() -> None:
    graph = build_model("mobilebert")
    assert output_shapes(graph) == [(1, 384, 2)]
    assert graph.output_shape(graph["block_0.attention.scores"]) == (1, 4, 384, 384)
    assert not {"layer_norm", "batch_norm"} & set(types(graph))


def test_mobilebert_work_in_closed_form() -> None:
    tokens, hidden, inner, blocks = 384, 512, 128, 24
    bottlenecks = 3 * hidden * inner
    attention = 3 * inner * inner + hidden * inner
    products = bottlenecks + attention + 4 * 2 * inner * hidden
    ends = 3 * inner * hidden + 2 * hidden
    scores = 2 * tokens * tokens * inner
    assert build_model("mobilebert").macs == blocks * (tokens * products + scores) + tokens * ends


def test_mobilebert_at_128_tokens_does_the_published_work() -> None:
    """5.7 GFLOPs in the paper's table, which counts more than the matrix products."""
    assert 2 * build_model("mobilebert", tokens=128).macs / 1e9 == pytest.approx(5.7, rel=0.06)


def test_mobilebert_shows_each_token_its_neighbours() -> None:
    graph = build_model("mobilebert", tokens=16)
    (join,) = (op for op in graph if op.type == "concat")
    assert graph.input_shapes(join) == [(1, 16, 128)] * 3
    assert [op.get("padding") for op in graph.predecessors(join) if op.type == "pad"] == [(0, 1), (1, 0)]
    assert graph.output_shape(join) == (1, 16, 384)


def test_mobilebert_attention_takes_queries_and_keys_of_the_shared_bottleneck() -> None:
    graph = build_model("mobilebert", tokens=16)
    query, key, value = (graph[f"block_3.attention.{role}"] for role in ("query", "key", "value"))
    assert query.inputs == key.inputs == ("block_3.shared",)
    assert graph.input_shapes(value) == [(1, 16, 512)]


@pytest.mark.parametrize("name", ["bert_tiny", "mobilebert"])
def test_a_sequence_may_be_as_short_as_one_token(name: str) -> None:
    assert output_shapes(build_model(name, tokens=1))[0][1] == 1


@pytest.mark.parametrize("name", ["bert_tiny", "mobilebert"])
@pytest.mark.parametrize(("tokens", "near"), [(0, 1), (513, 512)])
def test_a_sequence_that_is_too_short_or_too_long_is_refused(name: str, tokens: int, near: int) -> None:
    with pytest.raises(UsageError, match=rf"tokens must be 1 to 512, got {tokens}; the nearest is {near}"):
        build_model(name, tokens=tokens)


# --- all of them ----------------------------------------------------------------------------------

VARIANTS: list[tuple[str, dict[str, bool]]] = [
    ("fast_style_transfer", {}),
    ("fast_style_transfer", {"full": True}),
    ("unet", {}),
    ("yolov2", {}),
    ("yolov2", {"full": True}),
    ("yolov4_tiny", {"decode": True}),
    ("posenet", {}),
    ("posenet", {"full": True}),
    ("retinaface", {}),
    ("retinaface", {"full": True}),
    ("bert_tiny", {}),
    ("mobilebert", {}),
    ("vit_b16", {}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_input_is_read_and_every_build_is_the_same(name: str, options: dict[str, bool]) -> None:
    graph = build_model(name, **options)
    assert graph.name == name
    assert {t for op in graph for t in op.inputs} >= set(graph.inputs)
    assert graph.signature == build_model(name, **options).signature


UNREAD = {"fast_style_transfer": 1, "yolov2": 1, "posenet": 2, "retinaface": 22}
"""Results that nobody reads where only the operators that CoDL lists are built: those ahead of a gap."""


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_result_is_read_or_given_out_but_ahead_of_gaps(name: str, options: dict[str, bool]) -> None:
    graph = build_model(name, **options)
    unread = set(graph.producer) - {t for op in graph for t in op.inputs} - set(graph.outputs)
    assert len(unread) == (0 if options else UNREAD.get(name, 0))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_operators_are_listed_in_the_order_they_are_written(name: str, options: dict[str, bool]) -> None:
    """The topological order is the builder's own: each type's running numbers rise."""
    seen: dict[str, int] = {}
    for op in build_model(name, **options):
        stem, _, number = op.name.rpartition("_")
        if stem == op.type:
            assert int(number) == seen.get(stem, 0) + 1
            seen[stem] = int(number)
