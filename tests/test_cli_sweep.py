"""``socsim run`` and ``socsim check`` with sweeps: tables, progress, files, pins, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from clikit import Cli, cells

from socsim.cli import sweeping

TEXT = """\
device: xiaomi-9
apps:
  - {kind: inference, name: net, model: squeezenet_1.1, scheduler: cpu, count: 2}
  - {kind: competitor, name: busy, threads: 4, duty: 0.9}
sweep: {apps.net.scheduler: [cpu, gpu], apps.busy.count: [0, 3]}
"""
SHOWN = """\
device: xiaomi-9
duration: 200 ms
apps:
  - {kind: inference, name: net, model: vgg16, scheduler: gpu, deadline: 100 ms}
  - {kind: video, name: film, fps: 30}
sweep: {load: {none: {}, low priority: {apps.net.priority: -1}}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sweeps, on a machine so fast that nobody is told how far they have come."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socsim.cli.sweeping._EVERY_S", float("inf"))
    (tmp_path / "s.yaml").write_text(TEXT)
    (tmp_path / "film.yaml").write_text(SHOWN)
    return tmp_path


# --- tables ---------------------------------------------------------------------------------------------------


def test_a_row_for_each_point(cli: Cli, here: Path) -> None:
    code, out, err = cli("run", "s.yaml")
    assert (code, err) == (0, "socsim: 4 runs of s\n")
    title, _, header, *rows = cells(out)
    assert title == ["s on xiaomi-9, 4 runs"]
    assert header[:2] == ["net.scheduler", "count"]
    assert [row[:2] for row in rows] == [["cpu", "0"], ["cpu", "3"], ["gpu", "0"], ["gpu", "3"]]
    found = json.loads(cli("run", "s.yaml", "--json")[1])
    assert [row[2] for row in rows] == [f"{row['latency_ms_mean']:.2f}" for row in found]


def test_a_row_for_each_application_where_there_are_several(cli: Cli, here: Path) -> None:
    _, out, _ = cli("run", "film.yaml")
    _, _, header, *rows = cells(out)
    assert header[:2] == ["load", "application"]
    assert [row[:2] for row in rows] == [
        ["none", "net"], ["none", "film"], ["low priority", "net"], ["low priority", "film"]
    ]  # fmt: skip
    assert "missed" in out
    assert "shown" in out


def test_columns_that_say_nothing_are_left_out(cli: Cli, here: Path) -> None:
    _, out, _ = cli("run", "s.yaml", "-s", "apps.busy.count=0")
    for column in ("missed", "drops", "shown", "slow-", "predicted"):
        assert column not in out
    assert "slow-" in cli("run", "s.yaml", "-s", "apps.busy.count=0", "--slowdown")[1]


def test_overload_and_drops_are_said(cli: Cli, here: Path) -> None:
    (here / "camera.yaml").write_text(
        "device: xiaomi-9\nduration: 1 s\napps:\n"
        "  - {kind: inference, name: net, model: squeezenet_1.1, scheduler: gpu, "
        "arrivals: {kind: poisson, period: 5 ms}}\n"
        "sweep: {apps.net.queue: [queue, skip], apps.net.arrivals.period: [5 ms, 200 ms], seed: 0..1}\n"
    )
    _, out, _ = cli("run", "camera.yaml")
    assert "loaded" in out and "drops %" in out
    said = {(row[0], row[1]): "yes" in row for row in cells(out)[3:]}
    assert said == {
        ("queue", "5 ms"): True, ("queue", "200 ms"): False, ("skip", "5 ms"): False, ("skip", "200 ms"): False
    }  # fmt: skip
    found = json.loads(cli("run", "camera.yaml", "--json")[1])
    assert [row["overloaded"] for row in found] == [True] * 2 + [False] * 6


def test_json_has_every_run(cli: Cli, here: Path) -> None:
    code, out, err = cli("run", "film.yaml", "--json", "-s", "sweep.seed=0..1")
    rows = json.loads(out)
    assert (code, err) == (0, "socsim: 4 runs of film\n")
    assert [(row["run"], row["load"], row["seed"], row["app"]) for row in rows] == [
        (0, "none", 0, "net"), (0, "none", 0, "film"), (1, "none", 1, "net"), (1, "none", 1, "film"),
        (2, "low priority", 0, "net"), (2, "low priority", 0, "film"), (3, "low priority", 1, "net"),
        (3, "low priority", 1, "film"),
    ]  # fmt: skip
    assert all(set(row) == set(rows[0]) for row in rows)


