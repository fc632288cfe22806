"""Plans as kernels and hand-overs: whole traces of one inference, worked out by hand.

The toy phone (see corekit): CPU 2 operations/s, GPU 8, DSP 4. A tensor of 64 B: map 1, transform 2, sync 0.5, and
back to an accelerator unmap 0.125 and 0.25 until it sees it. Hand-overs are told as ``step reader@receiver``.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path

import corekit
import pytest
from corekit import BUFFER, CPU, DSP, GPU, Row, edges, net, networks, outcome, placed, resolved, toy, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.simulation.handovers import CPU as CPU_PLACE
from socsim.simulation.handovers import Place
from socsim.simulation.lowering import lower_job, lower_plan


def to_gpu(reader: str, at: float, *, image: bool = True) -> list[Row]:
    """From the CPU: 0.375 s, and 2 s more into an image."""
    steps = [(f"map {reader}@gpu", at, at + 0.125), (f"sync {reader}@gpu", at + 0.125, at + 0.375)]
    return [*steps, (f"transform {reader}@gpu", at + 0.375, at + 2.375)] if image else steps


def to_cpu(reader: str, at: float, *, image: bool = True) -> list[Row]:
    """From an accelerator: 1.5 s, and 2 s before out of an image."""
    begin = at + 2.0 if image else at
    steps = [(f"map {reader}@cpu", begin, begin + 1.0), (f"sync {reader}@cpu", begin + 1.0, begin + 1.5)]
    return [(f"transform {reader}@gpu", at, begin), *steps] if image else steps


CHAIN = net("a:16 x; b:8 a")


# --- one processor --------------------------------------------------------------------------------------------


def test_the_cpu_needs_no_handover() -> None:
    """16 / 2 and 8 / 2 s."""
    assert trace(CHAIN, {"a": CPU, "b": CPU}) == [("a@cpu", 0.0, 8.0), ("b@cpu", 8.0, 12.0)]


def test_cpu_overheads() -> None:
    """1 s once for the inference, 0.5 s for each kernel."""
    device = toy(cpu={"inference_overhead": 1.0, "kernel_overhead": 0.5})
    assert trace(CHAIN, {"a": CPU, "b": CPU}, device) == [("a@cpu", 0.0, 9.5), ("b@cpu", 9.5, 14.0)]


def test_the_gpu_takes_the_input_and_gives_the_output_back() -> None:
    """a: 16 / 8 = 2 s from 2.375, b: 1 s, then out of the image to the CPU."""
    assert trace(CHAIN, {"a": GPU, "b": GPU}) == [
        *to_gpu("a", 0.0),
        ("a@gpu", 2.375, 4.375),
        ("b@gpu", 4.375, 5.375),
        *to_cpu("output", 5.375),
    ]


def test_buffers_need_no_transform() -> None:
    assert trace(CHAIN, {"a": BUFFER, "b": BUFFER}) == [
        *to_gpu("a", 0.0, image=False),
        ("a@gpu", 0.375, 2.375),
        ("b@gpu", 2.375, 3.375),
        *to_cpu("output", 3.375, image=False),
    ]


def test_gpu_overheads_and_dispatches_that_hide_behind_kernels() -> None:
    """Dispatches end 0.5 and 1 s after the transform is enqueued: nobody waits. a: 1 + 0.25 + 2 s, b: 0.25 + 1 s."""
    device = toy(gpu={"dispatch": 0.5, "kernel_overhead": 0.25, "inference_overhead": 1.0})
    assert trace(CHAIN, {"a": GPU, "b": GPU}, device) == [
        *to_gpu("a", 0.0),
        ("a@gpu", 2.375, 5.625),
        ("b@gpu", 5.625, 6.875),
        *to_cpu("output", 6.875),
    ]


def test_a_slow_host_sets_the_pace() -> None:
    """6 s for each dispatch from 0.375 on: a from 6.375, b from 12.375; core 0 dispatches for 12 s."""
    device = toy(dsp={"dispatch": 6.0})
    done = outcome(CHAIN, {"a": DSP, "b": DSP}, device, kernels=True)
    assert trace(CHAIN, {"a": DSP, "b": DSP}, device) == [
        ("map a@dsp", 0.0, 0.125),
        ("sync a@dsp", 0.125, 0.375),
        ("a@dsp", 6.375, 10.375),
        ("b@dsp", 12.375, 14.375),
        *to_cpu("output", 14.375, image=False),
    ]
    assert done.busy_s == {"cpu": 12.0 / 4, "gpu": 0.0, "dsp": 6.0}


def test_a_host_that_computes_dispatches_at_half_speed() -> None:
    """All on core 0: b (8 s) shares it with the map until 0.25, has it alone until 0.5, then shares with a's dispatch.

    The dispatch (6 s) ends at 12.5. b has done 0.125 + 0.25 + 6 s by then and needs 1.625 s more alone: until 14.125.
    """
    graph = net("a:16 x; b:16 x", outputs="a b")
    assert trace(graph, {"a": DSP, "b": CPU}, toy(dsp={"dispatch": 6.0}), cores="big:1") == [
        ("map a@dsp", 0.0, 0.25),
        ("b@cpu", 0.0, 14.125),
        ("sync a@dsp", 0.25, 0.5),
        ("a@dsp", 12.5, 16.5),
        *to_cpu("output", 16.5, image=False),
    ]


def test_a_call_costs_its_latency_once() -> None:
    rows = trace(CHAIN, {"a": DSP, "b": DSP}, toy(call_latency=3.0))
    assert rows[2:4] == [("a@dsp", 0.375, 7.375), ("b@dsp", 7.375, 9.375)]


def test_groups_are_invocations_of_their_own() -> None:
    """Two groups on one processor: the fixed cost of 1 s is due twice."""
    device = toy(cpu={"inference_overhead": 1.0})
    plan = Plan({"a": CPU, "b": CPU}, groups=(("a",), ("b",)))
    assert trace(CHAIN, plan, device) == [("a@cpu", 0.0, 9.0), ("b@cpu", 9.0, 14.0)]
    together = Plan({"a": CPU, "b": CPU}, groups=(("a", "b"),))
    assert trace(CHAIN, together, device) == [("a@cpu", 0.0, 9.0), ("b@cpu", 9.0, 13.0)]


def test_an_order_of_one_s_own() -> None:
    graph = net("a:16 x; b:8 x", outputs="a b")
    plan = Plan({"a": CPU, "b": CPU}, order=("b", "a"))
    assert trace(graph, plan) == [("b@cpu", 0.0, 4.0), ("a@cpu", 4.0, 12.0)]


# --- changes of processor -------------------------------------------------------------------------------------


def test_fallback_in_the_middle_pays_both_ways() -> None:
    """s has no GPU kernel: out of the image, map, sync; 8 s on the CPU; unmap, sync, into the image."""
    graph = net("a:16 x; s:16:softmax a; b:8 s")
    assert trace(graph, {"a": GPU, "s": GPU, "b": GPU}) == [
        *to_gpu("a", 0.0),
        ("a@gpu", 2.375, 4.375),
        *to_cpu("s", 4.375),
        ("s@cpu", 7.875, 15.875),
        *to_gpu("b", 15.875),
        ("b@gpu", 18.25, 19.25),
        *to_cpu("output", 19.25),
    ]


@pytest.fixture
def turning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The toy library, whose GPU has another order of dimensions now."""
    text = Path(corekit.LIBRARY).read_text()
    path = tmp_path / "turning.yaml"
    path.write_text(
        text.replace(
            "    on_unsupported: cpu\n",
            "    on_unsupported: cpu\n    transposed: {grade: A, source: made up}\n",
        )
    )
    monkeypatch.setattr(corekit, "LIBRARY", str(path))


