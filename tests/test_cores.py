"""CPU cores: who shares what, how fast that makes everyone, and who is told."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import simpy
from corekit import toy
from hypothesis import given
from hypothesis import strategies as st
from simkit import Bench, kernel, step

from socsim.devices.cfs import CfsParameters
from socsim.devices.cpu import Cores
from socsim.devices.threads import Thread
from socsim.simulation.burst import Burst
from socsim.simulation.kernelgraph import compress


class Crew:
    """Threads on the toy phone (cores 0 and 1: 2 operations/s, 2 and 3: 1), and a log of who held which core when."""

    def __init__(self, policy="cfs", rules: CfsParameters | None = None) -> None:
        self.env = simpy.Environment()
        self.cores = Cores(self.env, toy(), policy=policy, rules=rules)
        self.log: list[tuple[str, int, float, float]] = []
        self._since: dict[str, float] = {}

    def thread(self, name: str, *allowed: int, **options) -> Thread:
        return self.cores.thread(name, "kernel", allowed, **options)

    def loop(self, *threads: Thread, at: float = 0.0) -> None:
        """Threads that never sleep from an instant on."""
        for thread in threads:
            thread.on_change = partial(self._changed, thread)
            self._at(at, partial(self.cores.wake, thread))

    def burst(self, thread: Thread, work: float, at: float = 0.0, done=lambda: None) -> None:
        """A thread that has `work` s to do at an instant."""

        def begin() -> None:
            start = self.env.now
            Burst(self.env, self.cores, thread, work, lambda: self._note(thread, start, done))

        self._at(at, begin)

    def _note(self, thread: Thread, start: float, done) -> None:
        self.log.append((thread.name, thread.core, start, self.env.now))
        done()

    def _at(self, time: float, action) -> None:
        self.env.timeout(time).callbacks.append(lambda _: action())

    def _changed(self, thread: Thread) -> None:
        if thread.speed and thread.name not in self._since:
            self._since[thread.name] = self.env.now
        elif not thread.speed and thread.name in self._since:
            self.log.append((thread.name, thread.core, self._since.pop(thread.name), self.env.now))

    def run(self, until: float | None = None) -> list[tuple[str, int, float, float]]:
        self.env.run(until=until)
        return [(name, core, round(start, 9), round(end, 9)) for name, core, start, end in self.log]


MS = 1e-3


# --- turns ----------------------------------------------------------------------------------------------------


def test_two_threads_on_one_core_take_turns_of_a_tick() -> None:
    """Slices of 5 ms (half of the latency) end on the next tick: 10 ms each."""
    crew = Crew()
    crew.loop(crew.thread("a", 0), crew.thread("b", 0))
    assert crew.run(0.045) == [
        ("a", 0, 0.0, 0.01), ("b", 0, 0.01, 0.02), ("a", 0, 0.02, 0.03), ("b", 0, 0.03, 0.04)
    ]  # fmt: skip


def test_a_finer_tick_makes_slices_as_long_as_they_should_be() -> None:
    """With a tick of 1 ms: more than 5 ms, so 6 ms by turns."""
    crew = Crew(rules=CfsParameters(tick=1 * MS))
    crew.loop(crew.thread("a", 0), crew.thread("b", 0))
    assert crew.run(0.0245) == [
        ("a", 0, 0.0, 0.006), ("b", 0, 0.006, 0.012), ("a", 0, 0.012, 0.018), ("b", 0, 0.018, 0.024)
    ]  # fmt: skip


def test_alone_a_thread_costs_no_events() -> None:
    crew = Crew()
    crew.loop(crew.thread("a", 0))
    crew.env.run(until=0.001)
    crew.env.run()
    assert crew.env.now == 0.001


def test_a_burst_that_shares_a_core_is_preempted_at_the_tick() -> None:
    """a needs 15 ms, b 4 ms, both from 0: a until the tick at 10, b until 14, a's rest until 19."""
    crew = Crew()
    crew.burst(crew.thread("a", 0), 15 * MS)
    crew.burst(crew.thread("b", 0), 4 * MS)
    assert crew.run() == [("b", 0, 0.0, 0.014), ("a", 0, 0.0, 0.019)]


