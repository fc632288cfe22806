"""Power modes: what is left of a device in one, how it is named, and files that say impossible things."""

from __future__ import annotations

from pathlib import Path

import pytest
from clikit import Cli, calling
from test_device_profiles import TINY, complaints, write

import socsim
from socsim.devices.device import Device
from socsim.devices.modes import PowerMode, split_mode
from socsim.devices.profile import load_device, profile_files, provenance
from socsim.errors import FileError, UnknownNameError, UsageError
from socsim.results.inputs import located
from socsim.workloads.builder import GraphBuilder

SECOND = """\
- name: small
  core: cortex-a55
  count: 4
  capacity: 256
  bandwidth: {value: 4 GB/s, grade: D, source: guess}
  macs_per_cycle: {fp32: 4, int8: 16}
  power: {coefficient: 100 uW/MHz/V^2, idle: 1 mW}
  opps:
  - {freq: 0.5 GHz, voltage: 600 mV}
  - {freq: 1 GHz, voltage: 700 mV, dram_floor: 2 GHz}
accelerators:
"""
MODES = """\
os: {cpusets: {some: "big:1+small:2", strong: big}}
meters: {all: [cpu, rest]}
power_modes:
  default: full
  modes:
    full: {cores: {big: 2, small: 4}}
    half: {cores: {small: 2, big: 1}, caps: {big: 1 GHz, gpu: 250 MHz, dram: 1 GHz}, floors: {small: 1 GHz}}
    tiny: {cores: {small: 4}, caps: {cpu: 0.5 GHz}}
"""
BOARD = (
    TINY.replace("accelerators:\n", SECOND)
    .replace("rails: {cpu: [cpu.big]", "rails: {cpu: [cpu.big, cpu.small]")
    .replace("    opps: [{freq: 500 MHz,", "    opps: [{freq: 250 MHz, voltage: 600 mV}, {freq: 500 MHz,")
    + MODES
)


@pytest.fixture
def board(tmp_path: Path) -> Device:
    return load_device(write(tmp_path, BOARD, "board.yaml"))


def clocks(device: Device) -> dict[str, list[float]]:
    """Clocks in MHz by domain."""
    units = {c.name: c.opps for c in device.clusters} | {a.name: a.opps for a in device.accelerators.values()}
    found = {name: [opp.frequency / 1e6 for opp in opps] for name, opps in units.items()}
    return found | {"dram": [opp.frequency / 1e6 for opp in device.memory.opps]}


def test_a_device_is_in_its_default_mode(board: Device) -> None:
    assert (board.name, board.mode, board.default_mode) == ("board", "full", "full")
    assert clocks(board) == {
        "big": [1000, 2000],
        "small": [500, 1000],
        "gpu": [250, 500],
        "dram": [1000, 2000],
    }
    assert board.modes["tiny"] == PowerMode("tiny", {"small": 4}, {"cpu": 0.5e9}, {})


def test_a_mode_leaves_its_cores_and_clocks(board: Device) -> None:
    half = board.in_mode("half")
    assert half.mode == "half"
    assert clocks(half) == {"big": [1000], "small": [1000], "gpu": [250], "dram": [1000]}
    assert [(c.name, c.count) for c in half.clusters] == [("big", 1), ("small", 2)]
    assert half.rails == {"cpu": ("cpu.big", "cpu.small"), "rest": ("gpu", "dram", "board")}


def test_votes_go_no_higher_than_what_is_left(board: Device) -> None:
    assert [c.max_opp.dram_floor for c in board.in_mode("half").clusters] == [1e9, 1e9]


def test_a_cluster_that_is_off_is_gone(board: Device) -> None:
    tiny = board.in_mode("tiny")
    assert [c.name for c in tiny.clusters] == ["small"]
    assert tiny.rails["cpu"] == ("cpu.small",)
    assert tiny.metered({"cpu": 1.0, "rest": 2.0}) == {"all": 3.0}
    with pytest.raises(UnknownNameError, match="unknown cluster 'big'"):
        tiny.parse_cores("big:1")


def test_the_strongest_core_that_is_left_has_the_whole_capacity(board: Device) -> None:
    assert [c.capacity for c in board.clusters] == [1024, 256]
    assert [c.capacity for c in board.in_mode("half").clusters] == [1024, 512]
    assert [c.capacity for c in board.in_mode("tiny").clusters] == [1024]


def test_cpusets_keep_the_cores_that_are_left(board: Device) -> None:
    assert board.cpusets == {"some": (0, 2, 3), "strong": (0, 1)}
    assert board.in_mode("half").cpusets == {"some": (0, 1, 2), "strong": (0,)}
    assert board.in_mode("tiny").cpusets == {"some": (0, 1)}


