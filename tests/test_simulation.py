"""Whole simulations: arrivals and queues, invariants, seeds, schedulers, and batched against stepwise execution."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from corekit import (
    BUFFER,
    CPU,
    DSP,
    GPU,
    LIBRARY,
    SHARING,
    Fixed,
    net,
    networks,
    outcome,
    placed,
    pricer,
    rows,
    simulation,
    toy,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.devices.device import Device
from socsim.errors import SimulationError, SocsimError, UsageError
from socsim.schedulers.base import OnlineScheduler, StaticScheduler
from socsim.schedulers.registry import SCHEDULERS
from socsim.simulation.inferencelog import InferenceLog, InferenceRecord
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer

CHAIN = net("a:16 x; b:8 a")
ON_CPU = {"a": CPU, "b": CPU}
"""12 s."""


# --- arrivals and the queue before the interpreter ------------------------------------------------------------


def test_a_period_shorter_than_the_service_builds_a_queue_up() -> None:
    """12 s every 8 s until 100: 13 arrive, 8 finish, one runs, four wait; the n-th waits 4 n s."""
    done = outcome(CHAIN, ON_CPU, period=8.0, count=None, duration=100.0)
    assert [r.status for r in done.inferences] == ["finished"] * 8 + ["running"] + ["queued"] * 4
    started = [r for r in done.inferences if r.start_s >= 0]
    assert [r.start_s - r.arrival_s for r in started] == [4.0 * n for n in range(9)]
    assert [r.finish_s - r.start_s for r in started[:8]] == [12.0] * 8
    assert [(r.start_s, r.finish_s) for r in done.inferences[9:]] == [(-1.0, -1.0)] * 4


@given(st.integers(1, 40), st.integers(10, 200))
@settings(max_examples=40, deadline=None)
def test_finished_running_and_queued_are_what_arrived(period: int, duration: int) -> None:
    """D/D/1: arrivals at multiples of the period before the end; completions every max(12, period) s."""
    done = outcome(CHAIN, ON_CPU, period=float(period), count=None, duration=float(duration))
    assert len(done.inferences) == -(-duration // period)
    finished = [r for r in done.inferences if r.status == "finished"]
    expected = [n * max(12, period) + 12 for n in range(200) if n * max(12, period) + 12 < duration]
    assert [r.finish_s for r in finished] == expected[: len(done.inferences)]
    assert sum(r.status == "running" for r in done.inferences) <= 1


def test_a_longer_period_leaves_nobody_waiting() -> None:
    done = outcome(CHAIN, ON_CPU, period=16.0, count=None, duration=80.0)
    assert [(r.arrival_s, r.start_s, r.finish_s) for r in done.inferences] == [
        (t, t, t + 12.0) for t in (0.0, 16.0, 32.0, 48.0, 64.0)
    ]


def test_back_to_back_the_next_arrives_when_one_finishes() -> None:
    done = outcome(CHAIN, ON_CPU, count=3)
    assert [(r.number, r.arrival_s, r.finish_s) for r in done.inferences] == [
        (0, 0.0, 12.0), (1, 12.0, 24.0), (2, 24.0, 36.0)
    ]  # fmt: skip


def test_what_happens_at_the_end_is_no_part_of_the_run() -> None:
    """The second inference would arrive, and the first finish, at 12 exactly."""
    done = outcome(CHAIN, ON_CPU, period=12.0, count=None, duration=12.0)
    assert [(r.number, r.status) for r in done.inferences] == [(0, "running")]
    assert done.duration_s == 12.0


def test_a_run_without_a_limit_ends_with_its_last_inference() -> None:
    done = outcome(CHAIN, ON_CPU, period=50.0, count=2)
    assert [r.finish_s for r in done.inferences] == [12.0, 62.0]
    assert done.duration_s == 62.0


def test_timers_that_were_overtaken_do_not_prolong_a_run() -> None:
    """Dispatching slows n0's and n2's core down; when it ends they finish sooner than planned, at 14.125."""
    graph = net("n0:4 x; n1:9 x; n2:3 x", outputs="n0 n1 n2")
    done = outcome(graph, {"n0": CPU, "n1": GPU, "n2": CPU}, toy(gpu={"dispatch": 6.0}))
    assert done.duration_s == done.inferences[0].finish_s


def test_periods_do_not_drift() -> None:
    done = outcome(net("a:1 x"), {"a": DSP}, period=0.1, count=1000, duration=1000.0)
    assert [r.arrival_s for r in done.inferences][:1000:100] == pytest.approx(
        [i * 10.0 for i in range(10)], abs=1e-12
    )


def test_a_run_happens_once() -> None:
    running = simulation(CHAIN, ON_CPU)
    assert running.run() is running.run()


# --- several applications -------------------------------------------------------------------------------------


def app(plan: object, graph: ModelGraph = CHAIN, **options) -> Inference:
    scheduler = Fixed(plan) if isinstance(plan, dict) else plan
    return Inference(graph, scheduler, library=LIBRARY, **{"count": 1, **options})


def finishes(*apps: Inference, device: Device | None = None) -> dict[str, float]:
    running = Simulation(device or toy(), apps, mechanisms=SHARING)
    running.validate()
    return {r.app: r.finish_s for r in running.run().inferences}


def test_applications_on_their_own_processors_do_not_meet() -> None:
    assert finishes(app(ON_CPU, name="c"), app({"a": DSP, "b": DSP}, name="d")) == {"c": 12.0, "d": 7.875}


def test_applications_share_a_core() -> None:
    """12 and 4 s of work on core 0: half speed until the shorter is done at 8, then alone for 8 s more."""
    short = app({"a": CPU}, net("a:8 x"), name="short")
    assert finishes(app(ON_CPU, name="long"), short) == {"long": 16.0, "short": 8.0}


def test_applications_take_turns_on_an_accelerator() -> None:
    """Both are ready at 0.375; the second's 6 s begin when the first's end, and its output takes 1.5 s too."""
    on_dsp = {"a": DSP, "b": DSP}
    assert finishes(app(on_dsp, name="first"), app(on_dsp, name="second")) == {
        "first": 7.875,
        "second": 13.875,
    }


def test_applications_share_dram() -> None:
    """128 B each way at 16 B/s: alone 8 s a kernel; together each has 8 B/s."""
    device = toy(bandwidth=16.0, map_time=0.0)
    graph = net("a:1 x")
    alone = outcome(graph, {"a": BUFFER}, device).inferences[0].finish_s
    both = finishes(app({"a": BUFFER}, graph, name="g"), app({"a": DSP}, graph, name="d"), device=device)
    assert alone == 0.375 + 8.0 + 0.5
    assert both == {"g": 0.375 + 16.0 + 0.5, "d": 0.375 + 16.0 + 0.5}


def test_names_are_the_networks_with_a_number_where_needed() -> None:
    running = Simulation(toy(), [app(ON_CPU), app(ON_CPU), app(ON_CPU, name="other")])
    assert [s.name for s in running.streams] == ["net-1", "net-2", "other"]


def test_names_stay_unique_whatever_they_are() -> None:
    running = Simulation(toy(), [app(ON_CPU, name=n) for n in ("", "", "net-1")])
    assert len({s.name for s in running.streams}) == 3
    assert len(running.run().apps) == 3


def test_names_given_twice_are_refused() -> None:
    with pytest.raises(UsageError, match="2 applications are named 'eyes'; give each a name of its own"):
        Simulation(toy(), [app(ON_CPU, name=n) for n in ("eyes", "ears", "eyes")])


def test_threads_of_three_applications_fit_a_phone() -> None:
    """Three applications on the same four cores: whoever shares a core shares its time."""
    graph = socsim.load_model("squeezenet_1.1")
    running = Simulation(phone(), [Inference(graph, "cpu", count=2) for _ in range(3)])
    running.validate()
    done = running.run()
    assert done.busy_s["cpu"] == pytest.approx(0.5 * done.duration_s, rel=1e-6)


# --- the host thread ------------------------------------------------------------------------------------------


def test_the_host_is_the_first_worker_where_the_library_s_main_thread_does_both() -> None:
    assert pricer(CHAIN).host_core == 0
    assert pricer(CHAIN, cores="little").host_core == 2


def test_a_host_of_its_own_takes_the_fastest_free_core(tmp_path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(Path(LIBRARY).read_text().replace("host: shared", "host: own"))
    library = load_library(path)
    hosts = [Pricer(toy(), library, CHAIN, cores=c).host_core for c in ("big:1", "big", "all")]
    assert hosts == [1, 2, 3]


# --- invariants -----------------------------------------------------------------------------------------------


def broken(**changes) -> Simulation:
    """A finished run whose outcome was tampered with."""
    running = simulation(CHAIN, ON_CPU)
    running._outcome = replace(running.run(), **changes)
    return running


def record(arrival: float, start: float, finish: float) -> InferenceRecord:
    return InferenceRecord("net", 0, arrival, start, finish, "finished")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"inferences": ()}, "1 inferences of 'net' arrived but 0 are accounted for"),
        ({"inferences": (record(3.0, 2.0, 4.0),)}, "inference out of order in time"),
        ({"inferences": (record(1.0, 2.0, 1.5),)}, "inference out of order in time"),
        ({"busy_s": {"gpu": 12.5}}, "'gpu' was busy 12.5 s of 12.0 s"),
        ({"busy_s": {"gpu": -0.5}}, "'gpu' was busy -0.5 s of 12.0 s"),
        ({"energy_j": {"gpu": 1.0}, "rails_j": {"all": 2.0}}, "components use 1.0 J but rails meter 2.0 J"),
        (
            {"energy_j": {"gpu": -1.0}, "rails_j": {"all": -1.0}},
            "components use -1.0 J but rails meter -1.0 J",
        ),
    ],
)
def test_broken_invariants_are_told(changes, sentence) -> None:
    with pytest.raises(SimulationError, match=sentence):
        broken(**changes).validate()


def test_a_sound_run_is_valid() -> None:
    broken().validate()


# --- noise ----------------------------------------------------------------------------------------------------

NOISY = toy(sync_sd=0.2, cpu={"noise": 0.1}, gpu={"noise": 0.2}, dsp={"noise": 0.0})
MIXED = {"a": GPU, "b": CPU}


def noisy(seed: int, plan: object = MIXED, **options) -> Outcome:
    return outcome(CHAIN, plan, NOISY, noise=True, seed=seed, kernels=True, **{"count": 5, **options})


@pytest.mark.parametrize("plan", [MIXED, "greedy"], ids=["static", "online"])
def test_one_seed_gives_the_same_bits(plan) -> None:
    first, second = noisy(3, plan), noisy(3, plan)
    assert list(first.inferences) == list(second.inferences)
    assert first.kernels == second.kernels
    assert first.energy_j == second.energy_j


@pytest.mark.parametrize("plan", [MIXED, "greedy"], ids=["static", "online"])
def test_other_seeds_differ(plan) -> None:
    assert len({tuple(r.finish_s for r in noisy(seed, plan).inferences) for seed in range(5)}) == 5


def test_without_noise_the_seed_means_nothing() -> None:
    runs = [outcome(CHAIN, MIXED, NOISY, seed=seed, count=2) for seed in (1, 2)]
    assert list(runs[0].inferences) == list(runs[1].inferences)
    latencies = [r.finish_s - r.arrival_s for r in runs[0].inferences]
    assert latencies[0] == latencies[1]


def test_applications_draw_from_their_own_generators() -> None:
    """What a second application does on its own processor changes nothing for the first."""
    first = {"a": DSP, "b": DSP}
    noise = replace(NOISY, calibrations={k: replace(c, noise=0.1) for k, c in NOISY.calibrations.items()})

    def times(*apps: Inference) -> list[float]:
        done = Simulation(noise, apps, noise=True, seed=4).run()
        return [r.finish_s for r in done.inferences if r.app == "first"]

    alone = times(app(first, name="first", count=5))
    assert times(app(first, name="first", count=5), app(ON_CPU, name="second", count=3)) == alone


def test_slowness_is_lognormal_with_mean_1() -> None:
    """Kernels of one inference share their factor; the mean of 400 draws is 1 within four standard errors."""
    done = noisy(1, {"a": BUFFER, "b": BUFFER}, count=400)
    kernels = [r for r in done.kernels if r.kind == "kernel"]
    factors = [(r.end_s - r.start_s) / {"a": 2.0, "b": 1.0}[r.operator] for r in kernels]
    assert factors[::2] == pytest.approx(factors[1::2])
    assert sum(factors) / len(factors) == pytest.approx(1.0, abs=4 * 0.2 / 400**0.5)


def test_synchronisation_is_drawn_within_its_bounds() -> None:
    """0.5 s on average, never below 0.125 or above 2 s; mapping does not vary."""
    done = noisy(2, {"a": BUFFER, "b": BUFFER}, count=200)
    syncs = [r.end_s - r.start_s for r in done.kernels if r.kind == "sync" and r.processor == "cpu"]
    maps = {round(r.end_s - r.start_s, 9) for r in done.kernels if r.kind == "map"}
    assert len(set(syncs)) > 150 and min(syncs) >= 0.125 - 1e-9 and max(syncs) <= 2.0 + 1e-9
    assert sum(syncs) / len(syncs) == pytest.approx(0.5, abs=0.06)
    assert maps == {0.125, 1.0}


# --- faster parts ---------------------------------------------------------------------------------------------

KINDS = ("task", "conv2d", "softmax")


@st.composite
def chains(draw):
    """A chain with a random placement."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    works = [draw(st.integers(1, 64)) for _ in kinds]
    steps = [
        f"n{i}:{w}:{k} {f'n{i - 1}' if i else 'x'}" for i, (k, w) in enumerate(zip(kinds, works, strict=True))
    ]
    graph = net("; ".join(steps))
    return graph, {op.name: draw(st.sampled_from([CPU, GPU, BUFFER])) for op in graph}


