"""The cost law of one kernel against its closed forms: roofline, Amdahl, chunks, saturation, and parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corekit import net, toy
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.device import Calibration, ClusterFactors, KernelRate
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import (
    WHOLE,
    KernelCost,
    Part,
    accelerator_cost,
    core_speeds,
    cpu_cost,
    input_share,
    output_share,
    part_bytes,
    part_groups,
    part_rows,
    part_shape,
    part_work,
)

DEVICE = toy()
BIG, LITTLE = DEVICE.clusters
PLAIN = Calibration("toy", "cpu", "fp32", "", {"other": KernelRate(1.0), "half": KernelRate(0.5)})
TASK = net("a:48 x")
OP = TASK["a"]


def cpu(*cores, calibration=PLAIN, kernel_class="other", bandwidth=1e9, **options) -> KernelCost:
    return cpu_cost(TASK, OP, kernel_class, calibration, cores, bandwidth=bandwidth, **options)


def gpu(kernel_class="other", part=WHOLE, **fields) -> KernelCost:
    return accelerator_cost(
        TASK, OP, kernel_class, replace(PLAIN, **fields), DEVICE.accelerators["gpu"], part=part
    )


# --- time -----------------------------------------------------------------------------------------------------


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 100), st.floats(0.1, 10))
def test_roofline(overhead, compute, size, bandwidth) -> None:
    cost = KernelCost(compute, size, bandwidth, overhead, 3.0, "other")
    assert cost.time == overhead + max(compute, size / bandwidth)


def test_one_core_takes_work_over_rate() -> None:
    """48 operations on a core of 2 operations/s."""
    assert cpu(BIG).compute == 24.0
    assert cpu(LITTLE).compute == 48.0
    assert cpu(BIG, kernel_class="half").compute == 48.0


def test_an_unknown_class_runs_at_the_rate_of_other() -> None:
    assert cpu(BIG, kernel_class="exotic").compute == 24.0
    assert cpu(BIG, kernel_class="exotic").kernel_class == "exotic"


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_amdahl(threads: int) -> None:
    """T(n) = T(1) (s + (1 - s) / n) on equal cores."""
    serial = 0.25
    cost = cpu(*[BIG] * threads, calibration=replace(PLAIN, serial_share=serial))
    assert cost.compute == pytest.approx(24.0 * (serial + (1 - serial) / threads))


def test_one_thread_has_no_serial_share() -> None:
    assert cpu(BIG, calibration=replace(PLAIN, serial_share=0.25)).compute == 24.0


def test_the_first_core_runs_the_serial_share() -> None:
    """12 serial operations on the little core, 18 each of the rest: 12 + 18 s; big first: 6 + 18 s."""
    calibration = replace(PLAIN, serial_share=0.25)
    assert cpu(LITTLE, BIG, calibration=calibration).compute == 30.0
    assert cpu(BIG, LITTLE, calibration=calibration).compute == 24.0


def test_equal_chunks_wait_for_the_little_core() -> None:
    """24 operations each: 12 s on the big core, 24 s on the little one."""
    assert cpu(BIG, LITTLE).compute == 24.0


def test_chunks_by_capacity_finish_together() -> None:
    """48 operations at 3 operations/s: 16 s."""
    assert cpu(BIG, LITTLE, chunking="capacity").compute == 16.0


@given(st.lists(st.sampled_from([BIG, LITTLE]), min_size=1, max_size=6))
def test_chunks_by_capacity_are_never_slower(cores) -> None:
    assert cpu(*cores, chunking="capacity").compute <= cpu(*cores).compute * (1 + 1e-12)


def test_threads_are_started_and_joined() -> None:
    calibration = replace(PLAIN, kernel_overhead=1.0, fork_join=0.25)
    assert cpu(BIG, calibration=calibration).overhead == 1.0
    assert cpu(BIG, BIG, LITTLE, calibration=calibration).overhead == 1.5


def test_half_work_halves_the_rate_for_every_thread() -> None:
    calibration = replace(PLAIN, kernels={"other": KernelRate(1.0, half_work=48.0)})
    assert cpu(BIG, calibration=calibration).compute == 48.0
    assert cpu(BIG, BIG, calibration=calibration).compute == 12.0 * 3


def test_cores_reach_what_all_of_them_and_the_kernels_allow() -> None:
    slow = replace(BIG, bandwidth=10.0)
    assert cpu(slow).bandwidth == 10.0
    assert cpu(slow, slow).bandwidth == 20.0
    assert cpu(slow, slow, bandwidth=16.0).bandwidth == 16.0
    assert cpu(slow, calibration=replace(PLAIN, bandwidth_share=0.5)).bandwidth == 5.0


def test_an_accelerator() -> None:
    """48 operations at 8 operations/s; the host's dispatch is told apart from the kernel's overhead."""
    cost = gpu(kernel_overhead=0.5, dispatch=0.25, bandwidth_share=0.5)
    assert (cost.compute, cost.overhead, cost.dispatch, cost.bandwidth) == (6.0, 0.5, 0.25, 5e8)
    assert cost.time == 6.5
    assert gpu("half").compute == 12.0


def test_half_work_on_an_accelerator() -> None:
    assert gpu(kernels={"other": KernelRate(1.0, half_work=144.0)}).compute == 24.0


def test_a_class_may_have_a_dispatch_of_its_own() -> None:
    kernels = {
        "other": KernelRate(1.0),
        "free": KernelRate(1.0, dispatch=0.0),
        "dear": KernelRate(1.0, dispatch=2.0),
    }
    costs = [gpu(name, kernels=kernels, dispatch=0.25).dispatch for name in ("other", "free", "dear")]
    assert costs == [0.25, 0.0, 2.0]


def grouped(groups: int) -> tuple[ModelGraph, Operator]:
    """Eight channels in that many groups, 3 x 3, on an image of 4 x 4."""
    b = GraphBuilder("one")
    graph = b.build(b.conv(b.input(1, 8, 4, 4), 8, 3, groups=groups))
    return graph, next(iter(graph))


@pytest.mark.parametrize(("groups", "counted"), [(1, 0.0), (2, 2.0), (4, 4.0), (8, 8.0)])
def test_every_group_costs_work(groups: int, counted: float) -> None:
    """100 operations each: on a core of 2 operations/s 50 s, on the GPU of 8 12.5 s."""
    graph, op = grouped(groups)
    assert part_groups(graph, op) == counted
    calibration = replace(PLAIN, kernels={"other": KernelRate(1.0, group_work=100.0)})
    one = cpu_cost(graph, op, "other", calibration, [BIG], bandwidth=1e9)
    two = accelerator_cost(graph, op, "other", calibration, DEVICE.accelerators["gpu"])
    assert one.compute == op.macs / 2.0 + 50.0 * counted
    assert two.compute == op.macs / 8.0 + 12.5 * counted


def test_groups_of_a_part() -> None:
    """Half of the channels are half of the groups, half of the rows are rows of all."""
    graph, op = grouped(8)
    assert part_groups(graph, op, Part(0.5, "OC")) == 4.0
    assert part_groups(graph, op, Part(0.5, "H")) == 8.0


def test_no_work_takes_no_computing() -> None:
    graph = net("a:0 x")
    calibration = replace(PLAIN, kernels={"other": KernelRate(1.0, half_work=10.0)})
    assert cpu_cost(graph, graph["a"], "other", calibration, [BIG], bandwidth=1e9).compute == 0.0
    assert (
        accelerator_cost(graph, graph["a"], "other", calibration, DEVICE.accelerators["gpu"]).compute == 0.0
    )


# --- parts ----------------------------------------------------------------------------------------------------


def conv(height: int = 8, channels: int = 6, kernel: int = 3, stride: int = 1, padding: object = "same"):
    b = GraphBuilder("one")
    graph = b.build(
        b.conv(b.input(1, 4, height, 8), channels, kernel, stride=stride, padding=padding, name="c")
    )
    return graph, graph["c"]


def test_work_is_macs_or_elementary_operations_but_at_least_one_per_output() -> None:
    graph = net("a:48 x; s:40:softmax a; e:3:eltwise s")
    assert [part_work(graph, op) for op in graph] == [48, 40, 16]


def test_channels_are_divided_whole() -> None:
    graph, op = conv()
    assert output_share(graph, op, Part(0.5)) == 0.5
    assert output_share(graph, op, Part(0.4)) == 0.5  # 2.4 of 6 channels become 3
    assert output_share(graph, op, Part(0.01)) == pytest.approx(1 / 6)
    assert output_share(graph, op, WHOLE) == 1.0


def test_features_are_divided_whole_too() -> None:
    b = GraphBuilder("fc")
    graph = b.build(b.dense(b.input(1, 8), 10, name="f"))
    assert output_share(graph, graph["f"], Part(0.25)) == pytest.approx(0.3)


def test_rows_are_divided_whole_with_their_halo() -> None:
    graph, op = conv()
    assert part_rows(graph, op, Part(0.5, "H")) == 4
    assert part_rows(graph, op, Part(0.3, "H")) == 3
    assert part_rows(graph, op, Part(0.5, "H", 2)) == 6
    assert part_rows(graph, op, Part(0.9, "H", 5)) == 8
    assert output_share(graph, op, Part(0.5, "H", 2)) == 0.75


def test_columns_of_a_border_widen_what_is_computed_and_read() -> None:
    """Of 8 by 8: six rows of ten columns are 60 / 64; they read (6 - 1) + 3 rows of ten columns, 80 / 64."""
    graph, op = conv()
    part = Part(0.5, "H", 2, 2)
    assert output_share(graph, op, part) == pytest.approx(60 / 64)
    assert input_share(graph, op, part) == pytest.approx(80 / 64)
    assert part_work(graph, op, part) == pytest.approx(op.macs * 60 / 64)
    strided, op2 = conv(height=16, stride=2)
    assert input_share(strided, op2, Part(0.5, "H", 0, 2)) == pytest.approx(9 / 16 * (1 + 4 / 8))


def test_rows_of_the_input_follow_the_window() -> None:
    """4 rows of output read (4 - 1) * stride + kernel rows of input."""
    graph, op = conv()
    assert input_share(graph, op, Part(0.5, "H")) == 6 / 8
    assert input_share(graph, op, Part(0.5, "OC")) == 1.0
    assert input_share(graph, op, WHOLE) == 1.0
    strided, op2 = conv(height=16, stride=2)
    assert input_share(strided, op2, Part(0.5, "H")) == 9 / 16


@pytest.mark.parametrize(
    ("kernel", "stride", "rows"),
    [
        ((5, 1), (1, 1), 12),
        ((1, 5), (1, 1), 8),
        ((3, 3), (2, 1), 9),
        ((3, 3), (1, 2), 10),
        ((1, 1), (2, 2), 7),
    ],
)
def test_only_what_is_high_about_a_window_adds_rows(kernel, stride, rows: int) -> None:
    """Half of what 16 rows give: (rows - 1) * stride + kernel of them are read."""
    b = GraphBuilder("windows")
    graph = b.build(b.conv(b.input(1, 2, 16, 16), 4, kernel, stride, name="c"))
    assert input_share(graph, graph["c"], Part(0.5, "H")) == rows / 16


def test_what_has_no_window_reads_its_rows_alone() -> None:
    b = GraphBuilder("plain")
    graph = b.build(b.activation(b.input(1, 2, 16, 8), "relu", name="r"))
    assert input_share(graph, graph["r"], Part(0.25, "H")) == 4 / 16


def test_a_vector_is_one_channel_that_is_not_cut() -> None:
    b = GraphBuilder("vector")
    graph = b.build(b.add("task", [b.input(12)], (12,), name="t"))
    assert output_share(graph, graph["t"], Part(0.3)) == 0.3
    shape = part_shape(graph, graph["t"])
    assert (shape.channels, shape.pixels, shape.outputs) == (1, 12, 12)


def test_a_part_reads_no_more_than_everything() -> None:
    graph, op = conv(kernel=7)
    assert input_share(graph, op, Part(0.75, "H")) == 1.0


def test_operators_without_rows_share_their_input_as_their_output() -> None:
    b = GraphBuilder("flat")
    graph = b.build(b.activation(b.input(1, 8), "relu", name="r"))
    assert input_share(graph, graph["r"], Part(0.5, "H")) == output_share(graph, graph["r"], Part(0.5, "H"))


def test_bytes_of_a_whole_operator() -> None:
    """256 inputs, 384 outputs, 6 * 4 * 9 + 6 = 222 weights, at the type's width."""
    graph, op = conv()
    assert part_bytes(graph, op, "fp32") == 4 * (256 + 384 + 222)
    assert part_bytes(graph, op, "fp16") == 2 * (256 + 384 + 222)


