"""Sets of governors, and comparisons of them: which governor a set gives which domain, rows, files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from test_clocks import phone
from test_governing import HalfLoad

import socsim
from socsim.cli.comparing import parse_limits
from socsim.cli.comparison_file import check_comparison, load_comparison
from socsim.errors import SocsimError, UnknownNameError, UsageError
from socsim.results.inputs import input_hashes, located
from socsim.schedulers.governors.sets import as_sets, locate_governors, make_set, set_files, split_set
from socsim.simulation.governing import governor_sets

BOARD = ["cpu.big", "cpu.little", "gpu", "dram"]
PHONE = ["cpu.gold", "gpu", "dsp", "dram"]
QUICK = ("-d", "xiaomi-9", "-m", "squeezenet_1.1", "-n", "3", "--period", "100 ms")
OWN = """\
import socsim


class Half(socsim.Governor):
    period = "10 ms"
    kinds = ("gpu",)

    def next_frequency(self, domain):
        return domain.opps.at_least(domain.utilisation / 0.5 * domain.frequency)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half_governors.py").write_text(OWN)
    return tmp_path


# --- sets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "domains", "expected"),
    [
        ("schedutil", BOARD, {"cpu.big": "schedutil", "cpu.little": "schedutil"}),
        ("nvhost_podgov", BOARD, {"gpu": "nvhost_podgov"}),
        ("schedutil+nvhost_podgov", BOARD, {"cpu.big": "schedutil", "cpu.little": "schedutil", "gpu": "nvhost_podgov"}),
        ("powersave", BOARD, dict.fromkeys(BOARD, "powersave")),
        ("performance+schedutil", ["cpu.a", "gpu"], {"cpu.a": "schedutil", "gpu": "performance"}),
        (
            "ondemand + adreno_tz + simple_ondemand(driver=msm)", PHONE,
            {"cpu.gold": "ondemand", "gpu": "adreno_tz", "dsp": "simple_ondemand(driver=msm)",
             "dram": "simple_ondemand(driver=msm)"},
        ),
    ],
)  # fmt: skip
def test_each_governor_goes_to_the_domains_that_it_is_for(text, domains, expected) -> None:
    assert make_set(text, domains).governors == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("schedutil", ["schedutil"]),
        (" a + b(x=1+2) +c ", ["a", "b(x=1+2)", "c"]),
        ("/x/a+b/own.py:Half+schedutil", ["/x/a+b/own.py:Half", "schedutil"]),
    ],
)
def test_names_of_a_set_are_between_plus_signs(text: str, parts: list[str]) -> None:
    assert split_set(text) == parts


@pytest.mark.parametrize("text", ["", "+", "schedutil+", "a++b"])
def test_no_name_of_a_set_is_empty(text: str) -> None:
    with pytest.raises(UsageError, match="names joined by"):
        split_set(text)


def test_a_mapping_is_taken_as_it_is() -> None:
    own = {"cpu": "schedutil(util_est=false)", "gpu": HalfLoad()}
    chosen = make_set(own, BOARD)
    assert (chosen.title, chosen.governors) == ("cpu=schedutil(util_est=false), gpu=HalfLoad", own)
    assert chosen.written == {"cpu": "schedutil(util_est=false)", "gpu": "test_governing:HalfLoad"}
    assert make_set({}, BOARD).title == "none"


def test_titles_leave_folders_out() -> None:
    assert make_set("schedutil + nvhost_podgov", BOARD).title == "schedutil+nvhost_podgov"