@settings(max_examples=40, deadline=None)
@given(chains())
def test_faster_parts_never_make_a_chain_slower(case) -> None:
    graph, plan = case

    def latency(**options) -> float:
        device = toy(**{"bandwidth": 32.0, "gpu": {"dispatch": 0.5}, **options})
        return outcome(graph, plan, device).inferences[0].finish_s

    base = latency()
    for faster in (
        {"big_rate": 3.0},
        {"gpu_rate": 20.0},
        {"bandwidth": 64.0},
        {"map_time": 0.5},
        {"gpu": {}},
    ):
        assert latency(**faster) <= base + 1e-9


@settings(max_examples=40, deadline=None)
@given(chains())
def test_a_chain_takes_the_sum_of_its_parts(case) -> None:
    """Nothing overlaps in a chain without dispatches: kernels and hand-overs, end to end."""
    graph, plan = case
    done = outcome(graph, plan, kernels=True)
    assert done.inferences[0].finish_s == pytest.approx(sum(r.end_s - r.start_s for r in done.kernels))


# --- batched and stepwise -------------------------------------------------------------------------------------


@cache
def phone() -> Device:
    return socsim.load_device("xiaomi-9")


def both(*apps: Inference, **options) -> tuple[Outcome, Outcome]:
    runs = [
        Simulation(phone(), apps, kernels=True, stepwise=stepwise, **options) for stepwise in (False, True)
    ]
    for run in runs:
        run.validate()
    return runs[0].run(), runs[1].run()


