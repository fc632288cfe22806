"""schedutil: exact traces, with utilisation from PELT."""

from __future__ import annotations

import pytest
from govkit import TENTHS, Domain
from hypothesis import given
from hypothesis import strategies as st

from socsim.devices.pelt import CAPACITY, decayed
from socsim.errors import UsageError
from socsim.schedulers.governors import DomainSample, OppView, make_governor
from socsim.schedulers.governors.iowait import IowaitBoost, JumpingBoost
from socsim.schedulers.governors.schedutil import Schedutil, SchedutilL4t

FINE = OppView(1e6 * mhz for mhz in range(1, 1001))
TICK = 4e-3


def asked(governor, utils, now=0.0, frequency=1e8, opps=TENTHS, **more):
    """What a governor wants in MHz of CPUs of some utilisation, or None."""
    utils = utils if isinstance(utils, tuple) else (utils,)
    sample = DomainSample.of(opps, frequency, *(0.5,) * len(utils), utils=utils, now=now, **more)
    wanted = governor.next_frequency(sample)
    return None if wanted is None else wanted / 1e6


# --- the rule -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("util", "mhz"),
    [
        (0.0, 100),
        (81.92, 100),
        (82.0, 200),
        (512.0, 700),
        (573.44, 700),
        (574.0, 800),
        (737.3, 1000),
        (1024.0, 1000),
    ],
)
def test_a_quarter_more_than_needed(util, mhz):
    """512 of 1024 need 625 MHz of 1000: 700 of the table."""
    assert asked(Schedutil(), util) == mhz


def test_utilisation_is_of_the_biggest_core_and_capacity_of_this_one():
    """A core of half the capacity that is used by 256 is half used."""
    assert asked(Schedutil(), 256.0, capacity=512.0) == 700.0
    assert asked(Schedutil(), 600.0, capacity=512.0) == 1000.0


def test_the_busiest_cpu_counts():
    assert asked(Schedutil(), (100.0, 512.0, 3.0)) == 700.0


def test_without_frequency_invariance_the_present_clock_is_the_reference():
    assert asked(Schedutil(invariant=False), 1024.0, frequency=4e8) == 500.0
    assert asked(Schedutil(invariant=False), 512.0, frequency=4e8) == 300.0


def test_margin():
    assert asked(Schedutil(margin=1.0), 512.0) == 500.0
    assert asked(Schedutil(margin=2), 512.0) == 1000.0


def test_what_tasks_usually_use_counts():
    assert asked(Schedutil(), 100.0, estimates=(512.0,)) == 700.0
    assert asked(Schedutil(), 512.0, estimates=(100.0,)) == 700.0
    assert asked(Schedutil(util_est=False), 100.0, estimates=(512.0,)) == 200.0


def test_limits_are_kept():
    assert asked(Schedutil(), 1024.0, maximum=600e6) == 600.0
    assert asked(Schedutil(), 0.0, minimum=300e6) == 300.0


@pytest.mark.parametrize(
    ("uclamp", "util", "mhz"),
    [
        ((512.0, 1024.0), 10.0, 700),
        ((0.0, 512.0), 1000.0, 700),
        ((0.0, 512.0), 100.0, 200),
        ((800.0, 400.0), 0.0, 1000),
    ],
)
def test_clamps_of_tasks(uclamp, util, mhz):
    """Of clamps that contradict each other the lower one counts, as in Linux."""
    assert asked(Schedutil(), util, uclamp=uclamp) == mhz


# --- PELT's 74 ms -------------------------------------------------------------------------------------------


def running(governor, until, clock=None):
    """Instants in ms and clocks in MHz of changes for a thread that runs from idle, at a constant time scale."""
    changes, frequency = [], 1e6
    for tick in range(1, round(until / 1e-3) + 1):
        now = tick * 1e-3
        wanted = asked(governor, decayed(0.0, now, CAPACITY), now, frequency, FINE, was_idle=(False,))
        if wanted is not None:
            frequency = wanted * 1e6
            changes.append((tick, wanted))
    return changes


