"""Levels and places of applications: what the mapper finds, against trying every alternative at all clocks."""

from __future__ import annotations

from itertools import product
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from managerkit import GHZ, App, World, domain, world

from socsim.schedulers.managers.clockplan import Plan, Planner
from socsim.schedulers.managers.mapping import Alternatives, Mapper
from socsim.schedulers.managers.outlook import Demand, Table
from socsim.schedulers.managers.spaces import space_of

TOP1 = {1: 70.0, 2: 75.0, 3: 80.0}


def device(work: dict[str, dict[int, float]], **more: float) -> World:
    """One application: place -> level -> 10^9 cycles on the domain of that name; two clocks of each."""
    cycles = {place: {k: {place: c * GHZ} for k, c in row.items()} for place, row in work.items()}
    clocks = (domain("cpu", "cpu", 0.5, 1.0, busy=1.0), domain("gpu", "gpu", 0.5, 1.0, busy=2.0))
    return world(App("net", cycles, TOP1), domains=clocks, **more)


def alternatives(work: dict[str, dict[int, float]], enough: int, **more: bool) -> Alternatives:
    """Levels from `enough` on are accurate enough; of the others the most accurate first."""
    pairs = [(level, place) for place, row in work.items() for level in row]
    others = sorted((p for p in pairs if p[0] < enough), key=lambda p: (-p[0], p[1]))
    return Alternatives([p for p in pairs if p[0] >= enough], others, TOP1, {}, **more)


def found(state: World, choices: Alternatives, limit: float, begun: tuple[int, str]) -> tuple[Demand, Plan]:
    mapper = Mapper(Planner(Table(state, "total")))
    demand = Demand("net", *begun, period=0.2, limit=limit)
    (demand,), plan = mapper.best(space_of(state), [demand], {"net": choices})
    return demand, plan


def tried(state: World, pair: tuple[int, str], limit: float) -> Plan:
    """The best of all clocks."""
    planner, space = Planner(Table(state, "total")), space_of(state)
    demand = Demand("net", *pair, period=0.2, limit=limit)
    points = product(*map(range, space.sizes))
    return min((planner.at(space, [demand], space.clocks(p)) for p in points), key=lambda plan: plan.key)


CYCLES = st.floats(0.005, 0.1)
ROWS = st.fixed_dictionaries(dict.fromkeys((1, 2, 3), CYCLES))


@settings(max_examples=60, deadline=None)
@given(
    work=st.fixed_dictionaries({"cpu": ROWS, "gpu": ROWS}), enough=st.integers(1, 3),
    limit=st.sampled_from([0.01, 0.03, 0.06, 0.12]), idle=st.floats(0.0, 2.0),
)  # fmt: skip
def test_no_alternative_that_is_accurate_and_in_time_takes_less(work, enough, limit, idle) -> None:
    state, choices = device(work, base_w=idle), alternatives(work, enough)
    demand, plan = found(state, choices, limit, choices.accurate[0])
    pair = (demand.level, demand.place)
    accurate = {p: tried(state, p, limit) for p in choices.accurate}
    in_time = [p.cost for p in accurate.values() if p.met]
    assert plan.key == pytest.approx(tried(state, pair, limit).key)
    if in_time:
        assert pair in choices.accurate and plan.met
        assert plan.cost == pytest.approx(min(in_time))
        return
    others = [p for p in choices.others if tried(state, p, limit).met]
    if others:
        assert pair == others[0]
    else:
        every = [tried(state, p, limit).key[:-1] for p in (*choices.accurate, *choices.others)]
        assert plan.key[:-1] == pytest.approx(min(every))


# --- by hand --------------------------------------------------------------------------------------------------

SLOW = {"gpu": {1: 0.01, 2: 0.04, 3: 0.08}}
"""10, 40 and 80 ms at 1 GHz, and twice that at 0.5 GHz."""


def level_of(limit: float, begun: int, *, work=SLOW, enough: int = 2, **more) -> int:
    state, choices = device(work), alternatives(work, enough, **more)
    return found(state, choices, limit, (begun, "gpu"))[0].level


