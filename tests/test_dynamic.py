"""Families of sub-networks: their graphs against what is published of them, and their fronts."""

from __future__ import annotations

import pickle
from collections import Counter
from importlib import resources
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim import load_model
from socsim.devices.provenance import GRADES
from socsim.errors import ModelError, UnknownNameError, UsageError
from socsim.workloads.dynamic import (
    DynamicFamily,
    Point,
    SwitchCost,
    best,
    family_names,
    interpolate,
    is_member,
    load_family,
    load_member,
    pareto,
    split_level,
)
from socsim.workloads.dynamic.eager import EagerBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo import build_model

FAMILIES = family_names()


def kinds(graph: ModelGraph) -> Counter[tuple[str, str | None]]:
    return Counter((op.type, op.get("function")) for op in graph)


def shrinking(graph: ModelGraph) -> list[int]:
    """Heights of the depth-wise convolutions' results, each once."""
    convolutions = [op for op in graph if op.type == "depthwise_conv2d"]
    return list(dict.fromkeys(graph.output_shape(op)[2] for op in convolutions))


@pytest.fixture(scope="module")
def ofa() -> DynamicFamily:
    return load_family("dynamic_ofa")


# --- what is published ------------------------------------------------------------------------------------


def test_families_that_come_with_socsim() -> None:
    assert FAMILIES == [
        "autoslim_mnasnet",
        "dynamic_ofa",
        "slimmable_mobilenet_v1",
        "static_ofa",
        "us_slimmable_mobilenet_v1",
    ]


DYNAMIC_OFA = [
    (1, 176, 12, 235.467152),
    (2, 176, 13, 254.003984),
    (3, 192, 15, 288.758912),
    (4, 208, 15, 375.541248),
    (5, 224, 17, 522.103776),
    (6, 224, 20, 731.12376),
]


@pytest.mark.parametrize(("level", "resolution", "blocks", "mmac"), DYNAMIC_OFA)
def test_dynamic_ofa_has_the_published_work(
    ofa: DynamicFamily, level: int, resolution: int, blocks: int, mmac: float
) -> None:
    """Counted by hand: convolutions, squeeze-and-excite and the last layer; no norms, functions or pooling."""
    member = ofa[level]
    assert (member.recipe.resolution, member.recipe.blocks) == (resolution, blocks)
    assert member.graph.macs / 1e6 == pytest.approx(mmac, abs=1e-9)
    assert member.published_macs == round(mmac, 1) * 1e6


@pytest.mark.parametrize("name", FAMILIES)
def test_every_network_has_the_work_that_its_authors_tell(name: str) -> None:
    """Within 0.5 %, or 1 M: some round to whole millions, some cut."""
    for member in load_family(name).levels:
        assert member.published_macs is not None
        assert member.graph.macs == pytest.approx(member.published_macs, rel=5e-3, abs=1e6), member.name
        if member.published_parameters:
            assert member.graph.parameters == pytest.approx(member.published_parameters, abs=0.05e6)


def test_autoslim_to_the_operation() -> None:
    work = [member.graph.macs for member in load_family("autoslim_mnasnet").levels]
    assert work == [217_220_648, 315_260_104, 531_773_072]


def test_slimmable_networks_are_mobilenets_of_that_width() -> None:
    for member, width in zip(
        load_family("slimmable_mobilenet_v1").levels, (0.25, 0.5, 0.75, 1.0), strict=True
    ):
        zoo = build_model("mobilenet_v1", width=width)
        assert member.graph.macs == zoo.macs
        products = [op for op in zoo if op.macs]
        assert [op.macs for op in member.graph if op.macs] == [op.macs for op in products]


def test_the_known_specialised_network_has_its_work_and_parameters() -> None:
    graph = load_family("static_ofa").graph(3)
    assert (graph.macs, graph.parameters) == (595_189_032, 9_135_928)


