"""Settings that managers are told beforehand: checked before any run, with units, and with one end of a range."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest
from clikit import Cli

import socsim
from socsim.errors import UsageError
from socsim.schedulers.governors.registry import GOVERNORS, make_governor
from socsim.schedulers.managers import make_manager
from socsim.schedulers.managers.device import Range
from socsim.schedulers.managers.hierarchical import Hierarchical
from socsim.schedulers.managers.pinned import Pinned
from socsim.schedulers.managers.registry import MANAGERS
from socsim.schedulers.reuse.policies import LayerReuse
from socsim.schedulers.reuse.registry import REUSE, make_reuse

TEXT = """\
device: jetson-xavier-nx
duration: 300 ms
manager: {manager}
apps:
- {{kind: inference, name: net, model: dynamic_ofa@1, library: pytorch_eager, scheduler: gpu, period: 100 ms}}
"""


@pytest.fixture
def checked(cli: Cli, tmp_path: Path) -> Callable[[str], str]:
    """What ``socsim check`` says of an experiment with a manager, without the file's name."""

    def check(manager: str) -> str:
        path = tmp_path / "own.yaml"
        path.write_text(TEXT.format(manager=manager))
        code, out, err = cli("check", str(path))
        assert code == (2 if err else 0)
        return (out + err).replace(f"{path}:", "").strip()

    return check


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        ("{name: hierarchical, rail: vdd_ni}", "rail must be a rail or meter of the device, got 'vdd_ni'"),
        ("{name: oracle, rail: vdd_ni}", "rail must be a rail or meter of the device, got 'vdd_ni'"),
        ("{name: pinned, levels: {net: 2}}", "'net' has one network, whose level is 1, got 2"),
        ("{name: pinned, levels: {nat: 1}}", "unknown managed application 'nat'; did you mean 'net'?"),
        ("{name: pinned, places: {net: gpo}}", "'net' cannot run on 'gpo'; did you mean 'gpu'?"),
        ("{name: pinned, clocks: {gpo: 510 MHz}}", "unknown clock domain 'gpo'; did you mean 'gpu'?"),
        ("{name: pinned, clocks: {gpu: {max: 77 MHz}}}", "must be from 114.75 MHz to 1109.25 MHz, got 77 MHz"),
        ("{name: pinned, settings: [{at: 1 h, clocks: {gpu: 2 GHz}}]}", "got 2000 MHz; the nearest is 1109.25 MHz"),
        ("{name: hierarchical, period: 50}", "period: the value 50 has no unit; a time needs one of s, ms,"),
    ],
)  # fmt: skip
def test_check_tells_what_the_device_or_its_applications_do_not_have(
    checked: Callable[[str], str], manager: str, said: str
) -> None:
    found = checked(manager)
    assert found.startswith("3:10: manager: manager ")
    assert said in found


@pytest.mark.parametrize(
    "manager",
    ["hierarchical(rail=vdd_in, period=50 ms)", "oracle", "{name: pinned, clocks: {gpu: {min: 510 MHz}}}"],
)
def test_what_fits_is_sound(checked: Callable[[str], str], manager: str) -> None:
    assert checked(manager) == "experiment, 1 application on jetson-xavier-nx"


def test_other_faults_are_not_told_twice(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT.format(manager="hierarchical").replace("pytorch_eager", "pytorch_aeger"))
    err = cli("check", str(path))[2]
    assert err.count("\n") == 1 and "apps.0.library" in err


def test_a_run_tells_before_it_begins() -> None:
    """Not after the half second that it holds from."""
    app = socsim.Inference("dynamic_ofa@1", "gpu", library="pytorch_eager", count=1, name="net")
    late = Pinned(settings=[{"at": "0.5 s", "places": {"net": "dsp"}}])
    with pytest.raises(UsageError, match="manager 'pinned': 'net' cannot run on 'dsp'"):
        socsim.simulate("jetson-xavier-nx", [app], manager=late)


