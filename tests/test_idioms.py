"""What frameworks spell out in several operators: when it becomes one, and when it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.idioms import recognised
from socsim.workloads.transforms import fuse


def builder(*shape: int) -> tuple[GraphBuilder, str]:
    b = GraphBuilder("net")
    return b, b.input(*(shape or (1, 8, 6, 6)))


def scalar(b: GraphBuilder, function: str, x: str, value: float | None, **more: object) -> str:
    return b.add("eltwise", [x], b.shape(x), function=function, constant="scalar", value=value, **more)


def gate(b: GraphBuilder, x: str) -> str:
    """relu6(x + 3)"""
    return b.activation(scalar(b, "add", x, 3.0), "relu6")


def hswish(b: GraphBuilder, x: str, *, swapped: bool = False) -> str:
    factors = (gate(b, x), x) if swapped else (x, gate(b, x))
    return scalar(b, "div", b.mul(*factors), 6.0)


def mean(b: GraphBuilder, x: str, axis: int, function: str = "mean", keepdims: bool = True) -> str:
    shape = b.shape(x)
    out = (*shape[:axis], *((1,) if keepdims else ()), *shape[axis + 1 :])
    return b.add("reduce", [x], out, function=function, axes=(axis,), keepdims=keepdims)


def found(graph: ModelGraph) -> list[tuple[str, str | None]]:
    """Type and function of what is recognised; the graph itself stays as it was."""
    before = graph.digest()
    result = recognised(graph)
    assert graph.digest() == before
    assert (result.inputs, result.outputs, result.macs) == (graph.inputs, graph.outputs, graph.macs)
    assert recognised(result) is result
    return [(op.type, op.get("function")) for op in result]


@pytest.mark.parametrize("swapped", [False, True])
def test_hard_swish(swapped: bool) -> None:
    b, x = builder()
    graph = b.build(hswish(b, x, swapped=swapped))
    (op,) = recognised(graph)
    assert (op.type, op.inputs, dict(op.attributes)) == ("activation", ("input",), {"function": "hswish"})
    assert (op.name, op.ops) == ("eltwise_3", 8 * 36)


def test_hard_sigmoid() -> None:
    b, x = builder()
    assert found(b.build(scalar(b, "div", gate(b, x), 6.0))) == [("activation", "hsigmoid")]


def test_a_hard_sigmoid_that_multiplies_what_it_read_is_a_hard_swish_once_fused() -> None:
    b, x = builder()
    graph = b.build(b.mul(x, scalar(b, "div", gate(b, x), 6.0)))
    assert [(op.type, op.get("function")) for op in fuse(graph)] == [("activation", "hswish")]


def test_the_gate_of_squeeze_and_excite_joins_its_convolution_and_its_product_stays() -> None:
    b, x = builder()
    inner = b.conv(mean(b, mean(b, x, 3), 2), 8)
    graph = b.build(b.mul(x, scalar(b, "div", gate(b, inner), 6.0)))
    assert [(op.type, op.get("activation"), op.get("axes")) for op in fuse(graph)] == [
        ("reduce", None, (2, 3)),
        ("conv2d", "hsigmoid", None),
        ("eltwise", None, None),
    ]


def test_hard_swish_joins_a_convolution_with_its_norm() -> None:
    b, x = builder()
    fused = fuse(b.build(hswish(b, b.batch_norm(b.conv(x, 16, 3, bias=False)))))
    (op,) = fused
    assert (op.get("activation"), op.weights) == ("hswish", 16 * 8 * 9 + 16)


def test_the_product_with_something_else_is_no_hard_swish() -> None:
    b, x = builder()
    other = b.activation(x, "relu")
    graph = b.build(scalar(b, "div", b.mul(other, gate(b, x)), 6.0))
    assert found(graph) == [(op.type, op.get("function")) for op in graph]


@pytest.mark.parametrize(
    ("added", "divisor", "clip", "more"),
    [
        (2.0, 6.0, "relu6", {}),
        (3.0, 5.0, "relu6", {}),
        (None, 6.0, "relu6", {}),
        (3.0, None, "relu6", {}),
        (3.0, 6.0, "relu", {}),
        (3.0, 6.0, "relu6", {"reversed": True}),
        (3.0, 6.0, "relu6", {"activation": "relu"}),
    ],
)
def test_other_numbers_and_functions_stay(
    added: float | None, divisor: float | None, clip: str, more: dict[str, object]
) -> None:
    b, x = builder()
    graph = b.build(scalar(b, "div", b.activation(scalar(b, "add", x, added), clip), divisor, **more))
    assert recognised(graph) is graph


@pytest.mark.parametrize("which", ["activation_1", "eltwise_1", "eltwise_2"])
def test_parts_that_leave_the_network_stay(which: str) -> None:
    b, x = builder()
    graph = b.build(hswish(b, x), which)
    assert recognised(graph) is graph


def test_axes_after_each_other_become_one_reduction() -> None:
    b, x = builder()
    (op,) = recognised(b.build(mean(b, mean(b, x, 3), 2)))
    assert (op.get("axes"), op.get("function"), op.ops) == ((2, 3), "mean", 8 * 36)


def test_three_axes_become_one_too() -> None:
    b, x = builder()
    (op,) = recognised(b.build(mean(b, mean(b, mean(b, x, 3), 2), 1)))
    assert op.get("axes") == (1, 2, 3)


def test_negative_axes_are_counted_from_the_front() -> None:
    b, x = builder()
    first = b.add("reduce", [x], (1, 8, 6, 1), function="mean", axes=(-1,), keepdims=True)
    (op,) = recognised(
        b.build(b.add("reduce", [first], (1, 8, 1, 1), function="mean", axes=(-2,), keepdims=True))
    )
    assert op.get("axes") == (2, 3)


@pytest.mark.parametrize(
    ("inner", "outer", "keepdims"), [("mean", "max", True), ("l2", "l2", True), ("mean", "mean", False)]
)
def test_other_reductions_stay(inner: str, outer: str, keepdims: bool) -> None:
    b, x = builder()
    graph = b.build(mean(b, mean(b, x, 3, inner), 2, outer, keepdims))
    assert recognised(graph) is graph


def test_reductions_that_do_not_name_their_axes_stay() -> None:
    b, x = builder()
    first = b.add("reduce", [x], (1, 1, 1, 1), function="mean", keepdims=True)
    graph = b.build(mean(b, first, 2))
    assert recognised(graph) is graph


@given(st.lists(st.sampled_from(["hswish", "relu", "conv", "mean"]), min_size=1, max_size=8))
def test_any_chain_keeps_its_work_and_loses_what_is_spelled_out(steps: list[str]) -> None:
    b, x = builder()
    for step in steps:
        if step == "conv":
            x = b.conv(x, 4)
        elif step == "mean":
            x = mean(b, mean(b, x, 3), 2)
        else:
            x = hswish(b, x) if step == "hswish" else b.activation(x, "relu")
    graph = b.build(x)
    result = recognised(graph)
    assert sum(op.get("function") == "hswish" for op in result) == steps.count("hswish")
    assert not [op for op in result if op.type == "eltwise"]
    assert [op.macs for op in result if op.macs] == [op.macs for op in graph if op.macs]