def test_what_is_a_reconstruction_says_so() -> None:
    grades = {name: "".join(m.grade for m in load_family(name).levels) for name in FAMILIES}
    assert grades == {
        "autoslim_mnasnet": "AAA",
        "dynamic_ofa": "AAAAAA",
        "slimmable_mobilenet_v1": "AAAA",
        "static_ofa": "DDA",
        "us_slimmable_mobilenet_v1": "C" * 15,
    }
    assert "reconstruction" in load_family("static_ofa")[1].source


@pytest.mark.parametrize("name", FAMILIES)
def test_every_number_has_a_grade_and_a_source(name: str) -> None:
    rows = load_family(name).provenance
    assert rows
    assert all(row.grade in GRADES and row.source for row in rows)
    assert {"switch.cost", "levels.0.top1"} <= {row.path for row in rows}


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_are_of_images_and_give_a_thousand_scores(name: str) -> None:
    for member in load_family(name).levels:
        for graph in (member.graph, member.fused):
            assert graph.tensors["input"].shape == (1, 3, *[member.recipe.resolution] * 2)
            assert [graph.tensors[t].shape for t in graph.outputs] == [(1, 1000)]
            assert graph.name == member.name


# --- the operators of dynamic-OFA ---------------------------------------------------------------------------


def test_operators_of_a_level(ofa: DynamicFamily) -> None:
    """Level 4, 2+3+3+3+4 blocks: squeeze-and-excite in stages 2, 4 and 5, hard swish from stage 3 on."""
    blocks, excited, hswish_blocks, shortcuts = 15, 10, 10, 10
    hswish = 1 + 2 * hswish_blocks + 2
    relu = 1 + 2 * (blocks - hswish_blocks) + excited
    counts = kinds(ofa.graph(4))
    assert counts["conv2d", None] == 1 + 1 + 2 * blocks + 2 * excited + 2
    assert counts["depthwise_conv2d", None] == 1 + blocks
    assert counts["batch_norm", None] == 1 + 2 + 3 * blocks + 1
    assert counts["activation", "relu"] == relu
    assert counts["activation", "relu6"] == hswish + excited
    assert counts["eltwise", "mul"] == hswish + excited
    assert counts["eltwise", "div"] == hswish + excited
    assert counts["eltwise", "add"] == hswish + excited + shortcuts + 1
    assert counts["reduce", "mean"] == 2 * excited + 2
    assert counts["fully_connected", None] == 1
    assert sum(counts.values()) == len(ofa.graph(4)) == 306


def test_fusing_leaves_what_converters_leave(ofa: DynamicFamily) -> None:
    fused = ofa.graph(4, fused=True)
    types = Counter(op.type for op in fused)
    assert types == {
        "conv2d": 54, "depthwise_conv2d": 16, "eltwise": 21, "reduce": 11, "fully_connected": 1
    }  # fmt: skip
    functions = Counter(op.get("activation") for op in fused)
    assert (functions["hswish"], functions["hsigmoid"]) == (23, 10)
    assert fused.macs == ofa.graph(4).macs


def test_images_shrink_as_pytorch_pads_them(ofa: DynamicFamily) -> None:
    assert shrinking(ofa.graph(6)) == [112, 56, 28, 14, 7]
    assert shrinking(load_family("static_ofa").graph(3)) == [118, 59, 30, 15, 8]


def test_only_blocks_within_the_depth_are_there(ofa: DynamicFamily) -> None:
    """Level 1, stage 1: kernels 5, 7 and 7 of [5, 7, 7, 7]."""
    filters = [op for op in ofa.graph(1) if op.type == "depthwise_conv2d"]
    assert [op.get("kernel")[0] for op in filters] == [3, 5, 7, 7, 3, 5, 7, 7, 5, 5, 3, 3, 3]
    assert [op.get("stride")[0] for op in filters] == [1, 2, 1, 1, 2, 1, 2, 1, 1, 1, 1, 2, 1]


def test_a_graph_is_built_once(ofa: DynamicFamily) -> None:
    assert ofa.graph(2) is ofa.graph(2)
    assert ofa.graph(2, fused=True) is load_model("dynamic_ofa@2")
    assert load_family("dynamic_ofa") is ofa


