"""Band's schedulers of several networks: who goes where next, by hand on the toy phone, and on the real one."""

from __future__ import annotations

import pytest
from corekit import LIBRARY, SHARING, net, toy

import socsim
from socsim.errors import UsageError
from socsim.schedulers.aware import Aware
from socsim.schedulers.band_online import (
    BandFixed,
    BandHeft,
    BandLeastSlack,
    BandRoundRobin,
    BandShortest,
)
from socsim.simulation.simulation import Simulation
from socsim.testing import check_scheduler
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui

FREE = toy(map_time=0.0)
"""Tensors are handed over in 0.5 or 0.375 s."""
NAMES = ("band_fixed", "band_rr", "band_sel", "band_lst", "band_heft", "aware")


def kernels(scheduler, works: dict[str, int], **options) -> dict[str, tuple[str, float]]:
    """Where and when the only operator of each application starts; all arrive at 0."""
    apps = [
        Inference(
            net(f"{name}:{work} x"), scheduler, library=LIBRARY, name=name, count=1, **options.get(name, {})
        )
        for name, work in works.items()
    ]
    running = Simulation(FREE, apps, kernels=True, mechanisms=SHARING)
    running.validate()
    return {r.app: (r.processor, r.start_s) for r in running.run().kernels if r.kind == "kernel"}


def exact(cls, **options):
    """Small networks, and the truth about times."""
    scheduler = cls(minimum_subgraph_size=1, **options)
    scheduler.predictor = "exact"
    return scheduler


def test_each_on_the_worker_that_it_was_given() -> None:
    where = kernels(exact(BandFixed, worker="dsp", workers={"b": "gpu"}), {"a": 8, "b": 8})
    assert {app: processor for app, (processor, _) in where.items()} == {"a": "dsp", "b": "gpu"}


def test_shortest_latency_counts_who_is_there() -> None:
    """64 operations: CPU 32 s, GPU 8 s, DSP 16 s. The second finds the GPU busy for 8 s: 16 s, as on the DSP.

    Ties go to the later subgraph in the list: the DSP's.
    """
    where = kernels(exact(BandShortest), {"a": 64, "b": 64})
    assert {app: processor for app, (processor, _) in where.items()} == {"a": "gpu", "b": "dsp"}


def test_the_longest_of_those_that_wait_goes_first() -> None:
    """When the GPU is free again after `first`, the long one is sent before the short one, which came earlier."""

    class Held(BandShortest):
        def decide(self, view):
            return super().decide(view) if view.now or len(view.ready) == 2 else iter(())

    where = kernels(exact(Held), {"short": 8, "long": 256})
    assert where["long"][0] == "gpu"
    assert where["short"][0] != "gpu" or where["short"][1] > where["long"][1]


def test_heft_waits_for_its_best_worker() -> None:
    """The GPU is 16 times as fast as the CPU here: both wait for it, one after the other."""
    device = toy(gpu_rate=32.0, big_rate=0.5, dsp={"kernel_overhead": 100.0})
    apps = [
        Inference(net(f"{n}:64 x"), exact(BandHeft), library=LIBRARY, name=n, count=1) for n in ("a", "b")
    ]
    scheduler = apps[0].scheduler
    apps = [Inference(app.model, scheduler, library=LIBRARY, name=app.name, count=1) for app in apps]
    done = Simulation(device, apps, kernels=True, mechanisms=SHARING).run()
    starts = {r.app: (r.processor, r.start_s) for r in done.kernels if r.kind == "kernel"}
    assert {processor for processor, _ in starts.values()} == {"gpu"}
    assert starts["b"][1] > starts["a"][1]


def test_least_slack_first_and_what_is_too_late_is_dropped() -> None:
    """`late` cannot finish 64 operations in 5 s anywhere."""
    scheduler = exact(BandLeastSlack)
    apps = [
        Inference(net("a:64 x"), scheduler, library=LIBRARY, name="late", count=1, deadline=5.0),
        Inference(net("b:64 x"), scheduler, library=LIBRARY, name="relaxed", count=1),
    ]
    running = Simulation(FREE, apps, mechanisms=SHARING)
    running.validate()
    assert {r.app: r.status for r in running.run().inferences} == {"late": "dropped", "relaxed": "finished"}


def test_round_robin_gives_idle_workers_whole_networks() -> None:
    where = kernels(exact(BandRoundRobin), {"a": 8, "b": 8, "c": 8})
    assert {processor for processor, _ in where.values()} == {"cpu", "gpu", "dsp"}


def test_reserving_keeps_a_worker_for_the_rest_of_a_job() -> None:
    scheduler = exact(BandHeft, reserve=True)
    graph = net("a:64 x; s:4:softmax a; b:64 s")
    app = Inference(graph, scheduler, library=LIBRARY, count=2, period=1.0)
    running = Simulation(FREE, [app], mechanisms=SHARING)
    running.validate()
    assert not scheduler._reserved
    assert [r.status for r in running.run().inferences] == ["finished", "finished"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: BandShortest(window=-1), "window must be a whole number from 0, got -1"),
        (lambda: BandHeft(minimum_subgraph_size=0), "minimum_subgraph_size must be at least 1, got 0"),
        (lambda: Aware(retry=0.0), "retry must be positive, got 0.0"),
        (lambda: Aware(caution=-1.0), "caution must be positive, got -1.0"),
    ],
)
def test_options_out_of_range(make, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_sound(name: str) -> None:
    assert check_scheduler(name) == f"{name}: sound on 5 networks"


@pytest.mark.parametrize("name", NAMES)
def test_three_networks_at_once_lose_nothing_and_repeat(name: str) -> None:
    def records():
        apps = [
            Inference("mobilenet_v2", name, name="cls", period="40 ms", deadline="100 ms"),
            Inference("squeezenet_1.1", name, name="det", period="30 ms", deadline="60 ms"),
            Inference("resnet18", name, name="rec", period="200 ms", queue="latest"),
        ]
        return list(socsim.simulate("xiaomi-9", apps, duration="0.6 s").outcome.inferences)

    first = records()
    assert {r.app for r in first if r.status == "finished"} == {"cls", "det", "rec"}
    assert first == records()


def test_learning_leaves_a_cpu_that_others_keep_busy() -> None:
    """By an offline profile jobs go on to the CPU and wait there; what learns finishes in two thirds of the time."""

    def mean_ms(scheduler: str) -> float:
        apps = [
            Inference("squeezenet_1.1", scheduler, name=f"app{i}", period="25 ms", queue="latest")
            for i in range(2)
        ]
        rivals = Competitor(count=3, threads=4, duty=0.9, period="50 ms")
        done = socsim.simulate("xiaomi-9", [*apps, rivals], duration="3 s").outcome.inferences
        ended = [r.finish_s - r.arrival_s for r in done if r.status == "finished"]
        return 1e3 * sum(ended) / len(ended)

    assert mean_ms("aware") < 0.67 * mean_ms("band_sel(predictor=exact)")


def test_frames_go_before_networks() -> None:
    def dropped(scheduler: str) -> float:
        apps = [Inference("resnet50", scheduler), Ui(compose="4 ms")]
        frames = socsim.simulate("xiaomi-9", apps, duration="2 s").outcome.frames
        return sum(frame.status == "dropped" for frame in frames) / len(frames)

    assert dropped("band_fixed") > 0.5
    assert dropped("aware") < 0.02