@pytest.mark.usefixtures("turning")
def test_the_cpu_transposes_what_goes_over() -> None:
    """16 values of a and of s in 8 s each, before and after the fallback; input and output are taken as they are."""
    graph = net("a:16 x; s:16:softmax a; b:8 s")
    assert trace(graph, {"a": GPU, "s": GPU, "b": GPU}) == [
        *to_gpu("a", 0.0),
        ("a@gpu", 2.375, 4.375),
        *to_cpu("s", 4.375),
        ("transform s@cpu", 7.875, 15.875),
        ("s@cpu", 15.875, 23.875),
        ("transform b@cpu", 23.875, 31.875),
        *to_gpu("b", 31.875),
        ("b@gpu", 34.25, 35.25),
        *to_cpu("output", 35.25),
    ]


@pytest.mark.usefixtures("turning")
def test_what_two_read_is_transposed_once() -> None:
    """Both s and t read a on the CPU; buffers need no other change."""
    graph = net("a:16 x; s:16:softmax a; t:16:softmax a", outputs="s t")
    rows = trace(graph, {"a": BUFFER, "s": CPU, "t": CPU})
    assert rows[-3:] == [
        ("transform s@cpu", 3.875, 11.875),
        ("s@cpu", 11.875, 19.875),
        ("t@cpu", 19.875, 27.875),
    ]


