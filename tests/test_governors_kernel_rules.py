"""Governors beside their kernels' rules, in the kernels' whole numbers, over random sequences of samples."""

from __future__ import annotations

from math import inf

import pytest
from govkit import TENTHS, Domain
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.devices.thermal import ThermalZone, Trip
from socsim.schedulers.governors import DomainSample
from socsim.schedulers.governors.conservative import Conservative
from socsim.schedulers.governors.cpufreq import SampledGovernor
from socsim.schedulers.governors.iowait import IowaitBoost, JumpingBoost
from socsim.schedulers.governors.ondemand import Ondemand
from socsim.schedulers.governors.simple_ondemand import SimpleOndemand
from socsim.schedulers.governors.thermal import ActorView, FairShare, PowerAllocator, StepWise, ZoneView

POINTS = list(range(100, 1001, 100))
"""The operating points of the tests' domain in MHz."""

PERIOD = 10
"""Sampling period in ms."""


def at_least(wanted: float, low: int = 100, high: int = 1000) -> int:
    inside = [p for p in POINTS if low <= p <= high]
    return next((p for p in inside if p >= min(max(wanted, low), high)), inside[-1])


def at_most(wanted: float, low: int = 100, high: int = 1000) -> int:
    inside = [p for p in POINTS if low <= p <= high]
    return next((p for p in inside[::-1] if p <= min(max(wanted, low), high)), inside[0])


def closest(wanted: float, low: int = 100, high: int = 1000) -> int:
    inside = [p for p in POINTS if low <= p <= high]
    return min(inside, key=lambda p: (abs(p - min(max(wanted, low), high)), p))


# --- loads of CPUs --------------------------------------------------------------------------------------------


class DbsUpdate:
    """`dbs_update` of Linux 6.1, of times in ms."""

    def __init__(self, cpus: int) -> None:
        self.prev_load = [0] * cpus
        self.idle_periods: int | None = None

    def __call__(self, elapsed: int, idle: list[int], rate: int) -> int:
        max_load, self.idle_periods = 0, None
        for j, idle_time in enumerate(idle):
            if elapsed == 0:
                load = self.prev_load[j]
            elif idle_time > 2 * rate and self.prev_load[j]:
                load, self.prev_load[j] = self.prev_load[j], 0
            else:
                load = self.prev_load[j] = 100 * (elapsed - idle_time) // elapsed
            if idle_time > 2 * rate:
                periods = idle_time // rate
                if self.idle_periods is None or periods < self.idle_periods:
                    self.idle_periods = periods
            max_load = max(max_load, load)
        return max_load


@st.composite
def samples(draw: st.DrawFn, most: int = 12) -> tuple[int, list[tuple[int, list[int]]]]:
    """A number of CPUs, and (elapsed, idle time of each CPU) in ms: most samples a period after the one before."""
    cpus = draw(st.integers(1, 3))
    elapsed = st.sampled_from([0, PERIOD, PERIOD, PERIOD, 4 * PERIOD, 77])
    return cpus, [
        (time, [draw(st.integers(0, time)) for _ in range(cpus)])
        for time in draw(st.lists(elapsed, min_size=1, max_size=most))
    ]


def shares(elapsed: int, idle: list[int]) -> list[float]:
    return [(elapsed - time) / elapsed if elapsed else 0.0 for time in idle]


class Loads(SampledGovernor):
    name = "loads"
    period = PERIOD * 1e-3

    def __init__(self) -> None:
        super().__init__(80, 1, 0.0)
        self.seen: list[tuple[int, int]] = []

    def next_frequency(self, domain):
        self.seen.append(self.sample(domain))


@settings(max_examples=100, deadline=None)
@given(samples())
def test_loads_and_missed_periods_are_the_kernels(made) -> None:
    cpus, rows = made
    governor, kernel, expected = Loads(), DbsUpdate(cpus), []
    domain = Domain(governor, cpus=cpus)
    for elapsed, idle in rows:
        domain.call(*shares(elapsed, idle), elapsed=elapsed * 1e-3)
        expected.append((kernel(elapsed, idle, PERIOD), kernel.idle_periods or 0))
    assert governor.seen == expected


