"""Files of families: what they may say, what is refused with its place, and how they are named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from clikit import Cli, calling

import socsim
from socsim.cli.checking import check_file
from socsim.errors import FileError, UnknownNameError
from socsim.results.inputs import input_hashes, located
from socsim.workloads.dynamic import Point, family_names, load_family
from socsim.workloads.dynamic.spec import SPECS
from socsim.workloads.library import load_library

OWN = """\
title: Two sizes
kind: once_for_all
sources: {lab: our own measurements}
grade: B
source: "lab: made up"
switch: {cost: {value: 20 ms, grade: D, source: "lab: guess"}}
setups: {phone: a phone}
skeleton:
  stem: 8
  stages:
  - {channels: 16, stride: 2, activation: relu, excite: false}
  - {channels: 24, stride: 2, activation: hswish, excite: true}
  head: [32, 64]
levels:
- top1: 60.5
  network: {resolution: 32, depths: [1, 1], kernels: [[3], [5, 7]], expansions: [[2], [4]]}
  published: {mmac: 0.3}
- top1: 70
  network: {resolution: 64, depths: [2, 1], kernels: [[3, 3], [7]], expansions: [[2, 3], [4]]}
  latencies: {phone: 3 ms}
points:
  phone: [{top1: 65, latency: 2 ms}]
