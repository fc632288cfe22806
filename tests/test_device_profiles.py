"""Device files: exact loading, faults with their places, merging, provenance, and what is shipped."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from socsim import resources
from socsim.devices.cfs import CfsParameters
from socsim.devices.device import (
    Accelerator,
    Calibration,
    Cluster,
    Copying,
    Device,
    IdleState,
    KernelRate,
    Memory,
    MemoryOpp,
    Opp,
    PowerModel,
    Sharing,
    SyncTime,
)
from socsim.devices.profile import device_names, load_device, provenance
from socsim.errors import FileError, SocsimError, UnknownNameError

TINY = """\
title: Tiny
soc: T1
grade: A
source: "book: page 3"
sources: {book: a book, guess: nobody}
clusters:
- name: big
  core: cortex-a76
  count: 2
  capacity: 1024
  bandwidth: {value: 10 GB/s, grade: D, source: guess}
  macs_per_cycle: {fp32: 8, int8: 32}
  transition_latency: 50 us
  power: {coefficient: 300 uW/MHz/V^2, leakage: 60 mW/V, idle: 5 mW, activity: 1.5}
  idle_states: [{name: nap, entry: 10 us, exit: 20 us, min_residency: 300 us}]
  except: {voltage: {grade: B, source: guess}}
  opps:
  - {freq: 1 GHz, voltage: 700 mV, dram_floor: 990 MHz, l3_floor: 500 MHz}
  - {freq: 2 GHz, voltage: 0.9 V, dram_floor: 2.0004 GHz}
accelerators:
  gpu:
    model: G
    layouts: [image, buffer]
    bandwidth: 20 GB/s
    call_latency: 5 us
    macs_per_cycle: {fp32: 512}
    power: {coefficient: 6000 uW/MHz/V^2}
    opps: [{freq: 500 MHz, voltage: 700 mV, dram_floor: 2 GHz}]
memory:
  efficiency: 80 %
  energy_per_byte: 4 pJ/bit
  background_power: 100 mW
  capacity: 6 GB
  opps: [{freq: 1 GHz, bandwidth: 16 GB/s}, {freq: 2 GHz, bandwidth: 32 GB/s}]
cpu_bandwidth: 15 GB/s
sharing:
  gpu:
    map_per_byte: 50 us/MB
    transform_per_byte: 80 us/MB
    sync: {mean: 0.5 ms, sd: 0.1 ms, low: 0.2 ms, high: 0.9 ms}
    post_sync: 60 us
    unmap: 3 us
board_power: 1 W
rails: {cpu: [cpu.big], rest: [gpu, dram, board]}
# how it warms up is not told
calibration:
  mace:
    cpu:
      fp32:
        grade: B
        source: "guess: a try"
        kernels: {gemm: {efficiency: 0.6, half_work: 1 MMAC}, other: {efficiency: 5 %}}
        serial_share: 2 %
        fork_join: 4 us
    gpu:
      fp32:
        image: {kernels: {other: {efficiency: 0.1}}, dispatch: 30 us, bandwidth_share: 0.9, noise: 0.02}
        buffer: {kernels: {other: {efficiency: 0.05}}, kernel_overhead: 20 us, inference_overhead: 1 ms}
"""
BIG_CORE = ("A", "book: page 3")


def write(folder: Path, text: str, name: str = "tiny.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def complaints(path: Path) -> list[str]:
    """The lines of the error that loading a file raises, without its folder."""
    with pytest.raises(FileError) as caught:
        load_device(path)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


@pytest.fixture
def tiny(tmp_path: Path) -> Device:
    return load_device(write(tmp_path, TINY))


def test_a_tiny_file_loads_exactly(tiny: Device) -> None:
    assert (tiny.name, tiny.title, tiny.soc) == ("tiny", "Tiny", "T1")
    assert tiny.clusters == (
        Cluster(
            name="big",
            core="cortex-a76",
            count=2,
            opps=(Opp(1e9, 0.7, 1e9, 0.5e9), Opp(2e9, 0.9, 2e9)),
            macs_per_cycle={"fp32": 8.0, "int8": 32.0},
            capacity=1024.0,
            bandwidth=10e9,
            power=PowerModel(300e-12, 0.06, 0.005, 1.5, 0.9),
            idle_states=(IdleState("nap", 10e-6, 20e-6, 300e-6),),
            transition_latency=50e-6,
        ),
    )
    gpu = Accelerator(
        name="gpu",
        model="G",
        opps=(Opp(500e6, 0.7, 2e9),),
        macs_per_cycle={"fp32": 512.0},
        bandwidth=20e9,
        power=PowerModel(6000e-12),
        layouts=("image", "buffer"),
        call_latency=5e-6,
    )
    assert dict(tiny.accelerators) == {"gpu": gpu}
    assert tiny.memory == Memory((MemoryOpp(1e9, 16e9), MemoryOpp(2e9, 32e9)), 0.8, 32e-12, 0.1, 6e9)
    assert tiny.sharing["gpu"] == Sharing(50e-12, 80e-12, SyncTime(5e-4, 1e-4, 2e-4, 9e-4), 60e-6, 3e-6)
    assert (tiny.cpu_bandwidth, tiny.board_power) == (15e9, 1.0)
    assert dict(tiny.rails) == {"cpu": ("cpu.big",), "rest": ("gpu", "dram", "board")}
    assert tiny.thermal is None


def test_its_calibrations_load_exactly(tiny: Device) -> None:
    assert list(tiny.calibrations.values()) == [
        Calibration(
            *("mace", "cpu", "fp32", ""),
            kernels={"gemm": KernelRate(0.6, 1e6), "other": KernelRate(0.05)},
            serial_share=0.02,
            fork_join=4e-6,
            grade="B",
            source="guess: a try",
        ),
        Calibration(
            *("mace", "gpu", "fp32", "image"),
            kernels={"other": KernelRate(0.1)},
            dispatch=30e-6,
            bandwidth_share=0.9,
            noise=0.02,
            grade="A",
            source="book: page 3",
        ),
        Calibration(
            *("mace", "gpu", "fp32", "buffer"),
            kernels={"other": KernelRate(0.05)},
            kernel_overhead=20e-6,
            inference_overhead=1e-3,
            grade="A",
            source="book: page 3",
        ),
    ]


def test_votes_snap_to_the_dram_clock_that_they_mean(tiny: Device) -> None:
    """990 MHz asks for 1 GHz, and 2.0004 GHz is 2 GHz rounded otherwise."""
    floors = [opp.dram_floor for opp in (*tiny.clusters[0].opps, *tiny.accelerators["gpu"].opps)]
    assert floors == [1e9, 2e9, 2e9]


def test_grades_are_counted(tmp_path: Path, tiny: Device) -> None:
    rows = provenance(write(tmp_path, TINY))
    assert dict(tiny.grades) == Counter(row.grade for row in rows) == {"A": 49, "B": 7, "D": 1}
    assert list(tiny.grades) == ["A", "B", "D"]


def test_provenance_of_every_number(tmp_path: Path) -> None:
    by_path = {row.path: row[1:] for row in provenance(write(tmp_path, TINY))}
    assert by_path["clusters.0.opps.1.freq"] == ("2 GHz", *BIG_CORE)
    assert by_path["clusters.0.opps.1.voltage"] == ("0.9 V", "B", "guess")
    assert by_path["clusters.0.bandwidth"] == ("10 GB/s", "D", "guess")
    assert by_path["clusters.0.count"] == ("2", *BIG_CORE)
    assert by_path["accelerators.gpu.opps.0.voltage"] == ("700 mV", *BIG_CORE)
    assert by_path["calibration.mace.cpu.fp32.kernels.other.efficiency"] == ("5 %", "B", "guess: a try")
    assert not {"title", "soc", "clusters.0.name"} & set(by_path)


def test_a_nearer_statement_holds(tmp_path: Path) -> None:
    old = "  opps: [{freq: 1 GHz, bandwidth: 16 GB/s}, {freq: 2 GHz, bandwidth: 32 GB/s}]\n"
    new = """\
  except: {bandwidth: {grade: C}}
  opps:
    value:
    - {freq: 1 GHz, bandwidth: {value: 16 GB/s, source: guess}}
    - {freq: 2 GHz, bandwidth: 32 GB/s, grade: D}
