"""Energy-aware placement in time: exact traces, invariants, and how it is chosen; times in ms where not in s.

The phone: cores 0 and 1 of capacity 1024 and 4 W, 2 and 3 of half of that and 1 W; ticks of 10 ms.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import simpy
from corekit import toy
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.devices.cfs import CfsParameters
from socsim.devices.cpu import Cores
from socsim.devices.device import Device, PowerModel
from socsim.devices.pelt import ThreadLoad, decayed, time_until
from socsim.devices.profile import load_device
from socsim.devices.runqueue import FairQueue
from socsim.devices.threads import Thread
from socsim.devices.tracked import TrackedFairQueue, TrackedQueue, TrackedSharedQueue
from socsim.errors import FileError, UnknownNameError
from socsim.experiments import load_experiment
from socsim.simulation.burst import Burst

MS = 1e-3
EAS = CfsParameters(placement="eas")
ALL = (0, 1, 2, 3)


def phone() -> Device:
    big, little = toy().clusters
    return replace(
        toy(), clusters=(replace(big, power=PowerModel(4.0)), replace(little, power=PowerModel(1.0)))
    )


class Crew:
    """Threads on the phone, and a log (name, core, start, end) of who held which core when."""

    def __init__(self, rules: CfsParameters = EAS, policy="cfs", device: Device | None = None) -> None:
        self.env = simpy.Environment()
        self.cores = Cores(self.env, device or phone(), policy=policy, rules=rules)
        self.log: list[tuple[str, int, float, float]] = []
        self.finished: list[tuple[str, float]] = []
        self.held: dict[str, tuple[int, float]] = {}

    def queue(self, core: int) -> TrackedQueue:
        queue = self.cores.queues[core]
        assert isinstance(queue, TrackedQueue)
        return queue

    def thread(self, name: str, *allowed: int, last: int = -1, used: float = 0.0, **options) -> Thread:
        """A thread; with `last` it has run there before, and `used` so much of capacity."""
        thread = self.cores.thread(name, "kernel", allowed or ALL, absolute=True, **options)
        if last >= 0:
            thread.core, queue = last, self.queue(last)
            thread.load = ThreadLoad(used, self.env.now)
            thread.load.where = queue
            thread.load.sleeps(self.env.now)
            queue.settle()
            queue._average += used
        return thread

    def burst(self, thread: Thread, work: float, at: float = 0.0, then=lambda: None) -> None:
        """`work` ms of a core of 1024 at an instant in ms."""

        def done() -> None:
            self._note(thread)
            self.finished.append((thread.name, round(self.env.now / MS, 6)))
            then()

        def begin(event=None) -> None:
            Burst(self.env, self.cores, thread, work * MS, done, tell=partial(self._note, thread))

        self.env.timeout(at * MS).callbacks.append(begin)

    def periodic(self, thread: Thread, work: float, period: float, at: float = 0.0) -> None:
        """`work` ms every `period` ms."""
        again = partial(self.periodic, thread, work, period, period - work)
        self.burst(thread, work, at, again)

    def _note(self, thread: Thread) -> None:
        assert thread.core in thread.allowed
        now, held = round(self.env.now / MS, 6), self.held.pop(thread.name, None)
        if held is not None and now > held[1]:
            self.log.append((thread.name, *held, now))
        if thread.runnable and thread.speed:
            self.held[thread.name] = (thread.core, now)

    def run(self, until: float | None = None) -> list[tuple[str, int, float, float]]:
        self.env.run(until=None if until is None else until * MS)
        return self.log


# --- waking up ------------------------------------------------------------------------------------------------


def test_a_new_thread_begins_on_the_fastest_core_as_if_it_used_half_of_it() -> None:
    crew = Crew()
    crew.burst(crew.thread("a"), 5)
    crew.run(0.0001)
    assert crew.queue(0).usage().average == pytest.approx(512, abs=0.01)
    assert crew.run(100) == [("a", 0, 0.0, 5.0)]


def test_a_light_thread_ends_up_on_a_little_core() -> None:
    """1 ms of every 40: what is remembered of it falls by quarters, 523, 452, 369, and below 409 it fits."""
    crew = Crew()
    crew.periodic(crew.thread("a"), 1, 40)
    rows = crew.run(1000)
    assert [row[1] for row in rows[:4]] == [0, 0, 0, 2]
    assert {row[1] for row in rows[3:]} == {2}
    assert rows[5][3] - rows[5][2] == pytest.approx(2.0)


def test_balancing_leaves_it_on_the_big_one() -> None:
    crew = Crew(CfsParameters())
    crew.periodic(crew.thread("a"), 1, 40)
    assert {row[1] for row in crew.run(1000)} == {0}


def test_light_threads_share_a_core_while_others_idle() -> None:
    """A thread of 100 wakes on core 2, its last one, while another runs there: elsewhere costs more, it waits."""
    crew = Crew()
    crew.burst(crew.thread("a", 2, last=2, used=100), 2)
    crew.burst(crew.thread("b", 2, 0, last=2, used=100), 2, at=1)
    crew.run(100)
    assert dict(crew.finished) == {"a": 4.0, "b": 8.0}


def test_an_idle_core_takes_nobody_over_while_there_is_capacity_to_spare() -> None:
    """b waits on core 2 while core 0 becomes idle: energy counts."""
    crew = Crew()
    crew.burst(crew.thread("c", 0, last=0, used=50), 2)
    crew.burst(crew.thread("a", 2, last=2, used=100), 4)
    crew.burst(crew.thread("b", 2, 0, last=2, used=100), 2, at=1)
    crew.run(100)
    assert dict(crew.finished)["b"] == 12.0


def test_once_a_core_is_used_beyond_80_percent_load_counts() -> None:
    """As before, but core 1 uses 900 of 1024: b takes an idle core, the fastest."""
    crew = Crew()
    crew.burst(crew.thread("hog", 1, last=1, used=900), 50)
    crew.burst(crew.thread("a", 2, last=2, used=100), 4)
    crew.burst(crew.thread("b", 2, 0, last=2, used=100), 2, at=1)
    assert ("b", 0, 1.0, 3.0) in crew.run(100)


def test_who_waits_is_taken_over_at_the_tick_after_a_core_has_become_too_full() -> None:
    """a and b have used 200 of core 2 and run there in turns of 6; 80 % of its 512 are used after 51.4, in b's turn."""
    crew = Crew(replace(EAS, tick=1 * MS))
    crew.burst(crew.thread("a", 2, 3, last=2, used=100), 400)
    crew.burst(crew.thread("b", 2, last=2, used=100), 400, at=1)
    assert time_until(200.0, 0.8 * 512, 512.0) == pytest.approx(51.4 * MS, abs=0.1 * MS)
    crew.run(100)
    assert crew.log[-1] == ("a", 2, 42.0, 48.0)
    assert crew.held["a"] == (3, 52.0) and crew.held["b"] == (2, 48.0)


