"""Command queues: order within a context, turns between contexts, and what queueing theory says of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simkit import Bench, device, kernel, step

from socsim.devices.accelerator import CommandQueue, Server
from socsim.simulation.context import Context
from socsim.simulation.kernelgraph import compress


class Command:
    """Notes when it is started."""

    def __init__(self, name: str, log: list[str], ready: bool = True) -> None:
        self.name, self.log, self.ready = name, log, ready

    enqueued = True

    def prepare(self) -> None:
        """Nothing to enqueue."""

    def seek_later(self) -> None:
        """Always enqueued."""

    def contend(self, priority: int) -> None:
        """Never gives up."""

    def start(self) -> None:
        self.log.append(self.name)


def test_the_head_starts_at_once_and_the_next_when_it_finishes() -> None:
    log: list[str] = []
    queue = CommandQueue(Server())
    for name in "abc":
        queue.submit(Command(name, log))
    assert log == ["a"] and len(queue) == 3
    queue.finished()
    assert log == ["a", "b"]
    queue.finished()
    queue.finished()
    assert log == ["a", "b", "c"] and len(queue) == 0


def test_a_head_that_is_not_ready_holds_back_those_behind_it() -> None:
    log: list[str] = []
    queue = CommandQueue(Server())
    late = Command("late", log, ready=False)
    queue.submit(late)
    queue.submit(Command("b", log))
    queue.poke()
    assert log == []
    late.ready = True
    queue.poke()
    assert log == ["late"]


def test_a_head_is_not_started_twice() -> None:
    log: list[str] = []
    queue = CommandQueue(Server())
    queue.submit(Command("a", log))
    queue.poke()
    queue.poke()
    assert log == ["a"]


def test_contexts_take_turns_in_the_order_in_which_their_heads_became_ready() -> None:
    log: list[str] = []
    server = Server()
    first, second, third = (CommandQueue(server) for _ in range(3))
    first.submit(Command("a1", log))
    first.submit(Command("a2", log))
    third.submit(Command("c1", log))
    second.submit(Command("b1", log))
    first.finished()
    third.finished()
    second.finished()
    first.finished()
    assert log == ["a1", "c1", "b1", "a2"]
    assert server.free


def test_a_context_whose_head_waits_leaves_the_server_to_others() -> None:
    log: list[str] = []
    server = Server()
    waiting, other = CommandQueue(server), CommandQueue(server)
    waiting.submit(Command("late", log, ready=False))
    other.submit(Command("b", log))
    assert log == ["b"]


def test_queues_without_a_server_do_not_wait_for_each_other() -> None:
    log: list[str] = []
    for name in "ab":
        CommandQueue().submit(Command(name, log))
    assert log == ["a", "b"]


# --- who waits, and who is told -------------------------------------------------------------------------------


class Recorder(Command):
    """Notes all that it is told."""

    def __init__(self, name: str, log: list[str], *, enqueued: bool = True) -> None:
        super().__init__(name, log)
        self.enqueued = enqueued

    def prepare(self) -> None:
        self.log.append(f"{self.name} prepares")

    def seek_later(self) -> None:
        self.log.append(f"{self.name} seeks later")

    def contend(self, priority: float) -> None:
        self.log.append(f"{self.name} hears of {priority}")


def queues(*priorities: float) -> tuple[Server, list[CommandQueue], list[str]]:
    """A server that a command of priority 0 holds, and queues that wait for it, in order of coming."""
    log: list[str] = []
    server = Server()
    lines = [CommandQueue(server), *(CommandQueue(server, priority) for priority in priorities)]
    for i, queue in enumerate(lines):
        queue.submit(Recorder(str(i), log))
    return server, lines, log


def started(log: list[str]) -> list[str]:
    return [line for line in log if line.isdigit()]


def test_higher_priorities_first_and_equal_ones_as_they_came() -> None:
    server, lines, log = queues(1, 2, 1, -1, 2, 1)
    for turn in (0, 2, 5, 1, 3, 6, 4):
        assert server.holder is lines[turn]
        lines[turn].finished()
    assert started(log) == ["0", "2", "5", "1", "3", "6", "4"]
    assert server.free


def test_who_holds_the_accelerator_is_told_of_each_that_comes() -> None:
    _, _, log = queues(1, 0)
    assert log == ["0 prepares", "0", "1 prepares", "0 hears of 1", "2 prepares", "0 hears of 0"]


def test_who_takes_the_accelerator_is_told_once_of_each_priority_that_waits() -> None:
    _, lines, log = queues(3, 1, 1, -2)
    log.clear()
    lines[0].finished()
    assert log[0] == "1"
    assert sorted(log[1:]) == ["1 hears of -2", "1 hears of 1"]


def test_a_head_does_not_line_up_twice() -> None:
    server, lines, log = queues(0)
    lines[1].poke()
    for queue in lines:
        queue.finished()
    assert started(log) == ["0", "1"]
    assert server.free


def test_who_gives_up_has_the_accelerator_again_behind_those_who_came_before() -> None:
    server, lines, log = queues(1, 0)
    log.clear()
    lines[0].give_up()
    lines[0].seek()
    assert server.holder is lines[1]
    lines[1].finished()
    lines[2].finished()
    assert started(log) == ["1", "2", "0"]


def test_a_head_whose_kernel_is_not_enqueued_does_not_line_up_but_seeks_later() -> None:
    server, (holder,), log = queues()
    late, other = CommandQueue(server), CommandQueue(server)
    late.submit(Recorder("late", log, enqueued=False))
    other.submit(Recorder("other", log))
    assert "late seeks later" in log
    holder.finished()
    assert server.holder is other


def test_a_head_that_was_not_enqueued_may_still_take_a_free_accelerator() -> None:
    log: list[str] = []
    server = Server()
    CommandQueue(server).submit(Recorder("late", log, enqueued=False))
    assert log == ["late prepares", "late"]


def test_an_accelerator_is_free_only_while_nobody_has_it_or_waits() -> None:
    server, lines, _ = queues(0)
    assert [queue.free for queue in (*lines, CommandQueue())] == [False, False, True]
    lines[0].finished()
    assert not server.free
    lines[1].finished()
    assert server.free and lines[0].free


def test_a_crowd_counts_who_has_the_accelerator_and_who_waits_but_for_some() -> None:
    server, lines, _ = queues(1, 0)
    assert server.crowd([]) == 3
    assert server.crowd(lines[:1]) == server.crowd(lines[1:2]) == 2
    assert server.crowd(lines) == 0
    assert Server().crowd([]) == 0


def test_a_queue_prepares_its_next_head_when_its_turn_comes_and_not_before() -> None:
    server, (queue,), log = queues()
    queue.submit(Recorder("next", log))
    assert log == ["0 prepares", "0"]
    queue.finished()
    assert log[2:] == ["next prepares", "next"]
    assert server.holder is queue and len(queue) == 1


def test_the_watcher_hears_when_work_begins_and_when_nobody_follows() -> None:
    server, lines, log = queues(0)
    server.watch = lambda: log.append("free" if server.free else "busy")
    log.clear()
    lines[0].finished()
    assert log == ["1", "busy"]
    lines[1].finished()
    assert log == ["1", "busy", "free"]


# --- powering down without work -------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def patient(patience: float) -> tuple[Clock, Server, CommandQueue]:
    clock = Clock()
    server = Server(clock)
    server.patience = patience
    return clock, server, CommandQueue(server)


def test_an_accelerator_powers_down_when_its_patience_ends() -> None:
    """Free from 0 on with a patience of 2: down after 2, not at 2."""
    _, server, _ = patient(2.0)
    assert [server.is_suspended(now) for now in (1.0, 2.0, 2.5)] == [False, False, True]
    assert [server.suspended_s(now) for now in (1.0, 2.0, 5.0)] == [0.0, 0.0, 3.0]


def test_time_powered_down_adds_up_over_spells() -> None:
    """Down from 2 to 5, works to 6, waits to 8, down from then to 9, works from 9."""
    clock, server, queue = patient(2.0)
    clock.now = 5.0
    queue.submit(Command("a", []))
    assert (server.suspended_s(5.5), server.is_suspended(20.0)) == (3.0, False)
    clock.now = 6.0
    queue.finished()
    assert (server.suspended_s(7.0), server.is_suspended(7.0)) == (3.0, False)
    assert (server.suspended_s(8.5), server.is_suspended(8.5)) == (3.5, True)
    clock.now = 9.0
    queue.submit(Command("b", []))
    assert server.suspended_s(30.0) == 4.0


def test_work_within_the_patience_keeps_it_up() -> None:
    clock, server, queue = patient(2.0)
    for clock.now in (1.5, 3.0, 4.5, 6.0):
        queue.submit(Command("a", []))
        queue.finished()
    assert server.suspended_s(6.5) == 0.0
    assert server.suspended_s(9.0) == 1.0


def test_without_a_patience_it_never_powers_down() -> None:
    _, server, _ = patient(Server().patience)
    assert (server.suspended_s(1e9), server.is_suspended(1e9)) == (0.0, False)


# --- against theory -------------------------------------------------------------------------------------------

SERVICE = 1.0


def arrivals(load: float, jobs: int, seed: int = 5) -> list[float]:
    return list(np.cumsum(np.random.default_rng(seed).exponential(SERVICE / load, jobs)))


def waits(times: list[float]) -> list[float]:
    """Waiting times on the GPU of jobs of 1 s that arrive at `times`, each in its own context."""
    bench = Bench()
    graph = compress([step(kernel("x", SERVICE))])
    for i, time in enumerate(times):
        bench.launch(graph, f"{i:05}", at=time)
    bench.run()
    starts = {name.partition(".")[0]: start for name, start, _ in bench.trace}
    return [starts[f"{i:05}"] - time for i, time in enumerate(times)]


def test_waiting_follows_lindley_recursion() -> None:
    """W' = max(0, W + service - time until the next arrival), for every job."""
    times = arrivals(0.8, 300)
    got = waits(times)
    expected = [0.0]
    for before, after in pairwise(times):
        expected.append(max(0.0, expected[-1] + SERVICE - (after - before)))
    assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_mean_wait_of_an_m_d_1_queue(load: float) -> None:
    """Pollaczek-Khinchine: service * load / (2 (1 - load))."""
    mean = float(np.mean(waits(arrivals(load, 6000))))
    assert mean == pytest.approx(SERVICE * load / (2 * (1 - load)), rel=0.1)


