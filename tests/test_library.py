"""What inference libraries support, which kernels they choose, and what is refused in their files."""

import os
import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import FileError, UnknownNameError, UsageError
from socsim.workloads import conditions
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.library import library_names, load_library
from socsim.workloads.operators import OPERATOR_TYPES
from socsim.workloads.zoo.catalogue import build_model

MINIMAL = """
name: tiny
title: Tiny
cores: big
chunking: static
host: shared
processors:
  cpu:
    dtypes: [fp32]
    table: {grade: A, source: made up, operators: all}
  gpu:
    dtypes: [fp16, fp32]
    on_unsupported: cpu
    layouts:
      image: {grade: A, source: made up, operators: {conv2d: {max_kernel: 3}, softmax: {rank: [2, 4]}}}
      buffer: {grade: A, source: made up, operators: {conv2d: {}}}
kernel_classes:
  - {class: fast, types: [conv2d], when: {kernel: [3, 3]}}
  - {class: faster, types: [conv2d], processors: [gpu], layouts: [image]}
  - {class: slow, types: [conv2d]}
splits:
  - {types: [conv2d], dimensions: [OC]}
  - {types: [conv2d], layouts: [image], dimensions: [H]}
"""


def one(method, *args, shape=(1, 16, 32, 32), **options):
    """A network of one operator on one input, and the operator."""
    b = GraphBuilder("one")
    graph = b.build(getattr(b, method)(b.input(*shape), *args, **options))
    return graph, next(iter(graph))


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(MINIMAL)
    return load_library(path)


@pytest.fixture(scope="module")
def mace():
    return load_library("mace")


def test_order_of_dimensions(mace, tiny):
    """MACE's OpenCL kernels have channels last, those of its CPU first; the DSP takes the network whole."""
    assert [mace.transposed(p) for p in ("cpu", "gpu", "dsp", "npu")] == [False, True, False, False]
    assert not tiny.transposed("gpu")


# --- files --------------------------------------------------------------------------------------------------


def test_libraries_that_come_with_socsim():
    assert library_names() == [
        "armnn", "mace", "mnn", "ncnn", "nnapi", "onnxruntime_qnn", "paddlelite", "pytorch_eager", "qnn", "tensorrt",
        "tflite", "tflite_qnn",
    ]  # fmt: skip
    assert [load_library(name).name for name in library_names()] == library_names()


def test_an_unknown_library_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown library 'mase'; did you mean 'mace'"):
        load_library("mase")


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(MINIMAL)
    first = load_library(path)
    assert load_library(path) is first
    path.write_text(MINIMAL.replace("title: Tiny", "title: Other"))
    os.utime(path, ns=(0, 0))
    assert load_library(path).title == "Other"


def test_what_a_file_says_is_what_the_library_has(tiny):
    assert (tiny.title, tiny.cores, tiny.threads, tiny.chunking, tiny.host) == (
        "Tiny",
        "big",
        None,
        "static",
        "shared",
    )
    assert tiny.processors == ("cpu", "gpu")
    assert tiny.layouts("gpu") == ("image", "buffer")
    assert tiny.layouts("cpu") == ("",)
    assert tiny.layouts("dsp") == ()
    assert tiny.dtypes("gpu") == ("fp16", "fp32")
    assert tiny.dtypes("dsp") == ()
    assert (tiny.on_unsupported("gpu"), tiny.on_unsupported("cpu")) == ("cpu", "fail")


