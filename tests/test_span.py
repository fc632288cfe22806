"""Applications that come and go; times of the toy phone in s."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from devicekit import app, plain
from test_clocks import phone

import socsim
from socsim.describing import describe
from socsim.errors import UsageError
from socsim.experiments.appspecs import InferenceSpec
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference


def arrivals(*apps: Inference, duration: float | None = None) -> list[float]:
    run = Simulation(phone(), apps, duration=duration)
    run.validate()
    return [r.arrival_s for r in sorted(run.run().inferences, key=lambda r: (r.app, r.number))]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"period": 5.0, "start": 2.0, "stop": 12.0}, [2.0, 7.0]),
        ({"period": 5.0, "start": "2 s", "stop": "12.001 s"}, [2.0, 7.0, 12.0]),
        ({"period": 5.0, "count": 1, "start": 3.0}, [3.0]),
        ({"arrivals": [1.0, 4.0, 9.0], "start": 0.5, "stop": 9.5}, [1.5, 4.5]),
        ({"arrivals": {"period": 4.0, "offset": 1.0}, "start": 1.0, "stop": 7.0}, [2.0, 6.0]),
        ({"start": 1.0, "stop": 9.0}, [1.0, 3.0, 5.0, 7.0]),
        ({"start": 1.0, "stop": 9.1}, [1.0, 3.0, 5.0, 7.0, 9.0]),
        ({"start": 1.0, "count": 2}, [1.0, 3.0]),
        ({"stop": 0.5}, [0.0]),
    ],
)
def test_arrivals_count_from_the_start_and_end_at_the_stop(
    options: dict[str, Any], expected: list[float]
) -> None:
    assert arrivals(app(**{"level": 1, "count": None, **options})) == expected


def test_what_has_arrived_by_the_stop_is_finished() -> None:
    run = Simulation(phone(), [app(level=3, count=None, period=1.0, stop=2.5)])
    assert [r.finish_s for r in run.run().inferences] == [6.0, 12.0, 18.0]


def test_a_stage_after_one_that_stops_ends_too() -> None:
    first = app("first", level=1, count=None, stop=3.0)
    assert arrivals(first, plain("second", after="first", count=None)) == [0.0, 2.0, 2.0, 6.0]


def test_a_stop_makes_a_run_end() -> None:
    assert not app(count=None, period=1.0, stop=2.0).endless
    assert app(count=None, period=1.0, start=2.0).endless


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1.0}, "start must be a time from 0 on, got -1.0"),
        ({"start": True}, "start must be a time from 0 on, got True"),
        ({"start": 2.0, "stop": 2.0}, "it must stop later than it starts, got start 2.0 and stop 2.0"),
        (
            {"start": "3 s", "stop": "2 s"},
            "it must stop later than it starts, got start '3 s' and stop '2 s'",
        ),
        ({"start": inf}, "it must stop later than it starts"),
        ({"after": "first", "start": 1.0}, "begins and ends with that; leave out start and stop"),
        ({"after": "first", "stop": 1.0}, "begins and ends with that; leave out start and stop"),
    ],
)
def test_wrong_times_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        app(**options)


def test_they_are_described_as_files_have_them() -> None:
    described = describe(
        Inference("squeezenet_1.1", period="50 ms", start="1 s", stop=2.5, places=["gpu", "cpu"])
    )
    assert (described["start"], described["stop"], described["places"]) == ("1 s", "2.5 s", ["gpu", "cpu"])
    again = InferenceSpec(**described).application()
    assert (again.start_s, again.stop_s, again.places) == (1.0, 2.5, ["gpu", "cpu"])
    assert describe(Inference("squeezenet_1.1")).keys() & {"start", "stop", "places"} == set()


def test_slow_down_compares_with_one_that_begins_at_once() -> None:
    late = Inference("squeezenet_1.1", "cpu", count=2, period="50 ms", start="1 s")
    assert socsim.simulate("xiaomi-9", [late]).slowdown() == {"squeezenet_1.1": pytest.approx(1.0)}
