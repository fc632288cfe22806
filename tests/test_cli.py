"""The command line: output, exit codes, and nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import onnx
import pytest

import socsim
from socsim.cli.comparing import split_names
from socsim.cli.show_model import scaled
from socsim.results.metrics import METRICS
from socsim.results.trace_check import read_trace, trace_faults

ROOT = Path(__file__).parent.parent
QUICK = ("-d", "xiaomi-9", "-m", "squeezenet_1.1", "-n", "2")
OWN_SCHEDULER = """
import socsim


class BigOnGpu(socsim.StaticScheduler):
    def plan(self, graph, view):
        return {op: "gpu" if op.macs > 10e6 and view.supports("gpu", op) else "cpu" for op in graph}


class Broken(socsim.StaticScheduler):
    def plan(self, graph, view):
        return {}


class Idle(socsim.OnlineScheduler):
    def decide(self, view):
        return ()


class Raises(socsim.StaticScheduler):
    def plan(self, graph, view):
        return {}["boo"]


class RaisesLate(socsim.OnlineScheduler):
    def decide(self, view):
        for job in view.ready:
            yield job.on(job.processors[0])
            view.predict(job, job.processors[0]).nothing


class Endless(socsim.OnlineScheduler):
    def decide(self, view):
        job = view.ready[0]
        while True:
            yield job.on(job.processors[0])


class Backwards(socsim.StaticScheduler):
    decision_time = -1.0

    def __init__(self, graph_first=True, *args, **kwargs):
        pass

    def plan(self, graph, view):
        return dict.fromkeys(graph, "cpu")


class Terminated(socsim.StaticScheduler):
    def plan(self, graph, view):
        import os, signal, time
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)


class Interrupted(socsim.StaticScheduler):
    def plan(self, graph, view):
        raise KeyboardInterrupt
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory with a module of schedulers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_schedulers.py").write_text(OWN_SCHEDULER)
    yield tmp_path
    sys.modules.pop("own_schedulers", None)


@pytest.fixture
def network(tmp_path):
    """An ONNX file with one convolution over a batch of unknown size."""
    text = """
    <ir_version: 9, opset_import: ["" : 17]>
    tiny (float[N, 3, 32, 32] data, float[8, 3, 3, 3] w) => (float[N, 8, 30, 30] y) { y = Conv(data, w) }
    """
    model = onnx.parser.parse_model(text)
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (8, 3, 3, 3), [0.0] * 216)
    model.graph.initializer.append(weights)
    del model.graph.input[1]
    onnx.save(model, tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


# --- list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("devices", "xiaomi-9"),
        ("models", "resnet50"),
        ("families", "dynamic_ofa"),
        ("libraries", "mace"),
        ("schedulers", "codl"),
        ("predictors", "online"),
    ],
)
def test_lists(cli, kind, name):
    code, out, _ = cli("list", kind)
    assert code == 0
    assert name in out
    code, out, _ = cli("list", kind, "--json")
    assert name in [row["name"] for row in json.loads(out)]


def test_devices_are_listed_with_their_processors_and_calibrations(cli):
    row = next(r for r in json.loads(cli("list", "devices", "--json")[1]) if r["name"] == "xiaomi-9")
    assert row["soc"] == "Snapdragon 855"
    assert row["processors"][:2] == ["cpu 4+3+1", "gpu Adreno 640"]
    assert {c["grade"] for c in row["calibrations"]} <= set("ABCDF")
    assert {c["library"] for c in row["calibrations"]} >= {"mace", "ncnn", "tflite"}


