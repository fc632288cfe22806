"""interactive and schedutil of older kernels beside their rules, over random sequences of samples."""

from __future__ import annotations

from math import inf

import pytest
from govkit import TENTHS, Domain
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.schedulers.governors import DomainSample
from socsim.schedulers.governors.interactive import Interactive
from socsim.schedulers.governors.schedutil import SchedutilL4t

POINTS = list(range(100, 1001, 100))
"""The operating points of the tests' domain in MHz."""


def at_least(wanted: float) -> int:
    return next((p for p in POINTS if p >= wanted), POINTS[-1])


# --- interactive ----------------------------------------------------------------------------------------------


class Cpu:
    """`struct cpufreq_interactive_cpuinfo`; frequencies in MHz, times in ms."""

    def __init__(self, clock: int) -> None:
        self.target_freq = self.floor_freq = clock
        self.loc_floor_val_time = self.loc_hispeed_val_time = 0


class Kernel:
    """Android 4.9: a sample of every CPU (`cpufreq_interactive_timer`), then one look at the policy."""

    def __init__(
        self, cpus: int, cur: int, target: int, go: int, hispeed: int, delay: int, keep: int
    ) -> None:
        self.cpus, self.cur = [Cpu(cur) for _ in range(cpus)], cur
        self.target_load, self.go_hispeed_load, self.hispeed_freq = target, go, hispeed
        self.above_hispeed_delay, self.min_sample_time = delay, keep
        self.pol_floor_val_time = self.pol_hispeed_val_time = 0

    def sample(self, now: int, loads: list[int]) -> int:
        wake = [self.timer(cpu, load, now) for cpu, load in zip(self.cpus, loads, strict=True)]
        if any(wake):
            self.adjust()
        return self.cur

    def choose_freq(self, load: int) -> int:
        return at_least(load * self.cur / self.target_load)

    def timer(self, cpu: Cpu, load: int, now: int) -> bool:
        if load >= self.go_hispeed_load:
            if self.cur < self.hispeed_freq:
                new_freq = self.hispeed_freq
            else:
                new_freq = max(self.choose_freq(load), self.hispeed_freq)
        else:
            new_freq = self.choose_freq(load)
            if new_freq > self.hispeed_freq and self.cur < self.hispeed_freq:
                new_freq = self.hispeed_freq
        early = now - self.pol_hispeed_val_time < self.above_hispeed_delay
        if self.cur >= self.hispeed_freq and new_freq > self.cur and early:
            return False
        cpu.loc_hispeed_val_time = now
        new_freq = at_least(new_freq)
        max_fvtime = max(self.pol_floor_val_time, cpu.loc_floor_val_time)
        held = now - max_fvtime < self.min_sample_time
        if new_freq < cpu.floor_freq and cpu.target_freq >= self.cur and held:
            return False
        cpu.floor_freq = new_freq
        if cpu.target_freq >= self.cur or new_freq >= self.cur:
            cpu.loc_floor_val_time = now
        if cpu.target_freq == new_freq and cpu.target_freq <= self.cur:
            return False
        cpu.target_freq = new_freq
        return True

    def adjust(self) -> None:
        """`cpufreq_interactive_adjust_cpu`."""
        max_freq, hvt = 0, 0
        for cpu in self.cpus:
            self.pol_floor_val_time = max(self.pol_floor_val_time, cpu.loc_floor_val_time)
            if cpu.target_freq > max_freq:
                max_freq, hvt = cpu.target_freq, cpu.loc_hispeed_val_time
            elif cpu.target_freq == max_freq:
                hvt = min(hvt, cpu.loc_hispeed_val_time)
        if max_freq != self.cur:
            self.cur, self.pol_hispeed_val_time = max_freq, hvt


LOADS = st.sampled_from([0, 5, 20, 45, 60, 85, 89, 90, 91, 98, 99, 100])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 3).flatmap(
        lambda cpus: st.lists(st.lists(LOADS, min_size=cpus, max_size=cpus), min_size=1, max_size=20)
    ),
    first=st.sampled_from([100, 500, 1000]), target=st.sampled_from([90, 60]), go=st.sampled_from([99, 85]),
    hispeed=st.sampled_from([400, 700, 1000]), delay=st.sampled_from([0, 20, 40]), keep=st.sampled_from([0, 30, 80]),
)  # fmt: skip
def test_interactive_is_its_kernels_timer(rows, first, target, go, hispeed, delay, keep) -> None:
    """Samples come every 20 ms."""
    cpus = len(rows[0])
    governor = Interactive(target, go, hispeed * 1e6, delay * 1e-3, keep * 1e-3)
    domain, kernel = (
        Domain(governor, frequency=first * 1e6, cpus=cpus),
        Kernel(cpus, first, target, go, hispeed, delay, keep),
    )
    for i, loads in enumerate(rows, 1):
        assert domain.call(*(load / 100 for load in loads)) == kernel.sample(20 * i, loads)


