"""Runs that go wrong: each has a clear outcome, and the others are as if it had not been there."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sweepkit import command, table, write_files

import socsim
from socsim.errors import SimulationError, SweepError, UsageError
from socsim.sweeps import load_sweep
from socsim.sweeps.limits import NO_LIMITS, Limits, OutOfTime, enforced
from socsim.sweeps.session import described
from socsim.sweeps.supervisor import Supervisor
from socsim.sweeps.task import Task


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def swept(schedulers: list[str], **options) -> pd.DataFrame:
    options = {"jobs": 2, "failures": "keep", "retries": 1} | options
    return socsim.sweep("s.yaml", {"scheduler": schedulers, "seed": [0, 1]}, **options)


# --- what a scheduler can do ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheduler", "limits", "kind", "told"),
    [
        ("own:Raises", {}, "error", "scheduler 'own:Raises' failed"),
        ("own:Loops", {"time_limit": "3 s"}, "time", "took longer than the 3 s that a run may take"),
        ("own:Stubborn", {"time_limit": 3}, "time", "took longer than the 3 s that a run may take, and did not"),
        ("own:Eats", {"memory_limit": "200 MB"}, "memory", "needed more memory than the 200 MB that a run may take"),
        ("own:Kills", {}, "died", "its worker process died 2 times, last by signal 9"),
    ],
)  # fmt: skip
def test_a_run_that_goes_wrong_is_recorded(here: Path, scheduler, limits, kind, told) -> None:
    alone = swept(["cpu", "gpu"], jobs=1, failures="raise")
    found = swept(["cpu", scheduler, "gpu"], output="out", **limits)
    assert found["run"].tolist() == [0, 1, 4, 5]
    pd.testing.assert_frame_equal(found.drop(columns="run"), alone.drop(columns="run"), check_exact=True)
    failures = socsim.load_results("out").failures
    assert failures[["run", "net.scheduler", "seed", "kind"]].to_numpy().tolist() == [
        [2, scheduler, 0, kind], [3, scheduler, 1, kind]
    ]  # fmt: skip
    assert all(text.startswith(told) for text in failures["error"])
    assert [one["run"] for one in found.attrs["failures"]] == [2, 3]
    assert json.loads(Path("out/manifest.json").read_text())["failed"] == 2


def test_where_it_happened_is_kept(here: Path) -> None:
    swept(["own:Raises"], output="out")
    assert 'raise ZeroDivisionError("by design")' in socsim.load_results("out").failures["trace"][0]


def test_a_worker_that_dies_costs_its_own_run_only_and_that_is_tried_again(here: Path) -> None:
    mark = here / "mark"
    spec = {"name": "own:KillsOnce", "mark": str(mark)}
    over = {"scheduler": [spec, "cpu"], "seed": "0..9"}
    found = socsim.sweep("s.yaml", over, jobs=1, time_limit="60 s", output="out")
    assert found["run"].tolist() == list(range(20))
    assert mark.exists()
    attempts = [
        json.loads(line.split(b" ", 2)[2])
        for line in Path("out/journal/runs.jsonl").read_bytes().splitlines()
    ]
    assert {one["run"]: one["attempt"] for one in attempts} == {0: 2, **dict.fromkeys(range(1, 20), 1)}


def test_the_first_failure_ends_the_sweep_where_that_is_asked_for(here: Path) -> None:
    with pytest.raises(
        SimulationError, match=r"^run 1 of 4 \(net.scheduler=own:Raises, seed=0\): scheduler 'own:Raises'"
    ):
        swept(["own:Raises", "cpu"], failures="raise", time_limit="60 s", jobs=1)


def test_failed_runs_are_finished_until_they_shall_be_tried_again(here: Path) -> None:
    swept(["own:Raises", "cpu"], output="out")
    file = here / "own.py"
    lines = Path("out/journal/runs.jsonl").read_bytes()
    swept(["own:Raises", "cpu"], output="out", resume=True)
    assert Path("out/journal/runs.jsonl").read_bytes() == lines
    found = swept(["own:Raises", "cpu"], output="out", resume=True, retry_failed=True)
    assert Path("out/journal/runs.jsonl").read_bytes().startswith(lines)
    assert len(found.attrs["failures"]) == 2
    assert len(table(Path("out"), "failures")) == 2
    assert file.exists()


def test_what_is_printed_goes_to_standard_error(here: Path) -> None:
    code, out, err = command(
        here, "s.yaml", "-s", "scheduler=own:Prints", "-s", "seed=0..1", "--json", "-j", "1"
    )
    assert (code, len(json.loads(out))) == (0, 2)
    assert err.count("hello from a plan") == 2


def test_the_command_says_what_failed_and_goes_on(here: Path) -> None:
    code, out, err = command(here, "s.yaml", "-s", "scheduler=cpu,own:Raises", "-s", "seed=0..3", "-o", "out")
    assert code == 1
    told = err.splitlines()
    assert told[0] == "socsim: 8 runs of s"
    assert "socsim: run 5 of 8 (net.scheduler=own:Raises, seed=0): scheduler 'own:Raises' failed" in err
    assert told[-1] == "socsim: 4 of 8 runs failed"
    assert len(table(here / "out")) == 4
    assert out.splitlines()[-1] == f"written to {here / 'out'}"


# --- schedulers that cannot travel ----------------------------------------------------------------------------


class WithFunction(socsim.StaticScheduler):
    """Has an option that no file can hold."""

    def __init__(self, choose=None) -> None:
        self.choose = choose

    def plan(self, graph, view):
        return dict.fromkeys(graph, "cpu")


def test_schedulers_that_cannot_be_told_are_refused(here: Path) -> None:
    class Local(WithFunction):
        pass

    for jobs in (1, 2):
        with pytest.raises(
            UsageError, match="Local is defined inside a function, where neither other processes"
        ):
            swept([Local()], jobs=jobs)
        with pytest.raises(
            UsageError, match="option choose is a function, which cannot be told to another process"
        ):
            swept([WithFunction(lambda op: "cpu")], jobs=jobs)
    found = swept([WithFunction(), WithFunction("x")])
    assert found["net.scheduler"].unique().tolist() == [
        f"{__name__}:WithFunction",
        f"{__name__}:WithFunction(choose=x)",
    ]


class Chooses(socsim.Manager):
    """A manager whose option may be one that no file can hold."""

    def __init__(self, levels: Any = 1) -> None:
        self.levels = levels

    def start(self, view: Any) -> int:
        return self.levels if isinstance(self.levels, int) else min(self.levels.values())

    def next_level(self, view: Any) -> int:
        return self.start(view)


@pytest.mark.parametrize("jobs", [1, 2])
def test_managers_that_are_objects_are_swept_over(here: Path, jobs: int) -> None:
    app = socsim.Inference("dynamic_ofa", "gpu", count=2)
    plain = [socsim.simulate("xiaomi-9", [replace(app, manager=Chooses(n))]).rows()[0] for n in (1, 3)]
    text = "device: xiaomi-9\napps:\n  - {kind: inference, model: dynamic_ofa, scheduler: gpu, count: 2}\n"
    Path("m.yaml").write_text(text)
    found = socsim.sweep("m.yaml", {"apps.0.manager": [Chooses(), Chooses({"a": 3})]}, jobs=jobs)
    assert found["latency_ms_mean"].tolist() == [row["latency_ms_mean"] for row in plain]


def test_managers_that_cannot_be_told_are_refused() -> None:
    with pytest.raises(
        UsageError, match="manager Chooses: option levels is a set, which cannot be told to another"
    ):
        described([Chooses({1})])
    assert described({"manager": Chooses({"a": 3})}) == {
        "manager": {"name": f"{__name__}:Chooses", "levels": {"a": 3}}
    }
    assert described([Chooses]) == [f"{__name__}:Chooses"]


def test_schedulers_of_the_running_script(here: Path) -> None:
    (here / "script.py").write_text(
        "import socsim\n"
        "class Mine(socsim.StaticScheduler):\n"
        "    def plan(self, graph, view):\n"
        "        return dict.fromkeys(graph, 'gpu')\n"
        "if __name__ == '__main__':\n"
        "    table = socsim.sweep('s.yaml', {'scheduler': [Mine, 'gpu']}, jobs=2)\n"
        "    print(table['net.scheduler'].tolist(), table['latency_ms_mean'].nunique())\n"
    )
    assert script(here) == (0, "['script:Mine', 'gpu'] 1\n", "")


def test_a_script_without_a_guard_is_told(here: Path) -> None:
    (here / "script.py").write_text(
        "import socsim\n"
        "class Mine(socsim.StaticScheduler):\n"
        "    def plan(self, graph, view):\n"
        "        return dict.fromkeys(graph, 'gpu')\n"
        "socsim.sweep('s.yaml', {'scheduler': [Mine, 'gpu']}, jobs=2)\n"
    )
    code, _, err = script(here)
    assert code == 1
    assert "put what shall happen once under if __name__ == '__main__':" in err


def script(folder: Path) -> tuple[int, str, str]:
    import os
    import subprocess
    import sys

    from sweepkit import ROOT

    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


# --- limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"time_limit": 0}, "the time that a run may take must be positive, got 0"),
        ({"memory_limit": -1.0}, "the memory that a run may take must be positive, got -1.0"),
        ({"time_limit": "5"}, "'5' has no unit"),
        ({"memory_limit": "5 s"}, "'5 s' is a time, expected a size"),
        ({"jobs": 0}, "jobs must be a whole number from 1, got 0"),
        ({"retries": -1}, "retries must be a whole number from 0, got -1"),
        ({"engine": "dusk"}, "unknown engine 'dusk'; did you mean 'dask'?"),
        ({"scheduler": "tcp://x:1"}, "a scheduler's address, 'tcp://x:1', is for engine 'dask'"),
        ({"failures": "ignore"}, "failures should be 'raise' or 'keep', got 'ignore'"),
        ({"tables": ["kernel"], "output": "out"}, "a sweep keeps no table 'kernel' of every run; did you mean"),
        ({"tables": ["kernels"]}, "tables of every run are kept in a directory; name an output"),
    ],
)  # fmt: skip
def test_wrong_options(here: Path, options, told) -> None:
    with pytest.raises((UsageError, socsim.SocsimError)) as caught:
        socsim.sweep("s.yaml", {"seed": [0]}, **options)
    assert str(caught.value).startswith(told)
    assert not Path("out").exists()


def test_limits_are_held_in_the_block_only() -> None:
    with pytest.raises(OutOfTime), enforced(Limits(time_s=0.05)):
        while True:
            pass
    with pytest.raises(MemoryError), enforced(Limits(memory_bytes=50e6)):
        bytearray(200_000_000)
    with enforced(NO_LIMITS):
        assert len(bytearray(200_000_000)) == 200_000_000


def test_patience_is_longer_than_the_limit() -> None:
    assert Limits().patience_s is None
    assert Limits(time_s=0.1).patience_s == pytest.approx(1.1)
    assert Limits(time_s=100.0).patience_s == pytest.approx(125.0)


# --- workers --------------------------------------------------------------------------------------------------


def outcomes(task: bytes, numbers: list[int]) -> list[int]:
    supervisor = Supervisor(task, NO_LIMITS)
    source = iter(numbers)
    try:
        return [outcome.run for outcome in supervisor.outcomes(lambda: next(source, None))]
    finally:
        supervisor.stop()


def test_a_worker_of_another_version_takes_no_part(here: Path) -> None:
    plan = load_sweep("s.yaml", over={"seed": "0..3"})
    assert outcomes(pickle.dumps(Task(plan)), [3, 1]) == [3, 1]
    with pytest.raises(
        SweepError, match=r"a worker cannot take part in the sweep: it has socsim .*, and the sweep is"
    ):
        outcomes(pickle.dumps(Task(plan, version="0.0.1")), [0])


def test_workers_that_do_not_start(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    plan = load_sweep("s.yaml", over={"seed": "0..3"})
    with pytest.raises(SweepError, match=r"worker processes end before they are ready \(exit code 1\)"):
        outcomes(pickle.dumps(Task(plan)), [0])