def test_only_the_rows_of_a_table_that_are_looked_up_are_read() -> None:
    """3 indices, 3 rows of 8 read and written; not the table's 1000 rows."""
    b = GraphBuilder("table")
    graph = b.build(b.embedding(b.input(1, 3), 1000, 8, name="e"))
    assert part_bytes(graph, graph["e"], "fp32") == 4 * (3 + 24 + 24)


def test_channels_read_all_of_the_input_and_their_share_of_the_weights() -> None:
    graph, op = conv()
    assert part_bytes(graph, op, "fp32", Part(0.5, "OC")) == 4 * (256 + 192 + 111)


def test_rows_read_their_share_of_the_input_and_all_weights() -> None:
    graph, op = conv()
    assert part_bytes(graph, op, "fp32", Part(0.5, "H")) == 4 * (192 + 192 + 222)


def test_the_work_of_a_part_is_its_share_of_the_output() -> None:
    graph, op = conv()
    assert part_work(graph, op, Part(0.5, "OC")) == op.macs / 2
    assert part_work(graph, op, Part(0.5, "H", 2)) == op.macs * 0.75


@given(st.floats(0.01, 0.99), st.sampled_from(["OC", "H"]), st.integers(4, 20))
def test_two_parts_do_at_least_the_whole_work(share, dimension, height) -> None:
    graph, op = conv(height=height, channels=7)
    parts = [part_work(graph, op, Part(s, dimension)) for s in (share, 1.0 - share)]
    assert sum(parts) >= op.macs * (1 - 1e-9)
    assert sum(parts) <= op.macs * (1 + 1 / min(7, height) + 1e-9)


