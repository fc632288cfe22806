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
