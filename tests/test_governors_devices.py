"""Governors of GPUs and memories: exact traces by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from govkit import JETSON_GPU, TENTHS, Domain
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.schedulers.governors import DomainSample, make_governor
from socsim.schedulers.governors.adreno import AdrenoTz
from socsim.schedulers.governors.podgov import NvhostPodgov
from socsim.schedulers.governors.simple_ondemand import DRIVERS, SimpleOndemand

SHARES = st.floats(0.0, 1.0)
ADRENO = [257e6, 345e6, 427e6, 499.2e6, 585e6]


# --- simple_ondemand ----------------------------------------------------------------------------------------


def gpu(governor, frequency=0.0, opps=TENTHS, **more):
    return Domain(governor, opps, frequency, kind="gpu", **more)


def test_simple_ondemand_above_in_and_below_its_band():
    """Above 90 % highest; above 85 % the same; else load over 88 %: 0.5 / 0.88 of 800 MHz is 454.5."""
    domain = gpu(SimpleOndemand(), 8e8)
    assert domain.calls(0.9, 0.86, 0.5) == [800.0, 800.0, 500.0]
    assert domain.calls(0.85, 0.901, 0.88) == [500.0, 1000.0, 1000.0]
    assert domain.governor.next_frequency(domain.sample(0.44, elapsed=0.05)) == pytest.approx(500e6)


def test_simple_ondemand_halves_its_band_as_integers_are():
    """5 // 2 is 2, so that 85 % of 1 GHz becomes 85 / 88; 6 // 2 is 3: 87."""
    sample = gpu(SimpleOndemand(), 1e9).sample(0.84, elapsed=1.0)
    assert SimpleOndemand().next_frequency(sample) == pytest.approx(84 / 88 * 1e9)
    assert SimpleOndemand(downdifferential=6).next_frequency(sample) == pytest.approx(84 / 87 * 1e9)


def test_simple_ondemand_that_was_off_starts_at_the_highest_clock():
    assert gpu(SimpleOndemand(), 1e8).call(0.0, total_s=0.0) == 1000.0


@pytest.mark.parametrize(
    ("driver", "up", "down", "trace"),
    [
        ("", 90, 5, [100.0, 100.0, 100.0]),
        ("msm", 50, 10, [1000.0, 1000.0, 800.0]),
        ("panfrost", 45, 5, [1000.0, 1000.0, 900.0]),
    ],
)
def test_simple_ondemand_of_drivers(driver, up, down, trace):
    """36 % of 1 GHz over 45 % are 800 MHz, over 43 % 837 MHz."""
    governor = SimpleOndemand(driver=driver)
    assert (governor.upthreshold, governor.downdifferential) == (up, down) == DRIVERS[driver]
    assert gpu(governor, 1e8).calls(0.6, 0.42, 0.36) == trace
    assert governor.interval(DomainSample.of(TENTHS)) == 0.05


def test_simple_ondemand_options_win_over_those_of_drivers():
    governor = make_governor("simple_ondemand(driver=msm, upthreshold=70, period=100 ms)")
    assert (governor.upthreshold, governor.downdifferential) == (70, 10)
    assert governor.interval(DomainSample.of(TENTHS)) == 0.1


def test_simple_ondemand_is_for_all_but_cpus():
    assert [make_governor("simple_ondemand", kind).title for kind in ("gpu", "dsp", "npu", "dram")] == [
        "simple_ondemand"
    ] * 4
    with pytest.raises(UsageError, match="is for domains of kind gpu, dsp, npu, dram, got 'cpu'"):
        make_governor("simple_ondemand", "cpu")


@given(SHARES, st.sampled_from(list(TENTHS)))
def test_simple_ondemand_comes_to_rest_under_constant_work(work, clock):
    """Work that is a share of the highest clock: it settles, in the band or at the lowest point for it."""
    domain = gpu(SimpleOndemand(), clock)
    for _ in range(30):
        domain.call(min(1.0, work * 1e9 / domain.frequency))
    rest = domain.frequency
    domain.call(min(1.0, work * 1e9 / rest))
    settled = domain.frequency == rest
    # Between two points a load may be above the band at the lower and below it at the upper one: then it swings
    # between the highest clock and that point.
    assert settled or {rest, domain.frequency} & {1e9}


