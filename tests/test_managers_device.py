"""Managers of a device by name, in experiments, results, sweeps and comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clikit import calling
from devicekit import OnCpu, Says, app, managed, plain, to

import socsim
from socsim.cli.comparison_file import check_comparison, load_comparison
from socsim.errors import FileError, SimulationError, SocsimError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.results.gantt import gantt_figure
from socsim.results.inputs import input_hashes, located
from socsim.results.result import Result
from socsim.results.trace import trace_document
from socsim.schedulers.contenders import contenders, make_decider
from socsim.schedulers.managers import make_app_manager, make_device_manager, make_manager
from socsim.schedulers.managers.device import DeviceManager, Setting
from socsim.schedulers.managers.pinned import Pinned
from socsim.schedulers.managers.registry import MANAGERS
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.plan import load_sweep
from socsim.testing import check_manager, trace_faults

NX = "jetson-xavier-nx"
OWN = """\
import socsim
from socsim.schedulers.managers import Range, Setting
from socsim.schedulers.managers.registry import MANAGERS


class Slow(socsim.DeviceManager):
    \"\"\"The lowest level, on a slow GPU.\"\"\"

    def __init__(self, level=1):
        self.level = level

    def start(self, state):
        low = state.domains["gpu"].opps.lowest
        levels = {name: min(self.level, max(app.top1)) for name, app in state.apps.items()}
        return Setting(levels, clocks={"gpu": Range(low, 510e6)})
"""
FILE = """\
device: jetson-xavier-nx
manager: own_managers:Slow
governors: {gpu: nvhost_podgov}
apps:
- {kind: inference, name: net, model: dynamic_ofa, library: pytorch_eager, scheduler: gpu, count: 3, places: [cpu]}
- {kind: inference, name: small, model: squeezenet_1.1, library: pytorch_eager, scheduler: gpu, period: 50 ms,
   start: 20 ms, stop: 120 ms, targets: {latency: 40 ms}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_managers.py").write_text(OWN)
    (tmp_path / "e.yaml").write_text(FILE)
    return tmp_path


# --- names ----------------------------------------------------------------------------------------------------


def test_both_kinds_have_names_of_one_catalogue(here: Path) -> None:
    assert {"fixed", "latency_window", "pinned"} <= set(MANAGERS.names())
    assert isinstance(make_manager("pinned"), DeviceManager) and MANAGERS.class_of("pinned") is Pinned
    own = make_manager("own_managers.py:Slow(level=2)")
    assert isinstance(own, DeviceManager) and own.title == "own_managers:Slow(level=2)"


def test_each_kind_has_its_place() -> None:
    assert make_app_manager("fixed").title == "fixed" and make_device_manager("pinned").title == "pinned"
    with pytest.raises(
        UsageError, match=r"manager 'pinned' is for a whole device; give it to simulate\(manager"
    ):
        make_app_manager("pinned")
    with pytest.raises(
        UsageError, match="manager 'fixed' picks the levels of one application; give it to that"
    ):
        make_device_manager("fixed")
    with pytest.raises(UsageError, match="must be a subclass of Manager or DeviceManager"):
        make_manager(Result)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"Quiet lacks start\(\)"):
        make_manager(type("Quiet", (DeviceManager,), {}))


def test_every_manager_of_a_device_takes_a_period() -> None:
    assert make_device_manager({"name": "pinned", "period": "50 ms"}).period == "50 ms"
    assert make_device_manager("pinned(period=null)").period is None
    for wrong in ("never", 0, -3):
        with pytest.raises(UsageError, match="manager 'pinned': period"):
            make_device_manager({"name": "pinned", "period": wrong})
    with pytest.raises(UsageError, match="has no option 'period'"):
        make_manager("fixed(period=3)")


def test_objects_are_written_with_what_differs() -> None:
    manager = Pinned({"net": 2}, clocks={"gpu": "510 MHz", "cpu": [1e9, 2e9]})
    manager.period = "10 ms"
    described = MANAGERS.describe(manager)
    assert described == {
        "name": "socsim.schedulers.managers.pinned:Pinned",
        "period": "10 ms",
        "levels": {"net": 2},
        "clocks": {"gpu": "510 MHz", "cpu": [1e9, 2e9]},
    }
    assert MANAGERS.describe(make_manager(described)) == described
    assert MANAGERS.write(Pinned({"net": 2})) == "pinned(levels={'net': 2})"
    assert (
        MANAGERS.describe(Pinned(settings=[(0.0, Setting())])) == "socsim.schedulers.managers.pinned:Pinned"
    )