def test_a_list_is_several_sets_and_anything_else_one() -> None:
    assert as_sets(["schedutil", {"gpu": "powersave"}]) == ["schedutil", {"gpu": "powersave"}]
    assert as_sets("schedutil") == ["schedutil"]
    assert as_sets({"gpu": "powersave"}) == [{"gpu": "powersave"}]


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ("schedutil+ondemand", UsageError,
         "governors 'schedutil+ondemand': 'schedutil' and 'ondemand' are both for 'cpu'; "
         "a comma makes two sets of them: schedutil,ondemand"),
        ("adreno_tz+nvhost_podgov", UsageError, "'adreno_tz' and 'nvhost_podgov' are both for 'gpu'"),
        ("performance+powersave", UsageError, "are both for 'cpu'; a comma makes two sets"),
        ("schedutil+nvhost_podgow", UnknownNameError, "did you mean 'nvhost_podgov'?"),
        ({"gqu": "performance"}, UnknownNameError, "did you mean 'gpu'?"),
        ({"gpu": "schedutil"}, UsageError, "governor 'schedutil' is for domains of kind cpu, got 'gpu'"),
        ([], UsageError, "at least one set"),
        ([3], UsageError, "a set of governors is a text such as 'schedutil+adreno_tz', or a mapping such as"),
        (HalfLoad(), UsageError, "a set of governors is a text"),
        ("ondemand(up_treshold=3)", UsageError, "did you mean 'up_threshold'?"),
    ],
)  # fmt: skip
def test_sets_that_make_no_sense_are_refused(given, error, sentence: str) -> None:
    with pytest.raises(error) as caught:
        governor_sets(phone(), given)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "domains", "sentence"),
    [
        ("schedutil+adreno_tz", ["cpu.a", "dram"],
         "'schedutil+adreno_tz': 'adreno_tz' is for gpu, and the device's clock domains are of kind cpu, dram"),
        ("schedutil+performance", ["cpu.a"], "'performance' is for cpu, gpu, dsp, npu, dram, and others of the set"),
    ],
)  # fmt: skip
def test_a_governor_for_no_domain_of_the_device_is_refused(text, domains, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_set(text, domains)
    assert sentence in str(caught.value)


# --- files ----------------------------------------------------------------------------------------------------


def test_files_of_governors_become_absolute_and_are_hashed(here: Path) -> None:
    file = here / "half_governors.py"
    text = f"schedutil+{file}:Half"
    mapping = {"gpu": f"{file}:Half", "cpu": {"name": "ondemand", "up_threshold": 80}}
    given = ["schedutil+half_governors:Half", {"gpu": "half_governors.py:Half", "cpu": mapping["cpu"]}]
    assert locate_governors(given, here) == [text, mapping]
    assert set_files([text, mapping]) == [file, file]
    assert set_files("schedutil") == set_files(None) == set_files("a++b") == []
    assert locate_governors("a++b", here) == "a++b"
    assert locate_governors(7, here) == 7
    for governors in ([text], text, mapping):
        assert list(input_hashes(located({"device": "xiaomi-9", "governors": governors}, here))) == [
            str(file)
        ]


def test_a_folder_with_a_plus_sign(tmp_path: Path) -> None:
    folder = tmp_path / "a+b"
    folder.mkdir()
    (folder / "own_plus.py").write_text(OWN)
    found = locate_governors("schedutil+own_plus.py:Half", folder)
    assert make_set(found, BOARD).title == "schedutil+own_plus:Half"
    assert locate_governors(found, tmp_path) == found


# --- comparisons ----------------------------------------------------------------------------------------------


def test_every_scheduler_meets_every_set() -> None:
    compared = socsim.compare(
        "xiaomi-9", "squeezenet_1.1", ["cpu", "gpu"], governors=["performance", "schedutil+adreno_tz", "powersave"],
        inferences=3, period="100 ms",
    )  # fmt: skip
    rows = compared.rows
    assert [(row["scheduler"], row["governors"]) for row in rows] == [
        (scheduler, governors)
        for scheduler in ("cpu", "gpu")
        for governors in ("performance", "schedutil+adreno_tz", "powersave")
    ]
    assert list(rows[0])[list(rows[0]).index("scheduler") + 1] == "governors"
    fast, usual, slow = rows[:3]
    assert fast["latency_ms_mean"] < usual["latency_ms_mean"] < slow["latency_ms_mean"]
    assert [row["speedup"] for row in rows] == pytest.approx(
        [fast["latency_ms_mean"] / row["latency_ms_mean"] for row in rows]
    )
    assert compared.table()["governors"].tolist() == [row["governors"] for row in rows]
    assert compared.titles[1] == "cpu-schedutil-adreno_tz"
    assert repr(compared).startswith("Comparison(cpu, performance, cpu, schedutil+adreno_tz, ")


def test_a_row_is_what_simulate_says_of_the_same() -> None:
    own = {"gpu": HalfLoad()}
    row = socsim.compare("xiaomi-9", "resnet50", ["gpu"], governors=own, inferences=4, period="150 ms").rows[
        0
    ]
    app = socsim.Inference("resnet50", "gpu", period="150 ms", count=4)
    alone = socsim.simulate("xiaomi-9", [app], governors=own).metrics()
    assert row == {**alone, "governors": "gpu=HalfLoad", "speedup": 1.0}


def test_performance_of_everything_is_what_no_governor_does() -> None:
    def latency(**options):
        return socsim.compare("xiaomi-9", "squeezenet_1.1", ["gpu"], inferences=2, **options).rows[0]

    assert latency(governors={})["latency_ms_mean"] == latency()["latency_ms_mean"]
    assert latency(governors="performance")["latency_ms_mean"] == latency()["latency_ms_mean"]
    assert latency(governors={})["governors"] == "none"
    assert "governors" not in latency()


def test_a_period_leaves_idle_time() -> None:
    back, apart = (
        socsim.compare("xiaomi-9", "squeezenet_1.1", ["gpu"], inferences=3, period=period)
        for period in (None, 0.1)
    )
    assert back.results[0].outcome.duration_s < 0.1 < 0.2 < apart.results[0].outcome.duration_s < 0.3
    assert apart.rows[0]["energy_mj"] > back.rows[0]["energy_mj"]
    assert (apart.config["period"], "period" in back.config) == ("0.1 s", False)
    assert "3 inferences, one every 100 ms" in str(apart)


def test_the_table_has_a_column_and_fits() -> None:
    text = str(
        socsim.compare(
            "xiaomi-9", "squeezenet_1.1", ["cpu", "codl"], inferences=2, period="50 ms",
            governors=["schedutil", "schedutil+simple_ondemand(driver=msm)"],
        )
    )  # fmt: skip
    assert text.splitlines()[2].split()[:2] == ["scheduler", "governors"]
    assert max(map(len, text.splitlines())) <= 120
    assert sum(line.startswith(("cpu ", "codl ")) for line in text.splitlines()) == 4


def test_notes_are_told_once() -> None:
    compared = socsim.compare(
        "xiaomi-9", "yolov4_tiny", ["gpu"], governors=["performance", "schedutil"], inferences=1
    )
    assert str(compared).count("operators not supported") == 1


# --- on the command line, and from files ----------------------------------------------------------------------


def test_compare_on_the_command_line(cli) -> None:
    code, out, err = cli("compare", *QUICK, "-s", "cpu,gpu", "-g", "schedutil,schedutil+adreno_tz", "--json")
    assert (code, err) == (0, "")
    assert [(row["scheduler"], row["governors"]) for row in json.loads(out)] == [
        ("cpu", "schedutil"), ("cpu", "schedutil+adreno_tz"), ("gpu", "schedutil"), ("gpu", "schedutil+adreno_tz")
    ]  # fmt: skip


def test_a_saved_comparison_runs_again(cli, here: Path) -> None:
    sets = "performance,schedutil+half_governors:Half"
    first = cli("compare", *QUICK, "-s", "gpu", "-g", sets, "-o", "out", "--json")[1]
    assert cli("run", "out", "--json")[1] == first
    manifest = json.loads((here / "out" / "manifest.json").read_text())
    assert manifest["experiment"]["governors"] == ["performance", f"schedutil+{here}/half_governors.py:Half"]
    assert manifest["experiment"]["period"] == "0.1 s"
    assert list(manifest["inputs"]) == [str(here / "half_governors.py")]
    table = pd.read_parquet(here / "out" / "comparison.parquet")
    assert table["governors"].tolist() == ["performance", "schedutil+half_governors:Half"]
    assert {path.name for path in (here / "out").iterdir()} >= {
        "gpu-performance",
        "gpu-schedutil-half_governors-Half",
    }
    assert check_comparison("out/experiment.yaml").endswith(
        "of 1 scheduler with 2 sets of governors on xiaomi-9"
    )
    again = json.loads(cli("run", "out", "-s", "governors=powersave", "-s", "period=200 ms", "--json")[1])
    assert [row["governors"] for row in again] == ["powersave"]


def test_a_saved_mapping_runs_again(cli, here: Path) -> None:
    compared = socsim.compare(
        "xiaomi-9", "squeezenet_1.1", ["gpu"], governors={"gpu": HalfLoad(), "cpu": "ondemand(up_threshold=80)"},
        inferences=3, period="100 ms",
    )  # fmt: skip
    compared.save("out")
    again = json.loads(cli("run", "out", "--json")[1])
    assert again[0]["energy_mj"] == compared.rows[0]["energy_mj"]
    assert again[0]["governors"].startswith("gpu=test_governing:HalfLoad, cpu=ondemand(up_threshold=80)")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("period: 0 ms", "greater than 0"),
        ("period: 5", "period"),
        ("period: 5 MHz", "MHz"),
        ("governors: []", "governors"),
        ("governors: 3", "governors"),
        ("governors: [schedutl]", "did you mean 'schedutil'?"),
    ],
)
def test_wrong_comparison_files_are_refused(here: Path, line: str, fault: str) -> None:
    Path("c.yaml").write_text(f"device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu]\n{line}\n")
    with pytest.raises(SocsimError) as caught:
        check_comparison("c.yaml")
    assert fault in str(caught.value)


