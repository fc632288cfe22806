"""Sub-networks in runs: every level of every family wherever it is supported, and what fusing leaves of networks."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.devices.device import Device
from socsim.devices.profile import device_names
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.dynamic import family_names, load_family
from socsim.workloads.graph import ModelGraph
from socsim.workloads.transforms import fuse
from socsim.workloads.zoo import build_model, model_names

FAMILIES = family_names()
MEMBERS = [f"{name}@{member.level}" for name in FAMILIES for member in load_family(name).levels]


@cache
def device(name: str) -> Device:
    return socsim.load_device(name)


def places() -> list[tuple[str, str, str]]:
    """(device, library, processor) that have measured or estimated rates for fp32."""
    keys = [(name, key) for name in sorted(device_names()) for key in device(name).calibrations]
    return sorted(
        {(name, library, processor) for name, (library, processor, dtype, _) in keys if dtype == "fp32"}
    )


PLACES = places()


@cache
def latency(place: tuple[str, str, str], model: str) -> float:
    name, library, processor = place
    app = Inference(socsim.load_model(model), processor, library=library, count=1)
    simulation = Simulation(device(name), [app])
    (record,) = simulation.run().inferences
    simulation.validate()
    assert record.status == "finished"
    return record.finish_s


def parts(graph: ModelGraph) -> tuple:
    """All that a network consists of."""
    tensors = [(name, graph.tensors[name]) for name in sorted(graph.tensors)]
    return graph.name, list(graph), tensors, graph.inputs, graph.outputs


def test_there_are_places_on_every_device() -> None:
    assert {name for name, *_ in PLACES} == set(device_names())
    assert {processor for *_, processor in PLACES} >= {"cpu", "gpu"}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(place))
@pytest.mark.parametrize("family", FAMILIES)
def test_every_level_runs_everywhere(place, family: str) -> None:
    """More work with the same kinds of layers takes longer, where one level has more of everything than another."""
    members = load_family(family).levels
    times = [latency(place, f"{family}@{member.level}") for member in members]
    assert all(0.0 < time < 60.0 for time in times)
    most, least = (pick(range(len(members)), key=lambda i: members[i].graph.macs) for pick in (max, min))
    if members[most].graph.macs > 1.5 * members[least].graph.macs:
        assert times[most] > times[least]


@pytest.mark.parametrize("family", FAMILIES)
def test_more_accurate_levels_have_more_work(family: str) -> None:
    members = load_family(family).levels
    for one, other in pairwise(members):
        assert one.top1 <= other.top1
        assert one.graph.macs < other.graph.macs
        assert one.level + 1 == other.level


@pytest.mark.parametrize("name", MEMBERS)
def test_fusing_a_level_keeps_its_work_and_is_done_once(name: str) -> None:
    graph = socsim.load_model(name)
    family, _, level = name.partition("@")
    member = load_family(family)[int(level)]
    fused = fuse(member.graph)
    assert parts(fused) == parts(fuse(fused)) == parts(member.fused)
    assert fused.macs == member.graph.macs == graph.macs
    assert len(fused) < len(member.graph)
    assert {op.type for op in fused}.isdisjoint({"batch_norm"})
    assert (fused.inputs, fused.outputs) == (member.graph.inputs, member.graph.outputs)


@pytest.mark.parametrize("name", model_names())
def test_fusing_a_network_twice_is_fusing_it_once(name: str) -> None:
    graph = build_model(name)
    fused = fuse(graph)
    assert parts(fuse(fused)) == parts(fused)
    assert fused.macs == graph.macs
    assert {fused.tensors[t].shape for t in fused.outputs} == {graph.tensors[t].shape for t in graph.outputs}


# --- random networks ------------------------------------------------------------------------------------------

STEPS = ["conv", "depthwise", "batch_norm", "relu", "relu6", "swish", "sigmoid", "add", "pool"]


def unfused(steps: list[tuple[str, int]]) -> ModelGraph:
    """A chain of layers as a trainer writes them; sums reach back to any earlier tensor of the same shape."""
    b = GraphBuilder("random")
    x = b.conv(b.image(16, 16), 8, 3)
    seen = [x]
    for kind, back in steps:
        if kind == "conv":
            x = b.conv(x, 8, 1)
        elif kind == "depthwise":
            x = b.depthwise(x, 3)
        elif kind == "batch_norm":
            x = b.batch_norm(x)
        elif kind == "add":
            x = b.add_(x, seen[back % len(seen)])
        elif kind == "pool":
            x = b.max_pool(x, 3, 1, padding=1)
        else:
            x = b.activation(x, kind)
        seen.append(x)
    return b.build(x)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20)), max_size=12))
def test_fusing_random_networks(steps) -> None:
    graph = unfused(steps)
    fused = fuse(graph)
    assert parts(fuse(fused)) == parts(fused)
    assert fused.macs == graph.macs
    assert len(fused) <= len(graph)
    assert (fused.inputs, fused.outputs) == (graph.inputs, graph.outputs)
    assert sum(op.ops for op in fused) <= sum(op.ops for op in graph)
    assert {op.name for op in fused} <= {op.name for op in graph}
    # an order of execution exists, and everything that is read is written before
    ready = set(fused.inputs)
    for op in fused:
        assert set(op.inputs) <= ready
        ready.update(op.outputs)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20)), min_size=1, max_size=10))
def test_a_fused_network_is_never_slower(steps) -> None:
    """It has fewer kernels, and less traffic, for the same work; on one core nothing runs beside."""
    graph = unfused(steps)
    times = []
    for network in (graph, fuse(graph)):
        app = Inference(network, "cpu", library="pytorch_eager", count=1, cores="carmel0:1")
        times.append(Simulation(device("jetson-xavier-nx"), [app]).run().inferences[0].finish_s)
    assert times[1] <= times[0] * (1 + 1e-9)


# --- switching with clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["dynamic_ofa", "slimmable_mobilenet_v1"])
def test_a_lower_level_at_a_lower_clock_can_replace_a_higher_one(family: str) -> None:
    """Latency falls with level and with clock, so that there are pairs of both for a deadline (Xun et al., 2024)."""
    nx = device("jetson-xavier-nx")
    clocks = [opp.frequency for opp in nx.accelerators["gpu"].opps][::4]
    levels = [m.level for m in load_family(family).levels]
    grid = {}
    for level in (levels[0], levels[-1]):
        for clock in clocks:
            app = Inference(socsim.load_model(f"{family}@{level}"), "gpu", library="pytorch_eager", count=1)
            done = Simulation(nx, [app], limits={"gpu": {"max": clock}}).run()
            grid[level, clock] = done.inferences[0].finish_s
            assert done.frequencies["gpu"] == clock
    for level in (levels[0], levels[-1]):
        times = [grid[level, clock] for clock in clocks]
        assert times == sorted(times, reverse=True)
    for clock in clocks:
        assert grid[levels[0], clock] < grid[levels[-1], clock]
