"""What an experiment names: each name at its place in the file, and who refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from socsim.errors import SocsimError
from socsim.experiments import Experiment, load_experiment, named_things, phrase

PLAIN = """\
device: xiaomi-9
duration: 1 s
apps:
  - {kind: inference, name: net, model: resnet18}
"""

FULL = """\
device: jetson-xavier-nx
duration: 1 s
power_mode: 10W_4CORE
governors: {cpu: schedutil}
limits: {gpu: {max: 803 MHz}}
apps:
  - {kind: inference, name: net, model: mobilenet_v2, transforms: [simplify, unfuse], scheduler: cpu, cores: all}
  - {kind: inference, name: family, model: dynamic_ofa, level: 4, manager: fixed, places: [gpu, cpu],
     targets: [{latency: 60 ms}]}
  - {kind: competitor, processor: gpu}
  - {kind: ui}
"""


def experiment(folder: Path, text: str, *changes: tuple[str, str]) -> Experiment:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "own.yaml"
    file.write_text(text)
    return load_experiment(file)


def places(own: Experiment) -> list[str]:
    return [".".join(map(str, loc)) for loc, _, _ in named_things(own)]


def refused(own: Experiment) -> list[str]:
    """Places of names that are refused, in their order."""
    found = []
    for loc, load, name in named_things(own):
        try:
            load(name)
        except SocsimError:
            found.append(".".join(map(str, loc)))
    return found


def test_a_plain_file_names_few_things(tmp_path: Path) -> None:
    own = experiment(tmp_path, PLAIN)
    assert places(own) == ["device", "apps.0.model", "apps.0.library", "apps.0.scheduler"]
    assert [name for _, _, name in named_things(own)] == ["xiaomi-9", "resnet18", "mace", "cpu"]
    assert refused(own) == []


def test_everything_that_is_named_is_there_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    own = experiment(tmp_path, FULL)
    assert places(own) == [
        "device", "power_mode", "governors.cpu", "limits.gpu", "limits.gpu.max", "limits.gpu",
        "apps.0.model", "apps.0.transforms.0", "apps.0.transforms.1", "apps.0.library", "apps.0.scheduler",
        "apps.0.cores",
        "apps.1.model", "apps.1.library", "apps.1.scheduler", "apps.1.level", "apps.1.manager",
        "apps.1.places.0", "apps.1.places.1",
        "apps.2", "apps.3",
    ]  # fmt: skip
    assert refused(own) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("device: jetson-xavier-nx", "device: jetson-xavier-nxx", "device"),
        ("power_mode: 10W_4CORE", "power_mode: 11W", "power_mode"),
        ("{cpu: schedutil}", "{cpu: adreno_tz}", "governors.cpu"),
        ("{cpu: schedutil}", "{dsp: schedutil}", "governors.dsp"),
        ("max: 803 MHz", "max: 1 MHz", "limits.gpu.max"),
        ("model: mobilenet_v2", "model: mobilenet_v22", "apps.0.model"),
        ("scheduler: cpu", "scheduler: cpux", "apps.0.scheduler"),
        ("scheduler: cpu,", "scheduler: cpu, library: macee,", "apps.0.library"),
        ("cores: all", "cores: 'gold:2'", "apps.0.cores"),
        ("cores: all", "cpuset: 0-99", "apps.0.cpuset"),
        ("cores: all", "accuracy: nowhere.csv", "apps.0.accuracy"),
        ("cores: all", "arrivals: nowhere.csv", "apps.0.arrivals"),
        ("cores: all", "scene: 10 %, reuse: nothing_like_it", "apps.0.reuse"),
        ("cores: all", "scene: nowhere.csv", "apps.0.scene"),
        ("level: 4", "level: 9", "apps.1.level"),
        ("manager: fixed", "manager: fixedd", "apps.1.manager"),
        ("[gpu, cpu]", "[gpu, greedy]", "apps.1.places.1"),
        ("[gpu, cpu]", "[gpux, cpu]", "apps.1.places.0"),
        ("places: [gpu, cpu]", "scheduler: greedy", "apps.1.scheduler"),
        ("processor: gpu", "processor: dsp", "apps.2"),
        ("{kind: ui}", "{kind: ui, cpuset: 0-99}", "apps.3"),
    ],
)
def test_each_fault_is_told_at_its_own_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    try:
        own = experiment(tmp_path, FULL, (old, new))
    except SocsimError as error:
        pytest.fail(f"refused already when read: {error}")
    assert refused(own) == [place]


def test_a_cpuset_is_checked_with_the_mask_of_cores(tmp_path: Path) -> None:
    own = experiment(tmp_path, FULL, ("cores: all", "cores: all, cpuset: 0-1"))
    assert "apps.0.cpuset" in places(own) and "apps.0.cores" not in places(own)


def test_nothing_is_said_of_what_an_unknown_device_has(tmp_path: Path) -> None:
    changes = [
        ("jetson-xavier-nx", "nowhere-1"),
        ("processor: gpu", "processor: npu"),
        ("cores: all", "cpuset: 0-99"),
    ]
    assert refused(experiment(tmp_path, FULL, *changes)) == ["device"]


def test_nothing_is_said_of_levels_of_an_unknown_family_and_of_transforms_of_an_unknown_network(
    tmp_path: Path,
) -> None:
    changes = [("model: mobilenet_v2", "model: mobilenet_v22"), ("unfuse", "low_rank(rank=0.5)")]
    assert refused(experiment(tmp_path, FULL, *changes)) == ["apps.0.model"]


def test_limits_that_only_together_are_wrong_are_told_once(tmp_path: Path) -> None:
    both = ("{max: 803 MHz}", "{min: 803 MHz, max: 300 MHz}")
    assert set(refused(experiment(tmp_path, FULL, both))) == {"limits.gpu"}


def test_a_phrase() -> None:
    assert phrase(load_experiment("detect-then-recognise")).startswith("experiment, 2 applications on ")
