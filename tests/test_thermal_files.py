"""The block `thermal` of device files: exact loading, refusals with their places, and what is shipped."""

from __future__ import annotations

import pytest
from test_device_profiles import TINY, complaints, write

from socsim.devices.profile import load_device, provenance
from socsim.devices.thermal import Coupling, Temperatures, ThermalModel, ThermalNode, ThermalZone, Trip

PHONES = ("xiaomi-9", "honor-v30-pro")

HEAT = """\
thermal:
  ambient: 20 C
  nodes:
    soc: {capacity: 0.5 J/K, heated_by: {cpu.big: 75 %, gpu: 1, dram: 1}}
    case: {capacity: 40 J/K, resistance: 6 K/W, heated_by: {cpu.big: 25 %, board: 1}}
  couplings: [{between: [soc, case], resistance: 5 K/W}]
  zones:
    soc:
      node: soc
      polling: 1 s
      passive_polling: 250 ms
      trips:
      - {kind: passive, temperature: 90 C, hysteresis: 2 K, throttles: [cpu.big, gpu]}
      - {kind: hot, temperature: 95 C}
      - {kind: critical, temperature: 110 C}
    skin:
      node: case
      governor: {name: power_allocator, sustainable_power: 2500 mW, k_po: 50 mW/K, k_d: 0.5 J/K, integral_cutoff: 1 K}
      weights: {gpu: 2, cpu.big: 1}
      trips:
      - {kind: passive, temperature: 40 C}
      - {kind: passive, temperature: 45 C, throttles: [gpu, cpu.big]}
"""
TEXT = TINY.replace("# how it warms up is not told\n", HEAT)


def test_the_block_loads_exactly(tmp_path):
    thermal = load_device(write(tmp_path, TEXT)).thermal
    assert thermal == ThermalModel(
        20.0,
        (
            ThermalNode("soc", 0.5, heated_by={"cpu.big": 0.75, "gpu": 1.0, "dram": 1.0}),
            ThermalNode("case", 40.0, 6.0, {"cpu.big": 0.25, "board": 1.0}),
        ),
        (Coupling("soc", "case", 5.0),),
        (
            ThermalZone(
                "soc",
                "soc",
                (Trip("passive", 90.0, 2.0, ("cpu.big", "gpu")), Trip("hot", 95.0), Trip("critical", 110.0)),
                period=1.0,
                passive_period=0.25,
            ),
            ThermalZone(
                "skin",
                "case",
                (Trip("passive", 40.0), Trip("passive", 45.0, throttles=("gpu", "cpu.big"))),
                "power_allocator",
                {"sustainable_power": 2.5, "k_po": 0.05, "k_d": 0.5, "integral_cutoff": 1.0},
                {"gpu": 2.0, "cpu.big": 1.0},
            ),
        ),
    )
    assert thermal.zones[0].governor == "step_wise"


def test_its_numbers_have_grades_whatever_the_nodes_are_called(tmp_path):
    graded = TEXT.replace("0.5 J/K, heated", "{value: 0.5 J/K, grade: D, source: guess}, heated")
    by_path = {row.path: row[1:] for row in provenance(write(tmp_path, graded))}
    assert by_path["thermal.nodes.soc.capacity"] == ("0.5 J/K", "D", "guess")
    assert by_path["thermal.zones.soc.trips.0.temperature"] == ("90 C", "A", "book: page 3")
    assert by_path["thermal.zones.skin.governor.k_po"] == ("50 mW/K", "A", "book: page 3")


def test_a_phone_changes_what_its_soc_says(tmp_path):
    write(tmp_path, TEXT, "soc.yaml")
    text = "extends: soc\nthermal: {nodes: {case: {resistance: {value: 7 K/W, grade: D, source: guess}}}}\n"
    thermal = load_device(write(tmp_path, text, "phone.yaml")).thermal
    assert thermal.nodes[1] == ThermalNode("case", 40.0, 7.0, {"cpu.big": 0.25, "board": 1.0})
    assert len(thermal.zones) == 2


