"""The machinery of reproductions, on claims that cost nothing."""

from __future__ import annotations

import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from socsim.errors import SimulationError
from socsim.reproduce import journal as journal_module
from socsim.reproduce.chart import Bars, Grid, Lines, Points, Series, Table
from socsim.reproduce.claim import Claim, Effort, Finding, Job, Measure, band
from socsim.reproduce.figures import picture
from socsim.reproduce.helpers import by_seed, half_width, play, quoted, spread, times_ms
from socsim.reproduce.journal import Journal, cache_directory, fingerprint
from socsim.reproduce.page import band_text, legend, page
from socsim.reproduce.runner import forget, reproduce
from socsim.reproduce.verdict import Report, format_value, judge

CALLS: list[int] = []


def draw(seed: int) -> float:
    """A number that follows from the seed."""
    CALLS.append(seed)
    return random.Random(seed).random()


def stumble(seed: int) -> float:
    """Fails at the third seed."""
    if seed == 2:
        raise KeyboardInterrupt
    return draw(seed)


def table(title: str = "Numbers <&>") -> Table:
    return Table(title, ("", "x"), (("a", "1"), ("b <script>", "2")))


def claim(name: str = "numbers", *measures: Measure, function: Any = draw, **options: Any) -> Claim:
    """The mean of what is drawn."""
    own = measures or (Measure("x", "what x is", 0.5, 0.0, 1.0),)

    def jobs(effort: Effort) -> dict[str, Job]:
        return {f"draw {seed}": Job(function, (seed,)) for seed in range(effort.seeds)}

    def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
        values = by_seed(found, "draw", seeds=effort.seeds)
        chart = Bars(["x"], [Series("s", [values[0]], errors=[half_width(values)])], "x", [0.5], [(0.0, 1.0)])
        return Finding({m.name: values for m in own}, chart, table(), (), ("a note",))

    texts = {"title": "a title & more", "paper": "A et al.", "section": "section 1", "reports": "It is < 1."}
    return Claim(
        name, **texts, measures=own, jobs=jobs, conclude=conclude, mechanism="By chance.",
        assumptions=("none",), **options,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


# --- verdicts -------------------------------------------------------------------------------------------------


def judged(measure: Measure, *values: float) -> bool:
    finding = Finding({measure.name: values}, Bars([], [], ""), table())
    return judge(claim("c", measure), finding, Effort()).judged[0].holds


@pytest.mark.parametrize(
    ("low", "high", "value", "expected"),
    [(1.0, 2.0, 1.0, True), (1.0, 2.0, 2.0, True), (1.0, 2.0, 2.01, False), (1.0, 2.0, 0.99, False),
     (None, 2.0, -9.0, True), (1.0, None, 9.0, True), (1.0, None, 0.0, False)],
)  # fmt: skip
def test_bands_include_their_ends(
    low: float | None, high: float | None, value: float, expected: bool
) -> None:
    assert judged(Measure("m", "", None, low, high), value) is expected


def test_a_band_takes_the_mean_and_a_direction_the_whole_interval() -> None:
    values = (0.9, 1.1, 1.3)
    assert judged(Measure("m", "", None, 1.0, None), *values)
    assert not judged(Measure("m", "", None, 1.0, None, kind="direction"), *values)
    assert judged(Measure("m", "", None, 0.5, None, kind="direction"), *values)
    assert judged(Measure("m", "", None, None, 2.0, kind="direction"), *values)
    assert not judged(Measure("m", "", None, None, 1.2, kind="direction"), *values)


def test_no_effect_is_no_direction() -> None:
    assert not judged(Measure("m", "", None, 1.0, None, kind="direction"), 1.0, 1.0)


def test_not_a_number_never_holds() -> None:
    assert not judged(Measure("m", "", None, 1.0, 2.0), math.nan)


def test_a_band_around_a_factor() -> None:
    m = band("m", "what", 3.4)
    assert (m.low, m.high, m.unit, m.kind) == (2.72, 4.08, "x", "band")
    assert band("m", "", 5.0, "points", tolerance=0.1).low == 4.5


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(None, "x", "-"), (2.0149, "x", "2.01x"), (0.4828, "share", "48.3 %"), (74.968, "%", "74.97 %"),
     (53.0, "ms", "53 ms"), (8.0, "", "8"), (5.146, "points", "5.15 points")],
)  # fmt: skip
def test_numbers_for_people(value: float | None, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_rows() -> None:
    (report,) = reproduce([claim()], Effort(3))
    (row,) = report.rows()
    assert list(row) == [
        "claim", "measure", "unit", "kind", "paper", "simulated", "simulated_low", "simulated_high",
        "low", "high", "holds",
    ]  # fmt: skip
    expected = sum(random.Random(seed).random() for seed in range(3)) / 3
    assert row["simulated"] == pytest.approx(expected) and row["holds"] is True
    assert (row["claim"], row["measure"], row["paper"], row["low"], row["high"]) == (
        "numbers",
        "x",
        0.5,
        0.0,
        1.0,
    )


def test_rows_have_intervals_where_there_are_seeds() -> None:
    (report,) = reproduce([claim()], Effort(3))
    (row,) = report.rows()
    assert row["simulated_high"] - row["simulated"] == pytest.approx(report.judged[0].mean.half_width)
    assert row["simulated_low"] < row["simulated"] < row["simulated_high"]
    once = Finding({"x": [0.5]}, Bars([], [], ""), table())
    (row,) = judge(claim(), once, Effort()).rows()
    assert row["simulated_low"] is None and row["simulated_high"] is None


def test_prose_takes_its_numbers_from_the_run() -> None:
    wrong = Measure("x", "x", 5.0, 4.0, 6.0, otherwise="It is {x} here.")
    told = Finding({"x": [0.5]}, Bars([], [], ""), table(), numbers={"x": "0.50"})
    report = judge(claim("c", wrong), told, Effort())
    assert report.shortfalls == ["It is 0.50 here."] and report.filled("{x} times") == "0.50 times"
    with pytest.raises(KeyError, match="y"):
        report.filled("{y}")


# --- running --------------------------------------------------------------------------------------------------


def found(reports: list[Report]) -> list[Any]:
    return [(r.claim.name, r.finding.values) for r in reports]


def test_results_do_not_depend_on_the_number_of_processes() -> None:
    claims = [claim("one"), claim("two")]
    alone = found(list(reproduce(claims, Effort(4))))
    assert found(list(reproduce(claims, Effort(4), workers=2))) == alone


def test_reports_come_in_order_and_progress_counts() -> None:
    steps: list[tuple[int, int]] = []
    reports = reproduce([claim("one"), claim("two")], Effort(3), progress=lambda *step: steps.append(step))
    assert next(reports).claim.name == "one" and steps == [(1, 6), (2, 6), (3, 6)]
    assert next(reports).claim.name == "two" and steps[-1] == (6, 6)


def test_an_interrupted_reproduction_goes_on_where_it_ended(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(reproduce([claim("first"), claim("second", function=stumble)], Effort(4), journal=kept))
    assert CALLS == [0, 1, 2, 3, 0, 1] and len(list(kept.directory.iterdir())) == 6
    CALLS.clear()
    resumed = list(reproduce([claim("first"), claim("third")], Effort(4), journal=kept))
    assert CALLS == [0, 1, 2, 3]  # the third's; the first's were there
    assert found(resumed)[0] == found(list(reproduce([claim("first")], Effort(4))))[0]


def test_results_are_kept_until_they_are_forgotten(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    list(reproduce([claim()], Effort(2), journal=kept))
    list(reproduce([claim()], Effort(2), journal=kept))
    assert CALLS == [0, 1]
    (kept.directory / "1234.99.partial").write_text("{")  # of a process that was killed
    forget([claim()], Effort(2), kept)
    assert not kept.directory.exists()
    list(reproduce([claim()], Effort(2), journal=kept))
    assert CALLS == [0, 1, 0, 1]


def test_what_others_have_left_is_not_forgotten(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    list(reproduce([claim("one"), claim("two")], Effort(2), journal=kept))
    forget([claim("one")], Effort(2), kept)
    list(reproduce([claim("two")], Effort(2), journal=kept))
    assert CALLS == [0, 1, 0, 1] and len(list(kept.directory.iterdir())) == 2


def wait_long(seconds: float) -> float:
    """Takes a while."""
    time.sleep(seconds)
    return seconds


def die(seed: int) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return float(seed)


def test_a_process_that_dies_is_told_in_a_sentence() -> None:
    with pytest.raises(SimulationError, match=r"died.*run the same command again"):
        list(reproduce([claim(function=die)], Effort(2), workers=2))


KILLED = """
import os, sys, threading, time
sys.path.insert(0, {tests!r})
from test_reproduce import claim, wait_long
from socsim.reproduce.claim import Effort, Job
from socsim.reproduce.runner import reproduce
from dataclasses import replace
if __name__ == "__main__":
    slow = replace(claim(), jobs=lambda effort: {{f"draw {{n}}": Job(wait_long, (60.0 + n,)) for n in range(2)}})
    print(os.getpid(), flush=True)
    list(reproduce([slow], Effort(2), workers=2))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for children in /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parent)))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as first:
        try:
            workers = until(lambda: children(first.pid, "spawn_main"), lambda found: len(found) == 2)
        finally:
            first.kill()
    until(lambda: [pid for pid in workers if alive(pid)], lambda left: not left)


def until(look: Any, enough: Any) -> Any:
    """What is seen once it is enough; at most half a minute."""
    for _ in range(300):
        if enough(found := look()):
            return found
        time.sleep(0.1)
    raise AssertionError(f"still {look()}")


def children(parent: int, word: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            ppid = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if ppid == parent and word in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_resumed_results_have_the_same_bits(tmp_path: Path) -> None:
    kept, job = Journal(tmp_path), Job(draw, (7,))
    assert kept.find("k", job) is None
    kept.keep("k", job, {"x": [draw(7), None, "é"]})
    assert kept.find("k", job) == ({"x": [draw(7), None, "é"]},)
    assert kept.find("k", Job(draw, (8,))) is None and kept.find("other", job) is None
    kept.forget("k", job)
    assert kept.find("k", job) is None


def test_what_is_kept_of_other_versions_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(tmp_path).keep("k", Job(draw, (1,)), 1.0)
    monkeypatch.setattr(journal_module, "fingerprint", lambda: "0" * 64)
    assert Journal(tmp_path).find("k", Job(draw, (1,))) is None


def test_half_a_file_is_no_result(tmp_path: Path) -> None:
    kept, job = Journal(tmp_path), Job(draw, (1,))
    kept.keep("k", job, 1.0)
    (file,) = kept.directory.iterdir()
    file.write_text('{"key": "k", "res')
    assert kept.find("k", job) is None
    kept.clear()
    assert not kept.directory.exists()


def test_a_journal_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Journal(tmp_path / "file")
    (report,) = reproduce([claim()], Effort(2), journal=kept)
    assert report.holds


def test_where_journals_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "socsim" / "reproduce"
    assert re.fullmatch("[0-9a-f]{64}", fingerprint())


# --- helpers --------------------------------------------------------------------------------------------------


def test_effort() -> None:
    assert (Effort().seconds(12), Effort(share=0.1).seconds(12), Effort(share=0.01).seconds(12)) == (
        "12 s", "1.2 s", "0.2 s",
    )  # fmt: skip
    assert (Effort().count(12), Effort(share=0.1).count(60), Effort(share=0.1).count(12)) == (12, 6, 3)


def test_playing_one_point_of_an_experiment() -> None:
    result = play(
        "competing-processes", "apps.net.scheduler=gpu", "apps.busy.count=0", "seed=1", "apps.net.count=3"
    )
    assert result.outcome.seed == 1 and len(times_ms(result, "net", warm_up=1)) == 2
    with pytest.raises(Exception, match="has 18 points; settle all axes"):
        play("competing-processes", "seed=1")


def test_words() -> None:
    assert spread([1.0, 2.0, 3.0]) == "2.00 (1.00 to 3.00)" and spread([1.0, 1.0], ".1f") == "1.0"
    assert quoted(["a"]) == "a" and quoted(["a", "b", "c"]) == "a, b and c"


# --- the page -------------------------------------------------------------------------------------------------

CHARTS = [
    Bars(["a", "b"], [Series("s", [1.0, 2.0], errors=[0.1, 0.2]), Series("t", [2.0, 1.0])], "x",
         [1.5, None], [(1, None), (None, 2)]),
    Bars(["a", "b"], [Series("s", [1.0, 2.0]), Series("t", [2.0, 1.0])], "x", stacked=True),
    Lines([Series("s", [1.0, 2.0], [0.0, 1.0], [0.1, 0.1])], "x", "y", [Series("s", [1.0], [0.0])],
          [("level", 1.5)], True),
    Points([Series("s", [1.0, math.nan], [0.0, 1.0])], [["p", "q"]], "x", "y", [(0.0, 1.0)]),
    Grid(["r"], ["c", "d"], [["one", "two"]], [["1", "2"]], "x", "y"),
]  # fmt: skip


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: type(chart).__name__)
def test_pictures(chart: Any) -> None:
    drawn = picture(chart)
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert picture(chart) == drawn
    assert picture(chart, "png").startswith(b"\x89PNG")


def made(*measures: Measure) -> str:
    reports = list(reproduce([claim("one", *measures), claim("two", random=False)], Effort(3)))
    return page(reports, {"command": "socsim reproduce <one>"})


def test_the_page_is_well_formed() -> None:
    html = made()
    root = ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    assert [h.get("id") for h in root.iter("h2")] == ["one", "two"]
    assert sum(1 for _ in root.iter("img")) == 2
    text = " ".join("".join(root.itertext()).split())
    for told in ("2 of 2 claims hold", "It is < 1.", "By chance.", "a note", "socsim reproduce one --seeds 3",
                 "seeds 0 to 2", "nothing random", "Numbers <&>", "b <script>"):  # fmt: skip
        assert told in text, told


def test_the_page_needs_nothing_beside_itself() -> None:
    html = made()
    root = ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    links = [e.get(key) or "" for e in root.iter() for key in ("src", "href") if e.get(key)]
    assert links and all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in links)
    assert "<script" not in html and "@import" not in html and "url(" not in html and "<link" not in html


def test_the_page_says_why_something_does_not_hold() -> None:
    wrong = Measure("x", "x", 5.0, 4.0, 6.0, otherwise="Because it is drawn from 0 to 1.")
    html = made(wrong)
    assert "1 of 2 claims hold" in html and "Why it does not hold" in html and "drawn from 0 to 1" in html
    assert "Why it does not hold" not in made()


def test_figures_have_captions() -> None:
    assert "<figcaption>Black marks: published. Shaded: the band. Whiskers: 95 % confidence" in made()
    assert legend(CHARTS[1]) == "" == legend(CHARTS[4])
    assert legend(CHARTS[2]) == "Dashed: published. Shades: 95 % confidence interval of the mean."
    assert legend(CHARTS[3]) == "Dashed: the Pareto front, of points that no other beats in both."


def test_bands_in_words() -> None:
    def text(low: float | None, high: float | None) -> str:
        (report,) = reproduce([claim("c", Measure("x", "", None, low, high))], Effort(2))
        return band_text(report.judged[0])

    assert [text(1, 2), text(1, None), text(None, 2)] == ["1x to 2x", "above 1x", "below 2x"]


def test_rows_survive_json() -> None:
    (report,) = reproduce([claim()], Effort(2))
    assert json.loads(json.dumps(report.rows())) == report.rows()
