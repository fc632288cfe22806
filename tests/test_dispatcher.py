"""One scheduler for several applications: what it sees, taking jobs together, dropping, and what is refused."""

from __future__ import annotations

import pytest
from corekit import CPU, DSP, LIBRARY, SHARING, net, toy

from socsim.errors import SimulationError, UsageError
from socsim.schedulers.base import OnlineScheduler
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference

CHAIN = net("a:8 x; s:4:softmax a; b:8 s")
"""4 s, 8 s and 4 s on the CPU: three units, as no accelerator runs a softmax."""


class Shared(OnlineScheduler):
    """One for all applications that name it; notes what it sees."""

    shared = True

    def __init__(self) -> None:
        self.seen: list[tuple[float, list[tuple[str, int, int]]]] = []
        self.runs = 0

    def start(self):
        self.runs += 1

    def decide(self, view):
        self.seen.append((view.now, [(job.app, job.inference, job.unit) for job in view.ready]))
        yield from self.assign(view)

    def assign(self, view):
        for job in view.ready:
            yield job.on("cpu")


def run(scheduler, *names: str, graph=CHAIN, **options) -> Simulation:
    given = {"library": LIBRARY, "count": 1, **options}
    apps = [Inference(graph, scheduler, name=name, **given) for name in names]
    running = Simulation(toy(), apps, mechanisms=SHARING)
    running.validate()
    return running


def times(running: Simulation) -> dict[str, float]:
    return {r.app: r.finish_s for r in running.run().inferences}


def test_jobs_of_all_applications_come_together() -> None:
    scheduler = Shared()
    run(scheduler, "one", "two")
    assert scheduler.seen[0] == (0.0, [("one", 0, 0)])
    assert (0.0, [("two", 0, 0)]) in scheduler.seen
    assert {app for _, jobs in scheduler.seen for app, _, _ in jobs} == {"one", "two"}


def test_a_wait_counts_what_other_applications_have_there() -> None:
    waits = {}

    class Waits(Shared):
        def assign(self, view):
            for job in view.ready:
                waits[job.app, job.unit] = (view.wait("cpu"), view.pending("cpu"), view.predict(job, "cpu"))
                yield job.on("cpu")

    run(Waits(), "one", "two")
    assert waits["one", 0] == (0.0, 0, 4.0)
    assert waits["two", 0] == (4.0, 1, 4.0)


def test_a_scheduler_that_is_not_shared_sees_its_own_application_only() -> None:
    class Own(Shared):
        shared = False

        def assign(self, view):
            assert {job.app for job in view.ready} == {view.ready[0].app}
            assert view.of(view.ready[0]) is view
            return super().assign(view)

    scheduler = Own()
    run(scheduler, "one", "two")
    assert len(scheduler.seen) == 6


def test_applications_that_name_a_shared_one_alike_share_it() -> None:
    apps = [
        Inference(CHAIN, spec, library=LIBRARY, name=name, count=1)
        for name, spec in (("a", "band_sel"), ("b", "band_sel"), ("c", "band_sel(window=3)"))
    ]
    first, second, third = Simulation(toy(), apps).streams
    assert first.scheduler is second.scheduler
    assert third.scheduler is not first.scheduler


def test_about_operators_an_application_s_own_view_is_asked() -> None:
    asked = []

    class Asks(Shared):
        def assign(self, view):
            for job in view.ready:
                own = view.of(job)
                asked.append(own.graph.name)
                if len(asked) == 1:
                    with pytest.raises(UsageError, match="ask view"):
                        _ = view.graph
                    with pytest.raises(UsageError, match="ask view"):
                        view.predict(job.graph["a"], "cpu")
                assert own.predict(job.graph[job.operators[0]], "cpu") > 0.0
                assert view.data_ready(job, "cpu") == own.data_ready(job, "cpu")
                yield job.on("cpu")

    run(Asks(), "one", "two")
    assert set(asked) == {"net"}