@pytest.mark.usefixtures("turning")
def test_halves_are_handed_over_as_their_kernels_want_them() -> None:
    graph = net("p:8 x; a:64:conv2d p")
    rows = trace(graph, {"p": GPU, "a": split("H")})
    assert [what for what, _, _ in rows if what.endswith("@cpu")] == [
        "map a@cpu", "sync a@cpu", "map a@cpu", "a@cpu", "map output@cpu", "sync output@cpu"
    ]  # fmt: skip


def test_between_layouts_only_the_transform_is_due() -> None:
    assert trace(CHAIN, {"a": GPU, "b": BUFFER}) == [
        *to_gpu("a", 0.0),
        ("a@gpu", 2.375, 4.375),
        ("transform b@gpu", 4.375, 6.375),
        ("b@gpu", 6.375, 7.375),
        *to_cpu("output", 7.375, image=False),
    ]


def test_accelerators_share_through_the_cpu() -> None:
    """Out of the image 2, map 1, sync 0.5; unmap 0.125, sync 0.25."""
    assert trace(CHAIN, {"a": GPU, "b": DSP}) == [
        *to_gpu("a", 0.0),
        ("a@gpu", 2.375, 4.375),
        *to_cpu("b", 4.375),
        ("map b@dsp", 7.875, 8.0),
        ("sync b@dsp", 8.0, 8.25),
        ("b@dsp", 8.25, 10.25),
        *to_cpu("output", 10.25, image=False),
    ]


def test_inputs_of_two_processors_both_count() -> None:
    r"""x -> a (gpu, done at 2.375) --.
    `-> b (cpu, done at 8) ------+-> c (gpu buffer): b's tensor is there at 8.375
    """
    graph = net("a:16 x; b:16 x; c:8 a,b")
    assert trace(graph, {"a": BUFFER, "b": CPU, "c": BUFFER}) == [
        ("map a@gpu", 0.0, 0.125),
        ("b@cpu", 0.0, 8.0),
        ("sync a@gpu", 0.125, 0.375),
        ("a@gpu", 0.375, 2.375),
        *to_gpu("c", 8.0, image=False),
        ("c@gpu", 8.375, 9.375),
        *to_cpu("output", 9.375, image=False),
    ]


def test_a_tensor_is_handed_over_once_for_all_its_readers() -> None:
    """c and d read a on the CPU; only c pays."""
    graph = net("a:16 x; c:2 a; d:2 a", outputs="c d")
    assert trace(graph, {"a": BUFFER, "c": CPU, "d": CPU})[3:] == [
        *to_cpu("c", 2.375, image=False),
        ("c@cpu", 3.875, 4.875),
        ("d@cpu", 4.875, 5.875),
    ]


def test_two_tensors_of_one_processor_cross_together() -> None:
    """128 B are mapped in 2 s, after one sync; they start when the later one is there."""
    graph = net("a:16 x; b:16 x; c:2 a,b")
    assert trace(graph, {"a": BUFFER, "b": BUFFER, "c": CPU})[2:] == [
        ("a@gpu", 0.375, 2.375),
        ("b@gpu", 2.375, 4.375),
        ("map c@cpu", 4.375, 6.375),
        ("sync c@cpu", 6.375, 6.875),
        ("c@cpu", 6.875, 7.875),
    ]


def test_outputs_come_back_to_the_cpu_together_after_the_last() -> None:
    graph = net("a:16 x; b:16 x", outputs="a b")
    assert trace(graph, {"a": BUFFER, "b": BUFFER})[4:] == [
        ("map output@cpu", 4.375, 6.375),
        ("sync output@cpu", 6.375, 6.875),
    ]


