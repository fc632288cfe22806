"""Wrong input of every kind is told in a sentence, with exit code 2, before anything long begins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clikit import Cli

EXPERIMENT = """\
device: xiaomi-9
duration: 20 ms
apps:
  - {kind: inference, name: net, model: squeezenet_1.1, scheduler: cpu, period: 20 ms}
"""
COMPARISON = "device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu, gpu]\n"
CPU = "cortex-a76:2GHz:1"
MEMORY = "lpddr4x:34GB/s"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is called, with an experiment, a comparison, and files that are none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(EXPERIMENT)
    (tmp_path / "two.yaml").write_text(COMPARISON)
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "binary.csv").write_bytes(b"\x00\x01\xff")
    (tmp_path / "other.csv").write_text("not,a,table\n1,2,3\n")
    (tmp_path / "cut.onnx").write_text("x")
    (tmp_path / "folder").mkdir()
    return tmp_path


def refused(cli: Cli, *arguments: object) -> str:
    """The sentence that a command line is refused with."""
    code, out, err = cli(*arguments)
    assert (code, out) == (2, ""), err
    return err.strip()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("apps.net.scheduler=[1,2]", "apps.net.scheduler: should be a valid string or a mapping, got a list"),
        ("apps.net.scheduler=3", "apps.net.scheduler: should be a valid string or a mapping, got 3"),
        ("apps=1", "apps: should be a valid list, got 1"),
        ("apps.net.kind=3", "apps.net.kind: should be 'inference'"),
        ("apps.net.queue={a: 1}", "apps.net.queue: should be"),
        ("seed=1.5", "seed: should be a valid integer, got 1.5"),
        ("seed=-1", "seed: should be greater than or equal to 0, got -1"),
        ("noise=maybe", "noise: should be true or false, got 'maybe'"),
        ("duration=0", "duration: the value 0 has no unit; a time needs one of s, ms, us, ns, ps, min, h"),
        ("limits.gpu.min=x", "limits.gpu.min: 'x' is no frequency"),
        ("governors=[1]", "governors: should be"),
    ],
)
def test_overrides_of_an_experiment(cli: Cli, folder: Path, override: str, sentence: str) -> None:
    told = refused(cli, "run", "one.yaml", "-s", override)
    assert told.startswith(f"socsim: one.yaml with overrides: {sentence}")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("governors=[]", "governors: list needs at least one entry"),
        ("schedulers=[]", "schedulers: list needs at least one entry"),
        ("schedulers=[3]", "schedulers.0: should be a valid string or a mapping, got 3"),
        ("schedulers=cpu", "schedulers: should be a valid list, got 'cpu'"),
        ("inferences=0", "inferences: should be greater than 0, got 0"),
        ("limits={gpu: {max: x}}", "limits.gpu.max: 'x' is no frequency"),
        ("limits={gpu: {lower: 1 GHz}}", "limits.gpu.lower: should be 'min' or 'max', got 'lower'"),
        ("shapes={a: [1, 0]}", "shapes.a.1: should be greater than 0, got 0"),
        ("seed=0..99999999999", "seed: the range 0..99999999999 has 100000000000 seeds"),
    ],
)
def test_overrides_of_a_comparison(cli: Cli, folder: Path, override: str, sentence: str) -> None:
    told = refused(cli, "run", "two.yaml", "-s", override)
    assert told.startswith(f"socsim: two.yaml with overrides: {sentence}")
    assert not re.search(r"\[(key|str|union|list)", told)


def test_a_comparison_has_no_slowdown(cli: Cli, folder: Path) -> None:
    assert "--slowdown is for experiments" in refused(cli, "run", "two.yaml", "--slowdown")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "device", ""), "unknown device ''; known: "),
        (("show", "model", ""), "unknown model ''; known: "),
        (("show", "library", ""), "unknown library ''; known: "),
        (("show", "family", ""), "unknown family ''; known: "),
        (("run", ""), "unknown experiment ''; known: "),
        (("sweep", ""), "unknown experiment ''; known: "),
        (("run", "one.yaml", "-s", "device="), "unknown device ''; known: "),
        (("calibrate", "", "-d", "xiaomi-9"), "unknown table of measurements ''; known: "),
        (("validate", "--measurements", ""), "unknown table of measurements ''; known: "),
    ],
)
def test_empty_names_are_no_names(cli: Cli, folder: Path, arguments: tuple[str, ...], sentence: str) -> None:
    assert refused(cli, *arguments).startswith(f"socsim: {sentence}")


def test_an_empty_name_is_no_file_to_check(cli: Cli, folder: Path) -> None:
    assert refused(cli, "check", "") == "an empty name is no file"


@pytest.mark.parametrize(
    "command",
    [
        ("run", "one.yaml"),
        ("run", "two.yaml"),
        ("run", "one.yaml", "-s", "sweep.seed=0..1"),
        ("sweep", "one.yaml", "-s", "seed=0..1"),
        ("compare", "-d", "xiaomi-9", "-m", "squeezenet_1.1", "-s", "cpu"),
        ("validate",),
        ("reproduce",),
    ],
)
@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("one.yaml", "output directory 'one.yaml' is a file; name a directory"),
        ("one.yaml/deep/er", "output directory 'one.yaml/deep/er'"),
        (".", "output directory '.' is where you are; name one below it, such as 'out'"),
        ("folder", "output directory 'folder' holds 'mine.txt'"),
    ],
)  # fmt: skip
def test_outputs_are_refused_before_anything_runs(
    cli: Cli, folder: Path, command: tuple[str, ...], output: str, sentence: str
) -> None:
    """Nothing is printed, so nothing was simulated; and nothing is left behind."""
    (folder / "folder" / "mine.txt").write_text("mine")
    before = sorted(folder.rglob("*"))
    told = refused(cli, *command, "-o", output)
    assert told.removeprefix("socsim: ").removeprefix("cannot write into ").startswith(sentence)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("seed=0..99999999999", "sweep.seed: the range has 100000000000 values; at most 1000000 are taken"),
        ("seed=0..1e30", "sweep.seed: "),
        ("duration=1 ms..2 ms by 1e-9 ms", "sweep.duration: the range has 1000000001 values"),
        ("duration=1 ms..2 ms in 99999999999", "sweep.duration: the range has 99999999999 values"),
        ("seed=5..0", "sweep.seed: the range 5..0 runs backwards; write 0..5"),
        ("duration=1 ms..2 W by 1 ms", "sweep.duration: the range '1 ms..2 W by 1 ms' is in ms and W"),
        ("duration=1 ms..2 ms", "sweep.duration: should be a list, a range such as 0..9"),
        ("apps.net.scheduler=cpu,none", "sweep.apps.net.scheduler.1: unknown scheduler 'none'; known: aware, "),
        ("apps.net.scheduler=[1],[2]", "sweep.apps.net.scheduler.0: should be a valid string or a mapping, got a list"),
        ("wheels=1,2", "sweep.wheels: unknown key 'wheels'; known: device, apps, "),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_over(cli: Cli, folder: Path, values: str, sentence: str) -> None:
    told = refused(cli, "sweep", "one.yaml", "-s", values, "--dry-run")
    assert told.startswith(f"socsim: one.yaml: {sentence}")


def test_a_grid_is_not_larger_than_can_be_checked(cli: Cli, folder: Path) -> None:
    told = refused(cli, "sweep", "one.yaml", "-s", "seed=0..999999", "-s", "duration=1 ms..100 ms in 11")
    assert told == "socsim: one.yaml: sweep: has 11000000 points; at most 10000000 are run"


def test_samples_and_zipped_lists_fill_no_memory(cli: Cli, folder: Path) -> None:
    sample = "sample={points: 99999999999, over: {seed: 0..9}}"
    assert "sample.points: points should be at most 1000000, got 99999999999" in refused(
        cli, "run", "one.yaml", "-s", f"sweep.{sample}"
    )
    assert "zip.seed: the range has 10000000000 values" in refused(
        cli, "run", "one.yaml", "-s", "sweep.zip={seed: 0..9999999999}"
    )


def test_a_sample_may_draw_from_a_long_range(cli: Cli, folder: Path) -> None:
    code, out, _ = cli(
        "sweep", "one.yaml", "-s", "sweep.sample={points: 3, over: {seed: 0..99999999999}}", "--dry-run"
    )
    seeds = [int(line.rpartition("=")[2]) for line in out.splitlines()[1:]]
    assert code == 0 and len(seeds) == 3
    assert sorted(3 * seed // 100_000_000_000 for seed in seeds) == [0, 1, 2]  # spread evenly


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "a device has CPU cores; give core:clock:count, such as cortex-a76:2.84GHz:1"),
        (("--cpu", CPU), "a device has memory; give kind:bandwidth, such as lpddr4x:34GB/s"),
        (("--cpu", "cortex-a76:2GHz:0", "--memory", MEMORY), "cpu.0.count: expected 1 to 64 cores, got 0"),
        (("--cpu", "cortex-a76:9GHz:1", "--memory", MEMORY), "cpu.0.clock: expected 50 MHz to 8 GHz, got 9GHz"),
        (("--cpu", "cortex-a76:2 W:1", "--memory", MEMORY), "cpu.0.clock: '2 W' is a power, expected a frequency"),
        (("--cpu", "a:b:c:d", "--memory", MEMORY), "group of cores 'a:b:c:d' has 4 parts; expected core:clock:count"),
        (("--cpu", CPU, "--memory", "sram:1GB/s"), "memory.kind: unknown kind of memory 'sram'; known: ddr3, "),
        (("--cpu", CPU, "--memory", MEMORY, "--gpu", "adreno-640:500MHz:-1"),
         "gpu.macs_per_cycle: should be greater than 0, got '-1'"),
        (("--cpu", CPU, "--memory", MEMORY, "--gpu", "adreno-640:500MHz:many"),
         "gpu.macs_per_cycle: should be a valid number, got 'many'"),
        (("--cpu", CPU, "--memory", MEMORY, "-x", "none"), "unknown device 'none'; known: "),
    ],
)  # fmt: skip
def test_specifications_on_the_command_line(
    cli: Cli, folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    told = refused(cli, "new-device", "-o", "made.yaml", *options)
    assert told.startswith(f"socsim: {sentence}")
    assert not (folder / "made.yaml").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("show", "device"), ("show", "library"), ("show", "family"), ("run",), ("sweep",), ("check",),
        ("new-device", "-o", "made.yaml"), ("compare", "-m", "squeezenet_1.1", "-s", "cpu", "-d"),
        ("profile", "-m", "squeezenet_1.1", "-o", "made.csv", "-d"), ("validate", "-d"),
    ],
)  # fmt: skip
def test_files_that_are_no_yaml_mapping(cli: Cli, folder: Path, command: tuple[str, ...]) -> None:
    faults = {
        "binary.yaml": "binary.yaml:1:1: not UTF-8: byte 0xff",
        "list.yaml": "list.yaml: expected a mapping at the top, got a list",
        "gone.yaml": "gone.yaml: no such file",
        "folder": "folder: is a directory; name a file",
    }
    if command[-1] in ("library", "family"):  # names are tried first
        del faults["gone.yaml"], faults["folder"]
    for name, fault in faults.items():
        assert refused(cli, *command, name).removeprefix("socsim: ") == fault


@pytest.mark.parametrize("command", [("calibrate", "-d", "xiaomi-9"), ("validate", "--measurements")])
def test_files_that_are_no_tables(cli: Cli, folder: Path, command: tuple[str, ...]) -> None:
    assert (
        refused(cli, *command, "binary.csv") == "socsim: binary.csv:1:3: is no CSV file in UTF-8: byte 0xff"
    )
    assert "other.csv:1:1: a table of measurements needs the columns device, " in refused(
        cli, *command, "other.csv"
    )
    assert refused(cli, *command, "folder").startswith("socsim: folder: is a directory; give a .csv file")
    assert refused(cli, *command, "gone.csv") == "socsim: gone.csv: there is no such file"


@pytest.mark.parametrize("option", ["--run-time", "--run-memory"])
@pytest.mark.parametrize("value", ["much", "1", "-1 s", "0 MB", "nan s"])
def test_limits_of_runs(cli: Cli, folder: Path, option: str, value: str) -> None:
    refused(cli, "sweep", "one.yaml", "-s", "seed=0..1", option, value)
