"""What changes from frame to frame: the processes, the words for them, and trace files."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import FileError, UnitError, UsageError
from socsim.workloads.apps import Inference
from socsim.workloads.scene_spec import make_scene, scene_file
from socsim.workloads.scenes import ChangeTrace, Constant, Markov, Scene, Share, State, read_changes


def first(scene: Scene | None, count: int, seed: int = 1) -> list[float]:
    assert scene is not None
    return list(islice(scene.changes(np.random.default_rng(seed)), count))


STILL, MOVING = State(90.0, Share(0.01)), State(30.0, Share(0.2, 0.1))


# --- processes ------------------------------------------------------------------------------------------------


def test_a_constant_scene() -> None:
    assert first(Constant(0.25), 3) == [0.25, 0.25, 0.25]


def test_a_share_without_deviation_is_a_number() -> None:
    assert Share(0.3).draw(np.random.default_rng(0)) == 0.3


@given(st.floats(0.02, 0.98), st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_shares_are_shares(mean: float, part: float, seed: int) -> None:
    share = Share(mean, part * (mean * (1.0 - mean)) ** 0.5)
    rng = np.random.default_rng(seed)
    assert all(0.0 <= share.draw(rng) <= 1.0 for _ in range(20))


@pytest.mark.parametrize(("mean", "sd"), [(0.2, 0.1), (0.5, 0.4), (0.9, 0.05)])
def test_shares_have_their_mean_and_deviation(mean: float, sd: float) -> None:
    rng, share = np.random.default_rng(3), Share(mean, sd)
    drawn = np.array([share.draw(rng) for _ in range(20_000)])
    assert drawn.mean() == pytest.approx(mean, abs=4 * sd / 20_000**0.5)
    assert drawn.std() == pytest.approx(sd, rel=0.03)


def test_states_of_a_markov_scene_last_as_long_as_they_should() -> None:
    """Static for 40 frames on average, moving for 10: a fifth of all frames move."""
    scene = Markov(State(40.0, Share(0.0)), State(10.0, Share(0.5)))
    shares = np.array(first(scene, 200_000))
    assert (shares == 0.5).mean() == pytest.approx(0.2, abs=0.01)
    ends = np.flatnonzero(np.diff(shares))
    lengths = np.diff(ends)
    kinds = shares[ends[1:]]
    assert lengths[kinds == 0.5].mean() == pytest.approx(10.0, rel=0.05)
    assert lengths[kinds == 0.0].mean() == pytest.approx(40.0, rel=0.05)


def test_a_markov_scene_begins_as_it_goes_on() -> None:
    scene = Markov(State(40.0, Share(0.0)), State(10.0, Share(0.5)))
    moving = [first(scene, 1, seed)[0] == 0.5 for seed in range(2000)]
    assert np.mean(moving) == pytest.approx(0.2, abs=4 * 0.4 / 2000**0.5)


def test_cuts_change_all() -> None:
    shares = np.array(first(Markov(STILL, MOVING, 0.1), 50_000))
    assert (shares == 1.0).mean() == pytest.approx(0.1, abs=0.006)
    assert set(first(Markov(STILL, STILL, 1.0), 5)) == {1.0}
    assert max(first(Markov(STILL, STILL), 1000)) == 0.01


def test_states_of_one_frame_take_turns() -> None:
    scene = Markov(State(1.0, Share(0.1)), State(1.0, Share(0.9)))
    shares = first(scene, 6)
    assert shares in ([0.1, 0.9] * 3, [0.9, 0.1] * 3)


def test_draws_come_from_the_generator_handed_in() -> None:
    scene = Markov(STILL, MOVING, 0.01)
    assert first(scene, 300, 4) == first(scene, 300, 4) != first(scene, 300, 5)


# --- words ----------------------------------------------------------------------------------------------------

SPEC = {
    "kind": "markov",
    "static": {"frames": 90, "changed": "1 %"},
    "moving": {"frames": 30, "changed": {"mean": 0.2, "sd": 0.1}},
    "cut": 0.005,
}


@pytest.mark.parametrize(
    ("spec", "scene"),
    [
        (None, None),
        (0.1, Constant(0.1)),
        ("10 %", Constant(0.1)),
        ({"kind": "constant", "changed": 1}, Constant(1.0)),
        ("cars.csv", ChangeTrace("cars.csv")),
        (Path("cars.csv"), ChangeTrace("cars.csv")),
        ({"kind": "trace", "file": "cars"}, ChangeTrace("cars")),
        (SPEC, Markov(STILL, MOVING, 0.005)),
        ({k: v for k, v in SPEC.items() if k not in ("kind", "cut")}, Markov(STILL, MOVING)),
        (Constant(0.5), Constant(0.5)),
    ],
)
def test_scenes_as_users_write_them(spec: Any, scene: Scene | None) -> None:
    made = make_scene(spec)
    assert made == scene
    assert made is None or make_scene(made.describe()) == made


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (1.5, "a changed share must be from 0 to 1, got 1.5"),
        (-0.1, "a changed share must be from 0 to 1, got -0.1"),
        (True, "changed must be a ratio, got True"),
        ({"kind": "marko"}, "unknown kind of scene 'marko'; did you mean 'markov'?"),
        ({"kind": 3}, "unknown kind of scene 3; known: constant, markov, trace"),
        ({"kind": "constant"}, "scene of kind 'constant' needs 'changed'"),
        ({"kind": "trace", "file": 3}, "a scene of kind 'trace' needs a file, got 3"),
        ({**SPEC, "cuts": 1}, "scene of kind 'markov' has no 'cuts'; did you mean 'cut'?"),
        ({**SPEC, "cut": 2}, "cut must be a probability from 0 to 1, got 2.0"),
        ({**SPEC, "static": 3}, "static must be a mapping of frames and changed, got 3"),
        ({**SPEC, "static": {"frames": 3}}, "static needs 'changed'"),
        (
            {**SPEC, "static": {"frames": 0.5, "changed": 0}},
            "a state of a scene must last at least 1 frame, got 0.5",
        ),
        (
            {**SPEC, "moving": {"frames": 3, "changed": {"mean": 0.5, "sd": 0.5}}},
            "sd of a share with mean 0.5 must be below 0.5, got 0.5",
        ),
        (
            {**SPEC, "moving": {"frames": 3, "changed": {"mean": 0.5, "std": 0.1}}},
            "moving.changed has no 'std'; did you mean 'sd'?",
        ),
    ],
)
def test_bad_scenes(spec: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_scene(spec)
    assert str(caught.value) == message
    with pytest.raises(UsageError) as caught:
        Inference("m", scene=spec)
    assert str(caught.value) == f"inference 'm': {message}"


def test_a_share_needs_a_number() -> None:
    with pytest.raises(UnitError, match="changed"):
        make_scene("a little")


@pytest.mark.parametrize(
    ("spec", "file"),
    [("a.csv", "a.csv"), ({"kind": "trace", "file": "b"}, "b"), (0.1, None), (SPEC, None), (None, None)],
)
def test_files_of_scenes(spec: Any, file: str | None) -> None:
    assert scene_file(spec) == file


def test_own_scenes_are_described_by_their_class() -> None:
    class Flicker(Scene):
        def changes(self, rng: Any) -> Any:
            while True:
                yield from (0.0, 1.0)

    assert make_scene(Flicker()).describe()["kind"].endswith("Flicker")  # type: ignore[union-attr]
    assert first(Flicker(), 3) == [0.0, 1.0, 0.0]


# --- files ----------------------------------------------------------------------------------------------------


def test_a_trace_goes_on_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "scene.csv"
    file.write_text("frame,changed\n0,1\n1,0.25\n\n2, 0.5\n")
    assert read_changes(file) == (1.0, 0.25, 0.5)
    assert first(ChangeTrace(str(file)), 5) == [1.0, 0.25, 0.5, 1.0, 0.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs one column changed; the file is empty"),
        ("share\n1\n", "needs one column changed; the columns are 'share'"),
        ("changed,changed\n1,1\n", "needs one column changed; the columns are 'changed', 'changed'"),
        ("changed\n", "has no frames below its header"),
        ("changed\nmuch\n", "2:1: a changed share must be a number from 0 to 1, got 'much'"),
        ("changed\n0.5\n1.5\n", "3:1: a changed share must be a number from 0 to 1, got '1.5'"),
        ("a,changed\n1,nan\n", "2:2: a changed share must be a number from 0 to 1, got 'nan'"),
        ("a,changed\n1\n", "2:2: a changed share must be a number from 0 to 1, got ''"),
    ],
)
def test_bad_traces(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "scene.csv"
    file.write_text(text)
    with pytest.raises(FileError) as caught:
        read_changes(file)
    assert message in str(caught.value)


def test_all_bad_rows_are_told_in_one_pass(tmp_path: Path) -> None:
    file = tmp_path / "scene.csv"
    file.write_text("changed\n2\n0\n-1\n")
    with pytest.raises(FileError) as caught:
        read_changes(file)
    assert [fault.line for fault in caught.value.faults] == [2, 4]
