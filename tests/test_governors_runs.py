"""Built-in governors at work under constant periodic loads, against traces worked out by hand.

CPU: one big core of 100 MHz to 1 GHz in steps of 100 MHz; a load of `w` ms is what it does in `w` ms at 1 GHz. GPU: the
toy phone's, of which a kernel of `w` s takes that long at its highest clock and begins 0.375 s after its inference.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil, log2
from random import Random

import pytest
from corekit import BUFFER, CPU, LIBRARY, Fixed, net, toy
from govkit import JETSON_GPU, TENTHS
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.devices.device import Device
from socsim.devices.opp import Opp
from socsim.schedulers.governors import Governor, OppView
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.arrivals import Periodic
from socsim.workloads.competitors import Competitor

MS = 1e-3
Trace = list[tuple[float, float]]


def points(table: OppView) -> tuple[Opp, ...]:
    return tuple(Opp(f, 0.5 + 0.5 * f / table.highest) for f in table)


def board(latency: float = 0.0, count: int = 1) -> Device:
    """Big cores of 1 GHz that do 2 operations a cycle."""
    made = toy()
    big, little = made.clusters
    big = replace(big, opps=points(TENTHS), count=count, transition_latency=latency)
    return replace(made, clusters=(big, little), os=replace(made.os, tick=4 * MS))


def load(work: float, period: float, name: str = "net", **options) -> Inference:
    """`work` ms at 1 GHz every `period` ms."""
    graph = net(f"a:{round(work * 2e6)} x")
    when = options if "arrivals" in options else {"period": period * MS, **options}
    return Inference(graph, Fixed({"a": CPU}), library=LIBRARY, name=name, **when)


def run(device: Device, apps: list, governors: dict, until: float, *, changes=(), **options) -> Outcome:
    """Checked; `changes`: (when in s, domain, cap or None)."""
    simulation = Simulation(device, apps, duration=until, governors=governors, **options)
    for when, name, cap in changes:
        simulation.env.timeout(when).callbacks.append(
            lambda _, n=name, c=cap: simulation.clocks.limit(n, "heat", cap=c)
        )
    done = simulation.run()
    simulation.validate()
    return done


def trace(done: Outcome, domain: str = "cpu.big") -> Trace:
    """(instant in ms, clock in MHz)."""
    return [
        (round(r.start_s / MS, 6), round(r.frequency_hz / 1e6, 6)) for r in done.clocks if r.domain == domain
    ]


def cpu(governor, work: float, period: float, until: float, **options) -> Trace:
    device = options.pop("device", board())
    return trace(run(device, [load(work, period)], {"cpu.big": governor}, until * MS, **options))


# --- ondemand -------------------------------------------------------------------------------------------------


def test_ondemand_swings_where_half_the_clock_is_too_little() -> None:
    """50 % of 1 GHz ask for 550, and 500 is as close as 600; there the core is always busy."""
    swings = [(8.0 * n, 500.0 if n % 2 else 1000.0) for n in range(8)]
    assert cpu("ondemand", 4.0, 8.0, 60.0) == swings


def test_ondemand_samples_only_what_runs() -> None:
    """2 ms of every 16: windows without work are not sampled, so that those with it are of 8 ms and then of 16.

    25 % of 8 ms ask for 325 MHz, 300; there 6.67 of 16 ms are 41 %, 469 MHz, 500; 4 of 16 ms are 25 % again.
    """
    expected = [(0.0, 1000.0), (8.0, 300.0)] + [(24.0 + 16 * n, 300.0 if n % 2 else 500.0) for n in range(4)]
    assert cpu("ondemand", 2.0, 16.0, 80.0) == expected


def test_ondemand_takes_a_load_above_its_threshold_to_the_top() -> None:
    """7 of 8 ms are 87 %: 883 MHz, 900, where 7.78 ms are 97 %; with a threshold of 98 that is 973 MHz, 1000."""
    swings = [(8.0 * n, 900.0 if n % 2 else 1000.0) for n in range(6)]
    assert cpu("ondemand", 7.0, 8.0, 44.0) == swings
    assert cpu("ondemand(up_threshold=86)", 7.0, 8.0, 44.0) == [(0.0, 1000.0)]
    assert cpu("ondemand(up_threshold=98)", 7.0, 8.0, 44.0) == swings


def test_ondemand_stays_longer_at_the_top() -> None:
    """After a rise to the highest clock the next sample is three periods later."""
    expected = [(0.0, 1000.0), (8.0, 500.0), (16.0, 1000.0), (40.0, 500.0), (48.0, 1000.0), (72.0, 500.0)]
    assert cpu("ondemand(sampling_down_factor=3)", 4.0, 8.0, 79.0) == expected


def test_ondemand_samples_as_seldom_as_the_driver_may_change() -> None:
    """A latency of 300 us means 10 ms at least between changes, and clocks that come 0.3 ms later.

    Windows of 10 ms are busy for 5, 0.3 + 4.7 / 0.5 = 9.7, 0.3 + 4.85 = 5.15 and 0.3 + 4.7 / 0.6 = 8.13 ms.
    """
    found = cpu("ondemand", 5.0, 10.0, 45.0, device=board(latency=300e-6))
    assert found == [(0.0, 1000.0), (10.3, 500.0), (20.3, 1000.0), (30.3, 600.0), (40.3, 800.0)]


def test_ondemand_of_an_idle_device_is_never_asked() -> None:
    app = load(1.0, 8.0, count=1)
    assert trace(run(board(), [app], {"cpu": "ondemand"}, 0.2), "cpu.little") == [(0.0, 0.000001)]


# --- conservative ---------------------------------------------------------------------------------------------


def test_conservative_goes_down_until_the_load_is_a_fifth() -> None:
    """1 of 8 ms; steps of 50 MHz, of which every other is a clock; at 600 MHz the load is 20 %."""
    expected = [(0.0, 1000.0), (16.0, 900.0), (32.0, 800.0), (48.0, 700.0), (64.0, 600.0)]
    assert cpu("conservative", 1.0, 8.0, 200.0) == expected


def test_conservative_in_larger_steps() -> None:
    expected = [(0.0, 1000.0), (8.0, 800.0), (16.0, 600.0)]
    assert cpu("conservative(freq_step=20)", 1.0, 8.0, 200.0) == expected


def test_conservative_waits_for_samples_before_it_goes_down() -> None:
    """One step for three samples."""
    expected = [(0.0, 1000.0), (24.0, 800.0), (48.0, 600.0)]
    assert cpu("conservative(freq_step=20, sampling_down_factor=3)", 1.0, 8.0, 200.0) == expected


def test_conservative_climbs_back_after_a_cap() -> None:
    """More work than it can do; the cap goes at 100 ms, the next sample is at 104: 350 means 300, 400 is at 112."""
    changes = [(4 * MS, "cpu.big", 300e6), (100 * MS, "cpu.big", None)]
    found = cpu("conservative", 10.0, 8.0, 260.0, changes=changes)
    assert found == [(0.0, 1000.0), (4.0, 300.0)] + [(112.0 + 16 * n, 400.0 + 100 * n) for n in range(7)]


def test_conservative_between_its_thresholds_does_nothing() -> None:
    assert cpu("conservative", 4.0, 8.0, 200.0) == [(0.0, 1000.0)]


# --- interactive ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "clock"), [(1.0, 100.0), (2.0, 200.0), (4.0, 300.0), (6.0, 400.0), (9.0, 500.0), (9.1, 600.0)]
)
def test_interactive_lowers_the_clock_once_and_stays(work: float, clock: float) -> None:
    """Work of 20 ms at 90 %; the highest clock is kept for 30 ms, so until the sample at 40."""
    assert cpu("interactive", work, 20.0, 400.0) == [(0.0, 1000.0), (40.0, clock)]


def test_interactive_keeps_a_clock_for_as_long_as_it_is_told() -> None:
    assert cpu("interactive(min_sample_time=80 ms)", 4.0, 20.0, 400.0) == [(0.0, 1000.0), (80.0, 300.0)]


def test_interactive_jumps_when_a_second_load_joins() -> None:
    """From 100 ms on there are 8 ms of work every 20: at 300 MHz the core is busy all the time.

    At 120 it jumps to the highest clock. There it finishes what is left, and 30 ms later, at 160, 400 / 0.9 is 500.
    """
    late = Periodic(20 * MS, offset=100 * MS)
    apps = [load(4.0, 20.0), load(4.0, 20.0, name="late", arrivals=late)]
    done = run(board(), apps, {"cpu.big": "interactive"}, 0.4)
    assert trace(done) == [(0.0, 1000.0), (40.0, 300.0), (120.0, 1000.0), (160.0, 500.0)]


# --- schedutil ------------------------------------------------------------------------------------------------


def follow(util: float, clock: float, until: float, *, least: float = 1.0) -> Trace:
    """A core that is always busy, by the closed form: asked every 4 ms, raised to 1.25 times what is used.

    Utilisation tends to the clock's share of 1024 and halves its distance every 32 ms. `least`: time in ms between
    changes.
    """
    found, changed = [(0.0, clock)], 0.0
    for tick in range(1, int(until / 4.0) + 1):
        full = 1024.0 * clock / 1000.0
        util = full + (util - full) * 0.5 ** (4.0 / 32.0)
        wanted = next((f for f in range(100, 1001, 100) if f >= 1.25 * util / 1024.0 * 1000.0), 1000)
        if wanted > clock and 4.0 * tick - changed >= least:
            clock, changed = float(wanted), 4.0 * tick
            found.append((changed, clock))
    return found


def test_schedutil_follows_the_closed_form() -> None:
    """A new thread counts as half of the core, so that 625 MHz are wanted at once: 700.

    There it takes 16.5 ms to need more: at the tick after, 800, and so on; busy cores are not slowed down.
    """
    found = trace(run(board(), [load(1e3, 1e4)], {"cpu.big": "schedutil(util_est=false)"}, 0.3))
    assert found == [(0.0, 1000.0), (0.0, 700.0), *follow(512.0, 700.0, 300.0)[1:]]
    assert found[2] == (20.0, 800.0)
    assert found[-1][1] == 1000.0


@pytest.mark.parametrize("limit", [8.0, 20.0, 50.0])
def test_schedutil_keeps_to_its_rate_limit(limit: float) -> None:
    governor = f"schedutil(util_est=false, rate_limit={limit} ms)"
    found = trace(run(board(), [load(1e3, 1e4)], {"cpu.big": governor}, 0.4))
    assert found[1:] == [(0.0, 700.0), *follow(512.0, 700.0, 400.0, least=limit)[1:]]
    assert all(b[0] - a[0] >= limit for a, b in pairwise(found[1:]))


def test_schedutil_s_rate_limit_comes_from_the_latency() -> None:
    """A latency of 8 us means 8 ms between changes, that take 8 us each."""
    device = board(latency=8e-6)
    found = trace(run(device, [load(1e3, 1e4)], {"cpu.big": "schedutil(util_est=false)"}, 0.4))
    gaps = [b[0] - a[0] for a, b in pairwise(found[1:])]
    assert min(gaps) >= 8.0 - 1e-3
    assert all((when - 0.008) % 4.0 == pytest.approx(0.0, abs=1e-6) for when, _ in found[2:])


def settled(work: float, period: float, governor: str, until: float = 3.0) -> list[float]:
    """Clocks in MHz of the last second."""
    done = run(board(), [load(work, period)], {"cpu.big": governor}, until)
    found = trace(done)
    before = [clock for when, clock in found if when <= (until - 1.0) / MS]
    return [before[-1], *(clock for when, clock in found if when > (until - 1.0) / MS)]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4, 0.6])
def test_schedutil_settles_on_the_clock_for_the_work(share: float) -> None:
    """2 ms periods ripple by less than 5 %: utilisation is the share of 1024, whatever the clock."""
    clocks = settled(2.0 * share, 2.0, "schedutil(util_est=false)")
    need = 1.25 * share * 1000.0
    lower, upper = (100 * ceil(need * ripple / 100) for ripple in (0.94, 1.06))
    assert set(clocks) <= {float(f) for f in range(lower, upper + 1, 100)}


def test_schedutil_with_util_est_never_runs_below_what_a_thread_usually_needs() -> None:
    """10 ms of work every 40: between them utilisation falls by 0.42, what is expected does not."""
    mean = {}
    for flag in ("true", "false"):
        done = run(board(), [load(10.0, 40.0)], {"cpu.big": f"schedutil(util_est={flag})"}, 2.0)
        last = [r.finish_s - r.start_s for r in done.inferences if r.finish_s > 1.0]
        mean[flag] = sum(last) / len(last)
    assert mean["true"] < mean["false"]


def test_schedutil_takes_74_ms_to_the_top_where_the_clock_is_high() -> None:
    """A core whose lowest clock is 900 MHz: from 0 to 819.2 of 921.6 takes 32 log2(9) ms, 101; at 1 GHz 74.

    The thread sleeps until it is forgotten, then runs on.
    """
    app = Inference(
        net("a:2000000000 x"), Fixed({"a": CPU}), library=LIBRARY, name="late", count=1,
        arrivals=Periodic(100.0, offset=2.0),
    )  # fmt: skip
    first = load(1.0, 1e6)
    limits = {"cpu.big": {"min": 900e6}}
    done = run(board(), [first, app], {"cpu.big": "schedutil(util_est=false)"}, 2.4, limits=limits)
    late = [(when - 2000.0, clock) for when, clock in trace(done) if when > 2000.0 + 1e-6]
    # as a new thread it begins at 512: 400 of the 921.6 are left, and 102.4 of it at the end
    expected = 32.0 * log2((921.6 - 512.0) / (921.6 - 0.72 * 1024.0))
    (when, clock), *rest = late
    assert (clock, rest) == (1000.0, [])
    assert expected <= when <= expected + 4.0 + 1e-6


def test_schedutil_of_an_idle_phone_comes_down_with_the_next_event() -> None:
    """Nothing is asked while nothing runs: the last clock stays, and Linux' does so, too."""
    done = run(board(), [load(20.0, 1e4)], {"cpu.big": "schedutil(util_est=false)"}, 1.0)
    (record,) = done.inferences
    assert all(when <= record.finish_s / MS + 1e-6 for when, _ in trace(done))


