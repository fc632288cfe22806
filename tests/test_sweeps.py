"""Sweeps: the experiments of their points, what overrides leave of them, rows, and every fault with its place."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import socsim
from socsim.errors import FileError, SimulationError, UnknownNameError, UsageError
from socsim.results.inputs import input_hashes, located
from socsim.results.store import read_manifest
from socsim.sweeps import Sweep, load_sweep
from socsim.sweeps.checking import check_sweep
from socsim.sweeps.running import run_point, run_points
from socsim.sweeps.saving import save_sweep
from socsim.sweeps.tables import evened, point_title

TEXT = """\
device: xiaomi-9
apps:
  - {kind: inference, name: net, model: squeezenet_1.1, scheduler: cpu, count: 2}
  - {kind: competitor, name: busy, threads: 4, duty: 0.9}
sweep:
  apps.net.scheduler: [cpu, gpu]
  apps.busy.count: 0..2
"""
PLAIN = TEXT[: TEXT.index("sweep:")]
VARIANTS = """\
  limit:
    none: {}
    short: {apps.net.kernel_limit: 1 ms, apps.net.scheduler: gpu}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(TEXT)
    return tmp_path


def written(sweep: str) -> str:
    Path("s.yaml").write_text(f"{PLAIN}sweep:\n{sweep}")
    return "s.yaml"


def of(sweep: Sweep) -> list[tuple]:
    """Scheduler and number of competitors of each point."""
    experiments = [sweep.experiment(i) for i in range(len(sweep))]
    return [(e.apps[0].scheduler, e.apps[1].count) for e in experiments]


def told(call, *args, **options) -> str:
    with pytest.raises((FileError, UsageError, UnknownNameError)) as caught:
        call(*args, **options)
    return str(caught.value)


# --- points ---------------------------------------------------------------------------------------------------


def test_the_experiment_of_each_point(here: Path) -> None:
    sweep = load_sweep("s.yaml")
    assert of(sweep) == [("cpu", 0), ("cpu", 1), ("cpu", 2), ("gpu", 0), ("gpu", 1), ("gpu", 2)]
    assert (sweep.name, len(sweep), point_title(sweep, 4)) == ("s", 6, "net.scheduler=gpu, count=1")
    config = sweep.experiment(4).config
    assert (config["apps"][1]["count"], "sweep" in config) == (1, False)
    assert sweep.experiment(0).config["apps"][1]["count"] == 0


def test_an_experiment_without_a_sweep_has_one_point(here: Path) -> None:
    Path("s.yaml").write_text(PLAIN)
    sweep = load_sweep("s.yaml", ["apps.net.count=1"])
    assert (of(sweep), sweep.experiment(0).apps[0].count, "sweep" in sweep.config) == ([("cpu", 1)], 1, False)


def test_variants_change_several_keys(here: Path) -> None:
    sweep = load_sweep(written(VARIANTS))
    apps = [sweep.experiment(i).apps[0] for i in range(2)]
    assert [(a.kernel_limit_s, a.scheduler) for a in apps] == [(0.0, "cpu"), (0.001, "gpu")]


def test_a_later_axis_may_reach_into_what_one_before_it_sets(here: Path) -> None:
    sweep = load_sweep(
        written(
            "  apps.net.scheduler: [{name: heft}, {name: peft}]\n  apps.net.scheduler.predictor: [flops]\n"
        )
    )
    assert [sweep.experiment(i).apps[0].scheduler for i in range(2)] == [
        {"name": "heft", "predictor": "flops"}, {"name": "peft", "predictor": "flops"}
    ]  # fmt: skip
    assert sweep.axes[0].values == [{"name": "heft"}, {"name": "peft"}]


def test_axes_from_python_come_after_those_of_the_file_or_instead(here: Path) -> None:
    sweep = load_sweep("s.yaml", over={"seed": range(2), "apps.busy.count": [3]})
    assert [point_title(sweep, i) for i in range(len(sweep))] == [
        "net.scheduler=cpu, count=3, seed=0", "net.scheduler=cpu, count=3, seed=1",
        "net.scheduler=gpu, count=3, seed=0", "net.scheduler=gpu, count=3, seed=1",
    ]  # fmt: skip


