"""What becomes of each ONNX operator: type, attributes, weights, MACs and elementary operations."""

from __future__ import annotations

import pytest
from onnx_models import load, model, save

from socsim.errors import ModelError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.onnx import load_onnx
from socsim.workloads.onnx_import.elementwise import ACTIVATIONS, ARITHMETIC
from socsim.workloads.onnx_import.reductions import REDUCTIONS
from socsim.workloads.operators import OPERATOR_TYPES

IMAGE = "float[1,8,6,6] x"


def only(folder, body, weights=None, **options):
    """The single operator of a model, and its graph."""
    graph = load(folder, body, weights, **options)
    (op,) = graph
    assert op.type in OPERATOR_TYPES
    return op, graph


# --- convolutions -----------------------------------------------------------------------------------------

CONVOLUTIONS = {
    "dense": ((16, 8, 3, 3), "", "conv2d", (1, 16, 4, 4), 16 * 16 * 72),
    "grouped": ((16, 2, 3, 3), "group = 4", "grouped_conv2d", (1, 16, 4, 4), 16 * 16 * 18),
    "depthwise": ((8, 1, 3, 3), "group = 8", "depthwise_conv2d", (1, 8, 4, 4), 16 * 8 * 9),
    "multiplied": ((16, 1, 3, 3), "group = 8", "depthwise_conv2d", (1, 16, 4, 4), 16 * 16 * 9),
    "strided": (
        (16, 8, 3, 3),
        "strides = [2, 1], pads = [1, 0, 1, 0]",
        "conv2d",
        (1, 16, 3, 4),
        12 * 16 * 72,
    ),
    "dilated": ((16, 8, 3, 3), "dilations = [2, 2]", "conv2d", (1, 16, 2, 2), 4 * 16 * 72),
    "oblong": ((16, 8, 1, 3), "", "conv2d", (1, 16, 6, 4), 24 * 16 * 24),
}


@pytest.mark.parametrize(
    ("kernel", "attributes", "type_", "shape", "macs"), CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys()
)
def test_convolutions(tmp_path, kernel, attributes, type_, shape, macs):
    body = f"y = Conv<{attributes}>(x, w)" if attributes else "y = Conv(x, w)"
    op, graph = only(tmp_path, body, {"w": kernel}, inputs=IMAGE)
    assert (op.type, graph.output_shape(op), op.macs, op.ops) == (type_, shape, macs, 0)
    assert op.weights == kernel[0] * kernel[1] * kernel[2] * kernel[3]
    assert op.get("kernel") == kernel[2:]


def test_convolution_attributes(tmp_path):
    body = "y = Conv<strides = [2, 1], pads = [1, 2, 3, 4], dilations = [1, 2]>(x, w, b)"
    op, _ = only(tmp_path, body, {"w": (4, 8, 3, 3), "b": (4,)}, inputs=IMAGE)
    assert op.attributes == {
        "kernel": (3, 3), "stride": (2, 1), "dilation": (1, 2), "padding": (1, 2, 3, 4), "groups": 1,
    }  # fmt: skip
    assert op.weights == 4 * 8 * 9 + 4


@pytest.mark.parametrize(
    ("mode", "padding"), [("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0)), ("VALID", (0, 0, 0, 0))]
)
def test_automatic_padding(tmp_path, mode, padding):
    op, _ = only(
        tmp_path, f'y = Conv<auto_pad = "{mode}", strides = [2, 2]>(x, w)', {"w": (4, 8, 3, 3)}, inputs=IMAGE
    )
    assert op.get("padding") == padding


def test_same_padding_agrees_with_the_builder(tmp_path):
    body = 'y = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w, b)'
    op, _ = only(tmp_path, body, {"w": (4, 8, 5, 5), "b": (4,)}, inputs=IMAGE)
    b = GraphBuilder("same")
    built = b.build(b.conv(b.input(1, 8, 6, 6), 4, 5, 2))["conv2d_1"]
    assert (op.type, op.macs, op.weights, op.ops) == (built.type, built.macs, built.weights, built.ops)
    assert dict(op.attributes) == dict(built.attributes)


def test_convolutions_of_one_dimension_have_height_one(tmp_path):
    body = "y = Conv<strides = [2], pads = [1, 1]>(x, w)"
    op, graph = only(tmp_path, body, {"w": (16, 8, 3)}, inputs="float[1,8,10] x")
    assert op.attributes == {
        "kernel": (1, 3), "stride": (1, 2), "dilation": (1, 1), "padding": (0, 1, 0, 1), "groups": 1,
    }  # fmt: skip
    assert graph.output_shape(op) == (1, 16, 5)
    assert op.macs == 5 * 16 * 24


def test_convolutions_of_three_dimensions_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"node 'y' \(Conv\): windows over one or two dimensions .* got 3"):
        load(tmp_path, "y = Conv(x, w)", {"w": (4, 8, 3, 3, 3)}, inputs="float[1,8,6,6,6] x")


def test_constant_images_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"node 'y' \(Conv\): input 0 must be an activation, got 'w'"):
        load(tmp_path, "y = Conv(w, x)", {"w": (1, 3, 12, 12)})


