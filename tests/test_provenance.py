"""Which grade and source hold for a number: the nearest statement, exceptions by key, and what is told as a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from socsim.devices.provenance import Stripped, rows, strip, unknown_sources
from socsim.yamlfile import read


def stripped(folder: Path, text: str) -> Stripped:
    path = folder / "own.yaml"
    path.write_text(text)
    return strip(read(path))


def origins(folder: Path, text: str) -> dict[str, tuple[str, str]]:
    """Grade and source by path; there are no faults."""
    found = stripped(folder, text)
    assert found.faults == []
    return {row.path: (row.grade, row.source) for row in rows(found.root)}


def faults(folder: Path, text: str) -> list[str]:
    return [f"{fault.path}: {fault.message}" for fault in stripped(folder, text).faults]


BLOCK = "grade: A\nsource: 'book: page 1'\n"


@pytest.mark.parametrize(
    ("text", "grade", "source"),
    [
        ("x: 3 V", "A", "book: page 1"),
        ("x: {value: 3 V}", "A", "book: page 1"),
        ("x: {value: 3 V, grade: B}", "B", "book: page 1"),
        ("x: {value: 3 V, source: 'bench: run 2'}", "A", "bench: run 2"),
        ("x: {value: 3 V, grade: B, source: 'bench: run 2'}", "B", "bench: run 2"),
    ],
)
def test_a_number_has_its_own_statement_and_of_its_block_what_it_does_not_say(
    tmp_path: Path, text: str, grade: str, source: str
) -> None:
    assert origins(tmp_path, BLOCK + text) == {"x": (grade, source)}


def test_blocks_state_for_all_below_them_also_in_lists(tmp_path: Path) -> None:
    text = "points:\n- {x: 1 V, y: 2 V}\n- {x: 3 V, grade: C}\nother: {grade: D, in: {x: 4 V}}\n"
    assert origins(tmp_path, BLOCK + text) == {
        "points.0.x": ("A", "book: page 1"),
        "points.0.y": ("A", "book: page 1"),
        "points.1.x": ("C", "book: page 1"),
        "other.in.x": ("D", "book: page 1"),
    }


def test_a_wrapped_list_has_one_statement_for_all_its_numbers(tmp_path: Path) -> None:
    text = "points: {value: [{x: 1 V}, {x: {value: 2 V, grade: D}}, 3 V], source: bench}\n"
    assert origins(tmp_path, BLOCK + text) == {
        "points.0.x": ("A", "bench"),
        "points.1.x": ("D", "bench"),
        "points.2": ("A", "bench"),
    }


@pytest.mark.parametrize(
    ("exception", "origin"),
    [
        ("{grade: B, source: bench}", ("B", "bench")),
        ("{grade: B}", ("B", "book: page 1")),
        ("{source: bench}", ("A", "bench")),
    ],
)
def test_an_exception_holds_below_its_key_wherever_that_is(
    tmp_path: Path, exception: str, origin: tuple[str, str]
) -> None:
    text = f"except: {{volts: {exception}}}\na: {{volts: 1 V, watts: 2 W}}\nvolts: {{low: 1 V}}\n"
    assert origins(tmp_path, BLOCK + text) == {
        "a.volts": origin,
        "a.watts": ("A", "book: page 1"),
        "volts.low": origin,
    }


def test_a_nearer_exception_adds_to_those_around_it_and_a_nearer_statement_ends_them(tmp_path: Path) -> None:
    text = """\
except: {volts: {grade: B}, watts: {grade: C}}
adds: {except: {volts: {grade: D}}, volts: 1 V, watts: 1 W}
ends: {grade: F, volts: 1 V, watts: 1 W}
both: {grade: F, except: {volts: {grade: D}}, volts: 1 V, watts: 1 W}
"""
    grades = {path: grade for path, (grade, _) in origins(tmp_path, BLOCK + text).items()}
    assert grades == {
        "adds.volts": "D", "adds.watts": "C", "ends.volts": "F", "ends.watts": "F",
        "both.volts": "D", "both.watts": "F",
    }  # fmt: skip


def test_texts_need_no_origin_unless_they_are_wrapped(tmp_path: Path) -> None:
    text = "name: 3\ntitle: 5 V\nmodel: 7\nkind: fast\nmode: {value: slow, grade: B, source: bench}\n"
    assert origins(tmp_path, text) == {"mode": ("B", "bench")}


def test_in_the_block_of_heat_all_keys_are_names(tmp_path: Path) -> None:
    text = f"thermal: {{{BLOCK.strip().replace(chr(10), ', ')}, soc: {{capacity: 5 J}}}}\nsoc: 7\n"
    assert origins(tmp_path, text) == {"thermal.soc.capacity": ("A", "book: page 1")}


def test_sources_are_written_on_one_line(tmp_path: Path) -> None:
    assert origins(tmp_path, "grade: A\nsource: >\n  book:\n  page   1\nx: 3 V\n") == {
        "x": ("A", "book: page 1")
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x: 3 V", "x: 3 V has no grade and no source; state it here"),
        ("grade: A\nx: 3 V", "x: 3 V has no source; state it here"),
        ("source: book\nx: {y: [3 V]}", "x.y.0: 3 V has no grade; state it here"),
        ("mode: {value: slow}", "mode: slow has no grade and no source; state it here"),
        (BLOCK + "x: {value: 3 V, grade: E}", "x.grade: unknown grade 'E'; one of A (verbatim"),
        (BLOCK + "x: {value: 3 V, unit: V}", "x.unit: unknown key 'unit' beside 'value'"),
        (BLOCK + "x: {value: 3 V, source: ' '}", "x.source: source must be a text"),
        (BLOCK + "x: {value: 3 V, source: [book]}", "x.source: source must be a text"),
        (BLOCK + "except: [volts]", "except: expected a mapping such as {voltage:"),
        (BLOCK + "except: {volts: B}", "except: expected a mapping such as {voltage:"),
        (BLOCK + "except: {volts: {grade: B}, watts: B}", "except: expected a mapping such as {voltage:"),
        (BLOCK + "except: {volts: {grad: B}}", "except.volts.grad: unknown key 'grad'; an exception has"),
        (BLOCK + "except: {volts: {grade: E}}", "except.volts.grade: unknown grade 'E'"),
    ],
)
def test_what_is_told(tmp_path: Path, text: str, told: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.startswith(told)


def test_all_sources_are_looked_up_in_the_table(tmp_path: Path) -> None:
    """One text may name several; those of exceptions and single numbers count too."""
    text = "grade: A\nsource: 'book, bench: both'\nexcept: {volts: {source: boook}}\nx: {value: 3 V, source: talk}\n"
    found = stripped(tmp_path, text)
    told = [fault.message for fault in unknown_sources(found, {"book", "bench"})]
    assert told == [
        "source 'boook' is not in the table of sources; did you mean 'book'?",
        "source 'talk' is not in the table of sources; known: bench, book",
    ]
    assert list(unknown_sources(found, {"book", "bench", "boook", "talk"})) == []
    assert len(list(unknown_sources(found, set()))) == 4
