"""The boards that come with socsim, held against what was measured on them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from eager import (
    LEVELS,
    MEASURED_MS,
    MMACS,
    OPERATORS,
    SLOWER_MS,
    sub_network,
)
from test_calibration_anchors import network_on_cpu
from test_device_profiles import complaints

import socsim
from socsim import resources
from socsim.devices.device import Device, Opp
from socsim.devices.profile import load_device, provenance

NX = "jetson-xavier-nx"


def nx(mode: str) -> Device:
    return load_device(f"{NX}(mode={mode})")


@cache
def latency(level: int, mode: str, scheduler: str = "gpu") -> float:
    """ms of one sub-network in PyTorch."""
    app = socsim.Inference(sub_network(level), library="pytorch_eager", scheduler=scheduler, count=2)
    return float(socsim.simulate(nx(mode), [app]).summary()["latency_ms_mean"].iloc[0])


# --- Jetson Xavier NX: hardware -----------------------------------------------------------------------------


def test_clocks_of_the_nx() -> None:
    whole = load_device(NX).in_mode("")
    assert [(c.name, c.count, len(c.opps)) for c in whole.clusters] == [
        ("carmel0", 2, 25), ("carmel1", 2, 25), ("carmel2", 2, 25)
    ]  # fmt: skip
    clocks = [round(opp.frequency / 1e5) for opp in whole.clusters[0].opps]
    assert clocks == [1152 + 768 * n for n in range(24)] + [19072]
    gpu = whole.accelerators["gpu"]
    assert len(gpu.opps) == 15
    assert [opp.frequency / 1e6 for opp in (gpu.opps[0], gpu.opps[8], gpu.max_opp)] == [
        114.75,
        803.25,
        1109.25,
    ]
    assert 2 * gpu.peak("fp32") == pytest.approx(851.9e9, rel=1e-4)
    bandwidths = {round(opp.frequency / 1e6): opp.bandwidth / 1e9 for opp in whole.memory.opps}
    assert (bandwidths[1600], bandwidths[1866]) == (51.2, pytest.approx(59.7, abs=0.05))
    assert whole.clusters[0].transition_latency == 300e-6


@pytest.mark.parametrize(
    ("mode", "cores", "cpu", "gpu", "dram", "points"),
    [
        ("15W_2CORE", 2, 1907.2, 1109.25, 1600, 11),
        ("15W_4CORE", 4, 1420.8, 1109.25, 1600, 4),
        ("15W_6CORE", 6, 1420.8, 1109.25, 1600, 4),
        ("10W_2CORE", 2, 1497.6, 803.25, 1600, 5),
        ("10W_4CORE", 4, 1190.4, 803.25, 1600, 1),
        ("10W_DESKTOP", 4, 1907.2, 510, 1600, 11),
        ("20W_2CORE", 2, 1907.2, 1109.25, 1866, 11),
        ("20W_4CORE", 4, 1420.8, 1109.25, 1866, 4),
        ("20W_6CORE", 6, 1420.8, 1109.25, 1866, 4),
    ],
)
def test_modes_of_the_nx(mode: str, cores: int, cpu: float, gpu: float, dram: float, points: int) -> None:
    """Four points between floor and cap at 1420.8 MHz: what a governor can choose from on a stock board."""
    device = nx(mode)
    assert len(device.cores) == cores
    for cluster in device.clusters:
        assert cluster.opps[0].frequency == 1190.4e6
        assert (cluster.max_opp.frequency, len(cluster.opps)) == (pytest.approx(cpu * 1e6), points)
    assert device.accelerators["gpu"].max_opp.frequency == gpu * 1e6
    assert device.accelerators["gpu"].opps[0].frequency == 114.75e6
    assert device.memory.opps[-1].frequency == dram * 1e6


def test_there_are_nine_modes_and_one_is_usual() -> None:
    device = load_device(NX)
    assert len(device.modes) == 9
    assert (device.mode, device.name) == ("15W_6CORE", NX)
    assert nx("10W_4CORE").name == "jetson-xavier-nx(mode=10W_4CORE)"


def test_all_cores_are_alike() -> None:
    assert load_device(NX).parse_cores("big") == load_device(NX).parse_cores("all") == (0, 1, 2, 3, 4, 5)


# --- Jetson Xavier NX: power --------------------------------------------------------------------------------


def at(opps: tuple[Opp, ...], mhz: float) -> Opp:
    return min(opps, key=lambda opp: abs(opp.frequency - mhz * 1e6))


def rails(
    device: Device, cpu: tuple[float, float], gpu: tuple[float, float], traffic: float
) -> dict[str, float]:
    """Power in W by rail and meter; `cpu`: (busy cores, MHz), `gpu`: (busy share, MHz), `traffic`: B/s."""
    (busy, cpu_mhz), (share, gpu_mhz), unit = cpu, gpu, device.accelerators["gpu"]
    core = device.clusters[0]
    of_core, of_gpu = at(core.opps, cpu_mhz), at(unit.opps, gpu_mhz)
    idle = core.power.idle_at(of_core), unit.power.idle_at(of_gpu)
    cores = len(device.cores) * idle[0] + busy * (core.power.busy(of_core) - idle[0])
    shared = cores + idle[1] + share * (unit.power.busy(of_gpu) - idle[1])
    memory = device.memory.background_power + traffic * device.memory.energy_per_byte
    found = {"vdd_cpu_gpu_cv": shared, "vdd_soc": memory, "unmetered": device.board_power}
    assert set(found) == set(device.rails)
    return found | device.metered(found)


def test_full_stress() -> None:
    """Six busy cores and a matrix product on the GPU; the DRAM's traffic is not told, 11 GB/s explain its rail."""
    power = rails(nx("15W_6CORE"), (6, 1420.8), (0.99, 1109.25), 11e9)
    assert power["vdd_cpu_gpu_cv"] == pytest.approx(10.89, rel=0.10)
    assert power["vdd_soc"] == pytest.approx(1.42, rel=0.10)
    assert power["vdd_in"] == pytest.approx(14.68, rel=0.10)


