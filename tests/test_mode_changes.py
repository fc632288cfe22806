"""Power modes that change in a run: caps and floors at the instant, what governors make of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_device_profiles import write
from test_power_modes import BOARD

import socsim
from socsim.devices.device import Device
from socsim.devices.modes import clock_bounds, spanned
from socsim.devices.profile import load_device
from socsim.errors import FileError, UnitError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.simulation.mode_changes import device_for, first_device
from socsim.simulation.records import Outcome
from socsim.workloads.competitors import Competitor
from socsim.workloads.mode_schedule import ModeChange, make_mode_schedule

NX = "jetson-xavier-nx"
MORE = """\
    slow: {cores: {big: 2, small: 4}, caps: {big: 1 GHz, gpu: 250 MHz, dram: 1 GHz}}
    quick: {cores: {big: 2, small: 4}, floors: {gpu: 500 MHz}}
"""


@pytest.fixture
def board(tmp_path: Path) -> Device:
    return load_device(write(tmp_path, BOARD + MORE, "board.yaml"))


def mhz(outcome: Outcome, domain: str) -> list[tuple[float, float]]:
    """(instant, clock in MHz) of a domain; of several at one instant the last."""
    rows = [r for r in outcome.clocks if r.domain == domain]
    return list({round(r.start_s, 6): r.frequency_hz / 1e6 for r in rows}.items())


# --- schedules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        (None, []),
        ("eco", [(0.0, "eco")]),
        ([{"mode": "eco"}, {"at": "5 s", "mode": "full"}], [(0.0, "eco"), (5.0, "full")]),
        ([{"at": 2, "mode": "eco"}], [(2.0, "eco")]),
        ((ModeChange(1.0, "eco"),), [(1.0, "eco")]),
    ],
)
def test_a_schedule_is_read(spec, rows) -> None:
    made = make_mode_schedule(spec)
    assert [(row.at, row.mode) for row in made] == rows
    assert make_mode_schedule([row.describe() for row in made], units=True) == made


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (3, UsageError, "power_mode is a mode or a list of {at, mode}, got 3"),
        ({"mode": "eco"}, UsageError, "power_mode is a mode or a list"),
        (["eco"], UsageError, "power_mode.0 must be a mapping of at and mode, got 'eco'"),
        ([{"at": "1 s"}], UsageError, "power_mode.0.mode must be the name of a power mode, got None"),
        ([{"mode": "a", "att": 1}], UsageError, "power_mode.0 has no 'att'; did you mean 'at'?"),
        ([{"mode": "a", "caps": 1}], UsageError, "power_mode.0 has no 'caps'; known: at, mode"),
        ([{"mode": "a"}, {"mode": "b"}], UsageError, "power_mode.1 needs the instant 'at'"),
        ([{"mode": "a"}, {"at": 0, "mode": "b"}], UsageError, "power_mode.1.at must be later than the one"),
        ([{"at": -1, "mode": "a"}], UsageError, "power_mode.0.at must not be negative, got -1"),
        ([{"at": "5 V", "mode": "a"}], UnitError, "power_mode.0.at: '5 V' is a voltage, expected a time"),
    ],
)
def test_schedules_that_say_impossible_things(spec, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make_mode_schedule(spec)
    assert message in str(caught.value)


def test_files_need_units() -> None:
    with pytest.raises(UnitError):
        make_mode_schedule([{"at": 5, "mode": "a"}], units=True)


# --- devices --------------------------------------------------------------------------------------------------


def test_bounds_of_a_mode_by_domain(board: Device) -> None:
    inf = float("inf")
    assert clock_bounds(board, "slow") == {
        "cpu.big": (0.0, 1e9), "cpu.small": (0.0, inf), "gpu": (0.0, 250e6), "dram": (0.0, 1e9)
    }  # fmt: skip
    assert set(clock_bounds(board, "").values()) == {(0.0, inf)}


def test_a_device_for_two_modes_has_the_points_of_both(board: Device) -> None:
    both = spanned(board.in_mode("slow"), ["quick"])
    assert [opp.frequency for opp in both.accelerators["gpu"].opps] == [250e6, 500e6]
    assert (both.mode, both.name) == ("slow", "board(mode=slow)")
    alone = spanned(board.in_mode("slow"), ["slow"])
    assert alone.accelerators == board.in_mode("slow").accelerators
    assert alone.memory == board.in_mode("slow").memory


def test_what_no_mode_allows_is_gone() -> None:
    """Of a GPU without floors all is left; of the CPU what lies between the floor and the higher cap."""
    device = load_device(f"{NX}(mode=10W_2CORE)")
    both = device_for(device, make_mode_schedule([{"at": 1, "mode": "15W_2CORE"}]))
    clocks = [round(opp.frequency / 1e6, 1) for opp in both.clusters[0].opps]
    assert (clocks[0], clocks[-1]) == (1190.4, 1907.2)
    assert both.memory.opps[-1].frequency == 1600e6
    assert first_device(device, make_mode_schedule("15W_2CORE")).mode == "15W_2CORE"
    assert first_device(device, make_mode_schedule([{"at": 1, "mode": "15W_2CORE"}])) is device


def test_without_changes_a_device_is_what_it_is(board: Device) -> None:
    assert device_for(board, ()) is board
    assert first_device(board, ()) is board


def test_cores_do_not_come_and_go() -> None:
    with pytest.raises(UsageError) as caught:
        device_for(load_device(NX), make_mode_schedule([{"at": 5, "mode": "10W_4CORE"}]))
    assert str(caught.value) == (
        "mode '10W_4CORE' of 'jetson-xavier-nx' has other cores online (2 carmel0 + 2 carmel1) than '15W_6CORE' "
        "(2 carmel0 + 2 carmel1 + 2 carmel2), and cores do not go on and off in a run; choose among 20W_6CORE"
    )


def test_modes_that_are_not_there(board: Device) -> None:
    with pytest.raises(UnknownNameError, match="'slw'"):
        device_for(board, make_mode_schedule("slw"))
    with pytest.raises(UnknownNameError, match="'slw'"):
        device_for(board, make_mode_schedule([{"at": 1, "mode": "slw"}]))
    with pytest.raises(UsageError, match="no power modes"):
        device_for(load_device("xiaomi-9"), make_mode_schedule([{"at": 1, "mode": "slow"}]))


# --- runs -----------------------------------------------------------------------------------------------------


def outcome(device: Device, modes, **options) -> Outcome:
    simulation = socsim.simulation.simulation.Simulation(
        device, [Competitor()], duration=3.0, power_modes=make_mode_schedule(modes), **options
    )
    done = simulation.run()
    simulation.validate()
    return done


CHANGES = [{"mode": "slow"}, {"at": "1 s", "mode": "full"}, {"at": "2 s", "mode": "slow"}]


def test_clocks_move_at_the_instants(board: Device) -> None:
    """The file's big cluster takes 50 us to change its clock, the rest nothing."""
    done = outcome(board, CHANGES)
    assert mhz(done, "cpu.big") == [(0.0, 1000.0), (1.00005, 2000.0), (2.00005, 1000.0)]
    assert mhz(done, "gpu") == [(0.0, 250.0), (1.0, 500.0), (2.0, 250.0)]
    assert mhz(done, "dram") == [(0.0, 1000.0), (1.0, 2000.0), (2.0, 1000.0)]
    assert mhz(done, "cpu.small") == [(0.0, 1000.0)]


