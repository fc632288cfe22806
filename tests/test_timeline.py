"""Laying a segment out in time, against arithmetic done by hand, and cut at any instant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.simulation.kernelgraph import Entry, Segment
from socsim.simulation.timeline import START, Progress, advance, body_time, count_enqueued, lay_out

PLENTY = 1e12


def entry(
    compute: float, *, overhead: float = 0.0, traffic: float = 0.0, reach: float = 10.0, dispatch: float = 0.0
) -> Entry:
    return Entry(
        "kernel",
        "k",
        "gpu",
        overhead=overhead,
        compute=compute,
        bytes=traffic,
        reach=reach,
        dispatch=dispatch,
    )


# --- one entry ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "traffic", "reach", "rate", "bandwidth", "expected"),
    [
        (2.0, 0.0, 10.0, 1.0, PLENTY, 2.0),  # computing only
        (2.0, 10.0, 10.0, 1.0, PLENTY, 2.0),  # 1 s of bytes hides behind 2 s of computing
        (2.0, 40.0, 10.0, 1.0, PLENTY, 4.0),  # bytes decide, at the entry's own reach
        (2.0, 40.0, 10.0, 1.0, 5.0, 8.0),  # ... and at the share of DRAM where that is less
        (2.0, 40.0, 10.0, 0.25, PLENTY, 8.0),  # a clock of a quarter: computing decides again
        (0.0, 40.0, 10.0, 0.25, PLENTY, 4.0),  # bytes do not slow down with the clock
        (0.0, 0.0, 10.0, 1.0, PLENTY, 0.0),
    ],
)
def test_body_is_the_slower_of_computing_and_moving_bytes(
    compute, traffic, reach, rate, bandwidth, expected
) -> None:
    assert body_time(entry(compute, traffic=traffic, reach=reach), rate, bandwidth) == expected


def test_overhead_comes_before_the_body_and_follows_the_clock() -> None:
    timeline = lay_out([entry(2.0, overhead=0.5)], 0.5, 1.0, PLENTY)
    assert (timeline.starts, timeline.ends, timeline.busy) == ((0.0,), (5.0,), 5.0)


def test_a_demand_is_the_bandwidth_used_alone() -> None:
    assert entry(2.0, traffic=10.0).demand == 5.0
    assert entry(2.0, traffic=100.0).demand == 10.0
    assert entry(0.0, traffic=1.0).demand == 10.0
    assert entry(2.0).demand == 0.0


# --- several entries ------------------------------------------------------------------------------------------


def test_entries_follow_each_other() -> None:
    timeline = lay_out([entry(1.0), entry(2.0, overhead=0.25), entry(0.5)], 1.0, 1.0, PLENTY)
    assert timeline.starts == (0.0, 1.0, 3.25)
    assert timeline.ends == (1.0, 3.25, 3.75)
    assert timeline.first == 0


def test_the_host_runs_ahead_and_an_entry_waits_for_its_own_dispatch_only() -> None:
    """Dispatches end at 1, 2 and 6; kernels take 3, 1 and 1: the third waits from 5 to 6."""
    entries = [entry(3.0, dispatch=1.0), entry(1.0, dispatch=1.0), entry(1.0, dispatch=4.0)]
    timeline = lay_out(entries, 1.0, 1.0, PLENTY)
    assert timeline.starts == (1.0, 4.0, 6.0)
    assert timeline.ends == (4.0, 5.0, 7.0)
    assert timeline.busy == 5.0


def test_a_host_of_half_speed_dispatches_in_twice_the_time() -> None:
    assert lay_out([entry(1.0, dispatch=1.0)], 1.0, 0.5, PLENTY).starts == (2.0,)


def test_going_on_counts_what_is_dispatched_and_done() -> None:
    """The first entry is over, half of the second's body is left, and 3 of 4 s of dispatching are done."""
    entries = [entry(1.0, dispatch=1.0), entry(2.0, dispatch=1.0, overhead=7.0), entry(1.0, dispatch=2.0)]
    timeline = lay_out(entries, 1.0, 1.0, PLENTY, Progress(1, 0.0, 0.5, 3.0))
    assert (timeline.first, timeline.starts, timeline.ends) == (1, (0.0, 1.0), (1.0, 2.0))


# --- progress -------------------------------------------------------------------------------------------------