def test_an_output_that_was_handed_over_already_is_there() -> None:
    """a leaves the network and is read by b on the CPU: one hand-over serves both."""
    graph = net("a:16 x; b:8 a", outputs="a b")
    assert trace(graph, {"a": BUFFER, "b": CPU})[3:] == [
        *to_cpu("b", 2.375, image=False),
        ("b@cpu", 3.875, 7.875),
    ]


# --- splits ---------------------------------------------------------------------------------------------------

CONV = net("a:64:conv2d x")
"""4 channels of 4 rows; 64 operations."""


def split(dimension: str, gpu: Placement = GPU) -> Split:
    """A quarter on the CPU."""
    return Split(dimension, ((CPU, 0.25), (gpu, 0.75)))


FED = net("p:8 x; a:64:conv2d p")
"""The same after an operator that leaves its tensor on the GPU, at 3.375 in an image and at 1.375 in a buffer."""


def test_channels_of_a_tensor_on_the_cpu_divided() -> None:
    """The CPU maps what it writes, 0.25 s, and begins; the GPU's half waits for the input in its image.

    Halves: CPU 16 / 2 = 8 s, GPU 48 / 8 = 6 s. The CPU's quarter goes back: unmap, sync, and 0.5 s into the image.
    """
    assert trace(CONV, {"a": split("OC")}) == [
        ("map a@gpu", 0.0, 0.125),
        ("map a@cpu", 0.0, 0.25),
        ("sync a@gpu", 0.125, 0.375),
        ("a@cpu", 0.25, 8.25),
        ("transform a@gpu", 0.375, 2.375),
        ("a@gpu", 2.375, 8.375),
        ("map a@gpu", 8.375, 8.5),
        ("sync a@gpu", 8.5, 8.75),
        ("transform a@gpu", 8.75, 9.25),
        *to_cpu("output", 9.25),
    ]


def test_channels_divided() -> None:
    """The CPU reads all of the input: transform 2, map 1, sync 0.5; it writes a quarter: map 0.25."""
    assert trace(FED, {"p": GPU, "a": split("OC")})[4:] == [
        *to_cpu("a", 3.375),
        ("map a@cpu", 6.875, 7.125),
        ("a@gpu", 7.125, 13.125),
        ("a@cpu", 7.125, 15.125),
        ("map a@gpu", 15.125, 15.25),
        ("sync a@gpu", 15.25, 15.5),
        ("transform a@gpu", 15.5, 16.0),
        *to_cpu("output", 16.0),
    ]


def test_rows_divided() -> None:
    """One row of output reads three of four of the input: transform 1.5, map 0.75."""
    assert trace(FED, {"p": GPU, "a": split("H")})[4:] == [
        ("transform a@gpu", 3.375, 4.875),
        ("map a@cpu", 4.875, 5.625),
        ("sync a@cpu", 5.625, 6.125),
        ("map a@cpu", 6.125, 6.375),
        ("a@gpu", 6.375, 12.375),
        ("a@cpu", 6.375, 14.375),
        ("map a@gpu", 14.375, 14.5),
        ("sync a@gpu", 14.5, 14.75),
        ("transform a@gpu", 14.75, 15.25),
        *to_cpu("output", 15.25),
    ]


def test_the_host_enqueues_the_gpu_s_half_before_it_computes_its_own() -> None:
    """The main thread does both: 0.5 s of dispatching come before both halves, and are not paid again.

    The dispatch of p, from 0.375 on, holds p back until 0.875; it ends at 1.875.
    """
    device = toy(gpu={"dispatch": 0.5})
    assert trace(FED, {"p": BUFFER, "a": split("H", BUFFER)}, device) == [
        *to_gpu("p", 0.0, image=False),
        ("p@gpu", 0.875, 1.875),
        ("map a@cpu", 1.875, 2.625),
        ("sync a@cpu", 2.625, 3.125),
        ("map a@cpu", 3.125, 3.375),
        ("dispatch a@gpu", 3.375, 3.875),
        ("a@gpu", 3.875, 9.875),
        ("a@cpu", 3.875, 11.875),
        *to_gpu("a", 11.875, image=False),
        *to_cpu("output", 12.25, image=False),
    ]