@pytest.mark.parametrize("nice", [-5, 0, 3])
def test_shares_of_a_core_follow_the_weights(nice: int) -> None:
    crew = Crew()
    heavy, light = crew.thread("heavy", 0, nice=nice), crew.thread("light", 0, nice=5)
    crew.loop(heavy, light)
    crew.env.run(until=200.0)
    crew.cores.close()
    total = heavy.weight + light.weight
    ran = heavy.vruntime * heavy.weight / 1024 / 200.0
    assert ran == pytest.approx(heavy.weight / total, rel=0.01)


@given(st.lists(st.integers(-8, 8), min_size=2, max_size=5))
def test_cfs_is_fair_in_the_long_run(nices: list[int]) -> None:
    """Everybody's CPU time is within 1 % of the whole of its share by weight."""
    crew = Crew()
    threads = [crew.thread(str(i), 1, nice=nice) for i, nice in enumerate(nices)]
    crew.loop(*threads)
    crew.env.run(until=60.0)
    crew.cores.close()
    ends = [thread.vruntime for thread in threads]
    total = sum(thread.weight for thread in threads)
    start = [CfsParameters().debited(1, t.weight, t.weight, 0.0) for t in threads]
    for thread, end, debit in zip(threads, ends, start, strict=True):
        ran = (end - debit) * thread.weight / 1024
        assert ran == pytest.approx(60.0 * thread.weight / total, abs=0.6)


# --- waking up ------------------------------------------------------------------------------------------------


def test_a_thread_that_slept_preempts_at_once() -> None:
    """Its vruntime is set 5 ms behind the running one's: more than the wake-up granularity of 2 ms."""
    crew = Crew()
    sleeper = crew.thread("sleeper", 0)
    crew.burst(sleeper, 1 * MS, at=0.0)
    crew.loop(crew.thread("loop", 0), at=0.5 * MS)
    crew.burst(sleeper, 1 * MS, at=0.1234)
    rows = [row for row in crew.run(0.2) if row[0] == "sleeper"]
    assert rows[1] == ("sleeper", 0, 0.1234, 0.1244)


def test_a_thread_that_slept_too_little_waits_for_the_tick() -> None:
    """b, placed 5 ms behind at first, runs from 10 to 19 ms: its vruntime is 14 ms, a's at 19.5 ms is 10.5 ms.

    It does not preempt. a's slice ends at 24 ms, its turn at the tick at 30 ms.
    """
    crew = Crew()
    a, b = crew.thread("a", 0), crew.thread("b", 0)
    crew.loop(a)
    crew.burst(b, 9 * MS, at=1e-9)
    crew.burst(b, 1 * MS, at=19.5 * MS)
    rows = [row for row in crew.run(0.05) if row[0] == "b"]
    assert [row[3] for row in rows] == [pytest.approx(0.019), pytest.approx(0.031)]


def test_the_wake_up_granularity_decides() -> None:
    """With one of 6 ms the credit of 5 ms is not enough: the sleeper waits for the tick at 130 ms."""
    crew = Crew(rules=CfsParameters(wakeup_granularity=6 * MS))
    sleeper = crew.thread("sleeper", 0)
    crew.burst(sleeper, 1 * MS)
    crew.loop(crew.thread("loop", 0), at=0.5 * MS)
    crew.burst(sleeper, 1 * MS, at=0.1234)
    rows = [row for row in crew.run(0.2) if row[0] == "sleeper"]
    assert rows[1] == ("sleeper", 0, 0.1234, 0.131)


# --- which core -----------------------------------------------------------------------------------------------