FAULTS = [
    (
        "capacity: 0.5",
        "capacity: -0.5",
        "48:21: thermal.nodes.soc.capacity: should be greater than 0, got '-0.5 J/K'",
    ),
    (
        "capacity: 0.5 J/K",
        "capacity: 0.5 K/W",
        "48:21: thermal.nodes.soc.capacity: '0.5 K/W' is a thermal resist",
    ),
    ("5 K/W}]", "0 K/W}]", "50:50: thermal.couplings.0.resistance: should be greater than 0, got '0 K/W'"),
    ("ambient: 20 C", "ambient: -300 C", "46:12: thermal.ambient: should be greater than -273.15"),
    (
        "  couplings: [{between: [soc, case], resistance: 5 K/W}]\n",
        "\n",
        "48:10: thermal.nodes.soc: no heat gets from here to the air; give a resistance, or a coupling to a node",
    ),
    (
        "[soc, case]",
        "[soc, cse]",
        "50:31: thermal.couplings.0.between.1: unknown node 'cse'; did you mean 'case'?",
    ),
    ("[soc, case]", "[soc, soc]", "50:25: thermal.couplings.0.between: couples 'soc' to itself"),
    (
        "resistance: 5 K/W}]",
        "resistance: 5 K/W}, {between: [case, soc], resistance: 5 K/W}]",
        "50:68: thermal.couplings.1.between: case and soc are coupled twice",
    ),
    ("node: case", "node: skin", "61:13: thermal.zones.skin.node: unknown node 'skin'; known: soc, case"),
    (
        "{cpu.big: 75 %, gpu: 1,",
        "{cpu.bg: 75 %, gpu: 1,",
        "48:42: thermal.nodes.soc.heated_by.cpu.bg: unknown comp",
    ),
    (
        "cpu.big: 75 %",
        "cpu.big: 70 %",
        "49:70: thermal.nodes.case.heated_by.cpu.big: shares of cpu.big must add up to",
    ),
    (" dram: 1", "", "47:3: thermal.nodes: no node is heated by dram"),
    (
        "110 C",
        "80 C",
        "59:39: thermal.zones.soc.trips.2.temperature: must not fall from trip to trip, got",
    ),
    (
        "{kind: hot, temperature: 95 C}",
        "{kind: critical, temperature: 80 C}",
        "58:39: thermal.zones.soc.trips.1.temperature: must not fall",
    ),
    (
        "temperature: 45 C",
        "temperature: 40 C",
        "66:38: thermal.zones.skin.trips.1.temperature: two passive trips at",
    ),
    (
        "{kind: hot, temperature: 95 C}\n      - {kind: critical",
        "{kind: critical, temperature: 95 C}\n      - {kind: passive",
        "59:16: thermal.zones.soc.trips.2.kind: must not follow a critical trip; the mildest comes first, got passive",
    ),
    (
        "110 C}",
        "110 C, throttles: [gpu]}",
        "59:57: thermal.zones.soc.trips.2.throttles: a critical trip throttles",
    ),
    (
        "[cpu.big, gpu]",
        "[cpu.big, cpu.big]",
        "57:82: thermal.zones.soc.trips.0.throttles.1: 'cpu.big' is listed twice",
    ),
    (
        "[cpu.big, gpu]",
        "[cpu.big, gp]",
        "57:82: thermal.zones.soc.trips.0.throttles.1: unknown clock domain 'gp'; did",
    ),
    (
        "[cpu.big, gpu]",
        "[cpu.big, dram]",
        "57:82: thermal.zones.soc.trips.0.throttles.1: unknown clock domain 'dram'",
    ),
    (
        "temperature: 40 C}",
        "temperature: 40 C, throttles: [gpu]}",
        "65:55: thermal.zones.skin.trips.0.throttles: power_allocator throttles at the last passive trip alone",
    ),
    (
        "name: power_allocator",
        "name: step_wise",
        "62:54: thermal.zones.skin.governor.sustainable_power: is no parameter of step_wise; it has none",
    ),
    (
        HEAT[HEAT.index("governor") : HEAT.index("      weights")],
        "governor: stepwise\n",
        "62:17: thermal.zones.skin.governor: should be 'step_wise', 'bang_bang', 'fair_share' or 'power_all",
    ),
    ("2500 mW", "0 mW", "62:60: thermal.zones.skin.governor.sustainable_power: should be greater than 0"),
    (
        "weights: {gpu",
        "weights: {npu",
        "63:22: thermal.zones.skin.weights.npu: no trip of the zone throttles 'npu'",
    ),
    (
        "      polling: 1 s\n",
        "      weights: {gpu: 1}\n",
        "54:16: thermal.zones.soc.weights: step_wise knows no weights; fair_share and power_allocator do",
    ),
    (
        "polling: 250 ms",
        "polling: 0 ms",
        "55:24: thermal.zones.soc.passive_polling: should be greater than 0, got",
    ),
    (
        "temperature: 90 C",
        "temperature: 20 C",
        "57:38: thermal.zones.soc.trips.0.temperature: must be above the air's 20 C, got 20 C",
    ),
    (
        "hysteresis: 2 K",
        "hysteresis: 70 K",
        "57:56: thermal.zones.soc.trips.0.hysteresis: must end above the air's 20 C, got 70 K below the trip",
    ),
    (
        "  couplings:",
        "    spare: {capacity: 1 J/K, resistance: 5 K/W}\n  couplings:",
        "50:12: thermal.nodes.spare: nothing warms it up; give heated_by, a coupling, or leave the node out",
    ),
    ("    skin:", "    Skin:", "60:5: thermal.zones.Skin: "),
    (
        "kind: passive",
        "kind: pasive",
        "57:16: thermal.zones.soc.trips.0.kind: should be 'active', 'passive', 'hot' or",
    ),
    ("      node: case\n", "", "61:7: thermal.zones.skin.node: is required"),
]


