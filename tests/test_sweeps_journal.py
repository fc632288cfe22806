"""The journal: what is in it stays, whatever happens to its end; and the directory that holds it."""

from __future__ import annotations

import errno
import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import SweepError, UsageError
from socsim.sweeps.directory import claimed, read_identity, write_durably
from socsim.sweeps.identity import differences
from socsim.sweeps.journal import LINES, TABLES, Journal, read_lines, table_bytes
from socsim.sweeps.publishing import finished_rows, ordered
from socsim.sweeps.task import Outcome, failure

IDENTITY = {"experiment": {"device": "xiaomi-9", "sweep": {"seed": "0..3"}}, "runs": 4, "inputs": {}}


def outcome(run: int, value: float = 0.5, tables: bytes = b"") -> Outcome:
    content: dict[str, object] = {"run": run, "attempt": 1, "rows": [{"run": run, "app": "a", "x": value}]}
    if tables:
        content["tables"] = {"kernels": [0, len(tables), zlib.crc32(tables)]}
    return Outcome(run, True, json.dumps(content, separators=(",", ":")).encode(), tables)


def runs(folder: Path) -> list[int]:
    return [line.run for line in read_lines(folder)]


# --- appending ------------------------------------------------------------------------------------------------


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert journal.append([outcome(3), outcome(0, 1e-300)]) == [outcome(3), outcome(0, 1e-300)]
        journal.append([failure(1, 2, "error", 'says "rows":', "trace")])
        assert journal.finished == {3: True, 0: True, 1: False}
    assert [(line.run, line.ok) for line in read_lines(tmp_path)] == [(3, True), (0, True), (1, False)]
    assert list(ordered(tmp_path)) == [0, 1, 3]
    assert [content["rows"][0]["x"] for content in finished_rows(tmp_path)] == [1e-300, 0.5]
    (failed,) = finished_rows(tmp_path, ok=False)
    assert (failed["kind"], failed["error"], failed["attempt"]) == ("error", 'says "rows":', 2)