"""
    by_path = {row.path: row[2:] for row in provenance(write(tmp_path, TINY.replace(old, new)))}
    assert by_path["memory.opps.0.freq"] == BIG_CORE
    assert by_path["memory.opps.0.bandwidth"] == ("C", "guess")
    assert by_path["memory.opps.1.bandwidth"] == ("D", "book: page 3")


def test_a_calibration_without_a_grade_of_its_own_has_its_worst(tmp_path: Path) -> None:
    text = TINY.replace('grade: A\nsource: "book: page 3"\n', "", 1)
    start, _, calibration = text.partition("calibration:")
    lines = [
        "calibration:",
        "  mace:",
        "    cpu:",
        "      fp32:",
        "        kernels: {other: {efficiency: {value: 0.1, grade: B, source: book}}}",
        "        noise: {value: 0.1, grade: D, source: guess}",
    ]
    base = write(tmp_path, "\n".join(lines) + "\n", "kernels.yaml")
    extra = "extends: kernels\n"
    stated = 'grade: A\nsource: "book: page 3"\n'
    device = load_device(write(tmp_path, extra + stated + start))
    assert base.exists() and calibration
    found = device.calibration("mace", "cpu", "fp32")
    assert (found.grade, found.source) == ("D", "guess")


FAULTS = [
    ("count: 2", "count: 0", "9:10: clusters.big.count: should be greater than or equal to 1, got 0"),
    ("count: 2", "count: 2.5", "9:10: clusters.big.count: should be a valid integer, got 2.5"),
    ("count: 2", "cuont: 2", "9:3: clusters.big.cuont: unknown key 'cuont', did you mean 'count'?"),
    (
        "{freq: 2 GHz, voltage: 0.9",
        "{freq: 2 Ghz, voltage: 0.9",
        "19:12: clusters.big.opps.1.freq: unknown unit 'Ghz', did you mean 'GHz'?",
    ),
    (
        "{freq: 2 GHz, voltage: 0.9",
        "{freq: 1 GHz, voltage: 0.9",
        "19:12: clusters.big.opps.1.freq: must rise from point to point, got 1 GHz after 1 GHz",
    ),
    (
        "0.9 V",
        "0.6 V",
        "19:28: clusters.big.opps.1.voltage: must not fall as the frequency rises, got 600 mV after 700 mV",
    ),
    (" voltage: 0.9 V,", "", "19:5: clusters.big.opps.1.voltage: is required by the power model"),
    (
        "2.0004 GHz",
        "2.1 GHz",
        "19:47: clusters.big.opps.1.dram_floor: votes for 2.1 GHz, above the fastest DRAM clock, 2 GHz",
    ),
    (
        "2.0004 GHz",
        "1.6 GHz",
        "19:47: clusters.big.opps.1.dram_floor: votes for 1.6 GHz, which is no operating point of the DRAM; the "
        "nearest is 2 GHz",
    ),
    (
        "990 MHz",
        "1 MHz",
        "18:48: clusters.big.opps.0.dram_floor: votes for 1 MHz, which is no operating point of the DRAM; the "
        "nearest is 1 GHz",
    ),
    (
        "voltage: 0.9 V",
        "voltage: 692.9 mV",
        "19:28: clusters.big.opps.1.voltage: must not fall as the frequency rises, got 692.9 mV after 700 mV",
    ),
    (
        "{freq: 1 GHz, bandwidth: 16 GB/s}, {freq: 2 GHz, bandwidth: 32 GB/s}",
        "{freq: 2 GHz, bandwidth: 16 GB/s}, {freq: 1 GHz, bandwidth: 32 GB/s}",
        "34:52: memory.opps.1.freq: must rise from point to point, got 1 GHz after 2 GHz",
    ),
    (
        "{freq: 2 GHz, bandwidth: 32 GB/s}",
        "{freq: 2 GHz, bandwidth: 16 GB/s}",
        "34:70: memory.opps.1.bandwidth: must rise from point to point, got 16 GB/s after 16 GB/s",
    ),
    (
        "[{freq: 500 MHz,",
        "[{freq: 600 MHz, voltage: 600 mV}, {freq: 500 MHz,",
        "28:53: accelerators.gpu.opps.1.freq: must rise from point to point, got 500 MHz after 600 MHz",
    ),
    (
        "transition_latency: 50 us",
        "transition_latency: -50 us",
        "13:23: clusters.big.transition_latency: should be greater than or equal to 0, got '-50 us'",
    ),
    (
        "  transition_latency: 50 us\n",
        "  transition_latency: 50 us\n  transition_stall: 60 us\n",
        "14:21: clusters.big.transition_stall: is the last part of transition_latency, so 50 us at most, got 60 us",
    ),
    (
        "    call_latency: 5 us\n",
        "    transition_stall: 5 us\n",
        "25:23: accelerators.gpu.transition_stall: is the last part of transition_latency, so 0 s at most, got 5 us",
    ),
    (
        "  capacity: 6 GB\n",
        "  transition_latency: 8 ms\n  transition_stall: 9 ms\n",
        "34:21: memory.transition_stall: is the last part of transition_latency, so 8 ms at most, got 9 ms",
    ),
    (
        "  capacity: 6 GB\n",
        "  transition_latency: 8 mm\n",
        "33:23: memory.transition_latency: unknown unit 'mm'",
    ),
    (
        "rest: [gpu,",
        "spare: [], rest: [gpu,",
        "44:32: rails.spare: no component is on it; name one of cpu.big, gpu, dram, board, or leave the rail out",
    ),
    (
        "- name: big",
        "- name: gpu",
        "7:9: clusters.gpu.name: 'gpu' means something else; call the cluster by its cores",
    ),
    ("- name: big", "- name: cpu", "7:9: clusters.cpu.name: 'cpu' means something else"),
    ("- name: big", "- name: dram", "7:9: clusters.dram.name: 'dram' means something else"),
    ("- name: big", "- name: all", "7:9: clusters.all.name: 'all' means something else"),
    (
        "dram_floor: 2 GHz}",
        "dram_floor: 3 GHz}",
        "28:57: accelerators.gpu.opps.0.dram_floor: votes for 3 GHz, above the fastest DRAM clock, 2 GHz",
    ),
    (
        "{fp32: 8, int8: 32}",
        "{int8: 32}",
        "12:19: clusters.big.macs_per_cycle.fp32: is required for CPU cores",
    ),
    (
        "{fp32: 8, int8: 32}",
        "{fp32: 8, fp8: 32}",
        "12:29: clusters.big.macs_per_cycle.fp8: should be 'fp32', 'fp16' or 'int8', got 'fp8'",
    ),
    (
        "capacity: 1024",
        "capacity: 2000",
        "10:13: clusters.big.capacity: should be less than or equal to 1024",
    ),
    ("80 %", "120 %", "30:15: memory.efficiency: should be less than or equal to 1, got '120 %'"),
    ("bandwidth: 32 GB/s", "bandwidth: 9 GB/s", "34:70: memory.opps.1.bandwidth: must rise from point"),
    (
        "low: 0.2 ms",
        "low: 0.6 ms",
        "40:11: sharing.gpu.sync: expected low <= mean <= high, got 600 us, 500 us, 900 us",
    ),
    (", low: 0.2 ms", "", "40:11: sharing.gpu.sync: a sync time with an sd needs low and high"),
    (
        "layouts: [image, buffer]",
        "layouts: [image, bufer]",
        "23:22: accelerators.gpu.layouts.1: should be 'image' or 'buffer', got 'bufer'; did you mean 'buf",
    ),
    (
        "layouts: [image, buffer]",
        "layouts: [image, buffer, image]",
        "23:30: accelerators.gpu.layouts.2: 'image' is listed twice",
    ),
    (
        "rest: [gpu,",
        "rest: [gppu,",
        "44:32: rails.rest.0: unknown component 'gppu'; did you mean 'gpu'?",
    ),
    ("rest: [gpu,", "rest: [gpu, gpu,", "44:37: rails.rest.1: component 'gpu' is already on rail 'rest'"),
    ("rest: [gpu,", "rest: [", "44:8: rails: no rail feeds gpu"),
    ("\n  gpu:\n    map", "\n  npu:\n    map", "37:3: sharing.npu: unknown accelerator 'npu'"),
    (
        "other: {efficiency: 5 %}",
        "others: {efficiency: 5 %}",
        "52:18: calibration.mace.cpu.fp32.kernels.other: is required: the rate of classes not listed",
    ),
    (
        "half_work: 1 MMAC",
        "half_work: 1 ms",
        "52:54: calibration.mace.cpu.fp32.kernels.gemm.half_work: '1 ms' is a time, expected a work",
    ),
    (
        "half_work: 1 MMAC",
        "group_work: 1 us",
        "52:55: calibration.mace.cpu.fp32.kernels.gemm.group_work: '1 us' is a time, expected a work",
    ),
    (
        "half_work: 1 MMAC",
        "dispatch: -1 us",
        "52:53: calibration.mace.cpu.fp32.kernels.gemm.dispatch: should be greater than or equal to 0",
    ),
    (
        "efficiency: 0.6",
        "efficiency: 0",
        "52:38: calibration.mace.cpu.fp32.kernels.gemm.efficiency: should be",
    ),
    ("    gpu:\n      fp32:", "    dsp:\n      fp32:", "55:5: calibration.mace.dsp: the device has no dsp"),
    (
        "    gpu:\n      fp32:",
        "    gpu:\n      fp16:",
        "56:7: calibration.mace.gpu.fp16: macs_per_cycle of gpu does not tell the rate of fp16",
    ),
    (
        "layouts: [image, buffer]",
        "layouts: [image]",
        "58:9: calibration.mace.gpu.fp32.buffer: gpu has the layouts image",
    ),
    ("1 W\n", "-1 W\n", "43:14: board_power: should be greater than or equal to 0, got '-1 W'"),
    ("soc: T1\n", "", "1:1: soc: is required"),
    ("grade: A", "grade: E", "3:8: grade: unknown grade 'E'; one of A (verbatim from"),
    (
        '"book: page 3"',
        '"bok: page 3"',
        "4:9: source: source 'bok' is not in the table of sources; did you mean 'book'?",
    ),
    (
        "source: guess}\n  macs",
        "source: guess, sure: 1}\n  macs",
        "11:56: clusters.big.bandwidth.sure: unknown key 'sure' beside 'value'",
    ),
    (
        "grade: D, source: guess}",
        "grade: 4, source: guess}",
        "11:38: clusters.big.bandwidth.grade: grade must be",
    ),
    (
        "{voltage: {grade: B,",
        "{voltage: {value: B,",
        "16:22: clusters.big.except.voltage.value: unknown key 'value'; an exception has 'grade' and 'source'",
    ),
    (
        "{voltage: {grade: B, source: guess}}",
        "[voltage]",
        "16:11: clusters.big.except: expected a mapping such as",
    ),
]


@pytest.mark.parametrize(("old", "new", "line"), FAULTS, ids=[fault[2].split(" ")[1] for fault in FAULTS])
def test_every_kind_of_fault_has_its_place(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert TINY.count(old) >= 1
    got = complaints(write(tmp_path, TINY.replace(old, new, 1)))
    assert any(found.startswith(f"tiny.yaml:{line}") for found in got), got


def test_a_number_without_grade_or_source_is_refused(tmp_path: Path) -> None:
    text = TINY.replace("grade: A\n", "", 1)
    got = complaints(write(tmp_path, text))
    assert len(got) == 49
    assert got[0] == (
        "tiny.yaml:8:10: clusters.big.count: 2 has no grade; "
        "state it here ({value: .., grade: .., source: ..}) or in a block around it"
    )
    both = complaints(write(tmp_path, text.replace('source: "book: page 3"\n', "", 1)))
    assert both[0].startswith("tiny.yaml:7:10: clusters.big.count: 2 has no grade and no source; state it")


def test_two_clusters_of_one_name_are_refused(tmp_path: Path) -> None:
    start, _, rest = TINY.partition("- name: big\n")
    cluster, _, end = rest.partition("accelerators:\n")
    text = f"{start}- name: big\n{cluster}- name: big\n{cluster}accelerators:\n{end}"
    assert complaints(write(tmp_path, text)) == [
        "tiny.yaml:20:9: clusters.1.name: cluster 'big' is there twice"
    ]


def test_all_faults_come_in_one_pass(tmp_path: Path) -> None:
    """Of blocks and of provenance."""
    text = TINY
    for old, new in (
        ("count: 2", "count: 0"),
        ("bandwidth: {value: 10 GB/s, grade: D, source: guess}", "bandwidth: {value: 10 GB/s, grade: X}"),
        ("soc: T1", "sco: T1"),
        ("30 us,", "30,"),
    ):
        text = text.replace(old, new, 1)
    got = complaints(write(tmp_path, text))
    assert [line.split(": ")[1] for line in got] == [
        "soc",
        "sco",
        "clusters.big.count",
        "clusters.big.bandwidth.grade",
        "calibration.mace.gpu.fp32.image.dispatch",
    ]


def test_faults_between_blocks_come_in_one_pass_when_the_blocks_are_sound(tmp_path: Path) -> None:
    text = TINY.replace("2.0004 GHz", "2.1 GHz").replace("rest: [gpu,", "rest: [")
    got = [line.split(": ")[1] for line in complaints(write(tmp_path, text))]
    assert got == ["clusters.big.opps.1.dram_floor", "rails"]


def test_junk_where_blocks_belong_is_told_not_raised(tmp_path: Path) -> None:
    text = "title: x\nclusters: 5\naccelerators: [a]\nmemory: {opps: x}\n"
    text += "rails: {a: b, c: [{d: e}]}\ncalibration: 3\nsharing: [1, 2]\n"
    got = complaints(write(tmp_path, text))
    assert "tiny.yaml:2:11: clusters: should be a valid list, got 5" in got
    assert "tiny.yaml:3:15: accelerators: should be a mapping, got a list" in got


def split_tiny(folder: Path) -> Path:
    """The tiny device as ``soc/base.yaml``, ``soc/kernels.yaml`` and a phone that extends both."""
    hardware, _, calibration = TINY.removeprefix("title: Tiny\n").partition("calibration:")
    hardware = hardware.replace("board_power: 1 W\n", "")
    write(folder, hardware, "soc/base.yaml")
    write(
        folder,
        f"grade: F\nsource: plot\nsources: {{plot: a plot}}\ncalibration:{calibration}",
        "soc/kernels.yaml",
    )
    phone = "title: Phone\nextends: [soc/base, soc/kernels.yaml]\ngrade: B\nsource: book\nboard_power: 2 W\n"
    return write(folder, phone, "phone.yaml")


def test_a_file_may_extend_several(tmp_path: Path, tiny: Device) -> None:
    phone = load_device(split_tiny(tmp_path))
    assert (phone.name, phone.title, phone.soc, phone.board_power) == ("phone", "Phone", "T1", 2.0)
    assert (phone.clusters, dict(phone.accelerators)) == (tiny.clusters, dict(tiny.accelerators))
    assert list(phone.calibrations) == list(tiny.calibrations)
    assert phone.calibration("mace", "gpu", "fp32", "image").source == "plot"
    assert phone.calibration("mace", "cpu", "fp32").source == "guess: a try"
    assert dict(phone.grades) == {"A": 41, "B": 8, "D": 1, "F": 7}


def test_the_extending_file_wins_deep_down(tmp_path: Path) -> None:
    path = split_tiny(tmp_path)
    path.write_text(
        path.read_text()
        + "clusters:\n- {name: big, count: 3, power: {idle: 7 mW}}\n"
        + "memory: {opps: [{freq: 1 GHz, bandwidth: 48 GB/s}, {freq: 2 GHz, bandwidth: 96 GB/s}]}\n"
    )
    phone = load_device(path)
    assert (phone.clusters[0].count, phone.clusters[0].power) == (
        3,
        PowerModel(300e-12, 0.06, 0.007, 1.5, 0.9),
    )
    assert phone.memory.opps == (MemoryOpp(1e9, 48e9), MemoryOpp(2e9, 96e9))
    assert phone.memory.efficiency == 0.8
    rows = {row.path: row.source for row in provenance(path)}
    assert rows["clusters.0.count"] == "book"
    assert rows["clusters.0.capacity"] == "book: page 3"


def test_a_new_name_is_added_to_a_list(tmp_path: Path) -> None:
    path = split_tiny(tmp_path)
    little = (
        "clusters:\n- name: little\n  core: a55\n  count: 4\n  capacity: 300\n  bandwidth: 4 GB/s\n"
        "  macs_per_cycle: {fp32: 4}\n  power: {coefficient: 60 uW/MHz/V^2}\n"
        "  opps: [{freq: 1 GHz, voltage: 600 mV}]\nrails: {rest: [gpu, dram, board, cpu.little]}\n"
    )
    path.write_text(path.read_text() + little)
    assert [c.name for c in load_device(path).clusters] == ["big", "little"]


def test_a_fault_names_the_file_that_it_stems_from(tmp_path: Path) -> None:
    path = split_tiny(tmp_path)
    base, kernels = tmp_path / "soc" / "base.yaml", tmp_path / "soc" / "kernels.yaml"
    base.write_text(base.read_text().replace("count: 2", "count: 0"))
    kernels.write_text(kernels.read_text().replace("5 %", "5 s"))
    path.write_text(path.read_text().replace("2 W", "2 V"))
    got = complaints(path)
    assert [line.split(": ")[:2] for line in got] == [
        ["phone.yaml:5:14", "board_power"],
        ["soc/base.yaml:8:10", "clusters.big.count"],
        ["soc/kernels.yaml:10:83", "calibration.mace.cpu.fp32.kernels.other.efficiency"],
    ]


def test_overriding_a_number_needs_its_own_grade(tmp_path: Path) -> None:
    path = split_tiny(tmp_path)
    path.write_text(path.read_text().replace("grade: B\nsource: book\n", ""))
    assert complaints(path)[0].startswith("phone.yaml:3:14: board_power: 2 W has no grade and no source")


def test_cycles_and_missing_bases_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "extends: b\n", "a.yaml")
    write(tmp_path, "extends: [c]\n", "b.yaml")
    path = write(tmp_path, "extends: a\n", "c.yaml")
    assert complaints(path) == ["b.yaml:1:11: extends: 'c' leads back to itself"]
    own = write(tmp_path, "extends: self\n", "self.yaml")
    assert complaints(own) == ["self.yaml:1:10: extends: 'self' leads back to itself"]
    lost = write(tmp_path, "title: x\nextends: [nowhere, 3]\n", "lost.yaml")
    assert complaints(lost) == [
        "lost.yaml:2:11: extends: no file 'nowhere.yaml' beside this one or among socsim's profiles",
        "lost.yaml:2:20: extends: expected the name of a device file, or a list of names",
    ]


def test_a_base_may_be_reached_twice(tmp_path: Path) -> None:
    path = split_tiny(tmp_path)
    write(tmp_path, "extends: base\n", "soc/again.yaml")
    path.write_text(path.read_text().replace("[soc/base,", "[soc/base, soc/again,"))
    assert load_device(path).soc == "T1"


def test_names_paths_and_caching(tmp_path: Path) -> None:
    path = write(tmp_path, TINY)
    first = load_device(path)
    assert load_device(str(path)) is load_device(str(path))
    path.write_text(TINY.replace("Tiny", "Changed"))
    os.utime(path, ns=(1, 1))
    assert (first.title, load_device(path).title) == ("Tiny", "Changed")


def test_unknown_devices() -> None:
    with pytest.raises(UnknownNameError, match="unknown device 'xiaomi9'; did you mean 'xiaomi-9'"):
        load_device("xiaomi9")
    with pytest.raises(FileError, match=r"some/phone\.yaml: no such file"):
        load_device("some/phone.yaml")


def test_data_folders_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (resources.data_dir("device_profiles") / "xiaomi-9.yaml").is_file()
    with pytest.raises(SocsimError, match="data folder 'nothing' is missing"):
        resources.data_dir("nothing")


def test_data_folders_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "socsim" / "_data" / "device_profiles"
    inside.mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "socsim" / "resources.py"))
    assert resources.data_dir("device_profiles") == inside
    (tmp_path / "experiments").mkdir()
    with pytest.raises(SocsimError):
        resources.data_dir("experiments")


def shipped_soc(folder: Path, soc: str) -> Device:
    text = f"title: Phone\nextends: socs/{soc}\nboard_power: {{value: 1 W, grade: D, source: estimate}}\n"
    return load_device(write(folder, text, "phone.yaml"))


def test_snapdragon_855(tmp_path: Path) -> None:
    soc = shipped_soc(tmp_path, "snapdragon-855")
    silver, gold, prime = soc.clusters
    assert [(c.name, c.count, len(c.opps)) for c in soc.clusters] == [
        ("silver", 4, 18),
        ("gold", 3, 17),
        ("prime", 1, 20),
    ]
    assert [c.max_opp.frequency for c in soc.clusters] == [1785.6e6, 2419.2e6, 2841.6e6]
    assert (silver.opps[0].voltage, gold.max_opp.voltage, prime.max_opp.voltage) == (0.6, 1.0, 0.984)
    assert prime.opps[0] == Opp(825.6e6, 0.756, 547e6, 614.4e6)
    votes = {round(o.frequency / 1e6): (o.dram_floor / 1e6, o.l3_floor / 1e6) for o in prime.opps}
    assert votes[1286] == (1017, pytest.approx(998.4))
    assert votes[1805] == (1555, 1344)
    assert votes[2016] == (1804, 1536)
    assert votes[2131] == (2133, 1536)
    assert votes[2842] == (2133, pytest.approx(1612.8))
    assert silver.max_opp.dram_floor == 768e6
    assert len(soc.memory.opps) == 11
    assert soc.memory.opps[0] == MemoryOpp(200e6, 3.2e9)
    assert soc.memory.opps[-1].bandwidth == pytest.approx(34.1e9, rel=1e-3)
    assert soc.memory.bandwidth == pytest.approx(30.3e9, rel=0.01)
    gpu = soc.accelerators["gpu"]
    assert [round(opp.frequency / 1e5) for opp in gpu.opps] == [2570, 3450, 4270, 4992, 5850]
    assert [opp.dram_floor / 1e6 for opp in gpu.opps] == [0, 547, 768, 1555, 2133]
    assert 2 * gpu.macs_per_cycle["fp32"] * gpu.max_opp.frequency == pytest.approx(898.6e9, rel=1e-4)
    assert gpu.bandwidth == 30.3e9
    assert soc.sharing["gpu"] == Sharing(
        53.75e-12, 82.25e-12, SyncTime(540e-6, 120e-6, 200e-6, 910e-6), 60e-6, 3e-6,
        copied=Copying(850e-6, 590e-12),
    )  # fmt: skip
    assert [state.exit for state in prime.idle_states] == [1461e-6, 6562e-6]
    assert soc.core_names(soc.parse_cores("big")) == "prime:1+gold:3"
    peak = sum(2 * c.count * c.macs_per_cycle["fp32"] * c.max_opp.frequency for c in soc.clusters)
    assert peak == pytest.approx(218.8e9, rel=1e-3)


def test_a_phone_on_its_gpu_draws_what_was_measured(tmp_path: Path) -> None:
    """3.6 to 3.8 W: board, idle cores, GPU, DRAM at 3 GB/s, and a host thread for a tenth of the time."""
    soc = shipped_soc(tmp_path, "snapdragon-855")
    board = load_device("xiaomi-9").board_power
    idle = sum(c.count * c.power.idle for c in soc.clusters)
    gpu = soc.accelerators["gpu"]
    dram = soc.memory.background_power + 3e9 * soc.memory.energy_per_byte
    host = 0.1 * soc.clusters[-1].power.busy(soc.clusters[-1].max_opp)
    assert 3.6 <= board + idle + gpu.power.busy(gpu.max_opp) + dram + host <= 3.8


def test_kirin_990(tmp_path: Path) -> None:
    soc = shipped_soc(tmp_path, "kirin-990")
    assert [(c.name, c.count, len(c.opps)) for c in soc.clusters] == [
        ("little", 4, 13),
        ("middle", 2, 13),
        ("big", 2, 13),
    ]
    assert [(c.max_opp.frequency, c.max_opp.voltage) for c in soc.clusters] == [
        (1863e6, 0.9),
        (2088e6, 0.95),
        (2861e6, 1.05),
    ]
    assert [c.capacity for c in soc.clusters] == [283, 767, 1024]
    gpu = soc.accelerators["gpu"]
    assert len(gpu.opps) == 14
    assert gpu.power.busy(gpu.max_opp) == pytest.approx(2.369, abs=1e-3)
    assert 2 * gpu.macs_per_cycle["fp32"] * gpu.max_opp.frequency == pytest.approx(460.8e9)
    assert gpu.layouts == ("buffer", "image")
    assert [opp.frequency / 1e6 for opp in soc.memory.opps] == [415, 900, 1106, 1370, 1660, 1800, 2133]
    sharing = soc.sharing["gpu"]
    assert 240e-12 <= sharing.map_per_byte + sharing.transform_per_byte <= 270e-12


@pytest.mark.parametrize(
    ("cluster", "points"),
    [
        ("little", [(807, 43), (1268, 74), (1700, 117), (1863, 149)]),
        ("middle", [(826, 103), (1392, 220), (1584, 267), (1786, 322), (2007, 441), (2088, 515)]),
        ("big", [(1536, 346), (2112, 573), (2429, 758), (2736, 989), (2861, 1143)]),
    ],
)
def test_kirin_power_follows_its_firmware(
    tmp_path: Path, cluster: str, points: list[tuple[int, int]]
) -> None:
    """The firmware's energy model at the operating points nearest to its capacities, within 10 %."""
    found = next(c for c in shipped_soc(tmp_path, "kirin-990").clusters if c.name == cluster)
    opps = {round(opp.frequency / 1e6): opp for opp in found.opps}
    for clock, milliwatts in points:
        assert found.power.busy(opps[clock], kernels=False) * 1e3 == pytest.approx(milliwatts, rel=0.10)


