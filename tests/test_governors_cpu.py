"""Governors of CPUs that sample: exact traces by hand from Linux' definitions."""

from __future__ import annotations

import pytest
from govkit import TENTHS, Domain
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.schedulers.governors import DomainSample, make_governor
from socsim.schedulers.governors.conservative import Conservative
from socsim.schedulers.governors.cpufreq import percent, transition_delay
from socsim.schedulers.governors.fixed import Performance, Powersave, Userspace
from socsim.schedulers.governors.interactive import Interactive
from socsim.schedulers.governors.ondemand import Ondemand

SHARES = st.floats(0.0, 1.0)


# --- fixed clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cpu", "gpu", "dsp", "npu", "dram"])
def test_fixed_clocks(kind):
    limits = {"minimum": 250e6, "maximum": 650e6}
    assert Domain(Performance(), frequency=3e8, kind=kind, **limits).mhz == 600.0
    assert Domain(Powersave(), frequency=6e8, kind=kind, **limits).mhz == 300.0
    assert Domain(Userspace("410 MHz"), frequency=3e8, kind=kind, **limits).mhz == 500.0
    assert Domain(Userspace(1e9), frequency=3e8, kind=kind, **limits).mhz == 600.0
    assert Domain(Userspace(), frequency=4e8, kind=kind, **limits).mhz == 400.0


def test_fixed_clocks_follow_limits():
    domain = Domain(Performance())
    assert domain.mhz == 1000.0
    assert domain.call(0.0, elapsed=1.0, maximum=550e6, limits_changed=True) == 500.0


def test_a_set_clock_comes_back_after_a_cap():
    governor = Userspace("800 MHz")
    capped = DomainSample.of(TENTHS, 5e8, maximum=5e8, limits_changed=True)
    assert governor.next_frequency(capped) == 800e6


# --- what they share ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latency", "delay"),
    [(0.0, 1e-3), (0.5e-6, 1e-3), (1e-6, 1e-3), (1.9e-6, 1e-3), (5e-6, 5e-3), (300e-6, 10e-3), (1.0, 10e-3)],
)
def test_least_time_between_changes(latency, delay):
    assert transition_delay(DomainSample.of(TENTHS, transition_latency=latency)) == pytest.approx(delay)


@pytest.mark.parametrize(
    ("share", "whole"), [(0.0, 0), (0.009, 0), (0.29, 29), (0.959, 95), (0.96, 96), (1.0, 100)]
)
def test_loads_are_whole_percent(share, whole):
    assert percent(share) == whole


@pytest.mark.parametrize("cls", [Ondemand, Conservative])
@pytest.mark.parametrize(
    ("options", "latency", "interval"),
    [({}, 300e-6, 10e-3), ({}, 1e-6, 8e-3), ({"tick": "10 ms"}, 300e-6, 20e-3), ({"tick": 1e-3}, 0.0, 2e-3)],
)
def test_sampling_period(cls, options, latency, interval):
    domain = DomainSample.of(TENTHS, transition_latency=latency)
    assert cls(**options).interval(domain) == pytest.approx(interval)


def test_the_period_may_be_set():
    governor = make_governor("ondemand(period=50 ms)")
    assert governor.interval(DomainSample.of(TENTHS, transition_latency=300e-6)) == 0.05
    assert governor.deferrable


# --- ondemand -----------------------------------------------------------------------------------------------


def test_ondemand_above_and_below_its_threshold():
    """95.9 % count as 95, which are not above 95: 100 + 95 % of 900 MHz is 955, closest to 1000; 80 % is 820."""
    domain = Domain(Ondemand(), frequency=5e8)
    assert domain.calls(0.8, 0.959, 0.1, 0.96) == [800.0, 1000.0, 200.0, 1000.0]
    assert domain.governor.next_frequency(domain.sample(0.959, elapsed=0.01)) == pytest.approx(955e6)


def test_ondemand_with_a_threshold_of_80():
    domain = Domain(Ondemand(up_threshold=80), frequency=1e8)
    assert domain.calls(0.80, 0.81, 0.5, 0.0) == [800.0, 1000.0, 500.0, 100.0]