@pytest.mark.parametrize("kind", ["devices", "models", "families", "libraries", "schedulers"])
def test_lists_do_not_wait_for_heavy_imports(kind):
    heavy = "{'pandas', 'simpy', 'matplotlib', 'pyarrow', 'onnx', 'scipy', 'ortools'}"
    code = (
        "import sys\nfrom socsim.cli.main import _run\n"
        f"_run(['list', '{kind}'])\nprint({heavy} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


# --- show -----------------------------------------------------------------------------------------


def test_show_model_as_json(cli):
    shown = json.loads(cli("show", "model", "resnet50", "--json")[1])
    assert list(shown) == ["name", "operators", "macs", "parameters", "inputs", "outputs", "peak_memory_mb"]
    assert shown["macs"] == pytest.approx(3.858e9, rel=1e-3)
    assert list(shown["inputs"].values()) == [[1, 3, 224, 224]]


def test_show_model_of_a_file_with_a_shape(cli, network):
    shown = json.loads(cli("show", "model", network, "--shape", "data=2x3x32x32", "--json")[1])
    assert shown["outputs"] == {"y": [2, 8, 30, 30]}
    assert shown["macs"] == 2 * 8 * 30 * 30 * 27


def test_show_model_for_people(cli):
    _, out, _ = cli("show", "model", "mobilenet_v1")
    assert "operators:" in out
    assert "depthwise_conv2d" in out
    assert len(cli("show", "model", "mobilenet_v1", "-v")[1].splitlines()) > len(out.splitlines()) + 20


def test_show_device_says_where_its_numbers_come_from(cli):
    code, out, _ = cli("show", "device", "xiaomi-9")
    assert code == 0
    assert "Adreno 640" in out
    assert "where the numbers come from" in out
    shown = json.loads(cli("show", "device", "xiaomi-9", "--json")[1])
    assert all(number["grade"] and number["source"] for number in shown["provenance"])
    assert sum(shown["grades"].values()) == len(shown["provenance"])


def test_show_device_lists_every_number_when_asked(cli):
    _, out, _ = cli("show", "device", "xiaomi-9", "-v")
    assert "clusters.0.opps.0.freq" in out


def test_show_library(cli):
    code, out, _ = cli("show", "library", "mace")
    assert code == 0
    assert "conv2d" in out
    shown = json.loads(cli("show", "library", "mace", "--json")[1])
    assert {backend["processor"] for backend in shown["backends"]} >= {"cpu", "gpu"}


def test_show_scheduler(cli):
    shown = json.loads(cli("show", "scheduler", "codl", "--json")[1])
    assert shown["kind"] == "StaticScheduler"
    assert shown["options"]["layout"] == ""
    assert (shown["predictor"], shown["decision_time_ms"], shown["replan_period_ms"]) == ("exact", 0.0, 100.0)
    code, out, _ = cli("show", "scheduler", "codl")
    assert code == 0
    assert "CoDL" in out
    assert "predictors:" in out
    assert "exact, profile, flops, online, blind" in out


def test_show_scheduler_with_options_of_its_predictor(cli):
    shown = json.loads(cli("show", "scheduler", "heft(predictor=online(alpha=0.5))", "--json")[1])
    assert shown["predictor"] == "online(alpha=0.5)"


def test_predictors_are_listed_with_what_they_believe(cli):
    rows = json.loads(cli("list", "predictors", "--json")[1])
    assert [row["name"] for row in rows] == ["exact", "profile", "flops", "online", "blind"]
    assert rows[4]["description"].startswith("Knows nothing about times")


def test_show_own_scheduler(cli, here):
    shown = json.loads(cli("show", "scheduler", "own_schedulers:BigOnGpu", "--json")[1])
    assert shown["class"] == "own_schedulers:BigOnGpu"


# --- check ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("device_profiles/xiaomi-9.yaml", "device 'Xiaomi 9'"),
        ("socsim/workloads/libraries/mace.yaml", "library 'MACE'"),
        ("experiments/detector-and-classifier.yaml", "experiment, 2 applications on xiaomi-9"),
    ],
)
def test_sound_files_are_said_to_be(cli, file, found):
    code, out, err = cli("check", ROOT / file)
    assert (code, err) == (0, "")
    assert found in out
    assert cli("check", "-q", ROOT / file) == (0, "", "")


def test_every_shipped_experiment_is_sound(cli):
    files = sorted((ROOT / "experiments").glob("*.yaml"))
    assert len(files) >= 2
    assert cli("check", *files)[0] == 0


def test_faults_of_all_files_are_told_with_their_places(cli, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "device: xiaomi-9\nseeed: 3\napps:\n  - {kind: inference, model: resnet50}\n"
    )
    (tmp_path / "b.yaml").write_text("apps: [\n")
    code, _, err = cli(
        "check", tmp_path / "a.yaml", tmp_path / "b.yaml", ROOT / "device_profiles/xiaomi-9.yaml"
    )
    assert code == 2
    assert f"{tmp_path / 'a.yaml'}:2:1: seeed: " in err
    assert f"{tmp_path / 'b.yaml'}:" in err


