"""Structured pruning: which channels go together, and what is left then."""

from __future__ import annotations

import pytest
from graphkit import networks, sound
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.kernels import part_bytes
from socsim.workloads.transforms import prune
from socsim.workloads.zoo import build_model, model_names


def image(channels: int = 16, side: int = 4) -> tuple[GraphBuilder, str]:
    """A network whose first convolution gives `channels`."""
    b = GraphBuilder("net")
    return b, b.conv(b.input(1, 3, side, side), channels, 3)


def shapes(graph: ModelGraph) -> list[tuple[int, ...]]:
    """Shape of the first output of every operator."""
    return [graph.output_shape(op) for op in graph]


def traffic(graph: ModelGraph) -> float:
    """Bytes that all operators move in fp32."""
    return sum(part_bytes(graph, op, "fp32") for op in graph)


def test_a_chain_to_the_byte() -> None:
    b, x = image()
    graph = b.build(b.softmax(b.dense(b.conv(x, 32, 3, 2, activation="relu"), 10)))
    pruned = prune(graph, 0.5)
    assert shapes(graph) == [(1, 16, 4, 4), (1, 32, 2, 2), (1, 10), (1, 10)]
    assert shapes(pruned) == [(1, 8, 4, 4), (1, 16, 2, 2), (1, 10), (1, 10)]
    assert [op.macs for op in graph] == [3 * 16 * 9 * 16, 16 * 32 * 9 * 4, 128 * 10, 0]
    assert [op.macs for op in pruned] == [3 * 8 * 9 * 16, 8 * 16 * 9 * 4, 64 * 10, 0]
    assert [op.weights for op in pruned] == [3 * 8 * 9 + 8, 8 * 16 * 9 + 16, 64 * 10 + 10, 0]
    moved = (48 + 128 + 224) + (128 + 64 + 1168) + (64 + 10 + 650) + 20
    assert traffic(pruned) == 4 * moved
    assert traffic(graph) == 4 * ((48 + 256 + 448) + (256 + 128 + 4640) + (128 + 10 + 1290) + 20)


def test_the_first_network_stays_as_it_was() -> None:
    b, x = image()
    graph = b.build(b.conv(x, 8, 3))
    before = graph.digest()
    prune(graph, 0.5)
    assert graph.digest() == before


def test_the_name_tells_what_was_done_and_its_cost_is_not_known() -> None:
    b, x = image()
    graph = b.build(b.conv(x, 8, 3))
    pruned = prune(prune(graph, 0.25), 0.5, multiple=4, joined=False)
    assert pruned.name == "net+prune(0.25)+prune(0.5, multiple=4, joined=false)"
    assert pruned.lineage is not None
    assert pruned.lineage.base == "net"
    assert pruned.top1_drop != pruned.top1_drop
    assert graph.top1_drop == 0.0


@pytest.mark.parametrize(
    ("channels", "share", "multiple", "left"),
    [
        (64, 0.5, 8, 32),
        (64, 0.3, 8, 48),  # 44.8
        (64, 0.3, 1, 45),
        (20, 0.5, 8, 8),  # 10
        (24, 0.5, 8, 16),  # 12 is half-way, and goes up
        (16, 0.99, 8, 8),
        (16, 0.01, 8, 16),
        (4, 0.5, 8, 4),
        (4, 0.5, 1, 2),
        (1, 0.5, 1, 1),
    ],
)
def test_rounding_to_multiples(channels: int, share: float, multiple: int, left: int) -> None:
    b, x = image(channels)
    pruned = prune(b.build(b.conv(x, 10)), share, multiple=multiple)
    assert shapes(pruned) == [(1, left, 4, 4), (1, 10, 4, 4)]


def test_residual_sums_stay_equal_on_both_sides() -> None:
    b, x = image()
    y = b.conv(b.conv(x, 32, 3), 16, 3)
    graph = b.build(b.conv(b.add_(x, y, activation="relu"), 10))
    assert [s[1] for s in shapes(prune(graph, 0.5))] == [8, 16, 8, 8, 10]
    assert [s[1] for s in shapes(prune(graph, 0.5, joined=False))] == [16, 16, 16, 16, 10]