def test_the_table_has_means_over_seeds(cli: Cli, here: Path) -> None:
    options = ("-s", "apps.net.scheduler=cpu", "-s", "sweep.seed=0..3")
    _, out, _ = cli("run", "s.yaml", *options)
    title, _, header, idle, busy = cells(out)
    assert title == ["s on xiaomi-9, 8 runs; means over 4 seeds, ± 95 % confidence"]
    assert "seed" not in header
    assert "±" not in " ".join(idle)
    runs = json.loads(cli("run", "s.yaml", *options, "--json")[1])
    values = [row["latency_ms_mean"] for row in runs if row["count"] == 3]
    centre = sum(values) / 4
    spread = (sum((v - centre) ** 2 for v in values) / 3) ** 0.5
    assert busy[1] == f"{centre:.2f} ±{3.182446 * spread / 2:.2f}"


def test_a_single_seed_is_said(cli: Cli, here: Path) -> None:
    assert "4 runs; seed 7\n" in cli("run", "s.yaml", "-s", "sweep.seed=[7]")[1]


# --- progress -------------------------------------------------------------------------------------------------


def test_quiet_prints_nothing(cli: Cli, here: Path) -> None:
    assert cli("run", "s.yaml", "-q") == (0, "", "")
    code, out, err = cli("run", "s.yaml", "-q", "--json")
    assert (code, len(json.loads(out)), err) == (0, 4, "")