def test_a_library_can_be_sent_to_a_worker(mace):
    graph, op = one("conv", 8, 3)
    assert pickle.loads(pickle.dumps(mace)).kernel_class(op, graph, "cpu") == "winograd_thin"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "max_kernel: 3",
            "max_kernle: 3",
            r":15:\d+: .*unknown condition 'max_kernle'; did you mean 'max_kernel'",
        ),
        ("max_kernel: 3", "max_kernel: wide", "condition 'max_kernel' takes a whole number, got 'wide'"),
        ("softmax: {rank", "soft_max: {rank", "unknown operator type 'soft_max'; did you mean 'softmax'"),
        ("chunking: static", "chunking: dynamic", "got 'dynamic'"),
        ("host: shared", "host: shared\nhots: own", "unknown key 'hots', did you mean 'host'"),
        ("host: shared\n", "", "host: is required"),
        (
            "    table: {grade: A, source: made up, operators: all}",
            "    layouts: {}",
            "either 'table' or 'layouts'",
        ),
        ("kernel: [3, 3]", "any: [3]", "'any' takes a list of mappings"),
        ("kernel: [3, 3]", "any: [{stirde: 1}]", "did you mean 'stride'"),
    ],
)
def test_faults_of_a_file_are_told_with_their_place(tmp_path, old, new, message):
    path = tmp_path / "bad.yaml"
    assert old in MINIMAL
    path.write_text(MINIMAL.replace(old, new))
    with pytest.raises(FileError, match=message):
        load_library(path)


