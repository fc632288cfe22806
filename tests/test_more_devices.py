"""Hardware of the devices that come with socsim, against the device trees and measurements that it is from."""

from __future__ import annotations

import pytest

import socsim
from socsim.devices.device import Cluster, Device
from socsim.devices.plausibility import doubts
from socsim.devices.profile import device_names, load_device, provenance
from socsim.measurements import measured_devices

ALL = device_names()

MEASURED = {
    "galaxy-a03s", "galaxy-s10", "honor-v30-pro", "jetson-agx-xavier", "jetson-nano", "jetson-orin",
    "jetson-xavier-nx", "mate-10-pro", "oneplus-7t", "p30", "pixel-3", "pixel-4", "raspberry-pi-4", "rk3399",
    "rk3588", "snapdragon-8-gen-2-phone", "xiaomi-9",
}  # fmt: skip
OTHERS = {"hikey960", "mi-11-pro", "mt8183-chromebook", "odroid-xu4", "redmi-k30-pro"}


def whole(name: str) -> Device:
    device = load_device(name)
    return device.in_mode("") if device.mode else device


def cluster(device: str, name: str) -> Cluster:
    return next(c for c in whole(device).clusters if c.name == name)


def mhz(unit: Cluster) -> list[float]:
    return [round(opp.frequency / 1e6, 1) for opp in unit.opps]


# --- all of them ----------------------------------------------------------------------------------------------


def test_the_devices_are_these() -> None:
    assert set(ALL) == MEASURED | OTHERS


def test_measured_devices_are_named_as_in_the_tables() -> None:
    """Cores, and processors that were measured, but a DSP or NPU that only a library of its own reaches."""
    known = measured_devices()
    assert set(ALL) & set(known) == MEASURED
    for name in MEASURED:
        device = whole(name)
        assert {c.name: c.count for c in device.clusters} == known[name].cores
        lacking = known[name].processors - {"cpu", *device.accelerators}
        assert lacking <= ({"npu"} if name == "honor-v30-pro" else set())


@pytest.mark.parametrize("name", ALL)
def test_numbers_that_must_fit_together(name: str) -> None:
    device = whole(name)
    assert not list(doubts(device))
    usable = device.memory.bandwidth * (1 + 1e-9)
    assert device.cpu_bandwidth <= usable
    for unit in device.accelerators.values():
        assert unit.bandwidth <= usable
    for one in device.clusters:
        assert one.bandwidth <= device.cpu_bandwidth
        assert one.capacity <= 1024
        assert one.power.busy(one.max_opp) > one.power.busy(one.opps[0]) > one.power.idle >= 0
        assert 0.02 < one.power.busy(one.max_opp) < 6
    assert max(c.capacity for c in device.clusters) == 1024


@pytest.mark.parametrize("name", ALL)
def test_stronger_cores_have_higher_peaks(name: str) -> None:
    """No core has a lower peak than one that Linux takes for weaker."""
    ranked = sorted(whole(name).clusters, key=lambda c: c.capacity)
    peaks = [c.peak("fp32") for c in ranked]
    assert peaks == sorted(peaks) or name == "galaxy-s10"  # its A75 have wider code, not wider vectors
    powers = [c.power.busy(c.max_opp) for c in ranked]
    assert powers == sorted(powers)


@pytest.mark.parametrize("name", ALL)
def test_every_number_has_a_grade_and_a_source(name: str) -> None:
    rows = provenance(name)
    assert all(row.grade in set("ABCDF") and row.source for row in rows)
    assert len(rows) > 100


@pytest.mark.parametrize("name", ALL)
def test_every_device_runs_a_network(name: str) -> None:
    """On its CPU, with whichever library is there, between a millisecond and three seconds."""
    device = load_device(name)
    library = next(key[0] for key in device.calibrations if key[1] == "cpu")
    app = socsim.Inference("mobilenet_v1", library=library, scheduler="cpu", count=1)
    result = socsim.simulate(device, [app])
    assert 1 < result.metrics()["latency_ms_mean"] < 3000
    assert result.metrics()["energy_mj"] > 0


@pytest.mark.parametrize("name", [n for n in ALL if load_device(n).thermal])
def test_heat_has_its_clusters(name: str) -> None:
    app = socsim.Inference("mobilenet_v1", library="ncnn", scheduler="cpu", count=2)
    if any(key[:2] == ("ncnn", "cpu") for key in load_device(name).calibrations):
        assert socsim.simulate(name, [app], heat=True).metrics()["latency_ms_mean"] > 0