def test_interactive_may_have_a_high_clock_between_two_points() -> None:
    """650 MHz: under load it jumps to 700, which is not below it, so that it waits before it goes higher."""
    domain = Domain(Interactive(hispeed_freq=650e6, above_hispeed_delay=30e-3))
    assert domain.calls(1.0, 1.0, 1.0) == [700.0, 700.0, 800.0]


def test_interactive_needs_no_run_to_begin_with() -> None:
    """Without a high clock told or remembered it is the highest that is allowed."""
    governor = Interactive()
    governor.start(DomainSample.of(TENTHS, 1e8, 0.0, maximum=8e8))
    assert governor.next_frequency(DomainSample.of(TENTHS, 1e8, 1.0, now=0.02, maximum=8e8)) == 8e8
    with pytest.raises(ValueError, match="zip"):
        governor.next_frequency(DomainSample.of(TENTHS, 1e8, 1.0, 1.0, now=0.04))


# --- schedutil of NVIDIA's 4.9 --------------------------------------------------------------------------------

TICK = 4


class Sugov:
    """`sugov_update_single` and `sugov_update_shared`; times in ms, utilisation of 1024, clocks in MHz."""

    def __init__(self, cpus: int, up: float, down: float) -> None:
        self.util, self.last_update, self.boost = [0] * cpus, [-inf] * cpus, [0.0] * cpus
        self.up, self.down = up, down
        self.next_freq, self.last_freq_update_time, self.busy = 0.0, -inf, True

    def update(self, now: int, seen: list[tuple[int, bool, bool]], idle: bool, limits: bool) -> int | None:
        """`seen`: utilisation, whether a task woke up from waiting, and whether the scheduler looked, of each CPU."""
        self.busy = self.busy and not idle
        for j, (util, iowait, looked) in enumerate(seen):
            if not looked:
                continue
            if iowait:
                self.boost[j] = 1.0
            elif now - self.last_update[j] > TICK:
                self.boost[j] = 0.0
            self.util[j], self.last_update[j] = util, now
        delta = now - self.last_freq_update_time
        if limits:
            self.next_freq = inf
        elif delta < min(self.up, self.down):
            return None
        next_f: float = at_least(1.25 * max(self.use(j) for j in range(len(seen))) * 1000)
        if len(seen) == 1:
            if self.busy and next_f < self.next_freq:
                next_f = self.next_freq
            self.busy = True
        if (next_f > self.next_freq and delta < self.up) or (next_f < self.next_freq and delta < self.down):
            return None
        if next_f == self.next_freq:
            return None
        self.next_freq, self.last_freq_update_time = next_f, now
        return int(next_f)

    def use(self, j: int) -> float:
        if len(self.util) > 1 and self.last_freq_update_time - self.last_update[j] > TICK:
            self.boost[j] = 0.0
            return 0.0
        share = max(self.util[j] / 1024, self.boost[j])
        self.boost[j] /= 2
        return share


@st.composite
def updates(draw: st.DrawFn) -> list[tuple[int, list[tuple[int, bool, bool]], bool, bool]]:
    """Rows of: ms after the one before, what is seen of each CPU, whether any was idle, whether limits changed."""
    cpus = draw(st.integers(1, 3))
    often = st.sampled_from([True, True, False])
    one = st.tuples(st.sampled_from([0, 100, 300, 512, 820, 1024]), st.booleans(), often)
    later = st.sampled_from([1, 2, 3, 5, 9])
    row = st.tuples(
        later, st.lists(one, min_size=cpus, max_size=cpus), often, st.sampled_from([False] * 5 + [True])
    )
    return draw(st.lists(row, min_size=1, max_size=20))


@settings(max_examples=200, deadline=None)
@given(updates(), st.sampled_from([(0, 0), (1, 4), (4, 1), (6, 6)]))
def test_schedutil_of_tegra_is_its_kernels(rows, limits) -> None:
    up, down = limits
    governor, kernel, now = SchedutilL4t(up * 1e-3, down * 1e-3), Sugov(len(rows[0][1]), up, down), 0
    for later, seen, idle, changed in rows:
        now += later
        cpus = len(seen)
        sample = DomainSample.of(
            TENTHS, 1e8, *(0.5,) * cpus, utils=tuple(float(s[0]) for s in seen), iowaits=tuple(s[1] for s in seen),
            updated=tuple(s[2] for s in seen), was_idle=(idle,) + (False,) * (cpus - 1), now=now * 1e-3,
            limits_changed=changed, tick=TICK * 1e-3,
        )  # fmt: skip
        wanted = governor.next_frequency(sample)
        assert (None if wanted is None else round(wanted / 1e6)) == kernel.update(now, seen, idle, changed)
