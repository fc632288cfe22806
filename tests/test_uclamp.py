"""Clamps of utilisation, waits for input and output, and GPUs that power down: what governors and EAS are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corekit import BUFFER, LIBRARY, Fixed, net
from govkit import Domain
from test_energyaware import MS, Crew
from test_governors_runs import board, gpu_board, trace

import socsim
from socsim.devices.device import Device
from socsim.devices.eas import EnergyDomain, Usage, Waking, clamped, efficient_core
from socsim.devices.profile import load_device
from socsim.errors import FileError, UsageError
from socsim.experiments import load_experiment
from socsim.schedulers.governors import Governor, OppView, make_governor
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.arrivals import At
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui
from socsim.workloads.process_trace import process_bursts
from socsim.workloads.replays import Replay
from socsim.workloads.uclamp import describe_uclamp, make_uclamp

# --- what a user writes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "clamp"),
    [
        (None, (0.0, 1024.0)),
        ({"min": 0.25}, (256.0, 1024.0)),
        ({"max": "50 %"}, (0.0, 512.0)),
        ({"min": 0.5, "max": 1.0}, (512.0, 1024.0)),
        ({"min": 100, "max": 200.5}, (100.0, 200.5)),
        ({"max": 1}, (0.0, 1024.0)),
        ({"min": 0, "max": 0}, (0.0, 0.0)),
    ],
)
def test_a_clamp_is_a_share_or_a_number_up_to_1024(spec, clamp) -> None:
    assert make_uclamp(spec) == clamp
    assert make_uclamp(describe_uclamp(spec) or None) == clamp


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (0.5, "uclamp must be a mapping of min, max or both, got 0.5"),
        ({}, "uclamp must be a mapping"),
        ({"mni": 0.5}, "uclamp has no 'mni'; did you mean 'min'?"),
        ({"most": 0.5}, "uclamp has no 'most'; "),
        ({"min": 2000}, "uclamp.min must be a share from 0 to 1, or a number up to 1024, got 2000"),
        ({"max": -0.1}, "uclamp.max must be a share"),
        ({"max": True}, "uclamp.max must be a share"),
        ({"max": "5 ms"}, "uclamp.max: '5 ms' is a time"),
        ({"min": 0.5, "max": 0.2}, "uclamp: min must not be above max, got 0.5 and 0.2"),
    ],
)
def test_clamps_that_say_impossible_things(spec, message: str) -> None:
    for make in (
        make_uclamp,
        lambda clamp: Competitor(uclamp=clamp),
        lambda clamp: Inference("resnet50", uclamp=clamp),
        lambda clamp: Ui(uclamp=clamp),
        lambda clamp: Replay(rows=ROWS, uclamp=clamp),
    ):
        with pytest.raises(UsageError) as caught:
            make(spec)
        assert message in str(caught.value)


ROWS = [
    {"process": "p", "processor": "cpu", "start_ms": 10, "demand_ms": 1, "iowait": 1},
    {"process": "p", "processor": "cpu", "start_ms": 20, "demand_ms": 1, "iowait": 0},
    {"process": "p", "processor": "cpu", "start_ms": 30, "demand_ms": 1},
]


# --- in the scheduler -----------------------------------------------------------------------------------------


def test_a_core_s_clamp_is_the_largest_of_its_runnable_threads_each() -> None:
    crew = Crew()
    low = crew.thread("low", 0, uclamp=(100.0, 300.0))
    high = crew.thread("high", 0, uclamp=(50.0, 700.0))
    queue = crew.queue(0)
    assert queue.clamp() == (0.0, 1024.0)
    crew.cores.wake(low)
    assert queue.clamp() == (100.0, 300.0)
    crew.cores.wake(high)
    assert queue.clamp() == (100.0, 700.0)
    crew.cores.sleep(low)
    assert queue.clamp() == (50.0, 700.0)


def test_an_idle_core_keeps_the_highest_of_who_ran_last() -> None:
    """So that its fading utilisation does not speed it up; who comes next brings a clamp of its own."""
    crew = Crew()
    thread = crew.thread("held back", 0, uclamp=(100.0, 300.0))
    crew.cores.wake(thread)
    crew.cores.sleep(thread)
    assert crew.queue(0).clamp() == (0.0, 300.0)
    assert crew.queue(0).usage().idle
    crew.cores.wake(crew.thread("free", 0))
    assert crew.queue(0).clamp() == (0.0, 1024.0)


def test_clamped() -> None:
    assert [clamped(u, (100.0, 300.0)) for u in (0.0, 200.0, 900.0)] == [100.0, 200.0, 300.0]
    assert clamped(0.0, (300.0, 100.0)) == 300.0


# Two cores of 512 at 0.5 or 1.5 W, two of 1024 at 2 or 8 W.
LITTLE = EnergyDomain((0, 1), ((256.0, 0.5), (512.0, 1.5)))
BIG = EnergyDomain((2, 3), ((512.0, 2.0), (1024.0, 8.0)))
ALL = (0, 1, 2, 3)


def chosen(average: float, clamp=(0.0, 1024.0), usage: dict[int, Usage] | None = None, last: int = 2) -> int:
    known = [(usage or {}).get(core, Usage(0.0, idle=True)) for core in ALL]
    return efficient_core(Waking(average, average, last, ALL, clamp), known, (LITTLE, BIG))


def test_a_small_thread_that_asks_for_more_goes_to_a_big_core() -> None:
    assert chosen(100.0) == 0
    assert chosen(100.0, (500.0, 1024.0)) == 2


def test_a_large_thread_that_is_held_back_fits_a_little_core() -> None:
    """Of 600 used a little core gives 512; clamped to 200 it fits, and the slow clock is foreseen for it."""
    assert chosen(600.0) == 2
    assert chosen(600.0, (0.0, 200.0)) == 0


def test_a_clamp_of_others_on_the_core_counts_too() -> None:
    """Beside a thread that asks for 500 no little core suffices, for that one's clamp is the core's."""
    asked = {core: Usage(10.0, 10.0, (500.0, 1024.0)) for core in (0, 1)}
    assert chosen(100.0, usage=asked) == 2
    idle = {core: replace(usage, idle=True) for core, usage in asked.items()}
    assert chosen(100.0, usage=idle) == 0


def test_the_clock_is_foreseen_within_clamps() -> None:
    assert LITTLE.power((100.0, 0.0)) == pytest.approx(0.5 * 100 / 256)
    assert LITTLE.power((100.0, 0.0), (400.0, 0.0)) == pytest.approx(1.5 * 100 / 512)
    assert LITTLE.power((300.0, 0.0), (100.0, 0.0)) == pytest.approx(0.5 * 300 / 256)


@pytest.mark.parametrize(("clamp", "cores"), [((0.0, 1024.0), {0, 1}), ((0.0, 300.0), {2, 3})])
def test_a_thread_that_is_held_back_does_not_outgrow_its_core(clamp, cores: set[int]) -> None:
    """Always running, it would be moved from a core of 512 to one of 1024."""
    crew = Crew()
    thread = crew.thread("busy", last=2, used=100.0, uclamp=clamp)
    crew.cores.wake(thread)
    crew.env.run(until=400 * MS)
    assert thread.core in cores


# --- at work under schedutil ----------------------------------------------------------------------------------

STEADY = {"start": 0.0, "affinity": "big", "duty": 1.0}


def settled(governor: str, *apps, device: Device | None = None, until: float = 0.5) -> float:
    """The last clock in MHz of one big core."""
    done = Simulation(device or board(), list(apps), duration=until, governors={"cpu.big": governor}).run()
    return trace(done)[-1][1]


def test_a_busy_thread_that_is_held_back_runs_at_the_clock_of_its_clamp() -> None:
    """Always running: 1.25 of 512 of 1024 are 640 MHz, 700; NVIDIA's and the others know no clamps."""
    app = Competitor(uclamp={"max": 0.5}, **STEADY)
    assert settled("schedutil", app) == 700.0
    assert settled("schedutil", Competitor(**STEADY)) == 1000.0
    assert settled("schedutil_l4t", app) == 1000.0
    assert settled("ondemand", app) == 1000.0


