"""Bad ONNX files: one clear sentence each, whatever is wrong."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import missing_weight, model, node_model, save

from socsim.errors import ModelError, SocsimError
from socsim.workloads.onnx import load_onnx

CHAIN = "a = Conv(x, w) b = Relu(a) y = MaxPool<kernel_shape = [2, 2]>(b)"


def chain() -> bytes:
    return model(CHAIN, {"w": (4, 3, 3, 3)}).SerializeToString()


def refuse(path: Path, match: str) -> str:
    """Importing `path` fails with one sentence that starts with the path and matches."""
    with pytest.raises(ModelError, match=match) as caught:
        load_onnx(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return message


# --- files ------------------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    refuse(tmp_path / "none.onnx", "no such file")


def test_folder(tmp_path):
    refuse(tmp_path, "cannot be read: Is a directory")


CONTENTS = {
    "empty": (b"", "the file is empty"),
    "text": (b"name: mobilenet\nlayers: [1, 2, 3]\n", "not an ONNX model"),
    "zip": (b"PK\x03\x04" + bytes(200), "not an ONNX model"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not an ONNX model"),
    "only a version": (b"\x08\x08", "it holds no graph"),
    "half": (chain()[: len(chain()) // 2], "cut short"),
    "all but the last byte": (chain()[:-1], "cut short"),
}


@pytest.mark.parametrize(("content", "match"), CONTENTS.values(), ids=CONTENTS.keys())
def test_files_that_are_no_models(tmp_path, content, match):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    refuse(path, match)


def test_no_length_of_a_cut_file_imports_or_fails_oddly(tmp_path):
    path, whole = tmp_path / "cut.onnx", chain()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        refuse(path, "not an ONNX model|empty|cut short")


def test_missing_operator_set(tmp_path):
    proto = model(CHAIN, {"w": (4, 3, 3, 3)})
    del proto.opset_import[:]
    refuse(save(proto, tmp_path), "names no version of the ai.onnx operator set")


def test_operator_set_of_the_future(tmp_path):
    refuse(save(model("y = Relu(x)", opset=999), tmp_path), "operator set 999 is unknown; onnx .* knows 1 to")


def test_names_that_are_not_text(tmp_path):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(model("y = Relu(x)").SerializeToString().replace(b"Relu", b"Re\xfeu"))
    refuse(path, "names that are not UTF-8 text")


def test_broken_local_function(tmp_path):
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[1,4] x) => (float[1,4] y) { y = local.f(x) }
        <domain: "local", opset_import: ["": 17]> f (a) => (c) { c = local.f(a) }"""
    refuse(save(onnx.parser.parse_model(text), tmp_path), "local functions cannot be inlined")


# --- graphs -----------------------------------------------------------------------------------------------


def test_empty_graph(tmp_path):
    refuse(save(model(""), tmp_path), "the graph is empty: it has no nodes")


def test_no_outputs(tmp_path):
    proto = model("y = Relu(x)")
    del proto.graph.output[:]
    refuse(save(proto, tmp_path), "the graph has no outputs")


def test_unproduced_output(tmp_path):
    refuse(save(model("y = Relu(x)", outputs="float z"), tmp_path), "nothing produces output 'z'")


def test_unproduced_tensor(tmp_path):
    refuse(
        save(model("y = Add(x, z)"), tmp_path), r"node 'y' \(Add\): reads tensor 'z', which nothing produces"
    )


def test_two_producers(tmp_path):
    proto = model("y = Relu(x) z = Tanh(x)")
    proto.graph.node[1].output[0] = "y"
    refuse(save(proto, tmp_path), r"\(Tanh\): produces tensor 'y', as 'y' does")


def test_cycle(tmp_path):
    refuse(
        save(model("a = Relu(c) b = Add(a, x) c = Tanh(b) y = Relu(c)"), tmp_path), "cycle: a -> b -> c -> a"
    )


def test_all_constant(tmp_path):
    refuse(save(model("y = Shape(x)"), tmp_path), "no operators are left after folding constants")


def test_only_passing_on(tmp_path):
    refuse(save(model("y = Identity(x)"), tmp_path), "no operators are left")


