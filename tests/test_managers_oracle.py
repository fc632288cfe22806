"""The oracle: bounds, best-first search, and phases, against trying everything."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from managerkit import GHZ, App, World, domain, network, play, world

import socsim
from socsim.errors import UsageError
from socsim.schedulers.managers.candidates import Candidate, bound, candidates, undominated, unused_low
from socsim.schedulers.managers.device import Rehearsal, Setting
from socsim.schedulers.managers.oracle import Oracle
from socsim.schedulers.managers.outlook import Table
from socsim.schedulers.managers.phases import Goal, Phase, Score, phases, score
from socsim.schedulers.managers.search import Search
from socsim.schedulers.managers.spaces import pinned, space_of

TWO = {1: {"cpu": 0.01, "gpu": 0.01}, 2: {"cpu": 0.02, "gpu": 0.02}}


def oracle(**more: Any) -> Oracle:
    return Oracle(**{"settle": "1 ms", **more})


def clocks_of(setting: Setting) -> dict[str, float]:
    return {name: held.high / GHZ for name, held in setting.clocks.items() if held is not None}


# --- phases ---------------------------------------------------------------------------------------------------


def rehearsal(state: World) -> Rehearsal:
    return state.rehearse([(0.0, Setting())])


def test_phases_are_cut_where_something_changes() -> None:
    one = network("a", TWO, period=0.1, goals=[{"latency": 0.06}, {"at": 2, "latency": 0.04}], end=5.95)
    two = network("b", TWO, period=0.1, begin=4.0, priority=2.0)
    state = world(one, two, duration=8.0)
    found = phases(state, rehearsal(state), certain=True)
    assert [(p.begin, p.until, p.end) for p in found] == [
        (0.0, 2.0, 2.0),
        (2.0, 4.0, 4.0),
        (4.0, 5.95, 5.95),
        (5.95, None, 8.0),
    ]
    assert [[(g.app, g.limit, g.rank) for g in p.goals] for p in found] == [
        [("a", 0.06, 0.0)],
        [("a", 0.04, 0.0)],
        [("a", 0.04, 0.0), ("b", 0.1, 2.0)],
        [("b", 0.1, 2.0)],
    ]
    assert [p.goals[0].count for p in found] == pytest.approx([20, 20, 20, 20], abs=1)
    assert not any(g.closed for p in found for g in p.goals)


def test_applications_that_wait_for_nothing_are_told_apart() -> None:
    state = world(network("net", TWO), duration=1.0)
    (phase,) = phases(state, rehearsal(state), certain=True)
    (goal,) = phase.goals
    assert goal.closed and goal.limit == inf
    # 15 ms each: 66 finish within 1 s.
    assert goal.count == 66


def phase_of(*goals: Goal, until: float | None = None, open_ended: bool = False) -> Phase:
    return Phase(0.0, until, 1.0, open_ended, goals)


def goal(
    app: str = "net", limit: float = 0.1, *, closed: bool = False, count: int = 10, rank: float = 0.0
) -> Goal:
    return Goal(app, limit, rank, closed, count, count, 0.9)


def run_of(latencies: list[float], joules: float = 5.0, every: float = 0.1, unfinished: int = 0) -> Rehearsal:
    arrivals = [every * i for i in range(len(latencies))]
    return Rehearsal(
        1.0, {"total": joules}, {"net": latencies}, {"net": arrivals}, {"net": []}, {"net": unfinished}
    )


def judged(run: Rehearsal, phase: Phase, **more: Any) -> Score:
    given_ = {"rail": "total", "before": 0.0, "cap": inf, "settle": 0.0, "in_time": 1.0, **more}
    return score(phase, run, **given_)


def test_all_inferences_must_be_in_time_or_as_many_as_asked_for_or_their_mean() -> None:
    run = run_of([0.09] * 9 + [0.12])
    assert judged(run, phase_of(goal())).late == pytest.approx((0.2,))
    assert judged(run, phase_of(goal()), in_time=0.9).feasible
    assert judged(run, phase_of(goal()), in_time=None).feasible
    assert judged(run_of([0.11] * 10), phase_of(goal()), in_time=None).late == pytest.approx((0.1,))
    assert judged(run_of([0.1] * 10), phase_of(goal())).feasible


def test_the_first_of_a_phase_need_not_be_in_time() -> None:
    run = run_of([0.2] * 2 + [0.09] * 8)
    assert not judged(run, phase_of(goal()), settle=0.1).feasible
    assert judged(run, phase_of(goal()), settle=0.15).feasible
    assert not judged(run, phase_of(goal()), settle=5.0).feasible


def test_what_does_not_finish_is_not_in_time() -> None:
    assert judged(run_of([0.09] * 9), phase_of(goal(count=10))).feasible
    assert judged(run_of([0.09] * 7), phase_of(goal(count=10))).late == (2.0,)
    assert judged(run_of([]), phase_of(goal(count=10))).late == (10.0,)
    assert judged(run_of([0.09] * 7), phase_of(goal(limit=inf, count=10))).late == (2.0,)


def test_energy_counts_per_work_where_there_is_more_the_faster_it_goes() -> None:
    run = run_of([0.1] * 10, joules=5.0, every=0.1)
    assert judged(run, phase_of(goal(closed=True, count=20, limit=inf))).joules == pytest.approx(10.0)
    assert judged(run, phase_of(goal(count=10))).joules == pytest.approx(5.0)
    assert judged(run, phase_of(goal(count=10)), before=2.0).joules == pytest.approx(3.0)
    assert judged(run, phase_of(goal(count=10)), cap=4.0).over == pytest.approx(0.25)


# --- candidates and bounds ------------------------------------------------------------------------------------


def test_the_bound_of_one_application_is_what_it_takes() -> None:
    # 0.02 / 2 + 0.01 / 1 s and 0.02 * 4 + 0.01 * 4 J of which there are ten, beside 1.3 W for 1 s.
    state = world(network("net", {1: {"cpu": 0.02, "gpu": 0.01}}, period=0.1))
    table, clocks = Table(state, "total"), (("cpu", 2 * GHZ), ("gpu", GHZ))
    row = table.row("net", 1, "gpu", clocks)
    assert bound(table, phase_of(goal()), [row], clocks) == pytest.approx(1.3 + 10 * 0.12)
    # Waiting for nothing: at most 1 / 0.02 = 50 in 1 s, twice as many as at the highest clocks.
    closed = phase_of(goal(closed=True, count=25))
    assert bound(table, closed, [row], clocks) == pytest.approx((1.3 + 50 * 0.12) / 2)
    # Until 25 are done, after 0.5 s.
    assert bound(table, replace(closed, open_ended=True), [row], clocks) == pytest.approx(
        1.3 * 0.5 + 25 * 0.12
    )


def test_candidates_are_those_that_are_in_time_alone() -> None:
    state = world(network("net", TWO, period=0.1))
    table, space, what = Table(state, "total"), space_of(state), (("net", 1, "gpu"),)
    found = [*candidates(table, phase_of(goal(limit=0.021)), what, [space, space])]
    assert {tuple(f / GHZ for _, f in c.clocks) for c in found} == {
        (1.0, 1.0),
        (1.5, 0.75),
        (1.5, 1.0),
        (2.0, 0.75),
        (2.0, 1.0),
    }
    assert found[0].setting.levels == {"net": 1}
    assert len([*candidates(table, phase_of(goal(limit=0.001)), what, [space], lenient=True)]) == 16


def test_levels_that_another_beats_everywhere_are_left_out() -> None:
    levels = {
        1: {"cpu": 0.01, "gpu": 0.02},
        2: {"cpu": 0.02, "gpu": 0.01},
        3: {"cpu": 0.02, "gpu": 0.02},
        4: {"cpu": 0.01, "gpu": 0.02},
    }
    state = world(network("net", levels))
    table, space = Table(state, "total"), space_of(state)
    ends = [space.clocks(p) for p in product((0, 3), (0, 3))]
    pairs = [(level, "gpu") for level in levels]
    accuracy = {level: 70.0 + level for level in levels}
    assert sorted(undominated(table, "net", pairs, ends, accuracy)) == [(2, "gpu"), (4, "gpu")]


def test_policies_that_nothing_uses_may_be_low_by_themselves() -> None:
    clocks = [domain(f"cpu.{n}", "cpu", 0.5, 1.0) for n in "ab"]
    state = world(network("net", {1: {"cpu.a": 0.01}}), domains=clocks)
    table, space = Table(state, "total"), space_of(state)
    low = unused_low(space, table, (("net", 1, "gpu"),))
    assert low is not None
    assert sorted((g.domains, len(g.points)) for g in low.groups) == [(("cpu.a",), 2), (("cpu.b",), 1)]
    both = world(network("net", {1: {"cpu.a": 0.01, "cpu.b": 0.01}}), domains=clocks)
    assert unused_low(space_of(both), Table(both, "total"), (("net", 1, "gpu"),)) is None


# --- search ---------------------------------------------------------------------------------------------------


def candidate(clock: float, least: float, alone: float = 0.05) -> Candidate:
    return Candidate((("net", 1, "gpu"),), (("gpu", clock),), least, (alone,))


def searched(outcomes: dict[float, tuple[float, float]], effort: int = 99) -> tuple[list[float], Search]:
    """Clock -> (latency, joules), of which bounds are one less."""
    tried: list[float] = []

    def trial(one: Candidate) -> tuple[Score, Rehearsal]:
        clock = one.clocks[0][1]
        tried.append(clock)
        run = run_of([outcomes[clock][0]] * 10, outcomes[clock][1])
        return judged(run, phase), run

    phase = phase_of(goal())
    search = Search(phase, trial, effort)
    search.through(
        [candidate(clock, joules - 1.0, 0.3 / (clock + 3.0)) for clock, (_, joules) in outcomes.items()]
    )
    return tried, search


def test_it_ends_when_no_bound_is_below_the_best() -> None:
    tried, search = searched({1.0: (0.09, 3.0), 2.0: (0.08, 3.5), 3.0: (0.07, 4.5)})
    assert tried == [1.0, 2.0]
    assert search.best is not None and search.best.bound == search.best.score.joules == 3.0


def test_what_is_slower_than_too_slow_is_not_tried() -> None:
    tried, search = searched({float(i): (0.2 if i < 8 else 0.09, 1.0 + i) for i in range(1, 12)})
    assert search.best is not None and search.best.candidate.clocks == (("gpu", 8.0),)
    assert len(tried) <= 7


def test_the_bound_is_that_of_what_is_left_when_the_effort_is_spent() -> None:
    tried, search = searched({1.0: (0.09, 3.0), 2.0: (0.08, 3.5), 3.0: (0.07, 3.9)}, effort=1)
    assert tried == [1.0]
    assert search.best is not None and (search.best.bound, search.best.score.joules) == (2.5, 3.0)


def test_where_nothing_is_in_time_the_least_late_is_found() -> None:
    _, search = searched({1.0: (0.3, 1.0), 2.0: (0.2, 2.0), 3.0: (0.15, 3.0)})
    assert search.best is not None and search.best.candidate.clocks == (("gpu", 3.0),)
    assert not search.best.score.feasible


def test_runs_below_their_bound_are_counted() -> None:
    phase = phase_of(goal())
    run = run_of([0.05] * 10, 1.0)
    search = Search(phase, lambda one: (judged(run, phase), run), 9)
    found = search.through([candidate(1.0, 1.5)])
    assert found is not None and found.broken == 1


# --- whole runs -----------------------------------------------------------------------------------------------


def small(*apps: App, **more: Any) -> World:
    clocks = (domain("cpu", "cpu", 0.5, 1.0, 2.0), domain("gpu", "gpu", 0.5, 0.75, 1.0, busy=4.0))
    return world(*apps, domains=clocks, **{"duration": 1.0, **more})


def exhaustive(state: World, in_time: float | None = 1.0) -> Score:
    """The best of everything that there is, in a run of one phase."""
    (phase,) = phases(state, state.rehearse([(0.0, Setting())]), certain=in_time == 1.0)
    space = space_of(state)
    kinds = [[(a.name, level, place) for place in a.places for level in a.top1] for a in state.apps.values()]
    runs = []
    for what, point in product(product(*kinds), product(*map(range, space.sizes))):
        levels, places = {a: level for a, level, _ in what}, {a: place for a, _, place in what}
        run = state.rehearse([(0.0, Setting(levels, places, dict(pinned(space.clocks(point)))))])
        runs.append(score(phase, run, "total", 0.0, inf, 0.001, in_time))
    return min(runs)


@st.composite
def devices(draw: st.DrawFn) -> World:
    cycles = st.floats(0.002, 0.03)
    apps = []
    for name in "ab"[: draw(st.integers(1, 2))]:
        levels = {
            1: {"cpu": draw(cycles), "gpu": draw(cycles)},
            2: {"cpu": draw(cycles), "gpu": draw(cycles)},
        }
        goals = {"top1": 70.0}
        if draw(st.booleans()):
            goals["latency"] = draw(st.sampled_from([0.02, 0.04, 0.08]))
        apps.append(network(name, levels, period=draw(st.sampled_from([0.05, 0.11])), goals=goals))
    return small(*apps, contention=draw(st.sampled_from([0.0, 0.3, 1.0])))


@settings(max_examples=40, deadline=None)
@given(devices(), st.sampled_from(["share", "mean"]))
def test_nothing_that_keeps_the_limits_takes_less(state: World, judge: str) -> None:
    best = exhaustive(state, 1.0 if judge == "share" else None)
    found = oracle(judge=judge, effort=2000)
    found.start(state)
    (report,) = found.report
    assert report.feasible == best.feasible
    assert report.complete and not report.broken
    if best.feasible:
        assert report.energy_j == pytest.approx(best.joules)
        assert report.bound_j == pytest.approx(best.joules) and report.gap == pytest.approx(0.0)


@settings(max_examples=30, deadline=None)
@given(devices(), st.integers(1, 6), st.integers(5, 40))
def test_with_little_effort_the_bound_still_holds(state: World, effort: int, rows: int) -> None:
    best = exhaustive(state)
    found = oracle(effort=effort, rows=rows)
    found.start(state)
    (report,) = found.report
    assert 1 <= report.rehearsals <= effort
    if report.feasible:
        assert report.energy_j >= best.joules * (1 - 1e-9)
        assert report.gap >= -1e-9
        if report.complete:
            assert report.bound_j <= best.joules * (1 + 1e-9)


def test_it_runs_as_rehearsed() -> None:
    goals = [{"latency": 0.09, "top1": 72}, {"at": 2.0, "latency": 0.03, "top1": 71}]
    state = world(network("net", TWO, level=2, period=0.1, goals=goals), duration=4.0)
    manager = oracle()
    plan = oracle()
    first = plan.start(state.copy())
    assert plan.instants == [2.0]
    manager.period = 0.001
    run = play(state, manager)
    assert run.settings[0] == (0.0, first)
    assert [round(at, 2) for at, _ in run.settings] == [0.0, 2.0]
    assert run.levels["net"] == [2] * 20 + [1] * 20
    first_phase, second = manager.report
    assert first_phase.setting.levels == {"net": 2} and second.setting.levels == {"net": 1}
    assert first_phase.energy_j + second.energy_j == pytest.approx(run.energy["total"])


def test_a_phase_without_applications_leaves_clocks_to_their_governors() -> None:
    state = world(network("net", TWO, period=0.1, end=2.0), duration=3.0)
    found = oracle()
    found.start(state)
    assert found.report[1].setting == Setting(clocks={"cpu": None, "gpu": None})
    assert found.instants == [2.0]


def test_of_places_the_cheaper_that_is_in_time() -> None:
    # On the CPU 50 ms at its highest clock, 25 mJ at its lowest; on the GPU 30 ms and 30 mJ.
    work = {"gpu": {1: {"gpu": 0.03 * GHZ}}, "cpu": {1: {"cpu": 0.1 * GHZ}}}
    for latency, place in ((None, "cpu"), (0.04, "gpu")):
        app = App("net", work, {1: 70.0}, period=0.3, goals=[] if latency is None else {"latency": latency})
        assert oracle().start(small(app)).places == {"net": place}
    cheap = world(
        App("net", work, {1: 70.0}, period=0.3),
        domains=[domain("cpu", "cpu", 2.0, busy=0.01), domain("gpu", "gpu", 1.0)],
    )
    assert oracle().start(cheap).places == {"net": "cpu"}


def test_many_clocks_are_thinned_out_and_searched_again_around_the_best() -> None:
    ghz = [0.1 * i for i in range(1, 21)]
    clocks = [domain("cpu", "cpu", *ghz), domain("gpu", "gpu", *ghz, busy=4.0)]

    def found(rows: int) -> Oracle:
        state = world(
            network("net", TWO, level=2, period=0.1, goals={"latency": 0.05}), domains=clocks, duration=1.0
        )
        manager = oracle(rows=rows)
        manager.start(state)
        return manager

    whole, thin = found(1000).report[0], found(60).report[0]
    assert whole.complete and not thin.complete
    assert thin.candidates < whole.candidates
    assert whole.energy_j <= thin.energy_j <= 1.03 * whole.energy_j
    assert thin.bound_j <= thin.energy_j


def test_with_clocks_left_alone_nothing_bounds_what_is_drawn() -> None:
    state = small(network("net", TWO, level=2, period=0.1, goals={"top1": 71}))
    manager = oracle(knobs="levels")
    assert manager.start(state) == Setting(levels={"net": 1}, places={"net": "gpu"})
    assert manager.report[0].gap == inf and not manager.report[0].complete


def test_a_cap_of_power_and_a_rail() -> None:
    app = network("net", TWO, level=2, period=0.1, goals={"latency": 0.09})
    free = oracle(rail="core")
    free.start(small(app))
    watts = free.report[0].energy_j
    capped = oracle(rail="core", power=watts * 0.9)
    capped.start(small(network("net", TWO, level=2, period=0.1, goals={"latency": 0.09})))
    assert free.report[0].feasible and not capped.report[0].feasible


def test_its_report_as_plain_values() -> None:
    manager = oracle()
    manager.start(small(network("net", TWO, period=0.1)))
    row = manager.report[0].describe()
    assert row["feasible"] and row["gap"] == 0.0 and row["rehearsals"] >= 1
    assert row["setting"]["levels"] == {"net": 1}


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"judge": "max"}, r"manager 'oracle': judge must be one of share, mean, got 'max'"),
        ({"in_time": 1.5}, r"manager 'oracle': in_time must be a number from 0 to 1, got 1.5"),
        ({"effort": 0}, r"effort must be a whole number from 1, got 0"),
        ({"rows": "many"}, r"rows must be a whole number from 1, got 'many'"),
        ({"settle": "-1 s"}, r"settle must be a time above 0, such as 60 ms, got '-1 s'"),
        ({"power": 0}, r"power must be a power above 0, such as 5 W, got 0"),
        ({"knobs": ["dials"]}, r"knobs must be one of levels, places, clocks, got 'dials'"),
    ],
)
def test_wrong_options(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Oracle(**given_)
    with pytest.raises(UsageError, match=r"'oracle': rail must be .*, got 'cor'; did you mean 'core'\?"):
        Oracle(rail="cor").start(small(network("net", TWO)))


def test_in_a_real_run_no_manager_takes_less() -> None:
    def run(manager: str) -> Any:
        app = socsim.Inference(
            "dynamic_ofa",
            "gpu",
            library="pytorch_eager",
            level=4,
            period="100 ms",
            targets={"latency": "60 ms", "top1": 77},
        )
        return socsim.simulate("jetson-xavier-nx", [app], duration="2 s", manager=manager)

    best, other = run("oracle(effort=20)"), run("hierarchical(margin=0.01)")
    assert best.metrics()["energy_mj"] <= other.metrics()["energy_mj"] * (1 + 1e-9)
    assert best.inferences.latency_ms[10:].max() <= 60.0
    assert [row["feasible"] for row in best.report] == [True] and best.report[0]["gap"] >= 0.0
    assert other.report == []
