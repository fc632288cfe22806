"""Tables of accuracy costs: every fault at its place, and what rows are found by."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from conftest import Cli

import socsim
from socsim.errors import FileError, UsageError
from socsim.workloads.graph import ModelGraph
from socsim.workloads.transforms import load_drops, parse_transform

HEADER = "model,transform,parameter,top1_drop"


def written(folder: Path, text: str, name: str = "drops.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(FileError) as caught:
        load_drops(path)
    return [fault.render(path.name) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("transform: prunee, top1_drop: 1", "2:27: unknown transform 'prunee'; did you mean 'prune'?"),
        ("transform: prune, parameter: 5, top1_drop: 1", "2:27: prune: share must be a number above 0"),
        (
            "transform: quantise, top1_drop: 101",
            "2:48: top1_drop must be points of accuracy, -100 to 100, got 101",
        ),
        (
            "transform: quantise, top1_drop: true",
            "2:48: top1_drop must be points of accuracy, -100 to 100, got True",
        ),
        (
            "transform: quantise, top1_drop:",
            "2:47: top1_drop must be points of accuracy, -100 to 100, got nothing",
        ),
        (
            "transform: prune(0.5), parameter: 0.4, top1_drop: 1",
            "2:50: parameter '0.4' must stand in the parenth",
        ),
        (
            "transform: fuse+simplify, top1_drop: 1",
            "2:27: 'fuse+simplify' computes the same and costs nothing",
        ),
        (
            "transform: quantise, top1_drop: 1, grade: E",
            "2:58: grade must be A, B, C, D or F, or empty, got 'E'",
        ),
        ("transfrom: quantise, top1_drop: 1", "2:16: unknown column 'transfrom'; did you mean 'transform'?"),
        ("transform: quantise", "2:3: the column 'top1_drop' is missing"),
    ],
)
def test_faults_have_their_place(tmp_path: Path, row: str, said: str) -> None:
    (found,) = faults(written(tmp_path, f"drops:\n- {{model: net, {row}}}\n"))
    assert found.startswith(f"drops.yaml:{said}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("net,quantise,,x", "2:1: top1_drop must be points of accuracy, -100 to 100, got 'x'"),
        ("net,quantise", "2:1: top1_drop must be points of accuracy, -100 to 100, got nothing"),
        ("net,quantise,,1,2", "2:1: a row must have at most 4 cells, as its header has, got 5"),
    ],
)
def test_faults_of_rows_in_csv(tmp_path: Path, row: str, said: str) -> None:
    assert faults(written(tmp_path, f"{HEADER}\n{row}\n", "drops.csv")) == [f"drops.csv:{said}"]


def test_a_misspelt_column_is_told_rather_than_that_one_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.replace("parameter", "parametr") + "\n", "drops.csv")
    assert faults(path) == ["drops.csv:1:1: unknown column 'parametr'; did you mean 'parameter'?"]


def test_nothing_is_said_twice(tmp_path: Path) -> None:
    """However it is written: 0.50 is 0.5, and cleaning costs nothing."""
    rows = "net,prune,0.5,1\nnet,simplify+prune(0.50),,2\nnet,prune,0.25,3\n"
    path = written(tmp_path, f"{HEADER}\n{rows}", "drops.csv")
    assert faults(path) == ["drops.csv:3:1: net with prune(0.5) has a row already, in line 2"]


def test_all_faults_of_all_rows_at_once(tmp_path: Path) -> None:
    text = "drops:\n- {model: '', transform: prun, top1_drop: x, grade: Z}\n- {model: n, transform: '', top1_drop: 1}\n"
    assert [fault.split(": ")[0] for fault in faults(written(tmp_path, text))] == [
        "drops.yaml:2:11", "drops.yaml:2:26", "drops.yaml:2:43", "drops.yaml:2:53", "drops.yaml:3:25",
    ]  # fmt: skip


def test_rows_are_found_without_what_costs_nothing(tmp_path: Path) -> None:
    path = written(
        tmp_path, "drops:\n- {model: resnet18, transform: simplify+prune(50 %)+fuse, top1_drop: 2.5}\n"
    )
    assert load_drops(path).rows[0].steps == ("prune(0.5)",)
    for name in ("resnet18+prune(0.5)", "resnet18+simplify+prune(0.50)+fuse", "resnet18+prune(50 %)"):
        assert socsim.load_model(name, accuracy=path).top1_drop == 2.5
    assert math.isnan(socsim.load_model("resnet18+prune(0.25)", accuracy=path).top1_drop)


def test_a_bad_table_is_told_though_nothing_is_looked_up_in_it(tmp_path: Path) -> None:
    path = written(tmp_path, "drops: 3\n")
    with pytest.raises(FileError, match="expected one key, 'drops', with a list of rows; it is no list"):
        socsim.load_model("resnet18", accuracy=path)


def test_tables_are_checked(cli: Cli, tmp_path: Path) -> None:
    good = written(tmp_path, "drops:\n- {model: net, transform: quantise, top1_drop: 1}\n")
    bad = written(tmp_path, "drops:\n- {model: net, transform: quantise, top1_drop: x}\n", "bad.yaml")
    code, out, err = cli("check", str(good), str(bad))
    assert (code, out) == (2, f"{good}: table of accuracy costs, 1 row on 1 network\n")
    assert err == f"{bad}:2:48: top1_drop must be points of accuracy, -100 to 100, got 'x'\n"


def test_a_table_without_the_row_is_named(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, "drops:\n- {model: resnet18, transform: quantise, top1_drop: 1}\n")
    words = ("show", "model", "resnet18+fuse+prune(0.5)")
    told = cli(*words, "--accuracy", str(path))[1]
    assert f"cost not known; {path} has no row for resnet18 with prune(0.5)\n" in told
    assert "cost not known; a table given with --accuracy may say" in cli(*words)[1]


# --- what is no transform -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ("prune(0.5)", "transforms are a list, such as ['prune(0.5)'], got 'prune(0.5)'"),
        (3, "transforms are a list, such as ['prune(0.5)'], got 3"),
        ([3], "a transform is a text, such as 'prune(0.5)', or a function, got 3"),
        ([len], "transform 'len' must return a network, got 20"),
        (["prune(7)"], "prune: share must be a number above 0 and below 1, got 7"),
    ],
)
def test_what_is_no_list_of_transforms(transforms: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        socsim.load_model("squeezenet_1.1" if transforms != [len] else twenty(), transforms=transforms)  # type: ignore[arg-type]
    assert str(caught.value) == said


def twenty() -> ModelGraph:
    from socsim.workloads.builder import GraphBuilder

    b = GraphBuilder("net")
    x = b.input(1, 4, 4, 4)
    for _ in range(20):
        x = b.conv(x, 4)
    return b.build(x)


@pytest.mark.parametrize(
    "tail", ["prune(0.5", "prune(0.5)+", "prune(0.5)prune(0.5)", "quantise)", "prune 0.5"]
)
def test_names_with_half_a_transform(tail: str) -> None:
    with pytest.raises(UsageError) as caught:
        socsim.load_model(f"resnet18+{tail}")
    assert str(caught.value).startswith(f"'resnet18+{tail}': transforms are written 'name' or 'name(value, ")


def test_values_are_checked_as_they_are_read() -> None:
    with pytest.raises(UsageError, match="quantise: the data type must be int8 or fp16, got 'int4'"):
        parse_transform("quantise(int4)")


def test_names_make_the_same_network_again() -> None:
    """To the last digit: two shares that are closer than that have two names."""
    close = [0.1 + 0.2, 0.3]
    names = [socsim.load_model("resnet18", transforms=[f"prune({share!r})"]).name for share in close]
    assert names == ["resnet18+prune(0.30000000000000004)", "resnet18+prune(0.3)"]
    assert [socsim.load_model(name).name for name in names] == names
