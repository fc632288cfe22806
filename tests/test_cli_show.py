"""What ``socsim list`` and ``socsim show`` print for people, against small files of known content."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from clikit import DEVICE, Cli, cells
from corekit import LIBRARY
from onnx_models import model, save

from socsim.devices.profile import device_names
from socsim.schedulers.registry import SCHEDULERS
from socsim.workloads.library import library_names
from socsim.workloads.zoo import model_names

OWN_SCHEDULERS = '''
import socsim


class Half(socsim.SplitScheduler):
    """Halves.

    Everything is divided in two.
    """

    decision_time = 0.002
    predictor = "flops"

    def __init__(self, share=0.5, *, dimension="H"):
        self.share = share

    def split(self, op, view):
        return "cpu"


class First(socsim.OnlineScheduler):
    def __init__(self):
        self.seen = 0

    def decide(self, view):
        return ()
'''


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(DEVICE)
    return path


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A working directory with a module of schedulers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shown_schedulers.py").write_text(OWN_SCHEDULERS)
    yield "shown_schedulers"
    sys.modules.pop("shown_schedulers", None)


# --- list -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names"),
    [("libraries", library_names), ("schedulers", SCHEDULERS.names)],
)
def test_names_come_one_to_a_line(cli: Cli, kind: str, names) -> None:
    expected = list(names())
    assert cli("list", kind) == (0, "\n".join(expected) + "\n", "")
    assert json.loads(cli("list", kind, "--json")[1]) == [{"name": name} for name in expected]


def test_networks_come_with_what_they_are_and_their_sizes(cli: Cli) -> None:
    code, out, err = cli("list", "models")
    rows = {row["name"]: row for row in json.loads(cli("list", "models", "--json")[1])}
    assert (code, err) == (0, "")
    assert list(rows) == model_names()
    assert rows["mobilenet_v1"]["sizes"] == ["width", "resolution"]
    assert rows["resnet50"] == {
        "name": "resnet50",
        "description": 'ResNet-50 version 1 (He et al., "Deep Residual Learning for Image Recognition", 2015)',
        "sizes": ["resolution"],
    }
    assert rows["bert_tiny"]["sizes"] == []
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[-len(rows) - 1 : -1]] == model_names()
    assert "resnet50                resolution         ResNet-50 version 1" in lines
    assert lines[-1].startswith("Sizes follow the name: mobilenet_v1_0.5_160 ")


def test_devices_come_with_what_they_are_made_of(cli: Cli) -> None:
    code, out, err = cli("list", "devices")
    rows = json.loads(cli("list", "devices", "--json")[1])
    assert (code, err) == (0, "")
    assert [row["name"] for row in rows] == device_names()
    assert all(list(row) == ["name", "title", "soc", "processors", "calibrations"] for row in rows)
    assert cells(out)[0] == ["name", "SoC", "processors", "calibrated", "estimated (grade D)"]
    for row in rows:
        (line,) = (line for line in out.splitlines() if line.startswith(f"{row['name']} "))
        assert row["soc"] in line


# --- show device ----------------------------------------------------------------------------------------------


def test_a_device_as_json(cli: Cli, device: Path) -> None:
    """Peaks: 8 and 32 MACs a cycle at 2 GHz, 256 at 0.5 GHz; 80 % of 16 GB/s."""
    shown = json.loads(cli("show", "device", device, "--json")[1])
    rows = shown.pop("provenance")
    assert shown == {
        "name": "tiny",
        "title": "Tiny",
        "soc": "T1",
        "clusters": [
            {
                "name": "big",
                "core": "cortex-a76",
                "count": 2,
                "mhz": [500.0, 2000.0],
                "gmacs_per_s": {"fp32": 16.0, "int8": 64.0},
                "idle_states": [],
            }
        ],
        "accelerators": [
            {
                "name": "gpu",
                "model": "G1",
                "mhz": [500.0],
                "gmacs_per_s": {"fp32": 128.0},
                "layouts": ["image", "buffer"],
            }
        ],
        "dram_gb_per_s": 12.8,
        "board_w": 1.25,
        "rails": {"cpu": ["cpu.big"], "rest": ["gpu", "dram", "board"]},
        "meters": {},
        "mode": "",
        "modes": [],
        "calibrations": [
            {
                "library": "mace",
                "processor": p,
                "dtype": "fp32",
                "layout": layout,
                "grade": "B",
                "rows": 0,
                "source": "meter",
            }
            for p, layout in (("cpu", ""), ("gpu", "image"), ("gpu", "buffer"))
        ],
        "grades": {"A": 1, "B": len(rows) - 1},
    }
    assert [row for row in rows if row["grade"] == "A"] == [
        {"path": "clusters.0.opps.1.freq", "value": "2 GHz", "grade": "A", "source": "sheet: page 3"}
    ]


def test_idle_states_of_a_device(cli: Cli) -> None:
    """Power of a cluster's state is that of all its cores, at the highest clock."""
    clusters = {c["name"]: c for c in json.loads(cli("show", "device", "xiaomi-9", "--json")[1])["clusters"]}
    off, all_off = clusters["gold"]["idle_states"]
    assert off == {
        "name": "core-off",
        "scope": "core",
        "entry_us": pytest.approx(241.0),
        "exit_us": pytest.approx(1461.0),
        "min_residency_us": pytest.approx(4488.0),
        "power_mw": pytest.approx(4 * 0.05),
    }
    assert (all_off["scope"], all_off["power_mw"]) == ("cluster", pytest.approx(3 * 4 * 0.02))
    lines = [line.split() for line in cli("show", "device", "xiaomi-9")[1].splitlines()]
    assert ["cpu", "gold", "clock-gated", "core", "4"] in lines
    assert ["cpu", "gold", "core-off", "core", "241", "1461", "4488", "0.2"] in lines
    assert ["cpu", "gold", "cluster-off", "cluster", "3263", "6562", "9987", "0.24"] in lines


