"""The nine power modes of a Jetson Xavier NX in runs: what governors, limits and applications have left in each."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml

import socsim
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import FileError, SocsimError, UnknownNameError, UsageError
from socsim.simulation.governing import check_limits, governors_by_domain
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.plan import load_sweep
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

NX = "jetson-xavier-nx"
TABLE = {
    # cores, highest clocks in MHz of CPU, GPU and DRAM
    "15W_2CORE": (2, 1907.2, 1109.25, 1600.0),
    "15W_4CORE": (4, 1420.8, 1109.25, 1600.0),
    "15W_6CORE": (6, 1420.8, 1109.25, 1600.0),
    "10W_2CORE": (2, 1497.6, 803.25, 1600.0),
    "10W_4CORE": (4, 1190.4, 803.25, 1600.0),
    "10W_DESKTOP": (4, 1907.2, 510.0, 1600.0),
    "20W_2CORE": (2, 1907.2, 1109.25, 1866.0),
    "20W_4CORE": (4, 1420.8, 1109.25, 1866.0),
    "20W_6CORE": (6, 1420.8, 1109.25, 1866.0),
}
"""As the board's software has them (nvpmodel)."""
FLOOR = 1190.4
"""Of the CPU, in MHz, in every mode."""
MODES = sorted(TABLE)
EVERY = pytest.mark.parametrize("mode", MODES)


@cache
def nx(mode: str) -> Device:
    return load_device(f"{NX}(mode={mode})")


@cache
def model() -> socsim.ModelGraph:
    return socsim.load_model("squeezenet_1.1")


@cache
def done(mode: str, governor: str = "", scheduler: str = "gpu") -> Outcome:
    """Ten inferences beside a busy thread; `governor`: of CPU and GPU."""
    governors = {}
    if governor:
        cpu, _, gpu = governor.partition("/")
        governors = {"cpu": cpu, "gpu": gpu}
    app = Inference(model(), scheduler, library="pytorch_eager", period="40 ms", name="net")
    simulation = Simulation(
        nx(mode), [app, Competitor(duty=0.6)], duration=0.4, governors=governors, kernels=True, seed=2
    )
    outcome = simulation.run()
    simulation.validate()
    return outcome


def mhz(outcome: Outcome, prefix: str) -> set[float]:
    return {round(r.frequency_hz / 1e6, 3) for r in outcome.clocks if r.domain.startswith(prefix)}


# --- what is left ---------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("other", MODES)
def test_a_mode_of_a_mode_is_that_mode(mode: str, other: str) -> None:
    assert nx(mode).in_mode(other) == nx(other)


@EVERY
def test_all_of_it_is_there_again_without_a_mode(mode: str) -> None:
    whole = load_device(NX).in_mode("")
    assert nx(mode).in_mode("") == whole
    assert (len(whole.cores), whole.mode) == (6, "")


@EVERY
def test_cores_and_clusters(mode: str) -> None:
    """Cores go off in pairs, from the last; those that stay have the whole capacity."""
    cores, cpu, gpu, dram = TABLE[mode]
    device = nx(mode)
    assert [c.name for c in device.clusters] == [f"carmel{i}" for i in range(len(device.clusters))]
    assert sum(c.count for c in device.clusters) == len(device.cores) == cores
    assert {c.capacity for c in device.clusters} == {1024.0}
    assert {round(c.max_opp.frequency / 1e6, 3) for c in device.clusters} == {cpu}
    assert device.accelerators["gpu"].max_opp.frequency == pytest.approx(gpu * 1e6)
    assert device.memory.opps[-1].frequency == pytest.approx(dram * 1e6, rel=1e-3)


@EVERY
def test_no_vote_is_for_more_than_the_memory_has(mode: str) -> None:
    device = nx(mode)
    most = device.memory.opps[-1].frequency
    for unit in (*device.clusters, *device.accelerators.values()):
        assert all(opp.dram_floor <= most for opp in unit.opps)