def test_the_host_enqueues_the_gpu_s_half_of_its_own_input_first_too() -> None:
    """Map of a quarter 0.25 s, dispatch 0.5 s: the CPU's half from 0.75 on, the GPU's not before."""
    device = toy(gpu={"dispatch": 0.5})
    assert trace(CONV, {"a": split("H", BUFFER)}, device) == [
        ("map a@gpu", 0.0, 0.125),
        ("map a@cpu", 0.0, 0.25),
        ("sync a@gpu", 0.125, 0.375),
        ("dispatch a@gpu", 0.25, 0.75),
        ("a@gpu", 0.75, 6.75),
        ("a@cpu", 0.75, 8.75),
        *to_gpu("a", 8.75, image=False),
        *to_cpu("output", 9.125, image=False),
    ]


def test_halves_that_end_together_join_at_once() -> None:
    """Half of 64 operations on a CPU as fast as the GPU: p's 64 B are mapped in 1 s, seen in 0.5; the half in 0.5."""
    halves = Split("OC", ((CPU, 0.5), (BUFFER, 0.5)))
    rows = trace(FED, {"p": BUFFER, "a": halves}, toy(big_rate=8.0))
    assert [row for row in rows if row[0] in ("a@cpu", "a@gpu")] == [
        ("a@cpu", 3.375, 7.375),
        ("a@gpu", 3.375, 7.375),
    ]
    assert rows[-4][1] == 7.375


def test_a_chain_pays_at_its_head_and_tail_only() -> None:
    """Of four rows and a column: b's row on the CPU needs three rows of a and all of the input, three columns wide.

    b's three rows on the GPU need all four, one column wide. a: CPU 2.25 * 64 / 2 = 72 s, GPU 64 / 8 = 8 s; b: CPU 8 s,
    GPU 6 s. The CPU's input takes three times as long as the column alone, 2.25 of a's output are mapped for writing.
    """
    graph = net("p:8 x; a:64:conv2d p; b:64:conv2d a")
    plan = Plan({"p": GPU, "a": split("H"), "b": split("H")}, chains=(("a", "b"),))
    assert trace(graph, plan)[4:] == [
        ("transform a@gpu", 3.375, 9.375),
        ("map a@cpu", 9.375, 12.375),
        ("sync a@cpu", 12.375, 12.875),
        ("map a@cpu", 12.875, 15.125),
        ("a@gpu", 15.125, 23.125),
        ("a@cpu", 15.125, 87.125),
        ("b@gpu", 23.125, 29.125),
        ("b@cpu", 87.125, 95.125),
        ("map b@gpu", 95.125, 95.25),
        ("sync b@gpu", 95.25, 95.5),
        ("transform b@gpu", 95.5, 96.0),
        *to_cpu("output", 96.0),
    ]


def test_a_residual_inside_a_chain_is_made_readable_on_both_sides() -> None:
    """y comes from the CPU, which has it; the GPU takes it into an image in the plan's order, between a and b."""
    graph = net("a:64:conv2d x; b:64:conv2d a,y", inputs="x y")
    plan = Plan({"a": split("H"), "b": split("H")}, chains=(("a", "b"),))
    assert trace(graph, plan) == [
        ("map a@gpu", 0.0, 0.125),
        ("map b@gpu", 0.0, 0.125),
        ("map a@cpu", 0.0, 2.25),
        ("sync a@gpu", 0.125, 0.375),
        ("sync b@gpu", 0.125, 0.375),
        ("transform a@gpu", 0.375, 2.375),
        ("a@cpu", 2.25, 74.25),
        ("a@gpu", 2.375, 10.375),
        ("transform b@gpu", 10.375, 12.375),
        ("b@gpu", 12.375, 18.375),
        ("b@cpu", 74.25, 82.25),
        ("map b@gpu", 82.25, 82.375),
        ("sync b@gpu", 82.375, 82.625),
        ("transform b@gpu", 82.625, 83.125),
        *to_cpu("output", 83.125),
    ]