def test_a_device_for_people(cli: Cli, device: Path) -> None:
    code, out, err = cli("show", "device", device)
    assert (code, err) == (0, "")
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[:2] == ["device:  Tiny (tiny)", "SoC:     T1"]
    shown = cells(out)
    assert ["processor", "model", "clock MHz", "points", "peak GMAC/s (CPU: one core)", "layouts"] in shown
    assert ["cpu big", "2 x cortex-a76", "500 to 2000", "2", "fp32 16, int8 64"] in shown
    assert ["gpu", "G1", "500", "1", "fp32 128", "image, buffer"] in shown
    assert ["DRAM:", "12.8 GB/s usable"] in shown
    assert ["board:", "1.25 W"] in shown
    assert ["rail cpu:", "cpu.big"] in shown
    assert ["rail rest:", "gpu, dram, board"] in shown
    assert ["mace", "cpu", "fp32", "B", "meter"] in shown
    assert ["mace", "gpu", "fp32", "image", "B", "meter"] in shown


def test_sources_are_counted_with_the_blocks_they_are_for(cli: Cli, device: Path) -> None:
    rows = json.loads(cli("show", "device", device, "--json")[1])["provenance"]
    out = cli("show", "device", device)[1]
    table = cells(out.partition("where the numbers come from (-v lists each)")[2])
    blocks = "clusters, accelerators, memory, cpu_bandwidth, sharing, board_power, calibration"
    assert table == [
        ["grade", "numbers", "of", "source"],
        ["A", "1", "clusters", "sheet: page 3"],
        ["B", str(len(rows) - 1), blocks, "meter"],
    ]


def test_every_number_is_listed_when_asked(cli: Cli, device: Path) -> None:
    rows = json.loads(cli("show", "device", device, "--json")[1])["provenance"]
    out = cli("show", "device", device, "-v")[1]
    assert "where the numbers come from" not in out
    table = cells(out.partition("every number")[2])
    assert table[0] == ["number", "value", "grade", "source"]
    assert table[1:] == [[row["path"], row["value"], row["grade"], row["source"]] for row in rows]


# --- show library ---------------------------------------------------------------------------------------------


