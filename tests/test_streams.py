"""Streams in time: every kind of arrival under every policy, stages, completion, and what a backlog costs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from corekit import CPU, DSP, LIBRARY, Fixed, net, toy
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.errors import FileError, SimulationError, UnknownNameError, UsageError
from socsim.schedulers.base import OnlineScheduler
from socsim.simulation.inferencelog import InferenceLog, InferenceRecord
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.arrivals import Arrivals

SHORT, LONG = net("a:4 x"), net("a:8 x")
"""2 s and 4 s on the CPU, without hand-overs."""


class OnCpu(OnlineScheduler):
    """Everything on the CPU, at once."""

    def decide(self, view: Any) -> Any:
        for job in view.ready:
            yield job.on("cpu")


def app(graph: Any = SHORT, online: bool = False, **options: Any) -> Inference:
    return Inference(graph, OnCpu() if online else Fixed({"a": CPU}), library=LIBRARY, **options)


def run(*apps: Inference, duration: float | None = None, **options: Any) -> Outcome:
    simulation = Simulation(toy(), apps, duration=duration, **options)
    simulation.validate()
    return simulation.run()


def lives(done: Outcome, name: str = "net") -> list[str]:
    """Each inference by number: ``number:arrival-start-end``; ``!`` before a drop, ``?`` for what did not happen."""
    told = []
    for r in sorted((r for r in done.inferences if r.app == name), key=lambda r: r.number):
        start = "?" if r.start_s < 0 else f"{r.start_s:g}"
        end = "?" if r.finish_s < 0 else f"{'!' if r.status == 'dropped' else ''}{r.finish_s:g}"
        told.append(f"{r.number}:{r.arrival_s:g}-{start}-{end}")
    return told


STYLES = pytest.mark.parametrize("online", [False, True], ids=["static", "online"])


# --- policies, with an arrival each second and 2 s of service ------------------------------------------------


@STYLES
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"queue": "queue"},
            ["0:0-0-2", "1:1-2-4", "2:2-4-6", "3:3-6-?", "4:4-?-?", "5:5-?-?", "6:6-?-?"],
        ),
        (
            {"queue": "queue", "queue_limit": 1},
            ["0:0-0-2", "1:1-2-4", "2:2-4-6", "3:3-?-!3", "4:4-6-?", "5:5-?-!5", "6:6-?-?"],
        ),
        (
            {"queue": "latest"},
            ["0:0-0-2", "1:1-2-4", "2:2-?-!3", "3:3-4-6", "4:4-?-!5", "5:5-6-?", "6:6-?-?"],
        ),
        (
            {"queue": "skip"},
            ["0:0-0-2", "1:1-?-!1", "2:2-2-4", "3:3-?-!3", "4:4-4-6", "5:5-?-!5", "6:6-6-?"],
        ),
    ],
    ids=["queue", "queue_limit", "latest", "skip"],
)
def test_policies(online: bool, options: dict[str, Any], expected: list[str]) -> None:
    """What finishes at the instant of an arrival makes room for it."""
    one = {"concurrency": 1} if online else {}
    done = run(app(online=online, period=1.0, **options, **one), duration=6.5)
    assert lives(done) == expected


@pytest.mark.parametrize("queue", ["latest", "skip"])
def test_decided_at_run_time_one_is_under_way_at_once_where_arrivals_may_be_dropped(queue: str) -> None:
    static, online = (run(app(online=o, period=1.0, queue=queue), duration=9.5) for o in (False, True))
    assert lives(static) == lives(online)


def test_decided_at_run_time_any_number_are_under_way_in_a_plain_queue() -> None:
    """Each is launched on arrival; the CPU takes them one after the other."""
    done = run(app(online=True, period=1.0, count=3))
    assert lives(done) == ["0:0-0-2", "1:1-1-4", "2:2-2-6"]


def test_a_static_plan_may_overlap_with_itself() -> None:
    """1 s on the DSP between hand-overs: the second enters while the first's output is on its way."""
    graph, scheduler = net("a:4 x"), Fixed({"a": DSP})
    latency = run(Inference(graph, scheduler, library=LIBRARY, count=1)).duration_s
    both = run(Inference(graph, scheduler, library=LIBRARY, count=2, concurrency=2))
    starts = [r.start_s for r in both.inferences]
    assert starts == [0.0, 0.0]
    assert latency < both.duration_s < 2 * latency


def test_back_to_back_as_many_run_as_may() -> None:
    done = run(app(online=True, concurrency=2, count=4))
    assert [r.arrival_s for r in done.inferences] == [0.0, 0.0, 2.0, 4.0]