# --- outgrown cores -------------------------------------------------------------------------------------------


def test_a_thread_that_outgrows_its_core_moves_at_the_next_tick() -> None:
    """On core 2 from nothing to 80 % in 74.3 ms; at 80 it has done 40 of its 200 ms; the rest takes 160 on core 0."""
    crew = Crew()
    crew.burst(crew.thread("a", last=2), 200)
    assert crew.run() == [("a", 2, 0.0, 80.0), ("a", 0, 80.0, 240.0)]


def test_without_a_larger_core_it_stays() -> None:
    crew = Crew()
    crew.burst(crew.thread("a", 2, 3, last=2), 200)
    assert crew.run() == [("a", 2, 0.0, 400.0)]


def test_it_waits_for_a_larger_core_to_become_idle() -> None:
    """Core 0 is busy until 95: at the tick after that the thread moves."""
    crew = Crew()
    crew.burst(crew.thread("hog", 0), 95)
    crew.burst(crew.thread("a", 0, 2, last=2), 200)
    assert crew.run() == [("hog", 0, 0.0, 95.0), ("a", 2, 0.0, 100.0), ("a", 0, 100.0, 250.0)]


def test_no_event_happens_before_a_thread_can_have_outgrown_its_core() -> None:
    """A burst of 2 ms on core 2: its begin, its end, and one look at 80 ms that finds nothing."""
    crew = Crew()
    crew.burst(crew.thread("a", last=2), 1)
    instants = []
    while crew.env.peek() < float("inf"):
        instants.append(round(crew.env.peek() / MS, 6))
        crew.env.step()
    assert instants == [0.0, 2.0, 80.0]


# --- accounts -------------------------------------------------------------------------------------------------


def test_a_core_s_utilisation_is_its_threads() -> None:
    crew = Crew()
    a, b = crew.thread("a", 2, last=2, used=100), crew.thread("b", 2, last=2, used=60)
    crew.burst(a, 8)
    crew.burst(b, 8)
    crew.run(30)
    loads = [thread.load for thread in (a, b)]
    for queue in crew.cores.queues:
        queue.settle()
    assert crew.queue(2).usage().average == pytest.approx(sum(load.at(crew.env.now) for load in loads))