def test_an_experiment_may_be_swept(here: Path) -> None:
    Path("s.yaml").write_text(PLAIN)
    experiment = socsim.load_experiment("s.yaml", ["apps.net.count=1"])
    sweep = load_sweep(experiment, over={"apps.net.scheduler": ["gpu", "cpu"]})
    assert (sweep.name, of(sweep), sweep.experiment(0).apps[0].count) == ("s", [("gpu", 1), ("cpu", 1)], 1)
    assert told(load_sweep, experiment, over={"apps.nat.count": [1]}) == (
        "s: sweep.apps.nat.count: unknown key 'apps.nat'; did you mean 'net'?"
    )


def test_what_to_sweep_over_is_a_mapping(here: Path) -> None:
    message = "what to sweep over is a mapping such as {'seed': '0..9'}, got 'seed'"
    assert told(socsim.sweep, "s.yaml", "seed") == message


def test_a_single_experiment_cannot_be_given_a_sweep(here: Path) -> None:
    Path("s.yaml").write_text(PLAIN)
    for override in ("sweep.seed=0..3", "sweep={seed: 0..3}"):
        assert "a single experiment has no sweep" in told(socsim.load_experiment, "s.yaml", [override])


def test_a_sweep_travels_between_processes(here: Path) -> None:
    sweep = pickle.loads(pickle.dumps(load_sweep("s.yaml")))
    assert run_point(sweep, 3) == run_point(load_sweep("s.yaml"), 3)


def test_files_that_are_swept_over_are_relative_to_the_experiment(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "mine.yaml").write_text("extends: xiaomi-9\n")
    (here / "sub" / "own.py").write_text("")
    sweep = "sweep:\n  device: [xiaomi-9, mine.yaml]\n  apps.net.scheduler: ['own.py:S', {name: own.py:T}]\n"
    (here / "sub" / "s.yaml").write_text(PLAIN + sweep)
    plan = load_sweep("sub/s.yaml")
    assert [plan.experiment(i).device for i in (0, 2)] == ["xiaomi-9", str(here / "sub" / "mine.yaml")]
    assert plan.config["sweep"]["device"] == ["xiaomi-9", str(here / "sub" / "mine.yaml")]
    assert plan.config["sweep"]["apps.net.scheduler"] == [
        f"{here}/sub/own.py:S",
        {"name": f"{here}/sub/own.py:T"},
    ]
    assert {Path(name).name for name in input_hashes(plan.config)} == {"mine.yaml", "own.py"}


# --- overrides ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "points"),
    [
        (["apps.busy.count=2"], [("cpu", 2), ("gpu", 2)]),
        (["apps.1.count=7"], [("cpu", 7), ("gpu", 7)]),
        (["apps.busy.count=2", "apps.0.scheduler=dsp"], [("dsp", 2)]),
        (["sweep.apps.busy.count=4..5", "apps.net.scheduler=gpu"], [("gpu", 4), ("gpu", 5)]),
        (["sweep.apps.net.scheduler=[codl]", "apps.busy.count=0"], [("codl", 0)]),
        (["apps.busy.count=1", "apps.net.count=1"], [("cpu", 1), ("gpu", 1)]),
        (["sweep={apps.busy.count: [6]}", "apps.net.scheduler=gpu"], [("gpu", 6)]),
        (["apps.busy.count=1", "sweep.seed=0..1", "apps.net.scheduler=gpu"], [("gpu", 1), ("gpu", 1)]),
    ],
)
def test_overrides_pin_and_replace_axes(here: Path, overrides: list[str], points: list) -> None:
    assert of(load_sweep("s.yaml", overrides)) == points


def test_variants_are_pinned_and_chosen_by_name(here: Path) -> None:
    file = written(VARIANTS)
    pinned = load_sweep(file, ["limit=short", "apps.net.kernel_limit=2 ms"])
    assert (pinned.axes, pinned.experiment(0).apps[0].kernel_limit_s) == ((), 0.002)
    assert load_sweep(file, ["sweep.limit=[short]"]).grid[0].labels == ("short",)
    assert load_sweep(file, over={"limit": ["short", "none"]}).grid[0].labels == ("short",)
    for wrong in (["limit=shirt"], ["sweep.limit=[shirt]"]):
        assert told(load_sweep, file, wrong) == "unknown variant of 'limit': 'shirt'; did you mean 'short'?"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["apps.busy.cuont=1"], "s.yaml with overrides: unknown key 'apps.busy.cuont'; did you mean 'count'?"),
        (["apps.nat.count=1"], "unknown key 'apps.nat'; did you mean 'net'?"),
        (["apps.busy.count=-1"],
         "s.yaml with overrides: apps.busy.count: should be greater than or equal to 0, got -1"),
        (["apps.busy={kind: competitor}"], "the sweep over 'apps.busy.count' sets 'apps.busy.count', which undoes "
         "'apps.busy'; pin it: -s apps.busy.count=..."),
        (["sweep=0..3"], "sweep is a mapping such as {seed: 0..9}, got '0..3'"),
        (["sweep.seed=3..1"], "s.yaml: sweep.seed: the range 3..1 runs backwards; write 1..3"),
        (["sweep.seed=3"], "s.yaml: sweep.seed: should be a list, a range such as 0..9"),
        (["sweep.apps.nat.count=[1]"], "s.yaml: sweep.apps.nat.count: unknown key 'apps.nat'; did you mean 'net'?"),
    ],
)  # fmt: skip
def test_wrong_overrides(here: Path, overrides: list[str], sentence: str) -> None:
    assert told(load_sweep, "s.yaml", overrides).startswith(sentence)


