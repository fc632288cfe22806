"""Starting profiles from specifications: what they take from where, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import pytest
from clikit import Cli, calling, cells
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.devices.crosscheck import RESERVED
from socsim.devices.device import Calibration, Device, KernelRate
from socsim.devices.profile import device_names, load_device, provenance
from socsim.errors import FileError, UnknownNameError, UsageError
from socsim.newdevice import new_device, rates_for, read_specification, specification
from socsim.newdevice.cores import CORES, core_named, distance
from socsim.newdevice.donors import calibrated_devices, core_of, fastest
from socsim.newdevice.gpus import Family, family_of, known_models, lanes_of, model_title
from socsim.newdevice.writing import calibration_block, kernels_text

CPU = ("cortex-a76:2.84GHz:1", "cortex-a55:1.8GHz:4")
GPU, MEMORY = "adreno-640:585MHz", "lpddr4x:34GB/s"


def made(
    tmp_path: Path, *cpu: str, gpu: str = "", memory: str = MEMORY, exclude: tuple[str, ...] = ()
) -> Device:
    path = tmp_path / "made.yaml"
    path.write_text(new_device(specification("Made", cpu or CPU, gpu, memory), exclude).text)
    return load_device(path)


# --- tables ---------------------------------------------------------------------------------------------------


def test_every_core_that_ships_is_known() -> None:
    """With the peaks that the table has, but where a device's own cores were measured."""
    for name in device_names():
        for cluster in load_device(name).clusters:
            core = CORES[cluster.core]
            for dtype, rate in cluster.macs_per_cycle.items():
                assert rate == pytest.approx(core.macs_per_cycle[dtype], rel=0.51), (name, dtype)


def test_cores_have_what_their_instructions_allow() -> None:
    for core in CORES.values():
        assert core.int8 in {2 * core.fp32, 4 * core.fp32}
        assert core.fp16 in {0, 2 * core.fp32}
    assert "fp16" not in core_named("cortex-a53").macs_per_cycle
    assert core_named(" Cortex-A76 ").macs_per_cycle == {"fp32": 8, "fp16": 16, "int8": 32}


@given(st.sampled_from(sorted(CORES)), st.sampled_from(sorted(CORES)))
def test_distance_is_symmetric_and_nothing_to_oneself(one: str, other: str) -> None:
    a, b = CORES[one], CORES[other]
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (one == other)
    assert (distance(a, b) < 5) == ("in order" not in {a.kind, b.kind} or a.kind == b.kind)


@pytest.mark.parametrize(
    ("core", "nearest", "farther"),
    [
        ("cortex-a77", "cortex-a76", "cortex-a73"),
        ("cortex-a53", "cortex-a55", "cortex-a72"),
        ("cortex-a72", "cortex-a73", "cortex-a76"),
        ("cortex-x1", "cortex-x2", "cortex-a78"),
        ("exynos-m4", "exynos-m5", "cortex-a76"),
    ],
)
def test_what_is_nearer(core: str, nearest: str, farther: str) -> None:
    assert distance(CORES[core], CORES[nearest]) < distance(CORES[core], CORES[farther])


def test_an_unknown_core_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown core 'cortex-a761'; did you mean 'cortex-a76'\?"):
        core_named("cortex-a761")


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("Adreno 640", Family("adreno", "6")),
        ("adreno-740", Family("adreno", "7")),
        ("Mali-G76 MP12", Family("mali", "bifrost")),
        ("Mali-G610 MP4", Family("mali", "valhall")),
        ("Mali-G78 MP14", Family("mali", "valhall")),
        ("Mali-T860 MP4", Family("mali", "midgard")),
        ("PowerVR GE8320", Family("powervr", "rogue")),
        ("Volta GV11B", Family("nvidia", "volta")),
        ("Hexagon 690", Family("hexagon", "")),
        ("Pixel Neural Core", Family("pixel", "")),
    ],
)
def test_families(model: str, family: Family) -> None:
    assert family_of(model) == family


def test_widths_are_those_of_the_profiles() -> None:
    """By the models' names; the GPU of the Jetson AGX Xavier is a wider one of the same name."""
    for name in set(device_names()) - {"jetson-agx-xavier"}:
        gpu = load_device(name).accelerators.get("gpu")
        if gpu is not None:
            model = gpu.model.lower().replace(" ", "-")
            assert lanes_of(model) == pytest.approx(gpu.macs_per_cycle["fp32"], rel=0.01), name


