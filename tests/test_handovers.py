"""Where tensors can be read, and what it takes to read them elsewhere: steps and traces worked out by hand.

Times of the toy phone (see corekit): a tensor of 64 B is mapped in 1 s and seen 0.5 s later; back it takes 0.125 and
0.25 s; a change of layout takes 2 s. Where the CPU has to transpose it, that takes 8 s of one big core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import corekit
import pytest
from corekit import BUFFER, CPU, DSP, net, pricer, toy, trace
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.opp import Opp
from socsim.simulation.handovers import CPU as ON_CPU
from socsim.simulation.handovers import NOTHING, Handovers, Place
from socsim.simulation.kernelgraph import Entry, Step, compress
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer

IMAGE, BUFFERED, ON_DSP = Place("gpu", "image"), Place("gpu", "buffer"), Place("dsp", "buffer")
PAIR = net("a:16 x; b:16 x; c:2 a,b")
"""Inner tensors a and b; x comes from outside and c leaves."""


def library(folder: Path, *changes: tuple[str, str]) -> str:
    """The toy library with some text of its file replaced."""
    text = Path(corekit.LIBRARY).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "own.yaml"
    path.write_text(text)
    return str(path)


TRANSPOSED = "    transposed: {grade: A, source: made up}\n"
OF_GPU = ("    on_unsupported: cpu\n", "    on_unsupported: cpu\n" + TRANSPOSED)
OF_DSP = ("    on_unsupported: fail\n", "    on_unsupported: fail\n" + TRANSPOSED)


@pytest.fixture
def turning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Both accelerators have another order of dimensions than the CPU."""
    monkeypatch.setattr(corekit, "LIBRARY", library(tmp_path, OF_GPU, OF_DSP))
    yield


def handovers(graph=PAIR, decision: float = 0.0, /, own: Pricer | None = None, **places: Place) -> Handovers:
    """Hand-overs of a network whose tensors lie where it is said, all of them from the start."""
    return Handovers(own or pricer(graph), places, decision)


def steps(own: Handovers) -> list[tuple[str, list[tuple[str, float, float]], set[int]]]:
    """(queue, [(kind, time alone, bytes moved)], dependencies) of every step."""
    return [(s.queue, [(e.kind, e.alone, e.moved) for e in s.entries], s.deps) for s in own.steps]


# --- who is near ----------------------------------------------------------------------------------------------


def test_what_is_there_takes_nothing() -> None:
    own = handovers(a=ON_CPU, b=ON_CPU)
    assert own.require(["a", "b"], ON_CPU, "c") == set()
    assert own.steps == []


def test_a_processor_changes_the_layout_of_its_own_copy_rather_than_fetch_another() -> None:
    """2 s on the GPU's queue, and nobody asks the CPU, which has it too."""
    own = handovers(a=IMAGE)
    own.places["a"][ON_CPU] = NOTHING
    assert own.require(["a"], BUFFERED, "c") == {0}
    assert steps(own) == [("gpu", [("transform", 2.0, 64.0)], set())]


def test_between_accelerators_the_cpu_s_own_copy_is_handed_over() -> None:
    own = handovers(a=BUFFERED)
    own.places["a"][ON_CPU] = NOTHING
    own.require(["a"], ON_DSP, "c")
    assert steps(own) == [("", [("map", 0.125, 64.0), ("sync", 0.25, 0.0)], set())]


def test_between_accelerators_without_one_both_ways_are_due() -> None:
    """And the CPU has it, too, from then on."""
    own = handovers(a=BUFFERED)
    assert own.require(["a"], ON_DSP, "c") == {1}
    assert steps(own) == [
        ("", [("map", 1.0, 64.0), ("sync", 0.5, 0.0)], set()),
        ("", [("map", 0.125, 64.0), ("sync", 0.25, 0.0)], {0}),
    ]
    assert own.require(["a"], ON_CPU, "d") == {0}
    assert len(own.steps) == 2


def test_what_lies_in_different_places_comes_in_steps_of_its_own() -> None:
    """From the GPU and from the DSP at once: neither waits for the other."""
    own = handovers(a=BUFFERED, b=ON_DSP)
    assert own.require(["a", "b"], ON_CPU, "c") == {0, 1}
    assert [(s.entries[0].source, s.entries[0].moved, s.deps) for s in own.steps] == [
        ("gpu", 64.0, set()),
        ("dsp", 64.0, set()),
    ]


