"""Means over seeds, paired comparisons, and results read back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweepkit import write_files

import socsim
from socsim.errors import UnknownNameError, UsageError
from socsim.results.means import t_quantile
from socsim.results.pairs import compare_pairs
from socsim.sweeps.journal import Journal
from socsim.sweeps.publishing import write_rows
from socsim.sweeps.task import Outcome


def runs(**columns) -> pd.DataFrame:
    return pd.DataFrame({"run": range(len(columns["seed"])), **columns})


TABLE = runs(
    scheduler=["cpu"] * 3 + ["gpu"] * 3,
    seed=[0, 1, 2] * 2,
    app=["net"] * 6,
    latency_ms_mean=[10.0, 20.0, 30.0, 9.0, 18.5, 29.0],
    energy_mj=[1.0, None, 3.0, 2.0, 2.0, 2.0],
)


# --- pairs ----------------------------------------------------------------------------------------------------


def test_a_paired_comparison_by_hand() -> None:
    found = compare_pairs([10.0, 20.0, 30.0], [9.0, 18.5, 29.0])
    assert (found.pairs, found.below, found.differs) == (3, 3, True)
    deviation = math.sqrt((2 * (1 / 6) ** 2 + (1 / 3) ** 2) / 2)
    assert found.difference.value == pytest.approx(-7 / 6)
    assert found.difference.half_width == pytest.approx(t_quantile(2) * deviation / math.sqrt(3))
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx((10 / 9 * 20 / 18.5 * 30 / 29) ** (1 / 3))
    assert found.ratio.low < found.ratio.value < found.ratio.high  # type: ignore[operator]


def test_one_pair_has_no_interval() -> None:
    found = compare_pairs([4.0], [2.0])
    assert (found.difference.half_width, found.differs, found.ratio) == (None, None, (2.0, None, None))


def test_values_that_are_not_positive_have_no_ratio() -> None:
    assert compare_pairs([1.0, 0.0], [1.0, 1.0]).ratio is None


@pytest.mark.parametrize(("base", "values"), [([], []), ([1.0], [1.0, 2.0])])
def test_pairs_are_complete(base, values) -> None:
    with pytest.raises(UsageError, match="as many values as bases"):
        compare_pairs(base, values)


@given(st.lists(st.floats(1.0, 100.0), min_size=2, max_size=8), st.floats(0.5, 2.0))
def test_a_constant_factor_is_found_whatever_the_spread(base: list[float], factor: float) -> None:
    found = compare_pairs(base, [b / factor for b in base])
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(factor)
    assert found.ratio.low == pytest.approx(factor) == found.ratio.high


# --- tables ---------------------------------------------------------------------------------------------------


def test_means_over_seeds() -> None:
    found = socsim.summarise(TABLE, ["latency_ms_mean", "energy_mj"])
    assert found[["scheduler", "app", "metric", "n", "mean"]].to_numpy().tolist() == [
        ["cpu", "net", "latency_ms_mean", 3, 20.0], ["cpu", "net", "energy_mj", 2, 2.0],
        ["gpu", "net", "latency_ms_mean", 3, pytest.approx(56.5 / 3)], ["gpu", "net", "energy_mj", 3, 2.0],
    ]  # fmt: skip
    half = t_quantile(2) * 10.0 / math.sqrt(3)
    assert found["high"][0] - found["mean"][0] == pytest.approx(half) == found["mean"][0] - found["low"][0]
    assert found["low"][3] == found["high"][3] == 2.0


def test_a_single_run_has_no_interval() -> None:
    found = socsim.summarise(TABLE[TABLE["seed"] == 0])
    assert found["low"].isna().all() and found["n"].tolist() == [1, 1]


def test_runs_are_paired_by_seed() -> None:
    shuffled = TABLE.sample(frac=1.0, random_state=3)
    for table in (TABLE, shuffled):
        (row,) = socsim.paired(table, "scheduler", base="cpu").to_dict("records")
        assert (row["app"], row["scheduler"], row["pairs"], row["below"]) == ("net", "gpu", 3, 3)
        assert row["difference"] == pytest.approx(-7 / 6)
        assert row["low"] < row["difference"] < row["high"] < 0.0
        assert row["differs"]
    (row,) = socsim.paired(TABLE, "scheduler", "energy_mj").to_dict("records")
    assert (row["pairs"], row["difference"], row["differs"]) == (2, 0.0, False)


def test_other_columns_are_kept_apart() -> None:
    table = runs(
        s=["a", "a", "b", "b"], n=[1, 2, 1, 2], seed=[0] * 4, app=["x"] * 4, latency_ms_mean=[1.0, 2, 4, 8]
    )
    found = socsim.paired(table, "s")
    assert found[["n", "app", "s", "ratio"]].to_numpy().tolist() == [[1, "x", "b", 0.25], [2, "x", "b", 0.25]]
    assert found["ratio_low"].isna().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: socsim.paired(TABLE, "schedular"), "unknown column 'schedular'; did you mean 'scheduler'?"),
        (lambda: socsim.paired(TABLE, "scheduler", "latency"), "unknown column 'latency'"),
        (lambda: socsim.paired(TABLE, "scheduler", base="gqu"), "unknown value of 'scheduler': 'gqu'; did you mean"),
        (lambda: socsim.summarise(TABLE, "energy"), "unknown column 'energy'; did you mean 'energy_mj'?"),
        (lambda: socsim.paired(pd.concat([TABLE, TABLE]), "scheduler"), "two runs of one point have seed 0"),
    ],
)  # fmt: skip
def test_wrong_questions(call, message: str) -> None:
    with pytest.raises((UnknownNameError, UsageError)) as caught:
        call()
    assert str(caught.value).startswith(message)


# --- common random numbers ------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def test_schedulers_have_the_same_arrivals(here: Path) -> None:
    socsim.sweep(
        "s.yaml", {"scheduler": ["cpu", "gpu", "codl"], "seed": "0..2"}, output="out", tables=["inferences"]
    )
    found = socsim.load_results("out").inferences
    runs = [found[found["run"] == run]["arrival_ms"].tolist() for run in range(9)]
    assert runs[0:3] == runs[3:6] == runs[6:9]
    assert runs[0] != runs[1]


@pytest.mark.parametrize("schedulers", [("cpu", "codl"), ("gpu", "heft")])
def test_schedulers_have_the_same_spread_of_inferences(schedulers: tuple[str, str]) -> None:
    """With more than the inference's own factor drawn, both would be somewhere else after the first inference."""
    from socsim.devices.profile import load_device
    from socsim.simulation.simulation import Simulation

    factors = []
    for scheduler in schedulers:
        app = socsim.Inference(socsim.load_model("squeezenet_1.1"), scheduler, count=4)
        simulation = Simulation(load_device("xiaomi-9"), [app], seed=5, noise=True)
        (stream,) = simulation.streams
        seen: list[dict[str, float]] = []
        noise = stream.noise
        assert noise is not None
        draw = noise.slowness
        noise.slowness = lambda seen=seen, draw=draw: seen.append(draw()) or seen[-1]  # type: ignore
        simulation.run()
        factors.append(seen)
    assert len(factors[0]) == 4
    assert factors[0] == factors[1]