def test_networks_are_checked(cli, network, tmp_path):
    code, _, err = cli("check", network)
    assert code == 2
    assert "data" in err
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    assert cli("check", tmp_path / "junk.onnx")[0] == 2


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("x.yaml", "colour: red\n", "neither a device"),
        ("x.txt", "", "reads .yaml, .json and .onnx files, got '.txt'"),
        ("x.yaml", "- 1\n", "expected a mapping"),
        ("x.yaml", "schedulers: []\ndevice: xiaomi-9\nmodel: resnet50\n", "schedulers"),
    ],
)
def test_files_of_no_use_are_refused(cli, tmp_path, name, text, fault):
    (tmp_path / name).write_text(text)
    code, _, err = cli("check", tmp_path / name)
    assert code == 2
    assert fault in err


def test_faults_of_a_device_are_told_file_by_file_without_their_consequences(cli, tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "title: My phone\nextends: xiaomi-9\ncolour: 3\nmemory: 5\n"
        "clusters:\n  - {name: gold, cores: 4, opps: []}\n  - {name: extra}\n"
    )
    code, _, err = cli("check", tmp_path / "bad.yaml")
    lines = err.replace(f"{tmp_path}/", "").splitlines()
    assert code == 2
    assert all(line.startswith("bad.yaml:") for line in lines)
    assert "bad.yaml:4:9: memory: should be a mapping, got 5" in lines
    assert "bad.yaml:6:18: clusters.gold.cores: unknown key 'cores', did you mean 'count'?" in lines
    assert "bad.yaml:6:34: clusters.gold.opps: list needs at least one entry" in lines
    assert not [line for line in lines if "has no grade" in line or "MemorySpec" in line or "no rail" in line]


def test_rules_between_blocks_name_clusters_and_put_the_user_s_file_first(cli, tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "title: My phone\nextends: xiaomi-9\nsources: {mine: x}\n"
        "accelerators: {gpu: {layouts: [buffer]}}\nrails: {zzz: [nothing]}\n"
    )
    code, _, err = cli("check", tmp_path / "bad.yaml")
    files = [line.split(":")[0] for line in err.splitlines()]
    assert code == 2
    assert files == sorted(files, key=lambda name: name != str(tmp_path / "bad.yaml"))
    assert len(set(files)) == 3


def test_odd_numbers_are_warned_of_and_accepted(cli, tmp_path):
    (tmp_path / "odd.yaml").write_text(
        "title: Odd\nextends: xiaomi-9\nsources: {mine: x}\n"
        "cpu_bandwidth: {value: 180 GB/s, grade: D, source: mine}\n"
        "board_power: {value: 150 W, grade: D, source: mine}\n"
        "accelerators: {gpu: {bandwidth: {value: 10 MB/s, grade: D, source: mine}}}\n"
    )
    code, out, err = cli("check", tmp_path / "odd.yaml")
    assert (code, out.count("\n")) == (0, 1)
    told = [line.removeprefix(f"{tmp_path / 'odd.yaml'}: warning: ") for line in err.splitlines()]
    assert told == [
        "cpu_bandwidth is 180 GB/s, more than the DRAM's 34.128 GB/s",
        "board_power is 150 W, more than 100 W",
        "bandwidth of accelerators.gpu is 10 MB/s, less than 1 GB/s",
    ]
    for name in ("xiaomi-9", "honor-v30-pro"):
        assert cli("check", "-q", ROOT / "device_profiles" / f"{name}.yaml") == (0, "", "")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("check", "."), ".: is a directory; name a file\n"),
        (("compare", "-d", ".", "-m", "resnet50", "-s", "cpu"), "socsim: .: is a directory; name a file\n"),
        (
            ("check", "xiaomi-9"),
            "xiaomi-9: no such file; check takes paths of files, and 'xiaomi-9' is the name of",
        ),
    ],
)
def test_what_is_no_file_is_told_as_such(cli, here, args, told):
    code, _, err = cli(*args)
    assert code == 2
    assert err.startswith(told)


def test_missing_files_are_refused_and_named_once(cli):
    code, _, err = cli("check", "nowhere.yaml")
    assert (code, err.count("nowhere.yaml")) == (2, 1)