def assert_equal(batched: Outcome, stepped: Outcome) -> None:
    assert len(batched.inferences) == len(stepped.inferences)
    for one, other in zip(batched.inferences, stepped.inferences, strict=True):
        assert (one.app, one.number, one.status) == (other.app, other.number, other.status)
        assert one[2:5] == pytest.approx(other[2:5], abs=1e-12)
    key = lambda r: (r.app, r.inference, r.operator, r.kind, r.processor, r.source, r.share, r.start_s)  # noqa: E731
    for one, other in zip(sorted(batched.kernels, key=key), sorted(stepped.kernels, key=key), strict=True):
        assert one[:8] == other[:8]
        assert one[8:] == pytest.approx(other[8:], abs=1e-12)
    assert batched.energy_j == pytest.approx(stepped.energy_j)
    assert batched.busy_s == pytest.approx(stepped.busy_s)


@pytest.mark.parametrize("scheduler", ["cpu", "gpu", "mulayer", "codl", "heft", "greedy"])
def test_batched_equals_stepwise_on_a_real_network(scheduler: str) -> None:
    graph = socsim.load_model("mobilenet_v1")
    batched, stepped = both(Inference(graph, scheduler, count=2))
    assert len({r.operator for r in batched.kernels if r.kind == "kernel"}) == len(graph)
    assert_equal(batched, stepped)