def test_fixed_times_grow_as_the_clocks_fall(board: Device) -> None:
    """The big cores and the GPU at half their clocks; without big cores, the host has an eighth of the rate."""
    old, half, tiny = board, board.in_mode("half"), board.in_mode("tiny")
    cpu = [d.calibration("mace", "cpu", "fp32") for d in (old, half, tiny)]
    assert [c.fork_join for c in cpu] == [4e-6, 8e-6, 32e-6]
    image = [d.calibration("mace", "gpu", "fp32", "image") for d in (old, half, tiny)]
    assert [c.dispatch for c in image] == [30e-6, 60e-6, 240e-6]
    buffer = [d.calibration("mace", "gpu", "fp32", "buffer") for d in (old, half, tiny)]
    assert [(c.kernel_overhead, c.inference_overhead) for c in buffer] == [
        (20e-6, 1e-3), (40e-6, 2e-3), (20e-6, 1e-3)
    ]  # fmt: skip
    assert half.calibration("mace", "cpu", "fp32").kernels == cpu[0].kernels


def test_modes_do_not_pile_up(board: Device) -> None:
    assert board.in_mode("tiny").in_mode("half") == board.in_mode("half")
    assert board.in_mode("tiny").in_mode("full") == board
    whole = board.in_mode("half").in_mode("")
    assert (whole.mode, clocks(whole)) == ("", clocks(board))


def test_names_with_modes(tmp_path: Path) -> None:
    path = write(tmp_path, BOARD, "board.yaml")
    half = load_device(f"{path}(mode=half)")
    assert (half.name, half.source) == ("board(mode=half)", f"{path}(mode=half)")
    assert load_device(half.source) == half
    assert load_device(f"{path}(mode=full)") is load_device(path)
    assert provenance(half.source) == provenance(path)
    assert profile_files(half.source) == [path]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("board", ("board", None)),
        ("board(mode=eco)", ("board", "eco")),
        ("a b/board.yaml ( mode = 'eco' ) ", ("a b/board.yaml", "eco")),
        ("odd)name", ("odd)name", None)),
    ],
)
def test_names_are_taken_apart(text: str, parts: tuple[str, str | None]) -> None:
    assert split_mode(text) == parts


def test_a_file_whose_name_looks_like_a_mode_is_a_file(tmp_path: Path) -> None:
    assert load_device(write(tmp_path, TINY, "tiny(mode=half)")).title == "Tiny"


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("board.yaml(mode=hlf)", UnknownNameError, "unknown mode of 'board': 'hlf'; did you mean 'half'?"),
        ("board.yaml(power=half)", UsageError, "has no option 'power'; it takes 'mode'"),
        ("board.yaml(half)", UsageError, "a device with a mode is written 'name(mode=MODE)'"),
        ("tiny.yaml(mode=half)", UsageError, "device 'tiny' has no power modes, got mode 'half'"),
        ("bord.yaml(mode=half)", FileError, "bord.yaml: no such file"),
    ],
)
def test_modes_that_are_not_there(tmp_path: Path, spec: str, error: type[Exception], message: str) -> None:
    write(tmp_path, BOARD, "board.yaml")
    write(tmp_path, TINY, "tiny.yaml")
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        load_device(f"{tmp_path}/{spec}")


def test_an_experiment_finds_a_file_in_a_mode(tmp_path: Path) -> None:
    write(tmp_path, BOARD, "board.yaml")
    found = located({"device": "board.yaml(mode=half)", "apps": []}, tmp_path)
    assert found["device"] == f"{tmp_path}/board.yaml(mode=half)"
    assert located({"device": "xiaomi-9", "apps": []}, tmp_path)["device"] == "xiaomi-9"


def network() -> socsim.ModelGraph:
    b = GraphBuilder("one")
    return b.build(b.conv(b.input(1, 64, 32, 32), 64, 3))


def test_a_run_takes_as_long_as_its_mode_makes_it(board: Device) -> None:
    """One kernel on two cores of 2 GHz, and on one of 1 GHz: four times as long, but for the serial 2 % and joining."""
    times = []
    for device, cores in ((board, "big"), (board.in_mode("half"), "big")):
        app = socsim.Inference(network(), library="mace", scheduler="cpu", cores=cores, count=1)
        times.append(socsim.simulate(device, [app]).summary()["latency_ms_mean"].iloc[0])
    assert times[1] / times[0] == pytest.approx(4 / 1.02, rel=0.01)


