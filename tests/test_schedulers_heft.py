"""HEFT and PEFT."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import BACK, MAP, SYNC, TRANSFORM, TinyLibrary, network, pricer_of, view_of

from socsim.schedulers.estimate import estimate
from socsim.schedulers.heft import HEFT, PEFT, heft_slots, optimistic_costs, peft_slots, upward_ranks
from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.tasks import SINK, SOURCE, Slot, TaskGraph, earliest_gap
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View
from socsim.workloads.graph import ModelGraph, Operator, Tensor

# The example of Topcuoglu, Hariri and Wu (2002), figures 1 and 3: ten tasks, three processors.
TIMES = {
    1: (14, 16, 9), 2: (13, 19, 18), 3: (11, 13, 19), 4: (13, 8, 17), 5: (12, 13, 10),
    6: (13, 16, 9), 7: (7, 15, 11), 8: (5, 11, 14), 9: (18, 12, 20), 10: (21, 7, 16),
}  # fmt: skip
EDGES = {
    (1, 2): 18, (1, 3): 12, (1, 4): 9, (1, 5): 11, (1, 6): 14, (2, 8): 19, (2, 9): 16, (3, 7): 23, (4, 8): 27,
    (4, 9): 23, (5, 9): 13, (6, 8): 15, (7, 10): 17, (8, 10): 11, (9, 10): 13,
}  # fmt: skip


def task_graph(times, edges):
    processors = [f"p{i + 1}" for i in range(len(next(iter(times.values()))))]
    pairs = [(p, q) for p in processors for q in processors if p != q]
    return TaskGraph(
        {f"n{t}": dict(zip(processors, own, strict=True)) for t, own in times.items()},
        {(f"n{u}", f"n{v}"): dict.fromkeys(pairs, d) for (u, v), d in edges.items()},
    )


CLASSIC = task_graph(TIMES, EDGES)


def makespan(slots):
    return max(slot.finish for slot in slots.values())


def check(tasks, slots):
    """Every task runs once, where it can, after its inputs; no processor does two things at once."""
    assert set(slots) == set(tasks.times)
    for task, slot in slots.items():
        assert slot.finish == pytest.approx(slot.start + tasks.times[task][slot.processor])
        assert slot.start >= tasks.ready(task, slot.processor, slots) - 1e-9
    for p in {slot.processor for slot in slots.values()}:
        own = sorted((s.start, s.finish) for s in slots.values() if s.processor == p and s.finish > s.start)
        assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(own))


# --- the published example ----------------------------------------------------------------------------------


def test_ranks_of_the_published_example():
    ranks = {t: round(r, 3) for t, r in upward_ranks(CLASSIC).items()}
    assert ranks == {
        "n1": 108.0, "n2": 77.0, "n3": 80.0, "n4": 80.0, "n5": 69.0,
        "n6": 63.333, "n7": 42.667, "n8": 35.667, "n9": 44.333, "n10": 14.667,
    }  # fmt: skip


def test_schedule_of_the_published_example():
    slots = heft_slots(CLASSIC)
    assert makespan(slots) == 80
    assert {t: s.processor for t, s in slots.items()} == {
        "n1": "p3", "n2": "p1", "n3": "p3", "n4": "p2", "n5": "p3",
        "n6": "p2", "n7": "p3", "n8": "p1", "n9": "p2", "n10": "p2",
    }  # fmt: skip
    assert slots["n4"] == Slot("p2", 18, 26)
    check(CLASSIC, slots)


def test_peft_on_the_same_example():
    """The last tasks' optimistic costs by hand; n1 goes to p2, from where the rest is cheapest."""
    table = optimistic_costs(CLASSIC)
    assert table["n10"] == {"p1": 0, "p2": 0, "p3": 0}
    assert table["n9"] == {"p1": 13 + 7, "p2": 7, "p3": 16}
    assert table["n7"] == {"p1": 21, "p2": 7, "p3": 16}
    slots = peft_slots(CLASSIC)
    check(CLASSIC, slots)
    assert slots["n1"] == Slot("p2", 0, 16)
    assert makespan(slots) == 85