# --- simple_ondemand ------------------------------------------------------------------------------------------


def gpu_board(table: OppView = TENTHS) -> Device:
    """Clocks of the GPU as shares of the highest, so that kernels are of seconds."""
    made = toy(gpu_rate=8e6)
    opps = tuple(Opp(f / table.highest, 0.5 + 0.5 * f / table.highest) for f in table)
    gpu = replace(made.accelerators["gpu"], opps=opps)
    return replace(made, accelerators={**made.accelerators, "gpu": gpu})


def gpu(governor, work: float, period: float, until: float, **options) -> Trace:
    """A kernel of `work` s every `period` s; (instant in s, clock as a share)."""
    graph = net(f"a:{round(work * 8e6)} x")
    device = options.pop("device", None) or gpu_board()
    app = Inference(graph, Fixed({"a": BUFFER}), library=LIBRARY, period=period)
    done = run(device, [app], {"gpu": governor}, until, **options)
    return [(round(r.start_s, 6), round(r.frequency_hz, 6)) for r in done.clocks if r.domain == "gpu"]


@pytest.mark.parametrize(
    ("work", "clock"),
    [(1.0, 0.2), (3.0, 0.4), (4.0, 0.5), (4.5, 0.6), (5.25, 0.6), (5.3, 0.7), (7.0, 0.8), (8.4, 1.0)],
)
def test_simple_ondemand_goes_to_88_percent_at_once(work: float, clock: float) -> None:
    """One period of load decides; at the new clock the load is 88 % at most, and the answer the same."""
    found = gpu("simple_ondemand(period=10 s)", work, 10.0, 95.0)
    assert found == [(0.0, 1.0), (10.0, clock)][: 1 + (clock < 1.0)]


