"""Regions that grow by the receptive field: exact on small networks, and against what a change really reaches."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.regions import NOTHING, Rows, changed_rows, changed_share, local_in_rows, middle_rows
from socsim.workloads.zoo import build_model


def image(height: int = 16, channels: int = 4) -> tuple[GraphBuilder, str]:
    builder = GraphBuilder("net")
    return builder, builder.image(height, height, channels=channels)


def rows(builder: GraphBuilder, output: str, share: float) -> Rows:
    return changed_rows(builder.build(output), share)[output]


# --- bands of rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "height", "band"),
    [
        (0.0, 8, NOTHING),
        (0.01, 8, Rows(3, 4)),
        (0.25, 8, Rows(3, 5)),
        (0.26, 8, Rows(2, 5)),
        (0.5, 8, Rows(2, 6)),
        (1.0, 8, Rows(0, 8)),
        (0.1, 1, Rows(0, 1)),
    ],
)
def test_the_middle(share: float, height: int, band: Rows) -> None:
    assert middle_rows(share, height) == band
    assert band.size == ceil(share * height - 1e-9)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(1, 300))
def test_a_larger_share_contains_a_smaller_one(one: float, other: float, height: int) -> None:
    small, large = middle_rows(min(one, other), height), middle_rows(max(one, other), height)
    assert not small.size or (large.first <= small.first and small.end <= large.end)


# --- operators ------------------------------------------------------------------------------------------------


def test_a_convolution_adds_half_its_kernel_on_both_sides() -> None:
    """Rows 7 and 8 of 16 have changed; 3 x 3: one more on each side; 5 x 5: two; dilated by 2: twice as many."""
    builder, x = image()
    small, large, spread = (
        builder.conv(x, 8, 3),
        builder.conv(x, 8, 5),
        builder.conv(x, 8, 3, dilation=2),
    )
    found = changed_rows(builder.build(small, large, spread), 2 / 16)
    assert [found[t] for t in (x, small, large, spread)] == [
        Rows(7, 9),
        Rows(6, 10),
        Rows(5, 11),
        Rows(5, 11),
    ]


def test_a_chain_of_convolutions_adds_up_until_all_has_changed() -> None:
    builder, x = image()
    tensors = [x]
    for _ in range(8):
        tensors.append(builder.conv(tensors[-1], 4, 3))
    found = changed_rows(builder.build(tensors[-1]), 2 / 16)
    assert [found[t].size for t in tensors] == [2, 4, 6, 8, 10, 12, 14, 16, 16]
    assert found[tensors[-1]] == Rows(0, 16)


def test_a_stride_halves_the_region() -> None:
    """Rows 6 to 9 of 16: output row o reads 2o - 0 .. 2o + 2 (padding is at the end only): rows 2 to 4."""
    builder, x = image()
    assert rows(builder, builder.conv(x, 8, 3, 2), 4 / 16) == Rows(2, 5)


def test_a_stride_may_miss_what_has_changed() -> None:
    """Row 7 of 16 is not among the rows 0, 2, 4, ... that a 1 x 1 kernel with stride 2 reads."""
    builder, x = image()
    assert rows(builder, builder.conv(x, 8, 1, 2), 1 / 16) == NOTHING


def test_pooling_is_a_window_too() -> None:
    builder, x = image()
    assert rows(builder, builder.max_pool(x, 2, 2), 2 / 16) == Rows(3, 5)
    assert rows(builder, builder.avg_pool_all(x), 2 / 16) == Rows(0, 1)


def test_up_sampling_spreads() -> None:
    builder, x = image()
    near, up = builder.resize(x, 2), builder.deconv(x, 4, 2, 2)
    found = changed_rows(builder.build(near, up), 2 / 16)
    assert found[near] == Rows(12, 20)
    assert found[up] == Rows(13, 18), "rows 14 to 17, or one less where it is padded by one"


def test_only_what_is_high_about_a_window_reaches_other_rows() -> None:
    """Rows 7 and 8 of 16 under windows that are higher or wider than they are wide or high."""
    builder, x = image()
    high, wide = builder.conv(x, 4, (5, 1)), builder.conv(x, 4, (1, 5))
    down, along = builder.max_pool(x, 2, (2, 1)), builder.max_pool(x, 1, (1, 2))
    far, aside = builder.conv(x, 4, 3, dilation=(3, 1)), builder.conv(x, 4, 3, dilation=(1, 3))
    above = builder.conv(x, 4, 3, padding=(2, 0, 0, 2))
    found = changed_rows(builder.build(high, wide, down, along, far, aside, above), 2 / 16)
    assert [found[t] for t in (high, wide)] == [Rows(5, 11), Rows(7, 9)]
    assert [found[t] for t in (down, along)] == [Rows(3, 5), Rows(7, 9)]
    assert [found[t] for t in (far, aside)] == [Rows(4, 12), Rows(6, 10)]
    assert found[above] == Rows(7, 11)


def test_only_what_is_high_about_a_deconvolution_spreads() -> None:
    """Row 7 goes to rows from 2 * 7 - 3 on, row 8 to rows up to 2 * 8 + 3; aside, nothing moves."""
    builder, x = image()
    down, along = builder.deconv(x, 4, (4, 1), (2, 1)), builder.deconv(x, 4, (1, 4), (1, 2))
    found = changed_rows(builder.build(down, along), 2 / 16)
    assert (found[down], found[along]) == (Rows(11, 20), Rows(7, 9))


@pytest.mark.parametrize(
    ("axes", "kept"),
    [
        ((1,), True),
        ((3,), True),
        ((-1,), True),
        ((1, 3), True),
        ((2,), False),
        ((-2,), False),
        ((1, 2), False),
    ],
)
def test_a_mean_keeps_rows_unless_it_goes_over_them(axes: tuple[int, ...], kept: bool) -> None:
    builder, x = image()
    shape = tuple(1 if i in {a % 4 for a in axes} else n for i, n in enumerate((1, 4, 16, 16)))
    y = builder.add("reduce", [x], shape, axes=axes, keepdims=True)
    graph = builder.build(y)
    assert local_in_rows(graph, graph[y]) == kept
    assert changed_rows(graph, 2 / 16)[y] == (Rows(7, 9) if kept else Rows(0, 1))


def test_blocks_of_pixels() -> None:
    builder, x = image()
    assert rows(builder, builder.space_to_depth(x, 2), 2 / 16) == Rows(3, 5)


def test_a_border_may_be_on_either_side() -> None:
    builder, x = image()
    assert rows(builder, builder.pad(x, 1), 2 / 16) == Rows(7, 11)


@pytest.mark.parametrize("kind", ["activation", "batch_norm", "shuffle", "slice", "softmax", "concat"])
def test_operators_of_single_rows_keep_the_region(kind: str) -> None:
    builder, x = image()
    y = {
        "activation": lambda: builder.activation(x, "relu"),
        "batch_norm": lambda: builder.batch_norm(x),
        "shuffle": lambda: builder.channel_shuffle(x, 2),
        "slice": lambda: builder.add("slice", [x], (1, 2, 16, 16)),
        "softmax": lambda: builder.softmax(x, axis=1),
        "concat": lambda: builder.concat(x, builder.activation(x, "relu")),
    }[kind]()
    graph = builder.build(y)
    assert changed_rows(graph, 2 / 16)[y] == Rows(7, 9)
    assert local_in_rows(graph, graph[graph.producer[y]])


@pytest.mark.parametrize("kind", ["dense", "global", "norm", "flatten", "softmax", "concat", "slice"])
def test_operators_on_all_rows_change_altogether(kind: str) -> None:
    builder, x = image()
    y = {
        "dense": lambda: builder.dense(x, 10),
        "global": lambda: builder.global_avg_pool(x),
        "norm": lambda: builder.norm("instance_norm", x),
        "flatten": lambda: builder.flatten(x),
        "softmax": lambda: builder.softmax(x, axis=2),
        "concat": lambda: builder.concat(x, x, axis=2),
        "slice": lambda: builder.add("slice", [x], (1, 4, 8, 16)),
    }[kind]()
    graph = builder.build(y)
    assert changed_share(graph, changed_rows(graph, 2 / 16), y) == 1.0
    assert not local_in_rows(graph, graph[graph.producer[y]])


def test_a_mean_over_channels_keeps_rows() -> None:
    builder, x = image()
    y = builder.add("reduce", [x], (1, 1, 16, 16), axes=(1,), keepdims=True)
    assert rows(builder, y, 2 / 16) == Rows(7, 9)


def test_branches_join_to_what_covers_both() -> None:
    builder, x = image()
    y = builder.add_(builder.conv(x, 4, 5), x)
    assert rows(builder, y, 2 / 16) == Rows(5, 11)


def test_a_gate_from_all_of_an_image_changes_all_of_it() -> None:
    """Squeeze and excite: every pixel is scaled by a mean over all pixels."""
    builder, x = image()
    y = builder.mul(x, builder.global_avg_pool(x))
    assert rows(builder, y, 1 / 16) == Rows(0, 16)


def test_a_signal_carries_no_data() -> None:
    """The second convolution waits for the first, and reads the image only."""
    builder, x = image()
    before = builder.conv(x, 4, 3)
    after = builder.conv(x, 4, 3, after=before)
    assert changed_rows(builder.build(before, after), 2 / 16)[after] == Rows(6, 10)


def test_a_network_without_images_changes_altogether_or_not_at_all() -> None:
    builder = GraphBuilder("text")
    y = builder.linear(builder.input(1, 128), 10)
    graph = builder.build(y)
    assert changed_share(graph, changed_rows(graph, 0.01), y) == 1.0
    assert changed_share(graph, changed_rows(graph, 0.0), y) == 0.0


# --- properties -----------------------------------------------------------------------------------------------

NETWORKS = ("mobilenet_v1", "resnet50", "vgg16", "yolov4_tiny", "unet", "mobilenet_v3")


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_and_everything(name: str) -> None:
    graph = build_model(name)
    assert not any(r.size for r in changed_rows(graph, 0.0).values())
    full = changed_rows(graph, 1.0)
    assert all(changed_share(graph, full, tensor) == 1.0 for tensor in graph.tensors)


@given(st.sampled_from(NETWORKS), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
@settings(max_examples=30, deadline=None)
def test_regions_of_larger_changes_contain_those_of_smaller_ones(name: str, one: float, other: float) -> None:
    graph = build_model(name)
    small, large = changed_rows(graph, min(one, other)), changed_rows(graph, max(one, other))
    for tensor, inner in small.items():
        outer = large[tensor]
        assert not inner.size or (outer.first <= inner.first and inner.end <= outer.end), tensor


def reached(graph: ModelGraph, changed: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each tensor that a change of rows reaches, window by window."""
    marks = {graph.inputs[0]: changed}
    for op in graph:
        own = marks[op.inputs[0]]
        marks[op.outputs[0]] = _step(graph, op, own, [marks[t] for t in op.inputs])
    return marks


