"""Sweeps over governors, limits, heat and power modes: each point is the run that its values name, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

import socsim
from socsim.errors import FileError, UsageError
from socsim.results.inputs import input_hashes
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.plan import load_sweep
from socsim.sweeps.running import run_point, run_points

BASE = {
    "device": "xiaomi-9",
    "duration": "0.4 s",
    "seed": 3,
    "noise": True,
    "governors": {},
    "limits": {"gpu": {}, "cpu": {}},
    "apps": [
        {
            "kind": "inference",
            "name": "net",
            "model": "squeezenet_1.1",
            "scheduler": "gpu",
            "period": "30 ms",
        },
        {"kind": "competitor", "name": "busy", "duty": 0.6, "threads": 2},
    ],
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(sweep: dict | None = None, **content) -> str:
    Path("s.yaml").write_text(
        yaml.safe_dump(BASE | content | ({"sweep": sweep} if sweep else {}), sort_keys=False)
    )
    return "s.yaml"


def single(**content) -> pd.DataFrame:
    """The rows of one run."""
    return socsim.load_experiment(written(**content)).run().summary().reset_index(drop=True)


def assert_rows(table: pd.DataFrame, *singles: pd.DataFrame) -> None:
    """Rows of a sweep are those of single runs, but for the columns of its axes."""
    expected = pd.concat(singles, ignore_index=True)
    common = [c for c in expected.columns if c in table.columns]
    assert "latency_ms_mean" in common and "energy_mj" in common
    pd.testing.assert_frame_equal(table.reset_index(drop=True)[common], expected[common], check_exact=True)


# --- axes -----------------------------------------------------------------------------------------------------


def test_governors_as_an_axis(here: Path) -> None:
    names = ["performance", "powersave", "ondemand", "schedutil"]
    table = socsim.sweep(written({"governors.cpu": names}))
    assert list(table["cpu"]) == names
    assert_rows(table, *(single(governors={"cpu": name}) for name in names))
    energy = dict(zip(table["cpu"], table["energy_mj"], strict=True))
    assert energy["powersave"] < energy["ondemand"] <= energy["performance"]


def test_options_of_governors_as_an_axis(here: Path) -> None:
    """A governor with options is one value, as a text or as a mapping."""
    values = [
        "simple_ondemand",
        "simple_ondemand(driver=msm)",
        {"name": "simple_ondemand", "upthreshold": 70},
    ]
    sweep = load_sweep(written({"governors.gpu": values}))
    titles = [sweep.experiment(i).config["governors"]["gpu"] for i in range(3)]
    assert titles == values
    table = socsim.sweep("s.yaml")
    assert_rows(table, *(single(governors={"gpu": value}) for value in values))
    assert table["gpu"].is_unique


def test_two_domains_and_a_limit_make_a_grid(here: Path) -> None:
    axes = {
        "governors.cpu": ["schedutil", "powersave"],
        "governors.gpu": ["performance", "adreno_tz"],
        "limits.gpu.max": ["585 MHz", "345 MHz"],
    }
    table = socsim.sweep(written(axes))
    assert len(table) == 8
    points = [
        single(governors={"cpu": cpu, "gpu": gpu}, limits={"gpu": {"max": cap}})
        for cpu in axes["governors.cpu"]
        for gpu in axes["governors.gpu"]
        for cap in axes["limits.gpu.max"]
    ]
    assert_rows(table, *points)
    fast, slow = (table[table["max"] == cap]["latency_ms_mean"].to_numpy() for cap in ("585 MHz", "345 MHz"))
    assert (fast < slow).all()


def test_heat_as_an_axis(here: Path) -> None:
    """No heat, as warm as an idle phone, and at two temperatures: a hot phone is throttled."""
    values = [False, True, "30 C", "60 C"]
    table = socsim.sweep(written({"heat": values}, duration="2 s"))
    assert_rows(table, *(single(heat=value, duration="2 s") for value in values))
    latency = table["latency_ms_mean"].tolist()
    assert latency[0] == pytest.approx(latency[1], rel=0.05)
    assert latency[3] > latency[2]


def test_variants_of_the_whole_policy(here: Path) -> None:
    variants = {
        "plain": {},
        "linux": {"governors.cpu": "schedutil", "governors.gpu": "simple_ondemand"},
        "hot": {"governors.cpu": "performance", "heat": "55 C"},
        "capped": {"limits.cpu.max": "700 MHz"},
    }
    content = {"governors": {"cpu": "ondemand"}}
    with pytest.raises(FileError, match=r"s\.yaml:\d+:\d+: .*limit max of 'cpu"):
        check_sweep(load_sweep(written({"policy": variants}, **content)))
    variants["capped"] = {"limits.cpu.max": "1.2 GHz"}
    with pytest.raises(FileError, match="limit max of 'cpu"):
        check_sweep(
            load_sweep(written({"policy": variants | {"no": {"limits.cpu.max": "9 GHz"}}}, **content))
        )
    sweep = load_sweep(written({"policy": variants}, **content))
    check_sweep(sweep)
    configs = [sweep.experiment(i).config for i in range(4)]
    assert [config["governors"]["cpu"] for config in configs] == [
        "ondemand",
        "schedutil",
        "performance",
        "ondemand",
    ]
    assert [config.get("heat", False) for config in configs] == [False, False, "55 C", False]
    table = socsim.sweep("s.yaml")
    assert_rows(
        table,
        single(**content),
        single(governors={"cpu": "schedutil", "gpu": "simple_ondemand"}),
        single(governors={"cpu": "performance"}, heat="55 C"),
        single(limits={"cpu": {"max": "1.2 GHz"}}, **content),
    )


def test_power_modes_and_governors(here: Path) -> None:
    modes = [f"jetson-xavier-nx(mode={mode})" for mode in ("10W_2CORE", "20W_6CORE")]
    apps = [
        {
            "kind": "inference",
            "model": "squeezenet_1.1",
            "scheduler": "gpu",
            "library": "tensorrt",
            "count": 3,
        }
    ]
    axes = {"device": modes, "governors.gpu": ["performance", "nvhost_podgov"]}
    table = socsim.sweep(written(axes, apps=apps, duration="1 s"))
    assert_rows(
        table,
        *(
            single(device=mode, governors={"gpu": name}, apps=apps, duration="1 s")
            for mode in modes
            for name in axes["governors.gpu"]
        ),
    )


# --- the same again -------------------------------------------------------------------------------------------


def test_the_same_rows_again_and_in_any_order(here: Path) -> None:
    axes = {"governors.cpu": ["schedutil", "interactive"], "heat": [False, "50 C"], "seed": "1..2"}
    sweep = load_sweep(written(axes))
    rows = list(run_points(sweep))
    assert list(run_points(load_sweep("s.yaml"))) == rows
    assert [run_point(sweep, index) for index in (7, 0, 4)] == [rows[7], rows[0], rows[4]]
    assert len({row["latency_ms_mean"] for (row, *_) in rows}) >= 4


# --- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "sentence", "text"),
    [
        ({"governors.cpu": ["ondemand", "ondemnd"]}, "did you mean 'ondemand'?", "ondemnd"),
        (
            {"governors.gpu": ["performance", "schedutil"]},
            "'schedutil' is for domains of kind cpu",
            "schedutil",
        ),
        ({"governors.npu": ["performance", "powersave"]}, "unknown clock domain 'npu'", "performance"),
        (
            {"governors.cpu": ["ondemand(up_threshold=0)", "ondemand"]},
            "up_threshold must be a number",
            "up_thr",
        ),
        ({"limits.gpu.max": ["585 MHz", "100 MHz"]}, "must be from 257 MHz to 585 MHz, got 100", "100 MHz"),
        ({"limits.gpu.most": ["585 MHz", "345 MHz"]}, "most", "limits.gpu.most"),
        ({"heat": [True, "30 V"]}, "is a voltage, expected a temperature", "30 V"),
        ({"device": ["xiaomi-9", "xiaomi-9(x=y)"]}, "has no option 'x'; it takes 'mode'", "x=y"),
        ({"device": ["xiaomi-9", "xiaomi-9(mode=eco)"]}, "has no power modes, got mode 'eco'", "mode=eco"),
    ],
)
def test_wrong_values_of_axes_have_their_places(here: Path, axes, sentence: str, text: str) -> None:
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(written(axes)))
    told = next(line for line in str(caught.value).splitlines() if sentence in line)
    _, line, column = told.split(": ")[0].rsplit(":", 2)
    assert text in Path("s.yaml").read_text().splitlines()[int(line) - 1][int(column) - 1 :]


@pytest.mark.parametrize(
    ("limits", "sentence", "text"),
    [
        ({"gpu": {"min": "300 MHz", "max": "1 GHz"}}, "limit max of 'gpu' must be from", "1 GHz"),
        ({"gpu": {"min": "1 MHz", "max": "345 MHz"}}, "limit min of 'gpu' must be from", "1 MHz"),
        (
            {"gpu": {"min": "500 MHz", "max": "345 MHz"}},
            "min must not be above max, got 500 MHz and 345 MHz",
            "",
        ),
        (
            {"gqu": {"min": "500 MHz", "max": "345 MHz"}},
            "unknown clock domain 'gqu'; did you mean 'gpu'?",
            "",
        ),
    ],
)
def test_a_wrong_limit_is_told_once_at_its_own_place(here: Path, limits, sentence: str, text: str) -> None:
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(written(limits=limits)))
    (told,) = str(caught.value).splitlines()
    assert sentence in told
    _, line, column = told.split(": ")[0].rsplit(":", 2)
    assert text in Path("s.yaml").read_text().splitlines()[int(line) - 1][int(column) - 1 :]


# --- blocks that a file lacks ---------------------------------------------------------------------------------

PLAIN = {key: value for key, value in BASE.items() if key not in ("governors", "limits")}
OWN = """\
import socsim