# --- nvhost_podgov ------------------------------------------------------------------------------------------


def test_podgov_from_lowest_to_highest_takes_three_steps_and_150_ms():
    """A third of 1109.25 MHz a step, 369 in whole MHz: 114 + 369 = 483 is 510, 879 is 905.25, then the highest."""
    domain = gpu(NvhostPodgov(), opps=JETSON_GPU)
    assert domain.governor.interval(domain.sample()) == 0.025
    trace = domain.calls(*[1.0] * 8)
    assert trace == [114.75, 510.0, 510.0, 905.25, 905.25, 1109.25, 1109.25, 1109.25]
    assert domain.now == pytest.approx(0.2)


def test_podgov_holds_for_a_window_after_each_change():
    """A change at 50 ms; from 75 ms on the GPU is idle, but nothing can happen before 100 ms.

    Idle average then 172, 247 and 315: 828 busy still means a raise to 584 MHz, damped by the average of clocks wanted,
    43, 92, 132 and 165 MHz (it starts from 0), to 436; at 125 ms 540 becomes 417; at 150 ms 502 becomes 400: 408 MHz.
    """
    domain = gpu(NvhostPodgov(), opps=JETSON_GPU)
    assert domain.calls(1.0, 1.0) == [114.75, 510.0]
    assert domain.calls(0.0, 0.0, 0.0, 0.0, 0.0) == [510.0, 510.0, 510.0, 408.0, 408.0]
    assert (domain.governor._idle, domain.governor._wanted) == (377, 165)


def test_podgov_down_is_damped():
    """At 905 MHz and a load of 0.5: idle average 500 / 11 = 45 at 25 ms, (450 + 500) / 11 = 86 at 50 ms.

    914 busy is 214 above the target, 0.8 * 905 * 214 / 700 = 221 MHz up to 1126; the average of those wanted is 1126 /
    11 = 102; 0.7 * 1126 + 0.3 * 102 = 818 MHz, 854.25 of the table.
    """
    domain = gpu(NvhostPodgov(), 905.25e6, JETSON_GPU)
    assert domain.calls(0.5) == [905.25]
    wanted = domain.governor.next_frequency(
        DomainSample.of(JETSON_GPU, 905.25e6, 0.5, kind="gpu", elapsed=0.025, now=0.05)
    )
    assert wanted == 854.25e6
    assert domain.governor._scaled_at == 0.05


def test_podgov_newer_averages_cycles():
    """After 20 polls at 510 MHz and full load (held by its limit) the clock may rise: cycles tell where from.

    cycles_avg tends to 510 MHz; at 1109.25 MHz and 30 % the newest is 332.8, the average (10 * 433.6 + 332.8) / 11.
    """
    domain = gpu(NvhostPodgov(version="newer"), 510e6, JETSON_GPU, maximum=510e6, minimum=510e6)
    domain.calls(*[1.0] * 20)
    governor = domain.governor
    average = 510e6 * (1 - (10 / 11) ** 20)
    assert governor._cycles == pytest.approx(average)
    sample = DomainSample.of(JETSON_GPU, 1109.25e6, 0.3, kind="gpu", elapsed=0.025, now=1.0)
    governor.next_frequency(sample)
    assert governor._cycles == pytest.approx((10 * average + 0.3 * 1109.25e6) / 11)
    assert governor._busyness(sample) == int(1000 * governor._cycles / 1109.25e6)


def test_podgov_history_holds_the_highest_load():
    """One full poll in the last three: busyness 1000 although the average is far below."""
    governor = NvhostPodgov(version="newer", history=3, block_window="1 s")
    domain = gpu(governor, 510e6, JETSON_GPU)
    domain.calls(0.0, 1.0, 0.0, 0.0)
    assert governor._busyness(domain.sample()) == 1000
    domain.calls(0.0)
    assert governor._busyness(domain.sample()) == 0


def test_podgov_old_and_new_differ_in_what_they_remember():
    shares = [0.46] * 8
    old, new = (gpu(NvhostPodgov(version=v), 1109.25e6, JETSON_GPU) for v in (4.9, "newer"))
    assert old.calls(*shares) != new.calls(*shares)