@pytest.mark.parametrize(
    ("model", "title"),
    [("adreno-640", "Adreno 640"), ("mali-g76-mp12", "Mali-G76 MP12"), ("powervr-ge8320", "PowerVR GE8320")],
)
def test_models_have_titles(model: str, title: str) -> None:
    assert model_title(model) == title
    assert lanes_of(model) > 0


def test_all_known_models_have_a_width() -> None:
    assert all(lanes_of(model) > 0 for model in known_models())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("adreno-641", "unknown GPU 'adreno-641'; did you mean 'adreno-64"),
        ("mali-g76", "needs its number of cores, such as 'mali-g76-mp4'"),
        ("mali-g76-mp0", "unknown GPU 'mali-g76-mp0'"),
    ],
)
def test_unknown_models_are_refused(model: str, message: str) -> None:
    with pytest.raises((UnknownNameError, UsageError)) as raised:
        lanes_of(model)
    assert message in str(raised.value)


# --- specifications -------------------------------------------------------------------------------------------


def test_a_specification_in_short() -> None:
    spec = specification("P", CPU, GPU, MEMORY)
    assert [(name, g.core, g.clock, g.count) for name, g in spec.named] == [
        ("little", "cortex-a55", 1.8e9, 4),
        ("big", "cortex-a76", 2.84e9, 1),
    ]
    assert spec.gpu is not None
    assert (spec.gpu.lanes, spec.gpu.clock) == (768, 585e6)
    assert (spec.memory.kind, spec.memory.bandwidth) == ("lpddr4x", 34e9)


def test_names_of_groups() -> None:
    """From the slowest core to the fastest; a slow big core is still faster than a fast small one."""
    one = specification("P", ["cortex-a72:1.5GHz:4"], "", MEMORY)
    assert [name for name, _ in one.named] == ["cores"]
    three = specification("P", ["cortex-a76:2.8GHz", "cortex-a55:2.8GHz:4", "cortex-a76:2GHz:3"], "", MEMORY)
    assert [(name, g.clock) for name, g in three.named] == [
        ("little", 2.8e9),
        ("middle", 2e9),
        ("big", 2.8e9),
    ]
    four = specification("P", [f"cortex-a76:{c}GHz:1" for c in (1, 2, 3, 4)], "", MEMORY)
    assert [name for name, _ in four.named] == ["cluster0", "cluster1", "cluster2", "cluster3"]


@pytest.mark.parametrize(
    ("cpu", "gpu", "memory", "message"),
    [
        ((), "", MEMORY, "a device has CPU cores"),
        (CPU, "", "", "a device has memory"),
        (("cortex-a76",), "", MEMORY, "has 1 part; expected core:clock:count"),
        (("cortex-a76:2GHz:1:1",), "", MEMORY, "has 4 parts"),
        (("cortex-a76::1",), "", MEMORY, "expected core:clock:count"),
        (
            ("cortex-a761:2GHz:1",),
            "",
            MEMORY,
            "cpu.0.core: unknown core 'cortex-a761'; did you mean 'cortex-a76'?",
        ),
        (("cortex-a76:2:1",), "", MEMORY, "cpu.0.clock: '2' has no unit"),
        (("cortex-a76:20GHz:1",), "", MEMORY, "expected 50 MHz to 8 GHz, got 20GHz"),
        (("cortex-a76:2GHz:0",), "", MEMORY, "expected 1 to 64 cores, got 0"),
        (("cortex-a76:2GHz:x",), "", MEMORY, "expected 1 to 64 cores, got x"),
        (CPU, "adreno-641:585MHz", MEMORY, "gpu.model: unknown GPU 'adreno-641'"),
        (CPU, "adreno-640", MEMORY, "GPU 'adreno-640' has 1 part"),
        (CPU, GPU, "lpddr9:34GB/s", "unknown kind of memory 'lpddr9'; known: ddr3"),
        (CPU, GPU, "lpddr4x:34GHz", "is a frequency, expected a bandwidth"),
        (CPU, GPU, "lpddr4x:1MB/s", "expected 500 MB/s to 2000 GB/s"),
    ],
)
def test_faults_of_short_specifications(cpu: tuple[str, ...], gpu: str, memory: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        specification("P", cpu, gpu, memory)
    assert message in str(raised.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        specification("P", ["cortex-a761:2GHz:1", "cortex-a76:2:1"], "", MEMORY)
    assert "cpu.0.core" in str(raised.value)
    assert "cpu.1.clock" in str(raised.value)


SPEC = """\
title: My phone
soc: S9
cpu:
- {core: cortex-a78, clock: 2.4 GHz, count: 4, name: fast}
- {core: cortex-a55, clock: 2 GHz, count: 4}
gpu: {model: mali-g57-mp3, clock: 950 MHz}
memory: {kind: lpddr4x, bandwidth: 17 GB/s}
"""


def test_a_specification_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    spec = read_specification(path)
    assert (spec.title, spec.soc, [name for name, _ in spec.named]) == ("My phone", "S9", ["little", "fast"])


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("cortex-a78", "cortex-a88", "4:10", "unknown core 'cortex-a88'"),
        ("2.4 GHz", "2.4", "4:29", "has no unit"),
        ("mali-g57-mp3", "mali-g57", "6:14", "needs its number of cores"),
        ("kind: lpddr4x", "kind: sram", "7:16", "unknown kind of memory 'sram'"),
        ("name: fast", "name: little", "4:54", "two groups are called 'little'"),
        ("name: fast", "speed: fast", "4:48", "unknown key 'speed'"),
    ],
)
def test_faults_of_a_file_have_their_places(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace(old, new))
    with pytest.raises(FileError) as raised:
        read_specification(path)
    assert message in str(raised.value)
    assert f"spec.yaml:{place}:" in str(raised.value)