class Half(socsim.Governor):
    \"\"\"Half the highest clock.\"\"\"

    period = "20 ms"

    def next_frequency(self, domain):
        return 0.5 * domain.opps.highest
"""


def plain(folder: Path, sweep: dict | None = None) -> Path:
    """A file without governors, limits, heat and mechanisms."""
    path = folder / "plain.yaml"
    path.write_text(yaml.safe_dump(PLAIN | ({"sweep": sweep} if sweep else {}), sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("override", "block", "made"),
    [
        ("governors.cpu=schedutil", "governors", {"cpu": "schedutil"}),
        ("governors.cpu.gold=ondemand", "governors", {"cpu.gold": "ondemand"}),
        ("governors.gpu={name: userspace, frequency: 345 MHz}", "governors",
         {"gpu": {"name": "userspace", "frequency": "345 MHz"}}),
        ("limits.gpu.max=345 MHz", "limits", {"gpu": {"max": "345 MHz"}}),
        ("limits.cpu.max=1 GHz", "limits", {"cpu": {"max": "1 GHz"}}),
        ("limits.cpu.gold.max=1 GHz", "limits", {"cpu.gold": {"max": "1 GHz"}}),
        ("limits.cpu.gold={min: 1 GHz}", "limits", {"cpu.gold": {"min": "1 GHz"}}),
        ("mechanisms.barriers=false", "mechanisms", {"barriers": False}),
        ("heat=true", "heat", True),
    ],
)  # fmt: skip
def test_an_override_makes_the_block_that_it_is_in(here: Path, override: str, block: str, made) -> None:
    assert socsim.load_experiment(plain(here), [override]).config[block] == made
    key, _, _ = override.partition("=")
    value = made if block == "heat" else made[next(iter(made))]
    value = value[key.rpartition(".")[2]] if key.rpartition(".")[2] in ("min", "max") else value
    sweep = load_sweep(plain(here, {key: [value]}))
    check_sweep(sweep)
    assert sweep.experiment(0).config[block] == made


def test_domains_with_dots_beside_others(here: Path) -> None:
    path = written(governors={"cpu": "schedutil"}, limits={"cpu": {"max": "1.8 GHz"}})
    changed = socsim.load_experiment(path, ["governors.cpu.gold=powersave", "limits.cpu.silver.max=1 GHz"])
    assert changed.config["governors"] == {"cpu": "schedutil", "cpu.gold": "powersave"}
    assert changed.config["limits"] == {"cpu": {"max": "1.8 GHz"}, "cpu.silver": {"max": "1 GHz"}}
    path = written(governors={"cpu": {"name": "ondemand"}, "cpu.gold": {"name": "ondemand"}})
    keys = ["governors.cpu.up_threshold=70", "governors.cpu.gold.up_threshold=60"]
    governors = socsim.load_experiment(path, keys).config["governors"]
    assert [governors[name]["up_threshold"] for name in ("cpu", "cpu.gold")] == [70, 60]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mechanisms.bariers=false", "unknown key 'mechanisms.bariers'"),
        ("mechanisms.barriers.x=1", "unknown key 'mechanisms.barriers'; known: none"),
        ("limits.gpu.most=1 GHz", "limits.gpu.most"),
        ("limit.gpu.max=1 GHz", "unknown key 'limit'"),
        ("governors.gpu.x=1", "unknown key 'governors.gpu'"),
    ],
)
def test_overrides_of_blocks_that_go_nowhere(here: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        socsim.load_experiment(plain(here), [override])
    assert message in str(caught.value)


def test_files_of_governors_are_beside_their_experiment(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As values of an axis, in a variant, and of a domain with a dot; run from another folder."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "own.py").write_text(OWN)
    axes = {
        "governors.gpu": ["own.py:Half", "performance"],
        "policy": {"own": {"governors.cpu.gold": "own.py:Half"}, "usual": {"governors.cpu": "schedutil"}},
    }
    path = plain(inside, axes)
    for folder in (tmp_path, inside):
        monkeypatch.chdir(folder)
        sweep = load_sweep(path)
        check_sweep(sweep)
        own = f"{inside / 'own.py'}:Half"
        assert sweep.experiment(0).config["governors"] == {"gpu": own, "cpu.gold": own}
    row = run_point(sweep, 0)[0]
    assert row["energy_mj"] > 0
    assert str(inside / "own.py") in input_hashes(load_sweep(path).config)