def test_podgov_of_a_gpu_that_was_off_keeps_its_clock():
    domain = gpu(NvhostPodgov(), 510e6, JETSON_GPU)
    assert domain.calls(0.5, 0.5, 0.5, total_s=0.0) == [510.0] * 3


@pytest.mark.parametrize(("version", "clock"), [("4.9", 1109.25), ("newer", 408.0)])
def test_podgov_rounds_idle_or_busy_time_down(version, clock):
    """At 900.5 of 1000: 1000 less the 99 of idle time are 901, above 900; 900 of busy time are not.

    The newer one then goes by the average: cycles of 0.9005 / 11 of the clock are 81 of 1000, 619 below the target;
    1058 - 0.8 * 1058 * 619 / 700 = 310 MHz.
    """
    domain = gpu(NvhostPodgov(version=version, block_window=0.0, damp=10), 1058.25e6, JETSON_GPU)
    assert domain.calls(0.9005) == [clock]


def test_podgov_newer_puts_a_suspended_gpu_to_its_lowest_clock_and_forgets():
    """What is left are the cycles on average; the block window begins anew."""
    governor = NvhostPodgov(version="newer", history=5)
    domain = gpu(governor, 510e6, JETSON_GPU)
    domain.calls(1.0, 1.0)
    cycles = governor._cycles
    assert domain.call(0.0, total_s=0.0, suspended=True) == 114.75
    assert (governor._wanted, list(governor._recent), governor._cycles) == (0, [], cycles)
    assert domain.calls(1.0) == [114.75]
    assert domain.calls(1.0) == [510.0]


def test_podgov_4_9_leaves_a_suspended_gpu_alone():
    domain = gpu(NvhostPodgov(), 510e6, JETSON_GPU)
    assert domain.call(0.0, total_s=0.0, suspended=True) == 510.0
    assert domain.call(0.0, total_s=0.01, suspended=True) == 510.0
    assert domain.governor._idle == 1000 // 11


def test_podgov_steps_are_a_third_of_the_upper_limit():
    domain = gpu(NvhostPodgov(), opps=JETSON_GPU, maximum=803.25e6)
    assert domain.calls(1.0, 1.0, 1.0, 1.0, 1.0, 1.0) == [114.75, 408.0, 408.0, 701.25, 701.25, 803.25]


@given(st.sampled_from(["4.9", "newer"]), st.lists(SHARES, min_size=1, max_size=60))
def test_podgov_changes_at_most_once_in_a_window(version, loads):
    domain = gpu(NvhostPodgov(version=version), 510e6, JETSON_GPU)
    clocks = [510.0, *domain.calls(*loads)]
    changes = [i for i in range(1, len(clocks)) if clocks[i] != clocks[i - 1]]
    assert all(later - earlier >= 2 for earlier, later in pairwise(changes))
    assert not changes or changes[0] >= 2


@pytest.mark.parametrize("version", ["4.9", "newer"])
def test_podgov_idle_comes_down_to_the_lowest_clock(version):
    domain = gpu(NvhostPodgov(version=version), 1109.25e6, JETSON_GPU)
    assert domain.calls(*[0.0] * 80)[-1] == 114.75


# --- adreno_tz ----------------------------------------------------------------------------------------------


def adreno(frequency=0.0, **options):
    return gpu(AdrenoTz(**options), frequency, ADRENO)


def busy(domain, *pairs):
    """Clocks in MHz after windows of (busy, total) in ms."""
    return [domain.call(b / t, elapsed=t * 1e-3, busy_s=b * 1e-3) for b, t in pairs]


def test_adreno_goes_up_a_level_after_each_busy_window():
    domain = adreno(257e6)
    assert busy(domain, (4, 5), (4, 8), (3.1, 5), (10, 20), (10, 20)) == [345.0, 427.0, 499.2, 585.0, 585.0]


def test_adreno_goes_down_a_level_after_some_lazy_windows():
    """The first one at once, then every fifth: four are let pass."""
    domain = adreno(585e6)
    assert busy(domain, *[(2, 20)] * 7) == [499.2] * 5 + [427.0] * 2


