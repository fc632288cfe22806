"""Output directories: complete or not there, and never over anyone else's files."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from socsim.errors import UsageError
from socsim.results.environment import versions
from socsim.results.inputs import changed_inputs, input_hashes, located
from socsim.results.plain import plain
from socsim.results.store import check_output, output_directory, read_manifest, write_table


def fill(target, text="x", about=None):
    with output_directory(target, about or {}) as directory:
        (directory / "data.txt").write_text(text)
        (directory / "deep").mkdir()
        (directory / "deep" / "more.txt").write_text(text)


def names(directory):
    return sorted(p.name for p in Path(directory).iterdir())


# --- writing --------------------------------------------------------------------------------------


def test_a_directory_holds_what_was_written_the_experiment_and_the_manifest(tmp_path):
    fill(tmp_path / "out", about={"experiment": {"device": "toy"}})
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["data.txt", "deep", "experiment.yaml", "manifest.json"]


def test_an_output_of_no_experiment_has_none(tmp_path):
    fill(tmp_path / "out", about={"seeds": 3})
    assert names(tmp_path / "out") == ["data.txt", "deep", "manifest.json"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert "experiment" not in manifest and manifest["seeds"] == 3
    assert manifest["files"] == ["data.txt", "deep/more.txt"]
    fill(tmp_path / "out", "y")  # and is one of socsim's, that may be replaced
    assert (tmp_path / "out" / "data.txt").read_text() == "y"


def test_the_manifest_says_what_is_needed_to_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["socsim", "run", "x.yaml"])
    experiment = {"device": "toy", "seed": 3, "period": "33 ms", "apps": [{"model": "tiny", "share": 1e-05}]}
    fill(tmp_path / "out", about={"experiment": experiment, "seed": 3, "overrides": ["seed=3"]})
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["experiment"] == experiment
    assert (manifest["seed"], manifest["overrides"]) == (3, ["seed=3"])
    assert manifest["command"] == ["socsim", "run", "x.yaml"]
    assert manifest["files"] == ["data.txt", "deep/more.txt", "experiment.yaml"]
    assert manifest["created"].endswith("+00:00")
    assert yaml.safe_load((tmp_path / "out" / "experiment.yaml").read_text()) == experiment


def test_versions_name_what_results_depend_on():
    found = versions()
    assert {"socsim", "python", "numpy", "simpy", "pandas", "platform"} <= set(found)
    assert (found["numpy"], found["python"]) == (np.__version__, ".".join(map(str, sys.version_info[:3])))


def test_missing_parents_are_made(tmp_path):
    fill(tmp_path / "a" / "b" / "out")
    assert (tmp_path / "a" / "b" / "out" / "manifest.json").is_file()


def test_nothing_is_left_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError, match="boom"), output_directory(tmp_path / "out", {}) as directory:
        (directory / "half.txt").write_text("x")
        raise RuntimeError("boom")
    assert names(tmp_path) == []


def test_nothing_is_left_after_an_interruption(tmp_path):
    with pytest.raises(KeyboardInterrupt), output_directory(tmp_path / "out", {}) as directory:
        (directory / "half.txt").write_text("x")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_what_dead_processes_left_is_swept_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale, other = f".out.{ended.pid}.partial", f".output.{ended.pid}.partial"
    for name in (stale, other, f".out.{os.getppid()}.partial", ".out.mine.partial"):
        (tmp_path / name).mkdir()
    fill(tmp_path / "out")
    assert names(tmp_path) == sorted([other, f".out.{os.getppid()}.partial", ".out.mine.partial", "out"])


def test_the_target_does_not_exist_before_everything_is_written(tmp_path):
    with output_directory(tmp_path / "out", {}):
        assert not (tmp_path / "out").exists()


def test_an_earlier_output_is_replaced_as_a_whole(tmp_path):
    fill(tmp_path / "out", "old")
    with output_directory(tmp_path / "out", {}) as directory:
        assert (tmp_path / "out" / "data.txt").read_text() == "old"
        (directory / "new.txt").write_text("new")
    assert names(tmp_path / "out") == ["manifest.json", "new.txt"]
    assert names(tmp_path) == ["out"]


def test_an_earlier_output_survives_a_failure(tmp_path):
    fill(tmp_path / "out", "old")
    with pytest.raises(RuntimeError), output_directory(tmp_path / "out", {}):
        raise RuntimeError
    assert (tmp_path / "out" / "data.txt").read_text() == "old"


def test_an_earlier_output_survives_a_failing_rename(tmp_path, monkeypatch):
    fill(tmp_path / "out", "old")
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".partial"):
            raise OSError("disk gone")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="disk gone"):
        fill(tmp_path / "out", "new")
    assert (tmp_path / "out" / "data.txt").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_an_empty_directory_is_used(tmp_path):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()


# --- refusing -------------------------------------------------------------------------------------


def test_foreign_files_are_not_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"'thesis.tex', which socsim did not write; name a new directory"):
        check_output(tmp_path)
    assert names(tmp_path) == ["thesis.tex"]


def test_files_added_to_an_output_are_not_lost(tmp_path):
    fill(tmp_path / "out")
    (tmp_path / "out" / "deep" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"deep/notes\.txt"):
        fill(tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": ["a"]}', '{"socsim": "1", "files": 3}', "not json"]
)
def test_a_manifest_of_another_program_is_foreign(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    (tmp_path / "a").write_text("x")
    assert read_manifest(tmp_path) == {}
    with pytest.raises(UsageError, match="'a'"):
        check_output(tmp_path)


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        check_output(tmp_path / "out")


@pytest.mark.parametrize("target", [".", ".."])
def test_the_current_directory_and_those_above_are_refused(tmp_path, monkeypatch, target):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="is where you are"):
        check_output(target)


def test_a_directory_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        fill(tmp_path / "file" / "out")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_what_a_link_points_to_is_checked(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine.txt").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match=r"mine\.txt"):
        check_output(tmp_path / "link")


# --- tables ---------------------------------------------------------------------------------------

FRAME = pd.DataFrame({"operator": ["a", "b"], "start_ms": [0.5, 1.25], "cores": ["", "2+3"]})


def test_tables_are_parquet(tmp_path):
    path = write_table(FRAME, tmp_path, "kernels")
    assert path == tmp_path / "kernels.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(path), FRAME)


def test_tables_are_csv_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = write_table(FRAME, tmp_path, "kernels")
    assert path == tmp_path / "kernels.csv"
    assert path.read_text().splitlines() == ["operator,start_ms,cores", "a,0.5,", "b,1.25,2+3"]


# --- plain values ---------------------------------------------------------------------------------


class Sample:
    """An object that is no plain value."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (float("nan"), None),
        (float("inf"), None),
        ((1, [2.0, "x"]), [1, [2.0, "x"]]),
        ({1: (2,)}, {"1": [2]}),
        ({"b", "a"}, ["a", "b"]),
        (True, True),
        (Path("a") / "b", str(Path("a") / "b")),
        (Sample(), f"{__name__}:Sample"),
        (Sample, f"{__name__}:Sample"),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
    ],
)
def test_plain_values(value, expected):
    found = plain(value)
    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