def test_a_table_of_an_accelerator_needs_its_layout(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(MINIMAL.replace("  gpu:\n", "  dsp:\n").replace("  cpu:\n", "  gpu:\n"))
    with pytest.raises(FileError, match="the CPU has a 'table', every other processor has 'layouts'"):
        load_library(path)


# --- lookup -------------------------------------------------------------------------------------------------


def test_reasons_name_what_is_missing(tiny):
    graph, op = one("conv", 8, 5)
    assert tiny.reason(op, graph, "cpu") is None
    assert tiny.reason(op, graph, "gpu", "buffer") is None
    assert tiny.reason(op, graph, "gpu", "image") == "conv2d takes kernels up to 3"
    assert tiny.reason(op, graph, "gpu") == tiny.reason(op, graph, "gpu", "image")
    assert tiny.reason(op, graph, "dsp") == "Tiny has no kernels for the dsp"
    assert tiny.reason(op, graph, "gpu", "buffer", "int8") == "Tiny has no int8 kernels on the gpu"
    assert tiny.reason(op, graph, "cpu", "buffer") == "Tiny has no buffer kernels on the cpu"
    graph, op = one("activation", "relu")
    assert tiny.reason(op, graph, "gpu", "buffer") == "no activation kernel on the gpu buffer"
    assert not tiny.supports(op, graph, "gpu", "buffer")
    assert tiny.supports(op, graph, "cpu")


def test_the_first_class_rule_that_holds_decides(tiny):
    graph, op = one("conv", 8, 3)
    assert tiny.kernel_class(op, graph, "gpu", "image") == "fast"
    graph, op = one("conv", 8, 1)
    assert tiny.kernel_class(op, graph, "gpu", "image") == "faster"
    assert tiny.kernel_class(op, graph, "gpu") == "faster"
    assert tiny.kernel_class(op, graph, "gpu", "buffer") == "slow"
    assert tiny.kernel_class(op, graph, "cpu") == "slow"
    graph, op = one("max_pool")
    assert tiny.kernel_class(op, graph, "cpu") == "other"


def test_all_split_rules_that_hold_count(tiny):
    graph, op = one("conv", 8, 3)
    assert tiny.split_dimensions(op, graph, "image") == ("H", "OC")
    assert tiny.split_dimensions(op, graph, "buffer") == ("OC",)
    graph, op = one("max_pool")
    assert tiny.split_dimensions(op, graph, "image") == ()


def test_on_unsupported_of_a_processor_without_kernels_is_refused(tiny):
    with pytest.raises(UnknownNameError, match="unknown processor of library 'tiny' 'dps'"):
        tiny.on_unsupported("dps")


@pytest.mark.parametrize("name", ["mace", "tflite", "ncnn"])
def test_every_type_has_a_cpu_kernel(name):
    library = load_library(name)
    assert set(library.backends["cpu"].tables[""]) == set(OPERATOR_TYPES)


@pytest.mark.parametrize("name", ["mace", "tflite", "ncnn"])
@pytest.mark.parametrize("model", ["resnet50", "mobilenet_v2", "yolov2", "shufflenet_v2", "bert_tiny"])
def test_every_operator_runs_on_the_cpu_and_has_a_class(name, model):
    library, graph = load_library(name), build_model(model)
    for op in graph:
        assert library.supports(op, graph, "cpu", dtype=library.dtypes("cpu")[0])
        assert library.kernel_class(op, graph, "cpu") != "other"


# --- MACE ---------------------------------------------------------------------------------------------------


def test_mace_policy(mace):
    assert (mace.cores, mace.threads, mace.chunking, mace.host) == ("big", 4, "static", "shared")
    assert mace.processors == ("cpu", "gpu", "dsp")
    assert mace.layouts("gpu") == ("image", "buffer")
    assert (mace.on_unsupported("gpu"), mace.on_unsupported("dsp")) == ("cpu", "fail")


def test_buffers_leave_56_of_116_operators_of_resnet50_v2_unsupported(mace):
    graph = build_model("resnet50_v2")
    missing = Counter(op.type for op in graph if not mace.supports(op, graph, "gpu", "buffer"))
    assert missing == {"batch_norm": 17, "activation": 17, "eltwise": 16, "pad": 4, "reduce": 1, "squeeze": 1}
    assert (missing.total(), len(graph)) == (56, 116)
    assert all(mace.supports(op, graph, "gpu", "image") for op in graph)


def test_buffer_kernels_are_these(mace):
    table = set(mace.backends["gpu"].tables["buffer"]) - {"task"}
    assert table == {"conv2d", "depthwise_conv2d", "max_pool", "avg_pool", "softmax", "reshape", "transpose"}


def test_mace_concat_on_images(mace):
    def reason(channels, axis=1):
        b = GraphBuilder("concat")
        inputs = [b.input(1, c, 8, 8, name=f"in{i}") for i, c in enumerate(channels)]
        graph = b.build(b.concat(*inputs, axis=axis))
        return mace.reason(next(iter(graph)), graph, "gpu", "image")

    assert reason([3, 5]) is None
    assert reason([4, 8, 12]) is None
    assert reason([4, 8, 3]) == "concat takes at most 2 inputs or needs input channels in multiples of 4"
    assert reason([4, 4], axis=2) == "concat needs the channel axis"


def test_mace_reduce_on_images(mace):
    graph, op = one("global_avg_pool")
    assert mace.supports(op, graph, "gpu", "image")
    graph, op = one("global_avg_pool", keepdims=False)
    assert mace.reason(op, graph, "gpu", "image") == "reduce needs keepdims true"


def test_mace_conditions_on_rank_and_channels(mace):
    for shape, fits in (((1, 10), True), ((1, 8, 4, 4), True), ((1, 7, 9), False)):
        graph, op = one("softmax", shape=shape)
        assert mace.supports(op, graph, "gpu", "image") is fits
    graph, op = one("activation", "relu", shape=(1, 10))
    assert mace.reason(op, graph, "gpu", "image") == "activation needs 4 dimensions"
    for parts, fits in ((4, True), (8, False)):
        b = GraphBuilder("split")
        graph = b.build(*b.split(b.input(1, 16, 4, 4), parts))
        assert mace.supports(next(iter(graph)), graph, "gpu", "image") is fits


def test_mace_eltwise_with_a_constant_of_two_dimensions_falls_back(mace):
    b = GraphBuilder("constant")
    x = b.input(1, 8, 4, 4)
    y = b.add("eltwise", [x], (1, 8, 4, 4), function="add", constant_rank=2)
    graph = b.build(b.add("eltwise", [y], (1, 8, 4, 4), function="add", constant_rank=1))
    first, second = graph
    assert mace.reason(first, graph, "gpu", "image") == "eltwise needs a constant of 1 or 4 dimensions"
    assert mace.supports(second, graph, "gpu", "image")


def test_mace_has_no_group_convolution_on_accelerators(mace):
    graph, op = one("conv", 16, 3, groups=4)
    assert op.type == "grouped_conv2d"
    assert [
        mace.supports(op, graph, p, dtype=d) for p, d in (("cpu", "fp32"), ("gpu", "fp32"), ("dsp", "int8"))
    ] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("shape", "args", "cpu", "gpu"),
    [
        ((1, 64, 56, 56), (64, 1), "gemm", "direct_1x1"),
        ((1, 64, 56, 56), (64, 1, 2), "gemm", "direct_1x1"),
        ((1, 128, 56, 56), (64, 3), "winograd", "direct"),
        ((1, 64, 56, 56), (64, 3), "winograd_thin", "direct"),
        ((1, 128, 14, 14), (128, 3), "winograd_small", "direct_small"),
        ((1, 3, 224, 224), (64, 3), "direct", "direct_shallow"),
        ((1, 8, 32, 32), (7, 3), "direct", "direct_narrow"),
        ((1, 64, 56, 56), (64, 3, 2), "general", "direct"),
        ((1, 128, 32, 32), (128, 7), "direct", "direct"),
        ((1, 32, 480, 640), (32, 9), "general", "direct"),
    ],
)
def test_mace_chooses_its_convolution_by_shape(mace, shape, args, cpu, gpu):
    graph, op = one("conv", *args, shape=shape)
    assert mace.kernel_class(op, graph, "cpu") == cpu
    assert (
        mace.kernel_class(op, graph, "gpu", "image") == mace.kernel_class(op, graph, "gpu", "buffer") == gpu
    )