def test_a_run_begins_by_telling_the_scheduler_once() -> None:
    scheduler = Shared()
    run(scheduler, "one", "two")
    run(scheduler, "one")
    assert scheduler.runs == 2


def test_jobs_taken_together_are_one_invocation() -> None:
    """The fixed cost of 1 s is due once instead of three times."""
    device = toy(cpu={"inference_overhead": 1.0})

    class Together(OnlineScheduler):
        def __init__(self, units: int) -> None:
            self.units = units

        def decide(self, view):
            for job in view.ready:
                yield job.on("cpu", units=self.units)

    def finish(units: int) -> float:
        app = Inference(CHAIN, Together(units), library=LIBRARY, count=1)
        return Simulation(device, [app]).run().inferences[0].finish_s

    assert finish(1) == pytest.approx(16.0 + 3.0)
    assert finish(3) == pytest.approx(16.0 + 1.0)


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        (4, "took 4 jobs from 0 on together; 'net' has 3"),
        (0, "took 0 jobs from 0 on together"),
    ],
)
def test_as_many_jobs_as_there_are(units: int, sentence: str) -> None:
    class Wrong(Shared):
        def assign(self, view):
            for job in view.ready:
                yield job.on("cpu", units=units)

    with pytest.raises(SimulationError, match=sentence):
        run(Wrong(), "one")


def test_jobs_that_have_been_assigned_are_not_taken_again() -> None:
    """b and c are ready at once; c is assigned before b takes it along."""
    graph = net("b:8 x; s:4:softmax x", outputs="b s")

    class Twice(Shared):
        def assign(self, view):
            first, second = view.ready
            yield second.on("cpu")
            yield first.on("cpu", units=2)

    with pytest.raises(SimulationError, match="of which job 1 has been assigned"):
        run(Twice(), "one", graph=graph)


def test_a_processor_has_to_support_all_that_is_taken_together() -> None:
    class Dsp(Shared):
        def assign(self, view):
            for job in view.ready:
                yield job.on("dsp", units=2)

    with pytest.raises(SimulationError, match="to 'dsp', which does not support it; supported: cpu"):
        run(Dsp(), "one")


def test_dropping_ends_an_inference() -> None:
    class Drops(Shared):
        def assign(self, view):
            for job in view.ready:
                yield job.drop() if job.inference == 1 else job.on("cpu")

    running = run(Drops(), "one", period=20.0, count=3)
    records = running.run().inferences
    assert [r.status for r in records] == ["finished", "dropped", "finished"]
    assert (records[1].start_s, records[1].finish_s) == (-1.0, 20.0)


def test_an_inference_under_way_is_not_dropped() -> None:
    graph = net("b:8 x; s:4:softmax x", outputs="b s")

    class Late(Shared):
        def assign(self, view):
            first, second = view.ready
            yield first.on("cpu")
            yield second.drop()

    with pytest.raises(SimulationError, match="dropped inference 0 of 'one', of which a job is under way"):
        run(Late(), "one", graph=graph)


def test_deadlines_are_told() -> None:
    deadlines = []

    class Notes(Shared):
        def assign(self, view):
            deadlines.extend(job.deadline for job in view.ready)
            return super().assign(view)

    run(Notes(), "one", deadline=7.0)
    run(Notes(), "one")
    assert deadlines[0] == 7.0 and deadlines[-1] == float("inf")


def test_support_decides_how_networks_are_cut() -> None:
    """With everything on the CPU only, the network is one job."""

    class CpuOnly(Shared):
        def support(self, graph, view):
            return dict.fromkeys(graph.operators, ("cpu",))

    scheduler = CpuOnly()
    assert times(run(scheduler, "one")) == {"one": 16.0}
    assert scheduler.seen == [(0.0, [("one", 0, 0)])]
    assert (CPU.processor, DSP.processor) == ("cpu", "dsp")