@pytest.mark.parametrize(("work", "clock"), [(4.0, 0.9), (3.5, 0.8), (2.0, 0.5), (4.2, 1.0), (4.6, 1.0)])
def test_simple_ondemand_of_msm(work: float, clock: float) -> None:
    """45 % is wanted; from 40 to 50 % nothing changes, above it is the highest."""
    found = gpu("simple_ondemand(driver=msm, period=10 s)", work, 10.0, 95.0)
    assert found == [(0.0, 1.0), (10.0, clock)][: 1 + (clock < 1.0)]


def test_simple_ondemand_with_half_the_period_sees_half_the_work() -> None:
    """Windows of 5 s: 0.375 to 2.375 is 40 %, so 0.5; then no work, so the lowest clock; there it is always busy."""
    found = gpu("simple_ondemand(period=5 s)", 2.0, 10.0, 19.0)
    assert found == [(0.0, 1.0), (5.0, 0.5), (10.0, 0.1), (15.0, 1.0)]


def test_simple_ondemand_under_a_cap() -> None:
    """2 s of 10 mean 0.3, whether more is allowed or not: 0.22 of 0.88 asks for 0.227."""
    changes = [(12.0, "gpu", 0.3), (32.0, "gpu", None)]
    found = gpu("simple_ondemand(period=10 s)", 2.0, 10.0, 60.0, changes=changes)
    assert found == [(0.0, 1.0), (10.0, 0.3)]


