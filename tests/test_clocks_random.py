"""Clocks that change at random: batched and stepwise execution agree, work and energy are conserved, caps slow down.

The toy phone, with operating points for every domain and, where it is said, transitions that take a while. Times in s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from corekit import BUFFER, CPU, DSP, GPU, LIBRARY, SHARING, Fixed, net, placed, toy
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.devices.device import Device, MemoryOpp
from socsim.devices.opp import Opp
from socsim.schedulers.governors import Governor
from socsim.simulation.mechanisms import ALL_MECHANISMS
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

POINTS = tuple(Opp(f, v) for f, v in ((0.25, 0.5), (0.5, 0.75), (1.0, 1.0)))
DOMAINS = ("cpu.big", "cpu.little", "gpu", "dsp", "dram")
CHANGES = st.lists(
    st.tuples(st.floats(0.01, 40.0), st.sampled_from(DOMAINS), st.sampled_from([0.25, 0.5, 1.0])), max_size=8
)
"""(when, domain, clock in Hz)."""
Change = tuple[float, str, float]


def phone(bandwidth: float = 1e9, latency: float = 0.0, **options) -> Device:
    """The toy phone with three clocks of everything; DRAM's bandwidth is in proportion to its clock."""
    made = toy(bandwidth=bandwidth, **options)
    moving = {"opps": POINTS, "transition_latency": latency}
    memory = tuple(MemoryOpp(p.frequency, bandwidth * p.frequency) for p in POINTS)
    return replace(
        made,
        clusters=tuple(replace(c, **moving) for c in made.clusters),
        accelerators={name: replace(a, **moving) for name, a in made.accelerators.items()},
        memory=replace(made.memory, opps=memory),
    )


def at(simulation: Simulation, when: float, action: Callable[[], None]) -> None:
    simulation.env.timeout(when).callbacks.append(lambda _: action())


def played(
    device: Device, apps: Sequence, changes: Sequence[Change], *, stall: float = 0.0, **options
) -> Simulation:
    """A finished and checked run in which clocks are asked for."""
    simulation = Simulation(device, apps, kernels=True, **{"mechanisms": SHARING, **options})
    for domain in simulation.clocks.domains.values():
        domain.stall = min(stall, domain.latency)
    for when, name, clock in changes:
        at(simulation, when, lambda n=name, f=clock: simulation.clocks.request(n, f))
    simulation.run()
    simulation.validate()
    return simulation


def app(graph, plan, name: str = "net", **options) -> Inference:
    return Inference(graph, Fixed(plan), library=LIBRARY, name=name, **{"count": 1, **options})


def both(make: Callable[[bool], Simulation]) -> tuple[Outcome, Outcome]:
    return make(False).run(), make(True).run()


