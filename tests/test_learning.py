"""The predictor that learns while the simulation runs, and schedulers that plan anew by it."""

from __future__ import annotations

import pytest
from corekit import CPU, GPU, LIBRARY, net, outcome, pricer, toy
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.schedulers.base import OnlineScheduler, StaticScheduler
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.predictors import ExactPredictor, make_predictor
from socsim.schedulers.profile_file import write_profile
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.planning import Planner
from socsim.simulation.profiling import bench, take_profile
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.kernels import WHOLE, Part

CONV = net("c:64:conv2d x", shape=(1, 4, 4, 1))


def online(graph, spec="online"):
    """The predictor on the toy phone, where ``a:8`` takes 4 s on the CPU and 1 s on the GPU."""
    return make_predictor(spec, pricer(graph), bench)


# --- the rule -------------------------------------------------------------------------------------------------


def test_band_s_rule():
    """``new = 0.1 * measured + 0.9 * old``: 4, then 0.8 + 3.6 = 4.4, then 0.8 + 3.96 = 4.76."""
    graph = net("a:8 x; b:8 a")
    predictor = online(graph)
    seen = []
    for _ in range(3):
        seen.append(predictor.time(graph["a"], CPU, WHOLE))
        predictor.observe(graph["a"], CPU, WHOLE, 8.0)
    assert seen == pytest.approx([4.0, 4.4, 4.76])
    assert predictor.time(graph["b"], CPU, WHOLE) == 4.0
    assert predictor.time(graph["a"], GPU, WHOLE) == 1.0


@given(
    measured=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8),
    alpha=st.floats(0.01, 1.0, exclude_min=True),
)
def test_factors_are_averages_of_times(measured, alpha):
    predictor = online(GRAPH, {"name": "online", "alpha": alpha})
    old = 4.0
    for seconds in measured:
        predictor.observe(GRAPH["a"], CPU, WHOLE, seconds)
        old = alpha * seconds + (1.0 - alpha) * old
    assert predictor.time(GRAPH["a"], CPU, WHOLE) == pytest.approx(old)


GRAPH = net("a:8 x")


@given(true=st.floats(1e-3, 1e3), alpha=st.floats(0.05, 1.0))
def test_it_converges_to_what_is_observed_by_one_minus_alpha_each_time(true, alpha):
    predictor = online(GRAPH, {"name": "online", "alpha": alpha})
    for n in range(1, 20):
        predictor.observe(GRAPH["a"], CPU, WHOLE, true)
        left = predictor.time(GRAPH["a"], CPU, WHOLE) - true
        assert left == pytest.approx((4.0 - true) * (1.0 - alpha) ** n, abs=1e-9 * max(true, 4.0))


def test_parts_of_an_operator_share_its_factor():
    predictor = online(CONV)
    half = Part(0.5, "H")
    predictor.observe(CONV["c"], CPU, half, 3 * predictor.time(CONV["c"], CPU, half))
    assert predictor.factor(CONV["c"], CPU) == pytest.approx(1.2)
    assert predictor.time(CONV["c"], CPU, WHOLE) == pytest.approx(32.0 * 1.2)


def test_a_placement_is_the_same_however_much_of_it_is_told():
    predictor = online(GRAPH)
    predictor.observe(GRAPH["a"], Placement("gpu"), WHOLE, 2.0)
    predictor.observe(GRAPH["a"], Placement("cpu", cores="big:1"), WHOLE, 8.0)
    assert predictor.factor(GRAPH["a"], Placement("gpu", "image", "fp32")) == pytest.approx(1.1)
    assert predictor.factor(GRAPH["a"], Placement("gpu", "buffer")) == 1.0
    assert predictor.factor(GRAPH["a"], Placement("cpu")) == pytest.approx(1.1)
    assert predictor.factor(GRAPH["a"], Placement("cpu", cores="big:2")) == 1.0