# --- profiles -------------------------------------------------------------------------------------------------


def test_a_profile_has_what_was_told(tmp_path: Path) -> None:
    device = made(tmp_path, gpu=GPU)
    assert [(c.name, c.core, c.count, c.max_opp.frequency) for c in device.clusters] == [
        ("little", "cortex-a55", 4, 1.8e9),
        ("big", "cortex-a76", 1, 2.84e9),
    ]
    gpu = device.accelerators["gpu"]
    assert (gpu.model, gpu.max_opp.frequency, dict(gpu.macs_per_cycle)) == (
        "Adreno 640", 585e6, {"fp32": 768, "fp16": 1536},
    )  # fmt: skip
    assert device.memory.opps[-1].bandwidth == pytest.approx(34e9)
    assert device.clusters[0].capacity == round(1024 * 3.71 * 1.8 / (7.79 * 2.84))
    assert device.clusters[1].capacity == 1024


def test_what_was_not_told_is_the_nearest_s_and_an_estimate(tmp_path: Path) -> None:
    device = made(tmp_path, gpu=GPU)
    phone = load_device("xiaomi-9")
    prime, big = phone.clusters[-1], device.clusters[-1]
    assert big.power == prime.power
    assert [o.voltage for o in big.opps] == [o.voltage for o in prime.opps]
    stretch = 2.84 / 2.8416
    assert [o.frequency for o in big.opps] == pytest.approx(
        [o.frequency * stretch for o in prime.opps], rel=1e-4
    )
    rows = provenance(tmp_path / "made.yaml")
    told = {row.path for row in rows if row.grade == "A"}
    last = [len(c.opps) - 1 for c in device.clusters]
    assert told == {
        "clusters.0.count", f"clusters.0.opps.{last[0]}.freq", "clusters.1.count",
        f"clusters.1.opps.{last[1]}.freq", "accelerators.gpu.opps.4.freq",
    }  # fmt: skip
    assert {row.grade for row in rows} == {"A", "D"}
    assert device.sharing["gpu"] == phone.sharing["gpu"]
    assert device.sharing["gpu"].copied is not None


def test_it_runs(tmp_path: Path) -> None:
    device = made(tmp_path, gpu=GPU)
    for library, scheduler in (("mace", "cpu"), ("tflite", "gpu"), ("ncnn", "cpu")):
        app = socsim.Inference("mobilenet_v1", library=library, scheduler=scheduler, count=1)
        assert 1 < socsim.simulate(device, [app]).metrics()["latency_ms_mean"] < 200


def test_a_profile_without_a_gpu_has_none(tmp_path: Path) -> None:
    device = made(tmp_path, "cortex-a72:1.5GHz:4", memory="lpddr4:12.8GB/s")
    assert not device.accelerators
    assert {key[1] for key in device.calibrations} == {"cpu"}


def test_data_types_that_a_core_lacks_are_left_out(tmp_path: Path) -> None:
    """No fp16 on a Cortex-A53, not even beside cores that have it."""
    device = made(tmp_path, "cortex-a76:2GHz:4", "cortex-a53:2GHz:4")
    assert {key[2] for key in device.calibrations if key[1] == "cpu"} == {"fp32", "int8"}


