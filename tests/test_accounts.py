"""What an executor tells of processors, DRAM and processes while things run; whole instants worked out by hand.

The device of simkit: two big cores, two of half their speed, a GPU and a DSP, 10 GB/s of DRAM.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simkit import GB, Bench, delay, kernel, step

from socsim.devices.threads import Thread
from socsim.simulation.context import Context
from socsim.simulation.executor import Fragment
from socsim.simulation.kernelgraph import compress
from socsim.simulation.processnames import ProcessNames
from socsim.simulation.threadtraffic import ThreadTraffic

LAZY = replace(kernel("k", 3.0), activity=0.5)
"""3 s on the GPU at half of its power."""


def at(bench: Bench, instant: float) -> Bench:
    bench.run(until=instant)
    return bench


# --- accelerators ---------------------------------------------------------------------------------------------


def test_an_accelerator_is_busy_up_to_now_for_who_runs_on_it() -> None:
    bench = Bench()
    bench.launch([step(LAZY)], "a")
    bench.launch([step(kernel("k", 2.0))], "b")
    executor = at(bench, 1.0).executor
    assert executor.busy_by_process("gpu") == {"a": (1.0, 0.5), "b": (0.0, 0.0)}
    assert (executor.busy_times("gpu"), executor.drawn_times("gpu")) == ((1.0, 0.0), (0.5, 0.0))
    at(bench, 4.0)
    assert executor.busy_by_process("gpu") == {"a": (3.0, 1.5), "b": (1.0, 1.0)}
    assert (executor.busy_times("gpu"), executor.drawn_times("gpu")) == ((4.0, 0.0), (2.5, 0.0))
    assert executor.busy_times("dsp") == executor.drawn_times("dsp") == (0.0, 0.0)
    assert bench.run() == [("a.k", 0.0, 3.0), ("b.k", 3.0, 5.0)]


def test_waiting_for_the_host_keeps_no_accelerator_busy() -> None:
    """k is enqueued at 2, l at 4: the GPU runs from 2 to 3 and from 4 to 5."""
    bench = Bench()
    bench.launch([step(kernel("k", 1.0, dispatch=2.0)), step(kernel("l", 1.0, dispatch=2.0))])
    executor, found = bench.executor, []
    for instant in (1.0, 2.5, 3.5, 4.5, 6.0):
        at(bench, instant)
        found.append((executor.busy_times("gpu")[0], executor.busy_times("cpu.big")[1]))
    assert found == [(0.0, 1.0), (0.5, 2.5), (1.0, 3.5), (1.5, 4.0), (2.0, 4.0)]


def test_a_clock_that_changes_between_keeps_what_was() -> None:
    """At half the clock from 1 on, 2 of 3 s take 4."""
    bench = Bench()
    bench.launch([step(LAZY)], "a")
    executor = at(bench, 1.0).executor
    executor.set_speed("gpu", 0.5)
    at(bench, 3.0)
    assert executor.busy_by_process("gpu")["a"] == (3.0, 1.5)
    assert bench.run() == [("a.k", 0.0, 5.0)]
    assert executor.busy_by_process("gpu")["a"] == (5.0, 2.5)


def test_clocks_that_change_within_later_kernels() -> None:
    """l is half done when it slows down to half, and m a quarter when it is fast again."""
    bench = Bench()
    bench.launch([step(kernel(name, 1.0)) for name in "klm"])
    at(bench, 1.5).executor.set_speed("gpu", 0.5)
    at(bench, 3.0).executor.set_speed("gpu", 1.0)
    assert bench.run() == [("a.k", 0.0, 1.0), ("a.l", 1.0, 2.5), ("a.m", 2.5, 3.75)]
    assert bench.executor.busy_times("gpu") == (3.75, 0.0)


def test_changes_while_the_accelerator_waits_for_its_host() -> None:
    """k has run from 2 to 3 and l would be enqueued at 4, but its host has half its clock for the last quarter."""
    bench = Bench()
    bench.launch([step(kernel(name, 1.0, dispatch=2.0)) for name in "kl"])
    at(bench, 3.5).executor.set_speed("gpu", 1.0)
    assert bench.executor.busy_times("gpu") == (1.0, 0.0)
    at(bench, 3.75).executor.cores.set_speed((0, 1), 0.5)
    assert bench.run() == [("a.k", 2.0, 3.0), ("a.l", 4.25, 5.25)]
    assert bench.executor.busy_times("gpu") == (2.0, 0.0)
    assert bench.executor.busy_times("cpu.big") == (0.0, 4.25)


def test_an_accelerator_s_speed_is_its_own() -> None:
    bench = Bench()
    bench.launch([step(kernel("k", 3.0))], "a")
    bench.launch([step(kernel("k", 3.0, on="dsp"))], "b")
    at(bench, 1.0).executor.set_speed("dsp", 0.5)
    assert bench.run() == [("a.k", 0.0, 3.0), ("b.k", 0.0, 5.0)]


def test_closing_books_what_is_under_way_once() -> None:
    bench = Bench()
    bench.launch([step(replace(LAZY, bytes=3.0 * GB))], "a", at=1.0)
    executor = at(bench, 3.0).executor
    told = executor.busy_times("gpu"), executor.drawn_times("gpu"), executor.dram_moved()
    assert told == ((2.0, 0.0), (1.0, 0.0), 2.0 * GB)
    executor.close()
    assert (executor.busy_times("gpu"), executor.drawn_times("gpu"), executor.dram_moved()) == told
    assert executor.busy_by_process("gpu") == {"a": (2.0, 1.0)}
    assert (executor.busy["gpu"], executor.dram_bytes) == (2.0, 2.0 * GB)


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_slow_host_enqueues_at_its_own_pace(stepwise: bool) -> None:
    """2 s of dispatching take a little core 4: kernels of 1 s begin at 4, 8 and 12."""
    bench = Bench(stepwise=stepwise)
    bench.launch([step(kernel(name, 1.0, dispatch=2.0)) for name in "klm"], host=2)
    assert bench.run() == [("a.k", 4.0, 5.0), ("a.l", 8.0, 9.0), ("a.m", 12.0, 13.0)]


# --- cores ----------------------------------------------------------------------------------------------------


def test_cores_of_a_cluster_are_busy_in_sum() -> None:
    bench = Bench()
    bench.launch([step(replace(kernel("k", 4.0, on="cpu"), activity=0.25), team=(0, 1))], "a")
    executor = at(bench, 3.0).executor
    assert executor.busy_times("cpu.big") == (6.0, 0.0)
    assert executor.drawn_times("cpu.big") == (1.5, 0.0)
    assert executor.busy_times("cpu.little") == (0.0, 0.0)
    bench.run()
    assert executor.busy == {"cpu.big": 8.0, "cpu.little": 0.0, "gpu": 0.0, "dsp": 0.0}


def test_the_next_run_of_a_team_draws_as_its_own_kernels_do() -> None:
    bench = Bench()
    for name, activity in (("a", 0.25), ("b", 1.0)):
        entry = replace(kernel(name, 2.0, on="cpu"), activity=activity)
        bench.launch([step(entry, team=(0,))], "app" + name)
    executor = bench.executor
    bench.run()
    assert executor.busy_times("cpu.big")[0] == pytest.approx(4.0)
    assert executor.drawn_times("cpu.big")[0] == pytest.approx(2.0 * 0.25 + 2.0)


def test_hosts_count_where_they_dispatch() -> None:
    """A little core takes 2 s for each second of dispatching."""
    bench = Bench()
    bench.launch([step(kernel("k", 1.0, dispatch=1.5))], "a", host=2)
    executor = at(bench, 2.0).executor
    assert executor.busy_times("cpu.little") == (0.0, 2.0)
    bench.run()
    assert executor.dispatching == {"cpu.big": 0.0, "cpu.little": 3.0}


# --- DRAM -----------------------------------------------------------------------------------------------------


def test_bytes_move_while_a_kernel_s_body_runs() -> None:
    """1 s of overhead, then 4 GB in 2 s; the next kernel moves nothing."""
    bench = Bench()
    bench.launch([step(kernel("k", 2.0, overhead=1.0, traffic=4.0 * GB)), step(kernel("l", 1.0))])
    executor, found = bench.executor, []
    for instant in (0.5, 1.5, 2.0, 3.5, 5.0):
        found.append(at(bench, instant).executor.dram_moved() / GB)
    assert found == pytest.approx([0.0, 1.0, 2.0, 4.0, 4.0])
    assert executor.dram_busy_s() == pytest.approx(0.4)


def test_who_shares_dram_moves_half_as_much() -> None:
    """Two that could use all of 10 GB/s get 5; one of them has 10 GB to move, the other 20."""
    bench = Bench()
    bench.launch([step(kernel("k", 0.0, traffic=10.0 * GB))], "a")
    bench.launch([step(kernel("k", 0.0, traffic=20.0 * GB, on="dsp"))], "b")
    executor = at(bench, 1.0).executor
    assert executor.contended
    assert executor.dram_moved() == pytest.approx(10.0 * GB)
    assert bench.run() == [("a.k", 0.0, 2.0), ("b.k", 0.0, 3.0)]
    assert not executor.contended
    assert (executor.accounts["a"].moved, executor.accounts["b"].moved) == (10.0 * GB, 20.0 * GB)


def test_a_slower_dram_is_busier_with_the_same_bytes() -> None:
    """10 GB at 10 GB/s, and 10 at 5, from 1 s on."""
    bench = Bench()
    bench.launch([step(kernel("k", 0.0, traffic=20.0 * GB))], "a")
    executor = at(bench, 1.0).executor
    executor.set_dram_bandwidth(5.0 * GB)
    assert bench.run() == [("a.k", 0.0, pytest.approx(3.0))]
    assert executor.dram_busy_s() == pytest.approx(3.0)


def test_a_bandwidth_that_nobody_misses_makes_nobody_contend() -> None:
    bench = Bench()
    bench.launch([step(kernel("k", 2.0, traffic=4.0 * GB))], "a")
    executor = at(bench, 1.0).executor
    executor.set_dram_bandwidth(2.0 * GB)
    assert not executor.contended
    executor.set_dram_bandwidth(1.0 * GB)
    assert executor.contended
    assert bench.run() == [("a.k", 0.0, pytest.approx(3.0))]


@given(
    st.lists(st.tuples(st.sampled_from(["gpu", "dsp"]), st.integers(0, 4), st.integers(0, 20)), min_size=1, max_size=5),
    st.lists(st.floats(0.0, 12.0), max_size=4),
)  # fmt: skip
def test_looking_changes_nothing_and_what_is_told_grows(kernels, looks: list[float]) -> None:
    """Accounts never shrink, are never above what there was time for, and end where nobody looked."""

    def bench() -> Bench:
        made = Bench()
        for i, (on, time, traffic) in enumerate(kernels):
            made.launch([step(kernel("k", float(time), on=on, traffic=traffic * GB, overhead=0.25))], f"a{i}")
        return made

    looked, before = bench(), (0.0, 0.0, 0.0)
    for instant in sorted(looks):
        looked.env.run(until=max(instant, looked.env.now + 1e-9))
        executor, now = looked.executor, looked.env.now
        told = (executor.busy_times("gpu")[0], executor.busy_times("dsp")[0], executor.dram_moved())
        assert all(new >= old - 1e-6 * (1.0 + old) for new, old in zip(told, before, strict=True))
        assert max(told[:2]) <= now + 1e-9
        assert told[2] <= 10.0 * GB * now * (1.0 + 1e-9)
        assert told[0] == pytest.approx(sum(busy for busy, _ in executor.busy_by_process("gpu").values()))
        before = told
    alone = bench()
    assert looked.run() == alone.run()
    for name in ("gpu", "dsp"):
        assert looked.executor.busy_times(name) == alone.executor.busy_times(name)
    assert alone.executor.dram_moved() == sum(traffic * GB for *_, traffic in kernels)


# --- threads that move bytes ----------------------------------------------------------------------------------


def moving(bench: Bench, *traffic: float) -> tuple[ThreadTraffic, list[Thread]]:
    """Threads of one process, one on each core, that move so many GB/s, and what stands for them at DRAM."""
    cores = bench.executor.cores
    threads = [cores.thread(f"p.{i}", "other", (i,)) for i in range(len(traffic))]
    for thread, flow in zip(threads, traffic, strict=True):
        thread.traffic = flow * GB
    user = ThreadTraffic(bench.executor, threads)
    for thread in threads:
        thread.on_change = user.changed
    return user, threads


def test_threads_move_bytes_while_they_have_a_core() -> None:
    """2 GB/s of each from their waking on: 1 s of the first alone, 2 s of both, 1 s of the second."""
    bench = Bench()
    user, (first, second) = moving(bench, 2.0, 2.0)
    executor, cores = bench.executor, bench.executor.cores
    user.join()
    assert (user.peak_demand, user.demand, user.moves_bytes) == (4.0 * GB, 0.0, False)
    cores.wake(first)
    at(bench, 1.0)
    assert executor.dram_moved() == pytest.approx(2.0 * GB)
    cores.wake(second)
    assert user.demand == 4.0 * GB
    at(bench, 3.0)
    cores.sleep(first)
    user.changed()
    at(bench, 4.0)
    assert executor.dram_moved() == pytest.approx(12.0 * GB)
    user.leave()
    at(bench, 9.0)
    assert executor.dram_moved() == executor.accounts["p"].moved == pytest.approx(12.0 * GB)


def test_threads_slow_kernels_down_and_are_slowed_down() -> None:
    """They ask for 8 GB/s, a kernel for 10: 5 each for 4 s, in which it moves its 20 GB."""
    bench = Bench()
    user, (thread,) = moving(bench, 8.0)
    user.join()
    bench.executor.cores.wake(thread)
    bench.launch([step(kernel("k", 0.0, traffic=20.0 * GB))], "a")
    assert at(bench, 2.0).executor.accounts["p"].moved + user.bytes_until_now() == pytest.approx(10.0 * GB)
    assert user.share == pytest.approx(5.0 * GB)
    at(bench, 5.0)
    assert bench.trace == [("a.k", 0.0, pytest.approx(4.0))]
    assert bench.executor.accounts["p"].moved + user.bytes_until_now() == pytest.approx((20.0 + 8.0) * GB)


def test_threads_that_lose_their_cores_leave_dram_to_others() -> None:
    """5 GB each until 1 s, then the kernel's other 15 at 10 GB/s."""
    bench = Bench()
    user, (thread,) = moving(bench, 8.0)
    user.join()
    cores = bench.executor.cores
    cores.wake(thread)
    bench.launch([step(kernel("k", 0.0, traffic=20.0 * GB))], "a")
    at(bench, 1.0)
    cores.sleep(thread)
    user.changed()
    at(bench, 9.0)
    assert bench.trace == [("a.k", 0.0, pytest.approx(2.5))]


