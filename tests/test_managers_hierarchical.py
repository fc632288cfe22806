"""The hierarchical manager: whole runs on a device of a few lines."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from managerkit import GHZ, App, Run, World, domain, network, play, world

import socsim
from socsim.errors import UsageError
from socsim.schedulers.managers.device import Range, Setting
from socsim.schedulers.managers.hierarchical import Hierarchical
from socsim.schedulers.managers.sublevels import Drift

TWO = {1: {"cpu": 0.01, "gpu": 0.01}, 2: {"cpu": 0.02, "gpu": 0.02}}
"""Levels of 15 ms and 30 ms at 2 GHz and 1 GHz."""


def served(run: Run, app: str = "net") -> list[int]:
    return run.levels[app]


def last_clocks(run: Run) -> dict[str, float]:
    return run.clocks[-1][1]


# --- what it begins with --------------------------------------------------------------------------------------


def test_the_start_is_the_cheapest_that_keeps_the_targets() -> None:
    # Level 2 in 60 ms less 5 %: 0.02 / f + 0.02 / g <= 57 ms. Of the pairs that do, (1, 0.75) takes the least:
    # 0.02 * 1 + 0.02 * 4 * 0.5625 = 65 mJ and 0.175 W * 0.1 s idle; (1.5, 0.5) 65 mJ and 0.2 W.
    run = play(world(network("net", TWO, level=2, period=0.1, goals={"latency": 0.06})), Hierarchical())
    first = run.settings[0][1]
    assert first.levels == {"net": 2} and first.places == {"net": "gpu"}
    assert first.clocks == {"cpu": Range(GHZ, GHZ), "gpu": Range(0.75 * GHZ, 0.75 * GHZ)}
    assert len(run.settings) == 1


def test_without_an_accuracy_target_the_level_stays_and_with_one_it_is_the_cheapest() -> None:
    for goals, level in (({"latency": 0.06}, 2), ({"top1": 71}, 1), ({"top1": 72}, 2), ({"top1": 99}, 2)):
        run = play(world(network("net", TWO, level=2, period=0.1, goals=goals)), Hierarchical())
        assert set(served(run)) == {level}


def test_of_levels_that_cost_the_same_the_most_accurate_runs() -> None:
    same = {1: {"gpu": 0.01}, 2: {"gpu": 0.01}, 3: {"gpu": 0.02}}
    run = play(world(network("net", same, level=3, period=0.1, goals={"top1": 70})), Hierarchical())
    assert set(served(run)) == {2}


HUNGRY = (domain("cpu", "cpu", 0.5, 1.0, 1.5, 2.0), domain("gpu", "gpu", 0.25, 0.5, 0.75, 1.0, busy=40.0))
"""A GPU that takes forty times the energy of the CPU at the same clock."""


def places(gpu: float, cpu: float, **more: Any) -> App:
    work = {"gpu": {1: {"gpu": gpu * GHZ}}, "cpu": {1: {"cpu": cpu * GHZ}}}
    return App("net", work, {1: 70.0}, **more)


def test_it_runs_where_it_takes_the_least_energy_in_time() -> None:
    # 50 ms on the CPU at its highest clock, 30 ms on the GPU.
    for latency, place in ((None, "cpu"), (0.1, "cpu"), (0.04, "gpu")):
        goals = [] if latency is None else {"latency": latency}
        app = places(0.03, 0.1, period=0.3, goals=goals)
        run = play(world(app, domains=HUNGRY), Hierarchical())
        assert run.settings[0][1].places == {"net": place}


def test_two_that_get_into_each_others_way_are_told_apart_by_priority() -> None:
    one = places(0.05, 0.2, period=0.1, goals={"latency": 0.055}, priority=1.0)
    two = places(0.05, 0.08, period=0.1, goals={"latency": 0.1})
    one.name, two.name = "urgent", "other"
    run = play(world(two, one, contention=1.0), Hierarchical())
    assert run.settings[0][1].places == {"urgent": "gpu", "other": "cpu"}


def test_an_application_that_comes_later_finds_its_place() -> None:
    one, two = (network(n, TWO, level=2, period=0.1, goals={"latency": 0.06}) for n in "ab")
    two.begin = 2.0
    run = play(world(one, two), Hierarchical(period="10 ms"))
    assert run.settings[0][1].levels == {"a": 2, "b": 2}
    begun = [clocks for at, clocks in run.clocks if at >= 2.0]
    assert begun and begun[0] != run.clocks[0][1]


# --- clocks ---------------------------------------------------------------------------------------------------


def test_load_that_it_does_not_manage_raises_the_clocks_and_lowers_them_again() -> None:
    def slow(now: float, app: str) -> float:
        return 1.5 if 2.0 <= now < 4.0 else 1.0

    state = world(network("net", TWO, level=2, period=0.1, goals={"latency": 0.06}), slow=slow, duration=12.0)
    run = play(state, Hierarchical())
    late = [t for t in state.apps["net"].latencies if t > 0.06]
    assert 1 <= len(late) <= 3
    calm, loaded = run.clocks[0][1], dict(run.clocks[0][1])
    for at, clocks in run.clocks:
        loaded = clocks if at < 4.0 else loaded
    assert loaded["gpu"] >= calm["gpu"] and loaded["cpu"] > calm["cpu"]
    assert last_clocks(run) == calm


def test_tighter_targets_and_other_limits_take_effect_with_the_next_tick() -> None:
    goals = [{"latency": 0.09}, {"at": 3.0, "latency": 0.04}]
    state = world(network("net", TWO, level=2, period=0.1, goals=goals))
    run = play(state, Hierarchical(period=0.01))
    change = next(at for at, clocks in run.clocks if clocks != run.clocks[0][1])
    assert 3.0 <= change <= 3.011
    slow = [t for t in state.apps["net"].latencies[35:] if t > 0.04]
    assert not slow


class Throttled(Hierarchical):
    """Somebody else lowers the GPU's highest clock at 2 s."""

    def tick(self, state: Any) -> Setting | None:
        if state.now >= 2.0:
            state.domains["gpu"].allowed = Range(0.0, 0.5 * GHZ)
        return super().tick(state)