@pytest.mark.parametrize("core", sorted(CORES))
def test_every_core_makes_a_profile(tmp_path: Path, core: str) -> None:
    assert made(tmp_path, f"{core}:2GHz:4").clusters[0].core == core


@pytest.mark.parametrize("model", [*known_models(), "adreno-618"])
def test_every_gpu_makes_a_profile(tmp_path: Path, model: str) -> None:
    width = ":256" if model == "adreno-618" else ""
    device = made(tmp_path, gpu=f"{model}:600MHz{width}")
    gpu = device.accelerators["gpu"]
    assert gpu.peak("fp32") == pytest.approx((256 if width else lanes_of(model)) * 600e6)
    assert gpu.bandwidth <= device.memory.bandwidth * (1 + 1e-9)


# --- rates ----------------------------------------------------------------------------------------------------


def found(device: Device, exclude: tuple[str, ...] = ()) -> dict[tuple[str, ...], tuple[str, str]]:
    return {rate.calibration.key: (rate.origin, rate.near) for rate in rates_for(device, exclude)}


def test_rates_of_the_same_cores_are_taken_as_they_are(tmp_path: Path) -> None:
    """As shares of the peak; fixed times grow as the cores' clock falls."""
    phone = load_device("xiaomi-9")
    device = made(tmp_path, "cortex-a76:1.4208GHz:1", "cortex-a76:1.2GHz:3", "cortex-a55:0.9GHz:4", gpu=GPU)
    old, new = (d.calibrations["mace", "cpu", "fp32", ""] for d in (phone, device))
    assert {n: k.efficiency for n, k in new.kernels.items()} == {
        n: k.efficiency for n, k in old.kernels.items()
    }
    assert new.kernel_overhead == pytest.approx(2 * old.kernel_overhead, rel=1e-3)
    assert new.fork_join == pytest.approx(2 * old.fork_join, rel=1e-3)
    assert (new.grade, new.noise, new.serial_share) == ("D", old.noise, old.serial_share)


def test_a_gpu_half_as_wide_fills_twice_as_fast(tmp_path: Path) -> None:
    phone = load_device("xiaomi-9")
    device = made(tmp_path, *CPU, "cortex-a76:2.4GHz:3", gpu="adreno-618:585MHz:384")
    old, new = (d.calibrations["tflite", "gpu", "fp16", "image"] for d in (phone, device))
    for name, rate in old.kernels.items():
        assert new.kernels[name].efficiency == pytest.approx(rate.efficiency, rel=1e-3)
        assert new.kernels[name].half_work == pytest.approx(rate.half_work / 2, rel=1e-3)
    assert new.dispatch == pytest.approx(old.dispatch * 2.8416 / 2.84, rel=1e-3)


def test_the_nearest_is_taken() -> None:
    snapdragon = found(load_device("redmi-k30-pro"), ("redmi-k30-pro",))
    assert snapdragon["tflite", "gpu", "fp16", "image"] in {("pixel-4", "same"), ("xiaomi-9", "same")}
    mali = found(load_device("p30"), ("p30",))
    assert mali["mace", "gpu", "fp32", "buffer"] == ("honor-v30-pro", "same")


def test_nothing_is_taken_from_what_is_excluded() -> None:
    device = load_device("xiaomi-9")
    others = found(device, ("xiaomi-9", "pixel-4"))
    assert {origin for origin, _ in others.values()}.isdisjoint({"xiaomi-9", "pixel-4"})
    assert ("mace", "cpu", "fp32", "") in others


def test_nothing_is_taken_from_what_was_taken() -> None:
    """Only devices of which something was measured give, and none hands on what it was given."""
    names = {device.name for device in calibrated_devices()}
    assert "xiaomi-9" in names
    for device in map(load_device, device_names()):
        for rate in rates_for(device, (device.name,)):
            assert rate.origin in names
            source = load_device(rate.origin).calibrations
            assert not any(
                c.source.startswith("family") for c in source.values() if c.key == rate.calibration.key
            )


def test_libraries_of_nvidia_and_of_others_stay_apart(tmp_path: Path) -> None:
    adreno = {key[0] for key in made(tmp_path, gpu=GPU).calibrations if key[1] == "gpu"}
    assert adreno.isdisjoint({"tensorrt", "pytorch_eager"})
    orin = {key[0] for key in found(load_device("jetson-orin"), ("jetson-orin",)) if key[1] == "gpu"}
    assert orin.isdisjoint({"mace"})
    assert "tensorrt" in orin


