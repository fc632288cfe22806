"""Schedulers by name, class, module and entry point."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import EntryPoint

import pytest
from tiny import convolutions, view_of

from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers import catalogue, registry
from socsim.schedulers.base import OnlineScheduler, Scheduler, StaticScheduler
from socsim.schedulers.codl import CoDL
from socsim.schedulers.mulayer import MuLayer
from socsim.schedulers.registry import SCHEDULERS, make_scheduler
from socsim.schedulers.single import SingleProcessor

BUILT_IN = (
    "cpu", "gpu", "dsp", "npu", "mulayer", "codl", "band", "band_fixed", "band_rr", "band_sel", "band_lst",
    "band_heft", "heft", "peft", "mosaic", "greedy", "aware", "optimal"
)  # fmt: skip


class Everything(StaticScheduler):
    """All on one processor, with options of every kind."""

    def __init__(self, where="cpu", *, factor=1.0, names=()):
        self.where, self.factor, self.names = where, factor, names

    def plan(self, graph, view):
        return dict.fromkeys(graph.operators, self.where)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the working directory; forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    names = []

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        names.append(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


# --- names --------------------------------------------------------------------------------------------------


def test_all_built_in_schedulers_are_listed():
    assert SCHEDULERS.names()[: len(BUILT_IN)] == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_name_makes_a_scheduler_of_that_title(name):
    scheduler = make_scheduler(name)
    assert isinstance(scheduler, (StaticScheduler, OnlineScheduler))
    assert scheduler.title == name
    assert make_scheduler(name) is not scheduler


@pytest.mark.parametrize(
    "name", [n for n in BUILT_IN if n not in ("npu", "greedy", "aware") and not n.startswith("band_")]
)
def test_every_static_scheduler_plans(name):
    graph = convolutions(3)
    scheduler = make_scheduler(name)
    raw = scheduler.plan(graph, view_of(graph, predictor=scheduler.predictor))
    decisions = raw if isinstance(raw, dict) else raw.decisions
    assert sorted(decisions) == sorted(graph.operators)


def test_unknown_names_come_with_the_nearest_and_a_hint():
    with pytest.raises(
        UnknownNameError, match=r"unknown scheduler 'mullayer'; did you mean 'mulayer'\? Your own is"
    ):
        make_scheduler("mullayer")


def test_each_processor_is_a_scheduler():
    scheduler = make_scheduler("dsp")
    assert isinstance(scheduler, SingleProcessor)
    assert scheduler.processor == "dsp"


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        "codl(step=0.25, longest=8, sync=paper)",
        "codl( step = 0.25 ,longest=8,sync='paper' )",
        {"name": "codl", "step": 0.25, "longest": 8, "sync": "paper"},
        {"name": "codl", "options": {"step": 0.25, "longest": 8, "sync": "paper"}},
        {"name": "codl(step=0.5, sync=paper)", "options": {"step": 0.25}, "longest": 8},
    ],
)
def test_ways_to_write_options(spec):
    scheduler = make_scheduler(spec)
    assert isinstance(scheduler, CoDL)
    assert (scheduler.step, scheduler.longest, scheduler.sync) == (0.25, 8, "paper")


@pytest.mark.parametrize(
    "text, value",
    [
        ("true", True),
        ("False", False),
        ("none", None),
        ("1e-3", 1e-3),
        ("prime:1+gold:3", "prime:1+gold:3"),
        ("(1, 2)", (1, 2)),
    ],
)
def test_values(text, value, module):
    module("values_mod", "from test_schedulers_registry import Everything")
    assert make_scheduler(f"values_mod:Everything(factor={text}, where=gpu)").factor == value


def test_no_options():
    assert make_scheduler("mulayer()").step == MuLayer().step


def test_every_scheduler_takes_a_predictor_and_a_decision_time():
    scheduler = make_scheduler("heft(predictor=flops, decision_time=0.001)")
    assert (scheduler.predictor, scheduler.decision_time) == ("flops", 0.001)
    assert make_scheduler("heft").predictor == "exact"
    assert make_scheduler("mulayer").predictor == "flops"


def test_options_in_parentheses_inside_options():
    scheduler = make_scheduler("codl(predictor=online(alpha=0.3, base=flops), step=0.25)")
    assert (scheduler.predictor, scheduler.step) == ("online(alpha=0.3, base=flops)", 0.25)


def test_schedulers_that_plan_take_a_replan_period():
    assert make_scheduler("heft(replan_period=0.5)").replan_period == 0.5
    assert make_scheduler("heft").replan_period == 0.1
    with pytest.raises(UsageError, match="'greedy' has no option 'replan_period'"):
        make_scheduler("greedy(replan_period=0.5)")


@pytest.mark.parametrize(
    "spec, message",
    [
        ("codl(stepp=1)", "scheduler 'codl' has no option 'stepp'; did you mean 'step'"),
        (
            "heft(longest=1)",
            "scheduler 'heft' has no option 'longest'; it takes predictor|decision_time, predictor",
        ),
        ("codl(step=2.0)", "step of the share must be above 0 and at most 1, got 2.0"),
        ("codl(step)", "options are written option=value, got 'step'"),
        ("codl(step=0.1", "a scheduler is written"),
        ("", "a scheduler is written"),
        ("heft(decision_time=soon)", "decision_time must be at least 0 seconds, and finite, got 'soon'"),
        ("heft(decision_time=-1)", "decision_time must be at least 0 seconds, and finite, got -1"),
        ("heft(replan_period=-1)", "replan_period must be at least 0 seconds, got -1"),
        ({"step": 1}, "a scheduler's mapping needs a name, got the keys step"),
        ({}, "got the keys none"),
        ({"name": "codl", "options": 3}, "options must be a mapping, got 3"),
        (3, "a scheduler is a name, a class, an object or a mapping, got int: 3"),
        (dict, "dict must be a subclass of StaticScheduler or OnlineScheduler"),
        ("socsim.schedulers.single:SingleProcessor", "needs the option 'processor'"),
    ],
)
def test_bad_specs(spec, message):
    with pytest.raises(UsageError, match=message):
        make_scheduler(spec)


def test_unknown_predictors():
    with pytest.raises(UnknownNameError, match="unknown predictor 'flop'; did you mean 'flops'"):
        make_scheduler("heft(predictor=flop)")


# --- objects and classes ------------------------------------------------------------------------------------


def test_objects_and_classes():
    mine = Everything("gpu")
    assert make_scheduler(mine) is mine
    assert isinstance(make_scheduler(Everything), Everything)


def test_a_class_that_decides_nothing():
    class Lazy(StaticScheduler):
        pass

    with pytest.raises(UsageError, match=r"'Lazy': Lazy lacks plan\(\)"):
        make_scheduler(Lazy)


# --- modules ------------------------------------------------------------------------------------------------

GOOD = """
    from socsim.schedulers import StaticScheduler

    class Mine(StaticScheduler):
        def __init__(self, where="cpu", **more):
            if where == "moon":
                raise KeyError(where)
            self.where, self.more = where, more

        def plan(self, graph, view):
            return dict.fromkeys(graph.operators, self.where)

    class Other:
        pass
