"""The run-time description: cores, masks, calibrations, power."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from socsim.devices.device import (
    Accelerator,
    Calibration,
    Cluster,
    Device,
    KernelRate,
    Memory,
    MemoryOpp,
    Opp,
    PowerModel,
    Sharing,
    SyncTime,
)
from socsim.devices.profile import load_device
from socsim.errors import UnknownNameError, UsageError

# fmt: off
MEASURED = {
    "silver": (
        (300, 600, 52.4), (403.2, 600, 57.2), (499.2, 600, 72.7), (576, 600, 82.8),
        (672, 600, 64.6), (768, 620, 72.3), (844.8, 632, 77.4), (940.8, 648, 83.5),
        (1036.8, 668, 90.5), (1113.6, 680, 95.6), (1209.6, 700, 101.6), (1305.6, 720, 110.1),
        (1382.4, 736, 113.7), (1478.4, 756, 120.2), (1555.2, 756, 126.1), (1632, 776, 131.5),
        (1708.8, 800, 137), (1785.6, 816, 145.6),
    ),
    "gold": (
        (710.4, 756, 125.8), (825.6, 756, 206.4), (940.8, 756, 227), (1056, 756, 249.1),
        (1171.2, 756, 261.3), (1286.4, 756, 289.1), (1401.6, 756, 310.8), (1497.6, 776, 335.6),
        (1612.8, 804, 374.7), (1708.8, 824, 397.7), (1804.8, 844, 455.6), (1920, 860, 506.7),
        (2016, 888, 557.6), (2131.2, 920, 632), (2227.2, 944, 698.2), (2323.2, 972, 717.5),
        (2419.2, 1000, 845.2),
    ),
    "prime": (
        (825.6, 756, 158.1), (940.8, 756, 268.8), (1056, 756, 291.1), (1171.2, 756, 316.1),
        (1286.4, 756, 338.3), (1401.6, 756, 364.8), (1497.6, 756, 383.3), (1612.8, 756, 405.8),
        (1708.8, 756, 427.2), (1804.8, 772, 446), (1920, 792, 497.7), (2016, 808, 512.7),
        (2131.2, 828, 599.3), (2227.2, 840, 622), (2323.2, 860, 703.8), (2419.2, 884, 737.9),
        (2534.4, 912, 824.4), (2649.6, 936, 882.1), (2745.6, 960, 1003.4), (2841.6, 984, 1091.6),
    ),
}
"""Clock in MHz, supply in mV and power in mW above the idle phone: one core running CoreMark on a ZenFone 6
(kdrag0n/freqbench, results/sm8150/main)."""
# fmt: on


def cluster(name: str, count: int, clock: float, rate: float) -> Cluster:
    opps = (Opp(clock / 2, 0.6), Opp(clock, 0.8))
    power = PowerModel(coefficient=1e-10, leakage=0.05, idle=0.01, activity=1.5)
    return Cluster(name, f"core-{name}", count, opps, {"fp32": rate}, 100.0, 5e9, power)


def calibration(processor: str, layout: str) -> Calibration:
    return Calibration("mace", processor, "fp32", layout, {"other": KernelRate(0.1)})


@pytest.fixture
def device() -> Device:
    """Two little cores (0, 1), three middle ones (2, 3, 4), one big one (5); a GPU with two layouts."""
    gpu = Accelerator(
        "gpu", "G", (Opp(5e8, 0.7),), {"fp32": 512}, 2e10, PowerModel(1e-9), ("buffer", "image")
    )
    calibrations = [calibration("cpu", ""), calibration("gpu", "image"), calibration("gpu", "buffer")]
    return Device(
        name="toy",
        title="Toy",
        soc="Toy 1",
        clusters=(cluster("little", 2, 1e9, 4), cluster("middle", 3, 2e9, 8), cluster("big", 1, 3e9, 8)),
        accelerators={"gpu": gpu},
        memory=Memory((MemoryOpp(1e9, 16e9), MemoryOpp(2e9, 32e9)), 0.75, 3e-11),
        sharing={"gpu": Sharing(5e-11, 8e-11, SyncTime(5e-4))},
        cpu_bandwidth=2e10,
        board_power=1.0,
        rails={"battery": ("cpu.little", "cpu.middle", "cpu.big", "gpu", "dram", "board")},
        calibrations={c.key: c for c in calibrations},
    )


def test_cores_are_numbered_through_the_clusters(device: Device) -> None:
    assert [c.name for c in device.cores] == ["little", "little", "middle", "middle", "middle", "big"]
    assert device.cluster_cores("middle") == range(2, 5)
    assert device.fastest_core == 5
    assert device.processors == ("cpu", "gpu")
    assert device.clusters[0].max_opp == Opp(1e9, 0.8)
    assert device.accelerators["gpu"].max_opp.frequency == 5e8
    assert device.clusters[0].peak("fp32") == device.clusters[0].macs_per_cycle["fp32"] * 1e9
    assert device.memory.bandwidth == 24e9


@pytest.mark.parametrize(
    ("mask", "cores"),
    [
        ("all", (5, 2, 3, 4, 0, 1)),
        ("big", (5, 2, 3, 4)),
        ("little", (0, 1)),
        ("middle", (2, 3, 4)),
        ("middle:2", (2, 3)),
        ("big:1+middle:3", (5, 2, 3, 4)),
        ("little:1 + big", (5, 0)),
    ],
)
def test_masks_give_cores_fastest_first(device: Device, mask: str, cores: tuple[int, ...]) -> None:
    assert device.parse_cores(mask) == cores


@pytest.mark.parametrize("mask", ["big:1+middle:2", "middle:3", "little:2", "big:1+middle:3+little:2"])
def test_core_names_read_back(device: Device, mask: str) -> None:
    assert device.core_names(device.parse_cores(mask)) == mask


def test_wrong_masks_are_refused(device: Device) -> None:
    with pytest.raises(UnknownNameError, match="unknown cluster 'midle'; did you mean 'middle'"):
        device.parse_cores("midle:1")
    with pytest.raises(UsageError, match="cluster 'middle' has 3 cores, got '4'"):
        device.parse_cores("middle:4")
    with pytest.raises(UsageError, match="cluster 'big' has 1 core, got '0'"):
        device.parse_cores("big:0")
    with pytest.raises(UsageError, match="cluster 'middle' has 3 cores, got '²'"):
        device.parse_cores("middle:²")
    with pytest.raises(UsageError, match="cluster 'middle' has 3 cores, got '٢'"):
        device.parse_cores("middle:٢")
    with pytest.raises(UsageError, match="name a cluster twice"):
        device.parse_cores("middle:1+middle:2")
    with pytest.raises(UnknownNameError, match="unknown cluster 'al'; did you mean 'all'"):
        device.parse_cores("al")
    with pytest.raises(UnknownNameError, match="unknown cluster 'all'; known: big, little, middle"):
        device.parse_cores("all:1")
    with pytest.raises(UnknownNameError, match="unknown cluster ''"):
        device.parse_cores("")


def test_a_phone_with_one_cluster_has_it_big_and_little(device: Device) -> None:
    board = replace(device, clusters=device.clusters[:1])
    assert board.parse_cores("big") == board.parse_cores("little") == (0, 1)


def test_calibrations_by_key(device: Device) -> None:
    assert device.calibration("mace", "cpu", "fp32").key == ("mace", "cpu", "fp32", "")
    assert device.calibration("mace", "gpu", "fp32", "image").layout == "image"
    message = (
        "unknown calibration of device 'toy' for 'mace/gpu/fp16/image'; did you mean 'mace/gpu/fp32/image'"
    )
    with pytest.raises(UnknownNameError, match=message):
        device.calibration("mace", "gpu", "fp16", "image")


def test_layouts_come_in_the_accelerators_order(device: Device) -> None:
    assert device.layouts("mace", "gpu", "fp32") == ("buffer", "image")
    assert device.layouts("mace", "cpu", "fp32") == ("",)
    assert device.layouts("mace", "cpu", "fp16") == ()
    assert device.layouts("other", "gpu", "fp32") == ()


def test_descriptions_are_frozen(device: Device) -> None:
    with pytest.raises(FrozenInstanceError):
        device.board_power = 2.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        device.clusters[0].opps[0].frequency = 1.0  # type: ignore[misc]


def test_power_by_hand() -> None:
    power = PowerModel(coefficient=2e-10, leakage=0.1, idle=0.005, activity=1.5)
    opp = Opp(1e9, 0.5)
    assert power.busy(opp, kernels=False) == pytest.approx(0.05 + 0.05)
    assert power.busy(opp) == pytest.approx(0.075 + 0.05)


@pytest.fixture(scope="module")
def snapdragon(tmp_path_factory: pytest.TempPathFactory) -> Device:
    path: Path = tmp_path_factory.mktemp("profiles") / "phone.yaml"
    path.write_text(
        "title: Phone\nextends: socs/snapdragon-855\nboard_power: {value: 1 W, grade: D, source: estimate}\n"
    )
    return load_device(path)


@pytest.mark.parametrize("name", MEASURED)
def test_power_model_follows_the_measured_points(snapdragon: Device, name: str) -> None:
    """Mean error of at most 10 % over all points, and of at most 10 % at the fastest."""
    found = next(c for c in snapdragon.clusters if c.name == name)
    assert [(o.frequency / 1e6, o.voltage * 1e3) for o in found.opps] == [
        pytest.approx((clock, supply)) for clock, supply, _ in MEASURED[name]
    ]
    errors = [
        abs(found.power.busy(opp, kernels=False) * 1e3 - measured) / measured
        for opp, (_, _, measured) in zip(found.opps, MEASURED[name], strict=True)
    ]
    assert sum(errors) / len(errors) <= 0.10
    assert errors[-1] <= 0.10
