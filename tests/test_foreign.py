"""How busy other programs keep a processor, as a scheduler may ask."""

from __future__ import annotations

import pytest
from corekit import LIBRARY, net, toy

import socsim
from socsim.schedulers.base import OnlineScheduler, StaticScheduler
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui

ONE = net("a:8 x")


class Asking(OnlineScheduler):
    """Runs everything on one processor, and notes how busy others keep each."""

    granularity = "operator"

    def __init__(self, where: str = "cpu") -> None:
        self.where = where
        self.seen: list[tuple[float, ...]] = []

    def decide(self, view):
        self.seen.append(tuple(view.load(p) for p in ("cpu", "gpu", "dsp")))
        for job in view.ready:
            yield job.on(self.where)


class AskingShared(Asking):
    shared = True


def ask(*others, scheduler: OnlineScheduler | None = None, **options) -> list[tuple[float, ...]]:
    scheduler = scheduler or Asking()
    app = Inference(ONE, scheduler, library=LIBRARY, name="asks", **{"arrivals": [1.0], **options})
    Simulation(toy(), [app, *others], duration=60.0).run()
    return scheduler.seen


def test_an_idle_phone_has_no_load() -> None:
    assert ask() == [(0.0, 0.0, 0.0)]


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (3, 1), (2, 2), (3, 4)])
def test_runnable_threads_of_others_by_core(count: int, threads: int) -> None:
    assert ask(Competitor(count=count, threads=threads)) == [(count * threads / 4, 0.0, 0.0)]


def test_programs_on_an_accelerator() -> None:
    busy = Competitor(processor="gpu", kernel=5.0)
    twice = Competitor(processor="dsp", kernel=5.0, count=2)
    assert ask(busy, twice, arrivals=[20.0]) == [(0.0, 1.0, 2.0)]


def test_own_work_is_no_load() -> None:
    """The second arrival finds the first inference on the CPU."""
    assert ask(arrivals=[1.0, 2.0]) == [(0.0, 0.0, 0.0)] * 2
    on_gpu = ask(arrivals=[1.0, 1.5], scheduler=Asking("gpu"))
    assert on_gpu == [(0.0, 0.0, 0.0)] * 2


def test_another_application_is_load_unless_it_shares_the_scheduler() -> None:
    def other(scheduler) -> Inference:
        return Inference(ONE, scheduler, library=LIBRARY, name="other", arrivals=[0.0])

    apart = ask(other("cpu"))
    assert apart == [(1 / 4, 0.0, 0.0)]
    together = AskingShared()
    assert ask(other(together), scheduler=together) == [(0.0, 0.0, 0.0)] * 2


def test_who_has_paused_is_no_load() -> None:
    assert ask(Competitor(threads=4, stop="0.5 s")) == [(0.0, 0.0, 0.0)]


def test_a_static_scheduler_may_ask_when_it_plans_anew() -> None:
    seen = []

    class Replans(StaticScheduler):
        predictor = "online"
        replan_period = 0.0

        def plan(self, graph, view):
            seen.append(view.load("cpu"))
            return dict.fromkeys(graph.operators, "cpu")

    app = Inference(ONE, Replans(), library=LIBRARY, arrivals=[1.0, 30.0])
    Simulation(toy(), [app, Competitor(threads=2, start="20 s")], duration=60.0).run()
    assert seen == [0.0, 0.0, 0.5]


def test_aware_leaves_a_crowded_cpu_at_once() -> None:
    """Without having tried: the first inference of the busy phone already goes to the GPU."""

    def where(*others) -> str:
        apps = [Inference("mobilenet_v2", "cpu", name="other", count=1), *others]
        app = Inference("shufflenet_v2", "aware", name="net", library="ncnn", arrivals=["50 ms"])
        done = socsim.simulate("xiaomi-9", [app, *apps], duration="1 s", kernels=True).outcome
        kernels = [
            k for k in done.kernels if k.app == "net" and k.kind == "kernel" and k.kernel_class != "data"
        ]
        return max(
            {"cpu", "gpu"}, key=lambda p: sum(k.end_s - k.start_s for k in kernels if k.processor == p)
        )

    assert where() == "cpu"
    assert where(Competitor(threads=8)) == "gpu"


def test_jobs_that_only_the_cpu_runs_do_not_wait_for_each_other() -> None:
    """Two softmaxes of 4 s begin at once, on cores of their own."""
    alone = net("s:4:softmax x")
    apps = [Inference(alone, "aware", library=LIBRARY, name=name, arrivals=[0.0]) for name in ("one", "two")]
    done = Simulation(toy(), apps, kernels=True, duration=60.0).run()
    assert [r.start_s for r in done.kernels if r.operator == "s"] == [0.0, 0.0]


def test_frames_are_load_on_the_gpu_while_they_are_composed() -> None:
    scheduler = Asking()
    app = Inference("squeezenet_1.1", scheduler, period="5 ms", concurrency=1)
    socsim.simulate("xiaomi-9", [app, Ui(compose="8 ms")], duration="0.1 s")
    assert {load[1] for load in scheduler.seen} == {0.0, 1.0}