def test_a_thread_that_leaves_takes_its_utilisation_along() -> None:
    crew = Crew()
    a = crew.thread("a", last=2, used=0)
    crew.burst(a, 200)
    crew.run(100)
    assert crew.queue(2).usage().average == pytest.approx(0.0, abs=1e-9)
    before = decayed(0.0, 80 * MS, 512)
    assert crew.queue(0).usage().average == pytest.approx(decayed(before, 20 * MS, 1024))


def test_a_lower_clock_uses_less_capacity() -> None:
    crew = Crew()
    crew.burst(crew.thread("a", 0, last=0), 100)
    crew.env.run(until=32 * MS)
    crew.queue(0).set_pace(0.5)
    crew.env.run(until=64 * MS)
    assert crew.queue(0).usage().average == pytest.approx(512.0)


def test_shared_cores_are_accounted_for_by_share() -> None:
    """Two equal threads on core 0: 512 each in the end."""
    crew = Crew(policy="processor_sharing")
    a, b = crew.thread("a", 0), crew.thread("b", 0)
    crew.burst(a, 1000)
    crew.burst(b, 1000)
    crew.run(900)
    assert isinstance(crew.cores.queues[0], TrackedSharedQueue)
    assert [used for _, used in crew.queue(0).thread_loads()] == pytest.approx([512, 512], abs=1)


JOBS = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.integers(1, 60),
        st.sets(st.integers(0, 3), min_size=1),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=9,
)


def _played(jobs, policy="cfs") -> Crew:
    """Jobs (at, work, mask, repetitions) in ms, each of a thread of its own."""
    crew = Crew(policy=policy)
    for number, (at, work, mask, again) in enumerate(jobs):
        thread = crew.thread(str(number), *sorted(mask))

        def repeat(thread=thread, work=work, left=again):
            if left:
                crew.burst(thread, work, 7.0, partial(repeat, thread, work, left - 1))

        crew.burst(thread, work, at, repeat)
    crew.run()
    return crew


@given(JOBS)
def test_all_work_is_done_where_it_may_be(jobs) -> None:
    """Nothing is lost, no core does two things at once, and (in `Crew`) nobody runs outside its mask."""
    crew = _played(jobs)
    crew.cores.close()
    assert len(crew.finished) == sum(1 + again for *_, again in jobs)
    done = sum(time * pace for time, pace in zip(crew.cores.busy("kernel"), crew.cores.top_pace, strict=True))
    assert done == pytest.approx(sum(work * (1 + again) for _, work, _, again in jobs) * MS)
    for core in ALL:
        spans = sorted((start, end) for _, where, start, end in crew.log if where == core)
        assert all(end <= start + 1e-6 for (_, end), (start, _) in pairwise(spans))


@given(JOBS)
def test_all_work_is_done_on_shared_cores_too(jobs) -> None:
    crew = _played(jobs, policy="processor_sharing")
    crew.cores.close()
    done = sum(time * pace for time, pace in zip(crew.cores.busy("kernel"), crew.cores.top_pace, strict=True))
    assert done == pytest.approx(sum(work * (1 + again) for _, work, _, again in jobs) * MS)


@given(JOBS)
def test_accounts_of_cores_and_threads_agree(jobs) -> None:
    """In the end nobody is runnable, so that nothing is expected, and every average is between 0 and the capacity."""
    crew = _played(jobs)
    for core in ALL:
        used = crew.queue(core).usage()
        assert used.expected == pytest.approx(0.0, abs=1e-6)
        assert -1e-9 <= used.average <= 1024 * len(jobs)


@given(JOBS)
def test_the_same_happens_again(jobs) -> None:
    assert _played(jobs).log == _played(jobs).log


@given(st.integers(4, 7))
def test_endless_threads_are_spread_as_by_balancing(count: int) -> None:
    found = []
    for rules in (EAS, CfsParameters()):
        crew = Crew(rules)
        for number in range(count):
            crew.burst(crew.thread(str(number)), 1e6)
        crew.env.run(until=2.0)
        found.append([queue.runnable for queue in crew.cores.queues])
    assert found[0] == found[1]


# --- how it is chosen -----------------------------------------------------------------------------------------


def test_balancing_keeps_no_accounts() -> None:
    crew = Crew(CfsParameters())
    assert all(type(queue) is FairQueue for queue in crew.cores.queues)
    thread = crew.cores.thread("a", "kernel", ALL)
    crew.cores.wake(thread)
    assert thread.load is None


def test_equal_cores_are_balanced_as_in_linux() -> None:
    device = replace(phone(), clusters=phone().clusters[:1])
    assert type(Crew(device=device).cores.queues[0]) is FairQueue
    assert type(Crew().cores.queues[0]) is TrackedFairQueue


