"""Teams of worker threads on busy cores: exact traces under CFS, in ms.

The toy phone has two big cores (0, 1) and two little ones (2, 3) of half their pace. Its scheduler ticks every 10 ms;
two threads that share a core take turns of 10 ms, and the one that was there first begins.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simkit import GB, MS, Busy, device

FOR_EVER = 1000.0
TRAFFIC = 0.1 * GB
"""Bytes that take 10 ms at 10 GB/s."""


# --- one operator, a competitor on one core -------------------------------------------------------------------


def test_alone_a_team_is_as_fast_as_its_threads() -> None:
    bench = Busy()
    bench.team(30, 10)
    assert bench.ms() == [("net.op0", 0.0, 30.0), ("net.op1", 30.0, 40.0)]
    assert bench.executor.busy["cpu.big"] == pytest.approx(80 * MS)


def test_the_barrier_waits_for_the_worker_that_shares_its_core() -> None:
    """Worker 0 runs from 0 to 10, 20 to 30 and 40 to 45; worker 1 is done at 25 and waits busily."""
    bench = Busy()
    bench.team(25, spin=FOR_EVER)
    bench.loop(0)
    assert bench.ms(45.5) == [("net.op0", 0.0, 45.0)]
    bench.executor.close()
    assert bench.executor.cores.busy("kernel")[:2] == pytest.approx([25 * MS, 45 * MS])
    assert bench.executor.cores.busy("other")[0] == pytest.approx(20.5 * MS)


def test_a_competitor_that_leaves_gives_the_core_back() -> None:
    """Worker 0 runs from 0 to 10 and from 15 on: 15 left."""
    bench = Busy()
    bench.team(25, spin=FOR_EVER)
    bench.loop(0, until=15)
    assert bench.ms() == [("net.op0", 0.0, 30.0)]


def test_a_competitor_that_comes_late() -> None:
    """It runs from the tick at 20 to that at 30."""
    bench = Busy()
    bench.team(25, spin=FOR_EVER)
    bench.loop(0, at=12)
    assert bench.ms() == [("net.op0", 0.0, 35.0)]


def test_competitors_on_other_cores_do_nothing() -> None:
    bench = Busy()
    bench.team(25, 5)
    bench.loop(2)
    bench.loop(2, 3)
    assert bench.ms() == [("net.op0", 0.0, 25.0), ("net.op1", 25.0, 30.0)]


def test_competitors_on_all_cores_stop_all_workers_at_once() -> None:
    """Both workers pause from 10 to 20, in the middle of the seventh operator."""
    bench = Busy()
    bench.team(*[1.5] * 8)
    bench.loop(0)
    bench.loop(1)
    ends = [end for _, _, end in bench.ms()]
    assert ends == [1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 20.5, 22.0]


def test_a_team_of_one_is_a_thread() -> None:
    bench = Busy()
    bench.team(12, 13, team=(0,))
    bench.loop(0)
    assert bench.ms() == [("net.op0", 0.0, 22.0), ("net.op1", 22.0, 45.0)]


def test_little_workers_have_their_own_paces() -> None:
    """Parts are in time of each thread's home: a competitor on the little core delays as one on a big core does."""
    bench = Busy()
    bench.team(25, team=(0, 2), spin=FOR_EVER)
    bench.loop(2)
    assert bench.ms() == [("net.op0", 0.0, 45.0)]


def test_two_networks_share_cores_by_turns() -> None:
    """Both have their workers on the same cores: a until 10, b until 20, a until 25, b until 30."""
    bench = Busy()
    bench.team(15, name="a")
    bench.team(15, name="b", at=1e-6)
    assert {name: end for name, _, end in bench.ms()} == {"a.op0": 25.0, "b.op0": 30.0}


# --- waiting busily, and sleeping -----------------------------------------------------------------------------