def test_of_two_threads_the_freer_one_counts() -> None:
    apps = [Competitor(uclamp={"max": limit}, name=f"c{limit}", **STEADY) for limit in (0.2, 0.5)]
    assert settled("schedutil", *apps) == 700.0


def test_a_light_thread_that_asks_for_more_gets_it_while_it_runs() -> None:
    light = {"duty": 0.1, "period": 0.02, "affinity": "big"}
    assert settled("schedutil", Competitor(**light)) <= 400.0
    boosted = Competitor(uclamp={"min": 0.6}, **light)
    assert settled("schedutil(rate_limit=1 us)", boosted) == 800.0


def test_threads_of_all_applications_are_clamped() -> None:
    """Workers and hosts of an inference, a user interface's, a replay's."""
    clamp = {"min": 0.25, "max": 0.5}
    apps = [
        socsim.Inference(socsim.load_model("squeezenet_1.1"), "cpu", count=1, uclamp=clamp),
        Ui(uclamp=clamp),
        Replay(rows=ROWS, uclamp=clamp),
        Competitor(uclamp=clamp),
    ]
    simulation = Simulation(load_device("xiaomi-9"), apps, duration=0.1, governors={"cpu": "schedutil"})
    seen = set[tuple[str, tuple[float, float]]]()
    make = simulation.executor.cores.new_thread

    def watched(name: str, *args, **options):
        thread = make(name, *args, **options)
        seen.add((name.rpartition(".")[0], thread.uclamp))
        return thread

    simulation.executor.cores.new_thread = watched
    simulation.run()
    assert {clamp for _, clamp in seen} == {(256.0, 512.0)}
    assert {name for name, _ in seen} >= {"squeezenet_1.1", "p", "competitor"}


