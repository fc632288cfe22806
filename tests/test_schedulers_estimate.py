"""Predicted times of whole plans: the rules of the simulation, by hand."""

from __future__ import annotations

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import BACK, SYNC, TinyLibrary, convolutions, network, pricer_of, view_of

from socsim.errors import PlanError
from socsim.schedulers.chains import chain_parts, follower
from socsim.schedulers.estimate import estimate
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View
from socsim.simulation.context import Context
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.lowering import lower_plan
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.zoo import build_model

CPU, IMAGE, BUFFER, DSP = (
    Placement("cpu"),
    Placement("gpu", "image"),
    Placement("gpu", "buffer"),
    Placement("dsp"),
)
MS = 1e-3

# 1000 bytes a tensor: mapping 1 us, layout change 2 us.
MAP, TURN = 1e-6, 2e-6
OUT_IMAGE, OUT_BUFFER, IN_IMAGE, IN_BUFFER = TURN + MAP + SYNC, MAP + SYNC, BACK + TURN, BACK


def ms(graph, decisions, **options):
    library = options.pop("library", None)
    return estimate(Plan(decisions, **options), graph, view_of(graph, library)).makespan


def test_a_chain_on_the_cpu_is_a_sum():
    graph = network({"a": (2e6, ""), "b": (4e6, "a")})
    result = estimate(Plan({"a": CPU, "b": CPU}), graph, view_of(graph))
    assert result.finish == pytest.approx({"a": 1 * MS, "b": 3 * MS})
    assert result.makespan == pytest.approx(3 * MS)


@pytest.mark.parametrize(
    "placement, into, time, out",
    [
        (IMAGE, IN_IMAGE, 1 * MS, OUT_IMAGE),
        (BUFFER, IN_BUFFER, 2 * MS, OUT_BUFFER),
        (DSP, BACK, 4 * MS, MAP + 2 * SYNC),
    ],
)
def test_input_comes_from_the_cpu_and_results_go_back(placement, into, time, out):
    graph = network({"a": (4e6, "")})
    assert ms(graph, {"a": placement}) == pytest.approx(into + time + out)


def test_between_accelerators_data_pass_through_the_cpu():
    graph = network({"a": (4e6, ""), "b": (1e6, "a")})
    expected = IN_IMAGE + 1 * MS + OUT_IMAGE + BACK + 1 * MS + MAP + 2 * SYNC
    assert ms(graph, {"a": IMAGE, "b": DSP}) == pytest.approx(expected)


def test_branches_run_side_by_side():
    r"""
         .-> b (cpu 2 ms) -.
    a --+                   +-> d       all but b on the GPU
         `-> c (gpu 1 ms) -'
    """
    graph = network({"a": (4e6, ""), "b": (4e6, "a"), "c": (4e6, "a"), "d": (4e6, "b c")})
    time = ms(graph, {"a": IMAGE, "b": CPU, "c": IMAGE, "d": IMAGE})
    # The way to b: a's layout is changed on the GPU before c starts there, as b comes first.
    assert time == pytest.approx(IN_IMAGE + 1 * MS + OUT_IMAGE + 2 * MS + IN_IMAGE + 1 * MS + OUT_IMAGE)


def test_layout_changes_keep_the_accelerator_busy():
    """c waits behind the layout change for b; without it c would end 2 us earlier."""
    graph = network({"a": (4e6, ""), "b": (1.0, "a"), "c": (4e6, "a")})
    decisions = {"a": IMAGE, "b": CPU, "c": IMAGE}
    after_b = estimate(Plan(decisions), graph, view_of(graph)).finish["c"]
    before_b = estimate(Plan(decisions, order=("a", "c", "b")), graph, view_of(graph)).finish["c"]
    assert after_b - before_b == pytest.approx(TURN)


def test_a_tensor_is_handed_over_once():
    graph = network({"a": (4e6, ""), "b": (2e6, "a"), "c": (2e6, "a")})
    time = ms(graph, {"a": IMAGE, "b": CPU, "c": CPU})
    assert time == pytest.approx(IN_IMAGE + 1 * MS + OUT_IMAGE + 2 * MS)


def test_the_order_of_one_processor_is_the_plans():
    graph = network({"a": (2e6, ""), "b": (6e6, "")})
    plan = {"a": CPU, "b": CPU}
    assert estimate(Plan(plan), graph, view_of(graph)).finish == pytest.approx({"a": 1 * MS, "b": 4 * MS})
    turned = estimate(Plan(plan, order=("b", "a")), graph, view_of(graph)).finish
    assert turned == pytest.approx({"a": 4 * MS, "b": 3 * MS})