def test_gates_go_with_what_they_gate() -> None:
    b, x = image(32)
    gate = b.conv(b.conv(b.global_avg_pool(x), 8, activation="relu"), 32, activation="sigmoid")
    graph = b.build(b.conv(b.mul(x, gate), 10))
    assert [s[1] for s in shapes(prune(graph, 0.5))] == [16, 16, 8, 16, 16, 10]


def test_a_gate_of_one_channel_is_left_alone() -> None:
    b, x = image(32)
    mask = b.conv(x, 1, activation="sigmoid")
    graph = b.build(b.conv(b.mul(x, mask), 10))
    assert [s[1] for s in shapes(prune(graph, 0.5, multiple=1))] == [16, 1, 16, 10]


def test_a_gate_along_another_axis_keeps_what_it_gates() -> None:
    """One weight for each channel, made from its pixels: (1, 16, 64) x (1, 16, 1)."""
    b, x = image()
    flat = b.reshape(b.conv(x, 16, 3, name="made"), 1, 16, 16)
    graph = b.build(b.conv(b.reshape(b.mul(flat, b.linear(flat, 1)), 1, 16, 4, 4), 10, name="last"))
    pruned = prune(graph, 0.5, multiple=1)
    sound(graph, pruned)
    assert pruned.output_shape(pruned["made"]) == (1, 16, 4, 4)
    assert pruned.output_shape(pruned["eltwise_1"]) == (1, 16, 16)


def test_joins_count_what_each_branch_gives() -> None:
    b, x = image()
    joined = b.concat(b.conv(x, 16), b.conv(x, 32), x)
    graph = b.build(b.conv(joined, 10))
    pruned = prune(graph, 0.5)
    assert [s[1] for s in shapes(pruned)] == [8, 8, 16, 32, 10]
    assert pruned["conv2d_4"].weights == 32 * 10 + 10


def test_a_join_along_another_axis_ties_channels() -> None:
    b, x = image()
    graph = b.build(b.conv(b.concat(b.conv(x, 32), b.conv(x, 32), axis=2), 10))
    assert shapes(prune(graph, 0.5))[3] == (1, 16, 8, 4)


def test_depthwise_convolutions_follow() -> None:
    b, x = image()
    y = b.depthwise(x, 3, multiplier=2, activation="relu6")
    pruned = prune(b.build(b.conv(y, 10)), 0.5)
    op = pruned["depthwise_conv2d_1"]
    assert pruned.output_shape(op) == (1, 16, 4, 4)
    assert (op.get("groups"), op.macs, op.weights) == (8, 16 * 16 * 9, 16 * 9 + 16)


def test_grouped_convolutions_lose_equally_in_every_group() -> None:
    b, x = image(32)
    graph = b.build(b.conv(b.conv(x, 64, 3, groups=4), 10))
    pruned = prune(graph, 0.5)
    op = pruned["grouped_conv2d_1"]
    assert (pruned.input_shapes(op)[0][1], pruned.output_shape(op)[1]) == (16, 32)
    assert (op.get("groups"), op.macs) == (4, 32 * 4 * 9 * 16)


def test_a_group_of_one_channel_each_is_depthwise() -> None:
    b, x = image(16)
    pruned = prune(b.build(b.conv(b.conv(x, 16, 3, groups=8), 10)), 0.5)
    assert [op.type for op in pruned] == ["conv2d", "depthwise_conv2d", "conv2d"]


def test_a_split_keeps_something_of_every_part() -> None:
    b, x = image(32)
    first, second = b.split(x, 2)
    graph = b.build(b.conv(b.add_(first, b.conv(second, 16)), 10))
    pruned = prune(graph, 0.5)
    split = pruned["split_1"]
    assert [pruned.tensors[t].shape[1] for t in split.outputs] == [8, 8]


