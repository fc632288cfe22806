"""Kernel limits and queue windows: blocks, waits, and what they do on a busy GPU."""

from __future__ import annotations

import pytest
from corekit import GPU, LIBRARY, SYNC, Fixed, net, toy
from hypothesis import given
from hypothesis import strategies as st
from simkit import kernel

from socsim.describing import describe
from socsim.errors import SocsimError
from socsim.simulation.pacing import UNPACED, Pacer, Pacing
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference

MS = 1e-3


def commands(
    entry, *, limit: float = 0.0, window: int = 0, overhead: float = 0.0, wait: float = 0.0, before: int = 0
):
    pacer = Pacer(Pacing(limit, window), wait)
    for _ in range(before):
        pacer.commands(kernel("before", 1.0), 0.0)
    return pacer.commands(entry, overhead)


# --- blocks ---------------------------------------------------------------------------------------------------


def test_without_limits_a_kernel_is_one_command() -> None:
    entry = kernel("k", 1.0, overhead=0.25)
    assert Pacer(UNPACED, 9.0).commands(entry, 0.25) == (entry,)


@pytest.mark.parametrize(
    ("time", "limit", "blocks"), [(4.0, 5.0, 1), (5.0, 5.0, 2), (9.0, 5.0, 2), (10.0, 5.0, 3), (21.0, 5.0, 5)]
)
def test_a_kernel_is_split_into_equal_blocks(time: float, limit: float, blocks: int) -> None:
    """MACE: floor(time / limit) + 1."""
    parts = commands(kernel("k", time, traffic=120.0), limit=limit)
    assert len(parts) == blocks
    assert {part.compute for part in parts} == {time / blocks}
    assert {part.bytes for part in parts} == {120.0 / blocks}
    assert {part.share for part in parts} == {1.0 / blocks}


def test_the_overhead_counts_and_every_block_has_it() -> None:
    parts = commands(kernel("k", 4.5, overhead=3.0), limit=5.0, overhead=0.5)
    assert [part.overhead for part in parts] == [3.0, 0.5]


def test_the_traffic_of_a_kernel_counts() -> None:
    """1 s of computing, but 8 s of bytes."""
    parts = commands(kernel("k", 1.0, traffic=80.0, reach=10.0), limit=5.0)
    assert [(part.compute, part.bytes) for part in parts] == [(0.5, 40.0)] * 2


@given(st.floats(0.01, 100.0), st.floats(0.01, 10.0), st.floats(0.0, 1e3))
def test_blocks_keep_the_work_and_are_short(time, limit, traffic) -> None:
    entry = kernel("k", time, traffic=traffic, reach=1e2)
    parts = commands(entry, limit=limit)
    assert sum(part.compute for part in parts) == pytest.approx(time)
    assert sum(part.bytes for part in parts) == pytest.approx(traffic)
    assert all(max(part.compute, part.bytes / part.reach) < limit * (1 + 1e-9) for part in parts)


# --- windows --------------------------------------------------------------------------------------------------


def test_the_first_of_each_window_waits() -> None:
    pacer = Pacer(Pacing(window=2), 0.5)
    sent = [pacer.commands(kernel(f"k{i}", 1.0, overhead=0.25), 0.0)[0] for i in range(5)]
    assert [entry.waits for entry in sent] == [False, False, True, False, True]
    assert [entry.overhead for entry in sent] == [0.25, 0.25, 0.75, 0.25, 0.75]


def test_blocks_count_as_commands() -> None:
    """A kernel of three blocks after one command, in windows of two: its second block begins a window."""
    parts = commands(kernel("k", 10.0, overhead=0.25), limit=5.0, window=2, overhead=0.25, wait=0.5, before=1)
    assert [part.waits for part in parts] == [False, True, False]
    assert [part.overhead for part in parts] == [0.25, 0.75, 0.25]


# --- on the phone ---------------------------------------------------------------------------------------------


def rows(*apps: Inference, **options):
    simulation = Simulation(toy(**options), list(apps), kernels=True)
    simulation.validate()
    found = [r for r in simulation.run().kernels if r.kind == "kernel"]
    return sorted((r.start_s, r.end_s, r.app, r.operator) for r in found)


def app(text: str, name: str = "net", **options) -> Inference:
    graph = net(text)
    plan = {op.name: GPU for op in graph}
    return Inference(graph, Fixed(plan), library=LIBRARY, name=name, **{"count": 1, **options})


def test_an_inference_in_blocks() -> None:
    """16 operations at 8/s take 2 s: in blocks of less than 0.75 s, three."""
    whole = rows(app("a:16 x"))
    start, end = whole[0][:2]
    blocks = rows(app("a:16 x", kernel_limit="0.75 s"))
    assert len(blocks) == 3
    times = [start + (end - start) * i / 3 for i in range(4)]
    assert [row[:2] for row in blocks] == [pytest.approx(times[i : i + 2]) for i in range(3)]


def test_blocks_let_others_in_between() -> None:
    """With kernels of 4 s the second application waits for one of them; in blocks of 1 s for a quarter of it."""

    def waits(**pacing) -> float:
        long = app("a:32 x; b:32 a", "long", **pacing)
        short = app("s:8 x", "short", arrivals=["4 s"], count=None)
        return next(row[0] for row in rows(long, short) if row[2] == "short")

    assert waits(kernel_limit="1.5 s", queue_window=1) < waits() - 1.0


# --- the host waits for every operator ------------------------------------------------------------------------


def chain(blocking: bool, dispatch: float = 1.0, text: str = "a:16 x; b:16 a; c:16 b") -> list:
    return rows(app(text, blocking=blocking), gpu={"dispatch": dispatch})


def test_host_and_gpu_in_turns() -> None:
    """Kernels of 2 s, each enqueued for 1 s after the one before it has been seen to end."""
    beside, turns = chain(False), chain(True)
    first = turns[0]
    assert first == beside[0]
    assert beside[1][0] == first[1]
    wait = SYNC + 1.0
    assert [row[0] for row in turns[1:]] == pytest.approx([first[1] + wait, first[1] + 2.0 + 2 * wait])
    assert [row[1] - row[0] for row in turns] == pytest.approx([2.0] * 3)


def test_a_slow_host_is_waited_for_either_way() -> None:
    """Where dispatches of 3 s decide, blocking adds the kernels: 2 s and the wait for each but the last."""
    beside, turns = chain(False, 3.0), chain(True, 3.0)
    assert turns[-1][1] - beside[-1][1] == pytest.approx(2 * (2.0 + SYNC))


def test_operators_on_the_cpu_are_not_waited_for() -> None:
    graph = net("a:16 x; b:16 a")
    times = []
    for blocking in (False, True):
        app = Inference(graph, "cpu", library=LIBRARY, count=1, blocking=blocking)
        times.append(Simulation(toy(), [app]).run().inferences[0].finish_s)
    assert times[0] == times[1]


def test_blocking_is_a_part_of_what_is_run_again() -> None:
    told = [describe(app("a:8 x", blocking=blocking)) for blocking in (True, False)]
    assert [entry.get("blocking") for entry in told] == [True, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocking": 1}, "blocking must be true or false, got 1"),
        ({"kernel_limit": "-1 ms"}, "kernel_limit"),
        ({"queue_window": -1}, "queue_window"),
        ({"queue_window": 1.5}, "queue_window"),
    ],
)
def test_impossible_limits_are_refused(options, message) -> None:
    with pytest.raises(SocsimError, match=message):
        app("a:8 x", **options)
