"""Frames as results: counts and shares, stutter, the table, text, JSON, files, traces, and running it again."""

from __future__ import annotations

import json
import shlex
from math import isnan

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_samples import mixed_outcome, strict_json
from rich.console import Console

from socsim.cli import main
from socsim.errors import UnknownNameError
from socsim.results import frames
from socsim.results.metrics import METRICS, metrics
from socsim.results.render import render_applications
from socsim.results.result import Result
from socsim.results.service import SERVICE
from socsim.results.shown import SHOWN, frame_apps, frame_drop_share, shown
from socsim.results.trace import trace_document
from socsim.results.trace_check import trace_faults
from socsim.results.tracks import tracks
from socsim.simulation.framelog import FRAME_STATUSES, FrameLog

DROP, NEVER = "drop", None


def log(*fates, app: str = "video", period: float = 0.25, end: float = 100.0):
    """Frames of an application, each with the instant of its composition, ``DROP`` or ``NEVER``."""
    kept = FrameLog(app)
    for number, fate in enumerate(fates):
        kept.begin(number * period, (number + 1) * period)
        if fate == DROP:
            kept.drop(number)
        elif fate is not NEVER:
            kept.finish(number, fate)
    return tuple(kept.records(end))


def row(*fates, end: float = 1.25, **options):
    return shown(mixed_outcome(frames=log(*fates, end=end, **options), duration_s=end))


# --- the log --------------------------------------------------------------------------------------------------


def test_what_becomes_of_a_frame() -> None:
    """Vsyncs every 0.25 s; the run ends at 1.1, before the last frame's vsync at 1.25."""
    records = log(0.25, 0.6, DROP, NEVER, NEVER, end=1.1)
    assert [r.status for r in records] == ["presented", "late", "dropped", "late", "pending"]
    assert [r.composed_s for r in records] == [0.25, 0.6, -1.0, -1.0, -1.0]
    assert [(r.number, r.begin_s, r.due_s) for r in records][:2] == [(0, 0.0, 0.25), (1, 0.25, 0.5)]


def test_rounding_makes_no_frame_late() -> None:
    assert log(0.25 * (1 + 1e-13))[0].status == "presented"
    assert log(0.25 * (1 + 1e-9))[0].status == "late"


# --- counts and shares ----------------------------------------------------------------------------------------


def test_counts_and_shares() -> None:
    found = row(0.1, 0.6, DROP, 0.9, NEVER, end=1.1)
    counts = {key: found[key] for key in ("frames", *FRAME_STATUSES)}
    assert counts == {"frames": 5, "presented": 2, "late": 1, "dropped": 1, "pending": 1}
    assert (found["frame_drop_share"], found["missed_share"]) == (0.25, 0.5)


def test_latencies_are_of_composed_frames() -> None:
    found = row(0.125, 0.75, DROP, NEVER)
    assert found["latency_ms_mean"] == pytest.approx((125 + 500) / 2)
    assert found["latency_ms_p50"] == pytest.approx(312.5)
    assert found["latency_ms_p95"] == pytest.approx(125 + 0.95 * 375)


def test_a_perfect_video() -> None:
    found = row(0.1, 0.3, 0.6, 0.9, end=1.0)
    assert (found["jank_count"], found["longest_freeze_ms"], found["fps_shown"]) == (0, 0.0, 4.0)
    assert (found["frame_drop_share"], found["missed_share"]) == (0.0, 0.0)


def test_a_run_of_missed_vsyncs_is_one_jank() -> None:
    """Seen at the vsyncs 0.25, 1.0 (composed at 0.8) and 1.5: two janks, of two vsyncs and of one."""
    found = row(0.1, 0.8, DROP, DROP, DROP, 1.4, end=1.5)
    assert (found["jank_count"], found["longest_freeze_ms"]) == (2, 500.0)
    assert found["fps_shown"] == pytest.approx(3 / 1.5)


def test_frames_that_are_all_one_vsync_late_stutter_once() -> None:
    """With two buffers: composed one vsync after they should be, one at every vsync but the first."""
    found = row(0.5, 0.75, 1.0, 1.25, end=1.25)
    assert (found["presented"], found["late"], found["jank_count"]) == (0, 4, 1)
    assert found["longest_freeze_ms"] == 250.0


def test_of_two_frames_between_vsyncs_one_is_seen() -> None:
    """Both are composed in (0.5, 0.75]."""
    found = row(0.6, 0.7, 0.9, end=0.75)
    assert found["fps_shown"] == pytest.approx(1 / 0.75)
    assert found["jank_count"] == 1


def test_a_frozen_video() -> None:
    found = row(NEVER, DROP, DROP, DROP, end=1.0)
    assert (found["late"], found["dropped"], found["fps_shown"]) == (1, 3, 0.0)
    assert (found["jank_count"], found["longest_freeze_ms"]) == (1, 1000.0)
    assert found["latency_ms_mean"] is None