def test_what_variants_set_cannot_be_changed_behind_them(here: Path) -> None:
    message = told(load_sweep, written(VARIANTS), ["apps.0.kernel_limit=2 ms"])
    assert message == (
        "the sweep over 'limit' sets 'apps.net.kernel_limit', which undoes 'apps.0.kernel_limit'; pin it: -s limit=..."
    )


# --- faults and their places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("  apps.nat.count: [1]\n", "6:3: sweep.apps.nat.count: unknown key 'apps.nat'; did you mean 'net'?"),
        ("  aps.net.count: [1]\n", "6:3: sweep.aps.net.count: unknown key 'aps'; did you mean 'apps'?"),
        ("  apps.net.cuont: [1, 2]\n",
         "6:3: sweep.apps.net.cuont: unknown key 'apps.net.cuont'; did you mean 'count'?"),
        ("  sede: 0..1\n", "6:3: sweep.sede: unknown key 'sede'; did you mean 'seed'?"),
        ("  device.x: [1]\n", "6:3: sweep.device.x: key 'device.x': 'device' is a value and has no 'x'"),
        ("  apps.net.count: [1, two]\n", "6:23: sweep.apps.net.count.1: should be a valid integer, got 'two'"),
        ("  seed: -1..1\n", "6:9: sweep.seed: should be greater than or equal to 0, got -1"),
        ("  seed: 5..1\n", "6:9: sweep.seed: the range 5..1 runs backwards; write 1..5"),
        ("  seed: []\n",
         "6:9: sweep.seed: needs at least one value; leave the key out to keep that of the experiment"),
        ("  seed: [1, 2, 1]\n", "6:16: sweep.seed.2: repeats value 1, 1; repetitions are made by a sweep over seed"),
        ("  v: {a: {apps.net.periode: 3 ms}}\n",
         "6:11: sweep.v.a.apps.net.periode: unknown key 'apps.net.periode'; "),
        ("  v: {a: {apps.nat.period: 3 ms}}\n",
         "6:11: sweep.v.a.apps.nat.period: unknown key 'apps.nat'; did you mean 'net'?"),
        ("  v: {a: {apps.net.period: 3}}\n", "6:28: sweep.v.a.apps.net.period: the value 3 has no unit"),
        ("  seed: [1]\n  v: {a: {seed: 2}}\n", "7:11: sweep.v.a.seed: sets again what the axis 'seed' has set"),
        ("  apps.net.count: [1]\n  apps.0.count: [2]\n",
         "7:3: sweep.apps.0.count: sets again what the axis 'apps.net.count' has set"),
        ("  apps.net.scheduler: [cpu, gppu]\n",
         "6:29: sweep.apps.net.scheduler.1: unknown scheduler 'gppu'; did you mean"),
        ("  apps.net.model: [resnet19]\n",
         "6:20: sweep.apps.net.model.0: unknown model 'resnet19'; did you mean 'resnet18'?"),
        ("  v: {a: {device: xiaomi9}}\n",
         "6:19: sweep.v.a.device: unknown device 'xiaomi9'; did you mean 'xiaomi-9'?"),
        ("  apps.busy.processor: [cpu, npu]\n",
         "4:5: apps.1: unknown processor 'npu'; did you mean 'gpu'? (xiaomi-9 has cpu, gpu, dsp) (with processor=npu)"),
        ("  apps.busy.name: [net]\n",
         "4:30: apps.1.name: an application before is named 'net' too; give each a name of its own"),
        ("  apps.net: [{count: 2}]\n", "6:14: sweep.apps.net.0: apps.net.kind: is required"),
        ("  mechanisms.barriers.x: [false]\n",
         "6:3: sweep.mechanisms.barriers.x: unknown key 'mechanisms.barriers'; known: none"),
        ("  mechanisms.bariers: [false]\n",
         "6:3: sweep.mechanisms.bariers: "),
        ("  3: [1]\n", "6:3: sweep: key '3' is not a string to YAML; quote it"),
    ],
)  # fmt: skip
def test_faults_have_their_places(here: Path, sweep: str, message: str) -> None:
    file = written(sweep)
    got = told(lambda: check_sweep(load_sweep(file)))
    assert got.startswith(f"s.yaml:{message}")