def test_the_cheapest_that_is_accurate_enough_runs_whatever_ran_before() -> None:
    assert [level_of(0.2, begun) for begun in (1, 2, 3)] == [2, 2, 2]
    assert level_of(0.2, 2, enough=3) == 3


def test_accuracy_is_given_up_only_where_none_would_be_in_time_even_alone() -> None:
    assert level_of(0.041, 2) == 2
    assert level_of(0.039, 2) == 1


def test_of_those_that_take_the_same_the_most_accurate_runs() -> None:
    assert level_of(0.2, 2, work={"gpu": {1: 0.01, 2: 0.04, 3: 0.04}}) == 3


def test_no_more_accuracy_than_needed_is_given_up() -> None:
    """10 and 30 ms below the floor of the third: the second is in time too, and is nearer to the floor."""
    assert level_of(0.035, 3, work={"gpu": {1: 0.01, 2: 0.03, 3: 0.08}}, enough=3) == 2


def test_what_was_measured_at_a_place_counts() -> None:
    """Twice as long on the GPU as foreseen: 80 ms there, 60 ms on the CPU, of which each is cheaper when foreseen."""
    work = {"gpu": {2: 0.04}, "cpu": {2: 0.06}}
    state = device(work)
    pairs = [(2, "gpu"), (2, "cpu")]
    for scale, place in ((1.0, "gpu"), (2.0, "cpu")):
        choices = Alternatives(pairs, [], TOP1, {"gpu": scale})
        assert found(state, choices, 0.05 if scale == 1.0 else 0.07, (2, "cpu"))[0].place == place


def pair_of_applications(contended: float) -> tuple[World, list[Demand], dict[str, Alternatives]]:
    """Two that may run on either, 20 ms each; they are due after so many ms."""
    work = {place: {2: {place: 0.02 * GHZ}} for place in ("gpu", "cpu")}
    clocks = (domain("cpu", "cpu", 1.0, busy=3.0), domain("gpu", "gpu", 1.0))
    state = world(*(App(name, work, {2: 75.0}) for name in "ab"), domains=clocks)
    both = Alternatives([(2, "gpu"), (2, "cpu")], [], {2: 75.0}, {})
    demands = [
        Demand("a", 2, "gpu", 0.1, limit=contended),
        Demand("b", 2, "gpu", 0.1, limit=contended, rank=1.0),
    ]
    return state, demands, {"a": both, "b": both}


def test_two_share_the_cheaper_place_while_both_are_in_time_there() -> None:
    """On the GPU each waits for the other's 20 ms: 40 ms in all."""
    for limit, places in ((0.041, ["gpu", "gpu"]), (0.039, ["gpu", "cpu"])):
        state, demands, choices = pair_of_applications(limit)
        mapped, plan = Mapper(Planner(Table(state, "total"))).best(space_of(state), demands, choices)
        assert sorted((d.place for d in mapped), reverse=True) == places
        assert plan.met


def test_applications_that_may_not_change_stay() -> None:
    state, demands, choices = pair_of_applications(0.039)
    mapped, _ = Mapper(Planner(Table(state, "total"))).best(space_of(state), demands, {"a": choices["a"]})
    assert [d.place for d in mapped] == ["cpu", "gpu"]
    mapped, plan = Mapper(Planner(Table(state, "total"))).best(space_of(state), demands, {})
    assert mapped == demands and not plan.met


def test_shortfalls_are_points_below_the_least_that_is_enough() -> None:
    choices = Alternatives([(2, "gpu"), (3, "gpu")], [(1, "gpu")], TOP1, {})
    assert [choices.shortfall(level) for level in (1, 2, 3)] == [5.0, 0.0, 0.0]


def test_without_a_limit_energy_alone_decides() -> None:
    """Cycles count with the square of the clock: 0.04 at 0.5 GHz takes 2 * 0.01 J; twice as many at half the power."""
    work = {"gpu": {2: 0.04}, "cpu": {2: 0.079}}
    assert found(device(work), alternatives(work, 2), inf, (2, "gpu"))[0].place == "cpu"
    work["cpu"][2] = 0.081
    assert found(device(work), alternatives(work, 2), inf, (2, "cpu"))[0].place == "gpu"
