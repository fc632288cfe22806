"""Options of governors, managers and policies of reuse: what passes, and the sentence where it does not."""

from __future__ import annotations

import re
from math import inf, nan

import pytest

from socsim.errors import UsageError
from socsim.schedulers.options import Options

OWN = Options("manager", "m")


def refused(name: str, *given: object, **rule: object) -> str:
    """What is said of an option `o`, without its beginning."""
    with pytest.raises(UsageError) as caught:
        getattr(OWN, name)("o", *given, **rule)
    beginning = "manager 'm': o"
    assert str(caught.value).startswith(beginning)
    return str(caught.value).removeprefix(beginning).strip()


@pytest.mark.parametrize(
    ("rule", "inside", "outside", "words"),
    [
        ({}, (0, 0.5, 1e300), (-1e-9, inf, nan, "1", True, None), "from 0"),
        ({"above": True}, (1e-9,), (0, -1), "above 0"),
        ({"low": 1, "high": 5}, (1, 5), (0.999, 5.001), "from 1 to 5"),
        ({"low": 1, "high": 5, "above": True}, (1.001, 5), (1, 5.001), "above 1 and at most 5"),
        ({"low": 1, "high": 5, "below": True}, (1, 4.999), (0.999, 5), "from 1 to below 5"),
        ({"low": 1, "high": 5, "above": True, "below": True}, (1.001, 4.999), (1, 5), "above 1 and below 5"),
        ({"high": 2.5, "unit": "mm"}, (2.5,), (3,), "from 0 to 2.5, in mm"),
    ],
)
def test_numbers_have_ends(rule, inside, outside, words):
    for value in inside:
        assert OWN.number("o", value, **rule) == value
    for value in outside:
        assert refused("number", value, **rule) == f"must be a number {words}, got {value!r}"


def test_percentages():
    assert [OWN.percent("o", value) for value in (0, 76.5, 100)] == [0, 76.5, 100]
    assert refused("percent", 100.5) == "must be a number from 0 to 100, in %, got 100.5"
    assert OWN.percent("o", 100, above=True) == 100
    assert refused("percent", 0, above=True) == "must be a number above 0 and at most 100, in %, got 0"


def test_ratios_are_numbers_or_shares():
    assert [OWN.ratio("o", value, 1.0) for value in (0, 1, "5 %", "0.5")] == [0.0, 1.0, 0.05, 0.5]
    assert (OWN.ratio("o", 7.5), OWN.ratio("o", "750 %")) == (7.5, 7.5)
    for value in ("200 %", 1.01, -0.1, True, nan):
        assert refused("ratio", value, 1.0) == f"must be a number from 0 to 1, got {value!r}"
    assert refused("ratio", inf) == "must be a number from 0, got inf"
    assert refused("ratio", "5 ms").startswith(": '5 ms' is a time")


def test_counts_are_whole_and_not_below_the_least():
    assert (OWN.count("o", 0), OWN.count("o", 3, 3)) == (0, 3)
    assert refused("count", -1) == "must be a whole number from 0, got -1"
    for value in (2, 3.0, True, "3"):
        assert refused("count", value, 3) == f"must be a whole number from 3, got {value!r}"


@pytest.mark.parametrize(("value", "seconds"), [(0.25, 0.25), (2, 2.0), ("60 ms", 0.06), ("3 min", 180.0)])
def test_times_are_seconds_or_have_a_unit(value, seconds):
    assert OWN.seconds("o", value) == seconds


def test_times_of_no_length_and_without_end():
    assert (OWN.seconds("o", 0, zero=True), OWN.seconds("o", "0 s", zero=True)) == (0.0, 0.0)
    assert OWN.seconds("o", inf, endless=True) == inf
    assert refused("seconds", 0) == "must be a finite time above 0, such as 60 ms, got 0"
    assert refused("seconds", inf) == "must be a finite time above 0, such as 60 ms, got inf"
    assert refused("seconds", -inf, zero=True) == "must be a finite time from 0, such as 60 ms, got -inf"
    assert refused("seconds", "-1 s", endless=True) == "must be a time above 0, such as 60 ms, got '-1 s'"
    assert refused("seconds", nan, endless=True) == "must be a time above 0, such as 60 ms, got nan"
    for value in (True, None, [1]):
        assert refused("seconds", value) == f"must be a finite time above 0, such as 60 ms, got {value!r}"


@pytest.mark.parametrize(
    ("check", "value", "words"),
    [
        ("seconds", "4 MHz", ": '4 MHz' is a frequency, expected a time"),
        ("seconds", "soon", ": 'soon' is no time"),
        ("hertz", "2 s", ": '2 s' is a time, expected a frequency"),
        ("watts", "5 ms", ": '5 ms' is a time, expected a power"),
    ],
)
def test_texts_of_another_kind_are_refused_with_the_units_own_words(check, value, words):
    assert refused(check, value).startswith(words)


def test_frequencies_may_be_0_but_not_infinite():
    assert (OWN.hertz("o", "1.2 GHz"), OWN.hertz("o", 0), OWN.hertz("o", 5)) == (1.2e9, 0.0, 5.0)
    for value in (-1, inf):
        assert refused("hertz", value) == f"must be a finite frequency from 0, such as 1.2 GHz, got {value!r}"


def test_powers_may_be_without_limit():
    assert [OWN.watts("o", value) for value in (None, inf, 3, "500 mW")] == [inf, inf, 3.0, 0.5]
    for value in (0, -1, "0 W"):
        assert refused("watts", value) == f"must be a power above 0, such as 5 W, got {value!r}"


KNOWN = ("levels", "clocks")


def test_words_are_among_those_known():
    assert OWN.one_of("o", "clocks", KNOWN) == "clocks"
    wrong = "must be one of levels, clocks, got 'levles'; did you mean 'levels'?"
    assert refused("one_of", "levles", KNOWN) == wrong
    assert refused("one_of", "", KNOWN) == "must be one of levels, clocks, got ''"
    assert refused("one_of", 3, KNOWN) == "must be one of levels, clocks, got 3"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("levels + clocks", {"levels", "clocks"}),
        ("levels,clocks", {"levels", "clocks"}),
        ("clocks", {"clocks"}),
        (["clocks"], {"clocks"}),
        (("levels", "levels"), {"levels"}),
    ],
)
def test_several_words_are_joined_or_in_a_row(value, words):
    assert OWN.some_of("o", value, KNOWN) == words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("levels+clocs", "one of levels, clocks, got 'clocs'; did you mean 'clocks'?"),
        ("", "one of levels, clocks, got ''"),
        ([], "some of levels, clocks, such as levels+clocks, got []"),
        (3, "some of levels, clocks, such as levels+clocks, got 3"),
        ([3], "one of levels, clocks, got 3"),
    ],
)
def test_several_words_need_all_to_be_known_and_one_at_least(value, said):
    assert refused("some_of", value, KNOWN) == f"must be {said}"


def test_governors_and_managers_are_named_by_their_kind():
    with pytest.raises(UsageError, match=re.escape("governor 'g': gain must be a number from 0, got -1")):
        Options("governor", "g").number("gain", -1)