def test_a_slice_starts_where_its_channels_do() -> None:
    b, x = image(32)
    half = b.add("slice", [x], (1, 16, 4, 4), axis=1, start=16)
    pruned = prune(b.build(b.conv(half, 10), b.conv(x, 10)), 0.5)
    assert pruned["slice_1"].get("start") == 8
    assert pruned.output_shape(pruned["slice_1"]) == (1, 8, 4, 4)


def test_a_slice_from_nobody_knows_where_keeps_all() -> None:
    b, x = image(32)
    half = b.add("slice", [x], (1, 16, 4, 4), axis=1)
    assert [s[1] for s in shapes(prune(b.build(b.conv(half, 10)), 0.5))] == [32, 16, 10]


def test_shuffled_channels_stay_in_equal_groups() -> None:
    b, x = image(32)
    graph = b.build(b.conv(b.channel_shuffle(x, 2), 10))
    assert [s[1] for s in shapes(prune(graph, 0.5))] == [16, 16, 10]


def test_flattened_channels_go_with_all_their_pixels() -> None:
    b, x = image()
    graph = b.build(b.dense(b.flatten(x), 10))
    pruned = prune(graph, 0.5)
    assert shapes(pruned) == [(1, 8, 4, 4), (1, 128), (1, 10)]
    assert pruned["fully_connected_1"].weights == 128 * 10 + 10


def test_transposed_channels_are_found_again() -> None:
    b, x = image()
    y = b.transpose(b.reshape(x, 1, 16, -1), (0, 2, 1))
    pruned = prune(b.build(b.linear(b.linear(y, 32, activation="gelu"), 10)), 0.5)
    assert shapes(pruned) == [(1, 8, 4, 4), (1, 8, 16), (1, 16, 8), (1, 16, 16), (1, 16, 10)]


@pytest.mark.parametrize("axes", [(2, 3), (-2, -1)])
def test_means_move_the_channels_up(axes: tuple[int, int]) -> None:
    b, x = image()
    y = b.add("reduce", [x], (1, 16), function="mean", axes=axes, keepdims=False)
    assert shapes(prune(b.build(b.dense(y, 10)), 0.5))[1] == (1, 8)


@pytest.mark.parametrize(
    "keeper",
    [
        lambda b, x: b.softmax(x, axis=1),
        lambda b, x: b.reshape(x, 1, 4, 4, 16),  # heads
        lambda b, x: b.add("detection_output", [x], (1, 5)),
        lambda b, x: b.add("reduce", [x], (1, 1, 4, 4), function="mean", axes=(1,), keepdims=True),
        lambda b, x: b.matmul(x, x),
        lambda b, x: b.add("reduce", [x], (1, 16, 1, 1), function="mean"),
    ],
)
def test_what_is_not_understood_is_kept(keeper: object) -> None:
    b, x = image()
    graph = b.build(keeper(b, x))  # type: ignore[operator]
    assert shapes(prune(graph, 0.5)) == shapes(graph)


def test_pixels_that_become_channels() -> None:
    b, x = image()
    graph = b.build(b.conv(b.space_to_depth(x), 10))
    assert [s[1] for s in shapes(prune(graph, 0.5))] == [8, 32, 10]
    b, x = image(32)
    wide = b.add("depth_to_space", [x], (1, 8, 8, 8), block=2)
    assert [s[1] for s in shapes(prune(b.build(b.conv(wide, 10)), 0.5))] == [16, 4, 10]


def test_norms_lose_their_scales() -> None:
    b, x = image(32)
    y = b.norm("group_norm", b.batch_norm(b.norm("instance_norm", x)), groups=4)
    pruned = prune(b.build(b.conv(b.norm("lrn", y), 10)), 0.5)
    assert [op.weights for op in pruned][1:5] == [32, 32, 32, 0]
    assert pruned["group_norm_1"].ops == 6 * 16 * 16