def test_a_file_has_one_set_or_several(here: Path) -> None:
    for text, expected in (
        ("schedutil", "schedutil"),
        ("{gpu: powersave}", {"gpu": "powersave"}),
        ("[a, {}]", ["a", {}]),
    ):
        Path("c.yaml").write_text(f"device: d\nmodel: m\nschedulers: [cpu]\ngovernors: {text}\n")
        assert load_comparison("c.yaml").governors == expected


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            ("-g", "schedutil,,powersave"),
            "-g takes at least one set of governors, and no empty name between commas",
        ),
        (("-g", "schedutil+ondemand"), "a comma makes two sets of them"),
        (("-g", "schedutill"), "did you mean 'schedutil'?"),
        (("--period", "0 ms"), "period must be positive"),
        (("--period", "fast"), "'fast'"),
    ],
)
def test_wrong_options_are_refused(cli, options, fault: str) -> None:
    code, out, err = cli(
        "compare", "-d", "xiaomi-9", "-m", "squeezenet_1.1", "-n", "1", "-s", "cpu", *options
    )
    assert (code, out) == (2, "")
    assert fault in err


def test_what_cannot_keep_up_is_said() -> None:
    text = str(
        socsim.compare(
            "xiaomi-9",
            "squeezenet_1.1",
            ["cpu"],
            governors=["performance", "powersave"],
            inferences=4,
            period="15 ms",
        )
    )
    notes = [line for line in text.splitlines() if "outrun" in line]
    assert notes == [
        "cpu, powersave: arrivals outrun service; latencies are those of a queue that grows as long as the run"
    ]
    assert "outrun" not in str(socsim.compare("xiaomi-9", "squeezenet_1.1", ["cpu"], inferences=4))