@settings(max_examples=80, deadline=None)
@given(
    samples(), st.sampled_from([40, 80, 95]), st.integers(1, 3), st.sampled_from([(100, 1000), (300, 700)])
)
def test_ondemand_is_od_update(made, threshold, factor, limits) -> None:
    (cpus, rows), (low, high) = made, limits
    governor = Ondemand(up_threshold=threshold, sampling_down_factor=factor)
    governor.period = PERIOD * 1e-3
    domain = Domain(governor, cpus=cpus, frequency=low * 1e6, minimum=low * 1e6, maximum=high * 1e6)
    kernel, current, mult = DbsUpdate(cpus), low, 1
    for elapsed, idle in rows:
        load = kernel(elapsed, idle, PERIOD * mult)
        if load > threshold:
            mult = factor if current < high else mult
            wanted = closest(high, low, high)
        else:
            mult = 1
            wanted = closest(100 + load * (1000 - 100) / 100, low, high)
        clock = domain.call(*shares(elapsed, idle), elapsed=elapsed * 1e-3)
        current = wanted
        assert (clock, governor.interval(domain.sample())) == (current, pytest.approx(PERIOD * mult * 1e-3))


class CsDbsUpdate:
    """`cs_dbs_update` of Linux 6.1, in MHz."""

    def __init__(self, cpus: int, low: int, high: int, up: int, down: int, step: int, factor: int) -> None:
        self.dbs, self.low, self.high = DbsUpdate(cpus), low, high
        self.up, self.down, self.step, self.factor = up, down, high * step / 100, factor
        self.current = self.requested = low
        self.down_skip = 0

    def __call__(self, elapsed: int, idle: list[int]) -> int:
        load = self.dbs(elapsed, idle, PERIOD)
        requested = self.requested
        if requested > self.high or requested < self.low:
            requested = self.requested = self.current
        if self.dbs.idle_periods is not None:
            steps = self.dbs.idle_periods * self.step
            requested = requested - steps if requested > self.low + steps else self.low
        if load > self.up:
            self.down_skip = 0
            if requested != self.high:
                self.requested = min(requested + self.step, self.high)
                self.current = at_most(self.requested, self.low, self.high)
            return self.current
        self.down_skip += 1
        if self.down_skip < self.factor:
            return self.current
        self.down_skip = 0
        if load < self.down and requested != self.low:
            self.requested = requested - self.step if requested > self.step else self.low
            self.current = at_least(self.requested, self.low, self.high)
            self.requested = max(
                self.requested, self.low
            )  # next time this is the present clock, which is the lowest
        return self.current


@settings(max_examples=80, deadline=None)
@given(
    samples(20), st.sampled_from([(80, 20), (60, 50)]), st.sampled_from([5, 20, 50]), st.integers(1, 3),
    st.sampled_from([(100, 1000), (300, 700)]),
)  # fmt: skip
def test_conservative_is_cs_dbs_update(made, thresholds, step, factor, limits) -> None:
    (cpus, rows), (up, down), (low, high) = made, thresholds, limits
    governor = Conservative(up_threshold=up, down_threshold=down, freq_step=step, sampling_down_factor=factor)
    governor.period = PERIOD * 1e-3
    domain = Domain(governor, cpus=cpus, frequency=low * 1e6, minimum=low * 1e6, maximum=high * 1e6)
    kernel = CsDbsUpdate(cpus, low, high, up, down, step, factor)
    for elapsed, idle in rows:
        assert domain.call(*shares(elapsed, idle), elapsed=elapsed * 1e-3) == kernel(elapsed, idle)