class Watch(Governor):
    """Keeps all that it is told."""

    trigger, kinds, name = "scheduler", ("cpu",), "watch"
    seen: list

    def next_frequency(self, domain):
        rows = (domain.uclamps, domain.iowaits, domain.updated, domain.utils, domain.capacity)
        type(self).seen.append((round(domain.now / MS, 6), *rows))


def watched(*apps, device: Device | None = None, until: float = 0.05) -> list:
    Watch.seen = []
    device = device or board(count=2)
    Simulation(device, list(apps), duration=until, governors={"cpu.big": Watch()}).run()
    return Watch.seen


def test_governors_are_told_of_each_cpu_by_itself() -> None:
    """Two bursts of 1 ms that wake up at 10 and 20 ms after waiting for input, and one at 30 ms that has not."""
    seen = watched(Replay(rows=ROWS, affinity="big:1", uclamp={"max": 0.5}))
    events = {at: row for at, *row in seen}
    assert [at for at in events if events[at][1][0]] == [10.0]
    assert events[10.0][:3] == [((0.0, 512.0), (0.0, 1024.0)), (True, False), (True, False)]
    assert events[20.0][1] == (False, False)
    after = next(at for at in events if at > 10.0)
    assert events[after][:2] == [((0.0, 512.0), (0.0, 1024.0)), (False, False)]


def test_pauses_of_a_competitor_may_be_waits() -> None:
    busy = {"duty": 0.5, "period": 0.004, "affinity": "big:1", "name": "c"}
    woken = sum(any(row[2]) for row in watched(Competitor(iowait=True, **busy), until=0.1))
    assert woken > 5
    assert not any(any(row[2]) for row in watched(Competitor(**busy), until=0.1))


def test_a_thread_that_waits_gets_a_higher_clock() -> None:
    """Short work every 4 ms: the boost doubles with each wake-up that comes within a tick."""
    light = {"duty": 0.05, "period": 0.002, "affinity": "big"}
    governor = "schedutil(rate_limit=1 us)"
    waits = settled(governor, Competitor(iowait=True, **light), until=0.3)
    plain = settled(governor, Competitor(**light), until=0.3)
    assert waits > plain


def test_waits_without_pauses_are_refused() -> None:
    with pytest.raises(UsageError, match="iowait is of pauses, and there are none"):
        Competitor(iowait=True)


