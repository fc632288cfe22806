"""Applications of a family in time: which level runs when, what switching costs, and what is refused where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corekit import CPU, LIBRARY, SHARING, Fixed, net, toy

import socsim
from socsim.errors import FileError, SimulationError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.results.inputs import input_hashes, located
from socsim.results.result import Result
from socsim.schedulers.base import OnlineScheduler
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.plan import load_sweep
from socsim.workloads.apps import Inference
from socsim.workloads.dynamic import DynamicFamily, SubNetwork, SwitchCost, is_family, load_family
from socsim.workloads.graph import ModelGraph

NX = "jetson-xavier-nx"


class Recipe:
    """A network of one operator that takes `seconds` on the CPU."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def build(self, name: str) -> ModelGraph:
        graph = net(f"a:{2 * self.seconds} x")
        return ModelGraph(name, list(graph), list(graph.tensors.values()), graph.inputs, graph.outputs)


def family(cost: float = 0.5) -> DynamicFamily:
    """Levels 1, 2 and 3 take 2, 4 and 6 s; a switch takes half a second."""
    levels = tuple(
        SubNetwork(f"toy@{i}", i, 60.0 + 10 * i, Recipe(2 * i), "A", "test", None, None, {})  # type: ignore[arg-type]
        for i in (1, 2, 3)
    )
    return DynamicFamily("toy", "Toy", levels, SwitchCost(cost, "A", "test"), {}, {}, ())


class Script(socsim.Manager):
    """Levels by a list; what it has seen is kept in a list of the test's."""

    def __init__(self, levels: list[Any], seen: list[Any] | None = None) -> None:
        self.levels, self.seen = levels, seen

    def __deepcopy__(self, memo: Any) -> Script:
        return Script(list(self.levels), self.seen)

    def next_level(self, view: Any) -> Any:
        if self.seen is not None:
            self.seen.append(
                (view.now, view.level, view.latencies[-1], view.services[-1], view.target.latency)
            )
        return self.levels.pop(0) if self.levels else view.level


class Planned(Fixed):
    """Everything on the CPU; counts how often it plans which network."""

    def __init__(self) -> None:
        super().__init__({"a": CPU})
        self.asked: list[str] = []

    def plan(self, graph: ModelGraph, view: Any) -> Any:
        self.asked.append(graph.name)
        return super().plan(graph, view)


class OnCpu(OnlineScheduler):
    """Everything on the CPU, at once."""

    def decide(self, view: Any) -> Any:
        for job in view.ready:
            yield job.on("cpu")


def app(model: Any = None, **options: Any) -> Inference:
    return Inference(
        family() if model is None else model, **{"scheduler": Planned(), "library": LIBRARY, **options}
    )


def run(*apps: Inference, duration: float | None = None, **options: Any) -> Outcome:
    simulation = Simulation(toy(), apps, duration=duration, **options)
    simulation.validate()
    return simulation.run()


def lives(done: Outcome) -> list[str]:
    """Each inference by number: ``number:arrival-start-end@level``; ``?`` for what did not happen."""

    def text(time: float) -> str:
        return "?" if time < 0 else f"{time:g}"

    records = sorted(done.inferences, key=lambda r: r.number)
    return [f"{r.number}:{r.arrival_s:g}-{text(r.start_s)}-{text(r.finish_s)}@{r.level}" for r in records]


# --- levels in time -----------------------------------------------------------------------------------------


def test_without_a_manager_the_most_accurate_level_runs() -> None:
    assert lives(run(app(count=2))) == ["0:0-0-6@3", "1:6-6-12@3"]
    assert lives(run(app(count=2, level=1))) == ["0:0-0-2@1", "1:2-2-4@1"]


def test_a_switch_is_charged_where_the_level_differs_from_the_one_before() -> None:
    done = run(app(count=5, manager=Script([1, 1, 2, 3])))
    assert lives(done) == [
        "0:0-0-6@3",
        "1:6-6.5-8.5@1",
        "2:8.5-8.5-10.5@1",
        "3:10.5-11-15@2",
        "4:15-15.5-21.5@3",
    ]


def test_a_switch_without_cost() -> None:
    done = run(app(family(0.0), count=3, manager=Script([1, 2])))
    assert lives(done) == ["0:0-0-6@3", "1:6-6-8@1", "2:8-8-12@2"]


def test_the_manager_picks_the_first_level_without_a_switch() -> None:
    done = run(app(count=2, level=3, manager="fixed(level=1)"))
    assert lives(done) == ["0:0-0-2@1", "1:2-2-4@1"]


