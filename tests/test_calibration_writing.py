"""The file that a calibration becomes: it means what was fitted, whatever it extends and whatever it is called."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from calibkit import KEY, phone, rows, write
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.calibration.calibrate import Outcome, calibrate
from socsim.calibration.tables import read_table
from socsim.calibration.writing import base_of, profile_text, write_profile
from socsim.devices.device import Calibration, ClusterFactors
from socsim.devices.modes import of_whole
from socsim.devices.profile import load_device, provenance
from socsim.errors import UsageError

LEFT_OVERS = """
title: A device whose own set says more than a fit does
extends: xiaomi-9
sources: {mine: "made up"}
calibration:
  tflite:
    cpu:
      fp32:
        grade: A
        source: mine
        serial_share: 0.5
        host_overhead: 2 ms
        clusters:
          prime: {speed: 0.5, overhead: 3, kernels: {gemm: 0.1}}
          silver: {kernels: {no_such_class: 0.2}}
        kernels:
          gemm: {efficiency: 0.5, group_work: 90 kMAC, dispatch: 1 ms, half_outputs: 5000}
          other: {efficiency: 0.1, half_depth: 40}
"""


def outcome(folder: Path, device, masks=("prime:1",), **changed) -> Outcome:
    table = write(folder / "table.csv", rows(masks))
    return calibrate(device, read_table(table, device, "xiaomi-9"), **changed)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Outcome:
    return outcome(tmp_path_factory.mktemp("plain"), phone())


def same(one: Calibration, other: Calibration) -> bool:
    """Whether two sets mean the same, to the four digits of a file."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, float) and field.name != "noise":
            assert b == pytest.approx(a, rel=1e-3), field.name
    assert set(one.kernels) == set(other.kernels)
    for name, rate in one.kernels.items():
        told = other.kernels[name]
        for field in fields(rate):
            a, b = getattr(rate, field.name), getattr(told, field.name)
            assert (b or 0.0) == pytest.approx(a or 0.0, rel=1e-3), (name, field.name)
            assert (b is None) == (a is None) or not a, (name, field.name)
    return True


def test_nothing_of_the_set_that_it_replaces_stays(tmp_path) -> None:
    """What the extended file says of the same kernels was no part of the fit."""
    (tmp_path / "base.yaml").write_text(LEFT_OVERS, encoding="utf-8")
    base = load_device(tmp_path / "base.yaml")
    assert base.calibrations[KEY].host_overhead == 2e-3
    found = outcome(tmp_path, base)
    own = load_device(write_profile(found, tmp_path / "own.yaml", str(tmp_path / "base.yaml")))
    assert same(found.calibrated[0].calibration, own.calibrations[KEY])
    assert own.calibrations[KEY].clusters == {}
    assert {row.grade for row in provenance(tmp_path / "own.yaml") if row.path.startswith(_PLACE)} <= {*"BCD"}


_PLACE = "calibration.tflite.cpu.fp32"


def test_everything_else_of_the_device_stays(tmp_path, plain) -> None:
    own = load_device(write_profile(plain, tmp_path / "own.yaml", "xiaomi-9"))
    base = load_device("xiaomi-9")
    assert set(own.calibrations) == set(base.calibrations)
    assert all(own.calibrations[key] == base.calibrations[key] for key in base.calibrations if key != KEY)
    assert (own.clusters, own.memory, own.board_power) == (base.clusters, base.memory, base.board_power)


def test_a_file_on_top_changes_single_numbers_of_a_whole_set(tmp_path, plain) -> None:
    write_profile(plain, tmp_path / "own.yaml", "xiaomi-9")
    number = "{value: 77 us, grade: D, source: 'prior: a guess'}"
    text = f"title: T\nextends: own\ncalibration: {{tflite: {{cpu: {{fp32: {{fork_join: {number}}}}}}}}}\n"
    (tmp_path / "top.yaml").write_text(text, encoding="utf-8")
    own, top = (load_device(tmp_path / f"{name}.yaml").calibrations[KEY] for name in ("own", "top"))
    assert top.fork_join == pytest.approx(77e-6)
    assert top.kernels == own.kernels


def test_a_set_is_whole_or_says_nothing_of_it(tmp_path, plain) -> None:
    path = write_profile(plain, tmp_path / "own.yaml", "xiaomi-9")
    path.write_text(path.read_text(encoding="utf-8").replace("whole: true", "whole: 1"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"fp32\.whole: should be true or false, got 1"):
        load_device(path)


# --- power modes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["raspberry-pi-4", "raspberry-pi-4(mode=boost)", "jetson-xavier-nx(mode=10W_2CORE)"]
)
def test_times_are_told_of_the_whole_hardware(name: str) -> None:
    """Loading a device in a mode slows fixed times down; writing must take that back."""
    device = load_device(name)
    for key, calibration in device.calibrations.items():
        told = of_whole(device, calibration)
        kept = (device.whole or device).calibrations[key]
        for field in ("kernel_overhead", "inference_overhead", "fork_join", "dispatch", "host_overhead"):
            assert getattr(told, field) == pytest.approx(getattr(kept, field), rel=1e-12), (key, field)
        assert {c: r.dispatch for c, r in told.kernels.items()} == pytest.approx(
            {c: r.dispatch for c, r in kept.kernels.items()}
        )


