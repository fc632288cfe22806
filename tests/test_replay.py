"""Runs with files of one's own can be run again from anywhere, and tell when those files have changed."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import onnx
import pytest
import yaml

import socsim
from socsim.devices.profile import device_names, load_device, profile_files
from socsim.results.environment import commit, versions
from socsim.results.inputs import changed_inputs, input_hashes, located
from socsim.schedulers import spelling
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.registry import SCHEDULERS, make_scheduler

DEVICE = "title: My phone\nextends: base\nboard_power: {value: 2 W, grade: D, source: 'mine: guessed'}\n"
BASE = "title: Base\nextends: xiaomi-9\nsources: {mine: my own guess}\n"
SCHEDULER = """
import socsim


class Mine(socsim.StaticScheduler):
    def __init__(self, where="gpu"):
        self.where = where

    def plan(self, graph, view):
        return {op: self.where if view.supports(self.where, op) else "cpu" for op in graph}
"""

PREDICTOR = """
from socsim.schedulers.predictors import ExactPredictor


class Half(ExactPredictor):
    def time(self, op, placement, part):
        return super().time(op, placement, part) / 2
"""


def onnx_file(path: Path) -> None:
    model = onnx.parser.parse_model(
        """
        <ir_version: 9, opset_import: ["" : 17]>
        tiny (float[1, 3, 32, 32] data, float[8, 3, 3, 3] w) => (float[1, 8, 30, 30] y) { y = Conv(data, w) }
        """
    )
    model.graph.initializer.append(
        onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (8, 3, 3, 3), [0.0] * 216)
    )
    del model.graph.input[1]
    onnx.save(model, path)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a device that extends another one, a library, a network and a scheduler; one works there."""
    folder = tmp_path / "my files"
    folder.mkdir()
    (folder / "my-phone.yaml").write_text(DEVICE)
    (folder / "base.yaml").write_text(BASE)
    library = Path(socsim.__file__).parent / "workloads" / "libraries" / "mace.yaml"
    (folder / "my-lib.yaml").write_text(library.read_text())
    (folder / "my_replayed.py").write_text(SCHEDULER)
    onnx_file(folder / "net.onnx")
    monkeypatch.chdir(folder)
    yield folder
    for name in [
        n for n, m in sys.modules.items() if str(getattr(m, "__file__", "")).startswith(str(tmp_path))
    ]:
        del sys.modules[name]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go to another working directory."""

    def go():
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "elsewhere")

    return go


OWN = ("-d", "my-phone.yaml", "-l", "my-lib.yaml", "-m", "net.onnx", "-n", "1", "-o", "mp", "--json")


def test_a_comparison_of_own_files_is_run_again_from_anywhere(cli, files, elsewhere):
    schedulers = "cpu,my_replayed:Mine(where=gpu),my_replayed:Mine(where=cpu)"
    code, first, _ = cli("compare", *OWN, "-s", schedulers)
    assert code == 0
    elsewhere()
    assert cli("run", files / "mp", "--json") == (0, first, "")
    labels = ["cpu", "my_replayed:Mine(where=gpu)", "my_replayed:Mine(where=cpu)"]
    assert [row["scheduler"] for row in json.loads(first)] == labels


def test_what_is_written_names_files_data_type_and_cores(cli, files):
    cli("compare", *OWN, "-s", "my_replayed:Mine")
    kept = yaml.safe_load((files / "mp" / "experiment.yaml").read_text())
    assert kept["device"] == str(files / "my-phone.yaml")
    assert kept["library"] == str(files / "my-lib.yaml")
    assert kept["model"] == str(files / "net.onnx")
    assert kept["schedulers"] == [f"{files}/my_replayed.py:Mine"]
    assert (kept["dtype"], kept["cores"]) == ("fp32", "prime:1+gold:3")


def test_the_manifest_has_hashes_of_all_files_and_the_versions_used(cli, files):
    cli("compare", *OWN, "-s", "my_replayed:Mine")
    manifest = json.loads((files / "mp" / "manifest.json").read_text())
    names = ("my-phone.yaml", "base.yaml", "my-lib.yaml", "net.onnx", "my_replayed.py")
    expected = {str(files / name): hashlib.sha256((files / name).read_bytes()).hexdigest() for name in names}
    assert manifest["inputs"] == expected
    assert {"onnx", "pyarrow"} <= set(manifest["versions"])
    assert manifest["commit"] == commit()


@pytest.mark.parametrize("name", ["base.yaml", "net.onnx", "my_replayed.py"])
def test_a_file_that_has_changed_is_told_on_standard_error(cli, files, elsewhere, name):
    cli("compare", *OWN, "-s", "my_replayed:Mine")
    text = (files / name).read_bytes()
    (files / name).write_bytes(text + (b"\n" if name != "net.onnx" else b"\x22\x00"))
    elsewhere()
    code, _, err = cli("run", files / "mp", "-q")
    assert (code, err) == (
        0,
        f"socsim: warning: {files / name} has changed since {files / 'mp'} was written\n",
    )


def test_a_file_that_is_gone_is_told_too(cli, files):
    cli("compare", *OWN, "-s", "cpu")
    (files / "my-lib.yaml").unlink()
    code, _, err = cli("run", "mp", "-q")
    assert code == 2
    assert f"{files / 'my-lib.yaml'} is gone" in err


def test_paths_of_an_experiment_are_relative_to_it(cli, files, elsewhere):
    app = "{kind: inference, model: net.onnx, library: my-lib.yaml, scheduler: 'my_replayed:Mine', count: 1}"
    (files / "exp.yaml").write_text(f"device: my-phone.yaml\napps:\n  - {app}\n")
    elsewhere()
    assert cli("check", "-q", files / "exp.yaml") == (0, "", "")
    code, first, err = cli("run", files / "exp.yaml", "-o", "out", "--json")
    assert (code, err) == (0, "")
    kept = yaml.safe_load(Path("out/experiment.yaml").read_text())
    assert kept["device"] == str(files / "my-phone.yaml")
    assert kept["apps"][0]["dtype"] == "fp32"
    assert cli("run", "out", "--json")[1] == first


def test_paths_of_a_comparison_are_relative_to_it(cli, files, elsewhere):
    (files / "c.yaml").write_text(
        "device: my-phone.yaml\nmodel: net.onnx\nschedulers: [{name: 'my_replayed:Mine', where: cpu}]\ninferences: 1\n"
    )
    elsewhere()
    assert cli("check", "-q", files / "c.yaml") == (0, "", "")
    rows = json.loads(cli("run", files / "c.yaml", "--json")[1])
    assert [row["scheduler"] for row in rows] == ["my_replayed:Mine(where=cpu)"]


def test_paths_of_overrides_are_relative_to_the_working_directory(cli, files):
    (files / "sub").mkdir()
    (files / "sub" / "exp.yaml").write_text(
        "device: xiaomi-9\napps:\n  - {kind: inference, model: mobilenet_v1, count: 1}\n"
    )
    rows = json.loads(
        cli("run", "sub/exp.yaml", "-s", "device=my-phone.yaml", "-s", "apps.0.model=net.onnx", "--json")[1]
    )
    assert (rows[0]["device"], rows[0]["model"]) == ("my-phone", "net")


def test_results_of_python_are_run_again_too(cli, files, elsewhere):
    result = socsim.simulate("my-phone.yaml", [socsim.Inference("net.onnx", "my_replayed:Mine", count=1)])
    result.save("out")
    elsewhere()
    rows = json.loads(cli("run", files / "out", "--json")[1])
    assert rows[0]["latency_ms_mean"] == result.metrics()["latency_ms_mean"]


# --- parts ----------------------------------------------------------------------------------------


def test_a_device_knows_its_file(files):
    assert load_device("my-phone.yaml").source == str(files / "my-phone.yaml")
    assert load_device("xiaomi-9").source == ""
    assert [file.name for file in profile_files("my-phone.yaml")] == ["my-phone.yaml", "base.yaml"]


def test_names_of_what_comes_with_socsim_stay_names(tmp_path):
    config = {"device": "xiaomi-9", "model": "resnet50", "library": "mace", "schedulers": ["cpu", "heft()"]}
    assert located(config, tmp_path) == config
    assert input_hashes(config) == {}


def test_values_of_wrong_types_stay_for_others_to_refuse(tmp_path):
    config = {"device": 3, "apps": [7, {"model": None, "scheduler": 4}], "schedulers": "cpu"}
    assert located(config, tmp_path) == config
    assert located({"apps": 5}, tmp_path) == {"apps": 5}


def test_files_gone_are_changed_ones(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("x")
    hashes = input_hashes({"library": str(file)})
    assert changed_inputs({"inputs": hashes}) == []
    file.unlink()
    assert changed_inputs({"inputs": hashes}) == [str(file)]
    assert changed_inputs({}) == []


def test_versions_of_what_was_not_used_are_left_out():
    assert not {"onnx", "pyarrow"} & set(versions())
    assert set(versions(onnx=True)) - set(versions()) == {"onnx"}


def test_modules_of_one_name_in_two_folders(files):
    other = files / "other"
    other.mkdir()
    (other / "my_replayed.py").write_text(SCHEDULER.replace('"gpu"', '"dsp"'))
    assert make_scheduler("my_replayed:Mine").where == "gpu"
    assert make_scheduler("other/my_replayed.py:Mine").where == "dsp"
    assert make_scheduler(f"{files}/my_replayed.py:Mine(where=cpu)").where == "cpu"


def test_modules_of_a_package_by_their_file(files):
    (files / "my_package").mkdir()
    (files / "my_package" / "__init__.py").write_text("")
    (files / "my_package" / "base.py").write_text(SCHEDULER)
    (files / "my_package" / "deep.py").write_text("from .base import Mine\n")
    spec = spelling.located("my_package.deep:Mine(where=cpu)", files)
    assert spec == f"{files}/my_package/deep.py:Mine(where=cpu)"
    assert make_scheduler(spec).where == "cpu"
    assert SCHEDULERS.write(spec) == "deep:Mine(where=cpu)"


def test_objects_are_described_with_their_options(files):
    scheduler = make_scheduler("my_replayed:Mine(where=cpu, decision_time=0.5)")
    assert SCHEDULERS.describe(scheduler) == {
        "name": "my_replayed:Mine",
        "where": "cpu",
        "decision_time": 0.5,
    }
    assert SCHEDULERS.describe(type(scheduler)) == "my_replayed:Mine"
    scheduler.written = ""
    assert SCHEDULERS.write(scheduler) == "Mine(where=cpu, decision_time=0.5)"


def test_predictors_are_located_described_and_written_too(files):
    (files / "my_predictors.py").write_text(PREDICTOR)
    text = "heft(predictor=online(path=p.csv, alpha=0.5), replan_period=0.5)"
    found = spelling.located(text, files)
    assert found == f"heft(predictor=online(path={files}/p.csv, alpha=0.5), replan_period=0.5)"
    assert SCHEDULERS.write(found) == text
    assert spelling.module_files(found) == [files / "p.csv"]
    assert spelling.module_files(text) == []
    assert spelling.located("heft(predictor=p.csv)", files) == f"heft(predictor={files}/p.csv)"
    assert spelling.located("mine:Mine(path=p.csv)", files) == "mine:Mine(path=p.csv)"  # its own business
    own = {"name": "heft", "options": {"predictor": {"name": "online", "base": "my_predictors.py:Half"}}}
    found = spelling.located(own, files)
    assert found["options"]["predictor"] == {"name": "online", "base": f"{files}/my_predictors.py:Half"}
    assert spelling.module_files(found) == [files / "my_predictors.py"]
    assert SCHEDULERS.write(found) == "heft(predictor=online(base=my_predictors:Half))"
    scheduler = make_scheduler(found)
    assert scheduler.title == "heft(predictor=online(base=my_predictors:Half))"
    scheduler.written = ""
    assert SCHEDULERS.write(scheduler) == "heft(predictor=online(base=my_predictors:Half))"


def test_classes_and_objects_that_predict_are_described_as_their_class():
    half = type("Half", (ExactPredictor,), {"__module__": "mine"})
    made = half(None)
    for predictor in (half, made):
        spec = {"name": "heft", "predictor": predictor}
        assert SCHEDULERS.describe(spec) == {"name": "heft", "predictor": "mine:Half"}
        assert SCHEDULERS.write(spec) == "heft(predictor=Half)"
        described = SCHEDULERS.describe(make_scheduler(spec))
        assert described == {"name": "socsim.schedulers.heft:HEFT", "predictor": "mine:Half"}


def test_runs_with_a_profile_and_a_predictor_of_one_s_own_are_run_again_from_anywhere(cli, files, elsewhere):
    (files / "my_predictors.py").write_text(PREDICTOR)
    cli("profile", "-d", "xiaomi-9", "-m", "net.onnx", "-o", "p.csv", "-q")
    schedulers = "heft(predictor=p.csv),heft(predictor=my_predictors:Half),heft(predictor=online(path=p.csv))"
    args = ("compare", "-d", "xiaomi-9", "-m", "net.onnx", "-n", "2", "-o", "mp", "--json")
    code, first, err = cli(*args, "-s", schedulers)
    assert (code, err) == (0, "")
    manifest = json.loads((files / "mp" / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {str(files / f) for f in ("net.onnx", "p.csv", "my_predictors.py")}
    elsewhere()
    assert cli("run", files / "mp", "--json") == (0, first, "")
    assert [row["scheduler"] for row in json.loads(first)] == schedulers.split(",")


def test_a_missing_module_file_is_told(files):
    with pytest.raises(socsim.SocsimError, match=r"nowhere\.py: no such file"):
        make_scheduler("nowhere.py:Mine")


def test_the_hint_of_an_unknown_name_is_a_sentence_of_its_own(cli):
    _, _, err = cli("compare", "-d", "zzz", "-m", "resnet50", "-s", "cpu")
    known = ", ".join(device_names())
    assert err.endswith(f"known: {known}. Or give the path of a device file.\n")
