"""Band: unit subgraphs, merging, the shortest route."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyLibrary, network, pricer_of, view_of

from socsim.errors import UsageError
from socsim.schedulers.band import Band, expected_time
from socsim.schedulers.plan import Placement
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.subgraphs import (
    Subgraph,
    effective_support,
    merge_units,
    shortest_route,
    unit_subgraphs,
)
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View


def chain(count: int, macs: float = 4e6):
    names = [f"t{i}" for i in range(count)]
    return network({n: (macs, names[i - 1] if i else "") for i, n in enumerate(names)})


def supporting(**missing):
    """Whether a worker runs an operator: all but the names told."""
    return lambda worker, op: op.name not in missing.get(worker, ())


def cover(units):
    return [unit.operators for unit in units]


# --- support ------------------------------------------------------------------------------------------------


def test_small_segments_count_as_unsupported():
    """t0 t1 | t2 | t3 t4 t5 on the GPU with t2 missing: segments of 2 and 3 operators."""
    graph, workers = chain(6), ("cpu", "gpu")
    supports = supporting(gpu=["t2"])
    by_size = {
        n: [t for t, w in effective_support(graph, workers, supports, n).items() if "gpu" in w]
        for n in (1, 3, 4)
    }
    assert by_size == {1: ["t0", "t1", "t3", "t4", "t5"], 3: ["t3", "t4", "t5"], 4: []}


def test_the_cpu_supports_everything():
    support = effective_support(chain(3), ("cpu", "gpu"), lambda worker, op: False, 1)
    assert set(support.values()) == {("cpu",)}


def test_segments_are_grown_before_they_are_cut():
    r"""
    a --> b --> c (unsupported)
     `--> d --> e                all but c form one segment of 4
    """
    graph = network({"a": (1, ""), "b": (1, "a"), "c": (1, "b"), "d": (1, "a"), "e": (1, "d")})
    support = effective_support(graph, ("cpu", "gpu"), supporting(gpu=["c"]), 4)
    assert [t for t, w in support.items() if "gpu" in w] == ["a", "b", "d", "e"]


# --- units --------------------------------------------------------------------------------------------------


def test_units_are_what_the_same_workers_support():
    graph = chain(6)
    support = {t: ("cpu", "gpu") if t in ("t2", "t3") else ("cpu",) for t in graph.operators}
    units = unit_subgraphs(graph, support)
    assert cover(units) == [("t0", "t1"), ("t2", "t3"), ("t4", "t5")]
    assert [unit.processors for unit in units] == [("cpu",), ("cpu", "gpu"), ("cpu",)]


def test_units_take_all_that_is_resolved():
    r"""
    a --> b -.
     `--> c --+-> d      c is on the CPU only: a and b come first, then c, then d
    """
    graph = network({"a": (1, ""), "b": (1, "a"), "c": (1, "a"), "d": (1, "b c")})
    support = {"a": ("cpu", "gpu"), "b": ("cpu", "gpu"), "c": ("cpu",), "d": ("cpu", "gpu")}
    assert cover(unit_subgraphs(graph, support)) == [("a", "b"), ("c",), ("d",)]


# --- merging ------------------------------------------------------------------------------------------------


def merged(graph, support):
    units = unit_subgraphs(graph, support)
    return [(s.worker, s.first, s.last) for s in merge_units(graph, units)]


def test_neighbours_on_one_worker_merge():
    graph = chain(3)
    support = {"t0": ("cpu",), "t1": ("cpu", "gpu"), "t2": ("cpu",)}
    assert merged(graph, support) == [
        ("cpu", 0, 0), ("cpu", 0, 1), ("cpu", 0, 2), ("cpu", 1, 1), ("cpu", 1, 2), ("cpu", 2, 2),
        ("gpu", 1, 1),
    ]  # fmt: skip


def test_merged_pieces_keep_the_order_of_their_units():
    graph = chain(3)
    units = unit_subgraphs(graph, {"t0": ("cpu",), "t1": ("cpu", "gpu"), "t2": ("cpu",)})
    whole = next(s for s in merge_units(graph, units) if (s.first, s.last) == (0, 2))
    assert whole == Subgraph("cpu", 0, 2, ("t0", "t1", "t2"))


def test_a_piece_that_reads_from_elsewhere_does_not_merge_with_its_neighbour():
    r"""
    a -> b -> c       units a | b | c; c also reads a
     \_______/
    """
    graph = network({"a": (1, ""), "b": (1, "a"), "c": (1, "a b")})
    support = {"a": ("cpu",), "b": ("cpu", "gpu"), "c": ("cpu",)}
    found = merged(graph, support)
    assert ("cpu", 1, 2) not in found
    assert ("cpu", 0, 2) in found  # through a and b together


def test_a_piece_that_reads_the_networks_input_does_not_merge():
    graph = network({"a": (1, ""), "b": (1, "a input")})
    support = {"a": ("cpu", "gpu"), "b": ("cpu",)}
    assert merged(graph, support) == [("cpu", 0, 0), ("cpu", 1, 1), ("gpu", 0, 0)]


# --- routes -------------------------------------------------------------------------------------------------


def piece(worker, first, last=None):
    return Subgraph(worker, first, first if last is None else last, ())


TIMES = {
    piece("cpu", 0): 3.0, piece("gpu", 0): 1.0, piece("cpu", 1): 1.0, piece("gpu", 1): 4.0,
    piece("cpu", 0, 1): 3.5,
}  # fmt: skip


def route(waits=None, first=0, times=TIMES):
    return shortest_route(2, times, times.__getitem__, waits or {}, first)


def test_the_shortest_route():
    found = route()
    assert (found.latency, found.subgraphs) == (2.0, (piece("gpu", 0), piece("cpu", 1)))


def test_a_busy_worker_is_avoided_or_waited_for():
    assert route({"gpu": 3.0}).subgraphs == (piece("cpu", 0, 1),)
    found = route({"cpu": 10.0, "gpu": 1.0})
    assert (found.latency, found.subgraphs) == (6.0, (piece("gpu", 0), piece("gpu", 1)))


def test_waiting_overlaps_with_what_comes_before():
    found = route({"cpu": 1.0})
    assert (found.latency, found.subgraphs) == (2.0, (piece("gpu", 0), piece("cpu", 1)))


def test_the_rest_of_a_started_network():
    assert route(first=1) == shortest_route(2, [piece("cpu", 1)], TIMES.__getitem__, {}, 1)


def test_ties_go_to_the_later_piece():
    times = {piece("cpu", 0): 1.0, piece("gpu", 0): 1.0}
    assert shortest_route(1, times, times.__getitem__, {}).subgraphs == (piece("gpu", 0),)


def brute_force(count, times, waits):
    """Least latency over all ways to cover the units."""

    def finish(unit, start):
        if unit == count:
            return start
        options = [(s, t) for s, t in times.items() if s.first == unit]
        return min(
            (finish(s.last + 1, t + max(waits.get(s.worker, 0.0), start)) for s, t in options), default=1e9
        )

    return finish(0, 0.0)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), count=st.integers(1, 4))
def test_the_shortest_route_is_the_best_of_all(data, count):
    spans = [(i, j) for i in range(count) for j in range(i, count)]
    chosen = data.draw(st.sets(st.tuples(st.sampled_from(["cpu", "gpu"]), st.sampled_from(spans))))
    pieces = [piece("cpu", i) for i in range(count)] + [piece(w, i, j) for w, (i, j) in sorted(chosen)]
    times = {p: data.draw(st.floats(0.1, 5.0)) for p in pieces}
    waits = {w: data.draw(st.floats(0.0, 5.0)) for w in ("cpu", "gpu")}
    found = shortest_route(count, times, times.__getitem__, waits)
    assert found.latency == pytest.approx(brute_force(count, times, waits))
    assert [found.subgraphs[0].first, found.subgraphs[-1].last] == [0, count - 1]
    assert all(a.last + 1 == b.first for a, b in pairwise(found.subgraphs))


# --- the scheduler ------------------------------------------------------------------------------------------


def test_a_supported_network_runs_whole_on_the_fastest_worker():
    graph = chain(8)
    plan = Band().plan(graph, view_of(graph))
    assert set(plan.decisions.values()) == {Placement("gpu", "image")}
    assert plan.groups == (tuple(graph.operators),)


def test_what_is_missing_on_the_gpu_goes_to_the_next_worker():
    graph = chain(17)
    view = view_of(graph, TinyLibrary({"gpu": ["t8"]}))
    plan = Band().plan(graph, view)
    assert [plan.decisions[t].processor for t in ("t0", "t7", "t8", "t9", "t16")] == [
        "gpu",
        "gpu",
        "cpu",
        "gpu",
        "gpu",
    ]
    assert [len(group) for group in plan.groups] == [8, 1, 8]


def test_segments_below_the_minimum_stay_on_the_cpu():
    graph = chain(12)
    library = TinyLibrary({"gpu": ["t3"], "dsp": ["task"]})
    plan = Band().plan(graph, view_of(graph, library))
    assert [plan.decisions[t].processor for t in ("t0", "t2", "t3", "t4")] == ["cpu", "cpu", "cpu", "gpu"]
    small = Band(minimum_subgraph_size=3).plan(graph, view_of(graph, library))
    assert small.decisions["t0"].processor == "gpu"


def test_calls_cost_something():
    """Three segments of the GPU save less than their calls cost."""
    graph = chain(17)
    library = TinyLibrary({"gpu": ["t8"], "dsp": ["task"]})
    plan = Band().plan(graph, view_of(graph, library, overhead={"gpu": 10e-3}))
    assert set(plan.decisions.values()) == {Placement("cpu")}


def test_expected_times_leave_transfers_out():
    graph = chain(2)
    view = view_of(graph, overhead={"gpu": 5e-3}, sync=1.0)
    subgraph = Subgraph("gpu", 0, 0, ("t0", "t1"))
    expected = expected_time(subgraph, graph, view, {"gpu": "image"})
    assert expected == pytest.approx(5e-3 + 2 * 1e-3)


def test_sizes_below_one():
    with pytest.raises(UsageError, match="minimum_subgraph_size must be at least 1, got 0"):
        Band(minimum_subgraph_size=0)


@settings(max_examples=40, deadline=None)
@given(
    edges=st.lists(st.sets(st.integers(0, 8), max_size=2), min_size=9, max_size=9),
    gpu=st.sets(st.integers(0, 8)),
    dsp=st.sets(st.integers(0, 8)),
    minimum=st.integers(1, 4),
)
def test_plans_are_valid_and_their_groups_run_on_one_processor(edges, gpu, dsp, minimum):
    names = "abcdefghi"
    graph = network(
        {
            n: (1e5 * (i + 1), " ".join(names[e] for e in es if e < i))
            for i, (n, es) in enumerate(zip(names, edges, strict=True))
        }
    )
    library = TinyLibrary({"gpu": [names[i] for i in gpu], "dsp": [names[i] for i in dsp]})
    pricer = pricer_of(graph, library)
    plan = resolve(Band(minimum).plan(graph, View(pricer, ExactPredictor(pricer))), pricer)
    assert plan.fallbacks == {}
    for group in plan.groups:
        assert len({plan.decisions[name] for name in group}) == 1


def test_the_minimum_is_a_boundary():
    """Three operators on either side of one that only the CPU runs: three are enough for a minimum of 3."""
    graph = chain(7)
    missing = supporting(gpu=("t3",))
    for minimum, accepted in ((1, 6), (3, 6), (4, 0)):
        support = effective_support(graph, ("cpu", "gpu"), missing, minimum)
        assert sum("gpu" in own for own in support.values()) == accepted
    assert Band(1).plan(graph, view_of(graph))
    assert Band().minimum_subgraph_size == 7


def test_pieces_that_do_not_follow_each_other_are_passed_over():
    """The piece 1-2 starts where nothing ends unless 0 is there."""
    pieces = [
        Subgraph("gpu", 1, 2, ("b", "c")),
        Subgraph("cpu", 0, 1, ("a", "b")),
        Subgraph("cpu", 2, 2, ("c",)),
    ]
    route = shortest_route(3, pieces, lambda s: 2.0, {})
    assert [s.operators for s in route.subgraphs] == [("a", "b"), ("c",)]
    assert route.latency == 4.0


# --- against trying everything ------------------------------------------------------------------------------


@st.composite
def supported(draw):
    """A network of up to seven tasks, and who runs each: the CPU all, the GPU and the DSP some."""
    names = "abcdefg"[: draw(st.integers(2, 7))]
    read = [
        draw(st.sets(st.sampled_from(names[:i] + "*"), min_size=1, max_size=2)) for i in range(len(names))
    ]
    graph = network(
        {
            n: (1e6, " ".join("input" if r == "*" else r for r in sorted(rs)))
            for n, rs in zip(names, read, strict=True)
        }
    )
    runs = {w: draw(st.sets(st.sampled_from(names))) for w in ("gpu", "dsp")}
    return graph, {n: ("cpu", *(w for w in runs if n in runs[w])) for n in names}


@settings(max_examples=60, deadline=None)
@given(supported())
def test_units_are_the_largest_that_can_run_next(made):
    """Each begins with the first task left; then, until nothing is added, tasks of the same workers that can run."""
    graph, support = made
    left, expected = list(graph.operators), []
    while left:
        unit, workers = [], None
        for name in left:
            reads = {r for r in graph[name].inputs if r != "input"}
            if reads.isdisjoint(set(left) - set(unit)) and workers in (None, support[name]):
                unit.append(name)
                workers = support[name]
        expected.append((tuple(unit), workers))
        left = [name for name in left if name not in unit]
    assert [(unit.operators, unit.processors) for unit in unit_subgraphs(graph, support)] == expected


@settings(max_examples=60, deadline=None)
@given(supported())
def test_merging_goes_on_until_no_two_neighbours_join(made):
    """Two pieces of a worker join where the later reads only what is in the earlier one, or in itself."""
    graph, support = made
    units = unit_subgraphs(graph, support)
    pieces = {(w, (u.number,)) for u in units for w in u.processors}
    while True:
        joined = set()
        for (worker, early), (other, late) in product(pieces, repeat=2):
            inside = {n for k in (*early, *late) for n in units[k].operators}
            read = {r for k in late for n in units[k].operators for r in graph[n].inputs}
            if worker == other and early[-1] + 1 == late[0] and read <= inside:
                joined.add((worker, (*early, *late)))
        if joined <= pieces:
            break
        pieces |= joined
    found = merge_units(graph, units)
    assert {(s.worker, tuple(range(s.first, s.last + 1))) for s in found} == pieces
    assert len(found) == len(pieces)
    assert all(
        s.operators == tuple(n for u in units[s.first : s.last + 1] for n in u.operators) for s in found
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(2, 5))
def test_the_rest_of_a_network_is_routed_best_too(data, count):
    first = data.draw(st.integers(1, count - 1))
    spans = [(i, j) for i in range(count) for j in range(i, count)]
    pieces = [piece(w, i, j) for w in ("cpu", "gpu") for i, j in spans]
    times = {p: data.draw(st.floats(0.1, 5.0)) for p in pieces}
    waits = {w: data.draw(st.floats(-1.0, 5.0)) for w in ("cpu", "gpu")}
    rest = {Subgraph(p.worker, p.first - first, p.last - first, ()): t for p, t in times.items()}
    rest = {p: t for p, t in rest.items() if p.first >= 0}
    found = shortest_route(count, times, times.__getitem__, waits, first)
    assert found.latency == pytest.approx(brute_force(count - first, rest, waits))
    assert found.subgraphs[0].first == first and found.subgraphs[-1].last == count - 1


@settings(max_examples=40, deadline=None)
@given(supported(), st.integers(1, 3), st.sampled_from([0.0, 2e-3]))
def test_plans_take_no_longer_than_any_other_row_of_pieces(made, minimum, overhead):
    """Costs by hand: 0.5 ms on the CPU, 0.25 ms on the GPU, 1 ms on the DSP for each task, and what a call costs."""
    graph, support = made
    missing = {w: [n for n, able in support.items() if w not in able] for w in ("gpu", "dsp")}
    view = view_of(graph, TinyLibrary(missing), overhead={"cpu": overhead, "gpu": 2 * overhead})
    plan = Band(minimum).plan(graph, view)
    calls = {"cpu": overhead, "gpu": 2 * overhead, "dsp": 0.0}
    speed = {"cpu": 0.5e-3, "gpu": 0.25e-3, "dsp": 1e-3}
    able = effective_support(graph, ("cpu", "gpu", "dsp"), lambda w, op: w in support[op.name], minimum)
    units = unit_subgraphs(graph, able)
    times = {
        piece(s.worker, s.first, s.last): calls[s.worker] + len(s.operators) * speed[s.worker]
        for s in merge_units(graph, units)
    }
    spent = sum(
        calls[plan.decisions[group[0]].processor] + len(group) * speed[plan.decisions[group[0]].processor]
        for group in plan.groups
    )
    assert spent == pytest.approx(brute_force(len(units), times, {}))
    assert plan.order == tuple(n for group in plan.groups for n in group)
    assert all(len({plan.decisions[n].processor for n in group}) == 1 for group in plan.groups)