def test_switching_begins_when_an_inference_may() -> None:
    # Arrivals at 0, 5, 10 and 15 s: the second waits for the first, the third for the second, the fourth for nobody.
    done = run(app(count=4, period=5.0, manager=Script([2, 1, 1])))
    assert lives(done) == ["0:0-0-6@3", "1:5-6.5-10.5@2", "2:10-11-13@1", "3:15-15-17@1"]


def test_one_that_switches_at_the_end_has_not_begun() -> None:
    done = run(app(manager=Script([1])), duration=6.25)
    assert lives(done) == ["0:0-0-6@3", "1:6-?-?@0"]
    assert [r.status for r in done.inferences] == ["finished", "queued"]
    assert lives(run(app(manager=Script([1])), duration=7.0))[1] == "1:6-6.5-?@1"


def test_what_the_manager_sees() -> None:
    seen: list[Any] = []
    targets = [{"latency": 3.0}, {"at": 9.0, "latency": 5.0}]
    run(app(count=3, manager=Script([1, 2], seen), targets=targets))
    assert seen == [(6.0, 3, 6.0, 6.0, 3.0), (8.5, 1, 2.5, 2.0, 3.0), (13.0, 2, 4.5, 4.0, 5.0)]


@pytest.mark.parametrize(("cost", "other_ends"), [(0.0, 10.0), (0.5, 9.5), (2.0, 8.0)])
def test_a_switch_keeps_no_processor_busy(cost: float, other_ends: float) -> None:
    # Another application has 2 s of work from 6 s on: alone while this one switches, half of the CPU afterwards.
    other = Inference(net("a:4 x"), Fixed({"a": CPU}), library=LIBRARY, name="other", arrivals=[6.0])
    done = run(app(family(cost), count=2, manager=Script([1])), other, mechanisms=SHARING)
    assert {r.app: r.finish_s for r in done.inferences} == {"toy": 10.0, "other": other_ends}


def test_each_level_is_planned_once_and_when_it_first_runs() -> None:
    scheduler = Planned()
    run(app(count=6, scheduler=scheduler, manager=Script([1, 3, 1, 3, 1])))
    assert scheduler.asked == ["toy@3", "toy@1"]


def test_runs_of_one_application_are_alike() -> None:
    own = app(count=5, manager=Script([1, 2, 3, 1]))
    assert run(own) == run(own)
    assert run(own, stepwise=True).inferences == run(own).inferences


def test_two_applications_have_managers_of_their_own() -> None:
    manager = Script([1, 2])
    one = app(count=3, manager=manager, name="one")
    done = run(one, replace(one, name="two", arrivals=[20.0, 30.0, 40.0]))
    levels = {name: [r.level for r in done.inferences if r.app == name] for name in ("one", "two")}
    assert levels == {"one": [3, 1, 2], "two": [3, 1, 2]}


# --- records and tables -------------------------------------------------------------------------------------


def test_tables_tell_level_and_accuracy() -> None:
    other = Inference(net("a:4 x"), Fixed({"a": CPU}), library=LIBRARY, name="other", count=1)
    result = Result(run(app(count=4, manager=Script([1, 1, 2])), other))
    table = result.inferences
    own = table[table.app == "toy"]
    assert own.level.tolist() == [3, 1, 1, 2]
    assert own.top1.tolist() == [90.0, 70.0, 70.0, 80.0]
    assert table[table.app == "other"][["level", "top1"]].isna().all(axis=None)
    assert result.metrics("toy")["top1_mean"] == pytest.approx(310 / 4)
    assert result.metrics("other")["top1_mean"] is None


def test_an_accuracy_is_that_of_finished_inferences() -> None:
    result = Result(run(app(manager=Script([1])), duration=7.0))
    assert result.metrics()["top1_mean"] == 90.0


def test_the_record_is_the_mean_over_levels() -> None:
    record = run(app(count=4, manager=Script([1, 1, 1]))).apps["toy"]
    assert (record.model, record.operators, record.kernels) == ("toy", 1, 1.0)
    assert record.macs == (12 + 3 * 4) / 4
    assert record.top1 == {1: 70.0, 2: 80.0, 3: 90.0}
    assert record.peak_memory_bytes == run(app(count=1)).apps["toy"].peak_memory_bytes


def test_predictions_of_all_levels_are_one_row() -> None:
    (row,) = run(app(count=5, manager=Script([1, 2, 2, 3]))).predictions
    assert (row.app, row.predictor, row.processor, row.kernels) == ("toy", "exact", "cpu", 5)
    assert row.absolute == pytest.approx(0.0, abs=1e-9)