def test_filters_may_be_activations(tmp_path):
    op, _ = only(tmp_path, "y = Conv(x, f)", inputs="float[1,3,8,8] x, float[4,3,3,3] f")
    assert (op.inputs, op.weights, op.macs) == (("x", "f"), 0, 36 * 4 * 27)


TRANSPOSED = {
    "dense": ((8, 4, 2, 2), "strides = [2, 2]", (1, 4, 12, 12), 36 * 8 * 4 * 4),
    "grouped": ((8, 2, 2, 2), "strides = [2, 2], group = 4", (1, 8, 12, 12), 36 * 8 * 2 * 4),
    "cropped": ((8, 4, 3, 3), "strides = [2, 2], pads = [1, 1, 0, 0]", (1, 4, 12, 12), 36 * 8 * 4 * 9),
}


@pytest.mark.parametrize(
    ("kernel", "attributes", "shape", "macs"), TRANSPOSED.values(), ids=TRANSPOSED.keys()
)
def test_transposed_convolutions(tmp_path, kernel, attributes, shape, macs):
    op, graph = only(tmp_path, f"y = ConvTranspose<{attributes}>(x, w)", {"w": kernel}, inputs=IMAGE)
    assert (op.type, graph.output_shape(op), op.macs) == ("deconv2d", shape, macs)
    assert op.get("stride") == (2, 2)


def test_transposed_convolutions_pad_to_a_multiple(tmp_path):
    body = 'y = ConvTranspose<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w)'
    op, graph = only(tmp_path, body, {"w": (8, 4, 3, 3)}, inputs=IMAGE)
    assert graph.output_shape(op) == (1, 4, 12, 12)
    assert op.get("padding") == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("node", "weights"),
    [
        ("Conv<group = 3>(x, w)", (4, 3, 3, 3)),
        ("Conv(x, w)", (4, 1, 3, 3)),
        ("ConvTranspose(x, w)", (4, 8, 3, 3)),
    ],
)
def test_channels_must_fit(tmp_path, node, weights):
    with pytest.raises(ModelError, match=r"node 'y' \(Conv"):
        load(tmp_path, f"y = {node}", {"w": weights}, inputs=IMAGE)


# --- matrix products --------------------------------------------------------------------------------------


def test_gemm_is_fully_connected(tmp_path):
    body = "y = Gemm<transB = 1>(x, w, b)"
    op, _ = only(tmp_path, body, {"w": (10, 64), "b": (10,)}, inputs="float[2,64] x")
    assert (op.type, op.macs, op.weights, dict(op.attributes)) == ("fully_connected", 1280, 650, {})


def test_gemm_adds_an_activation(tmp_path):
    op, _ = only(tmp_path, "y = Gemm(x, w, c)", {"w": (4, 5)}, inputs="float[2,4] x, float[2,5] c")
    assert (op.type, op.inputs, op.weights, op.macs) == ("fully_connected", ("x", "c"), 20, 40)


def test_gemm_of_a_transposed_activation(tmp_path):
    op, _ = only(tmp_path, "y = Gemm<transA = 1>(x, w)", {"w": (4, 5)}, inputs="float[4,2] x")
    assert (op.type, op.macs, dict(op.attributes)) == ("matmul", 40, {"transpose_a": True})


def test_gemm_of_two_activations(tmp_path):
    op, _ = only(tmp_path, "y = Gemm<transB = 1>(x, z)", inputs="float[3,4] x, float[5,4] z")
    assert (op.type, op.macs, op.weights, dict(op.attributes)) == ("matmul", 60, 0, {"transpose_b": True})


def test_gemm_with_a_constant_on_the_left(tmp_path):
    op, _ = only(tmp_path, "y = Gemm(w, x)", {"w": (7, 4)}, inputs="float[4,5] x")
    assert (op.type, op.macs, op.weights, dict(op.attributes)) == ("matmul", 140, 28, {"constant_left": True})