def test_an_invocation_has_a_fixed_cost_once_for_each_group():
    graph = network({"a": (2e6, ""), "b": (2e6, "a")})
    view = view_of(graph, overhead={"cpu": 5 * MS})
    plan = {"a": CPU, "b": CPU}
    assert estimate(Plan(plan), graph, view).makespan == pytest.approx(7 * MS)
    assert estimate(Plan(plan, groups=(("a",), ("b",))), graph, view).makespan == pytest.approx(12 * MS)


def test_changing_the_layout_within_a_processor():
    graph = network({"a": (4e6, ""), "b": (4e6, "a")})
    time = ms(graph, {"a": IMAGE, "b": BUFFER})
    assert time == pytest.approx(IN_IMAGE + 1 * MS + TURN + 2 * MS + OUT_BUFFER)


HALVES = Split("H", ((CPU, 0.5), (BUFFER, 0.5)))


def test_a_split_pays_for_its_slices():
    """The second convolution, half of the rows on each, reads what the GPU has: (5 - 1) + 3 = 7 of 10 rows."""
    graph = convolutions(2, size=10)
    first, second = graph
    passed = 4e-9 * 16 * 100  # mapping all of what a convolution writes
    whole, half = first.macs / 2e9, second.macs / 2 / 2e9  # both at 2e9 MAC/s
    lend = 0.7 * passed + SYNC + 0.5 * passed
    plan = Plan({"conv1": BUFFER, "conv2": HALVES})
    assert estimate(plan, graph, view_of(graph)).makespan == pytest.approx(
        BACK + whole + lend + half + BACK + passed + SYNC
    )


def test_the_cpu_has_the_network_s_input():
    """Nothing is lent: the CPU maps its slice of the output (3.2 us) while the GPU's half waits for the input."""
    graph = convolutions(1, size=10)
    (op,) = graph
    written = 4e-9 * 16 * 100
    assert written / 2 < BACK
    assert estimate(Plan({"conv1": HALVES}), graph, view_of(graph)).makespan == pytest.approx(
        BACK + op.macs / 2 / 2e9 + BACK + written + SYNC
    )


def test_a_chain_saves_hand_overs_and_computes_rows_twice():
    """Two convolutions of 20 by 20, halved: in a chain the CPU's half of conv1 has two rows and columns more.

    Apart, the CPU maps half of each output and 12 rows of the second input, and each half goes back; in a chain
    it maps 12 rows of 22 columns of the first output, and one half goes back.
    """
    graph = convolutions(2, size=20)
    view = view_of(graph)
    decisions = dict.fromkeys(graph.operators, HALVES)
    apart = estimate(Plan(decisions), graph, view).makespan
    chained = estimate(Plan(decisions, chains=(("conv1", "conv2"),)), graph, view).makespan
    passed = 4e-9 * 16 * 400  # mapping all of what conv1 or conv2 writes
    alone = (0.5 + 12 / 20 + 0.5) * passed + SYNC + 2 * BACK
    twice = 12 / 20 * 22 / 20
    together = twice * passed + BACK
    beside = (twice - 0.5) * graph["conv1"].macs / 2e9
    assert apart - chained == pytest.approx(alone - together - beside, rel=1e-9)


def test_unsupported_placements_have_no_estimate():
    graph = network({"a": (1e6, "")})
    with pytest.raises(PlanError):
        ms(graph, {"a": IMAGE}, library=TinyLibrary({"gpu": ["a"]}))


# --- chains -------------------------------------------------------------------------------------------------


def halos(graph, share, processor="cpu", dimension="H"):
    """(rows, columns) beside a processor's share of every operator of a network that is one chain."""
    parts = chain_parts(graph, list(graph), share, processor, dimension)
    assert all((part.share, part.dimension) == (share, dimension) for part in parts)
    return [(part.halo_rows, part.halo_columns) for part in parts]


def test_halos_grow_towards_the_head():
    """3x3, stride 1: every operator before needs two rows more, and on the CPU two columns of the border."""
    graph = convolutions(4, size=32)
    assert halos(graph, 0.5) == [(6, 6), (4, 4), (2, 2), (0, 0)]
    assert halos(graph, 0.5, "gpu") == [(6, 0), (4, 0), (2, 0), (0, 0)]


def test_halos_grow_with_kernels_and_rows_end_at_the_map():
    graph = convolutions(3, size=8, kernel=7)
    assert halos(graph, 0.5) == [(4, 12), (4, 6), (0, 0)]  # 4 + 6 rows are capped at 8


@pytest.mark.parametrize("share, dimension", [(0.5, "OC"), (1.0, "H"), (0.0, "H")])
def test_channels_and_whole_operators_have_no_halo(share, dimension):
    assert halos(convolutions(3), share, dimension=dimension) == [(0, 0)] * 3