# --- devices --------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=10),
    st.sampled_from([(90, 5), (50, 10), (45, 5), (60, 60)]),
)
def test_simple_ondemand_is_its_kernel_function(windows, thresholds) -> None:
    """`devfreq_simple_ondemand_func`; times in ms."""
    up, down = thresholds
    domain = Domain(SimpleOndemand(upthreshold=up, downdifferential=down), frequency=5e8, kind="gpu")
    current = 500
    for one, other in windows:
        busy, total = sorted((one, other))
        if total == 0 or busy * 100 > total * up:
            current = 1000
        elif busy * 100 <= total * (up - down):
            current = at_least(100 * busy * current / (total * (up - down // 2)) - 1e-6)
        given_ = {"busy_s": busy * 1e-3, "total_s": total * 1e-3}
        assert domain.call(busy / (total or 1), elapsed=0.2, **given_) == current


# --- tasks that wait for input and output ---------------------------------------------------------------------

TICK = 4
"""ms between ticks."""

CALLS = st.lists(
    st.tuples(st.sampled_from(["note", "wake", "take"]), st.sampled_from([0, 1, 4, 5, 9])), max_size=25
)
"""The scheduler looks at a CPU, with or without a task that woke up; the governor asks; ms after the one before."""


@settings(max_examples=150, deadline=None)
@given(CALLS)
def test_boosts_are_sugov_iowait_boost_and_apply(calls) -> None:
    """Linux 6.1, with 1024 for the whole and 128 for the least."""
    found, boost, pending, last, now = IowaitBoost(TICK), 0, False, None, 0
    for kind, later in calls:
        now += later
        stale = last is not None and now - last > TICK
        if kind == "take":
            if boost and stale:  # sugov_iowait_reset, not enabled
                boost, pending = 0, False
            elif boost and not pending:
                boost >>= 1
                boost = boost if boost >= 128 else 0
            pending = False
            assert found.take(now) == boost / 1024
            continue
        wakes, last = kind == "wake", now
        found.note(now, wakes)
        if boost and stale:
            boost, pending = (128, True) if wakes else (0, False)
        elif wakes and not pending:
            pending = True
            boost = min(boost << 1, 1024) if boost else 128


@settings(max_examples=100, deadline=None)
@given(CALLS)
def test_jumping_boosts_are_those_of_linux_4_9(calls) -> None:
    found, boost, last, now = JumpingBoost(TICK), 0.0, None, 0
    for kind, later in calls:
        now += later
        if kind == "take":
            assert found.take(now) == boost
            boost /= 2
            continue
        found.note(now, kind == "wake")
        if kind == "wake":
            boost = 1.0
        elif last is not None and now - last > TICK:
            boost = 0.0
        last = now


# --- heat -----------------------------------------------------------------------------------------------------

LADDER = tuple((1e8 * i, 0.1 * i * i) for i in range(1, 7))
"""Six operating points: clock in Hz, power in W of a busy unit."""


def readings(*, least: int, most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(least, most), min_size=1, max_size=15)


def clocks(governor, where: ThermalZone, temperatures: list[int], *actors: ActorView) -> list[dict[str, int]]:
    """States at each of a row of readings."""
    rows, before = [], -inf
    for now, temperature in enumerate(temperatures):
        view = ZoneView(where, float(now), float(temperature), {a.name: a for a in actors}, previous=before)
        caps = governor.caps(view)
        rows.append({a.name: 6 - round(caps.get(a.name, 6e8) / 1e8) for a in actors})
        before = float(temperature)
    return rows


@settings(max_examples=100, deadline=None)
@given(readings(least=66, most=74))
def test_step_wise_is_get_target_state(temperatures) -> None:
    """`get_target_state` of Linux 6.1, of one domain and two trips; the higher target counts."""
    trips = tuple(Trip("passive", float(t), throttles=("cpu",)) for t in (68, 72))
    where = ThermalZone("soc", "soc", trips, period=1.0, passive_period=0.1)
    targets: list[int | None] = [None, None]
    initialized, before, expected = [False, False], -1, []
    for temperature in temperatures:
        trend = (temperature > before) - (temperature < before)
        for i, limit in enumerate((68, 72)):
            current, throttle = max(t or 0 for t in targets), temperature >= limit
            if not initialized[i]:
                targets[i] = min(current + 1, 5) if throttle else None
            elif trend > 0 and throttle:
                targets[i] = min(current + 1, 5)
            elif trend < 0 and not throttle:
                targets[i] = current - 1 if current > 0 else None
            initialized[i] = True
        expected.append({"cpu": max(t or 0 for t in targets)})
        before = temperature
    assert clocks(StepWise(), where, temperatures, ActorView("cpu", LADDER)) == expected


@settings(max_examples=60, deadline=None)
@given(readings(least=60, most=100), st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_fair_share_is_its_kernel_function(temperatures, weights) -> None:
    """Of three trips two are passed at 85 C; a domain gives that share of its part, in whole percent and states."""
    names = ("cpu", "gpu")
    trips = (Trip("passive", 70.0, throttles=names), Trip("passive", 80.0), Trip("critical", 95.0))
    own = {n: float(w) for n, w in zip(names, weights, strict=True)}
    where = ThermalZone("soc", "soc", trips, period=1.0, passive_period=0.1, weights=own)
    expected = []
    for temperature in temperatures:
        level, total = sum(temperature >= t for t in (70, 80, 95)), sum(weights)
        parts = [w * 100 // total if total else 50 for w in weights]
        expected.append({n: part * level * 5 // (100 * 3) for n, part in zip(names, parts, strict=True)})
    actors = [ActorView(name, LADDER) for name in names]
    assert clocks(FairShare(), where, temperatures, *actors) == expected


class PidController:
    """`pid_controller` of Linux 6.1 with its default gains, in mW and thousandths of K."""

    def __init__(self, sustainable: float, switch_on: float, control: float, highest: float) -> None:
        self.sustainable, self.control, self.highest = sustainable, control, highest
        self.k_po = sustainable / (control - switch_on)
        self.k_pu = 2 * self.k_po
        self.k_i = self.k_pu / 10
        self.err_integral = 0.0

    def __call__(self, temperature: float) -> float:
        err = self.control - temperature
        p = (self.k_po if err < 0 else self.k_pu) * err
        i = self.k_i * self.err_integral
        if err < 0.0:  # integral_cutoff is 0
            following = i + self.k_i * err
            if abs(following) < self.highest:
                i, self.err_integral = following, self.err_integral + err
        return min(max(self.sustainable + p + i, 0.0), self.highest)


def divvy_up_power(requests: list[float], highest: list[float], budget: float) -> list[float]:
    total = sum(requests)
    if not total:
        return [0.0] * len(requests)
    granted, extra, extra_each = [], 0.0, []
    for request, most in zip(requests, highest, strict=True):
        own = request * budget / total
        extra += max(0.0, own - most)
        granted.append(min(own, most))
        extra_each.append(most - granted[-1])
    capped = sum(extra_each)
    extra = min(extra, capped)
    return [g + e / capped * extra if extra > 0.0 else g for g, e in zip(granted, extra_each, strict=True)]


@settings(max_examples=80, deadline=None)
@given(
    readings(least=66, most=95), st.floats(0.5, 5.0), st.tuples(st.floats(0.0, 4.0), st.floats(0.0, 1.0)),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
)  # fmt: skip
def test_power_allocator_is_its_kernel_function(temperatures, sustainable, loads, at) -> None:
    """Control from 70 C on, 80 C held; a cluster of four CPUs and a GPU of a unit with the same table."""
    names, units = ("cpu", "gpu"), (4, 1)
    trips = (Trip("passive", 70.0), Trip("passive", 80.0, throttles=names))
    where = ThermalZone("soc", "soc", trips, period=1.0, passive_period=0.1)
    actors = [
        ActorView(n, LADDER, frequency=LADDER[i][0], load=load, units=u)
        for n, i, load, u in zip(names, at, loads, units, strict=True)
    ]
    highest = [3.6 * u for u in units]
    governor, before = PowerAllocator(sustainable_power=sustainable), -inf
    pid = PidController(sustainable, 70.0, 80.0, sum(highest))
    for temperature in temperatures:
        view = ZoneView(where, 0.0, float(temperature), {a.name: a for a in actors}, previous=before)
        caps, before = governor.caps(view), float(temperature)
        if temperature < 70:
            assert (caps, governor.budget, governor.passive) == ({}, inf, False)
            pid = PidController(sustainable, 70.0, 80.0, sum(highest))
            continue
        budget = pid(temperature)
        parts = divvy_up_power(
            [LADDER[i][1] * load for i, load in zip(at, loads, strict=True)], highest, budget
        )
        assert governor.passive
        assert governor.budget == pytest.approx(budget)
        assert dict(governor.granted) == pytest.approx(dict(zip(names, parts, strict=True)), abs=1e-9)
        for name, part, load in zip(names, parts, loads, strict=True):
            unit = part / max(load, 0.01)
            fits = [clock for clock, power in LADDER if power <= unit * (1 + 1e-6)] or [1e8]
            sure = [clock for clock, power in LADDER if power <= unit * (1 - 1e-6)] or [1e8]
            assert sure[-1] <= caps.get(name, 6e8) <= fits[-1]


# --- by hand --------------------------------------------------------------------------------------------------


def test_samples_of_the_kit_are_those_of_the_kernel() -> None:
    """10 ms of which 3 are idle on one CPU and 8 on the other."""
    assert DbsUpdate(2)(10, [3, 8], PERIOD) == 70
    governor = Loads()
    sample = DomainSample.of(TENTHS, 1e8, 0.7, 0.2, kind="cpu", elapsed=0.01)
    assert governor.sample(sample) == (70, 0)


def ruled(
    governor: PowerAllocator, temperature: float, trips: tuple[Trip, ...], **options
) -> dict[str, float]:
    """Grants in W of a CPU that asks for 3.6 W and a GPU that asks for 0.9 W."""
    actors = (
        ActorView("cpu", LADDER, frequency=6e8, load=1.0),
        ActorView("gpu", LADDER, frequency=3e8, load=1.0),
    )
    where = ThermalZone("soc", "soc", trips, period=1.0, passive_period=0.1, **options)
    governor.caps(ZoneView(where, 0.0, temperature, {a.name: a for a in actors}))
    return dict(governor.granted)


BOTH = ("cpu", "gpu")


def test_power_is_divided_by_requests_times_weights() -> None:
    """At the trip there are 2.25 W: 4 : 1 alike, 2 : 1 where the GPU weighs twice; who has no weight has no part."""
    trips = (Trip("passive", 70.0), Trip("passive", 80.0, throttles=BOTH))

    def parts(**weights: float) -> dict[str, float]:
        return ruled(PowerAllocator(sustainable_power=2.25), 80.0, trips, weights=weights)

    assert parts() == pytest.approx({"cpu": 1.8, "gpu": 0.45})
    assert parts(cpu=1.0, gpu=2.0) == pytest.approx({"cpu": 1.5, "gpu": 0.75})
    assert parts(cpu=1.0) == pytest.approx({"cpu": 2.25, "gpu": 0.0})


def test_without_a_passive_trip_the_last_active_one_is_held() -> None:
    """At 60 C, its temperature, the budget is what can be sustained: it would be more below 70 C."""
    active = [Trip("active", t, throttles=BOTH) for t in (50.0, 60.0)]
    governor = PowerAllocator(sustainable_power=1.0)
    ruled(governor, 60.0, (*active, Trip("critical", 100.0, throttles=BOTH)))
    assert governor.budget == pytest.approx(1.0)
    assert ruled(PowerAllocator(), 120.0, (Trip("critical", 100.0, throttles=BOTH),)) == {}


@pytest.mark.parametrize(("temperature", "grows"), [(74.9, False), (75.0, False), (75.1, True), (90.0, True)])
def test_the_integral_grows_nearer_than_its_cutoff(temperature, grows) -> None:
    """Nearer to 80 C than 5 K, and above it."""
    trips = (Trip("passive", 70.0), Trip("passive", 80.0, throttles=BOTH))
    governor = PowerAllocator(sustainable_power=0.5, k_po=0.0, k_pu=0.0, k_i=0.01, integral_cutoff=5.0)
    for _ in range(3):
        ruled(governor, temperature, trips)
    added = 3 * 0.01 * (80.0 - temperature) if grows else 0.0
    assert governor.budget == pytest.approx(0.5 + added)


def test_step_wise_reads_often_while_any_passive_trip_holds_a_state() -> None:
    """After 73, 71 and 69 C the upper trip has let go; the lower one still holds; at 65 C it lets go too."""
    trips = tuple(Trip("passive", float(t), throttles=("cpu",)) for t in (68, 72))
    where = ThermalZone("soc", "soc", trips, period=1.0, passive_period=0.1)
    governor, before, often = StepWise(), -inf, []
    for temperature in (60.0, 73.0, 71.0, 69.0, 65.0, 64.0, 63.0, 62.0):
        view = ZoneView(where, 0.0, temperature, {"cpu": ActorView("cpu", LADDER)}, previous=before)
        governor.caps(view)
        often.append(governor.passive)
        before = temperature
    assert often[0] is False
    assert often[1:4] == [True, True, True]
    assert often[-1] is False