def test_a_worker_that_sleeps_leaves_its_core_to_one_that_waits() -> None:
    """Worker 1 is done at 30 and sleeps at 32. Worker 0, waiting since 30 with 10 to do, moves to core 1: until 42."""
    bench = Busy()
    bench.team(30, spin=2)
    bench.loop(0)
    assert bench.ms() == [("net.op0", 0.0, 42.0)]


def test_without_spinning_it_leaves_its_core_at_once() -> None:
    bench = Busy()
    bench.team(30, spin=0)
    bench.loop(0)
    assert bench.ms() == [("net.op0", 0.0, 40.0)]


def test_a_spinning_worker_keeps_its_core_busy() -> None:
    """Core 1 works for 27 ms, of which 2 are waiting."""
    bench = Busy()
    bench.team(25, spin=2)
    bench.loop(0, until=44)
    bench.ms(50)
    bench.executor.close()
    assert bench.executor.cores.busy("kernel")[1] == pytest.approx(27 * MS)


def test_a_worker_that_was_displaced_stays_where_it_woke_up() -> None:
    """At 15 worker 0 moves to core 1 with 5 to do. At the barrier at 20 worker 1 finds both cores busy, and wakes up
    where it was: both workers' 15 ms of the next operator are done on core 1, until 50.
    """
    bench = Busy()
    bench.team(15, 15)
    bench.loop(0)
    assert bench.ms() == [("net.op0", 0.0, 20.0), ("net.op1", 20.0, pytest.approx(50.0, abs=1e-5))]


def test_the_main_thread_is_woken_up_to_go_on() -> None:
    """Worker 0, which is the main thread, is done at 25 and sleeps at 27; worker 1 at 45."""
    bench = Busy()
    bench.team(25, 2, spin=2)
    bench.loop(1)
    assert bench.ms() == [("net.op0", 0.0, 45.0), ("net.op1", 45.0, 47.0)]


def test_the_main_thread_s_core_may_have_been_taken() -> None:
    """It sleeps at 15, worker 1 takes its core with 5 to do; at 20 that one sleeps, and the main thread runs."""
    bench = Busy()
    bench.team(15)
    bench.loop(1)
    assert bench.ms() == [("net.op0", 0.0, 20.0)]


# --- tiles ----------------------------------------------------------------------------------------------------


def test_tiles_are_taken_over_from_a_worker_that_waits() -> None:
    """Three tiles of 8 each. Worker 0 does one and 2 ms of the second by 10. Worker 1 does its three by 24 and the
    third of worker 0 by 32. Worker 0 ends its second at 26 and spins; at 30 it loses its core, until 40.
    """
    bench = Busy()
    bench.team(24, tiles=3, spin=FOR_EVER)
    bench.loop(0)
    assert bench.ms() == [("net.op0", 0.0, 40.0)]


def test_tiles_help_a_worker_on_a_busy_core() -> None:
    """20 ms in 20 tiles: worker 0 does 10 of its own by 10, worker 1 its 20 by 20, both the other 10 by 25."""
    ends = []
    for tiles in (1, 20):
        bench = Busy()
        bench.team(20.2, tiles=tiles, spin=FOR_EVER)
        bench.loop(0)
        ends.append(bench.ms()[0][2])
    assert ends[0] == pytest.approx(40.2)
    assert 25.0 < ends[1] < 27.0


def test_without_competition_tiles_change_nothing() -> None:
    bench = Busy()
    bench.team(24, 8, tiles=3)
    assert bench.ms() == [("net.op0", 0.0, 24.0), ("net.op1", 24.0, 32.0)]


# --- DRAM -----------------------------------------------------------------------------------------------------


def test_a_team_and_the_gpu_share_dram() -> None:
    bench = Busy()
    bench.team(10, traffic=TRAFFIC)
    bench.gpu(10, traffic=TRAFFIC)
    assert bench.ms() == [("gpu.k0", 0.0, 20.0), ("net.op0", 0.0, 20.0)]
    assert bench.executor.dram_bytes == pytest.approx(2 * TRAFFIC)