def test_uncertainty_grows_with_distance(tmp_path: Path) -> None:
    """The same core, one that issues alike, one that does not."""
    factors = []
    for core in ("cortex-a76", "cortex-a73", "cortex-a53"):
        device = made(tmp_path, f"{core}:2GHz:4")
        sets = rates_for(device, ("raspberry-pi-4", "rk3399", "galaxy-a03s", "mt8183-chromebook"))
        factors.append(next(r.factor for r in sets if r.calibration.key == ("mace", "cpu", "fp32", "")))
    assert factors == sorted(factors)
    assert factors[0] < factors[1] < factors[2]


def test_an_estimate_is_less_certain_than_a_measurement() -> None:
    rates = {r.calibration.key: r for r in rates_for(load_device("oneplus-7t"), ("oneplus-7t",))}
    assert rates["mace", "cpu", "int8", ""].factor == pytest.approx(
        1.5 * rates["mace", "cpu", "fp32", ""].factor
    )


def test_unknown_core_types_count_by_their_capacity(tmp_path: Path) -> None:
    from clikit import DEVICE

    path = tmp_path / "odd.yaml"
    path.write_text(DEVICE.replace("cortex-a76", "own-core"))
    cluster = fastest(load_device(path))
    core = core_of(cluster)
    assert (core.kind, core.coremark, core.fp32, core.fp16, core.int8) == ("own", 8.0, 8, 0, 32)


# --- text -----------------------------------------------------------------------------------------------------


def test_what_is_written_is_what_was_found(tmp_path: Path) -> None:
    """All numbers survive, to four digits."""
    device = load_device("xiaomi-9")
    sets = rates_for(device)
    base = tmp_path / "base.yaml"
    base.write_text(kernels_text("Kernels.", sets))
    whole = tmp_path / "whole.yaml"
    whole.write_text(
        "title: T\nextends: [socs/snapdragon-855, base]\nboard_power: {value: 1 W, grade: D, source: estimate}\n"
    )
    read = load_device(whole)
    assert set(read.calibrations) == {s.calibration.key for s in sets}
    for one in sets:
        alike(read.calibrations[one.calibration.key], one.calibration)


def alike(read: Calibration, written: Calibration) -> None:
    for name in ("bandwidth_share", "kernel_overhead", "inference_overhead", "dispatch", "serial_share",
                 "fork_join", "noise", "host_overhead"):  # fmt: skip
        assert getattr(read, name) == pytest.approx(getattr(written, name), rel=1e-3), name
    for name, rate in written.kernels.items():
        assert read.kernels[name] == close(rate), name


def close(rate: KernelRate) -> KernelRate:
    values = {field.name: getattr(rate, field.name) for field in fields(rate)}
    return KernelRate(
        **{name: None if value is None else float(f"{value:.4g}") for name, value in values.items()}
    )


def test_sources_tell_origin_and_factor() -> None:
    block = calibration_block(rates_for(load_device("galaxy-s10"), ("galaxy-s10",)))
    told = block["mace"]["gpu"]["fp32"]["buffer"]["source"]
    assert (
        told
        == "family: honor-v30-pro, Mali-G76 MP16 for Mali-G76 MP12, nine of ten latencies within a factor of 1.5"
    )


def test_the_same_specification_gives_the_same_text() -> None:
    spec = specification("P", CPU, GPU, MEMORY)
    assert new_device(spec).text == new_device(spec).text


# --- command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return calling(capsys)


def test_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "phone.yaml"
    options = [word for group in CPU for word in ("--cpu", group)]
    code, text, err = cli("new-device", *options, "--gpu", GPU, "--memory", MEMORY, "-o", out)
    assert (code, err) == (0, "")
    shown = cells(text)
    assert ["cpu.big", "cortex-a76", "pixel-4, prime"] in shown
    assert shown[0] == ["what was not told of the hardware"]
    assert any(line[:3] == ["mace", "cpu", "fp32"] and line[-1] == "2.2" for line in shown)
    assert f"wrote {out}" in text
    assert load_device(out).title == "phone"
    assert cli("check", out)[0] == 0


def test_from_a_file_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    spec, out = tmp_path / "spec.yaml", tmp_path / "phone.yaml"
    spec.write_text(SPEC)
    code, _, err = cli("new-device", spec, "-o", out, "-x", "rk3588")
    assert (code, err) == (0, "")
    assert load_device(out).soc == "S9"
    assert "rk3588" not in out.read_text()


