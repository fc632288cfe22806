"""Band's schedulers decision by decision: a network of three subgraphs, of which the middle one needs the CPU."""

from __future__ import annotations

from math import inf

import pytest
from tiny import TinyLibrary, network, view_of

from socsim.schedulers.band import expected_time
from socsim.schedulers.band_online import BandFixed, BandHeft, BandLeastSlack, BandRoundRobin, BandShortest
from socsim.schedulers.subgraphs import Subgraph
from socsim.schedulers.view import Job, Load

GRAPH = network({"a": (4e6, ""), "b": (4e6, "a"), "c": (4e6, "b")})
LIBRARY = TinyLibrary({"gpu": ["b"], "dsp": ["task"]})
"""a and c: 1 ms on the GPU, 2 ms on the CPU; b: 2 ms on the CPU. The best way is GPU, CPU, GPU: 4 ms."""

WHOLE = TinyLibrary({"dsp": ["task"]})
"""The GPU supports all: 3 ms, and 6 ms on the CPU."""

MS = 1e-3


class Phone:
    """What a scheduler is told; sending a job makes its worker wait for longer."""

    def __init__(self, library: TinyLibrary = LIBRARY, **waits: float) -> None:
        self.library, self.waits, self.now = library, waits, 0.0
        self.overhead: dict[str, float] = {}
        self.takes = {"cpu": 2.0, "gpu": 1.0, "dsp": 4.0}

    def decisions(self, scheduler, *ready: Job) -> list[tuple[str, str, int]]:
        """(Application, worker or "" for dropped, number of subgraphs) in order."""
        load = Load(
            lambda: self.now, lambda: ready, lambda p: self.waits.get(p, 0.0) * MS, lambda job, p: 0.0,
            invocations=True,
        )  # fmt: skip
        made = []
        for one in scheduler.decide(view_of(GRAPH, self.library, load=load, overhead=self.overhead)):
            if one.placement is None:
                made.append((one.job.app, "", 1))
                continue
            worker = one.placement.processor
            made.append((one.job.app, worker, one.units))
            self.waits[worker] = self.waits.get(worker, 0.0) + self.takes[worker]
        return made


def job(app: str, unit: int = 0, deadline: float = inf, inference: int = 0) -> Job:
    workers = ("cpu",) if unit == 1 else ("cpu", "gpu")
    return Job(inference, GRAPH, ("abc"[unit],), workers, 0.0, unit, app, deadline)


def exact(cls, **options):
    return cls(minimum_subgraph_size=1, **options)


# --- shortest expected latency --------------------------------------------------------------------------------


def test_the_longest_goes_first_whatever_came_first() -> None:
    """1 ms left of x, 4 ms of y. y takes the GPU; x finds it busy for 1 ms: 2 ms there as on the CPU, a later piece."""
    phone = Phone()
    scheduler = exact(BandShortest)
    phone.decisions(scheduler, job("x"))
    phone.decisions(scheduler, job("x", 1))
    phone.waits = {}
    assert phone.decisions(scheduler, job("x", 2), job("y")) == [("y", "gpu", 1), ("x", "gpu", 1)]


def test_jobs_queue_behind_others_where_that_is_faster() -> None:
    phone = Phone(gpu=0.9)
    assert phone.decisions(exact(BandShortest), job("x")) == [("x", "gpu", 1)]
    assert Phone(gpu=1.1).decisions(exact(BandShortest), job("x")) == [("x", "cpu", 1)]


def test_of_an_inference_only_what_comes_next_is_looked_at() -> None:
    phone, scheduler = Phone(), exact(BandShortest)
    assert phone.decisions(scheduler, job("x", 1), job("x", 2)) == []
    assert phone.decisions(scheduler, job("x"), job("x", 1)) == [("x", "gpu", 1)]
    assert phone.decisions(scheduler, job("x"), job("x", 2)) == []
    assert phone.decisions(scheduler, job("x", 1)) == [("x", "cpu", 1)]


