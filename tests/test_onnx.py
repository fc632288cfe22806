"""Importing ONNX files: real networks, folding of constants, shapes, names."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_models import load, missing_weight, model, save

from socsim.errors import ModelError, UnknownNameError, UsageError
from socsim.workloads.onnx import load_onnx, parse_shape

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

GOLDEN = {
    "bvlc_alexnet": (0.655, 22),
    "densenet121": (2.834, 668),
    "inception_v1": (1.432, 142),
    "inception_v2": (2.019, 371),
    "resnet50": (4.089, 176),
    "shufflenet": (0.125, 203),
    "squeezenet": (0.349, 65),
    "vgg19": (19.632, 44),
    "zfnet512": (1.482, 22),
}
"""GMAC and operators of the graphs in onnx's wheel."""


def light(name: str):
    return load_onnx(LIGHT / f"light_{name}.onnx")


# --- real networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN)
def test_light_networks_have_golden_macs(name):
    gmacs, operators = GOLDEN[name]
    graph = light(name)
    assert graph.macs / 1e9 == pytest.approx(gmacs, rel=0.005)
    assert len(graph) == operators
    assert len(graph.inputs) == len(graph.outputs) == 1
    assert graph.name == f"light_{name}"


def test_resnet50_matches_its_published_parameters():
    # 25,557,032 is what torchvision counts for resnet50.
    assert light("resnet50").parameters == 25_557_032


def test_resnet50_operators():
    assert Counter(op.type for op in light("resnet50")) == {
        "conv2d": 53,
        "batch_norm": 53,
        "activation": 49,
        "eltwise": 16,
        "max_pool": 1,
        "avg_pool": 1,
        "reshape": 1,
        "fully_connected": 1,
        "softmax": 1,
    }


def test_resnet50_first_convolution():
    conv = next(iter(light("resnet50")))
    assert conv.type == "conv2d"
    assert conv.macs == 112 * 112 * 64 * 3 * 49
    assert conv.weights == 64 * 3 * 49
    assert conv.attributes == {
        "kernel": (7, 7), "stride": (2, 2), "dilation": (1, 1), "padding": (3, 3, 3, 3), "groups": 1,
    }  # fmt: skip


def test_densenet_spells_scale_and_shift_as_constants():
    graph = light("densenet121")
    constants = Counter((op.get("function"), op.get("constant"), op.get("axis")) for op in graph)
    assert constants["mul", "channel", 1] == 121
    assert constants["add", "channel", 1] == 121


def test_shufflenet_groups():
    types = Counter(op.type for op in light("shufflenet"))
    # The first pointwise convolution of the first stage is not grouped, as published.
    assert types["depthwise_conv2d"] == 16
    assert types["grouped_conv2d"] + types["conv2d"] == 33
    assert types["transpose"] == 16


def test_import_is_fast():
    load_onnx(LIGHT / "light_squeezenet.onnx")  # imports onnx
    began = time.perf_counter()
    light("densenet121")
    assert time.perf_counter() - began < 1


# --- inputs, weights, constants -------------------------------------------------------------------


def test_initializers_listed_as_inputs_are_weights(tmp_path):
    proto = model("y = Conv(x, w)", {"w": (4, 3, 3, 3)})
    proto.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 3, 3]))
    proto.ir_version = 3
    graph = load_onnx(save(proto, tmp_path))
    assert graph.inputs == ("x",)
    assert graph["y"].inputs == ("x",)
    assert graph["y"].weights == 108


def test_weights_need_no_data(tmp_path):
    graph = load(tmp_path, "y = Conv(x, w)", {"w": (4096, 3, 3, 3)})
    assert (graph.parameters, graph.macs) == (4096 * 27, 6 * 6 * 4096 * 27)


def test_weights_may_come_from_constant_nodes(tmp_path):
    proto = model("shape = Constant<value_ints = [4, 3, 3, 3]>() w = ConstantOfShape(shape) y = Conv(x, w)")
    graph = load_onnx(save(proto, tmp_path))
    assert [op.type for op in graph] == ["conv2d"]
    assert graph.parameters == 108