# --- clocks and capacities ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "name", "count", "lowest", "highest", "points", "capacity"),
    [
        ("pixel-3", "silver", 4, 300, 1766.4, 18, 385),
        ("pixel-3", "gold", 4, 300, 2803.2, 32, 1024),
        ("pixel-4", "prime", 1, 825.6, 2841.6, 20, 1024),
        ("oneplus-7t", "silver", 4, 300, 1785.6, 18, 295),
        ("oneplus-7t", "gold", 3, 710.4, 2419.2, 17, 838),
        ("oneplus-7t", "prime", 1, 825.6, 2956.8, 21, 1024),
        ("redmi-k30-pro", "silver", 4, 300, 1804.8, 17, 285),
        ("redmi-k30-pro", "gold", 3, 710.4, 2419.2, 18, 872),
        ("redmi-k30-pro", "prime", 1, 844.8, 2841.6, 20, 1024),
        ("mi-11-pro", "silver", 4, 300, 1804.8, 16, 325),
        ("mi-11-pro", "gold", 3, 710.4, 2419.2, 16, 828),
        ("mi-11-pro", "prime", 1, 844.8, 2841.6, 19, 1024),
        ("snapdragon-8-gen-2-phone", "silver", 3, 307.2, 2016, 12, 206),
        ("snapdragon-8-gen-2-phone", "prime", 1, 595.2, 3187.2, 18, 1024),
        ("galaxy-s10", "little", 4, 442, 1950, 13, 336),
        ("galaxy-s10", "middle", 2, 507, 2314, 17, 662),
        ("galaxy-s10", "big", 2, 520, 2730, 21, 1024),
        ("galaxy-a03s", "little", 4, 400, 1701, 16, 741),
        ("galaxy-a03s", "big", 4, 900, 2351, 16, 1024),
        ("mate-10-pro", "little", 4, 509, 1844, 7, 462),
        ("mate-10-pro", "big", 4, 682, 2362, 9, 1024),
        ("p30", "little", 4, 830, 1805, 11, 302),
        ("p30", "middle", 2, 826, 1901, 12, 749),
        ("p30", "big", 2, 1460, 2600, 13, 1024),
        ("hikey960", "little", 4, 533, 1844, 5, 462),
        ("hikey960", "big", 4, 903, 2362, 5, 1024),
        ("raspberry-pi-4", "a72", 4, 600, 1800, 13, 1024),
        ("rk3588", "little", 4, 1008, 1800, 5, 397),
        ("rk3588", "big1", 2, 1200, 2400, 7, 1024),
        ("rk3399", "little", 4, 408, 1416, 6, 381),
        ("rk3399", "big", 2, 408, 1800, 8, 1024),
        ("jetson-nano", "a57", 4, 102, 1479, 15, 1024),
        ("jetson-agx-xavier", "carmel3", 2, 115.2, 2265.6, 29, 1024),
        ("jetson-orin", "a78ae2", 4, 268.8, 2201.6, 14, 1024),
        ("mt8183-chromebook", "little", 4, 793, 1989, 16, 741),
        ("mt8183-chromebook", "big", 4, 793, 1989, 16, 1024),
    ],
)
def test_clusters(
    device: str, name: str, count: int, lowest: float, highest: float, points: int, capacity: int
) -> None:
    found = cluster(device, name)
    clocks = mhz(found)
    assert (found.count, clocks[0], clocks[-1], len(clocks)) == (count, lowest, highest, points)
    assert found.capacity == capacity


@pytest.mark.parametrize(
    ("device", "name", "dmips", "clocks"),
    [
        ("pixel-3", "silver", 611 / 1024, (1766.4, 2803.2)),
        ("redmi-k30-pro", "silver", 448 / 1024, (1804.8, 2841.6)),
        ("mi-11-pro", "silver", 1024 / 2048, (1804.8, 2841.6)),
        ("mi-11-pro", "gold", 1946 / 2048, (2419.2, 2841.6)),
        ("oneplus-7t", "silver", 488 / 1024, (1785.6, 2956.8)),
        ("hikey960", "little", 592 / 1024, (1844, 2362)),
        ("rk3588", "little", 530 / 1024, (1800, 2400)),
        ("rk3399", "little", 485 / 1024, (1416, 1800)),
        ("snapdragon-8-gen-2-phone", "gold", 693 / 1024, (2803.2, 3187.2)),
    ],
)
def test_capacities_follow_linux(device: str, name: str, dmips: float, clocks: tuple[float, float]) -> None:
    """What the device tree says of a MHz, times the clock, of that of the strongest core."""
    assert cluster(device, name).capacity == pytest.approx(1024 * dmips * clocks[0] / clocks[1], abs=1)


