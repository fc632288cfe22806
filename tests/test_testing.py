"""The conformance check passes what is sound, and names what is not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings

import socsim
from socsim.errors import SimulationError
from socsim.schedulers.base import Assignment, OnlineScheduler, StaticScheduler
from socsim.schedulers.registry import scheduler_names
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


@pytest.mark.parametrize("name", [n for n in scheduler_names() if n not in ("dsp", "npu")])
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