def test_a_library_for_people(cli: Cli, tmp_path: Path) -> None:
    """The GPU multiplies matrices under a condition, the CPU runs everything, the DSP only two types."""
    path = tmp_path / "toy.yaml"
    path.write_text(Path(LIBRARY).read_text().replace("matmul: {}", "matmul: {rank: 2}", 1))
    code, out, err = cli("show", "library", path)
    assert (code, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()[:4]] == [
        "library:                      Toy (toy)",
        "CPU cores:                    big",
        "threads:                      1",
        "work of a kernel is divided:  equally",
    ]
    kernels, support = out.partition("support (if: under conditions)")[::2]
    shown = cells(kernels)[4:]
    assert shown[:2] == [["kernels"], ["processor", "data types", "layout", "operator types", "others"]]
    assert shown[2][:2] == ["cpu", "fp32"]
    assert shown[2][-1] == "network refused"
    assert shown[3:] == [
        ["gpu", "fp32", "image", "4", "fall back to the CPU"],
        ["gpu", "fp32", "buffer", "4", "fall back to the CPU"],
        ["dsp", "fp32", "buffer", "2", "network refused"],
    ]
    table = cells(support)
    assert table[0] == ["operator type", "cpu", "gpu image", "gpu buffer", "dsp buffer"]
    marks = {row[0]: row[1:] for row in table[1:]}
    assert list(marks) == sorted(marks)
    assert marks["conv2d"] == ["yes", "yes", "yes", "yes"]
    assert marks["matmul"] == ["yes", "if", "yes", "-"]
    assert marks["softmax"] == ["yes", "-", "-", "-"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("threads: 1\n", "", "threads:                      one for each core"),
        ("chunking: static", "chunking: capacity", "work of a kernel is divided:  by core speed"),
    ],
)
def test_what_a_library_says_of_threads(cli: Cli, tmp_path: Path, old: str, new: str, line: str) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(Path(LIBRARY).read_text().replace(old, new))
    assert line in [text.rstrip() for text in cli("show", "library", path)[1].splitlines()]


def test_a_library_as_json(cli: Cli) -> None:
    shown = json.loads(cli("show", "library", LIBRARY, "--json")[1])
    backends = shown.pop("backends")
    assert shown == {
        "name": "toy", "title": "Toy", "cores": "big", "threads": 1, "chunking": "static", "host": "shared",
    }  # fmt: skip
    assert backends[3] == {
        "processor": "dsp",
        "dtypes": ["fp32"],
        "layout": "buffer",
        "else": "network refused",
        "operators": {"conv2d": {}, "task": {}},
    }
    assert [(b["processor"], b["layout"]) for b in backends[:3]] == [
        ("cpu", ""), ("gpu", "image"), ("gpu", "buffer"),
    ]  # fmt: skip