def test_meters_see_their_rails_together(board: Device) -> None:
    app = socsim.Inference(network(), library="mace", scheduler="cpu", count=1)
    energy = socsim.simulate(board, [app]).energy.set_index(["meter", "name"])["energy_mj"]
    rails = energy["rail"]
    assert energy["meter", "all"] == pytest.approx(rails["cpu"] + rails["rest"])
    assert energy["meter", "all"] == pytest.approx(energy["component"].sum())


def test_modes_and_meters_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli: Cli = calling(capsys)
    path = write(tmp_path, BOARD, "board.yaml")
    done = cli("show", "device", f"{path}(mode=half)")
    text = getattr(done, "out", str(done))
    assert "half (others: full, tiny)" in text
    assert "meter all" in text


FAULTS = [
    ("default: full", "default: ful", "power_modes.default: unknown power mode 'ful'; did you mean 'full'?"),
    (
        "full: {cores: {big: 2,",
        "full: {cores: {bg: 2,",
        "cores.bg: unknown cluster 'bg'; did you mean 'big'?",
    ),
    ("full: {cores: {big: 2,", "full: {cores: {big: 3,", "cores.big: cluster 'big' has 2 cores, got 3"),
    (
        "full: {cores: {big: 2,",
        "full: {cores: {big: 0,",
        "cores.big: should be greater than or equal to 1, got 0",
    ),
    ("full: {cores: {big: 2, small: 4}}", "full: {cores: {}}", "cores: "),
    (
        "{big: 1 GHz, gpu",
        "{big: 1.2 GHz, gpu",
        "caps.big: 1.2 GHz is no operating point of big; the nearest is 1 GHz",
    ),
    (
        "caps: {cpu: 0.5 GHz}",
        "caps: {cpu: 0.6 GHz}",
        "caps.cpu: 600 MHz is no operating point of small; the nearest is 500 MHz",
    ),
    ("gpu: 250 MHz", "gpuu: 250 MHz", "caps.gpuu: unknown clock domain 'gpuu'; did you mean 'gpu'?"),
    ("dram: 1 GHz", "dram: 3 GHz", "caps.dram: 3 GHz is no operating point of dram; the nearest is 2 GHz"),
    ("dram: 1 GHz", "dram: 1 V", "caps.dram: '1 V' is a voltage, expected a frequency"),
    (
        "caps: {cpu: 0.5 GHz}",
        "caps: {cpu: 0.5 GHz}, floors: {cpu: 1 GHz}",
        "floors.cpu: is 1 GHz, above the cap of 500 MHz",
    ),
    (
        "caps: {cpu: 0.5 GHz}",
        "caps: {cpu: 0.5 GHz}, floors: {small: 1 GHz}",
        "floors.small: is 1 GHz, above the cap of 500 MHz",
    ),
    (
        "caps: {cpu: 0.5 GHz}",
        "caps: {small: 0.5 GHz}, floors: {cpu: 1 GHz}",
        "floors.cpu: is 1 GHz, above the cap of 500 MHz",
    ),
    ("all: [cpu, rest]", "all: [cpu, rst]", "meters.all.1: unknown rail 'rst'; did you mean 'rest'?"),
    ("all: [cpu, rest]", "all: [cpu, cpu]", "meters.all.1: rail 'cpu' is listed twice"),
    (
        "all: [cpu, rest]",
        "all: []",
        "meters.all: sees no rail; name one of cpu, rest, or leave the meter out",
    ),
    ("all: [cpu, rest]", "cpu: [cpu, rest]", "meters.cpu: a rail is called 'cpu' too; give the meter a name"),
    ("caps: {cpu: 0.5 GHz}", "caps: {big: 1 GHz}", "caps.big: big is off in this mode, which lists small"),
    (
        "caps: {cpu: 0.5 GHz}",
        "floors: {big: 1 GHz}",
        "floors.big: big is off in this mode, which lists small",
    ),
    ("    tiny: {", "    full: {", "full: key 'full' repeats the one on line"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_impossible_modes_are_told_with_their_places(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = BOARD.replace(old, new, 1)
    assert text != BOARD
    (complaint,) = complaints(write(tmp_path, text, "board.yaml"))
    place, _, told = complaint.partition(": ")
    assert message in told
    file, line, column = place.split(":")
    key = message.split(":")[0].split(".")[-1]
    at = text.splitlines()[int(line) - 1][int(column) - 1 :]
    assert file == "board.yaml"
    assert at and (key.isdigit() or key in text.splitlines()[int(line) - 1])
