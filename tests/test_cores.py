"""CPU cores: who shares what, how fast that makes everyone, and who is told."""

from __future__ import annotations

import numpy as np
import pytest
import simpy
from corekit import toy
from simkit import Bench, kernel, step

from socsim.devices.cpu import Cores
from socsim.simulation.kernelgraph import compress


class Thread:
    """Counts how often it is told that its speed may have changed."""

    def __init__(self) -> None:
        self.told = 0

    def replan(self) -> None:
        self.told += 1


@pytest.fixture
def cores() -> Cores:
    """Cores 0 and 1 are big (2 operations/s), 2 and 3 little (1 operation/s)."""
    return Cores(simpy.Environment(), toy())


def test_alone_at_the_highest_clock_everyone_runs_at_full_speed(cores: Cores) -> None:
    cores.enter(Thread(), (0, 2))
    assert cores.rate((0, 2), (1.0, 1.0)) == 1.0


def test_a_host_thread_is_slower_on_a_little_core(cores: Cores) -> None:
    cores.enter(Thread(), (0, 2))
    assert cores.host_rate(0) == 1.0
    assert cores.host_rate(2) == 0.5


def test_threads_on_one_core_share_it_equally(cores: Cores) -> None:
    for _ in range(4):
        cores.enter(Thread(), (0,))
    assert cores.rate((0,), (1.0,)) == 0.25
    assert cores.host_rate(0) == 0.25


def test_the_slowest_thread_decides_at_the_barrier(cores: Cores) -> None:
    cores.enter(Thread(), (0, 1))
    cores.enter(Thread(), (1,))
    assert cores.rate((0, 1), (1.0, 1.0)) == 0.5


def test_a_thread_with_half_the_time_to_go_can_lose_half_its_core(cores: Cores) -> None:
    """Equal parts on a big and a little core: the big one is done in half the time and may be shared by two."""
    cores.enter(Thread(), (0, 2))
    cores.enter(Thread(), (0,))
    assert cores.rate((0, 2), (0.5, 1.0)) == 1.0
    cores.enter(Thread(), (0,))
    assert cores.rate((0, 2), (0.5, 1.0)) == pytest.approx(2 / 3)


def test_a_lower_clock_slows_kernels_and_dispatches(cores: Cores) -> None:
    cores.enter(Thread(), (0, 2))
    cores.speed[0] = 0.25
    assert cores.rate((0,), (1.0,)) == 0.25
    assert cores.host_rate(0) == 0.25
    assert cores.rate((2,), (1.0,)) == 1.0


def test_those_who_share_a_core_are_told_once(cores: Cores) -> None:
    first, second, apart = Thread(), Thread(), Thread()
    cores.enter(first, (0, 1))
    cores.enter(apart, (2,))
    assert (first.told, apart.told) == (0, 0)
    cores.enter(second, (0, 1))
    assert (first.told, second.told, apart.told) == (1, 0, 0)
    cores.leave(second, (0, 1))
    assert (first.told, second.told, apart.told) == (2, 0, 0)


def test_leaving_gives_the_core_back(cores: Cores) -> None:
    first, second = Thread(), Thread()
    cores.enter(first, (0,))
    cores.enter(second, (0,))
    cores.leave(first, (0,))
    assert cores.rate((0,), (1.0,)) == 1.0


# --- against theory -------------------------------------------------------------------------------------------


def test_mean_time_of_a_processor_sharing_queue() -> None:
    """Poisson arrivals of 1 s on one core: service / (1 - load), whatever the distribution of service."""
    load, jobs = 0.5, 3000
    times = np.cumsum(np.random.default_rng(3).exponential(1.0 / load, jobs))
    bench = Bench()
    graph = compress([step(kernel("x", 1.0, on="cpu"), team=(0,))])
    for i, time in enumerate(times):
        bench.launch(graph, str(i), at=float(time))
    bench.run()
    assert np.mean([end - start for _, start, end in bench.trace]) == pytest.approx(
        1.0 / (1.0 - load), rel=0.1
    )


def test_sharing_conserves_work() -> None:
    """Three jobs of 1, 2 and 3 s on one core: all done at 6, the shorter ones earlier.

    One third each until the first has its second (3 s), half each until the second has its (5 s), then alone.
    """
    bench = Bench()
    for name, time in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        bench.launch([step(kernel("x", time, on="cpu"), team=(0,))], name)
    bench.run()
    assert dict(bench.done) == {"a": pytest.approx(3.0), "b": pytest.approx(5.0), "c": pytest.approx(6.0)}


def test_a_shared_core_is_busy_once() -> None:
    """Two jobs of 2 s share one core from 0 to 4: it is busy for 4 s, not 8."""
    bench = Bench()
    for name in "ab":
        bench.launch([step(kernel("x", 2.0, on="cpu"), team=(0,))], name)
    bench.run()
    assert bench.executor.busy["cpu.big"] == pytest.approx(4.0)