@STYLES
@given(
    st.sampled_from(["queue", "latest", "skip"]),
    st.none() | st.integers(1, 3),
    st.integers(1, 3),
    st.floats(0.3, 6.0),
    st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_arrived_is_finished_dropped_running_and_queued(
    online: bool, queue: str, limit: int | None, concurrency: int, period: float, seed: int
) -> None:
    limits = {"queue_limit": limit} if queue == "queue" else {}
    stream = app(
        online=online, arrivals="poisson", period=period, queue=queue, concurrency=concurrency, **limits
    )
    done = run(stream, duration=40.0, seed=seed)
    counts = dict.fromkeys(("finished", "dropped", "running", "queued"), 0)
    for r in done.inferences:
        counts[r.status] += 1
    assert sorted(r.number for r in done.inferences) == list(range(sum(counts.values())))
    assert counts["running"] <= concurrency
    assert counts["queued"] <= {"queue": limit or 10**6, "latest": 1, "skip": 0}[queue]
    started = sorted((r for r in done.inferences if r.start_s >= 0), key=lambda r: r.number)
    assert [r.start_s for r in started] == sorted(r.start_s for r in started)
    _check_waiting(done, queue)


def _check_waiting(done: Outcome, queue: str) -> None:
    """How many wait at any instant, read off the records: never more than one with ``latest``, none with ``skip``."""
    if queue == "queue":
        return
    ends = {"finished": "start_s", "running": "start_s", "dropped": "finish_s"}
    moves = []
    for r in done.inferences:
        left = getattr(r, ends[r.status]) if r.status in ends else done.duration_s
        if left > r.arrival_s:
            moves += [(r.arrival_s, 1), (left, -1)]
    waiting = most = 0
    for _, move in sorted(moves):
        waiting += move
        most = max(most, waiting)
    assert most <= (1 if queue == "latest" else 0)


# --- arrivals -------------------------------------------------------------------------------------------------


def test_times_of_a_list() -> None:
    done = run(app(arrivals=[0.5, "2 s", 2.0]))
    assert lives(done) == ["0:0.5-0.5-2.5", "1:2-2.5-4.5", "2:2-4.5-6.5"]


def test_times_of_a_file(tmp_path) -> None:
    (tmp_path / "camera.csv").write_text("arrival_ms\n250\n1000\n")
    done = run(app(arrivals=str(tmp_path / "camera.csv")))
    assert lives(done) == ["0:0.25-0.25-2.25", "1:1-2.25-4.25"]


def test_a_missing_file_stops_the_run() -> None:
    with pytest.raises(FileError, match=r"nowhere\.csv"):
        run(app(arrivals="nowhere.csv"))


def test_a_count_cuts_arrivals_short() -> None:
    assert lives(run(app(arrivals=[0.0, 5.0, 9.0], count=2))) == ["0:0-0-2", "1:5-5-7"]


def test_an_offset_and_a_period() -> None:
    done = run(app(arrivals={"offset": 1.5}, period=4.0, count=2))
    assert lives(done) == ["0:1.5-1.5-3.5", "1:5.5-5.5-7.5"]


def test_arrivals_are_drawn_from_the_seed() -> None:
    def arrivals(seed: int, *others: Inference) -> list[float]:
        done = run(app(arrivals="poisson", period=3.0, count=20, name="p"), *others, seed=seed)
        return [r.arrival_s for r in done.inferences if r.app == "p"]

    assert arrivals(1) == arrivals(1)
    assert arrivals(1) != arrivals(2)
    assert arrivals(1) == arrivals(1, app(arrivals="poisson", period=2.0, count=5, name="q"))


def test_applications_draw_apart() -> None:
    done = run(*(app(arrivals="poisson", period=3.0, count=5, name=n) for n in "pq"))
    assert [r.arrival_s for r in done.inferences[:5]] != [r.arrival_s for r in done.inferences[5:]]


def test_jitter_moves_arrivals_but_not_their_period() -> None:
    done = run(app(arrivals={"jitter": 1.0}, period=4.0, count=50), seed=3)
    late = [r.arrival_s - 4.0 * r.number for r in done.inferences]
    assert 0.0 <= min(late) < 0.2 and 0.8 < max(late) <= 1.0


class Twice(Arrivals):
    """Two at once, then nothing."""

    endless = False

    def times(self, rng: Any) -> Any:
        return iter([1.0, 1.0])


def test_arrivals_of_ones_own() -> None:
    assert lives(run(app(arrivals=Twice()))) == ["0:1-1-3", "1:1-3-5"]


@pytest.mark.parametrize("times", [[1.0, 0.5], [-1.0], [float("nan")]])
def test_arrivals_that_go_backwards_are_told(times: list[float]) -> None:
    class Back(Twice):
        def times(self, rng: Any) -> Any:
            return iter(times)

    with pytest.raises(SimulationError, match="arrivals of 'net' must not decrease from 0 on, got"):
        run(app(arrivals=Back()))


def test_arrivals_that_never_come() -> None:
    class Never(Twice):
        def times(self, rng: Any) -> Any:
            return iter([])

    assert list(run(app(arrivals=Never())).inferences) == []


# --- the end of a run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", ["queue", "latest", "skip"])
def test_a_run_ends_when_the_last_one_has_finished_or_been_dropped(queue: str) -> None:
    done = run(app(arrivals=[0.0, 1.0, 1.5], queue=queue))
    assert done.duration_s == {"queue": 6.0, "latest": 4.0, "skip": 2.0}[queue]


def test_a_run_does_not_end_before_the_last_drop() -> None:
    """The second arrives while the first runs, and is the last."""
    done = run(app(LONG, period=3.0, count=2, queue="skip"))
    assert lives(done) == ["0:0-0-4", "1:3-?-!3"]
    assert done.duration_s == 4.0


def test_a_scheduler_that_never_assigns_is_named_whatever_waits() -> None:
    class Idle(OnlineScheduler):
        def decide(self, view: Any) -> Any:
            return ()

    stuck = Inference(SHORT, Idle(), library=LIBRARY, name="stuck", count=3, concurrency=1, period=1.0)
    with pytest.raises(SimulationError, match="left 3 inferences of 'stuck' unfinished"):
        run(app(after="stuck", name="next"), stuck)


# --- stages ---------------------------------------------------------------------------------------------------


def test_each_finished_one_makes_an_arrival() -> None:
    """Detection takes 2 s, recognition 4 s; they do not share cores in time as the detector waits 10 s."""
    done = run(app(period=10.0, count=2, name="detect"), app(LONG, after="detect", name="recognise"))
    assert lives(done, "recognise") == ["0:2-2-6", "1:12-12-16"]
    assert [r.origin_s for r in done.inferences] == [-1.0, -1.0, 0.0, 10.0]
    assert [r.chain_start_s for r in done.inferences] == [0.0, 10.0, 0.0, 10.0]


def test_fanout_and_delay() -> None:
    after = {"app": "detect", "fanout": 2, "delay": 0.5}
    done = run(app(count=1, name="detect"), app(after=after, name="recognise"))
    assert lives(done, "recognise") == ["0:2.5-2.5-4.5", "1:2.5-4.5-6.5"]


def test_the_origin_is_the_first_stage_s_arrival() -> None:
    """a waits from 0.5 to 1, b follows, c follows b."""
    first = app(arrivals=[0.5], name="a")
    done = run(app(after="b", name="c"), app(after={"app": "a", "delay": 1.0}, name="b"), first)
    assert {r.app: (r.arrival_s, r.finish_s, r.origin_s) for r in done.inferences} == {
        "a": (0.5, 2.5, -1.0),
        "b": (3.5, 5.5, 0.5),
        "c": (5.5, 7.5, 0.5),
    }


def test_what_is_dropped_makes_no_arrival() -> None:
    done = run(app(period=1.0, count=4, queue="skip", name="detect"), app(after="detect", name="next"))
    assert [r.status for r in done.inferences if r.app == "detect"] == [
        "dropped",
        "finished",
        "dropped",
        "finished",
    ]
    assert sum(r.app == "next" for r in done.inferences) == 2


def test_a_stage_has_a_queue_of_its_own() -> None:
    after = {"app": "detect", "fanout": 4}
    done = run(app(count=1, name="detect"), app(after=after, queue="latest", name="next"))
    assert lives(done, "next") == ["0:2-2-4", "1:2-?-!2", "2:2-?-!2", "3:2-4-6"]


def test_a_stage_may_be_counted() -> None:
    after = {"app": "detect", "fanout": 4}
    done = run(app(count=1, name="detect"), app(after=after, count=2, name="next"))
    assert lives(done, "next") == ["0:2-2-4", "1:2-4-6"]


def test_a_stage_goes_first_when_its_input_is_there() -> None:
    """The next detection waits already; the recogniser's launch is not behind it on the DSP."""
    detect = Inference(SHORT, Fixed({"a": DSP}), library=LIBRARY, arrivals=[0.0, 0.0], name="detect")
    follow = Inference(SHORT, Fixed({"a": DSP}), library=LIBRARY, after="detect", name="next")
    first = run(detect, follow)
    ends = {(r.app, r.number): r.finish_s for r in first.inferences}
    assert ends["next", 0] < ends["detect", 1]


def test_drawn_fanouts_have_their_mean_and_are_seeded() -> None:
    def counts(seed: int) -> int:
        after = {"app": "d", "fanout": {"mean": 2.0}}
        done = run(app(period=2.0, count=300, name="d"), app(net("a:1 x"), after=after, name="n"), seed=seed)
        return sum(r.app == "n" for r in done.inferences)

    assert counts(1) == counts(1) != counts(2)
    assert counts(1) == pytest.approx(600, abs=3 * 600**0.5)


def test_a_draw_of_none_ends_too() -> None:
    after = {"app": "d", "fanout": {"mean": 1e-9}, "delay": 1.0}
    done = run(app(count=2, name="d"), app(after=after, name="n"))
    assert [r.app for r in done.inferences] == ["d", "d"] and done.duration_s == 4.0


def test_stages_decide_at_run_time_as_well() -> None:
    after = {"app": "d", "fanout": 2}
    done = run(app(online=True, count=1, name="d"), app(online=True, after=after, name="n"))
    assert [(r.arrival_s, r.origin_s) for r in done.inferences if r.app == "n"] == [(2.0, 0.0)] * 2


def test_circles_and_strangers() -> None:
    with pytest.raises(UsageError, match="in a circle: a after b after a"):
        run(app(after="b", name="a"), app(after="a", name="b"), duration=1.0)
    with pytest.raises(UnknownNameError, match="unknown application 'detct'; did you mean 'detect'"):
        run(app(count=1, name="detect"), app(after="detct", name="b"))


def test_a_stage_after_an_endless_application_needs_a_duration() -> None:
    with pytest.raises(UsageError, match="needs a duration"):
        run(app(name="a"), app(after="a", name="b"))


# --- what is carried for others -------------------------------------------------------------------------------


def test_priority_and_niceness_reach_queues_and_threads() -> None:
    stream = Simulation(toy(), [app(count=1, priority=2.5, nice=-5)]).streams[0]
    assert stream.context.queues["gpu"].priority == 2.5
    assert stream.context.team((0,))[0].weight == 3121


# --- what a backlog costs -------------------------------------------------------------------------------------


@STYLES
def test_a_backlog_of_ten_minutes_is_small_and_complete(online: bool) -> None:
    """Twice what the CPU can do for 600 s: 0.04 s of service every 0.02 s; less than 100 B for each that waits."""
    stream = app(net("a:1 x"), online=online, period=0.02, concurrency=1)
    simulation = Simulation(toy(big_rate=25.0), [stream], duration=600.0)
    tracemalloc.start()
    done = simulation.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    simulation.validate()
    own = done.inferences_of("net")
    finished, queued = int(own.are("finished").sum()), int(own.are("queued").sum())
    assert finished + queued + 1 == len(own.status) == 30_000
    assert queued == pytest.approx(15_000, abs=2)
    assert (peak - 48 * finished) / queued < 100.0


def test_what_waits_for_ever_is_all_there() -> None:
    done = run(app(net("a:4000 x"), period=1.0), duration=1000.0)
    assert [r.number for r in done.inferences] == list(range(1000))
    assert [r.status for r in done.inferences] == ["running"] + ["queued"] * 999


# --- records --------------------------------------------------------------------------------------------------


def test_a_log_keeps_records_as_they_are() -> None:
    records = [
        InferenceRecord("a", 0, 0.0, 0.5, 1.0, "finished"),
        InferenceRecord("b", 0, 0.0, -1.0, 0.25, "dropped", 0.0),
        InferenceRecord("a", 1, 1.0, 1.5, -1.0, "running", 0.5),
        InferenceRecord("a", 2, 2.0, -1.0, -1.0, "queued"),
    ]
    log = InferenceLog(records)
    assert list(log) == records and log[1:3] == records[1:3] and log[-1] == records[-1]
    assert log == InferenceLog(records) and log != InferenceLog(records[:2]) and log != records
    own = log.of("a")
    assert own.arrival.tolist() == [0.0, 1.0, 2.0]
    assert own.are("running").tolist() == [False, True, False]
    assert len(log.of("c").status) == 0


def test_results_go_to_other_processes() -> None:
    import pickle

    result = socsim.simulate(toy(), [app(count=2)])
    copy = pickle.loads(pickle.dumps(result))
    assert list(copy.outcome.inferences) == list(result.outcome.inferences)
    with pytest.raises(UsageError, match="a slow-down needs the applications"):
        copy.slowdown()
    assert result.slowdown() == {"net": 1.0} == pickle.loads(pickle.dumps(result)).slowdown()
