"""The thermal network: closed forms, an independent integration, balance of heat, and what bounds temperatures."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.thermal import Coupling, Temperatures, ThermalModel, ThermalNode, ThermalZone, Trip
from socsim.errors import UnknownNameError, UsageError

ONE = ThermalModel(25.0, (ThermalNode("die", 0.5, 8.0, {"gpu": 1.0}),))
"""8 K/W and 0.5 J/K: 4 s."""

PHONE = ThermalModel(
    25.0,
    (
        ThermalNode("cpu", 0.05, heated_by={"cpu.big": 0.8}),
        ThermalNode("soc", 0.5, heated_by={"cpu.big": 0.2, "gpu": 1.0}),
        ThermalNode("case", 50.0, 6.0, {"board": 1.0}),
    ),
    (Coupling("cpu", "soc", 2.0), Coupling("soc", "case", 4.0)),
)
"""cpu -2 K/W- soc -4 K/W- case -6 K/W- air."""
POWER = {"cpu.big": 3.0, "gpu": 1.5, "board": 1.0}


def test_one_node_warms_up_exponentially():
    for seconds in (0.0, 1e-6, 0.1, 4.0, 60.0):
        present = Temperatures(ONE)
        present.advance(seconds, {"gpu": 2.0})
        assert present.of("die") == pytest.approx(25 + 16 * (1 - exp(-seconds / 4)), abs=1e-12)


def test_one_node_cools_down_exponentially():
    present = Temperatures(ONE, {"die": 65.0})
    present.advance(8.0, {})
    assert present.of("die") == pytest.approx(25 + 40 * exp(-2), abs=1e-12)


def test_two_nodes_as_the_textbook_has_them():
    """A die of 1 J/K on a case of 4 J/K through 2 K/W, the case to the air through 1 K/W; 3 W in the die.

    With rises a and b: a' = 3 - (a - b)/2 and 4 b' = (a - b)/2 - b. The rates are the roots of
    r^2 - (7/8) r + 1/8 = 0, the rises in the end 9 and 3; a mode of rate r has b = (1 - 2 r) a.
    """
    model = ThermalModel(
        0.0,
        (ThermalNode("die", 1.0, heated_by={"gpu": 1.0}), ThermalNode("case", 4.0, 1.0)),
        (Coupling("die", "case", 2.0),),
    )
    slow, fast = ((7 / 8 - sign * sqrt(49 / 64 - 1 / 2)) / 2 for sign in (1, -1))
    assert model.modes[0] == pytest.approx([slow, fast])
    # p + q = 9 and (1 - 2 slow) p + (1 - 2 fast) q = 3 let both nodes begin at 0
    p = (3 - 9 * (1 - 2 * fast)) / (2 * (fast - slow))
    present = Temperatures(model)
    present.advance(2.5, {"gpu": 3.0})
    decayed = p * exp(-2.5 * slow), (9 - p) * exp(-2.5 * fast)
    assert present.of("die") == pytest.approx(9 - sum(decayed), abs=1e-12)
    assert present.of("case") == pytest.approx(
        3 - (1 - 2 * slow) * decayed[0] - (1 - 2 * fast) * decayed[1], abs=1e-12
    )


def derivative(model: ThermalModel, above: list[float], power: dict[str, float]) -> list[float]:
    """Change of each node's temperature in K/s, from first principles."""
    names = [node.name for node in model.nodes]
    flows = []
    for node, warm in zip(model.nodes, above, strict=True):
        inflow = sum(share * power.get(c, 0.0) for c, share in node.heated_by.items())
        flows.append(inflow - warm / node.resistance)
    for path in model.couplings:
        i, j = names.index(path.first), names.index(path.second)
        flow = (above[i] - above[j]) / path.resistance
        flows[i], flows[j] = flows[i] - flow, flows[j] + flow
    return [flow / node.capacity for flow, node in zip(flows, model.nodes, strict=True)]


def test_three_nodes_against_runge_kutta():
    above, step, seconds = [0.0, 0.0, 0.0], 0.005, 5.0
    for _ in range(round(seconds / step)):
        k1 = derivative(PHONE, above, POWER)
        k2 = derivative(PHONE, [a + step / 2 * k for a, k in zip(above, k1, strict=True)], POWER)
        k3 = derivative(PHONE, [a + step / 2 * k for a, k in zip(above, k2, strict=True)], POWER)
        k4 = derivative(PHONE, [a + step * k for a, k in zip(above, k3, strict=True)], POWER)
        slopes = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
        above = [a + step * slope for a, slope in zip(above, slopes, strict=True)]
    present = Temperatures(PHONE)
    present.advance(seconds, POWER)
    assert [t - 25 for t in present.all().values()] == pytest.approx(above, abs=1e-7)


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=20))
def test_results_do_not_depend_on_the_steps(steps):
    whole, parts = Temperatures(PHONE, {"cpu": 80.0}), Temperatures(PHONE, {"cpu": 80.0})
    whole.advance(sum(steps), POWER)
    for step in steps:
        parts.advance(step, POWER)
    assert parts.all() == pytest.approx(whole.all(), abs=1e-9)


def test_many_short_steps_lose_nothing():
    whole, parts = Temperatures(PHONE), Temperatures(PHONE)
    whole.advance(1.0, POWER)
    for _ in range(10_000):
        parts.advance(1e-4, POWER)
    assert parts.all() == pytest.approx(whole.all(), abs=1e-9)