def test_ondemand_takes_the_busiest_cpu():
    domain = Domain(Ondemand(), cpus=3)
    assert domain.call(0.1, 0.4, 0.2) == 500.0
    assert domain.call(0.0, 0.0, 1.0) == 1000.0


def test_ondemand_remembers_the_load_before_a_long_idle_time_once():
    """Idle for 24 of 25 ms, more than two periods of 10 ms: the 100 % before count again, but only once."""
    domain = Domain(Ondemand(), frequency=1e8, transition_latency=300e-6)
    assert domain.call(1.0) == 1000.0
    assert domain.call(0.04, elapsed=0.025) == 1000.0
    assert domain.call(0.04, elapsed=0.025) == 100.0
    assert domain.call(1.0) == 1000.0


def test_ondemand_two_idle_periods_are_not_long():
    domain = Domain(Ondemand(), frequency=1e8, transition_latency=300e-6)
    assert domain.calls(1.0) == [1000.0]
    assert domain.call(0.0, elapsed=0.020) == 100.0


def test_ondemand_first_sample_after_idle_counts_as_it_is():
    domain = Domain(Ondemand(), frequency=5e8, transition_latency=300e-6)
    assert domain.call(0.1, elapsed=0.1) == 200.0


def test_ondemand_samples_less_often_at_the_highest_clock():
    domain = Domain(Ondemand(sampling_down_factor=10), transition_latency=300e-6)
    interval = domain.governor.interval
    assert interval(domain.sample()) == 0.01
    domain.call(1.0)
    assert interval(domain.sample()) == pytest.approx(0.1)
    domain.call(1.0)
    assert interval(domain.sample()) == pytest.approx(0.1)
    domain.call(0.5)
    assert interval(domain.sample()) == 0.01


def test_ondemand_keeps_to_limits_but_computes_with_the_whole_range():
    domain = Domain(Ondemand(), frequency=3e8, minimum=3e8, maximum=6e8)
    assert domain.calls(0.5, 0.1, 1.0, 0.7) == [500.0, 300.0, 600.0, 600.0]


def test_ondemand_without_time_passed_keeps_its_load():
    domain = Domain(Ondemand())
    assert domain.call(0.5) == 500.0
    assert domain.call(0.0, elapsed=0.0) == 500.0


@given(SHARES, st.sampled_from(list(TENTHS)))
def test_ondemand_at_a_constant_load_does_not_depend_on_the_clock(load, clock):
    domain = Domain(Ondemand(), frequency=clock)
    first = domain.call(load)
    assert domain.calls(load, load, load) == [first] * 3
    assert first == Domain(Ondemand()).call(load)


# --- conservative -------------------------------------------------------------------------------------------


def test_conservative_steps():
    """5 % of 1 GHz a step: up to the highest point not above what is requested, down to the lowest not below."""
    domain = Domain(Conservative(), frequency=5e8)
    assert domain.calls(0.81, 0.81, 0.81, 0.81) == [500.0, 600.0, 600.0, 700.0]
    assert domain.calls(0.8, 0.2) == [700.0, 700.0]
    assert domain.calls(0.19, 0.19, 0.19, 0.19) == [700.0, 600.0, 600.0, 500.0]


def test_conservative_ends_at_the_limits():
    domain = Domain(Conservative(freq_step=40), frequency=5e8)
    assert domain.calls(1.0, 1.0, 1.0) == [900.0, 1000.0, 1000.0]
    assert domain.calls(0.0, 0.0, 0.0, 0.0) == [600.0, 200.0, 100.0, 100.0]


def test_conservative_steps_are_shares_of_the_upper_limit():
    domain = Domain(Conservative(freq_step=50), frequency=1e8, maximum=4e8)
    assert domain.calls(1.0, 1.0, 1.0) == [300.0, 400.0, 400.0]


def test_conservative_waits_before_it_goes_down():
    """Every third low sample; a high one starts the count anew."""
    domain = Domain(Conservative(freq_step=10, sampling_down_factor=3), frequency=5e8)
    assert domain.calls(0.0, 0.0, 0.0, 0.0, 0.0, 1.0) == [500.0, 500.0, 400.0, 400.0, 400.0, 500.0]
    assert domain.calls(0.0, 0.0, 0.0) == [500.0, 500.0, 400.0]


