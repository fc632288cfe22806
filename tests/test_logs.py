"""Records of inferences and frames in columns, and what a finished run is in brief."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from corekit import CPU, LIBRARY, Fixed, net, outcome
from hypothesis import given
from hypothesis import strategies as st

from socsim.schedulers.base import OnlineScheduler
from socsim.simulation.framelog import FrameLog, FrameRecord
from socsim.simulation.inferencelog import STATUSES, InferenceLog, InferenceRecord
from socsim.simulation.records import ComponentPower, Outcome
from socsim.simulation.rehearsing import copied, rehearsal_of
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

TIMES = st.floats(0.0, 1e6)
ANY_RECORD = st.builds(
    InferenceRecord,
    st.sampled_from(["net", "other", "third"]),
    st.integers(0, 2**40),
    TIMES,
    st.one_of(st.just(-1.0), TIMES),
    st.one_of(st.just(-1.0), TIMES),
    st.sampled_from(STATUSES),
    st.one_of(st.just(-1.0), TIMES),
    st.integers(0, 65535),
    st.sampled_from(["", "", "cpu", "gpu"]),
)


# --- inferences -----------------------------------------------------------------------------------------------


@given(st.lists(ANY_RECORD, max_size=12), st.data())
def test_columns_give_every_field_back(records: list[InferenceRecord], data: st.DataObject) -> None:
    """Also where records of some place follow and precede others of none, and after reading in between."""
    cut = data.draw(st.integers(0, len(records)))
    log = InferenceLog(records[:cut])
    assert list(log) == records[:cut]
    log.extend(records[cut:])
    assert list(log) == records
    if records:
        i = data.draw(st.integers(-len(records), len(records) - 1))
        assert log[i] == records[i]
    first, last = (data.draw(st.integers(-14, 14)) for _ in range(2))
    assert log[first:last] == records[first:last]
    assert log[::-1] == records[::-1]


@given(st.lists(ANY_RECORD, max_size=12))
def test_an_application_s_columns_are_those_of_its_records(records: list[InferenceRecord]) -> None:
    log = InferenceLog(records)
    for app in ("net", "other", "third", "nobody"):
        own, found = [r for r in records if r.app == app], log.of(app)
        for column, field in (
            (found.arrival, "arrival_s"), (found.start, "start_s"), (found.finish, "finish_s"),
            (found.origin, "origin_s"), (found.level, "level"),
        ):  # fmt: skip
            assert column.tolist() == [getattr(r, field) for r in own]
        for status in STATUSES:
            assert found.are(status).tolist() == [r.status == status for r in own]


@given(st.lists(ANY_RECORD, min_size=1, max_size=6), st.data())
def test_logs_are_equal_as_their_records_are(records: list[InferenceRecord], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(records) - 1))
    changed = records[i]._replace(level=records[i].level ^ 1)
    assert InferenceLog(records) == InferenceLog(records)
    assert InferenceLog(records) != InferenceLog([*records[:i], changed, *records[i + 1 :]])
    assert InferenceLog(records) != InferenceLog(records[:-1])


def test_what_is_not_said_is_a_first_stage_without_level_and_place() -> None:
    log = InferenceLog()
    log.add("net", 3, 1.0, 2.0, 4.0)
    assert tuple(log[0]) == ("net", 3, 1.0, 2.0, 4.0, "finished", -1.0, 0, "")
    assert log[0] == InferenceRecord("net", 3, 1.0, 2.0, 4.0, "finished")


def test_there_is_nothing_beyond_the_ends() -> None:
    log = InferenceLog([InferenceRecord("net", 0, 0.0, 0.0, 1.0, "finished")])
    for index in (1, -2):
        with pytest.raises(IndexError):
            log[index]


def test_a_chain_begins_with_its_first_stage() -> None:
    record = InferenceRecord("net", 0, 5.0, 6.0, 7.0, "finished")
    assert record.chain_start_s == 5.0
    assert record._replace(origin_s=0.0).chain_start_s == 0.0
    assert record._replace(origin_s=2.0).chain_start_s == 2.0


# --- frames ---------------------------------------------------------------------------------------------------


def frames(end: float, *composed: float | None) -> list[tuple[float, str]]:
    """(composed, status) of frames of 1 s at the end of a run; None for dropped, -1 for under way."""
    log = FrameLog("ui")
    for number, at in enumerate(composed):
        log.begin(float(number), number + 1.0)
        if at is None:
            log.drop(number)
        elif at >= 0.0:
            log.finish(number, at)
    records = list(log.records(end))
    assert [(r.app, r.number, r.begin_s, r.due_s) for r in records] == [
        ("ui", n, float(n), n + 1.0) for n in range(len(composed))
    ]
    return [(r.composed_s, r.status) for r in records]


def test_what_becomes_of_frames() -> None:
    """In time, at its vsync, after it, in no buffer, not yet at 5.5 s and not before its vsync either."""
    assert frames(5.5, 0.5, 2.0, 3.25, None, -1.0, -1.0) == [
        (0.5, "presented"),
        (2.0, "presented"),
        (3.25, "late"),
        (-1.0, "dropped"),
        (-1.0, "late"),
        (-1.0, "pending"),
    ]


def test_a_vsync_at_the_end_has_been_missed() -> None:
    assert frames(1.0, -1.0) == [(-1.0, "late")]
    assert frames(math.nextafter(1.0, 0.0), -1.0) == [(-1.0, "pending")]


def test_what_a_clock_rounds_is_in_time() -> None:
    assert frames(9.0, 1.0 + 2e-16) == [(1.0 + 2e-16, "presented")]
    assert frames(9.0, 1.0 + 1e-9) == [(1.0 + 1e-9, "late")]


def test_frames_are_told_as_they_are_when_asked() -> None:
    log = FrameLog("ui")
    log.begin(0.0, 1.0)
    assert list(log.records(0.5)) == [FrameRecord("ui", 0, 0.0, 1.0, -1.0, "pending")]
    log.finish(0, 0.75)
    assert list(log.records(0.75)) == [FrameRecord("ui", 0, 0.0, 1.0, 0.75, "presented")]


# --- in brief -------------------------------------------------------------------------------------------------


def brief(*records: InferenceRecord, **energies: Any) -> Outcome:
    """A run of 10 s of the applications a and b."""
    plain = outcome(net("a:4 x"), {"a": CPU})
    own = {"energy_j": {"cpu": 3.0, "dram": 2.0}, "rails_j": {"soc": 5.0}, "meters_j": {}, **energies}
    apps = dict.fromkeys(("a", "b"), plain.apps["net"])
    return replace(plain, duration_s=10.0, inferences=InferenceLog(records), apps=apps, **own)


def test_a_run_in_brief() -> None:
    """In order of arrival, whatever the order of finishing; without levels a network has its first."""
    found = rehearsal_of(
        brief(
            InferenceRecord("a", 1, 2.0, 2.0, 3.0, "finished", level=3),
            InferenceRecord("b", 0, 0.5, 0.5, 4.5, "finished"),
            InferenceRecord("a", 0, 1.0, 1.0, 7.0, "finished", level=2),
            InferenceRecord("a", 2, 3.0, -1.0, 4.0, "dropped"),
            InferenceRecord("a", 3, 8.0, 8.0, -1.0, "running", level=3),
            InferenceRecord("a", 4, 9.0, -1.0, -1.0, "queued"),
        )
    )
    assert found.duration_s == 10.0
    assert found.latencies_s == {"a": [6.0, 1.0], "b": [4.0]}
    assert found.arrivals_s == {"a": [1.0, 2.0], "b": [0.5]}
    assert found.levels == {"a": [2, 3], "b": [1]}
    assert found.unfinished == {"a": 3, "b": 0}


def test_who_had_nothing_to_do_is_told_too() -> None:
    found = rehearsal_of(brief())
    assert found.latencies_s == found.levels == {"a": [], "b": []}
    assert found.unfinished == {"a": 0, "b": 0}


def test_its_energy_is_told_as_meters_see_it() -> None:
    found = rehearsal_of(brief(meters_j={"board": 4.0}))
    assert found.energy_j == {"soc": 5.0, "board": 4.0, "total": 5.0}


class Learns(OnlineScheduler):
    """Keeps what it has seen."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def decide(self, view: Any) -> Any:
        return ()