PRODUCTS = {
    "vector": ("MatMul(x, w)", "float[2,64] x", (64, 10), "fully_connected", 1280, 640, (2, 10)),
    "tokens": ("MatMul(x, w)", "float[1,16,64] x", (64, 32), "matmul", 16 * 64 * 32, 2048, (1, 16, 32)),
    "per head": (
        "MatMul(x, w)",
        "float[1,4,16,8] x",
        (4, 8, 6),
        "matmul",
        4 * 16 * 8 * 6,
        192,
        (1, 4, 16, 6),
    ),
    "left": ("MatMul(w, x)", "float[1,16,64] x", (5, 16), "matmul", 5 * 16 * 64, 80, (1, 5, 64)),
    "dot": ("MatMul(x, w)", "float[3,8] x", (8,), "matmul", 24, 8, (3,)),
}


@pytest.mark.parametrize(
    ("node", "inputs", "weights", "type_", "macs", "parameters", "shape"),
    PRODUCTS.values(),
    ids=PRODUCTS.keys(),
)
def test_matmul(tmp_path, node, inputs, weights, type_, macs, parameters, shape):
    op, graph = only(tmp_path, f"y = {node}", {"w": weights}, inputs=inputs)
    assert (op.type, op.macs, op.weights, graph.output_shape(op)) == (type_, macs, parameters, shape)


def test_matmul_of_two_activations(tmp_path):
    op, _ = only(tmp_path, "y = MatMul(x, z)", inputs="float[1,4,16,8] x, float[1,4,8,20] z")
    assert (op.type, op.inputs, op.macs, op.weights) == ("matmul", ("x", "z"), 4 * 16 * 8 * 20, 0)


def test_einsum(tmp_path):
    body = 'y = Einsum<equation = "bhqd, bhkd -> bhqk">(x, z)'
    op, _ = only(tmp_path, body, inputs="float[1,4,16,8] x, float[1,4,20,8] z")
    assert (op.type, op.macs) == ("matmul", 4 * 16 * 20 * 8)
    assert op.get("equation") == "bhqd,bhkd->bhqk"


def test_einsum_with_weights(tmp_path):
    op, _ = only(
        tmp_path, 'y = Einsum<equation = "btd,df->btf">(x, w)', {"w": (8, 32)}, inputs="float[1,16,8] x"
    )
    assert (op.weights, op.macs, op.inputs) == (256, 16 * 8 * 32, ("x",))


@pytest.mark.parametrize("equation", ["ab->ba", "...ab,...bc->...ac"])
def test_other_einsums_are_refused(tmp_path, equation):
    operands = "x" if equation == "ab->ba" else "x, x"
    with pytest.raises(ModelError, match="only products of two factors"):
        load(tmp_path, f'y = Einsum<equation = "{equation}">({operands})', inputs="float[4,4] x")


def test_attention(tmp_path):
    """A transformer block: 4 heads of 8 features over 16 tokens."""
    body = """
        n = LayerNormalization(x, g, b)
        q0 = MatMul(n, wq) q1 = Reshape(q0, heads) q = Transpose<perm = [0, 2, 1, 3]>(q1)
        k0 = MatMul(n, wk) k1 = Reshape(k0, heads) k = Transpose<perm = [0, 2, 3, 1]>(k1)
        v0 = MatMul(n, wv) v1 = Reshape(v0, heads) v = Transpose<perm = [0, 2, 1, 3]>(v1)
        s0 = MatMul(q, k) s1 = Div(s0, root) s = Softmax(s1)
        o0 = MatMul(s, v) o1 = Transpose<perm = [0, 2, 1, 3]>(o0) o2 = Reshape(o1, flat)
        o = MatMul(o2, wo) y = Add(x, o)"""
    weights = {"g": (32,), "b": (32,)} | {f"w{name}": (32, 32) for name in "qkvo"}
    constants = "int64[4] heads = {1, 16, 4, 8}, int64[3] flat = {1, 16, 32}, float root = {2.8}"
    graph = load(tmp_path, body, weights, inputs="float[1,16,32] x", constants=constants)
    assert graph.macs == 4 * 16 * 32 * 32 + 2 * 4 * 16 * 16 * 8
    assert graph.parameters == 4 * 1024 + 64
    assert graph["n"].ops == 6 * 16 * 32
    assert graph["s"].ops == 5 * 4 * 16 * 16
    assert graph["s"].get("axis") == 3
    assert graph["s1"].attributes == {"function": "div", "constant": "scalar"}
    assert graph["k"].get("axes") == (0, 2, 3, 1)
    assert graph["y"].inputs == ("x", "o")