def test_two_predictors_learn_apart():
    one, two = online(GRAPH), online(GRAPH)
    one.observe(GRAPH["a"], CPU, WHOLE, 8.0)
    assert (one.time(GRAPH["a"], CPU, WHOLE), two.time(GRAPH["a"], CPU, WHOLE)) == (pytest.approx(4.4), 4.0)


def test_a_base_other_than_the_profile():
    predictor = online(GRAPH, "online(base=blind, alpha=0.5)")
    assert (predictor.time(GRAPH["a"], CPU, WHOLE), predictor.sharing) == (1e-3, False)
    predictor.observe(GRAPH["a"], CPU, WHOLE, 3e-3)
    assert predictor.time(GRAPH["a"], CPU, WHOLE) == pytest.approx(2e-3)


def test_what_the_base_takes_for_nothing_stays_nothing():
    class Nothing(Predictor):
        def __init__(self, pricer):
            pass

        def time(self, op, placement, part):
            return 0.0

    predictor = online(GRAPH, {"name": "online", "base": Nothing})
    predictor.observe(GRAPH["a"], CPU, WHOLE, 3.0)
    assert predictor.time(GRAPH["a"], CPU, WHOLE) == 0.0


# --- what it is told ------------------------------------------------------------------------------------------


class Told(Predictor):
    """Exact, and keeps what it is told."""

    constant = False
    told: list = []  # noqa: RUF012  one list for all: the simulation makes the predictor

    def __init__(self, pricer):
        self._exact = ExactPredictor(pricer)

    def time(self, op, placement, part):
        return self._exact.time(op, placement, part)

    def observe(self, op, placement, part, seconds):
        self.told.append((op.name, placement.processor, part, pytest.approx(seconds)))


@pytest.fixture
def told():
    Told.told.clear()
    return Told.told


class Constant(Told):
    constant = True


class Follow(StaticScheduler):
    """A plan given beforehand, by a predictor given beforehand."""

    def __init__(self, plan, predictor):
        self.given, self.predictor = plan, predictor

    def plan(self, graph, view):
        return self.given


def test_every_kernel_is_told_when_it_has_run(told):
    outcome(net("a:8 x; b:8 a"), Follow({"a": CPU, "b": GPU}, Told), count=2)
    assert told == [("a", "cpu", WHOLE, 4.0), ("b", "gpu", WHOLE, 1.0)] * 2


def test_a_constant_predictor_is_told_nothing(told):
    outcome(net("a:8 x"), Follow({"a": CPU}, Constant))
    assert told == []


def test_parts_are_told_as_parts(told):
    plan = {"c": socsim.Split("H", ((CPU, 0.25), (GPU, 0.75)))}
    outcome(CONV, Follow(plan, Told))
    assert sorted(told, key=lambda row: row[1]) == [
        ("c", "cpu", Part(0.25, "H"), 8.0),
        ("c", "gpu", Part(0.75, "H"), 6.0),
    ]


def test_the_fixed_cost_of_an_invocation_is_not_the_kernel_s(told):
    device = toy(gpu={"inference_overhead": 3.0}, dsp={"inference_overhead": 1.0}, call_latency=0.5)
    outcome(net("a:8 x; b:8 a; c:8 b"), Follow({"a": GPU, "b": GPU, "c": Placement("dsp")}, Told), device)
    assert told == [("a", "gpu", WHOLE, 1.0), ("b", "gpu", WHOLE, 1.0), ("c", "dsp", WHOLE, 2.0)]


def test_a_dispatch_that_takes_longer_than_its_kernel_is_told_instead(told):
    outcome(net("a:8 x; b:8 a"), Follow({"a": GPU, "b": GPU}, Told), toy(gpu={"dispatch": 2.0}))
    assert told == [("a", "gpu", WHOLE, 2.0), ("b", "gpu", WHOLE, 2.0)]


