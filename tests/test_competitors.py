"""Competing processes: what is refused, how they are written, and what they do on the toy phone."""

from __future__ import annotations

from math import inf

import pytest
import yaml
from corekit import BUFFER, LIBRARY, Fixed, net, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from simkit import GB, MS, Busy, device

from socsim import Competitor
from socsim.errors import FileError, SocsimError, UnitError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.simulation.rival import start_competitor
from socsim.simulation.simulation import Simulation
from socsim.sweeps import load_sweep
from socsim.sweeps.checking import check_sweep
from socsim.workloads.apps import Inference


class Middle:
    """Draws the middle of whatever is asked for, or a given share of it."""

    def __init__(self, share: float = 0.0) -> None:
        self.share = share

    def uniform(self, low: float, high: float) -> float:
        return low + self.share * (high - low)

    def exponential(self, mean: float) -> float:
        return mean


class Rivals(Busy):
    """A bench with competitors whose threads all begin at the start of their periods."""

    def rival(self, offset: float = 0.0, **options) -> None:
        start_competitor(self.executor, Competitor(**options), Middle(offset))

    def busy(self, until: float, kind: str = "other") -> list[float]:
        """Run until an instant in ms; time in ms that each core has worked."""
        self.ms(until)
        self.executor.close()
        return [round(time / MS, 6) for time in self.executor.cores.busy(kind)]


