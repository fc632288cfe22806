"""The scheduler for busy phones: each decision by hand, on the toy phone's times."""

from __future__ import annotations

from math import inf

import pytest
from tiny import network, view_of

from socsim.errors import UsageError
from socsim.schedulers.aware import Aware
from socsim.schedulers.view import Job, Load

GRAPH = network({"a": (4e6, ""), "b": (4e6, "a")})  # 2 ms on the CPU, 1 ms on the GPU, 4 ms on the DSP

MS = 1e-3


class Phone:
    """What the scheduler is told: times in ms, and how many jobs each processor has."""

    def __init__(self) -> None:
        self.now = self.crowd = 0.0
        self.ready: list[Job] = []
        self.waits: dict[str, float] = {}
        self.queued: dict[str, int] = {}
        self.moves: dict[str, float] = {}

    def decisions(self, scheduler: Aware) -> list[tuple[str, str]]:
        """(Application, processor) in the order in which jobs are sent; a processor that gets one is not idle."""
        load = Load(
            lambda: self.now, lambda: tuple(self.ready), lambda p: self.waits.get(p, 0.0) * MS,
            lambda job, p: self.moves.get(p, 0.0) * MS, pending=lambda p: self.queued.get(p, 0),
            others=lambda p: self.crowd if p == "cpu" else 0.0,
        )  # fmt: skip
        sent = []
        for decision in scheduler.decide(view_of(GRAPH, load=load)):
            processor = decision.placement.processor
            sent.append((decision.job.app, processor))
            self.queued[processor] = self.queued.get(processor, 0) + 1
            self.waits[processor] = self.waits.get(processor, 0.0) + {"cpu": 2, "gpu": 1, "dsp": 4}[processor]
        return sent


def job(app: str, *processors: str, unit: int = 0, deadline: float = inf, arrival: float = 0.0) -> Job:
    return Job(0, GRAPH, ("ab"[unit],), processors or ("cpu", "gpu", "dsp"), arrival, unit, app, deadline)


def sent(*ready: Job, **told) -> list[tuple[str, str]]:
    """The decisions of a new scheduler on a phone of which something is told."""
    phone = Phone()
    phone.ready = list(ready)
    for name, value in told.items():
        setattr(phone, name, value)
    return phone.decisions(Aware())


# --- where ----------------------------------------------------------------------------------------------------


def test_an_idle_phone_runs_a_job_where_it_finishes_first():
    assert sent(job("x")) == [("x", "gpu")]


@pytest.mark.parametrize(
    ("moves", "place"),
    [({"gpu": 0.9}, "gpu"), ({"gpu": 1.1}, "cpu"), ({"gpu": 9, "cpu": 1.9}, "cpu"), ({"gpu": 9, "cpu": 2.1}, "dsp")],
)  # fmt: skip
def test_moving_its_inputs_counts(moves, place):
    assert sent(job("x"), moves=moves) == [("x", place)]


def test_waiting_and_moving_add_up():
    """0.6 ms until the GPU is free and 0.6 ms to move: with 1 ms of work that is more than 2 ms on the CPU."""
    busy = {"gpu": 0.6}
    assert sent(job("x"), waits=busy, moves={"gpu": 0.6}) == [("x", "cpu")]
    assert sent(job("x"), waits=busy, moves={"gpu": 0.3}) == [("x", "gpu")]


def test_a_job_waits_for_the_processor_where_it_should_finish_first():
    """The GPU will be free in 0.5 ms: 1.5 ms in all, less than 2 ms on the CPU, which stays idle."""
    assert sent(job("x"), waits={"gpu": 0.5}, queued={"gpu": 1}) == []
    assert sent(job("x"), waits={"gpu": 1.5}, queued={"gpu": 1}) == [("x", "cpu")]


def test_an_overdue_job_is_taken_to_need_as_long_again():
    """Nothing is left of what the GPU was to take, but it has not finished: another 1 ms, as for this one."""
    assert sent(job("x"), queued={"gpu": 1}, moves={"cpu": 0.1}) == []
    assert sent(job("x"), queued={"gpu": 1}, moves={"gpu": 0.1}) == [("x", "cpu")]


def test_each_processor_has_one_at_a_time():
    """The second one waits for the GPU: 1 ms and 1 ms, and the CPU takes 2 ms; the GPU is left where it is longer."""
    assert sent(job("x"), job("y"), moves={"gpu": 0.1}) == [("x", "gpu"), ("y", "cpu")]
    assert sent(job("x"), job("y"), moves={"cpu": 0.1}) == [("x", "gpu")]


# --- who first ------------------------------------------------------------------------------------------------