def test_no_run_is_kept_twice(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([outcome(0, 1.0), outcome(1)])
        assert journal.append([outcome(0, 2.0)]) == []
    with Journal(tmp_path) as journal:
        assert journal.append([outcome(1), outcome(2)]) == [outcome(2)]
    assert runs(tmp_path) == [0, 1, 2]


def test_a_later_success_takes_the_place_of_a_failure_and_not_the_other_way(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([failure(0, 1, "died", "x"), outcome(1)])
        journal.drop_failures()
        journal.append([outcome(0), failure(1, 1, "died", "x")])
    assert [content["run"] for content in finished_rows(tmp_path)] == [0, 1]
    assert list(finished_rows(tmp_path, ok=False)) == []


def test_tables_are_found_and_checked(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([outcome(0, tables=b"first"), outcome(1, tables=b"second")])
        journal.append([outcome(2, tables=b"third")])
    found = [table_bytes(tmp_path, line, line.content["tables"])["kernels"] for line in read_lines(tmp_path)]
    assert found == [b"first", b"second", b"third"]
    data = bytearray((tmp_path / TABLES).read_bytes())
    data[7] ^= 1
    (tmp_path / TABLES).write_bytes(data)
    line = list(read_lines(tmp_path))[1]
    with pytest.raises(SweepError, match="table 'kernels' of run 1 is damaged"):
        table_bytes(tmp_path, line, line.content["tables"])


# --- damage ---------------------------------------------------------------------------------------------------


@given(cut=st.integers(0, 10_000), more=st.integers(0, 3))
def test_a_torn_end_costs_only_itself(tmp_path_factory: pytest.TempPathFactory, cut: int, more: int) -> None:
    folder = tmp_path_factory.mktemp("torn")
    with Journal(folder) as journal:
        journal.append([outcome(i, i / 7) for i in range(6)])
    whole = (folder / LINES).read_bytes()
    torn = whole[: cut % (len(whole) + 1)]
    (folder / LINES).write_bytes(torn)
    kept = torn.count(b"\n")
    with Journal(folder) as journal:
        assert sorted(journal.finished) == list(range(kept))
        journal.append([outcome(i, i / 7) for i in range(6)][: kept + more])
        journal.append([outcome(i, i / 7) for i in range(6)])
    assert (folder / LINES).read_bytes() == whole


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_damaged_line_is_run_again(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    with Journal(folder) as journal:
        journal.append([outcome(i) for i in range(5)])
    data = bytearray((folder / LINES).read_bytes())
    data[at % len(data)] ^= 1 << bit
    (folder / LINES).write_bytes(data)
    with Journal(folder) as journal:
        lost = set(range(5)) - set(journal.finished)
        assert len(lost) <= 2  # a damaged end of a line takes the next one with it
        journal.append([outcome(i) for i in range(5)])
    assert [content["run"] for content in finished_rows(folder)] == list(range(5))


def test_an_empty_and_a_missing_journal(tmp_path: Path) -> None:
    assert runs(tmp_path) == []
    (tmp_path / LINES).write_bytes(b"")
    assert (runs(tmp_path), ordered(tmp_path)) == ([], {})
    with Journal(tmp_path) as journal:
        assert journal.finished == {}


# --- a full disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 1, 40, 150])
def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    left, write = [room], os.write

    def full(file: int, data: bytes) -> int:
        count = min(len(data), left[0])
        if not count:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= count
        return write(file, bytes(data)[:count])

    with Journal(tmp_path) as journal:
        journal.append([outcome(0, tables=b"kept")])
        before = [(tmp_path / name).read_bytes() for name in (LINES, TABLES)]
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(
                SweepError, match="No space left on device; 1 finished runs are kept there, and --resume"
            ):
                journal.append([outcome(1, tables=b"x" * 100), outcome(2)])
        assert (tmp_path / LINES).read_bytes() == before[0]
        journal.append([outcome(1, tables=b"later")])
    assert runs(tmp_path) == [0, 1]
    found = [table_bytes(tmp_path, line, line.content["tables"])["kernels"] for line in read_lines(tmp_path)]
    assert found == [b"kept", b"later"]


def test_a_full_disk_ends_a_sweep_that_goes_on_later(tmp_path: Path) -> None:
    """A real limit on the size of files, in a process of its own."""
    import subprocess
    import sys

    from sweepkit import ROOT, command, table, write_files

    write_files(tmp_path)
    arguments = ("s.yaml", "-s", "seed=0..59", "-j", "1", "-o", "out")
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        f"from socsim.cli import main; main({['sweep', *arguments]!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    kept = runs(tmp_path / "out" / "journal")
    assert 5 < len(kept) < 60
    assert (
        f"File too large; {len(kept)} finished runs are kept there, and --resume goes on with them"
        in done.stderr
    )
    assert command(tmp_path, *arguments, "--resume", "-q") == (0, "", "")
    assert table(tmp_path / "out")["run"].tolist() == list(range(60))
    assert runs(tmp_path / "out" / "journal")[: len(kept)] == kept


# --- the directory --------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def claim(target: str = "out", *, resume: bool = False, **changes: object) -> Path:
    with claimed(target, {**IDENTITY, **changes}, resume=resume) as folder:
        return folder


def refused(target: str = "out", **options) -> str:
    with pytest.raises(UsageError) as caught:
        claim(target, **options)
    return str(caught.value)


def test_a_new_directory_is_one_sweeps(here: Path) -> None:
    (here / "empty").mkdir()
    for name in ("out", "deep/er/out", "empty"):
        assert claim(name, resume=True) == here / name / "journal"
        assert read_identity(here / name) == IDENTITY
        assert claim(name, resume=True) == here / name / "journal"


def test_a_directory_of_something_else_is_refused(here: Path) -> None:
    (here / "file").write_text("")
    assert refused("file") == "output directory 'file' is a file; name a directory"
    assert "is where you are; name one below it" in refused(".")
    (here / "out").mkdir()
    (here / "out" / "thesis.tex").write_text("mine")
    assert refused() == "output directory 'out' holds 'thesis.tex'; a sweep needs a new or empty directory"
    manifest = {"socsim": "0.1.0", "files": ["thesis.tex"]}
    (here / "out" / "manifest.json").write_text(json.dumps(manifest))
    assert "holds the results of something else; a sweep needs" in refused(resume=True)
    assert (here / "out" / "thesis.tex").read_text() == "mine"


def test_a_directory_of_another_sweep_is_refused(here: Path) -> None:
    claim()
    assert refused() == (
        "output directory 'out' holds this sweep of 4 runs, which is not finished; --resume goes on with it"
    )
    other = {"device": "xiaomi-9", "sweep": {"seed": "0..9"}}
    assert refused(resume=True, experiment=other, runs=10) == (
        "output directory 'out' holds another sweep, or this one before it was changed: it differs in sweep.seed "
        "('0..3' there, '0..9' here); name another directory"
    )


def test_a_sweep_that_ended_before_it_began_is_no_obstacle(here: Path) -> None:
    (here / "out" / "journal").mkdir(parents=True)
    (here / "out" / "journal" / "lock").write_text("")
    (here / "out" / "journal" / ".sweep.json.partial").write_text('{"exp')
    assert claim() == here / "out" / "journal"


def test_one_process_at_a_time(here: Path) -> None:
    with claimed("out", IDENTITY, resume=True):
        assert "another process is running the sweep in 'out'; wait for it, or end it" in refused(resume=True)
    assert claim(resume=True)


def test_a_directory_that_cannot_be_written(here: Path) -> None:
    (here / "file").write_text("")
    assert refused("file/out") == "cannot write into output directory 'file/out': Not a directory"


def test_files_appear_when_they_are_complete(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_durably(file, b"old")
    write_durably(file, b"new")
    assert file.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"runs": 5}, "runs (4 there, 5 here)"),
        ({"slowdown": True}, "slowdown (nothing there, True here)"),
        ({"experiment": {"device": "xiaomi-9"}}, "sweep ({'seed': '0..3'} there, nothing here)"),
        ({"inputs": {"/f/own.py": "1"}}, "the content of /f/own.py"),
        (
            {"experiment": {"device": "a", "b": 1, "c": 2, "d": 3, "sweep": {"seed": "0..3"}}},
            "device ('xiaomi-9' there, 'a' here), b (nothing there, 1 here), c (nothing there, 2 here) "
            "and 1 place more",
        ),
    ],
)
def test_differences(change, told) -> None:
    assert differences(IDENTITY, {**IDENTITY, **change}) == told
