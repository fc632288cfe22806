"""Applications that follow others: what users write, and whom a chain leads to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from socsim.errors import SocsimError, UnitError, UnknownNameError, UsageError
from socsim.workloads.stages import After, application_names, check_stages, make_after


@pytest.mark.parametrize(
    ("spec", "after"),
    [
        (None, None),
        ("detect", After("detect")),
        ({"app": "detect"}, After("detect")),
        ({"app": "detect", "fanout": 3, "delay": "2 ms"}, After("detect", 3, delay=0.002)),
        ({"app": "detect", "fanout": {"mean": 1.5}}, After("detect", mean=1.5)),
        ({"app": "detect", "delay": 0.5}, After("detect", delay=0.5)),
        (After("detect", 2), After("detect", 2)),
    ],
)
def test_what_users_write(spec, after) -> None:
    assert make_after(spec) == after
    if after is not None:
        assert make_after(after.describe(), units=True) == after


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("", "after needs the name of an application, got ''"),
        (3, "after needs the name of an application, got 3"),
        ({"fanout": 2}, "after needs the name of an application, got {'fanout': 2}"),
        ({"app": "a", "fanot": 2}, "after has no 'fanot'; did you mean 'fanout'?"),
        ({"app": "a", "when": 2}, "after has no 'when'; known: app, fanout, delay"),
        ({"app": "a", "fanout": 0}, "fanout must be a whole number from 1 or {mean: NUMBER}, got 0"),
        ({"app": "a", "fanout": 1.5}, "fanout must be a whole number from 1 or {mean: NUMBER}, got 1.5"),
        ({"app": "a", "fanout": True}, "fanout must be a whole number from 1 or {mean: NUMBER}, got True"),
        (
            {"app": "a", "fanout": {"maen": 1}},
            "fanout must be a whole number from 1 or {mean: NUMBER}, got {'maen': 1}",
        ),
        ({"app": "a", "fanout": {"mean": 0}}, "the mean of fanout must be positive, got 0"),
        ({"app": "a", "fanout": {"mean": None}}, "the mean of fanout must be a ratio, got None"),
        ({"app": "a", "delay": -1}, "delay must not be negative, got -1 s"),
        ({"app": "a", "delay": "2"}, "delay: '2' has no unit"),
    ],
)
def test_words_that_are_refused(spec, sentence: str) -> None:
    with pytest.raises((UsageError, UnitError)) as caught:
        make_after(spec)
    assert str(caught.value).startswith(sentence)


def test_delays_in_files_need_a_unit() -> None:
    with pytest.raises(UnitError, match="delay: the value 2 has no unit"):
        make_after({"app": "a", "delay": 2}, units=True)


def test_fanout_is_fixed_or_drawn() -> None:
    rng = np.random.default_rng(1)
    assert {After("a", 3).draw(rng) for _ in range(20)} == {3}
    draws = [After("a", mean=2.5).draw(rng) for _ in range(4000)]
    assert np.mean(draws) == pytest.approx(2.5, abs=3 * (2.5 / 4000) ** 0.5)
    assert np.var(draws) == pytest.approx(2.5, rel=0.1) and min(draws) == 0


def apps(*names: str) -> list[SimpleNamespace]:
    return [SimpleNamespace(name="" if n.startswith("m:") else n, model=n.removeprefix("m:")) for n in names]


@pytest.mark.parametrize(
    ("given", "unique"),
    [
        (["a", "b"], ["a", "b"]),
        (["m:net", "m:net", "b"], ["net-1", "net-2", "b"]),
        (["m:net", "m:net", "net-1"], ["net-2", "net-3", "net-1"]),
    ],
)
def test_names_are_unique(given: list[str], unique: list[str]) -> None:
    names = application_names(apps(*given))
    assert sorted(names) == sorted(unique) and len(set(names)) == len(names)


def test_a_name_is_given_once() -> None:
    with pytest.raises(UsageError, match="2 applications are named 'a'; give each a name of its own"):
        application_names(apps("a", "b", "a"))


@pytest.mark.parametrize("chain", [[None], [None, "a"], [None, "a", "a", "b"], ["b", "c", None]])
def test_chains_and_trees_are_sound(chain: list[str | None]) -> None:
    check_stages("abcd"[: len(chain)], [make_after(before) for before in chain])


@pytest.mark.parametrize(
    ("chain", "sentence"),
    [
        (["a"], "applications follow each other in a circle: a after a"),
        (["b", "a"], "applications follow each other in a circle: a after b after a"),
        (["b", "c", "b"], "applications follow each other in a circle: a after b after c after b"),
        ([None, "e"], "unknown application 'e'; known: a, b (named by after, of kind inference)"),
    ],
)
def test_circles_and_strangers_are_refused(chain: list[str | None], sentence: str) -> None:
    with pytest.raises(SocsimError) as caught:
        check_stages("abcd"[: len(chain)], [make_after(before) for before in chain])
    assert str(caught.value) == sentence


def test_a_misspelt_stage_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown application 'detct'; did you mean 'detect'"):
        check_stages(["detect", "recognise"], [None, After("detct")])