def test_each_inference_has_a_next_of_its_own_and_begins_anew_after_its_last() -> None:
    phone, scheduler = Phone(), exact(BandShortest)
    for unit in range(3):
        assert len(phone.decisions(scheduler, job("x", unit))) == 1
        phone.waits = {}
    assert phone.decisions(scheduler, job("x", 1, inference=1)) == []
    assert phone.decisions(scheduler, job("x", inference=1)) == [("x", "gpu", 1)]
    assert phone.decisions(scheduler, job("x")) == [("x", "gpu", 1)]  # nothing of inference 0 is remembered


def test_several_subgraphs_at_once_leave_the_rest_for_next() -> None:
    """A call of the CPU costs 0.1 ms: a and b in one are 4.1 ms; to wait 1.1 ms for the GPU, and b, 4.2 ms."""
    phone, scheduler = Phone(gpu=1.1), exact(BandShortest)
    phone.overhead = {"cpu": 0.1 * MS}
    assert phone.decisions(scheduler, job("x")) == [("x", "cpu", 2)]
    assert phone.decisions(scheduler, job("x", 1)) == []
    assert phone.decisions(scheduler, job("x", 2)) == [("x", "gpu", 1)]


def test_a_window_looks_at_the_first_only() -> None:
    assert Phone().decisions(exact(BandShortest, window=1), job("x"), job("y")) == [("x", "gpu", 1)]
    assert len(Phone().decisions(exact(BandShortest, window=2), job("x"), job("y"), job("z"))) == 2


def test_a_new_run_remembers_nothing() -> None:
    phone, scheduler = Phone(), exact(BandShortest)
    phone.decisions(scheduler, job("x"))
    scheduler.start()
    assert phone.decisions(scheduler, job("x", 1)) == []


def test_times_are_those_of_the_layout_and_of_a_call() -> None:
    """2 ms in buffers, 1 ms in images; each call costs 0.5 ms."""
    view = view_of(GRAPH, overhead={"gpu": 0.5 * MS})
    piece = Subgraph("gpu", 0, 0, ("a", "c"))
    for layout, time in (("buffer", 4.5), ("image", 2.5)):
        assert expected_time(piece, GRAPH, view, {"gpu": layout}) == pytest.approx(time * MS)


# --- heterogeneous earliest finish time -----------------------------------------------------------------------


def test_a_job_waits_for_its_best_worker_and_keeps_it_busy_for_the_others() -> None:
    """x takes the GPU. y would end there as early as on the CPU, after 6 ms, and waits; z finds both before it."""
    phone = Phone(WHOLE)
    phone.takes["gpu"] = 3.0
    assert phone.decisions(exact(BandHeft), job("x"), job("y"), job("z")) == [
        ("x", "gpu", 1),
        ("z", "cpu", 1),
    ]


def test_only_idle_workers_are_given_jobs() -> None:
    assert Phone(WHOLE, gpu=0.1).decisions(exact(BandHeft), job("x")) == []
    assert Phone(WHOLE, gpu=3.1).decisions(exact(BandHeft), job("x")) == [("x", "cpu", 1)]
    assert Phone(WHOLE, gpu=3.1, cpu=0.01).decisions(exact(BandHeft), job("x")) == []


@pytest.mark.parametrize(
    ("reserve", "place"), [(False, [("x", "gpu", 1), ("y", "cpu", 1)]), (True, [("x", "gpu", 1)])]
)
def test_a_reserved_worker_is_kept_for_the_rest_of_a_job(reserve, place) -> None:
    """1 ms is left of y. x has the GPU for 1.5 ms: y takes 2.5 ms there, and 2 ms on the CPU, or 4 ms after b of x."""
    phone, scheduler = Phone(), exact(BandHeft, reserve=reserve)
    for unit in range(2):
        phone.decisions(scheduler, job("y", unit))
        phone.waits = {}
    scheduler._reserved.clear()
    phone.takes["gpu"] = 1.5
    assert phone.decisions(scheduler, job("x"), job("y", 2)) == place


