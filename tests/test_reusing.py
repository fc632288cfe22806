"""Reuse in time: what is compared, skipped, recomputed and told, worked out by hand on the toy phone.

A network of a 3 x 3 convolution of 8 operations over 4 rows takes 4 s on the CPU; frames of 64 B are compared in 1 s.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clikit import calling
from corekit import BUFFER, CPU, LIBRARY, SHARING, Fixed, net, rows, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_levels import family

import socsim
from socsim.errors import SimulationError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.results.inputs import input_hashes, located
from socsim.results.result import Result
from socsim.schedulers.base import OnlineScheduler
from socsim.schedulers.reuse import ReusePolicy
from socsim.schedulers.reuse.policies import FrameReuse, LayerReuse
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.sweeps.plan import load_sweep
from socsim.sweeps.running import run_points
from socsim.workloads.apps import Inference
from socsim.workloads.graph import ModelGraph

CONV = net("a:8:conv2d x")
EVERY_ROW = {"block": 1, "boundary": "0.5 s"}
"""Options of reuse in layers: the changed region is told row by row; each operator in part takes half a second more."""


class Frames(socsim.Scene):
    """Changed shares by a list, the last one for ever."""

    def __init__(self, *shares: float) -> None:
        self.shares = shares

    def changes(self, rng: Any) -> Any:
        yield from self.shares
        while True:
            yield self.shares[-1]


class Script(ReusePolicy):
    """Ways by a list; what it was asked is kept."""

    def __init__(self, *ways: Any, keeps: str = "frame") -> None:
        self.ways, self.keeps, self.asked = list(ways), keeps, []

    def __deepcopy__(self, memo: Any) -> Script:
        return self

    def decide(self, changed: float, skipped: int) -> Any:
        self.asked.append((round(changed, 9), skipped))
        return self.ways.pop(0)


class Online(OnlineScheduler):
    """Everything on the CPU, at once; from some inference on it drops what is ready."""

    def __init__(self, dropped: tuple[int, ...] = ()) -> None:
        self.dropped = dropped

    def decide(self, view: Any) -> Any:
        for job in view.ready:
            yield job.drop() if job.inference in self.dropped else job.on("cpu")


def app(scene: Any, reuse: Any, graph: ModelGraph = CONV, scheduler: Any = None, **options: Any) -> Inference:
    planner = scheduler or Fixed(dict.fromkeys(graph.operators, CPU))
    given = {"period": 10.0, "count": 4, **options}
    return Inference(graph, planner, library=LIBRARY, scene=scene, reuse=reuse, **given)


def run(*apps: Inference, device: Any = None, **options: Any) -> Outcome:
    simulation = Simulation(device or toy(bandwidth=128.0), apps, **{"mechanisms": SHARING, **options})
    simulation.validate()
    return simulation.run()


def spans(done: Outcome) -> list[tuple[float, float]]:
    return [(r.start_s, r.finish_s) for r in done.inferences]


def told(done: Outcome) -> list[tuple[Any, ...]]:
    """(changed, reused, computed, stale, frame shown) of each inference."""
    return [(round(r.changed, 9), r.reused, r.computed, round(r.stale, 9), r.shown_s) for r in done.reuse]


# --- frames ---------------------------------------------------------------------------------------------------


def test_a_frame_like_the_last_one_is_skipped() -> None:
    """The first is computed without comparing; the second only compared; the third compared, then computed."""
    done = run(app(Frames(0.7, 0.01, 0.5, 0.0), "frame"), kernels=True)
    assert spans(done) == [(0.0, 4.0), (10.0, 11.0), (20.0, 25.0), (30.0, 31.0)]
    assert rows(done) == [
        ("a@cpu", 0.0, 4.0),
        ("compare@cpu", 10.0, 11.0),
        ("compare@cpu", 20.0, 21.0),
        ("a@cpu", 21.0, 25.0),
        ("compare@cpu", 30.0, 31.0),
    ]
    assert told(done) == [
        (1.0, "none", 1.0, 0.0, 0.0),
        (0.01, "frame", 0.0, 0.01, 0.0),
        (0.505, "none", 1.0, 0.0, 20.0),
        (0.0, "frame", 0.0, 0.0, 30.0),
    ]


def test_comparing_runs_on_one_core_at_its_bandwidth_as_often_as_is_said() -> None:
    done = run(app(0.0, FrameReuse(passes=2.5), count=2), kernels=True)
    compare = done.kernels[-1]
    assert (compare.cores, compare.kernel_class, compare.dram_bytes) == ((0,), "compare", 2.5 * 128)
    assert compare.end_s - compare.start_s == 2.5
    assert done.busy_s["cpu"] * 4 == pytest.approx(4.0 + 2.5)


def test_changes_add_up_until_a_frame_is_computed() -> None:
    """10 % each time: 0.1, 0.19, 0.271 since the first; then the count begins again."""
    policy = Script("frame", "frame", "none", "frame")
    run(app(0.1, policy, count=5))
    assert policy.asked == [(0.1, 0), (0.19, 1), (0.271, 2), (0.1, 0)]


def test_frames_that_the_queue_drops_count_as_well() -> None:
    """Frames arrive each second; the second and third are dropped for the fourth, which begins at 3 s or later."""
    policy = Script("none", "none")
    done = run(app(0.5, policy, period=1.0, queue="latest", count=5))
    assert [r.number for r in done.inferences if r.status == "finished"] == [0, 3, 4]
    assert policy.asked == [(0.875, 0), (0.5, 0)]


def test_no_more_than_so_many_are_skipped_in_a_row() -> None:
    done = run(app(0.0, FrameReuse(max_skips=2), count=7))
    assert [r.reused for r in done.reuse] == ["none", "frame", "frame", "none", "frame", "frame", "none"]


def test_a_scene_alone_changes_nothing() -> None:
    with_scene, without = (run(app(scene, None), kernels=True) for scene in (0.3, None))
    assert with_scene.kernels == without.kernels and with_scene.energy_j == without.energy_j
    assert list(with_scene.inferences) == list(without.inferences)
    assert [r.changed for r in with_scene.reuse] == pytest.approx([1.0, 0.3, 0.3, 0.3])
    assert without.reuse == ()


def test_none_costs_nothing() -> None:
    done = run(app(0.3, "none"))
    assert spans(done) == spans(run(app(None, None)))
    assert {r.reused for r in done.reuse} == {"none"}


def test_followers_and_queues_go_on_after_a_skipped_frame() -> None:
    """Frames each second, the first takes 4 s: the others wait, and are compared one after the other."""
    second = Inference(net("b:2 x"), Fixed({"b": CPU}), library=LIBRARY, name="after", after="net")
    done = run(app(0.0, "frame", period=1.0, name="net"), second)
    lives = [(r.start_s, r.finish_s) for r in done.inferences if r.app == "net"]
    assert lives[0] == (0.0, 4.0)
    assert all(start == before[1] < end for before, (start, end) in pairwise(lives))
    assert sum(r.app == "after" and r.status == "finished" for r in done.inferences) == 4


def test_what_is_compared_at_the_end_is_running() -> None:
    done = run(app(0.0, "frame"), duration=10.5)
    assert [(r.start_s, r.status) for r in done.inferences] == [(0.0, "finished"), (10.0, "running")]


@pytest.mark.parametrize("scheduler", [None, Online()], ids=["static", "online"])
def test_the_scene_is_common_to_all_schedulers(scheduler: Any) -> None:
    scene = {
        "static": {"frames": 3, "changed": 0.01},
        "moving": {"frames": 3, "changed": {"mean": 0.4, "sd": 0.2}},
    }
    done = run(app(scene, None, scheduler=scheduler, count=50), seed=5, noise=scheduler is None)
    rng = np.random.default_rng([5, 0, 3])
    drawn = [c for c, _ in zip(app(scene, None).scenery.changes(rng), range(50), strict=False)]  # type: ignore[union-attr]
    assert [r.changed for r in done.reuse] == pytest.approx([1.0, *drawn[1:]])


def test_online_schedulers_skip_frames_too() -> None:
    done = run(app(Frames(0, 0.0, 0.5), "frame", scheduler=Online()))
    assert spans(done) == [(0.0, 4.0), (10.0, 11.0), (20.0, 25.0), (30.0, 35.0)]
    assert done.apps["net"].kernels == 1.0, "of each inference that was computed"


def test_a_frame_that_the_scheduler_gives_up_was_not_computed() -> None:
    """The third is dropped: the fourth has changed as much as both together since the second."""
    policy = Script("none", "none", "none")
    done = run(app(0.5, policy, scheduler=Online(dropped=(2,))))
    assert policy.asked == [(0.5, 0), (0.5, 0), (0.75, 0)]
    assert [r.status for r in done.inferences].count("dropped") == 1
    assert [r.number for r in done.reuse] == [0, 1, 3]


# --- families -------------------------------------------------------------------------------------------------


def test_a_family_skips_frames_at_its_level() -> None:
    graph = family()
    done = run(
        Inference(
            graph, Everything(), library=LIBRARY, level=2, period=20.0, count=3, scene=0.0, reuse="frame"
        )
    )
    assert [(r.level, r.finish_s - r.start_s) for r in done.inferences] == [(2, 4.0), (2, 1.0), (2, 1.0)]


class Everything(socsim.StaticScheduler):
    """All on the CPU."""

    def plan(self, graph: ModelGraph, view: Any) -> Any:
        return dict.fromkeys(graph.operators, "cpu")


def test_where_feature_maps_do_not_last_layers_cannot_be_reused() -> None:
    message = "reuses layers, which needs one network and a scheduler that plans, without a manager; use 'frame' here"
    for own in (
        app(0.1, "layer", scheduler=Online()),
        Inference(family(), Everything(), library=LIBRARY, count=1, scene=0.1, reuse="layer"),
    ):
        with pytest.raises(UsageError, match=message):
            run(own)
    with pytest.raises(UsageError, match=message):
        run(app(0.1, "layer"), manager="pinned")


# --- layers ---------------------------------------------------------------------------------------------------


def test_a_convolution_recomputes_what_a_change_reaches() -> None:
    """One row of four changes, three are recomputed: 6 of 8 operations, 3 s, and half a second beside them."""
    done = run(app(0.25, {"name": "layer", **EVERY_ROW}, count=2), kernels=True)
    assert rows(done) == [("a@cpu", 0.0, 4.0), ("compare@cpu", 10.0, 11.0), ("a@cpu", 11.0, 14.5)]
    assert told(done)[1] == (0.25, "layer", 0.75, 0.0, 10.0)
    assert done.kernels[-1].share == 0.75


def test_where_nothing_has_changed_nothing_is_computed() -> None:
    done = run(app(0.0, {"name": "layer", **EVERY_ROW}, count=2))
    assert spans(done)[1] == (10.0, 11.0)
    assert told(done)[1] == (0.0, "layer", 0.0, 0.0, 10.0)


def test_where_all_has_changed_only_the_comparison_is_added() -> None:
    done = run(app(1.0, {"name": "layer", **EVERY_ROW}, count=2), kernels=True)
    assert rows(done)[1:] == [("compare@cpu", 10.0, 11.0), ("a@cpu", 11.0, 15.0)]
    assert told(done)[1] == (1.0, "none", 1.0, 0.0, 10.0)


def test_the_region_is_rounded_up_to_blocks() -> None:
    """Two rows of four, and one on each side: all of them."""
    done = run(app(0.1, LayerReuse(block=2, boundary=0.0), count=2))
    assert told(done)[1][:3] == (0.1, "none", 1.0)


def test_an_operator_that_gains_nothing_is_computed_whole() -> None:
    done = run(app(0.25, LayerReuse(block=1, boundary=1.0), count=2), kernels=True)
    assert rows(done)[-1] == ("a@cpu", 11.0, 15.0)


def test_copying_moves_what_is_reused() -> None:
    """16 of 64 B are not recomputed: read and written, 32 B beside 64 read and 48 written."""
    done = run(app(0.25, LayerReuse(**EVERY_ROW, copies=True), count=2), kernels=True)
    plain = run(app(0.25, LayerReuse(**EVERY_ROW), count=2), kernels=True)
    assert done.kernels[-1].dram_bytes - plain.kernels[-1].dram_bytes == 32.0


def test_the_next_operator_recomputes_what_that_reaches() -> None:
    """Three rows, then four; the last is a softmax over all."""
    graph = net("a:8:conv2d x; b:8:conv2d a; s:4:softmax b")
    done = run(app(0.25, LayerReuse(**EVERY_ROW), graph, count=2), kernels=True)
    lengths = [(r.operator, r.end_s - r.start_s) for r in done.kernels[-3:]]
    assert lengths == [("a", 3.5), ("b", 4.0), ("s", 8.0)]
    assert told(done)[1][2] == (6 + 8) / 16


def test_on_accelerators_only_what_has_changed_is_handed_over() -> None:
    """To a buffer: unmapping 0.125 s whatever its size; back: 3 of 4 rows are mapped in 0.75 instead of 1 s."""
    done = run(app(0.25, LayerReuse(**EVERY_ROW), scheduler=Fixed({"a": BUFFER}), count=2), kernels=True)
    mapped = [r.end_s - r.start_s for r in done.kernels if r.kind == "map" and r.operator == "output"]
    assert mapped == [1.0, 0.75]


def test_splits_are_computed_whole() -> None:
    split = socsim.Split("OC", ((CPU, 0.5), (BUFFER, 0.5)))
    done = run(app(0.25, LayerReuse(**EVERY_ROW), scheduler=Fixed({"a": split}), count=2))
    assert told(done)[1][2] == 1.0


class Fickle(socsim.StaticScheduler):
    """Another processor for each plan."""

    predictor = "online"
    replan_period = 0.0

    def __init__(self) -> None:
        self.plans = 0

    def plan(self, graph: ModelGraph, view: Any) -> Any:
        self.plans += 1
        return dict.fromkeys(graph.operators, CPU if self.plans < 4 else BUFFER)


def test_feature_maps_of_another_plan_are_of_no_use() -> None:
    done = run(app(0.25, LayerReuse(block=1, boundary=0.0), scheduler=Fickle(), count=5))
    assert [r.computed for r in done.reuse] == [1.0, 0.75, 1.0, 0.75, 0.75]


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_more_change_never_takes_less_work_or_time(shares: list[float], copies: bool) -> None:
    graph = net("a:8:conv2d x; b:4:conv2d a; c:8:conv2d x; d:4:eltwise b,c", shape=(1, 2, 16, 2))
    whole = run(app(1.0, None, graph, count=1))
    full = spans(whole)[0][1]
    before = (0.0, 0.0)
    for share in sorted(shares):
        done = run(
            app(share, LayerReuse(block=1, boundary=0.01, copies=copies), graph, count=2, period=100.0)
        )
        begin, end = spans(done)[1]
        computed = done.reuse[1].computed
        compared = 2 * 256 / 128
        assert computed >= before[0] and computed >= share - 1e-9
        assert copies or end - begin >= before[1] - 1e-9
        assert compared <= end - begin + 1e-9 <= full + compared + 2e-9
        before = (computed, end - begin)


# --- memory, results, faults ----------------------------------------------------------------------------------


def test_reuse_needs_memory() -> None:
    """x and a of 64 B are alive together; skipping keeps both, layers both and a new frame."""
    peaks = [
        run(app(0.1, reuse, count=1)).apps["net"].peak_memory_bytes for reuse in (None, "frame", "layer")
    ]
    assert peaks == [128, 128 + 128, 128 + 64]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Script("all"), "reuse policy 'Script' of 'net' must decide 'none', 'frame', 'layer', got 'all'"),
        (
            Script("layer"),
            "reuse policy 'Script' of 'net' reuses layers and must keep them: keeps = 'layers'",
        ),
    ],
)
def test_bad_decisions(policy: ReusePolicy, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(app(0.1, policy))
    assert str(caught.value) == message


def test_failures_of_own_policies_are_told_with_their_place() -> None:
    with pytest.raises(
        SimulationError, match=r"reuse policy 'test_reusing:Script' failed in decide\(\) on 'net'"
    ):
        run(app(0.1, Script()))


def test_own_scenes_must_give_shares() -> None:
    with pytest.raises(UsageError) as caught:
        run(app(Frames(0.5, 1.5), None))
    assert str(caught.value) == "the scene of 'net' must give shares from 0 to 1, got 1.5 for frame 1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reuse": "frame"}, "reuse needs a scene, which says what has changed from frame to frame"),
        (
            {"reuse": "frame", "scene": 0.1, "concurrency": 2},
            "reuse runs one inference at a time, for each needs the one before; leave out concurrency, got 2",
        ),
    ],
)
def test_what_an_application_may_not_say(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Inference("m", **options)
    assert str(caught.value) == f"inference 'm': {message}"


def test_tables_tell_what_was_reused() -> None:
    result = Result(
        run(app(Frames(0, 0.01, 0.5), "frame"), app(None, None, name="other", start=60.0, count=1))
    )
    table = result.inferences
    columns = ["changed_share", "reused", "computed_share", "stale_share", "age_ms"]
    own = table[table["app"] == "net"][columns]
    assert own.to_dict("list") == {
        "changed_share": pytest.approx([1.0, 0.01, 0.505, 0.5]),
        "reused": ["none", "frame", "none", "none"],
        "computed_share": [1.0, 0.0, 1.0, 1.0],
        "stale_share": pytest.approx([0.0, 0.01, 0.0, 0.0]),
        "age_ms": pytest.approx([4e3, 11e3, 5e3, 5e3]),
    }
    other = table[table["app"] == "other"][columns]
    assert other["reused"].tolist() == [""] and other.drop(columns="reused").isna().all().all()


def test_a_summary_of_what_was_reused() -> None:
    result = Result(
        run(app(Frames(0, 0.01, 0.5), "frame"), app(None, None, name="other", start=60.0, count=1))
    )
    assert result.reuse() == {
        "changed_share_mean": pytest.approx((1 + 0.01 + 0.505 + 0.5) / 4),
        "frame_reuse_share": 0.25,
        "layer_reuse_share": 0.0,
        "computed_share_mean": 0.75,
        "stale_share_mean": pytest.approx(0.0025),
        "age_ms_mean": pytest.approx(6250.0),
        "age_ms_p95": pytest.approx(np.percentile([4e3, 11e3, 5e3, 5e3], 95)),
    }
    net_row, other_row = result.rows()
    assert net_row["computed_share_mean"] == 0.75 and other_row["computed_share_mean"] is None
    assert list(net_row) == list(other_row)
    with pytest.raises(UnknownNameError, match="other"):
        result.reuse("other")


def test_a_run_without_scenes_has_no_such_columns() -> None:
    result = Result(run(app(None, None)))
    assert "computed_share_mean" not in result.rows()[0]
    with pytest.raises(UnknownNameError):
        result.reuse()


def test_layers_count_apart_from_frames() -> None:
    result = Result(run(app(Frames(0, 0.25, 0.0, 1.0), LayerReuse(**EVERY_ROW))))
    told = result.reuse("net")
    assert (told["frame_reuse_share"], told["layer_reuse_share"]) == (0.25, 0.25)
    assert told["computed_share_mean"] == (1 + 0.75 + 0 + 1) / 4


# --- files ----------------------------------------------------------------------------------------------------

TEXT = """device: xiaomi-9
seed: 3
apps:
  - kind: inference
    model: mobilenet_v1
    period: 33 ms
    count: 6
    scene: SCENE
    reuse: {name: frame, threshold: 0.2}
    memory: hold