def test_each_fault_is_told_once_however_many_points_have_it(here: Path) -> None:
    file = written(
        "  seed: 0..9\n  apps.net.scheduler: [gppu, dspp]\n  apps.net.model: [resnet18, resnet19]\n"
    )
    lines = told(lambda: check_sweep(load_sweep(file))).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "sweep.apps.net.scheduler.0", "sweep.apps.net.scheduler.1", "sweep.apps.net.model.1"
    ]  # fmt: skip


def test_a_sweep_is_a_mapping(here: Path) -> None:
    Path("s.yaml").write_text(f"{PLAIN}sweep: [cpu]\n")
    assert told(load_sweep, "s.yaml").startswith("s.yaml:5:8: sweep: should be a mapping, got a list")


def test_what_a_sound_sweep_is(here: Path) -> None:
    assert check_sweep(load_sweep("s.yaml")) == "experiment, 2 applications on xiaomi-9, 6 runs"
    assert (
        check_sweep(load_sweep("s.yaml", ["apps.net.scheduler=cpu", "apps.busy.count=1"]))
        == "experiment, 2 applications on xiaomi-9"
    )


# --- rows -----------------------------------------------------------------------------------------------------


def test_rows_are_those_of_single_runs(here: Path) -> None:
    sweep = load_sweep("s.yaml")
    (row,) = run_point(sweep, 4)
    assert list(row)[:4] == ["run", "net.scheduler", "count", "app"]
    assert (row["run"], row["net.scheduler"], row["count"], row["app"]) == (4, "gpu", 1, "net")
    (single,) = sweep.experiment(4).run().rows()
    assert {key: row[key] for key in single} == single


def test_without_competitors_it_is_as_if_they_were_not_there(here: Path) -> None:
    alone = socsim.simulate("xiaomi-9", [socsim.Inference("squeezenet_1.1", "cpu", count=2)])
    (row,) = run_point(load_sweep("s.yaml"), 0)
    assert row["latency_ms_mean"] == alone.metrics()["latency_ms_mean"]
    assert row["energy_mj"] == alone.metrics()["energy_mj"]


def test_a_table_from_python(here: Path) -> None:
    table = socsim.sweep("s.yaml", {"apps.busy.count": [0, 3]}, overrides=["apps.net.count=9"], slowdown=True)
    assert table[["run", "net.scheduler", "count", "app"]].to_numpy().tolist() == [
        [0, "cpu", 0, "net"], [1, "cpu", 3, "net"], [2, "gpu", 0, "net"], [3, "gpu", 3, "net"]
    ]  # fmt: skip
    assert table["slowdown"].tolist()[::2] == pytest.approx([1.0, 1.0])
    assert table["slowdown"][1] > 1.5
    assert "utilization_gpu" in table.columns


class BigOnGpu(socsim.StaticScheduler):
    """A scheduler of this module."""

    def __init__(self, least: float = 10e6) -> None:
        self.least = least

    def plan(self, graph, view):
        return {op: "gpu" if op.macs > self.least and view.supports("gpu", op) else "cpu" for op in graph}


def test_schedulers_may_be_objects(here: Path) -> None:
    over = {"apps.net.scheduler": ["cpu", BigOnGpu, BigOnGpu(1e9)], "apps.busy.count": [0]}
    table = socsim.sweep("s.yaml", over)
    assert table["net.scheduler"].tolist() == [
        "cpu",
        "test_sweeps:BigOnGpu",
        "test_sweeps:BigOnGpu(least=1000000000.0)",
    ]
    assert table["latency_ms_mean"][1] != table["latency_ms_mean"][2] == table["latency_ms_mean"][0]


def test_the_column_of_a_swept_device(here: Path) -> None:
    table = socsim.sweep(written("  device: [xiaomi-9, honor-v30-pro]\n"))
    assert table["device"].tolist() == ["xiaomi-9", "honor-v30-pro"]
    assert list(table.columns).count("device") == 1