def test_before_the_first_vsync_nothing_is_known() -> None:
    found = row(NEVER, end=0.2)
    assert found["pending"] == found["frames"] == 1
    unknown = {key for key, value in found.items() if value is None}
    assert unknown == {
        "frame_drop_share", "missed_share", "latency_ms_mean", "latency_ms_p50", "latency_ms_p95", "jank_count",
        "longest_freeze_ms", "fps_shown", "app_energy_mj",
    }  # fmt: skip


def test_keys_are_the_documented_ones() -> None:
    assert list(row(0.1)) == list(SHOWN)


def test_an_unknown_application_is_refused() -> None:
    outcome = mixed_outcome(frames=log(0.1))
    with pytest.raises(
        UnknownNameError, match=r"unknown application with frames 'vidoe'; did you mean 'video'\?"
    ):
        shown(outcome, "vidoe")
    with pytest.raises(UnknownNameError):
        shown(mixed_outcome())


FATES = st.lists(
    st.one_of(st.just(DROP), st.floats(0.001, 0.24), st.floats(0.26, 2.0)), min_size=1, max_size=12
)


@given(FATES)
def test_shares_and_what_was_seen_fit_together(fates) -> None:
    """Fates are times from begin to composition."""
    at = [fate if fate == DROP else 0.25 * i + fate for i, fate in enumerate(fates)]
    end = 0.25 * len(fates)
    found = row(*at, end=end)
    assert sum(found[status] for status in FRAME_STATUSES) == found["frames"] == len(fates)
    assert 0.0 <= found["frame_drop_share"] <= found["missed_share"] <= 1.0
    seen = round(found["fps_shown"] * end)
    assert found["presented"] <= seen <= found["presented"] + found["late"]
    still = len(fates) - seen
    assert found["jank_count"] <= still
    assert (found["jank_count"] == 0) == (still == 0)
    assert found["longest_freeze_ms"] <= still * 250.0


# --- rows -----------------------------------------------------------------------------------------------------


def both():
    """One inference and two applications with frames, one of them without a frame that was due."""
    records = (*log(0.1, DROP, 0.7, 0.9, end=1.0), *log(NEVER, app="ui", period=2.0, end=1.0))
    return mixed_outcome(frames=records, duration_s=1.0)


def test_share_of_all_applications() -> None:
    assert frame_drop_share(both()) == 0.25
    assert metrics(both())["frame_drop_share"] == 0.25
    assert frame_drop_share(mixed_outcome()) is None
    assert frame_apps(both()) == ["video", "ui"]


def test_rows_of_a_run_without_frames_are_what_they_were() -> None:
    rows = Result(mixed_outcome()).rows()
    assert list(rows[0]) == ["app", *METRICS, *SERVICE]


def test_rows_with_frames() -> None:
    infers, video, ui = rows = Result(both()).rows()
    assert all(list(r) == list(infers) for r in rows)
    assert [r["app"] for r in rows] == ["app", "video", "ui"]
    assert infers["frames"] is infers["jank_count"] is None
    assert (infers["model"], infers["frame_drop_share"]) == ("tiny", 0.25)
    assert (video["model"], video["energy_mj"], video["device"]) == (None, None, "toy")
    assert (video["frames"], video["dropped"], video["frame_drop_share"]) == (4, 1, 0.25)
    assert (ui["frames"], ui["pending"], ui["frame_drop_share"]) == (1, 1, None)
    assert video["power_w"] == infers["power_w"]
    assert strict_json(rows) == rows


def test_a_video_alone_has_a_row() -> None:
    result = Result(mixed_outcome(frames=log(0.1, 0.3), apps={}, inferences=(), kernels=()))
    assert [r["app"] for r in result.rows()] == ["video"]
    assert result.summary()["presented"].tolist() == [2]
    assert result.shown()["frames"] == 2


# --- the table ------------------------------------------------------------------------------------------------


def test_the_table() -> None:
    table = Result(both()).frames
    assert list(table.columns) == list(frames.COLUMNS["frames"])
    assert table["status"].tolist() == ["presented", "dropped", "presented", "presented", "pending"]
    assert table["number"].tolist() == [0, 1, 2, 3, 0]
    assert table["begin_ms"].tolist() == [0.0, 250.0, 500.0, 750.0, 0.0]
    assert table["due_ms"].tolist() == [250.0, 500.0, 750.0, 1000.0, 2000.0]
    assert table["composed_ms"].isna().tolist() == [False, True, False, False, True]
    assert table["latency_ms"].dropna().tolist() == pytest.approx([100.0, 200.0, 150.0])


@pytest.mark.parametrize("fates", [(), (DROP, DROP), (0.1, 0.3), (0.1, DROP)])
def test_times_are_nullable_and_never_nan(fates) -> None:
    table = frames.frames_frame(mixed_outcome(frames=log(*fates)))
    for column in ("composed_ms", "latency_ms"):
        assert table[column].dtype == pd.Float64Dtype()
        assert not any(isinstance(value, float) and isnan(value) for value in table[column])