@pytest.mark.parametrize(
    ("device", "name", "clock", "millivolts"),
    [
        ("redmi-k30-pro", "prime", 2841.6, 912),
        ("redmi-k30-pro", "silver", 300, 584),
        ("oneplus-7t", "gold", 2419.2, 1048),
        ("galaxy-a03s", "big", 2351, 518.75 + 96 * 6.25),
        ("galaxy-a03s", "little", 400, 600),
        ("hikey960", "big", 2362, 1100),
        ("rk3588", "big0", 2400, 1000),
        ("rk3399", "big", 1800, 1200),
        ("mt8183-chromebook", "little", 1014, 718.75),
    ],
)
def test_voltages(device: str, name: str, clock: float, millivolts: float) -> None:
    (point,) = (o for o in cluster(device, name).opps if round(o.frequency / 1e6, 1) == clock)
    assert point.voltage == pytest.approx(millivolts / 1e3)


@pytest.mark.parametrize(
    ("device", "name", "coefficient"),
    [
        ("hikey960", "little", 110), ("hikey960", "big", 550), ("rk3399", "little", 100), ("rk3399", "big", 436),
        ("mt8183-chromebook", "little", 84),
        ("mt8183-chromebook", "big", 211), ("snapdragon-8-gen-2-phone", "silver", 251),
        ("snapdragon-8-gen-2-phone", "prime", 1057),
    ],
)  # fmt: skip
def test_coefficients_of_device_trees(device: str, name: str, coefficient: float) -> None:
    assert cluster(device, name).power.coefficient == pytest.approx(coefficient * 1e-12)


def test_measured_energies_move_all_coefficients_of_a_device_tree_by_one_factor() -> None:
    """The RK3588's, of which 228 and 416 uW/MHz/V^2 are told."""
    little, big = (
        cluster("rk3588", name).power.coefficient / own for name, own in (("little", 228), ("big0", 416))
    )
    assert little == pytest.approx(big, rel=1e-3)
    assert 0.5 < little / 1e-12 < 2.0


@pytest.mark.parametrize(
    ("device", "name", "points", "off"),
    [
        # mW of one core above the idle phone, running CoreMark
        ("pixel-3", "silver", {300: 56.5, 1056: 111.0, 1766.4: 193.3}, 0.25),
        ("pixel-3", "gold", {825.6: 186.4, 1612.8: 381.4, 2400: 880.3, 2803.2: 1297.8}, 0.15),
        ("redmi-k30-pro", "gold", {710.4: 126.3, 1574.4: 322.9, 2419.2: 710.3}, 0.05),
        ("redmi-k30-pro", "prime", {844.8: 172.2, 1862.4: 440.5, 2841.6: 984.2}, 0.05),
        ("mi-11-pro", "gold", {710.4: 122.5, 1555.2: 353.8, 2419.2: 941.1}, 0.12),
        ("mi-11-pro", "prime", {844.8: 218.7, 2035.2: 677.8, 2841.6: 1706.6}, 0.10),
        ("oneplus-7t", "prime", {940.8: 342.3 - 110, 1920: 644.9 - 110, 2841.6: 1273 - 110}, 0.08),
        ("galaxy-s10", "big", {520: 115, 1560: 735, 2340: 2006, 2730: 3578}, 0.20),
        ("galaxy-s10", "middle", {1404: 228, 2002: 568, 2314: 1082}, 0.25),
    ],
)
def test_power_of_cores(device: str, name: str, points: dict[float, float], off: float) -> None:
    found = cluster(device, name)
    for clock, measured in points.items():
        (opp,) = (o for o in found.opps if round(o.frequency / 1e6, 1) == clock)
        # CoreMark is what the coefficients are of; vector code draws `activity` times as much
        plain = found.power.coefficient * opp.frequency * opp.voltage**2 + found.power.leakage * opp.voltage
        assert 1e3 * plain == pytest.approx(measured, rel=off), clock


# --- GPUs, memory, others -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "model", "gflops", "highest"),
    [
        ("pixel-3", "Adreno 630", 727, 710),
        ("oneplus-7t", "Adreno 640", 1037, 675),
        ("redmi-k30-pro", "Adreno 650", 1202, 587),
        ("mi-11-pro", "Adreno 660", 1720, 840),
        ("galaxy-s10", "Mali-G76 MP12", 404, 702),
        ("mate-10-pro", "Mali-G72 MP12", 221, 767),
        ("p30", "Mali-G76 MP10", 345.6, 720),
        ("hikey960", "Mali-G71 MP8", 199, 1037),
        ("rk3399", "Mali-T860 MP4", 46.2, 800),
        ("jetson-nano", "Maxwell GM20B", 236, 921.6),
        ("jetson-agx-xavier", "Volta GV11B", 1410, 1377),
        ("jetson-orin", "Ampere GA10B", 5327, 1300.5),
        ("mt8183-chromebook", "Mali-G72 MP3", 57.6, 800),
    ],
)
def test_gpus(device: str, model: str, gflops: float, highest: float) -> None:
    gpu = whole(device).accelerators["gpu"]
    assert (gpu.model, gpu.max_opp.frequency) == (model, highest * 1e6)
    assert 2 * gpu.peak("fp32") / 1e9 == pytest.approx(gflops, rel=0.005)


