"""Lanes, unions of intervals, and power and traffic over time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_samples import kernel, long_outcome, mixed_outcome, sharing

from socsim.devices.idle import Rest
from socsim.results.lanes import assign_lanes, merge_intervals
from socsim.results.timeline import Steps, add, dram_traffic, power_steps
from socsim.simulation.processlog import SpanRecord
from socsim.simulation.records import ClockRecord, ComponentPower, KernelRecord

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda p: (float(p[0]), float(p[0] + p[1]))),
    max_size=25,
)


def integral(steps, duration):
    return float(np.sum(steps.values * (np.append(steps.times[1:], duration) - steps.times)))


# --- lanes ----------------------------------------------------------------------------------------


def test_touching_intervals_share_a_lane():
    assert assign_lanes([(0, 2), (2, 3), (3, 5)]) == [0, 0, 0]


def test_overlapping_intervals_take_further_lanes_and_free_ones_are_used_again():
    assert assign_lanes([(0, 4), (1, 3), (2, 6), (3, 5)]) == [0, 1, 2, 1]


def test_no_intervals_need_no_lane():
    assert assign_lanes([]) == []


@given(intervals)
def test_intervals_of_a_lane_never_overlap(spans):
    spans = sorted(spans)
    last: dict[int, float] = {}
    for (start, end), lane in zip(spans, assign_lanes(spans), strict=True):
        assert start >= last.get(lane, 0.0)
        last[lane] = end


@given(intervals)
def test_lanes_are_no_more_than_the_intervals_that_overlap(spans):
    spans = sorted(span for span in spans if span[1] > span[0])
    most = max((sum(s <= at < e for s, e in spans) for at, _ in spans), default=0)
    assert len(set(assign_lanes(spans))) == most


# --- unions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "union"),
    [
        ([], []),
        ([(1, 1)], []),
        ([(3, 4), (0, 1)], [(0, 1), (3, 4)]),
        ([(0, 2), (1, 3), (3, 5)], [(0, 5)]),
        ([(0, 9), (2, 3)], [(0, 9)]),
    ],
)
def test_union_of_intervals(spans, union):
    assert merge_intervals(spans) == union


@given(intervals)
def test_union_covers_what_the_intervals_cover(spans):
    merged = merge_intervals(spans)
    assert all(a[1] < b[0] for a, b in pairwise(merged))
    for at in np.arange(0.5, 70.0):
        assert any(s <= at < e for s, e in spans) == any(s <= at < e for s, e in merged)


# --- traffic --------------------------------------------------------------------------------------


def test_traffic_spreads_each_kernels_bytes_over_its_time():
    outcome = mixed_outcome(kernels=(kernel("a", 0, 2), kernel("b", 1, 3, dram_bytes=4e6)))
    steps = dram_traffic(outcome)
    assert steps.times == pytest.approx([0.0, 0.001, 0.002, 0.003])
    assert steps.values == pytest.approx([0.5e9, 2.5e9, 2e9, 0.0])


def test_a_map_is_no_traffic_of_kernels():
    outcome = mixed_outcome(kernels=(kernel("a", 1, 2, kind="map", kernel_class=""),))
    assert dram_traffic(outcome).values.tolist() == [0.0]


def test_traffic_of_an_empty_run_is_nothing():
    steps = dram_traffic(mixed_outcome(kernels=()))
    assert (steps.times.tolist(), steps.values.tolist()) == ([0.0], [0.0])


@pytest.mark.parametrize("split", [False, True])
def test_traffic_adds_up_to_the_bytes_of_all_kernels(split):
    outcome = long_outcome("codl", 90, split=split)
    moved = sum(r.dram_bytes for r in outcome.kernels if r.kind == "kernel")
    assert integral(dram_traffic(outcome), outcome.duration_s) == pytest.approx(moved)


# --- power ----------------------------------------------------------------------------------------


def test_power_is_idle_power_and_more_while_busy():
    steps = power_steps(mixed_outcome())["gpu"]
    # 10 mJ in 10 ms, of which 2 mJ idle; the other 8 mJ within the 5 ms that kernels run.
    assert steps.times == pytest.approx([0.0, 0.005])
    assert steps.values == pytest.approx([1.8, 0.2])


def test_power_of_dram_follows_its_traffic():
    steps = power_steps(mixed_outcome())["dram"]
    # 3 mJ beyond idle for 3 MB: 1 nJ/B.
    assert steps.times == pytest.approx([0.0, 0.002, 0.005, 0.006, 0.008])
    assert steps.values == pytest.approx([0.6, 0.1 + 1 / 3, 0.1, 0.6, 0.1])


def test_two_kernels_at_once_on_one_core_keep_it_busy_once():
    twice = (kernel("a", 0, 4, on="cpu", cores=(2,)), kernel("b", 1, 3, on="cpu", cores=(2,)))
    once = (kernel("a", 0, 4, on="cpu", cores=(2,)),)
    both, alone = (power_steps(mixed_outcome(kernels=k))["cpu.gold"] for k in (twice, once))
    assert both.values.tolist() == alone.values.tolist()


def test_a_component_that_nothing_keeps_busy_draws_its_mean():
    steps = power_steps(mixed_outcome())["board"]
    assert (steps.times.tolist(), steps.values) == ([0.0], pytest.approx([1.0]))


def test_without_kernel_records_power_is_the_mean():
    steps = power_steps(mixed_outcome(kernels=()))
    assert {name: s.values.tolist() for name, s in steps.items()}["gpu"] == pytest.approx([1.0])
    assert all(len(s.times) == 1 for s in steps.values())


@pytest.mark.parametrize(
    "outcome", [mixed_outcome(), long_outcome("gpu", 70), long_outcome("codl", 40, split=True)]
)
def test_power_adds_up_to_energy(outcome):
    steps = power_steps(outcome)
    assert set(steps) == set(outcome.energy_j)
    for name, joules in outcome.energy_j.items():
        assert integral(steps[name], outcome.duration_s) == pytest.approx(joules)


def test_a_run_without_time_has_no_power():
    assert power_steps(replace(mixed_outcome(), duration_s=0.0)) == {}


def test_each_core_of_a_cluster_adds_its_power():
    """silver has cores 0 and 1: 7 mJ in 10 ms, 1 mJ of it idle, 6 mJ over 4 + 2 ms of busy cores: 1 W each."""
    kernels = (kernel("a", 0, 4, on="cpu", cores=(0,)), kernel("b", 2, 4, on="cpu", cores=(1,)))
    outcome = mixed_outcome(kernels=kernels, energy_j={"cpu.silver": 0.007})
    steps = power_steps(outcome)["cpu.silver"]
    assert steps.times == pytest.approx([0.0, 0.002, 0.004])
    assert steps.values == pytest.approx([1.1, 2.1, 0.1])


def test_a_cluster_is_busy_only_with_kernels_on_its_own_cores():
    """core 2 is gold: silver and prime draw their mean, whatever runs there."""
    outcome = mixed_outcome(kernels=(kernel("a", 2, 6, on="cpu", cores=(2,)),))
    steps = power_steps(outcome)
    assert steps["cpu.gold"].times == pytest.approx([0.0, 0.002, 0.006])
    # 3 mJ, 1 mJ of it idle: 2 mJ in 4 ms.
    assert steps["cpu.gold"].values == pytest.approx([0.1, 0.6, 0.1])
    assert (steps["cpu.silver"].times.tolist(), steps["cpu.prime"].times.tolist()) == ([0.0], [0.0])
    assert steps["cpu.prime"].values == pytest.approx([0.5])


def test_layout_changes_keep_an_accelerator_busy_and_waiting_does_not():
    """10 mJ, 2 mJ idle: 8 mJ in the 4 ms of the transform; mapping and synchronising are no work of the GPU."""
    steps_of = (
        sharing("a", "map", "cpu", "gpu", 0, 2),
        sharing("a", "sync", "cpu", "gpu", 2, 3),
        sharing("a", "transform", "cpu", "gpu", 3, 7),
    )
    steps = power_steps(mixed_outcome(kernels=steps_of))["gpu"]
    assert steps.times == pytest.approx([0.0, 0.003, 0.007])
    assert steps.values == pytest.approx([0.2, 2.2, 0.2])


def test_overlapping_traffic_adds_up():
    """1 MB over 4 ms beside 1 MB over 2 ms: 0.25 and 0.5 GB/s."""
    steps = dram_traffic(mixed_outcome(kernels=(kernel("a", 0, 4), kernel("b", 1, 3, on="cpu", cores=(2,)))))
    assert steps.times == pytest.approx([0.0, 0.001, 0.003, 0.004])
    assert steps.values == pytest.approx([0.25e9, 0.75e9, 0.25e9, 0.0])


def test_kernels_that_take_no_time_or_move_nothing_are_no_traffic():
    records = (kernel("a", 3, 3), kernel("b", 0, 2, dram_bytes=0.0))
    steps = dram_traffic(mixed_outcome(kernels=records))
    assert (steps.times.tolist(), steps.values.tolist()) == ([0.0], [0.0])


@given(intervals)
def test_traffic_is_never_negative_and_starts_at_zero(spans):
    outcome = mixed_outcome(kernels=tuple(kernel(f"k{i}", s, e) for i, (s, e) in enumerate(spans)))
    steps = dram_traffic(outcome)
    assert steps.times[0] == 0.0
    assert np.all(np.diff(steps.times) > 0)
    assert np.all(steps.values >= 0)
    assert steps.values[-1] == 0.0


# --- idle states ----------------------------------------------------------------------------------


def resting(kernels: tuple[KernelRecord, ...], *, cluster: bool = True) -> Steps:
    """Power of the silver cluster: 1 W for each of two cores clock-gated, less in idle states; no other energy.

    A core that has been idle for 2 ms saves 0.25 of that, and the cluster after 4 ms together 0.5 for each core.
    """
    rest = Rest(2, cores=((0.002, 0.25),), cluster=((0.004, 0.5),) if cluster else ())
    power = {"cpu.silver": ComponentPower(0.5, 0.0, gated_w_at={1e9: 1.0}, rest=rest)}
    steps = power_steps(mixed_outcome(kernels=kernels, energy_j={"cpu.silver": 0.02}, power=power, clocks=()))
    return steps["cpu.silver"]


def test_before_a_run_everything_has_been_idle_for_long():
    """Core 0 works from 6 to 7 ms: until then all states are reached, and after it none but that of core 1.

    Idle power in W: 2 - 2 x 0.25 - 1 = 0.5 to 6 ms; core 1 saves on (1.75); from 9 ms core 0 too (1.5).
    """
    outcome_steps = resting((kernel("a", 6, 7, on="cpu", cores=(0,)),))
    assert outcome_steps.times == pytest.approx([0.0, 0.006, 0.007, 0.009])
    excess = 0.02 - (0.5 * 6 + 1.75 * 3 + 1.5) * 1e-3  # of the energy, spread over the 1 ms of work
    assert outcome_steps.values == pytest.approx([0.5, 1.75 + excess * 1e3, 1.75, 1.5])


def test_a_pause_too_short_for_a_state_saves_nothing():
    """Core 0 pauses from 2 to 4 ms and from 5 to 9 ms; core 1 works throughout, so the cluster never rests."""
    busy = (
        kernel("a", 0, 2, on="cpu", cores=(0, 1)),
        kernel("b", 2, 10, on="cpu", cores=(1,)),
        kernel("c", 4, 5, on="cpu", cores=(0,)),
        kernel("d", 9, 10, on="cpu", cores=(0,)),
    )
    steps = resting(busy)
    one = (0.02 - (2.0 * 8 + 1.75 * 2) * 1e-3) / 14e-3  # 10 + 4 ms of busy cores
    levels = {0.0: 2.0 + 2 * one, 0.002: 2.0 + one, 0.004: 2.0 + 2 * one, 0.005: 2.0 + one,
              0.007: 1.75 + one, 0.009: 2.0 + 2 * one}  # fmt: skip
    assert steps.times == pytest.approx([*levels, 0.010])
    assert steps.values[:-1] == pytest.approx(list(levels.values()))


def test_clocks_change_what_idle_and_busy_cores_draw():
    """Twice the clock-gated power from 5 ms on; a busy core draws three times as much there."""
    power = ComponentPower(0.1, 3.0, busy_w_at={1e9: 1.0, 2e9: 3.0}, gated_w_at={1e9: 0.1, 2e9: 0.2})
    clocks = (
        ClockRecord(0.0, "cpu.prime", 1e9),
        ClockRecord(0.0, "gpu", 7e8),
        ClockRecord(0.005, "cpu.prime", 2e9),
    )
    joules = (0.1 * 5 + 0.2 * 5 + 1.0 * 1 + 3.0 * 2) * 1e-3
    outcome = mixed_outcome(
        kernels=(kernel("a", 4, 7, on="cpu", cores=(3,)),), energy_j={"cpu.prime": joules},
        power={"cpu.prime": power}, clocks=clocks,
    )  # fmt: skip
    steps = power_steps(outcome)["cpu.prime"]
    assert steps.times == pytest.approx([0.0, 0.004, 0.005, 0.007])
    assert steps.values == pytest.approx([0.1, 1.1, 3.2, 0.2])


def test_dispatching_draws_by_its_own_power():
    """A core that computes for 2 ms at 1 W and dispatches for 4 ms at a quarter of that: 3 mJ."""
    power = ComponentPower(0.0, 1.0, busy_w_at={1e9: 1.0}, dispatch_w_at={1e9: 0.25})
    outcome = mixed_outcome(
        kernels=(kernel("a", 0, 2, on="cpu", cores=(3,)),), energy_j={"cpu.prime": 0.003},
        power={"cpu.prime": power}, clocks=(),
        dispatches=(SpanRecord("app", "0", 3, 0.004, 0.008, 1.0), SpanRecord("app", "0", 2, 0.0, 0.01, 1.0)),
    )  # fmt: skip
    steps = power_steps(outcome)["cpu.prime"]
    assert steps.times == pytest.approx([0.0, 0.002, 0.004, 0.008])
    assert steps.values == pytest.approx([1.0, 0.0, 0.25, 0.0])


@given(intervals, st.integers(1, 9))
def test_idle_states_add_up_to_the_energy_too(spans, residency):
    kernels = tuple(kernel(f"k{i}", s / 6, e / 6, on="cpu", cores=(i % 2,)) for i, (s, e) in enumerate(spans))
    rest = Rest(2, cores=((residency * 1e-3, 0.25),), cluster=((residency * 2e-3, 0.5),))
    power = {"cpu.silver": ComponentPower(0.5, 1.0, gated_w_at={1e9: 1.0}, rest=rest)}
    outcome = mixed_outcome(
        kernels=kernels, energy_j={"cpu.silver": 0.1}, power=power, clocks=(), duration_s=0.012
    )
    steps = power_steps(outcome)["cpu.silver"]
    assert integral(steps, 0.012) == pytest.approx(0.1)
    assert np.all(np.diff(steps.times) > 0) and steps.times[-1] < 0.012


@given(
    st.lists(st.dictionaries(st.integers(1, 20), st.floats(-5.0, 5.0), max_size=5), min_size=1, max_size=4)
)
def test_sums_of_steps_are_sums_at_every_instant(parts):
    """Each from 0 on."""
    made = [{0: 1.0, **dict(sorted(part.items()))} for part in parts]
    summed = add([Steps(np.array(list(p), float), np.array(list(p.values()))) for p in made])
    for at in np.arange(0.0, 21.0, 0.5):
        expected = sum(p[max(time for time in p if time <= at)] for p in made)
        assert summed.values[np.flatnonzero(summed.times <= at)[-1]] == pytest.approx(expected)