@given(st.integers(1, 64), st.sampled_from(["OC", "H"]))
def test_a_share_of_whole_units_is_not_rounded_up(n, dimension) -> None:
    """k / n of n rows or channels are k, whatever the floats say."""
    graph, op = conv(height=n, channels=n)
    for k in range(1, n):
        assert output_share(graph, op, Part(k / n, dimension)) == k / n


# --- shapes, clusters ------------------------------------------------------------------------------------------


def image_net():
    """A convolution of 3 x 3 over 8 channels to 16 in 2 groups, on 6 x 10 positions."""
    builder = GraphBuilder("image")
    x = builder.input(1, 8, 6, 10)
    return builder.build(builder.conv(x, 16, 3, groups=2))


def test_shape_of_a_convolution() -> None:
    graph = image_net()
    op = next(iter(graph))
    shape = part_shape(graph, op)
    assert (shape.pixels, shape.channels, shape.outputs) == (60, 8, 960)
    assert shape.depth == 4 * 9
    rows = part_shape(graph, op, Part(0.5, "H"))
    assert (rows.pixels, rows.channels, rows.outputs, rows.depth) == (30, 8, 480, 36)
    columns = part_shape(graph, op, Part(0.25, "OC"))
    assert (columns.pixels, columns.channels, columns.outputs, columns.depth) == (60, 2, 240, 36)