def _step(graph: ModelGraph, op: Operator, own: np.ndarray, every: list[np.ndarray]) -> np.ndarray:
    height = graph.output_shape(op)[2]
    if op.type == "eltwise":
        return np.any(every, axis=0)
    if op.type == "resize":
        return np.repeat(own, height // len(own))
    kernel, stride = op.get("kernel")[0], op.get("stride")[0]
    if op.type == "deconv2d":
        marks = np.zeros(height + kernel, dtype=bool)
        for i in np.flatnonzero(own):
            marks[i * stride : i * stride + kernel] = True
        return marks[:height]
    top, spread = op.get("padding")[0], op.get("dilation", (1, 1))[0]
    read = [[o * stride - top + k * spread for k in range(kernel)] for o in range(height)]
    return np.array([any(0 <= r < len(own) and own[r] for r in window) for window in read])


@st.composite
def towers(draw: st.DrawFn) -> ModelGraph:
    """Random windows, residuals and up-samplings over an image of 24 rows."""
    builder, x = image(24)
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "pool", "residual", "resize", "deconv"]))
        kernel, stride = draw(st.sampled_from([1, 2, 3, 5])), draw(st.sampled_from([1, 2, 3]))
        if kind == "conv":
            x = builder.conv(x, 4, kernel, stride, dilation=draw(st.sampled_from([1, 2])))
        elif kind == "pool":
            x = builder.max_pool(x, kernel, stride, padding="same")
        elif kind == "residual":
            x = builder.add_(builder.conv(x, 4, kernel), x)
        elif kind == "resize":
            x = builder.resize(x, 2)
        else:
            x = builder.deconv(x, 4, stride, stride)
    return builder.build(x)


@given(towers(), st.integers(0, 24))
@settings(deadline=None)
def test_the_region_covers_whatever_a_change_reaches(graph: ModelGraph, count: int) -> None:
    found = changed_rows(graph, count / 24)
    changed = np.zeros(24, dtype=bool)
    changed[found[graph.inputs[0]].first : found[graph.inputs[0]].end] = True
    assert changed.sum() == count
    for tensor, marks in reached(graph, changed).items():
        region = found[tensor]
        assert set(np.flatnonzero(marks)) <= set(range(region.first, region.end)), tensor
