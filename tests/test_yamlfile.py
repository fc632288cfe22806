"""YAML with places: what is refused, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from socsim import units, yamlfile
from socsim.errors import FileError, UsageError


def write(folder: Path, text: str | bytes, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def complaints(path: Path, model: type[BaseModel] | None = None) -> list[str]:
    """The lines of the error that reading (and validating) a file raises, without its folder."""
    with pytest.raises(FileError) as caught:
        document = yamlfile.read(path)
        if model is not None:
            yamlfile.validate(document, model)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _hertz(text: Any) -> float:
    return units.parse(text, "frequency")


class Point(Block):
    freq: Annotated[float, BeforeValidator(_hertz), Field(gt=0)]
    kind: Literal["slow", "fast"] = "slow"


class Cluster(Block):
    name: str
    opps: list[Point]

    @model_validator(mode="after")
    def _rising(self) -> Cluster:
        falls = [i for i in range(1, len(self.opps)) if self.opps[i].freq < self.opps[i - 1].freq]
        if falls:
            raise yamlfile.RelativeFaults([(("opps", i, "freq"), "falls") for i in falls])
        return self


class Machine(Block):
    title: str
    clusters: list[Cluster] = []
    extra: dict[str, Point] = {}
    choice: Point | str = ""
    count: Annotated[int, Field(strict=True, ge=1)] = 1


def test_reads_plain_data_and_remembers_places(tmp_path: Path) -> None:
    document = yamlfile.read(
        write(tmp_path, "title: x\nclusters:\n- name: a\n  opps:\n  - {freq: 1 MHz}\n  - {freq: 2 MHz}\n")
    )
    assert document.data == {
        "title": "x",
        "clusters": [{"name": "a", "opps": [{"freq": "1 MHz"}, {"freq": "2 MHz"}]}],
    }
    assert document.place(()) == (1, 1)
    assert document.place(("title",)) == (1, 8)
    assert document.place(("clusters", 0)) == (3, 3)
    assert document.place(("clusters", 0, "opps", 1, "freq")) == (6, 12)


def test_place_of_what_is_not_there_is_the_nearest_above(tmp_path: Path) -> None:
    document = yamlfile.read(write(tmp_path, "a:\n  b: [1, 2]\n"))
    assert document.place(("a", "b", 7)) == document.place(("a", "b")) == (2, 6)
    assert document.place(("a", "c", "d")) == (2, 3)
    assert document.place(("z",)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("0", 0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("", None),
        ("'on'", "on"),
        ("'010'", "010"),
        ("1e9", "1e9"),
        ("1.5e+3", 1500.0),
        ("2024-05-01", "2024-05-01"),
        ("2.84 GHz", "2.84 GHz"),
        ("é", "é"),
    ],
)
def test_reads_scalars_as_they_look(tmp_path: Path, text: str, value: object) -> None:
    assert yamlfile.read(write(tmp_path, f"a: {text}\n")).data == {"a": value}


@pytest.mark.parametrize("key", ["on", "off", "yes", "No", "ON"])
def test_words_that_yaml_takes_for_truth_values_may_be_keys(tmp_path: Path, key: str) -> None:
    assert yamlfile.read(write(tmp_path, f"a: {{{key}: 2 s}}\n")).data == {"a": {key: "2 s"}}
    assert yamlfile.value_of(f"{{{key}: 2 s}}") == {key: "2 s"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("[1, 2 s]", [1, "2 s"]), ("''", ""), ("", None), ("{a: {b: true}}", {"a": {"b": True}})],
)
def test_values_in_yamls_own_notation(text: str, value: object) -> None:
    assert yamlfile.value_of(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", r"the value '\[1' is not YAML: while parsing a flow sequence"),
        ("{a: on}", r"the value '\{a: on\}': YAML reads 'on' as a truth value; write true or false"),
        ("{a: 010}", "YAML reads '010' as 8"),
    ],
)
def test_values_are_refused_as_in_files(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        yamlfile.value_of(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: on", "file.yaml:1:4: a: YAML reads 'on' as a truth value; write true or false, or quote it"),
        ("a: No", "file.yaml:1:4: a: YAML reads 'No' as a truth value; write true or false, or quote it"),
        (
            "a: 010",
            "file.yaml:1:4: a: YAML reads '010' as 8; write the number in plain decimal digits, or quote it",
        ),
        ("a: 1:30", "file.yaml:1:4: a: YAML reads '1:30' as 90; write the number in plain decimal digits"),
        ("a: 1_000", "file.yaml:1:4: a: YAML reads '1_000' as 1000; write the number in plain decimal"),
        ("a: 0x10", "file.yaml:1:4: a: YAML reads '0x10' as 16;"),
        ("a: .inf", "file.yaml:1:4: a: YAML reads '.inf' as inf;"),
        ("a: !!binary aGk=", "file.yaml:1:4: a: tag 'tag:yaml.org,2002:binary' is not supported"),
        ("a: !thing x", "file.yaml:1:4: a: tag '!thing' is not supported"),
        ("a: 1\nb: 2\na: 3", "file.yaml:3:1: a: key 'a' repeats the one on line 1"),
        ("x:\n  1: b", "file.yaml:2:3: x: key '1' is not a string to YAML; quote it: '1'"),
        ("true: b", "file.yaml:1:1: key 'true' is not a string to YAML; quote it: 'true'"),
        ("on: b\n'on': c", "file.yaml:2:1: on: key 'on' repeats the one on line 1"),
        ("? [a]\n: b", "file.yaml:1:3: a key must be a string"),
        ("a: &x {b: c}\nd:\n  <<: *x", "file.yaml:3:3: d: merge keys (<<) are not supported"),
        ("a: &x [*x]", "file.yaml:1:4: a.0: an alias inside the value that it stands for"),
    ],
)
def test_refuses_what_yaml_would_misread(tmp_path: Path, text: str, line: str) -> None:
    (got,) = complaints(write(tmp_path, text))
    assert got.startswith(line)


def test_tells_all_of_it_in_one_pass(tmp_path: Path) -> None:
    got = complaints(write(tmp_path, "a: on\nb: 010\na: 2\n3: x\n"))
    assert [line.split(": ")[0] for line in got] == [
        "file.yaml:1:4",
        "file.yaml:2:4",
        "file.yaml:3:1",
        "file.yaml:4:1",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2\nb: 3\n", "file.yaml:2:2: not YAML: while parsing a flow sequence, "),
        ("a: b: c\n", "file.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("a: *nowhere\n", "file.yaml:1:4: not YAML: found undefined alias"),
        ("a: 1\n--- \nb: 2\n", "file.yaml:2:1: not YAML: expected a single document"),
        ("a: 'x\n", "file.yaml:2:1: not YAML: while scanning a quoted scalar"),
        ("a: 1\nb: \x07\n", "file.yaml:2:4: character"),
    ],
)
def test_syntax_errors_have_a_place(tmp_path: Path, text: str, place: str) -> None:
    assert complaints(write(tmp_path, text))[0].startswith(place)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, b"a: b\nc: \xff\n")) == ["file.yaml:2:4: not UTF-8: byte 0xff"]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert yamlfile.read(write(tmp_path, b"\xef\xbb\xbfa: b\n")).data == {"a": "b"}


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert complaints(tmp_path / "none.yaml") == ["none.yaml: no such file"]
    (tmp_path / "folder.yaml").mkdir()
    assert complaints(tmp_path / "folder.yaml")[0].startswith("folder.yaml: is a directory; name a file")


@pytest.mark.parametrize(
    ("text", "got"),
    [("", "nothing"), ("# only this\n", "nothing"), ("- a\n", "a list"), ("word\n", "the value 'word'")],
)
def test_the_top_must_be_a_mapping(tmp_path: Path, text: str, got: str) -> None:
    assert complaints(write(tmp_path, text))[0].endswith(f"expected a mapping at the top, got {got}")


def test_absurd_files_end(tmp_path: Path) -> None:
    deep = write(tmp_path, "a: " + "[" * 5000 + "]" * 5000)
    assert complaints(deep) == ["file.yaml: the file is nested too deep"]
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert complaints(write(tmp_path, "\n".join(lines))) == [
        "file.yaml: the file expands to more than 200000 values"
    ]


def test_an_alias_may_be_used_twice(tmp_path: Path) -> None:
    assert yamlfile.read(write(tmp_path, "a: &x {b: c}\nd: *x\n")).data == {"a": {"b": "c"}, "d": {"b": "c"}}


def test_validates_into_the_model(tmp_path: Path) -> None:
    document = yamlfile.read(
        write(tmp_path, "title: x\nclusters: [{name: a, opps: [{freq: 1 MHz}, {freq: 2 MHz}]}]\n")
    )
    machine = yamlfile.validate(document, Machine)
    assert [point.freq for point in machine.clusters[0].opps] == [1e6, 2e6]


BAD = """\
titel: x
clusters:
- name: 5
  opps:
  - {freq: 300 MHz}
  - {freq: 2.84 Ghz, knd: slow}
  - {kind: fst}
