"""``socsim report``: what its page says of runs, comparisons and sweeps, and what it refuses."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from clikit import Cli, calling
from results_samples import app_record, mixed_outcome

from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.repeated import RepeatedComparison
from socsim.results.report import open_saved, report_page, write_report
from socsim.results.result import Result
from socsim.results.store import output_directory, write_table
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.processlog import ProcessRecord
from socsim.simulation.records import Basis, ClockRecord, EnergyRecord, TemperatureRecord

NASTY = """a<b>&"c'"""


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return calling(capsys)


def config(name: str = "app") -> dict[str, object]:
    app = {"kind": "inference", "name": name, "model": "tiny", "deadline": "9 ms", "note": "<script>"}
    return {
        "device": "toy",
        "duration": "10 ms",
        "governors": {"cpu": "schedutil"},
        "apps": [app, {"kind": "video"}],
    }


def result(**more: object) -> Result:
    """Two inferences, a dropped one, a video of three frames, clocks that change, heat, and rates of grade D."""
    bases = {
        "cpu/fp32": Basis(0.03, 0.8, 1.3, {"fc": 0.03}, "B"),
        "gpu/fp16/image": Basis(0.01, 0.9, 1.2, {"conv": 0.01}, "D"),
    }
    parts = {
        "apps": {"app": app_record(bases=bases)},
        "inferences": (
            InferenceRecord("app", 0, 0.0, 0.0, 0.008, "finished"),
            InferenceRecord("app", 1, 0.001, 0.008, 0.010, "finished"),
            InferenceRecord("app", 2, 0.002, -1.0, 0.003, "dropped"),
        ),
        "frames": tuple(
            FrameRecord("video", i, i * 3e-3, (i + 1) * 3e-3, at, status)
            for i, (at, status) in enumerate([(0.002, "presented"), (0.007, "late"), (-1.0, "dropped")])
        ),
        "processes": (ProcessRecord("app", "inference", "app", "gpu", 0.005),),
        "clocks": (
            ClockRecord(0.0, "gpu", 585e6),
            ClockRecord(0.004, "gpu", 257e6),
            ClockRecord(0.0, "dram", 2e9),
        ),
        "temperatures": tuple(TemperatureRecord(t, "skin", 30.0 + 1e3 * t) for t in (0.0, 0.005, 0.010)),
    }
    return Result(mixed_outcome(**{**parts, **more}), config(), {"app": 0.009})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result().save(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "out")


def page(path: Path) -> ET.Element:
    return ET.fromstring(report_page(open_saved(path)).removeprefix("<!DOCTYPE html>\n"))


def tables(root: ET.Element) -> list[list[list[str]]]:
    return [
        [["".join(c.itertext()) for c in row] for row in table.iter("tr")] for table in root.iter("table")
    ]


def column(rows: list[list[str]], name: str) -> list[str]:
    return [row[rows[0].index(name)] for row in rows[1:]]


def having(root: ET.Element, *names: str) -> list[list[str]]:
    (found,) = (table for table in tables(root) if {*names} <= {*table[0]})
    return found


def text(root: ET.Element) -> str:
    return " ".join("".join(root.itertext()).split())


# --- a run ----------------------------------------------------------------------------------------------------


def test_what_is_on_the_page_of_a_run(run: Path) -> None:
    root = page(run)
    assert root.find("head/title").text == "app, video on toy"
    assert [h.get("id") for h in root.iter("h2")] == [
        "summary", "latency", "frames", "gantt", "processors", "power", "energy", "clocks", "temperatures", "fallbacks",
        "rates", "predictions", "origin",
    ]  # fmt: skip
    facts = dict(map(tuple, tables(root)[0]))
    assert facts["run it again"].startswith("socsim run run ")
    assert (facts["governors"], facts["duration"], facts["seed"]) == ("{cpu: schedutil}", "10 ms", "7")
    assert column(tables(root)[1], "application") == ["app", "video"]