"""

CHANNELS = """\
title: Channels
kind: channels
sources: {lab: our own}
grade: B
source: lab
switch: {cost: 0 ms}
skeleton: {resolution: 32, activation: relu6, blocks: [{kernel: 3, stride: 1}, {kernel: 5, stride: 2}]}
levels:
- {top1: 50, network: {stem: 8, blocks: [[8, 8], [24, 16]], head: 32}}
"""

WIDTH = """\
title: Widths
kind: width
sources: {lab: our own}
grade: B
source: lab
switch: {cost: 1 ms}
skeleton: {resolution: 32, activation: relu, stem: 32, blocks: [{channels: 64, stride: 1}]}
levels:
- {top1: 50, network: {width: 0.25}}
- {top1: 51, network: {width: 0.5}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return calling(capsys)


def faults(path: Path, text: str) -> list[str]:
    """What is wrong with a family's file, without its folder."""
    path.write_text(text)
    with pytest.raises(FileError) as refused:
        load_family(path)
    return str(refused.value).replace(f"{path.parent}{os.sep}", "").splitlines()


# --- what a file says -----------------------------------------------------------------------------------


def test_an_own_family(own: Path) -> None:
    family = load_family(own)
    assert (family.name, family.title, len(family)) == ("own", "Two sizes", 2)
    assert (family.switch.seconds, family.switch.grade, family.switch.source) == (0.02, "D", "lab: guess")
    small, large = family.levels
    assert (small.name, small.top1, small.published_macs, small.grade) == ("own@1", 60.5, 0.3e6, "B")
    assert (large.published_macs, large.latencies) == (None, {"phone": 0.003})
    assert family.reference("phone") == (Point(65, 0.002), Point(70, 0.003, 2))


def test_work_of_an_own_family(own: Path) -> None:
    """By hand: 8 channels at 16x16, 16 at 8x8, 64 expanded and 24 at 4x4, squeezed to 16."""
    stem = 16 * 16 * (8 * 27 + 8 * 9 + 8 * 8)
    first = 16 * 16 * 8 * 16 + 8 * 8 * (16 * 9 + 16 * 16)
    second = 8 * 8 * 16 * 64 + 4 * 4 * (64 * 25 + 64 * 24) + 2 * 64 * 16
    head = 4 * 4 * 24 * 32 + 32 * 64 + 64 * 1000
    assert load_family(own).graph(1).macs == stem + first + second + head


def test_channels_of_every_layer(tmp_path: Path) -> None:
    """The first block does not expand; it has a shortcut, and the second has none."""
    path = tmp_path / "channels.yaml"
    path.write_text(CHANNELS)
    graph = load_family(path).graph(1)
    outputs = [graph.output_shape(op)[1] for op in graph if op.type.endswith("conv2d")]
    assert outputs == [8, 8, 8, 24, 24, 16, 32]
    assert sum(op.type == "eltwise" for op in graph) == 1
    assert {op.get("function") for op in graph if op.type == "activation"} == {"relu6"}


def test_widths_are_rounded_to_multiples_of_eight(tmp_path: Path) -> None:
    path = tmp_path / "width.yaml"
    path.write_text(WIDTH)
    graphs = [load_family(path).graph(level) for level in (1, 2)]
    outputs = [[g.output_shape(op)[1] for op in g if op.type.endswith("conv2d")] for g in graphs]
    assert outputs == [[8, 8, 16], [16, 16, 32]]


def test_a_changed_file_is_read_again(own: Path) -> None:
    before = load_family(own)
    own.write_text(OWN.replace("Two sizes", "Other"))
    os.utime(own, ns=(1, 1))
    assert (before.title, load_family(own).title) == ("Two sizes", "Other")


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "kind: once_for_all",
            "kind: once_for_al",
            "own.yaml:2:7: kind: unknown kind 'once_for_al'; did you mean",
        ),
        ("kind: once_for_all\n", "", "own.yaml:1:1: kind: is required; known: once_for_all, channels, width"),
        ("top1: 60.5", "top1: 160", "own.yaml:15:9: levels.0.top1: should be less than or equal to 100"),
        (
            "top1: 70",
            "top1: 60.5",
            "own.yaml:18:9: levels.1.top1: levels go from the least accurate to the most",
        ),
        ("stride: 2, activation: relu,", "stride: 3, activation: relu,", "should be 1 or 2, got 3"),
        ("activation: relu,", "activation: hswitch,", "did you mean 'hswish'?"),
        (
            "[5, 7]]",
            "[4]]",
            "own.yaml:16:61: levels.0.network.kernels.1.0: a kernel must have an odd size, got 4",
        ),
        ("[2, 3], [4]]", "[2], [4]]", "levels.1.network.expansions.0: 2 blocks need 2 expansions, got 1"),
        (
            "depths: [2, 1]",
            "depths: [2]",
            "levels.1.network.depths: the skeleton has 2 stages, got 1 entries",
        ),
        (
            "latencies: {phone",
            "latencies: {fone",
            "'fone' is not in the table of set-ups; did you mean 'phone'?",
        ),
        (
            "points:\n  phone",
            "points:\n  board",
            "points.board: 'board' is not in the table of set-ups; known: phone",
        ),
        (
            "latency: 2 ms",
            "latency: 2",
            "points.phone.0.latency: the value 2 has no unit",
        ),
        ("latencies:", "latency:", "unknown key 'latency', did you mean 'latencies'?"),
        ('source: "lab: made up"', 'source: "lob: made up"', "source 'lob' is not in the table of sources"),
        ("grade: B\n", "", "has no grade"),
        ("grade: B\n", "grade: E\n", "unknown grade 'E'"),
        ("resolution: 64", "resolution: 0", "levels.1.network.resolution: should be greater than 0, got 0"),
        ("head: [32, 64]", "head: [32]", "skeleton.head: list needs at least 2 entries, got 1"),
        ("value: 20 ms", "value: -1 ms", "switch.cost: should be greater than or equal to 0"),
    ],
)
def test_faults_are_told_with_their_place(own: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    found = faults(own, OWN.replace(old, new, 1))
    assert any(message in line for line in found), found
    assert all(line.startswith("own.yaml:") for line in found)


def test_all_faults_are_told_at_once(own: Path) -> None:
    text = OWN.replace("depths: [2, 1]", "depths: [2]").replace("{phone: 3", "{fone: 3")
    assert len(faults(own, text)) == 2


def test_channels_for_every_block(tmp_path: Path) -> None:
    (found,) = faults(tmp_path / "c.yaml", CHANNELS.replace("[[8, 8], [24, 16]]", "[[8, 8]]"))
    assert found == "c.yaml:9:41: levels.0.network.blocks: the skeleton has 2 blocks, got 1 entries"


def test_each_kind_has_its_own_keys(tmp_path: Path) -> None:
    found = faults(tmp_path / "w.yaml", WIDTH.replace("width: 0.25", "stem: 8"))
    assert any("unknown key 'stem'" in line for line in found)
    assert list(SPECS) == ["once_for_all", "channels", "width"]


def test_families_that_do_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'static_ofa'"):
        load_family("static-ofa")
    with pytest.raises(UnknownNameError, match="or give the path"):
        load_family("nowhere.yaml")


# --- where families are named -----------------------------------------------------------------------------


def test_an_own_family_as_a_model(own: Path) -> None:
    assert socsim.load_model(f"{own}@2").name == "own@2"


def test_paths_of_families_are_made_absolute_and_hashed(own: Path) -> None:
    config = {"apps": [{"kind": "inference", "model": "own.yaml@2"}, {"model": "dynamic_ofa@4"}]}
    found = located(config, own.parent)
    assert [app["model"] for app in found["apps"]] == [f"{own}@2", "dynamic_ofa@4"]
    assert list(input_hashes(found)) == [str(own)]


def test_paths_of_onnx_files_keep_what_is_in_them(tmp_path: Path) -> None:
    file = tmp_path / "a@2.onnx"
    file.write_bytes(b"")
    assert list(input_hashes(located({"model": "a@2.onnx"}, tmp_path))) == [str(file)]


def test_a_library_says_whether_networks_are_fused(tmp_path: Path) -> None:
    shipped = Path(socsim.__file__).parent / "workloads" / "libraries" / "mace.yaml"
    assert load_library("mace").fuses
    eager = tmp_path / "eager.yaml"
    text = shipped.read_text().replace("host: shared\n", "host: shared\nfuses: false\n")
    eager.write_text(text)
    counts = {}
    for library in ("mace", str(eager)):
        app = socsim.Inference("slimmable_mobilenet_v1@1", scheduler="cpu", library=library, count=1)
        result = socsim.simulate("xiaomi-9", [app], kernels=True)
        counts[library] = len(result.kernels)
        compared = socsim.compare(
            "xiaomi-9", "slimmable_mobilenet_v1@1", ["cpu"], library=library, inferences=1
        )
        assert compared.rows[0]["latency_ms_mean"] == pytest.approx(result.summary()["latency_ms_mean"])
    assert list(counts.values()) == [29, 83]


def test_experiments_name_levels(tmp_path: Path, own: Path) -> None:
    file = tmp_path / "experiment.yaml"
    app = "{kind: inference, model: MODEL, scheduler: cpu, count: 1}"
    file.write_text(f"device: xiaomi-9\napps: [{app}]\n".replace("MODEL", "dynamic_ofa@4"))
    assert check_file(str(file)) == "experiment, 1 application on xiaomi-9"
    file.write_text(f"device: xiaomi-9\napps: [{app}]\n".replace("MODEL", "dynamic_ofa@8"))
    with pytest.raises(
        FileError, match=r"experiment.yaml:2:33: apps.0.model: .* the nearest is dynamic_ofa@6"
    ):
        check_file(str(file))


# --- command line -----------------------------------------------------------------------------------------


def test_families_are_listed_with_what_they_are(cli: Cli) -> None:
    rows = json.loads(cli("list", "families", "--json")[1])
    assert [row["name"] for row in rows] == family_names()
    assert rows[1] == {
        "name": "dynamic_ofa",
        "description": "Dynamic-OFA, for the GPU of a Jetson Xavier NX",
        "levels": 6,
    }
    assert rows[1]["description"] in cli("list", "families")[1]


def test_a_family_for_people(cli: Cli, own: Path) -> None:
    code, out, err = cli("show", "family", own)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if line]
    assert lines[0] == ["family:", "Two", "sizes", "(own)"]
    assert lines[1][:4] == ["switch", "cost:", "20", "ms"]
    assert [line[:3] for line in lines if line[0].startswith("own@")] == [
        ["own@1", "32", "2"],
        ["own@2", "64", "3"],
    ]
    assert "switch.cost" not in out
    assert "switch.cost" in cli("show", "family", own, "-v")[1]