def assert_same(batched: Outcome, stepped: Outcome, tolerance: float = 1e-6) -> None:
    """The same kernels at the same times, the same clocks, the same energy."""
    key = lambda r: (r.app, r.inference, r.operator, r.kind, r.processor, r.source, r.share)  # noqa: E731
    ours, theirs = (sorted(done.kernels, key=lambda r: (*key(r), r.start_s)) for done in (batched, stepped))
    assert [key(r) for r in ours] == [key(r) for r in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert (one.start_s, one.end_s) == pytest.approx((other.start_s, other.end_s), abs=tolerance)
    assert [tuple(r)[1:] for r in batched.clocks] == [tuple(r)[1:] for r in stepped.clocks]
    assert batched.energy_j == pytest.approx(stepped.energy_j, rel=1e-6)
    assert batched.busy_s == pytest.approx(stepped.busy_s, rel=1e-6, abs=1e-9)


# --- batched and stepwise -------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(placed(), placed(), st.sampled_from([8.0, 64.0, 1e9]), CHANGES, st.sampled_from([0.0, 0.5]))
def test_batched_equals_stepwise_while_clocks_change(one, other, bandwidth, changes, latency) -> None:
    """Two applications, with noise so that nothing happens at one instant by chance; 8 B/s is too little."""
    spread = {"noise": 0.1}
    device = phone(bandwidth, latency, cpu=spread, gpu={"dispatch": 0.5, **spread}, dsp=spread)
    apps = [app(graph, plan, name) for name, (graph, plan) in (("one", one), ("other", other))]
    assert_same(
        *both(
            lambda stepwise: played(device, apps, changes, stall=latency / 4, noise=True, stepwise=stepwise)
        )
    )


@settings(max_examples=15)
@given(placed(most=4), CHANGES, st.sampled_from([16.0, 1e9]), st.integers(1, 3))
def test_batched_equals_stepwise_beside_competitors(one, changes, bandwidth, threads) -> None:
    """Cores are shared in turns, as Linux does; competitors pause at random."""
    graph, plan = one
    device = phone(bandwidth, cpu={"noise": 0.1}, gpu={"dispatch": 0.5, "noise": 0.1})
    rival = Competitor(threads=threads, duty=0.6, period=3.0, traffic=2.0)
    apps = [app(graph, plan, count=2), rival]
    runs = both(
        lambda stepwise: played(
            device, apps, changes, noise=True, seed=3, stepwise=stepwise, mechanisms=ALL_MECHANISMS
        )
    )
    assert_same(*runs)


@cache
def real() -> Device:
    return socsim.load_device("xiaomi-9")


REAL = {
    "cpu.prime": (825.6e6, 2841.6e6),
    "cpu.gold": (710.4e6, 2419.2e6),
    "gpu": (257e6, 585e6),
    "dram": (5e8, 2.1e9),
}


@pytest.mark.parametrize("scheduler", ["cpu", "gpu", "codl", "mulayer"])
@pytest.mark.parametrize("rivals", [0, 3])
def test_batched_equals_stepwise_on_a_phone(scheduler: str, rivals: int) -> None:
    """Teams of four threads under CFS, kernels dispatched by a host, all clocks between their lowest and highest."""
    model = socsim.load_model("squeezenet_1.1")
    apps = [Inference(model, scheduler, count=2, name="net")]
    apps += [Competitor(count=rivals, duty=0.7, traffic="2 GB/s")] if rivals else []
    changes = [
        (0.00071 + 0.00537 * step, name, clocks[step % 2])
        for step in range(8)
        for name, clocks in REAL.items()
    ]
    batched, stepped = both(
        lambda stepwise: played(
            real(), apps, changes, noise=True, seed=1, stepwise=stepwise, mechanisms=ALL_MECHANISMS
        )
    )
    assert len(batched.clocks) > 20
    assert_same(batched, stepped)


# --- conservation ---------------------------------------------------------------------------------------------


def speeds(done: Outcome, name: str) -> list[tuple[float, float, float]]:
    """(start, end, clock) of a domain whose highest clock is 1 Hz."""
    steps = [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == name]
    ends = [start for start, _ in steps[1:]] + [done.duration_s]
    return [(start, end, clock) for (start, clock), end in zip(steps, ends, strict=True)]


def within(done: Outcome, name: str, start: float, end: float) -> float:
    """The integral of a domain's speed."""
    return sum(f * max(0.0, min(e, end) - max(s, start)) for s, e, f in speeds(done, name))


@settings(max_examples=40)
@given(placed(kinds=("task",), most=5), CHANGES)
def test_every_kernel_does_its_work_at_the_clocks_that_there_were(case, changes) -> None:
    """A thread on a big core alone does 2 operations in each second at 1 Hz, the GPU 8, the DSP 4."""
    graph, plan = case
    simulation = played(phone(), [app(graph, plan)], changes)
    done = simulation.run()
    rates = {"cpu": ("cpu.big", 2.0), "gpu": ("gpu", 8.0), "dsp": ("dsp", 4.0)}
    kernels = [r for r in done.kernels if r.kind == "kernel"]
    assert sorted(r.operator for r in kernels) == sorted(graph.operators)
    for kernel in kernels:
        domain, rate = rates[kernel.processor]
        did = rate * within(done, domain, kernel.start_s, kernel.end_s)
        assert did == pytest.approx(graph.operators[kernel.operator].macs, rel=1e-9)


def power_of(clock: float) -> float:
    """Busy power in W above the idle 0.5: 2 f V^2 + V - 0.5."""
    voltage = {p.frequency: p.voltage for p in POINTS}[clock]
    return 2.0 * clock * voltage**2 + voltage - 0.5


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([CPU, GPU, BUFFER, DSP])), min_size=1, max_size=4),
    CHANGES,
)
def test_energy_is_that_of_every_clock_for_its_time(steps, changes) -> None:
    """Of accelerators: kernels' times at each clock with its power, and idle power all the time."""
    names = [f"n{i}" for i in range(len(steps))]
    graph = net("; ".join(f"n{i}:{work} {names[i - 1] if i else 'x'}" for i, (work, _) in enumerate(steps)))
    plan = dict(zip(names, (place for _, place in steps), strict=True))
    done = played(phone(), [app(graph, plan)], changes).run()
    for name in ("gpu", "dsp"):
        expected = 0.5 * done.duration_s
        for r in done.kernels:
            if r.kind in ("kernel", "transform") and r.processor == name:
                expected += sum(
                    power_of(f) * max(0.0, min(e, r.end_s) - max(s, r.start_s))
                    for s, e, f in speeds(done, name)
                )
        assert done.energy_j[name] == pytest.approx(expected, rel=1e-9)
    assert done.energy_j["board"] == pytest.approx(done.duration_s)
    assert sum(done.rails_j.values()) == pytest.approx(sum(done.energy_j.values()), rel=1e-12)


