"""Devices are listed by a glance at their files, which must see what the whole profiles say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from clikit import calling, cells

from socsim import resources
from socsim.cli.list_devices import device_cells, measured_rows
from socsim.devices import summary as module
from socsim.devices.profile import device_names
from socsim.devices.summary import DeviceSummary, summaries, summary
from socsim.measurements import measurements, row_counts


def test_a_glance_sees_what_the_whole_profiles_say() -> None:
    found = summaries()
    assert [device.name for device in found] == device_names()
    assert found == [summary(name) for name in device_names()]


def test_a_glance_suffices_for_all_that_ship(monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(name: str) -> DeviceSummary:
        raise AssertionError(f"{name} was read as a whole")

    monkeypatch.setattr(module, "summary", whole)
    assert len(summaries()) == len(device_names())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one phone's files that stands for all that ship."""
    copy = tmp_path / "device_profiles"
    source = resources.data_dir("device_profiles")
    for part in (
        "xiaomi-9.yaml",
        "socs/snapdragon-855.yaml",
        "kernels/snapdragon-855.yaml",
        "kernels/snapdragon-855-measured.yaml",
    ):
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / part, copy / part)
    monkeypatch.setattr(resources, "data_dir", lambda name: copy)
    return copy


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("xiaomi-9.yaml", "title: Xiaomi 9", "title: Xiaomi 9\nnotes: {all: [\n kernels: 1]}"),
        (
            "xiaomi-9.yaml",
            "[socs/snapdragon-855, kernels/snapdragon-855, kernels/snapdragon-855-measured]",
            "[socs/snapdragon-855, kernels/none]",
        ),
        ("xiaomi-9.yaml", "title: Xiaomi 9", "title: Xiaomi 9\naccelerators: 5"),
        ("xiaomi-9.yaml", "title: Xiaomi 9", "accelerators:\n  - source: none"),
    ],
)
def test_what_a_glance_does_not_understand_is_read_as_a_whole(
    folder: Path, file: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(module, "summary", lambda name: read.append(name))
    change(folder / file, old, new)
    summaries()
    assert read == ["xiaomi-9"]


def test_a_set_without_a_grade_of_its_own_is_read_as_a_whole(folder: Path) -> None:
    """What it has then is the least certain of its numbers' grades."""
    kernels = folder / "kernels" / "snapdragon-855.yaml"
    text = kernels.read_text()
    start = text.index("        grade: C\n")
    kernels.write_text(text[:start] + text[start + len("        grade: C\n") :])
    with pytest.raises(KeyError):
        list(module._calibrations(module._skimmed(kernels)["calibration"]))


def test_blocks_of_one_file_change_those_of_another_below(folder: Path) -> None:
    change(
        folder / "xiaomi-9.yaml",
        "title: Xiaomi 9",
        "title: Xiaomi 9\nclusters:\n  - name: gold\n    count: {value: 2, grade: A, source: dts}\n"
        "accelerators:\n  gpu:\n    power:\n      idle: {value: 1 mW, grade: D, source: estimate}",
    )
    (found,) = summaries()
    assert found.cores == {"silver": 4, "gold": 2, "prime": 1}
    assert found.accelerators == {"gpu": "Adreno 640", "dsp": "Hexagon 690"}


def test_rows_are_counted_as_they_are_read() -> None:
    rows = Counter((r.device, r.library, r.processor, r.precision) for r in measurements())
    assert row_counts() == rows
    assert measured_rows(rows, "pixel-4", ("tflite", "gpu", "fp16", "image")) == 49
    assert measured_rows(rows, "pixel-4(mode=x)", ("tflite", "gpu", "fp16", "image")) == 49
    assert measured_rows(rows, "pixel-4", ("mace", "gpu", "fp16", "image")) == 0


def row(*sets: tuple[str, str, str, str, int]) -> dict[str, object]:
    names = ("library", "processor", "dtype", "grade", "rows")
    calibrations = [dict(zip(names, one, strict=True)) for one in sets]
    return {"name": "n", "soc": "s", "processors": ["cpu 4"], "calibrations": calibrations}


@pytest.mark.parametrize(
    ("sets", "calibrated", "estimated"),
    [
        ((), "nothing", "-"),
        ((("ncnn", "cpu", "fp32", "D", 0),), "nothing", "ncnn cpu"),
        ((("ncnn", "cpu", "fp32", "D", 7),), "nothing", "ncnn cpu (7)"),
        ((("ncnn", "cpu", "fp32", "B", 7), ("ncnn", "cpu", "int8", "C", 2)), "ncnn cpu (9)", "-"),
        ((("ncnn", "cpu", "fp32", "B", 7), ("ncnn", "cpu", "int8", "D", 2)), "ncnn cpu fp32 (7)", "ncnn cpu int8 (2)"),
        # two layouts of one data type share their rows
        ((("tflite", "gpu", "fp16", "F", 5), ("tflite", "gpu", "fp16", "F", 5)), "tflite gpu (5)", "-"),
        ((("a", "cpu", "fp32", "B", 1), ("a", "gpu", "fp32", "B", 2), ("b", "cpu", "fp32", "C", 0)),
         "a cpu (1), gpu (2); b cpu", "-"),
    ],
)  # fmt: skip
def test_cells(sets: tuple[tuple[str, str, str, str, int], ...], calibrated: str, estimated: str) -> None:
    assert device_cells(row(*sets)) == ("n", "s", "cpu 4", calibrated, estimated)


def test_what_nobody_measured_is_said_to_be_an_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    """For every parameter set of grade D in the profiles, the list and the device's page say so."""
    cli = calling(capsys)
    rows = {row["name"]: row for row in json.loads(cli("list", "devices", "--json")[1])}
    assert {c["grade"] for c in rows["hikey960"]["calibrations"]} == {"D"}
    assert {c["rows"] for c in rows["hikey960"]["calibrations"]} == {0}
    shown = cells(cli("show", "device", "hikey960")[1])
    assert sum("D, not calibrated" in line for line in shown) == len(rows["hikey960"]["calibrations"])


def test_listing_does_not_load_what_checks_profiles() -> None:
    """Validation takes five times as long as all else."""
    code = (
        "import sys; from socsim.cli.listing import _devices; _devices(); "
        "print(sorted({'pydantic', 'numpy', 'simpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
