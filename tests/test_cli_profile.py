"""``socsim profile``, and profiles named on the command line."""

from __future__ import annotations

import json

import pytest

from socsim.schedulers.profile_file import COLUMNS, read_profile

ASK = ("profile", "-d", "xiaomi-9", "-m", "squeezenet_1.1")
COMPARE = ("compare", "-d", "xiaomi-9", "-m", "squeezenet_1.1", "-n", "2", "--json")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)


def test_a_profile_is_written_and_can_be_followed(cli):
    code, out, err = cli(*ASK, "-o", "s.csv", "--step", "1")
    rows = read_profile("s.csv")
    operators = len({row.operator for row in rows})
    assert (code, err) == (0, "")
    assert out == f"{len(rows)} times of {operators} operators written to s.csv\n"
    code, out, _ = cli(*COMPARE, "-s", "heft,heft(predictor=s.csv),heft(predictor=online(path=s.csv))")
    latencies = [row["latency_ms_mean"] for row in json.loads(out)]
    assert code == 0
    assert latencies == pytest.approx([latencies[0]] * 3)


def test_options(cli):
    code, out, _ = cli(
        *ASK, "-l", "tflite", "-o", "s.csv", "--step", "0.5", "-n", "3", "--noise", "--seed", "4", "--cores", "gold:2",
        "--dtype", "fp32", "--json",
    )  # fmt: skip
    rows = read_profile("s.csv")
    assert code == 0
    assert json.loads(out)["rows"] == len(rows)
    assert {row.library for row in rows} == {"tflite"}
    assert {row.repetitions for row in rows} == {3}
    assert {row.cores for row in rows if row.processor == "cpu"} == {"gold:2"}
    assert all(row.sd_ms > 0.0 for row in rows if row.latency_ms > 0.0)


def test_quiet(cli):
    assert cli(*ASK, "-o", "s.csv", "--step", "1", "-q") == (0, "", "")


def test_the_file_is_a_table(cli):
    import pandas as pd

    cli(*ASK, "-o", "s.csv", "--step", "1", "-q")
    table = pd.read_csv("s.csv")
    assert tuple(table.columns) == COLUMNS
    assert table["latency_ms"].min() > 0.0


@pytest.mark.parametrize(
    "args, fault",
    [
        (("-o", "there.txt"), "file 'there.txt' is there already and is no profile"),
        (("-o", "nowhere/s.csv"), "there is no directory 'nowhere'"),
        (
            ("-o", "s.csv", "--step", "0"),
            "step of the profiled shares must be above 0 and at most 1, got 0.0",
        ),
        (("-o", "s.csv", "-n", "0"), "0"),
        (("-o", "s.csv", "-l", "mase"), "did you mean 'mace'"),
        ((), "--output"),
    ],
)
def test_bad_input(cli, tmp_path, args, fault):
    (tmp_path / "there.txt").write_text("mine\n")
    code, out, err = cli(*ASK, *args)
    assert (code, out) == (2, "")
    assert fault in err
    assert [p.name for p in tmp_path.iterdir()] == ["there.txt"]


def test_a_faulty_profile_is_one_sentence_with_its_line(cli, tmp_path):
    cli(*ASK, "-o", "s.csv", "--step", "1", "-q")
    lines = (tmp_path / "s.csv").read_text().splitlines(keepends=True)
    cells = lines[6].split(",")
    cells[COLUMNS.index("latency_ms")] = "12,5"
    (tmp_path / "s.csv").write_text("".join([*lines[:6], ",".join(cells), *lines[7:]]))
    code, out, err = cli(*COMPARE, "-s", "heft(predictor=s.csv)")
    assert (code, out) == (2, "")
    assert err == "socsim: s.csv:7:1: a row has 16 values, got 17\n"


def test_a_profile_of_another_network_is_one_sentence(cli):
    cli("profile", "-d", "xiaomi-9", "-m", "mobilenet_v1", "-o", "m.csv", "--step", "1", "-q")
    code, _, err = cli(*COMPARE, "-s", "band(predictor=m.csv)")
    assert code == 2
    assert err == "socsim: unknown network in profile 'm.csv': 'squeezenet_1.1'; known: mobilenet_v1\n"


def test_predictors_in_experiment_files(cli, tmp_path):
    text = """
    device: xiaomi-9
    apps:
      - {kind: inference, model: squeezenet_1.1, count: 2, scheduler: {name: heft, predictor: PREDICTOR}}
    """
    for predictor, fault in (
        ("{name: online, alpha: 0.2}", ""),
        ("flops", ""),
        ("onlin", "unknown predictor 'onlin'; did you mean 'online'?"),
        ("{name: online, alfa: 0.2}", "predictor 'online' has no option 'alfa'; did you mean 'alpha'?"),
        ("x.csv", f"cannot read profile '{tmp_path / 'x.csv'}'"),
    ):
        (tmp_path / "e.yaml").write_text(text.replace("PREDICTOR", predictor))
        for command in ("check", "run"):
            code, _, err = cli(command, "e.yaml")
            assert code == (2 if fault else 0)
            assert fault in err
