"""Transforms by name: in models, applications, experiments, comparisons and on the command line; what they cost."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from clikit import Cli
from onnx import TensorProto, helper, parser
from onnx import save as write

import socsim
from socsim.errors import FileError, SocsimError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.results.inputs import input_hashes, located
from socsim.simulation.simulation import Simulation
from socsim.workloads.transforms import (
    TRANSFORMS,
    Transform,
    canonical,
    load_drops,
    parse_transform,
    prune,
    split_transforms,
    transform_set,
    transformed,
)
from socsim.workloads.zoo import build_model

PRUNED = "prune(0.5, joined=false)"

# --- spelling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("prune(0.5)", "prune(0.5)"),
        ("prune(.50)", "prune(0.5)"),
        (" prune ( share = 0.5 , multiple=8 ) ", "prune(0.5)"),
        ("prune(0.5, joined=False)", PRUNED),
        ("prune(joined=false,share=0.5)", PRUNED),
        ("low_rank(0.25,form=spatial)", "low_rank(0.25, form=spatial)"),
        ("low_rank(1)", "low_rank(1)"),
        ("low_rank(1.0)", "low_rank(1)"),
        ("quantise", "quantise(int8)"),
        ("quantise()", "quantise(int8)"),
        ("quantise(fp16)", "quantise(fp16)"),
        ("simplify", "simplify"),
        ("fuse", "fuse"),
    ],
)
def test_one_way_to_write_each(text: str, written: str) -> None:
    transform = parse_transform(text)
    assert transform.written == written
    assert canonical([text]) == (written,)
    assert parse_transform(written).written == written


@pytest.mark.parametrize("text", ["prune(0.5)", PRUNED, "low_rank(0.5, form=channel)", "quantise(fp16)", *sorted(
    {"simplify", "fuse", "unfuse"})])  # fmt: skip
def test_lineages_write_them_so_too(text: str) -> None:
    made = parse_transform(text)(build_model("resnet18"))
    assert made.lineage is not None
    assert made.lineage.steps == (text,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prune", "transform 'prune' needs its share, such as prune\\(0.5\\)"),
        ("prune(0.5, 8)", "write '8' with the name of its option"),
        ("prune(0.5, share=0.5)", "has its share twice"),
        ("prune(0.5, multipel=4)", "no option 'multipel'; did you mean 'multiple'"),
        ("simplify(0.5)", "write '0.5' with the name"),
        ("simplify(x=1)", "no option 'x'; it takes none"),
        ("prune(0.5", "is written 'name' or 'name\\(value, option=value\\)'"),
        ("pruen(0.5)", "unknown transform 'pruen'; did you mean 'prune'"),
    ],
)
def test_other_forms_are_told(text: str, words: str) -> None:
    with pytest.raises(SocsimError, match=words):
        parse_transform(text)


@pytest.mark.parametrize(
    ("text", "base", "steps"),
    [
        ("resnet50", "resnet50", ()),
        ("resnet50+prune(0.5)", "resnet50", ("prune(0.5)",)),
        ("mobilenet_v1_0.5_160 + simplify + quantise", "mobilenet_v1_0.5_160", ("simplify", "quantise")),
        ("dynamic_ofa@4+low_rank(0.5, form=channel)", "dynamic_ofa@4", ("low_rank(0.5, form=channel)",)),
        ("/a+b/c++net.onnx+fuse", "/a+b/c++net.onnx", ("fuse",)),
        ("/a+b/c++net.onnx", "/a+b/c++net.onnx", ()),
        ("resnet50+", "resnet50+", ()),
        ("+prune(0.5)", "+prune(0.5)", ()),
    ],
)
def test_names_of_networks_and_what_follows(text: str, base: str, steps: tuple[str, ...]) -> None:
    assert split_transforms(text) == (base, steps)


def test_a_file_of_that_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net+fuse").touch()
    assert split_transforms("net+fuse") == ("net+fuse", ())


def test_sets() -> None:
    assert [transform_set(text) for text in ("none", "", " fuse ", "fuse+prune(0.5)")] == [
        (), (), ("fuse",), ("fuse", "prune(0.5)"),
    ]  # fmt: skip


# --- loading ------------------------------------------------------------------------------------------------


def test_a_name_with_transforms_is_a_network() -> None:
    graph = socsim.load_model("resnet18+prune(0.5)+low_rank(0.5)")
    assert graph.name == "resnet18+prune(0.5)+low_rank(0.5)"
    alike = socsim.load_model("resnet18", transforms=["prune(0.5)", "low_rank(0.5)"])
    assert alike.digest() == graph.digest()
    assert socsim.load_model(graph) is graph


def test_functions_are_transforms_too() -> None:
    own = socsim.load_model("resnet18+simplify", transforms=[lambda graph: prune(graph, 0.5)])
    assert own.name == "resnet18+simplify+prune(0.5)"
    assert (
        socsim.load_model(build_model("resnet18"), transforms=[Transform("fuse", {})]).name == "resnet18+fuse"
    )


def test_levels_of_families() -> None:
    graph = socsim.load_model("dynamic_ofa@2+simplify")
    assert graph.name == "dynamic_ofa@2+simplify"
    with pytest.raises(UsageError, match="is a family of"):
        socsim.load_model("dynamic_ofa+simplify")


def test_files_of_networks(tmp_path: Path) -> None:
    path = _onnx(tmp_path)
    graph = socsim.load_model(f"{path}+simplify+unfuse", fuse=True)
    assert [op.type for op in graph] == ["conv2d", "activation"]
    assert graph.lineage is not None
    assert graph.lineage.steps == ("simplify", "unfuse")
    assert len(socsim.load_model(f"{path}+fuse", fuse=False)) == 1


def _onnx(folder: Path) -> Path:
    """A convolution with constant filters, and a ReLU."""
    text = """
    <ir_version: 9, opset_import: ["" : 17]>
    tiny (float[1, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[1, 4, 6, 6] y) { c = Conv(x, w) y = Relu(c) }
    """
    proto = parser.parse_model(text)
    weights = next(i for i in proto.graph.input if i.name == "w")
    proto.graph.input.remove(weights)
    proto.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], [0.0] * 108))
    write(proto, folder / "tiny.onnx")
    return folder / "tiny.onnx"


# --- accuracy -----------------------------------------------------------------------------------------------


def drop(name: str, accuracy: str | Path = "") -> float:
    return socsim.load_model(name, accuracy=accuracy).top1_drop


def test_what_is_published_is_known_with_its_source() -> None:
    graph = socsim.load_model(f"resnet50+{PRUNED}")
    assert graph.top1_drop == 1.87
    assert graph.lineage is not None
    assert graph.lineage.source.startswith("D: Luo et al., ThiNet")
    assert drop("mobilenet_v1+prune(0.5)") == drop(f"mobilenet_v1+{PRUNED}") == 6.9
    assert drop("googlenet+quantise") == -0.048


def test_what_changes_no_result_costs_nothing() -> None:
    assert drop("resnet50+simplify+unfuse+fuse") == 0.0
    assert drop("resnet50+unfuse+simplify+quantise+fuse") == drop("resnet50+quantise") == 0.21


def test_what_nobody_has_said_is_not_known() -> None:
    assert math.isnan(drop("resnet50+prune(0.5)"))
    assert math.isnan(drop("resnet50+low_rank(0.25)"))
    assert math.isnan(drop(f"resnet50+{PRUNED}+quantise"))  # costs do not add up
    assert math.isnan(drop("resnet50+quantise+quantise"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "drops.csv"
    path.write_text(
        "model,transform,parameter,top1_drop\n"
        "resnet50,prune,0.50,3.5\n"
        'resnet50,prune,"0.5,joined=False",1.2\n'
        "resnet50,prune(0.5)+quantise,,4\n"
    )
    return path


def test_own_tables_go_before(table: Path) -> None:
    assert drop("resnet50+prune(0.5)", table) == 3.5
    assert drop(f"resnet50+simplify+{PRUNED}", table) == 1.2
    assert drop("resnet50+prune(0.5)+fuse+quantise(int8)", table) == 4.0
    assert drop("resnet50+quantise", table) == 0.21
    assert drop("resnet50", table) == 0.0


def test_a_network_that_is_there_is_priced_anew(table: Path) -> None:
    graph = prune(build_model("resnet50"), 0.5)
    assert math.isnan(graph.top1_drop)
    assert socsim.load_model(graph, accuracy=table).top1_drop == 3.5
    assert transformed(graph, [], table).top1_drop == 3.5


def test_tables_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "drops.yaml"
    path.write_text(
        "drops:\n"
        "- {model: resnet50, transform: prune, parameter: 0.5, top1_drop: 3.25, grade: D, source: a guess}\n"
        "- {model: resnet50, transform: quantise, top1_drop: 0}\n"
    )
    graph = socsim.load_model("resnet50+prune(0.5)", accuracy=path)
    assert graph.lineage is not None
    assert (graph.top1_drop, graph.lineage.source) == (3.25, "D: a guess")
    assert drop("resnet50+quantise", path) == 0.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "1:1: needs the columns model, transform, parameter, top1_drop"),
        ("model,transform,parameter\n", "1:1: the column 'top1_drop' is missing"),
        ("model,transform,parameter,top1_drop,sourec\n", "unknown column 'sourec'; did you mean 'source'"),
        ("model,transform,parameter,top1_drop\nn,prune,0.5,much\n", "2:1: top1_drop must be points"),
        ("model,transform,parameter,top1_drop\nn,prune,0.5,\n", "2:1: top1_drop must be points"),
        ("model,transform,parameter,top1_drop\nn,prune,0.5,101\n", "-100 to 100, got '101'"),
        ("model,transform,parameter,top1_drop\nn,pruen,0.5,1\n", "2:1: unknown transform 'pruen'"),
        ("model,transform,parameter,top1_drop\n,prune,0.5,1\n", "2:1: a row needs a model and a transform"),
    ],
)
def test_faults_of_tables(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "drops.csv"
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        load_drops(path)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rows: []\n", "expected one key, 'drops'"),
        ("drops: {}\n", "expected one key, 'drops'"),
        ("drops:\n- resnet50\n", "2:3: expected a row, got 'resnet50'"),
        ("drops:\n- {model: n, transform: prune}\n", "the column 'top1_drop' is missing"),
        ("drops:\n- {model: n, transform: prune, parameter: 0.5, top1_drop: x}\n", "2:59: top1_drop must be"),
    ],
)
def test_faults_of_tables_in_yaml(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "drops.yaml"
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        load_drops(path)
    assert words in str(caught.value)


def test_all_faults_at_once_and_files_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "drops.csv"
    path.write_text("model,transform,parameter,top1_drop\nn,prune,0.5,x\nn,prun,0.5,1\n")
    with pytest.raises(FileError) as caught:
        load_drops(path)
    assert len(caught.value.faults) == 2
    with pytest.raises(FileError, match="cannot be read"):
        load_drops(tmp_path / "nowhere.csv")


def test_published_figures_are_of_networks_that_there_are() -> None:
    """Every row has a grade and a source, names a network of the zoo and a transform that it takes."""
    rows = load_drops(Path(TRANSFORMS["prune"].__code__.co_filename).with_name("published_accuracy.csv")).rows
    assert len(rows) == 17
    assert len({(row.model, row.steps) for row in rows}) == len(rows)
    for row in rows:
        assert row.grade in "ABCDF"
        assert row.source
        assert socsim.load_model("+".join((row.model, *row.steps))).top1_drop == row.top1_drop


# --- runs ---------------------------------------------------------------------------------------------------


def test_applications_have_transforms() -> None:
    app = socsim.Inference("resnet18", "cpu", count=1, transforms=["prune(0.5)"])
    result = socsim.simulate("xiaomi-9", [app])
    alone = socsim.simulate("xiaomi-9", [socsim.Inference("resnet18+prune(0.5)", "cpu", count=1)])
    assert result.metrics()["model"] == "resnet18+prune(0.5)"
    assert result.metrics()["top1_drop"] is None
    assert result.metrics()["latency_ms_mean"] == alone.metrics()["latency_ms_mean"]
    assert result.config["apps"][0]["transforms"] == ["prune(0.5)"]


def test_a_simulation_by_hand_takes_networks_as_they_are() -> None:
    app = socsim.Inference(build_model("resnet18"), "cpu", count=1, transforms=["fuse"])
    with pytest.raises(UsageError, match="load_model applies them"):
        Simulation(socsim.load_device("xiaomi-9"), [app])


def test_decisions_at_run_time_know_the_cost_too() -> None:
    app = socsim.Inference("resnet18+quantise", "band_lst", count=1)
    assert socsim.simulate("xiaomi-9", [app]).metrics()["top1_drop"] == 0.264


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "resnet18", "transforms": "prune(0.5)"}, "transforms are a list"),
        ({"model": "resnet18", "transforms": ["prune"]}, "needs its share"),
        ({"model": "dynamic_ofa", "transforms": ["fuse"]}, "name a level of the family"),
    ],
)
def test_applications_refuse(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        socsim.Inference(**options)  # type: ignore[arg-type]


def test_experiments_have_transforms(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(
        "device: xiaomi-9\napps:\n"
        "- {kind: inference, model: resnet50, count: 1, transforms: [prune(0.5)], accuracy: drops.csv}\n"
    )
    experiment = load_experiment(path)
    assert experiment.config["apps"][0]["accuracy"] == str(table)
    assert experiment.run().metrics()["top1_drop"] == 3.5
    assert list(input_hashes(experiment.config)) == [str(table)]


def test_experiments_are_checked(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "e.yaml"
    text = "device: xiaomi-9\napps:\n- {kind: inference, model: resnet18, count: 1, transforms: [%s]}\n"
    path.write_text(text % "simplify, pruen(0.5)")
    code, _, error = cli("check", str(path))
    assert code == 2
    assert "unknown transform 'pruen'; did you mean 'prune'" in error
    assert "e.yaml:3:" in error
    path.write_text(text % "simplify, prune(5)")
    code, _, error = cli("check", str(path))
    assert code == 2
    assert "apps.0.transforms.1: prune: share must be a number above 0 and below 1, got 5" in error
    path.write_text(text.replace("transforms: [%s]", "accuracy: gone.csv"))
    code, _, error = cli("check", str(path))
    assert code == 2
    assert "gone.csv: cannot be read" in error


def test_paths_before_transforms_are_found(tmp_path: Path) -> None:
    path = _onnx(tmp_path)
    found = located({"apps": [{"model": "tiny.onnx+prune(0.5)"}]}, tmp_path)
    assert found["apps"][0]["model"] == f"{path}+prune(0.5)"
    assert list(input_hashes(found)) == [str(path)]
    kept = located({"apps": [{"model": "resnet50+prune(0.5)"}]}, tmp_path)
    assert kept["apps"][0]["model"] == "resnet50+prune(0.5)"


def test_comparisons_of_transforms_and_schedulers() -> None:
    compared = socsim.compare(
        "xiaomi-9",
        "resnet18",
        ["cpu", "gpu"],
        transforms=["none", "prune(0.5)+quantise", ["fuse"]],
        inferences=1,
    )
    assert [(row["model"], row["scheduler"], row["top1_drop"]) for row in compared.rows] == [
        (f"resnet18{steps}", scheduler, cost)
        for steps, cost in (("", 0.0), ("+prune(0.5)+quantise(int8)", None), ("+fuse", 0.0))
        for scheduler in ("cpu", "gpu")
    ]
    assert compared.titles[2] == "prune-0.5--quantise-int8--cpu"
    text = str(compared)
    assert "resnet18 on xiaomi-9" in text.splitlines()[0]
    assert "what it costs in accuracy is not known" in text


def test_comparisons_refuse() -> None:
    with pytest.raises(UsageError, match="name a level of the family"):
        socsim.compare("xiaomi-9", "dynamic_ofa", ["cpu"], transforms=["fuse"])
    with pytest.raises(UsageError, match="at least one set of transforms"):
        socsim.compare("xiaomi-9", "resnet18", ["cpu"], transforms=[])
    with pytest.raises(UnknownNameError, match="unknown transform 'prun'"):
        socsim.compare("xiaomi-9", "resnet18", ["cpu"], transforms=["prun(0.5)"])


def test_compare_on_the_command_line_and_again(cli: Cli, tmp_path: Path, table: Path) -> None:
    words = ("compare", "-d", "xiaomi-9", "-m", "resnet50", "-s", "gpu", "-n", "1", "--accuracy", str(table))
    out = tmp_path / "out"
    code, text, _ = cli(*words, "-t", "none,prune(0.5)", "-o", str(out))
    assert code == 0
    assert "costs 3.5 points of Top-1" in text
    code, text, _ = cli("run", str(out), "--json")
    assert code == 0
    assert [(row["model"], row["top1_drop"]) for row in json.loads(text)] == [
        ("resnet50", 0.0),
        ("resnet50+prune(0.5)", 3.5),
    ]
    code, _, error = cli(*words, "-t", "prune(0.5),,fuse")
    assert code == 2
    assert "-t takes at least one set of transforms" in error


def test_show_a_network_step_by_step(cli: Cli) -> None:
    code, text, _ = cli("show", "model", f"resnet50+simplify+{PRUNED}")
    assert code == 0
    assert "1.87 points of Top-1 lost (D: Luo et al., ThiNet" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["resnet50", "73", "3.858", "G", "25.53", "M", "fp32", "255.7", "111.8"] in lines
    assert [
        "+prune(0.5,",
        "joined=false)",
        "73",
        "1.619",
        "G",
        "12.35",
        "M",
        "fp32",
        "187.5",
        "59.0",
    ] in lines
    code, text, _ = cli("show", "model", "resnet50+quantise", "--json")
    shown = json.loads(text)
    assert [step["dtype"] for step in shown["steps"]] == ["fp32", "int8"]
    assert shown["steps"][1]["traffic_mb"] * 4 == pytest.approx(shown["steps"][0]["traffic_mb"])
    assert shown["top1_drop"] == 0.21
    assert "steps" not in json.loads(cli("show", "model", "resnet50", "--json")[1])


def test_show_says_what_it_does_not_know(cli: Cli, table: Path) -> None:
    assert "cost not known" in cli("show", "model", "resnet50+prune(0.5)")[1]
    assert (
        "3.5 points of Top-1 lost" in cli("show", "model", "resnet50+prune(0.5)", "--accuracy", str(table))[1]
    )
    assert "accuracy:              0 points of Top-1 lost" in cli("show", "model", "resnet50+fuse")[1]


def test_list_transforms(cli: Cli) -> None:
    rows = json.loads(cli("list", "transforms", "--json")[1])
    assert [row["name"] for row in rows] == list(TRANSFORMS)
    assert all(row["description"].endswith(".") for row in rows)


def test_sweeps_over_transforms_show_the_drop(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "device: xiaomi-9\napps:\n- {kind: inference, name: net, model: resnet50, scheduler: gpu, count: 1}\n"
        "sweep:\n  front:\n    nothing: {apps.net.transforms: []}\n"
        f"    pruned: {{apps.net.transforms: ['{PRUNED}']}}\n    quantised: {{apps.net.model: resnet50+quantise}}\n"
    )
    code, text, _ = cli("run", str(path), "-q", "--json")
    assert code == 0
    assert [row["top1_drop"] for row in json.loads(text)] == [0.0, 1.87, 0.21]
    code, text, _ = cli("run", str(path))
    assert "drop" in text.splitlines()[2]
    assert "1.87" in text