@pytest.mark.parametrize(
    "schedulers", [("cpu", "gpu"), ("gpu", "gpu"), ("codl", "cpu"), ("greedy", "mulayer")]
)
def test_batched_equals_stepwise_under_contention(schedulers: tuple[str, str]) -> None:
    apps = [
        Inference(socsim.load_model(model), scheduler, name=f"app{i}", period=period)
        for i, (model, scheduler, period) in enumerate(
            zip(("mobilenet_v2", "squeezenet_1.1"), schedulers, ("12 ms", "9 ms"), strict=True)
        )
    ]
    assert_equal(*both(*apps, duration=0.1))


@settings(max_examples=30, deadline=None)
@given(placed(), placed(), st.sampled_from([8.0, 64.0, 1e9]))
def test_batched_equals_stepwise_on_random_plans(one, other, bandwidth) -> None:
    """With noise, because what happens at one exact instant may happen in either order."""
    spread = {"noise": 0.1}
    device = toy(bandwidth=bandwidth, cpu=spread, gpu={"dispatch": 0.5, **spread}, dsp=spread)
    runs = []
    for stepwise in (False, True):
        apps = [app(plan, graph, name=name) for name, (graph, plan) in (("one", one), ("other", other))]
        running = Simulation(device, apps, kernels=True, stepwise=stepwise, noise=True)
        running.validate()
        runs.append(rows(running.run()))
    batched, stepped = (sorted(run) for run in runs)
    assert [row[0] for row in batched] == [row[0] for row in stepped]
    for one_row, other_row in zip(batched, stepped, strict=True):
        assert one_row[1:] == pytest.approx(other_row[1:], abs=1e-6)


