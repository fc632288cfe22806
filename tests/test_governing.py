"""Governors at work on the toy phone: when they are asked, what they are told, and what comes of it; times in s."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from corekit import CPU, LIBRARY, Fixed, net
from test_clocks import GPU, ONE, phone

import socsim
from socsim.errors import FileError, UnknownNameError, UsageError
from socsim.schedulers.governors import Governor
from socsim.simulation.governing import check_limits, governors_by_domain
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor


class Noting(Governor):
    """Notes what it is told; asks for a fixed sequence of clocks."""

    period = 1.0

    def __init__(self, *wanted: float, trigger: str = "timer") -> None:
        self.wanted, self.trigger = list(wanted), trigger
        self.seen: list[tuple] = []

    def next_frequency(self, domain):
        self.seen.append((domain.now, domain.elapsed, round(domain.utilisation, 9), domain.frequency))
        return self.wanted.pop(0) if self.wanted else None


def simulated(governors, *apps, duration: float | None = None, device=None, **options) -> Simulation:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    simulation = Simulation(
        device or phone(), apps or [app], governors=governors, duration=duration, **options
    )
    simulation.run()
    simulation.validate()
    return simulation


def governor_of(simulation: Simulation, name: str):
    return simulation.governors[name]


# --- when it is asked, and what it is told --------------------------------------------------------------------


def test_a_timer_asks_every_period_and_tells_the_load_since() -> None:
    """One of the two big cores computes for 8 s at full speed."""
    noting = governor_of(simulated({"cpu.big": Noting()}, duration=10.5), "cpu.big")
    assert noting.seen == [(float(t), 1.0, 1.0 if t <= 8 else 0.0, 1.0) for t in range(1, 11)]


def test_the_load_is_that_of_the_busiest_core() -> None:
    busy = Competitor(affinity="little", threads=1, duty=0.5, period=2.0)
    noting = governor_of(simulated({"cpu": Noting()}, busy, duration=40.0), "cpu.little")
    loads = [load for _, _, load, _ in noting.seen]
    assert min(loads) > 0.0 or max(loads) == 1.0
    assert all(0.0 <= load <= 1.0 for load in loads)


def test_a_wish_is_brought_to_an_operating_point() -> None:
    """0.3 Hz means 0.5: from 1 s on half the speed, from 3 s on all of it again."""
    done = simulated({"cpu.big": Noting(0.3, 0.3, 5.0)}).run()
    assert [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == "cpu.big"] == [
        (0.0, 1.0), (1.0, 0.5), (3.0, 1.0)
    ]  # fmt: skip
    assert done.inferences[0].finish_s == pytest.approx(9.0)


def test_every_policy_has_a_governor_of_its_own() -> None:
    given = Noting(0.5)
    simulation = simulated({"cpu": given})
    own = [governor_of(simulation, name) for name in ("cpu.big", "cpu.little")]
    assert own[0] is not own[1]
    assert given.seen == []


def test_a_domain_named_itself_counts_more_than_all_cpus() -> None:
    made = governors_by_domain(phone(), {"cpu": "powersave", "cpu.big": "performance"})
    assert {name: governor.title for name, governor in made.items()} == {
        "cpu.big": "performance", "cpu.little": "powersave"
    }  # fmt: skip


def test_gpu_load() -> None:
    """The kernel's 2 s begin at 0.375 and end at 2.375."""
    app = Inference(ONE, Fixed({"a": GPU}), library=LIBRARY, count=1)
    noting = governor_of(simulated({"gpu": Noting()}, app, duration=4.0), "gpu")
    assert [load for _, _, load, _ in noting.seen] == [0.625, 1.0, 0.375]


def test_events_of_the_scheduler_and_ticks_while_something_runs() -> None:
    device = phone()
    device = replace(device, os=replace(device.os, tick=3.0))
    noting = governor_of(
        simulated({"cpu.big": Noting(trigger="scheduler")}, device=device, duration=20.0), "cpu.big"
    )
    assert [when for when, *_ in noting.seen] == [0.0, 3.0, 6.0, 8.0]


def test_starts_and_ends_of_work_of_an_accelerator() -> None:
    app = Inference(ONE, Fixed({"a": GPU}), library=LIBRARY, count=1)
    noting = governor_of(simulated({"gpu": Noting(trigger="busy")}, app, duration=4.0), "gpu")
    assert [when for when, *_ in noting.seen] == [0.375, 2.375]


