"""Managers by name, class, module and entry point; the window of the published one, inference by inference."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from clikit import calling
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.errors import UnitError, UnknownNameError, UsageError
from socsim.schedulers import catalogue
from socsim.schedulers.managers import Manager, ManagerView, make_manager
from socsim.schedulers.managers import registry as registered
from socsim.schedulers.managers.registry import MANAGERS
from socsim.schedulers.managers.window import LatencyWindow
from socsim.schedulers.spelling import located, module_files
from socsim.workloads.targets import NO_TARGETS, Target, Targets, make_targets

TOP1 = dict(enumerate([74.202, 74.968, 76.134, 77.54, 78.346, 79.03], 1))
"""Levels of Dynamic-OFA."""

SLOW, FAST = 0.061, 0.050


class Highest(socsim.Manager):
    """Always the most accurate."""

    def __init__(self, share: float = 0.5, names: tuple[str, ...] = ()) -> None:
        self.share, self.seen = share, list(names)

    def next_level(self, view: ManagerView) -> int:
        self.seen.append(str(view.level))
        return view.highest


def play(
    manager: Manager, times: list[float], level: int = 4, targets: Targets = NO_TARGETS
) -> list[tuple[int, int]]:
    """Moves after inferences of given times, 1 s each: (how many have finished, level of the next)."""
    now = 0.0
    view = ManagerView(TOP1, level, targets, lambda: now)
    view.level, moves = manager.start(view), []
    for number, time in enumerate(times, 1):
        now = float(number)
        view.finished(2 * time, time)
        chosen = manager.next_level(view)
        if chosen != view.level:
            moves.append((number, chosen))
        view.level = chosen
    return moves


# --- the published manager --------------------------------------------------------------------------------


def test_down_after_twenty_that_are_skipped_and_twenty_that_count() -> None:
    assert play(LatencyWindow(), [SLOW] * 39) == []
    assert play(LatencyWindow(), [SLOW] * 119) == [(40, 3), (80, 2)]


def test_the_first_twenty_do_not_count_however_slow() -> None:
    assert play(LatencyWindow(), [0.089] * 20 + [FAST] * 100) == []


def test_a_mean_at_the_target_is_in_time() -> None:
    assert play(LatencyWindow(target=0.0625), [0.0625] * 100) == []
    assert play(LatencyWindow(target=0.0625), [0.0625] * 59 + [0.0626]) == [(60, 3)]


def test_only_the_latest_twenty_count() -> None:
    # 62 ms and 50 ms: the mean of 17 and 3 is 60.2 ms, of 16 and 4 it is 59.6 ms.
    assert play(LatencyWindow(), [FAST] * 60 + [0.062] * 16) == []
    assert play(LatencyWindow(), [FAST] * 60 + [0.062] * 17) == [(77, 3)]


@pytest.mark.parametrize(("time", "move"), [(0.090, 45), (0.5, 45), (0.0899, 40)])
def test_times_from_ninety_ms_on_are_ignored(time: float, move: int) -> None:
    times = [FAST] * 20 + [SLOW] * 10 + [time] * 5 + [SLOW] * 10
    assert play(LatencyWindow(), times) == [(move, 3)]


def test_up_from_a_level_that_is_not_accurate_enough() -> None:
    assert play(LatencyWindow(), [FAST] * 40, level=2) == []
    assert play(LatencyWindow(), [FAST] * 41, level=2) == [(41, 3)]
    assert play(LatencyWindow(), [FAST] * 400, level=3) == []
    assert play(LatencyWindow(top1=78), [FAST] * 200, level=3) == [(41, 4), (82, 5)]


def test_down_goes_before_up() -> None:
    assert play(LatencyWindow(), [SLOW] * 41, level=2) == [(40, 1)]


def test_up_and_down_again_pins_a_level() -> None:
    times = [FAST] * 41 + [SLOW] * 40 + [FAST] * 300
    assert play(LatencyWindow(), times, level=2) == [(41, 3), (81, 2)]


def test_down_and_up_and_down_pins_the_lower_one() -> None:
    times = [SLOW] * 40 + [FAST] * 41 + [SLOW] * 40 + [FAST] * 300
    assert play(LatencyWindow(), times, level=3) == [(40, 2), (81, 3), (121, 2)]


def test_a_pinned_level_is_still_left_downwards() -> None:
    times = [FAST] * 41 + [SLOW] * 81
    assert play(LatencyWindow(), times, level=2) == [(41, 3), (81, 2), (121, 1)]


def test_new_targets_unpin() -> None:
    times = [FAST] * 41 + [SLOW] * 40 + [FAST] * 100
    targets = make_targets([{"top1": 76}, {"at": 150, "latency": 0.055}])
    moves = play(LatencyWindow(), times, level=2, targets=targets)
    assert moves == [(41, 3), (81, 2), (150, 3)]


def test_targets_of_the_application_go_before_options() -> None:
    targets = make_targets([{"latency": 0.070}, {"at": 60, "latency": 0.060}])
    assert play(LatencyWindow(target="10 ms"), [SLOW] * 70, targets=targets) == [(60, 3)]
    floor = make_targets({"top1": 70})
    assert play(LatencyWindow(top1=99), [FAST] * 100, level=1, targets=floor) == []


def test_it_ends_at_the_lowest_and_at_the_highest() -> None:
    assert play(LatencyWindow(), [SLOW] * 200, level=1) == []
    assert play(LatencyWindow(top1=100), [FAST] * 200, level=6) == []


def test_options_of_the_window() -> None:
    assert play(LatencyWindow(window=3, skip=0), [SLOW] * 6) == [(3, 3), (6, 2)]
    assert play(LatencyWindow(window=1, skip=1, outlier="61 ms"), [SLOW] * 100) == []


@given(
    st.lists(st.sampled_from([0.045, 0.055, 0.0605, 0.070, 0.2]), max_size=400),
    st.integers(1, 6),
    st.sampled_from([74.0, 76.0, 79.0]),
)
def test_it_moves_by_one_and_not_before_its_window_is_full(
    times: list[float], level: int, top1: float
) -> None:
    moves = [(0, level), *play(LatencyWindow(top1=top1), times, level=level)]
    for (before, here), (after, there) in pairwise(moves):
        assert abs(there - here) == 1 and 1 <= there <= 6
        kept = [time for time in times[before + 20 : after] if time < 0.090]
        assert len(kept) >= 20
        late = sum(kept[-20:]) / 20 > 0.060
        assert late if there < here else not late and len(kept) > 20 and TOP1[here] < top1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "60"}, "manager 'latency_window': target: '60' has no unit"),
        ({"target": 0}, r"target must be a time above 0, such as 60 ms, got 0"),
        ({"outlier": True}, r"outlier must be a time above 0, such as 60 ms, got True"),
        ({"top1": 101}, r"top1 must be a number from 0 to 100, in %, got 101"),
        ({"window": 0}, "window must be a whole number from 1, got 0"),
        ({"skip": 2.5}, r"skip must be a whole number from 0, got 2\.5"),
    ],
)
def test_options_outside_their_rules(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_manager({"name": "latency_window", **options})


# --- fixed --------------------------------------------------------------------------------------------------


def test_fixed_stays() -> None:
    assert play(make_manager("fixed"), [SLOW] * 50, level=3) == []
    manager = make_manager("fixed(level=2)")
    view = ManagerView(TOP1, 4)
    assert manager.start(view) == 2
    view.level = 2
    assert manager.next_level(view) == 2


# --- what a manager sees ------------------------------------------------------------------------------------


def test_a_view() -> None:
    view = ManagerView(TOP1, 4, make_targets({"latency": "60 ms"}), lambda: 2.5)
    view.finished(0.3, 0.05)
    view.level = 3
    view.finished(0.06, 0.06)
    assert (list(view.latencies), list(view.services), list(view.levels)) == (
        [0.3, 0.06],
        [0.05, 0.06],
        [4, 3],
    )
    assert (view.now, view.lowest, view.highest, view.target) == (2.5, 1, 6, Target(0.0, 0.06))
    with pytest.raises(TypeError):
        view.top1[1] = 99.0  # type: ignore[index]


# --- targets ------------------------------------------------------------------------------------------------


def test_targets_change_in_time_and_keep_what_is_not_said() -> None:
    targets = make_targets(
        [{"latency": "60 ms", "top1": 76}, {"at": "2 s", "top1": 78}, {"at": 5, "latency": 0.08}]
    )
    assert [targets.at(t) for t in (0.0, 1.99, 2.0, 5.0, 99.0)] == [
        Target(0.0, 0.06, 76.0),
        Target(0.0, 0.06, 76.0),
        Target(2.0, 0.06, 78.0),
        Target(5.0, 0.08, 78.0),
        Target(5.0, 0.08, 78.0),
    ]
    described = [target.describe() for target in targets.rows]
    assert described[1] == {"at": "2 s", "top1": 78.0}
    assert make_targets(described, units=True) == targets


@pytest.mark.parametrize("top1", [0, 0.5, 100])
def test_an_accuracy_may_be_any_percentage(top1: float) -> None:
    assert make_targets({"top1": top1}).at(0.0) == Target(0.0, None, float(top1))


@pytest.mark.parametrize("top1", [-0.5, 100.5, True, "70"])
def test_other_accuracies_are_refused(top1: Any) -> None:
    with pytest.raises(UsageError, match=r"targets.0.top1 must be a number from 0 to 100"):
        make_targets({"top1": top1})


def test_no_targets() -> None:
    assert make_targets(None).at(3.0) == make_targets([]).at(0.0) == Target()
    later = make_targets([{"at": "1 s", "top1": 70}])
    assert (later.at(0.5), later.at(1.0)) == (Target(), Target(1.0, None, 70.0))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("60 ms", r"targets are a list of \{at, latency, top1\}, got '60 ms'"),
        ([7], "targets.0 must be a mapping of at, latency and top1, got 7"),
        ([{"latncy": 1}], "targets.0 has no 'latncy'; did you mean 'latency'"),
        ([{"at": 0}], "targets.0 says nothing"),
        ([{"latency": 0}], "targets.0.latency must be positive, got 0"),
        ([{"latency": 1, "at": -1}], "targets.0.at must not be negative, got -1"),
        ([{"top1": 101}], "targets.0.top1 must be a number from 0 to 100, in %, got 101"),
        ([{"top1": 70}, {"top1": 71}], "targets.1 needs the instant 'at'"),
        (
            [{"top1": 70}, {"at": 0, "top1": 71}],
            "targets.1.at must be later than the one before, 0 s, got 0 s",
        ),
    ],
)
def test_bad_targets(spec: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_targets(spec)


def test_times_of_files_need_units() -> None:
    with pytest.raises(UnitError):
        make_targets([{"latency": 0.06}], units=True)


# --- names and specs ----------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A working directory with a module of managers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_managers.py").write_text(
        "import socsim\n\n\nclass Mine(socsim.Manager):\n    def __init__(self, share=0.5):\n"
        "        self.share = share\n\n    def next_level(self, view):\n        return view.nothing\n\n\n"
        "class Other:\n    pass\n"
    )
    yield tmp_path / "own_managers.py"
    sys.modules.pop("own_managers", None)


def test_names() -> None:
    assert {"fixed", "latency_window", "pinned"} <= set(MANAGERS.names())
    for name in MANAGERS.names():
        assert make_manager(name).title == name and type(make_manager(name)) is MANAGERS.class_of(name)


@pytest.mark.parametrize(
    "spec",
    [
        "latency_window(target=55 ms, window=10)",
        {"name": "latency_window", "target": "55 ms", "window": 10},
        {"name": "latency_window(window=10)", "options": {"target": "55 ms"}},
    ],
)
def test_ways_to_write_options(spec: Any) -> None:
    manager = make_manager(spec)
    assert isinstance(manager, LatencyWindow)
    assert (manager.target, manager.window, manager.skip) == ("55 ms", 10, 20)
    assert "55 ms" in manager.title


def test_objects_are_copied_so_that_runs_share_nothing() -> None:
    mine = Highest()
    made = make_manager(mine)
    assert made.next_level(ManagerView(TOP1, 2)) == 6
    assert (mine.seen, make_manager(Highest).title) == ([], "Highest")


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("latency_windw", UnknownNameError, "unknown manager 'latency_windw'; did you mean 'latency_window'"),
        (
            "latency_window(targt=1)",
            UsageError,
            "manager 'latency_window' has no option 'targt'; did you mean 'target'",
        ),
        (3, UsageError, "a manager is a name, a class, an object or a mapping, got int: 3"),
        (dict, UsageError, "'dict': dict must be a subclass of Manager"),
        (Manager, UsageError, r"'Manager': Manager lacks next_level\(\)"),
        ("own_managers:Mein", UnknownNameError, "module 'own_managers': 'Mein'; did you mean 'Mine'"),
        ("own_managers:Other", UsageError, "Other must be a subclass of Manager"),
    ],
)
def test_bad_specs(spec: Any, error: type[Exception], message: str, own: Path) -> None:
    with pytest.raises(error, match=message):
        make_manager(spec)


def test_managers_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("highest", "test_managers:Highest", registered.GROUP),
        EntryPoint("torn", "nowhere_mod:Mine", registered.GROUP),
    ]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points if group == "socsim.managers" else [])
    assert MANAGERS.names()[0] == "fixed" and MANAGERS.names()[-2:] == ("highest", "torn")
    assert make_manager("highest").title == "Highest"
    assert list(registered.MANAGERS.broken()) == ["torn"]


def test_specs_as_texts(own: Path) -> None:
    assert MANAGERS.write("latency_window(target=55 ms)") == "latency_window(target=55 ms)"
    assert MANAGERS.write(f"{own}:Mine(share=1)") == "own_managers:Mine(share=1)"
    assert MANAGERS.write(Highest(0.7)) == "Highest(share=0.7)"
    assert MANAGERS.describe("fixed") == "fixed"
    described = MANAGERS.describe(LatencyWindow(target=0.05))
    assert described == {"name": "socsim.schedulers.managers.window:LatencyWindow", "target": "0.05 s"}
    assert make_manager(described).target == "0.05 s"  # type: ignore[attr-defined]
    found = located("own_managers:Mine(share=0.7)", own.parent)
    assert found == f"{own}:Mine(share=0.7)"
    assert module_files(found) == [own]


def test_one_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    cli = calling(capsys)
    out = cli("show", "manager", "latency_window(window=5)")[1]
    assert "Down a level where a window's mean time is too long" in out and "window=5" in out
    about = json.loads(cli("show", "manager", "fixed", "--json")[1])
    assert about["class"] == "socsim.schedulers.managers.fixed:Fixed"
    assert about["options"] == {"level": None}


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    out = calling(capsys)("list", "managers")[1]
    assert [line.split()[0] for line in out.splitlines() if line[:1] != " "][1:] == list(MANAGERS.names())