# --- pooling, reduction, normalisation --------------------------------------------------------------------


@pytest.mark.parametrize(("op_type", "type_"), [("MaxPool", "max_pool"), ("AveragePool", "avg_pool")])
def test_pooling(tmp_path, op_type, type_):
    body = f"y = {op_type}<kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1]>(x)"
    op, graph = only(tmp_path, body, inputs=IMAGE)
    assert (op.type, graph.output_shape(op), op.ops, op.macs) == (type_, (1, 8, 3, 3), 72 * 9, 0)
    assert op.attributes == {"kernel": (3, 3), "stride": (2, 2), "padding": (0, 0, 1, 1)}


def test_ceiling_pools_count_the_last_window(tmp_path):
    op, graph = only(
        tmp_path, "y = MaxPool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1>(x)", inputs=IMAGE
    )
    assert graph.output_shape(op) == (1, 8, 3, 3)


def test_dilated_pools_say_so(tmp_path):
    op, _ = only(tmp_path, "y = MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>(x)", inputs=IMAGE)
    assert op.get("dilation") == (2, 2)


def test_pools_of_one_dimension(tmp_path):
    op, _ = only(tmp_path, "y = AveragePool<kernel_shape = [4], strides = [4]>(x)", inputs="float[1,8,16] x")
    assert (op.get("kernel"), op.get("stride"), op.ops) == ((1, 4), (1, 4), 8 * 4 * 4)


@pytest.mark.parametrize(
    ("op_type", "function"), [("GlobalAveragePool", "mean"), ("GlobalMaxPool", "max"), ("GlobalLpPool", "l2")]
)
def test_global_pools_reduce(tmp_path, op_type, function):
    op, graph = only(tmp_path, f"y = {op_type}(x)", inputs=IMAGE)
    assert op.attributes == {"function": function, "axes": (2, 3), "keepdims": True}
    assert (op.type, graph.output_shape(op), op.ops) == ("reduce", (1, 8, 1, 1), 288)


@pytest.mark.parametrize(("op_type", "function"), REDUCTIONS.items())
def test_reductions(tmp_path, op_type, function):
    op, graph = only(
        tmp_path, f"y = {op_type}<keepdims = 0>(x, a)", constants="int64[2] a = {-1, 1}", opset=18
    )
    assert op.attributes == {"function": function, "axes": (1, 3), "keepdims": False}
    assert graph.output_shape(op) == (1, 8)


def test_reductions_over_axes_in_an_attribute(tmp_path):
    op, _ = only(tmp_path, "y = ReduceMean<axes = [2, 3]>(x)", opset=11)
    assert op.attributes == {"function": "mean", "axes": (2, 3), "keepdims": True}


def test_reductions_without_axes_take_all(tmp_path):
    op, graph = only(tmp_path, "y = ReduceMax(x)")
    assert op.get("axes") == (0, 1, 2, 3)
    assert graph.output_shape(op) == (1, 1, 1, 1)


def test_reductions_over_no_axes_go(tmp_path):
    graph = load(tmp_path, "a = ReduceSum<noop_with_empty_axes = 1>(x) y = Relu(a)")
    assert [op.name for op in graph] == ["y"]


@pytest.mark.parametrize(("op_type", "function"), [("ArgMax", "argmax"), ("ArgMin", "argmin")])
def test_positions_of_extremes_are_reductions(tmp_path, op_type, function):
    op, _ = only(tmp_path, f"y = {op_type}<axis = -1, keepdims = 0>(x)")
    assert op.attributes == {"function": function, "axes": (3,), "keepdims": False}


def test_top_k_is_one_pass(tmp_path):
    op, graph = only(
        tmp_path,
        "y, i = TopK(x, k)",
        inputs="float[1,100] x",
        constants="int64[1] k = {5}",
        outputs="float y, int64 i",
    )
    assert (op.type, op.ops, op.outputs) == ("reduce", 100, ("y", "i"))
    assert graph.tensors["i"].shape == (1, 5)