def test_a_family_can_be_sent_to_a_worker(ofa: DynamicFamily) -> None:
    copy = pickle.loads(pickle.dumps(ofa))
    assert copy.graph(1).signature == ofa.graph(1).signature
    assert copy.levels == ofa.levels


def test_eager_operators_of_a_hard_swish_and_of_squeeze_and_excite() -> None:
    for add, many in (
        (lambda e: e.activation(e.input, "hswish"), 4),
        (lambda e: e.activation(e.input, "hsigmoid"), 3),
        (lambda e: e.activation(e.input, "relu"), 1),
        (lambda e: e.excite(e.input), 9),
        (lambda e: e.conv(e.input, 8, 3, activation="relu"), 3),
        (lambda e: e.conv(e.input, 8, norm=False), 1),
    ):
        eager = EagerBuilder("one", 32)
        assert len(eager.graph.build(add(eager))) == many


def test_padding_is_half_the_kernel() -> None:
    eager = EagerBuilder("one", 33)
    graph = eager.graph.build(eager.conv(eager.input, 8, 5, 2))
    op = next(iter(graph))
    assert (op.get("padding"), graph.output_shape(op)) == ((2, 2, 2, 2), (1, 8, 17, 17))


# --- levels and names ---------------------------------------------------------------------------------------