def test_the_command_line_shows_both_kinds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli = calling(capsys)
    assert "Keep levels, places and clocks" in cli("list", "managers")[1]
    out = cli("show", "manager", "pinned")[1]
    assert "for:      a whole device" in out and "class:    socsim.schedulers.managers.pinned:Pinned" in out
    assert "for:      one application" in cli("show", "manager", "fixed")[1]
    about = json.loads(cli("show", "manager", "own_managers:Slow", "--json")[1])
    assert about["for"] == "a whole device" and about["options"] == {"level": 1, "period": None}


# --- simulate, and results ------------------------------------------------------------------------------------


def simulated(manager: Any, **options: Any) -> Result:
    net = socsim.Inference(
        "dynamic_ofa", "gpu", library="pytorch_eager", name="net", count=4, targets={"latency": "60 ms"}
    )
    return socsim.simulate(NX, [net], manager=manager, **options)


class Wanders(socsim.DeviceManager):
    """Another level after each inference, and the CPU in the end."""

    def start(self, state: Any) -> Setting:
        return Setting({"net": 1})

    def finished(self, state: Any, app: str) -> Setting:
        done = len(state.apps[app].latencies)
        return Setting({app: 1 + done // 2}, {app: "cpu" if done == 3 else "gpu"})


def test_tables_say_level_place_and_accuracy() -> None:
    result = simulated(Wanders())
    table = result.inferences[["level", "place", "top1"]]
    assert table.values.tolist() == [
        [1, "gpu", 74.202], [1, "gpu", 74.202], [2, "gpu", 74.968], [2, "cpu", 74.968]
    ]  # fmt: skip
    assert result.metrics()["top1_mean"] == pytest.approx((2 * 74.202 + 2 * 74.968) / 4)
    assert result.apps.scheduler.tolist() == ["gpu+cpu"]


def test_traces_show_switches_on_the_application() -> None:
    result = simulated(Wanders(), kernels=True)
    document = trace_document(result.outcome)
    assert trace_faults(document) == []
    own = [e for e in document["traceEvents"] if e.get("cat") in ("switch", "inference") and e["pid"] == 2]
    assert [(e["name"], e["args"].get("place")) for e in own] == [
        ("net #0", "gpu"), ("net #1", "gpu"), ("switch to level 2 on gpu", "gpu"), ("net #2", "gpu"),
        ("switch to level 2 on cpu", "cpu"), ("net #3", "cpu"),
    ]  # fmt: skip
    assert [e["dur"] for e in own if e["cat"] == "switch"] == pytest.approx([244e3, 244e3])
    title = gantt_figure(result.outcome).axes[0].get_title(loc="left")
    assert title.startswith("dynamic_ofa@") and "scheduler gpu" in title


def test_changes_without_cost_are_marks_of_no_length() -> None:
    done = managed(
        Says(finished=lambda state, name: to(places={name: "on_gpu"})), plain(count=2), kernels=True
    )
    document = trace_document(done)
    assert trace_faults(document) == []
    marks = [e for e in document["traceEvents"] if e.get("cat") == "switch"]
    assert [(e["name"], e["ts"], e["dur"]) for e in marks] == [("switch to level 1 on on_gpu", 4e6, 0.0)]


def test_saved_results_run_again(here: Path) -> None:
    result = simulated({"name": "pinned", "levels": {"net": 2}, "clocks": {"gpu": "510 MHz"}})
    result.save(here / "out")
    again = load_experiment(here / "out" / "experiment.yaml").run()
    pd.testing.assert_frame_equal(again.inferences, result.inferences)
    assert again.config["manager"] == {"name": "pinned", "levels": {"net": 2}, "clocks": {"gpu": "510 MHz"}}


def test_options_of_objects_are_kept(here: Path) -> None:
    result = simulated(Pinned({"net": 3}, clocks={"gpu": 510e6}))
    assert result.config["manager"]["levels"] == {"net": 3}
    result.save(here / "out")
    pd.testing.assert_frame_equal(
        load_experiment(here / "out" / "experiment.yaml").run().clocks, result.clocks
    )


# --- experiments and sweeps -----------------------------------------------------------------------------------


def test_an_experiment_names_its_manager_beside_its_applications(here: Path) -> None:
    result = load_experiment("e.yaml").run()
    table = result.inferences
    assert table[["app", "level", "place"]].drop_duplicates().values.tolist() == [
        ["net", 1, "gpu"],
        ["small", 1, "gpu"],
    ]
    assert table[table.app == "small"].arrival_ms.tolist() == [20.0, 70.0]
    assert result.clocks[result.clocks.domain == "gpu"].frequency_mhz[1:].max() <= 510.0
    assert result.metrics("small")["top1_mean"] is None


def test_its_file_is_an_input(here: Path) -> None:
    (here / "sub").mkdir()
    config = located(
        {"manager": "own_managers.py:Slow", "apps": [{"places": ["own_managers.py:Slow"]}]}, here
    )
    assert config["manager"] == f"{here}/own_managers.py:Slow" == config["apps"][0]["places"][0]
    assert list(input_hashes(config)) == [f"{here}/own_managers.py"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "own_managers:Slow",
            "pined",
            "e.yaml:2:10: manager: unknown manager 'pined'; did you mean 'pinned'?",
        ),
        (
            "own_managers:Slow",
            "fixed",
            "e.yaml:2:10: manager: manager 'fixed' picks the levels of one application",
        ),
        (
            "own_managers:Slow",
            "{name: pinned, level: 3}",
            "e.yaml:2:10: manager: manager 'pinned' has no option",
        ),
        ("places: [cpu]", "places: [gqu]", "apps.0.places.0: unknown scheduler 'gqu'; did you mean 'gpu'?"),
        ("places: [cpu]", "places: [band]", ""),
        (
            "places: [cpu]",
            "places: [band_heft]",
            "places.0: 'band_heft' decides at run time, and places need one that",
        ),
        ("places: [cpu]", "places: []", "apps.0.places: "),
        ("places: [cpu]", "manager: pinned", "apps.0.manager: manager 'pinned' is for a whole device"),
        ("stop: 120 ms", "stop: 10 ms", "stop later than it starts"),
        ("manager: own_managers:Slow\n", "", "apps.1.targets: targets are for families of networks"),
    ],
)
def test_faults_have_their_places(here: Path, old: str, new: str, message: str) -> None:
    text = (here / "e.yaml").read_text()
    assert old in text
    (here / "e.yaml").write_text(text.replace(old, new))
    if not message:
        assert check_sweep(load_sweep("e.yaml"))
        return
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep("e.yaml"))
    assert message in str(caught.value)