def test_the_summary_is_that_of_the_terminal_with_units_and_explanations(run: Path) -> None:
    root = page(run)
    rows = having(root, "latency mean [ms]", "library")
    assert rows[1][:5] == ["app", "tiny", "mace", "gpu", "fp32"]
    assert column(rows, "latency mean [ms]") == ["8.50"] and column(rows, "latency p95 [ms]") == ["8.95"]
    assert column(rows, "deadline miss share") == ["33.3%"]
    assert column(rows, "energy [mJ/inference]") == ["16.5"]
    abouts = {th.text: th.get("title") for th in root.iter("th")}
    assert abouts["power [W]"] == "mean power of the whole device over the run"
    assert having(root, "frames", "late")[1][:5] == ["video", "3", "1", "1", "1"]
    assert column(having(root, "gpu busy"), "gpu busy") == ["50%"]


def test_energy_adds_up_on_the_page(run: Path) -> None:
    root = page(run)
    parts = having(root, "meter")
    own = {row[1]: row[2:] for row in parts if row[0] == "component"}
    assert own["gpu"] == ["10.0", "30.3%", "1.000"]
    assert sum(float(row[0]) for row in own.values()) == pytest.approx(33.0)
    apps = having(root, "application", "sum [mJ]")
    assert column(apps, "sum [mJ]") == ["10.0", "12.0"] and column(apps, "application") == ["app", "idle"]


def test_fallbacks_and_rates_have_their_reasons(run: Path) -> None:
    root = page(run)
    assert having(root, "which")[1] == ["app", "no kernel", "1", "softmax"]
    assert having(root, "rates")[1:] == [
        ["app", "cpu/fp32", "B", "75%", "0.80 to 1.30 times"],
        ["app", "gpu/fp16/image", "D", "25%", "0.90 to 1.20 times"],
    ]
    (warned,) = (p.text for p in root.iter("p") if p.get("class") == "warning")
    assert warned.startswith(
        "app: the rates of gpu/fp16/image, on which 25% of its time in kernels rests, are estimates"
    )
    assert "gpu: 1 of 4 operators not supported, run on the CPU instead: no kernel (1)" in text(root)


def test_clocks_that_stay_are_told_in_words(run: Path) -> None:
    assert "The others do not change [MHz]: dram 2,000." in text(page(run))


def test_the_page_needs_nothing_beside_itself(run: Path) -> None:
    root, raw = page(run), report_page(open_saved(run))
    links = [e.get(key) for e in root.iter() for key in ("src", "href") if e.get(key)]
    assert links and all(link.startswith("data:image/") for link in links)
    assert "<script" not in raw and "@import" not in raw and "url(" not in raw and "<link" not in raw
    assert "@media print" in raw and "width=device-width" in raw


def test_the_same_directory_gives_the_same_bytes(run: Path, copy: Path) -> None:
    moved = shutil.copytree(copy, copy.parent / "elsewhere" / "run")
    assert report_page(open_saved(run)) == report_page(open_saved(run)) == report_page(open_saved(moved))


@pytest.mark.parametrize("name", [NASTY, "_x", r"$\frac$ $", "名\U0001f4f1", "run", "idle"])
def test_names_are_text_whatever_is_in_them(tmp_path: Path, name: str) -> None:
    named = Result(
        mixed_outcome(
            apps={name: app_record(app=name, fallbacks={"<i>": "no </td>"})},
            inferences=(InferenceRecord(name, 0, 0.0, 0.0, 0.008, "finished"),),
            used=(EnergyRecord(name, "inference", "gpu", 0.008, 0.005),),
            processes=(ProcessRecord(name, "inference", name, "gpu", 0.005),),
            kernels=(),
        ),
        config(name),
    )
    root = page(named.save(tmp_path / "out"))
    assert having(root, "latency mean [ms]", "library")[1][0] == name
    whose = "idle (application)" if name == "idle" else name
    assert column(having(root, "sum [mJ]"), "application") == [whose]
    assert having(root, "which")[1][1:] == ["no </td>", "1", "<i>"]
    assert "note: <script>" in text(root) and not list(root.iter("script"))


def test_a_run_without_inferences_or_records_has_what_there_is(tmp_path: Path) -> None:
    none = {"apps": {}, "inferences": (), "kernels": (), "used": (), "predictions": ()}
    root = page(Result(mixed_outcome(**none), {"device": "toy"}).save(tmp_path / "out"))
    assert [h.get("id") for h in root.iter("h2")] == ["power", "energy", "clocks", "origin"]