@pytest.mark.parametrize(
    ("device", "gigabytes"),
    [
        ("pixel-3", 28.9), ("redmi-k30-pro", 44.0), ("mi-11-pro", 51.1), ("snapdragon-8-gen-2-phone", 67.6),
        ("galaxy-s10", 33.5), ("galaxy-a03s", 12.8), ("mate-10-pro", 29.9), ("p30", 34.1), ("hikey960", 29.9),
        ("raspberry-pi-4", 12.8), ("jetson-nano", 25.6), ("jetson-agx-xavier", 136.5), ("jetson-orin", 204.7),
    ],
)  # fmt: skip
def test_dram(device: str, gigabytes: float) -> None:
    assert whole(device).memory.opps[-1].bandwidth / 1e9 == pytest.approx(gigabytes, rel=0.005)


def test_votes_of_cores_for_dram() -> None:
    """A Snapdragon 845's little cores ask for 1017 MHz at most, its big ones for 1804."""
    assert cluster("pixel-3", "silver").max_opp.dram_floor == 1017e6
    assert cluster("pixel-3", "gold").max_opp.dram_floor == 1804e6
    assert cluster("redmi-k30-pro", "prime").max_opp.dram_floor == 2092e6


def test_the_855_plus_is_an_855_with_faster_points() -> None:
    plain, plus = whole("xiaomi-9"), whole("oneplus-7t")
    for one, other in zip(plain.clusters, plus.clusters, strict=True):
        assert mhz(other)[: len(one.opps)] == mhz(one)
        assert dict(one.macs_per_cycle) == dict(other.macs_per_cycle)
        assert [o.dram_floor for o in other.opps[: len(one.opps)]] == [o.dram_floor for o in one.opps]
    assert plain.memory == plus.memory


def test_the_pixel_4_has_an_accelerator_of_its_own() -> None:
    device = whole("pixel-4")
    assert set(device.accelerators) == {"gpu", "dsp", "npu"}
    assert 2 * device.accelerators["npu"].peak("int8") == pytest.approx(3.93e12, rel=0.01)
    assert device.rails["battery"][-3:] == ("npu", "dram", "board")


def test_the_npu_of_the_8_gen_2_is_wider_than_what_it_reached() -> None:
    """10.3 TOPS in int8, offline, with MobileNetEdgeTPU."""
    assert 2 * whole("snapdragon-8-gen-2-phone").accelerators["npu"].peak("int8") > 10.3e12


@pytest.mark.parametrize(
    ("name", "cores", "highest"),
    [
        ("raspberry-pi-4", 4, 1500),
        ("raspberry-pi-4(mode=boost)", 4, 1800),
        ("jetson-nano(mode=5W)", 2, 921.6),
    ],
)
def test_power_modes(name: str, cores: int, highest: float) -> None:
    device = load_device(name)
    assert len(device.cores) == cores
    assert device.clusters[0].max_opp.frequency == highest * 1e6


@pytest.mark.parametrize(
    ("name", "idle"),
    [("raspberry-pi-4", 2.91), ("rk3588", 2.12), ("jetson-agx-xavier", 6.6), ("jetson-orin", 13.06)],
)
def test_idle_boards_draw_what_was_measured(name: str, idle: float) -> None:
    device = whole(name)
    cores = sum(c.count * c.power.idle for c in device.clusters)
    units = sum(a.power.idle for a in device.accelerators.values())
    assert device.board_power + cores + units + device.memory.background_power == pytest.approx(
        idle, rel=0.02
    )


@pytest.mark.parametrize(
    ("name", "busy"),
    [("raspberry-pi-4", 6.0), ("jetson-agx-xavier", 24.5), ("jetson-orin", 28.4), ("rk3588", 8.3)],
)
def test_busy_boards_draw_about_what_was_measured(name: str, busy: float) -> None:
    """All cores at their highest clock, and half of the DRAM's traffic; medians with TensorFlow Lite in fp32."""
    device = load_device(name)
    cores = sum(c.count * c.power.busy(c.max_opp) for c in device.clusters)
    traffic = 0.5 * device.cpu_bandwidth * device.memory.energy_per_byte
    drawn = device.board_power + cores + device.memory.background_power + traffic
    assert drawn == pytest.approx(busy, rel=0.2)