# --- text -----------------------------------------------------------------------------------------------------


def text_of(outcome) -> str:
    console = Console(width=140, color_system=None)
    with console.capture() as capture:
        console.print(render_applications(Result(outcome)))
    return capture.get()


def test_text_has_a_table_of_frames() -> None:
    lines = text_of(both()).splitlines()
    video = next(line for line in lines if line.startswith("video"))
    assert video.split() == [
        "video",
        "4",
        "3",
        "0",
        "1",
        "0",
        "25.0%",
        "25.0%",
        "150.00",
        "195.00",
        "1",
        "250.0",
        "3.00",
        "0.0",
    ]
    ui = next(line for line in lines if line.startswith("ui"))
    assert ui.split() == ["ui", "1", "0", "0", "0", "1", "-", "-", "-", "-", "-", "-", "-", "-"]


def test_text_of_a_run_without_frames_has_none() -> None:
    assert "janks" not in text_of(mixed_outcome())


def test_text_of_a_video_alone() -> None:
    text = text_of(mixed_outcome(frames=log(0.1), apps={}, inferences=(), kernels=()))
    assert text.startswith("toy, 10.0 ms simulated")
    assert "fin-" not in text and "video" in text


# --- traces ---------------------------------------------------------------------------------------------------


def test_tracks_of_frames() -> None:
    outcome = mixed_outcome(frames=log(0.1, 0.6, DROP, NEVER, end=1.0), duration_s=1.0)
    own = [track for track in tracks(outcome) if track.name.startswith("video")]
    assert [(t.group, t.name) for t in own] == [("applications", "video"), ("applications", "video (2)")]
    spans = [(s.name, s.start, s.end) for track in own for s in track.slices]
    assert spans == [
        ("video #0", 0, 100_000_000),
        ("video #1 late", 250_000_000, 600_000_000),
        ("video #3 late", 750_000_000, 1_000_000_000),
        ("video #2 dropped", 500_000_000, 750_000_000),
    ]
    assert dict(own[0].slices[0].args) == {"status": "presented", "due_ms": 250.0}


def test_frames_under_way_at_the_end_are_drawn_to_the_end() -> None:
    outcome = mixed_outcome(frames=log(0.1, NEVER, end=0.3), duration_s=0.3)
    last = next(t for t in tracks(outcome) if t.name == "video").slices[-1]
    assert (last.name, last.start, last.end) == ("video #1 pending", 250_000_000, 300_000_000)


def test_a_trace_with_frames_is_sound() -> None:
    outcome = mixed_outcome(frames=log(0.1, 0.8, DROP, DROP, 1.2, end=1.25), duration_s=1.25)
    document = trace_document(outcome)
    assert trace_faults(document) == []
    drawn = [e for e in document["traceEvents"] if e.get("cat") == "frame"]
    assert [e["args"]["status"] for e in drawn] == ["presented", "late", "presented", "dropped", "dropped"]


# --- files and commands ---------------------------------------------------------------------------------------

BUSY = """
device: xiaomi-9
duration: 0.4 s
seed: 3
apps:
  - {kind: inference, name: net, model: mobilenet_v1, scheduler: gpu}
  - {kind: video, fps: 30}
  - {kind: ui, fps: 60, render: 2 ms, compose: 2 ms, buffers: 2, name: list}
  - {kind: competitor, threads: 2, duty: 0.5, traffic: 1 GB/s}
"""


def run(command: str, capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command))
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    return captured.out


@pytest.fixture
def busy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "busy.yaml").write_text(BUSY)
    return tmp_path


def test_an_experiment_with_frames_is_saved_and_run_again(busy, capsys) -> None:
    first = json.loads(run("run busy.yaml --json -o out", capsys))
    assert [r["app"] for r in first] == ["net", "video", "list"]
    table = pd.read_parquet("out/frames.parquet")
    assert table.groupby("app").size().to_dict() == {"list": 24, "video": 12}
    assert pd.read_parquet("out/summary.parquet")["frames"].dropna().tolist() == [12, 24]
    again = json.loads(run("run out --json -o again", capsys))
    assert again == first
    pd.testing.assert_frame_equal(pd.read_parquet("again/frames.parquet"), table)


def test_json_has_nulls_for_what_does_not_exist(busy, capsys) -> None:
    net, video, _ = json.loads(run("run busy.yaml --json", capsys))
    assert net["frames"] is None and video["model"] is None
    assert net["frame_drop_share"] is not None


def test_a_video_is_named_by_its_kind_in_overrides(busy, capsys) -> None:
    rows = json.loads(run("run busy.yaml --json -s apps.video.fps=60", capsys))
    assert rows[1]["frames"] == 24


def test_the_shipped_experiment_loses_most_frames(capsys) -> None:
    rows = json.loads(run("run video-and-vgg -s layout=buffer -s mitigation=none --json", capsys))
    video = rows[1]
    assert video["frames"] == 300
    assert video["frame_drop_share"] > 0.8
    assert video["fps_shown"] < 6.0