# --- adreno_tz ------------------------------------------------------------------------------------------------

IN_SECONDS = "adreno_tz(floor=5 s, min_busy=1 s, ceiling=50 s, ramp_up=3 s, laziness={})"


def three() -> Device:
    return gpu_board(OppView([0.25, 0.5, 1.0]))


def test_adreno_goes_down_and_up_by_turns() -> None:
    """Kernels of 2 s every 10: a window from start to start; 2 s lower the clock, then the kernel of 4 s raises it.

    After that four windows are let pass before it is lowered again.
    """
    found = gpu(IN_SECONDS.format(4), 2.0, 10.0, 160.0, device=three())
    expected = [(10.375, 0.5), (20.375, 1.0), (70.375, 0.5), (80.375, 1.0), (130.375, 0.5), (140.375, 1.0)]
    assert found == [(0.0, 1.0), *expected]


def test_adreno_without_laziness() -> None:
    found = gpu(IN_SECONDS.format(0), 2.0, 10.0, 60.0, device=three())
    assert found == [(0.0, 1.0)] + [(10.375 + 10 * n, 1.0 if n % 2 else 0.5) for n in range(5)]


def test_adreno_with_little_work_ends_at_the_lowest_clock() -> None:
    """0.6 s are too little for a window; the second end makes them 1.2 s. At half the clock one end is enough."""
    found = gpu(IN_SECONDS.format(0), 0.6, 10.0, 90.0, device=three())
    assert [clock for _, clock in found] == [1.0, 0.5, 0.25]
    assert found[1:] == [(10.975, 0.5), (21.575, 0.25)]


