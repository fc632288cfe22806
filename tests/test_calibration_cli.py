"""``socsim calibrate``: from a table to a device that runs as it was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from calibkit import MASKS, NETWORKS, latencies, rows, write
from click.testing import CliRunner

import socsim
from socsim.calibration.metrics import accuracy, interval, ranks, unusual
from socsim.calibration.operators import COLUMNS as OPERATOR_COLUMNS
from socsim.calibration.tables import COLUMNS
from socsim.cli.main import BAD_INPUT, _run, cli
from socsim.devices.profile import load_device, provenance
from socsim.errors import FileError


def run(*args: object) -> str:
    done = CliRunner().invoke(cli, ["calibrate", *map(str, args)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def fails(capsys, *args: object) -> str:
    assert _run(["calibrate", *map(str, args)]) == BAD_INPUT
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A table, and what was made of it."""
    path = tmp_path_factory.mktemp("calibrated")
    write(path / "table.csv", rows())
    document = run(path / "table.csv", "-d", "xiaomi-9", "-o", path / "own.yaml", "--json")
    (path / "report.json").write_text(document, encoding="utf-8")
    return path


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mask", MASKS)
def test_the_written_device_runs_as_measured(folder, mask) -> None:
    device = load_device(folder / "own.yaml")
    for name, measured in list(zip(NETWORKS, latencies(mask), strict=True))[::3]:
        app = socsim.Inference(name, scheduler="cpu", library="tflite", dtype="fp32", cores=mask, count=1)
        time = socsim.simulate(device, [app]).inferences["latency_ms"].iloc[0]
        assert time == pytest.approx(1e3 * measured, rel=0.04)


def test_numbers_carry_grades_and_sources(folder) -> None:
    found = {
        row.path: row
        for row in provenance(folder / "own.yaml")
        if row.path.startswith("calibration.tflite.cpu.fp32")
    }
    gemm = found["calibration.tflite.cpu.fp32.kernels.gemm.efficiency"]
    assert gemm.grade in "BC"
    assert gemm.source.startswith("calibrated: 24 rows (lines 2 to 25) of 8 networks on")
    assert found["calibration.tflite.cpu.fp32.kernels.resize.efficiency"].grade == "D"
    calibration = load_device(folder / "own.yaml").calibration("tflite", "cpu", "fp32")
    assert calibration.error is not None and calibration.error.low <= 1.0 <= calibration.error.high


def test_what_is_reported(folder) -> None:
    (one,) = report(folder)["calibrations"]
    assert (one["library"], one["processor"], one["precision"], one["layout"]) == (
        "tflite",
        "cpu",
        "fp32",
        "",
    )
    assert (one["networks"], one["rows"]) == (8, 24)
    assert one["fitted"]["mape"] < 0.02
    assert 0.0 < one["cross_validated"]["mape"] < 0.3
    assert [part["cores"] for part in one["by_cores"]] == sorted(MASKS)
    assert {f["family"] for f in one["by_family"]} >= {"resnet", "squeezenet"}
    names = {p["name"]: p for p in one["parameters"]}
    assert names["efficiency.gemm"]["identified"] and not names["efficiency.softmax"]["identified"]
    assert names["efficiency.gemm"]["standard_error"] < names["efficiency.softmax"]["standard_error"]
    assert report(folder)["power"] is None and report(folder)["warnings"] == []


def test_the_same_bytes_again(folder, tmp_path) -> None:
    (tmp_path / "table.csv").write_bytes((folder / "table.csv").read_bytes())
    run(tmp_path / "table.csv", "-d", "xiaomi-9", "-o", tmp_path / "own.yaml", "-q")
    assert (tmp_path / "own.yaml").read_bytes() == (folder / "own.yaml").read_bytes()


def test_a_file_is_extended_by_its_path(folder, tmp_path) -> None:
    run(
        folder / "table.csv",
        "-d",
        folder / "own.yaml",
        "--rows",
        "xiaomi-9",
        "-o",
        tmp_path / "again.yaml",
        "-q",
    )
    assert load_device(tmp_path / "again.yaml").calibration("tflite", "cpu", "fp32").grade in "BC"


def test_a_calibration_names_clusters_of_its_device(folder, tmp_path) -> None:
    text = (folder / "own.yaml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(
        text.replace("          silver:", "          sliver:", 1), encoding="utf-8"
    )
    with pytest.raises(
        FileError, match="sliver: no cluster of that name; the device has silver, gold, prime"
    ):
        load_device(tmp_path / "wrong.yaml")


