"""Layers written one by one: their shapes, weights, operations and refusals, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import ModelError, UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator


def layer(method: str, *args, shape=(1, 8, 10, 12), **options) -> tuple[ModelGraph, Operator]:
    """A network of one layer on one input, and its operator."""
    b = GraphBuilder("one")
    graph = b.build(getattr(b, method)(b.input(*shape), *args, **options))
    (op,) = graph
    return graph, op


def refused(method: str, *args, shape=(1, 8, 10, 12), **options) -> str:
    with pytest.raises(ModelError) as caught:
        layer(method, *args, shape=shape, **options)
    return str(caught.value)


# --- convolutions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "type_", "out", "weights", "macs"),
    [
        ({"channels": 16, "kernel": 1}, "conv2d", (1, 16, 10, 12), 8 * 16 + 16, 120 * 16 * 8),
        ({"channels": 16, "kernel": 3}, "conv2d", (1, 16, 10, 12), 72 * 16 + 16, 120 * 16 * 72),
        ({"channels": 16, "kernel": 3, "bias": False}, "conv2d", (1, 16, 10, 12), 72 * 16, 120 * 16 * 72),
        ({"channels": 16, "kernel": 3, "stride": 2}, "conv2d", (1, 16, 5, 6), 72 * 16 + 16, 30 * 16 * 72),
        (
            {"channels": 4, "kernel": (1, 5), "stride": (2, 1)},
            "conv2d",
            (1, 4, 5, 12),
            40 * 4 + 4,
            60 * 4 * 40,
        ),
        (
            {"channels": 4, "kernel": 3, "padding": "valid"},
            "conv2d",
            (1, 4, 8, 10),
            72 * 4 + 4,
            80 * 4 * 72,
        ),
        ({"channels": 4, "kernel": 3, "padding": 2}, "conv2d", (1, 4, 12, 14), 72 * 4 + 4, 168 * 4 * 72),
        ({"channels": 4, "kernel": 3, "padding": (0, 1)}, "conv2d", (1, 4, 8, 12), 72 * 4 + 4, 96 * 4 * 72),
        (
            {"channels": 4, "kernel": 3, "padding": (0, 1, 2, 3)},
            "conv2d",
            (1, 4, 10, 14),
            72 * 4 + 4,
            140 * 4 * 72,
        ),
        (
            {"channels": 4, "kernel": 3, "dilation": 2, "padding": "valid"},
            "conv2d",
            (1, 4, 6, 8),
            72 * 4 + 4,
            48 * 4 * 72,
        ),
        (
            {"channels": 16, "kernel": 3, "groups": 2},
            "grouped_conv2d",
            (1, 16, 10, 12),
            36 * 16 + 16,
            120 * 16 * 36,
        ),
        (
            {"channels": 8, "kernel": 3, "groups": 8},
            "depthwise_conv2d",
            (1, 8, 10, 12),
            9 * 8 + 8,
            120 * 8 * 9,
        ),
    ],
)
def test_a_convolution(options, type_, out, weights, macs) -> None:
    graph, op = layer("conv", **options)
    assert (op.type, graph.output_shape(op), op.weights, op.macs, op.ops) == (type_, out, weights, macs, 0)


def test_what_a_convolution_remembers() -> None:
    _, op = layer("conv", 4, 3, 2, activation="relu6", name="stem")
    assert op.name == "stem"
    assert op.outputs == ("stem",)
    assert op.attributes == {
        "kernel": (3, 3), "stride": (2, 2), "dilation": (1, 1), "padding": (0, 0, 1, 1), "groups": 1,
        "activation": "relu6",
    }  # fmt: skip


def test_no_activation_is_no_attribute() -> None:
    assert "activation" not in layer("conv", 4)[1].attributes


@pytest.mark.parametrize(("channels", "groups"), [(16, 3), (3, 2), (9, 8)])
def test_groups_divide_channels(channels: int, groups: int) -> None:
    message = f"network 'one': 8 -> {channels} channels do not divide into {groups} groups"
    assert refused("conv", channels, 3, groups=groups) == message


@pytest.mark.parametrize("method", ["conv", "deconv"])
def test_convolutions_need_images(method: str) -> None:
    message = "network 'one': 'input' must be an NCHW image, got shape [1, 8, 10]"
    assert refused(method, 4, shape=(1, 8, 10)) == message


def test_a_window_larger_than_its_image() -> None:
    message = "a window of 7 (dilation 2) does not fit into 10 + 0 elements"
    assert refused("conv", 4, 7, dilation=2, padding="valid") == message


def test_an_unknown_padding() -> None:
    assert refused("conv", 4, 3, padding="full") == "padding must be 'same', 'valid' or numbers, got 'full'"


def test_depthwise_with_a_multiplier() -> None:
    graph, op = layer("depthwise", 5, 2, multiplier=2, bias=False)
    assert op.type == "depthwise_conv2d"
    assert graph.output_shape(op) == (1, 16, 5, 6)
    assert (op.weights, op.macs, op.get("groups")) == (16 * 25, 30 * 16 * 25, 8)


@pytest.mark.parametrize(
    ("options", "out", "weights", "macs"),
    [
        ({"channels": 4}, (1, 4, 20, 24), 8 * 4 * 4 + 4, 960 * 4 * 4),
        ({"channels": 4, "bias": False}, (1, 4, 20, 24), 8 * 4 * 4, 960 * 4 * 4),
        ({"channels": 4, "kernel": 4, "stride": 2}, (1, 4, 20, 24), 8 * 4 * 16 + 4, 960 * 4 * 16),
        ({"channels": 4, "kernel": (3, 2), "stride": (1, 3)}, (1, 4, 10, 36), 8 * 4 * 6 + 4, 960 * 4 * 6),
        ({"channels": 8, "groups": 8}, (1, 8, 20, 24), 8 * 4 + 8, 960 * 4),
    ],
)
def test_a_transposed_convolution(options, out, weights, macs) -> None:
    """Every input element meets every filter element once."""
    graph, op = layer("deconv", **options)
    assert (op.type, graph.output_shape(op), op.weights, op.macs) == ("deconv2d", out, weights, macs)


# --- products -------------------------------------------------------------------------------------------------


def test_dense_flattens() -> None:
    graph, op = layer("dense", 10, shape=(2, 3, 4, 5), activation="relu")
    assert (op.type, graph.output_shape(op)) == ("fully_connected", (2, 10))
    assert (op.weights, op.macs, op.get("activation")) == (610, 2 * 600, "relu")
    assert layer("dense", 10, shape=(2, 60), bias=False)[1].weights == 600


def test_linear_keeps_its_tokens() -> None:
    graph, op = layer("linear", 6, shape=(1, 5, 4))
    assert (op.type, graph.output_shape(op), op.weights, op.macs) == ("matmul", (1, 5, 6), 30, 120)
    assert layer("linear", 6, shape=(1, 5, 4), bias=False)[1].weights == 24


def product(left: tuple[int, ...], right: tuple[int, ...], **options) -> tuple[ModelGraph, Operator]:
    b = GraphBuilder("one")
    graph = b.build(b.matmul(b.input(*left, name="l"), b.input(*right, name="r"), **options))
    return graph, next(iter(graph))


def test_products_of_activations() -> None:
    graph, op = product((2, 3, 4), (2, 4, 5))
    assert (graph.output_shape(op), op.macs, op.weights, dict(op.attributes)) == ((2, 3, 5), 120, 0, {})
    graph, op = product((2, 3, 4), (2, 5, 4), transpose_b=True)
    assert (graph.output_shape(op), op.macs, op.get("transpose_b")) == ((2, 3, 5), 120, True)


@pytest.mark.parametrize(("right", "transpose"), [((2, 5, 4), False), ((2, 4, 5), True)])
def test_products_that_do_not_fit(right: tuple[int, ...], transpose: bool) -> None:
    with pytest.raises(ModelError) as caught:
        product((2, 3, 4), right, transpose_b=transpose)
    assert str(caught.value) == f"network 'one': cannot multiply [2, 3, 4] by {list(right)}"


# --- pooling --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
@pytest.mark.parametrize(
    ("options", "out", "window"),
    [
        ({}, (1, 8, 5, 6), 4),
        ({"kernel": 3}, (1, 8, 4, 5), 9),
        ({"kernel": 3, "ceil": True}, (1, 8, 5, 6), 9),
        ({"kernel": 3, "stride": 1, "padding": 1}, (1, 8, 10, 12), 9),
        ({"kernel": (10, 12), "stride": 1}, (1, 8, 1, 1), 120),
    ],
)
def test_pooling(kind: str, options, out, window: int) -> None:
    """Rows: (10 - 3) / 2 rounded down is 3, up is 4, and one more."""
    graph, op = layer(kind, **options)
    outputs = out[1] * out[2] * out[3]
    expected = (kind, out, 0, 0, outputs * window)
    assert (op.type, graph.output_shape(op), op.weights, op.macs, op.ops) == expected


def test_pooling_everything() -> None:
    graph, op = layer("avg_pool_all", name="all")
    assert (op.type, op.get("kernel"), op.get("stride")) == ("avg_pool", (10, 12), (1, 1))
    assert (graph.output_shape(op), op.ops, op.name) == ((1, 8, 1, 1), 960, "all")


def test_global_pooling() -> None:
    graph, op = layer("global_avg_pool")
    assert (op.type, graph.output_shape(op), op.ops) == ("reduce", (1, 8, 1, 1), 960)
    assert dict(op.attributes) == {"function": "mean", "axes": (2, 3), "keepdims": True}
    graph, op = layer("global_avg_pool", keepdims=False, function="max")
    assert (graph.output_shape(op), op.get("function"), op.get("keepdims")) == ((1, 8), "max", False)


@pytest.mark.parametrize(
    ("method", "args"),
    [("max_pool", ()), ("avg_pool_all", ()), ("global_avg_pool", ()), ("pad", (1,)), ("resize", ())],
)
def test_layers_of_images_refuse_sequences(method: str, args) -> None:
    message = "network 'one': 'input' must be an NCHW image, got shape [1, 5, 4]"
    assert refused(method, *args, shape=(1, 5, 4)) == message


# --- element-wise and normalisations --------------------------------------------------------------------------


def test_an_activation() -> None:
    graph, op = layer("activation", "hswish")
    assert (op.type, op.get("function"), op.ops) == ("activation", "hswish", 960)
    assert graph.output_shape(op) == (1, 8, 10, 12)


def test_sums_of_several() -> None:
    b = GraphBuilder("sum")
    x, y, z = (b.input(1, 4, 6, 6, name=n) for n in "xyz")
    graph = b.build(b.add_(x, y, z, activation="relu", name="s"))
    assert (graph["s"].type, graph["s"].get("function"), graph["s"].ops) == ("eltwise", "add", 2 * 144)
    assert graph["s"].get("activation") == "relu"


def test_products_broadcast() -> None:
    b = GraphBuilder("gate")
    x, g = b.input(1, 4, 6, 6, name="x"), b.input(1, 4, 1, 1, name="g")
    graph = b.build(b.mul(g, x, name="m"))
    assert graph.output_shape(graph["m"]) == (1, 4, 6, 6)
    assert (graph["m"].get("function"), graph["m"].ops) == ("mul", 144)


def test_one_operand_meets_a_constant() -> None:
    b = GraphBuilder("scale")
    graph = b.build(b.eltwise("sub", b.input(1, 8, 10, 12), name="e"))
    op = graph["e"]
    assert (graph.output_shape(op), op.ops, op.weights) == ((1, 8, 10, 12), 960, 0)


def test_shapes_that_do_not_broadcast() -> None:
    b = GraphBuilder("gate")
    x, g = b.input(1, 4, 6, 6, name="x"), b.input(1, 3, 1, 1, name="g")
    with pytest.raises(ModelError) as caught:
        b.mul(x, g)
    message = "network 'gate': shapes [(1, 4, 6, 6), (1, 3, 1, 1)] do not broadcast"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("type_", "weights", "per_output"),
    [("layer_norm", 24, 6), ("instance_norm", 16, 6), ("group_norm", 16, 6), ("lrn", 0, 8)],
)
def test_normalisations(type_: str, weights: int, per_output: int) -> None:
    """A scale and a shift: for each of 12 features or of 8 channels."""
    b = GraphBuilder("norm")
    x = b.input(1, 8, 10, 12)
    op = b.build(b.norm(type_, x, groups=4 if type_ == "group_norm" else None, name="n"))["n"]
    assert (op.type, op.weights, op.ops) == (type_, weights, 960 * per_output)
    assert op.get("groups") == (4 if type_ == "group_norm" else None)


def test_batch_normalisation() -> None:
    _, op = layer("batch_norm", activation="relu")
    assert (op.type, op.weights, op.ops, op.get("activation")) == ("batch_norm", 16, 2 * 960, "relu")


@pytest.mark.parametrize(("axis", "shown"), [(-1, 3), (1, 1), (-3, 1), (0, 0)])
def test_softmax_counts_its_axis_from_the_front(axis: int, shown: int) -> None:
    _, op = layer("softmax", axis=axis)
    assert (op.get("axis"), op.ops) == (shown, 5 * 960)


# --- data movement --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "out"), [(1, (1, 6, 4)), (-2, (1, 6, 4)), (0, (3, 3, 4)), (2, (1, 3, 8))])
def test_joining(axis: int, out: tuple[int, ...]) -> None:
    b = GraphBuilder("join")
    shapes = {0: (2, 3, 4)}.get(axis, (1, 3, 4))
    graph = b.build(b.concat(b.input(1, 3, 4, name="x"), b.input(*shapes, name="y"), axis=axis, name="c"))
    assert graph.output_shape(graph["c"]) == out
    assert (graph["c"].get("axis"), graph["c"].ops, graph["c"].macs) == (axis % 3, 0, 0)


@pytest.mark.parametrize("other", [(1, 3, 5), (1, 3), (2, 3, 4)])
def test_what_cannot_be_joined(other: tuple[int, ...]) -> None:
    b = GraphBuilder("join")
    x, y = b.input(1, 3, 4, name="x"), b.input(*other, name="y")
    with pytest.raises(ModelError) as caught:
        b.concat(x, y)
    assert str(caught.value) == f"network 'join': cannot join [(1, 3, 4), {other}] along axis 1"


def test_cutting() -> None:
    b = GraphBuilder("cut")
    x = b.input(1, 8, 4)
    assert b.split(x, 2) == ["split_1:0", "split_1:1"]
    assert b.split(x, [1, 2, 5], name="s") == ["s:0", "s:1", "s:2"]
    assert [b.shape(t) for t in ("split_1:0", "split_1:1")] == [(1, 4, 4), (1, 4, 4)]
    assert [b.shape(f"s:{i}") for i in range(3)] == [(1, 1, 4), (1, 2, 4), (1, 5, 4)]
    assert b.split(x, 4, axis=-1, name="last") == [f"last:{i}" for i in range(4)]
    assert b.shape("last:3") == (1, 8, 1)


@pytest.mark.parametrize(("parts", "sizes"), [(3, [2, 2, 2]), ([4, 5], [4, 5]), ([3, 3], [3, 3])])
def test_cuts_that_do_not_add_up(parts, sizes) -> None:
    b = GraphBuilder("cut")
    x = b.input(1, 8, 4)
    with pytest.raises(ModelError) as caught:
        b.split(x, parts)
    assert str(caught.value) == f"network 'cut': cannot cut axis 1 of [1, 8, 4] into {sizes}"


@pytest.mark.parametrize(
    ("padding", "out"),
    [
        (1, (1, 8, 12, 14)),
        ((1, 2), (1, 8, 12, 16)),
        ((1, 0, 2, 3), (1, 8, 13, 15)),
        ("valid", (1, 8, 10, 12)),
    ],
)
def test_borders(padding, out) -> None:
    graph, op = layer("pad", padding)
    assert (op.type, graph.output_shape(op), op.ops) == ("pad", out, 0)


@pytest.mark.parametrize(
    ("wanted", "out"),
    [((1, 960), (1, 960)), ((1, -1), (1, 960)), ((-1, 12), (80, 12)), ((8, 4, -1), (8, 4, 30))],
)
def test_new_shapes(wanted, out) -> None:
    graph, op = layer("reshape", *wanted)
    assert (op.type, graph.output_shape(op), op.ops, op.weights) == ("reshape", out, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [((7, 7), [7, 7]), ((7, -1), [7, 137]), ((1, 961), [1, 961]), ((2, 480, 2), [2, 480, 2])],
)
def test_new_shapes_hold_the_same_elements(wanted, shown) -> None:
    assert refused("reshape", *wanted) == f"network 'one': cannot reshape [1, 8, 10, 12] to {shown}"


def test_flat() -> None:
    graph, op = layer("flatten", shape=(3, 4, 5))
    assert (op.type, graph.output_shape(op)) == ("reshape", (3, 20))


def test_permuted() -> None:
    graph, op = layer("transpose", (0, 2, 3, 1))
    assert (op.type, graph.output_shape(op), op.get("axes")) == ("transpose", (1, 10, 12, 8), (0, 2, 3, 1))


def test_larger_images() -> None:
    graph, op = layer("resize", 3, mode="bilinear")
    assert (graph.output_shape(op), op.get("mode"), op.ops) == ((1, 8, 30, 36), "bilinear", 4 * 960 * 9)
    assert layer("resize")[1].get("mode") == "nearest"


def test_shuffled_channels() -> None:
    graph, op = layer("channel_shuffle", 4)
    assert (op.type, graph.output_shape(op), op.get("groups")) == ("channel_shuffle", (1, 8, 10, 12), 4)


def test_pixels_become_channels() -> None:
    graph, op = layer("space_to_depth")
    assert (op.type, graph.output_shape(op), op.get("block")) == ("space_to_depth", (1, 32, 5, 6), 2)


def test_a_table_is_looked_up() -> None:
    graph, op = layer("embedding", 1000, 6, shape=(1, 5))
    assert (op.type, graph.output_shape(op), op.weights, op.macs) == ("gather", (1, 5, 6), 6000, 0)


# --- the builder itself ---------------------------------------------------------------------------------------


def test_names_count_up_by_type() -> None:
    b = GraphBuilder("names")
    x = b.input(1, 8, 4, 4)
    assert [b.conv(x, 8), b.depthwise(x), b.conv(x, 8), b.conv(x, 8, name="own")] == [
        "conv2d_1",
        "depthwise_conv2d_1",
        "conv2d_2",
        "own",
    ]


def test_an_unknown_type() -> None:
    b = GraphBuilder("odd")
    with pytest.raises(ModelError, match=r"^network 'odd': unknown operator type 'conv3d'$"):
        b.add("conv3d", [b.input(1, 2)], (1, 2))


def test_two_tensors_of_one_name() -> None:
    b = GraphBuilder("twice")
    x = b.input(1, 2)
    b.activation(x, "relu", name="a")
    with pytest.raises(ModelError, match=r"^network 'twice': two tensors are named 'a'$"):
        b.activation(x, "relu", name="a")


def test_several_outputs_are_numbered() -> None:
    b = GraphBuilder("outputs")
    assert b.add("split", [b.input(1, 6)], [(1, 2), (1, 4)], name="s") == "s:0"
    assert (b.shape("s:0"), b.shape("s:1")) == ((1, 2), (1, 4))


def test_an_operator_waits_for_another_whose_data_it_does_not_read() -> None:
    """a, b and c read the input; b and c wait for a: a has one second output, however many wait."""
    b = GraphBuilder("after")
    x = b.input(1, 2, 4, 4)
    a = b.conv(x, 2, name="a")
    outputs = [b.conv(x, 2, name=name, after=a) for name in "bc"]
    graph = b.build(a, *outputs)
    assert graph["a"].outputs == ("a", "a:done")
    assert graph.tensors["a:done"].shape == (1, 1, 1, 1)
    assert graph["b"].inputs == ("input", "a:done")
    assert [o.name for o in graph.predecessors(graph["c"])] == ["a"]
    assert graph["b"].macs == 2 * 16 * 2


def test_nothing_waits_for_an_input() -> None:
    b = GraphBuilder("after")
    x = b.input(1, 2, 4, 4)
    message = "network 'after': nothing comes after 'input': nothing produces it"
    with pytest.raises(ModelError, match=message):
        b.conv(x, 2, after=x)


@pytest.mark.parametrize(
    ("size", "multiple", "nearest"), [(33, 32, 32), (50, 32, 64), (3, 32, 32), (0, 1, 1), (-32, 32, 32)]
)
def test_sides_of_images_are_multiples(size: int, multiple: int, nearest: int) -> None:
    message = (
        f"network 'm': height and width must be positive multiples of {multiple} pixels, got {size}; "
        f"the nearest is {nearest}"
    )
    for sides in ((size, 2 * multiple), (2 * multiple, size)):
        with pytest.raises(UsageError) as caught:
            GraphBuilder("m").image(*sides, multiple=multiple)
        assert str(caught.value) == message


def test_an_image() -> None:
    b = GraphBuilder("m")
    assert b.image(64, 32, multiple=32) == "input"
    assert (b.shape("input"), b.channels("input")) == ((1, 3, 64, 32), 3)
    other = GraphBuilder("m")
    other.image(1, 1, channels=1)
    assert other.channels("input") == 1


def test_a_network_of_several_inputs_and_outputs() -> None:
    b = GraphBuilder("many")
    x, y = b.input(1, 2, name="x"), b.input(1, 2, name="y")
    s, d = b.add_(x, y), b.eltwise("sub", x, y)
    graph = b.build(d, s)
    assert (graph.name, graph.inputs, graph.outputs) == ("many", ("x", "y"), ("eltwise_2", "eltwise_1"))


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(3, 40), st.integers(1, 7), st.integers(1, 3), st.data()
)
def test_same_padding_gives_the_size_over_the_stride_rounded_up(
    groups, per_group, size, kernel, stride, data
) -> None:
    channels = groups * per_group
    dilation = data.draw(st.integers(1, 2))
    graph, op = layer(
        "conv", channels, kernel, stride, groups=groups, dilation=dilation, shape=(1, channels, size, size)
    )
    side = -(-size // stride)
    assert graph.output_shape(op) == (1, channels, side, side)
    assert op.macs == side * side * channels * per_group * kernel * kernel
    assert op.weights == channels * per_group * kernel * kernel + channels


@given(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))
def test_cutting_and_joining_give_the_same_shape_back(batch, parts, each, height, width) -> None:
    b = GraphBuilder("back")
    x = b.input(batch, parts * each, height, width)
    assert b.shape(b.concat(*b.split(x, parts))) == b.shape(x)