@pytest.mark.parametrize(("old", "new", "line"), FAULTS, ids=[fault[2].split(": ")[1] for fault in FAULTS])
def test_refusals_have_their_places(tmp_path, old, new, line):
    assert TEXT.count(old) >= 1
    got = complaints(write(tmp_path, TEXT.replace(old, new, 1)))
    assert any(found.startswith(f"tiny.yaml:{line}") for found in got), got


def test_numbers_without_grades_are_refused(tmp_path):
    stripped = TEXT.replace('grade: A\nsource: "book: page 3"\n', "", 1)
    got = [line for line in complaints(write(tmp_path, stripped)) if "thermal" in line]
    assert "tiny.yaml:46:21: thermal.nodes.soc.capacity: 0.5 J/K has no grade and no source" in got[1]


# --- what is shipped --------------------------------------------------------------------------------------------


def test_the_board_under_stress_is_as_warm_as_was_measured():
    """13.95 W in a room of 20 C: the sink at 41.4 C, the processors at 53 C."""
    board = load_device("jetson-xavier-nx")
    warm = board.thermal.steady({"gpu": 8.95, "board": 5.0})
    assert warm["sink"] == pytest.approx(41.4, abs=0.2)
    assert warm["module"] == pytest.approx(53.0, abs=0.3)


@pytest.mark.parametrize("name", PHONES)
def test_shipped_phones_warm_up_as_phones_do(name):
    """Idle with the screen on: lukewarm. Rates: a hot spot in about 0.1 s, the die in seconds, the case in minutes."""
    device = load_device(name)
    idle = device.thermal.steady({"board": device.board_power, "dram": device.memory.background_power})
    assert all(30 < temperature < 38 for temperature in idle.values())
    times = 1 / device.thermal.modes[0]
    assert 120 <= times[0] <= 600
    assert 1 <= times[1] <= 5
    assert all(0.01 <= time <= 0.5 for time in times[2:])


@pytest.mark.parametrize("name", PHONES)
def test_what_shipped_phones_may_draw_for_ever_keeps_their_skin_at_its_limit(name):
    device = load_device(name)
    skin = device.thermal.zone("skin")
    power = {"board": device.board_power, "gpu": skin.options["sustainable_power"]}
    assert device.thermal.steady(power)[skin.node] == pytest.approx(skin.trips[-1].temperature, abs=0.5)


def test_trips_of_the_snapdragon_855():
    zones = {zone.name: zone for zone in load_device("xiaomi-9").thermal.zones}
    assert [(t.kind, t.temperature, t.hysteresis) for t in zones["cpu"].trips] == [
        ("passive", 90, 2),
        ("passive", 95, 2),
        ("critical", 110, 1),
    ]
    assert [(t.kind, t.temperature) for t in zones["gpu"].trips] == [
        ("passive", 85),
        ("hot", 90),
        ("critical", 110),
    ]
    assert zones["cpu"].passive_period == zones["gpu"].passive_period == 0.25
    grades = {row.path: row.grade for row in provenance("xiaomi-9") if row.path.startswith("thermal.")}
    assert {grades[path] for path in grades if ".zones.cpu.trips" in path} == {"A"}
    assert {grades[path] for path in grades if ".nodes." in path or ".couplings." in path} == {"D"}


def test_trips_of_the_kirin_990():
    soc = load_device("honor-v30-pro").thermal.zone("soc")
    assert [(t.kind, t.temperature) for t in soc.trips] == [("passive", 90), ("critical", 105)]


def test_big_cores_at_full_speed_get_too_hot_for_the_phone():
    """Four busy big cores are held back at last, by the skin first: after minutes, not seconds."""
    device = load_device("xiaomi-9")
    cores = {
        f"cpu.{c.name}": c.count * c.power.busy(c.max_opp) for c in device.clusters if c.name != "silver"
    }
    power = cores | {"board": device.board_power, "dram": device.memory.background_power}
    present = Temperatures(device.thermal, device.thermal.steady({"board": device.board_power}))
    present.advance(10.0, power)
    assert present.of("case") < 40
    assert present.of("cpu") < 90
    present.advance(600.0, power)
    assert present.of("case") > 45