def test_a_table_for_people(folder) -> None:
    shown = run(folder / "table.csv", "-d", "xiaomi-9", "-v")
    assert "tflite cpu fp32" in shown and "silver:1" in shown
    assert "not told by the rows" in shown
    assert "efficiency.gemm" in shown


def test_an_outlier_is_told_with_its_line(tmp_path) -> None:
    lines = rows()
    lines[5]["latency_ms"] = 3.0 * float(str(lines[5]["latency_ms"]))
    document = json.loads(run(write(tmp_path / "t.csv", lines), "-d", "xiaomi-9", "--json"))
    worst = document["calibrations"][0]["outliers"][0]
    assert (worst["line"], worst["model"], worst["cores"]) == (7, lines[5]["model"], lines[5]["cores"])
    assert worst["error"] < -0.5


def test_energies_tell_powers(tmp_path) -> None:
    """4 W on one core, 1.5 W idle: the written device draws as much."""
    lines = [
        {**line, "energy_mj": 4.0 * float(str(line["latency_ms"])), "idle_power_w": 1.5}
        for line in rows(("prime:1",))
    ]
    columns = (*COLUMNS, "energy_mj", "idle_power_w")
    table = write(tmp_path / "t.csv", lines, columns)
    document = json.loads(run(table, "-d", "xiaomi-9", "-o", tmp_path / "own.yaml", "--json"))
    (power,) = document["power"]["processors"]
    assert (power["processor"], power["rows"]) == ("cpu", 8)
    assert power["energy_mape"] < 0.05
    device = load_device(tmp_path / "own.yaml")
    app = socsim.Inference(
        "mobilenet_v2", scheduler="cpu", library="tflite", dtype="fp32", cores="prime:1", count=1
    )
    result = socsim.simulate(device, [app])
    assert result.summary()["power_w"].iloc[0] == pytest.approx(4.0, rel=0.05)


def test_what_cannot_be_calibrated(tmp_path, capsys) -> None:
    one = write(tmp_path / "one.csv", [line for line in rows() if line["model"] == "resnet18"])
    assert "rows of 1 network, at least 3 are needed: 3 rows left out" in fails(capsys, one, "-d", "xiaomi-9")
    named = write(tmp_path / "named.csv", [{**line, "model": "no_such_net"} for line in rows()])
    assert "unknown network 'no_such_net', line 2: 3 rows left out" in fails(capsys, named, "-d", "xiaomi-9")
    fp16 = write(tmp_path / "fp16.csv", [{**line, "precision": "fp16"} for line in rows()])
    assert "TensorFlow Lite has no fp16 kernels on the cpu" in fails(capsys, fp16, "-d", "xiaomi-9")


def test_few_networks_are_warned_of(tmp_path) -> None:
    some = write(tmp_path / "some.csv", [line for line in rows() if line["model"] in NETWORKS[:4]])
    document = json.loads(run(some, "-d", "xiaomi-9", "--json"))
    assert document["warnings"] == ["tflite/cpu/fp32: only 4 networks; 8 to 12 are enough as a rule"]


def test_places_to_write_to(folder, tmp_path, capsys) -> None:
    table = folder / "table.csv"
    assert "a device file ends in .yaml" in fails(capsys, table, "-d", "xiaomi-9", "-o", tmp_path / "x.json")
    assert "there is no folder" in fails(capsys, table, "-d", "xiaomi-9", "-o", tmp_path / "no" / "x.yaml")
    assert "unknown device 'xiaomi-7'" in fails(capsys, table, "-d", "xiaomi-7")
    assert "nothing.csv: there is no such file" in fails(capsys, "nothing.csv", "-d", "xiaomi-9")
    assert "did you mean 'qed'" in fails(capsys, "qedd", "-d", "xiaomi-9")
    (tmp_path / "taken.yaml").mkdir()
    assert "it is a directory" in fails(capsys, table, "-d", "xiaomi-9", "-o", tmp_path / "taken.yaml")
    own = folder / "own.yaml"
    before = own.read_bytes()
    assert "is what the device would be made of" in fails(
        capsys, table, "-d", own, "--rows", "xiaomi-9", "-o", own
    )
    assert own.read_bytes() == before


def test_what_stays_as_it_was_is_told(folder, tmp_path) -> None:
    shown = run(folder / "table.csv", "-d", "xiaomi-9", "-o", tmp_path / "own.yaml")
    assert "own.yaml: what was fitted, on top of xiaomi-9; its hardware stays as it was" in shown
    assert "not fitted, and as in xiaomi-9: mace cpu fp32, " in shown
    kept = report(folder)["kept"]
    assert "tflite cpu int8" in kept and "tflite cpu fp32" not in kept
    assert set(kept) == {" ".join(filter(None, key)) for key in load_device("xiaomi-9").calibrations} - {
        "tflite cpu fp32"
    }