def without(kept: str = "") -> list[str]:
    """Options that exclude all devices, or all but one."""
    return [option for name in device_names() if name != kept for option in ("-x", name)]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--cpu", "cortex-a79:2GHz:1", "--memory", MEMORY), "unknown core 'cortex-a79'; did you mean"),
        (
            ("spec.yaml", "--cpu", CPU[0]),
            "give either a file or --cpu, --gpu, --memory and --title, not both",
        ),
        (("none.yaml",), "none.yaml"),
        (
            ("--cpu", CPU[0], "--memory", MEMORY, "-x", "pixel-44"),
            "unknown device 'pixel-44'; did you mean 'pixel-4'?",
        ),
        ((), "a device has CPU cores"),
        (("spec.yaml", "--title", "T"), "give either a file or --cpu, --gpu, --memory and --title, not both"),
        (
            ("--cpu", CPU[0], "--memory", MEMORY, "--gpu", "own:500MHz:-3"),
            "gpu.macs_per_cycle: should be greater than 0, got '-3'",
        ),
        (
            ("--cpu", CPU[0], "--memory", MEMORY, *without()),
            "nothing is left that what is not told of the cores could be taken from; exclude fewer devices",
        ),
        (
            ("--cpu", CPU[0], "--memory", MEMORY, "--gpu", GPU, *without("raspberry-pi-4")),
            "nothing is left that what is not told of the GPU could be taken from; exclude fewer devices",
        ),
    ],
)
def test_refusals_on_the_command_line(cli: Cli, tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    out = tmp_path / "phone.yaml"
    code, text, err = cli("new-device", *args, "-o", out)
    assert (code, text) == (2, "")
    assert message in err
    assert not out.exists()


def test_an_output_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli(
        "new-device", "--cpu", CPU[0], "--memory", MEMORY, "-o", tmp_path / "no" / "phone.yaml"
    )
    assert code == 2
    assert "there is no folder" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("phone.txt", "a device file ends in .yaml"),
        ("phone", "a device file ends in .yaml"),
        ("taken.yaml", "it is a directory"),
        ("spec.yaml", "is what the device would be made of"),
    ],
)
def test_outputs_that_no_device_is_loaded_from(cli: Cli, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "taken.yaml").mkdir()
    (tmp_path / "spec.yaml").write_text(SPEC)
    code, _, err = cli("new-device", tmp_path / "spec.yaml", "-o", tmp_path / name)
    assert code == 2
    assert message in err
    assert (tmp_path / "spec.yaml").read_text() == SPEC


def test_an_output_that_the_system_refuses(cli: Cli) -> None:
    code, _, err = cli("new-device", "--cpu", CPU[0], "--memory", MEMORY, "-o", "/proc/phone.yaml")
    assert code == 2
    assert "cannot write '/proc/phone.yaml'" in err


@pytest.mark.parametrize("name", RESERVED)
def test_cores_are_not_called_what_means_something_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("name: fast", f"name: {name}"))
    with pytest.raises(FileError, match=f"'{name}' means something else; call the cores by what they are"):
        read_specification(path)


# --- how good it is -------------------------------------------------------------------------------------------


def test_a_phone_from_its_specification_alone(tmp_path: Path) -> None:
    """The Xiaomi 9 as if it and its sisters had not been measured, MACE on its CPU: within the factor that is told."""
    cpu = ("cortex-a76:2.8416GHz:1", "cortex-a76:2.4192GHz:3", "cortex-a55:1.7856GHz:4")
    sisters = ("xiaomi-9", "pixel-4", "oneplus-7t")
    spec = specification("P", cpu, GPU, "lpddr4x:34.128GB/s")
    guessed = made(tmp_path, *cpu, gpu=GPU, memory="lpddr4x:34.128GB/s", exclude=sisters)
    factor = next(
        r.factor for r in new_device(spec, sisters).rates if r.calibration.key == ("mace", "cpu", "fp32", "")
    )
    for model in ("resnet50", "vgg16", "mobilenet_v1"):
        times = []
        for device in (guessed, load_device("xiaomi-9")):
            app = socsim.Inference(model, library="mace", scheduler="cpu", count=1)
            times.append(socsim.simulate(device, [app]).metrics()["latency_ms_mean"])
        assert abs(math.log(times[0] / times[1])) < math.log(factor), model