def test_what_another_run_teaches_a_scheduler_is_its_own() -> None:
    """One that two applications share they share again; names and what is no inference stay as they are."""
    shared, own, rival = Learns(), Learns(), Competitor()
    graph = net("a:4 x")
    apps = [Inference(graph, s, library=LIBRARY, count=1) for s in (shared, shared, own, "cpu")]
    again = copied([*apps, rival])
    assert again[0].scheduler is again[1].scheduler is not shared
    assert again[2].scheduler not in (own, again[0].scheduler)
    assert again[3] is apps[3] and again[4] is rival
    again[0].scheduler.seen.append(1)
    assert shared.seen == [] == again[2].scheduler.seen
    assert again[0].model is graph and apps[0].scheduler is shared


def test_a_plan_is_copied_with_its_scheduler() -> None:
    (again,) = copied([Inference(net("a:4 x"), Fixed({"a": CPU}), library=LIBRARY, count=1)])
    assert again.scheduler.given == {"a": CPU}


# --- power ----------------------------------------------------------------------------------------------------


def test_idle_power_by_clock() -> None:
    """Of an accelerator what it draws clock-gated; at an unknown clock, and at none, that of the highest."""
    power = ComponentPower(0.5, 2.0, {1.0: 2.0, 0.5: 1.0}, {1.0: 0.5, 0.5: 0.25})
    assert [power.idle_at(clock) for clock in (None, 1.0, 0.5, 0.75)] == [0.5, 0.5, 0.25, 0.5]
    assert ComponentPower(0.25, 0.0).idle_at(1.0) == 0.25