def test_a_thread_that_always_runs_asks_for_the_highest_clock_after_74_ms():
    """1.25 (1 - 2^(-t / 32 ms)) = 1 at t = 32 ms log2(5) = 74.3 ms."""
    changes = running(Schedutil(rate_limit="1 us"), 0.1)
    assert changes[-1] == (75, 1000.0)
    assert changes[-2][0] == 74 and changes[-2][1] == 999.0
    assert [mhz for _, mhz in changes] == sorted(mhz for _, mhz in changes)


def test_half_of_the_clock_after_24_ms():
    """1.25 (1 - 2^(-t / 32 ms)) = 0.5 at t = 32 ms log2(1 / 0.6) = 23.6 ms."""
    changes = dict(running(Schedutil(rate_limit="1 us"), 0.03))
    assert changes[23] < 500.0 < changes[24]


def test_the_rate_limit_delays_the_highest_clock_to_its_next_chance():
    """Changes are 10 ms apart: at 1, 11, ..., 71 ms, and the highest clock at 81 ms."""
    changes = running(Schedutil(rate_limit="10 ms"), 0.1)
    assert [at for at, _ in changes] == [1, 11, 21, 31, 41, 51, 61, 71, 81]
    assert changes[-1] == (81, 1000.0)


# --- rate limit ---------------------------------------------------------------------------------------------


def test_the_rate_limit_counts_from_the_last_change():
    """A call that changes nothing does not count: at 25 ms the last change was at 12 ms."""
    governor = Schedutil(rate_limit="10 ms")
    asks = [
        (0.0, 512.0),
        (5e-3, 1024.0),
        (12e-3, 1024.0),
        (21e-3, 0.0),
        (22e-3, 0.0),
        (25e-3, 512.0),
        (32e-3, 512.0),
    ]
    got = [asked(governor, util, now) for now, util in asks]
    assert got == [700.0, None, 1000.0, None, 100.0, None, 700.0]


@pytest.mark.parametrize(("latency", "limit"), [(300e-6, 10e-3), (2e-6, 2e-3), (0.0, 1e-3)])
def test_the_rate_limit_comes_from_the_latency(latency, limit):
    governor = Schedutil()
    assert asked(governor, 512.0, 0.0, transition_latency=latency) == 700.0
    assert asked(governor, 1024.0, 0.99 * limit, transition_latency=latency) is None
    assert asked(governor, 1024.0, limit, transition_latency=latency) == 1000.0


def test_nothing_is_wanted_where_nothing_changes():
    governor = Schedutil(rate_limit="1 ms")
    assert asked(governor, 512.0, 0.0) == 700.0
    assert [asked(governor, 512.0, now * 1e-2) for now in range(1, 5)] == [None] * 4


def test_new_limits_do_not_wait():
    governor = Schedutil(rate_limit="10 ms")
    assert asked(governor, 1024.0, 0.0) == 1000.0
    assert asked(governor, 1024.0, 1e-3, maximum=5e8, limits_changed=True) == 500.0
    assert asked(governor, 1024.0, 2e-3) is None
    assert asked(governor, 1024.0, 3e-3, limits_changed=True) == 1000.0


def test_new_limits_are_answered_even_with_the_same_clock():
    """That is no change from which the rate limit counts (`sugov_update_next_freq`)."""
    governor = Schedutil(rate_limit="10 ms")
    assert asked(governor, 512.0, 0.0) == 700.0
    assert asked(governor, 512.0, 9e-3, maximum=9e8, limits_changed=True) == 700.0
    assert asked(governor, 1024.0, 10e-3) == 1000.0


def test_new_limits_let_a_busy_cpu_slow_down():
    """`need_freq_update`: what was wanted before counts no more."""
    governor = Schedutil(rate_limit="1 ms")
    assert asked(governor, 1024.0, 0.0, was_idle=(False,)) == 1000.0
    assert asked(governor, 100.0, 0.01, was_idle=(False,), limits_changed=True) == 200.0
    assert asked(governor, 100.0, 0.02, was_idle=(False,)) is None


def test_limits_within_a_tick_are_answered_once():
    governor = Schedutil(rate_limit="10 ms")
    assert asked(governor, 1024.0, 0.0) == 1000.0
    assert asked(governor, 512.0, 1e-3, limits_changed=True) == 700.0
    assert asked(governor, 100.0, 2e-3) is None


