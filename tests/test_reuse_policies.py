"""Policies of reuse: what they decide, their options, and their names."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from clikit import calling

from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers import catalogue
from socsim.schedulers.reuse import ReusePolicy, make_reuse
from socsim.schedulers.reuse import registry as registered
from socsim.schedulers.reuse.policies import FrameReuse, LayerReuse, NoReuse
from socsim.schedulers.reuse.registry import REUSE
from socsim.schedulers.spelling import located, module_files


class Both(ReusePolicy):
    """Skip what is nearly the same, recompute the rest in layers."""

    keeps = "layers"

    def __init__(self, least: float = 0.02) -> None:
        self.least = least

    def decide(self, changed: float, skipped: int) -> Any:
        return "frame" if changed < self.least else "layer"


@pytest.mark.parametrize(
    ("policy", "changed", "skipped", "way"),
    [
        (NoReuse(), 0.0, 0, "none"),
        (FrameReuse(0.1, 3), 0.0, 0, "frame"),
        (FrameReuse(0.1, 3), 0.09, 2, "frame"),
        (FrameReuse(0.1, 3), 0.09, 3, "none"),
        (FrameReuse(0.1, 3), 0.1, 0, "none"),
        (FrameReuse(0.1, 0), 0.0, 0, "none"),
        (LayerReuse(), 0.0, 0, "layer"),
        (LayerReuse(), 1.0, 99, "layer"),
        (Both(), 0.01, 0, "frame"),
    ],
)
def test_what_they_decide(policy: ReusePolicy, changed: float, skipped: int, way: str) -> None:
    assert policy.decide(changed, skipped) == way


def test_only_those_that_keep_something_compare() -> None:
    assert [p.compares for p in (NoReuse(), FrameReuse(), LayerReuse())] == [False, True, True]


@pytest.mark.parametrize(
    ("spec", "title", "options"),
    [
        ("frame", "frame", {"threshold": 0.05, "max_skips": 10, "passes": 1.0}),
        ("frame(threshold=10 %, max_skips=3)", "frame(threshold=10 %, max_skips=3)", {"threshold": 0.1}),
        ({"name": "layer", "boundary": "20 us"}, "layer(boundary=20 us)", {"boundary": 20e-6, "block": 8}),
        ({"name": "layer", "options": {"copies": True}}, "layer(copies=True)", {"copies": True}),
        (LayerReuse, "layer", {"block": 8, "boundary": 10e-6, "copies": False}),
        ("test_reuse_policies:Both(least=0.5)", "test_reuse_policies:Both(least=0.5)", {"least": 0.5}),
        (Both(0.25), "Both", {"least": 0.25}),
        ("none", "none", {"keeps": ""}),
    ],
)
def test_specs(spec: Any, title: str, options: dict[str, Any]) -> None:
    policy = make_reuse(spec)
    assert policy.title == title
    assert {name: getattr(policy, name) for name in options} == options


def test_every_run_has_a_copy() -> None:
    own = Both()
    assert make_reuse(own) is not own


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("frames", UnknownNameError, "did you mean 'frame'"),
        (3, UsageError, "a reuse policy is a name, a class, an object or a mapping, got int: 3"),
        (ReusePolicy, UsageError, r"lacks decide\(\)"),
        ("frame(limit=3)", UsageError, "reuse policy 'frame' has no option 'limit'"),
        (
            "frame(threshold=2)",
            UsageError,
            "reuse policy 'frame': threshold must be a number from 0 to 1, got 2",
        ),
        ("frame(threshold=-1)", UsageError, "threshold must be a number from 0 to 1, got -1"),
        ("frame(max_skips=1.5)", UsageError, "max_skips must be a whole number from 0, got 1.5"),
        ("layer(block=0)", UsageError, "block must be a whole number from 1, got 0"),
        (
            "layer(boundary=-1)",
            UsageError,
            "reuse policy 'layer': boundary must be a finite time from 0, such as 60 ms, got -1",
        ),
        ("layer(boundary=10 MB)", UsageError, "reuse policy 'layer': boundary: .*expected a time"),
        ("layer(copies=3)", UsageError, "copies must be true or false, got 3"),
        ("layer(passes=true)", UsageError, "passes must be a number from 0, got True"),
    ],
)
def test_bad_specs(spec: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_reuse(spec)


def test_policies_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("both", "test_reuse_policies:Both", registered.GROUP),
        EntryPoint("torn", "nowhere_mod:Mine", registered.GROUP),
    ]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points if group == "socsim.reuse" else [])
    assert REUSE.names() == ("none", "frame", "layer", "both", "torn")
    assert make_reuse("both").title == "Both"
    assert list(registered.REUSE.broken()) == ["torn"]


def test_specs_as_texts(tmp_path: Path) -> None:
    assert REUSE.describe("frame(threshold=0.1)") == "frame(threshold=0.1)"
    assert REUSE.describe(LayerReuse(copies=True)) == {
        "name": "socsim.schedulers.reuse.policies:LayerReuse",
        "copies": True,
    }
    assert REUSE.describe(Both()) == "test_reuse_policies:Both"
    file = tmp_path / "own.py"
    file.write_text("import socsim\n")
    found = located("own.py:Mine(share=0.7)", tmp_path)
    assert found == f"{file}:Mine(share=0.7)" and module_files(found) == [file]


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    out = calling(capsys)("list", "reuse")[1]
    assert [line.split()[0] for line in out.splitlines()][1:] == ["none", "frame", "layer"]
    assert "Give the last result again" in out
