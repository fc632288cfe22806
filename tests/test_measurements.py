"""The tables of measurements: what is in them, and that every row can be used or says why not."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim import measurements as package
from socsim.devices.profile import device_names, load_device
from socsim.errors import UnknownNameError, UsageError
from socsim.measurements import (
    TABLES,
    Measurement,
    measured_devices,
    measured_networks,
    measured_operators,
    measurements,
    parse_cores,
    table_path,
)

FOLDER = Path(package.__file__).parent
ALL = measurements(excluded=True)
USED = measurements()
NO_NETWORK = "no such network in the zoo"

Key = tuple[str, ...]


def key(row: Measurement) -> Key:
    return (row.device, row.library, row.processor, row.cores, row.precision, row.model)


def only(table: str, **wanted: str) -> Measurement:
    (row,) = (r for r in measurements(table) if all(getattr(r, k) == v for k, v in wanted.items()))
    return row


# --- reading --------------------------------------------------------------------------------------------------


def test_rows_of_every_table() -> None:
    have = Counter(row.table for row in ALL), Counter(row.table for row in USED)
    assert have == (
        {"qed": 1457, "ncnn": 526, "mlperf": 1625, "tensorflow": 140, "paddlelite": 783, "aihub": 1577},
        {"qed": 1457, "ncnn": 387, "mlperf": 521, "tensorflow": 91, "paddlelite": 131, "aihub": 152},
    )


def test_tables_come_in_their_order_and_one_by_one() -> None:
    assert list(dict.fromkeys(row.table for row in ALL)) == list(TABLES)
    assert measurements("ncnn", "qed") == [*measurements("ncnn"), *measurements("qed")]
    assert {row.table for row in measurements("ncnn")} == {"ncnn"}


def test_lines_are_those_of_the_files() -> None:
    lines = table_path("qed").read_text().splitlines()
    for row in (USED[0], measurements("qed")[-1]):
        assert lines[row.line - 1].startswith(f"{row.device},tflite,{row.processor},{row.cores},")


def test_an_unknown_table() -> None:
    with pytest.raises(UnknownNameError, match="unknown table of measurements 'ncn'; did you mean 'ncnn'"):
        measurements("ncn")
    with pytest.raises(UnknownNameError):
        table_path("devices")


def test_importing_socsim_reads_no_table() -> None:
    code = "import sys, socsim; print('socsim.measurements' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("table", "wanted", "latency_ms"),
    [
        (
            "qed",
            {"device": "pixel-4", "cores": "prime:1", "precision": "fp32", "model": "mobilenet_v1"},
            39.7,
        ),
        (
            "qed",
            {"device": "pixel-4", "cores": "prime:1", "precision": "int8", "model": "mobilenet_v1"},
            16.8,
        ),
        (
            "qed",
            {"device": "galaxy-s10", "cores": "big:1", "precision": "fp32", "model": "mobilenet_v1"},
            33.2,
        ),
        ("qed", {"device": "galaxy-s10", "processor": "gpu", "model": "mobilenet_v1"}, 10.9),
        (
            "ncnn",
            {"device": "oneplus-7t", "cores": "prime:1+gold:3", "precision": "fp16", "model": "vgg16"},
            60.2,
        ),
        ("ncnn", {"device": "oneplus-7t", "processor": "gpu", "model": "mobilenet_v1"}, 13.2),
        ("mlperf", {"device": "xiaomi-9", "processor": "dsp", "model": "mobilenet_v1"}, 2.958),
        ("mlperf", {"device": "jetson-xavier-nx-maxq", "model": "resnet50_v1.5"}, 3.065),
        (
            "paddlelite",
            {"device": "xiaomi-9", "cores": "prime:1", "precision": "fp16", "model": "resnet50"},
            83.9,
        ),
        ("paddlelite", {"device": "honor-v30-pro", "library": "paddlelite", "model": "resnet50"}, 7.65),
        (
            "tensorflow",
            {"device": "pixel-3", "processor": "dsp", "model": "mobilenet_v1", "precision": "int8"},
            6.0,
        ),
        (
            "aihub",
            {
                "device": "snapdragon-8-gen-2-phone",
                "library": "qnn",
                "model": "resnet50_v1.5",
                "precision": "int8",
            },
            0.897,
        ),
    ],
)
def test_some_published_latencies(table: str, wanted: dict[str, str], latency_ms: float) -> None:
    assert only(table, **wanted).latency_ms == pytest.approx(latency_ms, rel=0.01)


def test_energy_of_a_board() -> None:
    """Of the rounds, the latest is used; the first drew more."""
    rows = [r for r in ALL if (r.device, r.model) == ("jetson-xavier-nx-maxq", "resnet50_v1.5")]
    shown = [(r.date, r.latency_ms, round(r.energy_mj or 0, 1), not r.excluded) for r in rows]
    assert [shown[0], shown[-1]] == [("v1.0", 3.01779, 36.4, False), ("v2.0", 3.0651, 32.2, True)]
    assert [round(r.power_w or 0, 2) for r in rows] == [12.05, 10.6, 10.52]
    assert all(3.8 < (r.idle_power_w or 0) < 4.7 for r in rows)


# --- every row resolves, or says why not -------------------------------------------------------------------------


def test_devices_and_cores_of_rows_are_declared() -> None:
    devices = measured_devices()
    for row in USED:
        device = devices[row.device]
        assert row.processor in device.processors, row
        assert bool(row.cores) == (row.processor == "cpu"), row
        for cluster, number in parse_cores(row.cores).items():
            assert number <= device.cores[cluster], row


def test_threads_are_as_many_as_cores() -> None:
    for row in USED:
        if row.processor == "cpu" and row.threads is not None:
            assert row.threads == sum(parse_cores(row.cores).values()), row


def test_every_declared_device_is_used() -> None:
    assert set(measured_devices()) == {row.device for row in USED}


@pytest.mark.parametrize("name", sorted(set(device_names()) & set(measured_devices())))
def test_clusters_are_those_of_the_profiles(name: str) -> None:
    assert {c.name: c.count for c in load_device(name).clusters} == measured_devices()[name].cores


def test_networks_of_rows_are_declared() -> None:
    declared = {(network.table, network.model) for network in measured_networks()}
    assert {(row.table, row.model) for row in ALL if row.excluded != NO_NETWORK} <= declared
    assert {(row.table, row.model) for row in USED} | {("mlperf", "ssd_mobilenet_v1")} <= declared
    assert {row.model for row in ALL if row.excluded == NO_NETWORK}.isdisjoint({m for _, m in declared})


def test_a_network_is_of_one_family() -> None:
    families = defaultdict(set)
    for network in measured_networks():
        families[network.model].add(network.family)
    assert all(len(of) == 1 for of in families.values())
    assert (
        families["mobilenet_v2_tf_0.35_96"] == families["mobilenet_v2_unrounded_0.5_224"] == {"mobilenet_v2"}
    )
    assert families["seresnet10"] == {"seresnet"}
    assert families["mobilenet_v2_yolov3"] == {"detector"}


def test_numbers_are_possible() -> None:
    for row in ALL:
        assert row.latency_ms > 0, row
        assert row.excluded or row.precision in ("fp32", "fp16", "int8"), row
        if row.energy_mj is not None:
            assert row.power_w is not None
            assert row.energy_mj == pytest.approx(row.power_w * row.latency_ms, rel=2e-3), row
            assert row.idle_power_w is None or 0 < row.idle_power_w < row.power_w, row


def test_no_two_rows_are_alike() -> None:
    """Within a table; two tables may tell the same of a device with different versions of a library."""
    times = Counter((row.table, *key(row)) for row in USED)
    assert [row for row, count in times.items() if count > 1] == []


def test_what_is_left_out_and_why() -> None:
    reasons = Counter(row.excluded for row in ALL if row.excluded)
    assert sum(reasons.values()) == len(ALL) - len(USED)
    assert all(len(reason) >= len("32-bit code") for reason in reasons)
    assert reasons[NO_NETWORK] == 1331
    assert reasons["32-bit code"] == 342


def test_repeated_rows_left_out_have_one_that_is_used() -> None:
    used = {key(row) for row in USED}
    repeats = (
        "measured more than once",
        "measured twice",
        "an older version",
        "an older release",
        "told in two",
    )
    left_out = [row for row in ALL if row.excluded.startswith(repeats)]
    assert len(left_out) > 300
    assert [row for row in left_out if key(row) not in used] == []


def test_rounds_left_out_have_devices_that_are_used() -> None:
    rounds = [row for row in ALL if row.excluded.startswith("round ")]
    assert {(r.device, r.library, r.processor) for r in rounds} <= {
        (r.device, r.library, r.processor) for r in USED
    }


# --- kernels --------------------------------------------------------------------------------------------------


def test_operators_of_the_gpu() -> None:
    rows = measured_operators()
    assert len(rows) == 3 * 1637
    assert {row.device for row in rows} == {"pixel-4", "galaxy-s10", "galaxy-a03s"}
    stem = next(r for r in rows if (r.device, r.model) == ("pixel-4", "resnet10"))
    assert stem[4:14] == (0, "conv_2d", 224, 3, 112, 2, 7, 64, 1, 236_027_904)
    assert (stem.latency_ms, stem.kernel_name) == (1.199168, "convolution_2d_0_linked_:_relu_1")


def test_kernels_take_less_than_their_network() -> None:
    """The rest is what the GPU costs ahead of and behind the kernels."""
    kernels: Counter[Key] = Counter()
    for row in measured_operators():
        kernels[row.device, row.model] += row.latency_ms  # type: ignore[assignment]
    whole = {(r.device, r.model): r.latency_ms for r in measurements("qed") if r.processor == "gpu"}
    assert set(kernels) == set(whole)
    assert [k for k in whole if kernels[k] >= 1.02 * whole[k]] == []


def test_places_count_up() -> None:
    places = defaultdict(list)
    for row in measured_operators():
        places[row.device, row.model].append(row.place)
    assert all(have == list(range(len(have))) for have in places.values())


# --- cores ----------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text("abcz0", min_size=1), st.integers(1, 99), max_size=4))
def test_cores_are_read_as_written(cores: dict[str, int]) -> None:
    assert parse_cores("+".join(f"{cluster}:{number}" for cluster, number in cores.items())) == cores


@pytest.mark.parametrize(
    "text", ["big", "big:", "big:0", "big:x", ":1", "big:1+", "big:1+big:2", "big:-1", "+"]
)
def test_other_spellings_of_cores_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cores must look like 'prime:1\+gold:3'"):
        parse_cores(text)


# --- where they come from ------------------------------------------------------------------------------------


def test_every_source_and_file_is_attributed() -> None:
    text = (FOLDER / "ATTRIBUTION.md").read_text()
    sources = {row.source_id.partition(":") for row in ALL}
    assert all(f"| `{source}` |" in text for source, _, _ in sources)
    assert all(f"`{part}`" in text for _, _, part in sources if part)
    data = {path.name for path in FOLDER.iterdir() if ".csv" in path.name}
    assert data == {"devices.csv", "networks.csv", "qed_gpu_operators.csv.gz", *(f"{t}.csv" for t in TABLES)}
    assert all(f"`{name}`" in text for name in data)
    assert [word for word in ("MIT", "BSD-3-Clause", "Apache-2.0") if word not in text] == []


def test_what_stands_for_another_device_is_attributed() -> None:
    text = (FOLDER / "ATTRIBUTION.md").read_text()
    for row in USED:
        if row.measured_on in (
            "Huawei P20/EML",
            "Huawei Mate 20",
            "Qualcomm SDM855 QRD",
            "Kirin 990 5G phone",
        ):
            assert f"`{row.device}`" in text, row


def test_the_tables_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 2e6