def test_the_shipped_devices() -> None:
    assert {"xiaomi-9", "honor-v30-pro"} <= set(device_names())


@pytest.mark.parametrize("name", device_names())
def test_each_shipped_device_loads(name: str) -> None:
    device = load_device(name)
    assert device is load_device(name)
    assert device.name == name
    rows = provenance(name)
    assert sum(device.grades.values()) == len(rows)
    assert {c.library for c in device.calibrations.values()}
    assert all(row.source for row in rows)


def test_every_source_is_attributed() -> None:
    text = (resources.data_dir("device_profiles") / "ATTRIBUTION.md").read_text()
    used = {row.source.partition(":")[0] for name in device_names() for row in provenance(name)}
    ids = {part.strip() for names in used for part in names.split(",")}
    assert {name for name in ids if f"`{name}`" not in text} == set()


# --- what a file does not say -------------------------------------------------------------------------------

SPARSE = """\
title: Sparse
soc: S1
grade: D
source: guess
sources: {guess: nobody}
clusters:
- name: only
  core: cortex-a55
  count: 4
  capacity: 300
  bandwidth: 5 GB/s
  macs_per_cycle: {fp32: 4}
  power: {coefficient: 100 uW/MHz/V^2}
  opps: [{freq: 1 GHz, voltage: 700 mV}]
accelerators:
  npu:
    model: N
    bandwidth: 8 GB/s
    macs_per_cycle: {int8: 1024}
    power: {coefficient: 0 uW/MHz/V^2, idle: 20 mW}
    opps: [{freq: 600 MHz}]
memory: {efficiency: 1, energy_per_byte: 30 pJ/B, opps: [{freq: 1 GHz, bandwidth: 10 GB/s}]}
cpu_bandwidth: 6 GB/s
sharing: {npu: {map_per_byte: 0 s/B, transform_per_byte: 0 s/B, sync: {mean: 1 ms}}}
board_power: 0 W
rails: {all: [cpu.only, npu, dram, board]}
calibration: {mace: {cpu: {fp32: {kernels: {other: {efficiency: 0.25}}}}}}
"""