def test_other_limits_lead_to_other_clocks() -> None:
    state = world(network("net", TWO, level=2, period=0.1, goals={"latency": 0.06}))
    run = play(state, Throttled())
    assert last_clocks(run) == {"cpu": 1.5, "gpu": 0.5}
    assert state.apps["net"].latencies[-1] == pytest.approx(0.16 / 3)


def test_while_nothing_runs_clocks_are_left_to_their_governors() -> None:
    state = world(network("net", TWO, period=0.1, end=2.0))
    run = play(state, Hierarchical(period=0.05))
    at, setting = run.settings[-1]
    assert 2.0 <= at <= 2.06
    assert setting.clocks == {"cpu": None, "gpu": None}


def test_a_backlog_is_worked_off() -> None:
    # One inference takes ten times as long; the next ones have waited.
    def slow(now: float, app: str) -> float:
        return 10.0 if 0.95 <= now < 1.05 else 1.0

    state = world(network("net", TWO, level=2, period=0.1, goals={"latency": 0.09}), slow=slow)
    run = play(state, Hierarchical())
    times = state.apps["net"].latencies
    assert max(times) > 0.3
    assert all(t <= 0.09 for t in times[30:])
    raised = [clocks for at, clocks in run.clocks if 1.0 < at < 2.0]
    assert {"cpu": 2.0, "gpu": 1.0} in raised


def test_a_cap_of_power_holds() -> None:
    app = network("net", TWO, level=2, period=0.1, goals={"latency": 0.035})
    free, capped = world(app), world(network("net", TWO, level=2, period=0.1, goals={"latency": 0.035}))
    without, within = play(free, Hierarchical()), play(capped, Hierarchical(power="1.9 W"))
    assert without.energy["total"] / 10.0 > 1.9 >= within.energy["total"] / 10.0
    assert max(free.apps["net"].latencies) <= 0.035 < min(capped.apps["net"].latencies)


# --- levels ---------------------------------------------------------------------------------------------------


def test_accuracy_yields_only_where_it_may_and_comes_back() -> None:
    def slow(now: float, app: str) -> float:
        return 2.0 if 2.0 <= now < 5.0 else 1.0

    def run(yields: str) -> list[int]:
        goals = {"latency": 0.05, "top1": 72}
        state = world(network("net", TWO, level=2, period=0.1, goals=goals), slow=slow, duration=14.0)
        return served(play(state, Hierarchical(yields=yields)))

    assert set(run("latency")) == {2}
    levels = run("accuracy")
    # Too slow from the twentieth on; a window later down; up once it has been fast for long enough.
    assert levels[:20] == [2] * 20 and levels[30:50] == [1] * 20
    assert levels[-1] == 2
    assert sum(a != b for a, b in itertools.pairwise(levels)) == 2


def test_a_floor_that_rises_is_followed_whatever_yields() -> None:
    goals = [{"top1": 71}, {"at": 3.0, "top1": 72}, {"at": 6.0, "top1": 71}]
    for yields in ("latency", "accuracy"):
        state = world(network("net", TWO, level=2, period=0.1, goals=goals))
        levels = served(play(state, Hierarchical(yields=yields, period=0.01)))
        assert (
            levels[:30] == [1] * 30 and levels[31:60] == [2] * 29 and levels[61:] == [1] * (len(levels) - 61)
        )


