"""Experiment files: what they become, overrides, and every fault with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import socsim
from socsim.errors import FileError, SocsimError, UsageError
from socsim.experiments import describe_experiment, experiment_names, load_experiment
from socsim.sweeps import load_sweep
from socsim.sweeps.checking import check_sweep
from socsim.workloads.apps import Inference
from socsim.workloads.arrivals import Arrivals, At, Periodic, Poisson, TraceFile
from socsim.workloads.stages import After

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
        assert check_sweep(load_sweep(name)).startswith("experiment, ")


@pytest.mark.parametrize("name", experiment_names())
def test_shipped_experiments_run_at_their_first_and_last_point(name: str) -> None:
    sweep = load_sweep(name)
    for number in {0, len(sweep) - 1}:
        experiment = sweep.experiment(number)
        apps = tuple(replace(a, count=1) if isinstance(a, Inference) else a for a in experiment.apps)
        duration = None if experiment.duration_s is None else 0.3
        result = replace(experiment, apps=apps, duration_s=duration).run()
        assert {row["app"] for row in result.rows()} >= set(result.outcome.apps)


@pytest.mark.parametrize("name", experiment_names())
def test_shipped_experiments_say_what_they_ask(name: str) -> None:
    assert describe_experiment(name).endswith((".", "?"))


def test_an_experiment_is_described_by_the_first_sentence_of_its_first_comment(file: Path) -> None:
    assert describe_experiment(file) == ""
    file.write_text(f"# Who is first,\n#  and when? Nobody knows.\n{TEXT}# Not this.\n")
    assert describe_experiment(file) == "Who is first, and when?"


def test_a_sweep_is_no_single_experiment(file: Path) -> None:
    file.write_text(f"{TEXT}sweep: {{seed: 0..3, apps.0.count: [1, 2]}}\n")
    with pytest.raises(UsageError, match=r"two\.yaml is a sweep over seed, apps\.0\.count; run it with"):
        load_experiment(file)
    file.write_text(f"{TEXT}sweep: {{}}\n")
    assert "sweep" not in load_experiment(file).config


def test_shipped_ones_are_found_by_name() -> None:
    assert load_experiment("noisy-resnet50").name == "noisy-resnet50"


def test_checking_says_what_a_file_is(file: Path) -> None:
    assert check_sweep(load_sweep(file)) == "experiment, 2 applications on xiaomi-9"
    file.write_text("device: xiaomi-9\napps:\n  - {kind: inference, model: resnet18, count: 1}\n")
    assert check_sweep(load_sweep(file)) == "experiment, 1 application on xiaomi-9"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("device: xiaomi-9", "device: xiaomi-8", "unknown device 'xiaomi-8'; did you mean 'xiaomi-9'?"),
        ("resnet18", "resnet19", "unknown model 'resnet19'; did you mean 'resnet18'?"),
        ("scheduler: gpu", "scheduler: gqu", "unknown scheduler 'gqu'; did you mean"),
        ("period: 20 ms", "cores: bog", "unknown cluster 'bog'; did you mean 'big'?"),
        ("period: 20 ms", "library: maze", "unknown library 'maze'; did you mean 'mace'?"),
    ],
)
def test_checking_loads_whatever_is_named(file: Path, old: str, new: str, sentence: str) -> None:
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(file))
    (told,) = caught.value.faults
    assert told.message.startswith(sentence)


def test_checking_tells_all_that_cannot_be_loaded_at_once(file: Path) -> None:
    app = "{kind: inference, model: resnet19, scheduler: gqu, library: maze, count: 1}"
    file.write_text(f"device: xiaomi-8\napps:\n  - {app}\n")
    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(file))
    places = [(f.line, f.path) for f in caught.value.faults]
    assert places == [(1, "device"), (3, "apps.0.model"), (3, "apps.0.scheduler"), (3, "apps.0.library")]


# --- faults and their places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed", "sead", "two.yaml:2:1: sead: unknown key 'sead', did you mean 'seed'?"),
        (
            "count: 2",
            "cuont: 2",
            "two.yaml:4:81: apps.0.cuont: unknown key 'cuont' of kind 'inference', did you mean 'count'?",
        ),
        (
            "count: 2",
            "fps: 2",
            "two.yaml:4:81: apps.0.fps: unknown key 'fps' of kind 'inference', known: accuracy, after, arrivals, "
            "blocking, concurrency, cores, count, cpuset, deadline, dtype, kernel_limit, kind, level, library, "
            "manager, memory, model, name, nice, period, places, priority, queue, queue_limit, queue_window, reuse, "
            "scene, scheduler, start, stop, targets, transforms, uclamp",
        ),
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
            "two.yaml:4:12: apps.0.kind: should be 'inference', 'video', 'ui', 'competitor' or 'replay', got 'inferense'; did you mean 'inference'?",  # noqa: E501
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
            "two.yaml:4:3: apps: an application without a count needs a duration; 'mobilenet_v1' has none",
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
    assert "two.yaml:4:67: apps.0.scheduler: should be a valid string or a mapping, got 7" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "two.yaml: expected a mapping at the top, got nothing"),
        ("- device\n", "two.yaml: expected a mapping at the top, got a list"),
        ("device: [\n", "two.yaml:2:1: not YAML"),
        ("device: xiaomi-9\napps: []\n", "two.yaml:2:7: apps: list needs at least one entry"),
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
    with pytest.raises(UsageError, match=r"apps\.0: should be a mapping"):
        load_experiment(file, ["apps.0=resnet50"])


def test_two_applications_of_one_name_are_refused(file: Path) -> None:
    told = fault(
        file, "{kind: inference, model: mobilenet_v1", "{kind: inference, name: detector, model: mobilenet_v1"
    )
    assert told.startswith("two.yaml:5:29: apps.1.name: an application before is named 'detector' too")


def test_overrides_may_be_mappings_and_lists(file: Path) -> None:
    experiment = load_experiment(file, ["apps.detector.scheduler={name: heft, predictor: flops}"])
    assert experiment.apps[0].scheduler == {"name": "heft", "predictor": "flops"}
    with pytest.raises(UsageError, match=r"the value '\{name: ' is not YAML"):
        load_experiment(file, ["apps.detector.scheduler={name: "])


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("apps.detector.count=x", "apps.detector.count: should be a valid integer"),
        ("apps.mobilenet_v1.period=16", "apps.mobilenet_v1.period: the value 16 has no unit"),
        ("apps.detector.cuont=1", "unknown key 'apps.detector.cuont'; did you mean 'count'?"),
        ("noise=perhaps", "noise: should be true or false, got 'perhaps'"),
    ],
)
def test_faults_of_overrides_name_paths_as_they_were_typed(file: Path, override: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_experiment(file, [override])
    assert str(caught.value).startswith(f"{file} with overrides: {sentence}")


def test_overrides_may_come_from_a_generator(file: Path) -> None:
    assert load_experiment(file, (o for o in ["seed=9"])).seed == 9


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed", "an override is key=value, got 'seed'"),
        ("=3", "an override is key=value, got '=3'"),
        ("app.0.count=1", "unknown key 'app'; "),
        ("apps.detecter.count=1", "unknown key 'apps.detecter'; did you mean 'detector'?"),
        ("apps.7.count=1", "unknown key 'apps.7'; known: 0 to 1, detector, mobilenet_v1"),
        ("apps.².count=1", "unknown key 'apps.²'; known: 0 to 1, detector, mobilenet_v1"),
        ("apps.٠.count=1", "unknown key 'apps.٠'; known: 0 to 1, detector, mobilenet_v1"),
        ("apps.-1.count=1", "unknown key 'apps.-1'; known: 0 to 1, detector, mobilenet_v1"),
        ("seed.x=1", "key 'seed.x': 'seed' is a value and has no 'x'"),
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


# --- arrivals, queues and stages ------------------------------------------------------------------------------

STAGED = """\
device: xiaomi-9
duration: 1 s
apps:
  - {kind: inference, name: detect, model: mobilenet_v1, scheduler: gpu, period: 50 ms, arrivals: poisson}
  - {kind: inference, name: next, model: mobilenet_v1, after: detect, queue: latest, priority: 2, nice: -3}