def test_a_chain_is_made_of_splits() -> None:
    own, plan = resolved(CHAIN, {"a": CPU, "b": CPU})
    with pytest.raises(TypeError, match="a chain is made of splits"):
        lower_plan(own, Plan(plan.decisions, chains=(("a", "b"),)))


def test_outside_a_chain_every_operator_pays() -> None:
    """a's quarter goes back until 9.25; for b: 0.75 of its input out of the image, mapped, seen, and back again.

    1.5 + 0.75 + 0.5 + 0.25 s before b's 8 s on the CPU, 0.875 s after them.
    """
    graph = net("a:64:conv2d x; b:64:conv2d a")
    rows = trace(graph, {"a": split("H"), "b": split("H")})
    assert rows[-3:] == to_cpu("output", 9.25 + 3.0 + 8.0 + 0.875)
    assert [what for what, _, _ in rows if what.startswith("sync")] == [
        "sync a@gpu", "sync a@gpu", "sync b@cpu", "sync b@gpu", "sync output@cpu"
    ]  # fmt: skip


# --- deciding -------------------------------------------------------------------------------------------------


class Slow(StaticScheduler):
    """Takes 3 s to decide."""

    decision_time = 3.0

    def plan(self, graph, view):
        return dict.fromkeys(graph, "cpu")


def test_deciding_takes_its_time_before_everything_else() -> None:
    assert trace(CHAIN, Slow()) == [("call@cpu", 0.0, 3.0), ("a@cpu", 3.0, 11.0), ("b@cpu", 11.0, 15.0)]


# --- what a plan costs ----------------------------------------------------------------------------------------


def test_sums_of_a_lowering() -> None:
    """Two kernels; 64 B mapped and transformed each way; 0.25 and 0.5 s of synchronising."""
    own, plan = resolved(CHAIN, {"a": GPU, "b": GPU})
    graph = lower_plan(own, plan)
    assert (graph.kernels, graph.transfer_bytes, graph.sync_s) == (2, 4 * 64.0, 0.75)


def test_records_of_bytes() -> None:
    """A kernel reads and writes 64 B; a transform too, of which 64 B move; a map moves 64 B, a sync none."""
    done = outcome(CHAIN, {"a": GPU, "b": GPU}, kernels=True)
    assert {(r.kind, r.dram_bytes) for r in done.kernels} == {
        ("kernel", 128.0), ("transform", 128.0), ("map", 64.0), ("sync", 0.0)
    }  # fmt: skip


def test_shares_and_cores_are_recorded() -> None:
    done = outcome(CONV, {"a": split("OC")}, kernels=True)
    kernels = {r.processor: r for r in done.kernels if r.kind == "kernel"}
    assert (kernels["cpu"].share, kernels["cpu"].cores) == (0.25, (0,))
    assert (kernels["gpu"].share, kernels["gpu"].cores) == (0.75, ())


# --- jobs -----------------------------------------------------------------------------------------------------


def test_a_job_of_the_middle() -> None:
    """b alone on the DSP, its input in a GPU buffer: map and sync through the CPU, and no output to bring back."""
    own, _ = resolved(net("a:16 x; b:8 a; c:4 b"), {"a": CPU, "b": CPU, "c": CPU})
    graph, roots, produced = lower_job(own, ("b",), DSP, {"a": Place("gpu", "buffer")}, ())
    assert [(s.queue, [e.kind for e in s.entries]) for s in graph.segments] == [
        ("", ["map", "sync", "map", "sync"]), ("dsp", ["kernel"])
    ]  # fmt: skip
    assert roots == {0: ("a",)}
    assert produced == {"b": Place("dsp", "buffer")}


def test_a_job_that_has_its_inputs_waits_for_nothing() -> None:
    own, _ = resolved(CHAIN, {"a": CPU, "b": CPU})
    graph, roots, produced = lower_job(own, ("a", "b"), CPU, {"x": CPU_PLACE}, ("b",))
    assert (len(graph.segments), roots) == (1, {})
    assert produced == {"a": CPU_PLACE, "b": CPU_PLACE}


def test_an_opened_processor_takes_no_fixed_cost() -> None:
    own, _ = resolved(CHAIN, {"a": CPU, "b": CPU}, toy(cpu={"inference_overhead": 1.0}))
    overheads = [
        lower_job(own, ("a",), CPU, {"x": CPU_PLACE}, (), opened=opened)[0].segments[0].entries[0].overhead
        for opened in (False, True)
    ]
    assert overheads == [1.0, 0.0]


