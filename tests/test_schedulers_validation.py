"""From a raw plan to one that can run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyLibrary, convolutions, network, pricer_of

from socsim.errors import PlanError, UnknownNameError
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.schedulers.validation import resolve
from socsim.workloads.builder import GraphBuilder

CHAIN = convolutions(3)
TASKS = network({"a": (1e6, ""), "b": (1e6, "a"), "c": (1e6, "a"), "d": (1e6, "b c")})


def split(gpu=0.5, *, dimension="H", layout="image", cpu=None):
    return Split(
        dimension, ((Placement("cpu"), 1 - gpu if cpu is None else cpu), (Placement("gpu", layout), gpu))
    )


def everywhere(decision, graph=CHAIN):
    return dict.fromkeys(graph.operators, decision)


# --- layouts ------------------------------------------------------------------------------------------------


def test_layouts_are_filled_in():
    plan = resolve({"a": "cpu", "b": "gpu", "c": "dsp", "d": Placement("gpu", "buffer")}, pricer_of(TASKS))
    assert plan.decisions == {
        "a": Placement("cpu"),
        "b": Placement("gpu", "image"),
        "c": Placement("dsp", "buffer"),
        "d": Placement("gpu", "buffer"),
    }
    assert plan.fallbacks == {}


def test_layouts_are_filled_into_splits():
    plan = resolve(
        everywhere(Split("H", ((Placement("cpu"), 0.5), (Placement("gpu"), 0.5)))), pricer_of(CHAIN)
    )
    assert plan.decisions["conv1"] == split()


def test_the_first_layout_follows_the_data_type():
    plan = resolve(everywhere(Placement("gpu", dtype="fp16")), pricer_of(CHAIN))
    assert plan.decisions["conv1"] == Placement("gpu", "buffer", "fp16")


def test_a_split_with_one_share_is_a_placement():
    plan = resolve(everywhere(Split("H", ((Placement("gpu"), 1.0),))), pricer_of(CHAIN))
    assert plan.decisions["conv2"] == Placement("gpu", "image")


def test_everything_else_of_a_plan_stays():
    raw = Plan(
        everywhere(Placement("cpu"), TASKS), groups=(("a",), ("b", "c", "d")), order=("a", "c", "b", "d"),
        frequency_hints={"gpu": 1e9}, gap=0.25, fallbacks={"a": "told"},
    )  # fmt: skip
    plan = resolve(raw, pricer_of(TASKS))
    assert (plan.groups, plan.order, plan.frequency_hints) == (raw.groups, raw.order, raw.frequency_hints)
    assert (plan.gap, plan.fallbacks) == (0.25, {"a": "told"})


# --- what is refused ----------------------------------------------------------------------------------------

GPU, CPU = Placement("gpu"), Placement("cpu")


@pytest.mark.parametrize(
    "decision, message",
    [
        ("gpux", "^unknown processor 'gpux'; did you mean 'gpu'"),
        ("quantum", "^unknown processor 'quantum'; known: cpu, gpu, dsp"),
        (Placement("gpu", "imag"), "^unknown gpu layout 'imag'; did you mean 'image'"),
        (Placement("gpu", dtype="int8"), "'tiny' is not calibrated for 'int8' on 'gpu' of 'tiny'"),
        (split(0.0), r"shares must be above 0 and at most 1, got \[1.0, 0.0\]"),
        (split(1.5), r"shares must be above 0 and at most 1, got \[-0.5, 1.5\]"),
        (split(0.5, cpu=0.4), r"shares must sum to 1, got \[0.4, 0.5\], which sum to 0.9"),
        (split(float("nan")), "shares must be above 0"),
        (Split("H", ((GPU, 0.5), (GPU, 0.5))), "may name a processor once"),
        (Split("H", ((GPU, 0.5), (Placement("dsp"), 0.5))), "between the CPU and one accelerator"),
        (Split("H", ((CPU, 0.5), (GPU, 0.25), (Placement("dsp"), 0.25))), "CPU and one accelerator"),
        (Split("H", ()), "shares must sum to 1"),
        (split(dimension="OC"), r"may be split along H with layout 'image', got 'OC'"),
        (split(dimension="W"), r"may be split along H with layout 'image', got 'W'"),
    ],
)  # fmt: skip
def test_bad_decisions(decision, message):
    with pytest.raises(PlanError, match=message):
        resolve(everywhere(decision), pricer_of(CHAIN))


def test_what_is_wrong_with_one_operator_names_it():
    decisions = {op.name: "cpu" for op in CHAIN} | {"conv1": "npu"}
    with pytest.raises(PlanError, match=r"^operator 'conv1': tiny has no npu; it has cpu, gpu, dsp$"):
        resolve(decisions, pricer_of(CHAIN))


def test_an_operator_that_cannot_be_split():
    with pytest.raises(
        PlanError, match=r"operator 'a' \(task\) cannot be split with layout 'image', got 'H'"
    ):
        resolve(everywhere(split(), TASKS), pricer_of(TASKS))


def test_a_processor_that_the_library_does_not_use():
    device_without = pricer_of(CHAIN, dsp="fp16")
    with pytest.raises(
        PlanError, match="library 'tiny' does not run on 'dsp' of 'tiny'; it runs on cpu, gpu"
    ):
        resolve(everywhere("dsp"), device_without)


def test_unknown_cores():
    with pytest.raises(UnknownNameError, match="unknown cluster 'bik'; did you mean 'big'"):
        resolve(everywhere(Placement("cpu", cores="bik:1")), pricer_of(CHAIN))


@pytest.mark.parametrize("raw", [None, "gpu", ["gpu"]])
def test_something_that_is_no_plan(raw):
    with pytest.raises(PlanError, match="a plan is a Plan or a mapping"):
        resolve(raw, pricer_of(CHAIN))


@pytest.mark.parametrize(
    "order, message",
    [
        (("a", "b", "c"), "must name each of its 4 operators once"),
        (("a", "b", "c", "c"), "must name each of its 4 operators once"),
        (("a", "b", "c", "e"), "the order of 'tasks': unknown operator 'e'"),
        (("b", "a", "c", "d"), "puts 'b' before 'a', whose output it reads"),
    ],
)
def test_bad_orders(order, message):
    with pytest.raises(PlanError, match=message):
        resolve(Plan(everywhere(CPU, TASKS), order=order), pricer_of(TASKS))


@pytest.mark.parametrize("groups", [(("a", "b"),), (("a", "b"), ("b", "c", "d"))])
def test_bad_groups(groups):
    with pytest.raises(PlanError, match="the groups of 'tasks' must name each of its 4 operators once"):
        resolve(Plan(everywhere(CPU, TASKS), groups=groups), pricer_of(TASKS))


# --- chains -------------------------------------------------------------------------------------------------


def test_a_chain_is_kept():
    plan = resolve(Plan(everywhere(split(0.25)), chains=(("conv1", "conv2", "conv3"),)), pricer_of(CHAIN))
    assert plan.chains == (("conv1", "conv2", "conv3"),)


@pytest.mark.parametrize(
    "change, chain, message",
    [
        ({"conv2": GPU}, ("conv1", "conv2"), "chain conv1 -> conv2: 'conv2' is not split"),
        ({"conv2": split(0.25)}, ("conv1", "conv2"), "same shares, 'conv2' is not"),
        ({}, ("conv1", "conv3"), "'conv3' is not the only reader of 'conv1'"),
        ({}, ("conv2", "conv1"), "'conv1' is not the only reader of 'conv2'"),
        ({}, ("conv1", "conv4"), "the chains of 'convolutions': unknown operator 'conv4'; did you mean"),
        ({}, ("conv1", "conv1"), "'conv1' is in two chains"),
    ],
)
def test_bad_chains(change, chain, message):
    decisions = everywhere(split()) | change
    with pytest.raises(PlanError, match=message):
        resolve(Plan(decisions, chains=(chain,)), pricer_of(CHAIN))


def test_chains_are_of_rows():
    decisions = everywhere(split(dimension="OC", layout="buffer"))
    with pytest.raises(PlanError, match="all must be split along H"):
        resolve(Plan(decisions, chains=(("conv1", "conv2"),)), pricer_of(CHAIN))


def test_what_a_chain_passes_on_may_not_be_read_elsewhere():
    r"""a -> b -> sum
    \_______/"""
    builder = GraphBuilder("residual")
    a = builder.conv(builder.image(16, 16), 3, 3, name="a")
    b = builder.conv(a, 3, 3, name="b")
    graph = builder.build(builder.add_(a, b, name="sum"))
    decisions = {"a": split(), "b": split(), "sum": GPU}
    with pytest.raises(PlanError, match="'b' is not the only reader of 'a'"):
        resolve(Plan(decisions, chains=(("a", "b"),)), pricer_of(graph))


# --- fallbacks ----------------------------------------------------------------------------------------------


def test_unsupported_operators_fall_back_to_the_cpu():
    library = TinyLibrary({"gpu/image": ["b", "c"]})
    plan = resolve(everywhere("gpu", TASKS), pricer_of(TASKS, library))
    assert [p.processor for p in plan.decisions.values()] == ["gpu", "cpu", "cpu", "gpu"]
    assert plan.fallbacks == dict.fromkeys("bc", "no task kernel on the gpu/image")


def test_a_split_falls_back_as_a_whole_and_breaks_its_chain():
    graph = convolutions(5)
    library = TinyLibrary({"gpu/image": ["conv3"]})
    plan = resolve(
        Plan(everywhere(split(), graph), chains=(tuple(graph.operators),)), pricer_of(graph, library)
    )
    assert plan.decisions["conv3"] == Placement("cpu")
    assert plan.chains == (("conv1", "conv2"), ("conv4", "conv5"))
    assert list(plan.fallbacks) == ["conv3"]


def test_a_piece_of_one_operator_is_no_chain():
    library = TinyLibrary({"gpu/image": ["conv2"]})
    plan = resolve(Plan(everywhere(split()), chains=(tuple(CHAIN.operators),)), pricer_of(CHAIN, library))
    assert plan.chains == ()


def test_a_split_of_an_unsupported_operator_need_not_be_possible():
    library = TinyLibrary({"gpu/image": ["task"]})
    plan = resolve(everywhere(split(), TASKS), pricer_of(TASKS, library))
    assert set(plan.fallbacks) == set("abcd")


def test_libraries_without_fallback_refuse():
    library = TinyLibrary({"dsp": ["b", "d"]}, fails=["dsp"])
    message = (
        r"'tiny' cannot run 2 of 4 operators of 'tasks' on 'dsp' and does not fall back; first: 'b' \(no task"
    )
    with pytest.raises(PlanError, match=message):
        resolve(everywhere("dsp", TASKS), pricer_of(TASKS, library))


def test_only_the_first_three_are_told():
    library = TinyLibrary({"dsp": ["task"]}, fails=["dsp"])
    with pytest.raises(PlanError, match="4 of 4") as error:
        resolve(everywhere("dsp", TASKS), pricer_of(TASKS, library))
    assert "'c' (" in str(error.value)
    assert "'d' (" not in str(error.value)


def test_nothing_falls_back_from_the_cpu():
    with pytest.raises(PlanError, match="cannot run 1 of 4 operators of 'tasks' on 'cpu'"):
        resolve(everywhere("cpu", TASKS), pricer_of(TASKS, TinyLibrary({"cpu": ["a"]})))


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.sampled_from(["cpu", "gpu", "dsp"]), min_size=4, max_size=4),
    missing=st.sets(st.sampled_from("abcd")),
)
def test_a_resolved_plan_resolves_to_itself(places, missing):
    pricer = pricer_of(TASKS, TinyLibrary({"gpu": sorted(missing)}))
    plan = resolve(dict(zip("abcd", places, strict=True)), pricer)
    assert resolve(plan, pricer) == plan
    assert set(plan.fallbacks) == {
        n for n, p in zip("abcd", places, strict=True) if p == "gpu" and n in missing
    }
    for op in TASKS:
        placed = plan.decisions[op.name]
        assert pricer.obstacle(op, placed.processor, placed.layout) is None