def test_counts_that_are_no_formula_scale_in_proportion() -> None:
    ops = [
        Operator("a", "conv2d", ("x",), ("a",), {"kernel": (1, 1), "groups": 1}, 64, 64 * 16),
        Operator("b", "resize", ("a",), ("b",), {}, 0, 0, 100),
        Operator("c", "fully_connected", ("b",), ("c",), {}, 16 * 16 * 10, 5120),
    ]
    sizes = {"x": (1, 4, 4, 4), "a": (1, 16, 4, 4), "b": (1, 16, 4, 4), "c": (1, 10)}
    graph = ModelGraph("odd", ops, [Tensor(n, s) for n, s in sizes.items()], ["x"], ["c"])
    assert [(op.macs, op.ops) for op in prune(graph, 0.5)] == [(512, 0), (0, 50), (2560, 0)]


def test_filters_that_are_computed_are_kept() -> None:
    b, x = image()
    bank = b.conv(x, 16, 3)
    dynamic = b.add("conv2d", [x, bank], (1, 16, 4, 4), kernel=(3, 3), groups=1)
    graph = b.build(b.conv(dynamic, 10))
    assert shapes(prune(graph, 0.5)) == shapes(graph)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share": 0.0}, "share must be a number above 0 and below 1, got 0.0"),
        ({"share": 1.0}, "below 1, got 1.0"),
        ({"share": "half"}, "got 'half'"),
        ({"share": True}, "got True"),
        ({"share": 0.5, "multiple": 0}, "multiple must be a whole number from 1, got 0"),
        ({"share": 0.5, "multiple": 1.5}, "got 1.5"),
        ({"share": 0.5, "joined": 1}, "joined must be true or false, got 1"),
    ],
)
def test_arguments_outside_their_rule(options: dict[str, object], words: str) -> None:
    b, x = image()
    with pytest.raises(UsageError, match=words):
        prune(b.build(x), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [n for n in model_names() if n != "mobilebert"])
def test_every_network_of_the_zoo_stays_sound(name: str) -> None:
    graph = build_model(name)
    for joined in (True, False):
        pruned = prune(graph, 0.5, joined=joined)
        sound(graph, pruned)
        assert list(pruned.operators) == list(graph.operators)
        # channels that blazeface appends to its sums tie all of them together
        narrower = name != "blazeface"
        assert (pruned.macs < graph.macs) == (pruned.parameters < graph.parameters) == narrower
    assert prune(graph, 0.5).macs <= pruned.macs


@pytest.mark.parametrize("width", [0.25, 0.5, 0.75])
def test_mobilenet_v1_becomes_the_published_narrow_one(width: float) -> None:
    """Widths that Howard et al. trained: the same operators, shapes, weights and operations."""
    pruned, narrow = prune(build_model("mobilenet_v1"), 1 - width), build_model(f"mobilenet_v1_{width}")
    assert pruned.digest() == narrow.digest()


@pytest.mark.parametrize(("share", "millions"), [(0.3, 16.94), (0.5, 12.38), (0.7, 8.66)])
def test_resnet50_inside_of_blocks_becomes_thinet(share: float, millions: float) -> None:
    """Parameters that Luo et al. publish for ThiNet-70, -50 and -30."""
    pruned = prune(build_model("resnet50"), share, joined=False)
    assert pruned.parameters == pytest.approx(millions * 1e6, rel=0.006)


@given(networks(), st.sampled_from((0.25, 0.5, 0.75)), st.sampled_from((1, 4, 8)), st.booleans())
def test_random_networks_stay_sound(graph: ModelGraph, share: float, multiple: int, joined: bool) -> None:
    pruned = prune(graph, share, multiple=multiple, joined=joined)
    sound(graph, pruned)
    assert pruned.macs <= graph.macs
    assert traffic(pruned) <= traffic(graph)


@given(networks())
def test_more_goes_with_a_larger_share(graph: ModelGraph) -> None:
    sizes = [prune(graph, share, multiple=1).macs for share in (0.2, 0.5, 0.8)]
    assert sizes == sorted(sizes, reverse=True)
