"""Plans: what schedulers may return, and what it becomes."""

from __future__ import annotations

import pytest
from tiny import network, pricer_of, view_of

from socsim.errors import PlanError
from socsim.schedulers import Job, OnlineScheduler, Placement, Plan, Scheduler, Split, SplitScheduler
from socsim.schedulers.base import Assignment
from socsim.schedulers.plan import placements
from socsim.schedulers.validation import resolve

GRAPH = network({"a": (1e6, ""), "b": (1e6, "a")})
HALVES = Split("H", ((Placement("cpu"), 0.25), (Placement("gpu"), 0.75)))


def test_names_operators_and_decisions_all_make_a_plan():
    a, b = GRAPH
    plan = Plan.of({a: "gpu", b: HALVES}, GRAPH)
    assert plan.decisions == {"a": Placement("gpu"), "b": HALVES}
    assert plan == Plan.of({"a": Placement("gpu"), "b": HALVES}, GRAPH)


def test_a_plan_is_returned_as_it_is():
    plan = Plan({"a": Placement("cpu"), "b": Placement("gpu")}, order=("a", "b"))
    assert Plan.of(plan, GRAPH) is plan


@pytest.mark.parametrize("raw", [{"a": "cpu"}, Plan({"a": Placement("cpu")})])
def test_an_operator_left_out_is_named(raw):
    with pytest.raises(PlanError, match="places 1 of 2 operators; first left out: 'b'"):
        Plan.of(raw, GRAPH)


def test_an_unknown_operator_is_named_with_the_nearest():
    graph = network({"conv_1": (1e6, ""), "conv_2": (1e6, "conv_1")})
    with pytest.raises(PlanError, match=r"unknown operator 'konv_2', did you mean 'conv_2'\?"):
        Plan.of({"conv_1": "cpu", "conv_2": "cpu", "konv_2": "cpu"}, graph)


def test_a_value_that_is_no_decision_is_named():
    with pytest.raises(PlanError, match=r"operator 'b': a decision is .* got 3"):
        Plan.of({"a": "cpu", "b": 3}, GRAPH)


def test_shares_of_a_split():
    assert (HALVES.share("gpu"), HALVES.share("cpu"), HALVES.share("dsp")) == (0.75, 0.25, 0)
    assert placements(HALVES) == (Placement("cpu"), Placement("gpu"))
    assert placements(Placement("npu")) == (Placement("npu"),)


def test_processors_come_in_order_of_first_use():
    plan = Plan({"a": Placement("dsp"), "b": HALVES})
    assert plan.processors() == ("dsp", "cpu", "gpu")


def test_the_key_tells_plans_apart_that_run_differently():
    plan = Plan({"a": Placement("cpu"), "b": Placement("cpu")})
    same = Plan({"b": Placement("cpu"), "a": Placement("cpu")}, fallbacks={"a": "why"}, gap=0.5)
    others = [
        Plan({"a": Placement("gpu"), "b": Placement("cpu")}),
        Plan(plan.decisions, order=("a", "b")),
        Plan(plan.decisions, groups=(("a",), ("b",))),
        Plan({"a": HALVES, "b": HALVES}, chains=(("a", "b"),)),
    ]
    assert plan.key == same.key
    assert len({hash(p.key) for p in (plan, *others)}) == 5


def test_a_split_scheduler_is_asked_for_every_operator():
    class Alternating(SplitScheduler):
        def split(self, op, view):
            return "cpu" if op.name == "a" else Placement("gpu", "buffer")

    plan = resolve(Alternating().plan(GRAPH, view_of(GRAPH)), pricer_of(GRAPH))
    assert plan.decisions == {"a": Placement("cpu"), "b": Placement("gpu", "buffer")}


def test_titles():
    class Mine(Scheduler):
        pass

    class Named(Scheduler):
        name = "fancy"

    assert (Mine().title, Named().title) == ("Mine", "fancy")


def test_a_job_is_assigned_with_a_placement():
    job = Job(3, GRAPH, ("a",), ("cpu", "gpu"), 0.5, 7)
    assert job.on("gpu", layout="buffer") == Assignment(job, Placement("gpu", "buffer"))
    assert hash(job) == hash(Job(3, GRAPH, ("b",), ("cpu",), 0.0, 7))


def test_online_schedulers_must_decide():
    with pytest.raises(TypeError, match="decide"):
        OnlineScheduler()