def test_a_family_as_json(cli: Cli) -> None:
    shown = json.loads(cli("show", "family", "dynamic_ofa", "--json")[1])
    assert (shown["name"], shown["switch_cost_ms"]) == ("dynamic_ofa", 244)
    assert shown["levels"][3] == {
        "name": "dynamic_ofa@4",
        "level": 4,
        "resolution": 208,
        "blocks": 15,
        "operators": 306,
        "operators_fused": 103,
        "macs": 375541248,
        "macs_published": 375.5e6,
        "parameters": 7120600,
        "parameters_published": None,
        "top1": 77.54,
        "grade": "A",
        "source": "dofa: runtime_demo/time/nets_6.pickle and optimal_search/latency/latency_table.py",
        "latencies_ms": {"nx_gpu_table": pytest.approx(51.08), "nx_gpu": pytest.approx(62.1)},
    }
    assert len(shown["points"]["nx_cpu"]) == 7
    assert set(shown["setups"]) == {"nx_gpu_table", "nx_gpu", "nx_cpu"}


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("family", "dynamic"), "unknown family 'dynamic'"),
        (("family", "dynamic_ofa@4"), "did you mean 'dynamic_ofa'?"),
        (("model", "dynamic_ofa"), "dynamic_ofa@1 to dynamic_ofa@6"),
        (("model", "dynamic_ofa@0"), "the nearest is dynamic_ofa@1"),
    ],
)
def test_what_cannot_be_shown(cli: Cli, args: tuple[str, ...], fault: str) -> None:
    code, out, err = cli("show", *args)
    assert (code, out) == (2, "")
    assert fault in err


def test_a_level_is_shown_as_a_model(cli: Cli) -> None:
    counts = [
        json.loads(cli("show", "model", "dynamic_ofa@1", "--json", *more)[1])["operators"]
        for more in ((), ("--no-fuse",))
    ]
    assert counts == [75, 225]


def test_files_of_families_are_checked(cli: Cli, own: Path) -> None:
    assert cli("check", own) == (0, f"{own}: family 'Two sizes' of 2 networks\n", "")
    own.write_text(OWN.replace("top1: 70", "top1: 7"))
    code, out, err = cli("check", own)
    assert (code, out) == (2, "")
    assert "own.yaml:18:9: levels.1.top1: " in err
    assert "is the name of one that comes with socsim" in cli("check", "dynamic_ofa")[2]
