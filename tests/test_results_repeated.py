"""Seeds, and comparisons with several of them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from clikit import Cli, cells

import socsim
from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.means import mean
from socsim.results.repeated import INTERVALS, PAIRED, RepeatedComparison
from socsim.seeds import read_seeds

COMPARE = ("compare", "-d", "xiaomi-9", "-m", "squeezenet_1.1", "-s", "cpu,gpu", "-n", "3")


@pytest.mark.parametrize(
    ("written", "seeds"),
    [(3, (3,)), ("3", (3,)), ("0..3", (0, 1, 2, 3)), ("1,2,5", (1, 2, 5)), ("0..1, 7", (0, 1, 7)), ([4, 2], (4, 2)),
     (range(2), (0, 1))],
)  # fmt: skip
def test_seeds(written, seeds) -> None:
    assert read_seeds(written) == seeds


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("3..1", "the range 3..1 runs backwards; write 1..3"),
        ("x", "seeds are a whole number from 0, a range such as 0..9, or several between commas; got 'x'"),
        ("1.5", "seeds are a whole number from 0"),
        ("1,,2", "seeds are a whole number from 0"),
        (-1, "seeds are a whole number from 0"),
        (True, "seeds are a whole number from 0"),
        ([1, "2"], "seeds are a whole number from 0"),
        ([], "seeds are a whole number from 0, a range such as 0..9, or several between commas; got none"),
        ("1..99999999999", "the range 1..99999999999 has 99999999999 seeds; at most 1000000 are taken"),
        ("0..1000000", "the range 0..1000000 has 1000001 seeds; at most 1000000 are taken"),
        ("0..2,1", "seed 1 is there twice in '0..2,1', and would only say the same again"),
    ],
)
def test_wrong_seeds(written, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_seeds(written)
    assert str(caught.value).startswith(message)


@pytest.fixture(scope="module")
def repeated() -> RepeatedComparison:
    found = socsim.compare(
        "xiaomi-9", "squeezenet_1.1", ["cpu", "gpu"], inferences=3, noise=True, seed="0..3"
    )
    assert isinstance(found, RepeatedComparison)
    return found


def single(seed: int) -> Comparison:
    found = socsim.compare("xiaomi-9", "squeezenet_1.1", ["cpu", "gpu"], inferences=3, noise=True, seed=seed)
    assert isinstance(found, Comparison)
    return found


def test_each_seed_is_the_comparison_with_it(repeated: RepeatedComparison) -> None:
    assert [one.rows for one in repeated.comparisons] == [single(seed).rows for seed in range(4)]
    assert repeated.every()["seed"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_rows_are_means_with_intervals(repeated: RepeatedComparison) -> None:
    base, row = repeated.rows
    assert set(single(0).rows[0]) | {"seeds", "ci95", "paired"} == set(row)
    for key in INTERVALS:
        values = [one.rows[1][key] for one in repeated.comparisons]
        if key == "top1_mean":
            assert (values, row[key], row["ci95"][key]) == ([None] * 4, None, None)
            continue
        centre, half = mean(values)
        assert row[key] == pytest.approx(centre)
        assert row["ci95"][key] == half
    assert (row["seeds"], row["scheduler"], row["model"]) == (4, "gpu", "squeezenet_1.1")
    assert row["utilization"]["gpu"] == pytest.approx(
        mean([c.rows[1]["utilization"]["gpu"] for c in repeated.comparisons]).value
    )
    assert base["speedup"] == 1.0


def test_rows_are_compared_with_the_first_seed_by_seed(repeated: RepeatedComparison) -> None:
    base, row = repeated.rows
    assert set(row["paired"]) == set(PAIRED)
    found = row["paired"]["latency_ms_mean"]
    differences = [c.rows[1]["latency_ms_mean"] - c.rows[0]["latency_ms_mean"] for c in repeated.comparisons]
    assert found["difference"] == pytest.approx(mean(differences).value)
    assert found["ci95"] == pytest.approx(mean(differences).half_width)
    assert (found["differs"], base["paired"]["latency_ms_mean"]["differs"]) == (True, False)
    assert found["ratio_low"] < found["ratio"] == row["speedup"] < found["ratio_high"]


def test_a_table_has_columns_for_all(repeated: RepeatedComparison) -> None:
    columns = repeated.table().columns
    for name in (
        "latency_ms_mean",
        "ci95_latency_ms_mean",
        "paired_energy_mj_difference",
        "utilization_gpu",
        "seeds",
    ):
        assert name in columns


def test_what_is_shown(repeated: RepeatedComparison) -> None:
    title, _, _, cpu, gpu = cells(str(repeated))
    assert title == ["squeezenet_1.1 on xiaomi-9, mace; means over 4 seeds, ± 95 % confidence"]
    assert (cpu[0], cpu[-1], gpu[0]) == ("cpu", "1.000", "gpu")
    assert "±" in gpu[1] and " to " in gpu[-1]
    assert repr(repeated) == "RepeatedComparison(cpu, gpu), 4 seeds"


def test_comparisons_and_seeds_belong_together(repeated: RepeatedComparison) -> None:
    with pytest.raises(UsageError, match="a comparison needs a seed each, got 1 for 4 comparisons"):
        RepeatedComparison(repeated.comparisons, [1], {})


# --- on the command line ----------------------------------------------------------------------------------------


def test_the_command_takes_several_seeds(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli(*COMPARE, "--seeds", "0..2", "--noise", "--json", "-o", tmp_path / "out")
    rows = json.loads(out)
    assert (code, err, [row["seeds"] for row in rows]) == (0, "", [3, 3])
    assert len(pd.read_parquet(tmp_path / "out" / "runs.parquet")) == 6
    assert len(pd.read_parquet(tmp_path / "out" / "comparison.parquet")) == 2
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["seeds"], manifest["experiment"]["seed"]) == ([0, 1, 2], [0, 1, 2])
    assert json.loads(cli("run", tmp_path / "out", "--json")[1]) == rows


def test_seeds_that_draw_nothing_are_told(cli: Cli) -> None:
    _, out, _ = cli(*COMPARE, "--seed", "0,1")
    assert out.splitlines()[-1] == "seeds make no difference here: nothing is drawn without --noise"
    assert "seeds make no difference" not in cli(*COMPARE, "--seed", "0,1", "--noise")[1]


def test_one_seed_is_as_before(cli: Cli) -> None:
    rows = json.loads(cli(*COMPARE, "--seed", "3", "--noise", "--json")[1])
    assert rows == json.loads(cli(*COMPARE, "--seeds", "3", "--noise", "--json")[1])
    assert "seeds" not in rows[0]


def test_wrong_seeds_are_bad_input(cli: Cli) -> None:
    code, out, err = cli(*COMPARE, "--seeds", "9..1")
    assert (code, out) == (2, "")
    assert "the range 9..1 runs backwards; write 1..9" in err


def test_managers_of_a_family_are_compared_with_several_seeds() -> None:
    options = {"inferences": 3, "noise": True, "targets": {"latency": "60 ms"}, "level": 2}
    found = socsim.compare("xiaomi-9", "dynamic_ofa", ["gpu", "latency_window"], seed="0..1", **options)
    assert isinstance(found, RepeatedComparison)
    for seed, own in zip(found.seeds, found.comparisons, strict=True):
        alone = socsim.compare("xiaomi-9", "dynamic_ofa", ["gpu", "latency_window"], seed=seed, **options)
        assert own.rows == alone.rows
    assert [row["scheduler"] for row in found.rows] == ["gpu", "latency_window"]
    top1 = [one.rows[1]["top1_mean"] for one in found.comparisons]
    assert found.rows[1]["top1_mean"] == pytest.approx(mean(top1).value)
    assert found.rows[1]["ci95"]["top1_mean"] == mean(top1).half_width
    assert found.config["targets"] and found.config["seed"] == [0, 1]
    assert "top-1" in str(found)


def test_transforms_and_governors_are_compared_with_several_seeds() -> None:
    found = socsim.compare(
        "xiaomi-9", "squeezenet_1.1", ["cpu"], seed=[3, 5], noise=True, inferences=2,
        transforms=["none", "prune(0.5)"], governors=["schedutil", "performance"],
        limits={"cpu": {"max": "1.2 GHz"}},
    )  # fmt: skip
    assert isinstance(found, RepeatedComparison)
    assert [row["governors"] for row in found.rows] == ["schedutil", "performance"] * 2
    assert (
        found.rows[0]["model"] == found.rows[1]["model"] != found.rows[2]["model"] == found.rows[3]["model"]
    )
    title, headers = str(found).splitlines()[0], str(found).splitlines()[2]
    assert title.startswith("squeezenet_1.1 on ") and headers.startswith("transforms  scheduler  governors")
    assert found.config["transforms"] == ["none", "prune(0.5)"] and found.config["limits"]