# --- one end of a range -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "range_"),
    [
        ({"min": "510 MHz"}, Range(510e6, inf)),
        ({"max": "510 MHz"}, Range(0.0, 510e6)),
        ({"min": "204 MHz", "max": 510e6}, Range(204e6, 510e6)),
    ],
)
def test_ends_of_a_range(given: dict[str, Any], range_: Range) -> None:
    (setting,) = Pinned(clocks={"gpu": given}).foreseen(None)  # type: ignore[arg-type]
    assert setting.clocks == {"gpu": range_}


@pytest.mark.parametrize(
    ("given", "clock"), [({"min": "510 MHz"}, 510.0), ({"max": "510 MHz"}, 114.75), ("510 MHz", 510.0)]
)
def test_a_missing_end_is_the_domain_s_own(given: Any, clock: float) -> None:
    """The GPU under a governor for the least: it stops at the lower end."""
    app = socsim.Inference("dynamic_ofa@1", "gpu", library="pytorch_eager", count=1, name="net")
    result = socsim.simulate(
        "jetson-xavier-nx", [app], manager=Pinned(clocks={"gpu": given}), governors={"gpu": "powersave"}
    )
    assert result.outcome.frequencies["gpu"] == pytest.approx(clock * 1e6)


@pytest.mark.parametrize("given", [{}, {"least": "510 MHz"}, {"min": "510 MHz", "mean": "600 MHz"}])
def test_a_range_has_no_other_keys(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"clocks\.gpu has the keys min and max, or one of them, got"):
        Pinned(clocks={"gpu": given})


# --- times without units ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        ("hierarchical(period=50)", "period"),
        ("hierarchical(horizon=10)", "horizon"),
        ({"name": "hierarchical", "review": 0.5}, "review"),
        ("oracle(settle=1)", "settle"),
        ("pinned(period=1)", "period"),
        ("latency_window(target=60)", "target"),
    ],
)
def test_a_time_that_is_written_needs_a_unit(spec: Any, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_manager(spec)
    assert f": {option}: the value" in str(caught.value) and "has no unit; a time needs one of" in str(
        caught.value
    )


def test_times_of_governors_too() -> None:
    said = "governor 'ondemand': period: the value 10 has no unit; a time needs one of s, ms,.* such as 10 ms"
    with pytest.raises(UsageError, match=said):
        make_governor("ondemand(period=10)")
    with pytest.raises(UsageError, match="min_sample_time: the value 30 has no unit"):
        make_governor("interactive(min_sample_time=30)")
    assert make_governor("interactive(min_sample_time=0)").title == "interactive(min_sample_time=0)"


def test_numbers_of_objects_are_seconds_and_are_written_with_them() -> None:
    """What is written can be read again."""
    own = Hierarchical(period=0.05, review=2.0)
    assert MANAGERS.describe(own)["period"] == "0.05 s"
    assert MANAGERS.write(own) == "hierarchical(period=0.05 s, review=2.0 s)"
    again = make_manager(MANAGERS.describe(own))
    assert isinstance(again, Hierarchical) and (again.period, again.review) == ("0.05 s", "2.0 s")
    governor = make_governor("ondemand(period=20 ms)")
    governor.period = 0.03
    assert GOVERNORS.describe(governor)["period"] == "0.03 s"


def test_times_of_policies_of_reuse_too() -> None:
    with pytest.raises(UsageError, match="reuse policy 'layer': boundary: the value 10 has no unit; a time"):
        make_reuse("layer(boundary=10)")
    assert make_reuse("layer(boundary=0)").boundary == 0.0
    own = LayerReuse(boundary=2e-5)
    assert REUSE.describe(own)["boundary"] == "2e-05 s"
    assert make_reuse(REUSE.describe(own)).boundary == 2e-5


def test_managers_are_listed_with_what_they_manage(cli: Cli) -> None:
    lines = cli("list", "managers")[1].splitlines()
    assert lines[0].split() == ["name", "for", "what", "it", "does"]
    kinds = {line.split()[0]: line.split()[1:3] for line in lines if line and line[0] != " "}
    assert kinds["fixed"] == kinds["latency_window"] == ["one", "application"]
    assert kinds["pinned"] == kinds["oracle"] == kinds["hierarchical"] == ["a", "whole"]
