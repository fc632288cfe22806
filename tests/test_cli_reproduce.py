"""``socsim reproduce``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from clikit import Cli, calling

from socsim.errors import UsageError

CHEAP = ("unsupported-operators", "frame-drops")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return calling(capsys)


def test_the_list(cli: Cli) -> None:
    code, out, _ = cli("reproduce", "--list")
    assert code == 0 and len(out.splitlines()) == 16 and "granularity" in out
    code, out, _ = cli("reproduce", "codl", "--list", "--json")
    (row,) = json.loads(out)
    assert code == 0 and row["claim"] == "codl" and list(row) == ["claim", "title", "paper", "reports"]


def test_a_table(cli: Cli) -> None:
    code, out, err = cli("reproduce", *CHEAP, "-j", 1)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["claim", "measure", "paper", "simulated", "band", "holds"]
    assert (
        lines[1].split()[0] == "unsupported-operators" and "48.3 %" in lines[1] and lines[1].endswith("yes")
    )
    assert out.rstrip().endswith("2 of 2 claims hold.")
    assert err.splitlines() == [
        "socsim: 1 of 2: unsupported-operators holds", "socsim: 2 of 2: frame-drops holds"
    ]  # fmt: skip


def test_json_is_all_that_is_printed(cli: Cli) -> None:
    code, out, _ = cli("reproduce", *CHEAP, "--json", "-j", 1)
    rows = json.loads(out)
    assert code == 0 and [row["claim"] for row in rows] == list(CHEAP)
    assert list(rows[0]) == [
        "claim", "measure", "unit", "kind", "paper", "simulated", "simulated_low", "simulated_high",
        "low", "high", "holds",
    ]  # fmt: skip
    assert rows[0]["low"] <= rows[0]["simulated"] <= rows[0]["high"] and rows[0]["holds"] is True


def test_several_processes_give_the_same(cli: Cli) -> None:
    _, alone, _ = cli("reproduce", *CHEAP, "--json", "-j", 1, "-q")
    _, both, err = cli("reproduce", *CHEAP, "--json", "-j", 2, "-q")
    assert alone == both and err == ""


def test_output(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("reproduce", "frame-drops", "-o", "out", "-j", 1)
    assert code == 0 and f"written to {tmp_path / 'out'}" in out
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert (
        "frame-drops" in html
        and "socsim reproduce frame-drops" in html
        and "http" not in html.split("<body>")[1]
    )
    rows = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert [row["claim"] for row in rows] == ["frame-drops"]
    assert not list((tmp_path / "cache" / "socsim").rglob("*.json"))


def test_what_was_simulated_is_kept_where_it_cannot_be_saved(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise UsageError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("socsim.reproduce.page.page", full)
        code, _, err = cli("reproduce", "unsupported-operators", "-o", "out", "-j", 1)
    assert code == 2 and "no space left" in err
    assert list((tmp_path / "cache" / "socsim").rglob("*.json")) and not (tmp_path / "out").exists()
    code, _, _ = cli("reproduce", "unsupported-operators", "-o", "out", "-j", 1)
    assert code == 0 and not list((tmp_path / "cache" / "socsim").rglob("*.json"))


def test_no_resumption(cli: Cli) -> None:
    code, _, _ = cli("reproduce", "frame-drops", "--no-resume", "-q", "-j", 1)
    assert code == 0


def test_bad_input(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("reproduce", "frame-drop")
    assert (code, out) == (2, "") and "unknown claim 'frame-drop'; did you mean 'frame-drops'?" in err
    (tmp_path / "file").write_text("")
    code, _, err = cli("reproduce", "frame-drops", "-o", "file")
    assert code == 2 and "is a file" in err
    code, _, err = cli("reproduce", "frame-drops", "--seeds", "1")
    assert code == 2 and "1" in err