def test_threads_that_leave_give_their_share_back_and_may_come_again() -> None:
    """5 GB/s each until 1 s, when they leave; from 2.5 s on, when the kernel is done, they move 8 again for 1 s."""
    bench = Bench()
    user, (thread,) = moving(bench, 8.0)
    user.join()
    bench.executor.cores.wake(thread)
    bench.launch([step(kernel("k", 0.0, traffic=20.0 * GB))], "a")
    at(bench, 1.0)
    user.leave()
    at(bench, 2.75)
    assert bench.trace == [("a.k", 0.0, pytest.approx(2.5))]
    assert bench.executor.accounts["p"].moved == pytest.approx(5.0 * GB)
    user.join()
    user.changed()
    assert at(bench, 3.75).executor.dram_moved() == pytest.approx((20.0 + 5.0 + 8.0) * GB)


def test_threads_without_traffic_take_no_part() -> None:
    bench = Bench()
    user, (thread,) = moving(bench, 0.0)
    user.join()
    bench.executor.cores.wake(thread)
    at(bench, 1.0)
    user.leave()
    assert bench.executor.dram_moved() == 0.0
    assert not user.moves_bytes


# --- contexts -------------------------------------------------------------------------------------------------


def test_helpers_are_lent_again() -> None:
    executor = Bench().executor
    context = Context(executor, "a", 1, host_cores=(1, 2), nice=3)
    first, second = context.borrow_helper(), context.borrow_helper()
    assert [(h.name, h.home, h.allowed, h.kind) for h in (first, second)] == [
        ("a.host1", 1, (1, 2), "host"), ("a.host2", 1, (1, 2), "host")
    ]  # fmt: skip
    context.give_back(first)
    assert context.borrow_helper() is first
    assert context.borrow_helper() not in (first, second)