"""


def test_a_module_of_the_working_directory(module):
    module("good_mod", GOOD)
    path = list(sys.path)
    scheduler = make_scheduler("good_mod:Mine(where=gpu, colour=red)")
    assert (scheduler.where, scheduler.more) == ("gpu", {"colour": "red"})
    assert scheduler.title == "good_mod:Mine(where=gpu, colour=red)"
    assert make_scheduler("good_mod:Mine").title == "Mine"
    assert isinstance(scheduler, Scheduler)
    assert sys.path == path


def test_a_class_that_the_module_does_not_have(module):
    module("good_mod", GOOD)
    with pytest.raises(UnknownNameError, match="module 'good_mod': 'Mein'; did you mean 'Mine'"):
        make_scheduler("good_mod:Mein")


def test_a_class_that_is_no_scheduler(module):
    module("good_mod", GOOD)
    with pytest.raises(UsageError, match="'good_mod:Other': Other must be a subclass"):
        make_scheduler("good_mod:Other")


def test_a_module_that_does_not_exist(module):
    with pytest.raises(
        UsageError, match="importing module 'nowhere_mod' failed: ModuleNotFoundError: No module named"
    ):
        make_scheduler("nowhere_mod:Mine")


def test_a_module_that_fails_says_where(module):
    module("bad_mod", "x = 1\ny = x / 0\n")
    message = (
        r"importing module 'bad_mod' failed: ZeroDivisionError: division by zero \(bad_mod.py, line 2\)$"
    )
    with pytest.raises(UsageError, match=message):
        make_scheduler("bad_mod:Mine")


def test_a_module_with_a_syntax_error(module):
    module("bad_mod", "class Mine(:\n")
    with pytest.raises(UsageError, match=r"failed: SyntaxError: invalid syntax \(bad_mod.py, line 1\)"):
        make_scheduler("bad_mod:Mine")


def test_a_constructor_that_fails(module):
    module("good_mod", GOOD)
    with pytest.raises(UsageError, match=r"making Mine failed: KeyError: 'moon' \(good_mod.py, line 7\)"):
        make_scheduler("good_mod:Mine(where=moon)")


# --- entry points -------------------------------------------------------------------------------------------


@pytest.fixture
def offered(monkeypatch):
    """Packages that offer three schedulers, one under the name of a built-in one, one broken."""
    points = [
        EntryPoint("zebra", "test_schedulers_registry:Everything", registry.GROUP),
        EntryPoint("codl", "test_schedulers_registry:Everything", registry.GROUP),
        EntryPoint("broken", "nowhere_mod:Mine", registry.GROUP),
    ]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points if group == registry.GROUP else [])


def test_schedulers_of_packages_are_listed_after_the_built_in_ones(offered):
    assert SCHEDULERS.names() == (*BUILT_IN, "broken", "zebra")


def test_a_scheduler_of_a_package(offered):
    assert make_scheduler("zebra(where=gpu)").where == "gpu"
    with pytest.raises(UnknownNameError, match="did you mean 'zebra'"):
        make_scheduler("zebr")


def test_built_in_names_are_not_taken_over(offered):
    assert isinstance(make_scheduler("codl"), CoDL)


def test_broken_ones_are_told_with_their_fault(offered):
    assert list(registry.SCHEDULERS.broken()) == ["broken"]
    assert "ModuleNotFound" in registry.SCHEDULERS.broken()["broken"]


def test_a_broken_package_is_named(offered):
    with pytest.raises(
        UsageError, match="scheduler 'broken': loading 'nowhere_mod:Mine' failed: ModuleNotFound"
    ):
        make_scheduler("broken")