# --- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": -1}, "count must be a whole number from 0, got -1"),
        ({"threads": 1.5}, "threads must be a whole number from 1, got 1.5"),
        ({"duty": 0.0}, "duty must be above 0 and at most 1, got 0.0"),
        ({"duty": 1.01}, "duty must be above 0 and at most 1"),
        ({"period": 0.0}, "period must be positive"),
        ({"kernel": "0 ms"}, "kernel must be positive, got '0 ms'"),
        ({"on": -1.0}, "on must be positive"),
        ({"off": -1.0}, "off must not be negative"),
        ({"traffic": "-1 GB/s"}, "traffic must not be negative"),
        ({"start": -0.1}, "start must not be negative"),
        ({"start": "2 s", "stop": "1 s"}, "it must stop later than it starts, got '1 s'"),
        ({"nice": 20}, "nice must be a whole number"),
    ],
)
def test_impossible_competitors_are_refused(options, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Competitor(**options)
    assert message in str(refused.value)


def test_units_are_checked() -> None:
    with pytest.raises(UnitError):
        Competitor(period="20 MHz")
    with pytest.raises(UnitError):
        Competitor(traffic="1 GB")


def test_a_processor_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown processor 'npu'"):
        Rivals().rival(processor="npu")


def test_cores_that_the_device_lacks_are_refused() -> None:
    with pytest.raises(SocsimError, match="prime"):
        Rivals().rival(affinity="prime")


# --- as written -----------------------------------------------------------------------------------------------


def test_the_description_says_what_is_not_usual() -> None:
    assert Competitor().describe() == {"kind": "competitor"}
    described = Competitor(3, threads=4, duty=0.9, period=0.05, traffic=1e9, stop=2.0, name="busy").describe()
    assert described == {
        "kind": "competitor", "count": 3, "threads": 4, "duty": 0.9, "period": "0.05 s", "traffic": "1000000000.0 B/s",
        "stop": "2 s", "name": "busy",
    }  # fmt: skip


COMPETITORS = st.builds(
    Competitor,
    count=st.integers(1, 9),
    processor=st.sampled_from(["cpu", "gpu", "dsp"]),
    threads=st.integers(1, 8),
    affinity=st.sampled_from(["all", "big", "little"]),
    nice=st.integers(-20, 19),
    duty=st.floats(0.001, 1.0),
    period=st.floats(1e-4, 10.0),
    traffic=st.floats(0.0, 1e11),
    kernel=st.floats(1e-6, 1.0),
    start=st.floats(0.0, 5.0),
    stop=st.one_of(st.just(inf), st.floats(5.1, 1e3)),
    on=st.floats(0.01, 10.0),
    off=st.floats(0.0, 10.0),
    priority=st.integers(-3, 3),
    name=st.sampled_from(["competitor", "busy"]),
)


@given(COMPETITORS)
@settings(max_examples=60, deadline=None)
def test_a_file_gives_the_same_competitor(tmp_path_factory, competitor: Competitor) -> None:
    folder = tmp_path_factory.mktemp("experiment")
    content = {"device": "xiaomi-9", "duration": "1 s", "apps": [competitor.describe()]}
    (folder / "e.yaml").write_text(yaml.safe_dump(content))
    (read,) = load_experiment(folder / "e.yaml").apps
    assert read.describe() == competitor.describe()
    for what in ("period", "traffic", "kernel", "start", "stop", "on", "off"):
        assert read.number(what) == competitor.number(what)


# --- on the CPU -----------------------------------------------------------------------------------------------


def test_threads_without_a_pause_keep_their_cores_busy() -> None:
    bench = Rivals()
    bench.rival(threads=3)
    assert bench.busy(100) == [100.0, 100.0, 100.0, 0.0]


def test_affinity_confines_them() -> None:
    bench = Rivals()
    bench.rival(threads=3, affinity="little")
    assert bench.busy(100) == [0.0, 0.0, 100.0, 100.0]


def test_processes_are_several() -> None:
    bench = Rivals()
    bench.rival(count=2, threads=1)
    assert bench.busy(100) == [100.0, 100.0, 0.0, 0.0]


def test_duty_is_a_share_of_the_period() -> None:
    """5 of 20 ms, five times in 100."""
    bench = Rivals()
    bench.rival(duty=0.25)
    assert bench.busy(100) == [25.0, 0.0, 0.0, 0.0]


def test_work_is_that_of_the_fastest_core() -> None:
    """5 ms of a big core are 10 of a little one, after which it pauses for 15: four times in 100."""
    bench = Rivals()
    bench.rival(duty=0.25, affinity="little")
    assert bench.busy(100) == [0.0, 0.0, 40.0, 0.0]


def test_where_in_its_period_it_begins() -> None:
    """From 15 of 20: 15 to 20, 35 to 40, and from 55 to 57 only."""
    bench = Rivals()
    bench.rival(0.75, duty=0.25)
    assert bench.busy(57) == [12.0, 0.0, 0.0, 0.0]


def test_it_starts_and_stops() -> None:
    bench = Rivals()
    bench.rival(start="30 ms", stop="70 ms")
    assert bench.busy(100) == [40.0, 0.0, 0.0, 0.0]


def test_times_of_work_and_rest() -> None:
    """0 to 10, 30 to 40, 60 to 70 and 90 to 95."""
    bench = Rivals()
    bench.rival(on="10 ms", off="20 ms")
    assert bench.busy(95) == [35.0, 0.0, 0.0, 0.0]


def test_times_of_work_end_when_it_stops() -> None:
    bench = Rivals()
    bench.rival(on="10 ms", off="20 ms", start="5 ms", stop="38 ms")
    assert bench.busy(100) == [13.0, 0.0, 0.0, 0.0]


def test_phases_with_a_duty() -> None:
    """On from 0 to 25 and from 50 on: bursts of 5 at 0, 20, 50, 70."""
    bench = Rivals()
    bench.rival(duty=0.5, period="10 ms", on="20 ms", off="30 ms")
    assert bench.busy(100) == [20.0, 0.0, 0.0, 0.0]


def test_work_under_way_is_finished_and_periods_go_on() -> None:
    """On until 15, and from 18 on: bursts of 5 at 0, 10, 20 (not at 18 as well) and 30."""
    bench = Rivals()
    bench.rival(duty=0.5, period="10 ms", on="15 ms", off="3 ms")
    assert bench.busy(40) == [20.0, 0.0, 0.0, 0.0]


def test_work_longer_than_a_rest() -> None:
    """A burst of 18 of 20 begins at 0; the next time of work begins at 15, in the middle of it."""
    bench = Rivals()
    bench.rival(duty=0.9, on="10 ms", off="5 ms")
    assert bench.busy(38) == [36.0, 0.0, 0.0, 0.0]


def test_only_the_first_time_of_work_begins_late() -> None:
    """15 of 20 late: nothing from 0 to 10; then from 30 to 40 and from 60 to 70."""
    bench = Rivals()
    bench.rival(0.75, on="10 ms", off="20 ms")
    assert bench.busy(75) == [20.0, 0.0, 0.0, 0.0]


def test_nice_decides_about_shares() -> None:
    """Weights 1024 and 335 on one core."""
    bench = Rivals(toy_core())
    bench.rival(name="a", affinity="big")
    bench.rival(name="b", affinity="big", nice=5)
    bench.ms(20_000)
    bench.executor.close()
    shares = [t.vruntime * t.weight for t in threads(bench)]
    assert shares[0] / sum(shares) == pytest.approx(1024 / (1024 + 335), abs=0.02)


def toy_core():
    """The toy phone with one big core."""
    from dataclasses import replace

    whole = device()
    big, little = whole.clusters
    return replace(whole, clusters=(replace(big, count=1), replace(little, count=1)))


def threads(bench) -> list:
    queue = bench.executor.cores.queues[0]
    found = [*queue.waiting, *([queue.current] if queue.current else [])]
    return sorted(found, key=lambda thread: thread.name)


# --- as users of DRAM -----------------------------------------------------------------------------------------


def test_traffic_while_all_threads_compute() -> None:
    bench = Rivals()
    bench.rival(threads=2, traffic="1 GB/s")
    bench.busy(100)
    assert bench.executor.dram_bytes == pytest.approx(0.1 * GB)


def test_traffic_follows_the_duty() -> None:
    """Five times 5 ms."""
    bench = Rivals()
    bench.rival(duty=0.25, traffic="1 GB/s", stop="90 ms")
    bench.busy(200)
    assert bench.executor.dram_bytes == pytest.approx(0.025 * GB)


def test_who_pauses_moves_nothing_while_dram_is_full() -> None:
    """A kernel takes all that the rival leaves: together they never move more than 10 GB/s."""
    bench = Rivals()
    bench.gpu(200, traffic=2 * GB)
    bench.rival(duty=0.25, traffic="4 GB/s", affinity="big")
    bench.busy(100)
    assert bench.executor.dram_bytes == pytest.approx(1.0 * GB)


def test_work_that_outlasts_its_time_moves_its_bytes() -> None:
    """On until 10; the threads' only bursts last 18 and end at 18."""
    bench = Rivals()
    bench.rival(threads=2, duty=0.9, traffic="1 GB/s", affinity="big", on="10 ms", off="90 ms")
    assert bench.busy(60) == [18.0, 18.0, 0.0, 0.0]
    assert bench.executor.dram_bytes == pytest.approx(0.018 * GB)


def test_traffic_takes_bandwidth_from_a_kernel() -> None:
    """10 GB/s for both: the kernel wants 10, the rival 4. It has 6: 10 ms of bytes take 10/6 as long."""
    bench = Rivals()
    bench.gpu(10, traffic=0.1 * GB)
    bench.rival(traffic="4 GB/s", affinity="big")
    assert bench.ms(100)[0][2] == pytest.approx(10 / 0.6, rel=1e-6)


def test_more_traffic_than_there_is_is_shared_fairly() -> None:
    bench = Rivals()
    bench.gpu(10, traffic=0.1 * GB)
    bench.rival(traffic="40 GB/s", affinity="big", stop="50 ms")
    assert bench.ms(100)[0][2] == pytest.approx(20.0, rel=1e-6)
    assert bench.executor.dram_bytes == pytest.approx(0.1 * GB + 0.1 * GB + 0.03 * 10 * GB, rel=1e-6)


def test_a_kernel_is_as_fast_as_alone_when_it_has_stopped() -> None:
    """5 GB/s until 8 ms: 40 of 100 MB; the rest at 10 GB/s takes 6."""
    bench = Rivals()
    bench.gpu(10, traffic=0.1 * GB)
    bench.rival(traffic="40 GB/s", affinity="big", stop="8 ms")
    assert bench.ms(100)[0][2] == pytest.approx(14.0, rel=1e-6)


# --- on accelerators ------------------------------------------------------------------------------------------


def test_an_accelerator_is_kept_busy() -> None:
    bench = Rivals()
    bench.rival(processor="gpu", kernel="5 ms")
    bench.ms(52)
    bench.executor.close()
    assert bench.executor.busy["gpu"] == pytest.approx(52 * MS)
    assert bench.executor.busy["dsp"] == 0.0


def test_kernels_with_pauses() -> None:
    """5 of every 20 ms."""
    bench = Rivals()
    bench.rival(processor="dsp", kernel="5 ms", duty=0.25)
    bench.ms(102)
    bench.executor.close()
    assert bench.executor.busy["dsp"] == pytest.approx(27 * MS)


def test_times_of_work_send_no_kernels_twice() -> None:
    """On until 8 and from 9: kernels of 5 with pauses of 5, at 0, 10 and 20, never two at a time."""
    bench = Rivals()
    bench.rival(processor="gpu", kernel="5 ms", duty=0.5, on="8 ms", off="1 ms")
    rows = bench.ms(26)
    assert [row[1:] for row in rows] == [(0.0, 5.0), (10.0, 15.0), (20.0, 25.0)]


def test_kernels_of_two_contexts_take_turns() -> None:
    """The rival's first kernel has the GPU until 5; then network and rival by turns."""
    bench = Rivals()
    bench.rival(processor="gpu", kernel="5 ms")
    bench.gpu(3, 3, at=1, dispatch=0.0)
    rows = bench.ms(40)
    assert next(row for row in rows if row[0] == "gpu.k0") == ("gpu.k0", 5.0, 8.0)
    rivals = [row[1:] for row in rows if row[0].startswith("competitor")]
    assert rivals[0] == (0.0, 5.0)


def test_who_has_priority_waits_for_one_kernel_at_most() -> None:
    bench = Rivals()
    bench.rival(processor="gpu", kernel="5 ms", count=3)
    bench.gpu(2, at=11, priority=1)
    rows = bench.ms(40)
    assert next(row for row in rows if row[0] == "gpu.k0") == ("gpu.k0", 15.0, 17.0)


def test_kernels_move_bytes() -> None:
    bench = Rivals()
    bench.rival(processor="gpu", kernel="5 ms", duty=0.5, traffic="2 GB/s")
    bench.ms(29)
    bench.executor.close()
    assert bench.executor.dram_bytes == pytest.approx(3 * 5 * MS * 2 * GB)


# --- whole runs -----------------------------------------------------------------------------------------------


def outcome(*competitors: Competitor, seed: int = 0, plan=BUFFER, **options):
    graph = net("a:16 x; b:8 a; c:24 b")
    app = Inference(graph, Fixed({op.name: plan for op in graph}), library=LIBRARY, count=3)
    simulation = Simulation(toy(**options), [app, *competitors], seed=seed)
    simulation.validate()
    return simulation.run()


def test_same_seed_same_bits() -> None:
    rivals = (
        Competitor(count=2, threads=3, duty=0.7, period=0.3),
        Competitor(processor="gpu", kernel=0.7, duty=0.5),
    )
    first, second, third = (outcome(*rivals, seed=seed) for seed in (4, 4, 5))
    assert first == second
    assert first.inferences != third.inferences


@pytest.mark.parametrize(
    "idle",
    [
        Competitor(processor="dsp", kernel=1e-6, duty=1e-3),
        Competitor(affinity="little", duty=1e-3, period=1.0),
        Competitor(start=1e6),
    ],
)
def test_an_idle_competitor_elsewhere_changes_nothing(idle: Competitor) -> None:
    alone = outcome()
    beside = outcome(idle)
    assert list(beside.inferences) == list(alone.inferences)


@given(st.integers(0, 4), st.floats(0.1, 1.0), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_more_competitors_take_no_work_away(threads_: int, duty: float, seed: int) -> None:
    """Whatever competes, every inference is finished, and none in less time than alone."""
    alone = outcome()
    rivals = [Competitor(threads=threads_, duty=duty, period=0.5)] if threads_ else []
    beside = outcome(*rivals, seed=seed)
    assert all(r.status == "finished" for r in beside.inferences)
    for before, after in zip(alone.inferences, beside.inferences, strict=True):
        assert after.finish_s - after.start_s >= (before.finish_s - before.start_s) * (1 - 1e-9)


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("{kind: competitor, processor: npu}", "unknown processor 'npu'"),
        ("{kind: competitor, affinity: turbo}", "turbo"),
        ("{kind: video, affinity: turbo}", "turbo"),
    ],
)
def test_check_tells_what_the_device_lacks(tmp_path, app: str, message: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"device: xiaomi-9\nduration: 1 s\napps:\n- {app}\n- {{kind: ui}}\n")
    with pytest.raises(FileError) as told:
        check_sweep(load_sweep(file))
    assert [message in str(fault) for fault in told.value.faults] == [True]
    file.write_text(
        "device: xiaomi-9\nduration: 1 s\napps:\n- {kind: ui}\n- {kind: competitor, processor: dsp}\n"
    )
    assert check_sweep(load_sweep(file)) == "experiment, 2 applications on xiaomi-9"