def test_mace_splits_convolution_pooling_and_fully_connected_layers(mace):
    for method, args in (("conv", (8, 3)), ("depthwise", (3,)), ("max_pool", ()), ("avg_pool", ())):
        graph, op = one(method, *args)
        assert mace.split_dimensions(op, graph, "image") == ("H", "OC")
        assert mace.split_dimensions(op, graph, "buffer") == ("H", "OC")
    graph, op = one("dense", 10)
    assert mace.split_dimensions(op, graph, "image") == ("OC",)
    assert mace.split_dimensions(op, graph, "buffer") == ()
    graph, op = one("activation", "relu")
    assert mace.split_dimensions(op, graph, "image") == ()


@pytest.mark.parametrize("layout", ["image", "buffer"])
@pytest.mark.parametrize("model", ["vgg16", "resnet50_v2", "squeezenet_1.1"])
def test_what_can_be_split_can_run_on_both(mace, model, layout):
    graph = build_model(model)
    split = [op for op in graph if mace.split_dimensions(op, graph, layout)]
    assert split
    for op in split:
        assert mace.supports(op, graph, "gpu", layout)
        assert mace.supports(op, graph, "cpu")


# --- the others ---------------------------------------------------------------------------------------------


def test_tflite_tables():
    library = load_library("tflite")
    assert (library.on_unsupported("gpu"), library.on_unsupported("dsp")) == ("cpu", "cpu")
    graph, op = one("activation", "gelu")
    assert "computes only relu or" in library.reason(op, graph, "gpu", "image", "fp16")
    graph, op = one("depthwise", 5)
    assert library.supports(op, graph, "gpu", "image", "fp16")
    assert library.reason(op, graph, "dsp", "buffer", "int8") == "depthwise_conv2d needs a kernel width of 3"
    assert library.reason(op, graph, "dsp") == "TensorFlow Lite has no fp32 kernels on the dsp"
    graph, op = one("channel_shuffle", 4)
    assert not library.supports(op, graph, "gpu", "image", "fp16")
    for model in ("mobilenet_v1", "resnet50", "efficientnet_lite0"):
        graph = build_model(model)
        assert all(library.supports(op, graph, "gpu", "image", "fp16") for op in graph)


