"""Experiment files: what they become, overrides, and every fault with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from socsim.errors import FileError, SocsimError, UnknownNameError, UsageError
from socsim.experiments import check_experiment, experiment_names, load_experiment

TEXT = """\
device: xiaomi-9
seed: 1
apps:
  - {kind: inference, name: detector, model: resnet18, scheduler: {name: heft}, count: 2}
  - {kind: inference, model: mobilenet_v1, scheduler: gpu, period: 20 ms, count: 1}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(TEXT)
    return path


def fault(file: Path, old: str, new: str) -> str:
    """The message for the file after one change, without the folder."""
    assert old in TEXT
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(FileError) as caught:
        load_experiment(file)
    return str(caught.value).replace(f"{file.parent}/", "")


# --- what a file becomes --------------------------------------------------------------------------------------


def test_a_file_in_si_units(file: Path) -> None:
    experiment = load_experiment(file)
    assert (experiment.name, experiment.device, experiment.seed) == ("two", "xiaomi-9", 1)
    assert (experiment.noise, experiment.duration_s) == (False, None)
    first, second = experiment.apps
    assert (first.name, first.model, first.scheduler, first.count) == (
        "detector",
        "resnet18",
        {"name": "heft"},
        2,
    )
    assert (second.period_s, second.library, second.deadline_s) == (0.02, "mace", None)


def test_it_runs(file: Path) -> None:
    result = load_experiment(file).run()
    assert [(r.app, r.status) for r in result.outcome.inferences] == [
        ("detector", "finished"), ("detector", "finished"), ("mobilenet_v1", "finished")
    ]  # fmt: skip
    assert result.config["apps"][0]["name"] == "detector"
    assert not result.outcome.kernels
    assert load_experiment(file).run(kernels=True).outcome.kernels


def test_shipped_experiments_are_sound() -> None:
    assert experiment_names() == sorted(experiment_names())
    for name in experiment_names():
        assert check_experiment(name).startswith("experiment, ")


def test_shipped_ones_are_found_by_name() -> None:
    assert load_experiment("noisy-resnet50").name == "noisy-resnet50"


def test_checking_says_what_a_file_is(file: Path) -> None:
    assert check_experiment(file) == "experiment, 2 applications on xiaomi-9"
    file.write_text("device: xiaomi-9\napps:\n  - {kind: inference, model: resnet18, count: 1}\n")
    assert check_experiment(file) == "experiment, 1 application on xiaomi-9"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("device: xiaomi-9", "device: xiaomi-8", "unknown device 'xiaomi-8'; did you mean 'xiaomi-9'?"),
        ("resnet18", "resnet19", "unknown model 'resnet19'; did you mean 'resnet18'?"),
        ("scheduler: gpu", "scheduler: gqu", "unknown scheduler 'gqu'; did you mean"),
        ("period: 20 ms", "cores: bog", "unknown cluster 'bog'; known: "),
        ("period: 20 ms", "library: maze", "unknown library 'maze'; did you mean 'mace'?"),
    ],
)
def test_checking_loads_whatever_is_named(file: Path, old: str, new: str, sentence: str) -> None:
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(UnknownNameError) as caught:
        check_experiment(file)
    assert str(caught.value).startswith(sentence)


# --- faults and their places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed", "sead", "two.yaml:2:1: sead: unknown key 'sead', did you mean 'seed'?"),
        ("count: 2", "cuont: 2", "two.yaml:4:81: apps.0.cuont: unknown key 'cuont', did you mean 'count'?"),
        ("seed: 1", "seed: -1", "two.yaml:2:7: seed: should be greater than or equal to 0, got -1"),
        ("seed: 1", "seed: one", "two.yaml:2:7: seed: should be a valid integer, got 'one'"),
        ("count: 2", "count: 0", "two.yaml:4:88: apps.0.count: should be greater than 0, got 0"),
        ("count: 2", "count: two", "two.yaml:4:88: apps.0.count: should be a valid integer, got 'two'"),
        (
            "period: 20 ms",
            "period: 20",
            "two.yaml:5:68: apps.1.period: the value 20 has no unit; a time needs one of s, ms, us, ns, ps, min, h",
        ),
        (
            "period: 20 ms",
            "period: -20 ms",
            "two.yaml:5:68: apps.1.period: should be greater than 0, got '-20 ms'",
        ),
        (
            "period: 20 ms",
            "deadline: 20 Hz",
            "two.yaml:5:70: apps.1.deadline: '20 Hz' is a frequency, expected a time (s, ms, us, ns, ps, min, h)",
        ),
        (
            "kind: inference, name",
            "kind: inferense, name",
            "two.yaml:4:12: apps.0.kind: should be 'inference', got 'inferense'; did you mean 'inference'?",
        ),
        ("kind: inference, name", "name", "two.yaml:4:5: apps.0.kind: is required"),
        (
            "period: 20 ms",
            "dtype: fp8",
            "two.yaml:5:67: apps.1.dtype: should be '', 'fp32', 'fp16' or 'int8', got 'fp8'",
        ),
        (
            ", count: 1}",
            "}",
            "two.yaml:4:3: apps: an application without a count needs a duration",
        ),
        ("device: xiaomi-9\n", "", "two.yaml:1:1: device: is required"),
        (
            "seed: 1",
            "noise: on",
            "two.yaml:2:8: noise: YAML reads 'on' as a truth value; write true or false, or quote it",
        ),
        ("seed: 1", "device: pixel-3", "two.yaml:2:1: device: key 'device' repeats the one on line 1"),
    ],
)
def test_faults(file: Path, old: str, new: str, message: str) -> None:
    assert fault(file, old, new) == message