# --- files that runs read -------------------------------------------------------------------------


def test_files_of_an_experiment_are_hashed_wherever_it_names_them(tmp_path):
    """Devices, libraries, networks with a level or transforms, traces, schedulers' modules, and what is swept."""
    named = [
        "lib.yaml",
        "net.onnx",
        "fam.yaml",
        "came.csv",
        "acc.csv",
        "own.py",
        "swept.onnx",
        "zip.yaml",
        "var.onnx",
    ]
    for name in named:
        (tmp_path / name).write_text(name)
    config = located(
        {
            "device": "xiaomi-9",
            "library": "lib.yaml",
            "accuracy": "acc.csv",
            "apps": [
                {"kind": "inference", "model": "net.onnx+prune(0.5)", "scheduler": "own.py:Mine"},
                {"kind": "inference", "model": "fam.yaml@2", "arrivals": "came.csv"},
                {"kind": "inference", "model": "resnet50", "scheduler": "cpu", "library": "gone.yaml"},
            ],
            "sweep": {
                "apps.0.model": ["swept.onnx", "resnet18"],
                "zip": {"library": ["zip.yaml", "mace"]},
                "variant": {"one": {"apps.0.model": "var.onnx"}, "two": {}},
                "exclude": {"apps.0.model": "net.onnx"},
            },
        },
        tmp_path,
    )
    hashes = input_hashes(config)
    assert {Path(name).name for name in hashes} == set(named)
    assert hashes[str(tmp_path / "net.onnx")] == hashlib.sha256(b"net.onnx").hexdigest()
    assert located(config, tmp_path / "elsewhere") == config
    assert config["sweep"]["exclude"] == {"apps.0.model": "net.onnx"}


def test_inputs_that_changed_or_went_are_told(tmp_path):
    for name in ("same", "other", "gone"):
        (tmp_path / name).write_text(name)
    hashes = {str(tmp_path / n): hashlib.sha256(n.encode()).hexdigest() for n in ("same", "other", "gone")}
    assert changed_inputs({"inputs": hashes}) == []
    (tmp_path / "other").write_text("else")
    (tmp_path / "gone").unlink()
    assert changed_inputs({"inputs": hashes}) == [str(tmp_path / "other"), str(tmp_path / "gone")]
    assert changed_inputs({}) == changed_inputs({"inputs": ["no mapping"]}) == []