@pytest.mark.parametrize("mechanisms", [SHARING, ALL_MECHANISMS])
@settings(max_examples=15)
@given(changes=CHANGES, threads=st.integers(1, 4), duty=st.sampled_from([1.0, 0.4]))
def test_energy_of_cores_is_that_of_the_spans_on_them(mechanisms, changes, threads, duty) -> None:
    """Threads on the little cores alone; each begins in its own time, and holds a core or a share of one."""
    rival = Competitor(threads=threads, affinity="little", duty=duty, period=1.5)
    done = played(phone(), [rival], changes, duration=37.0, mechanisms=mechanisms).run()
    expected = 2 * 0.5 * 37.0
    for span in done.spans:
        for start, end, clock in speeds(done, "cpu.little"):
            overlap = max(0.0, min(end, span.end_s) - max(start, span.start_s))
            expected += power_of(clock) * span.share * overlap
    assert done.energy_j["cpu.little"] == pytest.approx(expected, rel=1e-9)
    assert done.energy_j["cpu.big"] == pytest.approx(37.0)
    if duty == 1.0:
        cores = min(threads, 2)
        assert sum((s.end_s - s.start_s) * s.share for s in done.spans) == pytest.approx(
            37.0 * cores, abs=3.0
        )


@settings(max_examples=25)
@given(CHANGES, st.floats(1.0, 8.0))
def test_bytes_do_not_depend_on_clocks(changes, bandwidth) -> None:
    """DRAM's energy is its idle power, 0.25 W, and 2^-10 J for each byte, however long they take."""
    graph = net("a:8 x; b:8 a")
    done = played(phone(bandwidth), [app(graph, {"a": CPU, "b": CPU})], changes).run()
    traffic = (done.energy_j["dram"] - 0.25 * done.duration_s) * 2**10
    # each reads one tensor of 64 B and writes another
    assert traffic == pytest.approx(256.0, rel=1e-9)


# --- clocks that stay -----------------------------------------------------------------------------------------


class Present(Governor):
    """Wants the clock that there is."""

    def __init__(self, period: float = 0.37, trigger: str = "timer") -> None:
        self.period, self.trigger = period, trigger

    def next_frequency(self, domain):
        return domain.frequency


def bits(done: Outcome) -> tuple:
    """All of a run that is not rounded differently by being looked at more often."""
    return done.inferences, done.kernels, done.clocks, done.spans, done.bursts, done.duration_s