def test_sweeps_over_managers_and_their_options(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "e.yaml").write_text(
        FILE.replace("own_managers:Slow", "{name: own_managers:Slow, level: 1}")
        + "sweep: {manager.level: [1, 4]}\n"
    )
    swept = socsim.sweep("e.yaml")
    assert swept[swept.app == "net"].set_index("level").top1_mean.to_dict() == {1: 74.202, 4: 77.54}
    both = socsim.sweep(
        "e.yaml",
        {"manager": ["pinned", {"name": "own_managers:Slow", "level": 2}]},
        overrides=["manager.level=1"],
    )
    found = both[both.app == "net"].set_index("manager").top1_mean
    assert "top-1" in calling(capsys)("run", "e.yaml")[1]
    assert found.to_dict() == {"pinned": 79.03, "own_managers:Slow(level=2)": 74.968}


# --- comparisons ----------------------------------------------------------------------------------------------


def compared(schedulers: list[Any], **options: Any) -> Any:
    given = {"library": "pytorch_eager", "inferences": 3, **options}
    return socsim.compare(NX, given.pop("model", "dynamic_ofa"), schedulers, **given)


def test_managers_are_rows_beside_schedulers(here: Path) -> None:
    found = compared(["gpu", "fixed(level=2)", "own_managers:Slow", Pinned({"dynamic_ofa": 3})], level=5)
    assert [row["scheduler"] for row in found.rows] == [
        "gpu",
        "fixed(level=2)",
        "Slow",
        "pinned",
    ]
    assert [row["top1_mean"] for row in found.rows] == [78.346, 74.968, 74.202, 76.134]
    assert "top-1" in str(found) and "Slow" in str(found)
    assert found.results[1].config["apps"][0]["manager"] == "fixed(level=2)"
    assert found.results[2].config["manager"] == f"{here}/own_managers.py:Slow"
    assert found.config["level"] == 5


