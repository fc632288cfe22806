"""Exact traces on tiny cases, and batched against entry-by-entry execution on random ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simkit import GB, Bench, delay, device, kernel, step

from socsim.simulation.kernelgraph import compress


def test_two_kernels_follow_each_other_on_one_queue() -> None:
    bench = Bench()
    bench.launch([step(kernel("x", 2.0)), step(kernel("y", 3.0))])
    assert bench.run() == [("a.x", 0.0, 2.0), ("a.y", 2.0, 5.0)]
    assert bench.done == [("a", 5.0)]


def test_processors_run_side_by_side_and_join() -> None:
    r"""
    gpu: x(2) --.
                 +--> gpu: z(1)
    dsp: y(3) --'
    """
    bench = Bench()
    bench.launch([step(kernel("x", 2.0)), step(kernel("y", 3.0, on="dsp")), step(kernel("z", 1.0), {0, 1})])
    assert bench.run() == [("a.x", 0.0, 2.0), ("a.y", 0.0, 3.0), ("a.z", 3.0, 4.0)]


def test_a_delay_stands_between_processors() -> None:
    bench = Bench()
    bench.launch([step(kernel("x", 2.0)), delay(0.5, {0}), step(kernel("y", 1.0, on="dsp"), {1})])
    assert bench.run() == [("a.x", 0.0, 2.0), ("a.d", 2.0, 2.5), ("a.y", 2.5, 3.5)]


def test_kernels_wait_for_their_dispatch_and_overlap_with_it() -> None:
    """The host needs 1 s for each; the second kernel is enqueued while the first runs."""
    bench = Bench()
    bench.launch([step(kernel("x", 3.0, dispatch=1.0)), step(kernel("y", 3.0, dispatch=1.0))])
    assert bench.run() == [("a.x", 1.0, 4.0), ("a.y", 4.0, 7.0)]
    assert bench.executor.dispatching["cpu.big"] == pytest.approx(2.0)
    assert bench.executor.busy["gpu"] == pytest.approx(6.0)


def test_a_launch_bound_queue_runs_at_the_pace_of_the_host() -> None:
    bench = Bench()
    bench.launch([step(kernel(n, 0.25, dispatch=1.0)) for n in "xyz"])
    assert bench.run() == [("a.x", 1.0, 1.25), ("a.y", 2.0, 2.25), ("a.z", 3.0, 3.25)]


def test_dispatch_on_a_little_core_is_slower() -> None:
    bench = Bench()
    bench.launch([step(kernel("x", 1.0, dispatch=1.0))], host=2)
    assert bench.run() == [("a.x", 2.0, 3.0)]


def test_two_applications_share_the_gpu_kernel_run_by_kernel_run() -> None:
    bench = Bench()
    bench.launch([step(kernel("x", 2.0))], "a")
    bench.launch([step(kernel("y", 3.0))], "b", at=1.0)
    assert bench.run() == [("a.x", 0.0, 2.0), ("b.y", 2.0, 5.0)]


def test_two_threads_on_one_core_share_it_equally() -> None:
    """4 s and 1 s of work from 0 and 1: b gets half the core from 1 to 3, a finishes at 5."""
    bench = Bench()
    bench.launch([step(kernel("x", 4.0, on="cpu"), team=(0,))], "a")
    bench.launch([step(kernel("y", 1.0, on="cpu"), team=(0,))], "b", at=1.0)
    assert bench.run() == [("a.x", 0.0, 5.0), ("b.y", 1.0, 3.0)]


def test_a_barrier_waits_for_the_shared_core() -> None:
    """a runs on cores 0 and 1; b takes half of core 1 for 2 s, so a advances at half speed meanwhile."""
    bench = Bench()
    bench.launch([step(kernel("x", 4.0, on="cpu"), team=(0, 1))], "a")
    bench.launch([step(kernel("y", 1.0, on="cpu"), team=(1,))], "b")
    assert bench.run() == [("b.y", 0.0, 2.0), ("a.x", 0.0, 5.0)]


def test_memory_bound_kernels_share_dram_max_min() -> None:
    """x: 10 GB, y: 5 GB. Both get 5 GB/s until y ends at 1 s; x has 5 GB left at 10 GB/s: 1.5 s."""
    bench = Bench(device(10 * GB))
    bench.launch([step(kernel("x", 0.0, traffic=10 * GB))], "a")
    bench.launch([step(kernel("y", 0.0, on="dsp", traffic=5 * GB))], "b")
    assert bench.run() == [("b.y", 0.0, 1.0), ("a.x", 0.0, 1.5)]


def test_a_compute_bound_kernel_does_not_suffer() -> None:
    """x needs 1 GB/s only, y takes the rest: 9 GB/s."""
    bench = Bench(device(10 * GB))
    bench.launch([step(kernel("x", 2.0, traffic=2 * GB))], "a")
    bench.launch([step(kernel("y", 0.0, on="dsp", traffic=9 * GB))], "b")
    assert bench.run() == [("b.y", 0.0, 1.0), ("a.x", 0.0, 2.0)]


def test_overheads_use_no_bandwidth() -> None:
    """x waits 1 s before it moves 10 GB; y moves 10 GB at once and has DRAM alone for that second."""
    bench = Bench(device(10 * GB))
    bench.launch([step(kernel("x", 0.0, overhead=1.0, traffic=10 * GB))], "a")
    bench.launch([step(kernel("y", 0.0, on="dsp", traffic=10 * GB))], "b")
    assert bench.run() == [("b.y", 0.0, 1.0), ("a.x", 0.0, 2.0)]


def test_energy_accounts_stop_with_the_simulation() -> None:
    bench = Bench()
    bench.launch([step(kernel("x", 2.0)), step(kernel("y", 4.0, traffic=4 * GB))])
    bench.run(until=4.0)
    bench.executor.close()
    assert bench.executor.busy["gpu"] == pytest.approx(4.0)
    assert bench.executor.dram_bytes == pytest.approx(2 * GB)


def test_segments_break_only_where_queues_meet() -> None:
    graph = compress(
        [
            step(kernel("a", 1.0)),
            step(kernel("b", 1.0), {0}),
            step(kernel("c", 1.0, on="dsp"), {1}),
            step(kernel("d", 1.0), {0}),
            step(kernel("e", 1.0), {2, 0}),
        ]
    )
    assert [[e.operator for e in s.entries] for s in graph.segments] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert [s.needs for s in graph.segments] == [0, 1, 0, 1]


def test_implied_dependencies_are_dropped() -> None:
    """c needs a and b of the GPU queue: b implies a."""
    graph = compress(
        [step(kernel("a", 1.0)), step(kernel("b", 1.0)), step(kernel("c", 1.0, on="dsp"), {0, 1})]
    )
    assert [len(s.entries) for s in graph.segments] == [2, 1]


def test_delays_in_sequence_become_one_segment() -> None:
    graph = compress([delay(1.0), delay(2.0, {0}), step(kernel("a", 1.0), {1})])
    assert [len(s.entries) for s in graph.segments] == [2, 1]
    assert graph.roots == (0,)


# --- properties -----------------------------------------------------------------------------------------------

times = st.floats(0.0, 2.0).map(lambda x: round(x, 3))
traffics = st.sampled_from([0.0, 0.5 * GB, 3 * GB, 8 * GB])


@st.composite
def programs(draw):
    """Random steps on gpu, dsp and two CPU teams with random earlier dependencies."""
    steps = []
    for i in range(draw(st.integers(1, 8))):
        deps = set(draw(st.lists(st.integers(0, i - 1), max_size=2))) if i else set()
        on = draw(st.sampled_from(["gpu", "dsp", "cpu", ""]))
        if not on:
            steps.append(delay(draw(times), deps))
            continue
        team = draw(st.sampled_from([(0,), (0, 1), (2, 3)])) if on == "cpu" else ()
        dispatch = draw(st.sampled_from([0.0, 0.3])) if on == "gpu" else 0.0
        entry = kernel(
            f"k{i}", draw(times) + 0.001, on=on, overhead=draw(st.sampled_from([0.0, 0.1])), traffic=draw(traffics),
            dispatch=dispatch,
        )  # fmt: skip
        steps.append(step(entry, deps, team))
    return steps


def _both(apps: list, bandwidth: float) -> tuple[Bench, Bench]:
    benches = []
    for stepwise in (False, True):
        bench = Bench(device(bandwidth), stepwise=stepwise)
        for i, steps in enumerate(apps):
            bench.launch(steps, f"app{i}", at=0.25 * i, host=i)
        bench.run()
        benches.append(bench)
    return benches[0], benches[1]


def _approx(trace: list[tuple[str, float, float]]) -> dict:
    return {
        name: (pytest.approx(start, abs=1e-9), pytest.approx(end, abs=1e-9)) for name, start, end in trace
    }


@given(st.lists(programs(), min_size=1, max_size=3), st.sampled_from([4 * GB, 12 * GB, 100 * GB]))
def test_batched_execution_equals_entry_by_entry(apps: list, bandwidth: float) -> None:
    batched, stepped = _both(apps, bandwidth)
    named = [row for row in batched.trace if not row[0].endswith(".d")]
    assert {name: (start, end) for name, start, end in named} == _approx(
        [row for row in stepped.trace if not row[0].endswith(".d")]
    )
    assert dict(batched.done) == {name: pytest.approx(end, abs=1e-9) for name, end in stepped.done}
    for name, busy in batched.executor.busy.items():
        assert busy == pytest.approx(stepped.executor.busy[name], abs=1e-9)


@given(st.lists(programs(), min_size=1, max_size=3))
def test_everything_finishes_and_nothing_overlaps_on_an_accelerator(apps: list) -> None:
    bench, _ = _both(apps, 6 * GB)
    assert len(bench.done) == len(apps)
    assert not bench.executor.active
    for name in ("gpu", "dsp"):
        operators = {
            f"app{i}.{s.entries[0].operator}"
            for i, steps in enumerate(apps)
            for s in steps
            if s.queue == name
        }
        spans = sorted((start, end) for row, start, end in bench.trace if row in operators)
        assert all(after[0] >= before[1] - 1e-9 for before, after in itertools.pairwise(spans))


@given(programs(), st.sampled_from([2 * GB, 6 * GB]))
def test_more_bandwidth_is_never_slower_for_one_application_on_its_own_processors(
    steps: list, low: float
) -> None:
    chain = [s for s in steps if s.queue == "gpu"]
    if not chain:
        return
    for s in chain:
        s.deps.clear()
    slow, fast = Bench(device(low)), Bench(device(4 * low))
    slow.launch(chain)
    fast.launch(chain)
    slow.run()
    fast.run()
    assert fast.done[0][1] <= slow.done[0][1] + 1e-12