# --- limits ---------------------------------------------------------------------------------------------------


def test_limits_hold_for_every_row(cli, here: Path) -> None:
    """The lowest clock by its governor is that of the limit; and a saved comparison keeps them."""
    options = (
        "-s",
        "gpu",
        "-g",
        "performance,powersave",
        "--limit",
        "gpu=345 MHz..427 MHz",
        "-o",
        "out",
        "--json",
    )
    code, out, err = cli("compare", *QUICK, *options)
    assert (code, err) == (0, "")
    rows = json.loads(out)
    limits = {"gpu": {"min": "345 MHz", "max": "427 MHz"}}
    for row, governor in zip(rows, ("performance", "powersave"), strict=True):
        own = socsim.compare("xiaomi-9", "squeezenet_1.1", ["gpu"], governors=governor, limits=limits, period="0.1 s",
                             inferences=3)  # fmt: skip
        assert row["latency_ms_mean"] == own.rows[0]["latency_ms_mean"]
    free = json.loads(cli("compare", *QUICK, "-s", "gpu", "-g", "powersave", "--json")[1])
    assert rows[0]["latency_ms_mean"] < rows[1]["latency_ms_mean"] < free[0]["latency_ms_mean"]
    assert json.loads(cli("run", "out", "--json")[1]) == rows
    assert load_comparison("out/experiment.yaml").bounds == {"gpu": {"min": 345e6, "max": 427e6}}