NORMS = {
    "batch": ("BatchNormalization(x, s, s, s, s)", {"s": (8,)}, "batch_norm", {}, 16, 2),
    "instance": ("InstanceNormalization(x, s, s)", {"s": (8,)}, "instance_norm", {}, 16, 6),
    "layer": ("LayerNormalization<axis = -1>(x, s, s)", {"s": (6,)}, "layer_norm", {"axis": 3}, 12, 6),
    "layer without shift": (
        "LayerNormalization<axis = 2>(x, s)",
        {"s": (6, 6)},
        "layer_norm",
        {"axis": 2},
        36,
        6,
    ),
    "mean and variance": ("MeanVarianceNormalization(x)", {}, "instance_norm", {}, 0, 6),
    "lp": ("LpNormalization<axis = 1>(x)", {}, "layer_norm", {"axis": 1}, 0, 6),
    "local response": ("LRN<size = 5>(x)", {}, "lrn", {}, 0, 8),
}


@pytest.mark.parametrize(
    ("node", "weights", "type_", "attributes", "parameters", "ops"), NORMS.values(), ids=NORMS.keys()
)
def test_normalisations(tmp_path, node, weights, type_, attributes, parameters, ops):
    op, _ = only(tmp_path, f"y = {node}", weights, inputs=IMAGE)
    assert (op.type, dict(op.attributes), op.weights) == (type_, attributes, parameters)
    assert op.ops == ops * 288


def test_group_normalisation(tmp_path):
    op, graph = only(
        tmp_path, "y = GroupNormalization<num_groups = 2>(x, s, s)", {"s": (8,)}, inputs=IMAGE, opset=21
    )
    assert (op.type, op.get("groups"), op.weights) == ("group_norm", 2, 16)
    assert graph.output_shape(op) == (1, 8, 6, 6)


@pytest.mark.parametrize(
    ("node", "opset", "axis"),
    [("Softmax(x)", 17, 3), ("Softmax(x)", 11, 1), ("LogSoftmax<axis = 1>(x)", 17, 1)],
)
def test_softmax(tmp_path, node, opset, axis):
    op, _ = only(tmp_path, f"y = {node}", opset=opset)
    assert (op.type, op.get("axis"), op.ops) == ("softmax", axis, 5 * 192)


# --- element-wise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("op_type", "function"), ACTIVATIONS.items())
def test_activations(tmp_path, op_type, function):
    opset = 24 if op_type == "Swish" else 22
    kind = "bool" if op_type == "Not" else "float"
    op, graph = only(tmp_path, f"y = {op_type}(x)", inputs=f"{kind}[1,3,8,8] x", opset=opset)
    assert (op.type, op.attributes, op.ops) == ("activation", {"function": function}, 192)
    assert graph.output_shape(op) == (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("node", "opset", "function"),
    [
        ("Clip(x, zero, six)", 17, "relu6"),
        ("Clip(x, zero)", 17, "relu"),
        ("Clip(x, one, six)", 17, "clip"),
        ("Clip(x, , six)", 17, "clip"),
        ("Clip(x)", 17, "clip"),
        ("Clip<min = 0.0, max = 6.0>(x)", 6, "relu6"),
        ("Clip<min = 0.0, max = 3.4028234663852886e38>(x)", 6, "relu"),
        ("Clip<min = -1.0, max = 1.0>(x)", 6, "clip"),
    ],
)
def test_clips(tmp_path, node, opset, function):
    op, _ = only(
        tmp_path, f"y = {node}", opset=opset, constants="float zero = {0}, float one = {1}, float six = {6}"
    )
    assert (op.type, op.get("function"), op.weights) == ("activation", function, 0)


def test_clips_between_activations_are_no_relu6(tmp_path):
    graph = load(
        tmp_path, "y = Clip(x, zero, top)", constants="float zero = {0}", inputs="float[4] x, float top"
    )
    assert graph["y"].get("function") == "clip"


def test_prelu(tmp_path):
    op, _ = only(tmp_path, "y = PRelu(x, s)", {"s": (3, 1, 1)})
    assert (op.type, op.get("function"), op.weights) == ("activation", "prelu", 3)


def test_prelu_with_slopes_from_the_network(tmp_path):
    op, _ = only(tmp_path, "y = PRelu(x, s)", inputs="float[1,3,8,8] x, float[3,1,1] s")
    assert (op.type, op.inputs) == ("eltwise", ("x", "s"))


BOOLEAN = {"And", "Or", "Xor"}


