"""The conformance check passes what is sound, and names what is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings

import socsim
from socsim.errors import SimulationError, UnknownNameError
from socsim.schedulers.base import Assignment, OnlineScheduler, Scheduler, StaticScheduler
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.schedulers.registry import SCHEDULERS
from socsim.schedulers.view import View
from socsim.testing import check_causality, check_scheduler, networks, sample_networks
from socsim.workloads.graph import ModelGraph


class Alternate(StaticScheduler):
    """Every other operator on the GPU."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        return {op: "gpu" if i % 2 and view.supports("gpu", op) else "cpu" for i, op in enumerate(graph)}


class Forgetful(StaticScheduler):
    """Leaves the last operator out."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        return dict.fromkeys(list(graph)[:-1], "cpu")


class Fickle(StaticScheduler):
    """Decides otherwise the second time."""

    calls = 0

    def plan(self, graph: ModelGraph, view: View) -> dict:
        Fickle.calls += 1
        return dict.fromkeys(graph, "cpu" if Fickle.calls % 2 else "gpu")


class Lazy(OnlineScheduler):
    """Never assigns anything."""

    def decide(self, view: View) -> Iterable[Assignment]:
        return ()


class Stubborn(OnlineScheduler):
    """Assigns everything to a processor that does not exist."""

    granularity = "operator"

    def decide(self, view: View) -> Iterable[Assignment]:
        return [job.on("tpu") for job in view.ready]


@pytest.mark.parametrize("name", [n for n in SCHEDULERS.names() if n not in ("dsp", "npu")])
def test_every_built_in_scheduler_is_sound(name: str) -> None:
    assert check_scheduler(name) == f"{name}: sound on {len(sample_networks())} networks"


def test_a_users_class_is_checked_like_a_built_in_one() -> None:
    assert check_scheduler(Alternate) == "Alternate: sound on 5 networks"
    assert check_scheduler(Alternate(), device="honor-v30-pro") == "Alternate: sound on 5 networks"


@pytest.mark.parametrize(
    ("scheduler", "complaint"),
    [
        (Forgetful, r"Forgetful on 'single': the plan for 'single' places 0 of 1 operators; first left out"),
        (Fickle, "Fickle: two runs on 'single' with one seed differ"),
        (Lazy, "Lazy on 'single': .* left 1 inference of 'single' unfinished"),
        (Stubborn, "Stubborn on 'single': .* 'tpu', which does not support it; supported: cpu, gpu"),
    ],
)
def test_faults_are_named(scheduler: type, complaint: str) -> None:
    with pytest.raises(SimulationError, match=complaint):
        check_scheduler(scheduler)


@settings(max_examples=15, deadline=None)
@given(networks())
def test_random_networks_run_in_order_under_a_splitting_and_an_online_scheduler(network: ModelGraph) -> None:
    for scheduler in ("codl", "mulayer", "greedy", "heft"):
        result = socsim.simulate("xiaomi-9", [socsim.Inference(network, scheduler, count=2)], kernels=True)
        check_causality(result.outcome, network)


def test_causality_notices_an_operator_that_ran_too_early() -> None:
    network = sample_networks()[1]
    outcome = socsim.simulate("xiaomi-9", [socsim.Inference(network, "cpu", count=1)], kernels=True).outcome
    late = [r._replace(end_s=r.end_s + 1.0) if r.operator == "conv2d_1" else r for r in outcome.kernels]
    with pytest.raises(SimulationError, match="'conv2d_2' of 'chain' began at"):
        check_causality(type(outcome)(**{**vars(outcome), "kernels": tuple(late)}), network)
    missing = [r for r in outcome.kernels if r.operator != "conv2d_1"]
    with pytest.raises(SimulationError, match="'conv2d_1' of 'chain' never ran in inference 0"):
        check_causality(type(outcome)(**{**vars(outcome), "kernels": tuple(missing)}), network)


def test_failing_code_is_told_with_its_place_and_network() -> None:
    class Raises(StaticScheduler):
        def plan(self, graph, view):
            return {}["boo"]

    with pytest.raises(
        SimulationError, match=r"failed in plan\(\) on 'single' \(test_testing\.py:\d+\): KeyError: 'boo'"
    ):
        check_scheduler(Raises)


# --- broken schedulers of every kind ------------------------------------------------------------------------


class Twice(OnlineScheduler):
    """Assigns every job twice."""

    def decide(self, view: View) -> Iterable[Assignment]:
        for job in view.ready:
            yield job.on("cpu")
            yield job.on("cpu")


class Talker(OnlineScheduler):
    """Yields something else than assignments."""

    def decide(self, view: View) -> Iterable[Assignment]:
        return ["cpu"]  # type: ignore[list-item]


class Nameless(StaticScheduler):
    """Plans for an operator that is not there."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        return {**dict.fromkeys(graph.operators, "cpu"), "nobody": "cpu"}


class Elsewhere(StaticScheduler):
    """Places everything on a processor that does not exist."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        return dict.fromkeys(graph, "tpu")


class Halves(StaticScheduler):
    """Splits with shares that do not make a whole."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        shares = ((Placement("cpu"), 0.5), (Placement("gpu", "image"), 0.4))
        return dict.fromkeys(graph, Split("H", shares))