def test_titles_tell_managers_apart(here: Path) -> None:
    found = compared([Pinned({"dynamic_ofa": 1}), Pinned({"dynamic_ofa": 2})])
    assert [row["scheduler"] for row in found.rows] == [
        "pinned(levels={'dynamic_ofa': 1})", "pinned(levels={'dynamic_ofa': 2})"
    ]  # fmt: skip


def test_targets_reach_managers() -> None:
    seen: list[Any] = []
    manager = Says(began=lambda state: seen.extend(own.target for own in state.apps.values()))
    compared(["gpu", manager], targets={"latency": "60 ms", "top1": 76})
    compared(["gpu", manager], targets={"latency": "60 ms"}, model="squeezenet_1.1")
    assert [(target.latency, target.top1) for target in seen] == [(0.06, 76.0), (0.06, None)]
    with pytest.raises(
        UsageError, match="targets are for families of networks, such as dynamic_ofa, and for managers"
    ):
        compared(["gpu"], targets={"latency": "60 ms"}, model="squeezenet_1.1")


def test_what_managers_run_on() -> None:
    class OnTheCpu(socsim.DeviceManager):
        runs_on = "cpu"

        def start(self, state: Any) -> Setting:
            return Setting()

    first, second, third = contenders([OnTheCpu, "fixed", "heft"], "gpu")
    assert (first.scheduler, second.scheduler, third.title) == ("cpu", "gpu", "heft")
    assert (first.manages, second.manages, third.manages) == (True, True, False)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            "latency_windov",
            UnknownNameError,
            "scheduler or manager 'latency_windov'; did you mean 'latency_window'",
        ),
        ("gqu", UnknownNameError, "unknown scheduler 'gqu'; did you mean 'gpu'?"),
        ("zzzzzz", UnknownNameError, "fixed, gpu"),
        ({"name": "pined"}, UnknownNameError, "did you mean 'pinned'"),
        ({"level": 3}, UsageError, "mapping needs a name"),
        (3, UsageError, "a scheduler is a name, a class, an object or a mapping"),
        (
            "pathlib:Path",
            UsageError,
            "Path must be a subclass of StaticScheduler, OnlineScheduler, Manager",
        ),
        ("own_managers:Slov", UnknownNameError, "'Slov'; did you mean 'Slow'"),
    ],
)
def test_names_are_looked_for_in_both_catalogues(here: Path, spec: Any, error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        make_decider(spec)
    assert message in str(caught.value)


def test_managers_of_levels_need_a_family() -> None:
    with pytest.raises(UsageError, match="manager is for families of networks"):
        compared(["gpu", "fixed"], model="squeezenet_1.1")
    with pytest.raises(UsageError, match="level is for families of networks"):
        compared(["gpu"], model="squeezenet_1.1", level=2)
    with pytest.raises(SocsimError, match="band_heft' decides at run time, and families need one that plans"):
        compared(["band_heft"])


COMPARISON = """\
device: jetson-xavier-nx
model: dynamic_ofa
schedulers: [gpu, fixed, {name: pinned, levels: {dynamic_ofa: 2}, clocks: {gpu: 510 MHz}}]
library: pytorch_eager
inferences: 2
level: 3
targets: {latency: 60 ms, top1: 76}
governors: schedutil_l4t+nvhost_podgov
"""


def test_a_comparison_file_with_managers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "c.yaml").write_text(COMPARISON)
    assert (
        check_comparison("c.yaml") == "comparison of 3 schedulers with 1 set of governors on jetson-xavier-nx"
    )
    cli = calling(capsys)
    rows = json.loads(cli("run", "c.yaml", "--json", "-o", "out")[1])
    assert [row["top1_mean"] for row in rows] == [76.134, 76.134, 74.968]
    assert json.loads(cli("run", "out", "--json")[1]) == rows
    assert load_comparison("out/experiment.yaml").level == 3
    for old, new, message in (
        ("fixed,", "fixt,", "'fixt'"),
        ("level: 3", "level: 9", "has levels 1 to 6, got 9"),
        ("latency: 60 ms", "latency: 60", "targets.0.latency"),
        (
            "model: dynamic_ofa",
            "model: squeezenet_1.1",
            "level is for families of networks, and 'squeezenet_1.1'",
        ),
        ("level: 3", "fuse: false", "is a family, of whose levels the library decides that"),
    ):
        (here / "c.yaml").write_text(COMPARISON.replace(old, new))
        with pytest.raises(SocsimError) as caught:
            check_comparison("c.yaml")
        assert message in str(caught.value)