def test_many_inferences_are_drawn_as_spans(tmp_path: Path) -> None:
    many = tuple(
        InferenceRecord("app", i, i * 1e-5, i * 1e-5, (i + 1) * 1e-5, "finished") for i in range(3000)
    )
    assert "shade: 5th to 95th percentile" in text(page(result(inferences=many).save(tmp_path / "out")))


def test_tables_as_csv_do_as_well(copy: Path) -> None:
    before = tables(page(copy))
    manifest = json.loads((copy / "manifest.json").read_text())
    for file in copy.glob("*.parquet"):
        pd.read_parquet(file).to_csv(file.with_suffix(".csv"), index=False)
        file.unlink()
    manifest["files"] = [name.replace(".parquet", ".csv") for name in manifest["files"]]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert tables(page(copy)) == before


# --- comparisons ----------------------------------------------------------------------------------------------


def compared() -> Comparison:
    slow = InferenceRecord("app", 0, 0.0, 0.0, 0.009, "finished")
    other = {"apps": {"app": app_record(scheduler="codl")}, "inferences": (slow,)}
    settings = {"device": "toy", "model": "tiny", "schedulers": ["gpu", "codl"]}
    return Comparison([result(), result(**other)], settings)


def test_what_is_on_the_page_of_a_comparison(tmp_path: Path) -> None:
    root = page(compared().save(tmp_path / "out"))
    assert root.find("head/title").text == "tiny, compared on toy"
    rows = having(root, "speedup")
    assert column(rows, "scheduler") == ["gpu", "codl"] and column(rows, "speedup") == ["1.00", "0.94"]
    alts = [img.get("alt") for img in root.iter("img")]
    assert [alt for alt in alts if "gantt" in alt] == [
        f"who computed what when, {n}/gantt.png" for n in ("gpu", "codl")
    ]
    assert "latency and busy share of every processor" in alts
    assert [row[0] for row in having(root, "which")[1:]] == ["gpu", "codl"]


def test_what_is_on_the_page_of_a_comparison_with_several_seeds(tmp_path: Path) -> None:
    other = Comparison([result(inferences=(r,)) for r in _shifted(0.008, 0.004)])
    several = RepeatedComparison(
        [Comparison([result(inferences=(r,)) for r in _shifted(0.010, 0.005)]), other], [0, 1], {}
    )
    root = page(several.save(tmp_path / "out"))
    rows = having(root, "speed-up, seed by seed")
    assert "Means over 2 seeds" in text(root)
    assert column(rows, "latency mean [ms]") == ["9.00 ±12.71", "4.50 ±6.35"]
    assert column(rows, "speed-up, seed by seed") == ["1.000", "2.000"]


def _shifted(*latencies: float) -> list[InferenceRecord]:
    return [InferenceRecord("app", 0, 0.0, 0.0, latency, "finished") for latency in latencies]


# --- sweeps ---------------------------------------------------------------------------------------------------


def swept(path: Path, rows: list[dict[str, object]], failures: list[dict[str, object]] = []) -> Path:  # noqa: B006
    about = {"experiment": {"device": "toy", "sweep": {"count": "0..2"}}, "device": "toy", "runs": len(rows)}
    with output_directory(path, about) as partial:
        write_table(pd.DataFrame(rows), partial, "runs")
        if failures:
            write_table(pd.DataFrame(failures), partial, "failures")
    return path


def point(
    number: int, count: object, latency: float | None, *, scheduler: str = "cpu", seed: int = 0
) -> dict[str, object]:
    named = {"run": number, "net.scheduler": scheduler, "count": count, "seed": seed, "app": "net"}
    return {
        **named,
        "latency_ms_mean": latency,
        "energy_mj": 5.0,
        "overloaded": False,
        "frame_drop_share": None,
    }