# --- no premature fall --------------------------------------------------------------------------------------


def test_a_cpu_that_has_not_been_idle_does_not_slow_down():
    governor = Schedutil(rate_limit="1 ms")
    assert asked(governor, 1024.0, 0.0, was_idle=(False,)) == 1000.0
    assert asked(governor, 100.0, 0.01, was_idle=(False,)) is None
    assert asked(governor, 100.0, 0.02, was_idle=(True,)) == 200.0


def test_idle_time_within_the_rate_limit_is_not_forgotten():
    governor = Schedutil(rate_limit="10 ms")
    assert asked(governor, 1024.0, 0.0, was_idle=(False,)) == 1000.0
    assert asked(governor, 100.0, 0.005, was_idle=(True,)) is None
    assert asked(governor, 100.0, 0.015, was_idle=(False,)) == 200.0


def test_cpus_that_share_a_clock_slow_down_at_once():
    governor = Schedutil(rate_limit="1 ms")
    assert asked(governor, (1024.0, 0.0), 0.0, was_idle=(False, False)) == 1000.0
    assert asked(governor, (100.0, 0.0), 0.01, was_idle=(False, False)) == 200.0


def test_a_cpu_that_is_clamped_slows_down_at_once():
    governor = Schedutil(rate_limit="1 ms")
    assert asked(governor, 1024.0, 0.0, was_idle=(False,)) == 1000.0
    assert asked(governor, 1024.0, 0.01, was_idle=(False,), uclamp=(0.0, 512.0)) == 700.0


def test_a_cpu_is_clamped_by_what_its_tasks_usually_use_too():
    """`uclamp_rq_is_capped` looks at util_est as well."""
    governor = Schedutil(rate_limit="1 ms")
    assert asked(governor, 1024.0, 0.0, was_idle=(False,)) == 1000.0
    busy = {"was_idle": (False,), "uclamp": (0.0, 512.0)}
    assert asked(governor, 100.0, 0.01, **busy) is None
    assert asked(governor, 100.0, 0.02, estimates=(600.0,), **busy) == 700.0


def test_each_cpu_has_clamps_of_its_own():
    """A thread that is held back on one CPU does not hold back another."""
    clamps = ((0.0, 128.0), (0.0, 1024.0))
    assert asked(Schedutil(), (1024.0, 300.0), uclamps=clamps) == 400.0
    assert asked(Schedutil(), (300.0, 1024.0), uclamps=clamps) == 1000.0
    assert asked(Schedutil(), (10.0, 10.0), uclamps=((512.0, 1024.0), (0.0, 1024.0))) == 700.0


# --- waiting for input and output ---------------------------------------------------------------------------


def test_the_boost_doubles_and_halves():
    """1/8 of the capacity at first; 1.25 of it on 1 GHz are 156.25 MHz and so on."""
    governor = Schedutil(rate_limit="1 us")
    woken = [asked(governor, 0.0, n * 1e-3, opps=FINE, iowait=True) for n in range(5)]
    assert woken == [157.0, 313.0, 625.0, 1000.0, None]
    after = [asked(governor, 0.0, n * 1e-3, opps=FINE) for n in range(5, 10)]
    assert after == [625.0, 313.0, 157.0, 1.0, None]


def test_the_boost_doubles_once_in_an_update():
    """The second and third wake-up come within the rate limit of the first."""
    governor = Schedutil(rate_limit="3 ms")
    got = [asked(governor, 0.0, n * 1e-3, opps=FINE, iowait=n < 4) for n in range(4)]
    assert got == [157.0, None, None, 313.0]


def test_the_boost_is_lost_after_a_tick_without_updates():
    governor = Schedutil(rate_limit="1 us")
    for n in range(3):
        asked(governor, 0.0, n * 1e-3, opps=FINE, iowait=True)
    assert asked(governor, 0.0, 2e-3 + TICK + 1e-4, opps=FINE) == 1.0
    boost = IowaitBoost(TICK)
    for n, iowait in enumerate((True, True, True)):
        boost.note(n * 1e-3, iowait)
        last = boost.take(n * 1e-3)
    assert last == 0.5
    boost.note(1.0, True)
    assert boost.take(1.0) == 0.125