@pytest.mark.parametrize("op_type", sorted(ARITHMETIC.keys() - {"Where"}))
def test_arithmetic(tmp_path, op_type):
    kind = "bool" if op_type in BOOLEAN else "int64" if op_type == "Mod" else "float"
    op, _ = only(tmp_path, f"y = {op_type}(x, z)", inputs=f"{kind}[1,3,8,8] x, {kind}[3,1,1] z")
    assert (op.type, op.inputs, op.ops) == ("eltwise", ("x", "z"), 192)
    assert op.attributes == {"function": ARITHMETIC[op_type]}


def test_where(tmp_path):
    op, _ = only(tmp_path, "y = Where(c, x, m)", {"m": (1,)}, inputs="bool[4,4] c, float[4,4] x")
    assert (op.attributes, op.inputs, op.weights) == ({"function": "where"}, ("c", "x"), 0)


def test_sums_of_three(tmp_path):
    op, _ = only(tmp_path, "y = Sum(x, z, x)", inputs="float[4] x, float[4] z")
    assert (op.get("function"), op.inputs, op.ops) == ("add", ("x", "z", "x"), 8)


CONSTANTS = {
    "channel": ((8, 1, 1), "channel", 1, 1, 8),
    "batched channel": ((1, 8, 1, 1), "channel", 1, 1, 8),
    "row": ((6,), "channel", 3, 1, 6),
    "column": ((6, 1), "channel", 2, 1, 6),
    "number": ((), "scalar", None, None, 0),
    "one": ((1, 1), "scalar", None, None, 0),
    "plane": ((6, 6), "tensor", None, 2, 36),
    "full": ((1, 8, 6, 6), "tensor", None, 4, 288),
}


@pytest.mark.parametrize(
    ("shape", "constant", "axis", "rank", "weights"), CONSTANTS.values(), ids=CONSTANTS.keys()
)
def test_constant_operands(tmp_path, shape, constant, axis, rank, weights):
    op, _ = only(tmp_path, "y = Mul(x, c)", {"c": shape}, inputs=IMAGE)
    assert (op.inputs, op.get("constant"), op.get("axis")) == (("x",), constant, axis)
    assert (op.get("constant_rank"), op.weights, op.ops) == (rank, weights, 288)


def test_constants_that_widen_the_result_are_tensors(tmp_path):
    op, graph = only(tmp_path, "y = Add(x, c)", {"c": (8, 1)}, inputs="float[1,1,6] x")
    assert (op.get("constant"), op.get("axis"), graph.output_shape(op)) == ("tensor", None, (1, 8, 6))


@pytest.mark.parametrize(
    ("node", "reversed_"),
    [("Sub(c, x)", True), ("Sub(x, c)", None), ("Add(c, x)", None), ("Div(c, x)", True)],
)
def test_constants_on_the_left_of_one_sided_functions(tmp_path, node, reversed_):
    op, _ = only(tmp_path, f"y = {node}", {"c": (3, 1, 1)})
    assert op.get("reversed") is reversed_


# --- movement ---------------------------------------------------------------------------------------------

