"""Search among clocks, offline rows put together, budgets, and hysteresis: on tables of a few lines."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from managerkit import GHZ, World, domain, network, world

from socsim.schedulers.managers import budgets
from socsim.schedulers.managers.clockplan import Plan, Planner
from socsim.schedulers.managers.device import Range
from socsim.schedulers.managers.lattice import Point, along, settle
from socsim.schedulers.managers.outlook import Demand, Table, foresee
from socsim.schedulers.managers.spaces import Group, Space, pinned, space_of, thinned
from socsim.schedulers.managers.sublevels import Drift, Sublevels
from socsim.schedulers.managers.watch import Watch
from socsim.workloads.targets import make_targets

# --- search ---------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.data())
def test_along_a_valley_the_bottom_is_found(size: int, data: st.DataObject) -> None:
    bottom, start = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    asked: set[Point] = set()

    def key(point: Point) -> int:
        asked.add(point)
        return abs(point[1] - bottom)

    assert along(key, (7, start), 1, size, data.draw(st.integers(1, size))) == (7, bottom)
    assert len(asked) <= 8 + 6 * size.bit_length()


def test_a_bound_that_is_met_exactly_does_not_stop_the_search() -> None:
    # On the bound x + y >= 6 neither axis alone gets from (3, 3) to the best point, (6, 0).
    def key(point: Point) -> tuple[int, int]:
        x, y = point
        return max(0, 6 - x - y), x + 3 * y

    assert settle((7, 7), key, (3, 3)) == (6, 0)


def test_a_space_without_axes_has_one_point() -> None:
    assert settle((), lambda point: 0, ()) == ()
    assert Space([]).combinations == 1 and Space([]).clocks(()) == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_where_the_search_ends_no_step_of_one_clock_helps(sizes: list[int], data: st.DataObject) -> None:
    points = list(product(*map(range, sizes)))
    key = {point: data.draw(st.integers(0, 9)) for point in points}
    start = data.draw(st.sampled_from(points))
    end = settle(sizes, key.__getitem__, start)
    assert key[end] <= key[start]
    for axis, shift in product(range(len(sizes)), (-2, -1, 1, 2)):
        beside = (*end[:axis], end[axis] + shift, *end[axis + 1 :])
        assert key.get(beside, 9) >= key[end]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(2, 4), st.data())
def test_on_lattices_of_two_clocks_a_lower_valley_is_found(wide: int, high: int, data: st.DataObject) -> None:
    """Where each clock alone has one valley, and both together too: the search ends at the best of all."""
    left, right = data.draw(st.integers(0, wide - 1)), data.draw(st.integers(0, high - 1))
    slopes = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    tilt = data.draw(st.sampled_from([-1, 0, 1]))

    def key(point: Point) -> int:
        x, y = point[0] - left, point[1] - right
        return 2 * slopes[0] * x * x + 2 * slopes[1] * y * y + tilt * x * y

    start = (data.draw(st.integers(0, wide - 1)), data.draw(st.integers(0, high - 1)))
    assert key(settle((wide, high), key, start)) == 0


# --- spaces ---------------------------------------------------------------------------------------------------


def policies() -> World:
    one, two = (domain(f"cpu.{n}", "cpu", 1.0, 2.0) for n in "ab")
    return world(network("net", {1: {"gpu": 0.01}}), domains=[one, two, domain("gpu", "gpu", 0.5, 1.0)])


def test_policies_with_the_same_points_have_one_clock() -> None:
    assert [g.domains for g in space_of(policies()).groups] == [("cpu.a", "cpu.b"), ("gpu",)]
    assert [g.domains for g in space_of(policies(), apart=True).groups] == [("cpu.a",), ("cpu.b",), ("gpu",)]
    assert space_of(policies()).clocks((0, 1)) == (("cpu.a", GHZ), ("cpu.b", GHZ), ("gpu", GHZ))


def test_policies_with_other_limits_have_their_own() -> None:
    state = policies()
    state.domains["cpu.b"].allowed = Range(0.0, 1.5 * GHZ)
    assert [(g.domains, g.points) for g in space_of(state).groups] == [
        (("cpu.a",), (GHZ, 2 * GHZ)),
        (("cpu.b",), (GHZ,)),
        (("gpu",), (GHZ / 2, GHZ)),
    ]


def test_limits_between_two_points_leave_one() -> None:
    state = policies()
    state.domains["gpu"].allowed = Range(0.6 * GHZ, 0.7 * GHZ)
    assert len(space_of(state, only=["gpu"]).groups[0].points) == 1


def test_the_point_nearest_to_clocks() -> None:
    space = space_of(policies())
    assert space.nearest({"cpu.a": 2.2 * GHZ, "gpu": 0.99 * GHZ}) == (1, 0)
    assert space.nearest({"cpu.a": 0.1 * GHZ}) == (0, 1)
    assert pinned(space.clocks((0, 0)))["gpu"] == Range(GHZ / 2, GHZ / 2)


def test_thinned_out_clocks_keep_the_ends_and_come_closer_around_a_point() -> None:
    space = Space([Group(("gpu",), tuple(float(i) for i in range(1, 11)))])
    assert thinned(space, 4).groups[0].points == (1.0, 2.0, 6.0, 10.0)
    assert thinned(space, 2, (("gpu", 6.0),)).groups[0].points == (2.0, 4.0, 6.0, 8.0, 10.0)


# --- rows put together ----------------------------------------------------------------------------------------


def test_one_application_takes_what_its_row_says() -> None:
    # 10 ms on the CPU at 2 GHz and 10 ms on the GPU at 1 GHz; 0.08 + 0.04 J, every 100 ms, beside 1.3 W of idle power.
    state = world(network("net", {1: {"cpu": 0.02, "gpu": 0.01}}, period=0.1))
    table = Table(state, "total")
    seen = foresee(table, [Demand("net", 1, "gpu", period=0.1)], (("cpu", 2 * GHZ), ("gpu", GHZ)))
    assert seen.latencies == pytest.approx((0.02,))
    assert seen.power == pytest.approx(1.0 + 0.2 + 0.1 + (0.08 + 0.04) / 0.1)
    assert Table(state, "core").idle((("cpu", 2 * GHZ), ("gpu", GHZ))) == pytest.approx(0.3)


def test_rows_are_asked_for_once() -> None:
    state = world(network("net", {1: {"cpu": 0.02}}))
    table = Table(state, "total")
    first = table.row("net", 1, "gpu", (("cpu", GHZ),))
    assert table.row("net", 1, "gpu", (("cpu", GHZ),)) is first
    assert (state.asked, table.rows) == (1, 1)


def test_an_application_waits_for_the_share_of_an_accelerator_that_others_use() -> None:
    # Alone 20 ms each, half of it on the GPU: 10 ms of GPU wait for half of the time.
    apps = [network(n, {1: {"cpu": 0.02, "gpu": 0.01}}) for n in "ab"]
    table = Table(world(*apps), "total")
    clocks = (("cpu", 2 * GHZ), ("gpu", GHZ))
    pair = [Demand(n, 1, "gpu", period=0.1) for n in "ab"]
    # On the CPU, of which there is one core, both need half of it: no wait.
    assert foresee(table, pair, clocks).latencies == pytest.approx((0.025, 0.025))
    assert foresee(table, [Demand("a", 1, "gpu", scale=2.0)], clocks).latencies == pytest.approx((0.04,))


def test_on_cpus_only_what_is_more_than_there_are_waits() -> None:
    def times(cores: int, *names: str) -> tuple[float, ...]:
        clocks = [replace(domain(n, "cpu", 1.0, 2.0), units=cores) for n in ("cpu.a", "cpu.b")]
        apps = [network(n, {1: {"cpu.a": 0.02}}) for n in names]
        table = Table(world(*apps, domains=clocks), "total")
        return foresee(table, [Demand(n, 1, "gpu") for n in names], (("cpu.a", 2 * GHZ),)).latencies

    # A core each: two of two are busy; of three that need a core each the others are counted one by one.
    assert times(1, "x", "y") == pytest.approx((0.01, 0.01))
    assert times(2, "x", "y", "z") == pytest.approx((0.01,) * 3)


def test_two_that_need_all_cores_take_twice_as_long() -> None:
    apps = [network(n, {1: {"cpu": 0.02}}) for n in "ab"]
    table = Table(world(*apps), "total")
    assert foresee(
        table, [Demand(n, 1, "gpu") for n in "ab"], (("cpu", 2 * GHZ),)
    ).latencies == pytest.approx((0.02,) * 2)


def test_intervals_are_periods_or_latency_and_gap() -> None:
    table = Table(world(network("net", {1: {"cpu": 0.02}})), "total")
    clocks = (("cpu", 2 * GHZ),)
    at = [
        Demand("net", 1, "gpu", period=0.1),
        Demand("net", 1, "gpu", period=0.005),
        Demand("net", 1, "gpu", gap=0.03),
    ]
    assert [foresee(table, [d], clocks).intervals[0] for d in at] == pytest.approx([0.1, 0.01, 0.04])


# --- clocks ---------------------------------------------------------------------------------------------------


def plan_of(state: World, *demands: Demand, cap: float = inf) -> Plan:
    return Planner(Table(state, "total"), cap).best(space_of(state), demands)


def exhaustive(state: World, *demands: Demand, cap: float = inf) -> Plan:
    planner, space = Planner(Table(state, "total"), cap), space_of(state)
    plans = [planner.at(space, demands, space.clocks(p)) for p in product(*map(range, space.sizes))]
    return min(plans, key=lambda plan: plan.key)


def test_idle_power_decides_between_racing_and_going_slowly() -> None:
    # 10 ms of work at 1 GHz: energy 0.01 f^2 J; started anew at once, idle power counts for 0.01 / f s.
    def best(idle: float) -> float:
        state = world(
            network("net", {1: {"gpu": 0.01}}), domains=[domain("gpu", "gpu", 0.25, 0.5, 1.0, idle=0.0)]
        )
        state.base_w = idle
        return dict(plan_of(state, Demand("net", 1, "gpu")).clocks)["gpu"] / GHZ

    # f = 0.5 beats 0.25 where idle / 0.5 + 0.25 < idle / 0.25 + 0.0625: idle above 0.09375; 1 beats 0.5 above 0.75.
    assert [best(0.09), best(0.1), best(0.74), best(0.76)] == [0.25, 0.5, 0.5, 1.0]


def test_with_a_period_idle_power_is_drawn_anyway_and_slow_is_best() -> None:
    state = world(
        network("net", {1: {"gpu": 0.01}}),
        domains=[domain("gpu", "gpu", 0.25, 0.5, 1.0, idle=0.0)],
        base_w=9.0,
    )
    assert dict(plan_of(state, Demand("net", 1, "gpu", period=0.1)).clocks)["gpu"] == 0.25 * GHZ
    assert dict(plan_of(state, Demand("net", 1, "gpu", period=0.1, limit=0.03)).clocks)["gpu"] == 0.5 * GHZ
    assert (
        dict(plan_of(state, Demand("net", 1, "gpu", period=0.1, limit=0.03, scale=1.6)).clocks)["gpu"] == GHZ
    )


def test_where_nothing_is_in_time_the_least_late_is_taken() -> None:
    state = world(network("net", {1: {"gpu": 0.01, "cpu": 0.01}}))
    plan = plan_of(state, Demand("net", 1, "gpu", limit=0.001))
    assert dict(plan.clocks) == {"cpu": 2 * GHZ, "gpu": GHZ}
    assert not plan.met


def test_higher_priorities_are_in_time_first() -> None:
    # A cap of power that both together exceed at any clocks but the lower ones.
    apps = [network(n, {1: {"gpu": 0.01}}) for n in "ab"]
    state = world(*apps, domains=[domain("gpu", "gpu", 0.5, 1.0, idle=0.0)])
    urgent, other = (
        Demand("a", 1, "gpu", period=0.1, limit=0.025, rank=1),
        Demand("b", 1, "gpu", period=0.1, limit=0.001),
    )
    assert plan_of(state, urgent, other).key[:2] == (0.0, 0.0)
    assert plan_of(state, urgent, other).key[2] > 0.0


def test_a_cap_of_power_goes_before_latency() -> None:
    # 1 W idle, and 0.01 f^2 J each 100 ms: 1.1 W at 1 GHz, 1.025 W at 0.5 GHz.
    state = world(network("net", {1: {"gpu": 0.01}}), domains=[domain("gpu", "gpu", 0.5, 1.0, idle=0.0)])
    needs = Demand("net", 1, "gpu", period=0.1, limit=0.011)
    state.domains["gpu"].busy_w = 1.0
    assert dict(plan_of(state, needs, cap=1.2).clocks)["gpu"] == GHZ
    assert dict(plan_of(state, needs, cap=1.05).clocks)["gpu"] == 0.5 * GHZ


def test_plans_are_remembered() -> None:
    state = world(network("net", {1: {"gpu": 0.01}}))
    planner, space = Planner(Table(state, "total")), space_of(state)
    demand = [Demand("net", 1, "gpu", limit=0.02)]
    assert planner.best(space, demand) is planner.best(space, [Demand("net", 1, "gpu", limit=0.02)])


CYCLES = st.floats(0.001, 0.03)


@st.composite
def devices(draw: st.DrawFn) -> tuple[World, list[Demand]]:
    def made(name: str, kind: str, points: int) -> Any:
        ghz = [0.2 + 0.15 * i for i in range(points)]
        return domain(name, kind, *ghz, busy=draw(st.floats(0.2, 5.0)), idle=draw(st.floats(0.0, 0.5)))

    clocks = [made("cpu", "cpu", 12), made("gpu", "gpu", 8), made("dram", "dram", 3)]
    apps = [network(n, {1: {"cpu": draw(CYCLES), "gpu": draw(CYCLES), "dram": draw(CYCLES)}}) for n in "ab"]
    apps = apps[: draw(st.integers(1, 2))]
    wanted = [
        Demand(a.name, 1, "gpu", draw(st.sampled_from([None, 0.07, 0.1])), 0.0, draw(st.floats(0.5, 2.0)),
               draw(st.floats(0.01, 0.3)), draw(st.sampled_from([0.0, 1.0])))
        for a in apps
    ]  # fmt: skip
    return world(*apps, domains=clocks), wanted


@settings(max_examples=60, deadline=None)
@given(devices())
def test_limits_are_kept_if_any_clocks_keep_them_and_energy_is_close_to_the_least(
    made: tuple[World, list[Demand]],
) -> None:
    state, demands = made
    found, best = plan_of(state, *demands), exhaustive(state, *demands)
    assert found.met == best.met
    assert state.asked <= 3 * 12 * 8 * 3 * len(demands)
    if best.met:
        assert best.cost <= found.cost <= 1.10 * best.cost


@settings(max_examples=40, deadline=None)
@given(devices(), st.floats(0.3, 1.0))
def test_trying_given_clocks_first_never_ends_worse_than_they_are(
    made: tuple[World, list[Demand]], share: float
) -> None:
    state, demands = made
    planner, space = Planner(Table(state, "total")), space_of(state)
    near = space.clocks(tuple(int(share * (size - 1)) for size in space.sizes))
    found = planner.best(space, demands, near)
    assert found.key <= planner.at(space, demands, near).key
    assert found.met == plan_of(state, *demands).met


# --- budgets --------------------------------------------------------------------------------------------------


def test_a_budget_is_the_target_or_the_period() -> None:
    both = network("net", {1: {}}, period=0.05, goals={"latency": 0.06})
    assert budgets.budget(both) == 0.05
    assert budgets.budget(network("net", {1: {}}, goals={"latency": 0.06})) == 0.06
    assert budgets.budget(network("net", {1: {}}, period=0.05)) == 0.05
    assert budgets.budget(network("net", {1: {}})) == inf


def test_a_backlog_leaves_less() -> None:
    app = network("net", {1: {}}, period=0.1, latencies=[0.13], services=[0.09])
    assert budgets.left(app, 0.1) == 0.1
    app.waiting = 1
    assert budgets.left(app, 0.1) == pytest.approx(0.07)
    app.latencies[-1] = 5.0
    assert budgets.left(app, 0.1) == pytest.approx(0.005)
    app.period, app.latencies[-1] = None, 0.11
    assert budgets.left(app, 0.1) == pytest.approx(0.08)


def test_levels_that_are_accurate_enough() -> None:
    app = network("net", {1: {}, 2: {}, 3: {}}, accuracies={1: 70.0, 2: 75.0, 3: nan})
    assert budgets.admissible(app, 2) == [2]
    for floor, levels in ((69.0, [1, 2]), (70.0, [1, 2]), (70.1, [2]), (80.0, [2])):
        app.goals = make_targets({"top1": floor})
        assert budgets.admissible(app, 1) == levels
    assert budgets.by_accuracy(app) == [3, 1, 2]


@given(st.floats(1e-6, 1e6), st.sampled_from([0.01, 0.02, 0.1]))
def test_steps_are_close_and_on_the_safe_side(value: float, grid: float) -> None:
    up, down = (budgets.step_of(value, grid, up=up) for up in (True, False))
    assert value * (1 - 1e-6) <= up <= value * (1 + grid) * (1 + 1e-6)
    assert value / (1 + grid) * (1 - 1e-6) <= down <= value * (1 + 1e-6)
    assert budgets.step_of(up, grid, up=True) == pytest.approx(up)
    assert budgets.step_of(inf, grid, up=True) == inf and budgets.step_of(1.0, grid, up=True) == 1.0


# --- measured times -------------------------------------------------------------------------------------------


def test_drift_rises_by_half_and_falls_by_a_twentieth() -> None:
    drift = Drift()
    drift.note(0.03, 0.02)
    assert drift.scale == pytest.approx(1.25)
    drift.note(0.01, 0.01)
    assert drift.scale == pytest.approx(1.2375)
    drift.note(1.0, 0.0)
    drift.note(1e9, 1.0)
    assert drift.scale == pytest.approx(1.2375 + (16.0 - 1.2375) / 2)


def test_gaps_are_those_between_a_finish_and_an_arrival() -> None:
    app = network("net", {1: {}}, services=[0.02])
    watch = Watch(app, Sublevels())
    for now, latency in ((0.1, 0.02), (0.2, 0.02), (0.3, 0.02)):
        app.latencies.append(latency)
        watch.passed(app, now)
    # 80 ms each; a fifth, and a fifth of the rest: 28.8 ms, on a grid of tenths from 1 s.
    assert watch.demand(app, 0.0).gap == pytest.approx(0.0288, rel=0.1)


def levels_of(
    times: dict[int, float], start: int, inferences: int, wanted: int, budget: float = 0.06
) -> list[int]:
    """Levels at which inferences run whose time depends on the level alone, foreseen as they are."""
    keeper, level, seen = Sublevels(window=3, patience=2), start, []
    ladder = sorted(times)[: sorted(times).index(wanted) + 1]
    for _ in range(inferences):
        seen.append(level)
        above = times.get(level + 1, 0.0)
        level = keeper.moved(times[level], budget, level, ladder, above)
    return seen


def test_down_after_a_full_window_and_up_after_several() -> None:
    assert levels_of({1: 0.03, 2: 0.05, 3: 0.07}, 3, 7, 3) == [3, 3, 3, 2, 2, 2, 2]
    assert levels_of({1: 0.03, 2: 0.05}, 1, 7, 2) == [1] * 6 + [2]


def test_up_only_where_the_next_level_is_well_below_the_budget() -> None:
    assert levels_of({1: 0.03, 2: 0.0541}, 1, 30, 2) == [1] * 30
    assert levels_of({1: 0.03, 2: 0.0539}, 1, 30, 2)[-1] == 2


def test_it_does_not_go_above_what_is_wanted_nor_below_the_lowest() -> None:
    assert levels_of({1: 0.01, 2: 0.01, 3: 0.01}, 1, 60, 2)[-1] == 2
    assert levels_of({1: 0.5}, 1, 10, 1) == [1] * 10


@given(st.lists(st.floats(0.02, 0.1), min_size=1, max_size=6), st.data())
def test_on_constant_times_levels_never_go_back_and_forth(times: list[float], data: st.DataObject) -> None:
    start = data.draw(st.integers(1, len(times)))
    seen = levels_of(dict(enumerate(times, 1)), start, 120, len(times))
    moves = [b - a for a, b in pairwise(seen) if a != b]
    assert len({m > 0 for m in moves}) <= 1


@given(st.lists(st.floats(0.02, 0.1), min_size=2, max_size=5), st.floats(0.3, 1.0))
def test_a_level_that_was_too_slow_is_left_for_good(times: list[float], optimism: float) -> None:
    keeper, level, seen = Sublevels(window=2, patience=1), 1, []
    ladder = list(range(1, len(times) + 1))
    for _ in range(200):
        above = optimism * times[level] if level < len(times) else 0.0
        level = keeper.moved(times[level - 1], 0.06, level, ladder, above)
        seen.append(level)
    assert len(set(seen[-100:])) == 1


def test_less_load_gives_another_chance() -> None:
    keeper = Sublevels(window=1, patience=1)
    assert keeper.moved(0.07, 0.06, 2, [1, 2], 0.0, load=2.0) == 1
    for load, level in ((1.5, 1), (1.5, 1), (1.36, 1), (1.34, 2)):
        assert keeper.moved(0.03, 0.06, 1, [1, 2], 0.03, load) == level


def test_other_conditions_give_another_chance() -> None:
    keeper = Sublevels(window=1, patience=1)
    assert keeper.moved(0.07, 0.06, 2, [1, 2], 0.0) == 1
    assert keeper.moved(0.03, 0.06, 1, [1, 2], 0.03) == 1
    keeper.forget()
    assert keeper.moved(0.03, 0.06, 1, [1, 2], 0.03) == 2