def test_a_tensor_read_twice_by_one_operator_moves_once() -> None:
    own = handovers(a=BUFFERED)
    own.require(["a", "a"], ON_CPU, "c")
    assert steps(own) == [("", [("map", 1.0, 64.0), ("sync", 0.5, 0.0)], set())]


def test_who_reads_nothing_waits_for_the_decision_only() -> None:
    own = handovers(PAIR, 3.0, x=ON_CPU)
    assert steps(own) == [("", [("call", 3.0, 0.0)], set())]
    assert own.require([], ON_CPU, "c") == {0}
    assert own.require(["x"], ON_CPU, "a") == {0}
    assert handovers(x=ON_CPU).require([], ON_CPU, "c") == set()


def test_only_the_share_that_changed_moves() -> None:
    """A quarter of a, half of b: 48 B of 128."""
    own = handovers(a=IMAGE, b=IMAGE)
    own.moved = {"a": 0.25, "b": 0.5}
    own.require(["a", "b"], ON_CPU, "c")
    assert steps(own) == [
        ("gpu", [("transform", 1.5, 48.0)], set()),
        ("", [("map", 0.75, 48.0), ("sync", 0.5, 0.0)], {0}),
    ]


def test_a_layout_is_changed_by_reading_and_writing_every_byte() -> None:
    own = handovers(a=IMAGE)
    own.require(["a"], ON_CPU, "c")
    (entry,) = own.steps[0].entries
    assert (entry.operator, entry.source, entry.target) == ("c", "gpu", "gpu")
    assert (entry.compute, entry.bytes, entry.reach) == (2.0, 2 * 64.0, 1e9)


@given(st.lists(st.sampled_from([ON_CPU, IMAGE, BUFFERED, ON_DSP]), min_size=1, max_size=6))
def test_nothing_is_handed_over_twice(where: list[Place]) -> None:
    """Whoever asks again for what has been asked for waits for the same step."""
    own = handovers(a=IMAGE)
    first = [own.require(["a"], place, "c") for place in where]
    count = len(own.steps)
    assert [own.require(["a"], place, "c") for place in where] == first
    assert len(own.steps) == count
    assert all(dep < i for i, step in enumerate(own.steps) for dep in step.deps)


# --- the wider of two data types ------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), [(BUFFERED, ON_CPU), (ON_CPU, BUFFERED)])
def test_an_accelerator_of_wide_elements_shares_wide_ones(
    tmp_path: Path, source: Place, target: Place
) -> None:
    """The CPU computes with 1 B an element and the GPU has kernels of 4 B only: 64 B cross either way."""
    device = toy()
    ints = replace(device.calibrations["toy", "cpu", "fp32", ""], dtype="int8")
    clusters = tuple(replace(c, macs_per_cycle={**c.macs_per_cycle, "int8": 4.0}) for c in device.clusters)
    device = replace(device, clusters=clusters, calibrations={**device.calibrations, ints.key: ints})
    path = library(tmp_path, ("  cpu:\n    dtypes: [fp32]", "  cpu:\n    dtypes: [fp32, int8]"))
    own = handovers(own=Pricer(device, load_library(path), PAIR, "int8"), a=source)
    own.require(["a"], target, "c")
    assert own.pricer.shared_width("cpu") == 1
    assert own.steps[0].entries[0].moved == 64.0


# --- what the steps say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sd", "spread"), [(0.0, None), (0.25, (0.25, 0.125, 2.0))])
def test_only_the_cpu_s_wait_is_spread(sd: float, spread: tuple[float, float, float] | None) -> None:
    """What it waits for has been seen to take longer and shorter; a mean alone is a constant."""
    own = handovers(own=pricer(PAIR, toy(sync_sd=sd)), a=BUFFERED, b=ON_CPU)
    own.require(["a"], ON_CPU, "c")
    own.require(["b"], BUFFERED, "d")
    told = [[(e.kind, e.operator, e.source, e.target, e.spread) for e in s.entries] for s in own.steps]
    assert told == [
        [("map", "c", "gpu", "cpu", None), ("sync", "c", "gpu", "cpu", spread)],
        [("map", "d", "cpu", "gpu", None), ("sync", "d", "cpu", "gpu", None)],
    ]


# --- teams ----------------------------------------------------------------------------------------------------


def test_equal_parts_take_fast_cores_a_share_of_the_slowest_s_time() -> None:
    """Cores 0 and 1 do 2 operations per s, 2 and 3 one."""
    own = handovers(a=ON_CPU)
    assert own.weights((0, 1)) == (1.0, 1.0)
    assert own.weights((0, 2)) == (0.5, 1.0)
    assert own.weights((3, 2, 1)) == (1.0, 1.0, 0.5)
    assert own.weights(()) == ()


