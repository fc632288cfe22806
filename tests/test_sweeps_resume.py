"""Sweeps that are ended at random points: after --resume every run is there, once, as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pandas as pd
import pytest
from sweepkit import children, command, finish, kill, lines, runs, start, table, wait_for, write_files

RUNS = 40
SWEEP = ("s.yaml", "-s", "scheduler=own:Slow(seconds=0.02),gpu", "-s", f"seed=0..{RUNS // 2 - 1}", "-j", "2")
TABLES = ("-t", "inferences,kernels,power")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_files(folder)
    code, _, err = command(folder, *SWEEP, *TABLES, "-o", "out", "-q")
    assert (code, err) == (0, "")
    return folder / "out"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write_files(tmp_path)
    return tmp_path


def assert_same(out: Path, expected: Path) -> None:
    for name in ("runs", "inferences", "kernels", "power"):
        pd.testing.assert_frame_equal(table(out, name), table(expected, name), check_exact=True)
    assert sorted(set(lines(out))) == list(range(RUNS))
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["runs"], manifest["failed"]) == (RUNS, 0)


def test_an_undisturbed_sweep_has_every_run_once(undisturbed: Path) -> None:
    found = table(undisturbed)
    assert found["run"].tolist() == list(range(RUNS))
    assert lines(undisturbed) != [] and len(lines(undisturbed)) == RUNS
    assert found.groupby("net.scheduler")["seed"].apply(list).tolist() == [list(range(RUNS // 2))] * 2


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_points(here: Path, undisturbed: Path, seed: int) -> None:
    rng, out = random.Random(seed), here / "out"
    for victim in ("worker", "parent", "interrupt", "both"):
        process = start(here, *SWEEP, *TABLES, "-o", "out", "--resume", "-q")
        before = len(lines(out))
        target = min(RUNS - 1, before + rng.randint(1, 6))
        wait_for(
            lambda process=process, target=target: len(lines(out)) >= target or process.poll() is not None
        )
        workers = children(process.pid)
        if victim in ("worker", "both") and workers:
            kill(rng.choice(workers))
        if victim in ("parent", "both"):
            kill(process.pid)
        if victim == "interrupt":
            kill(process.pid, rng.choice([signal.SIGINT, signal.SIGTERM]))
        if victim == "worker":
            more = target + 2
            wait_for(lambda process=process, more=more: len(lines(out)) >= more or process.poll() is not None)
            kill(process.pid)
        finish(process)
        wait_for(lambda workers=workers: not any(map(runs, workers)))
    finished = lines(out)
    assert len(finished) == len(set(finished))
    code, _, err = command(here, *SWEEP, *TABLES, "-o", "out", "--resume", "-q")
    assert (code, err) == (0, "")
    assert lines(out)[: len(finished)] == finished
    assert len(lines(out)) == RUNS
    assert_same(out, undisturbed)


def test_killed_workers_are_replaced(here: Path, undisturbed: Path) -> None:
    process, out = start(here, *SWEEP, *TABLES, "-o", "out", "-q"), here / "out"
    for count in (3, 8, 15):
        wait_for(lambda count=count: len(lines(out)) >= count)
        kill(random.Random(count).choice(children(process.pid)))
    assert finish(process) == (0, "", "")
    assert_same(out, undisturbed)


def test_an_interrupted_sweep_says_what_is_kept(here: Path) -> None:
    process, out = start(here, *SWEEP, "-o", "out"), here / "out"
    wait_for(lambda: len(lines(out)) >= 3)
    kill(process.pid, signal.SIGINT)
    code, _, err = finish(process)
    kept = len(lines(out))
    assert code == 130
    assert f"socsim: {kept} of {RUNS} runs are kept in out; go on with --resume" in err.splitlines()
    assert not (out / "manifest.json").exists()
    code, shown, err = command(here, *SWEEP, "-o", "out", "--resume")
    assert code == 0
    assert err.splitlines()[0] == f"socsim: {RUNS} runs of s, {kept} of them finished before"
    assert shown.splitlines()[-1] == f"written to {out}"


def test_a_finished_sweep_is_not_run_again(here: Path, undisturbed: Path) -> None:
    arguments = (*SWEEP, *TABLES, "-o", str(undisturbed), "--resume", "-q")
    (here / "own.py").write_bytes((undisturbed.parent / "own.py").read_bytes())
    before = (undisturbed / "journal" / "runs.jsonl").read_bytes()
    assert command(undisturbed.parent, *arguments)[0] == 0
    assert (undisturbed / "journal" / "runs.jsonl").read_bytes() == before


def test_without_resume_nothing_is_touched(here: Path, undisturbed: Path) -> None:
    before = (undisturbed / "manifest.json").read_bytes()
    code, _, err = command(undisturbed.parent, *SWEEP, *TABLES, "-o", "out")
    assert code == 2
    assert f"'out' holds this sweep of {RUNS} runs, which is finished; --resume goes on with it" in err
    assert (undisturbed / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("duration: 100 ms", "duration: 90 ms"), "duration ('100 ms' there, '90 ms' here)"),
        (("threads: 2", "threads: 3"), "apps.1.threads (2 there, 3 here)"),
        (("name: busy", "name: busier"), "apps.1.name ('busy' there, 'busier' here)"),
    ],
)
def test_a_changed_experiment_is_refused(here: Path, change: tuple[str, str], told: str) -> None:
    small = ("s.yaml", "-s", "seed=0..1", "-j", "1", "-o", "out", "-q")
    assert command(here, *small)[0] == 0
    file = here / "s.yaml"
    text = file.read_text()
    file.write_text(f"# a comment changes nothing\n{text}")
    assert command(here, *small, "--resume")[0] == 0
    before = (here / "out" / "runs.parquet").read_bytes()
    file.write_text(text.replace(*change))
    code, _, err = command(here, *small, "--resume")
    assert code == 2
    assert f"it differs in {told}; name another directory" in err
    assert (here / "out" / "runs.parquet").read_bytes() == before


def test_a_changed_scheduler_is_refused(here: Path) -> None:
    small = ("s.yaml", "-s", "seed=0..1", "-s", "scheduler=own:Slow", "-j", "1", "-o", "out", "-q")
    assert command(here, *small)[0] == 0
    (here / "own.py").write_text((here / "own.py").read_text().replace('"cpu")', '"gpu")'))
    code, _, err = command(here, *small, "--resume")
    assert code == 2
    assert f"it differs in the content of {here / 'own.py'}; name another directory" in err
