"""Error sentences: subject, rule, value got, nearest right answer; and errors that travel between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from socsim import errors
from socsim.errors import (
    Fault,
    FileError,
    MissingExtraError,
    ModelError,
    PlanError,
    SimulationError,
    SocsimError,
    UnitError,
    UnknownNameError,
    UsageError,
    nearest,
)
from socsim.yamlfile import FileFault

EXAMPLES = [
    UnknownNameError("device", "pixel-9", ["pixel-6", "xiaomi-9"], "(or give a path)"),
    UnitError("12 is no time"),
    FileError("a.yaml", [Fault(2, 1, "b", "is required"), Fault(1, 3, "", "not YAML")]),
    FileError("a.yaml", [FileFault(2, 1, "b", "is required", "base.yaml")]),
    ModelError("no such file"),
    PlanError("left out"),
    UsageError("must be positive"),
    MissingExtraError("the optimal scheduler", "optimal"),
    SimulationError("stuck"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "travel", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))], ids=["copy", "pickle"]
)
def test_errors_arrive_as_they_left(error: SocsimError, travel) -> None:
    again = travel(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: type(e).__name__)
def test_errors_are_made_again_from_their_arguments(error: SocsimError) -> None:
    assert str(type(error)(*error.args)) == str(error)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (UnknownNameError, LookupError),
        (UnitError, ValueError),
        (FileError, ValueError),
        (ModelError, ValueError),
        (PlanError, ValueError),
        (UsageError, ValueError),
        (MissingExtraError, ImportError),
        (SimulationError, RuntimeError),
    ],
)
def test_errors_are_of_python_s_kinds_too(kind: type, builtin: type) -> None:
    assert issubclass(kind, SocsimError)
    assert issubclass(kind, builtin)


def test_every_error_is_told_about() -> None:
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert kinds | {"nearest"} == set(errors.__all__)
    assert all(vars(errors)[name].__doc__ for name in kinds)


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "known", "hint", "sentence"),
    [
        ("pixel-9", ["xiaomi-9", "pixel-6"], "", "unknown device 'pixel-9'; did you mean 'pixel-6'?"),
        ("zzz", ["xiaomi-9", "pixel-6"], "", "unknown device 'zzz'; known: pixel-6, xiaomi-9"),
        ("zzz", ["a, b", "a"], "", "unknown device 'zzz'; known: a, 'a, b'"),
        ("zzz", [], "", "unknown device 'zzz'; known: none"),
        ("zzz", ["a"], "(or a path)", "unknown device 'zzz'; known: a (or a path)"),
        ("pixel", ["pixel-6"], "Or a path.", "unknown device 'pixel'; did you mean 'pixel-6'? Or a path."),
    ],
)
def test_an_unknown_name(name: str, known: list[str], hint: str, sentence: str) -> None:
    assert str(UnknownNameError("device", name, known, hint)) == sentence


def test_what_an_unknown_name_carries() -> None:
    error = UnknownNameError("model", "x", iter(["b", "a"]))
    assert (error.kind, error.name, error.known, error.hint) == ("model", "x", ["a", "b"], "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet5", "resnet50"),
        ("ResNet50", "resnet50"),
        ("MOBILENET", "MobileNet"),
        ("qqqq", None),
        ("", None),
    ],
)
def test_the_nearest_name(name: str, expected: str | None) -> None:
    assert nearest(name, ["resnet50", "MobileNet", "vgg16"]) == expected


def test_nothing_is_near_nothing() -> None:
    assert nearest("a", []) is None


# --- files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault(3, 7, "apps.0.name", "is required"), "f.yaml:3:7: apps.0.name: is required"),
        (Fault(3, 7, "", "not YAML"), "f.yaml:3:7: not YAML"),
        (Fault(0, 0, "apps", "is required"), "f.yaml: apps: is required"),
        (Fault(0, 0, "", "no such file"), "f.yaml: no such file"),
    ],
)
def test_a_fault(fault: Fault, line: str) -> None:
    assert fault.render("f.yaml") == line
    assert str(FileError("f.yaml", [fault])) == line


def test_faults_come_in_the_order_of_the_file() -> None:
    faults = [Fault(10, 1, "c", "third"), Fault(2, 9, "b", "second"), Fault(2, 1, "z", "first")]
    error = FileError("f.yaml", faults)
    assert [f.message for f in error.faults] == ["first", "second", "third"]
    assert str(error).splitlines()[0] == "f.yaml:2:1: z: first"
    assert len(str(error).splitlines()) == 3


def test_a_fault_of_another_file_names_it() -> None:
    assert FileFault(1, 2, "a", "wrong", "base.yaml").render("f.yaml") == "base.yaml:1:2: a: wrong"
    assert FileFault(1, 2, "a", "wrong").render("f.yaml") == "f.yaml:1:2: a: wrong"


def test_a_missing_extra_says_how_to_get_it() -> None:
    error = MissingExtraError("the optimal scheduler", "optimal")
    sentence = "the optimal scheduler needs the extra [optimal]: pip install 'socsim[optimal]'"
    assert (str(error), error.feature, error.extra) == (sentence, "the optimal scheduler", "optimal")


def test_of_many_known_names_some_are_told() -> None:
    names = [f"net{i:02}" for i in range(85)]
    told = str(UnknownNameError("model", "banana", names))
    assert told == f"unknown model 'banana'; known: {', '.join(names[:40])} and 45 more"
    assert str(UnknownNameError("model", "banana", names[:40])).endswith(", net39")