def test_noise_is_drawn_per_inference_whatever_its_level() -> None:
    device = toy(cpu={"noise": 0.1})
    own = app(count=4, manager=Script([1, 1, 2]))
    runs = [Simulation(device, [own], seed=seed, noise=True).run() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert [r.level for r in runs[0].inferences] == [3, 1, 1, 2]
    assert run(own).inferences[0].finish_s != runs[0].inferences[0].finish_s


# --- families by name ---------------------------------------------------------------------------------------


def test_names_of_families() -> None:
    assert is_family("dynamic_ofa") and is_family("some/where/own.yaml")
    assert not any(map(is_family, ("dynamic_ofa@4", "own.yaml@1", "resnet50", "own.onnx")))


def test_a_family_by_name_runs_as_its_level_does_by_its_own() -> None:
    shared: dict[str, Any] = {"scheduler": "gpu", "library": "pytorch_eager", "count": 2}
    one = socsim.simulate(NX, [Inference("dynamic_ofa@3", **shared)])
    whole = socsim.simulate(NX, [Inference("dynamic_ofa", level=3, **shared)])
    assert whole.inferences.finish_ms.tolist() == one.inferences.finish_ms.tolist()
    assert whole.outcome.energy_j == one.outcome.energy_j
    assert whole.metrics()["top1_mean"] == pytest.approx(load_family("dynamic_ofa")[3].top1)
    assert whole.slowdown() == {"dynamic_ofa": pytest.approx(1.0)}


def test_what_was_simulated_can_be_run_again(tmp_path: Path) -> None:
    own = Inference(
        "dynamic_ofa", "gpu", "pytorch_eager", level=4, count=8, targets=[{"latency": "45 ms"}],
        manager={"name": "latency_window", "window": 2, "skip": 1},
    )  # fmt: skip
    result = socsim.simulate(NX, [own])
    assert result.inferences.level.tolist() == [4, 4, 4, 3, 3, 3, 2, 2]
    kept = result.config["apps"][0]
    assert (kept["model"], kept["level"], kept["targets"]) == (
        "dynamic_ofa",
        4,
        [{"at": "0 s", "latency": "0.045 s"}],
    )
    result.save(tmp_path / "out")
    again = load_experiment(next((tmp_path / "out").glob("*.yaml"))).run()
    assert again.outcome.inferences == result.outcome.inferences


def test_paths_of_families_and_managers_are_made_absolute_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").touch()
    (tmp_path / "mine.py").touch()
    config = {
        "apps": [{"kind": "inference", "model": "own.yaml", "manager": "mine:Mine"}, {"model": "dynamic_ofa"}]
    }
    found = located(config, tmp_path)["apps"]
    assert [a["model"] for a in found] == [str(tmp_path / "own.yaml"), "dynamic_ofa"]
    assert found[0]["manager"] == f"{tmp_path / 'mine.py'}:Mine"
    assert sorted(input_hashes({"apps": found})) == [str(tmp_path / "mine.py"), str(tmp_path / "own.yaml")]


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 2}, "inference 'net': level is for families of networks, and this is one network"),
        ({"manager": "fixed"}, "manager is for families"),
    ],
)
def test_options_of_families_for_one_network(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        app(net("a:4 x"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 0}, "inference 'toy': level must be positive, got 0"),
        ({"level": "4"}, "level must be a number, got '4'"),
        ({"concurrency": 2}, "a family runs one inference at a time.* got 2"),
        ({"targets": [{"latency": -1}]}, "inference 'toy': targets.0.latency must be positive"),
    ],
)
def test_applications_of_families_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        app(**options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"level": 4}, UsageError, "family 'toy' has levels 1 to 3, got 4; the nearest is toy@3"),
        (
            {"scheduler": OnCpu()},
            UsageError,
            "application 'toy': scheduler 'OnCpu' decides at run time.* 'heft'",
        ),
        ({"manager": "fixd"}, UnknownNameError, "unknown manager 'fixd'; did you mean 'fixed'"),
        (
            {"manager": "fixed(level=9)"},
            UsageError,
            r"manager 'fixed\(level=9\)' of 'toy', start\(\): family 'toy' has",
        ),
        (
            {"manager": Script([7])},
            UsageError,
            r"manager 'Script' of 'toy', next_level\(\): .*levels 1 to 3, got 7",
        ),
        (
            {"manager": Script([None])},
            UsageError,
            r"next_level\(\): a level of .* is a whole number .* got None",
        ),
        ({"manager": Script([True])}, UsageError, "is a whole number from 1 to 3, got True"),
    ],
)
def test_runs_that_cannot_be(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(app(count=2, **options))


def test_a_manager_that_fails_is_told_with_its_place() -> None:
    class Torn(socsim.Manager):
        def next_level(self, view: Any) -> int:
            return int(view.nothing)

    with pytest.raises(
        SimulationError, match=r"manager '.*:Torn' failed in next_level\(\) on 'toy' \(test_levels.py:"
    ):
        run(app(count=2, manager=Torn()))


TEXT = """\
device: jetson-xavier-nx
duration: 1 s
apps:
  - kind: inference
    model: dynamic_ofa
    library: pytorch_eager
    scheduler: gpu
    level: 4
    manager: latency_window(target=60 ms)
    targets: [{latency: 60 ms}, {at: 5 s, top1: 78}]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dynamic_ofa",
            "dynamic_ofa@4",
            "own.yaml:4:5: apps.0: inference 'dynamic_ofa@4': level is for families",
        ),
        ("dynamic_ofa", "nowhere.yaml", "own.yaml:5:12: apps.0.model: unknown family"),
        (
            "scheduler: gpu",
            "scheduler: band_heft",
            "own.yaml:7:16: apps.0.scheduler: 'band_heft' decides at run",
        ),
        (
            "level: 4",
            "level: 7",
            "own.yaml:8:12: apps.0.level: family 'dynamic_ofa' has levels 1 to 6, got 7",
        ),
        ("level: 4", "level: top", "own.yaml:8:12: apps.0.level: should be a valid integer"),
        (
            "(target=60 ms)",
            "(aim=60 ms)",
            "own.yaml:9:14: apps.0.manager: manager 'latency_window' has no option",
        ),
        ("latency_window(", "latncy_window(", "own.yaml:9:14: apps.0.manager: unknown manager"),
        ("{latency: 60 ms}", "{latency: 60}", "own.yaml:10:14: apps.0.targets: "),
        ("at: 5 s", "at: 0 s", "own.yaml:10:14: apps.0.targets: targets.1.at must be later"),
    ],
)
def test_faults_of_experiments_have_their_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "own.yaml"
    assert old in TEXT
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(file))
    assert message in str(caught.value)


def test_a_sound_experiment_is_found_sound(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(TEXT)
    assert check_sweep(load_sweep(file)) == "experiment, 1 application on jetson-xavier-nx"
    result = load_experiment(file, ["apps.dynamic_ofa.manager=fixed(level=2)", "duration=0.2 s"]).run()
    assert result.inferences.level.dropna().unique().tolist() == [2]


def test_targets_that_change_in_an_experiment(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    rows = (
        "{latency: 60 ms, top1: 76}, {at: 2 s, latency: 48 ms, top1: 74}, {at: 6 s, latency: 65 ms, top1: 78}"
    )
    file.write_text(TEXT.replace("{latency: 60 ms}, {at: 5 s, top1: 78}", rows))
    table = load_experiment(file, ["duration=8 s"]).run().inferences
    moves = table[table.level.diff() != 0]
    assert list(zip(moves.inference, moves.level, strict=True)) == [(0, 4), (40, 3), (80, 2), (121, 3)]
    assert (table.start_ms.diff()[moves.index[1:]] > 244).all()


def test_a_sweep_over_levels_and_managers(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    quick = '"latency_window(window=1, skip=0, target=50 ms, top1=70)"'
    text = TEXT.replace("    targets: [{latency: 60 ms}, {at: 5 s, top1: 78}]\n", "")
    file.write_text(f"{text}sweep: {{apps.0.level: [2, 4], apps.0.manager: [fixed, {quick}]}}\n")
    table = socsim.sweep(file)
    left = table.finished[3] - 2
    down = (77.54 + 76.134 + left * 74.968) / (left + 2)  # one inference at levels 4 and 3 each
    assert table.top1_mean.tolist() == pytest.approx([74.968, 74.968, 77.54, down])


# --- the experiment that comes with socsim ------------------------------------------------------------------


def test_a_second_application_makes_the_manager_go_down() -> None:
    result = load_experiment("target-and-contention").run()
    finished = result.inferences[result.inferences.status == "finished"]
    alone = finished[finished.finish_ms < 2500]
    assert alone.level.unique().tolist() == [4] and alone.service_ms.max() < 60
    order = finished.level[finished.level.diff() != 0].tolist()
    assert order == [4, 3, 2, 1]
    switches = finished[finished.level.diff().fillna(0) != 0]
    assert np.allclose(switches.wait_ms, 244)
    three = switches.start_ms[switches.level == 2].item() - switches.start_ms[switches.level == 3].item()
    assert three == pytest.approx(3000, rel=0.05)


def test_the_second_application_slows_level_four_as_published() -> None:
    result = load_experiment("target-and-contention", ["apps.net.manager=fixed"]).run()
    finished = result.inferences[result.inferences.status == "finished"]
    before = finished.service_ms[finished.finish_ms < 2500].mean()
    after = finished.service_ms[finished.start_ms > 2500].mean()
    assert after / before == pytest.approx(1.36, rel=0.05)