def test_stress_without_knowing_the_traffic() -> None:
    """Whatever the traffic up to half of the DRAM's peak, the whole module is within 10 %."""
    power = [rails(nx("15W_6CORE"), (6, 1420.8), (0.99, 1109.25), t)["vdd_in"] for t in (0.0, 25e9)]
    assert power == pytest.approx([14.68, 14.68], rel=0.10)


def test_busy_cores_alone() -> None:
    power = rails(nx("15W_6CORE"), (2.51, 1420.8), (0, 1109.25), 0.5e9)
    assert power["vdd_cpu_gpu_cv"] == pytest.approx(2.706, rel=0.10)
    assert power["vdd_soc"] == pytest.approx(1.074, rel=0.10)
    assert power["vdd_in"] == pytest.approx(6.140, rel=0.10)


def test_nearly_idle() -> None:
    """The whole board's reading, 5.08 W, is left out: 3.3 W of it are in devices that the module does not have."""
    power = rails(nx("10W_DESKTOP"), (0.11, 1905), (0, 510), 0.0)
    assert power["vdd_cpu_gpu_cv"] == pytest.approx(0.696, rel=0.10)
    assert power["vdd_soc"] == pytest.approx(1.104, rel=0.10)


def test_voltages_are_told_to_be_fitted() -> None:
    rows = [row for row in provenance(NX) if row.path.endswith(".voltage")]
    assert len(rows) == 3 * 25 + 15
    assert {row.grade for row in rows} == {"D"}
    assert all("fitted, not measured" in row.source for row in rows)


# --- Jetson Xavier NX: latencies ----------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_the_sub_networks_have_the_published_work(level: int) -> None:
    graph = sub_network(level)
    assert graph.macs / 1e6 == pytest.approx(MMACS[level], abs=0.06)
    assert len(graph) == OPERATORS[level]