def test_tflite_never_uses_winograd_and_ncnn_does():
    graph, op = one("conv", 64, 3, shape=(1, 64, 56, 56))
    tflite, ncnn = load_library("tflite"), load_library("ncnn")
    assert (tflite.kernel_class(op, graph, "cpu"), tflite.kernel_class(op, graph, "gpu")) == ("igemm", "conv")
    found = (ncnn.kernel_class(op, graph, "cpu"), ncnn.kernel_class(op, graph, "gpu"))
    assert found == ("winograd63", "winograd43")
    graph, op = one("conv", 64, 3, 2, shape=(1, 64, 56, 56))
    assert ncnn.kernel_class(op, graph, "cpu") == "sgemm"
    assert tflite.split_dimensions(op, graph, "image") == ncnn.split_dimensions(op, graph, "buffer") == ()


def test_ncnn_on_vulkan():
    library = load_library("ncnn")
    assert library.threads is None
    b = GraphBuilder("squeeze")
    x = b.channel_shuffle(b.input(1, 8, 1, 1), 4)
    graph = b.build(b.add("squeeze", [x], (1, 8)))
    shuffle, squeeze = graph
    assert library.supports(shuffle, graph, "gpu", dtype="fp16")
    assert library.reason(shuffle, graph, "gpu") == "ncnn has no fp32 kernels on the gpu"
    assert library.reason(squeeze, graph, "gpu", dtype="fp16") == "no squeeze kernel on the gpu buffer"


# --- conditions ---------------------------------------------------------------------------------------------


def meets(method, *args, shape=(1, 16, 32, 32), options=None, **wanted):
    graph, op = one(method, *args, shape=shape, **(options or {}))
    return conditions.failure(op, graph, wanted) is None


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"rank": 4}, {"rank": [2, 3]}),
        ({"max_rank": 4}, {"max_rank": 3}),
        ({"batch": 1}, {"batch": 2}),
        ({"inputs": [1, 2]}, {"inputs": 2}),
        ({"max_inputs": 1}, {"max_inputs": 0}),
        ({"channels_multiple_of": 8}, {"channels_multiple_of": 5}),
        ({"parts_multiple_of": 12}, {"parts_multiple_of": 5}),
        ({"min_in_channels": 16}, {"min_in_channels": 17}),
        ({"max_in_channels": 16}, {"max_in_channels": 15}),
        ({"min_out_channels": 24}, {"min_out_channels": 25}),
        ({"max_out_channels": 24}, {"max_out_channels": 23}),
        ({"min_out_height": 16}, {"min_out_height": 17}),
        ({"max_out_height": 16}, {"max_out_height": 15}),
        ({"kernel": [3, 5]}, {"kernel": [5, 3]}),
        ({"kernel": [[1, 1], [3, 5]]}, {"kernel": [[1, 1], [3, 3]]}),
        ({"max_kernel": 5}, {"max_kernel": 4}),
        ({"kernel_width": [3, 5]}, {"kernel_width": 3}),
        ({"stride": [2, 2]}, {"stride": [1, 1]}),
        ({"max_stride": 2}, {"max_stride": 1}),
        ({"dilation": [1, 1]}, {"dilation": [2, 2]}),
        ({"fused": ["relu", "relu6"]}, {"fused": "sigmoid"}),
        ({"weights": True}, {"weights": False}),
        ({"broadcast": False}, {"broadcast": True}),
        ({"constant_rank": 4}, {"rank": 2}),
        ({"any": [{"rank": 2}, {"batch": 1}]}, {"any": [{"rank": 2}, {"batch": 2}]}),
    ],
)
def test_conditions_on_a_convolution(good, bad):
    options = {"activation": "relu"}
    for wanted in (good, bad):
        conditions.check(wanted)
    assert meets("conv", 24, (3, 5), 2, options=options, **good)
    assert not meets("conv", 24, (3, 5), 2, options=options, **bad)


