"""``socsim sweep``: what is typed, what is told, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from clikit import Cli, cells
from sweepkit import table, write_files

from socsim.cli import sweep_command
from socsim.sweeps.progress import Progress
from socsim.sweeps.task import Outcome, failure


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sweep, on a machine so fast that nobody is told how far it has come."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socsim.cli.sweep_command._EVERY_S", float("inf"))
    write_files(tmp_path)
    return tmp_path


SMALL = ("sweep", "s.yaml", "-s", "scheduler=cpu,gpu", "-s", "seed=0..1", "-j", "1")


def test_a_table_of_means_and_a_directory(cli: Cli, here: Path) -> None:
    code, out, err = cli(*SMALL, "-o", "out")
    assert (code, err) == (0, "socsim: 4 runs of s\n")
    title, _, header, cpu, gpu, written = cells(out)
    assert title == ["s on xiaomi-9, 4 runs; means over 2 seeds, ± 95 % confidence"]
    assert (header[0], cpu[0], gpu[0]) == ("net.scheduler", "cpu", "gpu")
    assert written == [f"written to {here / 'out'}"]
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "experiment.yaml", "journal", "manifest.json", "runs.parquet"
    ]  # fmt: skip
    assert len(table(here / "out")) == 4


def test_rows_are_those_of_socsim_run(cli: Cli, here: Path) -> None:
    rows = json.loads(cli(*SMALL, "--json")[1])
    overrides = ("-s", "sweep={apps.net.scheduler: [cpu, gpu], seed: 0..1}")
    assert json.loads(cli("run", "s.yaml", *overrides, "--json")[1]) == rows
    assert list(here.iterdir()) == [here / "s.yaml", here / "own.py"] or not (here / "out").exists()


def test_its_directory_can_be_run_and_swept_again(cli: Cli, here: Path) -> None:
    assert cli(*SMALL, "-o", "out", "-q")[0] == 0
    first = json.loads(cli(*SMALL, "--json", "-q")[1])
    assert json.loads(cli("run", "out", "--json", "-q")[1]) == first
    assert cli("sweep", here / "out" / "experiment.yaml", "-j", "1", "-o", "again", "-q")[0] == 0
    pd.testing.assert_frame_equal(table(here / "again"), table(here / "out"), check_exact=True)


def test_a_dry_run_lists_the_points(cli: Cli, here: Path) -> None:
    code, out, err = cli(*SMALL, "-x", "scheduler=gpu,seed=> 0", "--dry-run", "-o", "out")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "3 runs of s", "0: net.scheduler=cpu, seed=0", "1: net.scheduler=cpu, seed=1", "2: net.scheduler=gpu, seed=0"
    ]  # fmt: skip
    assert not (here / "out").exists()


def test_tables_of_every_run(cli: Cli, here: Path) -> None:
    assert cli(*SMALL, "-t", "power, inferences", "-o", "out", "-q")[0] == 0
    assert sorted(path.stem for path in (here / "out").glob("*.parquet")) == ["inferences", "power", "runs"]
    assert json.loads((here / "out" / "manifest.json").read_text())["tables"] == ["inferences", "power"]


def test_verbose_names_every_run(cli: Cli, here: Path) -> None:
    told = cli(*SMALL, "-v")[2].splitlines()
    assert told[0] == "socsim: 4 runs of s"
    assert told[1:] == [
        f"socsim: run {i + 1} done: net.scheduler={name}, seed={seed}"
        for i, (name, seed) in enumerate([("cpu", 0), ("cpu", 1), ("gpu", 0), ("gpu", 1)])
    ]


def test_quiet_prints_nothing(cli: Cli, here: Path) -> None:
    assert cli(*SMALL, "-q") == (0, "", "")


def test_a_long_table_is_not_printed(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_command, "_GROUPS", 1)
    assert cli(*SMALL)[1] == "more than 1 rows to show\n"
    assert (
        cli(*SMALL, "-o", "out")[1].splitlines()[0]
        == f"more than 1 rows to show; all of them are in {here / 'out'}"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--resume",), "--resume needs the directory that runs are kept in: -o DIR"),
        (("-t", "kernels"), "--tables needs the directory that runs are kept in: -o DIR"),
        (("-o", "out", "--retry-failed"), "--retry-failed goes with --resume"),
        (
            ("-o", "out", "-t", "kernel"),
            "a sweep keeps no table 'kernel' of every run; did you mean 'kernels'?",
        ),
        (("-s", "schedular=cpu,gpu"), "unknown key 'schedular'; did you mean 'scheduler'?"),
        (
            ("-s", "apps.nat.count=1,2"),
            "s.yaml: sweep.apps.nat.count: unknown key 'apps.nat'; did you mean 'net'?",
        ),
        (("-s", "scheduler=cpu,gpuu"), "s.yaml: sweep.apps.net.scheduler.1: unknown scheduler 'gpuu'"),
        (("-s", "scheduler=cpu,,gpu"), "'cpu,,gpu' has an empty value between commas"),
        (("-s", "seed=9..0"), "s.yaml: sweep.seed: the range 9..0 runs backwards; write 0..9"),
        (
            ("-s", "seed=0..1", "-x", "sed=1"),
            "s.yaml: sweep.exclude.0.sed: 'sed' is not swept; did you mean 'seed'?",
        ),
        (("-s", "seed=0..1", "-x", "seed"), "an override is key=value, got 'seed'"),
        (("--run-time", "5"), "'5' has no unit"),
        (("--run-memory", "0 MB"), "the memory that a run may take must be positive"),
        (("--engine", "dusk"), "unknown engine 'dusk'; did you mean 'dask'?"),
    ],
)
def test_bad_input(cli: Cli, here: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = cli("sweep", "s.yaml", *arguments)
    assert (code, out) == (2, "")
    assert err.removeprefix("socsim: ").startswith(message)
    assert not (here / "out").exists()


# --- progress -------------------------------------------------------------------------------------------------


def outcomes(*oks: bool) -> list[Outcome]:
    return [Outcome(0, True, b"{}") if ok else failure(0, 1, "error", "x") for ok in oks]


def test_progress_in_words() -> None:
    clock = [0.0]
    progress = Progress(100, before=10, failed=1, now=lambda: clock[0])
    assert (progress.line(), progress.left_s) == ("10 of 100 runs, 1 failed", None)
    clock[0] = 2.0
    progress.add(outcomes(True, True, False, True))
    assert progress.line() == "14 of 100 runs, 2 runs/s, 2 failed, 43 s left"
    assert progress.elapsed_s == 2.0
    clock[0] = 4.0
    progress.add(outcomes(*[True] * 86))
    assert progress.line() == "100 of 100 runs, 22.5 runs/s, 2 failed"


def test_the_rate_is_that_of_late() -> None:
    clock = [0.0]
    progress = Progress(10_000, now=lambda: clock[0])
    for second in range(1, 101):
        clock[0] = float(second)
        progress.add(outcomes(*[True] * (10 if second <= 50 else 1)))
    assert progress.rate == pytest.approx(1.0)
    assert progress.line() == "550 of 10000 runs, 1 runs/s, 2 h 37 min left"


def test_a_terminal_is_told_in_one_place(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    err = cli(*SMALL)[2]
    assert err.startswith("socsim: 4 runs of s\n\rsocsim: 0 of 4 runs")
    assert "\rsocsim: 4 of 4 runs, " in err
    assert err.endswith(" \r")


def test_now_and_then_where_it_is_none(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_command, "_EVERY_S", -1.0)
    assert "socsim: 4 of 4 runs, " in cli(*SMALL)[2]