def test_the_boost_is_of_the_cpus_own_capacity_and_within_clamps():
    governor = Schedutil(rate_limit="1 us")
    assert asked(governor, 0.0, 0.0, opps=FINE, iowait=True, capacity=512.0) == 157.0
    assert asked(governor, 0.0, 1e-3, opps=FINE, iowait=True, uclamp=(0.0, 102.4)) == 125.0


def test_each_cpu_has_a_boost_of_its_own():
    """Two CPUs that wake up by turns do not double each other's boost, and one unseen for a tick loses it."""
    governor = Schedutil(rate_limit="1 us")

    def ask(now, cpu):
        only = tuple(i == cpu for i in range(2))
        return asked(governor, (0.0, 0.0), now, opps=FINE, iowaits=only, updated=only)

    assert [ask(n * 1e-3, n % 2) for n in range(4)] == [157.0, None, None, None]
    assert [ask(n * 1e-3, 0) for n in range(4, 8)] == [None, 313.0, 625.0, 1000.0]


def test_a_busier_cpu_is_not_boosted():
    assert asked(Schedutil(), 512.0, iowait=True) == 700.0


# --- NVIDIA's 4.9 -------------------------------------------------------------------------------------------


def test_l4t_has_two_rate_limits():
    governor = SchedutilL4t()
    assert asked(governor, 512.0, 0.0) == 700.0
    assert asked(governor, 1024.0, 0.4e-3) is None
    assert asked(governor, 1024.0, 0.5e-3) == 1000.0
    assert asked(governor, 0.0, 2.4e-3) is None
    assert asked(governor, 0.0, 2.5e-3) == 100.0


def test_l4t_knows_no_estimates_or_clamps():
    governor = SchedutilL4t()
    assert asked(governor, 1024.0, 0.0, uclamp=(0.0, 100.0)) == 1000.0
    assert asked(governor, 100.0, 0.1, estimates=(1024.0,)) == 200.0


def test_l4t_keeps_a_busy_cpu_s_clock_unless_it_is_shared():
    """`sugov_update_single` asks whether the CPU has been idle, `sugov_update_shared` does not."""
    governor = SchedutilL4t()
    assert asked(governor, 1024.0, 0.0, was_idle=(False,)) == 1000.0
    assert asked(governor, 100.0, 0.1, was_idle=(False,)) is None
    assert asked(governor, 100.0, 0.2) == 200.0
    shared = SchedutilL4t()
    assert asked(shared, (1024.0, 0.0), 0.0, was_idle=(False, False)) == 1000.0
    assert asked(shared, (100.0, 0.0), 0.1, was_idle=(False, False)) == 200.0


def test_l4t_answers_new_limits_at_once_but_lowers_no_earlier():
    """What it wanted is forgotten, so that any clock counts as lower: the limit down holds, that up does not."""
    governor = SchedutilL4t()
    assert asked(governor, (512.0, 0.0), 0.0) == 700.0
    assert asked(governor, (1024.0, 0.0), 1e-3, maximum=8e8, limits_changed=True) is None
    assert asked(governor, (1024.0, 0.0), 1.6e-3, maximum=8e8) is None
    assert asked(governor, (1024.0, 0.0), 2e-3, maximum=8e8) == 800.0
    assert asked(governor, (1024.0, 0.0), 5e-3, limits_changed=True) == 1000.0


def test_l4t_leaves_a_busy_cpu_at_what_new_limits_have_left_it():
    governor = SchedutilL4t()
    assert asked(governor, 512.0, 0.0) == 700.0
    assert asked(governor, 1024.0, 0.1, limits_changed=True, was_idle=(False,)) is None
    assert asked(governor, 1024.0, 0.2, was_idle=(False,)) is None
    assert asked(governor, 1024.0, 0.3) == 1000.0


def test_l4t_jumps_to_the_highest_clock_and_halves():
    governor = SchedutilL4t(up_rate_limit=0.0, down_rate_limit=0.0)
    got = [asked(governor, 0.0, n * 1e-3, opps=FINE, iowait=n == 0) for n in range(5)]
    assert got == [1000.0, 625.0, 313.0, 157.0, 79.0]
    assert asked(governor, 0.0, 1.0, opps=FINE) == 1.0
    boost = JumpingBoost(TICK)
    boost.note(0.0, True)
    boost.note(TICK, False)
    assert boost.take(TICK) == 1.0
    boost.note(3 * TICK, False)
    assert boost.take(3 * TICK) == 0.0