def test_experiments_are_listed(cli):
    rows = json.loads(cli("list", "experiments", "--json")[1])
    assert [row["name"] for row in rows] == sorted(p.stem for p in Path("experiments").glob("*.yaml"))
    lines = cli("list", "experiments")[1].splitlines()
    assert "overloaded-camera" in [line.split()[0] for line in lines]
    assert any("A camera of 30 frames per second asks more than the GPU can do." in line for line in lines)


def test_broken_schedulers_are_listed_as_such(cli, monkeypatch):
    monkeypatch.setattr("socsim.schedulers.registry.SCHEDULERS.broken", lambda: {"heft": "torn"})
    assert "heft  (unusable: torn)\npeft\n" in cli("list", "schedulers")[1]
    rows = json.loads(cli("list", "schedulers", "--json")[1])
    assert [row for row in rows if "fault" in row] == [{"name": "heft", "fault": "torn"}]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (12_000, "12 k"),
        (568_740_352, "568.7 M"),
        (3_858_000_000, "3.858 G"),
        (4 * 10**12, "4 T"),
    ],
)
def test_counts_have_the_prefix_of_their_size(count, text):
    assert scaled(count) == text


@pytest.mark.parametrize(
    "args",
    [
        ("show", "model", "mobilenet_v1"),
        ("show", "device", "xiaomi-9"),
        ("compare", *QUICK, "-s", "cpu"),
        ("run", "noisy-resnet50", "-s", "apps.0.count=1"),
    ],
)
def test_piped_tables_have_no_trailing_blanks(cli, args):
    lines = cli(*args)[1].splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


def test_one_scheduler_is_not_each(cli):
    assert cli("compare", *QUICK, "-s", "cpu")[1].startswith(
        "squeezenet_1.1 on xiaomi-9 with mace, fp32, 2 inferences\n"
    )


@pytest.mark.parametrize("command", [(), ("show",)])
def test_help_of_commands_is_not_cut(cli, command):
    assert "..." not in cli(*command, "--help")[1].replace("[ARGS]...", "")


def test_descriptions_of_schedulers_are_plain_text(cli):
    assert "``" not in cli("show", "scheduler", "gpu")[1]


# --- compare --------------------------------------------------------------------------------------


def test_compare_prints_a_table(cli):
    code, out, err = cli("compare", *QUICK, "-s", "cpu,gpu")
    assert (code, err) == (0, "")
    assert out.startswith("squeezenet_1.1 on xiaomi-9 with mace, fp32, 2 inferences each")
    assert max(map(len, out.splitlines())) <= 120


def test_compare_as_json_prints_one_document(cli):
    code, out, err = cli("compare", *QUICK, "-s", "cpu,gpu", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert [list(row) for row in rows] == [[*METRICS, "speedup"]] * 2
    assert rows[0]["speedup"] == 1.0
    assert rows[1]["speedup"] == pytest.approx(rows[0]["latency_ms_mean"] / rows[1]["latency_ms_mean"])


def test_compare_writes_a_directory_that_can_be_run_again(cli, here):
    first = json.loads(cli("compare", *QUICK, "-s", "gpu,codl", "-o", "out", "--json")[1])
    assert {p.name for p in (here / "out").iterdir()} >= {
        "manifest.json",
        "comparison.parquet",
        "utilisation.png",
    }
    for scheduler in ("gpu", "codl"):
        assert trace_faults(read_trace(here / "out" / scheduler / "trace.json.gz")) == []
        assert (here / "out" / scheduler / "gantt.png").is_file()
    for again in ("out", "out/manifest.json", "out/experiment.yaml"):
        assert json.loads(cli("run", again, "--json")[1]) == first


def test_compare_keeps_how_an_onnx_file_was_read(cli, here, network):
    options = (
        "-d",
        "xiaomi-9",
        "-m",
        network,
        "--shape",
        "data=1x3x32x32",
        "--no-fuse",
        "-n",
        "1",
        "-s",
        "cpu",
    )
    first = json.loads(cli("compare", *options, "-o", "out", "--json")[1])
    manifest = json.loads((here / "out" / "manifest.json").read_text())
    assert manifest["experiment"]["shapes"] == {"data": [1, 3, 32, 32]}
    assert manifest["experiment"]["fuse"] is False
    assert json.loads(cli("run", "out", "--json")[1]) == first


def test_compare_takes_schedulers_of_the_working_directory(cli, here):
    rows = json.loads(cli("compare", *QUICK, "-s", "cpu,own_schedulers:BigOnGpu", "--json")[1])
    assert [row["scheduler"] for row in rows] == ["cpu", "BigOnGpu"]


def test_compare_says_where_results_are_and_which_operators_fell_back(cli, here):
    _, out, _ = cli(
        "compare", "-d", "xiaomi-9", "-m", "yolov4_tiny", "-n", "1", "-s", "gpu", "-v", "-o", "out"
    )
    assert out.splitlines()[-1] == f"written to {(here / 'out').resolve()}"
    assert " on the CPU: " in out


def test_quiet_prints_nothing(cli, here):
    assert cli("compare", *QUICK, "-s", "cpu", "-q", "-o", "out") == (0, "", "")


def test_noise_changes_with_the_seed_only(cli):
    noisy = ("compare", *QUICK, "-s", "gpu", "--noise", "--json", "--seed")
    assert cli(*noisy, 1) == cli(*noisy, 1)
    assert cli(*noisy, 1) != cli(*noisy, 2)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cpu,gpu", ["cpu", "gpu"]),
        (" cpu , gpu ", ["cpu", "gpu"]),
        ("heft(predictor=flops),cpu", ["heft(predictor=flops)", "cpu"]),
        ("a(x=1, y=2),b(z=(1,2))", ["a(x=1, y=2)", "b(z=(1,2))"]),
    ],
)
def test_names_are_split_at_commas_outside_parentheses(text, names):
    assert split_names(text) == names


