"""Jobs that fail, half-written journals, and what is done first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.reproduce import journal as journal_module
from socsim.reproduce.chart import Bars, Table
from socsim.reproduce.claim import Claim, Effort, Finding, Job, Measure
from socsim.reproduce.journal import Journal
from socsim.reproduce.runner import forget, reproduce

DONE: list[str] = []


def echo(what: str) -> str:
    """Gives what it is given."""
    DONE.append(what)
    return what


def refuse(what: str) -> str:
    """Fails."""
    raise UsageError(f"{what} cannot be done")


def pair(what: str) -> tuple[str, dict[int, float]]:
    """Something that JSON changes."""
    return what, {1: 0.1}


def claim(name: str, *whats: str, **functions: Any) -> Claim:
    """A claim of a job for each word, and what its conclusion was told in `caption`."""

    def jobs(effort: Effort) -> dict[str, Job]:
        return {what: Job(functions.get(what, echo), (what,)) for what in whats}

    def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
        told = json.dumps([list(found.items()), effort.seeds])
        return Finding({"m": [1.0]}, Bars([], [], ""), Table("", (), ()), caption=told)

    return Claim(name, "", "", "", "", (Measure("m", "", None, 1.0, 1.0),), jobs, conclude, "")


def told(report: Any) -> Any:
    return json.loads(report.finding.caption)


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


# --- running --------------------------------------------------------------------------------------------------


def test_jobs_are_done_in_the_order_of_the_claims() -> None:
    reports = list(reproduce([claim("one", "b", "a"), claim("two", "c")], Effort(3)))
    assert DONE == ["b", "a", "c"]
    assert [told(report) for report in reports] == [[[["b", "b"], ["a", "a"]], 3], [[["c", "c"]], 3]]


def test_what_is_concluded_is_in_the_order_of_the_jobs_whatever_was_there_first(tmp_path: Path) -> None:
    kept, own = Journal(tmp_path), claim("one", "a", "b", "c")
    kept.keep("one: c", Job(echo, ("c",)), "c of before")
    (report,) = reproduce([own], Effort(2), journal=kept)
    assert DONE == ["a", "b"]
    assert told(report)[0] == [["a", "a"], ["b", "b"], ["c", "c of before"]]


def test_nothing_is_run_before_the_first_report_is_asked_for() -> None:
    reports = reproduce([claim("one", "a"), claim("two", "b")])
    assert DONE == []
    next(reports)
    assert DONE == ["a"]


def test_results_are_what_a_file_would_give_back() -> None:
    (report,) = reproduce([claim("one", "a", a=pair)])
    assert told(report)[0] == [["a", ["a", {"1": 0.1}]]]


def test_progress_counts_what_was_there_too(tmp_path: Path) -> None:
    kept, steps = Journal(tmp_path), list[tuple[int, int]]()
    kept.keep("two: b", Job(echo, ("b",)), "b")
    claims = [claim("one", "a"), claim("two", "b", "c")]
    list(reproduce(claims, Effort(2), journal=kept, progress=lambda *step: steps.append(step)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_fails_loses_nothing_that_is_done(tmp_path: Path, workers: int) -> None:
    kept = Journal(tmp_path)
    reports = reproduce(
        [claim("one", "a"), claim("two", "b", "c", c=refuse)], Effort(2), workers=1, journal=kept
    )
    assert next(reports).claim.name == "one"
    with pytest.raises(UsageError, match="c cannot be done"):
        next(reports)
    assert DONE == ["a", "b"]
    DONE.clear()
    mended = list(
        reproduce([claim("one", "a"), claim("two", "b", "c")], Effort(2), workers=workers, journal=kept)
    )
    assert DONE == ["c"] and [report.claim.name for report in mended] == ["one", "two"]


def test_a_failure_in_another_process_is_told_here() -> None:
    with pytest.raises(UsageError, match=r"^b cannot be done$"):
        list(reproduce([claim("one", "a", "b", b=refuse)], workers=2))


def test_claims_with_jobs_of_one_name_do_not_share_them(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    list(reproduce([claim("one", "a")], journal=kept))
    list(reproduce([claim("two", "a")], journal=kept))
    assert DONE == ["a", "a"] and len(list(kept.directory.iterdir())) == 2


def test_other_arguments_are_another_job(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    kept.keep("k", Job(echo, ("a", 1)), 1)
    assert kept.find("k", Job(echo, ("a", 1))) == (1,)
    for other in (Job(echo, ("a", 2)), Job(echo, ("a",)), Job(refuse, ("a", 1)), Job(echo, ("a", "1"))):
        assert kept.find("k", other) is None


# --- the journal ----------------------------------------------------------------------------------------------


def filed(kept: Journal) -> Path:
    (file,) = kept.directory.glob("*.json")
    return file


@given(st.integers(0, 60), st.binary(max_size=4))
def test_a_file_that_is_not_whole_is_no_result(
    tmp_path_factory: pytest.TempPathFactory, cut: int, more: bytes
) -> None:
    kept, job = Journal(tmp_path_factory.mktemp("journal")), Job(echo, ("a",))
    kept.keep("key", job, {"x": [1.5, None]})
    whole = filed(kept).read_bytes()
    filed(kept).write_bytes(whole[: min(cut, len(whole) - 1)] + more)
    assert kept.find("key", job) in (None, ({"x": [1.5, None]},))
    if not more:
        assert kept.find("key", job) is None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"null", b'"text"', b'{"key": "k"}', b"\xff\xfe", b"{" * 50]
)
def test_what_is_no_entry_is_no_result(tmp_path: Path, content: bytes) -> None:
    kept, job = Journal(tmp_path), Job(echo, ("a",))
    kept.keep("k", job, 1)
    filed(kept).write_bytes(content)
    assert kept.find("k", job) is None
    (report,) = reproduce([claim("k", "a")], journal=kept)
    assert told(report)[0] == [["a", "a"]]


def test_a_result_of_nothing_is_a_result(tmp_path: Path) -> None:
    kept, job = Journal(tmp_path), Job(echo, ("a",))
    kept.keep("k", job, None)
    assert kept.find("k", job) == (None,)


def test_versions_live_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, first = Job(echo, ("a",)), Journal(tmp_path)
    first.keep("k", job, "old")
    with monkeypatch.context() as other:
        other.setattr(journal_module, "fingerprint", lambda: "f" * 64)
        second = Journal(tmp_path)
        second.keep("k", job, "new")
        assert second.directory == tmp_path / ("f" * 20) and second.find("k", job) == ("new",)
        second.clear()
    assert first.find("k", job) == ("old",) and not second.directory.exists()


def test_no_half_is_left_where_a_result_cannot_be_put(tmp_path: Path) -> None:
    kept, job = Journal(tmp_path), Job(echo, ("a",))
    kept.keep("k", job, 1)
    file = filed(kept)
    file.unlink()
    file.mkdir()  # in the way
    kept.keep("k", job, 2)
    assert [path.name for path in kept.directory.iterdir()] == [file.name] and kept.find("k", job) is None
    kept.forget("k", job)  # which cannot be done either, and is no fault


def test_only_what_was_reported_is_forgotten(tmp_path: Path) -> None:
    kept, claims = Journal(tmp_path), [claim("one", "a", "b"), claim("two", "a")]
    list(reproduce(claims, journal=kept))
    forget(claims[:1], Effort(), kept)
    assert kept.find("two: a", Job(echo, ("a",))) == ("a",) and len(list(kept.directory.iterdir())) == 1
    forget(claims, Effort(), kept)
    assert not kept.directory.exists() and tmp_path.exists()
    forget(claims, Effort(), kept)  # nothing there


# --- efforts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "full", "least", "text"), [
    (1.0, 30, 0.2, "30 s"), (0.1, 30, 3, "3 s"), (0.05, 30, 3, "3 s"), (0.5, 0.6, 0.2, "0.3 s"),
])  # fmt: skip
def test_durations_shrink_to_the_least(share: float, full: float, least: float, text: str) -> None:
    assert Effort(share=share).seconds(full, least) == text


@given(st.floats(0.01, 1.0), st.integers(1, 100))
def test_at_least_three_inferences_and_never_more_than_of_a_long_run(share: float, full: int) -> None:
    assert 3 <= Effort(share=share).count(full) <= max(3, full)


def test_a_command_tells_what_is_not_as_usual() -> None:
    own = claim("one")
    assert own.command(Effort(10, 0.5)) == "socsim reproduce one"
    assert own.command(Effort(3)) == "socsim reproduce one --seeds 3"
