"""Traces: exact on a small run, sound on long ones."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results_samples import kernel, long_outcome, many_inferences, mixed_outcome, sharing

from socsim.results.trace import trace_document, write_trace
from socsim.results.trace_check import read_trace, trace_faults
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.processlog import ProcessRecord, SpanRecord
from socsim.simulation.records import ClockRecord, SwitchRecord, TemperatureRecord


def names(document):
    return {e["tid"]: e["args"]["name"] for e in document["traceEvents"] if e["name"] == "thread_name"}


def slices(document):
    """(track, name, category, start us, duration us) of every slice."""
    track = names(document)
    return [
        (track[e["tid"]], e["name"], e["cat"], e["ts"], e["dur"])
        for e in document["traceEvents"]
        if e["ph"] == "X"
    ]


def flows(document):
    track = names(document)
    return [(e["id"], e["ph"], track[e["tid"]], e["ts"]) for e in document["traceEvents"] if e["ph"] in "stf"]


def counter(document, name):
    return [
        (e["ts"], e["args"]["value"]) for e in document["traceEvents"] if e["ph"] == "C" and e["name"] == name
    ]


# --- the small run --------------------------------------------------------------------------------


def busy_outcome():
    """A process on core 2 from 1 to 3 and 4 to 5 ms, and its kernel on the GPU; its video on core 3."""
    span = SpanRecord("busy", "0", 2, 0.001, 0.003, 1.0)
    return mixed_outcome(
        kernels=(*mixed_outcome().kernels, kernel("busy", 6.0, 7.0, app="busy", kernel_class="other")),
        spans=(
            span,
            SpanRecord("video", "render", 3, 0.001, 0.002, 1.0),
            span._replace(start_s=0.004, end_s=0.005),
        ),
        processes=(
            ProcessRecord("busy", "competitor", "busy", "cpu", 0.003),
            ProcessRecord("busy", "competitor", "busy", "gpu", 0.001),
            ProcessRecord("video", "video", "video", "cpu", 0.001),
        ),
    )


def test_other_processes_have_rows_and_a_category_of_their_own():
    found = slices(trace_document(busy_outcome()))
    assert [s for s in found if "others" in s[0]] == [
        ("core 2 (gold), others", "busy", "competitor", 1000.0, 2000.0),
        ("core 2 (gold), others", "busy", "competitor", 4000.0, 1000.0),
        ("core 3 (prime), others", "video", "video", 1000.0, 1000.0),
    ]
    assert ("gpu", "busy #0", "competitor", 6000.0, 1000.0) in found
    assert [s for s in found if "busy" not in s[1] and "video" not in s[1]] == slices(
        trace_document(mixed_outcome())
    )
    assert trace_faults(trace_document(busy_outcome())) == []


def test_a_core_that_only_others_use_is_shown():
    outcome = mixed_outcome(
        spans=(SpanRecord("v", "r", 0, 0.0, 0.001, 1.0),),
        processes=(ProcessRecord("v", "ui", "v", "cpu", 0.001),),
    )
    assert ("core 0 (silver), others", "v", "ui", 0.0, 1000.0) in slices(trace_document(outcome))


def test_power_follows_what_others_do():
    """Only busy computes from 4 to 5 ms on the gold core."""
    before, after = (
        counter(trace_document(o), "power cpu.gold [W]") for o in (mixed_outcome(), busy_outcome())
    )
    assert 4000.0 not in dict(before)
    assert dict(after)[4000.0] > dict(after)[5000.0]


def test_slices_of_a_small_run():
    assert slices(trace_document(mixed_outcome())) == [
        ("app", "app #0", "inference", 0.0, 8000.0),
        ("core 2 (gold)", "app #0", "inference", 6000.0, 2000.0),
        ("core 2 (gold)", "softmax", "softmax", 6000.0, 2000.0),
        ("core 3 (prime)", "app #0", "inference", 6000.0, 2000.0),
        ("core 3 (prime)", "softmax", "softmax", 6000.0, 2000.0),
        ("gpu", "app #0", "inference", 0.0, 5000.0),
        ("gpu", "conv1", "gemm", 0.0, 2000.0),
        ("gpu", "conv2", "winograd", 2000.0, 3000.0),
        ("sharing", "app #0", "inference", 5000.0, 1000.0),
        ("sharing", "softmax", "operator", 5000.0, 1000.0),
        ("sharing", "map softmax", "map", 5000.0, 500.0),
        ("sharing", "sync softmax", "sync", 5500.0, 500.0),
    ]


def test_a_hand_over_is_an_arrow_from_kernel_to_kernel_through_its_steps():
    assert flows(trace_document(mixed_outcome())) == [
        (1, "s", "gpu", 4999.999),
        (1, "t", "sharing", 5000.0),
        (1, "t", "sharing", 5500.0),
        (1, "f", "core 2 (gold)", 6000.0),
    ]


def test_counters_of_a_small_run():
    document = trace_document(mixed_outcome())
    assert counter(document, "DRAM traffic [GB/s]") == [
        (0.0, pytest.approx(0.5)),
        (2000.0, pytest.approx(1 / 3)),
        (5000.0, 0.0),
        (6000.0, pytest.approx(0.5)),
        (8000.0, 0.0),
    ]
    assert counter(document, "power gpu [W]") == [(0.0, pytest.approx(1.8)), (5000.0, pytest.approx(0.2))]
    assert counter(document, "clock gpu [MHz]") == [(0.0, 585.0)]


def test_the_trace_says_what_it_is_of():
    assert trace_document(mixed_outcome())["otherData"] == {"device": "toy", "seed": 7, "duration_ms": 10.0}


def test_slices_carry_what_is_known_of_them():
    events = trace_document(mixed_outcome())["traceEvents"]
    args = {e["name"]: e["args"] for e in events if e["ph"] == "X"}
    assert args["conv1"]["bytes"] == 1e6
    assert args["map softmax"] | {"from": "gpu", "to": "cpu"} == args["map softmax"]


# --- what else may happen -------------------------------------------------------------------------


def test_overlapping_inferences_of_an_application_get_further_lines():
    records = (
        InferenceRecord("app", 0, 0.0, 0.0, 0.004, "finished"),
        InferenceRecord("app", 1, 0.001, 0.002, 0.006, "finished"),
    )
    found = [
        (track, name)
        for track, name, *_ in slices(trace_document(mixed_outcome(inferences=records, kernels=())))
    ]
    assert found == [("app", "app #0"), ("app (2)", "app #1")]


def test_kernels_that_share_a_core_in_time_get_further_lines():
    records = (
        kernel("a", 0, 4, on="cpu", cores=(1,)),
        kernel("b", 1, 6, on="cpu", cores=(1,), app="other"),
    )
    document = trace_document(mixed_outcome(kernels=records, inferences=()))
    assert {track for track, *_ in slices(document)} == {"core 1 (silver)", "core 1 (silver) (2)"}
    assert trace_faults(document) == []


def test_an_unfinished_inference_lasts_until_the_end_and_a_queued_one_is_not_shown():
    records = (
        InferenceRecord("app", 0, 0.0, 0.002, -1, "running"),
        InferenceRecord("app", 1, 0.0, -1, -1, "queued"),
    )
    document = trace_document(mixed_outcome(inferences=records, kernels=()))
    assert slices(document) == [("app", "app #0", "inference", 2000.0, 8000.0)]


def test_a_dispatch_that_waits_for_the_host_is_sharing_and_one_on_a_core_is_work():
    waiting = kernel("a", 0, 1, kind="dispatch", kernel_class="", source="cpu", dram_bytes=0.0)
    working = kernel("a", 1, 2, on="cpu", kind="dispatch", kernel_class="", cores=(0,), dram_bytes=0.0)
    document = trace_document(mixed_outcome(kernels=(waiting, working), inferences=()))
    assert {track for track, *_ in slices(document)} == {"sharing", "core 0 (silver)"}
    assert flows(document) == []


def test_a_transform_is_work_of_the_accelerator_and_part_of_the_hand_over():
    records = (
        kernel("a", 0, 1, on="cpu", cores=(0,)),
        sharing("b", "map", "cpu", "gpu", 1, 2),
        kernel("b", 2, 3, kind="transform", kernel_class="", source="gpu"),
        kernel("b", 3, 5),
    )
    document = trace_document(mixed_outcome(kernels=records))
    assert ("gpu", "transform b", "transform", 2000.0, 1000.0) in slices(document)
    assert ("gpu", "b", "operator", 2000.0, 3000.0) in slices(document)
    assert [step[1:3] for step in flows(document)] == [
        ("s", "core 0 (silver)"),
        ("t", "sharing"),
        ("f", "gpu"),
    ]


def test_halves_of_an_operator_are_joined_where_the_next_kernel_reads_them():
    records = (
        kernel("a", 0, 2, on="cpu", cores=(0,), share=0.3),
        kernel("a", 0, 3, share=0.7),
        sharing("a", "map", "cpu", "gpu", 3, 4),
        kernel("b", 4, 5),
    )
    steps = flows(trace_document(mixed_outcome(kernels=records)))
    assert steps[-1][1:] == ("f", "gpu", 4000.0)


def test_a_hand_over_that_no_kernel_reads_has_no_arrow():
    records = (kernel("a", 0, 2), sharing("output", "map", "gpu", "cpu", 2, 3))
    assert flows(trace_document(mixed_outcome(kernels=records))) == []


def test_times_too_short_to_tell_apart_still_nest():
    records = tuple(kernel(f"k{i}", i * 1e-7, (i + 1) * 1e-7) for i in range(30))
    assert trace_faults(trace_document(mixed_outcome(kernels=records))) == []


@pytest.mark.parametrize("split", [False, True])
def test_long_runs_give_sound_traces(split):
    document = trace_document(long_outcome("codl", 150, split=split))
    assert trace_faults(document) == []
    assert sum(step[1] == "s" for step in flows(document)) >= 14


def _whole_nanoseconds(limit_s: int) -> st.SearchStrategy[float]:
    return st.integers(0, limit_s * 10**9).map(lambda ns: ns * 1e-9)


times = st.tuples(_whole_nanoseconds(9), _whole_nanoseconds(3))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(times, st.integers(0, 3), st.sampled_from(["kernel", "map", "sync", "transform"])),
        max_size=30,
    )
)
def test_any_records_give_a_sound_trace(drawn):
    records = []
    for i, ((start, length), place, kind) in enumerate(drawn):
        on, cores = ("gpu", ()) if place == 3 else ("cpu", (place, 3) if kind == "kernel" else ())
        source = "" if kind == "kernel" else "gpu" if on == "cpu" else "cpu"
        records.append(
            kernel(
                f"op{i % 7}",
                start,
                start + length,
                on=on,
                cores=cores,
                kind=kind,
                source=source,
                inference=i % 2,
            )
        )
    ordered = tuple(sorted(records, key=lambda r: r.end_s))
    assert trace_faults(trace_document(mixed_outcome(kernels=ordered))) == []


# --- files ----------------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for name in ("a.json.gz", "b.json.gz"):
        write_trace(long_outcome("gpu", 50), tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_trace_is_read_back_gzipped_or_not(tmp_path):
    outcome = mixed_outcome()
    for name in ("trace.json", "trace.json.gz"):
        write_trace(outcome, tmp_path / name)
        assert read_trace(tmp_path / name) == trace_document(outcome)
    assert json.loads((tmp_path / "trace.json").read_text()) == trace_document(outcome)
    assert (
        gzip.decompress((tmp_path / "trace.json.gz").read_bytes()) == (tmp_path / "trace.json").read_bytes()
    )


# --- the check itself -----------------------------------------------------------------------------


def broken(change):
    document = deepcopy(trace_document(mixed_outcome()))
    change(document["traceEvents"])
    return trace_faults(document)


def event(events, ph, name=""):
    return next(e for e in events if e["ph"] == ph and (not name or e["name"] == name))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda ev: event(ev, "X", "conv1").update(dur=2500.0), "without nesting"),
        (lambda ev: event(ev, "X", "conv1").update(ts=-1.0), "negative time"),
        (lambda ev: ev.remove(event(ev, "f")), "needs one start and one end"),
        (lambda ev: ev.append(dict(event(ev, "s"))), "needs one start and one end"),
        (lambda ev: event(ev, "f").update(ts=1000.0), "goes back in time"),
        (
            lambda ev: event(ev, "s").update(ts=5100.0, tid=event(ev, "X", "conv1")["tid"]),
            "outside every slice",
        ),
        (lambda ev: [e for e in ev if e["name"] == "power gpu [W]"][1].update(ts=-5.0), "goes back from"),
        (lambda ev: ev.remove(event(ev, "M", "thread_name")), "has no name"),
    ],
)
def test_faults_are_found(change, fault):
    assert any(fault in text for text in broken(change)), broken(change)


def test_many_inferences_nest_on_one_line():
    document = trace_document(mixed_outcome(inferences=many_inferences([10] * 20, period_ms=10), kernels=()))
    assert {track for track, *_ in slices(document)} == {"app"}
    assert trace_faults(document) == []


# --- frames, switches and ids ---------------------------------------------------------------------


def test_frames_last_from_their_vsync_to_their_composition():
    """A dropped one to the vsync that it missed, a pending one to the end; those that overlap go on further lines."""
    records = (
        FrameRecord("film", 0, 0.000, 0.002, 0.001, "presented"),
        FrameRecord("film", 1, 0.002, 0.004, 0.005, "late"),
        FrameRecord("film", 2, 0.004, 0.006, -1.0, "dropped"),
        FrameRecord("film", 3, 0.006, 0.012, -1.0, "pending"),
        FrameRecord("film", 4, 0.008, 0.012, -1.0, "dropped"),
        FrameRecord("film", 5, 0.009, 0.012, 0.009, "presented"),
    )
    document = trace_document(mixed_outcome(frames=records, inferences=(), kernels=()))
    assert slices(document) == [
        ("film", "film #0", "frame", 0.0, 1000.0),
        ("film", "film #1 late", "frame", 2000.0, 3000.0),
        ("film", "film #3 pending", "frame", 6000.0, 4000.0),
        ("film (2)", "film #2 dropped", "frame", 4000.0, 2000.0),
        ("film (2)", "film #4 dropped", "frame", 8000.0, 2000.0),
    ]
    args = [e["args"] for e in document["traceEvents"] if e["ph"] == "X"]
    assert args[0] == {"status": "presented", "due_ms": 2.0}
    assert trace_faults(document) == []


def test_a_frame_composed_at_the_very_start_is_no_frame_under_way():
    records = (FrameRecord("film", 0, 0.0, 0.002, 0.0, "presented"),)
    assert slices(trace_document(mixed_outcome(frames=records, inferences=(), kernels=()))) == []


def test_switches_come_before_the_inferences_that_wait_for_them():
    """The last one is cut off by the end of the run."""
    outcome = mixed_outcome(
        kernels=(),
        inferences=(InferenceRecord("app", 0, 0.0, 0.002, 0.005, "finished", -1.0, 3, "gpu"),),
        switches=(
            SwitchRecord("app", 0, 0.0, 0.002, 3, "gpu"),
            SwitchRecord("app", 1, 0.008, 0.020, 1, ""),
            SwitchRecord("nobody", 1, 0.008, 0.020, 1, ""),
        ),
    )
    document = trace_document(outcome)
    assert slices(document) == [
        ("app", "switch to level 3 on gpu", "switch", 0.0, 2000.0),
        ("app", "app #0", "inference", 2000.0, 3000.0),
        ("app", "switch to level 1", "switch", 8000.0, 2000.0),
    ]
    args = {e["name"]: e["args"] for e in document["traceEvents"] if e["ph"] == "X"}
    assert args["app #0"] == {"wait_ms": 2.0, "status": "finished", "level": 3, "place": "gpu"}
    assert args["switch to level 1"] == {"level": 1}


def test_arguments_of_a_kernel_are_those_that_say_something():
    records = (
        kernel("whole", 0, 1, kernel_class="gemm", dram_bytes=0.0),
        kernel("half", 1, 2, kernel_class="", share=0.5),
    )
    events = trace_document(mixed_outcome(kernels=records))["traceEvents"]
    args = {e["name"]: e["args"] for e in events if e["ph"] == "X" and "operator" in e["args"]}
    common = {"app": "app", "inference": 0, "kind": "kernel"}
    assert args["whole"] == {**common, "operator": "whole", "kernel_class": "gemm"}
    assert args["half"] == {**common, "operator": "half", "bytes": 1e6, "share": 0.5}


def test_tracks_have_numbers_of_their_own_in_the_order_shown():
    """Groups in the order of the viewer, tracks numbered on from the first, none twice, all in a named group."""
    document = trace_document(long_outcome("codl", 60, split=True))
    groups = {e["pid"]: e["args"]["name"] for e in document["traceEvents"] if e["name"] == "process_name"}
    assert list(groups.items()) == [
        (1, "device"), (2, "applications"), (3, "cpu"), (4, "accelerators"), (5, "sharing"),
    ]  # fmt: skip
    orders = [e for e in document["traceEvents"] if e["name"].endswith("sort_index")]
    assert all(e["args"]["sort_index"] == (e["tid"] or e["pid"]) for e in orders)
    tracks = [(e["pid"], e["tid"]) for e in document["traceEvents"] if e["name"] == "thread_name"]
    assert [tid for _, tid in tracks] == list(range(100, 100 + len(tracks)))
    assert [pid for pid, _ in tracks] == sorted(pid for pid, _ in tracks)
    used = {(e["pid"], e["tid"]) for e in document["traceEvents"] if e["ph"] in "Xstf"}
    assert used == set(tracks)


def test_slices_come_in_order_of_start_and_outer_ones_first():
    """Viewers nest slices of a track as they come."""
    document = trace_document(long_outcome("codl", 60, split=True))
    own: dict[int, list[tuple[float, float]]] = {}
    for e in document["traceEvents"]:
        if e["ph"] == "X":
            own.setdefault(e["tid"], []).append((e["ts"], -e["dur"]))
    assert len(own) >= 4
    assert all(spans == sorted(spans) for spans in own.values())


def test_arrows_have_one_number_each():
    steps = flows(trace_document(long_outcome("codl", 60)))
    starts = [number for number, phase, *_ in steps if phase == "s"]
    assert starts == list(range(1, len(starts) + 1)) and len(starts) >= 6
    assert sorted(number for number, phase, *_ in steps if phase == "f") == starts


def test_an_arrow_leads_to_the_processor_that_got_the_data():
    """Something that starts earlier on another processor does not read them."""
    records = (
        kernel("a", 0, 2),
        sharing("b", "map", "gpu", "cpu", 2, 3),
        kernel("c", 3, 4),
        kernel("b", 5, 6, on="cpu", cores=(2,)),
    )
    assert [step[1:] for step in flows(trace_document(mixed_outcome(kernels=records)))] == [
        ("s", "gpu", 1999.999),
        ("t", "sharing", 2000.0),
        ("f", "core 2 (gold)", 5000.0),
    ]


def test_a_hand_over_without_a_kernel_is_passed_over_and_the_next_one_is_not():
    records = (
        sharing("a", "map", "cpu", "gpu", 0, 1),
        kernel("a", 1, 2),
        sharing("b", "map", "gpu", "cpu", 2, 3),
        kernel("b", 3, 4, on="cpu", cores=(0,)),
    )
    steps = flows(trace_document(mixed_outcome(kernels=records)))
    assert [step[:3] for step in steps] == [
        (1, "s", "gpu"), (1, "t", "sharing"), (1, "f", "core 0 (silver)"),
    ]  # fmt: skip


def test_clocks_and_temperatures_are_counters():
    outcome = mixed_outcome(
        clocks=(ClockRecord(0.0, "gpu", 585e6), ClockRecord(0.004, "gpu", 257e6)),
        temperatures=(TemperatureRecord(0.003, "skin", 31.5),),
    )
    document = trace_document(outcome)
    assert counter(document, "clock gpu [MHz]") == [(0.0, 585.0), (4000.0, 257.0)]
    assert counter(document, "temperature skin [C]") == [(3000.0, 31.5)]


def test_rails_and_meters_are_counters_of_their_own():
    outcome = mixed_outcome(rails={"soc": ("gpu", "dram"), "none": ()}, meters={"in": ("soc", "none")})
    document = trace_document(outcome)
    by_name = {
        name: dict(counter(document, f"power {name} [W]")) for name in ("gpu", "dram", "rail soc", "meter in")
    }
    assert by_name["rail soc"] == by_name["meter in"]
    assert by_name["rail soc"][0.0] == pytest.approx(by_name["gpu"][0.0] + by_name["dram"][0.0])
    assert counter(document, "power rail none [W]") == []