MOVES = {
    "Reshape": ("Reshape(x, a)", "int64[2] a = {1, -1}", "reshape", {}, (1, 288)),
    "Flatten": ("Flatten<axis = 2>(x)", "", "reshape", {}, (8, 36)),
    "Unsqueeze": ("Unsqueeze(x, a)", "int64[1] a = {0}", "reshape", {}, (1, 1, 8, 6, 6)),
    "Squeeze": ("Squeeze(x, a)", "int64[1] a = {0}", "squeeze", {}, (8, 6, 6)),
    "Transpose": ("Transpose<perm = [0, 2, 3, 1]>(x)", "", "transpose", {"axes": (0, 2, 3, 1)}, (1, 6, 6, 8)),
    "reversing": ("Transpose(x)", "", "transpose", {"axes": (3, 2, 1, 0)}, (6, 6, 8, 1)),
    "Slice": (
        "Slice(x, a, b, c)", "int64[1] a = {2}, int64[1] b = {5}, int64[1] c = {3}", "slice",
        {"axis": 3}, (1, 8, 6, 3),
    ),
    "Gather": ("Gather<axis = 1>(x, a)", "int64[2] a = {3, 1}", "gather", {"axis": 1}, (1, 2, 6, 6)),
    "one place": ("Gather<axis = 1>(x, a)", "int64 a = {3}", "slice", {"axis": 1}, (1, 6, 6)),
    "border": (
        "Pad(x, a)", "int64[8] a = {0, 0, 1, 2, 0, 0, 3, 4}", "pad",
        {"mode": "constant", "padding": (1, 2, 3, 4)}, (1, 8, 10, 12),
    ),
    "channels": (
        'Pad<mode = "edge">(x, a)', "int64[8] a = {0, 1, 0, 0, 0, 0, 0, 0}", "pad",
        {"mode": "edge"}, (1, 9, 6, 6),
    ),
    "Resize": ("Resize(x, , a)", "float[4] a = {1, 1, 2, 2}", "resize", {"mode": "nearest"}, (1, 8, 12, 12)),
    "sized": (
        'Resize<mode = "linear">(x, , , a)', "int64[4] a = {1, 8, 9, 9}", "resize",
        {"mode": "bilinear"}, (1, 8, 9, 9),
    ),
    "depth": ("DepthToSpace<blocksize = 2>(x)", "", "depth_to_space", {"block": 2}, (1, 2, 12, 12)),
    "space": ("SpaceToDepth<blocksize = 3>(x)", "", "space_to_depth", {"block": 3}, (1, 72, 2, 2)),
    "Expand": (
        "Expand(x, a)", "int64[4] a = {2, 1, 1, 1}", "concat", {"axis": 0, "function": "tile"}, (2, 8, 6, 6),
    ),
    "Tile": (
        "Tile(x, a)", "int64[4] a = {1, 1, 2, 1}", "concat", {"axis": 2, "function": "tile"}, (1, 8, 12, 6),
    ),
    "Cast": ("Cast<to = 10>(x)", "", "cast", {}, (1, 8, 6, 6)),
    "quantise": ("QuantizeLinear(x, a)", "float a = {0.1}", "cast", {}, (1, 8, 6, 6)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("node", "constants", "type_", "attributes", "shape"), MOVES.values(), ids=MOVES.keys()
)
def test_movement(tmp_path, node, constants, type_, attributes, shape):
    op, graph = only(tmp_path, f"y = {node}", constants=constants, inputs=IMAGE)
    assert (op.type, dict(op.attributes), graph.output_shape(op)) == (type_, attributes, shape)
    assert (op.inputs, op.weights, op.macs) == (("x",), 0, 0)


def test_upsample_of_old_operator_sets(tmp_path):
    body = 'y = Upsample<mode = "linear">(x, s)'
    op, graph = only(tmp_path, body, constants="float[4] s = {1, 1, 2, 3}", opset=9)
    assert (op.type, op.get("mode"), graph.output_shape(op)) == ("resize", "bilinear", (1, 3, 16, 24))


def test_pad_and_slice_of_old_operator_sets(tmp_path):
    body = "p = Pad<pads = [0, 0, 1, 1, 0, 0, 1, 1]>(x) y = Slice<axes = [1], starts = [0], ends = [2]>(p)"
    graph = load(tmp_path, body, opset=9)
    assert graph["p"].get("padding") == (1, 1, 1, 1)
    assert graph.tensors["y"].shape == (1, 2, 10, 10)


def test_concat(tmp_path):
    op, graph = only(tmp_path, "y = Concat<axis = -3>(x, z)", inputs="float[1,3,8,8] x, float[1,5,8,8] z")
    assert (op.type, op.inputs, op.get("axis")) == ("concat", ("x", "z"), 1)
    assert graph.output_shape(op) == (1, 8, 8, 8)


def test_concat_with_a_class_token(tmp_path):
    op, graph = only(tmp_path, "y = Concat<axis = 1>(t, x)", {"t": (1, 1, 32)}, inputs="float[1,196,32] x")
    assert (op.inputs, op.weights, graph.output_shape(op)) == (("x",), 32, (1, 197, 32))


def test_split(tmp_path):
    body = "a, b = Split<axis = 1>(x, s)"
    op, graph = only(
        tmp_path, body, inputs=IMAGE, outputs="float a, float b", constants="int64[2] s = {3, 5}"
    )
    assert (op.type, op.outputs, op.get("axis")) == ("split", ("a", "b"), 1)
    assert [graph.tensors[t].shape[1] for t in op.outputs] == [3, 5]


def test_a_split_into_one_part_goes(tmp_path):
    graph = load(tmp_path, "a = Split<axis = 1>(x, s) y = Relu(a)", constants="int64[1] s = {3}")
    assert [op.name for op in graph] == ["y"]


def test_expanding_to_the_same_shape_goes(tmp_path):
    graph = load(tmp_path, "a = Expand(x, s) y = Relu(a)", constants="int64[1] s = {1}")
    assert [op.name for op in graph] == ["y"]


def test_embedding(tmp_path):
    op, graph = only(tmp_path, "y = Gather(table, ids)", {"table": (1000, 32)}, inputs="int64[1,16] ids")
    assert (op.type, op.inputs, op.weights) == ("gather", ("ids",), 32_000)
    assert graph.output_shape(op) == (1, 16, 32)


@pytest.mark.parametrize("op_type", ["GatherElements", "GatherND"])
def test_other_gathers(tmp_path, op_type):
    op, _ = only(tmp_path, f"y = {op_type}(x, i)", inputs="float[4,4] x, int64[2,2] i")
    assert (op.type, op.inputs) == ("gather", ("x", "i"))


def test_softmax_outside_the_dimensions_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"node 'y' \(Softmax\)"):
        load(tmp_path, "y = Softmax<axis = 4>(x)")


