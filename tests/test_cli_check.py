"""What ``socsim check``, ``run`` and ``compare`` say in full: phrases, faults, options, and where results are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest
from clikit import DEVICE, Cli
from corekit import LIBRARY
from onnx_models import model, save

from socsim.cli.checking import check_file
from socsim.cli.comparing import report_options, split_names
from socsim.cli.output import console, emit_json, emit_table, show_fields
from socsim.cli.running import _resolve
from socsim.cli.shapes import parse_shapes
from socsim.errors import FileError, ModelError, UnknownNameError, UsageError
from socsim.workloads.onnx import parse_shape

COMPARISON = "device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu, gpu]\ninferences: 1\n"
EXPERIMENT = "device: xiaomi-9\napps:\n- {kind: inference, model: yolov4_tiny, scheduler: gpu, count: 1}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- check ----------------------------------------------------------------------------------------------------


def test_what_sound_files_are(here: Path) -> None:
    network = save(
        model("c = Conv(x, w) y = Softmax(c)", {"w": (1000, 3, 1, 1)}, inputs="float[2,3,8,8] x"), here
    )
    texts = {
        "d.yaml": DEVICE,
        "c.yaml": COMPARISON,
        "e.yml": EXPERIMENT,
        "l.yaml": Path(LIBRARY).read_text(),
        "c.json": '{"device": "xiaomi-9", "model": "resnet50", "schedulers": ["heft(predictor=flops)"]}',
    }
    for name, text in texts.items():
        (here / name).write_text(text)
    found = {name: check_file(name) for name in texts}
    assert found["d.yaml"].startswith("device 'Tiny', cpu, gpu, ")
    assert found["d.yaml"].endswith(" graded numbers")
    assert found["c.yaml"] == "comparison of 2 schedulers on xiaomi-9"
    assert found["e.yml"] == "experiment, 1 application on xiaomi-9"
    assert found["l.yaml"] == "library 'Toy' for cpu, gpu, dsp"
    assert found["c.json"] == "comparison of 1 scheduler on xiaomi-9"
    assert check_file(str(network)) == "network, 2 operators, 384 kMAC"


@pytest.mark.parametrize(
    ("old", "new", "error", "sentence"),
    [
        ("xiaomi-9", "xiaomi9", UnknownNameError, "unknown device 'xiaomi9'; did you mean 'xiaomi-9'?"),
        ("squeezenet_1.1", "resnet999", UnknownNameError, "unknown model 'resnet999'; did you mean "),
        ("inferences: 1", "shapes: {x: [1]}", UsageError, "shapes are for ONNX files; 'squeezenet_1.1' is "),
        (
            "inferences: 1",
            "cores: prime:2",
            UsageError,
            "cores 'prime:2': cluster 'prime' has 1 core, got '2'",
        ),
        ("inferences: 1", "cores: tiny", UnknownNameError, "unknown cluster 'tiny'; known: "),
        ("inferences: 1", "library: mase", UnknownNameError, "unknown library 'mase'; did you mean 'mace'?"),
        ("cpu, gpu", "cpu, gppu", UnknownNameError, "unknown scheduler 'gppu'; did you mean 'gpu'?"),
        ("cpu, gpu", "cpu, greedy(speed=1)", UsageError, "scheduler 'greedy' has no option 'speed'"),
        ("inferences: 1", "inferences: 0", FileError, "c.yaml:4:13: inferences: "),
    ],
)
def test_whatever_a_comparison_names_is_looked_for(
    here: Path, old: str, new: str, error, sentence: str
) -> None:
    (here / "c.yaml").write_text(COMPARISON.replace(old, new))
    with pytest.raises(error) as caught:
        check_file("c.yaml")
    assert str(caught.value).startswith(sentence)


def test_the_network_of_a_comparison_is_loaded_with_its_shapes(here: Path) -> None:
    network = save(model("y = Softmax(x)", inputs="float[n,4] x"), here)
    text = COMPARISON.replace("squeezenet_1.1", str(network))
    (here / "c.yaml").write_text(text)
    with pytest.raises(ModelError, match="pin it"):
        check_file("c.yaml")
    (here / "c.yaml").write_text(f"{text}shapes: {{x: [2, 4]}}\n")
    assert check_file("c.yaml") == "comparison of 2 schedulers on xiaomi-9"


def test_a_network_of_one_operator(here: Path) -> None:
    assert check_file(str(save(model("y = Softmax(x)"), here))) == "network, 1 operator, 0 MAC"


@pytest.mark.parametrize(
    ("text", "keys"),
    [("colour: red\nbeauty: 1\nart: x\n", "art, beauty, colour"), ("{}\n", "none")],
)
def test_a_file_of_no_kind_is_told_its_keys(here: Path, text: str, keys: str) -> None:
    (here / "x.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        check_file("x.yaml")
    assert str(caught.value) == (
        "x.yaml: neither a device (clusters, soc, extends), a library (processors, kernel_classes), "
        "a family (levels, skeleton), a table of accuracy costs (drops) nor "
        f"an experiment (device, apps or schedulers); its keys: {keys}"
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("extends: nowhere", "extends: no file 'nowhere.yaml'"),
        ("clusters: []", "x.yaml:1:1"),
        ("accelerators: {}", "x.yaml:1:1"),
        ("soc: S", "x.yaml:1:1: clusters: is required"),
        ("kernel_classes: []", "x.yaml:1:1: name: is required"),
        ("processors: {}", "x.yaml:1:1: title: is required"),
        ("apps: []\nprocessors: {}", "x.yaml:2:1: processors: unknown key 'processors'"),
        ("apps: []\nschedulers: [cpu]", "x.yaml:1:1: apps: unknown key 'apps'"),
    ],
)
def test_the_kind_of_a_file_follows_from_its_keys(here: Path, keys: str, message: str) -> None:
    (here / "x.yaml").write_text(f"{keys}\n")
    with pytest.raises(FileError) as caught:
        check_file("x.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shown"), [("x.txt", "'.txt'"), ("x", "'no suffix'"), ("x.YAML", "'.YAML'")]
)
def test_a_file_with_another_suffix(here: Path, name: str, shown: str) -> None:
    (here / name).write_text(DEVICE)
    with pytest.raises(UsageError) as caught:
        check_file(name)
    assert str(caught.value) == f"{name}: check reads .yaml, .json and .onnx files, got {shown}"


def test_every_file_has_a_line_and_faults_go_elsewhere(cli: Cli, here: Path) -> None:
    """The names of files that say nothing of themselves are put before their fault, once."""
    (here / "good.yaml").write_text(COMPARISON)
    (here / "bad.yaml").write_text(COMPARISON.replace("gpu", "gppu"))
    (here / "worse.yaml").write_text("schedulers: 3\n")
    code, out, err = cli("check", "good.yaml", "bad.yaml", "worse.yaml", "nowhere.yaml")
    assert code == 2
    assert out == "good.yaml: comparison of 2 schedulers on xiaomi-9\n"
    lines = err.splitlines()
    assert lines[0].startswith("bad.yaml: unknown scheduler 'gppu'")
    assert all(line.startswith("worse.yaml:1:") for line in lines[1:-1])
    assert len(lines) == 5
    assert lines[-1] == "nowhere.yaml: no such file"


def test_quiet_checks_tell_faults_only(cli: Cli, here: Path) -> None:
    (here / "good.yaml").write_text(COMPARISON)
    assert cli("check", "-q", "good.yaml") == (0, "", "")
    code, out, err = cli("check", "--quiet", "good.yaml", "nowhere.yaml")
    assert (code, out, err) == (2, "", "nowhere.yaml: no such file\n")


def test_a_check_needs_a_file(cli: Cli) -> None:
    code, out, err = cli("check")
    assert (code, out) == (2, "")
    assert "FILE" in err


# --- run ------------------------------------------------------------------------------------------------------


def test_fallbacks_are_told_when_asked(cli: Cli, here: Path) -> None:
    (here / "e.yaml").write_text(EXPERIMENT)
    brief, long = cli("run", "e.yaml")[1], cli("run", "e.yaml", "-v")[1]
    assert long.startswith(brief)
    more = long.removeprefix(brief).splitlines()
    assert more
    assert all(" on the CPU: " in line for line in more)
    assert len({line.partition(" ")[0] for line in more}) == len(more)


def test_where_results_are(cli: Cli, here: Path) -> None:
    (here / "e.yaml").write_text(EXPERIMENT.replace("yolov4_tiny", "squeezenet_1.1"))
    code, out, err = cli("run", "e.yaml", "-o", "out")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"written to {here.resolve() / 'out'}"
    assert cli("run", "e.yaml", "-q", "-o", "out") == (0, "", "")
    assert isinstance(json.loads(cli("run", "e.yaml", "--json", "-o", "out")[1]), list)


def test_a_seed_of_zero_is_a_seed(cli: Cli, here: Path) -> None:
    (here / "c.yaml").write_text(COMPARISON + "seed: 7\n")
    cli("run", "c.yaml", "--seed", "0", "-q", "-o", "out")
    manifest = json.loads((here / "out" / "manifest.json").read_text())
    assert manifest["overrides"] == ["seed=0"]
    assert manifest["experiment"]["schedulers"] == ["cpu", "gpu"]
    assert manifest["seed"] == 0


@pytest.mark.parametrize("seed", ["-1", "x", "1.5"])
def test_seeds_are_whole_numbers_from_zero(cli: Cli, seed: str) -> None:
    for command in (("run", "noisy-resnet50"), ("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "cpu")):
        code, out, err = cli(*command, "--seed", seed)
        assert (code, out) == (2, "")
        assert "--seed" in err


def test_an_output_directory_is_looked_at_before_the_experiment(cli: Cli, here: Path) -> None:
    (here / "out").write_text("mine")
    for command in (("run", "nowhere.yaml"), ("compare", "-d", "nowhere", "-m", "x", "-s", "cpu")):
        code, out, err = cli(*command, "-o", "out")
        assert (code, out) == (2, "")
        assert err == "socsim: output directory 'out' is a file; name a directory\n"


def test_a_directory_stands_for_the_experiment_in_it(here: Path) -> None:
    (here / "out").mkdir()
    assert _resolve("out") == "out"
    (here / "out" / "experiment.yaml").write_text(EXPERIMENT)
    assert _resolve("out") == str(Path("out", "experiment.yaml"))
    assert _resolve("out/manifest.json") == str(Path("out", "experiment.yaml"))
    assert _resolve("out/experiment.yaml") == "out/experiment.yaml"
    assert _resolve("noisy-resnet50") == "noisy-resnet50"


def test_every_row_has_its_application_first(cli: Cli, here: Path) -> None:
    (here / "e.yaml").write_text(EXPERIMENT.replace("yolov4_tiny", "squeezenet_1.1"))
    (row,) = json.loads(cli("run", "e.yaml", "-s", "apps.0.name=eyes", "--json")[1])
    assert next(iter(row.items())) == ("app", "eyes")


# --- compare --------------------------------------------------------------------------------------------------


def test_fallbacks_are_told_with_their_scheduler(cli: Cli) -> None:
    command = ("compare", "-d", "xiaomi-9", "-m", "yolov4_tiny", "-n", "1", "-s", "cpu,gpu")
    brief, long = cli(*command)[1], cli(*command, "--verbose")[1]
    more = long.removeprefix(brief).splitlines()
    assert more
    assert all(line.startswith("gpu: ") and " on the CPU: " in line for line in more)


def test_options_of_a_comparison_reach_it(cli: Cli) -> None:
    command = ("compare", "-d", "xiaomi-9", "-m", "squeezenet_1.1", "-n", "1", "-s", "cpu", "--json")
    plain, one, half = (
        json.loads(cli(*command, *more)[1])[0]
        for more in ((), ("--cores", "prime:1"), ("--library", "ncnn", "--dtype", "fp16"))
    )
    assert plain["library"] == "mace"
    assert one["latency_ms_mean"] > 1.5 * plain["latency_ms_mean"]
    assert half["library"] == "ncnn"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        ("a,b(c,d(e,f)),g", ["a", "b(c,d(e,f))", "g"]),
        ("m:C , m:D(x=1)", ["m:C", "m:D(x=1)"]),
    ],
)
def test_names_between_commas(text: str, names: list[str]) -> None:
    assert split_names(text) == names


def test_the_options_of_reports(cli: Cli) -> None:
    @report_options
    def command() -> None:
        """Nothing."""

    made = click.command()(command)
    flags = {p.name: p.opts for p in made.params}
    assert flags == {
        "output": ["-o", "--output"],
        "as_json": ["--json"],
        "verbose": ["-v", "--verbose"],
        "quiet": ["-q", "--quiet"],
    }


# --- shapes ---------------------------------------------------------------------------------------------------


def test_shapes_of_inputs() -> None:
    texts = ["data=1x3x224x224", " ids = 7", "a=b=2X2", "data=1x3x32x32"]
    assert parse_shapes(texts) == {"data": (1, 3, 32, 32), "ids": (7,), "a=b": (2, 2)}
    assert parse_shapes([]) == {}


@pytest.mark.parametrize(
    "text",
    ["1x3", "=1x3", "data", "data=", "data=1x", "data=0x3", "data=-1x3", "data=1x3x", "data=1.5", "data=²"],
)
def test_wrong_shapes(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shapes([text])
    with pytest.raises(UsageError) as other:
        parse_shape(text)
    assert str(caught.value) == f"--shape: {other.value}"
    assert repr(text) in str(other.value)


# --- output ---------------------------------------------------------------------------------------------------


def test_json_holds_what_json_can(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"nan": float("nan"), "inf": [float("inf"), 1.5], "name": "µLayer", "path": Path("a/b")})
    out = capsys.readouterr().out
    assert json.loads(out) == {"nan": None, "inf": [None, 1.5], "name": "µLayer", "path": "a/b"}
    assert "µLayer" in out
    assert out.splitlines()[1] == '  "nan": null,'


def test_tables_align_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(("name", ">count"), [("a", 5), ("long name", 12345)], title="things")
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "things",
        "name       count",
        "a              5",
        "long name  12345",
    ]


def test_brackets_in_cells_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(("a",), [("[bold]x[/bold]",), ("[1, 2]",)])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "a",
        "[bold]x[/bold]",
        "[1, 2]",
    ]


def test_tables_are_120_columns_wide_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    emit_table(("a", "b"), [("x " * 50, "y " * 50)])
    widths = [len(line) for line in capsys.readouterr().out.splitlines()]
    assert 100 < max(widths) <= 120


def test_tables_are_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert console().width == 120
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert console().width == 40


def test_fields_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    show_fields([("a", 1), ("longest", "x")])
    assert capsys.readouterr().out == "a:        1\nlongest:  x\n"
