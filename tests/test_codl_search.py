"""CoDL's costs and its search for chains, on random networks, against the published algorithm read line by line."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import BACK, MAP, SYNC, TRANSFORM, TinyLibrary, convolutions, network, view_of

from socsim.schedulers.codl import Choice, CoDL, Costs, find_chain, operator_choice
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator

CPU_SPEED, GPU_SPEED = 2e9, {"image": 4e9, "buffer": 2e9}
FLOAT = 4


@st.composite
def convolutional(draw: st.DrawFn) -> ModelGraph:
    """A chain of convolutions, some with strides, and perhaps a side branch that ends in a second output."""
    builder = GraphBuilder("random")
    x = builder.image(draw(st.sampled_from([12, 40])), draw(st.sampled_from([9, 40])))
    made = []
    for i in range(draw(st.integers(2, 5))):
        x = builder.conv(
            x, draw(st.sampled_from([4, 48])), draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 1, 2])),
            name=f"c{i}",
        )  # fmt: skip
        made.append(x)
    outputs = [x]
    if draw(st.booleans()):
        fork = draw(st.sampled_from(made[:-1]))
        outputs.append(builder.conv(fork, 16, 3, name="side"))
    return builder.build(*outputs)


@dataclass
class Reading:
    """What the algorithm takes an operator to cost, from shapes and the tiny phone's speeds alone."""

    graph: ModelGraph
    layout: str
    sync: float = SYNC

    def shapes(self, op: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.graph.input_shapes(op)[0], self.graph.output_shape(op)

    def half(self, op: Operator, share: float, speed: float, rows: int, columns: int) -> float:
        _, (_, _, height, width) = self.shapes(op)
        if share in (0.0, 1.0):
            return share * op.macs / speed
        return op.macs * rows / height * (1.0 + columns / width) / speed

    def channels(self, op: Operator, share: float, speed: float) -> float:
        count = self.shapes(op)[1][1]
        return op.macs * ceil(share * count - 1e-9) / count / speed

    def own_rows(self, op: Operator, share: float) -> int:
        return ceil(share * self.shapes(op)[1][2] - 1e-9)

    def hand_over(self, op: Operator, last: Operator, share: float, rows: int, columns: int) -> float:
        """To the CPU and back: its slice of the first operator's input and output, and of the last one's output."""
        if share == 0.0:
            return 0.0
        (_, c, h, w), (_, oc, oh, ow) = self.shapes(op)
        transform = TRANSFORM if self.layout == "image" else 0.0
        back = share * FLOAT * prod(self.shapes(last)[1]) * transform + BACK
        if share == 1.0:
            return FLOAT * c * h * w * (transform + MAP) + self.sync + back
        kernel, stride = op.get("kernel")[0], op.get("stride")[0]
        read = min(1.0, ((rows - 1) * stride + kernel) / h) * (1.0 + columns * stride / w)
        written = rows / oh * (1.0 + columns / ow)
        there = FLOAT * c * h * w * read * (transform + MAP) + self.sync
        return there + FLOAT * oc * oh * ow * written * MAP + back

    def chain(self, ops: list[Operator], gpu: float) -> float:
        """Operators divided alike by rows: the borders of the parts grow from the last to the first."""
        cpu = round(1.0 - gpu, 9)
        rows = {p: self.borders(ops, share) for p, share in (("cpu", cpu), ("gpu", gpu))}
        columns = self.columns(ops) if 0.0 < gpu < 1.0 else [0] * len(ops)
        body = sum(
            max(
                self.half(op, cpu, CPU_SPEED, rows["cpu"][i], columns[i]),
                self.half(op, gpu, GPU_SPEED[self.layout], rows["gpu"][i], 0),
            )
            for i, op in enumerate(ops)
        )
        return body + self.hand_over(ops[0], ops[-1], cpu, rows["cpu"][0], columns[0])

    def borders(self, ops: list[Operator], share: float) -> list[int]:
        needed = [self.own_rows(ops[-1], share)]
        for op, reader in zip(ops[-2::-1], ops[:0:-1], strict=True):
            read = (needed[0] - 1) * reader.get("stride")[0] + reader.get("kernel")[0]
            needed.insert(0, min(self.shapes(op)[1][2], max(self.own_rows(op, share), read)))
        return needed

    def columns(self, ops: list[Operator]) -> list[int]:
        wide = [self.shapes(ops[-1])[1][3]]
        for op, reader in zip(ops[-2::-1], ops[:0:-1], strict=True):
            read = (wide[0] - 1) * reader.get("stride")[1] + reader.get("kernel")[1]
            wide.insert(0, max(self.shapes(op)[1][3], read))
        return [every - self.shapes(op)[1][3] for every, op in zip(wide, ops, strict=True)]

    def by_channels(self, op: Operator, gpu: float) -> float:
        cpu = round(1.0 - gpu, 9)
        (_, c, h, w), (_, oc, oh, ow) = self.shapes(op)
        if cpu in (0.0, 1.0):
            return self.chain([op], gpu)
        part = ceil(cpu * oc - 1e-9) / oc
        sharing = FLOAT * (c * h * w + oc * oh * ow * part) * MAP + self.sync + BACK
        return sharing + max(self.channels(op, cpu, CPU_SPEED), self.channels(op, gpu, GPU_SPEED["buffer"]))


def chain_from(graph: ModelGraph, name: str) -> list[Operator]:
    """An operator and those behind it of which each is the only reader of the one before, which is no output."""
    ops = [graph[name]]
    while ops[-1].outputs[0] not in graph.outputs:
        readers = [op for op in graph if ops[-1].outputs[0] in op.inputs]
        if len(readers) > 1:
            break
        ops.append(readers[0])
    return ops


SHARES = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]