def test_conservative_makes_up_for_idle_periods():
    """35 ms idle are three periods of 10 ms: three steps down, then one for the low load."""
    domain = Domain(Conservative(freq_step=10), frequency=9e8, transition_latency=300e-6)
    assert domain.call(0.0, elapsed=0.035) == 500.0
    assert domain.call(0.0, elapsed=0.020) == 400.0


def test_conservative_after_idling_and_a_load_before_it():
    """The load before the gap counts once more: three steps down and one up."""
    domain = Domain(Conservative(freq_step=10), frequency=8e8, transition_latency=300e-6)
    assert domain.call(1.0) == 900.0
    assert domain.call(0.0, elapsed=0.035) == 700.0


def test_conservative_starts_from_the_present_clock_after_a_cap():
    domain = Domain(Conservative(freq_step=10), frequency=9e8)
    domain.call(0.5)
    domain.frequency = 3e8
    assert domain.call(1.0, maximum=4e8) == 300.0


def test_conservative_without_steps():
    assert Domain(Conservative(freq_step=0), frequency=5e8).calls(1.0, 0.0) == [500.0, 500.0]


@given(SHARES)
def test_conservative_settles_at_a_constant_load(load):
    domain = Domain(Conservative(), frequency=5e8)
    last = domain.calls(*[load] * 25)[-1]
    expected = 1000.0 if percent(load) > 80 else 100.0 if percent(load) < 20 else 500.0
    assert last == expected
    assert domain.call(load) == expected


# --- interactive --------------------------------------------------------------------------------------------


def test_interactive_chooses_for_the_target_load():
    """50 % at 900 MHz is 450 MHz of work, 500 MHz at 90 %."""
    domain = Domain(Interactive(min_sample_time=0.0), frequency=9e8)
    assert domain.call(0.5) == 500.0
    assert domain.call(0.9) == 500.0
    assert domain.call(0.98) == 600.0


def test_interactive_jumps_to_its_high_clock_and_waits_above_it():
    """The jump at 20 ms is to 600 MHz; the delay of 30 ms from there is over at 60 ms."""
    governor = Interactive(hispeed_freq="600 MHz", above_hispeed_delay="30 ms")
    domain = Domain(governor, frequency=2e8)
    assert domain.calls(0.99, 1.0, 1.0) == [600.0, 600.0, 700.0]


def test_interactive_does_not_jump_over_its_high_clock():
    """50 % of 200 MHz are 500 MHz for a target of 20 %, above the high clock: that comes first."""
    domain = Domain(Interactive(hispeed_freq="300 MHz", target_load=20), frequency=2e8)
    assert domain.call(0.5) == 300.0


def test_interactive_goes_to_the_highest_clock_by_default():
    assert Domain(Interactive(), frequency=1e8).calls(0.99) == [1000.0]
    assert Domain(Interactive(), frequency=1e8, maximum=5e8).calls(1.0) == [500.0]


def test_interactive_keeps_a_clock_for_its_least_time():
    """Raised at 20 ms, and valid anew as long as the load lasts, at 40 ms; 30 ms later, at 80 ms, it may fall."""
    domain = Domain(Interactive(), frequency=1e8)
    assert domain.calls(1.0, 1.0, 0.0, 0.0) == [1000.0, 1000.0, 1000.0, 100.0]


def test_interactive_with_the_least_time_of_older_kernels():
    domain = Domain(Interactive(min_sample_time="80 ms"), frequency=1e8)
    assert domain.calls(1.0, 0.0, 0.0, 0.0, 0.0) == [1000.0, 1000.0, 1000.0, 1000.0, 100.0]


def test_interactive_takes_the_highest_target_of_the_cpus():
    domain = Domain(Interactive(min_sample_time=0.0), frequency=5e8, cpus=2)
    assert domain.call(0.9, 0.3) == 500.0
    assert domain.call(0.3, 0.5) == 300.0


