"""The optimal baseline: against brute force, and against everybody else."""

from __future__ import annotations

import sys
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_schedulers_heft import CLASSIC, critical_path, task_graph, task_graphs
from tiny import TinyLibrary, network, pricer_of, view_of

from socsim.errors import MissingExtraError, UsageError
from socsim.schedulers.band import Band
from socsim.schedulers.estimate import estimate
from socsim.schedulers.heft import HEFT, PEFT, heft_slots, peft_slots
from socsim.schedulers.mosaic import Mosaic
from socsim.schedulers.optimal import Optimal, relative_gap, replay, solve
from socsim.schedulers.plan import Plan
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.single import with_fallback
from socsim.schedulers.tasks import TaskGraph
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View


def makespan(slots):
    return max(slot.finish for slot in slots.values())


def brute_force(tasks):
    """The best of all placements in all orders."""
    names = list(tasks.times)
    orders = [o for o in permutations(names) if all(o.index(u) < o.index(v) for u, v in tasks.delays)]
    choices = [dict(zip(names, c, strict=True)) for c in product(*(tasks.times[n] for n in names))]
    return min(makespan(replay(tasks, choice, list(order))) for choice in choices for order in orders)


# --- the solver ---------------------------------------------------------------------------------------------


def test_the_published_example_can_be_done_better_than_heft():
    slots, bound = solve(CLASSIC, 5.0)
    assert makespan(heft_slots(CLASSIC)) == 80
    assert makespan(slots) == 73
    assert bound == pytest.approx(73, rel=1e-3)


def test_one_task_goes_to_its_fastest_processor():
    tasks = task_graph({1: (3, 2, 4)}, {})
    slots, bound = solve(tasks, 1.0)
    assert slots["n1"].processor == "p2"
    assert bound == pytest.approx(2.0)


def test_fixed_costs_are_paid_once_by_the_first():
    tasks = task_graph({1: (3, 2), 2: (3, 2)}, {(1, 2): 0})
    for fixed, expected in ((1.0, 5.0), (3.0, 6.0)):
        slots, bound = solve(TaskGraph(tasks.times, tasks.delays, fixed={"p2": fixed}), 1.0)
        assert makespan(slots) == pytest.approx(expected)
        assert bound == pytest.approx(expected, rel=1e-4)


def test_one_processor_is_among_the_solutions_to_begin_with():
    """HEFT and PEFT, which know no fixed costs, use both; without a search at all one processor is what is left."""
    tasks = task_graph({1: (3, 3), 2: (3, 3)}, {})
    dear = TaskGraph(tasks.times, tasks.delays, fixed={"p2": 9.0})
    assert {slot.processor for slot in heft_slots(dear).values()} == {"p1", "p2"}
    slots, _ = solve(dear, 1e-12)
    assert makespan(slots) == 6.0


def test_replay_runs_each_processor_in_order():
    tasks = task_graph({1: (1, 1), 2: (2, 2), 3: (3, 3)}, {(1, 3): 4})
    slots = replay(tasks, {"n1": "p1", "n2": "p2", "n3": "p2"}, ["n1", "n2", "n3"])
    assert {t: (s.start, s.finish) for t, s in slots.items()} == {"n1": (0, 1), "n2": (0, 2), "n3": (5, 8)}


def test_gaps():
    assert relative_gap(10.0, 9.0) == pytest.approx(0.1)
    assert relative_gap(10.0, 9.9999) == 0.0
    assert relative_gap(10.0, 10.1) == 0.0
    assert relative_gap(0.0, 0.0) == 0.0


def test_a_short_search_leaves_an_honest_gap():
    times = {i: (3 + i % 5, 7 - i % 4, 4 + i % 3) for i in range(40)}
    edges = {(i, j): 2 for i in range(40) for j in range(i + 3, min(i + 9, 40), 4)}
    tasks = task_graph(times, edges)
    slots, bound = solve(tasks, 1e-3)
    assert bound <= makespan(slots)
    assert makespan(slots) <= min(makespan(heft_slots(tasks)), makespan(peft_slots(tasks)))


@settings(max_examples=25, deadline=None)
@given(task_graphs(most=4))
def test_it_equals_brute_force_on_small_graphs(tasks):
    slots, bound = solve(tasks, 5.0)
    best = brute_force(tasks)
    assert makespan(slots) == pytest.approx(best, rel=1e-4)
    assert bound == pytest.approx(best, rel=1e-4)


@settings(max_examples=15, deadline=None)
@given(task_graphs(most=3), st.tuples(*[st.floats(0.0, 8.0)] * 3))
def test_it_equals_brute_force_with_what_the_first_task_of_a_processor_pays(tasks, fixed):
    tasks = TaskGraph(tasks.times, tasks.delays, dict(zip(("p1", "p2", "p3"), fixed, strict=True)))
    slots, bound = solve(tasks, 5.0)
    best = brute_force(tasks)
    assert makespan(slots) == pytest.approx(best, rel=1e-4)
    assert bound == pytest.approx(best, rel=1e-4)