def test_floors_hold_for_governors_too(board: Device) -> None:
    changes = [{"at": "1 s", "mode": "quick"}, {"at": "2 s", "mode": "slow"}]
    done = outcome(board, changes, governors={"gpu": "powersave"})
    assert mhz(done, "gpu") == [(0.0, 250.0), (1.0, 500.0), (2.0, 250.0)]


def test_a_governor_of_limits_goes_up_with_the_mode(board: Device) -> None:
    done = outcome(board, CHANGES, governors={"gpu": "performance", "cpu": "performance"})
    assert mhz(done, "gpu") == [(0.0, 250.0), (1.0, 500.0), (2.0, 250.0)]


def test_limits_of_the_user_hold_beside_the_mode_s(board: Device) -> None:
    done = outcome(board, CHANGES, limits={"cpu.big": {"max": 1e9}, "gpu": {"min": 500e6}})
    assert mhz(done, "cpu.big") == [(0.0, 1000.0)]
    assert mhz(done, "gpu") == [(0.0, 250.0), (1.0, 500.0), (2.0, 250.0)]


def test_a_run_in_one_mode_is_that_of_the_device_in_it() -> None:
    """Whether the mode is named with the device or beside it."""
    app = socsim.Inference("squeezenet_1.1", "gpu", library="pytorch_eager", period="50 ms", count=5)
    beside = socsim.simulate(NX, [app], power_mode="10W_2CORE")
    within = socsim.simulate(f"{NX}(mode=10W_2CORE)", [app])
    assert list(beside.inferences["latency_ms"]) == pytest.approx(list(within.inferences["latency_ms"]))
    assert beside.outcome.energy_j == pytest.approx(within.outcome.energy_j)
    assert beside.outcome.device == within.outcome.device


