"""Comparison files: read, changed, refused."""

from __future__ import annotations

import pytest

from socsim.cli.comparison_file import ComparisonSpec, is_comparison, load_comparison, run_comparison
from socsim.errors import FileError, UsageError

SMALL = "device: xiaomi-9\nmodel: squeezenet_1.1\nschedulers: [cpu, gpu]\ninferences: 1\n"


@pytest.fixture
def file(tmp_path):
    """Write a comparison file."""

    def write(text=SMALL):
        (tmp_path / "c.yaml").write_text(text)
        return tmp_path / "c.yaml"

    return write


def test_a_comparison_names_schedulers(file, tmp_path):
    assert is_comparison(file())
    assert not is_comparison(file("device: xiaomi-9\napps: []\n"))
    with pytest.raises(FileError):
        is_comparison(file("- schedulers\n"))
    assert not is_comparison(tmp_path / "nowhere.yaml")


def test_what_is_not_said_has_the_defaults_of_compare(file):
    spec = load_comparison(file("device: d\nmodel: m\nschedulers: [cpu]\n"))
    assert spec == ComparisonSpec(device="d", model="m", schedulers=["cpu"])
    assert (spec.library, spec.inferences, spec.noise, spec.seed, spec.fuse) == ("mace", 50, False, 0, True)


def test_everything_can_be_said(file):
    more = "shapes: {x: [1, 3, 8, 8]}\nfuse: false\nnoise: true\nseed: 4\n"
    more += "dtype: int8\ncores: big\nlibrary: tflite\n"
    spec = load_comparison(file(SMALL + more))
    assert spec.shapes == {"x": [1, 3, 8, 8]}
    assert (spec.fuse, spec.noise, spec.seed) == (False, True, 4)
    assert (spec.dtype, spec.cores, spec.library) == ("int8", "big", "tflite")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("seeed: 3", "c.yaml:5:1: seeed"),
        ("seed: -1", "c.yaml:5:7: seed"),
        ("seed: x", "c.yaml:5:7: seed"),
        ("dtype: fp8", "c.yaml:5:8: dtype"),
        ("shapes: {x: [0]}", "shapes.x.0"),
    ],
)
def test_faults_are_told_with_their_places(file, line, place):
    with pytest.raises(FileError) as caught:
        load_comparison(file(SMALL + line + "\n"))
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seed=9", "seed", 9),
        ("noise=true", "noise", True),
        ("model=vgg16", "model", "vgg16"),
        ("schedulers=[heft, codl]", "schedulers", ["heft", "codl"]),
        ("cores=prime:1+gold:3", "cores", "prime:1+gold:3"),
    ],
)
def test_overrides_change_values(file, override, key, value):
    assert getattr(load_comparison(file(), [override]), key) == value


def test_the_last_override_of_a_key_holds(file):
    assert load_comparison(file(), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("sed=1", "did you mean 'seed'?"),
        ("seed", "an override is key=value, got 'seed'"),
        ("inferences=0", "inferences"),
        ("schedulers=[]", "schedulers"),
    ],
)
def test_bad_overrides_are_refused(file, override, fault):
    with pytest.raises(UsageError) as caught:
        load_comparison(file(), [override])
    assert fault in str(caught.value)


def test_a_comparison_keeps_what_it_was_made_of(file):
    comparison = run_comparison(file(), ["seed=5"])
    assert [row["scheduler"] for row in comparison.rows] == ["cpu", "gpu"]
    assert comparison.config["seed"] == 5
    assert comparison.config["model"] == "squeezenet_1.1"
    assert len(comparison.results[0].kernels) == 0
    assert len(run_comparison(file(), kernels=True).results[0].kernels) > 0
