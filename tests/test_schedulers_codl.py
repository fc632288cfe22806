"""CoDL."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import BACK, MAP, SYNC, TRANSFORM, TinyLibrary, convolutions, network, pricer_of, view_of

from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.schedulers.codl import Choice, CoDL, Costs, find_chain, operator_choice
from socsim.schedulers.estimate import estimate
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.single import with_fallback
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.zoo import build_model

CPU, IMAGE = Placement("cpu"), Placement("gpu", "image")


def rows(gpu: float, layout: str = "image") -> Split:
    return Split("H", ((CPU, round(1 - gpu, 9)), (Placement("gpu", layout), gpu)))


def costs_of(graph, library=None, layout="image", sync=None, **options):
    return Costs(graph, view_of(graph, library, **options), layout, 0.1, sync)


# --- costs --------------------------------------------------------------------------------------------------


def test_costs_of_an_operator_by_hand():
    """10 rows, GPU 4e9 and CPU 2e9 MAC/s: with 0.7 on the GPU the CPU reads 3 + 2 rows and writes 3."""
    graph = convolutions(1, size=10)
    (op,) = graph
    costs = costs_of(graph)
    read, written = 4 * 300, 4 * 1600
    sharing = 0.5 * read * (TRANSFORM + MAP) + SYNC + 0.3 * written * MAP
    body = max(0.7 * op.macs / 4e9, 0.3 * op.macs / 2e9)
    assert costs.alone(op, "H", 0.7) == pytest.approx(sharing + body + 0.3 * written * TRANSFORM + BACK)
    assert costs.alone(op, "H", 1.0) == pytest.approx(op.macs / 4e9)
    cpu_only = read * (TRANSFORM + MAP) + SYNC + op.macs / 2e9 + written * TRANSFORM + BACK
    assert costs.alone(op, "H", 0.0) == pytest.approx(cpu_only)


def test_channels_need_all_of_the_input():
    graph = convolutions(1, size=10)
    (op,) = graph
    costs = costs_of(graph, layout="buffer")
    sharing = 4 * 300 * MAP + SYNC + 0.5 * 4 * 1600 * MAP
    assert costs.alone(op, "OC", 0.5) == pytest.approx(sharing + op.macs / 2 / 2e9 + BACK)


def test_a_synchronisation_may_be_set_to_the_papers():
    graph = convolutions(1, size=10)
    (op,) = graph
    mean, paper = costs_of(graph), costs_of(graph, sync=1e-3)
    assert paper.alone(op, "H", 0.5) - mean.alone(op, "H", 0.5) == pytest.approx(1e-3 - SYNC)
    assert paper.alone(op, "H", 1.0) == mean.alone(op, "H", 1.0)


def test_a_chain_pays_once_and_computes_rows_twice():
    """Halves of two 3x3 convolutions of 10 by 10: conv1 computes 7 rows on each side, the CPU of 12 columns."""
    graph = convolutions(2, size=10)
    one, two = graph
    costs = costs_of(graph, layout="buffer")
    enter = 0.9 * 1.2 * 4 * 300 * MAP + SYNC + 0.7 * 1.2 * 4 * 1600 * MAP  # (7 - 1) + 3 = 9 input rows
    body = 0.7 * 1.2 * one.macs / 2e9 + 0.5 * two.macs / 2e9
    assert costs.chain([one, two], 0.5) == pytest.approx(enter + body + BACK)
    assert costs.chain([one], 0.5) == pytest.approx(costs.alone(one, "H", 0.5))


@pytest.mark.parametrize("share, speed, sharing", [(1.0, 4e9, False), (0.0, 2e9, True)])
def test_chains_on_one_processor_compute_nothing_twice(share, speed, sharing):
    graph = convolutions(3, size=10)
    ops = list(graph)
    handed = 4 * 300 * (TRANSFORM + MAP) + SYNC + 4 * 1600 * TRANSFORM + BACK if sharing else 0.0
    assert costs_of(graph).chain(ops, share) == pytest.approx(sum(op.macs for op in ops) / speed + handed)


# --- operators ----------------------------------------------------------------------------------------------


def test_operators_are_divided_where_that_pays():
    graph = convolutions(2, size=200, channels=64)
    op = graph["conv2"]
    choice = operator_choice(op, costs_of(graph))
    assert (choice.dimension, choice.share) == ("H", 0.7)  # 4e9 : 2e9 MAC/s
    assert operator_choice(op, costs_of(graph, sync=10.0)).share == 1.0


def test_channels_win_where_maps_are_small():
    """The GPU is 3.3 times as fast: 4 rows can only be divided in quarters, channels finely."""
    graph = convolutions(2, size=4, channels=2048)
    choice = operator_choice(graph["conv2"], costs_of(graph, layout="buffer", rates={("cpu", "conv2d"): 0.3}))
    assert (choice.dimension, choice.share) == ("OC", 0.8)
    assert operator_choice(graph["conv2"], costs_of(graph)).dimension == "H"  # not with images


def test_what_the_gpu_lacks_is_on_the_cpu():
    graph = convolutions(1)
    costs = costs_of(graph, TinyLibrary({"gpu": ["conv1"]}))
    choice = operator_choice(graph["conv1"], costs)
    assert (choice.share, choice.decision("image")) == (0.0, CPU)


def test_what_cannot_be_divided_is_on_one():
    graph = network({"a": (1e6, "")})
    costs = costs_of(graph)
    assert costs.shares_of(graph["a"], "H") == [1.0, 0.0]
    assert operator_choice(graph["a"], costs).decision("image") == IMAGE


def test_decisions():
    assert Choice("OC", 0.3, 1.0).decision("buffer") == Split(
        "OC", ((CPU, 0.7), (Placement("gpu", "buffer"), 0.3))
    )
    assert Choice("H", 1.0, 1.0).decision("buffer") == Placement("gpu", "buffer")


# --- chains -------------------------------------------------------------------------------------------------


def chain_of(graph, *, delta=0.3, longest=30, head=None, **options):
    costs = costs_of(graph, **options)
    own = {op.name: operator_choice(op, costs) for op in graph}
    share, chain = find_chain(graph[head or next(iter(graph.operators))], own, costs, delta, longest)
    return share, [op.name for op in chain]


def test_alike_operators_become_one_chain():
    share, chain = chain_of(convolutions(4, size=200, channels=64))
    assert (share, len(chain)) == (0.7, 4)


def test_chains_have_a_longest():
    assert len(chain_of(convolutions(4, size=200, channels=64), longest=3)[1]) == 3
    assert len(chain_of(convolutions(4, size=200, channels=64), longest=1)[1]) == 1


def test_chains_end_where_halos_cost_more_than_sharing():
    """With large windows every operator more makes those before it compute many more rows."""
    dear = chain_of(convolutions(8, size=64, channels=32, kernel=5), sync=2e-3)[1]
    cheap = chain_of(convolutions(8, size=64, channels=32, kernel=5), sync=2e-4)[1]
    assert len(cheap) < len(dear) < 8


def test_chains_end_at_forks():
    builder = GraphBuilder("forked")
    a = builder.conv(builder.image(200, 200), 64, 3, name="a")
    b = builder.conv(a, 64, 3, name="b")
    c = builder.conv(b, 64, 3, name="c")
    graph = builder.build(builder.add_(b, c, name="sum"))
    assert chain_of(graph)[1] == ["a", "b"]
    assert chain_of(graph, head="c")[1] == ["c"]


def test_chains_on_the_cpu_are_found_too():
    """The GPU is so slow that all is on the CPU: one hand-over for all instead of one for each."""
    share, chain = chain_of(convolutions(4), rates={("gpu", "conv2d"): 1e-4})
    assert (share, len(chain)) == (0.0, 4)


def test_a_chain_may_have_another_share_than_its_head_alone():
    """Alone conv1 is left on the GPU as sharing is dear; in a chain of three sharing pays."""
    graph = convolutions(3, size=64, channels=64)
    options = {"sync": 12e-3}
    costs = costs_of(graph, **options)
    assert {operator_choice(op, costs).share for op in graph} == {1.0}
    share, chain = chain_of(graph, **options)
    assert (share, len(chain)) == (0.7, 3)
    assert chain_of(graph, delta=0.2, **options) == (0.8, chain)
    assert chain_of(graph, delta=0.0, **options) == (1.0, ["conv1"])


@settings(max_examples=40, deadline=None)
@given(
    size=st.sampled_from([8, 16, 40]),
    channels=st.sampled_from([8, 64]),
    kernel=st.sampled_from([1, 3, 5]),
    sync=st.sampled_from([1e-5, 3e-4, 2e-3]),
)
def test_a_chain_is_never_predicted_to_be_slower_than_its_operators(size, channels, kernel, sync):
    graph = convolutions(5, size=size, channels=channels, kernel=kernel)
    costs = Costs(graph, view_of(graph, sync=sync), "image", 0.1)
    own = {op.name: operator_choice(op, costs) for op in graph}
    share, chain = find_chain(graph["conv1"], own, costs, 0.3, 30)
    alone = sum(own[op.name].time for op in chain)
    together = costs.chain(chain, share) if len(chain) > 1 else own["conv1"].time
    assert together <= alone + 1e-12


# --- plans --------------------------------------------------------------------------------------------------


def test_a_plan_of_one_chain():
    graph = convolutions(4, size=200, channels=64)
    plan = CoDL().plan(graph, view_of(graph))
    assert plan.decisions == dict.fromkeys(graph.operators, rows(0.7))
    assert plan.chains == (tuple(graph.operators),)
    assert resolve(plan, pricer_of(graph)) == plan


def test_the_layout_is_the_one_that_finishes_first():
    graph = convolutions(3, size=100, channels=32)
    fast_buffers = TinyLibrary({"gpu/image": ["conv2d"]})
    plan = CoDL().plan(graph, view_of(graph, fast_buffers))
    assert {p.layout for d in plan.decisions.values() if isinstance(d, Split) for p, _ in d.shares} == {
        "",
        "buffer",
    }
    forced = CoDL(layout="buffer").plan(graph, view_of(graph))
    assert all(d.shares[1][0].layout == "buffer" for d in forced.decisions.values())


@pytest.mark.parametrize("slow, best", [("gpu", CPU), ("cpu", IMAGE)])
def test_light_networks_stay_on_one_processor(slow, best):
    """As with MobileNet in CoDL's evaluation: where sharing costs more than it saves nothing is shared."""
    graph = convolutions(3, size=8, channels=4)
    plan = CoDL().plan(graph, view_of(graph, rates={(slow, "conv2d"): 0.01}))
    assert set(plan.decisions.values()) == {best}
    assert plan.chains == ()