def test_all_faults_are_told_in_one_pass(file: Path) -> None:
    file.write_text(TEXT.replace("seed: 1", "seed: -1").replace("count: 2", "count: 0"))
    with pytest.raises(FileError) as caught:
        load_experiment(file)
    assert [(f.line, f.path) for f in caught.value.faults] == [(2, "seed"), (4, "apps.0.count")]


def test_a_scheduler_is_a_name_or_a_mapping(file: Path) -> None:
    told = fault(file, "{name: heft}", "7")
    assert "two.yaml:4:67: apps.0.scheduler: should be a valid string, got 7" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "two.yaml: expected a mapping at the top, got nothing"),
        ("- device\n", "two.yaml: expected a mapping at the top, got a list"),
        ("device: [\n", "two.yaml:2:1: not YAML"),
        ("device: xiaomi-9\napps: []\n", "two.yaml:2:7: apps: list should have at least 1 item"),
    ],
)
def test_files_that_are_no_experiments(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(FileError) as caught:
        load_experiment(file)
    assert str(caught.value).replace(f"{file.parent}/", "").startswith(message)


def test_a_missing_file() -> None:
    with pytest.raises(FileError, match=r"nowhere\.yaml: no such file"):
        load_experiment("nowhere.yaml")


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(SocsimError, match="noisy-resnet50"):
        load_experiment("noisy-resnet5")


# --- overrides ------------------------------------------------------------------------------------------------


def test_overrides_by_position_name_and_network(file: Path) -> None:
    experiment = load_experiment(
        file,
        [
            "seed=3",
            "noise=true",
            "duration=2 s",
            "apps.0.scheduler.name=cpu",
            "apps.detector.count=5",
            "apps.mobilenet_v1.period=16 ms",
        ],
    )
    first, second = experiment.apps
    assert (experiment.seed, experiment.noise, experiment.duration_s) == (3, True, 2.0)
    assert (first.scheduler, first.count, second.period_s) == ({"name": "cpu"}, 5, 0.016)


def test_overrides_are_kept_with_the_results(file: Path) -> None:
    config = load_experiment(file, ["seed=3", "apps.0.count=5"]).config
    assert (config["seed"], config["apps"][0]["count"]) == (3, 5)


def test_overrides_do_not_stay(file: Path) -> None:
    load_experiment(file, ["apps.0.count=5"])
    assert load_experiment(file).apps[0].count == 2


def test_an_application_may_be_replaced(file: Path) -> None:
    with pytest.raises(UsageError, match=r"apps\.0: should be a valid dictionary"):
        load_experiment(file, ["apps.0=resnet50"])


def test_overrides_may_come_from_a_generator(file: Path) -> None:
    assert load_experiment(file, (o for o in ["seed=9"])).seed == 9


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed", "an override is key=value, got 'seed'"),
        ("=3", "an override is key=value, got '=3'"),
        ("app.0.count=1", "unknown key 'app'; "),
        ("apps.detecter.count=1", "unknown key 'apps.detecter'; did you mean 'detector'?"),
        ("apps.7.count=1", "unknown key 'apps.7'; did you mean '0'?"),
        ("apps.².count=1", "unknown key 'apps.²'; did you mean '0'?"),
        ("apps.٠.count=1", "unknown key 'apps.٠'; did you mean '0'?"),
        ("apps.-1.count=1", "unknown key 'apps.-1'; did you mean '0'?"),
        ("seed.x=1", "override 'seed.x=1': 'seed' is a value and has no 'x'"),
        ("device.x.y=1", "unknown key 'device.x'"),
        ("sed=3", "two.yaml with overrides: unknown key 'sed'; did you mean 'seed'?"),
        (
            "apps.0.schedular=gpu",
            "two.yaml with overrides: unknown key 'apps.0.schedular'; did you mean 'scheduler'?",
        ),
        ("seed=x", "two.yaml with overrides: seed: should be a valid integer"),
        ("seed=-1", "two.yaml with overrides: seed: should be greater than or equal to 0, got -1"),
        ("apps.0.count=1.5", "two.yaml with overrides: apps.0.count: should be a valid integer, got 1.5"),
        ("apps.1.period=16", "two.yaml with overrides: apps.1.period: the value 16 has no unit"),
    ],
)
def test_bad_overrides(file: Path, override: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_experiment(file, [override])
    assert str(caught.value).replace(f"{file.parent}/", "").startswith(sentence)


@pytest.mark.parametrize("override", ["zzz=3", "apps.0.zzz=3"])
def test_an_unknown_key_like_no_other_is_told_the_known_ones(file: Path, override: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_experiment(file, [override])
    assert "None" not in str(caught.value)
    assert ("seed" if override.startswith("zzz") else "scheduler") in str(caught.value)


def test_options_of_schedulers_may_be_fractions(file: Path) -> None:
    experiment = load_experiment(file, ["apps.0.scheduler.decision_time=0.0005"])
    assert experiment.apps[0].scheduler == {"name": "heft", "decision_time": 0.0005}
    assert experiment.run().outcome.inferences[0].status == "finished"