def test_its_own_reservation_does_not_hold_a_job_up() -> None:
    phone, scheduler = Phone(), exact(BandHeft, reserve=True)
    for unit, worker in enumerate(("gpu", "cpu", "gpu")):
        assert phone.decisions(scheduler, job("x", unit)) == [("x", worker, 1)]
        phone.waits = {}
    assert phone.decisions(scheduler, job("y")) == [("y", "gpu", 1)]


# --- least slack ----------------------------------------------------------------------------------------------


def test_the_least_slack_goes_first_and_not_the_first_deadline() -> None:
    """x is due at 5 ms and needs 1 ms: 4 ms of slack; y at 7 ms and needs 4 ms: 3 ms. Only one gets the GPU."""
    phone, scheduler = Phone(), exact(BandLeastSlack)
    for unit in range(2):
        phone.decisions(scheduler, job("x", unit))
        phone.waits = {}
    ready = (job("x", 2, deadline=5 * MS), job("y", deadline=7 * MS))
    assert phone.decisions(scheduler, *ready)[0] == ("y", "gpu", 1)


def test_what_cannot_be_in_time_is_dropped_unless_it_has_begun() -> None:
    assert Phone().decisions(exact(BandLeastSlack), job("x", deadline=3.9 * MS)) == [("x", "", 1)]
    assert Phone().decisions(exact(BandLeastSlack), job("x", deadline=4.1 * MS)) == [("x", "gpu", 1)]
    late = Phone()
    late.now = 1.0
    assert late.decisions(exact(BandLeastSlack), job("x", deadline=1.0039)) == [("x", "", 1)]
    phone, scheduler = Phone(), exact(BandLeastSlack)
    phone.decisions(scheduler, job("x", deadline=4.1 * MS))
    assert phone.decisions(scheduler, job("x", 1, deadline=0.1 * MS)) == [("x", "cpu", 1)]


def test_time_that_is_just_enough_is_enough() -> None:
    times = [
        view_of(GRAPH).predict(GRAPH[n], p, layout=x) for n, p, x in (("a", "gpu", "image"), ("b", "cpu", ""))
    ]
    exactly = times[0] + (times[1] + times[0])
    phone, scheduler = Phone(), exact(BandLeastSlack)
    assert phone.decisions(scheduler, job("x", deadline=exactly + 1e-12)) == [("x", "gpu", 1)]


def test_a_busy_worker_is_waited_for() -> None:
    assert Phone(gpu=0.05).decisions(exact(BandLeastSlack), job("x")) == []


# --- round robin and fixed workers ----------------------------------------------------------------------------


def test_idle_workers_take_the_first_whose_whole_network_they_support() -> None:
    jobs = (job("x"), job("y"), job("z"))
    assert Phone(WHOLE).decisions(exact(BandRoundRobin), *jobs) == [("x", "cpu", 1), ("y", "gpu", 1)]
    assert Phone(WHOLE, cpu=0.05).decisions(exact(BandRoundRobin), *jobs) == [("x", "gpu", 1)]
    assert Phone().decisions(exact(BandRoundRobin), *jobs) == [("x", "cpu", 3)]


def test_a_fixed_worker_gets_all_that_it_supports_at_a_time_and_the_cpu_the_rest() -> None:
    """b and c go to the CPU together, although the GPU supports c."""
    phone, scheduler = Phone(gpu=99.0), exact(BandFixed)
    found = [phone.decisions(scheduler, job("x", unit)) for unit in range(3)]
    assert found == [[("x", "gpu", 1)], [("x", "cpu", 2)], []]


def test_applications_may_have_workers_of_their_own() -> None:
    scheduler = exact(BandFixed, worker="cpu", workers={"y": "gpu"})
    assert Phone().decisions(scheduler, job("x"), job("y")) == [("x", "cpu", 3), ("y", "gpu", 1)]