def test_shape_of_other_operators() -> None:
    """Depthwise convolutions work on all channels at once; a product of matrices has as many rows as tokens."""
    builder = GraphBuilder("more")
    x = builder.input(1, 8, 4, 4)
    builder.depthwise(x, 3)
    y = builder.input(1, 5, 32, name="tokens")
    graph = builder.build(builder.linear(y, 10))
    depthwise, linear = (part_shape(graph, op) for op in graph)
    assert (depthwise.channels, depthwise.pixels, depthwise.depth) == (8, 16, 9)
    assert (linear.channels, linear.pixels, linear.depth) == (10, 5, 32)


@pytest.mark.parametrize(
    ("half", "times"),
    [("half_depth", 2.0), ("half_channels", 5.5), ("half_pixels", 1.6), ("half_outputs", 1.0375)],
)
def test_each_extent_halves_a_rate(half: str, times: float) -> None:
    """At 36 a rate with a depth of 36 halves, one with 8 channels falls to 2/11, and so on."""
    graph = image_net()
    op = next(iter(graph))
    rate = KernelRate(1.0, **{half: 36.0})
    calibration = replace(PLAIN, kernels={"other": rate})
    plain = cpu_cost(graph, op, "other", PLAIN, [BIG], bandwidth=1e9).compute
    assert cpu_cost(graph, op, "other", calibration, [BIG], bandwidth=1e9).compute == pytest.approx(
        times * plain
    )
    assert calibration.kernels["other"].shaped
    gpu_plain = accelerator_cost(graph, op, "other", PLAIN, DEVICE.accelerators["gpu"]).compute
    gpu_slow = accelerator_cost(graph, op, "other", calibration, DEVICE.accelerators["gpu"]).compute
    assert gpu_slow == pytest.approx(times * gpu_plain)