def test_a_switch_must_pay_for_itself() -> None:
    # From 3 s on level 1 would do and saves 63 %: in 10 s more than a pause of 0.2 s costs, but not one of 30 s.
    goals = [{"top1": 72}, {"at": 3.0, "top1": 71}]
    for switch, horizon, last in (
        (0.2, "10 s", 1),
        (30.0, "10 s", 2),
        (30.0, "1000 s", 1),
        (0.2, "100 ms", 2),
    ):
        state = world(network("net", TWO, level=2, period=0.1, goals=goals, switch_s=switch))
        run = play(state, Hierarchical(horizon=horizon))
        assert run._next["net"][0] == last


# --- options --------------------------------------------------------------------------------------------------


def test_knobs_that_it_may_not_turn_are_left_alone() -> None:
    def setting(knobs: str) -> Setting:
        app = places(0.03, 0.1, period=0.3, goals={"top1": 70})
        app.work["gpu"][2], app.work["cpu"][2] = {"gpu": 0.05 * GHZ}, {"cpu": 0.2 * GHZ}
        app.accuracies, app.level = {1: 71.0, 2: 72.0}, 2
        return play(world(app, domains=HUNGRY), Hierarchical(knobs=knobs)).settings[0][1]

    assert (setting("levels").levels, setting("levels").places, setting("levels").clocks) == (
        {"net": 1},
        {},
        {},
    )
    assert (setting("places").levels, setting("places").places) == ({}, {"net": "cpu"})
    assert setting("clocks").levels == setting("clocks").places == {}
    assert set(setting("clocks").clocks) == {"cpu", "gpu"}
    assert setting("levels+places").places == {"net": "cpu"}


def test_policies_apart_are_each_as_fast_as_they_need_to_be() -> None:
    clocks = [domain(f"cpu.{n}", "cpu", 0.5, 1.0) for n in "ab"]
    for policies, ghz in (("together", 1.0), ("apart", 0.5)):
        app = network("net", {1: {"cpu.a": 0.01}}, period=0.1, goals={"latency": 0.015})
        run = play(world(app, domains=clocks), Hierarchical(policies=policies))
        assert run.settings[0][1].clocks["cpu.b"] == Range(ghz * GHZ, ghz * GHZ)
        assert run.settings[0][1].clocks["cpu.a"] == Range(GHZ, GHZ)


def test_the_rail_decides_what_is_saved() -> None:
    # On the core rail idling costs nothing, so slow is best; all in all the board's 1 W makes fast best.
    def clocks(rail: str) -> float:
        state = world(
            network("net", {1: {"gpu": 0.01}}), domains=[domain("gpu", "gpu", 0.25, 1.0, busy=0.9, idle=0.0)]
        )
        return last_clocks(play(state, Hierarchical(rail=rail)))["gpu"]

    assert (clocks("core"), clocks("total")) == (0.25, 1.0)


@pytest.mark.parametrize(("margin", "first"), [(0.0, 0.9), (0.2, 1.0)])
def test_the_margin_is_kept_free_until_what_is_foreseen_turns_out_to_be_sure(
    margin: float, first: float
) -> None:
    # 20 ms at 1 GHz, 22 ms at 0.9 GHz.
    app = network("net", {1: {"gpu": 0.02}}, period=0.1, goals={"latency": 0.023})
    run = play(world(app, domains=[domain("gpu", "gpu", 0.9, 1.0)]), Hierarchical(margin=margin))
    clocks = [held["gpu"].low / 1e9 for held in (s.clocks for _, s in run.settings) if "gpu" in held]
    assert clocks[0] == first and clocks[-1] == 0.9 and len(clocks) == (1 if margin == 0.0 else 2)


def test_what_exceeds_the_foreseen_is_kept_free_up_to_the_margin() -> None:
    drift = Drift()
    assert drift.free(0.05, 1) == 0.05 and drift.free(0.0, 1) == 0.0
    drift.note(1.0, 1.0)
    assert drift.free(0.05, 2) == 0.05 and drift.free(0.05, 1) == 0.01
    drift.note(1.03, 1.0)
    assert drift.free(0.05, 1) == pytest.approx(0.03) and drift.free(0.02, 1) == 0.02
    drift.note(1.0, 1.0)
    assert drift.free(0.05, 1) == pytest.approx(0.0285)
    drift.note(2.0, 1.0)
    assert drift.free(0.05, 1) == 0.05