def test_tasks_that_take_no_time_open_no_processor():
    """Source and sink on p1 pay nothing; the one that has work to do does."""
    times = {"in": {"p1": 0.0}, "work": {"p1": 2.0}, "out": {"p1": 0.0}}
    tasks = TaskGraph(times, {("in", "work"): {}, ("work", "out"): {}}, {"p1": 0.5})
    slots, bound = solve(tasks, 1.0)
    assert [slots[task].finish for task in times] == [0.0, 2.5, 2.5]
    assert bound == pytest.approx(2.5)


@settings(max_examples=25, deadline=None)
@given(task_graphs(most=7), st.fixed_dictionaries({"p1": st.floats(0, 3), "p2": st.floats(0, 3)}))
def test_it_is_no_worse_than_the_heuristics_and_no_better_than_the_critical_path(tasks, fixed):
    tasks = TaskGraph(tasks.times, tasks.delays, fixed)
    slots, bound = solve(tasks, 1.0)
    order = sorted(tasks.times, key=lambda t: heft_slots(tasks)[t].start)
    heft = replay(tasks, {t: s.processor for t, s in heft_slots(tasks).items()}, order)
    assert critical_path(tasks) * (1 - 1e-4) <= bound * (1 + 1e-4)
    assert bound * (1 - 1e-4) <= makespan(slots) <= makespan(heft) * (1 + 1e-9)


# --- the scheduler ------------------------------------------------------------------------------------------


def random_network(edges, work):
    names = "abcdef"
    return network(
        {
            n: (w * 1e5, " ".join(names[e] for e in es if e < i))
            for i, (n, w, es) in enumerate(zip(names, work, edges, strict=True))
        }
    )


@settings(max_examples=25, deadline=None)
@given(
    edges=st.lists(st.sets(st.integers(0, 5), max_size=2), min_size=6, max_size=6),
    work=st.lists(st.integers(1, 60), min_size=6, max_size=6),
    missing=st.sets(st.sampled_from("abcdef")),
    overhead=st.sampled_from([0.0, 1e-3]),
)
def test_no_plan_of_whole_operators_is_better(edges, work, missing, overhead):
    graph = random_network(edges, work)
    pricer = pricer_of(graph, TinyLibrary({"gpu": sorted(missing)}), overhead={"gpu": overhead})
    view = View(pricer, ExactPredictor(pricer))
    plan = resolve(Optimal(limit=2.0).plan(graph, view), pricer)
    assert plan.fallbacks == {}
    time = estimate(plan, graph, view).makespan
    for scheduler in (HEFT(), PEFT(), Mosaic(), Band()):
        other = Plan.of(scheduler.plan(graph, view), graph)
        assert time <= estimate(other, graph, view).makespan * (1 + 1e-9)
        assert time * (1 - plan.gap) <= estimate(other, graph, view).makespan * (1 + 1e-4)
    for processor in view.processors:
        single = with_fallback(graph, view, processor, view.layouts(processor)[0])
        assert time <= estimate(single, graph, view).makespan * (1 + 1e-9)


def test_the_same_plan_every_time():
    graph = random_network([set(), {0}, {0}, {1, 2}, {0}, {3, 4}], [10, 40, 30, 20, 50, 5])
    plans = [Optimal().plan(graph, view_of(graph)) for _ in range(2)]
    assert plans[0] == plans[1]
    assert plans[0].gap is not None


def test_large_networks_are_refused_with_a_way_out():
    graph = network({f"t{i}": (1e6, f"t{i - 1}" if i else "") for i in range(6)})
    with pytest.raises(UsageError, match="at most 5 operators, 'tasks' has 6; raise most_operators"):
        Optimal(most_operators=5).plan(graph, view_of(graph))


def test_limits_must_be_positive():
    with pytest.raises(UsageError, match="limit must be positive seconds of search, got 0"):
        Optimal(limit=0)


def test_a_missing_solver_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    with pytest.raises(MissingExtraError, match=r"the optimal scheduler needs the extra \[optimal\]"):
        solve(CLASSIC, 1.0)


def test_a_network_of_just_the_most_operators_is_planned():
    graph = network({f"t{i}": (1e6, f"t{i - 1}" if i else "") for i in range(5)})
    plan = Optimal(most_operators=5).plan(graph, view_of(graph))
    assert set(plan.decisions) == set(graph.operators)


@pytest.mark.parametrize("most", [0, -1])
def test_a_most_of_no_operators_refuses_everything(most):
    graph = network({"a": (1e6, "")})
    with pytest.raises(UsageError):
        Optimal(most_operators=most).plan(graph, view_of(graph))