def test_a_team_that_has_parted_ways_uses_less_dram() -> None:
    """Both have 5 GB/s until 10: 5 of 10 ms are done. Then worker 1 alone uses 5 GB/s, until 15, and nobody until 20:
    the GPU has 25 MB left at 15, until 17.5. Worker 0 ends at 25.
    """
    bench = Busy()
    bench.team(10, traffic=TRAFFIC, spin=FOR_EVER)
    bench.gpu(10, traffic=TRAFFIC)
    bench.loop(0)
    assert bench.ms() == [("gpu.k0", 0.0, 17.5), ("net.op0", 0.0, 25.0)]
    assert bench.executor.dram_bytes == pytest.approx(2 * TRAFFIC)


def test_traffic_of_a_team_that_is_under_way() -> None:
    """At 14: worker 0 has done 10 of 25, worker 1 14 of 25, which is 24/50 of the traffic."""
    bench = Busy()
    bench.team(25, traffic=TRAFFIC, spin=FOR_EVER)
    bench.loop(0)
    bench.ms(14)
    bench.executor.close()
    assert bench.executor.dram_bytes == pytest.approx(TRAFFIC * 24 / 50)


def test_memory_that_is_slow_makes_parts_longer() -> None:
    """A kernel of 10 ms of computing moves its bytes in 25 ms: parts of 25 ms each."""
    bench = Busy(device(4 * GB))
    bench.team(10, traffic=TRAFFIC, spin=FOR_EVER)
    bench.loop(0)
    assert bench.ms() == [("net.op0", 0.0, 45.0)]


# --- whatever happens -----------------------------------------------------------------------------------------

WORKS = st.lists(st.sampled_from([0.3, 1.7, 4.9, 11.3]), min_size=1, max_size=6)


@given(
    WORKS,
    st.sampled_from([0.0, 2e6, 3e7]),
    st.sampled_from([(0,), (0, 1), (1, 2), (0, 1, 2, 3)]),
    st.floats(0, 0.4),
)
@settings(max_examples=40, deadline=None)
def test_batched_equals_step_by_step(works, traffic, team, overhead) -> None:
    def trace(stepwise: bool):
        bench = Busy(stepwise=stepwise)
        bench.team(*works, team=team, traffic=traffic, overhead=overhead * MS)
        return bench.ms()

    assert trace(True) == trace(False)


@given(WORKS, st.lists(st.integers(0, 3), max_size=4), st.sampled_from([0.0, 2.0]), st.sampled_from([1, 4]))
@settings(max_examples=60, deadline=None)
def test_order_time_and_cores_are_respected(works, loops, spin, tiles) -> None:
    """Operators follow each other without gaps, none is faster than alone, no core is busier than time allows."""
    bench = Busy()
    bench.team(*works, spin=spin, tiles=tiles)
    for core in loops:
        bench.loop(core)
    rows = bench.ms(2000)
    bench.executor.close()
    assert [name for name, _, _ in rows] == [f"net.op{i}" for i in range(len(works))]
    assert rows[0][1] == 0.0
    for (_, start, end), work in zip(rows, works, strict=True):
        assert end - start >= work - 1e-6
    assert all(before[2] == after[1] for before, after in pairwise(rows))
    cores = bench.executor.cores
    for core in range(4):
        busy = sum(cores.busy(kind)[core] for kind in ("kernel", "host", "other"))
        assert busy <= 2.0 * (1 + 1e-9)
        if core in loops:
            assert busy == pytest.approx(2.0, abs=1e-6)


@given(WORKS, st.lists(st.integers(0, 1), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_work_is_conserved(works, loops) -> None:
    """Without spinning and with equal paces the workers' CPU time is their work, however often they moved."""
    bench = Busy()
    bench.team(*works)
    for core in loops:
        bench.loop(core)
    bench.ms(2000)
    bench.executor.close()
    assert sum(bench.executor.cores.busy("kernel")) == pytest.approx(2 * sum(works) * MS, abs=1e-8)