def test_what_a_file_does_not_say_is_nothing_or_neutral(tmp_path: Path) -> None:
    device = load_device(write(tmp_path, SPARSE, "sparse.yaml"))
    assert device.clusters == (
        Cluster(
            name="only",
            core="cortex-a55",
            count=4,
            opps=(Opp(1e9, 0.7, dram_floor=0.0, l3_floor=0.0),),
            macs_per_cycle={"fp32": 4.0},
            capacity=300.0,
            bandwidth=5e9,
            power=PowerModel(100e-12, leakage=0.0, idle=0.0, activity=1.0),
            idle_states=(),
            transition_latency=0.0,
        ),
    )
    npu = Accelerator(
        name="npu",
        model="N",
        opps=(Opp(600e6, voltage=0.0, dram_floor=0.0, l3_floor=0.0),),
        macs_per_cycle={"int8": 1024.0},
        bandwidth=8e9,
        power=PowerModel(0.0, leakage=0.0, idle=0.02, activity=1.0),
        layouts=("buffer",),
        call_latency=0.0,
        transition_latency=0.0,
    )
    assert dict(device.accelerators) == {"npu": npu}
    memory = Memory((MemoryOpp(1e9, 10e9),), 1.0, 30e-12, background_power=0.0, capacity=0.0)
    assert (device.memory, device.memory.bandwidth) == (memory, 10e9)
    sync = SyncTime(1e-3, sd=0.0, low=1e-3, high=1e-3)
    assert device.sharing["npu"] == Sharing(0.0, 0.0, sync, post_sync=0.0, unmap=0.0, copy_per_byte=0.0)
    assert device.thermal is None
    assert (device.cpu_bandwidth, device.board_power) == (6e9, 0.0)