def test_control_flow(tmp_path):
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"])], "b", [], [onnx.ValueInfoProto(name="r")]
    )
    proto = node_model("If", ["x"], then_branch=branch, else_branch=branch)
    message = refuse(save(proto, tmp_path), "operators with subgraphs cannot be simulated: If")
    assert "('n'); export a graph without control flow" in message


def test_broken_schema(tmp_path):
    refuse(
        save(node_model("Conv", ["x"]), tmp_path),
        r"node 'n' \(Conv\): breaks the operator's schema: .* input",
    )


def test_operator_newer_than_its_set(tmp_path):
    refuse(
        save(node_model("Gelu", ["x"], opset=17), tmp_path),
        r"node 'n' \(Gelu\): breaks the operator's schema",
    )


def test_input_without_shape(tmp_path):
    proto = model("y = Relu(x)")
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    refuse(save(proto, tmp_path), "input 'x' must be a tensor with a known number of dimensions")


def test_input_that_is_a_sequence(tmp_path):
    proto = model("y = Relu(x)")
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    proto.graph.input.append(sequence)
    refuse(save(proto, tmp_path), "input 's' must be a tensor")


@pytest.mark.parametrize("size", [0, -1])
def test_empty_input(tmp_path, size):
    proto = model("y = Relu(x)")
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size
    refuse(save(proto, tmp_path), f"input 'x': every size must be positive, got {size}x3x8x8")


def test_an_input_of_size_minus_one_can_be_pinned(tmp_path):
    proto = model("y = Relu(x)")
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    graph = load_onnx(save(proto, tmp_path), shapes={"x": (2, 3, 8, 8)})
    assert graph.tensors["y"].shape == (2, 3, 8, 8)


def test_negative_weight(tmp_path):
    proto = model("y = Conv(x, w)")
    proto.graph.initializer.append(missing_weight("w", (4, -3, 3, 3)))
    refuse(save(proto, tmp_path), "weight 'w': every size must be positive")


def test_constant_without_value(tmp_path):
    proto = model("c = Constant<value_int = 1>() y = Add(x, c)")
    proto.graph.node[0].attribute[0].name = "sparse_value"
    with pytest.raises(ModelError, match=r"node 'c' \(Constant\)"):
        load_onnx(save(proto, tmp_path))


# --- operators --------------------------------------------------------------------------------------------


def test_unsupported_operators_are_all_listed(tmp_path):
    body = "a = Hardmax(x) b = Hardmax(a) c = Hardmax(b) d = Hardmax(c) e = NonZero(d) y = Cast<to = 1>(e)"
    message = refuse(save(model(body), tmp_path), "2 unsupported operators: ")
    assert "Hardmax x4 ('a', 'b', 'c' and 1 more, nearest supported: " in message
    assert "NonZero x1 ('e'" in message


def test_operators_of_other_domains_are_named_in_full(tmp_path):
    proto = node_model("LayerNormalisation", ["x"], domain="com.vendor")
    message = refuse(save(proto, tmp_path), "1 unsupported operator: com.vendor.LayerNormalisation x1")
    assert "nearest supported: LayerNormalization" in message


def test_unsupported_operators_on_constants_are_reported_where_they_matter(tmp_path):
    proto = model("s = Constant<value_ints = [1, 192]>() t = Hardmax(s) y = Reshape(x, t)")
    proto.graph.node[1].op_type, proto.graph.node[1].domain = "Blur", "com.vendor"
    proto.opset_import.add(domain="com.vendor", version=1)
    refuse(save(proto, tmp_path), "no shape for 'y'")


def test_random_numbers_are_not_constant(tmp_path):
    body = "r = RandomNormal<shape = [1, 3, 8, 8]>() y = Add(x, r)"
    refuse(save(model(body), tmp_path), "unsupported operator: RandomNormal x1 ")