def test_weights_may_be_quantised(tmp_path):
    proto = model(
        "w = DequantizeLinear(q, s) y = Conv(x, w)", constants="float s = {0.1}", inputs="float[1,1,4,4] x"
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((2, 1, 3, 3), np.int8), "q"))
    graph = load_onnx(save(proto, tmp_path))
    assert [op.weights for op in graph] == [18]


def test_a_shared_weight_counts_for_each_reader(tmp_path):
    graph = load(tmp_path, "a = Conv(x, w) y = Conv(a, w)", {"w": (3, 3, 3, 3)})
    assert [op.weights for op in graph] == [81, 81]


def test_sparse_weights_count_their_dense_size(tmp_path):
    proto = model("y = MatMul(x, w)", inputs="float[1,4] x")
    values = numpy_helper.from_array(np.ones(2, np.float32), "w")
    indices = numpy_helper.from_array(np.array([0, 5]), "w_indices")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 6]))
    graph = load_onnx(save(proto, tmp_path))
    assert (graph["y"].type, graph.parameters) == ("fully_connected", 24)


def test_external_shapes_are_read_where_they_are_there(tmp_path):
    proto = model("y = Reshape(x, s)")
    target = missing_weight("s", (2,))
    target.data_type = TensorProto.INT64
    del target.external_data[:]
    target.external_data.add(key="location", value="shape.bin")
    proto.graph.initializer.append(target)
    path = save(proto, tmp_path)
    with pytest.raises(ModelError, match="'y'"):
        load_onnx(path)
    (tmp_path / "shape.bin").write_bytes(np.array([3, 64]).tobytes())
    assert load_onnx(path).output_shape(load_onnx(path)["y"]) == (3, 64)


def test_dead_nodes_go(tmp_path):
    graph = load(tmp_path, "y = Relu(x) unused = Sigmoid(x)")
    assert [op.name for op in graph] == ["y"]


def test_unused_inputs_stay(tmp_path):
    graph = load(tmp_path, "y = Relu(x)", inputs="float[1,3,8,8] x, float[2] other")
    assert graph.inputs == ("x", "other")
    assert graph.tensors["other"].shape == (2,)


def test_constant_outputs_go(tmp_path):
    graph = load(tmp_path, "y = Relu(x) s = Shape(x)", outputs="float y, int64 s")
    assert graph.outputs == ("y",)


SHAPE_CHAINS = {
    "flatten by gather": """
        s = Shape(x) zero = Constant<value_int = 0>() n = Gather(s, zero)
        ax = Constant<value_ints = [0]>() m = Unsqueeze(n, ax)
        rest = Constant<value_ints = [-1]>() t = Concat<axis = 0>(m, rest) y = Reshape(x, t)""",
    "flatten by product": """
        s = Shape<start = 1>(x) p = ReduceProd<keepdims = 1>(s) h = Shape<end = 1>(x)
        t = Concat<axis = 0>(h, p) y = Reshape(x, t)""",
    "flatten by size": """
        h = Shape<end = 1>(x) n = Size(x) ax = Constant<value_ints = [0]>() m = Unsqueeze(n, ax)
        k = Div(m, h) t = Concat<axis = 0>(h, k) y = Reshape(x, t)""",
    "flatten by arithmetic": """
        s = Shape(x) i = Constant<value_ints = [1]>() j = Constant<value_ints = [4]>() tail = Slice(s, i, j)
        f = Cast<to = 1>(tail) r = Cast<to = 7>(f) c = ReduceProd<keepdims = 1>(r)
        one = Constant<value_ints = [1]>() a = Mul(c, one) b = Sub(a, one)
        d = Add(b, one) t = Concat<axis = 0>(one, d) y = Reshape(x, t)""",
    "flatten by where": """
        s = Constant<value_ints = [1, -1]>() one = Constant<value_ints = [-1, -1]>() e = Equal(s, one)
        k = Constant<value_ints = [192, 192]>() t = Where(e, k, s) y = Reshape(x, t)""",
    "flatten by expand": """
        one = Constant<value_ints = [1]>() two = Constant<value_ints = [2]>() e = Expand(one, two)
        m = Constant<value_ints = [1, -1]>() t = Mul(e, m) y = Reshape(x, t)""",
    "flatten by range": """
        a = Constant<value_int = 1>() b = Constant<value_int = -3>() c = Constant<value_int = -2>()
        r = Range(a, b, c) y = Reshape(x, r)""",
    "flatten by filled": """
        n = Constant<value_ints = [1]>() f = ConstantOfShape<value = int64[1] {-1}>(n) k = Neg(f)
        t = Concat<axis = 0>(k, f) y = Reshape(x, t)""",
    "flatten by min and max": """
        s = Shape<end = 2>(x) lo = Constant<value_ints = [1]>() hi = Constant<value_ints = [192]>()
        a = Min(s, lo) big = Shape<start = 1, end = 2>(x) b = Max(big, hi) ax = Constant<value_ints = [0]>()
        z = Constant<value_ints = [1]>() h = Slice(a, ax, z) t = Concat<axis = 0>(h, b) y = Reshape(x, t)""",
    "flatten by floor and squeeze": """
        k = Constant<value_floats = [192.7]>() f = Floor(k) c = Cast<to = 7>(f)
        ax = Constant<value_ints = [0]>() q = Squeeze(c, ax) u = Unsqueeze(q, ax)
        one = Constant<value_ints = [1]>() t = Concat<axis = 0>(one, u) y = Reshape(x, t)""",
    "flatten by transposed table": """
        tab = Constant<value = int64[2, 2] {1, 7, 192, 9}>() tt = Transpose(tab) i = Constant<value_int = 0>()
        t = Gather(tt, i) y = Reshape(x, t)""",
}