def test_clocks_are_not_raised_for_a_limit_that_none_keep() -> None:
    """20 ms at 1 GHz and 20.2 ms at half of that, where the CPU's clock decides."""
    app = network("net", {1: {"gpu": 0.02}}, period=0.1, goals={"latency": 0.01})
    state = world(app, domains=[domain("gpu", "gpu", 0.99, 1.0)])
    assert last_clocks(play(state, Hierarchical())) == {"gpu": 0.99}
    state = world(app, domains=[domain("gpu", "gpu", 0.95, 1.0)])
    assert last_clocks(play(state, Hierarchical())) == {"gpu": 1.0}


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"power": "0 W"}, r"manager 'hierarchical': power must be a power above 0, such as 5 W, got '0 W'"),
        (
            {"knobs": "clocs"},
            r"knobs must be one of levels, places, clocks, got 'clocs'; did you mean 'clocks'\?",
        ),
        ({"policies": "both"}, r"policies must be one of together, apart, got 'both'"),
        ({"yields": "time"}, r"yields must be one of latency, accuracy, got 'time'"),
        ({"margin": 1}, r"margin must be a number from 0 to below 1, got 1"),
        ({"window": 0}, r"window must be a whole number from 1, got 0"),
        ({"patience": 1.5}, r"patience must be a whole number from 1, got 1.5"),
        ({"period": 0}, r"period must be a time above 0, such as 60 ms, got 0"),
        ({"review": "1 W"}, r"manager 'hierarchical': review: "),
        ({"horizon": -1}, r"horizon must be a time above 0, such as 60 ms, got -1"),
    ],
)
def test_wrong_options(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Hierarchical(**given_)


def test_a_rail_that_there_is_not() -> None:
    state = world(network("net", TWO))
    with pytest.raises(
        UsageError, match=r"'hierarchical': rail must be .*, got 'cor'; did you mean 'core'\?"
    ):
        Hierarchical(rail="cor").start(state)
    with pytest.raises(UsageError, match=r"got 'vdd'; known: total, core"):
        Hierarchical(rail="vdd").start(state)


# --- any run --------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> World:
    cycles = st.floats(0.001, 0.02)
    apps = []
    for name in "ab"[: draw(st.integers(1, 2))]:
        small = {d: draw(cycles) for d in ("cpu", "gpu")}
        levels = {1: small, 2: {d: c * 1.5 for d, c in small.items()}}
        goals = draw(st.sampled_from([[], {"latency": 0.03}, {"latency": 0.08, "top1": 71}, {"top1": 72}]))
        period = draw(st.sampled_from([None, 0.05, 0.1]))
        apps.append(
            network(
                name, levels, level=2, period=period, goals=goals, begin=draw(st.sampled_from([0.0, 0.7]))
            )
        )
    factor = draw(st.sampled_from([1.0, 1.3, 3.0]))
    return world(
        *apps, contention=draw(st.sampled_from([0.0, 0.5])), duration=3.0,
        slow=lambda now, app: factor if 1.0 <= now < 2.0 else 1.0,
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(worlds(), st.sampled_from(["latency", "accuracy"]))
def test_whatever_happens_settings_are_allowed_and_rows_few(state: World, yields: str) -> None:
    run = play(state, Hierarchical(yields=yields))
    for _, setting in run.settings:
        assert all(level in (1, 2) for level in setting.levels.values())
        for name, held in setting.clocks.items():
            assert held is None or (held.low == held.high and held.low in state.domains[name].opps)
    for name, app in state.apps.items():
        if yields == "latency" and app.goals.at(0.0).top1 in (None, 72):
            assert set(run.levels[name]) <= {2}
    again = play(state.copy(), Hierarchical(yields=yields))
    assert again.settings == run.settings


def test_in_a_real_run_it_takes_less_than_the_governors_and_is_in_time() -> None:
    governors = {"cpu": "schedutil_l4t", "gpu": "nvhost_podgov"}
    app = socsim.Inference(
        "dynamic_ofa", "gpu", library="pytorch_eager", level=4, period="100 ms", targets={"latency": "60 ms"}
    )
    plain = socsim.simulate(
        "jetson-xavier-nx",
        [
            socsim.Inference(
                "dynamic_ofa", "gpu", library="pytorch_eager", level=4, period="100 ms", manager="fixed"
            )
        ],
        duration="3 s",
        governors=governors,
    )
    for rail in ("vdd_in", "vdd_cpu_gpu_cv"):
        manager = f"hierarchical(rail={rail})"
        run = socsim.simulate("jetson-xavier-nx", [app], duration="3 s", governors=governors, manager=manager)
        assert run.metrics()["rails_mj"][rail] < plain.metrics()["rails_mj"][rail]
        assert run.inferences.latency_ms.max() <= 60.0 < plain.inferences.latency_ms.max()
        assert set(run.inferences.level) == {4}
