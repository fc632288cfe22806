"""Tables of measurements: what is refused with its place, what is left out and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from calibkit import phone, rows, write
from hypothesis import given
from hypothesis import strategies as st

from socsim.calibration.families import families_of, family_of, row_families
from socsim.calibration.operators import COLUMNS as OPERATOR_COLUMNS
from socsim.calibration.operators import MeasuredKernel, operator_kernels, read_operators
from socsim.calibration.tables import COLUMNS, find_table, read_table
from socsim.errors import FileError, UnknownNameError, UsageError
from socsim.workloads.library import load_library

HEADER = ",".join(COLUMNS)
GOOD = "xiaomi-9,tflite,cpu,prime:1,fp32,mobilenet_v1,39.7"


def table(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def faults(tmp_path: Path, *lines: str, header: str = HEADER) -> str:
    with pytest.raises(FileError) as caught:
        read_table(table(tmp_path, *lines, header=header), phone())
    return str(caught.value)


def test_rows_are_read_in_si_units(tmp_path) -> None:
    extra = ",energy_mj,power_w,idle_power_w,family,excluded,my_own"
    read = read_table(table(tmp_path, GOOD + ",50,4.5,1.2,mine,,x", header=HEADER + extra), phone())
    (row,) = read.rows
    assert (row.line, row.model, row.cores) == (2, "mobilenet_v1", "prime:1")
    assert row.latency == pytest.approx(0.0397)
    assert (row.energy, row.power, row.idle_power, row.family) == (0.05, 4.5, 1.2, "mine")
    assert read.warnings == ()


def test_cores_are_written_one_way(tmp_path) -> None:
    read = read_table(
        table(
            tmp_path,
            "xiaomi-9,tflite,cpu,gold:3+prime,fp32,mobilenet_v1,18",
            "xiaomi-9,tflite,gpu,,fp16,a,6",
        ),
        phone(),
    )
    assert [row.cores for row in read.rows] == ["prime:1+gold:3", ""]


def test_missing_columns_are_told_with_the_nearest(tmp_path) -> None:
    told = faults(tmp_path, header="device,library,processor,core,precision,model")
    assert "table.csv:1:1: a table of measurements needs the columns device, library, processor" in told
    assert "missing: 'latency_ms', 'cores' (is it 'core'?)" in told


@pytest.mark.parametrize("number", ["0", "-3", "nan", "inf", "fast", ""])
def test_latencies_are_positive_numbers(tmp_path, number) -> None:
    told = faults(tmp_path, GOOD, f"xiaomi-9,tflite,cpu,prime:1,fp32,resnet18,{number}")
    assert f"table.csv:3:7: latency_ms: must be a positive number, got {number!r}" in told


def test_all_faults_are_told_at_once(tmp_path) -> None:
    told = faults(
        tmp_path,
        "xiaomi-9,tflite,cpu,golden:2,fp32,mobilenet_v1,1",
        "xiaomi-9,tflite,cpu,gold:9,fp32,mobilenet_v1,1",
        "xiaomi-9,tflite,npu,,fp32,mobilenet_v1,1",
        "xiaomi-9,tflite,cpu,gold:1,fp64,mobilenet_v1,1",
        "xiaomi-9,tflite,cpu,gold:1,fp32,,1",
        "xiaomi-9,tflite,cpu,gold:1,fp32",
    )
    assert "table.csv:2:4: cores: unknown cluster 'golden'; did you mean 'gold'?" in told
    assert "table.csv:3:4: cores: cores 'gold:9': cluster 'gold' has 3 cores, got '9'" in told
    assert "table.csv:4:3: processor: xiaomi-9 has cpu, gpu, dsp, got 'npu'" in told
    assert "table.csv:5:5: precision: must be one of fp32, fp16, int8, got 'fp64'" in told
    assert "table.csv:6:6: model: names no network" in told
    assert "table.csv:7:1: has 5 cells, the header 7" in told


def test_what_is_left_out_is_counted(tmp_path) -> None:
    header = HEADER + ",excluded"
    lines = (
        GOOD + ",", GOOD.replace("xiaomi-9", "pixel-4") + ",", GOOD.replace("tflite", "caffe") + ",",
        GOOD.replace("prime", "gold") + ",an outlier",
    )  # fmt: skip
    read = read_table(table(tmp_path, *lines, header=header), phone())
    assert len(read.rows) == 1
    assert read.warnings == (
        "1 row of library 'caffe', which socsim does not have: left out",
        "1 row marked as excluded: left out",
        "1 row of other devices (pixel-4): left out",
    )


def test_equal_rows_become_their_geometric_mean(tmp_path) -> None:
    read = read_table(table(tmp_path, GOOD.replace("39.7", "20"), GOOD.replace("39.7", "80")), phone())
    (row,) = read.rows
    assert row.latency == pytest.approx(0.04)
    assert read.warnings == (
        "2 rows measure the same as another (lines 2 and 3): merged into 1 by their geometric mean",
    )


@given(st.floats(1e-3, 1e5), st.integers(1, 5))
def test_repeated_rows_change_nothing(tmp_path_factory, latency: float, times: int) -> None:
    lines = [GOOD.replace("39.7", repr(latency))] * times
    read = read_table(table(tmp_path_factory.mktemp("t"), *lines), phone())
    assert read.rows[0].latency == pytest.approx(latency * 1e-3)
    assert bool(read.warnings) == (times > 1)


def test_a_device_without_rows(tmp_path) -> None:
    path = table(tmp_path, GOOD.replace("xiaomi-9", "xiaomi-8"))
    with pytest.raises(UsageError, match=r"no row is of device 'xiaomi-9'; did you mean 'xiaomi-8'\?"):
        read_table(path, phone())
    assert len(read_table(path, phone(), "xiaomi-8").rows) == 1
    with pytest.raises(UsageError, match="it has no rows"):
        read_table(table(tmp_path), phone())


def test_tables_by_name(tmp_path) -> None:
    assert find_table("qed").name == "qed.csv"
    path = write(tmp_path / "own.csv", rows())
    assert find_table(path) == path
    with pytest.raises(UnknownNameError, match="did you mean 'qed'"):
        find_table("qedd")


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("resnet18", "resnet"), ("mobilenet_v2_0.5_160", "mobilenet_v2"), ("squeezenet_1.1", "squeezenet"),
        ("my-net-3", "my-net"), ("v2", "v2"), ("007", "007"),
    ],
)  # fmt: skip
def test_families_by_name(model: str, family: str) -> None:
    assert family_of(model) == family


def test_families_as_told(tmp_path) -> None:
    assert families_of(["fbnet_cb"]) == {"fbnet_cb": "fbnet"}
    read = read_table(table(tmp_path, GOOD + ",mine", header=HEADER + ",family"), phone())
    assert row_families(read.rows) == {"mobilenet_v1": "mine"}


# --- single kernels -------------------------------------------------------------------------------------------

OPERATORS = ",".join(OPERATOR_COLUMNS)
KEY = ("tflite", "gpu", "fp16", "image")


def test_operators_are_gathered_by_shape_and_family(tmp_path) -> None:
    path = table(
        tmp_path,
        "xiaomi-9,tflite,fp16,resnet18,conv_2d,56,64,56,1,3,64,1,0.2",
        "xiaomi-9,tflite,fp16,resnet10,conv_2d,56,64,56,1,3,64,1,0.8",
        "xiaomi-9,tflite,fp16,resnet10,custom,,,,,,,,0.8",
        "pixel-4,tflite,fp16,resnet10,conv_2d,56,64,56,1,3,64,1,0.8",
        header=OPERATORS,
    )
    found = read_operators(path, "xiaomi-9")
    kernel = MeasuredKernel("resnet", "conv_2d", (56, 64, 56, 1, 3, 64, 1))
    assert found.times == {("tflite", "fp16"): {kernel: pytest.approx(0.4e-3)}}
    assert found.rows == 2
    assert found.warnings == (
        "1 operator of type 'custom': left out",
        "1 operator of other devices: left out",
    )


def test_faults_of_operators(tmp_path) -> None:
    with pytest.raises(FileError, match="missing: filters"):
        read_operators(table(tmp_path, header=OPERATORS.replace("filters,", "")), "xiaomi-9")
    wrong = table(tmp_path, "xiaomi-9,tflite,fp16,a,conv_2d,x,64,56,1,3,64,1,0.2", header=OPERATORS)
    with pytest.raises(FileError, match=r"table.csv:2:1: sizes must be whole numbers"):
        read_operators(wrong, "xiaomi-9")
    with pytest.raises(FileError, match="cannot be read"):
        read_operators(tmp_path / "nowhere.csv", "xiaomi-9")


@pytest.mark.parametrize(
    ("operator", "sizes", "kernel_class", "work"),
    [
        ("conv_2d", (56, 64, 28, 2, 3, 128, 1), "conv", 28 * 28 * 128 * 64 * 9),
        ("conv_2d", (114, 16, 56, 2, 3, 16, 1), "conv", 56 * 56 * 16 * 16 * 9),
        ("conv_2d_group", (28, 48, 28, 1, 3, 48, 2), "grouped", 28 * 28 * 48 * 24 * 9),
        ("depthwise_conv_2d", (30, 96, 28, 1, 3, 1, 1), "depthwise", 28 * 28 * 96 * 9),
        ("fully_connected", (0, 512, 0, 0, 0, 1000, 0), "fc", 512 * 1000),
        ("mean", (7, 512, 512, 0, 0, 0, 0), "reduce", 7 * 7 * 512),
        ("max_pool_2d", (112, 64, 56, 2, 3, 0, 0), "pool", 56 * 56 * 64 * 9),
        ("concatenation", (54, 64, 54, 0, 2, 128, 0), "movement", 54 * 54 * 128),
    ],
)
def test_an_operator_becomes_a_kernel(operator, sizes, kernel_class, work) -> None:
    kernel = MeasuredKernel("any", operator, sizes)
    found, seconds, families = operator_kernels(load_library("tflite"), KEY, {kernel: 2e-4}, [kernel_class])
    assert found.classes == (kernel_class,)
    assert list(found.work) == [work]
    assert list(seconds) == [2e-4]
    assert families == {kernel.name: "any"}


def test_kernels_of_other_classes_are_passed_over() -> None:
    kernel = MeasuredKernel("any", "mean", (7, 512, 512, 0, 0, 0, 0))
    found, seconds, _ = operator_kernels(load_library("tflite"), KEY, {kernel: 2e-4}, ["conv"])
    assert found.networks == () and len(seconds) == 0