"""


def staged(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in STAGED
    path = tmp_path / "staged.yaml"
    path.write_text(STAGED.replace(old, new, 1))
    return path


def test_arrivals_stages_and_policies_of_a_file(tmp_path: Path) -> None:
    first, second = load_experiment(staged(tmp_path)).apps
    assert first.source == Poisson(0.05) and first.stage is None
    assert second.stage == After("detect") and second.source is None
    assert (second.queue, second.priority, second.nice) == ("latest", 2.0, -3)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("arrivals: {kind: poisson, rate: 20 /s}", Poisson(0.05)),
        ("period: 50 ms, arrivals: {jitter: 5 ms}", Periodic(0.05, 0.0, 0.005)),
        ("arrivals: [0 ms, 20 ms]", At((0.0, 0.02))),
        ("arrivals: /traces/camera.csv", TraceFile("/traces/camera.csv")),
        ("arrivals: {kind: back_to_back}", None),
        ("period: 50 ms", Periodic(0.05)),
    ],
)
def test_arrivals_in_files(tmp_path: Path, written: str, source: Arrivals | None) -> None:
    file = staged(tmp_path, "period: 50 ms, arrivals: poisson", written)
    assert load_experiment(file).apps[0].source == source


def test_it_runs_and_can_be_run_again(tmp_path: Path) -> None:
    result = load_experiment(staged(tmp_path)).run()
    again = load_experiment(result.save(tmp_path / "out") / "experiment.yaml").run()
    assert list(result.outcome.inferences) == list(again.outcome.inferences)
    assert {r.app for r in result.outcome.inferences} == {"detect", "next"}


def test_finite_arrivals_need_no_duration(tmp_path: Path) -> None:
    file = staged(tmp_path, "period: 50 ms, arrivals: poisson", "arrivals: [0 ms, 20 ms]")
    file.write_text(file.read_text().replace("duration: 1 s\n", ""))
    assert load_experiment(file).duration_s is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "arrivals: poisson",
            "arrivals: poison",
            "4:99: apps.0.arrivals: unknown kind of arrivals 'poison'; did you mean 'poisson'?",
        ),
        (
            "period: 50 ms, arrivals: poisson",
            "arrivals: {period: 50}",
            "4:84: apps.0.arrivals: period: the value 50 has no unit",
        ),
        ("after: detect", "after: detct", "4:3: apps: unknown application 'detct'; did you mean 'detect'?"),
        (
            "after: detect",
            "after: {app: detect, delay: 2}",
            "5:63: apps.1.after: delay: the value 2 has no unit",
        ),
        (
            "period: 50 ms, arrivals: poisson",
            "after: next",
            "4:3: apps: applications follow each other in a circle: detect after next after detect",
        ),
        (
            "queue: latest",
            "queue: last",
            "5:78: apps.1.queue: should be 'queue', 'latest' or 'skip', got 'last'",
        ),
        (
            "queue: latest",
            "queue: skip, queue_limit: 3",
            "5:5: apps.1: inference 'next': queue_limit is for queue 'queue'; 'skip' has its own",
        ),
        ("nice: -3", "nice: 20", "apps.1.nice: should be less than or equal to 19, got 20"),
        (
            "after: detect",
            "after: detect, period: 5 ms",
            "5:5: apps.1: inference 'next': an application after",
        ),
    ],
)
def test_faults_of_arrivals_stages_and_policies(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        load_experiment(staged(tmp_path, old, new))
    assert message in str(caught.value)


def test_checking_reads_traces(tmp_path: Path) -> None:
    trace = tmp_path / "camera.csv"
    file = staged(tmp_path, "period: 50 ms, arrivals: poisson", f"arrivals: {trace}")
    with pytest.raises(FileError, match=r"camera\.csv: cannot be read"):
        check_sweep(load_sweep(file))
    trace.write_text("arrival_ms\n0\n")
    assert check_sweep(load_sweep(file)) == "experiment, 2 applications on xiaomi-9"


def test_arrivals_stages_and_policies_can_be_overridden(tmp_path: Path) -> None:
    overrides = ["apps.detect.period=20 ms", "apps.next.queue=skip", "apps.next.concurrency=2"]
    first, second = load_experiment(staged(tmp_path), overrides).apps
    assert (first.source, second.queue, second.concurrency) == (Poisson(0.02), "skip", 2)
    with pytest.raises(UsageError) as caught:
        load_experiment(staged(tmp_path), ["apps.detect.arrivals=burst"])
    assert "apps.0.arrivals: unknown kind of arrivals 'burst'" in str(caught.value)


@pytest.mark.parametrize("policy", ["latest", "queue"])
def test_the_overloaded_camera_drops_or_falls_behind(policy: str) -> None:
    result = load_experiment("overloaded-camera", ["duration=3 s", f"apps.camera.queue={policy}"]).run()
    row = result.service()
    assert (row["dropped"] > 20) is (policy == "latest")
    assert (row["backlog"] > 20) is (policy == "queue")


def test_recognition_follows_detection() -> None:
    rows = {row["app"]: row for row in load_experiment("detect-then-recognise").run().rows()}
    assert rows["recognise"]["arrived"] > rows["detect"]["finished"]
    assert rows["recognise"]["chain_ms_mean"] > rows["detect"]["latency_ms_mean"]


def test_a_run_that_nothing_ends_needs_a_duration(tmp_path: Path) -> None:
    file = tmp_path / "busy.yaml"
    file.write_text("device: xiaomi-9\napps:\n  - {kind: competitor, count: 3}\n")
    with pytest.raises(FileError, match="needs a duration; no application infers, so nothing ends the run"):
        load_experiment(file)


def test_utilisation_and_frames_says_what_its_header_does() -> None:
    runs = socsim.sweep("utilisation-and-frames")
    net = runs[runs["app"] == "net"].set_index(["placed", "frames"])["latency_ms_mean"]
    lost = runs[runs["app"] == "ui"].set_index(["placed", "frames"])["frame_drop_share"]
    plain, polite = "as they come", "short kernels, low priority"
    found = {place: (round(net[place, plain]), round(lost[place, plain], 2)) for place in net.index.levels[0]}
    assert found == {
        "gpu": (61, pytest.approx(0.72, abs=0.02)), "codl": (67, 0.25), "heft": (75, 0.0),
        "cpu": (93, pytest.approx(0.0, abs=0.01)), "two cores": (136, 0.0), "mulayer": (250, 0.0),
    }  # fmt: skip
    assert (round(net["gpu", polite]), lost["gpu", polite]) == (72, 0.0)
