"""Sweeps on a cluster of dask on loopback: the same rows to the last bit, whoever joins late, dies or hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sweepkit import ROOT, finish, kill, lines, runs, start, wait_for, write_files

import socsim
from socsim.errors import MissingExtraError, SweepError, UsageError
from socsim.sweeps import load_sweep
from socsim.sweeps.cluster import DaskEngine
from socsim.sweeps.engines import HereEngine
from socsim.sweeps.session import finished, make_engine
from socsim.sweeps.task import Task


class Cluster:
    """A scheduler of dask and its workers, each a process on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers = folder, list[subprocess.Popen[bytes]]()
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self, port: int = 0) -> None:
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        options = ("--port", str(port), "--scheduler-file", str(file), "--dashboard-address", "127.0.0.1:0")
        self.scheduler = self._process("scheduler", "--host", "127.0.0.1", *options)

        def told() -> bool:
            try:
                self.address = json.loads(file.read_text())["address"]
            except (OSError, ValueError):
                return False
            return True

        wait_for(told)

    def add(self, threads: int = 1) -> subprocess.Popen[bytes]:
        options = ("--nthreads", str(threads), "--dashboard-address", "127.0.0.1:0", "--death-timeout", "30")
        worker = self._process("worker", self.address, "--host", "127.0.0.1", "--no-nanny", *options)
        self.workers.append(worker)
        return worker

    def _process(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{what}-{len(self.workers)}.log").open("wb")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments], cwd=self.folder, stdout=log,
                stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
            )  # fmt: skip

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


@pytest.fixture
def cluster(here: Path) -> Iterator[Cluster]:
    cluster = Cluster(here)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def expected(over: dict[str, object]) -> pd.DataFrame:
    return socsim.sweep("s.yaml", over)


OVER = {"scheduler": [{"name": "own:Slow", "seconds": 0.1}, "gpu"], "seed": "0..9"}


def test_the_same_bits_whoever_runs_it(cluster: Cluster) -> None:
    cluster.add(threads=2)
    cluster.add()
    tables = ["inferences", "kernels", "power"]
    options = {"engine": "dask", "scheduler": cluster.address}
    found = socsim.sweep("s.yaml", OVER, tables=tables, output="out", **options)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(found, expected(OVER), check_exact=True)
    socsim.sweep("s.yaml", OVER, tables=tables, output="here")
    for name in ("runs", *tables):
        one, other = (socsim.load_results(folder).table(name) for folder in ("out", "here"))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_workers_that_join_late_die_and_hang(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    over = {"scheduler": [{"name": "own:Slow", "seconds": 0.4}], "seed": "0..19"}
    task = Task(load_sweep("s.yaml", over=over))
    engine = DaskEngine(cluster.address, hang_s=3.0)
    found: list[pd.DataFrame] = []

    def run() -> None:
        with finished(task, engine, "out"):
            found.append(socsim.load_results("out").runs)

    thread = threading.Thread(target=run)
    thread.start()
    out = Path("out")
    wait_for(lambda: "no workers yet" in caplog.text)
    first, second = cluster.add(), cluster.add()
    wait_for(lambda: len(lines(out)) >= 2)
    kill(first.pid)
    wait_for(lambda: len(lines(out)) >= 4)
    kill(second.pid, signal.SIGSTOP)
    third = cluster.add()
    thread.join(timeout=120)
    assert not thread.is_alive()
    assert runs(third.pid)
    assert "hangs; others do its runs" in caplog.text
    pd.testing.assert_frame_equal(found[0], expected(over), check_exact=True)
    assert sorted(lines(out)) == list(range(20))


def test_a_scheduler_that_dies_loses_no_finished_run(cluster: Cluster, here: Path) -> None:
    cluster.add()
    arguments = (
        "s.yaml",
        "-s",
        "scheduler=own:Slow(seconds=0.1),gpu",
        "-s",
        "seed=0..9",
        "-o",
        "out",
        "--resume",
    )
    process = start(here, *arguments, "--engine", "dask", "--scheduler", cluster.address)
    wait_for(lambda: len(lines(here / "out")) >= 3)
    assert cluster.scheduler is not None
    kill(cluster.scheduler.pid)
    code, _, err = finish(process)
    kept = lines(here / "out")
    assert code == 1
    assert f"socsim: the sweep failed: the scheduler of dask at {cluster.address} is gone" in err
    assert f"socsim: {len(kept)} of 20 runs are kept in out; go on with --resume" in err
    assert 3 <= len(kept) < 20
    cluster.stop()
    cluster.workers.clear()
    cluster.start()
    cluster.add()
    code, _, err = finish(start(here, *arguments, "-q", "--engine", "dask", "--scheduler", cluster.address))
    assert (code, lines(here / "out")[: len(kept)], len(lines(here / "out"))) == (0, kept, 20)
    over = OVER | {"scheduler": ["own:Slow(seconds=0.1)", "gpu"]}
    pd.testing.assert_frame_equal(socsim.load_results("out").runs, expected(over), check_exact=True)


def test_runs_that_go_wrong_leave_the_workers_alone(cluster: Cluster) -> None:
    worker = cluster.add()
    over = {"scheduler": ["own:Loops", "own:Stubborn", "own:Kills", "own:Raises", "own:Eats", "cpu"]}
    found = socsim.sweep(
        "s.yaml", over, engine="dask", scheduler=cluster.address, failures="keep", retries=1, time_limit=3,
        memory_limit="200 MB",
    )  # fmt: skip
    failures = sorted(found.attrs["failures"], key=lambda one: one["run"])
    kinds = [(one["run"], one["kind"]) for one in failures]
    assert kinds == [(0, "time"), (1, "time"), (2, "died"), (3, "error"), (4, "memory")]
    assert found["run"].tolist() == [5]
    assert runs(worker.pid)


def test_nobody_at_the_address(here: Path) -> None:
    engine = DaskEngine("tcp://127.0.0.1:1", connect_s=1.0)
    with pytest.raises(
        SweepError, match=r"no scheduler of dask answers at tcp://127.0.0.1:1 \(.*\); start one with"
    ):
        list(engine.outcomes(Task(load_sweep("s.yaml")), [0]))


def test_an_address_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="engine 'dask' needs the address of its scheduler"):
        make_engine("dask")
    monkeypatch.setattr("socsim.sweeps.session.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'socsim\[dask\]'"):
        make_engine("dask", scheduler="tcp://127.0.0.1:1")
    assert isinstance(make_engine("local", here=True), HereEngine)