def test_interactive_a_cpu_that_was_busy_lately_holds_the_clock():
    """The first CPU's floor of 20 ms lets it fall at 60 ms although the second was never busy."""
    domain = Domain(Interactive(), frequency=1e8, cpus=2)
    assert [domain.call(*loads) for loads in ((1.0, 0.0), (0.0, 0.0), (0.0, 0.0))] == [1000.0, 1000.0, 100.0]


@given(SHARES)
def test_interactive_settles_where_the_load_fits(load):
    """Work that is a share of the highest clock ends at the lowest point that does it below the target load."""
    domain = Domain(Interactive(), frequency=1e9)
    work = load * 1e9
    for _ in range(12):
        domain.call(min(1.0, work / domain.frequency))
    assert work <= domain.frequency
    expected = TENTHS.at_least(work / 0.9)
    assert domain.frequency == expected or (domain.frequency == 1e9 and work / expected >= 0.9)


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "ondemand(up_threshold=0)",
            "'ondemand': up_threshold must be a number above 0 and at most 100, in %, got 0",
        ),
        (
            "ondemand(up_threshold=101)",
            "up_threshold must be a number above 0 and at most 100, in %, got 101",
        ),
        (
            "ondemand(up_threshold=high)",
            "up_threshold must be a number above 0 and at most 100, in %, got 'high'",
        ),
        (
            "ondemand(up_threshold=true)",
            "up_threshold must be a number above 0 and at most 100, in %, got True",
        ),
        (
            "ondemand(sampling_down_factor=0)",
            "sampling_down_factor must be a whole number from 1, got 0",
        ),
        (
            "ondemand(sampling_down_factor=1.5)",
            "sampling_down_factor must be a whole number from 1, got 1.5",
        ),
        ("ondemand(tick=-1)", "tick must be a finite time from 0, such as 60 ms, got -1"),
        ("ondemand(tick=4 MHz)", "'ondemand': tick: '4 MHz' is a frequency, expected a time"),
        ("ondemand(period=-1)", "period must be a finite time from 0, such as 60 ms, got -1"),
        ("conservative(down_threshold=80)", r"down_threshold must be below up_threshold \(80\), got 80"),
        ("conservative(freq_step=200)", "freq_step must be a number from 0 to 100, in %, got 200"),
        ("conservative(freq_stp=2)", "no option 'freq_stp'; did you mean 'freq_step'"),
        ("interactive(target_load=0)", "target_load must be a number above 0 and at most 100, in %, got 0"),
        ("interactive(hispeed_freq=fast)", "'interactive': hispeed_freq: 'fast' is no frequency"),
        (
            "interactive(min_sample_time=-1)",
            "min_sample_time must be a finite time from 0, such as 60 ms, got -1",
        ),
        ("interactive(period=0)", "period must be a finite time above 0, such as 60 ms, got 0"),
        ("userspace(frequency=2 s)", "'userspace': frequency: '2 s' is a time, expected a frequency"),
        ("userspace(frequency=-1)", "frequency must be a finite frequency from 0, such as 1.2 GHz, got -1"),
        ("performance(period=1)", "'performance' has no option 'period'; it takes none"),
    ],
)
def test_bad_options(spec, message):
    with pytest.raises(UsageError, match=message):
        make_governor(spec)


@pytest.mark.parametrize(
    ("tick", "option", "interval"), [(4e-3, "", 8e-3), (10e-3, "", 20e-3), (10e-3, "1 ms", 2e-3)]
)
def test_ticks_are_the_device_s_unless_told_otherwise(tick, option, interval):
    """Two of them between samples, where the driver is quick."""
    for name in ("ondemand", "conservative"):
        governor = make_governor(f"{name}(tick={option})" if option else name)
        assert governor.interval(DomainSample.of(TENTHS, tick=tick, transition_latency=1e-6)) == interval


def test_interactive_keeps_the_high_clock_that_it_began_with():
    """As the kernel fills it in when the governor starts: a cap that goes later does not raise it."""
    domain = Domain(Interactive(above_hispeed_delay="50 ms"), frequency=5e8, maximum=5e8)
    domain.fixed.pop("maximum")
    assert domain.calls(1.0, 1.0, 1.0) == [500.0, 500.0, 600.0]
