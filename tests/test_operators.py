"""What one operator costs, and the rules of sizes, padding and broadcasting."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import ModelError
from socsim.workloads.operators import (
    MAC_TYPES,
    OPERATOR_TYPES,
    conv_output_size,
    operator_macs,
    operator_ops,
)
from socsim.workloads.shapes import broadcast, pads, windows

IMAGE, WIDER = (1, 6, 5, 4), (1, 12, 5, 4)


# --- operations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "inputs", "output", "kernel", "groups", "macs"),
    [
        ("conv2d", [IMAGE], WIDER, (3, 2), 1, 240 * 6 * 6),
        ("grouped_conv2d", [IMAGE], WIDER, (3, 2), 3, 240 * 2 * 6),
        ("depthwise_conv2d", [IMAGE], WIDER, (3, 2), 6, 240 * 6),
        ("deconv2d", [IMAGE], (1, 12, 10, 8), (2, 2), 1, 120 * 12 * 4),
        ("deconv2d", [IMAGE], (1, 12, 10, 8), (2, 2), 6, 120 * 2 * 4),
        ("fully_connected", [(2, 3, 4)], (2, 5), (1, 1), 1, 2 * 5 * 12),
        ("matmul", [(2, 3, 4)], (2, 3, 7), (1, 1), 1, 42 * 4),
        ("matmul", [(2, 3, 4), (2, 4, 7)], (2, 3, 7), (1, 1), 1, 42 * 4),
        ("softmax", [(1, 10)], (1, 10), (1, 1), 1, 0),
        ("concat", [IMAGE, IMAGE], WIDER, (1, 1), 1, 0),
    ],
)
def test_multiply_accumulates(type_, inputs, output, kernel, groups, macs) -> None:
    assert operator_macs(type_, inputs, output, kernel, groups) == macs


@pytest.mark.parametrize(
    ("type_", "per_output"),
    [
        ("activation", 1),
        ("eltwise", 1),
        ("batch_norm", 2),
        ("layer_norm", 6),
        ("instance_norm", 6),
        ("group_norm", 6),
        ("lrn", 8),
        ("softmax", 5),
        ("resize", 4),
        ("detection_output", 20),
        ("prior_box", 4),
    ],
)
def test_operations_of_each_output(type_: str, per_output: int) -> None:
    assert operator_ops(type_, [IMAGE], WIDER) == 240 * per_output


@pytest.mark.parametrize(
    "type_", ["concat", "split", "slice", "pad", "reshape", "transpose", "gather", "cast"]
)
def test_moving_data_is_no_operation(type_: str) -> None:
    assert operator_ops(type_, [IMAGE], IMAGE) == 0
    assert operator_macs(type_, [IMAGE], IMAGE) == 0


@pytest.mark.parametrize("type_", ["max_pool", "avg_pool"])
def test_pooling_looks_at_every_element_of_its_windows(type_: str) -> None:
    assert operator_ops(type_, [(1, 6, 9, 8)], IMAGE, (3, 2)) == 120 * 6


def test_a_reduction_looks_at_every_input() -> None:
    assert operator_ops("reduce", [IMAGE], (1, 6, 1, 1)) == 120
    assert operator_ops("reduce", [IMAGE, IMAGE], (1, 6, 1, 1)) == 240


@pytest.mark.parametrize(("operands", "times"), [(1, 1), (2, 1), (3, 2), (5, 4)])
def test_a_sum_of_n_has_n_minus_one_additions(operands: int, times: int) -> None:
    assert operator_ops("eltwise", [IMAGE] * operands, IMAGE) == 120 * times


@pytest.mark.parametrize("type_", sorted(OPERATOR_TYPES))
def test_a_type_counts_either_way_and_never_both(type_: str) -> None:
    macs, ops = operator_macs(type_, [IMAGE], WIDER), operator_ops(type_, [IMAGE], WIDER)
    assert not (macs and ops)
    assert not macs or type_ in MAC_TYPES


def test_the_vocabulary_is_closed() -> None:
    assert set(OPERATOR_TYPES) >= MAC_TYPES
    with pytest.raises(TypeError):
        OPERATOR_TYPES["conv3d"] = "no such"  # type: ignore[index]


# --- sizes of windows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "rounded_down", "rounded_up"),
    [
        (224, 7, 2, 6, 1, 112, 113),
        (224, 7, 2, 5, 1, 112, 112),
        (7, 3, 2, 0, 1, 3, 3),
        (8, 3, 2, 0, 1, 3, 4),
        (5, 5, 1, 0, 1, 1, 1),
        (5, 3, 1, 0, 2, 1, 1),
        (6, 3, 3, 0, 2, 1, 2),
        (1, 1, 4, 0, 1, 1, 1),
    ],
)
def test_windows_along_a_side(size, kernel, stride, padding, dilation, rounded_down, rounded_up) -> None:
    assert conv_output_size(size, kernel, stride, padding, dilation) == rounded_down
    assert conv_output_size(size, kernel, stride, padding, dilation, ceil=True) == rounded_up


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "dilation"), [(2, 3, 0, 1), (4, 3, 0, 2), (1, 7, 5, 1)]
)
def test_windows_that_do_not_fit(size: int, kernel: int, padding: int, dilation: int) -> None:
    with pytest.raises(ModelError) as caught:
        conv_output_size(size, kernel, 1, padding, dilation)
    message = f"a window of {kernel} (dilation {dilation}) does not fit into {size} + {padding} elements"
    assert str(caught.value) == message
    assert conv_output_size(size + 1, kernel, 1, padding, dilation) == 1


@given(st.integers(1, 50), st.integers(1, 7), st.integers(1, 5), st.integers(0, 6), st.integers(1, 3))
def test_windows_are_as_many_as_start_inside(size, kernel, stride, padding, dilation) -> None:
    reach = dilation * (kernel - 1) + 1
    last = size + padding - reach
    if last < 0:
        return
    starts = range(0, last + 1, stride)
    assert conv_output_size(size, kernel, stride, padding, dilation) == len(starts)
    rounded = conv_output_size(size, kernel, stride, padding, dilation, ceil=True)
    assert rounded == ceil(last / stride) + 1
    assert rounded - len(starts) == (0 if last % stride == 0 else 1)
    assert floor(last / stride) + 1 == len(starts)


# --- padding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [(3, (3, 3)), ((1, 2), (1, 2)), (np.int64(3), (3, 3))])
def test_a_number_stands_for_both_sides(value, expected) -> None:
    assert windows("one", kernel=value) == [expected]


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("valid", (0, 0, 0, 0)),
        (0, (0, 0, 0, 0)),
        (2, (2, 2, 2, 2)),
        ((1, 3), (1, 3, 1, 3)),
        ((1, 2, 3, 4), (1, 2, 3, 4)),
    ],
)
def test_padding_that_is_told(padding, expected) -> None:
    assert pads(padding, (8, 8), (3, 3), (1, 1), (1, 1)) == expected


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "expected"),
    [
        ((8, 8), (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ((8, 8), (3, 3), (2, 2), (1, 1), (0, 0, 1, 1)),
        ((9, 9), (3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
        ((8, 8), (2, 4), (1, 1), (1, 1), (0, 1, 1, 2)),
        ((8, 8), (3, 3), (1, 1), (2, 3), (2, 3, 2, 3)),
        ((8, 8), (1, 1), (3, 3), (1, 1), (0, 0, 0, 0)),
        ((8, 5), (3, 3), (4, 4), (1, 1), (0, 1, 0, 1)),
        ((224, 224), (7, 7), (2, 2), (1, 1), (2, 2, 3, 3)),
    ],
)
def test_same_padding_puts_the_odd_element_at_the_end(size, kernel, stride, dilation, expected) -> None:
    assert pads("same", size, kernel, stride, dilation) == expected


@pytest.mark.parametrize("word", ["SAME", "full", ""])
def test_unknown_words_for_padding(word: str) -> None:
    with pytest.raises(ModelError) as caught:
        pads(word, (8, 8), (3, 3), (1, 1), (1, 1))
    assert str(caught.value) == f"padding must be 'same', 'valid' or numbers, got {word!r}"


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
def test_same_padding_keeps_the_size_over_the_stride(size, kernel, stride, dilation) -> None:
    before, _, after, _ = pads("same", (size, size), (kernel,) * 2, (stride,) * 2, (dilation,) * 2)
    assert 0 <= after - before <= 1
    if size + before + after > dilation * (kernel - 1):
        assert conv_output_size(size, kernel, stride, before + after, dilation) == ceil(size / stride)


# --- broadcasting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(2, 3)], (2, 3)),
        ([(2, 3), (2, 3), (2, 3)], (2, 3)),
        ([(1, 8, 4, 4), (1, 8, 1, 1)], (1, 8, 4, 4)),
        ([(8, 1, 1), (1, 8, 4, 4)], (1, 8, 4, 4)),
        ([(4, 1), (1, 5)], (4, 5)),
        ([(), (3,)], (3,)),
        ([(1, 1), (1,)], (1, 1)),
    ],
)
def test_shapes_stretch(shapes, expected) -> None:
    assert broadcast("n", shapes) == expected


def test_shapes_that_do_not_stretch() -> None:
    with pytest.raises(ModelError) as caught:
        broadcast("n", [(2, 3), (3, 2)])
    assert str(caught.value) == "network 'n': shapes [(2, 3), (3, 2)] do not broadcast"


@given(st.lists(st.lists(st.sampled_from([1, 2, 3]), max_size=4).map(tuple), min_size=1, max_size=4))
def test_shapes_stretch_as_numpy_stretches_them(shapes) -> None:
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ModelError, match="do not broadcast"):
            broadcast("n", shapes)
    else:
        assert broadcast("n", shapes) == expected