@pytest.mark.parametrize("level", LEVELS)
def test_sub_networks_on_the_gpu(level: int) -> None:
    assert latency(level, "15W_6CORE") == pytest.approx(MEASURED_MS[level], rel=0.06)


@pytest.mark.parametrize("level", LEVELS)
def test_sub_networks_at_lower_clocks(level: int) -> None:
    """The authors' other figure fits the clocks of 10W_4CORE."""
    assert latency(level, "10W_4CORE") == pytest.approx(SLOWER_MS[level], rel=0.06)


def test_the_gpu_waits_for_its_host() -> None:
    """42.4 to 49.5 ms from 1420.8 and 1109 MHz to 1190.4 and 803 MHz: the ratio of the CPU's clocks, not the GPU's."""
    ratios = [latency(level, "10W_4CORE") / latency(level, "15W_6CORE") for level in LEVELS]
    assert ratios[0] == pytest.approx(49.5 / 42.4, rel=0.10)
    assert ratios == pytest.approx([1420.8 / 1190.4] * 6, rel=0.01)
    assert latency(1, "15W_2CORE") < latency(1, "15W_6CORE")


def test_the_host_has_a_core_and_the_gpu_idles() -> None:
    app = socsim.Inference(sub_network(1), library="pytorch_eager", scheduler="gpu", count=5)
    busy = socsim.simulate(load_device(NX), [app]).outcome.busy_s
    span = 5 * latency(1, "15W_6CORE") / 1e3
    assert busy["cpu"] * 6 == pytest.approx(span, rel=0.05)
    assert 0.05 < busy["gpu"] / span < 0.5


def test_the_host_alone_decides_how_long_a_sub_network_takes() -> None:
    """Convolutions 0.326 ms, normalisations 0.191, other operators 0.103 at 1420.8 MHz; then the last kernel."""
    rates = load_device(NX).calibration("pytorch_eager", "gpu", "fp32", "buffer")
    costs = {"conv2d": "conv", "depthwise_conv2d": "conv", "fully_connected": "fc", "batch_norm": "norm"}
    for level in LEVELS:
        own = [rates.kernels[costs.get(op.type, "eltwise")].dispatch for op in sub_network(level)]
        host = sum(rates.dispatch if time is None else time for time in own)
        assert 1e3 * host <= latency(level, "15W_6CORE") * 1.02
        assert 1e3 * host == pytest.approx(latency(level, "15W_6CORE"), rel=0.03)


def test_an_application_on_fewer_and_slower_cores() -> None:
    """565 ms on six cores at 1420.8 MHz, 832 ms on four at 1190.4 MHz: 1.47 times."""
    fast, slow = latency(1, "15W_6CORE", "cpu"), latency(1, "10W_4CORE", "cpu")
    assert slow / fast == pytest.approx(1.47, rel=0.03)


AGX = {"vgg16": (266.8, 134.3, 70.8), "resnet50": (169.1, 87.2, 47.2), "mobilenet_v1": (37.5, 20.6, 11.2)}


@pytest.mark.parametrize("name", AGX)
def test_ncnn_on_carmel_cores(name: str) -> None:
    """One, two and four cores of a Jetson AGX Xavier, at 2265.6 MHz."""
    device = load_device(NX).in_mode("")
    masks = ("carmel0:1", "carmel0:2", "carmel0:2+carmel1:2")
    times = [network_on_cpu(device, "ncnn", name, "fp16", mask) * 1907.2 / 2265.6 for mask in masks]
    assert times == pytest.approx(AGX[name], rel=0.10)