@pytest.mark.parametrize(
    ("texts", "limits"),
    [
        ((), {}),
        (("cpu=1 GHz..2 GHz",), {"cpu": {"min": 1e9, "max": 2e9}}),
        (("cpu.gold=..2 GHz", "gpu=300 MHz.."), {"cpu.gold": {"max": 2e9}, "gpu": {"min": 300e6}}),
        (("gpu=345 MHz",), {"gpu": {"min": 345e6, "max": 345e6}}),
    ],
)
def test_limits_on_the_command_line(texts, limits) -> None:
    assert parse_limits(texts) == limits


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--limit", "gpu"), "--limit is DOMAIN=MIN..MAX, such as 'cpu=1 GHz..2 GHz', got 'gpu'"),
        (("--limit", "gpu=.."), "--limit is DOMAIN=MIN..MAX"),
        (("--limit", "gpu=5 ms"), "'5 ms' is a time"),
        (("--limit", "gpu=345 MHz", "--limit", "gpu=427 MHz"), "--limit names 'gpu' twice"),
        (("--limit", "gpq=345 MHz"), "unknown clock domain 'gpq'; did you mean 'gpu'?"),
        (("--limit", "gpu=..9 GHz"), "limit max of 'gpu' must be from 257 MHz to 585 MHz, got 9000 MHz"),
    ],
)
def test_wrong_limits_are_refused(cli, options, fault: str) -> None:
    code, out, err = cli(
        "compare", "-d", "xiaomi-9", "-m", "squeezenet_1.1", "-n", "1", "-s", "gpu", *options
    )
    assert (code, out) == (2, "")
    assert fault in err


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("limits: {gpu: {max: 9 GHz}}", "limit max of 'gpu' must be from"),
        ("limits: {gpu: {most: 345 MHz}}", "limits.gpu.most"),
        ("limits: {gpu: {max: 345}}", "limits.gpu.max"),
        ("limits: {gpu: {max: 345 ms}}", "is a time"),
    ],
)
def test_wrong_limits_of_files_are_refused(here: Path, line: str, fault: str) -> None:
    Path("c.yaml").write_text(f"device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu]\n{line}\n")
    with pytest.raises(SocsimError) as caught:
        check_comparison("c.yaml")
    assert fault in str(caught.value)


def test_one_set_of_governors_is_told_in_the_title(capsys: pytest.CaptureFixture[str]) -> None:
    compared = socsim.compare(
        "xiaomi-9", "mobilenet_v1_0.25_128", ["cpu", "gpu"], inferences=1, governors="powersave"
    )
    title, header, *_ = str(compared).splitlines()
    assert title.rstrip().endswith(", powersave") and "governors" not in header
    both = socsim.compare(
        "xiaomi-9", "squeezenet_1.1", ["cpu"], inferences=1, governors=["powersave", "performance"]
    )
    title = str(both).splitlines()[0]
    assert "powersave" not in title and "governors" in str(both)
