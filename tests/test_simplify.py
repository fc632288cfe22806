"""Removal of redundancy, fused activations taken apart, and quantisation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphkit import networks, sound
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.devices.profile import device_names, load_device
from socsim.errors import PlanError, UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.transforms import fuse, low_rank, prune, quantise, simplify, unfuse
from socsim.workloads.zoo import build_model, model_names

Middle = Callable[[GraphBuilder, str], str]


def between(middle: Middle) -> ModelGraph:
    """Something between two convolutions of 8 channels over 4x4 pixels."""
    b = GraphBuilder("net")
    x = b.conv(b.input(1, 8, 4, 4), 8, 3, activation="relu", name="first")
    return b.build(b.conv(middle(b, x), 8, 3, name="last"))


SHAPE = (1, 8, 4, 4)


@pytest.mark.parametrize(
    "middle",
    [
        lambda b, x: b.reshape(x, *SHAPE),
        lambda b, x: b.transpose(x, (0, 1, 2, 3)),
        lambda b, x: b.add("slice", [x], SHAPE, axis=1),
        lambda b, x: b.pad(x, 0),
        lambda b, x: b.resize(x, 1),
        lambda b, x: b.concat(x),
        lambda b, x: b.split(x, 1)[0],
        lambda b, x: b.max_pool(x, 1, 1),
        lambda b, x: b.avg_pool(x, 1, 1),
        lambda b, x: b.channel_shuffle(x, 1),
        lambda b, x: b.channel_shuffle(x, 8),
        lambda b, x: b.space_to_depth(x, 1),
        lambda b, x: b.activation(x, "identity"),
        lambda b, x: b.activation(x, "relu"),
        lambda b, x: b.activation(b.activation(x, "relu"), "relu"),
        lambda b, x: b.add("eltwise", [x], SHAPE, function="add", constant="scalar", value=0.0),
        lambda b, x: b.add("eltwise", [x], SHAPE, function="mul", constant="scalar", value=1.0),
    ],
)
def test_what_changes_nothing_goes(middle: Middle) -> None:
    graph = between(middle)
    simple = simplify(graph)
    assert list(simple.operators) == ["first", "last"]
    assert simple["last"].inputs == ("first",)
    assert set(simple.tensors) == {"input", "first", "last"}
    assert simple.macs == graph.macs


@pytest.mark.parametrize(
    "middle",
    [
        lambda b, x: b.transpose(x, (0, 1, 3, 2)),
        lambda b, x: b.max_pool(x, 3, 1, padding="same"),
        lambda b, x: b.channel_shuffle(x, 2),
        lambda b, x: b.activation(x, "relu6"),
        lambda b, x: b.activation(x, "sigmoid"),
        lambda b, x: b.batch_norm(x),
        lambda b, x: b.add("cast", [x], SHAPE),
        lambda b, x: b.softmax(x),
        lambda b, x: b.add("eltwise", [x], SHAPE, function="add", constant="scalar", value=1.0),
        lambda b, x: b.add("eltwise", [x], SHAPE, function="add", constant="scalar"),
        lambda b, x: b.add(
            "eltwise", [x], SHAPE, function="div", constant="scalar", value=1.0, reversed=True
        ),
        lambda b, x: b.add(
            "eltwise", [x], SHAPE, function="add", constant="scalar", value=0.0, activation="tanh"
        ),
    ],
)
def test_what_changes_something_stays(middle: Middle) -> None:
    graph = between(middle)
    assert list(simplify(graph).operators) == list(graph.operators)


def test_a_transposition_of_axes_of_size_one_moves_nothing() -> None:
    b = GraphBuilder("net")
    x = b.conv(b.input(1, 1, 4, 4), 1, 3)
    assert len(simplify(b.build(b.conv(b.transpose(x, (1, 0, 2, 3)), 1)))) == 2


def test_a_mean_over_axes_of_size_one() -> None:
    b = GraphBuilder("net")
    pooled = b.global_avg_pool(b.input(1, 8, 4, 4))
    simple = simplify(b.build(b.conv(b.global_avg_pool(pooled), 8)))
    assert [op.type for op in simple] == ["reduce", "conv2d"]


def test_results_of_the_network_keep_their_names() -> None:
    b = GraphBuilder("net")
    x = b.conv(b.input(1, 8, 4, 4), 8)
    graph = b.build(x, b.reshape(x, *SHAPE), b.activation(x, "tanh"), b.activation(x, "tanh"))
    simple = simplify(graph)
    assert simple.outputs == graph.outputs
    assert len(simple) == len(graph)


def test_equal_branches_become_one() -> None:
    """
    x - pool - tanh -+
      \\ pool - tanh -+- add - conv
    """
    b = GraphBuilder("net")
    x = b.input(1, 8, 4, 4)
    branches = [b.activation(b.max_pool(x), "tanh") for _ in range(2)]
    simple = simplify(b.build(b.conv(b.add_(*branches), 8)))
    assert [op.type for op in simple] == ["max_pool", "activation", "eltwise", "conv2d"]
    assert simple["eltwise_1"].inputs == ("activation_1", "activation_1")


def test_branches_that_differ_stay() -> None:
    b = GraphBuilder("net")
    x = b.input(1, 8, 4, 4)
    pools = [b.max_pool(x, 3, 1, padding="same"), b.max_pool(x, 1, 1), b.avg_pool(x, 3, 1, padding="same")]
    assert len(simplify(b.build(b.add_(*pools)))) == 3  # the 1x1 pooling changes nothing


def test_operators_with_weights_are_never_taken_for_the_same() -> None:
    b = GraphBuilder("net")
    x = b.input(1, 8, 4, 4)
    graph = b.build(b.add_(b.conv(x, 8, 3), b.conv(x, 8, 3)))
    assert len(simplify(graph)) == 3


@pytest.mark.parametrize(
    "branches",
    [
        lambda b, x: (b.reshape(x, 1, 8, 16), b.reshape(x, 1, 16, 8)),
        lambda b, x: (b.resize(x, 2), b.resize(x, 4)),
        lambda b, x: (b.pad(x, (1, 0, 0, 1)), b.pad(x, (0, 1, 1, 0))),
        lambda b, x: (b.max_pool(x, 3, 2), b.max_pool(x, 3, 2, ceil=True)),
        lambda b, x: tuple(b.add("slice", [x], (1, 4, 4, 4), axis=1) for _ in range(2)),
        lambda b, x: tuple(b.activation(x, "leaky_relu") for _ in range(2)),
        lambda b, x: tuple(b.activation(x, "clip") for _ in range(2)),
        lambda b, x: tuple(b.add("eltwise", [x], SHAPE, function="mul", constant="scalar") for _ in range(2)),
        lambda b, x: tuple(b.add("cast", [x], SHAPE) for _ in range(2)),
        lambda b, x: tuple(b.add("gather", [x], (1, 2, 4, 4), axis=1) for _ in range(2)),
        lambda b, x: tuple(b.add("task", [x], SHAPE) for _ in range(2)),
    ],
)
def test_what_a_graph_does_not_tell_in_full_is_never_taken_for_the_same(branches: Any) -> None:
    b = GraphBuilder("net")
    graph = b.build(*(b.activation(t, "tanh") for t in branches(b, b.input(*SHAPE))))
    simple = simplify(graph)
    assert list(simple.operators) == list(graph.operators)
    sound(graph, simple)


@pytest.mark.parametrize(
    ("branches", "left"),
    [
        (lambda b, x: (b.resize(x, 2), b.resize(x, 2)), 3),
        (lambda b, x: (b.reshape(x, 1, 8, 16), b.reshape(x, 1, 8, 16)), 3),
        (lambda b, x: [b.add("slice", [x], (1, 4, 4, 4), axis=1, start=4) for _ in range(2)], 3),
        (lambda b, x: [b.add("slice", [x], (1, 4, 4, 4), axis=1, start=at) for at in (0, 4)], 4),
        (lambda b, x: [b.add("eltwise", [x], SHAPE, function="mul", constant="scalar", value=2.0)] * 1
         + [b.add("eltwise", [x], SHAPE, function="mul", constant="scalar", value=2.0)], 3),
    ],
)  # fmt: skip
def test_what_it_tells_is(branches: Any, left: int) -> None:
    """The results leave the network, so that their last operators stay."""
    b = GraphBuilder("net")
    assert len(simplify(b.build(*(b.activation(t, "tanh") for t in branches(b, b.input(*SHAPE)))))) == left


def test_halves_of_an_onnx_file_s_channels_are_not_the_same(tmp_path: Path) -> None:
    """Slices of a file do not keep where they begin: both halves have the same attributes."""
    from onnx import parser, save

    text = """
        <ir_version: 9, opset_import: ["" : 17]>
        halves (float[1, 8, 4, 4] x) => (float[1, 4, 4, 4] y)
        <int64[1] a = {0}, int64[1] b = {4}, int64[1] c = {8}, int64[1] axis = {1}>
        { first = Slice(x, a, b, axis)  second = Slice(x, b, c, axis)  y = Mul(first, second) }
    """
    save(parser.parse_model(text), str(tmp_path / "halves.onnx"))
    simple = socsim.load_model(f"{tmp_path / 'halves.onnx'}+simplify")
    assert [op.type for op in simple] == ["slice", "slice", "eltwise"]
    assert len(set(simple["y"].inputs if "y" in simple.operators else list(simple)[2].inputs)) == 2


def test_both_parts_of_a_split_that_is_made_twice() -> None:
    b = GraphBuilder("net")
    x = b.input(1, 8, 4, 4)
    (one, _), (_, two) = b.split(x, 2), b.split(x, 2)
    simple = simplify(b.build(b.add_(one, two)))
    assert [op.type for op in simple] == ["split", "eltwise"]
    assert simple["eltwise_1"].inputs == ("split_1:0", "split_1:1")


def test_what_nobody_reads_goes() -> None:
    b = GraphBuilder("net")
    x = b.conv(b.input(1, 8, 4, 4), 8)
    b.conv(b.conv(x, 64, 3), 64, 3)
    simple = simplify(b.build(b.conv(x, 8)))
    assert list(simple.operators) == ["conv2d_1", "conv2d_4"]
    assert simple.macs == 2 * 8 * 8 * 16


def test_branches_of_retinaface_that_nobody_reads() -> None:
    graph = build_model("retinaface")
    simple = simplify(graph)
    dead = {name for name in graph.operators if name not in simple.operators}
    assert len(dead) == 22
    assert all(set(graph.dag.successors(name)) <= dead for name in dead)


@pytest.mark.parametrize("name", model_names())
def test_the_zoo_is_simple_after_once(name: str) -> None:
    graph = build_model(name)
    simple = simplify(graph)
    sound(graph, simple)
    assert simplify(simple).digest() == simple.digest()
    assert simple.macs <= graph.macs
    assert simple.top1_drop == 0.0


@given(networks())
def test_random_networks_are_simple_after_once(graph: ModelGraph) -> None:
    simple = simplify(graph)
    sound(graph, simple)
    assert len(simple) <= len(graph)
    assert simplify(simple).digest() == simple.digest()


# --- fusing and its opposite --------------------------------------------------------------------------------


def test_an_activation_of_its_own() -> None:
    graph = between(lambda b, x: b.add_(x, x, activation="relu6"))
    apart = unfuse(graph)
    assert [(op.name, op.type, op.inputs, op.outputs) for op in apart] == [
        ("first", "conv2d", ("input",), ("first/plain",)),
        ("first/relu", "activation", ("first/plain",), ("first",)),
        ("eltwise_1", "eltwise", ("first", "first"), ("eltwise_1/plain",)),
        ("eltwise_1/relu6", "activation", ("eltwise_1/plain",), ("eltwise_1",)),
        ("last", "conv2d", ("eltwise_1",), ("last",)),
    ]
    assert apart["first/relu"].ops == 128
    assert (apart.macs, apart.parameters) == (graph.macs, graph.parameters)
    assert fuse(apart).digest() == graph.digest()


def test_a_name_that_is_taken_gets_a_number() -> None:
    b = GraphBuilder("net")
    x = b.conv(b.input(1, 8, 4, 4), 8, activation="relu", name="a")
    x = b.conv(b.conv(x, 8, activation="tanh", name="a/relu"), 8, name="a/plain")
    graph = b.build(x)
    assert list(unfuse(graph).operators) == ["a", "a/relu_2", "a/relu", "a/relu/tanh", "a/plain"]
    assert unfuse(graph)["a"].outputs == ("a/plain_2",)
    assert fuse(unfuse(graph)).digest() == graph.digest()


@given(networks())
def test_fusing_undoes_it(graph: ModelGraph) -> None:
    whole = fuse(graph)
    assert fuse(unfuse(whole)).digest() == whole.digest()
    assert unfuse(unfuse(whole)).digest() == unfuse(whole).digest()
    sound(whole, unfuse(whole))


@settings(max_examples=30, deadline=None)
@given(networks())
def test_a_fused_network_is_never_slower_on_the_same_processor(graph: ModelGraph) -> None:
    apart = unfuse(graph)
    for library in ("mace", "tflite"):
        for processor in ("cpu", "gpu"):
            before, after = (
                socsim.compare("xiaomi-9", net, [processor], library=library, inferences=1).rows[0]
                for net in (apart, fuse(apart))
            )
            assert after["latency_ms_mean"] <= before["latency_ms_mean"] * (1 + 1e-12)


@cache
def _pairs() -> list[tuple[str, str, str]]:
    """Every processor of every library that every device is calibrated for."""
    found = []
    for name in device_names():
        device = load_device(name)
        for library in sorted({key[0] for key in device.calibrations}):
            own = Pricer(device, load_library(library), build_model("squeezenet_1.1"))
            found += [(name, library, processor) for processor in own.processors]
    return found


@settings(max_examples=60, deadline=None)
@given(st.data(), networks())
def test_fusing_is_never_slower_wherever_a_network_runs(data: st.DataObject, graph: ModelGraph) -> None:
    device, library, processor = data.draw(st.sampled_from(_pairs()))
    apart = unfuse(graph)
    try:
        before, after = (
            socsim.compare(device, net, [processor], library=library, inferences=1).rows[0]
            for net in (apart, fuse(apart))
        )
    except (PlanError, UsageError) as error:
        assert "does not fall back" in str(error)
        return
    assert after["latency_ms_mean"] <= before["latency_ms_mean"] * (1 + 1e-12)


@settings(max_examples=15, deadline=None)
@given(networks())
def test_a_simpler_network_is_never_slower_on_the_same_processor(graph: ModelGraph) -> None:
    for processor in ("cpu", "gpu"):
        before, after = (
            socsim.compare("xiaomi-9", net, [processor], inferences=1).rows[0]["latency_ms_mean"]
            for net in (graph, simplify(graph))
        )
        assert after <= before * (1 + 1e-12)


# --- quantisation -------------------------------------------------------------------------------------------


def test_a_quantised_network_asks_for_its_type() -> None:
    graph = between(lambda b, x: x)
    small = quantise(graph)
    assert (small.dtype, graph.dtype) == ("int8", "")
    assert small.name == "net+quantise(int8)"
    assert small.digest() != graph.digest()
    device, mace = load_device("xiaomi-9"), load_library("mace")
    assert Pricer(device, mace, graph).dtype_on("cpu") == "fp32"
    assert Pricer(device, mace, small).dtype_on("cpu") == "int8"
    assert Pricer(device, mace, small).dtype_on("gpu") == "fp32"  # MACE's GPU has no int8
    assert Pricer(device, mace, small, "fp32").dtype_on("cpu") == "fp32"


def test_other_transforms_leave_the_type() -> None:
    small = quantise(between(lambda b, x: x))
    for graph in (fuse(small), simplify(small), unfuse(small), prune(small, 0.5), low_rank(small, 0.5)):
        assert graph.dtype == "int8"
    assert quantise(small, "fp16").dtype == "fp16"


def test_quantised_runs_say_so() -> None:
    rows = socsim.compare("xiaomi-9", "resnet18+quantise", ["cpu"], inferences=1).rows
    plain = socsim.compare("xiaomi-9", "resnet18", ["cpu"], inferences=1, dtype="int8").rows
    assert (rows[0]["dtype"], rows[0]["top1_drop"]) == ("int8", 0.264)
    assert rows[0]["latency_ms_mean"] == plain[0]["latency_ms_mean"]
    assert rows[0]["peak_memory_mb"] == plain[0]["peak_memory_mb"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v1"])
def test_where_a_processor_has_no_such_kernels_nothing_is_gained(name: str) -> None:
    """MACE's GPU computes in fp32, and the CPU hands it fp32: quantising is worth nothing there."""
    plain, small = (
        socsim.compare("xiaomi-9", net, ["gpu"], inferences=1).rows[0] for net in (name, f"{name}+quantise")
    )
    for column in ("latency_ms_mean", "energy_mj", "transfer_mb", "peak_memory_mb"):
        assert small[column] == plain[column]


def test_what_processors_of_two_types_share_has_the_width_of_the_wider() -> None:
    graph = between(lambda b, x: x)
    device, mace = load_device("xiaomi-9"), load_library("mace")
    small = Pricer(device, mace, graph, "int8")
    assert {p: small.shared_width(p) for p in ("cpu", "gpu", "dsp")} == {"cpu": 1, "gpu": 4, "dsp": 1}
    plain = Pricer(device, mace, graph)
    assert {p: plain.shared_width(p) for p in ("cpu", "gpu", "dsp")} == {"cpu": 4, "gpu": 4, "dsp": 4}


def test_only_some_types() -> None:
    with pytest.raises(UsageError, match="must be int8 or fp16, got 'int4'"):
        quantise(between(lambda b, x: x), "int4")