def test_traces_of_processes_tell_waits() -> None:
    bursts = process_bursts(ROWS)
    assert [burst.iowait for burst in bursts] == [True, False, False]
    assert [burst.describe().get("iowait") for burst in bursts] == [1, None, None]
    with pytest.raises(UsageError, match="iowait must be 0 or 1, got '2'"):
        process_bursts([{**ROWS[0], "iowait": 2}])


def test_a_move_to_another_cluster_is_told_to_both_governors() -> None:
    """A thread that outgrows its little core: the big cores' governor hears of it when it comes, not a tick later."""
    device = load_device("xiaomi-9")
    Watch.seen = []
    governors = {"cpu.gold": Watch(), "cpu.prime": "performance", "cpu.silver": "performance"}
    app = Competitor(duty=0.9, period=0.05)
    simulation = Simulation(device, [app], duration=1.0, governors=governors, kernels=True)
    done = simulation.run()
    gold = {i for i, name in enumerate(done.core_names) if name == "gold"}
    begun = {round(span.start_s / MS, 6) for span in done.spans if span.core in gold}
    assert begun <= {row[0] for row in Watch.seen}


# --- a governor of a board in a power mode --------------------------------------------------------------------


def test_governors_see_the_hardware_s_table_whatever_the_mode() -> None:
    """As Linux' `cpuinfo`: all operating points, and utilisation of a core that is at its capped clock."""
    device = load_device("jetson-xavier-nx(mode=15W_6CORE)")
    tables = {}

    class Look(Governor):
        name, period = "look", "10 ms"

        def next_frequency(self, domain):
            tables[domain.name] = (domain.opps, domain.minimum, domain.maximum, domain.utils, domain.capacity)

    governors = dict.fromkeys(("cpu.carmel0", "gpu", "dram"), Look())
    Simulation(device, [Competitor(affinity="carmel0:1")], duration=1.0, governors=governors).run()
    opps, low, high, utils, capacity = tables["cpu.carmel0"]
    assert (len(opps), round(opps.lowest / 1e6, 1), round(opps.highest / 1e6, 1)) == (25, 115.2, 1907.2)
    assert (round(low / 1e6, 1), round(high / 1e6, 1), capacity) == (1190.4, 1420.8, 1024.0)
    assert max(utils) == pytest.approx(1024 * 1420.8 / 1907.2, rel=1e-6)
    assert tables["dram"][0].highest == 1866e6
    assert len(tables["gpu"][0]) == 15


def test_ondemand_counts_from_the_hardware_s_lowest_to_its_highest_clock() -> None:
    """Half a load asks for 1011 MHz of 115.2 to 1907.2, below the mode's floor; of its bounds it would be 1305."""
    device = load_device("jetson-xavier-nx(mode=15W_6CORE)")
    app = Replay(rows=[{"process": "p", "processor": "cpu", "start_ms": 0, "demand_ms": 3, "thread": "t"}],
                 repeat="10 ms", affinity="carmel0:1")  # fmt: skip
    done = Simulation(device, [app], duration=0.5, governors={"cpu.carmel0": "ondemand"}).run()
    clocks = [r.frequency_hz for r in done.clocks if r.domain == "cpu.carmel0" and r.start_s > 0.1]
    last = [r.frequency_hz for r in done.clocks if r.domain == "cpu.carmel0"][-1]
    assert (clocks, round(last / 1e6, 1)) == ([], 1190.4)


# --- inefficient operating points -----------------------------------------------------------------------------

FLAT = (0.6, 0.6, 0.6, 0.6, 0.7, 0.7, 0.8, 0.9, 0.9, 1.0)
"""Voltages of 100 MHz to 1 GHz: 400, 600, 700, 900 and 1000 MHz are efficient."""


def flat_board() -> Device:
    made = board()
    big, little = made.clusters
    opps = tuple(replace(opp, voltage=voltage) for opp, voltage in zip(big.opps, FLAT, strict=True))
    return replace(made, clusters=(replace(big, opps=opps), little))