def test_their_speeds_are_those_of_the_data_type() -> None:
    device = toy()
    rates = ({"fp32": 2.0, "int8": 8.0}, {"fp32": 1.0, "int8": 2.0})
    clusters = tuple(replace(c, macs_per_cycle=r) for c, r in zip(device.clusters, rates, strict=True))
    own = handovers(own=pricer(PAIR, replace(device, clusters=clusters)), a=ON_CPU)
    assert own.weights((0, 2)) == (0.5, 1.0)
    assert own.weights((0, 2), "int8") == (0.25, 1.0)


def test_their_speeds_are_those_of_their_highest_clocks() -> None:
    device = toy()
    big, little = device.clusters
    device = replace(device, clusters=(replace(big, opps=(Opp(1.0, 1.0), Opp(4.0, 1.0))), little))
    assert handovers(own=pricer(PAIR, device), a=ON_CPU).weights((0, 2)) == (0.125, 1.0)


def test_parts_as_large_as_cores_are_fast_end_together(tmp_path: Path, monkeypatch) -> None:
    path = library(tmp_path, ("chunking: static", "chunking: capacity"))
    monkeypatch.setattr(corekit, "LIBRARY", path)
    assert handovers(a=ON_CPU).weights((0, 2, 3)) == (1.0, 1.0, 1.0)


# --- transposing ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("turning")
def test_tensors_are_transposed_one_after_the_other() -> None:
    """a and b are mapped together; then 16 values each are read and written one by one, on the library's team."""
    own = handovers(a=BUFFERED, b=BUFFERED)
    assert own.require(["a", "b"], ON_CPU, "c") == {2}
    assert steps(own) == [
        ("", [("map", 2.0, 128.0), ("sync", 0.5, 0.0)], set()),
        ("cpu", [("transform", 8.0, 64.0)], {0}),
        ("cpu", [("transform", 8.0, 64.0)], {1}),
    ]
    assert own.steps[1].team == own.steps[2].team == own.pricer.team()


@pytest.mark.usefixtures("turning")
def test_transposing_is_a_kernel_of_the_cpu() -> None:
    """It has an overhead as others do, and every value is read and written."""
    own = handovers(own=pricer(PAIR, toy(cpu={"kernel_overhead": 4.0})), a=BUFFERED)
    own.require(["a"], ON_CPU, "c")
    (entry,) = own.steps[1].entries
    assert (entry.operator, entry.source, entry.target) == ("c", "cpu", "cpu")
    assert (entry.overhead, entry.compute, entry.bytes, entry.reach) == (4.0, 8.0, 2 * 64.0, 1e9)


@pytest.mark.usefixtures("turning")
def test_between_accelerators_of_another_order_the_cpu_turns_twice() -> None:
    """Where they lie, it knows nothing of what the other wants: its own order is in between."""
    rows = trace(net("a:16 x; b:8 a"), {"a": BUFFER, "b": DSP})
    assert rows[3:9] == [
        ("map b@cpu", 2.375, 3.375),
        ("sync b@cpu", 3.375, 3.875),
        ("transform b@cpu", 3.875, 11.875),
        ("transform b@cpu", 11.875, 19.875),
        ("map b@dsp", 19.875, 20.0),
        ("sync b@dsp", 20.0, 20.25),
    ]


def test_only_who_has_another_order_pays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(corekit, "LIBRARY", library(tmp_path, OF_GPU))
    graph = net("a:16 x; s:16:softmax a; b:8 s")
    turned = [what for what, *_ in trace(graph, {"a": DSP, "s": CPU, "b": BUFFER}) if "transform" in what]
    assert turned == ["transform b@cpu"]


@pytest.mark.usefixtures("turning")
def test_what_comes_from_outside_leaves_or_has_fewer_dimensions_keeps_its_order() -> None:
    assert "transform a@cpu" not in [what for what, *_ in trace(PAIR, {"a": BUFFER, "b": CPU, "c": CPU})]
    flat = net("a:16 x; s:16:softmax a; b:8 s", shape=(4, 4))
    assert not [w for w, *_ in trace(flat, {"a": BUFFER, "s": CPU, "b": BUFFER}) if w.startswith("transform")]