def test_backlog_of_periodic_arrivals_grows_linearly() -> None:
    """A job of 1 s every 0.75 s: each waits 0.25 s longer than the one before."""
    assert waits([0.75 * i for i in range(20)]) == [0.25 * i for i in range(20)]


# --- turns between kernels ------------------------------------------------------------------------------------


def three(dispatch: float = 0.0) -> list:
    """Kernels x, y and z of 3 s each."""
    return [step(kernel(name, 3.0, dispatch=dispatch)) for name in "xyz"]


def launched(bench: Bench, what, app: str, *, at: float = 0.0, **options) -> None:
    bench.launch(what, app, at=at, context=Context(bench.executor, app, 0, **options))


def test_a_context_of_the_same_priority_waits_for_all_that_is_enqueued() -> None:
    bench = Bench()
    launched(bench, three(), "a")
    launched(bench, [step(kernel("draw", 1.0))], "b", at=0.5)
    assert bench.run()[-1] == ("b.draw", 9.0, 10.0)


def test_a_context_of_a_higher_priority_goes_first_at_the_next_kernel() -> None:
    bench = Bench()
    launched(bench, three(), "a")
    launched(bench, [step(kernel("draw", 1.0))], "b", at=0.5, priority=1)
    assert bench.run() == [("a.x", 0.0, 3.0), ("b.draw", 3.0, 4.0), ("a.y", 4.0, 7.0), ("a.z", 7.0, 10.0)]
    assert bench.executor.busy["gpu"] == pytest.approx(10.0)