def test_adreno_laziness_of_none():
    assert busy(adreno(585e6, laziness=0), *[(2, 20)] * 6) == [499.2, 427.0, 345.0, 257.0, 257.0, 257.0]


def test_adreno_a_long_busy_block_takes_the_highest_clock():
    assert busy(adreno(257e6), (50, 60)) == [345.0]
    assert busy(adreno(257e6), (51, 60)) == [585.0]


def test_adreno_sums_up_short_work():
    """Windows of 1 ms, all busy: at 5 ms there are 5 ms busy, and it goes up; then the sums begin anew."""
    domain = adreno(257e6)
    assert busy(domain, *[(1, 1)] * 10) == [257.0] * 4 + [345.0] * 5 + [427.0]


def test_adreno_with_too_little_work_decides_nothing():
    """0.9 ms are too little although the window is long; the next 0.2 ms make it 1.1 ms in 120 ms."""
    domain = adreno(585e6)
    assert busy(domain, (0.9, 60), (0.2, 60)) == [585.0, 499.2]


def test_adreno_that_was_off_decides_nothing():
    domain = adreno(585e6)
    assert domain.call(0.0, elapsed=0.1, busy_s=0.0, total_s=0.0) == 585.0
    assert domain.governor.trigger == "busy"


def test_adreno_begins_anew_after_it_was_powered_down():
    """4 ms of a window are forgotten; the next one needs 5 ms of its own."""
    domain = adreno(345e6)
    busy_ms = {"busy_s": 4e-3, "total_s": 4e-3}
    assert domain.call(1.0, elapsed=4e-3, **busy_ms) == 345.0
    assert domain.call(0.0, elapsed=1.0, busy_s=0.0, total_s=0.08, suspended=True) == 345.0
    assert domain.call(1.0, elapsed=4e-3, **busy_ms) == 345.0
    assert domain.call(1.0, elapsed=1e-3, busy_s=1e-3, total_s=1e-3) == 427.0


def test_adreno_from_a_clock_between_levels():
    """A limit may hold the clock anywhere: the closest level counts."""
    governor = AdrenoTz()
    sample = DomainSample.of(ADRENO, 400e6, 1.0, kind="gpu", elapsed=0.01)
    assert governor.next_frequency(sample) == 499.2e6


@given(st.lists(st.tuples(SHARES, st.floats(1e-4, 0.1)), max_size=40))
def test_adreno_moves_by_a_level_or_to_the_highest(windows):
    domain = adreno(427e6)
    for share, time in windows:
        before = domain.opps.index(domain.frequency)
        domain.call(share, elapsed=time)
        after = domain.opps.index(domain.frequency)
        assert abs(after - before) <= 1 or after == len(ADRENO) - 1


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "simple_ondemand(upthreshold=101)",
            "upthreshold must be a number above 0 and at most 100, in %, got 101",
        ),
        ("simple_ondemand(upthreshold=4)", r"downdifferential must be at most upthreshold \(4\), got 5"),
        ("simple_ondemand(driver=lima)", "driver must be one of msm, panfrost, got 'lima'"),
        ("simple_ondemand(polling=1)", "no option 'polling'"),
        ("nvhost_podgov(version=5)", "version must be one of 4.9, newer, got '5'"),
        ("nvhost_podgov(damp=11)", "damp must be a number from 0 to 10, got 11"),
        ("nvhost_podgov(load_target=0)", "load_target must be a number above 0 and at most 1000, got 0"),
        ("nvhost_podgov(smooth=0.5)", "smooth must be a whole number from 0, got 0.5"),
        ("nvhost_podgov(block_window=50)x", "a governor is written"),
        (
            "nvhost_podgov(block_window=50 mss)",
            "'nvhost_podgov': block_window: unknown unit 'mss', did you mean 'ms'",
        ),
        ("adreno_tz(floor=-1)", "floor must be a finite time from 0, such as 60 ms, got -1"),
        ("adreno_tz(laziness=-1)", "laziness must be a whole number from 0, got -1"),
        ("adreno_tz(period=10 ms)", "no option 'period'"),
    ],
)
def test_bad_options(spec, message):
    with pytest.raises(UsageError, match=message):
        make_governor(spec)