# --- by hand ------------------------------------------------------------------------------------------------


def test_gaps_are_used():
    assert earliest_gap([], 3.0, 1.0) == 3.0
    assert earliest_gap([(0.0, 2.0), (5.0, 6.0)], 1.0, 3.0) == 2.0
    assert earliest_gap([(0.0, 2.0), (5.0, 6.0)], 1.0, 3.5) == 6.0
    assert earliest_gap([(4.0, 6.0)], 0.0, 4.0) == 0.0


def test_optimistic_costs_by_hand():
    r"""
    n1 --2--> n2        times on (p1, p2): n1 (3, 1), n2 (1, 4)
    """
    tasks = task_graph({1: (3, 1), 2: (1, 4)}, {(1, 2): 2})
    assert optimistic_costs(tasks) == {"n1": {"p1": 1.0, "p2": 3.0}, "n2": {"p1": 0.0, "p2": 0.0}}


def test_looking_ahead_pays():
    """n1 is a little faster on p2, but then n2 must move or be slow: HEFT takes p2, PEFT stays on p1."""
    tasks = task_graph({1: (3, 2), 2: (1, 9)}, {(1, 2): 6})
    heft, peft = heft_slots(tasks), peft_slots(tasks)
    assert (heft["n1"].processor, makespan(heft)) == ("p2", 9)
    assert (peft["n1"].processor, makespan(peft)) == ("p1", 4)


def test_source_and_sink_are_on_the_cpu():
    graph = network({"a": (4e6, ""), "b": (4e6, "a")})
    tasks = TaskGraph.of(graph, view_of(graph), {"cpu": "", "gpu": "image", "dsp": "buffer"})
    assert list(tasks.times) == [SOURCE, "a", "b", SINK]
    assert tasks.times[SOURCE] == tasks.times[SINK] == {"cpu": 0.0}
    assert tasks.times["a"] == pytest.approx({"cpu": 2e-3, "gpu": 1e-3, "dsp": 4e-3})
    assert tasks.delays[SOURCE, "a"] == pytest.approx({("cpu", "gpu"): BACK + 2e-6, ("cpu", "dsp"): BACK})
    assert tasks.delays["b", SINK][("gpu", "cpu")] == pytest.approx(3e-6 + SYNC)
    assert set(tasks.delays["a", "b"]) == {
        (p, q) for p in tasks.times["a"] for q in tasks.times["b"] if p != q
    }
    assert tasks.predecessors["b"] == ("a",)
    assert tasks.successors["b"] == (SINK,)


def test_plans_follow_the_start_times():
    slots = {
        SOURCE: Slot("cpu", 0, 0), "a": Slot("cpu", 5, 6), "b": Slot("gpu", 0, 3), "c": Slot("cpu", 6, 7),
        SINK: Slot("cpu", 7, 7),
    }  # fmt: skip
    times = {t: {"cpu": 1.0, "gpu": 1.0} for t in (SOURCE, "a", "b", "c", SINK)}
    plan = TaskGraph(times, {}, layouts={"gpu": "image"}).plan(slots, gap=0.5)
    assert plan.order == ("b", "a", "c")
    assert plan.decisions == {"a": Placement("cpu"), "b": Placement("gpu", "image"), "c": Placement("cpu")}
    assert plan.gap == 0.5


@pytest.mark.parametrize("scheduler", [HEFT(), PEFT()])
def test_two_heavy_branches_go_to_two_processors(scheduler):
    r"""
         .-> b --.
    a --+         +-> d        b and c 20 ms on the GPU, 40 ms on the CPU
         `-> c --'
    """
    graph = network({"a": (4e6, ""), "b": (80e6, "a"), "c": (40e6, "a"), "d": (4e6, "b c")})
    plan = scheduler.plan(graph, view_of(graph))
    assert {plan.decisions[n].processor for n in "bc"} == {"cpu", "gpu"}
    assert plan.decisions["b"] == Placement("gpu", "image")