- name: b
  opps:
  - {freq: 2 MHz}
  - {freq: 1 MHz}
extra:
  one: {freq: 5}
count: 0
"""


def test_every_fault_of_a_file_comes_at_once_with_its_place(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, BAD), Machine) == [
        "file.yaml:1:1: titel: unknown key 'titel', did you mean 'title'?",
        "file.yaml:1:1: title: is required",
        "file.yaml:3:9: clusters.0.name: should be a valid string, got 5",
        "file.yaml:6:12: clusters.0.opps.1.freq: unknown unit 'Ghz', did you mean 'GHz'?",
        "file.yaml:6:22: clusters.0.opps.1.knd: unknown key 'knd', did you mean 'kind'?",
        "file.yaml:7:5: clusters.0.opps.2.freq: is required",
        "file.yaml:7:12: clusters.0.opps.2.kind: should be 'slow' or 'fast', got 'fst'; did you mean 'fast'?",
        "file.yaml:11:12: clusters.1.opps.1.freq: falls",
        "file.yaml:13:15: extra.one.freq: the value 5 has no unit; "
        "a frequency needs one of GHz, MHz, kHz, Hz",
        "file.yaml:14:8: count: should be greater than or equal to 1, got 0",
    ]


def test_the_value_told_is_the_one_written(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, "title: x\nextra: {one: {freq: -2 MHz}}\n"), Machine) == [
        "file.yaml:2:21: extra.one.freq: should be greater than 0, got '-2 MHz'"
    ]
    assert complaints(write(tmp_path, "title: x\nclusters: {a: 1}\n"), Machine) == [
        "file.yaml:2:11: clusters: should be a valid list, got a mapping"
    ]


def test_an_unknown_key_with_nothing_near_lists_the_known(tmp_path: Path) -> None:
    got = complaints(write(tmp_path, "title: x\nextra: {one: {freq: 1 Hz, zzz: 1}}\n"), Machine)
    assert got == ["file.yaml:2:27: extra.one.zzz: unknown key 'zzz', known: freq, kind"]


def test_a_union_is_told_without_pydantics_own_names(tmp_path: Path) -> None:
    got = complaints(write(tmp_path, "title: x\nchoice: {freq: 1 Hz, kin: slow}\n"), Machine)
    assert "file.yaml:2:22: choice.kin: unknown key 'kin', did you mean 'kind'?" in got
    assert all(line.split(": ")[1] in ("choice", "choice.kin") for line in got)


def test_more_faults_join_the_models(tmp_path: Path) -> None:
    document = yamlfile.read(write(tmp_path, "title: x\ncount: 0\n"))
    with pytest.raises(FileError) as caught:
        yamlfile.validate(document, Machine, [document.fault(("title",), "too short")])
    assert [fault.message for fault in caught.value.faults] == [
        "too short",
        "should be greater than or equal to 1, got 0",
    ]
    document = yamlfile.read(write(tmp_path, "title: x\n"))
    with pytest.raises(FileError, match="1:8: title: too short"):
        yamlfile.validate(document, Machine, [document.fault(("title",), "too short")])


def test_a_fault_names_its_own_file(tmp_path: Path) -> None:
    node = yamlfile.Node("x", yamlfile.Place("base.yaml", 3, 4))
    error = FileError("main.yaml", [yamlfile.fault_at(node, ("a", 0), "is wrong")])
    assert str(error) == "base.yaml:3:4: a.0: is wrong"