def test_conditions_on_other_operators():
    assert meets("softmax", axis="last")
    assert meets("softmax", shape=(1, 10), axis="channel")
    assert not meets("softmax", axis="channel")
    assert meets("global_avg_pool", axes=[[2, 3], [1]], keepdims=True, function=["mean", "max"])
    assert not meets("global_avg_pool", axes=[[1]])
    assert not meets("global_avg_pool", keepdims=False)
    assert meets("resize", mode=["nearest"])
    assert not meets("resize", mode="bilinear")
    assert meets("depthwise", 3, multiplier=1)
    assert not meets("depthwise", 3, multiplier=2)
    assert not meets("activation", "gelu", function=["relu", "tanh"])


def test_broadcasting_is_seen():
    b = GraphBuilder("scale")
    graph = b.build(b.mul(b.input(1, 8, 4, 4, name="a"), b.input(1, 8, 1, 1, name="b")))
    op = next(iter(graph))
    assert conditions.failure(op, graph, {"broadcast": True}) is None
    assert conditions.failure(op, graph, {"broadcast": False}) == "needs broadcasting to be false"


def test_conditions_are_checked_when_read():
    with pytest.raises(UnknownNameError, match="unknown condition 'strid'; did you mean 'stride'"):
        conditions.check({"strid": [1, 1]})
    wrong = ("rank", "four"), ("rank", []), ("rank", True), ("axis", "depth"), ("keepdims", 1), ("kernel", 3)
    for bad in ({name: value} for name, value in (*wrong, ("axes", [2, 3]), ("any", []), ("function", 3))):
        with pytest.raises(UsageError, match=f"condition '{next(iter(bad))}' takes"):
            conditions.check(bad)


@given(st.integers(1, 6), st.lists(st.integers(1, 6), min_size=1))
def test_a_list_means_one_of(rank, wanted):
    graph, op = one("activation", "relu", shape=(1,) * rank)
    assert (conditions.failure(op, graph, {"rank": wanted}) is None) is (rank in wanted)


def test_all_conditions_must_hold_and_the_first_that_fails_is_told():
    graph, op = one("conv", 8, 3)
    assert conditions.failure(op, graph, {}) is None
    assert conditions.failure(op, graph, {"rank": 4, "max_stride": 0, "batch": 7}) == "takes strides up to 0"
    assert conditions.failure(op, graph, {"kernel": [[1, 1], [5, 5]]}) == "needs a kernel of 1x1 or 5x5"


PHRASES = {
    "rank": ([2, 3], "needs 2 or 3 dimensions"),
    "max_rank": (3, "takes at most 3 dimensions"),
    "batch": (2, "needs a batch of 2"),
    "inputs": (2, "needs 2 inputs"),
    "max_inputs": (0, "takes at most 0 inputs"),
    "broadcast": (True, "needs broadcasting to be true"),
    "channels_multiple_of": (5, "needs input channels in multiples of 5"),
    "parts_multiple_of": (5, "needs output channels in multiples of 5"),
    "min_in_channels": (17, "needs at least 17 input channels"),
    "max_in_channels": (15, "takes at most 15 input channels"),
    "min_out_channels": (25, "needs at least 25 output channels"),
    "max_out_channels": (23, "takes at most 23 output channels"),
    "min_out_height": (17, "needs at least 17 output rows"),
    "max_out_height": (15, "takes at most 15 output rows"),
    "kernel": ([5, 3], "needs a kernel of 5x3"),
    "max_kernel": (4, "takes kernels up to 4"),
    "kernel_width": ([1, 3], "needs a kernel width of 1 or 3"),
    "stride": ([[1, 1], [1, 2]], "needs a stride of 1x1 or 1x2"),
    "max_stride": (1, "takes strides up to 1"),
    "dilation": ([2, 2], "needs a dilation of 2x2"),
    "multiplier": (2, "needs a channel multiplier of 2"),
    "fused": (["relu6", "tanh"], "fuses only the activation relu6 or tanh"),
    "function": ("add", "computes only add"),
    "mode": ("nearest", "needs the mode nearest"),
    "weights": (False, "needs a constant operand to be false"),
    "axis": ("last", "needs the last axis"),
    "axes": ([[2, 3]], "reduces only over the axes [2, 3]"),
    "keepdims": (False, "needs keepdims false"),
}