def test_reading_loads_changes_nothing() -> None:
    graph = net("a:16 x; b:8 a; c:4:softmax b")
    apps = [
        Inference(graph, Fixed(dict.fromkeys("abc", CPU)), library=LIBRARY, count=3),
        Competitor(threads=3),
    ]
    alone = Simulation(phone(), apps, duration=60.0).run()
    finer = Noting()
    finer.period = 0.01
    read = simulated({"cpu": finer, "gpu": finer, "dram": "performance"}, *apps, duration=60.0).run()
    assert read.inferences == alone.inferences
    assert read.energy_j == pytest.approx(alone.energy_j, rel=1e-12)


@pytest.mark.parametrize("period", [0.25, 0.125])
def test_a_finer_tick_does_not_change_the_energy_of_a_constant_load(period: float) -> None:
    class Fast(Noting):
        pass

    Fast.period = period
    rough, fine = simulated({"cpu": Noting()}).run(), simulated({"cpu": Fast()}).run()
    assert fine.energy_j == pytest.approx(rough.energy_j, rel=1e-12)


def test_schedutil_asks_for_the_highest_clock_after_74_ms_of_running() -> None:
    """A thread that begins on an idle core: 80 % of 1024 after 74.3 ms of running at full speed; at half the clock its
    utilisation grows half as fast, so it takes longer."""
    device = socsim.load_device("xiaomi-9")
    busy = Competitor(threads=1, affinity="prime:1", start="1 s")
    governor = {"cpu.prime": "schedutil(util_est=false)"}
    done = Simulation(device, [busy], duration=2.0, governors=governor).run()
    top = device.clusters[-1].max_opp.frequency
    reached = next(
        r.start_s
        for r in done.clocks
        if r.domain == "cpu.prime" and r.frequency_hz == top and r.start_s > 1.0
    )
    assert reached > 1.0743


# --- limits ---------------------------------------------------------------------------------------------------


def test_limits_of_the_user_hold_for_governors_and_without_them() -> None:
    limits = {"cpu.big": {"max": 0.5}}
    assert simulated({}, limits=limits).run().inferences[0].finish_s == pytest.approx(16.0)
    assert simulated({"cpu": "performance"}, limits=limits).run().inferences[0].finish_s == pytest.approx(
        16.0
    )
    assert simulated({"cpu": "powersave"}, limits={"cpu.big": {"min": 0.5}}).run().inferences[
        0
    ].finish_s == pytest.approx(16.0)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"cpu.bug": {"max": 0.5}}, "unknown clock domain 'cpu.bug'; did you mean 'cpu.big'?"),
        ({"gpu": {"maximum": 0.5}}, "unknown limit of 'gpu' 'maximum'"),
        ({"gpu": {"max": 0.1}}, "limit max of 'gpu' must be from"),
        ({"gpu": {"min": 2.0}}, "limit min of 'gpu' must be from"),
        ({"gpu": {"min": 1.0, "max": 0.5}}, "limits of 'gpu': min must not be above max"),
    ],
)
def test_limits_outside_the_table_are_refused(limits, sentence: str) -> None:
    with pytest.raises((UsageError, UnknownNameError)) as caught:
        check_limits(phone(), limits)
    assert sentence in str(caught.value)


def test_governors_for_other_domains_are_refused() -> None:
    with pytest.raises(UsageError, match="schedutil"):
        governors_by_domain(phone(), {"gpu": "schedutil"})
    with pytest.raises(UnknownNameError, match="did you mean 'gpu'"):
        governors_by_domain(phone(), {"gqu": "performance"})


@pytest.mark.parametrize("wish", [float("nan"), float("inf"), "fast", True])
def test_a_wish_that_is_no_frequency_is_refused(wish) -> None:
    with pytest.raises(UsageError, match="must want a frequency in Hz or None"):
        simulated({"cpu.big": Noting(wish)})


def test_dram_follows_votes_once_there_are_governors() -> None:
    device = socsim.load_device("xiaomi-9")
    app = Inference(socsim.load_model("mobilenet_v1"), "cpu", count=1)
    calm = Simulation(device, [app], governors={"cpu": "powersave", "gpu": "powersave"}).run()
    assert calm.frequencies["dram"] < device.memory.opps[-1].frequency
    own = Simulation(device, [app], governors={"cpu": "powersave", "dram": "performance"}).run()
    assert own.frequencies["dram"] == device.memory.opps[-1].frequency