def test_nothing_runs_if_anything_is_wrong(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socsim.sweeps.running.run_point", lambda *args, **options: pytest.fail("it ran"))
    message = told(socsim.sweep, written("  apps.net.scheduler: [cpu, gppu]\n"))
    assert message.startswith("s.yaml:6:29: sweep.apps.net.scheduler.1: unknown scheduler 'gppu'")


def test_a_point_that_fails_says_which(here: Path) -> None:
    (here / "broken_sweep.py").write_text(
        "import socsim\nclass S(socsim.StaticScheduler):\n    def plan(self, graph, view):\n        return {}['x']\n"
    )
    file = written("  apps.net.scheduler: [cpu, 'broken_sweep.py:S']\n  seed: 0..1\n")
    points = run_points(load_sweep(file))
    assert [len(next(points)), len(next(points))] == [1, 1]
    with pytest.raises(
        SimulationError, match=r"^run 3 of 4 \(net\.scheduler=broken_sweep:S, seed=0\): "
    ) as error:
        next(points)
    assert isinstance(error.value.__cause__, KeyError)


def test_seeds_draw_and_the_same_seed_draws_the_same(here: Path) -> None:
    file = written("  apps.busy.count: [3]\n  seed: 0..1\n")
    first, again = socsim.sweep(file), socsim.sweep(file)
    assert first["latency_ms_mean"][0] != first["latency_ms_mean"][1]
    assert first.equals(again)


# --- kept -----------------------------------------------------------------------------------------------------


def test_a_saved_sweep_is_the_same_sweep(here: Path) -> None:
    sweep = load_sweep("s.yaml", ["apps.net.count=1", "sweep.apps.busy.count=0..1"])
    rows = evened([row for rows in run_points(sweep) for row in rows])
    out = save_sweep(sweep, rows, "out", ["apps.net.count=1"])
    assert sorted(p.name for p in out.iterdir()) == ["experiment.yaml", "manifest.json", "runs.parquet"]
    manifest = read_manifest(out)
    assert (manifest["runs"], manifest["overrides"], manifest["device"]) == (
        4,
        ["apps.net.count=1"],
        "xiaomi-9",
    )
    assert manifest["versions"]["socsim"] == socsim.__version__
    again = load_sweep(out / "experiment.yaml")
    assert [again.experiment(i).apps for i in range(4)] == [sweep.experiment(i).apps for i in range(4)]
    import pandas as pd

    kept = pd.read_parquet(out / "runs.parquet")
    assert kept[["net.scheduler", "count"]].to_numpy().tolist() == [
        ["cpu", 0],
        ["cpu", 1],
        ["gpu", 0],
        ["gpu", 1],
    ]


def test_values_of_other_types_are_kept_as_texts(here: Path) -> None:
    sweep = load_sweep(
        written(
            "  apps.net.scheduler: [cpu, {name: heft, predictor: flops}]\n  apps.net.queue_limit: [1, null]\n"
        )
    )
    rows = evened([row for rows in run_points(sweep) for row in rows])
    assert [(row["net.scheduler"], row["queue_limit"]) for row in rows] == [
        ("cpu", "1"), ("cpu", "null"), ("heft(predictor=flops)", "1"), ("heft(predictor=flops)", "null")
    ]  # fmt: skip
    assert (save_sweep(sweep, rows, "out") / "runs.parquet").is_file()


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ({"seed": "0..9"}, {"seed": "0..9"}),
        ({"device": ["xiaomi-9", "d.yaml"]}, {"device": ["xiaomi-9", "/f/d.yaml"]}),
        ({"apps.0.model": ["resnet50", "m.onnx"]}, {"apps.0.model": ["resnet50", "/f/m.onnx"]}),
        ({"v": {"a": {"apps.0.library": "l.yaml"}, "b": {}}}, {"v": {"a": {"apps.0.library": "/f/l.yaml"}, "b": {}}}),
        (
            {"apps.0.scheduler.predictor": ["online", "p.csv"]},
            {"apps.0.scheduler.predictor": ["online", "/f/p.csv"]},
        ),
        (
            {"apps.0.scheduler.predictor.path": ["p.csv"]},
            {"apps.0.scheduler.predictor.path": ["/f/p.csv"]},
        ),
        ({"v": 3, "w": {"a": 1}}, {"v": 3, "w": {"a": 1}}),
    ],
)  # fmt: skip
def test_paths_of_a_sweep_are_made_absolute(sweep, expected) -> None:
    assert located({"sweep": sweep}, "/f") == {"sweep": expected}