@pytest.mark.parametrize("body", SHAPE_CHAINS.values(), ids=SHAPE_CHAINS.keys())
def test_computed_shapes_fold(tmp_path, body):
    graph = load(tmp_path, body)
    assert [op.type for op in graph] == ["reshape"]
    assert graph.output_shape(graph["y"]) == (1, 192)


def test_computed_shapes_fold_in_old_operator_sets(tmp_path):
    body = """
        s = Shape(x) zero = Constant<value = int64 {0}>() n = Gather<axis = 0>(s, zero)
        m = Unsqueeze<axes = [0]>(n) tail = Slice<starts = [1], ends = [9223372036854775807], axes = [0]>(s)
        p = ReduceProd<axes = [0]>(tail) t = Concat<axis = 0>(m, p) y = Reshape(x, t)"""
    graph = load(tmp_path, body, opset=9, inputs="float[2,3,8,8] x")
    assert graph.output_shape(graph["y"]) == (2, 192)


def test_integer_quotients_round_towards_zero(tmp_path):
    body = """
        a = Constant<value_ints = [-7]>() b = Constant<value_ints = [2]>() q = Div(a, b) n = Neg(q)
        one = Constant<value_ints = [64]>() t = Concat<axis = 0>(n, one) y = Reshape(x, t)"""
    assert load(tmp_path, body).tensors["y"].shape == (3, 64)


def test_backward_slices_fold(tmp_path):
    body = """
        s = Shape(x) a = Constant<value_ints = [-1]>() b = Constant<value_ints = [-9223372036854775807]>()
        ax = Constant<value_ints = [0]>() st = Constant<value_ints = [-1]>() t = Slice(s, a, b, ax, st)
        y = Reshape(x, t)"""
    assert load(tmp_path, body, inputs="float[1,3,4,5] x").tensors["y"].shape == (5, 4, 3, 1)


def test_huge_constants_are_not_made(tmp_path):
    body = """
        n = Constant<value_ints = [1000000, 1000000]>() w = ConstantOfShape(n) y = MatMul(x, w)"""
    graph = load(tmp_path, body, inputs="float[1,1000000] x")
    assert graph.parameters == 10**12


def test_a_division_of_shapes_by_zero_is_reported_as_unshaped(tmp_path):
    body = (
        "s = Shape(x) z = Constant<value_ints = [0, 0, 0, 0]>() t = Div(s, z) y = Reshape(x, t) v = Relu(y)"
    )
    with pytest.raises(ModelError, match=r"no shape for 'y', 'v'"):
        load(tmp_path, body, outputs="float v")


# --- pinning --------------------------------------------------------------------------------------

DYNAMIC = "float[N,3,H,W] x"