@settings(max_examples=40, deadline=None)
@given(graph=convolutional(), layout=st.sampled_from(["image", "buffer"]), share=st.sampled_from(SHARES))
def test_chains_cost_what_shapes_say(graph, layout, share):
    costs, reading = Costs(graph, view_of(graph), layout, 0.1), Reading(graph, layout)
    ops = chain_from(graph, "c0")
    for length in range(1, len(ops) + 1):
        assert costs.chain(ops[:length], share) == pytest.approx(reading.chain(ops[:length], share))


@settings(max_examples=40, deadline=None)
@given(graph=convolutional(), share=st.sampled_from(SHARES), sync=st.sampled_from([None, 1e-3]))
def test_operators_alone_cost_what_shapes_say(graph, share, sync):
    for layout in ("image", "buffer"):
        costs = Costs(graph, view_of(graph), layout, 0.1, sync)
        reading = Reading(graph, layout, SYNC if sync is None else sync)
        for op in graph:
            assert costs.alone(op, "H", share) == pytest.approx(reading.chain([op], share))
            if layout == "buffer":
                assert costs.alone(op, "OC", share) == pytest.approx(reading.by_channels(op, share))


# --- the search ---------------------------------------------------------------------------------------------


def alone_choices(graph: ModelGraph, costs: Costs) -> dict[str, Choice]:
    """Every dimension and share of every operator; the first of the best."""
    return {
        op.name: min(
            (Choice(d, s, costs.alone(op, d, s)) for d in ("H", "OC") for s in costs.shares_of(op, d)),
            key=lambda choice: choice.time,
        )
        for op in graph
    }


def published_plan(graph: ModelGraph, costs: Costs, delta: float, longest: int) -> Plan:
    """From each operator that is in no chain yet: for every share around its own, append while that does not lose."""
    own = alone_choices(graph, costs)
    decisions, chains = {}, []
    for head in graph:
        if head.name in decisions:
            continue
        found = [(0.0, own[head.name].share, [head])]
        for share in [s for s in costs.shares_of(head, "H") if abs(s - own[head.name].share) < delta + 1e-6]:
            row = chain_from(graph, head.name)[:longest]
            able = [share in costs.shares_of(op, "H") and len(graph.predecessors(op)) < 2 for op in row[1:]]
            row = row[: able.index(False) + 1] if False in able else row
            times = [costs.alone(head, "H", share)]
            times += [costs.chain(row[:n], share) for n in range(2, len(row) + 1)]
            for n in range(2, len(row) + 1):
                if times[n - 2] + own[row[n - 1].name].time - times[n - 1] < 0.0:
                    break
                gain = sum(own[op.name].time for op in row[:n]) - times[n - 1]
                found.append((gain, share, row[:n]))
        best = found[0]
        for one in found[1:]:
            best = one if one[0] > best[0] + 1e-12 else best
        _, share, chain = best
        if len(chain) == 1:
            decisions[head.name] = own[head.name].decision(costs.layout)
            continue
        decisions |= {op.name: Choice("H", share, 0.0).decision(costs.layout) for op in chain}
        if 0.0 < share < 1.0:
            chains.append(tuple(op.name for op in chain))
    return Plan({op.name: decisions[op.name] for op in graph}, chains=tuple(chains))


@settings(max_examples=80, deadline=None)
@given(
    graph=convolutional(), layout=st.sampled_from(["image", "buffer"]), sync=st.sampled_from([0.0, 1e-4, 2e-3]),
    delta=st.sampled_from([0.0, 0.1, 0.3]), longest=st.sampled_from([1, 2, 30]),
    missing=st.sets(st.sampled_from(["c1", "c2"])), rate=st.sampled_from([0.1, 0.4, 1.0]),
)  # fmt: skip
def test_plans_are_those_of_the_published_algorithm(graph, layout, sync, delta, longest, missing, rate):
    library = TinyLibrary({"gpu": sorted(missing)})
    view = view_of(graph, library, sync=sync, rates={("gpu", "conv2d"): rate})
    expected = published_plan(graph, Costs(graph, view, layout, 0.1), delta, longest)
    found = CoDL(delta=delta, longest=longest).co_execution(graph, view, layout)
    assert (dict(found.decisions), found.chains) == (dict(expected.decisions), expected.chains)


