"""What a sweep block can say beside lists: ranges, zipped lists, samples, exclusions; and short keys."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import FileError, UsageError
from socsim.results.inputs import input_hashes, located
from socsim.sweeps import load_sweep
from socsim.sweeps.axes import Setting
from socsim.sweeps.block import make_axes
from socsim.sweeps.exclusion import make_exclusions
from socsim.sweeps.grid import Grid
from socsim.sweeps.ranges import read_range
from socsim.sweeps.shorthand import full_key, split_values, swept_values
from socsim.sweeps.tables import point_title
from socsim.yamlfile import RelativeFaults

CONFIG = {
    "device": "xiaomi-9",
    "apps": [
        {"kind": "inference", "name": "net", "model": "squeezenet_1.1"},
        {"kind": "competitor", "name": "busy"},
        {"kind": "competitor", "name": "busy"},
        {"kind": "video", "name": "a.film"},
    ],
}
TEXT = """\
device: xiaomi-9
apps:
  - {kind: inference, name: net, model: squeezenet_1.1, scheduler: cpu, count: 1}
  - {kind: competitor, name: busy, threads: 4, duty: 0.9}
"""


def faults(block) -> list[tuple]:
    with pytest.raises(RelativeFaults) as caught:
        make_axes(block)
    return list(caught.value.faults)


# --- ranges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "labels", "values"),
    [
        ("0..9 by 3", "k", [0, 3, 6, 9], [0, 3, 6, 9]),
        ("0..10 by 3", "k", [0, 3, 6, 9], [0, 3, 6, 9]),
        ("0.1..0.5 by 0.1", "k", [0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("10 ms..30 ms by 10 ms", "k_ms", [10.0, 20.0, 30.0], ["10 ms", "20 ms", "30 ms"]),
        ("10..30 ms by 10", "k_ms", [10.0, 20.0, 30.0], ["10 ms", "20 ms", "30 ms"]),
        ("1 GB/s..2 GB/s in 3", "k_gb_s", [1.0, 1.5, 2.0], ["1 GB/s", "1.5 GB/s", "2 GB/s"]),
        ("1..64 in 4 log", "k", [1, 4, 16, 64], [1, 4, 16, 64]),
        ("1 ms..100 ms in 3 log", "k_ms", [1.0, 10.0, 100.0], ["1 ms", "10 ms", "100 ms"]),
        ("0..1 in 5", "k", [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("3..9 in 1", "k", [3], [3]),
        ("10 %..30 % by 10 %", "k_percent", [10.0, 20.0, 30.0], ["10 %", "20 %", "30 %"]),
        ("-1..1 by 1", "k", [-1, 0, 1], [-1, 0, 1]),
    ],
)
def test_ranges_with_steps(text: str, column: str, labels: list, values: list) -> None:
    (axis,) = make_axes({"k": text})
    assert (axis.columns, list(axis.labels), axis.written) == ((column,), labels, text)
    assert [axis.settings(i)[0] for i in range(len(axis))] == [
        Setting("k", value, ("k",)) for value in values
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9 ms..1 ms by 1 ms", "the range 9 ms..1 ms runs backwards; write 1 ms..9 ms"),
        ("1 ms..1 s in 3", "the range '1 ms..1 s in 3' is in ms and s; write all of it in one unit"),
        ("1 mss..3 mss by 1", "the range '1 mss..3 mss by 1' has an unknown unit 'mss'"),
        ("1..9 by 2 log", "the range '1..9 by 2 log': a step is above 0, and with 'by' there is neither"),
        ("1..9 by 2 in 3", "the range '1..9 by 2 in 3': a step is above 0"),
        ("0..2000000 by 1", "the range has 2000001 values; at most 1000000 are taken"),
        ("0..1 in 1000001", "the range has 1000001 values; at most 1000000 are taken"),
        ("1..3 by 0", "the range '1..3 by 0': a step is above 0, and with 'by' there is neither 'in' nor 'log'"),
        ("1..3 by 1 in 3", "the range '1..3 by 1 in 3': a step is above 0"),
        ("0..3 in 2 log", "the range '0..3 in 2 log': equal factors need a lower end above 0"),
        ("1..3 in 0", "the range '1..3 in 0' has 0 values; write at least 1"),
        ("0..1.5", "should be a list, a range such as 0..9, or a mapping of named variants, got '0..1.5'; a range is "
         "of whole numbers, such as 0..9, or says its steps: 0..1 by 0.25, 1 ms..9 ms in 5"),
        ("1 ms..2 ms", "should be a list, a range such as 0..9"),
    ],
)  # fmt: skip
def test_wrong_ranges(text: str, message: str) -> None:
    ((place, told),) = faults({"k": text})
    assert (place, told[: len(message)]) == (("k",), message)


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(1, 50))
def test_steps_never_miss(low: int, width: int, step: int) -> None:
    found = read_range(f"{low / 10}..{(low + width) / 10} by {step / 10}")
    assert found is not None
    assert found.numbers() == pytest.approx([v / 10 for v in range(low, low + width + 1, step)])


def test_texts_that_are_no_ranges() -> None:
    assert [read_range(text) for text in ("cpu", "../x.yaml", "1..", "a..b", "")] == [None] * 5


# --- zipped lists ---------------------------------------------------------------------------------------------


def test_zipped_lists_go_side_by_side() -> None:
    (axis,) = make_axes({"zip": {"apps.net.model": ["a", "b"], "apps.net.period": "10 ms..20 ms by 10 ms"}})
    assert (axis.name, axis.columns, len(axis)) == ("zip", ("apps.net.model", "apps.net.period_ms"), 2)
    assert [axis.row(i) for i in range(2)] == [("a", 10.0), ("b", 20.0)]
    assert axis.settings(1) == (
        Setting("apps.net.model", "b", ("zip", "apps.net.model", 1)),
        Setting("apps.net.period", "20 ms", ("zip", "apps.net.period", 1)),
    )
    assert axis.keys == {key: ("zip", key) for key in ("apps.net.model", "apps.net.period")}


def test_several_zips_are_axes_each_and_values_may_repeat() -> None:
    axes = make_axes({"zip": [{"a": [1, 1, 2], "b": "0..2"}, {"c": range(2)}]})
    assert [(axis.name, axis.columns) for axis in axes] == [("zip.0", ("a", "b")), ("zip.1", ("c",))]
    assert [point.labels for point in Grid(axes)] == [
        (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1), (2, 2, 0), (2, 2, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("empty", [None, {}, []])
def test_an_empty_zip_or_sample_is_none(empty) -> None:
    assert make_axes({"zip": empty, "sample": empty}) == ()


@pytest.mark.parametrize(
    ("block", "place", "message"),
    [
        (3, (), "zip is a mapping of keys and lists of one length, got 3"),
        ([3], (0,), "zip is a mapping of keys and lists of one length, got 3"),
        ([{}], (0,), "needs at least one key"),
        (
            {"a": [1, 2], "b": [1]},
            ("b",),
            "has 1 value, and 'a' has 2; zipped lists are as long as each other",
        ),
        ({"a": 3}, ("a",), "should be a list or a range such as 0..9, got 3"),
        ({"a": []}, ("a",), "should be a list or a range such as 0..9, got []"),
        ({"a": "5..3"}, ("a",), "the range 5..3 runs backwards; write 3..5"),
    ],
)
def test_wrong_zips(block, place, message) -> None:
    ((found, told),) = faults({"zip": block})
    assert (found, told[: len(message)]) == (("zip", *place), message)


# --- samples --------------------------------------------------------------------------------------------------


def sample(**block):
    (axis,) = make_axes({"sample": block})
    return axis


def test_samples_are_the_same_every_time_and_differ_by_seed() -> None:
    over = {"a": "0..9", "b": "10 ms..20 ms"}
    one, same, other = (sample(points=5, over=over, seed=seed) for seed in (1, 1, 2))
    assert one.rows == same.rows != other.rows
    assert one.columns == ("a", "b_ms")
    assert sample(points=5, over=over).rows == sample(points=5, over=over, seed=0).rows
    first = one.settings(0)
    assert [(s.key, s.place) for s in first] == [
        ("a", ("sample", "over", "a")),
        ("b", ("sample", "over", "b")),
    ]
    assert first[1].value == f"{one.row(0)[1]:.15g} ms"


@given(points=st.integers(1, 40), seed=st.integers(0, 1000))
def test_a_latin_hypercube_has_one_point_in_each_part_of_each_range(points: int, seed: int) -> None:
    axis = sample(points=points, seed=seed, over={"x": "0.0..1.0", "y": "1 ms..2 ms", "kind": ["a", "b"]})
    for column, low in ((0, 0.0), (1, 1.0)):
        parts = sorted(int((row[column] - low) * points * (1 - 1e-9)) for row in axis.rows)
        assert all(abs(part - i) <= 1 for i, part in enumerate(parts))  # rounded to six digits
    counts = Counter(row[2] for row in axis.rows)
    assert abs(counts["a"] - counts["b"]) <= 1


@given(points=st.integers(1, 60), method=st.sampled_from(["random", "latin_hypercube"]))
def test_samples_stay_in_their_ranges(points: int, method: str) -> None:
    over = {"n": "1..6", "x": "0.5..2", "l": "1..1000 log", "s": "0..10 by 5", "c": ["p", "q", "r"]}
    rows = sample(points=points, method=method, over=over).rows
    assert len(rows) == points
    for n, x, factor, step, choice in rows:
        assert (
            n in range(1, 7)
            and 0.5 <= x <= 2
            and 1 <= factor <= 1000
            and step in (0, 5, 10)
            and choice in "pqr"
        )
        assert isinstance(n, int) and isinstance(factor, int)


def test_equal_factors_are_as_likely() -> None:
    rows = sample(points=300, over={"x": "1 ms..1000 ms log"}).rows
    assert [sum(10**i <= x < 10 ** (i + 1) for (x,) in rows) for i in range(3)] == pytest.approx(
        [100] * 3, abs=2
    )


@pytest.mark.parametrize(
    ("block", "place", "message"),
    [
        (3, (), "sample is a mapping such as {points: 20, over: {seed: 0..99}}, got 3"),
        ({"point": 3}, ("point",), "unknown key; did you mean 'points'?"),
        ({"points": 0, "over": {"a": "0..1"}}, ("points",), "points should be a whole number from 1, got 0"),
        ({"over": {"a": "0..1"}}, (), "points should be a whole number from 1, got None"),
        ({"points": 3, "seed": -1, "over": {"a": "0..1"}}, ("seed",), "seed should be a whole number from 0, got -1"),
        ({"points": 3, "method": "sobol", "over": {"a": "0..1"}}, ("method",), "should be one of latin_hypercube,"),
        ({"points": 3}, (), "over is a mapping of keys and ranges or lists, got None"),
        ({"points": 3, "over": {"a": "cpu"}}, ("over", "a"), "should be a range such as 10 ms..50 ms, or a list"),
        ({"points": 3, "over": {"a": "0..1 log"}}, ("over", "a"), "the range '0..1 log': equal factors need"),
    ],
)  # fmt: skip
def test_wrong_samples(block, place, message) -> None:
    ((found, told),) = faults({"sample": block})
    assert (found, told[: len(message)]) == (("sample", *place), message)


# --- exclusions -----------------------------------------------------------------------------------------------


def kept(block, *exclude) -> list[tuple]:
    axes = make_axes(block)
    columns = {column: i for i, column in enumerate(c for axis in axes for c in axis.columns)}
    return [point.labels for point in Grid(axes, make_exclusions(list(exclude), columns))]


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ({"s": "cpu"}, [("gpu", n) for n in range(4)]),
        ({"s": "cpu", "n": 3}, [("cpu", 0), ("cpu", 1), ("cpu", 2), *(("gpu", n) for n in range(4))]),
        ({"n": "> 1"}, [(s, n) for s in ("cpu", "gpu") for n in (0, 1)]),
        ({"n": ["< 1", 3]}, [(s, n) for s in ("cpu", "gpu") for n in (1, 2)]),
        ({"n": [1, 2, 3], "s": "!= cpu"}, [("cpu", n) for n in range(4)] + [("gpu", 0)]),
        ({"s": "== gpu"}, [("cpu", n) for n in range(4)]),
        ({"s": "> 3"}, [(s, n) for s in ("cpu", "gpu") for n in range(4)]),
        ({"n": "3"}, [(s, n) for s in ("cpu", "gpu") for n in (0, 1, 2)]),
    ],
)
def test_points_are_left_out_where_all_of_a_condition_holds(condition, left) -> None:
    assert kept({"s": ["cpu", "gpu"], "n": "0..3"}, condition) == left


def test_any_of_several_conditions_leaves_a_point_out() -> None:
    left = kept({"s": ["cpu", "gpu"], "n": "0..1"}, {"s": "cpu", "n": 0}, {"s": "gpu", "n": 1})
    assert left == [("cpu", 1), ("gpu", 0)]


def test_quantities_are_compared_whatever_their_unit() -> None:
    assert kept({"period": ["500 us", "16 ms", "1 s"]}, {"period": ">= 16 ms"}) == [("500 us",)]
    assert kept({"period": ["500 us", "0.5 ms"]}, {"period": "< 1 ms"}) == []
    assert kept({"x": [0.1, 0.5]}, {"x": "<= 20 %"}) == [(0.5,)]


def test_numbers_of_points_have_no_gaps() -> None:
    grid = Grid(make_axes({"n": "0..9"}), make_exclusions({"n": "< 5"}, {"n": 0}))
    assert ([point.number for point in grid], len(grid), grid[-1].labels) == (list(range(5)), 5, (9,))


@pytest.mark.parametrize(
    ("block", "place", "message"),
    [
        ("cpu", (), "exclude is a mapping of swept keys and values, or a list of them, got 'cpu'"),
        ([{}], (0,), "exclude is a mapping of swept keys"),
        ({"sed": 1}, ("sed",), "'sed' is not swept; did you mean 'seed'?"),
        ([{"seed": 1}, {"other": 1}], (1, "other"), "'other' is not swept; swept: seed"),
    ],
)
def test_wrong_exclusions(block, place, message) -> None:
    with pytest.raises(RelativeFaults) as caught:
        make_exclusions(block, {"seed": 0})
    ((found, told),) = caught.value.faults
    assert (found, told[: len(message)]) == (place, message)


# --- in files -------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(sweep: str) -> str:
    Path("s.yaml").write_text(f"{TEXT}sweep:\n{sweep}")
    return "s.yaml"


def told(*args, **options) -> str:
    with pytest.raises((FileError, UsageError)) as caught:
        load_sweep(*args, **options)
    return str(caught.value)


ALL = """\
  zip: {apps.net.model: [squeezenet_1.1, mobilenet_v1], apps.net.period: [30 ms, 60 ms]}
  sample: {points: 2, over: {apps.busy.duty: 0.1..0.9, apps.busy.period: 10 ms..100 ms}}
  seed: 0..1
  exclude:
    - {seed: 1, net.model: mobilenet_v1}
    - {apps.busy.duty: "> 2"}