def test_without_a_gpu_all_is_on_the_cpu():
    graph = convolutions(2)
    pricer = pricer_of(graph)
    pricer.peers = ("cpu",)
    assert CoDL().plan(graph, View(pricer, ExactPredictor(pricer))) == Plan(
        dict.fromkeys(graph.operators, CPU)
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"step": 0.0}, "step of the share must be above 0"),
        ({"longest": 0}, "longest chain must have at least 1 operator"),
        ({"sync": "median"}, "sync must be 'mean' or 'paper', got 'median'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UsageError, match=message):
        CoDL(**options)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 4),
    size=st.sampled_from([8, 24, 64]),
    channels=st.sampled_from([4, 32]),
    sync=st.sampled_from([0.0, 1e-4, 1e-2]),
    missing=st.sets(st.sampled_from(["conv1", "conv2", "conv3"])),
)
def test_a_plan_is_never_predicted_to_be_slower_than_one_processor(count, size, channels, sync, missing):
    graph = convolutions(count, size=size, channels=channels)
    library = TinyLibrary({"gpu": sorted(missing)})
    pricer = pricer_of(graph, library, sync=sync, overhead={"gpu": 1e-4})
    view = View(pricer, ExactPredictor(pricer))
    plan = CoDL().plan(graph, view)
    assert resolve(plan, pricer).fallbacks == {}
    singles = [with_fallback(graph, view, p, x) for p in ("cpu", "gpu") for x in view.layouts(p)]
    best = min(estimate(single, graph, view).makespan for single in singles)
    assert estimate(plan, graph, view).makespan <= best + 1e-12


# --- on calibrated phones -----------------------------------------------------------------------------------


def planned(phone, model, **options):
    graph = build_model(model)
    pricer = Pricer(load_device(phone), load_library("mace"), graph)
    view = View(pricer, ExactPredictor(pricer))
    return graph, view, CoDL(**options).plan(graph, view)


@pytest.mark.parametrize("phone, layout", [("xiaomi-9", "image"), ("honor-v30-pro", "buffer")])
def test_images_on_adreno_and_buffers_on_mali(phone, layout):
    _, _, plan = planned(phone, "yolov2")
    splits = [d for d in plan.decisions.values() if isinstance(d, Split)]
    assert len(splits) > 10
    assert {p.layout for d in splits for p, _ in d.shares if p.processor == "gpu"} == {layout}


def test_chains_shorten_the_networks_of_the_evaluation():
    for model in ("yolov2", "vgg16", "posenet", "fast_style_transfer"):
        graph, view, plan = planned("xiaomi-9", model)
        without = planned("xiaomi-9", model, longest=1)[2]
        assert plan.chains
        assert not without.chains
        assert estimate(plan, graph, view).makespan <= estimate(without, graph, view).makespan