def test_a_calibration_that_says_little_is_neutral(tmp_path: Path) -> None:
    device = load_device(write(tmp_path, SPARSE, "sparse.yaml"))
    assert device.calibration("mace", "cpu", "fp32") == Calibration(
        library="mace",
        processor="cpu",
        dtype="fp32",
        layout="",
        kernels={"other": KernelRate(0.25, half_work=0.0)},
        bandwidth_share=1.0,
        kernel_overhead=0.0,
        inference_overhead=0.0,
        dispatch=0.0,
        serial_share=0.0,
        fork_join=0.0,
        noise=0.0,
        grade="D",
        source="guess",
    )


def test_defaults_of_descriptions_are_those_of_files() -> None:
    """Made in Python or read from a file, what is not said is the same."""
    assert Opp(1.0) == Opp(1.0, 0.0, 0.0, 0.0)
    assert PowerModel(1.0) == PowerModel(1.0, 0.0, 0.0, 1.0)
    assert KernelRate(0.5) == KernelRate(0.5, 0.0, 0.0, None)
    assert SyncTime(1.0) == SyncTime(1.0, 0.0, 0.0, 0.0)
    assert Sharing(1.0, 2.0, SyncTime(1.0)) == Sharing(1.0, 2.0, SyncTime(1.0), 0.0, 0.0, 0.0)
    assert Memory((), 1.0, 2.0) == Memory((), 1.0, 2.0, 0.0, 0.0)
    plain = Calibration("l", "cpu", "fp32", "", {})
    assert plain == Calibration("l", "cpu", "fp32", "", {}, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "D", "")
    assert plain.key == ("l", "cpu", "fp32", "")