# --- shapes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "y = Conv(x, w)",
        "y = MatMul(x, w)",
        "a = Flatten(x) y = Gemm(a, w)",
        "y = Add(x, w)",
        "y = Conv<strides = [0, 1]>(x, v)",
        "y = Conv<group = 0>(x, v)",
        "y = MaxPool<kernel_shape = [0, 2]>(x)",
        "y = Concat<axis = 1>(x, v, x)",
        "y = Transpose<perm = [0, 1, 1, 2]>(x)",
        "y = Reshape(x, five)",
    ],
)
def test_contradictions_name_the_node(tmp_path, body):
    proto = model(body, {"w": (5, 7, 3, 3), "v": (5, 3, 3, 3)}, constants="int64[2] five = {5, -1}")
    if "Gemm" in body:
        proto.graph.initializer[-2].dims[:] = [7, 5]
    refuse(save(proto, tmp_path), r"node 'y' \(\w+\): ")


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("y = Conv(x, w)", r"\[1, 4, 0, 0\]"),
        ("y = Slice(x, two, two)", r"\[0, 3, 8, 8\]"),
        ("a = Pad(x, p) y = Relu(a)", r"\[1, 3, -2, 8\]"),
    ],
)
def test_windows_larger_than_their_image_are_refused(tmp_path, body, shape):
    proto = model(
        body, {"w": (4, 3, 9, 9)}, constants="int64[1] two = {2}, int64[8] p = {0, 0, -9, 0, 0, 0, -1, 0}"
    )
    refuse(save(proto, tmp_path), f"would have the empty shape {shape}")


def test_unshaped_tensors_are_listed(tmp_path):
    body = "a = Reshape(x, t) b = Relu(a) c = Tanh(b) y = Sigmoid(c)"
    proto = model(body, inputs="float[1,3,8,8] x, int64[2] t")
    refuse(save(proto, tmp_path), "infers no shape for 'a', 'b', 'c', 'y'")


def test_many_unshaped_tensors_are_cut_short(tmp_path):
    nodes = " ".join(f"r{i + 1} = Relu(r{i})" for i in range(12))
    proto = model(f"r0 = Reshape(x, t) {nodes}", inputs="float[1,3,8,8] x, int64[2] t", outputs="float r12")
    refuse(save(proto, tmp_path), "'r7' and 5 more, so no cost is known")


def test_weights_of_unknown_shape(tmp_path):
    proto = model("w = Blur(c) y = PRelu(x, w)", {"c": (3, 1, 1)})
    proto.graph.node[0].domain = "com.vendor"
    proto.opset_import.add(domain="com.vendor", version=1)
    refuse(save(proto, tmp_path), "no shape for 'y'")


# --- anything at all --------------------------------------------------------------------------------------


def survives(path: Path) -> bool:
    """Whether a file imports; anything but a network or a :class:`SocsimError` escapes."""
    try:
        load_onnx(path)
    except SocsimError as error:
        assert str(error)
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_never_escape(tmp_path, seed):
    rng, whole = random.Random(seed), chain()
    path = tmp_path / "damaged.onnx"
    outcomes = set()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        outcomes.add(survives(path))
    assert False in outcomes


SIZES = (-(2**63), -7, -1, 0, 1, 2, 3, 7, 100, 2**31, 2**62)

BLOCK = """
    a = Conv<group = 1, pads = [1, 1, 0, 0], strides = [1, 1]>(x, w) n = BatchNormalization(a, s, s, s, s)
    b = Relu(n) p = MaxPool<kernel_shape = [2, 2], strides = [1, 1]>(b) h = Shape(x)
    i = Constant<value_ints = [0]>() j = Constant<value_ints = [1]>() k = Slice(h, i, j)
    m = Concat<axis = 0>(k, rest) r = Reshape(p, m)
    t = Transpose<perm = [1, 0]>(r) y = Softmax<axis = 1>(t)"""


@pytest.mark.parametrize("seed", range(4))
def test_odd_numbers_never_escape(tmp_path, seed):
    rng = random.Random(seed)
    weights = {"w": (4, 4, 3, 3), "s": (4,)}
    base = model(BLOCK, weights, inputs="float[1,4,8,8] x", constants="int64[1] rest = {-1}")
    assert survives(save(base, tmp_path))
    outcomes = set()
    for _ in range(100):
        proto = onnx.ModelProto()
        proto.CopyFrom(base)
        numbers = [a.ints for node in proto.graph.node for a in node.attribute if a.ints]
        numbers += [tensor.dims for tensor in proto.graph.initializer]
        for _ in range(rng.choice((1, 1, 2))):
            target = rng.choice(numbers)
            target[rng.randrange(len(target))] = rng.choice(SIZES)
        outcomes.add(survives(save(proto, tmp_path)))
    assert False in outcomes