def test_what_has_begun_goes_before_what_is_urgent_and_that_before_what_came_earlier():
    begun, urgent = job("begun", "gpu", unit=1, arrival=9.0), job("urgent", "gpu", deadline=1.0)
    early, late = job("early", "gpu", arrival=1.0), job("late", "gpu", arrival=2.0)
    for order in ((late, early, urgent, begun), (early, begun, late, urgent)):
        left = list(order)
        for expected in ("begun", "urgent", "early", "late"):
            assert sent(*left) == [(expected, "gpu")]
            left = [one for one in left if one.app != expected]


def test_of_what_has_begun_the_most_urgent_goes_first():
    later, sooner = job("later", "gpu", unit=1, deadline=2.0), job("sooner", "gpu", unit=1, deadline=1.0)
    assert sent(later, sooner) == [("sooner", "gpu")]


# --- crowds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("crowd", "place"), [(0.0, "cpu"), (0.5, "cpu"), (0.51, "dsp")])
def test_a_crowded_cpu_is_left_to_those_that_have_no_other(crowd, place):
    """Without the GPU the CPU is faster; it is crowded above half a thread of others per core."""
    assert sent(job("x", "cpu", "dsp"), crowd=crowd) == [("x", place)]
    assert sent(job("x", "cpu"), crowd=crowd) == [("x", "cpu")]


def test_a_job_of_the_cpu_alone_does_not_wait_for_another():
    assert sent(job("x", "cpu"), job("y", "cpu"), queued={"cpu": 3}) == [("x", "cpu"), ("y", "cpu")]


def test_how_much_is_a_crowd_may_be_told():
    phone = Phone()
    phone.ready, phone.crowd = [job("x", "cpu", "dsp")], 0.8
    assert phone.decisions(Aware(crowd=0.9)) == [("x", "cpu")]


# --- trying again ---------------------------------------------------------------------------------------------


class Repeated:
    """One job of an application after the other; each finishes before the next comes."""

    def __init__(self, **options) -> None:
        self.scheduler, self.phone = Aware(**options), Phone()

    def at(self, now: float, *processors: str, app: str = "x", **told) -> list[str]:
        phone = self.phone
        phone.now, phone.ready, phone.waits, phone.queued = now, [job(app, *processors)], {}, {}
        for name, value in told.items():
            setattr(phone, name, value)
        return [processor for _, processor in phone.decisions(self.scheduler)]


def test_a_processor_that_was_not_used_for_long_is_tried_once():
    """From the first decision on: at 5 s it is not yet long, then the CPU is tried, and then the DSP."""
    row = Repeated()
    times = (0.0, 5.0, 5.1, 5.2, 5.3, 10.15, 10.25)
    assert [row.at(t) for t in times] == [["gpu"], ["gpu"], ["cpu"], ["dsp"], ["gpu"], ["cpu"], ["dsp"]]


def test_after_a_long_rest_another_processor_is_tried_although_the_best_was_not_used_either():
    row = Repeated()
    assert [row.at(t, "gpu", "cpu") for t in (0.0, 6.0)] == [["gpu"], ["cpu"]]


def test_each_application_tries_for_itself():
    row = Repeated()
    assert row.at(0.0) == ["gpu"]
    assert row.at(6.0, app="y") == ["gpu"]
    assert row.at(6.1) == ["cpu"]


def test_what_would_take_too_long_is_not_tried():
    """The DSP takes 4 times as long as the GPU, the CPU twice: less than `caution` times may be tried."""
    row = Repeated(caution=4.0)
    assert [row.at(t) for t in (0.0, 6.0, 6.1, 6.2)] == [["gpu"], ["cpu"], ["gpu"], ["gpu"]]
    row = Repeated(caution=2.0)
    assert [row.at(t) for t in (0.0, 6.0)] == [["gpu"], ["gpu"]]


def test_a_processor_that_is_busy_is_not_tried():
    row = Repeated()
    row.at(0.0, "cpu", "gpu")
    assert row.at(6.0, "cpu", "gpu", queued={"cpu": 1}) == ["gpu"]
    assert row.at(6.1, "cpu", "gpu") == ["cpu"]


def test_a_crowded_cpu_is_not_tried():
    row = Repeated()
    row.at(0.0, "cpu", "gpu")
    assert row.at(6.0, "cpu", "gpu", crowd=1.0) == ["gpu"]


def test_how_long_is_long_may_be_told():
    row = Repeated(retry=0.5)
    assert [row.at(t, "cpu", "gpu") for t in (0.0, 0.5, 0.6, 1.0, 1.2)] == [
        ["gpu"],
        ["gpu"],
        ["cpu"],
        ["gpu"],
        ["cpu"],
    ]


def test_a_new_run_has_used_nothing():
    row = Repeated()
    row.at(0.0)
    row.scheduler.start()
    assert row.at(6.0) == ["gpu"]


# --- options --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["crowd", "retry", "caution"])
@pytest.mark.parametrize("value", [0.0, -1.0, inf])
def test_options_are_positive_and_finite(option, value):
    with pytest.raises(UsageError, match=f"{option} must be positive, got {value}"):
        Aware(**{option: value})
