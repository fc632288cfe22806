"""Governors by name, class, module and entry point, and the check that they are sound."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from clikit import calling, cells

import socsim
from socsim.errors import SimulationError, UnknownNameError, UsageError
from socsim.schedulers import catalogue
from socsim.schedulers.governors import DomainSample, Governor, make_governor, resolve
from socsim.schedulers.governors import registry as registered
from socsim.schedulers.governors.ondemand import Ondemand
from socsim.schedulers.governors.registry import GOVERNORS
from socsim.schedulers.spelling import located, module_files
from socsim.testing import check_governor

BUILT_IN = (
    "performance", "powersave", "userspace", "ondemand", "conservative", "interactive", "schedutil",
    "schedutil_l4t", "simple_ondemand", "adreno_tz", "nvhost_podgov",
)  # fmt: skip


class HalfLoad(socsim.Governor):
    """Keep a clock domain half busy."""

    period = "10 ms"

    def next_frequency(self, domain):
        return domain.opps.at_least(domain.utilisation / 0.5 * domain.frequency)


class Counting(Governor):
    """Has options and a memory."""

    def __init__(self, share=0.5, *, names=(), period="20 ms"):
        self.share, self.names, self.period = share, names, period
        self.seen = []

    def next_frequency(self, domain):
        self.seen.append(domain.now)


@pytest.fixture
def cli(capsys):
    return calling(capsys)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A working directory with a module of governors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_governors.py").write_text(
        "import socsim\n\n\nclass Mine(socsim.Governor):\n    period = 0.01\n\n"
        "    def __init__(self, share=0.5):\n        self.share = share\n\n"
        "    def next_frequency(self, domain):\n        return domain.nothing\n\n\nclass Other:\n    pass\n"
    )
    yield tmp_path / "own_governors.py"
    sys.modules.pop("own_governors", None)


# --- names and specs ----------------------------------------------------------------------------------------


def test_names():
    assert GOVERNORS.names()[: len(BUILT_IN)] == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_name_makes_a_governor_of_that_title(name):
    governor = make_governor(name)
    assert isinstance(governor, Governor)
    assert (governor.title, governor.name, governor.written) == (name, name, "")
    assert make_governor(name) is not governor
    assert registered.GOVERNORS.class_of(name) is type(governor)
    assert type(governor).__doc__ and "References" in type(governor).__doc__


@pytest.mark.parametrize(
    "spec",
    [
        "ondemand(up_threshold=80, period=20 ms)",
        {"name": "ondemand", "up_threshold": 80, "period": "20 ms"},
        {"name": "ondemand", "options": {"up_threshold": 80}, "period": "20 ms"},
        {"name": "ondemand(up_threshold=80)", "period": "20 ms"},
    ],
)
def test_ways_to_write_options(spec):
    governor = make_governor(spec)
    assert isinstance(governor, Ondemand)
    assert (governor.up_threshold, governor.period) == (80, "20 ms")
    assert governor.title.startswith("ondemand(up_threshold=80")


def test_classes_and_objects():
    assert isinstance(make_governor(HalfLoad), HalfLoad)
    assert make_governor(HalfLoad).title == "HalfLoad"
    mine = Counting(0.7)
    made = make_governor(mine)
    assert made is not mine and made.share == 0.7


def test_objects_are_copied_so_that_domains_share_nothing():
    mine = Counting()
    first, second = make_governor(mine), make_governor(mine)
    first.next_frequency(DomainSample.of([1e9], now=3.0))
    assert (first.seen, second.seen, mine.seen) == ([3.0], [], [])


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            "schedutl",
            UnknownNameError,
            r"unknown governor 'schedutl'; did you mean 'schedutil'\? Your own is",
        ),
        ("", UsageError, "a governor is written"),
        (3, UsageError, "a governor is a name, a class, an object or a mapping, got int: 3"),
        (None, UsageError, "a governor is a name, a class, an object or a mapping, got NoneType"),
        ({"period": 1}, UsageError, "a governor's mapping needs a name"),
        (dict, UsageError, "'dict': dict must be a subclass of Governor"),
        (Governor, UsageError, r"'Governor': Governor lacks next_frequency\(\)"),
        ("own_governors:Mein", UnknownNameError, "module 'own_governors': 'Mein'; did you mean 'Mine'"),
        ("own_governors:Other", UsageError, "'own_governors:Other': Other must be a subclass of Governor"),
        (
            "nowhere_mod:Mine",
            UsageError,
            "governor 'nowhere_mod:Mine': importing module 'nowhere_mod' failed",
        ),
    ],
)
def test_bad_specs(spec, error, message, own):
    with pytest.raises(error, match=message):
        make_governor(spec)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"trigger": "clock"},
            "governor 'Odd': trigger must be one of timer, scheduler, busy, limits, got 'clock'",
        ),
        (
            {"relation": "above"},
            "governor 'Odd': relation must be one of at_least, at_most, closest, got 'above'",
        ),
        ({"period": 0}, "governor 'Odd': period must be a finite time above 0, such as 60 ms, got 0"),
        ({"period": "10"}, "governor 'Odd': period: '10' has no unit"),
        ({"period": float("inf")}, "period .* got inf"),
    ],
)
def test_classes_with_bad_settings(attributes, message):
    odd = type("Odd", (HalfLoad,), attributes)
    with pytest.raises(UsageError, match=message):
        make_governor(odd)


def test_a_period_is_needed_by_the_timer_only():
    assert make_governor(type("Busy", (HalfLoad,), {"trigger": "busy", "period": 0.0})).trigger == "busy"
    own_interval = {"interval": lambda self, domain: 0.5, "period": 0.0}
    assert make_governor(type("Own", (HalfLoad,), own_interval)).interval(None) == 0.5


def test_a_module_of_the_working_directory(own):
    governor = make_governor("own_governors:Mine(share=0.7, period=5 ms)")
    assert (governor.share, governor.period) == (0.7, "5 ms")
    assert make_governor(f"{own}:Mine").title == "Mine"


def test_governors_of_packages(monkeypatch):
    points = [
        EntryPoint("half", "test_governors_registry:HalfLoad", registered.GROUP),
        EntryPoint("ondemand", "test_governors_registry:HalfLoad", registered.GROUP),
        EntryPoint("torn", "nowhere_mod:Mine", registered.GROUP),
    ]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points if group == registered.GROUP else [])
    assert GOVERNORS.names() == (*BUILT_IN, "half", "torn")
    assert type(make_governor("half")).__name__ == "HalfLoad"
    assert isinstance(make_governor("ondemand"), Ondemand)
    assert list(registered.GOVERNORS.broken()) == ["torn"]


# --- specs as texts -----------------------------------------------------------------------------------------


def test_specs_are_written_as_they_were():
    assert GOVERNORS.write("ondemand(up_threshold=80)") == "ondemand(up_threshold=80)"
    assert GOVERNORS.write({"name": "ondemand", "up_threshold": 80}) == "ondemand(up_threshold=80)"
    assert GOVERNORS.write("/some/where/mine.py:Fast(x=1)") == "mine:Fast(x=1)"
    assert GOVERNORS.write(HalfLoad) == "HalfLoad"
    assert GOVERNORS.write(Counting(0.7)) == "Counting(share=0.7)"
    assert GOVERNORS.write(make_governor("nvhost_podgov(damp=5)")) == "nvhost_podgov(damp=5)"


def test_objects_become_their_class_with_what_differs():
    home = "socsim.schedulers.governors"
    assert GOVERNORS.describe("schedutil") == "schedutil"
    assert GOVERNORS.describe(make_governor("interactive")) == f"{home}.interactive:Interactive"
    described = GOVERNORS.describe(make_governor("interactive(min_sample_time=80 ms, period=10 ms)"))
    assert described == {
        "name": f"{home}.interactive:Interactive",
        "min_sample_time": "0.08 s",
        "period": "10 ms",
    }
    again = make_governor(described)
    assert (again.min_sample_time, again.period) == (0.08, "10 ms")
    assert GOVERNORS.describe(make_governor("simple_ondemand(driver=msm)"))["driver"] == "msm"
    assert GOVERNORS.describe(HalfLoad()) == "test_governors_registry:HalfLoad"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_governor_is_made_again_from_its_description(name):
    governor = make_governor(name)
    again = make_governor(GOVERNORS.describe(governor))
    assert type(again) is type(governor)
    assert _options(again) == _options(governor)


def _options(governor):
    return {key: value for key, value in vars(governor).items() if not key.startswith("_")}


def test_files_of_governors(own):
    found = located("own_governors:Mine(share=0.7)", own.parent)
    assert found == f"{own}:Mine(share=0.7)"
    assert module_files(found) == [own]
    assert make_governor(found).share == 0.7


# --- soundness ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_governor_is_sound(name):
    assert check_governor(name).startswith(f"{name}: sound on ")


def test_the_short_class_is_sound_on_every_kind_of_domain():
    assert check_governor(HalfLoad) == "HalfLoad: sound on 60 domains"
    domain = DomainSample.of([3e8, 6e8, 9e8], 3e8, 0.9, elapsed=0.01)
    assert resolve(domain, HalfLoad().next_frequency(domain)) == 6e8


def test_governors_with_options_and_objects_are_checked_too():
    assert check_governor("nvhost_podgov(version=newer, history=100)") == (
        "nvhost_podgov(version=newer, history=100): sound on 12 domains"
    )
    assert check_governor(Counting()) == "Counting: sound on 60 domains"


def broken(**methods):
    return type("Broken", (HalfLoad,), methods)


class Shared(HalfLoad):
    """Remembers in its class, not in its object."""

    calls = 0

    def next_frequency(self, domain):
        Shared.calls += 1
        return domain.opps[Shared.calls % len(domain.opps)]


class Relative(HalfLoad):
    """Names a relation that there is not."""

    def next_frequency(self, domain):
        self.relation = "above"
        return 1e9


@pytest.mark.parametrize(
    ("governor", "complaint"),
    [
        (
            broken(next_frequency=lambda self, domain: float("nan")),
            r"'Broken' on a cpu domain, call 0: next_frequency\(\) must return a finite frequency .* got nan",
        ),
        (broken(next_frequency=lambda self, domain: "1 GHz"), "got '1 GHz'"),
        (broken(next_frequency=lambda self, domain: True), "got True"),
        (
            broken(start=lambda self, domain: float("inf")),
            r"at its start: start\(\) must return a finite frequency in Hz or None, got inf",
        ),
        (
            broken(interval=lambda self, domain: 0.0),
            r"interval\(\) must return seconds above 0 and finite, got 0.0",
        ),
        (broken(interval=lambda self, domain: None), r"interval\(\) must return seconds .* got None"),
        (
            broken(next_frequency=lambda self, domain: domain.load),
            r"failed in next_frequency\(\) on 'cpu' \(test_governors_registry.py:\d+\): AttributeError",
        ),
        (
            broken(next_frequency=lambda self, domain: 1 / domain.loads[0]),
            "failed in next_frequency.*ZeroDivisionError",
        ),
        (Relative, "relation must be one of at_least, at_most, closest, got 'above'"),
        (
            Shared,
            r"'Shared' on a \w+ domain, call \d+: one object wants .* Hz, another one that saw the same wants",
        ),
    ],
)
def test_broken_governors_are_caught(governor, complaint):
    with pytest.raises(SimulationError, match=complaint):
        check_governor(governor)


def test_governors_that_cannot_be_made_are_not_checked():
    with pytest.raises(UnknownNameError):
        check_governor("ondemnd")


# --- command line -------------------------------------------------------------------------------------------


def test_governors_are_listed_with_what_they_do(cli):
    rows = json.loads(cli("list", "governors", "--json")[1])
    assert [row["name"] for row in rows][: len(BUILT_IN)] == list(BUILT_IN)
    assert all(row["description"] for row in rows)
    code, out, err = cli("list", "governors")
    assert (code, err) == (0, "")
    assert cells(out)[0] == ["name", "what it does"]
    assert ["performance", "The highest clock that is allowed."] in cells(out)


def test_broken_governors_are_listed_as_such(cli, monkeypatch):
    monkeypatch.setattr("socsim.schedulers.governors.registry.GOVERNORS.broken", lambda: {"ondemand": "torn"})
    assert "ondemand         (unusable: torn)" in cli("list", "governors")[1]
    rows = json.loads(cli("list", "governors", "--json")[1])
    assert [row for row in rows if "fault" in row] == [
        {"name": "ondemand", "description": "", "fault": "torn"}
    ]


def test_a_governor_is_shown(cli):
    code, out, err = cli("show", "governor", "interactive")
    assert (code, err) == (0, "")
    assert out.startswith("Jumps to a high clock under load")
    assert "class:        socsim.schedulers.governors.interactive:Interactive" in out
    assert "is asked:     after its period" in out
    assert "min_sample_time=0.03" in out and "period='20 ms'" in out


def test_a_governor_as_json(cli):
    shown = json.loads(cli("show", "governor", "simple_ondemand(driver=msm)", "--json")[1])
    description = shown.pop("description")
    assert description.startswith("Highest clock above a load")
    assert shown == {
        "name": "simple_ondemand(driver=msm)",
        "class": "socsim.schedulers.governors.simple_ondemand:SimpleOndemand",
        "trigger": "timer",
        "kinds": ["gpu", "dsp", "npu", "dram"],
        "options": {"upthreshold": 50.0, "downdifferential": 10.0, "driver": "msm", "period": "50 ms"},
    }


def test_own_governors_are_shown(cli, own):
    shown = json.loads(cli("show", "governor", "own_governors:Mine", "--json")[1])
    assert (shown["options"], shown["description"]) == ({"share": 0.5, "period": 0.01}, "")


def test_unknown_governors_are_refused(cli):
    code, out, err = cli("show", "governor", "ondemnd")
    assert (code, out) == (2, "")
    assert "did you mean 'ondemand'" in err