def test_dram_stays_as_it_is_where_nobody_votes() -> None:
    board = socsim.load_device("jetson-xavier-nx")
    app = Inference(socsim.load_model("mobilenet_v1"), "gpu", library="tensorrt", count=1)
    done = Simulation(board, [app], governors={"cpu": "powersave", "gpu": "powersave"}).run()
    assert done.frequencies["dram"] == board.memory.opps[-1].frequency


# --- from the outside -----------------------------------------------------------------------------------------


class HalfLoad(Governor):
    """Keep a clock domain half busy."""

    period = "10 ms"

    def next_frequency(self, domain):
        return domain.opps.at_least(domain.utilisation / 0.5 * domain.frequency)


def test_a_governor_of_a_dozen_lines() -> None:
    app = socsim.Inference("resnet50", "gpu", period="150 ms")
    fast = socsim.simulate("xiaomi-9", [app], duration="3 s")
    slow = socsim.simulate("xiaomi-9", [app], duration="3 s", governors={"gpu": HalfLoad()})
    assert slow.inferences["latency_ms"].mean() > fast.inferences["latency_ms"].mean()
    assert slow.outcome.energy_j["gpu"] < fast.outcome.energy_j["gpu"]
    assert slow.clocks["domain"].eq("gpu").sum() > 2


def test_experiment_files_have_governors_and_limits(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    content = {
        "device": "xiaomi-9", "duration": "1 s", "governors": {"cpu": "ondemand", "gpu": "simple_ondemand(driver=msm)"},
        "limits": {"cpu.prime": {"max": "2 GHz"}},
        "apps": [{"kind": "inference", "name": "net", "model": "mobilenet_v1", "scheduler": "gpu", "period": "50 ms"}],
    }  # fmt: skip
    file.write_text(yaml.safe_dump(content))
    result = socsim.load_experiment(file).run()
    assert result.clocks[result.clocks["domain"] == "cpu.prime"]["frequency_mhz"].iloc[1:].max() <= 2000.0
    result.save(tmp_path / "out")
    again = socsim.load_experiment(tmp_path / "out" / "experiment.yaml").run()
    assert again.clocks.equals(result.clocks)


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"governors": {"cpu": "schedutl"}}, "governors.cpu: unknown governor 'schedutl'; did you mean 'schedutil'?"),
        ({"governors": {"cpu.gld": "ondemand"}}, "unknown clock domain 'cpu.gld'; did you mean 'cpu.gold'?"),
        ({"limits": {"gpu": {"max": "9 GHz"}}}, "limit max of 'gpu' must be from 257 MHz to 585 MHz, got 9000"),
        ({"limits": {"gpu": {"max": "9 ms"}}}, "limits.gpu.max: "),
    ],
)  # fmt: skip
def test_wrong_governors_and_limits_of_files_have_their_place(tmp_path: Path, block, sentence: str) -> None:
    from socsim.sweeps.checking import check_sweep
    from socsim.sweeps.plan import load_sweep

    file = tmp_path / "e.yaml"
    apps = [{"kind": "inference", "model": "mobilenet_v1", "scheduler": "gpu", "count": 1}]
    file.write_text(yaml.safe_dump({"device": "xiaomi-9", "apps": apps, **block}))
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(file))
    assert sentence in str(caught.value)
    assert "e.yaml:" in str(caught.value)


def test_power_over_time_follows_the_clock_and_adds_up() -> None:
    app = socsim.Inference("resnet50", "gpu", period="150 ms")
    result = socsim.simulate(
        "xiaomi-9", [app], duration="2 s", kernels=True, governors={"gpu": "simple_ondemand(driver=msm)"}
    )
    from socsim.results.timeline import power_steps

    steps = power_steps(result.outcome)["gpu"]
    ends = [*steps.times[1:], result.outcome.duration_s]
    total = sum(v * (e - t) for t, v, e in zip(steps.times, steps.values, ends, strict=True))
    assert total == pytest.approx(result.outcome.energy_j["gpu"], rel=1e-9)
    assert len(set(steps.values.round(6))) > 2
