"""Fusing: what joins what, what it costs then, and what stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import load

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.onnx import load_onnx
from socsim.workloads.transforms import FUSABLE_ACTIVATIONS, fuse

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

FUSED = {
    "bvlc_alexnet": 15,
    "densenet121": 246,
    "inception_v1": 85,
    "inception_v2": 95,
    "resnet50": 74,
    "shufflenet": 124,
    "squeezenet": 39,
    "vgg19": 26,
    "zfnet512": 15,
}
"""Operators of the graphs in onnx's wheel after fusing."""


def builder(*shape: int) -> tuple[GraphBuilder, str]:
    b = GraphBuilder("net")
    return b, b.input(*(shape or (1, 8, 6, 6)))


def constant(
    b: GraphBuilder, x: str, function: str, kind: str = "channel", axis: int = 1, **more: object
) -> str:
    """An element-wise function of `x` and a constant, as the ONNX import marks it."""
    weights = {"channel": b.shape(x)[axis], "scalar": 0, "tensor": 36}[kind]
    along = axis if kind == "channel" else None
    return b.add(
        "eltwise", [x], b.shape(x), weights=weights, function=function, constant=kind, axis=along, **more
    )


def types(graph: ModelGraph) -> list[tuple[str, str | None]]:
    """Type and fused activation of every operator."""
    return [(op.type, op.get("activation")) for op in graph]


def check(graph: ModelGraph) -> ModelGraph:
    """Fuse, with everything that must hold of any fusion."""
    before = graph.signature
    fused = fuse(graph)
    assert graph.signature == before
    assert (fused.name, fused.inputs, fused.outputs) == (graph.name, graph.inputs, graph.outputs)
    assert fused.macs == graph.macs
    assert [fused.tensors[t] for t in fused.outputs] == [graph.tensors[t] for t in graph.outputs]
    assert set(fused.operators) <= set(graph.operators)
    assert set(fused.tensors) <= set(graph.tensors)
    used = {t for op in fused for t in (*op.inputs, *op.outputs)}
    assert set(fused.tensors) == used | set(fused.inputs) | set(fused.outputs)
    assert fuse(fused).signature == fused.signature
    return fused


# --- real networks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUSED)
def test_light_networks(name):
    fused = check(load_onnx(LIGHT / f"light_{name}.onnx"))
    assert len(fused) == FUSED[name]


def test_resnet50_fuses_completely():
    fused = fuse(load_onnx(LIGHT / "light_resnet50.onnx"))
    assert Counter(types(fused)) == {
        ("conv2d", "relu"): 33,
        ("conv2d", None): 20,
        ("eltwise", "relu"): 16,
        ("max_pool", None): 1,
        ("avg_pool", None): 1,
        ("reshape", None): 1,
        ("fully_connected", None): 1,
        ("softmax", None): 1,
    }
    # Each of the 53 convolutions has one bias per channel where there were a scale and a shift.
    assert fused.parameters == 25_557_032 - 26_560


def test_densenet_keeps_the_norms_before_its_activations():
    fused = fuse(load_onnx(LIGHT / "light_densenet121.onnx"))
    count = Counter(types(fused))
    assert count["batch_norm", "relu"] == 62
    assert count["conv2d", "relu"] == 59
    assert count["conv2d", None] == 62
    assert not any(op.type == "eltwise" for op in fused)


# --- batch normalisation ----------------------------------------------------------------------------------

HOSTS = {
    "conv2d": (lambda b, x, bias: b.conv(x, 4, 3, bias=bias), 4),
    "grouped_conv2d": (lambda b, x, bias: b.conv(x, 12, 3, groups=2, bias=bias), 12),
    "depthwise_conv2d": (lambda b, x, bias: b.depthwise(x, bias=bias), 8),
    "deconv2d": (lambda b, x, bias: b.deconv(x, 4, bias=bias), 4),
    "grouped deconv2d": (lambda b, x, bias: b.deconv(x, 4, groups=4, bias=bias), 4),
    "fully_connected": (lambda b, x, bias: b.dense(x, 10, bias=bias), 10),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("host", "channels"), HOSTS.values(), ids=HOSTS.keys())