def test_idle_power_of_a_unit_without_voltage_is_all_it_draws(tmp_path: Path) -> None:
    npu = load_device(write(tmp_path, SPARSE, "sparse.yaml")).accelerators["npu"]
    assert npu.power.busy(npu.opps[0]) == 0.0
    assert npu.power.idle == 0.02


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        # An unreadable clock is told once, and no vote is measured against it.
        (
            "{freq: 1 GHz, bandwidth: 10 GB/s}",
            "{freq: 1 Ghz, bandwidth: 10 GB/s}",
            ["memory.opps.0.freq: unknown unit 'Ghz', did you mean 'GHz'?"],
        ),
        (
            "calibration: {mace: {cpu:",
            "calibration: {mace: {tpu:",
            ["calibration.mace.tpu: unknown key 'tpu'"],
        ),
        (
            "sources: {guess: nobody}",
            "sources: {}",
            ["source: source 'guess' is not in the table of sources"],
        ),
        ("source: guess", "source: ''", ["source: source must be a text"]),
        (
            "rails: {all:",
            "rails: {a: [cpu.only], b:",
            ["rails.b.0: component 'cpu.only' is already on rail 'a'"],
        ),
        ("board_power: 0 W", "board_power: 5", ["board_power: the value 5 has no unit"]),
        ("count: 4", "count: true", ["clusters.only.count: should be a valid integer, got True"]),
        (
            "opps: [{freq: 1 GHz, voltage: 700 mV}]",
            "opps: [{freq: 1 GHz}]",
            ["voltage: is required by the power"],
        ),
        ("name: only", "name: Only", ["clusters.Only.name: string should match pattern"]),
    ],
)
def test_faults_of_a_sparse_file(tmp_path: Path, old: str, new: str, lines: list[str]) -> None:
    assert old in SPARSE
    found = complaints(write(tmp_path, SPARSE.replace(old, new), "sparse.yaml"))
    for line in lines:
        assert any(line in complaint for complaint in found)
    assert all(complaint.startswith("sparse.yaml:") for complaint in found)