def test_inferences_get_slower_with_the_mode() -> None:
    """1109 MHz until 0.5 s, then 803 MHz: as fast as on the boards in these modes."""
    app = socsim.Inference("resnet50", "gpu", library="tensorrt", period="50 ms")
    run = socsim.simulate(
        f"{NX}(mode=15W_2CORE)", [app], duration="1 s", power_mode=[{"at": "0.5 s", "mode": "10W_2CORE"}]
    )
    latency = run.inferences.set_index("arrival_ms")["latency_ms"]
    early, late = latency[latency.index < 500], latency[latency.index >= 550]
    fast, slow = (
        socsim.simulate(f"{NX}(mode={mode})", [app], duration="0.2 s").inferences["latency_ms"].iloc[1]
        for mode in ("15W_2CORE", "10W_2CORE")
    )
    assert list(early) == pytest.approx([fast] * len(early), rel=1e-6)
    assert list(late)[:-1] == pytest.approx([slow] * (len(late) - 1), rel=0.03)
    assert slow > 1.15 * fast


# --- experiments ----------------------------------------------------------------------------------------------

FILE = """\
device: jetson-xavier-nx
duration: 0.4 s
power_mode: [{mode: 15W_2CORE}, {at: 0.2 s, mode: 10W_2CORE}]
limits: {gpu: {max: 905.25 MHz}, cpu.carmel0: {max: 1881.6 MHz}}
governors: {cpu: schedutil_l4t, gpu: nvhost_podgov}
apps:
- {kind: inference, model: squeezenet_1.1, library: pytorch_eager, scheduler: gpu, period: 40 ms, cores: "carmel0:2"}
"""


def test_an_experiment_changes_modes_and_runs_again(tmp_path: Path) -> None:
    path = tmp_path / "modes.yaml"
    path.write_text(FILE)
    result = load_experiment(path).run()
    assert result.config["power_mode"] == [
        {"mode": "15W_2CORE"}, {"at": "0.2 s", "mode": "10W_2CORE"}
    ]  # fmt: skip
    saved = result.save(tmp_path / "out")
    again = load_experiment(Path(saved) / "experiment.yaml").run()
    assert again.outcome.energy_j == result.outcome.energy_j
    assert {r.frequency_hz for r in result.outcome.clocks if r.domain == "gpu" and r.start_s > 0.21} <= {
        f * 1e6 for f in (114.75, 204, 306, 408, 510, 599.25, 701.25, 752.25, 803.25)
    }


def test_python_s_arguments_are_kept_as_a_file_has_them(board: Device) -> None:
    result = socsim.simulate(board, [Competitor()], duration=0.1, power_mode=[{"at": 0.05, "mode": "slow"}])
    assert result.config["power_mode"] == [{"at": "0.05 s", "mode": "slow"}]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("10W_2CORE", "10W_4CORE", "3:13: power_mode: mode '10W_4CORE' of 'jetson-xavier-nx'"),
        ("10W_2CORE", "10W_2COR", "3:13: power_mode: unknown mode"),
        ("at: 0.2 s", "at: 0.2", "3:13: power_mode: power_mode.1.at"),
        ("at: 0.2 s", "att: 0.2 s", "3:13: power_mode: power_mode.1 has no 'att'; did you mean 'at'?"),
        ("cpu.carmel0: {", "cpu.carmel1: {", "unknown clock domain 'cpu.carmel1'"),
        (
            "max: 1881.6",
            "max: 1981.6",
            "4:53: limits.cpu.carmel0.max: limit max of 'cpu.carmel0' must be from",
        ),
        ("carmel0:2", "carmel2:2", "unknown cluster 'carmel2'"),
    ],
)
def test_faults_of_an_experiment_have_their_places(tmp_path: Path, old: str, new: str, message: str) -> None:
    from socsim.sweeps.checking import check_sweep
    from socsim.sweeps.plan import load_sweep

    path = tmp_path / "modes.yaml"
    assert old in FILE
    path.write_text(FILE.replace(old, new))
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(path))
    assert message in str(caught.value)