def test_slowed_kernels_are_told_as_slow_as_they_were(told):
    """Two copies that move 64 B/s of 64 B/s each: sharing DRAM, each is told the span of its record."""
    graph = net("a:1 x", shape=(1, 4, 4, 16))
    apps = [
        Inference(graph, Follow({"a": where}, predictor), library=LIBRARY, count=1, name=name)
        for name, where, predictor in (("one", CPU, Told), ("two", GPU, "exact"))
    ]
    running = Simulation(toy(bandwidth=64.0), apps, kernels=True)
    running.validate()
    kernel = next(r for r in running.run().kernels if r.app == "one" and r.kind == "kernel")
    ((name, processor, part, seconds),) = told
    assert (name, processor, part) == ("a", "cpu", WHOLE)
    assert seconds == kernel.end_s - kernel.start_s
    alone = ExactPredictor(pricer(graph, toy(bandwidth=64.0))).time(graph["a"], CPU, WHOLE)
    assert kernel.end_s - kernel.start_s > 1.2 * alone


def test_jobs_of_online_schedulers_are_told_kernel_by_kernel_before_the_next_decision(told):
    class Greedy(OnlineScheduler):
        granularity = "operator"
        predictor = Told

        def decide(self, view):
            for job in view.ready:
                heard.append((job.operators, len(told)))
                yield job.on("cpu")

    heard = []
    outcome(net("a:8 x; b:8 a"), Greedy())
    assert heard == [(("a",), 0), (("b",), 1)]
    assert told == [("a", "cpu", WHOLE, 4.0), ("b", "cpu", WHOLE, 4.0)]


def test_online_schedulers_predict_jobs_by_what_was_learnt(tmp_path):
    """A profile that says half of the truth, believed more each time: 2, then (2 + 4) / 2 = 3, then 3.5."""

    class Watch(OnlineScheduler):
        granularity = "model"

        def decide(self, view):
            for job in view.ready:
                seen.append(view.predict(job, "cpu"))
                yield job.on("cpu")

    seen = []
    graph = net("a:8 x")
    watcher = Watch()
    watcher.predictor = {"name": "online", "alpha": 0.5, "path": str(profile_of(graph, tmp_path, cpu=0.5))}
    outcome(graph, watcher, count=3)
    assert seen == pytest.approx([2.0, 3.0, 3.5])


def profile_of(graph, tmp_path, **factors):
    """A file with the truth times a factor for each processor."""
    rows = take_profile(pricer(graph))
    scaled = [r._replace(latency_ms=r.latency_ms * factors.get(r.processor, 1.0)) for r in rows]
    return write_profile(scaled, tmp_path / "scaled.csv")


# --- planning anew --------------------------------------------------------------------------------------------


class Cheapest(StaticScheduler):
    """Each operator where it should take least."""

    def __init__(self):
        self.asked = []

    def plan(self, graph, view):
        self.asked.append(view.now)
        return {op: min(("cpu", "gpu"), key=lambda p: view.predict(op, p)) for op in graph}


def cheapest(tmp_path, **options):
    """The truth is 4 s on the CPU and 1 s on the GPU; the profile says 0.6 s and 0.5 s."""
    path = profile_of(GRAPH, tmp_path, cpu=0.15, gpu=0.5)
    scheduler = Cheapest()
    scheduler.predictor = {"name": "online", "alpha": 0.5, "path": str(path)}
    for key, value in options.items():
        setattr(scheduler, key, value)
    return scheduler


def placed(done):
    return [r.processor for r in done.kernels if r.kind == "kernel"]


def test_plans_follow_what_was_learnt(tmp_path):
    """GPU 0.5 -> 0.75 after 1 s; CPU 0.6 -> 2.3 after 4 s; then the GPU stays below it."""
    scheduler = cheapest(tmp_path)
    done = outcome(GRAPH, scheduler, count=4, kernels=True)
    assert placed(done) == ["gpu", "cpu", "gpu", "gpu"]
    starts = [r.start_s for r in done.inferences]
    assert scheduler.asked == [0.0, *starts[1:]]


def test_a_plan_holds_for_the_replan_period(tmp_path):
    scheduler = cheapest(tmp_path, replan_period=1e9)
    done = outcome(GRAPH, scheduler, count=4, kernels=True)
    assert placed(done) == ["gpu"] * 4
    assert scheduler.asked == [0.0]