def test_pools_read_their_own_share():
    builder = GraphBuilder("strided")
    x = builder.conv(builder.image(32, 32), 8, 3, name="a")
    graph = builder.build(builder.max_pool(x, 2, name="pool"))
    assert halos(graph, 0.5) == halos(graph, 0.25) == [(0, 0)] * 2  # 8 rows of the pool read 16 of 32


def test_pools_double_the_halo_of_what_follows():
    """conv 16 -> pool -> conv: two rows and columns of the pool are four of the first convolution."""
    builder = GraphBuilder("pooled")
    x = builder.max_pool(builder.conv(builder.image(32, 32), 8, 3, name="a"), 2, name="pool")
    graph = builder.build(builder.conv(x, 8, 3, name="b"))
    assert halos(graph, 0.5) == [(4, 4), (2, 2), (0, 0)]


def test_halos_of_yolov2_are_those_of_codl():
    """Sizes that its code gives eight and nine operators, halved: the CPU's first 228 by 436 and 244 by 452."""
    graph = build_model("yolov2")
    ops = list(graph)
    for length, sizes in ((8, (228, 436)), (9, (244, 452))):
        part = chain_parts(graph, ops[:length], 0.5, "cpu")[0]
        assert (208 + part.halo_rows, 416 + part.halo_columns) == sizes


def test_followers_are_only_readers():
    r"""a -> b -> c -> (result)
    \________/   and b's result is an output too"""
    builder = GraphBuilder("g")
    a = builder.conv(builder.image(8, 8), 3, 1, name="a")
    b = builder.conv(a, 3, 1, name="b")
    c = builder.conv(b, 3, 1, name="c")
    d = builder.add_(a, c, name="d")
    graph = builder.build(d, b)
    assert [f.name if (f := follower(graph, graph[n])) else None for n in "abcd"] == [None, None, "d", None]


# --- against the simulation ---------------------------------------------------------------------------------


def simulated(plan, pricer):
    env = simpy.Environment()
    executor, done = Executor(env, pricer.device), []
    graph = lower_plan(pricer, resolve(plan, pricer))
    host = pricer.device.fastest_core
    context = Context(executor, "a", host)
    executor.launch(Fragment(graph, "a", 0, context, lambda f: done.append(env.now)))
    env.run()
    return done[0]


PLACES = [CPU, IMAGE, BUFFER, DSP]


@settings(max_examples=80, deadline=None)
@given(
    places=st.lists(st.sampled_from(PLACES), min_size=6, max_size=6),
    edges=st.lists(st.sets(st.integers(0, 4), max_size=2), min_size=6, max_size=6),
    work=st.lists(st.integers(1, 20), min_size=6, max_size=6),
    overhead=st.sampled_from([0.0, 1e-3]),
    transposes=st.sampled_from([(), ("gpu",), ("gpu", "dsp")]),
)
def test_whole_operators_take_what_the_simulation_says(places, edges, work, overhead, transposes):
    names = "abcdef"
    tasks = {
        n: (w * 1e5, " ".join(names[e] for e in es if e < i))
        for i, (n, w, es) in enumerate(zip(names, work, edges, strict=True))
    }
    graph = network(tasks, rank=4)
    library = TinyLibrary(transposes=transposes)
    pricer = pricer_of(graph, library, overhead={"gpu": overhead, "cpu": overhead / 2})
    plan = Plan(dict(zip(names, places, strict=True)))
    predicted = estimate(plan, graph, View(pricer, ExactPredictor(pricer))).makespan
    assert predicted == pytest.approx(simulated(plan, pricer), rel=1e-6, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    shares=st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]), min_size=4, max_size=4),
    layout=st.sampled_from(["image", "buffer"]),
    chained=st.booleans(),
)
def test_splits_and_chains_take_what_the_simulation_says(shares, layout, chained):
    graph = convolutions(4, size=24)
    pricer = pricer_of(graph)
    gpu = Placement("gpu", layout)
    shares = [shares[0]] * 4 if chained else shares
    decisions = {
        name: Split("H", ((CPU, 1 - s), (gpu, s))) if 0 < s < 1 else gpu if s else CPU
        for name, s in zip(graph.operators, shares, strict=True)
    }
    chains = (tuple(graph.operators),) if chained and 0 < shares[0] < 1 else ()
    plan = Plan(decisions, chains=chains)
    predicted = estimate(plan, graph, View(pricer, ExactPredictor(pricer))).makespan
    assert predicted == pytest.approx(simulated(plan, pricer), rel=1e-6, abs=1e-9)