def test_the_side_of_a_constant_factor_is_told(tmp_path):
    left, _ = only(tmp_path, "y = MatMul(w, x)", {"w": (5, 16)}, inputs="float[1,16,64] x")
    right, _ = only(tmp_path, "y = MatMul(x, w)", {"w": (64, 5)}, inputs="float[1,16,64] x")
    assert (dict(left.attributes), dict(right.attributes)) == ({"constant_left": True}, {})


@pytest.mark.parametrize(
    ("mode", "shown"), [("cubic", "cubic"), ("linear", "bilinear"), ("nearest", "nearest")]
)
def test_modes_of_resizing(tmp_path, mode, shown):
    op, _ = only(tmp_path, f'y = Resize<mode = "{mode}">(x, , a)', constants="float[4] a = {1, 1, 2, 2}")
    assert op.get("mode") == shown


@pytest.mark.parametrize(
    ("pads", "padding"),
    [
        ("0, 0, 1, 2, 0, 0, 3, 4", (1, 2, 3, 4)),
        ("0, 0, 0, 0, 0, 0, 0, 0", (0, 0, 0, 0)),
        ("1, 0, 1, 1, 0, 0, 1, 1", None),
        ("0, 0, 1, 1, 1, 0, 1, 1", None),
        ("0, 0, 1, 1, 0, 1, 1, 1", None),
    ],
)
def test_padding_is_told_where_it_is_only_spatial(tmp_path, pads, padding):
    op, _ = only(tmp_path, "y = Pad(x, a)", constants=f"int64[8] a = {{{pads}}}")
    assert op.get("padding") == padding


def test_slices_name_the_first_axis_that_they_shorten(tmp_path):
    constants = "int64[2] a = {0, 1}, int64[2] b = {3, 5}, int64[2] c = {1, 2}"
    op, _ = only(tmp_path, "y = Slice(x, a, b, c)", constants=constants)
    assert op.get("axis") == 2
    constants = "int64[1] a = {0}, int64[1] b = {8}, int64[1] c = {2}"
    op, _ = only(tmp_path, "y = Slice(x, a, b, c)", constants=constants)
    assert op.get("axis") is None


def test_expanding_by_new_axes_counts_from_the_front(tmp_path):
    op, graph = only(tmp_path, "y = Expand(x, s)", constants="int64[3] s = {5, 2, 3}", inputs="float[3] x")
    assert (op.get("axis"), graph.output_shape(op)) == (0, (5, 2, 3))


def test_an_einsum_whose_letters_do_not_fit(tmp_path):
    with pytest.raises(ModelError, match=r"node 'y' \(Einsum\)"):
        load(tmp_path, 'y = Einsum<equation = "abc,cd->abd">(x, z)', inputs="float[4,4] x, float[4,4] z")


def test_every_unsupported_operator_is_counted_and_told_in_order(tmp_path):
    body = "a = Sinh(x) b = Cosh(a) c = Cosh(b) d = Cosh(c) e = Cosh(d) y = Relu(e)"
    with pytest.raises(ModelError) as caught:
        load(tmp_path, body)
    tail = "2 unsupported operators: Cosh x4 ('b', 'c', 'd' and 1 more, nearest supported: Cos)"
    assert tail in str(caught.value)
    assert str(caught.value).endswith("; Sinh x1 ('a', nearest supported: Sin)")


def test_nodes_of_one_name_are_numbered(tmp_path):
    proto = model("a = Relu(x) b = Tanh(a) y = Exp(b)")
    for node in proto.graph.node:
        node.name = "same"
    graph = load_onnx(save(proto, tmp_path))
    assert [op.name for op in graph] == ["same", "same#2", "same#3"]