def test_l4t_counts_a_cpu_as_it_was_when_the_scheduler_looked_at_it():
    """The first CPU fades from 900 to 100 unseen; a tick after that a change, and from then on it is left out."""
    governor = SchedutilL4t(up_rate_limit=0.0, down_rate_limit=0.0)

    def ask(now, *utils, updated=(False, True), **more):
        return asked(governor, utils, now, updated=updated, **more)

    assert ask(0.0, 900.0, 100.0, updated=(True, True)) == 1000.0
    assert ask(3e-3, 100.0, 300.0) is None
    assert ask(5e-3, 100.0, 950.0) is None  # the last change was at 0, when it was looked at
    assert ask(9e-3, 100.0, 300.0, updated=(True, True)) == 400.0
    assert ask(12e-3, 900.0, 400.0) == 500.0
    assert ask(14e-3, 900.0, 300.0) == 400.0
    assert ask(15e-3, 900.0, 300.0, updated=(True, True)) == 1000.0


def test_l4t_leaves_a_cpu_out_that_was_not_looked_at_for_a_tick_before_the_last_change():
    governor = SchedutilL4t(up_rate_limit=0.0, down_rate_limit=0.0)

    def ask(now, *utils, updated=(False, True), **more):
        return asked(governor, utils, now, updated=updated, **more)

    assert ask(0.0, 500.0, 100.0, updated=(True, True), iowaits=(True, False)) == 1000.0
    assert ask(5e-3, 500.0, 100.0) == 700.0  # looked at when the last change was; the boost has halved to 512
    assert ask(6e-3, 500.0, 100.0) == 200.0  # 5 ms before the last change; its boost is gone too
    assert ask(7e-3, 500.0, 100.0, updated=(True, True)) == 700.0


# --- both ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Schedutil, SchedutilL4t])
@given(util=st.floats(0.0, 1024.0), clock=st.sampled_from(list(TENTHS)))
def test_a_constant_utilisation_is_answered_once(cls, util, clock):
    governor = cls()
    first = asked(governor, util, 0.0, clock)
    assert first * 1e6 == TENTHS.at_least(1.25 * util / 1024.0 * 1e9)
    assert [asked(governor, util, n, first * 1e6) for n in (1.0, 2.0)] == [None, None]


@given(a=st.floats(0.0, 1024.0), b=st.floats(0.0, 1024.0))
def test_more_utilisation_never_means_less_clock(a, b):
    low, high = sorted((a, b))
    assert asked(Schedutil(), low) <= asked(Schedutil(), high)


def test_they_are_asked_by_the_scheduler_and_for_cpus():
    for cls in (Schedutil, SchedutilL4t):
        assert (cls.trigger, cls.kinds) == ("scheduler", ("cpu",))
    with pytest.raises(UsageError, match="governor 'schedutil' is for domains of kind cpu, got 'gpu'"):
        make_governor("schedutil", "gpu")


def test_domain_of_the_kit_follows():
    domain = Domain(Schedutil(), TENTHS, 1e8)
    assert domain.call(1.0, elapsed=0.01) == 200.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("schedutil(rate_limit=-1)", "rate_limit must be a finite time from 0, such as 60 ms, got -1"),
        ("schedutil(rate_limit=soon)", "'schedutil': rate_limit: 'soon' is no time"),
        ("schedutil(margin=0)", "margin must be a number above 0, got 0"),
        ("schedutil(tick=-1)", "tick must be a finite time from 0, such as 60 ms, got -1"),
        ("schedutil(period=1)", "no option 'period'"),
        ("schedutil_l4t(util_est=true)", "'schedutil_l4t' has no option 'util_est'"),
        ("schedutil_l4t(up_rate_limit=-1)", "up_rate_limit"),
        ("schedutil_l4t(down_rate_limit=x)", "down_rate_limit"),
    ],
)
def test_bad_options(spec, message):
    with pytest.raises(UsageError, match=message):
        make_governor(spec)