@pytest.mark.parametrize(
    ("governor", "clock"),
    [
        ("schedutil", 700.0),
        ("schedutil(skip_inefficient=true)", 700.0),
        ("schedutil(margin=0.9)", 500.0),
        ("schedutil(margin=0.9, skip_inefficient=true)", 600.0),
        ("schedutil(margin=1.5, skip_inefficient=true)", 900.0),
    ],
)
def test_points_that_a_faster_one_beats_may_be_passed_over(governor: str, clock: float) -> None:
    """Half of 1024 at a margin of 0.9 needs 450 MHz: 500, which has the voltage of 600."""
    app = Competitor(uclamp={"min": 0.5, "max": 0.5}, **STEADY)
    assert settled(governor, app, device=flat_board()) == clock


def test_limits_win_over_efficiency() -> None:
    device, app = flat_board(), Competitor(uclamp={"min": 0.5, "max": 0.5}, **STEADY)
    governors = {"cpu.big": "schedutil(margin=0.9, skip_inefficient=true)"}
    limits = {"cpu.big": {"max": 500e6}}
    done = Simulation(device, [app], duration=0.3, governors=governors, limits=limits).run()
    assert trace(done)[-1][1] == 500.0


def test_without_voltages_all_points_are_efficient() -> None:
    made = board()
    big, little = made.clusters
    bare = replace(big, opps=tuple(replace(opp, voltage=0.0) for opp in big.opps))
    app = Competitor(uclamp={"min": 0.5, "max": 0.5}, **STEADY)
    device = replace(made, clusters=(bare, little))
    assert settled("schedutil(margin=0.9, skip_inefficient=true)", app, device=device) == 500.0


@pytest.mark.parametrize(("name", "shares", "clocks"), [("ondemand", (0.2, 0.9), (400.0, 900.0)),
                                                        ("conservative", (0.1, 0.9), (400.0, 400.0))])  # fmt: skip
def test_sampling_governors_pass_over_them_too(name: str, shares, clocks) -> None:
    """Ondemand: 280 and 910 MHz, the closest; conservative: a step below 300, then 300 again, of which 400 is next."""
    efficient = OppView([4e8, 6e8, 7e8, 9e8, 1e9])
    domain = Domain(make_governor(f"{name}(skip_inefficient=true)"), frequency=3e8, efficient=efficient)
    assert [domain.call(share, elapsed=8e-3) for share in shares] == list(clocks)


# --- GPUs that power down -------------------------------------------------------------------------------------


def gpu_phone(suspend: float) -> Device:
    made = gpu_board()
    gpu = replace(made.accelerators["gpu"], suspend_after=suspend)
    return replace(made, accelerators={**made.accelerators, "gpu": gpu})


class Polls(Governor):
    """Keeps what it is told of the GPU's time."""

    kinds, name, period = ("gpu",), "polls", 1.0
    seen: list

    def next_frequency(self, domain):
        times = (domain.busy_s, domain.total_s, domain.suspended)
        type(self).seen.append((domain.now, *(round(float(t), 6) for t in times[:2]), times[2]))


@pytest.mark.parametrize("suspend", [0.0, 0.5])
def test_time_without_power_does_not_count(suspend: float) -> None:
    """A kernel of 1 s begins 0.375 s after its inference at 0 and at 4 s: it runs until 1.375, and from 4.375 on."""
    graph = net("a:8000000 x")
    arrivals = At((0.0, 4.0))
    app = Inference(graph, Fixed({"a": BUFFER}), library=LIBRARY, arrivals=arrivals)
    Polls.seen = []
    Simulation(gpu_phone(suspend), [app], duration=6.5, governors={"gpu": Polls()}).run()
    seen = {
        0.0: [(1, 0.625, 1, False), (2, 0.375, 1, False), (3, 0, 1, False), (4, 0, 1, False), (5, 0.625, 1, False),
              (6, 0.375, 1, False)],
        0.5: [(1, 0.625, 1, False), (5, 0.625, 0.625, True)],
    }[suspend]  # fmt: skip
    assert Polls.seen == seen