@pytest.mark.parametrize(
    ("floor", "clock"),
    [("0.976 GHz", 1e9), ("1.0009 GHz", 1e9), ("1.024 GHz", 1e9), ("1.96 GHz", 2e9), ("2.05 GHz", 2e9)],
)
def test_votes_may_name_a_clock_as_another_memory_s(tmp_path: Path, floor: str, clock: float) -> None:
    """One part in forty off is the same operating point."""
    memory = "opps: [{freq: 1 GHz, bandwidth: 10 GB/s}, {freq: 2 GHz, bandwidth: 20 GB/s}]"
    text = SPARSE.replace("opps: [{freq: 1 GHz, bandwidth: 10 GB/s}]", memory)
    text = text.replace("voltage: 700 mV}", f"voltage: 700 mV, dram_floor: {floor}}}")
    device = load_device(write(tmp_path, text, "votes.yaml"))
    assert device.clusters[0].opps[0].dram_floor == clock


def test_exceptions_reach_through_lists_and_yield_to_nearer_statements(tmp_path: Path) -> None:
    """``except`` of the file holds for every voltage below it, and a cluster's own grade for all else."""
    text = SPARSE.replace(
        "source: guess\n", "source: guess\nexcept: {freq: {grade: A}, idle: {grade: B}}\n", 1
    )
    by_path = {row.path: row.grade for row in provenance(write(tmp_path, text, "sparse.yaml"))}
    assert by_path["clusters.0.opps.0.freq"] == by_path["memory.opps.0.freq"] == "A"
    assert by_path["accelerators.npu.power.idle"] == "B"
    assert by_path["clusters.0.opps.0.voltage"] == by_path["board_power"] == "D"


