"""uLayer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyLibrary, convolutions, network, pricer_of, view_of

from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.schedulers.mulayer import MuLayer, best_share, branch_groups, distribute
from socsim.schedulers.plan import Placement, Split
from socsim.schedulers.predictors import make_predictor
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.zoo import build_model

CPU, BUFFER = Placement("cpu"), Placement("gpu", "buffer")


def halves(gpu: float) -> Split:
    return Split("OC", ((CPU, round(1 - gpu, 9)), (BUFFER, gpu)))


# --- ratios -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cpu, gpu, step, share, time",
    [
        (1.0, 1.0, 0.1, 0.5, 0.5),
        (3.0, 1.0, 0.1, 0.8, 0.8),  # 0.7 would take max(0.9, 0.7)
        (3.0, 1.0, 0.25, 0.75, 0.75),
        (30.0, 1.0, 0.1, 1.0, 1.0),
        (1.0, 30.0, 0.1, 0.0, 1.0),
        (1.0, 1.0, 1.0, 1.0, 1.0),
        (0.0, 0.0, 0.1, 1.0, 0.0),
        (1.0, 1.0, 0.3, 0.4, 0.6),  # 1, 0.7, 0.4, 0.1, 0
    ],
)
def test_the_slower_half_decides(cpu, gpu, step, share, time):
    found = best_share(lambda s: cpu * s, lambda s: gpu * s, step)
    assert found == (share, pytest.approx(time))


@settings(max_examples=100, deadline=None)
@given(cpu=st.floats(0.01, 10), gpu=st.floats(0.01, 10), step=st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_splitting_is_never_predicted_to_be_slower(cpu, gpu, step):
    share, time = best_share(lambda s: cpu * s, lambda s: gpu * s, step)
    assert 0.0 <= share <= 1.0
    assert time <= min(cpu, gpu) + 1e-12
    assert time >= cpu * gpu / (cpu + gpu) - 1e-12


# --- operators ----------------------------------------------------------------------------------------------


def test_operators_are_split_by_channels_in_buffers():
    graph = convolutions(3)
    plan = MuLayer().plan(graph, view_of(graph))
    assert plan == dict.fromkeys(graph.operators, halves(0.5))  # both at 2e9 MAC/s


def test_its_predictor_counts_operations():
    assert MuLayer.predictor == "flops"


@pytest.mark.parametrize("rate, share", [(0.5, 0.7), (2.0, 0.3), (20.0, 0.0), (0.02, 1.0)])
def test_shares_follow_the_speeds(rate, share):
    graph = convolutions(1, size=40, channels=40)
    view = view_of(graph, rates={("cpu", "conv2d"): rate})
    decision = MuLayer().plan(graph, view)["conv1"]
    assert decision == (halves(share) if 0 < share < 1 else BUFFER if share else CPU)


def test_the_papers_step():
    graph = convolutions(1, size=40, channels=40)
    view = view_of(graph, rates={("cpu", "conv2d"): 0.5})
    assert MuLayer(step=0.25).plan(graph, view)["conv1"] == halves(0.75)


def test_what_cannot_be_divided_is_wanted_on_the_gpu():
    graph = network({"a": (1e6, ""), "b": (1e6, "a")})
    assert MuLayer().plan(graph, view_of(graph)) == {"a": BUFFER, "b": BUFFER}


def test_what_buffers_do_not_support_is_wanted_all_the_same():
    graph = convolutions(3)
    pricer = pricer_of(graph, TinyLibrary({"gpu/buffer": ["conv2"]}))
    raw = MuLayer().plan(graph, View(pricer, make_predictor("exact", pricer)))
    assert raw["conv2"] == BUFFER
    plan = resolve(raw, pricer)
    assert (plan.decisions["conv2"], list(plan.fallbacks)) == (CPU, ["conv2"])


def test_sharing_costs_nothing_in_its_eyes():
    graph = convolutions(2)
    cheap, dear = (MuLayer().plan(graph, view_of(graph, sync=s, mapping=m)) for s, m in ((0, 0), (1.0, 1e-3)))
    assert cheap == dear


def test_quantisation_takes_the_types_that_are_calibrated():
    """int8 on the CPU is twice as fast, fp16 on the GPU too: the ratio stays."""
    graph = convolutions(1)
    decision = MuLayer(quantise=True).plan(graph, view_of(graph))["conv1"]
    assert decision == Split(
        "OC", ((Placement("cpu", dtype="int8"), 0.5), (Placement("gpu", "buffer", "fp16"), 0.5))
    )
    resolve({"conv1": decision}, pricer_of(graph))


def test_quantisation_keeps_the_type_where_it_is_not_calibrated():
    graph = build_model("mobilenet_v1")
    pricer = Pricer(load_device("xiaomi-9"), load_library("mace"), graph, "fp32")
    plan = resolve(MuLayer(quantise=True).plan(graph, View(pricer, make_predictor("flops", pricer))), pricer)
    used = {p.dtype for d in plan.decisions.values() for p, _ in getattr(d, "shares", ())}
    assert used <= {"", *(k[2] for k in pricer.device.calibrations if k[0] == "mace")}


def test_without_a_gpu_all_is_on_the_cpu():
    graph = convolutions(2)
    pricer = pricer_of(graph)
    pricer.peers = ("cpu",)
    assert MuLayer().plan(graph, View(pricer, make_predictor("exact", pricer))) == dict.fromkeys(
        graph.operators, CPU
    )


@pytest.mark.parametrize("step", [0.0, -0.1, 1.5])
def test_steps_outside_the_range(step):
    with pytest.raises(UsageError, match="step of the share must be above 0 and at most 1"):
        MuLayer(step=step)


# --- branches -----------------------------------------------------------------------------------------------

FORKED = {
    "a": (1e6, ""), "b1": (1e6, "a"), "b2": (1e6, "b1"), "c": (2e6, "a"), "d": (1e6, "a"),
    "e": (1e6, "b2 c d"),
}  # fmt: skip


def test_branches_lie_between_a_fork_and_its_join():
    r"""
         .-> b1 -> b2 -.
    a --+----> c -------+-> e
         `---> d ------'
    """
    assert list(branch_groups(network(FORKED))) == [[["b1", "b2"], ["c"], ["d"]]]


def test_nested_forks_come_outer_first():
    r"""
         .-> b --+-> c --+-> e -.
    a --+         `-> d -'        +-> g
         `-> f ------------------'
    """
    graph = network(
        {
            "a": (1, ""),
            "b": (1, "a"),
            "c": (1, "b"),
            "d": (1, "b"),
            "e": (1, "c d"),
            "f": (1, "a"),
            "g": (1, "e f"),
        }
    )
    assert list(branch_groups(graph)) == [[["b", "c", "d", "e"], ["f"]], [["c"], ["d"]]]


@pytest.mark.parametrize(
    "work",
    [
        {"a": (1, ""), "b": (1, "a"), "c": (1, "b")},
        {"a": (1, ""), "b": (1, "a"), "c": (1, "a b")},  # a residual: one branch has no operators
        {"a": (1, ""), "b": (1, "a"), "c": (1, "a")},  # never joined
        {"a": (1, ""), "b": (1, ""), "c": (1, "a b")},  # never forked
    ],
)
def test_no_groups(work):
    assert list(branch_groups(network(work))) == []


def test_whole_branches_go_where_the_busier_processor_has_least():
    times = [{"cpu": 4.0, "gpu": 2.0}, {"cpu": 3.0, "gpu": 3.0}, {"cpu": 1.0, "gpu": 9.0}]
    assert distribute(times) == (4.0, ("gpu", "cpu", "cpu"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"cpu": st.floats(0.1, 9), "gpu": st.floats(0.1, 9)}), min_size=1, max_size=5
    )
)
def test_distribution_is_no_worse_than_one_processor(times):
    best, choice = distribute(times)
    assert len(choice) == len(times)
    assert best <= min(sum(t["gpu"] for t in times), sum(t["cpu"] for t in times)) + 1e-9
    assert best >= max(min(t.values()) for t in times) - 1e-9


def forked(left: int, right: int):
    builder = GraphBuilder("forked")
    x = builder.conv(builder.image(16, 16), 16, 1, name="head")
    a = builder.conv(x, left, 3, name="left")
    b = builder.conv(x, right, 3, name="right")
    return builder.build(builder.concat(a, b, name="join"))


def test_equal_branches_go_to_both_where_operators_cannot_be_divided():
    graph = forked(16, 16)
    library = TinyLibrary(splits={"image": (), "buffer": ()})
    plan = MuLayer().plan(graph, view_of(graph, library))
    assert (plan["left"], plan["right"]) == (BUFFER, CPU)
    assert MuLayer(branches=False).plan(graph, view_of(graph, library))["right"] == BUFFER


def test_branches_are_split_by_channels_where_that_is_faster():
    graph = forked(48, 16)  # 3 : 1, so whole branches would leave one side idle
    plan = MuLayer().plan(graph, view_of(graph))
    assert plan["left"] == plan["right"] == halves(0.5)


def test_branches_that_one_processor_does_not_support_are_not_distributed():
    graph = forked(16, 16)
    library = TinyLibrary({"gpu/buffer": ["left"]}, splits={"image": (), "buffer": ()})
    plan = MuLayer().plan(graph, view_of(graph, library))
    assert (plan["left"], plan["right"]) == (BUFFER, BUFFER)


# --- on calibrated phones -----------------------------------------------------------------------------------


def test_resnet_on_buffers_falls_back_often():
    """MACE's buffer kernels lack element-wise operators, normalisation, padding and reduction."""
    graph = build_model("resnet50_v2")
    pricer = Pricer(load_device("xiaomi-9"), load_library("mace"), graph)
    plan = resolve(MuLayer().plan(graph, View(pricer, make_predictor("flops", pricer))), pricer)
    convolutional = {op.name for op in graph if op.type in ("conv2d", "max_pool")}
    assert not convolutional.intersection(plan.fallbacks)
    assert len(plan.fallbacks) / len(graph) > 0.4


def test_the_largest_step_leaves_whole_operators():
    """With a step of 1 an operator is on one processor or the other."""
    graph = convolutions(3)
    plan = MuLayer(step=1.0, branches=False).plan(graph, view_of(graph))
    assert all(isinstance(decision, Placement) for decision in plan.values())


# --- against trying everything ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(times=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
def test_no_other_assignment_of_branches_is_faster(times):
    """Whole numbers, so that many are equally fast: of those the first in which earlier branches are on the GPU."""
    pairs = [{"cpu": float(c), "gpu": float(g)} for c, g in times]
    loads = {}
    for bits in range(2 ** len(pairs)):
        on_cpu = [bool(bits >> (len(pairs) - 1 - i) & 1) for i in range(len(pairs))]
        cpu = sum(own["cpu"] for own, there in zip(pairs, on_cpu, strict=True) if there)
        gpu = sum(own["gpu"] for own, there in zip(pairs, on_cpu, strict=True) if not there)
        loads[tuple("cpu" if there else "gpu" for there in on_cpu)] = max(cpu, gpu)
    best = min(loads.values())
    assert distribute(pairs) == (best, next(choice for choice, load in loads.items() if load == best))


@settings(max_examples=60, deadline=None)
@given(cpu=st.integers(1, 40), gpu=st.integers(1, 40), step=st.sampled_from([0.1, 0.25, 0.3, 1.0]))
def test_no_other_share_of_the_grid_is_faster(cpu, gpu, step):
    """In thousandths, so that ties are exact; of those the largest share of the GPU."""
    grid = [*range(1000, 0, -round(1000 * step)), 0]
    best = min(grid, key=lambda share: (max(cpu * (1000 - share), gpu * share), -share))
    share, time = best_share(lambda s: cpu * round(1000 * s), lambda s: gpu * round(1000 * s), step)
    assert (round(1000 * share), time) == (best, max(cpu * (1000 - best), gpu * best))


def paths_from(graph, name):
    """All ways from an operator to an operator that nothing reads."""
    readers = [op.name for op in graph if name in op.inputs]
    return [[name, *rest] for reader in readers for rest in paths_from(graph, reader)] or [[name]]


def connected(graph, names):
    """Parts of a set of operators that are connected within it, in the network's order."""
    parts = []
    for name in (op.name for op in graph if op.name in names):
        near = [p for p in parts if any(name in graph[q].inputs or q in graph[name].inputs for q in p)]
        joined = {name}.union(*near)
        parts = [p for p in parts if p not in near] + [joined]
    order = list(graph.operators)
    return sorted((sorted(part, key=order.index) for part in parts), key=lambda part: order.index(part[0]))


@settings(max_examples=80, deadline=None)
@given(edges=st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=2), min_size=7, max_size=7))
def test_groups_are_what_lies_between_a_fork_and_where_all_its_paths_meet(edges):
    names = "abcdefg"
    graph = network(
        {
            n: (1, " ".join(names[e] for e in es if e < i))
            for i, (n, es) in enumerate(zip(names, edges, strict=True))
        }
    )
    groups = []
    for fork in names:
        paths = paths_from(graph, fork)
        joins = [n for n in paths[0][1:] if all(n in path for path in paths)]
        if sum(fork in op.inputs for op in graph) > 1 and joins:
            inner = {n for path in paths for n in path[1 : path.index(joins[0])]}
            groups.append(connected(graph, inner))
    assert list(branch_groups(graph)) == [group for group in groups if len(group) > 1]


@settings(max_examples=40, deadline=None)
@given(
    channels=st.lists(st.sampled_from([8, 16, 48]), min_size=2, max_size=4), rate=st.sampled_from([0.5, 2.0])
)
def test_branches_are_distributed_only_where_that_is_faster_than_splitting(channels, rate):
    """Without hand-overs, as uLayer sees it: the busier side of the best assignment against the sum of best splits."""
    builder = GraphBuilder("forked")
    x = builder.conv(builder.image(16, 16), 16, 1, name="head")
    outputs = [builder.conv(x, c, 3, name=f"b{i}") for i, c in enumerate(channels)]
    graph = builder.build(builder.concat(*outputs, name="join"))
    view = view_of(graph, predictor="flops", rates={("cpu", "conv2d"): rate})
    plan = MuLayer().plan(graph, view)
    cpu, gpu = (
        [view.predict(graph[n], p, layout=layout) for n in outputs]
        for p, layout in (("cpu", ""), ("gpu", "buffer"))
    )
    whole, _ = distribute([{"cpu": c, "gpu": g} for c, g in zip(cpu, gpu, strict=True)])
    split = 0.0
    for name in outputs:
        op = graph[name]
        split += min(
            max(
                view.predict(op, "cpu", share=round(1 - s / 10, 9)) if s < 10 else 0.0,
                view.predict(op, "gpu", layout="buffer", share=s / 10) if s else 0.0,
            )
            for s in range(11)
        )
    assert any(isinstance(plan[name], Split) for name in outputs) == (whole >= split)