"""


def experiment(folder: Path, scene: str = "0.1", **changed: str) -> Path:
    file, text = folder / "camera.yaml", TEXT.replace("SCENE", scene)
    for old, new in changed.items():
        text = text.replace(old, new)
    file.write_text(text)
    return file


def test_an_experiment_says_scene_reuse_and_memory(tmp_path: Path) -> None:
    result = load_experiment(experiment(tmp_path)).run()
    assert result.inferences["reused"].tolist() == ["none", "frame", "frame", "none", "frame", "frame"]
    own = result.config["apps"][0]
    assert own["scene"] == {"kind": "constant", "changed": 0.1} or own["scene"] == 0.1
    assert own["memory"] == "hold"


def test_what_was_simulated_can_be_run_again(tmp_path: Path) -> None:
    scene = {
        "static": {"frames": 3, "changed": 0.01},
        "moving": {"frames": 3, "changed": {"mean": 0.4, "sd": 0.2}},
    }
    own = Inference(
        "mobilenet_v1", period="33 ms", count=9, scene=scene, reuse=FrameReuse(0.2), memory="hold"
    )
    first = socsim.simulate("xiaomi-9", [own], seed=4)
    first.save(tmp_path / "out")
    again = load_experiment(tmp_path / "out" / "experiment.yaml").run()
    assert again.outcome.reuse == first.outcome.reuse
    assert again.rows() == first.rows()


def test_traces_are_found_beside_their_experiment_and_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.csv").write_text("changed\n1\n0.1\n0.5\n")
    file = experiment(tmp_path, "film.csv")
    monkeypatch.chdir("/")
    result = load_experiment(file).run()
    assert result.inferences["changed_share"].tolist() == pytest.approx([1.0, 0.1, 0.55, 1.0, 0.1, 0.55])
    assert list(input_hashes(located(result.config, tmp_path))) == [str(tmp_path / "film.csv")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "scene: 0.1",
            "scene: 2",
            "camera.yaml:8:12: apps.0.scene: a changed share must be from 0 to 1, got 2.0",
        ),
        ("name: frame", "name: frames", "apps.0.reuse: unknown reuse policy 'frames'; did you mean 'frame'"),
        ("threshold: 0.2", "threshold: 2", "threshold must be a number from 0 to 1, got 2"),
        ("memory: hold", "memory: free", "apps.0.memory: should be 'release' or 'hold', got 'free'"),
        ("scene: 0.1", "scene: none.csv", "none.csv: cannot be read"),
    ],
)
def test_faults_of_files(
    tmp_path: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, told = calling(capsys)("check", str(experiment(tmp_path, **{old: new})))
    assert code != 0 and message in " ".join(told.split())


def test_a_terminal_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = calling(capsys)("run", str(experiment(tmp_path)))[1]
    assert "stale" in out and "puted %" in out
    assert "stale" not in calling(capsys)("run", str(experiment(tmp_path, "0.1", **{
        "    scene: 0.1\n": "", "    reuse: {name: frame, threshold: 0.2}\n": ""
    })))[1]  # fmt: skip


def test_a_sweep_shows_it_with_its_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = experiment(tmp_path)
    file.write_text(
        file.read_text() + "sweep: {apps.0.reuse: [none, frame(threshold=0.2), layer], seed: 0..1}\n"
    )
    out = calling(capsys)("run", str(file))[1]
    assert "memory" in out and "stale" in out
    computed = socsim.sweep(str(file)).groupby("reuse")["computed_share_mean"].mean()
    assert computed["none"] == 1.0 > computed["layer"] > computed["frame(threshold=0.2)"]


def test_the_experiment_says_what_its_header_does() -> None:
    """Two seeds of half its length: layers lose nothing and save time, frames save more and are older."""
    sweep = load_sweep("data-reuse", ["apps.net.model=mobilenet_v1", "duration=20 s", "seed=1"])
    found = {(r["net.scheduler"], r["reused"]): r for rows in run_points(sweep) for r in rows}
    for placed in ("cpu", "gpu"):
        none, held, frame, layer, copied = (
            found[placed, way] for way in ("none", "none, held", "frame", "layer", "layer, copied")
        )
        assert frame["latency_ms_mean"] < layer["latency_ms_mean"] < none["latency_ms_mean"]
        assert frame["energy_mj"] < layer["energy_mj"] < copied["energy_mj"] < none["energy_mj"]
        assert layer["stale_share_mean"] == 0.0 < frame["stale_share_mean"] < 0.05
        assert frame["age_ms_mean"] > 2 * none["age_ms_mean"]
        memory = [row["peak_memory_mb"] for row in (none, frame, held, layer, copied)]
        assert memory == sorted(memory) and len(set(memory)) == 5