# --- run ------------------------------------------------------------------------------------------

EXPERIMENT = """
device: xiaomi-9
seed: 3
apps:
  - {kind: inference, name: eyes, model: squeezenet_1.1, scheduler: gpu, count: 2}
  - {kind: inference, name: ears, model: mobilenet_v1, scheduler: cpu, count: 2}
"""


@pytest.fixture
def experiment(here):
    (here / "two.yaml").write_text(EXPERIMENT)
    return "two.yaml"


def test_run_prints_a_row_per_application(cli, experiment):
    code, out, err = cli("run", experiment)
    assert (code, err) == (0, "")
    assert "eyes: squeezenet_1.1, scheduler gpu, mace" in out
    rows = json.loads(cli("run", experiment, "--json")[1])
    assert [(row["app"], row["model"]) for row in rows] == [
        ("eyes", "squeezenet_1.1"),
        ("ears", "mobilenet_v1"),
    ]


def test_run_writes_a_directory_that_can_be_run_again(cli, experiment, here):
    first = cli("run", experiment, "-s", "apps.eyes.scheduler=cpu", "--seed", "8", "-o", "out", "--json")[1]
    manifest = json.loads((here / "out" / "manifest.json").read_text())
    assert manifest["overrides"] == ["apps.eyes.scheduler=cpu", "seed=8"]
    assert manifest["seed"] == 8
    assert manifest["experiment"]["apps"][0]["scheduler"] == "cpu"
    assert cli("run", "out", "--json")[1] == first


def test_run_tells_how_applications_were_served(cli, experiment):
    out = cli("run", experiment, "--slowdown")[1]
    assert "takes" in out and "slow-" in out
    rows = json.loads(cli("run", experiment, "--slowdown", "--json")[1])
    assert [(row["arrived"], row["finished"], row["dropped"]) for row in rows] == [(2, 2, 0)] * 2
    assert all(row["slowdown"] >= 1.0 for row in rows)
    assert "slowdown" not in json.loads(cli("run", experiment, "--json")[1])[0]


def test_run_says_what_cannot_keep_up(cli):
    queued = cli("run", "overloaded-camera", "-s", "apps.camera.queue=queue", "-s", "duration=3 s")[1]
    assert "camera: arrivals outrun service: backlog " in queued and " after 3 s, growing by " in queued
    dropped = cli("run", "overloaded-camera", "-s", "duration=3 s")[1]
    assert "arrivals dropped (" in dropped and "outrun" not in dropped


def test_run_tells_what_a_device_lacks_with_its_place_unless_it_was_changed(cli, here):
    text = "device: xiaomi-9\nduration: 1 s\napps:\n  - {kind: competitor, affinity: bigg}\n"
    (here / "busy.yaml").write_text(text)
    message = "unknown cluster 'bigg'; did you mean 'big'?"
    assert cli("run", "busy.yaml") == (2, "", f"socsim: busy.yaml:4:5: apps.0: {message}\n")
    assert cli("run", "busy.yaml", "-s", "seed=1") == (2, "", f"socsim: {message}\n")