@pytest.mark.parametrize("scheduler", [HEFT(), PEFT()])
def test_unsupported_operators_are_placed_elsewhere(scheduler):
    graph = network({"a": (4e6, ""), "b": (4e6, "a")})
    plan = scheduler.plan(graph, view_of(graph, TinyLibrary({"gpu": ["a"], "dsp": ["task"]})))
    assert plan.decisions["a"].processor == "cpu"


# --- properties ---------------------------------------------------------------------------------------------


@st.composite
def task_graphs(draw, most=8):
    count = draw(st.integers(1, most))
    time = st.floats(0.1, 10.0)
    times = {i: draw(st.tuples(time, time, time)) for i in range(count)}
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    edges = draw(st.sets(st.sampled_from(pairs), max_size=12)) if pairs else set()
    return task_graph(times, {e: draw(st.floats(0.0, 5.0)) for e in sorted(edges)})


def critical_path(tasks):
    """Longest path with every task at its fastest and no hand-overs: no schedule is shorter."""
    finish = {}
    for task, own in tasks.times.items():
        finish[task] = min(own.values()) + max((finish[u] for u in tasks.predecessors[task]), default=0.0)
    return max(finish.values())


@settings(max_examples=100, deadline=None)
@given(task_graphs())
def test_schedules_are_sound_and_not_shorter_than_the_critical_path(tasks):
    for slots in (heft_slots(tasks), peft_slots(tasks)):
        check(tasks, slots)
        assert makespan(slots) >= critical_path(tasks) - 1e-9


@settings(max_examples=50, deadline=None)
@given(task_graphs())
def test_ranks_fall_along_edges(tasks):
    ranks = upward_ranks(tasks)
    assert all(ranks[u] > ranks[v] for u, v in tasks.delays)


@settings(max_examples=50, deadline=None)
@given(
    edges=st.lists(st.sets(st.integers(0, 6), max_size=3), min_size=7, max_size=7),
    work=st.lists(st.integers(1, 50), min_size=7, max_size=7),
    missing=st.sets(st.sampled_from("abcdefg")),
)
def test_plans_are_valid(edges, work, missing):
    names = "abcdefg"
    graph = network(
        {
            n: (w * 1e5, " ".join(names[e] for e in es if e < i))
            for i, (n, w, es) in enumerate(zip(names, work, edges, strict=True))
        }
    )
    pricer = pricer_of(graph, TinyLibrary({"gpu": sorted(missing)}))
    view = View(pricer, ExactPredictor(pricer))
    for scheduler in (HEFT(), PEFT()):
        plan = resolve(scheduler.plan(graph, view), pricer)
        assert plan.fallbacks == {}
        assert sorted(plan.order) == list(names)
        # What it believes is at most what the whole plan takes: layout changes keep the GPU busy in addition.
        tasks = TaskGraph.of(graph, view, {"cpu": "", "gpu": "image", "dsp": "buffer"})
        assert estimate(plan, graph, view).makespan >= critical_path(tasks) - 1e-12


def test_hand_overs_depend_on_the_layout_chosen():
    """In buffers a tensor of 1000 B needs no layout change: 2 us less each way."""
    graph = network({"a": (4e6, ""), "b": (4e6, "a")})
    tasks = TaskGraph.of(graph, view_of(graph), {"cpu": "", "gpu": "buffer", "dsp": "buffer"})
    assert tasks.delays[SOURCE, "a"]["cpu", "gpu"] == pytest.approx(BACK)
    assert tasks.delays["a", "b"]["gpu", "cpu"] == pytest.approx(1e-6 + SYNC)
    assert tasks.delays["a", "b"]["gpu", "dsp"] == pytest.approx(1e-6 + SYNC + BACK)
    assert tasks.times["a"]["gpu"] == pytest.approx(2e-3)