@EVERY
def test_what_a_mode_lacks_is_refused(mode: str) -> None:
    """Clusters that are off are no clock domains, and clocks outside the mode no limits."""
    device, (cores, cpu, gpu, _) = nx(mode), TABLE[mode]
    last = f"cpu.carmel{len(device.clusters) - 1}"
    assert set(governors_by_domain(device, {"cpu": "schedutil_l4t"})) == {
        f"cpu.{c.name}" for c in device.clusters
    }
    if cores < 6:
        with pytest.raises(
            UnknownNameError, match=r"unknown clock domain 'cpu\.carmel2'; did you mean 'cpu\.carmel"
        ):
            governors_by_domain(device, {"cpu.carmel2": "performance"})
    check_limits(device, {last: {"min": FLOOR * 1e6, "max": cpu * 1e6}, "gpu": {"max": gpu * 1e6}})
    for domain, limit in ((last, {"max": 1.01 * cpu * 1e6}), (last, {"min": 1.1e9}), ("gpu", {"max": 1.2e9})):
        with pytest.raises(UsageError, match=f"of '{domain}' must be from "):
            check_limits(device, {domain: limit})
    with pytest.raises(SocsimError, match="core"):
        device.parse_cores(f"carmel0:{cores + 1}")


# --- in runs --------------------------------------------------------------------------------------------------


@EVERY
def test_without_governors_all_run_at_the_highest_clocks_of_the_mode(mode: str) -> None:
    _, cpu, gpu, dram = TABLE[mode]
    outcome = done(mode)
    assert mhz(outcome, "cpu") == {cpu}
    assert mhz(outcome, "gpu") == {gpu}
    assert list(mhz(outcome, "dram")) == [pytest.approx(dram, rel=1e-3)]
    assert outcome.frequencies["gpu"] == gpu * 1e6


@EVERY
@pytest.mark.parametrize(
    "governor", ["schedutil_l4t/nvhost_podgov", "ondemand/simple_ondemand", "powersave/powersave"]
)
def test_governors_move_within_the_mode(mode: str, governor: str) -> None:
    cores, cpu, gpu, dram = TABLE[mode]
    outcome = done(mode, governor)
    assert max(mhz(outcome, "cpu")) == cpu and min(mhz(outcome, "cpu")) >= FLOOR
    assert max(mhz(outcome, "gpu")) <= gpu and min(mhz(outcome, "gpu")) >= 114.75
    assert max(mhz(outcome, "dram")) <= dram * 1.001
    assert len(outcome.core_names) == cores
    if governor.startswith("powersave"):
        assert outcome.frequencies["gpu"] == 114.75e6
        assert {outcome.frequencies[f"cpu.{c.name}"] for c in nx(mode).clusters} == {FLOOR * 1e6}
    # no core that is off is used by anybody
    assert {span.core for span in outcome.spans} <= set(range(cores))


@EVERY
def test_rails_feed_what_is_on(mode: str) -> None:
    outcome, device = done(mode), nx(mode)
    fed = [name for parts in device.rails.values() for name in parts]
    assert sorted(fed) == sorted(outcome.energy_j)
    assert sum(outcome.rails_j.values()) == pytest.approx(sum(outcome.energy_j.values()), rel=1e-12)


def mean_latency(mode: str, scheduler: str = "gpu", **options) -> float:
    app = Inference(model(), scheduler, library="pytorch_eager", count=2, **options)
    return Simulation(nx(mode), [app]).run().inferences[-1].finish_s / 2