def test_a_thread_takes_its_home_when_it_is_idle_and_another_core_when_it_is_not() -> None:
    crew = Crew()
    crew.loop(crew.thread("first", 0, 1, 2, home=1), crew.thread("second", 0, 1, 2, home=1))
    crew.env.run(until=0.001)
    assert crew.cores.queues[1].runnable == crew.cores.queues[0].runnable == 1


def test_a_core_that_becomes_idle_takes_over_who_waits_elsewhere() -> None:
    """a and b are on core 0, c on core 1 for 3 ms: then core 1 takes b."""
    crew = Crew()
    crew.loop(crew.thread("a", 0), at=0.0)
    crew.burst(crew.thread("c", 1), 3 * MS)
    crew.loop(crew.thread("b", 0, 1, home=0), at=1 * MS)
    crew.env.run(until=0.1)
    crew.cores.close()
    assert [q.runnable for q in crew.cores.queues[:2]] == [1, 1]
    assert crew.cores.busy("kernel")[1] == pytest.approx(0.1)


def test_run_queues_are_balanced_from_time_to_time() -> None:
    """Three threads wake up on core 0, their home, before the look at 128 ms moves one to core 1."""
    crew = Crew()
    crew.loop(crew.thread("pinned", 1))
    crew.loop(*(crew.thread(str(i), 0, home=0) for i in range(2)))
    crew.loop(crew.thread("free", 0, 1, home=0), crew.thread("free2", 0, 1, home=0))
    crew.env.run(until=0.2)
    assert [q.runnable for q in crew.cores.queues[:2]] == [3, 2]


def test_a_slower_core_makes_work_longer() -> None:
    """10 ms of the home core's time on a core of half its speed."""
    crew = Crew()
    crew.loop(crew.thread("busy", 0))
    crew.burst(crew.thread("a", 0, 2, home=0), 10 * MS)
    assert crew.run(0.05)[0] == ("a", 2, 0.0, 0.02)


def test_a_thread_takes_its_lead_along_to_another_core() -> None:
    """Virtual time runs three times as slowly on core 1, beside a heavy thread: only the lead means anything there."""
    crew = Crew()
    moved = crew.thread("moved", 0, 1)
    crew.loop(moved, crew.thread("stays", 0), crew.thread("other", 1, nice=-5))
    crew.env.run(until=0.095)
    old, new = crew.cores.queues[:2]
    assert moved in old.waiting
    crew.cores.close()
    lead = moved.vruntime - old.least_vruntime
    crew.cores._move(moved, 1)
    assert moved.core == 1
    assert old.least_vruntime != pytest.approx(new.least_vruntime, abs=MS)
    assert moved.vruntime - new.least_vruntime == pytest.approx(lead)


@pytest.mark.parametrize("last", [0, 1])
def test_who_wakes_up_elsewhere_counts_from_that_core_s_virtual_time(last: int) -> None:
    """A sleeper is forgiven half a period (5 ms) where it wakes up, not where it slept."""
    crew = Crew()
    sleeper = crew.thread("sleeper", last, 1 - last)
    crew.burst(sleeper, 1 * MS)
    crew.loop(crew.thread("a", last), at=2 * MS)
    crew.env.run(until=0.05)
    crew.cores.wake(sleeper)
    assert sleeper.core == 1 - last
    crew.cores.close()
    assert sleeper.vruntime >= crew.cores.queues[1 - last].least_vruntime - crew.cores.rules.sleeper_credit


def test_all_cores_of_a_cluster_take_a_share_of_their_highest_clock() -> None:
    """Big cores at half of 2, little ones at all of 1; work of 8 ms is counted in time of the fastest core."""
    crew = Crew()
    threads = [crew.thread(str(core), core, absolute=True) for core in range(4)]
    for thread in threads:
        crew.burst(thread, 8 * MS)
    crew._at(4 * MS, lambda: crew.cores.set_speed((0, 1), 0.5))
    assert sorted(crew.run()) == [
        ("0", 0, 0.0, 0.012), ("1", 1, 0.0, 0.012), ("2", 2, 0.0, 0.016), ("3", 3, 0.0, 0.016)
    ]  # fmt: skip