def test_steady_state_is_ohms_law():
    """All 5.5 W through 6 K/W, 4.5 W through 4 K/W, the 2.4 W of the cpu node through 2 K/W."""
    case = 25 + 5.5 * 6
    steady = {"cpu": case + 4.5 * 4 + 2.4 * 2, "soc": case + 4.5 * 4, "case": case}
    assert PHONE.steady(POWER) == pytest.approx(steady, abs=1e-9)


def test_the_steady_state_is_where_time_leads_and_stays():
    present = Temperatures(PHONE)
    present.advance(1e5, POWER)
    assert present.all() == pytest.approx(PHONE.steady(POWER), abs=1e-9)
    there = Temperatures(PHONE, PHONE.steady(POWER))
    there.advance(123.0, POWER)
    assert there.all() == pytest.approx(PHONE.steady(POWER), abs=1e-9)


@given(st.floats(0.0, 6.0), st.floats(0.0, 3.0), st.floats(25.0, 100.0))
def test_heat_in_is_heat_stored_and_lost(cpu, gpu, start):
    """What is lost goes through the case; its integral is Simpson's over 2,000 pieces of 10 s."""
    power = {"cpu.big": cpu, "gpu": gpu, "board": 1.0}
    present, pieces, seconds = Temperatures(PHONE, {"soc": start}), 2_000, 10.0
    before, flow = present.stored, []
    for _ in range(pieces):
        flow.append((present.of("case") - 25) / 6)
        present.advance(seconds / pieces, power)
    flow.append((present.of("case") - 25) / 6)
    weights = [1.0, *([4.0, 2.0] * pieces)[: pieces - 1], 1.0]
    lost = sum(w * f for w, f in zip(weights, flow, strict=True)) * seconds / pieces / 3
    assert seconds * sum(power.values()) == pytest.approx(present.stored - before + lost, abs=1e-6)


powers = st.dictionaries(st.sampled_from(("cpu.big", "gpu", "board")), st.floats(0.0, 20.0))
starts = st.dictionaries(st.sampled_from(("cpu", "soc", "case")), st.floats(25.0, 120.0))


@given(powers, starts, st.floats(0.0, 1e4))
def test_nothing_gets_colder_than_the_air(power, start, seconds):
    present = Temperatures(PHONE, start)
    present.advance(seconds, power)
    assert min(present.all().values()) >= 25 - 1e-9


@given(powers, powers, starts, st.floats(0.0, 1e4))
def test_more_power_is_nowhere_colder(power, more, start, seconds):
    low, high = Temperatures(PHONE, start), Temperatures(PHONE, start)
    low.advance(seconds, power)
    high.advance(seconds, {name: power.get(name, 0.0) + more.get(name, 0.0) for name in {*power, *more}})
    assert all(high.of(name) >= low.of(name) - 1e-9 for name in ("cpu", "soc", "case"))


def test_heat_is_divided_by_shares_and_unknown_components_heat_nothing():
    assert PHONE.heat({"cpu.big": 5.0, "gpu": 1.0, "radio": 9.0}) == pytest.approx([4.0, 2.0, 0.0])


def test_two_paths_of_heat_add_up():
    """Nodes that both reach the air, and each other: 2 || (2 + 2) K/W for heat in the first."""
    nodes = (ThermalNode("a", 1.0, 2.0, {"gpu": 1.0}), ThermalNode("b", 1.0, 2.0))
    steady = ThermalModel(0.0, nodes, (Coupling("a", "b", 2.0),)).steady({"gpu": 3.0})
    assert steady == pytest.approx({"a": 4.0, "b": 2.0})


def test_refusals():
    with pytest.raises(
        UsageError, match="node 'die' has no path to the air; give it a resistance or a coupl"
    ):
        ThermalModel(25.0, (ThermalNode("die", 1.0), ThermalNode("case", 1.0, 5.0)))
    with pytest.raises(UsageError, match="temperatures advance by 0 s or more, got -1 s"):
        Temperatures(ONE).advance(-1.0, {})
    with pytest.raises(UsageError, match="got nan s"):
        Temperatures(ONE).advance(float("nan"), {})
    with pytest.raises(UnknownNameError, match="unknown thermal node 'dye'; did you mean 'die'"):
        Temperatures(ONE, {"dye": 30.0})
    with pytest.raises(UnknownNameError, match="unknown thermal node 'skin'"):
        Temperatures(ONE).of("skin")
    with pytest.raises(UnknownNameError, match="unknown thermal zone 'gpu'; known: none"):
        ONE.zone("gpu")


def test_heat_reaches_the_air_by_detours():
    nodes = tuple(ThermalNode(name, 1.0, 1.0 if name == "d" else inf) for name in "abcde")
    paths = tuple(Coupling(a, b, 1.0) for a, b in ("ab", "bc", "cd"))
    assert ThermalModel.isolated(nodes, paths) == ["e"]
    assert ThermalModel.isolated(nodes, paths[1:]) == ["a", "e"]


def test_a_zone_knows_whom_its_trips_throttle():
    trips = (Trip("passive", 80.0, throttles=("gpu",)), Trip("passive", 90.0, throttles=("cpu.big", "gpu")))
    zone = ThermalZone("soc", "die", (*trips, Trip("critical", 110.0)))
    assert zone.domains == ("gpu", "cpu.big")
    assert replace(ONE, zones=(zone,)).zone("soc") is zone
