"""Networks cut into jobs: nothing lost, nothing before its inputs, and as large as asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from corekit import net, networks
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.units import GRANULARITIES, Unit, cut

SUPPORT = {
    "task": ("cpu", "gpu", "dsp"),
    "softmax": ("cpu",),
    "eltwise": ("cpu", "gpu"),
    "conv2d": ("cpu", "gpu", "dsp"),
}


def support(op: Operator) -> tuple[str, ...]:
    return SUPPORT[op.type]


def cut_by(
    graph: ModelGraph, granularity: str, by: Callable[[Operator], tuple[str, ...]] = support
) -> list[Unit]:
    return cut(graph, granularity, by)


FALLBACK = net("a:1 x; b:1 a; s:1:softmax b; c:1 s; d:1 a")
r"""x -> a -> b -> s (CPU only) -> c;  a -> d"""


def test_every_operator_is_a_job() -> None:
    units = cut_by(FALLBACK, "operator")
    assert [u.operators for u in units] == [("a",), ("b",), ("s",), ("c",), ("d",)]
    assert [u.needs for u in units] == [(), (0,), (1,), (2,), (0,)]
    assert [u.readers for u in units] == [(1, 4), (2,), (3,), (), ()]
    assert [u.processors for u in units][2] == ("cpu",)


def test_operators_that_run_alike_and_are_resolved_are_one_job() -> None:
    """d joins a and b although s comes before it."""
    units = cut_by(FALLBACK, "subgraph")
    assert [u.operators for u in units] == [("a", "b", "d"), ("s",), ("c",)]
    assert [u.needs for u in units] == [(), (0,), (1,)]
    assert [u.readers for u in units] == [(1,), (2,), ()]
    assert [u.inputs for u in units] == [("x",), ("b",), ("s",)]
    assert [u.results for u in units] == [("d",), (), ()]


def test_a_whole_network_is_one_job_where_all_of_it_is_supported() -> None:
    (unit,) = cut_by(FALLBACK, "model")
    assert unit.operators == ("a", "b", "s", "c", "d")
    assert unit.processors == ("cpu",)
    assert (unit.inputs, unit.results, unit.needs, unit.readers) == (("x",), ("d",), (), ())


def test_a_tensor_that_two_operators_of_a_job_read_is_one_input() -> None:
    units = cut_by(net("s:1:softmax x; a:1 s; b:1 s,x"), "subgraph")
    assert units[1].inputs == ("s", "x")


def test_a_tensor_inside_a_job_may_leave_the_network() -> None:
    units = cut_by(net("a:1 x; b:1 a", outputs="a b"), "subgraph")
    assert [u.results for u in units] == [("a", "b")]


@pytest.mark.parametrize(
    ("word", "guess"), [("operators", "'operator'"), ("layer", "'operator, subgraph, model'")]
)
def test_an_unknown_size_is_refused(word: str, guess: str) -> None:
    with pytest.raises(UsageError) as caught:
        cut_by(FALLBACK, word)
    rule = f"granularity must be one of operator, subgraph, model, got {word!r}; try {guess}"
    assert str(caught.value) == rule


@given(networks(), st.sampled_from(GRANULARITIES))
def test_units_are_a_partition_in_topological_order(graph: ModelGraph, granularity: str) -> None:
    units = cut_by(graph, granularity)
    assert sorted(n for u in units for n in u.operators) == sorted(graph.operators)
    assert [u.number for u in units] == list(range(len(units)))
    home = {name: u.number for u in units for name in u.operators}
    for u in units:
        assert all(n < u.number for n in u.needs)
        assert all(u.number in units[n].readers for n in u.needs)
        assert all(u.number in units[n].needs for n in u.readers)
    for before, after in graph.dag.edges:
        assert home[before] == home[after] or home[before] in units[home[after]].needs
    assert sorted(t for u in units for t in u.results) == sorted(graph.outputs)


@given(networks(), st.sampled_from(GRANULARITIES))
def test_inside_a_unit_producers_come_first(graph: ModelGraph, granularity: str) -> None:
    for unit in cut_by(graph, granularity):
        resolved = set(unit.inputs)
        for name in unit.operators:
            assert resolved.issuperset(graph[name].inputs)
            resolved.update(graph[name].outputs)


@given(networks())
def test_operators_of_a_subgraph_are_supported_alike(graph: ModelGraph) -> None:
    for unit in cut_by(graph, "subgraph"):
        assert {support(graph[name]) for name in unit.operators} == {unit.processors}