def test_a_class_that_runs_on_one_thread() -> None:
    kernels = {"other": KernelRate(1.0), "alone": KernelRate(1.0, serial_share=1.0)}
    calibration = replace(PLAIN, kernels=kernels, serial_share=0.25)
    assert cpu(BIG, BIG, calibration=calibration, kernel_class="alone").compute == 24.0
    assert cpu(BIG, BIG, calibration=calibration).compute == pytest.approx(24.0 * 0.625)


def test_clusters_differ_from_their_peaks() -> None:
    """The little cores: half as fast as told, a quarter in class half; their fixed times are three times as long."""
    little = ClusterFactors(speed=0.5, kernels={"half": 0.25}, overhead=3.0)
    calibration = replace(PLAIN, clusters={"little": little}, kernel_overhead=1.0, fork_join=0.5)
    assert cpu(LITTLE, calibration=calibration).compute == 96.0
    assert cpu(LITTLE, calibration=calibration, kernel_class="half").compute == 48.0 / 0.5 / 0.25
    assert cpu(BIG, calibration=calibration).compute == 24.0
    assert cpu(LITTLE, LITTLE, calibration=calibration).overhead == 4.5
    assert cpu(BIG, LITTLE, calibration=calibration).overhead == 1.5
    assert cpu(BIG, LITTLE, calibration=calibration, chunking="capacity").compute == pytest.approx(48 / 2.5)


def test_what_is_lost_between_clusters() -> None:
    """Cores off the first one's cluster lose; those on it do not."""
    calibration = replace(PLAIN, crossing=0.5)
    assert cpu(BIG, BIG, calibration=calibration).compute == 12.0
    assert cpu(BIG, LITTLE, calibration=calibration, chunking="capacity").compute == pytest.approx(48 / 2.5)
    assert cpu(BIG, LITTLE, calibration=calibration).compute == 48.0
    assert core_speeds(calibration, "other", [LITTLE, BIG]) == [1.0, 1.0]