"""


def test_all_of_it_in_one_file(here: Path) -> None:
    sweep = load_sweep(written(ALL))
    assert sweep.columns == ("net.model", "period", "duty", "period_ms", "seed")
    assert len(sweep) == 6
    apps = [sweep.experiment(i).apps for i in range(6)]
    assert [a[0].period for a in apps] == [0.03] * 4 + [0.06] * 2
    assert [a[1].duty for a in apps] == [sweep.grid[i].labels[2] for i in range(6)]
    assert sweep.seeds == [0, 1]
    assert point_title(sweep, 4).startswith("net.model=mobilenet_v1, period=60 ms, duty=")


def test_what_is_written_is_the_same_sweep(here: Path) -> None:
    import yaml

    sweep = load_sweep(
        written(ALL.replace("  zip: {", "  zip: [{").replace("60 ms]}", "60 ms]}, {heat: [false, true]}]"))
    )
    Path("again.yaml").write_text(yaml.safe_dump(sweep.config, sort_keys=False))
    again = load_sweep("again.yaml")
    assert [p.labels for p in again.grid] == [p.labels for p in sweep.grid]
    assert again.config == sweep.config


def test_what_a_file_has_can_be_left_out(here: Path) -> None:
    file = written(ALL)
    assert len(load_sweep(file, ["sweep.zip={}", "sweep.sample={}", "sweep.exclude=[]"])) == 2
    assert len(load_sweep(file, over={"zip": None, "sample": None, "exclude": None})) == 2
    assert len(load_sweep(file, ["apps.busy.duty=0.5"], over={"sample": {}, "exclude": {}})) == 4
    assert "'apps.busy.duty' is not swept" in told(file, over={"sample": {}})


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("  zip: {apps.nat.model: [a]}\n", "s.yaml:6:9: sweep.zip.apps.nat.model: unknown key 'apps.nat'; did you"),
        ("  zip: {apps.net.count: [1, 0]}\n", "s.yaml:6:29: sweep.zip.apps.net.count.1: "),
        ("  zip: {apps.net.count: [1], apps.net.counts: [1]}\n", "unknown key 'apps.net.counts'; did you mean"),
        ("  sample: {points: 2, over: {apps.busy.duty: 1..9}}\n", "s.yaml:6:46: sweep.sample.over.apps.busy.duty: "),
        ("  seed: 0..1\n  exclude: {sed: 1}\n", "s.yaml:7:13: sweep.exclude.sed: 'sed' is not swept; did you"),
        ("  seed: 0..1\n  exclude: {seed: [0, 1]}\n", "sweep.exclude: leaves no point of the sweep"),
        ("  seed: 0..1\n  zip: {seed: [1, 2]}\n", "sweep.zip.seed: sets again what the axis 'seed' has set"),
    ],
)  # fmt: skip
def test_faults_have_their_places(here: Path, sweep: str, message: str) -> None:
    from socsim.sweeps.checking import check_sweep

    with pytest.raises(FileError) as caught:
        check_sweep(load_sweep(written(sweep)))
    assert message in str(caught.value)


def test_a_pinned_key_of_a_zip_is_told_how_to_leave_it_out(here: Path) -> None:
    assert told(written(ALL), ["apps.0.model=vgg16"]) == (
        "the sweep over 'zip' sets 'apps.net.model', which undoes 'apps.0.model'; leave it out: -s 'sweep.zip={}'"
    )


def test_paths_in_zips_and_samples_are_made_absolute(here: Path) -> None:
    Path("mine.yaml").write_text("x")
    block = {
        "zip": {"device": ["mine.yaml", "xiaomi-9"]},
        "sample": {"points": 1, "over": {"device": ["mine.yaml"], "seed": "0..3"}},
        "exclude": {"seed": 1},
    }
    found = located({"sweep": block}, here)["sweep"]
    path = str(here / "mine.yaml")
    assert found["zip"] == {"device": [path, "xiaomi-9"]}
    assert found["sample"] == {"points": 1, "over": {"device": [path], "seed": "0..3"}}
    assert found["exclude"] == {"seed": 1}
    assert located({"sweep": {"zip": [block["zip"]]}}, here)["sweep"]["zip"] == [found["zip"]]
    assert list(input_hashes({"sweep": {"zip": found["zip"], "sample": found["sample"]}})) == [path]


# --- short keys and what is typed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "full"),
    [
        ("scheduler", "apps.net.scheduler"),
        ("scheduler.name", "apps.net.scheduler.name"),
        ("fps", "apps.3.fps"),
        ("net.scheduler", "apps.net.scheduler"),
        ("net", "net"),
        ("busy.count", "busy.count"),
        ("seed", "seed"),
        ("device", "device"),
        ("duration", "duration"),
        ("apps.0.scheduler", "apps.0.scheduler"),
        ("nonsense", "nonsense"),
    ],
)
def test_short_keys_are_those_of_the_one_application_that_has_them(key: str, full: str) -> None:
    assert full_key(CONFIG, key) == full


def test_short_keys_of_several_applications_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        full_key(CONFIG, "threads")
    assert str(caught.value) == (
        "key 'threads' is one of several applications; write apps.1.threads or apps.2.threads"
    )


def test_short_keys_mean_the_axes_of_the_file(here: Path) -> None:
    file = written("  apps.0.scheduler: [cpu, gpu, dsp]\n  load: {low: {apps.busy.duty: 0.1}, high: {}}\n")
    assert len(load_sweep(file, over={"scheduler": ["cpu", "gpu"]})) == 4
    assert len(load_sweep(file, ["scheduler=gpu"])) == 2
    assert len(load_sweep(file, ["apps.net.scheduler=gpu", "load=low"])) == 1
    assert "key 'period' is one of several applications" in told(file, ["period=1 ms"])


@pytest.mark.parametrize(
    ("typed", "single", "several"),
    [
        (["seed=3"], ["seed=3"], {}),
        (["seed=0..9"], [], {"seed": "0..9"}),
        (["scheduler=cpu,gpu , mulayer"], [], {"scheduler": ["cpu", "gpu", "mulayer"]}),
        (["p=16 ms,33 ms", "n=1,2"], [], {"p": ["16 ms", "33 ms"], "n": [1, 2]}),
        (["s=heft(a=1, b=2),cpu"], [], {"s": ["heft(a=1, b=2)", "cpu"]}),
        (["s={name: heft, predictor: flops}"], ["s={name: heft, predictor: flops}"], {}),
        (["s=[1, 2],[3]"], [], {"s": [[1, 2], [3]]}),
        (["s='a,b',c"], [], {"s": ["a,b", "c"]}),
        (
            ["sweep.seed=0..3", "sweep={a: 1..2, b: [1, 2]}"],
            ["sweep.seed=0..3", "sweep={a: 1..2, b: [1, 2]}"],
            {},
        ),
        (["device=../x.yaml"], ["device=../x.yaml"], {}),
        (["p=10 ms..30 ms by 10 ms"], [], {"p": "10 ms..30 ms by 10 ms"}),
        (["p=9..1"], [], {"p": "9..1"}),
    ],
)
def test_typed_overrides(typed, single, several) -> None:
    assert swept_values(typed) == (single, several)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpu,,gpu", "'cpu,,gpu' has an empty value between commas; quote a value that holds one"),
        ("cpu,heft(a=1", "'cpu,heft(a=1' lacks a ')'"),
        ("'cpu,gpu", '"\'cpu,gpu" lacks a "\'"'),
    ],
)
def test_wrong_lists(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        split_values(text)
    assert str(caught.value) == message