# --- properties -----------------------------------------------------------------------------------------------

quick = settings(max_examples=60, deadline=None)


@st.composite
def plans(draw):
    """A random network, and a random plan in which convolutions may be split."""
    graph, plan = draw(placed())
    for op in graph:
        if op.type == "conv2d" and draw(st.booleans()):
            share = draw(st.sampled_from([0.25, 0.5, 0.75]))
            plan[op.name] = Split(
                draw(st.sampled_from(["H", "OC"])),
                ((CPU, share), (draw(st.sampled_from([GPU, BUFFER])), 1.0 - share)),
            )
    return graph, plan


@quick
@given(plans())
def test_nothing_starts_before_its_inputs_are_there(case) -> None:
    """Along every edge: reader after producer, and after the hand-overs made for it on its side; outputs last."""
    graph, plan = case
    device = toy(gpu={"dispatch": 0.5}, dsp={"dispatch": 0.25})
    done = outcome(graph, plan, device, kernels=True)
    started, ended = {}, {}
    for r in done.kernels:
        if r.kind == "kernel":
            started[r.operator, r.processor] = r.start_s
            ended[r.operator] = max(ended.get(r.operator, 0.0), r.end_s)
    assert set(ended) == set(graph.operators)
    for before, after in edges(graph):
        assert all(at >= ended[before] - 1e-9 for (name, _), at in started.items() if name == after)
    for r in done.kernels:
        reader = started.get((r.operator, r.processor), 0.0)
        if r.kind in ("map", "sync", "transform") and r.start_s < reader:
            assert r.end_s <= reader + 1e-9
    assert done.inferences[0].finish_s >= max(ended.values()) - 1e-9


@quick
@given(placed())
def test_a_crossing_costs_its_handover_at_least(case) -> None:
    """From one processor to another nothing is read sooner than the steps of sharing take."""
    graph, plan = case
    kernels = {r.operator: r for r in outcome(graph, plan, kernels=True).kernels if r.kind == "kernel"}
    for before, after in edges(graph):
        source, target = kernels[before], kernels[after]
        least = (0.0 if source.processor == "cpu" else 1.5) + (0.0 if target.processor == "cpu" else 0.375)
        if source.processor != target.processor:
            assert target.start_s >= source.end_s + least - 1e-9


@quick
@given(placed())
def test_work_is_conserved(case) -> None:
    """Every operator runs once, for as long as its price says; busy times are the sums of what ran."""
    graph, plan = case
    done = outcome(graph, plan, kernels=True)
    own, ready = resolved(graph, plan)
    kernels = [r for r in done.kernels if r.kind == "kernel"]
    assert sorted(r.operator for r in kernels) == sorted(graph.operators)
    for r in kernels:
        where = ready.decisions[r.operator]
        assert r.end_s - r.start_s == pytest.approx(
            own.cost(graph[r.operator], where.processor, where.layout).time
        )
    for processor in ("gpu", "dsp"):
        ran = [r for r in done.kernels if r.processor == processor and r.kind in ("kernel", "transform")]
        assert done.busy_s[processor] == pytest.approx(sum(r.end_s - r.start_s for r in ran), abs=1e-9)


@quick
@given(plans())
def test_lowering_is_pure(case) -> None:
    graph, raw = case
    own, plan = resolved(graph, raw)
    before = copy.deepcopy(plan)
    first, second = lower_plan(own, plan), lower_plan(own, plan)
    fresh = lower_plan(resolved(graph, raw)[0], plan)
    assert first == second == fresh
    assert plan == before


@quick
@given(networks(), st.sampled_from([GPU, BUFFER]))
def test_accelerators_never_run_two_things_at_once(graph, where) -> None:
    done = outcome(graph, dict.fromkeys(graph.operators, where), kernels=True, count=2)
    spans = sorted(
        (r.start_s, r.end_s)
        for r in done.kernels
        if r.processor == "gpu" and r.kind in ("kernel", "transform")
    )
    assert all(after[0] >= before[1] - 1e-9 for before, after in pairwise(spans))