# --- nvhost_podgov --------------------------------------------------------------------------------------------


def test_podgov_climbs_in_three_steps_when_a_cap_goes() -> None:
    """Always busy; polls every 25 ms, raises every 50 at least, by a third of the highest clock."""
    made = toy()
    gpu = replace(made.accelerators["gpu"], opps=tuple(Opp(f, 1.0) for f in JETSON_GPU))
    device = replace(made, accelerators={**made.accelerators, "gpu": gpu})
    rival = Competitor(processor="gpu", kernel="5 ms")
    changes = [(0.01, "gpu", 114.75e6), (1.01, "gpu", None)]
    done = run(device, [rival], {"gpu": "nvhost_podgov"}, 2.0, changes=changes)
    assert trace(done, "gpu") == [
        (0.0, 1109.25), (10.0, 114.75), (1025.0, 510.0), (1075.0, 905.25), (1125.0, 1109.25)
    ]  # fmt: skip


# --- any governor ---------------------------------------------------------------------------------------------

CPU_GOVERNORS = [
    "ondemand",
    "conservative",
    "interactive",
    "schedutil",
    "schedutil_l4t",
    "performance",
    "powersave",
]


class Wild(Governor):
    """Walks at random, though the same each time."""

    def __init__(self, seed: int, period: float = 3 * MS, trigger: str = "timer") -> None:
        self.period, self.trigger, self.seed = period, trigger, seed

    def start(self, domain):
        self.draw = Random(self.seed)

    def next_frequency(self, domain):
        return self.draw.choice([None, *domain.opps, domain.frequency * self.draw.random()])


