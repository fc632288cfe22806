"""What an application may be told, and what is refused before anything runs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import inf, nan

import pytest
from corekit import net

from socsim.errors import UnitError, UsageError
from socsim.workloads.apps import Inference


def test_defaults() -> None:
    app = Inference("resnet50")
    assert (app.scheduler, app.library, app.name, app.dtype, app.cores) == ("cpu", "mace", "", "", "")
    assert (app.period_s, app.deadline_s, app.count) == (None, None, None)
    with pytest.raises(FrozenInstanceError):
        app.count = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("33 ms", 0.033), ("1 s", 1.0), ("2min", 120.0), (0.5, 0.5), (2, 2), ("250 us", 250e-6)],
)
def test_times_are_read_in_seconds(given, seconds: float) -> None:
    app = Inference("m", period=given, deadline=given)
    assert (app.period_s, app.deadline_s) == (seconds, seconds)


@pytest.mark.parametrize("what", ["period", "deadline", "count"])
@pytest.mark.parametrize("value", [0, -1, -0.5, inf, nan])
def test_numbers_are_positive(what: str, value: float) -> None:
    with pytest.raises(UsageError) as caught:
        Inference("resnet50", **{what: value})
    assert str(caught.value) == f"inference 'resnet50': {what} must be positive, got {value!r}"


@pytest.mark.parametrize("what", ["period", "deadline", "count"])
@pytest.mark.parametrize("value", [[1], {"s": 1}, (1,)])
def test_numbers_are_numbers(what: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        Inference("resnet50", **{what: value})
    assert str(caught.value) == f"inference 'resnet50': {what} must be a number, got {value!r}"


def test_zero_with_a_unit_is_not_positive_either() -> None:
    with pytest.raises(UsageError, match=r"period must be positive, got 0\.0"):
        Inference("m", period="0 ms")


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ("33", "has no unit"),
        ("33 mss", "did you mean 'ms'"),
        ("33 MHz", "expected a time"),
        ("soon", "is no time"),
    ],
)
def test_times_without_a_right_unit(period: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        Inference("m", period=period)


def test_counts_are_whole() -> None:
    assert Inference("m", count=3.0).count == 3  # type: ignore[arg-type]
    with pytest.raises(UsageError) as caught:
        Inference("m", count=2.5)  # type: ignore[arg-type]
    assert str(caught.value) == "inference 'm': count must be a whole number, got 2.5"


@pytest.mark.parametrize("dtype", ["", "fp32", "fp16", "int8"])
def test_known_types(dtype: str) -> None:
    assert Inference("m", dtype=dtype).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "int16", "FP16"])
def test_unknown_types(dtype: str) -> None:
    with pytest.raises(UsageError) as caught:
        Inference("m", dtype=dtype)
    assert str(caught.value) == f"inference 'm': dtype must be fp32, fp16 or int8, got {dtype!r}"


def test_the_sentence_names_the_application_rather_than_the_network() -> None:
    with pytest.raises(UsageError, match=r"^inference 'detector': count must be positive, got 0$"):
        Inference("yolov2", name="detector", count=0)
    with pytest.raises(UsageError, match=r"^inference ModelGraph\('net', 1 operator, 0\.0 MMAC\): count"):
        Inference(net("a:1 x"), count=0)