@pytest.mark.parametrize("trigger", ["timer", "busy", "limits"])
@settings(max_examples=10)
@given(case=placed(), seed=st.integers(0, 5))
def test_a_governor_that_wants_the_present_clock_changes_no_bit(trigger, case, seed) -> None:
    graph, plan = case
    device = phone(32.0, cpu={"noise": 0.1}, gpu={"noise": 0.1}, dsp={"noise": 0.1})
    options = {"seed": seed, "noise": True}
    plain = played(device, [app(graph, plan, count=2)], [], **options).run()
    governors = {"gpu": Present(trigger=trigger), "dsp": Present(trigger=trigger), "dram": Present(1.1)}
    governed = played(device, [app(graph, plan, count=2)], [], governors=governors, **options).run()
    # reading busy times settles nothing that decides on times, so that kernels are the same to the last bit
    assert bits(governed) == bits(plain)
    assert governed.energy_j == pytest.approx(plain.energy_j, rel=1e-12)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.sampled_from(DOMAINS)), max_size=6))
def test_asking_for_what_there_is_changes_no_bit(when) -> None:
    graph = net("a:16 x; b:8:conv2d a; c:4:softmax b; d:8 c")
    plan = {"a": CPU, "b": GPU, "c": CPU, "d": DSP}
    plain = played(phone(), [app(graph, plan)], [])
    asked = played(phone(latency=0.5), [app(graph, plan)], [(t, name, 1.0) for t, name in when])
    assert bits(asked.run()) == bits(plain.run())
    assert asked.run().energy_j == plain.run().energy_j


# --- caps -----------------------------------------------------------------------------------------------------

WORKS = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([CPU, GPU, BUFFER, DSP])), min_size=1, max_size=5
)


@settings(max_examples=30)
@given(WORKS, st.sampled_from([8.0, 1e9]), st.data())
def test_a_higher_cap_never_slows_a_chain_down(works, bandwidth, data) -> None:
    """Any domain: the time falls, or stays where that domain has no part in it."""
    graph = net("; ".join(f"n{i}:{w} {f'n{i - 1}' if i else 'x'}" for i, (w, _) in enumerate(works)))
    plan = {f"n{i}": place for i, (_, place) in enumerate(works)}
    name = data.draw(st.sampled_from(DOMAINS))
    device = phone(bandwidth, gpu={"dispatch": 0.25})
    times = [
        played(device, [app(graph, plan)], [], limits={name: {"max": cap}}).run().inferences[0].finish_s
        for cap in (0.25, 0.5, 1.0)
    ]
    assert times[0] >= times[1] - 1e-9 and times[1] >= times[2] - 1e-9
    if name == "cpu.big" and all(place == CPU for _, place in works) and bandwidth == 1e9:
        assert times == pytest.approx([4 * times[2], 2 * times[2], times[2]])


@pytest.mark.parametrize("domain", ["cpu.prime", "gpu", "dram"])
@pytest.mark.parametrize("scheduler", ["cpu", "gpu"])
def test_caps_of_a_phone_slow_down_in_order(domain: str, scheduler: str) -> None:
    device = real()
    units = {"gpu": device.accelerators["gpu"], "dram": device.memory, "cpu.prime": device.clusters[-1]}
    points = [p.frequency for p in units[domain].opps]
    model = socsim.load_model("squeezenet_1.1")
    times = [
        Simulation(
            device, [Inference(model, scheduler, count=1, cores="prime:1")], limits={domain: {"max": cap}}
        )
        .run()
        .inferences[0]
        .finish_s
        for cap in points
    ]
    assert times == sorted(times, reverse=True)
    if domain == {"cpu": "cpu.prime"}.get(scheduler, scheduler):
        assert times[0] > 1.1 * times[-1]


# --- transitions ----------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.dictionaries(st.floats(0.0, 30.0), st.sampled_from([0.25, 0.5, 1.0]), min_size=1, max_size=8),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_changes_take_their_time_and_do_not_overlap(requests, latency) -> None:
    """Between two changes at least one transition; the last one wanted is where it ends."""
    graph = net("a:200 x")
    changes = [(t, "cpu.big", f) for t, f in sorted(requests.items())]
    done = played(phone(latency=latency), [app(graph, {"a": CPU})], changes).run()
    moved = [r for r in done.clocks if r.domain == "cpu.big"]
    for before, after in pairwise(moved):
        assert after.start_s - before.start_s >= latency - 1e-9
        assert after.frequency_hz != before.frequency_hz
    assert all(any(t + latency <= r.start_s + 1e-9 for t in requests) for r in moved[1:])
    assert moved[-1].frequency_hz == changes[-1][2]