def test_tensorrt_is_not_bound_by_its_host() -> None:
    """No comparable measurement: 824 frames a second were the GPU's and two accelerators' together, in batches."""
    app = socsim.Inference(
        socsim.load_model("resnet50"), library="tensorrt", scheduler="gpu", dtype="int8", count=3
    )
    result = socsim.simulate(load_device(NX), [app])
    mean = float(result.summary()["latency_ms_mean"].iloc[0])
    assert 1e3 / 824 < mean < 5.0
    assert result.outcome.busy_s["gpu"] > 0.8 * result.outcome.duration_s


# --- Odroid XU4 ---------------------------------------------------------------------------------------------


def test_odroid_xu4() -> None:
    device = load_device("odroid-xu4")
    little, big = device.clusters
    assert [(c.name, c.count, len(c.opps), c.max_opp.frequency) for c in (little, big)] == [
        ("little", 4, 13, 1.4e9), ("big", 4, 19, 2e9)
    ]  # fmt: skip
    assert (little.max_opp.voltage, big.max_opp.voltage) == (1.275, 1.3125)
    assert [c.power.coefficient for c in (little, big)] == [pytest.approx(90e-12), pytest.approx(310e-12)]
    assert big.power.busy(big.max_opp) == pytest.approx(1.068, abs=1e-3)
    assert [opp.frequency / 1e6 for opp in device.accelerators["gpu"].opps] == [
        177,
        266,
        350,
        420,
        480,
        543,
        600,
    ]
    assert device.memory.opps[-1].bandwidth == pytest.approx(13.2e9)
    assert not device.modes
    assert {library for library, *_ in device.calibrations} == {"ncnn"}
    assert {c.grade for c in device.calibrations.values()} == {"D"}


def test_a_voltage_that_falls_is_raised_and_says_so() -> None:
    (row,) = [r for r in provenance("odroid-xu4") if r.path == "clusters.1.opps.16.voltage"]
    assert (row.value, row.grade) == ("1250 mV", "C")
    assert "1237.5 mV" in row.source


# --- what is refused of them --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def profile() -> str:
    return (resources.data_dir("device_profiles") / "socs" / "tegra194-nx.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{freq: 192 MHz,", "{freq: 100 MHz,", "must rise from point to point, got 100 MHz after 115.2 MHz"),
        ("voltage: 604 mV", "voltage: 590 mV", "must not fall as the frequency rises, got 590 mV after 600 mV"),
        (
            "{freq: 1190.4 MHz, voltage: 650 mV}",
            "{freq: 1190.4 MHz, voltage: 650 mV, dram_floor: 2133 MHz}",
            "dram_floor: votes for 2133 MHz, above the fastest DRAM clock, 1.866 GHz",
        ),
        ("caps: {cpu: 1420.8 MHz,", "caps: {cpu: 1400 MHz,", "1.4 GHz is no operating point of carmel0"),
        ("gpu: 803.25 MHz,", "gpu: 900 MHz,", "900 MHz is no operating point of gpu; the nearest is 905.25 MHz"),
        ("vdd_soc: [dram]", "vdd_soc: []", "rails: no rail feeds dram"),
        ("[vdd_cpu_gpu_cv, vdd_soc, unmetered]", "[vdd_cpu_gpu, vdd_soc]", "unknown rail 'vdd_cpu_gpu'"),
        ("default: 15W_6CORE", "default: MAXN", "power_modes.default: unknown power mode 'MAXN'"),
    ],
)  # fmt: skip
def test_what_an_nx_cannot_have(tmp_path: Path, profile: str, old: str, new: str, message: str) -> None:
    assert old in profile
    (tmp_path / "soc.yaml").write_text(profile.replace(old, new, 1))
    path = tmp_path / "nx.yaml"
    path.write_text("title: NX\nextends: [soc]\nboard_power: {value: 2 W, grade: D, source: estimate}\n")
    line = next(n for n, text in enumerate(profile.splitlines(), 1) if old in text)
    told = [text for text in complaints(path) if message in text]
    assert told, complaints(path)
    if not message.startswith("rails"):
        assert told[0].startswith(f"soc.yaml:{line}:")
