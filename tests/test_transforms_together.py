"""Transforms after one another: counted by hand, in either order, and twice."""

from __future__ import annotations

import pytest
from graphkit import networks, sound
from hypothesis import given
from hypothesis import strategies as st

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import part_bytes
from socsim.workloads.transforms import fuse, low_rank, prune, quantise, simplify, unfuse


def block() -> ModelGraph:
    """
    input 3x8x8 - a conv 3x3 16 relu -+- b depthwise 3x3 - c conv 1x1 16 - sum - d grouped 3x3 32, 4 groups - e dense 10
                                      \\____________________________________/
    """
    net = GraphBuilder("block")
    a = net.conv(net.input(1, 3, 8, 8), 16, 3, activation="relu", name="a")
    c = net.conv(net.depthwise(a, 3, name="b"), 16, name="c")
    d = net.conv(net.add_(a, c, name="sum"), 32, 3, groups=4, name="d")
    return net.build(net.dense(d, 10, name="e"))


def counted(graph: ModelGraph) -> dict[str, tuple[int, int]]:
    return {op.name: (op.macs, op.weights) for op in graph if op.macs}


def test_a_block_by_hand() -> None:
    """Multiply-accumulates at 64 pixels, and weights with a bias each."""
    assert counted(block()) == {
        "a": (64 * 16 * 27, 16 * 27 + 16),
        "b": (64 * 16 * 9, 16 * 9 + 16),
        "c": (64 * 16 * 16, 16 * 16 + 16),
        "d": (64 * 32 * 4 * 9, 32 * 4 * 9 + 32),
        "e": (32 * 64 * 10, 32 * 64 * 10 + 10),
    }


def test_half_of_it_by_hand() -> None:
    """a, b, c and the sum are tied, and a group of d reads 2 channels of 8."""
    half = prune(block(), 0.5, multiple=1)
    sound(block(), half)
    assert counted(half) == {
        "a": (64 * 8 * 27, 8 * 27 + 8),
        "b": (64 * 8 * 9, 8 * 9 + 8),
        "c": (64 * 8 * 8, 8 * 8 + 8),
        "d": (64 * 16 * 2 * 9, 16 * 2 * 9 + 16),
        "e": (16 * 64 * 10, 16 * 64 * 10 + 10),
    }
    assert half["b"].get("groups") == 8
    assert half["d"].get("groups") == 4


def test_bytes_before_and_after_by_hand() -> None:
    """a reads 192 elements and gives 1024 (512), in 4 bytes, or 1 quantised; weights as above."""
    whole, half = block(), prune(block(), 0.5, multiple=1)
    assert part_bytes(whole, whole["a"], "fp32") == 4 * (192 + 1024 + 448)
    assert part_bytes(half, half["a"], "fp32") == 4 * (192 + 512 + 224)
    assert part_bytes(half, half["a"], quantise(half).dtype) == 192 + 512 + 224
    assert part_bytes(half, half["sum"], "fp32") == 4 * 3 * 512


def test_shared_inputs_of_two_heads_stay_one() -> None:
    """Both heads read fewer channels of the trunk, in the same places."""
    net = GraphBuilder("heads")
    trunk = net.conv(net.input(1, 3, 8, 8), 32, 3, name="trunk")
    joined = net.concat(trunk, net.conv(trunk, 16, name="one"))
    graph = net.build(net.conv(joined, 4, name="left"), net.conv(trunk, 4, name="right"))
    half = prune(graph, 0.5, multiple=1)
    assert [half[name].weights for name in ("trunk", "one", "left", "right")] == [
        16 * 27 + 16, 8 * 16 + 8, 4 * 24 + 4, 4 * 16 + 4,
    ]  # fmt: skip
    assert [half.tensors[t].shape for t in half.outputs] == [(1, 4, 8, 8)] * 2


def plain(graph: ModelGraph) -> object:
    """Operators and tensors, whatever the network is called."""
    return [(o.name, o.type, o.inputs, o.outputs, o.weights, o.macs, o.ops) for o in graph], {
        name: tensor.shape for name, tensor in graph.tensors.items()
    }


@given(networks(), st.sampled_from((0.25, 0.5)))
def test_what_does_not_touch_the_other_s_part_commutes(graph: ModelGraph, share: float) -> None:
    """A data type with anything; taking activations apart with removing channels."""
    for change in (simplify, unfuse, fuse, lambda g: prune(g, share), lambda g: low_rank(g, share)):
        one, other = change(quantise(graph)), quantise(change(graph))
        assert plain(one) == plain(other)
        assert one.dtype == other.dtype == "int8"
    one, other = prune(unfuse(graph), share), unfuse(prune(graph, share))
    assert plain(one) == plain(other)


@given(networks(), st.permutations(("simplify", "fuse", "unfuse", "prune", "low_rank", "quantise")))
def test_any_order_is_sound(graph: ModelGraph, order: list[str]) -> None:
    steps = {
        "simplify": simplify, "fuse": fuse, "unfuse": unfuse, "quantise": quantise,
        "prune": lambda g: prune(g, 0.5, multiple=1), "low_rank": lambda g: low_rank(g, 0.5, least=2),
    }  # fmt: skip
    made = graph
    for name in order:
        after = steps[name](made)
        assert after.macs <= made.macs
        sound(graph, after)
        made = after


@pytest.mark.parametrize("change", [simplify, unfuse, quantise, fuse])
@given(graph=networks())
def test_twice_is_once(change: object, graph: ModelGraph) -> None:
    once = change(graph)  # type: ignore[operator]
    twice = change(once)  # type: ignore[operator]
    assert plain(twice) == plain(once)
    assert twice.dtype == once.dtype


@given(networks())
def test_what_is_left_after_cleaning_is_as_it_was(graph: ModelGraph) -> None:
    """Operators that stay keep their work, weights and results, and only read from others what is the same."""
    simple = simplify(graph)
    for op in simple:
        old = graph[op.name]
        assert (op.type, op.outputs, op.attributes) == (old.type, old.outputs, old.attributes)
        assert (op.macs, op.weights, op.ops) == (old.macs, old.weights, old.ops)
        assert simple.input_shapes(op) == graph.input_shapes(old)