def test_pairing_is_sharper_than_means_side_by_side(here: Path) -> None:
    table = socsim.sweep("s.yaml", {"scheduler": ["cpu", "heft"], "seed": "0..9"}, overrides=["duration=1 s"])
    (row,) = socsim.paired(table, "net.scheduler", "wait_ms_mean").to_dict("records")
    means = socsim.summarise(table, "wait_ms_mean")
    alone = [(high - low) / 2 for low, high in zip(means["low"], means["high"], strict=True)]
    assert (row["high"] - row["low"]) / 2 < math.hypot(*alone)


# --- results --------------------------------------------------------------------------------------------------


def test_results_are_read_back(here: Path) -> None:
    table = socsim.sweep("s.yaml", {"seed": "0..3"}, output="out", tables=["power", "kernels"], jobs=2)
    results = socsim.load_results("out")
    assert repr(results) == f"Results({str(here / 'out')!r}, kernels, power, runs)"
    assert (results.finished, results.tables, results.progress()) == (
        True,
        ("kernels", "power", "runs"),
        "4 of 4 runs",
    )
    pd.testing.assert_frame_equal(results.runs, table, check_exact=True)
    assert sorted(results.kernels["run"].unique()) == sorted(results.power["run"].unique()) == [0, 1, 2, 3]
    assert list(results.kernels.columns)[:3] == ["run", "app", "inference"]
    assert results.failures.empty
    assert results.config["sweep"] == {"seed": "0..3"}
    assert results.manifest["seeds"] == [0, 1, 2, 3]
    assert results.manifest["versions"]["socsim"] == socsim.__version__
    pd.testing.assert_frame_equal(results.summarise(), socsim.summarise(table))
    with pytest.raises(UnknownNameError, match="unknown table 'inferences'"):
        results.inferences  # noqa: B018