def test_levels_are_numbered_from_one(ofa: DynamicFamily) -> None:
    assert [member.level for member in ofa.levels] == [1, 2, 3, 4, 5, 6]
    assert ofa["3"] is ofa[3] is ofa.levels[2] is load_member("dynamic_ofa@3")
    assert repr(ofa) == "DynamicFamily('dynamic_ofa', 6 levels)"


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (0, "family 'dynamic_ofa' has levels 1 to 6, got 0; the nearest is dynamic_ofa@1"),
        (7, "family 'dynamic_ofa' has levels 1 to 6, got 7; the nearest is dynamic_ofa@6"),
        ("12", "family 'dynamic_ofa' has levels 1 to 6, got 12; the nearest is dynamic_ofa@6"),
        ("", "a level of family 'dynamic_ofa' is a whole number from 1 to 6, got ''"),
        ("best", "a level of family 'dynamic_ofa' is a whole number from 1 to 6, got 'best'"),
        (2.0, "a level of family 'dynamic_ofa' is a whole number from 1 to 6, got 2.0"),
        (True, "a level of family 'dynamic_ofa' is a whole number from 1 to 6, got True"),
    ],
)
def test_levels_that_are_not_there(ofa: DynamicFamily, level: object, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        ofa[level]  # type: ignore[index]
    assert str(refused.value).startswith(message)


def test_models_of_families() -> None:
    graph = load_model("dynamic_ofa@4")
    assert (graph.name, graph.macs, len(graph)) == ("dynamic_ofa@4", 375_541_248, 103)
    assert len(load_model("dynamic_ofa@4", fuse=False)) == 306


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (
            "dynamic_ofa",
            UsageError,
            "'dynamic_ofa' is a family of 6 networks; name one of them, dynamic_ofa@1 to",
        ),
        ("dynamic_ofa@9", UsageError, "the nearest is dynamic_ofa@6"),
        ("dynamic_oaf@4", UnknownNameError, "unknown family 'dynamic_oaf'; did you mean 'dynamic_ofa'?"),
        (
            "resnet50@2",
            UsageError,
            "'resnet50' is one network, not a family; write 'resnet50' without a level",
        ),
        ("nowhere/own.yaml@2", UnknownNameError, "or give the path of a .yaml file"),
        ("nowhere@2/net.onnx", ModelError, "no such file"),
    ],
)
def test_models_that_are_refused(model: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refused:
        load_model(model)
    assert message in str(refused.value)


def test_shapes_are_not_for_families() -> None:
    with pytest.raises(UsageError, match="'dynamic_ofa@1' is a network of a family"):
        load_model("dynamic_ofa@1", shapes={"input": (1, 3, 64, 64)})


def test_names_with_levels() -> None:
    assert split_level("dynamic_ofa@4") == ("dynamic_ofa", "4")
    assert split_level("a@b/own.yaml@2") == ("a@b/own.yaml", "2")
    assert split_level("a@b/own.yaml") == ("a@b/own.yaml", None)
    assert [is_member(m) for m in ("dynamic_ofa", "x@1", "resnet50", "a@1/x.onnx", "x@1.onnx")] == [
        True, True, False, False, False,
    ]  # fmt: skip


# --- switching ----------------------------------------------------------------------------------------------


def test_switching_costs_as_published() -> None:
    costs = {name: load_family(name).switch for name in FAMILIES}
    assert {name: (round(c.seconds * 1e3), c.grade) for name, c in costs.items()} == {
        "autoslim_mnasnet": (37, "B"),
        "dynamic_ofa": (244, "B"),
        "slimmable_mobilenet_v1": (15, "D"),
        "static_ofa": (244, "D"),
        "us_slimmable_mobilenet_v1": (18, "D"),
    }


def test_only_a_change_costs() -> None:
    cost = SwitchCost(0.25, "D", "made up")
    assert [cost.between(*levels) for levels in ((None, 3), (3, 3), (3, 2), (2, 3))] == [0, 0, 0.25, 0.25]


# --- fronts: the published comparison -----------------------------------------------------------------------


def test_published_speed_ups_over_autoslim() -> None:
    """At AutoSlim's best accuracy: 2.4 times as fast on the GPU, 3.5 times on the CPU."""
    autoslim, dynamic = load_family("autoslim_mnasnet"), load_family("dynamic_ofa")
    ratios = {}
    for setup in ("nx_gpu", "nx_cpu"):
        top = autoslim.reference(setup)[-1]
        ratios[setup] = top.latency_s / interpolate(pareto(dynamic.reference(setup)), top1=top.top1)
    assert ratios["nx_gpu"] == pytest.approx(2.40, abs=0.005)
    assert ratios["nx_cpu"] == pytest.approx(3.47, abs=0.005)


@pytest.mark.parametrize(("setup", "rival", "gain"), [("nx_gpu", 0, 5.146), ("nx_cpu", 1, 3.79)])
def test_published_gains_in_accuracy_over_autoslim(setup: str, rival: int, gain: float) -> None:
    """At similar latency, up to 3 % more: 5.1 % on the GPU, 3.8 % on the CPU."""
    other = load_family("autoslim_mnasnet").reference(setup)[rival]
    front = pareto(load_family("dynamic_ofa").reference(setup))
    chosen = best(front, other.latency_s, tolerance=0.03)
    assert chosen is not None
    assert chosen.top1 - other.top1 == pytest.approx(gain, abs=1e-9)


def test_reference_points_without_configuration() -> None:
    points = load_family("dynamic_ofa").reference("nx_cpu")
    assert (len(points), {p.level for p in points}) == (7, {0})
    assert points[0] == Point(72.53, 0.502)
    with pytest.raises(UnknownNameError, match="did you mean 'nx_cpu'"):
        load_family("dynamic_ofa").reference("nx_cpus")


# --- fronts: exactly ----------------------------------------------------------------------------------------


def test_front_of_a_family(ofa: DynamicFamily) -> None:
    """Level 2 is slower than the more accurate level 3; level 6 is not measured."""
    front = ofa.pareto({5: 0.05, 1: 0.01, 2: 0.03, 3: 0.02, 4: 0.04})
    assert [point.level for point in front] == [1, 3, 4, 5]
    assert front[0] == Point(74.202, 0.01, 1)


@pytest.mark.parametrize("latency", [0.0, -1.0, float("nan"), float("inf")])
def test_latencies_are_positive(ofa: DynamicFamily, latency: float) -> None:
    with pytest.raises(UsageError, match="dynamic_ofa@2: a latency must be positive"):
        ofa.pareto({2: latency})


def test_latencies_of_levels_that_are_not_there(ofa: DynamicFamily) -> None:
    with pytest.raises(UsageError, match="the nearest is dynamic_ofa@6"):
        ofa.pareto({8: 0.1})


FRONT = (Point(70.0, 0.010), Point(74.0, 0.020), Point(75.0, 0.040))


@pytest.mark.parametrize(("top1", "latency"), [(70, 0.01), (72, 0.015), (74, 0.02), (74.5, 0.03), (75, 0.04)])
def test_between_points(top1: float, latency: float) -> None:
    assert interpolate(FRONT, top1=top1) == pytest.approx(latency)
    assert interpolate(FRONT, latency=latency) == pytest.approx(top1)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"top1": 69.0}, "the front goes from 70 % to 75 %, got 69 %; the nearest is 70 %"),
        ({"latency": 0.05}, "the front goes from 10 ms to 40 ms, got 50 ms; the nearest is 40 ms"),
        ({}, "either top1 or latency, got none"),
        ({"top1": 70.0, "latency": 0.02}, "either top1 or latency, got both"),
    ],
)
def test_what_a_front_cannot_tell(wanted: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        interpolate(FRONT, **wanted)
    assert message in str(refused.value)
    with pytest.raises(UsageError, match="without points"):
        interpolate((), top1=70.0)


def test_the_best_within_a_time() -> None:
    assert best(FRONT, 0.039) == FRONT[1]
    assert best(FRONT, 0.039, tolerance=0.03) == FRONT[2]
    assert best(FRONT, 0.009) is None


# --- fronts: in general -------------------------------------------------------------------------------------

points = st.builds(
    Point,
    st.integers(400, 800).map(lambda n: n / 10),
    st.integers(1, 200).map(lambda n: n / 1e3),
    st.integers(1, 9),
)
clouds = st.lists(points, min_size=1, max_size=25)


@given(clouds)
def test_a_front_rises_is_a_subset_and_its_own_front(cloud: list[Point]) -> None:
    front = pareto(cloud)
    assert set(front) <= set(cloud)
    assert pareto(front) == front
    for before, after in pairwise(front):
        assert before.latency_s < after.latency_s
        assert before.top1 < after.top1


@given(clouds)
def test_every_point_is_on_the_front_or_beaten(cloud: list[Point]) -> None:
    front = pareto(cloud)
    for point in cloud:
        assert any(p.latency_s <= point.latency_s and p.top1 >= point.top1 for p in front)


@given(clouds, st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter(cloud: list[Point], random) -> None:
    shuffled = random.sample(cloud, len(cloud))
    assert pareto(shuffled) == pareto(cloud)


@given(clouds, st.floats(0, 1), st.floats(0, 1))
def test_interpolation_is_monotone_and_its_own_inverse(cloud: list[Point], a: float, b: float) -> None:
    front = pareto(cloud)
    low, high = front[0].top1, front[-1].top1
    first, second = sorted(min(high, low + share * (high - low)) for share in (a, b))
    times = [interpolate(front, top1=t) for t in (first, second)]
    assert times[0] <= times[1] * (1 + 1e-12)
    assert front[0].latency_s <= times[0] * (1 + 1e-12)
    inside = min(max(times[0], front[0].latency_s), front[-1].latency_s)
    assert interpolate(front, latency=inside) == pytest.approx(first)


@given(clouds, st.floats(0.0005, 0.25))
def test_the_best_of_a_front_is_the_best_of_all(cloud: list[Point], limit: float) -> None:
    chosen, overall = best(pareto(cloud), limit), best(cloud, limit)
    assert (chosen is None) == (overall is None)
    if chosen and overall:
        assert chosen.top1 == overall.top1


def test_every_source_is_attributed() -> None:
    text = (resources.files("socsim.workloads.dynamic") / "families" / "ATTRIBUTION.md").read_text()
    sources = (row.source.partition(":")[0] for name in FAMILIES for row in load_family(name).provenance)
    ids = {part.strip() for names in sources for part in names.split(",")}
    assert {name for name in ids if f"`{name}`" not in text} == set()
