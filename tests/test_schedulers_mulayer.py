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