def test_an_unknown_placement_is_refused() -> None:
    for make in (CfsParameters, socsim.Mechanisms):
        with pytest.raises(UnknownNameError, match="unknown placement 'esa'; did you mean 'eas'"):
            make(placement="esa")


def _eas_file(tmp_path, placement: str):
    file = tmp_path / "mine.yaml"
    setting = f"{{value: {placement}, grade: D, source: mine}}"
    file.write_text(
        f"title: Mine\nextends: xiaomi-9\nsources: {{mine: a try}}\nos: {{placement: {setting}}}\n"
    )
    return file


def test_a_device_file_may_choose_it(tmp_path) -> None:
    assert load_device("xiaomi-9").os.placement == "balance"
    assert load_device(_eas_file(tmp_path, "eas")).os == replace(load_device("xiaomi-9").os, placement="eas")
    with pytest.raises(FileError, match=r"os\.placement: should be 'balance' or 'eas', got 'esa'"):
        load_device(_eas_file(tmp_path, "esa"))


def test_an_experiment_may_choose_it(tmp_path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(
        "device: xiaomi-9\nmechanisms: {placement: eas}\n"
        "apps:\n- {kind: inference, model: mobilenet_v1, count: 1}\n"
    )
    assert load_experiment(file).mechanisms == socsim.Mechanisms(placement="eas")
    assert load_experiment(file, ["mechanisms.placement=balance"]).mechanisms.placement == "balance"
    file.write_text(file.read_text().replace("eas", "energy"))
    with pytest.raises(FileError, match=r"mechanisms\.placement: should be 'balance' or 'eas', got 'energy'"):
        load_experiment(file)


def test_a_switch_is_stronger_than_the_device_s_file(tmp_path) -> None:
    light = socsim.Competitor(duty=0.05, period="50 ms")

    def energy(device, **switches) -> float:
        mechanisms = socsim.Mechanisms(**switches)
        return sum(
            socsim.simulate(device, [light], duration="2 s", mechanisms=mechanisms).outcome.energy_j.values()
        )

    mine = _eas_file(tmp_path, "eas")
    assert energy(mine) == energy("xiaomi-9", placement="eas") < energy(mine, placement="balance")
    assert energy(mine, placement="balance") == energy("xiaomi-9")


def test_it_is_kept_beside_the_results() -> None:
    light = socsim.Competitor(duty=0.05)
    for placement, kept in (("eas", "eas"), (None, None)):
        mechanisms = socsim.Mechanisms(dram=False, placement=placement)
        result = socsim.simulate("xiaomi-9", [light], duration="0.1 s", mechanisms=mechanisms)
        assert result.config["mechanisms"].get("placement") == kept


# --- on a phone -----------------------------------------------------------------------------------------------


def test_light_work_moves_to_little_cores_and_costs_less() -> None:
    light = socsim.Competitor(duty=0.05, period="50 ms")

    def run(placement: str):
        mechanisms = socsim.Mechanisms(placement=placement)
        return socsim.simulate("xiaomi-9", [light], duration="10 s", mechanisms=mechanisms).outcome.energy_j

    balanced, aware = run("balance"), run("eas")
    asleep = 10 * 4 * 3e-3 * 0.02
    assert balanced["cpu.silver"] == pytest.approx(asleep)
    assert aware["cpu.silver"] > 2 * 10 * 4 * 3e-3 and aware["cpu.prime"] < 0.2 * balanced["cpu.prime"]
    assert sum(aware.values()) < sum(balanced.values())


def test_a_loaded_phone_is_as_balanced() -> None:
    """Three processes of four threads at 90 %: energy has no say."""
    app = socsim.Inference("resnet50", "cpu", count=3)
    busy = socsim.Competitor(count=3, threads=4, duty=0.9, period="50 ms")

    def latency(placement: str) -> float:
        mechanisms = socsim.Mechanisms(placement=placement)
        return socsim.simulate("xiaomi-9", [app, busy], mechanisms=mechanisms).metrics()["latency_ms_mean"]

    assert latency("eas") == pytest.approx(latency("balance"), rel=0.1)


def test_alone_a_network_takes_as_long() -> None:
    app = socsim.Inference("mobilenet_v1", "cpu", count=5)
    times = [
        socsim.simulate("xiaomi-9", [app], mechanisms=socsim.Mechanisms(placement=p)).metrics()[
            "latency_ms_mean"
        ]
        for p in ("balance", "eas")
    ]
    assert times[0] == pytest.approx(times[1])