def test_tensors_of_one_edge_go_together_and_each_once():
    """b reads both of a's outputs, one of them twice: 250 + 250 elements, 2000 B."""
    tensors = [Tensor(n, (1, 250)) for n in ("input", "a0", "a1", "b")]
    pair = [
        Operator("a", "task", ("input",), ("a0", "a1"), macs=1000),
        Operator("b", "task", ("a0", "a1", "a0"), ("b",), macs=1000),
    ]
    graph = ModelGraph("pair", pair, tensors, ("input",), ("b", "a1"))
    tasks = TaskGraph.of(graph, view_of(graph), {"cpu": "", "gpu": "buffer", "dsp": "buffer"})
    assert tasks.delays["a", "b"]["gpu", "cpu"] == pytest.approx(2e-6 + SYNC)
    assert tasks.delays["a", SINK]["gpu", "cpu"] == pytest.approx(1e-6 + SYNC)


def test_means_are_over_what_is_possible():
    """n2 runs on p2 only: one pair of different processors is left."""
    tasks = TaskGraph(
        {"n1": {"p1": 2.0, "p2": 4.0}, "n2": {"p2": 7.0}, "n3": {"p2": 1.0}},
        {("n1", "n2"): {("p1", "p2"): 6.0}, ("n2", "n3"): {}},
    )
    assert tasks.mean_time == {"n1": 3.0, "n2": 7.0, "n3": 1.0}
    assert tasks.mean_delay == {("n1", "n2"): 6.0, ("n2", "n3"): 0.0}
    assert upward_ranks(tasks) == {"n3": 1.0, "n2": 8.0, "n1": 17.0}


def test_a_task_is_ready_when_the_latest_of_its_inputs_is_there():
    tasks = task_graph({1: (1, 1), 2: (1, 1), 3: (1, 1)}, {(1, 3): 5, (2, 3): 1})
    slots = {"n1": Slot("p1", 0.0, 1.0), "n2": Slot("p2", 0.0, 4.0)}
    assert tasks.ready("n1", "p1", {}) == 0.0
    assert tasks.ready("n3", "p1", slots) == 5.0
    assert tasks.ready("n3", "p2", slots) == 6.0
    assert tasks.delay("n1", "p2", "n3", "p2") == 0.0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), max_size=6),
    st.integers(0, 30),
    st.integers(1, 8),
)
def test_the_earliest_gap_is_the_earliest(spans, ready, time):
    """Against every whole number from `ready` on."""
    busy, end = [], 0
    for start, length in sorted(spans):
        if start >= end:
            busy.append((start, start + length))
            end = start + length

    def free(at):
        return all(at + time <= begin or finish <= at for begin, finish in busy)

    assert earliest_gap(busy, ready, time) == next(at for at in range(ready, 100) if free(at))


# --- hand-overs between accelerators ------------------------------------------------------------------------


def test_layout_changes_between_accelerators_count():
    """1000 B from the DSP's buffers into the GPU's images: layout change, map and both synchronisations."""
    graph = network({"a": (2e6, ""), "b": (2e6, "a")})
    view = view_of(graph)
    tasks = TaskGraph.of(graph, view, {"cpu": "", "gpu": "image", "dsp": "buffer"})
    change = 1000 * (MAP + TRANSFORM) + BACK
    assert tasks.delays["a", "b"]["dsp", "gpu"] == pytest.approx(change + 2 * SYNC)
    assert tasks.delays["a", "b"]["gpu", "dsp"] == pytest.approx(change + SYNC)


def test_delays_between_accelerators_are_those_of_the_estimate():
    graph = network({"a": (2e6, ""), "b": (2e6, "a")})
    view = view_of(graph)
    layouts = {"cpu": "", "gpu": "image", "dsp": "buffer"}
    tasks = TaskGraph.of(graph, view, layouts)
    for p, q in (("dsp", "gpu"), ("gpu", "dsp")):
        plan = Plan({"a": Placement(p, layouts[p]), "b": Placement(q, layouts[q])})
        found = estimate(plan, graph, view)
        between = found.finish["b"] - found.finish["a"] - view.predict(graph["b"], q, layout=layouts[q])
        assert tasks.delays["a", "b"][p, q] == pytest.approx(between)
