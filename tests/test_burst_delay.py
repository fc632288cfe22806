"""Bursts of single threads, and hand-overs on a busy phone; times in ms under CFS with ticks of 10 ms."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simkit import MS, Busy

from socsim.simulation.burst import Burst
from socsim.simulation.context import Context
from socsim.simulation.kernelgraph import Entry, Step, compress


class Bursts(Busy):
    """A bench that notes ends of bursts, and when a burst got or lost a core."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, float] = {}
        self.told: list[tuple[str, float, bool]] = []

    def burst(self, name: str, work: float, *cores: int, at: float = 0.0, **options) -> None:
        thread = self.executor.cores.thread(name, "other", cores or (0,), **options)

        def begin() -> None:
            Burst(
                self.env, self.executor.cores, thread, work * MS, partial(self._done, name),
                tell=lambda: self.told.append((name, self.now, thread.speed > 0.0)),
            )  # fmt: skip

        self.at(at, begin)

    def _done(self, name: str) -> None:
        self.ends[name] = self.now

    @property
    def now(self) -> float:
        return round(self.env.now / MS, 6)


# --- bursts ---------------------------------------------------------------------------------------------------


def test_a_burst_takes_its_time() -> None:
    bench = Bursts()
    bench.burst("a", 7, at=3)
    bench.ms()
    assert bench.ends == {"a": 10.0}
    assert bench.told == [("a", 3.0, True), ("a", 10.0, False)]


def test_a_burst_of_nothing_ends_where_it_begins() -> None:
    bench = Bursts()
    bench.burst("a", 0, at=3)
    bench.ms()
    assert bench.ends == {"a": 3.0}


def test_a_burst_of_nothing_still_needs_a_core() -> None:
    """A loop is there first; its turn ends at the tick at 10."""
    bench = Bursts()
    bench.loop(0, at=0.0)
    bench.burst("a", 0, at=3)
    bench.ms()
    assert bench.ends == {"a": 10.0}
    assert bench.told == [("a", 3.0, False), ("a", 10.0, True), ("a", 10.0, False)]


def test_a_burst_on_a_slower_core_takes_longer() -> None:
    bench = Bursts()
    bench.burst("home", 7, 2)
    bench.burst("absolute", 7, 3, absolute=True)
    bench.ms()
    assert bench.ends == {"home": 7.0, "absolute": 14.0}


def test_a_burst_waits_and_goes_on() -> None:
    """The loop runs from 10 to 20; the burst has 3 left."""
    bench = Bursts()
    bench.burst("a", 13)
    bench.loop(0)
    bench.ms()
    assert bench.ends == {"a": 23.0}
    assert bench.told == [("a", 0.0, True), ("a", 10.0, False), ("a", 20.0, True), ("a", 23.0, False)]


def test_a_burst_follows_its_clock() -> None:
    """Half the pace from 4 on: 6 more take 12."""
    bench = Bursts()
    bench.burst("a", 10)
    bench.at(4, lambda: bench.executor.cores.queues[0].set_pace(0.5))
    bench.ms()
    assert bench.ends == {"a": 16.0}


def test_a_burst_may_begin_another() -> None:
    bench = Bursts()
    thread = bench.executor.cores.thread("t", "host", (0,))
    run = partial(Burst, bench.env, bench.executor.cores, thread)
    run(2 * MS, lambda: run(3 * MS, partial(bench._done, "second")))
    bench.ms()
    assert bench.ends == {"second": 5.0}


@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.floats(0, 25), st.sampled_from([(0,), (1,), (0, 1)]), st.integers(-5, 5)),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_the_cpu_time_of_bursts_is_their_work(jobs) -> None:
    bench = Bursts()
    for i, (at, work, cores, nice) in enumerate(jobs):
        bench.burst(str(i), work, *cores, at=at, nice=nice)
    bench.ms(5000)
    bench.executor.close()
    assert len(bench.ends) == len(jobs)
    assert sum(bench.executor.cores.busy("other")) == pytest.approx(
        sum(job[1] for job in jobs) * MS, abs=1e-9
    )
    for i, (at, work, _, _) in enumerate(jobs):
        assert bench.ends[str(i)] >= at + work - 1e-5


# --- hand-overs -----------------------------------------------------------------------------------------------