def test_shapes_pin_dynamic_inputs(tmp_path):
    graph = load(tmp_path, "y = Conv(x, w)", {"w": (4, 3, 3, 3)}, inputs=DYNAMIC, shapes={"x": (2, 3, 6, 5)})
    assert graph.tensors["y"].shape == (2, 4, 4, 3)
    assert graph.macs == 2 * 4 * 12 * 27


def test_shapes_reshape_fixed_inputs(tmp_path):
    graph = load(tmp_path, "y = Conv(x, w)", {"w": (4, 3, 3, 3)}, shapes={"x": (1, 3, 16, 16)})
    assert graph.tensors["y"].shape == (1, 4, 14, 14)


def test_pinned_sizes_flow_through_computed_shapes(tmp_path):
    graph = load(tmp_path, SHAPE_CHAINS["flatten by gather"], inputs=DYNAMIC, shapes={"x": (5, 3, 2, 2)})
    assert graph.tensors["y"].shape == (5, 12)


def test_numpy_sizes_pin(tmp_path):
    shape = tuple(np.array([1, 3, 4, 4]))
    graph = load(tmp_path, "y = Relu(x)", inputs=DYNAMIC, shapes={"x": shape})
    assert graph.tensors["y"].shape == (1, 3, 4, 4)


def test_unpinned_inputs_fail_with_the_way_out(tmp_path):
    with pytest.raises(ModelError) as caught:
        load(tmp_path, "y = Relu(x)", inputs=DYNAMIC)
    message = str(caught.value)
    assert "input 'x' (Nx3xHxW) is dynamic" in message
    assert "--shape x=1x3x224x224" in message
    assert "shapes={'x': (1, 3, 224, 224)}" in message


def test_all_unpinned_inputs_are_named(tmp_path):
    inputs = "int64[B,T] ids, int64[B,T] mask, float[1,4] z"
    with pytest.raises(ModelError, match=r"inputs 'ids' .*, 'mask' .*--shape ids=1x128 --shape mask=1x128 "):
        load(tmp_path, "y = Add(ids, mask)", inputs=inputs)


def test_unknown_inputs_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown input 'imput'; did you mean 'input'"):
        load(tmp_path, "y = Relu(input)", inputs="float[1,4] input", shapes={"imput": (1, 4)})


def test_weights_cannot_be_pinned(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown input 'w'"):
        load(tmp_path, "y = Conv(x, w)", {"w": (4, 3, 3, 3)}, shapes={"w": (4, 3, 3, 3)})


def test_pins_of_another_rank_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"'x' has 4 dimensions \(Nx3xHxW\), its pinned shape has 2 \(1x3\)"):
        load(tmp_path, "y = Relu(x)", inputs=DYNAMIC, shapes={"x": (1, 3)})


@pytest.mark.parametrize("size", [0, -1])
def test_pins_must_be_positive(tmp_path, size):
    with pytest.raises(ModelError, match=f"every size must be positive, got 1x3x{size}x8"):
        load(tmp_path, "y = Relu(x)", inputs=DYNAMIC, shapes={"x": (1, 3, size, 8)})


def test_pins_that_contradict_the_weights_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"node 'y' \(Conv\)"):
        load(tmp_path, "y = Conv(x, w)", {"w": (4, 3, 3, 3)}, shapes={"x": (1, 5, 8, 8)})


def test_fixed_reshapes_do_not_follow_another_batch(tmp_path):
    body = "t = Constant<value_ints = [1, 192]>() y = Reshape(x, t)"
    with pytest.raises(ModelError, match="exported for another input size"):
        load(tmp_path, body, shapes={"x": (4, 3, 8, 8)})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("input=1x3x224x224", ("input", (1, 3, 224, 224))),
        ("gpu_0/data_0=1X3X8X8", ("gpu_0/data_0", (1, 3, 8, 8))),
        (" a = 7 ", ("a", (7,))),
        ("x=y=2x2", ("x=y", (2, 2))),
    ],
)
def test_parse_shape(text, parsed):
    assert parse_shape(text) == parsed