def test_run_takes_the_experiments_that_come_with_socsim(cli):
    assert cli("run", "noisy-resnet50", "-s", "apps.0.count=2", "-q") == (0, "", "")


@pytest.mark.parametrize("override", ["seeds=3", "inferences=many", "seed"])
def test_bad_overrides_of_a_comparison_are_refused(cli, here, override):
    (here / "c.yaml").write_text("device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu]\n")
    code, _, err = cli("run", "c.yaml", "-s", override)
    assert code == 2
    assert override.split("=")[0] in err


def test_overrides_of_a_comparison(cli, here):
    (here / "c.yaml").write_text("device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu]\n")
    rows = json.loads(cli("run", "c.yaml", "-s", "schedulers=[gpu, cpu]", "-s", "inferences=1", "--json")[1])
    assert [row["scheduler"] for row in rows] == ["gpu", "cpu"]


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("compare", "-d", "xiaomi9", "-m", "resnet50", "-s", "cpu"), "did you mean 'xiaomi-9'?"),
        (("compare", "-d", "xiaomi-9", "-m", "resnet5", "-s", "cpu"), "did you mean 'resnet50'?"),
        (("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "codll"), "did you mean 'codl'?"),
        (("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "cpu", "-l", "mase"), "did you mean 'mace'?"),
        (("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", " , "), "at least one scheduler"),
        (
            ("compare", "-d", "xiaomi-9", "-m", "x.onnx", "-s", "cpu", "--shape", "data=1x"),
            "--shape: every size",
        ),
        (
            ("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "cpu", "--shape", "d=1x3"),
            "shapes are for ONNX",
        ),
        (("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "cpu", "--cores", "prim:1"), "prime"),
        (("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "cpu", "-n", "0"), "0"),
        (("compare", "-d", "xiaomi-9", "-m", "resnet50"), "schedulers"),
        (("compare", "-d", "nowhere.yaml", "-m", "resnet50", "-s", "cpu"), "nowhere.yaml"),
        (("run", "nowhere.yaml"), "nowhere.yaml"),
        (("compare", *QUICK, "-s", "cpu", "--cores", ""), "must not be empty"),
        (("compare", *QUICK, "-s", "cpu", "-o", ""), "must not be empty"),
        (("compare", *QUICK, "-s", "cpu,,gpu"), "no empty name between commas, got 'cpu,,gpu'"),
        (("compare", *QUICK, "-s", "npu"), "socsim: xiaomi-9 has no npu; it has cpu, gpu, dsp\n"),
        (
            ("compare", *QUICK, "-s", "gpu(layout=foo)"),
            "socsim: unknown gpu layout 'foo'; known: image, buffer\n",
        ),
        (("compare", *QUICK, "-s", "banana"), "unknown scheduler or manager 'banana'; known: aware, band, "),
        (("compare", *QUICK, "-s", "cpu", "--cores", "prime:3"), "has 1 core, got '3'"),
        (("run", "noisy-resnet50", "--seed", "1", "-s", "seed=2"), "give one of them"),
        (("show", "model", "nowhere.onnx"), "nowhere.onnx"),
        (("list", "phones"), "devices"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_bad_input_is_a_message_and_exit_code_2(cli, args, fault):
    code, out, err = cli(*args)
    assert (code, out) == (2, "")
    assert fault in err
    assert "Traceback" not in err


def test_a_plan_that_leaves_operators_out_is_refused(cli, here):
    code, _, err = cli("compare", *QUICK, "-s", "own_schedulers:Broken")
    assert code == 2
    assert "places 0 of" in err


def test_a_scheduler_that_never_assigns_fails_the_run(cli, here):
    code, _, err = cli("compare", *QUICK, "-s", "own_schedulers:Idle")
    assert code == 1
    assert "the run failed" in err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Raises", "failed in plan() on 'squeezenet_1.1' (own_schedulers.py:22): KeyError: 'boo'"),
        (
            "RaisesLate",
            "failed in decide() on 'squeezenet_1.1' (own_schedulers.py:29): AttributeError: 'float'",
        ),
    ],
)
def test_a_scheduler_that_raises_fails_the_run_and_says_where(cli, here, name, told):
    code, out, err = cli("compare", *QUICK, "-s", f"own_schedulers:{name}")
    assert (code, out) == (1, "")
    assert err.startswith(f"socsim: the run failed: scheduler 'own_schedulers:{name}' {told}")
    assert err.count("\n") == 1
    code, _, verbose = cli("compare", *QUICK, "-s", f"own_schedulers:{name}", "-v")
    assert code == 1
    assert verbose.startswith("Traceback")
    assert verbose.endswith(err)


def test_a_scheduler_that_assigns_for_ever_fails_the_run(cli, here):
    code, _, err = cli("compare", *QUICK, "-s", "own_schedulers:Endless")
    assert code == 1
    assert "assigned job 0 of inference 0, not ready" in err


@pytest.mark.parametrize("time", ["-1.0", "nan", "1e999", "true"])
def test_decision_times_that_are_none_are_refused(cli, here, time):
    code, _, err = cli("compare", *QUICK, "-s", f"cpu(decision_time={time})")
    assert code == 2
    assert "decision_time must be at least 0 seconds, and finite" in err


def test_a_decision_time_of_a_class_is_checked_too(cli, here):
    code, _, err = cli("compare", *QUICK, "-s", "own_schedulers:Backwards")
    assert (code, err.count("\n")) == (2, 1)
    assert "decision_time must be at least 0 seconds, and finite, got -1.0" in err


def test_options_of_a_scheduler_are_those_it_takes_by_name(cli, here):
    shown = json.loads(cli("show", "scheduler", "own_schedulers:Backwards", "--json")[1])
    assert shown["options"] == {
        "predictor": "exact",
        "decision_time": -1.0,
        "replan_period": 0.1,
        "graph_first": True,
    }
    assert json.loads(cli("show", "scheduler", "heft", "--json")[1])["options"] == {
        "predictor": "exact",
        "decision_time": 0.0,
        "replan_period": 0.1,
    }
    assert json.loads(cli("show", "scheduler", "gpu", "--json")[1])["options"]["processor"] == "gpu"


def test_a_terminated_run_leaves_nothing(cli, here):
    code, out, err = cli("compare", *QUICK, "-s", "own_schedulers:Terminated", "-o", "out")
    assert (code, out, err) == (143, "", "socsim: terminated\n")
    assert [p.name for p in here.iterdir() if "out" in p.name] == []


def test_termination_while_writing_leaves_nothing(cli, here, monkeypatch):
    def terminate(*args):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("socsim.results.trace.write_trace", terminate)
    assert cli("compare", *QUICK, "-s", "cpu", "-o", "out")[0] == 143
    assert [p.name for p in here.iterdir() if "out" in p.name] == []


def test_output_over_foreign_files_is_refused_before_the_run(cli, here):
    (here / "out").mkdir()
    (here / "out" / "thesis.tex").write_text("mine")
    code, out, err = cli("compare", *QUICK, "-s", "own_schedulers:Idle", "-o", "out")
    assert (code, out) == (2, "")
    assert "thesis.tex" in err


def test_an_interrupted_run_writes_nothing(cli, here):
    code, out, err = cli("compare", *QUICK, "-s", "cpu,own_schedulers:Interrupted", "-o", "out")
    assert (code, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not (here / "out").exists()


def test_interruption_while_writing_leaves_nothing(cli, here, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("socsim.results.trace.write_trace", interrupt)
    assert cli("compare", *QUICK, "-s", "cpu", "-o", "out")[0] == 130
    assert [p.name for p in here.iterdir() if "out" in p.name] == []


# --- the whole ------------------------------------------------------------------------------------


def test_version_is_that_of_the_project(cli):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "socsim/_version.py"
    assert cli("--version") == (0, f"socsim {socsim.__version__}\n", "")


@pytest.mark.parametrize(
    "command", [(), ("list",), ("show",), ("show", "model"), ("check",), ("run",), ("compare",), ("profile",)]
)
def test_every_command_has_help(cli, command):
    code, out, _ = cli(*command, "--help")
    assert code == 0
    assert out.startswith("Usage: socsim")


def test_as_a_module_in_another_directory(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "socsim", "compare", *QUICK, "-s", "cpu", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["scheduler"] == "cpu"
