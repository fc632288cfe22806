"""Networks as graphs: what is refused, in which order operators come, and what is counted."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise

import pytest
from corekit import net, networks
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import ModelError, UnknownNameError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import DTYPE_BYTES, Lineage, ModelGraph, Operator, Tensor


def op(name: str, reads: str = "x", writes: str = "", **fields) -> Operator:
    """A task; names of tensors apart by spaces, its own name for the output by default."""
    return Operator(name, "task", tuple(reads.split()), tuple((writes or name).split()), **fields)


def graph(*operators: Operator, tensors: str = "", inputs: str = "x", outputs: str = "") -> ModelGraph:
    """A network whose tensors, all of shape (1, 2), are its inputs and all that is produced."""
    produced = [t for o in operators for t in o.outputs]
    names = tensors.split() or dict.fromkeys([*inputs.split(), *produced])
    leaving = outputs.split() or produced[-1:]
    return ModelGraph("g", operators, [Tensor(n, (1, 2)) for n in names], inputs.split(), leaving)


DIAMOND = net("a:1 x; b:2 a; c:4 a; d:8 b,c")
r"""
    x -> a -> b -> d
          \-> c -/
"""


# --- tensors and operators ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "elements"),
    [((2, 3, 4), 24), ((7,), 7), ((), 1), ((1, 1, 1, 1), 1), ((1, 3, 224, 224), 150528)],
)
def test_elements_of_a_tensor(shape: tuple[int, ...], elements: int) -> None:
    assert Tensor("t", shape).elements == elements


@pytest.mark.parametrize("shape", [(0,), (1, 0, 3), (4, -1)])
def test_sizes_are_positive(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        Tensor("t", shape)
    assert str(caught.value) == f"tensor 't': every dimension must be positive, got {list(shape)}"


def test_attributes_have_defaults() -> None:
    conv = op("a", attributes={"kernel": (3, 3), "bias": None})
    assert conv.get("kernel") == (3, 3)
    assert conv.get("stride") is None
    assert conv.get("stride", (1, 1)) == (1, 1)
    assert conv.get("bias", 5) is None


def test_operators_are_frozen_and_hashable_whatever_their_attributes() -> None:
    one, same = (op("a", attributes={"kernel": (3, 3)}, macs=5) for _ in range(2))
    assert one == same
    assert {one: "found"}[same] == "found"
    assert replace(one, macs=6) != one
    assert replace(one, attributes={"kernel": (1, 1)}) != one
    with pytest.raises(FrozenInstanceError):
        one.macs = 7  # type: ignore[misc]


def test_operators_that_differ_in_what_names_them_have_other_hashes() -> None:
    one = op("a")
    assert hash(one) == hash(replace(one, macs=9))
    others = (replace(one, name="b"), replace(one, type="conv2d"), replace(one, outputs=("z",)))
    assert len({hash(one), *map(hash, others)}) == 4


def test_bytes_of_types() -> None:
    assert dict(DTYPE_BYTES) == {"fp32": 4, "fp16": 2, "int8": 1, "int32": 4, "int64": 8}
    with pytest.raises(TypeError):
        DTYPE_BYTES["fp64"] = 8  # type: ignore[index]


# --- what is refused ------------------------------------------------------------------------------------------


def refusal(*operators: Operator, **options: str) -> str:
    with pytest.raises(ModelError) as caught:
        graph(*operators, **options)
    return str(caught.value)


def test_a_network_without_operators() -> None:
    assert refusal(outputs="x") == "network 'g' has no operators"


def test_two_operators_of_one_name() -> None:
    assert refusal(op("a"), op("a", "x", "b")) == "network 'g': two operators are named 'a'"


def test_two_tensors_of_one_name() -> None:
    assert refusal(op("a"), tensors="x a a") == "network 'g': two tensors are named 'a'"


def test_a_tensor_with_two_producers() -> None:
    message = "network 'g': tensor 'y' has two producers, 'a' and 'b'"
    assert refusal(op("a", writes="y"), op("b", writes="y")) == message


def test_an_operator_that_writes_one_tensor_twice() -> None:
    assert refusal(op("a", writes="y y")) == "network 'g': tensor 'y' has two producers, 'a' and 'a'"


@pytest.mark.parametrize("tensors", ["x", "a"])
def test_a_tensor_that_is_not_declared(tensors: str) -> None:
    missing = "a" if tensors == "x" else "x"
    assert refusal(op("a"), tensors=tensors) == f"network 'g': operator 'a' names unknown tensor {missing!r}"


def test_a_tensor_that_nothing_produces() -> None:
    message = "network 'g': nothing produces tensor 'y', read by 'b'"
    assert refusal(op("a"), op("b", "a y"), tensors="x y a b") == message


def test_an_output_that_nothing_produces() -> None:
    assert refusal(op("a"), outputs="a y") == "network 'g': nothing produces its output 'y'"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_cycle_is_told_from_end_to_end(size: int) -> None:
    """o0 -> o1 -> ... -> o0, each named once and the first of them twice."""
    ring = [op(f"o{i}", f"x o{(i - 1) % size}") for i in range(size)]
    message = refusal(op("before"), *ring)
    assert message.startswith("network 'g' has a cycle: o")
    told = message.removeprefix("network 'g' has a cycle: ").split(" -> ")
    assert told[0] == told[-1]
    assert sorted(told[:-1]) == [f"o{i}" for i in range(size)]
    for earlier, later in pairwise(told):
        assert (int(earlier[1]) + 1) % size == int(later[1])


def test_an_unknown_operator_is_answered_with_the_nearest() -> None:
    own = graph(op("conv_1"), op("pool", "conv_1"))
    assert own["pool"].inputs == ("conv_1",)
    with pytest.raises(UnknownNameError, match="unknown operator 'conv1'; did you mean 'conv_1'"):
        own["conv1"]


# --- order and neighbours -------------------------------------------------------------------------------------


def test_operators_come_in_topological_order_however_they_are_given() -> None:
    own = graph(op("c", "b"), op("a"), op("b", "a"), outputs="c")
    assert [o.name for o in own] == ["a", "b", "c"]
    assert list(own.operators) == ["a", "b", "c"]


def test_the_given_order_stays_where_it_is_topological() -> None:
    """Two independent chains, interleaved."""
    own = graph(op("b1"), op("a1"), op("b2", "b1"), op("a2", "a1"), outputs="a2 b2")
    assert [o.name for o in own] == ["b1", "a1", "b2", "a2"]


def test_length_iteration_and_representation() -> None:
    own = graph(op("a", macs=1_500_000), op("b", "a", macs=50_000))
    assert len(own) == 2
    assert next(iter(own)) is own["a"]
    assert repr(own) == "ModelGraph('g', 2 operators, 1.6 MMAC)"


def test_neighbours() -> None:
    def names(operators: list[Operator]) -> list[str]:
        return [o.name for o in operators]

    assert names(DIAMOND.predecessors(DIAMOND["d"])) == ["b", "c"]
    assert names(DIAMOND.predecessors(DIAMOND["a"])) == []
    assert names(DIAMOND.successors(DIAMOND["a"])) == ["b", "c"]
    assert names(DIAMOND.successors(DIAMOND["d"])) == []


def test_predecessors_come_once_and_in_the_order_of_the_inputs() -> None:
    own = graph(op("a", "x", "a0 a1"), op("b"), op("c", "b a1 a0 x b"))
    assert [o.name for o in own.predecessors(own["c"])] == ["b", "a"]


def test_shapes_and_elements_of_an_operator() -> None:
    operator = Operator("a", "concat", ("x", "w", "x"), ("y", "z"))
    shapes = {"x": (1, 2), "w": (3,), "y": (4, 5), "z": (6,)}
    own = ModelGraph("g", [operator], [Tensor(n, s) for n, s in shapes.items()], ("x", "w"), ("z",))
    assert own.input_shapes(operator) == [(1, 2), (3,), (1, 2)]
    assert own.output_shape(operator) == (4, 5)
    assert own.input_elements(operator) == 2 + 3 + 2
    assert own.output_elements(operator) == 20 + 6


def test_an_output_may_be_an_input_passed_on() -> None:
    own = graph(op("a"), outputs="x a")
    assert own.outputs == ("x", "a")
    assert own.producer == {"a": "a"}


@given(networks())
def test_every_producer_comes_before_its_readers(own: ModelGraph) -> None:
    position = {o.name: i for i, o in enumerate(own)}
    for o in own:
        assert all(position[p.name] < position[o.name] for p in own.predecessors(o))
        assert all(o in own.predecessors(s) for s in own.successors(o))


@given(networks(), st.randoms(use_true_random=False))
def test_the_order_given_never_matters_to_what_depends_on_what(own: ModelGraph, random) -> None:
    shuffled = list(own)
    random.shuffle(shuffled)
    again = ModelGraph(own.name, shuffled, own.tensors.values(), own.inputs, own.outputs)
    assert set(again.dag.edges) == set(own.dag.edges)
    assert (again.macs, again.parameters) == (own.macs, own.parameters)


# --- sums -----------------------------------------------------------------------------------------------------


def test_operations_and_parameters_are_sums() -> None:
    own = graph(op("a", macs=3, weights=5), op("b", "a", macs=4, weights=6, ops=100))
    assert (own.macs, own.parameters) == (7, 11)


def test_memory_of_a_chain_is_its_widest_neighbouring_pair() -> None:
    """x 2 -> a 10 -> b 1 -> c 3, with 7 weights: 12 elements while a runs."""
    shapes = {"x": (2,), "a": (10,), "b": (1,), "c": (3,)}
    chain = [op("a", weights=7), op("b", "a"), op("c", "b")]
    own = ModelGraph("g", chain, [Tensor(n, s) for n, s in shapes.items()], ("x",), ("c",))
    assert own.peak_memory_bytes() == 4 * (7 + 12)
    assert own.peak_memory_bytes("int8") == 7 + 12
    assert own.peak_memory_bytes("fp16") == 2 * (7 + 12)
    assert own.peak_memory_bytes(release=False) == 4 * (7 + 16)


def test_memory_holds_a_skipped_tensor_until_its_last_reader() -> None:
    r"""x -> a -> b -> c -> d with a -> d: a, b and c are alive while c runs; without the skip only b and c."""
    straight = net("a:1 x; b:1 a; c:1 b; d:1 c", shape=(1,))
    skipping = net("a:1 x; b:1 a; c:1 b; d:1 c,a", shape=(1,))
    assert straight.peak_memory_bytes("int8") == 2
    assert skipping.peak_memory_bytes("int8") == 3


def test_memory_holds_outputs_to_the_end() -> None:
    assert net("a:1 x; b:1 a; c:1 b", outputs="c", shape=(1,)).peak_memory_bytes("int8") == 2
    assert net("a:1 x; b:1 a; c:1 b", outputs="a c", shape=(1,)).peak_memory_bytes("int8") == 3


def test_memory_frees_at_once_what_nobody_reads() -> None:
    """a writes y, and 100 elements that nobody reads: they count while a runs, and not later."""
    shapes = {"x": (1,), "y": (1,), "waste": (100,), "b": (60,), "c": (50,)}
    chain = [op("a", "x", "y waste"), op("b", "y"), op("c", "b")]
    own = ModelGraph("g", chain, [Tensor(n, s) for n, s in shapes.items()], ("x",), ("c",))
    assert own.peak_memory_bytes("int8") == 60 + 50
    smaller = [*chain[:2]]
    tensors = [Tensor(n, s) for n, s in shapes.items() if n != "c"]
    assert ModelGraph("g", smaller, tensors, ("x",), ("b",)).peak_memory_bytes("int8") == 102


def test_an_input_is_alive_before_anything_runs() -> None:
    """Of 9 and 5 input elements the larger is read last: both are alive while the first operator runs."""
    shapes = {"x": (9,), "w": (5,), "a": (1,), "b": (1,)}
    own = ModelGraph(
        "g", [op("a", "w"), op("b", "x a")], [Tensor(n, s) for n, s in shapes.items()], ("x", "w"), ("b",)
    )
    assert own.peak_memory_bytes("int8") == 9 + 5 + 1


@given(networks())
def test_releasing_never_needs_more_memory(own: ModelGraph) -> None:
    held = own.peak_memory_bytes(release=False)
    assert own.peak_memory_bytes() <= held
    largest = max(own.input_elements(o) for o in own)
    assert own.peak_memory_bytes("int8") >= min(largest, sum(t.elements for t in own.tensors.values()) - 1)


# --- signatures -----------------------------------------------------------------------------------------------


def test_equal_networks_have_one_signature() -> None:
    assert net("a:1 x; b:2 a").signature == net("a:1 x; b:2 a").signature
    assert len(DIAMOND.signature) == 24


@pytest.mark.parametrize(
    "change",
    [
        {"macs": 2},
        {"ops": 1},
        {"weights": 1},
        {"type": "matmul"},
        {"attributes": {"kernel": (3, 3)}},
        {"name": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_simulation_reads_of_an_operator_changes_the_signature(change) -> None:
    before, after = op("a", macs=1), replace(op("a", macs=1), **change)
    assert graph(before).signature != graph(after).signature


def test_shapes_and_edges_change_the_signature() -> None:
    texts = ("a:1 x; b:1 a; c:1 b", "a:1 x; b:1 a; c:1 a", "a:1 x; b:1 a; c:1 a,b")
    signatures = {net(text, outputs="c").signature for text in texts}
    signatures.add(net(texts[0], outputs="c", shape=(1, 4, 4, 2)).signature)
    assert len(signatures) == 4


def test_what_enters_and_leaves_changes_the_signature() -> None:
    operators = (op("a"), op("b"))
    signatures = {
        graph(*operators, inputs=inputs, outputs=outputs, tensors="x y a b").signature
        for inputs, outputs in (("x", "a"), ("x", "b"), ("x", "a b"), ("x", "b a"), ("x y", "a"))
    }
    assert len(signatures) == 5


def test_the_order_in_which_a_chain_is_given_does_not_change_the_signature() -> None:
    chain = [op("a"), op("b", "a"), op("c", "b")]
    tensors = [Tensor(name, (1, 2)) for name in "xabc"]
    given = (ModelGraph("g", order, tensors, ["x"], ["c"]) for order in (chain, chain[::-1]))
    assert len({network.signature for network in given}) == 1


def test_a_digest_is_worked_out_anew() -> None:
    network = net("a:1 x; b:2 a")
    assert network.digest() == network.signature
    network["a"].attributes["seen"] = True
    assert network.digest() != network.signature


def test_the_order_of_attributes_does_not_change_the_signature() -> None:
    one, other = op("a", attributes={"k": 1, "s": 2}), op("a", attributes={"s": 2, "k": 1})
    assert graph(one).signature == graph(other).signature


def test_a_network_survives_a_journey_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(DIAMOND))
    assert again.signature == DIAMOND.signature
    assert [o.name for o in again] == ["a", "b", "c", "d"]
    assert again.predecessors(again["d"]) == [again["b"], again["c"]]


def test_what_may_have_another_order_of_dimensions() -> None:
    """x -> a -> b -> c: tensors inside the network, with four dimensions."""
    b = GraphBuilder("orders")
    x = b.image(8, 8)
    inner = b.conv(x, 4, 3, name="a")
    flat = b.flatten(inner, name="b")
    graph = b.build(b.dense(flat, 2, name="c"))
    assert [graph.transposable(t) for t in (x, inner, flat, *graph.outputs)] == [0, 4 * 64, 0, 0]


# --- networks made of others ------------------------------------------------------------------------------------


def test_what_is_not_changed_stays() -> None:
    """An unlabelled copy is the same network; each part is changed alone."""
    own = net("a:8 x; b:16 a")
    wider = [replace(t, shape=(1, 8, 4, 4)) for t in own.tensors.values()]
    busier = [replace(o, macs=2 * o.macs) for o in own]
    kept, wide, busy, half = (
        own.changed(),
        own.changed(tensors=wider),
        own.changed(busier),
        own.changed(dtype="fp16"),
    )
    assert kept.signature == own.signature
    assert [g.name for g in (kept, wide, busy, half)] == ["net"] * 4
    assert [g.macs for g in (kept, wide, busy, half)] == [24, 24, 48, 24]
    assert [g.tensors["a"].shape for g in (kept, wide, busy)] == [(1, 4, 4, 1), (1, 8, 4, 4), (1, 4, 4, 1)]
    assert [g.dtype for g in (kept, wide, busy, half)] == ["", "", "", "fp16"]
    assert half.changed(busier).dtype == "fp16" and half.changed(dtype="").dtype == ""
    assert (wide.inputs, wide.outputs) == (own.inputs, own.outputs)
    assert len({g.signature for g in (own, wide, busy, half)}) == 4


def test_a_lineage_names_a_network_and_is_handed_on() -> None:
    own = net("a:8 x")
    assert (own.lineage, own.top1_drop) == (None, 0.0)
    pruned = own.changed(lineage=Lineage("net", ("prune(0.5)",), 1.25))
    assert (pruned.name, pruned.top1_drop) == ("net+prune(0.5)", 1.25)
    later = pruned.changed(dtype="int8")
    assert (later.name, later.top1_drop, later.dtype) == ("net+prune(0.5)", 1.25, "int8")
    again = later.changed(lineage=Lineage("net", ("prune(0.5)", "quantise(int8)"), 2.0))
    assert (again.name, again.top1_drop) == ("net+prune(0.5)+quantise(int8)", 2.0)


def test_memory_depends_on_the_order_in_which_branches_run() -> None:
    """Two branches shrink a wide map to an element, whose sum leaves; run breadth first, both maps are held at once.

    Maps have 8 elements, all else 1: depth first a map, what it came from and its end; breadth first both maps and one.
    """
    tensors = [Tensor(t, (8 if t in ("a", "c") else 1,)) for t in ("x", "a", "b", "c", "d", "s")]
    ops = [op("a"), op("b", "a"), op("c"), op("d", "c"), op("s", "b d")]
    own = ModelGraph("net", ops, tensors, ["x"], ["s"])
    width = DTYPE_BYTES["int8"]
    assert own.peak_memory_bytes("int8", order=["a", "b", "c", "d", "s"]) == width * (1 + 8 + 1)
    assert own.peak_memory_bytes("int8", order=["a", "c", "b", "d", "s"]) == width * (8 + 8 + 1)
    assert own.peak_memory_bytes("int8", release=False) == width * (1 + 8 + 1 + 8 + 1 + 1)