@pytest.mark.parametrize("name", PHRASES)
def test_every_condition_says_what_is_missing(name):
    """A convolution of 3 x 5, stride 2, 16 to 24 channels, 32 to 16 rows, with a rectifier."""
    value, phrase = PHRASES[name]
    graph, op = one("conv", 24, (3, 5), 2, activation="relu")
    conditions.check({name: value})
    assert conditions.failure(op, graph, {name: value}) == phrase


def test_every_condition_has_a_phrase_here_or_cannot_fail_so():
    assert set(conditions.CONDITIONS) - set(PHRASES) == {"constant_rank"}


@pytest.mark.parametrize(("wanted", "fails"), [(1, False), ([1, 2], False), (2, True), ([3, 4], True)])
def test_the_rank_of_a_constant_matters_only_where_there_is_one(wanted, fails):
    graph, op = one("conv", 24, 3)
    assert conditions.failure(op, graph, {"constant_rank": wanted}) is None
    b = GraphBuilder("bias")
    graph = b.build(b.add("eltwise", [b.input(1, 4)], (1, 4), function="add", constant_rank=1))
    reason = conditions.failure(next(iter(graph)), graph, {"constant_rank": wanted})
    assert (reason is not None) is fails
    assert reason is None or reason.startswith("needs a constant of ")


def test_an_operator_without_window_counts_as_pointwise():
    graph, op = one("softmax")
    wanted = {"kernel": [1, 1], "stride": [1, 1], "dilation": [1, 1], "max_kernel": 1, "max_stride": 1}
    assert conditions.failure(op, graph, {**wanted, "kernel_width": 1}) is None
    assert conditions.failure(op, graph, {"weights": True}) == "needs a constant operand to be true"


def test_alternatives_that_all_fail_are_all_told():
    graph, op = one("conv", 8, 3)
    reason = conditions.failure(op, graph, {"any": [{"rank": 2, "batch": 9}, {"max_stride": 0}]})
    assert reason == "needs 2 dimensions or takes strides up to 0"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("batch", "1", "a whole number"),
        ("batch", 1.0, "a whole number"),
        ("batch", [1], "a whole number"),
        ("rank", [1, "2"], "a whole number or a list of them"),
        ("kernel", [1, 2, 3], r"two whole numbers, \[height, width\], or a list of such pairs"),
        ("kernel", [[1, 2], [3]], r"two whole numbers, \[height, width\], or a list of such pairs"),
        ("axes", [1, 2], "a list of lists of whole numbers"),
        ("axes", [[]], "a list of lists of whole numbers"),
        ("axis", 1, "channel, last or batch"),
        ("function", [], "a name or a list of names"),
        ("function", ["add", 2], "a name or a list of names"),
        ("weights", "yes", "true or false"),
        ("any", {"rank": 2}, "a list of mappings of conditions"),
        ("any", [{"rank": 2}, 3], "a list of mappings of conditions"),
    ],
)
def test_values_of_the_wrong_kind(name, value, kind):
    with pytest.raises(UsageError, match=rf"^condition '{name}' takes {kind}, got "):
        conditions.check({name: value})


def test_misspelt_keys_of_a_rule_are_answered_with_their_names_in_the_file(tmp_path):
    """The key is ``class`` in the file, whatever the field's name is."""
    path = tmp_path / "bad.yaml"
    path.write_text(MINIMAL.replace("{class: slow,", "{clas: slow,"))
    with pytest.raises(FileError) as caught:
        load_library(path)
    assert "kernel_classes.2.clas: unknown key 'clas', did you mean 'class'" in str(caught.value)
    assert "kernel_classes.2.class: is required" in str(caught.value)