def test_batched_equals_stepwise_where_noise_speeds_kernels_up() -> None:
    """A kernel that runs faster than its price wants more bandwidth, too: two of 32 B/s just fill 64 B/s."""
    device = toy(bandwidth=64.0, map_time=0.0, cpu={"noise": 0.3}, dsp={"noise": 0.3})
    graph = net("a:8 x; b:8 a")
    slow = net("a:16 x; b:16 a")
    for seed in range(8):
        runs = []
        for stepwise in (False, True):
            apps = [
                app({"a": CPU, "b": CPU}, graph, name="c", count=3),
                app({"a": DSP, "b": DSP}, slow, name="d", count=3),
            ]
            runs.append(
                Simulation(device, apps, noise=True, seed=seed, kernels=True, stepwise=stepwise).run()
            )
        batched, stepped = (sorted(rows(run)) for run in runs)
        assert [end for _, _, end in batched] == pytest.approx([end for _, _, end in stepped], abs=1e-9)


# --- every scheduler ------------------------------------------------------------------------------------------

SMALL = net("a:64:conv2d x; b:32:conv2d a; c:16:conv2d a; d:8:eltwise b,c; s:8:softmax d; e:8 s")
SPLITTING = [name for name in SCHEDULERS.names() if name not in ("dsp", "npu")]


@pytest.mark.parametrize("scheduler", SPLITTING)
def test_runs_of_every_scheduler_are_valid(scheduler: str) -> None:
    done = outcome(SMALL, scheduler, count=3, kernels=True)
    assert [r.status for r in done.inferences] == ["finished"] * 3
    assert {r.operator for r in done.kernels if r.kind == "kernel"} == set(SMALL.operators)


@pytest.mark.parametrize("scheduler", [name for name in SPLITTING if name != "optimal"])
def test_runs_of_every_scheduler_on_a_phone_are_valid(scheduler: str) -> None:
    running = Simulation(phone(), [Inference(socsim.load_model("squeezenet_1.1"), scheduler, count=2)])
    running.validate()
    assert all(r.status == "finished" for r in running.run().inferences)


def test_a_processor_without_fallback_refuses_the_network() -> None:
    with pytest.raises(SocsimError) as caught:
        outcome(SMALL, "dsp")
    assert str(caught.value) == (
        "'toy' cannot run 2 of 6 operators of 'net' on 'dsp' and does not fall back; first: "
        "'d' (no eltwise kernel on the dsp buffer), 's' (no softmax kernel on the dsp buffer)"
    )


@settings(max_examples=15, deadline=None)
@given(
    networks(), st.sampled_from(["cpu", "gpu", "mulayer", "codl", "heft", "peft", "mosaic", "band", "greedy"])
)
def test_every_scheduler_runs_random_networks(graph, scheduler) -> None:
    done = outcome(graph, scheduler, count=2, kernels=True)
    ran = {(r.inference, r.operator) for r in done.kernels if r.kind == "kernel"}
    assert ran == {(i, name) for i in range(2) for name in graph.operators}


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apps", "duration", "sentence"),
    [
        ([], None, "a simulation needs at least one application"),
        ([app(ON_CPU)], 0, "duration must be positive, and finite, got 0"),
        ([app(ON_CPU)], -1.0, "duration must be positive, and finite, got -1.0"),
        (
            [app(ON_CPU), app(ON_CPU, count=None)],
            None,
            "a simulation needs a duration, or a count in every application",
        ),
        (
            [app(ON_CPU, graph="resnet50")],
            None,
            "application 'resnet50': load the network first, got 'resnet50'",
        ),
        ([app(7)], None, "a scheduler is a name, a class, an object or a mapping, got int: 7"),
    ],
)
def test_bad_arguments(apps, duration, sentence) -> None:
    with pytest.raises(UsageError) as caught:
        Simulation(toy(), apps, duration=duration)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("duration", [float("nan"), float("inf")])
