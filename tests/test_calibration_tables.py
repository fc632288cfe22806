"""Tables of measurements: what is refused with its place, what is left out and counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from calibkit import phone, rows, write
from hypothesis import given
from hypothesis import strategies as st

from socsim.calibration.families import families_of, family_of, row_families
from socsim.calibration.operators import COLUMNS as OPERATOR_COLUMNS
from socsim.calibration.operators import MeasuredKernel, operator_kernels, read_operators
from socsim.calibration.tables import COLUMNS, find_table, read_table
from socsim.devices.profile import load_device
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
        "1 row (line 4) of library 'caffe', which socsim does not have (it has armnn, mace, mnn, ncnn, nnapi, "
        "onnxruntime_qnn, paddlelite, pytorch_eager, qnn, tensorrt, tflite, tflite_qnn): left out",
        "1 row (line 5) marked as excluded: left out",
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


def test_a_library_that_is_misspelt(tmp_path) -> None:
    lines = [GOOD, *[GOOD.replace("tflite", "tflight")] * 6]
    (told, *_) = read_table(table(tmp_path, *lines), phone()).warnings
    assert told == (
        "6 rows (lines 3 to 8) of library 'tflight', which socsim does not have (did you mean 'tflite'?): left out"
    )


def test_every_number_of_equal_rows_is_a_mean(tmp_path) -> None:
    """Also where the first of them does not tell it."""
    header = HEADER + ",energy_mj,power_w,idle_power_w,latency_std_ms,family"
    lines = (GOOD.replace("39.7", "10") + ",,,1,,", GOOD.replace("39.7", "10") + ",30,4,3,0.5,mine")
    (row,) = read_table(table(tmp_path, *lines, header=header), phone()).rows
    assert (row.energy, row.power, row.idle_power, row.noise, row.family) == (0.03, 4.0, 2.0, 0.05, "mine")


def test_equal_rows_are_told_in_the_order_of_the_file(tmp_path) -> None:
    lines = [GOOD.replace("mobilenet_v1", f"net{i}") for i in range(12)]
    (told,) = read_table(table(tmp_path, *lines, *lines), phone()).warnings
    assert "(lines 2 and 14, 3 and 15, 4 and 16, 5 and 17, 6 and 18 and 7 more)" in told


def test_spread_between_runs(tmp_path) -> None:
    def noise(text: str) -> tuple[float | None, tuple[str, ...]]:
        read = read_table(table(tmp_path, f"{GOOD},{text}", header=HEADER + ",latency_std_ms"), phone())
        return read.rows[0].noise, read.warnings

    assert noise("3.97") == (pytest.approx(0.1), ())
    assert noise("") == noise("0") == noise("0.00") == (None, ())
    told = "1 row (line 2) with a latency_std_ms above the latency: it is not looked at"
    assert noise("50") == (None, (told,))
    for wrong in ("fast", "-1", "nan"):
        message = f"table.csv:2:8: latency_std_ms: must be a positive number, got '{wrong}'"
        assert message in faults(tmp_path, f"{GOOD},{wrong}", header=HEADER + ",latency_std_ms")


def test_cores_of_an_accelerator_are_told_and_not_looked_at(tmp_path) -> None:
    read = read_table(table(tmp_path, "xiaomi-9,tflite,gpu,prime:1,fp16,mobilenet_v1,6"), phone())
    assert read.rows[0].cores == ""
    assert read.warnings == (
        "1 row (line 2) with cores, which the gpu does not run on: they are not looked at",
    )


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_cells_divided_by_something_else(tmp_path, sign) -> None:
    told = faults(tmp_path, GOOD.replace(",", sign), header=HEADER.replace(",", sign))
    assert (
        f"table.csv:1:1: cells are divided by {sign!r}; a table of measurements divides them by ','" in told
    )


def test_columns_twice_and_no_columns(tmp_path) -> None:
    told = faults(tmp_path, GOOD + ",5", header=HEADER + ",latency_ms")
    assert "table.csv:1:8: column 'latency_ms' stands twice" in told
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(
        FileError, match="the file is empty; a table of measurements needs the columns device"
    ):
        read_table(tmp_path / "empty.csv", phone())


def test_a_network_of_two_families(tmp_path) -> None:
    lines = (
        GOOD + ",",
        GOOD.replace("prime", "gold") + ",first",
        GOOD.replace("prime", "silver") + ",second",
    )
    read = read_table(table(tmp_path, *lines, header=HEADER + ",family"), phone())
    assert read.warnings == (
        "network 'mobilenet_v1' is of several families, first, second: the first row's is taken",
    )
    assert row_families(read.rows) == {"mobilenet_v1": "first"}


def test_a_device_in_a_power_mode_is_known_by_either_name(tmp_path) -> None:
    device = load_device("raspberry-pi-4(mode=boost)")
    plain = "raspberry-pi-4,tflite,cpu,a72:1,fp32,mobilenet_v1,60"
    moded = plain.replace("raspberry-pi-4", device.name)
    assert read_table(table(tmp_path, plain), device).name == "raspberry-pi-4"
    both = read_table(table(tmp_path, plain, moded.replace("60", "50")), device)
    assert (both.name, [row.latency for row in both.rows]) == (device.name, [pytest.approx(0.05)])


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
    with pytest.raises(FileError, match=r"is a directory; give a \.csv file, or one of qed, ncnn"):
        find_table(tmp_path)


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
    with pytest.raises(FileError, match=r"table.csv:2:1: in_size: must be a whole number, or empty, got 'x'"):
        read_operators(wrong, "xiaomi-9")
    slow = table(tmp_path, "xiaomi-9,tflite,fp16,a,conv_2d,7,64,56,1,3,64,1,0", header=OPERATORS)
    with pytest.raises(FileError, match=r"table.csv:2:1: latency_ms: must be a positive number, got '0'"):
        read_operators(slow, "xiaomi-9")
    with pytest.raises(UsageError, match="no operator is of device 'xiaomi-8'; it has xiaomi-9"):
        read_operators(slow, "xiaomi-8")
    short = table(tmp_path, "xiaomi-9,tflite,fp16", header=OPERATORS)
    assert read_operators(short, "xiaomi-9").warnings == ("1 operator of type '': left out",)
    with pytest.raises(FileError, match=r"nowhere.csv: cannot be read: No such file or directory"):
        read_operators(tmp_path / "nowhere.csv", "xiaomi-9")


def test_compressed_operators_that_end_too_early(tmp_path) -> None:
    whole = gzip.compress(OPERATORS.encode() + b"\nxiaomi-9,tflite,fp16,a,conv_2d,7,64,7,1,3,64,1,0.2" * 99)
    for name, data in (("cut", whole[:-20]), ("broken", whole[:40] + b"?" * 40 + whole[80:]), ("no", b"a,b")):
        (tmp_path / f"{name}.gz").write_bytes(data)
        with pytest.raises(FileError, match=rf"{name}.gz: cannot be read: "):
            read_operators(tmp_path / f"{name}.gz", "xiaomi-9")


def test_operators_of_other_processors(tmp_path) -> None:
    lines = [f"xiaomi-9,tflite,fp16,a,mean,7,64,64,,,,,0.2,{where}" for where in ("gpu", "dsp", "")]
    found = read_operators(table(tmp_path, *lines, header=OPERATORS + ",processor"), "xiaomi-9")
    assert (found.rows, found.warnings) == (2, ("1 operator of the dsp: left out",))


def test_operators_are_of_the_family_that_their_network_has_in_the_table(tmp_path) -> None:
    """Else kernels of a network would be fitted while its latency is predicted as one of an unknown family."""
    path = table(tmp_path, "xiaomi-9,tflite,fp16,resnet18,mean,7,64,64,,,,,0.2", header=OPERATORS)
    for families, family in (
        ({}, "resnet"),
        ({"resnet18": "mine"}, "mine"),
        ({"resnet10": "mine"}, "resnet"),
    ):
        ((kernel,),) = read_operators(path, "xiaomi-9", families).times.values()
        assert kernel.family == family


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