def test_a_context_of_a_lower_priority_waits_for_the_end() -> None:
    bench = Bench()
    launched(bench, three(), "a")
    launched(bench, [step(kernel("draw", 1.0))], "b", at=0.5, priority=-1)
    assert bench.run()[-1] == ("b.draw", 9.0, 10.0)


def test_what_is_enqueued_later_runs_later() -> None:
    """The host enqueues x at 1, y at 2, z at 3; b comes at 1.5 and goes between x and y."""
    bench = Bench()
    launched(bench, three(dispatch=1.0), "a")
    launched(bench, [step(kernel("draw", 1.0))], "b", at=1.5)
    assert bench.run() == [("a.x", 1.0, 4.0), ("b.draw", 4.0, 5.0), ("a.y", 5.0, 8.0), ("a.z", 8.0, 11.0)]


def test_nobody_holds_the_accelerator_before_its_kernel_is_enqueued() -> None:
    """a's first kernel is enqueued at 1; b has the GPU meanwhile, and c, enqueued at 1.5, comes after a."""
    bench = Bench()
    launched(bench, [step(kernel("x", 3.0, dispatch=1.0))], "a")
    launched(bench, [step(kernel("y", 2.0))], "b", at=0.5)
    launched(bench, [step(kernel("z", 1.0))], "c", at=1.5)
    assert bench.run() == [("b.y", 0.5, 2.5), ("a.x", 2.5, 5.5), ("c.z", 5.5, 6.5)]