@settings(max_examples=30)
@given(st.lists(st.floats(0.0, 40.0), min_size=1, max_size=5, unique=True), st.sampled_from([0.25, 0.5]))
def test_each_transition_stops_its_domain_for_the_stall(times, stall) -> None:
    """The clock is asked to go down and up by turns; what is lost is one stall for each transition begun."""
    device = phone(latency=0.5)
    changes = [(t, "cpu.big", (0.5, 1.0)[i % 2]) for i, t in enumerate(sorted(times))]
    done = played(device, [app(net("a:100 x"), {"a": CPU})], changes, stall=stall).run()
    (kernel,) = done.kernels
    lost, free_at, clock, asked = 0.0, 0.0, 1.0, 1.0
    pending = [(t, f) for t, _, f in changes]
    while pending:  # by hand: a request begins a transition if none is under way and the clock differs
        t, asked = pending.pop(0)
        if asked == clock:
            continue
        free_at = t + 0.5
        while pending and pending[0][0] <= free_at:
            _, asked = pending.pop(0)
        stopped = within(done, "cpu.big", free_at - stall, free_at)
        lost += stopped
        clock = asked
    # the work done, 50 s at 1 Hz, is what all clocks allow less what the stalls took
    assert within(done, "cpu.big", 0.0, kernel.end_s) - lost == pytest.approx(50.0, rel=1e-9)


def test_a_cap_during_a_transition_counts_when_it_ends() -> None:
    """0.5 wanted at 2; a cap of 0.25 at 2.5: at 3 it goes straight there, and back up one transition after the cap."""
    simulation = Simulation(phone(latency=1.0), [app(net("a:16 x"), {"a": CPU})], mechanisms=SHARING)
    clocks = simulation.clocks
    at(simulation, 2.0, lambda: clocks.request("cpu.big", 0.5))
    at(simulation, 2.5, lambda: clocks.limit("cpu.big", "heat", cap=0.25))
    at(simulation, 5.0, lambda: clocks.limit("cpu.big", "heat"))
    done = simulation.run()
    assert [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == "cpu.big" and r.start_s] == [
        (3.0, 0.25), (6.0, 0.5)
    ]  # fmt: skip
    # 3 s at 1, 3 s at 0.25, and the other 4.25 at 0.5
    assert done.inferences[0].finish_s == pytest.approx(6.0 + 8.5)


LIMITS = st.lists(
    st.tuples(
        st.floats(0.0, 30.0),
        st.sampled_from(["user", "mode", "heat"]),
        st.sampled_from([None, 0.25, 0.5, 1.0]),
        st.sampled_from([None, 0.25, 0.5, 1.0]),
    ),
    max_size=8,
)


@settings(max_examples=50)
@given(LIMITS, st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from([0.25, 0.5, 1.0])), max_size=4))
def test_limits_from_several_sides(limits, requests) -> None:
    """At every instant: what was wanted last, raised to the highest floor, lowered to the lowest cap."""
    simulation = Simulation(phone(), [app(net("a:200 x"), {"a": CPU})], mechanisms=SHARING)
    clocks = simulation.clocks
    events = [(t, 0, (who, cap, floor)) for t, who, cap, floor in limits]
    events += [(t, 1, clock) for t, clock in requests]
    events.sort(key=lambda e: e[0])
    caps: dict[str, float] = {}
    floors: dict[str, float] = {}
    wanted, expected = 1.0, []
    for when, kind, what in events:
        if kind:
            wanted = what
            at(simulation, when, lambda f=what: clocks.request("cpu.big", f))
        else:
            who, cap, floor = what
            at(simulation, when, lambda w=who, c=cap, f=floor: clocks.limit("cpu.big", w, cap=c, floor=f))
            caps.pop(who, None), floors.pop(who, None)
            caps |= {who: cap} if cap else {}
            floors |= {who: floor} if floor else {}
        clock = min(max(wanted, *floors.values(), 0.0), *caps.values(), 1.0)
        expected.append((when, clock))
    done = simulation.run()
    found = [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == "cpu.big"]
    present = dict([(0.0, 1.0), *expected])  # of one instant the last counts
    for when, clock in present.items():
        assert [f for t, f in found if t <= when][-1] == clock