# --- what is counted ------------------------------------------------------------------------------------------


def test_idle_cores_are_told_with_how_long_they_have_been_idle() -> None:
    crew = Crew()
    crew.burst(crew.thread("a", 0), 10 * MS)
    crew.env.run(until=0.005)
    assert not crew.cores.any_idle([0])
    assert crew.cores.any_idle([0, 1])
    assert (crew.cores.idle_time(0), crew.cores.runnable) == (0.0, 1)
    crew.env.run(until=0.025)
    assert crew.cores.idle_time(0) == pytest.approx(0.015)
    assert (crew.cores.any_idle([0]), crew.cores.runnable) == (True, 0)


def test_watchers_hear_of_waking_sleeping_coming_and_leaving() -> None:
    """b waits on core 0 until core 1, from which `first` goes to sleep, takes it over."""
    crew = Crew()
    told: list[tuple[int, float]] = []
    crew.cores.watch((0, 1), lambda core: told.append((core, round(crew.env.now, 6))))
    crew.burst(crew.thread("first", 1), 1 * MS)
    crew.loop(crew.thread("a", 0))
    crew.loop(crew.thread("b", 0, 1, home=0), at=0.5 * MS)
    crew.burst(crew.thread("unwatched", 2), 1 * MS)
    crew.env.run(until=0.002)
    came, pulled = [(1, 0.0), (0, 0.0), (0, 0.0005)], [(0, 0.001), (1, 0.001)]
    assert told == [*came, *pulled, (1, 0.001)]


def test_wake_ups_from_input_and_output_are_counted_by_core() -> None:
    crew = Crew()
    for core, waits in ((0, True), (1, False), (2, True)):
        thread = crew.thread(str(core), core)
        thread.iowait = waits
        crew.burst(thread, 1 * MS)
        crew.burst(thread, 1 * MS, at=5 * MS)
    crew.run()
    assert crew.cores.waited == [2, 0, 2, 0]


# --- ideal processor sharing ----------------------------------------------------------------------------------


def test_ideal_sharing_gives_everyone_its_share_at_every_instant() -> None:
    crew = Crew("processor_sharing")
    a, b = crew.thread("a", 0), crew.thread("b", 0, nice=5)
    crew.loop(a, b)
    crew.env.run(until=0.001)
    assert (a.share, b.share) == (1024 / (1024 + 335), 335 / (1024 + 335))
    assert a.speed == a.share


def test_a_lower_clock_slows_who_runs_there_and_tells() -> None:
    crew = Crew("processor_sharing")
    a = crew.thread("a", 0)
    crew.burst(a, 10 * MS)
    crew._at(2 * MS, lambda: crew.cores.queues[0].set_pace(0.25))
    assert crew.run() == [("a", 0, 0.0, 0.034)]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), min_size=1, max_size=6), st.booleans())
def test_no_core_idles_while_somebody_waits(jobs: list[tuple[int, int]], fair: bool) -> None:
    """Work in whole ms on one core under both policies: all of it is done, at the instant at which it can be."""
    crew = Crew("cfs" if fair else "processor_sharing")
    for i, (at, work) in enumerate(jobs):
        crew.burst(crew.thread(str(i), 0), work * MS, at=at * MS)
    rows = crew.run()
    assert len(rows) == len(jobs)
    end = 0.0
    for at, work in sorted(jobs):
        end = max(end, at * MS) + work * MS
    assert max(row[3] for row in rows) == pytest.approx(end, abs=1e-8)
    assert crew.cores.busy("kernel")[0] == pytest.approx(sum(work for _, work in jobs) * MS)


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
