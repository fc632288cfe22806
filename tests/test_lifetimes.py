"""How long tensors are held: exact on small networks, in orders of their own, and with what reuse keeps."""

from __future__ import annotations

import pytest
from corekit import CPU, LIBRARY, Fixed, net, networks, toy
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.schedulers.plan import Plan
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.lifetimes import RELEASED, Lifetimes

HELD = Lifetimes(release=False)


def fan() -> ModelGraph:
    """x 1 -> a 10 -> c 1, x -> b 20 -> d 1, and e 1 of c and d; 5 weights.

    In the given order a, b, c, d, e both branches are alive at once; branch by branch only one of them is.
    """
    sizes = {"x": 1, "a": 10, "b": 20, "c": 1, "d": 1, "e": 1}
    read = {"a": "x", "b": "x", "c": "a", "d": "b", "e": "c d"}
    operators = [
        Operator(n, "task", tuple(r.split()), (n,), weights=5 * (n == "a"), macs=2) for n, r in read.items()
    ]
    return ModelGraph("fan", operators, [Tensor(n, (s,)) for n, s in sizes.items()], ("x",), ("e",))


def test_memory_depends_on_the_order() -> None:
    """x, a and b are alive while b runs: 31. By branches x, c and b are: 22."""
    graph = fan()
    assert RELEASED.peak_bytes(graph, "int8") == 5 + 31
    assert RELEASED.peak_bytes(graph, "int8", ("a", "c", "b", "d", "e")) == 5 + 22
    assert RELEASED.peak_bytes(graph, "fp32", ("a", "c", "b", "d", "e")) == 4 * (5 + 22)


def test_holding_takes_all_tensors_in_any_order() -> None:
    graph = fan()
    assert (
        HELD.peak_bytes(graph, "int8") == HELD.peak_bytes(graph, "int8", ("a", "c", "b", "d", "e")) == 5 + 34
    )


def test_skipping_frames_keeps_the_last_frame_and_its_result() -> None:
    """x and e, 1 element each."""
    assert Lifetimes(keeps="frame").peak_bytes(fan(), "int8") == 5 + 31 + 2
    assert Lifetimes(release=False, keeps="frame").peak_bytes(fan(), "int8") == 5 + 34 + 2


def test_reusing_layers_keeps_all_feature_maps_beside_the_new_frame() -> None:
    """In place the new frame (1) is all that there is beside them; copying needs the largest output (20) twice."""
    assert Lifetimes(keeps="layers").peak_bytes(fan(), "int8") == 5 + 34 + 1
    assert Lifetimes(keeps="layers", copies=True).peak_bytes(fan(), "int8") == 5 + 34 + 20


def orders(graph: ModelGraph, draw: st.DrawFn) -> tuple[str, ...]:
    """A random topological order."""
    waiting, order = {op.name: {p.name for p in graph.predecessors(op)} for op in graph}, list[str]()
    while waiting:
        name = draw(st.sampled_from(sorted(n for n, before in waiting.items() if before <= set(order))))
        order.append(name)
        del waiting[name]
    return tuple(order)


@given(networks(), st.data())
def test_releasing_is_between_the_largest_working_set_and_holding(
    graph: ModelGraph, data: st.DataObject
) -> None:
    order = orders(graph, data.draw)
    released = RELEASED.peak_bytes(graph, "int8", order)
    working = max(sum(graph.tensors[t].elements for t in {*op.inputs, *op.outputs}) for op in graph)
    assert graph.parameters + working <= released <= HELD.peak_bytes(graph, "int8")
    kept = Lifetimes(keeps="layers").peak_bytes(graph, "int8")
    assert (
        HELD.peak_bytes(graph, "int8")
        < kept
        <= Lifetimes(keeps="layers", copies=True).peak_bytes(graph, "int8")
    )


def alive(graph: ModelGraph, order: tuple[str, ...], now: int) -> int:
    """Elements that have been made and that somebody still has to read, while operator number `now` runs."""
    at = {name: i for i, name in enumerate(order)}
    total = 0
    for name, tensor in graph.tensors.items():
        born = at[graph.producer[name]] if name in graph.producer else -1
        reads = [at[op.name] for op in graph if name in op.inputs]
        last = len(order) if name in graph.outputs or (born < 0 and not reads) else max([born, *reads])
        total += tensor.elements if born <= now <= last else 0
    return total


@given(networks(), st.data())
def test_the_peak_is_what_a_count_of_every_moment_gives(graph: ModelGraph, data: st.DataObject) -> None:
    order = orders(graph, data.draw)
    peak = max(alive(graph, order, now) for now in range(len(order)))
    assert RELEASED.peak_bytes(graph, "int8", order) == graph.parameters + peak
    assert RELEASED.peak_bytes(graph, "fp16", order) == 2 * (graph.parameters + peak)


def peak(graph: ModelGraph, plan: Plan, **options: str) -> float:
    app = Inference(graph, Fixed(plan), library=LIBRARY, count=1, **options)  # type: ignore[arg-type]
    return Simulation(toy(), [app]).run().apps[graph.name].peak_memory_bytes


def test_a_run_reports_the_peak_of_its_plan_s_order() -> None:
    graph, everywhere = fan(), dict.fromkeys("abcde", CPU)
    assert peak(graph, Plan(everywhere)) == 4 * (5 + 31)
    assert peak(graph, Plan(everywhere, order=("a", "c", "b", "d", "e"))) == 4 * (5 + 22)
    assert peak(graph, Plan(everywhere), memory="hold") == 4 * (5 + 34)


def test_memory_is_released_or_held() -> None:
    with pytest.raises(UsageError) as caught:
        Inference(net("a:1 x"), memory="keep")
    assert str(caught.value) == "inference 'net': memory must be 'release' or 'hold', got 'keep'"