def test_the_command_compares_managers(capsys: pytest.CaptureFixture[str]) -> None:
    cli = calling(capsys)
    words = ("compare", "-d", NX, "-m", "dynamic_ofa", "--library", "pytorch_eager", "-n", "2", "--json")
    rows = json.loads(
        cli(*words, "-s", "gpu,latency_window,pinned", "--level", "4", "--latency", "60 ms", "--top1", "76")[
            1
        ]
    )
    assert [(row["scheduler"], row["top1_mean"]) for row in rows] == [
        ("gpu", 77.54), ("latency_window", 77.54), ("pinned", 77.54)
    ]  # fmt: skip
    code, _, err = cli(*words, "-s", "gpu,pined")
    assert code == 2 and "did you mean 'pinned'" in err
    code, _, err = cli(*words, "-s", "gpu", "--no-fuse")
    assert code == 2 and "whether operators are fused is for one network" in err


# --- the check of managers ------------------------------------------------------------------------------------


def test_sound_managers(here: Path) -> None:
    assert check_manager("fixed") == "fixed: sound on 9 applications"
    assert (
        check_manager("latency_window(target=40 ms)")
        == "latency_window(target=40 ms): sound on 9 applications"
    )
    assert check_manager("own_managers:Slow") == "Slow: sound in 6 runs"
    assert check_manager("pinned", device="xiaomi-9", library="mace") == "pinned: sound in 6 runs"


class TooHigh(socsim.Manager):
    def next_level(self, view: Any) -> int:
        return view.level + 1


class Halves(socsim.Manager):
    def next_level(self, view: Any) -> Any:
        return view.level / 2


class Shares(socsim.Manager):
    """Counts for all objects together."""

    calls: list[int] = []  # noqa: RUF012

    def next_level(self, view: Any) -> int:
        self.calls.append(1)
        return 1 + len(self.calls) // 100 % len(view.top1)


class WrongApp(socsim.DeviceManager):
    def start(self, state: Any) -> Setting:
        return Setting({"nett": 1})


class Stumbles(socsim.DeviceManager):
    def start(self, state: Any) -> Setting:
        return Setting()

    def finished(self, state: Any, app: str) -> Setting:
        return Setting({app: max(state.apps[app].top1) + 1})


class Forgets(socsim.DeviceManager):
    """Other levels in every second run."""

    runs: list[int] = []  # noqa: RUF012

    def start(self, state: Any) -> Setting:
        self.runs.append(1)
        return Setting({name: 1 + len(self.runs) % len(app.top1) for name, app in state.apps.items()})


@pytest.mark.parametrize(
    ("manager", "message"),
    [
        (TooHigh, r"manager 'TooHigh', next_level\(\) in call 1: levels are 1 to 1, got 2"),
        (Halves, "levels are 1 to 1, got 0.5"),
        (Shares, "manager 'Shares' on 2 levels, call .*: one object picks"),
        (WrongApp, "manager 'WrongApp' of net: .*did you mean 'net'"),
        (
            Stumbles,
            r"manager 'Stumbles' of net: .*finished\(\): family 'dynamic_ofa' has levels 1 to 6, got 7",
        ),
        (Forgets, "manager 'Forgets', run 1: two runs with one seed differ"),
    ],
)
def test_broken_managers_are_caught(manager: type, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        check_manager(manager)


def test_wrong_names_are_no_fault_of_a_run() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'pinned'"):
        check_manager("pined")


def test_own_schedulers_are_places_by_their_names() -> None:
    done = managed(Says(), app(scheduler=OnCpu(), places=["gpu"]))
    assert done.inferences[0].place == "on_cpu"