class Backwards(StaticScheduler):
    """Wants readers before what they read."""

    def plan(self, graph: ModelGraph, view: View) -> Plan:
        decisions = dict.fromkeys(graph.operators, Placement("cpu"))
        return Plan(decisions, order=tuple(reversed(graph.operators)))


class Silent(StaticScheduler):
    """Plans nothing at all."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        return None  # type: ignore[return-value]


class Bare(Scheduler):
    """Neither plans nor decides."""


@pytest.mark.parametrize(
    ("scheduler", "complaint"),
    [
        (Twice, "Twice on 'single': "),
        (Talker, "Talker on 'single': "),
        (Nameless, "Nameless on 'single': .*'nobody'"),
        (Elsewhere, "Elsewhere on 'single': .*unknown processor 'tpu'"),
        (Halves, "Halves on 'single': .*shares must sum to 1"),
        (Backwards, "Backwards on 'chain': .*order"),
        (Silent, "Silent on 'single': .*got NoneType"),
        (Bare, "^Bare is neither a StaticScheduler nor an OnlineScheduler$"),
    ],
)
def test_broken_schedulers_are_caught(scheduler: type, complaint: str) -> None:
    for spec in (scheduler, scheduler()):
        with pytest.raises(SimulationError, match=complaint):
            check_scheduler(spec)


def test_names_options_and_other_phones_can_be_checked() -> None:
    phrase = check_scheduler({"name": "greedy", "granularity": "subgraph"}, device="honor-v30-pro")
    assert phrase == "greedy(granularity=subgraph): sound on 5 networks"
    assert check_scheduler("cpu", library="tflite") == "cpu: sound on 5 networks"


def test_wrong_names_are_no_fault_of_a_run() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'greedy'"):
        check_scheduler("greedi")
    with pytest.raises(UnknownNameError, match="unknown device"):
        check_scheduler("cpu", device="xiaomi9")


# --- networks to test on ------------------------------------------------------------------------------------


def test_the_sample_networks_are_of_every_shape() -> None:
    samples = sample_networks()
    assert [n.name for n in samples] == ["single", "chain", "branches", "residual", "movement"]
    assert [len(n) for n in samples] == [1, 7, 8, 12, 11]
    assert all(len(n.outputs) == 1 for n in samples)
    forks = [n.name for n in samples if any(len(n.successors(op)) > 1 for op in n)]
    assert forks == ["branches", "residual", "movement"]
    assert {op.type for op in samples[-1]} >= {
        "split",
        "channel_shuffle",
        "transpose",
        "reshape",
        "layer_norm",
    }


class Marker(StaticScheduler):
    """Leaves a mark on every operator."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        for op in graph:
            op.attributes["seen"] = True  # type: ignore[index]
        return dict.fromkeys(graph, "cpu")


class Cutter(StaticScheduler):
    """Takes an edge away."""

    def plan(self, graph: ModelGraph, view: View) -> dict:
        graph.dag.remove_edges_from(list(graph.dag.edges)[:1])
        return dict.fromkeys(graph, "cpu")


@pytest.mark.parametrize(("scheduler", "network"), [(Marker, "single"), (Cutter, "chain")])
def test_a_scheduler_that_changes_the_network_is_found_out(scheduler: type, network: str) -> None:
    with pytest.raises(SimulationError, match=f"changed the network '{network}'"):
        check_scheduler(scheduler)


def test_samples_are_made_anew_each_time() -> None:
    first, second = sample_networks(), sample_networks()
    assert [n.signature for n in first] == [n.signature for n in second]
    assert all(a is not b for a, b in zip(first, second, strict=True))


@settings(max_examples=30, deadline=None)
@given(networks(max_operators=3))
def test_random_networks_are_small_and_connected(network: ModelGraph) -> None:
    assert 1 <= len(network) <= 3
    assert network.inputs == ("input",)
    assert len(network.outputs) == 1
    assert {op.type for op in network} <= {
        "conv2d", "depthwise_conv2d", "max_pool", "activation", "eltwise", "concat",
    }  # fmt: skip


def test_halves_of_a_chain_may_run_ahead() -> None:
    """A kernel that does a share of its operator reads only its own half of the operator before."""
    network = sample_networks()[1]
    outcome = socsim.simulate("xiaomi-9", [socsim.Inference(network, "cpu", count=1)], kernels=True).outcome
    late = [r._replace(end_s=r.end_s + 1.0) if r.operator == "conv2d_1" else r for r in outcome.kernels]
    shared = [r._replace(share=0.5) if r.operator == "conv2d_2" else r for r in late]
    check_causality(replace(outcome, kernels=tuple(shared)), network)
    with pytest.raises(SimulationError, match="before 'conv2d_1' ended"):
        check_causality(replace(outcome, kernels=tuple(late)), network)


def test_what_is_not_finished_need_not_have_run() -> None:
    network = sample_networks()[0]
    outcome = socsim.simulate("xiaomi-9", [socsim.Inference(network, "cpu", count=1)], kernels=True).outcome
    unfinished = tuple(r._replace(status="running") for r in outcome.inferences)
    check_causality(replace(outcome, inferences=unfinished, kernels=()), network)
    with pytest.raises(SimulationError, match="never ran in inference 0"):
        check_causality(replace(outcome, kernels=()), network)