def test_kept_tables_are_those_of_single_runs(here: Path) -> None:
    names = ("inferences", "kernels", "power")
    socsim.sweep("s.yaml", {"seed": "0..2"}, output="out", tables=names)
    single = socsim.load_experiment("s.yaml", ["seed=1"]).run(kernels=True)
    for name in names:
        kept = socsim.load_results("out").table(name)
        own = kept[kept["run"] == 1].drop(columns="run").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, getattr(single, name), check_exact=True, check_dtype=False)


def test_a_sweep_that_is_not_finished_is_read_from_its_journal(here: Path) -> None:
    table = socsim.sweep("s.yaml", {"seed": "0..3"}, output="out")
    for name in ("manifest.json", "runs.parquet"):
        (here / "out" / name).unlink()
    journal = here / "out" / "journal" / "runs.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
    results = socsim.load_results("out")
    assert repr(results) == f"Results({str(here / 'out')!r}, runs, not finished)"
    assert (results.finished, results.progress()) == (False, "2 of 4 runs")
    pd.testing.assert_frame_equal(results.runs, table[:2], check_exact=True)
    assert results.failures.empty
    assert results.config["sweep"] == {"seed": "0..3"}


def test_results_of_single_runs(here: Path) -> None:
    socsim.load_experiment("s.yaml").run(kernels=True).save("one")
    results = socsim.load_results("one")
    assert {"summary", "inferences", "kernels", "clocks"} <= set(results.tables)
    assert len(results.table("summary")) == 1
    with pytest.raises(UsageError, match="holds no sweep"):
        results.progress()


@pytest.mark.parametrize(
    ("name", "message"), [("missing", "'missing' is no directory"), (".", "holds no results of")]
)
def test_there_must_be_results(here: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        socsim.load_results(name)


def test_columns_hold_whatever_comes_up(tmp_path: Path) -> None:
    rows = [
        {"run": 0, "app": "a", "n": 1, "f": 1, "b": True, "t": "x", "none": None, "u": {"cpu": 0.5}, "mixed": 1},
        {"run": 1, "app": "a", "n": None, "f": 0.25, "b": None, "t": None, "none": None, "u": {"gpu": 1}, "mixed": "y"},
    ]  # fmt: skip
    with Journal(tmp_path) as journal:
        for row in reversed(rows):
            payload = json.dumps({"run": row["run"], "rows": [row]}, separators=(",", ":")).encode()
            journal.append([Outcome(int(str(row["run"])), True, payload)])
    write_rows(tmp_path, tmp_path / "runs.parquet")
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "runs.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "run": "int64", "app": "string", "n": "int64", "f": "double", "b": "bool", "t": "string", "none": "null",
        "u_cpu": "double", "mixed": "string", "u_gpu": "int64",
    }  # fmt: skip
    assert table.to_pylist()[0] | {"u_gpu": None} == {
        "run": 0, "app": "a", "n": 1, "f": 1.0, "b": True, "t": "x", "none": None, "u_cpu": 0.5, "mixed": "1",
        "u_gpu": None,
    }  # fmt: skip
    assert not list(tmp_path.glob(".*partial"))