def test_a_board_in_a_slow_mode_is_written_as_it_was_fitted(tmp_path) -> None:
    """The Raspberry Pi 4 runs at 1.5 of its 1.8 GHz; its fixed costs were written 1.2 times too long."""
    board = load_device("raspberry-pi-4")
    lines = [{**line, "device": board.name, "cores": "a72:1"} for line in rows(("prime:1",))]
    found = calibrate(board, read_table(write(tmp_path / "t.csv", lines), board))
    own = load_device(write_profile(found, tmp_path / "own.yaml", board.name))
    assert own.mode == board.mode
    assert same(found.calibrated[0].calibration, own.calibrations[KEY])


# --- names ----------------------------------------------------------------------------------------------------


NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20
)


def test_any_name_of_a_table_gives_a_file_that_can_be_read(plain) -> None:
    @settings(max_examples=50, deadline=None)
    @given(name=NAMES)
    def check(name: str) -> None:
        table = replace(plain.table, path=f"{name}.csv", name=name)
        found = yaml.safe_load(profile_text(replace(plain, table=table), "xiaomi-9"))
        assert found["calibration"]["tflite"]["cpu"]["fp32"]["source"].endswith(f"; {name} in {name}.csv")
        assert found["sources"]["calibrated"] == f"socsim calibrate, {name}.csv"

    check()


def test_warnings_are_kept_in_the_file(plain) -> None:
    text = profile_text(replace(plain, warnings=("one\nof two lines",)), "xiaomi-9")
    assert "\n# one of two lines\nextends: xiaomi-9\n" in text


@pytest.mark.parametrize("base", ["with (brackets).yaml", "plain.yml", "colon: and #.yaml"])
def test_files_of_any_name_are_extended(tmp_path, plain, base: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / base).write_text("title: T\nextends: xiaomi-9\n", encoding="utf-8")
    path = write_profile(plain, tmp_path / "folder" / "own.yaml", str(tmp_path / base))
    assert load_device(path).title == "T"


def test_a_mode_is_no_part_of_what_is_extended(tmp_path) -> None:
    assert base_of("raspberry-pi-4(mode=boost)", tmp_path / "own.yaml") == "raspberry-pi-4"


@pytest.mark.parametrize(
    ("target", "base", "told"),
    [
        ("base.yaml", "base.yaml", "is what the device would be made of"),
        ("xiaomi-9.yaml", "xiaomi-9", "not the device that comes with socsim"),
        ("own.yaml", "pixel-4", "'extends: pixel-4' means 'pixel-4.yaml' beside it"),
        ("own.json", "xiaomi-9", "a device file ends in .yaml"),
        ("none/own.yaml", "xiaomi-9", "there is no folder"),
        ("folder.yaml", "xiaomi-9", "it is a directory"),
        ("own.yaml", "base.txt", "a device file that another extends ends in .yaml"),
    ],
)
def test_files_that_would_not_mean_it(
    tmp_path, monkeypatch, plain, target: str, base: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    for name in ("base.yaml", "base.txt", "pixel-4.yaml"):
        (tmp_path / name).write_text("title: T\nextends: xiaomi-9\n", encoding="utf-8")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=told.replace(".", r"\.")):
        write_profile(plain, target, base)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_folder_that_takes_no_files(plain) -> None:
    with pytest.raises(UsageError, match=r"cannot write '/proc/own\.yaml'"):
        write_profile(plain, "/proc/own.yaml", "xiaomi-9")


# --- grades ---------------------------------------------------------------------------------------------------


def test_a_set_that_predicts_nothing_is_a_guess(tmp_path, plain) -> None:
    """Errors beyond half of the latency on other families: grade D, whatever was fitted."""
    (found,) = plain.calibrated
    parts = tuple(replace(part, predicted=part.measured * 3.0) for part in found.parts)
    text = profile_text(replace(plain, calibrated=(replace(found, parts=parts),)), "xiaomi-9")
    assert '        grade: D\n        source: "calibrated: 8 rows' in text
    assert "error on other families 200.0 %" in text


def test_clusters_are_told_but_for_the_first(tmp_path) -> None:
    found = outcome(tmp_path, phone(), ("prime:1", "silver:1"))
    own = load_device(write_profile(found, tmp_path / "own.yaml", "xiaomi-9")).calibrations[KEY]
    assert set(own.clusters) == {"silver"}
    fitted = found.calibrated[0].calibration.clusters
    assert fitted["prime"] == ClusterFactors(kernels=dict.fromkeys(fitted["prime"].kernels, 1.0))
    assert own.clusters["silver"].kernels == pytest.approx(fitted["silver"].kernels, rel=1e-3)