# --- show model -----------------------------------------------------------------------------------------------


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Convolutions of 1 x 1 over 8 x 8 pixels, 3 -> 4 and 4 -> 2, with a normalisation and a rectifier between."""
    body = "c = Conv(x, w) b = BatchNormalization(c, s, s, s, s) r = Relu(b) p = Conv(r, v) y = Softmax(p)"
    weights = {"w": (4, 3, 1, 1), "v": (2, 4, 1, 1), "s": (4,)}
    return save(model(body, weights, inputs="float[N,3,8,8] x"), tmp_path)


def test_a_network_as_json(cli: Cli, network: Path) -> None:
    """12 + 8 weights and a bias of 4; 64 pixels; 256 and 192 elements are alive beside one another."""
    shown = json.loads(cli("show", "model", network, "--shape", "x=1x3x8x8", "--json")[1])
    assert shown == {
        "name": "net",
        "operators": 3,
        "macs": 64 * (12 + 8),
        "parameters": 24,
        "inputs": {"x": [1, 3, 8, 8]},
        "outputs": {"y": [1, 2, 8, 8]},
        "peak_memory_mb": pytest.approx(4 * (24 + 448) / 1e6),
    }


def test_a_network_as_it_was_exported(cli: Cli, network: Path) -> None:
    shown = json.loads(cli("show", "model", network, "--shape", "x=1x3x8x8", "--no-fuse", "--json")[1])
    assert (shown["operators"], shown["parameters"], shown["macs"]) == (5, 20 + 8, 64 * 20)


def test_a_network_for_people(cli: Cli, network: Path) -> None:
    code, out, err = cli("show", "model", network, "--shape", "x=100x3x8x8", "--no-fuse")
    assert (code, err) == (0, "")
    shown = cells(out)
    assert shown == [
        ["network:", "net"],
        ["operators:", "5"],
        ["multiply-accumulates:", "128 k"],
        ["parameters:", "28"],
        ["inputs:", "x 100x3x8x8"],
        ["outputs:", "y 100x2x8x8"],
        ["peak memory:", "0.2 MB in fp32"],
        ["operator type", "count", "MAC"],
        ["conv2d", "2", "128 k"],
        ["batch_norm", "1", "0"],
        ["activation", "1", "0"],
        ["softmax", "1", "0"],
    ]


def test_operators_are_listed_when_asked(cli: Cli, network: Path) -> None:
    out = cli("show", "model", network, "--shape", "x=1000x3x8x8", "-v")[1]
    table = cells(out.partition("\noperators\n")[2])
    assert table[0] == ["operator", "type", "output", "MAC", "parameters"]
    assert [row[1:] for row in table[1:]] == [
        ["conv2d", "1000x4x8x8", "768 k", "16"],
        ["conv2d", "1000x2x8x8", "512 k", "8"],
        ["softmax", "1000x2x8x8", "0", "0"],
    ]


def test_types_come_with_the_most_work_first(cli: Cli) -> None:
    out = cli("show", "model", "mobilenet_v1")[1]
    table = cells(out.partition("operator type")[2])[1:]
    work = [float(row[2].removesuffix(" M")) for row in table]
    assert work == sorted(work, reverse=True)
    assert table[1][:2] == ["depthwise_conv2d", "13"]
    assert sum(int(row[1]) for row in table) == 30


# --- show scheduler -------------------------------------------------------------------------------------------


def test_an_own_scheduler_as_json(cli: Cli, own: str) -> None:
    assert json.loads(cli("show", "scheduler", f"{own}:Half", "--json")[1]) == {
        "name": f"{own}:Half",
        "class": f"{own}:Half",
        "kind": "SplitScheduler",
        "options": {
            "predictor": "flops",
            "decision_time": 0.002,
            "replan_period": 0.1,
            "share": 0.5,
            "dimension": "H",
        },
        "predictor": "flops",
        "decision_time_ms": 2.0,
        "replan_period_ms": 100.0,
        "description": "Halves.\n\nEverything is divided in two.",
    }


def test_an_own_scheduler_for_people(cli: Cli, own: str) -> None:
    code, out, err = cli("show", "scheduler", f"{own}:Half")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Halves.",
        "",
        "Everything is divided in two.",
        "",
        f"class:             {own}:Half",
        "kind:              SplitScheduler",
        "predictor:         flops",
        "decision_time_ms:  2.0",
        "replan_period_ms:  100.0",
        "options:           predictor='flops', decision_time=0.002, replan_period=0.1, share=0.5, dimension='H'",
        "predictors:        exact, profile, flops, online, blind",
    ]


def test_a_scheduler_without_options_of_its_own(cli: Cli, own: str) -> None:
    lines = cli("show", "scheduler", f"{own}:First")[1].splitlines()
    assert "kind:              OnlineScheduler" in lines
    assert "options:           predictor='exact', decision_time=0.0" in lines


def test_options_given_with_the_name(cli: Cli) -> None:
    shown = json.loads(cli("show", "scheduler", "greedy(predictor=flops)", "--json")[1])
    assert (shown["name"], shown["predictor"]) == ("greedy(predictor=flops)", "flops")


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("scheduler", "greedi"), "did you mean 'greedy'?"),
        (("scheduler", "greedy(speed=3)"), "has no option 'speed'"),
        (("library", "mase"), "did you mean 'mace'?"),
        (("device", "xiaomi9"), "did you mean 'xiaomi-9'?"),
        (("device", "nowhere.yaml"), "nowhere.yaml: no such file"),
        (("model", "resnet500"), "did you mean 'resnet50'?"),
        (("model", "resnet50", "--shape", "input=1x3x32x32"), "shapes are for ONNX"),
        (("model", "resnet50", "extra"), "extra"),
        (("phone", "xiaomi-9"), "phone"),
    ],
)
def test_what_cannot_be_shown(cli: Cli, args: tuple[str, ...], fault: str) -> None:
    for options in ((), ("--json",)):
        code, out, err = cli("show", *args, *options)
        assert (code, out) == (2, "")
        assert fault in err