def test_long_sweeps_say_how_far_they_are(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_EVERY_S", -1.0)
    _, _, err = cli("run", "s.yaml")
    assert err.splitlines()[:3] == [
        "socsim: 4 runs of s",
        "socsim: 1 of 4 done: net.scheduler=cpu, count=0",
        "socsim: 2 of 4 done: net.scheduler=cpu, count=3",
    ]


def test_verbose_names_every_point(cli: Cli, here: Path) -> None:
    assert len(cli("run", "s.yaml", "-v")[2].splitlines()) == 5


def test_a_terminal_is_told_in_one_place(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _, _, err = cli("run", "s.yaml")
    assert err.startswith("socsim: 4 runs of s\n\rsocsim: 1 of 4 done\rsocsim: 2 of 4 done")
    assert err.endswith(" \r")


# --- pins, files, exit codes ----------------------------------------------------------------------------------


def test_a_single_point_is_an_ordinary_run(cli: Cli, here: Path) -> None:
    pins = ("-s", "apps.net.scheduler=gpu", "-s", "apps.busy.count=0", "--seed", "3")
    code, out, err = cli("run", "s.yaml", *pins, "-o", "out")
    assert (code, err) == (0, "")
    assert "ms simulated" in out
    assert (here / "out" / "summary.parquet").is_file()


def test_a_sweep_is_kept_and_run_again(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = cli("run", "s.yaml", "-s", "apps.busy.count=1", "-s", "sweep.seed=0..1", "-o", "out")
    assert (code, out.splitlines()[-1]) == (0, f"written to {here / 'out'}")
    assert sorted(p.name for p in (here / "out").iterdir()) == [
        "experiment.yaml", "manifest.json", "runs.parquet"
    ]  # fmt: skip
    first = json.loads(cli("run", "out", "--json")[1])
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert json.loads(cli("run", here / "out" / "manifest.json", "--json")[1]) == first
    assert len(first) == 4


def test_a_swept_device_that_has_changed_is_told(cli: Cli, here: Path) -> None:
    (here / "mine.yaml").write_text("title: Mine\nextends: xiaomi-9\n")
    assert cli("run", "s.yaml", "-s", "sweep.device=[xiaomi-9, mine.yaml]", "-o", "out", "-q")[0] == 0
    (here / "mine.yaml").write_text("title: Other\nextends: xiaomi-9\n")
    _, _, err = cli("run", "out", "-q")
    assert f"warning: {here / 'mine.yaml'} has changed since" in err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("apps.busy.count:", "apps.busi.count:", "s.yaml:5:41: sweep.apps.busi.count: unknown key 'apps.busi'; "),
        ("[0, 3]", "3..0", "s.yaml:5:58: sweep.apps.busy.count: the range 3..0 runs backwards; write 0..3"),
        ("[0, 3]", "[]", "s.yaml:5:58: sweep.apps.busy.count: needs at least one value"),
        ("[cpu, gpu]", "[cpu, cpu]", "s.yaml:5:35: sweep.apps.net.scheduler.1: repeats value 1, 'cpu'"),
        ("[cpu, gpu]", "[cpu, gqu]", "s.yaml:5:35: sweep.apps.net.scheduler.1: unknown scheduler 'gqu'"),
    ],
)  # fmt: skip
def test_bad_sweeps_are_bad_input(cli: Cli, here: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    (here / "s.yaml").write_text(TEXT.replace(old, new))
    for command in ("run", "check"):
        code, out, err = cli(command, "s.yaml")
        assert (code, out) == (2, "")
        assert err.removeprefix("socsim: ").startswith(message)


def test_a_failing_point_fails_the_run_and_leaves_nothing(cli: Cli, here: Path) -> None:
    (here / "torn.py").write_text(
        "import socsim\nclass S(socsim.StaticScheduler):\n    def plan(self, graph, view):\n        return {}['x']\n"
    )
    code, out, err = cli("run", "s.yaml", "-s", "sweep.apps.net.scheduler=[cpu, 'torn.py:S']", "-o", "out")
    assert (code, out) == (1, "")
    assert (
        "socsim: the run failed: run 3 of 4 (net.scheduler=torn:S, count=0): scheduler 'torn:S' failed" in err
    )
    assert not (here / "out").exists()


def test_an_output_that_may_not_be_written_is_refused_before_anything_runs(cli: Cli, here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "thesis.tex").write_text("mine")
    code, out, err = cli("run", "s.yaml", "-o", "out")
    assert (code, out) == (2, "")
    assert "runs of" not in err


def test_sound_sweeps_are_said_to_be(cli: Cli, here: Path) -> None:
    assert cli("check", "s.yaml", "film.yaml") == (
        0,
        "s.yaml: experiment, 2 applications on xiaomi-9, 4 runs\n"
        "film.yaml: experiment, 2 applications on xiaomi-9, 2 runs\n",
        "",
    )


# --- rails and meters -----------------------------------------------------------------------------------------

BOARD = """\
device: jetson-xavier-nx
apps: [{kind: inference, name: net, model: squeezenet_1.1, library: tensorrt, scheduler: gpu, count: 2}]
sweep: {seed: 0..1, apps.net.period: [50 ms, 100 ms]}
"""


def test_rails_that_see_a_part_of_the_device_have_columns(cli: Cli, here: Path) -> None:
    (here / "board.yaml").write_text(BOARD)
    header, units, *_ = cli("run", "board.yaml")[1].splitlines()[1:]
    assert header.split() == [
        "latency", "p95", "energy", "vdd_cpu_gpu_cv", "vdd_soc", "unmetered", "power"
    ]  # fmt: skip
    assert units.split().count("mJ/inf") == 4
    for row in json.loads(cli("run", "board.yaml", "--json")[1]):
        rails = row["rails_mj"]
        assert rails["vdd_in"] == pytest.approx(row["energy_mj"])
        assert rails["vdd_cpu_gpu_cv"] + rails["vdd_soc"] + rails["unmetered"] == pytest.approx(
            rails["vdd_in"]
        )


def test_a_rail_that_sees_all_of_the_device_has_none(cli: Cli, here: Path) -> None:
    assert "battery" not in cli("run", "s.yaml")[1]
    assert json.loads(cli("run", "s.yaml", "--json")[1])[0]["rails_mj"].keys() == {"battery"}


def test_frames_have_no_energy_by_rail(cli: Cli, here: Path) -> None:
    cli("run", "film.yaml", "-s", "apps.net.model=squeezenet_1.1", "-o", "out", "-q")
    table = pd.read_parquet(here / "out" / "runs.parquet").set_index("app")
    assert table.loc["film", "rails_mj_battery"].isna().all()
    assert table.loc["net", "rails_mj_battery"].notna().all()
    assert "rails_mj" not in table.columns