@pytest.mark.usefixtures("turning")
def test_of_a_tensor_that_changed_in_part_that_part_is_transposed() -> None:
    """4 of 16 values: a quarter of the time, and of the bytes that are told."""
    own = handovers(a=BUFFERED)
    own.moved = {"a": 0.25}
    own.require(["a"], ON_CPU, "c")
    assert steps(own) == [
        ("", [("map", 0.25, 16.0), ("sync", 0.5, 0.0)], set()),
        ("cpu", [("transform", 2.0, 16.0)], {0}),
    ]
    assert compress(own.steps).transfer_bytes == 32.0


@pytest.mark.usefixtures("turning")
def test_what_has_not_changed_at_all_is_not_transposed() -> None:
    own = handovers(a=BUFFERED)
    own.moved = {"a": 0.0}
    own.require(["a"], ON_CPU, "c")
    assert [step.queue for step in own.steps] == [""]


# --- roots ----------------------------------------------------------------------------------------------------


def test_a_hand_over_of_what_is_there_tells_whom_it_waits_for() -> None:
    """Of two hand-overs only the first has nothing before it: the second way of a is no root."""
    own = handovers(a=BUFFERED, b=ON_CPU)
    own.require(["b"], BUFFERED, "c")
    own.require(["a"], ON_DSP, "c")
    graph = compress(own.steps)
    told = own.root_tensors(graph)
    assert {graph.segments[root].entries[0].source: names for root, names in told.items()} == {
        "cpu": ("b",),
        "gpu": ("a",),
    }
    assert all(graph.segments[root].needs == 0 for root in told)


def test_a_kernel_first_waits_for_nobody_s_tensors() -> None:
    own = handovers(a=IMAGE)
    own.require(["a"], ON_CPU, "c")
    graph = compress(own.steps)
    assert graph.segments[0].queue == "gpu"
    assert own.root_tensors(graph) == {}


# --- sums of a graph ------------------------------------------------------------------------------------------


def test_delays_without_length_keep_their_place() -> None:
    """A join that takes no time is a wait of 0 s; steps of 0 s beside others are left out."""
    own = handovers(a=ON_CPU)
    first = own.delay(
        [Entry("map", "c", "cpu", overhead=0.0), Entry("sync", "c", "cpu", overhead=2.0)], set()
    )
    join = own.delay([], {first})
    assert [[(e.kind, e.overhead) for e in s.entries] for s in own.steps] == [
        [("sync", 2.0)],
        [("sync", 0.0)],
    ]
    assert own.steps[join].deps == {first}


def test_sums_count_every_entry_once() -> None:
    kernels = [Entry("kernel", n, "gpu", compute=1.0, bytes=8.0, dispatch=0.5, overhead=0.25) for n in "ab"]
    wait = Entry("sync", "b", "cpu", overhead=4.0, spread=(1.0, 0.0, 8.0))
    moved = Entry("map", "b", "cpu", overhead=2.0, moved=64.0)
    graph = compress(
        [Step("gpu", (kernels[0],), set()), Step("", (moved, wait), {0}), Step("gpu", (kernels[1],), {1})]
    )
    assert (graph.kernels, graph.transfer_bytes, graph.sync_s) == (2, 64.0, 4.0)
    assert [(s.dram_bytes, s.dispatch, s.overhead, s.needs) for s in graph.segments] == [
        (8.0, 0.5, 0.25, 0),
        (0.0, 0.0, 6.0, 1),
        (8.0, 0.5, 0.25, 1),
    ]
    assert graph.roots == (0,)
    assert [s.successors for s in graph.segments] == [(1,), (2,), ()]


def test_demand_is_the_highest_of_a_segment() -> None:
    """4 B in 2 s; 12 B in 3; 40 B that could take 1 s but for a reach of 16 B/s."""
    entries = [
        Entry("kernel", "a", "gpu", compute=2.0, bytes=4.0, reach=16.0),
        Entry("kernel", "b", "gpu", compute=3.0, bytes=12.0, reach=16.0),
        Entry("kernel", "c", "gpu", compute=1.0, bytes=40.0, reach=16.0),
        Entry("kernel", "d", "gpu", compute=1.0),
    ]
    assert [e.demand for e in entries] == [2.0, 4.0, 16.0, 0.0]
    assert [e.alone for e in entries] == [2.0, 3.0, 2.5, 1.0]
    (segment,) = compress([Step("gpu", tuple(entries), set())]).segments
    assert segment.demand == 16.0
    (light,) = compress([Step("gpu", tuple(entries[:2]), set())]).segments
    assert light.demand == 4.0