def test_what_is_on_the_page_of_a_sweep(tmp_path: Path) -> None:
    rows = [
        point(i, count, 10.0 * (count + 1) + seed, scheduler=scheduler, seed=seed)
        for i, (scheduler, count, seed) in enumerate((s, c, k) for s in ("cpu", "gpu") for c in (0, 1) for k in (0, 1))
    ]  # fmt: skip
    failed = [
        {"run": 9, "count": 7, "kind": "error", "error": "<it> failed", "attempts": 1, "trace": "Traceback"}
    ]
    root = page(swept(tmp_path / "out", rows, failed))
    assert having(root, "latency mean [ms]") == [
        ["net.scheduler", "count", "latency mean [ms]", "energy [mJ/inference]"],
        ["cpu", "0", "10.50 ±6.35", "5.0"],
        ["cpu", "1", "20.50 ±6.35", "5.0"],
        ["gpu", "0", "10.50 ±6.35", "5.0"],
        ["gpu", "1", "20.50 ±6.35", "5.0"],
    ]
    assert having(root, "error") == [["run", "count", "kind", "error"], ["9", "7", "error", "<it> failed"]]
    assert [img.get("alt") for img in root.iter("img")] == ["metrics against count"]
    assert "Lines: net.scheduler. Whiskers" in text(root)


def test_axes_without_numbers_are_bars(tmp_path: Path) -> None:
    rows = [point(i, count, 1.0 + i) for i, count in enumerate(["none", "low <1>", "high"])]
    root = page(swept(tmp_path / "out", rows))
    assert [img.get("alt") for img in root.iter("img")] == ["metrics against count"]


def test_axes_that_are_too_many_to_tell_apart_are_averaged_and_it_says_so(tmp_path: Path) -> None:
    rows = [{**point(i, i % 3, float(i)), "net.scheduler": f"s{i // 3}"} for i in range(60)]
    assert "Means over net.scheduler." in text(page(swept(tmp_path / "out", rows)))


def test_a_sweep_of_which_nothing_finished_has_no_figure(tmp_path: Path) -> None:
    root = page(swept(tmp_path / "out", [point(i, i, None) for i in range(2)]))
    assert not list(root.iter("img")) and column(having(root, "count"), "count") == ["0", "1"]


def test_long_sweeps_show_their_beginning(tmp_path: Path) -> None:
    root = page(swept(tmp_path / "out", [point(i, i, float(i)) for i in range(450)]))
    assert "The first 400 of 450 points; runs.parquet has them all." in text(root)
    assert len(having(root, "count")) == 401


# --- the command ----------------------------------------------------------------------------------------------


def test_the_page_stays_in_the_directory_which_may_still_be_replaced(cli: Cli, copy: Path) -> None:
    code, out, err = cli("report", copy)
    assert (code, out, err) == (0, f"written to {copy / 'report.html'}\n", "")
    first = (copy / "report.html").read_bytes()
    assert cli("report", copy / "manifest.json")[0] == 0
    assert (copy / "report.html").read_bytes() == first
    result().save(copy)
    assert not (copy / "report.html").exists()


def test_from_another_directory_to_a_page_that_is_there(
    cli: Cli, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("page.html").write_text("old")
    assert cli("report", "out", "-o", "page.html") == (0, f"written to {tmp_path / 'page.html'}\n", "")
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not (copy / "report.html").exists()
    assert cli("report", "out", "-q") == (0, "", "")


def test_json_tells_where_the_page_is(cli: Cli, copy: Path) -> None:
    code, out, _ = cli("report", copy, "--json")
    assert code == 0
    assert json.loads(out) == {"page": str(copy / "report.html"), "kind": "run", "written": True}


def test_what_has_its_own_page_is_pointed_to(cli: Cli, tmp_path: Path) -> None:
    with output_directory(tmp_path / "val", {"measurements": []}) as partial:
        (partial / "index.html").write_text("<p>its own</p>")
    page = tmp_path / "val" / "index.html"
    code, out, err = cli("report", tmp_path / "val", "-o", tmp_path / "copy.html")
    assert (code, out, err) == (0, f"{tmp_path / 'val'} has its own page: {page}\n", "")
    assert page.read_text() == "<p>its own</p>" and not (tmp_path / "copy.html").exists()
    assert json.loads(cli("report", tmp_path / "val", "--json")[1])["written"] is False
    with pytest.raises(UsageError, match="is a page already"):
        report_page(open_saved(tmp_path / "val"))


def refused(cli: Cli, *args: object) -> str:
    code, out, err = cli("report", *args)
    assert (code, out) == (2, "") and err.startswith("socsim: ") and len(err.splitlines()) == 1
    return err.removeprefix("socsim: ").rstrip("\n")


def test_what_is_no_output_is_told_so(cli: Cli, copy: Path, tmp_path: Path) -> None:
    assert refused(cli, tmp_path / "none").startswith(
        f"there is no directory '{tmp_path / 'none'}'; name one that"
    )
    assert "is a file; name the directory" in refused(cli, copy / "energy.parquet")
    (tmp_path / "empty").mkdir()
    assert refused(cli, tmp_path / "empty").endswith(
        "is no output of socsim: it has no manifest.json, which is written last"
    )
    assert refused(cli, tmp_path).endswith(f"did you mean '{copy}'?")
    (copy / "gpu").mkdir()
    assert refused(cli, copy / "gpu").endswith(f"is a part of an output; report the whole: '{copy}'")
    (tmp_path / "sweep" / "journal").mkdir(parents=True)
    (tmp_path / "sweep" / "journal" / "sweep.json").write_text("{}")
    assert "is not finished; 'socsim sweep --resume -o" in refused(cli, tmp_path / "sweep")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"files": 3, "socsim": "1"}', b'{"a": 1}'])