def test_plans_of_constant_predictors_are_made_once(tmp_path):
    scheduler = cheapest(tmp_path, predictor="exact", replan_period=0.0)
    outcome(GRAPH, scheduler, count=4)
    assert scheduler.asked == [0.0]


def test_the_record_is_the_mean_over_the_plans_that_were_followed(tmp_path):
    done = outcome(GRAPH, cheapest(tmp_path), count=4)
    gpu = outcome(GRAPH, {"a": GPU}, count=4)
    app, alone = done.apps["net"], gpu.apps["net"]
    assert alone.transfer_bytes > 0.0
    assert app.transfer_bytes == pytest.approx(0.75 * alone.transfer_bytes)
    assert app.sync_s == pytest.approx(0.75 * alone.sync_s)
    assert (app.kernels, app.dtype, app.unsupported) == (1.0, "fp32", 0)


def test_equal_plans_are_lowered_once(tmp_path):
    now = [0.0]
    scheduler = cheapest(tmp_path)
    own = pricer(GRAPH)
    predictor = make_predictor(scheduler.predictor, own, bench)
    planner = Planner(own, scheduler, predictor, lambda: now[0])
    first = planner.next_graph()
    now[0] = 1.0
    assert planner.next_graph() is first
    predictor.observe(GRAPH["a"], GPU, WHOLE, 100.0)
    assert planner.next_graph() is first  # planned anew at 1.0 s: not before 1.1 s again
    now[0] = 1.1
    other = planner.next_graph()
    assert other is not first
    predictor.observe(GRAPH["a"], CPU, WHOLE, 1000.0)
    now[0] = 2.0
    assert planner.next_graph() is first
    assert scheduler.asked == [0.0, 1.0, 1.1, 2.0]
    assert planner.record("app").transfer_bytes == pytest.approx(0.8 * first.transfer_bytes)


def test_a_record_before_any_inference_is_the_plan_s(tmp_path):
    own = pricer(GRAPH)
    scheduler = cheapest(tmp_path)
    planner = Planner(own, scheduler, make_predictor(scheduler.predictor, own), lambda: 0.0)
    assert planner.record("app").kernels == 1.0
    assert planner.record("app").transfer_bytes > 0.0


# --- on a phone -----------------------------------------------------------------------------------------------


def test_learning_gets_out_of_the_way_of_a_busy_processor():
    """Beside networks that keep the CPU busy, a plan made for the idle phone waits; a learnt one moves away."""

    def latency(predictor, cpu):
        busy = [socsim.Inference("resnet50", "cpu", name=f"busy{i}") for i in range(2)]
        scheduler = {"name": "band", "predictor": predictor}
        app = socsim.Inference("mobilenet_v2", scheduler, name="own", period="30 ms", count=40)
        result = socsim.simulate("xiaomi-9", [app, *busy], duration="2 s", mechanisms=Mechanisms(cpu=cpu))
        return result.metrics("own")

    for cpu in ("cfs", "processor_sharing"):
        offline, learnt = latency("profile", cpu), latency("online", cpu)
        assert learnt["latency_ms_mean"] < 0.5 * offline["latency_ms_mean"]
    # Cores shared at once slow every kernel by as much, which can be learnt; in turns most kernels are not slowed.
    assert learnt["prediction_mape"] < 0.5 * offline["prediction_mape"]


def test_the_same_seed_gives_the_same_result_while_learning():
    def run():
        apps = [socsim.Inference("mobilenet_v1", "heft(predictor=online)", count=20, name=n) for n in "ab"]
        return socsim.simulate("xiaomi-9", apps, noise=True, seed=5).outcome

    assert run() == run()


def test_on_an_idle_phone_there_is_nothing_to_learn():
    results = [
        socsim.simulate("xiaomi-9", [socsim.Inference("mobilenet_v1", f"heft(predictor={p})", count=20)])
        for p in ("exact", "online")
    ]
    assert len({r.metrics()["latency_ms_p95"] for r in results}) == 1
    assert results[1].metrics()["prediction_mape"] < 1e-9