def test_batch_norm_folds_into_a_bias(host, channels, batch):
    for bias in (False, True):
        b, x = builder(batch, 8, 6, 6)
        x = host(b, x, bias)
        graph = b.build(b.batch_norm(x))
        (op,) = check(graph)
        without = next(iter(graph)).weights - (channels if bias else 0)
        assert op.weights == without + channels
        assert op.name == next(iter(graph)).name
        assert op.outputs == graph.outputs
        assert op.get("activation") is None


def test_fusion_agrees_with_the_builder():
    b, x = builder()
    (fused,) = check(b.build(b.activation(b.batch_norm(b.conv(x, 4, 3, bias=False)), "relu")))
    b, x = builder()
    (built,) = b.build(b.conv(x, 4, 3, activation="relu"))
    assert (fused.type, fused.weights, fused.macs, fused.ops) == (
        built.type, built.weights, built.macs, built.ops,
    )  # fmt: skip
    assert dict(fused.attributes) == dict(built.attributes)


def test_batch_norm_alone_stays():
    b, x = builder()
    assert types(check(b.build(b.conv(b.batch_norm(x), 4, 3)))) == [("batch_norm", None), ("conv2d", None)]


def test_batch_norm_after_a_batch_norm_stays():
    b, x = builder()
    assert len(check(b.build(b.batch_norm(b.batch_norm(x))))) == 2


def test_batch_norm_with_activation_hands_it_on():
    b, x = builder()
    (op,) = check(b.build(b.batch_norm(b.conv(x, 4, 3), activation="relu6")))
    assert op.get("activation") == "relu6"


def test_batch_norm_over_tokens_does_not_fold_into_their_product():
    b, x = builder(1, 16, 32)
    assert len(check(b.build(b.batch_norm(b.linear(x, 8))))) == 2


def test_nothing_folds_behind_an_activation():
    b, x = builder()
    graph = b.build(b.batch_norm(b.conv(x, 4, 3, activation="relu")))
    assert types(check(graph)) == [("conv2d", "relu"), ("batch_norm", None)]


# --- constants --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "biases"), [("mul", 0), ("div", 0), ("add", 1), ("sub", 1)])
@pytest.mark.parametrize("kind", ["channel", "scalar"])
@pytest.mark.parametrize(("host", "channels"), HOSTS.values(), ids=HOSTS.keys())
def test_constants_fold_into_weights(host, channels, kind, function, biases):
    b, x = builder()
    x = host(b, x, False)
    graph = b.build(constant(b, x, function, kind))
    (op,) = check(graph)
    assert op.weights == next(iter(graph)).weights + biases * channels


def test_scale_and_shift_and_activation_fold_together():
    b, x = builder()
    x = b.conv(x, 4, 3, bias=False)
    x = constant(b, constant(b, b.batch_norm(x), "mul"), "add")
    (op,) = check(b.build(b.activation(x, "relu")))
    assert (op.weights, op.get("activation")) == (4 * 8 * 9 + 4, "relu")


def test_a_bias_is_added_once():
    b, x = builder()
    x = b.conv(x, 4, 3, bias=False)
    for _ in range(3):
        x = constant(b, x, "add")
    (op,) = check(b.build(x))
    assert op.weights == 4 * 8 * 9 + 4


def test_scale_and_shift_fold_into_a_batch_norm():
    b, x = builder()
    x = constant(b, constant(b, b.batch_norm(x), "mul"), "add", "scalar")
    (op,) = check(b.build(x))
    assert (op.type, op.weights) == ("batch_norm", 16)


def test_a_constant_minus_a_result_folds():
    b, x = builder()
    (op,) = check(b.build(constant(b, b.conv(x, 4, 3), "sub", reversed=True)))
    assert op.weights == 4 * 8 * 9 + 4


@pytest.mark.parametrize(
    ("function", "kind", "axis", "more"),
    [
        ("div", "channel", 1, {"reversed": True}),
        ("mul", "tensor", 1, {}),
        ("mul", "channel", 3, {}),
        ("add", "channel", 2, {}),
        ("pow", "scalar", 1, {}),
        ("max", "channel", 1, {}),
    ],
)
def test_other_constants_stay(function, kind, axis, more):
    b, x = builder()
    graph = b.build(constant(b, b.conv(x, 4, 3), function, kind, axis, **more))
    assert [op.type for op in check(graph)] == ["conv2d", "eltwise"]


def test_unmarked_operands_stay():
    b, x = builder()
    assert len(check(b.build(b.eltwise("mul", b.conv(x, 4, 3))))) == 2


