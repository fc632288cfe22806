"""MOSAIC's dynamic programme, and the greedy online scheduler."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyLibrary, network, pricer_of, view_of

from socsim.schedulers.estimate import estimate
from socsim.schedulers.greedy import Greedy, earliest_finish
from socsim.schedulers.mosaic import Mosaic, cheapest_path
from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.single import preferred_layouts
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import Job, Load, View
from socsim.workloads.graph import ModelGraph, Operator, Tensor

# --- the path -----------------------------------------------------------------------------------------------


def flat(cost):
    return lambda row, source, target: cost


def test_the_fastest_where_switching_is_free():
    times = [{"cpu": 1, "gpu": 2}, {"cpu": 2, "gpu": 1}, {"cpu": 1, "gpu": 2}]
    assert cheapest_path(times, flat(0.0)) == ("cpu", "gpu", "cpu")


def test_one_processor_where_switching_is_dear():
    times = [{"cpu": 1, "gpu": 2}, {"cpu": 2, "gpu": 1}, {"cpu": 1, "gpu": 2}]
    assert cheapest_path(times, flat(9.0)) == ("cpu", "cpu", "cpu")


def test_the_way_in_and_back_counts():
    """2 ms saved on the GPU, 1.5 ms for each way."""
    assert cheapest_path([{"cpu": 5, "gpu": 3}], flat(1.5)) == ("cpu",)
    assert cheapest_path([{"cpu": 5, "gpu": 3}], flat(0.9)) == ("gpu",)


def test_a_longer_way_round_is_seen():
    """Keeping only the cheapest processor of each row would stay on the GPU after the first operator."""
    times = [{"cpu": 3, "gpu": 1}, {"cpu": 1, "gpu": 8}, {"cpu": 1, "gpu": 8}]
    assert cheapest_path(times, lambda row, s, t: 4.0 if row else 0.0) == ("cpu", "cpu", "cpu")


def test_operators_without_a_choice():
    times = [{"gpu": 5}, {"cpu": 1, "gpu": 2}, {"cpu": 1}]
    assert cheapest_path(times, flat(3.0)) == ("gpu", "cpu", "cpu")


def cost_of(path, times, switch):
    places = ("cpu", *path, "cpu")
    switches = sum(switch(i, a, b) for i, (a, b) in enumerate(pairwise(places)) if a != b)
    return switches + sum(own[p] for own, p in zip(times, path, strict=True))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), count=st.integers(1, 5))
def test_it_is_the_best_of_all_paths(data, count):
    places = ("cpu", "gpu", "dsp")
    cost = st.floats(0.0, 10.0)
    times = [{p: data.draw(cost) for p in places} for _ in range(count)]
    table = {k: data.draw(cost) for k in product(range(count + 1), places, places)}

    def switch(*key):
        return table[key]

    path = cheapest_path(times, switch)
    best = min(cost_of(other, times, switch) for other in product(places, repeat=count))
    assert cost_of(path, times, switch) == pytest.approx(best)


# --- the scheduler ------------------------------------------------------------------------------------------


def test_a_short_operator_does_not_move():
    graph = network({"a": (40e6, ""), "b": (1e4, "a"), "c": (40e6, "b")})
    slow = {("gpu", "task"): 1.0}
    plan = Mosaic().plan(graph, view_of(graph, rates=slow))
    assert plan == dict.fromkeys("abc", Placement("gpu", "image"))


def test_an_unsupported_operator_takes_its_neighbours_along_if_that_is_cheaper():
    """b only on the CPU; c is so small that coming back for it does not pay."""
    graph = network({"a": (40e6, ""), "b": (4e6, "a"), "c": (1e4, "b")})
    plan = Mosaic().plan(graph, view_of(graph, TinyLibrary({"gpu": ["b"]})))
    assert [p.processor for p in plan.values()] == ["gpu", "cpu", "cpu"]


@pytest.mark.parametrize(("micros", "processor"), [(228, "cpu"), (232, "gpu")])
def test_the_layout_change_behind_another_accelerator_counts(micros, processor):
    """DSP to CPU 201 us; into the GPU's images 213 us, half the time there, 103 us back: 230 us is even."""
    graph = network({"a": (1e9, ""), "b": (micros * 2e3, "a")})
    view = view_of(graph, TinyLibrary({"dsp": ["b"]}), rates={("dsp", "task"): 100.0})
    assert [p.processor for p in Mosaic().plan(graph, view).values()] == ["dsp", processor]


@pytest.mark.parametrize(("micros", "processor"), [(234, "cpu"), (238, "gpu")])
def test_all_results_go_back_to_the_cpu(micros, processor):
    """Two of 1000 B: 12 us in and half the time on the GPU, 106 us back: 236 us is even, and 230 us with one."""
    tensors = [Tensor(n, (1, 250)) for n in ("input", "x", "y")]
    graph = ModelGraph(
        "two",
        [Operator("a", "task", ("input",), ("x", "y"), macs=int(micros * 2e3))],
        tensors,
        ("input",),
        ("x", "y"),
    )
    assert [p.processor for p in Mosaic().plan(graph, view_of(graph)).values()] == [processor]