@pytest.mark.parametrize("text", ["", "input", "=1x3", "input=", "1x3x224x224"])
def test_parse_shape_wants_a_name_and_sizes(text):
    with pytest.raises(UsageError, match="NAME=SIZExSIZEx"):
        parse_shape(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x=1x0x2", "0"),
        ("x=1x-3", "-3"),
        ("x=1xx3", ""),
        ("x=1,3", "1,3"),
        ("x=1x2.5", "2.5"),
        ("x=²", "²"),
        ("x=ax3", "a"),
    ],
)
def test_parse_shape_wants_positive_whole_numbers(text, part):
    with pytest.raises(UsageError, match="positive whole number") as caught:
        parse_shape(text)
    assert f"got {part!r} in {text!r}" in str(caught.value)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
def test_parse_shape_reads_back_what_is_written(sizes):
    assert parse_shape("in:0=" + "x".join(map(str, sizes))) == ("in:0", tuple(sizes))


# --- names and order ------------------------------------------------------------------------------


def test_operators_are_named_as_nodes_or_first_outputs(tmp_path):
    proto = model("a = Relu(x) b = Relu(a) y = Relu(b)")
    proto.graph.node[0].name = proto.graph.node[1].name = "act"
    graph = load_onnx(save(proto, tmp_path))
    assert [op.name for op in graph] == ["act", "act#2", "y"]


def test_unsorted_nodes_are_sorted(tmp_path):
    graph = load(tmp_path, "y = Relu(b) b = Sigmoid(a) a = Tanh(x)")
    assert [op.get("function") for op in graph] == ["tanh", "sigmoid", "relu"]


PASSED_ON = ["Identity(a)", "Dropout(a)", "Sum(a)", "Max(a)", "Concat<axis = 1>(a)"]


@pytest.mark.parametrize("node", PASSED_ON)
def test_nodes_that_change_nothing_go(tmp_path, node):
    graph = load(tmp_path, f"a = Relu(x) b = {node} y = Sigmoid(b)")
    assert [(op.name, op.inputs) for op in graph] == [("a", ("x",)), ("y", ("a",))]


def test_removed_last_nodes_keep_the_output_name(tmp_path):
    graph = load(tmp_path, "a = Relu(x) b = Identity(a) y = Dropout(b)")
    assert graph.outputs == ("y",)
    assert graph["a"].outputs == ("y",)
    assert graph.tensors["y"].shape == (1, 3, 8, 8)


def test_renamed_tensors_are_renamed_for_every_reader(tmp_path):
    graph = load(tmp_path, "a = Relu(x) y = Identity(a) z = Tanh(a)", outputs="float y, float z")
    assert graph["z"].inputs == ("y",)
    assert graph.outputs == ("y", "z")


def test_an_input_may_leave_at_once(tmp_path):
    graph = load(tmp_path, "y = Identity(x) z = Relu(x)", outputs="float y, float z")
    assert graph.outputs == ("x", "z")


def test_optional_outputs_that_nobody_reads_are_harmless(tmp_path):
    body = "y, indices = MaxPool<kernel_shape = [2, 2]>(x)"
    graph = load(tmp_path, body)
    assert graph["y"].outputs == ("y",)
    assert "indices" not in graph.tensors


def test_optional_outputs_that_somebody_reads_stay(tmp_path):
    body = "y, i = MaxPool<kernel_shape = [2, 2]>(x) z = Cast<to = 1>(i)"
    graph = load(tmp_path, body, outputs="float y, float z")
    assert graph["y"].outputs == ("y", "i")
    assert graph.tensors["i"].shape == (1, 3, 7, 7)


def test_parts_of_a_split_that_nobody_reads_stay(tmp_path):
    graph = load(tmp_path, "y, rest = Split<axis = 2>(x)")
    assert graph["y"].outputs == ("y", "rest")


def test_local_functions_are_inlined(tmp_path):
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[1,4] x) => (float[1,4] y) { y = local.twice(x) }
        <domain: "local", opset_import: ["": 17]> twice (a) => (c) { b = Relu(a) c = Tanh(b) }"""
    graph = load_onnx(save(onnx.parser.parse_model(text), tmp_path))
    assert [op.get("function") for op in graph] == ["relu", "tanh"]


def test_import_is_repeatable():
    assert light("shufflenet").signature == light("shufflenet").signature
