"""Schedulers that decide while the simulation runs: what they see, when jobs start, and what is refused."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from corekit import BUFFER, CPU, DSP, GPU, LIBRARY, net, networks, outcome, pricer, rows, toy, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.errors import SimulationError, SocsimError
from socsim.schedulers.base import Assignment, OnlineScheduler
from socsim.schedulers.plan import Placement
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference


class Where(OnlineScheduler):
    """Every job where a table puts its first operator, in the order in which jobs became ready."""

    granularity = "operator"

    def __init__(self, places: Mapping[str, Placement] | None = None, granularity: str = "operator") -> None:
        self.places, self.granularity = places or {}, granularity

    def decide(self, view):
        for job in view.ready:
            yield Assignment(job, self.places.get(job.operators[0], CPU))


class HoldBack(OnlineScheduler):
    """Assigns p at once, and the others together in a given order once all of them are ready."""

    granularity = "operator"

    def __init__(self, order: str, places: Mapping[str, Placement]) -> None:
        self.order, self.places = order, places

    def decide(self, view):
        ready = {job.operators[0]: job for job in view.ready}
        if "p" in ready:
            yield Assignment(ready["p"], CPU)
        elif len(ready) == len(self.order):
            for name in self.order:
                yield Assignment(ready[name], self.places[name])


JOIN = net("a:16 x; b:16 x; c:8 a,b")
r"""x -> a --.
    `-> b --+-> c"""


# --- exact traces ---------------------------------------------------------------------------------------------


def test_a_chain_on_one_processor_is_as_a_static_plan_would_run_it() -> None:
    graph = net("a:16 x; b:8 a")
    assert (
        trace(graph, Where())
        == trace(graph, {"a": CPU, "b": CPU})
        == [("a@cpu", 0.0, 8.0), ("b@cpu", 8.0, 12.0)]
    )


def test_a_handover_begins_when_the_producer_finishes() -> None:
    """a leaves the DSP at 4.375 and is readable at 5.875; c becomes ready when b ends at 8, and starts at once."""
    assert trace(JOIN, Where({"a": DSP})) == [
        ("map a@dsp", 0.0, 0.125),
        ("b@cpu", 0.0, 8.0),
        ("sync a@dsp", 0.125, 0.375),
        ("a@dsp", 0.375, 4.375),
        ("map c@cpu", 4.375, 5.375),
        ("sync c@cpu", 5.375, 5.875),
        ("c@cpu", 8.0, 12.0),
    ]


def test_a_late_handover_holds_its_reader_up() -> None:
    """b ends at 4.5 (9 operations): c waits for a until 5.875."""
    graph = net("a:16 x; b:9 x; c:8 a,b")
    assert trace(graph, Where({"a": DSP}))[-1] == ("c@cpu", 5.875, 9.875)


def test_a_transform_is_a_kernel_that_only_the_reader_asks_for() -> None:
    """a lies in an image from 4.375 on; c asks for it at 8: transform 2, map 1, sync 0.5."""
    assert trace(JOIN, Where({"a": GPU}))[-4:] == [
        ("transform c@gpu", 8.0, 10.0),
        ("map c@cpu", 10.0, 11.0),
        ("sync c@cpu", 11.0, 11.5),
        ("c@cpu", 11.5, 15.5),
    ]


def test_outputs_come_back_to_the_cpu() -> None:
    graph = net("a:16 x; b:8 a")
    assert trace(graph, Where({"a": BUFFER, "b": BUFFER}))[2:] == [
        ("a@gpu", 0.375, 2.375),
        ("b@gpu", 2.375, 3.375),
        ("map output@cpu", 3.375, 4.375),
        ("sync output@cpu", 4.375, 4.875),
    ]


def test_an_assigned_job_keeps_its_place_while_its_inputs_are_on_their_way() -> None:
    """At 8, r (waiting for p's tensor until 8.375) comes before s, whose input could be there long since."""
    graph = net("p:16 x; r:8 p; s:8 x", outputs="r s")
    places = {"r": BUFFER, "s": BUFFER}
    first = [row for row in trace(graph, HoldBack("rs", places)) if row[0] in ("r@gpu", "s@gpu")]
    assert first == [("r@gpu", 8.375, 9.375), ("s@gpu", 9.375, 10.375)]
    second = [row for row in trace(graph, HoldBack("sr", places)) if row[0] in ("r@gpu", "s@gpu")]
    assert second == [("s@gpu", 8.0, 9.0), ("r@gpu", 9.0, 10.0)]


def test_inferences_overlap_as_in_a_pipeline() -> None:
    """a on the DSP takes 4 s, b on the CPU 4 s; the second inference's a runs beside the first one's b."""
    graph = net("a:16 x; b:8 a")
    done = outcome(graph, Where({"a": DSP}), kernels=True, period=4.0, count=2, duration=20.0)
    kernels = [row for row in rows(done) if row[0] in ("a@dsp", "b@cpu")]
    assert kernels == [
        ("a@dsp", 0.375, 4.375),
        ("a@dsp", 4.375, 8.375),
        ("b@cpu", 5.875, 9.875),
        ("b@cpu", 9.875, 13.875),
    ]
    assert [(r.arrival_s, r.start_s, r.finish_s) for r in done.inferences] == [
        (0.0, 0.0, 9.875),
        (4.0, 4.0, 13.875),
    ]


# --- fixed costs ----------------------------------------------------------------------------------------------

FALLBACK = net("a:8 x; s:8:softmax a; b:8 s")
OPENING = toy(gpu={"inference_overhead": 1.0})


def lengths(scheduler: OnlineScheduler, **options) -> list[float]:
    done = outcome(FALLBACK, scheduler, OPENING, kernels=True, **options)
    return [r.end_s - r.start_s for r in done.kernels if r.kind == "kernel" and r.processor == "gpu"]


def test_single_operators_pay_the_fixed_cost_once_for_each_inference() -> None:
    assert lengths(Where({"a": BUFFER, "b": BUFFER})) == [2.0, 1.0]
    assert lengths(Where({"a": BUFFER, "b": BUFFER}), count=2) == [2.0, 1.0, 2.0, 1.0]


def test_every_subgraph_is_an_invocation() -> None:
    assert lengths(Where({"a": BUFFER, "b": BUFFER}, "subgraph")) == [2.0, 2.0]


def test_a_whole_network_runs_where_all_of_it_is_supported() -> None:
    assert trace(FALLBACK, Where(granularity="model")) == [
        ("a@cpu", 0.0, 4.0), ("s@cpu", 4.0, 12.0), ("b@cpu", 12.0, 16.0)
    ]  # fmt: skip


# --- what the scheduler sees ----------------------------------------------------------------------------------


class Watcher(Where):
    """Notes what the view says whenever it is asked, before and after each assignment."""

    def __init__(self, places=None) -> None:
        super().__init__(places)
        self.seen = []

    def decide(self, view):
        for job in view.ready:
            where = self.places.get(job.operators[0], CPU)
            before = {p: view.wait(p) for p in view.processors}
            inputs = {p: view.data_ready(job, p) for p in view.processors}
            yield Assignment(job, where)
            self.seen.append(
                (view.now, job.operators, before, inputs, view.wait(where.processor), len(view.ready))
            )


def test_the_view_tells_waits_and_inputs() -> None:
    """The GPU's first layout is the image. When c becomes ready (8), a (DSP, 4.375) is on the CPU; b nowhere else."""
    watcher = Watcher({"a": DSP})
    outcome(JOIN, watcher)
    first, second, third = watcher.seen
    idle = {"cpu": 0.0, "gpu": 0.0, "dsp": 0.0}
    assert first == (0.0, ("a",), idle, {"cpu": 0.0, "gpu": 2.375, "dsp": 0.375}, 4.375, 1)
    assert second == (0.0, ("b",), {**idle, "dsp": 4.375}, {"cpu": 0.0, "gpu": 2.375, "dsp": 0.375}, 8.0, 0)
    assert third == (8.0, ("c",), idle, {"cpu": 0.0, "gpu": 2.375, "dsp": 0.375}, 4.0, 0)


def test_waits_follow_what_really_happens() -> None:
    """Two applications share core 0: the prediction of 8 s is corrected to what it took when the job is done."""
    graph = net("a:16 x; b:8 a")
    watcher = Watcher()
    apps = [Inference(graph, s, library=LIBRARY, count=1) for s in (watcher, Where())]
    Simulation(toy(), apps).run()
    assert [(now, before["cpu"], after) for now, _, before, _, after, _ in watcher.seen] == [
        (0.0, 0.0, 8.0), (16.0, 0.0, 4.0)
    ]  # fmt: skip


def test_ready_jobs_are_in_the_order_in_which_they_became_ready() -> None:
    """c before d before b: a's readers by number when a ends, then the next inference's."""
    orders = []

    class Looker(Where):
        def decide(self, view):
            orders.append([(job.inference, job.operators[0]) for job in view.ready])
            return super().decide(view)

    outcome(net("a:16 x; b:16 a; c:16 a; d:16 x", outputs="b c d"), Looker())
    assert orders == [[(0, "a"), (0, "d")], [(0, "b"), (0, "c")]]


def test_jobs_left_out_stay_ready() -> None:
    class OneByOne(Where):
        def decide(self, view):
            if view.ready and not view.wait("cpu"):
                yield view.ready[-1].on("cpu")

    graph = net("a:16 x; b:8 x", outputs="a b")
    assert trace(graph, OneByOne()) == [("b@cpu", 0.0, 4.0), ("a@cpu", 4.0, 12.0)]


# --- records --------------------------------------------------------------------------------------------------


def test_inferences_under_way_at_the_end() -> None:
    """12 s each on the CPU, one after the other, one more every 4 s, until 14."""
    done = outcome(net("a:16 x; b:8 a"), HoldNew(), period=4.0, count=None, duration=14.0)
    assert [(r.number, r.status, r.start_s) for r in done.inferences] == [
        (0, "finished", 0.0), (1, "running", 12.0), (2, "queued", -1.0), (3, "queued", -1.0)
    ]  # fmt: skip


class HoldNew(OnlineScheduler):
    """One job at a time."""

    granularity = "operator"

    def decide(self, view):
        if view.ready and not view.wait("cpu"):
            yield min(view.ready, key=lambda job: (job.inference, job.unit)).on("cpu")


def test_sums_are_means_over_inferences() -> None:
    """Three kernels; x to the DSP and a back: 2 x 64 B mapped; 0.25 and 0.5 s of synchronising."""
    record = outcome(JOIN, Where({"a": DSP}), count=3).apps["net"]
    assert (record.kernels, record.transfer_bytes, record.sync_s) == (3.0, 128.0, 0.75)
    assert (record.scheduler, record.unsupported, record.operators) == ("Where", 0, 3)


# --- what is refused ------------------------------------------------------------------------------------------

GRAPH = net("a:16 x; b:8 a")


class Idle(OnlineScheduler):
    """Assigns nothing."""

    def decide(self, view):
        return []


class Twice(OnlineScheduler):
    """Assigns every job twice."""

    def decide(self, view):
        for job in view.ready:
            yield job.on("cpu")
            yield job.on("cpu")


class Elsewhere(OnlineScheduler):
    """Wants a processor that the device lacks."""

    def decide(self, view):
        for job in view.ready:
            yield job.on("npu")


def test_a_scheduler_that_never_assigns_is_named() -> None:
    with pytest.raises(SimulationError) as caught:
        outcome(GRAPH, Idle())
    expected = "scheduler 'Idle' left 1 inference of 'net' unfinished: it never assigned all ready jobs"
    assert str(caught.value) == expected


def test_with_a_time_limit_it_only_leaves_them_queued() -> None:
    done = outcome(GRAPH, Idle(), period=2.0, count=None, duration=5.0)
    assert [r.status for r in done.inferences] == ["queued"] * 3


def test_a_job_assigned_twice_is_refused() -> None:
    with pytest.raises(
        SimulationError, match=r"^scheduler 'Twice' assigned job 0 of inference 0, not ready$"
    ):
        outcome(GRAPH, Twice())


def test_a_processor_that_does_not_support_the_job_is_refused() -> None:
    with pytest.raises(SimulationError) as caught:
        outcome(GRAPH, Elsewhere())
    assert str(caught.value) == (
        "scheduler 'Elsewhere' assigned job 0 of 'net' to 'npu', which does not support it; "
        "supported: cpu, gpu, dsp"
    )


def test_support_is_per_job() -> None:
    with pytest.raises(
        SimulationError, match=r"job 1 of 'net' to 'gpu', which does not support it; supported: cpu$"
    ):
        outcome(FALLBACK, Where({"s": GPU}))


@pytest.mark.parametrize("returned", [None, ["cpu"], 7], ids=str)
def test_what_is_no_assignment_is_refused(returned: object) -> None:
    class Wrong(OnlineScheduler):
        def decide(self, view):
            return returned

    with pytest.raises(SocsimError, match="Wrong"):
        outcome(GRAPH, Wrong())


@pytest.mark.parametrize(
    ("options", "sentence"), [({"layout": "pixel"}, "pixel"), ({"cores": "huge"}, "huge")]
)
def test_unknown_layouts_and_cores_are_refused(options: dict[str, str], sentence: str) -> None:
    class Odd(OnlineScheduler):
        def decide(self, view):
            for job in view.ready:
                yield job.on("gpu" if "layout" in options else "cpu", **options)

    for period in (None, 1.0):
        with pytest.raises(SocsimError, match=sentence):
            outcome(GRAPH, Odd(), period=period)


def test_a_scheduler_s_own_error_comes_through_with_its_place() -> None:
    class Broken(OnlineScheduler):
        def decide(self, view):
            raise ZeroDivisionError("my own")

    with pytest.raises(
        SimulationError, match=r"'test_online:Broken' failed in decide\(\) .*: my own"
    ) as caught:
        outcome(GRAPH, Broken())
    cause = caught.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    assert traceback.extract_tb(cause.__traceback__)[-1].name == "decide"


def test_an_operator_that_nothing_supports_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "toy.yaml"
    library.write_text(Path(LIBRARY).read_text().replace("operators: all", "operators: {task: {}}"))
    app = Inference(FALLBACK, "greedy", library=str(library), count=1)
    with pytest.raises(SocsimError, match="'s'"):
        Simulation(toy(), [app]).run()


# --- properties -----------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(networks(), st.sampled_from(["operator", "subgraph", "model"]), st.integers(1, 3), st.integers(0, 99))
def test_causality_under_random_decisions(graph, granularity, count, seed) -> None:
    random = Random(seed)

    class Anywhere(OnlineScheduler):
        def decide(self, view):
            jobs = list(view.ready)
            random.shuffle(jobs)
            for job in jobs:
                yield job.on(random.choice(job.processors))

    Anywhere.granularity = granularity
    done = outcome(graph, Anywhere(), toy(gpu={"dispatch": 0.25}), kernels=True, count=count, period=3.0)
    kernels = {(r.inference, r.operator): r for r in done.kernels if r.kind == "kernel"}
    assert len(kernels) == count * len(graph)
    for before, after in graph.dag.edges:
        for i in range(count):
            source, target = kernels[i, before], kernels[i, after]
            least = (0.0 if source.processor == "cpu" else 1.5) + (
                0.0 if target.processor == "cpu" else 0.375
            )
            crossing = 0.0 if source.processor == target.processor else least
            assert target.start_s >= source.end_s + crossing - 1e-9


@settings(max_examples=30, deadline=None)
@given(networks())
def test_expected_waits_are_exact_where_nothing_crosses(graph) -> None:
    """On the CPU alone with nobody else, the wait that the view tells is when the next job starts."""
    watcher = Watcher()
    done = outcome(graph, watcher, kernels=True)
    starts = {r.operator: r.start_s for r in done.kernels}
    for now, (name,), before, _, _, _ in watcher.seen:
        assert starts[name] == pytest.approx(now + before["cpu"], abs=1e-9)


def test_the_predictor_is_the_scheduler_s() -> None:
    """An exact predictor knows the rate of the quick class; jobs are priced as the library runs them."""
    graph = net("m:16:matmul x")
    watcher = Watcher({"m": GPU})
    outcome(graph, watcher)
    assert watcher.seen[0][4] == 2.375 + pricer(graph).cost(graph["m"], "gpu").time == 3.375
    with pytest.raises(SocsimError, match="unknown predictor 'exakt'; did you mean 'exact'"):
        wrong = Watcher()
        wrong.predictor = "exakt"
        outcome(graph, wrong)


def test_devices_may_differ_in_layout() -> None:
    """A GPU with buffers only: what a job reads is mapped, never transformed."""
    device = toy()
    gpu = replace(device.accelerators["gpu"], layouts=("buffer",))
    plain = replace(device, accelerators={**device.accelerators, "gpu": gpu})
    kinds = [
        what.split()[0]
        for what, _, _ in trace(GRAPH, Where({"a": Placement("gpu"), "b": Placement("gpu")}), plain)
    ]
    assert "transform" not in kinds