@settings(max_examples=60, deadline=None)
@given(
    work=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    missing=st.sets(st.sampled_from("abcd")),
    sync=st.sampled_from([0.0, 1e-4, 3e-3]),
)
def test_chains_are_planned_optimally(work, missing, sync):
    """Against every placement, by the estimate of whole plans."""
    names = "abcd"[: len(work)]
    graph = network(
        {n: (w * 1e5, names[i - 1] if i else "") for i, (n, w) in enumerate(zip(names, work, strict=True))}
    )
    library = TinyLibrary({"gpu": sorted(missing)})
    pricer = pricer_of(graph, library, sync=sync)
    view = View(pricer, ExactPredictor(pricer))
    plan = resolve(Mosaic().plan(graph, view), pricer)
    assert plan.fallbacks == {}
    layouts = {p.processor: p.layout for p in plan.decisions.values()}
    able = [[p for p in view.processors if view.supports(p, graph[n])] for n in names]
    places = product(*able)
    plans = [
        {n: Placement(p, layouts.get(p, view.layouts(p)[0])) for n, p in zip(names, c, strict=True)}
        for c in places
    ]
    best = min(estimate(Plan(p), graph, view).makespan for p in plans)
    assert estimate(plan, graph, view).makespan <= best + 1e-9


# --- greedy -------------------------------------------------------------------------------------------------

GRAPH = network({"a": (4e6, ""), "b": (4e6, "a")})  # 2 ms on the CPU, 1 ms on the GPU, 4 ms on the DSP


def loaded(waits=None, ready=(), data=None):
    waits, data = waits or {}, data or {}
    return view_of(
        GRAPH,
        load=Load(
            lambda: 0.0, lambda: tuple(ready), lambda p: waits.get(p, 0.0), lambda j, p: data.get(p, 0.0)
        ),
    )


def job(*processors, unit=0):
    return Job(0, GRAPH, ("ab"[unit],), processors or ("cpu", "gpu", "dsp"), 0.0, unit)


@pytest.mark.parametrize(
    "waits, data, chosen",
    [
        ({}, {}, "gpu"),
        ({"gpu": 2e-3}, {}, "cpu"),
        ({"gpu": 0.9e-3}, {}, "gpu"),
        ({"gpu": 9e-3, "cpu": 9e-3}, {}, "dsp"),
        ({}, {"gpu": 2e-3}, "cpu"),
        ({"gpu": 0.5e-3, "cpu": 0.5e-3}, {"gpu": 0.5e-3, "cpu": 0.5e-3}, "gpu"),  # waits do not add up
        ({"gpu": 1e-3}, {"gpu": 1e-3}, "gpu"),  # a tie: less time on the GPU
    ],
)
def test_earliest_finish(waits, data, chosen):
    assert earliest_finish(job(), loaded(waits, data=data)) == chosen


def test_only_processors_that_support_the_job():
    assert earliest_finish(job("cpu", "dsp"), loaded()) == "cpu"


def test_all_ready_jobs_are_assigned_in_order():
    jobs = [job(unit=0), job("dsp", unit=1)]
    assignments = list(Greedy().decide(loaded(ready=jobs)))
    assert [(a.job, a.placement.processor) for a in assignments] == [(jobs[0], "gpu"), (jobs[1], "dsp")]


def test_granularity_is_an_option():
    assert (Greedy().granularity, Greedy("model").granularity) == ("operator", "model")


def test_switches_are_paid_for_the_preferred_layout():
    """A layout change takes 1 ms, so buffers are preferred: 10 us in, 250 us, 101 us back; 500 us on the CPU."""
    graph = network({"a": (1e6, "")})
    view = view_of(graph, rates={("gpu", "task"): 2.0}, transform=1e-6)
    assert preferred_layouts(graph, view)["gpu"] == "buffer"
    assert Mosaic().plan(graph, view)["a"] == Placement("gpu", "buffer")


@settings(max_examples=80, deadline=None)
@given(data=st.data(), processors=st.integers(1, 3))
def test_a_job_goes_where_it_finishes_first(data, processors):
    """Waiting and moving overlap; ties go to the least time, then to the first."""
    graph = network({"a": (4e6, "")})
    names = ("cpu", "gpu", "dsp")[:processors]
    wait, there = ({p: data.draw(st.integers(0, 4)) * 1e-3 for p in names} for _ in range(2))
    load = Load(lambda: 0.0, lambda: (), wait.__getitem__, lambda job, p: there[p])
    view = view_of(graph, load=load)
    job = Job(0, graph, ("a",), names, 0.0, 0)
    times = {"cpu": 2e-3, "gpu": 1e-3, "dsp": 4e-3}
    ends = {p: max(wait[p], there[p]) + times[p] for p in names}
    assert ends[earliest_finish(job, view)] == pytest.approx(min(ends.values()))