@settings(max_examples=40, deadline=None)
@given(graph=convolutional(), layout=st.sampled_from(["image", "buffer"]), sync=st.sampled_from([0.0, 5e-4]))
def test_operators_alone_are_divided_in_the_best_of_all_ways(graph, layout, sync):
    costs = Costs(graph, view_of(graph, sync=sync), layout, 0.1)
    for name, best in alone_choices(graph, costs).items():
        found = operator_choice(graph[name], costs)
        assert (found.dimension, found.share) == (best.dimension, best.share)
        assert found.time == pytest.approx(best.time)


# --- by hand ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "shares"),
    [
        (0.1, SHARES),
        (0.25, [1.0, 0.75, 0.5, 0.25, 0.0]),
        (0.3, [1.0, 0.7, 0.4, 0.1, 0.0]),
        (1.0, [1.0, 0.0]),
    ],
)
def test_shares_are_a_grid_from_the_whole_down_to_nothing(step, shares):
    graph = network({"a": (1e6, "")})
    assert Costs(graph, view_of(graph), "image", step).shares == shares


def two_fallbacks() -> tuple[ModelGraph, Costs, dict[str, Choice]]:
    """Two convolutions that the GPU lacks: on the CPU each, with all of their inputs and outputs handed over."""
    builder = GraphBuilder("pair")
    x = builder.conv(builder.image(10, 10), 16, 3, name="c0")
    graph = builder.build(builder.conv(x, 16, 3, name="c1"))
    costs = Costs(graph, view_of(graph, TinyLibrary({"gpu": ["conv2d"]})), "image", 0.1)
    return graph, costs, {op.name: operator_choice(op, costs) for op in graph}


def test_a_chain_of_fallbacks_hands_over_once():
    """Between c0 and c1 it saves a way back of 1600 values, a way there, and a synchronisation."""
    graph, costs, own = two_fallbacks()
    share, chain = find_chain(graph["c0"], own, costs, 0.3, 30)
    assert (share, chain) == (0.0, list(graph))
    saved = sum(choice.time for choice in own.values()) - costs.chain(chain, 0.0)
    assert saved == pytest.approx(6400 * (2 * TRANSFORM + MAP) + BACK + SYNC)


def test_chains_on_one_processor_are_no_chains_of_the_plan():
    graph, costs, _ = two_fallbacks()
    plan = CoDL().co_execution(graph, costs.view, "image")
    assert plan == Plan(dict.fromkeys(graph.operators, Placement("cpu")))


def test_what_joins_two_operators_follows_neither():
    """All on the CPU, where one hand-over less would pay: `both` reads b's output, but a's too; c reads that alone."""
    builder = GraphBuilder("joined")
    x = builder.image(10, 10)
    a, b = (builder.conv(x, 16, 3, name=name) for name in "ab")
    graph = builder.build(builder.conv(builder.concat(a, b, name="both"), 16, 3, name="c"))
    costs = Costs(graph, view_of(graph, TinyLibrary({"gpu": ["conv2d", "concat"]})), "image", 0.1)
    own = {op.name: operator_choice(op, costs) for op in graph}
    found = {op.name: [o.name for o in find_chain(op, own, costs, 0.3, 30)[1]] for op in graph}
    assert found == {"a": ["a"], "b": ["b"], "both": ["both", "c"], "c": ["c"]}


def test_what_is_in_no_chain_keeps_its_own_dimension():
    """4 rows can only be divided in quarters, 2048 channels finely; without chains that is how each operator runs."""
    builder = GraphBuilder("deep")
    x = builder.conv(builder.image(4, 4), 2048, 3, name="c0")
    graph = builder.build(builder.conv(x, 2048, 3, name="c1"))
    view = view_of(graph, rates={("cpu", "conv2d"): 0.3})
    plan = CoDL(longest=1).co_execution(graph, view, "buffer")
    assert plan.decisions["c1"] == Split("OC", ((Placement("cpu"), 0.2), (Placement("gpu", "buffer"), 0.8)))
    assert plan.chains == ()


def test_a_synchronisation_of_the_paper_keeps_operators_together_that_the_devices_own_divides():
    """Dividing 1.5 ms on the GPU by 7 to 3 saves 0.45 ms: more than 0.22 ms of sharing, but not the paper's."""
    builder = GraphBuilder("one")
    graph = builder.build(builder.conv(builder.image(32, 32), 24, 9, name="c0"))
    view = view_of(graph)
    decisions = {
        sync: CoDL(sync=sync).co_execution(graph, view, "image").decisions["c0"] for sync in ("mean", "paper")
    }
    assert isinstance(decisions["mean"], Split)
    assert isinstance(decisions["paper"], Placement)


def test_the_largest_step_leaves_whole_operators():
    graph = convolutions(2, size=200, channels=64)
    for step, whole in ((0.1, False), (1.0, True)):
        plan = CoDL(step=step).co_execution(graph, view_of(graph), "image")
        assert isinstance(plan.decisions["conv2"], Placement) == whole