def test_a_duration_is_a_number_of_seconds(duration: float) -> None:
    with pytest.raises(UsageError, match="duration must be"):
        Simulation(toy(), [app(ON_CPU)], duration=duration)


def test_a_seed_is_a_whole_number_from_0() -> None:
    with pytest.raises(UsageError, match="seed"):
        Simulation(toy(), [app(ON_CPU)], seed=-1, noise=True)


def test_a_scheduler_must_plan_or_decide() -> None:
    class Neither(StaticScheduler.__mro__[1]):
        pass

    with pytest.raises(UsageError) as caught:
        Simulation(toy(), [app(Neither())])
    assert str(caught.value) == "a scheduler must be a StaticScheduler or an OnlineScheduler, got Neither"


def test_a_planner_s_own_error_comes_through() -> None:
    class Broken(StaticScheduler):
        def plan(self, graph, view):
            raise KeyError("mine")

    with pytest.raises(
        SimulationError, match=r"'test_simulation:Broken' failed in plan\(\) on 'net'"
    ) as caught:
        outcome(CHAIN, Broken())
    assert isinstance(caught.value.__cause__, KeyError)


def test_granularity_is_checked_before_the_run() -> None:
    class Coarse(OnlineScheduler):
        granularity = "layer"

        def decide(self, view):
            return []

    with pytest.raises(UsageError, match="granularity must be one of operator, subgraph, model, got 'layer'"):
        Simulation(toy(), [app(Coarse())])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"period": "-3 ms"}, "period must be positive, got -0.003"),
        ({"period": 0.0}, "period must be positive, got 0.0"),
        ({"deadline": 0}, "deadline must be positive, got 0"),
        ({"count": 0}, "count must be positive, got 0"),
        ({"count": -2}, "count must be positive, got -2"),
    ],
)
def test_bad_applications(options, sentence) -> None:
    with pytest.raises(UsageError) as caught:
        Inference("resnet50", **options)
    assert str(caught.value) == f"inference 'resnet50': {sentence}"


@pytest.mark.parametrize(
    "options", [{"period": float("nan")}, {"count": 2.5}, {"count": "3"}, {"dtype": "fp64"}], ids=str
)
def test_applications_that_mean_nothing(options) -> None:
    with pytest.raises(SocsimError):
        Simulation(toy(), [app(ON_CPU, **options)])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("33", "'33' has no unit; a time needs one of s, ms, us, ns, ps, min, h"),
        ("33 Hz", "'33 Hz' is a frequency, expected a time (s, ms, us, ns, ps, min, h)"),
        ("33 msec", "unknown unit 'msec', did you mean 'ms'?"),
        ("soon", "'soon' is no time; expected a number and a unit (s, ms, us, ns, ps, min, h)"),
    ],
)
@pytest.mark.parametrize("field", ["period", "deadline"])
def test_times_need_units(field: str, text: str, sentence: str) -> None:
    with pytest.raises(SocsimError) as caught:
        Inference("resnet50", **{field: text})
    assert str(caught.value) == sentence


def test_times_of_an_application() -> None:
    one = Inference("resnet50", period="33 ms", deadline=0.5)
    assert (one.period_s, one.deadline_s) == (0.033, 0.5)
    assert Inference("resnet50").period_s is None


# --- the log of inferences ------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(0, 9), st.sampled_from(["finished", "running", "queued"])
        )
    )
)
def test_a_log_gives_back_what_it_was_given(given_rows) -> None:
    records = [InferenceRecord(name, n, 1.0, 2.0, 3.0 + n, status) for name, n, status in given_rows]
    log = InferenceLog()
    log.extend(records)
    assert list(log) == records
    assert log[1:] == records[1:]
    assert len(log) == len(records)
    again = InferenceLog()
    again.extend(records)
    assert log == again
    again.add("c", 1, 0.0, 0.0, 0.0)
    assert log != again
    assert again[-1] == InferenceRecord("c", 1, 0.0, 0.0, 0.0, "finished")