def test_a_governor_may_be_asked_once_more_when_its_unit_has_powered_down() -> None:
    """At 2 s the GPU has been off since 1.875; at 3 and 4 s it still is."""

    class Once(Polls):
        asked_suspended = True

    graph = net("a:8000000 x")
    app = Inference(graph, Fixed({"a": BUFFER}), library=LIBRARY, arrivals=At((0.0, 4.0)))
    Once.seen = []
    Simulation(gpu_phone(0.5), [app], duration=5.5, governors={"gpu": Once()}).run()
    assert Once.seen == [(1, 0.625, 1, False), (2, 0.375, 0.875, True), (5, 0.625, 0.625, True)]


def test_simple_ondemand_does_not_take_a_gpu_without_power_for_a_busy_one() -> None:
    """Its driver is not polled; asked, it would divide by no time, and take the highest clock."""
    graph = net("a:8000000 x")
    app = Inference(graph, Fixed({"a": BUFFER}), library=LIBRARY, arrivals=At((0.0,)))
    done = Simulation(
        gpu_phone(0.5), [app], duration=9.0, governors={"gpu": "simple_ondemand(period=1 s)"}
    ).run()
    on = Simulation(
        gpu_phone(0.0), [app], duration=9.0, governors={"gpu": "simple_ondemand(period=1 s)"}
    ).run()
    clocks = [[(r.start_s, r.frequency_hz) for r in d.clocks if r.domain == "gpu"] for d in (done, on)]
    assert clocks[0] == clocks[1][: len(clocks[0])]
    assert clocks[0][-1][1] < 1.0


def test_the_shipped_gpus_power_down_as_their_drivers_say() -> None:
    assert load_device("xiaomi-9").accelerators["gpu"].suspend_after == 80e-3
    assert load_device("jetson-xavier-nx").accelerators["gpu"].suspend_after == 0.5
    assert load_device("odroid-xu4").accelerators["gpu"].suspend_after == 0.0


# --- files ----------------------------------------------------------------------------------------------------

FILE = """\
device: xiaomi-9
duration: 0.2 s
governors: {cpu: schedutil}
apps:
- {kind: inference, model: squeezenet_1.1, period: 50 ms, uclamp: {min: 0.2, max: 80 %}}
- {kind: ui, uclamp: {min: 300}}
- {kind: competitor, duty: 0.3, iowait: true, uclamp: {max: 0.25}}
- {kind: replay, rows: [{process: p, processor: cpu, start_ms: 0, demand_ms: 1, iowait: 1}], uclamp: {max: 256}}
"""


def test_an_experiment_with_clamps_runs_and_can_be_run_again(tmp_path: Path) -> None:
    (tmp_path / "clamps.yaml").write_text(FILE)
    experiment = load_experiment(tmp_path / "clamps.yaml")
    assert [make_uclamp(app.uclamp) for app in experiment.apps] == [
        (pytest.approx(204.8), pytest.approx(819.2)), (300.0, 1024.0), (0.0, 256.0), (0.0, 256.0)
    ]  # fmt: skip
    first = experiment.run()
    described = socsim.simulate("xiaomi-9", experiment.apps, duration=0.2, governors={"cpu": "schedutil"})
    described.save(tmp_path / "out")
    again = load_experiment(tmp_path / "out" / "experiment.yaml").run()
    assert again.outcome.energy_j == described.outcome.energy_j == first.outcome.energy_j


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max: 80 %", "max: 80 ms", "5:67: apps.0.uclamp: uclamp.max: '80 ms' is a time"),
        ("{min: 300}", "{min: 3000}", "6:22: apps.1.uclamp: uclamp.min must be a share from 0 to 1"),
        ("duty: 0.3, ", "", "iowait is of pauses"),
        ("iowait: true", "iowait: maybe", "apps.2.iowait: should be"),
        ("uclamp: {max: 256}", "uclam: {max: 256}", "did you mean 'uclamp'?"),
    ],
)
def test_faults_of_files_have_their_places(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    (tmp_path / "clamps.yaml").write_text(FILE.replace(old, new))
    with pytest.raises(FileError) as caught:
        load_experiment(tmp_path / "clamps.yaml")
    assert message in str(caught.value)
