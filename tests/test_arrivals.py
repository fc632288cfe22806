"""When inferences arrive: the processes, the words for them, and trace files."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import FileError, SocsimError, UnitError, UsageError
from socsim.workloads.apps import Inference
from socsim.workloads.arrival_spec import make_arrivals, quantity
from socsim.workloads.arrival_trace import read_trace
from socsim.workloads.arrivals import Arrivals, At, Periodic, Poisson, TraceFile


def first(arrivals: Arrivals | None, count: int, seed: int = 1) -> list[float]:
    assert arrivals is not None
    return list(islice(arrivals.times(np.random.default_rng(seed)), count))


# --- processes ------------------------------------------------------------------------------------------------


def test_periodic_arrivals_are_multiples_of_the_period() -> None:
    assert first(Periodic(0.25, 1.0), 4) == [1.0, 1.25, 1.5, 1.75]


def test_periods_do_not_add_up_rounding() -> None:
    assert first(Periodic(0.1), 1001)[-1] == 100.0


def test_jitter_makes_each_late_by_up_to_its_length() -> None:
    times = np.array(first(Periodic(1.0, 0.0, 0.5), 2000))
    late = times - np.arange(2000)
    assert 0.0 <= late.min() < 0.01 and 0.49 < late.max() < 0.5
    assert late.mean() == pytest.approx(0.25, abs=3 * 0.5 / 12**0.5 / 2000**0.5)


def test_poisson_gaps_have_the_mean_and_spread_of_an_exponential() -> None:
    times = first(Poisson(0.02, 3.0), 20_000)
    gaps = np.diff([3.0, *times])
    assert gaps.mean() == pytest.approx(0.02, rel=3 / 20_000**0.5)
    assert gaps.std() == pytest.approx(0.02, rel=0.03)
    assert (gaps > 0.02).mean() == pytest.approx(np.exp(-1), abs=0.01)


@pytest.mark.parametrize("arrivals", [Poisson(0.1), Periodic(0.1, jitter=0.1)])
def test_draws_come_from_the_generator_handed_in(arrivals: Arrivals) -> None:
    assert first(arrivals, 300, seed=4) == first(arrivals, 300, seed=4)
    assert first(arrivals, 300, seed=4) != first(arrivals, 300, seed=5)


@given(st.floats(1e-3, 10.0), st.floats(0.0, 5.0), st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_times_never_decrease(period: float, offset: float, share: float, seed: int) -> None:
    for arrivals in (Periodic(period, offset, share * period), Poisson(period, offset)):
        times = first(arrivals, 600, seed)
        assert times[0] >= offset
        assert all(a <= b + 1e-12 for a, b in pairwise(times))


def test_given_times() -> None:
    assert first(At([0.0, 0.5, 0.5, 2.0]), 9) == [0.0, 0.5, 0.5, 2.0]
    assert [a.endless for a in (At([1.0]), TraceFile("x.csv"), Periodic(1.0), Poisson(1.0))] == [
        False, False, True, True
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Periodic(0.0), "period must be positive, got 0 s"),
        (lambda: Periodic(float("inf")), "period must be positive, got inf s"),
        (lambda: Periodic(float("nan")), "period must be positive, got nan s"),
        (lambda: Periodic(1.0, -1.0), "offset must not be negative, got -1 s"),
        (lambda: Periodic(1.0, 0.0, -0.1), "jitter must not be negative, got -0.1 s"),
        (lambda: Periodic(1.0, 0.0, 1.5), "jitter must be at most the period 1 s, got 1.5 s"),
        (lambda: Poisson(-2.0), "period must be positive, got -2 s"),
        (lambda: Poisson(1.0, float("nan")), "offset must not be negative, got nan s"),
        (lambda: At([]), "a list of arrival times needs at least one time, got none"),
        (lambda: At([0.0, -1.0]), "arrival times must be finite and not negative, got -1 s at position 1"),
        (
            lambda: At([float("nan")]),
            "arrival times must be finite and not negative, got nan s at position 0",
        ),
        (lambda: At([2.0, 1.0]), "arrival times must not decrease, got 1 s at position 1"),
    ],
)
def test_values_outside_their_rule(make, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert str(caught.value) == sentence


# --- words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "period", "expected"),
    [
        (None, None, None),
        (None, 0.033, Periodic(0.033)),
        ("periodic", 0.033, Periodic(0.033)),
        ("poisson", 0.05, Poisson(0.05)),
        ({"kind": "poisson", "period": "50 ms"}, None, Poisson(0.05)),
        ({"kind": "poisson", "rate": "20 /s"}, None, Poisson(0.05)),
        ({"kind": "poisson", "rate": 20}, None, Poisson(0.05)),
        ({"rate": "20 fps", "jitter": "2 ms"}, None, Periodic(0.05, 0.0, 0.002)),
        ({"jitter": "2 ms", "offset": 1}, 0.05, Periodic(0.05, 1.0, 0.002)),
        ({"kind": "poisson", "offset": "1 s"}, 0.05, Poisson(0.05, 1.0)),
        ("camera.csv", None, TraceFile("camera.csv")),
        (Path("traces/camera"), None, TraceFile("traces/camera")),
        ({"kind": "trace", "file": "camera.txt"}, None, TraceFile("camera.txt")),
        ([0, "20 ms", 0.5], None, At((0.0, 0.02, 0.5))),
        (np.array([0.0, 1.5]), None, At((0.0, 1.5))),
        ({"kind": "times", "at": ["1 s", "2 s"]}, None, At((1.0, 2.0))),
        ("back_to_back", None, None),
        (Poisson(1.0), None, Poisson(1.0)),
    ],
)
def test_what_users_write(spec, period, expected) -> None:
    assert make_arrivals(spec, period) == expected


@pytest.mark.parametrize(
    ("spec", "period", "sentence"),
    [
        ("poison", 0.1, "unknown kind of arrivals 'poison'; did you mean 'poisson'?"),
        (
            {"kind": "burst"},
            None,
            "unknown kind of arrivals 'burst'; known: periodic, poisson, trace, times, ",
        ),
        ({"kind": 3}, None, "unknown kind of arrivals 3; known: "),
        ({"perod": "1 s"}, None, "arrivals of kind 'periodic' have no 'perod'; did you mean 'period'?"),
        (
            {"kind": "poisson", "jitter": "1 ms"},
            1.0,
            "arrivals of kind 'poisson' have no 'jitter'; known: period, rate",
        ),
        (
            "poisson",
            None,
            "arrivals of kind 'poisson' need one period or one rate, such as '33 ms', got none",
        ),
        (
            {"period": "1 s"},
            1.0,
            "arrivals of kind 'periodic' need one period or one rate, such as '33 ms', got more",
        ),
        (
            {"kind": "poisson", "period": "1 s", "rate": "1 /s"},
            None,
            "arrivals of kind 'poisson' need one period or",
        ),
        ({"kind": "poisson", "rate": 0}, None, "rate must be positive, got 0 /s"),
        ({"kind": "poisson", "rate": "20 ms"}, None, "rate: '20 ms' is a time, expected a rate"),
        ({"period": "1"}, None, "period: '1' has no unit; a time needs one of"),
        ({"period": True}, None, "period must be a time, got True"),
        ({"period": [1]}, None, "period must be a time, got [1]"),
        ([0, "x"], None, "arrival time: 'x' is no time"),
        ([0, None], None, "arrival time must be a time, got None"),
        (5, None, "arrival times must be a list, got 5"),
        ({"kind": "times", "at": "1 s"}, None, "arrival times must be a list, got '1 s'"),
        ({"kind": "trace"}, None, "arrivals of kind 'trace' need a file, got None"),
        ("camera.csv", 0.5, "arrivals of kind 'trace' have their own times; leave the period out, got 0.5 s"),
        ("back_to_back", 0.5, "arrivals of kind 'back_to_back' have their own times; leave the period out"),
        (Poisson(1.0), 0.5, "arrivals of your own have their own times; leave the period out, got 0.5 s"),
    ],
)
def test_words_that_are_refused(spec, period, sentence: str) -> None:
    with pytest.raises((UsageError, UnitError)) as caught:
        make_arrivals(spec, period)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"period": 1}, "period: the value 1 has no unit"),
        ({"kind": "poisson", "rate": 20}, "rate: the value 20 has no unit"),
        ([0, 1], "arrival time: the value 0 has no unit"),
    ],
)
def test_files_need_units(spec, sentence: str) -> None:
    with pytest.raises(UnitError) as caught:
        make_arrivals(spec, units=True)
    assert str(caught.value).startswith(sentence)


def test_quantities_of_other_dimensions() -> None:
    assert quantity("3 %", "share", "ratio") == pytest.approx(0.03)
    assert quantity(np.float64(2.0), "time") == 2.0


@pytest.mark.parametrize(
    ("arrivals", "said"),
    [
        (Periodic(0.033), {"kind": "periodic", "period": "0.033 s"}),
        (
            Periodic(0.5, 1.0, 0.25),
            {"kind": "periodic", "period": "0.5 s", "offset": "1 s", "jitter": "0.25 s"},
        ),
        (Poisson(0.5), {"kind": "poisson", "period": "0.5 s"}),
        (Poisson(0.5, 2.0), {"kind": "poisson", "period": "0.5 s", "offset": "2 s"}),
        (At((0.0, 0.1)), ["0.0 s", "0.1 s"]),
        (TraceFile("camera.csv"), {"kind": "trace", "file": "camera.csv"}),
    ],
)
def test_what_is_described_is_read_again(arrivals: Arrivals, said) -> None:
    assert arrivals.describe() == said
    assert make_arrivals(said, units=True) == arrivals


def test_arrivals_of_your_own_are_described_by_name() -> None:
    class Burst(Arrivals):
        def times(self, rng):
            return iter([0.0] * 3)

    assert (
        Burst().describe()["kind"].endswith(":test_arrivals_of_your_own_are_described_by_name.<locals>.Burst")
    )


# --- trace files ----------------------------------------------------------------------------------------------


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "camera.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("arrival_ms\n0\n33.5\n33.5\n70\n", (0.0, 0.0335, 0.0335, 0.07)),
        ("frame,arrival_us,label\n1,100,a\n2,2500,b\n", (1e-4, 2.5e-3)),
        ("arrival_s\r\n1.5\r\n\r\n2e0\r\n", (1.5, 2.0)),
        ("\ufeffarrival_ns\n5\n", (5e-9,)),
        ('"note, quoted", arrival_s\n"a,b", 3\n', (3.0,)),
    ],
)
def test_times_of_a_file(tmp_path: Path, text: str, times: tuple[float, ...]) -> None:
    assert read_trace(written(tmp_path, text)) == pytest.approx(times)
    assert first(TraceFile(str(tmp_path / "camera.csv")), 9) == pytest.approx(times)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "camera.csv: needs one column arrival_s, arrival_ms, arrival_us, arrival_ns with the times; the file is",
        ),
        ("time,x\n1,2\n", "camera.csv:1:1: needs one column arrival_s, "),
        ("arrival_s,arrival_ms\n1,2\n", "camera.csv:1:1: needs one column arrival_s, "),
        ("arrival_s\n", "camera.csv: has no arrivals below its header"),
        ("arrival_s\n1\nx\n", "camera.csv:3:1: an arrival time must be a number, got 'x'"),
        ("n,arrival_s\n1,1\n2\n", "camera.csv:3:2: an arrival time must be a number, got ''"),
        ("arrival_s\n-1\n", "camera.csv:2:1: an arrival time must be finite and not negative, got '-1'"),
        ("arrival_s\nnan\n", "camera.csv:2:1: an arrival time must be finite and not negative, got 'nan'"),
        ("arrival_ms\n20\n10\n", "camera.csv:3:1: arrival times must not decrease, got '10' after 20"),
    ],
)
def test_faults_of_a_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        read_trace(written(tmp_path, text))
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)


def test_all_bad_rows_are_told_in_one_pass(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_trace(written(tmp_path, "arrival_s\nx\n1\n-2\n0.5\n2\n"))
    assert [fault.line for fault in caught.value.faults] == [2, 4, 5]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read: No such file"):
        read_trace(tmp_path / "nowhere.csv")
    (tmp_path / "bytes.csv").write_bytes(b"arrival_s\n\xff\n")
    with pytest.raises(FileError, match="is no CSV file"):
        read_trace(tmp_path / "bytes.csv")


# --- applications ---------------------------------------------------------------------------------------------


def test_an_application_has_its_arrivals() -> None:
    assert Inference("m").source is None
    assert Inference("m", period="33 ms").source == Periodic(0.033)
    assert Inference("m", period="50 ms", arrivals="poisson").source == Poisson(0.05)
    assert Inference("m", period="50 ms", arrivals={"jitter": "5 ms"}).source == Periodic(0.05, 0.0, 0.005)


def test_a_file_is_not_read_before_the_run() -> None:
    assert Inference("m", arrivals="nowhere.csv").source == TraceFile("nowhere.csv")


@pytest.mark.parametrize(
    ("options", "endless"),
    [
        ({}, True),
        ({"count": 3}, False),
        ({"period": 1.0}, True),
        ({"arrivals": "poisson", "period": 1.0}, True),
        ({"arrivals": [1.0]}, False),
        ({"arrivals": "a.csv"}, False),
        ({"after": "other"}, False),
    ],
)
def test_which_applications_end_by_themselves(options, endless: bool) -> None:
    assert Inference("m", **options).endless is endless


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"queue": "lates"}, "unknown queue 'lates'; did you mean 'latest'?"),
        ({"queue": 3}, "unknown queue 3; known: queue, latest, skip"),
        ({"queue_limit": 0}, "queue_limit must be positive, got 0"),
        ({"queue_limit": 2.5}, "queue_limit must be a whole number, got 2.5"),
        ({"queue_limit": True}, "queue_limit must be a number, got True"),
        ({"queue": "skip", "queue_limit": 2}, "queue_limit is for queue 'queue'; 'skip' has its own"),
        ({"concurrency": 0}, "concurrency must be positive, got 0"),
        ({"concurrency": "two"}, "concurrency must be a number, got 'two'"),
        ({"priority": "high"}, "priority must be a number, got 'high'"),
        ({"priority": float("nan")}, "priority must be a number, got nan"),
        ({"nice": 20}, "nice must be a whole number from -20 to 19, got 20"),
        ({"nice": 0.5}, "nice must be a whole number from -20 to 19, got 0.5"),
        (
            {"after": "a", "period": 1.0},
            "an application after another has its arrivals from there; leave out",
        ),
        (
            {"after": "a", "arrivals": [1.0]},
            "an application after another has its arrivals from there; leave out",
        ),
        ({"arrivals": "poison"}, "unknown kind of arrivals 'poison'; did you mean 'poisson'?"),
        ({"after": {"app": "a", "delay": -1.0}}, "delay must not be negative, got -1 s"),
    ],
)
def test_faults_of_an_application_name_it(options, sentence: str) -> None:
    with pytest.raises(SocsimError) as caught:
        Inference("m", name="camera", **options)
    assert str(caught.value).startswith(f"inference 'camera': {sentence}")