@pytest.mark.parametrize(
    ("slower", "faster"),
    [
        ("10W_2CORE", "15W_2CORE"), ("15W_2CORE", "20W_2CORE"), ("15W_4CORE", "20W_4CORE"),
        ("15W_6CORE", "20W_6CORE"), ("10W_4CORE", "15W_4CORE"), ("10W_4CORE", "15W_6CORE"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheduler", ["gpu", "cpu"])
def test_more_of_everything_is_never_slower(slower: str, faster: str, scheduler: str) -> None:
    assert all(one <= other for one, other in zip(TABLE[slower], TABLE[faster], strict=True))
    assert mean_latency(faster, scheduler) <= mean_latency(slower, scheduler) * (1 + 1e-9)


def test_one_core_depends_on_its_clock_alone() -> None:
    """Modes of the same CPU and DRAM clocks are equal on one core; the time of others is in inverse proportion."""
    times = {mode: mean_latency(mode, "cpu", cores="carmel0:1") for mode in MODES}
    assert times["15W_4CORE"] == pytest.approx(times["15W_6CORE"], rel=1e-12)
    assert times["20W_4CORE"] == pytest.approx(times["20W_6CORE"], rel=1e-12)
    assert times["15W_2CORE"] == pytest.approx(times["10W_DESKTOP"], rel=1e-12)
    ratio = times["15W_4CORE"] / times["15W_2CORE"]
    assert 1.0 < ratio <= 1907.2 / 1420.8 * (1 + 1e-9)


def test_a_cap_of_a_user_is_a_mode_s_cap() -> None:
    """The GPU at 803.25 MHz by mode or by limit takes as long for its kernels; a limit holds from the start, although
    a change of its clock takes 5 ms."""
    capped = Simulation(
        nx("15W_2CORE"), [Inference(model(), "gpu", library="tensorrt", count=1)], kernels=True,
        limits={"gpu": {"max": 803.25e6}},
    ).run()  # fmt: skip
    by_mode = Simulation(
        nx("10W_2CORE"), [Inference(model(), "gpu", library="tensorrt", count=1)], kernels=True
    ).run()
    ours, theirs = (
        sum(r.end_s - r.start_s for r in d.kernels if r.kind == "kernel") for d in (capped, by_mode)
    )
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert capped.frequencies["gpu"] == by_mode.frequencies["gpu"] == 803.25e6


# --- files ----------------------------------------------------------------------------------------------------


def written(folder: Path, **content) -> Path:
    apps = [
        {
            "kind": "inference",
            "model": "squeezenet_1.1",
            "scheduler": "gpu",
            "library": "tensorrt",
            "count": 1,
        }
    ]
    file = folder / "e.yaml"
    file.write_text(
        yaml.safe_dump({"device": f"{NX}(mode=15W_2CORE)", "apps": apps, **content}, sort_keys=False)
    )
    return file


def test_modes_are_swept_over(tmp_path: Path) -> None:
    """One row a mode; each is the run of that mode alone."""
    axis = {"device": [f"{NX}(mode={mode})" for mode in MODES]}
    file = written(tmp_path, sweep=axis)
    check_sweep(load_sweep(file))
    table = socsim.sweep(file)
    assert len(table) == 9
    latencies = dict(zip(table["device"], table["latency_ms_mean"], strict=True))
    assert sorted(latencies) == axis["device"]
    alone = socsim.simulate(
        nx("10W_DESKTOP"), [socsim.Inference("squeezenet_1.1", "gpu", library="tensorrt", count=1)]
    )
    found = latencies["jetson-xavier-nx(mode=10W_DESKTOP)"]
    assert found == alone.summary()["latency_ms_mean"].iloc[0]
    assert latencies["jetson-xavier-nx(mode=20W_2CORE)"] < found


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        ({"device": f"{NX}(mode=15W_3CORE)"}, 1, "did you mean '15W_"),
        ({"device": f"{NX}(power=15W_2CORE)"}, 1, "has no option 'power'; it takes 'mode'"),
        (
            {"device": "xiaomi-9(mode=15W_2CORE)"},
            1,
            "device 'xiaomi-9' has no power modes, got mode '15W_2CORE'",
        ),
        (
            {"limits": {"gpu": {"max": "1.2 GHz"}}},
            0,
            "limit max of 'gpu' must be from 114.75 MHz to 1109.25 MHz",
        ),
        (
            {"limits": {"cpu": {"min": "1 GHz"}}},
            0,
            "must be from 1190.4 MHz to 1907.2 MHz in its power mode, got 1000 MHz",
        ),
        ({"limits": {"cpu.carmel1": {"max": "1.2 GHz"}}}, 0, "unknown clock domain 'cpu.carmel1'"),
        ({"governors": {"cpu.carmel2": "ondemand"}}, 0, "unknown clock domain 'cpu.carmel2'"),
    ],
)
def test_files_that_ask_for_what_a_mode_lacks(tmp_path: Path, content, line: int, sentence: str) -> None:
    """Every refusal has the line and the column where the file says so."""
    file = written(tmp_path, **content)
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(file))
    told = next(part for part in str(caught.value).splitlines() if sentence in part)
    _, row, column = told.split(": ")[0].rsplit(":", 2)
    text = file.read_text().splitlines()[int(row) - 1]
    assert int(column) <= len(text)
    if line:
        assert int(row) == line
    else:
        block = next(iter(content))
        key = next(iter(content[block]))
        lines = file.read_text().splitlines()
        assert int(row) > lines.index(f"{block}:") and any(key in own for own in lines[: int(row)])