def test_networks_that_cannot_be_loaded_are_told_by_name(tmp_path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    lines = [*rows(("prime:1",)), *({**rows()[0], "model": m} for m in ("mobilnet_v1", "broken"))]
    table = write(tmp_path / "t.csv", lines)
    document = json.loads(run(table, "-d", "xiaomi-9", "--models", tmp_path, "--json"))
    first, second, *_ = document["warnings"]
    assert first == (
        "tflite/cpu/fp32: unknown network 'mobilnet_v1' (is it 'mobilenet_v1'?), line 10: 1 row left out"
    )
    assert second.startswith("tflite/cpu/fp32: network 'broken' cannot be used: ")
    assert second.endswith(", line 11: 1 row left out")


def test_operators_that_no_network_calls_for_are_told(folder, tmp_path) -> None:
    path = tmp_path / "ops.csv"
    path.write_text(
        f"{','.join(OPERATOR_COLUMNS)}\nxiaomi-9,tflite,fp16,resnet18,mean,7,64,64,,,,,0.2\n",
        encoding="utf-8",
    )
    document = json.loads(run(folder / "table.csv", "-d", "xiaomi-9", "--operators", path, "--json"))
    assert document["warnings"] == [
        "1 measured kernel of tflite/fp16: the table has no networks on the gpu that could be fitted with them: "
        "left out"
    ]


def test_seconds_for_milliseconds_are_noticed(tmp_path) -> None:
    lines = [{**line, "latency_ms": float(str(line["latency_ms"])) / 1000} for line in rows()]
    document = json.loads(run(write(tmp_path / "t.csv", lines), "-d", "xiaomi-9", "--json"))
    assert any("is latency_ms in milliseconds?" in told for told in document["warnings"])


def test_parameters_at_their_bounds_are_told(tmp_path) -> None:
    lines = [{**line, "latency_ms": float(str(line["latency_ms"])) / 5} for line in rows()]
    document = json.loads(run(write(tmp_path / "t.csv", lines), "-d", "xiaomi-9", "--json"))
    found = {p["name"]: p for p in document["calibrations"][0]["parameters"]}
    assert found["efficiency.gemm"]["at_bound"] and found["efficiency.gemm"]["value"] == pytest.approx(
        0.999, rel=1e-3
    )
    assert not found["efficiency.softmax"]["at_bound"]


# --- how far off ----------------------------------------------------------------------------------------------


def test_accuracy() -> None:
    measured = np.array([1.0, 2.0, 4.0])
    found = accuracy(measured, np.array([1.05, 1.0, 4.0]))
    assert found.n == 3
    assert found.mape == pytest.approx((0.05 + 0.5 + 0.0) / 3)
    assert found.within_10 == pytest.approx(2 / 3)
    assert accuracy(measured, measured[::-1]).spearman == pytest.approx(-1.0)
    assert np.isnan(accuracy(measured[:1], measured[:1]).spearman)


def test_ranks_of_equals() -> None:
    assert list(ranks(np.array([5.0, 1.0, 5.0, 9.0]))) == [2.5, 1.0, 2.5, 4.0]


def test_an_interval_holds_what_it_says() -> None:
    """Of many networks 1.645 standard deviations, as of a normal distribution; of one, 6.31 sqrt(2)."""
    errors = np.exp([0.1, -0.1] * 200)
    low, high = interval(errors, np.ones(400), 400)
    assert high == pytest.approx(np.exp(0.1645), rel=1e-3) and low == pytest.approx(1.0 / high)
    assert interval(errors[:1], np.ones(1), 1)[1] == pytest.approx(
        np.exp(6.3138 * np.sqrt(2.0) * 0.1), rel=1e-4
    )


@pytest.mark.parametrize("networks", [2, 3, 5, 15, 47])
def test_an_interval_of_few_networks_holds_the_next_one(networks) -> None:
    """Nine in ten or a little more, where the span of what was seen would hold (n - 1) / (n + 1)."""
    errors = np.exp(np.random.default_rng(networks).normal(0.0, 0.2, (4000, networks + 1)))
    held = [
        low <= row[-1] <= high
        for row in errors
        for low, high in [interval(row[:-1], np.ones(networks), networks)]
    ]
    assert 0.885 <= np.mean(held) <= 0.955


def test_unusual_rows_are_far_and_alone() -> None:
    measured = np.ones(20)
    predicted = np.full(20, 1.02)
    predicted[[3, 8]] = 1.5, 0.4
    assert list(unusual(measured, predicted)) == [8, 3]
    assert list(unusual(measured, np.full(20, 2.0))) == []
