"""Lists of entries that hold from an instant on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from socsim.errors import UnitError, UsageError
from socsim.workloads.instants import check_ascending, instant_of

KEYS = ("at", "mode", "level")


@dataclass
class Row:
    at: float


@pytest.mark.parametrize(
    ("row", "number", "expected"), [({"mode": "x"}, 0, 0.0), ({"at": "20 ms"}, 0, 0.02), ({"at": 3}, 1, 3.0)]
)
def test_an_entry_holds_from_its_instant_on(row, number: int, expected: float) -> None:
    assert instant_of(row, "modes", number, KEYS, units=False) == expected


@pytest.mark.parametrize(
    ("row", "number", "sentence"),
    [
        ("fast", 0, "modes.0 must be a mapping of at, mode and level, got 'fast'"),
        ({"at": 1, "modes": 3}, 2, "modes.2 has no 'modes'; did you mean 'mode'?"),
        ({"at": 1, "xyz": 3}, 2, "modes.2 has no 'xyz'; known: at, mode, level"),
        ({"mode": 3}, 1, "modes.1 needs the instant 'at' from which it holds, such as 5 s"),
        ({"at": -1.0}, 0, "modes.0.at must not be negative, got -1.0"),
        ({"at": float("inf")}, 0, "modes.0.at must not be negative, got inf"),
    ],
)
def test_wrong_entries_are_told_by_number(row, number: int, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        instant_of(row, "modes", number, KEYS, units=False)
    assert str(caught.value) == sentence


def test_files_need_units() -> None:
    with pytest.raises(UnitError, match=r"modes\.1\.at"):
        instant_of({"at": 5}, "modes", 1, KEYS, units=True)


def test_instants_ascend() -> None:
    check_ascending([Row(0.0), Row(1.0), Row(2.5)], "modes")
    check_ascending([], "modes")
    with pytest.raises(UsageError, match=r"^modes\.2\.at must be later than the one before, 1 s, got 1 s$"):
        check_ascending([Row(0.0), Row(1.0), Row(1.0)], "modes")