def test_bias_of_a_product_of_tokens():
    b, x = builder(1, 16, 32)
    graph = b.build(constant(b, b.linear(x, 8, bias=False), "add", axis=2))
    (op,) = check(graph)
    assert (op.type, op.weights) == ("matmul", 32 * 8 + 8)


def test_constants_stay_behind_products_of_activations():
    b, x = builder(1, 16, 32)
    y = b.matmul(x, x, transpose_b=True)
    assert [op.type for op in check(b.build(constant(b, y, "mul", "scalar")))] == ["matmul", "eltwise"]


def test_constants_stay_behind_a_stack_of_matrices(tmp_path):
    graph = load(
        tmp_path, "a = MatMul(x, w) y = Add(a, c)", {"w": (4, 8, 6), "c": (6,)}, inputs="float[1,4,16,8] x"
    )
    assert len(check(graph)) == 2


def test_constants_stay_behind_a_matrix_on_the_left(tmp_path):
    graph = load(
        tmp_path, "a = MatMul(w, x) y = Add(a, c)", {"w": (8, 16), "c": (6,)}, inputs="float[16,6] x"
    )
    assert len(check(graph)) == 2


def test_constants_stay_behind_filters_from_the_network(tmp_path):
    body, inputs = "a = Conv(x, f) y = Mul(a, c)", "float[1,3,8,8] x, float[4,3,3,3] f"
    assert len(check(load(tmp_path, body, {"c": (4, 1, 1)}, inputs=inputs))) == 2


# --- activations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", sorted(FUSABLE_ACTIVATIONS))
def test_activations_fuse(function):
    b, x = builder()
    (op,) = check(b.build(b.activation(b.conv(x, 4, 3), function)))
    assert op.get("activation") == function
    assert op.ops == 0


@pytest.mark.parametrize("function", ["exp", "sqrt", "erf", "neg"])
def test_other_functions_stay(function):
    b, x = builder()
    assert len(check(b.build(b.activation(b.conv(x, 4, 3), function)))) == 2


@pytest.mark.parametrize(("host", "channels"), HOSTS.values(), ids=HOSTS.keys())
def test_activations_fuse_into_every_host(host, channels):
    b, x = builder()
    graph = b.build(b.activation(host(b, x, True), "relu"))
    (op,) = check(graph)
    assert (op.get("activation"), op.weights) == ("relu", graph.parameters)


def test_activations_fuse_into_sums_products_and_norms():
    b, x = builder(1, 16, 32)
    a = b.activation(b.matmul(x, x, transpose_b=True), "gelu")
    c = b.activation(b.linear(a, 32), "relu")
    d = b.activation(b.add_(c, x), "tanh")
    e = b.activation(b.batch_norm(d), "relu6")
    assert types(check(b.build(e))) == [
        ("matmul", "gelu"),
        ("matmul", "relu"),
        ("eltwise", "tanh"),
        ("batch_norm", "relu6"),
    ]


def test_residual_block():
    """conv - bn - relu - conv - bn - add - relu, beside a shortcut."""
    b, x = builder()
    y = b.activation(b.batch_norm(b.conv(x, 8, 3, bias=False)), "relu")
    y = b.batch_norm(b.conv(y, 8, 3, bias=False))
    out = b.activation(b.add_(y, x), "relu")
    fused = check(b.build(out))
    assert types(fused) == [("conv2d", "relu"), ("conv2d", None), ("eltwise", "relu")]
    assert fused["eltwise_1"].inputs == ("batch_norm_2", "input")
    assert fused["eltwise_1"].outputs == (out,)


def test_activations_do_not_fuse_into_other_arithmetic():
    b, x = builder()
    assert len(check(b.build(b.activation(b.mul(x, x), "relu")))) == 2


def test_a_second_activation_stays():
    b, x = builder()
    y = b.activation(b.activation(b.conv(x, 4, 3), "relu"), "sigmoid")
    assert types(check(b.build(y))) == [("conv2d", "relu"), ("activation", None)]


def test_slopes_move_to_the_host(tmp_path):
    graph = load(tmp_path, "a = Conv(x, w) y = PRelu(a, s)", {"w": (4, 3, 3, 3), "s": (4, 1, 1)})
    (op,) = check(graph)
    assert (op.get("activation"), op.weights) == ("prelu", 108 + 4)


# --- what others read -------------------------------------------------------------------------------------