def test_a_queue_window_lets_others_in() -> None:
    """The host enqueues two kernels and waits for them before it enqueues more."""
    bench = Bench()
    launched(bench, [*three()[:2], step(kernel("z", 3.0, waits=True))], "a")
    launched(bench, [step(kernel("draw", 1.0))], "b", at=0.5)
    assert bench.run() == [("a.x", 0.0, 3.0), ("a.y", 3.0, 6.0), ("b.draw", 6.0, 7.0), ("a.z", 7.0, 10.0)]


def test_a_paused_run_goes_on_where_it_stopped_under_dram_contention() -> None:
    """a: two kernels of 10 GB, alone on the GPU's 10 GB/s; a rival on the DSP takes half of DRAM all the time.

    a.x: 2 s; b draws 1 s without traffic; a.y: 2 s.
    """
    bench = Bench(device(10e9))
    launched(bench, [step(kernel(n, 0.0, traffic=10e9)) for n in "xy"], "a")
    launched(bench, [step(kernel("draw", 1.0))], "b", at=0.5, priority=1)
    launched(bench, [step(kernel("r", 0.0, on="dsp", traffic=100e9))], "r")
    assert bench.run(until=6.0) == [("a.x", 0.0, 2.0), ("b.draw", 2.0, 3.0), ("a.y", 3.0, 5.0)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(-1, 1), st.sampled_from([0, 1, 2]),
            st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.0, 0.5])), min_size=1, max_size=4),
        ),
        min_size=1, max_size=4,
    ),
    st.booleans(),
)  # fmt: skip
def test_contexts_lose_nothing_and_never_overlap(apps, stepwise: bool) -> None:
    """Whatever the priorities, windows and dispatches: every kernel runs once, whole, one at a time, in order."""
    bench = Bench(stepwise=stepwise)
    for i, (at, priority, window, kernels) in enumerate(apps):
        steps = [
            step(kernel(f"k{j}", float(time), dispatch=d, waits=bool(window and j and j % window == 0)))
            for j, (time, d) in enumerate(kernels)
        ]
        launched(bench, steps, str(i), at=float(at), priority=priority)
    rows = bench.run()
    assert len(rows) == sum(len(kernels) for *_, kernels in apps)
    assert all(after[1] >= before[2] - 1e-9 for before, after in pairwise(rows))
    for i, (at, _, _, kernels) in enumerate(apps):
        own = [row for row in rows if row[0].startswith(f"{i}.")]
        assert [row[0] for row in own] == [f"{i}.k{j}" for j in range(len(kernels))]
        assert [row[2] - row[1] for row in own] == [pytest.approx(time) for time, _ in kernels]
        assert own[0][1] >= at
    assert bench.executor.busy["gpu"] == pytest.approx(sum(t for *_, ks in apps for t, _ in ks))