class Handover(Busy):
    """A bench that runs a map of 2 ms, a wait of 1 ms and a map of 3 ms."""

    STEPS = (("map", "gpu", 2.0), ("sync", "cpu", 1.0), ("map", "gpu", 3.0))

    def handover(
        self, *steps: tuple[str, str, float], at: float = 0.0, host_cores=(0,), then: float = 0.0
    ) -> None:
        entries = tuple(
            Entry(kind, kind, target, overhead=ms * MS) for kind, target, ms in steps or self.STEPS
        )
        graph = [Step("", entries, set())]
        context = Context(self.executor, "net", host_cores[0], host_cores=host_cores)
        self.launch(compress(graph), "net", at=at * MS, context=context)


def test_on_an_idle_phone_steps_follow_each_other() -> None:
    bench = Handover()
    bench.handover(at=5)
    assert bench.ms() == [("net.map", 5.0, 7.0), ("net.sync", 7.0, 8.0), ("net.map", 8.0, 11.0)]


def test_on_an_idle_phone_they_keep_no_core_busy() -> None:
    bench = Handover()
    bench.handover()
    bench.ms()
    bench.executor.close()
    assert bench.executor.cores.busy("host") == [0.0] * 4


def test_on_a_busy_phone_mapping_waits_for_a_core() -> None:
    """The loop has the core until the tick at 10; the host maps until 12 and sleeps until 13.

    Its virtual time is then 20, the loop's 21: that is not enough to preempt. It has its turn from the tick at 20.
    """
    bench = Handover()
    bench.loop(0, at=0.0)
    bench.handover(at=3)
    assert bench.ms() == [("net.map", 3.0, 12.0), ("net.sync", 12.0, 20.0), ("net.map", 20.0, 23.0)]
    bench.executor.close()
    assert bench.executor.cores.busy("host")[0] == pytest.approx(5 * MS)


def test_the_cpu_sees_that_it_has_waited_once_it_has_a_core() -> None:
    """Two loops come while the host sleeps for 50: at 53 it wakes up far behind, and preempts at once."""
    bench = Handover()
    bench.loop(0, at=0.0)
    bench.handover(("map", "gpu", 2.0), ("sync", "cpu", 50.0), at=3)
    assert bench.ms() == [("net.map", 3.0, 12.0), ("net.sync", 12.0, 62.0)]


def test_a_host_without_credit_waits_for_its_turn_after_a_sync() -> None:
    """A map of 9.5 brings it from 15 to 24.5 of virtual time, the loop's is 20: after a wait of 0.1 it does not
    preempt, and sees the end of its wait at the next tick, at 30.
    """
    bench = Handover()
    bench.loop(0, at=0.0)
    bench.handover(("map", "gpu", 9.5), ("sync", "cpu", 0.1), at=3)
    assert bench.ms() == [("net.map", 3.0, 19.5), ("net.sync", 19.5, 30.0)]


def test_what_an_accelerator_waits_for_needs_no_core() -> None:
    bench = Handover()
    bench.loop(0, at=0.0)
    bench.handover(("map", "gpu", 9.5), ("sync", "gpu", 0.1), at=3)
    assert bench.ms() == [("net.map", 3.0, 19.5), ("net.sync", 19.5, 19.6)]


def test_one_idle_core_is_enough() -> None:
    bench = Handover()
    bench.loop(0, at=0.0)
    bench.handover(at=3, host_cores=(0, 1))
    assert bench.ms() == [("net.map", 3.0, 5.0), ("net.sync", 5.0, 6.0), ("net.map", 6.0, 9.0)]


def test_helpers_are_used_again() -> None:
    """Two hand-overs one after the other have the same helper, two at a time have two."""
    bench = Handover()
    context = Context(bench.executor, "net", 0)
    first = context.borrow_helper()
    second = context.borrow_helper()
    assert first is not second
    context.give_back(first)
    assert context.borrow_helper() is first
    assert [first.name, second.name] == ["net.host1", "net.host2"]


def test_teams_are_made_once() -> None:
    context = Context(Handover().executor, "net", 0, nice=5)
    team = context.team((0, 2))
    assert context.team((0, 2)) is team
    assert context.team((2, 0)) is not team
    assert [(t.name, t.home, t.allowed, t.weight, t.reference) for t in team] == [
        ("net.worker0", 0, (0, 2), 335, 1.0),
        ("net.worker1", 2, (0, 2), 335, 0.5),
    ]