def test_results_that_others_read_stay():
    b, x = builder()
    y = b.conv(x, 8, 3)
    graph = b.build(b.add_(b.activation(y, "relu"), y))
    assert [op.type for op in check(graph)] == ["conv2d", "activation", "eltwise"]


def test_results_that_leave_the_network_stay():
    b, x = builder()
    y = b.conv(x, 8, 3)
    assert len(check(b.build(b.activation(y, "relu"), y))) == 2


def test_inputs_have_no_host():
    b, x = builder()
    assert types(check(b.build(b.activation(x, "relu")))) == [("activation", None)]


def test_parts_of_a_split_have_no_host():
    b, x = builder()
    left, right = b.split(x, 2)
    assert len(check(b.build(b.activation(left, "relu"), right))) == 2


# --- gates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gate", "function"), [("sigmoid", "swish"), ("hsigmoid", "hswish")])
@pytest.mark.parametrize("swapped", [False, True])
def test_gates_become_one_activation(gate, function, swapped):
    b, x = builder()
    y = b.batch_norm(b.conv(x, 4, 3, bias=False))
    operands = (y, b.activation(y, gate))
    (op,) = check(b.build(b.mul(*(operands[::-1] if swapped else operands))))
    assert (op.name, op.get("activation")) == ("conv2d_1", function)


def test_gates_without_host_become_a_stand_alone_activation():
    b, x = builder()
    graph = b.build(b.mul(x, b.activation(x, "sigmoid"), name="gated"))
    (op,) = check(graph)
    assert (op.name, op.type, op.get("function"), op.inputs) == ("gated", "activation", "swish", ("input",))


def test_squeeze_and_excite_is_no_gate():
    b, x = builder()
    y = b.conv(x, 8, 3, activation="relu")
    s = b.activation(b.conv(b.global_avg_pool(y), 8, 1), "sigmoid")
    fused = check(b.build(b.mul(y, s)))
    assert types(fused) == [("conv2d", "relu"), ("reduce", None), ("conv2d", "sigmoid"), ("eltwise", None)]


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_other_gates_stay(function):
    b, x = builder()
    y = b.conv(x, 8, 3)
    assert len(check(b.build(b.mul(y, b.activation(y, function))))) == 3


def test_gates_that_others_read_stay():
    b, x = builder()
    s = b.activation(x, "sigmoid")
    assert len(check(b.build(b.mul(x, s), s))) == 2


def test_gated_products_with_an_activation_stay():
    b, x = builder()
    y = b.eltwise("mul", x, b.activation(x, "sigmoid"), activation="relu")
    assert len(check(b.build(y))) == 2


# --- anything ---------------------------------------------------------------------------------------------

STEPS = {
    "conv": lambda b, x: b.conv(x, 8, 3, bias=False),
    "biased": lambda b, x: b.conv(x, 8, 1),
    "grouped": lambda b, x: b.conv(x, 8, 3, groups=2, bias=False),
    "depthwise": lambda b, x: b.depthwise(x),
    "deconv": lambda b, x: b.deconv(x, 8, bias=False),
    "pool": lambda b, x: b.max_pool(x, 1, 1),
    "norm": lambda b, x: b.batch_norm(x),
    "relu": lambda b, x: b.activation(x, "relu"),
    "exp": lambda b, x: b.activation(x, "exp"),
    "swish": lambda b, x: b.mul(x, b.activation(x, "sigmoid")),
    "scale": lambda b, x: constant(b, x, "mul"),
    "shift": lambda b, x: constant(b, x, "add"),
    "half": lambda b, x: constant(b, x, "mul", "scalar"),
    "table": lambda b, x: constant(b, x, "add", "tensor"),
    "twice": lambda b, x: b.add_(x, x),
    "residual": lambda b, x: b.add_(b.conv(x, 8, 3), x),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=8), st.data())
def test_random_chains_keep_their_work_and_outputs(steps, data):
    b, x = builder(1, 8, 2, 2)
    results = []
    for step in steps:
        x = STEPS[step](b, x)
        results.append(x)
    outputs = dict.fromkeys([x, *data.draw(st.lists(st.sampled_from(results), max_size=2))])
    graph = b.build(*outputs)
    fused = check(graph)
    assert sum(op.ops for op in fused) <= sum(op.ops for op in graph)
    assert fused.parameters <= graph.parameters
