"""Comparisons, and what results and comparisons write."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from results_samples import app_record, long_outcome, many_inferences, mixed_outcome, strict_json
from rich.console import Console

from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.frames import TABLES
from socsim.results.metrics import METRICS
from socsim.results.render import render_applications
from socsim.results.result import Result, file_name, flat_row
from socsim.results.trace_check import read_trace, trace_faults


def result(scheduler, latency, **app):
    """A run of four inferences of one latency in ms."""
    record = app_record(scheduler=scheduler, **app)
    return Result(
        mixed_outcome(inferences=many_inferences([latency] * 4), apps={"app": record}, duration_s=1.0)
    )


def comparison(**config):
    runs = [
        result("cpu", 40),
        result("gpu", 20),
        result("dsp", 80, dtype="int8", unsupported=0, fallbacks={}),
    ]
    return Comparison(runs, config)


# --- rows -----------------------------------------------------------------------------------------


def test_speedup_is_over_the_first_row():
    assert [row["speedup"] for row in comparison().rows] == pytest.approx([1.0, 2.0, 0.5])


def test_rows_have_the_documented_keys_and_are_json():
    rows = comparison().rows
    assert [list(row) for row in rows] == [[*METRICS, "speedup"]] * 3
    assert strict_json(rows) == rows


def test_without_a_latency_there_is_no_speedup():
    nothing = Result(mixed_outcome(inferences=()))
    assert [r["speedup"] for r in Comparison([result("cpu", 40), nothing]).rows] == [1.0, None]
    assert [r["speedup"] for r in Comparison([nothing, result("cpu", 40)]).rows] == [None, None]


def test_table_spreads_utilisation():
    table = comparison().table()
    assert table["scheduler"].tolist() == ["cpu", "gpu", "dsp"]
    assert "utilization" not in table.columns
    assert table["utilization_gpu"].tolist() == pytest.approx([0.005] * 3)


def test_a_comparison_of_nothing_is_refused():
    with pytest.raises(UsageError, match="at least one scheduler"):
        Comparison([])


def test_flat_row_leaves_plain_values_alone():
    assert flat_row({"a": 1, "u": {"cpu": 0.5, "gpu": 0.1}}) == {"a": 1, "u_cpu": 0.5, "u_gpu": 0.1}


# --- text -----------------------------------------------------------------------------------------


def render(subject, width=120):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(subject.render())
    return capture.get().splitlines()


def test_the_table_has_units_and_one_line_per_scheduler():
    lines = render(comparison(dtype="fp32"))
    assert lines[0].strip() == "tiny on toy with mace, fp32, 4 inferences each"
    assert lines[2].split()[:5] == ["scheduler", "ms", "ms", "ms", "up"]
    assert lines[4].split() == [
        "gpu",
        "20.00",
        "20.00",
        "20.00",
        "2.00",
        "8.2",
        "0.03",
        "0%",
        "0%",
        "2.00",
        "0.50",
        "25.0%",
        "1",
    ]


def test_the_table_fits_120_columns_with_four_processors_and_long_names():
    outcome = mixed_outcome(
        busy_s=dict.fromkeys(("cpu", "gpu", "dsp", "npu"), 0.005),
        inferences=many_inferences([123456.78]),
        apps={"app": app_record(scheduler="LargeOperatorsOnTheGpu", peak_memory_bytes=4_123_456_789)},
    )
    lines = render(Comparison([Result(outcome)]))
    assert max(len(line.rstrip()) for line in lines) <= 120
    assert "LargeOperatorsOnTheGpu" in "\n".join(lines)
    assert "123,457" in "\n".join(lines)


def test_numbers_are_aligned_to_the_right():
    lines = render(comparison())
    ends = {
        line.index(text) + len(text)
        for line, text in zip(lines[3:6], ("40.00", "20.00", "80.00"), strict=True)
    }
    assert len(ends) == 1


def test_notes_tell_of_quantised_rows_and_fallbacks():
    text = "\n".join(render(comparison(dtype="fp32")))
    assert "dsp: runs in int8 (quantised), not fp32; accuracy is not simulated" in text
    assert "gpu: 1 of 4 operators not supported, run on the CPU instead: no kernel (1)" in text
    assert "dsp: 1 of" not in text


def test_quantised_rows_are_marked_in_rows_table_and_pictures():
    compared = comparison(dtype="fp32")
    assert [row["dtype"] for row in compared.rows] == ["fp32", "fp32", "int8"]
    assert compared.table()["dtype"].tolist() == ["fp32", "fp32", "int8"]
    assert compared.labels == ["cpu", "gpu", "dsp (int8)"]
    assert render(compared)[5].startswith("dsp (int8) ")


def test_pictures_get_the_marked_names(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("socsim.results.comparison.save_utilisation", lambda rows, path: drawn.extend(rows))
    comparison().save(tmp_path / "out")
    assert [row["scheduler"] for row in drawn] == ["cpu", "gpu", "dsp (int8)"]


def test_rows_in_the_data_type_asked_for_need_no_note():
    runs = [result("cpu", 40, dtype="int8", unsupported=0, fallbacks={})]
    assert render(Comparison(runs, {"dtype": "int8"}))[-1].startswith("cpu ")


def test_missing_values_are_dashes():
    lines = render(Comparison([Result(mixed_outcome(inferences=()))]))
    assert lines[3].split()[1:5] == ["-", "-", "-", "-"]


def test_as_text_it_is_the_table():
    assert "tiny on toy" in str(comparison())
    assert repr(comparison()) == "Comparison(cpu, gpu, dsp)"


def applications(**app):
    """A run of two applications, of which the first has a deadline of 30 ms."""
    apps = {
        "eyes": app_record(app="eyes", **app),
        "ears": app_record(app="ears", model="big", scheduler="cpu"),
    }
    records = (*many_inferences([20, 40], app="eyes"), *many_inferences([5], app="ears"))
    return Result(mixed_outcome(apps=apps, inferences=records, duration_s=1.0), deadlines_s={"eyes": 0.03})


def render_run(run):
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(render_applications(run))
    return capture.get().splitlines()


def test_a_run_has_a_line_per_application_and_says_what_each_is():
    lines = render_run(applications())
    assert lines[0].strip() == "toy, 1,000.0 ms simulated"
    assert lines[3].split()[:4] == ["eyes", "30.00", "30.00", "39.00", "50.0%"][:4]
    assert lines[4].split()[:4] == ["ears", "5.00", "5.00", "5.00"]
    assert "eyes: tiny, scheduler gpu, mace, fp32" in lines
    assert "ears: big, scheduler cpu, mace, fp32" in lines


def test_deadlines_have_a_column_only_where_there_are_any():
    run = applications()
    assert "missed" in render_run(run)[1]
    run.deadlines_s.clear()
    assert "missed" not in render_run(run)[1]


def test_a_run_tells_of_fallbacks_whatever_the_data_type():
    lines = render_run(applications(dtype="int8"))
    assert not any("quantised" in line for line in lines)
    assert sum("operators not supported" in line for line in lines) == 2


# --- files ----------------------------------------------------------------------------------------


def files(directory):
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


def test_a_result_is_saved(tmp_path):
    saved = Result(mixed_outcome(), {"device": "toy", "apps": [{"model": "tiny"}]}).save(tmp_path / "out")
    assert saved == (tmp_path / "out").resolve()
    tables = [f"{t}.parquet" for t in ("summary", *TABLES)]
    others = ["experiment.yaml", "gantt.png", "manifest.json", "trace.json.gz"]
    assert files(saved) == sorted([*tables, *others])
    assert trace_faults(read_trace(saved / "trace.json.gz")) == []
    assert pd.read_parquet(saved / "kernels.parquet")["operator"].tolist()[:2] == ["conv1", "conv2"]


def test_manifest_of_a_result(tmp_path):
    saved = Result(mixed_outcome(), {"device": "toy"}).save(tmp_path / "out", overrides=["seed=7"])
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest["experiment"] == {"device": "toy"}
    assert (manifest["seed"], manifest["device"], manifest["overrides"]) == (7, "toy", ["seed=7"])


def test_a_run_without_kernel_records_has_no_picture(tmp_path):
    saved = Result(mixed_outcome(kernels=())).save(tmp_path / "out")
    assert "gantt.png" not in files(saved)
    assert "trace.json.gz" in files(saved)


def test_every_application_that_finished_something_has_a_picture(tmp_path):
    apps = {"a/b": app_record(app="a/b"), "never": app_record(app="never")}
    records = tuple(r._replace(app="a/b") for r in mixed_outcome().kernels)
    outcome = mixed_outcome(apps=apps, kernels=records, inferences=many_inferences([8], app="a/b"))
    saved = Result(outcome).save(tmp_path / "out")
    assert [name for name in files(saved) if name.endswith(".png")] == ["gantt-a-b.png"]


def test_a_run_without_applications_says_what_the_device_did():
    lines = render_run(Result(mixed_outcome(apps={}, inferences=(), kernels=(), duration_s=1.0)))
    assert len(lines) == 3
    power = sum(mixed_outcome().energy_j.values())
    assert lines[1].startswith(f"{power:.2f} W; busy: cpu ")
    assert lines[2].startswith("energy: app 10.0 mJ")


def test_a_run_without_applications_is_saved(tmp_path):
    saved = Result(mixed_outcome(apps={}, inferences=(), kernels=())).save(tmp_path / "out")
    assert "summary.parquet" not in files(saved)


def test_a_comparison_is_saved(tmp_path):
    runs = [Result(long_outcome(s, 30)) for s in ("cpu", "gpu")]
    saved = Comparison(runs, {"device": "toy", "schedulers": ["cpu", "gpu"]}).save(tmp_path / "out")
    tables = [f"{t}.parquet" for t in ("comparison", *TABLES)]
    pictures = [f"{s}/{f}" for s in ("cpu", "gpu") for f in ("gantt.png", "trace.json.gz")]
    assert files(saved) == sorted([*tables, *pictures, "experiment.yaml", "manifest.json", "utilisation.png"])
    kernels = pd.read_parquet(saved / "kernels.parquet")
    assert kernels.columns[0] == "run"
    assert kernels["run"].value_counts().to_dict() == {
        "cpu": len(runs[0].kernels),
        "gpu": len(runs[1].kernels),
    }
    assert pd.read_parquet(saved / "comparison.parquet")["speedup"].tolist() == [1.0, 1.0]


def test_a_comparison_without_kernel_records_is_saved_with_empty_tables(tmp_path):
    saved = comparison(device="toy")
    for run in saved.results:
        run.outcome = mixed_outcome(inferences=run.outcome.inferences, apps=run.outcome.apps, kernels=())
    directory = saved.save(tmp_path / "out")
    kernels = pd.read_parquet(directory / "kernels.parquet")
    assert kernels.empty
    assert kernels.columns[0] == "run"


def test_schedulers_of_one_name_are_numbered():
    assert Comparison([result("x", 1), result("y", 1), result("x", 2)]).titles == ["x-1", "y", "x-3"]


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (["x", "x", "x-1"], ["x-2", "x-3", "x-1"]),
        (["x-1", "x", "x"], ["x-1", "x-2", "x-3"]),
        (["x", "x", "x-1", "x-1"], ["x-2", "x-3", "x-1-3", "x-1-4"]),
        (["x 1", "x-1", "x", "x"], ["x-1-1", "x-1-2", "x-3", "x-4"]),
    ],
)
def test_numbered_titles_do_not_meet_others(names, titles):
    assert Comparison([result(name, 1) for name in names]).titles == titles


@pytest.mark.parametrize(
    ("title", "name"),
    [("gpu", "gpu"), ("a/b c", "a-b-c"), ("../x", "x"), ("μLayer", "Layer"), ("", "unnamed")],
)
def test_titles_become_file_names(title, name):
    assert file_name(title) == name


def test_a_processor_that_a_row_lacks_is_idle_there():
    """Columns of processors are of all rows: cpu and npu here."""
    first = Result(mixed_outcome(busy_s={"cpu": 0.005}))
    second = Result(mixed_outcome(busy_s={"npu": 0.0025}))
    lines = render(Comparison([first, second], {"dtype": "fp32"}))
    assert lines[1].split().count("cpu") == lines[1].split().count("npu") == 1
    busy = [[word for word in line.split() if word.endswith("%") and "." not in word] for line in lines[3:5]]
    assert busy == [["50%", "0%"], ["0%", "25%"]]


def test_large_numbers_have_no_fraction():
    """20 s: 20,000 ms."""
    outcome = mixed_outcome(inferences=many_inferences([20_000]))
    line = render(Comparison([Result(outcome)], {"dtype": "fp32"}))[3]
    assert line.split()[1:4] == ["20,000", "20,000", "20,000"]
    smaller = render(Comparison([Result(mixed_outcome(inferences=many_inferences([9_999])))], {}))[3]
    assert smaller.split()[1] == "9999.00"


def test_joined_tables_number_their_rows_through():
    both = Comparison([Result(mixed_outcome()), Result(mixed_outcome())])
    joined = both._joined("kernels")
    assert list(joined.index) == list(range(10))
    assert joined["run"].tolist() == ["gpu-1"] * 5 + ["gpu-2"] * 5
    assert joined.columns[0] == "run"


def test_a_comparison_names_its_schedulers():
    both = Comparison(
        [Result(mixed_outcome()), Result(mixed_outcome(apps={"app": app_record(scheduler="x")}))]
    )
    assert repr(both) == "Comparison(gpu, x)"