def test_damaged_manifests_are_told(cli: Cli, copy: Path, content: bytes) -> None:
    (copy / "manifest.json").write_bytes(content)
    assert refused(cli, copy) == f"'{copy / 'manifest.json'}' is damaged, or not one that socsim wrote"


def test_manifests_of_something_else_are_told(cli: Cli, tmp_path: Path) -> None:
    with output_directory(tmp_path / "out", {}) as partial:
        (partial / "notes.txt").write_text("x")
    assert "holds nothing to report: its manifest lists no tables" in refused(cli, tmp_path / "out")


@pytest.mark.parametrize("table", ["summary", "inferences", "power", "energy", "rates"])
@pytest.mark.parametrize("kept", [0, 40, -9])
def test_half_written_tables_are_told(cli: Cli, copy: Path, table: str, kept: int) -> None:
    path = copy / f"{table}.parquet"
    path.write_bytes(path.read_bytes()[:kept])
    told = refused(cli, copy)
    assert told.startswith(f"'{path}' is damaged: ") and told.endswith(
        "make it again with 'socsim run out -o NEW'"
    )
    assert not (copy / "report.html").exists()


def test_tables_without_a_column_are_told(cli: Cli, copy: Path) -> None:
    pd.DataFrame({"meter": ["component"]}).to_parquet(copy / "power.parquet")
    assert refused(cli, copy).startswith(
        f"'{copy / 'power.parquet'}' has no column 'component'; make it again"
    )


def test_pictures_that_are_none_are_told(cli: Cli, copy: Path) -> None:
    (copy / "gantt.png").write_bytes(b"GIF")
    assert "gantt.png' is damaged: it is no PNG" in refused(cli, copy)


def test_what_is_gone_is_left_out_and_told(copy: Path) -> None:
    for name in ("power.parquet", "gantt.png", "trace.json.gz"):
        (copy / name).unlink()
    root = page(copy)
    assert {"power", "gantt"}.isdisjoint(h.get("id") for h in root.iter("h2"))
    assert "Gone since it was written, and not on this page: gantt.png, power.parquet." in text(root)


def test_pages_that_cannot_be_written_are_told(cli: Cli, copy: Path, tmp_path: Path) -> None:
    assert "it is a directory; name a file" in refused(cli, copy, "-o", tmp_path)
    assert refused(cli, copy, "-o", tmp_path / "no" / "x.html").startswith("cannot write the page to ")


def test_what_a_manifest_need_not_say_is_left_out(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    kept = {key: manifest[key] for key in ("socsim", "files")}
    (copy / "manifest.json").write_text(
        json.dumps({**kept, "notes": 3, "command": "x", "experiment": [1], "inputs": 1})
    )
    saved = open_saved(copy)
    assert saved.kind == "run" and saved.experiment == {}
    assert write_report(saved) == copy / "report.html"


def test_help_says_what_the_page_has(cli: Cli) -> None:
    code, out, _ = cli("report", "--help")
    assert code == 0 and "DIR/report.html" in out and "run, compare or sweep" in " ".join(out.split())
