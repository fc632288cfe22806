"""``socsim validate``: measurements beside the simulator's predictions."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibkit import KEY, NETWORKS, calibrated, latencies, rows, truth, write
from click.testing import CliRunner

from socsim.calibration.tables import COLUMNS
from socsim.calibration.validation import validate
from socsim.calibration.validation_page import page_text
from socsim.calibration.validation_report import COLUMNS as SHOWN
from socsim.calibration.validation_report import basis, groups, json_rows, left_out_lines, summary
from socsim.cli.main import BAD_INPUT, _run, cli
from socsim.devices.device import CalibrationError
from socsim.errors import FileError, UsageError
from socsim.measurements import measurements

KEYS = ["device", "processor", "cores", "library", "precision", "n", "mape", "spearman", "within_10"]


def device(source: str = "", error: CalibrationError | None = None):
    """The phone with the parameter set that the rows are made of."""
    found = calibrated(truth())
    own = replace(found.calibrations[KEY], source=source, error=error)
    return replace(found, calibrations={KEY: own})


@pytest.fixture
def table(tmp_path) -> Path:
    return write(tmp_path / "table.csv", rows())


def test_measurements_made_by_the_law_are_met(table) -> None:
    found = validate([table], device())
    assert (found.total, len(found.compared), dict(found.left_out), found.merged) == (24, 24, {}, 0)
    for row in json_rows(groups(found)):
        assert list(row) == KEYS
        assert row["n"] == 8
        assert row["mape"] == pytest.approx(0.0, abs=1e-8)
        assert (row["spearman"], row["within_10"]) == (pytest.approx(1.0), 1.0)


def test_errors_are_relative_to_what_was_measured(tmp_path) -> None:
    """Twice and half of the truth, one each, the others exact."""
    lines = rows(("prime:1",))
    lines[0]["latency_ms"] = 2.0 * float(lines[0]["latency_ms"])
    lines[1]["latency_ms"] = 0.5 * float(lines[1]["latency_ms"])
    (row,) = json_rows(groups(validate([write(tmp_path / "t.csv", lines)], device())), per_model=True)
    assert row["mape"] == pytest.approx((0.5 + 1.0) / 8)
    assert row["within_10"] == 6 / 8
    errors = {one["model"]: one["error"] for one in row["models"]}
    assert errors[NETWORKS[0]] == pytest.approx(-0.5) and errors[NETWORKS[1]] == pytest.approx(1.0)
    first = row["models"][0]
    assert list(first) == ["model", "measured_ms", "predicted_ms", "error", "table", "line"]
    assert first["predicted_ms"] == pytest.approx(1e3 * latencies("prime:1")[0])
    assert (first["table"], first["line"]) == ("t.csv", 2)


def test_every_row_is_accounted_for(tmp_path) -> None:
    lines = rows(("prime:1",))
    columns = (*COLUMNS, "excluded")
    extra = [
        {**lines[0], "excluded": "an older version: 1.0"},
        {**lines[0], "library": "caffe"},
        {**lines[0], "processor": "npu", "cores": ""},
        {**lines[0], "model": "no_such_network"},
        {**lines[0], "precision": "int8"},
        dict(lines[1]),
        {**lines[0], "device": "another"},
    ]
    found = validate([write(tmp_path / "t.csv", [*lines, *extra], columns)], device())
    assert found.total == len(lines) + 6  # the other device's row is none of this one
    assert found.total == len(found.compared) + found.merged + sum(found.left_out.values())
    assert found.merged == 1
    told = "\n".join(found.left_out)
    for reason in (
        "excluded by the table: an older version", "no library 'caffe'", "has no processor 'npu'", "'no_such_network'",
        "no rates for tflite on the cpu in int8",
    ):  # fmt: skip
        assert reason in told
    lines = left_out_lines(found)
    assert lines[0] == "14 rows: 8 compared, 1 merged with others that measure the same, 5 left out"
    assert "      1  no library 'caffe' (t.csv:11)" in lines
    assert "      1  xiaomi-9 has no processor 'npu'; it has cpu, gpu, dsp (t.csv:12)" in lines
    assert "      1  excluded by the table: an older version" in lines  # the table's own, wherever it stands


def test_the_first_of_several_rows_is_named(tmp_path) -> None:
    lines = rows(("prime:1",))
    extra = [
        {**lines[0], "model": "resnet_50"},
        {**lines[0], "library": "tflit"},
        {**lines[1], "library": "tflit"},
    ]
    found = validate([write(tmp_path / "t.csv", [*lines, *extra])], device())
    assert left_out_lines(found)[1:] == [
        "      2  no library 'tflit'; did you mean 'tflite'? (t.csv:11 and others)",
        "      1  unknown model 'resnet_50'; did you mean 'resnet50'? (t.csv:10)",
    ]


def test_names_in_tables_that_ship_are_no_misspellings() -> None:
    found = validate(["aihub"])
    assert "no profile of 'qcs8550-board'" in found.left_out and not found.places


def test_energies_are_groups_of_their_own(tmp_path) -> None:
    lines = rows(("prime:1",))
    first = validate([write(tmp_path / "a.csv", lines)], device())
    assert groups(first, "energy") == []
    for line in lines[:3]:
        line["energy_mj"] = 10.0
    found = validate([write(tmp_path / "b.csv", lines, (*COLUMNS, "energy_mj"))], device())
    (group,) = groups(found, "energy")
    assert (len(group.compared), group.measured.tolist()) == (3, [10.0] * 3)
    # more than idle and no more than all cores and the board at once
    power = group.predicted / np.array([1e3 * one.latency for one in group.compared])
    assert (power > device().board_power).all() and (power < 10.0).all()
    (row,) = json_rows([group], per_model=True)
    assert {"measured_mj", "predicted_mj"} <= set(row["models"][0])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("calibrated: 24 rows; xiaomi-9 in table.csv", "fitted"),
        ("calibrated: 24 rows; xiaomi-9 in other.csv", "fitted, other rows"),
        ("family: pixel-4, cortex-a76", "another device"),
        ("estimate: by eye", "by hand"),
    ],
)
def test_what_rates_rest_on(table, source, told) -> None:
    shown = groups(validate([table], device(source, CalibrationError(0.9, 1.1, 0.042))))
    assert {basis(group) for group in shown} == {told}
    unseen = {row[SHOWN.index(">unseen")] for row in summary(shown)}
    assert unseen == ({"4.2 %"} if told == "fitted" else {"-"})


def test_a_table_that_cannot_be_read(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("device,library\nxiaomi-9,tflite\n")
    with pytest.raises(FileError, match="missing: 'processor', 'cores'"):
        validate([tmp_path / "t.csv"], device())
    with pytest.raises(FileError, match="latency_ms: must be a positive number, got '0'"):
        validate([write(tmp_path / "u.csv", [{**rows()[0], "latency_ms": 0}])], device())
    with pytest.raises(FileError, match="has 1 cell, the header 7"):
        (tmp_path / "v.csv").write_text(",".join(COLUMNS) + "\nxiaomi-9\n")
        validate([tmp_path / "v.csv"], device())


def test_nothing_to_compare(tmp_path) -> None:
    with pytest.raises(UsageError, match="no row can be compared: 1 row: no library 'caffe'"):
        validate([write(tmp_path / "t.csv", [{**rows()[0], "library": "caffe"}])], device())
    with pytest.raises(UsageError, match="the tables have none of 'xiaomi-9'; they have other"):
        validate([write(tmp_path / "u.csv", [{**rows()[0], "device": "other"}])], device())
    with pytest.raises(UsageError, match="the tables have none of 'xiaomi-9'; did you mean 'xiaomi9'"):
        validate([write(tmp_path / "v.csv", [{**rows()[0], "device": "xiaomi9"}])], device())
    with pytest.raises(UsageError, match=r"no row can be compared: the tables have none$"):
        validate([write(tmp_path / "w.csv", [])], device())
    with pytest.raises(UsageError, match="no profile of 'xiaomi9'; did you mean 'xiaomi-9'"):
        validate([tmp_path / "v.csv"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (";".join(COLUMNS).encode(), "1:1: cells are divided by ';'; a table .* divides them by ','"),
        ((",".join(COLUMNS) + ",model\n").encode(), "1:8: column 'model' stands twice"),
        (b"device\nb\xe9\n", "2:2: is no CSV file in UTF-8: byte 0xe9"),
        (",".join(COLUMNS).encode("utf-16"), "1:1: is no CSV file in UTF-8: byte 0xff"),
        (b"", "1:1: the file is empty; a table of measurements needs the columns"),
    ],
)
def test_files_of_other_kinds(tmp_path, data, message) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(FileError, match=f"t.csv:{message}"):
        validate([tmp_path / "t.csv"], device())


def test_what_is_no_file(tmp_path) -> None:
    with pytest.raises(FileError, match=r"is a directory; give a \.csv file"):
        validate([tmp_path])
    with pytest.raises(FileError, match=r"none\.csv: there is no such file"):
        validate([tmp_path / "none.csv"])


def test_the_page_needs_nothing_beside_it(table) -> None:
    found = validate([table], device("family: <b>another</b>"))
    text = page_text(found)
    assert text == page_text(found)
    assert 'src="data:image/png;base64,' in text and "http" not in text
    assert "<b>another" not in text and "&lt;b&gt;another" in text
    assert "24 rows: 24 compared" in text and "class='D'" in text


def run(*args: object) -> str:
    done = CliRunner().invoke(cli, ["validate", *map(str, args)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_command(table, tmp_path) -> None:
    found = json.loads(run("--measurements", table, "-d", "xiaomi-9", "--json", "-o", tmp_path / "out"))
    assert [list(row) for row in found] == [KEYS] * 3
    assert sorted(row["cores"] for row in found) == ["gold:2", "prime:1", "silver:1"]
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"index.html", "models.csv"}
    assert len((tmp_path / "out" / "models.csv").read_text().splitlines()) == 25
    text = run("--measurements", table, "-d", "xiaomi-9", "--per-model")
    assert "24 rows: 24 compared, 0 left out" in text and "squeezenet_1.1" in text


def test_what_a_table_calls_a_device(table) -> None:
    found = json.loads(run("--measurements", table, "-d", "pixel-4", "--rows", "xiaomi-9", "--json"))
    assert {row["device"] for row in found} == {"pixel-4"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--rows", "pixel-4"], "name it with -d"),
        (["--measurements", "qedd"], "did you mean 'qed'"),
        (["-d", "xiaomi-9", "--measurements", "paddlelite", "--energy"], "has an energy"),
    ],
)
def test_wrong_calls(capsys, args, message) -> None:
    assert _run(["validate", *args]) == BAD_INPUT
    assert message in capsys.readouterr().err


def test_a_shipped_table_of_one_device() -> None:
    """What the profile was fitted to is met; nothing of the table is lost."""
    found = validate(["paddlelite"])
    own = Counter(row.excluded == "" for row in measurements("paddlelite", excluded=True))
    assert found.total == sum(own.values())
    assert found.total == len(found.compared) + found.merged + sum(found.left_out.values())
    for group in groups(found):
        if group.seen:
            assert group.accuracy.mape < 0.15