@pytest.mark.parametrize("governor", CPU_GOVERNORS)
@settings(max_examples=8)
@given(work=st.floats(0.1, 6.0), period=st.floats(4.0, 30.0), rivals=st.integers(0, 2))
def test_work_is_done_whatever_the_governor(governor, work, period, rivals) -> None:
    """Cycles in a core's kernels are those of the work; energy is that of the clocks there were."""
    competitor = Competitor(count=rivals, affinity="big", duty=0.5)
    apps = [load(work, period, count=6), *([competitor] if rivals else [])]
    done = run(board(), apps, {"cpu.big": governor}, 0.8, kernels=True)
    check_cycles(done, work if not rivals else 0.0)
    check_energy(done, alone=not rivals)


@settings(max_examples=25)
@given(seed=st.integers(0, 999), trigger=st.sampled_from(["timer", "scheduler"]), work=st.floats(0.5, 9.0))
def test_work_is_done_whatever_a_wild_governor_wants(seed, trigger, work) -> None:
    done = run(
        board(), [load(work, 10.0, count=6)], {"cpu.big": Wild(seed, trigger=trigger)}, 1.2, kernels=True
    )
    check_cycles(done, work)
    check_energy(done, alone=True)


def steps(done: Outcome) -> list[tuple[float, float, float]]:
    rows = [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == "cpu.big"]
    ends = [start for start, _ in rows[1:]] + [done.duration_s]
    return [(start, end, clock) for (start, clock), end in zip(rows, ends, strict=True)]


def check_cycles(done: Outcome, work: float) -> None:
    """`work`: in ms at 1 GHz of every kernel; 0 not to look at single kernels."""
    for r in done.kernels:
        cycles = sum(f * max(0.0, min(e, r.end_s) - max(s, r.start_s)) for s, e, f in steps(done))
        if work:
            assert cycles == pytest.approx(round(work * 2e6) / 2, rel=1e-6)
        else:
            assert cycles > 0.0


def check_energy(done: Outcome, *, alone: bool) -> None:
    """2 f V^2 + V - 0.5 W above the idle power while the core computes; `alone`: just kernels keep it busy."""
    volts = {f: 0.5 + 0.5 * f / 1e9 for _, _, f in steps(done)}
    watts = {f: 2.0 * f * v**2 + v - 0.5 for f, v in volts.items()}
    busy = done.energy_j["cpu.big"] - 0.5 * done.duration_s
    if alone:
        expected = sum(
            watts[f] * max(0.0, min(e, r.end_s) - max(s, r.start_s))
            for r in done.kernels
            for s, e, f in steps(done)
        )
        assert busy == pytest.approx(expected, rel=1e-6)
    time = 3.0 * done.busy_s["cpu"]  # the mean over one big and two little cores
    assert min(watts.values()) * time * (1 - 1e-9) <= busy <= max(watts.values()) * time * (1 + 1e-9)