def test_workers_are_made_once_for_each_team_at_home_on_its_cores() -> None:
    context = Context(Bench().executor, "a", 0)
    team = context.team((2, 0))
    assert [(worker.home, worker.allowed) for worker in team] == [(2, (2, 0)), (0, (2, 0))]
    assert context.team((2, 0)) is team
    assert context.team((0, 2)) is not team


def test_runnable_counts_workers_and_helpers_that_are_awake() -> None:
    executor = Bench().executor
    context, other = Context(executor, "a", 0), Context(executor, "b", 0)
    workers, helper = context.team((0, 1)), context.borrow_helper()
    for thread in (*workers, helper):
        executor.cores.wake(thread)
    assert (context.runnable, other.runnable) == (3, 0)
    executor.cores.sleep(helper)
    assert context.runnable == 2


def test_a_core_is_idle_where_helpers_may_go() -> None:
    executor = Bench().executor
    context = Context(executor, "a", 0, host_cores=(0, 1))
    threads = [executor.cores.thread(f"t{i}", "other", (i,)) for i in (0, 1)]
    assert context.idle_core()
    executor.cores.wake(threads[0])
    assert context.idle_core()
    executor.cores.wake(threads[1])
    assert not context.idle_core()


# --- names ----------------------------------------------------------------------------------------------------


