"""Command queues: order within a context, turns between contexts, and what queueing theory says of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from simkit import Bench, kernel, step

from socsim.devices.accelerator import CommandQueue, Server
from socsim.simulation.kernelgraph import compress


class Command:
    """Notes when it is started."""

    def __init__(self, name: str, log: list[str], ready: bool = True) -> None:
        self.name, self.log, self.ready = name, log, ready

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
    assert not server.busy


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