def progress_at(elapsed: float, entries: list[Entry]) -> Progress:
    return advance(entries, lay_out(entries, 1.0, 1.0, PLENTY), elapsed, 1.0, 1.0, PLENTY, START)


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (0.0, Progress(0, 1.0, 1.0, 0.0)),
        (0.5, Progress(0, 1.0, 1.0, 0.5)),  # waits for its dispatch, which takes 1 s
        (1.5, Progress(0, 0.5, 1.0, 1.5)),  # half of its overhead of 1 s
        (3.0, Progress(0, 0.0, 0.75, 3.0)),  # a quarter of its body of 4 s
        (6.0, Progress(1, 1.0, 1.0, 6.0)),  # the boundary belongs to the next entry
        (7.0, Progress(1, 0.0, 0.5, 7.0)),
        (8.0, Progress(1, 0.0, 0.0, 8.0)),
    ],
)
def test_where_a_segment_stands(elapsed: float, expected: Progress) -> None:
    assert progress_at(elapsed, [entry(4.0, overhead=1.0, dispatch=1.0), entry(2.0)]) == expected


def test_an_entry_that_takes_no_time_is_done_once_it_has_started() -> None:
    assert progress_at(1.0, [entry(0.0)]).body == 0.0


amounts = st.floats(0.0, 4.0).map(lambda x: round(x, 2))


@st.composite
def segments(draw):
    return [
        entry(draw(amounts), overhead=draw(amounts), traffic=10 * draw(amounts), dispatch=draw(amounts))
        for _ in range(draw(st.integers(1, 5)))
    ]


@given(segments(), st.floats(0.0, 1.0), st.floats(0.2, 2.0), st.floats(0.2, 2.0), st.floats(2.0, 20.0))
def test_a_cut_anywhere_changes_nothing(entries, share, rate, host_rate, bandwidth) -> None:
    """Laid out again from wherever it stands, with the same rates, a segment ends when it would have."""
    whole = lay_out(entries, rate, host_rate, bandwidth)
    elapsed = share * whole.ends[-1]
    progress = advance(entries, whole, elapsed, rate, host_rate, bandwidth, START)
    rest = lay_out(entries, rate, host_rate, bandwidth, progress)
    assert elapsed + rest.ends[-1] == pytest.approx(whole.ends[-1], abs=1e-9)
    for i, end in enumerate(rest.ends[:-1]):
        assert elapsed + end == pytest.approx(whole.ends[progress.index + i], abs=1e-9)


@given(segments(), st.floats(0.2, 2.0), st.floats(1.0, 3.0))
def test_nothing_gets_slower_with_speed(entries, rate, factor) -> None:
    base = lay_out(entries, rate, rate, 5.0)
    for faster in (
        lay_out(entries, rate * factor, rate, 5.0),
        lay_out(entries, rate, rate * factor, 5.0),
        lay_out(entries, rate, rate, 5.0 * factor),
    ):
        assert all(a <= b + 1e-9 for a, b in zip(faster.ends, base.ends, strict=True))


@given(segments(), st.floats(0.2, 2.0))
def test_entries_never_overlap_nor_precede_their_dispatch(entries, host_rate) -> None:
    timeline = lay_out(entries, 1.0, host_rate, 5.0)
    enqueued = 0.0
    for i, one in enumerate(entries):
        enqueued += one.dispatch / host_rate
        assert timeline.starts[i] >= enqueued - 1e-9
        assert i == 0 or timeline.starts[i] >= timeline.ends[i - 1]
    assert timeline.busy == pytest.approx(sum(e.overhead + body_time(e, 1.0, 5.0) for e in entries))


@pytest.mark.parametrize("lacking", [0.0, 4e-15, 1e-12])
def test_what_the_clock_has_rounded_away_is_dispatched(lacking: float) -> None:
    """Half a minute into a run instants are 4e-15 s apart: a host that lacked less would never be done."""
    segment = Segment("gpu", tuple(entry(1.0, dispatch=1e-4) for _ in range(3)))
    assert count_enqueued(segment, Progress(dispatched=2e-4 - lacking)) == 2
    assert count_enqueued(segment, Progress(dispatched=2e-4 - 1e-9)) == 1


def test_the_host_goes_no_further_than_an_entry_that_waits() -> None:
    entries = (entry(1.0), replace(entry(1.0), waits=True), entry(1.0))
    segment = Segment("gpu", entries)
    assert segment.waits == (1,) and segment.dispatches == (0.0, 0.0, 0.0, 0.0)
    assert count_enqueued(segment, Progress(index=0)) == 1
    assert count_enqueued(segment, Progress(index=1)) == 3
    assert count_enqueued(Segment("gpu", entries[:1]), Progress()) == 1


def test_a_part_is_the_beginning_of_the_whole() -> None:
    entries = [entry(1.0, overhead=0.25, dispatch=0.5) for _ in range(5)]
    progress = Progress(1, 0.5, 1.0, 0.75)
    whole, part = (
        lay_out(entries, 1.0, 1.0, PLENTY, progress),
        lay_out(entries, 1.0, 1.0, PLENTY, progress, 3, 0.5),
    )
    assert part.starts == whole.starts[:2] and part.ends == whole.ends[:2] and part.first == 1