def test_numbers_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = provenance(write(tmp_path, SPARSE, "sparse.yaml"))
    assert [row.path for row in rows][:4] == [
        "clusters.0.count", "clusters.0.capacity", "clusters.0.bandwidth", "clusters.0.macs_per_cycle.fp32",
    ]  # fmt: skip
    assert rows[-1] == ("calibration.mace.cpu.fp32.kernels.other.efficiency", "0.25", "D", "guess")
    assert len({row.path for row in rows}) == len(rows)


# --- the operating system -------------------------------------------------------------------------------------

OS = (
    "os: {latency: 6 ms, min_granularity: 750 us, wakeup_granularity: 1 ms, tick: 4 ms, balance_period: 64 ms, "
    "grade: D, source: 'guess: a try'}\n"
)


def test_a_file_without_settings_of_the_scheduler_has_android_s(tiny: Device) -> None:
    assert tiny.os == CfsParameters(10e-3, 3e-3, 2e-3, 10e-3, 128e-3)


def test_a_file_may_set_the_scheduler(tmp_path: Path) -> None:
    file = write(tmp_path, TINY + OS)
    assert load_device(file).os == CfsParameters(6e-3, 750e-6, 1e-3, 4e-3, 64e-3)
    rows = {row.path: (row.value, row.grade, row.source) for row in provenance(file)}
    assert rows["os.tick"] == ("4 ms", "D", "guess: a try")


def test_a_file_may_set_some_of_it(tmp_path: Path) -> None:
    file = write(tmp_path, TINY + "os: {tick: {value: 1 ms, grade: D, source: 'guess: a try'}}\n")
    assert load_device(file).os == CfsParameters(tick=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("tick: 4 ms", "tick: 0 ms", "os.tick: should be greater than 0"),
        ("latency: 6 ms", "latency: 6", "os.latency: the value 6 has no unit"),
        ("tick: 4 ms", "tick: 250 Hz", "os.tick: '250 Hz' is a frequency, expected a time"),
        ("tick: 4 ms", "hz: 4 ms", "os.hz: unknown key 'hz'"),
    ],
)
def test_faults_of_the_scheduler_s_settings(tmp_path: Path, old: str, new: str, line: str) -> None:
    found = complaints(write(tmp_path, TINY + OS.replace(old, new)))
    assert any(line in complaint for complaint in found), found


@pytest.mark.parametrize(
    ("name", "tick"),
    [("xiaomi-9", ("A", "hz: CONFIG_HZ_100")), ("honor-v30-pro", ("D", "estimate: as in a Snapdragon 855"))],
)
def test_the_scheduler_s_settings_of_the_phones_have_sources(name: str, tick: tuple[str, str]) -> None:
    rows = {row.path: row for row in provenance(name)}
    assert load_device(name).os == CfsParameters()
    assert rows["os.tick"].grade == tick[0]
    assert rows["os.tick"].source.startswith(tick[1])
    grades = {
        key: rows[f"os.{key}"].grade
        for key in ("latency", "wakeup_granularity", "min_granularity", "balance_period")
    }
    assert grades == {
        "latency": "B",
        "wakeup_granularity": "B",
        "min_granularity": "C",
        "balance_period": "D",
    }


def test_a_voltage_may_slip_by_as_much_as_a_published_table_s(tmp_path: Path) -> None:
    """The device tree of an Exynos 5422 has 1250 mV at 1.7 GHz and 1237.5 mV at 1.8 GHz: one part in a hundred."""
    device = load_device(write(tmp_path, TINY.replace("voltage: 0.9 V", "voltage: 693 mV")))
    assert [opp.voltage for opp in device.clusters[0].opps] == [0.7, pytest.approx(0.693)]


def test_slips_of_a_voltage_do_not_add_up(tmp_path: Path) -> None:
    table = "  - {freq: 3 GHz, voltage: 690 mV}\naccelerators:\n"
    text = TINY.replace("voltage: 0.9 V", "voltage: 693 mV").replace("accelerators:\n", table)
    (complaint,) = complaints(write(tmp_path, text))
    assert complaint.startswith("tiny.yaml:20:") and complaint.endswith("got 690 mV after 700 mV")


def test_latencies_and_stalls_load_exactly(tmp_path: Path) -> None:
    text = TINY.replace("transition_latency: 50 us", "transition_latency: 50 us\n  transition_stall: 50 us")
    text = text.replace("call_latency: 5 us", "transition_latency: 1 ms\n    transition_stall: 20 us")
    text = text.replace("capacity: 6 GB", "transition_latency: 8 ms\n  transition_stall: 60 us")
    device = load_device(write(tmp_path, text))
    units = (device.clusters[0], device.accelerators["gpu"], device.memory)
    found = [(unit.transition_latency, unit.transition_stall) for unit in units]
    assert found == [(50e-6, 50e-6), (1e-3, 20e-6), (8e-3, 60e-6)]


@pytest.mark.parametrize("name", ["xiaomi-9", "honor-v30-pro", "jetson-xavier-nx", "odroid-xu4"])
def test_shipped_clocks_take_time_and_say_from_where(name: str) -> None:
    device = load_device(name)
    clocked = [unit for unit in device.accelerators.values() if len(unit.opps) > 1]
    for unit in (*device.clusters, *clocked, device.memory):
        assert 0.0 < unit.transition_stall <= unit.transition_latency
    rows = [row for row in provenance(name) if row.path.endswith("transition_stall")]
    assert {row.grade for row in rows} == {"D"}
    assert all("orin" in row.source for row in rows)


def test_dram_of_the_nx_changes_its_clock_in_8_ms() -> None:
    board = load_device("jetson-xavier-nx")
    assert board.memory.transition_latency == 8e-3
    assert [unit.transition_latency for unit in board.accelerators.values()] == [5e-3]