def test_every_process_has_its_name_and_tells_whose_it_is() -> None:
    names = ProcessNames(["net", "rival"])
    added = [
        names.add("rival", "load", "competitor"),
        names.add("rival", "load", "competitor"),
        names.add("net", "net", "video"),
        names.add("ui", "ui", "ui"),
        names.add("rival", "recorded", "replay"),
    ]
    assert added == ["rival-2", "rival-3", "net-2", "ui", "rival-4"]
    assert names.processes == {
        "net": ("net", "inference"),
        "rival": ("rival", "inference"),
        "rival-2": ("load", "competitor"),
        "rival-3": ("load", "competitor"),
        "net-2": ("net-2", "video"),
        "ui": ("ui", "ui"),
        "rival-4": ("recorded", "replay"),
    }


# --- delays ---------------------------------------------------------------------------------------------------


def test_a_delay_that_began_earlier_ends_earlier() -> None:
    """A hand-over of 3 s since 1 s before its launch at 2, and one that was over long ago."""
    bench, graph = Bench(), compress([delay(3.0), step(kernel("k", 1.0), {0})])
    context = Context(bench.executor, "a", 0)
    ends: list[float] = []

    def launch(event: object, since: float) -> None:
        fragment = Fragment(graph, "a", 0, context, lambda _: ends.append(bench.env.now), since={0: since})
        bench.executor.launch(fragment)

    for since in (1.0, -5.0):
        bench.env.timeout(2.0).callbacks.append(lambda event, since=since: launch(event, since))
    assert bench.run() == [("a.d", -5.0, -2.0), ("a.d", 1.0, 4.0), ("a.k", 4.0, 5.0), ("a.k", 5.0, 6.0)]
    assert ends == [5.0, 6.0]
